/**
 * One ability, every way out: for generated departments, roles and conversations the list, the single read, the
 * counts and the realtime line deliver exactly what a naive reading of the rules allows.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant, Scope } from '../../core/sdk/wire/role.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { changeConversation } from '../../core/src/domain/conversation/change.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Tag } from '../../core/src/domain/tag/tag.entity.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const scopes = ['own', 'department', 'tree', 'all'] as const

interface Case {
  /** Each department's parent: an earlier one, or none. */
  parents: (number | null)[]
  department: number | null
  scope: Scope | null
  take: boolean
  /** Which of the two inboxes the reading and the taking hold for; null = everywhere. */
  line: number[] | null
  conversations: { department: number | null; mine: boolean; inbox: number; status: 'queued' | 'open' | 'closed' }[]
}

const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 4 }).chain((count) => {
  const department = fc.option(fc.integer({ min: 0, max: count - 1 }))
  return fc.record({
    parents: fc.tuple(...Array.from({ length: count }, (_, i) => (i === 0 ? fc.constant(null) : fc.option(fc.integer({ min: 0, max: i - 1 }))))),
    department,
    scope: fc.option(fc.constantFrom(...scopes)),
    take: fc.boolean(),
    line: fc.option(fc.subarray([0, 1])),
    conversations: fc.array(
      fc.record({
        department,
        mine: fc.boolean(),
        inbox: fc.integer({ min: 0, max: 1 }),
        status: fc.constantFrom('queued' as const, 'open' as const, 'closed' as const),
      }),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  })
})

/** The rules, read as a person would. */
function naive(c: Case, conversation: Case['conversations'][number]): boolean {
  const below = (root: number | null, at: number | null): boolean => at !== null && (at === root || below(root, c.parents[at] ?? null))
  if (c.line && !c.line.includes(conversation.inbox)) return false
  const inTree = c.department !== null && below(c.department, conversation.department)
  if (c.take && conversation.status === 'queued' && (conversation.department === null || inTree)) return true
  switch (c.scope) {
    case null:
      return false
    case 'all':
      return true
    case 'own':
      return conversation.mine
    case 'department':
      return conversation.mine || (c.department !== null && conversation.department === c.department)
    case 'tree':
      return conversation.mine || inTree
  }
}

async function build(world: World, c: Case): Promise<{ person: Person; inbox: Inbox | undefined; rows: { id: string; allowed: boolean }[] }> {
  const em = world.hub.em()
  const departments = c.parents.map(() => newId())
  await em.insertMany(
    Department,
    c.parents.map((parent, i) => ({
      id: departments[i] as string,
      parentId: parent === null ? null : (departments[parent] as string),
      name: `部门${i}`,
      createdAt: new Date(),
    })),
  )
  const departmentId = c.department === null ? null : (departments[c.department] as string)
  const person = await world.person('测试员', 'agent', { departmentId, presence: 'away' })
  const inboxes = [await world.inbox('mock'), await world.inbox('mock')] as const
  const line = c.line ? { inboxIds: c.line.map((i) => (inboxes[i] as { id: string }).id) } : {}
  const grants: Grant[] = [
    ...(c.scope ? [{ permission: 'conversation.read', scope: c.scope, ...line }] : []),
    ...(c.take ? [{ permission: 'conversation.take', ...line }] : []),
  ]
  const role = { id: newId(), builtin: null, name: '生成的角色', grants, createdAt: new Date() }
  await em.insert(Role, role)
  await em.nativeDelete(AgentRole, { agentId: person.id })
  await em.insert(AgentRole, { agentId: person.id, roleId: role.id })
  world.hub.access.clear()
  const rows: { id: string; allowed: boolean }[] = []
  for (const [i, conversation] of c.conversations.entries()) {
    const [accepted] = await world.say(inboxes[conversation.inbox] as (typeof inboxes)[0], `v${i}`, `你好 ${i}`)
    const id = accepted?.conversationId ?? ''
    await em.nativeUpdate(
      Conversation,
      { id },
      {
        departmentId: conversation.department === null ? null : (departments[conversation.department] as string),
        assigneeId: conversation.mine ? person.id : null,
        status: conversation.status,
      },
    )
    rows.push({ id, allowed: naive(c, conversation) })
  }
  return { person, rows, inbox: inboxes[c.line ? (c.line[0] ?? 2) : 0] }
}

await onEveryProfile('access', [found(manifest)], (world, profile) => {
  const runs = profile === 'embedded' ? 25 : 12

  test('list, single read, counts and realtime agree with a naive reading of the rules', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (c) => {
        const { person, rows, inbox: probe } = await build(world(), c)
        const expected = new Set(rows.filter((row) => row.allowed).map((row) => row.id))
        const listed = new Set<string>()
        for (const group of ['queue', 'open', 'closed'])
          for (const item of (await person.call('GET', `/api/conversations?group=${group}`)).body.items) listed.add(item.id)
        const counts = (await person.call('GET', '/api/conversations/counts')).body
        for (const group of ['queue', 'open', 'mine'] as const) {
          // Rows of earlier cases are seen too: the list, read to its end, is what the count is held to.
          let [listedNow, cursor]: [number, string | null] = [0, '']
          do {
            const page: { items: unknown[]; cursor: string | null } = (
              await person.call('GET', `/api/conversations?group=${group}&limit=100${cursor ? `&cursor=${cursor}` : ''}`)
            ).body
            listedNow += page.items.length
            cursor = page.cursor
          } while (cursor)
          assert.equal(counts[group], listedNow, `count of ${group}`)
        }
        const own = rows.map((row) => row.id)
        assert.deepEqual(own.filter((id) => listed.has(id)).sort(), [...expected].sort(), 'lists')
        for (const { id, allowed } of rows) assert.equal((await person.call('GET', `/api/conversations/${id}`)).status, allowed ? 200 : 404, 'single read')
        assert.deepEqual((await person.call('POST', '/api/conversations/visible', { ids: own })).body.ids.sort(), [...expected].sort(), 'visible')
        for (const { id, allowed } of rows)
          assert.equal((await person.call('GET', `/api/conversations/${id}/messages`)).status, allowed ? 200 : 404, 'messages')

        const heard = new Set<string>()
        const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie }, reconnection: false })
        await new Promise((resolve, reject) => {
          socket.once('ready', resolve)
          socket.once('connect_error', reject)
        })
        socket.on('conversation', (push: { conversation: { id: string } }) => heard.add(push.conversation.id))
        for (const { id } of rows)
          await changeConversation(world().hub, id, async (change) => {
            change.line('conversation.rated', { rating: 1 })
            return true
          })
        // Something this person surely hears, after the others: then all that would have come has come.
        const [last] = await world().say(probe ?? (await world().inbox('mock')), 'probe', '结束')
        await changeConversation(world().hub, last?.conversationId ?? '', async (change) => {
          change.conversation.assigneeId = c.scope ? person.id : null
          change.conversation.departmentId = null
          change.conversation.status = c.scope ? 'open' : 'queued'
          return true
        })
        if (probe && (c.scope || c.take)) await eventually(() => heard.has(last?.conversationId ?? ''), 'the probe')
        else await person.call('GET', '/api/me')
        socket.disconnect()
        assert.deepEqual(own.filter((id) => heard.has(id)).sort(), [...expected].sort(), 'realtime')
      }),
      { numRuns: runs, endOnFailure: true },
    )
  })

  test('a role that changes takes effect on an open socket', async () => {
    const inbox = await world().inbox('mock')
    const person = await world().person('小冯', 'agent', { presence: 'busy' })
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const heard: string[] = []
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie }, reconnection: false })
    await new Promise((resolve) => socket.once('ready', resolve))
    socket.on('conversation', (push: { conversation: { id: string } }) => heard.push(push.conversation.id))
    const [{ id: roleId }] = (await owner.call('GET', '/api/roles')).body.items.filter((role: { builtin: string }) => role.builtin === 'admin')
    const changed = new Promise((resolve) => socket.once('access.changed', resolve))
    assert.equal((await owner.call('PATCH', `/api/agents/${person.id}`, { roleIds: [roleId] })).status, 200)
    await changed
    const [accepted] = await world().say(inbox, 'later', '现在看得到吗')
    await eventually(() => heard.includes(accepted?.conversationId ?? ''), 'the push')
    const gone = new Promise((resolve) => socket.once('disconnect', resolve))
    assert.equal((await owner.call('PATCH', `/api/agents/${person.id}`, { active: false })).status, 200)
    await gone
    assert.equal((await person.call('GET', '/api/me')).status, 401)
  })

  test('an agent who is moved, and a department that is, hear on their open socket what is theirs now, and no more what was', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const department = async (name: string, parentId: string | null) => (await owner.call('POST', '/api/departments', { name, parentId })).body.id as string
    const [north, south] = [await department('北区', null), await department('南区', null)]
    const harbour = await department('港口', south)
    const inboxes = await Promise.all([north, south, harbour].map((departmentId) => world().inbox('mock', {}, { departmentId })))
    const person = await world().person('小冯', 'supervisor', { presence: 'away', departmentId: north })
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie }, reconnection: false })
    await new Promise((resolve) => socket.once('ready', resolve))
    const heard = new Set<string>()
    socket.on('conversation', (push: { conversation: { id: string } }) => heard.add(push.conversation.id))
    let round = 0
    /** One word in each department; which of them are heard, and may be read. News of something else comes behind them, so that silence is told from slowness. */
    const reaches = async () => {
      const said = await Promise.all(inboxes.map((inbox) => world().say(inbox, `moved-${++round}`, '听得到吗')))
      const ids = said.map(([accepted]) => accepted?.conversationId ?? '')
      const seen = await Promise.all(ids.map(async (id) => (await person.call('GET', `/api/conversations/${id}`)).status === 200))
      const marker = newId()
      const passed = new Promise<void>((resolve) => socket.on('agent.presence', ({ agentId }: { agentId: string }) => agentId === marker && resolve()))
      world().hub.bus.publish('agent.presence', { agentId: marker })
      await passed
      await eventually(() => ids.every((id, i) => heard.has(id) === seen[i]), 'the pushes')
      return seen
    }
    const after = async (work: () => Promise<{ status: number }>) => {
      const changed = new Promise((resolve) => socket.once('access.changed', resolve))
      const began = performance.now()
      assert.equal((await work()).status, 200)
      await changed
      const ms = performance.now() - began
      // Told at once, and not found by the look that comes every five seconds.
      assert.ok(ms < 3_000, `it took ${ms} ms`)
      return reaches()
    }
    assert.deepEqual(await reaches(), [true, false, false])
    assert.deepEqual(await after(() => owner.call('PATCH', `/api/agents/${person.id}`, { departmentId: south })), [false, true, true])
    assert.deepEqual(await after(() => owner.call('PATCH', `/api/departments/${harbour}`, { parentId: north })), [false, true, false])
    assert.deepEqual(await after(() => owner.call('PATCH', `/api/departments/${north}`, { parentId: south })), [true, true, true])
    assert.deepEqual(await after(() => owner.call('PATCH', `/api/agents/${person.id}`, { departmentId: null })), [false, false, false])
    socket.disconnect()
  })

  test('two moves at once do not put two departments below each other', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    for (let round = 0; round < 5; round++) {
      const make = async (name: string) => (await owner.call('POST', '/api/departments', { name, parentId: null })).body.id as string
      const [one, other] = [await make('甲'), await make('乙')]
      const answers = await Promise.all([
        owner.call('PATCH', `/api/departments/${one}`, { parentId: other }),
        owner.call('PATCH', `/api/departments/${other}`, { parentId: one }),
      ])
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400])
    }
  })

  test('who may not, cannot: every managing route refuses an agent', async () => {
    const agent = await world().person('普通客服')
    const id = newId()
    const tries: [method: string, url: string, body?: unknown][] = [
      ['GET', '/api/agents'],
      ['GET', `/api/agents/${id}`],
      ['POST', '/api/agents', { email: 'a@b.cn', name: 'x', roleIds: [id] }],
      ['PATCH', `/api/agents/${id}`, {}],
      ['GET', '/api/roles'],
      ['POST', '/api/roles', { name: 'x', grants: [] }],
      ['PATCH', `/api/roles/${id}`, {}],
      ['DELETE', `/api/roles/${id}`],
      ['GET', '/api/permissions'],
      ['GET', '/api/inboxes'],
      ['POST', '/api/inboxes', { channel: 'mock', name: 'x' }],
      ['PATCH', `/api/inboxes/${id}`, {}],
      ['GET', '/api/channels'],
      ['GET', '/api/plugins'],
      ['POST', '/api/plugins/mock/switch', { enabled: false }],
      ['PUT', '/api/plugins/mock/settings', {}],
      ['POST', '/api/departments', { name: 'x' }],
      ['DELETE', `/api/departments/${id}`],
      ['POST', '/api/skill-groups', { name: 'x' }],
      ['GET', '/api/system'],
      ['GET', '/api/tokens'],
      ['POST', '/api/preview', { roleId: id }],
    ]
    for (const [method, url, body] of tries) {
      const answer = await agent.call(method, url, body)
      assert.deepEqual([answer.status, answer.body.code], [403, 'HUB_FORBIDDEN'], `${method} ${url}`)
    }
    assert.equal((await agent.call('POST', '/api/tags', { name: '系统', system: true })).status, 403)
    const tag = { id: newId(), name: `系统 ${newId()}`, system: true, createdAt: new Date() }
    await world().hub.em().insert(Tag, tag)
    const kept = await agent.call('DELETE', `/api/tags/${tag.id}`)
    assert.deepEqual([kept.status, kept.body.code], [409, 'HUB_TAG_SYSTEM'])
    assert.equal(await world().hub.em().count(Tag, { id: tag.id }), 1)
  })

  test('each role says how many have it, and one that is had is not deleted', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const made = async () => (await owner.call('POST', '/api/roles', { name: newId(), grants: [] })).body.id as string
    const [none, two] = [await made(), await made()]
    const people = [await world().person('甲'), await world().person('乙')]
    for (const { id } of people) await owner.call('PATCH', `/api/agents/${id}`, { roleIds: [two] })
    const { items } = (await owner.call('GET', '/api/roles')).body as { items: { id: string; agentCount: number }[] }
    const countOf = (wanted: string) => items.find(({ id }) => id === wanted)?.agentCount
    assert.deepEqual([countOf(none), countOf(two)], [0, 2])
    assert.equal((await owner.call('PATCH', `/api/roles/${two}`, { name: newId() })).body.agentCount, 2)
    const refused = await owner.call('DELETE', `/api/roles/${two}`)
    assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_ROLE_IN_USE'])
    assert.equal((await owner.call('DELETE', `/api/roles/${none}`)).status, 200)
  })

  test('nobody gives what they do not have, and a hub keeps its last owner', async () => {
    const admin = await world().person('管理员', 'admin')
    const roles = (await admin.call('GET', '/api/roles')).body.items as { id: string; builtin: string }[]
    const owner = roles.find((role) => role.builtin === 'owner')
    const made = await admin.call('POST', '/api/agents', { email: 'evil@test.cn', name: '越权', roleIds: [owner?.id] })
    assert.deepEqual([made.status, made.body.code], [403, 'HUB_FORBIDDEN'])
    assert.equal((await admin.call('PATCH', `/api/roles/${owner?.id}`, { grants: [] })).body.code, 'HUB_ROLE_BUILTIN')
  })

  test('a last owner who can sign in stays one: those who are switched off, or have not come yet, do not count; of two at once one stays', async () => {
    const em = world().hub.em()
    const { id: ownerRole } = await em.findOneOrFail(Role, { builtin: 'owner' })
    const { id: adminRole } = await em.findOneOrFail(Role, { builtin: 'admin' })
    await em.nativeDelete(AgentRole, { roleId: ownerRole })
    const joined = { presence: 'away' as const, passwordHash: 'of-somebody-who-has-joined' }
    const [one, other] = [await world().person('甲', 'owner', joined), await world().person('乙', 'owner', joined)]
    const giveUp = (person: Person) => person.call('PATCH', `/api/agents/${person.id}`, { roleIds: [adminRole] })
    const kept = { status: 409, code: 'HUB_AGENT_LAST_OWNER' }
    const said = async (answer: ReturnType<Person['call']>) => ({ status: (await answer).status, code: (await answer).body.code })

    assert.equal((await one.call('PATCH', `/api/agents/${other.id}`, { active: false })).status, 200)
    assert.deepEqual(await said(giveUp(one)), kept)
    assert.deepEqual(await said(one.call('PATCH', `/api/agents/${one.id}`, { active: false })), kept)
    const invited = await one.call('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '接任者', roleIds: [ownerRole] })
    assert.equal(invited.status, 201)
    assert.deepEqual(await said(giveUp(one)), kept)
    for (let round = 0; round < 5; round++) {
      await em.nativeUpdate(Agent, { id: other.id }, { active: true })
      await em.nativeDelete(AgentRole, { agentId: { $in: [one.id, other.id] } })
      await em.insertMany(
        AgentRole,
        [one.id, other.id].map((agentId) => ({ agentId, roleId: ownerRole })),
      )
      world().hub.access.clear()
      const again = [await world().signIn(one.agent), await world().signIn(other.agent)] as const
      assert.deepEqual((await Promise.all(again.map(giveUp))).map(({ status }) => status).sort(), [200, 409])
    }
  })

  test('what a page that is old changes takes nothing back: of an account', async () => {
    const [one, other] = [await world().person('一号管理员', 'owner'), await world().person('二号管理员', 'owner')]
    const { body: roles } = await one.call('GET', '/api/roles')
    const [admin, agent] = ['admin', 'agent'].map((name) => roles.items.find(({ builtin }: { builtin: string }) => builtin === name).id as string)
    const colleague = await world().person('小高', 'admin')
    const url = `/api/agents/${colleague.id}`
    const patch = (by: Person, body: unknown) => by.call('PATCH', url, body)
    assert.equal((await patch(one, { roleIds: [agent, admin] })).status, 200)

    const { body: open } = await one.call('GET', url)
    assert.deepEqual([...open.roleIds].sort(), [agent, admin].sort())
    assert.equal((await patch(other, { roleIds: [agent], email: `${newId()}@test.cn` })).status, 200)
    // What the page did not touch stays as the other left it.
    const saved = await patch(one, { capacity: 11, was: { capacity: open.capacity } })
    assert.deepEqual([saved.status, saved.body.roleIds, saved.body.capacity], [200, [agent], 11])
    // What both touched is refused, and nothing of it is done.
    const both = await patch(one, { name: '小高高', roleIds: open.roleIds, was: { name: open.name, roleIds: open.roleIds } })
    assert.deepEqual([both.status, both.body.code, both.body.details], [409, 'HUB_CONFLICT', { path: '/roleIds' }])
    const { body: now } = await other.call('GET', url)
    assert.deepEqual([now.name, now.roleIds, now.capacity], ['小高', [agent], 11])
    // The same ids in another order are the same; nobody and no department are values too.
    assert.equal((await patch(one, { roleIds: [agent, admin], was: { roleIds: [agent] } })).status, 200)
    assert.equal((await patch(one, { capacity: 12, was: { roleIds: [admin, agent], departmentId: null, skillGroupIds: [] } })).status, 200)
    assert.equal((await patch(one, { capacity: 13, was: { departmentId: newId() } })).status, 409)

    const agentUrl = `/api/agents/${newId()}`
    assert.deepEqual([(await one.call('GET', agentUrl)).status, (await one.call('PATCH', agentUrl, { was: {} })).status], [404, 404])
    assert.equal((await colleague.call('PATCH', url, { was: { name: '小高' } })).status, 200)
    assert.equal((await (await world().person('小韩')).call('GET', url)).status, 403)
  })

  test('what a page that is old changes takes nothing back: of a role', async () => {
    const owner = await world().person('老板', 'owner')
    const tags = { permission: 'tag.manage' }
    const plugins = { permission: 'plugin.manage' }
    const reads = { permission: 'conversation.read', scope: 'tree' }
    const { body: role } = await owner.call('POST', '/api/roles', { name: newId(), grants: [reads, tags] })
    const patch = (body: unknown) => owner.call('PATCH', `/api/roles/${role.id}`, body)
    assert.equal((await patch({ grants: [reads] })).status, 200)
    const stale = await patch({ grants: [reads, tags, plugins], was: { grants: role.grants } })
    assert.deepEqual([stale.status, stale.body.code, stale.body.details], [409, 'HUB_CONFLICT', { path: '/grants' }])
    // Two at once, both made of what they saw: one of them is told.
    const at = { grants: [{ scope: 'tree', permission: 'conversation.read' }] }
    const answers = await Promise.all([patch({ grants: [reads, tags], was: at }), patch({ grants: [reads, plugins], was: at })])
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    const held = (await owner.call('GET', '/api/roles')).body.items.find(({ id }: { id: string }) => id === role.id).grants
    assert.deepEqual(held, answers.find(({ status }) => status === 200)?.body.grants)
  })

  test('who manages agents or roles makes nobody who may more than they may', async () => {
    const em = world().hub.em()
    const manager = await world().person('人事', 'agent')
    const role = {
      id: newId(),
      builtin: null,
      name: '人事',
      grants: [{ permission: 'agent.manage' }, { permission: 'role.manage' }, { permission: 'conversation.read', scope: 'own' as const }],
      createdAt: new Date(),
    }
    await em.insert(Role, role)
    await em.nativeUpdate(AgentRole, { agentId: manager.id }, { roleId: role.id })
    world().hub.access.clear()
    const { id: adminRole } = await em.findOneOrFail(Role, { builtin: 'admin' })
    const forbidden = async (method: string, url: string, body?: unknown) => {
      const answer = await manager.call(method, url, body)
      assert.deepEqual([answer.status, answer.body.code], [403, 'HUB_FORBIDDEN'], `${method} ${url} ${JSON.stringify(body)}`)
    }
    await forbidden('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '越权', roleIds: [adminRole] })
    await forbidden('PATCH', `/api/agents/${manager.id}`, { roleIds: [adminRole, role.id] })
    await forbidden('PATCH', `/api/roles/${role.id}`, { grants: [{ permission: 'conversation.read', scope: 'all' }] })
    await forbidden('POST', '/api/roles', { name: 'x', grants: [{ permission: 'contact.personal', fields: ['phone'] }] })
    // Nor by the link of somebody who was invited and has not come yet.
    const owner = await world().person('老板', 'owner')
    const invited = await owner.call('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '新管理员', roleIds: [adminRole] })
    await forbidden('POST', `/api/agents/${invited.body.agent.id}/invitation`)
    // What they hold they may give, and an admin stays an admin when their name is mended.
    const made = await manager.call('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '同事', roleIds: [role.id] })
    assert.equal(made.status, 201)
    assert.equal((await manager.call('PATCH', `/api/agents/${invited.body.agent.id}`, { name: '改名', roleIds: [adminRole] })).status, 200)
    const taken = await manager.call('PATCH', `/api/agents/${made.body.agent.id}`, { email: invited.body.agent.email.toUpperCase() })
    assert.deepEqual([taken.status, taken.body.details], [409, { reason: 'email', path: '/email' }])
    const nameless = await manager.call('PATCH', `/api/agents/${made.body.agent.id}`, { name: '  ' })
    assert.deepEqual(nameless.body.details.faults, [{ path: 'body/name', rule: 'required', message: nameless.body.details.faults[0].message }])
  })

  test('who manages agents or departments brings nobody to see what they do not see, nor themselves', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const department = async (name: string, parentId: string | null = null) =>
      (await owner.call('POST', '/api/departments', { name, parentId })).body.id as string
    const north = await department('北区')
    const harbour = await department('港口', north)
    const south = await department('南区')
    const head = await world().person(
      '北区主管',
      [{ permission: 'agent.manage' }, { permission: 'department.manage' }, { permission: 'conversation.read', scope: 'tree' }],
      {
        departmentId: north,
      },
    )
    const { roleIds } = (await owner.call('GET', '/api/agents')).body.items.find(({ id }: { id: string }) => id === head.id)
    const outside = async (method: string, url: string, body: unknown, reason = 'reach') => {
      const answer = await head.call(method, url, body)
      assert.deepEqual([answer.status, answer.body.details?.reason], [403, reason], `${method} ${url} ${JSON.stringify(body)}`)
    }
    const input = (departmentId: string, roles: string[]) => ({ email: `${newId()}@test.cn`, name: '同事', departmentId, roleIds: roles })
    // Not by moving themselves, nor what is not theirs below themselves.
    await outside('PATCH', `/api/agents/${head.id}`, { departmentId: south })
    await outside('PATCH', `/api/departments/${south}`, { parentId: harbour })
    // Nor by an account whose link they hold: made there, given the role there, invited there by another.
    await outside('POST', '/api/agents', input(south, roleIds))
    const { body: plain } = await owner.call('POST', '/api/roles', { name: newId(), grants: [] })
    const { body: made } = await head.call('POST', '/api/agents', input(south, [plain.id]))
    await outside('PATCH', `/api/agents/${made.agent.id}`, { roleIds })
    const { body: theirs } = await owner.call('POST', '/api/agents', input(south, roleIds))
    await outside('POST', `/api/agents/${theirs.agent.id}/invitation`, undefined)
    // Who may more keeps their address, and is not shut out.
    const admin = await world().person('管理员', 'admin')
    await outside('PATCH', `/api/agents/${admin.id}`, { email: `${newId()}@test.cn` }, 'higher')
    await outside('PATCH', `/api/agents/${admin.id}`, { active: false }, 'higher')
    // Within what they see they do as they like, and who sees everything may be anywhere.
    assert.equal((await head.call('POST', '/api/agents', input(harbour, roleIds))).status, 201)
    assert.equal((await head.call('PATCH', `/api/agents/${head.id}`, { departmentId: harbour })).status, 200)
    assert.equal((await admin.call('PATCH', `/api/agents/${admin.id}`, { departmentId: south })).status, 200)
    assert.equal((await admin.call('PATCH', `/api/departments/${north}`, { parentId: south })).status, 200)
  })

  test('a skill group takes agents that there are, and an agent skill groups that there are', async () => {
    const owner = await world().person('老板', 'owner')
    const missing = newId()
    const group = await owner.call('POST', '/api/skill-groups', { name: '英语', agentIds: [missing, owner.id] })
    assert.deepEqual([group.status, group.body.details], [404, { path: '/agentIds' }])
    const agent = await owner.call('PATCH', `/api/agents/${owner.id}`, { skillGroupIds: [missing] })
    assert.deepEqual([agent.status, agent.body.details], [404, { path: '/skillGroupIds' }])
    const made = await owner.call('POST', '/api/skill-groups', { name: '英语', agentIds: [owner.id] })
    assert.equal(made.status, 201)
    assert.equal((await owner.call('PATCH', `/api/agents/${owner.id}`, { skillGroupIds: [made.body.id] })).status, 200)
  })

  test('a cookie is not enough from another site', async () => {
    const agent = await world().person('小蒋')
    const response = await fetch(new URL('/api/me/presence', world().url), {
      method: 'PUT',
      headers: { cookie: agent.cookie, 'content-type': 'application/json', origin: 'https://evil.example' },
      body: JSON.stringify({ presence: 'away' }),
    })
    assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [403, 'HUB_REQUEST_ORIGIN'])
  })
})
