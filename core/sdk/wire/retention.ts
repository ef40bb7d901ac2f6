/** How long records are kept: rules, what they would take, and what they took. */
import { type Static, Type } from 'typebox'
import { Id, Instant, NullableId, NullableInstant } from './common.ts'
import { RecordRow } from './record.ts'

const days = Type.Union([Type.Integer({ minimum: 1, maximum: 36_500 }), Type.Null()])

const ruleFields = {
  /** What it is for: all that is named must hold; null = any. Department and category with all below. */
  inboxId: NullableId,
  departmentId: NullableId,
  categoryId: NullableId,
  /** Days from the end of the conversation; null = for ever. */
  days,
  /** The files go so many days after the end; null = together with the words. */
  fileDays: days,
}
export const RetentionRuleInput = Type.Object(ruleFields)
export type RetentionRuleInput = Static<typeof RetentionRuleInput>

/** In the order in which they are asked: the first that fits holds. `onAt`: since when it is on; `suspendedAt`: when a change of the departments, or of a rule that protected from it, switched it off. */
export const RetentionRule = Type.Object({
  id: Id,
  ...ruleFields,
  onAt: NullableInstant,
  suspendedAt: NullableInstant,
  updatedAt: Instant,
  /** Rules that would take earlier what this one keeps: they go off with it, until each has been tried again. */
  exposes: Type.Array(Id),
})
export type RetentionRule = Static<typeof RetentionRule>

/** `conversations` go as a whole, with their `messages`; `stripped` lose their files only. `bytes` as they were sent, equal files counted each. */
export const RetentionTally = Type.Object({
  ruleId: Id,
  conversations: Type.Integer(),
  messages: Type.Integer(),
  stripped: Type.Integer(),
  files: Type.Integer(),
  bytes: Type.Integer(),
})
export type RetentionTally = Static<typeof RetentionTally>

export const RetentionRun = Type.Object({
  id: Id,
  /** `trial` only counts. */
  kind: Type.Union([Type.Literal('trial'), Type.Literal('clean')]),
  /** The rule that a trial is for; null = what is on. */
  ruleId: NullableId,
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('stopped'), Type.Literal('failed')]),
  /** The rules as they were then. */
  rules: Type.Array(Type.Object({ id: Id, ...ruleFields })),
  tallies: Type.Array(RetentionTally),
  /** Conversations it has looked at. */
  looked: Type.Integer(),
  /** Null: it began by itself. */
  startedById: NullableId,
  startedAt: Instant,
  endedAt: NullableInstant,
})
export type RetentionRun = Static<typeof RetentionRun>

/** A trial with some of what would go, oldest first: those that the reader may see. */
export const RetentionTrial = Type.Object({ ...RetentionRun.properties, sample: Type.Array(RecordRow) })
export type RetentionTrial = Static<typeof RetentionTrial>

/** When the daily run begins: the hour of a time zone. */
export const RetentionHour = Type.Object({ hour: Type.Integer({ minimum: 0, maximum: 23 }), tz: Type.String({ minLength: 1, maxLength: 60 }) })
export type RetentionHour = Static<typeof RetentionHour>

export const Retention = Type.Object({
  rules: Type.Array(RetentionRule),
  at: RetentionHour,
  /** Null when no rule is on. */
  nextAt: NullableInstant,
  running: Type.Union([RetentionRun, Type.Null()]),
})
export type Retention = Static<typeof Retention>
