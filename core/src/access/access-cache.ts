/** Who an agent is and may, kept for a second: roles and departments are asked for at every request and change rarely. */
import type { MongoAbility } from '@casl/ability'
import type { Grant } from '../../sdk/wire/role.ts'
import type { Em } from '../db/orm.ts'
import { Agent, AgentRole } from '../domain/agent/agent.entity.ts'
import { Department } from '../domain/department/department.entity.ts'
import { subtree } from '../domain/department/subtree.ts'
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

/** Of who may not, no token opens anything. */
export const mayHaveTokens = ({ ability }: Access): boolean => ability.can('manage', 'token')

/** Long enough to spare the database, short enough that a change counts within a second even if the bus lost it. */
const ttlMs = 1_000

interface Entry {
  at: number
  access: Promise<Access | undefined>
  /** What the promise has come to. */
  found?: { access: Access | undefined }
}

export class AccessCache {
  readonly #em: () => Em
  readonly #entries = new Map<string, Entry>()
  /** What transactions saw, which may be older than the last change: good for `several`, not for a request. */
  readonly #seen = new Map<string, { at: number; access: Access | undefined }>()

  constructor(em: () => Em) {
    this.#em = em
  }

  /** An active agent's access, or undefined. */
  async of(agentId: string): Promise<Access | undefined> {
    const known = this.#fresh(agentId)
    if (known) return known.access
    const entry: Entry = { at: Date.now(), access: loadAccess(this.#em(), [agentId]).then((all) => all.get(agentId)) }
    this.#entries.set(agentId, entry)
    entry.access.then(
      (access) => {
        entry.found = { access }
      },
      () => this.#entries.delete(agentId),
    )
    return entry.access
  }

  /**
   * The same for several, in four queries for all that are not known. For use within a transaction: it asks by the
   * transaction's own connection, and waits for nobody who may be waiting for that.
   */
  async several(em: Em, agentIds: readonly string[]): Promise<Map<string, Access>> {
    const known = new Map<string, Access | undefined>()
    for (const id of agentIds) {
      const seen = this.#seen.get(id)
      const found = seen && Date.now() - seen.at < ttlMs ? seen : this.#fresh(id)?.found
      if (found) known.set(id, found.access)
    }
    const unknown = agentIds.filter((id) => !known.has(id))
    if (unknown.length > 0) {
      const loaded = await loadAccess(em, unknown)
      for (const id of unknown) {
        known.set(id, loaded.get(id))
        this.#seen.set(id, { at: Date.now(), access: loaded.get(id) })
      }
    }
    return new Map([...known].flatMap(([id, access]) => (access ? [[id, access] as const] : [])))
  }

  /** Something about access changed: everybody is looked up anew. */
  clear(): void {
    this.#entries.clear()
    this.#seen.clear()
  }

  #fresh(agentId: string): Entry | undefined {
    const known = this.#entries.get(agentId)
    return known && Date.now() - known.at < ttlMs ? known : undefined
  }
}

type Roles = readonly Role[]
/** As it is, or as it would be with other roles than those they hold. */
export async function loadAccess(em: Em, agentIds: readonly string[], rolesThen: (held: Roles) => Roles = (held) => held): Promise<Map<string, Access>> {
  const quiet = { disableIdentityMap: true }
  const agents = await em.find(Agent, { id: { $in: [...agentIds] }, active: true }, quiet)
  if (agents.length === 0) return new Map()
  const links = await em.find(AgentRole, { agentId: { $in: agents.map(({ id }) => id) } }, quiet)
  const roleIds = [...new Set(links.map((link) => link.roleId))]
  const roles = roleIds.length > 0 ? await em.find(Role, { id: { $in: roleIds } }, quiet) : []
  const departments = await em.find(Department, {}, quiet)
  const rolesOf = (agent: Agent) => roles.filter((role) => links.some((link) => link.agentId === agent.id && link.roleId === role.id))
  return new Map(agents.map((agent) => [agent.id, accessOf(agent, rolesThen(rolesOf(agent)), departments)]))
}

/** The same, from rows at hand. */
export function accessOf(agent: Agent, roles: readonly Role[], departments: readonly Department[]): Access {
  const treeIds = subtree(agent.departmentId ?? null, departments)
  const owner = roles.some((role) => role.builtin === 'owner')
  const grants = roles.flatMap((role) => role.grants)
  return { agent, grants, owner, treeIds, ability: buildAbility({ id: agent.id, departmentId: agent.departmentId ?? null, treeIds, owner }, grants) }
}
