/** Which fields of customers records are found by, and whom a value means. */
import { HubError } from '../../../../sdk/errors.ts'
import type { FoundField, RecordFilter } from '../../../../sdk/wire/record.ts'
import type { HubAbility } from '../../../access/ability.ts'
import { type ContactField, hiddenFrom, maySee } from '../../../access/mask.ts'
import { maskField } from '../../../access/mask-field.ts'
import { maskText } from '../../../access/mask-text.ts'
import { contactFields } from '../../../access/permissions.ts'
import type { Em } from '../../../db/orm.ts'
import { type Sql, sql } from '../../../db/statements.ts'
import type { Hub } from '../../../hub.ts'
import { blindsOf } from '../../../sealing/sealed-columns.ts'
import { knownFields, ownLabels } from '../../contact/shown-fields.ts'
import { beginning } from './contact-words.ts'
import { among, any, raw } from './sql-where.ts'

/** What agents wrote of them: found by how it begins, since nobody remembers a remark as a whole. */
const noted = ['nickname', 'remark'] as const

const isSealed = (name: string): name is ContactField => (contactFields as readonly string[]).includes(name)
const isNoted = (name: string): name is (typeof noted)[number] => (noted as readonly string[]).includes(name)

/** In the order of the contact panel; `findable` = this reader sees it unmasked, and may ask for it. */
export async function foundFields(hub: Pick<Hub, 'kernel'>, em: Em, ability: HubAbility): Promise<FoundField[]> {
  const match = hiddenFrom(ability) ? 'exact' : 'beginning'
  return [
    ...contactFields.map((name) => ({ name, label: ownLabels[name], options: [], match: 'exact' as const, findable: maySee(ability, name) })),
    ...noted.map((name) => ({ name, label: ownLabels[name], options: [], match, findable: true }) satisfies FoundField),
    ...(await knownFields(hub, em)).map(({ name, label, options, personal }) => ({
      name,
      label,
      options,
      match: 'exact' as const,
      findable: personal === undefined || maySee(ability, personal),
    })),
  ]
}

/** Contacts that meet a condition: rows of one table, along an index of its own. */
export interface Meant {
  table: Sql
  /** Whose row it is. */
  contactId: Sql
  where: Sql
}
const ofContact = (where: Sql): Meant => ({ table: raw('contact k'), contactId: raw('k.id'), where })

/**
 * Whom each of the conditions means. A value that the reader would see masked is none they may ask for: the answer would
 * say whether it is there. Throws HUB_FORBIDDEN for such a value or field, HUB_REQUEST_INVALID for a field that nobody brings.
 */
export async function contactsMeant(hub: Pick<Hub, 'kernel'>, em: Em, ability: HubAbility, conditions: NonNullable<RecordFilter['fields']>): Promise<Meant[]> {
  if (conditions.length === 0) return []
  const fields = new Map((await foundFields(hub, em, ability)).map((field) => [field.name, field]))
  return conditions.map(({ name, value: typed }) => {
    const field = fields.get(name)
    if (!field) throw new HubError('HUB_REQUEST_INVALID', `Customers have no field ${name}`, { path: '/filter/fields', field: name })
    // A sign that no text has and that would end the statement there.
    const value = typed.replaceAll('\0', '').trim()
    if (!field.findable || (isSealed(name) ? maskField(ability, name, value) : maskText(ability, value)) !== value)
      throw new HubError('HUB_FORBIDDEN', 'You may not look for what you may not see', { field: name })
    if (value === '') return ofContact(any([]))
    if (isSealed(name)) return ofContact(among(`k.${name}_key`, blindsOf(em, name, value)))
    if (isNoted(name)) return ofContact(field.match === 'exact' ? sql`k.${raw(name)} = ${value}` : beginning(`k.${name}`, value))
    return { table: raw('contact_field b'), contactId: raw('b.contact_id'), where: sql`b.field = ${name} and b.value = ${value}` }
  })
}
