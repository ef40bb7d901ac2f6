/**
 * XOAUTH2 for Gmail and Microsoft: authorisation, refresh, rotation. Tokens lie sealed in a table of the plugin; one process
 * refreshes at a time, and looks again once it has its turn, since another may just have done it.
 */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { MailFault } from './faults.ts'
import type { Mailbox } from './inbox-settings.ts'
import { Token } from './letter.entity.ts'

/** Renewed this long before its end: a letter under way must not meet an expired one. */
const earlyMs = 5 * 60_000
const timeoutMs = 15_000

export type OAuthContext = Pick<PluginContext, 'em' | 'seal' | 'unseal' | 'lock' | 'log'>

export interface OAuthEndpoints {
  authorise: string
  token: string
  scope: string
}

/** Undefined for providers without OAuth. */
export function oauthOf({ preset, settings }: Mailbox): OAuthEndpoints | undefined {
  if (!preset.oauth) return undefined
  const tenant = encodeURIComponent(settings.oauthTenant || 'common')
  return {
    authorise: preset.oauth.authorise.replace('{tenant}', tenant),
    token: preset.oauth.token.replace('{tenant}', tenant),
    scope: settings.oauthAppOnly && preset.oauth.appScope ? preset.oauth.appScope : preset.oauth.scope,
  }
}

export function authoriseUrl(mailbox: Mailbox, redirectUri: string, state: string): string {
  const oauth = oauthOf(mailbox)
  if (!oauth) throw new MailFault('not-configured', 'this provider has no OAuth')
  const url = new URL(oauth.authorise)
  const query = {
    client_id: mailbox.settings.oauthClientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: oauth.scope,
    state,
    login_hint: mailbox.address,
    ...mailbox.preset.oauth?.params,
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

interface TokenAnswer {
  access_token: string
  refresh_token?: string
  expires_in?: number
}

/** `tokenUrl` is given by tests. */
async function ask(mailbox: Mailbox, form: Record<string, string>, tokenUrl = oauthOf(mailbox)?.token): Promise<TokenAnswer> {
  if (!tokenUrl || !mailbox.settings.oauthClientId) throw new MailFault('not-configured', 'the OAuth client is not set')
  const body = new URLSearchParams({ client_id: mailbox.settings.oauthClientId, client_secret: mailbox.settings.oauthClientSecret, ...form })
  const response = await fetch(tokenUrl, { method: 'POST', body, signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  const answer = (await response.json().catch(() => ({}))) as Partial<TokenAnswer> & { error?: string; error_description?: string }
  if (!response.ok || !answer.access_token) {
    const said = [answer.error ?? `HTTP ${response.status}`, answer.error_description].filter(Boolean).join(': ').slice(0, 300)
    // 5xx and "too many" are passing troubles; the rest says that these credentials will not do.
    throw response.status >= 500 || response.status === 429 ? new Error(`the token server answered ${said} (ECONNECTION)`) : new MailFault('needs-oauth', said)
  }
  return answer as TokenAnswer
}

async function store(ctx: OAuthContext, mailbox: Mailbox, answer: TokenAnswer, refreshBefore: string): Promise<string> {
  const now = Date.now()
  await ctx.em().upsert(Token, {
    inboxId: mailbox.inboxId,
    account: mailbox.address,
    access: ctx.seal(answer.access_token),
    // Microsoft gives a new one each time, and the old one ends; Google keeps the first.
    refresh: ctx.seal(answer.refresh_token ?? refreshBefore),
    expiresAt: new Date(now + (answer.expires_in ?? 3_600) * 1_000),
    updatedAt: new Date(now),
  })
  return answer.access_token
}

/** The end of the authorisation: the code becomes tokens. */
export async function redeemCode(ctx: OAuthContext, mailbox: Mailbox, code: string, redirectUri: string, tokenUrl?: string): Promise<void> {
  const answer = await ask(mailbox, { grant_type: 'authorization_code', code, redirect_uri: redirectUri }, tokenUrl)
  if (!answer.refresh_token) throw new MailFault('needs-oauth', 'the provider gave no refresh token')
  await store(ctx, mailbox, answer, '')
}

/**
 * A token that is good for a while. `stale` is one a server has just refused: then a new one is fetched, unless another
 * process has done so meanwhile.
 */
export async function accessToken(ctx: OAuthContext, mailbox: Mailbox, stale?: string, tokenUrl?: string): Promise<string> {
  const good = async (): Promise<string | undefined> => {
    const row = await ctx.em().findOne(Token, { inboxId: mailbox.inboxId, account: mailbox.address }, { disableIdentityMap: true })
    const access = row && row.expiresAt.getTime() - Date.now() > earlyMs ? ctx.unseal(row.access) : undefined
    return access && access !== stale ? access : undefined
  }
  const ready = await good()
  if (ready) return ready
  return ctx.lock(`token:${mailbox.inboxId}`, 30_000, async () => {
    const meanwhile = await good()
    if (meanwhile) return meanwhile
    if (mailbox.settings.oauthAppOnly && mailbox.preset.oauth?.appScope)
      return store(ctx, mailbox, await ask(mailbox, { grant_type: 'client_credentials', scope: mailbox.preset.oauth.appScope }, tokenUrl), '')
    const row = await ctx.em().findOne(Token, { inboxId: mailbox.inboxId, account: mailbox.address }, { disableIdentityMap: true })
    const refresh = row ? ctx.unseal(row.refresh) : undefined
    if (!refresh) throw new MailFault('needs-oauth', 'this mailbox has not been authorised')
    return store(
      ctx,
      mailbox,
      await ask(mailbox, { grant_type: 'refresh_token', refresh_token: refresh, scope: oauthOf(mailbox)?.scope ?? '' }, tokenUrl),
      refresh,
    )
  })
}
