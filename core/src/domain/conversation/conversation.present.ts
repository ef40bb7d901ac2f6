/** The only way conversations and messages become JSON for agents. */

import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { Conversation as WireConversation, Message as WireMessage } from '../../../sdk/wire/conversation.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField } from '../../access/mask.ts'
import type { Contact } from '../contact/contact.entity.ts'
import type { Message } from '../message/message.entity.ts'
import type { Conversation } from './conversation.entity.ts'
import { windowOf } from './reply-window.ts'

export type ContactNames = Pick<Contact, 'id' | 'number' | 'nickname' | 'name'>

/** What to call a contact: nickname, else name, else the number. */
export function contactTitle(ability: HubAbility, contact: ContactNames): string {
  return contact.nickname || maskField(ability, 'name', contact.name) || `#${contact.number}`
}

const iso = (date: Date | null | undefined): string | null => date?.toISOString() ?? null

/** All but the contact's title, which depends on who reads. */
export function conversationJson(c: Conversation): Omit<WireConversation, 'contact'> {
  const reply = windowOf(c.grants)
  return {
    id: c.id,
    inboxId: c.inboxId,
    channel: c.channel,
    identityId: c.identityId,
    status: c.status,
    assigneeId: c.assigneeId ?? null,
    departmentId: c.departmentId ?? null,
    lastSeq: c.lastSeq,
    rev: c.rev,
    agentReadSeq: c.agentReadSeq,
    customerDeliveredSeq: c.customerDeliveredSeq,
    customerReadSeq: c.customerReadSeq,
    unread: c.unread,
    preview: c.preview,
    previewDirection: c.previewDirection,
    lastMessageAt: c.lastMessageAt.toISOString(),
    lastCustomerAt: iso(c.lastCustomerAt),
    replyUntil: reply.until === null ? null : new Date(reply.until).toISOString(),
    replyLeft: reply.left,
    replyGrants: (c.grants ?? []).map(({ until, left }) => ({ until: new Date(until).toISOString(), left })),
    rating: c.rating ?? null,
    closeReason: c.closeReason ?? null,
    closedAt: iso(c.closedAt),
    createdAt: c.createdAt.toISOString(),
    changedAt: c.changedAt.toISOString(),
  }
}

export function presentConversation(ability: HubAbility, conversation: Conversation, contact: ContactNames): WireConversation {
  return { ...conversationJson(conversation), contact: presentBrief(ability, contact) }
}

export const presentBrief = (ability: HubAbility, contact: ContactNames) => ({
  id: contact.id,
  number: contact.number,
  title: contactTitle(ability, contact),
})

/** The adapter's own name of a file that is on its way stays on the server. */
export const shownPart = (part: MessagePart): MessagePart => (part.type === 'remote' ? { ...part, ref: '' } : part)

export function presentMessage(m: Message): WireMessage {
  return {
    id: m.id,
    conversationId: m.conversationId,
    seq: m.seq,
    rev: m.rev,
    direction: m.direction,
    authorId: m.authorId ?? null,
    // What was taken back is kept for the record, not shown again.
    parts: m.recalledAt ? [] : m.parts.map(shownPart),
    status: m.status,
    clientId: m.dedupeKey.startsWith('out:') ? m.dedupeKey.slice(4) : null,
    replyToId: m.replyToId ?? null,
    failure: m.failure ?? null,
    failureText: m.failureText ?? null,
    meta: m.meta ? { ...m.meta, to: m.meta.to && [...m.meta.to], cc: m.meta.cc && [...m.meta.cc] } : null,
    recalledAt: iso(m.recalledAt),
    sentAt: m.sentAt.toISOString(),
    createdAt: m.createdAt.toISOString(),
  }
}
