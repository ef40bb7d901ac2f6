/** Which rule counts for a conversation, and who its own people are. */

import type { Em } from '../../db/orm.ts'
import type { Conversation } from '../conversation/conversation.entity.ts'
import { Department, SkillGroupMember } from '../department/department.entity.ts'
import { subtree } from '../department/subtree.ts'
import { AssignmentRule } from './assignment-rule.entity.ts'

export type Rule = Pick<AssignmentRule, 'scope' | 'targetId' | 'strategy' | 'maxOpen' | 'whenFull'> & { id: string | null }
/** What routing needs to know of a conversation, which may not exist yet. */
export type Routable = Pick<Conversation, 'inboxId' | 'departmentId' | 'skillGroupId'> & { id?: string; contactId?: string }

/** What counts where nothing has been set. */
export const builtInRule: Rule = { id: null, scope: 'hub', targetId: '', strategy: 'leastLoaded', maxOpen: null, whenFull: 'queue' }

/** The nearest rule, and conditions that its people meet. */
export async function findRule(em: Em, { inboxId, departmentId, skillGroupId }: Routable): Promise<{ rule: Rule; people: Record<string, unknown> }> {
  const departments = departmentId ? await em.find(Department, {}, { disableIdentityMap: true }) : []
  const parents = new Map(departments.map((department) => [department.id, department.parentId ?? null]))
  const above: string[] = []
  for (let id = departmentId ?? null; id !== null && !above.includes(id); id = parents.get(id) ?? null) above.push(id)
  const nearest: [Rule['scope'], string][] = [
    ['inbox', inboxId],
    ...(skillGroupId ? [['skillGroup', skillGroupId] as [Rule['scope'], string]] : []),
    ...above.map((id): [Rule['scope'], string] => ['department', id]),
    ['hub', ''],
  ]
  const rows = await em.find(AssignmentRule, { targetId: { $in: nearest.map(([, id]) => id) } }, { disableIdentityMap: true })
  const rule = nearest.map(([scope, id]) => rows.find((row) => row.scope === scope && row.targetId === id)).find((row) => row !== undefined) ?? builtInRule
  return { rule, people: await peopleOf(em, departmentId ?? null, skillGroupId ?? null, departments) }
}

async function peopleOf(
  em: Em,
  departmentId: string | null,
  skillGroupId: string | null,
  departments: readonly Department[],
): Promise<Record<string, unknown>> {
  if (skillGroupId) {
    const members = await em.find(SkillGroupMember, { skillGroupId }, { disableIdentityMap: true })
    return { id: { $in: members.map((member) => member.agentId) } }
  }
  return departmentId ? { departmentId: { $in: subtree(departmentId, departments) } } : {}
}
