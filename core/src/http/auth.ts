/**
 * Who asks: an agent's session (a cookie the page cannot read) or an API token. Every route says who may use it
 * (`config.access`); one that does not is refused when the server starts, so nothing is open by forgetting.
 */
import type { MongoAbility } from '@casl/ability'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { HubError } from '../../sdk/errors.ts'
import { buildAbility, splitPermission } from '../access/ability.ts'
import type { Access } from '../access/access-cache.ts'
import { ApiToken, Session } from '../domain/session/session.entity.ts'
import { hashToken } from '../domain/session/tokens.ts'
import type { Hub } from '../hub.ts'

/** `public`: anybody. `agent`: any signed-in agent; the handler asks the ability itself. Else a permission. */
export type RouteAccess = 'public' | 'agent' | { permission: string }

export interface Actor extends Access {
  ability: MongoAbility
  sessionId: string | null
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
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
    const { access } = request.routeOptions.config
    if (!access || access === 'public') return
    request.actor = await identify(hub, request)
    const actor = actorOf(request)
    checkOrigin(hub, request)
    if (access !== 'agent') {
      const [action, subject] = splitPermission(access.permission)
      if (!actor.ability.can(action, subject)) throw new HubError('HUB_FORBIDDEN', 'You may not do this', { permission: access.permission })
    }
  })
})

/** The one who asks, or undefined. */
export async function identify(hub: Hub, request: Pick<FastifyRequest, 'headers' | 'cookies'>): Promise<Actor | undefined> {
  const bearer = request.headers.authorization?.match(/^Bearer (hk_[\w-]{43})$/)?.[1]
  if (bearer) return byApiToken(hub, bearer)
  const cookie = request.cookies[sessionCookie]
  return cookie ? bySession(hub, cookie) : undefined
}

async function bySession(hub: Hub, token: string): Promise<Actor | undefined> {
  const em = hub.em()
  const now = new Date()
  const session = await em.findOne(Session, { tokenHash: hashToken(token), expiresAt: { $gt: now } }, { disableIdentityMap: true })
  if (!session) return undefined
  const access = await hub.access.of(session.agentId)
  if (!access) return undefined
  if (now.getTime() - session.seenAt.getTime() > seenEveryMs)
    await em.nativeUpdate(Session, { id: session.id }, { seenAt: now, expiresAt: new Date(now.getTime() + sessionDays * 86_400_000) })
  return { ...access, sessionId: session.id }
}

async function byApiToken(hub: Hub, token: string): Promise<Actor | undefined> {
  const em = hub.em()
  const row = await em.findOne(ApiToken, { tokenHash: hashToken(token) }, { disableIdentityMap: true })
  if (!row || (row.expiresAt && row.expiresAt < new Date())) return undefined
  const access = await hub.access.of(row.agentId)
  if (!access) return undefined
  if (!row.usedAt || Date.now() - row.usedAt.getTime() > seenEveryMs) await em.nativeUpdate(ApiToken, { id: row.id }, { usedAt: new Date() })
  // A token can do what it was made for, of what its owner may do today.
  const owned = access.owner
    ? row.permissions.map((permission) => ({ permission }))
    : access.grants.filter((grant) => row.permissions.includes(grant.permission))
  const facts = { id: access.agent.id, departmentId: access.agent.departmentId ?? null, treeIds: access.treeIds, owner: false }
  return { ...access, owner: false, grants: owned, ability: buildAbility(facts, owned), sessionId: null }
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
