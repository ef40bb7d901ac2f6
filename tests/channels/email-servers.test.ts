/** What mail servers do to a client: each by a server of our own that is told to, through the real adapter. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, afterEach, before, test } from 'node:test'
import { createTransport } from 'nodemailer'
import { newId } from '../../core/src/db/types.ts'
import { Contact, IdentityClaim } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { type Inbox, InboxHealth } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { StorageFault } from '../../core/src/storage/storage-fault.ts'
import email from '../../plugins/email/plugin.ts'
import { patience } from '../../plugins/email/server/connect.ts'
import { LetterRow, Participant, Progress, Token } from '../../plugins/email/server/letter.entity.ts'
import { presets } from '../../plugins/email/server/presets.ts'
import { readMail } from '../../plugins/email/server/read-mail.ts'
import { exchange, exmail, gmail, named, netease, qq } from '../support/bare-bounces.ts'
import { freePort } from '../support/free-port.ts'
import { type OwnMailServers, startOwnMailServers } from '../support/own-mail-servers.ts'
import { eventually, found, onEveryProfile, startWorld } from '../support/world.ts'

let servers: OwnMailServers
before(async () => {
  servers = await startOwnMailServers()
  console.log(`email-servers: ${servers.kind} run`)
})
afterEach(() => servers.reset())
after(() => servers.stop())

const plugin = found(email, `${import.meta.dirname}/../../plugins/email`)

await onEveryProfile('mail servers', [plugin], (world) => {
  const rows = (inbox: Inbox) =>
    world()
      .hub.em()
      .find(Message, { inboxId: inbox.id, direction: 'in' }, { orderBy: { createdAt: 'asc', seq: 'asc' }, disableIdentityMap: true })
  const incoming = (inbox: Inbox, text: string) =>
    eventually(async () => (await rows(inbox)).find((message) => message.text.includes(text)), `“${text}” in the hub`)
  const fate = (id: string, ...wanted: string[]) =>
    eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
      return wanted.includes(row.status) && row
    }, `${wanted} of a message`)
  const listening = (inbox: Inbox) =>
    eventually(
      async () =>
        (await world()
          .hub.em()
          .count(Progress, { inboxId: inbox.id, uidValidity: { $ne: '' } })) > 0,
      'listening',
    )
  async function shop(more: Record<string, unknown> = {}): Promise<{ inbox: Inbox; address: string }> {
    const address = `desk-${newId().toLowerCase()}@shop.test`
    const inbox = await world().inbox('email', servers.settings(address, { pollSeconds: 5, saveSent: 'never', quotePrevious: false, ...more }))
    await listening(inbox)
    return { inbox, address }
  }
  const customer = (name: string) => `${name}-${newId().toLowerCase()}@customer.test`
  /** Straight into the mailbox, past SMTP's moods. */
  async function arrives(address: string, from: string, subject: string, text: string, headers: string[] = []): Promise<string> {
    const id = `${newId()}@customer.test`
    const client = await servers.imap(address)
    await client.append(
      'INBOX',
      [`From: ${from}`, `To: ${address}`, `Subject: ${subject}`, `Message-ID: <${id}>`, `Date: ${new Date().toUTCString()}`, ...headers, '', text].join('\r\n'),
    )
    await client.logout()
    return id
  }
  /** A conversation with a customer, and somebody to answer. */
  async function talk(more: Record<string, unknown> = {}) {
    const { inbox, address } = await shop(more)
    const from = customer('wang')
    await arrives(address, from, '询价', '多少钱')
    const { conversationId } = await incoming(inbox, '多少钱')
    const agent = await world().person('小安', 'admin')
    return { inbox, address, from, conversationId, agent }
  }
  const probe = async (more: Record<string, unknown>) => {
    const admin = await world().person('小管', 'admin')
    const settings = servers.settings(`probe-${newId().toLowerCase()}@shop.test`, more)
    const { status, body } = await admin.call('POST', '/api/inboxes/probe', { channel: 'email', settings })
    assert.equal(status, 200, JSON.stringify(body))
    return (body.steps as { ok: boolean; detail?: { zh: string; en: string } }[]).filter((step) => !step.ok).map(({ detail }) => detail?.zh ?? '')
  }
  const sentTo = (address: string) => servers.taken.filter(({ to }) => to.includes(address))
  const progressOf = (inbox: Inbox) => world().hub.em().findOneOrFail(Progress, { inboxId: inbox.id }, { disableIdentityMap: true })
  const readTo = (inbox: Inbox, uid: number) =>
    eventually(async () => {
      const row = await progressOf(inbox)
      return row.lastUid === uid && row
    }, `letter ${uid} read`)
  const textsOf = async (inbox: Inbox) => (await rows(inbox)).map(({ text }) => text)
  /** Changes some settings, and whatever else, in one go. */
  const alter = async (inbox: Inbox, settings: Record<string, unknown>, more: object = {}) => {
    const admin = await world().person('小管', 'admin')
    const kept = (await admin.call('GET', '/api/inboxes')).body.items.find(({ id }: Inbox) => id === inbox.id).settings
    const { status, body } = await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { ...more, settings: { ...kept, ...settings } })
    assert.equal(status, 200, JSON.stringify(body))
  }
  const switchOff = async (inbox: Inbox) => {
    const admin = await world().person('小管', 'admin')
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })).status, 200)
  }
  /** Of so many days ago. */
  const lies = async (login: string, text: string, days: number) => {
    const client = await servers.imap(login)
    await client.append('INBOX', `From: ${customer('old')}\r\nSubject: x\r\n\r\n${text}`, [], new Date(Date.now() - days * 86_400_000))
    await client.logout()
  }
  const login = (name: string) => `${name}-${newId().toLowerCase()}@shop.test`

  // ── receiving ──────────────────────────────────────────────────────────────────────────────────────────────────

  test('a server without IDLE is looked at again and again', async () => {
    servers.how.imap.idle = false
    const { inbox, address } = await shop()
    const before = servers.asked.length
    await arrives(address, customer('li'), '询价', '没有推送也能收到')
    await incoming(inbox, '没有推送也能收到')
    assert.ok(!servers.asked.slice(before).some((command) => command.startsWith('IDLE')))
  })

  test('NetEase opens no folder before it has heard ID, and says so when it never will', async () => {
    servers.how.imap.demandsId = true
    const { inbox, address } = await shop()
    await arrives(address, customer('li'), '询价', '网易来信')
    await incoming(inbox, '网易来信')
    servers.how.imap.answer = (command) => (command === 'EXAMINE' ? 'NO EXAMINE Unsafe Login. Please contact kefu@188.com for help' : undefined)
    assert.match((await probe({ provider: '163' })).join(), /网易拒绝了这次登录（Unsafe Login）/)
  })

  test('STARTTLS on the plain port; a self-signed certificate only where the setting says so', async () => {
    servers.how.imap.starttls = true
    servers.how.smtp.starttls = true
    const secure = { imapSecurity: 'starttls', smtpSecurity: 'starttls' }
    assert.match((await probe(secure)).join(), /证书不可信.*接受自签名证书/)
    // Without encryption the server takes no password, and none is sent in the clear.
    const before = servers.asked.length
    assert.ok((await probe({})).length > 0)
    assert.ok(!servers.asked.slice(before).some((command) => command.startsWith('LOGIN …') && !servers.how.imap.starttls))
    assert.deepEqual(await probe({ ...secure, selfSigned: true }), [])
    // The test's own client speaks in the clear.
    const { inbox, address } = await shop({ ...secure, selfSigned: true })
    servers.how.imap.starttls = false
    await arrives(address, customer('li'), '询价', '加密也能收到')
    const { conversationId } = await incoming(inbox, '加密也能收到')
    const { body } = await world().reply(await world().person('小安', 'admin'), conversationId, '加密也能发出')
    assert.equal((await fate(body.id, 'sent', 'failed')).failureText, null)
  })

  test('UIDVALIDITY changes under a running connection: nothing comes twice, what is new comes', async () => {
    const { inbox, address } = await shop()
    const from = customer('zhou')
    for (const text of ['第一封', '第二封']) await arrives(address, from, '询价', text)
    await incoming(inbox, '第二封')
    servers.renumber(address)
    await arrives(address, from, '询价', '第三封')
    servers.cut()
    await incoming(inbox, '第三封')
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['第一封', '第二封', '第三封'],
    )
  })

  test('a Message-ID that was used before loses no letter while the folder is read anew; what is known is not fetched again', async () => {
    const { inbox, address } = await shop()
    const from = customer('form')
    const date = new Date().toUTCString()
    const put = async (text: string, subject: string) => {
      const client = await servers.imap(address)
      const head = [`From: ${from}`, `To: ${address}`, `Subject: ${subject}`, 'Message-ID: <same-always@form.test>', `Date: ${date}`]
      await client.append('INBOX', [...head, '', text].join('\r\n'))
      await client.logout()
    }
    for (const [text, subject] of [
      ['第一封同号', '甲'],
      ['第二封同号', '乙'],
    ] as const) {
      await put(text, subject)
      await incoming(inbox, text)
    }
    servers.renumber(address)
    const asked = servers.asked.length
    await put('第三封同号', '丙')
    await put('第四封同号，长一些', '丙')
    servers.cut()
    await incoming(inbox, '第四封同号')
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['第一封同号', '第二封同号', '第三封同号', '第四封同号，长一些'],
    )
    const fetched = servers.asked.slice(asked).flatMap((command) => /^UID FETCH (\d+) .*BODY\.PEEK\[\]/.exec(command)?.[1] ?? [])
    assert.deepEqual([...new Set(fetched)], ['3', '4'])
  })

  test('what came while nobody could log in is taken in once somebody can; what lay there before is not', async () => {
    const address = `desk-${newId().toLowerCase()}@shop.test`
    const admin = await world().person('小管', 'admin')
    const client = await servers.imap(address)
    await client.append('INBOX', `From: ${customer('old')}\r\nTo: ${address}\r\nSubject: x\r\n\r\n从前的信`, [], new Date(Date.now() - 86_400_000))
    await client.logout()
    const settings = servers.settings(address, { pollSeconds: 5, saveSent: 'never', quotePrevious: false })
    const inbox = await world().inbox('email', { ...settings, imapPort: await freePort() })
    await eventually(async () => (await world().hub.em().count(Progress, { inboxId: inbox.id, uidValidity: '' })) > 0, 'waited for')
    await arrives(address, customer('sun'), '急', '端口填错时的信')
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings })).status, 200)
    await incoming(inbox, '端口填错时的信')
    await arrives(address, customer('sun'), '二', '改好之后的信')
    await incoming(inbox, '改好之后的信')
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['端口填错时的信', '改好之后的信'],
    )
  })

  test('the server gets another name: what came meanwhile comes, nothing twice; and so when it is another server that numbers alike', async () => {
    const { inbox, address } = await shop()
    const admin = await world().person('小管', 'admin')
    const from = customer('he')
    await arrives(address, from, '询价', '搬家之前')
    await incoming(inbox, '搬家之前')
    const before = await readTo(inbox, 1)
    const moves = (imapHost: string, text: string, then: () => Promise<unknown>) =>
      world().whileOff('email', async () => {
        const settings = servers.settings(address, { pollSeconds: 5, saveSent: 'never', quotePrevious: false, imapHost })
        assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings })).status, 200)
        await arrives(address, from, '询价', text)
        await then()
      })
    const asked = servers.asked.length
    await moves('localhost', '改名之时', async () => undefined)
    await incoming(inbox, '改名之时')
    await readTo(inbox, 2)
    assert.ok(!servers.asked.slice(asked).some((command) => /^UID SEARCH .*SINCE/.test(command)), 'it is known to be the same: nothing is read again')
    // Its last number is beyond what lies here: those are not our numbers, though they are called the same.
    await moves('127.0.0.1', '搬走之时', () => world().hub.em().nativeUpdate(Progress, { inboxId: inbox.id }, { lastUid: 50 }))
    await incoming(inbox, '搬走之时')
    assert.equal((await readTo(inbox, 3)).uidValidity, before.uidValidity)
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['搬家之前', '改名之时', '搬走之时'],
    )
  })

  test('another login for the same address is another mailbox, though it numbers alike: what comes there comes, what lay there as far as wanted', async () => {
    servers.how.imap.validity = 1
    const [own, shared, third] = [login('zhang'), login('all'), login('third')]
    const { inbox } = await shop({ user: own })
    const from = customer('zhao')
    for (const text of ['旧一', '旧二', '旧三', '旧四', '旧五']) await arrives(own, from, '询价', text)
    assert.equal((await readTo(inbox, 5)).uidValidity, '1')
    await lies(shared, '从前的信', 1)
    await alter(inbox, { user: shared })
    for (const text of ['新一', '新二']) {
      await arrives(shared, from, '询价', text)
      await incoming(inbox, text)
    }
    assert.deepEqual(await textsOf(inbox), ['旧一', '旧二', '旧三', '旧四', '旧五', '新一', '新二'])
    // Of one with numbers of its own it is the same; here two days of it are wanted.
    servers.how.imap.validity = undefined
    for (const [text, days] of [
      ['五天前', 5],
      ['一天前', 1],
    ] as const)
      await lies(third, text, days)
    await alter(inbox, { user: third, firstImportDays: 2 })
    await incoming(inbox, '一天前')
    await arrives(third, from, '询价', '第三个邮箱')
    await incoming(inbox, '第三个邮箱')
    assert.deepEqual((await textsOf(inbox)).slice(7), ['一天前', '第三个邮箱'])
  })

  test('what came while the inbox was off comes, whatever of its address, login or folder was put right meanwhile; nothing comes twice', async () => {
    servers.how.imap.validity = 1
    const { inbox, address } = await shop({ user: login('right') })
    const { user } = inbox.settings as { user: string }
    const from = customer('qian')
    await arrives(user, from, '询价', '停用之前')
    await incoming(inbox, '停用之前')
    const first = await readTo(inbox, 1)
    // Only the address: it is the same place.
    await switchOff(inbox)
    await arrives(user, from, '询价', '地址写错时')
    let asked = servers.asked.length
    const readAnew = () => servers.asked.slice(asked).some((command) => /^UID SEARCH .*SINCE/.test(command))
    await alter(inbox, { address: address.replace('@shop.test', '@shop.example') }, { enabled: true })
    await incoming(inbox, '地址写错时')
    await readTo(inbox, 2)
    assert.ok(!readAnew())
    // The same mailbox under another name of its owner: the letter we took last is there.
    const renamed = login('renamed')
    const old = await servers.imap(user)
    await old.mailboxOpen('INBOX')
    const letters = await old.fetchAll('1:*', { source: true })
    await old.logout()
    const client = await servers.imap(renamed)
    for (const { source } of letters) await client.append('INBOX', source as Buffer)
    await client.logout()
    await switchOff(inbox)
    await arrives(renamed, from, '询价', '改登录名时')
    asked = servers.asked.length
    await alter(inbox, { user: renamed }, { enabled: true })
    await incoming(inbox, '改登录名时')
    assert.equal((await readTo(inbox, 3)).uidValidity, first.uidValidity)
    assert.ok(!readAnew())
    // That letter is gone, so nobody can tell: what came since is asked by name, in this folder or another.
    const folders = await servers.imap(renamed)
    await folders.mailboxCreate('Desk')
    for (const { source } of letters.slice(0, 1)) await folders.append('Desk', source as Buffer)
    await switchOff(inbox)
    await folders.append('Desk', `From: ${from}\r\nMessage-ID: <${newId()}@customer.test>\r\nSubject: x\r\n\r\n换文件夹时`)
    await folders.logout()
    await alter(inbox, { folder: 'Desk' }, { enabled: true })
    await incoming(inbox, '换文件夹时')
    await readTo(inbox, 2)
    assert.deepEqual(await textsOf(inbox), ['停用之前', '地址写错时', '改登录名时', '换文件夹时'])
  })

  test('a place that was noted by its address, before logins were, is still the place', async () => {
    const { inbox, address } = await shop({ user: login('upgraded') })
    const { user } = inbox.settings as { user: string }
    const from = customer('sun')
    await arrives(user, from, '询价', '升级之前')
    await incoming(inbox, '升级之前')
    const { mailbox, since } = await readTo(inbox, 1)
    for (const [text, imapHost, uid] of [
      ['升级之时', '127.0.0.1', 2],
      ['升级并改名之时', 'localhost', 3],
    ] as const) {
      const asked = servers.asked.length
      await world().whileOff('email', async () => {
        await world()
          .hub.em()
          .nativeUpdate(Progress, { inboxId: inbox.id }, { mailbox: `${address} 127.0.0.1 INBOX`, readAt: null })
        await alter(inbox, { imapHost })
        await arrives(user, from, '询价', text)
      })
      await incoming(inbox, text)
      const row = await readTo(inbox, uid)
      assert.deepEqual([row.mailbox, row.since], [mailbox.replace('127.0.0.1', imapHost), since])
      assert.ok(!servers.asked.slice(asked).some((command) => /^UID SEARCH .*SINCE/.test(command)))
      await eventually(async () => (await progressOf(inbox)).readAt !== null, 'its reading noted')
    }
    assert.deepEqual(await textsOf(inbox), ['升级之前', '升级之时', '升级并改名之时'])
  })

  test('a folder of a mailbox is read by one inbox: another is refused at the field, also when it is switched on', async () => {
    const { inbox, address } = await shop()
    const admin = await world().person('小管', 'admin')
    const create = (settings: object) =>
      admin.call('POST', '/api/inboxes', { channel: 'email', name: '第二个', settings: { ...servers.settings(address), quotePrevious: false, ...settings } })
    const refusedAt = ({ status, body }: { status: number; body: any }, path: string, name: string) => {
      assert.equal(status, 422, JSON.stringify(body))
      const [{ path: at, text }, ...more] = body.details.faults
      assert.deepEqual([at, more], [`body/settings${path}`, []])
      for (const words of [text.zh, text.en]) assert.ok(words.includes(name), words)
    }
    refusedAt(await create({ folder: 'inbox' }), '/address', inbox.name)
    refusedAt(await create({ address: login('alias'), user: address.toUpperCase() }), '/user', inbox.name)
    // Another folder of it is another inbox's.
    const second = await create({ folder: 'Sent' })
    assert.equal(second.status, 201)
    const change = (id: string, body: object) => admin.call('PATCH', `/api/inboxes/${id}`, body)
    const kept = { ...second.body.settings, folder: 'INBOX' }
    refusedAt(await change(second.body.id, { settings: kept }), '/address', inbox.name)
    // Itself it may save, and one that is off may name what it likes until it is switched on.
    await alter(inbox, { displayName: '客服' })
    assert.equal((await change(second.body.id, { enabled: false, settings: kept })).status, 200)
    refusedAt(await change(second.body.id, { enabled: true }), '/address', inbox.name)
    await switchOff(inbox)
    assert.equal((await change(second.body.id, { enabled: true })).status, 200)
    refusedAt(await change(inbox.id, { enabled: true }), '/address', '第二个')
  })

  test('a connection that is cut again and again, a greeting that comes late, a line cut in the middle of a command', async () => {
    const { inbox, address } = await shop()
    const from = customer('wu')
    for (const text of ['断线一次', '断线两次']) {
      servers.cut()
      await arrives(address, from, '询价', text)
      await incoming(inbox, text)
    }
    let cuts = 0
    servers.how.imap.greetAfter = 300
    servers.how.imap.answer = (command) => (command === 'UID FETCH' && cuts++ === 0 ? 'cut' : undefined)
    await arrives(address, from, '询价', '取信时断线')
    await incoming(inbox, '取信时断线')
    assert.ok(cuts >= 2)
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['断线一次', '断线两次', '取信时断线'],
    )
  })

  test('logging in is switched off, or a greeting never comes: the connection test says which', async () => {
    servers.how.imap.auth = []
    servers.how.imap.loginDisabled = true
    assert.match((await probe({})).join(), /没有开启 IMAP\/SMTP|用户名、密码或授权码|加密/)
    servers.reset()
    servers.how.imap.answer = (command) => (/^(?:LOGIN|AUTHENTICATE)$/.test(command) ? 'NO [AUTHENTICATIONFAILED] IMAP service is not enabled' : undefined)
    assert.match((await probe({})).join(), /没有开启 IMAP\/SMTP/)
    servers.reset()
    servers.how.smtp.greetAfter = 'never'
    assert.match((await probe({})).join(), /没有回应/)
  })

  test('the storage is away: the letter waits for it uncounted, the admin hears why, and it comes whole', async (t) => {
    const { inbox, address } = await shop()
    const away = t.mock.method(world().hub.files, 'put', async () => {
      throw new StorageFault('unreachable', 'of the test')
    })
    await arrives(address, customer('patient'), '询价', '存储恢复后再收')
    const health = await eventually(async () => {
      const row = await world().hub.em().findOne(InboxHealth, { inboxId: inbox.id }, { disableIdentityMap: true })
      return row?.state === 'broken' && row
    }, 'the inbox’s state')
    assert.deepEqual([health.code, /存不下来/.test(health.error?.zh ?? '')], ['not-taken', true])
    const { attempts } = await world().hub.em().findOneOrFail(Progress, { inboxId: inbox.id }, { disableIdentityMap: true })
    assert.deepEqual([attempts, (await rows(inbox)).length], [0, 0])
    away.mock.restore()
    await incoming(inbox, '存储恢复后再收')
    await eventually(async () => (await world().hub.em().count(InboxHealth, { inboxId: inbox.id, state: 'connected' })) > 0, 'the recovery')
  })

  test('a letter larger than an agent’s upload may be has its raw file all the same', async () => {
    const { inbox, address } = await shop()
    const file = (name: string, byte: number) => [
      '--x',
      `Content-Type: application/octet-stream; name="${name}"`,
      'Content-Disposition: attachment',
      'Content-Transfer-Encoding: base64',
      '',
      (
        Buffer.alloc(9 * 1024 * 1024, byte)
          .toString('base64')
          .match(/.{1,76}/g) as string[]
      ).join('\r\n'),
    ]
    const body = ['--x', 'Content-Type: text/plain', '', 'two large files', ...file('a.bin', 1), ...file('b.bin', 2), '--x--', ''].join('\r\n')
    await arrives(address, customer('large'), '大附件', body, ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="x"'])
    const { meta, parts } = await incoming(inbox, 'two large files')
    assert.deepEqual(
      parts.map(({ type }) => type),
      ['text', 'file', 'file'],
    )
    const raw = await world()
      .hub.em()
      .findOneOrFail(StoredFile, { id: meta?.rawFileId ?? '' }, { disableIdentityMap: true })
    assert.ok(raw.size > 24 * 1024 * 1024)
  })

  test('of a letter that is too large the beginning comes, without the file that was cut, and says so', async () => {
    const { inbox, address } = await shop()
    const file = (name: string, text: string) => ['--x', `Content-Type: application/octet-stream; name="${name}"`, 'Content-Disposition: attachment', '', text]
    const body = [
      '--x',
      'Content-Type: text/plain',
      '',
      'far too large',
      ...file('whole.txt', 'whole'),
      ...file('cut.txt', 'long '.repeat(6_300_000)),
      '--x--',
      '',
    ]
    await arrives(address, customer('huge'), '超大附件', body.join('\r\n'), ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="x"'])
    const { parts } = await incoming(inbox, 'far too large')
    const [, file1, card] = parts
    assert.deepEqual([parts.length, file1?.type === 'file' && file1.name, card?.type === 'card' && card.data], [3, 'whole.txt', { exceeded: ['size'] }])
    assert.match(card?.type === 'card' ? (card.label?.zh ?? '') : '', /只收取了开头，附件可能不全/)
  })

  test('letters are marked as read once they are safe where the setting says so, and left alone where it does not', async () => {
    const marking = await shop({ markSeen: true })
    const leaving = await shop()
    for (const { inbox, address } of [marking, leaving]) {
      for (const text of ['第一封', '第二封']) await arrives(address, customer('seen'), '询价', text)
      await incoming(inbox, '第二封')
    }
    const seen = async (address: string) => {
      const client = await servers.imap(address)
      try {
        await client.mailboxOpen('INBOX', { readOnly: true })
        return await client.search({ seen: true }, { uid: true })
      } finally {
        await client.logout()
      }
    }
    await eventually(async () => JSON.stringify(await seen(marking.address)) === '[1,2]', 'the marks')
    assert.deepEqual(await seen(leaving.address), [])
    // By number, one by one, when the hub has it: never a range, never ahead.
    assert.ok(!servers.asked.some((command) => /^UID STORE (?!\d+ )/.test(command)))
  })

  test('a read receipt is kept with its words, shown on the letter it is of, and wakes nobody', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const { body } = await world().reply(agent, conversationId, '报价已发')
    const sent = await fate(body.id, 'sent')
    const before = await world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    const receipt = (disposition: string, words: string) =>
      arrives(
        address,
        from,
        '已读：报价',
        [
          '--m',
          'Content-Type: text/plain; charset=utf-8',
          '',
          words,
          '--m',
          'Content-Type: message/disposition-notification',
          '',
          `Final-Recipient: rfc822; ${from}`,
          `Original-Message-ID: <${sent.externalId}>`,
          `Disposition: manual-action/MDN-sent-manually; ${disposition}`,
          '',
          '--m',
          'Content-Type: text/rfc822-headers',
          '',
          `Message-ID: <${sent.externalId}>`,
          '',
          '--m--',
          '',
        ].join('\r\n'),
        ['Content-Type: multipart/report; report-type=disposition-notification; boundary="m"'],
      )
    await receipt('displayed', '看过了，下周再谈')
    const got = await incoming(inbox, '看过了，下周再谈')
    assert.deepEqual([got.conversationId, got.replyToId, got.meta?.receipt, got.meta?.automatic], [conversationId, body.id, 'read', true])
    assert.deepEqual(
      got.parts.map(({ type }) => type),
      ['text'],
    )
    const raw = await agent.call('GET', `/api/files/${got.meta?.rawFileId}`)
    assert.match(String(raw.body), /Disposition: manual-action/)
    const after = await world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    assert.deepEqual([after.unread, after.waitingSince], [before.unread, before.waitingSince])
    await receipt('deleted', '没有看就删了')
    assert.equal((await incoming(inbox, '没有看就删了')).meta?.receipt, 'deleted')
    // The next answer is one to the customer's letter, not to the receipt.
    const { body: next } = await world().reply(agent, conversationId, '好的')
    await fate(next.id, 'sent')
    assert.equal(readMail(sentTo(from).at(-1)?.raw as Buffer).subject, 'Re: 询价')
  })

  test('an out-of-office note is no letter to answer, unless there is no other', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const machine = `tickets-${newId().toLowerCase()}@customer.test`
    await arrives(address, from, '自动回复：询价', '我在休假', ['Auto-Submitted: auto-replied', `Reply-To: ${machine}`])
    assert.equal((await incoming(inbox, '我在休假')).conversationId, conversationId)
    await fate((await world().reply(agent, conversationId, '每套 99 元')).body.id, 'sent')
    const answer = readMail(sentTo(from).at(-1)?.raw as Buffer)
    const [first] = await rows(inbox)
    const row = await world()
      .hub.em()
      .findOneOrFail(LetterRow, { hubMessageId: first?.id ?? '' }, { disableIdentityMap: true })
    assert.deepEqual([answer.subject, answer.answers, sentTo(machine).length], ['Re: 询价', [row.messageId], 0])
    // Nothing but machines' letters: then the last of these.
    await world().hub.em().nativeUpdate(LetterRow, { id: row.id }, { state: 'automatic' })
    await fate((await world().reply(agent, conversationId, '请问何时回来')).body.id, 'sent')
    assert.equal(readMail(sentTo(machine).at(-1)?.raw as Buffer).subject, 'Re: 自动回复：询价')
  })

  test('a wrong authorisation code stands at the inbox, with what mends it', async () => {
    const { inbox } = await shop()
    servers.how.imap.answer = (command) => (/^(?:LOGIN|AUTHENTICATE)$/.test(command) ? 'NO LOGIN Login error or password error' : undefined)
    servers.cut()
    const health = await eventually(async () => {
      const row = await world().hub.em().findOne(InboxHealth, { inboxId: inbox.id }, { disableIdentityMap: true })
      return row?.state === 'unauthorised' && row
    }, 'the inbox’s state')
    assert.match(health.error?.zh ?? '', /用户名、密码或授权码不对/)
  })

  // ── XOAUTH2 ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A token server on this machine: each refresh gives the next token and ends the refresh token before it. */
  async function tokenServer() {
    let count = 0
    const refreshes: string[] = []
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const refresh = new URLSearchParams(body).get('refresh_token') ?? ''
      refreshes.push(refresh)
      const right = refresh === `refresh-${count}`
      if (right) servers.how.tokens.add(`access-${++count}`)
      response.writeHead(right ? 200 : 400, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify(right ? { access_token: `access-${count}`, refresh_token: `refresh-${count}`, expires_in: 3600 } : { error: 'invalid_grant' }),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    const oauth = presets.microsoft365.oauth as { token: string }
    const usual = oauth.token
    oauth.token = `http://127.0.0.1:${(server.address() as { port: number }).port}/token`
    return {
      refreshes,
      async close() {
        oauth.token = usual
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }
  /** A mailbox that was authorised once, with a token that has ended by the servers’ will but not by its clock. */
  async function oauthShop() {
    servers.how.imap.auth = ['XOAUTH2']
    servers.how.smtp.auth = ['XOAUTH2']
    const address = `oauth-${newId().toLowerCase()}@shop.test`
    const settings = { provider: 'microsoft365', login: 'oauth', oauthClientId: 'id', oauthClientSecret: 'geheim', saveSent: 'never', quotePrevious: false }
    const inbox = await world().inbox('email', servers.settings(address, { ...settings, pollSeconds: 5 }))
    const { ctx } = world()
      .hub.kernel.all()
      .find(({ manifest }) => manifest.id === 'email') as unknown as { ctx: { seal(text: string): string } }
    const refused = await eventually(async () => {
      const row = await world().hub.em().findOne(InboxHealth, { inboxId: inbox.id }, { disableIdentityMap: true })
      return row?.state === 'unauthorised' && row
    }, 'the wait for an authorisation')
    assert.match(refused.error?.zh ?? '', /授权已失效/)
    // As the way back from the provider's page leaves it; nobody tells the watch, which sees it.
    const hour = new Date(Date.now() + 3_600_000)
    await world()
      .hub.em()
      .insert(Token, {
        inboxId: inbox.id,
        account: address,
        access: ctx.seal('access-0'),
        refresh: ctx.seal('refresh-0'),
        expiresAt: hour,
        updatedAt: new Date(),
      })
    return { inbox, address }
  }

  test('XOAUTH2: the server’s challenge says no, the token is renewed, the letter comes and the answer leaves', async () => {
    const tokens = await tokenServer()
    try {
      const { inbox, address } = await oauthShop()
      await listening(inbox)
      assert.deepEqual(tokens.refreshes, ['refresh-0'])
      servers.how.imap.auth = ['XOAUTH2', 'PLAIN']
      await arrives(address, customer('feng'), '询价', '授权收信')
      const { conversationId } = await incoming(inbox, '授权收信')
      // Ended before its time: SMTP says so with a challenge of its own.
      servers.how.tokens.clear()
      const { body } = await world().reply(await world().person('小安', 'admin'), conversationId, '授权发信')
      const sent = await fate(body.id, 'sent', 'failed')
      assert.deepEqual([sent.status, sent.failureText, tokens.refreshes], ['sent', null, ['refresh-0', 'refresh-1']])
    } finally {
      await tokens.close()
    }
  })

  test('XOAUTH2: two processes that need a token at once renew it once', async (t) => {
    if (world().place.profile === 'embedded') return t.skip('the embedded profile is one process')
    const second = await startWorld(world().place, [plugin])
    const tokens = await tokenServer()
    try {
      const { inbox, address } = await oauthShop()
      await listening(inbox)
      const asked = tokens.refreshes.length
      servers.how.tokens.clear()
      const admin = await world().person('小管', 'admin')
      // Each process tries the saved mailbox: both are refused, both want a new token.
      const tries = await Promise.all(
        [world(), second, world(), second].map(async (each) => {
          const cookie = { cookie: admin.cookie, 'content-type': 'application/json' }
          const response = await fetch(`${each.url}/api/inboxes/${inbox.id}/probe`, {
            method: 'POST',
            headers: cookie,
            body: '{}',
          })
          return (await response.json()) as { steps?: { ok: boolean; detail?: { en: string } }[] }
        }),
      )
      assert.deepEqual(
        tries.flatMap(({ steps }) => (steps ?? [{ ok: false, detail: { en: 'no steps' } }]).filter((step) => !step.ok)),
        [],
        `${address}`,
      )
      assert.equal(tokens.refreshes.length - asked, 1, tokens.refreshes.join())
    } finally {
      await tokens.close()
      await second.running.stop()
    }
  })

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────

  test('some recipients are refused: the agent reads who and why; sending again reaches only those without it', async () => {
    const { from, conversationId, agent } = await talk({ saveSent: 'always' })
    const [gone, full] = [customer('gone'), customer('full')]
    servers.how.smtp.answer = (verb, rest) => {
      if (verb !== 'RCPT') return undefined
      return rest.includes(gone) ? '550 5.1.1 no such user' : rest.includes(full) ? '552 5.2.2 mailbox full' : undefined
    }
    const meta = { subject: '报价', to: [{ address: from }], cc: [{ address: gone }, { address: full }] }
    const { body } = await world().reply(agent, conversationId, '每套 99 元', { meta })
    const failed = await fate(body.id, 'failed', 'sent')
    assert.deepEqual([failed.status, failed.failure], ['failed', 'recipients-refused'])
    assert.match(failed.failureText?.zh ?? '', /3 位收件人中 1 位已送达，2 位没有收到/)
    assert.match(failed.failureText?.en ?? '', new RegExp(`${gone}: 550 5.1.1 no such user; ${full}: 552 5.2.2 mailbox full`))
    assert.ok(failed.externalId)
    assert.deepEqual(
      sentTo(from).map(({ to }) => to),
      [[from]],
    )
    // One is let in now; the third still is not.
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(full) ? '552 5.2.2 mailbox full' : undefined)
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    const second = await eventually(async () => {
      const row = await fate(body.id, 'failed', 'sent')
      return row.rev > failed.rev + 1 && row
    }, 'the second fate')
    assert.match(second.failureText?.zh ?? '', /3 位收件人中 2 位已送达，1 位没有收到/)
    servers.reset()
    // Nor does it matter which try of that sending gets as far as the server.
    await world().whileOff('email', async () => {
      await agent.call('POST', `/api/messages/${body.id}/resend`)
      const skip = { state: 'queued', attempts: 1, dueAt: new Date(Date.now() + 3_600_000) } as const
      await eventually(async () => (await world().hub.em().nativeUpdate(Outbound, { messageId: body.id, state: 'queued' }, skip)) === 1, 'the skipped try')
    })
    await world().hasten()
    assert.equal((await fate(body.id, 'sent')).failureText, null)
    const taken = servers.taken.filter(({ to }) => [from, gone, full].some((address) => to.includes(address)))
    assert.deepEqual(
      taken.map(({ to }) => to),
      [[from], [gone], [full]],
    )
    // The same letter each time: one name, all of them in its head.
    assert.equal(new Set(taken.map(({ raw }) => readMail(raw).messageId)).size, 1)
    assert.deepEqual(
      readMail(taken[2]?.raw as Buffer).cc.map(({ address }) => address),
      [gone, full],
    )
  })

  test('greylisting of one recipient: tried again by itself, for that one only', async () => {
    const { from, conversationId, agent } = await talk()
    const grey = customer('grey')
    let tries = 0
    servers.how.smtp.answer = (verb, rest) =>
      verb === 'RCPT' && rest.includes(grey) && tries++ === 0 ? '451 4.7.1 Greylisted, please try again later' : undefined
    const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: from }], cc: [{ address: grey }] } })
    const waiting = await eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
      return row.failure === 'recipients-waiting' && row
    }, 'the wait')
    assert.equal(waiting.status, 'queued')
    assert.match(waiting.failureText?.zh ?? '', /会自动再试/)
    await world().hasten()
    await fate(body.id, 'sent')
    assert.deepEqual(
      servers.taken.filter(({ to }) => to.includes(from) || to.includes(grey)).map(({ to }) => to),
      [[from], [grey]],
    )
  })

  test('a letter that waits answers what was there when it was written: a later one changes neither what it quotes nor whom it goes to', async () => {
    const { inbox, address, from, conversationId, agent } = await talk({ quotePrevious: true })
    const [buyer, boss] = [customer('buyer'), customer('boss')]
    const waits = (id: string) =>
      eventually(async () => {
        const row = await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
        return row.status === 'queued' && row.failure !== null && row
      }, 'the wait')
    const quotedIn = (raw: Buffer | undefined) => (readMail(raw as Buffer).text ?? '').split('\n').filter((line) => line.startsWith('>'))
    // One of two has it; that one answers to us alone before the other is reached.
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(buyer) ? '451 4.7.1 Greylisted, please try again later' : undefined)
    const { body: both } = await world().reply(agent, conversationId, '每套 100 元', { meta: { to: [{ address: from }], cc: [{ address: buyer }] } })
    const { externalId } = await waits(both.id)
    servers.reset()
    await arrives(address, from, 'Re: 询价', '只对你说：八十也行', [`In-Reply-To: <${externalId}>`])
    assert.equal((await incoming(inbox, '只对你说')).conversationId, conversationId)
    await world().hasten()
    await fate(both.id, 'sent')
    const [whole, late] = [sentTo(from).at(-1)?.raw, sentTo(buyer).at(-1)?.raw]
    assert.deepEqual([quotedIn(whole), quotedIn(late)], [['> 多少钱'], ['> 多少钱']])
    assert.deepEqual([readMail(late as Buffer).messageId, readMail(late as Buffer).answers], [externalId, readMail(whole as Buffer).answers])
    // Nobody chose the recipients: what a later letter asks for is asked of the next answer.
    servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? '451 4.7.1 Greylisted, please try again later' : undefined)
    const { body: first } = await world().reply(agent, conversationId, '给您的答复')
    await waits(first.id)
    // Nor does it matter that this one has not been tried yet.
    const { body: second } = await world().reply(agent, conversationId, '再补一句')
    await arrives(address, from, 'Re: 询价', '以后请回给老板', [`Reply-To: ${boss}`])
    await incoming(inbox, '以后请回给老板')
    servers.reset()
    await world().hasten()
    for (const { id } of [first, second]) await fate(id, 'sent')
    assert.deepEqual(
      [
        sentTo(boss).length,
        ...sentTo(from)
          .slice(-2)
          .map(({ raw }) => quotedIn(raw)),
      ],
      [0, ['> 只对你说：八十也行'], ['> 只对你说：八十也行']],
    )
    await fate((await world().reply(agent, conversationId, '明白')).body.id, 'sent')
    assert.deepEqual(quotedIn(sentTo(boss)[0]?.raw), ['> 以后请回给老板'])
  })

  test('a copy of what some have had proves nothing of the others; one of a letter that nobody is known to have does', async () => {
    const { inbox, address, from, conversationId, agent } = await talk({ saveSent: 'always' })
    const inSent = async (id: string) => {
      const client = await servers.imap(address)
      await client.mailboxOpen('Sent')
      const found = await client.search({ header: { 'message-id': id } }, { uid: true })
      await client.logout()
      return Array.isArray(found) && found.length > 0
    }
    const greylisted = async () => {
      const grey = customer('grey')
      servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(grey) ? '451 4.7.1 Greylisted, please try again later' : undefined)
      const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: from }], cc: [{ address: grey }] } })
      await eventually(async () => {
        const row = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
        return row.status === 'queued' && row.failure === 'recipients-waiting' && row.externalId && inSent(row.externalId)
      }, 'the copy')
      servers.reset()
      return { grey, id: body.id as string }
    }
    // Cut off at the second: what a person wants sent again is sent.
    const cut = await greylisted()
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    await world().hasten()
    await fate(cut.id, 'uncertain')
    const [had, missed] = [sentTo(from).length, sentTo(cut.grey).length]
    servers.reset()
    assert.equal((await agent.call('POST', `/api/messages/${cut.id}/resend`)).status, 200)
    await fate(cut.id, 'sent')
    assert.deepEqual([sentTo(from).length, sentTo(cut.grey).length], [had, missed + 1])
    // What was on its way when its fate could not be written down: nobody but a person decides.
    const lost = await greylisted()
    await world().hub.em().nativeUpdate(LetterRow, { hubMessageId: lost.id }, { state: 'sending' })
    await world().hasten()
    assert.equal((await fate(lost.id, 'uncertain', 'sent')).status, 'uncertain')
    assert.equal(sentTo(lost.grey).length, 0)
    await agent.call('POST', `/api/messages/${lost.id}/resend`)
    await fate(lost.id, 'sent')
    assert.equal(sentTo(lost.grey).length, 1)
    // Nobody is known to have this one, and there is a copy.
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    const { body } = await world().reply(agent, conversationId, '只有一次')
    await fate(body.id, 'uncertain')
    servers.reset()
    const { messageId } = await world().hub.em().findOneOrFail(LetterRow, { inboxId: inbox.id, hubMessageId: body.id }, { disableIdentityMap: true })
    const client = await servers.imap(address)
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${messageId}>\r\n\r\n只有一次`)
    await client.logout()
    const taken = sentTo(from).length
    await agent.call('POST', `/api/messages/${body.id}/resend`)
    await fate(body.id, 'sent')
    assert.equal(sentTo(from).length, taken)
  })

  test('a copy in Sent hides nobody who was refused before: sending again reaches them, or says why not', async () => {
    const { inbox, address, conversationId, agent } = await talk()
    const [gone, grey] = [customer('gone'), customer('grey')]
    const moods = (verb: string, rest: string) =>
      verb === 'RCPT' && rest.includes(gone) ? '550 5.1.1 no such user' : verb === 'RCPT' && rest.includes(grey) ? '451 4.7.1 Greylisted' : undefined
    servers.how.smtp.answer = moods
    const { body } = await world().reply(agent, conversationId, '请两位查收', { meta: { to: [{ address: gone }], cc: [{ address: grey }] } })
    await eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
      return row.failure === 'recipients-waiting'
    }, 'the wait')
    // The second try, to one only, is cut off; the provider kept a copy.
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    await world().hasten()
    await fate(body.id, 'uncertain')
    const { messageId } = await world().hub.em().findOneOrFail(LetterRow, { inboxId: inbox.id, hubMessageId: body.id }, { disableIdentityMap: true })
    const client = await servers.imap(address)
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${messageId}>\r\n\r\n请两位查收`)
    await client.logout()
    const taken = sentTo(grey).length
    servers.how.smtp.answer = moods
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    const failed = await fate(body.id, 'failed', 'sent')
    assert.match(failed.failureText?.en ?? '', new RegExp(`^1 of 2 recipients have it, 1 do not: ${gone}: 550 5.1.1 no such user`))
    servers.reset()
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    await fate(body.id, 'sent')
    assert.deepEqual([sentTo(grey).length, sentTo(gone).map(({ to }) => to)], [taken, [[gone]]])
  })

  test('who was refused before the line broke is not reached by the copy in Sent: sending again asks them, and nobody twice', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const [gone, grey] = [customer('gone'), customer('grey')]
    servers.how.smtp.answer = (verb, rest) =>
      verb === 'DOT'
        ? 'cut'
        : verb !== 'RCPT'
          ? undefined
          : rest.includes(gone)
            ? '550 5.1.1 no such user'
            : rest.includes(grey)
              ? '451 4.7.1 Greylisted'
              : undefined
    const { body } = await world().reply(agent, conversationId, '请三位查收', { meta: { to: [{ address: from }], cc: [{ address: gone }, { address: grey }] } })
    await fate(body.id, 'uncertain')
    const { messageId } = await world().hub.em().findOneOrFail(LetterRow, { inboxId: inbox.id, hubMessageId: body.id }, { disableIdentityMap: true })
    const client = await servers.imap(address)
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${messageId}>\r\n\r\n请三位查收`)
    await client.logout()
    const taken = sentTo(from).length
    servers.reset()
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    await fate(body.id, 'sent')
    assert.deepEqual([sentTo(from).length, sentTo(gone).length, sentTo(grey).length], [taken, 1, 1])
  })

  test('whether it went out cannot be asked: it is not sent a second time, and the agent reads why', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    const { body } = await world().reply(agent, conversationId, '只有一次')
    await fate(body.id, 'uncertain')
    const { messageId } = await world().hub.em().findOneOrFail(LetterRow, { inboxId: inbox.id, hubMessageId: body.id }, { disableIdentityMap: true })
    const client = await servers.imap(address)
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${messageId}>\r\n\r\n只有一次`)
    await client.logout()
    const taken = sentTo(from).length
    let round = 1
    for (const away of [/^(?:LOGIN|AUTHENTICATE)$/, /^LIST$/, /^EXAMINE$/, /^UID SEARCH$/]) {
      servers.reset()
      servers.how.imap.answer = (command, rest) => (away.test(command) && !rest.includes('INBOX') ? 'NO [UNAVAILABLE] try later' : undefined)
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
      const still = await fate(body.id, 'uncertain', 'sent', 'failed')
      assert.deepEqual([still.status, still.failure, still.round, sentTo(from).length], ['uncertain', 'sent-not-asked', ++round, taken], String(away))
      assert.match(still.failureText?.zh ?? '', /可能已经发出.+“已发送”文件夹.+没有再次发送/)
      assert.match(still.failureText?.en ?? '', /may have gone out.+Sent folder.+was not sent/)
    }
    servers.reset()
    await agent.call('POST', `/api/messages/${body.id}/resend`)
    await fate(body.id, 'sent')
    assert.equal(sentTo(from).length, taken)
    // There is no such folder: nothing to ask.
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    const { body: another } = await world().reply(agent, conversationId, '没有已发送')
    await fate(another.id, 'uncertain')
    servers.reset()
    const owner = await servers.imap(address)
    await owner.mailboxDelete('Sent')
    await owner.logout()
    const before = sentTo(from).length
    await agent.call('POST', `/api/messages/${another.id}/resend`)
    await fate(another.id, 'sent')
    assert.equal(sentTo(from).length, before + 1)
  })

  test('its name stays when the mailbox’s domain changes: what may have gone out is asked for by that, and is not sent a second time', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    const { body } = await world().reply(agent, conversationId, '只有一次')
    await fate(body.id, 'uncertain')
    servers.reset()
    const letter = () => world().hub.em().findOneOrFail(LetterRow, { inboxId: inbox.id, hubMessageId: body.id }, { disableIdentityMap: true })
    const { messageId } = await letter()
    const client = await servers.imap(address)
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${messageId}>\r\n\r\n只有一次`)
    await client.logout()
    const taken = sentTo(from).length
    await alter(inbox, { address: address.replace('@shop.test', '@shop.example'), user: address })
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    assert.equal((await fate(body.id, 'sent')).externalId, messageId)
    assert.deepEqual([sentTo(from).length, (await letter()).state], [taken, 'sent'])
    // What is written from now on is of the new domain.
    const { body: next } = await world().reply(agent, conversationId, '另一封')
    assert.match((await fate(next.id, 'sent')).externalId ?? '', /@shop\.example$/)
  })

  test('an address that cannot be had just now is its letter’s trouble, tried again, and not the mailbox’s; a server that limits us is', async () => {
    const { inbox, from, conversationId, agent } = await talk()
    const healthOf = async () => (await agent.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    const row = (id: string) => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    const { body } = await world().reply(agent, conversationId, '在吗')
    await fate(body.id, 'sent')
    const answers = [
      ['450 4.1.2 <x@gmial.test>: Recipient address rejected: Domain not found', 'recipient-unknown'],
      ['452 4.2.2 mailbox full', 'recipient-full'],
      ['450 4.2.0 <x@gmial.test>: busy', 'refused-by-server'],
      ['451 4.7.1 Greylisted', 'greylisted'],
    ] as const
    const late = (messageId: string) =>
      world()
        .hub.em()
        .nativeUpdate(Outbound, { messageId, state: 'queued', attempts: { $gt: 0 } }, { createdAt: new Date(Date.now() - 24 * 3_600_000) })
    for (const [answer, failure] of answers) {
      servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? answer : undefined)
      const { body } = await world().reply(agent, conversationId, failure, { meta: { to: [{ address: customer('typo') }] } })
      await eventually(async () => (await row(body.id)).failure === failure, failure)
      await eventually(async () => (await late(body.id)) > 0, 'its wait')
      await world().hasten()
      await fate(body.id, 'failed')
    }
    // Some have it, one waits.
    const grey = customer('grey')
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(grey) ? answers[0][0] : undefined)
    const { body: several } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: from }], cc: [{ address: grey }] } })
    await eventually(async () => (await late(several.id)) > 0, 'its wait')
    await world().hasten()
    assert.equal((await fate(several.id, 'failed')).failure, 'recipients-waiting')
    assert.deepEqual([(await healthOf()).state, (await healthOf()).lastError], ['connected', null])
    servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? '451 4.3.0 Temporary lookup failure' : undefined)
    const { body: last } = await world().reply(agent, conversationId, '服务器自己的问题')
    await eventually(async () => (await late(last.id)) > 0, 'its wait')
    await world().hasten()
    await fate(last.id, 'failed')
    await eventually(async () => (await healthOf()).state === 'broken', 'the break')
  })

  test('too large, greylisted, a wrong code at sending, cut after the last byte: each has its fate and its sentence', async () => {
    const { conversationId, agent } = await talk()
    const send = async (text: string) => (await world().reply(agent, conversationId, text)).body.id as string
    const row = (id: string) => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    servers.how.smtp.size = 100
    const large = await fate(await send('太大了'), 'failed')
    assert.deepEqual([large.failure, /邮件太大/.test(large.failureText?.zh ?? '')], ['too-large', true])
    servers.reset()
    servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? '451 4.7.1 Greylisted, please try again later' : undefined)
    const grey = await send('稍后再试')
    await eventually(async () => (await row(grey)).failure === 'greylisted', 'greylisting')
    servers.reset()
    servers.how.smtp.answer = (verb) => (verb === 'AUTH' ? '535 5.7.8 Error: authentication failed' : undefined)
    await world().hasten()
    await eventually(async () => (await row(grey)).failure === 'auth', 'the wrong code')
    assert.equal((await row(grey)).status, 'queued')
    servers.reset()
    await world().hasten()
    await fate(grey, 'sent')
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    assert.equal((await fate(await send('最后断线'), 'uncertain', 'sent')).status, 'uncertain')
  })

  test('a server that looks long at a letter has its time for that; only when that is over nobody knows', async (t) => {
    const usual = { ...patience }
    t.after(() => Object.assign(patience, usual))
    const { from, conversationId, agent } = await talk()
    servers.how.smtp.takesAfter = 2_500
    patience.toAnswer = 1_500
    await fate((await world().reply(agent, conversationId, '慢慢看')).body.id, 'sent')
    assert.equal(sentTo(from).length, 1)
    patience.toTake = 1_000
    const { status, failure } = await fate((await world().reply(agent, conversationId, '看得太久')).body.id, 'uncertain', 'sent')
    assert.deepEqual([status, failure, sentTo(from).length], ['uncertain', 'timeout', 2])
  })

  test('a login that fails at sending: tried for a day, a quarter of an hour apart at least; the last word names the cause; a letter that leaves mends the inbox', async () => {
    const { inbox, conversationId, agent } = await talk()
    const row = (id: string) => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    const waits = (messageId: string, tries: number) =>
      eventually(async () => {
        const found = await world().hub.em().findOne(Outbound, { messageId }, { disableIdentityMap: true })
        return found?.state === 'queued' && found.attempts >= tries && found
      }, `try ${tries}`)
    const healthOf = async () => (await agent.call('GET', '/api/inboxes/health')).body.items.find((item: { inboxId: string }) => item.inboxId === inbox.id)
    servers.how.smtp.answer = (verb) => (verb === 'AUTH' ? '535 5.7.8 Error: authentication failed' : undefined)
    const { body } = await world().reply(agent, conversationId, '请查收')
    for (let tries = 1; tries <= 12; tries++) {
      const { dueAt } = await waits(body.id, tries)
      const wait = dueAt.getTime() - Date.now()
      assert.ok(wait > 14.5 * 60_000 && wait <= 60 * 60_000, `${wait} ms after try ${tries}`)
      await world().hasten()
    }
    assert.match((await row(body.id)).failureText?.zh ?? '', /密码或授权码不对.*系统会自动重试/)
    assert.equal((await healthOf()).state, 'unauthorised')
    // The mailbox is read all the while: that proves nothing of the way out.
    await waits(body.id, 13)
    await world()
      .hub.em()
      .nativeUpdate(Outbound, { messageId: body.id, state: 'queued' }, { createdAt: new Date(Date.now() - 24 * 3_600_000) })
    await world().hasten()
    const failed = await fate(body.id, 'failed')
    assert.equal(failed.failure, 'auth')
    assert.match(
      failed.failureText?.zh ?? '',
      /^多次重试后仍未送达：用户名、密码或授权码不对（服务器说：535 5\.7\.8 [^）]+）。系统不再自动重试，请稍后手动重新发送。$/,
    )
    assert.match(
      failed.failureText?.en ?? '',
      /^Not delivered after several tries: User name, password or authorisation code is wrong \(the server said: .+\)\. It is not/,
    )
    servers.reset()
    await agent.call('POST', `/api/messages/${body.id}/resend`)
    await fate(body.id, 'sent')
    await eventually(async () => (await healthOf()).state === 'connected', 'the inbox to be well')
  })

  test('every fault of the connection names itself when it is given up', async () => {
    const { inbox, conversationId, agent } = await talk()
    const admin = await world().person('小管', 'admin')
    const settings = servers.settings(`x-${newId().toLowerCase()}@shop.test`, { saveSent: 'never', quotePrevious: false })
    const closed = await freePort()
    const cases: [name: string, more: Record<string, unknown>, behave: () => void, zh: RegExp, en: RegExp][] = [
      ['refused', { smtpPort: closed }, () => undefined, /：连不上服务器（/, /: The server cannot be reached \(/],
      [
        'certificate',
        { smtpSecurity: 'starttls' },
        () => (servers.how.smtp.starttls = true),
        /：服务器的证书不可信（/,
        /: The server’s certificate is not trusted \(/,
      ],
      [
        'greylisted',
        {},
        () => (servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? '451 4.7.1 Greylisted' : undefined)),
        /：对方服务器要求稍后再试/,
        /: The recipient’s server wants/,
      ],
      [
        'rate-limited',
        {},
        () => (servers.how.smtp.answer = (verb) => (verb === 'MAIL' ? '421 4.7.0 Too many messages, try again later' : undefined)),
        /：服务商限制了频率/,
        /: The provider limits the rate/,
      ],
    ]
    for (const [name, more, behave, zh, en] of cases) {
      servers.reset()
      behave()
      await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { ...settings, ...more } })
      const { body } = await world().reply(agent, conversationId, name)
      const before = await eventually(async () => {
        const row = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
        return row.failure === name && row
      }, name)
      assert.equal(before.status, 'queued', name)
      // As if a day of it lay behind.
      const late = () =>
        world()
          .hub.em()
          .nativeUpdate(Outbound, { messageId: body.id, state: 'queued' }, { createdAt: new Date(Date.now() - 24 * 3_600_000) })
      await eventually(async () => (await late()) > 0, 'its wait')
      await world().hasten()
      const { failureText } = await fate(body.id, 'failed')
      assert.match(failureText?.zh ?? '', zh)
      assert.match(failureText?.en ?? '', en)
      assert.doesNotMatch(failureText?.zh ?? '', /会自动/)
    }
  })

  /** A letter to two: one has it, the other's server puts it off. */
  async function oneWaits() {
    const { from, conversationId, agent } = await talk()
    const grey = customer('grey')
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(grey) ? '451 4.7.1 Greylisted' : undefined)
    const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: from }], cc: [{ address: grey }] } })
    return { from, grey, agent, body: body as { id: string } }
  }

  test('a recipient who is refused for now to the end: the last word says who has it and who does not, and promises nothing', async () => {
    const { from, grey, body } = await oneWaits()
    const late = () =>
      world()
        .hub.em()
        .nativeUpdate(Outbound, { messageId: body.id, state: 'queued', attempts: { $gt: 0 } }, { createdAt: new Date(Date.now() - 24 * 3_600_000) })
    await eventually(async () => (await late()) > 0, 'the wait')
    await world().hasten()
    const { failure, failureText } = await fate(body.id, 'failed')
    assert.equal(failure, 'recipients-waiting')
    assert.equal(
      failureText?.zh,
      `多次重试后仍未送达（已有收件人收到）：2 位收件人中 1 位已送达，1 位没有收到：${grey}：451 4.7.1 Greylisted。系统不再自动重试，请稍后手动重新发送。`,
    )
    assert.match(failureText?.en ?? '', /: 1 of 2 recipients have it, 1 do not: .+\. It is not tried again by itself; send it again later\.$/)
    assert.equal(sentTo(from).length, 1)
  })

  test('an agent who does not wait for the last of several recipients reads that others have it', async () => {
    const { from, agent, body } = await oneWaits()
    const waits = () =>
      world()
        .hub.em()
        .count(Outbound, { messageId: body.id, state: 'queued', attempts: { $gt: 0 } })
    await eventually(async () => (await waits()) > 0, 'the wait')
    const stopped = await agent.call('POST', `/api/messages/${body.id}/stop`)
    assert.deepEqual([stopped.status, stopped.body.failureText.zh], [200, '已停止重试：已有收件人收到，其余收件人没有送达。'])
    assert.equal(sentTo(from).length, 1)
  })

  test('of several recipients one letter comes back: sending again reaches only that one', async () => {
    const { from, conversationId, agent } = await talk()
    const ghost = `ghost-${newId().toLowerCase()}@customer.test`
    const { body } = await world().reply(agent, conversationId, '抄送一位', { meta: { to: [{ address: from }], cc: [{ address: ghost }] } })
    const failed = await fate(body.id, 'failed')
    assert.equal(failed.failure, 'recipient-unknown')
    await agent.call('POST', `/api/messages/${body.id}/resend`)
    await eventually(() => sentTo(ghost).length === 2, 'the second try')
    assert.deepEqual(
      servers.taken.filter(({ to }) => to.includes(from) || to.includes(ghost)).map(({ to }) => to),
      [[from, ghost], [ghost]],
    )
  })

  /** A report of recipients a letter of ours did not reach (RFC 3464), straight into the mailbox. */
  async function comesBack(
    address: string,
    messageId: string | null | undefined,
    recipients: readonly string[],
    head: readonly string[] = [],
    said?: string,
  ): Promise<void> {
    const client = await servers.imap(address)
    await client.append(
      'INBOX',
      [
        'Return-Path: <>',
        'From: MAILER-DAEMON@mx.customer.test',
        `To: ${address}`,
        'Subject: Undelivered Mail Returned to Sender',
        `Message-ID: <${newId()}@mx.customer.test>`,
        `Date: ${new Date().toUTCString()}`,
        'Content-Type: multipart/report; report-type=delivery-status; boundary="r"',
        '',
        '--r',
        'Content-Type: text/plain',
        '',
        'Your letter could not be delivered.',
        '',
        '--r',
        'Content-Type: message/delivery-status',
        '',
        'Reporting-MTA: dns; mx.customer.test',
        '',
        ...recipients.flatMap((one) => [
          `Final-Recipient: rfc822; ${one}`,
          'Action: failed',
          'Status: 5.1.1',
          `Diagnostic-Code: smtp; ${said ?? `550 no ${one} here`}`,
          '',
        ]),
        '--r',
        'Content-Type: text/rfc822-headers',
        '',
        `Message-ID: <${messageId}>`,
        ...head,
        '',
        '--r--',
        '',
      ].join('\r\n'),
    )
    await client.logout()
  }
  /** The message once it tells of all of these. */
  const tellsOf = (id: string, recipients: readonly string[]) =>
    eventually(async () => {
      await world().hasten()
      const row = await fate(id, 'failed')
      return recipients.every((one) => row.failureText?.en.includes(`${one} has not got this letter`)) && row
    }, `what is said of ${recipients}`)
  /** An answer to three people that all of them took. */
  async function toThree() {
    const { inbox, address, from, conversationId, agent } = await talk()
    const [b, c] = [customer('b'), customer('c')]
    const { body } = await world().reply(agent, conversationId, '请各位查收', { meta: { to: [{ address: from }], cc: [{ address: b }, { address: c }] } })
    const sent = await fate(body.id, 'sent')
    const again = async () => {
      const { status } = await agent.call('POST', `/api/messages/${body.id}/resend`)
      assert.equal(status, 200)
      await fate(body.id, 'sent')
      return servers.taken.filter(({ to }) => [from, b, c].some((one) => to.includes(one))).map(({ to }) => to)
    }
    return { inbox, address, from, b, c, agent, conversationId, id: body.id as string, name: sent.externalId, again }
  }

  /** Puts a letter into the mailbox as it is. */
  async function returns(address: string, raw: Buffer): Promise<void> {
    const client = await servers.imap(address)
    await client.append('INBOX', raw)
    await client.logout()
  }

  test('what comes back without an id of ours is told at the letter that it can only be: by recipient, subject and time', async () => {
    const { address, conversationId, agent } = await talk()
    const write = async (recipient: string, subject: string) => {
      const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: recipient }], subject } })
      await fate(body.id, 'sent')
      return body.id as string
    }
    for (const [name, make] of Object.entries({ netease, qq, exmail, gmail, exchange })) {
      const recipient = customer(`gone-${name}`)
      const subject = `合同 ${name}`
      // Of two to the same person the subject tells which.
      const [id, other] = [await write(recipient, subject), await write(recipient, '另一封')]
      await returns(address, make({ to: address, recipient, subject }))
      const { meta } = await tellsOf(id, [recipient])
      assert.deepEqual(
        meta?.returned?.map((one) => one.address),
        [recipient],
        name,
      )
      await fate(other, 'sent')
    }
  })

  test('by the name that it had on its envelope, where the server keeps it', async () => {
    const { address, from, conversationId, agent } = await talk()
    const mails: string[] = []
    servers.how.smtp.answer = (verb, rest) => {
      if (verb === 'MAIL') mails.push(rest)
      return verb === 'EHLO' ? '250-mx.shop.test\r\n250-AUTH PLAIN LOGIN\r\n250 DSN' : undefined
    }
    const ids: string[] = []
    // The same letter twice: by anything else nobody could tell.
    for (let i = 0; i < 2; i++) {
      const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: from }], subject: '同一封' } })
      await fate(body.id, 'sent')
      ids.push(body.id)
    }
    const [, envelopeId = ''] = /ENVID=(\S+)/.exec(mails[0] ?? '') ?? []
    assert.match(mails[0] ?? '', /RET=HDRS/)
    await returns(address, named(address, envelopeId, from))
    await tellsOf(ids[0] as string, [from])
    await fate(ids[1] as string, 'sent')
    // A name that nobody here gave proves nothing.
    await returns(
      address,
      named(
        address,
        envelopeId.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        from,
      ),
    )
  })

  test('where it may be one of several, or none of this mailbox, nothing is guessed: it stands open before a person', async () => {
    const [{ inbox, address, conversationId, agent }, other] = [await talk(), await talk()]
    const recipient = customer('twice')
    const write = async () => {
      const { body } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: recipient }], subject: '报价' } })
      await fate(body.id, 'sent')
      return body.id as string
    }
    const first = await write()
    const alone = exmail({ to: other.address, recipient, subject: '报价' })
    await returns(other.address, alone)
    const second = await write()
    await returns(address, exmail({ to: address, recipient, subject: '报价' }))
    for (const one of [inbox, other.inbox]) {
      const shown = await incoming(one, recipient)
      const { status } = await world().hub.em().findOneOrFail(Conversation, { id: shown.conversationId }, { disableIdentityMap: true })
      assert.notEqual(status, 'closed')
      assert.equal(shown.meta?.automatic, undefined)
    }
    for (const id of [first, second]) await fate(id, 'sent')
    // It can be of one only, but its words name another, which somebody sent with their own client; cut or quoted words name ours.
    const full = customer('full')
    const { body: quote } = await world().reply(agent, conversationId, '请查收', { meta: { to: [{ address: full }], subject: 'Re: 年度报价单（第二版）' } })
    await fate(quote.id, 'sent')
    await returns(address, exmail({ to: address, recipient: full, subject: '周末团建通知' }))
    await incoming(inbox, full)
    await fate(quote.id, 'sent')
    await returns(address, exmail({ to: address, recipient: full, subject: '“年度 报价单”…' }))
    await fate(quote.id, 'failed')
    // Somebody wrote in our name: a report of that is none of ours, and disturbs nobody.
    await comesBack(address, `${newId()}@elsewhere.test`, [customer('victim')])
    const quiet = await incoming(inbox, 'Your letter could not be delivered')
    assert.equal(quiet.meta?.automatic, true)
  })

  test('a test of the mailbox that comes back stands before a person; what answers it begins a conversation, which is of no other', async () => {
    const { inbox, address } = await shop({ replyToken: true })
    const admin = await world().person('小管', 'admin')
    const [gone, reader] = [customer('gone'), customer('reader')]
    const test = async (to: string) => {
      const { status, body } = await admin.call('POST', `/api/inboxes/${inbox.id}/test`, { to, text: '测试邮件' })
      assert.deepEqual([status, body.ok], [200, true], JSON.stringify(body))
      return { name: body.externalId as string, sent: readMail(sentTo(to)[0]?.raw as Buffer) }
    }
    const { name } = await test(gone)
    await comesBack(address, name, [gone])
    const report = await incoming(inbox, 'Your letter could not be delivered')
    const { status } = await world().hub.em().findOneOrFail(Conversation, { id: report.conversationId }, { disableIdentityMap: true })
    assert.notEqual(status, 'closed')
    assert.deepEqual([report.meta?.automatic, report.meta?.relatedConversationId], [undefined, undefined])
    const { name: read, sent } = await test(reader)
    // The mark of a conversation that there is not would lead nowhere.
    assert.deepEqual(sent.replyTo, [])
    await arrives(address, reader, sent.subject, '测试收到', [`In-Reply-To: <${read}>`])
    const answer = await incoming(inbox, '测试收到')
    assert.deepEqual([answer.replyToId, answer.meta?.relatedConversationId], [null, undefined])
    assert.equal(await world().hub.em().count(Conversation, { id: answer.conversationId }), 1)
    assert.equal(await world().hub.em().count(Participant, { address: gone }), 0)
    // Of one that an earlier version sent, whose recipient was taken to take part in it.
    const [row] = await world().hub.em().find(LetterRow, { externalId: read }, { disableIdentityMap: true })
    await world()
      .hub.em()
      .insert(Participant, { conversationId: row?.conversationId as string, address: reader })
    await arrives(address, reader, sent.subject, '又收到', [`In-Reply-To: <${read}>`])
    assert.equal((await incoming(inbox, '又收到')).meta?.relatedConversationId, undefined)
  })

  test('one report of two recipients: the agent reads both, has the report, and sending again reaches exactly these', async () => {
    const { address, from, b, c, agent, conversationId, id, name, again } = await toThree()
    await comesBack(address, name, [b, c])
    const { meta } = await tellsOf(id, [b, c])
    assert.deepEqual(
      meta?.returned?.map((one) => [one.address, one.name, one.sentence?.en.includes(`550 no ${one.address} here`)]),
      [b, c].map((one) => [one, name, true]),
    )
    const { body } = await agent.call('GET', `/api/conversations/${conversationId}/messages`)
    const shown = body.items.find((message: { id: string }) => message.id === id)
    assert.equal(shown.meta.returned.length, 2)
    const report = await agent.call('GET', `/api/files/${shown.meta.returned[1].rawFileId}`)
    assert.deepEqual([report.status, String(report.body).includes(`Final-Recipient: rfc822; ${c}`)], [200, true])
    // The customer has it.
    assert.deepEqual(await again(), [
      [from, b, c],
      [b, c],
    ])
  })

  test('what the recipient’s server said is not taken for trouble with our login', async () => {
    const { address, from, conversationId, agent } = await talk()
    servers.how.smtp.answer = (verb) => (verb === 'RCPT' ? '550 User suspended' : undefined)
    const { body: refused } = await world().reply(agent, conversationId, '当场退回')
    const { failure, failureText } = await fate(refused.id, 'failed')
    assert.deepEqual([failure, /服务器说：.*User suspended/.test(failureText?.zh ?? '')], ['refused-by-server', true])
    servers.reset()
    const { body } = await world().reply(agent, conversationId, '后来退回')
    await comesBack(address, (await fate(body.id, 'sent')).externalId, [from], [], '550 User suspended')
    const told = (await tellsOf(body.id, [from])).failureText?.zh ?? ''
    assert.match(told, /收件地址不存在.*对方服务器说：.*User suspended/)
    assert.doesNotMatch(`${failureText?.zh}${told}`, /没有开启/)
  })

  test('two reports of one letter: the second is told beside the first, and changes nothing when it comes again', async () => {
    const { inbox, address, from, b, c, id, name, again } = await toThree()
    await comesBack(address, name, [b])
    await tellsOf(id, [b])
    await comesBack(address, name, [c])
    const told = await tellsOf(id, [b, c])
    await comesBack(address, name, [b])
    await comesBack(address, name, [c, b])
    await arrives(address, from, '后来', '后来的一封')
    await incoming(inbox, '后来的一封')
    const after = await fate(id, 'failed')
    assert.deepEqual([after.rev, after.failureText, after.meta], [told.rev, told.failureText, told.meta])
    assert.deepEqual(await again(), [
      [from, b, c],
      [b, c],
    ])
  })

  test('a report that comes after the letter was sent again to another is news, and that one is reached next', async () => {
    const { address, from, b, c, id, name, again } = await toThree()
    await comesBack(address, name, [b])
    await tellsOf(id, [b])
    await again()
    await comesBack(address, name, [c])
    const told = await tellsOf(id, [c])
    assert.doesNotMatch(told.failureText?.en ?? '', new RegExp(b))
    assert.deepEqual(await again(), [[from, b, c], [b], [c]])
    // Under its new name it may come back once more.
    const names = await world().hub.em().find(LetterRow, { hubMessageId: id }, { disableIdentityMap: true })
    const renamed = names.find(({ delivered }) => delivered?.includes(c))?.messageId
    assert.notEqual(renamed, name)
    await comesBack(address, renamed, [c])
    await tellsOf(id, [c])
  })

  test('one is refused at once, another’s comes back later: both are told, and both are reached by sending again', async () => {
    const { address, from, conversationId, agent } = await talk()
    const [refused, late] = [customer('refused'), customer('late')]
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(refused) ? '550 5.1.1 no such user' : undefined)
    const meta = { to: [{ address: from }], cc: [{ address: refused }, { address: late }] }
    const { body } = await world().reply(agent, conversationId, '两位都没收到', { meta })
    const failed = await fate(body.id, 'failed')
    assert.equal(failed.failure, 'recipients-refused')
    servers.reset()
    await comesBack(address, failed.externalId, [late])
    const told = await tellsOf(body.id, [late])
    assert.match(told.failureText?.zh ?? '', /3 位收件人中 2 位已送达，1 位没有收到[\s\S]*\n退信：/)
    await agent.call('POST', `/api/messages/${body.id}/resend`)
    await fate(body.id, 'sent')
    assert.deepEqual(
      servers.taken.filter(({ to }) => [from, refused, late].some((one) => to.includes(one))).map(({ to }) => to),
      [
        [from, late],
        [refused, late],
      ],
    )
  })

  test('it comes back from one while another is still tried: that one is not written to again by itself, and is told in the end', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const [grey, gone] = [customer('grey'), customer('gone')]
    servers.how.smtp.answer = (verb, rest) => (verb === 'RCPT' && rest.includes(grey) ? '451 4.7.1 Greylisted, please try again later' : undefined)
    const { body } = await world().reply(agent, conversationId, '还在路上', { meta: { to: [{ address: from }], cc: [{ address: grey }, { address: gone }] } })
    const waiting = await eventually(async () => {
      const row = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
      return row.failure === 'recipients-waiting' && row
    }, 'the wait')
    await comesBack(address, waiting.externalId, [gone])
    await arrives(address, from, '催', '怎么还没到')
    await incoming(inbox, '怎么还没到')
    servers.reset()
    const told = await tellsOf(body.id, [gone])
    assert.match(told.failureText?.en ?? '', /2 of 3 recipients have it/)
    assert.deepEqual(
      servers.taken.filter(({ to }) => [from, grey, gone].some((one) => to.includes(one))).map(({ to }) => to),
      [[from, gone], [grey]],
    )
  })

  // ── threads ────────────────────────────────────────────────────────────────────────────────────────────────────

  test('Reply-To is obeyed where it may be believed; into a running conversation a stranger’s address only warns', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小安', 'admin')
    const [from, assistant, thief] = [customer('boss'), customer('assistant'), 'thief@elsewhere.test']
    await arrives(address, from, '合作', '请回复我的助理', [`Reply-To: ${assistant}`])
    const first = await incoming(inbox, '请回复我的助理')
    assert.deepEqual([first.meta?.replyTo, first.meta?.replyToDoubtful], [[{ address: assistant }], undefined])
    const { body } = await world().reply(agent, first.conversationId, '好的')
    await fate(body.id, 'sent')
    assert.deepEqual([sentTo(assistant).length, sentTo(from).length], [1, 0])
    await arrives(address, from, '合作', '改发到这里', [
      `In-Reply-To: <${
        sentTo(assistant)[0]
          ?.raw.toString()
          .match(/^Message-ID:\s*<([^>]*)>/im)?.[1]
      }>`,
      `Reply-To: ${thief}`,
    ])
    const second = await incoming(inbox, '改发到这里')
    assert.deepEqual([second.conversationId, second.meta?.replyToDoubtful], [first.conversationId, true])
    await fate((await world().reply(agent, first.conversationId, '只给本人')).body.id, 'sent')
    assert.deepEqual([sentTo(thief).length, sentTo(from).length], [0, 1])
    // A stranger's own first letter may say so, from elsewhere too: a web form has no other way.
    await arrives(address, customer('form'), '留言', '表单留言', ['Reply-To: "李雷" <lilei@elsewhere.test>'])
    assert.deepEqual((await incoming(inbox, '表单留言')).meta?.replyTo, [{ name: '李雷', address: 'lilei@elsewhere.test' }])
  })

  test('what a site sends for its customers is theirs: whatever it is called, none shares a conversation with another, none is missed', async () => {
    const { inbox, address } = await shop()
    const agent = await world().person('小安', 'admin')
    // The last is known for a form only by its second customer.
    const sites = ['wordpress@site.test', address, 'webform@shop.test', 'notification@shop.test', 'contact@elsewhere.test']
    for (const site of sites) {
      const people = [customer('qian'), customer('sun')]
      const read = []
      for (const [i, person] of people.entries()) {
        await arrives(address, `官网 <${site}>`, '网站留言', `${site} 的第 ${i} 位`, [`Reply-To: ${person}`])
        read.push(await incoming(inbox, `${site} 的第 ${i} 位`))
      }
      assert.equal(new Set(read.map(({ conversationId }) => conversationId)).size, 2, site)
      for (const [i, { conversationId, meta }] of read.entries()) {
        const { status } = await world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
        assert.deepEqual([status === 'closed', meta?.automatic, meta?.replyToDoubtful], [false, undefined, undefined], site)
        await fate((await world().reply(agent, conversationId, `给第 ${i} 位`)).body.id, 'sent')
      }
      assert.deepEqual(
        [...people, site].map((each) => sentTo(each).length),
        [1, 1, 0],
        site,
      )
    }
    // The check fails for many a site that writes in its shop's name: each filler is a ⚠ person of their own then.
    const failed = ['Authentication-Results: mx.shop.test; dmarc=fail header.from=shop.test']
    const doubtful = []
    for (const who of ['甲', '乙']) {
      await arrives(address, 'site@shop.test', '网站留言', `没通过验证的${who}`, [...failed, `Reply-To: ${customer('wu')}`])
      doubtful.push(await incoming(inbox, `没通过验证的${who}`))
    }
    assert.deepEqual([new Set(doubtful.map(({ conversationId }) => conversationId)).size, doubtful[0]?.meta?.auth?.dmarc], [2, 'fail'])
  })

  test('a form at anybody’s site gets no word into the conversation of whom it names; who filled it in is a person of their own, whom alone the answer reaches', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const evil = `evil-${newId().toLowerCase()}@evil.test`
    const { body: ours } = await world().reply(agent, conversationId, '每套 99 元')
    const { externalId: known } = await fate(ours.id, 'sent')
    const state = () => world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    const before = await state()
    const verdict = (dmarc: string, domain: string) => `Authentication-Results: mx.shop.test; dmarc=${dmarc} header.from=${domain}`
    const submit = async (site: string, text: string, filler: string, ...more: string[]) => {
      await arrives(address, site, 'Re: 询价', text, [...more, `Reply-To: "王小姐" <${filler}>`, `Cc: ${evil}`])
      return incoming(inbox, text)
    }
    const passed = verdict('pass', 'evil.test')
    const form = await submit('"客户" <noreply@evil.test>', '请改寄到我的新地址', from, passed)
    assert.notEqual(form.conversationId, conversationId)
    assert.deepEqual([(await state()).rev, (await state()).unread], [before.rev, before.unread])
    // Who sent it, and what our server says of that, stands at the letter.
    assert.deepEqual(
      [form.meta?.from, form.meta?.auth, form.meta?.form, form.meta?.replyTo],
      [{ name: '客户', address: 'noreply@evil.test' }, { dmarc: 'pass' }, true, [{ name: '王小姐', address: from }]],
    )
    const identity = await world().identity(inbox.id, `unverified:${from} evil.test`)
    const contact = await world().hub.em().findOneOrFail(Contact, { id: identity.contactId }, { disableIdentityMap: true })
    assert.deepEqual([identity.verified, contact.name, contact.email], [false, `⚠ ${from} (evil.test)`, ''])
    assert.notEqual(contact.id, before.contactId)
    assert.equal(await world().hub.em().count(IdentityClaim, { identityId: identity.id }), 0)
    const participants = async (id: string) =>
      (await world().hub.em().find(Participant, { conversationId: id }, { disableIdentityMap: true })).map((one) => one.address)
    assert.deepEqual([await participants(form.conversationId), await participants(conversationId)], [[], [from]])
    // Naming a letter of that conversation, or writing as a site that only says it is ours, opens no door either.
    const apart = [
      form,
      await submit('noreply@evil.test', '这是另一个人', customer('li'), passed),
      await submit('form@shop.test', '说是自己网站的', from),
      await submit('webform@evil.test', '说是同一个网站的', from, verdict('fail', 'evil.test')),
    ]
    assert.equal(new Set(apart.map((one) => one.conversationId)).size, 4)
    // The same one at the same site, from another of its boxes.
    assert.equal((await submit('noreply+7@evil.test', '再填一次', from, passed, `In-Reply-To: <${known}>`)).conversationId, form.conversationId)
    assert.deepEqual([(await state()).rev, await participants(form.conversationId)], [before.rev, []])
    // The answer is theirs, and so is the place of what they write back; who had the copy knows its id in vain.
    const { body } = await world().reply(agent, form.conversationId, '请问您改过地址吗')
    const asked = await fate(body.id, 'sent')
    assert.deepEqual([sentTo(from).length, sentTo(evil).length], [2, 0])
    await arrives(address, evil, 'Re: 询价', '是我改的', [`In-Reply-To: <${asked.externalId}>`])
    assert.ok(![conversationId, form.conversationId].includes((await incoming(inbox, '是我改的')).conversationId))
    await arrives(address, from, 'Re: 询价', '我没有改过', [`In-Reply-To: <${asked.externalId}>`])
    assert.equal((await incoming(inbox, '我没有改过')).conversationId, form.conversationId)
    await fate((await world().reply(agent, form.conversationId, '明白了')).body.id, 'sent')
    assert.equal(sentTo(from).length, 3)
    // Our own site, vouched for by our own server, is believed.
    const own = await submit('noreply@shop.test', '自己网站的表单', from, verdict('pass', 'shop.test'))
    assert.deepEqual([own.conversationId, own.meta?.from?.address, await participants(conversationId)], [conversationId, 'noreply@shop.test', [from]])
  })

  test('a letter to another mailbox of the hub is a letter there: a colleague’s open, a machine’s quiet', async () => {
    const { conversationId, agent } = await talk()
    const depot = await shop()
    const write = async (text: string, meta: Record<string, unknown> = {}) => {
      await fate((await world().reply(agent, conversationId, text, { meta: { to: [{ address: depot.address }], ...meta } })).body.id, 'sent')
      return incoming(depot.inbox, text)
    }
    const { conversationId: there, meta } = await write('仓库同事请查一下')
    const { status } = await world().hub.em().findOneOrFail(Conversation, { id: there }, { disableIdentityMap: true })
    assert.deepEqual([status === 'closed', meta?.automatic], [false, undefined])
    const raw = sentTo(depot.address)[0]?.raw.toString() ?? ''
    const mark = readMail(Buffer.from(raw)).headers.raw('x-huike-loop')
    await arrives(depot.address, customer('robot'), '收到', '自动回复', ['Auto-Submitted: auto-replied', `X-Huike-Loop: ${mark}`])
    assert.equal((await incoming(depot.inbox, '自动回复')).meta?.automatic, true)
  })

  test('a forged sender does not come into the conversation of the one they pretend to be; the honest one does', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const { body } = await world().reply(agent, conversationId, '订单已发货')
    const sent = await fate(body.id, 'sent')
    const state = () => world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    const before = await state()
    const failed = ['Authentication-Results: mx.shop.test; dmarc=fail header.from=customer.test']
    const forgedId = await arrives(address, `"王小姐" <${from}>`, 'Re: 询价', '请改寄到我的新地址', [...failed, `In-Reply-To: <${sent.externalId}>`])
    const forged = await incoming(inbox, '请改寄到我的新地址')
    assert.notEqual(forged.conversationId, conversationId)
    assert.deepEqual([(await state()).rev, (await state()).unread], [before.rev, before.unread])
    // Somebody else altogether: nothing links or finds them as the one they pretend to be.
    const identity = await world().identity(inbox.id, `unverified:${from}`)
    const contact = await world().hub.em().findOneOrFail(Contact, { id: identity.contactId }, { disableIdentityMap: true })
    assert.deepEqual([identity.verified, contact.name, contact.email], [false, `⚠ ${from}`, ''])
    assert.notEqual(contact.id, before.contactId)
    assert.equal(await world().hub.em().count(IdentityClaim, { identityId: identity.id }), 0)
    // The next forged one joins the first, the honest one the true conversation, whatever it says that it answers.
    await arrives(address, from, '催', '怎么还没改', failed)
    assert.equal((await incoming(inbox, '怎么还没改')).conversationId, forged.conversationId)
    await arrives(address, from, 'Re: 询价', '这封是我本人', [`In-Reply-To: <${forgedId}>`, `References: <${sent.externalId}> <${forgedId}>`])
    assert.equal((await incoming(inbox, '这封是我本人')).conversationId, conversationId)
    // An answer goes there only when somebody says so.
    const refused = await fate((await world().reply(agent, forged.conversationId, '好的')).body.id, 'failed')
    assert.equal(refused.failure, 'sender-unverified')
    assert.match(refused.failureText?.zh ?? '', /未通过验证.*收件人/)
    const { body: meant } = await world().reply(agent, forged.conversationId, '请打电话确认', { meta: { to: [{ address: from }] } })
    await fate(meant.id, 'sent')
    assert.equal(sentTo(from).length, 2)
  })

  test('a good verdict on one’s own domain makes nobody somebody else', async () => {
    const { inbox, address, from, conversationId } = await talk()
    const passed = ['Authentication-Results: mx.shop.test; spf=pass smtp.mailfrom=evil.test; dmarc=pass header.from=evil.test']
    const tricks = ['"a b"@evil.test', `${'a'.repeat(65)}@evil.test`, `<${from}> <a@evil.test>`, `${from}, a@evil.test`]
    for (const [i, author] of tricks.entries()) {
      await arrives(address, author, 'Re: 询价', `请把资料再发一遍 ${i}`, [...passed, `Sender: ${from}`, 'Reply-To: thief@evil.test'])
      const { conversationId: another, meta } = await incoming(inbox, `请把资料再发一遍 ${i}`)
      assert.notEqual(another, conversationId, author)
      assert.notEqual(meta?.auth?.dmarc, 'pass', author)
    }
    assert.equal((await world().identity(inbox.id, from)).verified, false)
  })

  test('a relay gave our letter another Message-ID: a copy of it is no letter, an answer finds its conversation, a report its message', async () => {
    const { inbox, address } = await shop()
    const [from, colleague] = [customer('relayed'), customer('colleague')]
    const first = await arrives(address, from, '采购', '请发报价')
    const { conversationId } = await incoming(inbox, '请发报价')
    const agent = await world().person('小安', 'admin')
    const { body } = await world().reply(agent, conversationId, '报价如下', { meta: { to: [{ address: from }], cc: [{ address: colleague }] } })
    await fate(body.id, 'sent')
    const raw = sentTo(from)[0]?.raw.toString() ?? ''
    const renamed = `${newId()}@relay.test`
    const client = await servers.imap(address)
    await client.append('INBOX', raw.replace(/^Message-ID:\s*<[^>]*>/im, `Message-ID: <${renamed}>`))
    await client.logout()
    // Nobody knows that name; the customer's own letter stands in the chain, which every client keeps.
    await arrives(address, colleague, 'Re: 采购', '我来接手', [`In-Reply-To: <${renamed}>`, `References: <${first}> <${renamed}>`])
    assert.equal((await incoming(inbox, '我来接手')).conversationId, conversationId)
    assert.deepEqual(
      (await rows(inbox)).map(({ text }) => text),
      ['请发报价', '我来接手'],
    )
    const mark = readMail(Buffer.from(raw)).headers.raw('x-huike-loop')
    await comesBack(address, renamed, [colleague], [`X-Huike-Loop: ${mark}`])
    await tellsOf(body.id, [colleague])
  })

  test('an answer that names our letter only by the id that a relay gave it finds its conversation: the server told it, or a copy', async () => {
    const { inbox, address, from, conversationId, agent } = await talk()
    const write = (text: string, colleague: string) =>
      world().reply(agent, conversationId, text, { meta: { to: [{ address: from }], cc: [{ address: colleague }] } })
    const answers = async (colleague: string, id: string) => {
      await arrives(address, colleague, 'Re: 询价', `${colleague} 接手`, [`In-Reply-To: <${id}>`])
      assert.equal((await incoming(inbox, `${colleague} 接手`)).conversationId, conversationId)
    }
    const [told, copied, kept] = [1, 2, 3].map((i) => `${newId()}@relay-${i}.test`) as [string, string, string]
    const [first, second, third] = ['yi', 'er', 'san'].map(customer) as [string, string, string]
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? `250 2.0.0 OK <${told}> [Hostname=relay]` : undefined)
    await fate((await write('服务器说了', first)).body.id, 'sent')
    await answers(first, told)
    servers.reset()
    await fate((await write('抄送给自己', second)).body.id, 'sent')
    const client = await servers.imap(address)
    const raw = sentTo(second)[0]?.raw.toString() ?? ''
    await client.append('INBOX', raw.replace(/^Message-ID:\s*<[^>]*>/im, `Message-ID: <${copied}>`))
    await answers(second, copied)
    // Nobody knows whether it went out; the provider's copy, under another name, says so.
    servers.how.smtp.answer = (verb) => (verb === 'DOT' ? 'cut' : undefined)
    const { id } = (await write('断线', third)).body
    await fate(id, 'uncertain')
    const { messageId } = await world().hub.em().findOneOrFail(LetterRow, { hubMessageId: id }, { disableIdentityMap: true })
    await client.append('Sent', `From: ${address}\r\nMessage-ID: <${kept}>\r\nX-Huike-Loop: ${messageId} x\r\n\r\nx`)
    await client.logout()
    servers.reset()
    assert.equal((await agent.call('POST', `/api/messages/${id}/resend`)).status, 200)
    await fate(id, 'sent')
    assert.equal(sentTo(third).length, 0)
    await answers(third, kept)
  })

  test('a letter that had to wait in the hub is answered in its thread, and who got a copy may answer', async () => {
    const { inbox, address } = await shop()
    const [from, colleague] = [customer('waits'), customer('copied')]
    const now = new Date()
    const event = { kind: 'message' as const, externalId: newId(), from: { externalId: from }, parts: [{ type: 'text' as const, text: '先到的一句' }] }
    const later = new Date(now.getTime() + 3_600_000)
    await world().hub.em().insert(ParkedEvent, {
      id: newId(),
      inboxId: inbox.id,
      externalId: event.externalId,
      senderId: from,
      event,
      attempts: 1,
      error: '',
      dueAt: later,
      createdAt: now,
    })
    const letterId = await arrives(address, from, '询价', '后到的信', [`Cc: ${colleague}`])
    await eventually(async () => (await world().hub.em().count(LetterRow, { inboxId: inbox.id, conversationId: null })) === 1, 'the wait')
    await world().hasten()
    const { conversationId, id } = await incoming(inbox, '后到的信')
    const { body } = await world().reply(await world().person('小安', 'admin'), conversationId, '每套 99 元')
    const sent = await fate(body.id, 'sent')
    const answer = readMail(sentTo(from)[0]?.raw as Buffer)
    assert.deepEqual([answer.subject, answer.answers], ['Re: 询价', [letterId]])
    assert.equal(await world().hub.em().count(LetterRow, { conversationId, hubMessageId: id }), 1)
    await arrives(address, colleague, 'Re: 询价', '我来补充', [`In-Reply-To: <${sent.externalId}>`])
    assert.equal((await incoming(inbox, '我来补充')).conversationId, conversationId)
  })

  test('what a blocked sender writes waits for nothing, keeps no letter from its thread, and does not come when the folder is read anew', async () => {
    const { inbox, address } = await shop()
    const [from, spammer] = [customer('waits'), customer('blocked')]
    const em = world().hub.em()
    await arrives(address, spammer, '广告', '第一封广告')
    await incoming(inbox, '第一封广告')
    const { id: identityId, contactId } = await world().identity(inbox.id, spammer)
    const admin = await world().person('小安', 'admin')
    const block = `/api/contacts/${contactId}/block`
    assert.equal((await admin.call('POST', block, { identityId })).status, 200)
    await arrives(address, spammer, '广告', '第二封广告')
    await eventually(async () => (await em.count(LetterRow, { inboxId: inbox.id, state: 'refused' })) === 1, 'the refusal')
    const refused = await em.findOneOrFail(LetterRow, { inboxId: inbox.id, state: 'refused' }, { disableIdentityMap: true })
    assert.deepEqual([refused.conversationId, refused.fromAddress, refused.subject, refused.messageId, refused.rawFileId], [null, '', '', '', null])
    // As earlier versions noted them.
    await arrives(address, from, '询价', '等着的信')
    const { conversationId, id } = await incoming(inbox, '等着的信')
    const noted = { inboxId: inbox.id, hubMessageId: id }
    await eventually(async () => (await em.count(LetterRow, noted)) === 1, 'the letter noted')
    const known = await em.findOneOrFail(LetterRow, noted, { disableIdentityMap: true })
    await em.nativeUpdate(LetterRow, { id: known.id }, { conversationId: null, hubMessageId: null, seq: null })
    const at = new Date(Date.now() + 1_000)
    const asBefore = { inboxId: inbox.id, messageId: 'a@spam.test', direction: 'in', conversationId: null, hubMessageId: null, seq: null, at } as const
    const more = { fromAddress: spammer, subject: '广告', references: '', rawFileId: null, state: 'received' } as const
    const unplaced = () => ({ ...asBefore, ...more, id: newId(), messageKey: newId(), externalId: newId() })
    await em.insertMany(LetterRow, Array.from({ length: 120 }, unplaced))
    const { body } = await world().reply(admin, conversationId, '每套 99 元')
    await fate(body.id, 'sent')
    const answer = readMail(sentTo(from)[0]?.raw as Buffer)
    assert.deepEqual([answer.subject, answer.answers], ['Re: 询价', [known.messageId]])
    assert.equal((await admin.call('DELETE', `${block}/${identityId}`)).status, 200)
    servers.renumber(address)
    servers.cut()
    await arrives(address, from, '询价', '后来的信')
    await incoming(inbox, '后来的信')
    assert.deepEqual((await rows(inbox)).map(({ text }) => text).sort(), ['第一封广告', '等着的信', '后来的信'].sort())
  })

  test('a colleague in copy who answers before we do is in the same conversation, also when its first letter had to wait; a stranger is not', async () => {
    const { inbox, address } = await shop()
    const [from, colleague] = [customer('waits'), customer('copied')]
    const now = new Date()
    const event = { kind: 'message' as const, externalId: newId(), from: { externalId: from }, parts: [{ type: 'text' as const, text: '先到的一句' }] }
    const dueAt = new Date(now.getTime() + 3_600_000)
    const parked = { id: newId(), inboxId: inbox.id, externalId: event.externalId, senderId: from, event, attempts: 1, error: '', dueAt, createdAt: now }
    await world().hub.em().insert(ParkedEvent, parked)
    const letterId = await arrives(address, from, '询价', '后到的信', [`Cc: ${colleague}`])
    await eventually(async () => (await world().hub.em().count(LetterRow, { inboxId: inbox.id, conversationId: null })) === 1, 'the wait')
    await world().hasten()
    const { conversationId } = await incoming(inbox, '后到的信')
    await arrives(address, customer('mallory'), 'Re: 询价', '我也想看', [`In-Reply-To: <${letterId}>`])
    assert.notEqual((await incoming(inbox, '我也想看')).conversationId, conversationId)
    await arrives(address, `韩梅梅 <${colleague}>`, 'Re: 询价', '我先补充', [`In-Reply-To: <${letterId}>`])
    const added = await incoming(inbox, '我先补充')
    assert.equal(added.conversationId, conversationId)
    // It is theirs, not the customer's.
    assert.deepEqual([added.meta?.from, added.meta?.relatedConversationId], [{ name: '韩梅梅', address: colleague }, undefined])
    // Once that has ended they begin one of their own, which says of which it is.
    const admin = await world().person('管理', 'admin')
    assert.equal((await admin.call('POST', `/api/conversations/${conversationId}/close`, {})).status, 200)
    await arrives(address, `韩梅梅 <${colleague}>`, 'Re: 询价', '还有一问', [`In-Reply-To: <${letterId}>`])
    const later = await incoming(inbox, '还有一问')
    assert.notEqual(later.conversationId, conversationId)
    assert.equal(later.meta?.relatedConversationId, conversationId)
  })

  test('our own address is ours under the mark of a conversation: an answer to all of it leads there, and nobody at that address is copied', async () => {
    const address = `d${newId().slice(-8).toLowerCase()}@shop.test`
    const inbox = await world().inbox('email', servers.settings(address, { pollSeconds: 5, saveSent: 'never', replyToken: true }))
    await listening(inbox)
    const [from, colleague] = [customer('wang'), customer('copied')]
    const agent = await world().person('小安', 'admin')
    await arrives(address, from, '询价', '多少钱')
    const { conversationId } = await incoming(inbox, '多少钱')
    await fate((await world().reply(agent, conversationId, '每套 99 元')).body.id, 'sent')
    const marked = readMail(sentTo(from)[0]?.raw as Buffer).replyTo[0]?.address as string
    assert.match(marked, /\+h[0-9a-z]{42}@/)
    // By nothing but the mark.
    await arrives(address, from, '换了主题', '那就要两套', [`Cc: "小安" <${marked.toUpperCase()}>, ${colleague}`])
    const answer = await incoming(inbox, '那就要两套')
    assert.equal(answer.conversationId, conversationId)
    assert.deepEqual(answer.meta?.cc, [{ name: '小安', address }, { address: colleague }])
    const { own } = (await agent.call('GET', `/api/conversations/${conversationId}/letterhead`)).body
    assert.deepEqual(
      [...(answer.meta?.to ?? []), ...(answer.meta?.cc ?? [])].flatMap((one) => (own.includes(one.address) ? [] : one.address)),
      [colleague],
    )
    const takePart = async () => (await world().hub.em().find(Participant, { conversationId }, { disableIdentityMap: true })).map((one) => one.address).sort()
    await eventually(async () => (await takePart()).includes(colleague), 'the colleague let in')
    // As the composer proposed it for letters that came before.
    const meta = { to: [{ address: from }, { address: marked }], cc: [{ address: marked }, { address: colleague }] }
    await fate((await world().reply(agent, conversationId, '已下单', { meta })).body.id, 'sent')
    const { to = [], raw } = sentTo(from).at(-1) ?? {}
    assert.deepEqual(readMail(raw as Buffer).to, [{ address: from }])
    assert.deepEqual([[...to].sort(), readMail(raw as Buffer).cc], [[colleague, from].sort(), [{ address: colleague }]])
    assert.deepEqual(await takePart(), [colleague, from].sort())
  })

  test('the same subject suggests a conversation to who took part in it, joins nothing, and tells a stranger nothing', async () => {
    const { inbox, address } = await shop()
    const [from, colleague] = [customer('han'), customer('mei')]
    await arrives(address, from, '年度合同', '请看合同', [`Cc: ${colleague}`])
    const first = await incoming(inbox, '请看合同')
    await arrives(address, colleague, '转发：Re: 年度 合同', '别的主题')
    await arrives(address, colleague, 'Re: 回复：年度合同', '我补充一点')
    const suggested = await incoming(inbox, '我补充一点')
    assert.notEqual(suggested.conversationId, first.conversationId)
    assert.equal(suggested.meta?.relatedConversationId, first.conversationId)
    assert.equal((await incoming(inbox, '别的主题')).meta?.relatedConversationId, undefined)
    await arrives(address, customer('stranger'), '年度合同', '我也想看')
    assert.equal((await incoming(inbox, '我也想看')).meta?.relatedConversationId, undefined)
    // Long ago is no reason.
    await world()
      .hub.em()
      .nativeUpdate(LetterRow, { inboxId: inbox.id }, { at: new Date(Date.now() - 20 * 86_400_000) })
    await arrives(address, colleague, '年度合同', '过了很久')
    assert.equal((await incoming(inbox, '过了很久')).meta?.relatedConversationId, undefined)
    assert.equal(await world().hub.em().count(Conversation, { inboxId: inbox.id }), 3)
  })

  test('the signature stands above the quotation with the agent’s name, and is told to the composer before', async () => {
    const { inbox, address } = await shop({ signature: '{agent}｜{sender}\nhttps://shop.example', quotePrevious: true })
    const from = customer('zheng')
    await arrives(address, from, '询价', '<b>旧的一封</b>', ['Content-Type: text/html; charset=utf-8'])
    const { conversationId } = await incoming(inbox, '旧的一封')
    const agent = await world().person('周敏', 'admin')
    const { body: head } = await agent.call('GET', `/api/conversations/${conversationId}/letterhead`)
    assert.deepEqual(head, {
      from: { name: '某某商城客服', address },
      own: [address],
      signature: '周敏｜某某商城客服\nhttps://shop.example',
      quotes: true,
    })
    const { body } = await agent.call('POST', `/api/conversations/${conversationId}/messages`, {
      clientId: newId(),
      parts: [{ type: 'html', html: '<p>两种：</p><ul><li>甲</li><li><b>乙</b></li></ul>', text: 'x' }],
    })
    await fate(body.id, 'sent')
    const letter = readMail(sentTo(from)[0]?.raw as Buffer)
    assert.match(letter.text ?? '', /^两种：\n\n- 甲\n- 乙\n\n-- \n周敏｜某某商城客服\nhttps:\/\/shop\.example\n\n在 .+ 写道：\n\n> 旧的一封/)
    assert.match(
      letter.html ?? '',
      /<li><b>乙<\/b><\/li>[\s\S]*周敏｜某某商城客服<br><a href="https:\/\/shop\.example">[\s\S]*<blockquote type="cite">旧的一封/,
    )
  })

  test('a letter that our own servers carry is a letter that others read', async () => {
    const { inbox, address } = await shop()
    const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
    await transport.sendMail({
      from: customer('ping'),
      to: address,
      subject: '附件',
      text: '.点开头的行\n..两点',
      attachments: [{ filename: '表.txt', content: '一' }],
    })
    transport.close()
    const got = await incoming(inbox, '点开头的行')
    assert.equal(got.text.startsWith('.点开头的行\n..两点'), true)
    assert.equal(got.parts.at(-1)?.type, 'file')
  })
})
