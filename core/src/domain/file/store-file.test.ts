import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safeName } from './store-file.ts'

test('a long name is cut before its end, which says what the file is', () => {
  assert.equal(safeName(`${'合'.repeat(161)}.pdf`), `${'合'.repeat(116)}.pdf`)
  assert.equal(safeName('合'.repeat(200)), '合'.repeat(120))
  assert.equal(safeName(`a.${'b'.repeat(200)}`), `a.${'b'.repeat(118)}`)
  assert.equal(safeName('../../etc/报价单.xlsx'), '报价单.xlsx')
  assert.equal(safeName(' \u202e '), 'file')
})
