/** A letter on its way into the hub, and what may be said of that. */
import type { Accepted, InboundEvent } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'

export type Emit = (events: InboundEvent[]) => Promise<Accepted[]>
export type Taken = 'message' | 'failure' | 'own' | 'refused'

/** Not the letter's fault: the inbox is off, another process has it now, or the storage is away. It is there when they come back. */
export const waiting: ReadonlySet<string> = new Set([
  'HUB_CHANNEL_DISABLED',
  'HUB_CONFLICT',
  'HUB_NOT_FOUND',
  'HUB_STORAGE_UNAVAILABLE',
  'HUB_UNAVAILABLE',
  'HUB_DATA_SEALED',
])

/** Undefined when the hub refuses it for good (a blocked sender, a hook); throws when it may be tried again. */
export async function hand(ctx: PluginContext, emit: Emit, event: InboundEvent): Promise<Accepted | undefined> {
  try {
    const [accepted] = await emit([event])
    return accepted?.refused ? undefined : accepted
  } catch (error) {
    if (!(error instanceof HubError) || error.kind.retry || waiting.has(error.code)) throw error
    ctx.log.info({ code: error.code }, 'the hub refused a letter')
    return undefined
  }
}
