const starsIn = (text: string): number => text.split('*').length

/** Two views of one thing, in each of which something else is starred: what can be read in either. A star replaces one sign. */
export function together<T>(one: T, other: T): T {
  if (typeof one === 'string' && typeof other === 'string') return textTogether(one, other) as T
  if (typeof one === 'number' && typeof other === 'number') return String(one).length > String(other).length ? one : other
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return other
  if (Array.isArray(one) && Array.isArray(other)) return other.map((value, i) => (i in one ? together(one[i], value) : value)) as T
  return Object.fromEntries(Object.entries(other).map(([name, value]) => [name, name in one ? together(one[name as keyof T], value) : value])) as T
}

/** What is no sentence but a field (a sender's name) may be shorter where it is starred. */
function textTogether(one: string, other: string): string {
  if (one.length !== other.length) return starsIn(one) < starsIn(other) ? one : other
  return Array.from({ length: one.length }, (_, i) => (one[i] === '*' ? other[i] : one[i])).join('')
}
