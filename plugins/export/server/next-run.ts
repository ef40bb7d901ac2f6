/** When a schedule is due: every day, week or month at a time on the clock of a time zone. */
import { instantOf, wallClock } from '@huike/core/sdk/local-time.ts'

export interface Rule {
  every: 'day' | 'week' | 'month'
  /** `HH:MM` */
  time: string
  /** An IANA name. */
  tz: string
  /** 1 Monday … 7 Sunday; of a week. */
  weekday: number
  /** 1 … 31; of a month that is shorter, its last day. */
  monthDay: number
}

const day = 86_400_000

/** Midnight of the day that the clock shows, as if it were UTC. */
const midnight = (at: Date, tz: string): number => Math.floor(wallClock(at, tz).getTime() / day) * day
const mondayOf = (wall: number): number => wall - ((new Date(wall).getUTCDay() + 6) % 7) * day
const firstOf = (wall: number, months = 0): number => Date.UTC(new Date(wall).getUTCFullYear(), new Date(wall).getUTCMonth() + months, 1)

/** The day of the `n`th period from the one that holds `wall`. */
function dayOf({ every, weekday, monthDay }: Rule, wall: number, n: number): number {
  if (every === 'day') return wall + n * day
  if (every === 'week') return mondayOf(wall) + (7 * n + weekday - 1) * day
  const first = firstOf(wall, n)
  const days = (firstOf(wall, n + 1) - first) / day
  return first + (Math.min(monthDay, days) - 1) * day
}

/** The first time after `after`. */
export function nextRun(rule: Rule, after: Date): Date {
  const [hours = 0, minutes = 0] = rule.time.split(':').map(Number)
  const today = midnight(after, rule.tz)
  for (let n = -1; ; n++) {
    const at = instantOf(dayOf(rule, today, n) + (hours * 60 + minutes) * 60_000, rule.tz)
    if (at > after) return at
  }
}

/** The last time up to `until`, of those from `due` on: what was missed meanwhile is made up by it. */
export function latestRun(rule: Rule, due: Date, until: Date): Date {
  // A little before it, so that it is found itself; never before what was due.
  const length = { day: 1, week: 7, month: 31 }[rule.every] * day
  let latest = due
  for (let at = nextRun(rule, new Date(Math.max(due.getTime(), until.getTime() - 2 * length))); at <= until; at = nextRun(rule, at)) latest = at
  return latest
}

/**
 * The whole day, week (from Monday) or month before the one that `at` lies in: from (inclusive) to (exclusive). Where turns
 * were missed, all of those from the one before `due` on.
 */
export function previousSpan(rule: Rule, at: Date, due = at): { from: string; to: string } {
  return { from: spanBefore(rule, due).from, to: spanBefore(rule, at).to }
}

function spanBefore({ every, tz }: Rule, at: Date): { from: string; to: string } {
  const today = midnight(at, tz)
  const [from, to] =
    every === 'day' ? [today - day, today] : every === 'week' ? [mondayOf(today) - 7 * day, mondayOf(today)] : [firstOf(today, -1), firstOf(today)]
  return { from: instantOf(from, tz).toISOString(), to: instantOf(to, tz).toISOString() }
}
