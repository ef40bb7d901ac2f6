/** npm run doctor: looks at everything the hub stands on and says how to mend what is wrong. Exit code 1 when something is. */
import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import semver from 'semver'
import { type Env, EnvError, readEnv } from '../src/config/env.ts'
import { schemaDrift } from '../src/db/drift.ts'
import { coreHistory } from '../src/db/history.ts'
import { migrationStatus } from '../src/db/migrate.ts'
import { dialectOf, type Em, type Orm, openOrm } from '../src/db/orm.ts'
import { newId } from '../src/db/types.ts'
import { discoverPlugins } from '../src/kernel/discover.ts'
import { loadOrder } from '../src/kernel/load.ts'
import { openFileStore } from '../src/storage/open-file-store.ts'
import { StorageFault } from '../src/storage/storage-fault.ts'

interface Finding {
  what: string
  state: 'ok' | 'warn' | 'bad'
  detail: string
  mend?: string
}
const findings: Finding[] = []
const ok = (what: string, detail: string) => findings.push({ what, state: 'ok', detail })
const warn = (what: string, detail: string, mend: string) => findings.push({ what, state: 'warn', detail, mend })
const bad = (what: string, detail: string, mend: string) => findings.push({ what, state: 'bad', detail, mend })
const message = (error: unknown): string => ((error as { code?: string }).code ?? (error as Error).message).toString()

function checkNode(): void {
  if (semver.satisfies(process.version, '>=24')) ok('Node', process.version)
  else bad('Node', process.version, 'Start with npm scripts: they run the pinned Node 24.')
}

function checkDisk(env: Env): void {
  try {
    mkdirSync(env.dataDir, { recursive: true })
    accessSync(env.dataDir, constants.R_OK | constants.W_OK)
    const { bavail, bsize } = statfsSync(env.dataDir)
    const freeGb = (bavail * bsize) / 2 ** 30
    if (freeGb < 1) warn('Disk', `${freeGb.toFixed(1)} GB free in ${env.dataDir}`, 'Free some space: below 0.5 GB files can no longer be taken in.')
    else ok('Disk', `${freeGb.toFixed(0)} GB free in ${env.dataDir}`)
  } catch (error) {
    bad('Disk', `${env.dataDir}: ${message(error)}`, 'Make the folder writable for this user, or point HUB_DATA elsewhere.')
  }
}

/** Stores, reads and removes a file, as the hub would. */
async function checkStorage(env: Env): Promise<void> {
  const where = env.s3 ? `${env.s3.endpoint} bucket ${env.s3.bucket}` : 'on the disk'
  try {
    const store = openFileStore(env)
    await store.check()
    const key = `doctor-${newId()}`
    await store.put(key, Buffer.from(key))
    const read = await store.bytes(key)
    await store.remove(key)
    if (read?.toString() !== key)
      bad('Files', `${where}: gives back something else than was stored`, 'Another program changes the bucket: look at its rules and proxies.')
    else ok('Files', `${where}: stored, read and removed one`)
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error
    bad('Files', `${where}: ${error.detail}`, error.remedy)
  }
}

async function checkDatabase(env: Env): Promise<void> {
  const { loaded, refused } = loadOrder(await discoverPlugins(env))
  for (const { id, error } of refused) bad('Plugin', `${id}: ${error.message}`, `See ${error.code} in core/docs/errors.md.`)
  let orm: Orm | undefined
  try {
    orm = await openOrm(
      env,
      loaded.flatMap(({ manifest }) => manifest.entities ?? []),
    )
    const em = orm.em.fork() as Em
    const dialect = dialectOf(env)
    if (dialect === 'mysql') await checkServer(em)
    else ok('Database', 'SQLite')
    const status = await migrationStatus(orm, dialect, [
      coreHistory,
      ...loaded.map(({ manifest }) => ({ owner: manifest.id, migrations: manifest.migrations ?? [] })),
    ])
    const pending = status.filter((migration) => !migration.appliedAt)
    if (pending.length > 0) warn('Migrations', `${pending.length} of ${status.length} not applied`, 'npm run migrate (npm start does it too).')
    else {
      const drift = await schemaDrift(orm)
      if (drift.length > 0)
        bad('Schema', `${drift.length} differences, the first: ${drift[0]}`, 'The database was changed by hand. Compare with npm run migrate -- --diff.')
      else ok('Migrations', `all ${status.length} applied, the schema agrees`)
    }
  } catch (error) {
    bad('Database', message(error), 'Is it running, and are host, user and password in DATABASE_URL right?')
  } finally {
    await orm?.close()
  }
}

async function checkServer(em: Em): Promise<void> {
  const [row] = (await em.execute(
    'select version() as version, @@innodb_flush_log_at_trx_commit as flush_log, @@character_set_server as charset, @@max_allowed_packet as packet, unix_timestamp(now(3)) * 1000 as now',
  )) as { version: string; flush_log: number; charset: string; packet: number; now: number }[]
  if (!row) return
  const maria = /mariadb/i.test(row.version)
  const version = semver.coerce(row.version)?.version ?? '0.0.0'
  if (semver.gte(version, maria ? '10.11.0' : '8.0.0')) ok('Database', row.version)
  else bad('Database', row.version, 'MySQL 8 or MariaDB 10.11 is the oldest that works.')
  if (row.flush_log === 1) ok('Durability', 'innodb_flush_log_at_trx_commit = 1')
  else bad('Durability', `innodb_flush_log_at_trx_commit = ${row.flush_log}`, 'Set it to 1: otherwise a power cut loses messages that were acknowledged.')
  if (row.packet < 16 * 2 ** 20) warn('Packets', `max_allowed_packet = ${row.packet}`, 'Set it to 16M or more.')
  const skew = Math.abs(Number(row.now) - Date.now())
  if (skew > 2_000) warn('Clock', `the database is ${Math.round(skew / 1_000)} s off`, 'Synchronise both clocks (NTP).')
  else ok('Clock', 'agrees with the database')
}

async function checkRedis(env: Env): Promise<void> {
  if (env.redisUrl === '') {
    ok('Redis', 'not used: one process')
    return
  }
  const redis = new Redis(env.redisUrl, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? ''
    if (semver.gte(semver.coerce(version)?.version ?? '0.0.0', '6.2.0')) ok('Redis', version)
    else warn('Redis', version, '6.2 or later is what we test with.')
    const policy = (await redis.config('GET', 'maxmemory-policy').catch(() => [])) as string[]
    if (policy[1] && policy[1] !== 'noeviction')
      warn('Queue', `maxmemory-policy = ${policy[1]}`, 'Set noeviction: an evicted hint makes work wait for the next sweep.')
    else ok('Queue', 'hints are kept')
  } catch (error) {
    bad('Redis', message(error), 'Is it running, and is REDIS_URL right? Without it several processes do not hear of each other.')
  } finally {
    redis.disconnect()
  }
}

async function checkAddress(env: Env): Promise<void> {
  const base = env.publicUrl || `http://${env.host}:${env.port}`
  try {
    const response = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(5_000) })
    if (response.ok) ok('Address', `${base} answers`)
    else bad('Address', `${base}/readyz says ${response.status}`, 'The hub runs but is not ready: see the findings above.')
    // The sockets' handshake, through whatever stands in front.
    const socket = await fetch(`${base}/socket/?EIO=4&transport=polling`, { signal: AbortSignal.timeout(5_000) })
    if (socket.ok) ok('Sockets', 'the handshake passes')
    else bad('Sockets', `the handshake says ${socket.status}`, 'The proxy must pass /socket with Upgrade and Connection headers.')
  } catch (error) {
    if (env.publicUrl) bad('Address', `${base}: ${message((error as Error).cause ?? error)}`, 'Check DNS, the proxy and the certificate.')
    else {
      const free = await new Promise<boolean>((resolve) => {
        const server = createServer()
          .once('error', () => resolve(false))
          .listen(env.port, env.host, () => server.close(() => resolve(true)))
      })
      if (free) ok('Address', `${base} is free; the hub is not running`)
      else bad('Address', `${env.host}:${env.port} is taken by another program`, 'Choose another PORT.')
    }
  }
}

try {
  const env = readEnv(process.env)
  checkNode()
  checkDisk(env)
  await checkStorage(env)
  await checkDatabase(env)
  await checkRedis(env)
  await checkAddress(env)
} catch (error) {
  if (!(error instanceof EnvError)) throw error
  for (const fault of error.faults) bad('Environment', fault, 'See core/docs/env.md.')
}
const marks = { ok: '  ok ', warn: 'warn ', bad: ' BAD ' }
for (const { what, state, detail, mend } of findings) console.log(`${marks[state]} ${what.padEnd(12)} ${detail}${mend ? `\n                   → ${mend}` : ''}`)
const faults = findings.filter((finding) => finding.state === 'bad').length
console.log(faults === 0 ? '\nNothing stands in the way.' : `\n${faults} ${faults === 1 ? 'thing is' : 'things are'} wrong.`)
process.exit(faults === 0 ? 0 : 1)
