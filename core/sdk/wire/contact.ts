import { type Static, Type } from 'typebox'
import { Id, Instant, LocalText, Name, NullableId, NullableInstant } from './common.ts'

export const Tag = Type.Object({ id: Id, name: Type.String(), system: Type.Boolean() })
export type Tag = Static<typeof Tag>
export const TagInput = Type.Object({
  name: Name(30),
  system: Type.Optional(Type.Boolean()),
})

export const Contact = Type.Object({
  id: Id,
  number: Type.Integer(),
  nickname: Type.String(),
  remark: Type.String(),
  name: Type.String(),
  phone: Type.String(),
  email: Type.String(),
  /** Personal fields whose value is masked for the reader. */
  masked: Type.Array(Type.String()),
  attributes: Type.Record(Type.String(), Type.Unknown()),
  tags: Type.Array(Tag),
  identities: Type.Array(
    Type.Object({
      id: Id,
      inboxId: Id,
      externalId: Type.String(),
      verified: Type.Boolean(),
      blockedAt: NullableInstant,
      attributes: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
  createdAt: Instant,
})
export type Contact = Static<typeof Contact>

/** Something the customer did that is no message. */
export const Activity = Type.Object({
  id: Id,
  inboxId: Id,
  identityId: Id,
  name: Type.String(),
  label: LocalText,
  params: Type.Record(Type.String(), Type.Unknown()),
  at: Instant,
})
export type Activity = Static<typeof Activity>

/** Another contact that may be the same person, and why we think so. */
export const MergeSuggestion = Type.Object({
  id: Id,
  contact: Type.Object({ id: Id, number: Type.Integer(), title: Type.String() }),
  evidence: Type.Array(Type.Object({ kind: Type.String(), value: Type.String(), verified: Type.Boolean() })),
  createdAt: Instant,
})
export type MergeSuggestion = Static<typeof MergeSuggestion>

/** What a merge or a split would move, and what the kept contact would get. */
export const MergePreview = Type.Object({
  identities: Type.Integer(),
  conversations: Type.Integer(),
  activities: Type.Integer(),
  fields: Type.Record(Type.String(), Type.String()),
  tagIds: Type.Array(Id),
})
export type MergePreview = Static<typeof MergePreview>

/** A merge or a split that was done, and may be undone. */
export const ContactMove = Type.Object({
  id: Id,
  kind: Type.Union([Type.Literal('merge'), Type.Literal('split')]),
  fromId: Id,
  intoId: Id,
  identityIds: Type.Array(Id),
  byAgentId: NullableId,
  createdAt: Instant,
  undoneAt: NullableInstant,
})
export type ContactMove = Static<typeof ContactMove>

export const ContactPatch = Type.Partial(
  Type.Object({
    nickname: Type.String({ maxLength: 60 }),
    remark: Type.String({ maxLength: 500 }),
    name: Type.String({ maxLength: 60 }),
    phone: Type.String({ maxLength: 40 }),
    email: Type.String({ maxLength: 190 }),
  }),
)
export type ContactPatch = Static<typeof ContactPatch>

export const Visit = Type.Object({
  id: Id,
  inboxId: Id,
  contactId: Type.Union([Id, Type.Null()]),
  identityId: Type.Union([Id, Type.Null()]),
  title: Type.String(),
  ip: Type.String(),
  device: Type.String(),
  referrer: Type.String(),
  pages: Type.Array(Type.Object({ url: Type.String(), title: Type.String(), at: Instant })),
  startedAt: Instant,
  seenAt: Instant,
  spokeAt: NullableInstant,
  online: Type.Boolean(),
})
export type Visit = Static<typeof Visit>
