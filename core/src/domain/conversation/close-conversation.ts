/** The end of a conversation: neither side's words go into it any more; a new message of the customer opens a new one. */
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { notifyCustomer } from '../../realtime/notify-customer.ts'
import { release, routeQueue } from './assign-conversation.ts'
import { type ConversationChange, changeConversation } from './change.ts'
import type { Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'

/** `joined`: it goes on in another one of the same person, who turned out to have one open. */
export type CloseReason = 'agent' | 'customer' | 'timeout' | 'blocked' | 'joined'

/** Closing what is closed changes nothing. Throws HUB_NOT_FOUND, HUB_FORBIDDEN. */
export async function closeConversation(
  hub: Hub,
  id: string,
  reason: CloseReason,
  byAgentId: string | null,
  allowed: (conversation: Conversation) => boolean = () => true,
): Promise<void> {
  const { result, conversation } = await changeConversation(hub, id, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not end this conversation')
    return end(change, em, reason, byAgentId)
  })
  if (result) await tellEnd(hub, conversation, reason)
}

/** In the caller's transaction; false when it has ended already. */
export async function end(change: ConversationChange, em: Em, reason: CloseReason, byAgentId: string | null): Promise<boolean> {
  const { conversation } = change
  if (conversation.status === 'closed') return false
  if (byAgentId) change.assisted('close', byAgentId)
  conversation.status = 'closed'
  conversation.openIdentityId = null
  conversation.closeReason = reason
  conversation.closedById = byAgentId
  conversation.closedAt = change.at
  conversation.unread = 0
  if (conversation.assigneeId) await release(em, conversation.assigneeId)
  change.line('conversation.closed', { reason, byAgentId })
  change.event('conversation.closed', () => ({ conversation: conversationFacts(conversation), byAgentId, reason }))
  return true
}

/** After the commit. */
export async function tellEnd(hub: Hub, conversation: Conversation, reason: CloseReason): Promise<void> {
  notifyCustomer(hub, conversation, { kind: 'closed', reason })
  // A visitor who talked has talked.
  hub.bus.publish('visitors.changed', {})
  // Somebody has room now.
  await routeQueue(hub)
}
