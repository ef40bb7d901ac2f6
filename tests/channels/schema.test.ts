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
import douyinPlugin from '../../plugins/douyin/plugin.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import extractionPlugin from '../../plugins/extraction/plugin.ts'
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
