/** What the core does for channels that bring a client of their own (a widget, an app): the customer's side of the hub. */
import type { Readable } from 'node:stream'
import type { ChannelSender } from './channel.ts'
import type { MessagePart } from './message-parts.ts'
import type { CustomerThread } from './wire/customer.ts'

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
  /** With a cursor: what changed since, oldest first. Without: the newest messages. With `before`: older ones. Throws HUB_AUTH_REQUIRED by a name that is used up (`knownAs`). */
  thread(customer: CustomerRef, options: { cursor?: string; before?: string; limit?: number }): Promise<CustomerThread>
  /** The customer types (or stopped: null); agents see the text. Ephemeral. */
  typing(customer: CustomerRef, text: string | null): Promise<void>
  /** A sign of life from a browser on a site, with the page it is on. */
  beat(inboxId: string, beat: VisitBeat): Promise<void>
  /** The visitor of this visit has spoken. */
  spoke(customer: CustomerRef, visitId: string): Promise<void>
  /** Is somebody there whom routing would give this inbox's conversations, be it only once they have room? */
  attended(inboxId: string): Promise<boolean>
  /** Is this customer, or this address, blocked? */
  refused(inboxId: string, externalId: string | undefined, ip: string): Promise<boolean>
  /** Takes a file in, as a part to send; a form's stream that was cut (`truncated`) is refused. Throws HUB_REQUEST_TOO_LARGE. */
  storeFile(customer: CustomerRef, upload: { name: string; bytes: Buffer | Readable; voice?: boolean; durationMs?: number }): Promise<MessagePart>
  /**
   * A file of the customer's own thread, with headers that keep browsers from running it; undefined when there is none.
   * `asked`: the request's Range and If-Range. Throws HUB_RANGE_INVALID.
   */
  openFile(
    customer: CustomerRef,
    fileId: string,
    thumbnail: boolean,
    asked?: { range?: string | undefined; ifRange?: string | undefined },
  ): Promise<{ status: 200 | 206; stream: Readable; headers: Record<string, string> } | undefined>
  /**
   * The customer's verdict on a conversation that has ended: 1 good, 2 medium, 3 bad. The same again changes nothing.
   * Throws HUB_NOT_FOUND, HUB_CONFLICT when it has not ended.
   */
  rate(customer: CustomerRef, conversationId: string, rating: 1 | 2 | 3, comment: string): Promise<void>
  /** The customer ends the conversation. */
  close(customer: CustomerRef): Promise<void>
  /**
   * The customer, until now a stranger, is known as somebody from now on: they signed in, and the channel has verified it. What they
   * said is theirs: the open conversation goes on, or ends with a line where they have one open by the better name; the contact
   * follows what is vouched for; agents read a line with `account`. The old name is used up: by it nothing is read, and what it
   * still sends is refused with HUB_AUTH_REQUIRED, as `thread` is. Of who has said nothing, is verified, or is known already, nothing changes.
   * A block stays with who is blocked, and nothing goes over then.
   */
  knownAs(customer: CustomerRef, as: ChannelSender, account?: string): Promise<void>
}
