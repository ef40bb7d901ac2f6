/**
 * A column that the database holds sealed, for entities of plugins as for the core's own: `number: sealed('shop_order.number', 40)`.
 * Written and read like any text, it is opened with whichever of the hub's data keys sealed it, and goes over to a new
 * key with all else. What was written in the clear before is read as it is and sealed in the background.
 */
import { type EntityProperty, type Platform, p, type TransformContext, Type } from '@mikro-orm/core'

/** What the hub seals with; it gives itself to each database. */
export interface Sealer {
  seal(place: string, text: string, blind?: string): string
  open(place: string, sealed: string): string
}
const sealers = new WeakMap<object, Sealer>()
/** The hub's own doing, once a database is open. */
export const bindSealer = (platform: Platform, sealer: Sealer): void => void sealers.set(platform, sealer)

function sealerFor(platform: object): Sealer {
  const sealer = sealers.get(platform)
  if (!sealer) throw new Error('this database has no keyring')
  return sealer
}

/** What a sealed text begins with, up to its key: `e1.`, 32 signs to be found by, a point would be the next. */
export const blindLength = 35
/** The longest a text of so many characters gets. */
export const sealedLength = (characters: number): number => Math.ceil(((28 + characters * 4) * 4) / 3) + blindLength + 14

/** `place` is `table.column`: a text moved elsewhere does not open. */
export class SealedText extends Type<string, string> {
  readonly place: string
  protected sealer: Sealer | undefined
  constructor(place: string) {
    super()
    this.place = place
  }
  /** What equal values are found by; nothing: they cannot be told to be equal. */
  protected blind(_value: string, _platform: Platform): string | undefined {
    return undefined
  }
  /** Empty stays empty: whether a field is filled in is no secret. */
  override convertToDatabaseValue(value: string, platform: Platform, context?: TransformContext): string {
    if (!value) return value
    // The same text is sealed differently each time: a comparison would silently find nothing.
    if (context?.mode === 'query') throw new Error(`${this.place} is sealed and cannot be compared`)
    this.sealer = sealerFor(platform)
    return this.sealer.seal(this.place, value, this.blind(value, platform))
  }
  override convertToJSValue(value: string, platform: Platform): string {
    return value ? sealerFor(platform).open(this.place, value) : value
  }
  /** The same text is sealed differently each time, yet a row that nobody changed is not to be written anew. */
  override compareValues(a: string, b: string): boolean {
    try {
      return a === b || (!!a && !!b && this.sealer !== undefined && this.sealer.open(this.place, a) === this.sealer.open(this.place, b))
    } catch {
      return false
    }
  }
  override getColumnType(prop: EntityProperty, platform: Platform): string {
    return platform.getVarcharTypeDeclarationSQL(prop)
  }
  override ensureComparable(): boolean {
    return false
  }
}

/**
 * Up to `length` characters in the clear; the column is a `varchar(sealedLength(length))` with the default `''`, its table
 * has an `id`. Not found by its value: where you must look one up, keep `ctx.sign(value)` in a column beside it.
 */
export const sealed = (place: string, length: number) => p.type(new SealedText(place)).$type<string>().length(sealedLength(length)).default('')

/** A text without an end that matters: 12 MB in the clear. */
class SealedProse extends SealedText {
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return platform.constructor.name.startsWith('Sqlite') ? 'text' : 'mediumtext'
  }
}

/** The same for what may be long, JSON as well: the column is a `mediumtext not null` (SQLite: `text not null`). */
export const sealedProse = (place: string) => p.type(new SealedProse(place)).$type<string>()
