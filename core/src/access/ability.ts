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

/** May it be done to this very conversation? Nothing to one in the recycle bin: whoever they are, they restore it first. */
export const may = (ability: HubAbility, action: string, conversation: object): boolean =>
  !('deletedAt' in conversation && conversation.deletedAt) && allows(ability, action, conversation)

/** May this very conversation be seen in the recycle bin? It lies there, and is not deleted for good with only its purge to come. */
export const maySeeDeleted = (ability: HubAbility, conversation: Deletable): boolean =>
  Boolean(conversation.deletedAt) &&
  !(conversation.purgeAt && conversation.purgeAt <= new Date()) &&
  ability.can('restore', 'record') &&
  allows(ability, 'read', conversation)
interface Deletable {
  deletedAt?: Date | null | undefined
  purgeAt?: Date | null | undefined
}

/** May it be looked at: as what it is, or by who may restore it, where it lies in the recycle bin? */
export const mayView = (ability: HubAbility, conversation: Deletable): boolean => may(ability, 'read', conversation) || maySeeDeleted(ability, conversation)

const allows = (ability: HubAbility, action: string, conversation: object): boolean =>
  ability.can(action, subject('conversation', { ...conversation }) as unknown as 'conversation')

/** Conditions on the fields `assigneeId`, `departmentId`, `status` and `inboxId` of what is asked for. */
export function buildAbility(agent: AgentFacts, grants: readonly Grant[]): HubAbility {
  const { can, build } = new AbilityBuilder<HubAbility>(createMongoAbility)
  if (agent.owner) {
    can('manage', 'all')
    return build()
  }
  for (const grant of grants) {
    const [action, subject] = splitPermission(grant.permission)
    if (grant.inboxIds?.length === 0) continue
    const line = grant.inboxIds ? { inboxId: { $in: [...grant.inboxIds] } } : {}
    if (grant.permission === 'conversation.take') {
      // Taking implies seeing what can be taken: the queue of one's own departments and the one of nobody's.
      for (const verb of ['take', 'read']) {
        can(verb, 'conversation', { status: 'queued', departmentId: null, ...line })
        if (agent.treeIds.length > 0) can(verb, 'conversation', { status: 'queued', departmentId: { $in: [...agent.treeIds] }, ...line })
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
        if (grant.inboxIds) can(action, subject, line)
        else can(action, subject)
        break
      case 'own':
        can(action, subject, { assigneeId: agent.id, ...line })
        break
      case 'department':
        can(action, subject, { assigneeId: agent.id, ...line })
        if (agent.departmentId) can(action, subject, { departmentId: agent.departmentId, ...line })
        break
      case 'tree':
        can(action, subject, { assigneeId: agent.id, ...line })
        if (agent.treeIds.length > 0) can(action, subject, { departmentId: { $in: [...agent.treeIds] }, ...line })
        break
    }
  }
  return build()
}
