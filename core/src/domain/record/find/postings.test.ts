/** What the index keeps comes out as it went in, and words mean the same to it as to a reader. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fold, keywordOf, matches } from '../../../../sdk/keyword.ts'
import { eachGram, gramsOf, snippetOf } from './keyword.ts'
import { inAll, packHits, packIds, unpackHits, unpackIds } from './postings.ts'

const hits = fc.uniqueArray(fc.integer({ min: 0, max: 5_000 })).map((list) => list.sort((a, b) => a - b))
const messages = 5_001

test('hits are kept exactly, be they few or many', () => {
  fc.assert(fc.property(hits, (list) => assert.deepEqual(unpackHits(packHits(list, messages)), list)))
  for (const step of [1, 2, 3, 7, 200, 40_000]) {
    const list = Array.from({ length: Math.floor(65_536 / step) }, (_, i) => i * step)
    const packed = packHits(list, 65_536)
    assert.deepEqual(unpackHits(packed), list)
    assert.ok(packed.length <= 8_193, `never longer than a bit each: ${packed.length}`)
  }
})

test('what is in all lists is in all lists', () => {
  fc.assert(
    fc.property(fc.array(hits, { minLength: 1, maxLength: 4 }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (lists, dense) => {
      // Some of them so many that they are kept as bits.
      const full = lists.map((list, i) => (dense[i] ? Array.from({ length: messages }, (_, n) => n).filter((n) => n % 3 !== 0 || list.includes(n)) : list))
      const expected = full.reduce((one, other) => one.filter((hit) => other.includes(hit)))
      assert.deepEqual(inAll(full.map((list) => packHits(list, messages))), expected)
    }),
    { numRuns: 30 },
  )
})

test('names are kept exactly', () => {
  const id = fc.stringMatching(/^[0-9a-z]{26}$/)
  fc.assert(
    fc.property(fc.uniqueArray(id, { maxLength: 128 }), (list) => {
      const sorted = list.sort()
      assert.deepEqual(unpackIds(packIds(sorted)), sorted)
    }),
  )
})

const text = fc.string({ unit: fc.constantFrom('退', '款', 'Ａ', 'a', 'B', '㈱', ' ', '\u3000', '😀', '-', 'é', '1', '\n', '*') })

test('whatever matches has all the grams, and the marks lie on the words', () => {
  fc.assert(
    fc.property(text, text, fc.constantFrom('fuzzy' as const, 'exact' as const), (said, typed, match) => {
      const keyword = keywordOf(typed, match)
      if (!keyword || !matches(keyword, said)) return
      const grams = new Set<number>()
      eachGram(said, (gram) => grams.add(gram))
      for (const gram of gramsOf(keyword)) assert.ok(grams.has(gram), `${JSON.stringify(said)} lacks ${gram} of ${JSON.stringify(typed)}`)
      const { snippet, marks } = snippetOf(keyword, said)
      assert.ok(marks.length > 0)
      const marked = fold(marks.map(([from, to]) => snippet.slice(from, to)).join('\n'))
      for (const word of keyword.words) assert.ok(fold(snippet).includes(fold(word).replace(/\s/g, ' ')), `${word} in ${snippet}`)
      assert.ok(marked !== '')
    }),
    { seed: 7, numRuns: 2_000 },
  )
})
