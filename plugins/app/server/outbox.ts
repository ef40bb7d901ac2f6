/**
 * What the other side is told of a conversation: written down with its number before it is told, told in that order, one
 * at a time over all processes, and again until it was taken. The hub's own queue says when a message is tried; here
 * only its place is kept.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChannelInbox, SendError } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessageFacts } from '@huike/core/sdk/events.ts'
import { raw, UniqueConstraintViolationException } from '@mikro-orm/core'
import { Outbox, Stream } from './app.entity.ts'
import { envelope, isRefusal, openEndpoint, post, retryAfter } from './deliver.ts'
import { giveUpUnfetched, offer, report, takeUp } from './offer.ts'
import {
  anySeq,
  find,
  hurry,
  isHubs,
  isMessage,
  keyOf,
  letGo,
  messageIdOf,
  messageType,
  placesOf,
  settle,
  sweepPage,
  triedForMs,
  unlessEnded,
  update,
} from './outbox-rows.ts'
import { type Ctx, isFetched } from './settings.ts'

const minute = 60_000
const hour = 60 * minute
/** One try ends well before. What is held for longer was held by a process that is gone. */
const holdMs = 30_000
/** Asked again this often whether another process is done. */
const turnEveryMs = 50
/** Behind a message, or where nothing can be told at present: looked at again after it, should nobody say so before. */
const standStillMs = 5 * minute

interface ToTell {
  inboxId: string
  conversationId: string
  webhookId: string
  type: string
  at: Date
  /** Absent for a message. */
  data?: Record<string, unknown>
  /** Of a message. */
  round?: number
}

/** Writes down what is to be told, once for each `webhookId`, with the conversation's next number. */
export async function owe(ctx: Ctx, toTell: ToTell): Promise<Outbox> {
  const { inboxId, webhookId } = toTell
  const known = await find(ctx, inboxId, webhookId)
  if (known) return known
  await beginStream(ctx, toTell.conversationId)
  try {
    return await unlessEnded(() => writeNext(ctx, toTell))
  } catch (error) {
    const other = error instanceof UniqueConstraintViolationException && (await find(ctx, inboxId, webhookId))
    if (!other) throw error
    return other
  }
}

/** Before the transaction: an update of a missing row locks the gap it would be in. */
async function beginStream(ctx: Ctx, conversationId: string): Promise<void> {
  if (await ctx.em().findOne(Stream, { conversationId }, { disableIdentityMap: true })) return
  await ctx.em().upsert(Stream, { conversationId, lastSeq: 0 }, { onConflictAction: 'ignore' })
}

function writeNext(ctx: Ctx, { inboxId, conversationId, webhookId, type, at, data, round = 1 }: ToTell): Promise<Outbox> {
  return ctx.em().transactional(async (em) => {
    await em.nativeUpdate(Stream, { conversationId }, { lastSeq: raw('last_seq + 1') })
    const { lastSeq: seq } = await em.findOneOrFail(Stream, { conversationId }, { disableIdentityMap: true })
    const now = new Date()
    const row = {
      inboxId,
      conversationId,
      webhookId,
      seq,
      type,
      body: data ? ctx.seal(envelope(type, at, { sequence: seq, ...data })) : '',
      state: 'waiting' as const,
      attempts: 0,
      round,
      failure: '',
      dueAt: data ? now : null,
      heldUntil: null,
      createdAt: now,
      pos: null,
    }
    await em.insert(Outbox, row)
    return row as Outbox
  })
}

/**
 * The place of a message, the same at every try. One that the other side took and then reported as failed is told anew
 * when an agent sends it again: under the old name it would be a repeat of what was taken.
 */
export async function oweMessage(ctx: Ctx, inboxId: string, message: { id: string; conversationId: string; round: number }): Promise<Outbox> {
  const { id, conversationId, round } = message
  const before = await placesOf(ctx, inboxId, id)
  const last = before.at(-1)
  const isThere = last?.state === 'taken' || last?.state === 'offered'
  if (last && isThere && last.round >= round) return last
  if (last && !isThere) {
    // Its words are said once more, by the hub.
    const again = { state: 'waiting' as const, round, body: '', dueAt: null }
    await update(ctx, keyOf(last), again)
    return { ...last, ...again }
  }
  const webhookId = before.length === 0 ? `msg_${id}` : `msg_${id}_${before.length + 1}`
  return owe(ctx, { inboxId, conversationId, webhookId, type: messageType, at: new Date(), round })
}

/**
 * Who reports that a message failed has had it, whether its yes got here or not: sent again it is another event. Where they fetch
 * they can have had only what lies there, and that is known.
 */
export async function noteHad(ctx: Ctx, inbox: ChannelInbox, messageId: string): Promise<void> {
  if (isFetched(inbox) || messageId.length !== idLength) return
  const last = (await placesOf(ctx, inbox.id, messageId)).at(-1)
  if (!last || messageIdOf(last) !== messageId) return
  await update(ctx, { ...keyOf(last), state: { $in: ['waiting', 'given-up'] }, round: last.round, body: '' }, { state: 'taken', dueAt: null })
}
const idLength = 26

/** Messages that the hub has had since before, and has not tried yet: what is told now stands behind them. */
export async function placeMessages(ctx: Ctx, inboxId: string, conversationId: string, before: Date): Promise<void> {
  const recent = await ctx.recent(conversationId, { upToSeq: anySeq, limit: mostWaiting })
  for (const { id, direction, status, at } of recent) {
    const onTheWay = direction === 'out' && (status === 'queued' || status === 'sending') && new Date(at) <= before
    if (onTheWay && (await placesOf(ctx, inboxId, id)).length === 0)
      await owe(ctx, { inboxId, conversationId, webhookId: `msg_${id}`, type: messageType, at: before })
  }
}
const mostWaiting = 50

/** What waits behind a message may be told now. */
export async function goOn(ctx: Ctx, conversationId: string): Promise<void> {
  const waiting = await update(ctx, { conversationId, state: 'waiting', dueAt: { $ne: null } }, { dueAt: new Date() })
  if (waiting > 0) await hurry(ctx, conversationId)
}

/**
 * The hub has done with a message that did not arrive: what is behind it goes on. This may be told late, when the message has been
 * sent again and its place is that sending's. So the hub is asked after the place was read, and a place that changed since stays.
 */
export async function letGoOfMessage(ctx: Ctx, message: Pick<MessageFacts, 'id' | 'inboxId' | 'conversationId' | 'seq'>): Promise<void> {
  const { id, inboxId, conversationId, seq } = message
  const waiting = (await placesOf(ctx, inboxId, id)).filter(({ state }) => state === 'waiting')
  if (waiting.length > 0) {
    const now = (await ctx.recent(conversationId, { upToSeq: seq, limit: 1 })).find((one) => one.id === id)
    if (now?.status === 'failed') for (const row of waiting) await letGo(ctx, row)
  }
  await goOn(ctx, conversationId)
}

async function headOf(ctx: Ctx, conversationId: string, upTo?: number): Promise<Outbox | undefined> {
  const where = { conversationId, state: 'waiting' as const, ...(upTo === undefined ? {} : { seq: { $lte: upTo } }) }
  const [head] = await ctx.em().find(Outbox, where, { orderBy: { seq: 'asc' }, limit: 1, disableIdentityMap: true })
  return head
}

/** Everything before `row`, in order, whether its next try is due or not. Throws SendError when something of it is not taken now. */
export async function tellBefore(ctx: Ctx, inbox: ChannelInbox, row: Outbox): Promise<void> {
  if (!isFetched(inbox)) await takeUp(ctx, { conversationId: row.conversationId })
  for (;;) {
    const head = await headOf(ctx, row.conversationId, row.seq - 1)
    if (!head) return
    // The hub sends in order: with a message before this one it has done.
    if (isHubs(head)) await letGo(ctx, head)
    else await tell(ctx, inbox, head)
  }
}

/** Everything up to `row`, and it too. Throws SendError: `retry: false` when the other side will not have `row`, else it waits. */
export async function tellUpTo(ctx: Ctx, inbox: ChannelInbox, row: Outbox): Promise<void> {
  if (!isFetched(inbox)) await takeUp(ctx, { conversationId: row.conversationId })
  for (;;) {
    const head = await headOf(ctx, row.conversationId, row.seq)
    if (!head) return
    if (isHubs(head)) throw new SendError('waiting', { retry: true, sentence: behindMessage })
    const refused = await tell(ctx, inbox, head)
    if (refused && head.webhookId === row.webhookId) throw refused
  }
}

const behindMessage = {
  zh: '同一会话里较早的消息还没有送达，送达后会自动推送。',
  en: 'An earlier message of this conversation has not arrived yet; this is told once it has.',
}

/** By the job of this name: what is due of one conversation, in order, as far as it goes. */
export async function tellDue(ctx: Ctx, conversationId: string): Promise<void> {
  for (;;) {
    const head = await headOf(ctx, conversationId)
    if (!head) return
    const now = Date.now()
    const age = now - head.createdAt.getTime()
    if (isHubs(head) && age > triedForMs + hour) {
      await letGo(ctx, head)
      continue
    }
    const inbox = await ctx.inbox(head.inboxId)
    if (inbox && !isFetched(inbox) && (await takeUp(ctx, { conversationId }))) continue
    if (isHubs(head) || !inbox) return postpone(ctx, conversationId, new Date(now + standStillMs))
    if (head.dueAt && head.dueAt.getTime() > now) return postpone(ctx, conversationId, head.dueAt)
    try {
      await tell(ctx, inbox, head)
    } catch (error) {
      if (error instanceof SendError) return
      throw error
    }
  }
}

/** By the job of this name: what no hint is left of, and what nobody fetched. */
export async function tellAllDue(ctx: Ctx): Promise<void> {
  await giveUpUnfetched(ctx)
  const where = { state: 'waiting' as const, dueAt: { $lte: new Date() } }
  const due = await ctx.em().find(Outbox, where, { fields: ['conversationId'], orderBy: { dueAt: 'asc' }, limit: sweepPage, disableIdentityMap: true })
  for (const conversationId of new Set(due.map((row) => row.conversationId))) await hurry(ctx, conversationId)
}

/** Nobody behind the head is looked at before it. */
async function postpone(ctx: Ctx, conversationId: string, dueAt: Date): Promise<void> {
  await update(ctx, { conversationId, state: 'waiting', dueAt: { $lt: dueAt } }, { dueAt })
}

/** True once this process has it; false when another one has seen to it meanwhile. */
async function hold(ctx: Ctx, row: Outbox): Promise<boolean> {
  for (;;) {
    const now = new Date()
    const free = { ...keyOf(row), state: 'waiting' as const, $or: [{ heldUntil: null }, { heldUntil: { $lt: now } }] }
    if ((await update(ctx, free, { heldUntil: new Date(now.getTime() + holdMs) })) > 0) return true
    if ((await ctx.em().count(Outbox, { ...keyOf(row), state: 'waiting' })) === 0) return false
    await sleep(turnEveryMs)
  }
}

/** Tells one, whose turn it is. Returns the refusal of what will never be taken; throws SendError while it waits. */
async function tell(ctx: Ctx, inbox: ChannelInbox, { inboxId, webhookId, conversationId }: Outbox): Promise<SendError | undefined> {
  if (!(await hold(ctx, { inboxId, webhookId } as Outbox))) return undefined
  const row = await find(ctx, inboxId, webhookId)
  if (!row) return undefined
  try {
    if (isFetched(inbox)) return void (await offer(ctx, row))
    await openEndpoint(ctx, inbox)
    const body = ctx.unseal(row.body)
    if (body === undefined) return void (await settle(ctx, row, 'given-up', 'sealed'))
    await post(ctx, inbox, { id: webhookId, type: row.type, body, attempt: row.attempts + 1 })
    await settle(ctx, row, 'taken')
    return undefined
  } catch (error) {
    const release = (fields: Partial<Outbox>) => update(ctx, { ...keyOf(row), state: 'waiting' }, { heldUntil: null, ...fields })
    if (!(error instanceof SendError)) {
      await release({})
      throw error
    }
    const failure = error.message === error.reason ? error.reason : `${error.reason}: ${error.message}`
    if (isRefusal(error)) {
      if (isMessage(row)) await report(ctx, row, { kind: 'failure', reason: error.reason, sentence: error.sentence ?? { zh: failure, en: failure } })
      await settle(ctx, row, 'refused', failure)
      return error
    }
    // Where nothing can be told it is nobody's try.
    const tried = error.retry !== false
    const waitMs = tried ? (error.retryAfterMs ?? retryAfter(row.attempts + 1)) : standStillMs
    const dueAt = new Date(Date.now() + waitMs)
    if (tried && dueAt.getTime() - row.createdAt.getTime() > triedForMs) await settle(ctx, row, 'given-up', failure)
    else {
      await release({ failure: failure.slice(0, 300), dueAt, ...(tried ? { attempts: row.attempts + 1 } : {}) })
      await postpone(ctx, conversationId, dueAt)
    }
    throw error
  }
}

/** Tells once more, now, what was not taken, as it was: the client knows it by its `webhook-id`. Throws HUB_NOT_FOUND, SendError. */
export async function replay(ctx: Ctx, inbox: ChannelInbox, webhookId: string): Promise<void> {
  const row = await find(ctx, inbox.id, webhookId)
  if (!row || isMessage(row) || row.state === 'taken' || row.state === 'offered')
    throw new HubError('HUB_NOT_FOUND', 'There is nothing of this name to send again')
  await update(ctx, { ...keyOf(row), state: { $nin: ['taken', 'offered'] } }, { state: 'waiting', dueAt: new Date() })
  await tellUpTo(ctx, inbox, row)
}
