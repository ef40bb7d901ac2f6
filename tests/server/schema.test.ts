/** Entities and schema agree on both databases, migrating twice changes nothing, and an upgrade keeps data. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em, Orm } from '../../core/src/db/orm.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Tag } from '../../core/src/domain/tag/tag.entity.ts'
import { until } from '../chaos/tools.ts'
import { dieAtEachStatement } from '../support/dying-migrations.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

for (const profile of await profiles())
  test(`the schema [${profile}]`, async () => {
    const place = await makePlace(profile, { empty: true })
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const orm = await openOrm(place)
    try {
      assert.deepEqual(
        await migrate(orm, dialect, [coreHistory], silent),
        coreHistory.migrations.map(({ name }) => `core/${name}`),
      )
      assert.deepEqual(await schemaDrift(orm), [])
      assert.deepEqual(await migrate(orm, dialect, [coreHistory], silent), [])

      const em = orm.em.fork() as Em
      await em.insert(Tag, { id: newId(), name: '老客户', system: false, createdAt: new Date() })
      const add = 'alter table `tag` add column `colour` varchar(10) null'
      const upgrade = { owner: 'core', migrations: [...coreHistory.migrations, { name: '9999-test', mysql: [add], sqlite: [add] }] }
      // Two processes start at once after an upgrade: one migrates, the other waits and finds it done.
      const other = await openOrm(place)
      const ran =
        profile === 'served'
          ? (await Promise.all([orm, other].map((each) => migrate(each, dialect, [upgrade], silent)))).flat()
          : await migrate(orm, dialect, [upgrade], silent)
      await other.close()
      assert.deepEqual(ran, ['core/9999-test'])
      assert.equal((await em.findOneOrFail(Tag, { name: '老客户' }, { disableIdentityMap: true })).system, false)
    } finally {
      await orm.close()
      await place.remove()
    }
  })

if ((await profiles()).includes('served')) {
  const core = [coreHistory]
  const statements = coreHistory.migrations.reduce((sum, { mysql }) => sum + mysql.length, 0)
  /** A database of its own, opened. */
  const opened = async (work: (orm: Orm, place: Awaited<ReturnType<typeof makePlace>>) => Promise<void>) => {
    const place = await makePlace('served', { empty: true })
    const orm = await openOrm(place)
    try {
      await work(orm, place)
    } finally {
      await orm.close()
      await place.remove()
    }
  }
  const leftOver = (orm: Orm) => readRaw(orm.em.fork() as Em, sql`select owner, name, done from hub_migration_step`)

  test('a process that dies at any statement of a migration is followed by one that goes on there', () =>
    opened(async (orm) => {
      assert.equal(await dieAtEachStatement(orm, (dying) => migrate(dying, 'mysql', core, silent)), 2 * statements)
      assert.deepEqual(await schemaDrift(orm), [])
      assert.deepEqual(await leftOver(orm), [])
      assert.deepEqual(await migrate(orm, 'mysql', core, silent), [])
    }))

  test('a process that is killed while it migrates is followed by one that ends it', () =>
    opened(async (orm, place) => {
      const tables = async () =>
        Number(
          (await readRaw<{ n: number }>(orm.em.fork() as Em, sql`select count(*) as n from information_schema.tables where table_schema = database()`))[0]?.n,
        )
      for (const at of [5, 19, 40]) {
        const child = spawn(process.execPath, ['core/bin/migrate.ts'], {
          env: {
            ...process.env,
            NODE_OPTIONS: '',
            HUB_DATA: place.dataDir,
            DATABASE_URL: place.databaseUrl,
            REDIS_URL: place.redisUrl,
            HUB_PLUGINS_DIR: place.dataDir,
          },
          stdio: ['ignore', 'ignore', 'inherit'],
        })
        const ended = new Promise((done) => child.once('exit', (code) => done(code)))
        await until(`table ${at}`, 60_000, async () => (await tables()) >= at || child.exitCode !== null)
        child.kill('SIGKILL')
        assert.equal(await ended, null, 'it was killed')
      }
      await migrate(orm, 'mysql', core, silent)
      assert.deepEqual(await schemaDrift(orm), [])
      assert.deepEqual(await leftOver(orm), [])
    }))

  test('a migration that the database refuses is refused at the next start too, and goes on once it is mended', () =>
    opened(async (orm) => {
      const em = orm.em.fork() as Em
      await em.execute('create table `shop_goods` (`id` int not null)')
      const mysql = ['create table `shop_order` (`id` int not null)', 'create table `shop_goods` (`id` int not null, `price` int not null)']
      const shop = [{ owner: 'shop', migrations: [{ name: '0001-shop', mysql, sqlite: [] }] }]
      for (let start = 0; start < 2; start++) await assert.rejects(migrate(orm, 'mysql', shop, silent), { code: 'ER_TABLE_EXISTS_ERROR' })
      await em.execute('drop table `shop_goods`')
      assert.deepEqual(await migrate(orm, 'mysql', shop, silent), ['shop/0001-shop'])
      await em.execute('insert into `shop_goods` (`id`, `price`) values (1, 2)')
    }))
}
