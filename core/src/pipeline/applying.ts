/** What the application of an inbound event works with: the batch's transaction, the conversations it changes, what follows the commit. */
import type { InboundEvent } from '../../sdk/channel.ts'
import { awaitedRef } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { newId } from '../db/types.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import { ConversationChange, lockConversations } from '../domain/conversation/change.ts'
import { Conversation, quietReason } from '../domain/conversation/conversation.entity.ts'
import { openConversation } from '../domain/conversation/open-conversation.ts'
import { changeGrants, withGrant } from '../domain/conversation/reply-window.ts'
import { customerKey } from '../domain/customer/desk.ts'
import { claimFiles, inboxKey } from '../domain/file/claim-files.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, MessageName, Outbound, RemoteFetch } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'

export interface InboundItem {
  inbox: Inbox
  event: InboundEvent
  /** It comes from the parked rows: earlier ones are done, so it need not look behind itself. */
  parked: boolean
  /** So long it has waited already for what it speaks of. */
  waitedMs?: number
  /** It cannot be taken in: only that it is there. */
  held?: boolean
}

export type InboundOutcome =
  | { kind: 'done'; duplicate: boolean; at: { messageId: string; conversationId: string; seq: number } | undefined }
  | { kind: 'blocked' }
  /** Its sender is known by another name now, which this one says nothing of: whoever sends it asks anew as whom. */
  | { kind: 'former' }
  /** An earlier event of the same sender is parked: this one must wait behind it. */
  | { kind: 'behind' }
  /** It must be looked at again later, by itself: others do not wait for it. */
  | { kind: 'later'; ms: number; why: string }

export interface Applying {
  hub: Hub
  em: Em
  /** By identity for its open conversation, by `conversation:<id>` for any other. */
  changes: Map<string, ConversationChange>
  /** Writes a change that added and touched no message: a pointer moved. */
  keep(change: ConversationChange): void
  after: (() => void)[]
}

export type EventOf<K extends InboundEvent['kind']> = Extract<InboundEvent, { kind: K }>

/** The change of a conversation, locked now if this batch has not got it yet. */
export async function changeOf({ em, changes }: Applying, conversationId: string): Promise<ConversationChange | undefined> {
  const known = [...changes.values()].find((change) => change.conversation.id === conversationId)
  if (known) return known
  const conversation = (await lockConversations(em, [conversationId])).get(conversationId)
  if (!conversation) return undefined
  const change = ConversationChange.of(conversation)
  changes.set(`conversation:${conversationId}`, change)
  return change
}

/**
 * Where something goes that must be kept but wakes nobody (an echo, a machine's letter): the open conversation, else
 * the newest closed one, which stays closed, else one that is closed from the start.
 */
export async function quietConversation(applying: Applying, inbox: Inbox, identity: Identity): Promise<ConversationChange> {
  const open = applying.changes.get(identity.id)
  if (open) return open
  const kept = applying.changes.get(`quiet:${identity.id}`)
  if (kept) return kept
  const newest = await applying.em.findOne(
    Conversation,
    { identityId: identity.id },
    { orderBy: { createdAt: 'desc', id: 'desc' }, fields: ['id'], disableIdentityMap: true },
  )
  const before = newest && (await changeOf(applying, newest.id))
  if (before) return before
  const change = openConversation(inbox, identity, 'customer')
  const { conversation, at } = change
  Object.assign(conversation, { status: 'closed', openIdentityId: null, closeReason: quietReason, closedAt: at })
  // Nobody was told that it opened: it never was.
  change.events.length = 0
  applying.changes.set(`quiet:${identity.id}`, change)
  return change
}

/** Where a customer's message goes: the thread it was recognised for, the quiet place of a machine's letter, else the open conversation. */
export async function conversationFor(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'message'>): Promise<ConversationChange> {
  if (event.conversationId) {
    const thread = await changeOf(applying, event.conversationId)
    if (thread && thread.conversation.inboxId === inbox.id && thread.conversation.status !== 'closed') return thread
  }
  if (event.meta?.automatic) return quietConversation(applying, inbox, identity)
  const change = applying.changes.get(identity.id) ?? openConversation(inbox, identity, 'customer')
  applying.changes.set(identity.id, change)
  return change
}

/** Where that is which this event only adds to; undefined when it is not here, or somebody else's. */
export async function additionTo(
  applying: Applying,
  inbox: Inbox,
  identity: Identity,
  { addsTo }: EventOf<'message'> | EventOf<'echo'>,
): Promise<ConversationChange | undefined> {
  if (addsTo === undefined) return undefined
  const { em, changes } = applying
  const keys = [`in:${addsTo}`, `echo:${addsTo}`]
  const here = [...changes.values()].find(({ added }) => added.some(({ inboxId, dedupeKey }) => inboxId === inbox.id && keys.includes(dedupeKey)))
  const stored = here
    ? null
    : await em.findOne(Message, { inboxId: inbox.id, dedupeKey: { $in: keys } }, { fields: ['conversationId'], disableIdentityMap: true })
  const change = here ?? (stored ? await changeOf(applying, stored.conversationId) : undefined)
  return change?.conversation.identityId === identity.id ? change : undefined
}

/** A customer's message that cannot be taken in is a line, once, and as unread as it would be. */
export async function applyHeld(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'message'>, dedupeKey: string): Promise<InboundOutcome> {
  const change = await conversationFor(applying, inbox, identity, event)
  const { conversation, at } = change
  change.append({ direction: 'system', parts: [{ type: 'event', name: 'message.held', params: {} }], dedupeKey })
  if (!event.meta?.automatic) {
    conversation.lastCustomerAt = at
    conversation.waitingSince ??= at
    conversation.unread += 1
  }
  conversation.lastMessageAt = at
  return { kind: 'done', duplicate: false, at: undefined }
}

/** What a stored message of an event brings with it: its files, those still to be fetched, and what it lets us send. */
export async function attend(
  applying: Applying,
  inbox: Inbox,
  identity: Identity,
  event: EventOf<'message'> | EventOf<'echo'>,
  { conversation, at }: ConversationChange,
  message: Message,
): Promise<void> {
  const { em, hub } = applying
  const bringers = [customerKey({ inboxId: inbox.id, externalId: event.from.externalId }), inboxKey(inbox.id)]
  message.parts = await claimFiles(em, event.parts, message, bringers, [event.meta?.rawFileId])
  if (event.parts.some((part) => awaitedRef(part) !== undefined)) {
    await em.insert(RemoteFetch, { messageId: message.id, conversationId: conversation.id, inboxId: inbox.id, attempts: 0, dueAt: at, createdAt: at })
    applying.after.push(() => hub.queue.hurry('fetch', message.id))
  }
  // A colleague in a thread gives no right to write to the one whose conversation it is.
  if (event.kind === 'message' && event.grant)
    await changeGrants(em, identity.id, conversation.identityId === identity.id ? conversation : undefined, (grants) =>
      withGrant(grants, event.grant as NonNullable<typeof event.grant>, event.sentAt ?? at),
    )
}

/** A message of ours by a name the platform has for it, or by the id we handed over. */
export async function findSent(em: Em, inboxId: string, externalId: string): Promise<{ message: Message; name: MessageName | null } | undefined> {
  const name = await em.findOne(MessageName, { inboxId, externalId }, { disableIdentityMap: true })
  const message = name
    ? await em.findOne(Message, { id: name.messageId }, { disableIdentityMap: true })
    : ((await em.findOne(Message, { inboxId, externalId, direction: 'out' }, { disableIdentityMap: true })) ??
      (externalId.length === newId().length ? await em.findOne(Message, { id: externalId, inboxId, direction: 'out' }, { disableIdentityMap: true }) : null))
  return message ? { message, name } : undefined
}

/** The customer's newest conversations: a message that was to be tried again may leave one that has ended while the next is open. */
export const newestConversations = (em: Em, { id }: Identity): Promise<Pick<Conversation, 'id' | 'lastSeq'>[]> =>
  em.find(Conversation, { identityId: id }, { orderBy: { createdAt: 'desc', id: 'desc' }, limit: 5, fields: ['id', 'lastSeq'], disableIdentityMap: true })

/** So long an event may wait for the answer of a send that it seems to speak of: longer than a send is given. */
export const sendPatienceMs = 120_000

/** What speaks of a message that is being handed over now waits until its name is known. */
export const afterTheSend: InboundOutcome = { kind: 'later', ms: 2_000, why: 'a send is on its way' }

/** Is a message to this customer being handed over now, its answer not here yet? What names it may be early. */
export async function isSending(em: Em, identity: Identity): Promise<boolean> {
  const newest = await newestConversations(em, identity)
  return newest.length > 0 && (await em.count(Outbound, { conversationId: { $in: newest.map(({ id }) => id) }, state: 'sending' })) > 0
}

/** Has a message to this customer been handed over whose fate is not known yet: now, or before a next try that it waits for? */
export async function isTried(em: Em, identity: Identity): Promise<boolean> {
  const newest = await newestConversations(em, identity)
  return newest.length > 0 && (await em.count(Outbound, { conversationId: { $in: newest.map(({ id }) => id) }, attempts: { $gt: 0 } })) > 0
}

/** What waits for something that may take long is looked at soon, and ever less often. */
export const lookAgainMs = (waitedMs: number): number => Math.min(Math.max(2_000, waitedMs / 4), 300_000)

/** The message as this batch has it: one that was added or touched already is not read anew. */
export function ownCopy(change: ConversationChange, message: Message): Message {
  return [...change.added, ...change.changed].find(({ id }) => id === message.id) ?? message
}

/** Our id of the message that a customer's one answers: the platform's name is theirs. Only within the conversation: nobody quotes another's. */
export async function answeredMessage(em: Em, { conversation, added }: ConversationChange, inboxId: string, externalId: string): Promise<string | null> {
  const theirs = `in:${externalId}`
  const message =
    added.find(({ dedupeKey }) => dedupeKey === theirs) ??
    (await em.findOne(Message, { inboxId, dedupeKey: theirs }, { disableIdentityMap: true })) ??
    (await findSent(em, inboxId, externalId))?.message
  return message?.conversationId === conversation.id ? message.id : null
}
