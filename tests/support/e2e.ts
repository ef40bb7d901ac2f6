/** A hub of its own for a browser test: real processes, real bundles, an empty database. */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { type BrowserContext, test as base } from '@playwright/test'
import { freePort, until } from '../chaos/tools.ts'
import { makePlace, type Place } from './profiles.ts'

export const owner = { name: '周敏', email: 'zhou.min@shanye.cn', password: 'mountain-tea-2026' }

/** What the pages of a context tried and the content security policy blocked. */
export async function watchPolicy(context: BrowserContext): Promise<string[]> {
  const blocked: string[] = []
  await context.exposeFunction('reportBlocked', (what: string) => blocked.push(what))
  await context.addInitScript(`addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
    reportBlocked(location.pathname + ': ' + violatedDirective + ' ' + blockedURI + ' ' + sourceFile + ':' + lineNumber)
  })`)
  return blocked
}

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
  #children: ChildProcess[] = []

  static async make(place: Place, plugins: readonly string[]): Promise<HubProcess> {
    const roles: Role[] = place.profile === 'served' ? ['web', 'web', 'worker'] : ['all']
    const processes = []
    for (const role of roles) processes.push({ role, port: await freePort() })
    return new HubProcess(place, plugins, processes, roles.length > 1 ? await freePort() : (processes[0]?.port ?? 0))
  }

  private constructor(place: Place, plugins: readonly string[], processes: readonly { role: Role; port: number }[], port: number) {
    this.#place = place
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
      spawn(resolve('node_modules/.bin/node'), ['core/src/main.ts'], {
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
        stdio: ['ignore', 'ignore', 'inherit'],
      }),
    )
    await Promise.all(
      this.#processes.map(({ role, port }, i) =>
        until(`the start of the hub (${role})`, 110_000, async () => {
          if (this.#children[i]?.exitCode !== null) throw new Error('it ended')
          return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
        }),
      ),
    )
  }

  async stop(): Promise<void> {
    const running = this.#children.filter(({ exitCode }) => exitCode === null)
    this.#children = []
    const ended = running.map((child) => new Promise((done) => child.once('exit', done)))
    for (const child of running) child.kill('SIGTERM')
    await Promise.all(ended)
  }

  /** Where it keeps its data, for a test that makes time pass. */
  get place(): Place {
    return this.#place
  }

  /** For good. */
  async end(): Promise<void> {
    await this.stop()
    for (const connection of this.#connections) connection.destroy()
    await new Promise((done) => (this.#balancer ? this.#balancer.close(done) : done(undefined)))
  }
}

/** `extraPlugins`: folders of plugins besides the bundled ones. */
export const test = base.extend<{ hub: HubProcess; hubUrl: string; extraPlugins: string[]; tidy: undefined }>({
  extraPlugins: [[], { option: true }],
  // Its start and end have a time of their own: the test's is for what the test does.
  hub: [
    async ({ extraPlugins }, use, info) => {
      const place = await makePlace(info.project.name === 'served' ? 'served' : 'embedded')
      const hub = await HubProcess.make(place, extraPlugins)
      await hub.start()
      await use(hub)
      await hub.end()
      await place.remove()
    },
    { timeout: 120_000 },
  ],
  hubUrl: async ({ hub }, use) => use(hub.url),
  // Pages of an earlier test would look for its hub until the end.
  tidy: [
    async ({ browser }, use) => {
      await use(undefined)
      await Promise.all(browser.contexts().map((context) => context.close()))
    },
    { auto: true },
  ],
})
export { expect } from '@playwright/test'
