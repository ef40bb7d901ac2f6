import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { profileAsker } from './read-profile.ts'

test('one job an hour and person, however much they write; the next hour it is asked for again', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const asked: unknown[] = []
  const ask = profileAsker({
    enqueue: async (_name: string, data: unknown) => {
      asked.push(data)
    },
  } as unknown as PluginContext)
  const [one, two] = [
    { inboxId: 'a', openid: '1' },
    { inboxId: 'a', openid: '2' },
  ]
  for (let i = 0; i < 3; i++) ask(one)
  ask(two)
  assert.deepEqual(asked, [one, two])
  t.mock.timers.tick(3_600_000)
  ask(one)
  assert.deepEqual(asked, [one, two, one])
  // Who follows is asked about at once, whatever was asked this hour; what they write then is no reason to ask again.
  ask({ ...one, followed: true })
  ask(one)
  assert.deepEqual(asked.slice(3), [{ ...one, followed: true }])
})
