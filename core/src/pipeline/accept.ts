/**
 * The door. What arrives is safe before we say yes: it is processed and committed with its message, or, when that
 * cannot be done now (a hook fails, an earlier event of the same sender waits), parked as a row that is still due.
 * A repeat changes nothing. Concurrent events share a transaction.
 */
import { createHash } from 'node:crypto'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { Accepted, InboundEvent } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import type { MessagePart } from '../../sdk/message-parts.ts'
import { type Batcher, createBatcher } from '../db/batch.ts'
import { NumberSource } from '../db/counter.ts'
import { Kept } from '../db/kept.ts'
import { rowStep } from '../db/statements.ts'
import { newId } from '../db/types.ts'
import { fittedId, storedName } from '../domain/contact/external-id.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { noteLife } from '../domain/inbox/inbox-health.ts'
import { Message, ParkedEvent } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { inTime } from '../in-time.ts'
import { shortly } from '../log.ts'
import { callIn } from './apply-call.ts'
import type { InboundItem, InboundOutcome } from './applying.ts'
import { isWebAddress } from './check-card.ts'
import { processInbound, senderKey } from './inbound.ts'
import { type Intake, noteHookRefusal, patientAttempts } from './intake.ts'

/** Platforms cut after five seconds and count an answer that late as none: what is not committed by then is parked, whatever it waits for. */
const answerMs = 3_500
/** Hooks get this long of it. */
const hookMs = 3_000
/** How long to wait before the nth try of a parked event. */
const backoffMs = (attempt: number) => Math.min(1_000 * 4 ** attempt, 3_600_000)
const maxAttempts = 12
/** A parked event that somebody works on is nobody else's so long; a process that dies leaves it due again. */
const claimMs = 60_000
const inboxTtlMs = 1_000

/** A refusal is the answer. That the hub is busy, or something is away, is none: it may be better in a moment. */
const refuses = (error: unknown): error is HubError => error instanceof HubError && error.kind.status < 500 && error.code !== 'HUB_CONFLICT'

/** Where events wait that keep nobody behind them; a recall, which may wait long, keeps not even those. */
function aside({ kind, externalId }: InboundEvent, sender: string): string {
  return lane(kind === 'recall' ? `recall ${externalId}` : sender)
}
const lane = (name: string): string => `~${createHash('sha256').update(name).digest('hex').slice(0, 40)}`

export class Door implements Intake {
  readonly #hub: Hub
  readonly #batch: Batcher<InboundItem, InboundOutcome>
  readonly #inboxes = new Kept(inboxTtlMs, (id) => this.#hub.em().findOne(Inbox, { id }, { disableIdentityMap: true }))
  readonly numbers: NumberSource
  #lastAt = 0
  #inHand = 0

  constructor(hub: Hub) {
    this.#hub = hub
    this.numbers = new NumberSource(() => hub.em(), 'contact', 100_001)
    this.#batch = createBatcher((items) => processInbound(hub, items), {
      max: 64,
      // While some wait for the database another is worked on. SQLite has one writer, and no round trip to save.
      ...(hub.dialect === 'mysql' ? { lanes: 3, step: rowStep } : { lanes: 1, step: 1 }),
      worth: 16,
      patienceMs: 4,
      keyOf: senderKey,
    })
  }

  async accept(inboxId: string, events: readonly InboundEvent[], by?: number): Promise<Accepted[]> {
    const inbox = await this.inbox(inboxId)
    if (!inbox?.enabled || !this.#hub.kernel.isRunning(inbox.channel)) throw new HubError('HUB_CHANNEL_DISABLED', 'This inbox does not take messages now')
    const results: Accepted[] = []
    // One sender's events keep their order; senders do not wait for each other (their calls are separate).
    this.#inHand++
    try {
      for (const event of events) results.push(await this.#one(inbox, fitted(event), by ?? answerBy()))
    } finally {
      this.#inHand--
    }
    noteLife(this.#hub, inbox.id, 'lastEventAt')
    return results
  }

  inbox(id: string): Promise<Inbox | null> {
    return this.#inboxes.of(id)
  }

  busy(): boolean {
    return this.#batch.busy() || performance.now() - this.#lastAt < 20
  }

  inHand(): boolean {
    return this.#inHand > 0
  }

  forgetInboxes(): void {
    this.#inboxes.clear()
  }

  async #one(inbox: Inbox, event: InboundEvent, by: number): Promise<Accepted> {
    try {
      const repeated = await this.#repeatOf(inbox, event)
      if (repeated) return repeated
      // Others of the same push have used up the time.
      if (performance.now() >= by) throw new Late('what came before it')
      const hooked = await this.#hookedInTime(inbox, event, by)
      // Should it commit after all, what is parked is a repeat.
      const outcome = await answeredBy(this.#batch.add({ inbox, event: hooked, parked: false }), by, 'the database')
      this.#lastAt = performance.now()
      switch (outcome.kind) {
        case 'blocked':
          throw new HubError('HUB_IDENTITY_BLOCKED', 'This sender is blocked')
        case 'former':
          throw new HubError('HUB_AUTH_REQUIRED', 'This customer is known by another name now')
        case 'behind':
          await this.#park(inbox, event, 'waits for an earlier event of the same sender')
          return { externalId: event.externalId, duplicate: false }
        case 'later':
          // In a lane of its own: the customer's next words do not wait for it.
          await this.#park(inbox, event, outcome.why, { senderId: aside(event, this.#senderId(inbox, event)), ms: outcome.ms })
          return { externalId: event.externalId, duplicate: false }
        case 'done':
          return { externalId: event.externalId, duplicate: outcome.duplicate, ...outcome.at }
      }
    } catch (error) {
      if (refuses(error)) throw error
      // Not processed, but it must not be lost: if even this fails, the caller hears an error and tries again.
      this.#hub.log[error instanceof Late ? 'warn' : 'error']({ err: error, inbox: inbox.id }, 'an inbound event is parked')
      await this.#park(inbox, event, (error as Error).message)
      return { externalId: event.externalId, duplicate: false }
    }
  }

  /** A hook may do things in the world: it does not see what a platform says twice. Without a hook, `inbound.ts` finds repeats out by itself. */
  async #repeatOf(inbox: Inbox, event: InboundEvent): Promise<Accepted | undefined> {
    // A call that is told again may say more.
    if (event.kind !== 'message' || callIn(event.parts) || !this.#hub.kernel.hasHook('inbound.accept')) return undefined
    const em = this.#hub.em()
    const { externalId } = event
    const message = await this.#storedOf(inbox, event)
    if (message) return { externalId, duplicate: true, messageId: message.id, conversationId: message.conversationId, seq: message.seq }
    const parked = await em.findOne(ParkedEvent, { inboxId: inbox.id, externalId, dueAt: { $ne: null } }, { fields: ['id'], disableIdentityMap: true })
    return parked ? { externalId, duplicate: true } : undefined
  }

  #storedOf(inbox: Inbox, { externalId }: InboundEvent): Promise<Pick<Message, 'id' | 'conversationId' | 'seq'> | null> {
    const found = { inboxId: inbox.id, dedupeKey: `in:${externalId}` }
    return this.#hub.em().findOne(Message, found, { fields: ['conversationId', 'seq'], disableIdentityMap: true })
  }

  /** They run again with the parked event, without haste. */
  #hookedInTime(inbox: Inbox, event: InboundEvent, by: number): InboundEvent | Promise<InboundEvent> {
    if (!this.#hub.kernel.hasHook('inbound.accept')) return event
    return answeredBy(this.#hooked(inbox, event), Math.min(by, performance.now() + hookMs), 'a hook')
  }

  async #hooked(inbox: Inbox, event: InboundEvent): Promise<InboundEvent> {
    if (event.kind !== 'message' || !this.#hub.kernel.hasHook('inbound.accept')) return event
    const { parts } = await this.#hub.kernel
      .hook('inbound.accept', { inboxId: inbox.id, channel: inbox.channel, from: event.from, parts: event.parts })
      .catch((error) => {
        if (refuses(error)) noteHookRefusal(error)
        throw error
      })
    return { ...event, parts }
  }

  #senderId(inbox: Inbox, { from }: InboundEvent): string {
    return storedName(this.#hub, inbox, from.externalId).externalId
  }

  async #park(inbox: Inbox, event: InboundEvent, error: string, lane = { senderId: this.#senderId(inbox, event), ms: backoffMs(0) }): Promise<void> {
    const now = new Date()
    try {
      await this.#hub.em().insert(ParkedEvent, {
        id: newId(),
        inboxId: inbox.id,
        externalId: event.externalId,
        senderId: lane.senderId,
        event,
        attempts: 1,
        error: error.slice(0, 500),
        dueAt: new Date(now.getTime() + lane.ms),
        createdAt: now,
      })
    } catch (failure) {
      if (!(failure instanceof UniqueConstraintViolationException)) throw failure
    }
  }

  async retry(parkedId: string): Promise<void> {
    const em = this.#hub.em()
    const asked = await em.findOne(ParkedEvent, { id: parkedId }, { disableIdentityMap: true })
    if (!asked) return
    const [row] = await em.find(
      ParkedEvent,
      { inboxId: asked.inboxId, senderId: asked.senderId, dueAt: { $ne: null } },
      { orderBy: { id: 'asc' }, limit: 1, disableIdentityMap: true },
    )
    if (!row?.dueAt) return
    const now = new Date()
    if (row.dueAt > now) {
      // Who waits behind one whose time has not come waits as long.
      if (row.id !== asked.id) await em.nativeUpdate(ParkedEvent, { id: asked.id, dueAt: { $ne: null } }, { dueAt: row.dueAt })
      return
    }
    if ((await em.nativeUpdate(ParkedEvent, { id: row.id, dueAt: row.dueAt }, { dueAt: new Date(now.getTime() + claimMs) })) === 0) return
    const event = revive(row.event)
    const inbox = await this.inbox(row.inboxId)
    try {
      if (!inbox) throw new Error('the inbox is gone')
      const waitedMs = Date.now() - row.createdAt.getTime()
      // It was late, and is through: no hook sees it twice.
      const stored = event.kind === 'message' && !callIn(event.parts) && (await this.#storedOf(inbox, event))
      const outcome = stored ? undefined : await this.#batch.add({ inbox, event: await this.#hooked(inbox, event), parked: true, waitedMs })
      if (outcome?.kind === 'later') {
        await em.nativeUpdate(ParkedEvent, { id: row.id }, { senderId: aside(event, this.#senderId(inbox, event)), dueAt: new Date(Date.now() + outcome.ms) })
        return
      }
      await em.nativeDelete(ParkedEvent, { id: row.id })
      await this.#hurryNext(row)
    } catch (error) {
      if (refuses(error) && !error.kind.retry) {
        await em.nativeDelete(ParkedEvent, { id: row.id })
        this.#hub.log.warn({ err: error, parked: row.id }, 'a parked event was refused')
        return
      }
      const attempts = row.attempts + 1
      const moved = inbox && attempts >= patientAttempts ? await this.#putAside(row, inbox, event) : {}
      await em.nativeUpdate(
        ParkedEvent,
        { id: row.id },
        {
          ...moved,
          attempts,
          error: shortly(error),
          dueAt: attempts >= maxAttempts ? null : new Date(Date.now() + backoffMs(attempts)),
        },
      )
      if ('senderId' in moved) await this.#hurryNext(row)
    }
  }

  /** Whoever waited behind it goes on. */
  async #hurryNext({ inboxId, senderId }: ParkedEvent): Promise<void> {
    const em = this.#hub.em()
    const [next] = await em.find(
      ParkedEvent,
      { inboxId, senderId, dueAt: { $ne: null } },
      { orderBy: { id: 'asc' }, limit: 1, fields: ['id'], disableIdentityMap: true },
    )
    if (!next) return
    await em.nativeUpdate(ParkedEvent, { id: next.id }, { dueAt: new Date() })
    this.#hub.queue.hurry('inbound', next.id)
  }

  /** Of what a customer said the conversation tells that it is there; not what, for no hook has let it pass. What is put aside keeps its order. */
  async #putAside({ senderId }: ParkedEvent, inbox: Inbox, event: InboundEvent): Promise<{ senderId?: string }> {
    const sender = this.#senderId(inbox, event)
    if (senderId !== sender) return {}
    if (event.kind === 'message')
      await this.#batch.add({ inbox, event, parked: true, held: true }).catch((error) => this.#hub.log.error({ err: error, inbox: inbox.id }, 'nobody is told'))
    return { senderId: lane(`held ${sender}`) }
  }

  idle(): Promise<void> {
    return this.#batch.idle()
  }
}

/** A customer's link is one where it leads to a page; else it is words that an agent reads, and nothing to press. */
function readable(part: MessagePart): MessagePart {
  if (part.type !== 'link' || isWebAddress(part.url)) return part
  return { type: 'text', text: [part.title, part.description, part.url].filter(Boolean).join('\n') }
}

/** With names that are told apart by the database too, and links that lead to pages. */
function fitted(event: InboundEvent): InboundEvent {
  const externalId = fittedId(event.from.externalId)
  const from = externalId === event.from.externalId ? event.from : { ...event.from, externalId }
  const named = 'messageExternalId' in event ? { messageExternalId: fittedId(event.messageExternalId) } : {}
  const added = 'addsTo' in event && event.addsTo !== undefined ? { addsTo: fittedId(event.addsTo) } : {}
  const said = 'parts' in event ? { parts: event.parts.map(readable) } : {}
  return { ...event, ...named, ...added, ...said, from, externalId: fittedId(event.externalId) } as InboundEvent
}

/** Dates come back from JSON as strings. */
function revive(event: InboundEvent): InboundEvent {
  if ((event.kind === 'message' || event.kind === 'echo') && event.sentAt) return { ...event, sentAt: new Date(event.sentAt) }
  return event.kind === 'activity' && event.at ? { ...event, at: new Date(event.at) } : event
}

class Late extends Error {
  constructor(what: string) {
    super(`${what} took longer than a platform waits`)
  }
}

/** When whoever pushes must have an answer, as `performance.now()` counts. */
export const answerBy = (): number => performance.now() + answerMs

/** Rejects with {@link Late} when it takes too long for the platform that waits. */
const answeredBy = <T>(work: Promise<T>, by: number, what: string): Promise<T> => inTime(work, by - performance.now(), () => new Late(what))
