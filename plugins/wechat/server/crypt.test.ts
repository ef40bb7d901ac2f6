import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { aesKeyOf, decrypt, EnvelopeError } from './crypt.ts'
import { isSigned, signatureOf } from './signature.ts'

// The platform's own published sample: its token, key, receive-id, envelope and signature.
const sample = {
  token: 'QDG6eK',
  key: 'jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C',
  receiveId: 'wx5823bf96d3bd56c7',
  timestamp: '1409659589',
  nonce: '263014780',
  sealed: 'P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==',
  signature: '5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3',
}
const key = aesKeyOf(sample.key) as Buffer

/** An envelope laid out by hand; what a test wants to be wrong it makes wrong. */
function seal(parts: { message?: Buffer; length?: number; owner?: string; pad?: number; padByte?: number }): string {
  const { message = Buffer.from('x'), owner = sample.receiveId } = parts
  const head = Buffer.alloc(20)
  head.writeUInt32BE(parts.length ?? message.length, 16)
  const bare = Buffer.concat([head, message, Buffer.from(owner)])
  const pad = parts.pad ?? 32 - (bare.length % 32)
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(Buffer.concat([bare, Buffer.alloc(pad, parts.padByte ?? pad)])), cipher.final()]).toString('base64')
}

test('the published sample opens, and its signature holds', () => {
  assert.equal(decrypt(sample.sealed, key, sample.receiveId), '1616140317555161061')
  assert.ok(isSigned(sample.signature, sample.token, sample.timestamp, sample.nonce, sample.sealed))
})

test('strings are sorted by their bytes before they are hashed', () => {
  assert.equal(signatureOf('b', 'a', '10', '9'), signatureOf('9', '10', 'b', 'a'))
  assert.notEqual(signatureOf('ab', 'c'), signatureOf('b', 'ca'))
})

test('a signature of another length, in capitals, or of other words is none', () => {
  const good = signatureOf('t', '1', 'n')
  for (const bad of [undefined, '', good.slice(1), `${good}0`, good.toUpperCase(), signatureOf('t', '1', 'm')])
    assert.equal(isSigned(bad, 't', '1', 'n'), false, bad)
})

test('every length of padding from 1 to 32 is taken', () => {
  const seen = new Set<number>()
  for (let length = 0; length < 64; length++) {
    const message = randomBytes(length).toString('hex').slice(0, length)
    seen.add(32 - ((20 + length + sample.receiveId.length) % 32))
    assert.equal(decrypt(seal({ message: Buffer.from(message) }), key, sample.receiveId), message)
  }
  assert.equal(seen.size, 32)
})

test('lengths are bytes, not characters', () => {
  assert.equal(decrypt(seal({ message: Buffer.from('汇客🎉') }), key, sample.receiveId), '汇客🎉')
})

test('what was sealed for another AppID is refused, also one that only begins like ours', () => {
  for (const owner of ['', 'wx0000000000000000', sample.receiveId.slice(0, -1), `${sample.receiveId}x`])
    assert.throws(() => decrypt(seal({ owner }), key, sample.receiveId), EnvelopeError)
})

test('broken envelopes are refused, never an error of ours', () => {
  const faults = {
    'no bytes': '',
    'not base64': '!!!!',
    'no whole block': Buffer.alloc(15).toString('base64'),
    'padding of zero': seal({ padByte: 0 }),
    'padding above 32': seal({ padByte: 33 }),
    'an inner length beyond the end': seal({ length: 5_000 }),
    'an inner length of four gigabytes': seal({ length: 0xffff_ffff }),
    'random bytes': randomBytes(64).toString('base64'),
  }
  for (const [what, sealed] of Object.entries(faults)) assert.throws(() => decrypt(sealed, key, sample.receiveId), EnvelopeError, what)
})

test('a key with spare bits set in its last letter is the same key; what is no key is none', () => {
  assert.deepEqual(aesKeyOf(`${sample.key.slice(0, -1)}D`), aesKeyOf(`${sample.key.slice(0, -1)}C`))
  for (const bad of ['', sample.key.slice(1), `${sample.key}A`, `${sample.key.slice(0, -1)}!`]) assert.equal(aesKeyOf(bad), undefined)
})
