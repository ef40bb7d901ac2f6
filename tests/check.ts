/** npm run check: types, lint and boundaries, dead code. Two at a time; prints what it ran; the first fault is not the last one shown. */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)
type Step = [name: string, command: string, args: string[]]
const steps: Step[] = [
  ['types of the server, plugins and tests', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'core']],
  ['types of the widget', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'plugins/website/widget']],
  ['types of the workbench', process.execPath, ['node_modules/vue-tsc/bin/vue-tsc.js', '--noEmit', '-p', 'workbench-ui']],
  ['types of the admin', process.execPath, ['node_modules/vue-tsc/bin/vue-tsc.js', '--noEmit', '-p', 'admin-ui']],
  ...globSync('plugins/*/ui/tsconfig.json', { cwd: root })
    .sort()
    .map((path): Step => [`types of ${path.replace('/tsconfig.json', '')}`, process.execPath, ['node_modules/vue-tsc/bin/vue-tsc.js', '--noEmit', '-p', path]]),
  ['format, lint and boundaries', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['dead code', process.execPath, ['node_modules/knip/bin/knip.js']],
]
const failed: string[] = []
/** Each on a core of its own; what it says is shown when it has ended. */
async function work(): Promise<void> {
  for (let step = steps.shift(); step; step = steps.shift()) {
    const [name, command, args] = step
    const { status, said } = await run(command, args)
    console.log(`━━ ${name}\n${said}`.trimEnd())
    if (status !== 0) failed.push(name)
  }
}
const run = (command: string, args: string[]): Promise<{ status: number | null; said: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, said }))
  })

await Promise.all([work(), work()])
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`)
  process.exit(1)
}
console.log('\nAll checks passed.')
