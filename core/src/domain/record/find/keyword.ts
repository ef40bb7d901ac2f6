/** What of a keyword the index of words knows, and what a hit is shown with. */
import { fold, type Keyword, placesOf } from '../../../../sdk/keyword.ts'
import type { RecordHit } from '../../../../sdk/wire/record.ts'

/** Pairs of neighbours of a folded text, and single characters, each as one number: a pair is `first * 2^21 + second`. */
export const pair = (first: number, second: number): number => first * 0x200000 + second
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13) || code === 0x2028 || code === 0x2029 || code === 0xfeff

/** Calls `each` for every gram of a text, repeats included. Blanks separate words and are in none. */
export function eachGram(text: string, each: (gram: number) => void): void {
  let before = -1
  const folded = fold(text)
  for (let i = 0; i < folded.length; i++) {
    const code = folded.codePointAt(i) as number
    if (code > 0xffff) i++
    if (isSpace(code)) {
      before = -1
      continue
    }
    each(code)
    if (before >= 0) each(pair(before, code))
    before = code
  }
}

const star = 42

/**
 * Grams that a message must have to match: the pairs of each word, the character of a word of one. A star may stand for
 * what the reader sees masked, so it says nothing of the message.
 */
export function gramsOf({ words }: Keyword): number[] {
  const grams = new Set<number>()
  for (const word of words.flatMap((text) => fold(text).split(/[\s\ufeff]+/))) {
    const codes = [...word].map((unit) => unit.codePointAt(0) as number)
    if (codes.length === 1 && codes[0] !== star) grams.add(codes[0] as number)
    for (let i = 1; i < codes.length; i++) {
      const [first, second] = [codes[i - 1] as number, codes[i] as number]
      if (first !== star && second !== star) grams.add(pair(first, second))
      else if (first !== star || second !== star) grams.add(first !== star ? first : second)
    }
  }
  return [...grams]
}

const around = 40
const longest = 160

/** The words around the first hit and where the hits lie in them. */
export function snippetOf(keyword: Keyword, text: string): Pick<RecordHit, 'snippet' | 'marks'> {
  const hits = placesOf(keyword, text)
  const first = hits[0]?.[0] ?? 0
  let from = Math.max(0, first - around)
  let to = Math.min(text.length, Math.max(from + longest, hits[0]?.[1] ?? 0))
  // Never through the middle of a character.
  if (isLow(text, from)) from--
  if (isLow(text, to)) to++
  const [before, after] = [from > 0 ? '…' : '', to < text.length ? '…' : '']
  const shift = before.length - from
  return {
    snippet: before + text.slice(from, to).replace(/\s/g, ' ') + after,
    marks: hits.filter(([start, end]) => start >= from && end <= to).map(([start, end]) => [start + shift, end + shift]),
  }
}

const isLow = (text: string, at: number): boolean => at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00
