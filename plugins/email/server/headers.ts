/** Header fields of a mail part: unfolding, RFC 2047 words, RFC 2231 parameters, addresses. Linear in the input, never throws. */
import type { LetterAddress } from '@huike/core/sdk/channel.ts'
import parseAddressList from 'nodemailer/lib/addressparser'
import { decodeText } from './charset.ts'

export interface HeaderField {
  /** Lower case. */
  name: string
  /** Unfolded, the bytes as latin1: what charset they are in shows only at use. */
  raw: string
}

export class Headers {
  readonly fields: readonly HeaderField[]
  constructor(fields: readonly HeaderField[]) {
    this.fields = fields
  }
  /** The first field of this name, as it stands. */
  raw(name: string): string | undefined {
    return this.fields.find((field) => field.name === name)?.raw
  }
  all(name: string): string[] {
    return this.fields.filter((field) => field.name === name).map((field) => field.raw)
  }
  has(name: string): boolean {
    return this.fields.some((field) => field.name === name)
  }
  /** Decoded for people, one line. */
  text(name: string): string {
    return oneLine(decodeWords(this.raw(name) ?? ''))
  }
  addresses(name: string, limit = 200): LetterAddress[] {
    return this.all(name)
      .flatMap((raw) => parseAddresses(raw))
      .slice(0, limit)
  }
}

const maxFields = 1_000
const maxFieldLength = 100_000

export function parseHeaders(bytes: Buffer): Headers {
  const fields: HeaderField[] = []
  let current: { name: string; lines: string[]; length: number } | undefined
  const finish = () => {
    if (current) fields.push({ name: current.name, raw: current.lines.join('').trim() })
    current = undefined
  }
  for (const line of bytes.toString('latin1').split(/\r\n|\n|\r/)) {
    if (/^[ \t]/.test(line) && current) {
      if (current.length < maxFieldLength) {
        // Folding white space belongs to the value; the line break does not (RFC 5322, 2.2.3).
        const kept = line.slice(0, maxFieldLength)
        current.lines.push(kept.replace(/^[\t ]+/, ' '))
        current.length += kept.length
      }
      continue
    }
    finish()
    if (fields.length >= maxFields) break
    const colon = line.indexOf(':')
    if (colon < 1 || colon > 200) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    if (!/^[!-9;-~]+$/.test(name)) continue
    current = { name, lines: [line.slice(colon + 1, colon + 1 + maxFieldLength)], length: line.length - colon }
  }
  finish()
  return new Headers(fields)
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const controls = /[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g
export const oneLine = (text: string): string => text.replace(controls, ' ').trim()

function decodeQ(text: string): Buffer {
  return latin1(text.replace(/_/g, ' ').replace(/=([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))))
}

// The bound on each piece keeps a header of "=?" after "=?" linear.
const word = /=\?([A-Za-z0-9_\-.:+]{1,60})(?:\*[A-Za-z0-9-]{1,20})?\?([BbQq])\?([^?\r\n]{0,10000})\?=/g

/**
 * RFC 2047. Words side by side in one charset are joined as bytes before they are decoded: clients cut in the middle of a
 * character. What stands outside words may be raw bytes of any charset.
 */
export function decodeWords(raw: string): string {
  if (!raw.includes('=?')) return decodeText(latin1(raw))
  let out = ''
  let end = 0
  let open: { charset: string; bytes: Buffer[] } | undefined
  const flush = () => {
    if (open) out += decodeText(Buffer.concat(open.bytes), open.charset)
    open = undefined
  }
  for (const match of raw.matchAll(word)) {
    const between = raw.slice(end, match.index)
    const charset = (match[1] as string).toLowerCase()
    const bytes = match[2]?.toUpperCase() === 'B' ? Buffer.from(match[3] as string, 'base64') : decodeQ(match[3] as string)
    const joins = open && between.trim() === '' && end > 0
    if (!joins || open?.charset !== charset) {
      flush()
      if (!joins) out += decodeText(latin1(between))
      open = { charset, bytes: [] }
    }
    open?.bytes.push(bytes)
    end = match.index + match[0].length
  }
  flush()
  return out + decodeText(latin1(raw.slice(end)))
}

export interface StructuredValue {
  value: string
  params: Record<string, string>
}

/** `text/plain; charset="gb2312"; name*0*=utf-8''%E5…`: RFC 2045 with the continuations and charsets of RFC 2231. */
export function parseStructured(raw: string | undefined): StructuredValue {
  const [value = '', ...rest] = splitOutsideQuotes(raw ?? '', 120)
  const plain = new Map<string, string>()
  const pieces = new Map<string, { index: number; encoded: boolean; value: string }[]>()
  for (const piece of rest) {
    const at = piece.indexOf('=')
    if (at < 1) continue
    const name = piece.slice(0, at).trim().toLowerCase()
    const given = unquote(piece.slice(at + 1).trim())
    const continued = /^([^*]+)(?:\*(\d{1,3}))?(\*)?$/.exec(name)
    if (!continued) continue
    const [, base = '', index, encoded] = continued
    if (index === undefined && !encoded) {
      if (!plain.has(base)) plain.set(base, given)
    } else pieces.set(base, [...(pieces.get(base) ?? []), { index: Number(index ?? 0), encoded: Boolean(encoded), value: given }])
  }
  const params: Record<string, string> = Object.create(null)
  // A name within quotes may still be RFC 2047, or raw GBK: not allowed, and usual.
  for (const [name, given] of plain) params[name] = oneLine(decodeWords(given))
  for (const [name, list] of pieces) params[name] = oneLine(joinContinuations(list))
  return { value: value.trim().toLowerCase(), params }
}

function joinContinuations(list: { index: number; encoded: boolean; value: string }[]): string {
  const sorted = list.sort((a, b) => a.index - b.index)
  let charset = ''
  const bytes = sorted.map(({ encoded, value }, at) => {
    if (!encoded) return latin1(value)
    let text = value
    const lead = at === 0 ? /^([^']*)'[^']*'/.exec(value) : null
    if (lead) {
      charset = lead[1] ?? ''
      text = value.slice(lead[0].length)
    }
    return latin1(text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))))
  })
  const whole = Buffer.concat(bytes)
  // Some clients put encoded words even here.
  const asText = whole.toString('latin1')
  return charset === '' && asText.includes('=?') ? decodeWords(asText) : decodeText(whole, charset)
}

function splitOutsideQuotes(text: string, max: number): string[] {
  const out: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length && out.length < max; i++) {
    const char = text[i]
    if (char === '\\' && quoted) i++
    else if (char === '"') quoted = !quoted
    else if (char === ';' && !quoted) {
      out.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (out.length < max) out.push(text.slice(start))
  return out
}

const unquote = (text: string): string =>
  text.startsWith('"') ? text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined).replace(/\\(.)/g, '$1') : text

const maxAddressText = 50_000

/** Addresses in lower case, names decoded; what has no `@` is no address. Groups are flattened. */
export function parseAddresses(raw: string): LetterAddress[] {
  const parsed = parseAddressList(raw.slice(0, maxAddressText), { flatten: true })
  return parsed.flatMap(({ name, address }) => {
    const clean = normaliseAddress(decodeWords(address))
    if (!clean) return []
    const shown = oneLine(decodeWords(name))
    return [{ address: clean, ...(shown && shown !== clean ? { name: [...shown].slice(0, 200).join('') } : {}) }]
  })
}

/**
 * Is this address all that a field of addresses says, whoever reads it? A name in quotes may say what it likes;
 * beside it stand words, then the address, bare or in brackets. What only this parser, or another, takes for one is not.
 */
export function isOnly(address: string, raw: string): boolean {
  if (raw.length > maxAddressText) return false
  const { text, comments, whole } = outsideQuotes(raw)
  const found = /^[^<>@,;:\\]*<\s*([^\s<>]+)\s*>\s*$/.exec(text) ?? /^\s*([^\s<>]+)\s*$/.exec(text)
  // Other letters fall together when their case is changed (K, the Kelvin sign): only ASCII is the same to everybody.
  return whole && !/[<>@]/.test(comments) && found !== null && /^[!-~]+$/.test(found[1] as string) && found[1]?.toLowerCase() === address
}

/** What stands outside quoted strings, and outside RFC 5322 comments or in them; `whole`: each of both ends. */
export function outsideQuotes(raw: string): { text: string; comments: string; whole: boolean } {
  let text = ''
  let comments = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < raw.length && i < maxAddressText; i++) {
    const char = raw[i] as string
    if (char === '\\') i++
    else if (char === '"' && depth === 0) quoted = !quoted
    else if (char === '(' && !quoted) depth++
    else if (char === ')' && !quoted) depth = Math.max(0, depth - 1)
    else if (depth > 0) comments += char
    else if (!quoted) text += char
  }
  return { text, comments, whole: depth === 0 && !quoted }
}

/** An address as we compare and store it; undefined when it is none. Identities are named by it, so its length is bounded. */
export function normaliseAddress(address: string): string | undefined {
  const text = oneLine(address).toLowerCase()
  return /^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@<>,;:"()[\]\\]{1,120}$/.test(text) ? text : undefined
}

/** Ids in angle brackets, in order, each once. */
export function parseMessageIds(raw: string | undefined, limit = 100): string[] {
  const found = new Set<string>()
  for (const match of (raw ?? '').slice(0, maxAddressText).matchAll(/<([^<>\s]{1,900})>/g)) {
    found.add(match[1] as string)
    if (found.size >= limit) break
  }
  if (found.size === 0 && raw && /^[^\s<>]{3,900}$/.test(raw.trim())) found.add(raw.trim())
  return [...found]
}
