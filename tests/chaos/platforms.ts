/**
 * Customers who write through platforms (WeChat, Douyin, an app, mail) and what can go wrong there. A platform says a thing
 * until it is taken, sometimes twice, sometimes the newer first, sometimes it breaks off in the middle; it is away for a
 * while, takes an agent's message and loses the answer. What the hub said yes to must be stored once; what it calls sent
 * must have arrived once; what nobody knows must be called so, unless the platform itself cleared it up.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { createTransport } from 'nodemailer'
import type { WechatAccount } from '../../core/sdk/testing.ts'
import { readMail } from '../../plugins/email/server/read-mail.ts'
import { type MailPlatform, openPlatforms, type Platforms } from '../support/platforms.ts'
import { type Cluster, owner } from './cluster.ts'
import { between, type Dice, pick, sleep } from './tools.ts'
import type { Truth } from './verify.ts'

export const channels = ['wechat', 'douyin', 'app', 'email'] as const
export type Channel = (typeof channels)[number]

interface Push {
  path: string
  headers: Record<string, string>
  body: Buffer
}

/** What a customer said, and what became of it at the door. */
interface Word {
  text: string
  /** `taken`: some try was answered as the platform wants it. `unknown`: no try was; the platform gave up. */
  fate: 'pending' | 'taken' | 'unknown'
  /** Tries that broke off without an answer. */
  broken: number
}

interface Customer {
  channel: Channel
  inboxId: string
  externalId: string
  said: Word[]
  /** Hands it over as often as the platform does. */
  say(word: Word, number: number): Promise<void>
}

export interface ChannelCounts {
  customers: number
  words: number
  repeated: number
  reordered: number
  cutMidBody: number
  broken: number
  /** Stored although no try of it was ever answered: committed, and the answer lost. */
  committedUnanswered: number
  downs: number
  killedSending: number
  answersLost: number
  out: Record<string, number>
  /** Why what agents said failed, and how often. */
  failures: Record<string, number>
  arrived: number
  losses: string[]
  doubles: string[]
  /** Of unknown fate and not marked so, failed though it arrived, never settled. */
  unmarked: string[]
}

const newCounts = (): ChannelCounts => ({
  customers: 0,
  words: 0,
  repeated: 0,
  reordered: 0,
  cutMidBody: 0,
  broken: 0,
  committedUnanswered: 0,
  downs: 0,
  killedSending: 0,
  answersLost: 0,
  out: {},
  failures: {},
  arrived: 0,
  losses: [],
  doubles: [],
  unmarked: [],
})

/** One request to a webhook; `cutAt`: so many bytes of the body, then silence for good. Rejects when there is no answer. */
function post(agent: HttpAgent, base: string, { path, headers, body }: Push, cutAt?: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      new URL(path, base),
      { method: 'POST', agent, timeout: 5_000, headers: { ...headers, 'content-length': body.length } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          response.complete ? resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }) : reject(new Error('the answer broke off')),
        )
      },
    )
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', reject)
    if (cutAt === undefined) return void request.end(body)
    request.write(body.subarray(0, cutAt), () => request.destroy(new Error('cut off')))
  })
}

export class PlatformCrowd {
  readonly platforms: Platforms
  readonly counts = new Map<Channel, ChannelCounts>(channels.map((channel) => [channel, newCounts()]))
  readonly #customers: Customer[] = []
  readonly #cluster: Cluster
  readonly #dice: Dice
  readonly #agent = new HttpAgent({ keepAlive: true, maxSockets: 64, localAddress: '127.0.9.9' } as object)
  readonly #back = new Set<Promise<void>>()
  /** Texts whose sender was killed while the platform kept its answer. */
  readonly #interrupted: { channel: Channel; text: string }[] = []
  readonly #downMs: number
  #giveUp: AbortSignal

  private constructor(cluster: Cluster, platforms: Platforms, dice: Dice, downMs: number, giveUp: AbortSignal) {
    this.#cluster = cluster
    this.platforms = platforms
    this.#dice = dice
    this.#downMs = downMs
    this.#giveUp = giveUp
  }

  /** @param each customers of each channel */
  static async open(cluster: Cluster, dice: Dice, each: number, downMs: number, giveUp: AbortSignal): Promise<PlatformCrowd> {
    const platforms = await openPlatforms(cluster.bases[0] ?? '', { ...owner, replies: 20, mailSettings: { quotePrevious: false, pollSeconds: 5 } })
    const crowd = new PlatformCrowd(cluster, platforms, dice, downMs, giveUp)
    for (let i = 1; i <= each; i++) {
      // Every third is a mini-program's: JSON with numbers above 2^53.
      crowd.#wechatCustomer(i % 3 === 0 ? platforms.mini : platforms.official, `wechat-${i}`)
      crowd.#douyinCustomer(`douyin-${i}`)
      crowd.#appCustomer(`app-${i}`)
      crowd.#mailCustomer(platforms.email, `mail-${i}`)
    }
    return crowd
  }

  #count(channel: Channel): ChannelCounts {
    return this.counts.get(channel) as ChannelCounts
  }

  /** A customer whose words come by webhooks. */
  #add(
    channel: Channel,
    inboxId: string,
    externalId: string,
    name: string,
    push: (text: string, id: string) => Push,
    isTaken: (status: number, body: string) => boolean,
  ): void {
    const counts = this.#count(channel)
    counts.customers++
    const deliver = async (word: Word, made: Push): Promise<void> => {
      const { bases } = this.#cluster
      const tries = this.#dice() < 0.3 ? 1 : 40
      for (let i = 0; i < tries && word.fate !== 'taken'; i++) {
        if (i > 0) await sleep(between(this.#dice, 100, 900), this.#giveUp)
        try {
          const { status, body } = await post(this.#agent, pick(this.#dice, bases) ?? '', made)
          if (isTaken(status, body)) word.fate = 'taken'
        } catch {
          word.broken++
          counts.broken++
        }
        if (this.#giveUp.aborted) break
      }
      if (word.fate === 'pending') word.fate = 'unknown'
    }
    const customer: Customer = {
      channel,
      inboxId,
      externalId,
      said: [],
      say: async (word, number) => {
        const made = push(word.text, `${name}-${number}`)
        const luck = this.#dice()
        if (luck < 0.15) {
          counts.cutMidBody++
          await post(this.#agent, this.#cluster.bases[0] ?? '', made, Math.floor(between(this.#dice, 0, made.body.length))).catch(() => undefined)
        } else if (luck < 0.35) {
          counts.repeated++
          await Promise.all([deliver(word, made), deliver(word, made)])
        } else if (luck < 0.5) {
          // Two at once, the newer on its way first.
          counts.reordered++
          const next = { text: `${name} says ${customer.said.length + 1}`, fate: 'pending', broken: 0 } as Word
          customer.said.push(next)
          await Promise.all([deliver(next, push(next.text, `${name}-${customer.said.length}`)), deliver(word, made)])
          return
        }
        await deliver(word, made)
        // Long after: a platform that lost our answer tells it again.
        if (this.#dice() < 0.1) {
          counts.repeated++
          await post(this.#agent, pick(this.#dice, this.#cluster.bases) ?? '', made).catch(() => undefined)
        }
      },
    }
    this.#customers.push(customer)
    this.#names.set(customer, name)
  }
  readonly #names = new Map<Customer, string>()

  #wechatCustomer({ inboxId, account }: { inboxId: string; account: WechatAccount }, name: string): void {
    const person = account.person()
    this.#add(
      'wechat',
      inboxId,
      person.openid,
      name,
      (text) => {
        account.heard(person)
        const { query, body, type } = account.seal({
          ToUserName: account.originalId,
          FromUserName: person.openid,
          CreateTime: Math.floor(Date.now() / 1_000),
          MsgType: 'text',
          Content: text,
          MsgId: BigInt(account.nextMsgId()),
        })
        return { path: `/api/channels/wechat/${inboxId}?${query}`, headers: { 'content-type': type }, body: Buffer.from(body) }
      },
      (status, body) => status === 200 && body === 'success',
    )
  }

  #douyinCustomer(name: string): void {
    const { inboxId, server, operator } = this.platforms.douyin
    const customer = `_000${name}-${randomUUID().slice(0, 8)}`
    this.#add(
      'douyin',
      inboxId,
      customer,
      name,
      (text) => {
        const message = server.note(customer, 'in', { message_type: 'text', text })
        const content = {
          conversation_short_id: server.conversationOf(customer),
          server_message_id: message.id,
          conversation_type: 1,
          create_time: message.at,
          user_infos: [{ open_id: customer, nick_name: name, avatar: '' }],
          ...message.content,
        }
        const event = { event: 'im_receive_msg', client_key: server.clientKey, from_user_id: customer, to_user_id: operator }
        const body = JSON.stringify({ ...event, content: this.#dice() < 0.5 ? content : JSON.stringify(content) })
        const signature = createHash('sha1')
          .update(server.clientSecret + body)
          .digest('hex')
        const headers = { 'content-type': 'application/json', 'x-douyin-signature': signature, 'msg-id': randomUUID() }
        return { path: `/api/channels/douyin/${inboxId}`, headers, body: Buffer.from(body) }
      },
      (status) => status === 200,
    )
  }

  #appCustomer(name: string): void {
    const { inboxId, backend, eventsUrl } = this.platforms.app
    this.#add(
      'app',
      inboxId,
      name,
      name,
      (text, id) => {
        const body = JSON.stringify({ type: 'message.created', data: backend.message(name, [{ type: 'text', text }], id) })
        const [webhookId, timestamp] = [`${id}-${randomUUID()}`, String(Math.floor(Date.now() / 1_000))]
        const signature = createHmac('sha256', Buffer.from(backend.secret.slice(6), 'base64'))
          .update(`${webhookId}.${timestamp}.${body}`)
          .digest('base64')
        const headers = { 'content-type': 'application/json', 'webhook-id': webhookId, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
        return { path: new URL(eventsUrl).pathname, headers, body: Buffer.from(body) }
      },
      (status) => status === 202 || status === 200,
    )
  }

  /** Postfix takes the letter from the customer, and from then on it is the hub's to fetch. */
  #mailCustomer({ inboxId, address, servers }: MailPlatform, name: string): void {
    const from = `${name}@customer.test`
    this.#count('email').customers++
    const customer: Customer = {
      channel: 'email',
      inboxId,
      externalId: from,
      said: [],
      say: async (word, number) => {
        const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
        // Its date too: a letter that is delivered twice is the same letter.
        const letter = {
          from,
          to: address,
          date: new Date(),
          subject: `chaos ${name}`,
          text: word.text,
          messageId: `<${name}-${number}-${randomUUID()}@customer.test>`,
        }
        const twice = this.#dice() < 0.15
        // Some servers deliver the same letter twice.
        for (let i = 0; i < (twice ? 2 : 1); i++) await transport.sendMail(letter)
        if (twice) this.#count('email').repeated++
        word.fate = 'taken'
        transport.close()
      },
    }
    this.#customers.push(customer)
    this.#names.set(customer, name)
  }

  /** Customers talk until told to stop; what was begun is brought to its end. */
  async talk(stop: AbortSignal): Promise<void> {
    await Promise.all(
      this.#customers.map(async (customer) => {
        for (;;) {
          await sleep(customer.channel === 'email' ? between(this.#dice, 2_000, 7_000) : between(this.#dice, 500, 4_000), stop)
          if (stop.aborted) return
          const word: Word = { text: `${this.#names.get(customer)} says ${customer.said.length + 1}`, fate: 'pending', broken: 0 }
          customer.said.push(word)
          await customer.say(word, customer.said.length)
        }
      }),
    )
  }

  readonly kinds = [
    'platform away',
    'answer to a send lost',
    'killed between send and receipt',
    'killed with webhooks on their way',
    'WeChat token dead',
  ] as const

  async harm(kind: string): Promise<boolean> {
    const { wechat, douyin, app, email } = this.platforms
    const channel = pick(this.#dice, channels) as Channel
    if (kind === 'platform away') return this.#away(channel)
    if (kind === 'answer to a send lost') {
      if (channel === 'wechat') wechat.fail('/cgi-bin/message/custom/send', pick(this.#dice, ['cut after', { status: 502 }] as const) ?? 'cut after')
      else if (channel === 'douyin') douyin.server.faults.push({ path: '/im/send/msg/', cutAfter: true })
      else if (channel === 'app') app.backend.losing++
      else {
        const release = email.smtp.hold()
        void this.#untilHeld(() => email.smtp.held).then(() => {
          email.smtp.slam()
          release()
        })
      }
      this.#count(channel).answersLost++
      return true
    }
    if (kind === 'killed between send and receipt') return this.#killSending(channel)
    if (kind === 'killed with webhooks on their way') {
      // Everybody writes at the same moment.
      for (const customer of this.#customers.filter(({ channel }) => channel !== 'email')) {
        const word: Word = { text: `${this.#names.get(customer)} says ${customer.said.length + 1}`, fate: 'pending', broken: 0 }
        customer.said.push(word)
        this.#keep(customer.say(word, customer.said.length))
      }
      await sleep(between(this.#dice, 3, 40))
      return this.#cluster.strike('receiver')
    }
    for (const { account } of [this.platforms.official, this.platforms.mini]) account.killTokens()
    return true
  }

  #keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#back.delete(kept))
    this.#back.add(kept)
  }

  readonly #down = new Set<Channel>()
  async #away(channel: Channel): Promise<boolean> {
    if (this.#down.has(channel)) return false
    this.#down.add(channel)
    this.#count(channel).downs++
    const { wechat, douyin, app, email } = this.platforms
    const doors = channel === 'wechat' ? [wechat] : channel === 'douyin' ? [douyin.server] : channel === 'app' ? [app.backend] : [email.imap, email.smtp]
    const back = await Promise.all(doors.map((door) => door.goDown()))
    this.#keep(
      sleep(this.#downMs, this.#healing.signal).then(async () => {
        await Promise.all(back.map((comeUp) => comeUp()))
        this.#down.delete(channel)
      }),
    )
    return true
  }
  readonly #healing = new AbortController()

  async #untilHeld(held: () => number): Promise<number> {
    for (let i = 0; i < 80 && held() === 0 && !this.#healing.signal.aborted; i++) await sleep(50)
    return held()
  }

  /** The platform takes agents' messages and keeps its answers; whoever was sending is killed. */
  async #killSending(channel: Channel): Promise<boolean> {
    const { wechat, douyin, app, email } = this.platforms
    if (this.#down.has(channel)) return false
    let release: () => void
    let held: () => number
    if (channel === 'wechat') {
      release = wechat.hold()
      const count = this.#arrivedNow('wechat').length
      held = () => this.#arrivedNow('wechat').length - count
    } else if (channel === 'douyin') {
      const holding = Promise.withResolvers<void>()
      douyin.server.held = holding.promise
      release = () => {
        douyin.server.held = undefined
        holding.resolve()
      }
      const count = this.#arrivedNow('douyin').length
      held = () => this.#arrivedNow('douyin').length - count
    } else if (channel === 'app') {
      release = app.backend.hold()
      held = () => app.backend.held
    } else {
      release = email.smtp.hold()
      held = () => email.smtp.held
    }
    // From here on the answer to whatever arrives is kept.
    const before = new Set(this.#arrivedNow(channel))
    try {
      if ((await this.#untilHeld(held)) === 0) return false
      const killed = await this.#cluster.strike('sender')
      if (!killed) return false
      this.#count(channel).killedSending++
      for (const text of this.#arrivedNow(channel)) if (!before.has(text)) this.#interrupted.push({ channel, text })
      return true
    } finally {
      release()
    }
  }

  /** Agents' texts as customers have them, one for each time they have it. */
  #arrivedNow(channel: Channel): string[] {
    const { official, mini, douyin, app } = this.platforms
    if (channel === 'wechat') return [...official.account.sent, ...mini.account.sent].map(({ content }) => String(content.content))
    if (channel === 'douyin') return douyin.server.messages.filter(({ direction }) => direction === 'out').map(({ content }) => String(content.text))
    if (channel === 'app') return [...app.backend.got.values()].map(({ content }) => String(content[0]?.text))
    return this.#letters ?? []
  }
  #letters: string[] | undefined

  async #readLetters({ servers }: MailPlatform): Promise<string[]> {
    const texts: string[] = []
    for (const { externalId } of this.#customers.filter(({ channel }) => channel === 'email')) {
      const imap = await servers.imap(externalId)
      await imap.mailboxOpen('INBOX')
      for await (const { source } of imap.fetch('1:*', { source: true }))
        texts.push(/agent-\d+ answers \d+/.exec(readMail(source ?? Buffer.alloc(0)).text ?? '')?.[0] ?? '?')
      await imap.logout()
    }
    return texts
  }

  /** Everything is well again; resolves when what was begun is done. */
  async heal(): Promise<void> {
    this.#healing.abort()
    this.platforms.wechat.mend()
    this.platforms.douyin.server.faults = []
    this.platforms.app.backend.losing = 0
    while (this.#back.size > 0) await Promise.allSettled(this.#back)
  }

  /** What is not in the database yet though it was taken (letters are fetched in their own time), and what has no fate yet. */
  behind(truth: Truth): string[] {
    const stored = new Set(truth.messages.filter(({ direction }) => direction === 'in').map(({ text }) => text.split('\n')[0]?.trim() ?? ''))
    const late = this.#customers
      .filter(({ channel }) => channel === 'email')
      .flatMap(({ said }) => said.filter(({ text, fate }) => fate === 'taken' && !stored.has(text)))
    const open = truth.messages.filter(({ status, direction }) => direction === 'out' && (status === 'queued' || status === 'sending'))
    return [
      ...(late.length > 0 ? [`${late.length} letters are not fetched yet`] : []),
      ...(open.length > 0 ? [`${open.length} messages of agents have no fate yet, one of them ${open[0]?.text}: ${open[0]?.status}`] : []),
    ]
  }

  /** Holds the platforms' word against the rows. Reads customers' mailboxes. */
  async judge(truth: Truth): Promise<void> {
    await this.platforms.douyin.server.settled()
    this.#letters = await this.#readLetters(this.platforms.email)
    const line = (text: string) => text.split('\n')[0]?.trim() ?? ''
    const incoming = Map.groupBy(
      truth.messages.filter(({ direction }) => direction === 'in'),
      ({ text }) => line(text),
    )
    const inboxOf = new Map(truth.conversations.map(({ id, inbox_id }) => [id, inbox_id]))
    const ownerOf = new Map(truth.conversations.map(({ id, external_id }) => [id, external_id]))
    for (const { channel, externalId, said } of this.#customers) {
      const counts = this.#count(channel)
      counts.words += said.length
      for (const { text, fate } of said) {
        const rows = incoming.get(text) ?? []
        if (rows.length > 1) counts.doubles.push(`${text}: ${rows.length} times`)
        if (fate === 'taken' && (rows.length === 0 || ownerOf.get(rows[0]?.conversation_id ?? '') !== externalId)) counts.losses.push(text)
        if (fate !== 'taken' && rows.length === 1) counts.committedUnanswered++
      }
    }
    const channelOf = new Map<string, Channel>([
      [this.platforms.official.inboxId, 'wechat'],
      [this.platforms.mini.inboxId, 'wechat'],
      [this.platforms.douyin.inboxId, 'douyin'],
      [this.platforms.app.inboxId, 'app'],
      [this.platforms.email.inboxId, 'email'],
    ])
    for (const channel of channels) {
      const counts = this.#count(channel)
      const arrived = Map.groupBy(this.#arrivedNow(channel), (text) => text)
      counts.arrived = [...arrived.values()].reduce((sum, { length }) => sum + length, 0)
      const rows = truth.messages.filter(
        ({ direction, conversation_id }) => direction === 'out' && channelOf.get(inboxOf.get(conversation_id) ?? '') === channel,
      )
      const statusOf = new Map(rows.map(({ text, status }) => [text, status]))
      for (const { text, status, failure } of rows) {
        const shown = ['delivered', 'read'].includes(status) ? 'sent' : status
        counts.out[shown] = (counts.out[shown] ?? 0) + 1
        if (shown === 'failed') counts.failures[failure ?? 'no reason'] = (counts.failures[failure ?? 'no reason'] ?? 0) + 1
        const times = arrived.get(text)?.length ?? 0
        if (times > 1) counts.doubles.push(`${text}: arrived ${times} times, called ${status}`)
        if (shown === 'sent' && times === 0) counts.losses.push(`${text}: called ${status}, never arrived`)
        if (shown === 'failed' && times > 0) counts.unmarked.push(`${text}: called failed, and arrived`)
        if (!['sent', 'failed', 'uncertain', 'recalled'].includes(shown)) counts.unmarked.push(`${text}: still ${status}`)
      }
      for (const text of arrived.keys()) if (!statusOf.has(text)) counts.unmarked.push(`${text}: arrived, and is not in the hub`)
      for (const { text } of this.#interrupted.filter((one) => one.channel === channel)) {
        const status = statusOf.get(text)
        // Douyin's echo tells that it arrived, the app knows a repeat: both may end as sent.
        const fine = channel === 'wechat' ? ['uncertain'] : ['uncertain', 'sent', 'delivered', 'read']
        if (!fine.includes(status ?? '')) counts.unmarked.push(`${text}: its sender was killed before the answer, and it is called ${status}`)
      }
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    await this.platforms.stop()
  }
}
