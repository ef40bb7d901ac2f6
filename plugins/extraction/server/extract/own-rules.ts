/**
 * An admin's own rules: words, a shape and its length, and words that speak against it. Data, never an expression: what
 * is written here cannot make the reader slow.
 */
import { cutsOf, find, mobileOf, type Reading, runsOf } from '@huike/core/sdk/contact-reader/reader.ts'
import type { Kind } from './tables.ts'

export const shapes = ['digits', 'account', 'word'] as const

export interface OwnRule {
  id: string
  kind: Kind
  /** One of them stands before what is found (shape `word`: is what is found). */
  words: string[]
  /** `digits`: of any dress; `account`: letters, digits, `_`, `-`; `word`: the word itself says it. */
  shape: (typeof shapes)[number]
  min: number
  max: number
  /** One of these nearby: nothing is found. */
  not: string[]
  confidence: number
  /** What a `word` means: `female`, `28`. */
  normal: string
}

const linkSigns = /^[\s:：=是为号码的，,"“”'‘’()（）【】\-—我]*$/
const reach = 8

export function findOwn(reading: Reading, rule: OwnRule): void {
  const { low, text } = reading.shadow
  for (const word of rule.words) {
    const wanted = word.toLowerCase()
    if (wanted === '') continue
    for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, at + wanted.length)) {
      const near = low.slice(Math.max(0, at - 20), at + wanted.length + 40)
      if (rule.not.some((against) => against !== '' && near.includes(against.toLowerCase()))) continue
      if (rule.shape === 'word') {
        find(reading, rule.id, { normal: rule.normal || wanted, start: at, end: at + wanted.length }, 1, rule.kind)
        continue
      }
      if (rule.shape === 'digits' && findDigits(reading, rule, at, at + wanted.length)) continue
      const token = rule.shape === 'digits' ? /[0-9]/ : /[a-z0-9_-]/
      let start = at + wanted.length
      while (start < low.length && start - at - wanted.length < reach && !token.test(low[start] as string)) start++
      if (!linkSigns.test(low.slice(at + wanted.length, start))) continue
      let end = start
      while (end < low.length && end - start <= rule.max && token.test(low[end] as string)) end++
      if (end - start < rule.min || end - start > rule.max) continue
      find(reading, rule.id, { normal: text.slice(start, end).toLowerCase(), start, end, cue: [at, at + wanted.length] as const }, 1, rule.kind)
    }
  }
}

/** Digits of any dress and grouping behind the word, as the built-in rules read them: `①③⑧0013 8000` is one number. */
function findDigits(reading: Reading, rule: OwnRule, at: number, after: number): boolean {
  const { shadow } = reading
  const run = runsOf(shadow, false).find(({ at: [first = 0] }) => first >= after && first - after <= reach && linkSigns.test(shadow.low.slice(after, first)))
  if (!run) return false
  const cut = cutsOf(run, rule.min)
    .filter(({ first, digits }) => first === 0 && digits.length <= rule.max)
    .sort((a, b) => b.digits.length - a.digits.length)[0]
  if (!cut) return false
  const { normal, end } = rule.kind === 'landline' ? landlineOf(reading, cut) : { normal: phoneOf(rule, cut.digits), end: cut.end }
  find(reading, rule.id, { normal, start: cut.start, end, cue: [at, after] as const }, 1, rule.kind)
  return true
}

function phoneOf({ kind }: OwnRule, digits: string): string {
  const mobile = kind === 'phone' ? mobileOf(digits, false) : undefined
  return mobile ? `+86${mobile}` : digits
}

/** 010 and 02x with eight digits, four-figure areas with seven or eight: as the built-in rules write them, with their extension. */
const landline = /^(?:0(?:10|2\d)[2-8]\d{7}|0[3-9]\d{2}[2-8]\d{6,7})$/
function landlineOf({ words }: Reading, { digits, end }: { digits: string; end: number }): { normal: string; end: number } {
  const national = digits.replace(/^(?:00)?86(?=\d{9,11}$)/, '0')
  if (!landline.test(national)) return { normal: digits, end }
  const extension = /^\s?(?:转|分机号?|ext\.?)\s?(\d{1,6})(?!\d)/.exec(words.text(end, end + 14))
  return { normal: `+86${national.slice(1)}${extension ? `;ext=${extension[1]}` : ''}`, end: end + (extension?.[0].length ?? 0) }
}
