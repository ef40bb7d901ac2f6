/** The only way conversations and messages become JSON for agents. */

import type { LetterMeta } from '../../../sdk/channel.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { Conversation as WireConversation, Message as WireMessage } from '../../../sdk/wire/conversation.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskCut, maskDeep, maskText } from '../../access/mask-text.ts'
import type { Contact } from '../contact/contact.entity.ts'
import type { Message } from '../message/message.entity.ts'
import type { Conversation } from './conversation.entity.ts'
import { maskMessage, type Reader } from './mask-message.ts'
import { windowOf } from './reply-window.ts'

export type ContactNames = Pick<Contact, 'id' | 'number' | 'nickname' | 'name' | 'attributes'>

/** What to call a contact: nickname, else name, else what the channel calls it, else the number. A file is in its reader's language; a page words it by itself. */
export function contactTitle(ability: HubAbility, contact: ContactNames, locale = 'zh'): string {
  return (
    maskText(ability, contact.nickname) ||
    maskField(ability, 'name', contact.name) ||
    maskText(ability, contact.attributes?.label?.[locale === 'en' ? 'en' : 'zh'] ?? '') ||
    `#${contact.number}`
  )
}

const iso = (date: Date | null | undefined): string | null => date?.toISOString() ?? null

/** As it is, without the contact's title: for those who show it, who mask it for each reader (`shownTo`). */
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
    waitingSince: iso(c.waitingSince),
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
  return shownTo(ability, conversationJson(conversation), contact)
}

/** What stands in the list, for this reader. */
export const shownTo = (ability: HubAbility, conversation: Omit<WireConversation, 'contact'>, contact: ContactNames): WireConversation => ({
  ...conversation,
  preview: presentPreview(ability, conversation.preview),
  contact: presentBrief(ability, contact),
})

export const previewLength = 100
/** In one line, and no more of it than a preview holds. */
export const firstWords = (text: string): string => [...text.replace(/\s+/g, ' ')].slice(0, previewLength).join('')
export const presentPreview = (ability: HubAbility, preview: string): string => maskCut(ability, preview, [...preview].length >= previewLength)

export const presentBrief = (ability: HubAbility, contact: ContactNames) => ({
  id: contact.id,
  number: contact.number,
  title: contactTitle(ability, contact),
  ...(contact.nickname === '' && contact.name === '' && contact.attributes?.label ? { label: maskDeep(ability, contact.attributes.label) } : {}),
})

/** The adapter's own name of a file that is on its way stays on the server. */
export function shownPart(part: MessagePart): MessagePart {
  if (part.type === 'remote') return { ...part, ref: '' }
  if (part.type !== 'card' || part.coverRef === undefined) return part
  const { coverRef: _theirs, ...card } = part
  return card
}

/** A message as this reader may see it. */
export const presentMessage = (reader: Reader, m: Message): WireMessage => maskMessage(reader, messageJson(m))

/** As it is: who shows it masks it for each reader. */
export function messageJson(m: Message): WireMessage {
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
    meta: m.meta ? letterJson(m.meta) : null,
    recalledAt: iso(m.recalledAt),
    sentAt: m.sentAt.toISOString(),
    createdAt: m.createdAt.toISOString(),
  }
}

const letterJson = ({ to, cc, replyTo, returned, ...rest }: LetterMeta): WireMessage['meta'] => ({
  ...rest,
  to: to && [...to],
  cc: cc && [...cc],
  replyTo: replyTo && [...replyTo],
  ...(returned ? { returned: returned.map(({ name: _name, ...shown }) => shown) } : {}),
})
