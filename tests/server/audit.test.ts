/** The audit log. Needs the bundled plugins. */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import type { HubEvent } from '../../core/sdk/events.ts'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact, MergeSuggestion } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Delivery } from '../../core/src/domain/message/message.entity.ts'
import { runCommand } from '../../core/src/kernel/run-command.ts'
import { deliverEvents } from '../../core/src/pipeline/deliver-events.ts'
import { checkForm } from '../../core/ui-kit/check-form.ts'
import audit from '../../plugins/audit/plugin.ts'
import { Entry, Mark, RecordLink } from '../../plugins/audit/server/audit.entity.ts'
import { append, type Deed, nobody } from '../../plugins/audit/server/chain.ts'
import { deedOf } from '../../plugins/audit/server/deed-of.ts'
import { listen } from '../../plugins/audit/server/listen.ts'
import { prune } from '../../plugins/audit/server/prune.ts'
import { type Ctx, settings } from '../../plugins/audit/server/settings.ts'
import { markAlive, tellSilence } from '../../plugins/audit/server/silence.ts'
import { isOutside, timeIn } from '../../plugins/audit/server/unusual.ts'
import { type Checkpoint, verify } from '../../plugins/audit/server/verify.ts'
import { call, eventually, found, onEveryProfile, type Person, silent, startWorld } from '../support/world.ts'

const { manifest: mock } = mockChannel()
const folder = resolve(import.meta.dirname, '../../plugins/audit')
/** Hears of views and cannot cope with them. */
const stubborn: PluginManifest = {
  id: 'stubborn',
  version: '1.0.0',
  label: { zh: '固执', en: 'Stubborn' },
  on: {
    'record.viewed': (event) => {
      if (events.has(event.id)) throw new Error('never')
    },
    'event.givenUp': (event) => {
      if (events.has(event.id)) throw new Error('never')
    },
  },
}
/** Events that it fails on. */
const events = new Set<string>()
/** Shows something of its own about a contact. */
const shelf: PluginManifest = {
  id: 'shelf',
  version: '1.0.0',
  label: { zh: '货架', en: 'Shelf' },
  routes(app, own) {
    app.get('/contacts/:id', { config: { access: 'agent' } }, async (request) => ({
      id: await own.asker(request).contact((request.params as { id: string }).id),
    }))
  },
}
const plugins = [found(audit, folder), found(mock), found(stubborn), found(shelf)]

await onEveryProfile('audit', plugins, (world, profile) => {
  const ctx = (): Ctx => {
    const plugin = world().hub.kernel.get('audit')
    assert.ok(plugin)
    return plugin.ctx as unknown as Ctx
  }
  /** The same plugin with other settings, as an admin might have saved them. */
  const set = (settings: Partial<Ctx['settings']>): Ctx => Object.create(ctx(), { settings: { value: { ...ctx().settings, ...settings } } }) as Ctx
  const em = () => world().hub.em()
  /** Where the log stood when somebody looked at what a lost head may have hidden. */
  let looked: Checkpoint | undefined
  const deed = (more: Partial<Deed> = {}): Deed => ({ ...nobody, eventId: newId(), event: 'test.done', at: new Date(), ...more })
  const entries = (where: object) => em().find(Entry, where, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
  const wait = (where: object, count = 1) =>
    eventually(async () => {
      const rows = await entries(where)
      return rows.length >= count && rows
    }, JSON.stringify(where))
  const conversation = async (agent?: Person) => {
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '我想退货')
    const id = accepted?.conversationId as string
    if (agent) await agent.call('POST', `/api/conversations/${id}/assign`, { agentId: agent.id })
    return id
  }

  test('entities and schema agree', async () => {
    assert.deepEqual(
      (await schemaDrift(world().hub.orm)).filter((statement) => statement.includes('audit_')),
      [],
    )
  })

  test('viewing, searching, deleting: who, when, from where, what, how many', async () => {
    const admin = await world().person('阅', 'admin')
    const id = await conversation()
    await admin.call('GET', `/api/records/${id}`)
    await admin.call('GET', `/api/records/${id}`)
    await admin.call('GET', `/api/conversations/${id}/messages`)
    const [viewed] = await wait({ agentId: admin.id, event: 'record.viewed' })
    assert.deepEqual([viewed?.subjectKind, viewed?.subjectId, viewed?.ip, viewed?.tokenId], ['record', id, '127.0.0.1', null])
    const filter = JSON.stringify({ status: ['open'] })
    const page = (await admin.call('GET', `/api/records?filter=${encodeURIComponent(filter)}&tz=UTC`)).body
    await admin.call('GET', `/api/records?filter=${encodeURIComponent(filter)}&tz=UTC`)
    const [searched] = await wait({ agentId: admin.id, event: 'record.searched' })
    assert.equal(searched?.count, page.items.length)
    // The same page asked for again within minutes is the same deed: what follows is told, it is not.
    await admin.call('POST', `/api/conversations/${id}/close`)
    await admin.call('POST', `/api/records/${id}/delete`)
    await wait({ agentId: admin.id, event: 'record.deleted' })
    assert.equal((await entries({ agentId: admin.id, event: { $in: ['record.viewed', 'record.searched'] } })).length, 2)
    const own = (await admin.call('GET', `/api/x/audit/records/${id}/entries`)).body
    assert.deepEqual(own.items.map((item: { event: string }) => item.event).slice(0, 2), ['record.deleted', 'record.viewed'])
    assert.equal(own.items[1].agentName, '阅')
  })

  test('who asked for one and then for all has read all, and what a token reads is the token’s', async () => {
    const admin = await world().person('翻阅', 'admin')
    for (let i = 0; i < 3; i++) await conversation()
    const filter = encodeURIComponent(JSON.stringify({ status: ['open'] }))
    const shown = async (way: string) => (await admin.call('GET', way)).body.items.length as number
    const counts = [
      await shown(`/api/records?filter=${filter}&limit=1`),
      await shown(`/api/records?filter=${filter}&limit=100`),
      await shown(`/api/records?filter=${filter}&limit=2`),
      await shown(`/api/records?filter=${filter}&limit=100&person=true`),
    ]
    assert.ok((counts[1] ?? 0) >= 3)
    await wait({ agentId: admin.id, event: 'record.searched' }, 3)
    await still()
    assert.deepEqual(
      (await entries({ agentId: admin.id, event: 'record.searched' })).map(({ count }) => count),
      [counts[0], counts[1], counts[3]],
      'fewer of the same are no news',
    )
    const { body: token } = await admin.call('POST', '/api/tokens', { name: '报表', permissions: ['conversation.read'] })
    const id = await conversation()
    assert.equal((await admin.call('GET', `/api/records/${id}`)).status, 200)
    await wait({ agentId: admin.id, event: 'record.viewed', subjectId: id })
    assert.equal((await call(world().url, 'GET', `/api/records/${id}`, undefined, { authorization: `Bearer ${token.token}` })).status, 200)
    const views = await wait({ agentId: admin.id, event: 'record.viewed', subjectId: id }, 2)
    assert.deepEqual(
      views.map(({ tokenId }) => tokenId),
      [null, token.apiToken.id],
    )
  })

  test('what cannot be told of is not shown, neither now nor when it is asked for again; at once by two, it is one entry', async () => {
    const admin = await world().person('急', 'admin')
    const id = await conversation()
    const ways = [`/api/records/${id}`, '/api/records?tz=UTC']
    const all = () => Promise.all([...ways, ...ways].map(async (way) => (await admin.call('GET', way)).status))
    const { kernel } = world().hub
    const { listeners } = kernel
    kernel.listeners = (name) => {
      if (name === 'record.viewed' || name === 'record.searched') throw new Error('the disk is full')
      return listeners.call(kernel, name)
    }
    try {
      assert.deepEqual(await all(), [500, 500, 500, 500])
      assert.deepEqual(await all(), [500, 500, 500, 500])
    } finally {
      kernel.listeners = listeners
    }
    assert.deepEqual(await all(), [200, 200, 200, 200])
    const told = async () => (await entries({ agentId: admin.id, event: { $in: ['record.viewed', 'record.searched'] } })).map(({ event }) => event)
    await wait({ agentId: admin.id, event: 'record.viewed', subjectId: id })
    await wait({ agentId: admin.id, event: 'record.searched' })
    await still()
    assert.deepEqual((await told()).sort(), ['record.searched', 'record.viewed'])
  })

  test('by no way past the log: catching up from nothing, one message, a small picture, a profile in a plugin, a mere count', async () => {
    const holder = await world().person('聊')
    const id = await conversation(holder)
    const form = new FormData()
    const picture = await sharp({ create: { width: 900, height: 600, channels: 3, background: '#2f6f4f' } })
      .png()
      .toBuffer()
    form.append('file', new Blob([new Uint8Array(picture)]), '发票.png')
    const brought = await fetch(new URL('/api/files', world().url), { method: 'POST', body: form, headers: { cookie: holder.cookie } })
    const part = (await brought.json()) as { fileId: string }
    const { id: messageId } = (await holder.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [part] })).body
    const { contactId } = await em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const ways = [
      `/api/conversations/${id}/messages?afterRev=0`,
      `/api/conversations/${id}/messages?after=0`,
      `/api/messages/${messageId}`,
      `/api/conversations/${id}`,
      `/api/files/${part.fileId}/thumbnail`,
      `/api/records/${id}/attachments`,
    ]
    for (const way of ways) {
      const stranger = await world().person('路过', 'admin')
      for (const person of [stranger, stranger, holder]) assert.equal((await person.call('GET', way)).status, 200, way)
      await wait({ event: 'record.viewed', subjectId: id, agentId: stranger.id })
      await still()
      assert.equal((await entries({ event: 'record.viewed', subjectId: id, agentId: stranger.id })).length, 1, way)
    }
    const admin = await world().person('数', 'admin')
    for (const person of [admin, holder]) assert.equal((await person.call('GET', `/api/x/shelf/contacts/${contactId}`)).body.id, contactId)
    await wait({ event: 'contact.viewed', subjectId: contactId, agentId: admin.id })
    const asked = (filter: object) => `filter=${encodeURIComponent(JSON.stringify(filter))}&tz=UTC`
    for (const filter of [{ keyword: '想退' }, { contact: '13812345678' }])
      for (let i = 0; i < 2; i++) assert.equal((await admin.call('GET', `/api/records/count?${asked(filter)}`)).status, 200)
    const sought = await wait({ agentId: admin.id, event: 'record.searched' }, 2)
    assert.deepEqual(
      sought.map(({ details, count }) => [JSON.parse(details).filter, count && count > 0]),
      [
        [{ keyword: '想退' }, true],
        [{ contact: '138****5678' }, 0],
      ],
    )
    // A list that was read says it all; its count is no second search.
    await admin.call('GET', `/api/records?${asked({ keyword: '想' })}`)
    await admin.call('GET', `/api/records/count?${asked({ keyword: '想' })}`)
    await wait({ agentId: admin.id, event: 'record.searched' }, 3)
    await still()
    assert.equal((await entries({ agentId: admin.id, event: 'record.searched' })).length, 3)
    assert.equal((await entries({ agentId: holder.id, event: { $in: ['record.viewed', 'contact.viewed'] } })).length, 0)
  })

  test('what has ended is viewed by whoever held it, too', async () => {
    const holder = await world().person('要走的')
    const id = await conversation()
    await em().nativeUpdate(Conversation, { id }, { assigneeId: holder.id, status: 'open' })
    const { id: messageId } = (await world().reply(holder, id, '稍等')).body
    const { contactId } = await em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    assert.equal((await holder.call('POST', `/api/conversations/${id}/close`)).status, 200)
    const ways = ['/messages', '', `/../../messages/${messageId}`, `/../../records/${id}/attachments`, `/../../contacts/${contactId}/messages`]
    for (const way of ways) {
      const other = await world().person('同桌')
      await em().nativeUpdate(Conversation, { id }, { assigneeId: other.id })
      assert.equal((await other.call('GET', `/api/conversations/${id}${way}`)).status, 200, way)
      await wait({ event: 'record.viewed', subjectId: id, agentId: other.id })
    }
  })

  test('lists of others’ conversations and of what has ended say how many they showed; one’s own work and what waits do not', async () => {
    const [admin, holder] = [await world().person('翻', 'admin'), await world().person('聊')]
    const [own, others] = [await conversation(), await conversation()]
    await em().nativeUpdate(Conversation, { id: own }, { assigneeId: holder.id, status: 'open' })
    await em().nativeUpdate(Conversation, { id: others }, { assigneeId: newId(), status: 'open' })
    const since = new Date(Date.now() - 60_000).toISOString()
    for (const way of ['?group=mine', '?group=queue']) assert.equal((await holder.call('GET', `/api/conversations${way}`)).status, 200)
    const read = async (way: string) => (await admin.call('GET', `/api/conversations${way}`)).body as { items: { id: string }[]; cursor: string }
    const first = await read('?group=open&limit=1')
    for (let i = 0; i < 2; i++) await read(`?group=open&limit=1&cursor=${encodeURIComponent(first.cursor)}`)
    await read('?group=open&limit=1')
    await holder.call('POST', `/api/conversations/${own}/close`)
    await holder.call('GET', '/api/conversations?group=closed&sort=customer')
    await read(`/changes?since=${since}`)
    const listed = await wait({ event: 'conversation.listed', agentId: admin.id }, 3)
    await still()
    assert.equal((await entries({ event: 'conversation.listed', agentId: admin.id })).length, 3)
    const of = (rows: Entry[]) => rows.map(({ details, count }) => ({ ...JSON.parse(details), count }))
    assert.deepEqual(of(listed.slice(0, 2)), [
      { group: 'open', shown: 1, count: 1 },
      { group: 'open', shown: 1, further: true, count: 1 },
    ])
    const [changes] = of(listed.slice(2))
    assert.deepEqual([changes.group, changes.since, changes.count > 0], ['changes', since, true])
    const [ended] = of(await entries({ event: 'conversation.listed', agentId: holder.id }))
    assert.deepEqual([ended.group, ended.sort, ended.shown > 0], ['closed', 'customer', true])
    assert.equal((await entries({ event: 'conversation.listed', agentId: holder.id })).length, 1)
  })

  test('lists of visitors say how many contacts of others they showed, once a page; with whom one talks is one’s own work', async () => {
    const [admin, holder] = [await world().person('巡', 'admin'), await world().person('谈', 'supervisor')]
    const inbox = await world().inbox('mock')
    const desk = createDesk(world().hub)
    const come = async () => {
      const externalId = newId()
      const [visitId, page] = [newId(), { url: 'https://shop.cn/tea', title: '茶叶', referrer: '', ip: '203.0.113.9', userAgent: 'Mozilla/5.0' }]
      const [accepted] = await world().say(inbox, externalId, '在吗')
      await desk.beat(inbox.id, { visitId, externalId, ...page })
      await desk.spoke({ inboxId: inbox.id, externalId }, visitId)
      await em().nativeUpdate(Conversation, { id: accepted?.conversationId ?? '' }, { assigneeId: holder.id, status: 'open' })
    }
    await come()
    const read = async (person: Person, way: string) => {
      const { status, body } = await person.call('GET', `/api/visitors?list=${way}`)
      assert.equal(status, 200)
      return body.cursor as string
    }
    await read(holder, 'talking')
    await come()
    const cursor = await read(admin, 'talking&limit=1')
    for (let i = 0; i < 2; i++) await read(admin, `talking&limit=1&cursor=${encodeURIComponent(cursor)}`)
    await read(admin, 'talking&limit=1')
    const listed = await wait({ event: 'visitor.listed', agentId: admin.id }, 2)
    await still()
    assert.deepEqual(
      listed.map(({ details, count, ip }) => [JSON.parse(details), count, ip]),
      [
        [{ list: 'talking', shown: 1 }, 1, '127.0.0.1'],
        [{ list: 'talking', shown: 1, further: true }, 1, '127.0.0.1'],
      ],
    )
    assert.equal((await entries({ event: 'visitor.listed' })).length, 2)
  })

  test('words looked for in what was said with one person are a search, in one’s own conversation too, once a page and starred', async () => {
    const [admin, holder] = [await world().person('找', 'admin'), await world().person('聊')]
    const id = await conversation()
    const { contactId } = await em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    await em().nativeUpdate(Conversation, { id }, { assigneeId: holder.id, status: 'open' })
    const look = async (who: Person, filter: object, more = '') =>
      assert.equal((await who.call('GET', `/api/contacts/${contactId}/messages?filter=${encodeURIComponent(JSON.stringify(filter))}${more}`)).status, 200)
    for (const person of [admin, holder]) {
      // Without words it is read, not searched.
      await look(person, {})
      await look(person, { keyword: ' ' })
      for (let i = 0; i < 2; i++) await look(person, { keyword: '想退' }, '&end=newest')
      await look(person, { keyword: '13812345678', contactId: newId() })
      const sought = await wait({ agentId: person.id, event: 'record.searched' }, 2)
      await still()
      assert.deepEqual(
        sought.map(({ details, count }) => [JSON.parse(details).filter, count]),
        [
          [{ keyword: '想退', contactId }, 1],
          [{ keyword: '138****5678', contactId }, 0],
        ],
      )
      assert.equal((await entries({ agentId: person.id, event: 'record.searched' })).length, 2)
    }
    const views = await entries({ event: { $in: ['record.viewed', 'contact.viewed'] }, subjectId: { $in: [id, contactId] } })
    assert.deepEqual(new Set(views.map(({ agentId }) => agentId)), new Set([admin.id]))
  })

  test('profiles opened and looked for by who does not talk with them, blocked and unblocked; words are kept starred', async () => {
    const [admin, holder] = [await world().person('看', 'admin'), await world().person('聊')]
    const id = await conversation()
    const { contactId, identityId } = await em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    await em().nativeUpdate(Conversation, { id }, { assigneeId: holder.id, status: 'open' })
    await em().nativeUpdate(Contact, { id: contactId }, { nickname: '老客户' })
    for (const way of ['', '/conversations', '/activities', '/visits'])
      for (const person of [admin, holder]) assert.equal((await person.call('GET', `/api/contacts/${contactId}${way}`)).status, 200, way)
    for (const q of ['13812345678', '诸葛孔明', '老客户']) await admin.call('GET', `/api/conversations/jump?q=${encodeURIComponent(q)}`)
    await admin.call('POST', `/api/contacts/${contactId}/block`, { identityId })
    await admin.call('DELETE', `/api/contacts/${contactId}/block/${identityId}`)
    const blocked = await wait({ agentId: admin.id, event: 'contact.blocked', subjectId: contactId }, 2)
    assert.deepEqual(
      blocked.map((row) => JSON.parse(row.details).blocked),
      [true, false],
    )
    const [viewed, ...more] = await wait({ event: 'contact.viewed', subjectId: contactId })
    assert.deepEqual([viewed?.agentId, viewed?.subjectKind, more.length], [admin.id, 'contact', 0])
    const sought = await wait({ agentId: admin.id, event: 'contact.searched' }, 3)
    assert.deepEqual(
      sought.map((row) => [JSON.parse(row.details).words, row.count]),
      [
        ['138****5678', 0],
        ['诸***', 0],
        ['老**', 1],
      ],
    )
    // Somebody looked for as a record, and the reason of a reveal: the same.
    const filter = { contact: '13812345678', keyword: '回电 13812345678', fields: [{ name: 'remark', value: '13812345678' }] }
    await admin.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}&tz=UTC`)
    await admin.call('POST', `/api/contacts/${contactId}/reveal`, { field: 'phone', reason: '核对 13812345678' })
    const [revealed] = await wait({ agentId: admin.id, event: 'contact.revealed' })
    assert.equal(revealed?.reason, '核对 138****5678')
    assert.deepEqual([JSON.parse(revealed?.details ?? '').field, revealed?.subjectKind], ['phone', 'contact'])
    await wait({ agentId: admin.id, event: 'record.searched' })
    assert.equal((await entries({ agentId: admin.id })).filter((row) => `${row.details}${row.reason}`.includes('13812345678')).length, 0)
  })

  test('who may not see a field reads the log without it, on the page and in the table', async () => {
    const owner = await world().person('主', 'owner')
    const reader = await world().person('审', [{ permission: 'audit.read' }])
    const subjectId = newId()
    // As an older entry, or another plugin, may hold it.
    // An id in which a telephone number could be read is one all the same.
    const details = {
      filter: { contact: '诸葛孔明', keyword: '电话 13812345678' },
      name: '售后',
      deep: [{ said: 'zhang@example.com' }],
      id: '01kbc13812345679abcdefghjk',
    }
    await append(ctx(), deed({ subjectKind: 'shelf', subjectId, reason: '回电 13812345678', details }))
    const told = async (person: Person) => {
      const [item] = (await person.call('GET', `/api/x/audit/entries?subjectId=${subjectId}`)).body.items
      const csv = (await person.call('GET', `/api/x/audit/entries.csv?subjectId=${subjectId}`)).body as string
      for (const secret of ['13812345678', '孔明', 'zhang@']) assert.equal(csv.includes(secret), person === owner, secret)
      return [item.reason, item.details]
    }
    assert.deepEqual(await told(owner), ['回电 13812345678', details])
    const masked = {
      filter: { contact: '诸***', keyword: '电话 138****5678' },
      name: '售后',
      deep: [{ said: 'z****@example.com' }],
      id: '01kbc13812345679abcdefghjk',
    }
    assert.deepEqual(await told(reader), ['回电 138****5678', masked])
    assert.equal((await verify(ctx())).fault, null)
  })

  test('what a listener was given up on is an entry, once, and tells no end of others', async () => {
    const eventId = newId()
    events.add(eventId)
    const due = new Date(Date.now() - 1_000)
    const row = { eventId, listener: 'stubborn', name: 'record.viewed', data: { conversationId: newId() }, attempts: 9, dueAt: due, createdAt: due }
    await em().insert(Delivery, { ...row, id: newId(), doneBy: null, holder: null, error: '' } as never)
    await deliverEvents(world().hub, 'stubborn')
    const [told] = await wait({ event: 'event.givenUp', subjectId: 'stubborn' })
    assert.deepEqual([told?.subjectKind, JSON.parse(told?.details ?? '{}').event], ['plugin', 'record.viewed'])
    // Who cannot hear of that either.
    const second = newId()
    events.add(second)
    await em().insert(Delivery, { ...row, name: 'event.givenUp', eventId: second, id: newId(), doneBy: null, holder: null, error: '' } as never)
    await deliverEvents(world().hub, 'stubborn')
    assert.equal(await em().count(Delivery, { listener: 'stubborn', dueAt: null }), 2)
    await em().nativeDelete(Delivery, { listener: 'stubborn' })
    await still()
    assert.equal((await entries({ event: 'event.givenUp', subjectId: 'stubborn' })).length, 1)
  })

  test('signing in, failing to, signing out, inviting, giving a role, changing settings, helping a colleague', async () => {
    const admin = await world().person('管', 'owner')
    const email = `${newId()}@nobody.cn`
    await call(world().url, 'POST', '/api/login', { email, password: 'hunter2-hunter2' })
    const failed = await eventually(async () => (await entries({ event: 'agent.loginFailed' })).find((row) => row.details.includes(email)), 'the failure')
    assert.deepEqual([failed.agentId, failed.reason, failed.details.includes('hunter2')], [null, 'password', false])
    // Of an account there is: about it, not by it.
    await call(world().url, 'POST', '/api/login', { email: admin.agent.email, password: 'hunter2-hunter2' })
    const [guessed] = await wait({ event: 'agent.loginFailed', subjectId: admin.id })
    assert.deepEqual([guessed?.agentId, guessed?.subjectKind, guessed?.ip], [null, 'agent', '127.0.0.1'])

    const roles = (await admin.call('GET', '/api/roles')).body.items as { id: string; builtin: string }[]
    const [agentRole, supervisor] = ['agent', 'supervisor'].map((builtin) => roles.find((role) => role.builtin === builtin)?.id)
    const { agent } = (await admin.call('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '新人', roleIds: [agentRole] })).body
    await admin.call('PATCH', `/api/agents/${agent.id}`, { roleIds: [supervisor] })
    const [invited] = await wait({ event: 'agent.invited', subjectId: agent.id })
    assert.equal(invited?.agentId, admin.id)
    const [changed] = await wait({ event: 'agent.changed', subjectId: agent.id })
    const { rolesAdded, rolesRemoved } = JSON.parse(changed?.details ?? '{}')
    assert.deepEqual([rolesAdded, rolesRemoved], [[supervisor], [agentRole]])

    const role = (await admin.call('POST', '/api/roles', { name: '质检', grants: [{ permission: 'contact.tag' }] })).body
    await admin.call('PATCH', `/api/roles/${role.id}`, { grants: [] })
    await admin.call('DELETE', `/api/roles/${role.id}`)
    const told = await wait({ subjectKind: 'role', subjectId: role.id }, 3)
    assert.deepEqual(
      told.map((row) => [row.event, JSON.parse(row.details).added, JSON.parse(row.details).removed]),
      [
        ['role.created', ['contact.tag'], undefined],
        ['role.changed', [], ['contact.tag']],
        ['role.deleted', undefined, undefined],
      ],
    )

    // Where a reach ends belongs to it.
    const ends = [(await world().inbox('mock')).id, (await world().inbox('mock')).id].sort()
    const grant = { permission: 'conversation.read', scope: 'all' }
    const limited = (await admin.call('POST', '/api/roles', { name: '专线', grants: [{ ...grant, inboxIds: ends.toReversed() }] })).body
    await admin.call('PATCH', `/api/roles/${limited.id}`, { grants: [grant] })
    const [made, widened] = (await wait({ subjectKind: 'role', subjectId: limited.id }, 2)).map((row) => JSON.parse(row.details))
    const narrow = `conversation.read:all{${ends.join()}}`
    assert.deepEqual([made.added, widened.added, widened.removed], [[narrow], ['conversation.read:all'], [narrow]])

    const inbox = await world().inbox('mock')
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { name: '改过名' })
    const [setting] = await wait({ agentId: admin.id, event: 'settings.changed' })
    assert.deepEqual([setting?.subjectId, JSON.parse(setting?.details ?? '{}').fields], ['inbox', ['name']])

    const [first, helper] = [await world().person('甲', 'supervisor'), await world().person('乙', 'admin')]
    const id = await conversation(first)
    await helper.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '我来补充一句' }] })
    const [assisted] = await wait({ event: 'conversation.assisted', agentId: helper.id })
    assert.deepEqual([assisted?.subjectId, assisted?.details.includes('补充')], [id, false])
    // Whoever takes it from a colleague, or ends it for them, has an entry too; who ends their own has none.
    await helper.call('POST', `/api/conversations/${id}/transfer`, { agentId: helper.id })
    await helper.call('POST', `/api/conversations/${id}/close`)
    const others = await conversation(first)
    await em().nativeUpdate(Conversation, { id: others }, { assigneeId: first.id, status: 'open' })
    await helper.call('POST', `/api/conversations/${others}/close`)
    const deeds = (await wait({ event: 'conversation.assisted', agentId: helper.id }, 3)).map(({ subjectId, details }) => [subjectId, JSON.parse(details)])
    assert.deepEqual(
      deeds.map(([subjectId, { deed }]) => [subjectId, deed]),
      [
        [id, 'reply'],
        [id, 'transfer'],
        [others, 'close'],
      ],
    )

    await helper.call('POST', '/api/logout')
    await wait({ event: 'agent.loggedOut', agentId: helper.id })
  })

  test('a move says from where to where; a rename, also one’s own, what the name was, and the id stays beside it', async () => {
    const [admin, agent] = [await world().person('管', 'admin'), await world().person('旧名')]
    const make = async (name: string, parentId: string | null = null) => (await admin.call('POST', '/api/departments', { name, parentId })).body.id as string
    const [sales, service] = [await make(`销售-${newId()}`), await make(`客服-${newId()}`)]
    const names = new Map((await admin.call('GET', '/api/departments')).body.items.map((one: { id: string; name: string }) => [one.id, one.name]))
    const place = (id: string | null) => id && { id, name: names.get(id) }
    const details = async (where: object, count = 1) => JSON.parse((await wait(where, count)).at(-1)?.details ?? '{}')

    const of = { event: 'agent.changed', subjectId: agent.id }
    await admin.call('PATCH', `/api/agents/${agent.id}`, { departmentId: sales })
    assert.deepEqual((await details(of)).moved, { from: null, to: place(sales) })
    await admin.call('PATCH', `/api/agents/${agent.id}`, { departmentId: service, name: '新名' })
    const both = await details(of, 2)
    assert.deepEqual(
      [both.moved, both.renamed],
      [
        { from: place(sales), to: place(service) },
        { from: '旧名', to: '新名' },
      ],
    )
    await admin.call('PATCH', `/api/agents/${agent.id}`, { departmentId: service, name: '新名' })
    const same = await details(of, 3)
    assert.deepEqual([same.moved, same.renamed], [undefined, undefined])

    await agent.call('PATCH', '/api/me', { name: '又一名', locale: 'en' })
    await agent.call('PATCH', '/api/me', { name: '又一名' })
    const own = await wait(of, 4)
    assert.deepEqual([own[3]?.agentId, JSON.parse(own[3]?.details ?? '{}').renamed], [agent.id, { from: '新名', to: '又一名' }])
    const lines = ((await admin.call('GET', `/api/x/audit/entries.csv?agentId=${agent.id}&event=agent.changed`)).body as string).trim().split('\r\n')
    assert.deepEqual([lines.length, lines[1]?.includes(`,又一名,${agent.id},`)], [2, true])

    const below = await make(`售后-${newId()}`, sales)
    await admin.call('PATCH', `/api/departments/${below}`, { parentId: service })
    const moves = await eventually(
      async () => (await entries({ event: 'settings.changed', agentId: admin.id })).map((row) => JSON.parse(row.details)).find((one) => one.moved),
      'the move',
    )
    assert.deepEqual([moves.id, moves.moved], [below, { from: place(sales), to: place(service) }])
  })

  test('who may not read it: nothing of it, by any way', async () => {
    const id = newId()
    for (const person of [await world().person('客服'), await world().person('主管', 'supervisor')])
      for (const path of ['entries', `records/${id}/entries`, 'head', 'entries.csv'])
        assert.equal((await person.call('GET', `/api/x/audit/${path}`)).status, 403, path)
    assert.equal((await call(world().url, 'GET', '/api/x/audit/entries')).status, 401)
    const admin = await world().person('管', 'admin')
    for (const bad of ['cursor=x', 'agentId=1', 'from=yesterday', 'event=%25', 'limit=1000'])
      assert.equal((await admin.call('GET', `/api/x/audit/entries?${bad}`)).status, 400, bad)
  })

  test('filters and pages: each entry once, newest first', async () => {
    const admin = await world().person('管', 'admin')
    const agentId = newId()
    const at = new Date('2026-03-01T08:00:00Z')
    for (let i = 0; i < 7; i++) await append(ctx(), deed({ agentId, at, event: i % 2 ? 'shelf.put' : 'shelf.taken', ip: `10.0.0.${i}` }))
    const seen: number[] = []
    let cursor: string | null = ''
    do {
      const page: { items: { seq: number }[]; cursor: string | null } = (
        await admin.call('GET', `/api/x/audit/entries?agentId=${agentId}&limit=3${cursor ? `&cursor=${cursor}` : ''}`)
      ).body
      seen.push(...page.items.map(({ seq }) => seq))
      cursor = page.cursor
    } while (cursor)
    assert.equal(new Set(seen).size, 7)
    assert.deepEqual(
      seen,
      [...seen].sort((a, b) => b - a),
    )
    const count = async (query: string) => (await admin.call('GET', `/api/x/audit/entries?agentId=${agentId}&${query}`)).body.items.length
    assert.deepEqual(
      await Promise.all(['event=shelf.put', 'event=shelf', 'event=shel', 'ip=10.0.0.3', 'from=2026-03-02T00:00:00Z', 'to=2026-03-02T00:00:00Z'].map(count)),
      [3, 7, 0, 1, 0, 7],
    )
  })

  test('the table to take along is whole, neutral, and itself written down', async () => {
    const admin = await world().person('管', 'admin')
    const agentId = newId()
    await append(ctx(), deed({ agentId, reason: '=HYPERLINK("https://evil.example")', ip: '@SUM(1)' }))
    await append(ctx(), deed({ agentId, reason: '＝HYPERLINK("https://evil.example")', ip: '＠SUM(1)' }))
    const csv = (await admin.call('GET', `/api/x/audit/entries.csv?agentId=${agentId}&locale=en`)).body as string
    const lines = csv.trim().split('\r\n')
    assert.equal(lines.length, 3)
    assert.match(lines[1] ?? '', /'＠SUM\(1\),test\.done,.*"'＝HYPERLINK\(""https/)
    assert.match(lines[2] ?? '', /'@SUM\(1\),test\.done,.*"'=HYPERLINK\(""https/)
    const [told] = await wait({ event: 'audit.exported', agentId: admin.id })
    assert.equal(told?.ip, '127.0.0.1')
  })

  test('told twice it is one entry; many at once are one chain without a gap', async () => {
    const [before] = await em().find(Entry, {}, { orderBy: { seq: 'desc' }, limit: 1 })
    const twice = deed()
    await Promise.all([append(ctx(), twice), append(ctx(), twice), append(ctx(), twice)])
    await Promise.all(Array.from({ length: 20 }, () => append(ctx(), deed())))
    assert.equal((await entries({ eventId: twice.eventId })).length, 1)
    const since = await entries({ seq: { $gt: before?.seq ?? 0 } })
    assert.deepEqual(
      since.map(({ seq }) => seq),
      since.map((_, i) => (before?.seq ?? 0) + 1 + i),
    )
    assert.equal((await verify(ctx())).fault, null)
  })

  test('a second process on the same database appends to the same chain', { skip: profile === 'embedded' && 'one process only' }, async () => {
    const other = await startWorld(world().place, plugins)
    try {
      const theirs = other.hub.kernel.get('audit')?.ctx as unknown as Ctx
      const same = deed()
      await Promise.all([...Array.from({ length: 15 }, (_, i) => append(i % 2 ? theirs : ctx(), deed())), append(theirs, same), append(ctx(), same)])
      assert.equal((await entries({ eventId: same.eventId })).length, 1)
      assert.equal((await verify(ctx())).fault, null)
    } finally {
      await other.running.stop()
    }
  })

  /** Spoils the chain, looks, and puts back what was there. */
  async function spoiled(spoil: () => Promise<unknown>): Promise<{ what: string; seq: number } | null> {
    const [rows, marks] = [await entries({}), await em().find(Mark, {}, { disableIdentityMap: true })]
    try {
      await spoil()
      return (await verify(ctx())).fault
    } finally {
      await em().nativeDelete(Entry, {})
      await em().nativeDelete(Mark, {})
      await em().insertMany(
        Entry,
        rows.map((row) => ({ ...row })),
      )
      await em().insertMany(
        Mark,
        marks.map((mark) => ({ ...mark })),
      )
    }
  }
  /** Nothing of the hub is on its way into the log any more. */
  const still = () => eventually(async () => (await em().count(Delivery)) === 0, 'stillness')

  test('a changed, a missing, a swapped entry, a cut tail, a forged head: each is found, with its number', async () => {
    for (let i = 0; i < 6; i++) await append(ctx(), deed())
    await still()
    const head = await em().findOneOrFail(Mark, { name: 'head' }, { disableIdentityMap: true })
    const n = head.seq
    const all = await entries({ seq: { $gt: n - 4 } })
    const [a, b] = [all[0], all[1]]
    assert.ok(a && b)
    const write = (seq: number, patch: object) => em().nativeUpdate(Entry, { seq }, patch)
    assert.deepEqual(await spoiled(() => write(n - 2, { ip: '8.8.8.8' })).then(brief), ['changed', n - 2])
    assert.deepEqual(await spoiled(() => write(n - 2, { details: '{"a":1}' })).then(brief), ['changed', n - 2])
    assert.deepEqual(await spoiled(() => write(n - 1, { at: new Date(0) })).then(brief), ['changed', n - 1])
    assert.deepEqual(await spoiled(() => em().nativeDelete(Entry, { seq: n - 2 })).then(brief), ['missing', n - 2])
    assert.deepEqual(await spoiled(() => em().nativeDelete(Entry, { seq: { $gte: n - 1 } })).then(brief), ['cut', n - 1])
    const swap = async () => {
      await em().nativeDelete(Entry, { seq: { $in: [a.seq, b.seq] } })
      await em().insertMany(Entry, [
        { ...a, seq: b.seq },
        { ...b, seq: a.seq },
      ])
    }
    assert.deepEqual(await spoiled(swap).then(brief), ['changed', a.seq])
    // Cut, and the mark set back by somebody who has not the key.
    const setBack = async () => {
      await em().nativeDelete(Entry, { seq: n })
      await em().nativeUpdate(Mark, { name: 'head' }, { seq: n - 1, hash: all.at(-2)?.hash ?? '' })
    }
    assert.deepEqual(await spoiled(setBack).then(brief), ['head', n - 1])
    // Re-chained without the key: what follows is as good as the hash it follows.
    assert.deepEqual(await spoiled(() => write(n - 2, { ip: '8.8.8.8', hash: 'x'.repeat(43) })).then(brief), ['changed', n - 2])
    assert.equal((await verify(ctx())).fault, null)
    // Even the old mark with its own signature is found by a checkpoint that was kept elsewhere.
    assert.equal((await verify(ctx(), [{ seq: n, hash: head.hash }])).fault, null)
    assert.equal((await verify(ctx(), [{ seq: n + 1, hash: head.hash }])).fault?.what, 'cut')
    assert.equal((await verify(ctx(), [{ seq: n, hash: a.hash }])).fault?.what, 'checkpoint')
  })
  const brief = (fault: { what: string; seq: number } | null) => fault && [fault.what, fault.seq]

  test('what an entry says of records stands in their own logs: a place there that is taken away, or made up, is found', async () => {
    await still()
    const conversationIds = [newId(), newId()]
    const { seq: plain } = await append(ctx(), deed())
    const { seq } = await append(ctx(), deed({ details: { conversationIds }, conversationIds }))
    const about = await append(ctx(), deed({ subjectKind: 'record', subjectId: conversationIds[0] ?? '', conversationIds: conversationIds.slice(0, 1) }))
    const fault = async () => brief((await verify(ctx())).fault)
    assert.equal(await fault(), null)
    const places: { conversationId: string; seq: number }[] = [
      { conversationId: conversationIds[1] ?? '', seq },
      { conversationId: conversationIds[0] ?? '', seq: about.seq },
    ]
    for (const place of places) {
      await em().nativeDelete(RecordLink, place)
      assert.deepEqual(await fault(), ['records', place.seq])
      await em().insert(RecordLink, place)
    }
    await em().insert(RecordLink, { conversationId: newId(), seq: plain })
    assert.deepEqual(await fault(), ['records', plain])
    await em().nativeDelete(RecordLink, { seq: plain })
    assert.equal(await fault(), null)
  })

  test('the command says it, with its exit code', async () => {
    const lines: string[] = []
    const { hub } = world()
    const run = (...args: string[]) =>
      runCommand(hub.kernel.all(), ['audit', 'verify', ...args], { secret: hub.secret, log: silent, em: hub.em, print: (line) => void lines.push(line) })
    await still()
    assert.equal(await run(), 0)
    assert.match(lines.join('\n'), /entries, each as it was written[\s\S]*Checkpoint.*: \d+:[\w-]{43}/)
    assert.equal(await run('nonsense'), 2)
    const broken = await spoiled(async () => {
      await em().nativeUpdate(Entry, { seq: 2 }, { ip: 'x' })
      assert.equal(await run(), 1)
    })
    assert.equal(broken?.seq, 2)
    assert.match(lines.at(-1) ?? '', /BROKEN at entry 2 \(changed\)/)
  })

  test('a head that was lost is made anew, and the log says so', async () => {
    await still()
    const marks = await em().find(Mark, { name: 'head' }, { disableIdentityMap: true })
    await em().nativeDelete(Mark, { name: 'head' })
    const { seq } = await append(ctx(), deed())
    const [told] = await entries({ event: 'audit.headLost' })
    assert.deepEqual([told?.seq, seq], [(marks[0]?.seq ?? 0) + 1, (marks[0]?.seq ?? 0) + 2])
    // What was cut off with the head nobody can say: it stays a fault until somebody has looked and noted where the log stood.
    const { fault, head } = await verify(ctx())
    assert.deepEqual([fault?.what, fault?.seq], ['head', told?.seq])
    assert.equal(
      (
        await verify(
          ctx(),
          marks.map(({ seq, hash }) => ({ seq, hash })),
        )
      ).fault?.what,
      'head',
    )
    looked = head
    assert.equal((await verify(ctx(), [looked])).fault, null)
  })

  test('an entry that was planted behind the newest one is found', async () => {
    await still()
    const [newest] = await em().find(Entry, {}, { orderBy: { seq: 'desc' }, limit: 1, disableIdentityMap: true })
    const planted = { ...newest, seq: (newest?.seq ?? 0) + 1, eventId: newId() } as Entry
    await em().insert(Entry, planted)
    const { fault } = await verify(ctx(), looked ? [looked] : [])
    await em().nativeDelete(Entry, { seq: planted.seq })
    assert.deepEqual([fault?.what, fault?.seq], ['order', planted.seq])
  })

  test('a reason that ends in the middle of a character is kept as it can be stored', async () => {
    await still()
    const reason = `${'查'.repeat(199)}😀${String.fromCharCode(0xd83d)}`
    const told = deedOf({
      id: newId(),
      name: 'contact.revealed',
      at: new Date().toISOString(),
      data: { contactId: newId(), reason },
      by: { agentId: newId() },
    } as unknown as HubEvent)
    assert.ok(told)
    assert.equal(told.reason, `${'查'.repeat(199)}😀`)
    await append(ctx(), { ...told, reason: `${'查'.repeat(10)}${String.fromCharCode(0xd83d)}` })
    assert.equal((await verify(ctx(), looked ? [looked] : [])).fault, null)
  })

  test('what was revealed in a message stands in its record’s log, and the log verifies', async () => {
    await still()
    const [conversationId, contactId, messageId] = [newId(), newId(), newId()]
    const reveal = (data: object) =>
      deedOf({
        id: newId(),
        name: 'contact.revealed',
        at: new Date().toISOString(),
        data: { field: 'phone', reason: '核对', ...data },
        by: { agentId: newId() },
      } as never)
    const [inMessage, ofContact] = [reveal({ contactId, conversationId, messageId }), reveal({ contactId, conversationId: null, messageId: null })]
    assert.ok(inMessage && ofContact)
    const { seq } = await append(ctx(), inMessage)
    await append(ctx(), ofContact)
    assert.deepEqual([inMessage.subjectKind, inMessage.subjectId], ['contact', contactId])
    assert.equal(await em().count(RecordLink, { conversationId, seq }), 1)
    assert.equal((await verify(ctx(), looked ? [looked] : [])).fault, null)
    // Taken out of the record's log, it is missed there.
    const broken = await spoiled(async () => void (await em().nativeDelete(RecordLink, { seq })))
    assert.deepEqual([broken?.what, broken?.seq], ['records', seq])
    await em().insert(RecordLink, { conversationId, seq })
    // One of before did not say which record it was.
    const { conversationId: _left, ...details } = inMessage.details
    await append(ctx(), { ...inMessage, eventId: newId(), details })
    assert.equal((await verify(ctx(), looked ? [looked] : [])).fault, null)
  })

  const viewed = (agentId: string, at: Date) => ({
    id: newId(),
    name: 'record.viewed' as const,
    at: at.toISOString(),
    data: { conversationId: newId() },
    by: { agentId, tokenId: null, ip: '10.1.1.1' },
  })
  const bell = async (person: Person, words: string) =>
    (await person.call('GET', '/api/notices?limit=100')).body.items.filter((item: { title: { zh: string } }) => item.title.zh.includes(words))

  test('many records in a short time: one notice for a burst, another after a pause', async () => {
    const admin = await world().person('管', 'admin')
    const name = newId()
    const { id } = await world().person(name)
    const strict = set({ readRecords: 5, readMinutes: 10 })
    const start = Date.parse('2026-02-02T10:00:00Z')
    const look = async (minutes: number, times: number) => {
      for (let i = 0; i < times; i++) await listen(strict, viewed(id, new Date(start + minutes * 60_000 + i * 1_000)))
    }
    await look(0, 4)
    assert.equal((await bell(admin, name)).length, 0)
    await look(1, 6)
    const [notice] = await bell(admin, name)
    assert.deepEqual([(await bell(admin, name)).length, notice.level, notice.link], [1, 'problem', `/admin/x/audit/log?agentId=${id}`])
    assert.match(notice.title.zh, /在 10 分钟内查看了 5 条记录/)
    await look(60, 4)
    assert.equal((await bell(admin, name)).length, 1)
    await look(61, 3)
    assert.equal((await bell(admin, name)).length, 2)
    assert.equal((await entries({ event: 'audit.unusual', agentId: id })).length, 2)
    // Slowly, and never: nothing.
    const quiet = await world().person(newId())
    for (let i = 0; i < 8; i++) await listen(strict, viewed(quiet.id, new Date(start + i * 3 * 60_000)))
    assert.equal((await entries({ event: 'audit.unusual', agentId: quiet.id })).length, 0)
    await listen(set({ readRecords: 0 }), viewed(quiet.id, new Date(start + 25 * 60_000)))
    assert.equal((await entries({ event: 'audit.unusual', agentId: quiet.id })).length, 0)
  })

  test('files of many records and hidden details of many people are noticed, each record and each person once', async () => {
    const admin = await world().person('管', 'admin')
    const name = newId()
    const { id } = await world().person(name)
    const strict = set({ readRecords: 5, revealedContacts: 3, readMinutes: 10 })
    const start = Date.parse('2026-02-04T10:00:00Z')
    let seconds = 0
    const done = (event: string, data: object, by = id, with_ = strict) =>
      listen(with_, { ...viewed(by, new Date(start + ++seconds * 1_000)), name: event, data } as never)
    const titles = async () => (await bell(admin, name)).map((item: { title: { zh: string } }) => item.title.zh)
    const takes = (conversationId: string) => done('file.downloaded', { conversationId, fileIds: [newId()] })
    const reveals = (contactId: string, field: string) => done('contact.revealed', { contactId, field, conversationId: null, messageId: null, reason: '核对' })
    // One long record, and everything of one customer: ordinary work.
    const [record, customer] = [newId(), newId()]
    for (let i = 0; i < 8; i++) await takes(record)
    for (const field of ['phone', 'email', 'wechat', 'name']) await reveals(customer, field)
    assert.deepEqual(await titles(), [])
    for (let i = 0; i < 6; i++) await takes(newId())
    assert.deepEqual(await titles(), [`${name} 在 10 分钟内打开或下载了 5 条记录的文件`])
    for (let i = 0; i < 4; i++) await reveals(newId(), 'phone')
    assert.deepEqual((await titles()).sort(), [`${name} 在 10 分钟内打开或下载了 5 条记录的文件`, `${name} 在 10 分钟内查看了 3 位客户的隐藏信息`].sort())
    // Slowly, or where nobody wants to know: nothing.
    const quiet = await world().person(newId())
    for (let i = 0; i < 6; i++) {
      seconds += 200
      await done('file.downloaded', { conversationId: newId(), fileIds: [] }, quiet.id)
      await done('contact.revealed', { contactId: newId(), field: 'phone', reason: '核对' }, quiet.id, set({ revealedContacts: 0 }))
    }
    assert.equal((await entries({ event: 'audit.unusual', agentId: quiet.id })).length, 0)
    // Outside working hours one is enough.
    const night = set({ readRecords: 0, revealedContacts: 0, outsideHours: true, hoursFrom: '20:00', hoursTo: '22:00', timeZone: 'UTC' })
    for (const event of ['file.downloaded', 'contact.revealed']) {
      const late = await world().person(newId())
      await done(event, { conversationId: newId(), contactId: newId(), fileIds: [] }, late.id, night)
      assert.equal((await entries({ event: 'audit.unusual', agentId: late.id })).length, 1, event)
    }
  })

  test('one zip of many records is noticed', async () => {
    const admin = await world().person('管', 'admin')
    const owner = await world().person('主', 'owner')
    const name = newId()
    const taker = await world().person(name, 'admin')
    const kept = { ...ctx().settings }
    assert.equal((await owner.call('PUT', '/api/plugins/audit/settings', { ...kept, readRecords: 3 })).status, 200)
    const inbox = await world().inbox('mock')
    for (let i = 0; i < 4; i++) {
      const id = (await world().say(inbox, newId(), '见附件'))[0]?.conversationId as string
      await em().nativeUpdate(Conversation, { id }, { assigneeId: owner.id, status: 'open' })
      const file = await storeFile(world().hub, { name: `合同${i}.txt`, bytes: Buffer.from(`x${i}`), uploadedBy: owner.id })
      await world().reply(owner, id, '', { parts: [partOf(file)] })
    }
    const filter = encodeURIComponent(JSON.stringify({ inboxIds: [inbox.id], status: ['open'] }))
    const zip = await fetch(new URL(`/api/records/attachments.zip?filter=${filter}`, world().url), { headers: { cookie: taker.cookie } })
    assert.equal(zip.status, 200)
    await zip.arrayBuffer()
    await eventually(async () => (await bell(admin, `${name} 在 ${kept.readMinutes} 分钟内打开或下载了 3 条记录的文件`)).length === 1, 'the notice')
    assert.equal((await owner.call('PUT', '/api/plugins/audit/settings', kept)).status, 200)
  })

  test('a time zone that there is not is refused at its field', async () => {
    const owner = await world().person('主', 'owner')
    const { status, body } = await owner.call('PUT', '/api/plugins/audit/settings', { ...ctx().settings, timeZone: 'Asia/Shangai' })
    assert.deepEqual(
      [status, body.code, body.details.faults[0].path.split('/').at(-1), body.details.faults[0].rule],
      [422, 'HUB_SETTINGS_INVALID', 'timeZone', 'time-zone'],
    )
    for (const timeZone of ['Asia/Shanghai', 'America/Argentina/Buenos_Aires', 'UTC'])
      assert.deepEqual(checkForm(settings, { ...ctx().settings, timeZone }), [])
    assert.deepEqual(
      checkForm(settings, { ...ctx().settings, timeZone: 'Asia/Shangai' }).map(({ path, rule }) => `${path} ${rule}`),
      ['/timeZone time-zone'],
    )
  })

  test('long lists: every further page counts, the beginning of the same list once; one notice for a burst', async () => {
    const admin = await world().person('管', 'admin')
    const name = newId()
    const { id } = await world().person(name)
    const strict = set({ listedRecords: 130, readMinutes: 10 })
    const start = Date.parse('2026-02-03T10:00:00Z')
    const page = (seconds: number, event: string, data: object) =>
      listen(strict, { ...viewed(id, new Date(start + seconds * 1_000)), name: event, data } as never)
    // Ordinary work: the same beginnings again and again, and what was only counted.
    for (let i = 0; i < 6; i++) {
      await page(i * 10, 'conversation.listed', { group: 'open', shown: 50 })
      await page(i * 10 + 1, 'record.searched', { filter: {}, shown: 0, counted: 4_000 + i })
    }
    await page(70, 'visitor.listed', { list: 'talked', shown: 50 })
    assert.equal((await bell(admin, name)).length, 0)
    await page(80, 'record.searched', { filter: {}, shown: 20, further: true })
    assert.equal((await bell(admin, name)).length, 0)
    await page(81, 'record.searched', { filter: {}, shown: 20, further: true })
    await page(82, 'record.searched', { filter: {}, shown: 20, further: true })
    const told = await bell(admin, name)
    assert.deepEqual([told.length, told[0].title.zh], [1, `${name} 在 10 分钟内从列表里看了 140 条记录`])
    await listen(set({ listedRecords: 0 }), {
      ...viewed(id, new Date(start + 3_600_000)),
      name: 'conversation.listed',
      data: { group: 'changes', since: '', shown: 900 },
    } as never)
    assert.equal((await entries({ event: 'audit.unusual', agentId: id })).length, 1)
  })

  test('outside working hours, by the wall clock of the zone; a large export', async () => {
    const hours = { hoursFrom: '08:00', hoursTo: '21:00', timeZone: 'Asia/Shanghai' } as Ctx['settings']
    const outside = (time: string, more = {}) => isOutside({ ...hours, ...more }, new Date(`2026-02-02T${time}:00Z`))
    assert.deepEqual(
      ['00:00', '12:59', '13:00', '23:59'].map((time) => outside(time)),
      [false, false, true, true],
    )
    const night = { hoursFrom: '20:00', hoursTo: '04:00' }
    assert.deepEqual(
      ['12:00', '19:59', '20:00', '05:00'].map((time) => outside(time, night)),
      [false, false, true, true],
    )
    assert.equal(timeIn('Nowhere/Land', new Date('2026-02-02T10:00:00Z')), '10:00')

    const admin = await world().person('管', 'admin')
    const name = newId()
    const { id } = await world().person(name)
    const strict = set({ ...hours, outsideHours: true, readRecords: 0, exportRows: 100 })
    const at = new Date('2026-02-02T15:00:00Z')
    await listen(strict, viewed(id, at))
    await listen(strict, viewed(id, at))
    assert.deepEqual(
      (await bell(admin, name)).map((item: { title: { zh: string } }) => item.title.zh),
      [`${name} 在工作时间以外（23:00）查看或取走了记录`],
    )
    const exported = { id: newId(), name: 'export.ready', at: at.toISOString(), data: { rows: 101, left: 101, byAgentId: id }, by: null }
    await listen(strict, exported as never)
    await listen(strict, exported as never)
    assert.equal((await bell(admin, `${name} 一次导出了 101 行`)).length, 1)
    // What only speaks of exports is none, whatever it is called.
    for (const event of ['export.failed', 'exporter.counted', 'loyalty.exported'])
      await listen(strict, { ...exported, id: newId(), name: event, data: { rows: 9_000, count: 9_000, byAgentId: id } } as never)
    assert.equal((await bell(admin, '一次导出了 9000 行')).length, 0)
    // A plugin's own event, told by a job: its agent is in its data, and it names its records.
    const [row] = await entries({ eventId: exported.id })
    assert.deepEqual([row?.agentId, row?.count], [id, 101])
  })

  test('the table to take along says how many lines it has, and counts as an export', async () => {
    const admin = await world().person('管', 'admin')
    const agentId = newId()
    for (let i = 0; i < 3; i++) await append(ctx(), deed({ agentId }))
    await admin.call('GET', `/api/x/audit/entries.csv?agentId=${agentId}`)
    const [told] = await wait({ event: 'audit.exported', agentId: admin.id })
    assert.equal(told?.count, 3)
    const name = newId()
    const { id } = await world().person(name)
    const exported = {
      id: newId(),
      name: 'audit.exported',
      at: new Date().toISOString(),
      data: { filter: {}, rows: 3, left: 3 },
      by: { agentId: id, tokenId: null, ip: '' },
    }
    await listen(set({ exportRows: 2 }), exported as unknown as HubEvent)
    assert.match((await bell(admin, name))[0].title.zh, /一次导出了 3 行/)
  })

  test('who weighs up a merge has looked at both', async () => {
    const admin = await world().person('管', 'admin')
    const contacts: string[] = []
    for (const id of [await conversation(), await conversation()])
      contacts.push((await em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })).contactId)
    const [into = '', from = ''] = contacts
    assert.equal((await admin.call('GET', `/api/contacts/${into}/merge?otherId=${from}`)).status, 200)
    for (const subjectId of contacts) await wait({ event: 'contact.viewed', agentId: admin.id, subjectId })
    // Offered with what speaks for it: shown, too.
    const other = await world().person('另一位', 'admin')
    await em().insert(MergeSuggestion, {
      id: newId(),
      contactId: into,
      otherId: from,
      evidence: [],
      state: 'open',
      createdAt: new Date(),
    } as unknown as MergeSuggestion)
    assert.equal((await other.call('GET', `/api/contacts/${into}/suggestions`)).body.items.length, 1)
    await wait({ event: 'contact.viewed', agentId: other.id, subjectId: from })
  })

  test('what retention takes of a record stands in its own log', async () => {
    const id = newId()
    const stripped = { id: newId(), name: 'record.stripped', at: new Date().toISOString(), data: { conversationId: id, count: 2 }, by: null }
    await listen(ctx(), stripped as HubEvent)
    const [entry] = await wait({ event: 'record.stripped', subjectId: id })
    assert.deepEqual([entry?.count, entry?.agentId, await em().count(RecordLink, { conversationId: id })], [2, null, 1])
  })

  test('what a plugin tells of many records stands in the log of each', async () => {
    const admin = await world().person('管', 'admin')
    const ids = [newId(), newId()]
    await listen(ctx(), {
      id: newId(),
      name: 'export.ready',
      at: new Date().toISOString(),
      data: { conversationIds: ids, byAgentId: admin.id },
      by: null,
    } as never)
    for (const id of ids)
      assert.deepEqual(
        (await admin.call('GET', `/api/x/audit/records/${id}/entries`)).body.items.map((item: { event: string }) => item.event),
        ['export.ready'],
      )
  })

  test('what customers and the hub itself do is not in it, nor what was said', async () => {
    await still()
    const messages = await entries({ event: { $in: ['message.received', 'message.sent', 'conversation.opened'] } })
    assert.equal(messages.length, 0)
    assert.equal((await entries({ details: { $like: '%退货%' } })).length, 0)
  })

  test('switched off: no page, no listening; on again, the log says from when to when', async () => {
    const admin = await world().person('管', 'admin')
    await still()
    assert.equal((await admin.call('POST', '/api/plugins/audit/switch', { enabled: false })).status, 200)
    const [off] = (await entries({ event: 'plugin.switched', subjectId: 'audit' })).slice(-1)
    assert.deepEqual([off?.agentId, JSON.parse(off?.details ?? '{}').enabled], [admin.id, false])
    assert.equal((await admin.call('GET', '/api/x/audit/entries')).status, 404)
    assert.ok(!(await admin.call('GET', '/api/me')).body.plugins.some((plugin: { id: string }) => plugin.id === 'audit'))
    const id = await conversation()
    await admin.call('GET', `/api/records/${id}`)
    await admin.call('POST', '/api/plugins/audit/switch', { enabled: true })
    const [gap] = (await wait({ event: 'audit.gap' })).slice(-1)
    assert.deepEqual([JSON.parse(gap?.details ?? '{}').from, JSON.parse(gap?.details ?? '{}').switchedOff], [off?.at.toISOString(), true])
    assert.equal((await admin.call('GET', `/api/x/audit/records/${id}/entries`)).body.items.length, 0)
    assert.equal((await verify(ctx(), looked ? [looked] : [])).fault, null)
  })

  test('a hub that was down leaves one gap, however many processes start', async () => {
    const before = (await entries({ event: 'audit.gap' })).length
    const night = new Date(Date.now() - 8 * 3_600_000)
    await markAlive(ctx(), night)
    await Promise.all([tellSilence(ctx(), new Date()), tellSilence(ctx(), new Date())])
    await tellSilence(ctx(), new Date())
    const gaps = await entries({ event: 'audit.gap' })
    assert.equal(gaps.length, before + 1)
    assert.equal(JSON.parse(gaps.at(-1)?.details ?? '{}').from, night.toISOString())
  })

  test('what is too old goes from the beginning; what stays is verified from there', async () => {
    await still()
    const days = (count: number) => new Date(Date.now() + count * 86_400_000)
    assert.equal(await prune(ctx(), new Date()), 0)
    // The audited cannot shorten it to a day, nor at once: who may read the log has two weeks to notice.
    const admin = await world().person('管', 'admin')
    const short = set({ keepDays: 1 })
    assert.equal(await prune(short, days(200)), 0)
    assert.equal(await prune(short, days(213)), 0)
    assert.equal((await bell(admin, '审计日志将只保留 180 天')).length, 1)
    const [announced] = await entries({ event: 'audit.keepShortened' })
    assert.deepEqual(JSON.parse(announced?.details ?? '{}').days, 180)
    // Changed back meanwhile, the time begins anew.
    assert.equal(await prune(ctx(), days(213)), 0)
    assert.equal(await prune(short, days(214)), 0)
    assert.equal(await prune(short, days(227)), 0)
    // A mark that nobody signed shortens nothing.
    await em().nativeUpdate(Mark, { name: 'keep' }, { seq: 1, hash: '' })
    assert.equal(await prune(short, days(300)), 0)
    const announcements = await entries({ event: 'audit.keepShortened' })
    assert.equal(announcements.length, 3)
    const total = (await entries({})).length
    const gone = await prune(short, days(315))
    assert.equal(gone, total - 3)
    const { fault, entries: left } = await verify(ctx(), looked ? [looked] : [])
    assert.deepEqual([fault, left, (await entries({ event: 'audit.pruned' }))[0]?.count], [null, 4, gone])
    assert.equal(await em().count(RecordLink, { seq: { $lte: gone } }), 0)
    // A mark of what was pruned that nobody signed hides nothing.
    assert.deepEqual(await spoiled(() => em().nativeUpdate(Mark, { name: 'anchor' }, { seq: gone + 1 })).then(brief), ['anchor', gone + 1])
  })
})
