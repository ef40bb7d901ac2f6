/** Who would get a new conversation now, and why the others would not. Changes nothing. */
import type { AssignmentExplanation } from '../../../sdk/wire/assignment.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { effectivePresence } from '../agent/agent.present.ts'
import { presentRule } from './assignment-rule.present.ts'
import { capOf, chooseFrom, inOrder, verdictOn } from './choose-agent.ts'
import { findRule, type Routable } from './find-rule.ts'
import { whoMayServe } from './may-serve.ts'

/** More than an admin would read; those who come first are in it. */
const most = 200

export async function explainAssignment(hub: Hub, conversation: Routable, now = Date.now()): Promise<AssignmentExplanation> {
  const em = hub.em()
  const { rule, people } = await findRule(em, conversation)
  const active = await em.find(Agent, { active: true }, { limit: 1_000, disableIdentityMap: true })
  const own = await em.find(Agent, { active: true, ...people }, { fields: ['id'], limit: 1_000, disableIdentityMap: true })
  const ids = new Set(own.map(({ id }) => id))
  const able = new Set((await whoMayServe(hub, em, active, conversation)).map(({ id }) => id))
  const inside = active.filter(({ id }) => ids.has(id))
  const others = rule.whenFull === 'everybody' ? active.filter(({ id }) => !ids.has(id)) : []
  const { choice, outside } = chooseFrom(
    rule,
    inside.filter(({ id }) => able.has(id)),
    others.filter(({ id }) => able.has(id)),
    null,
    now,
  )
  const list = (agents: readonly Agent[], isOutside: boolean) =>
    inOrder(rule, agents, null).map((agent) => ({
      id: agent.id,
      name: agent.name,
      presence: effectivePresence(agent, now),
      openCount: agent.openCount,
      cap: capOf(rule, agent),
      lastAssignedAt: agent.lastAssignedAt?.toISOString() ?? null,
      outside: isOutside,
      verdict: agent.id === choice?.agent.id ? ('next' as const) : able.has(agent.id) ? verdictOn(rule, agent, now) : ('noRight' as const),
    }))
  const weight = { next: 0, ready: 1, full: 2, busy: 3, away: 4, offline: 5, noRight: 6 }
  return {
    rule: presentRule(rule),
    outcome: !choice ? 'queued' : outside ? 'overflow' : choice.reason,
    agentId: choice?.agent.id ?? null,
    people: [...list(inside, false), ...list(others, true)]
      .sort((a, b) => Number(a.outside) - Number(b.outside) || weight[a.verdict] - weight[b.verdict])
      .sort((a, b) => Number(b.verdict === 'next') - Number(a.verdict === 'next'))
      .slice(0, most),
  }
}
