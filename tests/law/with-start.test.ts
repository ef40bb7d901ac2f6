/** `start`: what must run as long as the plugin does; it returns its own undo. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { makePlace } from '../support/profiles.ts'
import { call, found, onEveryProfile, startWorld } from '../support/world.ts'

const diary: string[] = []
let weak = false
const fan = (id: string, requires: Record<string, string> = {}) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '风扇', en: 'Fan' },
    requires: { plugins: requires },
    routes: (app) => void app.get('/air', { config: { access: 'public' } }, async () => ({ ok: true })),
    async start() {
      diary.push(`${id} on`)
      if (id === 'weak' && weak) throw new Error('the fuse blew')
      return async () => {
        diary.push(`${id} off`)
        if (id === 'clumsy') throw new Error('fell off the table')
      }
    },
  })

await onEveryProfile(
  'start',
  [fan('engine'), fan('belt', { engine: '^1.0.0' }), fan('blade', { belt: '^1.0.0' }), fan('weak'), fan('clumsy')].map((m) => found(m)),
  (world, profile) => {
    const state = (id: string) =>
      world()
        .hub.kernel.status()
        .find((plugin) => plugin.id === id)
    const during = async (work: () => Promise<unknown>) => {
      const from = diary.length
      await work()
      return diary.slice(from)
    }
    const flip = (id: string, enabled: boolean) => during(() => world().hub.kernel.switch(id, enabled))

    test('the undo runs when it is switched off, once, and start when it is switched on', async () => {
      assert.deepEqual(await flip('weak', false), ['weak off'])
      assert.deepEqual(await flip('weak', false), [])
      assert.deepEqual(await flip('weak', true), ['weak on'])
      assert.deepEqual(await flip('weak', true), [])
    })

    test('off and on at the same time end as the last one said', async () => {
      const { kernel } = world().hub
      await Promise.all([kernel.switch('weak', false), kernel.switch('weak', true), kernel.switch('weak', false), kernel.switch('weak', true)])
      assert.equal(state('weak')?.state, 'running')
    })

    test('one that throws is shown as broken, with its error; the hub runs on; mended, it starts', async () => {
      weak = true
      await flip('weak', false)
      await flip('weak', true)
      assert.deepEqual([state('weak')?.state, state('weak')?.error?.code, state('weak')?.error?.message], ['broken', 'HUB_PLUGIN_BROKEN', 'the fuse blew'])
      assert.deepEqual([(await call(world().url, 'GET', '/api/x/weak/air')).status, (await call(world().url, 'GET', '/api/x/engine/air')).status], [404, 200])
      weak = false
      await flip('weak', true)
      assert.deepEqual([state('weak')?.state, state('weak')?.error], ['running', undefined])
    })

    test('an undo that throws stops nobody: it is off all the same', async () => {
      assert.deepEqual(await flip('clumsy', false), ['clumsy off'])
      assert.equal(state('clumsy')?.state, 'off')
      await flip('clumsy', true)
      assert.equal(state('clumsy')?.state, 'running')
    })

    test('who needs it goes off before it, however far away, and comes back after it', async () => {
      assert.deepEqual(await flip('engine', false), ['blade off', 'belt off', 'engine off'])
      assert.deepEqual(
        ['engine', 'belt', 'blade'].map((id) => state(id)?.state),
        ['off', 'broken', 'broken'],
      )
      assert.equal(state('blade')?.error?.code, 'HUB_PLUGIN_MISSING')
      assert.deepEqual(await flip('engine', true), ['engine on', 'belt on', 'blade on'])
    })

    test('who was switched off by hand does not come back with what it needs', async () => {
      await flip('blade', false)
      await flip('engine', false)
      assert.deepEqual(await flip('engine', true), ['engine on', 'belt on'])
      assert.deepEqual(await flip('blade', true), ['blade on'])
    })

    test('the switch is remembered by the next start, and a hub that stops undoes in reverse', async () => {
      const place = await makePlace(profile)
      const plugins = [fan('first'), fan('second')].map((manifest) => found(manifest))
      const before = await startWorld(place, plugins)
      await before.hub.kernel.switch('first', false)
      await before.hub.kernel.switch('first', true)
      await before.hub.kernel.switch('second', false)
      await before.running.stop()
      const after = await startWorld(place, plugins)
      assert.deepEqual(
        after.hub.kernel.status().map((plugin) => plugin.state),
        ['running', 'off'],
      )
      await after.hub.kernel.switch('second', true)
      assert.deepEqual(await during(() => after.running.stop()), ['second off', 'first off'])
      await place.remove()
    })
  },
)
