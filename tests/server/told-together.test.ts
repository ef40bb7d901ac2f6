/** What is changed and what is told of it are one commit: where the telling fails, nothing was done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel()
const tuned = definePlugin({
  id: 'tuned',
  version: '1.0.0',
  label: { zh: '可调', en: 'Tuned' },
  settings: Type.Object({ pitch: Type.Integer({ default: 440 }) }),
})

await onEveryProfile('told together', [found(manifest), found(tuned)], (world) => {
  test('settings, access and accounts stay as they were when nobody could be told', async () => {
    const owner = await world().person('老板', 'owner')
    const { hub } = world()
    const made = async (url: string, body: object) => (await owner.call('POST', url, body)).body.id as string
    const department = await made('/api/departments', { name: '旧部门' })
    const group = await made('/api/skill-groups', { name: '旧技能组' })
    const tag = await made('/api/tags', { name: newId() })
    const inbox = await world().inbox('mock')
    const { apiToken } = (await owner.call('POST', '/api/tokens', { name: '旧令牌', permissions: ['contact.tag'] })).body
    const { id: roleId } = (await owner.call('GET', '/api/roles')).body.items.find((role: { builtin: string }) => role.builtin === 'agent')
    const { agent } = (await owner.call('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '新人', roleIds: [roleId] })).body
    const shown = ['departments', 'skill-groups', 'tags', 'inboxes', 'tokens', 'plugins', 'agents', 'roles', 'categories', 'contact-fields', 'summary-form']
    const state = async () => Promise.all(shown.map(async (noun) => (await owner.call('GET', `/api/${noun}`)).body))
    const before = await state()
    const deeds: [method: string, url: string, body?: object][] = [
      ['POST', '/api/departments', { name: '新部门' }],
      ['PATCH', `/api/departments/${department}`, { name: '改名' }],
      ['DELETE', `/api/departments/${department}`],
      ['POST', '/api/skill-groups', { name: '新技能组', agentIds: [agent.id] }],
      ['PATCH', `/api/skill-groups/${group}`, { name: '改名' }],
      ['DELETE', `/api/skill-groups/${group}`],
      ['POST', '/api/tags', { name: newId() }],
      ['DELETE', `/api/tags/${tag}`],
      ['POST', '/api/inboxes', { channel: 'mock', name: '新渠道' }],
      ['PATCH', `/api/inboxes/${inbox.id}`, { name: '改名' }],
      ['POST', '/api/tokens', { name: '新令牌', permissions: ['contact.tag'] }],
      ['DELETE', `/api/tokens/${apiToken.id}`],
      ['PUT', '/api/plugins/tuned/settings', { pitch: 415 }],
      ['POST', `/api/agents/${agent.id}/invitation`],
      ['PATCH', `/api/agents/${agent.id}`, { name: '改名' }],
      ['POST', '/api/roles', { name: '新角色', grants: [] }],
      ['POST', '/api/categories', { name: '新分类' }],
      ['PUT', '/api/contact-fields', { fields: [] }],
    ]
    const { listeners } = hub.kernel
    hub.kernel.listeners = () => {
      throw new Error('nobody can be told')
    }
    try {
      for (const [method, url, body] of deeds) assert.equal((await owner.call(method, url, body)).status, 500, `${method} ${url}`)
    } finally {
      hub.kernel.listeners = listeners
    }
    assert.deepEqual(await state(), before)
    for (const [method, url, body] of deeds.filter(([method]) => method !== 'DELETE')) {
      const { status } = await owner.call(method, url, body)
      assert.ok(status < 300, `${status} ${method} ${url}`)
    }
  })
})
