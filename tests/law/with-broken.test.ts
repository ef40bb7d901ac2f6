/** A plugin that breaks, wherever it breaks, is shown as broken; the hub and the other plugins are unharmed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { discoverPlugins } from '../../core/src/kernel/discover.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

const plugin = (id: string, more: Partial<Parameters<typeof definePlugin>[0]>) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: id, en: id },
    routes: (app) => void app.get('/', { config: { access: 'public' } }, async () => id),
    ...more,
  })

const boom = () => {
  throw new Error('boom')
}
const unmade = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'huike-unmade-'))
  writeFileSync(join(dir, 'plugin.mjs'), "throw new Error('boom while loading')")
  const [read] = await discoverPlugins({ pluginsDir: '', extraPlugins: [dir] })
  rmSync(dir, { recursive: true })
  return { ...read, dir, nameHint: 'unmade' }
}
/** Well while it starts, ill when it is called. */
let ill = false
const whenCalled = async () => {
  if (ill) boom()
}
const plugins = [
  await unmade(),
  found(mockChannel().manifest),
  found(plugin('callthrows', { hooks: { 'outbound.send': whenCalled as never }, on: { 'message.received': whenCalled } })),
  found(plugin('startthrows', { start: boom })),
  found(plugin('routesthrow', { routes: boom })),
  found(plugin('routesreject', { routes: async () => boom() })),
  // Registered but not awaited: the error comes when nobody of the plugin's is on the stack any more.
  found(plugin('routesnested', { routes: (app) => void app.register(async () => boom()) })),
  found(plugin('routesopen', { routes: (app) => void app.get('/', async () => 'nobody said who may come in') })),
  // Hooks of the server's life: Fastify gives up its start when one of these throws.
  found(plugin('onreadythrows', { routes: (app) => void app.addHook('onReady', async () => boom()) })),
  found(plugin('onreadysync', { routes: (app) => void app.addHook('onReady', () => boom()) })),
  found(plugin('onreadycalls', { routes: (app) => void app.addHook('onReady', (done) => done(new Error('boom'))) })),
  found(plugin('onreadynested', { routes: (app) => void app.register(async (inner) => void inner.addHook('onReady', async () => boom())) })),
  found(plugin('onclosethrows', { routes: (app) => void app.addHook('onClose', async () => boom()).addHook('preClose', async () => boom()) })),
  found(plugin('assetstaken', { assets: [{ path: '/readyz', file: 'plugin.ts', type: 'text/plain' }] })),
  found(plugin('assetsclash', { assets: [{ path: '/workbench', file: 'plugin.ts', type: 'text/plain' }] })),
  found(plugin('channelthrows', { channel: boom })),
  found(
    plugin('migrationfails', { migrations: [{ name: '0001-typo', mysql: ['create table `migrationfails_a`'], sqlite: ['create table `migrationfails_a`'] }] }),
  ),
  found(plugin('needy', { requires: { plugins: { startthrows: '*' } } })),
  found(plugin('healthy', {})),
]

await onEveryProfile('broken', plugins, (world) => {
  const state = (id: string) =>
    world()
      .hub.kernel.status()
      .find((entry) => entry.id === id)
  const answer = async (id: string) => (await call(world().url, 'GET', `/api/x/${id}`)).status

  test('the hub is ready and the healthy plugin answers', async () => {
    assert.equal((await call(world().url, 'GET', '/readyz')).status, 200)
    assert.equal(state('healthy')?.state, 'running')
    assert.equal(await answer('healthy'), 200)
  })

  for (const id of [
    'startthrows',
    'routesthrow',
    'routesreject',
    'routesnested',
    'routesopen',
    'onreadythrows',
    'onreadysync',
    'onreadycalls',
    'onreadynested',
    'assetstaken',
    'assetsclash',
    'channelthrows',
    'migrationfails',
  ])
    test(`${id}: broken, with its error, answering nothing`, async () => {
      assert.deepEqual([state(id)?.state, state(id)?.error?.code], ['broken', 'HUB_PLUGIN_BROKEN'])
      assert.notEqual(state(id)?.error?.message, '')
      assert.equal(await answer(id), 404)
    })

  test('one that cannot even be read is shown by its folder’s name', () => {
    assert.deepEqual(
      [state('unmade')?.state, state('unmade')?.error?.code, state('unmade')?.error?.message],
      ['broken', 'HUB_PLUGIN_INVALID', 'boom while loading'],
    )
  })

  test('who needs a broken one is told which', () => {
    assert.equal(state('needy')?.error?.code, 'HUB_PLUGIN_MISSING')
    assert.match(state('needy')?.error?.message ?? '', /startthrows/)
  })

  test('the admin sees all of them', async () => {
    const { status, body } = await (await world().person('小窦', 'owner')).call('GET', '/api/plugins')
    assert.equal(status, 200)
    assert.equal(body.items.filter((entry: { state: string }) => entry.state === 'broken').length, plugins.length - 4)
  })

  test('one that fails when it is called is shown so, with its error, until it is well again; what it holds up is refused in its name', async () => {
    const owner = await world().person('小尤', 'owner')
    const inbox = await world().inbox('mock')
    const shown = async () => (await owner.call('GET', '/api/plugins')).body.items.find(({ id }: { id: string }) => id === 'callthrows')
    const [first] = await world().say(inbox, 'you', '在吗')
    const answer = (text: string) =>
      owner.call('POST', `/api/conversations/${first?.conversationId}/messages`, { clientId: newId(), parts: [{ type: 'text', text }] })
    await owner.call('POST', `/api/conversations/${first?.conversationId}/take`)
    ill = true
    await world().say(inbox, 'you', '还在吗')
    await eventually(async () => (await shown()).fault?.what === 'message.received', 'the listener’s fault')
    const { status, body } = await answer('在')
    assert.deepEqual([status, body.code, body.details], [503, 'HUB_PLUGIN_BROKEN', { plugin: 'callthrows' }])
    const { state: is, fault } = await shown()
    assert.deepEqual([is, fault.what, fault.message], ['running', 'outbound.send', 'boom'])
    const { plugins: parts } = (await owner.call('GET', '/api/system')).body
    assert.equal(parts.find(({ id }: { id: string }) => id === 'callthrows').state, 'broken')
    ill = false
    assert.equal((await answer('在的')).status, 201)
    assert.notEqual((await shown()).fault?.what, 'outbound.send')
    await eventually(async () => (await shown()).fault === null, 'the listener told again')
  })
})
