/** Webhooks of platforms: the raw bytes go to the adapter, which verifies and parses; the answer goes out once the events are safe. */
import { DriverException } from '@mikro-orm/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { ChannelAdapter, ChannelInbox, RawRequest, ReceiveResult } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { Id } from '../../sdk/wire/common.ts'
import { retryOnConflict } from '../db/retry.ts'
import { adapterOf, type OpenInbox, openInbox } from '../domain/inbox/channels.ts'
import { noteLife } from '../domain/inbox/inbox-health.ts'
import { noteRefusedPush, noteVerifiedPush } from '../domain/inbox/refused-pushes.ts'
import type { Hub } from '../hub.ts'
import { answerBy } from '../pipeline/accept.ts'
import { acceptAll } from '../pipeline/listen.ts'
import { toHubError } from './errors.ts'

const Params = Type.Object({ channel: Type.String({ maxLength: 40 }), inboxId: Id })

const minuteMs = 60_000
/** Of one inbox, verified: far more than any platform sends. */
const mostVerified = 120_000
/** Of one address, refused. It is only these that are answered 429 then: what is signed may come by the same proxy. */
const mostRefused = 600

type Limit = ReturnType<FastifyInstance['createRateLimit']>

/** Counts one. Throws HUB_RATE_LIMITED. */
async function count(limit: Limit, request: FastifyRequest): Promise<void> {
  const found = await limit(request)
  if (!found.isAllowed && found.isExceeded) throw new HubError('HUB_RATE_LIMITED', 'Too many requests', { retryAfterSeconds: found.ttlInSeconds })
}

export async function channelRoutes(app: FastifyInstance, { hub }: { hub: Hub }): Promise<void> {
  // Signatures are over bytes: nothing here may parse them.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  const verified = app.createRateLimit({
    max: mostVerified,
    timeWindow: minuteMs,
    keyGenerator: (request) => (request.params as { inboxId: string }).inboxId,
  })
  const refused = app.createRateLimit({ max: mostRefused, timeWindow: minuteMs })

  app.route({
    method: ['GET', 'POST'],
    url: '/api/channels/:channel/:inboxId',
    config: { access: 'public' },
    schema: { params: Params, hide: true },
    handler: async (request, reply) => {
      const by = answerBy()
      const { inbox, events, answer } = await open(hub, request).catch(async (error) => {
        if (error instanceof HubError && error.kind.status < 500) await count(refused, request)
        throw error
      })
      if (inbox.enabled) noteVerifiedPush(hub, inbox.id)
      await count(verified, request)
      if (inbox.enabled) await acceptAll(hub, inbox.id, events, by)
      // It has proved that it is the platform, if only by trying the address.
      if (inbox.enabled && events.length === 0) noteLife(hub, inbox.id, 'heard')
      return reply
        .status(answer.status ?? 200)
        .type(answer.type ?? 'text/plain; charset=utf-8')
        .send(answer.body ?? '')
    },
  })
}

interface Opened {
  inbox: OpenInbox
  events: ReceiveResult['events']
  answer: ReceiveResult['reply']
}

/** What came, verified by the adapter of its inbox. Throws HUB_NOT_FOUND, or what {@link read} does. */
async function open(hub: Hub, request: FastifyRequest): Promise<Opened> {
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
  const { events, reply: answer } = await read(hub, adapter, raw, inbox.forAdapter).catch((error) => {
    if (inbox.enabled && (error as HubError).code === 'HUB_CHANNEL_UNVERIFIED') noteRefusedPush(hub, inbox.id)
    throw error
  })
  return { inbox, events, answer }
}

/**
 * Bytes that an adapter stumbles over are the sender's fault until proven otherwise: refused with a code, and logged for the
 * author. What the database says is not: the sender shall come again.
 */
async function read(hub: Hub, adapter: ChannelAdapter, raw: RawRequest, inbox: ChannelInbox): Promise<ReceiveResult> {
  try {
    return await retryOnConflict(async () => (adapter.receive as NonNullable<ChannelAdapter['receive']>)(raw, inbox))
  } catch (error) {
    const refusal = toHubError(error)
    if (refusal.code !== 'HUB_INTERNAL') throw refusal
    hub.log.warn({ err: error, inbox: inbox.id }, 'a webhook could not be read')
    if (error instanceof DriverException) throw new HubError('HUB_UNAVAILABLE', 'The hub cannot write this down now')
    throw new HubError('HUB_REQUEST_INVALID', 'The payload cannot be read')
  }
}
