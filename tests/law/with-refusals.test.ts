/** Refusals, each with its name, before anything of the plugin runs. A refused one drags down who needs it, nobody else. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { defineEntity, type EntitySchema, p } from '@mikro-orm/core'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { corePermissions } from '../../core/src/access/permissions.ts'
import { takenWords } from '../../core/src/access/taken-words.ts'
import { hubVersion } from '../../core/src/config/version.ts'
import { coreEntities } from '../../core/src/db/open-orm.ts'
import { loadOrder } from '../../core/src/kernel/load.ts'
import { found } from '../support/world.ts'

type Manifest = Parameters<typeof definePlugin>[0]
const plugin = (id: string, more: Partial<Manifest> = {}) => found(definePlugin({ id, version: '1.0.0', label: { zh: id, en: id }, ...more }), `/plugins/${id}`)
const needs = (id: string, plugins: Record<string, string>) => plugin(id, { requires: { plugins } })
const verdict = (...plugins: Parameters<typeof loadOrder>[0]) => {
  const { loaded, refused } = loadOrder(plugins, takenWords)
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
  for (const statement of [
    'alter table `message` add `price` int',
    'DROP TABLE IF EXISTS agent',
    'create table if not exists "shopping" (id int)',
    'insert ignore into contact (id) values (1)',
    'drop table shop_a, contact',
    '\n  drop table contact',
    '/* tidy */ drop table contact',
    'create view shop_v as select * from contact',
    'create table shop_a (id int); drop table contact',
    'create table `shop_a`.`contact` (id int)',
    'alter table shop_a rename to contact_a',
    'create index shop_i on contact (id)',
    'drop index contact_i',
    'update shop_a join contact set contact.name = 1',
    'delete from shop_a using shop_a, contact',
    'create trigger shop_t after insert on shop_a begin delete from contact; end',
    'crate table shop_a (id int)',
  ])
    assert.deepEqual(verdict(plugin('shop', migration(statement))).refused, { shop: 'HUB_PLUGIN_TABLE' }, statement)
  for (const statement of [
    'create table `shop_order` (`id` int, `note` text default "a", foreign key (`id`) references `contact` (`id`) on delete cascade)',
    "alter table `shop_order` add `word` text not null default 'drop table contact; -- it''s a word'",
    'alter table shop_order rename column a to b',
    'create unique index if not exists shop_i on shop_order (id)',
    'insert into shop_order (id) select id from contact',
    'delete from shop_order where id in (select id from contact)',
    '\n    update shop_order\n    set id = 1',
  ])
    assert.deepEqual(verdict(plugin('shop', { entities: [entity('shop_order')], ...migration(statement) })).refused, {}, statement)
})

test('HUB_PLUGIN_DUPLICATE: the first one found stays', () => {
  const { loaded, refused, messages } = verdict(plugin('shop'), plugin('shop'))
  assert.deepEqual([loaded, refused], [['shop'], { shop: 'HUB_PLUGIN_DUPLICATE' }])
  assert.match(messages[0] ?? '', /\/plugins\/shop/)
})

test('HUB_PLUGIN_INVALID: a noun of the core, be it a table’s, a permission’s or an event’s', () => {
  const ofEvents = [...readFileSync(new URL('../../core/sdk/events.ts', import.meta.url), 'utf8').matchAll(/^ {2}'(\w+)\./gm)].map(([, word = '']) => word)
  const ofTables = coreEntities.map(({ meta }) => (meta.tableName ?? '').split('_')[0] ?? '')
  const words = new Set([...ofEvents, ...ofTables, ...corePermissions.map(({ name }) => name.split('.')[0] ?? '')])
  assert.ok(words.size > 25 && ofTables.length > 25 && ofEvents.length > 25)
  for (const id of words) assert.deepEqual(verdict(plugin(id)).refused, { [id]: 'HUB_PLUGIN_INVALID' }, id)
})

test('HUB_PLUGIN_INVALID: an id, a version or a manifest that is none', () => {
  for (const id of ['Shop', 'my-shop', 'my_shop', 's', '1shop', 'core', 'hub', 'all', '../etc'])
    assert.deepEqual(verdict(plugin(id)).refused, { [id]: 'HUB_PLUGIN_INVALID' }, id)
  assert.deepEqual(verdict(plugin('shop', { version: 'newest' })).refused, { shop: 'HUB_PLUGIN_INVALID' })
  const unread = verdict({ dir: '/plugins/torn', nameHint: 'torn', error: new Error('Unexpected token') })
  assert.deepEqual([unread.refused, unread.messages], [{ torn: 'HUB_PLUGIN_INVALID' }, ['Unexpected token']])
})
