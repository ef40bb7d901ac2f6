/** How much work is due and not done, and since when: nothing of it waits for long where a hub keeps up. */

import type { Em } from '../db/orm.ts'
import { Delivery, Job, Outbound, ParkedEvent, RemoteFetch } from '../domain/message/message.entity.ts'

export interface DueWork {
  kind: 'outbound' | 'deliveries' | 'parked' | 'jobs' | 'fetches'
  count: number
  /** Since when the oldest is due. */
  oldest: Date | null
}

/** What was due at `at`. What belongs to a plugin that is not `on` waits for it, and is not counted. */
export async function dueWork(em: Em, on: readonly string[], at = new Date()): Promise<DueWork[]> {
  const due = { dueAt: { $lte: at } }
  const kinds = [
    ['outbound', Outbound, due],
    ['deliveries', Delivery, { ...due, listener: { $in: on } }],
    ['parked', ParkedEvent, due],
    ['jobs', Job, { ...due, plugin: { $in: on } }],
    ['fetches', RemoteFetch, due],
  ] as const
  const work: DueWork[] = []
  for (const [kind, entity, where] of kinds) {
    const count = await em.count(entity as typeof Job, where as object)
    const [first] = count === 0 ? [] : await em.find(entity as typeof Job, where as object, { orderBy: { dueAt: 'asc' }, limit: 1, disableIdentityMap: true })
    work.push({ kind, count, oldest: first?.dueAt ?? null })
  }
  return work
}
