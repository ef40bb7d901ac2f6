/** Opens a scenario: a fresh hub with its plugins and people. Run by `npm run dev -- NAME`. */
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startHub } from '../../core/src/app.ts'
import { readEnv } from '../../core/src/config/env.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { findScenario } from './scenario.ts'

const name = process.argv[2] ?? ''
const scenario = await findScenario(name).catch((error: Error) => {
  console.error(error.message)
  process.exit(1)
})
// Its own folder, new at every start: what one did to it yesterday is gone.
const dataDir = process.env.SCENARIO_DATA || join(resolve(import.meta.dirname, '../..'), '.build/scenarios', name)
rmSync(dataDir, { recursive: true, force: true })
mkdirSync(dataDir, { recursive: true })
const env = readEnv({ LOG_LEVEL: 'warn', ...process.env, HUB_DATA: dataDir, DATABASE_URL: '', REDIS_URL: '' })
const mine = (scenario.plugins ?? []).map((manifest) => ({ dir: join(import.meta.dirname, name), manifest, nameHint: manifest.id }))
const running = await startHub(env, { plugins: [...(await discoverPlugins(env)), ...mine] })
const { people, lines = [], close } = await scenario.seed(running)
console.log(`\n${name}: ${running.url}/workbench\n${[...lines, ...people].map((line) => `  ${line}`).join('\n')}\n`)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, async () => {
    await close?.()
    await running.stop()
    process.exit(0)
  })
