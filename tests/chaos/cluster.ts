/**
 * A hub of the run's own, with what it stands on: every process is started here, may be killed here, and comes back
 * at the same address. Nothing that somebody else started is touched.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createConnection as connectMysql } from 'mysql2/promise'
import { freePort } from '../support/free-port.ts'
import { answers, between, type Dice, pick, sleep, until } from './tools.ts'

export type Profile = 'embedded' | 'served'

export const owner = { email: 'owner@chaos.test', password: 'a long enough pass-phrase 7' }
const root = join(import.meta.dirname, '../..')
export const secret = 'a-secret-of-the-chaos-run-that-is-long-enough'
const database = 'huike_chaos'
/** Long, for a machine that others load too. */
const startWithinMs = 180_000

export interface Cluster {
  profile: Profile
  /** Addresses of the processes that serve people. */
  bases: string[]
  dataDir: string
  databaseUrl: string
  /** Logs and data; kept when the run fails. */
  folder: string
  /** How often which fault was done. */
  faults: Map<string, number>
  /** Processes that ended though nobody killed them. Must stay empty. */
  crashes: string[]
  /** Starts that failed, as they may while the database is away: tried again, as a supervisor does. */
  failedStarts: number
  /** Does one fault, or nothing when its victim is down already. Resolves when it is done, not when it is healed. */
  harm(kind: string): Promise<void>
  /** Kills the process that sends to platforms, or one that takes webhooks; false when it was down already. */
  strike(who: 'sender' | 'receiver'): Promise<boolean>
  /** Kills every process of the hub at the same moment, and starts them again. */
  strikeAll(): Promise<void>
  /** Something the database is told past the hub. */
  execute(sql: { sqlite: string; mysql: string }): Promise<void>
  /** Kinds of faults this profile knows. */
  kinds: readonly string[]
  /** Resolves when everything runs and answers. */
  heal(): Promise<void>
  /** Ends the hub gently; names the processes that did not end by themselves, with code 0. */
  stop(): Promise<string[]>
  remove(): void
}

interface ProcessPlan {
  name: string
  command: string
  args: readonly string[]
  env?: Record<string, string>
  ready(): Promise<boolean>
}

/** One process that is kept running until it is told otherwise. */
class Kept {
  readonly plan: ProcessPlan
  readonly #log: string
  readonly #crashed: (text: string) => void
  readonly #failedStart: () => void
  #child: ChildProcess | undefined
  #wanted = false
  /** Since the last start it has answered. */
  up = false
  #starting: Promise<void> | undefined

  constructor(plan: ProcessPlan, folder: string, crashed: (text: string) => void, failedStart: () => void) {
    this.plan = plan
    this.#log = join(folder, `${plan.name}.log`)
    this.#crashed = crashed
    this.#failedStart = failedStart
  }

  /** Resolves when it answers. A start that fails is tried again. */
  start(): Promise<void> {
    this.#wanted = true
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(): Promise<void> {
    const end = Date.now() + startWithinMs
    while (this.#wanted && !this.up) {
      if (Date.now() > end) throw new Error(`${this.plan.name} did not start within ${startWithinMs / 1_000} s; see ${this.#log}`)
      if (!this.#child) this.#spawn()
      if (await this.plan.ready().catch(() => false)) this.up = this.#child !== undefined
      else await sleep(100)
    }
  }

  #spawn(): void {
    const out = openSync(this.#log, 'a')
    const child = spawn(this.plan.command, this.plan.args, { cwd: root, env: { ...process.env, ...this.plan.env }, stdio: ['ignore', out, out] })
    closeSync(out)
    this.#child = child
    child.once('error', (error) => appendFileSync(this.#log, `could not be started: ${error.message}\n`))
    child.once('exit', (code, signal) => {
      if (this.#child !== child) return
      this.#child = undefined
      const was = this.up
      this.up = false
      if (!this.#wanted) return
      if (was) {
        this.#crashed(`${this.plan.name} ended by itself (${signal ?? code}): ${this.lastWords()}`)
        void this.start().catch((error: Error) => this.#crashed(error.message))
      } else this.#failedStart()
    })
  }

  /** Ends it; resolves with its exit code, null when a signal ended it or it did not run. */
  async end(signal: 'SIGKILL' | 'SIGTERM', patienceMs = 25_000): Promise<number | null> {
    this.#wanted = false
    this.up = false
    await this.#starting?.catch(() => undefined)
    const child = this.#child
    if (!child) return null
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    const code = await ended
    clearTimeout(late)
    return code
  }

  lastWords(): string {
    return readFileSync(this.#log, 'utf8').trim().split('\n').slice(-3).join(' ⏎ ').slice(-600)
  }

  /** At the end of this process, whatever happened. */
  drop(): void {
    this.#wanted = false
    this.#child?.kill('SIGKILL')
  }
}

/** Starts a hub and what it needs. Throws, naming what is missing, when it cannot. */
export async function startCluster(profile: Profile, dice: Dice): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), `huike-chaos-${profile}-`))
  const dataDir = join(folder, 'data')
  mkdirSync(dataDir)
  const faults = new Map<string, number>()
  const crashes: string[] = []
  const cluster = { failedStarts: 0 }
  const all: Kept[] = []
  const keep = (plan: ProcessPlan): Kept => {
    const kept = new Kept(
      plan,
      folder,
      (text) => crashes.push(text),
      () => cluster.failedStarts++,
    )
    all.push(kept)
    return kept
  }
  const dropAll = () => {
    for (const kept of all) kept.drop()
  }
  process.once('exit', dropAll)

  const hub = async (name: string, role: string, env: Record<string, string>): Promise<{ kept: Kept; base: string }> => {
    const port = await freePort()
    const base = `http://127.0.0.1:${port}`
    const kept = keep({
      name,
      command: process.execPath,
      args: ['core/src/main.ts', '--role', role],
      env: {
        HUB_DATA: dataDir,
        HUB_SECRET: secret,
        HUB_OWNER_EMAIL: owner.email,
        HUB_OWNER_PASSWORD: owner.password,
        HOST: '127.0.0.1',
        PORT: String(port),
        LOG_LEVEL: 'warn',
        NODE_ENV: 'production',
        ...env,
      },
      ready: async () => (await fetch(`${base}/healthz`, { signal: AbortSignal.timeout(10_000) })).ok,
    })
    return { kept, base }
  }

  const done = (kind: string) => faults.set(kind, (faults.get(kind) ?? 0) + 1)
  /** Kills, waits a little, starts again in the background. */
  const strike = async (kind: string, victims: readonly Kept[], signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<boolean> => {
    const victim = pick(
      dice,
      victims.filter((kept) => kept.up),
    )
    if (!victim) return false
    done(kind)
    await victim.end(signal)
    void sleep(between(dice, 100, 1_500)).then(() => victim.start().catch((error: Error) => crashes.push(error.message)))
    return true
  }

  let bases: string[]
  let databaseUrl = ''
  let hubs: Kept[]
  let senders: Kept[]
  let receivers: Kept[]
  let harms: Record<string, () => Promise<unknown>>

  if (profile === 'embedded') {
    const one = await hub('hub', 'all', { DATABASE_URL: '', REDIS_URL: '' })
    bases = [one.base]
    hubs = senders = receivers = [one.kept]
    harms = { 'hub killed -9': () => strike('hub killed -9', hubs) }
  } else {
    const mariadb = await planMariadb(folder)
    const redis = await planRedis(folder)
    databaseUrl = mariadb.url
    const kept = { mariadb: keep(mariadb.plan), redis: keep(redis.plan) }
    await Promise.all([kept.mariadb.start(), kept.redis.start()])
    const env = { DATABASE_URL: mariadb.url, REDIS_URL: redis.url }
    const webs = [await hub('web-1', 'web', env), await hub('web-2', 'web', env)]
    const worker = await hub('worker', 'worker', env)
    bases = webs.map(({ base }) => base)
    senders = [worker.kept]
    receivers = webs.map((web) => web.kept)
    hubs = [...receivers, ...senders]
    harms = {
      'web killed -9': () =>
        strike(
          'web killed -9',
          webs.map((web) => web.kept),
        ),
      'worker killed -9': () => strike('worker killed -9', [worker.kept]),
      // It keeps nothing on disk: after a kill it is empty.
      'Redis killed -9, emptied': () => strike('Redis killed -9, emptied', [kept.redis]),
      'Redis emptied': async () => {
        if (!kept.redis.up) return
        await flushRedis(redis.port)
        done('Redis emptied')
      },
      'database killed -9': () => strike('database killed -9', [kept.mariadb]),
      'database restarted': () => strike('database restarted', [kept.mariadb], 'SIGTERM'),
    }
  }

  const heal = async (): Promise<void> => {
    await Promise.all(all.map((kept) => kept.start()))
  }
  await heal()

  return Object.assign(cluster, {
    profile,
    bases,
    dataDir,
    databaseUrl,
    folder,
    faults,
    crashes,
    kinds: Object.keys(harms),
    harm: async (kind: string) => void (await harms[kind]?.()),
    strike: (who: 'sender' | 'receiver') =>
      who === 'sender' ? strike(`${senders[0]?.plan.name} killed -9`, senders) : strike(profile === 'embedded' ? 'hub killed -9' : 'web killed -9', receivers),
    async strikeAll() {
      await Promise.all(hubs.map((kept) => kept.end('SIGKILL')))
      await Promise.all(hubs.map((kept) => kept.start()))
    },
    async execute({ sqlite, mysql }: { sqlite: string; mysql: string }) {
      if (profile === 'embedded') {
        const database = new DatabaseSync(join(dataDir, 'hub.sqlite'))
        database.exec(`pragma busy_timeout = 5000; ${sqlite}`)
        database.close()
      } else {
        const connection = await connectMysql({ uri: databaseUrl })
        await connection.query(mysql)
        await connection.end()
      }
    },
    heal,
    async stop() {
      const rough = await Promise.all(
        hubs.map(async (kept) => {
          const code = await kept.end('SIGTERM')
          return code === 0 ? [] : [`asked to end, ${kept.plan.name} ended with ${code ?? 'a signal'}: ${kept.lastWords()}`]
        }),
      )
      for (const kept of all) if (!hubs.includes(kept)) await kept.end('SIGKILL')
      process.removeListener('exit', dropAll)
      return rough.flat()
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  })
}

function need(binary: string): string {
  for (const dir of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/usr/libexec']) {
    const file = join(dir, binary)
    if (existsSync(file)) return file
  }
  throw new Error(`the served profile needs ${binary}, which is not installed here (apt-get install mariadb-server redis-server)`)
}

async function planMariadb(folder: string): Promise<{ plan: ProcessPlan; url: string }> {
  const server = need('mariadbd')
  const install = need('mariadb-install-db')
  const dir = join(folder, 'mariadb')
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  execFileSync(install, ['--no-defaults', `--datadir=${dir}`, '--skip-test-db', '--auth-root-authentication-method=normal', ...user], {
    stdio: 'ignore',
    timeout: 60_000,
  })
  const init = join(folder, 'init.sql')
  writeFileSync(
    init,
    `create database if not exists ${database} default character set utf8mb4 collate utf8mb4_bin;\ncreate user if not exists 'chaos'@'127.0.0.1' identified by 'chaos';\ngrant all on ${database}.* to 'chaos'@'127.0.0.1';\n`,
  )
  const port = await freePort()
  const url = `mysql://chaos:chaos@127.0.0.1:${port}/${database}`
  return {
    url,
    plan: {
      name: 'mariadb',
      command: server,
      args: [
        '--no-defaults',
        `--datadir=${dir}`,
        `--socket=${join(folder, 'mariadb.sock')}`,
        `--pid-file=${join(folder, 'mariadb.pid')}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        '--skip-name-resolve',
        `--init-file=${init}`,
        // "Committed" must stay true through kill -9.
        '--innodb-flush-log-at-trx-commit=1',
        '--innodb-buffer-pool-size=128M',
        ...user,
      ],
      async ready() {
        const connection = await connectMysql({ uri: url, connectTimeout: 2_000 })
        await connection.query('select 1')
        await connection.end()
        return true
      },
    },
  }
}

async function planRedis(folder: string): Promise<{ plan: ProcessPlan; url: string; port: number }> {
  const port = await freePort()
  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    plan: {
      name: 'redis',
      command: need('redis-server'),
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
      ready: () => answers(port),
    },
  }
}

/** FLUSHALL, in Redis's own words. */
async function flushRedis(port: number): Promise<void> {
  const socket = createConnection({ host: '127.0.0.1', port })
  let said = ''
  socket.on('data', (data) => {
    said += data
  })
  socket.on('error', () => undefined)
  socket.write('FLUSHALL\r\n')
  await until('FLUSHALL', 5_000, async () => said.startsWith('+OK')).finally(() => socket.destroy())
}
