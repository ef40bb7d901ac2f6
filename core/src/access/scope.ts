/** An ability as the `where` of a query: what `can` says about one row, for all rows. */
import { rulesToQuery } from '@casl/ability/extra'
import type { HubAbility } from './ability.ts'

/**
 * MikroORM conditions for rows of `subject` on which `action` is allowed; null when there can be none. Conversations in
 * the recycle bin are in no list but the one that {@link whereDeleted} makes.
 */
export function whereAllowed(ability: HubAbility, action: string, subject: string): Record<string, unknown> | null {
  const where = whereRules(ability, action, subject)
  return where && subject === 'conversation' ? { $and: [where, { deletedAt: null }] } : where
}

/** Conditions for the conversations in the recycle bin, for who may restore them; null for everybody else. */
export function whereDeleted(ability: HubAbility): Record<string, unknown> | null {
  const where = ability.can('restore', 'record') ? whereRules(ability, 'read', 'conversation') : null
  return where && { $and: [where, { deletedAt: { $ne: null } }] }
}

/**
 * Conditions for what belongs to a contact in one inbox: those in which some conversation may be read, whosever it is. For
 * who already sees the contact: a contact in several lines of business is not opened in all of them by a conversation of one.
 */
export function whereInLines(ability: HubAbility): { inboxId?: { $in: string[] } } {
  const lines = ability.rulesFor('read', 'conversation').map(({ conditions }) => (conditions as { inboxId?: { $in: string[] } } | undefined)?.inboxId?.$in)
  return lines.includes(undefined) ? {} : { inboxId: { $in: [...new Set(lines.flatMap((ids) => ids ?? []))] } }
}

/** Conditions for the visits of a contact whom one sees: for who may see visitors there. Null when there can be none. */
export function whereVisits(ability: HubAbility): Record<string, unknown> | null {
  const allowed = whereRules(ability, 'read', 'visitor')
  return allowed && { $and: [allowed, whereInLines(ability)] }
}

function whereRules(ability: HubAbility, action: string, subject: string): Record<string, unknown> | null {
  const query = rulesToQuery(ability, action, subject, (rule) => (rule.inverted ? { $not: rule.conditions ?? {} } : (rule.conditions ?? {})))
  return query as Record<string, unknown> | null
}
