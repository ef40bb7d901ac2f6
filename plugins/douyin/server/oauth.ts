/**
 * The operator's authorisation: the admin is sent to Douyin, confirms with the app, and comes back with a code. The
 * state is signed, ends after ten minutes, names the inbox, and is bound by a cookie to the browser it was given to: nobody
 * can put his own account into somebody's inbox by a link.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ChannelInbox } from '@huike/core/sdk/channel.ts'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Account } from './account.entity.ts'
import { callDouyin, DouyinError, secondsIn, textIn } from './api.ts'
import type { Ctx } from './context.ts'
import type { InboxSettings } from './inbox-settings.ts'
import { accountOf, endingNotice, finishNotice, isLeftBehind, reportHealth } from './tokens.ts'

const stateMs = 10 * 60_000

export const newNonce = (): string => randomBytes(24).toString('base64url')
const digest = (nonce: string): string => createHash('sha256').update(nonce).digest('base64url')

/** `<inbox>.<end>.<digest of the cookie>.<signature>` */
export function makeState(ctx: Pick<Ctx, 'sign'>, inboxId: string, nonce: string, now = Date.now()): string {
  const body = `${inboxId}.${now + stateMs}.${digest(nonce)}`
  return `${body}.${ctx.sign(`oauth:${body}`)}`
}

/** The inbox of a state of ours, given to this browser and still alive. */
export function readState(ctx: Pick<Ctx, 'sign'>, state: string, nonce: string, now = Date.now()): string | undefined {
  const [inboxId = '', end = '', bound = '', signature = ''] = state.split('.')
  const same = (a: string, b: string) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
  const ours = same(ctx.sign(`oauth:${inboxId}.${end}.${bound}`), signature)
  return ours && nonce !== '' && same(digest(nonce), bound) && Number(end) > now ? inboxId : undefined
}

export const callbackUrl = (ctx: Pick<Ctx, 'publicUrl'>): string => `${ctx.publicUrl}/api/x/douyin/callback`
export const webhookUrl = (ctx: Pick<Ctx, 'publicUrl'>, inboxId: string): string => `${ctx.publicUrl}/api/channels/douyin/${inboxId}`

export function authoriseUrl(ctx: Ctx, inbox: ChannelInbox, state: string): string {
  const { clientKey, scope } = inbox.settings as InboxSettings
  const query = new URLSearchParams({ client_key: clientKey, response_type: 'code', scope, redirect_uri: callbackUrl(ctx), state })
  return `${ctx.settings.apiUrl}/platform/oauth/connect/?${query}`
}

/** What became of an authorisation; the words of the admin page. */
export type Outcome = 'authorised' | 'other-account' | 'account-in-use' | 'refused' | 'unreachable' | 'scope-missing'

/** Turns the code into tokens and keeps them. */
export async function takeCode(ctx: Ctx, inbox: ChannelInbox, code: string): Promise<Outcome> {
  const { clientKey, clientSecret } = inbox.settings as InboxSettings
  let reply: Record<string, unknown>
  try {
    reply = await callDouyin(ctx.settings.apiUrl, {
      path: '/oauth/access_token/',
      form: { client_key: clientKey, client_secret: clientSecret, code, grant_type: 'authorization_code' },
    })
  } catch (error) {
    ctx.log.warn({ err: error, inbox: inbox.id }, 'a code could not be exchanged')
    return error instanceof DouyinError ? 'refused' : 'unreachable'
  }
  const [openId, accessToken, refreshToken, scope] = ['open_id', 'access_token', 'refresh_token', 'scope'].map((name) => textIn(reply, name)) as [
    string,
    string,
    string,
    string,
  ]
  if (openId === '' || openId.length > 190 || accessToken === '' || refreshToken === '') return 'refused'
  if (!scope.split(',').some((one) => one.startsWith('im.'))) return 'scope-missing'
  const now = Date.now()
  const row = {
    inboxId: inbox.id,
    clientKey,
    openId,
    nickname: '',
    scope: scope.slice(0, 500),
    accessToken: ctx.seal(accessToken),
    accessUntil: new Date(now + secondsIn(reply, 'expires_in') * 1_000),
    refreshToken: ctx.seal(refreshToken),
    refreshUntil: new Date(now + secondsIn(reply, 'refresh_expires_in') * 1_000),
    renewals: 0,
    revokedAt: null,
    fault: 0,
    authorisedAt: new Date(now),
  }
  const kept = await ctx.lock(`token:${inbox.id}`, 30_000, () => keep(ctx, row))
  if (kept !== 'authorised') return kept
  const nickname = await nicknameOf(ctx, openId, accessToken)
  await ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { nickname })
  await reportHealth(ctx, { ...row, nickname } as unknown as Account)
  for (const kind of [finishNotice, endingNotice]) await ctx.endNotice(kind, inbox.id)
  return 'authorised'
}

/** An inbox stays with its account: its conversations could not be answered by another one. */
async function keep(ctx: Ctx, row: { inboxId: string; clientKey: string; openId: string }): Promise<Outcome> {
  const known = await accountOf(ctx, row.inboxId)
  if (known && known.clientKey === row.clientKey && known.openId !== row.openId) return 'other-account'
  const holder = await ctx
    .em()
    .findOne(
      Account,
      { clientKey: row.clientKey, openId: row.openId, inboxId: { $ne: row.inboxId } },
      { fields: ['inboxId', 'clientKey'], disableIdentityMap: true },
    )
  // Who is switched off, or has another app by now, holds nothing back: it is authorised anew.
  if (holder && (!(await ctx.inbox(holder.inboxId)) || (await isLeftBehind(ctx, holder)))) await ctx.em().nativeDelete(Account, { inboxId: holder.inboxId })
  try {
    await ctx.em().upsert(Account, row as Account)
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) return 'account-in-use'
    throw error
  }
  // On MySQL an upsert meets either key: another inbox's row must not have been taken over.
  return (await accountOf(ctx, row.inboxId))?.openId === row.openId ? 'authorised' : 'account-in-use'
}

/** Only for showing which account it is. The header of this endpoint has an underscore. */
async function nicknameOf(ctx: Ctx, openId: string, accessToken: string): Promise<string> {
  try {
    const reply = await callDouyin(ctx.settings.apiUrl, {
      path: '/oauth/userinfo/',
      headers: { access_token: accessToken },
      form: { open_id: openId, access_token: accessToken },
    })
    return textIn(reply, 'nickname').slice(0, 120)
  } catch {
    return ''
  }
}
