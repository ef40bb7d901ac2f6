import type { Entry } from './words.ts'

/** One deed that was told in several entries, since one cannot name all its records: shown once, where its newest stands. */
export function fold(entries: readonly Entry[]): Entry[] {
  const met = new Set<string>()
  return entries.filter(({ event, details }) => {
    if (typeof details.partOf !== 'string') return true
    const deed = `${event} ${details.partOf}`
    if (met.has(deed)) return false
    met.add(deed)
    return true
  })
}
