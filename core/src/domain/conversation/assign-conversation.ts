/** Giving conversations to agents: by the rule that counts (`../assignment/choose-agent.ts`), by hand, and back. */

import { LockMode, raw } from '@mikro-orm/core'
import type { Em } from '../../db/orm.ts'
import { execute, sql, stored } from '../../db/statements.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { chooseFrom, presenceTtlMs } from '../assignment/choose-agent.ts'
import { findRule, type Routable, type Rule } from '../assignment/find-rule.ts'
import { type Served, whoMayServe } from '../assignment/may-serve.ts'
import { type ConversationChange, changeConversation } from './change.ts'
import { type Assignment, Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'
import { waitWithInbox } from './leave-place.ts'

export type AssignReason = 'routed' | 'forced' | 'taken' | 'begun' | 'transferred' | 'away' | 'returned'

/**
 * Moves a conversation to an agent, or back to the queue, keeping the trail and both agents' counts. It is of its agent's
 * department while they have it; when it waits, it stands where its inbox puts it.
 */
export async function assignTo(
  em: Em,
  change: ConversationChange,
  toAgentId: string | null,
  reason: AssignReason,
  byAgentId: string | null,
  options: { counted?: AgentLoad } = {},
): Promise<void> {
  const { conversation, at } = change
  const fromAgentId = conversation.assigneeId ?? null
  if (fromAgentId === toAgentId) return
  if (fromAgentId) await release(em, fromAgentId)
  if (toAgentId && !options.counted) await em.nativeUpdate(Agent, { id: toAgentId }, { openCount: raw('open_count + 1'), lastAssignedAt: at })
  conversation.assigneeId = toAgentId
  conversation.status = toAgentId ? 'open' : 'queued'
  if (toAgentId) {
    const agent = options.counted ?? (await em.findOne(Agent, { id: toAgentId }, { fields: ['departmentId'], disableIdentityMap: true }))
    conversation.departmentId = agent?.departmentId ?? conversation.departmentId
  } else await waitWithInbox(em, conversation)
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

const loadFields = ['id', 'presence', 'seenAt', 'capacity', 'openCount', 'lastAssignedAt', 'departmentId'] as const
type AgentLoad = Pick<Agent, (typeof loadFields)[number]>

/** What the conversations of one transaction need know only once. */
interface Seen {
  /** By where conversations wait: their rule, and the people with their loads as they grow. */
  groups: Map<string, { rule: Rule; own: AgentLoad[]; others: AgentLoad[] }>
  /** Agents chosen in this transaction: their rows are ours until it ends, what they are given after the first is written in one go. */
  given: Map<string, { more: number; at: Date }>
}
/** People looked at in one go; the least loaded come first. */
const pageOfPeople = 200
/** Beyond these it is not worth a lock on everybody's row to find somebody better. */
const mostPagesOfPeople = 10

/** Gives queued conversations to whoever should have them; leaves those queued that nobody can take. Returns how many were given. */
export async function route(hub: Hub, em: Em, changes: readonly ConversationChange[]): Promise<number> {
  const seen: Seen = { groups: new Map(), given: new Map() }
  let count = 0
  for (const change of changes) if (await routeOne(hub, em, change, seen)) count++
  await writeGiven(em, seen)
  return count
}

async function routeOne(hub: Hub, em: Em, change: ConversationChange, seen: Seen): Promise<boolean> {
  const { conversation, at } = change
  const key = `${conversation.inboxId}/${conversation.departmentId}/${conversation.skillGroupId}`
  const look = async (lock: boolean) => {
    await writeGiven(em, seen)
    const { rule, people } = await findRule(em, conversation)
    const own = await whoCouldServe(hub, em, conversation, at, people, lock)
    const ids = new Set(own.map(({ id }) => id))
    const everybody = rule.whenFull === 'everybody' ? await whoCouldServe(hub, em, conversation, at, {}, lock) : []
    const found = { rule, own, others: everybody.filter(({ id }) => !ids.has(id)) }
    seen.groups.set(key, found)
    return found
  }
  // First as the transaction sees them, without a lock. Whoever is chosen must still be as they were seen: another
  // process may have chosen them too. Then once more, as they are now, and locked: the second choice holds.
  for (const lock of [false, true]) {
    const { rule, own, others } = (lock ? undefined : seen.groups.get(key)) ?? (await look(lock))
    const lastAgentId = rule.strategy === 'lastAgent' ? await lastAgentOf(em, conversation) : null
    const { choice } = chooseFrom(rule, own, others, lastAgentId, at.getTime())
    if (!choice) return false
    const { agent, reason } = choice
    const given = seen.given.get(agent.id)
    if (given) Object.assign(given, { more: given.more + 1, at })
    else if (await countOneMore(em, agent, at)) seen.given.set(agent.id, { more: 0, at })
    else continue
    // Whoever is in another group of this batch too must be seen there with the new load.
    for (const group of seen.groups.values())
      for (const one of [...group.own, ...group.others])
        if (one.id === agent.id && one !== agent) Object.assign(one, { openCount: agent.openCount + 1, lastAssignedAt: at })
    Object.assign(agent, { openCount: agent.openCount + 1, lastAssignedAt: at })
    await assignTo(em, change, agent.id, reason, null, { counted: agent })
    return true
  }
  return false
}

/** Would routing give a conversation like this to somebody who is there, be it only once they have room? */
export async function isAttended(hub: Hub, waiting: Routable): Promise<boolean> {
  const [em, at] = [hub.em(), new Date()]
  const { rule, people } = await findRule(em, waiting)
  if ((await whoCouldServe(hub, em, waiting, at, people, false)).length > 0) return true
  // Of the others only free hands are taken.
  return rule.whenFull === 'everybody' && (await whoCouldServe(hub, em, waiting, at, { presence: 'online' }, false)).length > 0
}

/** However many are there who may not: those who may are found behind them. */
async function whoCouldServe(hub: Hub, em: Em, conversation: Served, at: Date, where: Record<string, unknown>, lock: boolean): Promise<AgentLoad[]> {
  const may: AgentLoad[] = []
  for (let page = 0; page < mostPagesOfPeople && may.length < pageOfPeople; page++) {
    const present = await whoIsThere(em, at, where, lock, page)
    may.push(...(await whoMayServe(hub, em, present, conversation)))
    if (present.length < pageOfPeople) break
  }
  return may
}

const whoIsThere = (em: Em, at: Date, where: Record<string, unknown>, lock: boolean, page: number): Promise<AgentLoad[]> =>
  em.find(
    Agent,
    { active: true, presence: { $in: ['online', 'busy'] }, seenAt: { $gte: new Date(at.getTime() - presenceTtlMs) }, ...where },
    {
      orderBy: [{ openCount: 'asc' }, { lastAssignedAt: 'asc' }, { id: 'asc' }],
      limit: pageOfPeople,
      offset: page * pageOfPeople,
      fields: [...loadFields],
      disableIdentityMap: true,
      ...(lock ? { lockMode: LockMode.PESSIMISTIC_WRITE } : {}),
    },
  )

/** One conversation more for an agent, if nobody gave them one since they were seen. */
async function countOneMore(em: Em, { id, openCount, lastAssignedAt }: AgentLoad, at: Date): Promise<boolean> {
  const before = lastAssignedAt ? sql`= ${stored(em, Agent, 'lastAssignedAt', lastAssignedAt)}` : sql`is null`
  const changed = await execute(
    em,
    sql`update agent set open_count = open_count + 1, last_assigned_at = ${stored(em, Agent, 'lastAssignedAt', at)}
        where id = ${id} and open_count = ${openCount} and last_assigned_at ${before}`,
  )
  return changed > 0
}

/** Writes what agents were given beyond their first. */
async function writeGiven(em: Em, { given }: Seen): Promise<void> {
  for (const [id, one] of given) {
    if (one.more === 0) continue
    await execute(
      em,
      sql`update agent set open_count = open_count + ${one.more}, last_assigned_at = ${stored(em, Agent, 'lastAssignedAt', one.at)} where id = ${id}`,
    )
    one.more = 0
  }
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

/** So many kinds of waiting are left out of the question; more are passed over one by one. */
const mostLeftOut = 100

type Waiting = Pick<Conversation, 'inboxId' | 'departmentId' | 'skillGroupId'>
/** For other people than these. Nothing is unequal to null for a database: it is asked for by name. */
function otherThan({ inboxId, departmentId, skillGroupId }: Waiting): Record<string, unknown> {
  const not = (field: string, value: string | null | undefined) =>
    value ? { $or: [{ [field]: null }, { [field]: { $ne: value } }] } : { [field]: { $ne: null } }
  return { $or: [{ inboxId: { $ne: inboxId } }, not('departmentId', departmentId), not('skillGroupId', skillGroupId)] }
}

/** Gives waiting conversations away, oldest first, until nobody has room for those that are left. */
export async function routeQueue(hub: Hub): Promise<void> {
  /** Where nobody has room: the next one for the same people need not be tried, but others behind it must be, however many wait before them. */
  const full = new Map<string, Waiting>()
  let after: { createdAt: Date; id: string } | undefined
  for (let page = 0; page < queuePages; page++) {
    const waiting = await hub.em().find(
      Conversation,
      {
        $and: [
          { status: 'queued' },
          ...(after ? [{ $or: [{ createdAt: { $gt: after.createdAt } }, { createdAt: after.createdAt, id: { $gt: after.id } }] }] : []),
          ...[...full.values()].slice(0, mostLeftOut).map(otherThan),
        ],
      },
      {
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
        limit: queuePage,
        fields: ['id', 'inboxId', 'departmentId', 'skillGroupId', 'createdAt'],
        disableIdentityMap: true,
      },
    )
    for (const row of waiting) {
      const { id, inboxId, departmentId, skillGroupId } = row
      const people = `${inboxId}/${departmentId}/${skillGroupId}`
      if (full.has(people)) continue
      const { result, conversation } = await changeConversation(
        hub,
        id,
        async (change, em) => change.conversation.status === 'queued' && (await route(hub, em, [change])) > 0,
      )
      if (!result && conversation.status === 'queued') full.set(people, row)
    }
    after = waiting.at(-1)
    if (!after || waiting.length < queuePage) return
  }
}
