/** A new account on a channel, its settings checked by the adapter's schema. */
import { HubError } from '../../../sdk/errors.ts'
import type { InboxInput } from '../../../sdk/wire/inbox.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { parseSettings, sealSettings } from '../../kernel/settings.ts'
import { commitWithEvents, type EventToTell } from '../conversation/change.ts'
import { checkPlace } from '../department/check-place.ts'
import { adapterOf } from './channels.ts'
import { checkSettings } from './check-settings.ts'
import { Inbox } from './inbox.entity.ts'

/**
 * Throws HUB_NOT_FOUND for an unknown channel, department or skill group, HUB_SETTINGS_INVALID.
 * @param told what is told of it, in the same transaction
 */
export async function createInbox(hub: Hub, input: InboxInput, told?: (row: Inbox) => EventToTell): Promise<Inbox> {
  const adapter = adapterOf(hub, input.channel)
  const id = newId()
  if (adapter) {
    const settings = parseSettings(adapter.inboxSettings, input.settings ?? {}, 'body/settings')
    await checkSettings(hub, adapter, { id, name: input.name.trim(), settings }, true)
  }
  let row: Inbox | undefined
  await commitWithEvents(hub, async (em) => {
    row = await writeInbox(hub, em, input, id)
    return told ? [told(row)] : []
  })
  tellOfInbox(hub, row as Inbox)
  return row as Inbox
}

/** Channels that work without configuration are there from the first minute. In the caller's transaction; tell of them after it. */
export async function writeStarterInboxes(hub: Hub, em: Em, locale: 'zh' | 'en'): Promise<Inbox[]> {
  const rows: Inbox[] = []
  for (const { manifest } of hub.kernel.running()) {
    const starter = adapterOf(hub, manifest.id)?.starter
    if (starter && (await em.count(Inbox, { channel: manifest.id })) === 0)
      rows.push(await writeInbox(hub, em, { channel: manifest.id, name: starter[locale] }))
  }
  return rows
}

export function tellOfInbox(hub: Hub, { id }: Inbox): void {
  hub.intake.forgetInboxes()
  hub.bus.publish('inbox.changed', { id })
}

async function writeInbox(hub: Hub, em: Em, input: InboxInput, id = newId()): Promise<Inbox> {
  const { channel, name, settings = {}, departmentId = null, skillGroupId = null } = input
  const adapter = adapterOf(hub, channel)
  if (!adapter) throw new HubError('HUB_NOT_FOUND', 'There is no such channel', { path: '/channel' })
  const values = parseSettings(adapter.inboxSettings, settings, 'body/settings')
  const row = {
    id,
    channel,
    name: name.trim(),
    settings: sealSettings(adapter.inboxSettings, values, hub.vault),
    departmentId,
    skillGroupId,
    enabled: true,
    createdAt: new Date(),
  } as Inbox
  await checkPlace(em, row)
  await em.insert(Inbox, row)
  return row
}
