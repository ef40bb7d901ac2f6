/** WeChat, with the hub on one side and our own WeChat server on the other: nothing but HTTP between them. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type InboundEvent, type OutboundMessage, SendError } from '../../core/sdk/channel.ts'
import { HubError } from '../../core/sdk/errors.ts'
import { textOf } from '../../core/sdk/message-parts.ts'
import { definePlugin, type PluginContext } from '../../core/sdk/plugin.ts'
import { type WechatAccount, type WechatAccountOptions, WechatServer } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Activity, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { adapterOf, openInbox } from '../../core/src/domain/inbox/channels.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { InboxHealth } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound, RemoteFetch } from '../../core/src/domain/message/message.entity.ts'
import { sheet } from '../../plugins/wechat/fixtures/error-codes.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import { asWechat, credentialOf, type WechatSettings } from '../../plugins/wechat/server/inbox-settings.ts'
import { WechatPerson } from '../../plugins/wechat/server/person.entity.ts'
import { readProfile } from '../../plugins/wechat/server/read-profile.ts'
import { WechatToken } from '../../plugins/wechat/server/token.entity.ts'
import { tokenFor, tokenInsteadOf } from '../../plugins/wechat/server/token.ts'
import { speech } from '../support/amr.ts'
import { call, eventually, found, onEveryProfile, type Person } from '../support/world.ts'

/** A picture of its own for each call: a square of one pixel, and words behind its end. */
const picture = () =>
  Buffer.concat([
    Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64'),
    Buffer.from(newId()),
  ])
const webp = Buffer.from('UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==', 'base64')

const plugin = found(wechat, new URL('../../plugins/wechat', import.meta.url).pathname)
/** Another plugin whose hook waits for its own server. */
let released: Promise<void> | undefined
const slow = definePlugin({
  id: 'slow',
  version: '1.0.0',
  label: { zh: '慢', en: 'Slow' },
  hooks: { 'inbound.accept': async ({ parts }) => (textOf(parts).includes('慢') ? released : undefined) },
})

const server = new WechatServer()
// What was answered wrongly comes again at once.
server.retryMs = 0
before(() => server.start())
after(() => server.stop())

interface Desk {
  account: WechatAccount
  inbox: Inbox
  person: ReturnType<WechatAccount['person']>
}

await onEveryProfile('wechat', [plugin, found(slow)], (world) => {
  let agent: Person
  before(async () => {
    agent = await world().person('小文', 'owner')
  })
  const em = () => world().hub.em()

  /** An account whose pushes reach an inbox of this hub, and somebody who may write to it. */
  async function open(options: WechatAccountOptions = {}, settings: Record<string, unknown> = {}): Promise<Desk> {
    const account = server.account(options)
    const inbox = await world().inbox('wechat', { ...account.settings, ...settings })
    account.callback = `${world().url}/api/channels/wechat/${inbox.id}`
    return { account, inbox, person: account.person() }
  }
  const incoming = ({ inbox }: Desk) => em().find(Message, { inboxId: inbox.id, direction: 'in' }, { orderBy: { id: 'asc' } })
  const conversationOf = ({ inbox }: Desk) => em().findOneOrFail(Conversation, { inboxId: inbox.id })
  const messageOf = (id: string) => em().findOneOrFail(Message, { id })
  /** Writes as the agent; gives the message's id. */
  async function write(desk: Desk, parts: unknown[] | string): Promise<{ status: number; body: any }> {
    const { id } = await conversationOf(desk)
    return agent.call('POST', `/api/conversations/${id}/messages`, {
      clientId: newId(),
      parts: typeof parts === 'string' ? [{ type: 'text', text: parts }] : parts,
    })
  }
  /** Until its fate is known. */
  async function fate(id: string): Promise<Message> {
    return eventually(async () => {
      const message = await messageOf(id)
      return !['queued', 'sending'].includes(message.status) && message
    }, 'the fate of a message')
  }
  async function say(desk: Desk, parts: unknown[] | string): Promise<Message> {
    const { status, body } = await write(desk, parts)
    assert.equal(status, 201, JSON.stringify(body))
    return fate(body.id)
  }
  /** What waits for its next try is tried now. */
  async function hurry(desk: Desk): Promise<void> {
    const { id } = await conversationOf(desk)
    // One that is being sent is somebody's: made due, it would pass for one whose sender has died.
    await em().nativeUpdate(Outbound, { conversationId: id, state: 'queued' }, { dueAt: new Date(0) })
    world().hub.queue.hurry('outbound', id)
  }
  async function upload(bytes: Buffer, name: string): Promise<string> {
    const form = new FormData()
    form.set('file', new File([new Uint8Array(bytes)], name))
    const response = await fetch(new URL('/api/files', world().url), { method: 'POST', headers: { cookie: agent.cookie }, body: form })
    assert.ok(response.ok, `upload: ${response.status}`)
    return ((await response.json()) as { fileId?: string; id?: string; part?: { fileId: string } }).fileId ?? ''
  }

  for (const kind of ['official', 'mini'] as const)
    for (const mode of ['plain', 'compatible', 'safe'] as const)
      test(`${kind}, ${mode} mode: the console’s check, a message in, stored once, answered, taken`, async () => {
        const desk = await open({ kind, mode, format: kind === 'mini' ? 'json' : 'xml' })
        assert.equal(await desk.account.verifyCallback(), true)
        const pushed = await desk.account.text(desk.person, '在吗？<&>“汇客”')
        assert.deepEqual([pushed.attempts.map(({ status, body }) => [status, body]), pushed.userSawUnavailable], [[[200, 'success']], false])
        const [message, ...more] = await incoming(desk)
        assert.deepEqual([message?.text, message?.dedupeKey, more.length], ['在吗？<&>“汇客”', `in:${pushed.msgId}`, 0])
        assert.ok(BigInt(pushed.msgId) > 2n ** 53n)
        assert.equal((await say(desk, '在的，您请讲 🎉')).status, 'sent')
        assert.deepEqual(
          desk.account.sent.map(({ touser, msgtype, content }) => ({ touser, msgtype, content })),
          [{ touser: desk.person.openid, msgtype: 'text', content: { content: '在的，您请讲 🎉' } }],
        )
      })

  test('repeats, also at the same time, are stored once and all hear success', async () => {
    const desk = await open()
    const msgId = desk.account.nextMsgId()
    const pushes = await Promise.all(Array.from({ length: 6 }, () => desk.account.text(desk.person, '只说一次', { msgId })))
    assert.ok(pushes.every(({ userSawUnavailable }) => !userSawUnavailable))
    assert.equal((await incoming(desk)).length, 1)
    const at = Math.floor(server.now() / 1_000)
    const click = () => desk.account.event(desk.person, 'CLICK', { EventKey: 'KEFU', CreateTime: at })
    await Promise.all([click(), click(), click()])
    await desk.account.event(desk.person, 'CLICK', { EventKey: 'OTHER', CreateTime: at })
    assert.equal(await em().count(Activity, { inboxId: desk.inbox.id, name: 'wechat.menuTapped' }), 2)
  })

  test('accounts lie side by side: one’s push is refused at the other’s address, and its users are others', async () => {
    const [one, two] = [await open(), await open({ kind: 'mini', format: 'json' })]
    const swapped = one.account.callback
    one.account.callback = two.account.callback
    const { attempts } = await one.account.text(one.person, '走错门')
    assert.deepEqual(
      attempts.map(({ status }) => status),
      [401, 401, 401, 401],
    )
    one.account.callback = swapped
    const same = two.account.person(one.person.openid)
    await Promise.all([one.account.text(one.person, '甲'), two.account.text(same, '乙')])
    assert.deepEqual([(await incoming(one)).map((m) => m.text), (await incoming(two)).map((m) => m.text)], [['甲'], ['乙']])
  })

  test('whatever happens behind, WeChat has its answer within five seconds, once; the message follows', async () => {
    const desk = await open()
    let release = () => {}
    released = new Promise((resolve) => {
      release = resolve
    })
    const { attempts, userSawUnavailable } = await desk.account.text(desk.person, '慢')
    assert.deepEqual([attempts.length, attempts[0]?.body, userSawUnavailable], [1, 'success', false])
    assert.ok((attempts[0]?.ms ?? 0) < 5_000)
    assert.deepEqual(await incoming(desk), [])
    release()
    await eventually(async () => (await incoming(desk)).length === 1, 'the message')
  })

  test('a forged push is refused and leaves no trace', async () => {
    const desk = await open()
    const { query, body } = desk.account.seal(
      { ToUserName: desk.account.originalId, FromUserName: 'o1', CreateTime: 1, MsgType: 'text', Content: '退款', MsgId: 1n },
      { mode: 'plain' },
    )
    const response = await fetch(`${desk.account.callback}?${query}`, { method: 'POST', body })
    assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [401, 'HUB_CHANNEL_UNVERIFIED'])
    assert.deepEqual(await incoming(desk), [])
    assert.equal(await em().count(Identity, { inboxId: desk.inbox.id }), 0)
  })

  test('an unknown kind of message and an unknown event are shown whole', async () => {
    const desk = await open()
    await desk.account.says(desk.person, { MsgType: 'hologram', Shape: '立方体' })
    await desk.account.event(desk.person, 'user_waved', { Hands: '2' })
    const parts = (await incoming(desk)).flatMap((message) => message.parts)
    assert.deepEqual(
      parts.map((part) => [part.type, part.type === 'unsupported' && Object.values(part.raw as object).some((value) => ['立方体', '2'].includes(value))]),
      [
        ['unsupported', true],
        ['unsupported', true],
      ],
    )
  })

  test('following opens no conversation; while one is open it is a line there; the trail has all of it', async () => {
    const desk = await open()
    await desk.account.event(desk.person, 'subscribe', { EventKey: 'qrscene_store-12', Ticket: 'T' })
    assert.equal(await em().count(Conversation, { inboxId: desk.inbox.id }), 0)
    await desk.account.text(desk.person, '你好')
    await desk.account.event(desk.person, 'SCAN', { EventKey: 'store-13', Ticket: 'T' })
    await desk.account.event(desk.person, 'CLICK', { EventKey: 'KEFU' })
    await desk.account.event(desk.person, 'unsubscribe', { EventKey: '' })
    const { id } = await conversationOf(desk)
    const lines = await em().find(Message, { conversationId: id, direction: 'system' }, { orderBy: { seq: 'asc' } })
    const names = lines.flatMap(({ parts }) => parts).flatMap((part) => (part.type === 'event' && part.name === 'activity' ? [part.params?.name] : []))
    assert.deepEqual(
      names.filter((name) => name !== 'wechat.profile'),
      ['wechat.scanned', 'wechat.menuTapped', 'wechat.unfollowed'],
    )
    const trail = await em().find(Activity, { inboxId: desk.inbox.id, name: { $ne: 'wechat.profile' } }, { orderBy: { id: 'asc' } })
    assert.deepEqual(
      trail.map(({ name }) => name),
      ['wechat.followed', 'wechat.scanned', 'wechat.menuTapped', 'wechat.unfollowed'],
    )
    assert.match(trail[0]?.label.zh ?? '', /store-12/)
  })

  test('a follower’s profile is read once; it brings the unionid with its subject, and where they came from', async () => {
    const desk = await open({}, { openPlatform: '总店' })
    const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
    const accept = ctx.accept
    const told: InboundEvent[] = []
    ctx.accept = (inboxId, events) => {
      told.push(...events)
      return accept(inboxId, events)
    }
    try {
      await desk.account.text(desk.person, '你好')
      const profile = await eventually(
        async () => (await em().findOne(Activity, { inboxId: desk.inbox.id, name: 'wechat.profile' })) ?? undefined,
        'the profile',
      )
      assert.deepEqual([profile.label.zh, (profile.params as Record<string, unknown>).qrScene], ['微信资料：经扫描二维码关注', 'store-12'])
    } finally {
      ctx.accept = accept
    }
    assert.deepEqual(
      told.filter(({ from }) => from.externalId === desk.person.openid).flatMap(({ from }) => from.claims),
      [{ kind: 'unionid', value: `总店:${desk.person.unionid}`, verified: true }],
    )
    await desk.account.text(desk.person, '还在吗')
    const asked = server.calls.filter(({ path, appId }) => path === '/cgi-bin/user/info' && appId === desk.account.appId)
    assert.equal(asked.length, 1)
  })

  test('who was met unfollowing has no profile; the follow after it is asked about at once', async () => {
    const desk = await open()
    const { inbox, account, person } = desk
    const job = { inboxId: inbox.id, openid: person.openid }
    await account.event(person, 'unsubscribe', {})
    await eventually(async () => (await em().count(WechatPerson, job)) === 1, 'the asking')
    assert.equal(await em().count(Activity, { inboxId: inbox.id, name: 'wechat.profile' }), 0)
    await account.event(person, 'subscribe', {})
    await eventually(async () => (await em().count(Activity, { inboxId: inbox.id, name: 'wechat.profile' })) === 1, 'the profile')
  })

  test('a profile that could not be handed over is asked for again; one that was, or that a block refuses, is not', async () => {
    const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
    const told: string[] = []
    const withAccept = (accept: () => unknown) =>
      Object.assign(Object.create(ctx) as PluginContext, {
        async accept(_inboxId: string, events: InboundEvent[]) {
          accept()
          told.push(...events.map(({ from }) => from.externalId))
          return []
        },
      })
    const fails = (error: Error) =>
      withAccept(() => {
        throw error
      })
    const desk = await open()
    const asked = () => server.calls.filter(({ path, appId }) => path === '/cgi-bin/user/info' && appId === desk.account.appId).length
    const job = { inboxId: desk.inbox.id, openid: desk.person.openid }
    await assert.rejects(readProfile(job, fails(new Error('the hub went away'))), /went away/)
    for (let i = 0; i < 2; i++)
      await readProfile(
        job,
        withAccept(() => undefined),
      )
    assert.deepEqual([told, asked()], [[desk.person.openid], 2])
    const blocked = { ...job, openid: desk.account.person().openid }
    for (let i = 0; i < 2; i++) await readProfile(blocked, fails(new HubError('HUB_IDENTITY_BLOCKED', 'of the test')))
    assert.equal(asked(), 3)
  })

  test('a fault of the account is no missing profile: the person is asked about as soon as it is mended', async () => {
    const desk = await open({}, { appSecret: 'wrong' })
    const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
    const job = { inboxId: desk.inbox.id, openid: desk.person.openid }
    await assert.rejects(readProfile(job, ctx), /40125/)
    assert.equal(await em().count(WechatPerson, job), 0)
    await agent.call('PATCH', `/api/inboxes/${desk.inbox.id}`, { settings: desk.account.settings })
    server.fail('/cgi-bin/user/info', { errcode: 50002 })
    await assert.rejects(readProfile(job, ctx), /50002/)
    assert.equal(await em().count(WechatPerson, job), 0)
    await readProfile(job, ctx)
    assert.equal(await em().count(Activity, { inboxId: desk.inbox.id, name: 'wechat.profile' }), 1)
    // An account that may not ask has no profiles: it is not tried with everybody's every message.
    const other = { ...job, openid: desk.account.person().openid }
    server.fail('/cgi-bin/user/info', { errcode: 48001 })
    await readProfile(other, ctx)
    assert.equal(await em().count(WechatPerson, other), 1)
  })

  test('JSON of a gateway’s says nothing of WeChat: no token, no file, no missing profile, no good test', async () => {
    const gateway = { status: 200, body: '{"code":502,"message":"upstream timed out"}' }
    const desk = await open()
    const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
    const job = { inboxId: desk.inbox.id, openid: desk.person.openid }
    server.fail('/cgi-bin/stable_token', gateway)
    await assert.rejects(readProfile(job, ctx), { name: 'SendError', reason: 'wechat no access_token', retry: true })
    server.fail('/cgi-bin/user/info', gateway)
    await assert.rejects(readProfile(job, ctx), { name: 'SendError', reason: 'wechat no subscribe', retry: true })
    assert.equal(await em().count(WechatPerson, job), 0)
    await readProfile(job, ctx)
    assert.equal(await em().count(Activity, { inboxId: desk.inbox.id, name: 'wechat.profile' }), 1)
    server.fail('/cgi-bin/getcallbackip', gateway)
    const { steps } = (await agent.call('POST', `/api/inboxes/${desk.inbox.id}/probe`, {})).body
    const asked = steps.find((step: { label: { zh: string } }) => step.label.zh === '调用接口')
    assert.deepEqual([asked.ok, asked.detail?.zh], [false, '连不上微信：wechat no ip_list'])
    await desk.account.text(desk.person, '图呢')
    server.fail('/cgi-bin/media/upload', gateway)
    const { body } = await write(desk, [{ type: 'image', fileId: await upload(picture(), '茶几.png'), name: '茶几.png', mime: 'image/png', size: 1 }])
    // Nothing has gone to the customer yet: it is tried again.
    await eventually(async () => (await em().findOne(Outbound, { messageId: body.id }, { disableIdentityMap: true }))?.attempts === 1, 'the first try')
    await hurry(desk)
    assert.deepEqual([(await fate(body.id)).status, desk.account.sent.length], ['sent', 1])
  })

  describe('the reply window', () => {
    const windowOf = async (desk: Desk) => {
      const { id } = await conversationOf(desk)
      const { body } = await agent.call('GET', `/api/conversations/${id}`)
      const { replyUntil, replyLeft } = body.conversation ?? body
      return { hours: replyUntil === null ? null : Math.round((Date.parse(replyUntil) - Date.now()) / 3_600_000), left: replyLeft }
    }

    test('a message opens it for 48 hours and five replies; each reply uses one; the sixth is refused before it is sent; a new message opens it anew', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      assert.deepEqual(await windowOf(desk), { hours: 48, left: 5 })
      for (let i = 1; i <= 5; i++) assert.equal((await say(desk, `第 ${i} 条`)).status, 'sent')
      assert.equal((await windowOf(desk)).left, 0)
      const refused = await write(desk, '第 6 条')
      assert.deepEqual([refused.status, refused.body.code, desk.account.sent.length], [409, 'HUB_REPLY_WINDOW', 5])
      await desk.account.text(desk.person, '二')
      assert.deepEqual(await windowOf(desk), { hours: 48, left: 5 })
      assert.equal((await say(desk, '好的')).status, 'sent')
    })

    test('the count is the account’s; a menu tap beside it grants three for a minute', async () => {
      const desk = await open({ replies: 20 })
      await desk.account.text(desk.person, '一')
      assert.equal((await windowOf(desk)).left, 20)
      await desk.account.event(desk.person, 'CLICK', { EventKey: 'KEFU' })
      assert.equal((await windowOf(desk)).left, 23)
    })

    test('entering a mini-program’s service grants two', async () => {
      const desk = await open({ kind: 'mini', format: 'json' })
      await desk.account.text(desk.person, '一')
      await desk.account.event(desk.person, 'user_enter_tempsession', { SessionFrom: 'goods-7' })
      assert.equal((await windowOf(desk)).left, 7)
    })

    test('unfollowing ends it; the next message brings it back', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await desk.account.event(desk.person, 'unsubscribe')
      assert.equal((await windowOf(desk)).left, 0)
      assert.equal((await write(desk, '别走')).body.code, 'HUB_REPLY_WINDOW')
      server.advance(1_000)
      await desk.account.event(desk.person, 'subscribe')
      await desk.account.text(desk.person, '回来了')
      assert.equal((await say(desk, '欢迎')).status, 'sent')
    })

    test('unfollowing ends what following had granted too', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await desk.account.event(desk.person, 'subscribe')
      assert.equal((await windowOf(desk)).left, 8)
      await desk.account.event(desk.person, 'unsubscribe')
      assert.equal((await windowOf(desk)).left, 0)
      assert.equal((await write(desk, '别走')).body.code, 'HUB_REPLY_WINDOW')
    })

    test('a text of three pieces with two replies left: nothing leaves, and the agent reads why', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      for (const text of ['甲', '乙', '丙']) assert.equal((await say(desk, text)).status, 'sent')
      const { status, body } = await write(desk, '很'.repeat(2_000))
      assert.deepEqual([status, body.code, body.details], [409, 'HUB_REPLY_WINDOW', { reason: 'pieces', needed: 3, left: 2 }])
      // Two parts are two messages.
      const two = await write(desk, [
        { type: 'text', text: '很'.repeat(1_000) },
        { type: 'text', text: '长' },
      ])
      assert.deepEqual([two.status, two.body.details], [409, { reason: 'pieces', needed: 3, left: 2 }])
      assert.equal(desk.account.sent.length, 3)
      assert.equal((await windowOf(desk)).left, 2)
      assert.equal((await say(desk, '很'.repeat(1_000))).status, 'sent')
      assert.equal(desk.account.sent.length, 5)
      assert.equal((await windowOf(desk)).left, 0)
    })

    test('WeChat counts fewer than we were told: the agent reads why, and the window is shut', async () => {
      const desk = await open({ replies: 1 }, { replyCount: 5 })
      await desk.account.text(desk.person, '一')
      assert.equal((await say(desk, '甲')).status, 'sent')
      const failed = await say(desk, '乙')
      assert.deepEqual([failed.status, failed.failure], ['failed', 'wechat 45047'])
      assert.match(failed.failureText?.zh ?? '', /条数已经用完/)
      assert.equal((await windowOf(desk)).left, 0)
      assert.equal((await write(desk, '丙')).body.code, 'HUB_REPLY_WINDOW')
    })

    test('a text of three pieces is three replies, in order, each within 2048 bytes', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      const text = '一二三四五六七八九十'.repeat(180)
      assert.equal((await say(desk, text)).status, 'sent')
      const pieces = desk.account.sent.map(({ content }) => content.content as string)
      assert.equal(pieces.length, 3)
      assert.equal(pieces.join(''), text)
      assert.equal((await windowOf(desk)).left, 2)
    })
  })

  describe('files', () => {
    const partsOf = async (desk: Desk, kind: string) =>
      eventually(async () => {
        const [message] = await incoming(desk)
        return message?.parts.some(({ type }) => type === kind) && message.parts
      }, `the ${kind}`)
    const bytesOf = async (part: unknown) => {
      const response = await fetch(new URL(`/api/files/${(part as { fileId: string }).fileId}`, world().url), { headers: { cookie: agent.cookie } })
      return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) }
    }

    test('a picture is copied to us at once and outlives WeChat’s three days', async () => {
      const desk = await open()
      const bytes = picture()
      await desk.account.says(desk.person, { MsgType: 'image', PicUrl: 'http://mmbiz.qpic.cn/x', MediaId: desk.account.file('image', bytes, 'image/png') })
      const [part] = await partsOf(desk, 'image')
      desk.account.media.clear()
      assert.deepEqual(await bytesOf(part), { type: 'image/png', bytes })
    })

    test('a voice comes as AMR and is playable; what WeChat heard in it stands beside it', async () => {
      const desk = await open()
      await desk.account.says(desk.person, {
        MsgType: 'voice',
        MediaId: desk.account.file('voice', speech(1), 'audio/amr'),
        Format: 'amr',
        Recognition: '你好',
      })
      const [part, words] = await partsOf(desk, 'audio')
      const { type, bytes } = await bytesOf(part)
      assert.deepEqual(
        [type, bytes.toString('latin1', 0, 4), words],
        ['audio/wav', 'RIFF', { type: 'text', text: '你好', label: { zh: '语音识别', en: 'As heard by WeChat' } }],
      )
    })

    test('a voice that cannot be decoded stays as it came, for download', async () => {
      const desk = await open()
      const wide = Buffer.from('#!AMR-WB\n0000000000')
      await desk.account.says(desk.person, { MsgType: 'voice', MediaId: desk.account.file('voice', wide, 'audio/amr'), Format: 'amr' })
      const parts = await eventually(async () => {
        const [message] = await incoming(desk)
        return message?.parts.every(({ type }) => type !== 'remote') && message.parts
      }, 'the voice')
      assert.deepEqual((await bytesOf(parts[0])).bytes, wide)
    })

    test('a video comes by its address', async () => {
      const desk = await open()
      // The first bytes of an MP4.
      const bytes = Buffer.concat([Buffer.from('000000186674797069736f6d0000020069736f6d6d703431', 'hex'), Buffer.alloc(64)])
      await desk.account.says(desk.person, { MsgType: 'video', MediaId: desk.account.file('video', bytes, 'video/mp4'), ThumbMediaId: 't' })
      const [part] = await partsOf(desk, 'video')
      assert.deepEqual((await bytesOf(part)).bytes, bytes)
    })

    test('a file that WeChat no longer has is marked as lost; the message stays', async () => {
      const desk = await open()
      await desk.account.says(desk.person, { MsgType: 'image', MediaId: 'gone' })
      const parts = await eventually(async () => {
        const [message] = await incoming(desk)
        return message?.parts.some((part) => part.type === 'remote' && part.failed) && message.parts
      }, 'giving up')
      assert.equal(parts.length, 1)
    })

    test('what ails the account is no lost file: it is fetched once the account is mended, within WeChat’s three days', async () => {
      const desk = await open()
      const bytes = picture()
      const ref = JSON.stringify({ mediaId: desk.account.file('image', bytes, 'image/png') })
      const settings = async () => (await openInbox(world().hub, desk.inbox.id))?.forAdapter as never
      const failure = async () =>
        Promise.resolve(adapterOf(world().hub, 'wechat')?.fetchFile?.(ref, await settings())).then(
          () => assert.fail('it should have been refused'),
          ({ reason, retry, retryAfterMs = 0, retryForMs, sentence }: SendError) => [
            reason,
            retry,
            retryAfterMs > 60_000,
            (retryForMs ?? 0) / 86_400_000,
            sentence?.zh,
          ],
        )
      for (const errcode of [40164, 48001, 50002, 45009]) {
        server.fail('/cgi-bin/media/get', { errcode })
        assert.deepEqual(await failure(), [`wechat ${errcode}`, true, true, 3, undefined])
      }
      server.fail('/cgi-bin/media/get', { errcode: -1 })
      assert.deepEqual(await failure(), ['wechat -1', true, false, 0, undefined])
      server.fail('/cgi-bin/media/get', { errcode: 40007 })
      assert.match(`${await failure()}`, /^wechat 40007,false,false,0,微信只保留文件三天/)
      const wrong = await open({}, { appSecret: 'wrong' })
      await wrong.account.says(wrong.person, { MsgType: 'image', MediaId: wrong.account.file('image', bytes, 'image/png') })
      await eventually(
        async () => (await em().count(RemoteFetch, { inboxId: wrong.inbox.id, attempts: 0, dueAt: { $gt: new Date(Date.now() + 600_000) } })) === 1,
        'the first try',
      )
      await agent.call('PATCH', `/api/inboxes/${wrong.inbox.id}`, { settings: wrong.account.settings })
      await em().nativeUpdate(RemoteFetch, { inboxId: wrong.inbox.id }, { dueAt: new Date(0) })
      await world().running.sweep()
      await partsOf(wrong, 'image')
    })

    test('an agent’s picture is uploaded and sent', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '有图吗')
      const bytes = picture()
      const fileId = await upload(bytes, '鞋子 图.png')
      assert.equal((await say(desk, [{ type: 'image', fileId, name: '鞋子 图.png', mime: 'image/png', size: bytes.length }])).status, 'sent')
      const [sent] = desk.account.sent
      assert.equal(sent?.msgtype, 'image')
      assert.deepEqual(desk.account.media.get(sent?.content.media_id)?.bytes, bytes)
    })

    test('an agent’s video goes with a still; a voice of more than a minute is refused before it is uploaded', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '有视频吗')
      const film = Buffer.concat([Buffer.from('000000186674797069736f6d0000020069736f6d6d703431', 'hex'), Buffer.alloc(64)])
      const video = await upload(film, '试穿.mp4')
      assert.equal((await say(desk, [{ type: 'video', fileId: video, name: '试穿.mp4', mime: 'video/mp4', size: film.length }])).status, 'sent')
      const [sent] = desk.account.sent
      assert.deepEqual(desk.account.media.get(sent?.content.media_id)?.bytes, film)
      assert.equal(desk.account.media.get(sent?.content.thumb_media_id)?.bytes.subarray(0, 2).toString('hex'), 'ffd8')
      const files = desk.account.media.size
      for (const [seconds, status] of [
        [59, 'sent'],
        [61, 'failed'],
      ] as const) {
        const bytes = speech(seconds)
        const fileId = await upload(bytes, '语音.amr')
        const message = await say(desk, [{ type: 'audio', fileId, name: '语音.amr', mime: 'audio/amr', size: bytes.length }])
        assert.equal(message.status, status, message.failureText?.zh)
        if (status === 'failed') assert.match(message.failureText?.zh ?? '', /60 秒/)
      }
      assert.equal(desk.account.media.size, files + 1)
    })

    test('a media id that dies between upload and sending is uploaded once more', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '有图吗')
      const fileId = await upload(picture(), '图.png')
      server.fail('/cgi-bin/message/custom/send', { errcode: 40007 })
      assert.equal((await say(desk, [{ type: 'image', fileId, name: '图.png', mime: 'image/png', size: 1 }])).status, 'sent')
      assert.deepEqual([desk.account.sent.length, desk.account.media.size], [1, 2])
    })

    test('a picture that WeChat does not take is refused when it is written, before anything is uploaded', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '有图吗')
      const bytes = webp
      const fileId = await upload(bytes, '图.webp')
      const { status, body } = await write(desk, [{ type: 'image', fileId, name: '图.webp', mime: 'image/webp', size: bytes.length }])
      assert.deepEqual([status, body.code, body.details.reason, body.details.names], [422, 'HUB_MESSAGE_REFUSED', 'fileType', 'PNG, JPG, GIF'])
      assert.deepEqual([desk.account.sent.length, desk.account.media.size], [0, 0])
    })

    test('a card that an agent wrote: checked by the inbox’s own form, sent with its page and cover; tried again after a refusal', async () => {
      const [official, mini] = [await open(), await open({ kind: 'mini' })]
      for (const desk of [official, mini]) await desk.account.text(desk.person, '在吗')
      const cover = await upload(picture(), '封面.png')
      const card = (data: object, more: object = { cover }) => [{ type: 'card', kind: 'miniprogram', title: '订单 20260301', data, ...more }]
      const faults = async (desk: Desk, parts: unknown[]) => {
        const { status, body } = await write(desk, parts)
        assert.deepEqual([status, body.code, body.details.reason], [422, 'HUB_MESSAGE_REFUSED', 'card'])
        return (body.details.faults ?? []).map(({ path }: { path: string }) => path)
      }
      assert.deepEqual(await faults(official, card({ pagePath: 'pages/order' })), ['/appId'])
      assert.deepEqual(await faults(mini, card({ pagePath: '/pages order' })), ['/pagePath'])
      assert.deepEqual(await faults(mini, card({ pagePath: 'pages/order' }, {})), ['/cover'])
      const text = await upload(Buffer.from('只是文字'), '封面.txt')
      assert.deepEqual(await faults(mini, card({ pagePath: 'pages/order' }, { cover: text })), [])
      // Somebody else's upload is not there for this agent.
      const other = await world().person('别人', 'admin')
      const { id } = await conversationOf(mini)
      const stolen = { clientId: newId(), parts: card({ pagePath: 'pages/order' }) }
      assert.equal((await other.call('POST', `/api/conversations/${id}/messages`, stolen)).body.code, 'HUB_NOT_FOUND')
      assert.deepEqual((await write(mini, [{ type: 'card', kind: 'lead-form', title: 'x' }])).body.details, { reason: 'part', part: 'card' })

      assert.equal((await say(official, card({ appId: 'wx1234567890', pagePath: 'pages/order?id=7', thumbMediaId: 'forged' }))).status, 'sent')
      const { title, appid, pagepath, thumb_media_id } = official.account.sent.at(-1)?.content ?? {}
      assert.deepEqual([title, appid, pagepath], ['订单 20260301', 'wx1234567890', 'pages/order?id=7'])
      assert.ok(official.account.media.has(thumb_media_id))

      server.fail('/cgi-bin/message/custom/send', { errcode: 45002 })
      const again = await upload(picture(), '封面.png')
      const failed = await say(mini, card({ pagePath: 'pages/order' }, { cover: again }))
      assert.ok(failed.status === 'failed' && failed.failureText?.zh)
      server.mend()
      assert.equal((await agent.call('POST', `/api/messages/${failed.id}/resend`)).status, 200)
      assert.equal((await fate(failed.id)).status, 'sent')
      assert.equal(mini.account.sent.at(-1)?.content.pagepath, 'pages/order')
    })

    test('a mini-program’s inbox carries no voice: it is refused when it is written', async () => {
      const desk = await open({ kind: 'mini' })
      await desk.account.text(desk.person, '在吗')
      const { body } = await write(desk, [{ type: 'audio', fileId: newId(), name: 'a.amr', mime: 'audio/amr', size: 1 }])
      assert.deepEqual(body.details, { reason: 'part', part: 'audio' })
    })

    test('a link leads to a page: what runs is refused', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '在吗')
      for (const url of ['javascript:alert(1)', 'pages/order', 'ftp://a.example']) {
        const { body } = await write(desk, [{ type: 'link', url }])
        assert.deepEqual(body.details, { reason: 'link' }, url)
      }
    })

    test('a link is an article', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '发我链接')
      assert.equal((await say(desk, [{ type: 'link', url: 'https://shop.example.com/7', title: '跑鞋' }])).status, 'sent')
      assert.deepEqual(
        desk.account.sent.map(({ msgtype, content }) => [msgtype, content]),
        [['news', { articles: [{ title: '跑鞋', description: '', url: 'https://shop.example.com/7', picurl: '' }] }]],
      )
    })

    test('a card without a cover of its own gets the inbox’s', async () => {
      const account = server.account()
      const cover = account.file('image', picture(), 'image/png')
      const inbox = await world().inbox('wechat', { ...account.settings, cardThumbMediaId: cover })
      account.callback = `${world().url}/api/channels/wechat/${inbox.id}`
      const desk = { account, inbox, person: account.person() }
      await account.text(desk.person, '发我卡片')
      assert.equal(
        (await say(desk, [{ type: 'card', kind: 'miniprogram', title: '订单', data: { appId: 'wxabcdef', pagePath: 'pages/order' } }])).status,
        'sent',
      )
      assert.equal(account.sent[0]?.content.thumb_media_id, cover)
    })
  })

  describe('tokens', () => {
    const sends = (account: WechatAccount) => account.sent.length

    test('one token serves many messages, is sealed where it lies, and is renewed before it ends', async () => {
      const desk = await open({ replies: 20 })
      await desk.account.text(desk.person, '一')
      for (const word of ['甲', '乙', '丙']) await say(desk, word)
      assert.equal(desk.account.stableCalls.length, 1)
      const rows = await em().find(WechatToken, {})
      assert.ok(rows.every(({ sealed }) => !desk.account.stableCalls.some(({ token }) => sealed.includes(token))))
      // Two minutes before the end, for us and for WeChat.
      server.advance(7_080_000)
      await em().nativeUpdate(WechatToken, {}, { expiresAt: new Date(Date.now() + 110_000) })
      await desk.account.text(desk.person, '二')
      await say(desk, '丁')
      assert.deepEqual([desk.account.stableCalls.length, desk.account.stableCalls.some(({ forced }) => forced), sends(desk.account)], [2, false, 4])
    })

    test('expired at WeChat while ours looks good (42001): renewed once, the message arrives once', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await say(desk, '甲')
      server.advance(7_300_000)
      await desk.account.text(desk.person, '二')
      assert.equal((await say(desk, '乙')).status, 'sent')
      assert.deepEqual([desk.account.stableCalls.length, sends(desk.account)], [2, 2])
    })

    test('killed by another system (40001): renewed without force, the message arrives once', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await say(desk, '甲')
      desk.account.killTokens()
      assert.equal((await say(desk, '乙')).status, 'sent')
      assert.deepEqual([desk.account.stableCalls.map(({ forced }) => forced), sends(desk.account)], [[false, false], 2])
    })

    test('a classic token taken by another system does not disturb ours', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await say(desk, '甲')
      await fetch(`${server.url}/cgi-bin/token?grant_type=client_credential&appid=${desk.account.appId}&secret=${desk.account.secret}`)
      assert.equal((await say(desk, '乙')).status, 'sent')
      assert.equal(desk.account.stableCalls.length, 1)
    })

    test('WeChat refuses a token and hands out the same one again: a new one is forced, once', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      await say(desk, '甲')
      server.fail('/cgi-bin/message/custom/send', { errcode: 40014 })
      assert.equal((await say(desk, '乙')).status, 'sent')
      assert.deepEqual(
        desk.account.stableCalls.map(({ forced }) => forced),
        [false, false, true],
      )
      // Again within the thirty seconds WeChat wants between two: it waits instead of using the ration up.
      server.fail('/cgi-bin/message/custom/send', { errcode: 40014 })
      const { body } = await write(desk, '丙')
      const waiting = await eventually(async () => ((await messageOf(body.id)).failure ? messageOf(body.id) : undefined), 'the first try')
      assert.deepEqual([waiting.status, waiting.failure], ['queued', 'wechat 40014'])
      await hurry(desk)
      assert.equal((await fate(body.id)).status, 'sent')
      assert.equal(desk.account.stableCalls.filter(({ forced }) => forced).length, 1)
    })

    test('twenty at once, on a dead token: one renewal', async () => {
      const desk = await open()
      const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
      const { settings } = asWechat((await openInbox(world().hub, desk.inbox.id))?.forAdapter as never)
      const firsts = await Promise.all(Array.from({ length: 20 }, () => tokenFor(ctx, settings)))
      assert.equal(new Set(firsts.map(({ token }) => token)).size, 1)
      assert.equal(desk.account.stableCalls.length, 1)
      desk.account.killTokens()
      const seconds = await Promise.all(firsts.map(({ token }) => tokenInsteadOf(ctx, settings, token)))
      assert.equal(new Set(seconds.map(({ token }) => token)).size, 1)
      assert.equal(desk.account.stableCalls.length, 2)
    })
  })

  describe('when WeChat fails', () => {
    const sendPath = '/cgi-bin/message/custom/send'

    test('busy (-1) and too fast (45011): tried again by itself, arrives once', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      server.fail(sendPath, { errcode: -1 })
      const { body } = await write(desk, '甲')
      await eventually(async () => (await messageOf(body.id)).failure === 'wechat -1', 'the first try')
      await hurry(desk)
      assert.equal((await fate(body.id)).status, 'sent')
      assert.equal(desk.account.sent.length, 1)
    })

    test('busy (-1) three times: given up with the reason, and the agent sends it again', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      server.fail(sendPath, { errcode: -1 }, 3)
      const { body } = await write(desk, '甲')
      for (let tries = 1; tries < 3; tries++) {
        await eventually(
          async () => (await em().findOne(Outbound, { messageId: body.id, state: 'queued', attempts: tries }, { disableIdentityMap: true })) !== null,
          `try ${tries}`,
        )
        await hurry(desk)
      }
      const given = await fate(body.id)
      assert.deepEqual([given.status, given.failure], ['failed', 'wechat -1'])
      assert.match(given.failureText?.zh ?? '', /^多次重试后仍未送达：微信系统繁忙。/)
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
      await eventually(async () => (await messageOf(body.id)).status === 'sent', 'the agent’s own try')
      assert.equal(desk.account.sent.length, 1)
    })

    test('the day’s quota is used up (45009): waits for tomorrow, and admins see it', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      server.fail(sendPath, { errcode: 45009 })
      const { body } = await write(desk, '甲')
      const row = await eventually(async () => {
        const waiting = await em().findOne(Outbound, { messageId: body.id })
        return waiting?.state === 'queued' && waiting.attempts === 1 && waiting
      }, 'the first try')
      const beijing = new Date(row.dueAt.getTime() + 8 * 3_600_000)
      assert.deepEqual([beijing.getUTCHours(), row.dueAt > new Date()], [0, true])
      assert.equal((await em().findOneOrFail(InboxHealth, { inboxId: desk.inbox.id })).state, 'broken')
    })

    for (const [what, fault, arrived] of [
      ['the line breaks after WeChat took it', 'cut after', 1],
      ['the line breaks before it is known', 'cut before', 0],
      ['a gateway answers instead', { status: 502 }, 1],
      ['a gateway answers in JSON, with HTTP 200', { status: 200, body: '{"code":502,"message":"upstream timed out"}' }, 0],
      ['nothing is said, with HTTP 200', { status: 200, body: '{}' }, 0],
      ['a code that is no number is none of WeChat’s', { status: 200, body: '{"errcode":"0"}' }, 0],
    ] as const)
      test(`${what}: uncertain, never sent twice by itself`, async () => {
        const desk = await open()
        await desk.account.text(desk.person, '一')
        server.fail(sendPath, fault)
        const message = await say(desk, '甲')
        assert.equal(message.status, 'uncertain')
        assert.match(message.failureText?.zh ?? '', /不知道客户有没有收到/)
        assert.ok(desk.account.sent.length <= arrived)
      })

    for (const code of [48002, 48008])
      test(`${code}: one customer’s or one kind’s, so the account is well; admins are told once`, async () => {
        const desk = await open()
        await desk.account.text(desk.person, '一')
        for (const text of ['甲', '乙']) {
          server.fail(sendPath, { errcode: code })
          assert.equal((await say(desk, text)).failure, `wechat ${code}`)
        }
        const { items } = (await agent.call('GET', '/api/notices')).body
        const raised = items.filter(({ link }: { link: string }) => link === `/admin/inboxes/${desk.inbox.id}`)
        assert.deepEqual(
          raised.map(({ kind, level }: { kind: string; level: string }) => [kind, level]),
          [['wechat.refused', 'problem']],
        )
        assert.notEqual((await em().findOne(InboxHealth, { inboxId: desk.inbox.id }))?.state, 'broken')
      })

    test('WeChat is away through all tries: the message says so, and the inbox is broken until one goes through', async () => {
      const desk = await open({}, { apiBase: 'http://127.0.0.1:9' })
      await desk.account.text(desk.person, '一')
      const { body } = await write(desk, '甲')
      const failed = await eventually(async () => {
        await hurry(desk)
        const message = await messageOf(body.id)
        return message.status === 'failed' && message
      }, 'the last try')
      assert.equal(failed.failureText?.zh, '多次重试后仍未送达：连不上微信。系统不再自动重试，请稍后手动重新发送。')
      const health = () => em().findOneOrFail(InboxHealth, { inboxId: desk.inbox.id }, { disableIdentityMap: true })
      assert.deepEqual([(await health()).state, (await health()).error?.zh], ['broken', '连不上微信'])
      await agent.call('PATCH', `/api/inboxes/${desk.inbox.id}`, { settings: { ...desk.account.settings, apiBase: server.url } })
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
      assert.equal((await fate(body.id)).status, 'sent')
      const well = await eventually(async () => ((await health()).state === 'connected' ? health() : undefined), 'the recovery')
      assert.equal(well.lastError?.zh, '连不上微信')
    })

    test('nobody listens there: nothing was sent, so it is tried again', async () => {
      const desk = await open({}, { apiBase: 'http://127.0.0.1:9' })
      await desk.account.text(desk.person, '一')
      const { body } = await write(desk, '甲')
      const waiting = await eventually(async () => ((await messageOf(body.id)).failure ? messageOf(body.id) : undefined), 'the first try')
      assert.equal(waiting.status, 'queued')
    })

    test('every code of the sheet: retried, or failed with its sentence', async () => {
      const desk = await open({ replies: 100 })
      await desk.account.text(desk.person, '一')
      const inbox = (await openInbox(world().hub, desk.inbox.id))?.forAdapter as never
      const message = {
        id: newId(),
        to: desk.person.openid,
        parts: [{ type: 'text', text: '甲' }],
        done: 0,
        progress: async () => undefined,
        signal: new AbortController().signal,
        round: 1,
        attempt: 1,
      } as unknown as OutboundMessage
      const send = () => adapterOf(world().hub, 'wechat')?.send?.(message, inbox)
      for (const { codes, todo, tries, shut = false } of sheet)
        for (const code of codes) {
          // The dance of tokens has tests of its own.
          if (todo === 'refresh') continue
          server.fail(sendPath, { errcode: code }, todo === 'upload' ? 2 : 1)
          await assert.rejects(
            send() as Promise<unknown>,
            (error) =>
              error instanceof SendError &&
              error.retry === (todo === 'retry') &&
              error.maxTries === tries &&
              error.windowShut === shut &&
              error.sentence !== undefined &&
              !error.sentence.zh.includes(String(code)),
            String(code),
          )
        }
      assert.equal(desk.account.sent.length, 0)
    })

    test('the same refusal again, within a minute after a test that went well or after off and on, is told again', async () => {
      const desk = await open()
      await desk.account.text(desk.person, '一')
      const state = async () => {
        const { items } = (await agent.call('GET', '/api/inboxes/health')).body
        const { state, code } = items.find(({ inboxId }: { inboxId: string }) => inboxId === desk.inbox.id)
        return [state, code]
      }
      const refused = async () => {
        server.fail('/cgi-bin/message/custom/send', { errcode: 48001 })
        assert.equal((await say(desk, '甲')).failure, 'wechat 48001')
        return state()
      }
      assert.deepEqual(await refused(), ['unauthorised', '48001'])
      await agent.call('POST', `/api/inboxes/${desk.inbox.id}/probe`, {})
      assert.equal((await state())[0], 'connected')
      assert.deepEqual(await refused(), ['unauthorised', '48001'])
      for (const enabled of [false, true]) await agent.call('PATCH', `/api/inboxes/${desk.inbox.id}`, { enabled })
      assert.deepEqual(await refused(), ['unauthorised', '48001'])
      assert.equal((await say(desk, '乙')).status, 'sent')
      await eventually(async () => (await state())[0] === 'connected', 'the mending')
    })

    test('a wrong AppSecret: the message says so, the inbox needs its admin, and the right one mends it', async () => {
      const desk = await open({}, { appSecret: 'wrong' })
      await desk.account.text(desk.person, '一')
      const failed = await say(desk, '甲')
      assert.deepEqual([failed.status, failed.failure], ['failed', 'wechat 40125'])
      const health = async () =>
        (await agent.call('GET', '/api/inboxes/health')).body.items.find(({ inboxId }: { inboxId: string }) => inboxId === desk.inbox.id)
      assert.deepEqual([(await health()).state, (await health()).code, /AppSecret/.test((await health()).remedy.zh)], ['unauthorised', '40125', true])
      const saved = await agent.call('PATCH', `/api/inboxes/${desk.inbox.id}`, { settings: desk.account.settings })
      assert.equal(saved.status, 200, JSON.stringify(saved.body))
      assert.equal((await say(desk, '乙')).status, 'sent')
      await eventually(async () => (await health()).state === 'connected', 'the mending')
      const { expiresAt } = await world()
        .hub.em()
        .findOneOrFail(WechatToken, { id: credentialOf(desk.account.settings as WechatSettings) }, { disableIdentityMap: true })
      assert.deepEqual((await health()).credential, { kind: 'token', validUntil: expiresAt.toISOString() })
      // Whichever process renewed it: what is told is the token that is in use.
      const later = new Date(expiresAt.getTime() + 60_000)
      await world()
        .hub.em()
        .nativeUpdate(WechatToken, { id: credentialOf(desk.account.settings as WechatSettings) }, { expiresAt: later })
      assert.equal((await health()).credential.validUntil, later.toISOString())
    })
  })

  test('the connection test says what is wrong, step by step, and writes to nobody', async () => {
    const desk = await open()
    const probe = async (settings: Record<string, unknown>) =>
      (await agent.call('POST', '/api/inboxes/probe', { channel: 'wechat', settings })).body.steps.map(
        (step: { label: { zh: string }; ok: boolean; detail?: { zh: string } }) => [step.label.zh, step.ok, step.detail?.zh ?? ''],
      )
    const good = await probe(desk.account.settings)
    assert.deepEqual(
      good.map(([label, ok]: [string, boolean]) => [label, ok]),
      [
        ['回调地址', true],
        ['Token', true],
        ['EncodingAESKey', true],
        ['AppID 与 AppSecret', true],
        ['调用接口', true],
        ['已收到过验证通过的推送', false],
      ],
    )
    const wrong = await probe({ ...desk.account.settings, appSecret: 'x' })
    assert.match(wrong.at(-2)[2], /AppSecret 不对/)
    server.fail('/cgi-bin/stable_token', { errcode: 40164 })
    assert.match((await probe(desk.account.settings)).at(-2)[2], /IP 白名单/)
    assert.match((await probe({ ...desk.account.settings, token: '', encodingAesKey: '' }))[2][2], /43 位/)
    assert.equal(desk.account.sent.length, 0)
  })

  test('the connection test says whether a verified push has come; the console’s check and a forged one are none, and none yet is no fault', async () => {
    const desk = await open()
    const push = async () => (await agent.call('POST', `/api/inboxes/${desk.inbox.id}/probe`, {})).body.steps.at(-1)
    await desk.account.verifyCallback()
    await fetch(`${desk.account.callback}?signature=1&timestamp=2&nonce=3`, { method: 'POST', body: '<xml></xml>' })
    const before = await push()
    assert.deepEqual([before.ok, before.waits, /EncodingAESKey/.test(before.detail.en)], [false, true, true])
    const { ctx } = world().hub.kernel.get('wechat') as { ctx: PluginContext }
    await ctx.health(desk.inbox.id, { state: 'unauthorised', error: { zh: '密钥不对', en: 'The secret is wrong' } })
    await push()
    assert.equal((await em().findOneOrFail(InboxHealth, { inboxId: desk.inbox.id }, { disableIdentityMap: true })).state, 'connected')
    await desk.account.text(desk.person, '试一下')
    await eventually(async () => (await push()).ok, 'the proof')
  })

  test('another account in the inbox has yet to push; one whose keys came back need not', async () => {
    const desk = await open()
    const other = server.account({})
    other.callback = desk.account.callback
    const push = async () => (await agent.call('POST', `/api/inboxes/${desk.inbox.id}/probe`, {})).body.steps.at(-1).ok
    const give = async (settings: Record<string, unknown>) =>
      assert.equal((await agent.call('PATCH', `/api/inboxes/${desk.inbox.id}`, { settings })).status, 200)
    await desk.account.text(desk.person, '一')
    await eventually(push, 'the proof')
    await give({ ...desk.account.settings, replyCount: 20 })
    assert.equal(await push(), true)
    await give(other.settings)
    assert.equal(await push(), false)
    await give(desk.account.settings)
    assert.equal(await push(), true)
    await give(other.settings)
    await other.text(other.person(), '二')
    await eventually(push, 'the proof of the other one')
  })

  test('a colleague without the permission may neither try nor see an account’s settings', async () => {
    const desk = await open()
    const colleague = await world().person('小李', 'agent')
    const asked = await Promise.all([
      colleague.call('POST', '/api/inboxes/probe', { channel: 'wechat', settings: desk.account.settings }),
      colleague.call('POST', `/api/inboxes/${desk.inbox.id}/test`, { to: 'somebody', text: '试' }),
      colleague.call('GET', '/api/inboxes/health'),
    ])
    assert.deepEqual(
      asked.map(({ status }) => status),
      [403, 403, 403],
    )
  })

  test('secrets never come back', async () => {
    const desk = await open()
    const { body } = await agent.call('GET', '/api/inboxes')
    const shown = JSON.stringify(body)
    for (const secret of [desk.account.secret, desk.account.token, desk.account.aesKey]) assert.ok(!shown.includes(secret))
  })

  test('typing is shown by the interface of the account’s choice', async () => {
    const desk = await open({}, { typingPath: '/cgi-bin/message/custom/business/typing' })
    const inbox = (await openInbox(world().hub, desk.inbox.id))?.forAdapter as never
    const adapter = adapterOf(world().hub, 'wechat')
    await adapter?.typing?.(desk.person.openid, true, inbox)
    await adapter?.typing?.(desk.person.openid, false, inbox)
    assert.deepEqual(
      desk.account.typing.map(({ command, path }) => [command, path.includes('business')]),
      [
        ['Typing', true],
        ['CancelTyping', true],
      ],
    )
  })

  test('switched off, the callback is 404 and WeChat tries again; switched on, its last try is stored', async () => {
    const desk = await open()
    const msgId = desk.account.nextMsgId()
    await world().whileOff('wechat', async () => {
      const { attempts } = await desk.account.text(desk.person, '有人吗', { msgId })
      assert.deepEqual(
        attempts.map(({ status }) => status),
        [404, 404, 404, 404],
      )
    })
    await desk.account.text(desk.person, '有人吗', { msgId })
    assert.equal((await incoming(desk)).length, 1)
  })

  test('a body in any shape gets an answer that is no error of ours', async () => {
    const desk = await open()
    for (const body of ['', '{', '<xml>', '<!DOCTYPE a [<!ENTITY b "c">]><xml>&b;</xml>', '\u0000'.repeat(100)]) {
      const { status } = await call(world().url, 'POST', `/api/channels/wechat/${desk.inbox.id}?signature=1&timestamp=2&nonce=3`, body)
      assert.ok([400, 401].includes(status), `${status}`)
    }
  })
})
