/**
 * Keeps the reports' sums. It follows the conversations by itself; whoever changes one knows nothing of it, and pays
 * nothing for it. What a conversation last added is remembered beside its revision: when the revision has moved on, the
 * old is taken out of the sums and the new put in, in one transaction. So a rating, a category, a merge or a restored
 * record may come whenever they like; killed anywhere, a conversation counts as it did before or as it does now.
 */
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { execute, forUpdate, isMysql, list, readRaw, type Sql, sql, stored } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { quietly } from '../../pipeline/give-way.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { msOf, query } from '../record/find/list-records.ts'
import { raw } from '../record/find/sql-where.ts'
import { type Cell, type Cells, type Contribution, contributionsOf, type Grain, grains, measures, type SliceKey, slotsOf } from './contribution.ts'
import { ReportMark, ReportSlice } from './report.entity.ts'

/** Conversations of one transaction. */
const pageSize = 50
/** Looked at again at every turn, whatever is said of when they changed. */
const recheckSize = 500
/** A change may commit after one of a later time: so far back is looked again. */
const lateMs = 2 * 60_000

/**
 * Does what there is to do, at most until `until`; tells how many conversations were counted anew. Two at once do no
 * harm, only the same work.
 */
export async function keepReports(hub: Hub, { until, stopped = () => false }: { until: number; stopped?: () => boolean }): Promise<number> {
  const counted = await follow(hub, () => performance.now() > until || stopped())
  return counted + (stopped() ? 0 : await recheck(hub))
}

/** What has changed since the mark, oldest first. */
async function follow(hub: Hub, enough: () => boolean): Promise<number> {
  const began = Date.now()
  const breath = quietly(hub)
  let place = { at: Number((await markOf(hub.em(), 'changed')) ?? 0), id: '' }
  for (let counted = 0; ; ) {
    const em = hub.em()
    const time = stored(em, Conversation, 'changedAt', new Date(place.at))
    const index = raw(isMysql(em) ? 'force index (conversation_changed)' : 'indexed by conversation_changed')
    const page = await query<{ id: string; at: number | string }>(
      em,
      sql`select c.id, c.changed_at as at from conversation c ${index} left join report_fact f on f.conversation_id = c.id
        where c.changed_at >= ${time} and (c.changed_at > ${time} or c.id > ${place.id}) and (f.rev is null or f.rev <> c.rev)
        order by c.changed_at, c.id limit ${raw(String(pageSize))}`,
    )
    await countAnew(
      em,
      page.map(({ id }) => id),
    )
    await breath()
    counted += page.length
    const last = page.at(-1)
    const done = page.length < pageSize || !last
    if (!done) place = { at: msOf(last.at), id: last.id }
    await setMark(em, 'changed', String(done ? began - lateMs : Math.min(place.at, began - lateMs)))
    if (done) await setMark(em, 'told', String(began))
    if (done || enough()) return counted
  }
}

/** Goes round all conversations in time: whatever the mark has missed, and facts of what is gone, is put right. */
async function recheck(hub: Hub): Promise<number> {
  const em = hub.em()
  const after = (await markOf(em, 'checked')) ?? ''
  const page = await query<{ id: string; rev: number; seen: number | null }>(
    em,
    sql`select c.id, c.rev, f.rev as seen from conversation c left join report_fact f on f.conversation_id = c.id
      where c.id > ${after} order by c.id limit ${raw(String(recheckSize))}`,
  )
  const last = page.length === recheckSize ? (page.at(-1)?.id ?? '') : ''
  const gone = await query<{ id: string }>(
    em,
    sql`select f.conversation_id as id from report_fact f left join conversation c on c.id = f.conversation_id
      where f.conversation_id > ${after} and ${last === '' ? raw('1 = 1') : sql`f.conversation_id <= ${last}`} and c.id is null limit ${raw(String(recheckSize))}`,
  )
  const wrong = [...page.filter(({ rev, seen }) => rev !== seen), ...gone].map(({ id }) => id)
  const breath = quietly(hub)
  for (let at = 0; at < wrong.length; at += pageSize) {
    await countAnew(em, wrong.slice(at, at + pageSize))
    await breath()
  }
  await setMark(em, 'checked', last)
  return wrong.length
}

async function countAnew(em: Em, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await retryOnConflict(() => em.fork().transactional((tx) => replaceFacts(tx as Em, ids)))
}

interface Fact {
  id: string
  rev: number
  slice: number
  cells: string
}

/** In the caller's transaction: takes out what the conversations last added, puts in what they add now. */
export async function replaceFacts(em: Em, ids: readonly string[]): Promise<void> {
  const sorted = [...new Set(ids)].sort()
  const facts = await readRaw<Fact>(
    em,
    sql`select conversation_id as id, rev, slice, cells from report_fact where conversation_id in ${list(sorted)} order by conversation_id ${forUpdate(em)}`,
  )
  const before = new Map(facts.map((fact) => [fact.id, fact]))
  const after = await contributionsOf(em, sorted)
  const changed = sorted.filter((id) => before.get(id)?.rev !== after.get(id)?.rev)
  const wanted = changed.flatMap((id) => after.get(id)?.slice ?? [])
  const slices = await slicesOf(em, [...wanted, ...wanted.map(inboxOf)])
  const known = await inboxSlices(
    em,
    changed.flatMap((id) => before.get(id)?.slice ?? []),
  )

  const sums = new Map<string, Sum>()
  const add = (slice: number, inbox: number, cells: Cells, sign: 1 | -1) => {
    for (const [slot, cell] of Object.entries(cells))
      for (const [name, grain] of Object.entries(grains)) {
        const at = Math.floor(Number(slot) / slotsOf[name as Grain])
        const of = grain === grains.inboxSlot ? inbox : slice
        const key = `${grain}/${at}/${of}`
        const sum = sums.get(key) ?? { grain, at, slice: of, cell: {} }
        sums.set(key, sum)
        for (const [measure, n] of Object.entries(cell)) sum.cell[measure] = (sum.cell[measure] ?? 0) + sign * n
      }
  }
  const rows: [id: string, rev: number, slice: number, cells: string][] = []
  const talks: [at: number, id: string][] = []
  const fewer: string[] = []
  for (const id of changed) {
    const [was, is] = [before.get(id), after.get(id)]
    const [spoke, speaks] = [spokenIn(was && (JSON.parse(was.cells) as Cells)), spokenIn(is?.cells)]
    const less = [...spoke].some((at) => !speaks.has(at))
    if (less || !is) fewer.push(id)
    for (const at of speaks) if (less || !spoke.has(at)) talks.push([at, id])
    if (was) add(was.slice, known.get(was.slice) as number, JSON.parse(was.cells) as Cells, -1)
    if (!is) continue
    const slice = slices.get(nameOf(is.slice)) as number
    add(slice, slices.get(nameOf(inboxOf(is.slice))) as number, is.cells, 1)
    rows.push([id, is.rev, slice, JSON.stringify(is.cells)])
  }
  const gone = changed.filter((id) => !after.has(id))
  if (gone.length > 0) await execute(em, sql`delete from report_fact where conversation_id in ${list(gone)}`)
  await upsert(em, 'report_fact', ['conversation_id'], ['rev', 'slice', 'cells'], rows, (column, given) => `${column} = ${given}`)
  // Nearly none has fewer than before: it was deleted, or a hand has changed its times.
  if (fewer.length > 0) await execute(em, sql`delete from report_talk where conversation_id in ${list(fewer)}`)
  await upsert(em, 'report_talk', ['at', 'conversation_id'], [], talks)
  await addSums(
    em,
    [...sums.values()].filter(({ cell }) => Object.values(cell).some((n) => n !== 0)),
  )
}

/** The half hours in which there were messages. */
const spokenIn = (cells: Cells = {}): Set<number> =>
  new Set(Object.entries(cells).flatMap(([at, { received = 0, sent = 0 }]) => (received + sent > 0 ? [Number(at)] : [])))

interface Sum {
  grain: number
  at: number
  slice: number
  cell: Cell
}

async function addSums(em: Em, sums: readonly Sum[]): Promise<void> {
  // In one order, so that two who write the same cells do not wait for each other in a circle.
  const sorted = [...sums].sort((a, b) => a.grain - b.grain || a.at - b.at || a.slice - b.slice)
  for (const [grain, of] of Map.groupBy(sorted, (sum) => sum.grain)) {
    const [table, keys] = grain === grains.slot ? (['report_slot', []] as const) : (['report_sum', ['grain']] as const)
    const rows = of.map(({ at, slice, cell }) => [...keys.map(() => grain), at, slice, ...measures.map((measure) => cell[measure] ?? 0)])
    await upsert(em, table, [...keys, 'at', 'slice'], measures, rows, (column, given) => `${column} = ${column} + ${given}`)
    // All that is left of what moved elsewhere is noughts.
    const less = of.filter(({ cell }) => Object.values(cell).some((n) => n < 0))
    if (less.length > 0)
      await execute(
        em,
        sql`delete from ${raw(table)} where ${keys.length > 0 ? sql`grain = ${grain} and` : raw('')} at in ${list([...new Set(less.map(({ at }) => at))])}
          and slice in ${list([...new Set(less.map(({ slice }) => slice))])} and opened = 0 and ended = 0 and received = 0 and sent = 0`,
      )
  }
}

/** Inserts rows, or changes those that are there, by what `set` says of a column and the value given for it; without other columns they stay. */
async function upsert(
  em: Em,
  table: string,
  keys: readonly string[],
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  set: (column: string, given: string) => string = (column) => column,
): Promise<void> {
  const mysql = isMysql(em)
  const places = `(${[...keys, ...columns].map(() => '?').join(', ')})`
  const sets = columns.map((column) => set(column, mysql ? `values(${column})` : `excluded.${column}`)).join(', ')
  const same = mysql ? `on duplicate key update ${keys[0]} = ${keys[0]}` : `on conflict (${keys.join(', ')}) do nothing`
  const clash = sets === '' ? same : `${mysql ? 'on duplicate key update' : `on conflict (${keys.join(', ')}) do update set`} ${sets}`
  for (let at = 0; at < rows.length; at += 50) {
    const page = rows.slice(at, at + 50)
    await em.execute(`insert into ${table} (${[...keys, ...columns].join(', ')}) values ${page.map(() => places).join(', ')} ${clash}`, page.flat())
  }
}

const nameOf = ({ inboxId, channel, departmentId, assigneeId, categoryId }: SliceKey): string =>
  [inboxId, channel, departmentId, assigneeId, categoryId].map((value) => value ?? '').join('|')

/** The inbox as a whole is the slice of it that nobody has and that is about nothing. */
const inboxOf = ({ inboxId, channel }: Pick<SliceKey, 'inboxId' | 'channel'>): SliceKey => ({
  inboxId,
  channel,
  departmentId: null,
  assigneeId: null,
  categoryId: null,
})

/** Which slices are the inboxes of these slices as a whole: they were made together. */
async function inboxSlices(em: Em, ids: readonly number[]): Promise<Map<number, number>> {
  if (ids.length === 0) return new Map()
  const rows = await readRaw<{ id: number; inboxId: string; channel: string }>(
    em,
    sql`select id, inbox_id as inboxId, channel from report_slice where id in ${list([...new Set(ids)])}`,
  )
  const wholes = await slicesOf(em, rows.map(inboxOf))
  return new Map(rows.map((row) => [Number(row.id), wholes.get(nameOf(inboxOf(row))) as number]))
}

/** Their numbers, by name; those that are new get one. */
async function slicesOf(em: Em, keys: readonly SliceKey[]): Promise<Map<string, number>> {
  const wanted = new Map(keys.map((key) => [nameOf(key), key]))
  if (wanted.size === 0) return new Map()
  // A locking read sees what others have committed since this transaction began.
  const find = () =>
    readRaw<{ id: number; name: string }>(em, sql`select id, name from report_slice where name in ${list([...wanted.keys()])} ${forUpdate(em)}`)
  const known = new Set((await find()).map(({ name }) => name))
  for (const [name, key] of [...wanted].filter(([each]) => !known.has(each)).sort(([a], [b]) => (a < b ? -1 : 1)))
    await em.execute('insert into report_slice (name, inbox_id, channel, department_id, assignee_id, category_id) values (?, ?, ?, ?, ?, ?)', [
      name,
      key.inboxId,
      key.channel,
      key.departmentId ?? null,
      key.assigneeId ?? null,
      key.categoryId ?? null,
    ])
  return new Map((await find()).map(({ id, name }) => [name, Number(id)]))
}

export async function markOf(em: Em, name: 'changed' | 'checked' | 'told'): Promise<string | undefined> {
  return (await em.findOne(ReportMark, { name }, { disableIdentityMap: true }))?.value
}

const setMark = (em: Em, name: string, value: string): Promise<void> =>
  upsert(em, 'report_mark', ['name'], ['value'], [[name, value]], (column, given) => `${column} = ${given}`)

/** Forgets all sums; they are counted anew from the conversations, the page fills up as that goes on. */
export async function rebuildReports(em: Em): Promise<void> {
  await em.transactional(async (tx) => {
    for (const table of ['report_slot', 'report_sum', 'report_talk', 'report_fact', 'report_mark']) await (tx as Em).execute(`delete from ${table}`)
    await tx.nativeDelete(ReportSlice, {})
  })
}

/**
 * Holds the newest conversations against a scan of them; tells how many were looked at and the ids of those whose sums are not what they should be. Such as have changed since they were counted are passed over.
 */
export async function checkReports(em: Em, size = 500): Promise<{ looked: number; wrong: string[] }> {
  const newest: Sql = sql`select conversation_id as id, rev, slice, cells from report_fact order by conversation_id desc limit ${raw(String(size))}`
  const facts = await query<Fact>(em, newest)
  const names = new Map(
    (await em.find(ReportSlice, { id: { $in: [...new Set(facts.map(({ slice }) => slice))] } }, { disableIdentityMap: true })).map((slice) => [
      slice.id,
      slice.name,
    ]),
  )
  const wrong: string[] = []
  for (let at = 0; at < facts.length; at += pageSize) {
    const page = facts.slice(at, at + pageSize)
    const now = await contributionsOf(
      em,
      page.map(({ id }) => id),
    )
    for (const fact of page) if (!agrees(fact, names.get(fact.slice), now.get(fact.id))) wrong.push(fact.id)
  }
  return { looked: facts.length, wrong }
}

function agrees(fact: Fact, slice: string | undefined, now: Contribution | undefined): boolean {
  if (!now || now.rev !== fact.rev) return true
  return slice === nameOf(now.slice) && sameCells(JSON.parse(fact.cells) as Cells, now.cells)
}

const sameCells = (a: Cells, b: Cells): boolean => flat(a) === flat(b)
const flat = (cells: Cells): string =>
  Object.entries(cells)
    .flatMap(([slot, cell]) => Object.entries(cell).map(([measure, n]) => `${slot}/${measure}=${n}`))
    .sort()
    .join()
