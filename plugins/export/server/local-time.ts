/** Instants on the clock of a time zone. Formatters are dear to make and cheap to use. */
const formatters = new Map<string, Intl.DateTimeFormat>()

/** The clock on the wall there, as if it were UTC. Throws RangeError for what is no time zone. */
export function wallClock(at: Date, tz: string): Date {
  let format = formatters.get(tz)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    // Names come from people's browsers: a few hundred zones in a hundred spellings are no reason to grow.
    if (formatters.size > 500) formatters.clear()
    formatters.set(tz, format)
  }
  const of: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(at)) of[type] = Number(value)
  return new Date(Date.UTC(of.year as number, (of.month as number) - 1, of.day, of.hour, of.minute, of.second))
}

/** `2026-11-22 09:05:00` */
export const wallText = (at: Date, tz: string): string => wallClock(at, tz).toISOString().slice(0, 19).replace('T', ' ')
