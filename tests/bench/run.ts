/**
 * npm run bench: how smooth the workbench is with 5 000 conversations, how many messages a second, how long until the agent
 * sees one, what it costs and on what, next to the least a server could do (`floor.ts`) in the same run.
 *   --quick              forty seconds instead of ten minutes; the code is not warm then
 *   --save               writes RESULTS.md
 *   --profile embedded|served
 *   --idle               only what idle visitors cost
 *   --channels           only what platforms bring: WeChat's pushes, letters
 *   records              only how long the lists of records take, in a hub with a long history (`records/run.ts`)
 *   export              only what exports of 20 000 conversations cost, and who works meanwhile (`export.ts`)
 *   --costs              also where the hub's CPU time went (slower: do not compare its rates)
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServices } from '../support/services.ts'
import { type ChannelMeasured, measureChannels } from './channels.ts'
import { costsOf } from './costs.ts'
import { type IdleVisitors, measureIdleVisitors } from './idle-visitors.ts'
import { type Measured, measure, type Plan } from './measure.ts'
import { channelTables, idleTable, report, resultsPage } from './report.ts'
import { measureSizes } from './sizes.ts'
import { measureSpent, type Spent } from './spent.ts'
import { measureWorkbench, type WorkbenchMeasured } from './workbench.ts'

const has = (flag: string): boolean => process.argv.includes(flag)
// The parts with a name have flags of their own.
const known = ['--quick', '--save', '--profile', '--idle', '--channels', '--costs', 'embedded', 'served']
const unknown = process.argv.slice(2).find((word) => !known.includes(word))
if (unknown !== undefined && process.argv[2] !== 'records' && process.argv[2] !== 'export') {
  console.error(`The bench knows no ${unknown}; what it knows stands at the top of tests/bench/run.ts.`)
  process.exit(1)
}
const only = has('--profile') ? process.argv[process.argv.indexOf('--profile') + 1] : undefined
const quick = has('--quick')
const profDir = has('--costs') ? mkdtempSync(join(tmpdir(), 'huike-bench-costs-')) : undefined
const plan: Plan = {
  ...(quick
    ? { visitors: 240, warmUpMs: 1_000, rowMs: 1_000, delayRounds: 1, idleSends: 25, pacedMs: 1_500, restarts: 0, settleMs: 500 }
    : { visitors: 2_400, warmUpMs: 40_000, rowMs: 6_000, delayRounds: 5, idleSends: 60, pacedMs: 4_000, restarts: 2, settleMs: 3_000 }),
  perSecond: 200,
  nodeArgs: profDir ? ['--cpu-prof', `--cpu-prof-dir=${profDir}`, '--cpu-prof-interval=500'] : [],
}

const loadBefore = loadavg()[0] ?? 0
const began = performance.now()
const services = await startServices()
if (services) Object.assign(process.env, services.env)
// Reads where the database is when it is loaded.
const { profiles } = await import('../support/profiles.ts')
if (process.argv[2] === 'records') {
  const { benchRecords } = await import('./records/run.ts')
  console.log(`\n${await benchRecords(await profiles()).finally(() => services?.stop())}`)
  process.exit(0)
}
if (process.argv[2] === 'export') {
  const { benchExports } = await import('./export.ts')
  console.log(`\n${await benchExports(await profiles()).finally(() => services?.stop())}`)
  process.exit(0)
}
const late = setTimeout(
  () => {
    console.error('\n! The bench took too long and was stopped; a database named huike_test_… may be left.')
    process.exit(1)
  },
  quick ? 300_000 : 1_800_000,
)

const all: Measured[] = []
const idle: IdleVisitors[] = []
const channels: ChannelMeasured[] = []
const spent: Spent[] = []
let workbench: WorkbenchMeasured | undefined
try {
  for (const profile of await profiles()) {
    if (only && only !== profile) continue
    if (!has('--idle')) channels.push(await measureChannels(profile, quick, (line) => console.error(`  ${line}`)))
    if (has('--channels')) continue
    console.error(`  ${profile}: idle visitors`)
    idle.push(await measureIdleVisitors(profile, quick ? 500 : 5_000, quick ? 2_000 : 5_000))
    if (has('--idle')) continue
    all.push(await measure(profile, plan, (line) => console.error(`  ${line}`)))
    console.error(`  ${profile}: what the time is spent on`)
    spent.push(await measureSpent(profile, plan.rowMs))
    if (profDir) console.log(`\nWhere the hub's CPU time went, ${profile}\n\n${costsOf(profDir)}`)
  }
  if (only !== 'served' && !has('--channels') && !has('--idle')) workbench = await measureWorkbench(quick, (line) => console.error(`  ${line}`))
} finally {
  clearTimeout(late)
  await services?.stop()
  if (profDir) rmSync(profDir, { recursive: true, force: true })
}

if (has('--channels')) {
  console.log(`\n${channelTables(channels)}`)
  process.exit(0)
}
if (has('--idle')) {
  console.log(`\n${idleTable(idle)}`)
  process.exit(0)
}
const tookSeconds = (performance.now() - began) / 1_000
const result = report(all, idle, measureSizes(), workbench, channels, spent)
console.log(`\n${result.tables}\n\n### Below their target\n\n${result.below.map((line) => `- ${line}`).join('\n') || 'None.'}\n\n${Math.round(tookSeconds)} s`)
if (has('--save')) writeFileSync(join(import.meta.dirname, 'RESULTS.md'), resultsPage(result, loadBefore, tookSeconds))
process.exit(0)
