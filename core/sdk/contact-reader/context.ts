/** Where which words stand: found once, asked by every rule. The nearest word decides. */
import type { Shadow } from './shadow.ts'
import { spoilers, type Topic, words } from './tables.ts'

export interface Hit {
  topic: Topic
  word: string
  /** In the shadow. */
  start: number
  end: number
}

const letter = /[a-z]/
const between = /[\s.\-_·*~'"`/|\\]/

/** Words by their first sign, longest first: a place takes the longest that fits. */
export type WordIndex = ReadonlyMap<string, readonly { word: string; topic: Topic }[]>

export function indexWords(): WordIndex {
  const index = new Map<string, { word: string; topic: Topic }[]>()
  for (const [topic, list] of Object.entries(words) as [Topic, string[]][])
    for (const word of list.map((one) => one.toLowerCase())) {
      const first = word[0] as string
      index.set(first, [...(index.get(first) ?? []), { word, topic }])
    }
  for (const list of index.values()) list.sort((a, b) => b.word.length - a.word.length)
  return index
}

/** Separators between a word's signs that are still that word. */
const looseness = 2

export function findWords({ low }: Shadow, index: WordIndex): Hit[] {
  const hits: Hit[] = []
  for (let i = 0; i < low.length; i++) {
    const list = index.get(low[i] as string)
    if (!list) continue
    for (const { word, topic } of list) {
      const end = wordEnd(low, i, word)
      if (end === undefined) continue
      // Half of another word is none: `love` holds no `v`.
      if (letter.test(low[i] as string) && i > 0 && letter.test(low[i - 1] as string)) continue
      const last = low[end - 1] as string
      if (letter.test(last) && letter.test(low[end] ?? '') && (word.length < 2 || !/^[a-z0-9_-]{5,}/.test(low.slice(end, end + 20)))) continue
      if (spoilers[topic]?.some((spoiler) => low.startsWith(spoiler, skip(low, end)))) {
        hits.push({ topic: 'not', word, start: i, end })
        break
      }
      hits.push({ topic, word, start: i, end })
      break
    }
  }
  return hits
}

const skip = (low: string, at: number): number => (low[at] === ' ' ? at + 1 : at)

function wordEnd(low: string, at: number, word: string): number | undefined {
  let i = at
  for (let k = 0; k < word.length; k++) {
    if (k > 0) for (let gap = 0; gap < looseness && low[i] !== word[k] && between.test(low[i] ?? ''); gap++) i++
    if (low[i] !== word[k]) return undefined
    i++
  }
  return i
}

/** Hits sorted by place, for the nearest before and after. */
export class Words {
  readonly #hits: readonly Hit[]
  readonly #low: string
  constructor(low: string, hits: readonly Hit[]) {
    this.#low = low
    this.#hits = hits
  }

  /** Those that end at or before `at`, nearest first, no further than `reach` signs. */
  before(at: number, reach: number): Hit[] {
    const found: Hit[] = []
    for (let i = this.#firstFrom(at) - 1; i >= 0; i--) {
      const hit = this.#hits[i] as Hit
      if (at - hit.start > reach + 12) break
      // A word inside a longer one that was taken is no word of its own.
      if (hit.end <= at && at - hit.end <= reach && !this.#inside(i)) found.push(hit)
    }
    return found
  }

  after(at: number, reach: number): Hit[] {
    return this.#from(at).filter((hit) => hit.start - at <= reach)
  }

  #from(at: number): Hit[] {
    const first = this.#firstFrom(at)
    return this.#hits.slice(first, first + 8).filter((_, k) => !this.#inside(first + k))
  }

  /** The number of the first hit that starts at or behind `at`. */
  #firstFrom(at: number): number {
    let high = this.#hits.length
    let low = 0
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#hits[middle] as Hit).start < at) low = middle + 1
      else high = middle
    }
    return low
  }

  #inside(i: number): boolean {
    const hit = this.#hits[i] as Hit
    for (let k = i - 1; k >= Math.max(0, i - 6); k--) {
      const other = this.#hits[k] as Hit
      if (other.start < hit.start && other.end >= hit.end) return true
    }
    return false
  }

  text(from: number, to: number): string {
    return this.#low.slice(Math.max(0, from), to)
  }
}
