/** What an agent decides about a message that is not through: send it again, now instead of later, or no more. */
import { HubError } from '../../sdk/errors.ts'
import type { Em } from '../db/orm.ts'
import { type ConversationChange, changeConversation } from '../domain/conversation/change.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { takeReplies } from '../domain/conversation/reply-window.ts'
import { capabilitiesOf, piecesOf } from '../domain/inbox/channels.ts'
import { Message, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { endWaiting } from './fate.ts'
import { stoppedByAgent } from './next-try.ts'

type Allowed = (conversation: Conversation) => boolean

/** Under the conversation's lock. Throws HUB_NOT_FOUND, HUB_FORBIDDEN. */
async function decide(
  hub: Hub,
  found: Message,
  allowed: Allowed,
  work: (change: ConversationChange, em: Em, message: Message) => Promise<void>,
): Promise<Message> {
  const { result } = await changeConversation(hub, found.conversationId, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const message = await em.findOneOrFail(Message, { id: found.id }, { disableIdentityMap: true })
    await work(change, em, message)
    change.touch(message)
    return message
  })
  return result as Message
}

async function findMessage(hub: Hub, id: string): Promise<Message> {
  const found = await hub.em().findOne(Message, { id }, { disableIdentityMap: true })
  if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  return found
}

/**
 * A failed or uncertain message goes once more; one that waits for its next try goes now. Throws HUB_CONFLICT when it is
 * neither, HUB_CONVERSATION_CLOSED, HUB_REPLY_WINDOW.
 */
export async function resendMessage(hub: Hub, messageId: string, allowed: Allowed): Promise<Message> {
  const found = await findMessage(hub, messageId)
  const { replyWindow } = (await capabilitiesOf(hub, found.inboxId)) ?? {}
  const pieces = replyWindow ? await piecesOf(hub, found.inboxId, found.parts) : 1
  const message = await decide(hub, found, allowed, async (change, em, message) => {
    if (message.status === 'queued' && message.failure !== null) {
      await em.nativeUpdate(Outbound, { messageId, state: 'queued' }, { dueAt: change.at })
      return
    }
    if (message.status !== 'failed' && message.status !== 'uncertain') throw new HubError('HUB_CONFLICT', 'This message need not be sent again')
    if (change.conversation.status === 'closed') throw new HubError('HUB_CONVERSATION_CLOSED', 'This conversation has ended')
    const grants = replyWindow ? await takeReplies(em, change.conversation, Math.max(1, pieces - message.done)) : null
    Object.assign(message, { status: 'queued', failure: null, failureText: null })
    await em.nativeUpdate(Message, { id: messageId }, { round: message.round + 1 })
    change.outbound.push({ message, grants })
  })
  hub.queue.hurry('outbound', message.conversationId)
  return message
}

/** A message that waits for its next try is not tried again; those behind it may leave. Throws HUB_CONFLICT when it does not wait. */
export async function stopMessage(hub: Hub, messageId: string, allowed: Allowed): Promise<Message> {
  const found = await findMessage(hub, messageId)
  const { letter } = (await capabilitiesOf(hub, found.inboxId)) ?? {}
  const message = await decide(hub, found, allowed, async (change, em, message) => {
    if (message.status !== 'queued') throw new HubError('HUB_CONFLICT', 'This message does not wait to be sent')
    const row = await em.findOne(Outbound, { messageId }, { disableIdentityMap: true })
    if (!row || !(await endWaiting(em, change.conversation, row))) throw new HubError('HUB_CONFLICT', 'This message is being sent just now')
    Object.assign(message, { status: 'failed', failure: 'stopped', failureText: stoppedByAgent({ done: message.done, letter: letter !== undefined }) })
    change.failed(message)
  })
  hub.queue.hurry('outbound', message.conversationId)
  return message
}
