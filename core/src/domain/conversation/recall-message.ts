/** Takes a sent message back where the channel can. The record keeps it; nobody is shown it again. */
import { type ChannelAdapter, SendError } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { Identity } from '../contact/contact.entity.ts'
import { externalIdOf, nameColumns } from '../contact/external-id.ts'
import { adapterOf, capabilitiesOf, openInbox } from '../inbox/channels.ts'
import { Message } from '../message/message.entity.ts'
import { namesOf, noteGone, partlyRecalled } from '../message/platform-names.ts'
import { changeConversation } from './change.ts'
import { Conversation } from './conversation.entity.ts'
import { hidePreview } from './hide-preview.ts'

/** Throws HUB_NOT_FOUND, HUB_FORBIDDEN, HUB_MESSAGE_NOT_RECALLABLE; then it is not marked as taken back. */
export async function recallMessage(hub: Hub, id: string, agentId: string, allowed: (conversation: Conversation) => boolean): Promise<Message> {
  const em = hub.em()
  const found = await em.findOne(Message, { id }, { disableIdentityMap: true })
  const conversation = found && (await em.findOne(Conversation, { id: found.conversationId }, { disableIdentityMap: true }))
  if (!found || !conversation) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  const { recallMs = 0 } = (await capabilitiesOf(hub, conversation.inboxId)) ?? {}
  const check = (message: Message, of: Conversation, at: Date): boolean => {
    if (!allowed(of)) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
    if (message.recalledAt) return false
    if (message.direction !== 'out' && message.direction !== 'note')
      throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'Only what was sent can be taken back', { reason: 'direction' })
    if (message.authorId !== agentId) throw new HubError('HUB_FORBIDDEN', 'Only its author can take a message back')
    const window = message.direction === 'note' ? Number.POSITIVE_INFINITY : recallMs
    if (at.getTime() - message.createdAt.getTime() > window)
      throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'It is too late to take this message back', { reason: 'time', windowMs: window })
    return true
  }
  // The platform first, outside of every lock: what it refuses is not marked here.
  if (!check(found, conversation, new Date())) return found
  const adapter = adapterOf(hub, conversation.channel)
  if (found.direction === 'out' && adapter?.capabilities.delivery === 'push') await recallThere(hub, em, adapter, found, conversation)
  let recalled = found
  await changeConversation(hub, found.conversationId, async (change, tx) => {
    const message = await tx.findOneOrFail(Message, { id }, { disableIdentityMap: true })
    recalled = message
    if (message.recalledAt) return false
    message.recalledAt = change.at
    change.touch(message)
    await hidePreview(tx, change, message)
    return true
  })
  return recalled
}

/** Each of the platform's messages; what is through is remembered, so that asking once more asks for the rest. */
async function recallThere(hub: Hub, em: Em, adapter: ChannelAdapter, message: Message, conversation: Conversation): Promise<void> {
  if (message.status !== 'sent') throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'This message is not there yet', { reason: 'status' })
  const inbox = await openInbox(hub, message.inboxId)
  const identity = await em.findOneOrFail(Identity, { id: conversation.identityId }, { fields: [...nameColumns], disableIdentityMap: true })
  const known = await namesOf(em, message.id)
  const names = known.all > 0 ? known.there : message.externalId ? [message.externalId] : []
  if (!adapter.recall || !inbox || (names.length === 0 && known.all === 0))
    throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'The platform has no name for this message', { reason: 'platform' })
  let refusal: unknown
  let left = 0
  for (const externalId of names)
    try {
      await adapter.recall({ externalId, to: externalIdOf(identity), conversationId: conversation.id }, inbox.forAdapter)
      if (known.all > 1) await noteGone(em, message.inboxId, externalId, new Date())
    } catch (error) {
      if (!(error instanceof SendError)) hub.log.error({ err: error, message: message.id }, 'an adapter failed')
      refusal ??= error
      left++
    }
  if (left === 0) return
  const done = known.all - left
  if (done > 0) await tellPartly(hub, message, done, known.all)
  throw new HubError('HUB_MESSAGE_NOT_RECALLABLE', 'The platform did not take the message back', {
    ...(done > 0 ? { reason: 'partly', done, all: known.all } : { reason: 'platform' }),
    ...(refusal instanceof SendError ? { failure: refusal.reason, sentence: refusal.sentence } : {}),
  })
}

/** For whoever reads the conversation: some of it is gone. */
async function tellPartly(hub: Hub, { id, conversationId }: Message, done: number, all: number): Promise<void> {
  await changeConversation(hub, conversationId, async (change, tx) => {
    const message = await tx.findOneOrFail(Message, { id }, { disableIdentityMap: true })
    if (message.recalledAt || message.status !== 'sent') return false
    message.failureText = partlyRecalled(done, all)
    change.touch(message)
    return true
  })
}
