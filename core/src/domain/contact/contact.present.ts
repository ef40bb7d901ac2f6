/** The only way contacts become JSON. */
import type { Activity as WireActivity, Contact as WireContact } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField, maySee } from '../../access/mask.ts'
import { personalFields } from '../../access/permissions.ts'
import type { Em } from '../../db/orm.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { type Activity, type Contact, Identity } from './contact.entity.ts'

export const presentActivity = ({ id, inboxId, identityId, name, label, params, at }: Activity): WireActivity => ({
  id,
  inboxId,
  identityId,
  name,
  label,
  params,
  at: at.toISOString(),
})

export async function presentContact(em: Em, ability: HubAbility, contact: Contact): Promise<WireContact> {
  const identities = await em.find(Identity, { contactId: contact.id }, { orderBy: { createdAt: 'asc' }, limit: 50, disableIdentityMap: true })
  const links = await em.find(ContactTag, { contactId: contact.id }, { orderBy: { createdAt: 'asc' }, limit: 50, disableIdentityMap: true })
  const tags = links.length > 0 ? await em.find(Tag, { id: { $in: links.map((link) => link.tagId) } }, { disableIdentityMap: true }) : []
  const byId = new Map(tags.map((tag) => [tag.id, tag]))
  return {
    id: contact.id,
    number: contact.number,
    nickname: contact.nickname,
    remark: contact.remark,
    name: maskField(ability, 'name', contact.name),
    phone: maskField(ability, 'phone', contact.phone),
    email: maskField(ability, 'email', contact.email),
    masked: personalFields.filter((field) => contact[field] !== '' && !maySee(ability, field)),
    attributes: contact.attributes,
    tags: links.flatMap((link) => {
      const tag = byId.get(link.tagId)
      return tag ? [{ id: tag.id, name: tag.name, system: tag.system }] : []
    }),
    identities: identities.map((identity) => ({
      id: identity.id,
      inboxId: identity.inboxId,
      externalId: identity.externalId,
      verified: identity.verified,
      blockedAt: identity.blockedAt?.toISOString() ?? null,
      attributes: identity.attributes,
    })),
    createdAt: contact.createdAt.toISOString(),
  }
}
