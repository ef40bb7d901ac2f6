import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { isSigned } from './signature.ts'

const secret = '云杉-secret'
const body = Buffer.from('{"event":"im_receive_msg","content":"{\\"text\\":\\"在吗\\"}"}')
const sha1 = (...parts: (string | Buffer)[]) => parts.reduce((hash, part) => hash.update(part), createHash('sha1'))

test('SHA-1 of the secret followed by the bytes as they came', () => {
  assert.equal(isSigned(secret, body, sha1(secret, body).digest('hex')), true)
  assert.equal(isSigned(secret, Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1)), sha1(secret, body).digest('hex')), false)
})

test('what is commonly mistaken for it is refused', () => {
  const mistakes = {
    'HMAC-SHA1': createHmac('sha1', secret).update(body).digest('hex'),
    'HMAC-SHA256': createHmac('sha256', secret).update(body).digest('hex'),
    'body before secret': sha1(body, secret).digest('hex'),
    'SHA-256': createHash('sha256').update(secret).update(body).digest('hex'),
    'upper case': sha1(secret, body).digest('hex').toUpperCase(),
    base64: sha1(secret, body).digest('base64'),
    'another secret': sha1('other', body).digest('hex'),
    'a part of it': sha1(secret, body).digest('hex').slice(0, 39),
    nothing: '',
  }
  for (const [name, signature] of Object.entries(mistakes)) assert.equal(isSigned(secret, body, signature), false, name)
  assert.equal(isSigned(secret, body, undefined), false)
})

test('an empty secret signs nothing', () => {
  assert.equal(isSigned('', body, sha1('', body).digest('hex')), false)
})
