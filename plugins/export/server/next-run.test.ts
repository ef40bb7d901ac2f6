import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latestRun, nextRun, previousSpan, type Rule } from './next-run.ts'

const rule = (more: Partial<Rule>): Rule => ({ every: 'day', time: '08:30', tz: 'Asia/Shanghai', weekday: 1, monthDay: 1, ...more })
const next = (more: Partial<Rule>, after: string) => nextRun(rule(more), new Date(after)).toISOString()

test('every day: later today or tomorrow, on the clock of the zone', () => {
  assert.equal(next({}, '2026-11-23T00:29:59Z'), '2026-11-23T00:30:00.000Z')
  assert.equal(next({}, '2026-11-23T00:30:00Z'), '2026-11-24T00:30:00.000Z')
  assert.equal(next({ tz: 'America/New_York' }, '2026-11-23T13:30:00Z'), '2026-11-24T13:30:00.000Z')
  assert.equal(next({ time: '00:00', tz: 'Pacific/Kiritimati' }, '2026-11-23T10:00:00Z'), '2026-11-24T10:00:00.000Z')
})

test('every week: the day of the week, over the end of a year too', () => {
  // 2026-11-23 is a Monday.
  assert.equal(next({ every: 'week', weekday: 1 }, '2026-11-23T00:00:00Z'), '2026-11-23T00:30:00.000Z')
  assert.equal(next({ every: 'week', weekday: 1 }, '2026-11-23T01:00:00Z'), '2026-11-30T00:30:00.000Z')
  assert.equal(next({ every: 'week', weekday: 7 }, '2026-11-23T01:00:00Z'), '2026-11-29T00:30:00.000Z')
  assert.equal(next({ every: 'week', weekday: 5 }, '2026-12-26T01:00:00Z'), '2027-01-01T00:30:00.000Z')
})

test('every month: the 31st is the last day where there is none', () => {
  assert.equal(next({ every: 'month', monthDay: 31 }, '2027-02-01T00:00:00Z'), '2027-02-28T00:30:00.000Z')
  assert.equal(next({ every: 'month', monthDay: 31 }, '2028-02-01T00:00:00Z'), '2028-02-29T00:30:00.000Z')
  assert.equal(next({ every: 'month', monthDay: 31 }, '2027-02-28T00:30:00Z'), '2027-03-31T00:30:00.000Z')
  assert.equal(next({ every: 'month', monthDay: 1 }, '2026-12-15T00:00:00Z'), '2027-01-01T00:30:00.000Z')
})

test('where clocks are changed: a skipped time comes an hour later, a doubled one once', () => {
  const berlin = { tz: 'Europe/Berlin', time: '02:30' }
  // 2026-03-29 the clock goes from 02:00 to 03:00, 2026-10-25 from 03:00 back to 02:00.
  assert.equal(next(berlin, '2026-03-28T12:00:00Z'), '2026-03-29T01:30:00.000Z')
  assert.equal(next(berlin, '2026-03-29T01:30:00Z'), '2026-03-30T00:30:00.000Z')
  assert.equal(next(berlin, '2026-10-24T12:00:00Z'), '2026-10-25T00:30:00.000Z')
  assert.equal(next(berlin, '2026-10-25T00:30:00Z'), '2026-10-26T01:30:00.000Z')
})

test('each is after the one before, for years, in many zones', () => {
  for (const tz of ['Asia/Shanghai', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Africa/Casablanca'])
    for (const every of ['day', 'week', 'month'] as const) {
      let at = new Date('2025-12-31T00:00:00Z')
      for (let n = 0; n < 400; n++) {
        const then = nextRun(rule({ every, tz, time: '02:15', weekday: 7, monthDay: 30 }), at)
        const days = (then.getTime() - at.getTime()) / 86_400_000
        assert.ok(days > 0 && days < 32, `${tz} ${every} ${at.toISOString()} → ${then.toISOString()}`)
        at = then
      }
    }
})

test('of many that were missed it is the last', () => {
  const latest = (due: string, until: string, more: Partial<Rule> = {}) => latestRun(rule(more), new Date(due), new Date(until)).toISOString()
  assert.equal(latest('2026-11-01T00:30:00Z', '2026-11-23T09:00:00Z'), '2026-11-23T00:30:00.000Z')
  assert.equal(latest('2026-11-23T00:30:00Z', '2026-11-23T00:30:01Z'), '2026-11-23T00:30:00.000Z')
  assert.equal(latest('2020-01-01T00:30:00Z', '2026-11-23T09:00:00Z', { every: 'month' }), '2026-11-01T00:30:00.000Z')
})

test('where turns were missed the span is of all of them', () => {
  const span = previousSpan(rule({}), new Date('2026-11-30T00:30:00Z'), new Date('2026-11-26T00:30:00Z'))
  assert.deepEqual(span, { from: '2026-11-24T16:00:00.000Z', to: '2026-11-29T16:00:00.000Z' })
})

test('the span before: the whole day, week from Monday, month', () => {
  const at = new Date('2026-11-23T00:30:00Z')
  const span = (every: Rule['every']) => Object.values(previousSpan(rule({ every }), at))
  assert.deepEqual(span('day'), ['2026-11-21T16:00:00.000Z', '2026-11-22T16:00:00.000Z'])
  assert.deepEqual(span('week'), ['2026-11-15T16:00:00.000Z', '2026-11-22T16:00:00.000Z'])
  assert.deepEqual(span('month'), ['2026-09-30T16:00:00.000Z', '2026-10-31T16:00:00.000Z'])
})
