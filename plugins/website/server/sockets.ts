/** The visitor's live line: typing both ways, and the word that something changed. All that counts goes by HTTP. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { SocketDeclaration } from '@huike/core/sdk/plugin.ts'
import { checkFrameOrigin } from './guard.ts'
import { readToken, type Visitor } from './visitor.ts'

const visitorOf = (data: Record<string, unknown>): Visitor => data.visitor as Visitor

export const visitorSockets: SocketDeclaration<Record<string, unknown>> = {
  async authenticate({ auth, origin, host, ip }, ctx) {
    checkFrameOrigin(ctx, { origin, host })
    const visitor = readToken(ctx, auth.token)
    if (!(await ctx.inbox(visitor.inboxId))) throw new HubError('HUB_CHANNEL_DISABLED', 'This site takes no messages now')
    const { externalId } = visitor.sender
    if (await ctx.desk.refused(visitor.inboxId, externalId, ip)) throw new HubError('HUB_IDENTITY_BLOCKED', 'This visitor is blocked')
    return { rooms: [`visitor:${visitor.inboxId}:${externalId}`], data: { visitor } }
  },
  on: {
    typing(data, principal, ctx) {
      const { inboxId, sender } = visitorOf(principal.data)
      const text = (data as { text?: unknown } | null)?.text
      return ctx.desk.typing({ inboxId, externalId: sender.externalId }, typeof text === 'string' ? text : null)
    },
  },
}
