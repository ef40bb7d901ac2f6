/** `permissions`: `{ name, grantTo }` becomes `<id>.<name>`, is held by the built-in roles it names, and guards routes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { newAgent } from '../../core/src/domain/agent/create-owner.ts'
import { found, onEveryProfile } from '../support/world.ts'

const shop = definePlugin({
  id: 'shop',
  version: '1.0.0',
  label: { zh: '商城', en: 'Shop' },
  permissions: [
    { name: 'order.read', label: { zh: '查看订单', en: 'See orders' }, grantTo: ['admin', 'supervisor'] },
    { name: 'order.refund', label: { zh: '退款', en: 'Refund' } },
  ],
  routes(app) {
    app.get('/orders', { config: { access: { permission: 'shop.order.read' } } }, async () => ({ items: ['一号订单'] }))
    app.post('/refunds', { config: { access: { permission: 'shop.order.refund' } } }, async () => ({ ok: true }))
  },
})

await onEveryProfile('permissions', [found(shop)], (world) => {
  const status = async (role: 'owner' | 'admin' | 'supervisor' | 'agent', method: string, path: string) =>
    (await (await world().person('小许', role)).call(method, `/api/x/shop${path}`)).status
  const listed = async () => {
    const { body } = await (await world().person('小冯', 'owner')).call('GET', '/api/permissions')
    return body.items.filter((permission: { plugin: string | null }) => permission.plugin === 'shop')
  }

  test('the permission is there by its full name, and gone from the list while the plugin is off', async () => {
    assert.deepEqual(
      (await listed()).map((p: { name: string }) => p.name),
      ['shop.order.read', 'shop.order.refund'],
    )
    assert.equal((await listed())[0].label.zh, '查看订单')
    await world().whileOff('shop', async () => assert.deepEqual(await listed(), []))
    assert.equal((await listed()).length, 2)
  })

  test('the roles in grantTo have it, the owner has everything, others are refused by name', async () => {
    for (const role of ['owner', 'admin', 'supervisor'] as const) assert.equal(await status(role, 'GET', '/orders'), 200, role)
    const refused = await (await world().person('小曹', 'agent')).call('GET', '/api/x/shop/orders')
    assert.deepEqual([refused.status, refused.body.code, refused.body.details.permission], [403, 'HUB_FORBIDDEN', 'shop.order.read'])
  })

  test('what is granted to nobody is the owner’s alone', async () => {
    assert.equal(await status('owner', 'POST', '/refunds'), 200)
    for (const role of ['admin', 'supervisor', 'agent'] as const) assert.equal(await status(role, 'POST', '/refunds'), 403, role)
  })

  test('a role of one’s own may carry it', async () => {
    const owner = await world().person('小严', 'owner')
    const role = await owner.call('POST', '/api/roles', { name: '售后', grants: [{ permission: 'shop.order.refund' }] })
    assert.equal(role.status, 201)
    const agent = newAgent({ email: `${newId()}@test.cn`, name: '小华' })
    await world().hub.em().insert(Agent, agent)
    await world().hub.em().insert(AgentRole, { agentId: agent.id, roleId: role.body.id })
    const person = await world().signIn(agent)
    assert.equal((await person.call('POST', '/api/x/shop/refunds')).status, 200)
    assert.equal((await person.call('GET', '/api/x/shop/orders')).status, 403)
  })

  test('a permission that no plugin declares cannot be granted', async () => {
    const owner = await world().person('小金', 'owner')
    assert.equal((await owner.call('POST', '/api/roles', { name: '不存在', grants: [{ permission: 'shop.order.delete' }] })).status, 400)
  })

  test('nobody signed in: 401', async () => {
    assert.equal((await fetch(new URL('/api/x/shop/orders', world().url))).status, 401)
  })
})
