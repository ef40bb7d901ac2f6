/** Departments (a tree) and skill groups (which cut across it). */
import { LockMode } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { DepartmentInput, SkillGroupInput, Department as WireDepartment, SkillGroup as WireSkillGroup } from '../../../sdk/wire/agent.ts'
import { IdParams, Ok } from '../../../sdk/wire/common.ts'
import { growsWithTree } from '../../access/reach.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { newId } from '../../db/types.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { AssignmentRule } from '../assignment/assignment-rule.entity.ts'
import { routeQueue } from '../conversation/assign-conversation.ts'
import { leavePlace } from '../conversation/leave-place.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { suspendRules } from '../retention/suspend-rules.ts'
import { changeSettings } from '../setting/tell-settings.ts'
import { Department, SkillGroup, SkillGroupMember } from './department.entity.ts'
import { movedBetween } from './moved.ts'
import { subtree } from './subtree.ts'

/** Of departments, and of skill groups: a list that is shown whole. */
const most = 500

export function departmentRoutes(app: App, hub: Hub): void {
  const manage = { access: { permission: 'department.manage' } }
  const changed = () => {
    hub.access.clear()
    hub.bus.publish('access.changed', {})
  }
  const present = (row: Department) => ({ id: row.id, parentId: row.parentId ?? null, name: row.name })

  app.get('/api/departments', { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ items: Type.Array(WireDepartment) }) } } }, async () => {
    const rows = await hub.em().find(Department, {}, { orderBy: { name: 'asc' }, limit: most, disableIdentityMap: true })
    return { items: rows.map(present) }
  })

  app.post('/api/departments', { config: manage, schema: { body: DepartmentInput, response: { 201: WireDepartment } } }, async (request, reply) => {
    const em = hub.em()
    const { name, parentId = null } = request.body
    if (parentId && !(await em.findOne(Department, { id: parentId }))) throw new HubError('HUB_NOT_FOUND', 'There is no such department', { path: '/parentId' })
    const row = { id: newId(), name: name.trim(), parentId, createdAt: new Date() } as Department
    await changeSettings(hub, request, async (tx) => {
      if ((await tx.count(Department, {})) >= most) throw new HubError('HUB_LIST_FULL', 'There are as many departments as there can be', { most })
      await tx.insert(Department, row)
      return { scope: 'department', change: 'created', id: row.id, name: row.name }
    })
    changed()
    return reply.status(201).send(present(row))
  })

  app.patch(
    '/api/departments/:id',
    { config: manage, schema: { params: IdParams, body: Type.Partial(DepartmentInput), response: { 200: WireDepartment } } },
    async (request) => {
      const { id } = request.params
      const { parentId } = request.body
      let row: Department | undefined
      let after = async () => {}
      await changeSettings(hub, request, async (tx) => {
        // All of them, locked in one order: two moves at once must not put two departments below each other.
        const all = await tx.find(Department, {}, { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
        const before = all.find((department) => department.id === id)
        if (!before) throw new HubError('HUB_NOT_FOUND', 'There is no such department')
        if (parentId && (subtree(id, all).includes(parentId) || !all.some((department) => department.id === parentId)))
          throw new HubError('HUB_REQUEST_INVALID', 'A department cannot lie below itself', {
            faults: [{ path: 'body/parentId', rule: 'belowItself', message: 'below itself' }],
          })
        if (parentId && parentId !== before.parentId) refuseWiderTree(actorOf(request), all, { ...before, parentId })
        if (parentId !== undefined && parentId !== before.parentId) after = await suspendRules(hub, tx)
        const patch = pick(request.body, ['name', 'parentId'])
        await tx.nativeUpdate(Department, { id }, patch)
        row = { ...before, ...patch } as Department
        return {
          scope: 'department',
          change: 'changed',
          id,
          name: row.name,
          fields: Object.keys(request.body),
          ...(await movedBetween(tx, before.parentId, parentId)),
        }
      })
      await after()
      changed()
      return present(row as unknown as Department)
    },
  )

  app.delete('/api/departments/:id', { config: manage, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const { id } = request.params
    let after = async () => {}
    let tell = () => {}
    await changeSettings(hub, request, async (tx) => {
      const row = await tx.findOne(Department, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
      if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such department')
      const used =
        (await tx.count(Department, { parentId: id })) + (await tx.count(Agent, { departmentId: id })) + (await tx.count(Inbox, { departmentId: id }))
      if (used > 0) throw new HubError('HUB_DEPARTMENT_IN_USE', 'Agents, inboxes or departments belong to it', { used })
      after = await suspendRules(hub, tx)
      tell = await leavePlace(hub, tx, 'departmentId', id, row.parentId ?? null)
      await tx.nativeDelete(AssignmentRule, { scope: 'department', targetId: id })
      await tx.nativeDelete(Department, { id })
      return { scope: 'department', change: 'deleted', id }
    })
    tell()
    await after()
    changed()
    await routeQueue(hub)
    return { ok: true as const }
  })

  app.get('/api/skill-groups', { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ items: Type.Array(WireSkillGroup) }) } } }, async () => {
    const em = hub.em()
    const rows = await em.find(SkillGroup, {}, { orderBy: { name: 'asc' }, limit: most, disableIdentityMap: true })
    const members = await em.find(SkillGroupMember, { skillGroupId: { $in: rows.map((row) => row.id) } }, { disableIdentityMap: true })
    return { items: rows.map(({ id, name }) => ({ id, name, agentIds: members.filter((m) => m.skillGroupId === id).map((m) => m.agentId) })) }
  })

  app.post('/api/skill-groups', { config: manage, schema: { body: SkillGroupInput, response: { 201: WireSkillGroup } } }, async (request, reply) => {
    const id = newId()
    const { name, agentIds = [] } = request.body
    await changeSettings(hub, request, async (tx) => {
      if ((await tx.count(SkillGroup, {})) >= most) throw new HubError('HUB_LIST_FULL', 'There are as many skill groups as there can be', { most })
      await tx.insert(SkillGroup, { id, name: name.trim(), createdAt: new Date() })
      await setMembers(tx, id, agentIds)
      return { scope: 'skill-group', change: 'created', id, name }
    })
    return reply.status(201).send({ id, name, agentIds })
  })

  app.patch(
    '/api/skill-groups/:id',
    { config: manage, schema: { params: IdParams, body: Type.Partial(SkillGroupInput), response: { 200: Ok } } },
    async (request) => {
      const { name, agentIds } = request.body
      const { id } = request.params
      await changeSettings(hub, request, async (tx) => {
        if (!(await tx.findOne(SkillGroup, { id }))) throw new HubError('HUB_NOT_FOUND', 'There is no such skill group')
        if (name) await tx.nativeUpdate(SkillGroup, { id }, { name: name.trim() })
        if (agentIds) await setMembers(tx, id, agentIds)
        return { scope: 'skill-group', change: 'changed', id, ...(name ? { name } : {}), fields: Object.keys(request.body) }
      })
      return { ok: true as const }
    },
  )

  app.delete('/api/skill-groups/:id', { config: manage, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const { id } = request.params
    let tell = () => {}
    await changeSettings(hub, request, async (tx) => {
      if (!(await tx.findOne(SkillGroup, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })))
        throw new HubError('HUB_NOT_FOUND', 'There is no such skill group')
      if ((await tx.count(Inbox, { skillGroupId: id })) > 0) throw new HubError('HUB_DEPARTMENT_IN_USE', 'An inbox gives its conversations to this group')
      tell = await leavePlace(hub, tx, 'skillGroupId', id, null)
      await tx.nativeDelete(SkillGroupMember, { skillGroupId: id })
      await tx.nativeDelete(AssignmentRule, { scope: 'skillGroup', targetId: id })
      await tx.nativeDelete(SkillGroup, { id })
      return { scope: 'skill-group', change: 'deleted', id }
    })
    tell()
    await routeQueue(hub)
    return { ok: true as const }
  })
}

/** Nobody puts below themselves what they have not seen so far. */
function refuseWiderTree(actor: Actor, all: readonly Department[], moved: Department): void {
  if (actor.owner || !growsWithTree(actor)) return
  const own = actor.agent.departmentId ?? null
  const before = subtree(own, all)
  const after = subtree(
    own,
    all.map((department) => (department.id === moved.id ? moved : department)),
  )
  if (after.some((id) => !before.includes(id)))
    throw new HubError('HUB_FORBIDDEN', 'You would see what you may not see', { reason: 'reach', path: '/parentId' })
}

async function setMembers(em: Em, skillGroupId: string, agentIds: readonly string[]): Promise<void> {
  if ((await em.count(Agent, { id: { $in: [...agentIds] } })) < new Set(agentIds).size)
    throw new HubError('HUB_NOT_FOUND', 'There is no such agent', { path: '/agentIds' })
  await em.nativeDelete(SkillGroupMember, { skillGroupId })
  if (agentIds.length > 0)
    await em.insertMany(
      SkillGroupMember,
      [...new Set(agentIds)].map((agentId) => ({ skillGroupId, agentId })),
    )
}
