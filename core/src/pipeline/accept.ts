/**
 * The door. What arrives is safe before we say yes: it is processed and committed with its message, or, when that
 * cannot be done now (a hook fails, an earlier event of the same sender waits), parked as a row that is still due.
 * A repeat changes nothing. Concurrent events share a transaction.
 */
import { createHash } from 'node:crypto'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { Accepted, InboundEvent } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { type Batcher, createBatcher } from '../db/batch.ts'
import { NumberSource } from '../db/counter.ts'
import { newId } from '../db/types.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { noteLife } from '../domain/inbox/inbox-health.ts'
import { ParkedEvent } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { type InboundItem, type InboundOutcome, processInbound } from './inbound.ts'

/** How long to wait before the nth try of a parked event. */
const backoffMs = (attempt: number) => Math.min(1_000 * 4 ** attempt, 3_600_000)
const maxAttempts = 12
const inboxTtlMs = 1_000
/** Columns that hold a platform's names. */
const idLength = 190
/** So long an event may wait for the answer of a send that it seems to speak of: longer than a send is given. */
const patienceMs = 120_000

/** Where events wait that keep nobody behind them. */
const aside = (event: InboundEvent): string => `~${createHash('sha256').update(event.from.externalId).digest('hex').slice(0, 40)}`

export class Intake {
  readonly #hub: Hub
  readonly #batch: Batcher<InboundItem, InboundOutcome>
  readonly #inboxes = new Map<string, { at: number; inbox: Promise<Inbox | null> }>()
  readonly numbers: NumberSource

  constructor(hub: Hub) {
    this.#hub = hub
    this.numbers = new NumberSource(() => hub.em(), 'contact', 100_001)
    this.#batch = createBatcher((items) => processInbound(hub, items), 64)
  }

  /** Resolves when every event is safe. Throws HUB_CHANNEL_DISABLED, HUB_IDENTITY_BLOCKED, or what a hook refuses with. */
  async accept(inboxId: string, events: readonly InboundEvent[]): Promise<Accepted[]> {
    const inbox = await this.inbox(inboxId)
    if (!inbox?.enabled || !this.#hub.kernel.isRunning(inbox.channel)) throw new HubError('HUB_CHANNEL_DISABLED', 'This inbox does not take messages now')
    const results: Accepted[] = []
    // One sender's events keep their order; senders do not wait for each other (their calls are separate).
    for (const event of events) results.push(await this.#one(inbox, fitted(event)))
    noteLife(this.#hub, inbox.id, 'lastEventAt')
    return results
  }

  async inbox(id: string): Promise<Inbox | null> {
    const known = this.#inboxes.get(id)
    if (known && Date.now() - known.at < inboxTtlMs) return known.inbox
    const inbox = this.#hub.em().findOne(Inbox, { id }, { disableIdentityMap: true })
    this.#inboxes.set(id, { at: Date.now(), inbox })
    inbox.catch(() => this.#inboxes.delete(id))
    return inbox
  }

  forgetInboxes(): void {
    this.#inboxes.clear()
  }

  async #one(inbox: Inbox, event: InboundEvent): Promise<Accepted> {
    try {
      const outcome = await this.#batch.add({ inbox, event: await this.#hooked(inbox, event), parked: false })
      switch (outcome.kind) {
        case 'blocked':
          throw new HubError('HUB_IDENTITY_BLOCKED', 'This sender is blocked')
        case 'behind':
          await this.#park(inbox, event, 'waits for an earlier event of the same sender')
          return { externalId: event.externalId, duplicate: false }
        case 'later':
          // In a lane of its own: the customer's next words do not wait for it.
          await this.#park(inbox, event, outcome.why, { senderId: aside(event), ms: outcome.ms })
          return { externalId: event.externalId, duplicate: false }
        case 'done':
          return { externalId: event.externalId, duplicate: outcome.duplicate, ...outcome.at }
      }
    } catch (error) {
      if (error instanceof HubError) throw error
      // Not processed, but it must not be lost: if even this fails, the caller hears an error and tries again.
      this.#hub.log.error({ err: error, inbox: inbox.id }, 'an inbound event is parked')
      await this.#park(inbox, event, (error as Error).message)
      return { externalId: event.externalId, duplicate: false }
    }
  }

  async #hooked(inbox: Inbox, event: InboundEvent): Promise<InboundEvent> {
    if (event.kind !== 'message' || !this.#hub.kernel.hasHook('inbound.accept')) return event
    const { parts } = await this.#hub.kernel.hook('inbound.accept', {
      inboxId: inbox.id,
      channel: inbox.channel,
      from: event.from,
      parts: event.parts,
    })
    return { ...event, parts }
  }

  async #park(inbox: Inbox, event: InboundEvent, error: string, lane = { senderId: event.from.externalId, ms: backoffMs(0) }): Promise<void> {
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

  /** Tries a parked event again; earlier ones of the same sender go first. */
  async retry(parkedId: string): Promise<void> {
    const em = this.#hub.em()
    const asked = await em.findOne(ParkedEvent, { id: parkedId }, { disableIdentityMap: true })
    if (!asked) return
    const [row] = await em.find(
      ParkedEvent,
      { inboxId: asked.inboxId, senderId: asked.senderId, dueAt: { $ne: null } },
      { orderBy: { id: 'asc' }, limit: 1, disableIdentityMap: true },
    )
    if (!row) return
    const event = revive(row.event)
    try {
      const inbox = await this.inbox(row.inboxId)
      if (!inbox) throw new Error('the inbox is gone')
      const overdue = Date.now() - row.createdAt.getTime() > patienceMs
      const outcome = await this.#batch.add({ inbox, event: await this.#hooked(inbox, event), parked: true, overdue })
      if (outcome.kind === 'later') {
        await em.nativeUpdate(ParkedEvent, { id: row.id }, { dueAt: new Date(Date.now() + outcome.ms) })
        return
      }
      await em.nativeDelete(ParkedEvent, { id: row.id })
      const [next] = await em.find(
        ParkedEvent,
        { inboxId: row.inboxId, senderId: row.senderId, dueAt: { $ne: null } },
        { orderBy: { id: 'asc' }, limit: 1, fields: ['id'], disableIdentityMap: true },
      )
      if (next) this.#hub.queue.hurry('inbound', next.id)
    } catch (error) {
      if (error instanceof HubError) {
        await em.nativeDelete(ParkedEvent, { id: row.id })
        this.#hub.log.warn({ err: error, parked: row.id }, 'a parked event was refused')
        return
      }
      const attempts = row.attempts + 1
      await em.nativeUpdate(
        ParkedEvent,
        { id: row.id },
        {
          attempts,
          error: (error as Error).message.slice(0, 500),
          dueAt: attempts >= maxAttempts ? null : new Date(Date.now() + backoffMs(attempts)),
        },
      )
    }
  }

  /** Resolves when nothing is on its way. */
  idle(): Promise<void> {
    return this.#batch.idle()
  }
}

/** Names that are longer than their column keep their beginning and stay different. */
function fitted(event: InboundEvent): InboundEvent {
  const fit = (id: string) => (id.length <= idLength ? id : `${id.slice(0, 120)}~${createHash('sha256').update(id).digest('hex')}`)
  const from = event.from.externalId.length <= idLength ? event.from : { ...event.from, externalId: fit(event.from.externalId) }
  const named = 'messageExternalId' in event ? { messageExternalId: fit(event.messageExternalId) } : {}
  return { ...event, ...named, from, externalId: fit(event.externalId) } as InboundEvent
}

/** Dates come back from JSON as strings. */
function revive(event: InboundEvent): InboundEvent {
  if ((event.kind === 'message' || event.kind === 'echo') && event.sentAt) return { ...event, sentAt: new Date(event.sentAt) }
  return event.kind === 'activity' && event.at ? { ...event, at: new Date(event.at) } : event
}
