/**
 * Letters that come back with no Message-ID of what came back, as mail services write them: of the original they keep a few
 * words, its head without the id, or nothing. Shapes of real ones, with addresses and words of ours.
 */
import { randomUUID } from 'node:crypto'

interface Returned {
  /** The mailbox that had sent it. */
  to: string
  recipient: string
  subject: string
}
interface Said {
  from: string
  subject: string
  head?: string[]
  type: string
  body: string[]
}

const words = (text: string) => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`
const encoded = (type: string, text: string) => [
  `Content-Type: ${type}; charset=utf-8`,
  'Content-Transfer-Encoding: base64',
  '',
  ...(Buffer.from(text)
    .toString('base64')
    .match(/.{1,76}/g) ?? []),
]

function bounce(to: string, { from, subject, head = [], type, body }: Said): Buffer {
  return Buffer.from(
    [
      'Return-Path: <>',
      `From: ${from}`,
      `To: ${to}`,
      `Subject: ${words(subject)}`,
      `Message-ID: <${randomUUID()}@mx.test>`,
      `Date: ${new Date().toUTCString()}`,
      'MIME-Version: 1.0',
      ...head,
      `Content-Type: ${type}; boundary="r"`,
      '',
      ...body,
      '--r--',
      '',
    ].join('\r\n'),
  )
}

/** The head of what came back, without its id. */
const keptHead = ({ to, recipient, subject }: Returned) => [
  `From: ${to}`,
  `To: <${recipient}>`,
  `Subject: ${words(subject)}`,
  `Date: ${new Date().toUTCString()}`,
]
const deliveryStatus = (recipient: string, status: string, diagnostic: string, envelopeId?: string) => [
  'Content-Type: message/delivery-status',
  '',
  'Reporting-MTA: dns; mx.test',
  ...(envelopeId ? [`Original-Envelope-Id: ${envelopeId}`] : []),
  '',
  `Final-Recipient: rfc822; ${recipient}`,
  'Action: failed',
  `Status: ${status}`,
  `Diagnostic-Code: smtp; ${diagnostic}`,
  '',
]

export const netease = ({ to, recipient, subject }: Returned): Buffer =>
  bounce(to, {
    from: 'Postmaster@163.test',
    subject: '系统退信/Systems bounce',
    type: 'multipart/mixed',
    body: [
      '--r',
      ...encoded(
        'text/html',
        `<div>抱歉，您的邮件被退回来了……</div><table><tr><td>主　题：</td><td>${subject}</td></tr></table><div>主　题：${subject}</div><div>收件人：&lt;${recipient}&gt;</div><div>退信原因：550 User not found 收件人不存在</div>`,
      ),
    ],
  })

export const qq = (letter: Returned): Buffer =>
  bounce(letter.to, {
    from: 'PostMaster@qq.test',
    subject: '系统退信',
    type: 'multipart/mixed',
    body: [
      '--r',
      ...encoded('text/html', `<p>抱歉，您的邮件被退回来了。</p><p>无法发送到 ${letter.recipient}</p><p>退信原因：收件人邮箱不存在。Mailbox not found</p>`),
      '--r',
      'Content-Type: message/rfc822',
      '',
      ...keptHead(letter),
      '',
      '……',
    ],
  })

export const exmail = ({ to, recipient, subject }: Returned): Buffer =>
  bounce(to, {
    from: words('系统管理员').concat(' <postmaster@exmail.test>'),
    subject: `退信：${subject}`,
    type: 'multipart/alternative',
    body: ['--r', ...encoded('text/plain', `您好，您发送的邮件没有投递成功。\n\n收件人：${recipient}\n失败原因：550 Mailbox unavailable or access denied\n`)],
  })

export const gmail = (letter: Returned): Buffer =>
  bounce(letter.to, {
    from: 'Mail Delivery Subsystem <mailer-daemon@googlemail.test>',
    subject: 'Delivery Status Notification (Failure)',
    head: [`X-Failed-Recipients: ${letter.recipient}`, 'Auto-Submitted: auto-replied'],
    type: 'multipart/report; report-type=delivery-status',
    body: [
      '--r',
      ...encoded('text/plain', `** Address not found **\n\nYour message wasn't delivered to ${letter.recipient} because the address couldn't be found.\n`),
      '--r',
      ...deliveryStatus(letter.recipient, '5.1.1', '550-5.1.1 The email account that you tried to reach does not exist.'),
      '--r',
      'Content-Type: text/rfc822-headers',
      '',
      ...keptHead(letter),
      '',
    ],
  })

export const exchange = ({ to, recipient, subject }: Returned): Buffer =>
  bounce(to, {
    from: 'Microsoft Outlook <postmaster@corp.test>',
    subject: `未送达: ${subject}`,
    type: 'multipart/report; report-type=delivery-status',
    body: [
      '--r',
      ...encoded('text/plain', `未能向以下收件人或通讯组列表传递邮件:\n\n${recipient}\n收件人的邮箱已满，现在无法接受邮件。\n`),
      '--r',
      ...deliveryStatus(recipient, '5.2.2', '554 5.2.2 mailbox full'),
    ],
  })

/** By a server that keeps RFC 3461: nothing of the letter, but what its envelope was called. */
export const named = (to: string, envelopeId: string, recipient: string): Buffer =>
  bounce(to, {
    from: 'MAILER-DAEMON@mx.test',
    subject: 'Undelivered Mail Returned to Sender',
    type: 'multipart/report; report-type=delivery-status',
    body: [
      '--r',
      ...encoded('text/plain', 'Your letter could not be delivered.'),
      '--r',
      ...deliveryStatus(recipient, '5.1.1', '550 no such user', envelopeId),
    ],
  })
