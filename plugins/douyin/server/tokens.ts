/**
 * The operator's tokens: access 15 days, refresh 30 days, five renewals of the refresh token, then the operator
 * authorises again. One refresher over all processes (`ctx.lock`), which looks again once it has its turn: another may
 * just have done it. New tokens are stored before anything is done with them; a renewed refresh token kills the old one.
 * (dop/develop/openapi/account-permission: refresh-access-token, refresh-token)
 */
import type { ChannelInbox, LocalText } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Account, AppToken, AuthorisationNews } from './account.entity.ts'
import { callDouyin, DouyinError, secondsIn, textIn } from './api.ts'
import { authorisationOver, codes, refreshTokenOver, renewalsUsedUp } from './codes.ts'
import type { Ctx } from './context.ts'
import type { InboxSettings } from './inbox-settings.ts'

const minute = 60_000
const day = 24 * 60 * minute
const maxRenewals = 5
/** Refreshed this long before its end, by the job; a send refreshes only what has ended. */
const refreshEarlyMs = day
const renewEarlyMs = 3 * day
const lockMs = 30_000
const newsKeptMs = 400 * day

export const needsAuthorisation = () => new HubError('HUB_CHANNEL_SEND_FAILED', 'The Douyin account must be authorised again', { reason: 'unauthorised' })

export const isUnauthorised = (error: unknown): boolean =>
  error instanceof HubError && (error.details as { reason?: string } | undefined)?.reason === 'unauthorised'

const settingsOf = (inbox: ChannelInbox): InboxSettings => inbox.settings as InboxSettings
const lockOf = (inboxId: string) => `token:${inboxId}`

export const accountOf = (ctx: Pick<Ctx, 'em'>, inboxId: string): Promise<Account | null> =>
  ctx.em().findOne(Account, { inboxId }, { disableIdentityMap: true })

/** Tokens and open_ids are the app's that gave them: an inbox that is set to another one cannot use them. */
export const isOfApp = ({ clientKey }: Pick<Account, 'clientKey'>, inbox: ChannelInbox): boolean => clientKey === settingsOf(inbox).clientKey

const isUsable = (account: Account | null, inbox: ChannelInbox): account is Account => account !== null && !account.revokedAt && isOfApp(account, inbox)

/** Does its inbox hold another app by now, so that this row speaks for nobody? One that is switched off is not looked at. */
export async function isLeftBehind(ctx: Ctx, account: Pick<Account, 'inboxId' | 'clientKey'>): Promise<boolean> {
  const inbox = await ctx.inbox(account.inboxId)
  return inbox !== undefined && !isOfApp(account, inbox)
}

export interface Credential {
  account: Account
  /** In the clear. */
  token: string
}

/** A token that is good as far as we know. Throws {@link needsAuthorisation}'s error, DouyinError, NoAnswer. */
export async function credentialOf(ctx: Ctx, inbox: ChannelInbox): Promise<Credential> {
  const account = await accountOf(ctx, inbox.id)
  if (!isUsable(account, inbox)) throw needsAuthorisation()
  if (account.accessUntil.getTime() - minute > Date.now()) return opened(ctx, account)
  return refresh(ctx, inbox, account.accessToken)
}

/** Douyin refused this token: somebody may have refreshed it meanwhile, else it is refreshed now. */
export const credentialAfterRefusal = (ctx: Ctx, inbox: ChannelInbox, refused: Account): Promise<Credential> => refresh(ctx, inbox, refused.accessToken)

function opened(ctx: Ctx, account: Account): Credential {
  const token = ctx.unseal(account.accessToken)
  // Sealed with another key than the hub has now.
  if (token === undefined) throw needsAuthorisation()
  return { account, token }
}

/** @param known the (sealed) access token that is to be replaced; if another is stored by now, that one is taken */
function refresh(ctx: Ctx, inbox: ChannelInbox, known: string): Promise<Credential> {
  return ctx.lock(lockOf(inbox.id), lockMs, async () => {
    const account = await accountOf(ctx, inbox.id)
    if (!isUsable(account, inbox)) throw needsAuthorisation()
    if (account.accessToken !== known) return opened(ctx, account)
    try {
      return opened(ctx, await exchangeRefreshToken(ctx, inbox, account))
    } catch (error) {
      if (!saysOver(error)) throw error
      // There is no access token either.
      await revoke(ctx, inbox.id, error.code)
      throw needsAuthorisation()
    }
  })
}

const saysOver = (error: unknown): error is DouyinError => error instanceof DouyinError && authorisationOver.has(error.code)

/** Under the lock. */
async function exchangeRefreshToken(ctx: Ctx, inbox: ChannelInbox, account: Account): Promise<Account> {
  const refreshToken = ctx.unseal(account.refreshToken)
  if (refreshToken === undefined) throw needsAuthorisation()
  const reply = await callDouyin(ctx.settings.apiUrl, {
    path: '/oauth/refresh_token/',
    form: { client_key: settingsOf(inbox).clientKey, grant_type: 'refresh_token', refresh_token: refreshToken },
  })
  const accessToken = textIn(reply, 'access_token')
  if (accessToken === '') throw new DouyinError(-1, 'the answer holds no access_token')
  const next = { accessToken: ctx.seal(accessToken), accessUntil: new Date(Date.now() + secondsIn(reply, 'expires_in') * 1_000) }
  // "Refresh lifetime unchanged": the token itself is taken over should the platform send another one.
  const sameOrNew = textIn(reply, 'refresh_token')
  const patch = sameOrNew && sameOrNew !== refreshToken ? { ...next, refreshToken: ctx.seal(sameOrNew) } : next
  await ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, patch)
  await reportHealth(ctx, { ...account, ...patch } as Account)
  return { ...account, ...patch } as Account
}

/** A new refresh token while the old one lives. Under the lock. */
async function renew(ctx: Ctx, inbox: ChannelInbox, account: Account, now: number): Promise<void> {
  const refreshToken = ctx.unseal(account.refreshToken)
  if (refreshToken === undefined || account.renewals >= maxRenewals) return
  try {
    const reply = await callDouyin(ctx.settings.apiUrl, {
      path: '/oauth/renew_refresh_token/',
      form: { client_key: settingsOf(inbox).clientKey, refresh_token: refreshToken },
    })
    const renewed = textIn(reply, 'refresh_token')
    if (renewed === '') throw new DouyinError(-1, 'the answer holds no refresh_token')
    await ctx
      .em()
      .nativeUpdate(
        Account,
        { inboxId: inbox.id },
        { refreshToken: ctx.seal(renewed), refreshUntil: new Date(Date.now() + secondsIn(reply, 'expires_in') * 1_000), renewals: account.renewals + 1 },
      )
  } catch (error) {
    if (error instanceof DouyinError && error.code === renewalsUsedUp) await ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { renewals: maxRenewals })
    else if (error instanceof DouyinError && error.code === refreshTokenOver) await endRefreshing(ctx, account, now)
    // Three days are left: tried again at the next turn, and the access token is looked after meanwhile.
    else ctx.log.warn({ err: error, inbox: inbox.id }, 'the refresh token could not be renewed')
  }
}

/** What is near its end is prolonged in time. The job's work; one inbox's trouble does not hold up another's. */
export async function keepTokensAlive(ctx: Ctx, now = Date.now()): Promise<void> {
  await ctx.em().nativeDelete(AuthorisationNews, { at: { $lt: new Date(now - newsKeptMs) } })
  for (const inbox of await ctx.inboxes()) {
    try {
      await ctx.lock(lockOf(inbox.id), lockMs, () => keepAlive(ctx, inbox, now))
    } catch (error) {
      ctx.log.warn({ err: error, inbox: inbox.id }, 'the tokens could not be prolonged')
    }
  }
}

async function keepAlive(ctx: Ctx, inbox: ChannelInbox, now: number): Promise<void> {
  const before = await accountOf(ctx, inbox.id)
  if (!before) return
  if (!isOfApp(before, inbox)) return reportOtherApp(ctx, inbox.id)
  if (before.revokedAt) return
  if (before.refreshUntil.getTime() <= now) return endRefreshing(ctx, before, now)
  if (before.refreshUntil.getTime() - renewEarlyMs < now) await renew(ctx, inbox, before, now)
  const account = await accountOf(ctx, inbox.id)
  if (!account || account.revokedAt || account.refreshUntil.getTime() <= now) return
  if (account.accessUntil.getTime() - refreshEarlyMs >= now) return reportHealth(ctx, account)
  try {
    await exchangeRefreshToken(ctx, inbox, account)
  } catch (error) {
    if (!saysOver(error)) throw error
    if (error.code === refreshTokenOver) await endRefreshing(ctx, account, now)
    else await revoke(ctx, inbox.id, error.code)
  }
}

/** The refresh token is over. The access token is not for that: messages go on until it ends too. */
async function endRefreshing(ctx: Ctx, account: Account, now: number): Promise<void> {
  if (account.accessUntil.getTime() <= now) return revoke(ctx, account.inboxId, refreshTokenOver)
  const refreshUntil = new Date(Math.min(account.refreshUntil.getTime(), now))
  await ctx.em().nativeUpdate(Account, { inboxId: account.inboxId }, { refreshUntil })
  await reportHealth(ctx, { ...account, refreshUntil } as Account)
}

/** Until when messages can leave if nobody does anything. */
export const goodUntil = ({ accessUntil, refreshUntil }: Account): Date => (accessUntil > refreshUntil ? accessUntil : refreshUntil)
/** How often its refresh token can still be renewed. */
export const renewalsLeft = ({ renewals, refreshUntil }: Account): number => (refreshUntil.getTime() <= Date.now() ? 0 : Math.max(0, maxRenewals - renewals))

/** The operator has consented in Douyin, and an admin has yet to fetch the tokens. */
export const finishNotice = 'finish'
/** Nothing prolongs the authorisation any more, and its end is near. */
export const endingNotice = 'ending'

/** The authorisation is over; only the operator can give it again. */
export async function revoke(ctx: Ctx, inboxId: string, code = 0): Promise<void> {
  await ctx.em().nativeUpdate(Account, { inboxId, revokedAt: null }, { revokedAt: new Date() })
  await ctx.endNotice(endingNotice, inboxId)
  // One that is switched off calls nobody: it says so once it is on again.
  if (await ctx.inbox(inboxId)) await reportRevoked(ctx, inboxId, code)
}

/** An inbox was switched: off it asks for nothing, on again it says how its account is. */
export async function followSwitch(ctx: Ctx, inboxId: string): Promise<void> {
  const account = await accountOf(ctx, inboxId)
  if (!account) return
  const inbox = await ctx.inbox(inboxId)
  if (!inbox) await ctx.endNotice(endingNotice, inboxId)
  else if (!isOfApp(account, inbox)) await reportOtherApp(ctx, inboxId)
  else if (account.revokedAt) await reportRevoked(ctx, inboxId)
  else await catchUp(ctx, inbox)
}

/** While it was off nobody prolonged anything, and what it has may be over. */
async function catchUp(ctx: Ctx, inbox: ChannelInbox): Promise<void> {
  try {
    await ctx.lock(lockOf(inbox.id), lockMs, () => keepAlive(ctx, inbox, Date.now()))
  } catch (error) {
    ctx.log.warn({ err: error, inbox: inbox.id }, 'the tokens could not be prolonged')
    // It has some that can still be refreshed: the job goes on trying, and a message that leaves.
    const account = await accountOf(ctx, inbox.id)
    if (account && !account.revokedAt) await reportHealth(ctx, account)
  }
}

/** An inbox was given another app: its tokens are of no use to it. Given the old one again, a test of what is saved finds it well. */
export async function followApp(ctx: Ctx, inboxId: string): Promise<void> {
  const account = await accountOf(ctx, inboxId)
  const inbox = account && (await ctx.inbox(inboxId))
  if (account && inbox && !isOfApp(account, inbox)) await reportOtherApp(ctx, inboxId)
}

async function reportOtherApp(ctx: Ctx, inboxId: string): Promise<void> {
  await ctx.endNotice(endingNotice, inboxId)
  await ctx.health(inboxId, {
    state: 'unauthorised',
    error: {
      zh: '应用（Client Key）已更换，抖音账号还没有授权给新的应用',
      en: 'The app (client key) is another one, which the Douyin account is not authorised for',
    },
    remedy: reauthorise,
  })
}

const reauthorise: LocalText = {
  zh: '在此渠道账号的设置里点「重新授权」，用抖音 App 扫码确认。',
  en: 'Open this inbox’s settings, choose “Authorise again” and confirm with the Douyin app.',
}

async function reportRevoked(ctx: Ctx, inboxId: string, code = 0): Promise<void> {
  await ctx.health(inboxId, {
    state: 'unauthorised',
    ...(code ? { code: String(code) } : {}),
    error: { zh: '抖音账号的授权已失效', en: 'The Douyin account is no longer authorised' },
    remedy: reauthorise,
  })
}

/** Tells how the account is: well, in trouble that an admin must mend, or near the end of its authorisation. */
export async function reportHealth(ctx: Ctx, account: Account): Promise<void> {
  const validUntil = goodUntil(account)
  const ending = renewalsLeft(account) === 0 && account.refreshUntil.getTime() - 7 * day < Date.now()
  if (ending) await tellEnding(ctx, account.inboxId, validUntil)
  const meaning = account.fault ? codes[account.fault] : undefined
  if (account.fault && meaning)
    return ctx.health(account.inboxId, {
      state: 'broken',
      code: String(account.fault),
      error: meaning.sentence,
      validUntil,
      ...(meaning.remedy ? { remedy: meaning.remedy } : {}),
    })
  await ctx.health(account.inboxId, { state: 'connected', validUntil, ...(ending ? { remedy: endingRemedy(validUntil) } : {}) })
}

/** The platform's day. */
const dayIn = (language: string, at: Date): string => new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone: 'Asia/Shanghai' }).format(at)

const endingRemedy = (until: Date): LocalText => ({
  zh: `授权已不能再续期，请在${dayIn('zh-CN', until)}之前重新授权：在此渠道账号的设置里点「重新授权」，用抖音 App 扫码确认。`,
  en: `The authorisation cannot be renewed any more. Authorise again before ${dayIn('en-GB', until)}: choose “Authorise again” in this inbox’s settings and confirm with the Douyin app.`,
})

async function tellEnding(ctx: Ctx, inboxId: string, until: Date): Promise<void> {
  const inbox = await ctx.inbox(inboxId)
  if (!inbox) return
  const remedy = endingRemedy(until)
  await ctx.notify({
    to: { permission: 'inbox.manage' },
    kind: endingNotice,
    key: inboxId,
    level: 'problem',
    title: {
      zh: `“${inbox.name}”的抖音授权将于${dayIn('zh-CN', until)}到期`,
      en: `The Douyin authorisation of “${inbox.name}” ends on ${dayIn('en-GB', until)}`,
    },
    body: { zh: `${remedy.zh}到期后收得到消息，但不能回复。`, en: `${remedy.en} After that day messages come in and cannot be answered.` },
    link: `/admin/inboxes/${inboxId}`,
  })
}

/** A code that an admin must act on is remembered, and told once, until a message goes through or a test goes well. 0: that one has. */
export async function setFault(ctx: Ctx, account: Account, fault: number): Promise<void> {
  // Asked of the row: since `account` was read a test may have ended the fault that is met again.
  const changed = await ctx.em().nativeUpdate(Account, { inboxId: account.inboxId, fault: { $ne: fault } }, { fault })
  if (changed > 0) await reportHealth(ctx, { ...account, fault } as Account)
}

/** A test went well, and the hub takes its word: the job must not say again what was mended. */
export async function forgetFault(ctx: Ctx, inboxId: string): Promise<void> {
  await ctx.em().nativeUpdate(Account, { inboxId, fault: { $ne: 0 } }, { fault: 0 })
}

/** The app's own token, for uploads: two hours, and a new one soon ends the old one. */
export async function clientToken(ctx: Ctx, inbox: ChannelInbox, refused?: string): Promise<string> {
  const { clientKey, clientSecret } = settingsOf(inbox)
  const kept = async () => {
    const row = await ctx.em().findOne(AppToken, { clientKey }, { disableIdentityMap: true })
    const token = row && row.until.getTime() - 5 * minute > Date.now() ? ctx.unseal(row.token) : undefined
    return token === refused ? undefined : token
  }
  return (
    (await kept()) ??
    ctx.lock(`app:${clientKey}`, lockMs, async () => {
      const meanwhile = await kept()
      if (meanwhile) return meanwhile
      const { token, seconds } = await fetchClientToken(ctx.settings.apiUrl, clientKey, clientSecret)
      await ctx.em().upsert(AppToken, { clientKey, token: ctx.seal(token), until: new Date(Date.now() + seconds * 1_000) })
      return token
    })
  )
}

async function fetchClientToken(apiUrl: string, clientKey: string, clientSecret: string): Promise<{ token: string; seconds: number }> {
  const reply = await callDouyin(apiUrl, {
    path: '/oauth/client_token/',
    json: { client_key: clientKey, client_secret: clientSecret, grant_type: 'client_credential' },
  })
  const token = textIn(reply, 'access_token')
  if (token === '') throw new DouyinError(-1, 'the answer holds no access_token')
  return { token, seconds: secondsIn(reply, 'expires_in') || 7_200 }
}

/** Does Douyin accept the key and secret as they stand in the form? */
export async function checkApp(ctx: Ctx, inbox: ChannelInbox): Promise<boolean> {
  const { clientKey, clientSecret } = settingsOf(inbox)
  await ctx.lock(`app:${clientKey}`, lockMs, async () => {
    const { token, seconds } = await fetchClientToken(ctx.settings.apiUrl, clientKey, clientSecret)
    // Fetching it has put an end to the one that was kept.
    await ctx.em().upsert(AppToken, { clientKey, token: ctx.seal(token), until: new Date(Date.now() + seconds * 1_000) })
  })
  return true
}
