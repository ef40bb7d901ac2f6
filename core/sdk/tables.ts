/** Lists that can be taken out of the hub: offered by the core and by plugins, read a page at a time as one agent may see them. */
import type { TSchema } from 'typebox'
import type { LocalText } from './channel.ts'
import type { RecordReader } from './records.ts'

export interface TableColumn {
  key: string
  label: LocalText
  /** Default `text`. */
  kind?: 'text' | 'number' | 'time'
}

/** By the columns' keys; a time is ISO 8601, UTC. What is missing is empty. */
export type TableRow = Record<string, string | number | null>

/** For whom it is read; `personal` as in {@link RecordReader}. `tz`: an IANA name, for "today" in a filter. */
export interface TableReader extends RecordReader {
  tz: string
}

/** A list that a plugin offers. First all keys are asked for, then the rows of some of them, which may be much later. */
export interface TableDeclaration<Ctx> {
  label: LocalText
  /** Full name of the permission to read it; the hub asks it before every page. */
  permission: string
  columns: readonly TableColumn[]
  /** What narrows it: optional fields with a `title` in both languages (`从|From`). */
  filter?: TSchema
  /** Keys of all rows, a few hundred at a time, in the order that they are to be read in. */
  keys(reader: TableReader, filter: Record<string, unknown>, ctx: Ctx): AsyncIterable<string[]>
  /** The rows of at most 200 keys, in the order of the keys; what is gone is left out. */
  read(reader: TableReader, keys: readonly string[], ctx: Ctx): Promise<TableRow[]>
}

export interface TableInfo {
  /** `<plugin>.<name>`; the core's own begin with `hub.`. */
  name: string
  label: LocalText
  columns: readonly TableColumn[]
  /** As a JSON schema. */
  filter?: TSchema
}

export interface Tables {
  /** What this agent may read now, of what runs. */
  list(agentId: string): Promise<TableInfo[]>
  /**
   * Throws HUB_FORBIDDEN when the agent is gone or lacks the table's permission or the reader's, HUB_NOT_FOUND when
   * nothing that runs offers it, HUB_REQUEST_INVALID for a filter that does not fit. Asked anew at each page.
   */
  keys(name: string, reader: TableReader, filter: Record<string, unknown>): AsyncIterable<string[]>
  /** Throws as `keys`. */
  read(name: string, reader: TableReader, keys: readonly string[]): Promise<TableRow[]>
}

/**
 * A cell of a CSV file (RFC 4180). What a spreadsheet would take for a formula, in full width too, is told to be text: a
 * customer may have written it. (OWASP, CSV injection.)
 */
export function csvCell(value: string | number | null | undefined): string {
  const text = String(value ?? '')
  const told = typeof value === 'string' && /^\s*[=+\-@＝＋－＠\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(told) ? `"${told.replaceAll('"', '""')}"` : told
}
