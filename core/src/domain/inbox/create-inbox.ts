/** A new account on a channel, its settings checked by the adapter's schema. */
import { HubError } from '../../../sdk/errors.ts'
import type { InboxInput } from '../../../sdk/wire/inbox.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { parseSettings, sealSettings } from '../../kernel/settings.ts'
import { adapterOf } from './channels.ts'
import { Inbox } from './inbox.entity.ts'

/** Throws HUB_NOT_FOUND for an unknown channel, HUB_SETTINGS_INVALID. */
export async function createInbox(hub: Hub, input: InboxInput): Promise<Inbox> {
  const { channel, name, settings = {}, departmentId = null, skillGroupId = null } = input
  const adapter = adapterOf(hub, channel)
  if (!adapter) throw new HubError('HUB_NOT_FOUND', 'There is no such channel', { path: '/channel' })
  const values = parseSettings(adapter.inboxSettings, settings)
  const row = {
    id: newId(),
    channel,
    name: name.trim(),
    settings: sealSettings(adapter.inboxSettings, values, hub.vault),
    departmentId,
    skillGroupId,
    enabled: true,
    createdAt: new Date(),
  } as Inbox
  await hub.em().insert(Inbox, row)
  hub.intake.forgetInboxes()
  hub.bus.publish('inbox.changed', { id: row.id })
  return row
}

/** Channels that work without configuration are there from the first minute. */
export async function createStarterInboxes(hub: Hub, locale: 'zh' | 'en'): Promise<void> {
  for (const { manifest } of hub.kernel.running()) {
    const starter = adapterOf(hub, manifest.id)?.starter
    if (starter && (await hub.em().count(Inbox, { channel: manifest.id })) === 0) await createInbox(hub, { channel: manifest.id, name: starter[locale] })
  }
}
