/** What a keyword means: letters' case and width fold, words stand anywhere in one message, or the very text does. */
import type { RecordHit } from '../../../../sdk/wire/record.ts'

export interface Keyword {
  exact: boolean
  /** The words, folded; of an exact search the very text, as it was typed. */
  words: string[]
}

/** Undefined where there is nothing to look for. */
export function keywordOf(typed: string | undefined, match: 'fuzzy' | 'exact' | undefined): Keyword | undefined {
  const text = typed?.trim() ?? ''
  if (text === '') return undefined
  return match === 'exact' ? { exact: true, words: [text] } : { exact: false, words: [...new Set(fold(text).split(/\s+/).filter(Boolean))] }
}

const foldedUnits: (string | undefined)[] = []
const foldUnit = (unit: string): string => unit.normalize('NFKC').toLowerCase()

/**
 * Each character by itself to its compatible small form (ＡＢ → ab, ㈱ → (株)): what is part of a text stays part of it
 * when both are folded, and every place in the folded text has one in the text.
 */
export function fold(text: string): string {
  let folded = ''
  for (const unit of text) {
    const code = unit.codePointAt(0) as number
    folded += code > 0xffff ? foldUnit(unit) : (foldedUnits[code] ??= foldUnit(unit))
  }
  return folded
}

export function matches({ exact, words }: Keyword, text: string): boolean {
  if (exact) return text.includes(words[0] as string)
  const folded = fold(text)
  return words.every((word) => folded.includes(word))
}

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
export function snippetOf({ exact, words }: Keyword, text: string): Pick<RecordHit, 'snippet' | 'marks'> {
  const hits = exact ? placesOf(text, words[0] as string) : foldedPlaces(text, words)
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
    marks: merged(hits.filter(([start, end]) => start >= from && end <= to).map(([start, end]) => [start + shift, end + shift])),
  }
}

const isLow = (text: string, at: number): boolean => at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00

function placesOf(text: string, word: string): [number, number][] {
  const places: [number, number][] = []
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) places.push([at, at + word.length])
  return places
}

function foldedPlaces(text: string, words: readonly string[]): [number, number][] {
  let folded = ''
  /** For each place in the folded text, where its character begins and ends in the text. */
  const starts: number[] = []
  const ends: number[] = []
  let at = 0
  for (const unit of text) {
    const piece = fold(unit)
    for (let i = 0; i < piece.length; i++) {
      starts.push(at)
      ends.push(at + unit.length)
    }
    folded += piece
    at += unit.length
  }
  return words
    .flatMap((word) => placesOf(folded, word))
    .map(([start, end]): [number, number] => [starts[start] as number, ends[end - 1] as number])
    .sort(([a], [b]) => a - b)
}

function merged(hits: readonly [number, number][]): [number, number][] {
  const result: [number, number][] = []
  for (const [start, end] of hits) {
    const last = result.at(-1)
    if (last && start <= last[1]) last[1] = Math.max(last[1], end)
    else result.push([start, end])
  }
  return result
}
