/**
 * What happens to one raw mail: stored as it came → read → judged (a person, a machine, a bounce, our own) → its thread found
 * → told to the hub → remembered. Only then may the mailbox go on. Killed anywhere, the same mail comes again and changes nothing.
 */
import type { ChannelInbox, LetterAddress, LetterMeta } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { domainOf } from './authenticity.ts'
import { classifyLetter, isMachines, loopHeader } from './classify.ts'
import { type Emit, hand, type Taken } from './emit-letter.ts'
import { type Mailbox, mailboxOf, unmarked } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { partsOf } from './letter-parts.ts'
import { placeAnswered } from './place-waiting.ts'
import { readBounce } from './read-bounce.ts'
import { type Letter, readMail } from './read-mail.ts'
import { readReceipt } from './read-receipt.ts'
import { loopMarkHolds } from './send-mail.ts'
import { findOriginal, takeBounce } from './take-bounce.ts'
import {
  findThread,
  headKey,
  isTest,
  letterId,
  lettersNamed,
  noteRelayId,
  participantsOf,
  readMessageId,
  rememberLetter,
  rememberRefused,
  suggestThread,
  takesPart,
} from './thread.ts'
import { whoWrote } from './who-wrote.ts'

/** `cut`: `raw` is only its beginning. */
export async function takeLetter(ctx: PluginContext, inbox: ChannelInbox, raw: Buffer, receivedAt: Date, emit: Emit, cut = false): Promise<Taken> {
  const mailbox = mailboxOf(inbox)
  const letter = withoutMarks(readMail(raw, cut), mailbox)
  const sign = (text: string) => ctx.sign(text)
  const judged = classifyLetter(letter, (mark) => loopMarkHolds(sign, mark), mailbox.own)
  // What we sent ourselves comes back as a copy; the hub has it. To another of the hub's mailboxes it is a letter like any.
  if (judged === 'own' && (await isOurs(ctx, mailbox, letter))) return 'own'
  const kind = judged === 'own' ? classifyLetter(letter, () => false, mailbox.own) : judged
  // Deleted for good in the hub, and still in the mailbox: read anew, it does not come back.
  if (await wasPurged(ctx, mailbox, letter)) return 'refused'
  const rawFileId = await storeRaw(ctx, inbox.id, letter, raw)
  const stored = { rawFileId, headKey: headKey(letter.headers, raw.length) }
  const take = (one: Letter, extra: Pick<LetterMeta, 'automatic' | 'receipt'>) => takeMessage(ctx, mailbox, one, extra, stored, receivedAt, emit)
  if (kind === 'receipt') {
    const { receipt, originals } = readReceipt(letter)
    return take({ ...letter, answers: [...new Set([...originals, ...letter.answers])] }, { automatic: true, ...(receipt ? { receipt } : {}) })
  }
  if (kind === 'bounce') {
    const bounce = readBounce(letter)
    const original = bounce.failed.length > 0 ? await findOriginal(ctx, mailbox, bounce, receivedAt) : undefined
    if (original && !isTest(original)) return takeBounce(ctx, mailbox, letter, bounce.failed, original, rawFileId, emit)
    // Something of ours may not have arrived, and nobody knows what, or it was a test: a person has to look.
    if (bounce.failed.length > 0 && (original || !bounce.foreign)) return take(letter, {})
  }
  const automatic = kind !== 'personal' || (isMachines(letter, mailbox.own) && (await answersOurs(ctx, mailbox, letter)))
  return take(letter, automatic ? { automatic } : {})
}

/** Who answers to all of a marked letter writes to the mark: that is us, and gets no copy of what we answer. Where it was delivered to still says of which conversation it is. */
function withoutMarks(letter: Letter, mailbox: Mailbox): Letter {
  const bare = (one: LetterAddress): LetterAddress => ({ ...one, address: unmarked(one.address, mailbox) })
  const { from, replyTo, to, cc } = letter
  return { ...letter, from: from && bare(from), replyTo: replyTo.map(bare), to: to.map(bare), cc: cc.map(bare) }
}

/** Does it name a letter that this hub sent? */
async function answersOurs(ctx: PluginContext, { inboxId }: Mailbox, { answers }: Letter): Promise<boolean> {
  if (answers.some((id) => readMessageId((text) => ctx.sign(text), id))) return true
  return (await lettersNamed(ctx.em(), inboxId, answers)).some(({ direction }) => direction === 'out')
}

/** By its Message-ID; of a letter in our name also by the mark, which begins with the id we gave: a relay may have given another. */
async function isOurs(ctx: PluginContext, mailbox: Mailbox, { messageId, from, headers }: Letter): Promise<boolean> {
  const [marked] = ours(mailbox, from?.address ?? '') ? (headers.raw(loopHeader)?.trim().split(/\s+/) ?? []) : []
  const named = await lettersNamed(
    ctx.em(),
    mailbox.inboxId,
    [messageId, marked].filter((id) => id !== undefined),
  )
  const sent = named.find(({ direction }) => direction === 'out')
  if (sent) await noteRelayId(ctx.em(), mailbox.inboxId, sent.messageId, messageId)
  return sent !== undefined
}

async function wasPurged(ctx: PluginContext, { inboxId }: Mailbox, { fingerprint }: Letter): Promise<boolean> {
  return (await ctx.em().count(LetterRow, { id: letterId(inboxId, fingerprint), state: 'purged' })) > 0
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
  letter: Letter,
  { automatic = false, receipt }: Pick<LetterMeta, 'automatic' | 'receipt'>,
  { rawFileId, headKey }: { rawFileId: string | undefined; headKey: string },
  receivedAt: Date,
  emit: Emit,
): Promise<Taken> {
  const { author, form, id: senderId, apartAs, verified, forged, auth } = await whoWrote(ctx.em(), letter, mailbox, automatic)
  const sender = author?.address
  const theirs = author ? { ...letter, from: author } : letter
  await placeAnswered(ctx, mailbox, letter.answers)
  const threading = await findThread(ctx.em(), (text) => ctx.sign(text), mailbox.inboxId, theirs)
  if (threading.stranger) ctx.log.warn({ inbox: mailbox.inboxId }, 'a letter answers a conversation its sender takes no part in; it gets one of its own')
  const thread = apartAs === undefined ? threading.thread : undefined
  // A letter "from ourselves" that we did not write is a loop or a forgery: shown, but nobody is woken.
  const quiet = automatic || ours(mailbox, sender ?? '')
  const answers = form && author ? { asked: [author], doubtful: forged } : await whereAnswersGo(ctx, mailbox, letter, auth?.dmarc, thread?.conversationId)
  const apart = threading.stranger || quiet || apartAs !== undefined
  // A thread may have ended: what is answered in it then opens a conversation, which says of which one it is.
  const related = apart ? undefined : (thread?.conversationId ?? (await suggestThread(ctx.em(), mailbox.inboxId, theirs, mailbox.settings.subjectDays)))
  const meta: LetterMeta = {
    ...(letter.subject ? { subject: letter.subject } : {}),
    ...(letter.from ? { from: letter.from } : {}),
    to: letter.to.slice(0, 100),
    cc: letter.cc.slice(0, 100),
    ...(answers.asked.length > 0 ? { replyTo: answers.asked } : {}),
    ...(answers.doubtful ? { replyToDoubtful: true } : {}),
    ...(related ? { relatedConversationId: related } : {}),
    ...(auth ? { auth } : {}),
    ...(form ? { form } : {}),
    ...(quiet ? { automatic: true } : {}),
    ...(receipt ? { receipt } : {}),
    ...(rawFileId ? { rawFileId } : {}),
  }
  const externalId = letter.fingerprint
  const accepted = await hand(ctx, emit, {
    kind: 'message',
    externalId,
    from:
      apartAs !== undefined || !sender
        ? // No name or address of the one they pretend to be: nothing is to link, find or show them as that one.
          { externalId: senderId, ...(apartAs ? { name: `⚠ ${apartAs}` } : {}) }
        : {
            externalId: sender,
            email: sender,
            ...(author.name ? { name: author.name } : {}),
            verified,
            claims: [{ kind: 'email', value: sender, verified }],
          },
    parts: await partsOf(ctx, mailbox.inboxId, letter),
    sentAt: sentAt(letter, receivedAt),
    meta,
    ...(threading.replyTo ? { replyTo: threading.replyTo } : {}),
    ...(thread ? { conversationId: thread.conversationId } : {}),
  })
  const messageId = letter.messageId ?? `${letter.fingerprint}@none.invalid`
  if (!accepted) {
    await rememberRefused(ctx.em(), { inboxId: mailbox.inboxId, messageId, externalId, headKey })
    return 'refused'
  }
  await rememberLetter(
    ctx.em(),
    {
      inboxId: mailbox.inboxId,
      messageId,
      externalId,
      headKey,
      direction: 'in',
      conversationId: accepted.conversationId ?? null,
      hubMessageId: accepted.messageId ?? null,
      seq: accepted.seq ?? null,
      fromAddress: senderId.slice(0, 190),
      subject: letter.subject,
      references: letter.references.slice(-50).join(' '),
      rawFileId: rawFileId ?? null,
      // Who is known by the address that a form gave is written to there anyway.
      replyTo: answers.doubtful || (form && apartAs === undefined) ? null : joined(answers.asked),
      state: receipt ? 'receipt' : quiet ? 'automatic' : 'received',
    },
    participantsOf(mailbox, senderId, meta),
  )
  return 'message'
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

const ours = (mailbox: Mailbox, sender: string): boolean => mailbox.own.has(sender)

/** The sender's clock, unless it is plainly wrong. */
function sentAt({ date }: Letter, receivedAt: Date): Date {
  if (!date) return receivedAt
  const ahead = date.getTime() - receivedAt.getTime()
  return ahead > 60 * 60_000 || ahead < -30 * 24 * 3_600_000 ? receivedAt : date
}
