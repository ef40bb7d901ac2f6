/** MariaDB and Redis for the tests: those that answer, else throw-away ones from the installed programs. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'

export interface Services {
  env: { TEST_DATABASE_URL: string; TEST_REDIS_URL: string; TEST_REQUIRE_SERVED: string }
  stop(): Promise<void>
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

const program = (...names: string[]): string | undefined =>
  names.flatMap((name) => ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'].map((dir) => join(dir, name))).find((path) => existsSync(path))

export async function startServices(): Promise<Services | undefined> {
  const given = process.env.TEST_DATABASE_URL && process.env.TEST_REDIS_URL
  if (given || ((await answers(3306)) && (await answers(6379)) && (await rootWithoutPassword())))
    return {
      env: {
        TEST_DATABASE_URL: process.env.TEST_DATABASE_URL ?? 'mysql://root@127.0.0.1:3306',
        TEST_REDIS_URL: process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379',
        TEST_REQUIRE_SERVED: '1',
      },
      stop: async () => undefined,
    }
  const mariadbd = program('mariadbd', 'mysqld')
  const installDb = program('mariadb-install-db', 'mysql_install_db')
  const redis = program('redis-server')
  if (!mariadbd || !installDb || !redis) return undefined
  const dir = mkdtempSync(join(tmpdir(), 'huike-services-'))
  const [databasePort, redisPort] = [await freePort(), await freePort()]
  const user = userInfo().username
  execFileSync(installDb, ['--no-defaults', `--datadir=${dir}/db`, '--auth-root-authentication-method=normal', `--user=${user}`], { stdio: 'ignore' })
  const children: ChildProcess[] = [
    spawn(
      mariadbd,
      ['--no-defaults', `--datadir=${dir}/db`, `--port=${databasePort}`, '--bind-address=127.0.0.1', `--socket=${dir}/db.sock`, `--user=${user}`],
      { stdio: 'ignore' },
    ),
    spawn(redis, ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', dir], { stdio: 'ignore' }),
  ]
  for (const port of [databasePort, redisPort]) for (let i = 0; i < 300 && !(await answers(port)); i++) await new Promise((resolve) => setTimeout(resolve, 100))
  return {
    env: { TEST_DATABASE_URL: `mysql://root@127.0.0.1:${databasePort}`, TEST_REDIS_URL: `redis://127.0.0.1:${redisPort}`, TEST_REQUIRE_SERVED: '1' },
    async stop() {
      await Promise.all(
        children.map(
          (child) =>
            new Promise((resolve) => {
              child.once('exit', resolve)
              child.kill('SIGKILL')
            }),
        ),
      )
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function rootWithoutPassword(): Promise<boolean> {
  const { createConnection: connect } = await import('mysql2/promise')
  return connect('mysql://root@127.0.0.1:3306').then(
    (connection) => connection.end().then(() => true),
    () => false,
  )
}
