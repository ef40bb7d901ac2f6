/** `tables`, `ctx.tables`: lists of the core and of plugins, read as one agent may see them, asked anew at each page; off with their plugin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { definePlugin } from '../../core/sdk/plugin.ts'
import type { TableReader } from '../../core/sdk/tables.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const stock = Array.from({ length: 5 }, (_, n) => ({ id: `book-${n}`, title: `第 ${n} 本`, price: n * 10 }))
const shop = definePlugin({
  id: 'shop',
  version: '1.0.0',
  label: { zh: '书店', en: 'Shop' },
  permissions: [{ name: 'stock.read', label: { zh: '查看库存', en: 'See the stock' }, grantTo: ['admin'] }],
  tables: {
    books: {
      label: { zh: '书', en: 'Books' },
      permission: 'shop.stock.read',
      columns: [
        { key: 'title', label: { zh: '书名', en: 'Title' } },
        { key: 'price', label: { zh: '价格', en: 'Price' }, kind: 'number' },
      ],
      filter: Type.Object({ atLeast: Type.Optional(Type.Integer({ minimum: 0 })) }, { additionalProperties: false }),
      async *keys(_reader, { atLeast = 0 }) {
        for (const { id, price } of stock) if (price >= (atLeast as number)) yield [id]
      },
      read: async (_reader, keys) => keys.flatMap((key) => stock.filter(({ id }) => id === key).map(({ title, price }) => ({ title, price }))),
    },
  },
})
const auditor = definePlugin({
  id: 'auditor',
  version: '1.0.0',
  label: { zh: '查账', en: 'Auditor' },
  permissions: [{ name: 'talk.take', label: { zh: '带走', en: 'Take along' }, reach: { admin: 'all', agent: 'own' } }],
})
const { manifest } = mockChannel()

async function talk(world: World, agent: Person, who = newId(), fields: Partial<Contact> = {}): Promise<{ id: string; contactId: string }> {
  const inbox = await world.inbox('mock')
  const id = (await world.say(inbox, who, '你好'))[0]?.conversationId ?? ''
  const em = world.hub.em()
  await em.nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
  await em.nativeUpdate(Contact, { id: contactId }, fields)
  return { id, contactId }
}

await onEveryProfile('tables', [found(manifest), found(shop), found(auditor)], (world) => {
  const tables = () => {
    const plugin = world().hub.kernel.get('auditor')
    assert.ok(plugin)
    return plugin.ctx.tables
  }
  const as = (agent: Person, more: Partial<TableReader> = {}): TableReader => ({ agentId: agent.id, tz: 'Asia/Shanghai', ...more })
  const keysOf = async (name: string, reader: TableReader, filter = {}) => (await Array.fromAsync(tables().keys(name, reader, filter))).flat()

  test('another plugin lists and reads them; who lacks the permission sees none', async () => {
    const [admin, agent] = [await world().person('管理', 'admin'), await world().person('甲')]
    const books = (await tables().list(admin.id)).find(({ name }) => name === 'shop.books')
    assert.deepEqual(
      books?.columns.map(({ key }) => key),
      ['title', 'price'],
    )
    assert.deepEqual(await keysOf('shop.books', as(admin), { atLeast: 30 }), ['book-3', 'book-4'])
    assert.deepEqual(await tables().read('shop.books', as(admin), ['book-4', 'gone', 'book-0']), [
      { title: '第 4 本', price: 40 },
      { title: '第 0 本', price: 0 },
    ])
    assert.equal(
      (await tables().list(agent.id)).some(({ name }) => name === 'shop.books'),
      false,
    )
    await assert.rejects(keysOf('shop.books', as(agent)), { code: 'HUB_FORBIDDEN' })
    await assert.rejects(tables().read('shop.books', as(agent), ['book-0']), { code: 'HUB_FORBIDDEN' })
    await assert.rejects(keysOf('shop.books', { ...as(admin), agentId: newId() }), { code: 'HUB_FORBIDDEN' })
    await assert.rejects(keysOf('shop.books', as(agent, { permission: 'shop.stock.read' })), { code: 'HUB_FORBIDDEN' })
    assert.deepEqual(await tables().list(newId()), [])
  })

  test('a filter that does not fit and a name that is none are refused', async () => {
    const admin = await world().person('管理', 'admin')
    for (const filter of [{ atLeast: 'many' }, { atLeast: -1 }, { other: 1 }])
      await assert.rejects(keysOf('shop.books', as(admin), filter), { code: 'HUB_REQUEST_INVALID' }, JSON.stringify(filter))
    for (const name of ['shop.pens', 'books', 'constructor', '']) await assert.rejects(keysOf(name, as(admin)), { code: 'HUB_NOT_FOUND' }, name)
    await assert.rejects(
      tables().read(
        'shop.books',
        as(admin),
        Array.from({ length: 201 }, (_, n) => `book-${n}`),
      ),
    )
  })

  test('off with its plugin, back with it', async () => {
    const admin = await world().person('管理', 'admin')
    await world().whileOff('shop', async () => {
      assert.deepEqual(
        (await tables().list(admin.id)).map(({ name }) => name),
        ['hub.contacts'],
      )
      await assert.rejects(keysOf('shop.books', as(admin)), { code: 'HUB_NOT_FOUND' })
    })
    assert.equal((await keysOf('shop.books', as(admin))).length, 5)
  })

  test('a right that is taken away ends it at the next page', async () => {
    const admin = await world().person('临时', 'admin')
    const seen: string[] = []
    await assert.rejects(
      async () => {
        for await (const page of tables().keys('shop.books', as(admin), {})) {
          seen.push(...page)
          await world().hub.em().nativeUpdate(Agent, { id: admin.id }, { active: false })
          world().hub.access.clear()
        }
      },
      { code: 'HUB_FORBIDDEN' },
    )
    assert.equal(seen.length, 1)
  })

  test('the core’s own: contacts of the records one may see, each once, with their talks; reach and masks hold', async () => {
    const [mine, theirs, admin] = [await world().person('乙'), await world().person('丙'), await world().person('管理', 'admin')]
    const who = newId()
    const a = await talk(world(), mine, who, { name: '王小明', phone: '13812345678', nickname: '老王', address: '浙江省杭州市西湖区一号' })
    const b = await talk(world(), theirs, newId(), { name: '李四' })
    assert.deepEqual(await keysOf('hub.contacts', as(mine)), [a.contactId])
    const all = await keysOf('hub.contacts', as(admin))
    assert.ok(all.includes(a.contactId) && all.includes(b.contactId))
    assert.equal(new Set(all).size, all.length)
    assert.deepEqual(await keysOf('hub.contacts', as(admin), { recordIds: [a.id] }), [a.contactId])
    assert.deepEqual(await keysOf('hub.contacts', as(mine), { recordIds: [a.id, b.id] }), [a.contactId])
    assert.deepEqual(await keysOf('hub.contacts', as(admin), { records: { agentIds: [theirs.id] } }), [b.contactId])
    const [masked, ...others] = await tables().read('hub.contacts', as(mine), [a.contactId, b.contactId])
    assert.equal(others.length, 0, 'another’s contact is not read by its id either')
    assert.deepEqual([masked?.name, masked?.phone, masked?.nickname, masked?.conversations], ['王**', '138****5678', '老王', 1])
    assert.ok(String(masked?.address).endsWith('****'))
    assert.ok(Math.abs(Date.parse(String(masked?.lastMessageAt)) - Date.now()) < 60_000, String(masked?.lastMessageAt))
    const [open] = await tables().read('hub.contacts', as(mine, { personal: true }), [a.contactId])
    assert.deepEqual([open?.name, open?.phone], ['王小明', '13812345678'])
    // A reach of the reader's own permission holds, too.
    const owner = await world().person('主', 'owner')
    const { body: role } = await owner.call('POST', '/api/roles', {
      name: newId(),
      grants: [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'auditor.talk.take', scope: 'own' },
      ],
    })
    await owner.call('PATCH', `/api/agents/${mine.id}`, { roleIds: [role.id] })
    assert.equal((await keysOf('hub.contacts', as(mine))).includes(b.contactId), true)
    assert.deepEqual(await keysOf('hub.contacts', as(mine, { permission: 'auditor.talk.take' })), [a.contactId])
    assert.deepEqual(await tables().read('hub.contacts', as(mine, { permission: 'auditor.talk.take' }), [b.contactId]), [])
    // Without the right to personal data it stays masked, asked for or not.
    assert.equal((await tables().read('hub.contacts', as(mine, { personal: true }), [a.contactId]))[0]?.phone, '138****5678')
  })
})
