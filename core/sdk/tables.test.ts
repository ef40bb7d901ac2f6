import assert from 'node:assert/strict'
import { test } from 'node:test'
import { csvCell } from './tables.ts'

test('no cell is a formula to a spreadsheet, also in full width or behind a space; a number stays one', () => {
  for (const sign of '=+-@＝＋－＠\t') for (const text of [`${sign}1`, ` ${sign}1`, `\u3000${sign}1`]) assert.equal(csvCell(text), `'${text}`)
  assert.deepEqual([csvCell('\n=1'), csvCell('\r1')], ['"\'\n=1"', '"\'\r1"'])
  assert.deepEqual(['a', 'a＝1', 'a"b', 'a,b', '', null, undefined, -1].map(csvCell), ['a', 'a＝1', '"a""b"', '"a,b"', '', '', '', '-1'])
})
