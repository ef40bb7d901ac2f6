/** A hub of its own for a browser test: a real process tree, real bundles, an empty database. */
import { test as base } from '@playwright/test'
import { startHub } from '../../core/src/app.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { makePlace, profiles } from './profiles.ts'
import { envFor, silent } from './world.ts'

export const owner = { name: '周敏', email: 'zhou.min@shanye.cn', password: 'mountain-tea-2026' }

export const test = base.extend<{ hubUrl: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures a fixture needs from its first parameter
  hubUrl: async ({}, use, info) => {
    const all = await profiles()
    const profile = info.project.name === 'served' && all.includes('served') ? 'served' : 'embedded'
    const place = await makePlace(profile)
    const env = envFor(place)
    const running = await startHub(env, { log: silent as never, plugins: await discoverPlugins(env) })
    await use(running.url)
    await running.stop()
    await place.remove()
  },
})
export { expect } from '@playwright/test'
