/** What a customer did that is no message: kept in the contact's trail, and a line in the conversation while one is open. It opens none. */

import { newId } from '../db/types.ts'
import type { Identity } from '../domain/contact/contact.entity.ts'
import { Activity } from '../domain/contact/contact.entity.ts'
import { keptFacts } from '../domain/contact/labelled-facts.ts'
import { changeGrants, withGrant, withoutGrants } from '../domain/conversation/reply-window.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import type { Applying, EventOf, InboundOutcome } from './applying.ts'

export async function applyActivity(applying: Applying, inbox: Inbox, identity: Identity, event: EventOf<'activity'>): Promise<InboundOutcome> {
  const { em, changes, hub } = applying
  if ((await em.count(Activity, { inboxId: inbox.id, externalId: event.externalId })) > 0) return { kind: 'done', duplicate: true, at: undefined }
  const now = new Date()
  const at = event.at ?? now
  const params = event.params ?? {}
  await em.insert(Activity, {
    id: newId(),
    inboxId: inbox.id,
    externalId: event.externalId,
    contactId: identity.contactId,
    identityId: identity.id,
    name: event.name.slice(0, 60),
    label: event.label,
    params,
    details: keptFacts(event.details),
    at,
    createdAt: now,
  })
  const change = changes.get(identity.id)
  if (change) change.line('activity', { name: event.name, label: event.label, ...(Object.keys(params).length > 0 ? { params } : {}) })
  if (event.windowShut) await changeGrants(em, identity.id, change?.conversation, (grants) => withoutGrants(grants, at))
  if (event.grant) {
    const { grant } = event
    await changeGrants(em, identity.id, change?.conversation, (grants) => withGrant(grants, grant, at))
  }
  applying.after.push(() => hub.bus.publish('contact.changed', { contactId: identity.contactId }))
  return { kind: 'done', duplicate: false, at: undefined }
}
