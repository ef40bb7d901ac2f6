import { type Static, Type } from 'typebox'
import { MessagePart } from '../message-parts.ts'
import { Id, Instant, LocalText, NullableId, NullableInstant } from './common.ts'

/** The customer as the list and the thread show them; personal fields are masked for those who may not see them. */
export const ContactBrief = Type.Object({
  id: Id,
  /** What to call them: nickname, else name, else the automatic number. */
  title: Type.String(),
  number: Type.Integer(),
})

const LetterAddress = Type.Object({ name: Type.Optional(Type.String({ maxLength: 300 })), address: Type.String({ maxLength: 320 }) })
/** A letter's headers as they are shown (`LetterMeta` of sdk/channel.ts). */
export const LetterMeta = Type.Object({
  subject: Type.Optional(Type.String()),
  from: Type.Optional(LetterAddress),
  to: Type.Optional(Type.Array(LetterAddress)),
  cc: Type.Optional(Type.Array(LetterAddress)),
  auth: Type.Optional(Type.Object({ spf: Type.Optional(Type.String()), dkim: Type.Optional(Type.String()), dmarc: Type.Optional(Type.String()) })),
  automatic: Type.Optional(Type.Boolean()),
  rawFileId: Type.Optional(Type.String()),
})

/** What the composer's letter fields may hold. No line breaks: a header is one line. */
const oneLine = '^[^\\r\\n\\u0000]*$'
const ComposedAddress = Type.Object({
  name: Type.Optional(Type.String({ maxLength: 300, pattern: oneLine })),
  address: Type.String({ minLength: 3, maxLength: 320, pattern: '^[^\\s<>,;\\u0000]+@[^\\s<>,;\\u0000]+$' }),
})
export const ComposedLetter = Type.Object({
  subject: Type.Optional(Type.String({ maxLength: 900, pattern: oneLine })),
  to: Type.Optional(Type.Array(ComposedAddress, { maxItems: 50 })),
  cc: Type.Optional(Type.Array(ComposedAddress, { maxItems: 50 })),
})
export type ComposedLetter = Static<typeof ComposedLetter>

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

export const GroupCounts = Type.Object({
  mine: Type.Integer(),
  queue: Type.Integer(),
  open: Type.Integer(),
  starred: Type.Integer(),
})
export type GroupCounts = Static<typeof GroupCounts>

/** What the realtime channel pushes when a conversation changed: itself, and the messages that changed with it. */
export interface ConversationPush {
  conversation: Conversation
  messages: Message[]
}
