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
import { Identity, type Reply } from '../domain/contact/contact.entity.ts'
import { externalIdOf } from '../domain/contact/external-id.ts'
import { type ConversationChange, changeConversation } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { countSent, giveBackReplies, shutWindow, takeReplies } from '../domain/conversation/reply-window.ts'
import { claimFiles, fileIdsOf } from '../domain/file/claim-files.ts'
import { type MayRead, stillTheirs } from '../domain/file/still-theirs.ts'
import { adapterOf, capabilitiesOf, openInbox, piecesOf, withoutSecrets } from '../domain/inbox/channels.ts'
import { noteLife, noteSendFault } from '../domain/inbox/inbox-health.ts'
import { Message, MessageName, type MessageStatus, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { echoKey } from './apply-echo.ts'
import { checkedCard, checkLink } from './check-card.ts'
import { checkedFiles } from './check-files.ts'
import { adapterFailed, channelOff, gaveUp, nextLook, nextTry, type Wish } from './next-try.ts'

export interface SendRequest {
  conversationId: string
  /** Made by the client, unique in the inbox: a repeated request is the same message. */
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
  /** May they read this one, whose file they send once more? */
  mayRead: MayRead
}

/** Stores an agent's message. Throws HUB_FORBIDDEN, HUB_CONVERSATION_CLOSED, HUB_MESSAGE_REFUSED, HUB_REPLY_WINDOW, HUB_CONFLICT, or what a hook refuses with. */
export async function sendMessage(hub: Hub, request: SendRequest): Promise<{ message: Message; duplicate: boolean }> {
  const em = hub.em()
  const dedupeKey = `out:${request.clientId}`
  const target = await em.findOne(Message, { conversationId: request.conversationId, dedupeKey }, { disableIdentityMap: true })
  if (target) return { message: ownRepeat(target, request), duplicate: true }
  const { parts, capabilities, pieces } = await checkedParts(hub, em, request)
  await checkFilesTheirs(em, request.agentId, request.mayRead, parts)
  let duplicate: Message | null = null
  const { result } = await changeConversation(hub, request.conversationId, async (change, tx) => {
    const { conversation } = change
    if (!request.allowed(conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const stored = await tx.findOne(Message, { inboxId: conversation.inboxId, dedupeKey }, { disableIdentityMap: true })
    if (stored) {
      duplicate = ownRepeat(stored, request)
      return false
    }
    if (conversation.status === 'closed' && !request.note) throw new HubError('HUB_CONVERSATION_CLOSED', 'This conversation has ended')
    const push = capabilities?.delivery === 'push'
    if (request.replyToId) await checkAnswered(tx, request.replyToId, conversation.id)
    const { assigneeId } = conversation
    const grants = capabilities?.replyWindow ? await takeReplies(tx, conversation, pieces) : null
    const message = change.append({
      direction: request.note ? 'note' : 'out',
      parts,
      authorId: request.agentId,
      status: push ? 'queued' : 'sent',
      dedupeKey,
      replyToId: request.replyToId ?? null,
      meta: request.meta ?? null,
      outbound: push ? { grants } : undefined,
    })
    message.parts = await claimFiles(tx, parts, message, request.agentId)
    const byAgentId = request.agentId
    if (!request.note && assigneeId && byAgentId && assigneeId !== byAgentId)
      change.event('conversation.assisted', () => ({ conversationId: conversation.id, messageId: message.id, assigneeId, byAgentId }))
    return message
  })
  const message = duplicate ?? (result as Message)
  return { message, duplicate: duplicate !== null }
}

/** Throws HUB_NOT_FOUND for a file that is not theirs to send, or no more. */
async function checkFilesTheirs(em: Em, agentId: string, mayRead: MayRead, parts: readonly ComposablePart[]): Promise<void> {
  const ids = new Set(fileIdsOf(parts))
  if ((await stillTheirs(em, agentId, mayRead, [...ids])).size < ids.size) throw new HubError('HUB_NOT_FOUND', 'A file of this message is not there')
}

/** A repeat is its author's own, in the same conversation; else nothing was stored, and what there is belongs to somebody else. Throws HUB_CONFLICT. */
function ownRepeat(stored: Message, { conversationId, agentId }: SendRequest): Message {
  if (stored.conversationId !== conversationId || stored.authorId !== agentId) throw new HubError('HUB_CONFLICT', 'Another message has this client id')
  return stored
}

/** What is answered was said in this very conversation: who may write in it sees that. Throws HUB_MESSAGE_REFUSED (`replyTo`). */
async function checkAnswered(em: Em, id: string, conversationId: string): Promise<void> {
  const said = await em.count(Message, { id, conversationId, direction: { $ne: 'system' } })
  if (said === 0) throw new HubError('HUB_MESSAGE_REFUSED', 'What it answers is no message of this conversation', { reason: 'replyTo', path: '/replyToId' })
}

interface CheckedParts {
  parts: ComposablePart[]
  capabilities?: ChannelCapabilities
  /** The platform's messages it will be. */
  pieces: number
}

async function checkedParts(hub: Hub, em: Em, request: SendRequest): Promise<CheckedParts> {
  if (request.note) return { parts: await Promise.all(request.parts.map(cleaned)), pieces: 1 }
  const conversation = await em.findOne(Conversation, { id: request.conversationId }, { fields: ['channel', 'inboxId'], disableIdentityMap: true })
  if (!conversation) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
  const capabilities = await capabilitiesOf(hub, conversation.inboxId)
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
  const parts: ComposablePart[] = []
  for (const part of request.parts) {
    if (part.type === 'link') checkLink(part)
    parts.push(part.type === 'card' ? await checkedCard(em, part, capabilities) : part)
  }
  const hooked = await hub.kernel.hook('outbound.send', {
    inboxId: conversation.inboxId,
    channel: conversation.channel,
    conversationId: request.conversationId,
    agentId: request.agentId,
    parts,
  })
  const written = await checkedFiles(em, hooked.parts as ComposablePart[], capabilities, request.agentId)
  const safe = await Promise.all(written.map(cleaned))
  return { parts: safe, capabilities, pieces: capabilities.replyWindow ? await piecesOf(hub, conversation.inboxId, safe) : 1 }
}

/** Markup comes from a browser, or by a token from anywhere: it is made harmless before anybody sees it, after the hooks have had their say. */
async function cleaned(part: ComposablePart): Promise<ComposablePart> {
  if (part.type !== 'html') return part
  // Large, and needed where letters are written: loaded with the first one.
  const { sanitizeWritten } = await import('../../sdk/sanitize-letter.ts')
  const safe = sanitizeWritten(part.html)
  if (!safe) throw new HubError('HUB_MESSAGE_REFUSED', 'The markup is too large or too deep', { reason: 'markup' })
  const { quoted: _folded, remoteImages: _told, ...rest } = part
  return { ...rest, html: safe.html, text: [...safe.text].slice(0, 100_000).join(''), ...(safe.remoteImages ? { remoteImages: true } : {}) }
}

function checkLetter({ letter = [] }: ChannelCapabilities, meta: LetterMeta | undefined): void {
  const unknown = Object.keys(meta ?? {}).find((field) => !(letter as readonly string[]).includes(field))
  if (unknown) throw new HubError('HUB_MESSAGE_REFUSED', `This channel has no ${unknown}`, { reason: 'part', part: unknown })
}

/** How long one hand-over may take before its fate counts as unknown, where its channel names no other time. */
const sendTimeoutMs = 30_000
/** A hand-over whose process says nothing for so long was cut off. */
const leaseMs = 60_000

/** Sends what is due of one conversation, in order; a hub that ends sends the one it is at, and leaves the others as they are. */
export async function deliverConversation(hub: Hub, conversationId: string): Promise<void> {
  for (;;) {
    const head = await claimHead(hub, conversationId)
    if (!head) return
    const { row, unsure } = head
    const fate = unsure ?? (await handOver(hub, row))
    await settle(hub, row, fate)
    if (fate.status === 'queued' || hub.closing) return
  }
}

interface Fate {
  status: MessageStatus
  externalId?: string | null
  failure?: string | null
  failureText?: LocalText | null
  dueAt?: Date
  windowShut?: boolean
  /** The adapter was not called. */
  untried?: true
}

/** A row that is this process's now, and since when. */
type Claimed = Outbound & { at: Date }

/** The first message of the conversation, if it is due and nobody else has it. */
async function claimHead(hub: Hub, conversationId: string): Promise<{ row: Claimed; unsure?: Fate } | undefined> {
  const em = hub.em()
  const now = new Date()
  const [row] = await em.find(Outbound, { conversationId }, { orderBy: { seq: 'asc' }, limit: 1, disableIdentityMap: true })
  if (!row || row.dueAt > now) return undefined
  const claimed = await em.nativeUpdate(
    Outbound,
    { messageId: row.messageId, state: row.state, attempts: row.attempts },
    { state: 'sending', attempts: row.attempts + 1, dueAt: new Date(now.getTime() + leaseMs) },
  )
  if (claimed === 0) return undefined
  // It was being sent by a process that is gone: the platform may have it already.
  const lost = row.state === 'sending'
  const attempt = { ...row, attempts: row.attempts + 1, at: now } as Claimed
  if (!lost) return { row: attempt }
  const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
  const repeatable = (await capabilitiesOf(hub, message.inboxId))?.idempotentSend ?? false
  return repeatable ? { row: attempt } : { row: attempt, unsure: { status: 'uncertain', failure: 'interrupted' } }
}

async function handOver(hub: Hub, row: Claimed): Promise<Fate> {
  const em = hub.em()
  const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
  const capabilities = await capabilitiesOf(hub, message.inboxId)
  let { done } = message
  const again = (failure: string, told: Pick<Fate, 'failureText'> & Wish & { fault?: LocalText | undefined }): Fate => {
    const dueAt = nextTry(row, capabilities?.retryHours, told)
    return dueAt
      ? { status: 'queued', failure, failureText: told.failureText ?? null, dueAt }
      : { status: 'failed', failure, failureText: gaveUp(told.fault, capabilities?.letter ? 0 : done) }
  }
  const inbox = await openInbox(hub, message.inboxId).catch(withoutSecrets)
  const adapter = inbox && adapterOf(hub, inbox.channel)
  if (!inbox?.enabled || !adapter?.send) {
    const dueAt = nextLook(row, capabilities?.retryHours)
    if (dueAt) return { status: 'queued', failure: 'channel-off', dueAt, untried: true }
    return { status: 'failed', failure: 'channel-off', failureText: gaveUp(channelOff, capabilities?.letter ? 0 : done) }
  }
  let fate: Fate
  let fault: LocalText | undefined
  try {
    const turn = new Turn(capabilities?.sendTimeoutMs ?? sendTimeoutMs)
    const outgoing = await toOutbound(hub, em, message, row, turn, (through) => {
      done = Math.max(done, through)
    })
    const { send } = adapter
    const sending = (async () => send(outgoing, inbox.forAdapter as ChannelInbox))()
    const sent = await fateInTime(hub, row, sending, turn)
    noteLife(hub, message.inboxId, 'lastSendAt')
    return { status: 'sent', externalId: sent?.externalId ?? null }
  } catch (error) {
    if (!(error instanceof SendError)) {
      hub.log.error({ err: error, message: message.id }, 'an adapter failed')
      fault = adapterFailed
      fate = again('adapter', { fault })
    } else {
      const { reason, retry, windowShut, sentence: failureText = null } = error
      if (retry === false) return { status: 'failed', failure: reason, failureText, windowShut }
      fault = error.fault ?? error.sentence
      const repeatable = retry === true || capabilities?.idempotentSend
      fate = repeatable
        ? { ...again(reason, { failureText, fault: error.fault, afterMs: error.retryAfterMs, maxTries: error.maxTries }), windowShut }
        : { status: 'uncertain', failure: reason, failureText, windowShut }
    }
  }
  // The message is not at fault: it is the way there, and that is the inbox's business.
  await noteSendFault(hub, inbox, { fault, code: fate.failure ?? '', last: fate.status === 'failed' })
  return fate
}

/** How long a hand-over may go on. Each piece that is through gives it its time anew; given up, nothing more of it may leave. */
class Turn {
  readonly #given = new AbortController()
  readonly #limitMs: number
  #timer: NodeJS.Timeout

  constructor(limitMs: number) {
    this.#limitMs = limitMs
    this.#timer = setTimeout(() => this.giveUp(), limitMs).unref()
  }
  get signal(): AbortSignal {
    return this.#given.signal
  }
  renew(): void {
    if (this.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.giveUp(), this.#limitMs).unref()
  }
  giveUp(): void {
    this.#given.abort(new SendError('timeout', { retry: 'unknown' }))
  }
  end(): void {
    clearTimeout(this.#timer)
  }
}

/** What the adapter says, if it says it in time; what it says later is noted when it comes. */
async function fateInTime<T extends { externalId?: string } | undefined | void>(hub: Hub, row: Outbound, sending: Promise<T>, turn: Turn): Promise<T> {
  const held = { messageId: row.messageId, state: 'sending' as const, attempts: row.attempts }
  const { signal } = turn
  const overdue = new Promise<'overdue'>((resolve) => signal.addEventListener('abort', () => resolve('overdue'), { once: true }))
  const beat = setInterval(() => {
    // A hub that ends does not wait for the largest of letters.
    if (hub.closing) return turn.giveUp()
    const em = hub.em()
    void em.nativeUpdate(Outbound, held, { dueAt: new Date(Date.now() + leaseMs) }).catch(() => undefined)
  }, leaseMs / 4)
  try {
    const sent = await Promise.race([sending, overdue])
    if (sent !== 'overdue') return sent
    const late = (work: Promise<void>) => work.catch((error) => hub.log.warn({ err: error, message: row.messageId }, 'the late fate of a message was lost'))
    void sending.then(
      (after) => late(settleLate(hub, row, { status: 'sent', externalId: after?.externalId ?? null })),
      (error) => {
        if (error instanceof SendError && error.retry === false)
          return late(settleLate(hub, row, { status: 'failed', failure: error.reason, failureText: error.sentence ?? null }))
      },
    )
    throw signal.reason
  } finally {
    turn.end()
    clearInterval(beat)
  }
}

/** The fate of a message was unknown, and is known after all; unless somebody has decided about it meanwhile. */
async function settleLate(hub: Hub, row: Outbound, fate: Fate): Promise<void> {
  await changeConversation(hub, row.conversationId, async (change, em) => {
    const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
    if (message.status !== 'uncertain' || message.failure !== 'timeout') return false
    Object.assign(message, { status: fate.status, failure: fate.failure ?? null, failureText: fate.failureText ?? null })
    message.externalId = message.externalId ?? fate.externalId ?? null
    if (fate.status === 'failed') change.failed(message)
    if (fate.externalId) await joinEcho(em, change, message, fate.externalId)
    change.touch(message)
    return true
  })
}

async function toOutbound(hub: Hub, em: Em, message: Message, row: Claimed, turn: Turn, onProgress: (done: number) => void): Promise<OutboundMessage> {
  const conversation = await em.findOneOrFail(Conversation, { id: message.conversationId }, { fields: ['identityId'], disableIdentityMap: true })
  const identity = await em.findOneOrFail(Identity, { id: conversation.identityId }, { disableIdentityMap: true })
  const author = message.authorId ? await em.findOne(Agent, { id: message.authorId }, { fields: ['name', 'displayName'], disableIdentityMap: true }) : null
  const replyTo = message.replyToId ? await em.findOne(Message, { id: message.replyToId }, { disableIdentityMap: true }) : null
  return {
    id: message.id,
    conversationId: message.conversationId,
    to: externalIdOf(identity),
    identityId: identity.id,
    seq: message.seq,
    parts: message.parts,
    ...(replyTo ? { replyToExternalId: replyTo.externalId ?? replyTo.dedupeKey.replace(/^in:/, '') } : {}),
    ...(message.meta ? { meta: message.meta } : {}),
    ...(author ? { agentName: author.displayName || author.name } : {}),
    done: message.done,
    async progress(done, externalId) {
      turn.renew()
      await noteProgress(hub, message, row, done, externalId)
      turn.signal.throwIfAborted()
      onProgress(done)
    },
    signal: turn.signal,
    round: message.round,
    attempt: row.attempts,
  }
}

/** One of a message's platform messages is through: written at once, so that no retry sends it again. */
async function noteProgress(hub: Hub, { id, conversationId, round }: Message, { at }: Claimed, done: number, externalId: string | undefined): Promise<void> {
  await changeConversation(hub, conversationId, async (change, em) => {
    const { conversation } = change
    const message = await em.findOneOrFail(Message, { id }, { disableIdentityMap: true })
    if (externalId) await joinEcho(em, change, message, externalId)
    // A piece of a hand-over that was given up, and begun anew by a person: the new one counts for itself.
    if (done > message.done && message.round === round) {
      await em.nativeUpdate(Message, { id }, { done })
      await useUp(em, conversation, id, done - message.done, at)
    }
    if (externalId && !message.externalId) {
      message.externalId = externalId
      change.touch(message)
    }
    return true
  })
}

/** The replies that are set aside for a message; undefined where none need be. */
async function setAside(em: Em, messageId: string): Promise<Reply[] | undefined> {
  const row = await em.findOne(Outbound, { messageId }, { fields: ['grants'], disableIdentityMap: true })
  return row?.grants?.map((reply) => (typeof reply === 'string' ? { name: reply } : reply))
}

/** Pieces that are through use what was set aside for them; more than the adapter had counted take what there is. */
async function useUp(em: Em, conversation: Conversation, messageId: string, count: number, leftAt: Date): Promise<void> {
  const replies = await setAside(em, messageId)
  if (!replies) return
  await em.nativeUpdate(Outbound, { messageId }, { grants: replies.slice(count) })
  await countSent(em, conversation, replies.slice(0, count), Math.max(0, count - replies.length), leftAt)
}

/** A name the platform has for a message of ours. An echo that was stored under it was ours all along: it steps back. */
async function nameMessage(em: Em, inboxId: string, externalId: string, messageId: string): Promise<Message | undefined> {
  // Sent anew under the name it had: it can fail anew.
  await em.upsert(MessageName, { inboxId, externalId, messageId, failedAt: null }, { onConflictMergeFields: ['failedAt'] })
  const echo = await em.findOne(Message, { inboxId, dedupeKey: echoKey(externalId), direction: 'out' }, { disableIdentityMap: true })
  return echo && echo.id !== messageId ? echo : undefined
}

/** Of the pieces whose replies are still set aside: one at a time is in doubt. */
const usedBy: Partial<Record<MessageStatus, number>> = { sent: Number.POSITIVE_INFINITY, uncertain: 1 }

/** Writes a message's fate; a final one takes the row away, so the next message may leave. */
async function settle(hub: Hub, row: Claimed, fate: Fate): Promise<void> {
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
    if (message.status === 'failed') change.failed(message)
    if (fate.status === 'sent' && fate.externalId) await joinEcho(em, change, message, fate.externalId)
    if (row.grants && message.status !== 'queued') await settleReplies(em, change.conversation, row.messageId, usedBy[message.status], row.at)
    if (fate.windowShut) await shutWindow(em, change.conversation)
    change.touch(message)
    if (fate.status === 'queued' && !confirmed)
      await em.nativeUpdate(
        Outbound,
        { messageId: row.messageId },
        { state: 'queued', dueAt: fate.dueAt ?? new Date(), ...(fate.untried ? { attempts: row.attempts - 1 } : {}) },
      )
    else await em.nativeDelete(Outbound, { messageId: row.messageId })
    return true
  })
}

/** The end of a message: of what is still set aside for it so many pieces are through, or may be; the platform never took the others. */
export async function settleReplies(em: Em, conversation: Conversation, messageId: string, through = 0, leftAt = new Date()): Promise<void> {
  const replies = (await setAside(em, messageId)) ?? []
  const [used, unused] = [replies.slice(0, through), replies.slice(through)]
  if (used.length > 0) await countSent(em, conversation, used, 0, leftAt)
  if (unused.length > 0) await giveBackReplies(em, conversation, unused)
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
