/** Work on many records: a row says what is to be done, a worker does it in the background; who asked for it may watch and stop it, an owner everybody's. */
import { HubError } from '../../../sdk/errors.ts'
import type { BatchAction, BatchAtWork, BatchInput, BatchState, RecordFilter } from '../../../sdk/wire/record.ts'
import { splitPermission } from '../../access/ability.ts'
import type { Access } from '../../access/access-cache.ts'
import { doneBy, whoDoes } from '../../access/doing.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { changeRecord } from './change-record.ts'
import { recordsMatching } from './find/find-records.ts'
import { startOfPeriod } from './find/period.ts'
import { RecordBatch } from './record.entity.ts'

/** A worker that has said nothing for so long is gone: the next one begins anew, which changes nothing twice. */
const leaseMs = 30_000
/** What has ended is shown for so long. */
const keptMs = 30 * 86_400_000
/** So many records between two looks at what the agent may and whether somebody stopped it. */
const idsAtOnce = 20
/** Turns that broke before it is given up. */
const mostAttempts = 5
/** What a record itself refuses: passed over, the rest goes on. */
const passedOver = new Set(['HUB_NOT_FOUND', 'HUB_FORBIDDEN', 'HUB_RECORD_OPEN', 'HUB_REQUEST_INVALID'])

export async function startBatch(hub: Hub, agentId: string, input: BatchInput): Promise<BatchState> {
  const now = new Date()
  const row = {
    id: newId(),
    agentId,
    input: bounded(input, now),
    doneBy: whoDoes(),
    state: 'running',
    done: 0,
    skipped: 0,
    attempts: 0,
    dueAt: now,
    createdAt: now,
  } as RecordBatch
  const em = hub.em()
  await em.insert(RecordBatch, row)
  await em.nativeDelete(RecordBatch, { dueAt: null, createdAt: { $lt: new Date(now.getTime() - keptMs) } })
  hub.queue.hurry('batch', row.id)
  return presentBatch(row)
}

/** As it was counted: a worker that comes later, on another day even, finds no other records by it. */
function bounded(input: BatchInput, now: Date): BatchInput {
  if (!input.filter) return input
  const { period, ...filter } = input.filter
  const counted = new Date(input.countedAt ?? now)
  const until = counted < now ? counted : now
  const from = [filter.from && new Date(filter.from), period && startOfPeriod(period, input.tz ?? 'UTC', until)].filter((at) => at instanceof Date)
  // The end is exclusive, and what came in that very moment was counted.
  const ends = [filter.to && new Date(filter.to), new Date(until.getTime() + 1)].filter((at) => at instanceof Date)
  const span: Pick<RecordFilter, 'from' | 'to'> = {
    ...(from.length > 0 ? { from: new Date(Math.max(...from.map(Number))).toISOString() } : {}),
    to: new Date(Math.min(...ends.map(Number))).toISOString(),
  }
  return { ...input, filter: { ...filter, ...span }, countedAt: until.toISOString() }
}

/** One that has ended keeps nothing of who was looked for, nor by which words. */
function ended({ input: { filter, ...input } }: RecordBatch): Pick<RecordBatch, 'input' | 'dueAt'> {
  if (!filter) return { input, dueAt: null }
  const { keyword: _words, contact: _who, fields: _fields, ...rest } = filter
  return { input: { ...input, filter: rest }, dueAt: null }
}

export const presentBatch = ({ id, input, state, done, skipped }: RecordBatch): BatchState => ({ id, action: input.action, state, done, skipped })

/** Throws HUB_NOT_FOUND for one of somebody else's, except to an owner. */
export async function findBatch(hub: Hub, { agent, owner }: Pick<Access, 'agent' | 'owner'>, id: string): Promise<RecordBatch> {
  const row = await hub.em().findOne(RecordBatch, { id, ...(owner ? {} : { agentId: agent.id }) }, { disableIdentityMap: true })
  if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such task')
  return row
}

const mostAtWork = 50

/** What is going on, newest first: one's own, for an owner everybody's. What an owner stops they must be able to see. */
export async function batchesAtWork(hub: Hub, { agent, owner }: Pick<Access, 'agent' | 'owner'>): Promise<BatchAtWork[]> {
  const em = hub.em()
  const whose = owner ? {} : { agentId: agent.id }
  const rows = await em.find(
    RecordBatch,
    { dueAt: { $ne: null }, state: 'running', ...whose },
    { orderBy: { id: 'desc' }, limit: mostAtWork, disableIdentityMap: true },
  )
  const agents = await em.find(Agent, { id: { $in: rows.map(({ agentId }) => agentId) } }, { fields: ['name'], disableIdentityMap: true })
  const names = new Map(agents.map(({ id, name }) => [id, name]))
  return rows.map((row) => ({
    ...presentBatch(row),
    agentId: row.agentId,
    agentName: names.get(row.agentId) ?? '',
    createdAt: row.createdAt.toISOString(),
  }))
}

/** Changes nothing where it has ended. */
export async function cancelBatch(hub: Hub, row: RecordBatch): Promise<void> {
  await commitWithEvents(hub, async (em) => {
    const stopped = await em.nativeUpdate(RecordBatch, { id: row.id, state: 'running' }, { state: 'cancelled', ...ended(row) })
    return stopped > 0 ? [{ name: 'record.batchCancelled', data: { batchId: row.id, action: row.input.action, agentId: row.agentId } }] : []
  })
}

export async function runBatch(hub: Hub, id: string): Promise<void> {
  const em = hub.em()
  const row = await em.findOne(RecordBatch, { id }, { disableIdentityMap: true })
  const now = new Date()
  if (!row?.dueAt || row.dueAt > now) return
  const lease = () => new Date(Date.now() + leaseMs)
  if ((await em.nativeUpdate(RecordBatch, { id, dueAt: row.dueAt, state: 'running' }, { dueAt: lease() })) === 0) return
  let { done } = row
  // Named records are gone on with behind the last one; a filter is asked anew, up to when it was counted.
  const behind = row.input.ids ? done + row.skipped : 0
  const until = row.input.filter && row.input.countedAt ? new Date(row.input.countedAt) : undefined
  let skipped = row.input.ids ? row.skipped : 0
  const work = async (): Promise<'done' | 'cancelled' | 'failed'> => {
    const asked = await mayStill(hub, row)
    if (!asked) return 'failed'
    for await (const ids of idsOf(hub, row, asked, behind)) {
      // What the agent may do now decides, not what they might when they asked or a while ago.
      const access = await mayStill(hub, row)
      if (!access) return 'failed'
      for (const recordId of ids) {
        const changed = await changeRecord(hub, access, recordId, { ...row.input, until }).catch((error) => {
          if (error instanceof HubError && passedOver.has(error.code)) return false
          throw error
        })
        if (changed) done++
        else skipped++
      }
      if ((await em.nativeUpdate(RecordBatch, { id, state: 'running' }, { done, skipped, dueAt: lease() })) === 0) return 'cancelled'
    }
    return 'done'
  }
  const state = await (row.doneBy ? doneBy(row.doneBy, work) : work()).catch(async (error) => {
    hub.log.error({ err: error, batch: id, attempts: row.attempts + 1 }, 'work on many records was interrupted')
    if (row.attempts + 1 >= mostAttempts) return 'failed' as const
    await em.nativeUpdate(RecordBatch, { id, state: 'running' }, { done, skipped, attempts: row.attempts + 1 })
    return undefined
  })
  // Again when the lease is over.
  if (!state) return
  await em.nativeUpdate(RecordBatch, { id, state: 'running' }, { state, done, skipped, ...ended(row) })
}

/** Who holds it within no reach at all could only have everything passed over. */
const needed: Record<BatchAction, string> = {
  archive: 'conversation.archive',
  unarchive: 'conversation.archive',
  delete: 'conversation.delete',
  restore: 'record.restore',
  purge: 'record.restore',
  tag: 'conversation.reply',
  untag: 'conversation.reply',
  categorise: 'conversation.reply',
}

/** The access of whoever asked for it; undefined when they are switched off or may not do such a thing at all any more. */
async function mayStill(hub: Hub, { agentId, input }: RecordBatch): Promise<Access | undefined> {
  const access = await hub.access.of(agentId)
  return access && ['record.batch', needed[input.action]].every((permission) => access.ability.can(...splitPermission(permission))) ? access : undefined
}

async function* idsOf(hub: Hub, { input }: RecordBatch, access: Access, behind: number): AsyncIterable<readonly string[]> {
  const pages = input.ids ? [input.ids.slice(behind)] : recordsMatching(hub, access, input.filter ?? {}, { tz: input.tz ?? 'UTC' })
  for await (const page of pages) for (let at = 0; at < page.length; at += idsAtOnce) yield page.slice(at, at + idsAtOnce)
}
