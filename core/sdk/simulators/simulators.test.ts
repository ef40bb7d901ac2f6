/** The simulators do what platforms do, item by item: a plugin that passes against them has met it. */
import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { DouyinServer, sealText, type WechatAccount, WechatServer } from '../testing.ts'

/** A hub that answers as it is told. */
class Receiver {
  readonly got: { body: string; query: URLSearchParams; headers: Record<string, unknown> }[] = []
  answer: () => { status: number; body: string; afterMs?: number } = () => ({ status: 200, body: 'success' })
  readonly #server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    this.got.push({ body, query: new URL(request.url ?? '/', 'http://x').searchParams, headers: request.headers })
    const { status, body: said, afterMs = 0 } = this.answer()
    setTimeout(() => response.writeHead(status).end(said), afterMs)
  })
  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
    return this
  }
  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
let receiver: Receiver
before(async () => {
  receiver = await new Receiver().start()
})
after(() => receiver.stop())
beforeEach(() => {
  receiver.got.length = 0
  receiver.answer = () => ({ status: 200, body: 'success' })
})

describe('the WeChat server', () => {
  const server = new WechatServer()
  server.retryMs = 0
  before(() => server.start())
  after(() => server.stop())
  const open = (options = {}): WechatAccount => {
    const account = server.account(options)
    account.callback = receiver.url
    return account
  }
  const send = async (account: WechatAccount, touser: string, token?: string) => {
    const { access_token } = account.stableToken(account.secret, false) as { access_token: string }
    const response = await fetch(`${server.url}/cgi-bin/message/custom/send?access_token=${token ?? access_token}`, {
      method: 'POST',
      body: JSON.stringify({ touser, msgtype: 'text', text: { content: '您好' } }),
    })
    assert.equal(response.status, 200, 'errors too come with HTTP 200')
    return ((await response.json()) as { errcode: number }).errcode
  }

  test('pushes once more, three times, when the answer is late or wrong, and never after a good one', async () => {
    const account = open()
    assert.equal((await account.text(account.person(), '一')).attempts.length, 1)
    receiver.answer = () => ({ status: 200, body: '' })
    assert.equal((await account.text(account.person(), '空')).userSawUnavailable, false)
    for (const [status, body] of [
      [200, '{"ok":true}'],
      [500, 'success'],
    ] as const) {
      receiver.answer = () => ({ status, body })
      const { attempts, userSawUnavailable } = await account.text(account.person(), '二')
      assert.deepEqual([attempts.length, userSawUnavailable], [4, true])
    }
    server.patienceMs = 40
    receiver.answer = () => ({ status: 200, body: 'success', afterMs: receiver.got.length < 2 ? 200 : 0 })
    receiver.got.length = 0
    const late = await account.text(account.person(), '三')
    server.patienceMs = 5 * second
    assert.deepEqual([late.attempts.map(({ status }) => status), late.userSawUnavailable], [[0, 200], false])
  })

  test('the next push comes five seconds after the one before began', async (t) => {
    const account = open()
    receiver.answer = () => ({ status: 200, body: receiver.got.length < 3 ? 'wrong' : 'success' })
    server.retryMs = 60
    t.after(() => {
      server.retryMs = 0
    })
    const began = performance.now()
    await account.text(account.person(), '慢慢来')
    assert.ok(performance.now() - began >= 110)
    assert.equal(new WechatServer().retryMs, 5 * second)
  })

  test('a message can come several times at the same moment, under one MsgId', async () => {
    const account = open({ mode: 'plain' })
    await account.text(account.person(), '在吗', { repeats: 3 })
    assert.equal(new Set(receiver.got.map(({ body }) => /<MsgId>(\d+)/.exec(body)?.[1])).size, 1)
    assert.equal(receiver.got.length, 4)
  })

  test('every padding from 1 to 32 comes about', () => {
    const { aesKey, appId } = open()
    const key = Buffer.from(`${aesKey}=`, 'base64')
    const pads = new Set(
      Array.from({ length: 32 }, (_, i) => {
        const cipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
        return Buffer.concat([cipher.update(sealText('x'.repeat(i), aesKey, appId), 'base64'), cipher.final()]).at(-1)
      }),
    )
    assert.deepEqual(
      [...pads].sort((a, b) => Number(a) - Number(b)),
      [...Array(32).keys()].map((n) => n + 1),
    )
  })

  test('five replies within 48 hours, three in a minute after a tap or a follow', async () => {
    const account = open()
    const person = account.person()
    assert.equal(await send(account, person.openid), 45015)
    await account.text(person, '在吗')
    for (let i = 0; i < 5; i++) assert.equal(await send(account, person.openid), 0)
    assert.equal(await send(account, person.openid), 45047)
    await account.text(person, '还在吗')
    server.advance(48 * hour + second)
    assert.equal(await send(account, person.openid), 45015)
    for (const event of ['CLICK', 'SCAN', 'subscribe']) {
      await account.event(person, event)
      for (let i = 0; i < 3; i++) assert.equal(await send(account, person.openid), 0, event)
      assert.equal(await send(account, person.openid), 45047, event)
      server.advance(minute + second)
    }
    await account.event(person, 'unsubscribe')
    assert.equal(await send(account, person.openid), 45015)
  })

  test('a mini-program grants two in a minute after its service was entered; its ids are above 2^53', async () => {
    const account = open({ kind: 'mini', mode: 'compatible', format: 'json' })
    const person = account.person()
    await account.event(person, 'user_enter_tempsession', { SessionFrom: 'goods-17' })
    assert.deepEqual([await send(account, person.openid), await send(account, person.openid), await send(account, person.openid)], [0, 0, 45047])
    await account.text(person, '尺寸')
    const { body } = receiver.got.at(-1) ?? { body: '' }
    assert.ok(BigInt(/"MsgId":(\d+)/.exec(body)?.[1] ?? 0) > 2n ** 53n)
    const { Encrypt, Content } = JSON.parse(body)
    assert.ok(Encrypt && Content === '尺寸', 'compatible mode tells both')
  })

  test('a token that was forced kills the old one, twenty times a day, thirty seconds apart; else both live for five minutes', async () => {
    const account = open()
    const person = account.person()
    account.heard(person)
    const ask = (force = false) => account.stableToken(account.secret, force) as { access_token: string; expires_in: number; errcode?: number }
    const first = ask()
    assert.equal(ask().access_token, first.access_token)
    server.advance(7_200 * second - 4 * minute)
    const next = ask()
    assert.notEqual(next.access_token, first.access_token)
    assert.equal(await send(account, person.openid, first.access_token), 0)
    server.advance(5 * minute)
    assert.equal(await send(account, person.openid, first.access_token), 40001)
    const forced = ask(true)
    assert.equal(await send(account, person.openid, next.access_token), 40001)
    assert.equal(await send(account, person.openid, forced.access_token), 0)
    assert.equal(ask(true).errcode, 45011)
    for (let i = 1; i < 20; i++) {
      server.advance(31 * second)
      assert.equal(ask(true).errcode, undefined)
    }
    server.advance(31 * second)
    assert.equal(ask(true).errcode, 45009)
  })

  test('files end after three days, what is injected happens, and nobody answers while it is down', async () => {
    const account = open()
    const person = account.person()
    const media = account.file('image', Buffer.from('x'), 'image/png')
    const { access_token } = account.stableToken(account.secret, false)
    const get = () => fetch(`${server.url}/cgi-bin/media/get?access_token=${account.stableToken(account.secret, false).access_token}&media_id=${media}`)
    assert.equal(await (await get()).text(), 'x')
    server.advance(3 * 24 * hour + second)
    const gone = await get()
    assert.deepEqual([gone.status, ((await gone.json()) as { errcode: number }).errcode], [200, 40007])
    assert.ok(access_token)
    account.heard(person)
    for (const errcode of [40001, 42001, -1, 45009]) {
      server.fail('/cgi-bin/message/custom/send', { errcode })
      assert.equal(await send(account, person.openid), errcode)
    }
    const comeUp = await server.goDown()
    await assert.rejects(send(account, person.openid))
    await comeUp()
    assert.equal(await send(account, person.openid), 0)
  })
})

describe('the Douyin server', () => {
  let server: DouyinServer
  let operator: string
  let token = ''
  before(async () => {
    server = await new DouyinServer().start()
    server.retryMs = 0
    server.webhookUrl = receiver.url
    operator = server.operator().openId
    token = (await form('/oauth/access_token/', { code: server.consent(operator), client_secret: server.clientSecret, grant_type: 'authorization_code' })).data
      .access_token
  })
  after(() => server.stop())

  const form = async (path: string, fields: Record<string, string>): Promise<any> =>
    (await fetch(server.url + path, { method: 'POST', body: new URLSearchParams({ client_key: server.clientKey, ...fields }) })).json()
  const answer = async (customer: string, msgId: string, scene = 'im_reply_msg'): Promise<number> => {
    const response = await fetch(`${server.url}/im/send/msg/?open_id=${operator}`, {
      method: 'POST',
      headers: { 'access-token': token, 'content-type': 'application/json' },
      body: JSON.stringify({
        scene,
        to_user_id: customer,
        conversation_id: server.conversationOf(customer),
        msg_id: msgId,
        content: { msg_type: 1, text: { text: '您好' } },
      }),
    })
    assert.equal(response.status, 200, 'refusals too come with HTTP 200')
    const { extra, data } = (await response.json()) as any
    return extra?.error_code || data?.error_code || 0
  }
  const told = () => receiver.got.map(({ body }) => JSON.parse(body))

  test('six answers in 24 hours, three in thirty seconds after the chat was opened', async () => {
    server.echo = 'never'
    const { id } = await server.says('c1', operator, '在吗')
    for (let i = 0; i < 6; i++) assert.equal(await answer('c1', id), 0)
    assert.equal(await answer('c1', id), 28003070)
    const { id: second } = await server.says('c1', operator, '还在吗')
    server.advance(24 * hour + 1_000)
    assert.equal(await answer('c1', second), 28003080)
    const opening = await server.enters('c1', operator)
    for (let i = 0; i < 3; i++) assert.equal(await answer('c1', opening, 'im_enter_direct_msg'), 0)
    assert.equal(await answer('c1', opening, 'im_enter_direct_msg'), 28003070)
    const late = await server.enters('c1', operator)
    server.advance(31_000)
    assert.equal(await answer('c1', late, 'im_enter_direct_msg'), 28003081)
    const byHand = await server.answersInApp(operator, 'c1', '稍等')
    assert.equal(await answer('c1', byHand.id), 28003082)
  })

  test('content as an object or a string, repeats with one Msg-Id, echoes with and without a source, masked phones', async () => {
    server.echo = 'before'
    const { id } = await server.says('c2', operator, '我的电话 13800138000', { repeats: 2 })
    assert.equal(new Set(receiver.got.map(({ headers }) => headers['msg-id'])).size, 1)
    assert.equal(typeof told()[0].content, 'object')
    await answer('c2', id)
    assert.equal(told().at(-1).content.source, server.clientKey)
    await server.answersInApp(operator, 'c2', '稍等')
    assert.equal(told().at(-1).content.source, '')
    server.contentAs = 'string'
    server.masksPhones = true
    await server.says('c2', operator, '我的电话 13800138000，订单 2026138001380001234')
    const { text } = JSON.parse(told().at(-1).content)
    assert.equal(text, '我的电话 138****8000，订单 2026138001380001234')
    server.contentAs = 'object'
  })

  test('the refresh token is renewed five times, and the operator may take everything back', async () => {
    let refresh = (await form('/oauth/access_token/', { code: server.consent(operator), client_secret: server.clientSecret, grant_type: 'authorization_code' }))
      .data.refresh_token
    for (let i = 0; i < 5; i++) {
      const { data } = await form('/oauth/renew_refresh_token/', { refresh_token: refresh })
      assert.notEqual(data.refresh_token, refresh)
      assert.equal((await form('/oauth/renew_refresh_token/', { refresh_token: refresh })).data.error_code, 10010, 'the old one is dead')
      refresh = data.refresh_token
    }
    assert.equal((await form('/oauth/renew_refresh_token/', { refresh_token: refresh })).data.error_code, 10020)
    await server.revoke(operator)
    assert.equal(told().at(-1).event, 'unauthorize')
    assert.equal(await answer('c2', 'x'), 2190008)
    const comeUp = await server.goDown()
    await assert.rejects(answer('c2', 'x'))
    await comeUp()
    assert.equal(await answer('c2', 'x'), 2190008)
  })
})
