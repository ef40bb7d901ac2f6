/** npm run check: types, lint and boundaries, dead code. Prints what it ran; the first fault is not the last one shown. */
import { spawnSync } from 'node:child_process'
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
for (const [name, command, args] of steps) {
  console.log(`━━ ${name}`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) failed.push(name)
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`)
  process.exit(1)
}
console.log('\nAll checks passed.')
