/** Fields of contacts besides the core's own, those of running plugins and those that an admin made, for who reads many. */
import type { RecordContactField } from '../../../sdk/records.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskValue, maySee } from '../../access/mask.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { ContactField } from './contact.entity.ts'
import { customPrefix, readCustomFields } from './custom-fields.ts'
import { declaredFields } from './fields.ts'

/** What the core's own are called. */
export const ownLabels = {
  name: { zh: '姓名', en: 'Name' },
  phone: { zh: '手机', en: 'Phone' },
  email: { zh: '邮箱', en: 'Email' },
  wechat: { zh: '微信', en: 'WeChat' },
  qq: { zh: 'QQ', en: 'QQ' },
  address: { zh: '地址', en: 'Address' },
  nickname: { zh: '昵称', en: 'Nickname' },
  remark: { zh: '备注', en: 'Remark' },
} as const

/** Those there are, in the order of the contact panel. `options`: what can be chosen; empty = any words. */
export async function knownFields(hub: Pick<Hub, 'kernel'>, em: Em) {
  const { fields: custom } = await readCustomFields(em)
  return [
    ...declaredFields(hub).map(({ fullName: name, label, personal }) => ({ name, label, personal, options: [] as string[] })),
    ...custom.map(({ id, label, options = [] }) => ({ name: customPrefix + id, label: { zh: label, en: label }, personal: undefined, options })),
  ]
}

/** By contact, in the order of the contact panel; what is empty is left out, what the reader may not see is masked. */
export async function shownFields(
  hub: Pick<Hub, 'kernel'>,
  em: Em,
  ability: HubAbility,
  contactIds: readonly string[],
): Promise<Map<string, RecordContactField[]>> {
  const known = await knownFields(hub, em)
  if (known.length === 0) return new Map()
  const rows = await em.find(ContactField, { contactId: { $in: [...contactIds] }, value: { $ne: '' } }, { disableIdentityMap: true })
  const shown = [...Map.groupBy(rows, (row) => row.contactId)].map(([contactId, own]): [string, RecordContactField[]] => {
    const values = new Map(own.map(({ field, value }) => [field, value]))
    return [
      contactId,
      known.flatMap(({ name, label, personal }) => {
        const value = values.get(name)
        return value === undefined ? [] : [{ name, label, value: personal && !maySee(ability, personal) ? maskValue(value) : maskText(ability, value) }]
      }),
    ]
  })
  return new Map(shown)
}
