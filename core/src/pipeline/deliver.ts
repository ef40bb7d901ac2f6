/**
 * The river out, from the row to the platform. Messages of one conversation leave in order, one at a time over all
 * processes: the head of its `outbound` rows is claimed by an update that only one can win.
 */
import { type ChannelAdapter, type ChannelCapabilities, type ChannelInbox, type LocalText, type OutboundMessage, SendError } from '../../sdk/channel.ts'
import { Agent } from '../domain/agent/agent.entity.ts'
import { Identity } from '../domain/contact/contact.entity.ts'
import { externalIdOf } from '../domain/contact/external-id.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { adapterOf, capabilitiesOf, openInbox, withoutSecrets } from '../domain/inbox/channels.ts'
import { noteLife, noteSendFault } from '../domain/inbox/inbox-health.ts'
import { Message, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { type Claimed, type Fate, held, noteProgress, settle, settleLate } from './fate.ts'
import { adapterFailed, channelOff, gaveUp, hubFailed, nextLook, nextTry, type Wish } from './next-try.ts'

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

/** All that a hand-over needs of the database; `send` where the inbox can send just now. */
interface Ready {
  message: Message
  capabilities: ChannelCapabilities | undefined
  way?: { inbox: OpenInbox; send: NonNullable<ChannelAdapter['send']>; said: Said }
}
type OpenInbox = NonNullable<Awaited<ReturnType<typeof openInbox>>>
/** What an adapter is told of a message beside its parts. */
type Said = Pick<OutboundMessage, 'to' | 'identityId' | 'replyToExternalId' | 'agentName'>

async function prepare(hub: Hub, row: Claimed): Promise<Ready> {
  const em = hub.em()
  const once = { disableIdentityMap: true } as const
  const message = await em.findOneOrFail(Message, { id: row.messageId }, once)
  const capabilities = await capabilitiesOf(hub, message.inboxId)
  const inbox = await openInbox(hub, message.inboxId).catch(withoutSecrets)
  const adapter = inbox && adapterOf(hub, inbox.channel)
  if (!inbox?.enabled || !adapter?.send) return { message, capabilities }
  const conversation = await em.findOneOrFail(Conversation, { id: message.conversationId }, { ...once, fields: ['identityId'] })
  const identity = await em.findOneOrFail(Identity, { id: conversation.identityId }, once)
  const author = message.authorId ? await em.findOne(Agent, { id: message.authorId }, { ...once, fields: ['name', 'displayName'] }) : null
  const replyTo = message.replyToId ? await em.findOne(Message, { id: message.replyToId }, once) : null
  const said: Said = {
    to: externalIdOf(identity),
    identityId: identity.id,
    ...(replyTo ? { replyToExternalId: replyTo.externalId ?? replyTo.dedupeKey.replace(/^in:/, '') } : {}),
    ...(author ? { agentName: author.displayName || author.name } : {}),
  }
  return { message, capabilities, way: { inbox, send: adapter.send, said } }
}

async function handOver(hub: Hub, row: Claimed): Promise<Fate> {
  const ready = await prepare(hub, row).catch((error: unknown) => {
    hub.log.error({ err: error, message: row.messageId }, 'a message could not be read to be sent')
  })
  // Nobody was given it: it is tried again like one that was refused for now.
  if (!ready) {
    const dueAt = nextTry(row, undefined)
    return dueAt
      ? { status: 'queued', failure: 'hub', dueAt }
      : { status: 'failed', failure: 'hub', failureText: gaveUp(hubFailed, { done: 0, letter: false }) }
  }
  const { message, capabilities, way } = ready
  let { done } = message
  const through = () => ({ done, letter: capabilities?.letter !== undefined })
  if (!way) {
    const dueAt = nextLook(row, capabilities?.retryHours)
    if (dueAt) return { status: 'queued', failure: 'channel-off', dueAt, untried: true }
    return { status: 'failed', failure: 'channel-off', failureText: gaveUp(channelOff, through()) }
  }
  const again = (failure: string, told: Pick<Fate, 'failureText'> & Wish & { fault?: LocalText | undefined }): Fate => {
    const dueAt = nextTry(row, capabilities?.retryHours, told)
    return dueAt
      ? { status: 'queued', failure, failureText: told.failureText ?? null, dueAt }
      : { status: 'failed', failure, failureText: gaveUp(told.fault, through()) }
  }
  const { inbox, send, said } = way
  let fate: Fate
  let fault: LocalText | undefined
  try {
    const turn = new Turn(capabilities?.sendTimeoutMs ?? sendTimeoutMs)
    const outgoing = toOutbound(hub, message, said, row, turn, (count) => {
      done = Math.max(done, count)
    })
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
      if (retry === true && error.ofMessage) return fate
    }
  }
  // The message is not at fault: it is the way there, and that is the inbox's business.
  await noteSendFault(hub, inbox, { fault, code: fate.failure ?? '', last: fate.status === 'failed' }).catch((error: unknown) => {
    hub.log.warn({ err: error, inbox: inbox.id }, 'a fault of an inbox was not noted')
  })
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
async function fateInTime<T extends { externalId?: string } | undefined | void>(hub: Hub, row: Claimed, sending: Promise<T>, turn: Turn): Promise<T> {
  const { signal } = turn
  const overdue = new Promise<'overdue'>((resolve) => signal.addEventListener('abort', () => resolve('overdue'), { once: true }))
  const beat = setInterval(() => {
    // A hub that ends does not wait for the largest of letters.
    if (hub.closing) return turn.giveUp()
    const em = hub.em()
    void em.nativeUpdate(Outbound, held(row), { dueAt: new Date(Date.now() + leaseMs) }).catch(() => undefined)
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

function toOutbound(hub: Hub, message: Message, said: Said, row: Claimed, turn: Turn, onProgress: (done: number) => void): OutboundMessage {
  return {
    id: message.id,
    conversationId: message.conversationId,
    seq: message.seq,
    parts: message.parts,
    ...(message.meta ? { meta: message.meta } : {}),
    ...said,
    done: message.done,
    async progress(done, externalId) {
      turn.renew()
      await noteProgress(hub, message, row, done, externalId).catch((error: unknown) => {
        // It is through, and nothing says so: another try would send it twice.
        turn.giveUp()
        throw error
      })
      turn.signal.throwIfAborted()
      // What a customer wrote meanwhile granted replies, and the platform counts the next piece among those.
      row.at = new Date()
      onProgress(done)
    },
    signal: turn.signal,
    round: message.round,
    attempt: row.attempts,
  }
}
