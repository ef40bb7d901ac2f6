/**
 * npm run dev            the hub restarts and the apps rebuild when their files change
 * npm run dev -- NAME    the same with the world of tests/scenarios/NAME, fresh at every start
 */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { forgetBuild } from './prepare.mjs'

const root = resolve(import.meta.dirname, '../..')
const node = process.execPath
const vite = join(root, 'node_modules/vite/bin/vite.js')
const [scenario] = process.argv.slice(2).filter((arg) => !arg.startsWith('-'))
const main = scenario ? ['tests/scenarios/open.ts', scenario] : ['core/src/main.ts', ...process.argv.slice(2)]
const apps = ['workbench', 'admin']
// From now on they are of whatever the files say at any moment.
for (const app of apps) forgetBuild(app)
const children = [
  ...apps.map((app) =>
    spawn(node, [vite, 'build', `${app}-ui`, '-c', `${app}-ui/vite.config.ts`, '--watch', '--logLevel', 'warn'], { cwd: root, stdio: 'inherit' }),
  ),
  spawn(node, ['--watch-path=core/src', '--watch-path=core/sdk', '--watch-path=plugins', ...(scenario ? ['--watch-path=tests/scenarios'] : []), ...main], {
    cwd: root,
    stdio: 'inherit',
  }),
]
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    for (const child of children) child.kill(signal)
    process.exit(0)
  })
