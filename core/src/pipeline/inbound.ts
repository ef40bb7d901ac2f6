/**
 * The river in: identity → conversation → message → assignment → commit → tell. A batch of events is one
 * transaction, all or nothing; `accept.ts` gathers batches and tries events singly when a batch fails.
 */
import type { InboundEvent, LetterMeta } from '../../sdk/channel.ts'
import { NumbersShort } from '../db/counter.ts'
import type { Em } from '../db/orm.ts'
import { retryOnConflict } from '../db/retry.ts'
import { columnsOf, insertRows, list, readRaw, rowOf, sql, updateRows } from '../db/statements.ts'
import { newId } from '../db/types.ts'
import { linkNewPeople, noteClaims } from '../domain/contact/claims.ts'
import { Contact, Identity } from '../domain/contact/contact.entity.ts'
import { externalIdOf, storedName, writtenAs } from '../domain/contact/external-id.ts'
import { keptFacts } from '../domain/contact/labelled-facts.ts'
import { profileOf, refreshProfiles, saidOf } from '../domain/contact/refresh-profile.ts'
import { route } from '../domain/conversation/assign-conversation.ts'
import { ConversationChange, lockConversations, writeChanges } from '../domain/conversation/change.ts'
import type { Hub } from '../hub.ts'
import { applyActivity } from './apply-activity.ts'
import { applyCall } from './apply-call.ts'
import { applyEcho, echoKey } from './apply-echo.ts'
import { applyFailure } from './apply-failure.ts'
import { applyRecall } from './apply-recall.ts'
import { applyReceipt } from './apply-receipt.ts'
import {
  type Applying,
  additionTo,
  answeredMessage,
  applyHeld,
  attend,
  conversationFor,
  type InboundItem,
  type InboundOutcome,
  sendPatienceMs,
} from './applying.ts'

export async function processInbound(hub: Hub, items: readonly InboundItem[]): Promise<InboundOutcome[]> {
  const { numbers } = hub.intake
  /** Numbers for new contacts, got outside the transaction because the ones at hand did not suffice. */
  let fetched: number[] | undefined
  return retryOnConflict(async (attempt) => {
    let after: (() => void) | undefined
    const once = () =>
      hub.em().transactional(async (tx) => {
        const em = tx as Em
        const senders = await resolveSenders(hub, em, items, (count) => fetched ?? numbers.takeNow(count))
        // The database holds that nothing is stored twice; whether it is here already is only asked when it says so.
        const known: KnownMessages = attempt > 1 ? await knownMessages(em, items) : new Map()
        const changes = await openChanges(em, items, senders, known)
        const results: InboundOutcome[] = []
        const applying: Applying = { hub, em, changes, keep: (change) => void receipts.add(change), after: [] }
        for (const item of items) {
          const sender = senders.get(senderKey(item))
          if (!sender) throw new Error('a sender was not resolved')
          if (sender.former && !item.parked) results.push({ kind: 'former' })
          else if (sender.identity?.blockedAt && fromCustomer(item.event)) results.push({ kind: 'blocked' })
          else if (!item.parked && sender.waiting) results.push({ kind: 'behind' })
          else results.push(await apply(applying, item, sender.identity, known))
        }
        // Of who is known by another name now nobody says anything by the old one.
        const speakers = items.flatMap((item) => {
          const { identity, former } = senders.get(senderKey(item)) ?? {}
          return identity && !former ? [{ identity, from: item.event.from, at: timeOf(item.event) }] : []
        })
        const refreshed = await refreshProfiles(
          em,
          speakers.filter(({ identity }) => !identity.blockedAt),
        )
        for (const contactId of refreshed) applying.after.push(() => hub.bus.publish('contact.changed', { contactId }))
        // New names of people we know may join them to others: that happens after the commit, by itself.
        const due = await noteClaims(em, speakers)
        for (const id of due) applying.after.push(() => hub.queue.hurry('people', id))
        const touched = [...changes.values()].filter((change) => isWorthWriting(change))
        await keepAddresses(em, items, senders, touched)
        await route(
          hub,
          em,
          touched.filter(({ before, conversation }) => before === null && conversation.status === 'queued'),
        )
        const tell = await writeChanges(hub, em, touched)
        after = () => {
          tell()
          for (const next of applying.after) next()
        }
        return results
      })
    const outcomes = await once().catch(async (error) => {
      if (!(error instanceof NumbersShort)) throw error
      fetched = await numbers.take(error.count)
      return once()
    })
    after?.()
    return outcomes
  })
}

/** Whose events keep their order. */
export const senderKey = ({ inbox, event }: InboundItem): string => `${inbox.id}\n${event.from.externalId}`
const dedupeKey = ({ event, held }: InboundItem): string =>
  held ? `held:${event.externalId}` : event.kind === 'echo' ? echoKey(event.externalId) : `in:${event.externalId}`
/** What a blocked sender does is refused; what became of our own words is not theirs to keep from us. */
const fromCustomer = ({ kind }: InboundEvent): boolean => kind === 'message' || kind === 'activity'

/** By the platform's clock, where it tells. */
const timeOf = (event: InboundEvent): Date => ('sentAt' in event ? event.sentAt : 'at' in event ? event.at : undefined) ?? new Date()

/** Whoever wrote, did something or was written to is somebody; a receipt, a failure or a recall makes nobody known. */
const introduces = ({ event: { kind } }: InboundItem): boolean => kind === 'message' || kind === 'activity' || kind === 'echo'

interface Sender {
  /** None of somebody unknown who does not introduce themselves. */
  identity: Identity | undefined
  /** Earlier events of this sender are parked. */
  waiting: boolean
  openConversationId: string | null
  /** Met for the first time, in this batch. */
  made?: true
  /** They are known by another name now: what was accepted before is theirs, and nothing else by this one. */
  former?: true
}

/** All senders of a batch with their open conversations; who is new and says something gets a contact and an identity. */
async function resolveSenders(hub: Hub, em: Em, items: readonly InboundItem[], takeNumbers: (count: number) => number[]): Promise<Map<string, Sender>> {
  const senders = new Map<string, Sender>()
  const unknown: InboundItem[] = []
  for (const [inboxId, group] of Map.groupBy(items, (item) => item.inbox.id)) {
    const names = [...new Set(group.flatMap(({ inbox, event }) => writtenAs(hub, inbox, event.from.externalId)))]
    const rows = await readRaw<{ open_id: string | null; waiting: number }>(
      em,
      sql`select ${columnsOf(em, Identity, 'i')}, c.id as open_id, exists(${parkedOf('i.inbox_id', 'i.external_id')}) as waiting
          from identity i left join conversation c on c.open_identity_id = i.id where i.inbox_id = ${inboxId} and i.external_id in ${list(names)}`,
    )
    for (const row of rows) {
      const identity = rowOf(em, Identity, row)
      senders.set(`${inboxId}\n${externalIdOf(identity)}`, { identity, waiting: Number(row.waiting) === 1, openConversationId: row.open_id })
    }
    const fresh = Map.groupBy(
      group.filter((item) => !senders.has(senderKey(item))),
      ({ event }) => event.from.externalId,
    )
    for (const said of fresh.values()) unknown.push((said.findLast(introduces) ?? said[0]) as InboundItem)
  }
  if (unknown.length === 0) return senders
  const known = await whatIsKnown(hub, em, unknown)
  for (const item of unknown) {
    const { waiting = false, formerly } = known.get(item) ?? {}
    senders.set(senderKey(item), formerly ? await whoTheyAre(em, formerly) : { identity: undefined, waiting, openConversationId: null })
  }
  const introduced = unknown.filter((item) => introduces(item) && !senders.get(senderKey(item))?.former)
  if (introduced.length > 0) await makeSenders(hub, em, introduced, takeNumbers(introduced.length), senders)
  return senders
}

const parkedOf = (inbox: string, sender: string) => ({
  text: `select 1 from inbound_event e where e.inbox_id = ${inbox} and e.sender_id = ${sender} and e.due_at is not null`,
  params: [],
})

interface Known {
  /** Earlier events are parked. */
  waiting: boolean
  /** The identity that had this name before it was known who they are. */
  formerly: string | undefined
}

/** What there is of senders that no identity is called like. */
async function whatIsKnown(hub: Hub, em: Em, items: readonly InboundItem[]): Promise<Map<InboundItem, Known>> {
  const waiting = new Set<string>()
  const former = new Map<string, string>()
  for (const [inboxId, group] of Map.groupBy(items, (item) => item.inbox.id)) {
    const names = list(group.flatMap(({ inbox, event }) => writtenAs(hub, inbox, event.from.externalId)))
    const rows = await readRaw<{ name: string; identity_id: string | null }>(
      em,
      sql`select sender_id as name, null as identity_id from inbound_event where inbox_id = ${inboxId} and sender_id in ${names} and due_at is not null
          union all select external_id as name, identity_id from former_name where inbox_id = ${inboxId} and external_id in ${names}`,
    )
    for (const { name, identity_id } of rows) {
      if (identity_id === null) waiting.add(`${inboxId}\n${name}`)
      else former.set(`${inboxId}\n${name}`, identity_id)
    }
  }
  return new Map(
    items.map((item) => {
      const keys = writtenAs(hub, item.inbox, item.event.from.externalId).map((name) => `${item.inbox.id}\n${name}`)
      return [item, { waiting: keys.some((key) => waiting.has(key)), formerly: keys.map((key) => former.get(key)).find((id) => id !== undefined) }]
    }),
  )
}

/** Who had another name, as they are now. */
async function whoTheyAre(em: Em, id: string): Promise<Sender> {
  const [row] = await readRaw<{ open_id: string | null }>(
    em,
    sql`select ${columnsOf(em, Identity, 'i')}, c.id as open_id from identity i left join conversation c on c.open_identity_id = i.id where i.id = ${id}`,
  )
  if (!row) throw new Error('who had another name is somebody')
  return { identity: rowOf(em, Identity, row), waiting: false, openConversationId: row.open_id, former: true }
}

async function makeSenders(hub: Hub, em: Em, items: readonly InboundItem[], numbers: readonly number[], senders: Map<string, Sender>): Promise<void> {
  const now = new Date()
  const made = items.map((item, i) => {
    const { from } = item.event
    const profile = profileOf(from, timeOf(item.event))
    const said = saidOf([profile])
    const contact = {
      id: newId(),
      number: numbers[i],
      nickname: '',
      remark: '',
      name: said.name ?? '',
      phone: said.phone ?? '',
      email: said.email ?? '',
      wechat: '',
      qq: '',
      address: '',
      attributes: from.label ? { label: from.label } : {},
      mergedIntoId: null,
      createdAt: now,
      updatedAt: now,
    } as Contact
    const identity = {
      id: newId(),
      inboxId: item.inbox.id,
      ...storedName(hub, item.inbox, from.externalId),
      contactId: contact.id,
      verified: from.verified ?? false,
      attributes: from.attributes ?? {},
      profile,
      facts: keptFacts(from.facts),
      address: from.ip?.slice(0, 45) ?? '',
      grants: null,
      blockedAt: null,
      blockedById: null,
      createdAt: now,
    } as Identity
    Object.assign(senders.get(senderKey(item)) as Sender, { identity, made: true })
    return { contact, identity, from }
  })
  await insertRows(em, Contact, await linkNewPeople(em, made))
  await insertRows(
    em,
    Identity,
    made.map(({ identity }) => identity),
  )
}

/** Where somebody is now, once a conversation: to compare it with every message would be to open it each time. */
async function keepAddresses(em: Em, items: readonly InboundItem[], senders: Map<string, Sender>, touched: readonly ConversationChange[]): Promise<void> {
  const began = new Set(touched.flatMap(({ before, conversation }) => (before === null ? conversation.identityId : [])))
  const moved = new Set<Identity>()
  for (const item of items) {
    const sender = senders.get(senderKey(item))
    const { ip } = item.event.from
    if (!ip || !sender?.identity || sender.made || !began.has(sender.identity.id)) continue
    sender.identity.address = ip.slice(0, 45)
    moved.add(sender.identity)
  }
  await updateRows(em, Identity, [...moved], ['address'])
}

type KnownMessages = Map<string, { id: string; conversationId: string; seq: number }>

/** Messages we have already, by inbox and dedupe key; grows as the batch goes on. */
async function knownMessages(em: Em, items: readonly InboundItem[]): Promise<KnownMessages> {
  const known: KnownMessages = new Map()
  for (const [inboxId, group] of Map.groupBy(items, (item) => item.inbox.id)) {
    const rows = await readRaw<{ id: string; dedupe_key: string; conversation_id: string; seq: number }>(
      em,
      sql`select id, dedupe_key, conversation_id, seq from message where inbox_id = ${inboxId} and dedupe_key in ${list(group.map(dedupeKey))}`,
    )
    for (const { id, dedupe_key, conversation_id, seq } of rows) known.set(`${inboxId}\n${dedupe_key}`, { id, conversationId: conversation_id, seq })
  }
  return known
}

/** The open conversations of all senders, locked; one that does not exist is opened when its first message is applied. */
async function openChanges(
  em: Em,
  items: readonly InboundItem[],
  senders: Map<string, Sender>,
  known: KnownMessages,
): Promise<Map<string, ConversationChange>> {
  const fresh = items.filter((item) => item.event.kind !== 'message' || !known.has(`${item.inbox.id}\n${dedupeKey(item)}`))
  const wanted = new Set(fresh.flatMap((item) => senders.get(senderKey(item))?.openConversationId ?? []))
  // Found first, locked by primary key after: locking a missing row locks the gap and dead-locks with its neighbour.
  const locked = await lockConversations(em, [...wanted])
  const changes = new Map<string, ConversationChange>()
  for (const sender of senders.values()) {
    const { identity, openConversationId } = sender
    if (!identity) continue
    const conversation = locked.get(openConversationId ?? '')
    // They were found to be somebody while we waited for the lock: it is that one's now.
    if (conversation?.openIdentityId && conversation.openIdentityId !== identity.id) sender.former = true
    // Closed while we waited for the lock: then a new one is opened.
    if (conversation?.openIdentityId !== identity.id) continue
    const change = ConversationChange.of(conversation)
    change.customer = externalIdOf(identity)
    changes.set(identity.id, change)
  }
  return changes
}

const isWorthWriting = (change: ConversationChange): boolean => change.added.length > 0 || change.changed.length > 0 || receipts.has(change)
/** Changes that only move a pointer. */
const receipts = new WeakSet<ConversationChange>()

async function apply(applying: Applying, item: InboundItem, identity: Identity | undefined, known: KnownMessages): Promise<InboundOutcome> {
  const { inbox, event, waitedMs = 0 } = item
  const key = `${inbox.id}\n${dedupeKey(item)}`
  const before = event.kind === 'message' || event.kind === 'echo' ? known.get(key) : undefined
  if (before && (event.kind === 'message' || event.kind === 'echo'))
    return applyCall(applying, event, { messageId: before.id, conversationId: before.conversationId, seq: before.seq })
  const patient = waitedMs < sendPatienceMs
  switch (event.kind) {
    case 'failure':
      return applyFailure(applying, inbox, identity, event, waitedMs)
    case 'receipt':
      return applyReceipt(applying, inbox, identity, event, patient)
    case 'recall':
      return applyRecall(applying, inbox, identity, event, waitedMs)
  }
  if (!identity) throw new Error('who says something is somebody')
  switch (event.kind) {
    case 'message': {
      if (item.held) return applyHeld(applying, inbox, identity, event, dedupeKey(item))
      const addition = await additionTo(applying, inbox, identity, event)
      const change = addition ?? (await conversationFor(applying, inbox, identity, event))
      const message = change.append({
        direction: 'in',
        parts: event.parts,
        writerId: identity.id === change.conversation.identityId ? null : identity.id,
        dedupeKey: dedupeKey(item),
        replyToId: event.replyTo ? await answeredMessage(applying.em, change, inbox.id, event.replyTo) : null,
        meta: metaIn(event.meta, change.conversation.id),
        sentAt: event.sentAt,
        quiet: addition !== undefined,
      })
      await attend(applying, inbox, identity, event, change, message)
      known.set(key, message)
      return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: change.conversation.id, seq: message.seq } }
    }
    case 'echo': {
      const outcome = await applyEcho(applying, inbox, identity, event, patient)
      if (outcome.kind === 'done' && outcome.at) known.set(key, { ...outcome.at, id: outcome.at.messageId })
      return outcome
    }
    case 'activity':
      return applyActivity(applying, inbox, identity, event)
  }
}

/** It may have been recognised for the conversation that it is in now: that one is no other. */
function metaIn(meta: LetterMeta | undefined, conversationId: string): LetterMeta | null {
  if (meta?.relatedConversationId !== conversationId) return meta ?? null
  const { relatedConversationId: _here, ...rest } = meta
  return rest
}
