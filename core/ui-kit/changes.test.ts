import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from './api.ts'
import { changesOf, layOn, wasOf } from './changes.ts'

const loaded = { days: 30, fileDays: null as number | null, inboxIds: ['a', 'b'] }

test('only what was changed is a change, lists and nulls too', () => {
  assert.deepEqual(changesOf(loaded, { ...loaded, inboxIds: ['a', 'b'] }), {})
  const changes = changesOf(loaded, { days: 30, fileDays: 7, inboxIds: ['a'] })
  assert.deepEqual(changes, { fileDays: 7, inboxIds: ['a'] })
  assert.deepEqual(wasOf(loaded, changes), { fileDays: null, inboxIds: ['a', 'b'] })
})

test('what others changed meanwhile stays, and the same field changed by two is a conflict', () => {
  const written = { ...loaded, days: 90 }
  assert.deepEqual(layOn({ ...loaded, inboxIds: ['a'] }, loaded, written), { days: 90, fileDays: null, inboxIds: ['a'] })
  assert.deepEqual(layOn({ ...loaded, days: 90 }, loaded, written), written)
  assert.throws(
    () => layOn({ ...loaded, days: 60 }, loaded, written),
    (error) => error instanceof ApiError && error.code === 'HUB_CONFLICT' && error.status === 409,
  )
})
