/** Back to the queue, for others: what its agent can or may not answer any more. */

import { type HubAbility, may } from '../../access/ability.ts'
import { type Access, loadAccess } from '../../access/access-cache.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import type { Role } from '../role/role.entity.ts'
import { assignTo, routeQueue } from './assign-conversation.ts'
import { changeAmong } from './change.ts'
import { Conversation } from './conversation.entity.ts'

/** In one transaction. */
const page = 50

/** Puts what an agent has open back into the queue. Returns how many there were. */
export async function returnConversations(hub: Hub, agentId: string, byAgentId: string | null): Promise<number> {
  let returned = 0
  for (;;) {
    const open = await hub
      .em()
      .find(Conversation, { assigneeId: agentId, status: 'open' }, { orderBy: { id: 'asc' }, limit: page, fields: ['id'], disableIdentityMap: true })
    returned += await giveBack(hub, open, byAgentId, (conversation) => conversation.assigneeId === agentId)
    if (open.length < page) break
  }
  if (returned > 0) await routeQueue(hub)
  return returned
}

/** What agents who were switched off still have, because a process died before it was done with them. */
export async function returnOrphans(hub: Hub): Promise<void> {
  const gone = await hub.em().find(Agent, { active: false, openCount: { $gt: 0 } }, { limit: page, fields: ['id'], disableIdentityMap: true })
  for (const { id } of gone) {
    await returnConversations(hub, id, null)
    await hub.em().nativeUpdate(Agent, { id, active: false }, { openCount: 0 })
  }
}

/**
 * Puts back what these agents have open and may not answer any more, since a role or an account has changed. All agents
 * are looked at where none are named: a process may have died before it was done, or have given them one meanwhile.
 */
export async function returnUnserved(hub: Hub, agentIds: readonly string[] | undefined, byAgentId: string | null): Promise<void> {
  const em = hub.em()
  const abilities = abilitiesIn(await hub.access.several(em, await busyAmong(em, agentIds)))
  const lost = await findUnserved(em, abilities)
  let returned = 0
  for (let from = 0; from < lost.length; from += page)
    returned += await giveBack(hub, lost.slice(from, from + page), byAgentId, (conversation) => mayNotAnswer(abilities, conversation))
  if (returned > 0) await routeQueue(hub)
}

/** How many would go back if the roles of these agents were others: asked before they are. */
export async function countReturning(em: Em, agentIds: readonly string[], rolesThen: (held: readonly Role[]) => readonly Role[]): Promise<number> {
  const access = await loadAccess(em, await busyAmong(em, agentIds), rolesThen)
  return (await findUnserved(em, abilitiesIn(access))).length
}

async function busyAmong(em: Em, agentIds: readonly string[] | undefined): Promise<string[]> {
  const among = agentIds ? { id: { $in: [...agentIds] } } : {}
  return (await em.find(Agent, { active: true, openCount: { $gt: 0 }, ...among }, { fields: ['id'], disableIdentityMap: true })).map(({ id }) => id)
}

const abilitiesIn = (access: ReadonlyMap<string, Access>) => new Map([...access].map(([id, { ability }]) => [id, ability]))

/** What they have open and may not answer, by what each of them may. As many as agents can have open, in one query. */
async function findUnserved(em: Em, abilities: ReadonlyMap<string, HubAbility>): Promise<Pick<Conversation, 'id'>[]> {
  // Most may answer whatever they have, wherever it comes from: nothing of theirs need be looked at.
  const limited = [...abilities.keys()].filter((assigneeId) =>
    mayNotAnswer(abilities, { assigneeId, inboxId: '', departmentId: null, status: 'open', deletedAt: null }),
  )
  if (limited.length === 0) return []
  const held = await em.find(
    Conversation,
    { assigneeId: { $in: limited }, status: 'open' },
    { orderBy: { id: 'asc' }, fields: ['id', 'assigneeId', 'inboxId', 'departmentId', 'status', 'deletedAt'], disableIdentityMap: true },
  )
  return held.filter((conversation) => mayNotAnswer(abilities, conversation))
}

type Held = Pick<Conversation, 'assigneeId' | 'inboxId' | 'departmentId' | 'status' | 'deletedAt'>
function mayNotAnswer(abilities: ReadonlyMap<string, HubAbility>, conversation: Held): boolean {
  const ability = abilities.get(conversation.assigneeId ?? '')
  return ability !== undefined && !may(ability, 'reply', conversation)
}

/** Those that are still open, and still for giving back. Returns how many. */
async function giveBack(
  hub: Hub,
  rows: readonly Pick<Conversation, 'id'>[],
  byAgentId: string | null,
  still: (conversation: Conversation) => boolean,
): Promise<number> {
  const { count, after } = await retryOnConflict(() =>
    hub.em().transactional((tx) =>
      changeAmong(
        hub,
        tx as Em,
        rows.map(({ id }) => id),
        (conversation) => conversation.status === 'open' && still(conversation),
        (change) => assignTo(tx as Em, change, null, 'returned', byAgentId),
      ),
    ),
  )
  after()
  return count
}
