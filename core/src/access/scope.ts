/** An ability as the `where` of a query: what `can` says about one row, for all rows. */
import { rulesToQuery } from '@casl/ability/extra'
import type { HubAbility } from './ability.ts'

/** MikroORM conditions for rows of `subject` on which `action` is allowed; null when there can be none. */
export function whereAllowed(ability: HubAbility, action: string, subject: string): Record<string, unknown> | null {
  const query = rulesToQuery(ability, action, subject, (rule) => (rule.inverted ? { $not: rule.conditions ?? {} } : (rule.conditions ?? {})))
  return query as Record<string, unknown> | null
}
