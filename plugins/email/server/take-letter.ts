/**
 * What happens to one raw mail: stored as it came → read → judged (a person, a machine, a bounce, our own) → its thread found
 * → told to the hub → remembered. Only then may the mailbox go on. Killed anywhere, the same mail comes again and changes nothing.
 */
import type { Accepted, ChannelInbox, InboundEvent, LetterAddress, LetterMeta, LocalText } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { sanitizeLetter, stripTags } from '@huike/core/sdk/sanitize-letter.ts'
import { splitQuote } from '@huike/core/sdk/split-quote.ts'
import { readAuthenticity } from './authenticity.ts'
import { classifyLetter, loopHeader, whoFilledIn } from './classify.ts'
import { explainFault } from './faults.ts'
import { type Mailbox, mailboxOf, unverified } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { changeFate, noteReturn } from './letter-fate.ts'
import { standsForMarkup } from './plain-part.ts'
import { type Bounce, type FailedRecipient, readBounce } from './read-bounce.ts'
import { escapeHtml, type Letter, type LetterFile, readMail } from './read-mail.ts'
import { readReceipt } from './read-receipt.ts'
import { loopMarkHolds } from './send-mail.ts'
import { findThread, messageKey, participantsOf, readMessageId, rememberLetter, suggestThread, takesPart } from './thread.ts'

export type Emit = (events: InboundEvent[]) => Promise<Accepted[]>
export type Taken = 'message' | 'failure' | 'own' | 'refused'

/** `cut`: `raw` is only its beginning. */
export async function takeLetter(ctx: PluginContext, inbox: ChannelInbox, raw: Buffer, receivedAt: Date, emit: Emit, cut = false): Promise<Taken> {
  const mailbox = mailboxOf(inbox)
  const letter = readMail(raw, cut)
  const sign = (text: string) => ctx.sign(text)
  const kind = classifyLetter(letter, (mark) => loopMarkHolds(sign, mark), mailbox.own)
  // What we sent ourselves comes back as a copy; the hub has it. To another of the hub's mailboxes it is a letter like any.
  if (kind === 'own' && (await isOurs(ctx, mailbox, letter))) return 'own'
  const rawFileId = await storeRaw(ctx, inbox.id, letter, raw)
  const take = (one: Letter, extra: Pick<LetterMeta, 'automatic' | 'receipt'>) => takeMessage(ctx, mailbox, one, extra, rawFileId, receivedAt, emit)
  if (kind === 'receipt') {
    const { receipt, originals } = readReceipt(letter)
    return take({ ...letter, answers: [...new Set([...originals, ...letter.answers])] }, { automatic: true, ...(receipt ? { receipt } : {}) })
  }
  if (kind === 'bounce') {
    const bounce = readBounce(letter)
    const original = bounce.failed.length > 0 ? await findOriginal(ctx, mailbox, bounce) : undefined
    if (original) return takeBounce(ctx, mailbox, letter, bounce.failed, original, rawFileId, emit)
  }
  return take(letter, kind === 'personal' ? {} : { automatic: true })
}

/** By its Message-ID; of a letter in our name also by the mark, which begins with the id we gave: a relay may have given another. */
async function isOurs(ctx: PluginContext, mailbox: Mailbox, { messageId, from, headers }: Letter): Promise<boolean> {
  const [marked] = ours(mailbox, from?.address ?? '') ? (headers.raw(loopHeader)?.trim().split(/\s+/) ?? []) : []
  const keys = [messageId, marked].filter((id) => id !== undefined).map(messageKey)
  return (await ctx.em().count(LetterRow, { inboxId: mailbox.inboxId, messageKey: { $in: keys }, direction: 'out' })) > 0
}

/** The letter as it came, kept before anything is acknowledged. The hub takes more than the mailbox's watch hands over (`maxLetterBytes`). */
async function storeRaw(ctx: PluginContext, inboxId: string, letter: Letter, raw: Buffer): Promise<string | undefined> {
  const part = await ctx.storeFile(inboxId, { name: `${[...(letter.subject || 'letter')].slice(0, 80).join('')}.eml`, bytes: raw, as: 'file' })
  return 'fileId' in part ? part.fileId : undefined
}

// ── a message ────────────────────────────────────────────────────────────────────────────────────────────────────

async function takeMessage(
  ctx: PluginContext,
  mailbox: Mailbox,
  received: Letter,
  { automatic = false, receipt }: Pick<LetterMeta, 'automatic' | 'receipt'>,
  rawFileId: string | undefined,
  receivedAt: Date,
  emit: Emit,
): Promise<Taken> {
  const auth = authOf(received, mailbox)
  // What a form sends is its filler's letter; of who that is, the site's word is all there is.
  const filler = automatic || auth?.dmarc === 'fail' ? undefined : whoFilledIn(received, mailbox.own)
  const letter = filler ? { ...received, from: filler, replyTo: [] } : received
  const sender = letter.from?.address
  // The mailbox's own server says that it is not from there. Whoever forges a sender does not get into a conversation by it:
  // they are a person of their own, whose name nobody else can have.
  const forged = auth?.dmarc === 'fail'
  // Of whom nothing can be read, no two letters are of the same person.
  const senderId = !sender ? `${unverified}${letter.fingerprint}` : forged ? `${unverified}${sender}` : sender
  const verified = auth?.dmarc === 'pass' && !filler
  const threading = await findThread(ctx.em(), (text) => ctx.sign(text), mailbox.inboxId, letter)
  if (threading.stranger) ctx.log.warn({ inbox: mailbox.inboxId }, 'a letter answers a conversation its sender takes no part in; it gets one of its own')
  const thread = forged ? undefined : threading.thread
  // A letter "from ourselves" that we did not write is a loop or a forgery: shown, but nobody is woken.
  const quiet = automatic || ours(mailbox, sender ?? '')
  const answers = await whereAnswersGo(ctx, mailbox, letter, auth?.dmarc, thread?.conversationId)
  const related =
    thread || threading.stranger || quiet || forged ? undefined : await suggestThread(ctx.em(), mailbox.inboxId, letter, mailbox.settings.subjectDays)
  const meta: LetterMeta = {
    ...(letter.subject ? { subject: letter.subject } : {}),
    ...(letter.from ? { from: letter.from } : {}),
    to: letter.to.slice(0, 100),
    cc: letter.cc.slice(0, 100),
    ...(answers.asked.length > 0 ? { replyTo: answers.asked } : {}),
    ...(answers.doubtful ? { replyToDoubtful: true } : {}),
    ...(related ? { relatedConversationId: related } : {}),
    ...(auth && !filler ? { auth } : {}),
    ...(quiet ? { automatic: true } : {}),
    ...(receipt ? { receipt } : {}),
    ...(rawFileId ? { rawFileId } : {}),
  }
  const externalId = letter.fingerprint
  const named = sender ?? [...letter.headers.text('from')].slice(0, 100).join('')
  const accepted = await hand(ctx, emit, {
    kind: 'message',
    externalId,
    from:
      forged || !sender
        ? // No name or address of the one they pretend to be: nothing is to link, find or show them as that one.
          { externalId: senderId, ...(named ? { name: `⚠ ${named}` } : {}) }
        : {
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
      fromAddress: senderId.slice(0, 190),
      subject: letter.subject,
      references: letter.references.slice(-50).join(' '),
      rawFileId: rawFileId ?? null,
      replyTo: answers.doubtful ? null : joined(answers.asked),
      state: receipt ? 'receipt' : quiet ? 'automatic' : 'received',
    },
    participantsOf(mailbox, senderId, meta),
  )
  return 'message'
}

/** With several authors the verdict is on one of them, and nobody knows which (RFC 7489, 6.6.1). */
function authOf({ headers, severalAuthors }: Letter, { trusted }: Mailbox): LetterMeta['auth'] {
  const auth = readAuthenticity(headers, trusted)
  if (auth?.dmarc !== 'pass' || !severalAuthors) return auth
  const { dmarc: _one, ...rest } = auth
  return rest
}

const joined = (addresses: readonly LetterAddress[]): string | null =>
  addresses.length === 0
    ? null
    : addresses
        .map(({ address }) => address)
        .join(' ')
        .slice(0, 1000)

/**
 * Where the writer wants the answer (RFC 5322, 3.6.2), and whether to believe it. The same domain, a letter the mailbox's own
 * server vouches for, or one who takes part already may say so; and whoever writes for the first time, since a web form writes
 * in its site's name and has nothing else to tell the customer by. A stranger's address in a letter into a conversation that
 * runs is how one gets answers meant for somebody else: then the agent decides.
 */
async function whereAnswersGo(
  ctx: PluginContext,
  mailbox: Mailbox,
  letter: Letter,
  dmarc: string | undefined,
  conversationId: string | undefined,
): Promise<{ asked: LetterAddress[]; doubtful: boolean }> {
  const sender = letter.from?.address
  const asked = letter.replyTo.filter(({ address }) => !mailbox.own.has(address)).slice(0, 5)
  if (!sender || asked.every(({ address }) => address === sender)) return { asked: [], doubtful: false }
  if (dmarc === 'pass') return { asked, doubtful: false }
  if (dmarc === 'fail') return { asked, doubtful: true }
  const known = await Promise.all(
    asked.map(
      async ({ address }) =>
        address === sender || domainOf(address) === domainOf(sender) || (conversationId !== undefined && (await takesPart(ctx.em(), conversationId, address))),
    ),
  )
  if (known.every(Boolean)) return { asked, doubtful: false }
  const before =
    conversationId !== undefined ||
    (await ctx.em().findOne(LetterRow, { inboxId: mailbox.inboxId, fromAddress: sender }, { fields: ['id'], disableIdentityMap: true })) !== null
  return { asked, doubtful: before }
}

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

const ours = (mailbox: Mailbox, sender: string): boolean => mailbox.own.has(sender)

/** Not the letter's fault: the inbox is off, another process has it now, or the storage is away. It is there when they come back. */
export const waiting: ReadonlySet<string> = new Set([
  'HUB_CHANNEL_DISABLED',
  'HUB_CONFLICT',
  'HUB_NOT_FOUND',
  'HUB_STORAGE_UNAVAILABLE',
  'HUB_UNAVAILABLE',
  'HUB_DATA_SEALED',
])

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
/** What an html part may hold of the words, for lists and search; a longer letter is whole in its markup. */
const maxWords = 100_000
const shortened = (text: string, max: number): string => {
  const end = text.charCodeAt(max - 1)
  // Not through the middle of a pair.
  return text.length <= max ? text : text.slice(0, end >= 0xd800 && end <= 0xdbff ? max - 1 : max)
}

/** What an html part may hold. */
const maxMarkup = 500_000

const tooLarge: LocalText = {
  zh: '邮件太大，只收取了开头，附件可能不全。完整的邮件在邮箱里。',
  en: 'Too large: only the beginning was taken in, files may be missing. The mailbox has it whole.',
}
const tooMuch: LocalText = {
  zh: '邮件内容太多，没有全部显示。完整内容在邮件原文里。',
  en: 'There is more in this letter than is shown here. The raw letter has all of it.',
}

/** Words as one part, then the files. Files of the letter that its markup shows stand inside it. */
async function partsOf(ctx: PluginContext, inboxId: string, letter: Letter): Promise<MessagePart[]> {
  const parts: MessagePart[] = []
  const shown = new Set<LetterFile>()
  const safe = letter.html === undefined ? undefined : sanitizeLetter(letter.html)
  const files = [...letter.files]
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
    const own = letter.text?.trim() && !standsForMarkup(letter.text, `${safe.text}\n${safe.quoted}`)
    const plain = own ? splitQuote(letter.text as string) : undefined
    const text = plain?.text || safe.text
    const quoted = plain?.quoted || safe.quoted
    parts.push({
      type: 'html',
      html: safe.html,
      text: shortened(text, maxWords),
      ...(quoted ? { quoted: shortened(quoted, maxQuoted) } : {}),
      ...(inline.length > 0 ? { inline } : {}),
      ...(safe.remoteImages ? { remoteImages: true } : {}),
    })
  } else {
    const marked = letter.html ? stripTags(letter.html) : ''
    const plain = letter.text?.trim() ?? ''
    const whole = plain && !standsForMarkup(plain, marked) ? plain : marked
    const { text, quoted } = splitQuote(whole)
    // Quotation or length: both need the part that can hold them.
    if (quoted || text.length > maxTextPart) {
      const html = plainHtml(text, shortened(quoted, maxQuoted))
      if (!html.whole) exceeded.push('text')
      parts.push({ type: 'html', html: html.html, text: shortened(text, maxWords), ...(quoted ? { quoted: shortened(quoted, maxQuoted) } : {}) })
    } else if (text) parts.push({ type: 'text', text })
    // Markup too large or too deep to be shown safely is not lost: it is a file.
    if (letter.html && !safe) files.unshift({ name: 'letter.html', type: 'text/html', bytes: Buffer.from(letter.html), inline: false })
  }
  for (const file of files) {
    if (shown.has(file)) continue
    const part = await storeAs(ctx, inboxId, file)
    parts.push(part ?? { type: 'unsupported', raw: { name: file.name, type: file.type, size: file.bytes.length, reason: 'not stored' } })
  }
  if (exceeded.length > 0)
    parts.push({ type: 'card', kind: 'letter-limits', title: '', label: exceeded.includes('size') ? tooLarge : tooMuch, data: { exceeded } })
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
  return html.length <= maxMarkup ? { html, whole: true } : { html: `<div>${lines(shortened(text, Math.floor(maxMarkup / 6) - 10))}</div>`, whole: false }
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

/** Each recipient it came back from is told by itself: reports come one after another, and one report may name several. */
async function takeBounce(
  ctx: PluginContext,
  mailbox: Mailbox,
  letter: Letter,
  failed: readonly FailedRecipient[],
  original: LetterRow,
  rawFileId: string | undefined,
  emit: Emit,
): Promise<Taken> {
  const said = (one: FailedRecipient) => returnedWords(one, mailbox)
  await changeFate(ctx.em(), original.id, (fate, row) => {
    for (const one of failed) noteReturn(fate, row, one.address, one.diagnostic || one.status || said(one).en)
    return 'returned'
  })
  let taken: Taken = 'refused'
  for (const one of failed) {
    const accepted = await hand(ctx, emit, {
      kind: 'failure',
      externalId: one.address ? `${letter.fingerprint} ${one.address}` : letter.fingerprint,
      from: { externalId: one.address ?? letter.from?.address ?? mailbox.address },
      messageExternalId: original.externalId,
      reason: reasonOf(one),
      sentence: said(one),
      ...(one.address ? { recipient: one.address } : {}),
      ...(one.address && rawFileId ? { rawFileId } : {}),
    })
    if (accepted) taken = 'failure'
  }
  return taken
}

/** Who has not got it, why, and what the other server said. */
function returnedWords({ address, status, diagnostic }: FailedRecipient, { preset, smtp }: Mailbox): LocalText {
  const said = shortened([status && !diagnostic.includes(status) ? status : '', diagnostic].filter(Boolean).join(' '), 400)
  const fault = explainFault({ message: said, command: 'DATA' }, preset, smtp)
  // What the table does not know is not the mail server's refusal of us: then only its words stand here.
  const why = fault.code === 'refused-by-server' ? { zh: '', en: '' } : fault.error
  const who = address ?? ''
  return {
    zh: `退信：${who ? `${who} 没有收到这封邮件。` : '这封邮件没有送达。'}${why.zh}${said ? `（对方服务器说：${said}）` : ''}`,
    en: `Returned: ${who ? `${who} has not got this letter.` : 'this letter did not arrive.'}${why.en ? ` ${why.en}` : ''}${said ? ` (Their server said: ${said})` : ''}`,
  }
}

/** In the words of the sending faults, so that the workbench says the same for a refusal at once and one that came later. */
function reasonOf({ status, diagnostic }: FailedRecipient): string {
  if (/^5\.1\.(?:1|2|3|10)/.test(status ?? '') || /user unknown|no such user|does not exist|不存在/i.test(diagnostic)) return 'recipient-unknown'
  if (/^[45]\.2\.2/.test(status ?? '') || /full|quota|已满/i.test(diagnostic)) return 'recipient-full'
  if (/^5\.3\.4|^5\.2\.3/.test(status ?? '')) return 'too-large'
  if (/^5\.7/.test(status ?? '') || /spam|垃圾/i.test(diagnostic)) return 'spam-refused'
  return 'returned'
}
