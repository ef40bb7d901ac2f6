/** The only way assignment rules become JSON. */
import type { AssignmentRule as WireRule } from '../../../sdk/wire/assignment.ts'
import type { Rule } from './find-rule.ts'

export const presentRule = ({ id, scope, targetId, strategy, maxOpen, whenFull }: Rule): WireRule => ({
  id,
  scope,
  targetId: targetId === '' ? null : targetId,
  strategy,
  maxOpen: maxOpen ?? null,
  whenFull,
})
