/**
 * A run of the retention rules: walks along what has ended, oldest first, and lets go of what is due, a few conversations
 * at a time. A trial walks the same way by the same rules and only counts. Whoever holds the row's lease does the work;
 * what a process that died has left is in the rows: the place of the walk, the counts of what was committed, and
 * conversations that are marked, which the recycle bin's purge finishes by itself.
 */
import type { LetterMeta } from '../../../sdk/channel.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import { attachmentBits } from '../../../sdk/wire/record.ts'
import type { RetentionTally } from '../../../sdk/wire/retention.ts'
import { doneBy } from '../../access/doing.ts'
import type { Em } from '../../db/orm.ts'
import { isMysql, list, readRaw, type Sql, sql, stored, updateRows } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { ConversationChange, lockConversations, writeChanges, writeEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { fileIdsOf } from '../file/claim-files.ts'
import { dropFiles, letGo } from '../file/drop-file.ts'
import { StoredFile } from '../file/file.entity.ts'
import { rawLettersOf } from '../file/raw-letters.ts'
import { Message } from '../message/message.entity.ts'
import { msOf } from '../record/find/list-records.ts'
import { raw } from '../record/find/sql-where.ts'
import { purge } from '../record/purge.ts'
import { RetentionRun } from './retention.entity.ts'
import { latestDue, readTrees, ruleFinder, verdict } from './rules.ts'

/** A worker that has said nothing for so long is gone. */
const leaseMs = 60_000
/** Then it makes room for other work and comes again. */
const sliceMs = 5_000
const walkAtOnce = 500
/** Conversations of one transaction. */
const goAtOnce = 20
const messagesAtOnce = 200
/** Between two transactions, for those who wait for the database meanwhile. */
const pauseMs = 40
const mostSamples = 20
const mostAttempts = 5
/** After a failure. */
const againMs = 15_000

/** Somebody stopped it, or another process has taken over. */
class Lost extends Error {}

interface Row {
  id: string
  inboxId: string
  departmentId: string | null
  categoryId: string | null
  closedAt: number | string
  messages: number
}

export async function runRetention(hub: Hub, id: string, stopped: () => boolean = () => false): Promise<void> {
  const em = hub.em()
  const row = await em.findOne(RetentionRun, { id }, { disableIdentityMap: true })
  if (!row?.dueAt || row.dueAt > new Date()) return
  const lease = until(leaseMs)
  if ((await em.nativeUpdate(RetentionRun, { id, dueAt: row.dueAt, state: 'running' }, { dueAt: lease })) === 0) return
  const run = new Run(hub, row, lease)
  const work = async () => {
    try {
      if (await run.slice(() => stopped())) await finishRun(hub, id, 'done')
      else await run.rest()
    } catch (error) {
      if (error instanceof Lost) return
      hub.log.warn({ err: error, run: id }, 'a retention run failed')
      await run.fail(error as Error)
    }
  }
  await (row.doneBy ? doneBy(row.doneBy, work) : work())
}

/** The cleaning that is on its way: there is one at a time. */
export const runningNow = (em: Em): Promise<RetentionRun | null> => em.findOne(RetentionRun, { openKind: 'clean' }, { disableIdentityMap: true })

/** A run that is on its way holds to the rules and trees of before: what changes them ends it. */
export async function stopRun(hub: Hub): Promise<void> {
  const running = await runningNow(hub.em())
  if (running) await finishRun(hub, running.id, 'stopped')
}

/** Ends a run and tells of it. False when it had ended already. */
export async function finishRun(hub: Hub, id: string, state: 'done' | 'stopped' | 'failed', error = ''): Promise<boolean> {
  let listeners = new Set<string>()
  const ended = await hub.em().transactional(async (tx) => {
    const endedAt = new Date()
    if ((await tx.nativeUpdate(RetentionRun, { id, state: 'running' }, { state, error, endedAt, dueAt: null, openKind: null })) === 0) return false
    const run = await tx.findOneOrFail(RetentionRun, { id }, { disableIdentityMap: true })
    if (run.kind === 'trial') return true
    const sum = (of: (tally: RetentionTally) => number) => run.tallies.reduce((all, tally) => all + of(tally), 0)
    const data = {
      runId: id,
      state,
      count: sum((tally) => tally.conversations),
      messages: sum((tally) => tally.messages),
      stripped: sum((tally) => tally.stripped),
      files: sum((tally) => tally.files),
      bytes: sum((tally) => tally.bytes),
      seconds: Math.round((endedAt.getTime() - run.startedAt.getTime()) / 1_000),
    }
    listeners = await writeEvents(hub, tx as Em, [{ name: 'retention.ran', data }])
    return true
  })
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  return ended
}

const until = (ms: number): Date => new Date(Date.now() + ms)

class Run {
  readonly #hub: Hub
  readonly #row: RetentionRun
  #lease: Date
  readonly #tallies: Map<string, RetentionTally>

  constructor(hub: Hub, row: RetentionRun, lease: Date) {
    this.#hub = hub
    this.#row = row
    this.#lease = lease
    this.#tallies = new Map(row.tallies.map((tally) => [tally.ruleId, tally]))
  }

  /** True when all has been looked at. */
  async slice(stopped: () => boolean): Promise<boolean> {
    const { rules, startedAt } = this.#row
    const latest = latestDue(rules, startedAt)
    if (!latest) return true
    const end = performance.now() + sliceMs
    const ruleOf = ruleFinder(rules, await readTrees(this.#hub.em()))
    while (!stopped() && performance.now() < end) {
      const rows = await this.#walk(latest)
      const due = Map.groupBy(
        rows.flatMap((row) => {
          const rule = ruleOf(row)
          return rule ? [{ ...row, ruleId: rule.id, what: verdict(rule, new Date(msOf(row.closedAt)), startedAt) }] : []
        }),
        ({ what }) => what,
      )
      const [all, strip] = [due.get('all') ?? [], await this.#withFiles(due.get('files') ?? [])]
      if (this.#row.kind === 'trial') await this.#count(all, strip)
      else {
        for (let at = 0; at < all.length; at += goAtOnce) {
          if (stopped()) return false
          await this.#letGo(all.slice(at, at + goAtOnce), ruleOf)
        }
        for (const row of strip) {
          if (stopped()) return false
          await this.#strip(row.id, ruleOf)
        }
      }
      const last = rows.at(-1)
      if (last) Object.assign(this.#row, { placeAt: new Date(msOf(last.closedAt)), placeId: last.id })
      this.#row.looked += rows.length
      this.#row.attempts = 0
      await this.#keep(this.#hub.em())
      if (rows.length < walkAtOnce) return true
      await (this.#row.kind === 'trial' ? new Promise(setImmediate) : pause())
    }
    return false
  }

  /** Gives the lease back: another turn, here or elsewhere, goes on at once. */
  async rest(): Promise<void> {
    const { id } = this.#row
    if ((await this.#hub.em().nativeUpdate(RetentionRun, { id, dueAt: this.#lease, state: 'running' }, { dueAt: new Date() })) > 0)
      this.#hub.queue.hurry('retention', id)
  }

  async fail(error: Error): Promise<void> {
    const { id, attempts } = this.#row
    if (attempts + 1 >= mostAttempts) await finishRun(this.#hub, id, 'failed', error.message.slice(0, 500))
    else await this.#hub.em().nativeUpdate(RetentionRun, { id, dueAt: this.#lease, state: 'running' }, { attempts: attempts + 1, dueAt: until(againMs) })
  }

  /** Writes what was done, and that it is still being done: in the transaction of the deed, so that the count is what was committed. */
  async #keep(em: Em): Promise<void> {
    const { id, looked, placeAt, placeId, sample, attempts } = this.#row
    const lease = until(leaseMs)
    const kept = { tallies: [...this.#tallies.values()], looked, placeAt, placeId, sample, attempts, dueAt: lease }
    if ((await em.nativeUpdate(RetentionRun, { id, dueAt: this.#lease, state: 'running' }, kept)) === 0) throw new Lost()
    this.#lease = lease
  }

  #walk(latest: Date): Promise<Row[]> {
    const em = this.#hub.em()
    const time = (at: Date) => stored(em, Conversation, 'closedAt', at)
    const { placeAt, placeId } = this.#row
    const after: Sql = placeAt ? sql`and closed_at >= ${time(placeAt)} and (closed_at > ${time(placeAt)} or id > ${placeId ?? ''})` : raw('')
    const from = raw(isMysql(em) ? 'conversation force index (conversation_closed)' : 'conversation indexed by conversation_closed')
    // What lies in the recycle bin can be restored until the day that was promised, and goes by itself after it.
    const binned = raw('and purge_at is null')
    return readRaw<Row>(
      em,
      sql`select id, inbox_id as inboxId, department_id as departmentId, category_id as categoryId, closed_at as closedAt, messages
        from ${from} where closed_at <= ${time(latest)} ${after} and status = 'closed' ${binned} order by closed_at, id limit ${raw(String(walkAtOnce))}`,
    )
  }

  async #withFiles<T extends Row>(rows: readonly T[]): Promise<T[]> {
    if (rows.length === 0) return []
    const found = await readRaw<{ id: string }>(
      this.#hub.em(),
      sql`select distinct conversation_id as id from file where conversation_id in ${list(rows.map(({ id }) => id))}`,
    )
    const ids = new Set(found.map(({ id }) => id))
    return rows.filter(({ id }) => ids.has(id))
  }

  async #filesOf(em: Em, ids: readonly string[]): Promise<Map<string, { files: number; bytes: number }>> {
    if (ids.length === 0) return new Map()
    const rows = await readRaw<{ id: string; files: number | string; bytes: number | string }>(
      em,
      sql`select conversation_id as id, count(*) as files, sum(size) as bytes from file where conversation_id in ${list(ids)} group by conversation_id`,
    )
    return new Map(rows.map(({ id, files, bytes }) => [id, { files: Number(files), bytes: Number(bytes) }]))
  }

  #add(ruleId: string, more: Partial<RetentionTally>): void {
    const tally = { ...(this.#tallies.get(ruleId) ?? { ruleId, conversations: 0, messages: 0, stripped: 0, files: 0, bytes: 0 }) }
    for (const key of ['conversations', 'messages', 'stripped', 'files', 'bytes'] as const) tally[key] += more[key] ?? 0
    this.#tallies.set(ruleId, tally)
  }

  /** A transaction whose counts are forgotten when it is. */
  async #commit<T>(work: (em: Em) => Promise<T>): Promise<T> {
    const [before, lease] = [new Map(this.#tallies), this.#lease]
    try {
      return await this.#hub.em().transactional((tx) => work(tx as Em))
    } catch (error) {
      this.#lease = lease
      this.#tallies.clear()
      for (const [id, tally] of before) this.#tallies.set(id, tally)
      throw error
    }
  }

  async #count(all: readonly (Row & { ruleId: string })[], strip: readonly (Row & { ruleId: string })[]): Promise<void> {
    const files = await this.#filesOf(
      this.#hub.em(),
      [...all, ...strip].map(({ id }) => id),
    )
    for (const { id, ruleId, messages } of all) this.#add(ruleId, { conversations: 1, messages, ...files.get(id) })
    for (const { id, ruleId } of strip) this.#add(ruleId, { stripped: 1, ...files.get(id) })
    const wanted = [...all, ...strip].filter(({ ruleId }) => !this.#row.ruleId || this.#row.ruleId === ruleId)
    this.#row.sample = [...this.#row.sample, ...wanted.map(({ id }) => id)].slice(0, mostSamples)
  }

  /** Marks them, which hides them from everybody and cannot be undone, and then takes what they hold. */
  async #letGo(rows: readonly Row[], ruleOf: ReturnType<typeof ruleFinder>): Promise<void> {
    const { startedAt } = this.#row
    let after: (() => void) | undefined
    const gone = await this.#commit(async (em) => {
      const locked = [
        ...(
          await lockConversations(
            em,
            rows.map(({ id }) => id),
          )
        ).values(),
      ]
      // Somebody may have said meanwhile that it is of another kind, or have put it into the recycle bin.
      const due = locked.flatMap((conversation) => {
        const rule = ruleOf(keptBy(conversation))
        const { closedAt, status, purgeAt } = conversation
        return rule && closedAt && status === 'closed' && !purgeAt && verdict(rule, closedAt, startedAt) === 'all' ? [{ conversation, rule }] : []
      })
      const files = await this.#filesOf(
        em,
        due.map(({ conversation }) => conversation.id),
      )
      const changes = due.map(({ conversation, rule }) => {
        const change = ConversationChange.of(conversation)
        conversation.deletedAt ??= change.at
        conversation.purgeAt = change.at
        this.#add(rule.id, { conversations: 1, messages: conversation.messages, ...files.get(conversation.id) })
        return change
      })
      await this.#keep(em)
      after = await writeChanges(this.#hub, em, changes)
      return due.map(({ conversation }) => conversation.id)
    })
    after?.()
    for (const id of gone) await purge(this.#hub, id)
    await pause()
  }

  /** The files of one conversation, which keeps its words: each message says that something was there. */
  async #strip(id: string, ruleOf: ReturnType<typeof ruleFinder>): Promise<void> {
    const { startedAt } = this.#row
    let counted = false
    for (let seq = 0; ; ) {
      let after: (() => void) | undefined
      const last = await this.#commit(async (em) => {
        const conversation = (await lockConversations(em, [id])).get(id)
        const rule = conversation && ruleOf(keptBy(conversation))
        if (!conversation?.closedAt || conversation.purgeAt || !rule || verdict(rule, conversation.closedAt, startedAt) !== 'files') return undefined
        const messages = await em.find(
          Message,
          { conversationId: id, seq: { $gt: seq } },
          { orderBy: { seq: 'asc' }, limit: messagesAtOnce, disableIdentityMap: true },
        )
        const change = ConversationChange.of(conversation)
        const letters: Message[] = []
        const carried = new Set(messages.flatMap(carriedBy))
        const files = await em.find(StoredFile, { id: { $in: [...carried] } }, { fields: ['id', 'size', 'conversationId'], disableIdentityMap: true })
        // Sent again elsewhere, it lives there.
        const own = files.filter(({ id: fileId, conversationId }) => conversationId === id || !carried.delete(fileId))
        for (const message of messages) {
          if (!carriedBy(message).some((fileId) => carried.has(fileId))) continue
          message.parts = message.parts.map((part) => withoutFile(part, carried))
          if (rawLettersOf(message.meta).length > 0) letters.push(Object.assign(message, { meta: withoutRaw(message.meta ?? {}) }))
          change.touch(message)
        }
        const end = messages.length < messagesAtOnce
        if (end) {
          conversation.attachments &= attachmentBits.link
          // What somebody attaches to it from now on stays.
          await letGo(em, id)
        }
        if (own.length > 0) {
          this.#add(rule.id, { stripped: counted ? 0 : 1, files: own.length, bytes: own.reduce((sum, { size }) => sum + size, 0) })
          counted = true
          change.event('record.stripped', () => ({ conversationId: id, count: own.length }))
        }
        await this.#keep(em)
        if (change.changed.length > 0 || change.events.length > 0 || end) after = await writeChanges(this.#hub, em, [change])
        await updateRows(em, Message, letters, ['meta'])
        return end ? null : messages.at(-1)?.seq
      })
      after?.()
      if (last === undefined) return
      if (last === null) break
      seq = last
    }
    await dropFiles(this.#hub, id, 'letGo')
    await pause()
  }
}

const keptBy = ({ inboxId, departmentId = null, categoryId = null }: Conversation) => ({ inboxId, departmentId, categoryId })
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs))

const carriedBy = ({ parts, meta }: Message): string[] => [...fileIdsOf(parts), ...rawLettersOf(meta)]

function withoutRaw({ rawFileId: _raw, returned, ...meta }: LetterMeta): LetterMeta {
  return { ...meta, ...(returned ? { returned: returned.map(({ rawFileId: _report, ...one }) => one) } : {}) }
}

/** What is left of a part when these files go. */
function withoutFile(part: MessagePart, gone: ReadonlySet<string>): MessagePart {
  switch (part.type) {
    case 'image':
    case 'audio':
    case 'video':
    case 'file':
      return gone.has(part.fileId) ? { type: 'remote', as: part.type, ref: '', name: part.name, removed: true } : part
    case 'html':
      return part.inline ? { ...part, inline: part.inline.filter(({ fileId }) => !gone.has(fileId)) } : part
    case 'card': {
      const { cover, ...rest } = part
      return cover && gone.has(cover) ? rest : part
    }
    default:
      return part
  }
}
