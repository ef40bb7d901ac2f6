/** "See the hub as this role": the session looks through the role's eyes and changes nothing, until it leaves. ADR 0010. */
import { HubError } from '../../../sdk/errors.ts'
import { Ok } from '../../../sdk/wire/common.ts'
import { PreviewInfo, PreviewInput } from '../../../sdk/wire/session.ts'
import { previewMs } from '../../access/preview.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Session } from '../session/session.entity.ts'
import { Role } from './role.entity.ts'

export function previewRoutes(app: App, hub: Hub): void {
  app.post(
    '/api/preview',
    {
      config: { access: { permission: 'role.preview', person: true } },
      schema: { summary: 'Look at the hub as a role does', body: PreviewInput, response: { 201: PreviewInfo } },
    },
    async (request, reply) => {
      const { agent, sessionId } = actorOf(request)
      const em = hub.em()
      const role = await em.findOne(Role, { id: request.body.roleId }, { disableIdentityMap: true })
      if (!role) throw new HubError('HUB_NOT_FOUND', 'There is no such role')
      const until = new Date(Date.now() + previewMs)
      await commitWithEvents(hub, async (tx) => {
        await tx.nativeUpdate(Session, { id: sessionId ?? '' }, { previewRoleId: role.id, previewUntil: until })
        return [{ name: 'preview.started', data: { roleId: role.id, byAgentId: agent.id, until: until.toISOString() } }]
      })
      hub.bus.publish('session.changed', { sessionId })
      return reply.status(201).send({ roleId: role.id, builtin: role.builtin ?? null, name: role.name, until: until.toISOString() })
    },
  )

  app.delete(
    '/api/preview',
    { config: { access: 'person', inPreview: true }, schema: { summary: 'Leave the preview', response: { 200: Ok } } },
    async (request) => {
      const { agent, sessionId, preview } = actorOf(request)
      if (!preview) return { ok: true as const }
      await commitWithEvents(hub, async (tx) => {
        await tx.nativeUpdate(Session, { id: sessionId ?? '' }, { previewRoleId: null, previewUntil: null })
        return [{ name: 'preview.ended', data: { roleId: preview.roleId, byAgentId: agent.id } }]
      })
      hub.bus.publish('session.changed', { sessionId })
      return { ok: true as const }
    },
  )
}
