/**
 * Stars what the reader of contacts finds in a text: numbers and accounts in every dress that the finder knows too. Of a
 * number its middle goes, of an account all but its beginning, of an address what stands before its sign. What is only
 * perhaps somebody's is starred as well.
 */
import { type Candidate, digits, mayBeDigit, mostSigns, openReading, type Reading, readContacts, shadowOf } from '../../sdk/contact-reader/reader.ts'
import { type PersonalField, shownDigits } from './mask.ts'

type Hidden = ReadonlySet<PersonalField>
/** Marks the places `from` to `to` of the text. */
export type Put = (from: number, to: number) => void

const fields: Readonly<Record<string, PersonalField>> = { phone: 'phone', landline: 'phone', wechat: 'wechat', qq: 'qq', email: 'email' }

/** A text longer than the reader takes at once is read in pieces that overlap by more than any number is long. */
const overlap = 300

export function starContacts(hidden: Hidden, text: string, put: Put): void {
  if (!Object.values(fields).some((field) => hidden.has(field))) return
  for (let from = 0; from < text.length; from += mostSigns - overlap) {
    const piece = text.slice(from, from + mostSigns)
    if (mayHold(piece)) starPiece(hidden, piece, (a, b) => put(from + a, from + b))
    if (from + mostSigns >= text.length) break
  }
}

const worth = () => 1

function starPiece(hidden: Hidden, text: string, put: Put): void {
  const reading = openReading(text, { worth, anybodys: true })
  readContacts(reading)
  for (const found of reading.found) if (hidden.has(fields[found.kind] as PersonalField)) starFound(reading, found, put)
}

function starFound({ shadow }: Reading, { kind, rule, start, end }: Candidate, put: Put): void {
  const star = (places: readonly number[]) => {
    for (const i of places) put(shadow.from[i] as number, shadow.to[i] as number)
  }
  const places = Array.from({ length: end - start }, (_, i) => start + i)
  if (kind === 'email' || rule === 'qq.mail') {
    const name =
      /^[\w.%+-]+(?:(?:[([{](?:dot|点)[)\]}]|\s?点\s?|。|\sdot\s)[\w.%+-]+)*(?: [\w.%+-]+(?=\s{0,2}(?:[@#([{艾爱圈小]| at )))?/.exec(
        shadow.low.slice(start, end),
      )?.[0].length ?? 1
    star(places.slice(name > 1 ? 1 : 0, name))
  } else if (kind === 'phone' || kind === 'landline') {
    const ofDigits = places.filter((i) => mayBeDigit(shadow.text[i] as string))
    const [first, last] = shownDigits(ofDigits.length)
    star(ofDigits.slice(first, ofDigits.length - last))
  } else star(places.filter((i) => shadow.text[i] !== ' ').slice(2))
}

/** Signs that no contact is without: digits of whatever dress, Latin letters of whatever dress. */
function readTelling(): Uint8Array {
  const telling = new Uint8Array(65_536)
  for (let code = 0; code < telling.length; code++) {
    const sign = String.fromCharCode(code)
    // Halves of what is beyond the first plane: mathematical digits and letters are there.
    if (code >= 0xd800 && code < 0xe000) telling[code] = 1
    else if ([...shadowOf(sign).low].some((plain) => '洞动腰妖拐勾'.includes(plain) || digits[plain] !== undefined || (plain >= 'a' && plain <= 'z')))
      telling[code] = 1
  }
  return telling
}
/** Read when the first text is looked at: it takes a twentieth of a start. */
let known: Uint8Array | undefined

/** So many of them stand close together in the shortest that is read: a number in sound-alikes has four plain digits. */
const fewest = 4
const close = 12

/** A glance: ordinary sentences end here. */
function mayHold(text: string): boolean {
  known ??= readTelling()
  const telling = known
  let some = 0
  let last = 0
  for (let i = 0; i < text.length; i++) {
    if (telling[text.charCodeAt(i)] === 0) continue
    some = i - last > close ? 1 : some + 1
    if (some >= fewest) return true
    last = i
  }
  return false
}
