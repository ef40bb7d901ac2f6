/**
 * A message we sent did not arrive after all: a bounce, a late refusal. It is shown on that message and on no other. One to
 * several people may fail for each of them at a time of its own: who it was is kept in the letter's head, and what is new
 * is added to what the agent reads already. It may be here before we know that the platform has the message: its answer was
 * lost or late, and the message waits to be tried again. Then it is the end of that waiting: a platform that knows a repeat
 * would say yes to the next try and give it to nobody.
 */
import type { LetterReturn, LocalText } from '../../sdk/channel.ts'
import type { Em } from '../db/orm.ts'
import { updateRows } from '../db/statements.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import { claimFiles, inboxKey } from '../domain/file/claim-files.ts'
import { ownCapabilities } from '../domain/inbox/channels.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message, Outbound } from '../domain/message/message.entity.ts'
import { noteGone } from '../domain/message/platform-names.ts'
import {
  type Applying,
  afterTheSend,
  changeOf,
  type EventOf,
  findSent,
  type InboundOutcome,
  isTried,
  lookAgainMs,
  ownCopy,
  sendPatienceMs,
} from './applying.ts'
import { endWaiting } from './fate.ts'

/** A letter has fewer recipients; with all its tries it stays within this. */
const maxReturns = 200
/** Columns are wide enough for this in both languages. */
const maxWords = 8_000

/** @param waitedMs so long it has waited for what becomes of a try */
export async function applyFailure(
  applying: Applying,
  inbox: Inbox,
  identity: Identity | undefined,
  event: EventOf<'failure'>,
  waitedMs: number,
): Promise<InboundOutcome> {
  const { em, hub } = applying
  const afterTheTry: InboundOutcome = { kind: 'later', ms: lookAgainMs(waitedMs), why: 'a message is being tried' }
  // Asked for before the name is: what is through meanwhile has its name by then.
  const tried = identity !== undefined && (await isTried(em, identity))
  const sent = await findSent(em, inbox.id, event.messageExternalId)
  // The refusal may overtake the answer to the send, and the platform's name that comes with it.
  if (!sent && tried) return afterTheTry
  const nothing: InboundOutcome = { kind: 'done', duplicate: true, at: undefined }
  // Who it is of makes it news; where that is not said, it is news once.
  if (!sent || (event.recipient === undefined && sent.name?.failedAt)) return nothing
  const change = await changeOf(applying, sent.message.conversationId)
  if (!change) return nothing
  const message = ownCopy(change, sent.message)
  if (event.recipient !== undefined && message.meta?.returned?.some(({ address, name }) => address === event.recipient && name === event.messageExternalId))
    return nothing
  const row = await em.findOne(Outbound, { messageId: message.id }, { disableIdentityMap: true })
  if (event.recipient === undefined) {
    if (isOfEarlierRound(event, message, row) || (message.status === 'failed' && !sent.name)) return nothing
    // A letter goes to several, and this may be of one of them: the others are still to have it.
    if (row && (ownCapabilities(hub, inbox)?.letter || !(await endWaiting(em, change.conversation, row)))) return afterTheTry
    if (row) applying.after.push(() => hub.queue.hurry('outbound', message.conversationId))
  } else if (row && waitedMs < sendPatienceMs) return afterTheSend
  if (sent.name) await noteGone(em, inbox.id, event.messageExternalId, change.at)
  const told = event.sentence ?? (event.detail ? { zh: event.detail, en: event.detail } : null)
  if (event.recipient !== undefined) await noteReturn(em, inbox, message, event as EventOf<'failure'> & { recipient: string }, told, change.at)
  // What is said of one recipient is told beside the fate that the message has; while it has none, that will say it too, or something newer.
  if (!row || event.recipient === undefined) {
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

/** Sent again since: the fate of that send is still to come. Where the platform does not say which it means, one that it has not been given is none. */
const isOfEarlierRound = ({ round }: EventOf<'failure'>, message: Message, row: Outbound | null): boolean =>
  round === undefined ? row?.attempts === 0 : round < message.round

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
