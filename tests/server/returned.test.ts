/** What goes back to the queue, and where it waits there: by its inbox, never where it only was because of who had it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { AssignmentRule } from '../../core/src/domain/assignment/assignment-rule.entity.ts'
import { Assignment, Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { gatherAstray } from '../../core/src/domain/conversation/leave-place.ts'
import { returnUnserved } from '../../core/src/domain/conversation/return-conversations.ts'
import { Department, SkillGroup } from '../../core/src/domain/department/department.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const own = (permission: string, inboxIds?: string[]): Grant => ({ permission, scope: 'own', ...(inboxIds ? { inboxIds } : {}) })
const serving = (inboxIds?: string[]) => ['conversation.read', 'conversation.reply', 'conversation.close'].map((name) => own(name, inboxIds))

async function place(world: World): Promise<string> {
  const id = newId()
  await world.hub.em().insert(Department, { id, name: '组', parentId: null, createdAt: new Date() })
  return id
}
let customers = 0
async function come(world: World, inbox: Inbox): Promise<string> {
  const [accepted] = await world.say(inbox, `c${++customers}`, '有人吗')
  return accepted?.conversationId ?? ''
}
const now = (world: World, id: string) => world.hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
const where = async (world: World, id: string) => {
  const { status, assigneeId, departmentId } = await now(world, id)
  return [status, assigneeId ?? null, departmentId ?? null]
}
const load = async (world: World, { id }: Person) => (await world.hub.em().findOneOrFail(Agent, { id }, { disableIdentityMap: true })).openCount
const be = (presence: string, ...people: Person[]) => Promise.all(people.map((person) => person.call('PUT', '/api/me/presence', { presence })))
const lastLine = async (world: World, conversationId: string) => {
  const [last] = await world.hub.em().find(Assignment, { conversationId }, { orderBy: { id: 'desc' }, limit: 1, disableIdentityMap: true })
  return [last?.reason, last?.fromAgentId, last?.toAgentId, last?.byAgentId]
}

await onEveryProfile('returned', [found(manifest)], (world) => {
  test('of an inbox of no department it waits for everybody again, whoever had it', async () => {
    const admin = await world().person('管理', 'admin', { presence: 'offline' })
    const [north, south] = [await place(world()), await place(world())]
    const a = await world().person('甲', 'agent', { departmentId: north })
    const b = await world().person('乙', 'agent', { departmentId: south, presence: 'away' })
    const inbox = await world().inbox('mock')
    const id = await come(world(), inbox)
    assert.deepEqual(await where(world(), id), ['open', a.id, north])
    assert.equal((await b.call('GET', `/api/conversations/${id}`)).status, 404)
    await admin.call('PATCH', `/api/agents/${a.id}`, { active: false })
    assert.deepEqual(await where(world(), id), ['queued', null, null])
    // Who may take it sees it, and their number says so.
    assert.equal((await b.call('GET', `/api/conversations/${id}`)).status, 200)
    assert.equal((await b.call('GET', '/api/conversations/counts')).body.queue, 1)
    assert.deepEqual(
      (await b.call('GET', '/api/conversations?group=queue')).body.items.map((item: { id: string }) => item.id),
      [id],
    )
    await be('online', b)
    assert.deepEqual(await where(world(), id), ['open', b.id, south])
    await be('offline', b)
  })

  test('so it does when an heir may not serve it', async () => {
    const north = await place(world())
    const a = await world().person('甲', 'agent', { departmentId: north })
    const inbox = await world().inbox('mock')
    const id = await come(world(), inbox)
    assert.deepEqual(await where(world(), id), ['open', a.id, north])
    const heir = await world().person('乙', [own('conversation.read')], { departmentId: north })
    assert.equal((await a.call('PUT', '/api/me/presence', { presence: 'offline', handOverTo: heir.id })).status, 200)
    assert.deepEqual(await where(world(), id), ['queued', null, null])
    await be('offline', heir)
  })

  test('whom everybody helped waits for its own people again, and for its skill group', async () => {
    const admin = await world().person('管理', 'admin', { presence: 'offline' })
    const [north, south] = [await place(world()), await place(world())]
    const mine = await world().person('本组', 'agent', { departmentId: north, presence: 'offline' })
    const helper = await world().person('外组', 'agent', { departmentId: south })
    const inbox = await world().inbox('mock', {}, { departmentId: north })
    const rule = { scope: 'inbox' as const, targetId: inbox.id, strategy: 'leastLoaded' as const, maxOpen: null, whenFull: 'everybody' as const }
    await world()
      .hub.em()
      .insert(AssignmentRule, { id: newId(), ...rule, updatedAt: new Date() })
    const id = await come(world(), inbox)
    assert.deepEqual(await where(world(), id), ['open', helper.id, south])
    // While it is open its inbox is given a group; what is open stays with who has it.
    const group = newId()
    await world().hub.em().insert(SkillGroup, { id: group, name: '退款', createdAt: new Date() })
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { skillGroupId: group })).status, 200)
    assert.deepEqual(await where(world(), id), ['open', helper.id, south])
    await admin.call('PATCH', `/api/agents/${helper.id}`, { active: false })
    assert.deepEqual([...(await where(world(), id)), (await now(world(), id)).skillGroupId], ['queued', null, north, group])
    await admin.call('PATCH', `/api/agents/${mine.id}`, { skillGroupIds: [group] })
    await be('online', mine)
    assert.deepEqual(await where(world(), id), ['open', mine.id, north])
    await be('offline', mine)
  })

  test('what a role may no longer answer is given to who may; what it may stays', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'offline' })
    const north = await place(world())
    const m = await world().person('小马', 'agent', { departmentId: north, presence: 'offline' })
    const inbox = await world().inbox('mock', {}, { departmentId: north })
    const other = await world().inbox('mock', {}, { departmentId: north })
    const role = (await owner.call('POST', '/api/roles', { name: newId(), grants: serving() })).body.id as string
    const people = [await world().person('小任', 'agent', { departmentId: north }), await world().person('小仁', 'agent', { departmentId: north })]
    for (const { id } of people) assert.equal((await owner.call('PATCH', `/api/agents/${id}`, { roleIds: [role] })).status, 200)
    const ids = [await come(world(), inbox), await come(world(), inbox), await come(world(), other), await come(world(), other)]
    const held = await Promise.all(ids.map((id) => now(world(), id)))
    assert.deepEqual(new Set(held.map(({ assigneeId }) => assigneeId)), new Set(people.map(({ id }) => id)))
    await be('online', m)
    const patch = (grants: Grant[]) => owner.call('PATCH', `/api/roles/${role}`, { grants })
    const returning = async (grants: Grant[]) => (await owner.call('POST', `/api/roles/${role}/returning`, { grants })).body.count
    const account = async (roleIds: string[]) => (await owner.call('POST', `/api/agents/${people[0]?.id}/returning`, { roleIds })).body.count
    const theirs = held.filter(({ assigneeId }) => assigneeId === people[0]?.id).length
    assert.deepEqual([await returning(serving()), await returning(serving([other.id])), await returning([]), await account([role])], [0, 2, 4, 0])
    const reading = (await owner.call('POST', '/api/roles', { name: newId(), grants: [own('conversation.read')] })).body.id as string
    assert.deepEqual([await account([reading]), await account([reading, role])], [theirs, 0])
    assert.equal((await m.call('POST', `/api/roles/${role}/returning`, { grants: [] })).status, 403)
    // More than before, or another name: nobody is looked at.
    assert.equal((await patch([...serving(), own('conversation.transfer')])).status, 200)
    assert.deepEqual(
      (await Promise.all(ids.map((id) => now(world(), id)))).map(({ rev }) => rev),
      held.map(({ rev }) => rev),
    )
    assert.equal((await patch(serving([other.id]))).status, 200)
    const after = await Promise.all(ids.map((id) => now(world(), id)))
    assert.deepEqual(
      after.map(({ status, assigneeId }) => [status, assigneeId]),
      held.map(({ inboxId, assigneeId }) => ['open', inboxId === inbox.id ? m.id : assigneeId]),
    )
    const trail = await world()
      .hub.em()
      .find(Assignment, { conversationId: ids[0] as string, reason: 'returned' }, { disableIdentityMap: true })
    assert.deepEqual(
      trail.map(({ fromAgentId, toAgentId, byAgentId }) => [fromAgentId, toAgentId, byAgentId]),
      [[held[0]?.assigneeId, null, owner.id]],
    )
    assert.equal((await patch([])).status, 200)
    assert.deepEqual(
      (await Promise.all(ids.map((id) => now(world(), id)))).map(({ assigneeId }) => assigneeId),
      ids.map(() => m.id),
    )
    assert.deepEqual(await Promise.all([...people, m].map((person) => load(world(), person))), [0, 0, 4])
    await be('offline', m)
  })

  test('nor does an account keep what it may not answer: by other roles, with nobody else there it waits', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'offline' })
    const [north, south] = [await place(world()), await place(world())]
    const a = await world().person('甲', 'agent', { departmentId: north })
    const inbox = await world().inbox('mock', {}, { departmentId: north })
    const id = await come(world(), inbox)
    // Of another department they go on with what is theirs: every reach includes it.
    assert.equal((await owner.call('PATCH', `/api/agents/${a.id}`, { departmentId: south })).status, 200)
    assert.deepEqual(await where(world(), id), ['open', a.id, north])
    const role = (await owner.call('POST', '/api/roles', { name: newId(), grants: [own('conversation.read')] })).body.id as string
    assert.equal((await owner.call('PATCH', `/api/agents/${a.id}`, { roleIds: [role] })).status, 200)
    assert.deepEqual(await where(world(), id), ['queued', null, north])
    assert.deepEqual(await lastLine(world(), id), ['returned', a.id, null, owner.id])
    assert.equal(await load(world(), a), 0)
    await be('offline', a)
  })

  test('what a process left undone that died right after the change is found', async () => {
    const north = await place(world())
    const a = await world().person('甲', serving(), { departmentId: north })
    const inbox = await world().inbox('mock', {}, { departmentId: north })
    const id = await come(world(), inbox)
    assert.deepEqual(await where(world(), id), ['open', a.id, north])
    const roleId = (await a.call('GET', '/api/me')).body.agent.roleIds[0]
    await world().hub.em().nativeUpdate(Role, { id: roleId }, { grants: [] })
    world().hub.access.clear()
    await returnUnserved(world().hub, undefined, null)
    assert.deepEqual(await where(world(), id), ['queued', null, north])
    assert.deepEqual(await lastLine(world(), id), ['returned', a.id, null, null])
    await be('offline', a)
  })

  test('who waits goes with the inbox that is moved, and is routed there', async () => {
    const admin = await world().person('管理', 'admin', { presence: 'offline' })
    const [empty, staffed] = [await place(world()), await place(world())]
    const m = await world().person('小马', 'agent', { departmentId: staffed, capacity: 1 })
    const inbox = await world().inbox('mock', {}, { departmentId: empty })
    const beside = await world().inbox('mock', {}, { departmentId: empty })
    const [first, second, foreign] = [await come(world(), inbox), await come(world(), inbox), await come(world(), beside)]
    const before = await now(world(), second)
    assert.deepEqual(await where(world(), first), ['queued', null, empty])
    assert.equal((await m.call('GET', `/api/conversations/${second}`)).status, 404)
    // A name alone moves nobody.
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { name: '新名' })).status, 200)
    assert.equal((await now(world(), second)).rev, before.rev)
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { departmentId: staffed })).status, 200)
    assert.deepEqual(await where(world(), first), ['open', m.id, staffed])
    // There is no room for this one, but it is seen where it will be taken; every client hears of it.
    assert.deepEqual(await where(world(), second), ['queued', null, staffed])
    assert.ok((await now(world(), second)).rev > before.rev)
    assert.equal((await m.call('GET', `/api/conversations/${second}`)).status, 200)
    assert.deepEqual(await where(world(), foreign), ['queued', null, empty])
    await be('offline', m)
  })

  test('what came by an inbox as it was a moment before is gathered', async () => {
    const [empty, staffed] = [await place(world()), await place(world())]
    const inbox = await world().inbox('mock', {}, { departmentId: staffed })
    const id = await come(world(), inbox)
    await world().hub.em().nativeUpdate(Conversation, { id }, { departmentId: empty })
    const { rev } = await now(world(), id)
    await gatherAstray(world().hub)
    assert.deepEqual([...(await where(world(), id)), (await now(world(), id)).rev], ['queued', null, staffed, rev + 1])
  })
})
