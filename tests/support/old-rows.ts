/** Rows in tables of any day, made from what the database says of their columns: for tests of upgrades. */
import type { Em } from '../../core/src/db/orm.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'

/** Everything has this one name, so that every row finds the ones it belongs to. */
export const oldId = '01jd0000000000000000000001'
const at = new Date('2026-05-28T02:03:04.005Z')

interface Column {
  table: string
  name: string
  type: string
  length: number | null
}

/** Of all tables but the record of the migrations. */
async function columnsOf(em: Em, mysql: boolean): Promise<Column[]> {
  if (mysql)
    return readRaw<Column>(
      em,
      sql`select table_name as \`table\`, column_name as name, data_type as type, character_maximum_length as length
          from information_schema.columns where table_schema = database() and table_name not in ('hub_migration', 'hub_migration_step') and extra not like '%GENERATED%' order by table_name, ordinal_position`,
    )
  return readRaw<Column>(
    em,
    sql`select m.name as "table", c.name as name, lower(c.type) as type, null as length from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name <> 'hub_migration' and m.name not like 'sqlite_%' order by m.name, c.cid`,
  )
}

function sampleOf({ table, name, type, length }: Column, special: Record<string, unknown>): unknown {
  const given = special[`${table}.${name}`]
  if (given !== undefined) return given
  if (type.includes('int') || ['real', 'double', 'float', 'decimal'].includes(type)) return 1
  if (type.includes('blob') || type.includes('binary')) return Buffer.from([1])
  if (type.startsWith('date')) return at
  if (name === 'id' || name.endsWith('_id')) return oldId
  if (['settings', 'data', 'attributes', 'content', 'event', 'value', 'meta'].includes(name)) return '{}'
  return `${table}.${name}`.slice(0, length ?? 8)
}

export type Rows = ReadonlyMap<string, Readonly<Record<string, unknown>>>

/** The first row of each table that has one. */
export async function rowsOf(em: Em, mysql: boolean): Promise<Rows> {
  const rows = new Map<string, Record<string, unknown>>()
  for (const table of new Set((await columnsOf(em, mysql)).map(({ table }) => table))) {
    const [row] = await readRaw<Record<string, unknown>>(em, { text: `select * from \`${table}\``, params: [] })
    if (row) rows.set(table, row)
  }
  return rows
}

/** A row in every table that has none. `special` says, by `table.column`, what a column cannot hold by its type alone. Returns what is there then. */
export async function fillTables(em: Em, mysql: boolean, special: Record<string, unknown> = {}): Promise<Rows> {
  const columns = await columnsOf(em, mysql)
  const filled = await rowsOf(em, mysql)
  for (const table of new Set(columns.map(({ table }) => table))) {
    if (filled.has(table)) continue
    const own = columns.filter((column) => column.table === table)
    await em.execute(
      `insert into \`${table}\` (${own.map(({ name }) => `\`${name}\``).join(', ')}) values (${own.map(() => '?').join(', ')})`,
      own.map((column) => sampleOf(column, special)),
    )
  }
  return rowsOf(em, mysql)
}

/** What was there `before` and is not, or is something else; `meant` are the columns, or tables, that a migration changes on purpose. */
export function lostOf(before: Rows, after: Rows, meant: ReadonlySet<string> = new Set()): string[] {
  return [...before].flatMap(([table, row]) =>
    Object.entries(row)
      .filter(([name, value]) => !meant.has(table) && !meant.has(`${table}.${name}`) && String(after.get(table)?.[name]) !== String(value))
      .map(([name, value]) => `${table}.${name}: ${value} -> ${after.get(table)?.[name]}`),
  )
}
