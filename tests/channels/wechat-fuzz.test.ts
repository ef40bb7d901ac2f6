/**
 * What anybody may send to a callback: bodies, XML, JSON, query parameters, envelopes. No crash, no 500, no unbounded
 * memory or time. The same inputs each time; FUZZ_INPUTS=100000 for the long form, FUZZ_SEED for others.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Value } from 'typebox/value'
import type { RawRequest } from '../../core/sdk/channel.ts'
import { HubError } from '../../core/sdk/errors.ts'
import { MessagePart } from '../../core/sdk/message-parts.ts'
import { sealText, type WechatAccount, WechatServer } from '../../core/sdk/testing.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import { inboxSettings, type WechatInbox } from '../../plugins/wechat/server/inbox-settings.ts'
import { receivePush } from '../../plugins/wechat/server/receive.ts'
import { makePlace } from '../support/profiles.ts'
import { found, startWorld, type World } from '../support/world.ts'

const inputs = Number(process.env.FUZZ_INPUTS ?? 4_000)
const seed = Number(process.env.FUZZ_SEED ?? 20_260_528)

/** mulberry32: small, and the same everywhere. */
function dice(state: number) {
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T
  return { below, pick }
}
type Dice = ReturnType<typeof dice>

const folder = new URL('../../plugins/wechat/fixtures/', import.meta.url)
const samples = readdirSync(folder)
  .filter((name) => /\.(xml|json)$/.test(name))
  .sort()
  .map((name) => readFileSync(new URL(name, folder), 'utf8'))

const nasty = [
  '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
  '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
  '&a;',
  '&#0;',
  '&#xD800;',
  '&#99999999;',
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '<?xml version="1.0"?>',
  '</xml>',
  '<xml>',
  '<__proto__>',
  '"__proto__":{"x":1},',
  '"constructor":null,',
  '\u0000',
  '\uFFFF',
  '\uD83D',
  '𠮷🎉',
  '22876340532172987',
  '1e999',
  '-0',
  'NaN',
  '[[[[[[[[[[',
  '{"a":'.repeat(30),
  '<a>'.repeat(30),
  '<MsgType>event</MsgType>',
  '<Event>subscribe</Event>',
  '<FromUserName>x</FromUserName>',
  'A'.repeat(5_000),
  '　',
] as const

/** A valid push with something done to it: cut, doubled, turned, filled with what breaks readers. */
function mutate({ below, pick }: Dice, text: string): string {
  let out = text
  for (let i = below(4); i >= 0; i--) {
    const at = below(out.length + 1)
    const to = at + below(40)
    switch (below(7)) {
      case 0:
        out = out.slice(0, at)
        break
      case 1:
        out = out.slice(0, at) + pick(nasty) + out.slice(at)
        break
      case 2:
        out = out.slice(0, at) + pick(nasty) + out.slice(to)
        break
      case 3:
        out = out.slice(0, at) + out.slice(to)
        break
      case 4:
        out = out.slice(0, to) + out.slice(at, to).repeat(below(50)) + out.slice(to)
        break
      case 5:
        out = out.slice(0, at) + String.fromCharCode(below(0x10000)) + out.slice(at + 1)
        break
      default:
        out = pick(samples).slice(0, at) + out.slice(at)
    }
    // Growing without end would test the fuzzer.
    out = out.slice(0, 400_000)
  }
  return out
}

function grow({ below, pick }: Dice, depth: number): string {
  if (depth <= 0) return pick(nasty)
  const name = pick(['a', 'MsgType', 'Event', 'Content', 'List', 'FromUserName'])
  return `<${name}>${Array.from({ length: below(4) }, () => (below(2) ? grow({ below, pick }, depth - 1) : 'x')).join('')}</${name}>`
}

const sign = (...parts: string[]) =>
  createHash('sha1')
    .update(parts.sort((a, b) => (a < b ? -1 : 1)).join(''))
    .digest('hex')

/** One request to a callback, most of them signed as WeChat would, so that what lies behind the signature is reached. */
function makeRequest(roll: Dice, account: WechatAccount): { method: string; query: Record<string, string>; body: Buffer } {
  const { below, pick } = roll
  const [timestamp, nonce] = [String(below(2 ** 31)), String(below(2 ** 31))]
  const base = { timestamp, nonce, signature: sign(account.token, timestamp, nonce) }
  const content = below(8) === 0 ? grow(roll, below(14)) : below(10) === 0 ? pick(samples) : mutate(roll, pick(samples))
  const random = () => Buffer.from(Array.from({ length: below(300) }, () => below(256)))
  if (below(40) === 0) return { method: 'GET', query: { ...base, echostr: pick(nasty) }, body: Buffer.alloc(0) }
  if (account.mode === 'plain') {
    const query: Record<string, string> = below(12) ? base : { ...base, [pick(Object.keys(base))]: pick(nasty) }
    return { method: 'POST', query, body: below(15) ? Buffer.from(content) : random() }
  }
  let sealed = sealText(content.replace(/gh_\w+/, account.originalId), account.aesKey, account.appId)
  if (below(3) === 0) {
    const bytes = below(4) ? Buffer.from(sealed, 'base64') : random()
    for (let i = below(5); i > 0 && bytes.length > 0; i--) bytes[below(bytes.length)] = below(256)
    sealed = bytes.subarray(0, below(3) ? bytes.length : below(bytes.length + 1)).toString('base64')
  }
  if (below(20) === 0) sealed = pick(nasty)
  const query = { ...base, encrypt_type: 'aes', msg_signature: below(15) ? sign(account.token, timestamp, nonce, sealed) : pick(nasty) }
  const envelope = `<xml><ToUserName><![CDATA[${account.originalId}]]></ToUserName><Encrypt><![CDATA[${sealed}]]></Encrypt></xml>`
  return { method: 'POST', query, body: Buffer.from(below(15) ? envelope : mutate(roll, envelope)) }
}

describe(`wechat callbacks, ${inputs} inputs from seed ${seed}`, () => {
  const server = new WechatServer()
  server.url = 'https://api.weixin.qq.com'

  test('the reader: an event that fits the contract or a coded refusal, never anything else', () => {
    const roll = dice(seed)
    const seen: Record<string, number> = {}
    let slowest = 0
    const accounts = (['plain', 'safe', 'compatible'] as const).map((mode) => server.account({ mode }))
    const inboxes = accounts.map(
      // Samples are of many accounts: the plain one takes them all.
      (account) =>
        ({
          id: 'i',
          name: 'f',
          settings: Value.Default(inboxSettings, { ...account.settings, ...(account.mode === 'plain' ? { originalId: '' } : {}) }),
        }) as WechatInbox,
    )
    const memory = process.memoryUsage().rss
    for (let i = 0; i < inputs; i++) {
      const which = roll.below(3)
      const request: RawRequest = { url: '/', headers: {}, ip: '', ...makeRequest(roll, accounts[which] as WechatAccount) }
      const started = performance.now()
      try {
        const { events } = receivePush(request, inboxes[which] as WechatInbox)
        for (const event of events) {
          assert.ok(event.externalId.length > 0 && event.externalId.length <= 190 && event.from.externalId.length <= 190)
          if (event.kind === 'message')
            for (const part of event.parts) assert.ok(Value.Check(MessagePart, part), `input ${i}: ${JSON.stringify(part).slice(0, 300)}`)
          // It goes into a JSON column.
          JSON.parse(JSON.stringify(event))
          seen[event.kind] = (seen[event.kind] ?? 0) + 1
        }
      } catch (error) {
        if (!(error instanceof HubError) || error.kind.status >= 500) throw new Error(`input ${i} of seed ${seed}`, { cause: error })
        seen[error.code] = (seen[error.code] ?? 0) + 1
      }
      slowest = Math.max(slowest, performance.now() - started)
    }
    // All that is behind the door was reached.
    for (const kind of ['message', 'activity', 'HUB_CHANNEL_UNVERIFIED', 'HUB_REQUEST_INVALID'])
      assert.ok((seen[kind] ?? 0) > inputs / 100, `${kind}: ${JSON.stringify(seen)}`)
    assert.ok(slowest < 1_000, `one input took ${slowest} ms`)
    const grown = (process.memoryUsage().rss - memory) / 1024 / 1024
    assert.ok(grown < 300, `${grown} MB more`)
  })

  describe('through the hub', () => {
    let world: World
    before(async () => {
      world = await startWorld(await makePlace('embedded'), [found(wechat)])
    })
    after(async () => {
      await world.running.stop()
      await world.place.remove()
    })

    test('every answer is a yes or a coded no, and the hub lives on', async () => {
      const roll = dice(seed + 1)
      const account = server.account({ mode: 'plain' })
      const { id } = await world.inbox('wechat', { ...account.settings, originalId: '', appSecret: '' })
      const statuses: Record<number, number> = {}
      // Refused too often, an address is answered 429 from then on; what is behind the door runs all the same.
      for (let i = 0; i < Math.min(inputs / 20, 4_000); i++) {
        const { method, query, body } = makeRequest(roll, account)
        const search = new URLSearchParams(Object.fromEntries(Object.entries(query).map(([name, value]) => [name, value.slice(0, 2_000)])))
        if (roll.below(10) === 0) search.append(roll.pick([...search.keys()]), 'twice')
        const response = await fetch(`${world.url}/api/channels/wechat/${id}?${search}`, {
          method,
          ...(method === 'POST' ? { body: new Uint8Array(body) } : {}),
        })
        await response.arrayBuffer()
        statuses[response.status] = (statuses[response.status] ?? 0) + 1
        assert.ok(response.status < 500, `input ${i} of seed ${seed}: ${response.status}`)
      }
      assert.ok((statuses[200] ?? 0) > 0 && (statuses[400] ?? 0) > 0 && (statuses[401] ?? 0) > 0, JSON.stringify(statuses))
      account.callback = `${world.url}/api/channels/wechat/${id}`
      assert.equal((await account.text(account.person(), '还好吗')).userSawUnavailable, false)
    })
  })
})
