/** The only way agents become JSON. */
import type { Colleague, Agent as WireAgent } from '../../../sdk/wire/agent.ts'
import type { Em } from '../../db/orm.ts'
import { presenceTtlMs } from '../assignment/choose-agent.ts'
import { SkillGroupMember } from '../department/department.entity.ts'
import { type Agent, AgentRole, type Presence } from './agent.entity.ts'

/** What an agent chose, if they are connected; else offline. */
export function effectivePresence(agent: Pick<Agent, 'presence' | 'seenAt'>, now = Date.now()): Presence {
  return agent.seenAt && now - agent.seenAt.getTime() < presenceTtlMs ? agent.presence : 'offline'
}

/** Whoever is busy is there, and answers whom they have; who is away is not, as in routing (row 2). */
export const isThere = (agent: Pick<Agent, 'presence' | 'seenAt'>): boolean => ['online', 'busy'].includes(effectivePresence(agent))

export const presentColleague = (agent: Agent): Colleague => ({
  id: agent.id,
  name: agent.name,
  departmentId: agent.departmentId ?? null,
  presence: effectivePresence(agent),
  openCount: agent.openCount,
})

export async function presentAgents(em: Em, agents: readonly Agent[]): Promise<WireAgent[]> {
  const ids = agents.map((agent) => agent.id)
  const of = ({ agentId }: { agentId: string }) => agentId
  const roles = Map.groupBy(await em.find(AgentRole, { agentId: { $in: ids } }, { disableIdentityMap: true }), of)
  const groups = Map.groupBy(await em.find(SkillGroupMember, { agentId: { $in: ids } }, { disableIdentityMap: true }), of)
  return agents.map((agent) => ({
    id: agent.id,
    email: agent.email,
    name: agent.name,
    displayName: agent.displayName,
    departmentId: agent.departmentId ?? null,
    presence: effectivePresence(agent),
    capacity: agent.capacity,
    openCount: agent.openCount,
    active: agent.active,
    pending: agent.passwordHash === null,
    totp: agent.totpSecret !== null,
    roleIds: (roles.get(agent.id) ?? []).map(({ roleId }) => roleId),
    skillGroupIds: (groups.get(agent.id) ?? []).map(({ skillGroupId }) => skillGroupId),
    createdAt: agent.createdAt.toISOString(),
  }))
}
