/** What an adapter finds wrong with settings that their schema finds right, before they are saved or the inbox is switched on. */
import type { ChannelAdapter, ChannelInbox, SettingFault } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Fault } from '../../../sdk/faults.ts'
import type { Hub } from '../../hub.ts'
import { inTime } from '../../in-time.ts'

/** An admin waits for it. */
const timeoutMs = 5_000

/** Outside of any transaction: an adapter may read its tables, or ask for a name. Throws HUB_SETTINGS_INVALID with the faults, field by field. */
export async function checkSettings(hub: Hub, adapter: ChannelAdapter | undefined, inbox: ChannelInbox, enabled: boolean): Promise<void> {
  if (!adapter?.check) return
  const found = await ask(hub, adapter, inbox, enabled)
  if (found.length === 0) return
  const faults: Fault[] = found.map(({ path, text }) => ({ path: `body/settings${path}`, rule: 'plugin', message: text.en, text }))
  throw new HubError('HUB_SETTINGS_INVALID', 'Some settings are not valid', { faults })
}

async function ask(hub: Hub, adapter: ChannelAdapter, inbox: ChannelInbox, enabled: boolean): Promise<readonly SettingFault[]> {
  try {
    return await inTime(Promise.resolve(adapter.check?.(inbox, enabled) ?? []), timeoutMs, 'its look at the settings')
  } catch (error) {
    hub.log.error({ err: error, inbox: inbox.id }, 'an adapter could not check its settings')
    return []
  }
}
