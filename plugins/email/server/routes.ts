/** The operator's OAuth: the page of the provider, and the way back from it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { MailFault } from './faults.ts'
import { mailboxOf } from './inbox-settings.ts'
import { Token } from './letter.entity.ts'
import { authoriseUrl, oauthOf, redeemCode } from './oauth.ts'

const access = { permission: 'email.mailbox.authorise' }
const stateMs = 15 * 60_000
const InboxParams = Type.Object({ inboxId: Id })
// A provider may add parameters, and a client ignores those it does not know (RFC 6749, 4.1.2).
const Callback = Type.Object(
  {
    state: Type.String({ maxLength: 300 }),
    code: Type.Optional(Type.String({ maxLength: 4_000 })),
    error: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: true },
)

export function emailRoutes(app: FastifyInstance, ctx: PluginContext): void {
  // The hub's address is known once it listens, later than this.
  const redirectUri = () => `${ctx.publicUrl}/api/x/email/oauth/callback`
  const stampOf = (text: string): Buffer =>
    createHash('sha256')
      .update(ctx.sign(`oauth:${text}`))
      .digest()

  async function mailbox(inboxId: string) {
    const inbox = await ctx.inbox(inboxId)
    if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such mailbox')
    return mailboxOf(inbox)
  }

  app.get('/inboxes/:inboxId/oauth', { config: { access }, schema: { summary: 'Begin the mail provider’s consent', params: InboxParams } }, async (request) => {
    const { inboxId } = request.params as Static<typeof InboxParams>
    const box = await mailbox(inboxId)
    const row = await ctx.em().findOne(Token, { inboxId, account: box.address }, { disableIdentityMap: true })
    const available = oauthOf(box) !== undefined && box.settings.login === 'oauth'
    const state = `${inboxId}.${Date.now() + stateMs}`
    return {
      available,
      redirectUri: redirectUri(),
      authorisedAt: row?.updatedAt.toISOString() ?? null,
      url: available && box.settings.oauthClientId ? authoriseUrl(box, redirectUri(), `${state}.${stampOf(state).toString('base64url')}`) : null,
    }
  })

  // Opened by the provider's redirect in the admin's browser: the signed state says whose it is.
  app.get(
    '/oauth/callback',
    {
      config: { access: 'public' as const, rateLimit: { max: 20, timeWindow: 60_000 } },
      schema: { summary: 'Come back from the mail provider’s consent', querystring: Callback },
    },
    async (request, reply) => {
      const { state, code, error } = request.query as Static<typeof Callback>
      const [inboxId = '', until = '', stamp = ''] = state.split('.')
      const given = Buffer.from(stamp, 'base64url')
      const wanted = stampOf(`${inboxId}.${until}`)
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted) || Number(until) < Date.now())
        throw new HubError('HUB_REQUEST_INVALID', 'This authorisation was not begun here, or took too long')
      if (error || !code) return reply.type('text/html; charset=utf-8').send(page('授权未完成', 'Not authorised', error ?? 'no code'))
      try {
        await redeemCode(ctx, await mailbox(inboxId), code, redirectUri())
      } catch (failure) {
        if (!(failure instanceof MailFault)) throw new HubError('HUB_CHANNEL_SEND_FAILED', 'The provider does not answer')
        return reply.type('text/html; charset=utf-8').send(page('授权失败', 'Authorisation failed', failure.message))
      }
      return reply.type('text/html; charset=utf-8').send(page('授权成功，可以关闭本页', 'Authorised: you may close this page', ''))
    },
  )
}

const page = (zh: string, en: string, detail: string): string => {
  const safe = detail.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
  return `<!doctype html><html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${zh}</title><body><h1>${zh}</h1><p lang="en">${en}</p><p>${safe}</p></body></html>`
}
