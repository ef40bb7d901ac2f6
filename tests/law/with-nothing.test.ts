/** No plugins at all: the hub boots, is ready, and its own people can work. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { call, onEveryProfile } from '../support/world.ts'

await onEveryProfile('nothing', [], (world) => {
  test('it is alive and ready', async () => {
    const ready = await call(world().url, 'GET', '/readyz')
    assert.deepEqual([ready.status, ready.body.ready], [200, true])
    assert.equal((await call(world().url, 'GET', '/healthz')).status, 200)
  })

  test('the first owner can be made, signs in, and finds no plugin and no conversation', async () => {
    const owner = await world().person('小章', 'owner')
    assert.deepEqual((await owner.call('GET', '/api/plugins')).body.items, [])
    const list = await owner.call('GET', '/api/conversations')
    assert.deepEqual([list.status, list.body.items], [200, []])
  })

  test('the core’s entities and migrations say the same', async () => {
    assert.deepEqual(await schemaDrift(world().hub.orm), [])
  })

  test('its background work finds nothing to do', async () => {
    await world().running.sweep()
  })

  test('what no plugin answers is 404, not an error', async () => {
    assert.equal((await call(world().url, 'GET', '/api/x/anything')).status, 404)
    assert.equal((await call(world().url, 'POST', `/api/channels/anything/${'0'.repeat(26)}`, {})).status, 404)
  })
})

test('a plugins folder that is empty or missing holds no plugins', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'huike-none-'))
  assert.deepEqual(await discoverPlugins({ pluginsDir: empty, extraPlugins: [] }), [])
  rmSync(empty, { recursive: true })
  assert.deepEqual(await discoverPlugins({ pluginsDir: empty, extraPlugins: [] }), [])
})
