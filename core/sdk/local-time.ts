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

const dayMs = 86_400_000

/** The instant when the clock there shows this; where it is skipped, as much later; where it comes twice, the first. */
export function instantOf(wall: number, tz: string): Date {
  const offsetAt = (at: number) => wallClock(new Date(at), tz).getTime() - Math.floor(at / 1_000) * 1_000
  // The offsets of a day before and after hold all that it can be.
  const candidates = [offsetAt(wall - dayMs), offsetAt(wall + dayMs)].map((offset) => wall - offset).sort((a, b) => a - b)
  const shown = candidates.find((at) => wallClock(new Date(at), tz).getTime() === wall)
  return new Date(shown ?? (candidates[1] as number))
}

/** `2026-11-22 09:05:00` */
export const wallText = (at: Date, tz: string): string => wallClock(at, tz).toISOString().slice(0, 19).replace('T', ' ')
