/** Which rule a conversation is kept by: of those that fit, the most particular one. */
import type { Em } from '../../db/orm.ts'
import { Category } from '../category/category.entity.ts'
import { Department } from '../department/department.entity.ts'
import { subtree } from '../department/subtree.ts'
import { type KeptRule, RetentionRule } from './retention.entity.ts'

export interface Rule extends KeptRule {
  onAt: Date | null
  suspendedAt: Date | null
  updatedAt: Date
}

/** What a rule asks of a conversation. */
export interface Kept {
  inboxId: string
  departmentId: string | null
  categoryId: string | null
}

interface Node {
  id: string
  parentId: string | null | undefined
}
interface Trees {
  departments: readonly Node[]
  categories: readonly Node[]
}

export const mostRules = 200

export const keptRule = ({
  id,
  inboxId = null,
  departmentId = null,
  categoryId = null,
  days = null,
  fileDays = null,
}: Pick<RetentionRule, keyof KeptRule>): KeptRule => ({ id, inboxId, departmentId, categoryId, days, fileDays })

export async function readRules(em: Em): Promise<Rule[]> {
  const rows = await em.find(RetentionRule, {}, { orderBy: { id: 'asc' }, limit: mostRules, disableIdentityMap: true })
  return rows.map((row) => ({ ...keptRule(row), onAt: row.onAt ?? null, suspendedAt: row.suspendedAt ?? null, updatedAt: row.updatedAt }))
}

export async function readTrees(em: Em): Promise<Trees> {
  const fields = { fields: ['id', 'parentId'] as const, disableIdentityMap: true }
  return { departments: await em.find(Department, {}, fields), categories: await em.find(Category, {}, fields) }
}

/** 1 at the top, 0 for nothing. */
function depthOf(id: string | null, nodes: readonly Node[]): number {
  const parents = new Map(nodes.map((node) => [node.id, node.parentId]))
  let depth = 0
  for (let at: string | null | undefined = id; at && depth < 50; at = parents.get(at)) depth++
  return depth
}

/**
 * The most particular first: more conditions before fewer; of equally many the one with a category, the deeper one
 * first, then the one with a department, the deeper one first, then the one with an inbox. Two rules that fit the same
 * conversation never stand level.
 */
export function inOrder<T extends KeptRule>(rules: readonly T[], { departments, categories }: Trees): T[] {
  const rank = ({ inboxId, departmentId, categoryId }: T): number[] => [
    [inboxId, departmentId, categoryId].filter(Boolean).length,
    depthOf(categoryId, categories),
    depthOf(departmentId, departments),
  ]
  const ranked = rules.map((rule) => ({ rule, rank: rank(rule) }))
  return ranked
    .sort((a, b) => {
      for (const [i, value] of a.rank.entries()) if (value !== b.rank[i]) return (b.rank[i] ?? 0) - value
      return a.rule.id < b.rule.id ? -1 : 1
    })
    .map(({ rule }) => rule)
}

/** The rule a conversation is kept by; undefined where there is none. */
export function ruleFinder(rules: readonly KeptRule[], trees: Trees): (conversation: Kept) => KeptRule | undefined {
  const below = (id: string | null, nodes: readonly Node[]) => (id ? new Set(subtree(id, nodes)) : undefined)
  const tests = inOrder(rules, trees).map((rule) => ({
    rule,
    departments: below(rule.departmentId, trees.departments),
    categories: below(rule.categoryId, trees.categories),
  }))
  return ({ inboxId, departmentId, categoryId }) =>
    tests.find(
      ({ rule, departments, categories }) =>
        (!rule.inboxId || rule.inboxId === inboxId) &&
        (!departments || (departmentId !== null && departments.has(departmentId))) &&
        (!categories || (categoryId !== null && categories.has(categoryId))),
    )?.rule
}

/** Do both fit some conversation? */
function meet(a: KeptRule, b: KeptRule, { departments, categories }: Trees): boolean {
  const within = (one: string | null, other: string | null, nodes: readonly Node[]) =>
    !one || !other || subtree(one, nodes).includes(other) || subtree(other, nodes).includes(one)
  return (
    (!a.inboxId || !b.inboxId || a.inboxId === b.inboxId) &&
    within(a.departmentId, b.departmentId, departments) &&
    within(a.categoryId, b.categoryId, categories)
  )
}

const sooner = (one: number | null, than: number | null): boolean => one !== null && (than === null || one < than)
const takesSooner = (one: KeptRule, than: KeptRule): boolean => sooner(one.days, than.days) || sooner(one.fileDays ?? one.days, than.fileDays ?? than.days)

/** The rules that would take, earlier than it, what the rule of this id keeps; and what those in turn kept from others, since they may not go on either. */
export function exposedBy(id: string, rules: readonly KeptRule[], trees: Trees): string[] {
  const ordered = inOrder(rules, trees)
  const off = new Set([id])
  // Those that are added meanwhile are come to, too.
  for (const one of off) {
    const at = ordered.findIndex((rule) => rule.id === one)
    const kept = ordered[at]
    if (!kept) continue
    for (const rule of ordered.slice(at + 1)) if (takesSooner(rule, kept) && meet(rule, kept, trees)) off.add(rule.id)
  }
  off.delete(id)
  return [...off]
}

const dayMs = 86_400_000

/** What is to go at `now` of a conversation that ended at `closedAt`. */
export function verdict({ days, fileDays }: KeptRule, closedAt: Date, now: Date): 'all' | 'files' | 'nothing' {
  const over = (limit: number | null): boolean => limit !== null && closedAt.getTime() + limit * dayMs <= now.getTime()
  return over(days) ? 'all' : over(fileDays) ? 'files' : 'nothing'
}

/** Nothing that ended later can be due by any of them; undefined when nothing can be due at all. */
export function latestDue(rules: readonly KeptRule[], now: Date): Date | undefined {
  const limits = rules.flatMap(({ days, fileDays }) => [days, fileDays]).filter((limit) => limit !== null)
  return limits.length === 0 ? undefined : new Date(now.getTime() - Math.min(...limits) * dayMs)
}
