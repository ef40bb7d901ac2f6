/** Webhooks of platforms: the raw bytes go to the adapter, which verifies and parses; the answer goes out once the events are safe. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { ChannelAdapter, ChannelInbox, RawRequest, ReceiveResult } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { Id } from '../../sdk/wire/common.ts'
import { adapterOf, openInbox } from '../domain/inbox/channels.ts'
import { noteLife } from '../domain/inbox/inbox-health.ts'
import type { Hub } from '../hub.ts'
import { acceptAll } from '../pipeline/listen.ts'
import { toHubError } from './errors.ts'

const Params = Type.Object({ channel: Type.String({ maxLength: 40 }), inboxId: Id })

export async function channelRoutes(app: FastifyInstance, { hub }: { hub: Hub }): Promise<void> {
  // Signatures are over bytes: nothing here may parse them.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

  app.route({
    method: ['GET', 'POST'],
    url: '/api/channels/:channel/:inboxId',
    config: { access: 'public', rateLimit: { max: 6_000, timeWindow: 60_000 } },
    schema: { params: Params, hide: true },
    handler: async (request, reply) => {
      const { channel, inboxId } = request.params as { channel: string; inboxId: string }
      const inbox = await openInbox(hub, inboxId)
      const adapter = inbox?.channel === channel ? adapterOf(hub, channel) : undefined
      if (!inbox || !adapter?.receive || !(inbox.enabled || adapter.sharedAddress)) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
      const raw = {
        method: request.method,
        url: request.url,
        query: request.query as Record<string, string>,
        headers: request.headers as Record<string, string | undefined>,
        body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
        ip: request.ip,
      }
      const { events, reply: answer } = await read(hub, adapter, raw, inbox.forAdapter)
      if (inbox.enabled) await acceptAll(hub, inboxId, events)
      // It has proved that it is the platform, if only by trying the address.
      if (inbox.enabled && events.length === 0) noteLife(hub, inboxId, 'heard')
      return reply
        .status(answer.status ?? 200)
        .type(answer.type ?? 'text/plain; charset=utf-8')
        .send(answer.body ?? '')
    },
  })
}

/** Bytes that an adapter stumbles over are the sender's fault until proven otherwise: refused with a code, and logged for the author. */
async function read(hub: Hub, adapter: ChannelAdapter, raw: RawRequest, inbox: ChannelInbox): Promise<ReceiveResult> {
  try {
    return await (adapter.receive as NonNullable<ChannelAdapter['receive']>)(raw, inbox)
  } catch (error) {
    const refusal = toHubError(error)
    if (refusal.code !== 'HUB_INTERNAL') throw refusal
    hub.log.warn({ err: error, inbox: inbox.id }, 'a webhook could not be read')
    throw new HubError('HUB_REQUEST_INVALID', 'The payload cannot be read')
  }
}
