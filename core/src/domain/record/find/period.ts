/** Time spans that move with today, in the reader's time zone. */
import { HubError } from '../../../../sdk/errors.ts'
import { instantOf, wallClock } from '../../../../sdk/local-time.ts'
import type { RecordFilter } from '../../../../sdk/wire/record.ts'

const daysBack = { today: 0, '7d': 6, '30d': 29 } as const

/** Midnight at which the span begins: of today, or of the day that makes it 7 or 30 days with today. */
export function startOfPeriod(period: NonNullable<RecordFilter['period']>, tz: string, now = new Date()): Date {
  const local = wallClock(now, tz)
  const midnight = Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate() - daysBack[period])
  return instantOf(midnight, tz)
}

/** The days that a span touches, in order, and when each begins there; the first one has begun by `from`. */
export function midnightsOf(from: Date, to: Date, tz: string): { day: string; at: Date }[] {
  const local = wallClock(from, tz)
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
