/**
 * The river out: hooks → one transaction (message numbered, its client id unique) → 201 → the platform → its fate.
 * Messages of one conversation leave in order, one at a time over all processes: the head of its `outbound` rows
 * is claimed by an update that only one can win.
 */
import type { ChannelInbox, OutboundMessage } from '../../sdk/channel.ts'
import { SendError } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import type { ComposablePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { Identity } from '../domain/contact/contact.entity.ts'
import { changeConversation } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { claimFiles } from '../domain/file/claim-files.ts'
import { adapterOf, openInbox, withoutSecrets } from '../domain/inbox/channels.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, type MessageStatus, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'

export interface SendRequest {
  conversationId: string
  /** Made by the client, unique to it: a repeated request is the same message. */
  clientId: string
  parts: ComposablePart[]
  agentId: string
  /** A note stays among colleagues. */
  note?: boolean
  replyToId?: string | null
  /** May this agent write here? Asked under the conversation's lock. */
  allowed(conversation: Conversation): boolean
}

/** Stores an agent's message. Throws HUB_FORBIDDEN, HUB_CONVERSATION_CLOSED, HUB_MESSAGE_REFUSED, or what a hook refuses with. */
export async function sendMessage(hub: Hub, request: SendRequest): Promise<{ message: Message; duplicate: boolean }> {
  const em = hub.em()
  const dedupeKey = `out:${request.clientId}`
  const target = await em.findOne(Message, { conversationId: request.conversationId, dedupeKey }, { disableIdentityMap: true })
  if (target) return { message: target, duplicate: true }
  const parts = await checkedParts(hub, em, request)
  let duplicate: Message | null = null
  const { result } = await changeConversation(hub, request.conversationId, async (change, tx) => {
    const { conversation } = change
    if (!request.allowed(conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    duplicate = await tx.findOne(Message, { inboxId: conversation.inboxId, dedupeKey }, { disableIdentityMap: true })
    if (duplicate) return false
    if (conversation.status === 'closed' && !request.note) throw new HubError('HUB_CONVERSATION_CLOSED', 'This conversation has ended')
    const push = adapterOf(hub, conversation.channel)?.capabilities.delivery === 'push' && !request.note
    await claimFiles(tx, parts, conversation.id, request.agentId)
    return change.append({
      direction: request.note ? 'note' : 'out',
      parts,
      authorId: request.agentId,
      status: push ? 'queued' : 'sent',
      dedupeKey,
      replyToId: request.replyToId ?? null,
      outbound: push,
    })
  })
  const message = duplicate ?? (result as Message)
  return { message, duplicate: duplicate !== null }
}

async function checkedParts(hub: Hub, em: Em, request: SendRequest): Promise<ComposablePart[]> {
  if (request.note) return request.parts
  const conversation = await em.findOne(Conversation, { id: request.conversationId }, { fields: ['channel', 'inboxId'], disableIdentityMap: true })
  if (!conversation) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
  const capabilities = adapterOf(hub, conversation.channel)?.capabilities
  if (!capabilities) throw new HubError('HUB_CHANNEL_DISABLED', 'The channel of this conversation is switched off')
  for (const part of request.parts) {
    if (!capabilities.send.includes(part.type))
      throw new HubError('HUB_MESSAGE_REFUSED', `This channel cannot carry ${part.type}`, { reason: 'part', part: part.type })
    if (part.type === 'text' && capabilities.maxTextLength && [...part.text].length > capabilities.maxTextLength)
      throw new HubError('HUB_MESSAGE_REFUSED', `The text is longer than ${capabilities.maxTextLength} characters`, {
        reason: 'length',
        max: capabilities.maxTextLength,
      })
  }
  const hooked = await hub.kernel.hook('outbound.send', {
    inboxId: conversation.inboxId,
    channel: conversation.channel,
    conversationId: request.conversationId,
    agentId: request.agentId,
    parts: request.parts,
  })
  return hooked.parts as ComposablePart[]
}

/** How long one hand-over may take before its fate counts as unknown. */
const sendTimeoutMs = 30_000
const maxAttempts = 8
const backoffMs = (attempt: number) => Math.min(1_000 * 3 ** attempt, 900_000)

/** Sends what is due of one conversation, in order. */
export async function deliverConversation(hub: Hub, conversationId: string): Promise<void> {
  for (;;) {
    const head = await claimHead(hub, conversationId)
    if (!head) return
    const { row, unsure } = head
    const fate = unsure ?? (await handOver(hub, row))
    await settle(hub, row, fate)
    if (fate.status === 'queued') return
  }
}

interface Fate {
  status: MessageStatus
  externalId?: string | null
  failure?: string | null
  dueAt?: Date
}

/** The first message of the conversation, if it is due and nobody else has it. */
async function claimHead(hub: Hub, conversationId: string): Promise<{ row: Outbound; unsure?: Fate } | undefined> {
  const em = hub.em()
  const now = new Date()
  const [row] = await em.find(Outbound, { conversationId }, { orderBy: { seq: 'asc' }, limit: 1, disableIdentityMap: true })
  if (!row || row.dueAt > now) return undefined
  const claimed = await em.nativeUpdate(
    Outbound,
    { messageId: row.messageId, state: row.state, attempts: row.attempts },
    { state: 'sending', attempts: row.attempts + 1, dueAt: new Date(now.getTime() + sendTimeoutMs * 2) },
  )
  if (claimed === 0) return undefined
  // It was being sent by a process that is gone: the platform may have it already.
  const lost = row.state === 'sending'
  const attempt = { ...row, attempts: row.attempts + 1 } as Outbound
  if (!lost) return { row: attempt }
  const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
  const inbox = await em.findOne(Inbox, { id: message.inboxId }, { disableIdentityMap: true })
  const repeatable = inbox ? adapterOf(hub, inbox.channel)?.capabilities.idempotentSend : false
  return repeatable ? { row: attempt } : { row: attempt, unsure: { status: 'uncertain', failure: 'interrupted' } }
}

async function handOver(hub: Hub, row: Outbound): Promise<Fate> {
  const em = hub.em()
  const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
  const again = (failure: string, afterMs = backoffMs(row.attempts)): Fate =>
    row.attempts >= maxAttempts ? { status: 'failed', failure } : { status: 'queued', failure, dueAt: new Date(Date.now() + afterMs) }
  const inbox = await openInbox(hub, message.inboxId).catch(withoutSecrets)
  const adapter = inbox && adapterOf(hub, inbox.channel)
  if (!inbox?.enabled || !adapter?.send) return again('channel-off')
  try {
    const outgoing = await toOutbound(em, message, row)
    const sent = await Promise.race([
      adapter.send(outgoing, inbox.forAdapter as ChannelInbox),
      new Promise<never>((_, reject) => setTimeout(() => reject(new SendError('timeout', { retry: 'unknown' })), sendTimeoutMs).unref()),
    ])
    return { status: 'sent', externalId: sent?.externalId ?? null, failure: null }
  } catch (error) {
    if (!(error instanceof SendError)) {
      hub.log.error({ err: error, message: message.id }, 'an adapter failed')
      return again('adapter')
    }
    if (error.retry === true) return again(error.reason, error.retryAfterMs)
    if (error.retry === 'unknown') return adapter.capabilities.idempotentSend ? again(error.reason) : { status: 'uncertain', failure: error.reason }
    return { status: 'failed', failure: error.reason }
  }
}

async function toOutbound(em: Em, message: Message, row: Outbound): Promise<OutboundMessage> {
  const conversation = await em.findOneOrFail(Conversation, { id: message.conversationId }, { fields: ['identityId'], disableIdentityMap: true })
  const identity = await em.findOneOrFail(Identity, { id: conversation.identityId }, { disableIdentityMap: true })
  const replyTo = message.replyToId ? await em.findOne(Message, { id: message.replyToId }, { disableIdentityMap: true }) : null
  return {
    id: message.id,
    conversationId: message.conversationId,
    to: identity.externalId,
    identityId: identity.id,
    seq: message.seq,
    parts: message.parts,
    ...(replyTo ? { replyToExternalId: replyTo.externalId ?? replyTo.dedupeKey.replace(/^in:/, '') } : {}),
    attempt: row.attempts,
  }
}

/** Writes a message's fate; a final one takes the row away, so the next message may leave. */
async function settle(hub: Hub, row: Outbound, fate: Fate): Promise<void> {
  await changeConversation(hub, row.conversationId, async (change, em) => {
    const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
    message.status = fate.status
    message.failure = fate.failure ?? null
    message.externalId = fate.externalId ?? message.externalId ?? null
    change.touch(message)
    if (fate.status === 'queued') await em.nativeUpdate(Outbound, { messageId: row.messageId }, { state: 'queued', dueAt: fate.dueAt ?? new Date() })
    else await em.nativeDelete(Outbound, { messageId: row.messageId })
    return true
  })
}

/** An agent wants a failed or uncertain message sent again. Throws HUB_CONFLICT when it is not one. */
export async function resendMessage(hub: Hub, messageId: string, allowed: (conversation: Conversation) => boolean): Promise<Message> {
  const found = await hub.em().findOne(Message, { id: messageId }, { disableIdentityMap: true })
  if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  const { result } = await changeConversation(hub, found.conversationId, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const message = await em.findOneOrFail(Message, { id: messageId }, { disableIdentityMap: true })
    if (message.status !== 'failed' && message.status !== 'uncertain') throw new HubError('HUB_CONFLICT', 'This message need not be sent again')
    message.status = 'queued'
    message.failure = null
    change.touch(message)
    change.outbound.push(message)
    return message
  })
  return result as Message
}
