/** Letters no person wrote: automatic replies, lists, notices, and our own coming back. They are stored and shown, but wake nobody. */
import type { LetterAddress } from '@huike/core/sdk/channel.ts'
import { domainOf } from './authenticity.ts'
import type { Headers } from './headers.ts'
import type { Letter } from './read-mail.ts'

export type LetterKind =
  | 'personal'
  /** A machine answered: out of office, a ticket number. */
  | 'auto-reply'
  /** Newsletters, lists, notices. */
  | 'bulk'
  /** A delivery report. */
  | 'bounce'
  /** A read receipt. */
  | 'receipt'
  /** Sent by this hub. */
  | 'own'

export const loopHeader = 'x-huike-loop'

const autoWords =
  /^\s{0,5}[[【]?(?:自动回复|自动答复|自動回覆|自動回復|假期自动回复|外出自动回复|外出回复|auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office(?: auto(?:matic)?[ -]?(?:reply|response))?|automatische antwort|réponse automatique|respuesta automática|自動応答|부재중(?: 자동 ?(?:회신|응답))?)[\]】]?/i
/** What a machine puts after them: `自动回复：询价`, `Out of office Re: chairs`. A person goes on: `自动回复功能怎么用`. */
const autoGoesOn = /^\s{0,3}(?:(?:re|fwd?|aw|sv|回复|答复|回覆|转发)\s{0,3})?[:：]/i
const machine =
  /^(?:mailer-daemon|postmaster|no[-_.]?reply|do[-_.]?not[-_.]?reply|noreply[-+.].*|bounces?[-+.].*|notifications?|notify|mdaemon|wordpress|www-data|apache)@/i
/** What sites call the sender of their forms: the machines that carry nothing back, and forms themselves. */
const formSender =
  /^(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|noreply[-+.].*|notifications?|notify|wordpress|www(?:-data)?|apache|(?:web|contact)?[-_.]?forms?|website|webmaster)@/i
/** Where everybody has a mailbox: the same domain makes nobody one of ours. */
const everybodys =
  /^(?:(?:vip\.)?(?:163|126|188|qq|sina|sohu|21cn)\.com|yeah\.net|foxmail\.com|139\.com|189\.cn|sina\.cn|aliyun\.com|(?:gmail|googlemail|outlook|hotmail|live|msn|icloud|yahoo|aol)\.[a-z.]{2,6})$/

/** `signed`: does our loop mark hold? `own`: addresses of the mailbox. */
export function classifyLetter(letter: Letter, signed: (mark: string) => boolean, own: ReadonlySet<string> = new Set()): LetterKind {
  const { headers } = letter
  const mark = headers.raw(loopHeader)
  if (mark && signed(mark)) return 'own'
  if (letter.report?.type === 'disposition-notification') return 'receipt'
  if (letter.report?.type === 'delivery-status' || looksLikeBounce(letter)) return 'bounce'
  if (isAutoSubmitted(letter, own) || saysAutomatic(letter)) return 'auto-reply'
  const precedence = [...headers.all('precedence'), ...headers.all('x-precedence')].map((value) => value.trim().toLowerCase())
  if (precedence.includes('auto_reply')) return 'auto-reply'
  const throughUs = isOwnList(headers, own)
  if (precedence.some((value) => value === 'bulk' || value === 'junk' || (value === 'list' && !throughUs))) return 'bulk'
  const listed = ['list-id', 'list-unsubscribe', 'list-post'].some((name) => headers.has(name))
  // Gmail's complaint loop: shops' confirmations and mail services put it into what people write, too.
  if (listed && (!throughUs || headers.has('feedback-id'))) return 'bulk'
  if (isNullSender(headers)) return 'auto-reply'
  return machine.test(letter.from?.address ?? '') && !whoFilledIn(letter, own) ? 'bulk' : 'personal'
}

/** A group of our own (support@ that hands on to this mailbox) puts a list's headers into what customers write to it (RFC 2919, 2369). */
function isOwnList(headers: Headers, own: ReadonlySet<string>): boolean {
  const id = /<([^<>]{1,300})>/
    .exec(headers.raw('list-id') ?? '')?.[1]
    ?.trim()
    .toLowerCase()
  const posts = [...(headers.raw('list-post') ?? '').matchAll(/mailto:([^>?,\s]{3,300})/gi)].map(([, address]) => address?.toLowerCase())
  return [...own].some((address) => address.replace('@', '.') === id || posts.includes(address))
}

/** A web form: a machine, or somebody of ours, sends it, and there is one elsewhere who the answer goes to. */
export function whoFilledIn(letter: Letter, own: ReadonlySet<string>): LetterAddress | undefined {
  const person = whoIsAnswered(letter, own)
  const { from, headers } = letter
  if (!person || !from) return undefined
  if (formSender.test(from.address)) return person
  const domain = domainOf(from.address)
  if (domainOf(person.address) === domain || machine.test(from.address)) return undefined
  return isOurs(from.address, own) || submission(headers) === 'auto-generated' ? person : undefined
}

/** A machine elsewhere made it: what it says to a letter of ours only acknowledges it, whatever `Reply-To` names. A form answers nothing. */
export const isMachines = ({ from, headers }: Letter, own: ReadonlySet<string>): boolean =>
  from !== undefined && !isOurs(from.address, own) && submission(headers) === 'auto-generated'

/** An address of this mailbox, or of its domain where that is not everybody's. */
export function isOurs(address: string, own: ReadonlySet<string>): boolean {
  const domain = domainOf(address)
  return own.has(address) || (!everybodys.test(domain) && [...own].some((each) => domainOf(each) === domain))
}

/** Whose form it is: a site may send each letter from another box, but where everybody has one each box is somebody else's. */
export const siteOf = (address: string): string => (everybodys.test(domainOf(address)) ? address : domainOf(address))

/** The one person whom the answer goes to instead of the sender. */
export function whoIsAnswered({ from, replyTo }: Letter, own: ReadonlySet<string>): LetterAddress | undefined {
  const others = replyTo.filter(({ address }) => address !== from?.address && !own.has(address))
  const [person] = others
  return person && others.length === 1 && !machine.test(person.address) ? person : undefined
}

const submission = (headers: Headers): string | undefined => headers.raw('auto-submitted')?.split(';')[0]?.trim().toLowerCase()

/** `Auto-Submitted: no` says a person wrote it (RFC 3834, 5.2); every other value says the contrary, but for a form's. */
function isAutoSubmitted(letter: Letter, own: ReadonlySet<string>): boolean {
  const { headers } = letter
  const value = submission(headers)
  if (value && value !== 'no' && !(value === 'auto-generated' && whoFilledIn(letter, own))) return true
  if (['x-autoreply', 'x-autorespond', 'x-autoresponder', 'x-auto-reply'].some((name) => headers.has(name) && headers.raw(name)?.trim().toLowerCase() !== 'no'))
    return true
  // Outlook's clients set it on personal letters too, to keep answering machines still: alone it only counts as `All`.
  return /\ball\b/i.test(headers.raw('x-auto-response-suppress') ?? '')
}

/** A subject counts in a machine's shape, or beside a header that is none's verdict alone. */
function saysAutomatic({ subject, headers }: Letter): boolean {
  const words = autoWords.exec(subject)?.[0]
  return words !== undefined && (autoGoesOn.test(subject.slice(words.length)) || headers.has('x-auto-response-suppress'))
}

const isNullSender = (headers: Headers): boolean => headers.raw('return-path')?.trim() === '<>'

const bounceSubject =
  /(?:系统退信|退信通知|邮件退信|退信|发送失败|投递失败|无法投递|未送达|無法傳遞|undeliver|delivery (?:status notification|failure|has failed)|mail delivery (?:failed|failure|subsystem)|returned mail|failure notice|non[ -]?deliver)/i

function looksLikeBounce(letter: Letter): boolean {
  if (letter.headers.has('x-failed-recipients')) return true
  const fromMachine =
    /^(?:mailer-daemon|postmaster|mdaemon|mail-?delivery|postmaster[-+.].*)@/i.test(letter.from?.address ?? '') || isNullSender(letter.headers)
  return fromMachine && bounceSubject.test(letter.subject)
}
