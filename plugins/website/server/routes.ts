/** What the loader and the widget ask for. Visitors are nobody to the hub but what their token says. */
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { ChannelSender } from '@huike/core/sdk/channel.ts'
import { lineSources } from '@huike/core/sdk/content-policy.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { AudioPart, FilePart, ImagePart, TextPart, VideoPart } from '@huike/core/sdk/message-parts.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { Id, Ok } from '@huike/core/sdk/wire/common.ts'
import { CustomerThread } from '@huike/core/sdk/wire/customer.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { checkFrameOrigin, checkPace, isNobody } from './guard.ts'
import { type InboxSettings, maxFileBytes } from './inbox-settings.ts'
import { readAddress } from './read-address.ts'
import { anonymous, issueToken, maxTokenLength, proofOf, readToken, signedIdentity, strangerOf, type Visitor } from './visitor.ts'

const config = { access: 'public' as const }
const limited = (max: number) => ({ access: 'public' as const, rateLimit: { max, timeWindow: 60_000 } })
const dist = join(import.meta.dirname, '../widget/dist')

const InboxParams = Type.Object({ inboxId: Id })
const VisitId = Type.String({ pattern: '^[0-9a-z]{26}$' })

const Token = Type.String({ maxLength: maxTokenLength })

const Beat = Type.Object({
  visitId: VisitId,
  url: Type.String({ maxLength: 4_000 }),
  title: Type.String({ maxLength: 500 }),
  referrer: Type.String({ maxLength: 4_000 }),
  token: Type.Optional(Token),
})

/** What the window can say: no letters, no cards, no links but those in words. */
const VisitorPart = Type.Union([TextPart, ImagePart, FilePart, AudioPart, VideoPart])

/** What one visitor, and what all visitors of one address, may send in a minute. */
const messagesPerMinute = { visitor: 120, address: 1_200 }

export function websiteRoutes(app: FastifyInstance, ctx: PluginContext): void {
  async function site(inboxId: string): Promise<{ id: string; name: string; settings: InboxSettings }> {
    const inbox = await ctx.inbox(inboxId)
    if (!inbox) throw new HubError('HUB_CHANNEL_DISABLED', 'This site takes no messages now')
    return inbox as unknown as { id: string; name: string; settings: InboxSettings }
  }

  // All that follows but the frame itself is asked for by the frame.
  app.addHook('onRequest', async (request) => {
    if (!request.routeOptions.url?.endsWith('/frame/:inboxId')) checkFrameOrigin(ctx, request.headers)
  })

  /** The visitor of the token in the request. */
  async function visitorOf(request: FastifyRequest): Promise<Visitor> {
    const visitor = await readToken(ctx, request.headers.authorization?.replace(/^Bearer /, ''))
    if (await ctx.desk.refused(visitor.inboxId, visitor.sender.externalId, request.ip)) throw new HubError('HUB_IDENTITY_BLOCKED', 'This visitor is blocked')
    return visitor
  }
  const refOf = ({ inboxId, sender }: Visitor) => ({ inboxId, externalId: sender.externalId })

  // The window itself, in a frame of its own: the host page's styles and scripts cannot reach it, nor it them. It brings
  // the site's looks along, so that a page which lets nothing but a script and a frame in still has its button.
  app.get('/frame/:inboxId', { config, schema: { params: InboxParams, hide: true } }, async (request, reply) => {
    const { settings } = await site((request.params as Static<typeof InboxParams>).inboxId)
    const ancestors = settings.allowedOrigins.length > 0 ? `'self' ${originsOf(settings).join(' ')}` : '*'
    const connect = ["'self'", ...lineSources(request.headers.host, ctx.publicUrl)].join(' ')
    return (
      reply
        .type('text/html; charset=utf-8')
        .removeHeader('x-frame-options')
        .header('cache-control', 'no-cache')
        // Pages that isolate themselves (COEP) take only frames that do so too.
        .header('cross-origin-embedder-policy', 'require-corp')
        .header('cross-origin-resource-policy', 'cross-origin')
        .header(
          'content-security-policy',
          `default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src ${connect}; frame-ancestors ${ancestors}; base-uri 'none'; form-action 'none'`,
        )
        .send(page(settings))
    )
  })

  app.get(
    '/inboxes/:inboxId/attended',
    { config: limited(600), schema: { summary: 'Tell whether somebody is there to answer', params: InboxParams } },
    async (request) => {
      const { inboxId } = request.params as Static<typeof InboxParams>
      await site(inboxId)
      return { attended: await ctx.desk.attended(inboxId) }
    },
  )

  app.post(
    '/inboxes/:inboxId/beat',
    { config: limited(600), schema: { summary: 'Tell which page a visitor is on', params: InboxParams, body: Beat, response: { 200: Ok } } },
    async (request) => {
      const { inboxId } = request.params as Static<typeof InboxParams>
      const beat = request.body as Static<typeof Beat>
      const { settings } = await site(inboxId)
      if (!settings.trackVisits || isNobody(request)) return { ok: true }
      // A page whose token has ended is a page with somebody on it all the same.
      const known = beat.token ? await readToken(ctx, beat.token).catch(() => undefined) : undefined
      await ctx.desk.beat(inboxId, {
        ...beat,
        externalId: known?.inboxId === inboxId ? known.sender.externalId : undefined,
        ip: request.ip,
        userAgent: request.headers['user-agent'] ?? '',
      })
      return { ok: true }
    },
  )

  const SessionBody = Type.Object({ token: Type.Optional(Token), identity: Type.Optional(Type.String({ maxLength: 4_000 })) })
  app.post(
    '/inboxes/:inboxId/session',
    { config: limited(60), schema: { summary: 'Begin or take up a visitor’s session', params: InboxParams, body: SessionBody } },
    async (request) => {
      const { inboxId } = request.params as Static<typeof InboxParams>
      const { token, identity } = request.body as Static<typeof SessionBody>
      const { settings } = await site(inboxId)
      const visitor = identity
        ? { sender: await signedIdentity(settings, identity), since: Date.now(), proof: await proofOf(ctx, settings, identity) }
        : await known(inboxId, token)
      if (await ctx.desk.refused(inboxId, visitor.sender.externalId, request.ip)) throw new HubError('HUB_IDENTITY_BLOCKED', 'This visitor is blocked')
      const before = identity ? await strangerOf(ctx, inboxId, token) : undefined
      // What the stranger of this browser said is the user's from now on.
      if (before) await ctx.desk.knownAs({ inboxId, externalId: before }, visitor.sender, String(visitor.sender.attributes?.userId ?? ''))
      return { token: issueToken(ctx, inboxId, visitor), attended: await ctx.desk.attended(inboxId) }
    },
  )

  async function known(inboxId: string, token: string | undefined): Promise<Omit<Visitor, 'inboxId'>> {
    const stranger = { sender: anonymous(token), since: Date.now() }
    if (!token) return stranger
    try {
      const visitor = await readToken(ctx, token)
      // A logged-in user's token must be proven anew: whoever logged out is somebody else now.
      return visitor.inboxId === inboxId && !visitor.sender.verified ? visitor : stranger
    } catch {
      return stranger
    }
  }

  const ThreadQuery = Type.Object({ cursor: Type.Optional(Type.String({ maxLength: 400 })), before: Type.Optional(Type.String({ maxLength: 200 })) })
  app.get('/thread', { config: limited(600), schema: { querystring: ThreadQuery, response: { 200: CustomerThread } } }, async (request) => {
    const { cursor, before } = request.query as Static<typeof ThreadQuery>
    return ctx.desk.thread(refOf(await visitorOf(request)), {
      ...(cursor ? { cursor } : {}),
      ...(before ? { before: Buffer.from(JSON.stringify([before])).toString('base64url') } : {}),
    })
  })

  const SendBody = Type.Object({
    clientId: Type.String({ pattern: '^[\\w-]{8,64}$' }),
    parts: Type.Array(VisitorPart, { minItems: 1, maxItems: 10 }),
    visitId: Type.Optional(VisitId),
    /** What a visitor leaves when nobody is there; not verified. */
    contact: Type.Optional(
      Type.Object({
        name: Type.String({ maxLength: 60 }),
        address: Type.String({ maxLength: 190 }),
        /** A field that no person sees: only a script fills it in. */
        subject: Type.Optional(Type.String({ maxLength: 190 })),
      }),
    ),
  })
  const ofAddress = app.createRateLimit({ max: messagesPerMinute.address, timeWindow: 60_000 })
  app.post(
    '/messages',
    { config: { access: 'public', rateLimit: { max: messagesPerMinute.visitor, timeWindow: 60_000, keyGenerator: byToken } }, schema: { body: SendBody } },
    async (request, reply) => {
      const { clientId, parts, visitId, contact } = request.body as Static<typeof SendBody>
      const crowd = await ofAddress(request)
      if (!crowd.isAllowed && crowd.isExceeded) throw new HubError('HUB_RATE_LIMITED', 'Too many messages', { retryAfterSeconds: crowd.ttlInSeconds })
      const visitor = await visitorOf(request)
      checkPace(visitor, contact !== undefined)
      if (contact?.subject) throw new HubError('HUB_MESSAGE_REFUSED', 'This does not look like a person', { reason: 'form' })
      const left = contact && leftBy(contact)
      const from = left ? withWord(visitor.sender, left.said) : visitor.sender
      const words = parts.filter((part) => part.type !== 'text' || part.text.trim() !== '')
      if (words.length === 0) throw new HubError('HUB_REQUEST_INVALID', 'The message is empty')
      const [accepted] = await ctx.accept(visitor.inboxId, [
        // The client's id is made unique by its owner: nobody can take the place of another's message.
        {
          kind: 'message',
          externalId: `${clientId}.${visitor.sender.externalId}`,
          from: { ...from, ip: request.ip },
          parts: left?.words ? [...words, { type: 'text', text: left.words }] : words,
        },
      ])
      if (visitId) await ctx.desk.spoke(refOf(visitor), visitId)
      return reply.status(201).send({ clientId, duplicate: accepted?.duplicate ?? false, messageId: accepted?.messageId ?? null, seq: accepted?.seq ?? null })
    },
  )

  const ReadBody = Type.Object({ conversationId: Id, seq: Type.Integer({ minimum: 0 }), status: Type.Union([Type.Literal('delivered'), Type.Literal('read')]) })
  app.post('/receipts', { config: limited(600), schema: { body: ReadBody, response: { 200: Ok } } }, async (request) => {
    const { conversationId, seq, status } = request.body as Static<typeof ReadBody>
    const visitor = await visitorOf(request)
    await ctx.accept(visitor.inboxId, [{ kind: 'receipt', externalId: randomUUID(), from: visitor.sender, status, upToSeq: seq, conversationId }])
    return { ok: true }
  })

  const RatingBody = Type.Object({
    conversationId: Id,
    rating: Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3)]),
    comment: Type.Optional(Type.String({ maxLength: 500 })),
  })
  app.post('/rating', { config: limited(30), schema: { summary: 'Rate a conversation', body: RatingBody, response: { 200: Ok } } }, async (request) => {
    const { conversationId, rating, comment = '' } = request.body as Static<typeof RatingBody>
    await ctx.desk.rate(refOf(await visitorOf(request)), conversationId, rating, comment)
    return { ok: true }
  })

  app.post('/close', { config: limited(30), schema: { summary: 'Close a conversation', response: { 200: Ok } } }, async (request) => {
    await ctx.desk.close(refOf(await visitorOf(request)))
    return { ok: true }
  })

  app.post('/files', { config: limited(30), bodyLimit: maxFileBytes + 1024 * 1024 }, async (request, reply) => {
    const visitor = await visitorOf(request)
    const upload = await request.file({ limits: { fileSize: maxFileBytes } })
    if (!upload) throw new HubError('HUB_REQUEST_INVALID', 'There is no file in the request')
    const part = await ctx.desk.storeFile(refOf(visitor), { name: upload.filename, bytes: upload.file, voice: upload.fieldname === 'voice' })
    return reply.status(201).send(part)
  })

  // Pictures are asked for by <img>, which carries no header: the token comes in the address, of this one file only.
  const FileParams = Type.Object({ id: Id })
  const FileQuery = Type.Object({ token: Token, thumbnail: Type.Optional(Type.Boolean()) })
  app.get('/files/:id', { config: limited(1_200), schema: { params: FileParams, querystring: FileQuery } }, async (request, reply) => {
    const { token, thumbnail = false } = request.query as Static<typeof FileQuery>
    const visitor = await readToken(ctx, token)
    const { range, 'if-range': ifRange } = request.headers
    const asked = { range, ifRange: ifRange as string | undefined }
    const file = await ctx.desk.openFile(refOf(visitor), (request.params as Static<typeof FileParams>).id, thumbnail, asked)
    if (!file) throw new HubError('HUB_NOT_FOUND', 'There is no such file')
    return reply.status(file.status).headers(file.headers).send(file.stream)
  })

  // The demo shop carries the site it is asked for; else, or while that one is switched off, the first there is.
  const DemoQuery = Type.Object({ inbox: Type.Optional(Type.String({ maxLength: 200 })) })
  app.get('/demo-inbox', { config, schema: { summary: 'Tell which inbox the demo shop carries', querystring: DemoQuery } }, async (request) => {
    const { inbox } = request.query as Static<typeof DemoQuery>
    const sites = await ctx.inboxes()
    return { inboxId: (sites.find(({ id }) => id === inbox) ?? sites[0])?.id ?? null }
  })
}

/** As a header can carry them: a name in Chinese by its letters and digits. What is no address lets nobody in. */
const originsOf = ({ allowedOrigins }: InboxSettings): string[] => allowedOrigins.flatMap((site) => URL.parse(site)?.origin ?? [])

/** What of the form is a field's, and what agents would not read there whole: it stands in the message as well. */
function leftBy({ name, address }: { name: string; address: string }): { said: NonNullable<ChannelSender['says']>; words: string } {
  const { more, ...fields } = readAddress(address)
  return { said: { ...(name.trim() ? { name: name.trim() } : {}), ...fields }, words: more ? address.trim() : '' }
}

/** Of a stranger it is all that is known; of whom the site vouches for, their own word beside the site's. */
const withWord = (sender: ChannelSender, said: NonNullable<ChannelSender['says']>): ChannelSender => {
  if (!sender.verified) return { ...sender, ...said }
  const says = Object.fromEntries(Object.entries(said).filter(([field, value]) => sender[field as keyof typeof said] !== value))
  return { ...sender, says }
}

const byToken = (request: FastifyRequest): string => request.headers.authorization?.slice(-43) ?? request.ip

/** Bundles change with the hub: an address that changes with them lets browsers keep them. */
const bundle = (name: string): string => {
  const file = statSync(join(dist, name), { throwIfNoEntry: false })
  if (!file) throw new HubError('HUB_NOT_FOUND', 'The widget has not been built')
  return `/widget/${name}?v=${Math.floor(file.mtimeMs).toString(36)}`
}

const page = ({ color, position, locale, title, greeting, offlineText, trackVisits }: InboxSettings): string => `<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="robots" content="noindex">
<title>Chat</title>
</head>
<body><main id="chat"></main><script src="${bundle('line.js')}" data-site="${escaped(JSON.stringify({ color, position, locale, title, greeting, offlineText, trackVisits }))}" data-script="${bundle('frame.js')}" data-style="${bundle('frame.css')}"></script></body>
</html>`

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
