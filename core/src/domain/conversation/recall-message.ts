/** Takes a sent message back where the channel can. The record keeps it; nobody is shown it again. */
import { HubError } from '../../../sdk/errors.ts'
import type { Hub } from '../../hub.ts'
import { adapterOf } from '../inbox/channels.ts'
import { Message } from '../message/message.entity.ts'
import { changeConversation } from './change.ts'
import type { Conversation } from './conversation.entity.ts'

/** Throws HUB_NOT_FOUND, HUB_FORBIDDEN, HUB_MESSAGE_NOT_RECALLABLE. */
export async function recallMessage(hub: Hub, id: string, agentId: string, allowed: (conversation: Conversation) => boolean): Promise<Message> {
  const found = await hub.em().findOne(Message, { id }, { disableIdentityMap: true })
  if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  let recalled = found
  await changeConversation(hub, found.conversationId, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
    const message = await em.findOneOrFail(Message, { id }, { disableIdentityMap: true })
    recalled = message
    if (message.recalledAt) return false
    if (message.direction !== 'out' && message.direction !== 'note')
      throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'Only what was sent can be taken back', { reason: 'direction' })
    if (message.authorId !== agentId) throw new HubError('HUB_FORBIDDEN', 'Only its author can take a message back')
    const window = message.direction === 'note' ? Number.POSITIVE_INFINITY : (adapterOf(hub, change.conversation.channel)?.capabilities.recallMs ?? 0)
    if (change.at.getTime() - message.createdAt.getTime() > window)
      throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'It is too late to take this message back', { reason: 'time', windowMs: window })
    message.recalledAt = change.at
    change.touch(message)
    if (change.conversation.lastSeq === message.seq) change.conversation.preview = '[recalled]'
    return true
  })
  return recalled
}
