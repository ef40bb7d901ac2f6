import type { Moved } from '../../../sdk/events.ts'
import type { Em } from '../../db/orm.ts'
import { Department } from './department.entity.ts'

/** What is told of a move from one department to another. Undefined when it is none. */
export async function movedBetween(em: Em, from: string | null | undefined, to: string | null | undefined): Promise<{ moved: Moved } | undefined> {
  if (to === undefined || (from ?? null) === to) return undefined
  const rows = await em.find(
    Department,
    { id: { $in: [from, to].filter((id) => typeof id === 'string') } },
    { fields: ['id', 'name'], disableIdentityMap: true },
  )
  const named = (id: string | null | undefined) => (id ? { id, name: rows.find((row) => row.id === id)?.name ?? '' } : null)
  return { moved: { from: named(from), to: named(to) } }
}
