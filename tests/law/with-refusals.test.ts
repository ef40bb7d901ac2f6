/** Refusals, each with its name, before anything of the plugin runs. A refused one drags down who needs it, nobody else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineEntity, type EntitySchema, p } from '@mikro-orm/core'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { hubVersion } from '../../core/src/config/version.ts'
import { loadOrder } from '../../core/src/kernel/load.ts'
import { found } from '../support/world.ts'

type Manifest = Parameters<typeof definePlugin>[0]
const plugin = (id: string, more: Partial<Manifest> = {}) => found(definePlugin({ id, version: '1.0.0', label: { zh: id, en: id }, ...more }), `/plugins/${id}`)
const needs = (id: string, plugins: Record<string, string>) => plugin(id, { requires: { plugins } })
const verdict = (...plugins: Parameters<typeof loadOrder>[0]) => {
  const { loaded, refused } = loadOrder(plugins)
  return {
    loaded: loaded.map(({ manifest }) => manifest.id),
    refused: Object.fromEntries(refused.map(({ id, error }) => [id, error.code])),
    messages: refused.map(({ error }) => error.message),
  }
}
const entity = (tableName: string) => defineEntity({ name: 'Thing', tableName, properties: { id: p.integer().primary() } }) as unknown as EntitySchema
const migration = (statement: string) => ({ migrations: [{ name: '0001', mysql: [statement], sqlite: [] }] })

test('what is needed comes first, whatever the order they were found in', () => {
  assert.deepEqual(verdict(needs('roof', { wall: '^1.0.0' }), needs('wall', { floor: '1.x' }), plugin('floor')), {
    loaded: ['floor', 'wall', 'roof'],
    refused: {},
    messages: [],
  })
})

test('HUB_PLUGIN_VERSION: of the hub, or of the plugin it needs', () => {
  assert.deepEqual(verdict(plugin('future', { requires: { hub: '>=99.0.0' } }), plugin('present', { requires: { hub: `>=${hubVersion}` } })).refused, {
    future: 'HUB_PLUGIN_VERSION',
  })
  const old = verdict(needs('roof', { wall: '^2.0.0' }), plugin('wall'))
  assert.deepEqual([old.refused, old.loaded], [{ roof: 'HUB_PLUGIN_VERSION' }, ['wall']])
  assert.match(old.messages[0] ?? '', /\^2\.0\.0.*1\.0\.0/)
})

test('HUB_PLUGIN_MISSING: and it drags down who needs it, nobody else', () => {
  const { refused, loaded } = verdict(needs('door', { roof: '*' }), needs('roof', { wall: '*' }), plugin('bell'))
  assert.deepEqual([refused, loaded], [{ roof: 'HUB_PLUGIN_MISSING', door: 'HUB_PLUGIN_MISSING' }, ['bell']])
})

test('HUB_PLUGIN_CYCLE: names the circle', () => {
  const { refused, loaded, messages } = verdict(needs('hen', { egg: '*' }), needs('egg', { hen: '*' }), plugin('bell'))
  assert.equal(refused.hen, 'HUB_PLUGIN_CYCLE')
  assert.ok(refused.egg)
  assert.deepEqual(loaded, ['bell'])
  assert.ok(messages.some((message) => message.includes('hen → egg → hen')))
})

test('HUB_PLUGIN_TABLE: an entity or a migration outside its own tables', () => {
  assert.deepEqual(verdict(plugin('shop', { entities: [entity('order')] })).refused, { shop: 'HUB_PLUGIN_TABLE' })
  assert.deepEqual(verdict(plugin('shop', { entities: [entity('shopper_order')] })).refused, { shop: 'HUB_PLUGIN_TABLE' })
  for (const statement of ['alter table `message` add `price` int', 'DROP TABLE IF EXISTS agent', 'create table if not exists "shopping" (id int)'])
    assert.deepEqual(verdict(plugin('shop', migration(statement))).refused, { shop: 'HUB_PLUGIN_TABLE' }, statement)
  assert.deepEqual(verdict(plugin('shop', { entities: [entity('shop_order')], ...migration('create table `shop_order` (`id` int)') })).refused, {})
})

test('HUB_PLUGIN_DUPLICATE: the first one found stays', () => {
  const { loaded, refused, messages } = verdict(plugin('shop'), plugin('shop'))
  assert.deepEqual([loaded, refused], [['shop'], { shop: 'HUB_PLUGIN_DUPLICATE' }])
  assert.match(messages[0] ?? '', /\/plugins\/shop/)
})

test('HUB_PLUGIN_INVALID: an id, a version or a manifest that is none', () => {
  for (const id of ['Shop', 'my-shop', 'my_shop', 's', '1shop', 'core', 'hub', 'all', '../etc'])
    assert.deepEqual(verdict(plugin(id)).refused, { [id]: 'HUB_PLUGIN_INVALID' }, id)
  assert.deepEqual(verdict(plugin('shop', { version: 'newest' })).refused, { shop: 'HUB_PLUGIN_INVALID' })
  const unread = verdict({ dir: '/plugins/torn', nameHint: 'torn', error: new Error('Unexpected token') })
  assert.deepEqual([unread.refused, unread.messages], [{ torn: 'HUB_PLUGIN_INVALID' }, ['Unexpected token']])
})
