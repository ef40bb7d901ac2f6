/**
 * A message was taken back: by the customer, or on our side in the platform's own app. The record keeps it. Platforms send
 * again what was not answered in time, so a recall may be here before its message: then it waits for it.
 */
import type { Identity } from '../domain/contact/contact.entity.ts'
import { hidePreview } from '../domain/conversation/hide-preview.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message } from '../domain/message/message.entity.ts'
import { namesOf, noteGone, partlyRecalled } from '../domain/message/platform-names.ts'
import { type Applying, changeOf, type EventOf, findSent, type InboundOutcome, lookAgainMs, ownCopy } from './applying.ts'

/** What has not come by then was before our time, or is none of ours. */
const patienceMs = 3_600_000

/** @param waitedMs so long it has waited for its message */
export async function applyRecall(
  applying: Applying,
  inbox: Inbox,
  identity: Identity | undefined,
  event: EventOf<'recall'>,
  waitedMs: number,
): Promise<InboundOutcome> {
  const { em } = applying
  const nothing: InboundOutcome = { kind: 'done', duplicate: false, at: undefined }
  const dedupeKey = `in:${event.messageExternalId}`
  const sent = event.by === 'agent' ? await findSent(em, inbox.id, event.messageExternalId) : undefined
  const found =
    event.by === 'agent'
      ? sent?.message
      : ([...applying.changes.values()].flatMap(({ added }) => added).find((message) => message.inboxId === inbox.id && message.dedupeKey === dedupeKey) ??
        (await em.findOne(Message, { inboxId: inbox.id, dedupeKey }, { disableIdentityMap: true })))
  if (!found) return waitedMs < patienceMs ? { kind: 'later', ms: lookAgainMs(waitedMs), why: 'its message is not here yet' } : nothing
  const change = await changeOf(applying, found.conversationId)
  // One customer's recall takes back nothing of another's.
  if (!change || change.conversation.identityId !== identity?.id) return nothing
  const message = ownCopy(change, found)
  if (message.recalledAt) return nothing
  if (sent?.name) {
    await noteGone(em, inbox.id, event.messageExternalId, change.at)
    const { all, there } = await namesOf(em, message.id)
    // One of several: the customer has the others.
    if (there.length > 0) {
      if (message.status === 'sent') message.failureText = partlyRecalled(all - there.length, all)
      change.touch(message)
      return nothing
    }
  }
  message.recalledAt = change.at
  change.touch(message)
  await hidePreview(em, change, message)
  return nothing
}
