/** Who an agent is and may, kept for a second: roles and departments are asked for at every request and change rarely. */
import type { MongoAbility } from '@casl/ability'
import type { Grant } from '../../sdk/wire/role.ts'
import type { Em } from '../db/orm.ts'
import { Agent, AgentRole } from '../domain/agent/agent.entity.ts'
import { Department } from '../domain/department/department.entity.ts'
import { Role } from '../domain/role/role.entity.ts'
import { buildAbility } from './ability.ts'

export interface Access {
  agent: Agent
  ability: MongoAbility
  grants: readonly Grant[]
  owner: boolean
  /** The agent's department and all below it. */
  treeIds: readonly string[]
}

/** Long enough to spare the database, short enough that a change counts within a second even if the bus lost it. */
const ttlMs = 1_000

export class AccessCache {
  readonly #em: () => Em
  readonly #entries = new Map<string, { at: number; access: Promise<Access | undefined> }>()

  constructor(em: () => Em) {
    this.#em = em
  }

  /** An active agent's access, or undefined. */
  async of(agentId: string): Promise<Access | undefined> {
    const known = this.#entries.get(agentId)
    if (known && Date.now() - known.at < ttlMs) return known.access
    const access = this.#load(agentId)
    this.#entries.set(agentId, { at: Date.now(), access })
    access.catch(() => this.#entries.delete(agentId))
    return access
  }

  /** Something about access changed: everybody is looked up anew. */
  clear(): void {
    this.#entries.clear()
  }

  async #load(agentId: string): Promise<Access | undefined> {
    const em = this.#em()
    const agent = await em.findOne(Agent, { id: agentId, active: true })
    if (!agent) return undefined
    const links = await em.find(AgentRole, { agentId })
    const roles = links.length > 0 ? await em.find(Role, { id: { $in: links.map((link) => link.roleId) } }) : []
    const departments = await em.find(Department, {})
    return accessOf(agent, roles, departments)
  }
}

/** The same, from rows at hand. */
export function accessOf(agent: Agent, roles: readonly Role[], departments: readonly Department[]): Access {
  const treeIds = subtree(agent.departmentId ?? null, departments)
  const owner = roles.some((role) => role.builtin === 'owner')
  const grants = roles.flatMap((role) => role.grants)
  return { agent, grants, owner, treeIds, ability: buildAbility({ id: agent.id, departmentId: agent.departmentId ?? null, treeIds, owner }, grants) }
}

/** A department and all below it; empty for null. */
export function subtree(rootId: string | null, departments: readonly Pick<Department, 'id' | 'parentId'>[]): string[] {
  if (rootId === null) return []
  const result = [rootId]
  for (let i = 0; i < result.length; i++)
    for (const department of departments) if (department.parentId === result[i] && !result.includes(department.id)) result.push(department.id)
  return result
}
