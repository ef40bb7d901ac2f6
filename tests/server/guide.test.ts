/** The commands of the plugin author's guide, run as they are written, in order; only the folder they write into is this test's own. Needs the bundled plugins. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { after, test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')
mkdirSync(join(root, '.build'), { recursive: true })
const dir = mkdtempSync(join(root, '.build/guide-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const commands = [...readFileSync(join(root, 'plugins/README.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block = '']) => block.trim().split('\n'))
  .map((command) => command.replaceAll('.build/', `.build/${basename(dir)}/`))

test('the guide has commands', () => {
  assert.ok(commands.length >= 4, commands.join('\n'))
})

const env: NodeJS.ProcessEnv = { ...process.env, HUB_DATA: join(dir, 'data'), PORT: '0', DATABASE_URL: '', REDIS_URL: '', LOG_LEVEL: 'info' }
// A test inside of a test reports to its parent instead of exiting with its result.
delete env.NODE_TEST_CONTEXT

for (const command of commands)
  test(command.replaceAll(basename(dir), '…'), { timeout: 300_000 }, async () => {
    if (!command.endsWith('npm start')) {
      execFileSync('sh', ['-c', command], { cwd: root, env, stdio: 'pipe' })
      return
    }
    // A group of its own: npm starts a process that starts the hub.
    const hub = spawn('sh', ['-c', command], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
    const ended = new Promise((done) => hub.once('exit', done))
    try {
      // Both lines come through different buffers: read until all is said, or the hub ends.
      const awaited = [
        /is open/,
        ...(command.match(/HUB_PLUGINS=(\S+)/)?.[1]?.split(',') ?? []).map((path) => new RegExp(`"plugin":"${basename(path)}"[^\\n]*plugin running`)),
      ]
      let said = ''
      for await (const chunk of hub.stdout) {
        said += String(chunk)
        if (awaited.every((line) => line.test(said))) break
      }
      for (const line of awaited) assert.match(said, line)
    } finally {
      process.kill(-(hub.pid as number), 'SIGTERM')
      await ended
    }
  })
