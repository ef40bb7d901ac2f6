/**
 * npm test: everything there is, on every profile this machine has, and the browser. What cannot run is said loudly;
 * with TEST_REQUIRE=all (as in CI) it is a failure instead.
 *   --only unit|server|channels|law|bare|e2e|chaos|fuzz   a part of it
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { runFiles, type TestFile } from './support/run-files.ts'
import { startServices } from './support/services.ts'
import { dropTemplate, makeTemplate } from './support/template.ts'
import { copyWithoutPlugins, namesItsPlugins, needsPlugins } from './support/without-plugins.ts'

const root = resolve(import.meta.dirname, '..')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const parts = ['unit', 'server', 'channels', 'law', 'bare', 'e2e', 'chaos', 'fuzz']
if (process.argv.includes('--only') && !parts.includes(only ?? '')) throw new Error(`--only takes one of ${parts.join(', ')}`)
const required = process.env.TEST_REQUIRE === 'all'
const failed: string[] = []
const missing: string[] = []
const times: string[] = []
const compiled = mkdtempSync(join(tmpdir(), 'huike-compiled-'))
/** Each part's failures with their reasons, said once more at the end. */
const reasons = mkdtempSync(join(tmpdir(), 'huike-failed-'))

const services = await startServices()
if (!services) {
  missing.push('the served profile: neither do MariaDB and Redis answer nor are their programs installed')
  process.env.TEST_PROFILE = 'embedded'
} else {
  Object.assign(process.env, services.env)
  process.env.TEST_TEMPLATE_DATABASE = await makeTemplate(services.env.TEST_DATABASE_URL)
}

const environment = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  ...more,
  // Hundreds of processes begin with the same code: it is compiled once.
  NODE_COMPILE_CACHE: compiled,
  NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
  WHAT_FAILED: join(reasons, 'browser'),
})
function took(name: string, began: number, passed: boolean): void {
  times.push(`${name} ${Math.round((performance.now() - began) / 1_000)} s`)
  if (!passed) failed.push(name)
}
function step(name: string, args: string[]): void {
  console.log(`\n━━ ${name}`)
  const began = performance.now()
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env: environment() })
  took(name, began, status === 0)
}
const atOnce = availableParallelism() + 1
/** What the pages held when browser tests failed: where only this output is left, the pictures are not. */
async function showPages(): Promise<void> {
  for (const file of await files('test-results/*/error-context.md')) {
    const page = /# Page snapshot\s+```yaml\n([\s\S]*?)```/.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? 'no page was left'
    console.log(`\n── ${file.split('/')[1]}\n${page.slice(0, 2_000)}`)
  }
}
const files = async (pattern: string) => (await Array.fromAsync(glob(pattern, { cwd: root, exclude: (name) => name.includes('node_modules') }))).sort()

try {
  const suites = {
    unit: ['core/**/*.test.ts', 'plugins/**/*.test.ts', 'workbench-ui/**/*.test.ts'],
    server: ['tests/server/*.test.ts'],
    channels: ['tests/channels/*.test.ts'],
    law: ['tests/law/*.test.ts'],
  }
  const jobs: TestFile[] = []
  const add = (group: string, found: readonly string[], cwd = root, more: NodeJS.ProcessEnv = {}) =>
    void jobs.push(...found.map((file) => ({ group, file, cwd, env: environment(more) })))
  // In the whole run these meet the embedded profile where there is no plugins/.
  const halved: string[] = []
  for (const [name, patterns] of Object.entries(suites)) {
    if (only && only !== name) continue
    const all = (await Promise.all(patterns.map(files))).flat()
    const found = only || !services ? all : all.filter((file) => file.startsWith('plugins/') || !namesItsPlugins(join(root, file)))
    halved.push(...all.filter((file) => !found.includes(file)))
    add(name, found)
  }
  add('served', halved, root, { TEST_PROFILE: 'served' })
  let copy: string | undefined
  if (!only || only === 'bare') {
    const tests = (await Promise.all(Object.values(suites).flat().map(files))).flat().filter((file) => !file.startsWith('plugins/'))
    const own = tests.filter((file) => !needsPlugins(join(root, file)))
    console.log(`\nNeed plugins/: ${tests.filter((file) => !own.includes(file)).join(', ') || 'none'}`)
    for (const file of halved) if (!own.includes(file)) throw new Error(`${file} would never meet the embedded profile`)
    copy = copyWithoutPlugins(root)
    // The served profile they meet above.
    add('bare', own, copy, { TEST_PROFILE: 'embedded' })
  }
  if (jobs.length > 0) {
    const groups = [...Map.groupBy(jobs, ({ group }) => group)].map(([group, of]) => `${group} ${of.length}`)
    console.log(`\n━━ test files: ${groups.join(', ')}`)
    const began = performance.now()
    // Many of them wait more than they work: for mail, for timeouts, for the disk.
    took('test files', began, await runFiles(jobs, atOnce, 120_000, join(reasons, 'files')))
    if (copy) rmSync(copy, { recursive: true, force: true })
  }
  if (!only || only === 'e2e') {
    const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
    if (chromium) {
      process.env.CHROMIUM = chromium
      // The same without a window to draw is a fifth faster.
      const shell = '/usr/bin/chromium-headless-shell'
      if (existsSync(shell)) process.env.CHROMIUM_SHELL = shell
      step('browser tests', [join(root, 'node_modules/@playwright/test/cli.js'), 'test', '-c', 'tests/playwright.config.ts'])
      if (failed.includes('browser tests')) await showPages()
    } else missing.push('the browser tests: Chromium is not installed (apt-get install chromium)')
  }
  if ((!only || only === 'chaos') && existsSync(join(root, 'tests/chaos/run.ts')))
    step('fault run (short)', [
      'tests/chaos/run.ts',
      ...['--seconds', '18', '--visitors', '12', '--customers', '3', '--agents', '4', '--profile', services ? 'both' : 'embedded'],
    ])
  if (!only || only === 'fuzz') step('hostile bodies (short)', ['tests/chaos/run.ts', '--fuzz', '4000', '--seed', '20260528'])
} finally {
  if (services) await dropTemplate(services.env.TEST_DATABASE_URL)
  await services?.stop()
  rmSync(compiled, { recursive: true, force: true })
}
const why = readdirSync(reasons)
  .map((name) => readFileSync(join(reasons, name), 'utf8'))
  .join('')
rmSync(reasons, { recursive: true, force: true })

console.log(`\n${times.join(', ')}`)
for (const what of missing) console.error(`\n!! NOT RUN: ${what}`)
if (why) console.error(`\n━━ what failed\n${why}`)
if (failed.length > 0) console.error(`\n!! FAILED: ${failed.join(', ')}`)
if (failed.length > 0 || (required && missing.length > 0)) process.exit(1)
console.log(missing.length > 0 ? '\nEverything that ran passed.' : '\nEverything passed.')
