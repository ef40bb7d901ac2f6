/** Which contacts are meant by what somebody typed into "customer". */

import { HubError } from '../../../../sdk/errors.ts'
import type { HubAbility } from '../../../access/ability.ts'
import type { Access } from '../../../access/access-cache.ts'
import { type ContactField, hiddenFrom, maySee } from '../../../access/mask.ts'
import { maskField } from '../../../access/mask-field.ts'
import { maskText } from '../../../access/mask-text.ts'
import type { Em } from '../../../db/orm.ts'
import { type Sql, sql } from '../../../db/statements.ts'
import { blindsOf } from '../../../sealing/sealed-columns.ts'
import { among, any, raw } from './sql-where.ts'

/** A contact's number, as their profile shows it. */
const ownNumber = /^#?(\d{1,9})$/

/**
 * A condition on `contact k`: the number, the beginning of the nickname, the whole name, phone number, mail address, WeChat or QQ account
 * (those are sealed: only what is equal can be found). Never of a field, nor for a value, that the reader sees masked: looking for it would unmask it.
 */
export function contactWords(em: Em, actor: Pick<Access, 'ability'>, typed: string): Sql {
  // A sign that no text has and that would end the statement there.
  const words = typed.replaceAll('\0', '').trim()
  if (words === '') return any([])
  const number = ownNumber.exec(words)?.[1]
  const sees = (field: ContactField, value = words) => maySee(actor.ability, field) && maskField(actor.ability, field, value) === value
  const digits = words.replace(/[\s().-]/g, '')
  const whole = (field: 'name' | 'phone' | 'email' | 'wechat' | 'qq', value: string) => among(`k.${field}_key`, blindsOf(em, field, value))
  // A number that an agent wrote into the nickname is masked as well.
  const blind = hiddenFrom(actor.ability) !== null
  return any([
    ...(number ? [sql`k.number = ${Number(number)}`] : []),
    ...(blind && /\d{4}/.test(digits)
      ? []
      : [blind ? sql`(${beginning('k.nickname', words)} and instr(k.nickname, '@') = 0)` : beginning('k.nickname', words)]),
    ...(sees('name') ? [whole('name', words)] : []),
    ...(sees('phone', digits) && /^\+?\d{5,}$/.test(digits) ? [whole('phone', words)] : []),
    ...(sees('wechat') ? [whole('wechat', words)] : []),
    ...(sees('qq') && /^\d{5,12}$/.test(words) ? [whole('qq', words)] : []),
    ...(sees('email') && words.includes('@') ? [whole('email', words)] : []),
  ])
}

/**
 * Who types a number or an address that they would see masked is told that they may not look for it, rather than that nobody
 * has it. Throws HUB_FORBIDDEN. What may be a contact's number is looked for as that.
 */
export function checkContactWords(ability: HubAbility, typed: string): void {
  const words = typed.trim()
  if (!ownNumber.test(words) && maskText(ability, words) !== words)
    throw new HubError('HUB_FORBIDDEN', 'You may not look for what you may not see', { field: 'contact' })
}

/** A range of the column's index; Latin names are looked for as they are usually written. */
export function beginning(column: string, words: string): Sql {
  const spellings = new Set([words, words.toLowerCase(), words.toUpperCase(), words.slice(0, 1).toUpperCase() + words.slice(1).toLowerCase()])
  return any([...spellings].map((from) => sql`(${raw(column)} >= ${from} and ${raw(column)} < ${`${from}\u{10FFFF}`})`))
}
