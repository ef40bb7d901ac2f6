/** Writing to the customer of a record that has ended: their open conversation, or a new one where the channel lets us begin. */
import { HubError } from '../../../sdk/errors.ts'
import { may } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { Identity } from '../contact/contact.entity.ts'
import { assignTo } from '../conversation/assign-conversation.ts'
import { writeChanges } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { openConversation } from '../conversation/open-conversation.ts'
import { requireWindow } from '../conversation/reply-window.ts'
import { capabilitiesOf } from '../inbox/channels.ts'

/**
 * Where the agent writes on. Asked twice, or while the customer writes, it is the same conversation: the database
 * holds that an identity has one open at most, and who comes second finds it.
 * Throws HUB_FORBIDDEN, HUB_IDENTITY_BLOCKED, HUB_CHANNEL_DISABLED, HUB_REPLY_WINDOW, HUB_CONFLICT (a colleague talks with them).
 */
export async function replyInNew(hub: Hub, actor: Actor, record: Conversation): Promise<string> {
  if (!may(actor.ability, 'reply', record)) throw new HubError('HUB_FORBIDDEN', 'You may look at this record, not write to the customer')
  const inbox = await hub.intake.inbox(record.inboxId)
  const capabilities = inbox?.enabled ? await capabilitiesOf(hub, inbox.id) : undefined
  if (!inbox || !capabilities) throw new HubError('HUB_CHANNEL_DISABLED', 'The channel of this conversation is switched off')
  return retryOnConflict(async () => {
    let after: (() => void) | undefined
    const id = await hub.em().transactional(async (tx) => {
      const em = tx as Em
      const identity = await em.findOne(Identity, { id: record.identityId }, { disableIdentityMap: true })
      if (!identity) throw new HubError('HUB_NOT_FOUND', 'There is no such customer any more')
      if (identity.blockedAt) throw new HubError('HUB_IDENTITY_BLOCKED', 'This customer is blocked')
      const open = await em.findOne(Conversation, { openIdentityId: identity.id }, { disableIdentityMap: true })
      if (open) {
        if (!may(actor.ability, 'read', open)) throw new HubError('HUB_CONFLICT', 'A colleague talks with this customer now', { reason: 'elsewhere' })
        return open.id
      }
      if (capabilities.replyWindow) requireWindow(identity.grants)
      const change = openConversation(inbox, identity, 'agent')
      await assignTo(em, change, actor.agent.id, 'begun', actor.agent.id)
      after = await writeChanges(hub, em, [change])
      return change.conversation.id
    })
    after?.()
    return id
  })
}
