/** The only way contacts become JSON. */
import type { Activity as WireActivity, Contact as WireContact } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskValue, maySee, type ContactField as OwnField } from '../../access/mask.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskDeep, maskText } from '../../access/mask-text.ts'
import { contactFields } from '../../access/permissions.ts'
import { whereInLines } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { firstVisits } from '../visit/first-visits.ts'
import { presentFirstVisit } from '../visit/visit.present.ts'
import { type Activity, type Contact, ContactField, Identity } from './contact.entity.ts'
import { customPrefix, readCustomFields } from './custom-fields.ts'
import { externalIdOf } from './external-id.ts'
import { declaredFields } from './fields.ts'
import { shownFacts } from './labelled-facts.ts'
import { ownWords } from './own-words.ts'

export const presentActivity = (ability: HubAbility, { id, inboxId, identityId, name, label, params, details, at }: Activity): WireActivity => ({
  id,
  inboxId,
  identityId,
  name,
  label: maskDeep(ability, label),
  params: maskDeep(ability, params),
  details: shownFacts(ability, details),
  at: at.toISOString(),
})

export async function presentContact(hub: Hub, em: Em, ability: HubAbility, contact: Contact): Promise<WireContact> {
  const identities = await em.find(
    Identity,
    { contactId: contact.id, ...whereInLines(ability) },
    { orderBy: { createdAt: 'asc' }, limit: 50, disableIdentityMap: true },
  )
  const visits = await firstVisits(
    em,
    identities.map(({ id }) => id),
  )
  const links = await em.find(ContactTag, { contactId: contact.id }, { orderBy: { createdAt: 'asc' }, limit: 50, disableIdentityMap: true })
  const tags = links.length > 0 ? await em.find(Tag, { id: { $in: links.map((link) => link.tagId) } }, { disableIdentityMap: true }) : []
  const hands = await em.find(ContactField, { contactId: contact.id }, { limit: 100, disableIdentityMap: true })
  const custom = await readCustomFields(em)
  const values = new Map(hands.map((row) => [row.field, row.value]))
  const labels = new Map(hub.kernel.running().map(({ manifest }) => [manifest.id, manifest.label]))
  const byId = new Map(tags.map((tag) => [tag.id, tag]))
  return {
    id: contact.id,
    number: contact.number,
    nickname: maskText(ability, contact.nickname),
    remark: maskText(ability, contact.remark),
    ...(Object.fromEntries(contactFields.map((field) => [field, maskField(ability, field, contact[field])])) as Pick<Contact, OwnField>),
    masked: contactFields.filter((field) => contact[field] !== '' && !maySee(ability, field)),
    attributes: maskDeep(ability, contact.attributes),
    fields: [
      ...declaredFields(hub).map(({ fullName, label, personal }) => {
        const value = values.get(fullName) ?? ''
        const masked = personal !== undefined && value !== '' && !maySee(ability, personal)
        // Of what is no telephone and no address nothing can be shown.
        return { name: fullName, label, value: masked ? maskValue(value) : maskText(ability, value), masked, options: [] }
      }),
      ...custom.fields.map(({ id, label, options = [] }) => ({
        name: customPrefix + id,
        label: { zh: label, en: label },
        value: maskText(ability, values.get(customPrefix + id) ?? ''),
        masked: false,
        options,
      })),
    ],
    filledBy: Object.fromEntries(hands.flatMap(({ field, source }) => (labels.has(source) ? [[field, labels.get(source)]] : []))) as WireContact['filledBy'],
    tags: links.flatMap((link) => {
      const tag = byId.get(link.tagId)
      return tag ? [{ id: tag.id, name: tag.name, system: tag.system }] : []
    }),
    identities: identities.map((identity) => ({
      id: identity.id,
      inboxId: identity.inboxId,
      externalId: maskText(ability, externalIdOf(identity)),
      legible: identity.sealedId !== '' || identity.externalId.includes('@'),
      name: maskField(ability, 'name', identity.profile?.name ?? ''),
      verified: identity.verified,
      blockedAt: identity.blockedAt?.toISOString() ?? null,
      attributes: maskDeep(ability, identity.attributes),
      facts: [...ownWords(ability, identity.profile), ...shownFacts(ability, identity.facts)],
      firstVisit: presentFirstVisit(ability, visits.get(identity.id)),
    })),
    createdAt: contact.createdAt.toISOString(),
  }
}
