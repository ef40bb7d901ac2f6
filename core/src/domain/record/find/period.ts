/** Time spans that move with today, in the reader's time zone. */
import { HubError } from '../../../../sdk/errors.ts'
import type { RecordFilter } from '../../../../sdk/wire/record.ts'

const daysBack = { today: 0, '7d': 6, '30d': 29 } as const

/** Midnight at which the span begins: of today, or of the day that makes it 7 or 30 days with today. */
export function startOfPeriod(period: NonNullable<RecordFilter['period']>, tz: string, now = new Date()): Date {
  const local = localTime(now, tz)
  const midnight = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate() - daysBack[period])
  return instantOf(midnight, tz)
}

/** The instant at which the clock on the wall there shows so much. */
function instantOf(wall: number, tz: string): Date {
  // The zone's distance from UTC is that of the instant itself, which a change of clocks may part from now's.
  const about = wall - distance(new Date(wall), tz)
  return new Date(wall - distance(new Date(about), tz))
}

/** The days that a span touches, in order, and when each begins there; the first one has begun by `from`. */
export function midnightsOf(from: Date, to: Date, tz: string): { day: string; at: Date }[] {
  const local = localTime(from, tz)
  const days: { day: string; at: Date }[] = []
  for (let wall = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()); ; wall += 86_400_000) {
    const at = instantOf(wall, tz)
    if (days.length > 0 && at >= to) return days
    days.push({ day: new Date(wall).toISOString().slice(0, 10), at })
  }
}

/** Throws HUB_REQUEST_INVALID for what is no IANA name of a time zone. */
export function checkTimeZone(tz: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: tz })
    return tz
  } catch {
    throw new HubError('HUB_REQUEST_INVALID', 'There is no such time zone', { path: '/tz' })
  }
}

const distance = (at: Date, tz: string): number => localTime(at, tz).getTime() - Math.floor(at.getTime() / 1_000) * 1_000

/** The clock on the wall there, as if it were UTC; whole seconds. */
function localTime(at: Date, tz: string): Date {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: tz,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  return new Date(Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')))
}
