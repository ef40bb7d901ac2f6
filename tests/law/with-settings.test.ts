/** `settings`: one schema fills defaults, checks what is saved, and keeps secrets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { PluginState } from '../../core/src/domain/setting/setting.entity.ts'
import { makePlace } from '../support/profiles.ts'
import { found, onEveryProfile, startWorld } from '../support/world.ts'

const weather = (id: string) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '天气', en: 'Weather' },
    settings: Type.Object({
      city: Type.String({ default: '上海', minLength: 1 }),
      days: Type.Integer({ default: 3, minimum: 1, maximum: 7 }),
      apiKey: Type.String({ format: 'secret', default: '' }),
    }),
  })

const strict = definePlugin({
  id: 'strict',
  version: '1.0.0',
  label: { zh: '严格', en: 'Strict' },
  settings: Type.Object({ station: Type.String(), mirror: Type.Optional(Type.String()) }),
})

await onEveryProfile(
  'settings',
  [strict, ...['fresh', 'faulty', 'secret', 'kept'].map(weather)].map((manifest) => found(manifest)),
  (world, profile) => {
    const settingsOf = (id: string) =>
      world()
        .hub.kernel.all()
        .find(({ manifest }) => manifest.id === id)?.ctx.settings
    const save = async (id: string, body: unknown) => (await world().person('小林', 'owner')).call('PUT', `/api/plugins/${id}/settings`, body)
    const shown = async (id: string) => {
      const { body } = await (await world().person('小林', 'owner')).call('GET', '/api/plugins')
      return body.items.find((plugin: { id: string }) => plugin.id === id).settings
    }

    test('a plugin nobody has configured reads its defaults, and so does the form', async () => {
      assert.deepEqual(settingsOf('fresh'), { city: '上海', days: 3, apiKey: '' })
      assert.deepEqual(await shown('fresh'), { city: '上海', days: 3, apiKey: '' })
    })

    test('what does not fit the schema is refused, every field by name, and nothing is kept', async () => {
      const { status, body } = await save('faulty', { city: '', days: 9 })
      assert.deepEqual([status, body.code], [422, 'HUB_SETTINGS_INVALID'])
      assert.deepEqual(body.details.faults.map((fault: { path: string }) => fault.path).sort(), ['/city', '/days'])
      assert.deepEqual(settingsOf('faulty'), { city: '上海', days: 3, apiKey: '' })
    })

    test('a field that must be given and is not is named as well; what no field knows is dropped', async () => {
      const { status, body } = await save('strict', {})
      assert.deepEqual([status, body.details.faults.map((fault: { path: string }) => fault.path)], [422, ['/station']])
      assert.equal((await save('strict', { station: '虹桥', colour: '红' })).status, 200)
      assert.deepEqual(settingsOf('strict'), { station: '虹桥' })
    })

    test('a secret is clear to the plugin, sealed in the database, and never read back', async () => {
      assert.equal((await save('secret', { city: '杭州', apiKey: 'k-20-明文' })).status, 200)
      assert.deepEqual(settingsOf('secret'), { city: '杭州', days: 3, apiKey: 'k-20-明文' })
      assert.deepEqual(await shown('secret'), { city: '杭州', days: 3, apiKey: true })
      const [row] = await world().hub.em().execute('select settings from plugin_state where id = ?', ['secret'])
      assert.match(String(row?.settings), /杭州/)
      assert.match(String(row?.settings), /sealed:/)
      assert.doesNotMatch(String(row?.settings), /k-20/)
    })

    test('`true` keeps the secret that is there, a new text replaces it, an empty one clears it', async () => {
      await save('kept', { apiKey: 'old' })
      await save('kept', { city: '苏州', apiKey: true })
      assert.deepEqual(settingsOf('kept'), { city: '苏州', days: 3, apiKey: 'old' })
      await save('kept', { apiKey: 'new' })
      assert.equal(settingsOf('kept')?.apiKey, 'new')
      await save('kept', { apiKey: '' })
      assert.deepEqual([settingsOf('kept')?.apiKey, (await shown('kept')).apiKey], ['', ''])
      assert.equal(await world().hub.em().count(PluginState, { id: 'kept' }), 1)
    })

    test('secrets sealed with another key than the hub has now break their plugin, not the hub', async () => {
      const place = await makePlace(profile)
      const before = await startWorld(place, [found(weather('moved')), found(weather('calm'))])
      await before.hub.kernel.configure('moved', { apiKey: 'sealed with the old one' })
      await before.running.stop()
      const after = await startWorld(place, [found(weather('moved')), found(weather('calm'))], { HUB_SECRET: 'another-secret-of-the-tests-long-enough' })
      assert.deepEqual(
        after.hub.kernel.status().map((plugin) => plugin.state),
        ['broken', 'running'],
      )
      await after.hub.kernel.configure('moved', { apiKey: 'new' })
      await after.hub.kernel.switch('moved', true)
      assert.deepEqual(after.hub.kernel.get('moved')?.ctx.settings.apiKey, 'new')
      await after.running.stop()
      await place.remove()
    })

    test('only who may manage plugins may configure them', async () => {
      const agent = await world().person('小何')
      assert.equal((await agent.call('PUT', '/api/plugins/faulty/settings', { city: '北京' })).status, 403)
    })
  },
)
