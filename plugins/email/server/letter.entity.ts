/** What the plugin remembers of letters: which ids belong to which conversation, who takes part, how far a mailbox is read. */
import { defineEntity, p } from '@mikro-orm/core'

const at = () => p.datetime(3)

/** One letter, in or out. Found by its Message-ID, which is long and anybody's: a hash of it is indexed. */
const LetterRowSchema = defineEntity({
  name: 'EmailLetter',
  tableName: 'email_letter',
  properties: {
    /** Hash of inbox and external id. */
    id: p.string().length(43).primary(),
    inboxId: p.string().length(26),
    messageKey: p.string().length(43),
    /** Of letters in: hash of what its head says and of its size, by which it is known again unread; null: noted before that was. */
    headKey: p.string().length(43).nullable(),
    /** Without angle brackets, as it stood. */
    messageId: p.string().length(1000),
    /** Of letters out: hash of the id that a relay gave it in place of ours, where we heard of it. Answers name it by that. */
    relayKey: p.string().length(43).nullable(),
    externalId: p.string().length(190),
    direction: p.string().length(3).$type<'in' | 'out'>(),
    /** null: the hub has it written down, but not in a conversation yet. */
    conversationId: p.string().length(26).nullable(),
    /** The hub's own id of it. */
    hubMessageId: p.string().length(26).nullable(),
    /** Its place in the conversation: what a message answers is what stood there when it was written. */
    seq: p.integer().nullable(),
    fromAddress: p.string().length(190),
    subject: p.string().length(500),
    /** The chain it stands at the end of, ids divided by spaces. */
    references: p.text(),
    /** The raw letter in the hub's storage. */
    rawFileId: p.string().length(26).nullable(),
    /** `automatic` (a machine wrote it) and `receipt` came in too: the first is answered where there is no other, the second never. Of letters out: `unknown` was handed over and nobody said what became of it; `partial` went to some of its recipients. `purged`: its conversation is gone for good, and so is all but the hashes; `refused`: the hub never had it (a blocked sender), and the same. */
    state: p
      .string()
      .length(10)
      .$type<'received' | 'automatic' | 'receipt' | 'refused' | 'sending' | 'sent' | 'partial' | 'unknown' | 'failed' | 'returned' | 'purged'>(),
    /** Hash of the subject without `Re:` and the like. */
    subjectKey: p.string().length(43).nullable(),
    /** Of letters in: addresses that answers go to instead of the sender's, divided by spaces. */
    replyTo: p.string().length(1000).nullable(),
    /** Of letters out: addresses whose server took it, divided by spaces. */
    delivered: p.text().nullable(),
    /** Of letters out: addresses that were refused for good, and with which words, as JSON. */
    refused: p.text().nullable(),
    /** Of letters out: the hub's `round` in which they were refused. */
    round: p.integer().default(1),
    at: at(),
  },
  indexes: [
    { properties: ['inboxId', 'messageKey'], name: 'email_letter_message' },
    { properties: ['inboxId', 'relayKey'], name: 'email_letter_relay' },
    { properties: ['conversationId', 'seq'], name: 'email_letter_conversation' },
    { properties: ['inboxId', 'subjectKey', 'at'], name: 'email_letter_subject' },
    { properties: ['inboxId', 'fromAddress'], name: 'email_letter_from' },
    { properties: ['inboxId', 'direction', 'at'], name: 'email_letter_at' },
  ],
})
export class LetterRow extends LetterRowSchema.class {}
LetterRowSchema.setClass(LetterRow)
/** Of a letter of which only hashes may stay. */
export const nothingSaid = { messageId: '', externalId: '', hubMessageId: null, seq: null, fromAddress: '', subject: '', references: '', rawFileId: null }

/** Who may write into a conversation by answering a letter of it. */
const ParticipantSchema = defineEntity({
  name: 'EmailParticipant',
  tableName: 'email_participant',
  properties: { conversationId: p.string().length(26).primary(), address: p.string().length(190).primary() },
})
export class Participant extends ParticipantSchema.class {}
ParticipantSchema.setClass(Participant)

/** How far a folder is read. Saved only after what was read is safe in the hub. */
const ProgressSchema = defineEntity({
  name: 'EmailProgress',
  tableName: 'email_progress',
  properties: {
    inboxId: p.string().length(26).primary(),
    /** Which mailbox these numbers are about: login, folder and host (`keep-place.ts`). */
    mailbox: p.string().length(400),
    /** A 32-bit number without sign; a string, since it is only compared. Empty: nobody could log in yet, the mailbox is waited for `since` then. */
    uidValidity: p.string().length(20),
    lastUid: p.bigint('number'),
    /** After a change of UIDVALIDITY: letters up to this uid may be known, their heads are looked at first. */
    resyncUntil: p.bigint('number'),
    /** Letters from before were never ours to take in. */
    since: at(),
    /** What came before then is in the hub, or was never ours: asked where the numbers are of no use any more. null: not noted yet, `updatedAt` stands in. */
    readAt: at().nullable(),
    /** How often the letter after `lastUid` could not be taken in. */
    attempts: p.integer(),
    updatedAt: at(),
  },
})
export class Progress extends ProgressSchema.class {}
ProgressSchema.setClass(Progress)

/** OAuth tokens of a mailbox, sealed with the hub's key. */
const TokenSchema = defineEntity({
  name: 'EmailToken',
  tableName: 'email_token',
  properties: {
    inboxId: p.string().length(26).primary(),
    account: p.string().length(190),
    access: p.text(),
    refresh: p.text(),
    expiresAt: at(),
    updatedAt: at(),
  },
})
export class Token extends TokenSchema.class {}
TokenSchema.setClass(Token)

export const emailEntities = [LetterRowSchema, ParticipantSchema, ProgressSchema, TokenSchema]
