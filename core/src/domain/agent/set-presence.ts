/** What an agent is doing, and that they are there at all. */
import { HubError } from '../../../sdk/errors.ts'
import { may } from '../../access/ability.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { presenceTtlMs } from '../assignment/choose-agent.ts'
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

const notThere = () => ({ $or: [{ seenAt: null }, { seenAt: { $lte: new Date(Date.now() - presenceTtlMs) } }] })

/** Whoever signs in is online, from when a workbench is open. Who sits at one already stays what they chose to be there. */
export async function beOnlineWhenSeated(hub: Hub, agentId: string): Promise<void> {
  await commitWithEvents(hub, async (em) => {
    const changed = await em.nativeUpdate(Agent, { id: agentId, presence: { $ne: 'online' }, ...notThere() }, { presence: 'online' })
    return changed > 0 ? [{ name: 'agent.presenceChanged', data: { agentId, presence: 'online' } }] : []
  })
}

/** A workbench is open: who was not there is, and what waits need not wait for the next look at it. */
export async function takeSeat(hub: Hub, agentId: string): Promise<void> {
  const came = await hub.em().nativeUpdate(Agent, { id: agentId, ...notThere() }, { seenAt: new Date() })
  if (came === 0) await stayAlive(hub, [agentId])
  hub.bus.publish('agent.presence', { agentId })
  if (came > 0) await routeQueue(hub)
}

/** Signed out everywhere: gone at once, and online again with the next sign-in. */
export async function leaveSeat(hub: Hub, agentId: string): Promise<void> {
  await hub.em().nativeUpdate(Agent, { id: agentId }, { seenAt: null })
  await setPresence(hub, agentId, 'offline')
}

/** A sign of life; many agents at once, one statement. */
export async function stayAlive(hub: Hub, agentIds: readonly string[]): Promise<void> {
  if (agentIds.length > 0) await hub.em().nativeUpdate(Agent, { id: { $in: [...agentIds] } }, { seenAt: new Date() })
}

/**
 * The colleague to whom an agent who goes away hands over their open conversations, all of which they may transfer. Throws
 * HUB_AGENT_UNAVAILABLE, HUB_FORBIDDEN.
 */
export async function findHeir(hub: Hub, { agent, ability }: Actor, toAgentId: string): Promise<Agent> {
  const em = hub.em()
  const to = await em.findOne(Agent, { id: toAgentId, active: true }, { disableIdentityMap: true })
  if (!to || effectivePresence(to) !== 'online' || to.id === agent.id) throw new HubError('HUB_AGENT_UNAVAILABLE', 'This colleague is not online')
  const mine = await em.find(Conversation, { assigneeId: agent.id, status: 'open', deletedAt: null }, { disableIdentityMap: true })
  if (!mine.every((conversation) => may(ability, 'transfer', conversation)))
    throw new HubError('HUB_FORBIDDEN', 'You may not transfer all of your conversations', { permission: 'conversation.transfer' })
  return to
}

/** Moves every open conversation of an agent who goes away to their heir; what those may not serve waits for others. */
export async function handOver(hub: Hub, { agent, ability }: Actor, to: Agent): Promise<number> {
  const agentId = agent.id
  const mine = await hub.em().find(Conversation, { assigneeId: agentId, status: 'open' }, { fields: ['id'], disableIdentityMap: true })
  for (const { id } of mine)
    await changeConversation(hub, id, async (change, tx) => {
      if (change.conversation.assigneeId !== agentId || change.conversation.status !== 'open') return false
      // One that came since, which is theirs to keep.
      if (!may(ability, 'transfer', change.conversation)) return false
      const able = (await whoMayServe(hub, tx, [to], change.conversation)).length > 0
      await assignTo(tx, change, able ? to.id : null, able ? 'away' : 'returned', agentId)
      return true
    })
  await routeQueue(hub)
  return mine.length
}
