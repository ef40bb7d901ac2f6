/** Numbers that somebody has masked themselves (`138****5678`): shown for what they are, never called, filled in or compared. */
import { find, type Reading } from '@huike/core/sdk/contact-reader/reader.ts'

/** What stands for a hidden digit. */
const hidden = '[*＊xX×✱●•·?？_]'
const middle = new RegExp(`(?<![\\d*a-z.])(1[3-9]\\d)[\\s-]?(${hidden})\\2{2,5}[\\s-]?(\\d{4})(?![\\d*a-z])`, 'g')
const end = new RegExp(`(?<![\\d*a-z.])(1[3-9]\\d)[\\s-]?(\\d{4})[\\s-]?(${hidden})\\3{3}(?![\\d*a-z])`, 'g')

export function findMasked(reading: Reading): void {
  const { low } = reading.shadow
  const put = (normal: string, match: RegExpExecArray) => find(reading, 'phone.masked', { normal, start: match.index, end: match.index + match[0].length })
  for (const match of low.matchAll(middle)) put(`${match[1]}****${match[3]}`, match)
  for (const match of low.matchAll(end)) put(`${match[1]}${match[2]}****`, match)
}

/** Is this a number of which only some digits are known? */
export const isMasked = (normal: string): boolean => normal.includes('*')
