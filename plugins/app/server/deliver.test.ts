/** When the other side asks to be left alone for a while, in either of the two ways of saying it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfterMs } from './deliver.ts'

const now = Date.parse('2026-03-01T02:00:00Z')
const hour = 3_600_000

test('Retry-After: seconds or a date, a day at most, never the past', () => {
  for (const [header, ms] of [
    ['7', 7_000],
    ['Sun, 01 Mar 2026 02:00:30 GMT', 30_000],
    ['Sun, 08 Mar 2026 02:00:00 GMT', 24 * hour],
    ['999999999', 24 * hour],
    ['Sun, 01 Mar 2026 01:00:00 GMT', undefined],
    ['0', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const)
    assert.equal(retryAfterMs(header, now), ms, header)
})
