/** A message we sent did not arrive after all: a bounce, a late refusal. It is shown on that message and on no other. */
import type { Identity } from '../domain/contact/contact.entity.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { MessageName, Outbound } from '../domain/message/message.entity.ts'
import { type Applying, changeOf, type EventOf, findSent, isSending, ownCopy } from './applying.ts'
import type { InboundOutcome } from './inbound.ts'

const waitMs = 2_000

export async function applyFailure(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'failure'>, patient: boolean): Promise<InboundOutcome> {
  const { em } = applying
  const sending = patient && (await isSending(em, identity))
  const sent = await findSent(em, inbox.id, event.messageExternalId)
  // The refusal may overtake the answer to the send.
  if (!sent && sending) return { kind: 'later', ms: waitMs, why: 'a send is on its way' }
  const nothing: InboundOutcome = { kind: 'done', duplicate: true, at: undefined }
  if (!sent || sent.name?.failedAt) return nothing
  const change = await changeOf(applying, sent.message.conversationId)
  if (!change) return nothing
  const message = ownCopy(change, sent.message)
  // Sent again meanwhile: the fate of that send is still to come.
  if (message.status === 'failed' || (await em.count(Outbound, { messageId: message.id })) > 0) return nothing
  if (sent.name) await em.nativeUpdate(MessageName, { inboxId: inbox.id, externalId: event.messageExternalId }, { failedAt: change.at })
  message.status = 'failed'
  message.failure = event.reason.slice(0, 200)
  message.failureText = event.detail ? { zh: event.detail.slice(0, 2_000), en: event.detail.slice(0, 2_000) } : null
  change.touch(message)
  return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: message.conversationId, seq: message.seq } }
}
