/** What the admin page asks for, and the way back from Douyin. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { Account, AuthorisationNews } from './account.entity.ts'
import type { Ctx } from './context.ts'
import type { InboxSettings } from './inbox-settings.ts'
import { authoriseUrl, callbackUrl, makeState, newNonce, type Outcome, readState, takeCode, webhookUrl } from './oauth.ts'
import { provenAt } from './prove.ts'
import { accountOf, endingNotice, goodUntil, isOfApp, renewalsLeft } from './tokens.ts'

const config = { access: { permission: 'inbox.manage' } }
const cookie = 'huike_douyin_oauth'
const shownNews = 10
const cookiePath = '/api/x/douyin/callback'
const Params = Type.Object({ id: Id })
const NullableTime = Type.Union([Type.String(), Type.Null()])

const State = Type.Object({
  /** Are key and secret saved? */
  configured: Type.Boolean(),
  state: Type.Union([Type.Literal('none'), Type.Literal('authorised'), Type.Literal('revoked')]),
  nickname: Type.String(),
  scope: Type.String(),
  accessUntil: NullableTime,
  refreshUntil: NullableTime,
  /** Until when messages can leave if nobody does anything. */
  goodUntil: NullableTime,
  renewalsLeft: Type.Integer(),
  webhookUrl: Type.String(),
  callbackUrl: Type.String(),
  webhookProvenAt: NullableTime,
  /** What the operator did about it in Douyin itself, the newest first. */
  news: Type.Array(Type.Object({ change: Type.String(), at: Type.String() })),
})

export function routes(app: FastifyInstance, ctx: Ctx): void {
  const inboxOf = async (id: string) => {
    const inbox = await ctx.inbox(id)
    if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
    return inbox
  }

  app.get('/inboxes/:id', { config, schema: { params: Params, response: { 200: State } } }, async (request): Promise<Static<typeof State>> => {
    const { id } = request.params as Static<typeof Params>
    const inbox = await inboxOf(id)
    const { clientKey, clientSecret } = inbox.settings as InboxSettings
    const account = await accountOf(ctx, id)
    const news = await ctx.em().find(AuthorisationNews, { inboxId: id }, { orderBy: { at: 'desc' }, limit: shownNews, disableIdentityMap: true })
    return {
      configured: clientKey !== '' && clientSecret !== '',
      state: account ? (account.revokedAt || !isOfApp(account, inbox) || goodUntil(account).getTime() <= Date.now() ? 'revoked' : 'authorised') : 'none',
      nickname: account?.nickname ?? '',
      scope: account?.scope ?? '',
      accessUntil: account?.accessUntil.toISOString() ?? null,
      refreshUntil: account?.refreshUntil.toISOString() ?? null,
      goodUntil: account ? goodUntil(account).toISOString() : null,
      renewalsLeft: account ? renewalsLeft(account) : 0,
      webhookUrl: webhookUrl(ctx, id),
      callbackUrl: callbackUrl(ctx),
      webhookProvenAt: (await provenAt(ctx, inbox))?.toISOString() ?? null,
      news: news.map(({ change, at }) => ({ change, at: at.toISOString() })),
    }
  })

  app.post('/inboxes/:id/authorise', { config, schema: { params: Params, response: { 200: Type.Object({ url: Type.String() }) } } }, async (request, reply) => {
    const inbox = await inboxOf((request.params as Static<typeof Params>).id)
    const { clientKey, clientSecret } = inbox.settings as InboxSettings
    if (clientKey === '' || clientSecret === '') throw new HubError('HUB_CONFLICT', 'The app’s key and secret must be saved first')
    const nonce = newNonce()
    // Lax: Douyin sends the browser back by a plain navigation.
    reply.setCookie(cookie, nonce, { path: cookiePath, httpOnly: true, sameSite: 'lax', secure: ctx.publicUrl.startsWith('https:'), maxAge: 600 })
    return { url: authoriseUrl(ctx, inbox, makeState(ctx, inbox.id, nonce)) }
  })

  /** The tokens are forgotten; the inbox can be given to another account after that. */
  app.delete('/inboxes/:id/authorisation', { config, schema: { params: Params } }, async (request) => {
    const inbox = await inboxOf((request.params as Static<typeof Params>).id)
    await ctx.em().nativeDelete(Account, { inboxId: inbox.id })
    await ctx.endNotice(endingNotice, inbox.id)
    await ctx.health(inbox.id, {
      state: 'unauthorised',
      error: { zh: '还没有授权抖音账号', en: 'No Douyin account is authorised' },
      remedy: { zh: '在此渠道账号的设置里点「授权」。', en: 'Choose “Authorise” in this inbox’s settings.' },
    })
    return { ok: true }
  })

  // An authorisation server may add parameters, and a client ignores those it does not know (RFC 6749, 4.1.2).
  const Callback = Type.Object(
    { code: Type.Optional(Type.String({ maxLength: 1_000 })), state: Type.String({ maxLength: 500 }) },
    { additionalProperties: true },
  )
  app.get('/callback', { config, schema: { querystring: Callback, hide: true } }, async (request, reply) => {
    const { code = '', state } = request.query as Static<typeof Callback>
    const inboxId = readState(ctx, state, request.cookies[cookie] ?? '')
    reply.clearCookie(cookie, { path: cookiePath })
    if (!inboxId) throw new HubError('HUB_FORBIDDEN', 'This authorisation was not begun here, or it took longer than ten minutes')
    const inbox = await inboxOf(inboxId)
    // No code: the operator said no.
    const outcome: Outcome = code === '' ? 'refused' : await takeCode(ctx, inbox, code)
    return reply.redirect(`/admin/inboxes/${inboxId}?douyin=${outcome}`)
  })
}
