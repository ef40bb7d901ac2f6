/**
 * `npm run chaos -- --fuzz N`: N hostile bodies for all channels together: WeChat (plain, sealed, XML, JSON), Douyin, mail
 * (MIME), the app and the website (through the whole hub). Each has its own inputs, in a test of its own; here they get their
 * share and the seed, a process each with a bounded heap, and their memory is watched.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const heapMb = 700
/** Beside the heap: buffers, code, the database's page cache. */
const maxRssMb = 1_300

interface Target {
  name: string
  file: string
  share: number
}
const targets: readonly Target[] = [
  { name: 'WeChat: plain, sealed, XML, JSON', file: 'tests/channels/wechat-fuzz.test.ts', share: 0.4 },
  { name: 'Douyin: signed pushes', file: 'plugins/douyin/server/fuzz.test.ts', share: 0.3 },
  { name: 'mail: MIME, charsets, headers, markup', file: 'plugins/email/server/fuzz.test.ts', share: 0.2 },
  { name: 'app and website, through the hub', file: 'tests/channels/json-fuzz.test.ts', share: 0.1 },
]

interface Outcome {
  inputs: number
  seconds: number
  peakMb: number
  failed: boolean
}

/** Node prints a test that fails to its own output, with the number of the input and the seed. */
function run({ file }: Target, inputs: number, seed: number): Promise<Outcome> {
  const began = performance.now()
  // Not `--test`: that starts another process, whose memory is not this one's.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${heapMb}`, '--test-reporter=dot', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FUZZ_INPUTS: String(inputs), FUZZ_SEED: String(seed), TEST_PROFILE: 'embedded' },
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said = (said + chunk).slice(-4_000)
  })
  let peakMb = 0
  const watch = setInterval(() => {
    try {
      // A process that is ending has a status without it.
      peakMb = Math.max(peakMb, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024)
    } catch {
      // Ended, or a system without /proc: the heap is bounded all the same.
    }
  }, 100)
  return new Promise((resolve) =>
    child.once('exit', (code) => {
      clearInterval(watch)
      if (code !== 0) console.error(said)
      resolve({ inputs, seconds: (performance.now() - began) / 1_000, peakMb, failed: code !== 0 || peakMb > maxRssMb })
    }),
  )
}

/** Returns the exit code. */
export async function fuzz(inputs: number, seed: number): Promise<number> {
  console.log(`${inputs} hostile bodies from --seed ${seed}; heap bounded to ${heapMb} MB`)
  const outcomes: [string, Outcome][] = []
  for (const target of targets) outcomes.push([target.name, await run(target, Math.ceil(inputs * target.share), seed)])
  const width = Math.max(...targets.map(({ name }) => name.length))
  console.log(`\n${''.padEnd(width)}    inputs   seconds   peak MB`)
  for (const [name, { inputs, seconds, peakMb, failed }] of outcomes)
    console.log(
      `${name.padEnd(width)}${String(inputs).padStart(10)}${seconds.toFixed(1).padStart(10)}${peakMb.toFixed(0).padStart(10)}${failed ? '   FAILED' : ''}`,
    )
  const failed = outcomes.some(([, outcome]) => outcome.failed)
  console.log(failed ? '\nFAILED' : '\npassed: no crash, no 500, no memory without bounds')
  return failed ? 1 : 0
}
