import { type Static, Type } from 'typebox'
import { MessagePart } from '../message-parts.ts'
import { Id, Instant, NullableId, NullableInstant } from './common.ts'

/** The customer as the list and the thread show them; personal fields are masked for those who may not see them. */
export const ContactBrief = Type.Object({
  id: Id,
  /** What to call them: nickname, else name, else the automatic number. */
  title: Type.String(),
  number: Type.Integer(),
})

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
  /** Customers' messages that the reader has not seen, in all of their open conversations. */
  unread: Type.Integer(),
})
export type GroupCounts = Static<typeof GroupCounts>

/** What the realtime channel pushes when a conversation changed: itself, and the messages that changed with it. */
export interface ConversationPush {
  conversation: Conversation
  messages: Message[]
}
