/** `channel.check`: what the schema cannot say of an inbox's settings, said at the field before they are saved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import type { ChannelInbox, SettingFault } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

const asked: ChannelInbox[] = []
const running: boolean[] = []
const inside = { zh: '这个地址指向内网', en: 'This address leads inside' }
const taken = { zh: '已有一个在用', en: 'Another one has it' }
const wrong = { zh: '密钥与编号不符', en: 'The key is not of this number' }
const { manifest } = mockChannel(
  'guarded',
  {},
  {
    inboxSettings: Type.Object({
      address: Type.String({ default: '', maxLength: 20 }),
      key: Type.String({ format: 'secret', default: '' }),
      deep: Type.Object({ number: Type.Integer({ default: 0 }) }, { default: {} }),
    }),
    async check(inbox, enabled): Promise<SettingFault[]> {
      asked.push(structuredClone(inbox))
      running.push(enabled)
      const { address, key, deep } = inbox.settings as { address: string; key: string; deep: { number: number } }
      if (address === 'stumble') throw new Error('the guard itself fell')
      return [
        ...(address === 'one at a time' && enabled ? [{ path: '/address', text: taken }] : []),
        ...(address.startsWith('10.') ? [{ path: '/address', text: inside }] : []),
        ...(key !== '' && key !== `key-${deep.number}` ? [{ path: '/deep/number', text: wrong }] : []),
      ]
    },
  },
)

await onEveryProfile('settings check', [found(manifest)], (world) => {
  const faults = (body: { code: string; details: { faults: object[] } }) => {
    assert.equal(body.code, 'HUB_SETTINGS_INVALID', JSON.stringify(body))
    return body.details.faults
  }
  const atAddress = { path: 'body/settings/address', rule: 'plugin', message: inside.en, text: inside }

  test('a new inbox and a changed one are refused at the field, and nothing of it is kept', async () => {
    const admin = await world().person('小安', 'admin')
    const create = (settings: object) => admin.call('POST', '/api/inboxes', { channel: 'guarded', name: '甲', settings })
    const before = await world().hub.em().count(Inbox, {})
    const refused = await create({ address: '10.0.0.7' })
    assert.equal(refused.status, 422)
    assert.deepEqual(faults(refused.body), [atAddress])
    assert.equal(await world().hub.em().count(Inbox, {}), before)
    const { status, body: inbox } = await create({ address: 'shop.cn', key: 'key-7', deep: { number: 7 } })
    assert.equal(status, 201)
    // What is asked about is the inbox that would be: its own id and name, its secrets in the clear.
    assert.deepEqual(asked.at(-1), { id: inbox.id, name: '甲', settings: { address: 'shop.cn', key: 'key-7', deep: { number: 7 } } })

    const change = (settings: object) => admin.call('PATCH', `/api/inboxes/${inbox.id}`, { name: '乙', settings })
    const both = await change({ address: '10.0.0.7', key: true, deep: { number: 8 } })
    assert.deepEqual(faults(both.body), [atAddress, { path: 'body/settings/deep/number', rule: 'plugin', message: wrong.en, text: wrong }])
    const kept = await world().hub.em().findOneOrFail(Inbox, { id: inbox.id }, { disableIdentityMap: true })
    assert.deepEqual([kept.name, kept.settings.address], ['甲', 'shop.cn'])
    assert.equal((await change({ address: 'mall.cn', key: true, deep: { number: 7 } })).status, 200)
    assert.deepEqual([asked.at(-1)?.name, asked.at(-1)?.settings.key], ['乙', 'key-7'])
  })

  test('what the schema finds wrong is not asked about, nor what changes no setting', async () => {
    const admin = await world().person('小白', 'admin')
    const inbox = await world().inbox('guarded', { address: 'shop.cn' })
    const before = asked.length
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { address: 'x'.repeat(21) } })).status, 422)
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { name: '新名', enabled: false })).status, 200)
    assert.equal(asked.length, before)
  })

  test('it is told whether the inbox would run, and asked again before one is switched on', async () => {
    const admin = await world().person('小韩', 'admin')
    const inbox = await world().inbox('guarded', { address: 'shop.cn', key: 'key-0' })
    assert.equal(running.at(-1), true)
    const change = (body: object) => admin.call('PATCH', `/api/inboxes/${inbox.id}`, body)
    assert.equal((await change({ enabled: false, settings: { address: 'one at a time', key: true } })).status, 200)
    assert.equal(running.at(-1), false)
    const refused = await change({ enabled: true, name: '开' })
    assert.equal(refused.status, 422)
    assert.deepEqual(faults(refused.body), [{ ...atAddress, message: taken.en, text: taken }])
    const settings = { address: 'one at a time', key: 'key-0', deep: { number: 0 } }
    assert.deepEqual([asked.at(-1), running.at(-1)], [{ id: inbox.id, name: '开', settings }, true])
    const kept = await world().hub.em().findOneOrFail(Inbox, { id: inbox.id }, { disableIdentityMap: true })
    assert.deepEqual([kept.enabled, kept.name], [false, inbox.name])
    assert.equal((await change({ enabled: true, settings: { address: 'mall.cn', key: true } })).status, 200)
    // On already: nothing is switched.
    const before = asked.length
    assert.equal((await change({ enabled: true })).status, 200)
    assert.equal(asked.length, before)
  })

  test('one that stumbles keeps nobody from saving; who may not manage inboxes asks nothing', async () => {
    const [admin, agent] = [await world().person('小陈', 'admin'), await world().person('小邓')]
    const inbox = await world().inbox('guarded', { address: 'shop.cn' })
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { address: 'stumble' } })).status, 200)
    const before = asked.length
    assert.equal((await agent.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { address: '10.0.0.7' } })).status, 403)
    assert.equal((await agent.call('POST', '/api/inboxes', { channel: 'guarded', name: '丙', settings: { address: '10.0.0.7' } })).status, 403)
    assert.equal(asked.length, before)
  })

  test('while the plugin is off its settings are kept as they are', async () => {
    const admin = await world().person('小方', 'admin')
    const inbox = await world().inbox('guarded', { address: 'shop.cn' })
    await world().whileOff('guarded', async () => {
      const before = asked.length
      assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { name: '关着' })).status, 200)
      assert.equal(asked.length, before)
    })
  })
})
