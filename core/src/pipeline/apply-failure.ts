/**
 * A message we sent did not arrive after all: a bounce, a late refusal. It is shown on that message and on no other. One to
 * several people may fail for each of them at a time of its own: who it was is kept in the letter's head, and what is new
 * is added to what the agent reads already.
 */
import type { LetterReturn, LocalText } from '../../sdk/channel.ts'
import type { Em } from '../db/orm.ts'
import { updateRows } from '../db/statements.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import { claimFiles, inboxKey } from '../domain/file/claim-files.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, Outbound } from '../domain/message/message.entity.ts'
import { noteGone } from '../domain/message/platform-names.ts'
import { type Applying, afterTheSend, changeOf, type EventOf, findSent, type InboundOutcome, isSending, ownCopy } from './applying.ts'

/** A letter has fewer recipients; with all its tries it stays within this. */
const maxReturns = 200
/** Columns are wide enough for this in both languages. */
const maxWords = 8_000

export async function applyFailure(
  applying: Applying,
  inbox: Inbox,
  identity: Identity | undefined,
  event: EventOf<'failure'>,
  patient: boolean,
): Promise<InboundOutcome> {
  const { em } = applying
  const sending = patient && identity !== undefined && (await isSending(em, identity))
  const sent = await findSent(em, inbox.id, event.messageExternalId)
  // The refusal may overtake the answer to the send.
  if (!sent && sending) return afterTheSend
  const nothing: InboundOutcome = { kind: 'done', duplicate: true, at: undefined }
  // Who it is of makes it news; where that is not said, it is news once.
  if (!sent || (event.recipient === undefined && sent.name?.failedAt)) return nothing
  const change = await changeOf(applying, sent.message.conversationId)
  if (!change) return nothing
  const message = ownCopy(change, sent.message)
  if (event.recipient !== undefined && message.meta?.returned?.some(({ address, name }) => address === event.recipient && name === event.messageExternalId))
    return nothing
  // Sent again meanwhile: the fate of that send is still to come. What is said of one recipient can wait for it.
  const owed = (await em.count(Outbound, { messageId: message.id })) > 0
  if (owed && event.recipient !== undefined && patient) return afterTheSend
  if (event.recipient === undefined && (owed || (message.status === 'failed' && !sent.name))) return nothing
  if (sent.name) await noteGone(em, inbox.id, event.messageExternalId, change.at)
  const told = event.sentence ?? (event.detail ? { zh: event.detail, en: event.detail } : null)
  if (event.recipient !== undefined) await noteReturn(em, inbox, message, event as EventOf<'failure'> & { recipient: string }, told, change.at)
  // Its own fate will say it too, or what it says is newer.
  if (!owed) {
    // A refusal of the send itself, or of another recipient, stays: this one is told beside it.
    const known = message.status === 'failed'
    const before = known ? message.failureText : null
    if (!known) message.failure = event.reason.slice(0, 200)
    message.status = 'failed'
    if (!known) change.failed(message)
    message.failureText = told && { zh: joined(before?.zh, told.zh), en: joined(before?.en, told.en) }
    message.failureText ??= before ?? null
  }
  change.touch(message)
  return { kind: 'done', duplicate: false, at: { messageId: message.id, conversationId: message.conversationId, seq: message.seq } }
}

const joined = (before: string | undefined, words: string): string => (before ? `${before}\n${words}` : words).slice(0, maxWords)

/** Kept in the letter's head, the report of it with it: whoever may read the message may read that too. */
async function noteReturn(
  em: Em,
  inbox: Inbox,
  message: Message,
  { recipient, messageExternalId, rawFileId }: EventOf<'failure'> & { recipient: string },
  sentence: LocalText | null,
  at: Date,
): Promise<void> {
  if (rawFileId) await claimFiles(em, [], message, inboxKey(inbox.id), [rawFileId])
  const one: LetterReturn = {
    address: recipient,
    name: messageExternalId,
    ...(sentence ? { sentence } : {}),
    ...(rawFileId ? { rawFileId } : {}),
    at: at.toISOString(),
  }
  message.meta = { ...message.meta, returned: [...(message.meta?.returned ?? []), one].slice(-maxReturns) }
  // Rarely changed, and not among what every change of a message writes.
  await updateRows(em, Message, [message], ['meta'])
}
