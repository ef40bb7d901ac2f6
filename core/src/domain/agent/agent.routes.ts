/** Agents: colleagues for everybody, accounts and invitations for who manages them, presence for oneself. */
import { LockMode, UniqueConstraintViolationException } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { AgentAccount, AgentInput, AgentPatch, Colleague, Presence, Agent as WireAgent } from '../../../sdk/wire/agent.ts'
import { Id, IdParams, Ok } from '../../../sdk/wire/common.ts'
import { Returning } from '../../../sdk/wire/role.ts'
import { JoinInput } from '../../../sdk/wire/session.ts'
import { holds } from '../../access/grants.ts'
import { reachesBeyond } from '../../access/reach.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import { refuseChanged } from '../../http/refuse-changed.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { countReturning, returnConversations, returnUnserved } from '../conversation/return-conversations.ts'
import { checkPlace } from '../department/check-place.ts'
import { SkillGroup, SkillGroupMember } from '../department/department.entity.ts'
import { movedBetween } from '../department/moved.ts'
import { Role } from '../role/role.entity.ts'
import { endSessions } from '../session/end-sessions.ts'
import { checkPassword, hashPassword } from '../session/password.ts'
import { dropSecondFactor } from '../session/second-factor.ts'
import { Session } from '../session/session.entity.ts'
import { startSession } from '../session/session.routes.ts'
import { countWorkingTokens } from '../session/token.routes.ts'
import { hashToken } from '../session/tokens.ts'
import { Agent, AgentRole, Invitation } from './agent.entity.ts'
import { presentAgents, presentColleague } from './agent.present.ts'
import { newAgent } from './create-owner.ts'
import { invite, joinLink } from './invite.ts'
import { findHeir, handOver, setPresence } from './set-presence.ts'

/** An installation has hundreds of agents, not thousands. All are listed, those who left too: one more is refused. */
const most = 3_000

export function agentRoutes(app: App, hub: Hub): void {
  const manage = { access: { permission: 'agent.manage' } }

  app.get('/api/colleagues', { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ items: Type.Array(Colleague) }) } } }, async () => {
    const rows = await hub.em().find(Agent, { active: true }, { orderBy: { name: 'asc' }, limit: most, disableIdentityMap: true })
    return { items: rows.map(presentColleague) }
  })

  app.put(
    '/api/me/presence',
    { config: { access: 'person' }, schema: { body: Type.Object({ presence: Presence, handOverTo: Type.Optional(Id) }), response: { 200: Ok } } },
    async (request) => {
      const actor = actorOf(request)
      const { presence, handOverTo } = request.body
      // Who cannot hand over stays where they are, and is told.
      const heir = handOverTo && (await findHeir(hub, actor, handOverTo))
      // Going away first, so that nothing new arrives while the old ones are handed over.
      await setPresence(hub, actor.agent.id, presence)
      if (heir) await handOver(hub, actor, heir)
      return { ok: true as const }
    },
  )

  app.get('/api/agents', { config: manage, schema: { response: { 200: Type.Object({ items: Type.Array(WireAgent) }) } } }, async () => {
    const em = hub.em()
    const rows = await em.find(Agent, {}, { orderBy: [{ active: 'desc' }, { name: 'asc' }], limit: most, disableIdentityMap: true })
    return { items: await presentAgents(em, rows) }
  })

  app.get('/api/agents/:id', { config: manage, schema: { params: IdParams, response: { 200: AgentAccount } } }, async (request) => {
    const em = hub.em()
    const { id } = request.params
    const [wire] = await presentAgents(em, await em.find(Agent, { id }, { disableIdentityMap: true }))
    if (!wire) throw new HubError('HUB_NOT_FOUND', 'There is no such agent')
    return { ...wire, workingTokens: await countWorkingTokens(hub, em, id) }
  })

  const Invited = Type.Object({ agent: WireAgent, invitation: Type.String() })
  app.post('/api/agents', { config: manage, schema: { body: AgentInput, response: { 201: Invited } } }, async (request, reply) => {
    const { email, roleIds, skillGroupIds = [] } = request.body
    const em = hub.em()
    await refuseHigherRoles(em, actorOf(request), roleIds)
    await refuseWiderReach(em, actorOf(request), roleIds, request.body.departmentId)
    const agent = newAgent({ email: email.trim().toLowerCase(), ...pick(request.body, ['name', 'displayName', 'departmentId', 'capacity']) })
    let token = ''
    try {
      await commitWithEvents(hub, async (tx) => {
        if ((await tx.count(Agent, {})) >= most) throw new HubError('HUB_LIST_FULL', 'There are as many agents as there can be', { most })
        await checkPlace(tx, agent)
        await tx.insert(Agent, agent)
        await setLinks(tx, agent.id, roleIds, skillGroupIds)
        token = await invite(tx, agent.id)
        return [{ name: 'agent.invited', data: { agentId: agent.id, name: agent.name, roleIds, byAgentId: actorOf(request).agent.id } }]
      })
    } catch (error) {
      throw addressTaken(error)
    }
    const [wire] = await presentAgents(em, [agent])
    return reply.status(201).send({ agent: wire as WireAgent, invitation: linkOf(hub, token) })
  })

  app.post(
    '/api/agents/:id/invitation',
    { config: manage, schema: { summary: 'Invite an agent anew', params: IdParams, response: { 200: Type.Object({ invitation: Type.String() }) } } },
    async (request) => {
      const em = hub.em()
      const agent = await em.findOne(Agent, { id: request.params.id }, { disableIdentityMap: true })
      if (!agent) throw new HubError('HUB_NOT_FOUND', 'There is no such agent')
      if (agent.passwordHash !== null) throw new HubError('HUB_CONFLICT', 'This agent has joined already')
      // Whoever holds the link becomes the agent.
      const held = await rolesOf(em, agent.id)
      await refuseHigherRoles(em, actorOf(request), held)
      await refuseWiderReach(em, actorOf(request), held, agent.departmentId)
      let token = ''
      await commitWithEvents(hub, async (tx) => {
        await tx.nativeDelete(Invitation, { agentId: agent.id })
        token = await invite(tx, agent.id)
        const roleIds = await rolesOf(tx, agent.id)
        return [{ name: 'agent.invited', data: { agentId: agent.id, name: agent.name, roleIds, byAgentId: actorOf(request).agent.id } }]
      })
      return { invitation: linkOf(hub, token) }
    },
  )

  // For who has lost the authenticator and the recovery codes. One's own takes one's password (`/api/me/totp`).
  app.delete(
    '/api/agents/:id/totp',
    { config: { access: { permission: 'agent.manage', person: true } }, schema: { params: IdParams, response: { 200: Ok } } },
    async (request) => {
      const { id } = request.params
      const actor = actorOf(request)
      if (id === actor.agent.id) throw new HubError('HUB_FORBIDDEN', 'Nobody resets their own second factor', { reason: 'self' })
      const em = hub.em()
      if ((await em.count(Agent, { id })) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such agent')
      // It leaves the password as the only lock of an account that may more.
      await refuseHigherRoles(em, actor, await rolesOf(em, id), [], 'higher')
      await commitWithEvents(hub, async (tx) => {
        if (!(await dropSecondFactor(tx, id))) throw new HubError('HUB_CONFLICT', 'The second factor is off')
        return [{ name: 'account.secured', data: { agentId: id, change: 'totp-reset', byAgentId: actor.agent.id } }]
      })
      await endSessions(hub, em, id, null)
      hub.access.clear()
      return { ok: true as const }
    },
  )

  app.patch('/api/agents/:id', { config: manage, schema: { params: IdParams, body: AgentPatch, response: { 200: WireAgent } } }, async (request) => {
    const { was, ...input } = request.body
    const { email, roleIds, skillGroupIds } = input
    const fields = {
      ...pick(input, ['name', 'displayName', 'departmentId', 'capacity', 'active']),
      ...(email ? { email: email.trim().toLowerCase() } : {}),
    }
    const { id } = request.params
    const actor = actorOf(request)
    const em = hub.em()
    await commitWithEvents(hub, async (tx) => {
      // First of all: of two owners who give it up at once, the second one counts what the first has left.
      const owner = await tx.findOneOrFail(Role, { builtin: 'owner' }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
      const agent = await tx.findOne(Agent, { id }, { disableIdentityMap: true })
      const [wire] = agent ? await presentAgents(tx, [agent]) : []
      if (!agent || !wire) throw new HubError('HUB_NOT_FOUND', 'There is no such agent')
      refuseChanged(was, wire)
      const owners = await tx.find(AgentRole, { roleId: owner.id }, { disableIdentityMap: true })
      const isOwner = owners.some((link) => link.agentId === id)
      if (isOwner && !actor.owner) throw new HubError('HUB_FORBIDDEN', 'Only an owner may change an owner')
      const before = wire.roleIds
      if (roleIds) await refuseHigherRoles(tx, actor, roleIds, before)
      // Their address and whether they may come in is for who may all that they may.
      const { active = agent.active, email: address = agent.email, departmentId = agent.departmentId } = fields
      if (active !== agent.active || address !== agent.email) await refuseHigherRoles(tx, actor, before, [], 'higher')
      const moves = departmentId !== agent.departmentId
      const held = roleIds ?? before
      await refuseWiderReach(tx, actor, moves ? held : held.filter((roleId) => !before.includes(roleId)), departmentId)
      const losesOwner = isOwner && ((roleIds && !roleIds.includes(owner.id)) || fields.active === false)
      // Whoever is switched off, or has not joined yet, can do nothing for a hub without an owner.
      const others = { id: { $in: owners.map(({ agentId }) => agentId).filter((other) => other !== id) }, active: true, passwordHash: { $ne: null } }
      if (losesOwner && (await tx.count(Agent, others)) === 0) throw new HubError('HUB_AGENT_LAST_OWNER', 'A hub needs an owner')
      await checkPlace(tx, fields)
      await tx.nativeUpdate(Agent, { id }, { ...fields, accessVersion: agent.accessVersion + 1 })
      if (roleIds || skillGroupIds) await setLinks(tx, id, roleIds, skillGroupIds)
      if (fields.active === false) await tx.nativeDelete(Session, { agentId: id })
      const changed = {
        agentId: id,
        fields: Object.keys(input),
        rolesAdded: (roleIds ?? []).filter((roleId) => !before.includes(roleId)),
        rolesRemoved: roleIds ? before.filter((roleId) => !roleIds.includes(roleId)) : [],
        ...(fields.active === undefined ? {} : { active: fields.active }),
        ...(fields.name === undefined || fields.name === agent.name ? {} : { renamed: { from: agent.name, to: fields.name } }),
        ...(await movedBetween(tx, agent.departmentId, fields.departmentId)),
        byAgentId: actor.agent.id,
      }
      return [{ name: 'agent.changed', data: changed }]
    }).catch((error) => {
      throw addressTaken(error)
    })
    hub.access.clear()
    hub.bus.publish('access.changed', {})
    if (fields.active === false) await returnConversations(hub, id, actor.agent.id)
    // Another department takes nothing from them: whatever the reach, what one has oneself is within it.
    else if (roleIds) await returnUnserved(hub, [id], actor.agent.id)
    const [wire] = await presentAgents(em, await em.find(Agent, { id }, { disableIdentityMap: true }))
    return wire as WireAgent
  })

  app.post(
    '/api/agents/:id/returning',
    {
      config: manage,
      schema: {
        summary: 'Count the open conversations that other roles of this agent would put back into the queue',
        params: IdParams,
        body: Type.Pick(AgentInput, ['roleIds']),
        response: { 200: Returning },
      },
    },
    async (request) => {
      const em = hub.em()
      const roles = await em.find(Role, { id: { $in: request.body.roleIds } }, { disableIdentityMap: true })
      return { count: await countReturning(em, [request.params.id], () => roles) }
    },
  )

  // Invitations are opened without a session: the token in the link is the right.
  const Token = Type.Object({ token: Type.String({ minLength: 43, maxLength: 43 }) })
  app.get(
    '/api/invitations/:token',
    {
      config: { access: 'public', rateLimit: { max: 30, timeWindow: 60_000 } },
      schema: { params: Token, response: { 200: Type.Object({ email: Type.String(), name: Type.String() }) } },
    },
    async (request) => {
      const { agent } = await openInvitation(hub.em(), request.params.token)
      return { email: agent.email, name: agent.name }
    },
  )
  app.post(
    '/api/invitations/:token',
    {
      config: { access: 'public', rateLimit: { max: 10, timeWindow: 60_000 } },
      schema: { summary: 'Join by an invitation', params: Token, body: JoinInput, response: { 200: Ok } },
    },
    async (request, reply) => {
      const em = hub.em()
      const { invitation, agent } = await openInvitation(em, request.params.token)
      checkPassword(request.body.password, agent.email)
      const passwordHash = await hashPassword(request.body.password)
      await em.transactional(async (tx) => {
        // Once somebody has joined, no link opens their account any more, however many there were.
        const joined = await tx.nativeUpdate(Agent, { id: agent.id, passwordHash: null, active: true }, { passwordHash })
        if (!joined || !(await tx.nativeUpdate(Invitation, { id: invitation.id, usedAt: null }, { usedAt: new Date() })))
          throw new HubError('HUB_NOT_FOUND', 'This invitation is no longer valid')
        await tx.nativeDelete(Invitation, { agentId: agent.id, id: { $ne: invitation.id } })
      })
      // Of who lost a password the second factor stands: they sign in with both.
      if (agent.totpSecret === null) await startSession(hub, request, reply, agent)
      return { ok: true as const }
    },
  )
}

const addressTaken = (error: unknown): unknown =>
  error instanceof UniqueConstraintViolationException
    ? new HubError('HUB_CONFLICT', 'There is an agent with this address', { reason: 'email', path: '/email' })
    : error

async function openInvitation(em: Em, token: string): Promise<{ invitation: Invitation; agent: Agent }> {
  const invitation = await em.findOne(Invitation, { tokenHash: hashToken(token), usedAt: null, expiresAt: { $gt: new Date() } }, { disableIdentityMap: true })
  const agent = invitation && (await em.findOne(Agent, { id: invitation.agentId, active: true, passwordHash: null }, { disableIdentityMap: true }))
  if (!invitation || !agent) throw new HubError('HUB_NOT_FOUND', 'This invitation is no longer valid')
  return { invitation, agent }
}

const linkOf = (hub: Hub, token: string): string => joinLink(hub.publicUrl(), token)

async function rolesOf(em: Em, agentId: string): Promise<string[]> {
  return (await em.find(AgentRole, { agentId }, { disableIdentityMap: true })).map(({ roleId }) => roleId)
}

async function setLinks(em: Em, agentId: string, roleIds?: readonly string[], skillGroupIds?: readonly string[]): Promise<void> {
  if (roleIds) {
    if ((await em.count(Role, { id: { $in: [...roleIds] } })) < new Set(roleIds).size)
      throw new HubError('HUB_NOT_FOUND', 'There is no such role', { path: '/roleIds' })
    await em.nativeDelete(AgentRole, { agentId })
    await em.insertMany(
      AgentRole,
      [...new Set(roleIds)].map((roleId) => ({ agentId, roleId })),
    )
  }
  if (skillGroupIds) {
    if ((await em.count(SkillGroup, { id: { $in: [...skillGroupIds] } })) < new Set(skillGroupIds).size)
      throw new HubError('HUB_NOT_FOUND', 'There is no such skill group', { path: '/skillGroupIds' })
    await em.nativeDelete(SkillGroupMember, { agentId })
    if (skillGroupIds.length > 0)
      await em.insertMany(
        SkillGroupMember,
        [...new Set(skillGroupIds)].map((skillGroupId) => ({ agentId, skillGroupId })),
      )
  }
}

/** Nor one that sees, in its department, what they do not: not for others, not for themselves. */
async function refuseWiderReach(em: Em, actor: Actor, roleIds: readonly string[], departmentId: string | null | undefined): Promise<void> {
  if (actor.owner || !departmentId || roleIds.length === 0) return
  const roles = await em.find(Role, { id: { $in: [...roleIds] } }, { disableIdentityMap: true })
  if (roles.some(({ grants }) => grants.some((grant) => reachesBeyond(actor, grant, departmentId))))
    throw new HubError('HUB_FORBIDDEN', 'This account would see what you may not see', { reason: 'reach', path: '/departmentId' })
}

/** Nobody makes an account that may more than they may, nor takes such a one over. What it has already is no gift. */
async function refuseHigherRoles(
  em: Em,
  actor: Actor,
  roleIds: readonly string[],
  before: readonly string[] = [],
  reason: 'give' | 'higher' = 'give',
): Promise<void> {
  const roles = await em.find(Role, { id: { $in: roleIds.filter((id) => !before.includes(id)) } }, { disableIdentityMap: true })
  const higher = roles.some((role) => (role.builtin === 'owner' ? !actor.owner : role.grants.some((grant) => !holds(actor, grant))))
  if (higher) throw new HubError('HUB_FORBIDDEN', 'This role may more than you may', { reason, ...(reason === 'give' ? { path: '/roleIds' } : {}) })
}
