import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Value } from 'typebox/value'
import { type ComposeInput, composeLetter } from './compose.ts'
import { explainFault, faultOf, sentenceOf } from './faults.ts'
import { inboxSettings, mailboxOf } from './inbox-settings.ts'
import { presets } from './presets.ts'
import { readMail } from './read-mail.ts'
import { answerHeaders, answerSubject, makeMessageId, makeReplyAddress, readMessageId, readReplyAddress } from './thread.ts'

const settings = (more: Record<string, unknown> = {}) => ({
  ...(Value.Default(inboxSettings, {}) as object),
  address: 'support@shop.cn',
  displayName: '客服',
  password: 'x',
  ...more,
})
const mailbox = (more: Record<string, unknown> = {}) => mailboxOf({ id: 'i', name: '客服邮箱', settings: settings(more) })
const compose = (message: Partial<ComposeInput['message']> = {}, more: Partial<ComposeInput> = {}) =>
  composeLetter({
    mailbox: mailbox(),
    message: { to: 'zhang@example.com', parts: [{ type: 'text', text: '您好' }], ...message },
    messageId: 'id@shop.cn',
    files: [],
    loopMark: 'mark stamp',
    at: new Date('2024-03-01T02:00:00Z'),
    ...more,
  })

test('nothing that is typed becomes a header', async () => {
  const evil = 'x\r\nBcc: victim@example.com\r\n\r\n<script>'
  const { raw, envelope } = await compose(
    { meta: { subject: evil, to: [{ name: evil, address: 'a@b.cn' }], cc: [{ name: evil, address: 'c@d.cn' }] } },
    {
      mailbox: mailbox({ displayName: evil }),
      previous: { messageId: 'p@q\r\nBcc: v@x', references: `r@s\r\nBcc: v@x`, subject: evil },
      files: [{ name: `${evil}.txt`, mime: `text/plain\r\nBcc: v@x`, bytes: Buffer.from('x'), cid: 'c\r\nBcc: v@x' }],
      loopMark: `m\r\nBcc: v@x`,
    },
  )
  assert.deepEqual(envelope.to, ['a@b.cn', 'c@d.cn'])
  assert.doesNotMatch(raw.toString('latin1'), /^bcc:/im)
  assert.equal(readMail(raw).headers.has('bcc'), false)
  for (const line of raw.toString('latin1').split('\r\n')) assert.ok(line.length <= 998)
  for (const address of ['a@b\r\nRCPT TO:<v@x>', 'no address', '<a@b>', 'a@b,c@d'])
    await assert.rejects(compose({ meta: { to: [{ address }] } }), { reason: 'address-invalid', retry: false })
  await assert.rejects(compose({ meta: { to: Array.from({ length: 51 }, (_, i) => ({ address: `a${i}@b.cn` })) } }), { reason: 'recipients' })
})

test('an address in other letters goes to that domain or to nobody, never to a third', async () => {
  const { envelope } = await compose({ meta: { to: [{ address: 'kf@例子.cn' }] } })
  assert.deepEqual(envelope.to, ['kf@xn--fsqu00a.cn'])
  // Cut down to a byte each, as headers are read, these would be &a@b.cn and 8@b.cn.
  for (const address of ['…a@b.cn', 'ĸ@b.cn']) await assert.rejects(compose({ meta: { to: [{ address }] } }), { reason: 'address-invalid' })
})

test('no line is longer than servers take, and none ends by half', async () => {
  const long = '../'.repeat(500)
  const words = '一\r二\n三\r\n四'
  const { raw } = await compose(
    { meta: { to: [{ name: `<${long}`, address: 'a@b.cn' }] }, parts: [{ type: 'html', html: '<p>一</p>\n<p>二\r三</p>', text: words }] },
    { mailbox: mailbox({ signature: '客服部\r电话' }) },
  )
  for (const line of raw.toString('latin1').split('\r\n')) assert.ok(line.length <= 998 && !/[\r\n]/.test(line), line.slice(0, 100))
  assert.equal(readMail(raw).to[0]?.address, 'a@b.cn')
})

test('both versions, the thread, the signature, the quotation; an automatic answer says so', async () => {
  const { raw } = await compose(
    { parts: [{ type: 'html', html: '<p>您<b>好</b></p><script>x</script>', text: '您好' }], meta: { automatic: true } },
    {
      mailbox: mailbox({ signature: '客服部', replyMarker: true }),
      previous: { messageId: 'last@x', references: 'first@x', subject: '回复：Re: 询价' },
      previousWords: { from: { name: '张三', address: 'zhang@example.com' }, at: new Date('2024-02-29T10:00:00Z'), text: '多少钱\n> 旧' },
    },
  )
  const read = readMail(raw)
  assert.deepEqual([read.subject, read.answers, read.messageId], ['Re: 询价', ['last@x', 'first@x'], 'id@shop.cn'])
  assert.match(
    read.text ?? '',
    /^您好\n\n-- \n客服部\n\n--- 请在此行以上回复 ---\n\n在 2024-02-29 10:00 UTC，张三 <zhang@example.com> 写道：\n\n> 多少钱\n>> 旧/,
  )
  assert.ok(read.html?.includes('您<b>好</b>') && !read.html.includes('script'))
  assert.equal(read.headers.raw('auto-submitted'), 'auto-replied')
  assert.equal((await compose()).raw.includes('Auto-Submitted'), false)
})

test('chains are capped, keeping the first and the last; one Re: is enough', () => {
  const ids = Array.from({ length: 60 }, (_, i) => `m${i}@x`)
  const { references, inReplyTo } = answerHeaders({ messageId: 'last@x', references: ids.join(' ') })
  assert.deepEqual([references.length, references[0], references.at(-1), inReplyTo], [20, 'm0@x', 'last@x', 'last@x'])
  assert.deepEqual(['询价', 'Re: RE：回复: 询价', '答复：[Re] x', 'Re[2]: a'].map(answerSubject), ['Re: 询价', 'Re: 询价', 'Re: [Re] x', 'Re: a'])
})

test('ids and reply addresses are ours only with our stamp, in any case of letters', () => {
  const sign = (text: string) => `key:${text}`
  const [conversation, message] = ['01hq'.padEnd(26, '0'), '01hr'.padEnd(26, '1')]
  const id = makeMessageId(sign, conversation, message, 'shop.cn')
  assert.deepEqual(readMessageId(sign, id), { conversationId: conversation, hubMessageId: message })
  assert.deepEqual(readMessageId(sign, makeMessageId(sign, conversation, message, 'shop.cn', 2)), { conversationId: conversation, hubMessageId: message })
  assert.equal(
    readMessageId((text) => `other:${text}`, id),
    undefined,
  )
  assert.equal(readMessageId(sign, id.replace('01hr', '01hs')), undefined)
  const address = makeReplyAddress(sign, 'support@shop.cn', conversation)
  assert.equal(readReplyAddress(sign, address.toUpperCase()), conversation)
  assert.equal(readReplyAddress(sign, address.replace('01hq', '01hz')), undefined)
  assert.ok((address.split('@')[0] as string).length <= 64)
  assert.equal(makeReplyAddress(sign, `${'a'.repeat(60)}@shop.cn`, conversation), `${'a'.repeat(60)}@shop.cn`)
})

test('what servers say becomes a sentence: each fault by its own words', () => {
  const preset = presets['163']
  const endpoint = { host: 'imap.163.com', port: 993, security: 'tls' as const }
  const code = (error: object) => {
    const fault = explainFault(Object.assign(new Error('x'), error), preset, endpoint)
    assert.ok(fault.error.zh && fault.error.en && fault.remedy.zh && fault.remedy.en)
    return [fault.code, fault.retry, fault.unauthorised]
  }
  assert.deepEqual(code({ code: 'ENOTFOUND' }), ['dns', true, false])
  const unknown = explainFault(Object.assign(new Error('queryA ENOTFOUND x'), { code: 'EDNS' }), preset, endpoint)
  assert.deepEqual(faultOf(unknown), {
    zh: '找不到服务器地址（服务器说：queryA ENOTFOUND x）',
    en: 'The server’s name cannot be found (the server said: queryA ENOTFOUND x)',
  })
  assert.doesNotMatch(sentenceOf(unknown).zh + sentenceOf(unknown).en, /重试|tried again/)
  assert.match(sentenceOf(unknown, true).zh, /会自动重试/)
  assert.deepEqual(code({ code: 'ECONNREFUSED' }), ['refused', true, false])
  assert.deepEqual(code({ code: 'ETIMEDOUT', message: 'Timeout' }), ['timeout', true, false])
  assert.deepEqual(code({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), ['certificate', false, false])
  assert.deepEqual(code({ message: 'wrong version number' }), ['tls', false, false])
  assert.deepEqual(code({ responseText: 'SELECT Unsafe Login. Please contact kefu@188.com for help' }), ['unsafe-login', false, true])
  assert.deepEqual(code({ authenticationFailed: true, responseText: 'LOGIN Login error or password error' }), ['auth', false, true])
  assert.deepEqual(code({ code: 'EAUTH', responseCode: 535, response: '535 Login fail. Authorization code is expired' }), ['auth', false, true])
  assert.deepEqual(code({ code: 'EAUTH', responseCode: 535, response: '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled' }), [
    'basic-auth-ended',
    false,
    true,
  ])
  assert.deepEqual(code({ responseCode: 553, response: '553 Mail from must equal authorized user' }), ['from-mismatch', false, false])
  assert.deepEqual(code({ responseCode: 550, response: '550 5.1.1 User unknown' }), ['recipient-unknown', false, false])
  assert.deepEqual(code({ responseCode: 554, response: '554 DT:SPM 163 smtp11' }), ['spam-refused', false, false])
  assert.deepEqual(code({ responseCode: 451, response: '451 try again later' }), ['rate-limited', true, false])
  assert.deepEqual(code({ responseCode: 450, response: '450 greylisted' }), ['greylisted', true, false])
  assert.deepEqual(code({ code: 'ECONNRESET' }), ['cut', true, false])
})

test('what is said to a recipient or to the letter says nothing of our login', () => {
  const of = (command: string, response: string) => {
    const { code, retry, unauthorised } = explainFault(
      Object.assign(new Error('x'), { command, response, responseCode: Number(response.slice(0, 3)) }),
      presets['163'],
      { host: 'smtp.163.com', port: 465, security: 'tls' },
    )
    return [code, retry, unauthorised]
  }
  assert.deepEqual(of('MAIL FROM', '550 User suspended'), ['protocol-off', false, true])
  assert.deepEqual(of('RCPT TO', '550 User suspended'), ['refused-by-server', false, false])
  assert.deepEqual(of('RCPT TO', '450 account is not open'), ['refused-by-server', true, false])
  assert.deepEqual(of('RCPT TO', '550 5.1.1 User unknown'), ['recipient-unknown', false, false])
  assert.deepEqual(of('DATA', '554 5.7.1 spam: asks for a password'), ['spam-refused', false, false])
})
