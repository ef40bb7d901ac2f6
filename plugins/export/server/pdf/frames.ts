/** What a part of a PDF is until the parts become one: pages and pictures one after another, at the end the characters used. */

export interface PageMeta {
  /** Names of pictures, as the page calls them. */
  pictures: string[]
  links: { box: [number, number, number, number]; url: string }[]
  /** Conversations that begin here, for the list of contents. */
  marks: { title: string; y: number }[]
}
export interface PictureMeta {
  name: string
  width: number
  height: number
  grey: boolean
}
export type Frame =
  | { kind: 'page'; meta: PageMeta; body: Buffer }
  | { kind: 'picture'; meta: PictureMeta; body: Buffer }
  /** Per font pairs of glyph and character. */
  | { kind: 'used'; meta: [number, number][][]; body: Buffer }

/** The length of the head and of the body, the head as JSON, the body. */
export function frameBytes({ body, ...head }: Frame): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(text.length, 0)
  lengths.writeUInt32BE(body.length, 4)
  return Buffer.concat([lengths, text, body])
}

/** Throws when the last one is cut off. */
export async function* framesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let held = Buffer.alloc(0)
  for await (const chunk of chunks) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk])
    while (held.length >= 8) {
      const head = held.readUInt32BE(0)
      const end = 8 + head + held.readUInt32BE(4)
      if (held.length < end) break
      yield { ...(JSON.parse(held.toString('utf8', 8, 8 + head)) as object), body: held.subarray(8 + head, end) } as Frame
      held = held.subarray(end)
    }
  }
  if (held.length > 0) throw new Error('a part is cut off')
}
