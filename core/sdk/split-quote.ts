/**
 * Divides a letter's plain text into what is new and what was quoted or signed below. Nothing is lost: the two together
 * are the text. One pass over the lines; every pattern is anchored and bounded, since letters come from strangers.
 *
 * email-reply-parser blocks for minutes on a long quotation, and talon's port (planer) knows no Chinese client.
 */

export interface SplitText {
  text: string
  quoted: string
}

/** The line our own letters carry: the surest cut. */
export const replyMarker = { zh: '--- 请在此行以上回复 ---', en: '--- Please reply above this line ---' }

const maxLine = 400

/** Lines that begin a quotation whatever stands around them. */
const dividers: readonly RegExp[] = [
  /^[-_—=\s]{0,40}(?:原始邮件|原邮件|原始信件|原始郵件|原始訊息|转发的邮件|轉寄郵件|回复的邮件|Original Message|Original Email|Forwarded Message|Forwarded message|Reply message|元のメッセージ|원본 메시지)[-_—=\s]{0,40}$/i,
  /^-{3,}\s{0,10}(?:Original|原始|回复|转发|Forwarded)[^-]{0,40}-{3,}$/i,
]

/** Who wrote what follows, and when. People quote each other in these words too: a client gives the time or the address with them. */
const saidLines: readonly RegExp[] = [
  // Gmail zh, Apple Mail zh: `在 2024年3月1日周五 10:00，张三 <zhang@example.com> 写道：`, also 于…写道
  /^(?:>{0,3}\s?)?(?:在|於|于)\s?.{4,200}?(?:写道|寫道|撰写|撰寫|来信)\s?[:：]\s*$/,
  // Foxmail, older QQ: `张三 <zhang@example.com> 于2024年3月1日周五 10:00写道：`
  /^.{0,100}<[^<>\s]{1,64}@[^<>\s]{1,120}>\s?(?:于|於|在)\s?.{4,80}?(?:写道|寫道)\s?[:：]\s*$/,
  /^On\s.{6,250}\swrote\s?:\s*$/i,
  /^.{1,120}<[^<>\s]{1,64}@[^<>\s]{1,120}>\swrote\s?:\s*$/i,
  /^At\s\d{4}-\d{2}-\d{2}\s\d{2}:\d{2}(?::\d{2})?,?\s.{3,150}\swrote\s?:\s*$/i,
  /^(?:Le|Am|El|Il)\s.{6,200}\s(?:a écrit|schrieb.{0,80}|escribió|ha scritto)\s?:\s*$/i,
  /^\d{4}年\d{1,2}月\d{1,2}日.{0,120}(?:写道|寫道|wrote|のメール|<[^<>\s]{1,64}@[^<>\s]{1,120}>)\s?[:：]?\s*$/,
]
const anAddress = /[^\s<>@]@[^\s<>@]/
const clock = /\d{1,2}[:：]\d{2}/
const dated = /\d{4}|\d{1,2}[:：/.-]\d{1,2}|@/

/** How much a line, or a block of them, looks like the head of a quotation: a time or a subject is in what people write, too. */
type Proof = 'sure' | 'likely' | 'faint' | undefined

function proofOf(line: string): Proof {
  if (dividers.some((pattern) => pattern.test(line))) return 'sure'
  // The cheap question first.
  if (!dated.test(line) || !saidLines.some((pattern) => pattern.test(line))) return undefined
  if (anAddress.test(line)) return 'sure'
  if (clock.test(line)) return 'likely'
  return /^\d{4}年/.test(line) ? undefined : 'faint'
}

/** `发件人：` and friends: a block of at least three within a few lines is a header block (Outlook, Foxmail, 163). */
const blockField =
  /^[\s>*|]{0,10}(?:(发件人|寄件者|寄件人|收件人|收件者|抄送|副本|From|To|Cc|差出人|宛先)|(主题|主旨|Subject|件名)|(发送时间|寄件日期|发送日期|日期|时间|Sent|Date|送信日時))\*{0,2}\s{0,6}[:：]/i
const blockStart = /^[\s>*|]{0,10}(?:发件人|寄件者|寄件人|From|差出人)\*{0,2}\s{0,6}[:：]/i
const moment = /\d.{1,40}\d{1,2}[:：]\d{2}/

/** What programs put below a letter, as they write it: a device or a client, nothing said about it. */
const clientLines: readonly RegExp[] = [
  /^(?:发自|發自|发送自|傳送自)\s?(?:我的)?\s?[^，。；：？！,;:?!]{0,24}(?:iPhone|iPad|Phone|手机|手機|平板|邮箱|郵箱|邮件|郵件|Mail|安卓|Android|华为|華為|小米|红米|OPPO|vivo|荣耀|HUAWEI|HONOR|三星|客户端|網易|网易|邮箱大师|Foxmail|Outlook)[\w .+/-]{0,24}(?:手机|手機|平板|客户端|邮箱|应用|版)?[。.]?$/i,
  /^(?:从|從)我的\s?[\p{L}\d .+/-]{0,20}(?:iPhone|iPad|手机|手機|平板|设备|Android|HUAWEI|华为|小米|荣耀|OPPO|vivo)[\w .+/-]{0,20}(?:手机)?\s?(?:发送|发出|傳送|發送|寄出)?[。.]?$/iu,
  // In these words people say more than in those above: the line must end with the thing.
  /^(?:来自|來自)\s?[\p{L}\d .+/-]{1,20}(?:手机|手機|平板|客户端|客戶端|邮箱|郵箱|邮件|郵件|邮箱大师|邮箱手机版)$/u,
  /^(?:来自|來自)\s?(?:我的)?\s?(?:[\p{L}\d .+/-]{0,12}\s)?(?:iPhone|iPad|Android|安卓|HUAWEI|HONOR|OPPO|vivo|Xiaomi|Redmi|Foxmail|Outlook|Mail|QQMail|我的(?:华为|小米|荣耀)|(?:华为|小米|荣耀|红米){1,2} ?\w)[\w .+-]{0,20}$/iu,
  /^Sent (?:from|with|via|using) (?:[\w.+™®&[-]{1,20} ){0,4}[[]?(?:iPhone|iPad|iOS|Android|Windows|Mac|BlackBerry|Samsung|Galaxy|HUAWEI|Huawei|HONOR|Honor|Xiaomi|Redmi|OPPO|vivo|OnePlus|Pixel|Nokia|Sony|Motorola|Outlook|Mail|Gmail|Hotmail|Yahoo|AOL|iCloud|Proton(?:Mail)?|Spark|Mailspring|Thunderbird|Airmail|BlueMail|Canary|Superhuman|Fastmail|Tutanota|Tuta|Zoho|[Ff]oxmail|QQMail|MailMaster|WeChat|Mailbird|Mailtrack|Nine|MI|Mi)[™®\]]?(?: [\w.+™®&-]{1,20}){0,7}\.?$/,
  /^Sent from my (?:[\w.+™®&-]{1,20} ){0,5}(?:phone|smartphone|mobile|cell|tablet|device|mobile device)\.?$/i,
  /^Get (?:Outlook|BlueMail|Proton ?Mail|Spark|TypeApp) for [\w ]{2,20}\.?$/i,
]

function isClientLine(line: string): boolean {
  // Where to get the program stands behind its name.
  const name = line.trim().replace(/\s{0,3}[<([]{0,2}https?:\/\/[^\s>)\]]{1,300}[>)\]]{0,2}/i, '')
  return name.length <= 80 && !/\d{5}/.test(name) && clientLines.some((pattern) => pattern.test(name))
}

const isRule = (line: string): boolean => /^[\s_=-]{0,80}$/.test(line)
const isQuoted = (line: string): boolean => /^\s{0,3}>/.test(line)

/** Where the quotation begins, as a line number; undefined when there is none. */
function findDivider(lines: readonly string[], answers: boolean): number | undefined {
  const holds = (proof: Proof, below: number) =>
    proof !== undefined &&
    (proof === 'sure' || (answers && proof === 'likely') || isQuoted(lines.slice(below, below + 5).find((line) => line.trim() !== '') ?? ''))
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] as string).slice(0, maxLine + 1)
    if (line.length > maxLine) continue
    const trimmed = line.trim()
    if (trimmed === '') continue
    if (trimmed.includes(replyMarker.zh) || trimmed.includes(replyMarker.en)) return i
    if (holds(proofOf(trimmed), i + 1)) return i
    // Clients wrap "On … <address> wrote:" after the address.
    const next = lines[i + 1]?.trim() ?? ''
    if (next !== '' && next.length < 120 && /^(?:On\s|在|于|於)/i.test(trimmed) && holds(proofOf(`${trimmed} ${next}`), i + 2)) return i
    if (isHeaderBlock(lines, i, answers)) return i
  }
  return undefined
}

/**
 * At least three fields from that line on, and what a parcel's label has not: an address of mail, or, where a letter is answered,
 * a subject and the moment.
 */
export function isHeaderBlock(lines: readonly string[], from: number, answers: boolean): boolean {
  if (!blockStart.test((lines[from] as string).slice(0, maxLine))) return false
  let fields = 0
  let addressed = false
  let [hasSubject, hasTime] = [false, false]
  let blank = 0
  for (let i = from; i < lines.length && i < from + 14; i++) {
    const line = (lines[i] as string).slice(0, maxLine)
    if (line.trim() === '') {
      // Outlook sets an empty line between them now and then, never two.
      if (++blank > 1) break
      continue
    }
    blank = 0
    const field = blockField.exec(line)
    if (!field) continue
    fields++
    if (field[1]) addressed ||= anAddress.test(line)
    else if (field[2]) hasSubject = true
    else hasTime ||= moment.test(line)
  }
  return fields >= 3 && (addressed || (answers && hasSubject && hasTime))
}

/** `answers: false`: the letter names none that it answers. Then only what cannot be the writer's own words is taken for a quotation. */
export function splitQuote(whole: string, { answers = true } = {}): SplitText {
  const lines = whole.split('\n')
  const divider = findDivider(lines, answers)
  let end = divider ?? lines.length
  // Outlook draws a line above its block.
  if (divider !== undefined) while (end > 0 && isRule(lines[end - 1] as string)) end--
  const start = firstWords(lines, end)
  // The letter is nothing but a forward or a bottom answer: to fold it all away would show an empty message.
  if (divider !== undefined && start >= end) {
    const below = answerBelow(lines, divider, answers)
    return below ?? { text: whole.trim(), quoted: '' }
  }
  if (divider === undefined) {
    // `>` lines at the end are quotation; between answers they must stay where they are.
    let last = end
    while (last > 0 && (isQuoted(lines[last - 1] as string) || (lines[last - 1] as string).trim() === '')) last--
    if (lines.slice(last, end).some(isQuoted)) end = last === 0 ? end : last
  } else if (interleaved(lines, divider)) return { text: whole.trim(), quoted: '' }
  const signature = findSignature(lines, end)
  const cut = signature ?? end
  const text = lines.slice(0, cut).join('\n').trim()
  if (text === '') return { text: whole.trim(), quoted: '' }
  return { text, quoted: lines.slice(cut).join('\n').trim() }
}

function firstWords(lines: readonly string[], end: number): number {
  let i = 0
  while (i < end && ((lines[i] as string).trim() === '' || isQuoted(lines[i] as string))) i++
  return i
}

/** Answers between quoted lines: below the divider, `>` lines and own words take turns. They must survive, so nothing is cut. */
function interleaved(lines: readonly string[], divider: number): boolean {
  // Below `原始邮件` the old letter stands without marks: `>` in it are older still, no frame for answers.
  const first = lines.slice(divider + 1, divider + 12).find((line) => line.trim() !== '' && !/[:：]\s*$/.test(line))
  if (first === undefined || !isQuoted(first)) return false
  let turns = 0
  let quoted = false
  for (let i = divider + 1; i < lines.length; i++) {
    const line = lines[i] as string
    if (line.trim() === '') continue
    if (isQuoted(line)) quoted = true
    else if (quoted) {
      if (line.trim() === '--' || isClientLine(line.slice(0, maxLine))) break
      turns++
      quoted = false
    }
  }
  return turns > 0
}

/** `On … wrote:`, the quotation, and the answer below it. */
function answerBelow(lines: readonly string[], divider: number, answers: boolean): SplitText | undefined {
  let i = divider + 1
  while (i < lines.length && ((lines[i] as string).trim() === '' || isQuoted(lines[i] as string))) i++
  const quotedAny = lines.slice(divider, i).some(isQuoted)
  if (!quotedAny || i >= lines.length) return undefined
  if (lines.slice(i).some(isQuoted)) return undefined
  const below = splitQuote(lines.slice(i).join('\n'), { answers })
  return { text: below.text, quoted: [lines.slice(0, i).join('\n').trim(), below.quoted].filter(Boolean).join('\n') }
}

/** A signature stands at the end of the new words; below a client's line nothing new stands. */
function findSignature(lines: readonly string[], end: number): number | undefined {
  for (let i = Math.max(0, end - 20); i < end; i++) {
    const line = (lines[i] as string).slice(0, maxLine)
    // RFC 3676, 4.3: with the space. Without it people draw lines.
    if (line === '-- ') return i
    if (isClientLine(line) && lines.slice(i + 1, end).every((below) => isRule(below) || isQuoted(below) || isClientLine(below.slice(0, maxLine)))) return i
  }
  return undefined
}
