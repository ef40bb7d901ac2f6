import { defineEntity, p } from '@mikro-orm/core'
import type { DoneBy } from '../../../sdk/events.ts'
import type { RetentionRun as WireRun } from '../../../sdk/wire/retention.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'

/** A rule as a run holds to it; null = any, or for ever. */
export interface KeptRule {
  id: string
  inboxId: string | null
  departmentId: string | null
  categoryId: string | null
  days: number | null
  fileDays: number | null
}

const RetentionRuleSchema = defineEntity({
  name: 'RetentionRule',
  tableName: 'retention_rule',
  properties: {
    id: idColumn().primary(),
    /** inbox/department/category: two rules for the very same would contradict each other. */
    target: p.string().length(80),
    inboxId: idColumn().nullable(),
    departmentId: idColumn().nullable(),
    categoryId: idColumn().nullable(),
    days: p.integer().nullable(),
    fileDays: p.integer().nullable(),
    /** Since when it is on. */
    onAt: instant().nullable(),
    /** When a change of the departments, or of a rule that protected from it, switched it off, until somebody decides on it again. */
    suspendedAt: instant().nullable(),
    updatedAt: instant(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['target'], name: 'retention_rule_target_unique' }],
})
export class RetentionRule extends RetentionRuleSchema.class {}
RetentionRuleSchema.setClass(RetentionRule)

/** A run, or a trial that only counts. */
const RetentionRunSchema = defineEntity({
  name: 'RetentionRun',
  tableName: 'retention_run',
  properties: {
    id: idColumn().primary(),
    kind: p.string().length(10).$type<WireRun['kind']>(),
    ruleId: idColumn().nullable(),
    state: p.string().length(10).$type<WireRun['state']>(),
    /** Its kind, and a trial's rule, while it runs; null once it has ended: unique, so there is one at a time. */
    openKind: p.string().length(40).nullable(),
    rules: json<KeptRule[]>(),
    tallies: json<WireRun['tallies']>(),
    /** Conversations that a trial found. */
    sample: json<string[]>(),
    looked: p.integer().default(0),
    /** The last conversation looked at: the walk goes on behind it. */
    placeAt: instant().nullable(),
    placeId: idColumn().nullable(),
    startedById: idColumn().nullable(),
    /** By whose hand and from where, for what it tells; null: it began by itself. */
    doneBy: nullableJson<DoneBy>(),
    startedAt: instant(),
    endedAt: instant().nullable(),
    attempts: p.integer().default(0),
    error: p.string().length(500).default(''),
    /** When a worker may take it; null when it has ended. */
    dueAt: instant().nullable(),
  },
  uniques: [{ properties: ['openKind'], name: 'retention_run_open_unique' }],
  indexes: [
    { properties: ['dueAt'], name: 'retention_run_due' },
    { properties: ['kind', 'id'], name: 'retention_run_kind' },
  ],
})
export class RetentionRun extends RetentionRunSchema.class {}
RetentionRunSchema.setClass(RetentionRun)

export const retentionEntities = [RetentionRuleSchema, RetentionRunSchema]
