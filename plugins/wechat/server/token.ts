/**
 * The access token: one for all processes, kept sealed in a row, renewed by one process at a time. stable_token
 * (developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html) gives the same token until its last five
 * minutes and then a new one, both alive for five minutes; classic tokens of other systems do not disturb it.
 */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { callApi, WechatError } from './api.ts'
import { credentialOf, type WechatInbox, type WechatSettings } from './inbox-settings.ts'
import { WechatToken } from './token.entity.ts'

/** Renewed when so little is left, each process a little differently; in the last 300 s WeChat hands out the next one. */
const renewMs = 240_000
const jitterMs = 120_000
const lockMs = 20_000
/** Forcing a new token kills the old one at once; WeChat allows it 20 times a day, 30 s apart. */
const forceApartMs = 31_000
const forcesPerDay = 20

type Context = Pick<PluginContext, 'em' | 'lock' | 'seal' | 'unseal' | 'log'>
interface Held {
  token: string
  expiresAt: Date
}

async function held(ctx: Context, id: string): Promise<Held | undefined> {
  const row = await ctx.em().findOne(WechatToken, { id }, { disableIdentityMap: true })
  const token = row?.sealed ? ctx.unseal(row.sealed) : undefined
  return row && token ? { token, expiresAt: row.expiresAt } : undefined
}

/** By inbox, until when the token of its account is good: of those that have one. */
export async function tokensOf(ctx: Pick<Context, 'em'>, inboxes: readonly WechatInbox[]): Promise<Map<string, Date>> {
  const ids = new Map(inboxes.map(({ id, settings }) => [id, credentialOf(settings)]))
  const rows = await ctx.em().find(WechatToken, { id: { $in: [...new Set(ids.values())] } }, { fields: ['id', 'expiresAt'], disableIdentityMap: true })
  const ends = new Map(rows.map(({ id, expiresAt }) => [id, expiresAt]))
  return new Map([...ids].flatMap(([inboxId, id]) => (ends.has(id) ? [[inboxId, ends.get(id) as Date]] : [])))
}

/** A token that is good now. Throws {@link WechatError}, SendError. */
export async function tokenFor(ctx: Context, settings: WechatSettings): Promise<Held> {
  const id = credentialOf(settings)
  const now = await held(ctx, id)
  const margin = renewMs - Math.random() * jitterMs
  if (now && now.expiresAt.getTime() - Date.now() > margin) return now
  return ctx.lock(`token:${id}`, lockMs, async () => {
    // Another process may have renewed it while we waited for our turn.
    const again = await held(ctx, id)
    if (again && again.expiresAt.getTime() - Date.now() > renewMs) return again
    return fetchToken(ctx, settings, false)
  })
}

/**
 * A token instead of `refused`, which WeChat has just called invalid. If another process holds a different one by now,
 * that is it: a second renewal would only knock the first one out.
 */
export async function tokenInsteadOf(ctx: Context, settings: WechatSettings, refused: string): Promise<Held> {
  const id = credentialOf(settings)
  const other = await held(ctx, id)
  if (other && other.token !== refused) return other
  return ctx.lock(`token:${id}`, lockMs, async () => {
    const again = await held(ctx, id)
    if (again && again.token !== refused) return again
    const fresh = await fetchToken(ctx, settings, false)
    // WeChat still takes it for valid: only force brings another one, and force is rationed.
    if (fresh.token !== refused || !(await mayForce(ctx, id))) return fresh
    ctx.log.warn({ appId: settings.appId }, 'WeChat refuses a token it calls valid: a new one is forced')
    return fetchToken(ctx, settings, true)
  })
}

async function mayForce(ctx: Context, id: string): Promise<boolean> {
  const row = await ctx.em().findOne(WechatToken, { id }, { disableIdentityMap: true })
  if (!row?.forcedAt) return true
  return Date.now() - row.forcedAt.getTime() > forceApartMs && (row.forcedCount < forcesPerDay || dayOf(row.forcedAt) !== dayOf(new Date()))
}

/** Quotas are of Beijing's days. */
const dayOf = (time: Date): number => Math.floor((time.getTime() + 8 * 3_600_000) / (24 * 3_600_000))

/** Asks WeChat and writes the answer down; under the lock. */
async function fetchToken(ctx: Context, settings: WechatSettings, force: boolean): Promise<Held> {
  const fresh = await askToken(settings, force)
  const em = ctx.em()
  const id = credentialOf(settings)
  const now = new Date()
  const before = await em.findOne(WechatToken, { id }, { disableIdentityMap: true })
  const sameDay = before?.forcedAt != null && dayOf(before.forcedAt) === dayOf(now)
  const fields = {
    sealed: ctx.seal(fresh.token),
    expiresAt: fresh.expiresAt,
    forcedAt: force ? now : (before?.forcedAt ?? null),
    forcedCount: force ? (sameDay ? before.forcedCount : 0) + 1 : (before?.forcedCount ?? 0),
  }
  if (before) await em.nativeUpdate(WechatToken, { id }, fields)
  else await em.insert(WechatToken, { id, ...fields })
  return fresh
}

/** WeChat's own answer, kept nowhere: also how a connection is tried. */
export async function askToken(settings: WechatSettings, force = false): Promise<Held> {
  const answer = await callApi(settings.apiBase, '/cgi-bin/stable_token', {
    body: { grant_type: 'client_credential', appid: settings.appId, secret: settings.appSecret, ...(force ? { force_refresh: true } : {}) },
    repeatable: true,
    holds: 'access_token',
  }).catch((error) => {
    if (error instanceof WechatError) error.ofCredential = true
    throw error
  })
  const { access_token: token, expires_in: seconds } = answer
  if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') throw new WechatError(-1, 'the answer holds no token')
  return { token, expiresAt: new Date(Date.now() + seconds * 1_000) }
}

/**
 * Does `work` with a token. When WeChat calls the token wrong, invalid or expired (40001, 40014, 42001), once more with
 * another one. What is wrong after that is wrong with the credential.
 */
export async function withToken<T>(ctx: Context, settings: WechatSettings, work: (token: string) => Promise<T>): Promise<T> {
  const { token } = await tokenFor(ctx, settings)
  try {
    return await work(token)
  } catch (error) {
    if (!(error instanceof WechatError) || error.rule.action !== 'token') throw error
    const other = await tokenInsteadOf(ctx, settings, token)
    if (other.token === token) throw error
    return work(other.token)
  }
}
