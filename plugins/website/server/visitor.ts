/** Who a visitor is: a token of ours for a browser, or the site's own signed word for a logged-in user. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { ChannelSender } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { jwtVerify } from 'jose'
import type { InboxSettings } from './inbox-settings.ts'

export interface Visitor {
  inboxId: string
  sender: ChannelSender
  /** When the token was first given out: a stranger who speaks at once is a script. */
  since: number
}

/** Unguessable, and marked so that a site's own user id can never be one. */
const newVisitorId = (): string => `v_${randomBytes(16).toString('base64url')}`

/** `<inbox>.<visitor>.<signature>`; the visitor's name is base64url so that any id fits. */
export function issueToken(ctx: PluginContext, inboxId: string, sender: ChannelSender, since = Date.now()): string {
  const body = `${inboxId}.${Buffer.from(JSON.stringify({ ...sender, since })).toString('base64url')}`
  return `${body}.${ctx.sign(body)}`
}

/** Throws HUB_AUTH_REQUIRED for what we did not issue. */
export function readToken(ctx: PluginContext, token: unknown): Visitor {
  const refuse = () => new HubError('HUB_AUTH_REQUIRED', 'The visitor is not known')
  if (typeof token !== 'string' || token.length > 2_000) throw refuse()
  const [inboxId = '', payload = '', signature = ''] = token.split('.')
  const expected = Buffer.from(ctx.sign(`${inboxId}.${payload}`))
  const given = Buffer.from(signature)
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) throw refuse()
  const { since, ...sender } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as ChannelSender & { since: number }
  return { inboxId, sender, since }
}

export const anonymous = (): ChannelSender => ({ externalId: newVisitorId() })

/**
 * The site's JWT (HS256, key = the inbox's `identitySecret`, claims `sub`, and optionally `name`, `email`, `phone`,
 * `exp`). Throws HUB_CHANNEL_UNVERIFIED: nobody can pretend to be somebody.
 */
export async function signedIdentity(settings: InboxSettings, jwt: string): Promise<ChannelSender> {
  const refuse = (reason: string) => new HubError('HUB_CHANNEL_UNVERIFIED', 'The identity could not be verified', { reason })
  if (settings.identitySecret.length < 32) throw refuse('no-key')
  try {
    const { payload } = await jwtVerify(jwt, new TextEncoder().encode(settings.identitySecret), { algorithms: ['HS256'], clockTolerance: 60 })
    if (typeof payload.sub !== 'string' || payload.sub === '') throw refuse('no-sub')
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
    return {
      externalId: `u_${payload.sub}`.slice(0, 190),
      verified: true,
      name: text(payload.name),
      email: text(payload.email),
      phone: text(payload.phone),
      attributes: { userId: payload.sub },
    }
  } catch (error) {
    throw error instanceof HubError ? error : refuse('signature')
  }
}
