import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameParts } from './file-names.ts'

test('a name is cut by the bytes that a file system counts, between two signs, and keeps its ending', () => {
  assert.deepEqual(nameParts('发票.tar.gz'), ['发票.tar', '.gz'])
  assert.deepEqual(
    ['.env', '名', '', 'a.'].map((name) => nameParts(name).join('|')),
    ['.env|', '名|', '|', 'a|.'],
  )
  assert.deepEqual(nameParts(`${'长'.repeat(114)}.pdf`), ['长'.repeat(78), '.pdf'])
  assert.deepEqual(nameParts(`a${'😀'.repeat(114)}.pdf`), [`a${'😀'.repeat(58)}`, '.pdf'])
  // No ending: a sentence.
  assert.deepEqual(nameParts(`1.${'长'.repeat(114)}`), [`1.${'长'.repeat(79)}`, ''])
  for (const name of ['a'.repeat(255), '长'.repeat(85), `.${'长'.repeat(255)}`, `${'😀'.repeat(127)}.${'长'.repeat(15)}`, `长.${'😀'.repeat(200)}`])
    assert.ok(Buffer.byteLength(nameParts(name).join('')) <= 240, name)
})
