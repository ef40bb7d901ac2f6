/** CSV as Excel reads it: a mark that says UTF-8, commas, CRLF (RFC 4180). */
import { wallText } from '@huike/core/sdk/local-time.ts'
import { csvCell } from '@huike/core/sdk/tables.ts'
import type { Cell } from './cells.ts'

export const csvHead = '\ufeff'

export function csvRow(cells: readonly Cell[], tz: string): string {
  return `${cells.map((cell) => csvCell(plain(cell, tz))).join(',')}\r\n`
}

function plain(cell: Cell, tz: string): string | number | null {
  if (cell === null || typeof cell === 'number') return cell
  if (cell instanceof Date) return wallText(cell, tz)
  return typeof cell === 'string' ? cell.replaceAll('\0', '') : [cell.link, ...(cell.others ?? [])].join('\n')
}
