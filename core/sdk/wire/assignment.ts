import { type Static, Type } from 'typebox'
import { Presence } from './agent.ts'
import { Id, NullableId, NullableInstant } from './common.ts'

/** What a rule is for. The nearest one counts: inbox, else skill group, else department (upwards), else the hub's. */
export const RuleScope = Type.Union([Type.Literal('inbox'), Type.Literal('skillGroup'), Type.Literal('department'), Type.Literal('hub')])
export type RuleScope = Static<typeof RuleScope>

export const Strategy = Type.Union([Type.Literal('leastLoaded'), Type.Literal('roundRobin'), Type.Literal('lastAgent')])
export type Strategy = Static<typeof Strategy>

/** When those who are online have no room: wait, ask everybody of the hub, or give it beyond the cap. */
export const WhenFull = Type.Union([Type.Literal('queue'), Type.Literal('everybody'), Type.Literal('force')])
export type WhenFull = Static<typeof WhenFull>

const ruleFields = {
  scope: RuleScope,
  /** The inbox, skill group or department; null for the hub. */
  targetId: NullableId,
  strategy: Strategy,
  whenFull: WhenFull,
}
const cap = Type.Integer({ minimum: 1, maximum: 200 })
/** `maxOpen`: open conversations at which an agent gets no more by this rule; without it only the agent's own cap holds. */
export const AssignmentRuleInput = Type.Object({ ...ruleFields, maxOpen: Type.Optional(cap) })
export const AssignmentRule = Type.Object({ id: NullableId, ...ruleFields, maxOpen: Type.Union([cap, Type.Null()]) })
export type AssignmentRule = Static<typeof AssignmentRule>

/** Why somebody would or would not get it. */
export const Verdict = Type.Union([
  Type.Literal('next'),
  Type.Literal('ready'),
  Type.Literal('full'),
  Type.Literal('busy'),
  Type.Literal('away'),
  Type.Literal('offline'),
  /** No role of theirs lets them answer in it. */
  Type.Literal('noRight'),
])
export type Verdict = Static<typeof Verdict>

export const AssignmentExplanation = Type.Object({
  rule: AssignmentRule,
  outcome: Type.Union([Type.Literal('routed'), Type.Literal('forced'), Type.Literal('overflow'), Type.Literal('queued')]),
  agentId: NullableId,
  /** In the order in which they are asked. */
  people: Type.Array(
    Type.Object({
      id: Id,
      name: Type.String(),
      presence: Presence,
      openCount: Type.Integer(),
      cap: Type.Integer(),
      lastAssignedAt: NullableInstant,
      /** Asked only because the conversation's own people have no room. */
      outside: Type.Boolean(),
      verdict: Verdict,
    }),
  ),
})
export type AssignmentExplanation = Static<typeof AssignmentExplanation>
