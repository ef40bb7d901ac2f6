/**
 * A push as a plain record, from XML or JSON. The XML reader knows less than XML: elements, text, CDATA and the five
 * named characters. A document type, an entity, an attribute or a comment is refused, so there is nothing to expand and
 * nothing to fetch. Depth, size and the number of elements are bounded.
 */
export type PushValue = string | PushFields | PushValue[]
export interface PushFields {
  [name: string]: PushValue
}

/** Longer than any push WeChat makes. */
export const maxPushBytes = 256 * 1024
const maxDepth = 8
const maxElements = 2_000

export class PushError extends Error {}

const record = (): PushFields => Object.create(null)

/** By its first character: the content type is not always told. Throws {@link PushError}. */
export function readPush(body: string): PushFields {
  if (body.length > maxPushBytes) throw new PushError('the body is too large')
  const text = body.replace(/^\uFEFF/, '').trim()
  if (text.startsWith('{')) return readJson(text)
  if (text.startsWith('<')) return readXml(text)
  throw new PushError('the body is neither XML nor JSON')
}

function add(into: PushFields, name: string, value: PushValue): void {
  const before = into[name]
  if (before === undefined) into[name] = value
  else if (Array.isArray(before)) before.push(value)
  else into[name] = [before, value]
}

export function readXml(source: string): PushFields {
  const open: { name: string; children: PushFields; text: string; hasChildren: boolean }[] = []
  let root: PushFields | undefined
  let elements = 0
  let at = 0
  // An optional declaration, and nothing else before the root.
  const declaration = /^<\?xml[^>]{0,100}\?>\s*/.exec(source)
  if (declaration) at = declaration[0].length
  while (at < source.length) {
    const top = open.at(-1)
    if (source.startsWith('<![CDATA[', at)) {
      const end = source.indexOf(']]>', at + 9)
      if (!top || end < 0) throw new PushError('a CDATA section is out of place or has no end')
      top.text += source.slice(at + 9, end)
      at = end + 3
    } else if (source.startsWith('</', at)) {
      const end = source.indexOf('>', at)
      if (!top || end < 0 || source.slice(at + 2, end).trimEnd() !== top.name) throw new PushError('an element is not closed as it was opened')
      open.pop()
      const value = top.hasChildren ? top.children : top.text
      const parent = open.at(-1)
      if (parent) {
        parent.hasChildren = true
        add(parent.children, top.name, value)
      } else {
        root = top.children
      }
      at = end + 1
    } else if (source[at] === '<') {
      // A name and nothing more: no attributes, no comments, no instructions, no document type.
      const tag = /^<([A-Za-z_][\w.-]{0,63})\s*(\/?)>/.exec(source.slice(at, at + 100))
      if (!tag || (root && !top)) throw new PushError('there is something that is no plain element')
      if (open.length >= maxDepth) throw new PushError('elements are nested too deep')
      if (++elements > maxElements) throw new PushError('there are too many elements')
      const name = tag[1] as string
      if (tag[2]) {
        if (!top) root = record()
        else {
          top.hasChildren = true
          add(top.children, name, '')
        }
      } else open.push({ name, children: record(), text: '', hasChildren: false })
      at += tag[0].length
    } else {
      const next = source.indexOf('<', at)
      const end = next < 0 ? source.length : next
      const text = source.slice(at, end)
      if (top) top.text += unescapeXml(text)
      else if (text.trim()) throw new PushError('there is text outside the root')
      at = end
    }
  }
  if (!root || open.length > 0) throw new PushError('the document has no end')
  return root
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,10}));|&/g, (_all, decimal?: string, hex?: string, name?: string) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined
    const plain =
      code === undefined ? named[name ?? ''] : code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : undefined
    if (plain === undefined) throw new PushError('an entity is not known')
    return plain
  })
}

/** JSON whose numbers stay the digits they were: MsgId lies above 2^53, where JSON.parse rounds in silence. */
export function readJson(source: string): PushFields {
  let elements = 0
  let value: unknown
  try {
    value = JSON.parse(source, (_key, parsed, ...rest: [{ source?: string }?]) => {
      if (++elements > maxElements) throw new PushError('there are too many values')
      return typeof parsed === 'number' ? (rest[0]?.source ?? String(parsed)) : parsed
    })
  } catch (error) {
    throw error instanceof PushError ? error : new PushError('the JSON is broken')
  }
  const fields = plain(value, 0)
  if (typeof fields === 'string' || Array.isArray(fields)) throw new PushError('the JSON is no object')
  return fields
}

function plain(value: unknown, depth: number): PushValue {
  if (depth > maxDepth) throw new PushError('values are nested too deep')
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1))
  if (typeof value !== 'object') return String(value)
  const fields = record()
  for (const [name, inner] of Object.entries(value)) fields[name] = plain(inner, depth + 1)
  return fields
}

/** The text of a field; empty when it is missing or no text. */
export function textAt(fields: PushFields, ...path: string[]): string {
  let value: PushValue | undefined = fields
  for (const name of path) value = typeof value === 'object' && !Array.isArray(value) ? value[name] : undefined
  return typeof value === 'string' ? value : ''
}

/** A field that holds one or several records: JSON pushes send an object where there is one and an array where there are more. */
export function listAt(fields: PushFields, ...path: string[]): PushFields[] {
  let value: PushValue | undefined = fields
  for (const name of path) value = typeof value === 'object' && !Array.isArray(value) ? value[name] : undefined
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return list.filter((item): item is PushFields => typeof item === 'object' && !Array.isArray(item))
}
