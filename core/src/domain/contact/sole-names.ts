/**
 * Names of which one person has exactly one within a subject: the user id that a site signs, the unionid of an open
 * platform. Two contacts that hold different ones there are two people until an agent says otherwise, and a name that
 * is told of who holds another is nobody's meanwhile. See ADR 0064.
 */
import { LockMode } from '@mikro-orm/core'
import { subjectOf } from '../../../sdk/person-names.ts'
import type { Em } from '../../db/orm.ts'
import { StaleRead } from '../../db/retry.ts'
import { claimKey, isClaimKey } from '../../sealing/sealed-columns.ts'
import type { Claim } from './claims.ts'
import { type ClaimKind, Contact, ContactClaim, type Evidence, type IdentityClaim } from './contact.entity.ts'

/** The holder of a name that is contested. */
export const nobody = ''

const soleKinds = ['userId', 'unionid'] as const satisfies readonly ClaimKind[]
export const isSole = (kind: Evidence['kind']): boolean => (soleKinds as readonly string[]).includes(kind)

/** As the column holds it. */
export const subjectIn = ({ kind, value }: Pick<Claim, 'kind' | 'value'>): string => (isSole(kind) ? subjectOf(value).slice(0, 60) : '')

/** What one person has exactly one of: a kind within a subject. */
export const slotOf = ({ kind, subject }: Pick<ContactClaim, 'kind' | 'subject'>): string => `${kind}\n${subject}`

/** Hashes of names, by slot. */
export type SoleNames = Map<string, Set<string>>

/** What somebody is vouched for as. */
export const soleNamesIn = (em: Em, claims: readonly Claim[]): SoleNames =>
  bySlot(
    claims.flatMap(({ kind, value, verified }) =>
      verified && isSole(kind) ? [{ kind, subject: subjectIn({ kind, value }), value: claimKey(em, kind, value) }] : [],
    ),
  )

function bySlot(rows: readonly Pick<ContactClaim, 'kind' | 'subject' | 'value'>[]): SoleNames {
  const names: SoleNames = new Map()
  for (const row of rows) names.set(slotOf(row), (names.get(slotOf(row)) ?? new Set()).add(row.value))
  return names
}

/** What contacts hold. */
export async function soleNamesOf(em: Em, contactIds: readonly string[]): Promise<Map<string, SoleNames>> {
  if (contactIds.length === 0) return new Map()
  const rows = await em.find(ContactClaim, { contactId: { $in: [...contactIds] }, kind: { $in: [...soleKinds] } }, { disableIdentityMap: true })
  // Of before there were hashes.
  const hashed = (row: ContactClaim) => ({ ...row, value: isClaimKey(row.value) ? row.value : claimKey(em, row.kind, row.value) })
  return new Map([...Map.groupBy(rows, ({ contactId }) => contactId)].map(([id, held]) => [id, bySlot(held.map(hashed))]))
}

/**
 * The same of contacts that may be given one, which are locked until the commit. A transaction that began to read before
 * another one gave them a name begins anew: by its own eyes it would give them a second one.
 */
export async function lockSoleNames(em: Em, contactIds: readonly string[]): Promise<Map<string, SoleNames>> {
  // Who is not written down yet is known to nobody else.
  const where = (ids: readonly string[]) => ({ id: { $in: [...ids] } })
  const seen = await em.find(Contact, where(contactIds), { fields: ['updatedAt'], disableIdentityMap: true })
  const at = new Map(seen.map(({ id, updatedAt }) => [id, updatedAt.getTime()]))
  if (at.size > 0) {
    const locked = await em.find(Contact, where([...at.keys()]), {
      fields: ['updatedAt'],
      orderBy: { id: 'asc' },
      lockMode: LockMode.PESSIMISTIC_WRITE,
      disableIdentityMap: true,
    })
    if (locked.some(({ id, updatedAt }) => at.get(id) !== updatedAt.getTime())) throw new StaleRead()
  }
  return soleNamesOf(em, contactIds)
}

/** Slots of which both hold one, and another. */
export const contradictions = (one: SoleNames | undefined, other: SoleNames | undefined): string[] =>
  [...(one ?? [])].flatMap(([slot, names]) => {
    const theirs = other?.get(slot)
    return theirs && [...names].every((name) => !theirs.has(name)) ? [slot] : []
  })

/** Of who tells names: what they hold counts, and what they tell only where they hold none. */
export const heldOrTold = (held: SoleNames | undefined, told: SoleNames): SoleNames => new Map([...told, ...(held ?? [])])

type Named = Pick<ContactClaim, 'kind' | 'value'>
const nameIn = ({ kind, value }: Named): string => `${kind}\n${value}`

/**
 * Which of a contact's names go along with identities that leave it: those that none who stays has too. Of what one person
 * has one of, also the one that is all they who go have, where who stays has another.
 */
export function goingAlong(
  names: readonly ContactClaim[],
  contactId: string,
  going: readonly IdentityClaim[],
  staying: readonly IdentityClaim[],
): ContactClaim[] {
  const [theirs, ours] = [going, staying].map((claims) => new Set(claims.map(nameIn))) as [Set<string>, Set<string>]
  return names.filter((name) => {
    if (name.contactId !== contactId || !theirs.has(nameIn(name))) return false
    if (!ours.has(nameIn(name))) return true
    const alike = isSole(name.kind) ? names.filter((other) => slotOf(other) === slotOf(name)).map(nameIn) : []
    return alike.some((other) => ours.has(other) && !theirs.has(other)) && alike.every((other) => !theirs.has(other) || ours.has(other))
  })
}
