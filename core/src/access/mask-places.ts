/**
 * Where a text says at which door somebody lives, and the numbers of their papers. A door is what stands behind a street, an
 * estate or a building; behind a city or a district the street goes too, to the end of the clause. Every pattern is bounded.
 */
import type { Put } from './mask-contacts.ts'

const clause = '[^\\n,，。;；!！?？]'
/** What follows is an address, whatever it looks like. */
const announced = new RegExp(`((?:地址|住址|寄到|寄往|送到|住在|address)\\s{0,2}(?:是|为|[:=])?\\s{0,2})(${clause}{4,80})`, 'gi')
/** What follows is one if it names a place. */
const perhaps = new RegExp(
  `((?:发到|发往|发货到|家住|家在|[我就](?:现在)?住|^住|[\\s,，。]住|(?:收件|收货|邮寄)(?:信息|人)?\\s?[:=]|送货上门到)\\s{0,2}[:=]?\\s{0,2})(${clause}{0,60}?[省市区县镇乡村路街巷弄号栋幢室楼苑园]${clause}{0,60})`,
  'gi',
)

const unit = '(?:号楼|号院|号(?![线码]|[前后](?![门街楼])|发|下[单午]|上午|晚|早|之|左右|到)|弄|栋|幢|座|塔|单元|室(?!\\d厅)|楼|层|期|组|门|户)'
const door = `(?:[\\da-z](?:[\\da-z-]{0,7}[\\da-z])?\\s{0,2}${unit})`
/** 478 号 3 幢 502, 500 号华润时代广场 1201 室, 3 期 5-1-1203 */
const doors = new RegExp(
  `((?<!知(?=道)|[这那哪家店](?=里))[路街道巷弄村里苑园区镇庄段厦场湾城府庭坊桥塔期]\\s{0,2}|[路街园区城]\\p{Script=Han}{1,8}?\\s{0,2})((?:${door}(?:\\s{0,2}\\p{Script=Han}{0,10}?\\s{0,2}${door}){0,5}(?:\\s{0,2}\\d(?:[\\d-]{0,8}\\d)?(?![\\d.:：]|\\s?[月年点元块个件天]))?)|(?!20\\d\\d-)\\d{1,4}(?:-\\d{1,4}){2,3}(?!\\d))`,
  'giu',
)
const room = /()((?<![\d.])\d{3,5}\s?室)(?!\d?厅)/g
const english =
  /()(\b(?:No\.?\s?)?\d{1,5}[A-Za-z]?,?\s(?:[A-Z][A-Za-z'.]{1,20}\s){1,4}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Boulevard|Blvd|Drive|Square|Terrace)\b)/g

/** 市区, 小区: no name of a city or a district. */
const region = /(?:\p{Script=Han}{2}(?<!这|那|[小社专园地郊])[省市区县镇乡])(?=\p{Script=Han})/gu
const telephone = /\s{0,2}(?:\+?86[\s-]?)?1[3-9]\d(?:[\s-]?\d{4}){2}/
const farthest = 80

/** @param text folded: full width and numerals plain */
export function starPlaces(text: string, put: Put): void {
  for (const pattern of [announced, perhaps]) for (const found of text.matchAll(pattern)) put(found.index + (found[1] as string).length, endOf(found))
  for (const found of text.matchAll(doors)) {
    const start = found.index + (found[1] as string).length
    const clauseStart = start - (new RegExp(`${clause}{0,40}$`).exec(text.slice(Math.max(0, start - 40), start))?.[0].length ?? 0)
    const last = [...text.slice(clauseStart, start).matchAll(region)].at(-1)
    if (last === undefined) put(start, endOf(found))
    else {
      const rest = new RegExp(`^${clause}*`).exec(text.slice(start, start + farthest))?.[0] ?? ''
      const call = telephone.exec(rest)?.index ?? rest.length
      put(clauseStart + last.index + last[0].length, Math.max(start + call, endOf(found)))
    }
  }
  for (const pattern of [room, english]) for (const found of text.matchAll(pattern)) put(found.index, endOf(found))
}

const endOf = (found: RegExpExecArray): number => found.index + found[0].length

/** Passports, permits to travel, cards of insurance, where a word says so; an identity card is known by its shape. */
const papers =
  /((?:护照|通行证|台胞证|回乡证|居住证|居留证|居留许可|军官证|士兵证|驾驶证|驾照|社保|医保|证件|passport|travel permit|residence permit|driving licen[cs]e|social security)(?:卡|件)?\s?(?:号码?|no\.?|number|编号)?\s{0,2}(?:都?是|为|is|[:=#])?\s{0,3})([a-z]{0,3}[\s-]?\d(?:[\s-]?\d){5,17}(?:[a-z](?![a-z]))?)/gi

export function starPapers(text: string, put: Put): void {
  for (const found of text.matchAll(papers)) put(found.index + (found[1] as string).length + 2, endOf(found))
}
