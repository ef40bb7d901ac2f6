import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HubError } from '@huike/core/sdk/errors.ts'
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

test('what both said in a call, and what was noted of it, is marked as nobody’s own words', async () => {
  const call = { externalCallId: 'c1', from: '13800138000', to: '4008001000', startedAt: '2026-03-01T10:20:00Z', result: 'answered', note: '已登记' }
  const transcript = Array.from({ length: 20 }, () => ({ speaker: '客服', startMs: 3_000, text: '好'.repeat(2_000) }))
  for (const direction of ['in', 'out']) {
    const body = Buffer.from(JSON.stringify({ type: 'call.ended', data: { ...call, direction, transcript } }))
    const { events } = await decode(body, 'evt_1', { userSubject: '', openPlatform: '' }, async () => undefined as never)
    const words = events.flatMap((event) => ('parts' in event ? event.parts : [])).filter((part) => part.type === 'text')
    assert.ok(words.length > 2)
    assert.ok(words.every(({ label, reported }) => label && reported === true))
  }
})

const withTimes = (times: { timestamp?: string; sentAt?: string }) => {
  const { timestamp, sentAt } = times
  const data = { externalMessageId: 'm1', sender: { externalId: 'u1' }, content: [{ type: 'text', text: '在吗' }], ...(sentAt ? { sentAt } : {}) }
  const body = Buffer.from(JSON.stringify({ type: 'message.created', ...(timestamp ? { timestamp } : {}), data }))
  return decode(body, 'evt_1', { userSubject: '', openPlatform: '' }, async () => undefined as never)
}

test('a time is one of the calendar, from 1970 to 2100 in UTC; any other is refused at its place', async () => {
  for (const good of [
    '1970-01-01T00:00:00Z',
    '1969-12-31T23:00:00-01:00',
    '2024-02-29T12:00:00+08:00',
    '2026-03-01T00:00:00.123456789+14:00',
    '2100-12-31T23:59:59.999Z',
    '2101-01-01T07:59:59+08:00',
  ]) {
    const { events } = await withTimes({ sentAt: good })
    assert.deepEqual([good, events[0]?.kind === 'message' && events[0].sentAt?.getTime()], [good, Date.parse(good)])
  }
  for (const bad of [
    '0000-01-01T00:00:00Z',
    '0999-12-31T00:00:00Z',
    '1969-12-31T23:59:59.999Z',
    '1970-01-01T07:59:59+08:00',
    '2023-02-29T00:00:00Z',
    '2024-02-30T00:00:00Z',
    '2024-04-31T00:00:00+08:00',
    '2024-01-01T24:00:00Z',
    '2024-01-01T10:60:00Z',
    '2024-01-01T10:00:00+24:60',
    '2101-01-01T00:00:00Z',
    '2100-12-31T23:59:59-01:00',
    '9999-12-31T23:59:59-01:00',
  ])
    for (const [path, times] of [
      ['/timestamp', { timestamp: bad }],
      ['/data/sentAt', { sentAt: bad }],
    ] as const)
      await assert.rejects(withTimes(times), (error) => {
        assert.ok(error instanceof HubError, `${error}`)
        assert.deepEqual(
          [bad, error.code, (error.details as { faults: { path: string }[] }).faults.map((fault) => fault.path)],
          [bad, 'HUB_REQUEST_INVALID', [path]],
        )
        return true
      })
})

test('words that say nothing are no message', async () => {
  for (const text of ['', ' ', '\n\t']) {
    const data = { externalMessageId: 'm1', sender: { externalId: 'u1' }, content: [{ type: 'text', text }] }
    const body = Buffer.from(JSON.stringify({ type: 'message.created', data }))
    await assert.rejects(
      decode(body, 'evt_1', { userSubject: '', openPlatform: '' }, async () => undefined as never),
      ({ code, details }: HubError) => code === 'HUB_REQUEST_INVALID' && (details as { faults: { path: string }[] }).faults[0]?.path === '/data/content/0/text',
    )
  }
})
