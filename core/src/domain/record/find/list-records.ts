/**
 * Records by their conditions, newest first. Where one condition leads to few, an index of its own gives those and the
 * rest is looked at in them; else the walk goes along the time's index, which holds what the conditions ask for, a
 * piece at a time, until the page is full or the time is up.
 */
import type { Em } from '../../../db/orm.ts'
import { isMysql, type Sql, sql, stored } from '../../../db/statements.ts'
import { Conversation } from '../../conversation/conversation.entity.ts'
import { all, among, raw } from './sql-where.ts'
import type { Wanted } from './wanted.ts'

export interface Sizes {
  /** So many conversations are looked at one by one rather than walked past: about as long as a page may take. */
  fewRows: number
  /** What two indexes that are longer, but not longer than this, have in common is looked for. */
  crossRows: number
  /** Of so few conversations every message is read for words. */
  fewTalks: number
  /** Index entries of the first piece of a walk, and of the longest; each is twice as long as the one before. */
  firstPiece: number
  longestPiece: number
  /** So long the index's blocks are believed to be those that were read; they stay a while longer (`retireAfterMs`). */
  trustMs: number
}
export const usualSizes: Sizes = { fewRows: 3_000, crossRows: 40_000, fewTalks: 300, firstPiece: 2_000, longestPiece: 32_000, trustMs: 60_000 }

/** After this row of the list. */
export type Place = readonly [at: number, id: string]

export interface Found {
  ids: string[]
  /** Where the next page begins; null at the end. */
  next: Place | null
  partial: boolean
}

export const query = <T>(em: Em, { text, params }: Sql): Promise<T[]> => em.execute(text, [...params]) as Promise<T[]>

/** `by` walks this index; MikroORM cannot say so, and the databases choose others, to sort all that they find. */
const walked = (em: Em, by: Wanted['by']): Sql =>
  raw(`conversation c ${isMysql(em) ? 'force index' : 'indexed by'} ${isMysql(em) ? `(${indexOf[by]})` : indexOf[by]}`)
const indexOf = { last_message_at: 'conversation_record', created_at: 'conversation_record_created', deleted_at: 'conversation_deleted' } as const

/** A join that goes from the left to the right, whatever the database believes of the sizes. */
export const inThisOrder = (em: Em): Sql => raw(isMysql(em) ? 'straight_join' : 'cross join')

/** The rows of a select of ids, each looked up in the table. */
export const lookedUp = (em: Em, ids: Sql): Sql => sql`(${ids}) i ${inThisOrder(em)} conversation c on c.id = i.id`

const union = (parts: readonly Sql[], most: number): Sql => {
  const pieces = parts.map((part) => sql`select id from (${part} limit ${raw(String(most))}) u`)
  return { text: pieces.map(({ text }) => text).join(' union '), params: pieces.flatMap(({ params }) => params) }
}

interface Lead {
  ids: Sql
  count: number
}

async function counted(em: Em, ids: Sql): Promise<Lead> {
  const [row] = await query<{ n: number | string }>(em, sql`select count(*) as n from (${ids}) l`)
  return { ids, count: Number(row?.n) }
}

/** The shortest of what leads to all that is wanted, if it is short: a select of ids. */
export async function shortLead(em: Em, wanted: Wanted, { fewRows, crossRows }: Sizes): Promise<Lead | undefined> {
  let best: Lead | undefined
  for (const parts of wanted.leads) {
    const bound = best?.count ?? fewRows + 1
    const lead = await counted(em, union(parts, bound))
    // A part that was cut may have lost the very row that is wanted.
    if (lead.count < bound) best = lead
    if (lead.count < fewRows / 20) break
  }
  if (best || wanted.leads.length < 2) return best
  // Each is long, but conditions that are seldom together lead to few: what the indexes have in common, read from them alone.
  const some: Lead[] = []
  for (const parts of wanted.leads) {
    const lead = await counted(em, union(parts, crossRows + 1))
    if (lead.count <= crossRows) some.push(lead)
  }
  const [first, second] = some.sort((a, b) => a.count - b.count)
  if (!first || !second) return undefined
  // MySQL before 8.0.31 has no word for it.
  const common = sql`select id from (${first.ids} union all ${second.ids}) u group by id having count(*) = 2 limit ${raw(String(fewRows + 1))}`
  const rows = await query<{ id: string }>(em, common)
  if (rows.length > fewRows) return undefined
  const ids = rows.map(({ id }) => id)
  return { count: ids.length, ids: sql`select id from conversation where ${among('id', ids)}` }
}

/** @param until when to stop looking, by `performance.now()` */
export async function listRecords(em: Em, wanted: Wanted, after: Place | null, limit: number, until: number, sizes: Sizes): Promise<Found> {
  const { by, where } = wanted
  const order = raw(`order by c.${by} desc, c.id desc`)
  const take = raw(`limit ${limit + 1}`)
  const row = raw(`select c.id, c.${by} as at`)
  const lead = await shortLead(em, wanted, sizes)
  const byLead = async ({ ids }: Lead) =>
    page(await query<Row>(em, sql`${row} from ${lookedUp(em, ids)} where ${all([where, ...beyond(em, by, after)])} ${order} ${take}`), limit)
  if (lead && lead.count <= sizes.fewRows / 6) return byLead(lead)
  const rows: Row[] = []
  let at = after
  for await (const piece of walk(em, wanted, after, sizes)) {
    const left = raw(`limit ${limit + 1 - rows.length}`)
    rows.push(...(await query<Row>(em, sql`${row} from ${walked(em, by)} where ${all([where, piece.where])} ${order} ${left}`)))
    if (rows.length > limit) break
    // There are not so few that the walk could not be the shorter way; the first piece has shown that it is not.
    if (lead && at === after && piece.end && rows.length < limit / 8) return byLead(lead)
    at = piece.end
    if (at && performance.now() > until) return { ids: rows.map(({ id }) => id), next: at, partial: true }
  }
  return page(rows, limit)
}

/** How many, up to `most`; `more` when there are more, or when the time was up before all were counted. */
export async function countRecords(em: Em, wanted: Wanted, most: number, until: number, sizes: Sizes): Promise<{ count: number; more: boolean }> {
  const lead = await shortLead(em, wanted, sizes)
  if (lead) {
    const [row] = await query<{ n: number | string }>(em, sql`select count(*) as n from ${lookedUp(em, lead.ids)} where ${wanted.where}`)
    return { count: Number(row?.n), more: false }
  }
  let count = 0
  for await (const piece of walk(em, wanted, null, sizes)) {
    const [row] = await query<{ n: number | string }>(
      em,
      sql`select count(*) as n from (select 1 from ${walked(em, wanted.by)} where ${all([wanted.where, piece.where])} limit ${raw(String(most + 1 - count))}) f`,
    )
    count += Number(row?.n)
    if (count > most) return { count: most, more: true }
    if (piece.end && performance.now() > until) return { count, more: true }
  }
  return { count, more: false }
}

interface Row {
  id: string
  at: number | string
}

/** The time's index, cut into pieces, from `after` on. A piece ends between two times, never between two rows of one. */
async function* walk(em: Em, { by, range }: Wanted, after: Place | null, sizes: Sizes): AsyncGenerator<{ where: Sql; end: Place | null }> {
  let at = after
  for (let size = sizes.firstPiece; ; size = Math.min(size * 2, sizes.longestPiece)) {
    const start = all([range, ...beyond(em, by, at)])
    const [last] = await query<Row>(
      em,
      sql`select c.id, c.${raw(by)} as at from ${walked(em, by)} where ${start} order by c.${raw(by)} desc, c.id desc limit 1 offset ${raw(String(size))}`,
    )
    if (!last) {
      yield { where: start, end: null }
      return
    }
    const end: Place = [msOf(last.at), '']
    yield { where: sql`${start} and c.${raw(by)} >= ${timeOf(em, end[0])}`, end }
    at = end
  }
}

function page(rows: readonly Row[], limit: number): Found {
  const ids = rows.slice(0, limit).map(({ id }) => id)
  const last = rows[limit - 1]
  return { ids, next: rows.length > limit && last ? [msOf(last.at), last.id] : null, partial: false }
}

export const msOf = (at: number | string): number => (typeof at === 'number' ? at : new Date(`${at.replace(' ', 'T')}Z`).getTime())
const timeOf = (em: Em, ms: number): string | number => stored(em, Conversation, 'createdAt', new Date(ms))

function beyond(em: Em, by: Wanted['by'], after: Place | null): Sql[] {
  if (!after) return []
  const [column, time] = [raw(`c.${by}`), timeOf(em, after[0])]
  return [sql`${column} <= ${time} and (${column} < ${time} or c.id < ${after[1]})`]
}
