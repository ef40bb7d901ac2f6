/**
 * What anybody may send to the channels that speak JSON (the signed channel for apps, the website), through the whole hub:
 * bodies, headers, tokens, queries. No crash, no 500, no unbounded memory. The same inputs each time; FUZZ_INPUTS for more,
 * FUZZ_SEED for others. WeChat, Douyin and mail have their own; `npm run chaos -- --fuzz N` runs them all.
 */
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import appPlugin from '../../plugins/app/plugin.ts'
import websitePlugin from '../../plugins/website/plugin.ts'
import { createDice, type Dice, pick } from '../chaos/tools.ts'
import { makePlace } from '../support/profiles.ts'
import { found, startWorld, type World } from '../support/world.ts'

const inputs = Number(process.env.FUZZ_INPUTS ?? 1_200)
const seed = Number(process.env.FUZZ_SEED ?? 20_260_528)

const below = (dice: Dice, n: number): number => Math.floor(dice() * n)
const one = <T>(dice: Dice, from: readonly T[]): T => pick(dice, from) as T

const sender = { externalId: 'user-7', role: 'customer', name: '林小满', phone: '13800138000', email: 'lin@example.cn', unionId: 'u7', verified: true }
const call = { externalCallId: 'call-1', direction: 'in', from: '13800138000', to: '057188886666', startedAt: '2026-03-01T10:00:00Z', result: 'answered' }
const content = [
  { type: 'text', text: '茶几还有货吗' },
  { type: 'image', url: 'https://127.0.0.1:1/a.png', mime: 'image/png', size: 10 },
  { type: 'file', url: 'https://127.0.0.1:1/a.pdf', name: 'a.pdf', sha256: 'a'.repeat(64) },
  { type: 'location', lat: 30.2, lng: 120.1, name: '杭州' },
  { type: 'link', url: 'https://shop.example.cn/1', title: '茶几' },
  { type: 'card', title: '订单', fields: [{ label: '单号', value: '2026' }] },
  { type: 'event', name: 'wave' },
]
const events: readonly { type: string; data: Record<string, unknown> }[] = [
  ...['message.created', 'message.edited'].map((type) => ({
    type,
    data: {
      externalMessageId: 'm-1',
      conversation: { externalId: 'chat-7', subject: '咨询' },
      sender,
      content,
      replyToExternalId: 'm-0',
      context: { page: '/a', n: 1 },
    },
  })),
  { type: 'message.created', data: { externalMessageId: 'm-3', sender, content: [{ type: 'image', uploadId: '01J00000000000000000000000' }] } },
  { type: 'message.created', data: { externalMessageId: 'm-2', sender: { externalId: 'bot', role: 'bot' }, recipient: sender, content: content.slice(0, 1) } },
  ...['message.recalled', 'message.delivered', 'message.read'].map((type) => ({ type, data: { sender, externalMessageId: 'm-1' } })),
  { type: 'message.failed', data: { sender, externalMessageId: 'm-1', code: 'x', reason: 'y' } },
  { type: 'typing.started', data: { sender, text: '我想' } },
  { type: 'session.entered', data: { sender, page: '/goods/1', campaign: 'spring' } },
  ...['contact.updated', 'contact.unsubscribed'].map((type) => ({ type, data: { sender } })),
  ...['call.started', 'call.ended'].map((type) => ({
    type,
    data: { ...call, customer: sender, note: '回访', transcript: [{ speaker: 'a', startMs: 0, text: '喂' }] },
  })),
  { type: 'call.recording.ready', data: { ...call, recording: { url: 'https://127.0.0.1:1/r.wav' } } },
  { type: 'form.submitted', data: { sender, externalFormId: 'f-1', title: '预约', fields: [{ label: '时间', value: '周六' }] } },
]

const nasty: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  Number.MIN_VALUE,
  '',
  ' ',
  '\u0000',
  '\ud83d',
  '𠮷🎉',
  'x'.repeat(5_000),
  '\r\nX-Injected: 1',
  "' or 1=1 --",
  '<script>alert(1)</script>',
  'javascript:alert(1)',
  'file:///etc/passwd',
  'http://169.254.169.254/',
  'https://[::1]:1/',
  '0000-00-00T00:00:00Z',
  '9999-12-31T23:59:59.999+99:99',
  '__proto__',
  [],
  {},
  [[[[[[[[]]]]]]]],
  { constructor: { prototype: { polluted: true } } },
  Array.from({ length: 100 }, () => 'x'),
]

/** Somewhere in it something else: another value, a value gone, a name changed, an item many times. */
function bend(dice: Dice, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || dice() < 0.15) return dice() < 0.5 ? one(dice, nasty) : bendText(dice, value)
  if (Array.isArray(value)) {
    if (value.length === 0 || dice() < 0.2) return Array.from({ length: below(dice, 60) }, () => value[0] ?? one(dice, nasty))
    const at = below(dice, value.length)
    return value.map((item, i) => (i === at ? bend(dice, item) : item))
  }
  const entries = Object.entries(value)
  const at = below(dice, entries.length + 1)
  const luck = dice()
  if (at === entries.length || luck < 0.1) return { ...value, [String(one(dice, nasty)).slice(0, 200)]: one(dice, nasty) }
  if (luck < 0.2) return Object.fromEntries(entries.filter((_, i) => i !== at))
  return Object.fromEntries(entries.map(([name, item], i) => [name, i === at ? bend(dice, item) : item]))
}
const bendText = (dice: Dice, value: unknown): unknown =>
  typeof value === 'string'
    ? value.slice(0, below(dice, value.length + 1)) + String.fromCharCode(below(dice, 0x10000)) + value.slice(below(dice, value.length + 1))
    : [value]

/** Its bytes: mostly whole, else cut, doubled, turned, or no JSON at all. */
function bytesOf(dice: Dice, value: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(value) ?? '')
  const at = below(dice, bytes.length + 1)
  switch (below(dice, 14)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(dice, 256)]), bytes.subarray(at)])
    case 2:
      return Buffer.from(Array.from({ length: below(dice, 400) }, () => below(dice, 256)))
    case 3:
      return Buffer.from(`${'['.repeat(below(dice, 20_000))}1`)
    case 4:
      return Buffer.from(`{"type":"message.created","data":${'{"a":'.repeat(below(dice, 5_000))}1`)
    case 5:
      return Buffer.from(bytes.toString().replace('"data":', '"__proto__":{"x":1},"data":'))
    case 6:
      return dice() < 0.1 ? Buffer.concat([bytes, Buffer.alloc(300_000, 32)]) : bytes
    default:
      return bytes
  }
}

describe(`JSON channels, ${inputs} inputs from seed ${seed}`, () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  let world: World
  before(async () => {
    world = await startWorld(await makePlace('embedded'), [found(appPlugin), found(websitePlugin)])
  })
  after(async () => {
    await world.running.stop()
    await world.place.remove()
  })

  /** Straight into the server, from an address of its own: what is tried here is no limit of requests. */
  let address = 0
  async function ask(method: 'GET' | 'POST', url: string, headers: Record<string, string>, payload: Buffer | undefined) {
    address++
    const remoteAddress = `127.${1 + (address >> 16)}.${(address >> 8) & 255}.${address & 255}`
    const { statusCode, body } = await world.running.app.inject({ method, url, headers, remoteAddress, ...(payload ? { payload } : {}) })
    return { status: statusCode, body }
  }
  /** A yes or a coded no. */
  function judge(what: string, { status, body }: { status: number; body: string }, seen: Record<number, number>): void {
    seen[status] = (seen[status] ?? 0) + 1
    assert.ok(status < 500, `${what}: ${status} ${body.slice(0, 300)}`)
    if (status >= 400) assert.match(String(JSON.parse(body).code), /^(HUB|APP)_[A-Z_]+$/, `${what}: ${body.slice(0, 300)}`)
  }
  const grown = (from: number): void => {
    const more = (process.memoryUsage().rss - from) / 1024 / 1024
    assert.ok(more < 600, `${Math.round(more)} MB more`)
  }

  test('the signed channel', { timeout: Math.max(120_000, inputs * 60) }, async () => {
    const { id } = await world.inbox('app', { secret })
    const dice = createDice(seed)
    const seen: Record<number, number> = {}
    const memory = process.memoryUsage().rss
    const post = (body: Buffer, webhookId: string, bent: Record<string, string> = {}, path = `/api/channels/app/${id}`) => {
      const timestamp = String(Math.floor(Date.now() / 1_000))
      const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
        .update(`${webhookId}.${timestamp}.`)
        .update(body)
        .digest('base64')
      const headers = {
        'content-type': 'application/json',
        'webhook-id': webhookId,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${signature}`,
        ...bent,
      }
      return ask('POST', path, headers, body)
    }
    for (let i = 0; i < Math.ceil(inputs * 0.6); i++) {
      const event = one(dice, events)
      const own = JSON.parse(JSON.stringify(event).replace(/"(m|f|call)-\d"/g, `"$1-${i}"`))
      const value = dice() < 0.1 ? own : dice() < 0.8 ? { ...own, data: bend(dice, bend(dice, own.data)) } : bend(dice, own)
      const unheard = dice() < 0.1
      const name = one(dice, ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'content-type', 'x-file-name'])
      // A header of a request holds no line break: nobody can send one.
      const bent = unheard
        ? {
            [name]: String(one(dice, nasty))
              .replace(/[^\x20-\x7e]/g, '?')
              .slice(0, 2_000),
          }
        : {}
      const webhookId = dice() < 0.05 ? 'again' : `w-${i}`
      const path = dice() < 0.05 ? `/api/x/app/inboxes/${id}/uploads` : undefined
      judge(`input ${i} of seed ${seed}`, await post(bytesOf(dice, value), webhookId, bent, path), seen)
    }
    for (const status of [202, 400, 401]) assert.ok((seen[status] ?? 0) > 0, JSON.stringify(seen))
    grown(memory)
    const fine = await post(Buffer.from(JSON.stringify(events[0])), 'the-last')
    assert.equal(fine.status, 202, fine.body)
  })

  test('the website', { timeout: Math.max(120_000, inputs * 60) }, async () => {
    const { id } = await world.inbox('website')
    const dice = createDice(seed + 1)
    const seen: Record<number, number> = {}
    const memory = process.memoryUsage().rss
    const base = '/api/x/website'
    const json = { 'content-type': 'application/json' }
    const made = Array.from({ length: 40 }, () => ask('POST', `${base}/inboxes/${id}/session`, json, Buffer.from('{}')))
    const tokens = (await Promise.all(made)).map(({ body }) => JSON.parse(body).token as string)
    const visitId = '0'.repeat(26)
    const bodies: Record<string, object> = {
      '/messages': { clientId: 'a-client-id', parts: [{ type: 'text', text: '在吗' }], visitId, contact: { name: '李雷', address: '13800138000' } },
      '/receipts': { conversationId: visitId, seq: 1, status: 'read' },
      '/rating': { conversationId: visitId, rating: 3, comment: '好' },
      [`/inboxes/${id}/beat`]: { visitId, url: 'https://shop.example.cn/', title: '茶', referrer: '', token: tokens[0] },
      [`/inboxes/${id}/session`]: { token: tokens[0], identity: 'a.b.c' },
    }
    for (let i = 0; i < Math.floor(inputs * 0.4); i++) {
      const path = one(dice, Object.keys(bodies))
      const token = dice() < 0.9 ? one(dice, tokens) : String(one(dice, nasty)).replace(/[^\x20-\x7e]/g, '?')
      const headers = { ...json, authorization: `Bearer ${token}` }
      const body = { ...bodies[path], ...(path === '/messages' ? { clientId: `client-${i}` } : {}) }
      if (dice() < 0.1) {
        const query = new URLSearchParams({ [one(dice, ['cursor', 'before'])]: String(one(dice, nasty)).slice(0, 300) })
        judge(`input ${i} of seed ${seed}`, await ask('GET', `${base}/thread?${query}`, headers, undefined), seen)
      } else
        judge(`input ${i} of seed ${seed}`, await ask('POST', base + path, headers, bytesOf(dice, dice() < 0.15 ? body : bend(dice, bend(dice, body)))), seen)
    }
    for (const status of [200, 400, 401]) assert.ok((seen[status] ?? 0) > 0, JSON.stringify(seen))
    grown(memory)
    assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  })
})
