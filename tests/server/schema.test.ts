/** Entities and schema agree on both databases, migrating twice changes nothing, and an upgrade keeps data. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { Tag } from '../../core/src/domain/tag/tag.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

for (const profile of await profiles())
  test(`the schema [${profile}]`, async () => {
    const place = await makePlace(profile)
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
