/** CSV as Excel reads it: a mark that says UTF-8, commas, CRLF (RFC 4180). */

import { wallText } from '@huike/core/sdk/local-time.ts'
import type { Cell } from './cells.ts'

export const csvHead = '\ufeff'

/** What a spreadsheet would take for a formula is told to be text: a customer may have written it. (OWASP, CSV injection.) */
const neutral = (text: string): string => (/^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text)

export function csvRow(cells: readonly Cell[], tz: string): string {
  return `${cells.map((cell) => quoted(textOf(cell, tz))).join(',')}\r\n`
}

function textOf(cell: Cell, tz: string): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  if (cell instanceof Date) return wallText(cell, tz)
  return neutral(typeof cell === 'string' ? cell.replaceAll('\0', '') : [cell.link, ...(cell.others ?? [])].join('\n'))
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
