/**
 * Roles become one CASL ability. The same rules decide a route (`can`), become the `where` of a query
 * (`scope.ts`), decide what a socket hears (`realtime/broadcast.ts`) and are sent to the UI.
 */
import { AbilityBuilder, createMongoAbility, type MongoAbility, subject } from '@casl/ability'
import type { Grant } from '../../sdk/wire/role.ts'

export type HubAbility = MongoAbility

/** What the rules need to know of an agent. */
export interface AgentFacts {
  id: string
  departmentId: string | null
  /** The agent's department and all below it. */
  treeIds: readonly string[]
  owner: boolean
}

/** `conversation.read` → ['read', 'conversation']; `shop.order.read` → ['read', 'shop.order']. */
export function splitPermission(permission: string): [action: string, subject: string] {
  const dot = permission.lastIndexOf('.')
  return [permission.slice(dot + 1), permission.slice(0, dot)]
}

/** May it be done to this very conversation? */
export const may = (ability: HubAbility, action: string, conversation: object): boolean =>
  ability.can(action, subject('conversation', { ...conversation }) as unknown as 'conversation')

/** Conditions on the fields `assigneeId`, `departmentId` and `status` of what is asked for. */
export function buildAbility(agent: AgentFacts, grants: readonly Grant[]): HubAbility {
  const { can, build } = new AbilityBuilder<HubAbility>(createMongoAbility)
  if (agent.owner) {
    can('manage', 'all')
    return build()
  }
  for (const grant of grants) {
    const [action, subject] = splitPermission(grant.permission)
    if (grant.permission === 'conversation.take') {
      // Taking implies seeing what can be taken: the queue of one's own departments and the one of nobody's.
      for (const verb of ['take', 'read']) {
        can(verb, 'conversation', { status: 'queued', departmentId: null })
        if (agent.treeIds.length > 0) can(verb, 'conversation', { status: 'queued', departmentId: { $in: [...agent.treeIds] } })
      }
      continue
    }
    if (grant.fields) {
      if (grant.fields.length > 0) can(action, subject, grant.fields)
      continue
    }
    switch (grant.scope) {
      case undefined:
      case 'all':
        can(action, subject)
        break
      case 'own':
        can(action, subject, { assigneeId: agent.id })
        break
      case 'department':
        can(action, subject, { assigneeId: agent.id })
        if (agent.departmentId) can(action, subject, { departmentId: agent.departmentId })
        break
      case 'tree':
        can(action, subject, { assigneeId: agent.id })
        if (agent.treeIds.length > 0) can(action, subject, { departmentId: { $in: [...agent.treeIds] } })
        break
    }
  }
  return build()
}
