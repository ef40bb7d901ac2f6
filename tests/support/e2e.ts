/** A hub of its own for a browser test: a real process, real bundles, an empty database. */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { type BrowserContext, test as base } from '@playwright/test'
import { freePort } from '../chaos/tools.ts'
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

/** The hub's process: it can be stopped and started again in the middle of a test, with all that it has stored. */
export class HubProcess {
  readonly url: string
  readonly #port: number
  readonly #place: Place
  readonly #plugins: readonly string[]
  #child: ChildProcess | undefined

  constructor(port: number, place: Place, plugins: readonly string[]) {
    this.#port = port
    this.#place = place
    this.#plugins = plugins
    this.url = `http://127.0.0.1:${port}`
  }

  async start(): Promise<void> {
    const child = spawn(resolve('node_modules/.bin/node'), ['core/src/main.ts'], {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        HUB_DATA: this.#place.dataDir,
        DATABASE_URL: this.#place.databaseUrl,
        REDIS_URL: this.#place.redisUrl,
        HUB_PLUGINS: this.#plugins.join(','),
        HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
        PORT: String(this.#port),
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    await new Promise<void>((done, fail) => {
      let printed = ''
      child.stdout.on('data', (chunk) => {
        printed += chunk
        if (printed.includes(`${this.url}/workbench`)) done()
      })
      child.once('exit', () => fail(new Error(`the hub ended:\n${printed}`)))
    })
    child.removeAllListeners('exit')
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    await new Promise((done) => {
      child.once('exit', done)
      child.kill('SIGTERM')
    })
  }
}

/** `extraPlugins`: folders of plugins besides the bundled ones. */
export const test = base.extend<{ hub: HubProcess; hubUrl: string; extraPlugins: string[]; tidy: undefined }>({
  extraPlugins: [[], { option: true }],
  hub: async ({ extraPlugins }, use, info) => {
    const place = await makePlace(info.project.name === 'served' ? 'served' : 'embedded')
    const hub = new HubProcess(await freePort(), place, extraPlugins)
    await hub.start()
    await use(hub)
    await hub.stop()
    await place.remove()
  },
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
