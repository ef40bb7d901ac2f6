import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from './decode.ts'

const callerOf = async (from: string, externalCallId = 'c1') => {
  const data = { externalCallId, direction: 'in', from, to: '4008001000', startedAt: '2026-03-01T10:20:00Z' }
  const body = Buffer.from(JSON.stringify({ type: 'call.started', data }))
  const { events } = await decode(body, 'evt_1', { userSubject: '', openPlatform: '' }, async () => undefined as never)
  return events[0]?.from
}

test('one number is one caller, however the exchange writes it', async () => {
  for (const said of ['13800138000', '+86 138-0013-8000', '0086 13800138000', '8613800138000', '(138) 0013.8000'])
    assert.deepEqual([said, (await callerOf(said))?.externalId, (await callerOf(said))?.phone], [said, 'tel:13800138000', '13800138000'])
  for (const said of ['+1 415 555 0100', '0014155550100']) assert.equal((await callerOf(said))?.externalId, 'tel:+14155550100', said)
  for (const said of ['10086', '02112345678', '8001']) assert.equal((await callerOf(said))?.externalId, `tel:${said}`)
})

test('callers without a number are not one person', async () => {
  for (const said of ['', 'anonymous', 'Unknown', '未知号码', '138****8000', '0', 'sip:1001@pbx']) {
    const from = await callerOf(said, 'c7')
    assert.deepEqual([said, from], [said, { externalId: 'call:c7' }])
  }
})
