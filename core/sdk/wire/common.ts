import { type Static, type TSchema, Type } from 'typebox'

export const Id = Type.String({ minLength: 26, maxLength: 26, pattern: '^[0-9a-z]{26}$' })
export const NullableId = Type.Union([Id, Type.Null()])
/** UTC, ISO 8601 with milliseconds. No leap second: it is a time to the format, and none to JavaScript. */
export const Instant = Type.String({ format: 'date-time', pattern: '^(?!.*:60)' })
export const NullableInstant = Type.Union([Instant, Type.Null()])
export const LocalText = Type.Object({ zh: Type.String(), en: Type.String() })
export const IdParams = Type.Object({ id: Id })
export const Ok = Type.Object({ ok: Type.Literal(true) })

/** What people call something: not empty, and not of spaces. */
export const Name = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '\\S' })

/** A page of a list; `cursor` leads to the next one and is null at the end. */
export const Page = <T extends TSchema>(item: T) => Type.Object({ items: Type.Array(item), cursor: Type.Union([Type.String(), Type.Null()]) })

export const PageQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 })),
})
export type PageQuery = Static<typeof PageQuery>
