import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fold } from '../ui/fold.ts'
import type { Entry } from '../ui/words.ts'

const entry = (seq: number, event: string, details: Record<string, unknown> = {}) => ({ seq, event, details }) as Entry

test('what was told in parts is one line, though other deeds stand between; two deeds stay two', () => {
  const entries = [
    entry(9, 'export.ready'),
    entry(8, 'export.taken', { partOf: 'a' }),
    entry(7, 'record.viewed'),
    entry(6, 'export.taken', { partOf: 'b' }),
    entry(5, 'export.taken', { partOf: 'a' }),
    entry(4, 'record.viewed'),
    entry(3, 'export.taken'),
  ]
  assert.deepEqual(
    fold(entries).map(({ seq }) => seq),
    [9, 8, 7, 6, 4, 3],
  )
})
