/** Runs of digits with what lies between them; numbers are cut out of runs. */
import type { Shadow } from './shadow.ts'
import { alike, digits } from './tables.ts'

/** What separates two digits: nothing, a light sign (space, dash), a heavy one (comma, line, a filler word). */
export type Gap = 0 | 1 | 2
/** Beyond the ends of a run. */
const wall = 3

export interface Run {
  /** Values, places in the shadow, the gap before each (0 for the first). */
  values: string
  at: number[]
  gaps: Gap[]
  /** Which of them only look or sound like a digit. */
  weak: boolean[]
}

const light = new Set(' \t-–—‐‑−_.·•・*~`\'|/\\+"()[]【】#^=<>…⋯ー\u00a0\u3000'.split(''))
const heavy = new Set(',，、。;；:：!！?？\n\r'.split(''))
const fillers = ['横杠', '空格', '后面是', '后边是', '后面', '然后是', '然后', '接着', '再加', '中间', '最后', '杠', '点', '再', '啊', '呃', '嗯', '额', '哈']
/** Longer gaps are no gaps. */
const longestGap = 6
/** A breaker between what different people wrote. */
export const breaker = '\ue000'

/** All maximal runs, left to right. With `withAlike` letters and sound-alikes inside count too. Linear. */
export function runsOf({ text }: Shadow, withAlike: boolean): Run[] {
  const runs: Run[] = []
  let run: Run | undefined
  for (let i = 0; i < text.length; i++) {
    const value = digitAt(text, i, withAlike)
    if (value === undefined) continue
    const weak = digits[text[i] as string] === undefined
    const gap = run ? gapBetween(text, (run.at.at(-1) as number) + 1, i) : undefined
    if (!run || gap === undefined || (weak && gap > 0 && !/[a-z|!○◯洞拐勾]/i.test(text[i] as string))) {
      if (run) keep(runs, run, text)
      run = { values: '', at: [], gaps: [], weak: [] }
    }
    run.gaps.push(run.values === '' ? 0 : (gap as Gap))
    run.values += value
    run.at.push(i)
    run.weak.push(weak)
  }
  if (run) keep(runs, run, text)
  return runs
}

const isLetter = /[a-z]/i
const radio = /[洞动幺妖腰么吆拐勾]/

/** A sound-alike at an end is the word that it is: `电话是138…`. A letter there may be meant, unless it belongs to a word. */
function keep(runs: Run[], run: Run, text: string): void {
  let start = 0
  let end = run.values.length
  // `138…一直打不通`: behind plain digits that is a word.
  if (/^[0-9]一[直下个般定起样会点些次]/.test(text.slice((run.at[end - 1] as number) - 1, (run.at[end - 1] as number) + 2))) end--
  // 张三13800138000: a name, right before a number of eleven.
  if (/^[一二三四五六七八九]1[3-9]\d{9}$/.test(text.slice(run.at[0] as number, (run.at[0] as number) + 12))) start++
  const drop = (i: number, outside: string): boolean => {
    if (!run.weak[i]) return false
    const sign = text[run.at[i] as number] as string
    return !/[oOlI|○◯]/.test(sign) || isLetter.test(outside)
  }
  // Spoken as over the radio, a number of eleven digits may also begin or end with such a sign: 妖三八…
  while (start < end && !(end - start === 11 && radio.test(text[run.at[start] as number] as string)) && drop(start, text[(run.at[start] as number) - 1] ?? ''))
    start++
  while (
    end > start &&
    !(end - start === 11 && radio.test(text[run.at[end - 1] as number] as string)) &&
    drop(end - 1, text[(run.at[end - 1] as number) + 1] ?? '')
  )
    end--
  if (end - start < shortestRun) return
  runs.push({
    values: run.values.slice(start, end),
    at: run.at.slice(start, end),
    gaps: run.gaps.slice(start, end).map((gap, i) => (i === 0 ? 0 : gap)),
    weak: run.weak.slice(start, end),
  })
}

/** Fewer digits are no number of anybody's. */
const shortestRun = 5

/** Does this sign of the shadow stand for a digit, or may it between others? */
export const mayBeDigit = (sign: string): boolean => digits[sign] !== undefined || alike[sign] !== undefined

function digitAt(text: string, i: number, withAlike: boolean): string | undefined {
  const sign = text[i] as string
  return digits[sign] ?? (withAlike ? alike[sign] : undefined)
}

function gapBetween(text: string, from: number, to: number): Gap | undefined {
  if (from === to) return 0
  if (to - from > longestGap) return undefined
  let gap: Gap = 1
  for (let i = from; i < to; ) {
    const sign = text[i] as string
    if (light.has(sign)) i++
    else if (heavy.has(sign)) {
      gap = 2
      i++
    } else {
      const filler = fillers.find((word) => text.startsWith(word, i) && i + word.length <= to)
      if (!filler) return undefined
      gap = 2
      i += filler.length
    }
  }
  return gap
}

/** A number as somebody may have meant it: whole groups of a run. */
export interface Cut {
  digits: string
  /** In the shadow; `end` is behind the last digit. */
  start: number
  end: number
  /** How it stands out: what is inside is lighter than what is around. */
  inside: number
  before: number
  after: number
  /** Places of the run, for what follows it. */
  first: number
  last: number
  weak: number
  groups: number[]
}

const longestCut = 15

/** Every cut of up to fifteen digits that stands out from its neighbours. Linear: each group looks ahead a bounded way. */
export function cutsOf(run: Run, shortest = 5): Cut[] {
  const starts: number[] = []
  for (let i = 0; i < run.values.length; i++) if (i === 0 || (run.gaps[i] as number) > 0) starts.push(i)
  starts.push(run.values.length)
  const cuts: Cut[] = []
  for (let a = 0; a < starts.length - 1; a++) {
    const first = starts[a] as number
    const before = first === 0 ? wall : (run.gaps[first] as number)
    let inside = 0
    const groups: number[] = []
    for (let b = a + 1; b < starts.length; b++) {
      const end = starts[b] as number
      if (end - first > longestCut) break
      const group = starts[b - 1] as number
      if (group > first) inside = Math.max(inside, run.gaps[group] as number)
      groups.push(end - group)
      if (end - first < shortest) continue
      const after = end === run.values.length ? wall : (run.gaps[end] as number)
      const standsOut = inside === 0 ? before > 0 && after > 0 : inside < before && inside < after
      if (!standsOut) continue
      cuts.push(cutAt(run, first, end, inside, before, after, [...groups]))
    }
  }
  return cuts
}

/** `020-23456789-12`, `027-8765 4321-302`: a landline with its extension, all behind equal separators. */
export function withExtension(run: Run): Cut | undefined {
  const ends = run.gaps.flatMap((gap, i) => (gap > 0 ? [i] : []))
  const [area, middle] = ends
  const rest = ends.at(-1)
  if (run.values[0] !== '0' || area === undefined || middle === undefined || rest === undefined || ends.length > 3 || run.values.length - rest > 5)
    return undefined
  if (ends.length === 3 && rest - middle !== 4) return undefined
  return cutAt(run, 0, rest, 1, wall, 1, ends.length === 3 ? [area, middle - area, rest - middle] : [area, rest - area])
}

/** Several numbers of eleven digits in one breath: `138 0013 8000 139 0013 9000`. */
export function elevens(run: Run): Cut[] {
  if (run.values.length % 11 !== 0 || run.values.length < 22 || run.values.length > 55) return []
  const cuts: Cut[] = []
  for (let i = 0; i < run.values.length; i += 11) {
    if (!/^1[3-9]/.test(run.values.slice(i, i + 2)) || (i > 0 && run.gaps[i] === 0)) return []
    cuts.push(cutAt(run, i, i + 11, 1, 1, 1, []))
  }
  return cuts
}

const whole = /^(?:(?:(?:00)?86)?1[3-9]\d{9}|0(?:10|2\d)[2-8]\d{7}|0[3-9]\d\d[2-8]\d{6,7})$/
const local = /^[2-8]\d{6,7}$/

/** `13800138000/0571-88886666`: whole numbers with a stroke between them, each by itself. One without its area may follow. */
export function slashed({ text }: Shadow, run: Run): Cut[] {
  const ends = run.gaps.flatMap((gap, i) => (gap > 0 && /[/|\\]/.test(text.slice((run.at[i - 1] as number) + 1, run.at[i])) ? [i] : []))
  if (ends.length === 0) return []
  const cuts = [0, ...ends].map((from, k) => cutAt(run, from, ends[k] ?? run.values.length, Math.max(0, ...run.gaps.slice(from + 1, ends[k])), wall, wall, []))
  return cuts.every(({ digits }, k) => whole.test(digits) || (k > 0 && local.test(digits))) ? cuts.filter(({ digits }) => whole.test(digits)) : []
}

/** Spoken as over the radio, and nothing but that: 腰三八洞洞… */
export const isSpoken = (raw: string): boolean =>
  /[洞动腰妖幺吆拐勾]/.test(raw) && /^[洞动腰妖幺么吆拐勾两零一二三四五六七八九壹贰叁肆伍陆柒捌玖\d\s-]+$/.test(raw)

function cutAt(run: Run, first: number, end: number, inside: number, before: number, after: number, groups: number[]): Cut {
  return {
    digits: run.values.slice(first, end),
    start: run.at[first] as number,
    end: (run.at[end - 1] as number) + 1,
    inside,
    before,
    after,
    first,
    last: end - 1,
    weak: run.weak.slice(first, end).filter(Boolean).length,
    groups,
  }
}
