/** Douyin through the whole hub, against the simulator (ours, not Douyin): both rivers, the authorisation, what goes wrong. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { join, resolve } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { DouyinServer } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Activity, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import douyinPlugin from '../../plugins/douyin/plugin.ts'
import { Account } from '../../plugins/douyin/server/account.entity.ts'
import type { Ctx } from '../../plugins/douyin/server/context.ts'
import { keepTokensAlive } from '../../plugins/douyin/server/tokens.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
const dir = join(resolve(import.meta.dirname, '../..'), 'plugins/douyin')

await onEveryProfile('douyin', [found(douyinPlugin, dir)], (world) => {
  let douyin: DouyinServer
  let admin: Person
  let inbox: Inbox
  let operator: string

  before(async () => {
    douyin = await new DouyinServer().start()
    douyin.retryMs = 50
    await world().hub.kernel.configure('douyin', { apiUrl: douyin.url })
    admin = await world().person('小柏', 'admin')
    inbox = await world().inbox('douyin', { clientKey: douyin.clientKey, clientSecret: douyin.clientSecret })
    douyin.webhookUrl = `${world().url}/api/channels/douyin/${inbox.id}`
    operator = douyin.operator().openId
  })
  after(() => douyin.stop())
  beforeEach(() => {
    douyin.faults = []
    douyin.echo = 'after'
    douyin.contentAs = 'object'
  })

  const em = () => world().hub.em()
  const someone = () => `_000${newId()}`
  const messagesOf = async (customer: string) => {
    const identity = await em().findOne(Identity, { inboxId: inbox.id, externalId: customer })
    if (!identity) return []
    const conversations = await em().find(Conversation, { identityId: identity.id })
    return em().find(Message, { conversationId: { $in: conversations.map(({ id }) => id) } }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
  }
  const said = async (customer: string, direction?: string) =>
    (await messagesOf(customer)).filter((message) => message.direction !== 'system' && (!direction || message.direction === direction)).map(({ text }) => text)
  const conversationOf = async (customer: string) => (await messagesOf(customer))[0]?.conversationId ?? ''
  const answer = async (customer: string, text: string, as = admin) =>
    as.call('POST', `/api/conversations/${await conversationOf(customer)}/messages`, { clientId: newId(), parts: [{ type: 'text', text }] })
  const fate = (id: string, status: string) =>
    eventually(async () => {
      const message = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return message.status === status && message
    }, `the message to be ${status}`)
  const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === inbox.id)

  /** The admin's way: the button, Douyin's page, and back. Returns where the browser ends. */
  async function authorise(as: Person = admin, tamper: (back: URL) => void = () => undefined, withCookie = true) {
    const begun = await fetch(`${world().url}/api/x/douyin/inboxes/${inbox.id}/authorise`, { method: 'POST', headers: { cookie: as.cookie } })
    if (begun.status !== 200) return begun
    const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? ''
    const { url } = (await begun.json()) as { url: string }
    const page = await fetch(`${url}&operator=${operator}`, { redirect: 'manual' })
    const back = new URL(page.headers.get('location') ?? '')
    tamper(back)
    return fetch(`${world().url}${back.pathname}${back.search}`, {
      redirect: 'manual',
      headers: { cookie: withCookie ? `${as.cookie}; ${cookie}` : as.cookie },
    })
  }

  test('the address is tried before anything is signed, then only signed', async () => {
    assert.equal(await douyin.verifyWebhook({ signed: false }), true)
    assert.equal(await douyin.verifyWebhook({ signed: true, challenge: '12345' }), true)
    assert.equal(await douyin.verifyWebhook({ signed: false }), false)
  })

  test('the operator authorises: only an admin begins it, only the same browser ends it', async () => {
    const agent = await world().person('小谷', 'agent')
    assert.equal((await authorise(agent)).status, 403)
    assert.equal((await agent.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).status, 403)
    assert.equal((await agent.call('DELETE', `/api/x/douyin/inboxes/${inbox.id}/authorisation`)).status, 403)
    assert.equal((await authorise(admin, undefined, false)).status, 403)
    assert.equal((await authorise(admin, (back) => back.searchParams.set('state', `${back.searchParams.get('state')}x`))).status, 403)
    const refused = await authorise(admin, (back) => back.searchParams.delete('code'))
    assert.equal(refused.headers.get('location'), `/admin/inboxes/${inbox.id}?douyin=refused`)

    const done = await authorise()
    assert.equal(done.headers.get('location'), `/admin/inboxes/${inbox.id}?douyin=authorised`)
    const { body } = await admin.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)
    assert.deepEqual([body.state, body.nickname, body.renewalsLeft, body.configured], ['authorised', '云杉家居旗舰店', 5, true])
    assert.equal(body.webhookUrl.endsWith(`/api/channels/douyin/${inbox.id}`), true)
    assert.doesNotMatch(JSON.stringify(body), /act\.|rft\.|secret/)
    assert.equal((await health()).state, 'connected')
  })

  test('what is not signed as Douyin signs it is refused and stored nowhere', async () => {
    const customer = someone()
    const hmac = (body: string) => createHmac('sha1', douyin.clientSecret).update(body).digest('hex')
    const body = JSON.stringify({ event: 'im_receive_msg', from_user_id: customer, to_user_id: operator, content: { message_type: 'text', text: '伪造' } })
    for (const signature of [hmac(body), 'x', '']) {
      const { status } = await fetch(douyin.webhookUrl, { method: 'POST', body, headers: { 'x-douyin-signature': signature, 'msg-id': 'forged' } })
      assert.equal(status, 401)
    }
    assert.deepEqual(await messagesOf(customer), [])
  })

  test('a message comes once, however often it is told, with content of either kind; masked stays masked', async () => {
    for (const as of ['object', 'string'] as const) {
      douyin.contentAs = as
      const customer = someone()
      await douyin.says(customer, operator, '我的电话 138****5678', { repeats: 4 })
      await douyin.says(customer, operator, '在吗')
      assert.deepEqual(await said(customer), ['我的电话 138****5678', '在吗'])
      const identity = await em().findOneOrFail(Identity, { inboxId: inbox.id, externalId: customer })
      assert.equal(identity.attributes.avatar, 'https://p3.douyinpic.com/avatar.jpeg')
    }
  })

  test('a recall that comes before its message takes it back when it is here', async () => {
    const customer = someone()
    const base = { conversation_short_id: '@c', server_message_id: `@m${newId()}`, create_time: Date.now() }
    await douyin.push('im_recall_msg', customer, operator, base)
    await douyin.push('im_receive_msg', customer, operator, { ...base, conversation_type: 1, message_type: 'text', text: '发错了' })
    await eventually(async () => {
      await world().hasten()
      return (await messagesOf(customer))[0]?.recalledAt
    }, 'the recall')
  })

  test('a lead card shows its fields', async () => {
    const customer = someone()
    await douyin.says(customer, operator, {
      message_type: 'retain_consult_card',
      card_id: '7',
      card_status: 2,
      card_data: [
        { label: '姓名', value: '林小满' },
        { label: '手机号', value: '13800138000' },
      ],
    })
    assert.deepEqual(await said(customer), ['姓名: 林小满\n手机号: 13800138000'])
  })

  test('an agent’s answer is one message, whether its echo comes after or before the platform’s answer', async () => {
    for (const echo of ['after', 'before', 'never'] as const) {
      douyin.echo = echo
      const customer = someone()
      await douyin.says(customer, operator, '茶几还有货吗')
      const { status, body } = await answer(customer, `有的（${echo}）`)
      assert.equal(status, 201)
      const sent = await fate(body.id, 'sent')
      assert.equal(sent.externalId, douyin.messages.at(-1)?.id)
      await douyin.settled()
      // An echo that came first waits for the send's fate: it is looked at once more.
      await world().running.sweep()
      assert.deepEqual(await said(customer, 'out'), [`有的（${echo}）`])
    }
  })

  test('sent by hand in the Douyin app: an agent’s message, once', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '你好')
    const echo = await douyin.answersInApp(operator, customer, '您好，我在手机上回您')
    // The same echo again, under another Msg-Id.
    await douyin.push('im_send_msg', operator, customer, {
      conversation_short_id: douyin.conversationOf(customer),
      server_message_id: echo.id,
      message_type: 'text',
      text: '您好，我在手机上回您',
      source: '',
    })
    assert.deepEqual(await said(customer), ['你好', '您好，我在手机上回您'])
    const [, stored] = await messagesOf(customer).then((all) => all.filter(({ direction }) => direction !== 'system'))
    assert.deepEqual([stored?.direction, stored?.authorId], ['out', null])
  })

  test('an answer that got lost leaves the message uncertain; the echo clears it up', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    douyin.echo = 'never'
    douyin.faults = [{ path: '/im/send', cutAfter: true }]
    const { body } = await answer(customer, '在的，请说')
    const unsure = await fate(body.id, 'uncertain')
    assert.match(unsure.failureText?.zh ?? '', /核对/)
    const real = douyin.messages.at(-1)
    await douyin.push('im_send_msg', operator, customer, { server_message_id: real?.id, message_type: 'text', text: '在的，请说', source: douyin.clientKey })
    assert.equal((await fate(body.id, 'sent')).externalId, real?.id)
    assert.deepEqual(await said(customer, 'out'), ['在的，请说'])
  })

  test('so does the echo of a picture, of which this flavour only says that there is one', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '有图吗')
    douyin.echo = 'never'
    douyin.faults = [{ path: '/im/send', cutAfter: true }]
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(png)]), '茶几.png')
    const part = await (await fetch(`${world().url}/api/files`, { method: 'POST', headers: { cookie: admin.cookie }, body: form })).json()
    const { body } = await admin.call('POST', `/api/conversations/${await conversationOf(customer)}/messages`, { clientId: newId(), parts: [part] })
    await fate(body.id, 'uncertain')
    const real = douyin.messages.at(-1)
    await douyin.push('im_send_msg', operator, customer, { server_message_id: real?.id, message_type: 'image', source: douyin.clientKey })
    assert.equal((await fate(body.id, 'sent')).externalId, real?.id)
    assert.equal((await said(customer, 'out')).length, 1)
  })

  test('sent by hand in the app it is never the message in doubt: neither another picture, nor the same words', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '有图吗')
    douyin.echo = 'never'
    douyin.faults = [
      { path: '/im/send', cut: true },
      { path: '/im/send', cut: true },
    ]
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(png)]), '茶几.png')
    const part = await (await fetch(`${world().url}/api/files`, { method: 'POST', headers: { cookie: admin.cookie }, body: form })).json()
    const picture = await admin.call('POST', `/api/conversations/${await conversationOf(customer)}/messages`, { clientId: newId(), parts: [part] })
    await fate(picture.body.id, 'uncertain')
    const words = await answer(customer, '您好')
    await fate(words.body.id, 'uncertain')
    await douyin.push('im_send_msg', operator, customer, {
      server_message_id: `@by-hand-${newId()}`,
      create_time: Date.now(),
      message_type: 'image',
      source: '',
    })
    await douyin.answersInApp(operator, customer, '您好')
    const all = (await messagesOf(customer)).filter(({ direction }) => direction === 'out')
    assert.deepEqual(
      all.map(({ status, authorId }) => [status, authorId !== null]),
      [
        ['uncertain', true],
        ['uncertain', true],
        ['sent', false],
        ['sent', false],
      ],
    )
  })

  test('taken back: by the customer, in the app, and from here', async () => {
    const customer = someone()
    const first = await douyin.says(customer, operator, '发错了')
    const second = await douyin.answersInApp(operator, customer, '我也发错了')
    await douyin.recalls(first, operator, 'customer')
    await douyin.recalls(second, operator, 'operator')
    await eventually(async () => (await messagesOf(customer)).filter((message) => message.recalledAt).length === 2, 'both recalls')
    const { body } = await answer(customer, '这条我撤回')
    await fate(body.id, 'sent')
    assert.equal((await admin.call('POST', `/api/messages/${body.id}/recall`, {})).status, 200)
    assert.equal(douyin.messages.find(({ customer: to, content }) => to === customer && content.text === '这条我撤回')?.recalled, true)
  })

  test('opening the chat is in the trail, with where it came from, and lets us write', async () => {
    const customer = someone()
    await douyin.enters(customer, operator, { ad_info: { ad_id: '1789012345678901234', ad_name: '双十一茶几' } })
    const { id } = await em().findOneOrFail(Identity, { inboxId: inbox.id, externalId: customer })
    const activity = await em().findOneOrFail(Activity, { identityId: id, name: 'entered' })
    assert.deepEqual(activity.params, { ad_id: '1789012345678901234', ad_name: '双十一茶几' })
    assert.deepEqual(await messagesOf(customer), [])
    await douyin.says(customer, operator, '看到广告来的')
    const { body } = await answer(customer, '欢迎')
    await fate(body.id, 'sent')
    assert.equal(douyin.messages.findLast(({ customer: to }) => to === customer)?.scene, 'im_enter_direct_msg')
  })

  test('six answers, then the hub itself says no, until the customer writes again', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    for (let i = 1; i <= 6; i++) await fate((await answer(customer, `第 ${i} 条`)).body.id, 'sent')
    const refused = await answer(customer, '第七条')
    assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_REPLY_WINDOW'])
    await douyin.says(customer, operator, '我又来了')
    await fate((await answer(customer, '又可以了')).body.id, 'sent')
  })

  test('when the platform counts otherwise, it is right: the agent reads why, and the window is shut', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    douyin.faults = [{ path: '/im/send', code: 28003070 }]
    const failed = await fate((await answer(customer, '在的')).body.id, 'failed')
    assert.match(failed.failureText?.zh ?? '', /客户再发消息/)
    assert.equal((await answer(customer, '再试')).body.code, 'HUB_REPLY_WINDOW')
  })

  test('a picture from a customer is copied; a picture of ours is uploaded', async () => {
    douyin.files.set('chair.png', png)
    const customer = someone()
    await douyin.says(customer, operator, { message_type: 'user_local_image', file: 'chair.png' })
    const image = await eventually(async () => (await messagesOf(customer)).flatMap(({ parts }) => parts).find((part) => part.type === 'image'), 'the picture')
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(png)]), '茶几.png')
    const uploaded = (await (await fetch(`${world().url}/api/files`, { method: 'POST', headers: { cookie: admin.cookie }, body: form })).json()) as {
      part?: object
    }
    const part = (uploaded.part ?? uploaded) as object
    const { status, body } = await admin.call('POST', `/api/conversations/${await conversationOf(customer)}/messages`, { clientId: newId(), parts: [part] })
    assert.equal(status, 201, JSON.stringify(body))
    await fate(body.id, 'sent')
    assert.deepEqual([...douyin.uploads.values()].at(-1), png)
    assert.equal(image.type, 'image')
  })

  test('the platform is away: what is sent waits, in order, and arrives once', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    douyin.faults = [{ path: '/im/send', status: 503, times: 2 }]
    const bodies: { id: string; conversationId: string }[] = []
    for (const text of ['一', '二', '三']) bodies.push((await answer(customer, text)).body)
    // Its backoff is not waited for.
    await eventually(async () => {
      await em().nativeUpdate(Outbound, { conversationId: bodies[0]?.conversationId ?? '', state: 'queued' }, { dueAt: new Date() })
      await world().running.sweep()
      return (await em().count(Outbound, { conversationId: bodies[0]?.conversationId ?? '' })) === 0
    }, 'the sending')
    assert.deepEqual(
      douyin.messages.filter((message) => message.customer === customer && message.direction === 'out').map(({ content }) => content.text),
      ['一', '二', '三'],
    )
  })

  test('while the plugin is off the platform tries again, and nothing is lost', async () => {
    const customer = someone()
    let pushing: Promise<unknown> = Promise.resolve()
    await world().whileOff('douyin', async () => {
      pushing = douyin.says(customer, operator, '有人吗')
      await eventually(() => douyin.deliveries.at(-1)?.status === 404, 'a refusal')
    })
    await pushing
    assert.deepEqual(await said(customer), ['有人吗'])
  })

  test('an unknown event and an unknown kind of message are kept whole', async () => {
    const customer = someone()
    await douyin.push('im_new_thing', customer, operator, { wonder: 1 })
    await douyin.says(customer, operator, { message_type: 'hologram', depth: 3 })
    const parts = (await messagesOf(customer)).flatMap(({ parts }) => parts).filter(({ type }) => type === 'unsupported')
    assert.deepEqual(
      parts.map((part) => (part as { raw: { content: object } }).raw.content).map((content) => ('wonder' in content ? 'event' : 'message')),
      ['event', 'message'],
    )
  })

  test('ids longer than a database’s column: the platform need not repeat the push, and what was said is there', async () => {
    const customer = someone()
    const long = `@${newId()}${'x'.repeat(70_000)}`
    const told = async (event: string, ids: object, content: object = {}) =>
      (await douyin.push(event, customer, operator, { ...ids, create_time: Date.now(), message_type: 'text', ...content })).status
    const [message, conversation] = [{ server_message_id: long }, { conversation_short_id: long }]
    assert.equal(await told('im_receive_msg', message, { text: '一' }), 200)
    assert.equal(await told('im_receive_msg', message, { text: '一' }), 200)
    assert.equal(await told('im_receive_msg', { server_message_id: `@${newId()}`, ...conversation }, { text: '二' }), 200)
    assert.equal(await told('im_enter_direct_msg', { ...message, ...conversation }), 200)
    assert.equal(await told('im_send_msg', { ...message, ...conversation }, { text: '三' }), 200)
    assert.equal(await told('im_recall_msg', { ...message, ...conversation }), 200)
    assert.equal(await told('im_group_receive_msg', { ...message, ...conversation }, { text: '四' }), 200)
    assert.deepEqual(await said(customer, 'in'), ['一', '二'])
    // A person is no such id.
    for (const [from, to] of [
      [long, operator],
      [customer, long],
    ] as const)
      assert.equal((await douyin.push('im_receive_msg', from, to, { message_type: 'text', text: '五' })).status, 400)
  })

  test('two processes of one mind: a token that ended is refreshed once for all who send', async () => {
    const customers = [someone(), someone(), someone()]
    for (const customer of customers) await douyin.says(customer, operator, '在吗')
    const live = douyin.operators.get(operator)
    if (live?.access) live.access.until = 0
    const before = douyin.calls.filter(({ path }) => path === '/oauth/refresh_token/').length
    const sent = await Promise.all(customers.map((customer) => answer(customer, '在')))
    for (const { body } of sent) await fate(body.id, 'sent')
    assert.equal(douyin.calls.filter(({ path }) => path === '/oauth/refresh_token/').length - before, 1)
  })

  test('the connection test is all green', async () => {
    const { body } = await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})
    assert.deepEqual(
      body.steps.map(({ ok }: { ok: boolean }) => ok),
      [true, true, true, true],
    )
  })

  test('what a test has mended stays mended until a message is refused again', async () => {
    const { ctx } = world().hub.kernel.get('douyin') as unknown as { ctx: Ctx }
    const broken = async () =>
      (await admin.call('GET', '/api/notices?limit=100')).body.items
        .filter(({ kind, link }: { kind: string; link: string }) => kind === 'inbox.broken' && link === `/admin/inboxes/${inbox.id}`)
        .map(({ endedAt }: { endedAt: string | null }) => endedAt === null)
    const before = await broken()
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    douyin.faults = [{ path: '/im/send/msg/', code: 28003095 }]
    await fate((await answer(customer, '在的')).body.id, 'failed')
    assert.deepEqual([(await health()).state, await broken()], ['broken', [true, ...before]])
    // Turned off in Douyin's own workbench, where nothing tells us of it.
    await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})
    for (let i = 0; i < 2; i++) await keepTokensAlive(ctx)
    assert.deepEqual([(await health()).state, await broken()], ['connected', [false, ...before]])
    douyin.faults = [{ path: '/im/send/msg/', code: 28003095 }]
    await fate((await answer(customer, '还在')).body.id, 'failed')
    assert.deepEqual([(await health()).state, await broken()], ['broken', [true, false, ...before]])
    await fate((await answer(customer, '在了')).body.id, 'sent')
    await eventually(async () => (await health()).state === 'connected', 'the mending')
  })

  test('a contract that the operator ends is told to admins, and no more once it is signed again', async () => {
    const notices = async () =>
      (await admin.call('GET', '/api/notices')).body.items.filter(({ kind }: { kind: string }) => kind === 'douyin.contract') as { endedAt: string | null }[]
    await douyin.push('contract_unauthorize', 'somebody', 'else', {})
    assert.deepEqual(await notices(), [])
    for (let i = 0; i < 2; i++) await douyin.push('contract_unauthorize', operator, '', {})
    assert.deepEqual(
      (await notices()).map(({ endedAt }) => endedAt),
      [null],
    )
    await douyin.push('contract_authorize', operator, '', {})
    assert.ok((await notices()).every(({ endedAt }) => endedAt !== null))
  })

  const turn = async (enabled: boolean) => assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled })).status, 200)
  const settled = (state: string) =>
    eventually(async () => {
      await world().running.sweep()
      return (await health()).state === state
    }, `the state ${state}`)

  test('an inbox that is off asks admins for nothing; on again it says how its account is', async () => {
    const open = async () =>
      (await admin.call('GET', '/api/notices?limit=100')).body.items
        .filter(({ link, endedAt }: { link: string; endedAt: string | null }) => link === `/admin/inboxes/${inbox.id}` && endedAt === null)
        .map(({ kind }: { kind: string }) => kind)
    await turn(false)
    await douyin.push('contract_unauthorize', operator, '', {})
    await douyin.revoke(operator)
    await douyin.push('authorize', operator, '', {})
    assert.deepEqual([(await health()).state, await open()], [null, []])
    await turn(true)
    await settled('unauthorised')
    assert.match((await health()).remedy.zh, /重新授权/)
    assert.deepEqual(await open(), ['inbox.broken'])
    await authorise()
    assert.deepEqual([(await health()).state, await open()], ['connected', []])
    await turn(false)
    assert.equal((await health()).state, null)
    await turn(true)
    await settled('connected')
  })

  test('off for longer than its tokens live, on again: it must be authorised anew, and is told so with no day that has passed', async () => {
    const endings = async () => (await admin.call('GET', '/api/notices?limit=100')).body.items.filter(({ kind }: { kind: string }) => kind === 'douyin.ending')
    const day = 86_400_000
    await turn(false)
    await em().nativeUpdate(Account, { inboxId: inbox.id }, { accessUntil: new Date(Date.now() - 18 * day), refreshUntil: new Date(Date.now() - 3 * day) })
    await turn(true)
    await settled('unauthorised')
    assert.deepEqual([(await health()).validUntil, await endings()], [null, []])
    assert.equal((await admin.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).body.state, 'revoked')
    await authorise()
    await settled('connected')

    // Off for two weeks and more: the access token has ended, and is refreshed before anybody is told that all is well.
    await turn(false)
    await em().nativeUpdate(Account, { inboxId: inbox.id }, { accessUntil: new Date(Date.now() - day) })
    await turn(true)
    await settled('connected')
    const { accessUntil } = await em().findOneOrFail(Account, { inboxId: inbox.id }, { disableIdentityMap: true })
    assert.ok(accessUntil.getTime() > Date.now())
    // So it is when Douyin is away; the job tries again.
    await turn(false)
    await em().nativeUpdate(Account, { inboxId: inbox.id }, { accessUntil: new Date(Date.now() - day) })
    douyin.faults = [{ path: '/oauth/refresh_token', cut: true }]
    await turn(true)
    await settled('connected')
    const { ctx } = world().hub.kernel.get('douyin') as unknown as { ctx: Ctx }
    await keepTokensAlive(ctx)
  })

  test('taken away in the app: said at once, shown to agents, mended by the button', async () => {
    const customer = someone()
    await douyin.says(customer, operator, '在吗')
    await douyin.revoke(operator)
    const { state, remedy } = await health()
    assert.equal(state, 'unauthorised')
    assert.match(remedy.zh, /重新授权/)
    assert.equal((await admin.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).body.state, 'revoked')
    const failed = await fate((await answer(customer, '在的')).body.id, 'failed')
    assert.match(failed.failureText?.zh ?? '', /重新授权/)
    // What customers write still comes in.
    await douyin.says(customer, operator, '还在吗')
    // Given again in Douyin itself: our tokens are still dead, so admins hear what is left to do, and only they.
    const finish = async (who = admin) =>
      (await who.call('GET', '/api/notices')).body.items
        .filter(({ kind }: { kind: string }) => kind === 'douyin.finish')
        .map(({ endedAt }: { endedAt: string | null }) => endedAt === null)
    await douyin.push('authorize', 'somebody', 'else', {})
    assert.deepEqual(await finish(), [])
    await douyin.push('authorize', operator, '', {}, { repeats: 1 })
    assert.deepEqual([await finish(), await finish(await world().person('小蓝'))], [[true], []])
    const waiting = await health()
    assert.deepEqual([waiting.state, /最后一步/.test(waiting.error.zh), /重新授权/.test(waiting.remedy.zh)], ['unauthorised', true, true])
    const news = async () => (await admin.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).body.news.map(({ change }: { change: string }) => change)
    assert.deepEqual((await news()).toSorted(), ['contract', 'contract-ended', 'contract-ended', 'contract-ended', 'given', 'given', 'taken', 'taken'])
    assert.equal((await (await world().person('小绿')).call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).status, 403)
    assert.equal((await authorise()).headers.get('location'), `/admin/inboxes/${inbox.id}?douyin=authorised`)
    assert.deepEqual([(await health()).state, await finish()], ['connected', [false]])
    // While our tokens are good it is a confirmation and nothing else.
    await douyin.push('authorize', operator, '', {})
    assert.deepEqual([(await health()).state, await finish(), (await news()).length], ['connected', [false], 9])
    assert.equal((await admin.call('POST', `/api/messages/${failed.id}/resend`, {})).status, 200)
    await fate(failed.id, 'sent')
  })

  test('another app in the inbox: its account must be authorised for it, its address proven anew, and nothing of the old app’s is used', async () => {
    const other = await new DouyinServer().start()
    other.webhookUrl = douyin.webhookUrl
    try {
      const apps = {
        old: { clientKey: douyin.clientKey, clientSecret: douyin.clientSecret },
        new: { clientKey: other.clientKey, clientSecret: other.clientSecret },
      }
      const give = async (app: object) => {
        const { status } = await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { scope: 'user_info,im.direct_message', ...app } })
        assert.equal(status, 200)
      }
      const pushStep = async () => (await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})).body.steps.at(-1).ok
      const page = async () => (await admin.call('GET', `/api/x/douyin/inboxes/${inbox.id}`)).body
      const settled = (state: string) =>
        eventually(async () => {
          await world().running.sweep()
          return (await health()).state === state
        }, `the state ${state}`)
      assert.deepEqual([await pushStep(), (await page()).state, (await health()).state], [true, 'authorised', 'connected'])

      await give(apps.new)
      await settled('unauthorised')
      assert.match((await health()).error.zh, /Client Key/)
      assert.deepEqual([await pushStep(), (await page()).state, (await page()).webhookProvenAt], [false, 'revoked', null])
      assert.deepEqual([await other.verifyWebhook({ signed: false }), await other.verifyWebhook({ signed: true })], [true, true])
      assert.deepEqual([await other.verifyWebhook({ signed: false }), await pushStep()], [false, true])
      const customer = someone()
      await other.says(customer, other.operator().openId, '新应用来的')
      assert.deepEqual(await said(customer), ['新应用来的'])
      const calls = douyin.calls.length
      const failed = await fate((await answer(customer, '在的')).body.id, 'failed')
      assert.deepEqual([failed.failure, douyin.calls.length], ['unauthorised', calls])

      // Typed wrongly: what the old app gave is good again.
      await give(apps.old)
      await settled('connected')
      assert.equal((await page()).state, 'authorised')
    } finally {
      await other.stop()
    }
  })
})
