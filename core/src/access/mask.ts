/** Personal data, for those who may not see it: decided here, on the server, for every way out. */
import { buildAbility, type HubAbility } from './ability.ts'
import { type contactFields, personalFields } from './permissions.ts'

export type PersonalField = (typeof personalFields)[number]
export type ContactField = (typeof contactFields)[number]

/** How many digits of a number stay at its beginning and its end: 138****5678, 12****90, nothing of a very short one. */
export function shownDigits(count: number): [start: number, end: number] {
  if (count >= 11) return [Math.min(count - 8, 5), 4]
  return count < 5 ? [0, 0] : [2, 2]
}

/** 138****5678; shorter numbers keep their first and last two digits. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '')
  if (digits.length < 5) return '*'.repeat(phone.length)
  const [start, end] = shownDigits(digits.length)
  return digits.slice(0, start) + '*'.repeat(digits.length - start - end) + digits.slice(-end)
}

/** ab****: whatever else names a person. */
export function maskValue(value: string): string {
  return value.slice(0, value.length > 4 ? 2 : 1) + '*'.repeat(4)
}

/** a***@example.com */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return at < 1 ? '***' : `${email.slice(0, 1)}***${email.slice(at)}`
}

/** 张** */
export function maskName(name: string): string {
  const [first = '', ...rest] = [...name]
  return first + '*'.repeat(Math.max(rest.length, 1))
}

/** ab****: an account says nothing in its middle. */
const maskAccount = (account: string): string => account.slice(0, account.length > 4 ? 2 : 1) + '*'.repeat(4)

/** 浙江省杭州市****: about where, not at which door. */
const maskAddress = (address: string): string => [...address].slice(0, Math.min(6, Math.floor([...address].length / 3))).join('') + '*'.repeat(4)

export const masks: Record<PersonalField, (value: string) => string> = {
  name: maskName,
  phone: maskPhone,
  email: maskEmail,
  wechat: maskAccount,
  qq: maskAccount,
  address: maskAddress,
  document: maskAccount,
}

export function maySee(ability: HubAbility, field: PersonalField): boolean {
  return ability.can('personal', 'contact', field)
}

/** May this reader have the value shown to them, once they have said why? */
export const mayReveal = (ability: HubAbility, field: PersonalField): boolean => ability.can('reveal', 'contact', field)

/** An ability that sees these fields, and may do nothing else. */
export const sightOf = (fields: readonly PersonalField[]): HubAbility =>
  buildAbility({ id: '', departmentId: null, treeIds: [], owner: false }, [{ permission: 'contact.personal', fields: [...fields] }])

/** Asked for every line that is shown, and an ability never changes. */
const hidden = new WeakMap<HubAbility, ReadonlySet<PersonalField> | null>()

/** The fields that are masked for this reader; null where that is none. */
export function hiddenFrom(ability: HubAbility): ReadonlySet<PersonalField> | null {
  let fields = hidden.get(ability)
  if (fields === undefined) {
    const found = personalFields.filter((field) => !maySee(ability, field))
    fields = found.length > 0 ? new Set(found) : null
    hidden.set(ability, fields)
  }
  return fields
}
