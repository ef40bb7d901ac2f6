/**
 * Work that failed so often that nobody tries it any more, and what customers sent that was put aside and is tried ever less
 * often. It is kept, and an operator who has mended the cause has it tried again.
 */

import { HubError } from '../../sdk/errors.ts'
import type { Em } from '../db/orm.ts'
import { commitWithEvents } from '../domain/conversation/change.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Delivery, Job, ParkedEvent } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { patientAttempts } from '../pipeline/intake.ts'

export type GivenUpKind = 'parked' | 'deliveries' | 'jobs'

export interface GivenUp {
  kind: GivenUpKind
  id: string
  /** The plugin that failed, or the inbox that the event came by. */
  of: string
  /** The event's or the job's name; of what a customer did, nothing. */
  name: string
  /** What it failed with. */
  error: string
  attempts: number
  /** When it is tried by itself; null = not any more. */
  next: Date | null
  at: Date
}

/** As many are shown: who has more looks at the first ones, and tries all of a kind. */
const shown = 20
/** Tried again in one transaction. */
const page = 200

const entities = { parked: ParkedEvent, deliveries: Delivery, jobs: Job } as const
const givenUp = { dueAt: null }
const stuck = { parked: { $or: [givenUp, { attempts: { $gte: patientAttempts } }] }, deliveries: givenUp, jobs: givenUp }

export async function countGivenUp(em: Em): Promise<number> {
  let count = 0
  for (const kind of Object.keys(entities) as GivenUpKind[]) count += await em.count(entities[kind] as typeof Job, stuck[kind])
  return count
}

/** The oldest of each kind. */
export async function listGivenUp(em: Em): Promise<GivenUp[]> {
  const options = { orderBy: { id: 'asc' }, limit: shown, disableIdentityMap: true } as const
  const parked = await em.find(ParkedEvent, stuck.parked, options)
  const inboxes = await em.find(
    Inbox,
    { id: { $in: [...new Set(parked.map(({ inboxId }) => inboxId))] } },
    { fields: ['id', 'name'], disableIdentityMap: true },
  )
  type Shared = Pick<GivenUp, 'id' | 'error' | 'attempts'> & { dueAt?: Date | null; createdAt: Date }
  const shared = ({ id, error, attempts, dueAt, createdAt }: Shared) => ({ id, error, attempts, next: dueAt ?? null, at: createdAt })
  return [
    ...parked.map((row) => ({ kind: 'parked' as const, of: inboxes.find(({ id }) => id === row.inboxId)?.name ?? '', name: '', ...shared(row) })),
    ...(await em.find(Delivery, givenUp, options)).map((row) => ({ kind: 'deliveries' as const, of: row.listener, name: row.name, ...shared(row) })),
    ...(await em.find(Job, givenUp, options)).map((row) => ({ kind: 'jobs' as const, of: row.plugin, name: row.name, ...shared(row) })),
  ]
}

/**
 * Has one of a kind, or all of it, tried again from the start. Returns how many.
 * @throws HUB_NOT_FOUND when the one is not there, or not stuck any more
 */
export async function tryAgain(hub: Hub, kind: GivenUpKind, id: string | undefined, byAgentId: string): Promise<number> {
  const entity = entities[kind] as typeof Job
  const due = { dueAt: new Date(), attempts: 0, error: '' }
  let count = 0
  for (;;) {
    const rows = await hub
      .em()
      .find(entity, { ...stuck[kind], ...(id ? { id } : {}) }, { orderBy: { id: 'asc' }, limit: page, fields: ['id'], disableIdentityMap: true })
    if (rows.length === 0) break
    await commitWithEvents(hub, async (tx) => {
      const changed = await tx.nativeUpdate(entity, { ...stuck[kind], id: { $in: rows.map((row) => row.id) } }, due)
      count += changed
      return changed === 0 ? [] : [{ name: 'event.triedAgain', data: { kind, count: changed, byAgentId } }]
    })
  }
  if (id && count === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such work, or it was not given up')
  return count
}
