/**
 * Somebody is known by a better name from now on: a stranger signs in. What was said stays where it is and becomes theirs,
 * and the name they had opens nothing any more: whoever still holds it does not read what they say since. No message is
 * copied. Who has no identity by the better name yet keeps the one they have, renamed; else its conversations go over to
 * the one there is, and the contacts are merged, which can be undone. See ADR 0063.
 */
import { createHash } from 'node:crypto'
import { raw } from '@mikro-orm/core'
import type { ChannelSender } from '../../../sdk/channel.ts'
import type { CustomerRef } from '../../../sdk/desk.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { forUpdate, list, readRows, sql } from '../../db/statements.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { assignTo } from '../conversation/assign-conversation.ts'
import { ConversationChange, lockConversations, writeChanges, writeEvents } from '../conversation/change.ts'
import { end, tellEnd } from '../conversation/close-conversation.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import type { Inbox } from '../inbox/inbox.entity.ts'
import { claimsOf, noteClaims, saidBy, suggest } from './claims.ts'
import { Activity, type ContactMove, type Evidence, FormerName, Identity } from './contact.entity.ts'
import { externalIdOf, findIdentity, fittedId, storedName, writtenAs } from './external-id.ts'
import { keptFacts } from './labelled-facts.ts'
import { areApart, areTwo, eventOf, mergeIn, recheckMs, tellMove } from './merge-contacts.ts'
import { refreshProfiles } from './refresh-profile.ts'
import { survivorOf } from './survivor.ts'

/** How often it is begun again when the contacts are merged by others meanwhile. */
const attempts = 3

const signedIn = { zh: '访客登录了账号', en: 'The visitor signed in' }
const blockedSignedIn = { zh: '已拉黑的访客登录了账号', en: 'The blocked visitor signed in' }
const accountLabel = { zh: '账号', en: 'Account' }

/** What is to be told once the transaction has committed. */
type Tell = () => Promise<void> | void

/** @param account what the customer's side calls them, for the line that agents read */
export async function knownAs(hub: Hub, customer: CustomerRef, as: ChannelSender, account: string): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      const tell = await retryOnConflict(() => once(hub, customer, as, account))
      return await tell?.()
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== 'HUB_CONFLICT') throw error
      if (attempt >= attempts) throw new HubError('HUB_UNAVAILABLE', 'Their contacts are being merged just now')
    }
}

/** Whether the name is one that somebody had before it was known who they are. */
export async function isFormer(hub: Hub, em: Em, { inboxId, externalId }: CustomerRef): Promise<boolean> {
  const inbox = await hub.intake.inbox(inboxId)
  return inbox !== null && (await em.count(FormerName, { inboxId, externalId: { $in: writtenAs(hub, inbox, fittedId(externalId)) } })) > 0
}

async function once(hub: Hub, customer: CustomerRef, as: ChannelSender, account: string): Promise<Tell | undefined> {
  const before = hub.em()
  const inbox = await hub.intake.inbox(customer.inboxId)
  const stranger = inbox && (await findIdentity(hub, before, customer))
  // Who has said nothing has nothing to bring; who is vouched for is nobody else.
  if (!stranger || stranger.verified) return undefined
  const known = await findIdentity(hub, before, { ...customer, externalId: as.externalId })
  const ids = [stranger.id, ...(known ? [known.id] : [])]
  const open = await before.find(Conversation, { openIdentityId: { $in: ids } }, { fields: ['id'], disableIdentityMap: true })
  return hub.em().transactional(async (tx) => {
    const em = tx as Em
    // Conversations first, as the river in has them.
    const locked = await lockConversations(
      em,
      open.map(({ id }) => id),
    )
    const rows = await readRows(em, Identity, sql`where id in ${list(ids)} order by id ${forUpdate(em)}`)
    const from = rows.find(({ id }) => id === stranger.id)
    const into = rows.find(({ id }) => id === known?.id)
    // Somebody was faster.
    if (from?.externalId !== stranger.externalId || into?.externalId !== known?.externalId) return undefined
    if (from.blockedAt) return blockedStays(hub, em, from, as, account)
    if (into?.blockedAt) return undefined
    const joining: Joining = { hub, em, inbox, from, as, account, locked: [...locked.values()] }
    return into ? takeOver(joining, into) : promote(joining)
  })
}

interface Joining {
  hub: Hub
  em: Em
  inbox: Inbox
  from: Identity
  as: ChannelSender
  account: string
  /** Their open conversations. */
  locked: Conversation[]
}

/** A block is lifted by nobody's signing in, and shuts out nobody by a browser that they share: who blocked reads of it and decides. */
async function blockedStays(hub: Hub, em: Em, from: Identity, as: ChannelSender, account: string): Promise<Tell | undefined> {
  const externalId = `blocked:${from.id}:${createHash('sha256').update(as.externalId).digest('hex').slice(0, 40)}`
  if ((await em.count(Activity, { inboxId: from.inboxId, externalId })) > 0) return undefined
  await leaveTrail(em, from, externalId, blockedSignedIn, account)
  return () => hub.bus.publish('contact.changed', { contactId: from.contactId })
}

async function leaveTrail(em: Em, { id, inboxId, contactId }: Identity, externalId: string, label: Activity['label'], account: string): Promise<void> {
  const now = new Date()
  const details = keptFacts([{ name: 'account', label: accountLabel, value: account }])
  await em.insert(Activity, {
    id: newId(),
    inboxId,
    externalId,
    contactId,
    identityId: id,
    name: 'signedIn',
    label,
    params: {},
    details,
    at: now,
    createdAt: now,
  })
}

/** Nobody has the better name here yet: the identity gets it, and all that hangs on it stays as it is. */
async function promote({ hub, em, inbox, from, as, account, locked }: Joining): Promise<Tell> {
  const former = formerName(from, from.id)
  Object.assign(from, storedName(hub, inbox, as.externalId), { verified: as.verified ?? false })
  const { externalId, sealedId, verified } = from
  await em.nativeUpdate(Identity, { id: from.id }, { externalId, sealedId, verified })
  await em.insert(FormerName, former)
  await leaveTrail(em, from, `known:${former.id}`, signedIn, account)
  const due = await learn(em, from, as)
  const changes = locked.filter(({ openIdentityId }) => openIdentityId === from.id).map(ConversationChange.of)
  for (const change of changes) {
    change.customer = as.externalId
    change.line('identity.known', { account })
  }
  const tell = await writeChanges(hub, em, changes)
  const listeners = await writeEvents(hub, em, [identified(from, null)])
  return () => {
    tell()
    tellAll(hub, [from.contactId], listeners, due)
  }
}

/** They have been here by the better name before: what was said goes over to that identity, and the contacts become one. */
async function takeOver(joining: Joining, into: Identity): Promise<Tell> {
  const { hub, em, from, as, account } = joining
  const moved = await moveConversations(joining, into)
  const former = { ...formerName(from, into.id), fromId: from.id, conversationIds: moved.ids, recheckAt: new Date(Date.now() + recheckMs) }
  // The row stays, so that the merge can be undone; nobody is called like this.
  await em.nativeUpdate(Identity, { id: from.id }, { externalId: `~${from.id}`, sealedId: '' })
  await em.insert(FormerName, former)
  await leaveTrail(em, into, `known:${former.id}`, signedIn, account)
  // Before the merge: what the stranger said of themselves fills in what is still empty then.
  const due = await learn(em, into, as)
  const record = await mergeTheirs(em, into, from, as)
  const listeners = await writeEvents(hub, em, [identified(into, from), ...(record ? [eventOf(record)] : [])])
  return async () => {
    await moved.tell()
    tellAll(hub, [into.contactId, from.contactId], listeners, due)
    if (record) await tellMove(hub, record)
  }
}

/** By the machinery of all merges, with the signed claim as its evidence. What a person said are two stay two; where names say so, a person is asked. */
async function mergeTheirs(em: Em, into: Identity, from: Identity, as: ChannelSender): Promise<ContactMove | undefined> {
  const [intoId, fromId] = [await survivorOf(em, into.contactId), await survivorOf(em, from.contactId)]
  if (intoId === fromId || (await areTwo(em, intoId, fromId))) return undefined
  const origins = [saidBy(into), saidBy(from)]
  const claims = claimsOf(as).filter(({ verified }) => verified)
  const evidence: Evidence[] = (claims.length > 0 ? claims : [{ kind: 'userId' as const, value: externalIdOf(into) }]).map(({ kind, value }) => ({
    kind,
    value,
    verified: true,
    origins,
  }))
  await suggest(em, intoId, fromId, evidence, null)
  if (await areApart(em, intoId, fromId)) return undefined
  return mergeIn(em, intoId, fromId, null)
}

/**
 * The conversations of one identity become another's. Of two that are open the stranger's ends, since somebody has one at
 * most; what waited there for an answer waits in the one that goes on.
 */
async function moveConversations({ hub, em, from, account, locked }: Omit<Joining, 'as' | 'inbox'>, into: Identity) {
  const changeOf = ({ id }: Identity) => locked.filter(({ openIdentityId }) => openIdentityId === id).map(ConversationChange.of)[0]
  const [theirs, goesOn] = [changeOf(from), changeOf(into)]
  // One that was opened after they were looked for, and is not locked, follows later.
  const ended = await em.find(Conversation, { identityId: from.id, openIdentityId: null }, { fields: ['id'], disableIdentityMap: true })
  const ids = [...ended.map(({ id }) => id), ...(theirs ? [theirs.conversation.id] : [])]
  const to = { identityId: into.id, contactId: into.contactId }
  await em.nativeUpdate(Conversation, { id: { $in: ended.map(({ id }) => id) } }, { ...to, rev: raw('rev + 1'), changedAt: new Date() })
  if (theirs) {
    Object.assign(theirs.conversation, to)
    if (goesOn) await goOnIn(theirs, goesOn, em)
    else {
      theirs.conversation.openIdentityId = into.id
      theirs.conversation.grants = into.grants ?? null
    }
  }
  if (theirs || (goesOn && ids.length > 0))
    (goesOn ?? theirs)?.line('identity.known', { account, ...(theirs && goesOn ? { conversationId: theirs.conversation.id } : {}) })
  const changes = [theirs, goesOn].filter((change) => change !== undefined)
  for (const change of changes) change.customer = externalIdOf(into)
  const touched = changes.filter(({ added }) => added.length > 0)
  const tell = await writeChanges(hub, em, touched)
  return {
    ids,
    tell: async () => {
      tell()
      if (theirs && goesOn) await tellEnd(hub, theirs.conversation, 'joined')
    },
  }
}

async function goOnIn(theirs: ConversationChange, goesOn: ConversationChange, em: Em): Promise<void> {
  const { conversation } = goesOn
  const { unread, waitingSince, lastCustomerAt, lastMessageAt, assigneeId } = theirs.conversation
  await end(theirs, em, 'joined', null)
  conversation.unread += unread
  conversation.waitingSince = earlier(conversation.waitingSince, waitingSince)
  conversation.lastCustomerAt = later(conversation.lastCustomerAt, lastCustomerAt)
  conversation.lastMessageAt = later(conversation.lastMessageAt, lastMessageAt) ?? lastMessageAt
  // Whoever they are talking with goes on, where nobody had come yet.
  if (assigneeId && !conversation.assigneeId) await assignTo(em, goesOn, assigneeId, 'routed', null)
}
const earlier = (one: Date | null | undefined, two: Date | null | undefined): Date | null => (one && two ? (one < two ? one : two) : (one ?? two ?? null))
const later = (one: Date | null | undefined, two: Date | null | undefined): Date | null => (one && two ? (one > two ? one : two) : (one ?? two ?? null))

/** The signed word counts for the contact's data and for who they may be elsewhere. Returns suggestions that are due. */
async function learn(em: Em, identity: Identity, from: ChannelSender): Promise<string[]> {
  await refreshProfiles(em, [{ identity, from, at: new Date() }])
  return noteClaims(em, [{ identity, from, at: new Date() }])
}

const formerName = ({ inboxId, externalId }: Identity, identityId: string) => ({
  id: newId(),
  inboxId,
  externalId,
  identityId,
  fromId: null as string | null,
  conversationIds: [] as string[],
  recheckAt: null as Date | null,
  createdAt: new Date(),
})

const identified = ({ id, inboxId, contactId }: Identity, from: Identity | null) => ({
  name: 'contact.identified' as const,
  data: { contactId, identityId: id, fromIdentityId: from?.id ?? null, inboxId },
})

function tellAll(hub: Hub, contactIds: string[], listeners: ReadonlySet<string>, due: readonly string[]): void {
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  for (const contactId of new Set(contactIds)) hub.bus.publish('contact.changed', { contactId })
  for (const id of due) hub.queue.hurry('people', id)
  hub.bus.publish('visitors.changed', {})
}

/** Due work by its id: conversations that were being opened under the old identity while the others went over follow them. */
export async function followKnown(hub: Hub, id: string): Promise<void> {
  const former = await hub.em().findOne(FormerName, { id, recheckAt: { $lte: new Date() } }, { disableIdentityMap: true })
  if (!former?.fromId) return
  const ids = [former.fromId, former.identityId]
  const tell = await retryOnConflict(async () => {
    const open = await hub.em().find(Conversation, { openIdentityId: { $in: ids } }, { fields: ['id'], disableIdentityMap: true })
    return hub.em().transactional(async (tx) => {
      const em = tx as Em
      const locked = await lockConversations(
        em,
        open.map((one) => one.id),
      )
      const rows = await readRows(em, Identity, sql`where id in ${list(ids)} order by id ${forUpdate(em)}`)
      const [from, into] = ids.map((one) => rows.find((row) => row.id === one))
      const row = await em.findOne(FormerName, { id, recheckAt: { $ne: null } }, { disableIdentityMap: true })
      if (!from || !into || !row) return undefined
      const moved = await moveConversations({ hub, em, from, account: '', locked: [...locked.values()] }, into)
      await em.nativeUpdate(FormerName, { id }, { conversationIds: [...row.conversationIds, ...moved.ids], recheckAt: null })
      return moved.tell
    })
  })
  await tell?.()
}
