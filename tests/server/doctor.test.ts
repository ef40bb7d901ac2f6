/** Each line of the doctor with a fault of its own: it names it, and says how it is mended. It changes nothing. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { readEnv } from '../../core/src/config/env.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { checkAddress, checkPublicUrl } from '../../core/src/doctor/check-address.ts'
import { checkDatabase, checkServer } from '../../core/src/doctor/check-database.ts'
import { checkDisk, checkNode, checkStorage } from '../../core/src/doctor/check-machine.ts'
import { checkRedis } from '../../core/src/doctor/check-redis.ts'
import { Findings } from '../../core/src/doctor/findings.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { keepReports } from '../../core/src/domain/report/keep-reports.ts'
import { makePlace, type Place, type ProfileName, profiles } from '../support/profiles.ts'
import { proxyWithoutUpgrade } from '../support/without-upgrade.ts'
import { envFor, found, startWorld } from '../support/world.ts'

const root = mkdtempSync(join(tmpdir(), 'huike-doctor-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** The whole command, as an operator types it. */
const doctor = (more: Record<string, string>) =>
  new Promise<{ code: number; said: string }>((done) => {
    const env = { PATH: process.env.PATH ?? '', PORT: '0', HUB_PLUGINS_DIR: join(root, 'none'), ...more }
    execFile(process.execPath, [resolve(import.meta.dirname, '../../core/bin/doctor.ts')], { env }, (error, stdout) =>
      done({ code: error ? Number(error.code) : 0, said: stdout }),
    )
  })

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

const listen = (server: Server): Promise<number> => new Promise((done) => server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port)))
async function closedPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((done) => server.close(done))
  return port
}
/** Answers for as long as the test lasts: `/readyz` as the hub would, the rest with nothing. */
async function web(
  t: TestContext,
  statusOf: (path: string) => number,
  wordsOf = (path: string): string => (path === '/readyz' ? '{"ready":true,"checks":{}}' : ''),
) {
  const server = createHttp((request, answer) => answer.writeHead(statusOf(request.url ?? '')).end(wordsOf(request.url ?? '')))
  t.after(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${await listen(server)}`
}
const page = () => '<!doctype html><title>Welcome</title>'
/** Sends every request on, its path with it or not. */
async function sendingOn(t: TestContext, to: (path: string) => string): Promise<string> {
  const server = createHttp((request, answer) => answer.writeHead(301, { location: to(request.url ?? '') }).end())
  t.after(() => server.close().closeAllConnections())
  return `http://127.0.0.1:${await listen(server)}`
}
/** A Redis of another age, that forgets when it is full. */
async function oldRedis(t: TestContext): Promise<string> {
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      for (const command of data
        .toString()
        .toLowerCase()
        .match(/\binfo\b|\bconfig\b|\bclient\b/g) ?? [])
        socket.write(
          command === 'info'
            ? bulk('redis_version:5.0.3\r\nloading:0\r\n')
            : command === 'config'
              ? `*2\r\n${bulk('maxmemory-policy')}${bulk('allkeys-lru')}`
              : '+OK\r\n',
        )
    })
    socket.on('error', () => undefined)
    t.after(() => socket.destroy())
  })
  t.after(() => server.close())
  return `redis://127.0.0.1:${await listen(server)}`
}

interface Fault {
  what: string
  on?: ProfileName
  find(t: TestContext, findings: Findings): Promise<void> | void
  expect: ['warn' | 'bad', line: string, detail: RegExp, mend: RegExp]
}
const env = (more: Record<string, string>) => readEnv({ HUB_DATA: join(root, 'data'), HUB_PLUGINS_DIR: join(root, 'none'), ...more })
/** What the server says of itself, in the words of its row. */
const server = (row: Record<string, unknown>) =>
  ({ execute: async () => [{ version: '11.4.2-MariaDB', flush_log: 1, packet: 2 ** 26, now: Date.now(), ...row }] }) as unknown as Em

const machine: Fault[] = [
  { what: 'an old Node', find: (_t, f) => checkNode(f, 'v20.1.0'), expect: ['bad', 'Node', /v20/, /pinned Node 24/] },
  {
    what: 'a data folder that cannot be',
    find: (_t, f) => checkDisk(env({ HUB_DATA: '/dev/null/data' }), f),
    expect: ['bad', 'Disk', /\/dev\/null\/data: \w+/, /writable|HUB_DATA/],
  },
  { what: 'a full disk', find: (_t, f) => checkDisk(env({ HUB_DATA: root }), f, () => 2 ** 28), expect: ['warn', 'Disk', /0\.3 GB free/, /Free some space/] },
  {
    what: 'files that are no folder',
    async find(_t, f) {
      const HUB_DATA = join(root, 'no-folder')
      mkdirSync(HUB_DATA)
      writeFileSync(join(HUB_DATA, 'files'), '')
      await checkStorage(env({ HUB_DATA }), f)
    },
    expect: ['bad', 'Files', /on the disk: /, /HUB_DATA writable/],
  },
  {
    what: 'a plugin for another hub',
    async find(_t, f) {
      const dir = join(root, 'late')
      mkdirSync(dir)
      writeFileSync(join(dir, 'plugin.mjs'), "export default { id: 'late', version: '1.0.0', requires: { hub: '>=99' } }")
      await checkDatabase(env({ HUB_PLUGINS: dir }), false, f)
    },
    expect: ['bad', 'Plugin', /late: /, /HUB_PLUGIN_VERSION in core\/docs\/errors\.md/],
  },
  { what: 'an old server', find: (_t, f) => checkServer(server({ version: '5.7.44' }), f), expect: ['bad', 'Database', /5\.7/, /oldest that works/] },
  {
    what: 'a server that forgets',
    find: (_t, f) => checkServer(server({ flush_log: 2 }), f),
    expect: ['bad', 'Durability', /= 2/, /power cut/],
  },
  { what: 'small packets', find: (_t, f) => checkServer(server({ packet: 2 ** 20 }), f), expect: ['warn', 'Packets', /1048576/, /16M/] },
  { what: 'two clocks', find: (_t, f) => checkServer(server({ now: Date.now() + 60_000 }), f), expect: ['warn', 'Clock', /60 s off/, /NTP/] },
  {
    what: 'no Redis',
    find: async (_t, f) => checkRedis(env({ REDIS_URL: `redis://127.0.0.1:${await closedPort()}` }), f),
    expect: ['bad', 'Redis', /ECONNREFUSED|closed/, /REDIS_URL/],
  },
  { what: 'an old Redis', find: async (t, f) => checkRedis(env({ REDIS_URL: await oldRedis(t) }), f), expect: ['warn', 'Redis', /5\.0\.3/, /6\.2/] },
  {
    what: 'a Redis that evicts',
    find: async (t, f) => checkRedis(env({ REDIS_URL: await oldRedis(t) }), f),
    expect: ['warn', 'Queue', /allkeys-lru/, /noeviction/],
  },
  {
    what: 'no public address in production',
    find: (_t, f) => checkPublicUrl(env({}), true, f),
    expect: ['warn', 'Public URL', /not set/, /Set HUB_PUBLIC_URL/],
  },
  {
    what: 'no public address on the served profile',
    find: (_t, f) => checkPublicUrl(env({ DATABASE_URL: 'mysql://hub@db/hub' }), false, f),
    expect: ['warn', 'Public URL', /not set/, /Set HUB_PUBLIC_URL/],
  },
  {
    what: 'a public address where nobody is',
    find: async (_t, f) => checkAddress(env({ HUB_PUBLIC_URL: `http://127.0.0.1:${await closedPort()}` }), f),
    expect: ['bad', 'Address', /ECONNREFUSED/, /DNS, the proxy/],
  },
  {
    what: 'a port that another program has',
    async find(t, f) {
      const other = createServer((socket) => socket.destroy())
      t.after(() => other.close())
      await checkAddress(env({ PORT: String(await listen(other)) }), f)
    },
    expect: ['bad', 'Address', /taken by another program/, /another PORT/],
  },
  {
    what: 'a hub that is not ready',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await web(t, (path) => (path === '/readyz' ? 503 : 200)) }), f),
    expect: ['bad', 'Address', /says 503/, /findings above/],
  },
  {
    what: 'a proxy that does not pass /socket',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await web(t, (path) => (path === '/readyz' ? 200 : 404)) }), f),
    expect: ['bad', 'Sockets', /says 404/, /pass \/socket/],
  },
  {
    what: 'a proxy that passes /socket to another program',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await web(t, () => 200) }), f),
    expect: ['bad', 'Sockets', /answered by another program/, /pass \/socket/],
  },
  {
    what: 'a public address where another program says yes to everything',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await web(t, () => 200, page) }), f),
    expect: ['bad', 'Address', /says 200, .* another program answers there/, /set HUB_PUBLIC_URL to where it is reached/],
  },
  {
    what: 'a public address where another program speaks JSON',
    find: async (t, f) =>
      checkAddress(
        env({
          HUB_PUBLIC_URL: await web(
            t,
            () => 200,
            () => '{"ok":true}',
          ),
        }),
        f,
      ),
    expect: ['bad', 'Address', /another program answers there/, /HUB_PUBLIC_URL/],
  },
  {
    what: 'a proxy that finds no hub',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await web(t, () => 502, page) }), f),
    expect: ['bad', 'Address', /says 502, not in the hub/, /Start the hub/],
  },
  {
    what: 'a port where another web server is',
    find: async (t, f) => checkAddress(env({ PORT: new URL(await web(t, () => 200, page)).port }), f),
    expect: ['bad', 'Address', /another program answers there/, /another PORT/],
  },
  {
    what: 'a public address that sends on to another protocol',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await sendingOn(t, (path) => `https://chat.example.com${path}`) }), f),
    expect: ['bad', 'Address', /sends on to https:\/\/chat\.example\.com$/, /Set HUB_PUBLIC_URL to https:\/\/chat\.example\.com: /],
  },
  {
    what: 'a public address that sends everybody to another page',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: await sendingOn(t, () => '/login') }), f),
    expect: ['bad', 'Address', /says 301, .* another program answers there/, /HUB_PUBLIC_URL/],
  },
  {
    what: 'https where no TLS is spoken',
    find: async (t, f) => checkAddress(env({ HUB_PUBLIC_URL: (await web(t, () => 200)).replace('http:', 'https:') }), f),
    expect: ['bad', 'Address', /ERR_SSL/, /certificate/],
  },
  {
    what: 'an address for all without a public one',
    find: (_t, f) => checkPublicUrl(env({ HOST: '0.0.0.0' }), false, f),
    expect: ['warn', 'Public URL', /not set.*http:\/\/0\.0\.0\.0:3000$/, /Set HUB_PUBLIC_URL/],
  },
]

/** On a database that a hub has used: `spoil` it. On the served profile all share one, so `mend` makes it whole again. */
interface StoredFault extends Omit<Fault, 'find'> {
  spoil(em: Em, place: Place, profile: ProfileName): Promise<unknown>
  mend?(em: Em): Promise<unknown>
  env?: Record<string, string>
}
const stored: StoredFault[] = [
  {
    what: 'a file that is no database',
    on: 'embedded',
    spoil: async (_em, place) => writeFileSync(join(place.dataDir, 'hub.sqlite'), 'nothing of the kind, and long enough to be looked at'.repeat(100)),
    expect: ['bad', 'Database', /NOTADB|not a database/, /last backup/],
  },
  {
    what: 'a page that is not whole',
    on: 'embedded',
    async spoil(em, place) {
      await em.execute('pragma wal_checkpoint(truncate)')
      const [row] = (await em.execute("select rootpage as page from sqlite_schema where name = 'message_rev'")) as { page: number }[]
      const file = openSync(join(place.dataDir, 'hub.sqlite'), 'r+')
      writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, ((row?.page ?? 0) - 1) * 4_096)
      closeSync(file)
    },
    expect: ['bad', 'Integrity', /hub\.sqlite: /, /last backup/],
  },
  {
    what: 'a journal that is not write-ahead',
    on: 'embedded',
    spoil: (em) => em.execute('pragma journal_mode = delete'),
    expect: ['warn', 'Durability', /journal_mode is not wal/, /network drive/],
  },
  {
    what: 'a clock that went back',
    on: 'embedded',
    async spoil(em) {
      const [message] = await em.find(Message, {}, { limit: 1, disableIdentityMap: true })
      // An id begins with its time: this one lies thousands of years ahead.
      await em.nativeUpdate(Message, { id: message?.id }, { id: `7${message?.id.slice(1)}` })
    },
    expect: ['warn', 'Clock', /\d{9,} s from now/, /NTP/],
  },
  {
    what: 'a database that is away',
    on: 'served',
    spoil: async () => undefined,
    env: { DATABASE_URL: 'mysql://root@127.0.0.1:1/hub' },
    expect: ['bad', 'Database', /ECONNREFUSED/, /DATABASE_URL/],
  },
  {
    what: 'a migration that is missing',
    spoil: (em) => em.execute("delete from hub_migration where name = '0057-waiting-since'"),
    mend: (em) => em.execute("insert into hub_migration (owner, name, applied_at) values ('core', '0057-waiting-since', ?)", [new Date()]),
    expect: ['warn', 'Migrations', /1 of \d+ not applied/, /npm run migrate/],
  },
  {
    what: 'a schema that somebody changed',
    spoil: (em, _place, profile) => em.execute(`drop index message_rev${profile === 'served' ? ' on message' : ''}`),
    mend: (em) => em.execute('create index message_rev on message (conversation_id, rev)'),
    expect: ['bad', 'Schema', /message_rev/, /changed by hand/],
  },
  {
    what: 'work that nobody does',
    async spoil(em) {
      const at = new Date(Date.now() - 3 * 3_600_000)
      await em.insert(Outbound, { messageId: newId(), conversationId: newId(), seq: 1, state: 'queued', attempts: 0, dueAt: at, createdAt: at })
    },
    expect: ['warn', 'Due work', /1 messages to send \(the oldest for 3 h\)/, /Start the hub/],
  },
  {
    what: 'sums that are wrong',
    spoil: (em) => em.execute("update report_fact set cells = '{}'"),
    expect: ['bad', 'Reports', /1 of 1 conversations/, /--rebuild-reports/],
  },
  {
    what: 'a key that is not the one',
    spoil: async () => undefined,
    env: { HUB_SECRET: 'another-secret-that-is-just-as-long-as-it' },
    expect: ['bad', 'Data key', /index key does not open/, /Put the key|restore/],
  },
]

function assertFound(findings: Findings, [state, what, detail, mend]: Fault['expect']): void {
  const line = findings.all.find((one) => one.what === what && one.state !== 'ok')
  assert.ok(line, `no line of ${what} among ${JSON.stringify(findings.all)}`)
  assert.equal(line.state, state)
  assert.match(line.detail, detail)
  assert.match(line.mend ?? '', mend)
}

describe('the doctor', () => {
  for (const { what, find, expect } of machine)
    test(what, async (t) => {
      const findings = new Findings()
      await find(t, findings)
      assertFound(findings, expect)
    })

  test('a wrong certificate', { skip: process.env.TEST_REQUIRE !== 'all' && !hasOpenssl && 'openssl is not installed' }, async (t) => {
    const [key, cert] = [join(root, 'key.pem'), join(root, 'cert.pem')]
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost']
    execFileSync('openssl', [...made, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const server = createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, answer) => answer.end('{"ready":true,"checks":{}}'))
    t.after(() => server.close().closeAllConnections())
    const findings = new Findings()
    await checkAddress(env({ HUB_PUBLIC_URL: `https://127.0.0.1:${await listen(server)}` }), findings)
    assertFound(findings, ['bad', 'Address', /SELF_SIGNED/, /certificate/])
  })

  test('an address of this machine needs no public one', () => {
    for (const HOST of ['127.0.0.1', 'localhost', '::1']) {
      const findings = new Findings()
      checkPublicUrl(env({ HOST }), false, findings)
      assert.equal(findings.all[0]?.state, 'ok', HOST)
    }
  })

  test('nothing stands well at another program, and the command ends with 1', async (t) => {
    const { code, said } = await doctor({ HUB_DATA: join(root, 'another'), HUB_PUBLIC_URL: await web(t, () => 200, page) })
    assert.equal(code, 1, said)
    assert.match(said, / BAD {2}Address .*another program answers there\n +→ /)
    assert.doesNotMatch(said, /Sockets/)
  })

  test('an environment with faults', async () => {
    const { code, said } = await doctor({ PORT: 'many', DATABASE_URL: 'postgres://db', LOG_LEVEL: 'loud' })
    assert.equal(code, 1)
    for (const name of ['PORT', 'DATABASE_URL', 'LOG_LEVEL']) assert.match(said, new RegExp(`BAD {2}Environment {2}${name} .*\\n +→ See core/docs/env\\.md`))
    assert.match(said, /3 things are wrong/)
  })

  test('an empty folder stays empty, and one that is not there is not made', async () => {
    const empty = mkdtempSync(join(root, 'empty-'))
    const { code, said } = await doctor({ HUB_DATA: empty })
    assert.equal(code, 0)
    assert.match(said, / {2}ok {2}Database {5}SQLite: no database yet, npm start makes it/)
    assert.match(said, / {2}ok {2}Public URL {3}HUB_PUBLIC_URL is not set/)
    assert.match(said, /Nothing stands in the way/)
    assert.deepEqual(readdirSync(empty), [])
    const { said: later } = await doctor({ HUB_DATA: join(empty, 'later') })
    assert.match(later, / {2}ok {2}Disk .*not there yet: npm start makes it/)
    assert.deepEqual(readdirSync(empty), [])
  })
})

for (const profile of await profiles())
  describe(`the doctor at a hub [${profile}]`, () => {
    const none = { HUB_PLUGINS_DIR: join(root, 'none') }
    /** A hub that has heard one message and is closed again. */
    async function makeUsed(): Promise<Place> {
      const place = await makePlace(profile)
      const world = await startWorld(place, [found(mockChannel('mock').manifest)])
      await world.say(await world.inbox('mock'), 'visitor', '你好')
      await keepReports(world.hub, { until: performance.now() + 10_000 })
      await world.running.stop()
      return place
    }
    let shared: Promise<Place> | undefined
    after(async () => (await shared)?.remove())
    async function used(t: TestContext): Promise<Place> {
      if (profile === 'served') return (shared ??= makeUsed())
      const place = await makeUsed()
      t.after(() => place.remove())
      return place
    }

    test('a hub that runs is well, through a WebSocket', async (t) => {
      const place = await makePlace(profile)
      t.after(() => place.remove())
      const world = await startWorld(place, [])
      t.after(() => world.running.stop())
      const { code, said } = await doctor({
        HUB_DATA: place.dataDir,
        DATABASE_URL: place.databaseUrl,
        REDIS_URL: place.redisUrl,
        HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
        HUB_PUBLIC_URL: world.url,
      })
      assert.equal(code, 0, said)
      assert.doesNotMatch(said, /warn|BAD/)
      assert.match(said, /ok {2}Sockets {6}a WebSocket opens/)
      if (profile === 'embedded') {
        assert.match(said, /ok {2}Database {5}SQLite 3\.\d+\.\d+, \d+ MB in .*hub\.sqlite, \d+ MB free/)
        assert.match(said, /ok {2}Durability {3}journal_mode = wal, synchronous = full/)
        assert.match(said, /ok {2}Integrity/)
        assert.match(said, /ok {2}Clock/)
      }
    })

    test('a proxy that refuses Upgrade', async (t) => {
      const place = await makePlace(profile)
      t.after(() => place.remove())
      const world = await startWorld(place, [])
      t.after(() => world.running.stop())
      const proxy = await proxyWithoutUpgrade(world.url)
      t.after(() => proxy.close())
      const findings = new Findings()
      await checkAddress(envFor(place, { HUB_PUBLIC_URL: proxy.url }), findings)
      assertFound(findings, [profile === 'served' ? 'bad' : 'warn', 'Sockets', /no WebSocket opens/, /Upgrade and Connection/])
    })

    for (const { what, on, spoil, mend, env: more, expect } of stored)
      if (on === undefined || on === profile)
        test(what, async (t) => {
          const place = await used(t)
          const orm = await openOrm(place)
          await spoil(orm.em.fork() as Em, place, profile)
          await orm.close()
          t.after(async () => {
            if (profile === 'embedded' || !mend) return
            const again = await openOrm(place)
            await mend(again.em.fork() as Em)
            await again.close()
          })
          const file = join(place.dataDir, 'hub.sqlite')
          const before = profile === 'embedded' ? readFileSync(file) : undefined
          const findings = new Findings()
          await checkDatabase(envFor(place, { ...none, ...more }), false, findings)
          assertFound(findings, expect)
          if (before) assert.ok(before.equals(readFileSync(file)), 'the doctor changed the file')
        })
  })
