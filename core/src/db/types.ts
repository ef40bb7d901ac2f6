/** Column types that compare equal on SQLite, MySQL and MariaDB (a native JSON column does not: MariaDB's is a longtext with a check). */
import { randomFillSync } from 'node:crypto'
import { type EntityProperty, type Platform, p, TextType, Type } from '@mikro-orm/core'
import { encodeTime, monotonicFactory } from 'ulid'

export class JsonText extends Type<unknown, string | null> {
  override convertToDatabaseValue(value: unknown): string | null {
    // JSON's null is a value: no JSON column is nullable, what is nothing is written as `null`.
    return value === undefined ? null : JSON.stringify(value)
  }
  override convertToJSValue(value: unknown): unknown {
    return typeof value === 'string' ? JSON.parse(value) : value
  }
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return longText(platform)
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

/** 64 KB is what MySQL's and MariaDB's own `text` holds: less than a letter may have. */
class LongText extends TextType {
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return longText(platform)
  }
}
export const longText = (platform: Platform): string => (platform.constructor.name.startsWith('Sqlite') ? 'text' : 'mediumtext')

/** Random bytes by the block: asking the system for each one costs more than the id. */
const bytes = Buffer.alloc(4_096)
let used = bytes.length
function random(): number {
  if (used === bytes.length) {
    randomFillSync(bytes)
    used = 0
  }
  return (bytes[used++] as number) / 256
}
const ulid = monotonicFactory(random)

/** A new id: 26 characters, sorts by time of making, never repeats. */
export const newId = (): string => ulid().toLowerCase()

/** Sorts before every id that was made then, or later. */
export const firstIdAt = (at: Date): string => encodeTime(at.getTime(), 10).toLowerCase()

/** A primary key or a pointer to one. */
export const idColumn = () => p.string().length(26)
export const json = <T>() => p.type(JsonText).$type<T>()
export const nullableJson = <T>() => p.type(NullableJsonText).$type<T>().nullable()
/** A text that people may write much of: 16 MB. */
export const prose = () => p.type(LongText).$type<string>()
/** UTC, milliseconds. */
export const instant = () => p.datetime(3)
