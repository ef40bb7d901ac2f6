/** Needs the bundled plugins. Their tables: every step from their first day leaves every row. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { bundled as found } from '../support/bundled.ts'
import { fillTables, lostOf, oldId, rowsOf } from '../support/old-rows.ts'
import { makePlace, type ProfileName, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

/** Tables that a step moves elsewhere on purpose; where to is tested by itself. */
const moved: Readonly<Record<string, ReadonlySet<string>>> = { 'app/0006-no-undelivered': new Set(['app_undelivered']) }

const bundled = found.flatMap(({ manifest }) => manifest ?? [])
type Bundled = (typeof bundled)[number]

/** A database without a table, for these plugins; it goes with the test. `upTo` brings the core's tables, and of a plugin the first steps. */
async function openFor(t: TestContext, profile: ProfileName, plugins: readonly Bundled[]) {
  const place = await makePlace(profile)
  t.after(() => place.remove())
  const orm = await openOrm(
    place,
    plugins.flatMap(({ entities }) => entities ?? []),
  )
  t.after(() => orm.close())
  const mysql = place.databaseUrl !== ''
  const upTo = ({ id, migrations = [] }: Bundled, steps = migrations.length) =>
    migrate(orm, mysql ? 'mysql' : 'sqlite', [coreHistory, { owner: id, migrations: migrations.slice(0, steps) }], silent)
  return { orm, em: orm.em.fork() as Em, mysql, upTo }
}
const named = (name: string): Bundled => bundled.find(({ id }) => id === name) ?? assert.fail(`${name} is not bundled`)

for (const profile of await profiles())
  test(`plugins, upgraded step by step [${profile}]`, async (t) => {
    const { orm, em, mysql, upTo } = await openFor(t, profile, bundled)
    for (const plugin of bundled) {
      await upTo(plugin, 0)
      for (const [i, { name }] of (plugin.migrations ?? []).entries()) {
        const before = await fillTables(em, mysql)
        await upTo(plugin, i + 1)
        const step = `${plugin.id}/${name}`
        assert.deepEqual(lostOf(before, await rowsOf(em, mysql), moved[step]), [], step)
      }
    }
    assert.deepEqual(await schemaDrift(orm), [])
  })

for (const profile of await profiles())
  test(`what an app had not taken before there was an outbox is in it, given up, to be tried again by hand [${profile}]`, async (t) => {
    const plugin = named('app')
    const { em, upTo } = await openFor(t, profile, [plugin])
    assert.equal(plugin.migrations?.[3]?.name, '0004-outbox')
    await upTo(plugin, 4)
    const at = new Date('2026-05-28T02:03:04.005Z')
    await em.execute('insert into `app_undelivered` (`inbox_id`, `webhook_id`, `type`, `body`, `created_at`) values (?, ?, ?, ?, ?)', [
      oldId,
      'msg_1',
      'message.created',
      '{"n":1}',
      at,
    ])
    await upTo(plugin)
    const rows = await em.execute('select `inbox_id`, `webhook_id`, `conversation_id`, `seq`, `type`, `body`, `state`, `attempts` from `app_outbox`')
    assert.deepEqual(
      rows.map((row: Record<string, unknown>) => Object.values(row).map(String)),
      [[oldId, 'msg_1', '', '0', 'message.created', '{"n":1}', 'given-up', '0']],
    )
  })

for (const profile of await profiles())
  test(`letters of conversations that went before the mailbox's plugin heard of it keep their hashes only [${profile}]`, async (t) => {
    const plugin = named('email')
    const { em, mysql, upTo } = await openFor(t, profile, [plugin])
    await upTo(plugin, 4)
    // One of everything, in one conversation, which is there; and beside it what another left.
    await fillTables(em, mysql)
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
    await upTo(plugin)
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

for (const profile of await profiles())
  test(`letters from before their place was noted have it afterwards, for what waits to be sent answers one of them [${profile}]`, async (t) => {
    const plugin = named('email')
    const { em, mysql, upTo } = await openFor(t, profile, [plugin])
    assert.equal(plugin.migrations?.[7]?.name, '0008-places')
    await upTo(plugin, 7)
    await fillTables(em, mysql, { 'message.seq': 42 })
    await upTo(plugin)
    assert.deepEqual(
      (await em.execute('select `seq` from `email_letter`')).map((row: Record<string, unknown>) => Number(row.seq)),
      [42],
    )
  })
