/** The end of a conversation: neither side's words go into it any more; a new message of the customer opens a new one. */
import { HubError } from '../../../sdk/errors.ts'
import type { Hub } from '../../hub.ts'
import { notifyCustomer } from '../../realtime/notify-customer.ts'
import { release, routeQueue } from './assign-conversation.ts'
import { changeConversation } from './change.ts'
import type { Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'

export type CloseReason = 'agent' | 'customer' | 'timeout' | 'blocked'

/** Closing what is closed changes nothing. Throws HUB_NOT_FOUND, HUB_FORBIDDEN. */
export async function closeConversation(
  hub: Hub,
  id: string,
  reason: CloseReason,
  byAgentId: string | null,
  allowed: (conversation: Conversation) => boolean = () => true,
): Promise<void> {
  const { result, conversation } = await changeConversation(hub, id, async (change, em) => {
    const { conversation } = change
    if (!allowed(conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not end this conversation')
    if (conversation.status === 'closed') return false
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
  })
  if (!result) return
  notifyCustomer(hub, conversation, { kind: 'closed', reason })
  // Somebody has room now.
  await routeQueue(hub)
}
