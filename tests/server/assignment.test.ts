/** Who gets a conversation: the rules, the fallbacks, the explanation, and two that choose at once. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { AssignmentExplanation } from '../../core/sdk/wire/assignment.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { newAgent } from '../../core/src/domain/agent/create-owner.ts'
import { AssignmentRule } from '../../core/src/domain/assignment/assignment-rule.entity.ts'
import { routeQueue } from '../../core/src/domain/conversation/assign-conversation.ts'
import { closeConversation } from '../../core/src/domain/conversation/close-conversation.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { returnOrphans } from '../../core/src/domain/conversation/return-conversations.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { Department, SkillGroup } from '../../core/src/domain/department/department.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, onEveryProfile, type Person, startWorld, type World } from '../support/world.ts'

const { manifest } = mockChannel()

/** A department of a test's own, its people and its inbox: nobody else's load touches it. */
async function team(world: World, people: Partial<Agent>[], parentId: string | null = null) {
  const department = { id: newId(), name: '组', parentId, createdAt: new Date() } as Department
  await world.hub.em().insert(Department, department)
  const members: Person[] = []
  for (const [i, fields] of people.entries()) members.push(await world.person(`组员${i}`, 'agent', { departmentId: department.id, ...fields }))
  return { department, members, inbox: await world.inbox('mock', {}, { departmentId: department.id }) }
}
let customers = 0
async function come(world: World, inbox: Inbox, who = `c${++customers}`): Promise<Conversation> {
  const [accepted] = await world.say(inbox, who, '你好')
  return world.hub.em().findOneOrFail(Conversation, { id: accepted?.conversationId ?? '' }, { disableIdentityMap: true })
}
const rule = (world: World, scope: AssignmentRule['scope'], targetId: string, fields: Partial<AssignmentRule>) =>
  world.hub
    .em()
    .insert(AssignmentRule, { id: newId(), scope, targetId, strategy: 'leastLoaded', maxOpen: null, whenFull: 'queue', updatedAt: new Date(), ...fields })
const explain = async (admin: Person, inbox: Inbox): Promise<AssignmentExplanation> =>
  (await admin.call('GET', `/api/assignment-rules/explain?inboxId=${inbox.id}`)).body

await onEveryProfile('assignment', [found(manifest)], (world) => {
  test('least loaded first, never beyond the cap, then the queue; room gives the oldest away', async () => {
    const { members, inbox } = await team(world(), [{ capacity: 2 }, { capacity: 1 }])
    const [a, b] = members.map(({ id }) => id)
    const got = [await come(world(), inbox), await come(world(), inbox), await come(world(), inbox)]
    assert.deepEqual(got.map(({ assigneeId }) => assigneeId).sort(), [a, a, b].sort())
    const [first, second] = [await come(world(), inbox), await come(world(), inbox)]
    assert.deepEqual([first.status, second.status], ['queued', 'queued'])
    await closeConversation(world().hub, got.find(({ assigneeId }) => assigneeId === b)?.id ?? '', 'agent', null)
    const em = world().hub.em()
    assert.equal((await em.findOneOrFail(Conversation, { id: first.id }, { disableIdentityMap: true })).assigneeId, b)
    assert.equal((await em.findOneOrFail(Conversation, { id: second.id }, { disableIdentityMap: true })).status, 'queued')
  })

  test('an inbox is attended when somebody is there whom routing would give its conversations', async () => {
    const attended = (inbox: Inbox) => createDesk(world().hub).attended(inbox.id)
    const { department, members, inbox } = await team(world(), [{}])
    const sub = await team(world(), [], department.id)
    const [member] = members as [Person]
    const be = (presence: string) => member.call('PUT', '/api/me/presence', { presence })
    // Whoever else is there is of another department.
    await world().person('别处', 'agent', { presence: 'online' })
    assert.deepEqual([await attended(inbox), await attended(sub.inbox)], [true, false])
    for (const [presence, there] of [
      ['busy', true],
      ['away', false],
      ['offline', false],
    ] as const) {
      await be(presence)
      assert.equal(await attended(inbox), there, presence)
    }
    const over = await team(world(), [{ presence: 'offline' }])
    assert.equal(await attended(over.inbox), false)
    await rule(world(), 'inbox', over.inbox.id, { whenFull: 'everybody' })
    assert.equal(await attended(over.inbox), true)
    const hall = await world().inbox('mock')
    assert.equal(await attended(hall), true, 'of no department: everybody’s')
    // There, and of its people, but without the right to answer in it.
    await be('online')
    await world().grant(member, [{ permission: 'conversation.reply', scope: 'own', inboxIds: [hall.id] }])
    assert.deepEqual([await attended(inbox), (await come(world(), inbox)).status], [false, 'queued'])
    assert.equal(await attended(hall), true)
    await member.call('PUT', '/api/me/presence', { presence: 'offline' })
    const gone = await world().inbox('mock')
    await world().hub.em().nativeUpdate(Inbox, { id: gone.id }, { enabled: false })
    assert.equal(await attended(gone), false)
  })

  test('only to who may answer in it: by routing, by hand, by going away; the explanation says why', async () => {
    const admin = await world().person('管理', 'admin')
    const role = (grants: object[]) => admin.call('POST', '/api/roles', { name: newId(), grants }).then(({ body }) => body.id as string)
    const { department, members, inbox } = await team(world(), [{}, {}, {}])
    const [able, reader, elsewhere] = members as [Person, Person, Person]
    const other = await world().inbox('mock')
    const onlyThere = [{ permission: 'conversation.reply', scope: 'own', inboxIds: [other.id] }]
    await admin.call('PATCH', `/api/agents/${reader.id}`, { roleIds: [await role([{ permission: 'conversation.read', scope: 'all' }])] })
    await admin.call('PATCH', `/api/agents/${elsewhere.id}`, { roleIds: [await role(onlyThere)] })
    const got = [await come(world(), inbox), await come(world(), inbox), await come(world(), inbox)]
    assert.deepEqual(
      got.map(({ assigneeId }) => assigneeId),
      [able.id, able.id, able.id],
    )
    const told = await explain(admin, inbox)
    assert.deepEqual(
      told.people.map(({ id, verdict }) => [id, verdict]),
      [
        [able.id, 'next'],
        ...[reader.id, elsewhere.id]
          .sort((a, b) => told.people.findIndex(({ id }) => id === a) - told.people.findIndex(({ id }) => id === b))
          .map((id) => [id, 'noRight']),
      ],
    )
    const moved = await able.call('POST', `/api/conversations/${got[0]?.id}/transfer`, { agentId: reader.id })
    assert.deepEqual([moved.status, moved.body.code], [409, 'HUB_AGENT_CANNOT_SERVE'])
    // Whoever is not there is given nothing, by hand neither.
    const left = await world().person('下班的', 'agent', { departmentId: department.id, presence: 'offline' })
    for (const refused of [
      await able.call('POST', `/api/conversations/${got[0]?.id}/transfer`, { agentId: left.id }),
      await able.call('PUT', '/api/me/presence', { presence: 'busy', handOverTo: left.id }),
    ])
      assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_AGENT_UNAVAILABLE'])
    // What a colleague may not serve waits for others when its agent goes away.
    await able.call('PUT', '/api/me/presence', { presence: 'away', handOverTo: reader.id })
    const now = await world().hub.em().find(Conversation, { departmentId: department.id }, { disableIdentityMap: true })
    assert.deepEqual(new Set(now.map(({ status, assigneeId }) => `${status} ${assigneeId}`)), new Set(['queued null']))
  })

  test('who goes away hands over what they may transfer, to who is there; else nothing has happened, and they are told', async () => {
    const { members, inbox } = await team(world(), [{}, { presence: 'busy' }, { presence: 'away' }])
    const [leaver, heir, absent] = members as [Person, Person, Person]
    const em = world().hub.em()
    const got = [await come(world(), inbox), await come(world(), inbox)]
    assert.ok(got.every(({ assigneeId }) => assigneeId === leaver.id))
    await em.nativeUpdate(Agent, { id: heir.id }, { presence: 'online' })
    const go = async (to: Person) => {
      const { status, body } = await leaver.call('PUT', '/api/me/presence', { presence: 'away', handOverTo: to.id })
      const [{ presence }, rows] = await Promise.all([
        em.findOneOrFail(Agent, { id: leaver.id }, { disableIdentityMap: true }),
        em.find(Conversation, { id: { $in: got.map(({ id }) => id) } }, { disableIdentityMap: true }),
      ])
      return [status, body.code, presence, rows.filter(({ assigneeId }) => assigneeId === leaver.id).length]
    }
    assert.deepEqual(await go(absent), [409, 'HUB_AGENT_UNAVAILABLE', 'online', 2])
    const other = await world().inbox('mock')
    const within = (inboxIds?: string[]) => ({ permission: 'conversation.transfer', scope: 'own' as const, ...(inboxIds ? { inboxIds } : {}) })
    const rest = [
      { permission: 'conversation.read', scope: 'own' as const },
      { permission: 'conversation.reply', scope: 'own' as const },
    ]
    for (const grants of [rest, [...rest, within([other.id])]]) {
      await world().grant(leaver, grants)
      assert.deepEqual(await go(heir), [403, 'HUB_FORBIDDEN', 'online', 2])
    }
    await world().grant(leaver, [...rest, within([inbox.id])])
    assert.deepEqual(await go(heir), [200, undefined, 'away', 0])
  })

  test('what somebody had who is switched off goes to others, also when that was cut off in the middle', async () => {
    const admin = await world().person('管理', 'admin')
    const { department, members, inbox } = await team(world(), [{ capacity: 2 }, { presence: 'busy' }])
    const [leaver, stayer] = members as [Person, Person]
    const got = [await come(world(), inbox), await come(world(), inbox)]
    assert.ok(got.every(({ assigneeId }) => assigneeId === leaver.id))
    const em = world().hub.em()
    await em.nativeUpdate(Agent, { id: stayer.id }, { presence: 'online' })
    assert.equal((await admin.call('PATCH', `/api/agents/${leaver.id}`, { active: false })).status, 200)
    const theirs = () => em.find(Conversation, { departmentId: department.id }, { disableIdentityMap: true })
    assert.ok((await theirs()).every(({ status, assigneeId }) => status === 'open' && assigneeId === stayer.id))
    assert.equal((await em.findOneOrFail(Agent, { id: leaver.id }, { disableIdentityMap: true })).openCount, 0)
    // As a process leaves it that dies right after the switch.
    await em.nativeUpdate(Conversation, { departmentId: department.id }, { assigneeId: leaver.id })
    await em.nativeUpdate(Agent, { id: leaver.id }, { openCount: 2 })
    await returnOrphans(world().hub)
    assert.ok((await theirs()).every(({ status, assigneeId }) => status === 'open' && assigneeId === stayer.id))
  })

  test('in turn, whatever they have; the rule of the inbox before the one of the department', async () => {
    const { department, members, inbox } = await team(world(), [{ openCount: 5 }, { openCount: 0 }, { openCount: 2 }])
    await rule(world(), 'department', department.id, { strategy: 'leastLoaded' })
    await rule(world(), 'inbox', inbox.id, { strategy: 'roundRobin' })
    const got: (string | null | undefined)[] = []
    for (let i = 0; i < 6; i++) got.push((await come(world(), inbox)).assigneeId)
    assert.equal(new Set(got.slice(0, 3)).size, 3)
    assert.deepEqual(got.slice(3), got.slice(0, 3))
    assert.deepEqual(new Set(got), new Set(members.map(({ id }) => id)))
  })

  test('a rule of the department above counts below; its cap is the lesser one', async () => {
    const above = await team(world(), [])
    const { inbox } = await team(world(), [{ capacity: 50 }], above.department.id)
    await rule(world(), 'department', above.department.id, { maxOpen: 2 })
    const got = [await come(world(), inbox), await come(world(), inbox), await come(world(), inbox)]
    assert.deepEqual(
      got.map(({ status }) => status),
      ['open', 'open', 'queued'],
    )
  })

  test('whoever served them last, and somebody else when that one is busy', async () => {
    const { members, inbox } = await team(world(), [{}, {}, {}])
    await rule(world(), 'inbox', inbox.id, { strategy: 'lastAgent' })
    const first = await come(world(), inbox, 'regular')
    await closeConversation(world().hub, first.id, 'agent', null)
    for (let i = 0; i < 3; i++) await come(world(), inbox)
    const again = await come(world(), inbox, 'regular')
    assert.equal(again.assigneeId, first.assigneeId)
    await closeConversation(world().hub, again.id, 'agent', null)
    await members.find(({ id }) => id === first.assigneeId)?.call('PUT', '/api/me/presence', { presence: 'busy' })
    assert.notEqual((await come(world(), inbox, 'regular')).assigneeId, first.assigneeId)
  })

  test('when nobody has room: everybody with a free hand, or the least loaded beyond the cap; nobody there is always the queue', async () => {
    const full = { capacity: 1, openCount: 1 }
    const overflow = await team(world(), [full])
    await rule(world(), 'inbox', overflow.inbox.id, { whenFull: 'everybody' })
    const helper = await world().person('外组', 'agent', { openCount: -9 })
    assert.equal((await come(world(), overflow.inbox)).assigneeId, helper.id)

    const forced = await team(world(), [{ ...full, openCount: 3 }, full])
    await rule(world(), 'inbox', forced.inbox.id, { whenFull: 'force' })
    assert.equal((await come(world(), forced.inbox)).assigneeId, forced.members[1]?.id)

    const gone = await team(world(), [{ presence: 'away' }, { seenAt: new Date(0) }])
    await rule(world(), 'inbox', gone.inbox.id, { whenFull: 'force' })
    assert.equal((await come(world(), gone.inbox)).status, 'queued')
  })

  test('a busy one gets it only when all who are there are busy', async () => {
    const { members, inbox } = await team(world(), [{ presence: 'busy', openCount: 0 }, { openCount: 4 }])
    assert.equal((await come(world(), inbox)).assigneeId, members[1]?.id)
    await members[1]?.call('PUT', '/api/me/presence', { presence: 'away' })
    assert.equal((await come(world(), inbox)).assigneeId, members[0]?.id)
  })

  test('a full department does not hold up the people of another', async () => {
    const stuck = await team(world(), [{ presence: 'away' }])
    for (let i = 0; i < 55; i++) await come(world(), stuck.inbox)
    const { members, inbox } = await team(world(), [{ presence: 'away' }])
    const waiting = await come(world(), inbox)
    await members[0]?.call('PUT', '/api/me/presence', { presence: 'online' })
    assert.equal((await world().hub.em().findOneOrFail(Conversation, { id: waiting.id }, { disableIdentityMap: true })).assigneeId, members[0]?.id)
  })

  test('nor do more than a thousand who wait there: one behind them is found', async () => {
    const night = await team(world(), [{ presence: 'away' }])
    const day = await team(world(), [{ presence: 'away' }])
    const em = world().hub.em()
    const first = await come(world(), night.inbox)
    const crowd = Array.from({ length: 1_100 }, (_, i) => ({ ...first, id: newId(), openIdentityId: null, createdAt: new Date(first.createdAt.getTime() + i) }))
    for (let i = 0; i < crowd.length; i += 100) await em.insertMany(Conversation, crowd.slice(i, i + 100))
    const last = await come(world(), day.inbox)
    await em.nativeUpdate(Conversation, { id: last.id }, { createdAt: new Date(first.createdAt.getTime() + 5_000) })
    assert.equal(last.status, 'queued')
    const [agent] = day.members
    await em.nativeUpdate(Agent, { id: agent?.id ?? '' }, { presence: 'online', seenAt: new Date(Date.now() + 3_600_000) })
    await routeQueue(world().hub)
    // The hub looks by itself now and then: it may have come first.
    await eventually(async () => (await em.findOneOrFail(Conversation, { id: last.id }, { disableIdentityMap: true })).assigneeId === agent?.id, 'its agent')
    await em.nativeDelete(Conversation, { id: { $in: crowd.map(({ id }) => id) } })
  })

  test('more people than are looked at in one go, none of whom may: one behind them is found', async () => {
    const { department, members, inbox } = await team(world(), [{}])
    const em = world().hub.em()
    await em.nativeUpdate(Agent, { id: members[0]?.id ?? '' }, { openCount: 1 })
    const seenAt = new Date(Date.now() + 3_600_000)
    const crowd = Array.from({ length: 230 }, (_, i) =>
      newAgent({ email: `${newId()}@shanye.cn`, name: `旁人${i}`, departmentId: department.id, presence: 'online', seenAt }),
    )
    for (let i = 0; i < crowd.length; i += 100) await em.insertMany(Agent, crowd.slice(i, i + 100))
    assert.equal((await come(world(), inbox)).assigneeId, members[0]?.id)
    await em.nativeDelete(Agent, { id: { $in: crowd.map(({ id }) => id) } })
  })

  test('the explanation names the one who then gets it, and why the others do not', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const { inbox, department } = await team(world(), [
      { openCount: 3 },
      { openCount: 1 },
      { capacity: 1, openCount: 1 },
      { presence: 'busy' },
      { presence: 'away' },
      { seenAt: new Date(0) },
    ])
    const told = await explain(admin, inbox)
    assert.equal(told.outcome, 'routed')
    assert.equal(told.rule.scope, 'hub')
    assert.deepEqual(
      told.people.map(({ verdict }) => verdict),
      ['next', 'ready', 'full', 'busy', 'away', 'offline'],
    )
    assert.equal((await come(world(), inbox)).assigneeId, told.agentId)
    const made = await admin.call('PUT', '/api/assignment-rules', {
      scope: 'department',
      targetId: department.id,
      strategy: 'roundRobin',
      maxOpen: 1,
      whenFull: 'queue',
    })
    assert.equal(made.status, 200)
    const after = await explain(admin, inbox)
    assert.deepEqual([after.outcome, after.agentId, after.rule.id], ['queued', null, made.body.id])
    assert.equal((await come(world(), inbox)).status, 'queued')
    assert.equal((await admin.call('DELETE', `/api/assignment-rules/${made.body.id}`)).status, 200)
    assert.equal((await explain(admin, inbox)).outcome, 'routed')
  })

  test('rules: saved once, refused for who may not and for what is not there, gone with their department', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const agent = await world().person('客服', 'agent', { presence: 'away' })
    const em = world().hub.em()
    const department = { id: newId(), name: '没人的组', parentId: null, createdAt: new Date() } as Department
    await em.insert(Department, department)
    const group = { id: newId(), name: '技能组', createdAt: new Date() } as SkillGroup
    await em.insert(SkillGroup, group)
    const body = { scope: 'skillGroup', targetId: group.id, strategy: 'lastAgent', whenFull: 'force' }
    const ids = [await admin.call('PUT', '/api/assignment-rules', body), await admin.call('PUT', '/api/assignment-rules', { ...body, maxOpen: 7 })].map(
      (answer) => answer.body.id,
    )
    assert.equal(ids[0], ids[1])
    assert.equal((await em.findOneOrFail(AssignmentRule, { id: ids[0] }, { disableIdentityMap: true })).maxOpen, 7)
    for (const [method, url, sent] of [
      ['GET', '/api/assignment-rules'],
      ['PUT', '/api/assignment-rules', body],
      ['DELETE', `/api/assignment-rules/${ids[0]}`],
      ['GET', `/api/assignment-rules/explain?inboxId=${newId()}`],
    ] as const)
      assert.deepEqual([(await agent.call(method, url, sent)).status], [403], `${method} ${url}`)
    assert.equal((await admin.call('PUT', '/api/assignment-rules', { ...body, targetId: newId() })).body.code, 'HUB_NOT_FOUND')
    assert.equal((await admin.call('PUT', '/api/assignment-rules', { ...body, strategy: 'dice' })).body.code, 'HUB_REQUEST_INVALID')
    assert.equal((await admin.call('PUT', '/api/assignment-rules', { ...body, maxOpen: 0 })).body.code, 'HUB_REQUEST_INVALID')
    assert.equal((await admin.call('GET', `/api/assignment-rules/explain?inboxId=${newId()}`)).status, 404)
    assert.equal((await admin.call('PUT', '/api/assignment-rules', { ...body, scope: 'department', targetId: department.id })).status, 200)
    assert.equal((await admin.call('DELETE', `/api/skill-groups/${group.id}`)).status, 200)
    assert.equal((await admin.call('DELETE', `/api/departments/${department.id}`)).status, 200)
    assert.equal(await em.count(AssignmentRule, { targetId: { $in: [group.id, department.id] } }), 0)
  })

  test('a department or skill group that is deleted leaves nothing waiting in it: what has not ended goes up, or to everybody', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const { department, members } = await team(world(), [{ presence: 'away' }])
    const as = members[0] as Person
    const below = await team(world(), [], department.id)
    const group = (await admin.call('POST', '/api/skill-groups', { name: '退款' })).body.id as string
    const put = (fields: object, id = below.inbox.id) => admin.call('PATCH', `/api/inboxes/${id}`, fields)
    const [queued, held, ended] = [await come(world(), below.inbox), await come(world(), below.inbox), await come(world(), below.inbox)]
    await closeConversation(world().hub, ended.id, 'agent', null)
    assert.equal((await as.call('POST', `/api/conversations/${held.id}/take`)).status, 200)
    const now = (id: string) => world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const stand = (id: string, fields: Partial<Conversation>) => world().hub.em().nativeUpdate(Conversation, { id }, fields)
    const away = (path: string) => admin.call('DELETE', `/api/${path}`)
    assert.equal((await put({ skillGroupId: group })).status, 200)
    for (const [path, holder] of [
      [`departments/${department.id}`, 'people and a department'],
      [`departments/${below.department.id}`, 'an inbox'],
      [`skill-groups/${group}`, 'an inbox'],
    ]) {
      const refused = await away(path as string)
      assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_DEPARTMENT_IN_USE'], `${path}: ${holder}`)
    }
    // Who waits goes with the inbox.
    assert.equal((await put({ departmentId: department.id, skillGroupId: null })).status, 200)
    const gone = await now(queued.id)
    assert.deepEqual([gone.status, gone.departmentId, gone.skillGroupId ?? null], ['queued', department.id, null])
    // What came a moment before that, and what an agent has who was of it.
    await stand(queued.id, { departmentId: below.department.id, skillGroupId: group })
    await stand(held.id, { departmentId: below.department.id, skillGroupId: group })
    assert.equal((await away(`departments/${below.department.id}`)).status, 200)
    const [first, theirs] = [await now(queued.id), await now(held.id)]
    assert.deepEqual([first.status, first.departmentId, first.skillGroupId], ['queued', department.id, group])
    assert.deepEqual([theirs.status, theirs.assigneeId, theirs.departmentId], ['open', as.id, department.id])
    assert.equal((await now(ended.id)).departmentId, below.department.id)
    assert.ok(first.rev > gone.rev)
    await as.call('PUT', '/api/me/presence', { presence: 'online' })
    assert.equal((await now(queued.id)).status, 'queued', 'for the group')
    assert.equal((await away(`skill-groups/${group}`)).status, 200)
    const last = await now(queued.id)
    assert.deepEqual([last.status, last.assigneeId, last.skillGroupId], ['open', as.id, null])
    assert.equal((await now(held.id)).skillGroupId, null)
  })

  test('inboxes and people are put only where there is a department or a skill group', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const inbox = await world().inbox('mock')
    const { body } = await admin.call('GET', '/api/roles')
    const person = { name: '新同事', email: `${newId()}@test.cn`, roleIds: [body.items.find((role: { builtin: string }) => role.builtin === 'agent').id] }
    const here = { channel: 'mock', name: '哪里都不在', settings: {} }
    for (const [method, path, sent, fields] of [
      ['PATCH', `inboxes/${inbox.id}`, {}, ['departmentId', 'skillGroupId']],
      ['POST', 'inboxes', here, ['departmentId', 'skillGroupId']],
      ['PATCH', `agents/${admin.id}`, {}, ['departmentId']],
      ['POST', 'agents', person, ['departmentId']],
    ] as const)
      for (const field of fields) {
        const refused = await admin.call(method, `/api/${path}`, { ...sent, [field]: newId() })
        assert.deepEqual([refused.status, refused.body.details], [404, { path: `/${field}` }], `${method} ${path}: ${field}`)
      }
    assert.equal(await world().hub.em().count(Inbox, { name: here.name }), 0)
  })

  for (const strategy of ['leastLoaded', 'roundRobin'] as const)
    test(`thirty at once (${strategy}): evenly, to the cap, and the rest waits`, async () => {
      const { members, inbox } = await team(world(), [{ capacity: 8 }, { capacity: 8 }, { capacity: 8 }])
      await rule(world(), 'inbox', inbox.id, { strategy })
      const got = await Promise.all(Array.from({ length: 30 }, () => come(world(), inbox)))
      assert.deepEqual(
        members.map(({ id }) => got.filter(({ assigneeId }) => assigneeId === id).length),
        [8, 8, 8],
      )
      assert.equal(got.filter(({ status }) => status === 'queued').length, 6)
      const agents = await world()
        .hub.em()
        .find(Agent, { id: { $in: members.map(({ id }) => id) } }, { disableIdentityMap: true })
      assert.deepEqual(
        agents.map(({ openCount }) => openCount),
        [8, 8, 8],
      )
    })
})

const served = (await profiles()).includes('served')
describe('two processes that assign at once', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  let worlds: World[] = []
  before(async () => {
    const place = await makePlace('served')
    worlds = await Promise.all([0, 1].map(() => startWorld(place, [found(mockChannel().manifest)])))
  })
  after(async () => {
    await Promise.all(worlds.map((world) => world.running.stop()))
    await worlds[0]?.place.remove()
  })

  for (const strategy of ['leastLoaded', 'roundRobin'] as const)
    test(`nobody gets two while a colleague has none, nobody goes beyond the cap (${strategy})`, async () => {
      const [a, b] = worlds as [World, World]
      const { members, inbox } = await team(a, [{ capacity: 5 }, { capacity: 5 }, { capacity: 5 }, { capacity: 5 }])
      await rule(a, 'inbox', inbox.id, { strategy })
      const counts = async () => {
        const agents = await a.hub.em().find(Agent, { id: { $in: members.map(({ id }) => id) } }, { disableIdentityMap: true })
        return agents.map(({ openCount }) => openCount)
      }
      for (let round = 1; round <= 3; round++) {
        await Promise.all(Array.from({ length: 4 }, (_, i) => come(i % 2 ? a : b, inbox)))
        assert.deepEqual(await counts(), [round, round, round, round])
      }
      const rest = await Promise.all(Array.from({ length: 12 }, (_, i) => come(i % 2 ? a : b, inbox)))
      await eventually(async () => (await counts()).every((count) => count === 5), 'everybody full')
      assert.equal(rest.filter(({ status }) => status === 'queued').length, 4)
    })
})
