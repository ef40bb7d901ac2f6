/** What inboxes prove themselves with, as their channels have it at this moment. */
import type { Credential } from '../../../sdk/channel.ts'
import type { Hub } from '../../hub.ts'
import { redactSettings } from '../../kernel/settings.ts'
import { adapterOf } from './channels.ts'
import type { Inbox } from './inbox.entity.ts'

/** By inbox; a channel that stumbles tells nothing. */
export async function readCredentials(hub: Hub, inboxes: readonly Inbox[]): Promise<Map<string, Credential>> {
  const found = [...Map.groupBy(inboxes, ({ channel }) => channel)].map(async ([channel, own]) => {
    const adapter = adapterOf(hub, channel)
    if (!adapter?.credentials) return []
    try {
      const shown = own.map(({ id, name, settings }) => ({ id, name, settings: redactSettings(adapter.inboxSettings, settings) }))
      return [...(await adapter.credentials(shown))]
    } catch (error) {
      hub.log.error({ err: error, channel }, 'an adapter failed')
      return []
    }
  })
  return new Map((await Promise.all(found)).flat())
}
