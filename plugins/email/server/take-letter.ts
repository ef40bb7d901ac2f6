/**
 * What happens to one raw mail: stored as it came → read → judged (a person, a machine, a bounce, our own) → its thread found
 * → told to the hub → remembered. Only then may the mailbox go on. Killed anywhere, the same mail comes again and changes nothing.
 */
import type { Accepted, ChannelInbox, InboundEvent, LetterMeta } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { readAuthenticity } from './authenticity.ts'
import { classifyLetter } from './classify.ts'
import { type Mailbox, mailboxOf } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { type Bounce, readBounce } from './read-bounce.ts'
import { escapeHtml, type Letter, type LetterFile, readMail } from './read-mail.ts'
import { sanitizeLetter, stripTags } from './sanitize-html.ts'
import { loopMarkHolds } from './send-mail.ts'
import { splitQuote } from './split-quote.ts'
import { findThread, messageKey, readMessageId, rememberLetter } from './thread.ts'

export type Emit = (events: InboundEvent[]) => Promise<Accepted[]>
export type Taken = 'message' | 'failure' | 'own' | 'receipt' | 'refused'

export async function takeLetter(ctx: PluginContext, inbox: ChannelInbox, raw: Buffer, receivedAt: Date, emit: Emit): Promise<Taken> {
  const mailbox = mailboxOf(inbox)
  const letter = readMail(raw)
  const sign = (text: string) => ctx.sign(text)
  const kind = classifyLetter(letter, (mark) => loopMarkHolds(sign, mark))
  // Read receipts are not asked for and never answered.
  if (kind === 'receipt') return 'receipt'
  // What we sent ourselves comes back as a copy; the hub has it. To another of the hub's mailboxes it is a letter like any.
  if (kind === 'own' && letter.messageId && (await isOurs(ctx, mailbox, letter.messageId))) return 'own'
  const rawFileId = await storeRaw(ctx, inbox.id, letter, raw)
  if (kind === 'bounce') {
    const bounce = readBounce(letter)
    const original = bounce.action === 'failed' ? await findOriginal(ctx, mailbox, bounce) : undefined
    if (original) return takeBounce(ctx, mailbox, letter, bounce, original, rawFileId, emit)
  }
  return takeMessage(ctx, mailbox, letter, kind !== 'personal', rawFileId, receivedAt, emit)
}

async function isOurs(ctx: PluginContext, { inboxId }: Mailbox, messageId: string): Promise<boolean> {
  return (await ctx.em().count(LetterRow, { inboxId, messageKey: messageKey(messageId), direction: 'out' })) > 0
}

/** The letter as it came, kept before anything is acknowledged. One that is too large for the storage stays in the mailbox alone. */
async function storeRaw(ctx: PluginContext, inboxId: string, letter: Letter, raw: Buffer): Promise<string | undefined> {
  try {
    const part = await ctx.storeFile(inboxId, { name: `${[...(letter.subject || 'letter')].slice(0, 80).join('')}.eml`, bytes: raw, as: 'file' })
    return 'fileId' in part ? part.fileId : undefined
  } catch (error) {
    if (error instanceof HubError && error.code === 'HUB_REQUEST_TOO_LARGE') return undefined
    throw error
  }
}

// ── a message ────────────────────────────────────────────────────────────────────────────────────────────────────

async function takeMessage(
  ctx: PluginContext,
  mailbox: Mailbox,
  letter: Letter,
  automatic: boolean,
  rawFileId: string | undefined,
  receivedAt: Date,
  emit: Emit,
): Promise<Taken> {
  const auth = readAuthenticity(letter.headers, mailbox.trusted)
  const sender = letter.from?.address ?? 'unknown@invalid'
  const verified = auth?.dmarc === 'pass' && !letter.severalAuthors
  const threading = await findThread(ctx.em(), (text) => ctx.sign(text), mailbox.inboxId, letter)
  if (threading.stranger) ctx.log.warn({ inbox: mailbox.inboxId }, 'a letter answers a conversation its sender takes no part in; it gets one of its own')
  // Whoever forges a sender does not get into a conversation by it.
  const thread = auth?.dmarc === 'fail' ? undefined : threading.thread
  const from = ours(mailbox, sender)
  const meta: LetterMeta = {
    ...(letter.subject ? { subject: letter.subject } : {}),
    ...(letter.from ? { from: letter.from } : {}),
    to: letter.to.slice(0, 100),
    cc: letter.cc.slice(0, 100),
    ...(auth ? { auth } : {}),
    // A letter "from ourselves" that we did not write is a loop or a forgery: shown, but nobody is woken.
    ...(automatic || from ? { automatic: true } : {}),
    ...(rawFileId ? { rawFileId } : {}),
  }
  const externalId = letter.fingerprint
  const accepted = await hand(ctx, emit, {
    kind: 'message',
    externalId,
    from: {
      externalId: sender,
      email: sender,
      ...(letter.from?.name ? { name: letter.from.name } : {}),
      verified,
      claims: [{ kind: 'email', value: sender, verified }],
    },
    parts: await partsOf(ctx, mailbox.inboxId, letter),
    sentAt: sentAt(letter, receivedAt),
    meta,
    ...(threading.replyTo ? { replyTo: threading.replyTo } : {}),
    ...(thread ? { conversationId: thread.conversationId } : {}),
  })
  if (!accepted) return 'refused'
  await rememberLetter(
    ctx.em(),
    {
      inboxId: mailbox.inboxId,
      messageId: letter.messageId ?? `${letter.fingerprint}@none.invalid`,
      externalId,
      direction: 'in',
      conversationId: accepted.conversationId ?? null,
      hubMessageId: accepted.messageId ?? null,
      fromAddress: sender,
      subject: letter.subject,
      references: letter.references.slice(-50).join(' '),
      rawFileId: rawFileId ?? null,
      state: 'received',
    },
    // Whom the customer wrote to may answer too; our own addresses need no leave.
    [sender, ...letter.to.map(({ address }) => address), ...letter.cc.map(({ address }) => address)].filter((address) => !mailbox.own.has(address)),
  )
  return 'message'
}

const ours = (mailbox: Mailbox, sender: string): boolean => mailbox.own.has(sender)

/** Not the letter's fault: the inbox is off, or another process has it now. It is there when they come back. */
export const waiting: ReadonlySet<string> = new Set(['HUB_CHANNEL_DISABLED', 'HUB_CONFLICT', 'HUB_NOT_FOUND'])

/** Undefined when the hub refuses it for good (a blocked sender, a hook); throws when it may be tried again. */
async function hand(ctx: PluginContext, emit: Emit, event: InboundEvent): Promise<Accepted | undefined> {
  try {
    return (await emit([event]))[0]
  } catch (error) {
    if (!(error instanceof HubError) || error.kind.retry || waiting.has(error.code)) throw error
    ctx.log.info({ code: error.code }, 'the hub refused a letter')
    return undefined
  }
}

/** The sender's clock, unless it is plainly wrong. */
function sentAt({ date }: Letter, receivedAt: Date): Date {
  if (!date) return receivedAt
  const ahead = date.getTime() - receivedAt.getTime()
  return ahead > 60 * 60_000 || ahead < -30 * 24 * 3_600_000 ? receivedAt : date
}

const maxTextPart = 20_000
const maxQuoted = 200_000
/** The hub keeps a message's words for lists and search in a column of 65 535 bytes; a longer letter is whole in its markup. */
const maxSearchBytes = 60_000
const wordsOfFile = 120 * 4
const cut = (text: string, max: number): string => {
  const end = text.charCodeAt(max - 1)
  // Not through the middle of a pair.
  return text.length <= max ? text : text.slice(0, end >= 0xd800 && end <= 0xdbff ? max - 1 : max)
}

/** What an html part may hold. */
const maxMarkup = 500_000

/** As many whole characters as fit. */
function cutBytes(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text
  const bytes = Buffer.from(text).subarray(0, max)
  let end = bytes.length
  // Back to the beginning of the character that was cut.
  while (end > 0 && ((bytes[end - 1] as number) & 0xc0) === 0x80) end--
  return bytes.subarray(0, Math.max(0, end - 1)).toString('utf8')
}

/** Words as one part, then the files. Files of the letter that its markup shows stand inside it. */
async function partsOf(ctx: PluginContext, inboxId: string, letter: Letter): Promise<MessagePart[]> {
  const parts: MessagePart[] = []
  const shown = new Set<LetterFile>()
  const safe = letter.html === undefined ? undefined : sanitizeLetter(letter.html)
  const files = [...letter.files]
  const roomForWords = Math.max(10_000, maxSearchBytes - files.length * wordsOfFile)
  const exceeded = [...letter.exceeded]
  if (safe && (safe.text || safe.quoted || safe.remoteImages || safe.cids.length > 0)) {
    const inline: { cid: string; fileId: string }[] = []
    for (const file of files) {
      const cid = safe.cids.find((wanted) => wanted === file.contentId)
      if (!cid || inline.length >= 200) continue
      const part = await storeAs(ctx, inboxId, file, 'image')
      if (part?.type !== 'image') continue
      inline.push({ cid, fileId: part.fileId })
      shown.add(file)
    }
    // The plain version is the sender's own words; the markup's words only stand in for it.
    const plain = letter.text?.trim() ? splitQuote(letter.text) : undefined
    const text = plain?.text || safe.text
    const quoted = plain?.quoted || safe.quoted
    parts.push({
      type: 'html',
      html: safe.html,
      text: cutBytes(text, roomForWords),
      ...(quoted ? { quoted: cut(quoted, maxQuoted) } : {}),
      ...(inline.length > 0 ? { inline } : {}),
      ...(safe.remoteImages ? { remoteImages: true } : {}),
    })
  } else {
    const whole = letter.text?.trim() || (letter.html ? stripTags(letter.html) : '')
    const { text, quoted } = splitQuote(whole)
    // Quotation or length: both need the part that can hold them.
    if (quoted || text.length > maxTextPart || Buffer.byteLength(text) > roomForWords) {
      const html = plainHtml(text, cut(quoted, maxQuoted))
      if (!html.whole) exceeded.push('text')
      parts.push({ type: 'html', html: html.html, text: cutBytes(text, roomForWords), ...(quoted ? { quoted: cut(quoted, maxQuoted) } : {}) })
    } else if (text) parts.push({ type: 'text', text })
    // Markup too large or too deep to be shown safely is not lost: it is a file.
    if (letter.html && !safe) files.unshift({ name: 'letter.html', type: 'text/html', bytes: Buffer.from(letter.html), inline: false })
  }
  for (const file of files) {
    if (shown.has(file)) continue
    const part = await storeAs(ctx, inboxId, file)
    parts.push(part ?? { type: 'unsupported', raw: { name: file.name, type: file.type, size: file.bytes.length, reason: 'not stored' } })
  }
  if (exceeded.length > 0) parts.push({ type: 'unsupported', raw: { reason: 'limits', exceeded } })
  if (parts.length === 0) parts.push({ type: 'text', text: letter.subject || '(空邮件 / empty letter)' })
  return parts
}

/** Plain words as markup, so that a long letter is shown whole and its quotation folds. */
function plainHtml(text: string, quoted: string): { html: string; whole: boolean } {
  const lines = (words: string) => escapeHtml(words).replace(/\n/g, '<br>')
  const below = quoted ? `<details data-quoted><summary>···</summary><div>${lines(quoted)}</div></details>` : ''
  const html = `<div>${lines(text)}</div>`
  if (html.length + below.length <= maxMarkup) return { html: html + below, whole: true }
  // The quotation is in the part's `quoted` too: the new words go first. Escaping lengthens a character sixfold at most.
  return html.length <= maxMarkup ? { html, whole: true } : { html: `<div>${lines(cut(text, Math.floor(maxMarkup / 6) - 10))}</div>`, whole: false }
}

/** Undefined when the hub will not have it (too large, no readable picture after all). */
async function storeAs(ctx: PluginContext, inboxId: string, file: LetterFile, as?: 'image'): Promise<(MessagePart & { fileId: string }) | undefined> {
  const upload = async (kind: 'image' | 'file' | undefined) => {
    const part = await ctx.storeFile(inboxId, { name: file.name, bytes: file.bytes, ...(kind ? { as: kind } : {}) })
    return 'fileId' in part ? part : undefined
  }
  try {
    return await upload(as)
  } catch (error) {
    if (!(error instanceof HubError) || error.kind.retry) throw error
    if (error.code !== 'HUB_FILE_TYPE' || as) return undefined
    return upload('file').catch(() => undefined)
  }
}

// ── a letter that came back ──────────────────────────────────────────────────────────────────────────────────────

async function findOriginal(ctx: PluginContext, { inboxId }: Mailbox, bounce: Bounce): Promise<LetterRow | undefined> {
  if (bounce.originals.length === 0) return undefined
  const rows = await ctx.em().find(LetterRow, { inboxId, direction: 'out', messageKey: { $in: bounce.originals.map(messageKey) } }, { limit: 20 })
  for (const id of bounce.originals) {
    const row = rows.find(({ messageId }) => messageId === id)
    if (row && readMessageId((text) => ctx.sign(text), id)) return row
  }
  return undefined
}

async function takeBounce(
  ctx: PluginContext,
  mailbox: Mailbox,
  letter: Letter,
  bounce: Bounce,
  original: LetterRow,
  rawFileId: string | undefined,
  emit: Emit,
): Promise<Taken> {
  await ctx.em().nativeUpdate(LetterRow, { id: original.id }, { state: 'returned' })
  const { recipient, status, diagnostic } = bounce
  const detail = [recipient, status, diagnostic].filter(Boolean).join(' · ')
  const accepted = await hand(ctx, emit, {
    kind: 'failure',
    externalId: letter.fingerprint,
    from: { externalId: recipient ?? letter.from?.address ?? mailbox.address },
    messageExternalId: original.externalId,
    reason: reasonOf(bounce),
    ...(detail ? { detail: cut(detail, 400) } : {}),
  })
  if (rawFileId) ctx.log.debug({ inbox: mailbox.inboxId, rawFileId }, 'a letter came back')
  return accepted ? 'failure' : 'refused'
}

/** In the words of the sending faults, so that the workbench says the same for a refusal at once and one that came later. */
function reasonOf({ status, diagnostic }: Bounce): string {
  if (/^5\.1\.(?:1|2|3|10)/.test(status ?? '') || /user unknown|no such user|does not exist|不存在/i.test(diagnostic)) return 'recipient-unknown'
  if (/^[45]\.2\.2/.test(status ?? '') || /full|quota|已满/i.test(diagnostic)) return 'recipient-full'
  if (/^5\.3\.4|^5\.2\.3/.test(status ?? '')) return 'too-large'
  if (/^5\.7/.test(status ?? '') || /spam|垃圾/i.test(diagnostic)) return 'spam-refused'
  return 'returned'
}
