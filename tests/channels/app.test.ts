/** The signed channel through the whole hub: both directions, repeats, rotation, uploads, calls, and what goes wrong. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { ChannelAdapter } from '../../core/sdk/channel.ts'
import { newId } from '../../core/src/db/types.ts'
import { Activity, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { findIdentity } from '../../core/src/domain/contact/external-id.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound, Delivery as Owed } from '../../core/src/domain/message/message.entity.ts'
import { nextTry } from '../../core/src/pipeline/next-try.ts'
import { HubClient, Refusal } from '../../plugins/app/example/client.ts'
import appPlugin from '../../plugins/app/plugin.ts'
import { Endpoint as AppEndpoint, Caller, Delivery, Outbox, Taken, Thread } from '../../plugins/app/server/app.entity.ts'
import { limits, ping, retryAfter } from '../../plugins/app/server/deliver.ts'
import { owe, tellAllDue, tellDue } from '../../plugins/app/server/outbox.ts'
import { tellNews } from '../../plugins/app/server/tell.ts'
import { tidy } from '../../plugins/app/server/tidy.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const dir = join(resolve(import.meta.dirname, '../..'), 'plugins/app')
const makeSecret = () => `whsec_${randomBytes(32).toString('base64')}`

type Answer = { status: number; headers?: Record<string, string>; body?: string } | 'cut'

/** The other side: takes what it is told, as it is told to. */
class Endpoint {
  readonly got: { headers: IncomingHttpHeaders; body: Buffer; json: any }[] = []
  /** For messages and pings; news of conversations are always taken. */
  refuseNews = false
  newsAnswer: { status: number; body: string } | undefined
  answer: () => Answer | Promise<Answer> = () => ({ status: 200 })
  readonly #server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    this.got.push({ headers: request.headers, body, json: JSON.parse(body.toString()) })
    const news = /^(conversation\.|message\.read)/.test(this.got.at(-1)?.json.type)
    const answer = news ? (this.newsAnswer ?? { status: this.refuseNews ? 503 : 200 }) : await this.answer()
    if (answer === 'cut') return void response.destroy()
    response.writeHead(answer.status, (answer as { headers?: Record<string, string> }).headers).end((answer as { body?: string }).body ?? '{}')
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
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hub`
  }
  of(type: string) {
    return this.got.filter(({ json }) => json.type === type)
  }
}

test('the schedule is gone through to its end, whatever the jitter: ten tries', () => {
  const { retryHours } = (appPlugin.channel as unknown as (ctx: object) => ChannelAdapter)({}).capabilities
  for (const jitter of [0, 0.5, 1]) {
    const createdAt = new Date(0)
    let [at, attempts] = [0, 0]
    for (let due: Date | undefined = createdAt; due; attempts++) {
      // Each try takes as long as it may.
      at = due.getTime() + 15_000
      due = nextTry({ attempts: attempts + 1, createdAt }, retryHours, { afterMs: retryAfter(attempts + 1, jitter) }, at)
    }
    assert.equal(attempts, 10, String(jitter))
  }
})

await onEveryProfile('app', [found(appPlugin, dir)], (world) => {
  let endpoint: Endpoint
  let admin: Person
  let inbox: Inbox
  const secret = makeSecret()
  const oldSecret = makeSecret()

  before(async () => {
    endpoint = await new Endpoint().start()
    await world().hub.kernel.configure('app', { allowPrivateAddresses: true })
    admin = await world().person('小柏', 'admin')
    inbox = await world().inbox('app', { endpointUrl: endpoint.url, secret, oldSecret })
  })
  after(() => endpoint.stop())
  beforeEach(() => {
    endpoint.answer = () => ({ status: 200 })
  })

  const em = () => world().hub.em()
  const eventsUrl = (to = inbox) => `${world().url}/api/channels/app/${to.id}`
  const uploadsUrl = () => `${world().url}/api/x/app/inboxes/${inbox.id}/uploads`
  const client = (keys: string | string[] = secret) => new HubClient(eventsUrl(), keys)
  const sign = (key: string, id: string, timestamp: string, body: string) =>
    `v1,${createHmac('sha256', Buffer.from(key.slice(6), 'base64'))
      .update(`${id}.${timestamp}.${body}`)
      .digest('base64')}`
  const raw = async (body: string, headers: Record<string, string>) => {
    const response = await fetch(eventsUrl(), { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
    return { status: response.status, body: (await response.json()) as any }
  }
  const signed = (body: string, { key = secret, id = randomUUID() as string, at = Date.now() } = {}) => {
    const timestamp = String(Math.floor(at / 1_000))
    return raw(body, { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': sign(key, id, timestamp, body) })
  }
  const message = (customer: string, content: object[] | string, more: object = {}) => ({
    externalMessageId: randomUUID(),
    conversation: { externalId: `chat-${customer}` },
    sender: { externalId: customer, role: 'customer', name: '林小满' },
    content: typeof content === 'string' ? [{ type: 'text', text: content }] : content,
    ...more,
  })
  /** A call without what only orders its pieces. */
  const facts = ({ type: _type, toldAt: _toldAt, ...known }: { type: string; toldAt?: number }) => known
  const event = (type: string, data: object) => JSON.stringify({ type, timestamp: new Date().toISOString(), data })
  const someone = () => `user-${randomUUID()}`
  const messagesOf = async (customer: string) => {
    const identity = await findIdentity(world().hub, em(), { inboxId: inbox.id, externalId: customer })
    if (!identity) return []
    const conversations = await em().find(Conversation, { identityId: identity.id })
    const all = await em().find(Message, { conversationId: { $in: conversations.map(({ id }) => id) } }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
    return all.filter(({ direction }) => direction !== 'system')
  }
  const answer = async (customer: string, parts: object[] | string) => {
    const [first] = await messagesOf(customer)
    const { status, body } = await admin.call('POST', `/api/conversations/${first?.conversationId}/messages`, {
      clientId: newId(),
      parts: typeof parts === 'string' ? [{ type: 'text', text: parts }] : parts,
    })
    assert.equal(status, 201, JSON.stringify(body))
    return body as { id: string; conversationId: string }
  }
  const fate = (id: string, status: string) =>
    eventually(async () => {
      const found = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return found.status === status && found
    }, `the message to be ${status}`)
  /** The schedule's hours are not waited for. */
  const untilSent = (conversationId: string) =>
    eventually(async () => {
      await em().nativeUpdate(Outbound, { conversationId, state: 'queued' }, { dueAt: new Date() })
      await world().running.sweep()
      return (await em().count(Outbound, { conversationId })) === 0
    }, 'the sending')

  test('the example client says the same again after a timeout: one message', async () => {
    const customer = someone()
    const [id, at] = [randomUUID(), new Date(Date.now() - 1_000)]
    const data = message(customer, '在吗')
    const told = await Promise.all([client().tell('message.created', data, id, at), client().tell('message.created', data, id, at)])
    assert.equal((await client().tell('message.created', data, id, at)).duplicate, true)
    assert.ok(told.some(({ duplicate }) => !duplicate))
    assert.equal((await messagesOf(customer)).length, 1)
  })

  test('a message: 202 with its name; the same again 200; the same id with another body 409', async () => {
    const customer = someone()
    const body = event('message.created', message(customer, '在吗'))
    const id = randomUUID()
    const first = await signed(body, { id })
    assert.equal(first.status, 202)
    const [stored] = await messagesOf(customer)
    assert.deepEqual(first.body, { accepted: true, eventId: id, duplicate: false, messageId: stored?.id })
    const again = await signed(body, { id, at: Date.now() + 5_000 })
    assert.deepEqual([again.status, again.body.duplicate, again.body.messageId], [200, true, stored?.id])
    const other = await signed(event('message.created', message(customer, '换了')), { id })
    assert.deepEqual([other.status, other.body.code], [409, 'APP_ID_REUSED'])
    // Another id, the same message of the client's: it is there already.
    const twin = await signed(body)
    assert.deepEqual([twin.status, twin.body.duplicate], [202, true])
    assert.equal((await messagesOf(customer)).length, 1)
  })

  test('only who holds a secret, only now; all refusals look the same', async () => {
    const customer = someone()
    const body = event('message.created', message(customer, '伪造'))
    const id = randomUUID()
    const now = String(Math.floor(Date.now() / 1_000))
    const good = { 'webhook-id': id, 'webhook-timestamp': now, 'webhook-signature': sign(secret, id, now, body) }
    const forgeries: Record<string, Record<string, string>> = {
      'no headers': {},
      'another key': { ...good, 'webhook-signature': sign(makeSecret(), id, now, body) },
      'another id': { ...good, 'webhook-id': randomUUID() },
      'another time': { ...good, 'webhook-timestamp': String(Number(now) - 1) },
      'another body': { ...good, 'webhook-signature': sign(secret, id, now, `${body} `) },
      'unknown version': { ...good, 'webhook-signature': good['webhook-signature'].replace('v1,', 'v2,') },
      'no signature': { ...good, 'webhook-signature': '' },
    }
    for (const [name, headers] of Object.entries(forgeries)) {
      const refused = await raw(body, headers)
      assert.deepEqual([name, refused.status, refused.body.code, refused.body.details], [name, 401, 'HUB_CHANNEL_UNVERIFIED', { reason: 'signature' }])
    }
    assert.deepEqual(await messagesOf(customer), [])
    for (const off of [-301_000, 302_000]) {
      const skewed = await signed(body, { at: Date.now() + off })
      assert.deepEqual([skewed.status, skewed.body.details.reason], [401, 'timestamp_out_of_tolerance'])
      assert.ok(Math.abs(Date.parse(skewed.body.details.serverTime) - Date.now()) < 60_000)
    }
    // Any of several listed signatures will do.
    const listed = await raw(body, { ...good, 'webhook-signature': `v9,x ${sign(makeSecret(), id, now, body)} ${good['webhook-signature']}` })
    assert.equal(listed.status, 202)
  })

  test('two secrets while one is being changed: both open, both sign, and each shows when it was last used', async () => {
    const customer = someone()
    for (const key of [secret, oldSecret]) assert.equal((await signed(event('message.created', message(customer, '换密钥')), { key })).status, 202)
    const { body } = await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)
    assert.ok(body.secretUsedAt && body.oldSecretUsedAt)
    const before = endpoint.got.length
    await fate((await answer(customer, '收到')).id, 'sent')
    const { headers, body: bytes } = endpoint.got[before] as Endpoint['got'][number]
    for (const key of [secret, oldSecret]) assert.equal(client(key).isFromHub(headers, bytes), true)
    assert.equal(client(makeSecret()).isFromHub(headers, bytes), false)
  })

  test('what is not an event is refused with its place', async () => {
    const missing = await signed(event('message.created', { sender: { externalId: 'x' } }))
    assert.deepEqual([missing.status, missing.body.code], [400, 'HUB_REQUEST_INVALID'])
    assert.ok(missing.body.details.faults.some(({ path }: { path: string }) => path.startsWith('/data')))
    assert.equal((await signed('{nonsense')).status, 400)
    assert.deepEqual(await signed(event('wonder.happened', {})).then(({ status, body }) => [status, body.code]), [422, 'APP_TYPE_UNKNOWN'])
    assert.equal((await signed(event('__proto__', {}))).status, 422)
    assert.equal((await signed(event('message.created', message('x', '时间', { sentAt: '2026-99-99T00:00:00Z' })))).status, 400)
    // Nothing is accepted that a database could not hold, or would hold as another day.
    for (const sentAt of ['9999-12-31T23:59:59-01:00', '0000-01-01T00:00:00Z', '2024-02-30T00:00:00Z']) {
      const refused = await signed(event('message.created', message('x', '时间', { sentAt })))
      assert.deepEqual([sentAt, refused.status, refused.body.details?.faults[0]?.path], [sentAt, 400, '/data/sentAt'])
    }
    for (const sentAt of ['1970-01-01T00:00:00Z', '2100-12-31T23:59:59.999Z']) {
      const customer = someone()
      assert.equal((await signed(event('message.created', message(customer, '时间', { sentAt })))).status, 202)
      assert.deepEqual(
        (await messagesOf(customer)).map(({ text }) => text),
        ['时间'],
        sentAt,
      )
    }
    assert.equal((await signed(event('message.created', message('x', 'a'.repeat(300 * 1024))))).status, 413)
    const id = randomUUID()
    const now = String(Math.floor(Date.now() / 1_000))
    const text = await raw('x', { 'content-type': 'text/plain', 'webhook-id': id, 'webhook-timestamp': now, 'webhook-signature': sign(secret, id, now, 'x') })
    assert.deepEqual([text.status, text.body.code], [415, 'APP_CONTENT_TYPE'])
    assert.equal((await fetch(eventsUrl({ ...inbox, id: newId() } as Inbox), { method: 'POST', body: '{}' })).status, 404)
  })

  test('a message under a name that the hub makes itself is refused at its place: neither it nor what has the name is lost', async () => {
    const customer = someone()
    const sender = { externalId: customer }
    const nth = randomUUID()
    const form = { sender, externalFormId: nth, title: '预约上门', fields: [{ label: '时间', value: '周六' }] }
    await client().tell('form.submitted', form)
    for (const externalMessageId of [`form:${nth}`, `call:${nth}`, `edit:${nth}:1`, `recall:${nth}`, `event:${nth}`]) {
      const bot = { sender: { externalId: 'bot-1', role: 'bot' }, recipient: sender }
      for (const by of [{}, bot]) {
        const { status, body } = await signed(event('message.created', message(customer, '在吗', { externalMessageId, ...by })))
        assert.deepEqual(
          [externalMessageId, status, body.code, body.details?.faults[0]?.path],
          [externalMessageId, 400, 'HUB_REQUEST_INVALID', '/data/externalMessageId'],
        )
      }
    }
    for (const externalMessageId of [`form-${nth}`, `my-call:${nth}`]) await client().tell('message.created', message(customer, '在吗', { externalMessageId }))
    // A form can be edited: that names it, and makes nothing of its name.
    await client().tell('message.edited', message(customer, '改到周日', { externalMessageId: `form:${nth}` }))
    // Nor does an answer of the client's give such a name to a message of ours: the call would be taken for it.
    endpoint.answer = () => ({ status: 200, body: JSON.stringify({ externalMessageId: `call:${nth}` }) })
    const { id } = await answer(customer, '稍后给您回电')
    assert.equal((await fate(id, 'sent')).externalId, id)
    const call = { externalCallId: nth, direction: 'out', from: '', to: '', customer: sender, startedAt: '2026-03-01T02:00:00Z', result: 'answered' }
    assert.equal((await client().tell('call.ended', call)).duplicate, false)
    assert.deepEqual(
      (await messagesOf(customer)).map(({ text, parts }) => text || parts[0]?.type),
      ['预约上门\n时间: 周六', '在吗', '在吗', '改到周日', '稍后给您回电', 'call'],
    )
  })

  test('an upload is signed, stored once, and carried by its message; a wrong hash is refused', async () => {
    const customer = someone()
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
    const id = randomUUID()
    const upload = await client().upload(uploadsUrl(), '茶几 实拍.png', new Uint8Array(png), id)
    assert.equal(upload.sha256, createHash('sha256').update(png).digest('hex'))
    assert.equal((await client().upload(uploadsUrl(), '茶几 实拍.png', new Uint8Array(png), id)).uploadId, upload.uploadId)
    await assert.rejects(client().upload(uploadsUrl(), 'x', new Uint8Array([1]), id), /409/)
    await assert.rejects(client(makeSecret()).upload(uploadsUrl(), 'x', new Uint8Array(png)), /401/)
    await assert.rejects(client().tell('message.created', message(customer, [{ type: 'image', uploadId: upload.uploadId, sha256: '0'.repeat(64) }])), /400/)
    await assert.rejects(client().tell('message.created', message(customer, [{ type: 'image', uploadId: 'f'.repeat(32) }])), /400/)
    await client().tell(
      'message.created',
      message(customer, [
        { type: 'image', uploadId: upload.uploadId },
        { type: 'text', text: '就是这款' },
      ]),
    )
    const [stored] = await messagesOf(customer)
    assert.deepEqual(
      stored?.parts.map((part) => (part.type === 'image' ? part.name : part.type)),
      ['茶几 实拍.png', 'text'],
    )
  })

  test('a file by its address is fetched and checked; one that is another file is not taken', async () => {
    const customer = someone()
    const bytes = Buffer.from('%PDF-1.4 说明书')
    const files = createServer((_request, response) => response.writeHead(200, { 'content-type': 'application/pdf' }).end(bytes))
    await new Promise<void>((done) => files.listen(0, '127.0.0.1', done))
    const url = `http://127.0.0.1:${(files.address() as AddressInfo).port}/manual.pdf`
    try {
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      await client().tell('message.created', message(customer, [{ type: 'file', url, sha256, name: '说明书.pdf' }]))
      await client().tell('message.created', message(customer, [{ type: 'file', url, sha256: '0'.repeat(64), name: '假的.pdf' }]))
      await eventually(async () => {
        const parts = (await messagesOf(customer)).flatMap(({ parts }) => parts)
        return parts[0]?.type === 'file' && parts[1]?.type === 'remote' && parts[1].failed
      }, 'both fates')
    } finally {
      files.closeAllConnections()
      files.close()
    }
  })

  test('an answer goes out signed, with the client’s names and a link to its file', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '有说明书吗'))
    endpoint.answer = () => ({ status: 200, body: '{"externalMessageId":"their-1"}' })
    const form = new FormData()
    form.set('file', new Blob([Buffer.from('%PDF-1.4 说明书')]), '说明书.pdf')
    const uploaded = (await (await fetch(`${world().url}/api/files`, { method: 'POST', headers: { cookie: admin.cookie }, body: form })).json()) as {
      part?: object
    }
    const { id } = await answer(customer, [{ type: 'text', text: '在这里' }, uploaded.part ?? uploaded])
    assert.equal((await fate(id, 'sent')).externalId, 'their-1')
    const { json, headers } = endpoint.of('message.created').at(-1) as Endpoint['got'][number]
    assert.equal(headers['webhook-id'], `msg_${id}`)
    assert.deepEqual(
      [json.data.messageId, json.data.conversation.externalId, json.data.recipient.externalId, json.data.sender.role, json.data.attempt],
      [id, `chat-${customer}`, customer, 'agent', 1],
    )
    const [text, file] = json.data.content
    assert.deepEqual([text.text, file.name, 'fileId' in file], ['在这里', '说明书.pdf', false])
    const response = await fetch(file.url)
    assert.equal(await response.text(), '%PDF-1.4 说明书')
    assert.match(response.headers.get('content-disposition') ?? '', /^attachment/)
    for (const bad of [
      file.url.replace(/signature=(.)/, (_: string, first: string) => `signature=${first === 'A' ? 'B' : 'A'}`),
      file.url.replace(/until=\d/, 'until=9'),
      file.url.replace(inbox.id, newId()),
    ])
      assert.equal((await fetch(bad)).status, 404)
  })

  test('receipts and late failures find their message', async () => {
    const customer = someone()
    const sender = { externalId: customer }
    await client().tell('message.created', message(customer, '在吗'))
    endpoint.answer = () => ({ status: 200, body: JSON.stringify({ externalMessageId: `seen-${customer}` }) })
    const { id } = await answer(customer, '在的')
    await fate(id, 'sent')
    await client().tell('message.read', { sender, externalMessageId: `seen-${customer}` })
    await eventually(async () => {
      const stored = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return (await em().findOneOrFail(Conversation, { id: stored.conversationId }, { disableIdentityMap: true })).customerReadSeq >= stored.seq
    }, 'the receipt')
    // Without a name of its own the client uses the hub's.
    endpoint.answer = () => ({ status: 204 })
    const second = await answer(customer, '还在吗')
    assert.equal((await fate(second.id, 'sent')).externalId, second.id)
    await client().tell('message.failed', { sender, externalMessageId: second.id, code: 'device-gone', reason: '设备已卸载应用' })
    const failed = await fate(second.id, 'failed')
    assert.deepEqual([failed.failure, failed.failureText?.zh], ['device-gone', '设备已卸载应用'])
  })

  test('away, slow down, come back: tried again in order with the same id, noted each time', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '在吗'))
    const [before, began] = [endpoint.got.length, Date.now()]
    let n = 0
    endpoint.answer = () => (n++ === 0 ? { status: 503, headers: { 'retry-after': '7' } } : n === 2 ? 'cut' : { status: 200 })
    const first = await answer(customer, '一')
    const second = await answer(customer, '二')
    const waiting = await eventually(async () => {
      const row = await em().findOne(Outbound, { messageId: first.id }, { disableIdentityMap: true })
      return row?.state === 'queued' && row.attempts === 1 && row
    }, 'the wait')
    assert.ok(Math.abs(waiting.dueAt.getTime() - Date.now() - 7_000) < 3_000, 'Retry-After is obeyed')
    // It was broken, whether or not news of the conversation that were taken meanwhile have mended it.
    const { lastErrorAt } = (await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === inbox.id)
    assert.ok(Date.parse(lastErrorAt) >= began)
    await untilSent(first.conversationId)
    await fate(second.id, 'sent')
    const tried = endpoint.got.slice(before).filter(({ json }) => json.type === 'message.created')
    assert.deepEqual(
      tried.map(({ headers, json }) => [headers['webhook-id'], json.data.attempt]),
      [
        [`msg_${first.id}`, 1],
        [`msg_${first.id}`, 2],
        [`msg_${first.id}`, 3],
        [`msg_${second.id}`, 1],
      ],
    )
    assert.equal((await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === inbox.id).state, 'connected')
    const { body } = await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)
    assert.deepEqual(
      body.deliveries.filter(({ webhookId }: { webhookId: string }) => webhookId === `msg_${first.id}`).map(({ status }: { status: number }) => status),
      [200, 0, 503],
    )
  })

  test('410 ends it until an admin says otherwise; the agent reads why; a redirect is no answer', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '在吗'))
    endpoint.answer = () => ({ status: 410 })
    const gone = await fate((await answer(customer, '一')).id, 'failed')
    assert.match(gone.failureText?.zh ?? '', /410/)
    const asked = endpoint.of('message.created').length
    await fate((await answer(customer, '二')).id, 'failed')
    assert.equal(endpoint.of('message.created').length, asked)
    const agent = await world().person('小谷', 'agent')
    assert.equal((await agent.call('POST', `/api/x/app/inboxes/${inbox.id}/enable`, {})).status, 403)
    assert.equal((await agent.call('GET', `/api/x/app/inboxes/${inbox.id}`)).status, 403)
    assert.equal((await agent.call('POST', '/api/x/app/secrets', {})).status, 403)
    assert.equal((await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)).body.off, '410')
    // It still says so: switched on, asked, switched off again.
    const still = await admin.call('POST', `/api/x/app/inboxes/${inbox.id}/enable`, {})
    assert.deepEqual([still.status, still.body.ok, /410/.test(still.body.failure.zh)], [200, false, true])
    assert.equal((await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)).body.off, '410')
    endpoint.answer = () => ({ status: 200 })
    // The connection test asks all the same, says that it is there again, and what is left to be done.
    const { steps } = (await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})).body
    assert.deepEqual([steps.map(({ ok }: { ok: boolean }) => ok), /恢复推送/.test(steps[2].detail.zh)], [[true, true, false], true])
    assert.deepEqual((await admin.call('POST', `/api/x/app/inboxes/${inbox.id}/enable`, {})).body, { ok: true, failure: null })
    assert.equal((await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)).body.off, null)
    let n = 0
    endpoint.answer = () => (n++ === 0 ? { status: 302, headers: { location: endpoint.url } } : { status: 200 })
    const redirected = await answer(customer, '三')
    await untilSent(redirected.conversationId)
    assert.equal(n, 2)
  })

  test('private addresses are asked only where the operator allows it', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '在吗'))
    await world().hub.kernel.configure('app', { allowPrivateAddresses: false })
    try {
      const asked = endpoint.of('message.created').length
      const failed = await fate((await answer(customer, '一')).id, 'failed')
      assert.equal(endpoint.of('message.created').length, asked)
      assert.match(failed.failureText?.zh ?? '', /内网/)
    } finally {
      await world().hub.kernel.configure('app', { allowPrivateAddresses: true })
    }
  })

  test('a yes that comes too late is none: the same again under the same id, which the other side knows', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '在吗'))
    const taken = new Map<string, string>()
    const late = Promise.withResolvers<void>()
    let tries = 0
    endpoint.answer = async () => {
      const { headers, json } = endpoint.of('message.created').at(-1) as Endpoint['got'][number]
      const id = String(headers['webhook-id'])
      if (!taken.has(id)) taken.set(id, json.data.content[0].text)
      if (tries++ === 0) await late.promise
      return { status: 200, body: JSON.stringify({ externalMessageId: `late-${customer}` }) }
    }
    limits.answerMs = 150
    try {
      const first = await answer(customer, '一')
      const second = await answer(customer, '二')
      const waiting = await eventually(async () => {
        // What is told before it, that it was assigned, may have been too late as well: then it has not been tried yet.
        if (tries === 0) {
          await em().nativeUpdate(Outbound, { conversationId: first.conversationId, state: 'queued' }, { dueAt: new Date() })
          await world().running.sweep()
        }
        const row = await em().findOneOrFail(Message, { id: first.id }, { disableIdentityMap: true })
        return tries > 0 && row.status === 'queued' && row.failure === 'timeout' && row
      }, 'the end of the wait')
      // It may have arrived, and a repeat is known by its id: no person has to decide.
      assert.deepEqual([waiting.status, waiting.externalId], ['queued', null])
      late.resolve()
      limits.answerMs = 15_000
      await untilSent(first.conversationId)
      assert.equal((await fate(first.id, 'sent')).externalId, `late-${customer}`)
      await fate(second.id, 'sent')
      assert.deepEqual(
        [...taken],
        [
          [`msg_${first.id}`, '一'],
          [`msg_${second.id}`, '二'],
        ],
      )
      const { body } = await admin.call('GET', `/api/x/app/inboxes/${inbox.id}`)
      const noted = body.deliveries.filter(({ webhookId }: { webhookId: string }) => webhookId === `msg_${first.id}`)
      assert.deepEqual(
        noted.map(({ status, response }: { status: number; response: string }) => status || response),
        [200, 'timeout'],
      )
    } finally {
      late.resolve()
      limits.answerMs = 15_000
    }
  })

  test('nothing taken for days: switched off once, admins are told; another address or the button ends it', async () => {
    const room = await world().inbox('app', { endpointUrl: endpoint.url, secret })
    const ctx = world().hub.kernel.get('app')?.ctx as never
    const state = async () => (await admin.call('GET', `/api/x/app/inboxes/${room.id}`)).body
    const health = async () => (await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === room.id)
    const notices = async (who = admin) =>
      (await who.call('GET', '/api/notices')).body.items.filter(
        ({ kind, link, endedAt }: { kind: string; link: string; endedAt: string | null }) =>
          kind === 'app.endpoint-off' && link === `/admin/inboxes/${room.id}` && endedAt === null,
      )
    const send = async () => {
      const opened = await world().hub.kernel.get('app')?.ctx.inbox(room.id)
      return ping(ctx, opened as never).then(
        () => 'taken',
        ({ reason }) => reason,
      )
    }
    const row = () => em().findOneOrFail(AppEndpoint, { inboxId: room.id }, { disableIdentityMap: true })
    const back = async (days: number, lastHours: number) =>
      em().nativeUpdate(
        AppEndpoint,
        { inboxId: room.id },
        { failingSince: new Date(Date.now() - days * 86_400_000), failedAt: new Date(Date.now() - lastHours * 3_600_000) },
      )
    endpoint.answer = () => ({ status: 503 })
    assert.equal(await send(), '503')
    await back(3.9, 20)
    assert.equal(await send(), '503')
    assert.equal((await state()).off, null)
    // Nobody had asked for longer than the schedule waits: that is another story, which begins now.
    await back(9, 30)
    assert.equal(await send(), '503')
    assert.ok(Date.now() - ((await row()).failingSince as Date).getTime() < 60_000)
    // One success among them ends it.
    await back(5, 20)
    endpoint.answer = () => ({ status: 200 })
    assert.equal(await send(), 'taken')
    assert.deepEqual([(await row()).failingSince, (await health()).state], [null, 'connected'])
    endpoint.answer = () => ({ status: 503 })
    assert.equal(await send(), '503')
    await back(4.1, 20)
    // Several find it out at once, none before all have asked; they tell it once.
    const together = Promise.withResolvers<void>()
    const askedBefore = endpoint.got.length
    endpoint.answer = async () => {
      if (endpoint.got.length === askedBefore + 4) together.resolve()
      await together.promise
      return { status: 503 }
    }
    assert.deepEqual(await Promise.all(Array.from({ length: 4 }, send)), ['503', '503', '503', '503'])
    assert.deepEqual([(await state()).off, (await health()).state, (await health()).code], ['failing', 'broken', 'failing'])
    const [told, ...more] = await notices()
    assert.deepEqual([more.length, told.level], [0, 'problem'])
    assert.match(told.title.zh ?? told.title, /推送已停止/)
    assert.deepEqual(await notices(await world().person('小蓝')), [])
    const asked = endpoint.got.length
    assert.equal(await send(), 'endpoint-off')
    assert.equal(endpoint.got.length, asked)
    // A test of what stands in the form concludes nothing for the inbox.
    await admin.call('POST', `/api/inboxes/${room.id}/probe`, { settings: { endpointUrl: `${endpoint.url}/other`, secret: true } })
    assert.equal((await state()).off, 'failing')
    const agent = await world().person('小谷')
    assert.equal((await agent.call('POST', `/api/x/app/inboxes/${room.id}/enable`, {})).status, 403)
    endpoint.answer = () => ({ status: 200 })
    assert.deepEqual((await admin.call('POST', `/api/x/app/inboxes/${room.id}/enable`, {})).body, { ok: true, failure: null })
    assert.deepEqual([(await state()).off, (await health()).state, await notices()], [null, 'connected', []])
    // Gone is one address: another one that answers makes all well, the notice too.
    endpoint.answer = () => ({ status: 410 })
    assert.equal(await send(), '410')
    assert.deepEqual([(await state()).off, (await notices()).length], ['410', 1])
    endpoint.answer = () => ({ status: 200 })
    await admin.call('PATCH', `/api/inboxes/${room.id}`, { settings: { endpointUrl: `${endpoint.url}/moved`, secret: true } })
    assert.equal(await send(), 'taken')
    assert.deepEqual([(await state()).off, (await health()).state, await notices()], [null, 'connected', []])
    // The days of one address are not another's.
    endpoint.answer = () => ({ status: 503 })
    await send()
    await back(5, 20)
    await admin.call('PATCH', `/api/inboxes/${room.id}`, { settings: { endpointUrl: `${endpoint.url}/new`, secret: true } })
    assert.equal(await send(), '503')
    assert.equal((await state()).off, null)
  })

  test('the address is looked at when it is saved, and said at its field; a sandbox secret must be another', async () => {
    const at = async (settings: object) => {
      const { status, body } = await admin.call('PATCH', `/api/inboxes/${inbox.id}`, {
        settings: { endpointUrl: endpoint.url, secret: true, oldSecret: true, ...settings },
      })
      return status === 200 ? [] : body.details.faults.map(({ path, text }: { path: string; text: { zh: string } }) => [path, text.zh])
    }
    assert.deepEqual(await at({ sandboxSecret: secret }), [['body/settings/sandboxSecret', '沙箱密钥与正式密钥相同：请另外生成一个。']])
    await world().hub.kernel.configure('app', { allowPrivateAddresses: false })
    try {
      for (const [endpointUrl, why] of [
        ['http://shop.example.com/hub', /^地址须以 https/],
        ['https://user:word@shop.example.com/hub', /不能含用户名和密码/],
        ['https://127.0.0.1/hub', /指向内网/],
        ['https://169.254.169.254/latest/meta-data', /指向内网/],
        ['https://[::ffff:10.0.0.1]/hub', /指向内网/],
        ['https://[fd00::1]/hub', /指向内网/],
        ['https://localhost/hub', /指向内网/],
        ['https://2130706433/hub', /指向内网/],
      ] as const) {
        const [[path, said], ...more] = await at({ endpointUrl })
        assert.deepEqual([path, more], ['body/settings/endpointUrl', []], endpointUrl)
        assert.match(said, why, endpointUrl)
      }
      assert.equal((await admin.call('POST', '/api/inboxes', { channel: 'app', name: '内网', settings: { endpointUrl: 'https://10.1.2.3/' } })).status, 422)
      // A public address, and none at all, pass.
      for (const endpointUrl of ['https://1.1.1.1/hub', '']) assert.deepEqual(await at({ endpointUrl }), [])
    } finally {
      await world().hub.kernel.configure('app', { allowPrivateAddresses: true })
      assert.deepEqual(await at({}), [])
    }
  })

  test('what the sandbox’s secret signs is checked and answered as anything is, and nothing comes of it', async () => {
    const sandboxSecret = makeSecret()
    const room = await world().inbox('app', { endpointUrl: endpoint.url, secret, sandboxSecret })
    const trial = new HubClient(eventsUrl(room), sandboxSecret)
    const customer = someone()
    const uploads = `${world().url}/api/x/app/inboxes/${room.id}/uploads`
    const { uploadId, sha256 } = await trial.upload(uploads, '图.png', new Uint8Array([1, 2, 3]))
    assert.equal(
      sha256,
      createHash('sha256')
        .update(Buffer.from([1, 2, 3]))
        .digest('hex'),
    )
    const id = randomUUID()
    const data = message(customer, [
      { type: 'file', uploadId, sha256 },
      { type: 'text', text: '联调' },
    ])
    for (let time = 0; time < 2; time++)
      assert.deepEqual(await trial.tell('message.created', data, id), { accepted: true, eventId: id, duplicate: false, sandbox: true })
    await assert.rejects(trial.tell('message.created', message(customer, [{ type: 'file', uploadId: 'f'.repeat(32) }])), /400/)
    await assert.rejects(trial.tell('message.created', { sender: {} }), /400/)
    await assert.rejects(trial.tell('no.such', {}), /422/)
    // Nor is what it has uploaded anything outside of it.
    await assert.rejects(new HubClient(eventsUrl(room), secret).tell('message.created', data), /400/)
    assert.deepEqual(
      [await em().count(Identity, { inboxId: room.id }), await em().count(Taken, { inboxId: room.id }), await em().count(Message, { inboxId: room.id })],
      [0, 0, 0],
    )
    const { body } = await admin.call('GET', `/api/x/app/inboxes/${room.id}`)
    assert.deepEqual([body.secrets, body.sandbox, body.sandboxSecretUsedAt !== null], [1, true, true])
    // What goes out is signed with what is in force only.
    await admin.call('POST', `/api/inboxes/${room.id}/probe`, {})
    const { headers, body: bytes } = endpoint.of('ping').at(-1) as Endpoint['got'][number]
    assert.deepEqual([trial.isFromHub(headers, bytes), client().isFromHub(headers, bytes)], [false, true])
  })

  test('calls in any order: the call, its recording, note and transcript, each once', async () => {
    const wav = Buffer.concat([Buffer.from('RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0\x80>\0\0\x02\0\x10\0data\0\0\0\0', 'latin1'), Buffer.alloc(64)])
    const { uploadId } = await client().upload(`${uploadsUrl()}?as=audio`, '录音.wav', new Uint8Array(wav))
    const from = `138${String(Math.floor(Math.random() * 1e8)).padStart(8, '0')}`
    const call = { externalCallId: randomUUID(), direction: 'in', from, to: '057188886666', queue: '售后', startedAt: '2026-03-01T02:00:00Z' }
    const ended = {
      ...call,
      answeredAt: '2026-03-01T02:00:08Z',
      endedAt: '2026-03-01T02:03:08Z',
      result: 'answered',
      talkSec: 180,
      note: '想退货',
      transcript: [{ speaker: '客户', startMs: 7_000, text: '我想退货' }],
    }
    await client().tell('call.recording.ready', { ...call, recording: { uploadId } })
    await client().tell('call.ended', ended)
    await client().tell('call.started', call)
    await client().tell('call.ended', ended)
    const stored = await messagesOf(`tel:${from}`)
    assert.deepEqual(
      stored.map(({ parts }) => parts[0]).map((part) => (part?.type === 'call' ? facts(part) : part?.type === 'text' ? part.text : part?.type)),
      ['audio', { way: 'in', outcome: 'answered', durationMs: 180_000, line: '057188886666', queue: '售后' }, '想退货', '0:07 客户：我想退货'],
    )
    // What is written after the call, a second recording, a corrected transcript: beside the first, each once again.
    const more = { ...ended, note: '客户改为换货', transcript: [{ speaker: '客户', startMs: 7_000, text: '我想换货' }] }
    const second = await client().upload(`${uploadsUrl()}?as=audio`, '录音2.wav', new Uint8Array([...wav, 0, 0]))
    await client().tell('call.recording.ready', { ...call, recording: { uploadId: second.uploadId } })
    for (let time = 0; time < 2; time++) await client().tell('call.ended', more)
    await client().tell('call.ended', ended)
    assert.deepEqual(
      (await messagesOf(`tel:${from}`)).slice(stored.length).map(({ parts }) => (parts[0]?.type === 'text' ? parts[0].text : parts[0]?.type)),
      ['audio', '客户改为换货', '0:07 客户：我想换货'],
    )
    // Two legs that are only addresses: each is kept, and signed anew it is no third.
    const leg = (name: string, signature: number) =>
      client().tell('call.recording.ready', { ...call, recording: { url: `http://127.0.0.1:9/${name}.wav?signature=${signature}` } })
    for (const told of [await leg('a', 1), await leg('b', 1)]) assert.equal(told.duplicate, false)
    assert.equal((await leg('a', 2)).duplicate, true)
    const identity = await world().identity(inbox.id, `tel:${from}`)
    assert.equal(await em().count(Activity, { identityId: identity.id, name: 'call.started' }), 1)
    // A missed call, and one of ours to the customer.
    await client().tell('call.ended', { ...call, externalCallId: randomUUID(), result: 'missed' })
    await client().tell('call.ended', { ...call, externalCallId: randomUUID(), direction: 'out', from: call.to, to: from, result: 'busy' })
    const calls = (await messagesOf(`tel:${from}`))
      .flatMap((one) => one.parts.map((part) => (part.type === 'call' ? [one.direction, part.outcome] : [])))
      .filter(({ length }) => length > 0)
    assert.deepEqual(calls, [
      ['in', 'answered'],
      ['in', 'missed'],
      ['out', 'busy'],
    ])
  })

  test('a call is somebody’s: a piece that does not say whose is of who was named, in both directions and whatever came between', async () => {
    const sayings = async (customer: string) =>
      (await messagesOf(customer)).map(({ parts: [part] }) =>
        part?.type === 'text' ? part.text : part?.type === 'call' ? part.outcome : part?.type === 'remote' ? part.as : part?.type,
      )
    const number = () => `137${String(Math.floor(Math.random() * 1e8)).padStart(8, '0')}`
    const leg = (name: string) => ({ url: `http://127.0.0.1:9/${name}.wav` })
    for (const direction of ['in', 'out'] as const) {
      const [externalId, from, second] = [someone(), number(), number()]
      const customer = { externalId }
      const call = { externalCallId: randomUUID(), direction, from, to: from, startedAt: '2026-03-01T02:00:00Z' }
      await client().tell('call.started', { ...call, customer })
      await client().tell('call.ended', { ...call, result: 'answered', note: '想退货' })
      // An exchange may write the number in another way, or leave it out.
      await client().tell('call.recording.ready', { ...call, from: second, to: second, recording: leg('a') })
      await client().tell('call.ended', { ...call, from: '', to: '', result: 'answered', transcript: [{ speaker: '客户', startMs: 0, text: '我想退货' }] })
      assert.deepEqual(await sayings(externalId), ['answered', '想退货', 'audio', '0:00 客户：我想退货'])
      for (const other of [`tel:${from}`, `tel:${second}`, `call:${call.externalCallId}`])
        assert.equal(await findIdentity(world().hub, em(), { inboxId: inbox.id, externalId: other }), null, other)
      const { verified, profile } = await world().identity(inbox.id, externalId)
      assert.deepEqual([verified, 'phone' in (profile ?? {})], [false, false])
    }
    // Named late: what came before lies at the number, what follows at the customer; told again it is no second one.
    const [late, other, from] = [someone(), someone(), number()]
    const call = { externalCallId: `${randomUUID()} `, direction: 'in', from, to: '4008001234', startedAt: '2026-03-01T02:00:00Z' }
    const recording = { ...call, recording: leg('b') }
    await client().tell('call.recording.ready', recording)
    await client().tell('call.recording.ready', { ...recording, from: 'anonymous', recording: leg('c') })
    await client().tell('call.ended', { ...call, customer: { externalId: late }, result: 'answered' })
    assert.equal((await client().tell('call.recording.ready', recording)).duplicate, true)
    await client().tell('call.ended', { ...call, customer: { externalId: other }, result: 'answered', note: '另一位' })
    await client().tell('call.ended', { ...call, result: 'answered', note: '想换货' })
    assert.deepEqual([await sayings(`tel:${from}`), await sayings(late), await sayings(other)], [['audio', 'audio'], ['answered', '想换货'], ['另一位']])
    // Another call of the number is nobody's yet.
    await client().tell('call.ended', { ...call, externalCallId: call.externalCallId.trim(), result: 'missed' })
    assert.deepEqual(await sayings(`tel:${from}`), ['audio', 'audio', 'missed'])
    const rows = await em().find(Caller, { inboxId: inbox.id }, { disableIdentityMap: true })
    assert.ok(rows.length > 0 && rows.every(({ sender }) => !sender.includes(from) && !sender.includes(late)))
  })

  test('what is told of a call after its conversation was ended goes there, quietly; a note is our side’s; a message on the machine is news', async () => {
    const externalId = someone()
    const call = {
      externalCallId: randomUUID(),
      direction: 'in',
      from: '13800138000',
      to: '4008001234',
      startedAt: '2026-03-01T02:00:00Z',
      customer: { externalId },
    }
    await client().tell('call.ended', { ...call, result: 'answered', note: '客户已满意' })
    const { id: identityId } = await world().identity(inbox.id, externalId)
    const rows = async () =>
      (await em().find(Conversation, { identityId }, { orderBy: { id: 'asc' }, disableIdentityMap: true })).map(({ status, unread }) => [status, unread])
    const [stored] = await messagesOf(externalId)
    assert.equal((await admin.call('POST', `/api/conversations/${stored?.conversationId}/close`)).status, 200)
    await client().tell('call.recording.ready', { ...call, recording: { url: 'http://127.0.0.1:9/late.wav' } })
    await client().tell('call.ended', { ...call, result: 'answered', note: '已回访', transcript: [{ speaker: '客户', startMs: 0, text: '我想退货' }] })
    assert.deepEqual(
      (await messagesOf(externalId)).map(({ direction, conversationId, parts: [part] }) => [direction, part?.type, conversationId === stored?.conversationId]),
      [
        ['in', 'call', true],
        ['out', 'text', true],
        ['in', 'remote', true],
        ['out', 'text', true],
        ['in', 'text', true],
      ],
    )
    const [[status, unread] = [], ...more] = await rows()
    assert.deepEqual([status, more], ['closed', []])
    const machine = { ...call, externalCallId: randomUUID(), result: 'voicemail' }
    await client().tell('call.ended', machine)
    await client().tell('call.ended', { ...machine, recording: { url: 'http://127.0.0.1:9/machine.wav' } })
    const [first, next] = await rows()
    assert.deepEqual([first, next?.[1]], [[status, unread], 2])
  })

  test('a call told again with more known of it is put together: what was told later wins, whenever it comes', async () => {
    const from = `139${String(Math.floor(Math.random() * 1e8)).padStart(8, '0')}`
    for (const [direction, customer] of [
      ['in', `tel:${from}`],
      ['out', someone()],
    ] as const) {
      const call = { externalCallId: randomUUID(), direction, from, to: '4008001234', customer: { externalId: customer }, startedAt: '2026-03-01T02:00:00Z' }
      const told = (minute: number, more: object) => client().tell('call.ended', { ...call, ...more }, randomUUID(), new Date(Date.UTC(2026, 2, 1, 2, minute)))
      assert.equal((await told(5, { result: 'voicemail', ringSec: 20, hangupBy: 'system' })).duplicate, false)
      assert.equal((await told(5, { result: 'voicemail', ringSec: 20, hangupBy: 'system' })).duplicate, true)
      const full = { result: 'answered', talkSec: 61, agentExternalId: 'ext-801', queue: '售后', ivrPath: '1>2', hangupBy: 'customer' }
      assert.equal((await told(9, full)).duplicate, false)
      // An older piece, late: only what nobody knew yet.
      await told(1, { result: 'missed', queue: '售前', ringSec: 3 })
      const stored = (await messagesOf(customer)).map(({ parts }) => parts[0])
      assert.deepEqual(
        stored.map((part) => (part?.type === 'call' ? facts(part) : part)),
        [
          {
            way: direction,
            outcome: 'answered',
            durationMs: 61_000,
            ringMs: 20_000,
            line: direction === 'in' ? '4008001234' : from,
            queue: '售后',
            agent: 'ext-801',
            path: '1>2',
            hangupBy: 'customer',
          },
        ],
      )
    }
  })

  test('two edits are two, however long the names of the message and of the events are', async () => {
    const customer = someone()
    const first = { ...message(customer, '一斤'), externalMessageId: randomUUID().padEnd(150, 'm') }
    await client().tell('message.created', first)
    const edit = (text: string, last: string) =>
      signed(event('message.edited', { ...first, content: [{ type: 'text', text }] }), { id: `evt_${last.padStart(146, 'e')}` })
    for (const [text, last] of [
      ['两斤', '1'],
      ['三斤', '2'],
    ] as const)
      assert.equal((await edit(text, last)).status, 202)
    assert.deepEqual(
      (await messagesOf(customer)).map(({ text }) => text),
      ['一斤', '两斤', '三斤'],
    )
  })

  test('written by the client’s own agents and bots: ours, once; taken back; edited; a form; a stay', async () => {
    const customer = someone()
    const sender = { externalId: customer }
    const first = message(customer, '在吗')
    await client().tell('message.created', first)
    const bot = { ...message(customer, '机器人：您好'), sender: { externalId: 'bot-1', role: 'bot' }, recipient: sender }
    await client().tell('message.created', bot)
    await client().tell('message.created', bot)
    await assert.rejects(client().tell('message.created', { ...bot, recipient: undefined }), /400/)
    await client().tell('message.edited', { ...first, content: [{ type: 'text', text: '在吗？急' }] })
    await client().tell('form.submitted', { sender, externalFormId: randomUUID(), title: '预约上门', fields: [{ label: '时间', value: '周六' }] })
    await client().tell('session.entered', { sender, page: '/order/1', campaign: '双十一' })
    await client().tell('typing.started', { sender, text: '我想' })
    await client().tell('message.recalled', { sender, externalMessageId: first.externalMessageId })
    const stored = await messagesOf(customer)
    assert.deepEqual(
      stored.map(({ direction, text }) => [direction, text]),
      [
        ['in', '在吗'],
        ['out', '机器人：您好'],
        ['in', '在吗？急'],
        ['in', '预约上门\n时间: 周六'],
      ],
    )
    assert.ok(stored[0]?.recalledAt)
    // Our side's own message, by the one who wrote it: whom it went to is always said.
    const recall = { sender: bot.sender, externalMessageId: bot.externalMessageId }
    await assert.rejects(client().tell('message.recalled', recall), /400/)
    await client().tell('message.recalled', { ...recall, recipient: sender })
    assert.ok((await messagesOf(customer))[1]?.recalledAt)
    // The edit answers its first form; a name of nobody's, or of another talk's message, answers nothing.
    assert.equal(stored[2]?.replyToId, stored[0]?.id)
    const stranger = someone()
    for (const replyToExternalId of [first.externalMessageId, 'nobody'])
      await client().tell('message.created', message(stranger, '引用别人', { replyToExternalId }))
    assert.deepEqual(
      (await messagesOf(stranger)).map(({ replyToId }) => replyToId ?? null),
      [null, null],
    )
    const { id } = await world().identity(inbox.id, customer)
    assert.deepEqual((await em().findOneOrFail(Activity, { identityId: id, name: 'entered' })).params, { page: '/order/1', campaign: '双十一' })
  })

  test('assigned, taken back, closed: the client hears of it', async () => {
    const customer = someone()
    await client().tell('message.created', message(customer, '在吗'))
    const { id, conversationId } = await answer(customer, '发错了')
    await fate(id, 'sent')
    assert.equal((await admin.call('POST', `/api/messages/${id}/recall`, {})).status, 200)
    assert.ok(endpoint.of('message.recalled').some(({ json }) => json.data.externalMessageId === id))
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/close`, {})).status, 200)
    const closed = await eventually(async () => {
      await world().running.sweep()
      return endpoint.of('conversation.closed').find(({ json }) => json.data.conversation.id === conversationId)
    }, 'the news')
    assert.deepEqual([closed.json.data.conversation.externalId, closed.json.data.recipient.externalId], [`chat-${customer}`, customer])
    // Two turns of the listener may be under way at once: this one's own, and the hub's.
    await eventually(async () => endpoint.of('conversation.assigned').some(({ json }) => json.data.conversation.id === conversationId), 'who has it')
  })

  test('the agent has read: the client hears it by its own name of the message, once for each step', async () => {
    const customer = someone()
    const [first, second] = [message(customer, '在吗'), message(customer, '还有货吗')]
    for (const one of [first, second]) await client().tell('message.created', one)
    const [row] = await messagesOf(customer)
    const read = (seq: number) => admin.call('POST', `/api/conversations/${row?.conversationId}/read`, { seq })
    // Whoever else is there may have got it, or nobody had room.
    await em().nativeUpdate(Conversation, { id: row?.conversationId ?? '' }, { assigneeId: admin.id, status: 'open' })
    const told = () => endpoint.of('message.read').filter(({ json }) => json.data.conversation.id === row?.conversationId)
    for (const seq of [99, 99, 1]) assert.equal((await read(seq)).status, 200)
    await eventually(async () => {
      await world().running.sweep()
      return told().length > 0
    }, 'the news')
    assert.deepEqual(
      told().map(({ json }) => [json.data.externalMessageId, json.data.recipient.externalId, json.data.conversation.externalId]),
      [[second.externalMessageId, customer, `chat-${customer}`]],
    )
  })

  test('of an edit, a form, a call there is no name of the client’s: the newest message before it is named', async () => {
    const customer = someone()
    const said = message(customer, '在吗')
    const caller = { externalId: customer }
    await client().tell('message.created', said)
    await client().tell('message.edited', { ...said, content: [{ type: 'text', text: '在不在' }] })
    const [row] = await messagesOf(customer)
    const told = () => endpoint.of('message.read').filter(({ json }) => json.data.conversation.id === row?.conversationId)
    await em().nativeUpdate(Conversation, { id: row?.conversationId ?? '' }, { assigneeId: admin.id, status: 'open' })
    const read = async (seq: number) => {
      assert.equal((await admin.call('POST', `/api/conversations/${row?.conversationId}/read`, { seq })).status, 200)
      await eventually(async () => {
        await world().running.sweep()
        return (await em().count(Owed, { listener: 'app' })) === 0
      }, 'the listener')
    }
    await read((await messagesOf(customer)).at(-1)?.seq ?? 0)
    const form = { sender: caller, externalFormId: randomUUID(), title: '预约', fields: [{ label: '姓名', value: '林小满' }] }
    await client().tell('form.submitted', form)
    await client().tell('call.ended', {
      externalCallId: randomUUID(),
      direction: 'in',
      from: '',
      to: '',
      customer: caller,
      startedAt: new Date().toISOString(),
      result: 'answered',
    })
    await read((await messagesOf(customer)).at(-1)?.seq ?? 0)
    await eventually(async () => {
      await world().running.sweep()
      return told().length === 2
    }, 'the news')
    assert.deepEqual(
      told().map(({ json }) => json.data.externalMessageId),
      [said.externalMessageId, said.externalMessageId],
    )
  })

  const ctx = () => world().hub.kernel.get('app')?.ctx as never
  const panel = async (id = inbox.id) => (await admin.call('GET', `/api/x/app/inboxes/${id}`)).body
  const outboxOf = (conversationId: string) => em().find(Outbox, { conversationId }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
  /** What the endpoint was told of a conversation and took, in the order it came. */
  const toldOf = (conversationId: string) => endpoint.got.filter(({ json }) => json.data.conversation?.id === conversationId).map(({ json }) => json)
  /** A conversation of the person that asks, as it is in a quiet hour: nothing of it waits. */
  const openChat = async (customer = someone()) => {
    await client().tell('message.created', message(customer, '在吗'))
    const [first] = await messagesOf(customer)
    const conversationId = first?.conversationId as string
    await em().nativeUpdate(Conversation, { id: conversationId }, { assigneeId: admin.id, status: 'open' })
    await eventually(async () => {
      await world().running.sweep()
      const heard = (await em().count(Owed, { listener: 'app' })) === 0
      return heard && (await outboxOf(conversationId)).every(({ state }) => state === 'taken')
    }, 'the quiet')
    return { customer, conversationId }
  }

  test('news that were not taken are kept sealed and sent again on demand, the same bytes under the same id', async () => {
    const room = await world().inbox('app', { endpointUrl: endpoint.url, secret, oldSecret })
    const conversationId = newId()
    const tell = async (id: string) => {
      const conversation = { id: conversationId, inboxId: room.id, channel: 'app' } as never
      await tellNews(ctx(), conversation, { id, at: new Date().toISOString(), type: 'conversation.closed', data: { reason: 'agent' } })
      await tellDue(ctx(), conversationId)
    }
    const replay = (webhookId: string, who = admin) => who.call('POST', `/api/x/app/inboxes/${room.id}/replay`, { webhookId })
    const eventId = newId()
    endpoint.refuseNews = true
    await tell(eventId)
    const [kept, ...more] = (await panel(room.id)).undelivered
    assert.deepEqual([kept.webhookId, kept.type, kept.state, kept.failure, more.length], [`evt_${eventId}`, 'conversation.closed', 'waiting', '503', 0])
    const row = await em().findOneOrFail(Outbox, { webhookId: kept.webhookId }, { disableIdentityMap: true })
    assert.ok(!row.body.includes('agent'))
    assert.ok((row.dueAt?.getTime() ?? 0) > Date.now())
    const still = await replay(kept.webhookId)
    assert.deepEqual([still.status, still.body.ok, typeof still.body.failure.zh], [200, false, 'string'])
    assert.equal((await replay(kept.webhookId, await world().person('小方'))).status, 403)
    assert.equal((await replay('evt_nobody')).body.code, 'HUB_NOT_FOUND')
    // Its next try is far: it is the hand that sends it.
    await em().nativeUpdate(Outbox, { webhookId: kept.webhookId }, { dueAt: new Date(Date.now() + 3_600_000) })
    endpoint.refuseNews = false
    assert.deepEqual((await replay(kept.webhookId)).body, { ok: true, failure: null })
    const tries = endpoint.got.filter(({ headers }) => headers['webhook-id'] === kept.webhookId)
    assert.equal(new Set(tries.map(({ body }) => body.toString())).size, 1)
    assert.ok(tries.length >= 3)
    assert.deepEqual((await panel(room.id)).undelivered, [])
    assert.equal((await replay(kept.webhookId)).status, 404)
    // The event that is told twice is owed once.
    await tell(eventId)
    assert.equal(endpoint.got.filter(({ headers }) => headers['webhook-id'] === kept.webhookId).length, tries.length)
    // What was away and comes back by itself does not wait for its next try: the first that is taken tells the others.
    const other = newId()
    endpoint.refuseNews = true
    await tell(other)
    endpoint.refuseNews = false
    const opened = (await world().hub.kernel.get('app')?.ctx.inbox(room.id)) as never
    await ping(ctx(), opened)
    await tellAllDue(ctx())
    await eventually(async () => {
      await world().running.sweep()
      return (await panel(room.id)).undelivered.length === 0
    }, 'the news')
    // After days it is given up, and can be sent again.
    const old = newId()
    endpoint.refuseNews = true
    await tell(old)
    await em().nativeUpdate(Outbox, { webhookId: `evt_${old}` }, { createdAt: new Date(Date.now() - 84 * 3_600_000), dueAt: new Date(0) })
    await tellDue(ctx(), conversationId)
    assert.deepEqual(
      (await panel(room.id)).undelivered.map(({ state, webhookId }: { state: string; webhookId: string }) => [state, webhookId]),
      [['given-up', `evt_${old}`]],
    )
    endpoint.refuseNews = false
    assert.equal((await replay(`evt_${old}`)).body.ok, true)
  })

  test('what is told of a conversation is numbered, and comes in that order whatever fails on the way', async () => {
    const { conversationId, customer } = await openChat()
    const before = toldOf(conversationId).length
    endpoint.refuseNews = true
    endpoint.answer = () => ({ status: 503 })
    await client().tell('message.created', message(customer, '还在吗'))
    const { lastSeq } = await em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/read`, { seq: lastSeq })).status, 200)
    await eventually(async () => (await outboxOf(conversationId)).some(({ type, attempts }) => type === 'message.read' && attempts > 0), 'the first try')
    const said = await answer(customer, '在的')
    await eventually(async () => (await em().findOne(Outbound, { messageId: said.id }, { disableIdentityMap: true }))?.attempts === 1, 'the wait')
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/close`, {})).status, 200)
    await eventually(async () => (await outboxOf(conversationId)).at(-1)?.type === 'conversation.closed', 'the end')
    // Behind what is not taken nothing is even tried.
    await tellDue(ctx(), conversationId)
    assert.deepEqual(
      [
        ...new Set(
          toldOf(conversationId)
            .slice(before)
            .map(({ type }) => type),
        ),
      ],
      ['message.read'],
    )
    const tries = toldOf(conversationId).length
    endpoint.refuseNews = false
    endpoint.answer = () => ({ status: 200 })
    await untilSent(conversationId)
    await eventually(async () => {
      await world().running.sweep()
      return (await outboxOf(conversationId)).every(({ state }) => state === 'taken')
    }, 'all of it')
    assert.deepEqual(
      toldOf(conversationId)
        .slice(tries)
        .map(({ type }) => type),
      ['message.read', 'message.created', 'conversation.closed'],
    )
    const numbers = [...new Set(toldOf(conversationId).map(({ data }) => data.sequence))]
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => i + 1),
    )
  })

  test('the other side’s last word ends the tries: the agent reads why, news say it in the settings, and what is behind goes on', async () => {
    const { conversationId, customer } = await openChat()
    for (const [status, word] of [
      [503, { retryable: false, code: 'user-gone', reason: '用户已注销' }],
      [422, { code: 'user-gone', reason: '用户已注销' }],
    ] as const) {
      endpoint.answer = () => ({ status, body: JSON.stringify(word) })
      const refused = await fate((await answer(customer, '在吗')).id, 'failed')
      assert.deepEqual([refused.failure, refused.failureText?.zh], ['user-gone', '对方系统拒绝了这条消息：用户已注销'])
    }
    // It may also say that it is only for now.
    endpoint.answer = () => ({ status: 422, body: '{"retryable":true}' })
    const waiting = await answer(customer, '稍后')
    await eventually(async () => (await em().findOne(Outbound, { messageId: waiting.id }, { disableIdentityMap: true }))?.attempts === 1, 'the wait')
    endpoint.answer = () => ({ status: 200 })
    await untilSent(conversationId)
    await fate(waiting.id, 'sent')
    endpoint.newsAnswer = { status: 400, body: JSON.stringify({ retryable: false, reason: '不认识这个会话' }) }
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/close`, {})).status, 200)
    const refused = await eventually(async () => {
      await world().running.sweep()
      return (await panel()).undelivered.find(({ state, type }: { state: string; type: string }) => state === 'refused' && type === 'conversation.closed')
    }, 'the refusal')
    assert.equal(refused.failure, '400: 不认识这个会话')
    endpoint.newsAnswer = undefined
    assert.equal((await admin.call('POST', `/api/x/app/inboxes/${inbox.id}/replay`, { webhookId: refused.webhookId })).body.ok, true)
  })

  test('reported as failed later: the agent reads whether it helps to send it again, and then it is another event of the same message', async () => {
    const { customer } = await openChat()
    const { id } = await answer(customer, '您好')
    await fate(id, 'sent')
    const sender = { externalId: customer }
    await client().tell('message.failed', { sender, externalMessageId: id, code: 'device-gone', reason: '设备不在线', retryable: true })
    assert.equal((await fate(id, 'failed')).failureText?.zh, '设备不在线（可以重新发送）')
    assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
    await fate(id, 'sent')
    const told = endpoint.of('message.created').filter(({ json }) => json.data.messageId === id)
    assert.deepEqual(
      told.map(({ headers }) => headers['webhook-id']),
      [`msg_${id}`, `msg_${id}_2`],
    )
    assert.ok(told[0]?.json.data.sequence < told[1]?.json.data.sequence)
    await client().tell('message.failed', { sender, externalMessageId: id, code: 'blocked', retryable: false })
    assert.equal((await fate(id, 'failed')).failureText?.zh, '对方系统没能把这条消息交给客户（重新发送也不会送达）')
    // Also when its first try never got as far as the other side; the tries after that are the same event.
    let n = 0
    endpoint.answer = () => (n++ === 0 ? 'cut' : { status: 200 })
    await world().whileOff('app', async () => {
      assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
      const skip = { attempts: 1, dueAt: new Date(Date.now() + 3_600_000) }
      await eventually(async () => (await em().nativeUpdate(Outbound, { messageId: id, state: 'queued' }, skip)) === 1, 'the skipped try')
    })
    await eventually(async () => {
      await world().hasten()
      return (await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).status === 'sent'
    }, 'the third sending')
    assert.deepEqual(
      endpoint
        .of('message.created')
        .filter(({ json }) => json.data.messageId === id)
        .map(({ headers }) => headers['webhook-id']),
      [`msg_${id}`, `msg_${id}_2`, `msg_${id}_3`, `msg_${id}_3`],
    )
  })

  test('reported as failed while its yes was lost: it fails there and then, and sent again it is another event', async () => {
    const { customer } = await openChat()
    endpoint.answer = () => ({ status: 504 })
    const { id } = await answer(customer, '请确认订单')
    await eventually(async () => (await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).failure === '504', 'the wait')
    await client().tell('message.failed', {
      sender: { externalId: customer },
      externalMessageId: id,
      code: 'device-gone',
      reason: '设备不在线',
      retryable: true,
    })
    assert.deepEqual([(await fate(id, 'failed')).failureText?.zh, await em().count(Outbound, { messageId: id })], ['设备不在线（可以重新发送）', 0])
    // It knows the first id already, and would give its repeat to nobody.
    endpoint.answer = () => ({ status: 200 })
    assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
    await fate(id, 'sent')
    const told = endpoint.of('message.created').filter(({ json }) => json.data.messageId === id)
    assert.deepEqual(
      told.map(({ headers }) => headers['webhook-id']),
      [`msg_${id}`, `msg_${id}_2`],
    )
  })

  test('a message that an agent stops holds nothing up; sent after all it keeps its place', async () => {
    const { conversationId, customer } = await openChat()
    endpoint.answer = () => ({ status: 503 })
    const { id } = await answer(customer, '一')
    await eventually(
      async () => (await em().findOne(Outbound, { messageId: id, state: 'queued', attempts: 1 }, { disableIdentityMap: true })) !== null,
      'the wait',
    )
    const other = await world().person('小谷', 'agent')
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/transfer`, { agentId: other.id })).status, 200)
    await eventually(async () => (await outboxOf(conversationId)).at(-1)?.type === 'conversation.assigned', 'the transfer')
    assert.equal((await admin.call('POST', `/api/messages/${id}/stop`, {})).status, 200)
    await eventually(async () => {
      await world().running.sweep()
      return (await outboxOf(conversationId)).at(-1)?.state === 'taken'
    }, 'the news')
    endpoint.answer = () => ({ status: 200 })
    assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
    await fate(id, 'sent')
    const place = (await outboxOf(conversationId)).find(({ webhookId }) => webhookId === `msg_${id}`)
    assert.deepEqual([toldOf(conversationId).at(-1).data.sequence, place?.state], [place?.seq, 'taken'])
  })

  test('taken back while nobody answers: owed, and told later; where nothing is sent, or it is refused, the agent hears so', async () => {
    const { conversationId, customer } = await openChat()
    const [first, second] = [await answer(customer, '一'), await answer(customer, '二')]
    await fate(second.id, 'sent')
    endpoint.answer = () => ({ status: 503 })
    assert.equal((await admin.call('POST', `/api/messages/${first.id}/recall`, {})).status, 200)
    endpoint.answer = () => ({ status: 422, body: '{"reason":"客户已经看过"}' })
    await em().nativeUpdate(Outbox, { conversationId, state: 'waiting' }, { state: 'taken' })
    const refused = await admin.call('POST', `/api/messages/${second.id}/recall`, {})
    assert.deepEqual([refused.status, refused.body.code, /客户已经看过/.test(refused.body.details.sentence.zh)], [409, 'HUB_MESSAGE_NOT_RECALLABLE', true])
    endpoint.answer = () => ({ status: 200 })
    await em().nativeUpdate(Outbox, { webhookId: `recall_${first.id}` }, { state: 'waiting', dueAt: new Date() })
    await tellDue(ctx(), conversationId)
    assert.equal(endpoint.of('message.recalled').filter(({ json }) => json.data.externalMessageId === first.id).length, 2)
  })

  test('what is told of a conversation goes with it', async () => {
    const { conversationId, customer } = await openChat()
    await fate((await answer(customer, '您好')).id, 'sent')
    assert.ok((await outboxOf(conversationId)).length > 0)
    await world().hub.kernel.tell('app', { id: newId(), name: 'record.purged', at: new Date().toISOString(), data: { conversationId }, by: null })
    assert.deepEqual([await outboxOf(conversationId), await em().count(Thread, { conversationId })], [[], 0])
  })

  test('the example client takes a repeat once, also while it still handles the first, tells what comes late, and says its last word', async () => {
    const own = client()
    const heard: unknown[] = []
    const gate = Promise.withResolvers<void>()
    const server = await own.listen(0, async ({ type, data, order }) => {
      heard.push([data.sequence, order])
      if (type === 'wait') await gate.promise
      if (type === 'refuse') throw new Refusal('不要', 'no')
      return { externalMessageId: `mine-${data.sequence}` }
    })
    const { port } = server.address() as AddressInfo
    const tell = async (id: string, type: string, sequence: number) => {
      const body = event(type, { sequence, conversation: { id: 'c' } })
      const timestamp = String(Math.floor(Date.now() / 1_000))
      const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': sign(secret, id, timestamp, body) }
      const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body, headers })
      return [response.status, await response.json()]
    }
    try {
      const twice = [tell('a', 'wait', 1), tell('a', 'wait', 1)]
      gate.resolve()
      for (const one of await Promise.all(twice)) assert.deepEqual(one, [200, { externalMessageId: 'mine-1' }])
      assert.deepEqual(await tell('b', 'refuse', 2), [422, { retryable: false, code: 'no', reason: '不要' }])
      await tell('c', 'x', 3)
      await tell('b', 'x', 2)
      await tell('d', 'x', 4)
      await tell('d', 'x', 4)
      assert.deepEqual(heard, [
        [1, 'next'],
        [2, 'next'],
        [3, 'gap'],
        [2, 'late'],
        [4, 'next'],
      ])
    } finally {
      server.close()
    }
  })

  test('the connection test sends a signed ping', async () => {
    const before = endpoint.of('ping').length
    const { body } = await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})
    assert.deepEqual(
      body.steps.map(({ ok }: { ok: boolean }) => ok),
      [true, true],
    )
    assert.equal(endpoint.of('ping').length, before + 1)
    endpoint.answer = () => ({ status: 500 })
    const bad = await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})
    assert.match(bad.body.steps[1].detail.zh, /500/)
  })

  test('what is old is tidied away', async () => {
    const left = () => Promise.all([Taken, Caller, Delivery].map((entity) => em().count(entity as typeof Taken, { inboxId: inbox.id })))
    await tidy(ctx())
    assert.ok((await left()).every((count) => count > 0))
    await tidy(ctx(), Date.now() + 30 * 86_400_000)
    assert.deepEqual(await left(), [0, 0, 0])
  })

  test('news that wait are never tidied away; given up late they are listed for their two weeks all the same', async () => {
    const room = await world().inbox('app', { endpointUrl: endpoint.url, secret, oldSecret })
    const conversationId = newId()
    const day = 86_400_000
    const states = async () => (await outboxOf(conversationId)).map(({ state }) => state)
    endpoint.refuseNews = true
    await owe(ctx(), { inboxId: room.id, conversationId, webhookId: `evt_${newId()}`, type: 'conversation.closed', at: new Date(), data: { reason: 'agent' } })
    // The address was switched off for three weeks.
    await em().nativeUpdate(Outbox, { conversationId }, { createdAt: new Date(Date.now() - 21 * day), dueAt: new Date(Date.now() + day) })
    await tidy(ctx())
    assert.deepEqual(await states(), ['waiting'])
    await em().nativeUpdate(Outbox, { conversationId }, { dueAt: new Date(0) })
    await tellDue(ctx(), conversationId)
    endpoint.refuseNews = false
    await tidy(ctx())
    assert.deepEqual(await states(), ['given-up'])
    assert.equal((await panel(room.id)).undelivered.length, 1)
    await tidy(ctx(), Date.now() + 15 * day)
    assert.deepEqual(await states(), [])
  })

  test('the example client, as a program of its own: a line there is a message here, an answer here is a line there', async () => {
    const own = await world().inbox('app', { secret })
    const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [join(dir, 'example/client.ts')], {
      env: { ...process.env, HUB_EVENTS_URL: eventsUrl(own), HUB_SECRET: secret, CUSTOMER: 'terminal-1', PORT: '0' },
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    try {
      const url = await eventually(() => /listening on (\S+)/.exec(output)?.[1], 'the client')
      assert.equal((await admin.call('PATCH', `/api/inboxes/${own.id}`, { settings: { endpointUrl: url, secret: true } })).status, 200)
      child.stdin.write('你好，有人吗\n')
      const stored = await eventually(async () => (await em().find(Message, { inboxId: own.id, direction: 'in' }))[0], 'the message')
      assert.equal(stored.text, '你好，有人吗')
      await eventually(() => output.includes(`✓ ${stored.id}`), 'the tick')
      const { body } = await admin.call('POST', `/api/conversations/${stored.conversationId}/messages`, {
        clientId: newId(),
        parts: [{ type: 'text', text: '在的，请说' }],
      })
      await eventually(() => output.includes('小柏：在的，请说'), `the answer in: ${output}`)
      const sent = await fate(body.id, 'sent')
      await eventually(
        async () => (await em().findOneOrFail(Conversation, { id: stored.conversationId }, { disableIdentityMap: true })).customerReadSeq >= sent.seq,
        'the receipt',
      )
    } finally {
      child.kill()
    }
  })
})
