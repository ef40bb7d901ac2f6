import { type Static, Type } from 'typebox'
import { CallPart } from '../message-parts.ts'
import { Id, Instant, LocalText, Name, NullableId, NullableInstant } from './common.ts'
import { ContactBrief, Conversation, Message, PersonalKind } from './conversation.ts'

export const Tag = Type.Object({ id: Id, name: Type.String(), system: Type.Boolean() })
export type Tag = Static<typeof Tag>
export const TagInput = Type.Object({
  name: Name(30),
  system: Type.Optional(Type.Boolean()),
})

/** What a channel tells of somebody or of what they did, in agents' words. */
export const LabelledFact = Type.Object({ name: Type.String(), label: LocalText, value: Type.Union([Type.String(), LocalText]) })
export type LabelledFact = Static<typeof LabelledFact>

export const Contact = Type.Object({
  id: Id,
  number: Type.Integer(),
  nickname: Type.String(),
  remark: Type.String(),
  name: Type.String(),
  phone: Type.String(),
  email: Type.String(),
  wechat: Type.String(),
  qq: Type.String(),
  address: Type.String(),
  /** Personal fields whose value is masked for the reader. */
  masked: Type.Array(Type.String()),
  attributes: Type.Record(Type.String(), Type.Unknown()),
  /** Fields that running plugins bring. */
  /** `options`: what can be chosen; empty = any words. */
  fields: Type.Array(Type.Object({ name: Type.String(), label: LocalText, value: Type.String(), masked: Type.Boolean(), options: Type.Array(Type.String()) })),
  /** Which fields a running plugin filled and nobody has touched since, and what that plugin is called. */
  filledBy: Type.Record(Type.String(), LocalText),
  tags: Type.Array(Tag),
  identities: Type.Array(
    Type.Object({
      id: Id,
      inboxId: Id,
      externalId: Type.String(),
      /** The id says something to people (an address, a number); else a machine made it up. */
      legible: Type.Boolean(),
      /** What the person is called there, as far as the channel says. */
      name: Type.String(),
      verified: Type.Boolean(),
      blockedAt: NullableInstant,
      attributes: Type.Record(Type.String(), Type.Unknown()),
      /** Where they come from, how they stand with us. */
      facts: Type.Array(LabelledFact),
      /** Of a site: the page that led here when they first came, and the one they landed on. */
      firstVisit: Type.Union([
        Type.Object({ referrer: Type.String(), landing: Type.Union([Type.Object({ url: Type.String(), title: Type.String(), at: Instant }), Type.Null()]) }),
        Type.Null(),
      ]),
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
  details: Type.Array(LabelledFact),
  at: Instant,
})
export type Activity = Static<typeof Activity>

/** Where one of two contacts has something from: a channel's word, a plugin's find, an agent's hand. `message`: where it was found, for who may read it. */
export const EvidenceOrigin = Type.Object({
  side: Type.Union([Type.Literal('this'), Type.Literal('other')]),
  by: Type.Union([Type.Literal('channel'), Type.Literal('plugin'), Type.Literal('agent')]),
  inboxId: NullableId,
  agentId: NullableId,
  plugin: Type.Union([LocalText, Type.Null()]),
  message: Type.Union([Type.Object({ conversationId: Id, seq: Type.Integer() }), Type.Null()]),
})
export type EvidenceOrigin = Static<typeof EvidenceOrigin>

/** Another contact that may be the same person, and why we think so. */
export const MergeSuggestion = Type.Object({
  id: Id,
  contact: ContactBrief,
  evidence: Type.Array(Type.Object({ kind: Type.String(), value: Type.String(), verified: Type.Boolean(), origins: Type.Array(EvidenceOrigin) })),
  /** What speaks against it: names that each of them has, and of which one person has exactly one. */
  contradictions: Type.Array(LocalText),
  createdAt: Instant,
})
export type MergeSuggestion = Static<typeof MergeSuggestion>

/** What a merge or a split would move, and what the kept contact would get. */
export const MergePreview = Type.Object({
  identities: Type.Integer(),
  conversations: Type.Integer(),
  activities: Type.Integer(),
  fields: Type.Record(Type.String(), Type.String()),
  /** Of the fields that an admin or a plugin has added. */
  addedFields: Type.Array(Type.Object({ name: Type.String(), label: LocalText, value: Type.String() })),
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
    wechat: Type.String({ maxLength: 60 }),
    qq: Type.String({ maxLength: 20 }),
    address: Type.String({ maxLength: 300 }),
    /** Fields that plugins bring, by name. */
    fields: Type.Record(Type.String({ maxLength: 60 }), Type.String({ maxLength: 300 })),
  }),
)
export type ContactPatch = Static<typeof ContactPatch>

/** Why somebody wants to see what is hidden from them. */
const Reason = Type.String({ minLength: 2, maxLength: 200 })
export const RevealField = Type.Object({
  field: Type.Union([Type.Literal('name'), Type.Literal('phone'), Type.Literal('email'), Type.Literal('wechat'), Type.Literal('qq'), Type.Literal('address')]),
  reason: Reason,
})
/** One kind in a message: the others stay starred. */
export const RevealMessage = Type.Object({ field: PersonalKind, reason: Reason })

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

/** What there was with one contact, over all channels, newest first. A conversation stands where it was last spoken in. */
const entry = { id: Id, at: Instant }
export const TimelineEntry = Type.Union([
  Type.Object({ kind: Type.Literal('conversation'), ...entry, conversation: Conversation }),
  Type.Object({ kind: Type.Literal('activity'), ...entry, activity: Activity }),
  Type.Object({ kind: Type.Literal('visit'), ...entry, visit: Visit }),
  /** `id` is its message's. */
  Type.Object({ kind: Type.Literal('call'), ...entry, conversationId: Id, inboxId: Id, seq: Type.Integer(), call: CallPart }),
])
export type TimelineEntry = Static<typeof TimelineEntry>

/** A field of contacts that an admin adds. */
export const CustomField = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 40, pattern: '^[a-z][a-z0-9-]*$' }),
  label: Name(30),
  options: Type.Optional(Type.Array(Name(60), { maxItems: 50 })),
})
export type CustomField = Static<typeof CustomField>
export const CustomFields = Type.Object({ fields: Type.Array(CustomField, { maxItems: 20 }) })
export type CustomFields = Static<typeof CustomFields>

/** A page of all that was said with a contact, oldest first, and the conversations that its messages are of. `partial`: the time was up before it was full. */
export const ContactThread = Type.Object({
  items: Type.Array(Message),
  conversations: Type.Array(Conversation),
  cursor: Type.Union([Type.String(), Type.Null()]),
  partial: Type.Boolean(),
})
export type ContactThread = Static<typeof ContactThread>
