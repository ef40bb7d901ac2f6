import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sanitizeLetter } from '@huike/core/sdk/sanitize-letter.ts'
import { splitQuote } from '@huike/core/sdk/split-quote.ts'
import { simpleParser } from 'mailparser'
import * as bare from '../../../tests/support/bare-bounces.ts'
import { readAuthenticity, verdictOn } from './authenticity.ts'
import { classifyLetter, whoFilledIn } from './classify.ts'
import { parseHeaders } from './headers.ts'
import { readBounce } from './read-bounce.ts'
import { readMail } from './read-mail.ts'

const bytes = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures', `${name}.eml`))
const fixture = (name: string) => readMail(bytes(name))
const kind = (name: string) => classifyLetter(fixture(name), () => false)

/** Client → sender's name, subject, new words, a word of the quotation, names of files. */
const clients: [file: string, name: string | undefined, subject: string, text: string, quoted: string, files: string[]][] = [
  ['qq-mail', '张三', '回复：合同', '合同已盖章，请查收。', '请盖章后发回', []],
  ['netease-163', '王五', 'Re:报价', '报价单见附件，镕丨喆 经理确认过。', '请发报价', ['报价单.txt']],
  ['foxmail', undefined, '回复: 地址', '朱镕基路 18 号，见图：', '请告知地址', ['image001.png']],
  ['outlook-zh', '孙七', '答复: 发票', '已收到，附件请查收。', '发票请查收', ['二〇二四年发票.txt']],
  ['apple-mail-zh', '周八', 'Re: 退款', '款已收到，谢谢。', '已退款', []],
  ['gmail-zh', '吴九', 'Re: 拜访', '好的，周一见。', '周一可以吗', []],
  ['big5', '林十', '訂單查詢', '請問我的訂單到哪裡了？', '', []],
  ['iso-2022-jp', '田中', 'お問い合わせ', '在庫はありますか。', '', []],
  ['unlabelled-gbk', '刘一', '货到了吗', '还没有收到货。', '', []],
]
for (const [file, name, subject, text, quoted, files] of clients)
  test(`${file}: charset, sender, words, quotation, files`, () => {
    const letter = fixture(file)
    assert.deepEqual([letter.from?.name, letter.subject, letter.files.map((each) => each.name)], [name, subject, files])
    if (letter.text !== undefined) {
      const split = splitQuote(letter.text)
      assert.equal(split.text.split('\n')[0], text)
      assert.ok(split.quoted.includes(quoted))
    }
    if (letter.html !== undefined) {
      const safe = sanitizeLetter(letter.html)
      assert.equal(safe?.text.split('\n')[0], text)
      assert.ok(safe?.quoted.includes(quoted), safe?.quoted)
    }
    assert.equal(kind(file), 'personal')
  })

test('a nested mail, an invitation and winmail.dat are files; their words are not the letter’s', () => {
  const letter = fixture('nested')
  assert.equal(letter.text?.trim(), '请看转发的邮件')
  assert.deepEqual(
    letter.files.map(({ name, type }) => [name, type]),
    [
      ['旧邮件.eml', 'message/rfc822'],
      ['invite.ics', 'text/calendar'],
      ['winmail.dat', 'application/ms-tnef'],
    ],
  )
})

test('a letter in UTF-8 with one bad byte is readable: plain, in base64, as HTML', () => {
  const words = '您好，请问上周订的白瓷杯什么时候发货？'
  const of = (type: string, body: Buffer) =>
    readMail(
      Buffer.concat([
        Buffer.from(`From: a@b.example\r\nContent-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n`),
        Buffer.from(body.toString('base64')),
      ]),
    )
  const cut = Buffer.from(words).subarray(0, -1)
  assert.equal(of('text/plain', cut).text, `${words.slice(0, -1)}\ufffd`)
  const html = Buffer.concat([Buffer.from(`<p>${words}</p>`), Buffer.from([0xa0]), Buffer.from('<p>谢谢</p>')])
  assert.equal(of('text/html', html).html, `<p>${words}</p>\ufffd<p>谢谢</p>`)
})

test('the charset of HTML may stand in its `<meta>` only; plain text has none', () => {
  const of = (type: string, said: string) =>
    readMail(
      Buffer.concat([
        Buffer.from(`From: a@b.example\r\nContent-Type: ${type}\r\n\r\n${said}`),
        Buffer.from([0xb1, 0x7a, 0xa6, 0x6e, 0xa1, 0x41, 0xbd, 0xd0, 0xb0, 0xdd]),
      ]),
    )
  const meta = '<meta http-equiv="Content-Type" content="text/html; charset=big5">'
  assert.equal(of('text/html', meta).html, `${meta}您好，請問`)
  assert.doesNotMatch(of('text/plain', meta).text ?? '', /您好/)
})

test('inline pictures are known by their content id', () => {
  const letter = fixture('foxmail')
  assert.deepEqual(sanitizeLetter(letter.html ?? '')?.cids, ['_Foxmail.1@abc'])
  assert.deepEqual([letter.files[0]?.contentId, letter.files[0]?.inline], ['_Foxmail.1@abc', true])
})

test('bounces: standard, delayed, and those of providers that keep no standard', () => {
  const facts = (name: string) => {
    assert.equal(kind(name), 'bounce', name)
    const { action, failed, originals } = readBounce(fixture(name))
    return [action, failed.map(({ address, status }) => [address, status]), originals.includes('ours@shop.example')]
  }
  assert.deepEqual(facts('bounce-postfix'), ['failed', [['nobody@corp.example', '5.1.1']], true])
  assert.deepEqual(facts('bounce-delayed'), ['delayed', [], true])
  assert.deepEqual(facts('bounce-netease'), ['failed', [['meiyou@163.example', undefined]], true])
  assert.deepEqual(facts('bounce-exchange-zh'), ['failed', [['gone@corp.example', '5.2.2']], true])
  assert.match(readBounce(fixture('bounce-netease')).failed[0]?.diagnostic ?? '', /收件人不存在/)
})

test('a report without an id of ours: whom it names, the subject in its head or its words, the name on its envelope', () => {
  const [to, recipient, subject] = ['support@shop.example', 'gone@corp.example', 'Re: 合同 二期']
  for (const [name, make] of Object.entries(bare)) {
    if (name === 'named') continue
    const letter = readMail((make as typeof bare.qq)({ to, recipient, subject }))
    assert.equal(
      classifyLetter(letter, () => false),
      'bounce',
      name,
    )
    const bounce = readBounce(letter)
    assert.deepEqual(
      [name, bounce.action, bounce.failed.map(({ address }) => address), bounce.originals, bounce.foreign],
      [name, 'failed', [recipient], [], false],
    )
    assert.equal(bounce.subject ?? bounce.subjectInWords, subject, name)
  }
  const { envelopeId, foreign } = readBounce(readMail(bare.named(to, 'c.1.2.3', recipient)))
  assert.deepEqual([envelopeId, foreign], ['c.1.2.3', false])
})

test('a report of several recipients names each who failed, with the words about that one; whoever got it, or may yet, is not among them', () => {
  const report = (...groups: string[][]) =>
    readBounce(
      readMail(
        Buffer.from(
          [
            'From: mailer-daemon@mx.example',
            'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
            '',
            '--b',
            '',
            'host a.example said: 550 5.1.1 nobody here',
            '--b',
            'Content-Type: message/delivery-status',
            '',
            'Reporting-MTA: dns; mx.example',
            ...groups.flatMap((group) => ['', ...group]),
            '--b',
            'Content-Type: text/rfc822-headers',
            '',
            'Message-ID: <renamed-by-the-relay@relay.example>',
            'X-Huike-Loop: ours@shop.example stamp',
            '',
            '--b--',
          ].join('\r\n'),
        ),
      ),
    )
  const several = report(
    [
      'Final-Recipient: rfc822; inner-a@a.example',
      'Original-Recipient: rfc822;A@a.example',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 gone',
    ],
    ['Final-Recipient: rfc822; b@b.example', 'Action: delayed', 'Status: 4.4.1'],
    ['Final-Recipient: rfc822; c@c.example', 'Action: relayed', 'Status: 2.0.0'],
    ['Final-Recipient: rfc822; d@d.example', 'Action: failed', 'Status: 5.2.2'],
    ['Final-Recipient: rfc822; d@d.example', 'Action: failed', 'Status: 5.2.2'],
  )
  assert.deepEqual(several.failed, [
    { address: 'a@a.example', status: '5.1.1', diagnostic: '550 gone' },
    { address: 'd@d.example', status: '5.2.2', diagnostic: '' },
  ])
  assert.equal(several.action, 'failed')
  // A relay gave it another name: our own mark still tells which it was.
  assert.ok(several.originals.includes('ours@shop.example'))
  assert.deepEqual(report(['Final-Recipient: rfc822; b@b.example', 'Action: delayed', 'Status: 4.4.1']).action, 'delayed')
  assert.deepEqual(report(['Final-Recipient: rfc822; a@a.example', 'Status: 5.1.1']).failed[0]?.diagnostic, 'nobody here')
  assert.deepEqual(report().failed, [{ address: undefined, status: undefined, diagnostic: 'nobody here' }])
})

test('what no person wrote is recognised, and what one did is not', () => {
  assert.deepEqual([kind('auto-reply-qq'), kind('newsletter')], ['auto-reply', 'bulk'])
  const of = (...headers: string[]) => classifyLetter(readMail(Buffer.from(`From: a@b.example\r\n${headers.join('\r\n')}\r\n\r\nx`)), (mark) => mark === 'ours')
  assert.deepEqual(
    [
      of('Auto-Submitted: no'),
      of('Auto-Submitted: auto-generated'),
      of('X-Auto-Response-Suppress: OOF'),
      of('X-Auto-Response-Suppress: All'),
      of('Precedence: bulk'),
    ],
    ['personal', 'auto-reply', 'personal', 'auto-reply', 'bulk'],
  )
  assert.deepEqual(
    [of('X-Huike-Loop: ours'), of('X-Huike-Loop: forged'), of('Return-Path: <>'), of('Subject: Re: undeliverable goods')],
    ['own', 'personal', 'auto-reply', 'personal'],
  )
  const people = ['自动回复功能怎么用', '【自动回复】功能咨询', 'Out of office chairs, please quote 20', 'Automatic reply does not work', 'Re: 自动回复：询价']
  for (const subject of people) assert.equal(of(`Subject: ${subject}`), 'personal', subject)
  const machines = [
    '自动回复：询价',
    '自动回复: Re: 询价',
    '[自动回复] 回复：询价',
    'Out of Office: chairs',
    'Out of office Re: chairs',
    'Out of Office AutoReply: chairs',
  ]
  for (const subject of [...machines, 'Automatic reply: chairs', 'Réponse automatique : devis', '自動応答: 見積'])
    assert.equal(of(`Subject: ${subject}`), 'auto-reply', subject)
  assert.equal(of('Subject: 自动回复', 'X-Auto-Response-Suppress: OOF'), 'auto-reply')
  assert.deepEqual(
    [of('Feedback-ID: 1:2:3:mailer'), of('Feedback-ID: 1:2:3:mailer', 'List-Unsubscribe: <https://x.example>'), of('Feedback-ID: 1:2', 'Precedence: bulk')],
    ['personal', 'bulk', 'bulk'],
  )
})

test('what comes through a group of our own, or from a form in somebody’s name, a person wrote', () => {
  const own = new Set(['support@shop.cn', 'hello@shop.cn'])
  const of = (from: string, ...headers: string[]) =>
    classifyLetter(readMail(Buffer.from(`From: ${from}\r\n${headers.join('\r\n')}\r\n\r\nx`)), () => false, own)
  const group = (name: string) => ['Precedence: list', `List-ID: Customers <${name}.shop.cn>`, 'List-Unsubscribe: <https://groups.example/leave>']
  assert.deepEqual(
    [
      of('a@b.example', ...group('support')),
      of('a@b.example', 'Precedence: list', 'List-Post: <https://groups.example/post>, <mailto:Hello@shop.cn>', 'List-Unsubscribe: <mailto:x@y.example>'),
      of('a@b.example', ...group('news')),
      of('a@b.example', 'List-Post: <mailto:support@shop.cn.example>'),
      of('a@b.example', ...group('support'), 'Feedback-ID: 1:2:3:mailer'),
      of('a@b.example', ...group('support'), 'Auto-Submitted: auto-replied'),
    ],
    ['personal', 'personal', 'bulk', 'bulk', 'bulk', 'auto-reply'],
  )
  const form = ['noreply@forms.example', 'Reply-To: lilei@customer.example'] as const
  assert.deepEqual(
    [
      of(...form),
      of(...form, 'Auto-Submitted: auto-generated'),
      of(...form, 'Auto-Submitted: auto-replied'),
      of(...form, 'List-Unsubscribe: <mailto:x@y.example>'),
      of('noreply@forms.example'),
      of('noreply@forms.example', 'Reply-To: noreply@forms.example'),
      of('noreply@forms.example', 'Reply-To: support@shop.cn'),
      of('noreply@forms.example', 'Reply-To: do-not-reply@elsewhere.example'),
      of('mailer-daemon@forms.example', 'Reply-To: lilei@customer.example'),
    ],
    ['personal', 'personal', 'auto-reply', 'bulk', 'bulk', 'bulk', 'bulk', 'bulk', 'bulk'],
  )
})

test('who filled in a form: the one elsewhere whom a machine, or an address of ours, wants answered', () => {
  const of = (own: string, from: string, ...headers: string[]) =>
    whoFilledIn(readMail(Buffer.from(`From: ${from}\r\n${headers.join('\r\n')}\r\n\r\nx`)), new Set([own]))?.address
  const [person, to] = ['li@customer.example', 'Reply-To: li@customer.example']
  const sites = ['wordpress@site.example', 'no_reply@site.example', 'notification@site.example', 'form@site.example', 'web-form@site.example']
  for (const site of [...sites, 'support@shop.cn', 'site@shop.cn']) assert.equal(of('support@shop.cn', site, to), person, site)
  assert.equal(of('support@shop.cn', 'crm@site.example', to, 'Auto-Submitted: auto-generated'), person)
  // A person with a second address, a colleague's own, two of them, a ticket system's number, one who shares only the provider.
  assert.deepEqual(
    [
      of('support@shop.cn', 'wang@customer.example', to),
      of('support@shop.cn', 'boss@shop.cn', 'Reply-To: sales@shop.cn'),
      of('support@shop.cn', 'wordpress@site.example', `${to}, wang@customer.example`),
      of('support@shop.cn', 'help@desk.example', 'Reply-To: help+1@desk.example', 'Auto-Submitted: auto-generated'),
      of('shop@qq.com', 'wang@qq.com', to),
      of('support@shop.cn', 'mailer-daemon@shop.cn', to),
    ],
    Array(6).fill(undefined),
  )
})

test('only the mailbox’s own server vouches for a sender', () => {
  const trusted = new Set(['mx.shop.test'])
  const of = (...lines: string[]) => readAuthenticity(parseHeaders(Buffer.from(lines.join('\r\n'))), trusted)?.auth
  const good = 'Authentication-Results: mx.shop.test (comment; dmarc=fail); spf=pass smtp.mailfrom=a.b; dkim=fail; dkim=pass header.d="x;y"; dmarc=pass'
  assert.deepEqual(of('Received: x', good), { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
  assert.equal(of('Authentication-Results: evil.test; dmarc=pass', good), undefined)
  assert.deepEqual(of('Authentication-Results: mx.shop.test; dmarc=fail', 'Received: x', good), { dmarc: 'fail' })
  assert.deepEqual(of('Authentication-Results: mx.shop.test; spf=pass', good)?.dmarc, 'pass')
  assert.equal(of('Authentication-Results: mx.shop.test.evil; dmarc=pass'), undefined)
  assert.equal(readAuthenticity(parseHeaders(Buffer.from(good)), new Set()), undefined)
})

test('a verdict is on the author that we read, or against them', () => {
  const of = (results: string, ...from: string[]) => {
    const letter = readMail(Buffer.from([`Authentication-Results: mx.shop.test; ${results}`, ...from, '', 'x'].join('\r\n')))
    return [letter.from?.address, verdictOn(letter, new Set(['mx.shop.test']))?.dmarc]
  }
  const [said, unsaid] = ['dmarc=pass (p=reject) header.from=evil.test', 'dmarc=pass']
  // One author, however they are written.
  for (const from of ['a@evil.test', 'A@Evil.test (Wang)', 'Wang <a@evil.test>', '"b@bank.cn, x" <a@evil.test>', '=?gbk?B?zfU=?= (x) <a@evil.test>'])
    assert.deepEqual([of(said, `From: ${from}`), of(unsaid, `From: ${from}`)], [Array(2).fill(['a@evil.test', 'pass'])].flat(), from)
  // Sender is no author: of one whom we cannot read nobody vouches, and nobody else writes in their place.
  for (const from of ['"a b"@evil.test', '"x,y"@evil.test', `${'a'.repeat(65)}@evil.test`, ''])
    assert.deepEqual(of(said, `From: ${from}`, 'Sender: boss@bank.cn'), [undefined, undefined], from)
  // The server read one author, we another.
  const doubtful = ['<boss@bank.cn> <a@evil.test>', '<boss@bank.cn(>@evil.test)', 'boss@bank.cn, a@evil.test', 'boss@bank.cn(>@evil.test)']
  for (const from of doubtful) assert.deepEqual([of(said, `From: ${from}`)[1], of(unsaid, `From: ${from}`)[1]], ['fail', undefined], from)
  assert.deepEqual(of('dmarc=none header.from=evil.test', 'From: boss@bank.cn')[1], 'fail')
  assert.deepEqual(of(unsaid, 'From: boss@bank.cn', 'From: a@evil.test')[1], undefined)
  // Two letters that are one in lower case.
  assert.deepEqual(of(unsaid, 'From: boss@ban\u212a.cn'), ['boss@bank.cn', undefined])
})

test('missing and doubled Message-IDs: two mails are two, one is one', () => {
  const of = (body: string, id = '') => readMail(Buffer.from(`From: a@b.example\r\nDate: Fri, 1 Mar 2024 10:00:00 +0800\r\n${id}\r\n${body}`)).fingerprint
  assert.notEqual(of('a'), of('b'))
  assert.equal(of('a'), of('a'))
  assert.notEqual(of('a', 'Message-ID: <x@y>\r\n'), of('b', 'Message-ID: <x@y>\r\n'))
  assert.equal(fixture('unlabelled-gbk').messageId, undefined)
})

test('agrees with mailparser where mailparser reads them right', async () => {
  for (const name of ['qq-mail', 'netease-163', 'outlook-zh', 'gmail-zh', 'big5', 'iso-2022-jp']) {
    const theirs = await simpleParser(bytes(name))
    const ours = fixture(name)
    assert.deepEqual(
      [ours.subject, ours.from?.address, ours.files.map((file) => file.bytes.toString('hex')), ours.html?.replace(/\s+/g, '')],
      [
        theirs.subject,
        theirs.from?.value[0]?.address,
        theirs.attachments.map((file) => file.content.toString('hex')),
        theirs.html ? theirs.html.replace(/\s+/g, '') : undefined,
      ],
      name,
    )
  }
})
