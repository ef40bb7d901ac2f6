/** Column types that compare equal on SQLite, MySQL and MariaDB (a native JSON column does not: MariaDB's is a longtext with a check). */
import { type EntityProperty, type Platform, p, Type } from '@mikro-orm/core'
import { monotonicFactory } from 'ulid'

class JsonText extends Type<unknown, string | null> {
  override convertToDatabaseValue(value: unknown): string | null {
    // JSON's null is a value: no JSON column is nullable, what is nothing is written as `null`.
    return value === undefined ? null : JSON.stringify(value)
  }
  override convertToJSValue(value: unknown): unknown {
    return typeof value === 'string' ? JSON.parse(value) : value
  }
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return platform.constructor.name.startsWith('Sqlite') ? 'text' : 'mediumtext'
  }
  override compareAsType(): string {
    return 'any'
  }
  override ensureComparable(): boolean {
    return true
  }
}

/** The same, where nothing is the database's NULL: for columns that came later than their table. */
class NullableJsonText extends JsonText {
  override convertToDatabaseValue(value: unknown): string | null {
    return value === undefined || value === null ? null : JSON.stringify(value)
  }
}

const ulid = monotonicFactory()

/** A new id: 26 characters, sorts by time of making, never repeats. */
export const newId = (): string => ulid().toLowerCase()

/** A primary key or a pointer to one. */
export const idColumn = () => p.string().length(26)
export const json = <T>() => p.type(JsonText).$type<T>()
export const nullableJson = <T>() => p.type(NullableJsonText).$type<T>().nullable()
/** UTC, milliseconds. */
export const instant = () => p.datetime(3)
