/** The customer saw, or the platform delivered, everything up to a message: by our number of it or by the platform's name. */
import type { Identity } from '../domain/contact/contact.entity.ts'
import type { ConversationChange } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { type Applying, afterTheSend, changeOf, type EventOf, findSent, type InboundOutcome, isSending } from './applying.ts'

export async function applyReceipt(
  applying: Applying,
  inbox: Inbox,
  identity: Identity | undefined,
  event: EventOf<'receipt'>,
  patient: boolean,
): Promise<InboundOutcome> {
  const nothing: InboundOutcome = { kind: 'done', duplicate: false, at: undefined }
  let change = identity && applying.changes.get(identity.id)
  let upToSeq: number
  if ('upToSeq' in event) {
    if (change?.conversation.id !== event.conversationId) change = identity && (await endedOf(applying, identity, event.conversationId))
    upToSeq = event.upToSeq
  } else {
    const sending = patient && identity !== undefined && (await isSending(applying.em, identity))
    const sent = await findSent(applying.em, inbox.id, event.messageExternalId)
    if (!sent) return sending ? afterTheSend : nothing
    change = await changeOf(applying, sent.message.conversationId)
    // One customer's receipt says nothing of another's.
    if (change?.conversation.identityId !== identity?.id) return nothing
    upToSeq = sent.message.seq
  }
  if (!change) return nothing
  const { conversation } = change
  const seq = Math.min(upToSeq, conversation.lastSeq)
  if (seq > conversation.customerDeliveredSeq || (event.status === 'read' && seq > conversation.customerReadSeq)) {
    conversation.customerDeliveredSeq = Math.max(conversation.customerDeliveredSeq, seq)
    if (event.status === 'read') conversation.customerReadSeq = Math.max(conversation.customerReadSeq, seq)
    applying.keep(change)
  }
  return nothing
}

/** The last answer is often read after the end. Nobody reaches another's by its id. */
async function endedOf(applying: Applying, { id: identityId }: Identity, id: string): Promise<ConversationChange | undefined> {
  const theirs = await applying.em.findOne(Conversation, { id, identityId }, { fields: ['id'], disableIdentityMap: true })
  return theirs ? changeOf(applying, id) : undefined
}
