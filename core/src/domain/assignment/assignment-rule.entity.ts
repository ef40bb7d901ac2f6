import { defineEntity, p } from '@mikro-orm/core'
import type { RuleScope, Strategy, WhenFull } from '../../../sdk/wire/assignment.ts'
import { idColumn, instant } from '../../db/types.ts'

const AssignmentRuleSchema = defineEntity({
  name: 'AssignmentRule',
  tableName: 'assignment_rule',
  properties: {
    id: idColumn().primary(),
    scope: p.string().length(12).$type<RuleScope>(),
    /** Empty for the hub's: a unique key does not hold over null. */
    targetId: idColumn().default(''),
    strategy: p.string().length(12).$type<Strategy>(),
    maxOpen: p.integer().nullable(),
    whenFull: p.string().length(12).$type<WhenFull>(),
    updatedAt: instant(),
  },
  uniques: [{ properties: ['scope', 'targetId'], name: 'assignment_rule_unique' }],
})
export class AssignmentRule extends AssignmentRuleSchema.class {}
AssignmentRuleSchema.setClass(AssignmentRule)

export const assignmentEntities = [AssignmentRuleSchema]
