import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeptRule } from './retention.entity.ts'
import { exposedBy, inOrder, latestDue, ruleFinder, verdict } from './rules.ts'
import { nextAt } from './start-run.ts'

const trees = {
  departments: [
    { id: 'all', parentId: null },
    { id: 'sales', parentId: 'all' },
  ],
  categories: [
    { id: 'complaint', parentId: '' },
    { id: 'refund', parentId: 'complaint' },
  ],
}
const rule = (id: string, fields: Partial<KeptRule>): KeptRule => ({
  id,
  inboxId: null,
  departmentId: null,
  categoryId: null,
  days: 30,
  fileDays: null,
  ...fields,
})
const rules = [
  rule('any', {}),
  rule('shop', { inboxId: 'shop' }),
  rule('all', { departmentId: 'all' }),
  rule('sales', { departmentId: 'sales' }),
  rule('complaint', { categoryId: 'complaint', days: null }),
  rule('refund', { categoryId: 'refund' }),
  rule('shop+sales', { inboxId: 'shop', departmentId: 'sales' }),
]

test('what a rule keeps is exposed, when it goes, to those behind it that take it sooner; and what those kept to the next', () => {
  const exposed = (id: string, ...among: KeptRule[]) => exposedBy(id, among, trees)
  const kept = rule('complaint', { categoryId: 'complaint', days: null })
  assert.deepEqual(exposed('complaint', ...rules), ['sales', 'all', 'shop', 'any'])
  // What stands before it took what it takes before, too; and nothing loses what keeps as long.
  assert.deepEqual(exposed('refund', ...rules), [])
  assert.deepEqual(exposed('shop', kept, rule('shop', { inboxId: 'shop', days: 365 }), rule('any', { days: 366 })), [])
  assert.deepEqual(exposed('shop', rule('shop', { inboxId: 'shop', days: 365 }), rule('any', { days: 365, fileDays: 30 })), ['any'])
  assert.deepEqual(exposed('shop', rule('shop', { inboxId: 'shop', days: null, fileDays: 30 }), rule('any', { days: null })), [])
  // Never of the same conversation.
  assert.deepEqual(exposed('shop', rule('shop', { inboxId: 'shop', days: null }), rule('mail', { inboxId: 'mail' })), [])
  const both = rule('both', { inboxId: 'mail', categoryId: 'refund', days: null })
  const next = rule('next', { categoryId: 'complaint', days: 365 })
  assert.deepEqual(exposed('both', both, next, rule('shop', { inboxId: 'shop' })), ['next', 'shop'])
  assert.deepEqual(exposed('gone', both, next), [])
})

test('the most particular rule holds: more conditions first, then category, department, inbox, the deeper first', () => {
  assert.deepEqual(
    inOrder(rules, trees).map(({ id }) => id),
    ['shop+sales', 'refund', 'complaint', 'sales', 'all', 'shop', 'any'],
  )
  const find = ruleFinder(rules, trees)
  const id = (inboxId: string, departmentId: string | null, categoryId: string | null) => find({ inboxId, departmentId, categoryId })?.id
  assert.equal(id('shop', null, null), 'shop')
  assert.equal(id('mail', null, null), 'any')
  assert.equal(id('shop', 'sales', null), 'shop+sales')
  assert.equal(id('shop', 'sales', 'refund'), 'shop+sales')
  assert.equal(id('mail', 'sales', 'refund'), 'refund')
  assert.equal(id('mail', 'all', null), 'all')
  assert.equal(ruleFinder([rule('sales', { departmentId: 'sales' })], trees)({ inboxId: 'shop', departmentId: null, categoryId: null }), undefined)
})

test('days are counted from the end; for ever is for ever; files may go before the words', () => {
  const now = new Date('2026-11-23T00:00:00Z')
  const ended = (days: number) => new Date(now.getTime() - days * 86_400_000)
  assert.equal(verdict(rule('x', {}), ended(30), now), 'all')
  assert.equal(verdict(rule('x', {}), new Date(ended(30).getTime() + 1), now), 'nothing')
  assert.equal(verdict(rule('x', { days: null }), ended(36_000), now), 'nothing')
  assert.equal(verdict(rule('x', { days: null, fileDays: 7 }), ended(7), now), 'files')
  assert.equal(verdict(rule('x', { days: 10, fileDays: 7 }), ended(10), now), 'all')
  assert.equal(latestDue([rule('x', { days: null })], now), undefined)
  assert.deepEqual(latestDue([rule('x', { days: 90, fileDays: 7 }), rule('y', {})], now), ended(7))
})

test('the daily hour is one of a time zone, also where clocks are half an hour beside the others', () => {
  const after = new Date('2026-11-23T01:00:00Z')
  assert.equal(nextAt({ hour: 3, tz: 'UTC' }, after).toISOString(), '2026-11-23T03:00:00.000Z')
  assert.equal(nextAt({ hour: 3, tz: 'Asia/Shanghai' }, after).toISOString(), '2026-11-23T19:00:00.000Z')
  assert.equal(nextAt({ hour: 3, tz: 'Asia/Kolkata' }, after).toISOString(), '2026-11-23T21:30:00.000Z')
  assert.equal(nextAt({ hour: 1, tz: 'UTC' }, after).toISOString(), '2026-11-24T01:00:00.000Z')
})
