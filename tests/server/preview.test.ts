/** Seeing the hub as a role: never more than one may oneself, never a change, on the wire and on sockets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { io } from 'socket.io-client'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { buildAbility, may } from '../../core/src/access/ability.ts'
import { corePermissions } from '../../core/src/access/permissions.ts'
import { intersect } from '../../core/src/access/preview.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Session } from '../../core/src/domain/session/session.entity.ts'
import { hashToken } from '../../core/src/domain/session/tokens.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest } = mockChannel()
const events: { name: string; data: object }[] = []
const watcher = definePlugin({
  id: 'watcher',
  version: '1.0.0',
  label: { zh: '旁听', en: 'Watcher' },
  on: { '*': ({ name, data }) => void events.push({ name, data }) },
})

const facts = { id: 'me', departmentId: 'd1', treeIds: ['d1', 'd2'], owner: false }
const grants: fc.Arbitrary<Grant[]> = fc.array(
  fc.oneof(
    ...corePermissions.map(({ name, scopes, fields }) =>
      fc.record({
        permission: fc.constant(name),
        ...(scopes.length > 0 ? { scope: fc.constantFrom(...scopes) } : {}),
        ...(fields.length > 0 ? { fields: fc.subarray([...fields], { minLength: 1 }) } : {}),
      }),
    ),
  ) as fc.Arbitrary<Grant>,
  { maxLength: 8 },
)
const side = fc.record({ grants, owner: fc.boolean() })

test('two abilities met allow exactly what both allow', () => {
  fc.assert(
    fc.property(side, side, (left, right) => {
      const [a, b] = [left, right].map((one) => buildAbility({ ...facts, owner: one.owner }, one.grants)) as [ReturnType<typeof buildAbility>, never]
      const met = intersect(a, b)
      const same = (...asked: Parameters<typeof met.can>) =>
        assert.equal(met.can(...asked), a.can(...asked) && (b as typeof a).can(...asked), JSON.stringify(asked))
      for (const { name, fields } of corePermissions) {
        const [noun = '', verb = ''] = name.split('.')
        if (noun !== 'conversation') for (const field of fields.length > 0 ? fields : [undefined]) same(verb, noun, field)
      }
      for (const verb of ['read', 'reply', 'take', 'transfer', 'close'])
        for (const assigneeId of ['me', 'other', null])
          for (const departmentId of ['d1', 'd2', 'd3', null])
            for (const status of ['queued', 'open', 'closed']) {
              const conversation = { assigneeId, departmentId, status }
              const allowed = may(a, verb, conversation) && may(b, verb, conversation)
              assert.equal(may(met, verb, conversation), allowed, JSON.stringify([verb, conversation]))
            }
    }),
    { numRuns: 300 },
  )
})

await onEveryProfile('preview', [found(manifest), found(watcher)], (world) => {
  const roleId = async (builtin: string) => (await world().hub.em().findOneOrFail(Role, { builtin })).id
  const enter = async (person: Person, role: string) => {
    const answer = await person.call('POST', '/api/preview', { roleId: role })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    return answer.body as { until: string }
  }
  const connect = (person: Person) =>
    io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie }, reconnection: false, forceNew: true })
  const seen = async (person: Person) => {
    const ids: string[] = []
    for (const group of ['queue', 'open', 'closed'])
      for (const { id } of (await person.call('GET', `/api/conversations?group=${group}&limit=100`)).body.items) ids.push(id)
    return ids
  }
  /** One conversation of each kind, nobody's but for the last, which is `mine`. */
  const conversations = async (mine: string, departmentId: string, foreignId: string) => {
    const inbox = await world().inbox('mock')
    const make = async (fields: Partial<Conversation>) => {
      const [accepted] = await world().say(inbox, newId(), '你好')
      const id = accepted?.conversationId ?? ''
      await world()
        .hub.em()
        .nativeUpdate(Conversation, { id }, { assigneeId: null, departmentId: null, status: 'open', ...fields })
      return id
    }
    return {
      ours: await make({ departmentId }),
      theirs: await make({ departmentId: foreignId }),
      queued: await make({ status: 'queued' }),
      mine: await make({ assigneeId: mine }),
    }
  }
  /** Its first message as a letter, and where that is shown. */
  const letter = async (conversationId: string) => {
    const { id } = await world().hub.em().findOneOrFail(Message, { conversationId, direction: 'in' })
    await world()
      .hub.em()
      .nativeUpdate(Message, { id }, { parts: [{ type: 'html', html: '<p>你好</p>', text: '你好' }] })
    return `/api/messages/${id}/letters/0`
  }
  const departments = async () => {
    const rows = ['华东', '华南'].map((name) => ({ id: newId(), parentId: null, name, createdAt: new Date() }))
    await world().hub.em().insertMany(Department, rows)
    return rows.map(({ id }) => id) as [string, string]
  }

  test('a supervisor sees as an agent what an agent in their place would; as an admin no more than before; and changes nothing', async () => {
    const [here, there] = await departments()
    const person = await world().person('主管', 'supervisor', { departmentId: here, presence: 'away' })
    const rows = await conversations(person.id, here, there)
    const own = [rows.ours, rows.queued, rows.mine].sort()
    const among = async () => (await seen(person)).filter((id) => Object.values(rows).includes(id)).sort()
    assert.deepEqual(await among(), own)

    const { until } = await enter(person, await roleId('agent'))
    assert.deepEqual(await among(), [rows.queued, rows.mine].sort())
    assert.equal((await person.call('GET', `/api/conversations/${rows.ours}`)).status, 404)
    assert.equal((await person.call('GET', `/api/conversations/${rows.ours}/messages`)).status, 404)
    assert.deepEqual((await person.call('POST', '/api/conversations/visible', { ids: Object.values(rows) })).body.ids.sort(), [rows.queued, rows.mine].sort())
    assert.deepEqual([(await person.call('GET', await letter(rows.ours))).status, (await person.call('GET', await letter(rows.mine))).status], [404, 200])
    const me = (await person.call('GET', '/api/me')).body
    assert.deepEqual([me.agent.id, me.preview.builtin, me.preview.until], [person.id, 'agent', until])
    const tries: [method: string, url: string, body?: unknown][] = [
      ['POST', `/api/conversations/${rows.mine}/messages`, { clientId: newId(), parts: [{ type: 'text', text: 'x' }] }],
      ['POST', `/api/conversations/${rows.queued}/take`],
      ['POST', `/api/conversations/${rows.mine}/read`, { seq: 1 }],
      ['PUT', `/api/conversations/${rows.mine}/draft`, { text: 'x' }],
      ['PUT', `/api/conversations/${rows.mine}/star`],
      ['PUT', '/api/me/presence', { presence: 'online' }],
      ['PATCH', '/api/me', { name: 'x' }],
      ['DELETE', '/api/me/sessions'],
      ['POST', '/api/preview', { roleId: newId() }],
      ['POST', '/api/tags', { name: 'x' }],
      ['PUT', '/api/assignment-rules', { scope: 'hub', targetId: null, strategy: 'roundRobin', maxOpen: null, whenFull: 'queue' }],
      ['DELETE', `/api/assignment-rules/${newId()}`],
      ['POST', '/api/inboxes/probe', { channel: 'mock', settings: {} }],
      ['POST', `/api/inboxes/${newId()}/test`, { to: 'x', text: 'x' }],
    ]
    for (const [method, url, body] of tries) {
      const answer = await person.call(method, url, body)
      assert.deepEqual([answer.status, answer.body.code], [403, 'HUB_PREVIEW_READ_ONLY'], `${method} ${url}`)
    }
    assert.equal((await person.call('DELETE', '/api/preview')).status, 200)
    assert.equal((await person.call('GET', '/api/me')).body.preview, null)
    assert.deepEqual(await among(), own)

    for (const role of ['admin', 'owner']) {
      await enter(person, await roleId(role))
      assert.deepEqual(await among(), own, `as ${role}`)
      for (const url of ['/api/agents', '/api/system', '/api/inboxes', '/api/tokens'])
        assert.equal((await person.call('GET', url)).status, 403, `${role} ${url}`)
      await person.call('DELETE', '/api/preview')
    }
    const told = await eventually(() => {
      const mine = events.filter(({ data }) => (data as { byAgentId?: string }).byAgentId === person.id)
      return mine.length === 6 && mine.map(({ name }) => name)
    }, 'the events')
    assert.deepEqual(told.filter((name) => name === 'preview.started').length, 3)
    assert.deepEqual(told.filter((name) => name === 'preview.ended').length, 3)
  })

  test('an owner sees as a custom role: personal data masked, managing refused', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '我的电话是 13812345678')
    const { contactId } = await world()
      .hub.em()
      .findOneOrFail(Conversation, { id: accepted?.conversationId ?? '' })
    await owner.call('PATCH', `/api/contacts/${contactId}`, { phone: '13812345678', email: 'li@test.cn' })
    const made = await owner.call('POST', '/api/roles', {
      name: '质检',
      grants: [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'contact.personal', fields: ['email'] },
      ],
    })
    await enter(owner, made.body.id)
    const contact = (await owner.call('GET', `/api/contacts/${contactId}`)).body
    assert.deepEqual([contact.phone, contact.email], ['138****5678', 'li@test.cn'])
    assert.equal((await owner.call('GET', '/api/agents')).status, 403)
    // The role is gone: the preview is over, and does not fall back to the owner's rights by itself.
    await world().hub.em().nativeDelete(Role, { id: made.body.id })
    for (const [method, url] of [
      ['GET', '/api/me'],
      ['GET', '/api/agents'],
      ['POST', '/api/tags'],
    ] as const)
      assert.equal((await owner.call(method, url, method === 'POST' ? { name: 'x' } : undefined)).body.code, 'HUB_PREVIEW_OVER', url)
    assert.equal((await owner.call('DELETE', '/api/preview')).status, 200)
    assert.equal((await owner.call('GET', '/api/agents')).status, 200)
  })

  test('what was begun to be written shows where the role may read', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const [here, there] = await departments()
    const rows = await conversations(owner.id, here, there)
    const text = '客户电话 13812345678'
    for (const id of [rows.ours, rows.mine]) assert.equal((await owner.call('PUT', `/api/conversations/${id}/draft`, { text })).status, 200)
    const begun = async () => (await owner.call('GET', '/api/drafts')).body.items.map((item: { conversationId: string }) => item.conversationId).sort()
    const draftOf = async (id: string) => (await owner.call('GET', `/api/conversations/${id}/draft`)).body
    assert.deepEqual(await begun(), [rows.ours, rows.mine].sort())

    await enter(owner, await roleId('agent'))
    assert.deepEqual([await begun(), (await draftOf(rows.ours)).code, (await draftOf(rows.mine)).text], [[rows.mine], 'HUB_NOT_FOUND', text])
    await owner.call('DELETE', '/api/preview')

    const made = await owner.call('POST', '/api/roles', { name: '标签', grants: [{ permission: 'tag.manage' }] })
    await enter(owner, made.body.id)
    assert.deepEqual([await begun(), (await draftOf(rows.ours)).code, (await draftOf(rows.mine)).code], [[], 'HUB_NOT_FOUND', 'HUB_NOT_FOUND'])
    await owner.call('DELETE', '/api/preview')
    assert.deepEqual(await begun(), [rows.ours, rows.mine].sort())
  })

  test('its time runs out, and other sessions of the same person are not in it', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const elsewhere = await world().signIn(admin.agent)
    await enter(admin, await roleId('agent'))
    assert.deepEqual([(await admin.call('GET', '/api/agents')).status, (await elsewhere.call('GET', '/api/agents')).status], [403, 200])
    const tokenHash = hashToken(admin.cookie.replace('huike_session=', ''))
    await world()
      .hub.em()
      .nativeUpdate(Session, { tokenHash }, { previewUntil: new Date(Date.now() - 1) })
    assert.equal((await admin.call('GET', '/api/agents')).body.code, 'HUB_PREVIEW_OVER')
    assert.equal((await admin.call('POST', '/api/logout')).status, 200)
  })

  test('who may not preview cannot; who loses the right is out of it', async () => {
    const agent = await world().person('客服', 'agent', { presence: 'away' })
    assert.equal((await agent.call('POST', '/api/preview', { roleId: await roleId('agent') })).body.code, 'HUB_FORBIDDEN')
    assert.equal((await agent.call('DELETE', '/api/preview')).status, 200)
    const person = await world().person('主管', 'supervisor', { presence: 'away' })
    assert.equal((await person.call('POST', '/api/preview', { roleId: newId() })).body.code, 'HUB_NOT_FOUND')
    assert.equal((await person.call('POST', '/api/preview', {})).body.code, 'HUB_REQUEST_INVALID')
    await enter(person, await roleId('agent'))
    await world()
      .hub.em()
      .nativeUpdate(AgentRole, { agentId: person.id }, { roleId: await roleId('agent') })
    world().hub.access.clear()
    assert.equal((await person.call('GET', '/api/me')).body.code, 'HUB_PREVIEW_OVER')
  })

  test('a socket in a preview hears as the role, is heard by nobody, and starts anew when it begins or ends', async () => {
    const [here, there] = await departments()
    const person = await world().person('主管', 'supervisor', { departmentId: here, presence: 'away' })
    const colleague = await world().person('同事', 'supervisor', { departmentId: here, presence: 'away' })
    const rows = await conversations(person.id, here, there)
    const ready = (socket: ReturnType<typeof connect>) => new Promise((resolve) => socket.once('ready', resolve))
    const before = connect(person)
    await ready(before)
    const renewed = Promise.all([
      new Promise((resolve) => before.once('access.changed', resolve)),
      new Promise((resolve) => before.once('disconnect', resolve)),
    ])
    await enter(person, await roleId('agent'))
    await renewed

    const session = await world().signIn(person.agent)
    // All at once: what is said to one before somebody listens is not said again.
    const inPreview = connect(person)
    const elsewhere = connect(session)
    const other = connect(colleague)
    await Promise.all([inPreview, elsewhere, other].map(ready))
    const heard = { inPreview: new Set<string>(), elsewhere: new Set<string>() }
    inPreview.on('conversation', (push: { conversation: { id: string } }) => heard.inPreview.add(push.conversation.id))
    elsewhere.on('conversation', (push: { conversation: { id: string } }) => heard.elsewhere.add(push.conversation.id))
    const noticed: string[] = []
    other.on('ephemeral', ({ conversationId }: { conversationId: string }) => noticed.push(conversationId))
    const [looked, told] = [new Set<string>(), new Set<string>()]
    elsewhere.on('ephemeral', ({ conversationId }: { conversationId: string }) => told.add(conversationId))
    inPreview.on('ephemeral', ({ conversationId }: { conversationId: string }) => looked.add(conversationId))

    const watch = { mine: world().person('x', 'owner', { presence: 'away' }) }
    const owner = await watch.mine
    // `mine` last: once it is heard, all that would have been heard before has been.
    for (const id of [rows.ours, rows.theirs, rows.queued, rows.mine])
      assert.equal((await owner.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '在吗' }] })).status, 201)
    await eventually(() => heard.inPreview.has(rows.mine) && heard.elsewhere.has(rows.mine), 'the pushes')
    assert.deepEqual([heard.inPreview.has(rows.ours), heard.inPreview.has(rows.theirs)], [false, false])
    assert.deepEqual([heard.elsewhere.has(rows.ours), heard.elsewhere.has(rows.theirs)], [true, false])

    inPreview.emit('typing', { conversationId: rows.ours, active: true })
    inPreview.emit('typing', { conversationId: rows.queued, active: true })
    inPreview.emit('viewing', { conversationId: rows.ours, active: true })
    inPreview.emit('viewing', { conversationId: rows.queued, active: true })
    // The other session of the same person is heard: what the preview said before it would have been, too.
    elsewhere.emit('typing', { conversationId: rows.ours, active: true })
    await eventually(() => noticed.length > 0, 'the typing')
    assert.deepEqual(noticed, [rows.ours])
    // Who looks at what is told to a preview as to the role: of what it may read.
    other.emit('viewing', { conversationId: rows.ours, active: true })
    await eventually(() => told.has(rows.ours), 'a look at what the role may not read')
    other.emit('viewing', { conversationId: rows.queued, active: true })
    await eventually(() => looked.has(rows.queued), 'a look at what it may')
    assert.deepEqual([...looked], [rows.queued])

    const again = new Promise((resolve) => inPreview.once('disconnect', resolve))
    assert.equal((await person.call('DELETE', '/api/preview')).status, 200)
    await again
    assert.equal(elsewhere.connected, true)
    for (const socket of [elsewhere, other]) socket.disconnect()
  })
})
