/** Tells listeners what they are owed, each by itself, each with its own retry; the row goes when it has been told. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HubEvent } from '../../sdk/events.ts'
import type { Em } from '../db/orm.ts'
import { retryOnConflict } from '../db/retry.ts'
import { readRows, sql, stored } from '../db/statements.ts'
import { newId } from '../db/types.ts'
import { commitWithEvents, type EventToTell } from '../domain/conversation/change.ts'
import { Delivery } from '../domain/message/message.entity.ts'
import { PluginState } from '../domain/setting/setting.entity.ts'
import type { Hub } from '../hub.ts'
import { shortly } from '../log.ts'
import { giveWay } from './give-way.ts'

const maxAttempts = 10
const backoffMs = (attempt: number) => Math.min(1_000 * 3 ** attempt, 3_600_000)
const page = 100
/** A page is one process's for so long; what a process that died had taken is due again after it. */
const leaseMs = 60_000
/** Listeners that take long give the rest of the page back by then. */
const turnMs = 10_000

/** Waited for at most so long before a plugin is switched off. */
const lastWordsMs = 3_000

/** Tells a plugin what it is still owed, before it falls silent. Another process may be telling it just now: that is waited for. */
export async function tellLast(hub: Hub, listener: string): Promise<void> {
  const end = Date.now() + lastWordsMs
  const until = new Date()
  do {
    const telling = deliverEvents(hub, listener, { toTheEnd: true })
    telling.catch((error) => hub.log.warn({ err: error, listener }, 'last words were not told'))
    if ((await Promise.race([telling, sleep(end - Date.now(), 'overdue', { ref: false })])) === 'overdue') return
    if ((await hub.em().count(Delivery, { listener, attempts: 0, createdAt: { $lte: until } })) === 0) return
    await sleep(20)
  } while (Date.now() < end)
}

/** It waits for its next try. The last time there is none: then those who keep a log of what happens are told that something is missing. */
async function noteFailure(hub: Hub, { id, listener, name, eventId, doneBy, ...row }: Delivery, error: Error): Promise<void> {
  const attempts = row.attempts + 1
  const last = attempts >= maxAttempts
  hub.log[last ? 'error' : 'warn']({ err: error, listener, event: name, eventId, attempts }, last ? 'a listener was given up' : 'a listener failed')
  const dueAt = last ? null : new Date(Date.now() + backoffMs(attempts))
  const note = async (tx: Em): Promise<EventToTell[]> => {
    await tx.nativeUpdate(Delivery, { id }, { attempts, error: shortly(error), holder: null, dueAt })
    // Who cannot even hear of that is not told that it could not.
    if (!last || name === 'event.givenUp') return []
    return [{ name: 'event.givenUp', data: { listener, event: name, eventId, attempts, ofAgentId: doneBy?.agentId ?? null } }]
  }
  await retryOnConflict(() => commitWithEvents(hub, note))
}

const isSwitchedOff = async (em: Em, id: string): Promise<boolean> => (await em.count(PluginState, { id, enabled: false })) > 0

/**
 * Everything that is due for one listener, oldest first. A failing event waits by itself; those after it go on. A hub that
 * ends tells the one it is at, and leaves the others to who is there, or to the next start; unless it is `toTheEnd`.
 */
export async function deliverEvents(hub: Hub, listener: string, { toTheEnd = false } = {}): Promise<void> {
  const ending = () => hub.closing && !toTheEnd
  // Last words have their time, and no more.
  const makeWay = async (tookMs?: number): Promise<void> => {
    if (!toTheEnd) await giveWay(hub, tookMs)
  }
  for (;;) {
    const em = hub.em()
    const hears = hub.kernel.hears(listener)
    if (hears === 'later') return
    // A listener that was switched off falls silent: what it was still owed is dropped. Another process may know better.
    if (hears === 'never') {
      if (await isSwitchedOff(em, listener)) await retryOnConflict(() => em.nativeDelete(Delivery, { listener, dueAt: { $lte: new Date() } }))
      return
    }
    await makeWay()
    const now = new Date()
    const due = stored(em, Delivery, 'dueAt', now)
    const first = { text: `limit ${page}`, params: [] }
    const rows = await readRows(em, Delivery, sql`where listener = ${listener} and due_at <= ${due} order by due_at, id ${first}`)
    if (rows.length === 0) return
    await makeWay()
    // A hint and a sweep, or two processes, may see the same rows: an update that only one can win decides.
    const ids = rows.map((row) => row.id)
    const holder = newId()
    // Batches that owe more to the same listener insert beside these rows: the database may end one of the two in a circle.
    const claimed = await retryOnConflict(() =>
      em.nativeUpdate(Delivery, { id: { $in: ids }, dueAt: { $lte: now } }, { dueAt: new Date(now.getTime() + leaseMs), holder }),
    )
    const won =
      claimed === rows.length ? ids : (await em.find(Delivery, { id: { $in: ids }, holder }, { fields: ['id'], disableIdentityMap: true })).map((row) => row.id)
    const told: string[] = []
    let silent = false
    for (const row of rows.filter(({ id }) => won.includes(id))) {
      if (ending() || Date.now() - now.getTime() > turnMs) break
      const began = performance.now()
      try {
        const heard = await hub.kernel.tell(listener, {
          id: row.eventId,
          name: row.name,
          at: row.createdAt.toISOString(),
          data: row.data,
          by: row.doneBy ?? null,
        } as HubEvent)
        if (!heard) {
          silent = true
          break
        }
        told.push(row.id)
      } catch (error) {
        await noteFailure(hub, row, error as Error)
      }
      await makeWay(performance.now() - began)
    }
    await makeWay()
    if (told.length > 0) await retryOnConflict(() => em.nativeDelete(Delivery, { id: { $in: told } }))
    if (silent || ending() || Date.now() - now.getTime() > turnMs) {
      await em.nativeUpdate(Delivery, { id: { $in: won }, holder, dueAt: { $gt: now } }, { dueAt: now, holder: null })
      if (ending()) return
      continue
    }
    if (rows.length < page) return
  }
}
