/** Whether what is put into a department or a skill group finds it there. */
import { LockMode } from '@mikro-orm/core'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { Department, SkillGroup } from './department.entity.ts'

/**
 * Throws HUB_NOT_FOUND at the field. In the transaction that writes it: who is being deleted is waited for, and who is
 * found stays until the commit.
 */
export async function checkPlace(tx: Em, { departmentId, skillGroupId }: { departmentId?: string | null; skillGroupId?: string | null }): Promise<void> {
  const there = { fields: ['id'], lockMode: LockMode.PESSIMISTIC_READ, disableIdentityMap: true } as const
  if (departmentId && !(await tx.findOne(Department, { id: departmentId }, there)))
    throw new HubError('HUB_NOT_FOUND', 'There is no such department', { path: '/departmentId' })
  if (skillGroupId && !(await tx.findOne(SkillGroup, { id: skillGroupId }, there)))
    throw new HubError('HUB_NOT_FOUND', 'There is no such skill group', { path: '/skillGroupId' })
}
