/**
 * Personal data inside what was written, as this reader may see it. The masked text is as long as the text was, so that
 * what points into it (the words that a search found) still points at the same place. Time grows with the length only:
 * every pattern is bounded and each number is looked at a fixed number of times. Better a star too many than one too few.
 */
import type { HubAbility } from './ability.ts'
import { hiddenFrom, masks, type PersonalField, shownDigits } from './mask.ts'
import { type Put, starContacts } from './mask-contacts.ts'
import { plainForms } from './mask-encoded.ts'
import { starLabelled } from './mask-labelled.ts'
import { starNames } from './mask-names.ts'
import { starPieces } from './mask-pieces.ts'
import { starPapers, starPlaces } from './mask-places.ts'
import { personalFields } from './permissions.ts'

type Hidden = ReadonlySet<PersonalField>

/** The text as the reader sees it. Costs nothing for who sees everything. */
export function maskText(ability: HubAbility, text: string): string {
  const hidden = hiddenFrom(ability)
  return hidden ? maskHidden(hidden, text) : text
}

/** The words of one message: it may be a piece of what was said in several. */
export function maskSaid(ability: HubAbility, text: string): string {
  const hidden = hiddenFrom(ability)
  return hidden ? maskHiddenSaid(hidden, text) : text
}

function maskHiddenSaid(hidden: Hidden, text: string): string {
  const stars = new Stars(maskHidden(hidden, text))
  starPieces(hidden, text, (from, to) => stars.put(from, to))
  return stars.toString()
}

/** The beginning of a longer text: a number that was cut in two is none any more, yet says enough. */
export function maskCut(ability: HubAbility, text: string, cut: boolean): string {
  const hidden = hiddenFrom(ability)
  if (!hidden) return text
  const masked = maskHiddenSaid(hidden, text)
  return cut ? masked.replace(/[\w@.+%０-９零〇一二三四五六七八九*-]{1,64}$/, (end) => '*'.repeat(end.length)) : masked
}

/** A value that carries names: of the field that one of them names it is that field, whatever it looks like. */
export function maskNamed(ability: HubAbility, names: readonly string[], value: string): string {
  const hidden = hiddenFrom(ability)
  return hidden ? maskUnder(hidden, names, value) : value
}

/** Every word inside some JSON that we know nothing of; what stands under the name of a field is that field. */
export function maskDeep<T>(ability: HubAbility, value: T): T {
  const hidden = hiddenFrom(ability)
  return hidden ? (deep(hidden, value, undefined, 0) as T) : value
}

const everything: Hidden = new Set(personalFields)

/** Nobody's business: the text with all personal data in it masked, for what is kept where it is not sealed. */
export const starred = (text: string): string => maskHidden(everything, text)

/** The same of words that say who somebody is: what is no number nor address is a name. */
export const starredWho = (words: string): string => {
  const masked = starred(words)
  return masked === words ? masks.name(words) : masked
}

const keys: readonly [PersonalField, RegExp][] = [
  ['phone', /phone|mobile|(?:^|_)tel|手机|电话/i],
  ['email', /e-?mail|邮箱/i],
  ['wechat', /wechat|weixin|微信/i],
  ['qq', /^qq|扣扣/i],
  ['address', /^(?:home_?|street_?|full_?)?addr|地址|住址|位置/i],
  ['name', /^(?:real|full|first|last|user)?[_ ]?name$|姓名|真名|联系人|收件人|收货人|户名/i],
  ['document', /id_?card|passport|bank_?card|身份证|银行卡|护照|通行证|台胞证|社保|医保/i],
]
const mostDeep = 40

function maskUnder(hidden: Hidden, names: readonly string[], value: string): string {
  const field = value === '' ? undefined : keys.find(([field, pattern]) => hidden.has(field) && names.some((name) => pattern.test(name)))?.[0]
  return maskHidden(hidden, field ? masks[field](value) : value)
}

function deep(hidden: Hidden, value: unknown, key: string | undefined, depth: number): unknown {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    const text = String(value)
    const masked = maskUnder(hidden, key === undefined ? [] : [key], text)
    return masked === text ? value : masked
  }
  if (typeof value !== 'object' || value === null) return value
  // Nobody nests so deep but to slip through.
  if (depth >= mostDeep) return null
  if (Array.isArray(value)) return value.map((one) => deep(hidden, one, key, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [maskHidden(hidden, name), deep(hidden, one, name, depth + 1)]))
}

/** Which places of a text carry a star. */
class Stars {
  readonly text: string
  readonly #stars: Uint8Array
  any = false
  constructor(text: string) {
    this.text = text
    this.#stars = new Uint8Array(text.length)
  }
  put(from: number, to: number): void {
    if (to <= from) return
    this.#stars.fill(1, from, to)
    this.any = true
  }
  toString(): string {
    if (!this.any) return this.text
    let result = ''
    for (let i = 0; i < this.text.length; i++) result += this.#stars[i] ? '*' : this.text[i]
    return result
  }
}

/** The same for a set of hidden fields. */
export function maskHidden(hidden: Hidden, text: string): string {
  if (text.length < 2) return text
  const stars = new Stars(text)
  starAll(hidden, text, (from, to) => stars.put(from, to))
  for (const plain of plainForms(text))
    starAll(hidden, plain.text, (from, to) => {
      for (let i = from; i < to; i++) stars.put(plain.from[i] as number, plain.to[i] as number)
    })
  return stars.toString()
}

function starAll(hidden: Hidden, text: string, put: Put): void {
  const folded = fold(text)
  if (hidden.has('phone') || hidden.has('document')) maskNumbers(hidden, folded, put)
  if ((hidden.has('email') || hidden.has('qq')) && folded.includes('@')) maskAddresses(hidden, folded, put)
  starContacts(hidden, text, put)
  if (hidden.has('wechat')) for (const pattern of [wechat, wxid]) maskAccounts(pattern, folded, put)
  if (hidden.has('qq')) maskAccounts(qq, folded, put)
  if (hidden.has('name')) {
    // 张三 is no number.
    const plain = foldWidth(text)
    maskAccounts(names, plain, put, 1)
    starNames(plain, put)
  }
  if (hidden.has('address')) starPlaces(folded, put)
  if (hidden.has('document')) starPapers(folded, put)
  starLabelled(hidden, folded, put)
}

const signs = { 0: '〇零○', 1: '一壹幺①', 2: '二贰②', 3: '三叁③', 4: '四肆④', 5: '五伍⑤', 6: '六陆⑥', 7: '七柒⑦', 8: '八捌⑧', 9: '九玖⑨' }
const numerals = new Map(Object.entries(signs).flatMap(([digit, all]) => [...all].map((sign) => [sign, digit] as const)))

const foldWidth = (text: string): string => text.replace(/[\uff01-\uff5e]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))

/** Full width and Chinese numerals as plain ones, sign for sign. */
function fold(text: string): string {
  return text.replace(/[\uff01-\uff5e〇零○一壹幺①二贰②三叁③四肆④五伍⑤六陆⑥七柒⑦八捌⑧九玖⑨]/g, (sign) => {
    return numerals.get(sign) ?? String.fromCharCode(sign.charCodeAt(0) - 0xfee0)
  })
}

/** Digits with what people put between them. */
const run = /\d(?:[ \t\u00a0.()\-\u2010-\u2015\u200b-\u200d\u2060\ufeff/*_]{0,3}\d)*/g
const mobile = /^(?:0|0?86|0086)?1[3-9]\d{9}$/
const landline = /^(?:(?:00)?86)?0(?:10|2\d|[3-9]\d{2})[2-9]\d{6,7}$/
const landlineAbroad = /^(?:00)?86(?:10|2\d|[3-9]\d{2})[2-9]\d{6,7}$/
const idCard = /^[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3,4}$/
const oldIdCard = /^[1-9]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}$/
const callWords = /(?:电话|座机|固话|手机|号码|致电|联系方式|tel|phone|mobile|call)[^\d]{0,6}$/i
const cardWords = /(?:卡号|账号|帐号|账户|银行|card)[^\d]{0,6}$/i
const longest = 19

/** Every few neighbouring groups of digits, taken together: is it a number of a person? */
function maskNumbers(hidden: Hidden, text: string, put: Put): void {
  for (const found of text.matchAll(run)) {
    if (found[0].length < 7) continue
    const from = found.index
    /** Place of each digit in the text, and which of them begin and end a group. */
    const at: number[] = []
    let digits = ''
    for (let i = 0; i < found[0].length; i++) {
      const code = found[0].charCodeAt(i)
      if (code < 48 || code > 57) continue
      at.push(from + i)
      digits += found[0][i]
    }
    for (let a = 0; a < at.length; a++) {
      if (a > 0 && (at[a] as number) - (at[a - 1] as number) === 1) continue
      const start = at[a] as number
      const lead = text.slice(Math.max(0, start - 12), start)
      const plus = /\+\s?\(?$/.test(lead)
      for (let b = a + 6; b < Math.min(a + longest, at.length); b++) {
        if (b + 1 < at.length && (at[b + 1] as number) - (at[b] as number) === 1) continue
        const number = digits.slice(a, b + 1)
        const end = (at[b] as number) + 1
        const places = at.slice(a, b + 1)
        if (hidden.has('phone') && isPhone(number, places, plus, lead, text.slice(start, end))) starMiddle(places, ...shownDigits(number.length), put)
        if (!hidden.has('document')) continue
        const x = number.length === 17 && /^[xX]/.test(text.slice(end, end + 1))
        if ((number.length === 18 || x ? idCard : oldIdCard).test(number)) {
          starMiddle(x ? [...places, end] : places, 3, 2, put)
        } else if (number.length >= 12 && (cardWords.test(lead) || (number.length >= 16 && /^[3-69]/.test(number) && luhn(number))))
          starMiddle(places, 0, 4, put)
      }
    }
  }
}

/** Hong Kong, Macau and Taiwan without a plus, by their lengths; Taiwan’s mobiles as they are dialled there. */
const acrossBorder = /^(?:852[2-9]\d{7}|853[268]\d{7}|8860?[2-9]\d{7,8}|09\d{8})$/
const american = /^1?[2-9]\d{2}[2-9]\d{6}$/

/** (415) 555-2671: ten digits, or eleven behind a 1, are one only when they are grouped so. */
function isAmerican(number: string, places: readonly number[], between: string, lead: string): boolean {
  if (!american.test(number) || !/[-.()]/.test(between) || (number.length === 10 && /1[\s.(-]{1,3}$/.test(lead))) return false
  const groups = places.flatMap((place, i) => (i > 0 && place - (places[i - 1] as number) > 1 ? [i] : []))
  return groups.join() === (number.length === 10 ? '3,6' : '1,4,7')
}

function isPhone(number: string, places: readonly number[], plus: boolean, lead: string, written: string): boolean {
  if (acrossBorder.test(number) || isAmerican(number, places, written, lead)) return true
  if (number.length >= 10 && (mobile.test(number) || landline.test(number) || /^00[1-9]\d{8,13}$/.test(number))) return true
  if (plus && number.length <= 15 && !/^(?:0|861)/.test(number)) return true
  return (number.length >= 11 && landlineAbroad.test(number)) || (number.length <= 12 && callWords.test(lead))
}

function starMiddle(places: readonly number[], start: number, end: number, put: Put): void {
  for (const place of places.slice(start, places.length - end)) put(place, place + 1)
}

/** The check digit of bank cards. */
function luhn(number: string): boolean {
  let sum = 0
  for (let i = 0; i < number.length; i++) {
    const digit = Number(number[number.length - 1 - i])
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2
  }
  return sum % 10 === 0
}

/** a****@example.com: from every @ to both sides, as far as an address may reach. */
function maskAddresses(hidden: Hidden, text: string, put: Put): void {
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const local = /[\w.+%'-]{1,64}$/.exec(text.slice(Math.max(0, at - 64), at))?.[0]
    const domain = /^[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/.exec(text.slice(at + 1, at + 255))?.[0]
    if (!local || !domain) continue
    if (hidden.has('email') || /^qq\.com/i.test(domain)) put(at - local.length + (local.length > 1 ? 1 : 0), at)
  }
}

/** Their first group leads to the second one, which is what nobody is to see. */
const wechat =
  /((?:[微威维薇]信|v信|加\s?v|(?<![a-z])(?:vx|wx|wechat|weixin|vchat))\s{0,3}(?:号码?|id|名|账号|帐号)?\s{0,3}(?:都?是|为|叫|[:=,，;]|is)?\s{0,3})([a-z0-9][-_a-z0-9]{4,29})/gi
const wxid = /(wxid_)([a-z0-9]{4,30})/gi
const qq = /((?:(?<![a-z])qq|扣扣|企鹅|(?<![a-z0-9])q)\s{0,3}(?:号码?)?\s{0,3}(?:都?是|为|[:=,，])?\s{0,3})(\d{5,12})(?!\d)/gi
const names =
  /((?:姓名|联系人|收件人|收货人|户名|name)\s{0,2}[:=是]\s{0,2}|我叫)(?!了|的|你|他|她|什么)([\p{Script=Han}·]{2,4}|[a-z]{2,20}(?: [a-z]{2,20}){0,2})/giu
function maskAccounts(pattern: RegExp, text: string, put: Put, shown = 2): void {
  for (const found of text.matchAll(pattern)) {
    const [, lead = '', account = ''] = found
    // "WeChat official account": a word in a sentence, not somebody's name.
    if (pattern === wechat && /^(?:wechat|weixin)\s*$/i.test(lead) && !/[\d_-]/.test(account)) continue
    const start = found.index + lead.length
    put(start + Math.min(shown, account.length - 1), start + account.length)
  }
}
