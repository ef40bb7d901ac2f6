/** An agent's message as a mail: text and markup, the thread's headers, files, the mailbox's signature. Nothing an agent types can become a header. */
import { domainToASCII } from 'node:url'
import type { LetterAddress, OutboundMessage } from '@huike/core/sdk/channel.ts'
import { SendError } from '@huike/core/sdk/channel.ts'
import { maxRecipients } from '@huike/core/sdk/max-recipients.ts'
import { type MessagePart, textOf } from '@huike/core/sdk/message-parts.ts'
import { sanitizeLetter } from '@huike/core/sdk/sanitize-letter.ts'
import { replyMarker } from '@huike/core/sdk/split-quote.ts'
import MailComposer from 'nodemailer/lib/mail-composer'
import { loopHeader } from './classify.ts'
import { normaliseAddress, oneLine } from './headers.ts'
import { fillerOf, type Mailbox, signatureOf, unmarked, unverified } from './inbox-settings.ts'
import type { LetterRow } from './letter.entity.ts'
import { escapeHtml } from './read-mail.ts'
import { answerHeaders, answerSubject, envelopeIdOf } from './thread.ts'

export interface Attached {
  name: string
  mime: string
  bytes: Buffer
  cid?: string
}

export interface ComposeInput {
  mailbox: Mailbox
  message: Pick<OutboundMessage, 'to' | 'parts' | 'meta' | 'agentName'>
  messageId: string
  /** The letter it answers, as the plugin knows it. */
  previous?: Pick<LetterRow, 'messageId' | 'references' | 'subject'> & Partial<Pick<LetterRow, 'replyTo'>>
  /** Its words, quoted below ours. */
  previousWords?: { from: LetterAddress; at: Date; text: string }
  files: readonly Attached[]
  replyTo?: string
  loopMark: string
  at: Date
}

export interface Composed {
  raw: Buffer
  /** `dsn`: what names it where a report has not a word of the letter, for servers that keep RFC 3461. */
  envelope: { from: string; to: string[]; dsn: { ret: 'HDRS'; envid: string } }
  subject: string
  references: string[]
  participants: string[]
}

const refused = (reason: string, zh: string, en: string) => new SendError(reason, { retry: false, message: en, sentence: { zh, en } })

export async function composeLetter(input: ComposeInput): Promise<Composed> {
  const { mailbox, message, previous, files } = input
  // Nobody chose: where the letter that is answered wants its answer, or who filled in the form does.
  const filler = fillerOf(message.to)
  const asked = previous?.replyTo?.split(' ').map((address) => ({ address })) ?? (filler ? [{ address: filler }] : undefined)
  if (!message.meta?.to?.length && !asked && message.to.startsWith(unverified)) {
    if (!message.to.includes('@'))
      throw refused(
        'sender-unreadable',
        '这封邮件没有可识别的发件人地址，请自己填写收件人再发送。',
        'This letter has no readable sender: enter the recipient yourself.',
      )
    throw refused(
      'sender-unverified',
      '这封邮件的发件人未通过验证，可能是冒充的，所以没有自动回复到该地址。确认无误后，请自己填写收件人再发送。',
      'The sender of this letter could not be verified and may be somebody else, so the answer does not go there by itself. If you are sure, enter the recipient yourself.',
    )
  }
  // Under a conversation's mark it is we ourselves: letters taken in before that was known propose it.
  const others = (list: LetterAddress[]) => list.filter(({ address }) => unmarked(address, mailbox) === address)
  const chosen = checked(message.meta?.to?.length ? message.meta.to : (asked ?? [{ address: message.to }]))
  const to = others(chosen).length > 0 ? others(chosen) : chosen
  const cc = others(checked(message.meta?.cc ?? [])).filter(({ address }) => !to.some((other) => other.address === address))
  if (to.length + cc.length > maxRecipients) throw refused('recipients', `收件人最多 ${maxRecipients} 个。`, `At most ${maxRecipients} recipients.`)
  const { inReplyTo, references } = answerHeaders(previous)
  const subject =
    [...oneLine(message.meta?.subject ?? '')].slice(0, 250).join('') || (previous ? answerSubject(oneLine(previous.subject)) : oneLine(mailbox.name))
  const words = textOf(message.parts.filter((part) => part.type !== 'file'))
  const chinese = /[\u3400-\u9fff]/.test(words + subject)
  const { settings } = mailbox
  const quote = settings.quotePrevious ? input.previousWords : undefined
  const marker = settings.replyMarker && quote ? (chinese ? replyMarker.zh : replyMarker.en) : undefined
  const signature = signatureOf(mailbox, message.agentName ?? '')
  const text = [words, signature && `-- \n${signature}`, marker, quote && quoteText(quote, chinese)].filter(Boolean).join('\n\n')
  const html = [
    markupOf(message.parts),
    signature && `<div>-- <br>${linked(breaks(signature))}</div>`,
    marker && `<div>${escapeHtml(marker)}</div>`,
    quote && quoteHtml(quote, chinese),
  ]
    .filter(Boolean)
    .join('<br>\n')
  const composer = new MailComposer({
    from: { name: oneLine(settings.displayName || mailbox.name), address: mailbox.address },
    to: to.map(named),
    ...(cc.length > 0 ? { cc: cc.map(named) } : {}),
    ...(input.replyTo ? { replyTo: { name: oneLine(settings.displayName || mailbox.name), address: input.replyTo } } : {}),
    subject,
    date: input.at,
    messageId: `<${input.messageId}>`,
    ...(inReplyTo ? { inReplyTo: `<${inReplyTo}>` } : {}),
    ...(references.length > 0 ? { references: references.map((id) => `<${id}>`) } : {}),
    text: lines(text),
    html: lines(`<!doctype html><html><head><meta charset="utf-8"></head><body>${html}</body></html>`),
    attachments: files.map(({ name, mime, bytes, cid }) => ({
      filename: oneLine(name) || 'file',
      content: bytes,
      contentType: /^[\w.+-]+\/[\w.+-]+$/.test(mime) ? mime : 'application/octet-stream',
      ...(cid ? { cid, contentDisposition: 'inline' as const } : {}),
    })),
    headers: {
      [loopHeader]: input.loopMark,
      // An automatic answer says so, that no other machine answers it (RFC 3834, 5; the second is Exchange's).
      ...(message.meta?.automatic ? { 'Auto-Submitted': 'auto-replied', 'X-Auto-Response-Suppress': 'All' } : {}),
    },
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const raw = await composer.compile().build()
  const everybody = [...to, ...cc].map(({ address }) => address)
  const dsn = { ret: 'HDRS' as const, envid: envelopeIdOf(input.messageId) }
  return { raw, envelope: { from: mailbox.address, to: everybody, dsn }, subject, references, participants: everybody }
}

/** The copy for the Sent folder goes as it is: IMAP servers refuse half line ends (RFC 3501, 6.3.11), and two servers may read one differently. */
const lines = (text: string): string => text.replace(/\r\n?|\n/g, '\r\n')

/** A name without a space is a line that cannot be folded (RFC 5322, 2.1.1). */
const maxName = 100
const named = ({ name, address }: LetterAddress) => ({ name: [...oneLine(name ?? '')].slice(0, maxName).join(''), address })

function checked(addresses: readonly LetterAddress[]): LetterAddress[] {
  const seen = new Map<string, LetterAddress>()
  for (const { name, address } of addresses) {
    const clean = normaliseAddress(asMailed(address))
    if (!clean)
      throw refused('address-invalid', `“${oneLine(address).slice(0, 100)}”不是有效的邮箱地址。`, `“${oneLine(address).slice(0, 100)}” is no address.`)
    if (!seen.has(clean)) seen.set(clean, { address: clean, ...(name ? { name } : {}) })
  }
  return [...seen.values()]
}

/**
 * As mail carries it: a domain in other letters by its ASCII name (RFC 5891); before the @ there are none, few servers would take
 * them (RFC 6531), nor anything that readers decode (RFC 2047). Empty: it cannot be.
 */
function asMailed(address: string): string {
  const at = address.lastIndexOf('@')
  const [box, typed] = [address.slice(0, at), address.slice(at + 1).trim()]
  const domain = /[^\0-\x7f]/.test(typed) ? domainToASCII(typed) : typed
  return at < 1 || /[^\0-\x7f]|=\?/.test(box) || !/^[\w-]+(?:\.[\w-]+)*$/.test(domain) ? '' : `${box}@${domain}`
}

const breaks = (text: string): string => escapeHtml(text).replace(/\r?\n/g, '<br>')

/** Addresses in escaped text become links. */
const linked = (html: string): string => html.replace(/https?:\/\/[^\s<>"'&，。；）]{3,300}/g, (url) => `<a href="${url}">${url}</a>`)

/** Markup of the words; what the composer made is cleaned again: the agent's browser is no authority. */
function markupOf(parts: readonly MessagePart[]): string {
  return parts
    .map((part) => {
      switch (part.type) {
        case 'html':
          return sanitizeLetter(part.html, { fold: false })?.html ?? `<div>${breaks(part.text)}</div>`
        case 'text':
          return `<div>${breaks(part.text)}</div>`
        case 'link':
          return /^https?:\/\//i.test(part.url) ? `<div><a href="${escapeHtml(part.url)}">${escapeHtml(part.title ?? part.url)}</a></div>` : ''
        case 'card':
          return `<div>${breaks(textOf([part]))}</div>`
        default:
          return ''
      }
    })
    .filter(Boolean)
    .join('\n')
}

const maxQuote = 20_000

function attribution({ from, at }: NonNullable<ComposeInput['previousWords']>, chinese: boolean): string {
  const time = at.toISOString().slice(0, 16).replace('T', ' ')
  const who = oneLine(from.name ? `${from.name} <${from.address}>` : `<${from.address}>`)
  return chinese ? `在 ${time} UTC，${who} 写道：` : `On ${time} UTC, ${who} wrote:`
}

function quoteText(quote: NonNullable<ComposeInput['previousWords']>, chinese: boolean): string {
  const lines = quote.text.slice(0, maxQuote).split('\n')
  return [attribution(quote, chinese), '', ...lines.map((line) => (line.startsWith('>') ? `>${line}` : `> ${line}`))].join('\n')
}

function quoteHtml(quote: NonNullable<ComposeInput['previousWords']>, chinese: boolean): string {
  return `<div class="gmail_quote"><div>${escapeHtml(attribution(quote, chinese))}</div><blockquote type="cite">${breaks(quote.text.slice(0, maxQuote))}</blockquote></div>`
}
