import { type Static, Type } from 'typebox'
import { Id, Instant, LocalText, NullableInstant, Page } from './common.ts'

/** Something somebody ought to know, in a bell of both apps. */
export const Notice = Type.Object({
  id: Id,
  /** `inbox.broken`; a plugin's begins with its id. */
  kind: Type.String(),
  level: Type.Union([Type.Literal('info'), Type.Literal('problem')]),
  title: LocalText,
  body: Type.Union([LocalText, Type.Null()]),
  /** A path of this site. */
  link: Type.Union([Type.String(), Type.Null()]),
  at: Instant,
  /** What it was about has mended by itself. */
  endedAt: NullableInstant,
  /** By who asks. */
  read: Type.Boolean(),
})
export type Notice = Static<typeof Notice>

/** `unread` of those that have not ended: 99 at most are counted. */
export const NoticePage = Type.Object({ ...Page(Notice).properties, unread: Type.Integer() })
export type NoticePage = Static<typeof NoticePage>

/** These, or all there are up to this one. */
export const NoticesRead = Type.Union([Type.Object({ ids: Type.Array(Id, { minItems: 1, maxItems: 100 }) }), Type.Object({ upTo: Id })])
