/** Who may answer in a conversation once it is theirs: nobody else is given one. */
import { may } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import type { Agent } from '../agent/agent.entity.ts'
import type { Conversation } from '../conversation/conversation.entity.ts'

/** What a reach is about. */
export type Served = Pick<Conversation, 'inboxId' | 'departmentId' | 'skillGroupId'>

/** Of these agents, those who may. Their department becomes the conversation's, as when it is assigned. */
export async function whoMayServe<T extends Pick<Agent, 'id' | 'departmentId'>>(hub: Hub, em: Em, agents: readonly T[], conversation: Served): Promise<T[]> {
  const access = await hub.access.several(
    em,
    agents.map(({ id }) => id),
  )
  return agents.filter(({ id, departmentId }) => {
    const ability = access.get(id)?.ability
    return (
      ability && may(ability, 'reply', { ...conversation, status: 'open', assigneeId: id, departmentId: departmentId ?? conversation.departmentId ?? null })
    )
  })
}
