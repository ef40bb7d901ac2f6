import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { doneBy, whoDoes } from '../access/doing.ts'
import { KeyedRunner } from './in-process.ts'

test('who hurried a work has not done it, and what runs again is nobody’s either', async () => {
  const seen: unknown[] = []
  const runner = new KeyedRunner(
    async () => {
      seen.push(whoDoes())
      if (seen.length === 1) runner.run('one')
    },
    pino({ level: 'silent' }),
  )
  doneBy({ agentId: 'a', tokenId: null, ip: '' }, () => runner.run('one'))
  while (seen.length < 2) await new Promise(setImmediate)
  await runner.finish()
  assert.deepEqual(seen, [null, null])
})
