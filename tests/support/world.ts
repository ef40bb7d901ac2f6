/** A running hub for a test, its people, and the small verbs tests are written in. */
import { after, before, describe } from 'node:test'
import { pino } from 'pino'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { type RunningHub, startHub } from '../../core/src/app.ts'
import { readEnv } from '../../core/src/config/env.ts'
import { retryOnConflict } from '../../core/src/db/retry.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { newAgent } from '../../core/src/domain/agent/create-owner.ts'
import type { Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { findIdentity } from '../../core/src/domain/contact/external-id.ts'
import { createInbox } from '../../core/src/domain/inbox/create-inbox.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Outbound, ParkedEvent, RemoteFetch } from '../../core/src/domain/message/message.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Session } from '../../core/src/domain/session/session.entity.ts'
import { hashToken, newToken } from '../../core/src/domain/session/tokens.ts'
import type { FoundPlugin } from '../../core/src/kernel/discover.ts'
import { makePlace, type Place, type ProfileName, profiles } from './profiles.ts'

export interface Person {
  id: string
  agent: Agent
  cookie: string
  /** A request as this person; throws nothing, returns status and body. */
  call(method: string, url: string, body?: unknown): Promise<{ status: number; body: any }>
}

export class World {
  readonly place: Place
  readonly running: RunningHub
  constructor(place: Place, running: RunningHub) {
    this.place = place
    this.running = running
  }
  get hub() {
    return this.running.hub
  }
  get url() {
    return this.running.url
  }

  /** An agent with a built-in role, signed in and online. */
  /** Somebody signed in and at their desk, with a built-in role or one of their own with these grants. */
  async person(name: string, role: 'owner' | 'admin' | 'supervisor' | 'agent' | Grant[] = 'agent', fields: Partial<Agent> = {}): Promise<Person> {
    if (typeof role !== 'string') {
      const person = await this.person(name, 'agent', fields)
      await this.grant(person, role)
      return person
    }
    const em = this.hub.em()
    const agent = newAgent({ email: `${newId()}@test.cn`, name, presence: 'online', seenAt: new Date(Date.now() + 3_600_000), ...fields })
    const { id: roleId } = await em.findOneOrFail(Role, { builtin: role })
    await em.insert(Agent, agent)
    await em.insert(AgentRole, { agentId: agent.id, roleId })
    return this.signIn(agent)
  }

  /** From now on they may what these grants say, and nothing else; an owner sees to it, as in the admin. */
  async grant(person: Person, grants: Grant[]): Promise<void> {
    const owner = await this.person('老板', 'owner', { presence: 'offline' })
    const role = await owner.call('POST', '/api/roles', { name: newId(), grants })
    const given = await owner.call('PATCH', `/api/agents/${person.id}`, { roleIds: [role.body.id] })
    if (given.status !== 200) throw new Error(`grants were refused: ${JSON.stringify([role.body, given.body])}`)
  }

  /** Somebody as an inbox knows them, in the clear or sealed. */
  async identity(inboxId: string, externalId: string): Promise<Identity> {
    const identity = await findIdentity(this.hub, this.hub.em(), { inboxId, externalId })
    if (!identity) throw new Error(`nobody is called ${externalId} here`)
    return identity
  }

  async signIn(agent: Agent): Promise<Person> {
    const token = newToken()
    const now = new Date()
    await this.hub.em().insert(Session, {
      id: newId(),
      agentId: agent.id,
      tokenHash: hashToken(token),
      ip: '127.0.0.1',
      userAgent: 'test',
      createdAt: now,
      seenAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
    })
    const cookie = `huike_session=${token}`
    return { id: agent.id, agent, cookie, call: (method, url, body) => call(this.url, method, url, body, { cookie }) }
  }

  inbox(channel: string, settings: Record<string, unknown> = {}, fields: { departmentId?: string } = {}): Promise<Inbox> {
    return createInbox(this.hub, { channel, name: `测试 ${channel}`, settings, ...fields })
  }

  /** Switches a plugin off for as long as `work` takes; it is on again whatever happens. */
  async whileOff<T>(pluginId: string, work: () => Promise<T>): Promise<T> {
    await this.hub.kernel.switch(pluginId, false)
    try {
      return await work()
    } finally {
      await this.hub.kernel.switch(pluginId, true)
    }
  }

  /** An agent's text in a conversation. */
  reply(agent: Person, conversationId: string | undefined, text: string, more: Record<string, unknown> = {}) {
    return agent.call('POST', `/api/conversations/${conversationId}/messages`, { clientId: newId(), parts: [{ type: 'text', text }], ...more })
  }

  /** What waits for its time is due now, and done. */
  async hasten(): Promise<void> {
    const em = this.hub.em()
    const now = new Date()
    await retryOnConflict(() => em.nativeUpdate(ParkedEvent, { dueAt: { $gt: now } }, { dueAt: now }))
    await retryOnConflict(() => em.nativeUpdate(Outbound, { state: 'queued', dueAt: { $gt: now } }, { dueAt: now }))
    // What is due later than that is being fetched just now: its lease, not its next try.
    await retryOnConflict(() => em.nativeUpdate(RemoteFetch, { dueAt: { $gt: now, $lt: new Date(now.getTime() + 250_000) } }, { dueAt: now }))
    await this.running.sweep()
  }

  /** A customer's text. */
  say(inbox: Inbox, who: string, text: string, externalId = newId()) {
    return this.hub.intake.accept(inbox.id, [{ kind: 'message', externalId, from: { externalId: who }, parts: [{ type: 'text', text }] }])
  }
}

export async function call(
  base: string,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(new URL(url, base), {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: json ? JSON.parse(text) : text, headers: response.headers }
}

export const found = (manifest: PluginManifest<any, any>, dir = import.meta.dirname): FoundPlugin => ({
  dir,
  manifest: manifest as PluginManifest,
  nameHint: manifest.id,
})

export const silent = pino({ level: process.env.TEST_LOG ?? 'silent' })

export function envFor(place: Place, more: Record<string, string> = {}) {
  return readEnv({
    HUB_DATA: place.dataDir,
    DATABASE_URL: place.databaseUrl,
    REDIS_URL: place.redisUrl,
    PORT: '0',
    LOG_LEVEL: 'silent',
    HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
    ...more,
  })
}

export async function startWorld(place: Place, plugins: FoundPlugin[], more: Record<string, string> = {}): Promise<World> {
  return new World(place, await startHub(envFor(place, more), { log: silent as never, plugins }))
}

/** Runs the same tests on every profile there is, each with a hub of its own. */
export async function onEveryProfile(name: string, plugins: FoundPlugin[], tests: (world: () => World, profile: ProfileName) => void): Promise<void> {
  for (const profile of await profiles()) {
    describe(`${name} [${profile}]`, () => {
      let world: World
      before(async () => {
        world = await startWorld(await makePlace(profile), plugins)
      })
      after(async () => {
        await world.running.stop()
        await world.place.remove()
      })
      tests(() => world, profile)
    })
  }
}

/** Waits for something that happens by itself; fails after twenty seconds, of which a busy machine needs some. A clock that is put right does not count. */
export async function eventually<T>(probe: () => Promise<T | undefined | false> | T | undefined | false, what = 'it'): Promise<T> {
  const end = performance.now() + 20_000
  for (;;) {
    const value = await probe()
    if (value) return value
    if (performance.now() > end) throw new Error(`${what} did not happen within twenty seconds`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
