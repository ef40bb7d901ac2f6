/** What is typed where a telephone number is asked for. */

/** As it is dialled in China; another country's keeps its sign, or `+1 385…` would be somebody's mobile number here. */
export function numberIn(text: string): string | undefined {
  const dialled = text.replace(/[^\d+＋]/g, '').replace(/^(?:00|＋)/, '+')
  const digits = dialled.replace(/\D/g, '')
  if (digits.length < 7 || digits.length > 15) return undefined
  const own = /^\+?86(1\d{10})$/.exec(dialled)?.[1] ?? /^\+86([48]00\d{7})$/.exec(dialled)?.[1]
  if (own) return own
  const landline = /^\+860?(\d{10,11})$/.exec(dialled)?.[1]
  if (landline) return `0${landline}`
  return dialled.startsWith('+') ? `+${digits}` : digits
}

/** A number and nothing else, with what people put between digits, as long as a contact's field at most. */
export const isNumber = (text: string): boolean => text.length <= 40 && /^[\d+()./\s–—转-]+$/.test(text) && numberIn(text) !== undefined
