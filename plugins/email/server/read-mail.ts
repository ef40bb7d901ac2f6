/** A raw mail becomes a letter: who, to whom, which thread, words, markup, files. Pure; the limits are in `mime-tree.ts` and here. */
import { createHash } from 'node:crypto'
import type { LetterAddress } from '@huike/core/sdk/channel.ts'
import { type Headers, isOnly, oneLine, parseMessageIds } from './headers.ts'
import { liftPictures } from './lift-pictures.ts'
import { decodeBody, decodeTextPart, type MimePart, parseMime } from './mime-tree.ts'

export interface LetterFile {
  name: string
  /** As the sender said; the hub sniffs. */
  type: string
  bytes: Buffer
  contentId?: string
  inline: boolean
}

export interface Letter {
  headers: Headers
  /** Without angle brackets; absent when the mail has none, or a broken one. */
  messageId: string | undefined
  /** Ids it answers, the most telling first: `In-Reply-To`, then `References` from last to first. */
  answers: string[]
  references: string[]
  /** Who stands in From, the first of several. Sender and the others are no authors (RFC 5322, 3.6.2): nobody checks them. */
  from: LetterAddress | undefined
  /** Every reader takes From for this one address. Otherwise a verdict may be on another: nobody vouches for it. */
  soleAuthor: boolean
  replyTo: LetterAddress[]
  to: LetterAddress[]
  cc: LetterAddress[]
  /** Every address it may have been delivered to, for the reply token. */
  recipients: string[]
  subject: string
  date: Date | undefined
  text: string | undefined
  html: string | undefined
  files: LetterFile[]
  /** A delivery or disposition report: `delivery-status`, `disposition-notification`. */
  report: { type: string; status: string; original: Headers | undefined; text: string } | undefined
  /** What did not fit the limits. */
  exceeded: string[]
  /** Names this mail within its mailbox, also where the Message-ID is missing, or used twice. */
  fingerprint: string
}

const maxFiles = 100
const maxTextLength = 2_000_000
const maxHtmlLength = 2_000_000

/** `cut`: these are only its first bytes. A file that they may not hold whole is left out, since nobody could tell. */
export function readMail(raw: Buffer, cut = false): Letter {
  const { root, exceeded } = parseMime(raw)
  const { headers } = root
  const body: Body = {
    segments: [],
    files: [],
    report: undefined,
    exceeded: new Set(cut ? ['size', ...exceeded] : exceeded),
    cutAt: cut ? endOf(raw) : undefined,
  }
  collect(root, body, false)
  const texts = body.segments.filter((segment) => segment.text !== undefined || segment.html !== undefined)
  const hasHtml = texts.some((segment) => segment.html !== undefined)
  const text = texts.some((segment) => segment.text !== undefined) ? texts.map((segment) => segment.text ?? '').join('\n') : undefined
  const html = hasHtml ? texts.map(markupOf).join('\n') : undefined
  const source = hasHtml ? texts.map((segment) => segment.source ?? markupOf(segment)).join('\n') : ''
  const [messageId] = parseMessageIds(headers.raw('message-id'), 1)
  const references = parseMessageIds(headers.raw('references'))
  const [from, ...others] = headers.addresses('from', 20)
  const [written = '', ...again] = headers.all('from')
  const date = new Date(headers.raw('date') ?? '')
  const letter = {
    headers,
    messageId,
    answers: [...new Set([...parseMessageIds(headers.raw('in-reply-to'), 10), ...references.toReversed()])].slice(0, 50),
    references,
    from,
    soleAuthor: from !== undefined && others.length === 0 && again.length === 0 && isOnly(from.address, written),
    replyTo: headers.addresses('reply-to', 20),
    to: headers.addresses('to'),
    cc: headers.addresses('cc'),
    recipients: [
      ...new Set(
        ['to', 'cc', 'delivered-to', 'x-original-to', 'envelope-to', 'x-delivered-to'].flatMap((name) => headers.addresses(name).map(({ address }) => address)),
      ),
    ],
    subject: [...headers.text('subject')].slice(0, 500).join(''),
    date: Number.isNaN(date.getTime()) ? undefined : date,
    text: text?.slice(0, maxTextLength),
    html,
    files: body.files,
    report: body.report,
    exceeded: [...body.exceeded],
  }
  return { ...letter, fingerprint: fingerprintOf(letter, letter.text ?? source, raw) }
}

interface WordsOfPart {
  text?: string
  html?: string
  /** The markup as it came, where pictures were taken out of it. */
  source?: string
}
const markupOf = ({ text, html }: WordsOfPart): string => html ?? `<pre>${escapeHtml(text ?? '')}</pre>`

interface Body {
  segments: WordsOfPart[]
  files: LetterFile[]
  report: Letter['report']
  exceeded: Set<string>
  /** Where the bytes end too early, in their buffer. */
  cutAt: number | undefined
}

const endOf = (bytes: Buffer): number => bytes.byteOffset + bytes.length

function collect(part: MimePart, body: Body, related: boolean): void {
  if (part.type === 'multipart/report' && collectReport(part, body)) return
  if (part.type === 'multipart/alternative' && part.children.length > 0) {
    collectAlternative(part, body, related)
    return
  }
  if (part.children.length > 0) {
    for (const child of part.children) collect(child, body, related || part.type === 'multipart/related')
    return
  }
  const isWords =
    (part.type === 'text/plain' || part.type === 'text/html') &&
    part.disposition !== 'attachment' &&
    !(part.fileName && part.disposition === 'inline' && !related)
  if (isWords && !(part.fileName && body.segments.length > 0)) {
    const words = decodeTextPart(part)
    if (part.type === 'text/plain') body.segments.push({ text: words })
    else if (!takeMarkup(words, body)) {
      body.exceeded.add('html')
      addFile(part, body, related)
    }
    return
  }
  // A multipart whose boundary never came has nothing to show but its source.
  if (part.type.startsWith('multipart/') && part.body.length === 0) return
  addFile(part, body, related)
}

/** False where it is too long to be read, with its pictures taken out. */
function takeMarkup(source: string, body: Body): boolean {
  const { html, files } = liftPictures(source, maxFiles - body.files.length)
  if (html.length > maxHtmlLength) return false
  body.segments.push(files.length > 0 ? { html, source } : { html })
  body.files.push(...files)
  return true
}

/** The same words several times over: plain and marked-up are both kept, files of any branch too. */
function collectAlternative(part: MimePart, body: Body, related: boolean): void {
  const branches = part.children.map((child) => {
    const inner: Body = { segments: [], files: [], report: undefined, exceeded: body.exceeded, cutAt: body.cutAt }
    collect(child, inner, related)
    return inner
  })
  const segments = branches.flatMap((branch) => branch.segments)
  const text = branches.findLast((branch) => branch.segments.some((s) => s.text !== undefined) && !branch.segments.some((s) => s.html !== undefined))
  const html = branches.findLast((branch) => branch.segments.some((s) => s.html !== undefined))
  const joined = {
    ...(text ? { text: text.segments.map((s) => s.text ?? '').join('\n') } : {}),
    ...(html ? { html: html.segments.map(markupOf).join('\n'), source: html.segments.map((s) => s.source ?? markupOf(s)).join('\n') } : {}),
  }
  if (segments.length > 0) body.segments.push(joined)
  for (const branch of branches) body.files.push(...branch.files.slice(0, maxFiles - body.files.length))
}

/** RFC 3464 and RFC 8098: a text for people, a status for machines, the mail it is about. */
function collectReport(part: MimePart, body: Body): boolean {
  const status = part.children.find((child) => child.type === 'message/delivery-status' || child.type === 'message/disposition-notification')
  if (!status) return false
  const original = part.children.find(
    (child) => child.type === 'message/rfc822' || child.type === 'text/rfc822-headers' || child.type === 'message/rfc822-headers',
  )
  const words = part.children.filter((child) => child !== status && child !== original)
  for (const child of words) collect(child, body, false)
  body.report = {
    type: status.type.slice('message/'.length),
    status: decodeTextPart({ ...status, type: 'text/plain' }),
    original: original ? parseMime(decodeBody(original)).root.headers : undefined,
    text: body.segments.map((segment) => segment.text ?? '').join('\n'),
  }
  // With a receipt it is only our own letter, which is in the raw mail too.
  if (original && body.report.type === 'delivery-status') addFile(original, body, false)
  return true
}

const extensions: Record<string, string> = {
  'message/rfc822': '.eml',
  'text/rfc822-headers': '.txt',
  'text/calendar': '.ics',
  'text/plain': '.txt',
  'text/html': '.html',
  'image/png': '.png',
  'image/jpeg': '.jpg',
  'image/gif': '.gif',
  'image/webp': '.webp',
  'application/pdf': '.pdf',
}

function addFile(part: MimePart, body: Body, related: boolean): void {
  if (endOf(part.body) === body.cutAt) return
  if (body.files.length >= maxFiles) {
    body.exceeded.add('files')
    return
  }
  const bytes = decodeBody(part)
  // Nothing under a name is something that was sent: it is said that it is empty.
  if (bytes.length === 0 && !part.fileName) return
  const subject = part.type === 'message/rfc822' ? parseMime(bytes).root.headers.text('subject') : ''
  const name =
    part.fileName ||
    (part.type === 'text/calendar' ? 'invite' : subject || (part.type.startsWith('image/') ? 'image' : 'attachment')) + (extensions[part.type] ?? '')
  body.files.push({
    name: [...oneLine(name)].slice(0, 200).join(''),
    type: part.type,
    bytes,
    ...(part.contentId ? { contentId: part.contentId } : {}),
    inline: part.disposition === 'inline' || (related && part.disposition !== 'attachment'),
  })
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

/**
 * Message-ID alone will not do: it is missing, malformed or used twice. With sender, date, subject and the first words it
 * tells two mails apart and recognises one that comes again from another folder, or after a UIDVALIDITY change.
 */
function fingerprintOf(letter: Omit<Letter, 'fingerprint'>, words: string, raw: Buffer): string {
  const head = words.replace(/\s+/g, ' ').trim().slice(0, 500)
  const nothing = !letter.messageId && !letter.headers.has('date') && head === ''
  const seen = [
    letter.messageId ?? '',
    letter.from?.address ?? '',
    letter.headers.raw('date') ?? '',
    letter.headers.raw('subject') ?? '',
    nothing ? raw.toString('latin1') : head,
  ]
  return createHash('sha256').update(seen.join('\n')).digest('base64url')
}
