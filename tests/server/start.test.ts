/** A start that cannot be is one sentence with its remedy, never a stack; a database that is late is waited for. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { createConnection as connectMysql } from 'mysql2/promise'
import type { Logger } from '../../core/sdk/plugin.ts'
import { startHub } from '../../core/src/app.ts'
import { readEnv } from '../../core/src/config/env.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import { waitForDatabase } from '../../core/src/db/wait-for-database.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

const dir = mkdtempSync(join(tmpdir(), 'huike-start-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const start = (more: Record<string, string>) =>
  new Promise<{ code: number; said: string }>((done) => {
    const env = { PATH: process.env.PATH ?? '', HUB_DATA: dir, PORT: '0', LOG_LEVEL: 'silent', HUB_PLUGINS_DIR: join(dir, 'none'), ...more }
    execFile(process.execPath, [resolve(import.meta.dirname, '../../core/src/main.ts')], { env }, (error, _stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, said: stderr.replace(/^\(.*\n|^.*Warning.*\n/gm, '') }),
    )
  })
/** A port that nobody listens on. */
const closedPort = () =>
  new Promise<number>((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

test('the database is away', async () => {
  const port = await closedPort()
  assert.deepEqual(await start({ DATABASE_URL: `mysql://huike:secret-word@127.0.0.1:${port}/huike`, DATABASE_WAIT: '0' }), {
    code: 1,
    said: `The database at 127.0.0.1:${port} does not answer (ECONNREFUSED), after 0 s of waiting (DATABASE_WAIT). Is it running, and is DATABASE_URL right?\n`,
  })
})

test('the data folder cannot be used', async () => {
  assert.deepEqual(await start({ HUB_DATA: '/dev/null/data' }), {
    code: 1,
    said: 'The folder /dev/null/data cannot be used (ENOTDIR): make it writable for this user, or point HUB_DATA elsewhere.\n',
  })
})

test('every fault of the environment at once', async () => {
  assert.deepEqual(await start({ PORT: 'many', DATABASE_URL: 'postgres://db', LOG_LEVEL: 'loud' }), {
    code: 1,
    said: [
      'The environment has 3 faults:',
      '  - PORT must be a port, 0 to 65535',
      '  - DATABASE_URL must start with mysql:// or mariadb://',
      '  - LOG_LEVEL must be one of debug, info, warn, error, silent',
      '',
    ].join('\n'),
  })
})

test('what would lock its owner out, or trust nobody, is a fault', async () => {
  const owner = { HUB_OWNER_PASSWORD: 'mountain-tea-2026' }
  for (const [env, fault] of [
    [{ HUB_OWNER_EMAIL: 'admin', ...owner }, 'HUB_OWNER_EMAIL is not an e-mail address'],
    [{ HUB_OWNER_EMAIL: 'admin@localhost', ...owner }, 'HUB_OWNER_EMAIL is not an e-mail address'],
    [{ HUB_TRUST_PROXY: 'caddy' }, 'HUB_TRUST_PROXY must be true, or addresses, networks (10.0.0.0/8), loopback, linklocal, uniquelocal: not caddy'],
    [{ HUB_TRUST_PROXY: '10.0.0.0/8, 1' }, 'HUB_TRUST_PROXY must be true, or addresses, networks (10.0.0.0/8), loopback, linklocal, uniquelocal: not 1'],
    [{ HUB_PUBLIC_URL: 'https://shop.cn/chat' }, 'HUB_PUBLIC_URL must be an address without a path'],
  ] as [Record<string, string>, string][])
    assert.deepEqual(await start(env), { code: 1, said: `The environment has a fault:\n  - ${fault}\n` })
  for (const value of ['', 'true', 'false', 'uniquelocal', '10.0.0.0/8, ::1', 'fd00::/8'])
    assert.doesNotThrow(() => readEnv({ HUB_TRUST_PROXY: value, HUB_OWNER_EMAIL: 'Zhou.Min@shop.com.cn', ...owner }), value)
})

test('a password for the owner that is too easy is said in a sentence; a secret that was cut is not taken for one', async () => {
  const dataDir = join(dir, 'weak')
  const { code, said } = await start({ HUB_DATA: dataDir, HUB_OWNER_EMAIL: 'min@shop.cn', HUB_OWNER_PASSWORD: 'short' })
  assert.deepEqual([code, said.includes('HUB_OWNER_PASSWORD is too easy to guess')], [1, true])
  writeFileSync(join(dataDir, 'secret.key'), '')
  const cut = await start({ HUB_DATA: dataDir, HUB_SECRET: '' })
  assert.deepEqual([cut.code, cut.said.includes('secret.key is damaged')], [1, true])
})

test('a second hub on the same SQLite file does not begin; one that was killed is in nobody’s way', async () => {
  const dataDir = join(dir, 'one')
  const first = await startHub(readEnv({ HUB_DATA: dataDir, PORT: '0', LOG_LEVEL: 'silent' }), { plugins: [], log: silent as never })
  const { code, said } = await start({ HUB_DATA: dataDir })
  assert.deepEqual([code, said.startsWith(`Another hub works on ${dataDir} already`)], [1, true])
  await first.stop()
  // What a kill leaves: a socket that answers nobody.
  writeFileSync(join(dataDir, 'hub.sock'), '')
  const next = await startHub(readEnv({ HUB_DATA: dataDir, PORT: '0', LOG_LEVEL: 'silent' }), { plugins: [], log: silent as never })
  await next.stop()
})

test('the port is taken', async () => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  assert.deepEqual(await start({ PORT: String(port) }), {
    code: 1,
    said: `The hub cannot listen at 127.0.0.1:${port} (EADDRINUSE): choose another HOST or PORT.\n`,
  })
  server.close()
})

if ((await profiles()).includes('served')) {
  test('a database that comes a little later is waited for, and the log says so', async () => {
    const place = await makePlace('served')
    const real = new URL(place.databaseUrl)
    const port = await closedPort()
    const late = new URL(place.databaseUrl)
    late.port = String(port)
    const door = createServer((socket) => {
      const on = connect(Number(real.port), real.hostname)
      socket.pipe(on).pipe(socket)
      for (const end of [socket, on]) end.on('error', () => undefined)
    })
    const said: string[] = []
    const ignore = () => undefined
    const log: Logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      // The first time it says that it waits, the database comes.
      warn(_data, message) {
        if (said.length === 0) door.listen(port, '127.0.0.1')
        said.push(message ?? '')
      },
    }
    const orm = await openOrm({ databaseUrl: late.href, dataDir: dir })
    await waitForDatabase(orm, { databaseUrl: late.href, databaseWaitSeconds: 60 }, log)
    assert.deepEqual(said, [`waiting for the database at 127.0.0.1:${port}`])
    await orm.close(true)
    door.close()
    await place.remove()
  })

  test('a wrong password, or a database that one may not use, is told at once', async () => {
    const place = await makePlace('served')
    const stranger = new URL(place.databaseUrl)
    stranger.username = `huike_${randomBytes(6).toString('hex')}`
    stranger.password = 'secret-word'
    assert.deepEqual(await start({ DATABASE_URL: stranger.href }), {
      code: 1,
      said: `The database at ${stranger.host} does not accept the user or the password of DATABASE_URL: correct them.\n`,
    })
    const admin = await connectMysql(place.databaseUrl)
    await admin.query('create user ?@? identified by ?', [stranger.username, '%', stranger.password])
    try {
      assert.deepEqual(await start({ DATABASE_URL: stranger.href }), {
        code: 1,
        said: `The user of DATABASE_URL may not use the database ${stranger.pathname.slice(1)} at ${stranger.host}, or it is not there: create it, and grant the user all rights on it.\n`,
      })
    } finally {
      await admin.query('drop user ?@?', [stranger.username, '%'])
      await admin.end()
      await place.remove()
    }
  })
}
