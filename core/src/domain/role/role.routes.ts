/** Roles and the permissions there are: the core's and the running plugins'. */
import { LockMode } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Ok } from '../../../sdk/wire/common.ts'
import type { Grant } from '../../../sdk/wire/role.ts'
import { Permission, Returning, RoleInput, RolePatch, Role as RoleSchema, type Role as WireRole } from '../../../sdk/wire/role.ts'
import { holds } from '../../access/grants.ts'
import { corePermissions, pluginPermissions } from '../../access/permissions.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { list, readRaw, sql } from '../../db/statements.ts'
import { newId } from '../../db/types.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import { refuseChanged } from '../../http/refuse-changed.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { AgentRole } from '../agent/agent.entity.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { countReturning, returnUnserved } from '../conversation/return-conversations.ts'
import { Role } from './role.entity.ts'

export function allPermissions(hub: Hub): Permission[] {
  const core = corePermissions.map(({ name, label, scopes, fields, inboxes = false }) => ({
    name,
    plugin: null,
    pluginLabel: null,
    label,
    scopes: [...scopes],
    fields: [...fields],
    inboxes,
  }))
  const plugins = hub.kernel.running().flatMap(({ manifest }) =>
    pluginPermissions(manifest).map(({ name, label, scopes }) => ({
      name,
      plugin: manifest.id,
      pluginLabel: manifest.label,
      label,
      scopes: [...scopes],
      fields: [],
      inboxes: false,
    })),
  )
  return [...core, ...plugins]
}

export function roleRoutes(app: App, hub: Hub): void {
  const manage = { access: { permission: 'role.manage' } }
  const changed = () => {
    hub.access.clear()
    hub.bus.publish('access.changed', {})
  }

  const read = { access: { permission: ['role.manage', 'role.preview', 'token.manage', 'agent.manage'] } }
  app.get('/api/permissions', { config: read, schema: { response: { 200: Type.Object({ items: Type.Array(Permission) }) } } }, async () => ({
    items: allPermissions(hub),
  }))

  app.get('/api/roles', { config: read, schema: { response: { 200: Type.Object({ items: Type.Array(RoleSchema) }) } } }, async () => {
    const em = hub.em()
    const rows = await em.find(Role, {}, { orderBy: { createdAt: 'asc' }, limit: 200, disableIdentityMap: true })
    return { items: await present(em, rows) }
  })

  app.post('/api/roles', { config: manage, schema: { body: RoleInput, response: { 201: RoleSchema } } }, async (request, reply) => {
    checkGrants(hub, actorOf(request), request.body.grants)
    const role = { id: newId(), builtin: null, name: request.body.name.trim(), grants: request.body.grants, createdAt: new Date() } as Role
    const told = { roleId: role.id, name: role.name, added: role.grants.map(wordOf), byAgentId: actorOf(request).agent.id }
    await commitWithEvents(hub, async (em) => {
      await em.insert(Role, role)
      return [{ name: 'role.created', data: told }]
    })
    return reply.status(201).send((await present(hub.em(), [role]))[0] as WireRole)
  })

  app.patch('/api/roles/:id', { config: manage, schema: { params: IdParams, body: RolePatch, response: { 200: RoleSchema } } }, async (request) => {
    const { was, ...input } = request.body
    const { id } = request.params
    let removed: string[] = []
    await commitWithEvents(hub, async (tx) => {
      const role = await tx.findOne(Role, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
      if (!role) throw new HubError('HUB_NOT_FOUND', 'There is no such role')
      if (role.builtin === 'owner') throw new HubError('HUB_ROLE_BUILTIN', 'The owner may do everything; this cannot be changed')
      refuseChanged(was, role)
      if (input.grants) checkGrants(hub, actorOf(request), input.grants, role.grants)
      const patch = { ...pick(input, ['name', 'grants']), ...(role.builtin ? { name: role.name } : {}) }
      const [before, after] = [role.grants, input.grants ?? role.grants].map((grants) => grants.map(wordOf)) as [string[], string[]]
      const told = {
        roleId: role.id,
        name: patch.name ?? role.name,
        added: after.filter((word) => !before.includes(word)),
        removed: before.filter((word) => !after.includes(word)),
        byAgentId: actorOf(request).agent.id,
      }
      removed = told.removed
      await tx.nativeUpdate(Role, { id }, patch)
      return [{ name: 'role.changed', data: told }]
    })
    changed()
    const em = hub.em()
    if (removed.length > 0) await returnUnserved(hub, await holdersOf(em, id), actorOf(request).agent.id)
    return (await present(em, await em.find(Role, { id }, { disableIdentityMap: true })))[0] as WireRole
  })

  app.post(
    '/api/roles/:id/returning',
    {
      config: manage,
      schema: {
        summary: 'Count the open conversations that other grants of this role would put back into the queue',
        params: IdParams,
        body: Type.Pick(RoleInput, ['grants']),
        response: { 200: Returning },
      },
    },
    async (request) => {
      const em = hub.em()
      const { id } = request.params
      const changedTo = (role: Role) => (role.id === id ? { ...role, grants: request.body.grants } : role)
      return { count: await countReturning(em, await holdersOf(em, id), (held) => held.map(changedTo)) }
    },
  )

  app.delete('/api/roles/:id', { config: manage, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const em = hub.em()
    const role = await em.findOne(Role, { id: request.params.id }, { disableIdentityMap: true })
    if (!role) throw new HubError('HUB_NOT_FOUND', 'There is no such role')
    if (role.builtin) throw new HubError('HUB_ROLE_BUILTIN', 'Built-in roles cannot be deleted')
    if ((await em.count(AgentRole, { roleId: role.id })) > 0) throw new HubError('HUB_ROLE_IN_USE', 'Agents have this role')
    await commitWithEvents(hub, async (tx) => {
      await tx.nativeDelete(Role, { id: role.id })
      return [{ name: 'role.deleted', data: { roleId: role.id, name: role.name, byAgentId: actorOf(request).agent.id } }]
    })
    return { ok: true as const }
  })
}

const holdersOf = async (em: Em, roleId: string): Promise<string[]> =>
  (await em.find(AgentRole, { roleId }, { fields: ['agentId'], disableIdentityMap: true })).map(({ agentId }) => agentId)

/** A grant in a word: the permission, its reach, its fields, its inboxes. */
const wordOf = ({ permission, scope, fields, inboxIds }: Grant): string =>
  `${permission}${scope ? `:${scope}` : ''}${fields ? `[${fields.join()}]` : ''}${inboxIds ? `{${inboxIds.toSorted().join()}}` : ''}`

/** How many agents have each of them is asked in one go. */
async function present(em: Em, roles: readonly Role[]): Promise<WireRole[]> {
  const ids = roles.map(({ id }) => id)
  const counted =
    ids.length === 0
      ? []
      : await readRaw<{ id: string; n: number | string }>(
          em,
          sql`select role_id as id, count(*) as n from agent_role where role_id in ${list(ids)} group by role_id`,
        )
  const counts = new Map(counted.map(({ id, n }) => [id, Number(n)]))
  return roles.map(({ id, builtin = null, name, grants }) => ({ id, builtin, name, grants, agentCount: counts.get(id) ?? 0 }))
}

/** Nobody gives what they do not have (what the role has already is no gift), and nothing is given that does not exist. */
function checkGrants(hub: Hub, actor: Actor, grants: readonly Grant[], before: readonly Grant[] = []): void {
  const known = new Map(allPermissions(hub).map((permission) => [permission.name, permission]))
  grants.forEach((grant, i) => {
    const permission = known.get(grant.permission)
    const fault =
      !permission ||
      (grant.scope && !permission.scopes.includes(grant.scope)) ||
      grant.fields?.some((field) => !permission.fields.includes(field)) ||
      (grant.inboxIds && !permission.inboxes)
    if (holds({ owner: false, grants: before }, grant)) return
    if (fault)
      throw new HubError('HUB_REQUEST_INVALID', `There is no permission ${grant.permission} of this shape`, {
        faults: [{ path: `body/grants/${i}`, rule: 'unknown', message: 'unknown' }],
      })
    if (!holds(actor, grant)) throw new HubError('HUB_FORBIDDEN', 'You may not give what you do not have', { permission: grant.permission, reason: 'give' })
  })
}
