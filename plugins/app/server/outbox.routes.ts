/** The outbox of an inbox that is fetched from, and the keys that open it. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { fetchedInbox, makeKey, openWith, revokeKey } from './keys.ts'
import { acknowledge, cursorOf, handOut, lies, noteFetch, posOf } from './offer.ts'
import type { Ctx } from './settings.ts'
import { waitFor } from './waiting.ts'

const minute = 60_000
const Params = Type.Object({ id: Id })
const KeyParams = Type.Object({ id: Id, keyId: Id })
const Query = Type.Object({
  /** That of the last item which was taken: it and all before it come no more. */
  cursor: Type.Optional(Type.String({ maxLength: 60 })),
  /** Seconds to wait for something to come. */
  wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 25 })),
})

export function outboxRoutes(app: FastifyInstance, ctx: Ctx): void {
  /** True once something lies there; false when nothing came, or nobody waits for it any more. */
  const something = async (reply: FastifyReply, { ms, id, after }: { ms: number; id: string; after: number }): Promise<boolean> => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    const over = () => !app.server.listening
    return (await waitFor(ctx, id, { ms, gone: gone.signal, over }, () => lies(ctx, id, after))) && !gone.signal.aborted
  }

  app.get(
    '/inboxes/:id/outbox',
    { config: { access: 'public', rateLimit: { max: 600, timeWindow: minute } }, schema: { params: Params, querystring: Query } },
    async (request, reply) => {
      const { id } = request.params as Static<typeof Params>
      const { cursor = '', wait = 0 } = request.query as Static<typeof Query>
      reply.header('cache-control', 'no-store')
      const prove = async () => {
        const key = await openWith(ctx, id, request.headers.authorization)
        return { key, inbox: await fetchedInbox(ctx, id) }
      }
      const { key, inbox } = await prove()
      const after = cursor === '' ? 0 : await posOf(ctx, id, cursor)
      // Before anything is looked for: what is handed out to others meanwhile stays behind the cursor of this answer.
      const { handedPos } = await noteFetch(ctx, inbox, key.id)
      if (after > 0) await acknowledge(ctx, id, after)
      if (wait > 0 && !(await something(reply, { ms: wait * 1_000, id, after }))) return { items: [], cursor: cursor || cursorOf(ctx, id, handedPos) }
      // Meanwhile the key may have been revoked, or the inbox switched.
      if (wait > 0) await prove()
      const items = await handOut(ctx, id, after)
      return { items, cursor: items.at(-1)?.cursor ?? (cursor || cursorOf(ctx, id, handedPos)) }
    },
  )

  const manage = { access: { permission: 'inbox.manage' } }
  /** It is told here and nowhere else. */
  app.post('/inboxes/:id/keys', { config: manage, schema: { params: Params } }, async (request, reply) => {
    const { id } = request.params as Static<typeof Params>
    reply.header('cache-control', 'no-store')
    if (!(await ctx.inbox(id))) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
    return { key: await makeKey(ctx, id) }
  })

  app.delete('/inboxes/:id/keys/:keyId', { config: manage, schema: { params: KeyParams } }, async (request) => {
    const { id, keyId } = request.params as Static<typeof KeyParams>
    await revokeKey(ctx, id, keyId)
    return { ok: true }
  })
}
