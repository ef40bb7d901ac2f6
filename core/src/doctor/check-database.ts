/** The database: the server or the file, its schema, its sums, its keys, and what is overdue in it. Writes nothing. */
import { closeSync, existsSync, openSync, readSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import semver from 'semver'
import { decodeTime } from 'ulid'
import { takenWords } from '../access/taken-words.ts'
import type { Env } from '../config/env.ts'
import { schemaDrift } from '../db/drift.ts'
import { coreHistory } from '../db/history.ts'
import { migrationStatus } from '../db/migrate.ts'
import { openOrm } from '../db/open-orm.ts'
import { dialectOf, type Em, type Orm } from '../db/orm.ts'
import { keepStatements } from '../db/statements.ts'
import { Message } from '../domain/message/message.entity.ts'
import { checkReports, rebuildReports } from '../domain/report/keep-reports.ts'
import { PluginState } from '../domain/setting/setting.entity.ts'
import { discoverPlugins } from '../kernel/discover.ts'
import { loadOrder } from '../kernel/load.ts'
import { dueWork } from '../queue/due-work.ts'
import { checkKeys } from '../sealing/check-keys.ts'
import { type Findings, wordOf } from './findings.ts'

/** The sweep looks every second: what has been due for so long is held up by something. */
const overdueMs = 60_000
/** Above this the look at every page takes minutes. */
const quickBytes = 2 * 2 ** 30
const restore = 'Stop the hub, keep a copy of the folder, and restore the last backup.'

export async function checkDatabase(env: Env, rebuild: boolean, findings: Findings): Promise<void> {
  const { loaded, refused } = loadOrder(await discoverPlugins(env), takenWords)
  for (const { id, error } of refused) findings.bad('Plugin', `${id}: ${error.message}`, `See ${error.code} in core/docs/errors.md.`)
  const dialect = dialectOf(env)
  const file = join(env.dataDir, 'hub.sqlite')
  if (dialect === 'sqlite' && !existsSync(file)) {
    findings.ok('Database', 'SQLite: no database yet, npm start makes it')
    return
  }
  let orm: Orm | undefined
  try {
    orm = await openOrm(
      env,
      loaded.flatMap(({ manifest }) => manifest.entities ?? []),
      { readOnly: !rebuild },
    )
    const em = orm.em.fork() as Em
    if (dialect === 'mysql') await checkServer(em, findings)
    else if (!(await checkFile(em, file, findings))) return
    const status = await migrationStatus(orm, [coreHistory, ...loaded.map(({ manifest }) => ({ owner: manifest.id, migrations: manifest.migrations ?? [] }))])
    const pending = status.filter((migration) => !migration.appliedAt)
    if (pending.length > 0) {
      findings.warn('Migrations', `${pending.length} of ${status.length} not applied`, 'npm run migrate (npm start does it too).')
      return
    }
    const drift = await schemaDrift(orm)
    if (drift.length > 0)
      findings.bad('Schema', `${drift.length} differences, the first: ${drift[0]}`, 'The database was changed by hand. Compare with npm run migrate -- --diff.')
    else findings.ok('Migrations', `all ${status.length} applied, the schema agrees`)
    if (dialect === 'sqlite') await checkNewest(em, findings)
    await checkOverdue(
      em,
      loaded.map(({ manifest }) => manifest.id),
      findings,
    )
    await checkSums(em, rebuild, findings)
    await keepStatements(orm, dialect)
    for (const { state, detail, mend } of await checkKeys(em, env)) findings.all.push({ what: 'Data key', state, detail, ...(mend ? { mend } : {}) })
  } catch (error) {
    findings.bad(
      'Database',
      wordOf(error),
      dialect === 'mysql' ? 'Is it running, and are host, user and password in DATABASE_URL right?' : `${file} cannot be read. ${restore}`,
    )
  } finally {
    await orm?.close()
  }
}

/** Whether the file can be read on. */
async function checkFile(em: Em, file: string, findings: Findings): Promise<boolean> {
  try {
    const [row] = (await em.execute('select sqlite_version() as version')) as { version: string }[]
    const [sync] = (await em.execute('pragma synchronous')) as { synchronous: number }[]
    const bytes = statSync(file).size
    const { bavail, bsize } = statfsSync(file)
    const mb = (n: number) => `${Math.ceil(n / 2 ** 20)} MB`
    const detail = `SQLite ${row?.version}, ${mb(bytes)} in ${file}, ${mb(bavail * bsize)} free beside it`
    if (bavail * bsize < bytes) findings.warn('Database', detail, 'Free some space: a copy of the database would not fit beside it.')
    else findings.ok('Database', detail)
    if (!isWriteAhead(file))
      findings.warn(
        'Durability',
        'the journal is not write-ahead (journal_mode is not wal): who reads waits for who writes',
        'npm start sets it. When it does not stay set, HUB_DATA lies on a network drive: move it to a local disk.',
      )
    else if (sync?.synchronous !== 2)
      findings.bad('Durability', `synchronous = ${sync?.synchronous}`, 'Reinstall the packages (npm ci): this SQLite does not keep what it was told to.')
    else findings.ok('Durability', 'journal_mode = wal, synchronous = full')
    return await checkPages(em, file, bytes, findings)
  } catch (error) {
    findings.bad('Integrity', `${file}: ${wordOf(error)}`, restore)
    return false
  }
}

async function checkPages(em: Em, file: string, bytes: number, findings: Findings): Promise<boolean> {
  if (bytes > quickBytes) {
    findings.ok('Integrity', `not looked at: so large a file takes minutes. sqlite3 ${file} "pragma quick_check" does it`)
    return true
  }
  const rows = (await em.execute('pragma quick_check(1)')) as { quick_check: string }[]
  const said = rows[0]?.quick_check ?? 'nothing'
  if (said === 'ok') findings.ok('Integrity', 'every page of the file is whole')
  else findings.bad('Integrity', `${file}: ${said.split('\n').join(' ')}`, restore)
  return said === 'ok'
}

/** As the file itself says (https://www.sqlite.org/fileformat.html, 1.3.3): to ask SQLite about it the hub would first have set it. */
function isWriteAhead(file: string): boolean {
  const version = Buffer.alloc(2)
  const opened = openSync(file, 'r')
  try {
    readSync(opened, version, 0, 2, 18)
  } finally {
    closeSync(opened)
  }
  return version[0] === 2 && version[1] === 2
}

/** SQLite has the clock of this machine; whether that went back is told by what was written last. */
async function checkNewest(em: Em, findings: Findings): Promise<void> {
  const [newest] = await em.find(Message, {}, { orderBy: { id: 'desc' }, limit: 1, fields: ['id'], disableIdentityMap: true })
  const ahead = newest ? decodeTime(newest.id.toUpperCase()) - Date.now() : 0
  if (ahead > 2_000)
    findings.warn(
      'Clock',
      `the newest message was written ${Math.round(ahead / 1_000)} s from now`,
      'The clock of this machine is behind: synchronise it (NTP).',
    )
  else findings.ok('Clock', 'agrees with what was written last')
}

async function checkOverdue(em: Em, ids: readonly string[], findings: Findings): Promise<void> {
  const off = new Set((await em.find(PluginState, { enabled: false }, { fields: ['id'], disableIdentityMap: true })).map(({ id }) => id))
  const on = ids.filter((id) => !off.has(id))
  const overdue = (await dueWork(em, on, new Date(Date.now() - overdueMs))).filter(({ count }) => count > 0)
  if (overdue.length === 0) {
    findings.ok('Due work', 'nothing is overdue')
    return
  }
  const told = overdue.map(({ kind, count, oldest }) => `${count} ${words[kind]} (the oldest for ${age(oldest)})`)
  findings.warn('Due work', `overdue: ${told.join(', ')}`, 'Start the hub, with a worker where roles are split. If it runs, its log says what fails.')
}

const words = { outbound: 'messages to send', deliveries: 'events to tell', parked: 'events to take in', jobs: 'jobs', fetches: 'files to fetch' }
function age(since: Date | null): string {
  const minutes = Math.round((Date.now() - (since?.getTime() ?? Date.now())) / 60_000)
  return minutes < 120 ? `${minutes} min` : minutes < 2_880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1_440)} days`
}

/** The overview's sums against a scan of some conversations; `--rebuild-reports` has them counted anew by the running hub. */
async function checkSums(em: Em, rebuild: boolean, findings: Findings): Promise<void> {
  if (rebuild) {
    await rebuildReports(em)
    findings.warn('Reports', 'all sums are forgotten', 'Nothing to do: a running hub counts all conversations anew.')
    return
  }
  const { looked, wrong } = await checkReports(em)
  if (wrong.length > 0) findings.bad('Reports', `${wrong.length} of ${looked} conversations are counted wrongly`, 'npm run doctor -- --rebuild-reports')
  else findings.ok('Reports', `${looked} conversations are counted as they are`)
}

export async function checkServer(em: Em, findings: Findings): Promise<void> {
  const [row] = (await em.execute(
    'select version() as version, @@innodb_flush_log_at_trx_commit as flush_log, @@max_allowed_packet as packet, unix_timestamp(now(3)) * 1000 as now',
  )) as { version: string; flush_log: number; packet: number; now: number }[]
  if (!row) return
  const maria = /mariadb/i.test(row.version)
  const version = semver.coerce(row.version)?.version ?? '0.0.0'
  if (semver.gte(version, maria ? '10.11.0' : '8.0.0')) findings.ok('Database', row.version)
  else findings.bad('Database', row.version, 'MySQL 8 or MariaDB 10.11 is the oldest that works.')
  if (row.flush_log === 1) findings.ok('Durability', 'innodb_flush_log_at_trx_commit = 1')
  else
    findings.bad('Durability', `innodb_flush_log_at_trx_commit = ${row.flush_log}`, 'Set it to 1: otherwise a power cut loses messages that were acknowledged.')
  if (row.packet < 16 * 2 ** 20) findings.warn('Packets', `max_allowed_packet = ${row.packet}`, 'Set it to 16M or more.')
  const skew = Math.abs(Number(row.now) - Date.now())
  if (skew > 2_000) findings.warn('Clock', `the database is ${Math.round(skew / 1_000)} s off`, 'Synchronise both clocks (NTP).')
  else findings.ok('Clock', 'agrees with the database')
}
