/** Inboxes meet their adapters. */
import type { TSchema } from 'typebox'
import type { ChannelAdapter, ChannelInbox } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Hub } from '../../hub.ts'
import { openSettings } from '../../kernel/settings.ts'
import type { Inbox } from './inbox.entity.ts'

/** By the context it was made with: two hubs in one process (tests) are two adapters. */
const adapters = new WeakMap<object, ChannelAdapter>()

/** The adapter of a running channel plugin, or undefined. */
export function adapterOf(hub: Hub, channel: string): ChannelAdapter | undefined {
  const plugin = hub.kernel.get(channel)
  return plugin && adapterFor(plugin.manifest, plugin.ctx)
}

/** The adapter of a loaded channel plugin, running or not. */
export function adapterFor(manifest: { channel?: unknown }, ctx: object): ChannelAdapter | undefined {
  const { channel } = manifest
  if (channel === undefined) return undefined
  if (typeof channel !== 'function') return channel as ChannelAdapter
  const made = adapters.get(ctx) ?? (channel as (ctx: object) => ChannelAdapter)(ctx)
  adapters.set(ctx, made)
  return made
}

export interface OpenInbox {
  id: string
  channel: string
  enabled: boolean
  forAdapter: ChannelInbox
}

/** An inbox with its secrets in the clear, for its adapter only. Throws HUB_SETTINGS_SEALED when they cannot be opened. */
export async function openInbox(hub: Hub, id: string): Promise<OpenInbox | undefined> {
  const inbox = await hub.intake.inbox(id)
  return inbox ? unlock(hub, inbox) : undefined
}

/** An inbox whose secrets cannot be opened stands still, alone; the admin shows it. Throws every other error on. */
export function withoutSecrets(error: unknown): undefined {
  if (!(error instanceof HubError && error.code === 'HUB_SETTINGS_SEALED')) throw error
}

export function unlock(hub: Hub, inbox: Inbox): OpenInbox {
  const plugin = hub.kernel.all().find(({ manifest }) => manifest.id === inbox.channel)
  const schema = plugin && adapterFor(plugin.manifest, plugin.ctx)?.inboxSettings
  const settings = openSettings(schema as TSchema | undefined, inbox.settings, hub.vault)
  return { id: inbox.id, channel: inbox.channel, enabled: inbox.enabled, forAdapter: { id: inbox.id, name: inbox.name, settings } }
}
