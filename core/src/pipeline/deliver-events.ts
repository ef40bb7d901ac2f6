/** Tells listeners what they are owed, each by itself, each with its own retry; the row goes when it has been told. */
import type { HubEvent } from '../../sdk/events.ts'
import { newId } from '../db/types.ts'
import { Delivery } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'

const maxAttempts = 10
const backoffMs = (attempt: number) => Math.min(1_000 * 3 ** attempt, 3_600_000)
const page = 100
/** A page is one process's for so long; what a process that died had taken is due again after it. */
const leaseMs = 60_000
/** Listeners that take long give the rest of the page back by then. */
const turnMs = 10_000

/** Everything that is due for one listener, oldest first. A failing event waits by itself; those after it go on. */
export async function deliverEvents(hub: Hub, listener: string): Promise<void> {
  for (;;) {
    const em = hub.em()
    const now = new Date()
    const rows = await em.find(Delivery, { listener, dueAt: { $lte: now } }, { orderBy: { dueAt: 'asc', id: 'asc' }, limit: page, disableIdentityMap: true })
    if (rows.length === 0) return
    // A hint and a sweep, or two processes, may see the same rows: an update that only one can win decides.
    const ids = rows.map((row) => row.id)
    const holder = newId()
    const claimed = await em.nativeUpdate(Delivery, { id: { $in: ids }, dueAt: { $lte: now } }, { dueAt: new Date(now.getTime() + leaseMs), holder })
    const won =
      claimed === rows.length ? ids : (await em.find(Delivery, { id: { $in: ids }, holder }, { fields: ['id'], disableIdentityMap: true })).map((row) => row.id)
    const told: string[] = []
    for (const row of rows.filter(({ id }) => won.includes(id))) {
      if (Date.now() - now.getTime() > turnMs) break
      try {
        // A listener that was switched off falls silent: what it was still owed is dropped.
        await hub.kernel.tell(listener, { id: row.eventId, name: row.name, at: row.createdAt.toISOString(), data: row.data } as HubEvent)
        told.push(row.id)
      } catch (error) {
        const attempts = row.attempts + 1
        hub.log.warn({ err: error, listener, event: row.name, attempts }, 'a listener failed')
        await em.nativeUpdate(
          Delivery,
          { id: row.id },
          {
            attempts,
            error: (error as Error).message.slice(0, 500),
            holder: null,
            dueAt: attempts >= maxAttempts ? null : new Date(Date.now() + backoffMs(attempts)),
          },
        )
      }
    }
    if (told.length > 0) await em.nativeDelete(Delivery, { id: { $in: told } })
    if (Date.now() - now.getTime() > turnMs) {
      await em.nativeUpdate(Delivery, { id: { $in: won }, holder, dueAt: { $gt: now } }, { dueAt: now, holder: null })
      continue
    }
    if (rows.length < page) return
  }
}
