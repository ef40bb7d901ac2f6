/** Slows down guessing, per account and per address, over all processes. */

import { raw, UniqueConstraintViolationException } from '@mikro-orm/core'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { LoginThrottle } from './session.entity.ts'

const windowMs = 15 * 60_000
const allowed = { account: 10, address: 50 }
const limitOf = (key: string): number => (key.startsWith('account:') ? allowed.account : allowed.address)

/** Throws HUB_AUTH_THROTTLED with the seconds to wait. */
export async function refuseThrottled(em: Em, keys: readonly string[]): Promise<void> {
  const rows = await em.find(LoginThrottle, { key: { $in: keys.map(shorten) } }, { disableIdentityMap: true })
  const now = Date.now()
  for (const row of rows) {
    const left = row.windowStartedAt.getTime() + windowMs - now
    if (left > 0 && row.failures >= limitOf(row.key))
      throw new HubError('HUB_AUTH_THROTTLED', 'Too many failed attempts; please wait', { retryAfterSeconds: Math.ceil(left / 1_000) })
  }
}

export async function failLogin(em: Em, keys: readonly string[]): Promise<void> {
  const now = new Date()
  for (const key of keys.map(shorten)) {
    const fresh = new Date(now.getTime() - windowMs)
    if ((await em.nativeUpdate(LoginThrottle, { key, windowStartedAt: { $gt: fresh } }, { failures: raw('failures + 1') })) > 0) continue
    if ((await em.nativeUpdate(LoginThrottle, { key }, { failures: 1, windowStartedAt: now })) > 0) continue
    await em.insert(LoginThrottle, { key, failures: 1, windowStartedAt: now }).catch((error) => {
      if (!(error instanceof UniqueConstraintViolationException)) throw error
    })
  }
}

export async function forgetFailures(em: Em, keys: readonly string[]): Promise<void> {
  await em.nativeDelete(LoginThrottle, { key: { $in: keys.filter((key) => key.startsWith('account:')).map(shorten) } })
}

/** Windows that are over say nothing any more. */
export async function forgetOldFailures(em: Em, now: Date): Promise<void> {
  await em.nativeDelete(LoginThrottle, { windowStartedAt: { $lt: new Date(now.getTime() - windowMs) } })
}

const shorten = (key: string): string => key.slice(0, 100)
