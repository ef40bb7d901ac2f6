/**
 * Who asks: an agent's session (a cookie the page cannot read) or an API token. Every route says who may use it
 * (`config.access`); one that does not is refused when the server starts, so nothing is open by forgetting.
 */
import type { MongoAbility } from '@casl/ability'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { HubError } from '../../sdk/errors.ts'
import { buildAbility, splitPermission } from '../access/ability.ts'
import { type Access, mayHaveTokens } from '../access/access-cache.ts'
import { doneBy } from '../access/doing.ts'
import { previewAccess } from '../access/preview.ts'
import { Role } from '../domain/role/role.entity.ts'
import { failLogin, refuseThrottled } from '../domain/session/login-throttle.ts'
import { ApiToken, Session } from '../domain/session/session.entity.ts'
import { hashToken } from '../domain/session/tokens.ts'
import type { Hub } from '../hub.ts'

/**
 * `public`: anybody. `agent`: any signed-in agent; the handler asks the ability itself. `person`: the same, but not
 * with an API token. Else a permission, or one of several.
 */
export type RouteAccess = 'public' | 'agent' | 'person' | { permission: string | readonly string[]; person?: true }

/** The role a session looks at the hub as. */
export interface Preview {
  roleId: string
  until: Date
  /** Its time is up, or the role or the right to preview is gone: nothing works until the session leaves it. */
  over: boolean
}

export interface Actor extends Access {
  ability: MongoAbility
  sessionId: string | null
  tokenId: string | null
  preview: Preview | null
}

/** What tells who asks: a request, or the handshake of a socket. */
export interface Asking {
  headers: FastifyRequest['headers']
  cookies: Record<string, string | undefined>
  ip: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
    /** Works in a preview though its method is not GET: it changes nothing, or it is the way out. */
    inPreview?: true
  }
  interface FastifyRequest {
    actor: Actor | undefined
  }
}

export const sessionCookie = 'huike_session'
export const sessionDays = 14
const seenEveryMs = 60_000

export const actorOf = (request: FastifyRequest): Actor => {
  if (!request.actor) throw new HubError('HUB_AUTH_REQUIRED', 'Please sign in')
  return request.actor
}

export const authPlugin = fastifyPlugin(async (app: FastifyInstance, { hub }: { hub: Hub }) => {
  app.decorateRequest('actor', undefined)

  app.addHook('onRoute', (route) => {
    const documentation = route.url.startsWith('/api/docs')
    if (route.url.startsWith('/api') && !documentation && !route.config?.access)
      throw new Error(`${route.method} ${route.url} does not say who may use it (config.access)`)
  })

  app.addHook('onRequest', async (request) => {
    const { access, inPreview } = request.routeOptions.config
    if (!access || access === 'public') return
    request.actor = await identify(hub, request)
    const actor = actorOf(request)
    checkOrigin(hub, request)
    if (actor.tokenId && (access === 'person' || (typeof access === 'object' && access.person)))
      throw new HubError('HUB_FORBIDDEN', 'An API token may not do this', { reason: 'token' })
    if (actor.preview && !inPreview) {
      if (actor.preview.over) throw new HubError('HUB_PREVIEW_OVER', 'The preview is over')
      if (!safe.has(request.method)) throw new HubError('HUB_PREVIEW_READ_ONLY', 'A preview changes nothing')
    }
    if (typeof access === 'object') {
      const permissions = [access.permission].flat()
      const may = permissions.some((permission) => actor.ability.can(...splitPermission(permission)))
      if (!may) throw new HubError('HUB_FORBIDDEN', 'You may not do this', { permission: permissions[0] })
    }
  })
  app.addHook('preValidation', rememberWho)
})

/** After the body has been read: its parser leaves the context of the request behind. */
function rememberWho(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const { actor } = request
  if (actor) doneBy({ agentId: actor.agent.id, tokenId: actor.tokenId, ip: request.ip }, done)
  else done()
}

/** The one who asks, or undefined. */
export async function identify(hub: Hub, asking: Asking): Promise<Actor | undefined> {
  const bearer = asking.headers.authorization?.match(/^Bearer (.*)$/)?.[1]
  if (bearer !== undefined) return byApiToken(hub, bearer, asking.ip)
  const cookie = asking.cookies[sessionCookie]
  return cookie ? bySession(hub, cookie) : undefined
}

/** The same one, later: a socket outlives what its handshake found. */
export async function identifyAgain(hub: Hub, actor: Actor): Promise<Actor | undefined> {
  const em = hub.em()
  if (actor.tokenId) {
    const row = await em.findOne(ApiToken, { id: actor.tokenId }, { disableIdentityMap: true })
    return row ? ofApiToken(hub, row) : undefined
  }
  const session = await em.findOne(Session, { id: actor.sessionId ?? '', expiresAt: { $gt: new Date() } }, { disableIdentityMap: true })
  return session ? ofSession(hub, session) : undefined
}

async function bySession(hub: Hub, token: string): Promise<Actor | undefined> {
  const em = hub.em()
  const now = new Date()
  const session = await em.findOne(Session, { tokenHash: hashToken(token), expiresAt: { $gt: now } }, { disableIdentityMap: true })
  if (!session) return undefined
  const actor = await ofSession(hub, session)
  if (actor && now.getTime() - session.seenAt.getTime() > seenEveryMs)
    await em.nativeUpdate(Session, { id: session.id }, { seenAt: now, expiresAt: new Date(now.getTime() + sessionDays * 86_400_000) })
  return actor
}

async function ofSession(hub: Hub, session: Session): Promise<Actor | undefined> {
  const access = await hub.access.of(session.agentId)
  if (!access) return undefined
  const who = { sessionId: session.id, tokenId: null }
  if (!session.previewRoleId || !session.previewUntil) return { ...access, ...who, preview: null }
  const role = await hub.em().findOne(Role, { id: session.previewRoleId }, { disableIdentityMap: true })
  const preview = { roleId: session.previewRoleId, until: session.previewUntil }
  // Over, it does not fall back to what the agent may do: the page that is open still says "preview".
  if (!role || session.previewUntil < new Date() || !access.ability.can('preview', 'role'))
    return { ...access, ability: buildNothing(), owner: false, grants: [], ...who, preview: { ...preview, over: true } }
  return { ...previewAccess(access, role), ...who, preview: { ...preview, over: false } }
}

const buildNothing = (): MongoAbility => buildAbility({ id: '', departmentId: null, treeIds: [], owner: false }, [])

/** Who guesses is slowed down by their address; a token that is right always opens. */
async function byApiToken(hub: Hub, token: string, ip: string): Promise<Actor | undefined> {
  const em = hub.em()
  const row = await em.findOne(ApiToken, { tokenHash: hashToken(token) }, { disableIdentityMap: true })
  const actor = row && (await ofApiToken(hub, row))
  if (!row || !actor) {
    await refuseThrottled(em, [`token:${ip}`])
    await failLogin(em, [`token:${ip}`])
    return undefined
  }
  if (!row.usedAt || row.usedIp !== ip || Date.now() - row.usedAt.getTime() > seenEveryMs)
    await em.nativeUpdate(ApiToken, { id: row.id }, { usedAt: new Date(), usedIp: ip })
  return actor
}

/** A token can do what it was made for, of what its maker may do today; nothing once they may have no tokens. */
async function ofApiToken(hub: Hub, row: ApiToken): Promise<Actor | undefined> {
  if (row.expiresAt && row.expiresAt < new Date()) return undefined
  const access = await hub.access.of(row.agentId)
  if (!access || !mayHaveTokens(access)) return undefined
  const owned = access.owner
    ? row.permissions.map((permission) => ({ permission }))
    : access.grants.filter((grant) => row.permissions.includes(grant.permission))
  const facts = { id: access.agent.id, departmentId: access.agent.departmentId ?? null, treeIds: access.treeIds, owner: false }
  return { ...access, owner: false, grants: owned, ability: buildAbility(facts, owned), sessionId: null, tokenId: row.id, preview: null }
}

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

/** A cookie travels with any site's request; an unsafe one must come from our own pages. API tokens carry no cookie. */
function checkOrigin(hub: Hub, request: FastifyRequest): void {
  if (safe.has(request.method) || request.actor?.sessionId === null) return
  const { origin, host } = request.headers
  if (origin === undefined) {
    // Browsers name the origin of every unsafe request; what does not is no browser carrying somebody's cookie.
    if (request.headers['sec-fetch-site'] === undefined || request.headers['sec-fetch-site'] === 'same-origin') return
  } else {
    const from = URL.parse(origin)
    if (from && (from.host === host || (hub.env.publicUrl !== '' && from.origin === new URL(hub.env.publicUrl).origin))) return
  }
  throw new HubError('HUB_REQUEST_ORIGIN', 'This request comes from another site')
}

export function setSessionCookie(reply: FastifyReply, token: string, secure: boolean): void {
  reply.setCookie(sessionCookie, token, { path: '/', httpOnly: true, sameSite: 'lax', secure, maxAge: sessionDays * 86_400 })
}
