/**
 * Written on our side but not through the hub: in the platform's own app. It may also be our own message coming back,
 * before or after the answer to its send; then it only confirms. Of a message of unknown fate nothing but what it says and
 * when tells the two apart, unless the platform does: who is asked to answer by hand says the same words again.
 */
import { type MessagePart, textOf } from '../../sdk/message-parts.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import { countPieces } from '../domain/inbox/channels.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, MessageName } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { applyCall } from './apply-call.ts'
import {
  type Applying,
  additionTo,
  afterTheSend,
  attend,
  changeOf,
  type EventOf,
  findSent,
  type InboundOutcome,
  isSending,
  newestConversations,
  quietConversation,
} from './applying.ts'
import { cutAfter } from './next-try.ts'

/** How far back a message of unknown fate can be the one that comes back. */
const lookBack = 200
/** Sent so long after our message was stored it can be ours; so long before, where clocks differ. A message that waited longer to leave stays in doubt. */
const leavesWithinMs = 5 * 60_000
const clockMs = 60_000

export const echoKey = (externalId: string): string => `echo:${externalId}`

/** @param patient may the echo wait for the answer of a send that is on its way? */
export async function applyEcho(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'echo'>, patient: boolean): Promise<InboundOutcome> {
  const { em } = applying
  // Asked for before the name is: what stops sending meanwhile has its name by then.
  const sending = patient && (await isSending(em, identity))
  const ours = await findSent(em, inbox.id, event.externalId)
  if (ours) return applyCall(applying, event, { messageId: ours.message.id, conversationId: ours.message.conversationId, seq: ours.message.seq })
  if (sending) return afterTheSend
  const unsure = event.origin === 'app' || event.addsTo !== undefined ? undefined : await findUncertain(applying, inbox, identity, event)
  if (unsure) {
    const change = await changeOf(applying, unsure.conversationId)
    const done = unsure.done + 1
    const { status, failure, failureText } = isWhole(unsure, event.parts) || done >= unsure.parts.length ? arrived : cutOff(done)
    Object.assign(unsure, { status, failure, failureText, externalId: unsure.externalId ?? event.externalId })
    if (status === 'failed') {
      await em.nativeUpdate(Message, { id: unsure.id }, { done })
      change?.failed(unsure)
    }
    change?.touch(unsure)
    await em.insert(MessageName, { inboxId: inbox.id, externalId: event.externalId, messageId: unsure.id, failedAt: null })
    return { kind: 'done', duplicate: true, at: { messageId: unsure.id, conversationId: unsure.conversationId, seq: unsure.seq } }
  }
  const addition = await additionTo(applying, inbox, identity, event)
  const change = addition ?? (await quietConversation(applying, inbox, identity))
  const message = change.append({
    direction: 'out',
    parts: event.parts,
    authorId: null,
    dedupeKey: echoKey(event.externalId),
    externalId: event.externalId,
    meta: event.meta ?? null,
    sentAt: event.sentAt,
    quiet: addition !== undefined,
  })
  await attend(applying, inbox, identity, event, change, message)
  return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: change.conversation.id, seq: message.seq } }
}

/** The oldest message of unknown fate that says the same, in the conversation of now or in one that has ended since. Locks its conversation. */
async function findUncertain(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'echo'>): Promise<Message | undefined> {
  const { em, hub } = applying
  const { parts } = event
  const newest = await newestConversations(em, identity)
  if (newest.length === 0) return undefined
  const rows = await em.find(
    Message,
    { $or: newest.map(({ id, lastSeq }) => ({ conversationId: id, seq: { $gt: lastSeq - lookBack } })), direction: 'out', status: 'uncertain' },
    { orderBy: { id: 'asc' }, disableIdentityMap: true },
  )
  for (const row of rows) {
    const { id, conversationId } = row
    if (event.origin !== 'api' && !isOfThatTime(row, event.sentAt ?? new Date())) continue
    if (!isWhole(row, parts) && !(isNextPiece(row, parts) && onePieceEach(hub, inbox, row.parts))) continue
    // Under its lock it is looked at again: another echo may have cleared it up meanwhile.
    const change = await changeOf(applying, conversationId)
    if (!change || change.changed.some((other) => other.id === id)) continue
    const message = await em.findOne(Message, { id, status: 'uncertain' }, { disableIdentityMap: true })
    if (message) return message
  }
  return undefined
}

const isOfThatTime = ({ createdAt }: Message, at: Date): boolean => {
  const after = at.getTime() - createdAt.getTime()
  return after >= -clockMs && after <= leavesWithinMs
}

const arrived = { status: 'sent' as const, failure: null, failureText: null }
/** The piece in doubt arrived; no later one has been handed over. */
const cutOff = (done: number) => ({ status: 'failed' as const, failure: 'interrupted', failureText: cutAfter(done) })

const isWhole = ({ parts: said }: Message, parts: readonly MessagePart[]): boolean => parts.length >= said.length && sayingOf(said) === sayingOf(parts)

/** Where each part is a message of the platform's own: the one after those that are through. */
const isNextPiece = ({ parts: said, done }: Message, parts: readonly MessagePart[]): boolean =>
  said.length > 1 && parts.length === 1 && sayingOf(said.slice(done, done + 1)) === sayingOf(parts)

/** Where a text becomes several messages, what is through tells of no part. */
const onePieceEach = (hub: Hub, inbox: Inbox, said: readonly MessagePart[]): boolean => (countPieces(hub, inbox, said) ?? said.length) === said.length

/** Words where there are some; of a picture only that it is one, its name and bytes are the platform's. */
const sayingOf = (parts: readonly MessagePart[]): string => textOf(parts.filter(({ type }) => type !== 'file')).trim() || parts.map(kindOf).join()

function kindOf(part: MessagePart): string {
  if (part.type === 'remote') return part.as
  return (part.type === 'card' && part.standsFor) || part.type
}
