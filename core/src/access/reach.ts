/** Whose conversations somebody would see: a grant within a department is worth what lies in it, and nobody gives what they do not see. */
import type { Grant } from '../../sdk/wire/role.ts'
import { holds } from './grants.ts'

interface Seer {
  owner: boolean
  grants: readonly Grant[]
  agent: { departmentId?: string | null | undefined }
  treeIds: readonly string[]
}

/** Would `grant` reach, for somebody in this department, what it does not reach for `actor`? */
export function reachesBeyond(actor: Seer, grant: Grant, departmentId: string | null | undefined): boolean {
  if (!departmentId) return false
  const within = (scope: 'department' | 'tree' | 'all') => holds(actor, { ...grant, scope })
  if (grant.permission === 'conversation.take')
    // What may be taken may be seen: the queue of one's tree.
    return !seesAll(actor, grant) && !(holds(actor, grant) && actor.treeIds.includes(departmentId))
  if (grant.scope !== 'department' && grant.scope !== 'tree') return false
  if (within('all') || (within('tree') && actor.treeIds.includes(departmentId))) return false
  return !(grant.scope === 'department' && within('department') && actor.agent.departmentId === departmentId)
}

/** Does what somebody sees grow with the departments below theirs? */
export const growsWithTree = (actor: Seer): boolean =>
  actor.grants.some((grant) =>
    grant.permission === 'conversation.take' ? !seesAll(actor, grant) : grant.scope === 'tree' && !holds(actor, { ...grant, scope: 'all' }),
  )

const seesAll = (actor: Seer, { inboxIds }: Grant): boolean =>
  holds(actor, { permission: 'conversation.read', scope: 'all', ...(inboxIds ? { inboxIds } : {}) })
