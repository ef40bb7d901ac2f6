/**
 * What stands behind a label, as in a form that somebody filled in: `微信（选填）: lily2020`. Of a card the thread masks field by
 * field; in its words alone (previews, where lines have become spaces) the label stands before its value. Every pattern is bounded.
 */
import type { PersonalField } from './mask.ts'
import type { Put } from './mask-contacts.ts'

const labels: readonly [PersonalField, string][] = [
  ['phone', '手机|电话|联系方式|(?<![a-z])(?:tele)?phone|(?<![a-z])mobile|(?<![a-z])tel'],
  ['email', '邮箱|e-?mail'],
  ['wechat', '微信|(?<![a-z])(?:wechat|weixin)'],
  ['qq', '(?<![a-z])qq|扣扣'],
  ['address', '地址|住址|位置|(?<![a-z])address'],
  ['name', '姓名|真名|联系人|收件人|收货人|户名|(?<![a-z])(?:full |real |first |last |your )name'],
  ['document', '身份证|银行卡|护照|通行证|台胞证|社保|医保|(?<![a-z])passport'],
]
const bracket = '(?:\\s?[(\\[【〔][^()\\[\\]【】〔〕\\n]{0,20}[)\\]】〕])'
const more = '\\s?(?:\\p{Script=Han}{1,8}|id|no\\.?|numbers?|account|address)?[)\\]】〕]?'
/** A bracket behind the label, or a space behind the colon as the hub itself writes it: a sentence with a colon in it has neither. */
const patterns = labels.map(([field, words]) => [field, new RegExp(`(?:${words})${more}(?:${bracket}{1,2}\\s?\\*?:\\s{0,3}|\\s?\\*?: )`, 'giu')] as const)

const longest: Readonly<Record<PersonalField, number>> = { phone: 60, email: 100, wechat: 60, qq: 40, address: 300, name: 60, document: 60 }
/** Where a value ends: with its line, its clause, or where the next label stands. An address has commas in it. */
const clauseEnd = /[\n,;!?。]/
const lineEnd = /\n/
const nextLabel = new RegExp(`\\s(?=[^\\s:]{1,40}${bracket}{0,2}\\s?:(?:\\s|$))`, 'u')
/** "微信支付: 失败" and "WeChat: not working" tell no account. */
const accounts = { wechat: /^[a-z][\w-]*$|\d/i, qq: /\d{5}/, document: /\d{4}/ }
const numbers = /\d(?:[\s().\-/_]{0,3}\d){4,}/g

/** @param text folded: full width and numerals plain */
export function starLabelled(hidden: ReadonlySet<PersonalField>, text: string, put: Put): void {
  if (!text.includes(':')) return
  for (const [field, pattern] of patterns) {
    if (!hidden.has(field)) continue
    for (const found of text.matchAll(pattern)) {
      const start = found.index + found[0].length
      starValue(field, text, start, start + lengthOf(field, text.slice(start, start + longest[field])), put)
    }
  }
}

function lengthOf(field: PersonalField, text: string): number {
  const end = text.search(field === 'address' ? lineEnd : clauseEnd)
  const value = end < 0 ? text : text.slice(0, end)
  const next = value.search(nextLabel)
  return (next < 0 ? value : value.slice(0, next)).trimEnd().length
}

function starValue(field: PersonalField, text: string, start: number, end: number, put: Put): void {
  const value = text.slice(start, end)
  if (field === 'phone') {
    for (const number of value.matchAll(numbers)) {
      const places = [...number[0].matchAll(/\d/g)].map(({ index }) => start + number.index + index)
      for (const place of places.slice(2, -2)) put(place, place + 1)
    }
  } else if (field === 'address') put(start, end)
  else if (field === 'name') put(start + 1, end)
  else if (field === 'email') {
    if (/@|\d/.test(value)) put(start + 1, value.includes('@') ? start + value.indexOf('@') : end)
  } else if (accounts[field].test(value)) put(start + (value.length > 4 ? 2 : 1), end)
}
