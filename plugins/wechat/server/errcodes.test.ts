import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendErrorOf, untilTomorrowMs, WechatError } from './api.ts'
import { errcodes, remedies } from './errcodes.ts'

const sent = (code: number) => sendErrorOf(new WechatError(code, 'x rid: 1'))

test('each code of the platform’s table does what the table says', () => {
  const never = [
    40003, 40004, 40005, 40006, 40008, 40009, 40010, 40011, 40012, 40033, 40035, 44004, 45002, 43004, 50005, 45015, 45047, 48001, 48002, 48004, 48008, 50002,
    40164,
  ]
  for (const code of never) assert.equal(sent(code).retry, false, `${code}`)
  for (const code of [-1, 45009, 45011]) assert.equal(sent(code).retry, true, `${code}`)
  for (const code of [40001, 40014, 42001]) assert.equal(errcodes[code]?.action, 'token', `${code}`)
  assert.equal(errcodes[40007]?.action, 'upload')
})

test('the window is shut by 45015, 45047 and by not following, by nothing else', () => {
  assert.deepEqual(
    Object.keys(errcodes)
      .map(Number)
      .filter((code) => sent(code).windowShut)
      .sort(),
    [43004, 45015, 45047, 50005],
  )
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
