import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveWay, patienceFor, wasFull } from './give-way.ts'

const env = { roles: { web: true, worker: true } }

test('a listener waits for the message that is being taken in', async () => {
  let inHand = true
  let after = false
  const standingStill = () => 0
  const waiting = giveWay({ env, intake: { busy: () => false, inHand: () => inHand } }, 0, standingStill).then(() => assert.ok(after))
  setImmediate(() =>
    setImmediate(() => {
      after = true
      inHand = false
    }),
  )
  await waiting
})

test('and not for ever: one message comes after another', async () => {
  let [asked, ms] = [0, 0]
  await giveWay({ env, intake: { busy: () => true, inHand: () => ++asked > 0 } }, 0, () => ms++)
  assert.equal(asked, patienceFor(0))
})

test('a listener keeps up: the wait for one event is a few times as long as the event itself', () => {
  assert.equal(patienceFor(0.25), 2)
  assert.ok(patienceFor(100) <= 5 && patienceFor(0) <= 5)
})

test('a machine is full when its processors hardly rest', () => {
  const before = { idle: 1_000, all: 5_000 }
  assert.equal(wasFull(before, { idle: 1_010, all: 5_500 }), true)
  assert.equal(wasFull(before, { idle: 1_100, all: 5_500 }), false)
})
