/**
 * The hub as a role would see it: what the role may, of what the one who looks may themselves. The role's "own" and
 * "department" are the looker's, so a preview shows nothing that they could not open anyway.
 */
import { createMongoAbility, type MongoAbility, type RawRuleOf } from '@casl/ability'
import type { Role } from '../domain/role/role.entity.ts'
import { buildAbility } from './ability.ts'
import type { Access } from './access-cache.ts'

export const previewMs = 30 * 60_000

export function previewAccess(own: Access, role: Role): Access {
  const { agent, treeIds } = own
  const facts = { id: agent.id, departmentId: agent.departmentId ?? null, treeIds, owner: role.builtin === 'owner' }
  return { ...own, owner: false, grants: [], ability: intersect(own.ability, buildAbility(facts, role.grants)) }
}

type Rule = RawRuleOf<MongoAbility>
type Conditions = Record<string, unknown>

/** What both allow: every pair of rules that have something in common gives one. Our rules allow and never forbid. */
export function intersect(a: MongoAbility, b: MongoAbility): MongoAbility {
  return createMongoAbility(a.rules.flatMap((left) => b.rules.flatMap((right) => common(left as Rule, right as Rule) ?? [])))
}

function common(left: Rule, right: Rule): Rule | undefined {
  const action = both(left.action, right.action, 'manage')
  const subject = both(left.subject, right.subject, 'all')
  const conditions = bothConditions(left.conditions as Conditions | undefined, right.conditions as Conditions | undefined)
  const fields = left.fields && right.fields ? list(left.fields).filter((field) => list(right.fields).includes(field)) : (left.fields ?? right.fields)
  if (action.length === 0 || subject.length === 0 || conditions === null || fields?.length === 0) return undefined
  return { action, subject, ...(conditions ? { conditions } : {}), ...(fields ? { fields } : {}) } as Rule
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] => (value === undefined ? [] : Array.isArray(value) ? value : [value as T])

/** `any` is a word that stands for all of them. */
function both(left: unknown, right: unknown, any: string): string[] {
  const [a, b] = [list(left) as string[], list(right) as string[]]
  if (a.includes(any)) return [...b]
  return b.includes(any) ? [...a] : a.filter((word) => b.includes(word))
}

/** Our conditions say of a field that it is a value, or one of some (`ability.ts`); null when no row can meet both. */
function bothConditions(a: Conditions | undefined, b: Conditions | undefined): Conditions | undefined | null {
  if (!a || !b) return a ?? b
  const merged: Conditions = { ...a }
  for (const [field, condition] of Object.entries(b)) {
    if (!(field in merged)) merged[field] = condition
    else {
      const values = valuesOf(merged[field]).filter((value) => valuesOf(condition).includes(value))
      if (values.length === 0) return null
      merged[field] = values.length === 1 ? values[0] : { $in: values }
    }
  }
  return merged
}

const valuesOf = (condition: unknown): readonly unknown[] =>
  typeof condition === 'object' && condition !== null ? (condition as { $in: readonly unknown[] }).$in : [condition]
