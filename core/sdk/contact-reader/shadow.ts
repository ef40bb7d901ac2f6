/**
 * The shadow of a text: what people disguise is made plain (full-width, circled, keycap, mathematical digits, hidden
 * signs), and every sign of it knows where in the original it came from. The original is never changed.
 */
export interface Shadow {
  text: string
  /** ASCII letters in lower case; as long as `text`. */
  low: string
  /** For each sign of the shadow: where its original begins and ends, in UTF-16 units. */
  from: number[]
  to: number[]
}

/** Nothing to see, or a mark upon the sign before it. */
const unseen = new Set([0xad, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2060, 0xfeff, 0xfe0e, 0xfe0f, 0x20e3])

/** Digits that Unicode's own folding (NFKC) leaves alone, by the first of their row. */
const rows: readonly [first: number, count: number, value: number][] = [
  [0x2776, 9, 1],
  [0x2780, 9, 1],
  [0x278a, 9, 1],
  [0x24f5, 9, 1],
  [0x24ff, 1, 0],
  [0x2160, 9, 1],
  [0x2170, 9, 1],
  [0x3220, 9, 1],
  [0x0660, 10, 0],
  [0x06f0, 10, 0],
  [0x0966, 10, 0],
  [0x0e50, 10, 0],
  [0x1f10b, 1, 0],
  [0x1f10c, 1, 0],
]
const special = new Map<number, string>([
  [0x1f51f, '10'],
  [0x277f, '10'],
  // 加, 卫星 (which sounds like 微信), 企鹅.
  [0x2795, '加'],
  [0x1f6f0, '卫星'],
  [0x1f427, '企鹅'],
  ...rows.flatMap(([first, count, value]) => Array.from({ length: count }, (_, i) => [first + i, String(value + i)] as [number, string])),
])

/** ASCII and the Han signs of everyday writing: they are what they look like, and most of what is read is made of them. */
const isPlain = (code: number): boolean => code < 0x80 || (code >= 0x4e00 && code <= 0x9fff)

/** Stands for what is no letter, digit or plain sign: pictures, scripts beyond the first plane. */
const other = '\ufffd'

export function shadowOf(original: string): Shadow {
  const text: string[] = []
  const from: number[] = []
  const to: number[] = []
  for (let i = 0; i < original.length; ) {
    const code = original.codePointAt(i) as number
    const end = i + (code > 0xffff ? 2 : 1)
    if (isPlain(code)) {
      text.push(original.charAt(i))
      from.push(i)
      to.push(end)
    } else if (unseen.has(code)) {
      // A keycap belongs to its digit.
      if (to.length > 0 && (code === 0x20e3 || code === 0xfe0f)) to[to.length - 1] = end
    } else {
      const plain = special.get(code) ?? original.slice(i, end).normalize('NFKC')
      for (const sign of plain) {
        text.push(sign.length > 1 ? other : sign)
        from.push(i)
        to.push(end)
      }
    }
    i = end
  }
  const joined = text.join('')
  return { text: joined, low: joined.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()), from, to }
}
