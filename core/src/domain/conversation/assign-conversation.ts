/** Who gets a conversation: least loaded first, never beyond the cap, a busy agent only when nobody else is there. */

import { raw } from '@mikro-orm/core'
import { subtree } from '../../access/access-cache.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { Department, SkillGroupMember } from '../department/department.entity.ts'
import { type ConversationChange, changeConversation } from './change.ts'
import { type Assignment, Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'

/** An agent whose last sign of life is older counts as offline, whatever they chose. */
export const presenceTtlMs = 45_000

export type AssignReason = 'routed' | 'forced' | 'taken' | 'transferred' | 'away' | 'returned'

/** Moves a conversation to an agent (or back to the queue), keeping the trail and both agents' counts. */
export async function assignTo(
  em: Em,
  change: ConversationChange,
  toAgentId: string | null,
  reason: AssignReason,
  byAgentId: string | null,
  options: { counted?: boolean } = {},
): Promise<void> {
  const { conversation, at } = change
  const fromAgentId = conversation.assigneeId ?? null
  if (fromAgentId === toAgentId) return
  if (fromAgentId) await release(em, fromAgentId)
  if (toAgentId && !options.counted) await em.nativeUpdate(Agent, { id: toAgentId }, { openCount: raw('open_count + 1'), lastAssignedAt: at })
  conversation.assigneeId = toAgentId
  conversation.status = toAgentId ? 'open' : 'queued'
  if (toAgentId) {
    const agent = await em.findOne(Agent, { id: toAgentId }, { fields: ['departmentId'], disableIdentityMap: true })
    conversation.departmentId = agent?.departmentId ?? conversation.departmentId
  }
  change.assignments.push({
    id: newId(),
    conversationId: conversation.id,
    fromAgentId,
    toAgentId,
    byAgentId,
    reason,
    createdAt: at,
  } as Assignment)
  change.line(`conversation.${reason}`, { toAgentId, fromAgentId, byAgentId })
  change.event('conversation.assigned', () => ({
    conversation: conversationFacts(conversation),
    fromAgentId,
    toAgentId,
    byAgentId,
    reason,
  }))
}

/** One conversation less for an agent. */
export async function release(em: Em, agentId: string): Promise<void> {
  await em.nativeUpdate(Agent, { id: agentId, openCount: { $gt: 0 } }, { openCount: raw('open_count - 1') })
}

/** Gives a queued conversation to whoever should have it; leaves it queued when nobody can. */
export async function route(em: Em, change: ConversationChange): Promise<boolean> {
  const { conversation } = change
  const alive = new Date(change.at.getTime() - presenceTtlMs)
  const candidates = await em.find(
    Agent,
    {
      active: true,
      presence: { $in: ['online', 'busy'] },
      seenAt: { $gte: alive },
      ...(await eligible(em, conversation)),
    },
    { orderBy: [{ openCount: 'asc' }, { lastAssignedAt: 'asc' }, { id: 'asc' }], limit: 50, disableIdentityMap: true },
  )
  const online = candidates.filter((agent) => agent.presence === 'online')
  // Row 2: busy agents are passed over unless every one who is there is busy; then no lead may be lost.
  const [choice, reason] = online.length > 0 ? ([online, 'routed'] as const) : ([candidates, 'forced'] as const)
  for (const agent of choice) {
    const taken = await em.nativeUpdate(
      Agent,
      { id: agent.id, ...(reason === 'routed' ? { openCount: { $lt: raw('capacity') as unknown as number } } : {}) },
      { openCount: raw('open_count + 1'), lastAssignedAt: change.at },
    )
    if (taken === 0) continue
    await assignTo(em, change, agent.id, reason, null, { counted: true })
    return true
  }
  return false
}

async function eligible(em: Em, conversation: Conversation): Promise<Record<string, unknown>> {
  if (conversation.skillGroupId) {
    const members = await em.find(SkillGroupMember, { skillGroupId: conversation.skillGroupId }, { disableIdentityMap: true })
    return { id: { $in: members.map((member) => member.agentId) } }
  }
  if (conversation.departmentId) {
    const departments = await em.find(Department, {}, { disableIdentityMap: true })
    return { departmentId: { $in: subtree(conversation.departmentId, departments) } }
  }
  return {}
}

/** Gives waiting conversations away, oldest first, until nobody has room for those that are left. */
export async function routeQueue(hub: Hub): Promise<number> {
  const waiting = await hub
    .em()
    .find(
      Conversation,
      { status: 'queued' },
      { orderBy: { createdAt: 'asc' }, limit: 50, fields: ['id', 'departmentId', 'skillGroupId'], disableIdentityMap: true },
    )
  let given = 0
  /** Where nobody has room: the next one for the same people need not be tried. */
  const full = new Set<string>()
  for (const { id, departmentId, skillGroupId } of waiting) {
    const people = `${departmentId}/${skillGroupId}`
    if (full.has(people)) continue
    const { result, conversation } = await changeConversation(
      hub,
      id,
      async (change, em) => change.conversation.status === 'queued' && (await route(em, change)),
    )
    if (result) given++
    else if (conversation.status === 'queued') full.add(people)
  }
  return given
}
