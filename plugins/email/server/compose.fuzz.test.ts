/**
 * Letters out with everything an agent, an admin, a customer or a token could put into their fields, and back through our own
 * reader. Seeded; some hundred in the short form, as many as one likes with FUZZ_INPUTS (and FUZZ_SEED).
 * Held: no header but ours and each once, nobody else in the envelope, the same subject, names, words and files, lines that
 * servers take, nothing that acts in the markup.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '@huike/core/sdk/channel.ts'
import { Value } from 'typebox/value'
import { createDice, type Dice, pick } from '../../../tests/chaos/tools.ts'
import { assertInert } from '../fixtures/assert-inert.ts'
import { type ComposeInput, composeLetter } from './compose.ts'
import { oneLine } from './headers.ts'
import { inboxSettings, mailboxOf } from './inbox-settings.ts'
import { readMail } from './read-mail.ts'

const letters = Number(process.env.FUZZ_INPUTS ?? 400)
const seed = Number(process.env.FUZZ_SEED ?? 20_240_301)
const maxMs = 3_000

const breaks = ['\r\n', '\n', '\r', '\r\n\r\n', '\u2028', '\u0085', '\u000b', '\u0000']
const headers = ['Bcc: victim@x.test', 'X-Mine: 1', 'Content-Type: text/html', 'To: victim@x.test', '--boundary', '.', '.\r\nMAIL FROM:<a@x.test>']
const pieces = [
  ...['询价', '合同（二期）', '😀', '👨‍👩‍👧', 'é', '\u202e', '\ud83d', '\udc00', '…', 'a', ' ', '\t', '  '],
  ...['"', '\\', '<', '>', ',', ';', ':', '@', '(', ')', '=?utf-8?B?5L2g?=', '=?gb2312?Q?=41?=', '=', '_', '%00', '../', 'a@b.test'],
  ...['<script>alert(1)</script>', '<b>粗</b>', '<img src=x onerror=alert(1)>', '&lt;', '</body>', '<a href="javascript:1">x</a>', '<p>段</p>'],
]

const below = (dice: Dice, n: number): number => Math.floor(dice() * n)
function text(dice: Dice, most: number): string {
  let out = ''
  for (let i = below(dice, most); i > 0; i--) {
    const kind = below(dice, 10)
    if (kind === 0) out += `${pick(dice, breaks)}${pick(dice, headers)}${pick(dice, breaks)}`
    else if (kind === 1) out += pick(dice, breaks)
    else out += (pick(dice, pieces) as string).repeat(below(dice, 60) === 0 ? 400 : 1)
  }
  return out
}

const address = (dice: Dice): string => (below(dice, 12) === 0 ? text(dice, 4) : `user${below(dice, 1_000)}@corp${below(dice, 9)}.test`)
const person = (dice: Dice) => ({ address: address(dice), ...(below(dice, 2) ? { name: text(dice, 5) } : {}) })
const several = <T>(dice: Dice, most: number, make: (dice: Dice) => T): T[] => Array.from({ length: below(dice, most + 1) }, () => make(dice))

/** As a form takes it. */
const setting = (dice: Dice, most: number): string =>
  text(dice, 4)
    .replace(/[\r\n]/g, ' ')
    .slice(0, most)

function letterOf(dice: Dice): ComposeInput {
  const settings = {
    ...(Value.Default(inboxSettings, {}) as object),
    address: 'support@shop.test',
    displayName: setting(dice, 80),
    signature: text(dice, 6),
    password: 'x',
  }
  const words = text(dice, 12) || '您好'
  return {
    mailbox: mailboxOf({ id: 'i', name: setting(dice, 60) || '客服', settings }),
    message: {
      to: 'zhang@example.test',
      parts: [below(dice, 2) ? { type: 'text', text: words } : { type: 'html', html: words, text: words }],
      meta: { subject: text(dice, 6), to: several(dice, 3, person), cc: several(dice, 3, person), ...(below(dice, 8) ? {} : { automatic: true }) },
      agentName: text(dice, 3),
    },
    messageId: 'c.1.2.3@shop.test',
    ...(below(dice, 2) ? { previous: { messageId: 'last@x.test', references: 'first@x.test', subject: text(dice, 5).slice(0, 250) } } : {}),
    files: several(dice, 3, (throwing) => ({
      // The hub takes no longer ones.
      name: [...text(throwing, 5)].slice(0, 120).join(''),
      mime: below(throwing, 3) ? 'application/pdf' : text(throwing, 3),
      // Our reader leaves empty ones out.
      bytes: Buffer.from(text(throwing, 5) || 'x'),
    })),
    loopMark: 'c.1.2.3@shop.test stamp',
    at: new Date('2024-03-01T02:00:00Z'),
  }
}

const ours = new Set(['from', 'to', 'cc', 'reply-to', 'subject', 'date', 'message-id', 'in-reply-to', 'references', 'mime-version', 'content-type'])
for (const name of ['content-transfer-encoding', 'x-huike-loop', 'auto-submitted', 'x-auto-response-suppress']) ours.add(name)

/** What a reader can be held to: no control characters, half characters as everybody writes them, white space as mail has it. */
const plain = (words: string): string => oneLine(words.toWellFormed().replaceAll('\0', '')).replace(/\s+/g, ' ').trim()
/** A name as far as a line of mail carries it. */
const named = (name = ''): string => plain([...oneLine(name)].slice(0, 100).join(''))

/** A word that looks like an encoded one (RFC 2047) is read as what it would be. */
const looksEncoded = (words: string): boolean => words.includes('=?')

/** Typed so it goes there: as it is, or to a domain that is written in other letters. */
const isMeant = (typed: string, address: string): boolean =>
  typed.includes(address) || (/[^\0-\x7f]/.test(typed) && typed.startsWith(address.slice(0, address.lastIndexOf('@') + 1)))

async function roundTrip(input: ComposeInput): Promise<void> {
  const wanted = [...(input.message.meta?.to ?? []), ...(input.message.meta?.cc ?? [])]
  const composed = await composeLetter(input).catch((error) => {
    // What is no address is refused in words for the agent; nothing else is.
    assert.ok(error instanceof SendError && error.reason === 'address-invalid', String(error))
    return undefined
  })
  if (!composed) return
  const { raw, envelope } = composed
  const names = wanted.map((one) => one.address.trim().toLowerCase())
  for (const one of envelope.to) {
    assert.doesNotMatch(one, /[\s<>,;]/)
    assert.ok(
      input.message.meta?.to?.length ? names.some((name) => isMeant(name, one)) : one === 'zhang@example.test' || names.some((name) => isMeant(name, one)),
      one,
    )
  }
  for (const line of raw.toString('latin1').split('\r\n'))
    assert.ok(line.length <= 998 && !/[\r\n]/.test(line), `a line: ${JSON.stringify(line.slice(0, 200))}`)
  const letter = readMail(raw)
  const fields = letter.headers.fields.map(({ name }) => name)
  assert.deepEqual(
    fields.filter((name) => !ours.has(name)),
    [],
  )
  assert.equal(new Set(fields).size, fields.length)
  if (!looksEncoded(composed.subject)) assert.equal(plain(letter.subject), plain(composed.subject))
  assert.deepEqual([...letter.to, ...letter.cc].map((one) => one.address).sort(), [...envelope.to].sort())
  assert.equal(letter.from?.address, 'support@shop.test')
  for (const { name, address } of [...letter.to, ...letter.cc]) {
    const asked = wanted.filter((one) => one.address.trim().toLowerCase().includes(address)).map((one) => named(one.name))
    if (asked.length > 0 && !asked.some(looksEncoded)) assert.ok(asked.includes(named(name)), `${JSON.stringify(name)} of ${JSON.stringify(asked)}`)
  }
  const [part] = input.message.parts
  if (part?.type === 'text') assert.ok(plain(letter.text ?? '').includes(plain(part.text)), 'the words')
  assert.equal(letter.files.length, input.files.length)
  for (const [i, file] of letter.files.entries()) assert.deepEqual(file.bytes, input.files[i]?.bytes)
  const [, body = ''] = /<body>([\s\S]*)<\/body>/.exec(letter.html ?? '') ?? []
  assertInert(body)
}

test(`${letters} letters out and back (seed ${seed})`, { timeout: Math.max(120_000, letters * 50) }, async () => {
  for (let i = 0; i < letters; i++) {
    const began = performance.now()
    try {
      await roundTrip(letterOf(createDice(seed + i)))
    } catch (error) {
      throw new Error(`letter ${i} of seed ${seed}`, { cause: error })
    }
    assert.ok(performance.now() - began < maxMs, `letter ${i} of seed ${seed} took ${Math.round(performance.now() - began)} ms`)
  }
})
