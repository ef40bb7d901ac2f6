/**
 * Written on our side but not through the hub: in the platform's own app. It may also be our own message coming back,
 * before or after the answer to its send; then it only confirms.
 */
import { type MessagePart, textOf } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import type { ConversationChange } from '../domain/conversation/change.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, MessageName } from '../domain/message/message.entity.ts'
import { type Applying, attend, type EventOf, findSent, isSending, quietConversation } from './applying.ts'
import type { InboundOutcome } from './inbound.ts'

/** How far back a message of unknown fate can be the one that comes back. */
const lookBack = 200
const waitMs = 2_000

export const echoKey = (externalId: string): string => `echo:${externalId}`

/** @param patient may the echo wait for the answer of a send that is on its way? */
export async function applyEcho(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'echo'>, patient: boolean): Promise<InboundOutcome> {
  const { em } = applying
  // Asked for before the name is: what stops sending meanwhile has its name by then.
  const sending = patient && (await isSending(em, identity))
  const ours = await findSent(em, inbox.id, event.externalId)
  if (ours) return { kind: 'done', duplicate: true, at: { messageId: ours.message.id, conversationId: ours.message.conversationId, seq: ours.message.seq } }
  if (sending) return { kind: 'later', ms: waitMs, why: 'a send is on its way' }
  const change = await quietConversation(applying, inbox, identity)
  const unsure = await findUncertain(em, change, event.parts)
  if (unsure) {
    Object.assign(unsure, { status: 'sent', failure: null, failureText: null, externalId: event.externalId })
    change.touch(unsure)
    await em.insert(MessageName, { inboxId: inbox.id, externalId: event.externalId, messageId: unsure.id, failedAt: null })
    return { kind: 'done', duplicate: true, at: { messageId: unsure.id, conversationId: unsure.conversationId, seq: unsure.seq } }
  }
  const message = change.append({
    direction: 'out',
    parts: event.parts,
    authorId: null,
    dedupeKey: echoKey(event.externalId),
    externalId: event.externalId,
    meta: event.meta ?? null,
    sentAt: event.sentAt,
  })
  await attend(applying, inbox, identity, event, change, message)
  return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: change.conversation.id, seq: message.seq } }
}

/** The oldest message of unknown fate that says the same. */
async function findUncertain(em: Em, { conversation, changed }: ConversationChange, parts: readonly MessagePart[]): Promise<Message | undefined> {
  if (conversation.lastSeq === 0) return undefined
  const rows = await em.find(
    Message,
    { conversationId: conversation.id, seq: { $gt: conversation.lastSeq - lookBack }, direction: 'out', status: 'uncertain' },
    { orderBy: { seq: 'asc' }, disableIdentityMap: true },
  )
  const wanted = sayingOf(parts)
  return rows.find((row) => sayingOf(row.parts) === wanted && !changed.some(({ id }) => id === row.id))
}

/** Words where there are some; of a picture only that it is one, its name and bytes are the platform's. */
const sayingOf = (parts: readonly MessagePart[]): string =>
  textOf(parts.filter(({ type }) => type !== 'file')).trim() || parts.map((part) => (part.type === 'remote' ? part.as : part.type)).join()
