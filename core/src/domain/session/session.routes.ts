/** Setting up, signing in and out, who one is. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Me } from '../../../sdk/wire/agent.ts'
import { Ok } from '../../../sdk/wire/common.ts'
import { LoginInput, SetupInput } from '../../../sdk/wire/session.ts'
import { hubVersion } from '../../config/version.ts'
import { newId } from '../../db/types.ts'
import { actorOf, sessionCookie, sessionDays, setSessionCookie } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { presentAgents } from '../agent/agent.present.ts'
import { createOwner, ownerExists } from '../agent/create-owner.ts'
import { beOnlineWhenSeated, leaveSeat } from '../agent/set-presence.ts'
import { commitWithEvents, tellEvents } from '../conversation/change.ts'
import { adapterFor } from '../inbox/channels.ts'
import { Role } from '../role/role.entity.ts'
import { failLogin, forgetFailures, refuseThrottled, throttlesOf } from './login-throttle.ts'
import { verifyPassword } from './password.ts'
import { useSecondFactor } from './second-factor.ts'
import { Session } from './session.entity.ts'
import { hashToken, newToken } from './tokens.ts'

export function sessionRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/setup',
    {
      config: { access: 'public' },
      schema: { summary: 'Tell whether the hub still needs its owner', response: { 200: Type.Object({ needed: Type.Boolean() }) } },
    },
    async () => ({
      needed: !(await ownerExists(hub.em())),
    }),
  )

  app.post(
    '/api/setup',
    {
      config: { access: 'public', rateLimit: { max: 10, timeWindow: 60_000 } },
      schema: { summary: 'Create the owner of a new hub', body: SetupInput, response: { 200: Ok } },
    },
    async (request, reply) => {
      const agent = await createOwner(hub, request.body)
      await startSession(hub, request, reply, agent)
      return { ok: true as const }
    },
  )

  app.post(
    '/api/login',
    { config: { access: 'public', rateLimit: { max: 30, timeWindow: 60_000 } }, schema: { summary: 'Sign in', body: LoginInput, response: { 200: Ok } } },
    async (request, reply) => {
      const em = hub.em()
      const email = request.body.email.trim().toLowerCase()
      const agent = await em.findOne(Agent, { email, active: true }, { disableIdentityMap: true })
      const keys = await throttlesOf(em, { email, agentId: agent?.id, ip: request.ip })
      await refuseThrottled(em, keys)
      const tellFailure = (agentId: string | null, reason: 'password' | 'code') =>
        tellEvents(hub, [{ name: 'agent.loginFailed', data: { email, agentId, ip: request.ip, reason } }])
      if (!(await verifyPassword(agent?.passwordHash, request.body.password)) || !agent) {
        await failLogin(em, keys)
        await tellFailure(agent?.id ?? null, 'password')
        throw new HubError('HUB_AUTH_FAILED', 'The address or the password is wrong')
      }
      if (agent.totpSecret) {
        if (!request.body.code) throw new HubError('HUB_AUTH_TOTP_REQUIRED', 'Please enter the code of your authenticator')
        const factor = await useSecondFactor(hub, em, agent, request.body.code)
        if (!factor) {
          await failLogin(em, keys)
          await tellFailure(agent.id, 'code')
          throw new HubError('HUB_AUTH_FAILED', 'The code is wrong', { reason: 'code', path: '/code' })
        }
        if (factor === 'recovery') await tellEvents(hub, [{ name: 'account.secured', data: { agentId: agent.id, change: 'recovery-code-used' } }])
      }
      await forgetFailures(em, keys)
      await startSession(hub, request, reply, agent)
      return { ok: true as const }
    },
  )

  app.post('/api/logout', { config: { access: 'person', inPreview: true }, schema: { summary: 'Sign out', response: { 200: Ok } } }, async (request, reply) => {
    const actor = actorOf(request)
    const em = hub.em()
    await commitWithEvents(hub, async (tx) => {
      if (actor.sessionId) await tx.nativeDelete(Session, { id: actor.sessionId })
      return [{ name: 'agent.loggedOut', data: { agentId: actor.agent.id } }]
    })
    hub.bus.publish('session.ended', { sessionId: actor.sessionId })
    if ((await em.count(Session, { agentId: actor.agent.id, expiresAt: { $gt: new Date() } })) === 0) await leaveSeat(hub, actor.agent.id)
    reply.clearCookie(sessionCookie, { path: '/' })
    return { ok: true as const }
  })

  app.get('/api/me', { config: { access: 'agent' }, schema: { response: { 200: Me } } }, async (request) => {
    const actor = actorOf(request)
    const role = actor.preview && (await hub.em().findOne(Role, { id: actor.preview.roleId }, { disableIdentityMap: true }))
    const [agent] = await presentAgents(hub.em(), [actor.agent])
    const running = hub.kernel.running()
    return {
      agent: agent as Me['agent'],
      rules: actor.ability.rules as unknown[],
      plugins: running.map(({ manifest }) => ({
        id: manifest.id,
        workbench: manifest.ui?.workbench ? `/api/plugins/${manifest.id}/ui/workbench.js` : null,
        admin: manifest.ui?.admin ? `/api/plugins/${manifest.id}/ui/admin.js` : null,
      })),
      channels: running.flatMap(({ manifest, ctx }) => {
        const adapter = adapterFor(manifest, ctx)
        return adapter ? [{ id: manifest.id, label: adapter.label, icon: adapter.icon ?? null, capabilities: adapter.capabilities }] : []
      }),
      preview: actor.preview && role ? { roleId: role.id, builtin: role.builtin ?? null, name: role.name, until: actor.preview.until.toISOString() } : null,
      serverTime: new Date().toISOString(),
      version: hubVersion,
    }
  })
}

/** Gives the browser a session. Only an open workbench makes somebody available: the admin is signed in to as well. */
export async function startSession(hub: Hub, request: FastifyRequest, reply: FastifyReply, agent: Agent): Promise<void> {
  const token = newToken()
  const now = new Date()
  await commitWithEvents(hub, async (em) => {
    await em.insert(Session, {
      id: newId(),
      agentId: agent.id,
      tokenHash: hashToken(token),
      ip: request.ip,
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 255),
      createdAt: now,
      seenAt: now,
      expiresAt: new Date(now.getTime() + sessionDays * 86_400_000),
    })
    return [{ name: 'agent.loggedIn', data: { agentId: agent.id, ip: request.ip } }]
  })
  await beOnlineWhenSeated(hub, agent.id)
  setSessionCookie(reply, token, request.protocol === 'https')
}
