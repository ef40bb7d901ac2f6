/**
 * What a platform says of a person changes: a nickname, a picture, a language. The newer word counts, for the identity
 * always, for the contact only where its field still holds what the channel brought: what an agent wrote stays. What the
 * person says of themself counts only where the platform says nothing.
 */
import { LockMode } from '@mikro-orm/core'
import type { ChannelSender } from '../../../sdk/channel.ts'
import type { Em } from '../../db/orm.ts'
import { StaleRead } from '../../db/retry.ts'
import { updateRows } from '../../db/statements.ts'
import { Contact, Identity, type Profile } from './contact.entity.ts'
import { mergedFacts } from './labelled-facts.ts'

const widths = { name: 60, phone: 40, email: 190 } as const
const fields = Object.keys(widths) as (keyof typeof widths)[]
type Said = Partial<Record<keyof typeof widths, string>>

const fitting = (said: Said): Said => Object.fromEntries(fields.flatMap((field) => (said[field] ? [[field, said[field].slice(0, widths[field])]] : [])))

/** What this event says of its sender, as the contact's columns hold it. */
export function profileOf(from: ChannelSender, at: Date): Profile {
  const says = fitting(from.says ?? {})
  return { ...fitting(from), ...(Object.keys(says).length > 0 ? { says } : {}), at: at.getTime() }
}

/** What an event says of its sender without what is outdated: an earlier one that comes late knows less than we do. */
export function stillHolds(identity: Identity, from: ChannelSender, at: Date): ChannelSender {
  if (!from.phone && !from.email) return from
  const { profile } = identity
  const said = profileOf(from, at)
  if (!profile || profile.at <= said.at) return from
  const { phone, email, ...rest } = from
  const holds = (field: 'phone' | 'email'): boolean => profile[field] === undefined || profile[field] === said[field]
  return { ...rest, ...(phone && holds('phone') ? { phone } : {}), ...(email && holds('email') ? { email } : {}) }
}

/** What stands in the fields of somebody of whom nothing else is known: the newest word of each kind; their own where there is no other. */
export function saidOf(profiles: readonly (Profile | null | undefined)[]): Said {
  const newest = profiles.filter((profile) => profile != null).sort((a, b) => b.at - a.at)
  return Object.fromEntries(
    fields.flatMap((field) => {
      const value = newest.find((profile) => profile[field])?.[field] ?? newest.find(({ says }) => says?.[field])?.says?.[field]
      return value ? [[field, value]] : []
    }),
  )
}

/** Costs nothing while nothing changed. Returns the contacts of those who changed, to be told after the commit. */
export async function refreshProfiles(em: Em, seen: readonly { identity: Identity; from: ChannelSender; at: Date }[]): Promise<string[]> {
  const changed = new Set<Identity>()
  const read = new Map<Identity, number | undefined>()
  for (const { identity, from, at } of seen) {
    const now = profileOf(from, at)
    const attributes = Object.entries(from.attributes ?? {}).filter(([name, value]) => JSON.stringify(identity.attributes[name]) !== JSON.stringify(value))
    const facts = from.facts ? mergedFacts(identity.facts, from.facts) : identity.facts
    const factsChanged = from.facts !== undefined && JSON.stringify(facts) !== JSON.stringify(identity.facts ?? null)
    // Most say nothing of their sender: then what is known already stays sealed.
    if (attributes.length === 0 && !factsChanged && !now.says && fields.every((field) => now[field] === undefined)) continue
    const before = identity.profile
    // An earlier event that comes late knows less than we do.
    if (before && at.getTime() < before.at) continue
    if (!read.has(identity)) read.set(identity, before?.at)
    const isNews = (said: Said | undefined, known: Said | null | undefined, field: keyof Said) => said?.[field] !== undefined && said[field] !== known?.[field]
    const news = fields.filter((field) => isNews(now, before, field) || isNews(now.says, before?.says, field))
    if (attributes.length === 0 && !factsChanged && news.length === 0) continue
    const profile: Profile = { ...before, ...now, ...(now.says ? { says: { ...before?.says, ...now.says } } : {}) }
    identity.facts = facts
    identity.attributes = { ...identity.attributes, ...Object.fromEntries(attributes) }
    identity.profile = profile
    changed.add(identity)
    if (news.length === 0) continue
    const contact = await em.findOne(Contact, { id: identity.contactId }, { fields, lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
    const said = saidOf([profile])
    const written = await em.findOne(Identity, { id: identity.id }, { fields: ['profile'], lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
    // Another process has heard of them since: which of the two words is the newer one is asked again.
    if (written?.profile?.at !== read.get(identity)) throw new StaleRead()
    const free = news.filter((field) => contact && [before?.[field] ?? '', before?.says?.[field] ?? '', ''].includes(contact[field]))
    if (free.length > 0)
      await em.nativeUpdate(
        Contact,
        { id: identity.contactId },
        { ...Object.fromEntries(free.map((field) => [field, said[field] as string])), updatedAt: new Date() },
      )
  }
  await updateRows(em, Identity, [...changed], ['attributes', 'profile', 'facts'])
  return [...changed].map(({ contactId }) => contactId)
}
