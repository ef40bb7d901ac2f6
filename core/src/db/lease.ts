/** The right to be the only one, for a while. Taking it again prolongs it. */

import { setTimeout as sleep } from 'node:timers/promises'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { HubError } from '../../sdk/errors.ts'
import { Lease } from '../domain/setting/setting.entity.ts'
import type { Em } from './orm.ts'
import { newId } from './types.ts'

export async function takeLease(em: Em, name: string, holder: string, ms: number): Promise<boolean> {
  const now = new Date()
  const until = new Date(now.getTime() + ms)
  // Looked for first: an update of a missing row locks the gap it would be in, and neighbours wait for each other.
  if (await em.findOne(Lease, { name }, { fields: ['name'], disableIdentityMap: true }))
    return (await em.nativeUpdate(Lease, { name, $or: [{ holder }, { until: { $lt: now } }] }, { holder, until })) > 0
  try {
    await em.insert(Lease, { name, holder, until })
    return true
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) return false
    throw error
  }
}

/** The row stays, for the next holder. */
export async function dropLease(em: Em, name: string, holder: string): Promise<void> {
  await em.nativeUpdate(Lease, { name, holder }, { until: new Date(0) })
}

/** Asked again this often whether it is our turn. */
const turnEveryMs = 25

/** Does `work` while nobody else does anything under this name, in any process; waits `ms` for its turn, and has that long. Throws HUB_CONFLICT. */
export async function holdLease<T>(em: () => Em, name: string, ms: number, work: () => Promise<T>): Promise<T> {
  // A holder of its own for each call: two calls of one process exclude each other too.
  const holder = newId()
  const end = Date.now() + ms
  while (!(await takeLease(em(), name, holder, ms))) {
    if (Date.now() > end) throw new HubError('HUB_CONFLICT', `It did not get its turn: ${name}`)
    await sleep(turnEveryMs + Math.random() * turnEveryMs)
  }
  try {
    return await work()
  } finally {
    await dropLease(em(), name, holder)
  }
}
