/** What the core does for channels that bring a client of their own (a widget, an app): the customer's side of the hub. */
import type { Readable } from 'node:stream'
import { type Static, Type } from 'typebox'
import { MessagePart } from './message-parts.ts'

/** A message as its customer may see it: no notes, no authors but a display name. */
export const CustomerMessage = Type.Object({
  id: Type.String(),
  conversationId: Type.String(),
  seq: Type.Integer(),
  rev: Type.Integer(),
  from: Type.Union([Type.Literal('me'), Type.Literal('agent'), Type.Literal('system')]),
  /** The name shown for an agent; empty for others. */
  name: Type.String(),
  parts: Type.Array(MessagePart),
  recalled: Type.Boolean(),
  /** The id the customer's client gave it, to join what it showed already. */
  clientId: Type.Union([Type.String(), Type.Null()]),
  at: Type.String(),
})
export type CustomerMessage = Static<typeof CustomerMessage>

export const CustomerThread = Type.Object({
  messages: Type.Array(CustomerMessage),
  /** Where to go on from; ask with it again to hear what changed since. */
  cursor: Type.String(),
  /** More was changed than fits: ask again at once. */
  more: Type.Boolean(),
  /** The conversation now, or null before the first word. */
  conversation: Type.Union([
    Type.Null(),
    Type.Object({
      id: Type.String(),
      status: Type.String(),
      agentName: Type.String(),
      agentReadSeq: Type.Integer(),
      rating: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ]),
})
export type CustomerThread = Static<typeof CustomerThread>

export interface VisitBeat {
  /** Made by the visitor's browser for one stay. */
  visitId: string
  /** Set when the visitor is known. */
  externalId?: string
  url: string
  title: string
  referrer: string
  ip: string
  userAgent: string
}

/** One customer of one inbox. */
export interface CustomerRef {
  inboxId: string
  externalId: string
}

export interface Desk {
  /** With a cursor: what changed since, oldest first. Without: the newest messages. With `before`: older ones. */
  thread(customer: CustomerRef, options: { cursor?: string; before?: string; limit?: number }): Promise<CustomerThread>
  /** The customer types (or stopped: null); agents see the text. Ephemeral. */
  typing(customer: CustomerRef, text: string | null): Promise<void>
  /** A sign of life from a browser on a site, with the page it is on. */
  beat(inboxId: string, beat: VisitBeat): Promise<void>
  /** The visitor of this visit has spoken. */
  spoke(customer: CustomerRef, visitId: string): Promise<void>
  /** Is somebody there to answer? */
  attended(inboxId: string): Promise<boolean>
  /** Is this customer, or this address, blocked? */
  refused(inboxId: string, externalId: string | undefined, ip: string): Promise<boolean>
  /** Takes a file in, as a part to send. Throws HUB_FILE_TYPE, HUB_REQUEST_TOO_LARGE. */
  storeFile(customer: CustomerRef, upload: { name: string; bytes: Buffer; voice?: boolean; durationMs?: number }): Promise<MessagePart>
  /** A file of the customer's own thread, with headers that keep browsers from running it; undefined when there is none. */
  openFile(customer: CustomerRef, fileId: string, thumbnail: boolean): Promise<{ stream: Readable; headers: Record<string, string> } | undefined>
  /** The customer's verdict on a conversation: 1 good, 2 medium, 3 bad. */
  rate(customer: CustomerRef, conversationId: string, rating: 1 | 2 | 3, comment: string): Promise<void>
  /** The customer ends the conversation. */
  close(customer: CustomerRef): Promise<void>
}
