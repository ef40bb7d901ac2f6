/**
 * Text becomes lines of glyphs. What a customer writes may hold anything: a character that no font here has is shown as
 * an empty square, what has no shape (marks of direction, joiners, selectors, the colour of a hand) is left out.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Font, readFont } from './truetype.ts'

/** A stretch of glyphs of one font, as the hex digits of a PDF string. */
export interface Stretch {
  face: number
  hex: string
}
export interface Line {
  stretches: Stretch[]
  /** In thousandths of the size. */
  width: number
}

const square = 0x25a1

/** Both under the SIL Open Font License: every character of GBK, Latin, Greek, Cyrillic, kana; emoji in one colour. */
const sources = [
  ['NotoSansSC-Regular', import.meta.resolve('@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf')],
  ['NotoEmoji-Regular', import.meta.resolve('@expo-google-fonts/noto-emoji/400Regular/NotoEmoji_400Regular.ttf')],
] as const

export async function loadFonts(): Promise<Font[]> {
  return Promise.all(sources.map(async ([name, url]) => readFont(name, await readFile(fileURLToPath(url)))))
}

/** Remembers which characters were set, and which glyph of which font each has. */
export class Typeface {
  readonly #fonts: readonly Font[]
  /** Per font: glyph → the character it was first used for. */
  readonly used: Map<number, number>[]
  readonly #known = new Map<number, Shape>()

  constructor(fonts: readonly Font[]) {
    this.#fonts = fonts
    this.used = fonts.map(() => new Map())
  }

  /** A line that is not broken. */
  line(text: string): Line {
    return this.#lineOf(this.#shapes(text.replace(/\s+/g, ' ')))
  }

  /**
   * Breaks a text where it may be broken: at spaces, and between Chinese characters except before closing and after
   * opening punctuation (GB/T 15834). A word that is wider than the line is broken anywhere.
   * @param width in thousandths of the size
   */
  lines(text: string, width: number): Line[] {
    const lines: Line[] = []
    let empty = 0
    for (const paragraph of text.split(/\r\n|[\n\r\u0085\u2028\u2029]/)) {
      const shapes = this.#shapes(paragraph.replaceAll('\t', '    '))
      const broken = breakLines(shapes, width).map((one) => this.#lineOf(one))
      empty = broken.length === 0 ? empty + 1 : 0
      // Letters have dozens of empty lines.
      if (broken.length > 0) lines.push(...broken)
      else if (empty === 1 && lines.length > 0) lines.push({ stretches: [], width: 0 })
    }
    while (lines.at(-1)?.stretches.length === 0) lines.pop()
    return lines
  }

  /** The whole text, or as much as fits and an ellipsis. */
  fitting(text: string, width: number): Line {
    const line = this.line(text)
    if (line.width <= width) return line
    const shapes = this.#shapes(text.replace(/\s+/g, ' '))
    const [ellipsis] = this.#shapes('…')
    let total = ellipsis?.width ?? 0
    let fits = 0
    for (const shape of shapes) {
      total += shape.width
      if (total > width) break
      fits++
    }
    return this.#lineOf([...shapes.slice(0, fits), ...(ellipsis ? [ellipsis] : [])])
  }

  #shapes(text: string): Shape[] {
    const shapes: Shape[] = []
    for (const sign of text.normalize('NFC')) {
      const c = sign.codePointAt(0) as number
      if (shapeless(c)) continue
      shapes.push(this.#shape(c))
    }
    return shapes
  }

  #shape(c: number): Shape {
    let shape = this.#known.get(c)
    if (!shape) this.#known.set(c, (shape = this.#find(c)))
    return shape
  }

  #find(c: number): Shape {
    for (const [face, font] of this.#fonts.entries()) {
      const glyph = font.glyph(c)
      if (glyph === 0) continue
      const used = this.used[face] as Map<number, number>
      if (!used.has(glyph)) used.set(glyph, c)
      return { c, face, hex: glyph.toString(16).padStart(4, '0'), width: font.width(glyph) }
    }
    // A letter without its accent is still read.
    const plain = String.fromCodePoint(c).normalize('NFKD').codePointAt(0) as number
    return { ...this.#shape(plain === c || c === square ? square : plain), c }
  }

  #lineOf(shapes: readonly Shape[]): Line {
    const stretches: Stretch[] = []
    let [width, face, hex] = [0, -1, '']
    for (const shape of shapes) {
      if (shape.face !== face) {
        if (hex) stretches.push({ face, hex })
        face = shape.face
        hex = ''
      }
      hex += shape.hex
      width += shape.width
    }
    if (hex) stretches.push({ face, hex })
    return { stretches, width }
  }
}

interface Shape {
  c: number
  face: number
  hex: string
  width: number
}

function shapeless(c: number): boolean {
  if (c < 0x20) return true
  if (c < 0x7f) return false
  return (
    c <= 0x9f ||
    c === 0xad ||
    (c >= 0x200b && c <= 0x200f) ||
    (c >= 0x202a && c <= 0x202e) ||
    (c >= 0x2060 && c <= 0x206f) ||
    (c >= 0xfe00 && c <= 0xfe0f) ||
    c === 0xfeff ||
    c === 0x20e3 ||
    (c >= 0x1_f3fb && c <= 0x1_f3ff) ||
    (c >= 0xe_0000 && c <= 0xe_0fff)
  )
}

const signs = (text: string): ReadonlySet<number> => new Set([...text].map((sign) => sign.codePointAt(0) as number))
const neverFirst = signs('，。、；：？！）》」』】〕〉”’…—～·％‰℃!),.:;?]}%')
const neverLast = signs('（《「『【〔〈“‘￥＄([{$¥')
/** Written without spaces: a line may end behind each. */
const wide = (c: number): boolean => c >= 0x2e80 && (c < 0xac00 || c > 0xd7a3)
const space = 0x20

const mayPart = (before: number, after: number): boolean => {
  if (before === space) return after !== space
  if (neverFirst.has(after) || neverLast.has(before)) return false
  return wide(before) || wide(after)
}

function breakLines(shapes: readonly Shape[], width: number): Shape[][] {
  const lines: Shape[][] = []
  let [begin, part, x] = [0, 0, 0]
  const push = (end: number): void => {
    let last = end
    while (last > begin && shapes[last - 1]?.c === space) last--
    if (last > begin || lines.length > 0) lines.push(shapes.slice(begin, last))
  }
  for (let i = 0; i < shapes.length; i++) {
    const { c, width: own } = shapes[i] as Shape
    if (i > begin && mayPart((shapes[i - 1] as Shape).c, c)) part = i
    // A space that is too much hangs over the edge.
    if (x + own > width && i > begin && c !== space) {
      const cut = part > begin ? part : i
      push(cut)
      begin = cut
      part = cut
      x = 0
      for (let k = begin; k < i; k++) x += (shapes[k] as Shape).width
    }
    x += own
  }
  if (begin < shapes.length) push(shapes.length)
  return lines
}
