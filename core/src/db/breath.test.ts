import assert from 'node:assert/strict'
import { test } from 'node:test'
import { letBreathe } from './breath.ts'

test('a long loop of queries that answer at once lets others in', async () => {
  const connection = { executeQuery: async (query: number) => ({ rows: [query] }) }
  await letBreathe(connection)
  let others = 0
  const other = setInterval(() => others++, 1)
  const end = performance.now() + 80
  let asked = 0
  while (performance.now() < end) assert.deepEqual(await connection.executeQuery(++asked), { rows: [asked] })
  clearInterval(other)
  assert.ok(others > 0, `nobody was let in during ${asked} queries`)
})

test('what a query throws is thrown', async () => {
  const connection = { executeQuery: async (): Promise<unknown> => Promise.reject(new Error('no such table')) }
  await letBreathe(connection)
  await assert.rejects(connection.executeQuery(), /no such table/)
})
