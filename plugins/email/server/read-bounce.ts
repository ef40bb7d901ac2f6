/** A letter that came back: which of ours, to whom, for good or for now, and why. */
import { oneLine, parseAddresses, parseHeaders, parseMessageIds } from './headers.ts'
import type { Letter } from './read-mail.ts'

export interface Bounce {
  /** `delayed` is no failure: the server goes on trying (RFC 3464, 2.3.3). */
  action: 'failed' | 'delayed' | 'delivered'
  /** Lower case, when it is said. */
  recipient: string | undefined
  /** `5.1.1` */
  status: string | undefined
  diagnostic: string
  /** Ids that may be our letter's, the surest first. */
  originals: string[]
}

export function readBounce(letter: Letter): Bounce {
  const { report } = letter
  const words = `${letter.text ?? ''}\n${letter.html ?? ''}`.slice(0, 200_000)
  const originals = new Set<string>()
  for (const id of parseMessageIds(report?.original?.raw('message-id'))) originals.add(id)
  for (const file of letter.files)
    if (file.type === 'message/rfc822' || file.type === 'text/rfc822-headers')
      for (const id of parseMessageIds(parseHeaders(file.bytes.subarray(0, 64 * 1024)).raw('message-id'), 1)) originals.add(id)
  // NetEase, QQ and old Exchange put the old head, or its id alone, into the text.
  for (const match of words.matchAll(/message-id\s{0,5}[:：]\s{0,5}(?:<|&lt;)([^<>&\s]{3,300})(?:>|&gt;)/gi)) originals.add(match[1] as string)
  for (const id of letter.answers) originals.add(id)
  if (report?.type !== 'delivery-status')
    return {
      action: /(?:延迟|延遲|delayed|will (?:retry|keep trying)|尚未投递|暂时)/i.test(letter.subject) ? 'delayed' : 'failed',
      recipient: firstAddress(letter.headers.raw('x-failed-recipients')) ?? recipientInWords(words),
      status: /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(words)?.[1],
      diagnostic: diagnosticInWords(words),
      originals: [...originals],
    }
  const groups = report.status
    .split(/\n\s*\n/)
    .slice(0, 100)
    .map((group) => parseHeaders(Buffer.from(group, 'utf8')))
  const recipients = groups.filter((group) => group.has('final-recipient') || group.has('action'))
  // Several recipients in one report: the one that failed is news.
  const told = recipients.find((group) => /failed/i.test(group.raw('action') ?? '')) ?? recipients[0]
  const action = told?.raw('action')?.trim().toLowerCase() ?? ''
  const status = /\b([245]\.\d{1,3}\.\d{1,3})\b/.exec(told?.raw('status') ?? '')?.[1]
  const named = (field: string) => firstAddress(told?.raw(field)?.replace(/^[^;]*;/, ''))
  return {
    action: action === 'failed' ? 'failed' : action === 'delayed' ? 'delayed' : action ? 'delivered' : status?.startsWith('4') ? 'delayed' : 'failed',
    // Relays rewrite the final one; the original is the address we wrote to.
    recipient: named('original-recipient') ?? named('final-recipient'),
    status,
    diagnostic: oneLine(told?.text('diagnostic-code').replace(/^[^;]{0,30};/, '') || diagnosticInWords(report.text)).slice(0, 400),
    originals: [...originals],
  }
}

const firstAddress = (raw: string | undefined): string | undefined => (raw ? parseAddresses(raw.replace(/^\s+/, ''))[0]?.address : undefined)

function recipientInWords(words: string): string | undefined {
  const near =
    /(?:收件人|以下地址|无法送达|recipient|address|user|to)[^\n]{0,60}?[<"“「(\s:：]([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,120}\.[A-Za-z]{2,20})/i.exec(words)
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
