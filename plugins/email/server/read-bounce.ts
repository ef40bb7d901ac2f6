/** A letter that came back: which of ours, from whom, for good or for now, and why. One report may speak of several recipients. */
import { loopHeader } from './classify.ts'
import { type Headers, oneLine, parseAddresses, parseHeaders, parseMessageIds } from './headers.ts'
import type { Letter } from './read-mail.ts'

export interface Bounce {
  /** Who did not get it: each address once, never empty unless `action` says that nobody failed. */
  failed: FailedRecipient[]
  /** What became of it for whom it went worst. `delayed` is no failure: the server goes on trying (RFC 3464, 2.3.3). */
  action: 'failed' | 'delayed' | 'delivered'
  /** Ids that may be our letter's, the surest first. */
  originals: string[]
  /** What whoever handed it over called it (ENVID, RFC 3461). */
  envelopeId: string | undefined
  /** It holds the head of a letter, with an id of its own that is not in our manner: somebody may have written in our name. */
  foreign: boolean
  /** Of the letter, as its head says them. */
  subject: string | undefined
  sentAt: Date | undefined
  sentTo: string[]
  /** What the words for people say the subject was: less sure. */
  subjectInWords: string | undefined
}

export interface FailedRecipient {
  /** Lower case, when it is said. */
  address: string | undefined
  /** `5.1.1` */
  status: string | undefined
  diagnostic: string
}

/** More than a letter of ours has recipients. */
const maxRecipients = 100

export function readBounce(letter: Letter): Bounce {
  const { report } = letter
  const words = `${letter.text ?? ''}\n${letter.html ?? ''}`.slice(0, 200_000)
  const originals = new Set<string>()
  const heads = letter.files
    .filter(({ type }) => type === 'message/rfc822' || type === 'text/rfc822-headers')
    .map(({ bytes }) => parseHeaders(bytes.subarray(0, 64 * 1024)))
  for (const head of report?.original ? [report.original, ...heads] : heads) {
    // Some relays give our letter another Message-ID; our own mark they leave alone, and it begins with the id.
    const [marked] = head.raw(loopHeader)?.trim().split(/\s+/) ?? []
    if (marked && marked.length <= 300) originals.add(marked)
    for (const id of parseMessageIds(head.raw('message-id'), 1)) originals.add(id)
  }
  // NetEase, QQ and old Exchange put the old head, or its id alone, into the text.
  for (const match of words.matchAll(/message-id\s{0,5}[:：]\s{0,5}(?:<|&lt;)([^<>&\s]{3,300})(?:>|&gt;)/gi)) originals.add(match[1] as string)
  for (const id of letter.answers) originals.add(id)
  const traces = {
    originals: [...originals],
    ...tracesOf(report?.original ? [report.original, ...heads] : heads, report?.status ?? '', `${letter.subject}\n${words}`),
  }
  if (report?.type !== 'delivery-status') return { ...outOfWords(letter, words, traces.sentTo), ...traces }
  const groups = report.status
    .split(/\n\s*\n/)
    .slice(0, maxRecipients + 1)
    .map((group) => parseHeaders(Buffer.from(group, 'utf8')))
  const said = groups.filter((group) => group.has('final-recipient') || group.has('action')).map((group) => ({ action: actionOf(group), group }))
  const failed = new Map<string | undefined, FailedRecipient>()
  // The words for people are about all of them: of several they tell nothing of one.
  const inWords = said.length > 1 ? '' : diagnosticInWords(report.text)
  // A report without a word of its recipients is still one of a failure.
  for (const { group } of said.length > 0 ? said.filter(({ action }) => action === 'failed') : [{ group: undefined }]) {
    const diagnostic = oneLine(group?.text('diagnostic-code').replace(/^[^;]{0,30};/, '') || inWords).slice(0, 400)
    const one = { address: addressIn(group), status: statusOf(group), diagnostic }
    if (!failed.has(one.address)) failed.set(one.address, one)
  }
  const action = failed.size > 0 ? 'failed' : said.some((each) => each.action === 'delayed') ? 'delayed' : 'delivered'
  return { failed: [...failed.values()], action, ...traces }
}

type Traces = Omit<Bounce, 'failed' | 'action' | 'originals'>

function tracesOf(heads: readonly Headers[], status: string, words: string): Traces {
  const [group = ''] = status.split(/\n\s*\n/, 1)
  const envelopeId = parseHeaders(Buffer.from(group, 'utf8')).raw('original-envelope-id')?.trim()
  const head = heads.find((each) => each.has('subject') || each.has('to'))
  const date = Date.parse(head?.raw('date') ?? '')
  return {
    envelopeId: envelopeId && envelopeId.length <= 100 ? envelopeId : undefined,
    foreign: heads.some((each) => parseMessageIds(each.raw('message-id'), 1).some((id) => !/^c\.[0-9a-z]{26}\./i.test(id)) && !each.has(loopHeader)),
    subject: head?.text('subject') || undefined,
    sentAt: Number.isNaN(date) ? undefined : new Date(date),
    sentTo: head ? [...new Set(head.addresses('to', maxRecipients).map(({ address }) => address))] : [],
    subjectInWords: subjectInWords(words),
  }
}

function subjectInWords(words: string): string | undefined {
  const plain = words.replace(/<[^<>]{0,2000}>/g, '\n')
  return (
    /(?:主\s{0,3}题|邮件标题|退信|未送达|无法送达|undelivered|undeliverable|subject)\s{0,5}[:：]\s{0,5}([^\n]{1,250})/i.exec(plain)?.[1]?.trim() || undefined
  )
}

/** Reports of those who keep no standard name one recipient at most, and none as such. */
function outOfWords(letter: Letter, words: string, sentTo: readonly string[]): Pick<Bounce, 'failed' | 'action'> {
  if (/(?:延迟|延遲|delayed|will (?:retry|keep trying)|尚未投递|暂时)/i.test(letter.subject)) return { failed: [], action: 'delayed' }
  const addresses = parseAddresses(letter.headers.raw('x-failed-recipients') ?? '').slice(0, maxRecipients)
  const named =
    addresses.length > 0 ? [...new Set(addresses.map(({ address }) => address))] : [recipientInWords(words) ?? (sentTo.length === 1 ? sentTo[0] : undefined)]
  const [status, diagnostic] = [/\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(words)?.[1], diagnosticInWords(words)]
  return { failed: named.map((address) => ({ address, status, diagnostic })), action: 'failed' }
}

const statusOf = (group: Headers | undefined): string | undefined => /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(group?.raw('status') ?? '')?.[1]

function actionOf(group: Headers): Bounce['action'] {
  const action = group.raw('action')?.trim().toLowerCase() ?? ''
  if (/failed/.test(action)) return 'failed'
  if (action) return action === 'delayed' ? 'delayed' : 'delivered'
  return statusOf(group)?.startsWith('4') ? 'delayed' : 'failed'
}

/** Relays rewrite the final recipient; the original is the address we wrote to. */
function addressIn(group: Headers | undefined): string | undefined {
  const named = (field: string) => firstAddress(group?.raw(field)?.replace(/^[^;]*;/, ''))
  return named('original-recipient') ?? named('final-recipient')
}

const firstAddress = (raw: string | undefined): string | undefined => (raw ? parseAddresses(raw.replace(/^\s+/, ''))[0]?.address : undefined)

function recipientInWords(words: string): string | undefined {
  const near =
    /(?:收件人|以下地址|无法送达|无法投递|无法发送到|发往|recipient|address|user|to)[^\n]{0,60}?[<"“「(;\s:：]([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,120}\.[A-Za-z]{2,20})/i.exec(
      words,
    )
  return near?.[1]?.toLowerCase()
}

function diagnosticInWords(words: string): string {
  const plain = words.replace(/<[^<>]{0,2000}>/g, ' ')
  const line =
    /(?:host [^\n]{0,100} said:|退信原因|失败原因|退信代码|Remote server (?:returned|replied)|错误信息|原因)[^\n]{0,10}[\s:：]{0,5}([^\n]{3,300})/i.exec(
      plain,
    )?.[1] ??
    /^[^\n]{0,40}\b[45]\d\d[ -][^\n]{3,250}/m.exec(plain)?.[0] ??
    ''
  return oneLine(line).slice(0, 400)
}
