/** What a keyword means, for the server that looks for it and the page that marks it: letters' case and width fold, words stand anywhere in one message, or the very text does. */

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

/** Where a text holds what is looked for: UTF-16 offsets `[from, to]`, in order, none over another. */
export function placesOf({ exact, words }: Keyword, text: string): [number, number][] {
  return merged(exact ? wordPlaces(text, words[0] as string) : foldedPlaces(text, words))
}

function wordPlaces(text: string, word: string): [number, number][] {
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
    .flatMap((word) => wordPlaces(folded, word))
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
