/**
 * One person, many channels. A claim is a name of a person that reaches beyond one inbox: a phone, an address, a
 * platform's union id, the site's own user id. What is vouched for on both sides links contacts by itself; the rest
 * becomes a suggestion with its evidence, which an agent accepts or refuses. So does what speaks against itself: of some
 * names one person has exactly one (see sole-names.ts).
 */
import { LockMode } from '@mikro-orm/core'
import type { ChannelSender } from '../../../sdk/channel.ts'
import { numberIn } from '../../../sdk/contact-reader/dialled.ts'
import type { Em } from '../../db/orm.ts'
import { StaleRead } from '../../db/retry.ts'
import { forUpdate, readRaw, sql } from '../../db/statements.ts'
import { newId } from '../../db/types.ts'
import { claimKey, isClaimKey } from '../../sealing/sealed-columns.ts'
import { type ClaimKind, Contact, ContactClaim, type Evidence, Identity, IdentityClaim, MergeSuggestion, type Origin } from './contact.entity.ts'
import { contactsWith, isMatched, tooCommon } from './filled-in.ts'
import { stillHolds } from './refresh-profile.ts'
import { contradictions, heldOrTold, isSole, lockSoleNames, nobody, type SoleNames, slotOf, soleNamesIn, soleNamesOf, subjectIn } from './sole-names.ts'
import { survivorOf } from './survivor.ts'

export interface Claim {
  kind: ClaimKind
  value: string
  verified: boolean
}

/** Where a value came from is told for so many places. */
const mostOrigins = 6

/** Many cities have the same number behind their own code: it speaks for somebody, and proves nobody. */
const isLocal = (phone: string): boolean => /^\d{1,9}$/.test(phone)

/** Equal people have equal values; undefined for what names nobody (a masked number, a word). */
export function normaliseClaim(kind: Evidence['kind'], value: string): string | undefined {
  const text = value.trim()
  switch (kind) {
    case 'phone':
      return text.includes('*') ? undefined : numberIn(text)
    case 'email':
      return /^[^\s@*]+@[^\s@*]+\.[^\s@*]+$/.test(text) ? text.toLowerCase().slice(0, 190) : undefined
    case 'wechat':
      // 没有, "none yet": what is no account names nobody.
      return /^[a-z0-9][\w-]{4,59}$/i.test(text) ? text.toLowerCase() : undefined
    case 'qq':
      return /^[1-9]\d{4,11}$/.test(text) ? text : undefined
    case 'unionid':
    case 'userId':
      // A name that somebody was given is what it is: "alice " is not "alice".
      return text === '' || value.length > 190 ? undefined : value
  }
}

/** All that a sender claims, each once; vouched for wins. */
export function claimsOf(from: ChannelSender): Claim[] {
  const verified = from.verified ?? false
  const given = [
    ...(from.phone ? [{ kind: 'phone' as const, value: from.phone, verified }] : []),
    ...(from.email ? [{ kind: 'email' as const, value: from.email, verified }] : []),
    ...(from.says?.phone ? [{ kind: 'phone' as const, value: from.says.phone, verified: false }] : []),
    ...(from.says?.email ? [{ kind: 'email' as const, value: from.says.email, verified: false }] : []),
    ...(from.claims ?? []),
  ]
  const claims = new Map<string, Claim>()
  for (const { kind, value, verified } of given) {
    const normal = normaliseClaim(kind, value)
    if (normal === undefined) continue
    const key = keyOf({ kind, value: normal })
    const proves = verified && !(kind === 'phone' && isLocal(normal))
    claims.set(key, { kind, value: normal, verified: proves || (claims.get(key)?.verified ?? false) })
  }
  return [...claims.values()]
}

const keyOf = ({ kind, value }: Pick<Claim, 'kind' | 'value'>): string => `${kind}\n${value}`
/** The key of a row: what it holds is a hash, unless it was written before there were any. */
const rowKey = (em: Em, { kind, value }: Pick<Claim, 'kind' | 'value'>): string => keyOf({ kind, value: isClaimKey(value) ? value : claimKey(em, kind, value) })
/** The key of what somebody claims. */
const nameOf = (em: Em, { kind, value }: Pick<Claim, 'kind' | 'value'>): string => keyOf({ kind, value: claimKey(em, kind, value) })
/** Rows that hold one of these claims. What looks like a hash is only looked for as what it is. */
const holding = (em: Em, claims: readonly Claim[]) =>
  claims.map(({ kind, value }) => ({ kind, value: { $in: [claimKey(em, kind, value), ...(isClaimKey(value) ? [] : [value])] } }))

export interface NewPerson {
  identity: Identity
  contact: Contact
  from: ChannelSender
}

/**
 * People who write for the first time, before they are inserted: who is vouched for as somebody known gets that
 * contact, unless it holds another name of which one person has one. Returns the contacts that are still needed.
 * Two processes that meet one person at once both insert the claim; one of them fails on it, runs its transaction
 * again, and finds the other's contact.
 */
export async function linkNewPeople(em: Em, people: readonly NewPerson[]): Promise<Contact[]> {
  const claimed = people.map((person) => ({ ...person, claims: claimsOf(person.from) })).filter(({ claims }) => claims.length > 0)
  if (claimed.length === 0) return people.map(({ contact }) => contact)
  const holders = await holdersOf(
    em,
    claimed.flatMap(({ claims }) => claims),
  )
  const dropped = new Set<string>()
  for (const { identity, contact, claims } of claimed) {
    const proven = claims.filter(({ verified }) => verified)
    const held = [...new Set(proven.flatMap((claim) => holders.get(nameOf(em, claim)) || []))].sort()
    const told = soleNamesIn(em, proven)
    const sole = told.size > 0 ? await lockSoleNames(em, held) : new Map<string, SoleNames>()
    const apart = new Set(held.filter((id) => contradictions(told, sole.get(id)).length > 0))
    // The oldest: whoever looks, whenever, finds the same one.
    const [known, ...others] = held.filter((id) => !apart.has(id))
    if (known) {
      identity.contactId = known
      dropped.add(contact.id)
    }
    // Vouched for as two people that we took for different ones, or who are: an agent decides.
    for (const other of others)
      await suggest(
        em,
        known as string,
        other,
        proven.filter((claim) => holders.get(nameOf(em, claim))),
        null,
      )
    for (const other of apart) {
      const theirs = proven.filter((claim) => holders.get(nameOf(em, claim)) === other)
      await suggest(
        em,
        identity.contactId,
        other,
        theirs.map((claim) => ({ ...claim, origins: [saidBy(identity)] })),
        null,
      )
    }
    await record(em, identity, claims, { holders, apart, contactId: identity.contactId, sole: sole.get(known ?? '') ?? new Map() })
  }
  return people.flatMap(({ contact }) => (dropped.has(contact.id) ? [] : [contact]))
}

/** What people we know claim today and did not before. Returns suggestions that are due: evidence vouched for on both sides, and none against it. */
export async function noteClaims(em: Em, people: readonly { identity: Identity; from: ChannelSender; at?: Date }[]): Promise<string[]> {
  const claimed = people
    .map(({ identity, from, at = new Date() }) => ({ identity, from: stillHolds(identity, from, at) }))
    .map(({ identity, from }) => ({ identity, from, claims: claimsOf(from) }))
    .filter(({ claims }) => claims.length > 0)
  if (claimed.length === 0) return []
  const rows = await em.find(IdentityClaim, { identityId: { $in: claimed.map(({ identity }) => identity.id) } }, { disableIdentityMap: true })
  const known = new Map(
    [...Map.groupBy(rows, ({ identityId }) => identityId)].map(([id, own]) => [id, new Map<string, Written>(own.map((row) => [rowKey(em, row), row]))]),
  )
  const due: string[] = []
  for (const { identity, from, claims } of claimed) {
    const before = known.get(identity.id) ?? new Map<string, Written>()
    known.set(identity.id, before)
    const keys = new Set(claims.map((claim) => nameOf(em, claim)))
    const replaced = [...before].filter(([key, { kind }]) => !keys.has(key) && replaces(from, claims, kind))
    for (const [key] of replaced) before.delete(key)
    for (const [, row] of replaced) await withdraw(em, identity, row)
    const fresh = claims.filter((claim) => {
      const written = before.get(nameOf(em, claim))
      return written === undefined || (claim.verified && !written.verified)
    })
    if (fresh.length === 0) continue
    for (const { kind, value, verified } of fresh) before.set(nameOf(em, { kind, value }), { kind, value: claimKey(em, kind, value), verified })
    due.push(...(await learn(em, identity, fresh)))
  }
  return due
}

type Written = Pick<IdentityClaim, 'kind' | 'value' | 'verified'>

/** Names that an identity did not have before. */
async function learn(em: Em, identity: Identity, fresh: readonly Claim[]): Promise<string[]> {
  const holders = await holdersOf(em, fresh)
  const told = soleNamesIn(em, fresh)
  // Whoever they became meanwhile has their names.
  const contactId = told.size > 0 ? await survivorOf(em, identity.contactId) : identity.contactId
  const others = [...new Set(fresh.flatMap((claim) => (claim.verified && holders.get(nameOf(em, claim))) || []))].filter((id) => id !== contactId)
  const ids = [contactId, ...others]
  const sole = told.size > 0 ? await lockSoleNames(em, ids) : others.length > 0 ? await soleNamesOf(em, ids) : new Map<string, SoleNames>()
  const own = sole.get(contactId) ?? new Map()
  const apart = new Set(others.filter((id) => contradictions(heldOrTold(own, told), sole.get(id)).length > 0))
  const due: string[] = []
  for (const claim of fresh) {
    const holder = claim.verified ? holders.get(nameOf(em, claim)) : undefined
    if (!holder || holder === contactId) continue
    const id = await suggest(em, holder, contactId, [{ ...claim, origins: [saidBy(identity)] }], apart.has(holder) ? null : new Date())
    if (id) due.push(id)
  }
  await record(em, identity, fresh, { holders, apart, contactId, sole: own })
  return due
}

/** What an identity is vouched for as having as its phone or its address takes the place of the one it had; what it claims besides is one more. */
function replaces(from: ChannelSender, claims: readonly Claim[], kind: ClaimKind): boolean {
  if (kind !== 'phone' && kind !== 'email') return false
  const value = from.verified && from[kind] ? normaliseClaim(kind, from[kind]) : undefined
  return claims.some((claim) => claim.kind === kind && claim.verified && claim.value === value)
}

/** A name that an identity has no more is its contact's only while another identity of it has it; else it is whose it is besides, or nobody's. */
async function withdraw(em: Em, identity: Identity, { kind, value, verified }: Written): Promise<void> {
  await em.nativeDelete(IdentityClaim, { identityId: identity.id, kind, value })
  if (!verified) return
  const held = await em.findOne(ContactClaim, { kind, value }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
  if (!held) return
  const [next] = await readRaw<{ id: string }>(
    em,
    sql`select i.contact_id as id from identity_claim c join identity i on i.id = c.identity_id where c.kind = ${kind} and c.value = ${value} and c.verified = 1
        order by i.contact_id <> ${held.contactId}, i.contact_id limit 1 ${forUpdate(em)}`,
  )
  if (!next) await em.nativeDelete(ContactClaim, { kind, value })
  else if (next.id !== held.contactId) await em.nativeUpdate(ContactClaim, { kind, value }, { contactId: next.id })
}

async function holdersOf(em: Em, claims: readonly Claim[]): Promise<Map<string, string>> {
  const verified = claims.filter((claim) => claim.verified)
  if (verified.length === 0) return new Map()
  const rows = await em.find(ContactClaim, { $or: holding(em, verified) }, { disableIdentityMap: true })
  // What may be withdrawn is not, until whoever is joined by it is written down.
  const names = rows.filter(({ kind }) => !isSole(kind)).map(({ kind, value }) => ({ kind, value }))
  if (names.length > 0) {
    const locked = await em.find(ContactClaim, { $or: names }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
    const now = new Map(locked.map((row) => [rowKey(em, row), row.contactId]))
    if (rows.some((row) => !isSole(row.kind) && now.get(rowKey(em, row)) !== row.contactId)) throw new StaleRead()
  }
  return new Map(rows.map((row) => [rowKey(em, row), row.contactId]))
}

interface Standing {
  /** Whose the names are, by name: it grows as names are given. */
  holders: Map<string, string>
  /** Holders that are somebody else, by the names of which one person has one. */
  apart: ReadonlySet<string>
  /** Who gets what nobody holds. */
  contactId: string
  /** What they hold already of which one person has one. */
  sole: SoleNames
}

/**
 * Gives a name that nobody holds. Of which one person has one and they have another is contested: it is nobody's until
 * somebody is met by it who has none, or an agent says who they are.
 */
async function give(em: Em, claim: Claim, { holders, contactId, sole }: Standing): Promise<void> {
  const key = nameOf(em, claim)
  const holder = holders.get(key)
  if (!claim.verified || holder) return
  const name = { kind: claim.kind, value: claimKey(em, claim.kind, claim.value), subject: subjectIn(claim) }
  const isContested = isSole(claim.kind) && sole.has(slotOf(name))
  const to = isContested ? nobody : contactId
  if (holder === undefined) await em.insert(ContactClaim, { ...name, contactId: to, createdAt: new Date() })
  else if (!isContested && (await em.nativeUpdate(ContactClaim, { ...name, contactId: nobody }, { contactId: to })) === 0) throw new StaleRead()
  holders.set(key, to)
  if (isContested || !isSole(claim.kind)) return
  sole.set(slotOf(name), new Set([name.value]))
  // Seen by whoever read before they had it.
  await em.nativeUpdate(Contact, { id: contactId }, { updatedAt: new Date() })
}

/** Writes an identity's claims down, takes those nobody holds, and suggests whom the weaker and the contested ones point at. */
async function record(em: Em, identity: Identity, claims: readonly Claim[], standing: Standing): Promise<void> {
  const { holders, apart } = standing
  const now = new Date()
  const others = await em.find(
    IdentityClaim,
    { $or: holding(em, claims), identityId: { $ne: identity.id } },
    { limit: tooCommon * claims.length, disableIdentityMap: true },
  )
  const contested = new Set<string>()
  for (const claim of claims) {
    await em.upsert(
      IdentityClaim,
      { identityId: identity.id, ...claim, value: claimKey(em, claim.kind, claim.value), createdAt: now },
      { onConflictExcludeFields: ['createdAt'] },
    )
    const before = holders.get(nameOf(em, claim))
    await give(em, claim, standing)
    const after = holders.get(nameOf(em, claim))
    if (before === nobody || after === nobody || (after && apart.has(after))) contested.add(nameOf(em, claim))
  }
  const alike = Map.groupBy(others, (row) => rowKey(em, row))
  const evidence = new Map<string, Evidence[]>()
  const speakFor = (contactId: string, { kind, value, verified }: Claim, theirs: Origin): void => {
    if (contactId === identity.contactId || contactId === standing.contactId) return
    const origins = [saidBy(identity), theirs]
    evidence.set(contactId, [...(evidence.get(contactId) ?? []), { kind, value, verified, origins }])
  }
  for (const claim of claims) {
    const rows = alike.get(nameOf(em, claim)) ?? []
    const filledIn = isMatched(claim.kind) ? await contactsWith(em, claim.kind, claim.value) : []
    if (rows.length >= tooCommon || filledIn.length >= tooCommon) continue
    for (const { contactId, origin } of filledIn) speakFor(contactId, { ...claim, verified: false }, origin)
    if (rows.length === 0) continue
    const owners = await ownersOf(em, rows)
    for (const owner of owners) {
      const theirs = rows.find(({ identityId }) => identityId === owner.id)
      const verified = claim.verified && (theirs?.verified ?? false)
      // Vouched for on both sides is linked already, or due, unless it is contested.
      if (!verified || contested.has(nameOf(em, claim))) speakFor(owner.contactId, { ...claim, verified }, saidBy(owner))
    }
  }
  for (const [contactId, found] of evidence) await suggest(em, contactId, standing.contactId, found, null)
}

/** Whose identities claim this. */
export const claimants = async (em: Em, kind: ClaimKind, value: string): Promise<Pick<Identity, 'id' | 'contactId' | 'inboxId'>[]> =>
  ownersOf(em, await em.find(IdentityClaim, { $or: holding(em, [{ kind, value, verified: false }]) }, { limit: tooCommon, disableIdentityMap: true }))

const ownersOf = async (em: Em, rows: readonly IdentityClaim[]): Promise<Pick<Identity, 'id' | 'contactId' | 'inboxId'>[]> =>
  em.find(Identity, { id: { $in: rows.map(({ identityId }) => identityId) } }, { fields: ['id', 'contactId', 'inboxId'], disableIdentityMap: true })

export const saidBy = ({ contactId, inboxId }: Pick<Identity, 'contactId' | 'inboxId'>): Origin => ({ contactId, by: 'channel', inboxId })

/** Two contacts may be one person. What an agent refused is asked again only with evidence it did not have. Returns its id when it is due. */
export async function suggest(em: Em, one: string, two: string, evidence: readonly Evidence[], dueAt: Date | null): Promise<string | undefined> {
  if (one === two) return undefined
  const [contactId, otherId] = one < two ? [one, two] : [two, one]
  const known = await em.findOne(MergeSuggestion, { contactId, otherId }, { disableIdentityMap: true })
  const all = (known?.evidence ?? []).map((had) => ({ ...had, origins: had.origins ?? [] }))
  let isNews = false
  for (const { kind, value, verified, origins = [] } of evidence) {
    const same = all.find((had) => had.kind === kind && had.value === value)
    if (!same || (verified && !same.verified)) isNews = true
    if (!same) all.push({ kind, value, verified, origins })
    else {
      same.verified ||= verified
      const named = new Set(same.origins.map((origin) => JSON.stringify(origin)))
      same.origins = [...same.origins, ...origins.filter((origin) => !named.has(JSON.stringify(origin)))].slice(-mostOrigins)
    }
  }
  if (!known) {
    const id = newId()
    await em.insert(MergeSuggestion, { id, contactId, otherId, evidence: all, state: 'open', decidedById: null, decidedAt: null, dueAt, createdAt: new Date() })
    return dueAt ? id : undefined
  }
  if (JSON.stringify(all) === JSON.stringify(known.evidence)) return undefined
  // A person said that these are two: no evidence joins them behind that person's back.
  const due = known.state === 'refused' ? null : (dueAt ?? known.dueAt ?? null)
  // The same evidence from elsewhere is none that a person has not weighed.
  await em.nativeUpdate(MergeSuggestion, { id: known.id }, { evidence: all, ...(isNews ? { state: 'open' as const, dueAt: due } : {}) })
  return isNews && dueAt && due ? known.id : undefined
}
