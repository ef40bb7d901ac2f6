/** Rows of the outbox, as both ways to the other side change them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DeadlockException, type FilterQuery, LockWaitTimeoutException } from '@mikro-orm/core'
import { Outbox, type OutboxState } from './app.entity.ts'
import type { Ctx } from './settings.ts'

const hour = 3_600_000
/** As long as the hub tries a message, with its ten tries; what is offered lies there for so long. */
export const triedForMs = 84 * hour
/** What was given up or refused is shown to admins for so long. */
export const listedMs = 14 * 24 * hour
/** Rows that one sweep begins with. */
export const sweepPage = 500

/** Up to the last message of a conversation, whatever its number. */
export const anySeq = 2 ** 31 - 1

export const messageType = 'message.created'
export const isMessage = ({ type }: Pick<Outbox, 'type'>): boolean => type === messageType
/** Its words are with the hub, which says when it is handed over. */
export const isHubs = (row: Outbox): boolean => isMessage(row) && row.body === ''
/** The hub's id of a message, by the name of its place. */
export const messageIdOf = ({ webhookId }: Pick<Outbox, 'webhookId'>): string => webhookId.slice('msg_'.length, 'msg_'.length + 26)

/** Several processes change rows of a conversation at once: the database may end one of two that wait for each other. */
export async function unlessEnded<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await work()
    } catch (error) {
      const ended = error instanceof DeadlockException || error instanceof LockWaitTimeoutException
      if (!ended || attempt === 5) throw error
      await sleep(Math.random() * 20 * attempt)
    }
}

export const update = (ctx: Ctx, where: FilterQuery<Outbox>, fields: Partial<Outbox>): Promise<number> =>
  unlessEnded(() => ctx.em().nativeUpdate(Outbox, where, fields))

export const find = (ctx: Ctx, inboxId: string, webhookId: string): Promise<Outbox | null> =>
  ctx.em().findOne(Outbox, { inboxId, webhookId }, { disableIdentityMap: true })

export const keyOf = ({ inboxId, webhookId }: Pick<Outbox, 'inboxId' | 'webhookId'>) => ({ inboxId, webhookId })

/** The places that a message has had, the first first. */
export const placesOf = (ctx: Ctx, inboxId: string, messageId: string): Promise<Outbox[]> =>
  ctx.em().find(Outbox, { inboxId, webhookId: { $like: `msg_${messageId}%` } }, { orderBy: { seq: 'asc' }, limit: 100, disableIdentityMap: true })

export async function settle(ctx: Ctx, row: Outbox, state: OutboxState, failure = ''): Promise<void> {
  await update(ctx, keyOf(row), settled(row, state, failure))
}

/** Gives up one that waits. Nothing when, since it was read, it was offered or its message was sent again. */
export async function letGo(ctx: Ctx, row: Outbox): Promise<void> {
  await update(ctx, { ...keyOf(row), state: 'waiting', round: row.round }, settled(row, 'given-up'))
}

function settled(row: Outbox, state: OutboxState, failure = ''): Partial<Outbox> {
  const now = Date.now()
  const done = state === 'taken' || (isMessage(row) && state === 'refused')
  // Of a message that the hub counts as sent it has to be told that it was not.
  const untold = isMessage(row) && row.body !== '' && state === 'given-up'
  const dueAt = untold ? new Date(now) : done || isMessage(row) ? null : new Date(now + listedMs)
  return { state, failure: failure.slice(0, 300), dueAt, heldUntil: null, ...(done ? { body: '' } : {}) }
}

export const hurry = (ctx: Ctx, conversationId: string): Promise<void> => ctx.enqueue('tell', { conversationId }, { key: conversationId })
