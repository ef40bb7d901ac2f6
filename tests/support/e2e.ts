/** A hub of its own for a browser test: a real process, real bundles, an empty database. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { type BrowserContext, test as base } from '@playwright/test'
import { makePlace } from './profiles.ts'

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

/** `extraPlugins`: folders of plugins besides the bundled ones. */
export const test = base.extend<{ hubUrl: string; extraPlugins: string[] }>({
  extraPlugins: [[], { option: true }],
  hubUrl: async ({ extraPlugins }, use, info) => {
    const place = await makePlace(info.project.name === 'served' ? 'served' : 'embedded')
    const hub = spawn(resolve('node_modules/.bin/node'), ['core/src/main.ts'], {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        HUB_DATA: place.dataDir,
        DATABASE_URL: place.databaseUrl,
        REDIS_URL: place.redisUrl,
        HUB_PLUGINS: extraPlugins.join(','),
        HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
        PORT: '0',
        LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const url = await new Promise<string>((done, fail) => {
      let printed = ''
      hub.stdout.on('data', (chunk) => {
        printed += chunk
        const found = /(http:\/\/\S+)\/workbench/.exec(printed)?.[1]
        if (found) done(found)
      })
      hub.once('exit', () => fail(new Error(`the hub ended:\n${printed}`)))
    })
    await use(url)
    hub.removeAllListeners('exit')
    await new Promise((done) => {
      hub.once('exit', done)
      hub.kill('SIGTERM')
    })
    await place.remove()
  },
})
export { expect } from '@playwright/test'
