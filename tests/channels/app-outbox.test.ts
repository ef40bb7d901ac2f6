/** The signed channel where nobody can be called: an outbox that the client fetches from, acknowledged by cursor. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ChannelInbox, SendError } from '../../core/sdk/channel.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Delivery, Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { HubClient, type HubEvent, Refusal } from '../../plugins/app/example/client.ts'
import appPlugin from '../../plugins/app/plugin.ts'
import { Fetch, Key, Outbox, Thread } from '../../plugins/app/server/app.entity.ts'
import { offer, tellOfSilence } from '../../plugins/app/server/offer.ts'
import { letGoOfMessage, owe, oweMessage, tellAllDue, tellBefore, tellDue } from '../../plugins/app/server/outbox.ts'
import type { Ctx } from '../../plugins/app/server/settings.ts'
import { sendMessage } from '../../plugins/app/server/tell.ts'
import { tidy } from '../../plugins/app/server/tidy.ts'
import { waitLimits } from '../../plugins/app/server/waiting.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, onEveryProfile, type Person, startWorld, type World } from '../support/world.ts'

const dir = join(resolve(import.meta.dirname, '../..'), 'plugins/app')
const makeSecret = () => `whsec_${randomBytes(32).toString('base64')}`
const hour = 3_600_000

interface Item {
  cursor: string
  webhookId: string
  type: string
  timestamp: string
  data: any
}
interface Asked {
  status: number
  body: { items: Item[]; cursor: string; code?: string; message?: string; details?: unknown }
}
interface Ask {
  cursor?: string
  wait?: number
  key?: string | undefined
  signal?: AbortSignal
}

/** An inbox that is fetched from, a key of it, and how one asks. */
async function makeRoom(world: World, admin: Person, settings: Record<string, unknown> = {}) {
  const secret = makeSecret()
  const inbox: Inbox = await world.inbox('app', { outgoing: 'fetch', secret, ...settings })
  const made = await admin.call('POST', `/api/x/app/inboxes/${inbox.id}/keys`)
  assert.equal(made.status, 200, JSON.stringify(made.body))
  const key = made.body.key as string
  const url = (at = world.url) => `${at}/api/x/app/inboxes/${inbox.id}/outbox`
  const ask = async ({ cursor, wait, signal, ...more }: Ask = {}, at = world.url): Promise<Asked> => {
    const query = new URLSearchParams({ ...(cursor === undefined ? {} : { cursor }), ...(wait === undefined ? {} : { wait: String(wait) }) })
    const given = 'key' in more ? more.key : key
    const response = await fetch(`${url(at)}?${query}`, {
      headers: given === undefined ? {} : { authorization: `Bearer ${given}` },
      ...(signal ? { signal } : {}),
    })
    return { status: response.status, body: (await response.json()) as Asked['body'] }
  }
  const client = new HubClient(`${world.url}/api/channels/app/${inbox.id}`, secret)
  return { inbox, secret, key, url, ask, client }
}

await onEveryProfile('app-outbox', [found(appPlugin, dir)], (world) => {
  let admin: Person
  before(async () => {
    await world().hub.kernel.configure('app', { allowPrivateAddresses: true })
    admin = await world().person('小柏', 'admin')
  })

  const em = () => world().hub.em()
  const ctx = () => world().hub.kernel.get('app')?.ctx as unknown as Ctx
  const room = (settings: Record<string, unknown> = {}) => makeRoom(world(), admin, settings)
  type Room = Awaited<ReturnType<typeof room>>
  /** A customer's first words; the conversation they opened. */
  const open = async ({ client, inbox }: Room, customer: string) => {
    await client.tell('message.created', {
      externalMessageId: randomUUID(),
      conversation: { externalId: `chat-${customer}` },
      sender: { externalId: customer, role: 'customer', name: '林小满' },
      content: [{ type: 'text', text: '在吗' }],
    })
    const identity = await world().identity(inbox.id, customer)
    const { id } = await em().findOneOrFail(Conversation, { identityId: identity.id })
    // Whoever else is there may have got it.
    await em().nativeUpdate(Conversation, { id }, { assigneeId: admin.id, status: 'open' })
    return id
  }
  const write = async (conversationId: string, text: string): Promise<string> => {
    const { status, body } = await world().reply(admin, conversationId, text)
    assert.equal(status, 201, JSON.stringify(body))
    return body.id
  }
  const fate = (id: string, status: string) =>
    eventually(async () => {
      const message = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return message.status === status && message
    }, `the message to be ${status}`)
  const send = async (conversationId: string, text: string) => {
    const id = await write(conversationId, text)
    await fate(id, 'sent')
    return id
  }
  const deliveredUpTo = async (conversationId: string) =>
    (await em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })).customerDeliveredSeq
  const messages = (items: Item[]) => items.filter(({ type }) => type === 'message.created')
  const texts = (items: Item[]) => messages(items).map(({ data }) => data.content[0].text)
  /** News of no customer's, offered at once. */
  const news = async (inboxId: string, conversationId: string, reason: string) => {
    const data = { conversation: { id: conversationId }, reason }
    const row = await owe(ctx(), { inboxId, conversationId, webhookId: `evt_${newId()}`, type: 'conversation.closed', at: new Date(), data })
    await tellDue(ctx(), conversationId)
    return row
  }
  const outboxOf = (conversationId: string) => em().find(Outbox, { conversationId }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
  const healthOf = async (inboxId: string) =>
    (await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === inboxId)
  const panel = async (inboxId: string) => (await admin.call('GET', `/api/x/app/inboxes/${inboxId}`)).body

  /** Of an inbox that pushes. */
  const endpoint = async () => {
    const got: Item[] = []
    const answer = { refuse: false }
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const event = JSON.parse(Buffer.concat(chunks).toString())
      const refused = answer.refuse && event.type === 'message.created'
      if (!refused) got.push({ ...event, webhookId: String(request.headers['webhook-id']) })
      response.writeHead(refused ? 422 : 200).end(refused ? JSON.stringify({ retryable: false, reason: '用户已注销' }) : '{}')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const stop = () => {
      server.closeAllConnections()
      server.close()
    }
    return { got, answer, endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hub`, stop }
  }

  test('a message is sent when it lies there, and delivered when the cursor says so; asked twice it is the same', async () => {
    const one = await room()
    const conversationId = await open(one, 'lin-1')
    const id = await write(conversationId, '在的')
    const { seq, externalId } = await fate(id, 'sent')
    assert.equal(externalId, id)
    const first = await one.ask()
    assert.equal(first.status, 200)
    const [item] = messages(first.body.items)
    assert.deepEqual(item && { ...item, cursor: '', timestamp: '' }, {
      cursor: '',
      webhookId: `msg_${id}`,
      type: 'message.created',
      timestamp: '',
      data: {
        sequence: item?.data.sequence,
        messageId: id,
        conversation: { id: conversationId, externalId: 'chat-lin-1' },
        recipient: { externalId: 'lin-1' },
        sender: { role: 'agent', name: '小柏' },
        content: [{ type: 'text', text: '在的' }],
        attempt: 1,
      },
    })
    assert.ok(Math.abs(Date.parse(item?.timestamp ?? '') - Date.now()) < 60_000)
    assert.equal(first.body.cursor, first.body.items.at(-1)?.cursor)
    assert.deepEqual(await one.ask(), first)
    assert.deepEqual(await one.ask({ cursor: '' }), first)
    assert.equal(await deliveredUpTo(conversationId), 0)
    const next = await one.ask({ cursor: first.body.cursor })
    assert.deepEqual(next.body, { items: [], cursor: first.body.cursor })
    assert.equal(await deliveredUpTo(conversationId), seq)
    // Nothing of it is left, and saying it again changes nothing.
    assert.deepEqual((await one.ask()).body.items, [])
    assert.equal((await one.ask({ cursor: first.body.cursor })).status, 200)
    assert.deepEqual(
      (await outboxOf(conversationId)).map(({ state, body }) => [state, body]),
      first.body.items.map(() => ['taken', '']),
    )
  })

  test('the words lie sealed, and only until they were taken', async () => {
    const one = await room()
    const conversationId = await open(one, 'lin-2')
    await send(conversationId, '只有客户能看的话')
    const [row] = (await outboxOf(conversationId)).filter(({ type }) => type === 'message.created')
    assert.ok(row && row.body !== '' && !row.body.includes('只有客户'))
    // Of many parts it is longer than 64 KB.
    const parts = Array.from({ length: 6 }, () => ({ type: 'text', text: '茶'.repeat(9_000) }))
    const long = await admin.call('POST', `/api/conversations/${conversationId}/messages`, { clientId: newId(), parts })
    assert.equal(long.status, 201)
    await fate(long.body.id, 'sent')
    const item = messages((await one.ask()).body.items).at(-1)
    assert.deepEqual(item?.data.content, parts)
  })

  test('what is told of a conversation comes in its order, behind the message that was before it', async () => {
    const one = await room()
    const conversationIds = await Promise.all(['a', 'b', 'c'].map((who) => open(one, `order-${who}`)))
    const sent = []
    for (const text of ['一', '二', '三']) for (const id of conversationIds) sent.push(await write(id, text))
    for (const id of sent) await fate(id, 'sent')
    assert.equal((await admin.call('POST', `/api/conversations/${conversationIds[0]}/close`, {})).status, 200)
    const items = await eventually(async () => {
      const { items } = (await one.ask()).body
      return items.some(({ type }) => type === 'conversation.closed') && items
    }, 'the news')
    for (const id of conversationIds) {
      const mine = items.filter(({ data }) => data.conversation.id === id)
      assert.deepEqual(
        mine.map(({ data }) => data.sequence),
        mine.map((_, i) => i + 1),
      )
      assert.deepEqual(texts(mine), ['一', '二', '三'])
    }
    const closed = items.at(-1)
    assert.deepEqual(
      [closed?.type, closed?.data.recipient.externalId, closed?.data.conversation.externalId],
      ['conversation.closed', 'order-a', 'chat-order-a'],
    )
  })

  test('a hundred at most; the cursor of any item takes it and all before it, and no more', async () => {
    const one = await room()
    const toTell = { inboxId: one.inbox.id, conversationId: newId(), type: 'conversation.closed', at: new Date() }
    for (let n = 1; n <= 103; n++) await offer(ctx(), await owe(ctx(), { ...toTell, webhookId: `evt_${newId()}`, data: { reason: String(n) } }))
    const reasons = (asked: Asked) => asked.body.items.map(({ data }) => Number(data.reason))
    const first = await one.ask()
    assert.deepEqual(
      reasons(first),
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
    const from = await one.ask({ cursor: first.body.items[9]?.cursor ?? '' })
    assert.deepEqual([reasons(from)[0], reasons(from).length], [11, 93])
    assert.equal(reasons(await one.ask())[0], 11)
    const last = await one.ask({ cursor: from.body.cursor })
    assert.deepEqual([reasons(last), last.body.cursor], [[], from.body.cursor])
  })

  test('who follows the cursor while many write at once misses nothing and gets nothing twice', async () => {
    const one = await room()
    const [talks, each] = [6, 12]
    const seen: string[] = []
    let cursor = ''
    let writing = true
    const read = (async () => {
      for (;;) {
        const last = !writing
        const { body } = await one.ask({ cursor })
        seen.push(...body.items.map(({ data }) => data.reason))
        ;({ cursor } = body)
        if (last && body.items.length === 0) return
      }
    })()
    const conversations = Array.from({ length: talks }, () => newId())
    await Promise.all(
      conversations.map(async (id, talk) => {
        for (let n = 0; n < each; n++) await news(one.inbox.id, id, `${talk}:${n}`)
      }),
    )
    writing = false
    await read
    assert.equal(seen.length, talks * each)
    for (let talk = 0; talk < talks; talk++)
      assert.deepEqual(
        seen.filter((reason) => reason.startsWith(`${talk}:`)),
        Array.from({ length: each }, (_, n) => `${talk}:${n}`),
      )
  })

  test('who waits is answered as soon as something is there, or when the time is over', async () => {
    const one = await room()
    const conversationId = await open(one, 'wait-1')
    let { cursor } = (await one.ask()).body
    await eventually(async () => {
      const owed = await em().count(Delivery, { listener: 'app' })
      const { body } = await one.ask({ cursor })
      cursor = body.cursor
      const lies = await em().count(Outbox, { conversationId, state: { $in: ['waiting', 'offered'] } })
      return owed === 0 && body.items.length === 0 && lies === 0
    }, 'nothing to lie there')
    const began = Date.now()
    const waiting = one.ask({ cursor, wait: 25 })
    const sending = send(conversationId, '来了')
    // News of the conversation may come before it.
    let got = (await waiting).body
    assert.ok(got.items.length > 0)
    while (messages(got.items).length === 0) got = (await one.ask({ cursor: got.cursor, wait: 25 })).body
    await sending
    assert.deepEqual([texts(got.items), Date.now() - began < 20_000], [['来了'], true])
    const nothing = await one.ask({ cursor: got.cursor, wait: 1 })
    assert.deepEqual([nothing.status, nothing.body.items], [200, []])
    for (const wait of [26, -1]) assert.equal((await one.ask({ wait })).status, 400)
  })

  test('so many wait at once and no more; one that goes away makes room', async () => {
    const one = await room()
    const gone = new AbortController()
    // One that finds no place, or has waited in vain, asks again.
    const wait = async () => {
      for (;;) await one.ask({ wait: 25, signal: gone.signal })
    }
    const asking = Array.from({ length: waitLimits.most }, () => wait().catch(() => 'gone'))
    const refused = await eventually(async () => {
      const asked = await one.ask({ wait: 1 })
      return asked.status === 429 && asked
    }, 'all places to be taken')
    assert.equal(refused.body.code, 'APP_OUTBOX_BUSY')
    // Who does not wait takes nobody's place.
    assert.equal((await one.ask()).status, 200)
    gone.abort()
    assert.deepEqual([...new Set(await Promise.all(asking))], ['gone'])
    await eventually(async () => (await one.ask({ wait: 1 })).status === 200, 'room')
  })

  test('only who holds a key of this very inbox; all refusals look the same', async () => {
    const [one, other] = [await room(), await room()]
    await open(one, 'key-1')
    const refusal = (asked: Asked) => {
      const { requestId: _, ...body } = asked.body as Asked['body'] & { requestId: string }
      return [asked.status, body]
    }
    const expected = [401, { code: 'APP_KEY_REFUSED', message: 'This key does not open this outbox' }]
    for (const key of [undefined, '', 'nonsense', other.key, `${one.key}x`, one.key.toUpperCase(), one.secret])
      assert.deepEqual(refusal(await one.ask({ key })), expected, key)
    // Neither is said whether there is such an inbox, or whether the cursor is one.
    const stranger = await fetch(`${world().url}/api/x/app/inboxes/${newId()}/outbox`, { headers: { authorization: `Bearer ${one.key}` } })
    assert.deepEqual(refusal({ status: stranger.status, body: (await stranger.json()) as Asked['body'] }), expected)
    assert.deepEqual(refusal(await one.ask({ key: other.key, cursor: 'nonsense' })), expected)
    const keys = await em().find(Key, { inboxId: one.inbox.id }, { disableIdentityMap: true })
    assert.equal(JSON.stringify(keys).includes(one.key.slice(4)), false)
    assert.match(keys[0]?.hash ?? '', /^[0-9a-f]{64}$/)
    assert.equal((await one.ask()).status, 200)
  })

  test('two keys while one is changed, each shown with its last use; revoked it opens nothing, also for who waits', async () => {
    const one = await room()
    const keysUrl = `/api/x/app/inboxes/${one.inbox.id}/keys`
    const second = (await admin.call('POST', keysUrl)).body.key
    const third = await admin.call('POST', keysUrl)
    assert.deepEqual([third.status, third.body.code], [409, 'APP_KEYS_FULL'])
    for (const key of [one.key, second]) assert.equal((await one.ask({ key })).status, 200)
    const { outbox } = await panel(one.inbox.id)
    assert.equal(outbox.url, one.url(ctx().publicUrl))
    assert.deepEqual(
      outbox.keys.map(({ hint, usedAt }: { hint: string; usedAt: string | null }) => [hint, usedAt !== null]),
      [
        [one.key.slice(-4), true],
        [second.slice(-4), true],
      ],
    )
    const agent = await world().person('小谷', 'agent')
    assert.equal((await agent.call('POST', keysUrl)).status, 403)
    assert.equal((await agent.call('DELETE', `${keysUrl}/${outbox.keys[0].id}`)).status, 403)
    const { cursor } = (await one.ask()).body
    const waiting = one.ask({ cursor, wait: 25 })
    // Of another inbox it is not there.
    const other = await room()
    assert.equal((await admin.call('DELETE', `/api/x/app/inboxes/${other.inbox.id}/keys/${outbox.keys[0].id}`)).status, 404)
    assert.equal((await admin.call('DELETE', `${keysUrl}/${outbox.keys[0].id}`)).status, 200)
    assert.equal((await one.ask()).status, 401)
    await news(one.inbox.id, newId(), 'agent')
    assert.equal((await waiting).status, 401)
    assert.equal((await one.ask({ key: second })).body.items.length, 1)
    assert.equal((await admin.call('POST', keysUrl)).status, 200)
  })

  test('a cursor of another inbox, one made up and one beyond what was handed out acknowledge nothing', async () => {
    const [one, other] = [await room(), await room()]
    for (const { inbox } of [one, other]) for (const reason of ['1', '2']) await news(inbox.id, newId(), reason)
    const theirs = (await other.ask()).body.cursor
    const mine = (await one.ask()).body
    for (const cursor of [theirs, 'nonsense', '2', '2.', `9${mine.cursor}`, mine.cursor.replace(/^\d+/, '1'), '0', '-1']) {
      const refused = await one.ask({ cursor })
      assert.deepEqual([cursor, refused.status, refused.body.code], [cursor, 400, 'APP_CURSOR_UNKNOWN'])
    }
    // The database is an older one than the client has seen.
    await em().nativeUpdate(Fetch, { inboxId: one.inbox.id }, { handedPos: 1 })
    assert.equal((await one.ask({ cursor: mine.cursor })).body.code, 'APP_CURSOR_UNKNOWN')
    assert.equal((await one.ask()).body.items.length, 2)
  })

  test('pushed until now: what waits is fetched, in its order; the inbox that was broken is well', async () => {
    const secret = makeSecret()
    // Nobody answers there.
    const inbox = await world().inbox('app', { endpointUrl: 'http://127.0.0.1:9/hub', secret })
    const client = new HubClient(`${world().url}/api/channels/app/${inbox.id}`, secret)
    const one = { inbox, client } as Room
    const conversationId = await open(one, 'switch-1')
    const id = await write(conversationId, '等一下')
    await eventually(async () => {
      const { failure, status } = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return status === 'queued' && failure !== null
    }, 'the first try')
    await admin.call('POST', `/api/conversations/${conversationId}/close`, {})
    await eventually(async () => (await outboxOf(conversationId)).some(({ type }) => type === 'conversation.closed'), 'the news to be owed')
    const key = (await admin.call('POST', `/api/x/app/inboxes/${inbox.id}/keys`)).body.key
    const ask = async () => {
      const response = await fetch(`${world().url}/api/x/app/inboxes/${inbox.id}/outbox`, { headers: { authorization: `Bearer ${key}` } })
      return { status: response.status, body: (await response.json()) as Asked['body'] }
    }
    const pushed = await ask()
    assert.deepEqual([pushed.status, pushed.body.code], [409, 'APP_NOT_FETCHED'])
    const changed = await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { outgoing: 'fetch', secret: true } })
    assert.equal(changed.status, 200, JSON.stringify(changed.body))
    await fate(id, 'sent')
    const items = await eventually(async () => {
      const { items } = (await ask()).body
      return items.some(({ type }) => type === 'conversation.closed') && items
    }, 'all of it')
    assert.deepEqual(
      items.map(({ data }) => data.sequence),
      items.map((_, i) => i + 1),
    )
    assert.ok(items.findIndex(({ webhookId }) => webhookId === `msg_${id}`) < items.findIndex(({ type }) => type === 'conversation.closed'))
    assert.equal((await healthOf(inbox.id)).state, 'connected')
  })

  test('fetched until now: what lies there is pushed, in its order, and what comes after stays behind it', async () => {
    const one = await room()
    const conversationId = await open(one, 'switch-2')
    const [first, second] = [await send(conversationId, '一'), await send(conversationId, '二')]
    await news(one.inbox.id, conversationId, 'agent')
    // The first was taken, all were handed out.
    const { items } = (await one.ask()).body
    await one.ask({ cursor: items.find(({ webhookId }) => webhookId === `msg_${first}`)?.cursor ?? '' })
    const { got, endpointUrl, answer, stop } = await endpoint()
    try {
      const settings = (outgoing: string) => ({ settings: { outgoing, endpointUrl, secret: true } })
      assert.equal((await admin.call('PATCH', `/api/inboxes/${one.inbox.id}`, settings('push'))).status, 200)
      assert.equal((await one.ask()).body.code, 'APP_NOT_FETCHED')
      const third = await send(conversationId, '三')
      await eventually(() => got.some(({ webhookId }) => webhookId === `msg_${third}`), 'the push')
      const told = got.filter(({ data }) => data.conversation?.id === conversationId)
      assert.deepEqual(
        told.filter(({ type }) => type === 'message.created').map(({ webhookId }) => webhookId),
        [`msg_${second}`, `msg_${third}`],
      )
      assert.ok(told.some(({ type, data }) => type === 'conversation.closed' && data.reason === 'agent'))
      const numbers = told.map(({ data }) => data.sequence)
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      )
      // Laid out, switched, and refused for good: the agent reads it, though it was sent once.
      assert.equal((await admin.call('PATCH', `/api/inboxes/${one.inbox.id}`, settings('fetch'))).status, 200)
      const fourth = await send(conversationId, '四')
      answer.refuse = true
      assert.equal((await admin.call('PATCH', `/api/inboxes/${one.inbox.id}`, settings('push'))).status, 200)
      await eventually(async () => {
        await tellAllDue(ctx())
        return (await em().findOneOrFail(Message, { id: fourth }, { disableIdentityMap: true })).status === 'failed'
      }, 'the refusal')
      assert.match((await fate(fourth, 'failed')).failureText?.zh ?? '', /用户已注销/)
    } finally {
      stop()
    }
  })

  test('told by a push before it is known that nobody fetches any more: what lies there goes first all the same', async () => {
    const { got, endpointUrl, stop } = await endpoint()
    try {
      const one = await room({ outgoing: 'push', endpointUrl })
      const conversationId = newId()
      const owed = (reason: string) =>
        owe(ctx(), { inboxId: one.inbox.id, conversationId, webhookId: `evt_${newId()}`, type: 'conversation.closed', at: new Date(), data: { reason } })
      /** As it was left by an inbox that was fetched from a moment ago. */
      const left = async (reason: string) => offer(ctx(), await owed(reason))
      const told = () => got.map(({ data }) => data.reason)
      await left('一')
      const message = await owed('二')
      await tellBefore(ctx(), (await ctx().inbox(one.inbox.id)) as ChannelInbox, message)
      assert.deepEqual(told(), ['一'])
      await left('三')
      await owed('四')
      await tellDue(ctx(), conversationId)
      assert.deepEqual(told(), ['一', '二', '三', '四'])
    } finally {
      stop()
    }
  })

  test('what nobody fetches in its time fails: the agent reads why and sends it again; news are listed', async () => {
    const one = await room()
    const conversationId = await open(one, 'late-1')
    const id = await send(conversationId, '还要吗')
    const { webhookId } = await news(one.inbox.id, newId(), 'agent')
    const first = (await one.ask()).body
    // A day before its time it lies there, and tidying lets it.
    const lying = () => em().count(Outbox, { inboxId: one.inbox.id, state: 'offered' })
    const before = await lying()
    await em().nativeUpdate(Outbox, { inboxId: one.inbox.id, state: 'offered' }, { dueAt: new Date(Date.now() + 24 * hour) })
    await tellAllDue(ctx())
    await tidy(ctx(), Date.now() + 30 * 24 * hour)
    assert.equal(await lying(), before)
    await em().nativeUpdate(Outbox, { inboxId: one.inbox.id, state: 'offered' }, { dueAt: new Date(Date.now() - 1_000) })
    await tellAllDue(ctx())
    const failed = await fate(id, 'failed')
    assert.deepEqual(
      [failed.failure, /没有来取/.test(failed.failureText?.zh ?? ''), /has not fetched/.test(failed.failureText?.en ?? '')],
      ['unfetched', true, true],
    )
    assert.deepEqual((await one.ask()).body.items, [])
    const { undelivered } = await panel(one.inbox.id)
    assert.deepEqual(
      undelivered.filter((row: Item) => row.webhookId === webhookId).map(({ state }: { state: string }) => state),
      ['given-up'],
    )
    // Both can be had after all, under the same names.
    assert.deepEqual((await admin.call('POST', `/api/x/app/inboxes/${one.inbox.id}/replay`, { webhookId })).body, { ok: true, failure: null })
    assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
    await fate(id, 'sent')
    const { items } = (await one.ask({ cursor: first.cursor })).body
    assert.deepEqual(
      items.filter((item) => item.webhookId === webhookId || item.webhookId === `msg_${id}`).map(({ data }) => data.sequence),
      [webhookId, `msg_${id}`].map((name) => first.items.find((item) => item.webhookId === name)?.data.sequence),
    )
    assert.deepEqual(texts(items), ['还要吗'])
  })

  test('reported as failed after it was taken and sent again: another event', async () => {
    const one = await room()
    const conversationId = await open(one, 'again-1')
    const id = await send(conversationId, '再试')
    const { cursor } = (await one.ask()).body
    await one.client.tell('message.failed', {
      sender: { externalId: 'again-1' },
      externalMessageId: id,
      code: 'device-gone',
      reason: '设备不在线',
      retryable: true,
    })
    await fate(id, 'failed')
    // Not acknowledged yet, and handed out.
    assert.equal((await admin.call('POST', `/api/messages/${id}/resend`, {})).status, 200)
    await fate(id, 'sent')
    const next = (await one.ask({ cursor })).body
    assert.deepEqual(
      messages(next.items).map(({ webhookId, data }) => [webhookId, data.messageId]),
      [[`msg_${id}_2`, id]],
    )
  })

  test('reported as failed, acknowledged and sent again: delivered once that is fetched, and not before', async () => {
    const one = await room()
    const conversationId = await open(one, 'again-2')
    const first = await send(conversationId, '一')
    const failed = await send(conversationId, '二')
    const seqOf = async (id: string) => (await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).seq
    const delivered = async () => (await em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })).customerDeliveredSeq
    const { cursor } = (await one.ask()).body
    await one.client.tell('message.failed', { sender: { externalId: 'again-2' }, externalMessageId: failed, code: 'device-gone', retryable: true })
    await fate(failed, 'failed')
    // The order of the example: told of what went wrong first, and then asked on. What is before it was delivered.
    const after = (await one.ask({ cursor })).body
    assert.deepEqual([await delivered(), after.items], [await seqOf(first), []])
    assert.equal((await admin.call('POST', `/api/messages/${failed}/resend`, {})).status, 200)
    await fate(failed, 'sent')
    assert.equal(await delivered(), await seqOf(first))
    const again = (await one.ask({ cursor: after.cursor })).body
    assert.deepEqual(texts(again.items), ['二'])
    await one.ask({ cursor: again.cursor })
    assert.equal(await delivered(), await seqOf(failed))
    // Sent again before the first place is acknowledged: that says nothing of the second one.
    const third = await send(conversationId, '三')
    const before = (await one.ask({ cursor: again.cursor })).body
    await one.client.tell('message.failed', { sender: { externalId: 'again-2' }, externalMessageId: third, code: 'device-gone', retryable: true })
    await fate(third, 'failed')
    assert.equal((await admin.call('POST', `/api/messages/${third}/resend`, {})).status, 200)
    await fate(third, 'sent')
    const last = (await one.ask({ cursor: before.cursor })).body
    assert.deepEqual([texts(last.items), await delivered()], [['三'], await seqOf(failed)])
    await one.ask({ cursor: last.cursor })
    assert.equal(await delivered(), await seqOf(third))
  })

  /** A message whose first sending failed, as it stands before anybody sends it again: its place waits, without words. */
  const failedOnce = async (customer: string) => {
    const one = await room()
    const conversationId = await open(one, customer)
    const id = await send(conversationId, '还要吗')
    await em().nativeUpdate(Message, { id }, { status: 'failed' })
    await em().nativeUpdate(Outbox, { inboxId: one.inbox.id, webhookId: `msg_${id}` }, { state: 'waiting', pos: null, body: '', dueAt: null })
    const { seq } = await em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    const message = { id, inboxId: one.inbox.id, conversationId, seq }
    const place = async () => {
      const { state, round, pos } = await em().findOneOrFail(Outbox, { inboxId: one.inbox.id, webhookId: `msg_${id}` }, { disableIdentityMap: true })
      return [state, round, pos !== null]
    }
    const again = (round: number) => oweMessage(ctx(), one.inbox.id, { id, conversationId, round })
    return { ...one, message, place, again, hubSays: (status: Message['status']) => em().nativeUpdate(Message, { id }, { status }) }
  }
  const words = JSON.stringify({ type: 'message.created', timestamp: new Date().toISOString(), data: { content: [{ type: 'text', text: '还要吗' }] } })

  test('told late that a message failed, its place stays with the sending that began since', async () => {
    const { message, place, again, hubSays, ask } = await failedOnce('late-word-1')
    await hubSays('sending')
    const second = await again(2)
    await letGoOfMessage(ctx(), message)
    assert.deepEqual(await place(), ['waiting', 2, false])
    await offer(ctx(), second, words)
    await letGoOfMessage(ctx(), message)
    assert.deepEqual(await place(), ['offered', 2, true])
    assert.deepEqual(texts((await ask()).body.items), ['还要吗'])
  })

  test('sent again while it is looked at whether it failed: what was offered then stays', async () => {
    const { message, place, again } = await failedOnce('late-word-2')
    let asked = false
    const slow = Object.create(ctx(), {
      recent: {
        value: async (...args: Parameters<Ctx['recent']>) => {
          asked = true
          const before = await ctx().recent(...args)
          await offer(ctx(), await again(2), words)
          return before
        },
      },
    }) as Ctx
    await letGoOfMessage(slow, message)
    assert.deepEqual([asked, ...(await place())], [true, 'offered', 2, true])
  })

  test('a message that was let go before it was offered is not sent: it is tried again', async () => {
    const { message, place, again } = await failedOnce('late-word-3')
    const second = await again(2)
    await letGoOfMessage(ctx(), message)
    assert.deepEqual(await place(), ['given-up', 2, false])
    const lastPos = async () => (await em().findOneOrFail(Fetch, { inboxId: message.inboxId }, { disableIdentityMap: true })).lastPos
    const before = await lastPos()
    await assert.rejects(offer(ctx(), second, words), (error) => error instanceof SendError && error.retry === true)
    assert.equal(await lastPos(), before)
    // The next try finds its place again; twice by two processes it lies there once.
    const third = await again(2)
    await offer(ctx(), third, words)
    await offer(ctx(), third, words)
    assert.deepEqual(await place(), ['offered', 2, true])
  })

  test('let go in the middle of its sending: the hub does not hear that it is sent', async () => {
    const { inbox, message, place } = await failedOnce('late-word-4')
    /** Lets go when the sending has its place and looks for the name of the conversation. */
    const halfway = Object.create(ctx(), {
      em: {
        value: () => {
          const real = em()
          const findOne = async (entity: typeof Thread, ...more: unknown[]) => {
            if (entity === Thread) await letGoOfMessage(ctx(), message)
            return (real.findOne as (...all: unknown[]) => Promise<Thread | null>)(entity, ...more)
          }
          return new Proxy(real, {
            get: (_, name) => {
              const value = name === 'findOne' ? findOne : Reflect.get(real, name)
              return typeof value === 'function' && name !== 'findOne' ? value.bind(real) : value
            },
          })
        },
      },
    }) as Ctx
    const out = { ...message, to: 'late-word-4', identityId: '', parts: [{ type: 'text' as const, text: '还要吗' }], done: 0, round: 2, attempt: 1 }
    const sending = (by: Ctx) =>
      sendMessage(by, { ...out, progress: async () => undefined, signal: AbortSignal.timeout(60_000) }, inbox as unknown as ChannelInbox)
    await assert.rejects(sending(halfway), (error) => error instanceof SendError && error.retry === true)
    assert.deepEqual(await place(), ['given-up', 2, false])
    assert.deepEqual(await sending(ctx()), { externalId: message.id })
    assert.deepEqual(await place(), ['offered', 2, true])
  })

  test('taken back before anybody had fetched it, it is gone; after that the client is told', async () => {
    const one = await room()
    const conversationId = await open(one, 'recall-1')
    const [first, second] = [await send(conversationId, '发错了'), await send(conversationId, '也发错了')]
    const recall = async (id: string) => assert.equal((await admin.call('POST', `/api/messages/${id}/recall`, {})).status, 200)
    await recall(first)
    const { items, cursor } = (await one.ask()).body
    assert.deepEqual(texts(items), ['也发错了'])
    const [gone] = await em().find(Outbox, { inboxId: one.inbox.id, webhookId: `msg_${first}` }, { disableIdentityMap: true })
    assert.deepEqual([gone?.state, gone?.body], ['withdrawn', ''])
    assert.ok((await em().findOneOrFail(Message, { id: first }, { disableIdentityMap: true })).recalledAt)
    await recall(second)
    const next = (await one.ask({ cursor })).body.items
    assert.deepEqual(
      next.map(({ type, data }) => [type, data.externalMessageId]),
      [['message.recalled', second]],
    )
  })

  test('nobody asks while something lies there, or a key is never used: broken with its remedy; well with the next fetch', async () => {
    const [one, unused, keyless] = [await room(), await room(), await room()]
    const later = (ms: number) => tellOfSilence(ctx(), Date.now() + ms)
    const code = async ({ inbox }: Room) => {
      const health = await healthOf(inbox.id)
      return health?.state === 'broken' ? health.code : null
    }
    const steps = async ({ inbox }: Room) => (await admin.call('POST', `/api/inboxes/${inbox.id}/probe`, {})).body.steps
    await em().nativeDelete(Key, { inboxId: keyless.inbox.id })
    for (const { inbox } of [one, keyless]) await news(inbox.id, newId(), 'agent')
    assert.deepEqual(
      (await steps(keyless)).map(({ ok, waits }: { ok: boolean; waits?: true }) => [ok, waits ?? false]),
      [
        [true, false],
        [false, true],
      ],
    )
    await one.ask()
    await later(14 * 60_000)
    for (const each of [one, unused, keyless]) assert.equal(await code(each), null)
    await later(16 * 60_000)
    assert.deepEqual([await code(one), await code(unused), await code(keyless)], ['silent', 'never-fetched', 'no-key'])
    const { error, remedy } = await healthOf(one.inbox.id)
    assert.match(`${error.zh}${remedy.zh}`, /15 分钟没有来取.*待取地址/)
    // A test does not mend it: only who comes does.
    assert.equal((await steps(one)).at(-1).ok, false)
    assert.equal(await code(one), 'silent')
    const { items, cursor } = (await one.ask()).body
    assert.equal((await healthOf(one.inbox.id)).state, 'connected')
    await one.ask({ cursor })
    const [, there, fetches] = await steps(one)
    assert.deepEqual([there.ok, fetches.ok], [true, true])
    assert.match(fetches.label.zh, new RegExp(`0 分钟前来过，最后取走 ${items.at(-1)?.type}，待取 0 条`))
    // With nothing to fetch nobody is missed.
    await later(60 * 60_000)
    assert.equal(await code(one), null)
    await unused.ask()
    assert.equal(await code(unused), null)
  })

  test('nothing that a pushing inbox needs is asked for, and typing is not offered', async () => {
    const one = await room()
    const { body } = await admin.call('PATCH', `/api/inboxes/${one.inbox.id}`, {
      settings: { outgoing: 'fetch', endpointUrl: 'https://10.0.0.7/hub', secret: true },
    })
    assert.equal(body.code, undefined, JSON.stringify(body))
    const adapter = (appPlugin.channel as unknown as (ctx: object) => any)(ctx())
    const typing = (outgoing: string) => adapter.capabilitiesOf({ id: '', name: '', settings: { outgoing } }).typing
    assert.deepEqual([typing('fetch'), typing('push')], [false, true])
  })

  test('the example client takes each once, tells its last word, and says how far it has got', async () => {
    const one = await room()
    const conversationId = await open(one, 'example-1')
    const [first, second] = [await send(conversationId, '收到了吗'), await send(conversationId, '不要这个')]
    const ended = new AbortController()
    const seen: HubEvent[] = []
    const fetching = one.client.fetchOutbox(
      one.url(),
      one.key,
      (event) => {
        seen.push(event)
        if (event.data.messageId === second) throw new Refusal('用户已注销', 'user-gone')
        return undefined
      },
      { signal: ended.signal },
    )
    let third = ''
    try {
      const failed = await fate(second, 'failed')
      assert.equal(failed.failure, 'user-gone')
      assert.match(failed.failureText?.zh ?? '', /^用户已注销/)
      const { seq } = await em().findOneOrFail(Message, { id: first })
      await eventually(async () => (await deliveredUpTo(conversationId)) >= seq, 'the receipt')
      third = await send(conversationId, '那这个呢')
      await eventually(() => seen.some(({ data }) => data.messageId === third), 'what came while it waited')
    } finally {
      ended.abort()
      await fetching
    }
    assert.deepEqual(
      seen.filter(({ type }) => type === 'message.created').map(({ data }) => data.messageId),
      [first, second, third],
    )
  })

  test('the example client, as a program that nobody can call', async () => {
    const one = await room()
    const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [join(dir, 'example/client.ts')], {
      env: {
        ...process.env,
        HUB_EVENTS_URL: `${world().url}/api/channels/app/${one.inbox.id}`,
        HUB_SECRET: one.secret,
        HUB_OUTBOX_URL: one.url(),
        HUB_KEY: one.key,
        CUSTOMER: 'terminal-1',
      },
    })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    try {
      await eventually(() => output.includes('fetching from'), 'the client')
      child.stdin.write('你好，有人吗\n')
      const stored = await eventually(async () => (await em().find(Message, { inboxId: one.inbox.id, direction: 'in' }))[0], 'the message')
      const id = await write(stored.conversationId, '在的，请说')
      await eventually(() => output.includes('小柏：在的，请说'), `the answer in: ${output}`)
      const { seq } = await fate(id, 'sent')
      const readUpTo = async () => (await em().findOneOrFail(Conversation, { id: stored.conversationId }, { disableIdentityMap: true })).customerReadSeq
      await eventually(async () => (await readUpTo()) >= seq, 'the receipt')
    } finally {
      child.kill()
    }
  })

  test('what the README says to ask is asked, and answered as it says', async () => {
    const one = await room()
    await news(one.inbox.id, newId(), 'agent')
    const readme = readFileSync(join(dir, 'README.md'), 'utf8')
    const [, command = ''] = /```sh\n(curl [\s\S]*?)\n```/.exec(readme) ?? []
    const [, header = ''] = /-H '([^']+)'/.exec(command) ?? []
    const [, address = ''] = / '(https:[^']+)'/.exec(command) ?? []
    const filled = (text: string) => text.replace('https://hub.example.com', world().url).replace('<inbox>', one.inbox.id).replace('<key>', one.key)
    const [name = '', value = ''] = filled(header).split(': ')
    const response = await fetch(filled(address), { headers: { [name]: value } })
    assert.equal(response.status, 200)
    const answer = (await response.json()) as Asked['body']
    const [, shown = ''] = /```json\n(\{\n {2}"items"[\s\S]*?)\n```/.exec(readme) ?? []
    const example = JSON.parse(shown) as Asked['body']
    assert.deepEqual([Object.keys(answer), Object.keys(answer.items[0] ?? {})], [Object.keys(example), Object.keys(example.items[0] ?? {})])
    for (const code of ['APP_KEY_REFUSED', 'APP_CURSOR_UNKNOWN', 'APP_NOT_FETCHED', 'APP_OUTBOX_BUSY']) assert.ok(readme.includes(`\`${code}\``), code)
  })
})

for (const profile of await profiles())
  test(`a hub that ends answers who waits [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const world = await startWorld(place, [found(appPlugin, dir)])
    t.after(() => world.running.stop())
    const one = await makeRoom(world, await world.person('小柏', 'admin'))
    const waiting = one.ask({ wait: 25 })
    // It waits once its place is taken.
    await eventually(async () => (await world.hub.em().count(Key, { inboxId: one.inbox.id, usedAt: { $ne: null } })) === 1, 'the request')
    const stopped = world.running.stop()
    // The hub cuts connections that do not end in time: then there would be no answer.
    const { status, body } = await waiting
    assert.deepEqual([status, body.items], [200, []])
    await stopped
  })

const served = (await profiles()).includes('served')
describe('two webs and a worker', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  let worlds: World[] = []
  before(async () => {
    const place = await makePlace('served')
    worlds = await Promise.all((['web', 'web', 'worker'] as const).map((role) => startWorld(place, [found(appPlugin, dir)], { HUB_ROLE: role })))
  })
  after(async () => {
    await Promise.all(worlds.map((world) => world.running.stop()))
    await worlds[0]?.place.remove()
  })

  test('who waits at either web gets what the worker offers, and what one web was told the other knows', async () => {
    const [a, b, worker] = worlds as [World, World, World]
    const admin = await a.person('小柏', 'admin')
    const one = await makeRoom(a, admin)
    await one.client.tell('message.created', {
      externalMessageId: randomUUID(),
      sender: { externalId: 'two-1', role: 'customer' },
      content: [{ type: 'text', text: '在吗' }],
    })
    const { id: identityId } = await a.identity(one.inbox.id, 'two-1')
    const { id } = await a.hub.em().findOneOrFail(Conversation, { identityId })
    await a.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: admin.id, status: 'open' })
    const seen: string[] = []
    let cursor = ''
    const until = async (text: string, at: World) => {
      while (!seen.includes(text)) {
        const { status, body } = await one.ask({ cursor, wait: 25 }, at.url)
        assert.equal(status, 200)
        seen.push(...body.items.map(({ type, data }) => data.content?.[0].text ?? type))
        ;({ cursor } = body)
      }
    }
    for (const [text, at] of [
      ['一', a],
      ['二', b],
      ['三', a],
    ] as const) {
      const waiting = until(text, at)
      assert.equal((await a.reply(admin, id, text)).status, 201)
      await waiting
    }
    assert.deepEqual(
      seen.filter((one) => /^[一二三]$/.test(one)),
      ['一', '二', '三'],
    )
    // A key that is revoked at one web opens nothing at the other.
    const [key] = (await admin.call('GET', `/api/x/app/inboxes/${one.inbox.id}`)).body.outbox.keys
    await admin.call('DELETE', `/api/x/app/inboxes/${one.inbox.id}/keys/${key.id}`)
    assert.equal((await one.ask({ cursor }, b.url)).status, 401)
    assert.equal(await worker.hub.em().count(Outbound, { conversationId: id }), 0)
  })

  test('offered by all processes at once, the numbers rise and none is given twice', async () => {
    const [a] = worlds as [World]
    const one = await makeRoom(a, await a.person('小柏', 'admin'))
    const each = 15
    await Promise.all(
      worlds.map(async (world) => {
        const ctx = world.hub.kernel.get('app')?.ctx as unknown as Ctx
        for (let n = 0; n < each; n++) {
          const toTell = { inboxId: one.inbox.id, conversationId: newId(), webhookId: `evt_${newId()}`, type: 'conversation.closed', at: new Date(), data: {} }
          await offer(ctx, await owe(ctx, toTell))
        }
      }),
    )
    const rows = await a.hub.em().find(Outbox, { inboxId: one.inbox.id }, { disableIdentityMap: true })
    assert.deepEqual(
      rows.map(({ pos }) => pos ?? 0).sort((x, y) => x - y),
      Array.from({ length: each * worlds.length }, (_, i) => i + 1),
    )
  })
})
