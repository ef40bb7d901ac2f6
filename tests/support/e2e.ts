/** A hub of its own for a browser test: real processes, real bundles, an empty database. */
import { type BrowserContext, test as base } from '@playwright/test'
import { HubProcess } from './hub-process.ts'
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

/** `extraPlugins`: folders of plugins besides the bundled ones. `demo`: with the world of the demonstration. */
export const test = base.extend<{ hub: HubProcess; hubUrl: string; extraPlugins: string[]; demo: boolean; tidy: undefined }>({
  extraPlugins: [[], { option: true }],
  demo: [false, { option: true }],
  // Its start and end have a time of their own: the test's is for what the test does.
  hub: [
    async ({ extraPlugins, demo }, use, info) => {
      const place = await makePlace(info.project.name === 'served' ? 'served' : 'embedded')
      const hub = await HubProcess.make(place, extraPlugins, demo)
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
