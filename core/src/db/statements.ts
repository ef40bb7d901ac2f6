/**
 * Prepared statements for the few paths that carry every message. The ORM writes each statement anew with its values
 * inside it; here the text stays the same and the database keeps it parsed. Rows go in and come out as the ORM's own,
 * in the caller's transaction.
 */
import type { EntityMetadata, EntityName, EntityProperty, Platform } from '@mikro-orm/core'
import { CompiledQuery } from 'kysely'
import { SealedText } from '../../sdk/sealed.ts'
import { SealedJson } from '../sealing/sealed-columns.ts'
import type { Dialect, Em, Orm } from './orm.ts'
import { JsonText } from './types.ts'

/** Most rows of one statement. */
const mostRows = 64
/** Above this a statement's rows are a multiple of it: of each length a connection keeps a statement of its own. */
export const rowStep = 8

interface Column {
  property: string
  name: string
  write(value: unknown): unknown
  read(value: unknown): unknown
  /** It costs something to open: read when somebody asks for it. */
  sealed?: true
}

interface Table {
  name: string
  columns: Column[]
  /** `select` of all columns, to be followed by a condition. */
  select: string
}

type Row = Record<string, unknown>

/** Lets a connection keep its statements: those of this file, told apart by {@link mark}, are prepared once; the ORM's own go on as they were. */
export async function keepStatements(orm: Orm, dialect: Dialect): Promise<void> {
  const client: unknown = await (orm.em.getConnection() as unknown as { getNativeClient(): Promise<unknown> }).getNativeClient()
  if (dialect === 'sqlite') {
    const database = client as { prepare(sql: string): unknown }
    const prepare = database.prepare.bind(database)
    const kept = new Map<string, unknown>()
    database.prepare = (sql) => {
      if (!sql.startsWith(mark)) return prepare(sql)
      const statement = kept.get(sql) ?? prepare(sql)
      kept.set(sql, statement)
      return statement
    }
    return
  }
  type Query = (sql: string, values?: unknown, done?: unknown) => unknown
  const pool = client as { on(event: 'acquire', hear: (connection: { query: Query; execute: Query }) => void): void }
  const ready = new WeakSet<object>()
  pool.on('acquire', (connection) => {
    if (ready.has(connection)) return
    ready.add(connection)
    const query = connection.query.bind(connection)
    connection.query = (sql, values, done) =>
      typeof sql === 'string' && sql.startsWith(mark) ? connection.execute(sql, values, done) : query(sql, values, done)
  })
}
/** How the texts of this file begin. They are few: the ORM's, with their values inside, are without number. */
const mark = '/*+*/ '

export const isMysql = (em: Em): boolean => !em.getDriver().getPlatform().constructor.name.startsWith('Sqlite')
const dialectOf = (em: Em): Dialect => (isMysql(em) ? 'mysql' : 'sqlite')

async function query(em: Em, sql: string, values: readonly unknown[]): Promise<{ rows: Row[]; affected: number }> {
  const runner = (em.getTransactionContext() ?? em.getConnection().getClient()) as unknown as {
    executeQuery(query: CompiledQuery): Promise<{ rows: Row[]; numAffectedRows?: bigint }>
  }
  try {
    const { rows, numAffectedRows } = await runner.executeQuery(CompiledQuery.raw(mark + sql, [...values]))
    return { rows, affected: Number(numAffectedRows ?? 0) }
  } catch (error) {
    throw em
      .getDriver()
      .getPlatform()
      .getExceptionConverter()
      .convertException(error as Error)
  }
}

const tables = new WeakMap<EntityMetadata, Table>()

function tableOf(em: Em, entity: EntityName<object>): Table {
  const meta = em.getMetadata().get(entity as never) as EntityMetadata
  const known = tables.get(meta)
  if (known) return known
  const dialect = dialectOf(em)
  const columns = (meta.props as EntityProperty[]).filter((prop) => prop.persist !== false).map((prop) => columnOf(prop, dialect, em.getDriver().getPlatform()))
  const table: Table = {
    name: `\`${meta.tableName}\``,
    columns,
    select: `select ${columns.map(({ name }) => `\`${name}\``).join(', ')} from \`${meta.tableName}\``,
  }
  tables.set(meta, table)
  return table
}

const same = (value: unknown): unknown => value

function columnOf(prop: EntityProperty, dialect: Dialect, platform: Platform): Column {
  const [name] = prop.fieldNames
  if (!name || prop.fieldNames.length !== 1) throw new Error(`${prop.name} is not one column`)
  const column = (write: Column['write'], read: Column['read']): Column => ({
    property: prop.name,
    name,
    write: (value) => (value === null || value === undefined ? null : write(value)),
    read: (value) => (value === null ? null : read(value)),
  })
  const type = prop.customType
  if (type instanceof SealedText || type instanceof SealedJson)
    return {
      ...column(
        (value) => type.convertToDatabaseValue(value as string, platform),
        (value) => type.convertToJSValue(value as string, platform),
      ),
      sealed: true,
    }
  if (prop.customType instanceof JsonText) {
    const [write, read] = [JSON.stringify, (value: unknown) => JSON.parse(value as string)]
    // JSON's null is a value, unless the column may be empty.
    return prop.nullable ? column(write, read) : { property: prop.name, name, write: (value) => write(value ?? null), read }
  }
  switch (prop.runtimeType) {
    case 'string':
    case 'number':
      return column(same, same)
    case 'boolean':
      return column(
        (value) => (value ? 1 : 0),
        (value) => value === 1,
      )
    case 'Date':
      // As the ORM has them: milliseconds on SQLite, UTC text on MySQL.
      return dialect === 'sqlite'
        ? column(
            (value) => (value as Date).getTime(),
            (value) => new Date(value as number),
          )
        : column(
            (value) => (value as Date).toISOString().replace('T', ' ').slice(0, -1),
            (value) => new Date(`${(value as string).replace(' ', 'T')}Z`),
          )
    default:
      throw new Error(`${prop.name}: ${prop.runtimeType} has no prepared form`)
  }
}

/** A list cut into few lengths: as many steps as fit, then what is left over. */
function* pieces<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; ) {
    const left = Math.min(list.length - at, mostRows)
    const size = left > rowStep ? left - (left % rowStep) : left
    yield list.slice(at, at + size)
    at += size
  }
}

/** A list lengthened with its last value, where a repeat changes nothing. */
const lengthened = <T>(values: readonly T[], size: number): readonly T[] => [...values, ...Array<T>(size - values.length).fill(values.at(-1) as T)]
const toPowerOfTwo = <T>(values: readonly T[]): readonly T[] => lengthened(values, 2 ** Math.ceil(Math.log2(Math.max(values.length, 1))))
const toStep = <T>(values: readonly T[]): readonly T[] =>
  values.length > rowStep ? lengthened(values, Math.ceil(values.length / rowStep) * rowStep) : toPowerOfTwo(values)

const inserts = new Map<string, string>()

/** Inserts rows as they are; a property that is absent is null. Throws what the ORM throws (a unique violation among them). */
export async function insertRows<T extends object>(em: Em, entity: EntityName<T>, rows: readonly T[]): Promise<void> {
  if (rows.length === 0) return
  const table = tableOf(em, entity as EntityName<object>)
  for (const piece of pieces(rows)) {
    const key = `${table.name}${piece.length}`
    let sql = inserts.get(key)
    if (!sql) {
      const places = `(${table.columns.map(() => '?').join(', ')})`
      sql = `insert into ${table.name} (${table.columns.map(({ name }) => `\`${name}\``).join(', ')}) values ${piece.map(() => places).join(', ')}`
      inserts.set(key, sql)
    }
    await query(
      em,
      sql,
      piece.flatMap((row) => table.columns.map((column) => column.write((row as Row)[column.property]))),
    )
  }
}

/** A list inside a condition: `where id in ${list}`. */
export interface List {
  values: readonly unknown[]
}
export const list = (values: readonly unknown[]): List => ({ values })

/** A piece of SQL with its values beside it; values are text, numbers or {@link list}s, columns are written as the database has them. */
export function sql(texts: TemplateStringsArray, ...values: readonly (string | number | List | Sql)[]): Sql {
  let text = texts[0] ?? ''
  const all: unknown[] = []
  values.forEach((value, i) => {
    if (typeof value === 'object' && 'text' in value) {
      text += value.text
      all.push(...value.params)
    } else if (typeof value === 'object') {
      const params = toPowerOfTwo(value.values)
      text += `(${params.map(() => '?').join(', ')})`
      all.push(...params)
    } else {
      text += '?'
      all.push(value)
    }
    text += texts[i + 1]
  })
  return { text, params: all }
}
export interface Sql {
  text: string
  params: readonly unknown[]
}

/** All columns of a table behind an alias, for a `select` of one's own; {@link rowOf} reads them. */
export const columnsOf = (em: Em, entity: EntityName<object>, alias: string): Sql => ({
  text: tableOf(em, entity)
    .columns.map(({ name }) => `${alias}.\`${name}\``)
    .join(', '),
  params: [],
})

/**
 * A property that is opened when it is first asked for: most messages ask for nothing of their sender that is sealed,
 * and are taken in also while its key is missing.
 */
function openLater(result: Row, { property, read }: Column, value: unknown): void {
  const keep = (now: unknown) => Object.defineProperty(result, property, { value: now, writable: true, enumerable: true, configurable: true })
  Object.defineProperty(result, property, {
    get: () => {
      const opened = read(value)
      keep(opened)
      return opened
    },
    set: keep,
    enumerable: true,
    configurable: true,
  })
}

/** The entity inside a raw row. */
export function rowOf<T extends object>(em: Em, entity: EntityName<T>, row: object): T {
  const result: Row = {}
  for (const column of tableOf(em, entity as EntityName<object>).columns) {
    const value = (row as Row)[column.name]
    if (column.sealed && value) openLater(result, column, value)
    else result[column.property] = column.read(value)
  }
  return result as T
}

/** Names of properties that differ between two states of a row. */
export function changedProperties<T extends object>(em: Em, entity: EntityName<T>, before: T, after: T): (keyof T & string)[] {
  return tableOf(em, entity as EntityName<object>)
    .columns.filter(({ property, write }) => {
      const [was, is] = [(before as Row)[property], (after as Row)[property]]
      return was !== is && write(was) !== write(is)
    })
    .map(({ property }) => property as keyof T & string)
}

/** Whole rows of a table that meet a condition (`where … order by … for update`), as plain objects. */
export async function readRows<T extends object>(em: Em, entity: EntityName<T>, condition: Sql): Promise<T[]> {
  const table = tableOf(em, entity as EntityName<object>)
  const { rows } = await query(em, `${table.select} ${condition.text}`, condition.params)
  return rows.map((row) => rowOf(em, entity, row))
}

/** Rows of any `select`, as the database gives them. */
export async function readRaw<T extends object>(em: Em, statement: Sql): Promise<T[]> {
  return (await query(em, statement.text, statement.params)).rows as T[]
}

/** Runs a statement of one's own; returns how many rows it changed. */
export async function execute(em: Em, statement: Sql): Promise<number> {
  return (await query(em, statement.text, statement.params)).affected
}

/** A value as a column holds it (a time is text on MySQL, a number on SQLite), for a statement of one's own. */
export function stored<T extends object>(em: Em, entity: EntityName<T>, property: keyof T & string, value: unknown): string | number {
  const column = tableOf(em, entity as EntityName<object>).columns.find((one) => one.property === property)
  return column?.write(value) as string | number
}

/** `join` that begins with the table on its left, where the planner would rather walk the right one in the order asked for. */
export const joinInOrder = (em: Em): Sql => ({ text: dialectOf(em) === 'mysql' ? 'straight_join' : 'cross join', params: [] })

/** Locks until the commit where the database locks rows; SQLite has one writer anyway. */
export const forUpdate = (em: Em): Sql => ({ text: dialectOf(em) === 'mysql' ? 'for update' : '', params: [] })

/**
 * Writes the named properties of rows that exist, found by their id. On MySQL many rows are one statement (a join with
 * the new values); SQLite has no round trip to save.
 */
export async function updateRows<T extends { id: string }>(
  em: Em,
  entity: EntityName<T>,
  rows: readonly T[],
  properties: readonly (keyof T & string)[],
): Promise<void> {
  if (rows.length === 0 || properties.length === 0) return
  const table = tableOf(em, entity as EntityName<object>)
  const columns = table.columns.filter(({ property }) => (properties as readonly string[]).includes(property))
  const valuesOf = (row: T): unknown[] => columns.map((column) => column.write((row as Row)[column.property]))
  if (dialectOf(em) === 'sqlite' || rows.length === 1) {
    const text = `update ${table.name} set ${columns.map(({ name }) => `\`${name}\` = ?`).join(', ')} where \`id\` = ?`
    for (const row of rows) await query(em, text, [...valuesOf(row), row.id])
    return
  }
  for (let at = 0; at < rows.length; at += mostRows) {
    const piece = toStep(rows.slice(at, at + mostRows))
    // The id takes the table's collation, else the join could not use the key.
    const first = `select cast(? as char(26)) collate utf8mb4_bin as k, ${columns.map((_, i) => `? as v${i}`).join(', ')}`
    const next = ` union all select ?, ${columns.map(() => '?').join(', ')}`
    const text = `update ${table.name} t join (${first}${next.repeat(piece.length - 1)}) n on n.k = t.\`id\` set ${columns.map(({ name }, i) => `t.\`${name}\` = n.v${i}`).join(', ')}`
    await query(
      em,
      text,
      piece.flatMap((row) => [row.id, ...valuesOf(row)]),
    )
  }
}
