/** Reads the reports' sums: as far as this reader's reach goes, by day or by what the conversations have in common. */
import { HubError } from '../../../sdk/errors.ts'
import type { Report, ReportBy, ReportFigures, ReportQuery } from '../../../sdk/wire/report.ts'
import type { Access } from '../../access/access-cache.ts'
import { whereAllowed } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import { type Sql, sql } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { Category } from '../category/category.entity.ts'
import { Department } from '../department/department.entity.ts'
import { subtree } from '../department/subtree.ts'
import { query } from '../record/find/list-records.ts'
import { checkTimeZone, midnightsOf } from '../record/find/period.ts'
import { all, among, raw, sqlWhere } from '../record/find/sql-where.ts'
import { countMeasures, type Grain, grains, nearestSlot, replyLengths, resolveLengths, slotsOf, startOfSlot, waitBounds } from './contribution.ts'
import { markOf } from './keep-reports.ts'

const mostDays = 366
/** More inboxes, agents or categories than that are no chart; those with the most conversations are shown. */
const mostRows = 500
const columnOf: Record<Exclude<ReportBy, 'total' | 'day'>, string> = {
  channel: 'channel',
  inbox: 'inbox_id',
  department: 'department_id',
  agent: 'assignee_id',
  category: 'category_id',
}

/** Raw sums, by measure. MySQL gives sums as text. */
type Sums = Record<string, number | string | null>

/** Throws HUB_REQUEST_INVALID for a span that ends before it begins, or is longer than a year. */
export async function overview(hub: Hub, actor: Access, asked: ReportQuery): Promise<Report> {
  const em = hub.em()
  const { by = 'total' } = asked
  const tz = checkTimeZone(asked.tz ?? 'UTC')
  const [from, to] = [nearestSlot(new Date(asked.from)), nearestSlot(new Date(asked.to))]
  if (to <= from) throw new HubError('HUB_REQUEST_INVALID', 'The span ends before it begins', { path: '/to' })
  if (to - from > (mostDays + 1) * 48) throw new HubError('HUB_REQUEST_INVALID', `A report spans ${mostDays} days at most`, { path: '/from' })
  const span = { from: startOfSlot(from).toISOString(), to: startOfSlot(to).toISOString() }
  const told = await markOf(em, 'told')
  const where = await whereOf(em, actor, asked)
  const report: Report = { ...span, upTo: told ? new Date(Number(told)).toISOString() : null, rows: [], waits: null }
  if (!where) return report
  const among = where.length > 0 ? all(where.map((each) => each.sql)) : undefined
  const wholes = where.every((each) => each.wholes)
  if (by === 'total') {
    const [whole = {}] = await query<Sums>(em, sumsBy(undefined, everyMeasure, from, to, among))
    report.rows = [{ key: null, ...span, ...figuresOf(whole) }]
    report.waits = { reply: waitsOf(whole, replyLengths), resolve: waitsOf(whole, resolveLengths) }
  } else if (by === 'day') {
    const days = daysOf(from, to, tz)
    const found = await query<Sums & { key: number }>(em, sumsByDay(everyMeasure, days, among, wholes))
    const byNumber = new Map(found.map((sums) => [Number(sums.key), sums]))
    report.rows = days.map((day, i) => ({
      key: day.key,
      from: startOfSlot(day.from).toISOString(),
      to: startOfSlot(day.to).toISOString(),
      ...figuresOf(byNumber.get(i) ?? {}),
    }))
  } else {
    const found = await query<Sums & { key: string | null }>(
      em,
      sql`${sumsBy(columnOf[by], everyMeasure, from, to, among)} order by opened desc limit ${raw(String(mostRows))}`,
    )
    const rootOf = by === 'category' ? await rootsOf(em) : (key: string | null) => key
    const groups = Map.groupBy(found, ({ key }) => rootOf(key))
    report.rows = [...groups].map(([key, group]) => ({ key, ...span, ...figuresOf(together(group)) })).sort((a, b) => b.opened - a.opened)
  }
  return report
}

/** A part of a span: numbers `from` to `to` (exclusive) of one grain. */
interface Piece {
  grain: 'slot' | 'day' | 'month'
  from: number
  to: number
}

/** A span of half hours in as few sums as hold it: months in the middle, days around them, half hours at its ends. */
export function piecesOf(from: number, to: number): Piece[] {
  const cut = (start: number, end: number, grain: Piece['grain'], finer: Piece['grain'] | undefined): Piece[] => {
    if (start >= end) return []
    const size = slotsOf[grain]
    const [first, last] = [Math.ceil(start / size), Math.floor(end / size)]
    const next = finer && (finer === 'day' ? ('slot' as const) : undefined)
    if (first >= last) return finer ? cut(start, end, finer, next) : []
    const piece = { grain, from: first, to: last }
    return finer ? [...cut(start, first * size, finer, next), piece, ...cut(last * size, end, finer, next)] : [piece]
  }
  return cut(from, to, 'month', 'day')
}

/**
 * Sums of the half hours from one to another: the one of the whole, or one for each value of a slice's column. First by
 * slice, so that few rows are joined.
 *
 * @param where on slices `c`; undefined = all of them, which are then not looked at
 */
export function sumsBy(key: string | undefined, measures: readonly string[], from: number, to: number, where: Sql | undefined): Sql {
  const parts = piecesOf(from, to).map(
    (piece) => sql`select ${raw(key ? `h.slice, ${sumsOf('h', measures)}` : sumsOf('h', measures))}
    from ${rowsOf(piece, where)} ${raw(key ? 'group by h.slice' : '')}`,
  )
  const whole = parts.reduce((before, part) => sql`${before} union all ${part}`)
  if (!key) return sql`select ${raw(sumsOf('s', measures))} from (${whole}) s`
  return sql`select c.${raw(key)} as \`key\`, ${raw(sumsOf('s', measures))} from (${whole}) s join report_slice c on c.id = s.slice group by c.${raw(key)}`
}

/** A day of the reader: half hours `from` to `to` (exclusive). */
interface Day {
  key: string
  from: number
  to: number
}

/** Every day of the span, also such as have nothing. */
function daysOf(from: number, to: number, tz: string): Day[] {
  const starts = midnightsOf(startOfSlot(from), startOfSlot(to), tz).map(({ day, at }) => ({ key: day, from: Math.max(from, nearestSlot(at)) }))
  return starts.map((day, i) => ({ ...day, to: starts[i + 1]?.from ?? to }))
}

/**
 * One sum for each of the days, by its number among them. Days of one length that follow each other are one select: they
 * are of another length only where the clock is changed, and at the ends of the span.
 *
 * @param wholes the condition is about inboxes only, so their own sums do
 */
export function sumsByDay(measures: readonly string[], days: readonly Day[], where: Sql | undefined, wholes: boolean): Sql {
  const runs: { first: number; from: number; to: number; length: number }[] = []
  for (const [i, { from, to }] of days.entries()) {
    const run = runs.at(-1)
    if (run?.length === to - from) run.to = to
    else runs.push({ first: i, from, to, length: to - from })
  }
  const parts = runs.map(({ first, from, to, length }) => {
    const day = raw(`${first} + (h.at - ${from} - (h.at - ${from}) % ${length}) / ${length}`)
    return sql`select ${day} as \`key\`, ${raw(sumsOf('h', measures))} from ${rowsOf({ grain: wholes ? 'inboxSlot' : 'slot', from, to }, where)} group by ${day}`
  })
  return parts.reduce((before, part) => sql`${before} union all ${part}`)
}

/** In floating point, which holds these whole numbers exactly: MySQL adds integers as decimals, which takes thrice the time. */
const sumsOf = (alias: string, measures: readonly string[]): string => measures.map((name) => `sum(${alias}.${name} + 0e0) as ${name}`).join(', ')

const rowsOf = ({ grain, from, to }: { grain: Grain; from: number; to: number }, where: Sql | undefined): Sql =>
  sql`${grain === 'slot' ? raw('report_slot h where') : sql`report_sum h where h.grain = ${grains[grain]} and`} h.at >= ${from} and h.at < ${to}
    ${where ? sql`and h.slice in (select c.id from report_slice c where ${where})` : raw('')}`

/** On slices `c`. */
interface Condition {
  sql: Sql
  /** Only about the inbox. */
  wholes: boolean
}

/** Conditions on slices, none for who sees all; null when this reader may see none. */
async function whereOf(em: Em, actor: Access, { channel, inboxId, departmentId, agentId }: ReportQuery): Promise<Condition[] | null> {
  const allowed = whereAllowed(actor.ability, 'read', 'report')
  if (!allowed) return null
  const where: Condition[] = Object.keys(allowed).length > 0 ? [{ sql: sqlWhere(em, allowed), wholes: onlyInboxes(allowed) }] : []
  if (channel) where.push({ sql: sql`c.channel = ${channel}`, wholes: true })
  if (inboxId) where.push({ sql: sql`c.inbox_id = ${inboxId}`, wholes: true })
  if (agentId) where.push({ sql: sql`c.assignee_id = ${agentId}`, wholes: false })
  if (departmentId) {
    const departments = await em.find(Department, {}, { fields: ['id', 'parentId'], disableIdentityMap: true })
    where.push({ sql: among('c.department_id', subtree(departmentId, departments)), wholes: false })
  }
  return where
}

/** A reach by business line and nothing else. */
const onlyInboxes = (where: Record<string, unknown>): boolean =>
  Object.entries(where).every(([key, value]) => (key.startsWith('$') ? (value as Record<string, unknown>[]).every(onlyInboxes) : key === 'inboxId'))

const everyMeasure = [...countMeasures, ...replyLengths, ...resolveLengths]
const together = (group: readonly Sums[]): Sums =>
  Object.fromEntries(everyMeasure.map((measure) => [measure, group.reduce((sum, row) => sum + Number(row[measure] ?? 0), 0)]))

function figuresOf(sums: Sums): ReportFigures {
  const of = (measure: (typeof countMeasures)[number]) => Number(sums[measure] ?? 0)
  const average = (seconds: number, count: number) => (count === 0 ? null : seconds / count)
  return {
    opened: of('opened'),
    ended: of('ended'),
    received: of('received'),
    sent: of('sent'),
    replied: of('replied'),
    replySeconds: average(of('reply_seconds'), of('replied')),
    replyMedian: waitsOf(sums, replyLengths).median,
    resolved: of('resolved'),
    resolveSeconds: average(of('resolve_seconds'), of('resolved')),
    resolveMedian: waitsOf(sums, resolveLengths).median,
    good: of('good'),
    medium: of('medium'),
    bad: of('bad'),
  }
}

const waitsOf = (sums: Sums, lengths: readonly string[]) => {
  const counts = lengths.map((measure) => Number(sums[measure] ?? 0))
  return { median: quantile(counts, 0.5), p90: quantile(counts, 0.9) }
}

/** The length that so great a part of the waits does not exceed, as if those of one count lay evenly between its bounds. */
export function quantile(counts: readonly number[], part: number): number | null {
  const total = counts.reduce((sum, n) => sum + n, 0)
  if (total === 0) return null
  let rest = total * part
  for (const [i, n] of counts.entries()) {
    const [low, high] = [waitBounds[i - 1] ?? 0, waitBounds[i]]
    // Of the longest it is only known that they are longer.
    if (high === undefined) return low
    if (n > 0 && rest <= n) return low + (high - low) * (rest / n)
    rest -= n
  }
  return null
}

/** The uppermost category that one lies below. */
async function rootsOf(em: Em): Promise<(id: string | null) => string | null> {
  const parents = new Map((await em.find(Category, {}, { fields: ['id', 'parentId'], disableIdentityMap: true })).map(({ id, parentId }) => [id, parentId]))
  return (id) => {
    let at = id
    while (at && parents.get(at)) at = parents.get(at) as string
    return at
  }
}
