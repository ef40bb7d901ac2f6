/**
 * The four lists of visitors (row 6). A visitor talks as long as their conversation is open, page or no page; has talked
 * when they spoke today and it is over; all others are on a page, or have left it without a word.
 */
import { decodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { columnsOf, joinInOrder, readRaw, rowOf, type Sql, sql, stored } from '../../db/statements.ts'
import { startOfPeriod } from '../record/find/period.ts'
import { sqlWhere } from '../record/find/sql-where.ts'
import { Visit } from './visit.entity.ts'
import { visitTtlMs } from './visit.present.ts'

export type VisitorList = 'online' | 'talking' | 'talked' | 'left'

/** Of the visits that the reader may see (`allowed`, as the ability says it) last seen first, from a cursor on. @param tz where the reader's day begins */
export async function listVisitors(
  em: Em,
  allowed: Record<string, unknown>,
  { list, tz, cursor, limit }: { list: VisitorList; tz: string; cursor: string | undefined; limit: number },
): Promise<Visit[]> {
  const time = (at: Date) => stored(em, Visit, 'seenAt', at)
  const alive = time(new Date(Date.now() - visitTtlMs))
  const midnight = time(startOfPeriod('today', tz))
  const silent = sql`not exists (select 1 from conversation c where c.open_identity_id = v.identity_id)`
  const lists: Record<VisitorList, Sql> = {
    online: sql`visit v where v.seen_at >= ${alive} and (v.spoke_at is null or v.spoke_at < ${midnight}) and ${silent}`,
    // From the conversations that are open, which are few, to the last visit of each: one line a person, however many pages they opened.
    talking: sql`conversation c ${joinInOrder(em)} visit v
      on v.id = (select n.id from visit n where n.identity_id = c.open_identity_id order by n.started_at desc, n.id desc limit 1)
      where c.open_identity_id is not null`,
    talked: sql`visit v where v.seen_at >= ${midnight} and v.spoke_at >= ${midnight} and ${silent}`,
    left: sql`visit v where v.seen_at >= ${midnight} and v.seen_at < ${alive} and v.spoke_at is null and ${silent}`,
  }
  const rows = await readRaw<object>(
    em,
    sql`select ${columnsOf(em, Visit, 'v')} from ${lists[list]} and ${sqlWhere(em, allowed, { entity: Visit, alias: 'v' })} ${cursor ? after(cursor, time) : sql``} order by v.seen_at desc, v.id desc limit ${limit}`,
  )
  return rows.map((row) => rowOf(em, Visit, row))
}

function after(cursor: string, time: (at: Date) => string | number): Sql {
  const [at, id] = decodeCursor(cursor, 'time', 'word')
  const seen = time(new Date(at))
  return sql`and (v.seen_at < ${seen} or (v.seen_at = ${seen} and v.id < ${id}))`
}
