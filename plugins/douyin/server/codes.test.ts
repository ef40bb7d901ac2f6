import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sheet, tokenSheet } from '../fixtures/error-codes.ts'
import { DouyinError } from './api.ts'
import { authorisationOver, codes, refreshTokenOver, renewalsUsedUp } from './codes.ts'
import { toSendError } from './send.ts'

const actions = { retry: 'backoff', tomorrow: 'tomorrow', refresh: 'refresh', tell: 'tell-agent', admin: 'tell-admin' } as const

for (const { codes: rowCodes, meaning, todo, shut = false } of sheet)
  test(`${rowCodes.join(', ')} (${meaning}): ${todo}`, () => {
    for (const code of rowCodes) {
      assert.equal(codes[code]?.action, actions[todo], `${code}`)
      const { retry, retryAfterMs = 0, windowShut, sentence } = toSendError(new DouyinError(code, 'x'))
      assert.equal(retry, todo === 'retry' || todo === 'tomorrow', `${code}`)
      assert.equal(retryAfterMs > 0, todo === 'tomorrow', `${code}`)
      assert.equal(windowShut, shut, `${code}`)
      assert.ok(sentence && !sentence.zh.includes(`${code}`), `${code} has a sentence of its own`)
      if (todo === 'admin') assert.ok(codes[code]?.remedy, `${code} has a remedy`)
    }
  })

test('what the token interfaces refuse ends the authorisation', () => {
  for (const code of tokenSheet.over) assert.ok(authorisationOver.has(code), `${code}`)
  assert.deepEqual([refreshTokenOver, renewalsUsedUp], [tokenSheet.refreshTokenOver, tokenSheet.renewalsUsedUp])
})
