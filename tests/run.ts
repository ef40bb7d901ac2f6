/**
 * npm test: everything there is, on every profile this machine has, and the browser. What cannot run is said loudly;
 * with TEST_REQUIRE=all (as in CI) it is a failure instead.
 *   --only unit|server|law|channels|e2e|chaos   a part of it
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { startServices } from './support/services.ts'

const root = resolve(import.meta.dirname, '..')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const required = process.env.TEST_REQUIRE === 'all'
const failed: string[] = []
const missing: string[] = []

const services = await startServices()
if (!services) {
  missing.push('the served profile: neither do MariaDB and Redis answer nor are their programs installed')
  process.env.TEST_PROFILE = 'embedded'
} else Object.assign(process.env, services.env)

function step(name: string, args: string[]): void {
  console.log(`\n━━ ${name}`)
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
  })
  if (status !== 0) failed.push(name)
}
const files = async (pattern: string) => (await Array.fromAsync(glob(pattern, { cwd: root, exclude: (name) => name.includes('node_modules') }))).sort()

try {
  const suites = {
    unit: ['core/**/*.test.ts', 'plugins/**/*.test.ts'],
    server: ['tests/server/*.test.ts'],
    law: ['tests/law/*.test.ts'],
    channels: ['tests/channels/*.test.ts'],
  }
  for (const [name, patterns] of Object.entries(suites)) {
    if (only && only !== name) continue
    const found = (await Promise.all(patterns.map(files))).flat()
    if (found.length > 0) step(`${name} tests`, ['--test', '--test-concurrency=2', '--test-timeout=120000', ...found])
  }
  if (!only || only === 'e2e') {
    const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
    if (chromium) {
      process.env.CHROMIUM = chromium
      step('browser tests', [join(root, 'node_modules/@playwright/test/cli.js'), 'test', '-c', 'tests/playwright.config.ts'])
    } else missing.push('the browser tests: Chromium is not installed (apt-get install chromium)')
  }
  if ((!only || only === 'chaos') && existsSync(join(root, 'tests/chaos/run.ts')))
    step('fault run (short)', ['tests/chaos/run.ts', '--seconds', '10', '--visitors', '12', '--agents', '4', '--profile', services ? 'both' : 'embedded'])
} finally {
  await services?.stop()
}

for (const what of missing) console.error(`\n!! NOT RUN: ${what}`)
if (failed.length > 0) console.error(`\n!! FAILED: ${failed.join(', ')}`)
if (failed.length > 0 || (required && missing.length > 0)) process.exit(1)
console.log(missing.length > 0 ? '\nEverything that ran passed.' : '\nEverything passed.')
