import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createBatcher } from './batch.ts'

/** A batcher whose batches end when they are told to. */
function held(lanes: number, worth: number, max = 4, patienceMs = 60_000, step = 1) {
  const begun: { items: string[]; end(error?: Error): void }[] = []
  const batcher = createBatcher<string, string>(
    (items) =>
      new Promise((resolve, reject) => {
        begun.push({ items, end: (error) => (error ? reject(error) : resolve(items.map((item) => item.toUpperCase()))) })
      }),
    { max, step, lanes, worth, patienceMs, keyOf: (item) => item[0] ?? '' },
  )
  return { batcher, begun, seen: () => begun.map(({ items }) => items.join(' ')) }
}

test('what arrives together is one batch, what arrives meanwhile the next', async () => {
  const { batcher, begun, seen } = held(1, 1)
  const first = [batcher.add('a1'), batcher.add('b1')]
  await turn()
  const later = ['c1', 'd1', 'e1', 'f1', 'g1'].map((item) => batcher.add(item))
  await turn()
  assert.deepEqual(seen(), ['a1 b1'])
  begun[0]?.end()
  assert.deepEqual(await Promise.all(first), ['A1', 'B1'])
  await turn()
  assert.deepEqual(seen(), ['a1 b1', 'c1 d1 e1 f1'], 'no more than four')
  begun[1]?.end()
  await turn()
  begun[2]?.end()
  assert.deepEqual(await Promise.all(later), ['C1', 'D1', 'E1', 'F1', 'G1'])
  await batcher.idle()
})

test('a second batch begins beside the first when enough wait, and nobody overtakes an earlier item of their key', async () => {
  const { batcher, begun, seen } = held(2, 2)
  const said = ['a1', 'a2'].map((item) => batcher.add(item))
  await turn()
  said.push(...['a3', 'b1'].map((item) => batcher.add(item)))
  await turn()
  assert.deepEqual(seen(), ['a1 a2'], 'b1 alone is not worth a batch beside it')
  said.push(...['c1', 'a4'].map((item) => batcher.add(item)))
  await turn()
  assert.deepEqual(seen(), ['a1 a2', 'b1 c1'], 'a3 and a4 wait for a1 and a2')
  begun[1]?.end()
  await turn()
  assert.equal(begun.length, 2)
  begun[0]?.end()
  await turn()
  assert.deepEqual(seen(), ['a1 a2', 'b1 c1', 'a3 a4'])
  begun[2]?.end()
  assert.deepEqual(await Promise.all(said), ['A1', 'A2', 'A3', 'B1', 'C1', 'A4'])
  await batcher.idle()
})

test('one that has waited long enough goes beside a batch that is held up, but never before an earlier item of its key', async () => {
  const { batcher, begun, seen } = held(2, 16, 4, 5)
  const said = [batcher.add('a1')]
  await turn()
  said.push(...['a2', 'b1'].map((item) => batcher.add(item)))
  await turn()
  assert.deepEqual(seen(), ['a1'])
  while (begun.length < 2) await turn()
  assert.deepEqual(seen(), ['a1', 'b1'])
  begun[1]?.end()
  begun[0]?.end()
  while (begun.length < 3) await turn()
  assert.deepEqual(seen(), ['a1', 'b1', 'a2'])
  begun[2]?.end()
  assert.deepEqual(await Promise.all(said), ['A1', 'A2', 'B1'])
  await batcher.idle()
})

test('more than a step go in whole steps; those left over are the first of the next batch', async () => {
  const { batcher, begun, seen } = held(1, 1, 6, 60_000, 2)
  const said = ['a1', 'b1', 'c1', 'd1', 'e1'].map((item) => batcher.add(item))
  await turn()
  assert.deepEqual(seen(), ['a1 b1 c1 d1'])
  said.push(batcher.add('a2'))
  begun[0]?.end()
  await turn()
  assert.deepEqual(seen(), ['a1 b1 c1 d1', 'e1 a2'])
  said.push(batcher.add('f1'))
  begun[1]?.end()
  await turn()
  assert.deepEqual(seen(), ['a1 b1 c1 d1', 'e1 a2', 'f1'], 'what is less than a step waits for nobody')
  begun[2]?.end()
  assert.deepEqual(await Promise.all(said), ['A1', 'B1', 'C1', 'D1', 'E1', 'A2', 'F1'])
  await batcher.idle()
})

test('a batch that fails is tried item by item, and its keys are held until then', async () => {
  const { batcher, begun, seen } = held(2, 1)
  const [one, other] = [batcher.add('a1'), batcher.add('b1')]
  await turn()
  begun[0]?.end(new Error('together'))
  await turn()
  const behind = batcher.add('b2')
  await turn()
  assert.deepEqual(seen(), ['a1 b1', 'a1'], 'b2 does not go before b1')
  begun[1]?.end(new Error('alone'))
  await assert.rejects(one, /alone/)
  await turn()
  begun[2]?.end()
  assert.equal(await other, 'B1')
  await turn()
  begun[3]?.end()
  assert.equal(await behind, 'B2')
  assert.deepEqual(seen(), ['a1 b1', 'a1', 'b1', 'b2'])
  await batcher.idle()
})
