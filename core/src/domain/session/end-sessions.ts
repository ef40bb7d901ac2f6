import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Session } from './session.entity.ts'

/** All of somebody's sessions but the one they are in (null: all), and what hangs on them. Returns how many. */
export async function endSessions(hub: Hub, em: Em, agentId: string, exceptId: string | null): Promise<number> {
  const others = { agentId, id: { $ne: exceptId ?? '' } }
  const rows = await em.find(Session, others, { fields: ['id'], limit: 1_000, disableIdentityMap: true })
  let ended = 0
  await commitWithEvents(hub, async (tx) => {
    ended = await tx.nativeDelete(Session, others)
    return ended > 0 ? [{ name: 'agent.sessionsEnded', data: { agentId, count: ended } }] : []
  })
  for (const { id } of rows) hub.bus.publish('session.ended', { sessionId: id })
  return ended
}
