/** Uploads and files for clients (signed), and what the admin page shows. */
import { createHash } from 'node:crypto'
import { SendError } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { Delivery, Endpoint, Outbox, Upload } from './app.entity.ts'
import { hashOf } from './decode.ts'
import { ping, switchOn } from './deliver.ts'
import { isFileLink } from './files.ts'
import { listKeys } from './keys.ts'
import { fetchState } from './offer.ts'
import { outboxRoutes } from './outbox.routes.ts'
import { replay } from './outbox.ts'
import { messageType } from './outbox-rows.ts'
import { prove, sandboxUpload } from './receive.ts'
import { type Ctx, type InboxSettings, isFetched, sandboxSecretOf, secretsOf } from './settings.ts'
import { newSecret } from './standard-webhooks.ts'

const manage = { access: { permission: 'inbox.manage' } }
const Params = Type.Object({ id: Id })
const shownDeliveries = 100

export function routes(app: FastifyInstance, ctx: Ctx): void {
  const inboxOf = async (id: string) => {
    const inbox = await ctx.inbox(id)
    if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
    return inbox
  }

  const outboxShown = async (id: string) => {
    const { fetchedAt, waiting } = await fetchState(ctx, id)
    return {
      url: `${ctx.publicUrl}/api/x/app/inboxes/${id}/outbox`,
      fetchedAt: fetchedAt?.toISOString() ?? null,
      waiting,
      keys: await listKeys(ctx, id),
    }
  }

  app.get('/inboxes/:id', { config: manage, schema: { params: Params } }, async (request) => {
    const { id } = request.params as Static<typeof Params>
    const inbox = await inboxOf(id)
    const { endpointUrl } = inbox.settings as InboxSettings
    const endpoint = await ctx.em().findOne(Endpoint, { inboxId: id }, { disableIdentityMap: true })
    const deliveries = await ctx.em().find(Delivery, { inboxId: id }, { orderBy: { id: 'desc' }, limit: shownDeliveries, disableIdentityMap: true })
    // Messages stand in their conversations.
    const untaken = { inboxId: id, state: { $in: ['waiting' as const, 'refused' as const, 'given-up' as const] }, type: { $ne: messageType } }
    const undelivered = await ctx.em().find(Outbox, untaken, {
      orderBy: { createdAt: 'desc' },
      limit: shownDeliveries,
      fields: ['type', 'state', 'failure', 'createdAt'],
      disableIdentityMap: true,
    })
    return {
      eventsUrl: `${ctx.publicUrl}/api/channels/app/${id}`,
      uploadsUrl: `${ctx.publicUrl}/api/x/app/inboxes/${id}/uploads`,
      secrets: secretsOf(inbox).length,
      secretUsedAt: endpoint?.secretUsedAt?.toISOString() ?? null,
      oldSecretUsedAt: endpoint?.oldSecretUsedAt?.toISOString() ?? null,
      sandbox: sandboxSecretOf(inbox) !== undefined,
      sandboxSecretUsedAt: endpoint?.sandboxSecretUsedAt?.toISOString() ?? null,
      undelivered: undelivered.map(({ webhookId, type, state, failure, createdAt }) => ({
        webhookId,
        type,
        state,
        failure,
        at: createdAt.toISOString(),
      })),
      outbox: isFetched(inbox) ? await outboxShown(id) : null,
      off: !isFetched(inbox) && endpointUrl !== '' && endpoint?.goneUrl === endpointUrl ? endpoint.offWhy || '410' : null,
      deliveries: deliveries.map(({ id, webhookId, type, attempt, status, ms, response, createdAt }) => ({
        id,
        webhookId,
        type,
        attempt,
        status,
        ms,
        response,
        at: createdAt.toISOString(),
      })),
    }
  })

  /** A new secret, for the admin to put into the form: it is told here and nowhere else. */
  app.post('/secrets', { config: manage }, async () => ({ secret: newSecret() }))

  /** The endpoint that said 410, or took nothing for days, is asked again; and at once, so that its state is told. */
  app.post('/inboxes/:id/enable', { config: { ...manage, rateLimit: { max: 60, timeWindow: 60_000 } }, schema: { params: Params } }, async (request) => {
    const { id } = request.params as Static<typeof Params>
    const inbox = await inboxOf(id)
    await switchOn(ctx, id)
    try {
      await ping(ctx, inbox)
      return { ok: true, failure: null }
    } catch (error) {
      if (!(error instanceof SendError)) throw error
      return { ok: false, failure: error.sentence ?? null }
    }
  })

  const Replay = Type.Object({ webhookId: Type.String({ minLength: 1, maxLength: 150 }) })
  app.post(
    '/inboxes/:id/replay',
    { config: { ...manage, rateLimit: { max: 60, timeWindow: 60_000 } }, schema: { params: Params, body: Replay } },
    async (request) => {
      const { id } = request.params as Static<typeof Params>
      try {
        await replay(ctx, await inboxOf(id), (request.body as Static<typeof Replay>).webhookId)
        return { ok: true, failure: null }
      } catch (error) {
        if (!(error instanceof SendError)) throw error
        return { ok: false, failure: error.sentence ?? null }
      }
    },
  )

  outboxRoutes(app, ctx)

  app.register(async (scope) => {
    // The signature is over the bytes.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    const As = Type.Object({ as: Type.Optional(Type.Union([Type.Literal('image'), Type.Literal('audio'), Type.Literal('video'), Type.Literal('file')])) })
    scope.post(
      '/inboxes/:id/uploads',
      { config: { access: 'public', rateLimit: { max: 600, timeWindow: 60_000 } }, bodyLimit: 20 * 1024 * 1024, schema: { params: Params, querystring: As } },
      async (request, reply) => {
        const { id } = request.params as Static<typeof Params>
        const inbox = await inboxOf(id)
        const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const { id: webhookId, sandbox } = await prove(ctx, inbox, request.headers as Record<string, string | undefined>, bytes)
        const sha256 = hashOf(bytes)
        if (sandbox) return reply.status(201).send({ uploadId: sandboxUpload, sha256, duplicate: false, sandbox: true })
        // Named by its request: the same upload again is the same file.
        const uploadId = createHash('sha256').update(`${id}.${webhookId}`).digest('hex').slice(0, 32)
        const known = await ctx.em().findOne(Upload, { id: uploadId }, { disableIdentityMap: true })
        if (known && known.sha256 !== sha256)
          throw new HubError('APP_ID_REUSED', 'This webhook-id was used for another body', { webhookId }, { status: 409, reader: 'author', retry: false })
        if (known) return reply.status(200).send({ uploadId, sha256, duplicate: true })
        const { as } = request.query as Static<typeof As>
        const part = await ctx.storeFile(id, { name: nameOf(request.headers['x-file-name']), bytes, ...(as ? { as } : {}) })
        await ctx.em().upsert(Upload, { id: uploadId, inboxId: id, part: JSON.stringify(part), sha256, createdAt: new Date() })
        return reply.status(201).send({ uploadId, sha256, duplicate: false, type: part.type })
      },
    )
  })

  const FileParams = Type.Object({ id: Id, fileId: Id })
  const FileQuery = Type.Object({ until: Type.String({ pattern: '^\\d{13}$' }), signature: Type.String({ maxLength: 100 }) })
  app.get('/inboxes/:id/files/:fileId', { config: { access: 'public' }, schema: { params: FileParams, querystring: FileQuery } }, async (request, reply) => {
    const { id, fileId } = request.params as Static<typeof FileParams>
    const { until, signature } = request.query as Static<typeof FileQuery>
    const file = isFileLink(ctx, id, fileId, until, signature) && (await ctx.inbox(id)) ? await ctx.file(fileId) : undefined
    if (!file) throw new HubError('HUB_NOT_FOUND', 'There is no such file')
    return reply
      .headers({
        'content-type': file.mime,
        'content-length': file.size,
        // A file of a stranger's, from our own address: it is saved, never run.
        'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
      })
      .send(await file.open())
  })
}

/** Percent-encoded, since headers hold no Chinese. */
function nameOf(header: string | string[] | undefined): string {
  try {
    return decodeURIComponent(String(header ?? '')) || 'file'
  } catch {
    return 'file'
  }
}
