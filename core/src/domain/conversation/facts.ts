/** Rows as plugins hear of them. */
import type { ConversationFacts, MessageFacts } from '../../../sdk/events.ts'
import type { Message } from '../message/message.entity.ts'
import type { Conversation } from './conversation.entity.ts'

export const conversationFacts = (c: Conversation): ConversationFacts => ({
  id: c.id,
  inboxId: c.inboxId,
  channel: c.channel,
  contactId: c.contactId,
  identityId: c.identityId,
  status: c.status,
  assigneeId: c.assigneeId ?? null,
  departmentId: c.departmentId ?? null,
})

export const messageFacts = (m: Message, c: Pick<Conversation, 'contactId' | 'identityId'>): MessageFacts => ({
  id: m.id,
  conversationId: m.conversationId,
  inboxId: m.inboxId,
  contactId: c.contactId,
  identityId: m.direction === 'in' ? (m.writerId ?? c.identityId) : null,
  seq: m.seq,
  direction: m.direction,
  externalId: m.direction === 'in' && m.dedupeKey.startsWith('in:') ? m.dedupeKey.slice(3) : (m.externalId ?? null),
  authorId: m.authorId ?? null,
  parts: m.parts,
  text: m.text,
  meta: m.meta ?? null,
  status: m.status,
  at: m.createdAt.toISOString(),
})
