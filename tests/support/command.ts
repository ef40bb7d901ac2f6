/** A command of `core/bin` as an operator starts it, in a process of its own beside a hub that runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import type { Place } from './profiles.ts'

interface Ended {
  code: number | null
  /** Both streams, as they came. */
  said: string
}

/** With the place's data and the tests' secret, without a plugin. */
export function startCommand(
  script: string,
  place: Place,
  words: readonly string[] = [],
  more: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const env = {
    PATH: process.env.PATH ?? '',
    HUB_DATA: place.dataDir,
    DATABASE_URL: place.databaseUrl,
    REDIS_URL: '',
    HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
    HUB_PLUGINS_DIR: join(place.dataDir, 'none'),
    PORT: '0',
    ...more,
  }
  const child = spawn(process.execPath, [resolve(import.meta.dirname, '../../core/bin', script), ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (said += text))
  return { child, ended: new Promise((done) => child.once('exit', (code) => done({ code, said }))) }
}
