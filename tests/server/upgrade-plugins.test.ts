/** Needs the bundled plugins. Their tables: every step from their first day leaves every row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { bundled as found } from '../support/bundled.ts'
import { fillTables, lostOf, oldId, rowsOf } from '../support/old-rows.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

/** Tables that a step moves elsewhere on purpose; where to is tested by itself. */
const moved: Readonly<Record<string, ReadonlySet<string>>> = { 'app/0006-no-undelivered': new Set(['app_undelivered']) }

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
        const step = `${id}/${all[i]?.name}`
        assert.deepEqual(lostOf(before, await rowsOf(em, mysql), moved[step]), [], step)
      }
    }
    assert.deepEqual(await schemaDrift(orm), [])
  })

for (const profile of await profiles())
  test(`what an app had not taken before there was an outbox is in it, given up, to be tried again by hand [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const { entities = [], migrations = [] } = bundled.find(({ id }) => id === 'app') ?? {}
    const orm = await openOrm(place, entities)
    t.after(() => orm.close())
    const em = orm.em.fork() as Em
    const before = migrations.slice(0, 4)
    assert.equal(before.at(-1)?.name, '0004-outbox')
    await migrate(orm, dialect, [coreHistory, { owner: 'app', migrations: before }], silent)
    const at = new Date('2026-05-28T02:03:04.005Z')
    await em.execute('insert into `app_undelivered` (`inbox_id`, `webhook_id`, `type`, `body`, `created_at`) values (?, ?, ?, ?, ?)', [
      oldId,
      'msg_1',
      'message.created',
      '{"n":1}',
      at,
    ])
    await migrate(orm, dialect, [coreHistory, { owner: 'app', migrations }], silent)
    const rows = await em.execute('select `inbox_id`, `webhook_id`, `conversation_id`, `seq`, `type`, `body`, `state`, `attempts` from `app_outbox`')
    assert.deepEqual(
      rows.map((row: Record<string, unknown>) => Object.values(row).map(String)),
      [[oldId, 'msg_1', '', '0', 'message.created', '{"n":1}', 'given-up', '0']],
    )
  })

for (const profile of await profiles())
  test(`letters of conversations that went before the mailbox's plugin heard of it keep their hashes only [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const { entities = [], migrations = [] } = bundled.find(({ id }) => id === 'email') ?? {}
    const orm = await openOrm(place, entities)
    t.after(() => orm.close())
    const em = orm.em.fork() as Em
    await migrate(orm, dialect, [coreHistory, { owner: 'email', migrations: migrations.slice(0, 4) }], silent)
    // One of everything, in one conversation, which is there; and beside it what another left.
    await fillTables(em, dialect === 'mysql')
    const gone = oldId.replace(/1$/, '2')
    const waits = oldId.replace(/1$/, '3')
    for (const [id, conversationId] of [
      [gone, gone],
      [waits, null],
    ])
      await em.execute(
        'insert into `email_letter` (`id`, `inbox_id`, `message_key`, `message_id`, `external_id`, `direction`, `conversation_id`, `from_address`, `subject`, `references`, `state`, `at`) select ?, `inbox_id`, `message_key`, `message_id`, `external_id`, `direction`, ?, `from_address`, `subject`, `references`, `state`, `at` from `email_letter` where `id` = ?',
        [id, conversationId, oldId],
      )
    await em.execute('insert into `email_participant` (`conversation_id`, `address`) values (?, ?)', [gone, 'who@customer.test'])
    await migrate(orm, dialect, [coreHistory, { owner: 'email', migrations }], silent)
    const letters = await em.execute('select `id`, `state`, `subject`, `from_address` from `email_letter` order by `id`')
    assert.deepEqual(
      letters.map((row: Record<string, unknown>) => [row.id, row.state === 'purged', row.subject === '', row.from_address === '']),
      [
        [oldId, false, false, false],
        [gone, true, true, true],
        [waits, false, false, false],
      ],
    )
    assert.deepEqual(
      (await em.execute('select `conversation_id` from `email_participant`')).map((row: Record<string, unknown>) => row.conversation_id),
      [oldId],
    )
  })
