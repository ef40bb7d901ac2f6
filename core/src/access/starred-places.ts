/** Signs between two stars of one piece: 138-**-**-5678. */
const apart = 3

/** Where the stars stand that a masked text has and the text has not. A number with spaces between its digits is one place. */
export function starredPlaces(text: string, masked: string): { start: number; end: number }[] {
  const places: { start: number; end: number }[] = []
  for (let i = 0; i < masked.length; i++) {
    if (masked[i] === text[i]) continue
    const last = places.at(-1)
    if (last && i - last.end <= apart) last.end = i + 1
    else places.push({ start: i, end: i + 1 })
  }
  return places
}
