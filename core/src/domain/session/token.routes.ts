/** API tokens: a program's key, for some of what its maker may do. Seen once, then only its hash is known. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Ok, Page, PageQuery } from '../../../sdk/wire/common.ts'
import { TokenInput, ApiToken as WireToken } from '../../../sdk/wire/session.ts'
import { type Access, mayHaveTokens } from '../../access/access-cache.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { allPermissions } from '../role/role.routes.ts'
import { ApiToken } from './session.entity.ts'
import { hashToken, newToken } from './tokens.ts'

export function tokenRoutes(app: App, hub: Hub): void {
  const config = { access: { permission: 'token.manage', person: true as const } }

  // Newest first. Everybody's: who manages tokens must find the one that leaked, whoever made it.
  app.get('/api/tokens', { config, schema: { querystring: PageQuery, response: { 200: Page(WireToken) } } }, async (request) => {
    const { cursor, limit = 50 } = request.query
    const em = hub.em()
    const rows = await em.find(ApiToken, cursor ? { id: { $lt: cursor } } : {}, { orderBy: { id: 'desc' }, limit: limit + 1, disableIdentityMap: true })
    const page = rows.slice(0, limit)
    return { items: await present(hub, em, page), cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
  })

  const Made = Type.Object({ token: Type.String(), apiToken: WireToken })
  app.post('/api/tokens', { config, schema: { body: TokenInput, response: { 201: Made } } }, async (request, reply) => {
    const actor = actorOf(request)
    const { name, permissions, expiresInDays } = request.body
    checkPermissions(hub, actor, permissions)
    const token = `hk_${newToken()}`
    const now = new Date()
    const row = {
      id: newId(),
      agentId: actor.agent.id,
      name: name.trim(),
      tokenHash: hashToken(token),
      permissions,
      createdAt: now,
      usedAt: null,
      usedIp: null,
      expiresAt: expiresInDays === undefined ? null : new Date(now.getTime() + expiresInDays * 86_400_000),
    } as ApiToken
    const em = hub.em()
    await commitWithEvents(hub, async (tx) => {
      await tx.insert(ApiToken, row)
      return [{ name: 'token.created', data: { tokenId: row.id, name: row.name, permissions, byAgentId: actor.agent.id } }]
    })
    const [apiToken] = await present(hub, em, [row])
    return reply.status(201).send({ token, apiToken: apiToken as WireToken })
  })

  app.delete('/api/tokens/:id', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const em = hub.em()
    const row = await em.findOne(ApiToken, { id: request.params.id }, { disableIdentityMap: true })
    const missing = new HubError('HUB_NOT_FOUND', 'There is no such token')
    if (!row) throw missing
    await commitWithEvents(hub, async (tx) => {
      if ((await tx.nativeDelete(ApiToken, { id: row.id })) === 0) throw missing
      return [{ name: 'token.revoked', data: { tokenId: row.id, name: row.name, agentId: row.agentId, byAgentId: actorOf(request).agent.id } }]
    })
    hub.bus.publish('session.ended', { tokenId: row.id })
    return { ok: true as const }
  })
}

/** A token does what its maker may: nobody makes one for more, and none makes others. */
function checkPermissions(hub: Hub, actor: Actor, permissions: readonly string[]): void {
  const known = new Set(allPermissions(hub).map(({ name }) => name))
  permissions.forEach((permission, i) => {
    if (!known.has(permission))
      throw new HubError('HUB_REQUEST_INVALID', `There is no permission ${permission}`, {
        faults: [{ path: `body/permissions/${i}`, rule: 'unknown', message: 'unknown' }],
      })
    if (!actor.owner && !actor.grants.some((own) => own.permission === permission))
      throw new HubError('HUB_FORBIDDEN', 'You may not give what you do not have', { permission, path: '/permissions' })
  })
}

/** Those of an agent that open something today. */
export async function countWorkingTokens(hub: Hub, em: Em, agentId: string): Promise<number> {
  const access = await hub.access.of(agentId)
  return access && mayHaveTokens(access) ? em.count(ApiToken, { agentId, $or: [{ expiresAt: null }, { expiresAt: { $gt: new Date() } }] }) : 0
}

async function present(hub: Hub, em: Em, rows: readonly ApiToken[]): Promise<WireToken[]> {
  const ids = [...new Set(rows.map((row) => row.agentId))]
  const makers = await em.find(Agent, { id: { $in: ids } }, { fields: ['id', 'name'], disableIdentityMap: true })
  const names = new Map(makers.map(({ id, name }) => [id, name]))
  // Only who is active has any.
  const accesses = await hub.access.several(em, ids)
  const stopped = (access: Access | undefined) => (access ? (mayHaveTokens(access) ? null : 'makerMayNot') : 'makerOff')
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    agentId: row.agentId,
    agentName: names.get(row.agentId) ?? '',
    permissions: row.permissions,
    createdAt: row.createdAt.toISOString(),
    usedAt: row.usedAt?.toISOString() ?? null,
    usedIp: row.usedIp ?? null,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    stopped: stopped(accesses.get(row.agentId)),
  }))
}
