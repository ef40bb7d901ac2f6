/** Needs the bundled plugins. Their tables: every step from their first day leaves every row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { bundled as found } from '../support/bundled.ts'
import { fillTables, lostOf, rowsOf } from '../support/old-rows.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

const bundled = found.flatMap(({ manifest }) => manifest ?? [])

for (const profile of await profiles())
  test(`plugins, upgraded step by step [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const mysql = place.databaseUrl !== ''
    const orm = await openOrm(
      place,
      bundled.flatMap(({ entities }) => entities ?? []),
    )
    t.after(() => orm.close())
    const em = orm.em.fork() as Em
    await migrate(orm, mysql ? 'mysql' : 'sqlite', [coreHistory], silent)
    for (const { id, migrations: all = [] } of bundled) {
      for (let i = 0; i < all.length; i++) {
        const before = await fillTables(em, mysql)
        await migrate(orm, mysql ? 'mysql' : 'sqlite', [coreHistory, { owner: id, migrations: all.slice(0, i + 1) }], silent)
        assert.deepEqual(lostOf(before, await rowsOf(em, mysql)), [], `${id}/${all[i]?.name}`)
      }
    }
    assert.deepEqual(await schemaDrift(orm), [])
  })
