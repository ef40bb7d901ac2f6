import type { Em } from '../../db/orm.ts'
import { columnsOf, list, readRaw, rowOf, sql } from '../../db/statements.ts'
import { Visit } from './visit.entity.ts'

/** The first stay of each of these identities, along the index of their beginnings. */
export async function firstVisits(em: Em, identityIds: readonly string[]): Promise<Map<string, Visit>> {
  if (identityIds.length === 0) return new Map()
  const rows = await readRaw<object>(
    em,
    sql`select ${columnsOf(em, Visit, 'v')} from visit v join
          (select f.identity_id as id, min(f.started_at) as at from visit f where f.identity_id in ${list(identityIds)} group by f.identity_id) first
        on v.identity_id = first.id and v.started_at = first.at`,
  )
  return new Map(rows.map((row) => rowOf(em, Visit, row)).map((visit) => [visit.identityId ?? '', visit]))
}
