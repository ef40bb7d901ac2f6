/** A list that is shown whole has an end: what would not be shown any more is refused, with a word that says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId } from '../../core/src/db/types.ts'
import { Category } from '../../core/src/domain/category/category.entity.ts'
import { Department, SkillGroup } from '../../core/src/domain/department/department.entity.ts'
import { onEveryProfile } from '../support/world.ts'

const most = 500

await onEveryProfile('full lists', [], (world) => {
  for (const [path, entity, fields] of [
    ['/api/departments', Department, { parentId: null }],
    ['/api/skill-groups', SkillGroup, {}],
    ['/api/categories', Category, { parentId: '', position: 0, retiredAt: null }],
  ] as const)
    test(`${path}: the last one is shown, one more is refused`, async () => {
      const admin = await world().person('管理', 'admin')
      const em = world().hub.em()
      const rows = Array.from({ length: most - 1 }, (_, n) => ({ id: newId(), name: `第 ${n} 个`, createdAt: new Date(), ...fields }))
      await em.insertMany(entity as typeof Department, rows as never)
      assert.equal((await admin.call('POST', path, { name: '最后一个' })).status, 201)
      assert.ok((await admin.call('GET', path)).body.items.some(({ name }: { name: string }) => name === '最后一个'))
      const { status, body } = await admin.call('POST', path, { name: '再来一个' })
      assert.deepEqual([status, body.code, body.details], [409, 'HUB_LIST_FULL', { most }])
      assert.equal((await admin.call('GET', path)).body.items.length, most)
      const agent = await world().person('小周')
      assert.equal((await agent.call('POST', path, { name: '不许的' })).status, 403)
    })
})
