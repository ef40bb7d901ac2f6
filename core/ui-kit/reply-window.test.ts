import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replyWindowNow } from './reply-window.ts'

const minute = 60_000
const day2 = 48 * 60 * minute

test('a short grant lengthens nothing and adds to nothing: it is told beside the long one, until it is gone', () => {
  const grants = [
    { until: minute, left: 3 },
    { until: minute - 5_000, left: 3 },
    { until: day2, left: 5 },
  ]
  assert.deepEqual(replyWindowNow(grants, 0), { until: day2, left: 5, sooner: { until: minute, left: 6 } })
  assert.deepEqual(replyWindowNow(grants, minute - 1), { until: day2, left: 5, sooner: { until: minute, left: 3 } })
  assert.deepEqual(replyWindowNow(grants, minute), { until: day2, left: 5, sooner: undefined })
})

test('used up or over: nothing may be sent; without a count there is none', () => {
  assert.equal(
    replyWindowNow(
      [
        { until: day2, left: 0 },
        { until: 1, left: 3 },
      ],
      minute,
    ),
    undefined,
  )
  assert.equal(replyWindowNow([], 0), undefined)
  assert.deepEqual(
    replyWindowNow(
      [
        { until: day2, left: null },
        { until: minute, left: 2 },
      ],
      0,
    ),
    { until: day2, left: null, sooner: { until: minute, left: 2 } },
  )
})

test('what is left of a long one that is used up is not what is left of a short one', () => {
  assert.deepEqual(
    replyWindowNow(
      [
        { until: day2, left: 0 },
        { until: minute, left: 2 },
      ],
      0,
    ),
    { until: minute, left: 2, sooner: undefined },
  )
})
