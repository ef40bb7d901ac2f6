import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sheet } from '../fixtures/error-codes.ts'
import { sendErrorOf, untilTomorrowMs, WechatError } from './api.ts'
import { errcodes, remedies } from './errcodes.ts'

const sent = (code: number) => sendErrorOf(new WechatError(code, 'x rid: 1'))

const actions = { retry: 'retry', refresh: 'token', upload: 'upload', tell: 'never' } as const

for (const { codes, meaning, todo, tries, shut = false, alert = false } of sheet)
  test(`${codes.join(', ')} (${meaning}): ${todo}`, () => {
    for (const code of codes) {
      const rule = errcodes[code]
      assert.ok(rule, `${code} is not known`)
      assert.equal(rule.action, actions[todo], `${code}`)
      const { retry, maxTries, windowShut, sentence } = sent(code)
      assert.equal(retry, todo === 'retry' || todo === 'refresh', `${code}`)
      assert.deepEqual([maxTries, windowShut], [tries, shut], `${code}`)
      assert.ok(sentence && !sentence.zh.includes(`${code}`), `${code} has a sentence of its own`)
      assert.equal(Boolean(rule.health || rule.notice), alert, `${code}`)
    }
  })

test('each sentence is there in both languages, ends, and names no code', () => {
  for (const [code, { sentence }] of Object.entries(errcodes)) {
    assert.match(sentence.zh, /^[^A-Za-z]*.*[\u4e00-\u9fff].*。$/, code)
    assert.match(sentence.en, /^[A-Z].*\.$|^[A-Z].*again by itself\.$/, code)
    assert.ok(!sentence.zh.includes(code) && !sentence.en.includes(code), code)
  }
})

test('a code nobody has written down is told with its number', () => {
  assert.match(sent(99999).sentence?.zh ?? '', /99999/)
  assert.equal(sent(99999).retry, false)
})

test('a code that makes the account ill has a remedy for the admin', () => {
  for (const [code, { health }] of Object.entries(errcodes)) if (health) assert.ok(remedies[Number(code)], code)
})

test('a daily quota is waited for until Beijing’s next day', () => {
  const at = (time: string) => untilTomorrowMs(Date.parse(time)) / 60_000
  assert.equal(at('2026-05-28T15:59:00Z'), 6)
  assert.equal(at('2026-05-28T16:00:00Z'), 24 * 60 + 5)
})

test('WeChat’s words, with the number its support asks for, go to the log', () => {
  assert.equal(sent(45002).message, '45002 x rid: 1')
  assert.equal(sent(45002).reason, 'wechat 45002')
})
