/** What the hub's CPU time goes into while 64 visitors write: shares of a profile of its own, so that the rates are measured without one. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/free-port.ts'
import { makePlace, type ProfileName } from '../support/profiles.ts'
import { ownTimes } from './costs.ts'
import { forgetRedis, makeSite, makeVisitors, openRows, signIn, speak, startHub } from './hub.ts'
import { Client, closedLoop } from './load.ts'

export interface Spent {
  profile: ProfileName
  /** Share of the busy time by what it was spent in, in the order of {@link parts}. */
  shares: number[]
}

const database = /^(?:better-sqlite3|kysely|mysql2|sql-escaper|sqlstring)$/
/** By the package or file a function stands in. Calls into the database itself count for the driver that makes them. */
export const parts: [name: string, owns: (owner: string) => boolean][] = [
  ['database and its driver', (owner) => database.test(owner)],
  ['MikroORM', (owner) => owner.startsWith('@mikro-orm/')],
  ['Redis', (owner) => /^(?:ioredis|bull|redis-)/.test(owner)],
  ['reading and writing sockets', (owner) => /^node:(?:net|internal\/(?:stream_base_commons|streams))/.test(owner)],
  ['HTTP', (owner) => /^(?:@?fastify|find-my-way|helmet|secure-json-parse|fast-json-stringify|light-my-request|node:(?:_http|internal\/http))/.test(owner)],
  ["Huike's core", (owner) => owner.startsWith('core/')],
  ["Huike's plugins", (owner) => owner.startsWith('plugins/')],
  ['collecting garbage', (owner) => owner === '(garbage collector)'],
  ['all else', () => true],
]

export async function measureSpent(profile: ProfileName, ms: number): Promise<Spent> {
  const place = await makePlace(profile)
  const folder = mkdtempSync(join(tmpdir(), 'huike-bench-spent-'))
  const undo: (() => unknown)[] = [() => place.remove(), () => rmSync(folder, { recursive: true, force: true })]
  try {
    mkdirSync(place.dataDir, { recursive: true })
    undo.push(() => forgetRedis(place))
    const hub = await startHub(place, await freePort(), ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500'])
    const began = performance.now() - hub.startMs
    undo.push(() => hub.stop())
    const rows = await openRows(place)
    undo.push(() => rows.close())
    const client = new Client(hub.url)
    undo.push(() => client.close())
    const site = await makeSite(client, await signIn(client))
    await rows.run('update agent set capacity = 1000000')
    const tokens = await makeVisitors(client, site, 400)
    let turn = 0
    const send = () => speak(client, tokens[turn++ % tokens.length] ?? '')
    await closedLoop(16, 20_000, tokens.length * 4, send)
    const from = performance.now() - began
    // A visitor may send 120 a minute.
    await closedLoop(64, ms, tokens.length * 100, send)
    const to = performance.now() - began
    await hub.stop()
    const times = ownTimes(folder, from * 1_000, to * 1_000)
    const sums = parts.map(() => 0)
    for (const [owner, time] of times) {
      const at = parts.findIndex(([, owns]) => owns(owner))
      sums[at] = (sums[at] ?? 0) + time
    }
    const busy = sums.reduce((a, b) => a + b, 0)
    return { profile, shares: sums.map((time) => time / busy) }
  } finally {
    for (const take of undo.reverse()) await Promise.resolve(take()).catch((error: Error) => console.error(`clean-up: ${error.message}`))
  }
}
