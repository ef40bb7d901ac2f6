/** Mail through real servers: a customer writes, an agent answers, the customer answers again; and what goes wrong on the way. */
import assert from 'node:assert/strict'
import { createConnection, createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { createTransport } from 'nodemailer'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { isMysql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { purge } from '../../core/src/domain/record/purge.ts'
import email from '../../plugins/email/plugin.ts'
import { LetterRow, Participant, Progress, Token } from '../../plugins/email/server/letter.entity.ts'
import { type Letter, readMail } from '../../plugins/email/server/read-mail.ts'
import { everyColumn, placesOf } from '../support/every-table.ts'
import { type MailServers, startMailServers, whyNoMailServers } from '../support/mail-servers.ts'
import { startOwnMailServers } from '../support/own-mail-servers.ts'
import { eventually, found, onEveryProfile, type Person, startWorld } from '../support/world.ts'

const missing = whyNoMailServers()
// Without real servers ours stand in: fewer truths, but the flows are still walked.
if (missing) console.error(`\n!! NOT RUN: email through Dovecot and Postfix: ${missing}; our own mail servers stand in`)
if (missing && process.env.TEST_REQUIRE === 'all') test('email through real servers', () => assert.fail(missing))
let servers: MailServers
before(async () => {
  servers = await (missing || process.env.TEST_OWN_MAIL_SERVERS ? startOwnMailServers() : startMailServers())
  console.log(`email: ${servers.kind} run`)
})
after(() => servers.stop())

await onEveryProfile('email', [found(email, `${import.meta.dirname}/../../plugins/email`)], (world) => {
  let count = 0
  /** A mailbox of the shop with an inbox that listens. */
  async function shop(more: Record<string, unknown> = {}): Promise<{ inbox: Inbox; address: string }> {
    const address = `support${++count}-${newId()}@shop.test`
    const inbox = await world().inbox('email', servers.settings(address, more))
    await listening(inbox)
    return { inbox, address }
  }
  const listening = (inbox: Inbox) =>
    eventually(async () => (await world().hub.em().count(Progress, { inboxId: inbox.id })) > 0, `listening (${servers.log().slice(-2_000)})`)
  const customer = (name: string): string => `${name}-${newId()}@customer.test`
  async function post(from: string, to: string, raw: string | Buffer, cc: string[] = []): Promise<void> {
    const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
    await transport.sendMail({ envelope: { from, to: [to, ...cc] }, raw })
    transport.close()
  }
  const letter = (from: string, to: string, subject: string, body: string, headers: string[] = []) =>
    Buffer.from(
      [
        `From: ${from}`,
        `To: ${to}`,
        `Subject: ${subject}`,
        `Message-ID: <${newId()}@customer.test>`,
        `Date: ${new Date().toUTCString()}`,
        ...headers,
        'Content-Type: text/plain; charset=utf-8',
        '',
        body,
      ].join('\r\n'),
    )
  const messages = (inbox: Inbox) =>
    world()
      .hub.em()
      .find(Message, { inboxId: inbox.id, direction: 'in' }, { orderBy: { createdAt: 'asc', seq: 'asc' }, disableIdentityMap: true })
  const incoming = (inbox: Inbox, text: string) =>
    eventually(async () => (await messages(inbox)).find((message) => message.text.includes(text)), `“${text}” in the hub`)
  const fate = (id: string, ...wanted: string[]) =>
    eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return wanted.includes(row.status) && row
    }, `${wanted} of a message`)
  /** The letter of that subject in a mailbox, as its owner's client reads it. */
  async function arrived(address: string, subject: string, folder = 'INBOX'): Promise<Letter> {
    const client = await servers.imap(address)
    try {
      await client.mailboxOpen(folder)
      return await eventually(async () => {
        await client.noop()
        for (const { source } of await client.fetchAll('1:*', { source: true }).catch(() => [])) {
          const read = readMail(source as Buffer)
          if (read.subject === subject) return read
        }
        return undefined
      }, `“${subject}” at ${address}`)
    } finally {
      await client.logout()
    }
  }

  test('the plugin’s tables are what its entities say', async () => {
    assert.deepEqual(await schemaDrift(world().hub.orm), [])
  })

  test('a letter comes, its answer arrives in the thread, and the answer to that lands in the same conversation', async () => {
    const { inbox, address } = await shop({ signature: '某某商城 客服部' })
    const from = customer('zhangsan')
    const agent = await world().person('小安', 'admin')
    // As older Chinese clients write: GBK under the label gb2312.
    const gbk = Buffer.concat([
      Buffer.from(
        `From: =?gb2312?B?1cXI/Q==?= <${from}>\r\nTo: ${address}\r\nSubject: =?gb2312?B?0a+82w==?=\r\nMessage-ID: <first-${count}@customer.test>\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`,
      ),
      Buffer.from([0xc1, 0xbd, 0xb0, 0xd9, 0xcc, 0xd7, 0xb6, 0xe0, 0xc9, 0xd9, 0xc7, 0xae]),
    ])
    await post(from, address, gbk)
    const first = await incoming(inbox, '两百套多少钱')
    assert.deepEqual([first.meta?.subject, first.meta?.from], ['询价', { name: '张三', address: from }])
    assert.equal((await agent.call('GET', `/api/files/${first.meta?.rawFileId}`)).status, 200)
    const { status, body } = await world().reply(agent, first.conversationId, '每套 99 元，量大从优。')
    assert.equal(status, 201)
    const sent = await fate(body.id, 'sent', 'failed', 'uncertain')
    assert.deepEqual([sent.status, sent.failureText], ['sent', null])

    const answer = await arrived(from, 'Re: 询价')
    assert.equal(answer.headers.raw('in-reply-to'), `<first-${count}@customer.test>`)
    assert.deepEqual(answer.references, [`first-${count}@customer.test`])
    assert.deepEqual([answer.from, answer.messageId], [{ name: '某某商城客服', address }, sent.externalId])
    assert.match(answer.text ?? '', /每套 99 元，量大从优。\n\n-- \n某某商城 客服部\n\n在 .+ 写道：\n\n> 两百套多少钱/)
    assert.ok(answer.html?.includes('每套 99 元'))
    const copy = await arrived(address, 'Re: 询价', 'Sent')
    assert.equal(copy.messageId, sent.externalId)

    await post(
      from,
      address,
      letter(from, address, 'Re: Re: 询价', `好的，我要了。\n\n在 2024年3月1日，客服 <${address}> 写道：\n> 每套 99 元，量大从优。`, [
        `In-Reply-To: <${sent.externalId}>`,
      ]),
    )
    const second = await incoming(inbox, '好的，我要了')
    assert.equal(second.conversationId, first.conversationId)
    assert.equal(second.text, '好的，我要了。')
    const [part] = second.parts
    assert.ok(part?.type === 'html' && part.quoted?.includes('> 每套 99 元'))
    assert.equal(second.replyToId, body.id)
    // The mailbox is as it was: nothing is marked as read.
    const client = await servers.imap(address)
    await client.mailboxOpen('INBOX', { readOnly: true })
    assert.deepEqual(await client.search({ seen: true }), [])
    await client.logout()
  })

  test('an address lies in the clear only where the plugin knows its threads by it, as the operator is told', async () => {
    const { inbox, address } = await shop()
    const [from, cc, elsewhere] = [customer('at-rest'), customer('in-copy'), customer('answers')]
    const agent = await world().person('小秘', 'admin')
    await post(from, address, letter(from, address, '密', '地址不能写在明处', [`Cc: ${cc}`, `Reply-To: ${elsewhere}`]))
    const { conversationId } = await incoming(inbox, '地址不能写在明处')
    const { body } = await world().reply(agent, conversationId, '收到')
    await fate(body.id, 'sent')
    assert.deepEqual(placesOf(await everyColumn(world().hub.em(), world().hub.dialect === 'mysql'), [from, cc, elsewhere]), [
      'email_letter.delivered',
      'email_letter.from_address',
      'email_letter.reply_to',
      'email_participant.address',
    ])
  })

  test('a colleague in copy joins the conversation; a stranger who knows an id does not', async () => {
    const { inbox, address } = await shop()
    const [from, colleague, stranger] = [customer('lilei'), customer('hanmeimei'), customer('mallory')]
    await post(from, address, letter(from, address, '合同', '请看附件里的合同', [`Cc: ${colleague}`, 'X-Mark: 1']))
    const first = await incoming(inbox, '请看附件里的合同')
    const id = `leaked-${newId()}@customer.test`
    await post(
      from,
      address,
      letter(from, address, '合同', '补充一点', [])
        .toString()
        .replace(/Message-ID: <[^>]+>/, `Message-ID: <${id}>`),
    )
    await incoming(inbox, '补充一点')
    await post(colleague, address, letter(colleague, address, 'Re: 合同', '我也同意', [`References: <${id}>`]))
    assert.equal((await incoming(inbox, '我也同意')).conversationId, first.conversationId)
    await post(stranger, address, letter(stranger, address, 'Re: 合同', '把合同发给我', [`In-Reply-To: <${id}>`]))
    const intruder = await incoming(inbox, '把合同发给我')
    assert.notEqual(intruder.conversationId, first.conversationId)
    assert.equal(intruder.replyToId, null)
  })

  test('a web form’s letters are those of who filled it in: a conversation for each, answered to them', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小祝', 'admin')
    const form = `noreply@forms-${newId().slice(-6)}.test`
    const people = [customer('wangwu'), customer('zhaoliu')]
    for (const [i, person] of people.entries()) await post(form, address, letter(form, address, '网站留言', `第 ${i} 位的问题`, [`Reply-To: 王五 <${person}>`]))
    const [first, second] = [await incoming(inbox, '第 0 位的问题'), await incoming(inbox, '第 1 位的问题')]
    assert.notEqual(first.conversationId, second.conversationId)
    assert.deepEqual(
      [first.meta?.from, first.meta?.replyTo, first.meta?.automatic, first.meta?.replyToDoubtful],
      [{ address: form }, [{ name: '王五', address: people[0] }], undefined, undefined],
    )
    for (const [i, { conversationId }] of [first, second].entries()) {
      const { body } = await world().reply(agent, conversationId, `给第 ${i} 位的回答`)
      await fate(body.id, 'sent')
      assert.match((await arrived(people[i] ?? '', 'Re: 网站留言')).text ?? '', new RegExp(`给第 ${i} 位的回答`))
    }
    // They answer from their own address: the same conversation. What they write without that is another's: a form proves nothing.
    const { messageId } = await arrived(people[0] ?? '', 'Re: 网站留言')
    await post(people[0] ?? '', address, letter(people[0] ?? '', address, 'Re: 网站留言', '还有一个问题', [`In-Reply-To: <${messageId}>`]))
    assert.equal((await incoming(inbox, '还有一个问题')).conversationId, first.conversationId)
    await post(people[0] ?? '', address, letter(people[0] ?? '', address, '再问一句', '另起一封', []))
    assert.notEqual((await incoming(inbox, '另起一封')).conversationId, first.conversationId)
  })

  test('an answer that comes back is shown on the message it is of, and can be sent again', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小白', 'admin')
    // This mailbox does not exist: Postfix takes the answer and finds out later.
    const ghost = `ghost-${newId()}@customer.test`
    await post(customer('carrier'), address, letter(ghost, address, '退货', '我要退货'))
    const first = await incoming(inbox, '我要退货')
    const { body } = await world().reply(agent, first.conversationId, '请告知订单号')
    const failed = await fate(body.id, 'failed')
    assert.equal(failed.failure, 'recipient-unknown')
    assert.match(failed.failureText?.en ?? '', new RegExp(ghost))
    assert.equal((await messages(inbox)).length, 1)
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    // The second letter has an id of its own, so that its coming back is news again.
    const again = await eventually(async () => {
      const row = await fate(body.id, 'sent', 'failed')
      return row.rev > failed.rev && row.status === 'failed' && row
    }, 'the second return')
    assert.match(again.failureText?.en ?? '', /no such user here/)
    assert.equal((await world().hub.em().find(LetterRow, { hubMessageId: body.id, state: 'returned' })).length, 2)
  })

  test('the provider took a letter, and the database is away: it is sent, and nobody gets it twice', async () => {
    const { inbox, address } = await shop({ saveSent: 'never' })
    const agent = await world().person('宋雨', 'admin')
    const who = customer('ding')
    await post(who, address, letter(who, address, '保价', '前天买的今天降了二十'))
    const { conversationId } = await incoming(inbox, '降了二十')
    const em = world().hub.em()
    const away = isMysql(em)
      ? "create trigger letter_away before update on email_letter for each row if new.state = 'sent' then signal sqlstate '45000' set message_text = 'away'; end if"
      : "create trigger letter_away before update on email_letter when new.state = 'sent' begin select raise(abort, 'away'); end"
    await em.execute(away)
    try {
      const { body } = await world().reply(agent, conversationId, '差价今天退给您')
      const sent = await fate(body.id, 'sent')
      assert.ok(sent.externalId)
    } finally {
      await em.execute('drop trigger letter_away')
    }
    await world().hasten()
    await arrived(who, 'Re: 保价')
    const client = await servers.imap(who)
    try {
      const { exists } = await client.mailboxOpen('INBOX')
      assert.equal(exists, 1)
    } finally {
      await client.logout()
    }
  })

  test('an automatic answer wakes nobody; our own letter coming back is no message', async () => {
    const { inbox, address } = await shop()
    const from = customer('holiday')
    await post(from, address, letter(from, address, '自动回复：询价', '我在休假，下周一回复', ['Auto-Submitted: auto-replied']))
    const automatic = await incoming(inbox, '我在休假')
    assert.equal(automatic.meta?.automatic, true)
    const conversation = await world().hub.em().findOneOrFail(Conversation, { id: automatic.conversationId }, { disableIdentityMap: true })
    assert.equal(conversation.status, 'closed')
    const agent = await world().person('小陈', 'admin')
    await post(from, address, letter(from, address, '真的询价', '这次是我本人'))
    const real = await incoming(inbox, '这次是我本人')
    // In copy to ourselves: it comes back as a letter.
    const { body } = await world().reply(agent, real.conversationId, '收到', { meta: { cc: [{ address }] } })
    await fate(body.id, 'sent')
    await arrived(address, 'Re: 真的询价')
    await post(from, address, letter(from, address, '后续', '最后一封'))
    await incoming(inbox, '最后一封')
    assert.deepEqual(
      (await messages(inbox)).map(({ text }) => text),
      ['我在休假，下周一回复', '这次是我本人', '最后一封'],
    )
  })

  test('a helpdesk that acknowledges our letter has filled in no form, whatever it asks to be answered to', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小沈', 'admin')
    const desk = customer('desk')
    await post(desk, address, letter(desk, address, '发票抬头', '请核对发票抬头'))
    const { conversationId } = await incoming(inbox, '请核对发票抬头')
    const { body } = await world().reply(agent, conversationId, '已核对')
    const { externalId } = await fate(body.id, 'sent')
    const machines = ['Auto-Submitted: auto-generated', `Reply-To: ticket-4711@desk-${newId()}.test`]
    await post(desk, address, letter(desk, address, 'Re: 发票抬头', '工单 4711 已收到', [...machines, `In-Reply-To: <${externalId}>`]))
    const acknowledged = await incoming(inbox, '工单 4711 已收到')
    assert.deepEqual([acknowledged.conversationId, acknowledged.meta?.automatic, acknowledged.meta?.form], [conversationId, true, undefined])
    // The same that answers nothing is somebody's form.
    await post(desk, address, letter(desk, address, '网站留言', '想要一份报价', machines))
    const filled = await incoming(inbox, '想要一份报价')
    assert.notEqual(filled.conversationId, conversationId)
    assert.deepEqual([filled.meta?.automatic, filled.meta?.form], [undefined, true])
  })

  test('files and inline pictures come in and go out', async () => {
    const { inbox, address } = await shop()
    const from = customer('wangwu')
    const agent = await world().person('小邓', 'admin')
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
    const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
    await transport.sendMail({
      from: { name: '王五', address: from },
      to: address,
      subject: '图片',
      text: '见图与报价单',
      html: '<p>见图与<b>报价单</b><img src="cid:tu@x"><img src="https://tracker.example/1.gif"><script>alert(1)</script></p>',
      attachments: [
        { filename: '图.png', content: png, cid: 'tu@x' },
        { filename: '报价单（二〇二四年第一季度最终版本）.txt', content: Buffer.from('一百元') },
        { filename: '空.txt', content: Buffer.alloc(0) },
      ],
    })
    transport.close()
    const first = await incoming(inbox, '见图与报价单')
    const [html, file, empty] = first.parts
    assert.deepEqual(empty, {
      type: 'card',
      kind: 'letter-file',
      title: '',
      label: { zh: '附件“空.txt”是空的（0 字节）', en: 'The attachment “空.txt” is empty (0 bytes)' },
    })
    assert.ok(html?.type === 'html' && file?.type === 'file')
    assert.equal(html.remoteImages, true)
    assert.ok(!html.html.includes('script') && html.html.includes('cid:tu%40x'))
    assert.deepEqual(
      html.inline?.map(({ cid }) => cid),
      ['tu@x'],
    )
    assert.equal(file.name, '报价单（二〇二四年第一季度最终版本）.txt')
    assert.equal((await agent.call('GET', `/api/files/${html.inline?.[0]?.fileId}`)).status, 200)
    const form = new FormData()
    form.append('file', new Blob(['一百元']), '报价单（二〇二四年第一季度最终版本）.txt')
    const uploaded = await (await fetch(`${world().url}/api/files`, { method: 'POST', body: form, headers: { cookie: agent.cookie } })).json()
    const { status, body } = await agent.call('POST', `/api/conversations/${first.conversationId}/messages`, {
      clientId: newId(),
      parts: [{ type: 'html', html: '<p>这是<b>新</b>报价<script>x</script></p>', text: '这是新报价' }, uploaded],
      meta: { subject: '新报价' },
    })
    assert.equal(status, 201, JSON.stringify(body))
    await fate(body.id, 'sent')
    const answer = await arrived(from, '新报价')
    assert.ok(answer.html?.includes('这是<b>新</b>报价') && !answer.html.includes('<script'))
    assert.deepEqual(
      answer.files.map(({ name, bytes }) => [name, bytes.toString()]),
      [['报价单（二〇二四年第一季度最终版本）.txt', '一百元']],
    )
  })

  test('a sender is verified by the mailbox’s own server only', async () => {
    const { inbox, address } = await shop()
    const forger = customer('forger')
    await post('verified@customer.test', address, letter('verified@customer.test', address, '甲', '我是真的'))
    await post(
      forger,
      address,
      Buffer.concat([
        Buffer.from('Authentication-Results: mx.shop.test; dmarc=pass\r\n'),
        letter(forger, address, '乙', '我也是真的', ['Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000']),
      ]),
    )
    const [real, forged] = [await incoming(inbox, '我是真的'), await incoming(inbox, '我也是真的')]
    assert.deepEqual(real.meta?.auth, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
    const verified = async (who: string) => (await world().identity(inbox.id, who)).verified
    assert.deepEqual([await verified('verified@customer.test'), await verified(forger)], [true, false])
    assert.deepEqual(forged.meta?.auth, { dmarc: 'none' })
  })

  test('with several authors the verdict vouches for none of them, and tells against one of another domain', async () => {
    const { inbox, address } = await shop()
    await post('verified@customer.test', address, letter('"Li" <li@customer.test>, mallory@customer.test', address, '丁', '我们两个写的'))
    assert.deepEqual((await incoming(inbox, '我们两个写的')).meta?.auth, { spf: 'pass', dkim: 'pass' })
    assert.equal((await world().identity(inbox.id, 'li@customer.test')).verified, false)
    await post('verified@customer.test', address, letter('"Bank" <boss@bank.test>, mallory@customer.test', address, '丁', '银行写的'))
    assert.deepEqual((await incoming(inbox, '银行写的')).meta?.auth, { spf: 'pass', dkim: 'pass', dmarc: 'fail' })
    assert.equal((await world().identity(inbox.id, 'unverified:boss@bank.test')).verified, false)
  })

  test('letters without a readable sender are each of somebody else, and answered only to whom the agent enters', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小韩', 'admin')
    for (const who of ['甲', '乙']) await post(customer('long'), address, letter(`${'x'.repeat(65)}@customer.test`, address, '戊', `地址太长的${who}`))
    await post(customer('c'), address, letter('', address, '戊', '没有发件人的丙'))
    const all = [await incoming(inbox, '地址太长的甲'), await incoming(inbox, '地址太长的乙'), await incoming(inbox, '没有发件人的丙')]
    assert.equal(new Set(all.map(({ conversationId }) => conversationId)).size, 3)
    const identities = await world().hub.em().find(Identity, { inboxId: inbox.id }, { disableIdentityMap: true })
    assert.deepEqual(
      [identities.length, new Set(identities.map(({ contactId }) => contactId)).size, identities.some(({ verified }) => verified)],
      [3, 3, false],
    )
    const [first] = all
    const refused = await fate((await world().reply(agent, first?.conversationId, '您是哪位')).body.id, 'failed')
    assert.match(refused.failureText?.zh ?? '', /没有可识别的发件人地址/)
    const to = customer('boss')
    await fate((await world().reply(agent, first?.conversationId, '您是哪位', { meta: { to: [{ address: to }] } })).body.id, 'sent')
    await arrived(to, 'Re: 戊')
  })

  test('a plain part that only stands in for the markup is not what the letter says', async () => {
    const { inbox, address } = await shop()
    const from = customer('markup')
    const agent = await world().person('小蒋', 'admin')
    const html = '<p>请报价：白瓷杯 200 只，茶盘 40 个。</p><p>送货到杭州。</p>'
    const send = async (text: string, words: string) => {
      const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
      await transport.sendMail({ from, to: address, subject: '询价', text, html: `${html}<p>${words}</p>` })
      transport.close()
      return incoming(inbox, words)
    }
    const { conversationId, text } = await send('您的邮件客户端不支持 HTML 格式，请使用其他客户端查看。', '己一')
    assert.ok(text.includes('白瓷杯') && !text.includes('不支持'), text)
    assert.ok(!(await send('This message requires an HTML viewer.', '己二')).text.includes('requires'))
    // What the answer quotes is what was said.
    await fate((await world().reply(agent, conversationId, '每只 9 元')).body.id, 'sent')
    assert.match((await arrived(from, 'Re: 询价')).text ?? '', /> 请报价：白瓷杯 200 只/)
  })

  test('UIDVALIDITY changes: nothing comes twice, what is new comes', async (t) => {
    const address = `folder-${newId()}@shop.test`
    const client = await servers.imap(address)
    t.after(() => client.close())
    await client.mailboxCreate('Service')
    const inbox = await world().inbox('email', servers.settings(address, { folder: 'Service', pollSeconds: 5 }))
    await listening(inbox)
    const from = customer('liu')
    const old = [1, 2, 3].map((n) => letter(from, address, `第 ${n} 封`, `内容 ${n}`))
    for (const raw of old) await client.append('Service', raw)
    await incoming(inbox, '内容 3')
    const before = await world().hub.em().findOneOrFail(Progress, { inboxId: inbox.id }, { disableIdentityMap: true })
    await client.mailboxDelete('Service')
    // The validity is a time in seconds: the same name within one second could get the same one.
    await client.mailboxCreate('Other')
    await client.mailboxRename('Other', 'Service')
    // Dovecot remembers in one connection that the name was deleted.
    const anew = await servers.imap(address)
    for (const raw of [old[2] as Buffer, letter(from, address, '第 4 封', '内容 4'), old[0] as Buffer]) await anew.append('Service', raw)
    await anew.logout()
    await eventually(async () => (await world().hub.em().count(Progress, { inboxId: inbox.id, uidValidity: before.uidValidity })) === 0, 'the change noticed')
    await incoming(inbox, '内容 4')
    const progress = await eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Progress, { inboxId: inbox.id }, { disableIdentityMap: true })
      return row.lastUid >= 3 && row
    }, 'the end of the resync')
    assert.notEqual(progress.uidValidity, before.uidValidity)
    assert.deepEqual(
      (await messages(inbox)).map(({ text }) => text),
      ['内容 1', '内容 2', '内容 3', '内容 4'],
    )
  })

  test('a conversation deleted for good leaves no address or subject here, and its letter, read anew, does not come back', async () => {
    const { inbox, address } = await shop()
    const [from, cc, subject] = [customer('purged'), customer('purged-copy'), `机密 ${newId()}`]
    const agent = await world().person('小孟', 'admin')
    const raw = letter(from, address, subject, '请删除我的资料', [`Cc: ${cc}`])
    await post(from, address, raw)
    const { conversationId } = await incoming(inbox, '请删除我的资料')
    const { body } = await world().reply(agent, conversationId, '好的')
    const sent = await fate(body.id, 'sent')
    await purge(world().hub, conversationId)
    await eventually(
      async () =>
        (await world()
          .hub.em()
          .count(LetterRow, { conversationId, state: { $ne: 'purged' } })) === 0,
      'the letters forgotten',
    )
    const left = JSON.stringify([await world().hub.em().find(LetterRow, { conversationId }), await world().hub.em().find(Participant, { conversationId })])
    assert.deepEqual(
      [from, cc, subject, sent.externalId].filter((word) => left.includes(String(word))),
      [],
    )
    await post(from, address, raw)
    await post(from, address, letter(from, address, '另一封', '这是后来的信'))
    await incoming(inbox, '这是后来的信')
    assert.deepEqual(
      (await messages(inbox)).map(({ text }) => text),
      ['这是后来的信'],
    )
  })

  test('the line is cut in the middle of a letter: it comes once, whole', async () => {
    const address = `cut-${newId()}@shop.test`
    const line = await cuttable(servers.imapPort)
    const inbox = await world().inbox('email', servers.settings(address, { imapPort: line.port }))
    await listening(inbox)
    const from = customer('zhao')
    line.cutAfter(200_000)
    const long = Array.from({ length: 20_000 }, (_, i) => `第 ${i} 行`).join('\n')
    await post(from, address, letter(from, address, '长信', `开头\n${long}\n结尾`))
    const got = await incoming(inbox, '开头')
    assert.ok(line.cuts() >= 1)
    const [part] = got.parts
    assert.ok(part?.type === 'html' && part.text.startsWith('开头\n第 0 行') && part.html.endsWith('第 19999 行<br>结尾</div>'))
    assert.equal((await messages(inbox)).length, 1)
    line.close()
  })

  test('killed between the hub’s yes and the saved number: the letter is not stored twice', async () => {
    const { inbox, address } = await shop({ pollSeconds: 5 })
    const from = customer('sun')
    await post(from, address, letter(from, address, '一', '只此一封'))
    await incoming(inbox, '只此一封')
    const em = world().hub.em()
    await eventually(async () => (await em.findOneOrFail(Progress, { inboxId: inbox.id }, { disableIdentityMap: true })).lastUid >= 1, 'the number')
    // What such a process leaves behind; the plugin starts over from it.
    await world().whileOff('email', async () => {
      await em.nativeUpdate(Progress, { inboxId: inbox.id }, { lastUid: 0 })
    })
    await post(from, address, letter(from, address, '二', '后来一封'))
    await incoming(inbox, '后来一封')
    assert.deepEqual(
      (await messages(inbox)).map(({ text }) => text),
      ['只此一封', '后来一封'],
    )
  })

  test('the connection test says what is wrong', async () => {
    const admin = await world().person('小管', 'admin')
    const address = `probe-${newId()}@shop.test`
    const probe = async (more: Record<string, unknown> = {}): Promise<{ label: { en: string }; ok: boolean; detail?: { zh: string; en: string } }[]> => {
      // As the form has it, before it is saved.
      const { status, body } = await admin.call('POST', '/api/inboxes/probe', { channel: 'email', settings: servers.settings(address, more) })
      assert.equal(status, 200, JSON.stringify(body))
      return body.steps
    }
    assert.deepEqual(
      (await probe()).filter((step) => !step.ok),
      [],
    )
    const wrong = (await probe({ password: 'wrong' })).filter((step) => !step.ok)
    assert.match(wrong[0]?.detail?.zh ?? '', /用户名、密码或授权码不对/)
    const nowhere = (await probe({ imapHost: 'mail.nowhere.invalid' })).find((step) => !step.ok)
    assert.match(nowhere?.detail?.zh ?? '', /找不到服务器地址/)
    const closed = (await probe({ smtpPort: 1 })).find((step) => !step.ok)
    assert.match(closed?.detail?.zh ?? '', /连不上服务器/)
    const folder = (await probe({ folder: '没有' })).find((step) => !step.ok)
    assert.match(folder?.detail?.zh ?? '', /找不到要收信的文件夹/)
    const tls = (await probe({ imapSecurity: 'tls' })).find((step) => !step.ok)
    assert.match(tls?.detail?.zh ?? '', /加密/)
  })

  test('the state tells what a mailbox logs in with: a password does not end, a token is renewed', async () => {
    const { inbox } = await shop()
    const admin = await world().person('小理', 'admin')
    const shown = async (id: string) =>
      (await admin.call('GET', '/api/inboxes/health')).body.items.find(({ inboxId }: { inboxId: string }) => inboxId === id).credential
    assert.deepEqual(await shown(inbox.id), { kind: 'lasting', validUntil: null })
    const { settings } = await world().hub.em().findOneOrFail(Inbox, { id: inbox.id }, { disableIdentityMap: true })
    await world()
      .hub.em()
      .nativeUpdate(Inbox, { id: inbox.id }, { settings: { ...settings, login: 'oauth', address: 'desk@corp.example' } })
    assert.equal(await shown(inbox.id), null, 'not authorised yet')
    const expiresAt = new Date('2027-01-01T00:00:00.000Z')
    await world().hub.em().insert(Token, { inboxId: inbox.id, account: 'desk@corp.example', access: 'x', refresh: 'x', expiresAt, updatedAt: new Date() })
    assert.deepEqual(await shown(inbox.id), { kind: 'token', validUntil: expiresAt.toISOString() })
  })

  test('a mailbox that nobody has named yet is not broken', async () => {
    const admin = await world().person('小理', 'admin')
    const made = await world().inbox('email', {})
    // By then the one made before has been looked at too.
    await shop()
    const { items } = (await admin.call('GET', '/api/inboxes/health')).body
    assert.equal(items.find(({ inboxId }: { inboxId: string }) => inboxId === made.id).state, null)
  })

  test('authorising a mailbox is a permission', async () => {
    const { inbox } = await shop()
    const agent: Person = await world().person('小客')
    const admin = await world().person('小理', 'admin')
    const url = `/api/x/email/inboxes/${inbox.id}/oauth`
    assert.equal((await agent.call('GET', url)).status, 403)
    const state = (await admin.call('GET', url)).body
    assert.deepEqual([state.available, state.url, state.redirectUri], [false, null, `${world().url}/api/x/email/oauth/callback`])
    assert.deepEqual((await admin.call('GET', `/api/x/email/inboxes/${newId()}/oauth`)).status, 404)
    for (const state of ['x', `${inbox.id}.${Date.now() + 1_000}.AAAA`, `${inbox.id}.1.`]) {
      const refused = await admin.call('GET', `/api/x/email/oauth/callback?code=1&state=${state}`)
      assert.deepEqual([refused.status, refused.body.code], [400, 'HUB_REQUEST_INVALID'])
    }
  })

  test('two processes, one mailbox: one connection; when its holder ends the other takes over', async (t) => {
    if (world().place.profile === 'embedded') return t.skip('the embedded profile is one process')
    const second = await startWorld(world().place, [found(email, `${import.meta.dirname}/../../plugins/email`)])
    try {
      const { inbox, address } = await shop({ pollSeconds: 5 })
      const logins = () =>
        servers
          .log()
          .split('\n')
          .filter((line) => line.includes('imap-login') && line.includes('Login:') && line.includes(address)).length
      const from = customer('two')
      await post(from, address, letter(from, address, '一', '谁来收'))
      await incoming(inbox, '谁来收')
      assert.equal(logins(), 1)
      await world().whileOff('email', async () => undefined)
      await post(from, address, letter(from, address, '二', '换人了吗'))
      await incoming(inbox, '换人了吗')
      assert.equal((await messages(inbox)).length, 2)
    } finally {
      await second.running.stop()
    }
  })
})

/** A line to a server that is cut once after so many bytes. */
async function cuttable(to: number) {
  let left = Number.POSITIVE_INFINITY
  let cuts = 0
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = createConnection({ host: '127.0.0.1', port: to })
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far)
    far.on('data', (chunk) => {
      left -= chunk.length
      if (left > 0) near.write(chunk)
      else {
        cuts++
        left = Number.POSITIVE_INFINITY
        near.destroy()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as { port: number }).port,
    cutAfter: (bytes: number) => {
      left = bytes
    },
    cuts: () => cuts,
    close() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
