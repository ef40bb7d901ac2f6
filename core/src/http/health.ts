/** Is it alive, is it ready, how is it: for load balancers, Prometheus and the admin's system page. */
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
  const ready = (part: { healthy(): boolean }) => ({ ok: part.healthy(), detail: part.healthy() ? 'ready' : 'not answering' })
  const [redis, queue] =
    hub.env.redisUrl === ''
      ? [
          { ok: true, detail: 'not used' },
          { ok: true, detail: 'in process' },
        ]
      : [ready(hub.bus), ready(hub.queue)]
  return { database, storage: await checkStorage(hub), redis, queue }
}

export function healthRoutes(app: App, hub: Hub): void {
  app.get('/healthz', { config: { rateLimit: false }, schema: { hide: true } }, async () => ({ ok: true }))

  // Without Redis the hub is slower, without its storage it takes no files: only the database decides.
  app.get('/readyz', { config: { rateLimit: false }, schema: { hide: true } }, async (_request, reply) => {
    const checks = await checkDependencies(hub)
    const ready = checks.database?.ok === true && !hub.closing
    return reply.status(ready ? 200 : 503).send({ ready, checks })
  })

  app.get('/metrics', { config: { rateLimit: false }, schema: { hide: true } }, async (_request, reply) =>
    reply.type(hub.metrics.registry.contentType).send(await hub.metrics.registry.metrics()),
  )
}
