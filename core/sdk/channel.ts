/** A channel: a way for customers to talk to us. Code, no row; a configured account on it is an inbox. */
import type { TSchema } from 'typebox'
import type { MessagePart, PartType } from './message-parts.ts'

/** A text in the two languages the hub speaks. */
export interface LocalText {
  zh: string
  en: string
}

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
  /** Longest text of one message, in code points. */
  maxTextLength?: number
  /** Largest file, in bytes. */
  maxFileSize?: number
  /** How long after the customer's last message the agent may write, in milliseconds; absent = for ever. */
  replyWindowMs?: number
  /** Can a sent message be taken back, and for how long (milliseconds)? */
  recallMs?: number
  /** Does the platform tell about delivery and reading? */
  receipts?: readonly ('delivered' | 'read')[]
  /** Does the platform recognise a repeated send? Only then is a send of unknown fate repeated by itself. */
  idempotentSend?: boolean
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
  phone?: string
  email?: string
  /** The platform or the site vouches for phone, email and id. */
  verified?: boolean
  /** Kept on the identity; shown in the contact panel. */
  attributes?: Record<string, unknown>
}

/** What a platform tells us, in the hub's words. `externalId` is unique within the inbox: a repeat changes nothing. */
export type InboundEvent =
  | { kind: 'message'; externalId: string; from: ChannelSender; parts: MessagePart[]; sentAt?: Date; replyTo?: string }
  /** The customer saw (or the platform delivered) everything up to this moment. */
  | { kind: 'receipt'; externalId: string; from: ChannelSender; status: 'delivered' | 'read'; upToSeq: number; conversationId: string }
  /** The customer took a message back. */
  | { kind: 'recall'; externalId: string; from: ChannelSender; messageExternalId: string }

/** What became of one accepted event. */
export interface Accepted {
  externalId: string
  /** True when the hub had it already. */
  duplicate: boolean
  /** Absent when the event is written down but waits (a hook failed, an earlier one waits): it will be processed. */
  messageId?: string
  conversationId?: string
  seq?: number
}

/** A message on its way out. */
export interface OutboundMessage {
  id: string
  conversationId: string
  /** The platform's name of the one it goes to. */
  to: string
  identityId: string
  seq: number
  parts: MessagePart[]
  replyToExternalId?: string
  /** Which try this is, from 1. */
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
  constructor(reason: string, options: { retry: boolean | 'unknown'; message?: string; retryAfterMs?: number }) {
    super(options.message ?? reason)
    this.name = 'SendError'
    this.reason = reason
    this.retry = options.retry
    this.retryAfterMs = options.retryAfterMs
  }
}

/** News for a customer whose own client reads from the hub. Ephemeral: a client that missed it fetches. */
export type CustomerNote =
  /** Something in the thread changed: fetch from your cursor. */
  { kind: 'changed'; rev: number } | { kind: 'typing'; active: boolean } | { kind: 'read'; seq: number } | { kind: 'closed'; reason: string }

export interface Notification {
  /** The customer's external id. */
  to: string
  conversationId: string
  note: CustomerNote
}

/** The adapter: four small functions around a platform's protocol. */
export interface ChannelAdapter {
  label: LocalText
  /** An icon name of the UI kit, or a data URI of an SVG. */
  icon?: string
  /** Name of an inbox that a new hub has from the start, with the settings' defaults. */
  starter?: LocalText
  /** Shown in the inbox's settings: the code to put on a page (`{hub}`, `{inbox}` are filled in), and an address to preview it in a frame. */
  install?: { snippet?: string; preview?: string }
  /** Settings of one inbox: validated on save, drawn as a form, `format: 'secret'` encrypted and never read back. */
  inboxSettings: TSchema
  capabilities: ChannelCapabilities
  /** A webhook call: verify, parse, nothing else. Throws HUB_CHANNEL_UNVERIFIED. */
  receive?(request: RawRequest, inbox: ChannelInbox): ReceiveResult | Promise<ReceiveResult>
  /** A long-lived intake (IMAP, a socket). Held by one process per inbox; acknowledge only after `emit` resolves. Returns its undo. */
  listen?(inbox: ChannelInbox, emit: (events: InboundEvent[]) => Promise<Accepted[]>): (() => void | Promise<void>) | Promise<() => void | Promise<void>>
  /** Hands a message to the platform; returns the platform's id of it, if there is one. Throws {@link SendError}. */
  send?(message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId?: string } | undefined>
  /** `pull` channels: hurries news to the customer's client. Best effort. */
  notify?(notification: Notification, inbox: ChannelInbox): void | Promise<void>
}
