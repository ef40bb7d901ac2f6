/** Inboxes meet their adapters. */
import type { TSchema } from 'typebox'
import type { ChannelAdapter, ChannelCapabilities, ChannelInbox } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { Hub } from '../../hub.ts'
import { openSettings, redactSettings } from '../../kernel/settings.ts'
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

/** What an inbox can carry: its own word, else its channel's. Undefined when the inbox is gone or the channel off. */
export async function capabilitiesOf(hub: Hub, inboxId: string): Promise<ChannelCapabilities | undefined> {
  const inbox = await hub.intake.inbox(inboxId)
  return inbox ? ownCapabilities(hub, inbox) : undefined
}

export function ownCapabilities(hub: Hub, inbox: Pick<Inbox, 'id' | 'channel' | 'name' | 'settings'>): ChannelCapabilities | undefined {
  const adapter = adapterOf(hub, inbox.channel)
  if (!adapter?.capabilitiesOf) return adapter?.capabilities
  try {
    return adapter.capabilitiesOf({ id: inbox.id, name: inbox.name, settings: redactSettings(adapter.inboxSettings, inbox.settings) })
  } catch (error) {
    // The channel's own are wider: what the inbox cannot carry is then refused when it is sent.
    hub.log.error({ err: error, inbox: inbox.id }, 'an adapter failed')
    return adapter.capabilities
  }
}

/** How many of the platform's messages these parts are; an adapter that stumbles is asked again when it sends. */
export async function piecesOf(hub: Hub, inboxId: string, parts: readonly MessagePart[]): Promise<number> {
  const inbox = await hub.intake.inbox(inboxId)
  return (inbox && countPieces(hub, inbox, parts)) ?? 1
}

/** The same of an inbox in hand; undefined where its channel does not count. */
export function countPieces(hub: Hub, { id, name, channel, settings }: Inbox, parts: readonly MessagePart[]): number | undefined {
  const adapter = adapterOf(hub, channel)
  if (!adapter?.pieces) return undefined
  try {
    return Math.max(1, adapter.pieces(parts, { id, name, settings: redactSettings(adapter.inboxSettings, settings) }))
  } catch (error) {
    hub.log.error({ err: error, inbox: id }, 'an adapter failed')
    return undefined
  }
}

export interface OpenInbox {
  id: string
  channel: string
  enabled: boolean
  forAdapter: ChannelInbox
}

/** Of the rows that the intake holds for a second: every message asks for its inbox, some several times. */
const opened = new WeakMap<Inbox, OpenInbox>()

/** An inbox with its secrets in the clear, for its adapter only. Throws HUB_SETTINGS_SEALED when they cannot be opened. */
export async function openInbox(hub: Hub, id: string): Promise<OpenInbox | undefined> {
  const inbox = await hub.intake.inbox(id)
  if (!inbox) return undefined
  const known = opened.get(inbox) ?? unlock(hub, inbox)
  opened.set(inbox, known)
  return known
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
