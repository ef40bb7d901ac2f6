/**
 * A letter out: composed, its id written down, handed to the provider. SMTP cannot recognise a repeat, so after the last
 * byte has left and no answer came its fate is unknown; before a letter is tried again the Sent folder is asked for it.
 */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type ChannelInbox, type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { wasSent } from './append-sent.ts'
import { type Attached, type Composed, composeLetter } from './compose.ts'
import { connectSmtp } from './connect.ts'
import { explainFault, type Fault, sentenceOf } from './faults.ts'
import { type Mailbox, mailboxOf } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { readMail } from './read-mail.ts'
import { letterId, makeMessageId, makeReplyAddress, rememberLetter } from './thread.ts'

/** What most providers take, encoded; the files themselves may be about three quarters of it. */
const maxLetterBytes = 25 * 1024 * 1024

export async function sendMail(ctx: PluginContext, message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId: string }> {
  const mailbox = mailboxOf(inbox)
  const em = ctx.em()
  const returned = await em.count(LetterRow, { conversationId: message.conversationId, hubMessageId: message.id, state: 'returned' })
  const messageId = makeMessageId((text) => ctx.sign(text), message.conversationId, message.id, mailbox.address.split('@')[1] || 'localhost', returned)
  const before = await em.findOne(LetterRow, { id: letterId(inbox.id, messageId) }, { disableIdentityMap: true })
  // A crash after the answer came and before the hub heard of it.
  if (before?.state === 'sent') return { externalId: messageId }
  if (before && (before.state === 'sending' || before.state === 'unknown')) {
    const there = await wasSent(ctx, mailbox, messageId).catch(() => false)
    if (there) {
      await mark(ctx, before.id, 'sent')
      return { externalId: messageId }
    }
  }
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
      fromAddress: mailbox.address,
      subject: composed.subject,
      references: composed.references.join(' '),
      rawFileId: null,
      state: 'sending',
    },
    composed.participants,
  )
  const id = letterId(inbox.id, messageId)
  try {
    await handOver(ctx, mailbox, composed)
  } catch (error) {
    const failure = error instanceof SendError ? error : new SendError('smtp', { retry: true, message: (error as Error).message })
    await mark(ctx, id, failure.retry === 'unknown' ? 'unknown' : 'failed')
    throw failure
  }
  await mark(ctx, id, 'sent')
  const { saveSent } = mailbox.settings
  if (saveSent === 'always' || (saveSent === 'auto' && !mailbox.preset.savesSent))
    await ctx.enqueue(
      'append-sent',
      { inboxId: inbox.id, messageId, at: Date.now(), raw: await keep(ctx, inbox.id, composed.raw) },
      { key: `sent:${message.id}` },
    )
  return { externalId: messageId }
}

/** The copy waits in the hub's storage: a job's data is no place for a letter with its files. */
async function keep(ctx: PluginContext, inboxId: string, raw: Buffer): Promise<string> {
  const part = await ctx.storeFile(inboxId, { name: 'sent.eml', bytes: raw, as: 'file' })
  return 'fileId' in part ? part.fileId : ''
}

async function mark(ctx: PluginContext, id: string, state: LetterRow['state']): Promise<void> {
  await ctx.em().nativeUpdate(LetterRow, { id }, { state })
}

async function compose(ctx: PluginContext, message: OutboundMessage, mailbox: Mailbox, messageId: string): Promise<Composed> {
  const em = ctx.em()
  const { conversationId } = message
  // The letter the agent answers, or the customer's last one.
  const answered = message.replyToExternalId
    ? await em.findOne(LetterRow, { id: letterId(mailbox.inboxId, message.replyToExternalId) }, { disableIdentityMap: true })
    : null
  const [last] = answered
    ? [answered]
    : await em.find(LetterRow, { conversationId, direction: 'in' }, { orderBy: { at: 'desc' }, limit: 1, disableIdentityMap: true })
  const [ours] = last
    ? [last]
    : await em.find(LetterRow, { conversationId, direction: 'out', state: 'sent' }, { orderBy: { at: 'desc' }, limit: 1, disableIdentityMap: true })
  const sign = (text: string) => ctx.sign(text)
  const words = last && mailbox.settings.quotePrevious ? await wordsOf(ctx, last) : undefined
  const composed = await composeLetter({
    mailbox,
    message,
    messageId,
    ...(ours ? { previous: ours } : {}),
    ...(words ? { previousWords: words } : {}),
    files: await filesOf(ctx, message),
    ...(mailbox.settings.replyToken ? { replyTo: makeReplyAddress(sign, mailbox.address, conversationId) } : {}),
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
  const text = read.text?.trim()
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

/** Throws SendError: `true` when the server has not taken it, `false` when it never will, `'unknown'` when nobody knows. */
async function handOver(ctx: PluginContext, mailbox: Mailbox, composed: Composed): Promise<void> {
  const fail = (fault: Fault, retry: boolean | 'unknown'): SendError =>
    new SendError(fault.code, {
      retry,
      message: fault.said || fault.error.en,
      sentence: sentenceOf(fault),
      ...(fault.code === 'rate-limited' ? { retryAfterMs: 10 * 60_000 } : {}),
    })
  let connection: SMTPConnection
  try {
    connection = await connectSmtp(ctx, mailbox)
  } catch (error) {
    const fault = explainFault(error, mailbox.preset, mailbox.smtp)
    // A wrong password today may be right after the admin has mended it: the letter waits rather than dies, but not eagerly.
    const failure = fail(fault, fault.retry || fault.unauthorised || fault.code === 'not-configured')
    if (fault.unauthorised) await ctx.health(mailbox.inboxId, { state: 'unauthorised', error: fault.error, remedy: fault.remedy, code: fault.code })
    throw failure
  }
  // The server takes a letter with the dot after its last byte: until the stream is drained it cannot have.
  let drained = false
  const body = Readable.from(
    chunksOf(composed.raw, () => (drained = true)),
    { objectMode: false },
  )
  try {
    const info = await new Promise<SMTPConnection.SentMessageInfo>((resolve, reject) => {
      connection.once('error', reject)
      connection.send({ ...composed.envelope, size: composed.raw.length }, body, (error, done) =>
        error ? reject(error) : resolve(done as SMTPConnection.SentMessageInfo),
      )
    })
    if (info.rejected.length > 0) ctx.log.warn({ inbox: mailbox.inboxId, rejected: info.rejected.length }, 'a server refused some recipients of a letter')
    connection.quit()
  } catch (error) {
    connection.close()
    const fault = explainFault(error, mailbox.preset, mailbox.smtp)
    const reply = (error as { responseCode?: number }).responseCode
    if (reply) throw fail(fault, reply < 500)
    throw fail(fault, drained ? 'unknown' : true)
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
