import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sanitizeLetter } from './sanitize-letter.ts'
import { splitQuote } from './split-quote.ts'

/** What clients put above the old letter, as they write it. */
const heads: Record<string, string> = {
  'QQ 邮箱':
    '------------------ 原始邮件 ------------------\n发件人: "客服" <a@b.cn>;\n发送时间: 2024年3月1日(星期五) 上午10:00\n收件人: "张三"<c@d.cn>;\n主题: 询价\n\n旧话',
  '网易 163': '在 2024-03-01 10:00:00，"客服" <a@b.cn> 写道：\n\n旧话',
  Foxmail: '发件人： 客服\n发送时间： 2024-03-01 10:00\n收件人： 张三\n主题： 询价\n旧话',
  'Outlook 中文': '________________________________\n发件人: 客服 <a@b.cn>\n发送时间: 2024年3月1日 10:00\n收件人: 张三 <c@d.cn>\n主题: 询价\n\n旧话',
  'Apple Mail 中文': '> 在 2024年3月1日，上午10:00，客服 <a@b.cn> 写道：\n> \n> 旧话',
  'Gmail 中文': '客服 <a@b.cn> 于2024年3月1日周五 10:00写道：\n\n> 旧话',
  'Gmail zh-TW': '客服 <a@b.cn> 於 2024年3月1日 週五 上午10:00寫道：\n\n> 旧话',
  Gmail: 'On Fri, Mar 1, 2024 at 10:00 AM 客服 <a@b.cn> wrote:\n\n> 旧话',
  'Gmail, wrapped': 'On Fri, Mar 1, 2024 at 10:00 AM A very long name of somebody\n<a@b.cn> wrote:\n\n> 旧话',
  Outlook: 'From: A <a@b.cn>\nSent: Friday, March 1, 2024 10:00 AM\nTo: C <c@d.cn>\nSubject: x\n\n旧话',
  'Outlook, old': '-----Original Message-----\nFrom: a\n旧话',
  our: '--- 请在此行以上回复 ---\n旧话',
}
for (const [client, head] of Object.entries(heads))
  test(`the quotation of ${client} is folded, and is still there`, () => {
    const { text, quoted } = splitQuote(`好的，谢谢。\n\n${head}`)
    assert.equal(text, '好的，谢谢。')
    assert.ok(quoted.includes('旧话'))
    assert.equal(`${text}${quoted}`.replace(/\s/g, ''), `好的，谢谢。${head}`.replace(/\s/g, ''))
  })

test('answers between quoted lines stay where they are', () => {
  const inline = '在 2024年3月1日，客服 <a@b.cn> 写道：\n> 要红的吗？\n红的\n> 几件？\n两件'
  assert.deepEqual(splitQuote(`见下\n${inline}`), { text: `见下\n${inline}`, quoted: '' })
})

test('signatures fold; a letter that is only a quotation shows it; words about From: are words', () => {
  assert.deepEqual(splitQuote('明天见\n\n发自我的iPhone'), { text: '明天见', quoted: '发自我的iPhone' })
  assert.deepEqual(splitQuote('明天见\n-- \n张三\n电话 1'), { text: '明天见', quoted: '-- \n张三\n电话 1' })
  assert.equal(splitQuote('> 只有引用').text, '> 只有引用')
  assert.equal(splitQuote('On Fri, Mar 1, 2024 a <a@b.cn> wrote:\n> 旧话\n\n答在下面').text, '答在下面')
  assert.equal(splitQuote('发件人: 请改成李四\n其他不变').text, '发件人: 请改成李四\n其他不变')
  assert.deepEqual(splitQuote(''), { text: '', quoted: '' })
})

/** What reads like a signature or the head of a quotation, and is what the customer has to say. */
const own = [
  '您好甲，\n来自客户端的报错如下：\nError 500\n电话 13800138000',
  '您好\n来自客户端\n请处理',
  '照片如下\n来自我的手机的照片见附件',
  '我的订单\n来自小米商城的订单',
  '您问的货\n来自手机\n',
  'Hello\nSent from our warehouse on Friday, not arrived\nOrder 5',
  'Hello\nSent via registered mail on Monday',
  'Hello\nSent from my iPhone 13800138000',
  'Hello\nSent from my iPhone\nplease call 13800138000',
  '发自我的iPhone\n电话改成 13800138000',
  '您好乙\n2026年11月1日到货的产品有以下问题:\n1. 杯子碎了',
  '您好\n2026年11月1日前请发到 boss@b.cn:\n两份',
  '您好\n2026年11月1日你们写道：\n三天到货',
  '您好\n在你们的网站上，你们写道：\n三天到货',
  'Hello\nOn your website you wrote:\nthree days',
  '请改地址\n寄件人：张三\n收件人：李四 13800138000\n主题：搬家',
  '请改地址\n寄件人：张三\n收件人：李四\n日期：2026年11月1日',
  '我的快递丢了，单子上写的是：\n寄件人：张三\n收件人：李四\n时间：2026-03-01 10:20\n请尽快处理，我的电话 13800138000',
  'Please change my shipment:\nFrom: Shanghai\nTo: Beijing\nDate: 2026-03-01 10:20\nand call me at 13800138000',
  'Hello\nOn 3/1/2026 your agent Li wrote:\nthree days. It is a week now.',
  '您好丁\n--\n清单如下\n杯子 20 只，电话 13800138000',
]
for (const words of own)
  test(`said, not signed or quoted: ${words.replaceAll('\n', ' / ')}`, () => {
    assert.deepEqual(splitQuote(words), { text: words.trim(), quoted: '' })
    const html = words.split('\n').map((line) => `<div>${line}</div>`)
    const safe = sanitizeLetter(html.join(''))
    assert.ok(safe?.quoted === '' && !safe.html.includes('<details'), safe?.html)
    assert.equal(safe.text.replace(/\s/g, ''), words.replace(/\s/g, ''))
  })

/** What a client writes, and people too: a quotation where a letter is answered, or where it is marked as one. */
const either = [
  'Hello\nOn 3/1/2026 at 10:20 your agent Li wrote:\nthree days. It is a week now.',
  '您好\n2026年11月1日 10:20 你们的客服写道：\n三天到货，已经一周了',
  '订单如下\n发件人：张三\n收件人：李四\n时间：2026-03-01 10:20\n主题：搬家\n电话 13800138000',
]
for (const words of either)
  test(`an answer’s quotation, a first letter’s words: ${words.replaceAll('\n', ' / ')}`, () => {
    const [first, ...rest] = words.split('\n')
    const html = words.split('\n').map((line) => `<div>${line}</div>`)
    assert.deepEqual(splitQuote(words), { text: first, quoted: rest.join('\n') })
    assert.equal(sanitizeLetter(html.join(''))?.text, first)
    assert.deepEqual(splitQuote(words, { answers: false }), { text: words, quoted: '' })
    assert.equal(sanitizeLetter(html.join(''), { answers: false })?.quoted, '')
  })

test('lines that are marked below it make a quotation of the faintest head; an address makes one whatever is answered', () => {
  for (const head of ['On 3/1/2026 Li wrote:', 'On Fri, 1 Mar 2024, Li wrote:', '在 2024年3月1日，客服写道：'])
    for (const answers of [true, false]) assert.deepEqual(splitQuote(`好的\n${head}\n\n> 旧话`, { answers }), { text: '好的', quoted: `${head}\n\n> 旧话` })
  assert.equal(splitQuote('请看\n发件人: a@b.cn\n收件人: c\n主题: x\n旧话', { answers: false }).text, '请看')
})

const clients = [
  '发自我的 iPhone',
  '發自我的 iPhone',
  '从我的iPhone发送',
  '发自我的华为手机',
  '发自网易邮箱大师',
  '来自QQ邮箱',
  '来自我的手机',
  '来自华为 P40 手机',
  '来自 iPhone 客户端',
  '来自网易邮箱大师',
]
for (const line of [
  ...clients,
  ...[
    'Sent from my iPhone',
    'Sent from Mail for Windows 10',
    'Sent from Outlook for Android<https://aka.ms/x>',
    'Get Outlook for iOS',
    'Sent with Proton Mail secure email.',
  ],
  ...[
    'Sent via the Samsung Galaxy S21',
    'Sent from Yahoo Mail on Android',
    'Sent from my mobile phone',
    'Sent from my MI 9',
    'Sent from my Sony Xperia™ smartphone',
    '来自华为荣耀 V30',
    '来自QQ邮箱手机版',
  ],
])
  test(`a client’s line: ${line}`, () => {
    assert.deepEqual(splitQuote(`明天见\n\n${line}\n`), { text: '明天见', quoted: line })
    assert.deepEqual(splitQuote(`明天见\n${line}\n\n________\nFrom: a@b.cn\nTo: c\nSubject: x\n旧话`).text, '明天见')
    assert.equal(sanitizeLetter(`<div>明天见</div><div>${line.replace('<', '&lt;')}</div><blockquote type="cite">旧话</blockquote>`)?.text, '明天见')
  })

test('in markup too `-- ` begins a signature', () => {
  for (const mark of ['-- ', '--&nbsp;']) assert.deepEqual(sanitizeLetter(`<div>明天见</div><div>${mark}<br>张三<br>电话 1</div>`)?.text, '明天见')
})

test('a long quotation takes milliseconds', () => {
  for (const line of ['> 引用'.repeat(5), '发件人: x', 'On a', '-'.repeat(300), '在 '.repeat(100)]) {
    const at = performance.now()
    splitQuote(`答\n${`${line}\n`.repeat(100_000)}`)
    assert.ok(performance.now() - at < 3_000, line.slice(0, 20))
  }
})

test('markup: the quotation is folded by its container or its first line, words are told apart', () => {
  const cases = [
    '<div>好的</div><div class="gmail_quote"><blockquote>旧话</blockquote></div>',
    '<div>好的</div><div id="divRplyFwdMsg"><b>发件人:</b> a</div><div>旧话</div>',
    '<div>好的</div><blockquote type="cite">旧话</blockquote>',
    '<div>好的</div><includetail><div>旧话</div></includetail>',
    '<div>好的</div><blockquote id="isReplyContent">旧话</blockquote>',
    '<div>好的</div><div><div>------------------&nbsp;原始邮件&nbsp;------------------</div><div>旧话</div></div>',
  ]
  for (const html of cases) {
    const safe = sanitizeLetter(html)
    assert.equal(safe?.text, '好的', html)
    assert.ok(safe?.quoted.includes('旧话') && /<details data-quoted(?:="")?>.*旧话.*<\/details>/s.test(safe.html), html)
  }
  const between = sanitizeLetter('<blockquote type="cite">要红的吗</blockquote><p>红的</p><blockquote type="cite">几件</blockquote><p>两件</p>')
  assert.ok(!between?.html.includes('<details'))
})

test('markup: answers between the quoted lines stay in the letter and in its words', () => {
  const gmail = (below: string, head = '<div class="gmail_attr">On Mon, A &lt;a@shop.example&gt; wrote:<br></div>') =>
    `<div dir="ltr">见下</div><div class="gmail_quote">${head}${below}</div>`
  const answered = [
    gmail('<blockquote class="gmail_quote">要多少?</blockquote><div>200 套</div><blockquote class="gmail_quote">什么颜色?</blockquote><div>红色</div>'),
    gmail('<blockquote class="gmail_quote">要多少?</blockquote><div><br></div><div>200 套，红色</div>'),
    '<p>您好，</p><div class="moz-cite-prefix">在 2026/11/29 10:00, 客服 写道:<br></div><blockquote type="cite">要多少?</blockquote><p>200 套</p><blockquote type="cite">什么颜色?</blockquote><p>红色</p>',
    '见下<div><blockquote type="cite"><div>在 2026年11月29日，客服 写道：</div><div>要多少?</div></blockquote><div>200 套</div><blockquote type="cite">什么颜色?</blockquote><div>红色</div></div>',
  ]
  for (const html of answered) {
    const safe = sanitizeLetter(html)
    assert.ok(safe && !safe.html.includes('<details'), html)
    assert.match(safe.text, /> 要多少\?\n+(?:\n)?200 套[\s\S]*红色/, html)
    assert.equal(safe.quoted, '', html)
  }
  const folded = [
    // A signature is no answer, nor is what is forwarded.
    gmail('<blockquote class="gmail_quote">要多少?</blockquote><div>-- <br>张三</div>'),
    gmail(
      '<div>你们的产品坏了</div><blockquote>更早的话</blockquote><div>订单号 123</div>',
      '<div class="gmail_attr">---------- Forwarded message ---------<br>From: b</div>',
    ),
    '<p>见下</p><div class="moz-cite-prefix">在 2026/11/29 10:00, 客服 写道:<br></div><blockquote type="cite">要多少?</blockquote><pre class="moz-signature">-- \n张三</pre>',
  ]
  for (const html of folded) {
    const safe = sanitizeLetter(html)
    assert.ok(safe?.text === '见下' && safe.html.includes('<details'), `${safe?.text} ${html}`)
  }
})

test('markup: what could act is gone, what could look elsewhere is told', () => {
  const hostile = `<p onclick="x()" style="position:fixed;background:url(https://t.cn/a);color:red">甲</p><script>x</script><style>@import 'x'</style>
    <iframe src="https://x.cn"></iframe><svg><script>x</script></svg><math><mi xlink:href="javascript:x">z</mi></math><form action="https://x.cn"><input name="a"></form>
    <a href="javascript:x">a</a><a href=" jAvAsCrIpT:x">b</a><a href="data:text/html,x">c</a><a href="//x.cn">d</a><base href="https://x.cn"><meta http-equiv="refresh" content="0;url=https://x.cn">
    <img src="x.png" onerror="x"><img src="data:image/svg+xml,<svg onload=x>"><img srcset="https://t.cn/b 2x"><object data="x"></object><link rel="stylesheet" href="https://x.cn"><template><img src=x onerror=x></template>`
  const safe = sanitizeLetter(hostile)
  assert.ok(safe)
  assert.doesNotMatch(safe.html, /<(?:script|style|iframe|svg|math|form|input|base|meta|object|link|template)|on\w+=|javascript:|url\(|position|srcset|data:/i)
  assert.equal(safe.remoteImages, false)
  assert.match(safe.html, /style="color:red"/)
  assert.equal(sanitizeLetter('<img src="https://t.cn/a.gif">')?.remoteImages, true)
  assert.equal(sanitizeLetter(`${'<div>'.repeat(5_000)}x`), undefined)
  assert.equal(sanitizeLetter('<p>x'.repeat(400_000)), undefined)
})
