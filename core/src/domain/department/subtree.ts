/** Which departments lie below which. Knows rows only, so that whoever holds some can ask. */
import type { Department } from './department.entity.ts'

/** A department and all below it; empty for null. */
export function subtree(rootId: string | null, departments: readonly Pick<Department, 'id' | 'parentId'>[]): string[] {
  if (rootId === null) return []
  const result = [rootId]
  for (let i = 0; i < result.length; i++)
    for (const department of departments) if (department.parentId === result[i] && !result.includes(department.id)) result.push(department.id)
  return result
}
