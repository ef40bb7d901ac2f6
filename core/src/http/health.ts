/** Is it alive, is it ready, how is it: for load balancers, Prometheus and the admin's system page. */
import { statfs } from 'node:fs/promises'
import { Type } from 'typebox'
import { hubVersion } from '../config/version.ts'
import { Delivery, Job, Outbound, ParkedEvent } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { StorageFault } from '../storage/storage-fault.ts'
import type { App } from './server.ts'

interface Check {
  ok: boolean
  detail: string
  /** For the admin's own words. */
  code?: string
}

/** A bucket is asked this often at most, however often we are. */
const storageTtlMs = 5_000
const storageChecks = new WeakMap<Hub, { at: number; check: Promise<Check> }>()

function checkStorage(hub: Hub): Promise<Check> {
  const known = storageChecks.get(hub)
  if (known && Date.now() - known.at < storageTtlMs) return known.check
  const check = hub.files.check().then(
    () => (hub.env.s3 ? { ok: true, detail: 'S3', code: 's3' } : { ok: true, detail: 'disk', code: 'local' }),
    (error: Error) =>
      error instanceof StorageFault ? { ok: false, detail: `${error.message}. ${error.remedy}`, code: error.fault } : { ok: false, detail: 'not answering' },
  )
  storageChecks.set(hub, { at: Date.now(), check })
  return check
}

export async function checkDependencies(hub: Hub): Promise<Record<string, Check>> {
  const database = await hub
    .em()
    .execute('select 1')
    .then(() => ({ ok: true, detail: hub.dialect }))
    .catch((error: Error & { code?: string }) => ({ ok: false, detail: error.code ?? 'not answering' }))
  const checks: Record<string, Check> = { database, storage: await checkStorage(hub) }
  if (hub.env.redisUrl !== '') {
    checks.redis = { ok: hub.bus.healthy(), detail: hub.bus.healthy() ? 'ready' : 'not answering' }
    checks.queue = { ok: hub.queue.healthy(), detail: hub.queue.healthy() ? 'ready' : 'not answering' }
  }
  return checks
}

export function healthRoutes(app: App, hub: Hub): void {
  app.get('/healthz', { config: { rateLimit: false }, schema: { hide: true } }, async () => ({ ok: true }))

  // Without Redis the hub is slower, without its storage it takes no files: only the database decides.
  app.get('/readyz', { config: { rateLimit: false }, schema: { hide: true } }, async (_request, reply) => {
    const checks = await checkDependencies(hub)
    return reply.status(checks.database?.ok ? 200 : 503).send({ ready: checks.database?.ok === true, checks })
  })

  app.get('/metrics', { config: { rateLimit: false }, schema: { hide: true } }, async (_request, reply) =>
    reply.type(hub.metrics.registry.contentType).send(await hub.metrics.registry.metrics()),
  )

  const System = Type.Object({
    version: Type.String(),
    node: Type.String(),
    profile: Type.String(),
    uptimeSeconds: Type.Integer(),
    memoryMb: Type.Integer(),
    disk: Type.Object({ freeMb: Type.Integer(), totalMb: Type.Integer() }),
    checks: Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.String(), code: Type.Optional(Type.String()) })),
    due: Type.Object({ outbound: Type.Integer(), deliveries: Type.Integer(), parked: Type.Integer(), jobs: Type.Integer(), givenUp: Type.Integer() }),
  })
  app.get('/api/system', { config: { access: { permission: 'system.read' } }, schema: { response: { 200: System } } }, async () => {
    const em = hub.em()
    const disk = await statfs(hub.env.dataDir)
    return {
      version: hubVersion,
      node: process.version,
      profile: hub.env.databaseUrl === '' ? 'embedded' : 'served',
      uptimeSeconds: Math.round(process.uptime()),
      memoryMb: Math.round(process.memoryUsage().rss / 1_048_576),
      disk: { freeMb: Math.round((disk.bavail * disk.bsize) / 1_048_576), totalMb: Math.round((disk.blocks * disk.bsize) / 1_048_576) },
      checks: await checkDependencies(hub),
      due: {
        outbound: await em.count(Outbound, {}),
        deliveries: await em.count(Delivery, { dueAt: { $ne: null } }),
        parked: await em.count(ParkedEvent, { dueAt: { $ne: null } }),
        jobs: await em.count(Job, { dueAt: { $ne: null } }),
        givenUp: (await em.count(Delivery, { dueAt: null })) + (await em.count(ParkedEvent, { dueAt: null })) + (await em.count(Job, { dueAt: null })),
      },
    }
  })
}
