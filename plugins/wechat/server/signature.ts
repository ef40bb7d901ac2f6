/** The signature of a callback: SHA-1 over sorted strings. developers.weixin.qq.com/doc/service/guide/dev/push/ */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Lower-case hex SHA-1 of the byte-sorted strings, joined by nothing. */
export function signatureOf(...strings: string[]): string {
  const sorted = strings.map((text) => Buffer.from(text, 'utf8')).sort(Buffer.compare)
  return createHash('sha1').update(Buffer.concat(sorted)).digest('hex')
}

/** Compares in constant time. */
export function isSigned(signature: string | undefined, ...strings: string[]): boolean {
  const given = Buffer.from(signature ?? '', 'utf8')
  const expected = Buffer.from(signatureOf(...strings), 'utf8')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
