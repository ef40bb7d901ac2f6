/** The visitor's live line: typing both ways, and the word that something changed. All that counts goes by HTTP. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { SocketDeclaration, SocketPrincipal } from '@huike/core/sdk/plugin.ts'
import { checkFrameOrigin } from './guard.ts'
import { readToken } from './visitor.ts'

/** The widget tells what is being written twice a second. Of what comes faster on one socket only the last is told. */
const typingEveryMs = 400

interface Typing {
  timer: NodeJS.Timeout
  /** Came too soon. */
  next?: () => Promise<void>
}
const typings = new WeakMap<SocketPrincipal, Typing>()

async function atMost(principal: SocketPrincipal, tell: () => Promise<void>): Promise<void> {
  const told = typings.get(principal)
  if (told) {
    told.next = tell
    return
  }
  const timer = setTimeout(() => {
    const next = typings.get(principal)?.next
    typings.delete(principal)
    // Nobody waits for its answer: a token that has ended since tells nothing.
    if (next) void atMost(principal, next).catch(() => undefined)
  }, typingEveryMs).unref()
  typings.set(principal, { timer })
  await tell()
}

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
    typing(data, principal, ctx) {
      const text = (data as { text?: unknown } | null)?.text
      return atMost(principal, async () => {
        // Again: the site may have another key since.
        const { inboxId, sender } = await readToken(ctx, principal.data.token)
        await ctx.desk.typing({ inboxId, externalId: sender.externalId }, typeof text === 'string' ? text : null)
      })
    },
  },
  disconnected(principal) {
    clearTimeout(typings.get(principal)?.timer)
    typings.delete(principal)
  },
}
