import { isDeepStrictEqual } from 'node:util'
import { HubError } from '../../sdk/errors.ts'

/**
 * What a writer gives for a value of which they were shown `shown`. Where that was masked and comes back as it was, it
 * stays as it is stored; their own words count. Throws HUB_FORBIDDEN for words with the stars of a mask among them: those
 * would be written down, and what they hide be lost.
 */
export function keepHidden<T>(stored: T, shown: T, given: T, details: Record<string, string>): T {
  if (isDeepStrictEqual(stored, shown)) return given
  if (isDeepStrictEqual(given, shown)) return stored
  if (JSON.stringify(given ?? '').includes('*')) throw new HubError('HUB_FORBIDDEN', 'You may not change what you may not see', details)
  return given
}
