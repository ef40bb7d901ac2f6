/**
 * Pages become a PDF (ISO 32000-1), object after object as they are read: only where each object stands is remembered.
 * The fonts come last, when it is known which characters were used.
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflate, deflateSync } from 'node:zlib'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { Frame, PageMeta } from './frames.ts'
import { paper, textAt, widthOf } from './pages.ts'
import type { Font } from './truetype.ts'
import { Typeface } from './typeface.ts'

const compressed = promisify(deflate) as (bytes: Buffer) => Promise<Buffer>

export interface About {
  title: string
  /** Who exported, and when on their clock: on every page. */
  watermark: string
  author: string
  language: 'zh' | 'en'
  at: Date
  /** Makes the file's identity. */
  id: string
  /** How many there are, known before the first is read. */
  pages: number
  /** On a page of its own when there is none. */
  nothing: string
}

/** The table of objects has ten digits for each place. */
const mostBytes = 9_999_999_999
/** Pages in a node of their tree. */
const branch = 64
/** Objects of a font. */
const perFont = 5

// Objects that others name before they are written.
const catalogue = 1
const tree = 2
const contents = 3
const facts = 4
const mark = 5
const fontList = 6
const resources = 7
const faint = 8
const firstFont = 9

export async function* pdfDocument(fonts: readonly Font[], about: About, frames: AsyncIterable<Frame>): AsyncGenerator<Buffer> {
  const places: number[] = []
  let at = 0
  let last = firstFont + perFont * fonts.length - 1
  const out = (bytes: Buffer): Buffer => {
    at += bytes.length
    if (at > mostBytes)
      throw new HubError('EXPORT_TOO_LARGE', 'A PDF may have ten gigabytes at most', { max: mostBytes }, { status: 422, reader: 'user', retry: false })
    return bytes
  }
  const object = (number: number, body: string): Buffer => {
    places[number] = at
    return out(Buffer.from(`${number} 0 obj\n${body}\nendobj\n`, 'latin1'))
  }
  const stream = (number: number, entries: string, bytes: Buffer): Buffer => {
    places[number] = at
    return out(
      Buffer.concat([
        Buffer.from(`${number} 0 obj\n<< ${entries} /Length ${bytes.length} >>\nstream\n`, 'latin1'),
        bytes,
        Buffer.from('\nendstream\nendobj\n', 'latin1'),
      ]),
    )
  }
  const deflated = async (number: number, entries: string, bytes: Buffer): Promise<Buffer> =>
    stream(number, `${entries} /Filter /FlateDecode`, await compressed(bytes))

  yield out(Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'))

  const type = new Typeface(fonts)
  const used = fonts.map(() => new Map<number, number>())
  const pictures = new Map<string, number>()
  const marks: { title: string; page: number; y: number }[] = []
  const branches: { number: number; pages: number[] }[] = []
  const total = Math.max(1, about.pages)
  let pages = 0

  async function* page(meta: PageMeta, body: Buffer): AsyncGenerator<Buffer> {
    if (pages % branch === 0) branches.push({ number: ++last, pages: [] })
    const parent = branches.at(-1) as (typeof branches)[number]
    const [text, foot, number] = [++last, ++last, ++last]
    parent.pages.push(number)
    pages++
    const shown = type.line(`${pages} / ${total}`)
    // Ten kilobytes: quicker than another thread would begin, and nothing is left in the memory of threads.
    yield stream(text, '/Filter /FlateDecode', deflateSync(body))
    yield stream(foot, '', Buffer.from(`/W Do\n${textAt(shown, paper.width - paper.side - widthOf(shown, 8), 28, 8)}`, 'latin1'))
    const own = meta.pictures.map((name) => `/${name} ${pictures.get(name)} 0 R`).join(' ')
    const links = meta.links.map(
      ({ box, url }) => `<< /Type /Annot /Subtype /Link /Rect [${box.join(' ')}] /Border [0 0 0] /A << /S /URI /URI ${literal(url)} >> >>`,
    )
    yield object(
      number,
      `<< /Type /Page /Parent ${parent.number} 0 R /MediaBox [0 0 ${paper.width} ${paper.height}] /Contents [${text} 0 R ${foot} 0 R] /Resources ${own ? `<< /Font ${fontList} 0 R /XObject << /W ${mark} 0 R ${own} >> >>` : `${resources} 0 R`}${links.length > 0 ? ` /Annots [${links.join(' ')}]` : ''} >>`,
    )
    for (const { title, y } of meta.marks) marks.push({ title, page: number, y })
  }

  for await (const frame of frames) {
    if (frame.kind === 'page') yield* page(frame.meta, frame.body)
    else if (frame.kind === 'picture') {
      const { name, width, height, grey } = frame.meta
      pictures.set(name, ++last)
      yield stream(
        last,
        `/Type /XObject /Subtype /Image /Width ${width} /Height ${height} /ColorSpace /Device${grey ? 'Gray' : 'RGB'} /BitsPerComponent 8 /Filter /DCTDecode`,
        frame.body,
      )
    } else {
      // The last of a part: its names of pictures end with it.
      for (const [face, pairs] of frame.meta.entries()) for (const [glyph, character] of pairs) used[face]?.set(glyph, character)
      pictures.clear()
    }
  }
  if (pages === 0)
    yield* page({ pictures: [], links: [], marks: [] }, Buffer.from(textAt(type.line(about.nothing), paper.side, paper.height - paper.top - 20, 11), 'latin1'))

  yield await deflated(
    mark,
    `/Type /XObject /Subtype /Form /BBox [0 0 ${paper.width} ${paper.height}] /Resources << /Font ${fontList} 0 R /ExtGState << /G ${faint} 0 R >> >>`,
    watermark(type, about),
  )
  yield object(faint, '<< /Type /ExtGState /ca 0.13 /CA 0.13 >>')
  for (const [face, glyphs] of type.used.entries()) for (const [glyph, character] of glyphs) used[face]?.set(glyph, character)

  const written: string[] = []
  for (const [face, font] of fonts.entries()) {
    const glyphs = used[face] as Map<number, number>
    if (glyphs.size === 0) continue
    const number = firstFont + perFont * face
    written.push(`/F${face} ${number} 0 R`)
    const name = `${tagOf(glyphs)}+${font.name}`
    yield object(
      number,
      `<< /Type /Font /Subtype /Type0 /BaseFont /${name} /Encoding /Identity-H /DescendantFonts [${number + 1} 0 R] /ToUnicode ${number + 4} 0 R >>`,
    )
    yield object(
      number + 1,
      `<< /Type /Font /Subtype /CIDFontType2 /BaseFont /${name} /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor ${number + 2} 0 R /DW 1000 /W [${widths(font, glyphs)}] /CIDToGIDMap /Identity >>`,
    )
    yield object(
      number + 2,
      `<< /Type /FontDescriptor /FontName /${name} /Flags 4 /FontBBox [${font.box.join(' ')}] /ItalicAngle 0 /Ascent ${font.ascent} /Descent ${font.descent} /CapHeight 733 /StemV 80 /FontFile2 ${number + 3} 0 R >>`,
    )
    const subset = font.subset(glyphs.keys())
    yield await deflated(number + 3, `/Length1 ${subset.length}`, subset)
    yield await deflated(number + 4, '', toUnicode(glyphs))
  }
  yield object(fontList, `<< ${written.join(' ')} >>`)
  yield object(resources, `<< /Font ${fontList} 0 R /XObject << /W ${mark} 0 R >> >>`)
  for (const one of branches) yield object(one.number, `<< /Type /Pages /Parent ${tree} 0 R /Count ${one.pages.length} /Kids [${references(one.pages)}] >>`)
  yield object(tree, `<< /Type /Pages /Count ${pages} /Kids [${references(branches.map(({ number }) => number))}] >>`)

  const firstMark = last + 1
  for (const [i, { title, page: on, y }] of marks.entries()) {
    const [before, after] = [i > 0 ? ` /Prev ${firstMark + i - 1} 0 R` : '', i + 1 < marks.length ? ` /Next ${firstMark + i + 1} 0 R` : '']
    yield object(++last, `<< /Title ${utf16(title)} /Parent ${contents} 0 R${before}${after} /Dest [${on} 0 R /XYZ 0 ${y} null] >>`)
  }
  yield object(
    contents,
    marks.length > 0 ? `<< /Type /Outlines /First ${firstMark} 0 R /Last ${last} 0 R /Count ${marks.length} >>` : '<< /Type /Outlines /Count 0 >>',
  )
  yield object(
    catalogue,
    `<< /Type /Catalog /Pages ${tree} 0 R /Outlines ${contents} 0 R${marks.length > 1 ? ' /PageMode /UseOutlines' : ''} /Lang (${about.language === 'zh' ? 'zh-CN' : 'en'}) /ViewerPreferences << /DisplayDocTitle true >> >>`,
  )
  const stamp = `(D:${about.at.toISOString().slice(0, 19).replace(/\D/g, '')}Z)`
  yield object(
    facts,
    `<< /Title ${utf16(about.title)} /Author ${utf16(about.author)} /Subject ${utf16(about.watermark)} /Producer (Huike) /CreationDate ${stamp} /ModDate ${stamp} >>`,
  )

  const table = at
  for (let from = 0; from <= last; from += 4_096) {
    let lines = from === 0 ? `xref\n0 ${last + 1}\n` : ''
    for (let number = from; number < Math.min(from + 4_096, last + 1); number++) {
      const place = places[number]
      // An unused font has no objects.
      lines += place === undefined ? `0000000000 ${number === 0 ? '65535' : '00000'} f \n` : `${String(place).padStart(10, '0')} 00000 n \n`
    }
    yield out(Buffer.from(lines, 'latin1'))
  }
  const identity = createHash('sha256').update(about.id).digest('hex').slice(0, 32)
  yield out(
    Buffer.from(
      `trailer\n<< /Size ${last + 1} /Root ${catalogue} 0 R /Info ${facts} 0 R /ID [<${identity}> <${identity}>] >>\nstartxref\n${table}\n%%EOF\n`,
      'latin1',
    ),
  )
}

/** Across the whole page, again and again, so faint that one reads through it. */
function watermark(type: Typeface, { watermark: words }: About): Buffer {
  const line = type.fitting(words, 30_000)
  const points = 15
  const [cos, sin] = [Math.cos(Math.PI / 7), Math.sin(Math.PI / 7)].map((value) => value.toFixed(4))
  const commands = ['/Artifact BMC', 'q /G gs']
  for (let row = 0; row < 5; row++)
    for (let column = 0; column < 2; column++) {
      const [x, y] = [30 + column * 290 + (row % 2) * 60, 60 + row * 165]
      commands.push(`q ${cos} ${sin} -${sin} ${cos} ${x} ${y} cm ${textAt(line, 0, 0, points, [0, 0, 0])} Q`)
    }
  commands.push('Q', textAt(type.fitting(words, 52_000), paper.side, 28, 8), 'EMC')
  return Buffer.from(commands.join('\n'), 'latin1')
}

const references = (numbers: readonly number[]): string => numbers.map((number) => `${number} 0 R`).join(' ')
const utf16 = (text: string): string => `<FEFF${[...Buffer.from(text, 'utf16le').swap16()].map((byte) => byte.toString(16).padStart(2, '0')).join('')}>`
/** Addresses are of ASCII once they are written as such. */
const literal = (url: string): string => `(${encodeURI(url).replace(/[()\\]/g, '\\$&')})`

/** Six letters that say which subset it is (9.6.4). */
function tagOf(glyphs: ReadonlyMap<number, number>): string {
  const hash = createHash('sha256')
    .update([...glyphs.keys()].sort((a, b) => a - b).join())
    .digest()
  return [...hash.subarray(0, 6)].map((byte) => String.fromCharCode(65 + (byte % 26))).join('')
}

const widths = (font: Font, glyphs: ReadonlyMap<number, number>): string =>
  [...glyphs.keys()]
    .sort((a, b) => a - b)
    .flatMap((glyph) => (font.width(glyph) === 1_000 ? [] : [`${glyph} [${font.width(glyph)}]`]))
    .join(' ')

/** What each glyph means, for whoever searches and copies (9.10.3). */
function toUnicode(glyphs: ReadonlyMap<number, number>): Buffer {
  const hex = (text: string): string => Buffer.from(text, 'utf16le').swap16().toString('hex')
  const lines = [...glyphs].map(([glyph, character]) => `<${glyph.toString(16).padStart(4, '0')}> <${hex(String.fromCodePoint(character))}>`)
  const blocks: string[] = []
  for (let from = 0; from < lines.length; from += 100) {
    const block = lines.slice(from, from + 100)
    blocks.push(`${block.length} beginbfchar\n${block.join('\n')}\nendbfchar`)
  }
  return Buffer.from(
    `/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n${blocks.join('\n')}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n`,
    'latin1',
  )
}
