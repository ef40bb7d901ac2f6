/**
 * WXBizMsgCrypt, the envelope of safe mode: AES-256-CBC over
 * `16 random bytes ‖ length (4 bytes, big-endian, in bytes) ‖ message ‖ receive-id`, padded to blocks of 32.
 * Official accounts and mini-programs are the same; their receive-id is the AppID.
 */
import { createDecipheriv, timingSafeEqual } from 'node:crypto'

const block = 32

/** What is wrong with an envelope; it says nothing that helps to forge one. */
export class EnvelopeError extends Error {}

/** The 32 bytes of an EncodingAESKey, or undefined when it is none. Some keys have spare bits set in the last letter: Node's decoder does not mind. */
export function aesKeyOf(encodingAesKey: string): Buffer | undefined {
  if (!/^[0-9A-Za-z+/]{43}$/.test(encodingAesKey)) return undefined
  const key = Buffer.from(`${encodingAesKey}=`, 'base64')
  return key.length === 32 ? key : undefined
}

/** The message inside. Throws {@link EnvelopeError} for anything that is not meant for `receiveId`. */
export function decrypt(encrypted: string, key: Buffer, receiveId: string): string {
  const bytes = Buffer.from(encrypted, 'base64')
  if (bytes.length === 0 || bytes.length % 16 !== 0) throw new EnvelopeError('its length is wrong')
  const cipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16))
  // OpenSSL takes pads up to 16; these go up to 32.
  cipher.setAutoPadding(false)
  const padded = Buffer.concat([cipher.update(bytes), cipher.final()])
  const pad = padded.at(-1) ?? 0
  if (pad < 1 || pad > block || pad > padded.length) throw new EnvelopeError('its padding is wrong')
  const plain = padded.subarray(0, padded.length - pad)
  if (plain.length < 20) throw new EnvelopeError('it is too short')
  const end = 20 + plain.readUInt32BE(16)
  if (end > plain.length) throw new EnvelopeError('its inner length is wrong')
  const meantFor = plain.subarray(end)
  const us = Buffer.from(receiveId, 'utf8')
  if (meantFor.length !== us.length || !timingSafeEqual(meantFor, us)) throw new EnvelopeError('it is for another AppID')
  return plain.subarray(20, end).toString('utf8')
}
