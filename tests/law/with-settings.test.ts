/** `settings`: one schema fills defaults, checks what is saved, and keeps secrets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { definePlugin, type PluginManifest } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { pluginStateStore } from '../../core/src/domain/setting/plugin-state.ts'
import { PluginState } from '../../core/src/domain/setting/setting.entity.ts'
import { kernelOf } from '../support/kernel.ts'
import { makePlace } from '../support/profiles.ts'
import { call, found, onEveryProfile, startWorld } from '../support/world.ts'

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

const nested = definePlugin({
  id: 'nested',
  version: '1.0.0',
  label: { zh: '嵌套', en: 'Nested' },
  settings: Type.Object({
    targets: Type.Array(Type.Object({ url: Type.String(), auth: Type.Object({ token: Type.String({ format: 'secret' }) }) }), { default: [] }),
    byCity: Type.Record(Type.String(), Type.String({ format: 'secret' }), { default: {} }),
  }),
})

const waiting = definePlugin({
  id: 'waiting',
  version: '1.0.0',
  label: { zh: '等待', en: 'Waiting' },
  settings: Type.Object({
    login: Type.Union([Type.Literal('none'), Type.Literal('password'), Type.Literal('oauth')], { default: 'none' }),
    user: Type.String({ minLength: 1, 'x-when': { field: 'login', is: ['password', 'oauth'] } }),
    password: Type.String({ format: 'secret', minLength: 8, 'x-when': { field: 'login', is: ['password'] } }),
    // A chain: shown only while what it waits for is shown itself.
    hint: Type.String({ minLength: 1, default: '无', 'x-when': { field: 'user', is: ['root'] } }),
    tenant: Type.Optional(Type.String({ pattern: '^[a-z]+$', 'x-when': { field: 'login', is: ['oauth'] } })),
  }),
})

await onEveryProfile(
  'settings',
  [strict, nested, waiting, ...['fresh', 'faulty', 'secret', 'kept'].map(weather)].map((manifest) => found(manifest)),
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

    test('a field that waits for another is asked for and checked only while it is shown; what stood in it is kept, if it fits', async () => {
      const faults = async (body: object) => {
        const answer = await save('waiting', body)
        return answer.status === 200 ? [] : answer.body.details.faults.map(({ path }: { path: string }) => path).sort()
      }
      assert.deepEqual(await faults({}), [])
      assert.deepEqual(settingsOf('waiting'), { login: 'none', hint: '无' })
      assert.deepEqual(await faults({ login: 'password' }), ['/password', '/user'])
      assert.deepEqual(await faults({ login: 'oauth', tenant: 'UPPER' }), ['/tenant', '/user'])
      assert.deepEqual(await faults({ login: 'password', user: 'li', password: 'longenough', hint: '' }), [])
      assert.deepEqual(settingsOf('waiting'), { login: 'password', user: 'li', password: 'longenough', hint: '无' })
      // As the form sends it: the secret was not touched, and waits for the day it is wanted again.
      assert.deepEqual(await faults({ login: 'oauth', user: 'li', password: true, tenant: 'shop' }), [])
      assert.deepEqual(settingsOf('waiting'), { login: 'oauth', user: 'li', password: 'longenough', tenant: 'shop', hint: '无' })
      assert.deepEqual(await faults({ login: 'none', user: 'root', password: 'short', tenant: 'UPPER', hint: '' }), [])
      assert.deepEqual(settingsOf('waiting'), { login: 'none', user: 'root', hint: '无' })
      assert.deepEqual(await faults({ login: 'oauth', user: 'root', hint: '' }), ['/hint'])
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

    test('settings saved in one process, and a switch thrown in another at the same time: both stay', async () => {
      const manifest = weather('shared') as unknown as PluginManifest
      const store = pluginStateStore(world().hub)
      const [one, other] = [kernelOf([manifest], {}, store), kernelOf([manifest], {}, store)]
      await Promise.all([one.start(), other.start()])
      for (const [round, enabled] of [false, true, false].entries()) {
        await Promise.all([one.configure('shared', { city: `第 ${round} 城` }), other.switch('shared', enabled)])
        const { settings, enabled: kept } = await world().hub.em().findOneOrFail(PluginState, { id: 'shared' }, { disableIdentityMap: true })
        assert.deepEqual([settings.city, kept], [`第 ${round} 城`, enabled])
      }
      await Promise.all([one.refresh(), other.refresh()])
      assert.deepEqual([one.settingsFor('shared').city, other.settingsFor('shared').city], ['第 2 城', '第 2 城'])
      assert.deepEqual([one.status()[0]?.state, other.status()[0]?.state], ['off', 'off'])
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

    test('nested secrets are sealed at any depth, never read back, and kept by what stands around them', async () => {
      const target = (url: string, token: string | true) => ({ url, auth: { token } })
      const values = { targets: [target('https://a.cn', 'secret-a'), target('https://b.cn', 'secret-b')], byCity: { 杭州: 'secret-h' } }
      assert.equal((await save('nested', values)).status, 200)
      assert.deepEqual(settingsOf('nested'), values)
      const [row] = await world().hub.em().execute('select settings from plugin_state where id = ?', ['nested'])
      assert.match(String(row?.settings), /a\.cn/)
      assert.doesNotMatch(String(row?.settings), /secret-/)
      assert.deepEqual(await shown('nested'), { targets: [target('https://a.cn', true), target('https://b.cn', true)], byCity: { 杭州: true } })
      // The first is removed, the other keeps its own.
      assert.equal((await save('nested', { targets: [target('https://b.cn', true)], byCity: { 杭州: true } })).status, 200)
      assert.deepEqual(settingsOf('nested'), { targets: [target('https://b.cn', 'secret-b')], byCity: { 杭州: 'secret-h' } })
      // Changed in its place, it keeps it; a new one has none to keep.
      assert.equal((await save('nested', { targets: [target('https://b.com', true)], byCity: {} })).status, 200)
      assert.deepEqual(settingsOf('nested')?.targets, [target('https://b.com', 'secret-b')])
      const { status, body } = await save('nested', { targets: [target('https://b.com', true), target('https://evil.cn', true)], byCity: {} })
      assert.deepEqual([status, body.code, body.details.faults[0].path], [422, 'HUB_SETTINGS_INVALID', '/targets/1/auth/token'])
    })

    test('an inbox whose secrets were sealed with another key stands still alone, and is well when they are entered again or the key is back', async () => {
      const place = await makePlace(profile)
      const other = { HUB_SECRET: 'another-secret-of-the-tests-long-enough' }
      const plugins = [found(mockChannel().manifest)]
      const before = await startWorld(place, plugins)
      const lost = await before.inbox('mock', { secret: 'old-secret-1' })
      await before.running.stop()
      const moved = await startWorld(place, plugins, other)
      const fine = await moved.inbox('mock', { secret: 'new-secret-2' })
      const ctx = moved.hub.kernel.get('mock')?.ctx
      assert.deepEqual(
        (await ctx?.inboxes())?.map((inbox) => inbox.id),
        [fine.id],
      )
      assert.equal(await ctx?.inbox(lost.id), undefined)
      const owner = await moved.person('小常', 'owner')
      const listed = async () => (await owner.call('GET', '/api/inboxes')).body.items.map((inbox: any) => [inbox.id, inbox.needsSecrets, inbox.settings.secret])
      assert.deepEqual(await listed(), [
        [lost.id, true, true],
        [fine.id, false, true],
      ])
      const webhook = await call(moved.url, 'POST', `/api/channels/mock/${lost.id}`, {})
      assert.deepEqual([webhook.status, webhook.body.code], [409, 'HUB_SETTINGS_SEALED'])
      // Saving something else harms nothing: with the old key back it opens again.
      assert.equal((await owner.call('PATCH', `/api/inboxes/${lost.id}`, { name: '改名', settings: { secret: true } })).body.needsSecrets, true)
      await moved.running.stop()
      const back = await startWorld(place, plugins)
      assert.equal((await back.hub.kernel.get('mock')?.ctx.inbox(lost.id))?.settings.secret, 'old-secret-1')
      await back.running.stop()
      const again = await startWorld(place, plugins, other)
      const patched = await (await again.person('小常', 'owner')).call('PATCH', `/api/inboxes/${lost.id}`, { settings: { secret: 'fresh-secret' } })
      assert.equal(patched.body.needsSecrets, false)
      assert.equal((await again.hub.kernel.get('mock')?.ctx.inbox(lost.id))?.settings.secret, 'fresh-secret')
      await again.running.stop()
      await place.remove()
    })

    test('only who may manage plugins may configure them', async () => {
      const agent = await world().person('小何')
      assert.equal((await agent.call('PUT', '/api/plugins/faulty/settings', { city: '北京' })).status, 403)
    })
  },
)
