/** Blocking: the identity, the addresses it is known from, and the end of what is being said, all or nothing. */
import { HubError } from '../../../sdk/errors.ts'
import { may } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { ConversationChange, lockConversations, writeChanges, writeEvents } from '../conversation/change.ts'
import { end, tellEnd } from '../conversation/close-conversation.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { Visit } from '../visit/visit.entity.ts'
import { BlockedAddress, Identity } from './contact.entity.ts'

/** Throws HUB_NOT_FOUND when the contact has no such identity, or is talking by it where the blocker may not look: that is not theirs to end. */
export async function blockIdentity(hub: Hub, { ability, agent }: Pick<Actor, 'ability' | 'agent'>, contactId: string, identityId: string): Promise<void> {
  const byAgentId = agent.id
  const { ended, tell, listeners } = await retryOnConflict(() =>
    hub.em().transactional(async (tx) => {
      const em = tx as Em
      // Their conversation first, as the river in has it: the other way round the two would wait for each other.
      const open = await em.findOne(Conversation, { openIdentityId: identityId }, { fields: ['id'], disableIdentityMap: true })
      const locked = (await lockConversations(em, open ? [open.id] : [])).get(open?.id ?? '')
      if (locked && !may(ability, 'read', locked)) throw noSuchIdentity()
      const now = new Date()
      const changed = await em.nativeUpdate(Identity, { id: identityId, contactId }, { blockedAt: now, blockedById: byAgentId })
      if (changed === 0) throw noSuchIdentity()
      const { inboxId, address } = await em.findOneOrFail(Identity, { id: identityId }, { disableIdentityMap: true })
      for (const one of await addressesOf(em, identityId, address))
        await em.upsert(BlockedAddress, { inboxId, address: one, identityId, createdAt: now }, { onConflictAction: 'ignore' })
      const change = locked && ConversationChange.of(locked)
      const ended = change && (await end(change, em, 'blocked', byAgentId)) ? change.conversation : undefined
      return {
        ended,
        tell: change && ended && (await writeChanges(hub, em, [change])),
        listeners: await writeEvents(hub, em, [{ name: 'contact.blocked', data: { contactId, identityId, blocked: true, byAgentId } }]),
      }
    }),
  )
  tell?.()
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  if (ended) await tellEnd(hub, ended, 'blocked')
}

const noSuchIdentity = () => new HubError('HUB_NOT_FOUND', 'There is no such identity')

/** A new identity from the same address would be the same person an hour later. */
async function addressesOf(em: Em, identityId: string, last: string): Promise<Set<string>> {
  const visits = await em.find(Visit, { identityId }, { orderBy: { startedAt: 'desc' }, limit: 5, fields: ['ip'], disableIdentityMap: true })
  return new Set([last, ...visits.map(({ ip }) => ip)].filter((address) => address !== ''))
}
