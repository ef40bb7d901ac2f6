/** Hurries news to a customer whose own client reads the conversation from the hub (a `pull` channel). May be lost: `catch-up.ts` finds out. */
import type { CustomerNote } from '../../sdk/channel.ts'
import { Identity } from '../domain/contact/contact.entity.ts'
import { externalIdOf, nameColumns } from '../domain/contact/external-id.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { adapterOf, openInbox, withoutSecrets } from '../domain/inbox/channels.ts'
import type { Hub } from '../hub.ts'

type Target = Pick<Conversation, 'inboxId' | 'channel' | 'identityId' | 'id'>

/** @param to the customer's external id, where the caller has it */
export function notifyCustomer(hub: Hub, target: Target, note: CustomerNote, to?: string): void {
  const adapter = adapterOf(hub, target.channel)
  if (!adapter?.notify) return
  void (async () => {
    const inbox = await openInbox(hub, target.inboxId).catch(withoutSecrets)
    const name = to ?? (await nameOf(hub, target.identityId))
    if (inbox && name) await adapter.notify?.({ to: name, conversationId: target.id, note }, inbox.forAdapter)
    // Travels behind the note: who has heard this has heard that (see catch-up.ts).
    if (note.kind === 'changed') hub.bus.publish('customer.notified', { conversationId: target.id, rev: note.rev })
  })().catch((error) => hub.log.warn({ err: error, channel: target.channel }, 'a customer could not be notified'))
}

async function nameOf(hub: Hub, id: string): Promise<string | undefined> {
  const identity = await hub.em().findOne(Identity, { id }, { fields: [...nameColumns], disableIdentityMap: true })
  return identity ? externalIdOf(identity) : undefined
}
