/** `ctx.health`, `credentials`, `probe`, a test message, `listen`, `typing`: an inbox says how it is, can be tried before it is saved, and is listened to by one process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { type Accepted, type Credential, type InboundEvent, SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const probed: unknown[] = []
const typed: [string, boolean][] = []
const intakes = new Map<string, { emit: (events: InboundEvent[]) => Promise<Accepted[]>; secret: unknown }>()
let listening = 0
const asked: unknown[] = []
let proofs: Map<string, Credential> | 'broken' = new Map()
const { manifest, platform } = mockChannel(
  'radio',
  { typing: true },
  {
    async probe(inbox) {
      probed.push(inbox.settings)
      if (inbox.settings.secret === 'broken') throw new Error('connect ECONNREFUSED 10.0.0.7:993')
      const ok = inbox.settings.secret === 'right'
      return [
        { label: { zh: '连接服务器', en: 'Connect' }, ok: true },
        {
          label: { zh: '登录', en: 'Sign in' },
          ok,
          ...(ok ? {} : { detail: { zh: '密码不对，请使用授权码', en: 'Wrong password: use an authorisation code' } }),
        },
      ]
    },
    async credentials(inboxes) {
      asked.push(...inboxes.map(({ settings }) => settings.secret))
      if (proofs === 'broken') throw new Error('the table is gone')
      return proofs
    },
    async typing(to, active) {
      typed.push([to, active])
    },
    listen(inbox, emit) {
      listening++
      intakes.set(inbox.id, { emit, secret: inbox.settings.secret })
      return () => {
        listening--
        intakes.delete(inbox.id)
      }
    },
  },
)
const { manifest: mute, platform: muted } = mockChannel('mute')

await onEveryProfile('health', [found(manifest), found(mute)], (world) => {
  const ctx = (id = 'radio') => {
    const plugin = world().hub.kernel.get(id)
    assert.ok(plugin)
    return plugin.ctx
  }
  const live = async (cookie: string) => {
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    return socket
  }

  test('what it proves itself with is asked at each look, without its secrets; a channel that stumbles tells nothing', async () => {
    const [token, password, silent] = [await world().inbox('radio', { secret: 'right' }), await world().inbox('radio'), await world().inbox('mute')]
    const admin = await world().person('小安', 'admin')
    const shown = async (id: string) =>
      (await admin.call('GET', '/api/inboxes/health')).body.items.find(({ inboxId }: { inboxId: string }) => inboxId === id).credential
    const validUntil = new Date('2027-01-01T00:00:00.000Z')
    proofs = new Map([
      [token.id, { kind: 'token', validUntil }],
      [password.id, { kind: 'lasting' }],
    ])
    assert.deepEqual(
      [await shown(token.id), await shown(password.id), await shown(silent.id)],
      [{ kind: 'token', validUntil: validUntil.toISOString() }, { kind: 'lasting', validUntil: null }, null],
    )
    assert.ok(!asked.includes('right'))
    proofs = 'broken'
    assert.equal(await shown(token.id), null)
    proofs = new Map()
  })

  test('what it says is kept and shown to admins; turning is told once, to those who manage inboxes', async () => {
    const inbox = await world().inbox('radio')
    const [admin, agent] = [await world().person('小安', 'admin'), await world().person('小白')]
    const heard: { who: string; state: string; bad: boolean }[] = []
    const sockets = await Promise.all([admin, agent].map(({ cookie }) => live(cookie)))
    sockets.forEach((socket, i) => void socket.on('inbox.health', (data) => data.inboxId === inbox.id && heard.push({ who: i ? 'agent' : 'admin', ...data })))
    const broken = {
      state: 'unauthorised' as const,
      error: { zh: '授权已失效', en: 'No longer authorised' },
      remedy: { zh: '请重新授权', en: 'Authorise again' },
      code: '10010',
    }
    await ctx().health(inbox.id, { state: 'connected', validUntil: new Date('2027-01-01T00:00:00Z') })
    await Promise.all(Array.from({ length: 5 }, () => ctx().health(inbox.id, broken)))
    await ctx().health(inbox.id, { state: 'connected' })
    await eventually(() => heard.length === 3, 'the notices')
    assert.deepEqual(
      heard.map(({ who, state, bad }) => [who, state, bad]),
      [
        ['admin', 'connected', false],
        ['admin', 'unauthorised', true],
        ['admin', 'connected', false],
      ],
    )
    await ctx().health(inbox.id, broken)
    const mine = (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    assert.deepEqual([mine.state, mine.error.zh, mine.remedy.en, mine.code], ['unauthorised', '授权已失效', 'Authorise again', '10010'])
    assert.equal((await agent.call('GET', '/api/inboxes/health')).status, 403)
    await assert.rejects(ctx('mute').health(inbox.id, { state: 'broken' }), { code: 'HUB_NOT_FOUND' })
    for (const socket of sockets) socket.disconnect()
  })

  test('sends that fail one after another are a break that admins are told of; one that goes through ends it, and what was wrong stays to be read', async () => {
    const inbox = await world().inbox('mute')
    const admin = await world().person('小卢', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const notices = async () =>
      (await admin.call('GET', '/api/notices')).body.items.filter((notice: { link: string | null }) => notice.link === `/admin/inboxes/${inbox.id}`)
    const state = (wanted: string) => eventually(async () => ((await health()).state === wanted ? health() : undefined), wanted)
    assert.equal((await health()).state, null)
    const [said] = await world().say(inbox, 'a', '你好')
    // A verified event is proof enough.
    await state('connected')
    const write = async (text: string) => (await world().reply(admin, said?.conversationId, text)).body.id as string
    const fate = (id: string, wanted: string) =>
      eventually(async () => (await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).status === wanted, wanted)

    // A refused message says nothing about the inbox, two that were not taken are an accident.
    muted.fail = () => new SendError('45002', { retry: false })
    for (const text of ['一', '二', '三']) await fate(await write(text), 'failed')
    muted.fail = () => new SendError('ECONNRESET', { retry: 'unknown', fault: { zh: '连不上平台', en: 'The platform cannot be reached' } })
    for (const text of ['四', '五']) await fate(await write(text), 'uncertain')
    assert.deepEqual([(await health()).state, (await notices()).length], ['connected', 0])
    assert.equal((await health()).lastError.zh, '连不上平台')
    await fate(await write('六'), 'uncertain')
    const broken = await state('broken')
    assert.deepEqual([broken.error.zh, broken.code], ['连不上平台', 'ECONNRESET'])
    assert.ok(broken.remedy.zh && broken.remedy.en)
    assert.deepEqual(
      (await notices()).map(({ level, endedAt }: { level: string; endedAt: string | null }) => [level, endedAt]),
      [['problem', null]],
    )
    // That a token is good does not mend the way out.
    await ctx('mute').health(inbox.id, { state: 'connected' })
    await world().say(inbox, 'a', '还在吗')
    assert.equal((await health()).state, 'broken')
    muted.fail = undefined
    await fate(await write('七'), 'sent')
    const well = await state('connected')
    assert.deepEqual([well.error, well.lastError.zh], [null, '连不上平台'])
    assert.ok(Math.abs(Date.parse(well.lastErrorAt) - Date.now()) < 60_000)
    await eventually(async () => (await notices()).every(({ endedAt }: { endedAt: string | null }) => endedAt !== null), 'the end of the notice')

    // What an adapter knows better is not overwritten.
    await ctx('mute').health(inbox.id, { state: 'unauthorised', error: { zh: '授权已失效', en: 'No longer authorised' } })
    muted.fail = () => new SendError('ECONNRESET', { retry: 'unknown' })
    for (const text of ['八', '九', '十']) await fate(await write(text), 'uncertain')
    muted.fail = undefined
    assert.deepEqual([(await health()).state, (await health()).error.zh], ['unauthorised', '授权已失效'])
  })

  test('`ofMessage`: what is refused for now for its recipient’s sake is tried again, and breaks no inbox, not by its last try either', async () => {
    const inbox = await world().inbox('mute')
    const admin = await world().person('小范', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const refusal = (retry: true | 'unknown') => () =>
      new SendError('4.1.2', { retry, ofMessage: true, fault: { zh: '收件地址的域名查不到', en: 'The recipient’s domain cannot be found' } })
    muted.fail = refusal(true)
    const ids: string[] = []
    for (const from of ['a', 'b', 'c', 'd']) {
      const [said] = await world().say(inbox, from, '你好')
      ids.push((await world().reply(admin, said?.conversationId, '您好')).body.id)
    }
    await eventually(async () => (await health()).state === 'connected', 'a sign of life')
    const em = () => world().hub.em()
    const row = (id: string) => em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    for (const id of ids) await eventually(async () => (await row(id)).failure === '4.1.2', 'a try')
    assert.deepEqual(new Set(await Promise.all(ids.map(async (id) => (await row(id)).status))), new Set(['queued']))
    const messageId = ids[0] as string
    const nearTheEnd = () => em().nativeUpdate(Outbound, { messageId, state: 'queued', attempts: { $gt: 0 } }, { attempts: 7, dueAt: new Date(0) })
    await eventually(async () => (await nearTheEnd()) === 1, 'its wait')
    await world().running.sweep()
    await eventually(async () => (await row(messageId)).status === 'failed', 'the end')
    assert.match((await row(messageId)).failureText?.zh ?? '', /收件地址的域名查不到/)
    const { state, lastError } = await health()
    assert.deepEqual([state, lastError], ['connected', null])
    // Of what nobody knows the fate of the way may be at fault, whatever it says.
    muted.fail = refusal('unknown')
    const [said] = await world().say(inbox, 'e', '你好')
    await world().reply(admin, said?.conversationId, '您好')
    await eventually(async () => (await health()).lastErrorAt !== null, 'a fault of the way')
    muted.fail = undefined
  })

  test('a message’s last try that fails breaks its inbox by itself; switched off it says nothing any more', async () => {
    const inbox = await world().inbox('mute')
    const admin = await world().person('小孟', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const [said] = await world().say(inbox, 'b', '你好')
    muted.fail = () => new SendError('busy', { retry: true, retryAfterMs: 3_600_000 })
    const { body } = await world().reply(admin, said?.conversationId, '您好')
    // Its error is seen before it is back in the queue: what brings the last try near must not be overtaken.
    const nearTheEnd = () =>
      world()
        .hub.em()
        .nativeUpdate(Outbound, { messageId: body.id, state: 'queued', attempts: { $gt: 0 } }, { attempts: 7, dueAt: new Date(0) })
    await eventually(async () => (await nearTheEnd()) === 1, 'the first try')
    assert.ok((await health()).lastErrorAt)
    await world().running.sweep()
    await eventually(async () => (await health()).state === 'broken', 'the break')
    muted.fail = undefined
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })
    assert.deepEqual([(await health()).state, (await health()).error], [null, null])
    assert.ok((await health()).lastErrorAt)
  })

  test('a connection test of what is saved mends what failing sends have broken, and what waited leaves; of what is not saved it only tells', async () => {
    const inbox = await world().inbox('radio', { secret: 'right' })
    const admin = await world().person('小曹', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const open = async () =>
      (await admin.call('GET', '/api/notices')).body.items.filter(
        (notice: { link: string | null; endedAt: string | null }) => notice.link === `/admin/inboxes/${inbox.id}` && notice.endedAt === null,
      ).length
    const url = `/api/inboxes/${inbox.id}/probe`
    const [said] = await world().say(inbox, 'm', '你好')
    await eventually(async () => (await health()).state === 'connected', 'the first sign')
    const later = () => new SendError('away', { retry: true, retryAfterMs: 3_600_000, fault: { zh: '连不上平台', en: 'The platform cannot be reached' } })
    const message = (id: string) => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    const waiting = (id: string, attempts: number) =>
      eventually(async () => (await world().hub.em().count(Outbound, { messageId: id, state: 'queued', attempts })) === 1, `the wait after ${attempts}`)
    platform.fail = later
    const { body } = await world().reply(admin, said?.conversationId, '一')
    for (let tries = 1; tries < 3; tries++) {
      await waiting(body.id, tries)
      await world().hasten()
    }
    await waiting(body.id, 3)
    await eventually(async () => (await health()).state === 'broken' && (await open()) === 1, 'the break')
    // What the form holds and nobody has saved says nothing about the inbox as it runs; nor does a test that fails.
    for (const secret of ['wrong', 'broken']) await admin.call('POST', url, { settings: { secret } })
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { secret: 'wrong' } })
    assert.deepEqual(
      (await admin.call('POST', url, { settings: { secret: 'right' } })).body.steps.map(({ ok }: { ok: boolean }) => ok),
      [true, true],
    )
    assert.deepEqual([(await health()).state, await open()], ['broken', 1])
    // Still broken in truth: the test of what is saved mends it, what waits is tried now, and one failure is enough to break it anew.
    const events: string[] = []
    const socket = await live(admin.cookie)
    socket.on('inbox.health', (data: { inboxId: string; state: string }) => data.inboxId === inbox.id && events.push(data.state))
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { secret: 'right' } })
    await eventually(() => events.join() === 'connected,broken', `a try and its end: ${events}`)
    await waiting(body.id, 4)
    assert.equal(await open(), 1)
    platform.fail = undefined
    assert.equal((await admin.call('POST', url, {})).status, 200)
    await eventually(async () => (await message(body.id)).status === 'sent', 'what waited')
    assert.deepEqual([(await health()).state, (await health()).error, await open()], ['connected', null, 0])
    // Whoever may not manage inboxes mends nothing.
    assert.equal((await (await world().person('小叶')).call('POST', url, {})).status, 403)
    socket.disconnect()
  })

  test('`onlySending`: what is wrong with the way out is not mended by what comes in, but by the next message that leaves or a test', async () => {
    const inbox = await world().inbox('radio', { secret: 'right' })
    const admin = await world().person('小蒋', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const shut = { state: 'unauthorised' as const, error: { zh: '不能登录发信', en: 'No login for sending' }, onlySending: true as const }
    await ctx().health(inbox.id, shut)
    await ctx().health(inbox.id, { state: 'connected' })
    const [said] = await world().say(inbox, 'o', '你好')
    assert.deepEqual([(await health()).state, (await health()).error.zh], ['unauthorised', '不能登录发信'])
    await world().reply(admin, said?.conversationId, '您好')
    await eventually(async () => (await health()).state === 'connected', 'the next message')
    // What is wrong with all of it is said over it and stands: sending does not mend that, a test does.
    await ctx().health(inbox.id, shut)
    await ctx().health(inbox.id, { state: 'broken', error: { zh: '全断了', en: 'All is down' } })
    await ctx().health(inbox.id, shut)
    assert.equal((await health()).error.zh, '全断了')
    await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})
    assert.equal((await health()).state, 'connected')
  })

  test('last event in, last send and what waits are counted by the hub', async () => {
    const inbox = await world().inbox('radio')
    const admin = await world().person('小陈', 'admin')
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const fresh = await health()
    assert.deepEqual([fresh.state, fresh.lastEventAt, fresh.lastSendAt, fresh.behind, fresh.oldestBehindAt], [null, null, null, 0, null])
    const [said] = await world().say(inbox, 'a', '你好')
    await world().reply(admin, said?.conversationId, '您好')
    await eventually(async () => (await health()).lastEventAt && (await health()).lastSendAt, 'the signs of life')
    platform.fail = () => new SendError('busy', { retry: true, retryAfterMs: 3_600_000 })
    const before = Date.now()
    await world().reply(admin, said?.conversationId, '还在吗')
    const waiting = await health()
    platform.fail = undefined
    assert.equal(waiting.behind, 1)
    assert.ok(Math.abs(Date.parse(waiting.oldestBehindAt) - before) < 60_000, waiting.oldestBehindAt)
  })

  test('a connection is tried as the form holds it: before it is saved, with the kept secrets where it is empty; nothing of them comes back', async () => {
    const inbox = await world().inbox('radio', { secret: 'right' })
    const admin = await world().person('小邓', 'admin')
    const ok = ({ body }: { body: { steps: { ok: boolean }[] } }) => body.steps.map((step) => step.ok)
    const url = `/api/inboxes/${inbox.id}/probe`
    assert.deepEqual(ok(await admin.call('POST', url, {})), [true, true])
    for (const secret of ['', true]) assert.deepEqual(ok(await admin.call('POST', url, { settings: { secret } })), [true, true])
    const wrong = await admin.call('POST', url, { settings: { secret: 'wrong' } })
    assert.deepEqual([ok(wrong), wrong.body.steps[1].detail.zh], [[true, false], '密码不对，请使用授权码'])
    assert.deepEqual(ok(await admin.call('POST', '/api/inboxes/probe', { channel: 'radio', settings: { secret: 'right' } })), [true, true])
    const thrown = await admin.call('POST', url, { settings: { secret: 'broken' } })
    assert.deepEqual([thrown.status, ok(thrown)], [200, [false]])
    assert.doesNotMatch(JSON.stringify(thrown.body), /ECONNREFUSED|10\.0\.0\.7|broken/)
    // It was not saved.
    assert.deepEqual(ok(await admin.call('POST', url, {})), [true, true])
    assert.equal((await admin.call('POST', '/api/inboxes/probe', { channel: 'mute', settings: {} })).status, 404)
    assert.equal((await admin.call('POST', '/api/inboxes/probe', { channel: 'radio', settings: { secret: 7 } })).status, 422)
    const agent = await world().person('小方')
    for (const path of [url, '/api/inboxes/probe']) assert.equal((await agent.call('POST', path, { channel: 'radio', settings: {} })).status, 403)
  })

  test('a test message goes to one address and is stored nowhere; what the platform says is a sentence', async () => {
    const inbox = await world().inbox('radio')
    const admin = await world().person('小高', 'admin')
    const url = `/api/inboxes/${inbox.id}/test`
    platform.sent.length = 0
    // Never to whoever happens to be there.
    assert.equal((await admin.call('POST', url, { text: '测试' })).status, 400)
    assert.deepEqual((await admin.call('POST', url, { to: 'me', text: '测试' })).body.ok, true)
    assert.deepEqual(
      platform.sent.map(({ to }) => to),
      ['me'],
    )
    platform.fail = () => new SendError('48001', { retry: false, sentence: { zh: '公众号没有客服接口权限', en: 'No permission' } })
    const refused = (await admin.call('POST', url, { to: 'me', text: '测试' })).body
    platform.fail = undefined
    assert.deepEqual([refused.ok, refused.failure, refused.failureText.zh], [false, '48001', '公众号没有客服接口权限'])
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id }), 0)
    assert.equal((await (await world().person('小韩')).call('POST', url, { to: 'me', text: 'x' })).status, 403)
  })

  test('an intake is started once, hands over events, starts anew with new settings, and stops with its plugin or inbox', async () => {
    const inbox = await world().inbox('radio', { secret: 'one' })
    const admin = await world().person('小何', 'admin')
    const intake = async (secret: string) =>
      eventually(async () => {
        await world().running.sweep()
        const found = intakes.get(inbox.id)
        return found?.secret === secret && found
      }, `the intake with ${secret}`)
    const { emit } = await intake('one')
    const letter = (externalId: string): InboundEvent => ({ kind: 'message', externalId, from: { externalId: 'a' }, parts: [{ type: 'text', text: '你好' }] })
    assert.equal((await emit([letter('l-1'), letter('l-2')])).length, 2)
    assert.equal((await emit([letter('l-1')]))[0]?.duplicate, true)
    const before = listening
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { secret: 'two' } })
    await intake('two')
    assert.equal(listening, before)
    // The old one still holds its door handle: it does not open any more.
    await assert.rejects(emit([letter('l-3')]), { code: 'HUB_CONFLICT' })
    await world().whileOff('radio', async () => {
      await eventually(async () => {
        await world().running.sweep()
        return listening === 0
      }, 'the end of all intakes')
    })
    await intake('two')
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })
    await eventually(async () => {
      await world().running.sweep()
      return !intakes.has(inbox.id)
    }, 'the end of this intake')
  })

  test('an agent’s typing is shown, a few seconds apart, and its end once', async () => {
    const inbox = await world().inbox('radio')
    const agent = await world().person('小胡', 'admin')
    const who = newId()
    const [said] = await world().say(inbox, who, '在吗')
    const socket = await live(agent.cookie)
    for (const active of [true, true, true, false, false]) socket.emit('typing', { conversationId: said?.conversationId, active })
    const mine = () => typed.filter(([to]) => to === who).map(([, active]) => active)
    await eventually(() => mine().length === 2, 'the typing')
    assert.deepEqual(mine(), [true, false])
    socket.disconnect()
  })
})
