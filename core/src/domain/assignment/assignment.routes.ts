/** Assignment rules: who gets new conversations, and a word on why. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { AssignmentExplanation, AssignmentRuleInput, AssignmentRule as WireRule } from '../../../sdk/wire/assignment.ts'
import { Id, IdParams, Ok } from '../../../sdk/wire/common.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { routeQueue } from '../conversation/assign-conversation.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Department, SkillGroup } from '../department/department.entity.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { AssignmentRule } from './assignment-rule.entity.ts'
import { presentRule } from './assignment-rule.present.ts'
import { explainAssignment } from './explain-assignment.ts'

const most = 500

export function assignmentRoutes(app: App, hub: Hub): void {
  const config = { access: { permission: 'assignment.manage' } }
  /** Tells the listeners, in the transaction, and the queue, after it: a new rule may let somebody through. */
  async function change(byAgentId: string, work: (em: Em) => Promise<void>): Promise<void> {
    await commitWithEvents(hub, async (em) => {
      await work(em)
      return [{ name: 'settings.changed', data: { scope: 'assignment', byAgentId } }]
    })
    await routeQueue(hub)
  }

  app.get('/api/assignment-rules', { config, schema: { response: { 200: Type.Object({ items: Type.Array(WireRule) }) } } }, async () => {
    const rows = await hub.em().find(AssignmentRule, {}, { orderBy: [{ scope: 'asc' }, { id: 'asc' }], limit: most, disableIdentityMap: true })
    return { items: rows.map(presentRule) }
  })

  app.put('/api/assignment-rules', { config, schema: { body: AssignmentRuleInput, response: { 200: WireRule } } }, async (request) => {
    const { scope, strategy, maxOpen = null, whenFull } = request.body
    const em = hub.em()
    const targetId = scope === 'hub' ? '' : await existing(em, scope, request.body.targetId)
    const fields = { strategy, maxOpen, whenFull, updatedAt: new Date() }
    await change(actorOf(request).agent.id, async (tx) => {
      await tx.upsert(AssignmentRule, { id: newId(), scope, targetId, ...fields }, { onConflictFields: ['scope', 'targetId'], onConflictExcludeFields: ['id'] })
    })
    return presentRule(await em.findOneOrFail(AssignmentRule, { scope, targetId }, { disableIdentityMap: true }))
  })

  app.delete('/api/assignment-rules/:id', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    await change(actorOf(request).agent.id, async (tx) => {
      if ((await tx.nativeDelete(AssignmentRule, { id: request.params.id })) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such rule')
    })
    return { ok: true as const }
  })

  app.get(
    '/api/assignment-rules/explain',
    {
      config,
      schema: { summary: 'Explain who is next in an inbox, and why', querystring: Type.Object({ inboxId: Id }), response: { 200: AssignmentExplanation } },
    },
    async (request) => {
      const em = hub.em()
      const inbox = await em.findOne(Inbox, { id: request.query.inboxId }, { disableIdentityMap: true })
      if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
      return explainAssignment(hub, { inboxId: inbox.id, departmentId: inbox.departmentId, skillGroupId: inbox.skillGroupId })
    },
  )
}

async function existing(em: Em, scope: 'inbox' | 'skillGroup' | 'department', targetId: string | null): Promise<string> {
  const entity = { inbox: Inbox, skillGroup: SkillGroup, department: Department }[scope]
  if (!targetId || (await em.count(entity as typeof Inbox, { id: targetId })) === 0)
    throw new HubError('HUB_NOT_FOUND', 'What the rule is for does not exist', { path: '/targetId' })
  return targetId
}
