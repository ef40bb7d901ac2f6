/**
 * A mail's bytes as a tree of parts, within limits. Synchronous, linear in the size (times the bounded depth), never throws:
 * a part that is broken is a leaf. Nothing is decoded before somebody asks.
 */
import { decodeHtml, decodeText } from './charset.ts'
import { type Headers, parseHeaders, parseStructured } from './headers.ts'

export const limits = {
  /** Parts of one mail, nested ones with them. */
  parts: 300,
  depth: 12,
  /** Bytes of one part's header block. */
  head: 256 * 1024,
}

export interface MimePart {
  headers: Headers
  /** Lower case, `text/plain` when nothing is said. */
  type: string
  charset: string | undefined
  params: Record<string, string>
  /** `attachment`, `inline` or nothing. */
  disposition: string
  fileName: string | undefined
  contentId: string | undefined
  encoding: string
  /** As transferred. */
  body: Buffer
  children: MimePart[]
}

export interface MimeTree {
  root: MimePart
  /** What was cut short: said to the reader, since the raw mail has more. */
  exceeded: ('parts' | 'depth')[]
}

export function parseMime(bytes: Buffer): MimeTree {
  const budget = { parts: limits.parts, exceeded: new Set<'parts' | 'depth'>() }
  return { root: parsePart(bytes, 0, budget, 'text/plain'), exceeded: [...budget.exceeded] }
}

function parsePart(bytes: Buffer, depth: number, budget: { parts: number; exceeded: Set<'parts' | 'depth'> }, defaultType: string): MimePart {
  budget.parts -= 1
  const [head, body] = splitHead(bytes)
  const headers = parseHeaders(head)
  const contentType = parseStructured(headers.raw('content-type'))
  const disposition = parseStructured(headers.raw('content-disposition'))
  const type = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(contentType.value) ? contentType.value : defaultType
  const part: MimePart = {
    headers,
    type,
    charset: contentType.params.charset,
    params: contentType.params,
    disposition: disposition.value,
    fileName: disposition.params.filename || contentType.params.name || undefined,
    contentId: headers.raw('content-id')?.trim().replace(/^<|>$/g, '').trim().slice(0, 300) || undefined,
    encoding: (headers.raw('content-transfer-encoding') ?? '')
      .replace(/[";].*$/, '')
      .trim()
      .toLowerCase(),
    body,
    children: [],
  }
  const { boundary } = contentType.params
  if (type.startsWith('multipart/') && boundary) {
    if (depth >= limits.depth) {
      budget.exceeded.add('depth')
      return part
    }
    for (const piece of splitBoundary(body, boundary)) {
      if (budget.parts <= 0) {
        budget.exceeded.add('parts')
        break
      }
      part.children.push(parsePart(piece, depth + 1, budget, type === 'multipart/digest' ? 'message/rfc822' : 'text/plain'))
    }
  }
  return part
}

/** Head and body, divided by the first empty line. */
function splitHead(bytes: Buffer): [Buffer, Buffer] {
  if (bytes[0] === 0x0a) return [bytes.subarray(0, 0), bytes.subarray(1)]
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return [bytes.subarray(0, 0), bytes.subarray(2)]
  const window = bytes.subarray(0, limits.head)
  const lf = window.indexOf('\n\n')
  const crlf = window.indexOf('\n\r\n')
  if (lf < 0 && crlf < 0) return [window, bytes.subarray(window.length)]
  const at = lf < 0 ? crlf : crlf < 0 ? lf : Math.min(lf, crlf)
  return [bytes.subarray(0, at + 1), bytes.subarray(at + (bytes[at + 1] === 0x0d ? 3 : 2))]
}

/** What stands between the boundary lines; a missing last one ends with the bytes. */
function* splitBoundary(body: Buffer, boundary: string): Generator<Buffer> {
  const mark = Buffer.from(`--${boundary}`, 'latin1')
  let start: number | undefined
  for (let from = 0; ; ) {
    const at = body.indexOf(mark, from)
    if (at < 0) break
    from = at + mark.length
    if (at > 0 && body[at - 1] !== 0x0a) continue
    // After the mark only `--`, white space and the end of the line: `--abc` is not the boundary `--ab`.
    const closing = body[from] === 0x2d && body[from + 1] === 0x2d
    let end = closing ? from + 2 : from
    while (body[end] === 0x20 || body[end] === 0x09) end++
    if (end < body.length && body[end] !== 0x0a && body[end] !== 0x0d) continue
    if (start !== undefined) {
      // The line break before the mark belongs to the mark.
      const until = body[at - 1] === 0x0a ? (body[at - 2] === 0x0d ? at - 2 : at - 1) : at
      yield body.subarray(start, Math.max(start, until))
    }
    if (closing) return
    if (body[end] === 0x0d) end++
    if (body[end] === 0x0a) end++
    start = end
    from = Math.max(from, end)
  }
  if (start !== undefined && start < body.length) yield body.subarray(start)
}

/** The bytes as they were before the transfer. */
export function decodeBody(part: MimePart): Buffer {
  switch (part.encoding) {
    case 'base64':
      return Buffer.from(part.body.toString('latin1').replace(/[^A-Za-z0-9+/]+/g, ''), 'base64')
    case 'quoted-printable':
      return decodeQuotedPrintable(part.body)
    default:
      return part.body
  }
}

function decodeQuotedPrintable(body: Buffer): Buffer {
  const out = Buffer.alloc(body.length)
  let length = 0
  const hex = (byte: number | undefined): number =>
    byte === undefined
      ? -1
      : byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : byte >= 0x41 && byte <= 0x46
          ? byte - 0x37
          : byte >= 0x61 && byte <= 0x66
            ? byte - 0x57
            : -1
  for (let i = 0; i < body.length; i++) {
    const byte = body[i] as number
    if (byte === 0x3d) {
      const [high, low] = [hex(body[i + 1]), hex(body[i + 2])]
      if (high >= 0 && low >= 0) {
        out[length++] = high * 16 + low
        i += 2
        continue
      }
      // A soft break: white space may stand before the line's end.
      let end = i + 1
      while (body[end] === 0x20 || body[end] === 0x09) end++
      if (body[end] === 0x0d && body[end + 1] === 0x0a) end++
      if (end >= body.length || body[end] === 0x0a) {
        i = end
        continue
      }
    }
    out[length++] = byte
  }
  return out.subarray(0, length)
}

/** A text part's words; lines end with `\n`, soft breaks of `format=flowed` (RFC 3676) are undone. */
export function decodeTextPart(part: MimePart): string {
  const decode = part.type === 'text/html' ? decodeHtml : decodeText
  const text = decode(decodeBody(part), part.charset)
    .replace(/\r\n?/g, '\n')
    .replaceAll('\u0000', '')
    .replace(/^\ufeff/, '')
  return part.type === 'text/plain' && part.params.format?.toLowerCase() === 'flowed' ? unflow(text, part.params.delsp?.toLowerCase() === 'yes') : text
}

function unflow(text: string, deleteSpace: boolean): string {
  const out: string[] = []
  let open: { depth: number } | undefined
  for (const line of text.split('\n')) {
    const depth = /^>*/.exec(line)?.[0].length ?? 0
    const words = line.slice(depth).replace(/^ /, '')
    const soft = words.endsWith(' ') && words !== '-- '
    const kept = soft && deleteSpace ? words.slice(0, -1) : words
    if (open && open.depth === depth && words !== '-- ') out[out.length - 1] += kept
    else out.push(depth > 0 ? `${'>'.repeat(depth)} ${kept}` : kept)
    open = soft ? { depth } : undefined
  }
  return out.join('\n')
}
