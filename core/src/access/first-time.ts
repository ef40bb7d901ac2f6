/**
 * Pages ask again and again for what they show. The same deed of the same person is told once in five minutes, by each
 * process for itself: twice is a line too many, never is a line too few.
 */
const sameMs = 5 * 60_000
/** Beyond it the oldest are forgotten. */
const most = 50_000
const seen = new Map<string, number>()

export function firstTime(...what: readonly string[]): boolean {
  const now = Date.now()
  for (const [key, at] of seen) {
    if (now - at < sameMs && seen.size < most) break
    seen.delete(key)
  }
  const key = what.join('/')
  if (seen.has(key)) return false
  seen.set(key, now)
  return true
}
