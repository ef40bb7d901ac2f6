/**
 * Slows down guessing, over all processes: of one address at one account, of one address at any, of all addresses at one account.
 * The last one is not for addresses where the account is signed in: strangers' guesses do not lock its owner out.
 */
import { raw, UniqueConstraintViolationException } from '@mikro-orm/core'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { LoginThrottle, Session } from './session.entity.ts'

const windowMs = 15 * 60_000
const allowed: Record<string, number> = { pair: 10, account: 50, address: 50, token: 50 }
const limitOf = (key: string): number => allowed[key.split(':')[0] ?? ''] ?? 0

/** What a try to sign in counts for. `agentId` is absent where there is no such account. */
export async function throttlesOf(em: Em, { email, agentId, ip }: { email: string; agentId?: string | undefined; ip: string }): Promise<string[]> {
  const atHome = agentId !== undefined && (await em.count(Session, { agentId, ip, expiresAt: { $gt: new Date() } })) > 0
  return [`pair:${ip} ${email}`, `address:${ip}`, ...(atHome ? [] : [`account:${email}`])]
}

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
  await em.nativeDelete(LoginThrottle, { key: { $in: keys.filter((key) => !key.startsWith('address:')).map(shorten) } })
}

/** Windows that are over say nothing any more. */
export async function forgetOldFailures(em: Em, now: Date): Promise<void> {
  await em.nativeDelete(LoginThrottle, { windowStartedAt: { $lt: new Date(now.getTime() - windowMs) } })
}

const shorten = (key: string): string => key.slice(0, 100)
