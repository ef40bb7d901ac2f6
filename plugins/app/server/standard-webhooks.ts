/**
 * Standard Webhooks, both directions: `webhook-id`, `webhook-timestamp`, `webhook-signature` over `id.timestamp.body`,
 * HMAC-SHA256 with the bytes behind `whsec_`. (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md)
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Seconds that clocks may differ. */
export const toleranceSeconds = 300

/** The key's bytes; undefined for what is no key of 24 to 64 bytes. */
function keyOf(secret: string): Buffer | undefined {
  if (!secret.startsWith('whsec_')) return undefined
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  return key.length >= 24 && key.length <= 64 ? key : undefined
}
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
export const isSecret = (secret: string): boolean => keyOf(secret) !== undefined

const signatureOf = (key: Buffer, id: string, timestamp: string, body: Buffer | string): Buffer =>
  createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()

/** Headers of a request; signed with every secret, so that the other side may change its own in its time. */
export function signedHeaders(secrets: readonly string[], id: string, body: Buffer | string, now = Date.now()): Record<string, string> {
  const timestamp = String(Math.floor(now / 1_000))
  const keys = secrets.map(keyOf).filter((key) => key !== undefined)
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': keys.map((key) => `v1,${signatureOf(key, id, timestamp, body).toString('base64')}`).join(' '),
  }
}

export type Verdict =
  /** `secret`: which of ours it was signed with. */
  | { ok: true; id: string; secret: number }
  | { ok: false; reason: 'signature' }
  /** Only told to who holds the secret. */
  | { ok: false; reason: 'timestamp_out_of_tolerance' }

/** Every secret is tried on every listed signature, whatever came before: all refusals take the same time. */
export function verify(secrets: readonly string[], headers: Record<string, string | undefined>, body: Buffer, now = Date.now()): Verdict {
  const id = headers['webhook-id'] ?? ''
  const timestamp = headers['webhook-timestamp'] ?? ''
  const listed = (headers['webhook-signature'] ?? '')
    .split(' ')
    .slice(0, 20)
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice('v1,'.length), 'base64'))
  let found = -1
  for (const [i, secret] of secrets.entries()) {
    const expected = signatureOf(keyOf(secret) ?? Buffer.alloc(32), id, timestamp, body)
    for (const given of listed) if (given.length === expected.length && timingSafeEqual(given, expected) && keyOf(secret) && found < 0) found = i
  }
  // A dot in the id could move the border between the signed fields.
  if (found < 0 || id === '' || id.length > 150 || id.includes('.') || !/^\d{1,12}$/.test(timestamp)) return { ok: false, reason: 'signature' }
  if (Math.abs(now / 1_000 - Number(timestamp)) > toleranceSeconds) return { ok: false, reason: 'timestamp_out_of_tolerance' }
  return { ok: true, id, secret: found }
}
