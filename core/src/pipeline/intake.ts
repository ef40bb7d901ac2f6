/** The door as the rest of the hub knows it; `accept.ts` stands behind it. */
import type { Accepted, InboundEvent } from '../../sdk/channel.ts'
import type { NumberSource } from '../db/counter.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'

export interface Intake {
  /** Contacts' numbers, some of them ahead. */
  readonly numbers: NumberSource
  /** Resolves when every event is safe. Throws HUB_CHANNEL_DISABLED, HUB_IDENTITY_BLOCKED, or what a hook refuses with. */
  accept(inboxId: string, events: readonly InboundEvent[]): Promise<Accepted[]>
  /** As it was a second ago at most. */
  inbox(id: string): Promise<Inbox | null>
  forgetInboxes(): void
  /** Events are being taken in, or were a moment ago: whoever sent them is about to send the next. */
  busy(): boolean
  /** Tries a parked event again; earlier ones of the same sender go first. */
  retry(parkedId: string): Promise<void>
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>
}
