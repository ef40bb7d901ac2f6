/** Who a visitor is: a token of ours for a browser, or the site's own signed word for a logged-in user. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ChannelSender } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { nameWithin } from '@huike/core/sdk/person-names.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { InboxSettings } from './inbox-settings.ts'

export interface Visitor {
  inboxId: string
  sender: ChannelSender
  /** When the token was first given out: a stranger who speaks at once is a script. */
  since: number
  /** What the site's word about a user rests on. A stranger has none, and is nobody else's. */
  proof?: Proof
}

/** A verified token is as good as the JWT it was given for: no longer, and not with another key. */
export interface Proof {
  until: number
  /** Names the key that signed, and tells nothing of it. */
  key: string
}

/** Longest token that is read. */
export const maxTokenLength = 4_000
/** Longest `sub`: it travels in the token. */
const maxUserIdLength = 500
/** Clocks of two servers differ by this much. */
const toleranceSeconds = 60
/** A JWT without an end, or with a far one, is asked for again after a day. */
const longestProofMs = 24 * 3_600_000
/** Longest external id of an identity. */
const maxIdLength = 190
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** Unguessable, and marked so that a site's own user id can never be one. */
const newVisitorId = (): string => `v_${randomBytes(16).toString('base64url')}`

/** `<inbox>.<visitor>.<signature>`; the visitor's name is base64url so that any id fits. */
export function issueToken(ctx: PluginContext, inboxId: string, { sender, since, proof }: Omit<Visitor, 'inboxId'>): string {
  const body = `${inboxId}.${Buffer.from(JSON.stringify({ ...sender, since, proof })).toString('base64url')}`
  return `${body}.${ctx.sign(body)}`
}

/** Tokens that were found to be ours, of each hub: a visitor comes with the same one, message after message. The oldest go first. */
const found = new WeakMap<PluginContext, Map<string, Visitor>>()
const mostFound = 1_000

/** What a token says, if we said so. */
function contentOf(ctx: PluginContext, token: unknown): Visitor | undefined {
  if (typeof token !== 'string' || token.length > maxTokenLength) return undefined
  const ours = found.get(ctx) ?? new Map<string, Visitor>()
  const before = ours.get(token)
  if (before) return before
  const [inboxId = '', payload = '', signature = ''] = token.split('.')
  const expected = Buffer.from(ctx.sign(`${inboxId}.${payload}`))
  const given = Buffer.from(signature)
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined
  const { since, proof, ...sender } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as ChannelSender & Pick<Visitor, 'since' | 'proof'>
  const visitor = { inboxId, sender, since, ...(proof ? { proof } : {}) }
  if (ours.size >= mostFound) ours.delete(ours.keys().next().value as string)
  found.set(ctx, ours.set(token, visitor))
  return visitor
}

/** Throws HUB_AUTH_REQUIRED for what we did not issue, and for a user whose proof has ended; HUB_CHANNEL_DISABLED when nobody can say. */
export async function readToken(ctx: PluginContext, token: unknown): Promise<Visitor> {
  const refuse = () => new HubError('HUB_AUTH_REQUIRED', 'The visitor is not known')
  const visitor = contentOf(ctx, token)
  if (!visitor) throw refuse()
  const { inboxId, sender, since, proof } = visitor
  if (!sender.verified) return { inboxId, sender, since }
  if (!proof || proof.until <= Date.now()) throw refuse()
  const inbox = await ctx.inbox(inboxId)
  if (!inbox) throw new HubError('HUB_CHANNEL_DISABLED', 'This site takes no messages now')
  if (proof.key !== nameOfKey(ctx, inbox.settings as unknown as InboxSettings)) throw refuse()
  return visitor
}

const nameOfKey = (ctx: PluginContext, { identitySecret }: InboxSettings): string => ctx.sign(`identity-key ${identitySecret}`).slice(0, 16)

/** What a token for this JWT, which {@link signedIdentity} has verified, rests on. */
export async function proofOf(ctx: PluginContext, settings: InboxSettings, jwt: string): Promise<Proof> {
  const { decodeJwt } = await import('jose')
  const { exp = Number.POSITIVE_INFINITY } = decodeJwt(jwt)
  return { until: Math.min((exp + toleranceSeconds) * 1_000, Date.now() + longestProofMs), key: nameOfKey(ctx, settings) }
}

/** One id a user of the site. A long one, or one whose last space MySQL would not see, is known by its digest, under a letter of its own so that no other can look like it. */
const userIdOf = (sub: string): string => (sub.length + 2 <= maxIdLength && !sub.endsWith(' ') ? `u_${sub}` : `h_${digest(sub)}`)

/** A token that a browser made itself. */
const isOwn = (token: string): boolean => /^n_[0-9a-z]{40}$/.test(token)

/**
 * A stranger. A browser that was spoken in before it had a token brings one of its own, unguessable as ours are: all its
 * tabs are then one visitor. Its digest is the name, so that who sees names cannot come as one of them.
 */
export const anonymous = (own = ''): ChannelSender => ({ externalId: isOwn(own) ? `v_${digest(own).slice(0, 22)}` : newVisitorId() })

/** The stranger of this site whom a token names: one of ours, or a browser's own. A user's names none: it proves nothing without the site's word. */
export async function strangerOf(ctx: PluginContext, inboxId: string, token: string | undefined): Promise<string | undefined> {
  if (!token) return undefined
  if (isOwn(token)) return anonymous(token).externalId
  const visitor = await readToken(ctx, token).catch(() => undefined)
  return visitor?.inboxId === inboxId && !visitor.sender.verified ? visitor.sender.externalId : undefined
}

/**
 * The site's JWT (HS256, key = the inbox's `identitySecret`, claims `sub`, and optionally `name`, `email`, `phone`,
 * `exp`). The `sub` is the person's name in all inboxes of the user base, whatever the channel. Throws
 * HUB_CHANNEL_UNVERIFIED: nobody can pretend to be somebody.
 */
export async function signedIdentity(settings: InboxSettings, jwt: string): Promise<ChannelSender> {
  const refuse = (reason: string) => new HubError('HUB_CHANNEL_UNVERIFIED', 'The identity could not be verified', { reason })
  if (settings.identitySecret.length < 32) throw refuse('no-key')
  const { jwtVerify } = await import('jose')
  try {
    const { payload } = await jwtVerify(jwt, new TextEncoder().encode(settings.identitySecret), { algorithms: ['HS256'], clockTolerance: toleranceSeconds })
    if (typeof payload.sub !== 'string' || payload.sub === '') throw refuse('no-sub')
    if (payload.sub.length > maxUserIdLength) throw refuse('long-sub')
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
    return {
      externalId: userIdOf(payload.sub),
      verified: true,
      name: text(payload.name),
      email: text(payload.email),
      phone: text(payload.phone),
      attributes: { userId: payload.sub },
      claims: [{ kind: 'userId', value: nameWithin(settings.userSubject, payload.sub), verified: true }],
    }
  } catch (error) {
    throw error instanceof HubError ? error : refuse('signature')
  }
}
