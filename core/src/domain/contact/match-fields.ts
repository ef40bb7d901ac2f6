/**
 * A number that a plugin filled in or an agent typed may be somebody else's whom we know: found by its blind index, offered
 * with where each has it from. Nothing vouches for it, so it never merges by itself.
 */
import type { Em } from '../../db/orm.ts'
import { claimants, normaliseClaim, saidBy, suggest } from './claims.ts'
import { Contact, ContactField, MergeSuggestion, type Origin } from './contact.entity.ts'
import { contactsWith, handOf, type Matched, matched, tooCommon } from './filled-in.ts'

/** More offers than a contact ever has. */
const mostOffers = 100

/** Offers whoever has the same in these fields, and takes back what was offered for what stands there no longer. Returns the contacts concerned. */
export async function matchFields(em: Em, contactId: string, fields: readonly string[]): Promise<string[]> {
  const kinds = matched.filter((kind) => fields.includes(kind))
  if (kinds.length === 0) return []
  const contact = await em.findOneOrFail(Contact, { id: contactId }, { disableIdentityMap: true })
  const concerned = new Set<string>()
  for (const kind of kinds) {
    const value = normaliseClaim(kind, contact[kind])
    for (const other of await withdraw(em, contactId, kind, value)) concerned.add(other)
    if (value === undefined) continue
    const own = await em.findOne(ContactField, { contactId, field: kind }, { disableIdentityMap: true })
    const origin = own ? handOf(own) : undefined
    for (const [other, origins] of await othersWith(em, contactId, kind, value)) {
      await suggest(em, contactId, other, [{ kind, value, verified: false, origins: [...(origin ? [origin] : []), ...origins] }], null)
      concerned.add(other)
    }
  }
  return [...concerned]
}

/** Others who have this, in a field or by what a channel says of them. */
async function othersWith(em: Em, contactId: string, kind: Matched, value: string): Promise<Map<string, Origin[]>> {
  const filledIn = await contactsWith(em, kind, value)
  const claiming = kind === 'phone' || kind === 'email' ? await claimants(em, kind, value) : []
  const origins = filledIn.length >= tooCommon || claiming.length >= tooCommon ? [] : [...filledIn.map(({ origin }) => origin), ...claiming.map(saidBy)]
  return Map.groupBy(
    origins.filter((origin) => origin.contactId !== contactId),
    (origin) => origin.contactId,
  )
}

/** Open offers that rest on what stood in this field before rest on it no longer; one that rests on nothing goes. */
async function withdraw(em: Em, contactId: string, kind: Matched, value: string | undefined): Promise<string[]> {
  const open = await em.find(MergeSuggestion, { state: 'open', $or: [{ contactId }, { otherId: contactId }] }, { limit: mostOffers, disableIdentityMap: true })
  const concerned: string[] = []
  for (const { id, contactId: one, otherId, evidence } of open) {
    const stands = evidence.filter((proof) => {
      const own = proof.origins?.filter((origin) => origin.contactId === contactId) ?? []
      return proof.kind !== kind || proof.value === value || own.length === 0 || own.some(({ by }) => by === 'channel')
    })
    if (stands.length === evidence.length) continue
    if (stands.length === 0) await em.nativeDelete(MergeSuggestion, { id })
    else await em.nativeUpdate(MergeSuggestion, { id }, { evidence: stands })
    concerned.push(one === contactId ? otherId : one)
  }
  return concerned
}
