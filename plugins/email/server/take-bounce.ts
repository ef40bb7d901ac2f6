/** A letter of ours that came back: found among those that this mailbox sent, and told of at each recipient. */
import type { LocalText } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Emit, hand, type Taken } from './emit-letter.ts'
import { explainFault } from './faults.ts'
import type { Mailbox } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { changeFate, fateOf, noteReturn } from './letter-fate.ts'
import type { Bounce, FailedRecipient } from './read-bounce.ts'
import type { Letter } from './read-mail.ts'
import { shortened } from './shorten.ts'
import { envelopeIdOf, isNamed, lettersNamed, lettersOfSubject, readMessageId, subjectKey } from './thread.ts'

/** Servers give up after five days at most (RFC 5321, 4.5.4.1), and clocks differ. */
const returnsWithinMs = 6 * 86_400_000
const clockMs = 3_600_000
/** The head of the letter says when it was written; it is noted just then. */
const sameMomentMs = 5 * 60_000
const mostCandidates = 50

/** By its id, by the name under which we handed it over, else by whom it did not reach: in this mailbox, and only where there is no doubt. */
export async function findOriginal(ctx: PluginContext, mailbox: Mailbox, bounce: Bounce, at: Date): Promise<LetterRow | undefined> {
  return (await byId(ctx, mailbox, bounce)) ?? (await byEnvelope(ctx, mailbox, bounce)) ?? (await byRecipient(ctx, mailbox, bounce, at))
}

async function byId(ctx: PluginContext, { inboxId }: Mailbox, { originals }: Bounce): Promise<LetterRow | undefined> {
  const rows = (await lettersNamed(ctx.em(), inboxId, originals)).filter(({ direction }) => direction === 'out')
  for (const id of originals) {
    const row = rows.find((each) => isNamed(each, id))
    if (row && readMessageId((text) => ctx.sign(text), row.messageId)) return row
  }
  return undefined
}

/** What a server that keeps RFC 3461 gives back to us as we gave it: {@link envelopeIdOf}. */
async function byEnvelope(ctx: PluginContext, { inboxId }: Mailbox, { envelopeId }: Bounce): Promise<LetterRow | undefined> {
  const own = envelopeId && readMessageId((text) => ctx.sign(text), `${envelopeId}@`)
  if (!own) return undefined
  const { conversationId, hubMessageId } = own
  const rows = await ctx.em().find(LetterRow, { conversationId, direction: 'out', inboxId, hubMessageId }, { limit: 20 })
  return rows.find(({ messageId }) => envelopeIdOf(messageId) === envelopeId)
}

/**
 * Who keeps no standard tells at least whom it did not reach, mostly with the subject. What we sent to them in these days, by the
 * same subject, at the moment that is said; of several it may be any, and then it is none.
 */
async function byRecipient(ctx: PluginContext, { inboxId }: Mailbox, bounce: Bounce, at: Date): Promise<LetterRow | undefined> {
  const named = bounce.failed.flatMap(({ address }) => address ?? [])
  const addresses = named.length > 0 ? named : bounce.sentTo
  const [first] = addresses
  // The id of a letter that is not ours, and nothing else that would make it ours.
  if (!first || (bounce.foreign && !bounce.subject)) return undefined
  const like = { $like: `%${first}%` }
  const rows = await ctx.em().find(
    LetterRow,
    {
      inboxId,
      direction: 'out',
      at: { $gte: new Date(at.getTime() - returnsWithinMs), $lte: new Date(at.getTime() + clockMs) },
      $or: [{ delivered: like }, { refused: like }],
    },
    { orderBy: { at: 'desc' }, limit: mostCandidates },
  )
  const wentTo = (row: LetterRow) => {
    const { delivered, refused } = fateOf(row)
    return addresses.every((address) => delivered.has(address) || refused.has(address))
  }
  const subject = bounce.subject === undefined ? undefined : subjectKey(bounce.subject)
  const candidates = rows.filter((row) => wentTo(row) && (subject === undefined || row.subjectKey === subject))
  const { sentAt, subjectInWords } = bounce
  const [only] = candidates
  if (candidates.length <= 1) return only && saysAnother(subjectInWords, only.subject) ? undefined : only
  const said = subjectInWords === undefined ? undefined : subjectKey(subjectInWords)
  const narrower = [
    candidates.filter((row) => said !== undefined && row.subjectKey === said),
    candidates.filter((row) => sentAt !== undefined && Math.abs(row.at.getTime() - sentAt.getTime()) < sameMomentMs),
  ]
  return narrower.find(({ length }) => length === 1)?.[0]
}

/** Phrases that stand where a subject might. */
const ofReturning = /送达|投递|退回|失败|不存在|deliver|returned|failure/i

/** Do the words for people name another letter? They cut a subject, put it in quotation marks, go on after it: that is still the same one. */
function saysAnother(inWords: string | undefined, subject: string): boolean {
  if (inWords === undefined || ofReturning.test(inWords)) return false
  const [said, ours] = [inWords, subject].map(lettersOfSubject) as [string, string]
  return said !== '' && ours !== '' && !said.startsWith(ours) && !ours.startsWith(said)
}

/** Each recipient it came back from is told by itself: reports come one after another, and one report may name several. */
export async function takeBounce(
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
