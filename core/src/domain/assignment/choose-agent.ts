/**
 * Who gets a conversation, by a rule. Pure: routing acts on it and the admin's explanation shows it, so that the
 * explanation cannot say anything else than what happens.
 */
import type { Verdict } from '../../../sdk/wire/assignment.ts'
import type { Agent } from '../agent/agent.entity.ts'
import type { Rule } from './find-rule.ts'

/** An agent whose last sign of life is older counts as offline, whatever they chose. */
export const presenceTtlMs = 45_000

export type AgentLoad = Pick<Agent, 'id' | 'presence' | 'seenAt' | 'capacity' | 'openCount' | 'lastAssignedAt'>

/** The agent's own cap, or the rule's when that is less. */
export const capOf = (rule: Pick<Rule, 'maxOpen'>, agent: Pick<Agent, 'capacity'>): number => Math.min(agent.capacity, rule.maxOpen ?? agent.capacity)

/** What keeps an agent from getting it, or `ready`. */
export function verdictOn(rule: Pick<Rule, 'maxOpen'>, agent: AgentLoad, now: number): Exclude<Verdict, 'next' | 'noRight'> {
  if (!agent.seenAt || now - agent.seenAt.getTime() >= presenceTtlMs || agent.presence === 'offline') return 'offline'
  if (agent.presence !== 'online') return agent.presence
  return agent.openCount < capOf(rule, agent) ? 'ready' : 'full'
}

/** In the order in which they are asked; `lastAgentId` served this contact before. */
export function inOrder<T extends AgentLoad>(rule: Pick<Rule, 'strategy'>, agents: readonly T[], lastAgentId: string | null): T[] {
  const idle = (a: T, b: T) => (a.lastAssignedAt?.getTime() ?? 0) - (b.lastAssignedAt?.getTime() ?? 0)
  const load = (a: T, b: T) => a.openCount - b.openCount
  const familiar = (a: T, b: T) => Number(b.id === lastAgentId) - Number(a.id === lastAgentId)
  const byId = (a: T, b: T) => (a.id < b.id ? -1 : 1)
  const keys = { leastLoaded: [load, idle], roundRobin: [idle, load], lastAgent: [familiar, load, idle] }[rule.strategy]
  return [...agents].sort((a, b) => keys.reduce((sum, key) => sum || key(a, b), 0) || byId(a, b))
}

/** The one who gets it, if any. `forced`: for want of somebody who is free. */
export function chooseAgent<T extends AgentLoad>(
  rule: Pick<Rule, 'strategy' | 'maxOpen' | 'whenFull'>,
  agents: readonly T[],
  lastAgentId: string | null,
  now: number,
): { agent: T; reason: 'routed' | 'forced' } | undefined {
  const judged = inOrder(rule, agents, lastAgentId).map((agent) => ({ agent, verdict: verdictOn(rule, agent, now) }))
  const first = (verdict: Verdict) => judged.find((one) => one.verdict === verdict)?.agent
  const ready = first('ready')
  if (ready) return { agent: ready, reason: 'routed' }
  const full = first('full')
  // Row 2: busy agents are passed over unless every one who is there is busy; then no lead may be lost.
  const forced = full ? (rule.whenFull === 'force' ? full : undefined) : first('busy')
  return forced && { agent: forced, reason: 'forced' }
}

/**
 * Its own people first; where the rule says so the others' free hands next, and only then somebody who is busy:
 * a colleague who is free is better than one who asked for quiet.
 */
export function chooseFrom<T extends AgentLoad>(
  rule: Pick<Rule, 'strategy' | 'maxOpen' | 'whenFull'>,
  own: readonly T[],
  others: readonly T[],
  lastAgentId: string | null,
  now: number,
): { choice: { agent: T; reason: 'routed' | 'forced' } | undefined; outside: boolean } {
  const choice = chooseAgent(rule, own, lastAgentId, now)
  if (choice?.reason === 'routed' || rule.whenFull !== 'everybody') return { choice, outside: false }
  const free = chooseAgent(rule, others, null, now)
  return free?.reason === 'routed' ? { choice: free, outside: true } : { choice, outside: false }
}
