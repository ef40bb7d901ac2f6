/** Fields of contacts that an admin adds: level, language, intent, the number of an order. */
import { HubError } from '../../../sdk/errors.ts'
import type { CustomFields } from '../../../sdk/wire/contact.ts'
import type { Em } from '../../db/orm.ts'
import { Setting } from '../setting/setting.entity.ts'

const key = 'contact.fields'

/** In front of an admin's field, as a plugin's id is in front of a plugin's. */
export const customPrefix = 'hub.'

export async function readCustomFields(em: Em): Promise<CustomFields> {
  const row = await em.findOne(Setting, { key }, { disableIdentityMap: true })
  return (row?.value as CustomFields | undefined) ?? { fields: [] }
}

/** Throws HUB_REQUEST_INVALID for two fields of one id or one name. */
export async function writeCustomFields(em: Em, { fields }: CustomFields): Promise<void> {
  for (const [at, field] of fields.entries()) {
    const twice = fields.findIndex((other) => other.id === field.id || other.label === field.label)
    if (twice < at)
      throw new HubError('HUB_REQUEST_INVALID', 'Two fields are called the same', {
        faults: [{ path: `body/fields/${at}/label`, rule: 'unique', message: 'called like another one' }],
      })
  }
  await em.upsert(Setting, { key, value: { fields }, updatedAt: new Date() })
}

/** Throws HUB_REQUEST_INVALID for a choice that is not one of its options. Emptying is always possible. */
export function checkCustomValue({ fields }: CustomFields, name: string, value: string): void {
  const field = fields.find(({ id }) => name === customPrefix + id)
  if (!field) throw new HubError('HUB_REQUEST_INVALID', 'There is no such field', { path: '/fields' })
  if (value !== '' && field.options?.length && !field.options.includes(value))
    throw new HubError('HUB_REQUEST_INVALID', 'This is none of the options', { path: `/fields/${name}` })
}
