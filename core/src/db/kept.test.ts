import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kept } from './kept.ts'

const asking = () => {
  const asked: string[] = []
  return {
    asked,
    ask: async (key: string) => {
      asked.push(key)
      if (key === 'ill') throw new Error('no answer')
      return key.length
    },
  }
}

test('whoever asks at once, or soon after, gets one answer; a failure is asked for again', async () => {
  const { asked, ask } = asking()
  const kept = new Kept(60_000, ask)
  assert.deepEqual(await Promise.all([kept.of('tea'), kept.of('tea'), kept.of('cups')]), [3, 3, 4])
  assert.equal(await kept.of('tea'), 3)
  for (let i = 0; i < 2; i++) await assert.rejects(kept.of('ill'))
  assert.deepEqual(asked, ['tea', 'cups', 'ill', 'ill'])
  kept.clear()
  await kept.of('tea')
  assert.equal(asked.length, 5)
})

test('it is asked again when its time is over, and the oldest goes when there are too many', async () => {
  const late = asking()
  const over = new Kept(0, late.ask)
  await over.of('a')
  await over.of('a')
  assert.deepEqual(late.asked, ['a', 'a'])
  const { asked, ask } = asking()
  const few = new Kept(60_000, ask, 2)
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await few.of(key)
  assert.deepEqual(asked, ['a', 'b', 'c', 'a'])
})
