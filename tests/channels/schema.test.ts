/** The tables of the channel plugins are what their entities say, on both databases, and migrating twice changes nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EntitySchema } from '@mikro-orm/core'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import appPlugin from '../../plugins/app/plugin.ts'
import auditPlugin from '../../plugins/audit/plugin.ts'
import douyinPlugin from '../../plugins/douyin/plugin.ts'
import emailPlugin from '../../plugins/email/plugin.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import extractionPlugin from '../../plugins/extraction/plugin.ts'
import wechatPlugin from '../../plugins/wechat/plugin.ts'
import { dieAtEachStatement } from '../support/dying-migrations.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

for (const profile of await profiles())
  for (const { id, entities = [], migrations = [] } of [douyinPlugin, appPlugin, exportPlugin, extractionPlugin] as unknown as PluginManifest[])
    test(`the tables of ${id} [${profile}]`, async () => {
      const place = await makePlace(profile)
      const orm = await openOrm(place, entities as readonly EntitySchema[])
      const dialect = profile === 'embedded' ? 'sqlite' : 'mysql'
      const histories = [coreHistory, { owner: id, migrations }]
      try {
        await migrate(orm, dialect, histories, silent)
        assert.deepEqual(await schemaDrift(orm), [])
        assert.deepEqual(await migrate(orm, dialect, histories, silent), [])
      } finally {
        await orm.close()
        await place.remove()
      }
    })

if ((await profiles()).includes('served'))
  test('a process that dies at any statement of a plugin is followed by one that goes on there', async () => {
    const plugins = [douyinPlugin, appPlugin, exportPlugin, extractionPlugin, auditPlugin, emailPlugin, wechatPlugin] as unknown as PluginManifest[]
    const place = await makePlace('served')
    const orm = await openOrm(place, plugins.flatMap(({ entities = [] }) => entities) as readonly EntitySchema[])
    const histories = plugins.map(({ id, migrations = [] }) => ({ owner: id, migrations }))
    try {
      await migrate(orm, 'mysql', [coreHistory], silent)
      const statements = histories.flatMap(({ migrations }) => migrations.flatMap(({ mysql }) => mysql)).length
      assert.equal(await dieAtEachStatement(orm, (dying) => migrate(dying, 'mysql', histories, silent)), 2 * statements)
      assert.deepEqual(await schemaDrift(orm), [])
    } finally {
      await orm.close()
      await place.remove()
    }
  })
