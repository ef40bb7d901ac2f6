/** Setting up, signing in and out, one's own account. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Me } from '../../../sdk/wire/agent.ts'
import { IdParams, Instant, Ok } from '../../../sdk/wire/common.ts'
import { hubVersion } from '../../config/version.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { actorOf, sessionCookie, sessionDays, setSessionCookie } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { presentAgents } from '../agent/agent.present.ts'
import { createOwner, ownerExists } from '../agent/create-owner.ts'
import { setPresence } from '../agent/set-presence.ts'
import { writeEvents } from '../conversation/change.ts'
import { adapterFor } from '../inbox/channels.ts'
import { failLogin, forgetFailures, refuseThrottled } from './login-throttle.ts'
import { checkPassword, hashPassword, verifyPassword } from './password.ts'
import { Session } from './session.entity.ts'
import { hashToken, newToken } from './tokens.ts'
import { newTotpSecret, totpUri, verifyTotp } from './totp.ts'

const Login = Type.Object({
  email: Type.String({ maxLength: 190 }),
  password: Type.String({ maxLength: 200 }),
  code: Type.Optional(Type.String({ maxLength: 10 })),
})
const Setup = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 60 }),
  email: Type.String({ format: 'email', maxLength: 190 }),
  password: Type.String({ maxLength: 200 }),
  locale: Type.Optional(Type.Union([Type.Literal('zh'), Type.Literal('en')])),
})

export function sessionRoutes(app: App, hub: Hub): void {
  app.get('/api/setup', { config: { access: 'public' }, schema: { response: { 200: Type.Object({ needed: Type.Boolean() }) } } }, async () => ({
    needed: !(await ownerExists(hub.em())),
  }))

  app.post(
    '/api/setup',
    { config: { access: 'public', rateLimit: { max: 10, timeWindow: 60_000 } }, schema: { body: Setup, response: { 200: Ok } } },
    async (request, reply) => {
      const agent = await createOwner(hub, request.body)
      await startSession(hub, request, reply, agent)
      return { ok: true as const }
    },
  )

  app.post(
    '/api/login',
    { config: { access: 'public', rateLimit: { max: 30, timeWindow: 60_000 } }, schema: { body: Login, response: { 200: Ok } } },
    async (request, reply) => {
      const em = hub.em()
      const email = request.body.email.trim().toLowerCase()
      const keys = [`account:${email}`, `address:${request.ip}`]
      await refuseThrottled(em, keys)
      const agent = await em.findOne(Agent, { email, active: true }, { disableIdentityMap: true })
      if (!(await verifyPassword(agent?.passwordHash, request.body.password)) || !agent) {
        await failLogin(em, keys)
        throw new HubError('HUB_AUTH_FAILED', 'The address or the password is wrong')
      }
      if (agent.totpSecret) {
        if (!request.body.code) throw new HubError('HUB_AUTH_TOTP_REQUIRED', 'Please enter the code of your authenticator')
        if (!(await verifyTotp(hub.vault.open(agent.totpSecret), request.body.code))) {
          await failLogin(em, keys)
          throw new HubError('HUB_AUTH_FAILED', 'The code is wrong')
        }
      }
      await forgetFailures(em, keys)
      await startSession(hub, request, reply, agent)
      return { ok: true as const }
    },
  )

  app.post('/api/logout', { config: { access: 'agent' }, schema: { response: { 200: Ok } } }, async (request, reply) => {
    const actor = actorOf(request)
    const em = hub.em()
    if (actor.sessionId) await em.nativeDelete(Session, { id: actor.sessionId })
    if ((await em.count(Session, { agentId: actor.agent.id, expiresAt: { $gt: new Date() } })) === 0) await setPresence(hub, actor.agent.id, 'offline')
    hub.bus.publish('session.ended', { sessionId: actor.sessionId })
    reply.clearCookie(sessionCookie, { path: '/' })
    return { ok: true as const }
  })

  app.get('/api/me', { config: { access: 'agent' }, schema: { response: { 200: Me } } }, async (request) => {
    const actor = actorOf(request)
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
      serverTime: new Date().toISOString(),
      version: hubVersion,
    }
  })

  app.patch(
    '/api/me',
    {
      config: { access: 'agent' },
      schema: {
        body: Type.Partial(
          Type.Object({
            name: Type.String({ minLength: 1, maxLength: 60 }),
            displayName: Type.String({ maxLength: 60 }),
            locale: Type.Union([Type.Literal('zh'), Type.Literal('en')]),
            password: Type.Object({ current: Type.String({ maxLength: 200 }), next: Type.String({ maxLength: 200 }) }),
          }),
        ),
        response: { 200: Ok },
      },
    },
    async (request) => {
      const { agent, sessionId } = actorOf(request)
      const { password, ...fields } = request.body
      const em = hub.em()
      const patch: Partial<Agent> = { ...fields }
      if (password) {
        if (!(await verifyPassword(agent.passwordHash, password.current))) throw new HubError('HUB_AUTH_FAILED', 'The current password is wrong')
        checkPassword(password.next, agent.email)
        patch.passwordHash = await hashPassword(password.next)
        // Whoever knew the old one is out.
        await em.nativeDelete(Session, { agentId: agent.id, id: { $ne: sessionId ?? '' } })
      }
      if (Object.keys(patch).length > 0) await em.nativeUpdate(Agent, { id: agent.id }, patch)
      hub.access.clear()
      return { ok: true as const }
    },
  )

  // The secret is kept only once its first code has been shown to be right: nobody locks themselves out.
  app.post(
    '/api/me/totp',
    { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ secret: Type.String(), uri: Type.String() }) } } },
    async (request) => {
      const secret = newTotpSecret()
      return { secret, uri: totpUri(secret, actorOf(request).agent.email) }
    },
  )
  const TotpBody = Type.Object({ secret: Type.String({ pattern: '^[A-Z2-7]{16,64}$' }), code: Type.String({ maxLength: 10 }) })
  app.put('/api/me/totp', { config: { access: 'agent' }, schema: { body: TotpBody, response: { 200: Ok } } }, async (request) => {
    const { secret, code } = request.body
    if (!(await verifyTotp(secret, code))) throw new HubError('HUB_AUTH_FAILED', 'The code is wrong')
    await hub.em().nativeUpdate(Agent, { id: actorOf(request).agent.id }, { totpSecret: hub.vault.seal(secret) })
    hub.access.clear()
    return { ok: true as const }
  })
  app.delete(
    '/api/me/totp',
    { config: { access: 'agent' }, schema: { body: Type.Object({ password: Type.String({ maxLength: 200 }) }), response: { 200: Ok } } },
    async (request) => {
      const { agent } = actorOf(request)
      if (!(await verifyPassword(agent.passwordHash, request.body.password))) throw new HubError('HUB_AUTH_FAILED', 'The password is wrong')
      await hub.em().nativeUpdate(Agent, { id: agent.id }, { totpSecret: null })
      hub.access.clear()
      return { ok: true as const }
    },
  )

  const SessionInfo = Type.Object({
    id: Type.String(),
    ip: Type.String(),
    userAgent: Type.String(),
    createdAt: Instant,
    seenAt: Instant,
    current: Type.Boolean(),
  })
  app.get(
    '/api/me/sessions',
    { config: { access: 'agent' }, schema: { response: { 200: Type.Object({ items: Type.Array(SessionInfo) }) } } },
    async (request) => {
      const actor = actorOf(request)
      const rows = await hub
        .em()
        .find(Session, { agentId: actor.agent.id, expiresAt: { $gt: new Date() } }, { orderBy: { seenAt: 'desc' }, limit: 50, disableIdentityMap: true })
      return {
        items: rows.map((row) => ({
          id: row.id,
          ip: row.ip,
          userAgent: row.userAgent,
          createdAt: row.createdAt.toISOString(),
          seenAt: row.seenAt.toISOString(),
          current: row.id === actor.sessionId,
        })),
      }
    },
  )

  app.delete('/api/me/sessions/:id', { config: { access: 'agent' }, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const ended = await hub.em().nativeDelete(Session, { id: request.params.id, agentId: actorOf(request).agent.id })
    if (ended === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such session')
    hub.bus.publish('session.ended', { sessionId: request.params.id })
    return { ok: true as const }
  })
}

/** Gives the browser a session; the agent is online by default. */
export async function startSession(hub: Hub, request: FastifyRequest, reply: FastifyReply, agent: Agent): Promise<void> {
  const token = newToken()
  const now = new Date()
  let listeners = new Set<string>()
  await hub.em().transactional(async (em) => {
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
    listeners = await writeEvents(hub, em as Em, [{ name: 'agent.loggedIn', data: { agentId: agent.id, ip: request.ip } }])
  })
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  await setPresence(hub, agent.id, 'online')
  setSessionCookie(reply, token, request.protocol === 'https')
}
