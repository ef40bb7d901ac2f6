/**
 * The river out: hooks → one transaction (message numbered, its client id unique) → 201 → the platform → its fate.
 * Messages of one conversation leave in order, one at a time over all processes: the head of its `outbound` rows
 * is claimed by an update that only one can win.
 */
import { type ChannelCapabilities, type ChannelInbox, type LetterMeta, type LocalText, type OutboundMessage, SendError } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import type { ComposablePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { Agent } from '../domain/agent/agent.entity.ts'
import { Identity } from '../domain/contact/contact.entity.ts'
import { type ConversationChange, changeConversation } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { giveBackReply, shutWindow, takeMore, takeReply } from '../domain/conversation/reply-window.ts'
import { claimFiles } from '../domain/file/claim-files.ts'
import { adapterOf, openInbox } from '../domain/inbox/channels.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { noteLife } from '../domain/inbox/inbox-health.ts'
import { Message, MessageName, type MessageStatus, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { echoKey } from './apply-echo.ts'

export interface SendRequest {
  conversationId: string
  /** Made by the client, unique to it: a repeated request is the same message. */
  clientId: string
  parts: ComposablePart[]
  /** The composer's letter fields. */
  meta?: LetterMeta | undefined
  agentId: string
  /** A note stays among colleagues. */
  note?: boolean
  replyToId?: string | null
  /** May this agent write here? Asked under the conversation's lock. */
  allowed(conversation: Conversation): boolean
}

/** Stores an agent's message. Throws HUB_FORBIDDEN, HUB_CONVERSATION_CLOSED, HUB_MESSAGE_REFUSED, HUB_REPLY_WINDOW, or what a hook refuses with. */
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
    const capabilities = request.note ? undefined : adapterOf(hub, conversation.channel)?.capabilities
    const push = capabilities?.delivery === 'push'
    await claimFiles(tx, parts, conversation.id, request.agentId)
    return change.append({
      direction: request.note ? 'note' : 'out',
      parts,
      authorId: request.agentId,
      status: push ? 'queued' : 'sent',
      dedupeKey,
      replyToId: request.replyToId ?? null,
      meta: request.meta ?? null,
      grantName: capabilities?.replyWindow ? await takeReply(tx, conversation) : null,
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
  checkLetter(capabilities, request.meta)
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

function checkLetter({ letter = [] }: ChannelCapabilities, meta: LetterMeta | undefined): void {
  const unknown = Object.keys(meta ?? {}).find((field) => !(letter as readonly string[]).includes(field))
  if (unknown) throw new HubError('HUB_MESSAGE_REFUSED', `This channel has no ${unknown}`, { reason: 'part', part: unknown })
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
  failureText?: LocalText | null
  dueAt?: Date
  windowShut?: boolean
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
  const inbox = await openInbox(hub, message.inboxId)
  const adapter = inbox && adapterOf(hub, inbox.channel)
  if (!inbox?.enabled || !adapter?.send) return again('channel-off')
  try {
    const outgoing = await toOutbound(hub, em, message, row)
    const sent = await Promise.race([
      adapter.send(outgoing, inbox.forAdapter as ChannelInbox),
      new Promise<never>((_, reject) => setTimeout(() => reject(new SendError('timeout', { retry: 'unknown' })), sendTimeoutMs).unref()),
    ])
    noteLife(hub, message.inboxId, 'lastSendAt')
    return { status: 'sent', externalId: sent?.externalId ?? null }
  } catch (error) {
    if (!(error instanceof SendError)) {
      hub.log.error({ err: error, message: message.id }, 'an adapter failed')
      return again('adapter')
    }
    const told = { failureText: error.sentence ?? null, windowShut: error.windowShut }
    if (error.retry === true) return { ...again(error.reason, error.retryAfterMs), ...told }
    if (error.retry === 'unknown')
      return adapter.capabilities.idempotentSend ? { ...again(error.reason), ...told } : { status: 'uncertain', failure: error.reason, ...told }
    return { status: 'failed', failure: error.reason, ...told }
  }
}

async function toOutbound(hub: Hub, em: Em, message: Message, row: Outbound): Promise<OutboundMessage> {
  const conversation = await em.findOneOrFail(Conversation, { id: message.conversationId }, { fields: ['identityId'], disableIdentityMap: true })
  const identity = await em.findOneOrFail(Identity, { id: conversation.identityId }, { disableIdentityMap: true })
  const author = message.authorId ? await em.findOne(Agent, { id: message.authorId }, { fields: ['name', 'displayName'], disableIdentityMap: true }) : null
  const replyTo = message.replyToId ? await em.findOne(Message, { id: message.replyToId }, { disableIdentityMap: true }) : null
  return {
    id: message.id,
    conversationId: message.conversationId,
    to: identity.externalId,
    identityId: identity.id,
    seq: message.seq,
    parts: message.parts,
    ...(replyTo ? { replyToExternalId: replyTo.externalId ?? replyTo.dedupeKey.replace(/^in:/, '') } : {}),
    ...(message.meta ? { meta: message.meta } : {}),
    ...(author ? { agentName: author.displayName || author.name } : {}),
    done: message.done,
    progress: (done, externalId) => noteProgress(hub, message, done, externalId),
    attempt: row.attempts,
  }
}

/** One of a message's platform messages is through: written at once, so that no retry sends it again. */
async function noteProgress(hub: Hub, { id, conversationId }: Message, done: number, externalId: string | undefined): Promise<void> {
  await changeConversation(hub, conversationId, async (change, em) => {
    const { conversation } = change
    const message = await em.findOneOrFail(Message, { id }, { disableIdentityMap: true })
    if (externalId) await joinEcho(em, change, message, externalId)
    if (done > message.done) {
      await em.nativeUpdate(Message, { id }, { done })
      // Storing used one; the platform counts each of its own.
      const more = done - Math.max(message.done, 1)
      if (message.grantName && more > 0) await takeMore(em, conversation, more)
    }
    if (externalId && !message.externalId) {
      message.externalId = externalId
      change.touch(message)
    }
    return true
  })
}

/** A name the platform has for a message of ours. An echo that was stored under it was ours all along: it steps back. */
async function nameMessage(em: Em, inboxId: string, externalId: string, messageId: string): Promise<Message | undefined> {
  await em.upsert(MessageName, { inboxId, externalId, messageId, failedAt: null }, { onConflictAction: 'ignore' })
  const echo = await em.findOne(Message, { inboxId, dedupeKey: echoKey(externalId), direction: 'out' }, { disableIdentityMap: true })
  return echo && echo.id !== messageId ? echo : undefined
}

/** Writes a message's fate; a final one takes the row away, so the next message may leave. */
async function settle(hub: Hub, row: Outbound, fate: Fate): Promise<void> {
  await changeConversation(hub, row.conversationId, async (change, em) => {
    const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
    // An echo told meanwhile that it arrived: no answer that was lost makes that undone.
    const confirmed = message.status === 'sent' && fate.status !== 'sent'
    if (!confirmed) {
      message.status = fate.status
      message.failure = fate.failure ?? null
      message.failureText = fate.failureText ?? null
      message.externalId = message.externalId ?? fate.externalId ?? null
    }
    if (fate.status === 'sent' && fate.externalId) await joinEcho(em, change, message, fate.externalId)
    if (fate.status === 'failed' && message.grantName && message.done === 0) {
      await giveBackReply(em, change.conversation, message.grantName)
      message.grantName = null
    }
    if (fate.windowShut) await shutWindow(em, change.conversation)
    change.touch(message)
    if (fate.status === 'queued' && !confirmed)
      await em.nativeUpdate(Outbound, { messageId: row.messageId }, { state: 'queued', dueAt: fate.dueAt ?? new Date() })
    else await em.nativeDelete(Outbound, { messageId: row.messageId })
    return true
  })
}

/**
 * The platform's answer came after its echo, which was stored as a message of the platform's own app. It stays one
 * message, ours: the echo's place becomes a line that nobody is shown, since numbers have no gaps.
 */
async function joinEcho(em: Em, change: ConversationChange, message: Message, externalId: string): Promise<void> {
  const echo = await nameMessage(em, message.inboxId, externalId, message.id)
  if (!echo || echo.conversationId !== message.conversationId) return
  echo.direction = 'system'
  echo.parts = [{ type: 'event', name: 'echo.joined' }]
  echo.text = ''
  echo.externalId = null
  change.touch(echo)
}

/** An agent wants a failed or uncertain message sent again. Throws HUB_CONFLICT when it is not one. */
export async function resendMessage(hub: Hub, messageId: string, allowed: (conversation: Conversation) => boolean): Promise<Message> {
  const found = await hub.em().findOne(Message, { id: messageId }, { disableIdentityMap: true })
  if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  const { result } = await changeConversation(hub, found.conversationId, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const message = await em.findOneOrFail(Message, { id: messageId }, { disableIdentityMap: true })
    if (message.status !== 'failed' && message.status !== 'uncertain') throw new HubError('HUB_CONFLICT', 'This message need not be sent again')
    const { replyWindow } = adapterOf(hub, change.conversation.channel)?.capabilities ?? {}
    if (replyWindow) message.grantName = await takeReply(em, change.conversation)
    message.status = 'queued'
    message.failure = null
    message.failureText = null
    change.touch(message)
    change.outbound.push(message)
    return message
  })
  return result as Message
}
