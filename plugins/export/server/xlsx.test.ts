/** Places of cells, however the bytes of a sheet come. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeRows, xlsxRow } from './xlsx.ts'

test('several links in a cell: the first leads, the others are words, and no literal nor formula is longer than Excel takes', () => {
  const others = Array.from({ length: 50 }, (_, i) => `https://${'h'.repeat(200)}.example/api/files/${i}`)
  const row = xlsxRow([{ link: 'https://a.example/1', label: '打开', others: ['https://a.example/"2"'] }], 'UTC')
  assert.ok(
    row.includes('HYPERLINK(&quot;https://a.example/1&quot;,&quot;打开&quot;&amp;CHAR(10)&amp;&quot;https://a.example/&quot;&quot;2&quot;&quot;&quot;)'),
  )
  assert.ok(row.includes('<v>打开\nhttps://a.example/&quot;2&quot;</v>'))
  const long = xlsxRow([{ link: 'https://a.example/1', label: '打开', others }], 'UTC')
  const formula = (/<f>(.*)<\/f>/.exec(long)?.[1] ?? '').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
  assert.ok(formula.length > 6_000 && formula.length < 8_192 && formula.endsWith('"…")'), String(formula.length))
})

test('rows and cells are told where they stand, wherever the bytes are cut', () => {
  const wide = xlsxRow(
    Array.from({ length: 30 }, (_, i) => (i === 1 ? '一'.repeat(50) : i)),
    'UTC',
  )
  const bytes = Buffer.from(wide + xlsxRow(['<row>', null, new Date(0)], 'UTC'))
  const whole = placeRows()(bytes).toString()
  assert.deepEqual(whole.match(/r="\w+"/g)?.slice(0, 4), ['r="1"', 'r="A1"', 'r="B1"', 'r="C1"'])
  assert.deepEqual(whole.match(/r="\w+"/g)?.slice(-6), ['r="AC1"', 'r="AD1"', 'r="2"', 'r="A2"', 'r="B2"', 'r="C2"'])
  assert.ok(whole.includes('一'.repeat(50)) && whole.includes('&lt;row&gt;'))
  for (const size of [1, 3, 17]) {
    const place = placeRows()
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) pieces.push(place(bytes.subarray(at, at + size)))
    assert.equal(Buffer.concat(pieces).toString(), whole)
  }
})
