import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { ConversationChange, lockConversations, writeChanges } from './change.ts'
import { Conversation } from './conversation.entity.ts'

const page = 200

/**
 * Those that have not ended leave a department or a skill group that is being deleted: nobody would ever be given what
 * waits there. In the caller's transaction; returns what to do after the commit.
 */
export async function leavePlace(hub: Hub, em: Em, place: 'departmentId' | 'skillGroupId', id: string, to: string | null): Promise<() => void> {
  const tells: (() => void)[] = []
  const live = await em.find(
    Conversation,
    { [place]: id, status: { $in: ['queued', 'open'] } },
    { orderBy: { id: 'asc' }, fields: ['id'], disableIdentityMap: true },
  )
  for (let from = 0; from < live.length; from += page) {
    const locked = await lockConversations(
      em,
      live.slice(from, from + page).map((row) => row.id),
    )
    const changes = [...locked.values()].filter((row) => row[place] === id && row.status !== 'closed').map(ConversationChange.of)
    for (const { conversation } of changes) conversation[place] = to
    tells.push(await writeChanges(hub, em, changes))
  }
  return () => {
    for (const tell of tells) tell()
  }
}
