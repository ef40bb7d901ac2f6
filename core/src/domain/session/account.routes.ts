/** One's own account: name, password, second factor, where one is signed in. For the person, never for a token of theirs. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Ok } from '../../../sdk/wire/common.ts'
import { MePatch, PasswordProof, RecoveryCodes, SessionInfo, TotpInput } from '../../../sdk/wire/session.ts'
import { pick } from '../../db/pick.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { commitWithEvents, type EventToTell } from '../conversation/change.ts'
import { endSessions } from './end-sessions.ts'
import { checkPassword, hashPassword } from './password.ts'
import { provePassword } from './prove-password.ts'
import { dropSecondFactor, renewRecoveryCodes } from './second-factor.ts'
import { RecoveryCode, Session } from './session.entity.ts'
import { newTotp, totpStepOf } from './totp.ts'

/** Else what they did under the old name would read as somebody else's. */
const renamed = ({ id, name }: Agent, to: string): EventToTell => ({
  name: 'agent.changed',
  data: { agentId: id, fields: ['name'], rolesAdded: [], rolesRemoved: [], renamed: { from: name, to }, byAgentId: id },
})

/** Sessions shown; nobody has more by hand. */
const most = 50

export function accountRoutes(app: App, hub: Hub): void {
  const config = { access: 'person' as const }

  app.patch('/api/me', { config, schema: { body: MePatch, response: { 200: Ok } } }, async (request) => {
    const { agent, sessionId } = actorOf(request)
    const { name, password } = request.body
    const em = hub.em()
    const patch: Partial<Agent> = { ...pick(request.body, ['displayName', 'locale']), ...(name ? { name: name.trim() } : {}) }
    if (password) {
      await provePassword(em, agent, request.ip, password.current, '/password/current')
      checkPassword(password.next, agent.email, '/password/next')
      patch.passwordHash = await hashPassword(password.next)
    }
    if (Object.keys(patch).length > 0)
      await commitWithEvents(hub, async (tx) => {
        await tx.nativeUpdate(Agent, { id: agent.id }, patch)
        return [
          ...(password ? [{ name: 'account.secured' as const, data: { agentId: agent.id, change: 'password' as const } }] : []),
          ...(patch.name && patch.name !== agent.name ? [renamed(agent, patch.name)] : []),
        ]
      })
    // Whoever knew the old one is out.
    if (password) await endSessions(hub, em, agent.id, sessionId)
    hub.access.clear()
    return { ok: true as const }
  })

  const Security = Type.Object({ totp: Type.Boolean(), recoveryCodesLeft: Type.Integer() })
  app.get('/api/me/security', { config, schema: { response: { 200: Security } } }, async (request) => {
    const { agent } = actorOf(request)
    return { totp: agent.totpSecret !== null, recoveryCodesLeft: await hub.em().count(RecoveryCode, { agentId: agent.id, usedAt: null }) }
  })

  // The secret is kept only once its first code has been shown to be right: nobody locks themselves out.
  app.post(
    '/api/me/totp',
    { config, schema: { summary: 'Begin with a second factor', response: { 200: Type.Object({ secret: Type.String(), uri: Type.String() }) } } },
    async (request) => {
      return newTotp(actorOf(request).agent.email)
    },
  )

  app.put('/api/me/totp', { config, schema: { summary: 'Confirm your second factor', body: TotpInput, response: { 200: RecoveryCodes } } }, async (request) => {
    const { agent } = actorOf(request)
    const { secret, code, password } = request.body
    // Else whoever finds a screen unlocked locks its owner out for good.
    await provePassword(hub.em(), agent, request.ip, password, '/password')
    const totpStep = await totpStepOf(secret, code.trim())
    if (totpStep === null) throw new HubError('HUB_AUTH_FAILED', 'The code is wrong', { reason: 'code', path: '/code' })
    let recoveryCodes: string[] = []
    await commitWithEvents(hub, async (em) => {
      // One that is on is switched off first, and that takes the password.
      const set = await em.nativeUpdate(Agent, { id: agent.id, totpSecret: null }, { totpSecret: hub.vault.seal(secret), totpStep })
      if (set === 0) throw new HubError('HUB_CONFLICT', 'The second factor is on already')
      recoveryCodes = await renewRecoveryCodes(em, agent.id)
      return [{ name: 'account.secured', data: { agentId: agent.id, change: 'totp-on' } }]
    })
    hub.access.clear()
    return { recoveryCodes }
  })

  app.delete('/api/me/totp', { config, schema: { summary: 'Do without your second factor', body: PasswordProof, response: { 200: Ok } } }, async (request) => {
    const { agent } = actorOf(request)
    await provePassword(hub.em(), agent, request.ip, request.body.password, '/password')
    await commitWithEvents(hub, async (em) => {
      await dropSecondFactor(em, agent.id)
      return [{ name: 'account.secured', data: { agentId: agent.id, change: 'totp-off' } }]
    })
    hub.access.clear()
    return { ok: true as const }
  })

  app.post('/api/me/recovery-codes', { config, schema: { body: PasswordProof, response: { 200: RecoveryCodes } } }, async (request) => {
    const { agent } = actorOf(request)
    await provePassword(hub.em(), agent, request.ip, request.body.password, '/password')
    if (agent.totpSecret === null) throw new HubError('HUB_CONFLICT', 'The second factor is off')
    let recoveryCodes: string[] = []
    await commitWithEvents(hub, async (em) => {
      recoveryCodes = await renewRecoveryCodes(em, agent.id)
      return [{ name: 'account.secured', data: { agentId: agent.id, change: 'recovery-codes' } }]
    })
    return { recoveryCodes }
  })

  app.get('/api/me/sessions', { config, schema: { response: { 200: Type.Object({ items: Type.Array(SessionInfo) }) } } }, async (request) => {
    const actor = actorOf(request)
    const rows = await hub
      .em()
      .find(Session, { agentId: actor.agent.id, expiresAt: { $gt: new Date() } }, { orderBy: { seenAt: 'desc' }, limit: most, disableIdentityMap: true })
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
  })

  app.delete('/api/me/sessions/:id', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const { agent } = actorOf(request)
    await commitWithEvents(hub, async (em) => {
      const ended = await em.nativeDelete(Session, { id: request.params.id, agentId: agent.id })
      if (ended === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such session')
      return [{ name: 'agent.sessionsEnded', data: { agentId: agent.id, count: 1 } }]
    })
    hub.bus.publish('session.ended', { sessionId: request.params.id })
    return { ok: true as const }
  })

  app.delete('/api/me/sessions', { config, schema: { response: { 200: Type.Object({ ended: Type.Integer() }) } } }, async (request) => {
    const { agent, sessionId } = actorOf(request)
    return { ended: await endSessions(hub, hub.em(), agent.id, sessionId) }
  })
}
