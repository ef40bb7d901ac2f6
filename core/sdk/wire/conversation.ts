import { type Static, Type } from 'typebox'
import { maxRecipients } from '../max-recipients.ts'
import { AudioPart, FilePart, ImagePart, MessagePart, VideoPart } from '../message-parts.ts'
import { Id, Instant, LocalText, NullableId, NullableInstant } from './common.ts'

/** The customer as the list and the thread show them; personal fields are masked for those who may not see them. */
export const ContactBrief = Type.Object({
  id: Id,
  /** What to call them: nickname, else name, else the automatic number. */
  title: Type.String(),
  /** Of who is no person and has neither of the two: the channel's words, to be read instead of the title. */
  label: Type.Optional(LocalText),
  number: Type.Integer(),
})
export type ContactBrief = Static<typeof ContactBrief>

const LetterAddress = Type.Object({ name: Type.Optional(Type.String({ maxLength: 300 })), address: Type.String({ maxLength: 320 }) })
/** A letter's headers as they are shown (`LetterMeta` of sdk/channel.ts). */
export const LetterMeta = Type.Object({
  subject: Type.Optional(Type.String()),
  from: Type.Optional(LetterAddress),
  to: Type.Optional(Type.Array(LetterAddress)),
  cc: Type.Optional(Type.Array(LetterAddress)),
  replyTo: Type.Optional(Type.Array(LetterAddress)),
  replyToDoubtful: Type.Optional(Type.Boolean()),
  form: Type.Optional(Type.Boolean()),
  relatedConversationId: Type.Optional(Id),
  auth: Type.Optional(Type.Object({ spf: Type.Optional(Type.String()), dkim: Type.Optional(Type.String()), dmarc: Type.Optional(Type.String()) })),
  automatic: Type.Optional(Type.Boolean()),
  receipt: Type.Optional(Type.Union([Type.Literal('read'), Type.Literal('deleted')])),
  rawFileId: Type.Optional(Type.String()),
  /** Of a letter of ours: from whom it came back, and the report of it. */
  returned: Type.Optional(
    Type.Array(Type.Object({ address: Type.String(), sentence: Type.Optional(LocalText), rawFileId: Type.Optional(Type.String()), at: Type.String() })),
  ),
})

/** What the composer's letter fields may hold. No line breaks: a header is one line. */
const oneLine = '^[^\\r\\n\\u0000]*$'
const ComposedAddress = Type.Object({
  name: Type.Optional(Type.String({ maxLength: 300, pattern: oneLine })),
  address: Type.String({ minLength: 3, maxLength: 320, pattern: '^[^\\s<>,;\\u0000]+@[^\\s<>,;\\u0000]+$' }),
})
export const ComposedLetter = Type.Object({
  subject: Type.Optional(Type.String({ maxLength: 900, pattern: oneLine })),
  to: Type.Optional(Type.Array(ComposedAddress, { maxItems: maxRecipients })),
  cc: Type.Optional(Type.Array(ComposedAddress, { maxItems: maxRecipients })),
})
export type ComposedLetter = Static<typeof ComposedLetter>

/** What the channel puts around a letter by itself (`Letterhead` of sdk/channel.ts). */
export const Letterhead = Type.Object({
  from: LetterAddress,
  own: Type.Array(Type.String()),
  signature: Type.Optional(Type.String()),
  quotes: Type.Boolean(),
})
export type Letterhead = Static<typeof Letterhead>

/** What an agent has begun to write; `html` where it has a form, `note` where it is for colleagues only, `replyToId` of the message it answers. */
/** Whom a letter goes to as somebody is writing it: half an address is one of tomorrow. */
const DraftLetter = Type.Object({ subject: Type.String({ maxLength: 900 }), to: Type.String({ maxLength: 10_000 }), cc: Type.String({ maxLength: 10_000 }) })
export type DraftLetter = Static<typeof DraftLetter>

export const DraftContent = Type.Object({
  text: Type.String({ maxLength: 20_000 }),
  html: Type.Optional(Type.String({ maxLength: 200_000 })),
  note: Type.Optional(Type.Boolean()),
  replyToId: Type.Optional(Id),
  /** Files that go with it, uploaded already. */
  files: Type.Optional(Type.Array(Type.Union([ImagePart, FilePart, AudioPart, VideoPart]), { maxItems: 50 })),
  letter: Type.Optional(DraftLetter),
})
export type DraftContent = Static<typeof DraftContent>

/** `gone`: those of its files that are not there any more. */
export const Draft = Type.Object({ ...DraftContent.properties, gone: Type.Optional(Type.Array(Id)) })
export type Draft = Static<typeof Draft>

export const Conversation = Type.Object({
  id: Id,
  inboxId: Id,
  channel: Type.String(),
  contact: ContactBrief,
  identityId: Id,
  status: Type.Union([Type.Literal('queued'), Type.Literal('open'), Type.Literal('closed')]),
  assigneeId: NullableId,
  departmentId: NullableId,
  lastSeq: Type.Integer(),
  rev: Type.Integer(),
  agentReadSeq: Type.Integer(),
  customerDeliveredSeq: Type.Integer(),
  customerReadSeq: Type.Integer(),
  unread: Type.Integer(),
  preview: Type.String(),
  previewDirection: Type.String(),
  lastMessageAt: Instant,
  lastCustomerAt: NullableInstant,
  /** Since when the customer waits for an answer; null when they have one. */
  waitingSince: NullableInstant,
  /** On a channel with a reply window: until when we may write (null = shut) and how many messages (null = no count), now. */
  replyUntil: NullableInstant,
  replyLeft: Type.Union([Type.Integer(), Type.Null()]),
  /** What the two are made of, so that a screen can count down by itself. */
  replyGrants: Type.Array(Type.Object({ until: Instant, left: Type.Union([Type.Integer(), Type.Null()]) })),
  rating: Type.Union([Type.Integer(), Type.Null()]),
  closeReason: Type.Union([Type.String(), Type.Null()]),
  closedAt: NullableInstant,
  createdAt: Instant,
  changedAt: Instant,
})
export type Conversation = Static<typeof Conversation>

/** What personal data is: each kind is hidden, and shown for a reason, by itself. */
export const PersonalKind = Type.Union([
  Type.Literal('name'),
  Type.Literal('phone'),
  Type.Literal('email'),
  Type.Literal('wechat'),
  Type.Literal('qq'),
  Type.Literal('address'),
  Type.Literal('document'),
])
export type PersonalKind = Static<typeof PersonalKind>

/** One kind of which something is starred in a message. `places`: the stars in the texts of its parts; elsewhere (a letter's head, a card) there is none. */
export const HiddenKind = Type.Object({
  field: PersonalKind,
  places: Type.Array(Type.Object({ part: Type.Integer(), start: Type.Integer(), end: Type.Integer() })),
})
export type HiddenKind = Static<typeof HiddenKind>

export const Message = Type.Object({
  id: Id,
  conversationId: Id,
  seq: Type.Integer(),
  rev: Type.Integer(),
  direction: Type.Union([Type.Literal('in'), Type.Literal('out'), Type.Literal('note'), Type.Literal('system')]),
  authorId: NullableId,
  parts: Type.Array(MessagePart),
  status: Type.String(),
  clientId: Type.Union([Type.String(), Type.Null()]),
  replyToId: NullableId,
  failure: Type.Union([Type.String(), Type.Null()]),
  /** The failure in words for the agent: what happened and what can be done. */
  failureText: Type.Union([LocalText, Type.Null()]),
  meta: Type.Union([LetterMeta, Type.Null()]),
  recalledAt: NullableInstant,
  sentAt: Instant,
  createdAt: Instant,
  /** What in it is starred for the reader. */
  masked: Type.Optional(Type.Array(HiddenKind)),
})
export type Message = Static<typeof Message>

export const ConversationGroup = Type.Union([
  Type.Literal('mine'),
  Type.Literal('queue'),
  Type.Literal('open'),
  Type.Literal('starred'),
  Type.Literal('closed'),
])
export type ConversationGroup = Static<typeof ConversationGroup>

/** Newest message first; newest of the customer's first; who has waited longest first. */
export const ConversationSort = Type.Union([Type.Literal('message'), Type.Literal('customer'), Type.Literal('waiting')])
export type ConversationSort = Static<typeof ConversationSort>

/** By what the list can be cut into sections. */
export const SectionBy = Type.Union([
  Type.Literal('channel'),
  Type.Literal('inbox'),
  Type.Literal('department'),
  Type.Literal('agent'),
  Type.Literal('tag'),
  Type.Literal('waiting'),
])
export type SectionBy = Static<typeof SectionBy>

/** `key`: a channel, an id, `waiting` or `answered`; null = those that have none. */
export const ConversationSection = Type.Object({ key: Type.Union([Type.String(), Type.Null()]), count: Type.Integer() })
export type ConversationSection = Static<typeof ConversationSection>

export const GroupCounts = Type.Object({
  mine: Type.Integer(),
  queue: Type.Integer(),
  open: Type.Integer(),
  starred: Type.Integer(),
  /** Customers' messages that the reader has not seen, in all of their open conversations. */
  unread: Type.Integer(),
})
export type GroupCounts = Static<typeof GroupCounts>

/** What the realtime channel pushes when a conversation changed: itself, and the messages that changed with it. */
export interface ConversationPush {
  conversation: Conversation
  messages: Message[]
}
