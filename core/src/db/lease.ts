/** The right to be the only one, for a while. Taking it again prolongs it. */

import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Lease } from '../domain/setting/setting.entity.ts'
import type { Em } from './orm.ts'

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
