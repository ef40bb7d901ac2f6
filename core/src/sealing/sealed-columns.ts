/** Column types that the database holds sealed: `phone: sealed('contact.phone', 40)` is all that a personal field needs. */
import { type EntityProperty, type Platform, p, Type } from '@mikro-orm/core'
import { blindLength, SealedText, sealedLength } from '../../sdk/sealed.ts'
import type { Em } from '../db/orm.ts'
import { longText } from '../db/types.ts'
import { type Keyring, keyringFor } from './keyring.ts'

/** A form in which equal people write alike: digits of a number, small letters of all else. */
export function lookForm(kind: string, value: string): string {
  const text = value.trim()
  return kind === 'phone' ? text.replace(/\D/g, '').replace(/^(?:00)?86(?=1\d{10}$)/, '') || text : text.toLowerCase()
}

/** One that is found as a whole: equal values begin alike. The column's name is the kind of its blind index. */
class FoundText extends SealedText {
  protected override blind(value: string, platform: Platform): string {
    const kind = this.place.split('.').at(-1) as string
    return keyringFor(platform).blind(kind, lookForm(kind, value))
  }
}

/** JSON that is sealed as a whole; nothing is looked up in it. */
export class SealedJson extends Type<unknown, string | null> {
  readonly place: string
  constructor(place: string) {
    super()
    this.place = place
  }
  override convertToDatabaseValue(value: unknown, platform: Platform): string | null {
    return value === undefined || value === null ? null : keyringFor(platform).seal(this.place, JSON.stringify(value))
  }
  override convertToJSValue(value: unknown, platform: Platform): unknown {
    return typeof value === 'string' ? JSON.parse(keyringFor(platform).open(this.place, value)) : value
  }
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return longText(platform)
  }
  override compareAsType(): string {
    return 'any'
  }
  override ensureComparable(): boolean {
    return false
  }
}

/** Up to `length` characters in the clear. */
export const sealed = (place: string, length: number) => p.type(new FoundText(place)).$type<string>().length(sealedLength(length)).default('')
export const sealedJson = <T>(place: string) => p.type(new SealedJson(place)).$type<T>()

/** The keys of a database. */
export const keysOf = (em: Em): Keyring => keyringFor(em.getDriver().getPlatform())

/**
 * All that the `…_key` column beside a sealed one may hold for a value: how its sealed text begins, and how it begins
 * while the row is still in the clear.
 */
export function blindsOf(em: Em, kind: string, value: string): string[] {
  const form = lookForm(kind, value)
  return [`e1.${keysOf(em).blind(kind, form)}`, ...new Set([value.trim(), form].map((text) => text.slice(0, blindLength)))]
}

/** What the database keeps of a claim: enough to see that two people claim the same. */
export const claimKey = (em: Em, kind: string, value: string): string => `h1.${keysOf(em).blind(`claim.${kind}`, value)}`
export const isClaimKey = (value: string): boolean => /^h1\.[0-9a-f]{32}$/.test(value)
