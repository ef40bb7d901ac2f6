/** Personal data, for those who may not see it: decided here, on the server, for every way out. */
import type { HubAbility } from './ability.ts'
import type { personalFields } from './permissions.ts'

export type PersonalField = (typeof personalFields)[number]

/** 138****5678; shorter numbers keep their first and last two digits. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '')
  if (digits.length < 5) return '*'.repeat(phone.length)
  const keepStart = digits.length >= 11 ? digits.length - 8 : 2
  const keepEnd = digits.length >= 11 ? 4 : 2
  return digits.slice(0, keepStart) + '*'.repeat(digits.length - keepStart - keepEnd) + digits.slice(-keepEnd)
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

const masks: Record<PersonalField, (value: string) => string> = { name: maskName, phone: maskPhone, email: maskEmail }

export function maySee(ability: HubAbility, field: PersonalField): boolean {
  return ability.can('personal', 'contact', field)
}

/** The value as this reader may see it. An empty one stays empty. */
export function maskField(ability: HubAbility, field: PersonalField, value: string): string {
  return value === '' || maySee(ability, field) ? value : masks[field](value)
}
