/**
 * A letter out: composed, its id written down, handed to the provider. SMTP cannot recognise a repeat, so after the last
 * byte has left and no answer came its fate is unknown; before a letter is tried again the Sent folder is asked for it.
 */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type ChannelInbox, type LocalText, type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { sanitizeLetter } from '@huike/core/sdk/sanitize-letter.ts'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { wasSent } from './append-sent.ts'
import { type Attached, type Composed, composeLetter } from './compose.ts'
import { connectSmtp, patience, waitFor } from './connect.ts'
import { explainFault, type Fault, faultOf, sentenceOf } from './faults.ts'
import { type Mailbox, mailboxOf } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { changeFate, fateOf } from './letter-fate.ts'
import { placeWaiting } from './place-waiting.ts'
import { standsForMarkup } from './plain-part.ts'
import { readMail } from './read-mail.ts'
import { idGivenBy } from './relay-id.ts'
import { envelopeIdOf, isTest, letterId, makeMessageId, makeReplyAddress, noteRelayId, rememberLetter } from './thread.ts'

/** What most providers take, encoded; the files themselves may be about three quarters of it. */
const maxLetterBytes = 25 * 1024 * 1024

export async function sendMail(ctx: PluginContext, message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId: string }> {
  const mailbox = mailboxOf(inbox)
  const em = ctx.em()
  const earlier = await em.find(
    LetterRow,
    { conversationId: message.conversationId, hubMessageId: message.id, direction: 'out' },
    { limit: 100, disableIdentityMap: true },
  )
  const returned = earlier.filter(({ state }) => state === 'returned').length
  const made = makeMessageId((text) => ctx.sign(text), message.conversationId, message.id, mailbox.address.split('@')[1] || 'localhost', returned)
  // What it was called once it is called, also when the mailbox has another domain by now: under its name it is known here and in Sent.
  const messageId = newest(earlier.filter((row) => envelopeIdOf(row.messageId) === envelopeIdOf(made)))?.messageId ?? made
  const id = letterId(inbox.id, messageId)
  const before = earlier.find((row) => row.id === id)
  // A crash after the answer came and before the hub heard of it. Where an earlier try came back, it may be from others since.
  if (before?.state === 'sent' && returned === 0) return { externalId: messageId }
  const inDoubt = before && (before.state === 'sending' || before.state === 'unknown') ? before : undefined
  // A copy in Sent is of the hand-over by which some have it, and says nothing of the others: whether they are to get it,
  // perhaps twice, a person decides, who begins a round by that.
  const someHave = inDoubt !== undefined && fateOf(inDoubt).delivered.size > 0
  if (someHave && inDoubt.round >= message.round) throw new SendError('interrupted', { retry: 'unknown' })
  if (inDoubt && !someHave && (await wentToAll(ctx, message, mailbox, inDoubt))) return { externalId: messageId }
  const composed = await compose(ctx, message, mailbox, messageId)
  await rememberLetter(
    em,
    {
      inboxId: inbox.id,
      messageId,
      externalId: messageId,
      direction: 'out',
      conversationId: message.conversationId,
      hubMessageId: message.id,
      seq: message.seq,
      fromAddress: mailbox.address,
      subject: composed.subject,
      references: composed.references.join(' '),
      rawFileId: null,
      state: 'sending',
    },
    isTest({ conversationId: message.conversationId, hubMessageId: message.id }) ? [] : composed.participants,
  )
  // Who was refused for good, or returned it, is asked again only when a person wants it so.
  const { round } = message
  const last = newest(earlier)
  const lost = !before && last?.round === round ? fateOf(last).refused : []
  const fate = await changeFate(ctx.em(), id, ({ refused }, row) => {
    if (row.round < round) refused.clear()
    row.round = Math.max(row.round, round)
    for (const [address, said] of lost) refused.set(address, said)
    return undefined
  })
  // Who has it gets no second one, whichever try it was.
  const had = new Set([...fate.delivered, ...earlier.filter((row) => row.id !== id).flatMap((row) => [...fateOf(row).delivered])])
  const to = composed.envelope.to.filter((address) => !had.has(address) && !fate.refused.has(address))
  let handed: HandedOver = { refusals: [] }
  const envelope: Envelope = { ...composed.envelope, to, size: composed.raw.length }
  try {
    if (to.length > 0) handed = await handOver(ctx, mailbox, { ...composed, envelope }, message, to.length < composed.envelope.to.length)
  } catch (error) {
    const failure = error instanceof SendError ? error : new SendError('smtp', { retry: true, message: (error as Error).message, fault: notHandedOver })
    const unknown = failure.retry === 'unknown'
    await changeFate(ctx.em(), id, ({ refused }) => {
      // Before the line broke some had been refused, for now or for good: a copy that the provider kept is not theirs.
      if (unknown) for (const { address, said } of refusalsIn(envelope, mailbox)) refused.set(address, said)
      return unknown ? 'unknown' : had.size > 0 ? 'partial' : 'failed'
    })
    throw failure
  }
  const { refusals, answer = '' } = handed
  const taken = to.filter((address) => !refusals.some((refusal) => refusal.address === address))
  const noted = await changeFate(ctx.em(), id, (fate, { state }) => {
    // It came back already: the report tells of that one.
    for (const address of taken) if (!fate.refused.has(address)) fate.delivered.add(address)
    for (const { address, fault, said } of refusals) if (!fault.retry) fate.refused.set(address, said)
    if (state === 'returned') return undefined
    return refusals.length === 0 && fate.refused.size === 0 ? 'sent' : had.size + fate.delivered.size > 0 ? 'partial' : 'failed'
  }).catch((error: Error) => {
    if (taken.length === 0) throw error
    // It is out, and that cannot be written down: a next try would learn of it neither here nor in Sent, and so there must be none.
    if (refusals.length + fate.refused.size > 0) throw new SendError('interrupted', { retry: 'unknown', message: error.message })
    ctx.log.warn({ err: error, letter: id }, 'a letter went out, and that could not be noted')
    return undefined
  })
  if (!noted) return { externalId: messageId }
  const { refused } = noted
  await noteRelayId(em, inbox.id, messageId, idGivenBy(mailbox.smtp.host, answer))
  for (const address of taken) refused.delete(address)
  const whole = refusals.length === 0 && refused.size === 0
  const reached = new Set([...had, ...taken].filter((address) => !refused.has(address)))
  const { saveSent } = mailbox.settings
  if (had.size === 0 && taken.length > 0 && (saveSent === 'always' || (saveSent === 'auto' && !mailbox.preset.savesSent)))
    await ctx.enqueue(
      'append-sent',
      { inboxId: inbox.id, messageId, at: Date.now(), raw: await keep(ctx, inbox.id, composed.raw) },
      { key: `sent:${message.id}` },
    )
  if (whole) return { externalId: messageId }
  // Some have it: from now on it has its name, so that their answers and a late return are known to be about it.
  if (reached.size > 0) await message.progress(1, messageId)
  throw partlyRefused(composed.envelope.to.length, reached.size, refused, refusals, taken.length > 0)
}

/**
 * Is a copy of it in Sent? Then it went out, to all whom nobody had refused it for: whether that is everybody. Throws where Sent
 * could not be looked at: then nothing is known of it, and it may not leave a second time.
 */
async function wentToAll(ctx: PluginContext, message: OutboundMessage, mailbox: Mailbox, { id, inboxId, messageId }: LetterRow): Promise<boolean> {
  const there = await wasSent(ctx, mailbox, messageId).catch((error: unknown) => {
    throw notLookedFor(explainFault(error, mailbox.preset, mailbox.imap))
  })
  if (!there) return false
  await noteRelayId(ctx.em(), inboxId, messageId, there)
  const everybody = await compose(ctx, message, mailbox, messageId).then(
    ({ envelope }) => envelope.to,
    () => [],
  )
  const { refused } = await changeFate(ctx.em(), id, (fate) => {
    for (const address of everybody) if (!fate.refused.has(address)) fate.delivered.add(address)
    return fate.refused.size === 0 ? 'sent' : 'partial'
  })
  return refused.size === 0
}

/** Not tried again by itself: its fate is as unknown as before, what waits behind it may leave, and an agent decides when to look again. */
const notLookedFor = ({ error, said }: Fault): SendError =>
  new SendError('sent-not-asked', {
    retry: 'unknown',
    message: said || error.en,
    sentence: {
      zh: `这封邮件可能已经发出。重发之前要先查看“已发送”文件夹，现在查看不了：${error.zh}${said ? `（服务器说：${said}）` : ''}为避免重复，没有再次发送，请稍后再点重发；如果确定没有发出，请另写一封。`,
      en: `This letter may have gone out. Before it is sent again the Sent folder is looked at, which is not possible now: ${error.en}${said ? ` (The server said: ${said})` : ''} So that nobody gets it twice it was not sent; send it again later. If it certainly did not go out, write it anew.`,
    },
  })

/** What an agent reads when not everybody got the letter. Tried again by itself while it may help, and only for those without it. `went`: to some just now, so the way is open. */
function partlyRefused(all: number, delivered: number, refused: ReadonlyMap<string, string>, refusals: readonly Refusal[], went: boolean): SendError {
  const waiting = refusals.filter(({ fault }) => fault.retry)
  const lines = [...waiting.map(({ address, said }) => [address, said] as const), ...refused]
  const who = (mark: string) =>
    lines
      .slice(0, 10)
      .map(([address, said]) => `${address}${said ? `${mark}${said.slice(0, 160)}` : ''}`)
      .join(mark === '：' ? '；' : '; ') + (lines.length > 10 ? ' …' : '')
  const next =
    waiting.length > 0
      ? { zh: '会自动再试。', en: 'It is tried again by itself.' }
      : { zh: '重发只发给没有收到的人。', en: 'Sending again reaches only those without it.' }
  const fault = {
    zh: `${all} 位收件人中 ${delivered} 位已送达，${lines.length} 位没有收到：${who('：')}`,
    en: `${delivered} of ${all} recipients have it, ${lines.length} do not: ${who(': ')}`,
  }
  return new SendError(waiting.length > 0 ? 'recipients-waiting' : 'recipients-refused', {
    retry: waiting.length > 0,
    ofMessage: went || waiting.every((refusal) => refusal.fault.ofLetter),
    sentence: { zh: `${fault.zh}。${next.zh}`, en: `${fault.en}. ${next.en}` },
    fault,
  })
}

const notHandedOver: LocalText = { zh: '邮件没有交给邮件服务器', en: 'the letter was not handed to the mail server' }

/** Each try of a letter that came back has a row of its own. */
const newest = (rows: readonly LetterRow[]): LetterRow | undefined => rows.toSorted((a, b) => a.at.getTime() - b.at.getTime()).at(-1)

/** The copy waits in the hub's storage: a job's data is no place for a letter with its files. */
async function keep(ctx: PluginContext, inboxId: string, raw: Buffer): Promise<string> {
  const part = await ctx.storeFile(inboxId, { name: 'sent.eml', bytes: raw, as: 'file' })
  return 'fileId' in part ? part.fileId : ''
}

async function compose(ctx: PluginContext, message: OutboundMessage, mailbox: Mailbox, messageId: string): Promise<Composed> {
  const em = ctx.em()
  const { conversationId, seq } = message
  // Never of what came after it was written: a later try goes to whom the first one went to, and quotes nobody's newer words to them.
  const lastOf = async (direction: LetterRow['direction'], state: LetterRow['state']) => {
    const earlier = { conversationId, direction, state, seq: { $lt: seq } }
    const [row] = await em.find(LetterRow, earlier, { orderBy: { seq: 'desc' }, limit: 1, disableIdentityMap: true })
    return row
  }
  const answered = message.replyToExternalId
    ? await em.findOne(LetterRow, { id: letterId(mailbox.inboxId, message.replyToExternalId) }, { disableIdentityMap: true })
    : undefined
  await placeWaiting(ctx, mailbox, message)
  // The letter the agent answers, or the customer's last one before it; a machine's only where there is nothing else.
  const last = answered ?? (await lastOf('in', 'received')) ?? (await lastOf('in', 'automatic'))
  const previous = last ?? (await lastOf('out', 'sent'))
  const sign = (text: string) => ctx.sign(text)
  const words = last && mailbox.settings.quotePrevious ? await wordsOf(ctx, last) : undefined
  const composed = await composeLetter({
    mailbox,
    message,
    messageId,
    ...(previous ? { previous } : {}),
    ...(words ? { previousWords: words } : {}),
    files: await filesOf(ctx, message),
    ...(mailbox.settings.replyToken && !isTest({ conversationId, hubMessageId: message.id })
      ? { replyTo: makeReplyAddress(sign, mailbox.address, conversationId) }
      : {}),
    loopMark: loopMarkOf(sign, messageId),
    at: new Date(),
  })
  if (composed.raw.length > maxLetterBytes)
    throw new SendError('too-large', {
      retry: false,
      sentence: { zh: '邮件太大（含附件最多约 18 MB），请改用链接发送。', en: 'The letter is too large (about 18 MB of files at most): send a link instead.' },
    })
  return composed
}

/** `<message id> <stamp>`: proves that this hub wrote it. */
export const loopMarkOf = (sign: (text: string) => string, messageId: string): string => `${messageId} ${sign(`loop:${messageId}`)}`
export function loopMarkHolds(sign: (text: string) => string, mark: string): boolean {
  const [messageId = '', stamp] = mark.trim().split(/\s+/)
  return stamp !== undefined && stamp === sign(`loop:${messageId}`)
}

async function wordsOf(ctx: PluginContext, letter: LetterRow) {
  const stored = letter.rawFileId ? await ctx.file(letter.rawFileId) : undefined
  if (!stored) return undefined
  const read = readMail(await buffer(await stored.open()))
  const marked = read.html === undefined ? undefined : sanitizeLetter(read.html)
  const shown = [marked?.text, marked?.quoted].filter(Boolean).join('\n\n')
  const plain = read.text?.trim() ?? ''
  const text = plain && !standsForMarkup(plain, shown) ? plain : shown
  return text && read.from ? { from: read.from, at: read.date ?? letter.at, text } : undefined
}

async function filesOf(ctx: PluginContext, { parts }: OutboundMessage): Promise<Attached[]> {
  const wanted = parts.flatMap((part): { fileId: string; cid?: string }[] => {
    if (part.type === 'image' || part.type === 'file' || part.type === 'audio' || part.type === 'video') return [{ fileId: part.fileId }]
    return part.type === 'html' ? (part.inline ?? []) : []
  })
  const files: Attached[] = []
  let bytes = 0
  for (const { fileId, cid } of wanted) {
    const file = await ctx.file(fileId)
    if (!file) throw new SendError('file-gone', { retry: false, sentence: { zh: '附件已不存在，请重新上传。', en: 'An attachment is gone: upload it again.' } })
    bytes += file.size
    if (bytes > maxLetterBytes)
      throw new SendError('too-large', {
        retry: false,
        sentence: { zh: '附件太大，请改用链接发送。', en: 'The attachments are too large: send a link instead.' },
      })
    files.push({ name: file.name, mime: file.mime, bytes: await buffer(await file.open()), ...(cid ? { cid } : {}) })
  }
  return files
}

const quarterMs = 15 * 60_000

interface Refusal {
  address: string
  fault: Fault
  said: string
}
interface HandedOver {
  refusals: Refusal[]
  /** What the server said when it took it. */
  answer?: string
}
type Rejected = Error & { recipient?: string; response?: string }
/** What the library is given; it notes in it whom the server refused. */
type Envelope = Composed['envelope'] & { size: number; rejectedErrors?: Rejected[] }

function refusalOf({ preset, smtp }: Mailbox, error: Rejected): Refusal {
  const fault = explainFault(error, preset, smtp)
  return { address: error.recipient ?? '', fault, said: fault.said || fault.error.en }
}
const refusalsIn = ({ rejectedErrors = [] }: Envelope, mailbox: Mailbox): Refusal[] => rejectedErrors.map((error) => refusalOf(mailbox, error))

/**
 * Hands it to the provider; returns whom it was refused for when others have it (`more`: there are some who are not asked now), or
 * when there are several and nobody has.
 * Throws SendError: `true` when the server has not taken it, `false` when it never will, `'unknown'` when nobody knows.
 */
async function handOver(
  ctx: PluginContext,
  mailbox: Mailbox,
  { raw, envelope }: Pick<Composed, 'raw'> & { envelope: Envelope },
  { attempt, signal }: Pick<OutboundMessage, 'attempt' | 'signal'>,
  more: boolean,
): Promise<HandedOver> {
  const fail = (fault: Fault, retry: boolean | 'unknown', retryAfterMs?: number): SendError =>
    new SendError(fault.code, {
      retry,
      message: fault.said || fault.error.en,
      sentence: sentenceOf(fault, retry === true),
      fault: faultOf(fault),
      ofMessage: fault.ofLetter,
      ...(retryAfterMs ? { retryAfterMs } : fault.code === 'rate-limited' ? { retryAfterMs: 10 * 60_000 } : {}),
    })
  let connection: SMTPConnection
  try {
    connection = await connectSmtp(ctx, mailbox)
  } catch (error) {
    const fault = explainFault(error, mailbox.preset, mailbox.smtp)
    // Nothing of the letter has left, and nothing of it is at fault. What does not pass by itself (a wrong password, a
    // certificate) an admin may mend meanwhile: the letter waits a day, but not eagerly, since providers lock accounts.
    const failure = fail(fault, true, fault.retry ? undefined : Math.min(attempt, 4) * quarterMs)
    // Whoever reads the mailbox may be let in all the while and knows nothing of it.
    if (fault.unauthorised)
      await ctx.health(mailbox.inboxId, { state: 'unauthorised', error: fault.error, remedy: fault.remedy, code: fault.code, onlySending: true })
    throw failure
  }
  // The server takes a letter with the dot after its last byte: until the stream is drained it cannot have.
  let drained = false
  const body = Readable.from(
    chunksOf(raw, () => {
      drained = true
      waitFor(connection, patience.toTake)
    }),
    { objectMode: false },
  )
  try {
    signal.throwIfAborted()
    waitFor(connection, patience.toAnswer)
    const info = await new Promise<SMTPConnection.SentMessageInfo>((resolve, reject) => {
      connection.once('error', reject)
      connection.send(envelope, body, (error, done) => (error ? reject(error) : resolve(done as SMTPConnection.SentMessageInfo)))
    })
    connection.quit()
    return { refusals: ((info.rejectedErrors ?? []) as Rejected[]).map((error) => refusalOf(mailbox, error)), answer: info.response }
  } catch (error) {
    connection.close()
    if (error === signal.reason) throw error
    const fault = explainFault(error, mailbox.preset, mailbox.smtp)
    const several = (error as { rejectedErrors?: Rejected[] }).rejectedErrors ?? []
    if (several.length > (more ? 0 : 1)) return { refusals: several.map((one) => refusalOf(mailbox, one)) }
    const reply = (error as { responseCode?: number }).responseCode
    if (reply) throw fail(fault, reply < 500)
    // The library itself minds the size that the server told.
    throw fail(fault, drained ? 'unknown' : fault.code !== 'too-large')
  }
}

function* chunksOf(raw: Buffer, drained: () => void): Generator<Buffer> {
  const size = 64 * 1024
  for (let at = 0; at < raw.length; at += size) {
    const last = at + size >= raw.length
    // Told before the last chunk is out: the moment between must count as unknown, not as safe.
    if (last) drained()
    yield raw.subarray(at, at + size)
  }
}
