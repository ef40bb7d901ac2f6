/** The page of customers' phones: what one does there is done at the platform, what the platform got is shown there. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { WechatAccount } from '../../../core/sdk/testing.ts'
import { readMail } from '../../../plugins/email/server/read-mail.ts'
import { speech } from '../../support/amr.ts'
import type { Platforms } from '../../support/platforms.ts'

/** One line on a phone. `state`: how the platform fared with it. */
interface Line {
  id: string
  from: 'customer' | 'shop' | 'platform'
  kind: 'text' | 'image' | 'voice' | 'file' | 'event' | 'letter' | 'card'
  text: string
  subject?: string
  /** Of {@link Phone.files}. */
  file?: string
  at: number
  state?: 'sending' | 'taken' | 'refused' | 'recalled'
}

/** What a person does on the page. */
interface Deed {
  do: string
  text?: string
  subject?: string
  /** A picture or an attachment, base64. */
  file?: { name: string; type: string; base64: string }
}

/** The way to a platform, for all phones on it: nobody answers while it is shut. */
class Door {
  readonly #ways: { goDown(): Promise<() => Promise<void>> }[]
  #comeUp: (() => Promise<void>)[] | undefined
  constructor(...ways: { goDown(): Promise<() => Promise<void>> }[]) {
    this.#ways = ways
  }
  get shut(): boolean {
    return this.#comeUp !== undefined
  }
  async toggle(): Promise<void> {
    const comeUp = this.#comeUp
    if (comeUp) {
      await Promise.all(comeUp.map((open) => open()))
      this.#comeUp = undefined
    } else this.#comeUp = await Promise.all(this.#ways.map((way) => way.goDown()))
  }
}

/** One customer's phone on one platform. */
abstract class Phone {
  readonly id: string
  readonly lines: Line[] = []
  readonly files = new Map<string, { bytes: Buffer; type: string; name: string }>()
  readonly door: Door
  constructor(id: string, door: Door) {
    this.id = id
    this.door = door
  }

  note(line: Omit<Line, 'id' | 'at'>): Line {
    const full = { id: randomUUID(), at: Date.now(), ...line }
    this.lines.push(full)
    return full
  }
  keep(bytes: Buffer, type: string, name: string): string {
    const id = randomUUID()
    this.files.set(id, { bytes, type, name })
    return id
  }
  /** What the platform says, in both languages: `zh|en`. */
  tell(text: string): void {
    this.note({ from: 'platform', kind: 'event', text })
  }
  /** Says it on the phone, and whether the hub took it. */
  async said(line: Omit<Line, 'id' | 'at' | 'from' | 'state'>, deliver: () => Promise<boolean>): Promise<void> {
    const said = this.note({ from: 'customer', state: 'sending', ...line })
    said.state = (await deliver().catch(() => false)) ? 'taken' : 'refused'
  }
  /** Looks what the platform has got since. */
  abstract collect(): Promise<void>
  abstract act(deed: Deed): Promise<void>
}

class WechatPhone extends Phone {
  readonly #platforms: Platforms
  readonly #account: WechatAccount
  readonly #person: ReturnType<WechatAccount['person']>
  #shown = 0
  #last: (() => Promise<boolean>) | undefined

  constructor(id: string, door: Door, platforms: Platforms, account: WechatAccount) {
    super(id, door)
    this.#platforms = platforms
    this.#account = account
    this.#person = account.person()
  }

  async act({ do: what, text = '', file }: Deed): Promise<void> {
    const [account, person] = [this.#account, this.#person]
    const push = (fields: Record<string, unknown>): (() => Promise<boolean>) => {
      const msgId = account.nextMsgId()
      this.#last = async () => !(await account.says(person, fields, { msgId })).userSawUnavailable
      return this.#last
    }
    const event = async (label: string, name: string, fields: Record<string, unknown> = {}) => {
      this.tell(label)
      await account.event(person, name, fields)
    }
    if (what === 'text') await this.said({ kind: 'text', text }, push({ MsgType: 'text', Content: text }))
    else if (what === 'image' && file) {
      const bytes = Buffer.from(file.base64, 'base64')
      const MediaId = account.file('image', bytes, file.type)
      await this.said(
        { kind: 'image', text: file.name, file: this.keep(bytes, file.type, file.name) },
        push({ MsgType: 'image', PicUrl: `${this.#platforms.wechat.url}/pic`, MediaId }),
      )
    } else if (what === 'voice') {
      const MediaId = account.file('voice', speech(2), 'audio/amr')
      await this.said({ kind: 'voice', text: '2″' }, push({ MsgType: 'voice', MediaId, Format: 'amr', Recognition: '请问明天能发货吗？' }))
    } else if (what === 'location')
      await this.said(
        { kind: 'card', text: '杭州市西湖区龙井路 1 号' },
        push({ MsgType: 'location', Location_X: 30.2201, Location_Y: 120.1101, Scale: 15, Label: '杭州市西湖区龙井路 1 号' }),
      )
    else if (what === 'card')
      await this.said(
        { kind: 'card', text: '冰岛五寨 · 生普散茶' },
        push({
          MsgType: 'miniprogrampage',
          Title: '冰岛五寨 · 生普散茶',
          AppId: account.appId,
          PagePath: 'pages/goods?id=12',
          ThumbUrl: `${this.#platforms.wechat.url}/thumb`,
          ThumbMediaId: account.file('image', Buffer.from('thumb'), 'image/png'),
        }),
      )
    else if (what === 'follow') await event('关注了公众号|Followed the account', 'subscribe', { EventKey: 'qrscene_store-12', Ticket: 'ticket' })
    else if (what === 'scan') await event('扫描了门店二维码|Scanned the shop’s code', 'SCAN', { EventKey: 'store-12', Ticket: 'ticket' })
    else if (what === 'menu') await event('点击菜单「联系客服」|Tapped the menu “Contact us”', 'CLICK', { EventKey: 'service' })
    else if (what === 'enter') await event('进入客服会话|Entered the service', 'user_enter_tempsession', { SessionFrom: 'goods-17' })
    else if (what === 'again') {
      if (this.#last)
        this.tell(
          (await this.#last())
            ? '微信又推送了一次上一条，MsgId 相同|WeChat pushed the last one again, with the same MsgId'
            : '微信又推送了一次上一条，没有得到应答|WeChat pushed the last one again, without an answer',
        )
    } else if (what === 'rotate') {
      account.killTokens()
      this.tell('所有 access_token 已失效|Every access_token so far is dead')
    } else if (what === 'use-up') {
      for (const window of person.windows.values()) window.left = 0
      this.tell('可回复条数已用完（下一次发送得到 45047）|No replies left: the next send gets 45047')
    } else if (what === 'lose') {
      this.#platforms.wechat.fail('/cgi-bin/message/custom/send', 'cut after')
      this.tell('下一条回复会送达，但微信的应答会丢失|The next reply will arrive, and WeChat’s answer will be lost')
    } else if (what === 'down') await this.door.toggle()
  }

  async collect(): Promise<void> {
    const sent = this.#account.sent.slice(this.#shown)
    this.#shown += sent.length
    for (const { touser, msgtype, content } of sent) {
      if (touser !== this.#person.openid) continue
      const media = this.#account.media.get(content.media_id ?? '')
      if (msgtype === 'text') this.note({ from: 'shop', kind: 'text', text: content.content })
      else if (media)
        this.note({
          from: 'shop',
          kind: msgtype === 'image' ? 'image' : msgtype === 'voice' ? 'voice' : 'file',
          text: msgtype,
          file: this.keep(media.bytes, media.mime, msgtype),
        })
      else this.note({ from: 'shop', kind: 'card', text: content.articles?.[0]?.title ?? content.title ?? msgtype })
    }
  }
}

class DouyinPhone extends Phone {
  readonly #douyin: Platforms['douyin']
  readonly #customer = `_000${randomUUID().replaceAll('-', '')}`
  #shown = 0
  #last: (() => Promise<boolean>) | undefined
  #lastMessage: { id: string; line: Line | undefined } | undefined

  constructor(id: string, { douyin }: Platforms) {
    super(id, new Door(douyin.server))
    this.#douyin = douyin
  }

  async act({ do: what, text = '', file }: Deed): Promise<void> {
    const { server, operator } = this.#douyin
    const says = async (line: Omit<Line, 'id' | 'at' | 'from' | 'state'>, content: Record<string, unknown>) => {
      const before = server.deliveries.length
      await this.said(line, async () => {
        const { id } = await server.says(this.#customer, operator, content)
        this.#lastMessage = { id, line: this.lines.findLast(({ from }) => from === 'customer') }
        return server.deliveries[before]?.status === 200
      })
      this.#last = async () => {
        const message = server.messages.find(({ id }) => id === this.#lastMessage?.id)
        if (!message) return false
        const repeat = {
          conversation_short_id: server.conversationOf(this.#customer),
          server_message_id: message.id,
          conversation_type: 1,
          create_time: message.at,
          ...message.content,
        }
        return (await server.push('im_receive_msg', this.#customer, operator, repeat)).status === 200
      }
    }
    if (what === 'text') await says({ kind: 'text', text }, { message_type: 'text', text })
    else if (what === 'image' && file) {
      const bytes = Buffer.from(file.base64, 'base64')
      const name = randomUUID()
      server.files.set(name, bytes)
      await says({ kind: 'image', text: file.name, file: this.keep(bytes, file.type, file.name) }, { message_type: 'user_local_image', file: name })
    } else if (what === 'lead')
      await says(
        { kind: 'card', text: '留资卡片：林小满 / 13800138000' },
        {
          message_type: 'retain_consult_card',
          card_id: 'card-1',
          card_status: 2,
          card_data: [
            { label: '姓名', value: '林小满' },
            { label: '手机号', value: '13800138000' },
          ],
        },
      )
    else if (what === 'enter') {
      this.tell('打开了私信会话|Opened the chat')
      await server.enters(this.#customer, operator, { scene_type: 'video', objectId: '7300000000000000001', ad_info: { ad_name: '春茶上新' } })
    } else if (what === 'recall') {
      const message = server.messages.find(({ id }) => id === this.#lastMessage?.id)
      if (!message || message.recalled) return
      await server.recalls(message, operator, 'customer')
      if (this.#lastMessage?.line) this.#lastMessage.line.state = 'recalled'
    } else if (what === 'by-hand') await server.answersInApp(operator, this.#customer, text || '（店主在抖音里回复）您好，稍等')
    else if (what === 'again') {
      if (this.#last)
        this.tell(
          (await this.#last())
            ? '抖音又推送了一次上一条，编号相同|Douyin told the last one again, under the same id'
            : '抖音又推送了一次上一条，没有得到应答|Douyin told the last one again, without an answer',
        )
    } else if (what === 'rotate') {
      const account = server.operators.get(operator)
      if (account?.access) account.access.until = 0
      this.tell('授权令牌已过期|The operator’s token has ended')
    } else if (what === 'use-up') {
      server.faults.push({ path: '/im/send/msg/', code: 28003070 })
      this.tell('下一次发送得到 28003070（回复次数用完）|The next send gets 28003070: no replies left')
    } else if (what === 'lose') {
      server.faults.push({ path: '/im/send/msg/', cutAfter: true })
      this.tell('下一条回复会送达，但抖音的应答会丢失|The next reply will arrive, and Douyin’s answer will be lost')
    } else if (what === 'down') await this.door.toggle()
  }

  async collect(): Promise<void> {
    const { server } = this.#douyin
    const fresh = server.messages.slice(this.#shown)
    this.#shown += fresh.length
    for (const { customer, direction, content, upload } of fresh) {
      if (direction !== 'out' || customer !== this.#customer) continue
      const image = server.uploads.get(upload ?? '')
      if (content.message_type === 'text') this.note({ from: 'shop', kind: 'text', text: String(content.text) })
      else if (image) this.note({ from: 'shop', kind: 'image', text: '图片', file: this.keep(image, 'image/png', 'image') })
      else this.note({ from: 'shop', kind: 'card', text: String(content.message_type) })
    }
  }
}

class AppPhone extends Phone {
  readonly #app: Platforms['app']
  readonly #uploads: string
  readonly #customer = `user-${randomUUID().slice(0, 8)}`
  readonly #shown = new Set<string>()
  #last: { type: string; data: object; id: string; at: Date } | undefined

  constructor(id: string, { app }: Platforms, hub: string) {
    super(id, new Door(app.backend))
    this.#app = app
    this.#uploads = `${hub}/api/x/app/inboxes/${app.inboxId}/uploads`
  }

  async act({ do: what, text = '', file }: Deed): Promise<void> {
    const { backend, client } = this.#app
    const sender = { externalId: this.#customer, role: 'customer', name: '林小满', phone: '13900139000', verified: true }
    const says = (line: Omit<Line, 'id' | 'at' | 'from' | 'state'>, content: object[]) =>
      this.said(line, async () => {
        this.#last = { type: 'message.created', data: { ...backend.message(this.#customer, content), sender }, id: randomUUID(), at: new Date() }
        await client.tell(this.#last.type, this.#last.data, this.#last.id, this.#last.at)
        return true
      })
    if (what === 'text') await says({ kind: 'text', text }, [{ type: 'text', text }])
    else if (what === 'image' && file) {
      const bytes = Buffer.from(file.base64, 'base64')
      const { uploadId } = await client.upload(this.#uploads, file.name, new Uint8Array(bytes))
      await says({ kind: 'image', text: file.name, file: this.keep(bytes, file.type, file.name) }, [{ type: 'image', uploadId }])
    } else if (what === 'form') {
      this.tell('提交了「预约上门」表单|Sent the form “Visit at home”')
      await client.tell('form.submitted', {
        sender,
        externalFormId: randomUUID(),
        title: '预约上门',
        fields: [
          { label: '时间', value: '周六上午' },
          { label: '地址', value: '龙井路 1 号' },
        ],
      })
    } else if (what === 'enter') {
      this.tell('打开了 App 里的客服页|Opened the service page of the app')
      await client.tell('session.entered', { sender, page: '/goods/12', campaign: '春茶上新' })
    } else if (what === 'recall') {
      const data = this.#last?.data as { externalMessageId?: string } | undefined
      const line = this.lines.findLast(({ from }) => from === 'customer')
      if (!data?.externalMessageId || !line) return
      await client.tell('message.recalled', { sender, externalMessageId: data.externalMessageId })
      line.state = 'recalled'
    } else if (what === 'again') {
      if (!this.#last) return
      const { duplicate } = await client.tell(this.#last.type, this.#last.data, this.#last.id, this.#last.at)
      this.tell(
        duplicate
          ? 'App 又说了一次上一条：汇客答「已收到过」|The app said the last one again: the hub knew it'
          : 'App 又说了一次上一条|The app said the last one again',
      )
    } else if (what === 'lose') {
      backend.losing++
      this.tell('下一条回复会收到，但应答是错误；重发认得出来|The next reply will be taken and answered with an error; the repeat will be known')
    } else if (what === 'down') await this.door.toggle()
  }

  async collect(): Promise<void> {
    for (const { messageId, to, content } of this.#app.backend.got.values()) {
      if (to !== this.#customer || this.#shown.has(messageId)) continue
      this.#shown.add(messageId)
      for (const { type, text, url, name } of content) {
        if (type === 'text') this.note({ from: 'shop', kind: 'text', text: text ?? '' })
        else {
          const bytes = url
            ? await fetch(url).then(
                async (response) => Buffer.from(await response.arrayBuffer()),
                () => undefined,
              )
            : undefined
          this.note({
            from: 'shop',
            kind: type === 'image' ? 'image' : 'file',
            text: name ?? type,
            ...(bytes ? { file: this.keep(bytes, type === 'image' ? 'image/png' : 'application/octet-stream', name ?? type) } : {}),
          })
        }
      }
    }
  }
}

class MailPhone extends Phone {
  readonly #email: Exclude<Platforms['email'], string>
  readonly address = 'lin.xiaoman@customer.test'
  readonly #seen = new Set<number>()
  #last: (() => Promise<boolean>) | undefined
  #thread: { messageId: string; subject: string } | undefined
  #looking: Promise<void> | undefined

  constructor(id: string, email: Exclude<Platforms['email'], string>) {
    super(id, new Door(email.imap, email.smtp))
    this.#email = email
  }

  async act({ do: what, text = '', subject = '', file }: Deed): Promise<void> {
    if (what === 'text' || what === 'letter') {
      const messageId = `<${randomUUID()}@customer.test>`
      const answers = this.#thread
      const letter = {
        from: { name: '林小满', address: this.address },
        to: this.#email.address,
        date: new Date(),
        subject: subject || (answers ? `Re: ${answers.subject.replace(/^Re: /, '')}` : '咨询'),
        text,
        messageId,
        ...(answers && !subject ? { inReplyTo: answers.messageId, references: answers.messageId } : {}),
        ...(file ? { attachments: [{ filename: file.name, content: Buffer.from(file.base64, 'base64'), contentType: file.type }] } : {}),
      }
      this.#last = async () => {
        const transport = createTransport({ host: '127.0.0.1', port: this.#email.servers.smtpPort, secure: false, ignoreTLS: true })
        await transport.sendMail(letter)
        transport.close()
        return true
      }
      await this.said({ kind: 'letter', subject: letter.subject, text: file ? `${text}\n[${file.name}]` : text }, this.#last)
    } else if (what === 'again') {
      if (this.#last && (await this.#last())) this.tell('同一封信又投递了一次，Message-ID 相同|The same letter was delivered again, with its Message-ID')
    } else if (what === 'lose') {
      const release = this.#email.smtp.hold()
      this.tell('下一封回信会送达，但邮件服务器的应答会丢失|The next letter will arrive, and the server’s answer will be lost')
      const watch = setInterval(() => {
        if (this.#email.smtp.held === 0) return
        clearInterval(watch)
        this.#email.smtp.slam()
        release()
      }, 50)
      watch.unref()
    } else if (what === 'down') await this.door.toggle()
  }

  /** The customer's own mailbox, looked at by one connection at a time. */
  collect(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }
  async #look(): Promise<void> {
    const imap = await this.#email.servers.imap(this.address)
    try {
      await imap.mailboxOpen('INBOX')
      for await (const { uid, source } of imap.fetch('1:*', { uid: true, source: true })) {
        if (this.#seen.has(uid)) continue
        this.#seen.add(uid)
        const letter = readMail(source ?? Buffer.alloc(0))
        this.#thread = { messageId: `<${letter.messageId?.replace(/^<|>$/g, '') ?? ''}>`, subject: letter.subject }
        this.note({
          from: 'shop',
          kind: 'letter',
          subject: letter.subject,
          text: `${letter.text?.trim() ?? ''}${letter.files.map(({ name }) => `\n[${name}]`).join('')}`,
        })
      }
    } finally {
      await imap.logout().catch(() => undefined)
    }
  }
}

/** Opens the page on the port beside the hub's, or on any if that is taken. */
export async function openPhones(hub: string, platforms: Platforms): Promise<{ url: string; close(): Promise<void> }> {
  const wechat = new Door(platforms.wechat)
  const phones: Phone[] = [
    new WechatPhone('official', wechat, platforms, platforms.official.account),
    new WechatPhone('mini', wechat, platforms, platforms.mini.account),
    new DouyinPhone('douyin', platforms),
    new AppPhone('app', platforms, hub),
    new MailPhone('email', platforms.email),
  ]
  const page = (name: string) => readFileSync(join(import.meta.dirname, 'page', name))
  const types: Record<string, string> = { html: 'text/html', css: 'text/css', js: 'text/javascript' }
  const shop = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>山野茶事</title><link rel="stylesheet" href="/phones.css"><body class="shop"><h1>山野茶事</h1><p>老班章古树春茶 · 2026 头采</p><script async src="${hub}/widget.js" data-inbox="${platforms.website.inboxId}"></script></body></html>`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://x')
    const send = (status: number, type: string, body: string | Buffer) =>
      void response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(body)
    if (pathname === '/state') {
      await Promise.all(phones.filter(({ id }) => id !== 'email').map((phone) => phone.collect()))
      void phones.find(({ id }) => id === 'email')?.collect()
      return send(
        200,
        'application/json',
        JSON.stringify({
          hub,
          phones: phones.map(({ id, lines, door }) => ({ id, lines: lines.slice(-200), down: door.shut })),
        }),
      )
    }
    const [, what = '', id = '', file = ''] = pathname.split('/')
    const phone = phones.find((one) => one.id === id)
    if (what === 'do' && phone && request.method === 'POST') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      await phone.act(JSON.parse(Buffer.concat(chunks).toString()) as Deed)
      return send(200, 'application/json', '{}')
    }
    const kept = what === 'file' ? phone?.files.get(file) : undefined
    if (kept) return send(200, kept.type, kept.bytes)
    if (pathname === '/shop') return send(200, 'text/html', shop)
    const name = pathname === '/' ? 'phones.html' : pathname.slice(1)
    if (/^phones\.(html|css|js)$/.test(name)) return send(200, types[name.split('.')[1] ?? ''] ?? 'text/plain', page(name))
    send(404, 'text/plain', 'There is nothing here')
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end(error.message))
  })
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.removeListener('error', reject)
        resolve()
      })
    })
  await listen(Number(new URL(hub).port) + 1).catch(() => listen(0))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => closeAll(server) }
}

function closeAll(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
