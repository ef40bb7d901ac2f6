/**
 * A Douyin open platform of our own making, for tests and the demonstration world. It is NOT Douyin: it behaves as the
 * public documents and integrators' reports say the real one does, and shares no code with the plugin that talks to it.
 * Webhooks signed with SHA-1(secret + body), content as an object or as a string, repeats with the same Msg-Id, echoes
 * of what was sent (sometimes before the send is answered), reply windows with their codes, tokens that end and renew
 * five times, errors with HTTP 200 in three shapes.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Delivery {
  event: string
  msgId: string
  status: number
  body: string
  attempts: number
}
export interface DouyinFault {
  /** Beginning of the path. */
  path: string
  /** Refuse with this code. */
  code?: number
  shape?: 'extra' | 'data' | 'err_no'
  /** Answer with this status and no JSON. */
  status?: number
  /** Do the work, then cut the connection without an answer. */
  cutAfter?: boolean
  /** Cut the connection at once. */
  cut?: boolean
  times?: number
}
export interface SimulatedMessage {
  id: string
  customer: string
  direction: 'in' | 'out'
  content: Record<string, unknown>
  at: number
  scene?: string
  recalled?: boolean
  /** The picture it shows, one of {@link DouyinServer.uploads}. */
  upload?: string
}
interface Operator {
  openId: string
  nickname: string
  access: { token: string; until: number } | undefined
  refresh: { token: string; until: number } | undefined
  renewals: number
}

const day = 86_400_000
const random = (prefix: string) => `${prefix}${randomBytes(12).toString('base64url')}`
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export class DouyinServer {
  readonly clientKey = random('aw')
  readonly clientSecret = random('secret')
  readonly operators = new Map<string, Operator>()
  readonly messages: SimulatedMessage[] = []
  readonly deliveries: Delivery[] = []
  /** Every call that came, by path. */
  readonly calls: { path: string; status: number; body: unknown }[] = []
  readonly uploads = new Map<string, Buffer>()
  readonly files = new Map<string, Buffer>()
  faults: DouyinFault[] = []
  /** While it is set, sends are done at once and answered when it resolves. */
  held: Promise<void> | undefined
  /** Where events go; set by what the admin would type into the console. */
  webhookUrl = ''
  contentAs: 'object' | 'string' = 'object'
  echo: 'before' | 'after' | 'never' = 'after'
  /** The platform's own numbers: five seconds, three repeats. Tests shorten them. */
  cutMs = 5_000
  retryMs = 5_000
  retries = 3
  /**
   * Since a July the platform masks phone numbers in what customers write (138****5678), unless the account has a capability
   * of its own for reading them.
   */
  masksPhones = false
  #port = 0
  #skew = 0
  #codes = new Map<string, string>()
  #client: { token: string; until: number }[] = []
  #msgIds = 0
  /** By the customer's message or the opening of the chat: how often it has been answered. */
  #answers = new Map<string, number>()
  #openings = new Map<string, { customer: string; at: number }>()
  readonly #server: Server
  readonly #running = new Set<Promise<unknown>>()

  constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response).catch(() => response.destroy()))
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
    return this
  }
  async stop(): Promise<void> {
    await this.#close()
    await Promise.allSettled(this.#running)
  }
  async #close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
  /** Nobody answers at its address until the returned function is called. */
  async goDown(): Promise<() => Promise<void>> {
    await this.#close()
    return async () => void (await this.start(this.#port))
  }
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }
  now(): number {
    return Date.now() + this.#skew
  }
  /** The platform's clock goes ahead. */
  advance(ms: number): void {
    this.#skew += ms
  }

  // ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────

  operator(openId = random('_000operator'), nickname = '云杉家居旗舰店'): Operator {
    const operator: Operator = { openId, nickname, access: undefined, refresh: undefined, renewals: 0 }
    this.operators.set(openId, operator)
    return operator
  }
  /** The operator confirms with the app: what the redirect would carry. */
  consent(openId: string): string {
    const code = random('code')
    this.#codes.set(code, openId)
    return code
  }
  /** The operator takes it back, in the app. */
  async revoke(openId: string, tell = true): Promise<void> {
    const operator = this.operators.get(openId)
    if (operator) operator.access = operator.refresh = undefined
    if (tell) await this.push('unauthorize', openId, '', {})
  }

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A customer's message; resolves when the webhook was taken or given up. */
  async says(
    customer: string,
    operator: string,
    content: Record<string, unknown> | string,
    options: { repeats?: number; nickname?: string } = {},
  ): Promise<SimulatedMessage> {
    const message = this.note(customer, 'in', typeof content === 'string' ? { message_type: 'text', text: content } : content)
    await this.push('im_receive_msg', customer, operator, this.#content(message, customer, options.nickname), { repeats: options.repeats ?? 0 })
    return message
  }
  /** The operator answers by hand, in the Douyin app. */
  async answersInApp(operator: string, customer: string, text: string): Promise<SimulatedMessage> {
    const message = this.note(customer, 'out', { message_type: 'text', text })
    await this.push('im_send_msg', operator, customer, { ...this.#content(message, customer), source: '' })
    return message
  }
  async enters(customer: string, operator: string, more: Record<string, unknown> = {}): Promise<string> {
    const id = random('@enter')
    this.#openings.set(id, { customer, at: this.now() })
    await this.push('im_enter_direct_msg', customer, operator, {
      conversation_short_id: this.conversationOf(customer),
      server_message_id: id,
      create_time: this.now(),
      user_infos: [{ open_id: customer, nick_name: '林小满', avatar: 'https://p3.douyinpic.com/avatar.jpeg' }],
      ...more,
    })
    return id
  }
  async recalls(message: SimulatedMessage, operator: string, by: 'customer' | 'operator'): Promise<void> {
    message.recalled = true
    const [from, to] = by === 'customer' ? [message.customer, operator] : [operator, message.customer]
    await this.push('im_recall_msg', from, to, {
      conversation_short_id: this.conversationOf(message.customer),
      server_message_id: message.id,
      create_time: this.now(),
    })
  }

  note(customer: string, direction: 'in' | 'out', content: Record<string, unknown>, scene?: string): SimulatedMessage {
    const message: SimulatedMessage = { id: random('@9VwPrcjN'), customer, direction, content, at: this.now(), ...(scene ? { scene } : {}) }
    this.messages.push(message)
    return message
  }
  conversationOf = (customer: string): string => `@conv${createHash('sha256').update(customer).digest('base64url')}`

  #content(message: SimulatedMessage, customer: string, nickname = '林小满'): Record<string, unknown> {
    return {
      conversation_short_id: this.conversationOf(customer),
      server_message_id: message.id,
      conversation_type: 1,
      create_time: message.at,
      user_infos: [{ open_id: customer, nick_name: nickname, avatar: 'https://p3.douyinpic.com/avatar.jpeg' }],
      ...(this.masksPhones && message.direction === 'in' ? masked(message.content) : message.content),
    }
  }

  /** Tells the webhook, as often as it takes. */
  async push(
    event: string,
    from: string,
    to: string,
    content: Record<string, unknown>,
    options: { repeats?: number; msgId?: string; as?: 'object' | 'string'; secret?: string } = {},
  ): Promise<Delivery> {
    const asString = (options.as ?? this.contentAs) === 'string'
    const body = JSON.stringify({
      event,
      client_key: this.clientKey,
      from_user_id: from,
      to_user_id: to,
      log_id: random('log'),
      content: asString ? JSON.stringify(content) : content,
    })
    const msgId = options.msgId ?? `msg-${++this.#msgIds}-${random('')}`
    const work = (async () => {
      const [first] = await Promise.all(Array.from({ length: 1 + (options.repeats ?? 0) }, () => this.#deliver(event, msgId, body, options.secret)))
      return first as Delivery
    })()
    this.#running.add(work)
    return work.finally(() => this.#running.delete(work))
  }

  async #deliver(event: string, msgId: string, body: string, secret = this.clientSecret): Promise<Delivery> {
    const signature = createHash('sha1')
      .update(secret + body)
      .digest('hex')
    const delivery: Delivery = { event, msgId, status: 0, body: '', attempts: 0 }
    this.deliveries.push(delivery)
    for (let attempt = 0; attempt <= this.retries; attempt++) {
      if (attempt > 0) await sleep(this.retryMs)
      delivery.attempts++
      try {
        const response = await fetch(this.webhookUrl, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-douyin-signature': signature, 'msg-id': msgId },
          body,
          signal: AbortSignal.timeout(this.cutMs),
        })
        delivery.status = response.status
        delivery.body = await response.text()
        if (response.ok) break
      } catch {
        delivery.status = 0
      }
    }
    return delivery
  }

  /** The trial when the address is saved in the console. True when the challenge came back as it was. */
  async verifyWebhook(options: { signed?: boolean; challenge?: number | string } = {}): Promise<boolean> {
    const challenge = options.challenge ?? 12345
    const body = JSON.stringify({ event: 'verify_webhook', client_key: this.clientKey, content: { challenge } })
    const signature = createHash('sha1')
      .update(this.clientSecret + body)
      .digest('hex')
    const response = await fetch(this.webhookUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(options.signed === false ? {} : { 'x-douyin-signature': signature }) },
      body,
    })
    if (!response.ok) return false
    return ((await response.json()) as { challenge?: unknown }).challenge === challenge
  }

  /** Waits for pushes that are still under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  // ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    const type = request.headers['content-type'] ?? ''
    const body = type.includes('json')
      ? JSON.parse(bytes.toString() || '{}')
      : type.includes('urlencoded')
        ? Object.fromEntries(new URLSearchParams(bytes.toString()))
        : bytes
    const call = { path: url.pathname, status: 200, body }
    this.calls.push(call)

    const fault = this.faults.find((one) => url.pathname.startsWith(one.path))
    if (fault) {
      fault.times = (fault.times ?? 1) - 1
      if (fault.times <= 0) this.faults = this.faults.filter((one) => one !== fault)
      if (fault.cut) return void response.destroy()
      if (fault.status) return void response.writeHead((call.status = fault.status), { 'content-type': 'text/html' }).end('<html>gateway</html>')
      if (fault.code) return void this.#json(response, refusal(fault.code, fault.shape ?? 'extra'))
    }
    if (url.pathname === '/platform/oauth/connect/') return this.#connect(url, response)
    if (url.pathname.startsWith('/files/')) {
      const file = this.files.get(url.pathname.slice('/files/'.length))
      return void (file ? response.writeHead(200, { 'content-type': 'image/png' }).end(file) : response.writeHead(404).end())
    }
    const answer = await this.#answer(url, request, body)
    if (url.pathname === '/im/send/msg/') await this.held
    if (fault?.cutAfter) return void response.destroy()
    this.#json(response, answer)
  }

  #json(response: ServerResponse, body: unknown): void {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  /** The page with the QR code: here the first operator confirms at once, or the one of `operator`. */
  #connect(url: URL, response: ServerResponse): void {
    const back = new URL(url.searchParams.get('redirect_uri') ?? '')
    const openId = url.searchParams.get('operator') ?? [...this.operators.keys()][0] ?? ''
    if (url.searchParams.get('client_key') === this.clientKey && openId) back.searchParams.set('code', this.consent(openId))
    back.searchParams.set('state', url.searchParams.get('state') ?? '')
    response.writeHead(302, { location: back.href }).end()
  }

  async #answer(url: URL, request: IncomingMessage, body: any): Promise<unknown> {
    switch (url.pathname) {
      case '/oauth/access_token/':
        return this.#accessToken(body)
      case '/oauth/refresh_token/':
        return this.#refreshToken(body)
      case '/oauth/renew_refresh_token/':
        return this.#renew(body)
      case '/oauth/client_token/': {
        if (body.client_key !== this.clientKey || body.client_secret !== this.clientSecret) return refusal(10003, 'data')
        // The one before lives for five more minutes.
        for (const old of this.#client) old.until = Math.min(old.until, this.now() + 5 * 60_000)
        const token = random('clt.')
        this.#client.push({ token, until: this.now() + 7_200_000 })
        return { data: { access_token: token, expires_in: '7200', error_code: 0, description: '' }, message: 'success' }
      }
      case '/oauth/userinfo/': {
        const operator = this.#byToken(request.headers.access_token as string)
        return operator ? { data: { open_id: operator.openId, nickname: operator.nickname, error_code: 0 }, message: 'success' } : refusal(2190008, 'data')
      }
      case '/tool/imagex/client_upload/': {
        const token = request.headers['access-token']
        if (!this.#client.some((one) => one.token === token && one.until > this.now())) return refusal(2190008, 'extra')
        const file = filePart(body as Buffer, String(request.headers['content-type']))
        if (!file) return refusal(28001038, 'extra')
        const id = random('img')
        this.uploads.set(id, file)
        // Its place differs between documents.
        return this.uploads.size % 2 === 0
          ? { image_id: id, width: 1, height: 1, extra: { error_code: 0 } }
          : { data: { image_id: id, error_code: 0 }, extra: { error_code: 0 } }
      }
      case '/im/send/msg/':
        return this.#send(url, request, body)
      case '/im/recall/msg/': {
        const operator = this.#byToken(request.headers['access-token'] as string)
        if (!operator) return refusal(2190008, 'err_no')
        const message = this.messages.find((one) => one.id === body.msg_id && one.direction === 'out')
        if (!message || body.conversation_id !== this.conversationOf(message.customer)) return refusal(28003082, 'err_no')
        message.recalled = true
        return { err_no: 0, err_msg: '', log_id: random('log') }
      }
      case '/api/im/message/resources/': {
        const operator = this.#byToken(request.headers['access-token'] as string)
        if (!operator || operator.openId !== url.searchParams.get('open_id')) return refusal(2190008, 'err_no')
        const message = this.messages.find((one) => one.id === url.searchParams.get('message_id'))
        const file = message?.content.file as string | undefined
        if (!message || !file || url.searchParams.get('conversation_id') !== this.conversationOf(message.customer)) return refusal(28003082, 'err_no')
        return { err_no: 0, err_msg: '', log_id: random('log'), data: { url: `${this.url}/files/${file}`, media_type: 1 } }
      }
      default:
        return refusal(2100005, 'extra')
    }
  }

  #accessToken(body: Record<string, string>): unknown {
    const openId = this.#codes.get(body.code ?? '')
    const operator = openId ? this.operators.get(openId) : undefined
    if (body.client_secret !== this.clientSecret || body.grant_type !== 'authorization_code' || !operator) return refusal(10007, 'data')
    this.#codes.delete(body.code ?? '')
    operator.access = { token: random('act.'), until: this.now() + 15 * day }
    operator.refresh = { token: random('rft.'), until: this.now() + 30 * day }
    operator.renewals = 0
    return {
      data: {
        access_token: operator.access.token,
        expires_in: 15 * 86_400,
        refresh_token: operator.refresh.token,
        refresh_expires_in: String(30 * 86_400),
        open_id: operator.openId,
        scope: 'user_info,im.direct_message,im.recall_message',
        error_code: 0,
        description: '',
      },
      message: 'success',
    }
  }
  #refreshToken(body: Record<string, string>): unknown {
    const operator = [...this.operators.values()].find(({ refresh }) => refresh?.token === body.refresh_token)
    if (!operator?.refresh || operator.refresh.until < this.now()) return refusal(10010, 'data')
    // A living access token only lives longer; a dead one is replaced.
    const token = operator.access && operator.access.until > this.now() ? operator.access.token : random('act.')
    operator.access = { token, until: this.now() + 15 * day }
    return {
      data: {
        access_token: token,
        expires_in: String(15 * 86_400),
        refresh_token: operator.refresh.token,
        refresh_expires_in: Math.floor((operator.refresh.until - this.now()) / 1_000),
        open_id: operator.openId,
        error_code: 0,
      },
      message: 'success',
    }
  }
  #renew(body: Record<string, string>): unknown {
    const operator = [...this.operators.values()].find(({ refresh }) => refresh?.token === body.refresh_token)
    if (!operator?.refresh || operator.refresh.until < this.now()) return refusal(10010, 'data')
    if (operator.renewals >= 5) return refusal(10020, 'data')
    operator.renewals++
    operator.refresh = { token: random('rft.'), until: this.now() + 30 * day }
    return { data: { refresh_token: operator.refresh.token, expires_in: String(30 * 86_400), error_code: 0 }, message: 'success' }
  }
  #byToken(token: string | undefined): Operator | undefined {
    return [...this.operators.values()].find(({ access }) => access !== undefined && access.token === token && access.until > this.now())
  }

  async #send(url: URL, request: IncomingMessage, body: any): Promise<unknown> {
    const operator = this.#byToken(request.headers['access-token'] as string)
    if (!operator) return refusal(2190008, 'extra')
    if (operator.openId !== url.searchParams.get('open_id')) return refusal(2190015, 'extra')
    if (body.conversation_id !== this.conversationOf(body.to_user_id)) return refusal(28003082, 'data')
    const code = this.#mayAnswer(body)
    if (code) return refusal(code, code % 2 === 0 ? 'extra' : 'data')
    const { content } = body
    const shown =
      content?.msg_type === 1 && typeof content.text?.text === 'string' && [...content.text.text].length <= 1_000
        ? { message_type: 'text', text: content.text.text }
        : content?.msg_type === 2 && this.uploads.has(content.image?.media_id)
          ? { message_type: 'image' }
          : content?.msg_type === 8 && content.retain_consult_card?.card_id
            ? { message_type: 'retain_consult_card', card_id: content.retain_consult_card.card_id, card_status: 1 }
            : undefined
    if (!shown) return refusal(28001038, 'extra')
    this.#answers.set(body.msg_id, (this.#answers.get(body.msg_id) ?? 0) + 1)
    const message = this.note(body.to_user_id, 'out', shown, body.scene)
    if (content.msg_type === 2) message.upload = content.image.media_id
    const echo = () => this.push('im_send_msg', operator.openId, body.to_user_id, { ...this.#content(message, body.to_user_id), source: this.clientKey })
    if (this.echo === 'before') await echo()
    else if (this.echo === 'after') setTimeout(() => void echo(), 5)
    return {
      msg_id: message.id,
      msg_list: [{ msg_id: message.id }],
      data: { error_code: 0, description: '' },
      extra: { error_code: 0, sub_error_code: 0, description: '', logid: random('log'), now: this.now() },
    }
  }

  /** 0, or the code of the refusal. */
  #mayAnswer(body: { scene?: string; msg_id?: string; to_user_id?: string }): number {
    const used = this.#answers.get(body.msg_id ?? '') ?? 0
    if (body.scene === 'im_enter_direct_msg') {
      const opening = this.#openings.get(body.msg_id ?? '')
      if (!opening || opening.customer !== body.to_user_id) return 28003082
      if (this.now() - opening.at > 30_000) return 28003081
      return used >= 3 ? 28003070 : 0
    }
    if (body.scene !== 'im_reply_msg') return 2100005
    const message = this.messages.find((one) => one.id === body.msg_id)
    // An echo's id is no customer's message.
    if (message?.direction !== 'in' || message.customer !== body.to_user_id) return 28003082
    if (this.now() - message.at > day) return 28003080
    return used >= 6 ? 28003070 : 0
  }
}

/** Every whole mobile number in it, wherever it stands. */
const masked = (content: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(content).replace(/(?<![\w@*])(1[3-9]\d)\d{4}(\d{4})(?!\w)/g, '$1****$2'))

function refusal(code: number, shape: 'extra' | 'data' | 'err_no'): unknown {
  const description = `simulated refusal ${code}`
  if (shape === 'err_no') return { err_no: code, err_msg: description, log_id: random('log') }
  if (shape === 'data') return { data: { error_code: code, description }, message: 'error' }
  return { extra: { error_code: code, description, sub_error_code: 0, sub_description: '', logid: random('log') }, data: { error_code: 0 } }
}

/** The bytes of the field `image`. */
function filePart(body: Buffer, type: string): Buffer | undefined {
  const boundary = /boundary=(.+)$/.exec(type)?.[1]
  if (!boundary) return undefined
  const head = body.indexOf('\r\n\r\n')
  if (head < 0 || !body.subarray(0, head).toString().includes('name="image"')) return undefined
  return body.subarray(head + 4, body.indexOf(`\r\n--${boundary}`, head))
}
