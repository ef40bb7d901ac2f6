/** The visitor's live line: typing both ways, and the word that something changed. All that counts goes by HTTP. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { SocketDeclaration } from '@huike/core/sdk/plugin.ts'
import { checkFrameOrigin } from './guard.ts'
import { readToken } from './visitor.ts'

export const visitorSockets: SocketDeclaration<Record<string, unknown>> = {
  async authenticate({ auth, origin, host, ip }, ctx) {
    checkFrameOrigin(ctx, { origin, host })
    const visitor = await readToken(ctx, auth.token)
    if (!(await ctx.inbox(visitor.inboxId))) throw new HubError('HUB_CHANNEL_DISABLED', 'This site takes no messages now')
    const { externalId } = visitor.sender
    if (await ctx.desk.refused(visitor.inboxId, externalId, ip)) throw new HubError('HUB_IDENTITY_BLOCKED', 'This visitor is blocked')
    return {
      rooms: [`visitor:${visitor.inboxId}:${externalId}`],
      data: { token: auth.token },
      ...(visitor.proof ? { until: new Date(visitor.proof.until) } : {}),
    }
  },
  on: {
    async typing(data, principal, ctx) {
      // Again: the site may have another key since.
      const { inboxId, sender } = await readToken(ctx, principal.data.token)
      const text = (data as { text?: unknown } | null)?.text
      return ctx.desk.typing({ inboxId, externalId: sender.externalId }, typeof text === 'string' ? text : null)
    },
  },
}
