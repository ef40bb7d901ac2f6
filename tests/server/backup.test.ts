/** docker/backup.sh against a MariaDB of its own making and unmaking: what it keeps, what it refuses, and that both sides agree. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type Connection, createConnection } from 'mysql2/promise'
import { makePlace, type Place, profiles } from '../support/profiles.ts'

const script = resolve(import.meta.dirname, '../../docker/backup.sh')
const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const missing = !has('mariadb-dump') ? 'mariadb-dump is not installed' : (await profiles()).includes('served') ? undefined : 'MariaDB and Redis do not answer'
if (missing) console.error(`\n!! NOT RUN: docker/backup.sh: ${missing}`)
// Where one profile was asked for, it is not this one's.
if (missing && process.env.TEST_REQUIRE === 'all' && !process.env.TEST_PROFILE) test('docker/backup.sh', () => assert.fail(missing))

const day = 86_400_000
/** As the script names a moment. */
const stamp = (at: number) => `${new Date(at).toISOString().slice(0, 19).replaceAll(':', '')}Z`

describe('docker/backup.sh', { skip: missing }, () => {
  let source: Place
  let target: Place
  const folders: string[] = []
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), 'huike-backups-'))
    folders.push(made)
    return made
  }
  function run(place: Place, backups: string, args: string[], more: Record<string, string> = {}) {
    const { hostname, port, username, password, pathname } = new URL(place.databaseUrl)
    const env = {
      ...{ PATH: process.env.PATH ?? '', BACKUP_DIR: backups, DATA_DIR: place.dataDir, MARIADB_HOST: hostname, MARIADB_PORT: port || '3306' },
      ...{ MARIADB_DATABASE: pathname.slice(1), MARIADB_USER: username, MARIADB_PASSWORD: decodeURIComponent(password), ...more },
    }
    const { status, stdout, stderr } = spawnSync('sh', [script, ...args], { env, encoding: 'utf8' })
    return { status, said: stdout.trim(), fault: stderr.trim() }
  }
  /** Makes one, and tells its name. */
  function make(backups: string, more: Record<string, string> = {}): string {
    const { status, fault } = run(source, backups, ['now'], more)
    assert.equal(status, 0, fault)
    return run(source, backups, ['list']).said.split('\n').at(-1) ?? ''
  }
  async function on<T>(place: Place, work: (db: Connection) => Promise<T>): Promise<T> {
    const db = await createConnection(place.databaseUrl)
    try {
      return await work(db)
    } finally {
      await db.end()
    }
  }
  const rows = (place: Place) => on(place, async (db) => (await db.query('select id, words, hex(bytes) as bytes from message order by id'))[0])
  const picture = randomBytes(100_000)

  before(async () => {
    source = await makePlace('served', { empty: true })
    target = await makePlace('served', { empty: true })
    await on(source, async (db) => {
      await db.query('create table message (id int primary key, words varchar(80) not null, bytes blob not null)')
      await db.query('insert into message values ?', [
        [
          [1, '您的订单已发货 🚚 \'`"\\', Buffer.from([0, 10, 13, 26, 39, 92, 255])],
          ...Array.from({ length: 2_000 }, (_, i) => [i + 2, `第 ${i} 条`, randomBytes(40)]),
        ],
      ])
    })
    mkdirSync(join(source.dataDir, 'files/ab'), { recursive: true })
    writeFileSync(join(source.dataDir, 'files/ab/abcd'), picture, { mode: 0o600 })
    mkdirSync(join(source.dataDir, 'uploads'))
    writeFileSync(join(source.dataDir, 'uploads/half'), 'on its way')
    writeFileSync(join(source.dataDir, 'secret.key'), 'the key')
  })
  after(async () => {
    await source?.remove()
    await target?.remove()
    for (const one of folders) rmSync(one, { recursive: true, force: true })
  })

  test('what was backed up is what is restored: rows, bytes and files, in place of what was there', async () => {
    const backups = folder()
    const name = make(backups)
    assert.deepEqual(readdirSync(join(backups, name)).sort(), ['SHA256SUMS', 'database.sql.gz', 'files.tar.gz'])
    // Nobody else on the machine reads it, the hub's group does.
    assert.deepEqual(
      [name, join(name, 'files.tar.gz')].map((path) => statSync(join(backups, path)).mode & 0o777),
      [0o750, 0o640],
    )
    const archive = gunzipSync(readFileSync(join(backups, name, 'files.tar.gz')))
    assert.deepEqual(
      ['abcd', 'uploads', 'secret.key'].map((word) => archive.includes(word)),
      [true, false, false],
    )

    await on(target, (db) => db.query('create table leftover (id int primary key)'))
    const { status, fault } = run(target, backups, ['restore', name])
    assert.equal(status, 0, fault)
    assert.deepEqual(await rows(target), await rows(source))
    const [tables] = await on(target, (db) => db.query('show tables'))
    assert.equal((tables as unknown[]).length, 1)
    const [[{ collation }]] = (await on(target, (db) => db.query('select @@collation_database as collation'))) as unknown as [[{ collation: string }]]
    assert.equal(collation, 'utf8mb4_bin')
    assert.deepEqual(readFileSync(join(target.dataDir, 'files/ab/abcd')), picture)
    assert.equal(statSync(join(target.dataDir, 'files/ab/abcd')).mode & 0o777, 0o600)
  })

  test('nothing is touched for a backup that is damaged or not there, or while a hub works on the database', async () => {
    const backups = folder()
    const name = make(backups)
    await on(target, (db) => db.query('create table if not exists kept (id int primary key)'))
    const isKept = () => on(target, async (db) => ((await db.query("show tables like 'kept'"))[0] as unknown[]).length === 1)
    const refused = async (which: string, words: RegExp) => {
      const { status, fault } = run(target, backups, ['restore', which])
      assert.equal(status, 1)
      assert.match(fault, words)
      assert.ok(await isKept())
    }
    await on(target, () => refused(name, /stop web and worker first/))
    await refused('2020-01-01T000000Z', /there is no backup 2020/)
    const dump = join(backups, name, 'database.sql.gz')
    const whole = readFileSync(dump)
    writeFileSync(dump, whole.subarray(0, whole.length - 100))
    await refused(name, /is damaged; nothing was touched/)
    const files = join(backups, name, 'files.tar.gz')
    writeFileSync(dump, whole)
    writeFileSync(files, Buffer.concat([readFileSync(files), Buffer.from('x')]))
    await refused(name, /is damaged; nothing was touched/)
  })

  test('a backup that could not be made whole is none, says so, and costs no older one', () => {
    const backups = folder()
    const old = join(backups, stamp(Date.now() - 40 * day))
    mkdirSync(old)
    utimesSync(old, new Date(Date.now() - 40 * day), new Date(Date.now() - 40 * day))
    for (const [name, value] of [
      ['MARIADB_DATABASE', 'huike_none'],
      ['DATA_DIR', '/nowhere'],
    ] as const) {
      const { status } = run(source, backups, ['now'], { [name]: value })
      assert.notEqual(status, 0)
      assert.equal(run(source, backups, ['list']).said, old.slice(backups.length + 1))
    }
    const { status, fault } = run(source, backups, ['check'])
    assert.equal(status, 1)
    assert.match(fault, /there is no backup of today/)
  })

  test('those of the last days are kept, older ones and broken ones go once a new one is there', () => {
    const backups = folder()
    const lay = (name: string, days: number) => {
      const at = new Date(Date.now() - days * day - 60_000)
      mkdirSync(join(backups, name))
      utimesSync(join(backups, name), at, at)
      return name
    }
    const [gone, kept] = [lay(stamp(Date.now() - 3 * day), 3), lay(stamp(Date.now() - 2 * day), 2)]
    const [broken, mine] = [lay(`.${stamp(Date.now() - 2 * day)}`, 2), lay('before-the-move', 90)]
    const name = make(backups, { BACKUP_KEEP: '3' })
    assert.deepEqual(
      [gone, kept, broken, mine, name].map((one) => existsSync(join(backups, one))),
      [false, true, false, true, true],
    )
    assert.equal(run(source, backups, ['list']).said, `${kept}\n${name}`)
    assert.equal(run(source, backups, ['check']).status, 0)
  })

  test('it is time when the hour has come since the last one, or there is none', () => {
    const backups = folder()
    const due = (hour: number) => run(source, backups, ['due'], { BACKUP_HOUR: String(hour) }).status === 0
    const now = new Date()
    // On both sides of it, far enough from the turn of an hour.
    const [past, coming] = [(now.getUTCHours() + 22) % 24, (now.getUTCHours() + 2) % 24]
    assert.equal(due(past), true)
    const last = (hours: number) => {
      rmSync(backups, { recursive: true })
      mkdirSync(join(backups, stamp(now.getTime() - hours * 3_600_000)), { recursive: true })
    }
    last(0)
    assert.deepEqual([due(past), due(coming)], [false, false])
    last(3)
    assert.deepEqual([due(past), due(coming)], [true, false])
    last(30)
    assert.deepEqual([due(past), due(coming)], [true, true])
  })
})
