/** One record: what is shown of it and what may be written on it, by whom; what a person keeps for themselves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import type { HubEvent } from '../../core/sdk/events.ts'
import type { Fault } from '../../core/sdk/faults.ts'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { whoDoes } from '../../core/src/access/doing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { changeConversation } from '../../core/src/domain/conversation/change.ts'
import { Conversation, ConversationTag } from '../../core/src/domain/conversation/conversation.entity.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { startOfPeriod } from '../../core/src/domain/record/find/period.ts'
import { purgeDue } from '../../core/src/domain/record/purge.ts'
import { RecordBatch } from '../../core/src/domain/record/record.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { ContactTag } from '../../core/src/domain/tag/tag.entity.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const windowed = mockChannel('window', { replyWindow: true })
const heard: HubEvent[] = []
const watcher: PluginManifest = { id: 'watcher', version: '1.0.0', label: { zh: '旁听', en: 'Watcher' }, on: { '*': (event) => void heard.push(event) } }

async function talk(world: World, agent: Person, texts: string[]) {
  const inbox = await world.inbox('mock')
  const who = newId()
  let id = ''
  for (const text of texts) id = (await world.say(inbox, who, text))[0]?.conversationId ?? ''
  await world.hub.em().execute('update conversation set assignee_id = ?, status = ? where id = ?', [agent.id, 'open', id])
  return id
}

await onEveryProfile('records', [found(manifest), found(windowed.manifest), found(watcher)], (world) => {
  test('the head carries what was written on it, and looking at it is told with who and from where', async () => {
    const agent = await world().person('小林')
    const admin = await world().person('管理', 'admin')
    const id = await talk(world(), agent, ['你好', '见 https://example.cn/a'])
    await world().reply(agent, id, '您好')
    const category = (await admin.call('POST', '/api/categories', { name: `售后-${newId()}` })).body
    const tag = (await agent.call('POST', '/api/tags', { name: newId() })).body
    assert.equal((await agent.call('PUT', `/api/records/${id}/category`, { categoryId: category.id })).status, 200)
    assert.equal((await agent.call('PUT', `/api/records/${id}/tags/${tag.id}`)).status, 200)
    assert.equal((await agent.call('PUT', `/api/records/${id}/tags/${tag.id}`)).status, 200, 'again changes nothing')
    assert.equal((await agent.call('PUT', `/api/records/${id}/summary`, { answers: { resolved: true, other: 'x' } })).status, 200)

    const { status, body } = await agent.call('GET', `/api/records/${id}`)
    assert.equal(status, 200)
    assert.equal(body.categoryId, category.id)
    assert.deepEqual(body.tagIds, [tag.id])
    assert.deepEqual(body.summary.answers, { resolved: true })
    assert.deepEqual(body.attachments, ['link'])
    assert.ok(body.firstReplyAt)
    const viewed = await eventually(() =>
      heard.find((event) => event.name === 'record.viewed' && (event.data as { conversationId: string }).conversationId === id),
    )
    assert.deepEqual({ agentId: viewed.by?.agentId, ip: viewed.by?.ip }, { agentId: agent.id, ip: '127.0.0.1' })
    // What a body was read for is known, too.
    const told = await eventually(() =>
      heard.find((event) => event.name === 'record.summarised' && (event.data as { conversationId: string }).conversationId === id),
    )
    assert.equal(told.by?.agentId, agent.id)
    const received = await eventually(() => heard.find((event) => event.name === 'message.received'))
    assert.equal(received.by, null)
  })

  test('what one may not see is not there; what one may only see cannot be written on', async () => {
    const [agent, other] = [await world().person('甲'), await world().person('乙')]
    const id = await talk(world(), agent, ['你好'])
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['GET', '/attachments', undefined],
      ['PUT', '/category', { categoryId: null }],
      ['PUT', '/summary', { answers: { resolved: true } }],
      ['PUT', `/tags/${newId()}`, undefined],
    ] as const)
      assert.equal((await other.call(method, `/api/records/${id}${path}`, body)).status, 404, path)
    assert.equal((await other.call('POST', '/api/categories', { name: 'x' })).status, 403)
    assert.equal((await other.call('PUT', '/api/summary-form', { fields: [] })).status, 403)

    const reader = await world().person('只读', [{ permission: 'conversation.read', scope: 'all' }])
    assert.equal((await reader.call('GET', `/api/records/${id}`)).status, 200)
    assert.equal((await reader.call('PUT', `/api/records/${id}/category`, { categoryId: null })).status, 403)
    assert.equal((await reader.call('PUT', `/api/records/${id}/summary`, { answers: { resolved: true } })).status, 403)
  })

  test('the wall shows links of the words and files, newest first', async () => {
    const agent = await world().person('小李')
    const id = await talk(world(), agent, ['一 https://a.cn/1', '没有', '二 https://a.cn/2,还有 http://b.cn'])
    const { body } = await agent.call('GET', `/api/records/${id}/attachments`)
    assert.deepEqual(
      body.items.map((item: { url: string }) => item.url),
      ['https://a.cn/2', 'http://b.cn', 'https://a.cn/1'],
    )
    assert.equal(body.before, null)
  })

  test('what was sent in all that is found: shown record by record, taken along as one zip, within what one may see', async () => {
    const [agent, other] = [await world().person('小吴'), await world().person('小郑')]
    const word = newId().slice(-8)
    const make = async (who: Person, name: string) => {
      const id = await talk(world(), who, [`单号 ${word}`, '见 https://a.cn/'])
      const file = await storeFile(world().hub, { name: `${name}.txt`, bytes: Buffer.from(name), uploadedBy: who.id })
      assert.equal((await world().reply(who, id, '给您', { parts: [partOf(file)] })).status, 201)
      return { id, fileId: file.id }
    }
    const [first, second, foreign] = [await make(agent, '一'), await make(agent, '二'), await make(other, '外')]
    const empty = await talk(world(), agent, [`单号 ${word}，没有附件`])
    const filter = (more: object = {}) => `filter=${encodeURIComponent(JSON.stringify({ keyword: word, ...more }))}`
    const wall = await agent.call('GET', `/api/records/attachments?${filter()}`)
    assert.deepEqual(new Set(wall.body.records.map(({ id }: { id: string }) => id)), new Set([first.id, second.id]))
    const [one] = wall.body.records.filter(({ id }: { id: string }) => id === first.id)
    assert.deepEqual(
      one.items.map((item: { name: string }) => item.name),
      ['一.txt', 'https://a.cn/'],
    )
    const links = await agent.call('GET', `/api/records/attachments?${filter({ attachments: ['link'] })}`)
    assert.ok(
      links.body.records.length === 2 && links.body.records.every(({ items }: { items: { kind: string }[] }) => items.every(({ kind }) => kind === 'link')),
    )
    const page = await agent.call('GET', `/api/records/attachments?${filter()}&limit=1`)
    const next = await agent.call('GET', `/api/records/attachments?${filter()}&limit=1&cursor=${encodeURIComponent(page.body.cursor)}`)
    assert.notEqual(page.body.records[0].id, next.body.records[0].id)

    const take = (who: Person, query: string) => fetch(new URL(`/api/records/attachments.zip?${query}`, world().url), { headers: { cookie: who.cookie } })
    const names = async (answer: Response) => {
      assert.equal(answer.status, 200)
      const entries = await new ZipReader(new Uint8ArrayReader(new Uint8Array(await answer.arrayBuffer()))).getEntries()
      return entries.map((entry) => entry.filename.split('/').at(-1)).sort()
    }
    heard.length = 0
    assert.deepEqual(await names(await take(agent, filter())), ['一.txt', '二.txt'])
    await eventually(() => {
      const told = heard.filter(({ name }) => name === 'file.downloaded').map(({ data }) => (data as { conversationId: string }).conversationId)
      return told.includes(first.id) && told.includes(second.id) && !told.includes(foreign.id)
    })
    assert.deepEqual(await names(await take(agent, `ids=${second.id},${foreign.id}`)), ['二.txt'])
    assert.deepEqual(await names(await take(other, filter())), ['外.txt'])
    assert.equal((await take(agent, `ids=${foreign.id},x`)).status, 400)
    assert.equal((await take(agent, filter({ attachments: ['voice'] }))).status, 404)
    assert.equal((await take(agent, `ids=${empty}`)).status, 404)

    const reader = await world().person('只读', [{ permission: 'conversation.read', scope: 'all' }])
    assert.equal((await take(reader, filter())).status, 403)
    assert.equal((await reader.call('GET', `/api/records/attachments?${filter()}`)).body.records.length, 3)
  })

  /** A record that has ended, of an agent with no other conversation of this customer. */
  async function ended(agent: Person, channel = 'mock') {
    const inbox = await world().inbox(channel)
    const who = newId()
    const [said] = await world().say(inbox, who, '你好')
    const id = said?.conversationId as string
    await world().hub.em().execute('update conversation set assignee_id = ?, status = ? where id = ?', [agent.id, 'open', id])
    assert.equal((await agent.call('POST', `/api/conversations/${id}/close`)).status, 200)
    const { identityId, contactId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const ofCustomer = () =>
      world()
        .hub.em()
        .find(Conversation, { identityId }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
    const again = (person = agent) => person.call('POST', `/api/records/${id}/reply-in-new`)
    return { id, inbox, who, identityId, contactId, ofCustomer, again }
  }

  test('from a record that has ended a new conversation begins, once however often it is asked for', async () => {
    const agent = await world().person('小何')
    const { id, inbox, who, ofCustomer, again } = await ended(agent)
    assert.equal((await world().reply(agent, id, '还有一件事')).status, 409)
    const answers = await Promise.all([again(), again(), again()])
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.conversationId === answers[0]?.body.conversationId]),
      [1, 2, 3].map(() => [200, true]),
    )
    const { conversationId } = answers[0]?.body ?? {}
    const [old, fresh, ...more] = await ofCustomer()
    assert.deepEqual([old?.id, old?.status, fresh?.id, fresh?.status, fresh?.assigneeId, more.length], [id, 'closed', conversationId, 'open', agent.id, 0])
    const { body } = await agent.call('GET', `/api/conversations/${conversationId}/messages`)
    assert.deepEqual(
      body.items.map((message: { direction: string; parts: { name: string }[] }) => [message.direction, message.parts[0]?.name]),
      [['system', 'conversation.begun']],
    )
    assert.equal((await world().reply(agent, conversationId, '您上次问的货到了')).status, 201)
    // The customer's answer goes there, and one who asks again is led there.
    const [said] = await world().say(inbox, who, '好的')
    assert.deepEqual([said?.conversationId, (await again()).body.conversationId], [conversationId, conversationId])
    const row = await world().hub.em().findOneOrFail(Agent, { id: agent.id }, { disableIdentityMap: true })
    assert.equal(row.openCount, 1)
  })

  test('the customer writes at the same moment: one conversation, with their words in it', async () => {
    for (let i = 0; i < 5; i++) {
      const agent = await world().person('小吕', 'admin')
      const { inbox, who, ofCustomer, again } = await ended(agent)
      const [answer, said] = await Promise.all([again(), world().say(inbox, who, '在吗'), again()])
      assert.equal(answer.status, 200)
      assert.deepEqual([(await ofCustomer()).length, said[0]?.conversationId], [2, answer.body.conversationId])
    }
  })

  test('not begun: by who may only read, with a colleague’s customer, a blocked one, outside the window, where the channel is off', async () => {
    const [agent, admin, colleague] = [await world().person('小施'), await world().person('管理', 'admin'), await world().person('同事')]
    const { id, inbox, who, contactId, identityId, ofCustomer, again } = await ended(agent)
    assert.equal((await again(colleague)).status, 404)
    const reader = await world().person('只读', [{ permission: 'conversation.read', scope: 'all' }])
    assert.equal((await again(reader)).status, 403)

    await admin.call('POST', `/api/contacts/${contactId}/block`, { identityId })
    assert.deepEqual([(await again()).status, (await again()).body.code], [403, 'HUB_IDENTITY_BLOCKED'])
    await admin.call('DELETE', `/api/contacts/${contactId}/block/${identityId}`)
    await world().whileOff('mock', async () => assert.equal((await again()).body.code, 'HUB_CHANNEL_DISABLED'))
    assert.equal((await ofCustomer()).length, 1)

    const [said] = await world().say(inbox, who, '又来了')
    await world()
      .hub.em()
      .nativeUpdate(Conversation, { id: said?.conversationId as string }, { assigneeId: colleague.id, status: 'open' })
    const refused = await again()
    assert.deepEqual([refused.status, refused.body.code, refused.body.details.reason], [409, 'HUB_CONFLICT', 'elsewhere'])
    await admin.call('POST', `/api/conversations/${said?.conversationId}/close`)
    await agent.call('POST', `/api/records/${id}/delete`)
    assert.equal((await again()).status, 404)

    const shut = await ended(agent, 'window')
    const { status, body } = await shut.again()
    assert.deepEqual([status, body.code, body.details.reason, (await shut.ofCustomer()).length], [409, 'HUB_REPLY_WINDOW', 'time', 1])
    const grants = [{ name: 'message', until: Date.now() + 3_600_000, left: 2 }]
    await world().hub.em().nativeUpdate(Identity, { id: shut.identityId }, { grants })
    const begun = (await shut.again()).body.conversationId
    assert.equal((await world().reply(agent, begun, '在窗口内')).status, 201)
    assert.equal((await agent.call('GET', `/api/conversations/${begun}`)).body.replyLeft, 1)
  })

  test('the summary is held to its form, which an admin designs', async () => {
    const agent = await world().person('小周')
    const admin = await world().person('管理', 'admin')
    const id = await talk(world(), agent, ['你好'])
    // Until then it speaks the language of who reads it.
    const labels = async (asked = '') => (await agent.call('GET', `/api/summary-form${asked}`)).body.fields.map(({ label }: { label: string }) => label)
    assert.deepEqual(
      [await labels(), await labels('?locale=en')],
      [
        ['是否解决', '处理说明'],
        ['Solved', 'What was done'],
      ],
    )
    await agent.call('PATCH', '/api/me', { locale: 'en' })
    assert.deepEqual(await labels(), ['Solved', 'What was done'])
    const fields = [
      { id: 'resolved', label: '是否解决', kind: 'yesNo', required: true },
      { id: 'kind', label: '业务类型', kind: 'choice', options: ['退款', '换货'] },
    ]
    assert.equal((await admin.call('PUT', '/api/summary-form', { fields: [...fields, fields[0]] })).status, 400)
    const twice = await admin.call('PUT', '/api/summary-form', { fields: [...fields, { id: 'other', label: ' 业务类型', kind: 'text' }] })
    assert.deepEqual([twice.status, twice.body.details.faults.map(({ path, rule }: Fault) => [path, rule])], [400, [['body/fields/2/label', 'unique']]])
    assert.equal((await admin.call('PUT', '/api/summary-form', { fields: [{ id: 'k', label: '空', kind: 'choice' }] })).status, 400)
    assert.equal((await admin.call('PUT', '/api/summary-form', { fields })).status, 200)
    assert.deepEqual(await labels('?locale=en'), ['是否解决', '业务类型'])
    const missing = await agent.call('PUT', `/api/records/${id}/summary`, { answers: {} })
    assert.equal(missing.status, 400)
    assert.equal(missing.body.details.faults[0].path, 'body/answers/resolved')
    assert.equal((await agent.call('PUT', `/api/records/${id}/summary`, { answers: { resolved: true, kind: '别的' } })).status, 400)
    assert.equal((await agent.call('PUT', `/api/records/${id}/summary`, { answers: { resolved: false, kind: '退款' } })).status, 200)
  })

  test('an answer outlives its field: a form that asks for less takes nothing from what was written', async () => {
    const [admin, agent] = [await world().person('管理', 'admin'), await world().person('小韩')]
    const id = await talk(world(), agent, ['你好'])
    const resolved = { id: 'resolved', label: '是否解决', kind: 'yesNo', required: true }
    const note = { id: 'note', label: '处理说明', kind: 'longText' }
    const design = async (...fields: object[]) => assert.equal((await admin.call('PUT', '/api/summary-form', { fields })).status, 200)
    const write = async (answers: object) => (await agent.call('PUT', `/api/records/${id}/summary`, { answers })).body.answers
    await design(resolved, note)
    const before = { resolved: true, note: '已补发，单号 SF123' }
    assert.deepEqual(await write(before), before)
    await design(resolved)
    assert.deepEqual(await write({ ...before, resolved: false }), { ...before, resolved: false })
    // Nobody writes into a field that is not asked for.
    assert.deepEqual(await write({ resolved: false, note: '别的' }), { ...before, resolved: false })
    assert.deepEqual((await agent.call('GET', `/api/records/${id}`)).body.summary.answers, { ...before, resolved: false })
    await design(resolved, note)
    assert.deepEqual(await write({ resolved: false }), { resolved: false })
    const told = await eventually(() => {
      const written = heard.filter(({ name, data }) => name === 'record.summarised' && (data as { conversationId: string }).conversationId === id)
      return written.length === 4 && written.map(({ data }) => (data as { changed: string[] }).changed)
    }, 'the events')
    assert.deepEqual(told, [['resolved', 'note'], ['resolved'], [], ['note']])
  })

  test('what was shown masked and comes back stays as it is stored; stars of one’s own are not written down', async () => {
    const [admin, agent] = [await world().person('管理', 'admin'), await world().person('小钱')]
    // An agent sees no telephone here.
    const em = world().hub.em()
    const role = await em.findOneOrFail(Role, { builtin: 'agent' }, { disableIdentityMap: true })
    const blind = {
      id: newId(),
      builtin: null,
      name: newId(),
      createdAt: new Date(),
      grants: role.grants.filter(({ permission }) => permission !== 'contact.personal'),
    }
    await em.insert(Role, blind)
    await em.nativeUpdate(AgentRole, { agentId: agent.id }, { roleId: blind.id })
    world().hub.access.clear()
    await admin.call('PUT', '/api/summary-form', {
      fields: [
        { id: 'note', label: '说明', kind: 'longText' },
        { id: 'done', label: '已解决', kind: 'yesNo' },
      ],
    })
    await admin.call('PUT', '/api/contact-fields', { fields: [{ id: 'memo', label: '备忘' }] })
    const id = await talk(world(), agent, ['你好'])
    const { contact } = (await agent.call('GET', `/api/records/${id}`)).body
    const said = '回电 13800001234'
    await admin.call('PUT', `/api/records/${id}/summary`, { answers: { note: said } })
    await admin.call('PATCH', `/api/contacts/${contact.id}`, { remark: said, fields: { 'hub.memo': said } })
    const stored = async () => {
      const record = (await admin.call('GET', `/api/records/${id}`)).body
      const profile = (await admin.call('GET', `/api/contacts/${contact.id}`)).body
      return { ...record.summary.answers, remark: profile.remark, memo: profile.fields.find(({ name }: { name: string }) => name === 'hub.memo').value }
    }

    const shown = (await agent.call('GET', `/api/records/${id}`)).body.summary.answers.note
    assert.equal(shown, '回电 138****1234')
    const summary = (answers: object) => agent.call('PUT', `/api/records/${id}/summary`, { answers })
    const profile = (patch: object) => agent.call('PATCH', `/api/contacts/${contact.id}`, patch)
    assert.deepEqual((await summary({ note: shown, done: true })).body.answers, { note: shown, done: true })
    assert.equal((await profile({ nickname: '老客', remark: shown, fields: { 'hub.memo': shown } })).status, 200)
    assert.deepEqual(await stored(), { note: said, done: true, remark: said, memo: said })

    const refused = await summary({ note: `${shown}，已回` })
    assert.deepEqual([refused.status, refused.body.code, refused.body.details], [403, 'HUB_FORBIDDEN', { path: '/answers/note' }])
    for (const patch of [{ remark: `${shown}!` }, { fields: { 'hub.memo': `${shown}!` } }]) assert.equal((await profile(patch)).status, 403)
    assert.deepEqual(await stored(), { note: said, done: true, remark: said, memo: said })
    // Words of their own count.
    assert.equal((await summary({ note: '已处理' })).status, 200)
    assert.equal((await stored()).note, '已处理')
  })

  test('a tag that is deleted hangs on no conversation and on no contact, and one who was merged is tagged as who they became', async () => {
    const [admin, agent] = [await world().person('管理', 'admin'), await world().person('小方')]
    const em = world().hub.em()
    const id = await talk(world(), agent, ['你好'])
    const { body: tag } = await admin.call('POST', '/api/tags', { name: newId() })
    const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const merged = await talk(world(), agent, ['我也是'])
    const { contactId: old } = await em.findOneOrFail(Conversation, { id: merged }, { disableIdentityMap: true })
    await em.nativeUpdate(Contact, { id: old }, { mergedIntoId: contactId })
    assert.equal((await admin.call('PUT', `/api/contacts/${old}/tags/${tag.id}`)).status, 200)
    assert.equal((await admin.call('PUT', `/api/records/${id}/tags/${tag.id}`)).status, 200)
    assert.equal(await em.count(ContactTag, { contactId, tagId: tag.id }), 1)
    assert.equal((await admin.call('DELETE', `/api/tags/${tag.id}`)).status, 200)
    assert.deepEqual([await em.count(ContactTag, { tagId: tag.id }), await em.count(ConversationTag, { tagId: tag.id })], [0, 0])
  })

  test('a batch that cannot be done comes to an end, and named records are gone on with where it stopped', async () => {
    const [agent, admin] = [await world().person('小孙'), await world().person('管理', 'admin')]
    assert.equal((await admin.call('POST', '/api/records/batch', { action: 'archive', filter: {}, tz: 'Nowhere/X' })).status, 400)
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      const id = await talk(world(), agent, ['你好'])
      await agent.call('POST', `/api/conversations/${id}/close`)
      ids.push(id)
    }
    const em = world().hub.em()
    const row = {
      id: newId(),
      agentId: admin.id,
      input: { action: 'archive' as const, ids },
      doneBy: null,
      state: 'running' as const,
      done: 0,
      skipped: 1,
      attempts: 0,
    }
    await em.insert(RecordBatch, { ...row, dueAt: new Date(), createdAt: new Date() })
    const state = async () => (await admin.call('GET', `/api/records/batch/${row.id}`)).body
    await eventually(async () => (await state()).state === 'done', 'the end of it')
    // The first one had been passed over by the turn before.
    assert.deepEqual([(await state()).done, (await state()).skipped], [2, 1])

    const broken = { ...row, id: newId(), input: { action: 'archive' as const, filter: { period: 'today' as const }, tz: 'Nowhere/X' }, skipped: 0 }
    await em.insert(RecordBatch, { ...broken, dueAt: new Date(), createdAt: new Date() })
    const failed = async () => (await em.findOneOrFail(RecordBatch, { id: broken.id }, { disableIdentityMap: true })).state === 'failed'
    await eventually(async () => {
      await em.nativeUpdate(RecordBatch, { id: broken.id, state: 'running' }, { dueAt: new Date() })
      await world().running.sweep()
      return failed()
    }, 'giving it up')
  })

  test('what a filter finds is changed as it was counted: a later day, a message or a deletion since changes nothing of it', async () => {
    const [agent, admin] = [await world().person('小秦'), await world().person('管理', 'admin')]
    const em = world().hub.em()
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      const id = await talk(world(), agent, ['你好'])
      await agent.call('POST', `/api/conversations/${id}/close`)
      ids.push(id)
    }
    const [meant = '', late = '', thrown = ''] = ids
    const { id: tagId } = (await agent.call('POST', '/api/tags', { name: newId() })).body
    for (const id of ids) assert.equal((await agent.call('PUT', `/api/records/${id}/tags/${tagId}`)).status, 200)
    const find = (more: object) => `filter=${encodeURIComponent(JSON.stringify({ tagIds: [tagId], ...more }))}&tz=Asia/Shanghai`
    const order = async (more: object, countedAt?: string) => {
      const filter = { tagIds: [tagId], ...more }
      const { status, body } = await admin.call('POST', '/api/records/batch', {
        action: 'archive',
        filter,
        tz: 'Asia/Shanghai',
        ...(countedAt ? { countedAt } : {}),
      })
      assert.equal(status, 201, JSON.stringify(body))
      return body.id as string
    }
    const end = (id: string) =>
      eventually(async () => {
        const { body } = await admin.call('GET', `/api/records/batch/${id}`)
        return body.state !== 'running' && body
      }, 'the end of it')
    const counted = (await admin.call('GET', `/api/records/count?${find({ period: '7d', by: 'createdAt' })}`)).body
    assert.deepEqual([counted.count, counted.more], [3, false])
    const at = new Date(counted.at)
    const after = new Date(at.getTime() + 1_000)
    // Two that are not any more what was counted.
    await em.nativeUpdate(Conversation, { id: late }, { lastMessageAt: after })
    await em.nativeUpdate(Conversation, { id: thrown }, { closedAt: after })
    const first = await order({ period: '7d', by: 'createdAt' }, counted.at)
    const { input } = await em.findOneOrFail(RecordBatch, { id: first }, { disableIdentityMap: true })
    assert.deepEqual(
      [input.filter?.period, input.filter?.from, input.filter?.to],
      [undefined, startOfPeriod('7d', 'Asia/Shanghai', at).toISOString(), new Date(at.getTime() + 1).toISOString()],
    )
    const { done, skipped } = await end(first)
    assert.deepEqual([done, skipped], [1, 2])
    assert.ok((await em.findOneOrFail(Conversation, { id: meant }, { disableIdentityMap: true })).archivedAt)

    // Nobody said when it was counted: then it was now, and no later than the filter itself says.
    const to = new Date(at.getTime() - 60_000).toISOString()
    const second = await order({ period: '7d', to })
    const bounds = (await em.findOneOrFail(RecordBatch, { id: second }, { disableIdentityMap: true })).input.filter
    assert.deepEqual([bounds?.period, bounds?.to], [undefined, to])
    assert.deepEqual((await end(second)).done, 0)

    // What has ended keeps nothing of who was looked for, and is gone after a month.
    const third = await order({ keyword: '退货', contact: '13812345678', fields: [{ name: 'remark', value: '老客户' }] })
    assert.deepEqual((await end(third)).action, 'archive')
    const held = (await em.findOneOrFail(RecordBatch, { id: third }, { disableIdentityMap: true })).input
    assert.deepEqual(Object.keys(held.filter ?? {}).sort(), ['tagIds', 'to'])
    await em.nativeUpdate(RecordBatch, { id: third }, { createdAt: new Date(Date.now() - 31 * 86_400_000) })
    await end(await order({ period: '7d' }))
    assert.equal(await em.count(RecordBatch, { id: third }), 0)
    assert.equal((await admin.call('POST', '/api/records/batch', { action: 'archive', filter: {}, countedAt: 'soon' })).status, 400)
  })

  test('what was taken back stands in no list, whatever the hub noted after it; a note is no preview', async () => {
    const agent = await world().person('小马')
    const id = await talk(world(), agent, ['在吗'])
    const preview = async () => (await agent.call('GET', `/api/conversations/${id}`)).body.preview
    const sent = async (text: string, more = {}) => (await world().reply(agent, id, text, more)).body.id as string
    const recall = (messageId: string) => agent.call('POST', `/api/messages/${messageId}/recall`)
    const first = await sent('价格是 100')
    await eventually(async () => (await world().hub.em().findOneOrFail(Message, { id: first }, { disableIdentityMap: true })).status === 'sent')
    // A line of the hub takes a number too.
    await changeConversation(world().hub, id, async (change) => {
      change.line('conversation.assigned', {})
      return true
    })
    assert.equal((await recall(first)).status, 200)
    assert.equal(await preview(), '[recalled]')
    const second = await sent('价格是 90')
    const note = await sent('别告诉他成本', { note: true })
    assert.equal((await recall(note)).status, 200)
    assert.equal(await preview(), '价格是 90')
    assert.equal((await recall(second)).status, 200)
    assert.equal(await preview(), '[recalled]')
  })

  test('categories: a tree of four levels, names once among sisters, retired ones no longer chosen', async () => {
    const agent = await world().person('小吴')
    const admin = await world().person('管理', 'admin')
    const id = await talk(world(), agent, ['你好'])
    const name = newId()
    const top = (await admin.call('POST', '/api/categories', { name })).body
    assert.equal((await admin.call('POST', '/api/categories', { name })).body.code, 'HUB_CONFLICT')
    let parentId = top.id
    for (let level = 2; level <= 4; level++) parentId = (await admin.call('POST', '/api/categories', { name, parentId })).body.id
    assert.equal((await admin.call('POST', '/api/categories', { name, parentId })).status, 400)
    assert.equal((await admin.call('POST', '/api/categories', { name, parentId: newId() })).status, 404)
    await admin.call('PATCH', `/api/categories/${top.id}`, { retired: true })
    assert.equal((await agent.call('PUT', `/api/records/${id}/category`, { categoryId: top.id })).status, 404)
    const { items } = (await agent.call('GET', '/api/categories')).body
    assert.ok(items.find((one: { id: string; retiredAt: string | null }) => one.id === top.id)?.retiredAt)
  })

  test('views and preferences are their owner’s alone', async () => {
    const [agent, other] = [await world().person('甲'), await world().person('乙')]
    const view = await agent.call('POST', '/api/record-views', { name: '差评', filter: { ratings: ['bad'], period: '7d' } })
    assert.equal(view.status, 201)
    assert.equal((await agent.call('POST', '/api/record-views', { name: '差评', filter: {} })).body.code, 'HUB_CONFLICT')
    assert.equal((await agent.call('POST', '/api/record-views', { name: '坏', filter: { surprise: 1 } })).status, 400)
    assert.deepEqual((await other.call('GET', '/api/record-views')).body.items, [])
    assert.equal((await other.call('PATCH', `/api/record-views/${view.body.id}`, { name: '我的' })).status, 404)
    await other.call('DELETE', `/api/record-views/${view.body.id}`)
    assert.equal((await agent.call('GET', '/api/record-views')).body.items.length, 1)
    await agent.call('PUT', '/api/preferences/record.columns', { value: ['contact', 'rating'] })
    assert.deepEqual((await agent.call('GET', '/api/preferences/record.columns')).body.value, ['contact', 'rating'])
    assert.equal((await other.call('GET', '/api/preferences/record.columns')).body.value, null)
    assert.equal((await agent.call('PUT', '/api/preferences/record.columns', { value: 'x'.repeat(20_000) })).body.code, 'HUB_REQUEST_TOO_LARGE')
    // So many of them, and no more; what is there can be changed, and taken away.
    const keep = (name: string, value: unknown) => agent.call('PUT', `/api/preferences/${name}`, { value })
    for (let n = 1; n < 50; n++) assert.equal((await keep(`one.${n}`, n)).status, 200)
    const full = await keep('another', 1)
    assert.deepEqual([full.status, full.body.code, full.body.details], [409, 'HUB_LIST_FULL', { most: 50 }])
    assert.equal((await agent.call('GET', '/api/preferences/another')).body.value, null)
    assert.deepEqual([(await keep('one.1', 'x')).status, (await keep('one.2', null)).status, (await keep('another', 1)).status], [200, 200, 200])
    assert.equal((await other.call('PUT', '/api/preferences/another', { value: 1 })).status, 200)
  })

  test('an agent’s delete lies in the bin for thirty days, an admin’s is final; only what has ended goes', async () => {
    const agent = await world().person('小赵')
    const admin = await world().person('管理', 'admin')
    const [id, other] = [await talk(world(), agent, ['你好']), await talk(world(), agent, ['你好'])]
    assert.equal((await agent.call('POST', `/api/records/${id}/delete`)).body.code, 'HUB_RECORD_OPEN')
    for (const one of [id, other]) await agent.call('POST', `/api/conversations/${one}/close`)
    assert.equal((await agent.call('POST', `/api/records/${id}/archive`)).status, 403)
    assert.equal((await agent.call('POST', `/api/records/${id}/delete`)).status, 200)
    assert.equal((await agent.call('GET', `/api/records/${id}`)).status, 404)
    assert.equal((await agent.call('GET', `/api/conversations/${id}/messages`)).status, 404)
    assert.equal((await agent.call('POST', `/api/records/${id}/restore`)).status, 404)
    assert.equal(await purgeDue(world().hub), 0)
    assert.equal((await admin.call('POST', `/api/records/${id}/restore`)).status, 200)
    assert.equal((await agent.call('GET', `/api/records/${id}`)).status, 200)

    assert.equal((await admin.call('POST', `/api/records/${other}/delete`)).status, 200)
    assert.equal((await admin.call('POST', `/api/records/${other}/restore`)).status, 404)
    assert.equal(await purgeDue(world().hub), 1)
    const em = world().hub.em()
    assert.equal(await em.count(Conversation, { id: other }), 0)
    assert.equal(await em.count(Message, { conversationId: other }), 0)
    await eventually(() => heard.find((event) => event.name === 'record.purged' && (event.data as { conversationId: string }).conversationId === other))
  })

  test('what lies in the bin is looked at by who may restore it, by nobody else, and nothing is done in it', async () => {
    const [agent, admin, supervisor] = [await world().person('小冯'), await world().person('管理', 'admin'), await world().person('主管', 'supervisor')]
    const id = await talk(world(), agent, ['看图', '删掉吧'])
    const file = await storeFile(world().hub, { name: '照片.txt', bytes: Buffer.from(newId()), uploadedBy: agent.id })
    assert.equal((await world().reply(agent, id, '照片', { parts: [partOf(file)] })).status, 201)
    const [message] = await world().hub.em().find(Message, { conversationId: id }, { limit: 1, disableIdentityMap: true })
    await agent.call('POST', `/api/conversations/${id}/close`)
    await agent.call('POST', `/api/records/${id}/delete`)
    const ways = [
      `/api/records/${id}`,
      `/api/conversations/${id}`,
      `/api/conversations/${id}/messages`,
      `/api/messages/${message?.id}`,
      `/api/records/${id}/attachments`,
      `/api/files/${file.id}`,
    ]
    for (const way of ways)
      assert.deepEqual(
        [(await admin.call('GET', way)).status, (await agent.call('GET', way)).status, (await supervisor.call('GET', way)).status],
        [200, 404, 404],
        way,
      )
    const { body } = await admin.call('GET', `/api/records/${id}`)
    assert.deepEqual([body.status, body.deletedById], ['deleted', agent.id])
    await eventually(() =>
      heard.find(({ name, data, by }) => name === 'record.viewed' && (data as { conversationId: string }).conversationId === id && by?.agentId === admin.id),
    )
    const deeds = [
      ['POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '在吗' }], note: true }],
      ['PUT', `/api/records/${id}/category`, { categoryId: null }],
      ['PUT', `/api/records/${id}/summary`, { answers: {} }],
      ['PUT', `/api/conversations/${id}/star`, undefined],
      ['POST', `/api/records/${id}/archive`, undefined],
      ['POST', `/api/records/${id}/reply-in-new`, undefined],
      ['POST', `/api/messages/${message?.id}/recall`, undefined],
    ] as const
    for (const [method, way, sent] of deeds) assert.ok([403, 404].includes((await admin.call(method, way, sent)).status), way)
    assert.ok(!(await admin.call('GET', '/api/conversations?group=closed')).body.items.some((row: { id: string }) => row.id === id))
    // Deleted for good it is nobody's any more, though its rows wait for the next purge.
    await admin.call('POST', `/api/records/${id}/purge`)
    for (const way of ways) assert.equal((await admin.call('GET', way)).status, 404, way)
    assert.equal(await purgeDue(world().hub), 1)
  })

  test('files go with the last record that holds them', async () => {
    const agent = await world().person('小钱')
    const admin = await world().person('管理', 'admin')
    const em = world().hub.em()
    const bytes = Buffer.from(`合同 ${newId()}`)
    const ids: string[] = []
    let hash = ''
    for (let i = 0; i < 2; i++) {
      const id = await talk(world(), agent, ['看附件'])
      const file = await storeFile(world().hub, { name: '合同.txt', bytes, uploadedBy: agent.id })
      const part = partOf(file)
      hash = file.hash
      assert.equal((await world().reply(agent, id, '给您', { parts: [part] })).status, 201)
      await agent.call('POST', `/api/conversations/${id}/close`)
      ids.push(id)
    }
    const zip = await fetch(new URL(`/api/records/${ids[0]}/attachments.zip`, world().url), { headers: { cookie: agent.cookie } })
    assert.equal(zip.status, 200)
    const entries = await new ZipReader(new Uint8ArrayReader(new Uint8Array(await zip.arrayBuffer()))).getEntries()
    assert.deepEqual(
      entries.map((entry) => entry.filename),
      ['合同.txt'],
    )
    const stranger = await world().person('旁人')
    assert.equal((await stranger.call('GET', `/api/records/${ids[0]}/attachments.zip`)).status, 404)
    for (const [n, id] of ids.entries()) {
      await admin.call('POST', `/api/records/${id}/delete`)
      await purgeDue(world().hub)
      assert.equal((await world().hub.files.bytes(hash)) !== undefined, n === 0)
    }
    assert.equal(await em.count(StoredFile, { hash }), 0)
  })

  test('many at once: in the background, by what the asker may, passing over what refuses', async () => {
    const agent = await world().person('小孙')
    const admin = await world().person('管理', 'admin')
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push(await talk(world(), agent, ['你好']))
    for (const id of ids.slice(0, 2)) await agent.call('POST', `/api/conversations/${id}/close`)
    assert.equal((await agent.call('POST', '/api/records/batch', { action: 'archive', ids })).status, 403)
    assert.equal((await admin.call('POST', '/api/records/batch', { action: 'archive' })).status, 400)
    assert.equal((await admin.call('POST', '/api/records/batch', { action: 'tag', ids, tagId: newId() })).status, 404)
    const { body } = await admin.call('POST', '/api/records/batch', { action: 'archive', ids })
    const ended = await eventually(async () => {
      const state = (await admin.call('GET', `/api/records/batch/${body.id}`)).body
      return state.state !== 'running' && state
    })
    assert.deepEqual({ state: ended.state, done: ended.done, skipped: ended.skipped }, { state: 'done', done: 2, skipped: 1 })
    assert.equal((await agent.call('GET', `/api/records/batch/${body.id}`)).status, 403)
    const other = await world().person('另一位', 'admin')
    assert.equal((await other.call('GET', `/api/records/batch/${body.id}`)).status, 404)
    const told = () => heard.filter((event) => event.name === 'record.archived' && ids.includes((event.data as { conversationId: string }).conversationId))
    await eventually(() => told().length >= 2, 'both are told of')
    assert.deepEqual(new Set(told().map((event) => event.by?.agentId)), new Set([admin.id]))
  })

  test('many at once follows what the asker may meanwhile, and an owner stops anybody’s', async (t) => {
    const [owner, colleague] = [await world().person('老板', 'owner'), await world().person('同事', 'admin')]
    const em = world().hub.em()
    const inbox = await world().inbox('mock')
    const { access } = world().hub
    const look = access.of.bind(access)
    /** Deletes fifty; once some are gone and the worker looks again at what the asker may, `meanwhile` happens. */
    const deleteFifty = async (asker: Person, meanwhile: (path: string) => Promise<unknown>) => {
      const ids: string[] = []
      for (let i = 0; i < 50; i++) ids.push((await world().say(inbox, newId(), '你好'))[0]?.conversationId ?? '')
      await em.nativeUpdate(Conversation, { id: { $in: ids } }, { status: 'closed', openIdentityId: null })
      const left = () => em.count(Conversation, { id: { $in: ids }, deletedAt: null })
      let path = ''
      const mock = t.mock.method(access, 'of', async (id: string) => {
        const byWorker = id === asker.id && whoDoes()?.agentId === id
        if (byWorker && path === '' && (await left()) < 50) {
          const { id: batchId } = await em.findOneOrFail(RecordBatch, { agentId: id, state: 'running' }, { disableIdentityMap: true })
          path = `/api/records/batch/${batchId}`
          await meanwhile(path)
        }
        return look(id)
      })
      const { status, body } = await asker.call('POST', '/api/records/batch', { action: 'delete', ids })
      assert.equal(status, 201)
      const ended = await eventually(async () => {
        const { body: state } = await owner.call('GET', `/api/records/batch/${body.id}`)
        return state.state !== 'running' && state
      }, 'the end of it')
      mock.mock.restore()
      return { ids, id: body.id as string, state: ended.state, done: ended.done, left: await left() }
    }

    const leaving = await world().person('离职的', 'admin')
    const off = await deleteFifty(leaving, () => owner.call('PATCH', `/api/agents/${leaving.id}`, { active: false }))
    assert.deepEqual([off.state, off.done, off.left], ['failed', 20, 30])

    const lesser = await world().person('降职的', 'admin')
    const kept = await deleteFifty(lesser, () =>
      world().grant(lesser, [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'conversation.delete', scope: 'all' },
        { permission: 'record.batch' },
      ]),
    )
    assert.deepEqual([kept.state, kept.done, kept.left], ['done', 50, 0])
    assert.equal(await em.count(Conversation, { id: { $in: kept.ids }, purgeAt: { $gt: new Date() } }), 30, 'what is final follows, too')

    const hasty = await world().person('手快的', 'admin')
    const stopped = await deleteFifty(hasty, async (path) => {
      assert.deepEqual([(await colleague.call('GET', path)).status, (await colleague.call('DELETE', path)).status], [404, 404])
      // Nobody must know its id to find it; who may not stop it does not see it.
      const seenBy = async (who: Person) => (await who.call('GET', '/api/records/batch')).body.items
      const [seen] = await seenBy(owner)
      assert.deepEqual([`/api/records/batch/${seen.id}`, seen.agentName, seen.action, seen.state], [path, '手快的', 'delete', 'running'])
      assert.deepEqual([await seenBy(hasty), await seenBy(colleague)], [[seen], []])
      assert.equal((await owner.call('DELETE', path)).status, 200)
    })
    assert.equal(stopped.state, 'cancelled')
    assert.ok(stopped.left >= 10, 'the twenty that it is at are the last ones')
    const told = () => heard.find(({ name, data }) => name === 'record.batchCancelled' && (data as { batchId: string }).batchId === stopped.id)
    const event = await eventually(told, 'it is told of')
    assert.deepEqual([event.by?.agentId, (event.data as { agentId: string }).agentId], [owner.id, hasty.id])
    assert.equal((await owner.call('DELETE', `/api/records/batch/${stopped.id}`)).status, 200, 'again changes nothing')
    assert.deepEqual((await owner.call('GET', '/api/records/batch')).body.items, [])
    assert.equal((await (await world().person('客服')).call('GET', '/api/records/batch')).status, 403)
  })

  test('customers’ fields of an admin’s own: held to their options, and records are found by them', async () => {
    const agent = await world().person('小郑')
    const admin = await world().person('管理', 'admin')
    const id = await talk(world(), agent, ['你好'])
    const { contact } = (await agent.call('GET', `/api/records/${id}`)).body
    const fields = [
      { id: 'level', label: '客户等级', options: ['普通', '金牌'] },
      { id: 'order', label: '订单号' },
    ]
    assert.equal((await agent.call('PUT', '/api/contact-fields', { fields })).status, 403)
    const twice = await admin.call('PUT', '/api/contact-fields', { fields: [...fields, { id: 'again', label: '订单号' }] })
    assert.equal(twice.body.details.faults[0].path, 'body/fields/2/label')
    assert.equal((await admin.call('PUT', '/api/contact-fields', { fields })).status, 200)
    assert.equal((await agent.call('PATCH', `/api/contacts/${contact.id}`, { fields: { 'hub.level': '钻石' } })).status, 400)
    assert.equal((await agent.call('PATCH', `/api/contacts/${contact.id}`, { fields: { 'hub.nothing': 'x' } })).status, 400)
    const patched = await agent.call('PATCH', `/api/contacts/${contact.id}`, { fields: { 'hub.level': '金牌', 'hub.order': 'A-1024' } })
    assert.equal(patched.body.fields.find((field: { name: string }) => field.name === 'hub.level').value, '金牌')
    const find = (filter: object) => agent.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}`)
    const idsOf = async (value: string) => (await find({ fields: [{ name: 'hub.level', value }] })).body.items.map((row: { id: string }) => row.id)
    assert.deepEqual(await idsOf('金牌'), [id])
    assert.deepEqual(await idsOf('普通'), [])
    assert.equal((await find({ fields: [{ name: 'hub.gone', value: '1' }] })).body.code, 'HUB_REQUEST_INVALID')
  })
})
