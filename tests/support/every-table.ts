/** What the database holds, as it holds it: every value of every table. */
import type { Em } from '../../core/src/db/orm.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'

/** By `table.column`, as text. Bytes are read as Latin letters. */
export async function everyColumn(em: Em, mysql: boolean): Promise<Map<string, string>> {
  const tables = mysql
    ? await readRaw<{ name: string }>(em, sql`select table_name as name from information_schema.tables where table_schema = database()`)
    : await readRaw<{ name: string }>(em, sql`select name from sqlite_master where type = 'table'`)
  const columns = new Map<string, string>()
  for (const { name } of tables)
    for (const row of await readRaw<Record<string, unknown>>(em, { text: `select * from \`${name}\``, params: [] }))
      for (const [column, value] of Object.entries(row)) {
        if (value === null) continue
        const place = `${name}.${column}`
        const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : typeof value === 'object' ? JSON.stringify(value) : String(value)
        columns.set(place, `${columns.get(place) ?? ''}\n${text}`)
      }
  return columns
}

/** The columns that one of these words stands in. */
export const placesOf = (columns: ReadonlyMap<string, string>, words: readonly string[]): string[] =>
  [...columns].flatMap(([place, text]) => (words.some((word) => text.includes(word)) ? [place] : [])).sort()
