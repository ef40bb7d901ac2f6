/** Times as people write them, in the browser's zone. */

/** In whose way: English has several, and the browser says which is the reader's. */
export const dateLanguage = (locale: string): string => (locale === 'zh' ? 'zh-CN' : navigator.language.startsWith('en') ? navigator.language : 'en-GB')

const formats = new Map<string, Intl.DateTimeFormat>()
function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const language = dateLanguage(locale)
  const key = language + JSON.stringify(options)
  const known = formats.get(key) ?? new Intl.DateTimeFormat(language, options)
  formats.set(key, known)
  return known
}
const sameDay = (a: Date, b: Date): boolean => a.toDateString() === b.toDateString()

/** 14:05 today, 11/20 this year, 2025/11/20 before. */
export function shortTime(iso: string, locale: string, now = new Date()): string {
  const date = new Date(iso)
  if (sameDay(date, now)) return clockTime(iso, locale)
  if (date.getFullYear() === now.getFullYear()) return format(locale, { month: 'numeric', day: 'numeric' }).format(date)
  return format(locale, { year: 'numeric', month: 'numeric', day: 'numeric' }).format(date)
}
export const clockTime = (iso: string, locale: string): string => format(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(iso))
export const fullTime = (iso: string, locale: string): string =>
  format(locale, { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(
    new Date(iso),
  )

export function dayLabel(iso: string, locale: string, words: { today: string; yesterday: string }, now = new Date()): string {
  const date = new Date(iso)
  if (sameDay(date, now)) return words.today
  if (sameDay(date, new Date(now.getTime() - 86_400_000))) return words.yesterday
  return format(locale, { year: date.getFullYear() === now.getFullYear() ? undefined : 'numeric', month: 'long', day: 'numeric', weekday: 'short' }).format(
    date,
  )
}

/** A call's length, as a clock shows it. */
export const lasted = (ms: number): string => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1_000) % 60).padStart(2, '0')}`

/** The site a link leads to, for a glance. */
export const siteOf = (url: string): string => URL.parse(url)?.host ?? url
