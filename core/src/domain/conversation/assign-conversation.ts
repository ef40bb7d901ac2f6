/** Giving conversations to agents: by the rule that counts (`../assignment/choose-agent.ts`), by hand, and back. */

import { LockMode, raw } from '@mikro-orm/core'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { chooseFrom, presenceTtlMs } from '../assignment/choose-agent.ts'
import { findRule } from '../assignment/find-rule.ts'
import { type ConversationChange, changeConversation } from './change.ts'
import { type Assignment, Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'

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

const loadFields = ['id', 'presence', 'seenAt', 'capacity', 'openCount', 'lastAssignedAt'] as const
/** People who are there at once, of one group; beyond it those who had one least recently come first all the same. */
const mostPresent = 200

/** Gives a queued conversation to whoever should have it; leaves it queued when nobody can. */
export async function route(em: Em, change: ConversationChange): Promise<boolean> {
  const { conversation, at } = change
  const { rule, people } = await findRule(em, conversation)
  const there = { active: true, presence: { $in: ['online', 'busy'] as Agent['presence'][] }, seenAt: { $gte: new Date(at.getTime() - presenceTtlMs) } }
  const lastAgentId = rule.strategy === 'lastAgent' ? await lastAgentOf(em, conversation) : null
  const load = async (where: Record<string, unknown>, lock: boolean) =>
    em.find(
      Agent,
      { ...there, ...where },
      {
        orderBy: [{ openCount: 'asc' }, { lastAssignedAt: 'asc' }, { id: 'asc' }],
        limit: mostPresent,
        fields: [...loadFields],
        disableIdentityMap: true,
        ...(lock ? { lockMode: LockMode.PESSIMISTIC_WRITE } : {}),
      },
    )
  // First as the transaction sees them, without a lock. Whoever is chosen must still be as they were seen: another
  // process may have chosen them too. Then once more, as they are now, and locked: the second choice holds.
  for (const lock of [false, true]) {
    const own = await load(people, lock)
    const ids = new Set(own.map(({ id }) => id))
    const others = rule.whenFull === 'everybody' ? (await load({}, lock)).filter(({ id }) => !ids.has(id)) : []
    const { choice } = chooseFrom(rule, own, others, lastAgentId, at.getTime())
    if (!choice) return false
    const { id, openCount, lastAssignedAt } = choice.agent
    const taken = await em.nativeUpdate(
      Agent,
      { id, openCount, lastAssignedAt: lastAssignedAt ?? null },
      { openCount: raw('open_count + 1'), lastAssignedAt: at },
    )
    if (taken === 0) continue
    await assignTo(em, change, id, choice.reason, null, { counted: true })
    return true
  }
  return false
}

/** Who served this contact last. */
async function lastAgentOf(em: Em, { id, contactId }: Conversation): Promise<string | null> {
  const last = await em.findOne(
    Conversation,
    { contactId, assigneeId: { $ne: null }, id: { $ne: id } },
    { orderBy: { createdAt: 'desc' }, fields: ['assigneeId'], disableIdentityMap: true },
  )
  return last?.assigneeId ?? null
}

/** Waiting conversations looked at in one go. */
const queuePage = 50
const queuePages = 20

/** Gives waiting conversations away, oldest first, until nobody has room for those that are left. */
export async function routeQueue(hub: Hub): Promise<number> {
  let given = 0
  /** Where nobody has room: the next one for the same people need not be tried, but others behind it must be. */
  const full = new Set<string>()
  let after: { createdAt: Date; id: string } | undefined
  for (let page = 0; page < queuePages; page++) {
    const waiting = await hub.em().find(
      Conversation,
      { status: 'queued', ...(after ? { $or: [{ createdAt: { $gt: after.createdAt } }, { createdAt: after.createdAt, id: { $gt: after.id } }] } : {}) },
      {
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
        limit: queuePage,
        fields: ['id', 'inboxId', 'departmentId', 'skillGroupId', 'createdAt'],
        disableIdentityMap: true,
      },
    )
    for (const { id, inboxId, departmentId, skillGroupId } of waiting) {
      const people = `${inboxId}/${departmentId}/${skillGroupId}`
      if (full.has(people)) continue
      const { result, conversation } = await changeConversation(
        hub,
        id,
        async (change, em) => change.conversation.status === 'queued' && (await route(em, change)),
      )
      if (result) given++
      else if (conversation.status === 'queued') full.add(people)
    }
    after = waiting.at(-1)
    if (!after || waiting.length < queuePage) break
  }
  return given
}
