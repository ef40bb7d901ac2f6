/** The right to be the only one, for a while. Taking it again prolongs it. */

import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Lease } from '../domain/setting/setting.entity.ts'
import type { Em } from './orm.ts'

export async function takeLease(em: Em, name: string, holder: string, ms: number): Promise<boolean> {
  const now = new Date()
  const until = new Date(now.getTime() + ms)
  const renewed = await em.nativeUpdate(Lease, { name, $or: [{ holder }, { until: { $lt: now } }] }, { holder, until })
  if (renewed > 0) return true
  try {
    await em.insert(Lease, { name, holder, until })
    return true
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) return false
    throw error
  }
}

export async function dropLease(em: Em, name: string, holder: string): Promise<void> {
  await em.nativeDelete(Lease, { name, holder })
}
