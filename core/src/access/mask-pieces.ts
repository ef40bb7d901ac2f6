/**
 * What a message says by itself says more in its place: `138`, `0013`, `8000` are a number in three messages, and
 * `lily_2020` answers a question that stands above. Messages are masked one by one, so that thread, search and push say
 * the same; hence a message that is nothing but a piece of a number, or an account, is starred without asking for more.
 */
import { digits, isAccount, shadowOf } from '../../sdk/contact-reader/reader.ts'
import type { PersonalField } from './mask.ts'
import type { Put } from './mask-contacts.ts'

const sign = `[${Object.keys(digits).join('')}]`
const between = '[ \\t\\-_·*~、/|.]{0,3}'
/** Three digits at least: `2` and `10` are how many. Eleven are a whole number, which needs no place. */
const piece = (most: number) => `${sign}(?:${between}${sign}){2,${most - 1}}`
const shapes = [
  new RegExp(`^()(${piece(10)})[\\s。.!！~～，,]*$`),
  new RegExp(
    `((?:电话|手机号?|号码|联系方式|tel|phone|前面|后面|前半段?|后半段?|前[一二三四五六七3-7]位|后[一二三四五六七八3-8]位|开头|接着)[\\s是为：:的，,号]{0,4})(${piece(8)})[\\s。.!！~～，,]*$`,
  ),
  new RegExp(`^()(${piece(10)})[\\s，,]{0,2}(?:打(?:这|我|给|电话|过来)|呼|联系|(?:这个?)?就?是我)`),
]
/** A day, a time, a sum, the seconds of a clock: nobody's, also alone. */
const others = /^(?:(?:19|20)\d\d[-./]\d{1,2}(?:[-./]\d{1,2})?|\d{1,3}(?:\.\d{1,3}){3}|\d+\.\d{1,2}|1[67]\d{8})$/
const alone = /^([a-z][\w-]{5,19})[\s。.!！~～，,]*$/
/** What carriers call their parcels. */
const parcel = /^(?:sf|yt|jd\w{0,2}|zto|sto|jt|yd|ems|db\w)\d{9,}$/
/** Longer messages are sentences. */
const longest = 60

export function starPieces(hidden: ReadonlySet<PersonalField>, text: string, put: Put): void {
  if (text.length > longest || !(hidden.has('phone') || hidden.has('qq') || hidden.has('wechat'))) return
  const { low, from, to } = shadowOf(text)
  const lead = low.length - low.trimStart().length
  const said = low.slice(lead)
  const star = (at: number, length: number) => put(from[lead + at] as number, to[lead + at + length - 1] as number)
  const account = alone.exec(said)?.[1]
  if (account && hidden.has('wechat') && /[\d_-]/.test(account) && isAccount(account) && !parcel.test(account)) star(2, account.length - 2)
  for (const shape of shapes) {
    const found = shape.exec(said)
    if (!found || others.test(found[2] as string)) continue
    star(found.index + (found[1] as string).length, (found[2] as string).length)
    return
  }
}
