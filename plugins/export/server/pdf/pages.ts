/**
 * Conversations are set on pages of A4, one below the other: a heading with what is known of each, then what was said.
 * A page is given away when it is full; nothing of it is kept.
 */

import type { Frame, PageMeta } from './frames.ts'
import type { Picture } from './pictures.ts'
import type { Font } from './truetype.ts'
import { type Line, Typeface } from './typeface.ts'

/** In points, 72 to the inch. */
export const paper = { width: 595.28, height: 841.89, side: 48, top: 50, bottom: 54 }
const measure = paper.width - 2 * paper.side
const size = { title: 12.5, fact: 8.5, author: 9, text: 9.5, small: 7.5 }
const leading = (points: number): number => points * 1.5
const indent = 10
const picture = { width: 260, height: 220 }

type Colour = readonly [number, number, number]
const ink: Colour = [0.11, 0.12, 0.14]
const muted: Colour = [0.42, 0.44, 0.48]
const linked: Colour = [0.1, 0.36, 0.75]
const tint: Colour = [0.945, 0.95, 0.96]
const bars: Record<'in' | 'out' | 'note', Colour> = { in: [0.62, 0.65, 0.69], out: [0.18, 0.44, 0.82], note: [0.86, 0.6, 0.12] }

export interface Heading {
  title: string
  url: string
  facts: readonly { label: string; value: string }[]
}
export interface Said {
  kind: 'in' | 'out' | 'note'
  author: string
  /** Behind the author: the time, that it is a note. */
  detail: string
  text: string
  pictures: readonly Picture[]
  /** What is named instead of shown. */
  files: readonly { text: string; url: string }[]
}

/** A line of a heading: a page may end behind it. */
interface Band {
  height: number
  draw(top: number): void
}
const heightOf = (bands: readonly Band[]): number => bands.reduce((sum, band) => sum + band.height, 0)
/** Above and below what stands in a heading. */
const edges = 14

const n = (value: number): string => String(Math.round(value * 100) / 100)
const rgb = (colour: Colour): string => colour.map(n).join(' ')

export class Pages {
  readonly type: Typeface
  #commands: string[] = []
  #meta: PageMeta = { pictures: [], links: [], marks: [] }
  #y = paper.height - paper.top
  #pictures = 0
  #ready: Frame[] = []

  constructor(fonts: readonly Font[]) {
    this.type = new Typeface(fonts)
  }

  heading({ title, url, facts }: Heading): void {
    const inner = measure - 20
    const gap = 16
    const column = (inner - gap) / 2
    const cells = facts
      .filter(({ value }) => value !== '')
      .map(({ label, value }) => {
        const name = this.type.fitting(label, (110 / size.fact) * 1_000)
        const at = widthOf(name, size.fact) + 8
        const short = this.type.line(value)
        const half = widthOf(short, size.fact) <= column - at
        return { name, at, half, lines: half ? [short] : this.type.lines(value, ((inner - at) / size.fact) * 1_000) }
      })
    const rows: (typeof cells)[] = []
    for (const cell of cells) {
      const last = rows.at(-1)
      if (cell.half && last?.length === 1 && last[0]?.half) last.push(cell)
      else rows.push([cell])
    }
    const names = this.type.lines(title, (inner / size.title) * 1_000)
    const bands: Band[] = []
    for (const name of names.length > 0 ? names : [this.type.line(' ')])
      bands.push({
        height: leading(size.title),
        draw: (top) => {
          const [x, y] = [paper.side + 10, top - size.title]
          this.#text(name, x, y, size.title, ink, true)
          if (url) this.#link(x, y - 2, widthOf(name, size.title), size.title + 4, url)
        },
      })
    for (const row of rows)
      for (let k = 0; k < (row[0]?.lines.length ?? 0); k++)
        bands.push({
          height: leading(size.fact),
          draw: (top) => {
            for (const [i, cell] of row.entries()) {
              const [x, y] = [paper.side + 10 + i * (column + gap), top - size.fact]
              if (k === 0) this.#text(cell.name, x, y, size.fact, muted)
              this.#text(cell.lines[k] as Line, x + cell.at, y, size.fact, ink)
            }
          },
        })
    // With the first words below it.
    this.#need(heightOf(bands) + edges + 60, 14)
    this.#meta.marks.push({ title: title.slice(0, 120), y: Math.round(this.#y + 4) })
    while (bands.length > 0) {
      const room = this.#y - paper.bottom - edges
      let fits = 1
      while (fits < bands.length && heightOf(bands.slice(0, fits + 1)) <= room) fits++
      this.#tinted(bands.splice(0, fits))
      if (bands.length > 0) this.#turn()
    }
    this.#y -= 10
  }

  /** What stands on this page of a heading, on its ground. */
  #tinted(bands: readonly Band[]): void {
    const height = heightOf(bands) + edges
    this.#fill(paper.side, this.#y - height, measure, height, tint)
    let top = this.#y - 8
    for (const band of bands) {
      band.draw(top)
      top -= band.height
    }
    this.#y -= height
  }

  said({ kind, author, detail, text, pictures, files }: Said): void {
    const x = paper.side + indent
    const width = measure - indent
    this.#need(leading(size.author) + leading(size.text), 0)
    let barFrom = this.#y
    const bar = (): void => this.#fill(paper.side, this.#y, 2, barFrom - this.#y, bars[kind])
    /** Makes room; the bar ends on this page and goes on on the next. */
    const room = (height: number): void => {
      if (this.#y - height >= paper.bottom) return
      bar()
      this.#turn()
      barFrom = this.#y
    }
    const name = this.type.fitting(author, ((width * 0.6) / size.author) * 1_000)
    this.#y -= leading(size.author)
    this.#text(name, x, this.#y + 4, size.author, ink, true)
    this.#text(this.type.line(detail), x + widthOf(name, size.author) + 8, this.#y + 4, size.small, muted)
    for (const line of this.type.lines(text, (width / size.text) * 1_000)) {
      room(leading(size.text))
      this.#y -= leading(size.text)
      this.#text(line, x, this.#y + 4, size.text, ink)
    }
    for (const one of pictures) {
      const scale = Math.min(picture.width / one.width, picture.height / one.height, 0.75)
      const [w, h] = [one.width * scale, one.height * scale]
      room(h + 6)
      this.#y -= h + 4
      const called = `I${this.#pictures++}`
      this.#ready.push({ kind: 'picture', meta: { name: called, width: one.width, height: one.height, grey: one.grey }, body: one.jpeg })
      this.#meta.pictures.push(called)
      this.#commands.push(`q ${n(w)} 0 0 ${n(h)} ${n(x)} ${n(this.#y)} cm /${called} Do Q`)
      this.#y -= 2
    }
    for (const file of files)
      for (const line of this.type.lines(file.text, (width / size.fact) * 1_000)) {
        room(leading(size.fact))
        this.#y -= leading(size.fact)
        this.#text(line, x, this.#y + 3, size.fact, file.url ? linked : muted)
        if (file.url) this.#link(x, this.#y, widthOf(line, size.fact), size.fact + 4, file.url)
      }
    bar()
    this.#y -= 7
  }

  /** What is full so far. */
  *full(): Generator<Frame> {
    yield* this.#ready.splice(0)
  }

  /** The last page too, and what was used. */
  *end(): Generator<Frame> {
    if (this.#commands.length > 0) this.#turn()
    yield* this.full()
    yield { kind: 'used', meta: this.type.used.map((used) => [...used]), body: Buffer.alloc(0) }
  }

  /** @param gap above it, where it is not the first of the page */
  #need(height: number, gap: number): void {
    const atTop = this.#y >= paper.height - paper.top
    if (!atTop && this.#y - gap - height < paper.bottom) this.#turn()
    else if (!atTop) this.#y -= gap
  }

  #turn(): void {
    this.#ready.push({ kind: 'page', meta: this.#meta, body: Buffer.from(this.#commands.join('\n'), 'latin1') })
    this.#meta = { pictures: [], links: [], marks: [] }
    this.#commands = []
    this.#y = paper.height - paper.top
  }

  #text(line: Line, x: number, y: number, points: number, colour: Colour, bold = false): void {
    if (line.stretches.length > 0) this.#commands.push(textAt(line, x, y, points, colour, bold))
  }

  #fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    if (height > 0) this.#commands.push(`${rgb(colour)} rg ${n(x)} ${n(y)} ${n(width)} ${n(height)} re f`)
  }

  #link(x: number, y: number, width: number, height: number, url: string): void {
    this.#meta.links.push({ box: [x, y, x + width, y + height].map(Math.round) as [number, number, number, number], url })
  }
}

export const widthOf = (line: Line, points: number): number => (line.width * points) / 1_000

/** Bold is drawn with an edge: a second font would be ten megabytes for names alone. */
export function textAt({ stretches }: Line, x: number, y: number, points: number, colour: Colour = muted, bold = false): string {
  const shown = stretches.map(({ face, hex }) => `/F${face} ${n(points)} Tf <${hex}> Tj`).join(' ')
  const weight = bold ? [`${rgb(colour)} RG ${n(points / 36)} w 2 Tr`, ' 0 Tr'] : ['', '']
  return `BT ${rgb(colour)} rg ${weight[0]} 1 0 0 1 ${n(x)} ${n(y)} Tm ${shown}${weight[1]} ET`
}
