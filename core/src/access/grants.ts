/** Who may give what: nobody gives more than they have, be it to a role, with a role, or to a token. */
import type { Grant, Scope } from '../../sdk/wire/role.ts'

const reach: Record<Scope, number> = { own: 1, department: 2, tree: 3, all: 4 }

/** Does somebody with `own` (an owner has everything) hold all of `grant`? */
export function holds(actor: { owner: boolean; grants: readonly Grant[] }, grant: Grant): boolean {
  if (actor.owner) return true
  return actor.grants.some(
    (own) =>
      own.permission === grant.permission &&
      reach[own.scope ?? 'all'] >= reach[grant.scope ?? 'all'] &&
      (own.inboxIds === undefined || (grant.inboxIds ?? ['*']).every((id) => own.inboxIds?.includes(id))) &&
      (own.fields === undefined || grant.fields?.every((field) => own.fields?.includes(field))),
  )
}
