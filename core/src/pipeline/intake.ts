/** The door as the rest of the hub knows it; `accept.ts` stands behind it. */
import type { Accepted, InboundEvent } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import type { NumberSource } from '../db/counter.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'

export interface Intake {
  /** Contacts' numbers, some of them ahead. */
  readonly numbers: NumberSource
  /**
   * Resolves when every event is safe, in time for a platform's patience: by `by` (see `answerBy`) with several calls for one push.
   * Throws HUB_CHANNEL_DISABLED, HUB_IDENTITY_BLOCKED, or what a hook refuses with.
   */
  accept(inboxId: string, events: readonly InboundEvent[], by?: number): Promise<Accepted[]>
  /** As it was a second ago at most. */
  inbox(id: string): Promise<Inbox | null>
  forgetInboxes(): void
  /** Events are being taken in, or were a moment ago: whoever sent them is about to send the next. */
  busy(): boolean
  /** Somebody waits for their answer just now. */
  inHand(): boolean
  /** Tries a parked event again; earlier ones of the same sender go first. */
  retry(parkedId: string): Promise<void>
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>
}

/** An event that stumbles so often is put aside: the sender's next words pass it, and the agent reads that there is one. */
export const patientAttempts = 3

const ofHooks = new WeakSet<HubError>()
export const noteHookRefusal = (refusal: HubError): void => void ofHooks.add(refusal)

/** Refused for good, whether by a block or by a hook with whatever code: no fault of the platform's, which would send it again and again. */
export const isSettled = (error: unknown): boolean =>
  error instanceof HubError &&
  (error.code === 'HUB_IDENTITY_BLOCKED' || error.code === 'HUB_MESSAGE_REFUSED' || (ofHooks.has(error) && !error.kind.retry && error.kind.reader === 'user'))
