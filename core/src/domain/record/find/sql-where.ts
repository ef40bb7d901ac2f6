/** Conditions as the ability gives them, as a piece of SQL: the lists of records say themselves which index they walk. */
import type { EntityName } from '@mikro-orm/core'
import type { Em } from '../../../db/orm.ts'
import { list, type Sql, sql, stored } from '../../../db/statements.ts'
import { Conversation } from '../../conversation/conversation.entity.ts'

export const raw = (text: string): Sql => ({ text, params: [] })
const nothing = raw('1 = 0')
const join = (parts: readonly Sql[], word: string): Sql => ({
  text: `(${parts.map(({ text }) => text).join(` ${word} `)})`,
  params: parts.flatMap(({ params }) => params),
})
export const all = (parts: readonly Sql[]): Sql => (parts.length === 0 ? raw('1 = 1') : join(parts, 'and'))
export const any = (parts: readonly Sql[]): Sql => (parts.length === 0 ? nothing : join(parts, 'or'))
export const among = (column: string, values: readonly (string | number)[]): Sql => (values.length === 0 ? nothing : sql`${raw(column)} in ${list(values)}`)

interface Rows {
  entity: EntityName<object>
  alias: string
}

/** Of conversations under the alias `c`, or of other rows. Throws on what it does not know: a condition left out would show too much. */
export function sqlWhere(em: Em, where: Record<string, unknown>, rows: Rows = { entity: Conversation, alias: 'c' }): Sql {
  return all(
    Object.entries(where).map(([key, value]) => {
      if (key === '$and') return all((value as Record<string, unknown>[]).map((one) => sqlWhere(em, one, rows)))
      if (key === '$or') return any((value as Record<string, unknown>[]).map((one) => sqlWhere(em, one, rows)))
      if (key === '$not') return sql`not ${sqlWhere(em, value as Record<string, unknown>, rows)}`
      return compare(em, rows, key, value)
    }),
  )
}

function compare(em: Em, rows: Rows, property: string, value: unknown): Sql {
  const name = em.getMetadata().get(rows.entity).properties[property as never] as { fieldNames: string[] } | undefined
  if (!name) throw new Error(`${rows.alias} has no ${property}`)
  const column = raw(`${rows.alias}.${name.fieldNames[0]}`)
  const write = (one: unknown) => stored(em, rows.entity, property as never, one)
  if (value === null) return sql`${column} is null`
  if (typeof value !== 'object' || value instanceof Date) return sql`${column} = ${write(value)}`
  return all(
    Object.entries(value).map(([operator, operand]) => {
      if (operator === '$in') return among(column.text, (operand as unknown[]).map(write))
      if (operator === '$eq') return compare(em, rows, property, operand)
      if (operator === '$ne') return operand === null ? sql`${column} is not null` : sql`(${column} is null or ${column} <> ${write(operand)})`
      throw new Error(`a condition of an unknown kind: ${operator}`)
    }),
  )
}
