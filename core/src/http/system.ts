/** The admin's system page: each part with its version, who is connected, what is due, what is broken. */
import { statfs } from 'node:fs/promises'
import { Type } from 'typebox'
import { hubVersion } from '../config/version.ts'
import { Inbox, InboxHealth } from '../domain/inbox/inbox.entity.ts'
import { listProcesses } from '../domain/process/keep-process.ts'
import type { Hub } from '../hub.ts'
import { dueWork } from '../queue/due-work.ts'
import { countGivenUp, listGivenUp, tryAgain } from '../queue/given-up.ts'
import { actorOf } from './auth.ts'
import { checkDependencies } from './health.ts'
import type { App } from './server.ts'

const Text = Type.String()
const Count = Type.Integer()
const System = Type.Object({
  version: Text,
  node: Text,
  database: Type.Object({ version: Text }),
  /** Null: not used, or it does not answer. */
  redis: Type.Object({ version: Type.Union([Text, Type.Null()]) }),
  queue: Type.Union([Type.Literal('bull'), Type.Literal('in-process')]),
  profile: Text,
  disk: Type.Object({ freeMb: Count, totalMb: Count }),
  checks: Type.Record(Text, Type.Object({ ok: Type.Boolean(), detail: Text, code: Type.Optional(Text) })),
  /** Open in all processes that are heard of. */
  sockets: Type.Object({ agents: Count, visitors: Count }),
  processes: Type.Array(
    Type.Object({
      id: Text,
      role: Type.Union([Type.Literal('all'), Type.Literal('web'), Type.Literal('worker')]),
      host: Text,
      pid: Count,
      version: Text,
      memoryMb: Count,
      agents: Count,
      visitors: Count,
      startedAt: Text,
      seenAt: Text,
      /** Not heard of for a while: it ended without a word. */
      silent: Type.Boolean(),
    }),
  ),
  channels: Type.Object({ broken: Count, all: Count }),
  plugins: Type.Array(Type.Object({ id: Text, label: Type.Object({ zh: Text, en: Text }), version: Type.Union([Text, Type.Null()]), state: Text })),
  due: Type.Object({ outbound: Count, deliveries: Count, parked: Count, jobs: Count, fetches: Count, givenUp: Count }),
  /** Since when the oldest of it is due. */
  oldest: Type.Record(Text, Type.Union([Text, Type.Null()])),
})
const Kind = Type.Union([Type.Literal('parked'), Type.Literal('deliveries'), Type.Literal('jobs')])
const GivenUp = Type.Object({ kind: Kind, id: Text, of: Text, name: Text, error: Text, attempts: Count, next: Type.Union([Text, Type.Null()]), at: Text })
const Again = Type.Object({ kind: Kind, id: Type.Optional(Type.String({ minLength: 26, maxLength: 26 })) })

export function systemRoute(app: App, hub: Hub): void {
  app.get('/api/system', { config: { access: { permission: 'system.read' } }, schema: { response: { 200: System } } }, async () => {
    const em = hub.em()
    const disk = await statfs(hub.env.dataDir)
    const work = await dueWork(
      em,
      hub.kernel.running().map(({ manifest }) => manifest.id),
    )
    const processes = await listProcesses(hub)
    const live = processes.filter(({ silent }) => !silent)
    const sum = (what: 'agents' | 'visitors') => live.reduce((all, one) => all + one[what], 0)
    const count = Object.fromEntries(work.map((one) => [one.kind, one.count])) as Record<(typeof work)[number]['kind'], number>
    return {
      version: hubVersion,
      node: process.version,
      database: { version: await databaseVersion(hub) },
      redis: { version: await hub.bus.version() },
      queue: hub.env.redisUrl === '' ? ('in-process' as const) : ('bull' as const),
      profile: hub.env.databaseUrl === '' ? 'embedded' : 'served',
      disk: { freeMb: Math.round((disk.bavail * disk.bsize) / 1_048_576), totalMb: Math.round((disk.blocks * disk.bsize) / 1_048_576) },
      // Without a worker nothing leaves, and nobody is told of anything.
      checks: {
        ...(await checkDependencies(hub)),
        worker: { ok: live.some(({ role }) => role !== 'web'), detail: live.some(({ role }) => role !== 'web') ? 'ready' : 'not answering' },
      },
      sockets: { agents: sum('agents'), visitors: sum('visitors') },
      processes: processes.map((one) => ({ ...one, startedAt: one.startedAt.toISOString(), seenAt: one.seenAt.toISOString() })),
      channels: { broken: await em.count(InboxHealth, { state: { $in: ['broken', 'unauthorised'] } }), all: await em.count(Inbox, {}) },
      plugins: hub.kernel.status().map(({ id, manifest, state, fault }) => ({
        id,
        label: manifest?.label ?? { zh: id, en: id },
        version: manifest?.version ?? null,
        state: fault ? ('broken' as const) : state,
      })),
      due: {
        ...count,
        givenUp: await countGivenUp(em),
      },
      oldest: Object.fromEntries(work.map(({ kind, oldest }) => [kind, oldest?.toISOString() ?? null])),
    }
  })

  app.get(
    '/api/system/given-up',
    {
      config: { access: { permission: 'system.read' } },
      schema: { summary: 'List what was given up after many failures, or put aside', response: { 200: Type.Object({ items: Type.Array(GivenUp) }) } },
    },
    async () => ({ items: (await listGivenUp(hub.em())).map((one) => ({ ...one, next: one.next?.toISOString() ?? null, at: one.at.toISOString() })) }),
  )

  app.post(
    '/api/system/given-up',
    {
      config: { access: { permission: 'system.retry' } },
      schema: { summary: 'Try again what was given up', body: Again, response: { 200: Type.Object({ count: Count }) } },
    },
    async (request) => ({ count: await tryAgain(hub, request.body.kind, request.body.id, actorOf(request).agent.id) }),
  )
}

async function databaseVersion(hub: Hub): Promise<string> {
  const [row] = (await hub.em().execute(`select ${hub.dialect === 'mysql' ? 'version()' : 'sqlite_version()'} as version`)) as { version: string }[]
  return row?.version ?? ''
}
