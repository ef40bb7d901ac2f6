import type { HubEvent } from '@huike/core/sdk/events.ts'
import { append } from './chain.ts'
import { deedOf } from './deed-of.ts'
import type { Ctx } from './settings.ts'
import { markOff } from './silence.ts'
import { watch } from './unusual.ts'

/** Writes the deed down, then looks whether it is unusual. Told twice, it is one entry; what is unusual about it is one notice. */
export async function listen(ctx: Ctx, event: HubEvent): Promise<void> {
  const deed = deedOf(event)
  if (!deed) return
  const { seq } = await append(ctx, deed)
  await watch(ctx, deed)
  if (event.name === 'plugin.switched' && event.data.pluginId === ctx.id && !event.data.enabled) await markOff(ctx, deed.at, seq)
}
