/** A message was taken back: by the customer, or on our side in the platform's own app. The record keeps it. */
import type { Identity } from '../domain/contact/contact.entity.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message } from '../domain/message/message.entity.ts'
import { type Applying, changeOf, type EventOf, findSent, isSending, ownCopy } from './applying.ts'
import type { InboundOutcome } from './inbound.ts'

const waitMs = 2_000

export async function applyRecall(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'recall'>, patient: boolean): Promise<InboundOutcome> {
  const { em } = applying
  const nothing: InboundOutcome = { kind: 'done', duplicate: false, at: undefined }
  const ours = event.by === 'agent'
  const sending = ours && patient && (await isSending(em, identity))
  const dedupeKey = `in:${event.messageExternalId}`
  const found = ours
    ? (await findSent(em, inbox.id, event.messageExternalId))?.message
    : ([...applying.changes.values()].flatMap(({ added }) => added).find((message) => message.inboxId === inbox.id && message.dedupeKey === dedupeKey) ??
      (await em.findOne(Message, { inboxId: inbox.id, dedupeKey }, { disableIdentityMap: true })))
  if (!found) return sending ? { kind: 'later', ms: waitMs, why: 'a send is on its way' } : nothing
  const change = await changeOf(applying, found.conversationId)
  // One customer's recall takes back nothing of another's.
  if (!change || change.conversation.identityId !== identity.id) return nothing
  const message = ownCopy(change, found)
  if (message.recalledAt) return nothing
  message.recalledAt = change.at
  change.touch(message)
  if (change.conversation.lastSeq === message.seq) change.conversation.preview = '[recalled]'
  return nothing
}
