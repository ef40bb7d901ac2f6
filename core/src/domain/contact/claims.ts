/**
 * One person, many channels. A claim is a name of a person that reaches beyond one inbox: a phone, an address, a
 * platform's union id, the site's own user id. What is vouched for on both sides links contacts by itself; the rest
 * becomes a suggestion with its evidence, which an agent accepts or refuses.
 */
import type { ChannelSender } from '../../../sdk/channel.ts'
import { numberIn } from '../../../sdk/contact-reader/dialled.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { claimKey, isClaimKey } from '../../sealing/sealed-columns.ts'
import { type ClaimKind, type Contact, ContactClaim, type Evidence, Identity, IdentityClaim, MergeSuggestion, type Origin } from './contact.entity.ts'
import { contactsWith, isMatched, tooCommon } from './filled-in.ts'

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
 * contact. Returns the contacts that are still needed. Two processes that meet one person at once both insert the
 * claim; one of them fails on it, runs its transaction again, and finds the other's contact.
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
    const held = [...new Set(claims.filter(({ verified }) => verified).flatMap((claim) => holders.get(nameOf(em, claim)) ?? []))].sort()
    // The oldest: whoever looks, whenever, finds the same one.
    const [known, ...others] = held
    if (known) {
      identity.contactId = known
      dropped.add(contact.id)
    }
    // Vouched for as two people that we took for different ones: an agent decides.
    for (const other of others)
      await suggest(
        em,
        known as string,
        other,
        claims.filter((claim) => holders.get(nameOf(em, claim)) !== undefined && claim.verified),
        null,
      )
    await record(em, identity, claims, holders)
  }
  return people.flatMap(({ contact }) => (dropped.has(contact.id) ? [] : [contact]))
}

/** What people we know claim today and did not before. Returns suggestions that are due: evidence vouched for on both sides. */
export async function noteClaims(em: Em, people: readonly { identity: Identity; from: ChannelSender }[]): Promise<string[]> {
  const claimed = people.map(({ identity, from }) => ({ identity, claims: claimsOf(from) })).filter(({ claims }) => claims.length > 0)
  if (claimed.length === 0) return []
  const rows = await em.find(IdentityClaim, { identityId: { $in: claimed.map(({ identity }) => identity.id) } }, { disableIdentityMap: true })
  const before = new Map(rows.map((row) => [`${row.identityId}\n${rowKey(em, row)}`, row.verified]))
  const due: string[] = []
  for (const { identity, claims } of claimed) {
    const fresh = claims.filter((claim) => {
      const known = before.get(`${identity.id}\n${nameOf(em, claim)}`)
      return known === undefined || (claim.verified && !known)
    })
    if (fresh.length === 0) continue
    for (const claim of fresh) before.set(`${identity.id}\n${nameOf(em, claim)}`, claim.verified)
    const holders = await holdersOf(em, fresh)
    for (const claim of fresh) {
      const holder = claim.verified ? holders.get(nameOf(em, claim)) : undefined
      if (holder && holder !== identity.contactId) {
        const id = await suggest(em, holder, identity.contactId, [claim], new Date())
        if (id) due.push(id)
      }
    }
    await record(em, identity, fresh, holders)
  }
  return due
}

async function holdersOf(em: Em, claims: readonly Claim[]): Promise<Map<string, string>> {
  const verified = claims.filter((claim) => claim.verified)
  if (verified.length === 0) return new Map()
  const rows = await em.find(ContactClaim, { $or: holding(em, verified) }, { disableIdentityMap: true })
  return new Map(rows.map((row) => [rowKey(em, row), row.contactId]))
}

/** Writes an identity's claims down, takes those nobody holds, and suggests whom the weaker ones point at. */
async function record(em: Em, identity: Identity, claims: readonly Claim[], holders: Map<string, string>): Promise<void> {
  const now = new Date()
  const others = await em.find(
    IdentityClaim,
    { $or: holding(em, claims), identityId: { $ne: identity.id } },
    { limit: tooCommon * claims.length, disableIdentityMap: true },
  )
  for (const claim of claims) {
    await em.upsert(
      IdentityClaim,
      { identityId: identity.id, ...claim, value: claimKey(em, claim.kind, claim.value), createdAt: now },
      { onConflictExcludeFields: ['createdAt'] },
    )
    if (claim.verified && !holders.has(nameOf(em, claim))) {
      await em.insert(ContactClaim, { kind: claim.kind, value: claimKey(em, claim.kind, claim.value), contactId: identity.contactId, createdAt: now })
      holders.set(nameOf(em, claim), identity.contactId)
    }
  }
  const alike = Map.groupBy(others, (row) => rowKey(em, row))
  const evidence = new Map<string, Evidence[]>()
  const speakFor = (contactId: string, { kind, value }: Claim, theirs: Origin): void => {
    if (contactId === identity.contactId) return
    const origins = [saidBy(identity), theirs]
    evidence.set(contactId, [...(evidence.get(contactId) ?? []), { kind, value, verified: false, origins }])
  }
  for (const claim of claims) {
    const rows = alike.get(nameOf(em, claim)) ?? []
    const filledIn = isMatched(claim.kind) ? await contactsWith(em, claim.kind, claim.value) : []
    if (rows.length >= tooCommon || filledIn.length >= tooCommon) continue
    for (const { contactId, origin } of filledIn) speakFor(contactId, claim, origin)
    if (rows.length === 0) continue
    const owners = await ownersOf(em, rows)
    for (const owner of owners) {
      const theirs = rows.find(({ identityId }) => identityId === owner.id)
      // Vouched for on both sides is linked already, or due.
      if (!claim.verified || !theirs?.verified) speakFor(owner.contactId, claim, saidBy(owner))
    }
  }
  for (const [contactId, found] of evidence) await suggest(em, contactId, identity.contactId, found, null)
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
