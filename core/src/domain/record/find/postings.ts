/** How a block of the index keeps which of its messages hold a gram, and the names of its messages. */

/** Rising numbers: the distances between them, seven bits a byte; or one bit for each message, where that is shorter. */
export function packHits(hits: readonly number[], messages: number): Buffer {
  const bitmap = Math.ceil(messages / 8)
  const bytes: number[] = [0]
  let before = -1
  for (const hit of hits) {
    let gap = hit - before - 1
    before = hit
    while (gap > 0x7f) {
      bytes.push((gap & 0x7f) | 0x80)
      gap >>>= 7
    }
    bytes.push(gap)
    if (bytes.length > bitmap) return packBits(hits, bitmap)
  }
  return Buffer.from(bytes)
}

function packBits(hits: readonly number[], length: number): Buffer {
  const bits = Buffer.alloc(length + 1)
  bits[0] = 1
  for (const hit of hits) bits[1 + (hit >>> 3)] = (bits[1 + (hit >>> 3)] as number) | (1 << (hit & 7))
  return bits
}

export function unpackHits(packed: Uint8Array): number[] {
  const hits: number[] = []
  if (packed[0] === 1) {
    for (let i = 1; i < packed.length; i++)
      for (let bits = packed[i] as number; bits !== 0; bits &= bits - 1) hits.push((i - 1) * 8 + (31 - Math.clz32(bits & -bits)))
    return hits
  }
  let at = -1
  for (let i = 1; i < packed.length; i++) {
    let gap = 0
    let shift = 0
    for (; (packed[i] as number) & 0x80; i++, shift += 7) gap |= ((packed[i] as number) & 0x7f) << shift
    gap |= (packed[i] as number) << shift
    at += gap + 1
    hits.push(at)
  }
  return hits
}

/** Those that are in all of the lists; the shortest is gone through, the others are asked. */
export function inAll(lists: readonly Uint8Array[]): number[] {
  const [first, ...others] = [...lists].sort((a, b) => a.length - b.length)
  let hits = first ? unpackHits(first) : []
  for (const packed of others) {
    if (hits.length === 0) break
    if (packed[0] === 1) {
      hits = hits.filter((hit) => ((packed[1 + (hit >>> 3)] ?? 0) & (1 << (hit & 7))) !== 0)
      continue
    }
    const other = unpackHits(packed)
    let at = 0
    hits = hits.filter((hit) => {
      while (at < other.length && (other[at] as number) < hit) at++
      return other[at] === hit
    })
  }
  return hits
}

/** Ids in their order: each says how much of the one before it begins with. */
export function packIds(ids: readonly string[]): Buffer {
  let packed = ''
  let before = ''
  for (const id of ids) {
    let same = 0
    while (same < id.length && id[same] === before[same]) same++
    packed += String.fromCharCode(same, id.length - same) + id.slice(same)
    before = id
  }
  return Buffer.from(packed, 'latin1')
}

export function unpackIds(packed: Uint8Array): string[] {
  const text = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString('latin1')
  const ids: string[] = []
  let before = ''
  for (let at = 0; at < text.length; ) {
    const length = text.charCodeAt(at + 1)
    before = before.slice(0, text.charCodeAt(at)) + text.slice(at + 2, at + 2 + length)
    ids.push(before)
    at += 2 + length
  }
  return ids
}
