/**
 * A TrueType font as a PDF needs it (OpenType 1.9): which glyph a character has, how wide that is, and the font again with
 * only the glyphs that were used. Glyphs keep their numbers, so that pages can be written before it is known which are used.
 */
export interface Font {
  name: string
  /** Upwards positive; all in thousandths of the size. */
  ascent: number
  descent: number
  box: [number, number, number, number]
  /** 0 when the font has no such character. */
  glyph(codePoint: number): number
  width(glyph: number): number
  subset(glyphs: Iterable<number>): Buffer
}

interface Table {
  at: number
  length: number
}

/** Throws for what is no TrueType font with outlines of its own. */
export function readFont(name: string, bytes: Buffer): Font {
  const tables = new Map<string, Table>()
  for (let i = 0, count = bytes.readUInt16BE(4); i < count; i++) {
    const at = 12 + 16 * i
    tables.set(bytes.toString('latin1', at, at + 4), { at: bytes.readUInt32BE(at + 8), length: bytes.readUInt32BE(at + 12) })
  }
  const table = (tag: string): Buffer => {
    const found = tables.get(tag)
    if (!found) throw new Error(`${name} has no table ${tag}`)
    return bytes.subarray(found.at, found.at + found.length)
  }
  const head = table('head')
  const hhea = table('hhea')
  const hmtx = table('hmtx')
  const glyf = table('glyf')
  const loca = table('loca')
  const count = table('maxp').readUInt16BE(4)
  const measured = hhea.readUInt16BE(34)
  const long = head.readInt16BE(50) === 1
  const toThousandths = 1_000 / head.readUInt16BE(18)
  const scaled = (value: number): number => Math.round(value * toThousandths)
  const offset = (glyph: number): number => (long ? loca.readUInt32BE(4 * glyph) : 2 * loca.readUInt16BE(2 * glyph))
  const outline = (glyph: number): Buffer => glyf.subarray(offset(glyph), offset(glyph + 1))
  const { low, high } = readCharacters(table('cmap'), name)

  return {
    name,
    ascent: scaled(hhea.readInt16BE(4)),
    descent: scaled(hhea.readInt16BE(6)),
    box: [36, 38, 40, 42].map((at) => scaled(head.readInt16BE(at))) as Font['box'],
    glyph: (codePoint) => (codePoint < 0x1_0000 ? (low[codePoint] as number) : (high.get(codePoint) ?? 0)),
    width: (glyph) => scaled(hmtx.readUInt16BE(4 * Math.min(glyph, measured - 1))),
    subset(glyphs) {
      const kept = withComponents(new Set([0, ...glyphs]), outline)
      const places = Buffer.alloc(4 * (count + 1))
      const outlines: Buffer[] = []
      let at = 0
      for (let glyph = 0; glyph < count; glyph++) {
        places.writeUInt32BE(at, 4 * glyph)
        if (!kept.has(glyph)) continue
        const one = outline(glyph)
        outlines.push(one, Buffer.alloc(-one.length & 3))
        at += (one.length + 3) & ~3
      }
      places.writeUInt32BE(at, 4 * count)
      const newHead = Buffer.from(head)
      newHead.writeInt16BE(1, 50)
      const hinting = ['cvt ', 'fpgm', 'prep'].filter((tag) => tables.has(tag)).map((tag): [string, Buffer] => [tag, table(tag)])
      return fontFile([
        ...hinting,
        ['glyf', Buffer.concat(outlines)],
        ['head', newHead],
        ['hhea', hhea],
        ['hmtx', hmtx],
        ['loca', places],
        ['maxp', table('maxp')],
      ])
    },
  }
}

/** The characters of the table's format 12, which knows all planes. */
function readCharacters(cmap: Buffer, name: string): { low: Uint16Array; high: Map<number, number> } {
  const low = new Uint16Array(0x1_0000)
  const high = new Map<number, number>()
  for (let i = 0, subtables = cmap.readUInt16BE(2); i < subtables; i++) {
    const at = cmap.readUInt32BE(8 + 8 * i)
    if (cmap.readUInt16BE(at) !== 12) continue
    for (let group = 0, groups = cmap.readUInt32BE(at + 12); group < groups; group++) {
      const from = at + 16 + 12 * group
      const [first, last, glyph] = [cmap.readUInt32BE(from), cmap.readUInt32BE(from + 4), cmap.readUInt32BE(from + 8)]
      for (let c = first; c <= last; c++)
        if (c < 0x1_0000) low[c] = glyph + c - first
        else high.set(c, glyph + c - first)
    }
    return { low, high }
  }
  throw new Error(`${name} has no characters of format 12`)
}

const wordsFollow = 0x0001
const oneScale = 0x0008
const more = 0x0020
const twoScales = 0x0040
const matrix = 0x0080

/** Glyphs made of other glyphs need these too. */
function withComponents(glyphs: Set<number>, outline: (glyph: number) => Buffer): Set<number> {
  for (const glyph of glyphs) {
    const one = outline(glyph)
    if (one.length === 0 || one.readInt16BE(0) >= 0) continue
    for (let at = 10, flags = more; flags & more; ) {
      flags = one.readUInt16BE(at)
      // A set that grows while it is walked is walked to its new end.
      glyphs.add(one.readUInt16BE(at + 2))
      at += 4 + (flags & wordsFollow ? 4 : 2) + (flags & oneScale ? 2 : flags & twoScales ? 4 : flags & matrix ? 8 : 0)
    }
  }
  return glyphs
}

function fontFile(tables: readonly (readonly [string, Buffer])[]): Buffer {
  const sorted = [...tables].sort(([a], [b]) => (a < b ? -1 : 1))
  const power = 2 ** Math.floor(Math.log2(sorted.length))
  const directory = Buffer.alloc(12 + 16 * sorted.length)
  directory.writeUInt32BE(0x0001_0000, 0)
  directory.writeUInt16BE(sorted.length, 4)
  directory.writeUInt16BE(power * 16, 6)
  directory.writeUInt16BE(Math.log2(power), 8)
  directory.writeUInt16BE((sorted.length - power) * 16, 10)
  const pieces: Buffer[] = [directory]
  let at = directory.length
  for (const [i, [tag, data]] of sorted.entries()) {
    const padded = data.length & 3 ? Buffer.concat([data, Buffer.alloc(-data.length & 3)]) : data
    directory.write(tag, 12 + 16 * i, 'latin1')
    directory.writeUInt32BE(checksum(padded), 16 + 16 * i)
    directory.writeUInt32BE(at, 20 + 16 * i)
    directory.writeUInt32BE(data.length, 24 + 16 * i)
    pieces.push(padded)
    at += padded.length
  }
  return Buffer.concat(pieces)
}

function checksum(padded: Buffer): number {
  let sum = 0
  for (let at = 0; at < padded.length; at += 4) sum = (sum + padded.readUInt32BE(at)) >>> 0
  return sum
}
