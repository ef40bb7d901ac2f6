/**
 * X-Douyin-Signature: lower-case hex SHA-1 of the secret's bytes followed by the raw body. Not an HMAC, and not body
 * before secret: both are common mistakes in public code and both are refused.
 * (developer.open-douyin.com, docs/resource/zh-CN/dop/develop/webhooks/summarize)
 */
import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (secret: string, body: Buffer): string => createHash('sha1').update(secret, 'utf8').update(body).digest('hex')

/** Did who holds the secret write these bytes? An empty secret signs nothing. */
export function isSigned(secret: string, body: Buffer, given: string | undefined): boolean {
  if (secret === '' || given === undefined) return false
  const expected = Buffer.from(digest(secret, body))
  const actual = Buffer.from(given)
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
