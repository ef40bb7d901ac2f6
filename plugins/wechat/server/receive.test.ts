import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawRequest } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { type WechatAccountOptions, WechatServer } from '@huike/core/sdk/testing.ts'
import { Value } from 'typebox/value'
import { inboxSettings, type WechatInbox } from './inbox-settings.ts'
import { receivePush } from './receive.ts'

const server = new WechatServer()
server.url = 'https://api.weixin.qq.com'
const person = { openid: 'oia2TjuEGTNoeX76QEjQNrcURxG8' }

function world(options: WechatAccountOptions = {}) {
  const account = server.account(options)
  const inbox = { id: 'i1', name: '测试', settings: Value.Default(inboxSettings, account.settings) } as WechatInbox
  const request = (over: Partial<RawRequest>): RawRequest => ({
    method: 'POST',
    url: '/',
    query: {},
    headers: {},
    body: Buffer.alloc(0),
    ip: '1.1.1.1',
    ...over,
  })
  const post = ({ query, body }: { query: string; body: string }, over: Partial<RawRequest> = {}) =>
    receivePush(request({ query: Object.fromEntries(new URLSearchParams(query)), body: Buffer.from(body), ...over }), inbox)
  const fields = {
    ToUserName: account.originalId,
    FromUserName: person.openid,
    CreateTime: 1_780_000_000,
    MsgType: 'text',
    Content: '你好',
    MsgId: 22_876_340_532_172_987n,
  }
  return { account, inbox, request, post, fields }
}
const refused = (code: string) => (error: unknown) => error instanceof HubError && error.code === code
const unverified = refused('HUB_CHANNEL_UNVERIFIED')

for (const mode of ['plain', 'compatible', 'safe'] as const)
  for (const format of ['xml', 'json'] as const)
    test(`${mode} mode, ${format}: the message comes out as it went in, and the platform hears success`, () => {
      const { account, post, fields } = world({ mode, format })
      const { events, reply } = post(account.seal(fields))
      assert.deepEqual(reply, { body: 'success' })
      assert.deepEqual(
        events.map((event) => [event.externalId, event.from.externalId, event.kind === 'message' && event.parts]),
        [['22876340532172987', person.openid, [{ type: 'text', text: '你好' }]]],
      )
    })

test('the check of the address: the echo comes back as it is, only when signed', () => {
  const { account, inbox, request } = world()
  const query = { ...Object.fromEntries(new URLSearchParams(account.seal({}).query)), echostr: '78901<b>' }
  assert.deepEqual(receivePush(request({ method: 'GET', query }), inbox), { events: [], reply: { type: 'text/plain; charset=utf-8', body: '78901<b>' } })
  assert.throws(() => receivePush(request({ method: 'GET', query: { ...query, nonce: '1' } }), inbox), unverified)
  assert.throws(() => receivePush(request({ method: 'GET', query: {} }), inbox), unverified)
})

test('a wrong signature is refused in every mode', () => {
  for (const mode of ['plain', 'compatible', 'safe'] as const) {
    const { account, post, fields } = world({ mode })
    const { query, body } = account.seal(fields)
    for (const name of ['timestamp', 'nonce', mode === 'plain' ? 'signature' : 'msg_signature']) {
      const changed = new URLSearchParams(query)
      changed.set(name, '1')
      assert.throws(() => post({ query: changed.toString(), body }), unverified, `${mode} ${name}`)
      changed.delete(name)
      assert.throws(() => post({ query: changed.toString(), body }), unverified, `${mode} without ${name}`)
    }
  }
})

test('in safe mode a plain push is refused, however well it is signed', () => {
  const { account, post, fields } = world({ mode: 'safe' })
  assert.throws(() => post(account.seal(fields, { mode: 'plain' })), unverified)
})

test('in compatible mode the sealed copy is believed, not the words beside it', () => {
  const { account, post, fields } = world({ mode: 'compatible' })
  const { query, body } = account.seal(fields)
  const { events } = post({ query, body: body.replace('你好', '转账给我') })
  assert.deepEqual(events[0]?.kind === 'message' && events[0].parts, [{ type: 'text', text: '你好' }])
})

test('a push for another account is refused, by its name or by its AppID', () => {
  const { account, post, fields } = world()
  assert.throws(() => post(account.seal({ ...fields, ToUserName: 'gh_other' })), unverified)
  const other = server.account()
  Object.assign(other, { token: account.token, aesKey: account.aesKey })
  assert.throws(() => post(other.seal(fields)), unverified)
})

test('an inbox that is not set up yet takes nothing', () => {
  const { account, inbox, post, fields } = world()
  const sealed = account.seal(fields)
  Object.assign(inbox.settings, { encodingAesKey: '' })
  assert.throws(() => post(sealed), unverified)
  Object.assign(inbox.settings, { token: '' })
  assert.throws(() => post(sealed), unverified)
})

test('a repeated query name is nobody’s signature', () => {
  const { account, post, fields } = world({ mode: 'plain' })
  const { query, body } = account.seal(fields)
  const lists = { ...Object.fromEntries(new URLSearchParams(query)), signature: ['a', 'b'] } as unknown as Record<string, string>
  assert.throws(() => post({ query: '', body }, { query: lists }), unverified)
})

test('what is signed and cannot be read is a bad request, not an error of ours', () => {
  const { account, inbox, post } = world({ mode: 'plain' })
  Object.assign(inbox.settings, { originalId: '' })
  const { query } = account.seal({})
  for (const body of ['', 'x', '<xml>', '{', '<xml></xml>', '<!DOCTYPE x><xml/>'])
    assert.throws(() => post({ query, body }), refused('HUB_REQUEST_INVALID'), body)
  assert.throws(() => post({ query, body: 'x'.repeat(300_000) }), refused('HUB_REQUEST_TOO_LARGE'))
})
