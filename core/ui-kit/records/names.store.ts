/** What records point at by id: people, inboxes, departments, groups, tags, categories, and the fields of customers. Small lists, loaded once. */
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import type { Colleague, Department, SkillGroup } from '../../sdk/wire/agent.ts'
import type { Tag } from '../../sdk/wire/contact.ts'
import type { CategoryNode, FoundField } from '../../sdk/wire/record.ts'
import { get } from '../api.ts'

interface Inbox {
  id: string
  name: string
  channel: string
}

/** One that can be chosen; `depth` indents it below its parent. */
export interface Choice {
  id: string
  name: string
  depth?: number
}

/** A tree in the order in which it is read. */
function flatten<T extends { id: string; parentId: string | null; name: string }>(nodes: readonly T[]): (T & { depth: number })[] {
  const known = new Set(nodes.map((node) => node.id))
  const below = Map.groupBy(nodes, (node) => (node.parentId && known.has(node.parentId) ? node.parentId : ''))
  const walk = (parent: string, depth: number): (T & { depth: number })[] =>
    (below.get(parent) ?? []).flatMap((node) => [{ ...node, depth }, ...walk(node.id, depth + 1)])
  return walk('', 0)
}

export const useNames = defineStore('names', () => {
  const colleagues = shallowRef<Colleague[]>([])
  const inboxes = shallowRef<Inbox[]>([])
  const departments = shallowRef<(Department & { depth: number })[]>([])
  const skillGroups = shallowRef<SkillGroup[]>([])
  const tags = shallowRef<Tag[]>([])
  const fields = shallowRef<FoundField[]>([])
  const categories = shallowRef<(CategoryNode & { depth: number })[]>([])

  const items = async <T>(path: string): Promise<T[]> => (await get<{ items: T[] }>(path)).items
  /** Throws ApiError. */
  async function load(): Promise<void> {
    ;[colleagues.value, inboxes.value, skillGroups.value, tags.value] = await Promise.all([
      items<Colleague>('/colleagues'),
      items<Inbox>('/inboxes/brief'),
      items<SkillGroup>('/skill-groups'),
      items<Tag>('/tags'),
    ])
    fields.value = await items<FoundField>('/records/fields')
    departments.value = flatten(await items<Department>('/departments'))
    await loadCategories()
  }
  async function loadCategories(): Promise<void> {
    categories.value = flatten(await items<CategoryNode>('/categories'))
  }

  const index = <T extends { id: string }>(list: { value: T[] }) => computed(() => new Map(list.value.map((one) => [one.id, one])))
  const [agentOf, inboxOf, departmentOf, groupOf, tagOf, categoryOf] = [
    index(colleagues),
    index(inboxes),
    index(departments),
    index(skillGroups),
    index(tags),
    index(categories),
  ]
  const fieldOf = computed(() => new Map(fields.value.map((field) => [field.name, field])))
  /** 售后 / 退款: a category with what it lies below. */
  function categoryPath(id: string | null): string {
    const names: string[] = []
    for (let at = id ? categoryOf.value.get(id) : undefined; at; at = at.parentId ? categoryOf.value.get(at.parentId) : undefined) names.unshift(at.name)
    return names.join(' / ')
  }
  return {
    colleagues,
    inboxes,
    departments,
    skillGroups,
    tags,
    categories,
    fields,
    fieldOf,
    load,
    loadCategories,
    agentOf,
    inboxOf,
    departmentOf,
    groupOf,
    tagOf,
    categoryOf,
    categoryPath,
  }
})
