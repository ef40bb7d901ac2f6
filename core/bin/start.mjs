/** npm start: from a fresh checkout to a running hub. */
import { spawn } from 'node:child_process'
import { build, hubEnv, hubFlags, install, node, root } from './prepare.mjs'

install()
build()
const hub = spawn(node, [...hubFlags, 'core/src/main.ts', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env: { ...hubEnv, ...process.env } })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => hub.kill(signal))
hub.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
