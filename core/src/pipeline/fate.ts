/**
 * What became of a message that was handed to its platform, and how it is written down: at the end, after each piece
 * that is through, and when it is learnt late. What the platform has said is not forgotten because the database is away
 * just then: it is written again for a while.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { NotFoundError } from '@mikro-orm/core'
import type { LocalText } from '../../sdk/channel.ts'
import type { Em } from '../db/orm.ts'
import type { Reply } from '../domain/contact/contact.entity.ts'
import { type ConversationChange, changeConversation } from '../domain/conversation/change.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { countSent, giveBackReplies, shutWindow } from '../domain/conversation/reply-window.ts'
import { Message, MessageName, type MessageStatus, Outbound } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { echoKey } from './apply-echo.ts'

export interface Fate {
  status: MessageStatus
  externalId?: string | null
  failure?: string | null
  failureText?: LocalText | null
  dueAt?: Date
  windowShut?: boolean
  /** The adapter was not called. */
  untried?: true
}

/** A row that is this process's now, and since when: of a message in pieces, since the last of them was through. */
export type Claimed = Outbound & { at: Date }

/** So long after one another, 40 s in all, what could not be written is written again. */
const waitsMs = [250, 500, 1_000, 2_000, ...Array.from({ length: 9 }, () => 4_000)]

/** Does a piece of writing that must not be lost; `again` when it was tried before. Throws what the last try threw. */
async function surely<T>(hub: Hub, messageId: string, write: (again: boolean) => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await write(tries > 0)
    } catch (error) {
      const waitMs = waitsMs[tries]
      // What is not there any more will not come back.
      if (waitMs === undefined || hub.closing || error instanceof NotFoundError) throw error
      hub.log.warn({ err: error, message: messageId }, 'the fate of a message is written again')
      await sleep(waitMs)
    }
  }
}

/** Of the pieces whose replies are still set aside: one at a time is in doubt. */
const usedBy: Partial<Record<MessageStatus, number>> = { sent: Number.POSITIVE_INFINITY, uncertain: 1 }

/** Writes a message's fate; a final one takes the row away, so the next message may leave. */
export async function settle(hub: Hub, row: Claimed, fate: Fate): Promise<void> {
  await surely(hub, row.messageId, async (again) => {
    await changeConversation(hub, row.conversationId, async (change, em) => {
      const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
      // It took long: it may have been written after all, or another process may have taken this one for dead.
      if (again && !(await isHeld(em, row))) return isUnknown(message, 'interrupted') && learn(em, change, message, fate)
      // An echo told meanwhile that it arrived: no answer that was lost makes that undone.
      const confirmed = message.status === 'sent' && fate.status !== 'sent'
      if (!confirmed) {
        message.status = fate.status
        message.failure = fate.failure ?? null
        message.failureText = fate.failureText ?? null
        message.externalId = message.externalId ?? fate.externalId ?? null
      }
      if (message.status === 'failed') change.failed(message)
      if (fate.status === 'sent' && fate.externalId) await joinEcho(em, change, message, fate.externalId)
      if (row.grants && message.status !== 'queued') await settleReplies(em, change.conversation, row.messageId, usedBy[message.status], row.at)
      if (fate.windowShut) await shutWindow(em, change.conversation)
      change.touch(message)
      if (fate.status === 'queued' && !confirmed)
        await em.nativeUpdate(
          Outbound,
          { messageId: row.messageId },
          { state: 'queued', dueAt: fate.dueAt ?? new Date(), ...(fate.untried ? { attempts: row.attempts - 1 } : {}) },
        )
      else await em.nativeDelete(Outbound, { messageId: row.messageId })
      return true
    })
  })
}

/** The condition by which a claimed row is still its claimer's. */
export const held = ({ messageId, attempts }: Outbound) => ({ messageId, state: 'sending' as const, attempts })
const isHeld = async (em: Em, row: Outbound): Promise<boolean> => (await em.count(Outbound, held(row))) > 0

/** The fate of a message was unknown after a hand-over that took too long, and is known after all; unless somebody has decided about it meanwhile. */
export async function settleLate(hub: Hub, row: Claimed, fate: Fate): Promise<void> {
  await surely(hub, row.messageId, () =>
    changeConversation(hub, row.conversationId, async (change, em) => {
      const message = await em.findOneOrFail(Message, { id: row.messageId }, { disableIdentityMap: true })
      return isUnknown(message, 'timeout') && learn(em, change, message, fate)
    }),
  )
}

const isUnknown = ({ status, failure }: Message, since: 'timeout' | 'interrupted'): boolean => status === 'uncertain' && failure === since

async function learn(em: Em, change: ConversationChange, message: Message, fate: Fate): Promise<boolean> {
  if (fate.status !== 'sent' && fate.status !== 'failed') return false
  Object.assign(message, { status: fate.status, failure: fate.failure ?? null, failureText: fate.failureText ?? null })
  message.externalId = message.externalId ?? fate.externalId ?? null
  if (fate.status === 'failed') change.failed(message)
  if (fate.externalId) await joinEcho(em, change, message, fate.externalId)
  change.touch(message)
  return true
}

/** One of a message's platform messages is through: written before the next one leaves, so that no retry sends it again. */
export async function noteProgress(hub: Hub, { id, conversationId, round }: Message, { at }: Claimed, done: number, externalId?: string): Promise<void> {
  await surely(hub, id, () =>
    changeConversation(hub, conversationId, async (change, em) => {
      const { conversation } = change
      const message = await em.findOneOrFail(Message, { id }, { disableIdentityMap: true })
      if (externalId) await joinEcho(em, change, message, externalId)
      // A piece of a hand-over that was given up, and begun anew by a person: the new one counts for itself.
      if (done > message.done && message.round === round) {
        await em.nativeUpdate(Message, { id }, { done })
        await useUp(em, conversation, id, done - message.done, at)
      }
      if (externalId && !message.externalId) {
        message.externalId = externalId
        change.touch(message)
      }
      return true
    }),
  )
}

/** The replies that are set aside for a message; undefined where none need be. */
async function setAside(em: Em, messageId: string): Promise<Reply[] | undefined> {
  const row = await em.findOne(Outbound, { messageId }, { fields: ['grants'], disableIdentityMap: true })
  return row ? repliesOf(row) : undefined
}
const repliesOf = ({ grants }: Pick<Outbound, 'grants'>): Reply[] | undefined => grants?.map((reply) => (typeof reply === 'string' ? { name: reply } : reply))

/** Pieces that are through use what was set aside for them; more than the adapter had counted take what there is. */
async function useUp(em: Em, conversation: Conversation, messageId: string, count: number, leftAt: Date): Promise<void> {
  const replies = await setAside(em, messageId)
  if (!replies) return
  await em.nativeUpdate(Outbound, { messageId }, { grants: replies.slice(count) })
  await countSent(em, conversation, replies.slice(0, count), Math.max(0, count - replies.length), leftAt)
}

/** A name the platform has for a message of ours. An echo that was stored under it was ours all along: it steps back. */
async function nameMessage(em: Em, inboxId: string, externalId: string, messageId: string): Promise<Message | undefined> {
  // Sent anew under the name it had: it can fail anew.
  await em.upsert(MessageName, { inboxId, externalId, messageId, failedAt: null }, { onConflictMergeFields: ['failedAt'] })
  const echo = await em.findOne(Message, { inboxId, dedupeKey: echoKey(externalId), direction: 'out' }, { disableIdentityMap: true })
  return echo && echo.id !== messageId ? echo : undefined
}

/** The end of a message: of what is still set aside for it so many pieces are through, or may be; the platform never took the others. */
async function settleReplies(em: Em, conversation: Conversation, messageId: string, through = 0, leftAt = new Date()): Promise<void> {
  const replies = (await setAside(em, messageId)) ?? []
  const [used, unused] = [replies.slice(0, through), replies.slice(through)]
  if (used.length > 0) await countSent(em, conversation, used, 0, leftAt)
  if (unused.length > 0) await giveBackReplies(em, conversation, unused)
}

/** A message that waits for its next try is not tried again. False when it does not wait as it did in `row`: then its fate is that try's. */
export async function endWaiting(em: Em, conversation: Conversation, row: Outbound): Promise<boolean> {
  const { messageId, attempts } = row
  if ((await em.nativeDelete(Outbound, { messageId, attempts, state: 'queued' })) === 0) return false
  const unused = repliesOf(row) ?? []
  if (unused.length > 0) await giveBackReplies(em, conversation, unused)
  return true
}

/**
 * The platform's answer came after its echo, which was stored as a message of the platform's own app. It stays one
 * message, ours: the echo's place becomes a line that nobody is shown, since numbers have no gaps.
 */
async function joinEcho(em: Em, change: ConversationChange, message: Message, externalId: string): Promise<void> {
  const echo = await nameMessage(em, message.inboxId, externalId, message.id)
  if (!echo || echo.conversationId !== message.conversationId) return
  echo.direction = 'system'
  echo.parts = [{ type: 'event', name: 'echo.joined' }]
  echo.text = ''
  echo.externalId = null
  change.touch(echo)
}
