/** The visitor's way in: who may knock, how often, and as whom. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { SignJWT } from 'jose'
import { io, type Socket } from 'socket.io-client'
import { Identity } from '../../../core/src/domain/contact/contact.entity.ts'
import type { Inbox } from '../../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../../core/src/domain/message/message.entity.ts'
import { Visit } from '../../../core/src/domain/visit/visit.entity.ts'
import { call, found, onEveryProfile } from '../../../tests/support/world.ts'
import website from '../plugin.ts'

const api = '/api/x/website'
const browser = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36' }
let made = 0
const uniqueId = () => `test-${++made}-abcdefgh`

await onEveryProfile('the website channel', [found(website, join(import.meta.dirname, '..'))], (world) => {
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(world().url, method, `${api}${path}`, body, { ...browser, ...headers })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const text = (words: string) => ({ clientId: uniqueId(), parts: [{ type: 'text', text: words }] })

  /** A visitor's token. */
  async function enter({ id }: Inbox, body: object = {}): Promise<string> {
    const { status, body: session } = await ask('POST', `/inboxes/${id}/session`, body)
    assert.equal(status, 200)
    return session.token
  }
  /** Time goes on for the one who came, and for nobody else. */
  async function afterAWhile<T>(work: () => Promise<T>): Promise<T> {
    const now = Date.now()
    mock.timers.enable({ apis: ['Date'], now: now + 5_000 })
    try {
      return await work()
    } finally {
      mock.timers.reset()
    }
  }
  const say = (token: string, body: object) => ask('POST', '/messages', body, bearer(token))
  const saidIn = ({ id }: Inbox) => world().hub.em().count(Message, { inboxId: id })
  const visitsIn = ({ id }: Inbox) => world().hub.em().count(Visit, { inboxId: id })
  const aVisit = () => `${Date.now().toString(36).padStart(9, '0')}${String(++made).padStart(17, '0')}`
  const beat = ({ id }: Inbox, headers: Record<string, string> = {}) =>
    ask('POST', `/inboxes/${id}/beat`, { visitId: aVisit(), url: 'https://shop.cn/tea', title: 'Tea', referrer: '' }, headers)

  test('the frame may be carried by the allowed sites only, and says so itself', async () => {
    const open = await ask('GET', `/frame/${(await world().inbox('website')).id}`)
    assert.equal(open.status, 200)
    assert.match(open.headers.get('content-security-policy') ?? '', /frame-ancestors \*;/)
    // Its own live line, and no other.
    const { host } = new URL(world().url)
    assert.ok(open.headers.get('content-security-policy')?.includes(`; connect-src 'self' ws://${host} wss://${host}; `))
    assert.equal(open.headers.get('x-frame-options'), null)
    const closed = await ask('GET', `/frame/${(await world().inbox('website', { allowedOrigins: ['https://shop.cn', 'https://www.shop.cn'] })).id}`)
    assert.match(closed.headers.get('content-security-policy') ?? '', /frame-ancestors 'self' https:\/\/shop\.cn https:\/\/www\.shop\.cn;/)
    assert.equal((await ask('GET', '/frame/01jnothing0000000000000000')).body.code, 'HUB_CHANNEL_DISABLED')
  })

  test('an allowed site is a host and nothing else; one in Chinese is named as browsers name it', async () => {
    const chinese = await world().inbox('website', {
      allowedOrigins: ['https://商城.中国', 'https://*.shop.cn', 'http://localhost:8080', 'https://a.cn:99999'],
    })
    const frame = await ask('GET', `/frame/${chinese.id}`)
    assert.equal(frame.status, 200)
    assert.ok(
      frame.headers
        .get('content-security-policy')
        ?.includes("; frame-ancestors 'self' https://xn--czru2d.xn--fiqs8s https://*.shop.cn http://localhost:8080; "),
      frame.headers.get('content-security-policy') ?? '',
    )
    for (const site of ['https://a.cn\n', 'https://a.cn *', 'https://a.cn; script-src *', 'https://a.cn,*', 'https://*', '*', 'javascript:x', 'https://a.cn/x'])
      await assert.rejects(world().inbox('website', { allowedOrigins: [site] }), { code: 'HUB_SETTINGS_INVALID' }, site)
  })

  test('a visitor says what the window can say, and no letter, card or link', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    for (const part of [
      { type: 'html', html: '<form action="https://x.cn"><input name="password"></form><script>1</script>', text: '' },
      { type: 'card', kind: 'x', title: 'x', url: 'javascript:alert(1)' },
      { type: 'link', url: 'javascript:alert(1)' },
      { type: 'text', text: '你好', raw: 1 },
    ])
      assert.deepEqual((await say(token, { clientId: uniqueId(), parts: [part] })).body.code, 'HUB_REQUEST_INVALID', part.type)
    assert.equal(await saidIn(inbox), 0)
  })

  test('what an admin wrote cannot leave its attribute in the frame', async () => {
    const inbox = await world().inbox('website', { title: `"><script>alert('x')</script>` })
    const { body } = await ask('GET', `/frame/${inbox.id}`)
    assert.doesNotMatch(body, /<script>alert/)
    assert.match(body, /&#34;&#62;&#60;script/)
  })

  test('a page of another site cannot ask in its own name, nor open the live line', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const from = (origin: string) => ({ origin, ...bearer(token) })
    for (const [method, path, body] of [
      ['POST', `/inboxes/${inbox.id}/session`, {}],
      ['POST', `/inboxes/${inbox.id}/beat`, {}],
      ['GET', `/inboxes/${inbox.id}/attended`, undefined],
      ['GET', '/thread', undefined],
      ['POST', '/messages', text('hi')],
      ['POST', '/receipts', {}],
      ['POST', '/rating', {}],
      ['POST', '/close', undefined],
      ['POST', '/files', {}],
    ] as const) {
      const refused = await ask(method, path, body, from('https://evil.cn'))
      assert.deepEqual([path, refused.status, refused.body.code], [path, 403, 'HUB_REQUEST_ORIGIN'])
      assert.equal(refused.headers.get('access-control-allow-origin'), null)
    }
    assert.equal((await ask('GET', '/thread', undefined, from(world().url))).status, 200)
    const enterLine = (origin: string) =>
      new Promise<string>((resolve) => {
        const socket = io(`${world().url}/x/website`, {
          path: '/socket',
          transports: ['websocket'],
          forceNew: true,
          reconnection: false,
          auth: { token },
          extraHeaders: { origin },
        })
        const done = (how: string) => {
          socket.close()
          resolve(how)
        }
        socket.once('connect', () => done('in'))
        socket.once('connect_error', ({ message }) => done(message))
      })
    assert.equal(await enterLine('https://evil.cn'), 'HUB_REQUEST_ORIGIN')
    assert.equal(await enterLine('null'), 'HUB_REQUEST_ORIGIN')
    assert.equal(await enterLine(world().url), 'in')
  })

  test('nothing is written for crawlers, for what is fetched ahead of time, nor where visits are not recorded', async () => {
    const inbox = await world().inbox('website')
    const crawlers = [
      'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
      'Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)',
      'Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko; compatible; Bytespider; spider-feedback@bytedance.com)',
      'facebookexternalhit/1.1',
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126 Safari/537.36 Chrome-Lighthouse',
      'curl/8.5.0',
      'python-requests/2.32',
    ]
    for (const agent of crawlers) assert.equal((await beat(inbox, { 'user-agent': agent })).status, 200)
    for (const name of ['sec-purpose', 'purpose', 'x-moz']) await beat(inbox, { [name]: 'prefetch;prerender' })
    assert.equal(await visitsIn(inbox), 0)
    const untracked = await world().inbox('website', { trackVisits: false })
    await beat(untracked)
    assert.equal(await visitsIn(untracked), 0)
    for (const agent of [
      browser['user-agent'],
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.49',
      'Mozilla/5.0 (Linux; Android 9; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/74 Mobile Safari/537.36',
    ])
      await beat(inbox, { 'user-agent': agent })
    assert.equal(await visitsIn(inbox), 3)
  })

  test('a session alone writes nothing', async () => {
    const inbox = await world().inbox('website')
    await enter(inbox)
    assert.equal(await world().hub.em().count(Identity, { inboxId: inbox.id }), 0)
    assert.equal(await visitsIn(inbox), 0)
  })

  test("a stranger's first words may not come faster than a hand types, a known visitor's may", async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const words = text('buy my pills')
    const early = await say(token, words)
    assert.deepEqual([early.status, early.body.code], [429, 'HUB_RATE_LIMITED'])
    assert.ok(Number(early.headers.get('retry-after')) >= 1)
    assert.equal(await saidIn(inbox), 0)
    const again = await afterAWhile(() => say(token, words))
    assert.equal(again.status, 201)
    // Asked for anew with the old one it is no new beginning.
    assert.equal((await afterAWhile(async () => say(await enter(inbox, { token }), text('one more')))).status, 201)
  })

  test('the message form takes a name and an address, and nothing from who fills in what nobody sees', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const contact = { name: '陈晓', address: 'chen@xiao.cn', subject: 'SEO offers' }
    const refused = await afterAWhile(() => say(token, { ...text('Best SEO'), contact }))
    assert.deepEqual([refused.status, refused.body.code], [422, 'HUB_MESSAGE_REFUSED'])
    assert.equal(await saidIn(inbox), 0)
    const taken = await afterAWhile(() => say(token, { ...text('请回电'), contact: { ...contact, subject: '' } }))
    assert.equal(taken.status, 201)
    const identity = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
    const person = await world().person('看资料的人', 'owner')
    const { body } = await person.call('GET', `/api/contacts/${identity.contactId}`)
    assert.deepEqual([body.name, body.email, body.phone], ['陈晓', 'chen@xiao.cn', ''])
    assert.equal(identity.verified, false)
  })

  test('what is left as an address and is none also stands in the words, whole; a number in it goes into its field', async () => {
    const person = await world().person('看资料的人', 'owner')
    for (const [address, phone, email, words] of [
      ['13800138000', '13800138000', '', ['请回电']],
      [
        '微信 wangwei_shop_2026_beijing 或电话（晚上八点以后）13812345678，请提前发短信',
        '13812345678',
        '',
        ['请回电', '微信 wangwei_shop_2026_beijing 或电话（晚上八点以后）13812345678，请提前发短信'],
      ],
      ['wx: wangwei_shop', '', '', ['请回电', 'wx: wangwei_shop']],
      ['a@b 白天找我', '', '', ['请回电', 'a@b 白天找我']],
      ['邮箱 wang@x.cn 或 13800138001', '13800138001', 'wang@x.cn', ['请回电', '邮箱 wang@x.cn 或 13800138001']],
    ] as const) {
      const inbox = await world().inbox('website')
      const token = await enter(inbox)
      const taken = await afterAWhile(() => say(token, { ...text('请回电'), contact: { name: '', address, subject: '' } }))
      assert.equal(taken.status, 201)
      const { parts } = await world().hub.em().findOneOrFail(Message, { id: taken.body.messageId }, { disableIdentityMap: true })
      const { contactId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
      const { body } = await person.call('GET', `/api/contacts/${contactId}`)
      const shown = parts.map((part) => ('text' in part ? part.text : ''))
      assert.deepEqual([shown, body.phone, body.email], [words, phone, email], address)
    }
  })

  test('the same words under one id are one message', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const words = text('在吗')
    await afterAWhile(async () => {
      const [first, second] = [await say(token, words), await say(token, words)]
      assert.equal(first.body.duplicate, false)
      assert.deepEqual([second.status, second.body.duplicate, second.body.messageId], [201, true, first.body.messageId])
    })
  })

  test('limits: of a visitor, of an address, of sessions', async () => {
    const inbox = await world().inbox('website')
    const codes = async (count: number, one: (i: number) => Promise<{ status: number; body: { code?: string } }>) => {
      const answers = await Promise.all(Array.from({ length: count }, (_, i) => one(i)))
      return answers.filter(({ body }) => body.code === 'HUB_RATE_LIMITED').length
    }
    const token = await enter(inbox)
    // The stranger's pace is 429 too, so the words that count come later.
    await afterAWhile(async () => {
      assert.equal(await codes(123, () => say(token, { clientId: 'same-words-id', parts: [{ type: 'text', text: 'again' }] })), 3)
    })
    // From one address, however many visitors: each of these is another one.
    const spread = await codes(1_200, (i) => ask('POST', '/messages', text('spam'), bearer(`x.y.${String(i).padStart(43, '0')}`)))
    assert.ok(spread > 0 && spread < 200, `${spread} of 1200 were refused, after those before`)
    assert.ok((await codes(61, () => ask('POST', `/inboxes/${inbox.id}/session`, {}))) >= 1)
  })
})

// Limits are counted per process and address: a hub of their own for the rest.
await onEveryProfile('visitors of the website channel', [found(website, join(import.meta.dirname, '..'))], (world) => {
  const secret = 'a-secret-between-the-shop-and-the-hub'
  const ask = (path: string, body: unknown, token = '') =>
    call(world().url, 'POST', `${api}${path}`, body, { ...browser, ...(token ? { authorization: `Bearer ${token}` } : {}) })
  const sign = (claims: object, key = secret, expires = '5m') =>
    new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(expires).sign(new TextEncoder().encode(key))

  test('a signed identity is who the site says, and nobody else can be', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const enter = (body: object, id = inbox.id) => ask(`/inboxes/${id}/session`, body)
    const { body: session } = await enter({ identity: await sign({ sub: '42', name: '林一', email: 'lin@yi.cn' }) })
    // Who is proven to be somebody may be as quick as they like.
    const said = await ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text: '我的订单呢' }] }, session.token)
    assert.equal(said.status, 201)
    const identity = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id, externalId: 'u_42' })
    assert.equal(identity.verified, true)

    const forged = [
      await sign({ sub: '42' }, 'another-secret-that-is-long-enough-too'),
      await sign({ sub: '42' }, secret, '-5m'),
      await sign({ name: 'nobody' }),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"42"}').toString('base64url')}.`,
      'not a token',
    ]
    for (const jwt of forged) assert.deepEqual((await enter({ identity: jwt })).body.code, 'HUB_CHANNEL_UNVERIFIED', jwt)
    const unkeyed = await world().inbox('website')
    assert.equal((await enter({ identity: await sign({ sub: '42' }, '').catch(() => 'x.y.z') }, unkeyed.id)).body.code, 'HUB_CHANNEL_UNVERIFIED')

    // Whoever has only the browser of somebody who logged out is a stranger.
    const { body: later } = await enter({ token: session.token })
    const payload = JSON.parse(Buffer.from(later.token.split('.')[1], 'base64url').toString('utf8'))
    assert.match(payload.externalId, /^v_/)
    // A token names its inbox and is good for no other; a letter changed makes it nobody's.
    const elsewhere = await enter({ token: later.token }, unkeyed.id)
    assert.notEqual(JSON.parse(Buffer.from(elsewhere.body.token.split('.')[1], 'base64url').toString('utf8')).externalId, payload.externalId)
    const bent = `${later.token.slice(0, -2)}${later.token.endsWith('AA') ? 'BB' : 'AA'}`
    assert.equal((await ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text: 'hi' }] }, bent)).body.code, 'HUB_AUTH_REQUIRED')
  })

  test('what a signed visitor leaves is kept as their own word, and never in the place of the site’s', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const { body: session } = await ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub: '77', name: '林一', email: 'lin77@yi.cn' }) })
    const parts = [{ type: 'text', text: '请回电' }]
    const leave = (name: string, address: string) => ask('/messages', { clientId: uniqueId(), parts, contact: { name, address, subject: '' } }, session.token)
    assert.equal((await leave('林先生', '138 0013 8000')).status, 201)
    assert.equal((await leave('林一', 'other@yi.cn')).status, 201)
    const person = await world().person('看资料的人', 'owner')
    const { contactId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
    const { body } = await person.call('GET', `/api/contacts/${contactId}`)
    assert.deepEqual([body.name, body.phone, body.email], ['林一', '138 0013 8000', 'lin77@yi.cn'])
    const [identity] = body.identities
    assert.deepEqual(
      [identity.verified, identity.facts.map(({ label, value }: { label: { zh: string }; value: string }) => `${label.zh}: ${value}`)],
      [true, ['自填姓名（未核实）: 林先生', '自填电话（未核实）: 138 0013 8000', '自填邮箱（未核实）: other@yi.cn']],
    )
  })

  const ownerOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')).externalId
  /** What the door answers to a token: the thread, the files, the live line. */
  const thread = (token: string) => call(world().url, 'GET', `${api}/thread`, undefined, { ...browser, authorization: `Bearer ${token}` })
  function openLine(token: string): Promise<{ socket: Socket; answer: string }> {
    const socket = io(`${world().url}/x/website`, { path: '/socket', transports: ['websocket'], forceNew: true, reconnection: false, auth: { token } })
    return new Promise((resolve) => {
      socket.once('connect', () => resolve({ socket, answer: 'in' }))
      socket.once('connect_error', ({ message }) => resolve({ socket, answer: message }))
    })
  }
  /** Everything that takes a token refuses this one. */
  async function isRefused(token: string): Promise<void> {
    const refused = 'HUB_AUTH_REQUIRED'
    assert.equal((await thread(token)).body.code, refused)
    assert.equal((await ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text: '在吗' }] }, token)).body.code, refused)
    assert.equal((await ask('/close', undefined, token)).body.code, refused)
    const file = await call(world().url, 'GET', `${api}/files/01jnothing0000000000000000?token=${token}`)
    assert.equal(file.body.code, refused)
    const { socket, answer } = await openLine(token)
    socket.close()
    assert.equal(answer, refused)
  }

  test('two long ids of users are two visitors, and a short one stays what it was', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const enter = async (sub: string) => ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub }) })
    const long = 'x'.repeat(188)
    const tokens: string[] = []
    for (const sub of [long, `${long}A`, `${long}B`, `${'字'.repeat(400)}A`]) tokens.push((await enter(sub)).body.token)
    assert.equal(ownerOf(tokens[0] ?? ''), `u_${long}`)
    assert.equal(new Set(tokens.map(ownerOf)).size, 4)
    // Nor does one take the place of the other's message by giving it the same name.
    const clientId = uniqueId().padEnd(64, '0')
    for (const token of tokens) {
      const said = await ask('/messages', { clientId, parts: [{ type: 'text', text: '我的订单呢' }] }, token)
      assert.deepEqual([said.status, said.body.duplicate], [201, false])
    }
    // A user who calls themselves like somebody's digest is not that one.
    const digested = ownerOf(tokens[1] ?? '')
    assert.notEqual(ownerOf((await enter(digested)).body.token), digested)
    assert.equal((await enter('x'.repeat(501))).body.code, 'HUB_CHANNEL_UNVERIFIED')
  })

  test('a token of a user ends with the JWT, and after a day at most', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const enter = async (identity: string) => (await ask(`/inboxes/${inbox.id}/session`, { identity })).body.token as string
    const [brief, long] = [await sign({ sub: '7' }), await sign({ sub: '8' }, secret, '30d')]
    const [short, day, stranger] = [await enter(brief), await enter(long), (await ask(`/inboxes/${inbox.id}/session`, {})).body.token]
    const now = Date.now()
    /** So much later. */
    const later = async (ms: number, work: () => Promise<void>) => {
      mock.timers.enable({ apis: ['Date'], now: now + ms })
      try {
        await work()
      } finally {
        mock.timers.reset()
      }
    }
    await later(5 * 60_000, async () => assert.equal((await thread(short)).status, 200))
    await later(7 * 60_000, async () => {
      await isRefused(short)
      // The page is still open: its signs of life count, whoever is on it.
      const beat = { visitId: '01j00000000000000000000end', url: 'https://shop.cn/', title: '', referrer: '', token: short }
      assert.equal((await ask(`/inboxes/${inbox.id}/beat`, beat)).status, 200)
      assert.equal((await ask(`/inboxes/${inbox.id}/session`, { identity: brief })).body.code, 'HUB_CHANNEL_UNVERIFIED')
      assert.equal((await thread(day)).status, 200)
    })
    await later(25 * 3_600_000, async () => {
      await isRefused(day)
      const again = await enter(long)
      assert.equal(ownerOf(again), ownerOf(day))
      assert.equal((await thread(again)).status, 200)
      assert.equal((await thread(stranger)).status, 200, 'who says to be nobody stays that')
    })
  })

  test('another key ends what the old one proved', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const { body } = await ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub: '9' }) })
    const { body: stranger } = await ask(`/inboxes/${inbox.id}/session`, {})
    assert.equal((await thread(body.token)).status, 200)
    const { socket } = await openLine(body.token)
    const owner = await world().person('店主', 'owner')
    const setKey = (identitySecret: string) => owner.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { identitySecret } })
    const short = await setKey('short')
    assert.deepEqual([short.status, short.body.details.faults[0].path], [422, 'body/settings/identitySecret'])
    assert.equal((await thread(body.token)).status, 200)
    assert.equal((await setKey('another-secret-that-is-long-enough-too')).status, 200)
    await isRefused(body.token)
    assert.deepEqual(await socket.emitWithAck('typing', { text: '我' }), { error: 'HUB_AUTH_REQUIRED' })
    socket.close()
    assert.equal((await thread(stranger.token)).status, 200)
    assert.equal((await setKey('')).status, 200)
    await isRefused(body.token)
  })

  test('what is too long or too large is refused, and a file is no other file', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const { body: session } = await ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub: 'wordy' }) })
    const say = (text: string) => ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text }] }, session.token)
    assert.equal((await say('字'.repeat(20_001))).body.code, 'HUB_REQUEST_INVALID')
    assert.equal((await say('字'.repeat(100_000))).body.code, 'HUB_REQUEST_TOO_LARGE')
    assert.equal((await say('   ')).body.code, 'HUB_REQUEST_INVALID')
    const form = new FormData()
    form.append('file', new Blob([new Uint8Array(20 * 1024 * 1024 + 1)]), 'big.bin')
    const big = await fetch(`${world().url}${api}/files`, { method: 'POST', headers: { authorization: `Bearer ${session.token}` }, body: form })
    assert.deepEqual([big.status, ((await big.json()) as { code: string }).code], [413, 'HUB_REQUEST_TOO_LARGE'])
  })

  test('a visitor’s sound is sought by the range, and no other visitor hears it', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const enter = async (sub: string) => (await ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub }) })).body.token as string
    const token = await enter('listener')
    const form = new FormData()
    form.append('file', new Blob(['0123456789']), 'a.bin')
    const sent = await fetch(`${world().url}${api}/files`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: form })
    const { fileId } = (await sent.json()) as { fileId: string }
    const open = (by: string, range: string) => fetch(`${world().url}${api}/files/${fileId}?token=${by}`, { headers: { range } })
    const part = await open(token, 'bytes=2-4')
    assert.deepEqual([part.status, part.headers.get('content-range'), await part.text()], [206, 'bytes 2-4/10', '234'])
    const beyond = await open(token, 'bytes=10-')
    assert.deepEqual([beyond.status, ((await beyond.json()) as { code: string }).code], [416, 'HUB_RANGE_INVALID'])
    assert.equal((await open(await enter('eavesdropper'), 'bytes=2-4')).status, 404)
  })

  test('who is blocked, and whose address is, is told so and stays out', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret })
    const identity = await sign({ sub: 'rude' })
    const { body: session } = await ask(`/inboxes/${inbox.id}/session`, { identity })
    const visitId = '01j0000000000000000000rude'
    await ask(`/inboxes/${inbox.id}/beat`, { visitId, url: 'https://shop.cn/', title: '', referrer: '' })
    await ask('/messages', { clientId: uniqueId(), visitId, parts: [{ type: 'text', text: '…' }] }, session.token)
    const owner = await world().person('店主', 'owner')
    const { id, contactId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
    const blocked = await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })
    assert.ok(blocked.status < 300, JSON.stringify(blocked.body))
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 2_000 })
    try {
      assert.equal((await ask(`/inboxes/${inbox.id}/session`, { identity })).body.code, 'HUB_IDENTITY_BLOCKED')
      assert.equal((await ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text: 'hey' }] }, session.token)).body.code, 'HUB_IDENTITY_BLOCKED')
      assert.equal((await ask(`/inboxes/${inbox.id}/session`, {})).body.code, 'HUB_IDENTITY_BLOCKED', 'as a stranger from the same address')
      const other = await world().inbox('website')
      assert.equal((await ask(`/inboxes/${other.id}/session`, {})).status, 200, 'at another site')
    } finally {
      mock.timers.reset()
    }
  })

  test('who is blocked without a visit leaves no way in from the same address either', async () => {
    const inbox = await world().inbox('website', { identitySecret: secret, trackVisits: false })
    const { body: session } = await ask(`/inboxes/${inbox.id}/session`, { identity: await sign({ sub: 'unseen' }) })
    await ask('/messages', { clientId: uniqueId(), parts: [{ type: 'text', text: '…' }] }, session.token)
    const owner = await world().person('店主', 'owner')
    const { id, contactId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
    assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 200)
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 2_000 })
    try {
      assert.equal((await ask(`/inboxes/${inbox.id}/session`, {})).body.code, 'HUB_IDENTITY_BLOCKED')
    } finally {
      mock.timers.reset()
    }
  })

  test('a site that is switched off takes nothing', async () => {
    const inbox = await world().inbox('website')
    const owner = await world().person('店主', 'owner')
    await owner.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })
    assert.equal((await ask(`/inboxes/${inbox.id}/session`, {})).body.code, 'HUB_CHANNEL_DISABLED')
  })

  test('the demo shop carries the site it is asked for; one that is switched off or unknown gives way to the first', async () => {
    const carried = async (query = '') => (await call(world().url, 'GET', `${api}/demo-inbox${query}`)).body.inboxId
    const first = await carried()
    const [inbox, off] = [await world().inbox('website'), await world().inbox('website')]
    const owner = await world().person('店主', 'owner')
    await owner.call('PATCH', `/api/inboxes/${off.id}`, { enabled: false })
    assert.notEqual(first, inbox.id)
    assert.equal(await carried(`?inbox=${inbox.id}`), inbox.id)
    for (const other of ['', off.id, '01jnothing0000000000000000', '..%2F', '%3Cscript%3E']) assert.equal(await carried(`?inbox=${other}`), first, other)
  })
})
