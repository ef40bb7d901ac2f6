/** The hub in processes of its own, for tests that start, stop and kill it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { until } from '../chaos/tools.ts'
import { freePort } from './free-port.ts'
import type { Place } from './profiles.ts'

type Role = 'all' | 'web' | 'worker'

/**
 * The hub as a real one runs: on the embedded profile one process; on the served one two webs behind a balancer that
 * sends each connection to the next of them, and a worker. It can be stopped and started again in the middle of a
 * test, with all that it has stored.
 */
export class HubProcess {
  readonly url: string
  readonly #place: Place
  readonly #plugins: readonly string[]
  readonly #processes: readonly { role: Role; port: number }[]
  readonly #balancer: Server | undefined
  readonly #connections = new Set<Socket>()
  readonly #demo: boolean
  #children: ChildProcess[] = []
  #told = ''

  /** `demo`: filled with the demonstration. */
  static async make(place: Place, plugins: readonly string[], demo = false): Promise<HubProcess> {
    const roles: Role[] = place.profile === 'served' ? ['web', 'web', 'worker'] : ['all']
    const processes = []
    for (const role of roles) processes.push({ role, port: await freePort() })
    return new HubProcess(place, plugins, processes, roles.length > 1 ? await freePort() : (processes[0]?.port ?? 0), demo)
  }

  private constructor(place: Place, plugins: readonly string[], processes: readonly { role: Role; port: number }[], port: number, demo: boolean) {
    this.#place = place
    this.#demo = demo
    this.#plugins = plugins
    this.#processes = processes
    this.url = `http://127.0.0.1:${port}`
    this.#balancer = processes.length > 1 ? this.#balance(port) : undefined
  }

  #balance(port: number): Server {
    const webs = this.#processes.filter(({ role }) => role === 'web')
    let turn = 0
    return createServer((from) => {
      const to = connect(webs[turn++ % webs.length]?.port ?? 0, '127.0.0.1')
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#connections.add(one)
        // Whatever happens to one side happens to the other: a web that is down is a line that drops.
        one.on('error', () => other.destroy())
        one.once('close', () => {
          this.#connections.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    }).listen(port, '127.0.0.1')
  }

  async start(): Promise<void> {
    this.#children = this.#processes.map(({ role, port }) =>
      spawn(resolve('node_modules/.bin/node'), ['core/src/main.ts', ...(this.#demo ? ['--demo'] : [])], {
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          HUB_DATA: this.#place.dataDir,
          DATABASE_URL: this.#place.databaseUrl,
          REDIS_URL: this.#place.redisUrl,
          HUB_PLUGINS: this.#plugins.join(','),
          HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
          HUB_ROLE: role,
          ...(this.#balancer ? { HUB_PUBLIC_URL: this.url } : {}),
          PORT: String(port),
          LOG_LEVEL: 'warn',
        },
        stdio: ['ignore', this.#demo ? 'pipe' : 'ignore', 'inherit'],
      }),
    )
    for (const child of this.#children)
      child.stdout?.on('data', (said) => {
        this.#told += said
      })
    await Promise.all(
      this.#processes.map(({ role, port }, i) =>
        until(`the start of the hub (${role})`, 110_000, async () => {
          if (this.#children[i]?.exitCode !== null) throw new Error('it ended')
          return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
        }),
      ),
    )
  }

  /** How the demonstration's owner signs in, once all of it is there; the others of it have the same password. */
  async demoLogin(): Promise<{ email: string; password: string }> {
    const line = /(\S+@\S+) \/ (\S+)/
    await until('the demonstration', 60_000, async () => line.test(this.#told))
    const [, email = '', password = ''] = line.exec(this.#told) ?? []
    return { email, password }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const running = this.#children.filter(({ exitCode }) => exitCode === null)
    this.#children = []
    const ended = running.map((child) => new Promise((done) => child.once('exit', done)))
    for (const child of running) child.kill(signal)
    await Promise.all(ended)
  }

  /** Where it keeps its data, for a test that makes time pass. */
  get place(): Place {
    return this.#place
  }

  /** For good: without the half second in which it would listen to the last of its callers. */
  async end(): Promise<void> {
    await this.stop('SIGKILL')
    for (const connection of this.#connections) connection.destroy()
    await new Promise((done) => (this.#balancer ? this.#balancer.close(done) : done(undefined)))
  }
}
