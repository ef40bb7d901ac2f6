/**
 * Reads telephone numbers, WeChat and QQ accounts and e-mail addresses out of what people write, whatever these are dressed
 * up as. The finder that fills contacts and the masker that hides them read with the same eyes: what the one finds, the
 * other stars. Pure; time grows with the text's length.
 */
import { findAccounts } from './accounts.ts'
import type { Reading } from './candidate.ts'
import { findWords, indexWords, Words } from './context.ts'
import { closeLinks, findEmails } from './emails.ts'
import { findNumbers } from './numbers.ts'
import { shadowOf } from './shadow.ts'

export { isAccount } from './accounts.ts'
export type { Candidate, Reading } from './candidate.ts'
export { find } from './candidate.ts'
export { breaker, cutsOf, mayBeDigit, runsOf } from './digits.ts'
export { mobileOf } from './numbers.ts'
export { shadowOf } from './shadow.ts'
export { digits } from './tables.ts'

const index = indexWords()

/** Reads at most this many signs at once: nobody hides a number behind more words, and the time stays bounded. */
export const mostSigns = 20_000

export interface HowToRead {
  worth: Reading['worth']
  /** Per sign of the original: did a colleague write it? */
  isTheirs?(at: number): boolean
  anybodys?: boolean
}

export function openReading(text: string, { worth, isTheirs, anybodys = false }: HowToRead): Reading {
  const shadow = shadowOf(text)
  const theirs = new Uint8Array(shadow.text.length)
  if (isTheirs) for (let i = 0; i < theirs.length; i++) if (isTheirs(shadow.from[i] as number)) theirs[i] = 1
  return { shadow, words: new Words(shadow.low, findWords(shadow, index)), closed: new Uint8Array(shadow.text.length), theirs, anybodys, worth, found: [] }
}

/** In this order: an address is no account, a link holds no number. */
export function readContacts(reading: Reading): void {
  findEmails(reading)
  closeLinks(reading)
  findNumbers(reading)
  findAccounts(reading)
}
