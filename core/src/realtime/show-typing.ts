/** Shows a platform's customer that an agent types. Platforms count such calls: one every few seconds at most, best effort. */
import { Identity } from '../domain/contact/contact.entity.ts'
import { externalIdOf, nameColumns } from '../domain/contact/external-id.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { adapterOf, capabilitiesOf, openInbox } from '../domain/inbox/channels.ts'
import type { Hub } from '../hub.ts'
import { inTime } from '../in-time.ts'

const everyMs = 4_000
const kept = 5_000
const shown = new WeakMap<Hub, Map<string, number>>()
/** What is being told of a conversation: the end is told after the beginning. */
const telling = new Map<string, Promise<void>>()

export function showTyping(hub: Hub, { id, inboxId, channel, identityId, status }: Conversation, active: boolean): void {
  const adapter = adapterOf(hub, channel)
  if (status === 'closed' || !adapter?.typing) return
  const times = shown.get(hub) ?? new Map<string, number>()
  shown.set(hub, times)
  const last = times.get(id)
  // An end is told once, and only of what was begun.
  if (active ? last !== undefined && Date.now() - last < everyMs : last === undefined) return
  times.delete(id)
  if (active) times.set(id, Date.now())
  if (times.size > kept) times.delete(times.keys().next().value ?? '')
  const tell = async (): Promise<void> => {
    if (!(await capabilitiesOf(hub, inboxId))?.typing) return
    const inbox = await openInbox(hub, inboxId)
    const identity = await hub.em().findOne(Identity, { id: identityId }, { fields: [...nameColumns], disableIdentityMap: true })
    if (inbox?.enabled && identity) await adapter.typing?.(externalIdOf(identity), active, inbox.forAdapter)
  }
  const told: Promise<void> = (telling.get(id) ?? Promise.resolve())
    .then(() => inTime(tell(), everyMs, 'typing'))
    .catch((error) => hub.log.debug({ err: error, channel }, 'typing could not be shown'))
    .finally(() => {
      if (telling.get(id) === told) telling.delete(id)
    })
  telling.set(id, told)
}
