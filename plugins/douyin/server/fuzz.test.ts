/**
 * Hostile webhook bodies: signed, so that they reach the decoder. Whatever comes, it is an event or a coded refusal: no
 * crash, no other error, no event that the hub could not store. Short and seeded here; FUZZ_INPUTS=100000 for the long form
 * (FUZZ_SEED for another one).
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { HubError } from '@huike/core/sdk/errors.ts'
import { MessagePart } from '@huike/core/sdk/message-parts.ts'
import fc from 'fast-check'
import { Value } from 'typebox/value'
import { decode } from './decode.ts'
import { isSigned } from './signature.ts'

/** A third for each kind of input below. */
const numRuns = Math.ceil(Number(process.env.FUZZ_INPUTS ?? 6_000) / 3)
const seed = Number(process.env.FUZZ_SEED ?? 20_260_301)
const fixtures = join(import.meta.dirname, '../fixtures')
const samples = readdirSync(fixtures)
  .filter((name) => name.endsWith('.json'))
  .map((name) => readFileSync(join(fixtures, name), 'utf8'))
const ours = (openId: string) => openId === '_000operator'

/** Throws for what is neither an event that can be stored nor a coded refusal. */
function swallow(body: Buffer, messageId: string | undefined): void {
  let decoded: ReturnType<typeof decode>
  try {
    decoded = decode(body, messageId, ours)
  } catch (error) {
    assert.ok(error instanceof HubError && error.code === 'HUB_REQUEST_INVALID', `${(error as Error).stack}`)
    return
  }
  if (decoded.kind === 'challenge') assert.doesNotThrow(() => JSON.parse(decoded.body))
  if (decoded.kind !== 'event') return
  const { event } = decoded
  assert.ok(event.externalId.length > 0 && event.externalId.length <= 190, 'its id fits')
  assert.ok(event.from.externalId.length > 0 && event.from.externalId.length <= 190, 'the sender fits')
  if (event.kind === 'message' || event.kind === 'echo') {
    assert.ok(event.parts.length > 0)
    for (const part of event.parts) assert.ok(Value.Check(MessagePart, part), JSON.stringify(part).slice(0, 500))
    assert.ok(!event.sentAt || !Number.isNaN(event.sentAt.getTime()))
  }
  if (event.kind === 'activity') assert.ok(JSON.stringify(event.params ?? {}).length < 50_000)
}

const types = ['text', 'emoji', 'image', 'video', 'user_local_image', 'user_local_video', 'retain_consult_card', 'other', 'x']
const events = [...new Set(samples.map((sample) => (JSON.parse(sample) as { event: string }).event)), 'verify_webhook', '__proto__', 'constructor', 'toString']
const anything = fc.anything({ withNullPrototype: false, maxDepth: 4 })
/** A push with the right names and anything behind them. */
const content = fc.record(
  {
    message_type: fc.oneof(fc.constantFrom(...types), anything),
    text: fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), anything),
    server_message_id: fc.oneof(fc.string({ maxLength: 400 }), anything),
    conversation_short_id: fc.oneof(fc.string({ maxLength: 400 }), anything),
    create_time: fc.oneof(fc.double(), fc.bigInt().map(String), anything),
    user_infos: fc.oneof(
      fc.array(fc.record({ open_id: fc.constantFrom('_000customer', 'x'), nick_name: fc.string({ unit: 'binary', maxLength: 200 }), avatar: anything }), {
        maxLength: 5,
      }),
      anything,
    ),
    card_data: fc.oneof(
      fc.array(fc.record({ label: fc.constantFrom('手机号', '姓名', ''), value: fc.string({ maxLength: 2_000 }) }), { maxLength: 80 }),
      anything,
    ),
    resource_url: fc.oneof(fc.string({ maxLength: 4_000 }), anything),
    ad_info: anything,
    'data-im-extra': fc.oneof(fc.json(), anything),
    item_id: anything,
    challenge: anything,
  },
  { requiredKeys: [] },
)
const push = fc.record(
  {
    event: fc.oneof(fc.constantFrom(...events), fc.string()),
    from_user_id: fc.oneof(fc.constantFrom('_000customer', '_000operator', ''), fc.string({ maxLength: 300 }), anything),
    to_user_id: fc.oneof(fc.constantFrom('_000operator', ''), anything),
    content: fc.oneof(
      content,
      content.map((value) => safeJson(value)),
      anything,
    ),
  },
  { requiredKeys: ['event'] },
)
const safeJson = (value: unknown): string => JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? String(one) : one)) ?? 'null'
/** A real push with some of its bytes changed, left out, doubled, or its end cut off. */
const damaged = fc
  .tuple(
    fc.constantFrom(...samples),
    fc.array(fc.tuple(fc.nat(2_000), fc.constantFrom('flip', 'drop', 'double', 'cut'), fc.nat(255)), { minLength: 1, maxLength: 8 }),
  )
  .map(([sample, changes]) => {
    let bytes = Buffer.from(sample)
    for (const [at, how, value] of changes) {
      const i = bytes.length === 0 ? 0 : at % bytes.length
      if (how === 'flip' && bytes.length > 0) bytes[i] = value
      else if (how === 'drop') bytes = Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + 1)])
      else if (how === 'double') bytes = Buffer.concat([bytes.subarray(0, i), bytes])
      else bytes = bytes.subarray(0, i)
    }
    return bytes
  })
const id = fc.option(fc.string({ unit: 'binary', maxLength: 400 }), { nil: undefined })

test('pushes with anything in them', () => {
  fc.assert(
    fc.property(push, id, (value, messageId) => swallow(Buffer.from(safeJson(value)), messageId)),
    { numRuns, seed },
  )
})

test('real pushes, damaged', () => {
  fc.assert(
    fc.property(damaged, id, (bytes, messageId) => swallow(bytes, messageId)),
    { numRuns, seed },
  )
})

test('bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.string(), (bytes, signature) => {
      swallow(Buffer.from(bytes), undefined)
      assert.equal(isSigned('secret', Buffer.from(bytes), signature), false)
    }),
    { numRuns, seed },
  )
})

test('deep and wide bodies neither crash nor grow', () => {
  for (const body of [
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `{"event":"im_receive_msg","from_user_id":"c","content":${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}}`,
    JSON.stringify({ event: 'im_receive_msg', from_user_id: 'c', content: { message_type: 'text', text: '🛋'.repeat(60_000) } }),
    JSON.stringify({
      event: 'im_enter_direct_msg',
      from_user_id: 'c',
      content: { ad_info: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, 'v'.repeat(10)])) },
    }),
    JSON.stringify({
      event: 'im_receive_msg',
      from_user_id: 'c',
      content: { message_type: 'retain_consult_card', card_data: Array.from({ length: 5_000 }, () => ({ label: '手机号', value: '1'.repeat(20) })) },
    }),
  ])
    swallow(Buffer.from(body), 'm')
})
