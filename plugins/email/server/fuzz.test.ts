/**
 * Mails no client would write. Seeded; a few thousand in the short form, as many as one likes with FUZZ_INPUTS (and FUZZ_SEED).
 * Held: nothing throws, one mail takes bounded time, what comes out fits the parts, nothing that acts is left in the markup.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sanitizeLetter } from '@huike/core/sdk/sanitize-letter.ts'
import { splitQuote } from '@huike/core/sdk/split-quote.ts'
import { assertInert } from '../fixtures/assert-inert.ts'
import { verdictOn } from './authenticity.ts'
import { classifyLetter } from './classify.ts'
import { limits } from './mime-tree.ts'
import { readBounce } from './read-bounce.ts'
import { readMail } from './read-mail.ts'

const mails = Number(process.env.FUZZ_INPUTS ?? 2_000)
const seed = Number(process.env.FUZZ_SEED ?? 20_240_301)
const maxMs = 3_000

function generator(from: number) {
  let state = from >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (n: number) => Math.floor(next() * n)
  return { below, pick: <T>(list: readonly T[]): T => list[below(list.length)] as T }
}

const folder = join(import.meta.dirname, '../fixtures')
const corpus = readdirSync(folder)
  .filter((name) => name.endsWith('.eml'))
  .map((name) => readFileSync(join(folder, name)))
const pieces = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '--x',
    '--x--',
    '=?',
    '?=',
    '=?utf-8?B?',
    '=?gb2312?Q?=',
    "*0*=utf-8''%",
    '*99999999999=',
    '"',
    '\\',
    '(((',
    '<',
    '>',
    ';',
    ';;;;',
    '\u0000',
  ],
  ...[
    'Content-Type: multipart/mixed; boundary=x\r\n',
    'Content-Type: message/rfc822\r\n',
    'Content-Type: text/html; charset=utf-7\r\n',
    'Content-Transfer-Encoding: base64\r\n',
  ],
  ...[
    'Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n',
    'Content-Type: message/delivery-status\r\n',
    'From: a@b, c@d\r\n',
    'References: <a@b> <c@d>\r\n',
    'Subject: a\r\n\tb\r\n',
  ],
  ...[
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg/onload=alert(1)>',
    '<a href="java\tscript:alert(1)">',
    '<div style="background:url(javascript:1)">',
    '<!--',
    '<![CDATA[',
    '<noscript><p title="</noscript><img src=x onerror=1>">',
  ],
  ...['<blockquote type=cite>', '<table><td>', '<p><td>', '</details>', '发件人：', '在 2024年 写道：', '> ', '\u00ff\u00fe', '\u0081\u0030'],
]

function mutate(random: ReturnType<typeof generator>): Buffer {
  let bytes = Buffer.from(random.pick(corpus))
  for (let i = random.below(8); i >= 0; i--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(5)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        if (bytes.length > 0) bytes[Math.min(at, bytes.length - 1)] = random.below(256)
        break
      case 2: {
        const other = random.pick(corpus)
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length))])
        break
      }
      default:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(random.pick(pieces).repeat(1 + random.below(random.below(20) === 0 ? 2_000 : 4)), 'latin1'),
          bytes.subarray(at),
        ])
    }
  }
  return bytes
}

function digest(raw: Buffer): void {
  const letter = readMail(raw)
  classifyLetter(letter, () => false)
  readBounce(letter)
  verdictOn(letter, new Set(['mx.shop.example']))
  if (letter.text !== undefined) splitQuote(letter.text)
  const safe = letter.html === undefined ? undefined : sanitizeLetter(letter.html)
  if (safe) {
    assert.ok(safe.html.length <= 500_000)
    assertInert(safe.html)
  }
  assert.ok(letter.files.length <= 100 && letter.fingerprint.length === 43)
  for (const { address } of [letter.from, ...letter.to, ...letter.cc].filter((each) => each !== undefined))
    assert.ok(address.length <= 185 && !/[\r\n<>\s]/.test(address))
  assert.doesNotMatch(letter.subject, /[\r\n]/)
  for (const { name } of letter.files) assert.doesNotMatch(name, /[\r\n]/)
}

test(`${mails} broken mails (seed ${seed})`, { timeout: Math.max(120_000, mails * 50) }, () => {
  const heapBefore = process.memoryUsage().heapUsed
  for (let i = 0; i < mails; i++) {
    const raw = mutate(generator(seed + i))
    const at = performance.now()
    try {
      digest(raw)
    } catch (error) {
      throw new Error(`mail ${i} of seed ${seed}`, { cause: error })
    }
    assert.ok(performance.now() - at < maxMs, `mail ${i} of seed ${seed} took ${Math.round(performance.now() - at)} ms`)
  }
  assert.ok(process.memoryUsage().heapUsed - heapBefore < 500 * 1024 * 1024)
})

const nested = (depth: number) => Array.from({ length: depth }, (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`).join('')
const attacks: Record<string, string> = {
  'ten thousand levels': nested(10_000),
  'a hundred thousand parts': `Content-Type: multipart/mixed; boundary=x\r\n\r\n${'--x\r\n\r\na\r\n'.repeat(100_000)}`,
  'a hundred thousand headers': `${'X-A: b\r\n'.repeat(100_000)}\r\nx`,
  'one header of four megabytes': `Subject: ${'=?utf-8?B?5L2g?= '.repeat(250_000)}\r\n\r\nx`,
  'a megabyte of open words': `Subject: ${'=?a?B?'.repeat(170_000)}\r\n\r\nx`,
  'a megabyte of addresses': `From: a@b.cn\r\nTo: ${'"a" <a@b.cn>, '.repeat(70_000)}\r\n\r\nx`,
  'a megabyte of brackets': `From: ${'<'.repeat(1_000_000)}\r\nReferences: ${'<a'.repeat(500_000)}\r\n\r\nx`,
  'a megabyte of parameters': `Content-Type: text/plain; ${'a*1*=b; '.repeat(125_000)}\r\n\r\nx`,
  'the same boundary within itself': `Content-Type: multipart/mixed; boundary=x\r\n\r\n${'--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n'.repeat(20_000)}`,
  'markup without an end': `Content-Type: text/html\r\n\r\n${'<a b="'.repeat(300_000)}`,
  'cells within cells': `Content-Type: text/html\r\n\r\n${'<p><td>'.repeat(100_000)}`,
  'quotes within quotes': `Content-Type: text/html\r\n\r\n${'<blockquote type=cite>x'.repeat(150)}`,
  'lines that nearly are heads': `Content-Type: text/plain\r\n\r\n${`On ${'a '.repeat(180)}\r\n`.repeat(5_000)}`,
  'equals signs': `Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${'= '.repeat(1_000_000)}`,
}
for (const [name, raw] of Object.entries(attacks))
  test(`attack: ${name}`, () => {
    const at = performance.now()
    digest(Buffer.from(raw, 'latin1'))
    assert.ok(performance.now() - at < maxMs * 2, `${Math.round(performance.now() - at)} ms`)
  })

test('what does not fit is told', () => {
  const letter = readMail(Buffer.from(attacks['a hundred thousand parts'] as string))
  assert.ok(letter.exceeded.includes('parts') && letter.files.length + 1 <= limits.parts)
  assert.deepEqual(readMail(Buffer.from(nested(50))).exceeded, ['depth'])
})
