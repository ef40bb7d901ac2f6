/**
 * The river in: identity → conversation → message → assignment → commit → tell. A batch of events is one
 * transaction, all or nothing; `accept.ts` gathers batches and tries events singly when a batch fails.
 */
import type { InboundEvent } from '../../sdk/channel.ts'
import type { Em } from '../db/orm.ts'
import { retryOnConflict } from '../db/retry.ts'
import { newId } from '../db/types.ts'
import { linkNewPeople, type NewPerson, noteClaims } from '../domain/contact/claims.ts'
import { Contact, Identity } from '../domain/contact/contact.entity.ts'
import { route } from '../domain/conversation/assign-conversation.ts'
import { ConversationChange, lockConversations, visibilityOf, writeChanges } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { conversationFacts } from '../domain/conversation/facts.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, ParkedEvent } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { applyActivity } from './apply-activity.ts'
import { applyEcho, echoKey } from './apply-echo.ts'
import { applyFailure } from './apply-failure.ts'
import { applyRecall } from './apply-recall.ts'
import { applyReceipt } from './apply-receipt.ts'
import { type Applying, attend, conversationFor } from './applying.ts'

export interface InboundItem {
  inbox: Inbox
  event: InboundEvent
  /** It comes from the parked rows: earlier ones are done, so it need not look behind itself. */
  parked: boolean
  /** It has waited long enough for a send's answer: it is taken as it is. */
  overdue?: boolean
}

export type InboundOutcome =
  | { kind: 'done'; duplicate: boolean; at: { messageId: string; conversationId: string; seq: number } | undefined }
  | { kind: 'blocked' }
  /** An earlier event of the same sender is parked: this one must wait behind it. */
  | { kind: 'behind' }
  /** It must be looked at again later, by itself: others do not wait for it. */
  | { kind: 'later'; ms: number; why: string }

export async function processInbound(hub: Hub, items: readonly InboundItem[]): Promise<InboundOutcome[]> {
  return retryOnConflict(async () => {
    // Numbers come from a transaction of their own, so before ours.
    const numbers = await hub.intake.numbers.take(await countUnknownSenders(hub.em(), items))
    let after: (() => void) | undefined
    const outcomes = await hub.em().transactional(async (tx) => {
      const em = tx as Em
      const identities = await resolveIdentities(em, items, numbers)
      const behind = await parkedSenders(em, items)
      const known = await knownMessages(em, items)
      const changes = await openChanges(em, items, identities, known)
      const results: InboundOutcome[] = []
      const applying: Applying = { hub, em, changes, keep: (change) => void receipts.add(change), open, after: [] }
      for (const item of items) {
        const identity = identities.get(senderKey(item))
        if (!identity) throw new Error('a sender was not resolved')
        if (identity.blockedAt && fromCustomer(item.event)) results.push({ kind: 'blocked' })
        else if (!item.parked && behind.has(senderKey(item))) results.push({ kind: 'behind' })
        else results.push(await apply(applying, item, identity, known))
      }
      // New names of people we know may join them to others: that happens after the commit, by itself.
      const due = await noteClaims(
        em,
        items.flatMap(({ event: { from }, inbox }) => ({ from, identity: identities.get(`${inbox.id}\n${from.externalId}`) as Identity })),
      )
      for (const id of due) applying.after.push(() => hub.queue.hurry('people', id))
      const touched = [...changes.values()].filter((change) => isWorthWriting(change))
      for (const change of touched) if (change.before === null && change.conversation.status === 'queued') await route(em, change)
      const tell = await writeChanges(hub, em, touched)
      after = () => {
        tell()
        for (const next of applying.after) next()
      }
      return results
    })
    after?.()
    return outcomes
  })
}

const senderKey = ({ inbox, event }: InboundItem): string => `${inbox.id}\n${event.from.externalId}`
const dedupeKey = (event: InboundEvent): string => (event.kind === 'echo' ? echoKey(event.externalId) : `in:${event.externalId}`)
/** What a blocked sender does is refused; what became of our own words is not theirs to keep from us. */
const fromCustomer = ({ kind }: InboundEvent): boolean => kind === 'message' || kind === 'activity'

async function countUnknownSenders(em: Em, items: readonly InboundItem[]): Promise<number> {
  const found = await findIdentities(em, items)
  return new Set(items.map(senderKey).filter((key) => !found.has(key))).size
}

async function findIdentities(em: Em, items: readonly InboundItem[]): Promise<Map<string, Identity>> {
  const rows = await em.find(Identity, { $or: bySender(items, 'externalId') }, { disableIdentityMap: true })
  return new Map(rows.map((row) => [`${row.inboxId}\n${row.externalId}`, row]))
}

/** One condition an inbox, its senders in a list. */
function bySender(items: readonly InboundItem[], column: 'externalId' | 'senderId') {
  const senders = Map.groupBy(items, (item) => item.inbox.id)
  return [...senders].map(([inboxId, group]) => ({ inboxId, [column]: { $in: [...new Set(group.map((item) => item.event.from.externalId))] } }))
}

/** Identities of all senders; who is new gets a contact and an identity. */
async function resolveIdentities(em: Em, items: readonly InboundItem[], numbers: number[]): Promise<Map<string, Identity>> {
  const found = await findIdentities(em, items)
  const now = new Date()
  const people: NewPerson[] = []
  const identities: Identity[] = []
  for (const item of items) {
    const key = senderKey(item)
    if (found.has(key)) continue
    const { from } = item.event
    const number = numbers.shift()
    // A sender that appeared between counting and now was counted; a missing number means one vanished: try again.
    if (number === undefined) throw new Error('no number for a new contact')
    const contact = {
      id: newId(),
      number,
      nickname: '',
      remark: '',
      name: from.name?.slice(0, 60) ?? '',
      phone: from.phone?.slice(0, 40) ?? '',
      email: from.email?.slice(0, 190) ?? '',
      attributes: {},
      mergedIntoId: null,
      createdAt: now,
      updatedAt: now,
    } as Contact
    const identity = {
      id: newId(),
      inboxId: item.inbox.id,
      externalId: from.externalId,
      contactId: contact.id,
      verified: from.verified ?? false,
      attributes: from.attributes ?? {},
      grants: null,
      blockedAt: null,
      blockedById: null,
      createdAt: now,
    } as Identity
    people.push({ identity, contact, from })
    identities.push(identity)
    found.set(key, identity)
  }
  const contacts = await linkNewPeople(em, people)
  if (contacts.length > 0) await em.insertMany(Contact, contacts)
  if (identities.length > 0) await em.insertMany(Identity, identities)
  return found
}

async function parkedSenders(em: Em, items: readonly InboundItem[]): Promise<Set<string>> {
  const rows = await em.find(
    ParkedEvent,
    { $or: bySender(items, 'senderId'), dueAt: { $ne: null } },
    { fields: ['inboxId', 'senderId'], disableIdentityMap: true },
  )
  return new Set(rows.map((row) => `${row.inboxId}\n${row.senderId}`))
}

/** Messages we have already, by inbox and dedupe key; grows as the batch goes on. */
async function knownMessages(em: Em, items: readonly InboundItem[]): Promise<Map<string, Pick<Message, 'id' | 'conversationId' | 'seq'>>> {
  const byInbox = Map.groupBy(items, (item) => item.inbox.id)
  const rows = await em.find(
    Message,
    { $or: [...byInbox].map(([inboxId, group]) => ({ inboxId, dedupeKey: { $in: group.map((item) => dedupeKey(item.event)) } })) },
    { fields: ['id', 'inboxId', 'dedupeKey', 'conversationId', 'seq'], disableIdentityMap: true },
  )
  return new Map(rows.map((row) => [`${row.inboxId}\n${row.dedupeKey}`, row]))
}

/** The open conversations of all senders, locked; one that does not exist is opened when its first message is applied. */
async function openChanges(
  em: Em,
  items: readonly InboundItem[],
  identities: Map<string, Identity>,
  known: Map<string, unknown>,
): Promise<Map<string, ConversationChange>> {
  const fresh = items.filter((item) => item.event.kind !== 'message' || !known.has(`${item.inbox.id}\n${dedupeKey(item.event)}`))
  const wanted = [...new Set(fresh.map((item) => identities.get(senderKey(item))?.id ?? ''))]
  if (wanted.length === 0) return new Map()
  // Read first, lock by primary key after: locking a missing row locks the gap and dead-locks with its neighbour.
  const open = await em.find(Conversation, { openIdentityId: { $in: wanted } }, { fields: ['id'], disableIdentityMap: true })
  const locked = await lockConversations(
    em,
    open.map((row) => row.id),
  )
  const changes = new Map<string, ConversationChange>()
  // Closed while we waited for the lock: then a new one is opened.
  for (const conversation of locked.values())
    if (conversation.openIdentityId) changes.set(conversation.openIdentityId, new ConversationChange(conversation, visibilityOf(conversation)))
  return changes
}

const isWorthWriting = (change: ConversationChange): boolean => change.added.length > 0 || change.changed.length > 0 || receipts.has(change)
/** Changes that only move a pointer. */
const receipts = new WeakSet<ConversationChange>()

async function apply(
  applying: Applying,
  { inbox, event, overdue }: InboundItem,
  identity: Identity,
  known: Map<string, Pick<Message, 'id' | 'conversationId' | 'seq'>>,
): Promise<InboundOutcome> {
  const key = `${inbox.id}\n${dedupeKey(event)}`
  const before = event.kind === 'message' || event.kind === 'echo' ? known.get(key) : undefined
  if (before) return { kind: 'done', duplicate: true, at: { messageId: before.id, conversationId: before.conversationId, seq: before.seq } }
  switch (event.kind) {
    case 'message': {
      const change = await conversationFor(applying, inbox, identity, event)
      const message = change.append({
        direction: 'in',
        parts: event.parts,
        dedupeKey: dedupeKey(event),
        replyToId: event.replyTo ?? null,
        meta: event.meta ?? null,
        sentAt: event.sentAt,
      })
      await attend(applying, inbox, identity, event, change, message)
      known.set(key, message)
      return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: change.conversation.id, seq: message.seq } }
    }
    case 'echo': {
      const outcome = await applyEcho(applying, inbox, identity, event, !overdue)
      if (outcome.kind === 'done' && outcome.at) known.set(key, { ...outcome.at, id: outcome.at.messageId })
      return outcome
    }
    case 'activity':
      return applyActivity(applying, inbox, identity, event)
    case 'failure':
      return applyFailure(applying, inbox, identity, event, !overdue)
    case 'receipt':
      return applyReceipt(applying, inbox, identity, event, !overdue)
    case 'recall':
      return applyRecall(applying, inbox, identity, event, !overdue)
  }
}

/** A new conversation; the database holds that an identity has one open at most. */
function open(inbox: Inbox, identity: Identity): ConversationChange {
  const now = new Date()
  const conversation = {
    id: newId(),
    inboxId: inbox.id,
    channel: inbox.channel,
    contactId: identity.contactId,
    identityId: identity.id,
    openIdentityId: identity.id,
    status: 'queued',
    assigneeId: null,
    departmentId: inbox.departmentId ?? null,
    skillGroupId: inbox.skillGroupId ?? null,
    lastSeq: 0,
    rev: 0,
    agentReadSeq: 0,
    customerDeliveredSeq: 0,
    customerReadSeq: 0,
    unread: 0,
    preview: '',
    previewDirection: '',
    lastMessageAt: now,
    lastCustomerAt: now,
    grants: identity.grants ?? null,
    rating: null,
    ratingComment: null,
    closeReason: null,
    closedById: null,
    closedAt: null,
    createdAt: now,
    changedAt: now,
  } as Conversation
  const change = new ConversationChange(conversation, null, now)
  change.event('conversation.opened', () => ({ conversation: conversationFacts(conversation) }))
  return change
}
