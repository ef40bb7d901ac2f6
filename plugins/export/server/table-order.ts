/** Orders of lists other than conversations: what `ctx.tables` offers, its columns chosen, narrowed by its filter. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { TableInfo, TableRow } from '@huike/core/sdk/tables.ts'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Cell } from './cells.ts'
import type { Ctx } from './context.ts'
import type { Order } from './order.ts'

const Key = Type.String({ minLength: 1, maxLength: 80 })
/** How a list shall look: what a template keeps of it. */
export const TableChoices = Type.Object(
  {
    table: Type.String({ maxLength: 80, pattern: '^[a-z][a-z0-9]*\\.[A-Za-z0-9]+$' }),
    columns: Type.Array(Key, { minItems: 1, maxItems: 100, uniqueItems: true }),
    format: Type.Unsafe<'xlsx' | 'csv' | 'pdf'>(Type.Union([Type.Literal('xlsx'), Type.Literal('csv'), Type.Literal('pdf')])),
    personal: Type.Boolean(),
    nameRule: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }),
  },
  { additionalProperties: false },
)
export type TableChoices = Static<typeof TableChoices>
export const TableWhat = Type.Object(
  { ...TableChoices.properties, filter: Type.Record(Type.String({ maxLength: 60 }), Type.Unknown()) },
  { additionalProperties: false },
)
export type TableWhat = Static<typeof TableWhat>

export const missingTable = () => new HubError('HUB_NOT_FOUND', 'There is no such list')

/** Throws HUB_NOT_FOUND for a list that this agent may not read, HUB_REQUEST_INVALID for columns or a filter that it has not. */
export async function orderTable(ctx: Ctx, agentId: string, what: TableWhat, { tz, language }: Pick<Order, 'tz' | 'language'>): Promise<Order> {
  const info = (await ctx.tables.list(agentId)).find(({ name }) => name === what.table)
  if (!info) throw missingTable()
  const known = new Map(info.columns.map((column) => [column.key, column]))
  const stranger = what.columns.find((key) => !known.has(key))
  if (stranger) throw new HubError('HUB_REQUEST_INVALID', `The list has no column ${stranger}`, { path: '/columns' })
  if (!Value.Check(info.filter ?? Type.Object({}), what.filter))
    throw new HubError('HUB_REQUEST_INVALID', 'The filter does not fit the list', { path: '/filter' })
  const { format, personal, nameRule } = what
  const columns = what.columns.flatMap((key) => {
    const column = known.get(key)
    return column ? [{ key, title: column.label[language], kind: column.kind ?? ('text' as const) }] : []
  })
  // As a sheet may be called.
  const label = info.label[language].replace(/[[\]:*?/\\]/g, ' ').slice(0, 24)
  const table = { name: info.name, label, filter: what.filter, columns }
  return { format, personal, nameRule, tz, language, rows: 'record', fields: [], attachments: false, table }
}

/** Can it be narrowed to a time span, and where in its filter does that stand? */
export function spanPlace(info: Pick<TableInfo, 'filter'>): 'own' | 'records' | undefined {
  const fields = (info.filter as { properties?: Record<string, unknown> } | undefined)?.properties ?? {}
  if ('from' in fields && 'to' in fields) return 'own'
  return 'records' in fields ? 'records' : undefined
}

export const tableKeys = (ctx: Ctx, reader: { agentId: string; permission?: string; personal?: boolean }, { table, tz }: Order): AsyncIterable<string[]> =>
  ctx.tables.keys(table?.name ?? '', { ...reader, tz }, table?.filter ?? {})

export const tableRows = (
  ctx: Ctx,
  reader: { agentId: string; permission?: string; personal?: boolean },
  { table, tz }: Order,
  keys: readonly string[],
): Promise<TableRow[]> => ctx.tables.read(table?.name ?? '', { ...reader, tz }, keys)

export const tableCells = ({ table }: Order, row: TableRow): Cell[] =>
  (table?.columns ?? []).map(({ key, kind }) => {
    const value = row[key] ?? null
    return kind === 'time' && value !== null ? new Date(value) : value
  })
