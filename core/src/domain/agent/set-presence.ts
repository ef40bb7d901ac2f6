/** What an agent is doing, and that they are there at all. */
import { HubError } from '../../../sdk/errors.ts'
import type { Hub } from '../../hub.ts'
import { whoMayServe } from '../assignment/may-serve.ts'
import { assignTo, routeQueue } from '../conversation/assign-conversation.ts'
import { changeConversation, commitWithEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { Agent, type Presence } from './agent.entity.ts'
import { effectivePresence } from './agent.present.ts'

export async function setPresence(hub: Hub, agentId: string, presence: Presence): Promise<void> {
  await commitWithEvents(hub, async (em) => {
    const changed = await em.nativeUpdate(Agent, { id: agentId, presence: { $ne: presence } }, { presence })
    if (presence !== 'offline') await em.nativeUpdate(Agent, { id: agentId }, { seenAt: new Date() })
    return changed > 0 ? [{ name: 'agent.presenceChanged', data: { agentId, presence } }] : []
  })
  hub.bus.publish('agent.presence', { agentId })
  if (presence === 'online') await routeQueue(hub)
}

/** A sign of life; many agents at once, one statement. */
export async function stayAlive(hub: Hub, agentIds: readonly string[]): Promise<void> {
  if (agentIds.length > 0) await hub.em().nativeUpdate(Agent, { id: { $in: [...agentIds] } }, { seenAt: new Date() })
}

/** Moves every open conversation of an agent who goes away to a colleague who is online; what those may not serve waits for others. Throws HUB_AGENT_UNAVAILABLE. */
export async function handOver(hub: Hub, agentId: string, toAgentId: string): Promise<number> {
  const em = hub.em()
  const to = await em.findOne(Agent, { id: toAgentId, active: true }, { disableIdentityMap: true })
  if (!to || effectivePresence(to) !== 'online' || to.id === agentId) throw new HubError('HUB_AGENT_UNAVAILABLE', 'This colleague is not online')
  const mine = await em.find(Conversation, { assigneeId: agentId, status: 'open' }, { fields: ['id'], disableIdentityMap: true })
  for (const { id } of mine)
    await changeConversation(hub, id, async (change, tx) => {
      if (change.conversation.assigneeId !== agentId || change.conversation.status !== 'open') return false
      const able = (await whoMayServe(hub, tx, [to], change.conversation)).length > 0
      await assignTo(tx, change, able ? toAgentId : null, able ? 'away' : 'returned', agentId)
      return true
    })
  await routeQueue(hub)
  return mine.length
}
