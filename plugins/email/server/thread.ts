/**
 * Which conversation a letter belongs to. The ladder: the mark in the reply address, the ids it answers, our own pattern in
 * such an id. A subject alone only suggests. Each rung asks whether the sender takes part: an id leaks with every forward, and a
 * stranger who knows one must not write into somebody else's conversation.
 */
import { createHash } from 'node:crypto'
import type { LetterMeta } from '@huike/core/sdk/channel.ts'
import type { EntityManager } from '@mikro-orm/core'
import type { Headers } from './headers.ts'
import { type Mailbox, unverified } from './inbox-settings.ts'
import { LetterRow, nothingSaid, Participant } from './letter.entity.ts'
import type { Letter } from './read-mail.ts'

/** HMAC with the plugin's own key. */
export type Sign = (text: string) => string

export const messageKey = (messageId: string): string => createHash('sha256').update(messageId).digest('base64url')
/** Fields by which a letter is known again before it is fetched, its Message-ID among them: that alone may be used twice. */
export const headFields = ['message-id', 'from', 'date', 'subject']
export const headKey = (headers: Headers, size: number): string =>
  createHash('sha256')
    .update([...headFields.map((field) => headers.raw(field) ?? ''), size].join('\n'))
    .digest('base64url')
export const letterId = (inboxId: string, externalId: string): string => createHash('sha256').update(`${inboxId}\n${externalId}`).digest('base64url')

// ── ids of our own ───────────────────────────────────────────────────────────────────────────────────────────────

const stampOf = (sign: Sign, text: string): string => createHash('sha256').update(sign(text)).digest('hex').slice(0, 16)

/**
 * Always the same for a message of the hub: a second try is recognised by every server on the way. Only a letter that came
 * back and is sent anew gets another (`again`), or its next bounce could not be told from the first.
 */
export function makeMessageId(sign: Sign, conversationId: string, hubMessageId: string, domain: string, again = 0): string {
  return `c.${conversationId}.${hubMessageId}.${stampOf(sign, `id:${conversationId}.${hubMessageId}`)}${again > 0 ? `.${again}` : ''}@${domain}`
}

export function readMessageId(sign: Sign, messageId: string): { conversationId: string; hubMessageId: string } | undefined {
  const match = /^c\.([0-9a-z]{26})\.([0-9a-z]{26})\.([0-9a-f]{16})(?:\.\d{1,3})?@/i.exec(messageId)
  if (!match) return undefined
  const [, conversationId, hubMessageId, stamp] = match.map((piece) => piece.toLowerCase()) as [string, string, string, string]
  return stamp === stampOf(sign, `id:${conversationId}.${hubMessageId}`) ? { conversationId, hubMessageId } : undefined
}

/** A test of the inbox: it stands in no conversation, and none comes of it. */
export const isTest = ({ conversationId, hubMessageId }: Pick<LetterRow, 'conversationId' | 'hubMessageId'>): boolean =>
  conversationId !== null && conversationId === hubMessageId

/** ENVID of a letter: its id without the domain, which would be too long (RFC 3461, 4.4). */
export const envelopeIdOf = (messageId: string): string => messageId.slice(0, messageId.lastIndexOf('@'))

/** `support+h<conversation><stamp>@shop.cn`: lower case only, mailers change the case. */
export function makeReplyAddress(sign: Sign, address: string, conversationId: string): string {
  const [local, domain] = address.split('@')
  const marked = `${local}+h${conversationId}${stampOf(sign, `reply:${conversationId}`)}`
  // 64 characters are all a local part may have (RFC 5321, 4.5.3.1.1).
  return marked.length <= 64 ? `${marked}@${domain}` : address
}

export function readReplyAddress(sign: Sign, recipient: string): string | undefined {
  const match = /\+h([0-9a-z]{26})([0-9a-f]{16})@/i.exec(recipient)
  const [conversationId, stamp] = [match?.[1]?.toLowerCase(), match?.[2]?.toLowerCase()]
  return conversationId && stamp === stampOf(sign, `reply:${conversationId}`) ? conversationId : undefined
}

// ── the ladder ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface Thread {
  conversationId: string
  by: 'token' | 'answer' | 'own-id'
}

export interface Threading {
  thread: Thread | undefined
  /** A rung held, but the sender takes no part there: a leaked id, or a colleague nobody copied. */
  stranger: boolean
  /** The letter of ours (or theirs) it answers, by the hub's own id. */
  replyTo: string | undefined
}

export async function findThread(em: EntityManager, sign: Sign, inboxId: string, letter: Letter): Promise<Threading> {
  const sender = letter.from?.address
  const known = (await lettersNamed(em, inboxId, letter.answers)).filter((row) => !isTest(row))
  const answered = letter.answers.flatMap((id) => known.filter((row) => isNamed(row, id)))
  const rungs: Thread[] = []
  for (const recipient of letter.recipients) {
    const conversationId = readReplyAddress(sign, recipient)
    if (conversationId) rungs.push({ conversationId, by: 'token' })
  }
  for (const row of answered) if (row.conversationId) rungs.push({ conversationId: row.conversationId, by: 'answer' })
  for (const id of letter.answers) {
    const own = readMessageId(sign, id)
    if (own && !isTest(own)) rungs.push({ conversationId: own.conversationId, by: 'own-id' })
  }
  const replyTo = answered[0]?.hubMessageId ?? undefined
  if (!sender) return { thread: undefined, stranger: false, replyTo }
  const asked = new Set<string>()
  for (const rung of rungs) {
    if (asked.has(rung.conversationId)) continue
    asked.add(rung.conversationId)
    if (await takesPart(em, rung.conversationId, sender)) return { thread: rung, stranger: false, replyTo }
  }
  return { thread: undefined, stranger: rungs.length > 0, replyTo: rungs.length > 0 ? undefined : replyTo }
}

/**
 * The last rung: a letter of the same subject, not long ago, in a conversation its sender takes part in. Only ever a
 * suggestion: a subject proves nothing, and “询价” is everybody's.
 */
export async function suggestThread(em: EntityManager, inboxId: string, letter: Letter, days: number): Promise<string | undefined> {
  const sender = letter.from?.address
  const key = subjectKey(letter.subject)
  if (!sender || !key || days === 0) return undefined
  const rows = await em.find(
    LetterRow,
    { inboxId, subjectKey: key, at: { $gte: new Date(Date.now() - days * 86_400_000) } },
    { orderBy: { at: 'desc' }, limit: 50, fields: ['conversationId', 'hubMessageId'], disableIdentityMap: true },
  )
  const conversations = [...new Set(rows.flatMap((row) => (isTest(row) ? [] : (row.conversationId ?? []))))]
  if (conversations.length === 0) return undefined
  const taken = await em.find(Participant, { conversationId: { $in: conversations }, address: sender }, { disableIdentityMap: true })
  return conversations.find((id) => taken.some(({ conversationId }) => conversationId === id))
}

/** Letters of this mailbox by their ids, ours also by the one that a relay gave them. */
export async function lettersNamed(em: EntityManager, inboxId: string, ids: readonly string[]): Promise<LetterRow[]> {
  if (ids.length === 0) return []
  const keys = { $in: ids.map(messageKey) }
  return em.find(LetterRow, { inboxId, $or: [{ messageKey: keys }, { relayKey: keys }] }, { limit: 100, disableIdentityMap: true })
}

export const isNamed = (row: LetterRow, id: string): boolean => row.messageId === id || row.relayKey === messageKey(id)

/** A relay gave it another id than ours. The first word counts: later ones may be anybody's. */
export async function noteRelayId(em: EntityManager, inboxId: string, messageId: string, given: string | undefined): Promise<void> {
  if (given && given !== messageId) await em.nativeUpdate(LetterRow, { id: letterId(inboxId, messageId), relayKey: null }, { relayKey: messageKey(given) })
}

/** Does this address take part in the conversation? */
export const takesPart = async (em: EntityManager, conversationId: string, address: string): Promise<boolean> =>
  (await em.count(Participant, { conversationId, address })) > 0

/** Written after the hub has the letter; again after a crash, with the same result. */
export async function rememberLetter(
  em: EntityManager,
  row: Omit<LetterRow, 'id' | 'messageKey' | 'headKey' | 'relayKey' | 'subjectKey' | 'replyTo' | 'delivered' | 'refused' | 'round' | 'at'> &
    Partial<Pick<LetterRow, 'headKey' | 'replyTo' | 'delivered' | 'refused' | 'at'>>,
  participants: readonly string[],
): Promise<void> {
  await em.upsert(LetterRow, {
    ...row,
    id: letterId(row.inboxId, row.externalId),
    messageId: row.messageId.slice(0, 1000),
    messageKey: messageKey(row.messageId),
    subjectKey: subjectKey(row.subject) ?? null,
    subject: [...row.subject].slice(0, 250).join(''),
    at: row.at ?? new Date(),
  })
  if (row.conversationId) await letIn(em, row.conversationId, participants)
}

/** Of what the hub refused hashes only, by which the mailbox, read anew, knows it again. */
export async function rememberRefused(
  em: EntityManager,
  { inboxId, messageId, externalId, headKey }: Pick<LetterRow, 'inboxId' | 'messageId' | 'externalId' | 'headKey'>,
): Promise<void> {
  await em.upsert(
    LetterRow,
    {
      id: letterId(inboxId, externalId),
      inboxId,
      messageKey: messageKey(messageId),
      headKey,
      ...nothingSaid,
      direction: 'in',
      conversationId: null,
      state: 'refused',
      at: new Date(),
    },
    // The hub may have had it before, and refuse it now that its sender is blocked.
    { onConflictAction: 'ignore' },
  )
}

/** They may write into the conversation by answering a letter of it. */
export async function letIn(em: EntityManager, conversationId: string, participants: readonly string[]): Promise<void> {
  if (participants.length === 0) return
  await em.upsertMany(
    Participant,
    [...new Set(participants)].slice(0, 100).map((address) => ({ conversationId, address })),
    { onConflictAction: 'ignore' },
  )
}

/**
 * Who takes part by a letter that came. Nobody comes to a forged one by answering it; whom the customer wrote to may answer
 * too, but whom a form's letter went to was the site's choice; our own addresses need no leave.
 */
export function participantsOf({ own }: Pick<Mailbox, 'own'>, sender: string, { to = [], cc = [], form }: Pick<LetterMeta, 'to' | 'cc' | 'form'>): string[] {
  if (sender.startsWith(unverified)) return []
  return [sender, ...(form ? [] : [...to, ...cc]).map(({ address }) => address)].filter((address) => !own.has(address))
}

// ── going out ────────────────────────────────────────────────────────────────────────────────────────────────────

/** About what servers take without folding trouble; the first ids name the thread, the last ones the branch. */
const maxReferences = 20

/** `In-Reply-To` and `References` of an answer to this letter (RFC 5322, 3.6.4). */
export function answerHeaders(previous: Pick<LetterRow, 'messageId' | 'references'> | undefined): { inReplyTo?: string; references: string[] } {
  if (!previous) return { references: [] }
  const chain = [...new Set([...previous.references.split(' ').filter(Boolean), previous.messageId])]
  const references = chain.length <= maxReferences ? chain : [...chain.slice(0, 3), ...chain.slice(-(maxReferences - 3))]
  return { inReplyTo: previous.messageId, references }
}

const answered = /^\s*(?:\[?(?:re|aw|sv|antw|回复|答复|回覆|答覆|回信)\]?(?:\s?\[\d{1,3}\])?\s?[:：]\s*)/i
const passedOn = /^\s*(?:\[?(?:re|aw|sv|antw|回复|答复|回覆|答覆|回信|fwd?|wg|vs|tr|转发|轉寄|轉發)\]?(?:\s?\[\d{1,3}\])?\s?[:：]\s*)/i

function without(prefix: RegExp, subject: string): string {
  let bare = subject
  for (let i = 0; i < 20 && prefix.test(bare); i++) bare = bare.replace(prefix, '')
  return bare.trim()
}

/** One `Re:` before the subject, however many were there. */
export const answerSubject = (subject: string): string => `Re: ${without(answered, subject)}`

/** The same for every letter of an exchange; undefined where the subject says nothing. */
export function subjectKey(subject: string): string | undefined {
  const bare = without(passedOn, subject.normalize('NFKC')).replace(/\s+/g, ' ').toLowerCase()
  return bare === '' ? undefined : createHash('sha256').update(bare).digest('base64url')
}

/** Its letters and digits only, without `Re:` and the like: what is left of it however it is quoted. */
export const lettersOfSubject = (subject: string): string =>
  without(passedOn, subject.normalize('NFKC'))
    .replace(/[^\p{L}\p{N}]+/gu, '')
    .toLowerCase()
