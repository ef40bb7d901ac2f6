/**
 * What our own people wrote first: a number, an account or an address that the customer only repeats is nobody's they could
 * be reached at. Unless it was said to be the customer's: `您的电话是138…吗` asks for a yes.
 */
import { type Candidate, openReading, readContacts } from '@huike/core/sdk/contact-reader/reader.ts'

const worth = () => 1
const yours =
  /(?:[您你](?!们)[^，,。！!？?\n]{0,4}?(?:的|预留|留|登记|填|绑定|注册|下单|收货|收件|提供)(?!(?:专属|客服|顾问|管家|销售|老师|师傅|快递|配送|售后))|(?:预留|登记|收货|收件)(?:的|人)?(?:手机|电话|号码|邮箱)|\byours? )[^，,。！!？?\n]{0,12}$/
/** Whatever is written like one, without a word for it: who answers brings the word along. */
const token = /[a-z0-9][a-z0-9_-]{4,}/g

/** Their normal forms, in lower case. */
export function valuesIn(text: string): Set<string> {
  const reading = openReading(text, { worth, anybodys: true })
  readContacts(reading)
  const { low } = reading.shadow
  const isYours = (at: number) => yours.test(low.slice(Math.max(0, at - 40), at))
  const read = reading.found.filter(({ start }: Candidate) => !isYours(start)).map(({ normal }) => normal)
  const written = [...low.matchAll(token)].filter(({ index }) => !isYours(index)).map(([word]) => word)
  return new Set([...read, ...written])
}

export const isAmong = (normal: string, values: ReadonlySet<string>): boolean =>
  [normal, normal.replace(/^\+86/, ''), normal.replace(/;ext=\d+$/, '')].some((value) => values.has(value))
