import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rangeOf } from './byte-range.ts'

test('a range is what the RFC says, cut at the end of the file', () => {
  const of10 = (header: string | undefined) => rangeOf(header, 10)
  assert.deepEqual(of10('bytes=0-0'), { from: 0, to: 0 })
  assert.deepEqual(of10('bytes=3-'), { from: 3, to: 9 })
  assert.deepEqual(of10('bytes=3-99'), { from: 3, to: 9 })
  assert.deepEqual(of10(' Bytes=-4 '), { from: 6, to: 9 })
  assert.deepEqual(of10('bytes=-99'), { from: 0, to: 9 })
  for (const beyond of ['bytes=10-', 'bytes=10-12', 'bytes=-0', 'bytes=999999999999999-']) assert.equal(of10(beyond), 'beyond', beyond)
  for (const ignored of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-3', 'bytes=0-1,3-4', 'items=0-1', 'bytes=a-b', 'bytes=1e3-', 'bytes=+1-2'])
    assert.equal(of10(ignored), undefined, ignored)
  assert.equal(rangeOf('bytes=-1', 0), 'beyond')
})
