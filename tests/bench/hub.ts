/** The hub under test: its process, its agent, its visitors. */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { io, type Socket } from 'socket.io-client'
import { hubEnv, hubFlags } from '../../core/bin/prepare.mjs'
import { freePort } from '../support/free-port.ts'
import type { Place } from '../support/profiles.ts'
import { fromCore, type SqliteDatabase } from './from-core.ts'
import type { Client } from './load.ts'
import { Served } from './process.ts'

export const owner = { email: 'owner@bench.test', password: 'a long enough pass-phrase 7' }
const secret = 'a-secret-of-the-bench-that-is-long-enough'

/** One process, whatever the profile. */
export const startHub = (place: Place, port: number, nodeArgs: string[] = [], more: Record<string, string> = {}): Promise<Served> =>
  Served.start(port, [...hubFlags, ...nodeArgs, 'core/src/main.ts'], {
    ...hubEnv,
    HUB_DATA: place.dataDir,
    DATABASE_URL: place.databaseUrl,
    REDIS_URL: place.redisUrl,
    HUB_SECRET: secret,
    HUB_OWNER_EMAIL: owner.email,
    HUB_OWNER_PASSWORD: owner.password,
    LOG_LEVEL: 'warn',
    PORT: String(port),
    ...more,
  })

/** As operators run it: one process on the embedded profile; a web and a worker on the served one, as docker/compose.yaml has it. */
export async function startAsDeployed(place: Place, port: number, nodeArgs: string[] = []): Promise<Served> {
  if (place.databaseUrl === '') return startHub(place, port, nodeArgs)
  const web = await startHub(place, port, nodeArgs, { HUB_ROLE: 'web' })
  // Says that it is open in its log only.
  return web.with(await startHub(place, await freePort(), [], { HUB_ROLE: 'worker', LOG_LEVEL: 'info' }))
}

export async function signIn(client: Client): Promise<string> {
  const { status, text, cookies } = await client.post('/api/login', JSON.stringify(owner))
  if (status !== 200) throw new Error(`login: ${status} ${text}`)
  return cookies[0]?.split(';')[0] ?? ''
}

/** A site without visits of anybody else. */
export async function makeSite(client: Client, cookie: string): Promise<string> {
  const { status, text } = await client.post('/api/inboxes', JSON.stringify({ channel: 'website', name: 'Bench', settings: {} }), { cookie })
  if (status !== 201) throw new Error(`inbox: ${status} ${text}`)
  return (JSON.parse(text) as { id: string }).id
}

/** Where a visitor sits: an address may make 60 visitors and send 1 200 messages a minute, so few share one. */
const addresses = new Map<string, string>()
export const addressOf = (token: string): string | undefined => addresses.get(token)

/** Tokens of new visitors, old enough to speak: who does so at once is taken for a script. */
export async function makeVisitors(client: Client, inboxId: string, count: number): Promise<string[]> {
  const tokens: string[] = []
  for (let i = 0; i < count; i += 25) {
    const batch = Array.from({ length: Math.min(25, count - i) }, async (_, j) => {
      const house = Math.floor((i + j) / 8)
      const address = `127.${Math.floor(house / 250)}.${1 + (house % 250)}.2`
      const { status, text } = await client.post(`/api/x/website/inboxes/${inboxId}/session`, '{}', {}, address)
      if (status !== 200) throw new Error(`session: ${status} ${text}`)
      const { token } = JSON.parse(text) as { token: string }
      addresses.set(token, address)
      return token
    })
    tokens.push(...(await Promise.all(batch)))
  }
  await new Promise((resolve) => setTimeout(resolve, 1_600))
  return tokens
}

let said = 0
/** A short Chinese sentence, different every time; no two visitors' ids meet. */
export function saying(): { clientId: string; text: string; body: string } {
  const clientId = `${process.pid.toString(36)}-${(++said).toString(36).padStart(8, '0')}`
  const text = `请问这件还有货吗？今天下单什么时候发货？ ${clientId}`
  return { clientId, text, body: JSON.stringify({ clientId, parts: [{ type: 'text', text }] }) }
}

export async function speak(client: Client, token: string, { body } = saying()): Promise<void> {
  const { status, text } = await client.post('/api/x/website/messages', body, { authorization: `Bearer ${token}` }, addressOf(token))
  if (status !== 201) throw new Error(`${status} ${text.slice(0, 200)}`)
}

/** An agent's socket, or the floor's. */
export async function connect(url: string, cookie = ''): Promise<Socket> {
  const socket = io(url, { path: '/socket', transports: ['websocket'], reconnection: false, extraHeaders: { cookie } })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}

interface Rows {
  run(sql: string): Promise<unknown>
  close(): Promise<void>
}

/** The throw-away database itself. */
export async function openRows(place: Place, file = join(place.dataDir, 'hub.sqlite')): Promise<Rows> {
  if (place.databaseUrl !== '') {
    const { createConnection } = await import('mysql2/promise')
    const connection = await createConnection(place.databaseUrl)
    return { run: async (sql) => (await connection.query(sql))[0], close: () => connection.end() }
  }
  const db = new (fromCore('better-sqlite3') as new (file: string) => SqliteDatabase)(file)
  db.exec('pragma busy_timeout = 5000')
  return {
    run: async (sql) => (sql.startsWith('select') ? [db.prepare(sql).get()] : db.prepare(sql).run()),
    close: async () => db.close(),
  }
}

/** Takes out of Redis what the hub of this place has left there. Its names begin as `core/src/app.ts` makes them. */
export async function forgetRedis(place: Place): Promise<void> {
  if (place.redisUrl === '') return
  const { Redis } = fromCore('ioredis') as { Redis: new (url: string) => any }
  const redis = new Redis(place.redisUrl)
  const prefix = `huike:${createHash('sha256')
    .update(new URL(place.databaseUrl).pathname + secret)
    .digest('hex')
    .slice(0, 12)}`
  let cursor = '0'
  do {
    const [next, keys] = (await redis.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', 1_000)) as [string, string[]]
    if (keys.length > 0) await redis.del(...keys)
    cursor = next
  } while (cursor !== '0')
  await redis.quit()
}

export const floorToken = (): string => randomBytes(8).toString('hex')
