/** A push for another inbox than the one whose address it came to. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { Ctx } from './context.ts'
import type { Decoded } from './decode.ts'
import { rememberPeer } from './peers.ts'

export async function handOver(ctx: Ctx, inboxId: string, { event, peer }: Extract<Decoded, { kind: 'event' }>): Promise<void> {
  if (peer) await rememberPeer(ctx, inboxId, peer)
  await ctx.accept(inboxId, [event]).catch((error) => {
    if (!(error instanceof HubError) || !settled.has(error.code)) throw error
    ctx.log.info({ inbox: inboxId, code: error.code }, 'a push for another inbox is refused quietly')
  })
}

/**
 * No fault of the platform's: refused aloud it would repeat the push, and in the end shut the address to every account of
 * the app. For the inbox of the address the hub settles a block and a hook's refusal in the same way.
 */
const settled: ReadonlySet<string> = new Set(['HUB_IDENTITY_BLOCKED', 'HUB_MESSAGE_REFUSED', 'HUB_CHANNEL_DISABLED'])
