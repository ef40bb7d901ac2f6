/**
 * Merging and splitting: identities move between contacts, with their conversations, trail and claims; no message is
 * copied. Each move is a record that can be undone.
 */
import { LockMode, raw } from '@mikro-orm/core'
import { HubError } from '../../../sdk/errors.ts'
import type { HubAbility } from '../../access/ability.ts'
import { contactFields } from '../../access/permissions.ts'
import { whereAllowed, whereInLines } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { announce } from '../../realtime/announce.ts'
import { type EventToTell, writeEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { visibilityOf } from '../conversation/visibility.ts'
import { ContactTag } from '../tag/tag.entity.ts'
import { Visit } from '../visit/visit.entity.ts'
import { suggest } from './claims.ts'
import { Activity, Contact, ContactClaim, ContactField, ContactMove, FormerName, Identity, IdentityClaim, MergeSuggestion } from './contact.entity.ts'
import { saidOf } from './refresh-profile.ts'
import { contradictions, goingAlong, isSole, soleNamesOf } from './sole-names.ts'
import { survivorOf } from './survivor.ts'

/** A conversation that was being opened while identities moved, or were renamed, may point at the old one: looked at once more after this. */
export const recheckMs = 30_000
/** Fields the kept contact gets from the other where it has none. */
const givenFields = ['nickname', 'remark', ...contactFields] as const

const emptyFields = Object.fromEntries(contactFields.map((field) => [field, ''])) as Record<(typeof contactFields)[number], string>

export interface MergePreview {
  identities: number
  conversations: number
  activities: number
  /** What the kept contact would get, of the core's own fields. */
  fields: Record<string, string>
  tagIds: string[]
}

/** What would move, as far as this reader sees it; the rest goes along unsaid. */
export async function previewMerge(em: Em, ability: HubAbility, into: Contact, from: Contact): Promise<MergePreview> {
  const identities = await em.find(Identity, { contactId: from.id, ...whereInLines(ability) }, { fields: ['id'], disableIdentityMap: true })
  const ids = identities.map(({ id }) => id)
  return { ...(await previewMove(em, ability, ids)), ...(await givenBy(em, into, from)) }
}

export async function previewMove(
  em: Em,
  ability: HubAbility,
  identityIds: readonly string[],
): Promise<Pick<MergePreview, 'identities' | 'conversations' | 'activities'>> {
  const ids = { identityId: { $in: [...identityIds] } }
  const allowed = whereAllowed(ability, 'read', 'conversation')
  return {
    identities: identityIds.length,
    conversations: allowed ? await em.count(Conversation, { $and: [ids, allowed] }) : 0,
    activities: await em.count(Activity, ids),
  }
}

async function givenBy(em: Em, into: Contact, from: Contact): Promise<{ fields: Record<string, string>; tagIds: string[] }> {
  const tags = await em.find(ContactTag, { contactId: { $in: [into.id, from.id] } }, { limit: 500, disableIdentityMap: true })
  const has = new Set(tags.filter((tag) => tag.contactId === into.id).map(({ tagId }) => tagId))
  return {
    fields: Object.fromEntries(givenFields.flatMap((field) => (into[field] === '' && from[field] !== '' ? [[field, from[field]]] : []))),
    tagIds: tags.filter((tag) => tag.contactId === from.id && !has.has(tag.tagId)).map(({ tagId }) => tagId),
  }
}

/** Makes two contacts one: `from`'s identities become `into`'s. Throws HUB_NOT_FOUND, HUB_CONFLICT. */
export async function mergeContacts(hub: Hub, intoId: string, fromId: string, byAgentId: string | null, suggestionId?: string): Promise<ContactMove> {
  if (intoId === fromId) throw new HubError('HUB_CONFLICT', 'A contact cannot be merged with itself')
  return inOneGo(hub, (em) => mergeIn(em, intoId, fromId, byAgentId, suggestionId))
}

/** The same in the caller's transaction, who tells of it afterwards: {@link eventOf}, {@link tellMove}. */
export async function mergeIn(em: Em, intoId: string, fromId: string, byAgentId: string | null, suggestionId?: string): Promise<ContactMove> {
  const [into, from] = await lockContacts(em, intoId, fromId)
  if (into.mergedIntoId || from.mergedIntoId) throw new HubError('HUB_CONFLICT', 'One of them has been merged meanwhile')
  if (byAgentId === null && (await areApart(em, intoId, fromId))) throw new HubError('HUB_CONFLICT', 'They hold names of which one person has one')
  const { identityIds, given } = await absorb(em, into, from, byAgentId)
  const now = new Date()
  await em.nativeUpdate(MergeSuggestion, suggestionId ? { id: suggestionId } : pairOf(intoId, fromId), {
    state: 'accepted',
    decidedById: byAgentId,
    decidedAt: now,
    dueAt: null,
  })
  await keepRefusals(em, into.id, from.id)
  return move(em, 'merge', from.id, into.id, identityIds, given, byAgentId)
}

/** A person said that these are two. */
export const areTwo = async (em: Em, one: string, two: string): Promise<boolean> =>
  (await em.count(MergeSuggestion, { ...pairOf(one, two), state: 'refused' })) > 0

/** Their names say that they are two, so far as no agent says otherwise. */
export async function areApart(em: Em, one: string, other: string): Promise<boolean> {
  const held = await soleNamesOf(em, [one, other])
  return contradictions(held.get(one), held.get(other)).length > 0
}

/** Whoever `from` is not, `into` is not either. */
async function keepRefusals(em: Em, intoId: string, fromId: string): Promise<void> {
  const refused = await em.find(
    MergeSuggestion,
    { state: 'refused', $or: [{ contactId: fromId }, { otherId: fromId }] },
    { limit: 200, disableIdentityMap: true },
  )
  for (const { contactId, otherId, decidedById } of refused) {
    const other = await survivorOf(em, contactId === fromId ? otherId : contactId)
    if (other !== intoId) await refuse(em, intoId, other, decidedById ?? null)
  }
}

/** `from` becomes `into`, which gets its tags and the fields it has none of. Returns the identities that are to move. */
async function absorb(em: Em, into: Contact, from: Contact, byAgentId: string | null): Promise<Pick<ContactMove, 'identityIds' | 'given'>> {
  const given = await givenBy(em, into, from)
  await giveFields(em, into.id, from.id, given)
  const identities = await em.find(Identity, { contactId: from.id }, { fields: ['id'], disableIdentityMap: true })
  const now = new Date()
  await em.nativeUpdate(Contact, { id: from.id }, { mergedIntoId: into.id, updatedAt: now })
  const own = Object.fromEntries(Object.entries(given.fields).filter(([field]) => !field.includes('.')))
  await em.nativeUpdate(Contact, { id: into.id }, { ...own, updatedAt: now })
  for (const tagId of given.tagIds) await em.upsert(ContactTag, { contactId: into.id, tagId, byAgentId, createdAt: now }, { onConflictAction: 'ignore' })
  return { identityIds: identities.map(({ id }) => id), given }
}

/** Fields that plugins bring go along where the kept contact has none; noted in `given`, so that undoing takes them back. */
async function giveFields(em: Em, intoId: string, fromId: string, given: ContactMove['given']): Promise<void> {
  const rows = await em.find(ContactField, { contactId: { $in: [intoId, fromId] } }, { limit: 200, disableIdentityMap: true })
  const has = new Set(rows.filter((row) => row.contactId === intoId).map(({ field }) => field))
  for (const row of rows) {
    if (row.contactId !== fromId || has.has(row.field) || (row.value === '' && given.fields[row.field] === undefined)) continue
    await em.insert(ContactField, { ...row, contactId: intoId })
    if (row.value !== '') given.fields[row.field] = row.value
  }
}

/** Makes identities of a contact a contact of their own. Throws HUB_NOT_FOUND, HUB_CONFLICT when none would be left. */
export async function splitContact(hub: Hub, contactId: string, identityIds: readonly string[], byAgentId: string): Promise<ContactMove> {
  const [number] = await hub.intake.numbers.take(1)
  return inOneGo(hub, async (em) => {
    const [contact] = await lockContacts(em, contactId)
    const own = await em.find(Identity, { contactId }, { fields: ['id', 'profile'], disableIdentityMap: true })
    const going = own.filter(({ id }) => identityIds.includes(id))
    const moved = going.map(({ id }) => id)
    if (moved.length !== new Set(identityIds).size) throw new HubError('HUB_NOT_FOUND', 'This contact has no such identity')
    if (moved.length === own.length) throw new HubError('HUB_CONFLICT', 'At least one identity must stay')
    const now = new Date()
    const id = newId()
    await em.insert(Contact, {
      id,
      number: number as number,
      nickname: '',
      remark: '',
      ...emptyFields,
      ...saidOf(going.map(({ profile }) => profile)),
      attributes: {},
      mergedIntoId: null,
      createdAt: now,
      updatedAt: now,
    })
    await refuse(em, contact.id, id, byAgentId)
    return move(em, 'split', contact.id, id, moved, { fields: {}, tagIds: [] }, byAgentId)
  })
}

/** Takes a merge or a split back: what it moved goes back, what it gave is taken. Throws HUB_NOT_FOUND, HUB_CONFLICT. */
export async function undoMove(hub: Hub, moveId: string, byAgentId: string): Promise<ContactMove> {
  return inOneGo(hub, async (em) => {
    const record = await em.findOne(ContactMove, { id: moveId }, { disableIdentityMap: true })
    if (!record) throw new HubError('HUB_NOT_FOUND', 'There is no such merge')
    const [into, from] = await lockContacts(em, record.intoId, record.fromId)
    const now = new Date()
    const taken = await em.nativeUpdate(ContactMove, { id: moveId, undoneAt: null }, { undoneAt: now, undoneById: byAgentId })
    const identities = await em.find(Identity, { id: { $in: record.identityIds }, contactId: record.intoId }, { fields: ['id'], disableIdentityMap: true })
    const gone = into.mergedIntoId || (record.kind === 'split' && from.mergedIntoId)
    if (taken === 0 || gone || identities.length < record.identityIds.length) throw new HubError('HUB_CONFLICT', 'They have been moved on meanwhile')
    let back: Pick<ContactMove, 'identityIds' | 'given'> = { identityIds: record.identityIds, given: { fields: {}, tagIds: [] } }
    if (record.kind === 'merge') {
      await em.nativeUpdate(Contact, { id: record.fromId }, { mergedIntoId: null, updatedAt: now })
      // What was changed since is somebody's work and stays.
      for (const [field, value] of Object.entries(record.given.fields).filter(([name]) => name.includes('.')))
        await em.nativeDelete(ContactField, { contactId: record.intoId, field, value })
      const kept = Object.entries(record.given.fields).filter(([field, value]) => (into as unknown as Record<string, unknown>)[field] === value)
      if (kept.length > 0) await em.nativeUpdate(Contact, { id: record.intoId }, { ...Object.fromEntries(kept.map(([field]) => [field, ''])), updatedAt: now })
      if (record.given.tagIds.length > 0) await em.nativeDelete(ContactTag, { contactId: record.intoId, tagId: { $in: record.given.tagIds } })
      await refuse(em, record.intoId, record.fromId, byAgentId)
      await giveBackConversations(em, record.identityIds, now)
      // Who came to it since the split would be left on a contact that is nobody any more: all that it has goes back.
    } else back = await absorb(em, from, into, byAgentId)
    const kind = record.kind === 'merge' ? 'split' : 'merge'
    const done = await move(em, kind, record.intoId, record.fromId, back.identityIds, back.given, byAgentId)
    // An undo is not undone: it is done anew.
    await em.nativeUpdate(ContactMove, { id: done.id }, { undoneAt: now, undoneById: byAgentId })
    return { ...record, identityIds: back.identityIds, undoneAt: now, undoneById: byAgentId } as ContactMove
  })
}

/** What went over when somebody signed in is again whose it was, but for what goes on. */
async function giveBackConversations(em: Em, identityIds: readonly string[], changedAt: Date): Promise<void> {
  const came = await em.find(FormerName, { fromId: { $in: [...identityIds] } }, { disableIdentityMap: true })
  for (const { identityId, fromId, conversationIds } of came)
    await em.nativeUpdate(
      Conversation,
      { id: { $in: conversationIds }, identityId, openIdentityId: null },
      { identityId: fromId as string, rev: raw('rev + 1'), changedAt },
    )
}

/** An agent's no to a suggestion. Throws HUB_NOT_FOUND, HUB_CONFLICT when it was decided. */
export async function refuseSuggestion(em: Em, id: string, byAgentId: string): Promise<void> {
  const changed = await em.nativeUpdate(
    MergeSuggestion,
    { id, state: 'open' },
    { state: 'refused', decidedById: byAgentId, decidedAt: new Date(), dueAt: null },
  )
  if (changed === 0) throw new HubError('HUB_CONFLICT', 'This has been decided already')
}

/** Due work by its id: a suggestion vouched for on both sides is merged; after a move, late conversations follow. */
export async function settlePeople(hub: Hub, id: string): Promise<void> {
  const em = hub.em()
  const now = new Date()
  const suggestion = await em.findOne(MergeSuggestion, { id, state: 'open', dueAt: { $lte: now } }, { disableIdentityMap: true })
  if (suggestion) {
    const [into, from] = [await survivorOf(em, suggestion.contactId), await survivorOf(em, suggestion.otherId)].sort()
    try {
      // The pair may have come to be one that a person said are two.
      if (await areTwo(em, into as string, from as string)) throw new HubError('HUB_CONFLICT', 'Somebody said that these are two')
      if (into !== from) await mergeContacts(hub, into as string, from as string, null, suggestion.id)
      await em.nativeUpdate(MergeSuggestion, { id }, { state: 'accepted', decidedAt: now, dueAt: null })
    } catch (error) {
      if (!(error instanceof HubError)) throw error
      // Somebody was faster, or said no: what is left is for an agent.
      await em.nativeUpdate(MergeSuggestion, { id }, { dueAt: null })
    }
  }
  const late = await em.findOne(ContactMove, { id, recheckAt: { $lte: now } }, { disableIdentityMap: true })
  if (!late) return
  await retryOnConflict(() => hub.em().transactional((tx) => followLate(tx as Em, late)))
}

/** What was being written for a contact while its identities moved follows them: new identities, conversations, trail. */
async function followLate(em: Em, { id, fromId }: ContactMove): Promise<void> {
  const now = new Date()
  const [from] = await lockContacts(em, fromId)
  const record = await em.findOneOrFail(ContactMove, { id }, { disableIdentityMap: true })
  let { identityIds } = record
  if (from.mergedIntoId) {
    const strays = await em.find(Identity, { contactId: fromId }, { fields: ['id'], limit: 200, disableIdentityMap: true })
    const into = { contactId: await survivorOf(em, fromId) }
    const ids = strays.map((stray) => stray.id)
    await em.nativeUpdate(Identity, { id: { $in: ids } }, into)
    await em.nativeUpdate(ContactClaim, { contactId: fromId }, into)
    // Undoing takes them back with those they belong to.
    identityIds = [...identityIds, ...ids]
  }
  const identities = await em.find(Identity, { id: { $in: identityIds } }, { fields: ['id', 'contactId'], disableIdentityMap: true })
  for (const { id: identityId, contactId } of identities) {
    const elsewhere = { identityId, contactId: { $ne: contactId } }
    await em.nativeUpdate(Conversation, elsewhere, { contactId, rev: raw('rev + 1'), changedAt: now })
    await em.nativeUpdate(Activity, elsewhere, { contactId })
    await em.nativeUpdate(Visit, elsewhere, { contactId })
  }
  await em.nativeUpdate(ContactMove, { id }, { identityIds, recheckAt: null })
}

const pairOf = (one: string, two: string) => (one < two ? { contactId: one, otherId: two } : { contactId: two, otherId: one })

/** These are two: no evidence joins them by itself. */
async function refuse(em: Em, one: string, two: string, byAgentId: string | null): Promise<void> {
  if ((await em.count(MergeSuggestion, pairOf(one, two))) === 0) await suggest(em, one, two, [], null)
  await em.nativeUpdate(MergeSuggestion, pairOf(one, two), { state: 'refused', decidedById: byAgentId, decidedAt: new Date(), dueAt: null })
}

async function lockContacts<T extends string[]>(em: Em, ...ids: T): Promise<{ [K in keyof T]: Contact }> {
  const rows = await em.find(Contact, { id: { $in: ids } }, { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
  return ids.map((id) => {
    const row = rows.find((contact) => contact.id === id)
    if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such contact')
    return row
  }) as { [K in keyof T]: Contact }
}

async function move(
  em: Em,
  kind: ContactMove['kind'],
  fromId: string,
  intoId: string,
  identityIds: string[],
  given: ContactMove['given'],
  byAgentId: string | null,
): Promise<ContactMove> {
  const now = new Date()
  const ids = { identityId: { $in: identityIds } }
  const to = { contactId: intoId }
  await em.nativeUpdate(Identity, { id: { $in: identityIds } }, to)
  await em.nativeUpdate(Activity, ids, to)
  await em.nativeUpdate(Visit, ids, to)
  await em.nativeUpdate(Conversation, ids, { ...to, rev: raw('rev + 1'), changedAt: now })
  const staying = await em.find(Identity, { contactId: fromId }, { fields: ['id'], disableIdentityMap: true })
  const stayingIds = { identityId: { $in: staying.map(({ id }) => id) } }
  const [theirs, ours] = [
    await em.find(IdentityClaim, { ...ids, verified: true }, { disableIdentityMap: true }),
    await em.find(IdentityClaim, { ...stayingIds, verified: true }, { disableIdentityMap: true }),
  ]
  const names = [...theirs, ...ours.filter((claim) => isSole(claim.kind))].map(({ kind: claim, value }) => ({ kind: claim, value }))
  const held = names.length > 0 ? await em.find(ContactClaim, { $or: names }, { disableIdentityMap: true }) : []
  for (const { kind: claim, value } of goingAlong(held, fromId, theirs, ours))
    await em.nativeUpdate(ContactClaim, { kind: claim, value, contactId: fromId }, to)
  const record = {
    id: newId(),
    kind,
    fromId,
    intoId,
    identityIds,
    given,
    byAgentId,
    undoneById: null,
    undoneAt: null,
    recheckAt: new Date(now.getTime() + recheckMs),
    createdAt: now,
  } as ContactMove
  await em.insert(ContactMove, record)
  return record
}

/** One transaction, its event, and afterwards everybody who shows one of the two. */
async function inOneGo(hub: Hub, work: (em: Em) => Promise<ContactMove>): Promise<ContactMove> {
  let listeners = new Set<string>()
  const record = await retryOnConflict(() =>
    hub.em().transactional(async (tx) => {
      const em = tx as Em
      const done = await work(em)
      listeners = await writeEvents(hub, em, [eventOf(done)])
      return done
    }),
  )
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  await tellMove(hub, record)
  return record
}

export function eventOf({ kind, fromId, intoId, identityIds, byAgentId, undoneById = null }: ContactMove): EventToTell {
  // Undoing a merge splits, undoing a split merges; either goes the other way.
  const undone = undoneById !== null
  const ends = undone ? { fromId: intoId, intoId: fromId } : { fromId, intoId }
  return {
    name: (kind === 'merge') === undone ? 'contact.split' : 'contact.merged',
    data: { ...ends, identityIds, byAgentId: undoneById ?? byAgentId ?? null },
  }
}

/** After the commit. */
export async function tellMove(hub: Hub, record: ContactMove): Promise<void> {
  for (const contactId of [record.fromId, record.intoId]) hub.bus.publish('contact.changed', { contactId })
  const open = await hub.em().find(Conversation, { openIdentityId: { $in: record.identityIds } }, { disableIdentityMap: true })
  announce(
    hub,
    open.map((conversation) => ({ conversation, before: visibilityOf(conversation), added: [], changed: [] })),
  )
}
