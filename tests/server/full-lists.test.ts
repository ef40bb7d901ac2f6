/** A list that is shown whole has an end: what would not be shown any more is refused, with a word that says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { attachmentBits, mostZipped } from '../../core/sdk/wire/record.ts'
import { insertRows } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { newAgent } from '../../core/src/domain/agent/create-owner.ts'
import { Category } from '../../core/src/domain/category/category.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department, SkillGroup } from '../../core/src/domain/department/department.entity.ts'
import { Tag } from '../../core/src/domain/tag/tag.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

await onEveryProfile('full lists', [found(mockChannel().manifest)], (world) => {
  for (const [path, most, entity, fields] of [
    ['/api/departments', 500, Department, { parentId: null }],
    ['/api/skill-groups', 500, SkillGroup, {}],
    ['/api/categories', 500, Category, { parentId: '', position: 0, retiredAt: null }],
    ['/api/tags', 900, Tag, { system: false }],
  ] as const)
    test(`${path}: the last one is shown, one more is refused`, async () => {
      const admin = await world().person('管理', 'admin')
      const em = world().hub.em()
      const rows = Array.from({ length: most - 1 - (await em.count(entity as typeof Department)) }, (_, n) => ({
        id: newId(),
        name: `第 ${n} 个`,
        createdAt: new Date(),
        ...fields,
      }))
      await em.insertMany(entity as typeof Department, rows as never)
      assert.equal((await admin.call('POST', path, { name: '最后一个' })).status, 201)
      assert.ok((await admin.call('GET', path)).body.items.some(({ name }: { name: string }) => name === '最后一个'))
      const { status, body } = await admin.call('POST', path, { name: '再来一个' })
      assert.deepEqual([status, body.code, body.details], [409, 'HUB_LIST_FULL', { most }])
      assert.equal((await admin.call('GET', path)).body.items.length, most)
    })

  for (const path of ['/api/departments', '/api/skill-groups', '/api/categories'])
    test(`${path}: not for an agent`, async () => {
      const agent = await world().person('小周')
      assert.equal((await agent.call('POST', path, { name: '不许的' })).status, 403)
    })

  test('a zip of more records than it may hold is refused, and says how many it may', async () => {
    const admin = await world().person('管理', 'admin')
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, 'many', '你好')
    const em = world().hub.em()
    const one = await em.findOneOrFail(Conversation, { id: accepted?.conversationId ?? '' }, { disableIdentityMap: true })
    const rows = Array.from({ length: mostZipped + 1 }, () => ({
      ...one,
      id: newId(),
      openIdentityId: null,
      status: 'closed' as const,
      attachments: attachmentBits.file,
    }))
    for (let i = 0; i < rows.length; i += 500) await insertRows(em, Conversation, rows.slice(i, i + 500) as Conversation[])
    const zip = (filter: object) => admin.call('GET', `/api/records/attachments.zip?filter=${encodeURIComponent(JSON.stringify(filter))}`)
    const { status, body } = await zip({ inboxIds: [inbox.id] })
    assert.deepEqual([status, body.code, body.details], [422, 'HUB_RESULT_TOO_LARGE', { max: mostZipped }])
    assert.equal((await zip({ inboxIds: [inbox.id], attachments: ['voice'] })).status, 404)
  })

  test('agents: those who left are listed too; one more than can be is refused, and nobody is invited', async () => {
    const most = 3_000
    const admin = await world().person('管理', 'admin')
    const em = world().hub.em()
    const roleIds = [(await admin.call('GET', '/api/roles')).body.items.find(({ builtin }: { builtin: string }) => builtin === 'agent').id]
    const rows = Array.from({ length: most - 1 - (await em.count(Agent)) }, (_, n) =>
      newAgent({ email: `a${n}@full.example`, name: `客服 ${n}`, active: n % 3 > 0 }),
    )
    for (let i = 0; i < rows.length; i += 500) await em.insertMany(Agent, rows.slice(i, i + 500))
    assert.equal((await admin.call('POST', '/api/agents', { email: 'last@full.example', name: '最后一位', roleIds })).status, 201)
    const { status, body } = await admin.call('POST', '/api/agents', { email: 'more@full.example', name: '再来一位', roleIds })
    assert.deepEqual([status, body.code, body.details], [409, 'HUB_LIST_FULL', { most }])
    const { items } = (await admin.call('GET', '/api/agents')).body
    assert.equal(items.length, most)
    assert.ok(items.some(({ email }: { email: string }) => email === 'last@full.example'))
    assert.equal((await admin.call('GET', '/api/colleagues')).body.items.length, items.filter(({ active }: { active: boolean }) => active).length)
  })
})
