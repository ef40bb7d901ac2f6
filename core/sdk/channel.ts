/** A channel: a way for customers to talk to us. Code, no row; a configured account on it is an inbox. */
import type { TSchema } from 'typebox'
import type { MessagePart, PartType } from './message-parts.ts'

/** A text in the two languages the hub speaks. */
export interface LocalText {
  zh: string
  en: string
}

/** Parts that are files. */
export type FileKind = Extract<PartType, 'image' | 'audio' | 'video' | 'file'>

/** What a channel can carry. The composer obeys it without knowing the channel's name. */
export interface ChannelCapabilities {
  /** Parts an agent may send. */
  send: readonly PartType[]
  /**
   * `push`: the hub hands every message to the platform, which may fail, and learns its fate from `send`.
   * `pull`: the customer's own client reads the conversation from the hub, so a stored message is a sent one;
   * `notify` only hurries.
   */
  delivery: 'push' | 'pull'
  /** Kinds of cards an agent may write, where `send` has `card`: then these and no others. Absent: any, by the API only. */
  cards?: readonly CardForm[]
  /** Longest text of one message, in code points. */
  maxTextLength?: number
  /** Largest file, in bytes. */
  maxFileSize?: number
  /**
   * Which files of a kind the platform takes, where it is choosy: MIME types, and a size below `maxFileSize`. The composer
   * offers these and says so before it uploads another; the server refuses what is not among them; `send` has the last word.
   * `sureSize`: above it the platform's own pages disagree; the composer says that it may be refused.
   */
  files?: { readonly [kind in FileKind]?: { types?: readonly string[]; maxSize?: number; sureSize?: number } }
  /**
   * The platform lets us write only as an answer: what may be sent is what inbound events granted (their `grant`).
   * Absent or false = any time.
   */
  replyWindow?: boolean
  /** Fields of a letter the composer offers beside the text; they travel in `meta` (see {@link LetterMeta}). */
  letter?: readonly ('subject' | 'to' | 'cc' | 'html')[]
  /** Does the platform show the customer that we are typing? Then `typing` is called. */
  typing?: boolean
  /** Can a sent message be taken back, and for how long (milliseconds)? A `push` channel does it in `recall`. */
  recallMs?: number
  /** Does the platform tell about delivery and reading? */
  receipts?: readonly ('delivered' | 'read')[]
  /** Does the platform recognise a repeated send? Only then is a send of unknown fate repeated by itself. */
  idempotentSend?: boolean
  /** How long `send`, or one piece of it (`progress`), may take before the message's fate counts as unknown, in milliseconds. Absent: 30 000. What it says later still counts. */
  sendTimeoutMs?: number
  /** For how many hours a send that fails for now is tried again, ever less often. Absent: eight tries, about half an hour. A fault may ask for fewer (`maxTries`). */
  retryHours?: number
  /**
   * Every part is a message of the platform's own, and a text of more bytes than this is several: the composer warns
   * before there are more of them than replies left. The server asks `pieces`.
   */
  pieceBytes?: number
}

/**
 * A kind of card that agents may write, as a form of the composer. Of its fields `title`, `url` and `cover` (with
 * `format: 'image'`, a picture that is uploaded) are the card's own; all others land in its `data`.
 */
export interface CardForm {
  /** As in `CardPart.kind`. */
  kind: string
  label: LocalText
  /** An object of strings; a title or description may hold both languages, divided by a bar. */
  fields: TSchema
}

/** The inbox as an adapter sees it. Secrets in `settings` are in the clear here and nowhere else. */
export interface ChannelInbox<S = Record<string, unknown>> {
  id: string
  name: string
  settings: S
}

/** Who wrote, in the platform's own terms. */
export interface ChannelSender {
  /** Unique within the inbox: an openid, an address, a visitor's id. */
  externalId: string
  name?: string
  /** In place of a name, for who is no person (a group, the platform itself): what agents read, each in their language. */
  label?: LocalText
  phone?: string
  email?: string
  /** The platform or the site vouches for phone, email and id. A phone or an email then takes the place of the one told before. */
  verified?: boolean
  /**
   * What somebody who is vouched for says of themself beside that, for which nobody vouches: it fills a field that is empty,
   * gives way to the platform's own word, is shown as unproven, and its phone and email are claims that prove nothing.
   */
  says?: { name?: string; phone?: string; email?: string }
  /**
   * Names of the person that reach beyond this inbox: WeChat's unionid, the site's own user id, each within its subject
   * (`nameWithin` of sdk/person-names.ts). What is `verified` links contacts by itself; the rest is offered to agents with its evidence.
   */
  claims?: readonly { kind: 'phone' | 'email' | 'unionid' | 'userId'; value: string; verified: boolean }[]
  /**
   * The address their words came from, where a client of theirs reaches us directly. Sealed with the identity, shown to
   * nobody: it is what is shut with them when they are blocked.
   */
  ip?: string
  /** Kept on the identity, for who reads the API. */
  attributes?: Record<string, unknown>
  /** Where they come from and how they stand with us, as agents read it in the contact panel: an advertisement, a scanned code, "has unfollowed". */
  facts?: readonly LabelledFact[]
}

/** Something a channel tells agents in their own words. A value of one language is data: a title, an id, an address. */
export interface LabelledFact {
  /** Of an identity's facts a newer one of the same name takes the older one's place; an empty value ends it. */
  name: string
  label: LocalText
  value: string | LocalText
}

/** What an event lets us send: so many messages for so long. Grants lie beside each other; the one that ends first is used first. */
export interface ReplyGrant {
  /** Messages; absent = as many as one likes while it lasts. */
  count?: number
  /** Milliseconds from the event's own time. */
  ms: number
  /** A new grant of the same name replaces the old one ("each message resets the count"). */
  name: string
}

/** Headers of a letter, as they are shown; addresses as `{ name, address }`. Stored with the message, never HTML. */
export interface LetterMeta {
  subject?: string
  from?: LetterAddress
  to?: readonly LetterAddress[]
  cc?: readonly LetterAddress[]
  /** Where the writer wants answers, when that is not `from`. */
  replyTo?: readonly LetterAddress[]
  /** Nothing vouches for `replyTo`: answers go to `from` unless the agent says otherwise. */
  replyToDoubtful?: boolean
  /** `from` is a site that sends what was filled in on it: `replyTo` says who by, unproven, and nobody else has to do with the answer. */
  form?: boolean
  /** Result of the receiving server's own checks. */
  auth?: { spf?: string; dkim?: string; dmarc?: string }
  /** A conversation it may belong to, although nothing in it proves so: shown as a suggestion, to be followed by hand. */
  relatedConversationId?: string
  /** A machine wrote it (an automatic reply, a newsletter): shown, but it wakes nobody and reopens nothing. */
  automatic?: boolean
  /** It is a read receipt: the letter it answers was shown to its reader, or thrown away unread. `automatic` as well. */
  receipt?: 'read' | 'deleted'
  /** Names of a file of the raw letter. */
  rawFileId?: string
  /** Of a letter of ours: from whom it came back. Kept by the hub, from what `failure` events said. */
  returned?: readonly LetterReturn[]
}
/** One recipient who did not get a letter after all. */
export interface LetterReturn {
  address: string
  /** The platform's name of the letter that came back: what was sent again may come back again. */
  name: string
  sentence?: LocalText
  /** The report as it came. */
  rawFileId?: string
  /** ISO 8601. */
  at: string
}
export interface LetterAddress {
  name?: string
  address: string
}

/** What a channel puts around an agent's letter by itself, for the composer to show before it is sent. */
export interface Letterhead {
  /** The sender as the customer will see it. */
  from: LetterAddress
  /** Every address that is ours: answers do not go there. */
  own: readonly string[]
  /** Stands below the words; plain text, its variables filled in. */
  signature?: string
  /** The letter that is answered is quoted below. */
  quotes: boolean
}

/** What a platform tells us, in the hub's words. `externalId` is unique within the inbox: a repeat changes nothing. */
export type InboundEvent =
  | {
      kind: 'message'
      externalId: string
      from: ChannelSender
      parts: MessagePart[]
      sentAt?: Date
      replyTo?: string
      meta?: LetterMeta
      grant?: ReplyGrant
      /**
       * Goes into this conversation if it is open and of this inbox (a thread the adapter has recognised and whose participant this
       * sender is). It stays its sender's: plugins hear who wrote it (`MessageFacts.identityId`).
       */
      conversationId?: string
      /**
       * The event, by its `externalId`, that this one only adds to (a call, of a recording or what was noted of it). If that is here
       * and this sender's, it goes where that is, also into a conversation that has ended, and wakes nobody: it is neither unread
       * nor an answer.
       */
      addsTo?: string
    }
  /**
   * Written on our side but not by us: in the platform's own app. `from` is the customer it went to. Stored once as an
   * agent's message; when we sent it ourselves it only confirms (also a send of unknown fate). `origin`, where the platform
   * tells: `app`, written there by hand, is never our own of unknown fate; `api` is, whenever it comes. Without it only
   * what was sent in the minutes after ours was stored. `addsTo` as with a message; such a one never confirms.
   */
  | { kind: 'echo'; externalId: string; from: ChannelSender; parts: MessagePart[]; sentAt?: Date; meta?: LetterMeta; origin?: 'api' | 'app'; addsTo?: string }
  /**
   * Something the customer did that is no message: followed, scanned a code, tapped a menu, opened the chat. Kept in the
   * contact's trail; while a conversation is open also a system line there. It opens none.
   */
  | {
      kind: 'activity'
      externalId: string
      from: ChannelSender
      name: string
      label: LocalText
      /** As the platform has it, for who reads the API. */
      params?: Record<string, unknown>
      /** What agents read below the label in the trail. */
      details?: readonly LabelledFact[]
      at?: Date
      grant?: ReplyGrant
      /** From then on nothing may be sent, whatever was granted before (they unfollowed). */
      windowShut?: true
    }
  /**
   * A message we sent did not arrive after all (a bounce, a late refusal). `messageExternalId` is the platform's name of it;
   * `sentence` is what an agent reads, `detail` stands in for it. A message to several tells each `recipient` it did not
   * reach in an event of its own: they stand beside each other, and beside what the send itself said. `rawFileId` is the
   * report as it came. One that is told while the message waits for its next try ends the trying: the platform has had it.
   * `round`, where the adapter knows it, is the sending it is of ({@link OutboundMessage.round}): of one before the last it is no news.
   */
  | {
      kind: 'failure'
      externalId: string
      from: ChannelSender
      messageExternalId: string
      reason: string
      detail?: string
      sentence?: LocalText
      recipient?: string
      rawFileId?: string
      round?: number
    }
  /**
   * The customer saw (or the platform delivered) everything up to this moment: by our number, or by the platform's name of
   * the message. Of one that went to somebody else than `from` nothing is noted.
   */
  | ({ kind: 'receipt'; externalId: string; from: ChannelSender; status: 'delivered' | 'read' } & (
      | { upToSeq: number; conversationId: string }
      | { messageExternalId: string }
    ))
  /**
   * A message was taken back: by the customer, or (`by: 'agent'`) on our side in the platform's own app. It may overtake
   * its message: then it waits for it.
   */
  | { kind: 'recall'; externalId: string; from: ChannelSender; messageExternalId: string; by?: 'customer' | 'agent' }

/** What became of one accepted event. */
export interface Accepted {
  externalId: string
  /** True when the hub had it already. */
  duplicate: boolean
  /** A block or a hook refused it for good: nothing of it is kept. */
  refused?: true
  /** Absent when the event is written down but waits (a hook failed, an earlier one waits): it will be processed. */
  messageId?: string
  conversationId?: string
  seq?: number
}

/** A message on its way out. */
export interface OutboundMessage {
  id: string
  /** Of an admin's test of the inbox, which stands in no conversation and is nowhere kept, its own id. */
  conversationId: string
  /** The platform's name of the one it goes to. */
  to: string
  identityId: string
  seq: number
  parts: MessagePart[]
  /** What the composer's letter fields held. */
  meta?: LetterMeta
  replyToExternalId?: string
  /** Who wrote it, as customers may see it. */
  agentName?: string
  /**
   * Parts that are through already: a message of several platform messages tells each with `progress`, so that a retry
   * goes on where it stopped.
   */
  done: number
  /**
   * Each piece has the channel's `sendTimeoutMs` anew. Rejects once the hub has given this hand-over up: the piece is noted all
   * the same, and no further one may leave.
   */
  progress(done: number, externalId?: string): Promise<void>
  /**
   * Aborted when the hub gives this hand-over up: the message counts as uncertain then, and those behind it leave. An adapter
   * with steps before the last one (an upload, a token) asks it right before that (`signal.throwIfAborted()`).
   */
  signal: AbortSignal
  /**
   * Which sending of it this is, from 1: a person who sends it again begins the next. Whatever is to happen anew then, and not
   * at a retry, goes by this: its first `attempt` may be one that was cut off before the platform heard of it.
   */
  round: number
  /** Which try of this round, from 1. One that was cut off (a process that ended) counts; while the channel is off none does. */
  attempt: number
}

/** A webhook as it came: the bytes matter, signatures are over them. */
export interface RawRequest {
  method: string
  url: string
  query: Record<string, string>
  headers: Record<string, string | undefined>
  body: Buffer
  ip: string
}

export interface ReceiveResult {
  events: InboundEvent[]
  /** What the platform wants to hear once the events are safe. */
  reply: { status?: number; type?: string; body?: string }
}

/**
 * Throw this from `send`. `retry`: true = the platform did not take it, try again; false = it never will;
 * 'unknown' = it may have: repeated only where the platform recognises repeats, else a person decides.
 */
export class SendError extends Error {
  readonly retry: boolean | 'unknown'
  /** The platform's own code, for the agent's sentence and the operator's log. */
  readonly reason: string
  readonly retryAfterMs: number | undefined
  /** With `retry: true`: so many tries of the message in all, where the platform wants fewer than the hub makes by itself. */
  readonly maxTries: number | undefined
  /**
   * From `fetchFile`, with `retry: true`: what fails is the account, not the file. It counts as no try, and goes on every
   * `retryAfterMs` until so long after the message came, as long as the platform keeps the file.
   */
  readonly retryForMs: number | undefined
  /** What an agent reads: what happened and what can be done. Without it the workbench words `reason` as it can. */
  readonly sentence: LocalText | undefined
  /**
   * What happened and nothing else ("WeChat cannot be reached"), without a full stop. When the last try has failed a
   * `sentence` that promises another one is no longer true: the core says this instead, and that it has given up.
   */
  readonly fault: LocalText | undefined
  /** The platform says the window is shut whatever we counted: all grants of this customer end. */
  readonly windowShut: boolean
  /**
   * With `retry: true`: the platform was reached, and refuses this message or its recipient for now (an address it cannot look up,
   * a full mailbox). It is tried again, and says nothing of the inbox: however often it happens, that is not broken by it.
   */
  readonly ofMessage: boolean
  constructor(
    reason: string,
    options: {
      retry: boolean | 'unknown'
      message?: string
      retryAfterMs?: number
      retryForMs?: number
      maxTries?: number
      sentence?: LocalText
      fault?: LocalText
      windowShut?: boolean
      ofMessage?: boolean
    },
  ) {
    super(options.message ?? reason)
    this.name = 'SendError'
    this.reason = reason
    this.retry = options.retry
    this.retryAfterMs = options.retryAfterMs
    this.retryForMs = options.retryForMs
    this.maxTries = options.maxTries
    this.sentence = options.sentence
    this.fault = options.fault
    this.windowShut = options.windowShut ?? false
    this.ofMessage = options.ofMessage ?? false
  }
}

/** News for a customer whose own client reads from the hub. Ephemeral: a client that missed it fetches. */
export type CustomerNote =
  /** Something in the thread changed: fetch from your cursor. */
  | { kind: 'changed'; rev: number }
  | { kind: 'typing'; active: boolean }
  /** What the customer wrote has been seen, or has reached a workbench, up to this number. */
  | { kind: 'read' | 'delivered'; seq: number }
  | { kind: 'closed'; reason: string }

export interface Notification {
  /** The customer's external id. */
  to: string
  conversationId: string
  note: CustomerNote
}

/** How an inbox is: what the admin page shows, and what wakes admins when it turns bad. */
export interface InboxHealth {
  state: 'connected' | 'connecting' | 'broken' | 'unauthorised'
  /** What is wrong and what mends it. */
  error?: LocalText
  remedy?: LocalText
  /** The platform's own code of it. */
  code?: string
  /** Until when the authorisation is good, where only a person can renew it. What renews itself is {@link ChannelAdapter.credentials}'s to tell. */
  validUntil?: Date
  /**
   * A bad state that was found while sending and says nothing of what comes in. That events still come, or `connected` from
   * whoever listens, does not mend it: the next message that goes out does, or a connection test.
   */
  onlySending?: true
}

/** What an inbox proves itself with: a token that is renewed by itself before it ends, or something that does not end (a password). */
export type Credential = { kind: 'token'; validUntil: Date } | { kind: 'lasting' }

/** What is wrong with one setting of an inbox, said at its field. */
export interface SettingFault {
  /** JSON pointer into the settings: `/endpointUrl`. */
  path: string
  /** A sentence: what is wrong, and what would be right. */
  text: LocalText
}

/** One step of a connection test, in the order it was tried. */
export interface ProbeStep {
  label: LocalText
  ok: boolean
  /** Not ok and no fault: it has just not happened yet (no push has come). A test with nothing worse is a good one. */
  waits?: true
  /** Said when it is not ok: what the other side answered, and the remedy. */
  detail?: LocalText
}

/** A file the platform keeps for us, fetched after its message is safe. Throws {@link SendError} (`retry`) when it cannot be had. */
export interface FetchedFile {
  bytes: Buffer
  name?: string
  /** Only a hint: the hub sniffs. */
  mime?: string
}

/** The adapter: a few small functions around a platform's protocol. */
export interface ChannelAdapter {
  label: LocalText
  /** An icon name of the UI kit, or a data URI of an SVG. */
  icon?: string
  /** Name of an inbox that a new hub has from the start, with the settings' defaults. */
  starter?: LocalText
  /**
   * Shown in the inbox's settings: the code to put on a page (`{hub}`, `{inbox}` are filled in), an address to preview it in a
   * frame, and one of a page that has it, where an inbox that is switched on is tried out.
   */
  install?: { snippet?: string; preview?: string; demo?: string }
  /** Settings of one inbox: validated on save, drawn as a form, `format: 'secret'` encrypted and never read back. */
  inboxSettings: TSchema
  /**
   * What is wrong with settings that their schema finds right (an address that leads inside, a key that is none): asked before
   * they are saved and before the inbox is switched on, shown at their fields. The inbox is the one that would be, `enabled`
   * whether it would run: what is wrong only beside others that run (two on one mailbox) is no fault of one that does not.
   * Takes seconds at most, changes nothing; whether the other side answers is {@link probe}'s matter. Should it stumble, they
   * are saved: `send` has the last word.
   */
  check?(inbox: ChannelInbox, enabled: boolean): readonly SettingFault[] | Promise<readonly SettingFault[]>
  capabilities: ChannelCapabilities
  /**
   * What this inbox can carry, where inboxes of the channel differ: instead of `capabilities`, of the same `delivery`.
   * Asked often: quick, from the settings alone. Secrets in them read `true` or empty.
   */
  capabilitiesOf?(inbox: ChannelInbox): ChannelCapabilities
  /**
   * The platform has one address for several inboxes: that of an inbox which is switched off goes on receiving for the others, and
   * nothing that `receive` returns for itself is kept.
   */
  sharedAddress?: boolean
  /** A webhook call: verify, parse, nothing else. Throws HUB_CHANNEL_UNVERIFIED. */
  receive?(request: RawRequest, inbox: ChannelInbox): ReceiveResult | Promise<ReceiveResult>
  /** A long-lived intake (IMAP, a socket). Held by one process per inbox; acknowledge only after `emit` resolves. Returns its undo. */
  listen?(inbox: ChannelInbox, emit: (events: InboundEvent[]) => Promise<Accepted[]>): (() => void | Promise<void>) | Promise<() => void | Promise<void>>
  /** Hands a message to the platform; returns the platform's id of it, if there is one. Throws {@link SendError}. */
  send?(message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId?: string } | undefined>
  /**
   * Where a reply window counts: how many of the platform's messages these parts are. So many are set aside when the
   * message is stored, or it is refused. Quick, from the parts alone; absent = one.
   */
  pieces?(parts: readonly MessagePart[], inbox: ChannelInbox): number
  /** Copies a file that an inbound `remote` part names; called after the message is committed, with retries. */
  fetchFile?(ref: string, inbox: ChannelInbox): Promise<FetchedFile>
  /** Channels with letters: what will stand around one that this agent writes in this inbox. */
  letterhead?(inbox: ChannelInbox, agentName: string): Letterhead
  /** Takes a sent message back on the platform. Throws {@link SendError}. */
  recall?(message: { externalId: string; to: string; conversationId: string }, inbox: ChannelInbox): Promise<void>
  /** Shows the customer that somebody types. Best effort. */
  typing?(to: string, active: boolean, inbox: ChannelInbox): Promise<void>
  /**
   * Tries the connection as it is configured, also before it is saved, and says what is wrong. Sends nothing to customers. That
   * all steps are ok, of what is saved, means that both ways work: it ends a bad state.
   */
  probe?(inbox: ChannelInbox): Promise<ProbeStep[]>
  /**
   * By inbox: what it proves itself with now, whichever process got it. Asked with every look at the state, for all inboxes of the
   * channel at once: quick, from what is kept here. Secrets in the settings read `true` or empty.
   */
  credentials?(inboxes: readonly ChannelInbox[]): Promise<ReadonlyMap<string, Credential>>
  /** `pull` channels: hurries news to the customer's client. Best effort. */
  notify?(notification: Notification, inbox: ChannelInbox): void | Promise<void>
}
