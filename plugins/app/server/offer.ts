/**
 * The other way to the client: it is not called, it comes and fetches. What is told lies in the outbox of its inbox under a number
 * that rises as rows are committed (the counter is locked until they are), so that who has read up to one has missed none.
 */
import { type ChannelInbox, type InboundEvent, type LocalText, SendError } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { raw } from '@mikro-orm/core'
import { Endpoint, Fetch, Key, Outbox, Thread } from './app.entity.ts'
import { noteSuccess } from './deliver.ts'
import { anySeq, hurry, isMessage, keyOf, listedMs, messageIdOf, messageType, placesOf, sweepPage, triedForMs, unlessEnded, update } from './outbox-rows.ts'
import { type Ctx, isFetched } from './settings.ts'
import { wake } from './waiting.ts'

const minute = 60_000
/** Items of one answer. */
export const mostItems = 100
/** Something lies there for so long, and nobody asks: the inbox is broken. */
export const silentAfterMs = 15 * minute
/** An inbox that is switched off keeps what lies there; it is looked at again after so long. */
const laterMs = 5 * minute

const fetchOf = (ctx: Ctx, inboxId: string): Promise<Fetch | null> => ctx.em().findOne(Fetch, { inboxId }, { disableIdentityMap: true })

/** Before a transaction: an update of a missing row locks the gap it would be in. */
async function begun(ctx: Ctx, inboxId: string): Promise<Fetch> {
  const known = await fetchOf(ctx, inboxId)
  if (known) return known
  await ctx.em().upsert(Fetch, { inboxId, lastPos: 0, handedPos: 0, fetchedAt: null, silent: false }, { onConflictAction: 'ignore' })
  return ctx.em().findOneOrFail(Fetch, { inboxId }, { disableIdentityMap: true })
}

/**
 * One whose turn it is, to be fetched from now on; of a message with its words. Does nothing to what another process has offered.
 * Throws SendError when it did not wait any more: nobody would ever fetch it.
 */
export async function offer(ctx: Ctx, row: Pick<Outbox, 'inboxId' | 'webhookId' | 'round'>, words?: string): Promise<void> {
  const { inboxId } = row
  await begun(ctx, inboxId)
  await unlessEnded(() =>
    ctx.em().transactional(async (em) => {
      await em.nativeUpdate(Fetch, { inboxId }, { lastPos: raw('last_pos + 1') })
      const { lastPos: pos } = await em.findOneOrFail(Fetch, { inboxId }, { disableIdentityMap: true })
      const body = words === undefined ? {} : { body: ctx.seal(words) }
      const dueAt = new Date(Date.now() + triedForMs)
      const offered = { state: 'offered' as const, pos, dueAt, heldUntil: null, failure: '', ...body }
      if ((await em.nativeUpdate(Outbox, { ...keyOf(row), state: 'waiting' }, offered)) > 0) return
      const there = { ...keyOf(row), state: { $in: ['offered' as const, 'taken' as const] }, round: { $gte: row.round } }
      if ((await em.count(Outbox, there)) === 0) throw new SendError('let-go', { retry: true, ...letGoMeanwhile, retryAfterMs: 1_000 })
    }),
  )
  wake(ctx, inboxId)
}

const letGoMeanwhile = {
  sentence: { zh: '这条消息还没有放进待取列表，系统马上会再试一次。', en: 'This message is not in the outbox yet; the hub tries again in a moment.' },
  fault: { zh: '消息没有放进待取列表', en: 'The message did not get into the outbox' },
}

/** Nobody fetches any more: what lies there is told as all else, in its order. False when nothing did. */
export async function takeUp(ctx: Ctx, where: { conversationId: string } | { inboxId: string }): Promise<boolean> {
  // Looked for first: an update that finds nothing locks the gap.
  if ((await ctx.em().count(Outbox, { ...where, state: 'offered' })) === 0) return false
  return (await update(ctx, { ...where, state: 'offered' }, { state: 'waiting', pos: null, dueAt: new Date() })) > 0
}

/** Takes a message out of the outbox. False when it is not there, or was handed out: then the client has to be told. */
export async function withdraw(ctx: Ctx, inboxId: string, messageId: string): Promise<boolean> {
  const row = (await placesOf(ctx, inboxId, messageId)).at(-1)
  if (row?.state !== 'offered' || messageIdOf(row) !== messageId) return false
  return unlessEnded(() =>
    ctx.em().transactional(async (em) => {
      const handedPos = await lockHanded(em, inboxId)
      const there = { ...keyOf(row), state: 'offered' as const, pos: { $gt: handedPos } }
      return (await em.nativeUpdate(Outbox, there, { state: 'withdrawn', body: '', dueAt: null })) > 0
    }),
  )
}

/** Until the transaction's end nothing is offered or handed out. */
async function lockHanded(em: ReturnType<Ctx['em']>, inboxId: string): Promise<number> {
  await em.nativeUpdate(Fetch, { inboxId }, { lastPos: raw('last_pos') })
  return (await em.findOneOrFail(Fetch, { inboxId }, { disableIdentityMap: true })).handedPos
}

/** A cursor is the inbox's own: signed, so that one of another inbox, or one made up, acknowledges nothing. */
export const cursorOf = (ctx: Pick<Ctx, 'sign'>, inboxId: string, pos: number): string => `${pos}.${ctx.sign(`cursor:${inboxId}:${pos}`).slice(0, 16)}`

/** Throws APP_CURSOR_UNKNOWN, also for what lies beyond all that was handed out: the database is an older one. */
export async function posOf(ctx: Ctx, inboxId: string, cursor: string): Promise<number> {
  const pos = Number(/^(\d{1,10})\./.exec(cursor)?.[1] ?? Number.NaN)
  if (Number.isNaN(pos) || cursor !== cursorOf(ctx, inboxId, pos) || pos > (await begun(ctx, inboxId)).handedPos)
    throw new HubError('APP_CURSOR_UNKNOWN', 'This is no cursor of this outbox: ask once without one', undefined, {
      status: 400,
      reader: 'author',
      retry: false,
    })
  return pos
}

/** What stands in the body of a row, as it is handed out. */
interface Told {
  type: string
  timestamp: string
  data: Record<string, unknown> & { recipient?: { externalId: string } }
}

export interface OutboxItem extends Told {
  cursor: string
  webhookId: string
}

const lying = (inboxId: string, after: number) => ({ inboxId, state: 'offered' as const, pos: { $gt: after } })

/** Does anything lie behind a number? */
export async function lies(ctx: Ctx, inboxId: string, after: number): Promise<boolean> {
  return (await ctx.em().find(Outbox, lying(inboxId, after), { limit: 1, fields: ['pos'], disableIdentityMap: true })).length > 0
}

/** What lies behind a number. Noted as handed out before it leaves: from then on nothing of it is taken out again. */
export async function handOut(ctx: Ctx, inboxId: string, after: number): Promise<OutboxItem[]> {
  const options = { orderBy: { pos: 'asc' as const }, limit: mostItems, disableIdentityMap: true as const }
  const last = (await ctx.em().find(Outbox, lying(inboxId, after), { ...options, fields: ['pos'] })).at(-1)?.pos
  if (last == null) return []
  const rows = await unlessEnded(() =>
    ctx.em().transactional(async (em) => {
      await em.nativeUpdate(Fetch, { inboxId, handedPos: { $lt: last } }, { handedPos: last })
      return em.find(Outbox, { ...lying(inboxId, after), pos: { $gt: after, $lte: last } }, options)
    }),
  )
  const items: OutboxItem[] = []
  for (const row of rows) {
    const told = toldIn(ctx, row)
    if (told) items.push({ cursor: cursorOf(ctx, inboxId, row.pos ?? 0), webhookId: row.webhookId, ...told })
    else await giveUp(ctx, row, 'sealed')
  }
  return items
}

const toldIn = (ctx: Ctx, { body }: Outbox): Told | undefined => {
  const words = body === '' ? undefined : ctx.unseal(body)
  return words === undefined ? undefined : (JSON.parse(words) as Told)
}

/** The client has everything up to here: its messages are delivered, and the words go. */
export async function acknowledge(ctx: Ctx, inboxId: string, pos: number): Promise<void> {
  for (;;) {
    const where = { inboxId, state: 'offered' as const, pos: { $lte: pos } }
    const rows = await ctx.em().find(Outbox, where, { orderBy: { pos: 'asc' }, limit: mostItems, disableIdentityMap: true })
    const last = rows.at(-1)?.pos
    if (last == null) return
    // A receipt speaks of all before it: one for each conversation, and before the rows forget that it is owed.
    const told = Map.groupBy(rows.filter(isMessage), (row) => row.conversationId)
    await Promise.all(
      [...told].map(async ([conversationId, messages]) => {
        const row = await newestDelivered(ctx, conversationId, messages)
        if (row) await report(ctx, row, { kind: 'receipt', status: 'delivered' })
      }),
    )
    await update(ctx, { ...where, pos: { $lte: last } }, { state: 'taken', body: '', dueAt: null })
  }
}

/**
 * The last of a conversation's messages that is delivered with these rows. One that was reported as failed is not, and of one that
 * is sent again what counts is its new place.
 */
async function newestDelivered(ctx: Ctx, conversationId: string, rows: readonly Outbox[]): Promise<Outbox | undefined> {
  const recent = new Map((await ctx.recent(conversationId, { upToSeq: anySeq, limit: mostItems })).map((message) => [message.id, message]))
  const facts = (row: Outbox) => recent.get(messageIdOf(row))
  for (const row of rows.toSorted((a, b) => (facts(b)?.seq ?? 0) - (facts(a)?.seq ?? 0))) {
    const { status } = facts(row) ?? {}
    if (status === 'failed' || status === 'queued') continue
    if ((await placesOf(ctx, row.inboxId, messageIdOf(row))).at(-1)?.webhookId === row.webhookId) return row
  }
  return undefined
}

type Fate = { kind: 'receipt'; status: 'delivered' } | { kind: 'failure'; reason: string; sentence: LocalText }

/** Tells the hub what became of a message that it counts as sent. A repeat changes nothing. */
export async function report(ctx: Ctx, row: Outbox, fate: Fate): Promise<void> {
  // Words that cannot be opened any more name nobody.
  const to = toldIn(ctx, row)?.data.recipient?.externalId ?? (await ctx.em().findOne(Thread, { conversationId: row.conversationId }))?.customerId ?? 'nobody'
  const externalId = `${fate.kind}_${row.webhookId}_${row.round}`
  const which = fate.kind === 'failure' ? { round: row.round } : {}
  const event = { ...fate, ...which, externalId, from: { externalId: to }, messageExternalId: messageIdOf(row) } as InboundEvent
  try {
    await ctx.accept(row.inboxId, [event])
  } catch (error) {
    // Of somebody who was blocked nothing is noted.
    if (!(error instanceof HubError) || error.code !== 'HUB_IDENTITY_BLOCKED') throw error
  }
}

const giveUp = (ctx: Ctx, row: Outbox, failure: string, now = Date.now()): Promise<number> =>
  update(
    ctx,
    { ...keyOf(row), state: 'offered', pos: row.pos },
    { state: 'given-up', failure, dueAt: new Date(isMessage(row) ? now : now + listedMs), heldUntil: null },
  )

/** What lay there for too long goes: the agent reads it at the message, admins in the inbox's settings. */
export async function giveUpUnfetched(ctx: Ctx, now = Date.now()): Promise<void> {
  const due = { dueAt: { $lte: new Date(now) } }
  const options = { orderBy: { dueAt: 'asc' as const }, limit: sweepPage, disableIdentityMap: true as const }
  for (const row of await ctx.em().find(Outbox, { state: 'offered', ...due }, options)) {
    const inbox = await ctx.inbox(row.inboxId)
    if (!inbox) await update(ctx, { ...keyOf(row), state: 'offered' }, { dueAt: new Date(now + laterMs) })
    else if (isFetched(inbox)) await giveUp(ctx, row, 'unfetched', now)
    else {
      await takeUp(ctx, { conversationId: row.conversationId })
      await hurry(ctx, row.conversationId)
    }
  }
  // Given up first and told then: what was fetched in between is not reported as lost.
  for (const row of await ctx.em().find(Outbox, { state: 'given-up', type: messageType, ...due }, options)) {
    if (!(await ctx.inbox(row.inboxId))) {
      await update(ctx, { ...keyOf(row), state: 'given-up' }, { dueAt: new Date(now + laterMs) })
      continue
    }
    const reason: keyof typeof gaveUp = (['unfetched', 'sealed'] as const).find((one) => one === row.failure) ?? 'unreachable'
    await report(ctx, row, { kind: 'failure', reason, sentence: gaveUp[reason] })
    await update(ctx, { ...keyOf(row), state: 'given-up' }, { dueAt: null, body: '' })
  }
}

const gaveUp = {
  unfetched: {
    zh: '对方系统三天半没有来取这条消息，客户没有收到。请联系管理员检查接入，再重新发送。',
    en: 'The other side has not fetched this message for three and a half days: the customer does not have it. Ask an admin to look at the connection, then send it again.',
  },
  unreachable: {
    zh: '对方系统三天半没有接收这条消息，客户没有收到。请联系管理员检查接入，再重新发送。',
    en: 'The other side has not taken this message for three and a half days: the customer does not have it. Ask an admin to look at the connection, then send it again.',
  },
  sealed: {
    zh: '系统密钥已更换，这条待取的消息打不开了，客户没有收到。请重新发送。',
    en: 'The hub has another key now and cannot open this message any more: the customer does not have it. Send it again.',
  },
} satisfies Record<string, LocalText>

const noted = new WeakMap<object, Map<string, number>>()
/** Written twice in a minute at most. */
const noteEveryMs = 30_000

/** Somebody with a good key asks: written down now and then, and an inbox that was silent is well again. */
export async function noteFetch(ctx: Ctx, inbox: ChannelInbox, keyId: string): Promise<Fetch> {
  const memory = noted.get(ctx) ?? new Map<string, number>()
  noted.set(ctx, memory)
  const now = Date.now()
  const row = await begun(ctx, inbox.id)
  if (now - (memory.get(keyId) ?? 0) < noteEveryMs && !row.silent) return row
  memory.set(keyId, now)
  const em = ctx.em()
  const endpoint = await em.findOne(Endpoint, { inboxId: inbox.id }, { disableIdentityMap: true })
  // What failed while it was pushed to its address matters no more, either.
  if (row.silent || endpoint?.failing || endpoint?.failingSince) await noteSuccess(ctx, inbox)
  await em.nativeUpdate(Key, { id: keyId }, { usedAt: new Date(now) })
  await em.nativeUpdate(Fetch, { inboxId: inbox.id }, { fetchedAt: new Date(now), silent: false })
  return row
}

const remedy: LocalText = {
  zh: '请检查对方系统是否仍在按「待取地址」来取，取件密钥是否有效；对方下一次来取后即恢复。',
  en: 'See whether the other side still asks at the outbox address, and with a valid key. It recovers with the next fetch.',
}
const makeKey: LocalText = {
  zh: '请在「接入信息」里生成取件密钥并交给对方；对方第一次来取后即恢复。',
  en: 'Make a fetch key in this inbox’s settings and give it to the other side. It recovers with the first fetch.',
}

/** Nobody has asked for too long: admins see it. */
export async function tellOfSilence(ctx: Ctx, now = Date.now()): Promise<void> {
  const before = new Date(now - silentAfterMs)
  for (const inbox of await ctx.inboxes()) {
    if (!isFetched(inbox)) continue
    const row = await fetchOf(ctx, inbox.id)
    if (row?.silent || (row?.fetchedAt && row.fetchedAt > before)) continue
    const keys = await ctx.em().find(Key, { inboxId: inbox.id }, { orderBy: { createdAt: 'asc' }, limit: 2, disableIdentityMap: true })
    const waits = (await oldestOffer(ctx, inbox.id)) ?? new Date(now)
    const unused = keys[0] !== undefined && !row?.fetchedAt && keys[0].createdAt < before
    if (waits > before && !unused) continue
    const [code, error] =
      keys.length === 0
        ? ['no-key', { zh: '有消息待取，但还没有取件密钥', en: 'Messages lie there, and there is no key to fetch them with' }]
        : row?.fetchedAt
          ? ['silent', { zh: '对方超过 15 分钟没有来取消息', en: 'The other side has not fetched for more than 15 minutes' }]
          : ['never-fetched', { zh: '取件密钥从未使用，对方还没有来取过', en: 'The fetch key was never used: nobody has fetched yet' }]
    await ctx.health(inbox.id, { state: 'broken', error: error as LocalText, code: code as string, remedy: keys.length === 0 ? makeKey : remedy })
    await begun(ctx, inbox.id)
    await ctx.em().nativeUpdate(Fetch, { inboxId: inbox.id }, { silent: true })
  }
}

/** Since when the oldest of what lies there does. */
export async function oldestOffer(ctx: Ctx, inboxId: string): Promise<Date | undefined> {
  const [oldest] = await ctx.em().find(Outbox, lying(inboxId, 0), { orderBy: { pos: 'asc' }, limit: 1, fields: ['dueAt'], disableIdentityMap: true })
  return oldest?.dueAt ? new Date(oldest.dueAt.getTime() - triedForMs) : undefined
}

export interface FetchState {
  fetchedAt: Date | null
  silent: boolean
  /** The newest that was fetched. */
  last: string | undefined
  waiting: number
}

export async function fetchState(ctx: Ctx, inboxId: string): Promise<FetchState> {
  const row = await fetchOf(ctx, inboxId)
  const taken = { inboxId, state: 'taken' as const, pos: { $ne: null } }
  const [last] = await ctx.em().find(Outbox, taken, { orderBy: { pos: 'desc' }, limit: 1, fields: ['type'], disableIdentityMap: true })
  const waiting = await ctx.em().count(Outbox, lying(inboxId, 0))
  return { fetchedAt: row?.fetchedAt ?? null, silent: row?.silent ?? false, last: last?.type, waiting }
}

/** An admin has changed the inbox: what lies there goes the way that it has now, at once. */
export async function followSettings(ctx: Ctx, inboxId: string): Promise<void> {
  const inbox = await ctx.inbox(inboxId)
  if (!inbox) return
  if (!isFetched(inbox)) {
    await takeUp(ctx, { inboxId })
    await ctx.em().nativeUpdate(Fetch, { inboxId, silent: true }, { silent: false })
  }
  const due = { inboxId, state: 'waiting' as const, dueAt: { $ne: null } }
  await update(ctx, due, { dueAt: new Date() })
}
