/**
 * Hostile bodies of whoever holds the secret, so that they reach the decoder. Whatever comes, it is an event or a coded
 * refusal: no crash, no other error, no event that the hub could not store. Short and seeded here; FUZZ_RUNS=100000 for
 * the long form (FUZZ_SEED for another one).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HubError } from '@huike/core/sdk/errors.ts'
import { MessagePart } from '@huike/core/sdk/message-parts.ts'
import fc from 'fast-check'
import { Value } from 'typebox/value'
import { decode } from './decode.ts'
import { types } from './schema.ts'

const numRuns = Number(process.env.FUZZ_RUNS ?? 2_000)
const seed = Number(process.env.FUZZ_SEED ?? 20_260_301)
const part: MessagePart = { type: 'file', fileId: '0'.repeat(26), name: 'a', mime: 'text/plain', size: 1 }
const findUpload = async (id: string) => (id === 'known' ? { part, sha256: 'a'.repeat(64) } : undefined)

/** Throws for what is neither an event that can be stored nor a coded refusal. */
async function swallow(body: Buffer): Promise<void> {
  const told = await decode(body, 'evt_1', { userSubject: '', openPlatform: '' }, findUpload).catch((error) => {
    assert.ok(error instanceof HubError && /^(HUB_REQUEST_INVALID|APP_[A-Z_]+)$/.test(error.code), `${(error as Error).stack}`)
    return undefined
  })
  for (const event of told?.events ?? []) {
    assert.ok(event.externalId.length > 0, 'it has a name')
    assert.ok(event.from.externalId.length > 0 && event.from.externalId.length <= 190, 'the sender fits')
    if (event.kind === 'message' || event.kind === 'echo') {
      assert.ok(event.parts.length > 0)
      for (const one of event.parts) assert.ok(Value.Check(MessagePart, one), JSON.stringify(one).slice(0, 500))
      assert.ok(!event.sentAt || !Number.isNaN(event.sentAt.getTime()), 'its time is one')
    }
    if (event.kind === 'activity') assert.ok(!event.at || !Number.isNaN(event.at.getTime()), 'its time is one')
  }
}

const anything = fc.anything({ withNullPrototype: false, maxDepth: 3 })
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), anything)
const name = fc.oneof({ weight: 3, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 160 }) }, anything)
const time = fc.oneof(fc.constantFrom('2026-03-01T10:00:00Z', '2026-02-31T25:61:61Z', '0000-00-00T00:00:00+99:99', '9999-12-31T23:59:59.999999999Z'), anything)
const person = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        externalId: name,
        role: fc.constantFrom('customer', 'agent', 'bot', 'root'),
        name: text,
        phone: text,
        email: text,
        unionId: text,
        userId: text,
        verified: fc.boolean(),
      },
      { requiredKeys: ['externalId'] },
    ),
  },
  anything,
)
const content = fc.oneof(
  fc.record({ type: fc.constant('text'), text }),
  fc.record(
    {
      type: fc.constantFrom('image', 'audio', 'video', 'file'),
      url: fc.oneof(fc.webUrl(), text),
      uploadId: fc.constantFrom('known', 'unknown'),
      sha256: fc.constantFrom('a'.repeat(64), 'zz'),
      name: text,
    },
    { requiredKeys: ['type'] },
  ),
  fc.record({ type: fc.constant('location'), lat: fc.oneof(fc.double(), anything), lng: fc.oneof(fc.double(), anything), name: text }),
  fc.record({ type: fc.constant('link'), url: fc.oneof(fc.webUrl(), text), title: text }),
  fc.record({ type: fc.constant('card'), kind: text, title: text, fields: fc.array(fc.record({ label: text, value: text }), { maxLength: 4 }) }),
  fc.record({ type: fc.constantFrom('event', 'html', 'remote', '__proto__'), name: text }),
  anything,
)
const data = fc.record(
  {
    externalMessageId: name,
    conversation: fc.oneof(fc.record({ externalId: name, subject: text }), anything),
    sender: person,
    recipient: person,
    content: fc.oneof(fc.array(content, { maxLength: 4 }), anything),
    sentAt: time,
    replyToExternalId: name,
    context: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())), anything),
    code: text,
    reason: text,
    text,
    externalCallId: name,
    direction: fc.constantFrom('in', 'out', 'up'),
    from: text,
    to: text,
    customer: person,
    startedAt: time,
    answeredAt: time,
    endedAt: time,
    ringSec: anything,
    talkSec: fc.oneof(fc.double(), anything),
    result: fc.constantFrom('answered', 'missed', 'voicemail', 'exploded'),
    note: text,
    recording: fc.oneof(fc.record({ url: text, uploadId: fc.constantFrom('known', 'unknown') }), anything),
    transcript: fc.oneof(fc.array(fc.record({ speaker: text, startMs: fc.integer(), text }), { maxLength: 4 }), anything),
    externalFormId: name,
    title: text,
    fields: fc.oneof(fc.array(fc.record({ label: text, value: text }), { maxLength: 4 }), anything),
    page: text,
  },
  { requiredKeys: ['sender'] },
)
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? String(one) : one)) ?? 'null')

/** A body with the right names and anything behind them, or no body at all. */
export const hostileBody: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record(
        { type: fc.oneof(fc.constantFrom(...Object.keys(types), '__proto__', 'toString'), text), timestamp: time, data },
        { requiredKeys: ['type', 'data'] },
      )
      .map(json),
  },
  { weight: 1, arbitrary: anything.map(json) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
)

test('bodies with anything in them', () => fc.assert(fc.asyncProperty(hostileBody, swallow), { numRuns, seed }))
