/** What somebody left as the way to reach them, read by the hub's own reader: what is no number and no mail address is no field's. */
import { isNumber } from '@huike/core/sdk/contact-reader/dialled.ts'
import { openReading, readContacts } from '@huike/core/sdk/contact-reader/reader.ts'

export interface Address {
  phone?: string
  email?: string
  /** More is said than the fields hold: an account, an hour to call at, a second number. */
  more: boolean
}

/** Whoever fills it in was asked for it: a number needs no other word to be one. */
const asked = '电话：'
const longestEmail = 190

export function readAddress(left: string): Address {
  // Digits of an input method's full width are digits.
  const plain = left.normalize('NFKC').trim()
  if (isNumber(plain)) return { phone: plain, more: false }
  const text = asked + plain
  const reading = openReading(text, { worth: () => 1, anybodys: true })
  readContacts(reading)
  const { from, to } = reading.shadow
  const found = reading.found.map((one) => ({ ...one, start: from[one.start] as number, end: to[one.end - 1] as number }))
  const phone = found.find(({ kind }) => kind === 'phone' || kind === 'landline')
  const email = found.find(({ kind, normal }) => kind === 'email' && normal.length <= longestEmail)
  const rest = text.split('').filter((_, at) => at >= asked.length && ![phone, email].some((one) => one && at >= one.start && at < one.end))
  return {
    ...(phone ? { phone: asWritten(text.slice(phone.start, phone.end), phone.normal) } : {}),
    ...(email ? { email: email.normal } : {}),
    more: /[\p{L}\p{N}@]/u.test(rest.join('')),
  }
}

/** A number in words or in disguise as it is dialled, any other as it was written. */
const asWritten = (written: string, normal: string): string => (isNumber(written) ? written : normal.replace(/^\+86(?=1\d{10}$)/, ''))
