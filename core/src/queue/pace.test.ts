import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from './pace.ts'

test('a few turns go at once, then one after another in their distance, and a rest gives them back', () => {
  const pace = new Pace(100, 3)
  const turns = (now: number, count: number) => Array.from({ length: count }, () => pace.turn('one', now))
  assert.deepEqual(turns(1_000, 5), [0, 0, 0, 100, 200])
  assert.deepEqual(turns(1_200, 1), [100])
  assert.equal(pace.turn('another', 1_200), 0)
  assert.deepEqual(turns(5_000, 4), [0, 0, 0, 100])
})

test('who comes just as often as that never waits', () => {
  const pace = new Pace(100, 1)
  for (let now = 1_000; now < 2_000; now += 100) assert.equal(pace.turn('one', now), 0)
})
