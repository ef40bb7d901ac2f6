/** The filter in the page's address: what one sees can be sent to a colleague as a link. */
import type { LocationQuery } from 'vue-router'
import type { RecordFilter } from '../../sdk/wire/record.ts'

/** Without what says nothing. */
export function tidy(filter: RecordFilter): RecordFilter {
  const kept = Object.entries(filter).filter(
    ([, value]) => value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0),
  )
  return Object.fromEntries(kept) as RecordFilter
}

/** An address that somebody spoilt is one without a filter. */
export function readFilter(query: LocationQuery): RecordFilter {
  try {
    const value: unknown = JSON.parse(String(query.f ?? '{}'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? tidy(value as RecordFilter) : {}
  } catch {
    return {}
  }
}

export function writeFilter(filter: RecordFilter): { f?: string } {
  const kept = tidy(filter)
  return Object.keys(kept).length === 0 ? {} : { f: JSON.stringify(kept) }
}

/** The reader's zone, in which "today" is meant. */
export const timeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** Midnight of a day as the reader's clock has it (`2026-11-22`), in UTC. */
export const startOfDay = (day: string): string => new Date(`${day}T00:00:00`).toISOString()
/** The midnight after it: a span ends before that. */
export function endOfDay(day: string): string {
  const date = new Date(`${day}T00:00:00`)
  date.setDate(date.getDate() + 1)
  return date.toISOString()
}
/** The day of an instant as the reader's clock has it; `last` for the end of a span, which lies on the next midnight. */
export function dayOf(instant: string | undefined, last = false): string {
  if (!instant) return ''
  const date = new Date(Date.parse(instant) - (last ? 1 : 0))
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`
}
