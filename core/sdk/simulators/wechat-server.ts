/**
 * A WeChat server for tests and for trying things out: ours, written from the public documentation, not WeChat's. It
 * shares no code with the plugin, so that a fault of one cannot hide in the other. It pushes as WeChat pushes (sealed or
 * not, XML or JSON, again when the answer is late or wrong) and answers as WeChat answers: errors as JSON with HTTP 200,
 * tokens that die, counted replies, files that expire. Its clock can be moved.
 */
import { createCipheriv, createHash, randomBytes, randomInt } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const minute = 60_000
const day = 24 * 60 * minute

export interface WechatAccountOptions {
  kind?: 'official' | 'mini'
  mode?: 'plain' | 'compatible' | 'safe'
  format?: 'xml' | 'json'
  /** Replies after a message: 5 now, 20 for some older accounts. */
  replies?: number
}

/** One answer of the hub to a push. */
export interface PushAttempt {
  /** 0 when none came in time. */
  status: number
  body: string
  ms: number
}
export interface PushResult {
  attempts: PushAttempt[]
  /** The user was told that the account cannot serve them now. */
  userSawUnavailable: boolean
}

interface Window {
  left: number
  until: number
}
interface Person {
  openid: string
  unionid: string
  follows: boolean
  windows: Map<string, Window>
}
interface Media {
  type: string
  bytes: Buffer
  mime: string
  at: number
}

export interface SentMessage {
  touser: string
  msgtype: string
  /** The body of its own kind: `{ content }`, `{ media_id }`, … */
  content: any
  raw: string
}

export class WechatAccount {
  readonly server: WechatServer
  readonly appId = `wx${randomBytes(8).toString('hex')}`
  readonly originalId = `gh_${randomBytes(6).toString('hex')}`
  readonly token = randomBytes(12).toString('hex')
  readonly aesKey: string
  secret = randomBytes(16).toString('hex')
  kind: 'official' | 'mini'
  mode: 'plain' | 'compatible' | 'safe'
  format: 'xml' | 'json'
  replies: number
  /** Where pushes go; set when the hub's inbox is there. */
  callback = ''
  readonly people = new Map<string, Person>()
  readonly media = new Map<string, Media>()
  /** What was taken, in order. */
  readonly sent: SentMessage[] = []
  readonly typing: { touser: string; command: string; path: string }[] = []
  /** Calls of `stable_token`: a renewal too many shows here. */
  stableCalls: { forced: boolean; token: string }[] = []
  #stable: { token: string; until: number }[] = []
  #classic: { token: string; until: number }[] = []
  #forcedAt: number[] = []
  #minute = { at: 0, calls: 0 }
  /** Above 2^53, where a careless JSON parser rounds. */
  #msgId = 22_876_340_532_172_986n + BigInt(randomInt(1_000_000)) * 2n

  constructor(server: WechatServer, { kind = 'official', mode = 'safe', format = 'xml', replies = 5 }: WechatAccountOptions) {
    this.server = server
    this.kind = kind
    this.mode = mode
    this.format = format
    this.replies = replies
    // The last letter carries two spare bits; WeChat hands out keys where they are set.
    this.aesKey = `${randomBytes(32).toString('base64').slice(0, 42)}${'AEIMQUYcgkosw048BFJNRVZdhlptx159'[randomInt(32)]}`
  }

  /** What the admin types into an inbox's settings. */
  get settings(): Record<string, unknown> {
    return {
      kind: this.kind,
      appId: this.appId,
      appSecret: this.secret,
      originalId: this.originalId,
      mode: this.mode,
      token: this.token,
      encodingAesKey: this.aesKey,
      replyCount: this.replies,
      apiBase: this.server.url,
    }
  }

  person(openid = `o${randomBytes(13).toString('hex')}`): Person {
    const known = this.people.get(openid) ?? { openid, unionid: `u${openid.slice(1)}`, follows: true, windows: new Map() }
    this.people.set(openid, known)
    return known
  }

  nextMsgId(): string {
    this.#msgId += 1n
    return String(this.#msgId)
  }

  // ── tokens ──

  /** Is it good now, and if not, why. */
  tokenFault(token: string): { errcode: number; errmsg: string } | undefined {
    const all = [...this.#stable, ...this.#classic]
    const row = all.find((one) => one.token === token)
    const rid = `rid: ${randomBytes(4).toString('hex')}-${randomBytes(4).toString('hex')}`
    if (!row) return { errcode: 40001, errmsg: `invalid credential, access_token is invalid or not latest ${rid}` }
    if (row.until <= this.server.now()) return { errcode: 42001, errmsg: `access_token expired ${rid}` }
    return undefined
  }

  stableToken(secret: string, force: boolean): Record<string, unknown> {
    const now = this.server.now()
    if (secret !== this.secret) return { errcode: 40125, errmsg: 'invalid appsecret' }
    if (now - this.#minute.at >= minute) this.#minute = { at: now, calls: 0 }
    if (++this.#minute.calls > 10_000) return { errcode: 45011, errmsg: 'api minute-quota reach limit, must slower' }
    if (force) {
      this.#forcedAt = this.#forcedAt.filter((at) => at > now - day)
      const last = this.#forcedAt.at(-1)
      if (this.#forcedAt.length >= 20) return { errcode: 45009, errmsg: 'reach max api daily quota limit' }
      if (last !== undefined && now - last < 30_000) return { errcode: 45011, errmsg: 'api minute-quota reach limit, must slower' }
      this.#forcedAt.push(now)
      this.#stable = []
    }
    this.#stable = this.#stable.filter(({ until }) => until > now)
    let current = this.#stable.at(-1)
    // In the last five minutes the next one is handed out, and both live on.
    if (!current || current.until - now <= 5 * minute) {
      current = { token: `${this.server.nextToken()}${randomBytes(60).toString('hex')}`, until: now + 7_200_000 }
      this.#stable.push(current)
    }
    this.stableCalls.push({ forced: force, token: current.token })
    return { access_token: current.token, expires_in: Math.floor((current.until - now) / 1_000) }
  }

  classicToken(secret: string): Record<string, unknown> {
    if (secret !== this.secret) return { errcode: 40001, errmsg: 'invalid credential' }
    const now = this.server.now()
    // The one before lives on for five minutes at most.
    this.#classic = this.#classic.slice(-1).map((one) => ({ ...one, until: Math.min(one.until, now + 5 * minute) }))
    const fresh = { token: `c${randomBytes(40).toString('hex')}`, until: now + 7_200_000 }
    this.#classic.push(fresh)
    return { access_token: fresh.token, expires_in: 7_200 }
  }

  /** Somebody else forces a new token: every one handed out so far is dead. */
  killTokens(): void {
    this.#stable = []
  }

  // ── pushes ──

  /** A user's message, with its id, and the replies it grants. */
  async says(
    person: Person,
    fields: Record<string, unknown>,
    options: { msgId?: string; menuTap?: boolean; repeats?: number } = {},
  ): Promise<PushResult & { msgId: string }> {
    const msgId = options.msgId ?? this.nextMsgId()
    if (options.menuTap) this.#grant(person, 'menu', 3, minute)
    else this.heard(person)
    return { msgId, ...(await this.push(person, { ...fields, MsgId: BigInt(msgId) }, options)) }
  }

  /** A message of theirs is on its way: it may be answered. */
  heard(person: Person): void {
    this.#grant(person, 'message', this.replies, 48 * 60 * minute)
  }

  text(person: Person, content: string, options: { msgId?: string; repeats?: number } = {}) {
    return this.says(person, { MsgType: 'text', Content: content }, options)
  }

  /** A user's file: kept for three days. */
  file(type: 'image' | 'voice' | 'video', bytes: Buffer, mime: string): string {
    const id = randomBytes(24).toString('base64url')
    this.media.set(id, { type, bytes, mime, at: this.server.now() })
    return id
  }

  async event(person: Person, event: string, fields: Record<string, unknown> = {}): Promise<PushResult> {
    const name = event.toLowerCase()
    if (name === 'subscribe') {
      person.follows = true
      this.#grant(person, 'follow', 3, minute)
    }
    if (name === 'unsubscribe') {
      person.follows = false
      person.windows.clear()
    }
    if (name === 'scan') this.#grant(person, 'scan', 3, minute)
    if (name === 'click' || name.startsWith('scancode')) this.#grant(person, 'menu', 3, minute)
    if (name === 'user_enter_tempsession') this.#grant(person, 'enter', 2, minute)
    return this.push(person, { MsgType: 'event', Event: event, ...fields })
  }

  #grant(person: Person, name: string, left: number, ms: number): void {
    person.windows.set(name, { left, until: this.server.now() + ms })
  }

  /**
   * Pushes, and again three times when no good answer came within five seconds. `repeats`: told so many more times at the
   * same moment, as WeChat does when an answer gets lost on its way.
   */
  async push(person: { openid: string }, fields: Record<string, unknown>, { repeats = 0 }: { repeats?: number } = {}): Promise<PushResult> {
    const message = { ToUserName: this.originalId, FromUserName: person.openid, CreateTime: Math.floor(this.server.now() / 1_000), ...fields }
    const tell = async (): Promise<PushResult> => {
      const attempts: PushAttempt[] = []
      for (let i = 0; i <= 3; i++) {
        const attempt = await this.#deliver(this.seal(message))
        attempts.push(attempt)
        if (isTaken(attempt)) break
        if (i < 3) await new Promise((resolve) => setTimeout(resolve, Math.max(0, this.server.retryMs - attempt.ms)))
      }
      return { attempts, userSawUnavailable: !attempts.some(isTaken) }
    }
    const told = await Promise.all(Array.from({ length: 1 + repeats }, tell))
    return { attempts: told.flatMap(({ attempts }) => attempts), userSawUnavailable: told.every(({ userSawUnavailable }) => userSawUnavailable) }
  }

  async #deliver({ query, body, type }: { query: string; body: string; type: string }): Promise<PushAttempt> {
    const started = Date.now()
    try {
      const response = await fetch(`${this.callback}?${query}`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
        signal: AbortSignal.timeout(this.server.patienceMs),
      })
      return { status: response.status, body: await response.text(), ms: Date.now() - started }
    } catch {
      return { status: 0, body: '', ms: Date.now() - started }
    }
  }

  /** A push as it goes over the wire. */
  seal(message: Record<string, unknown>, { format = this.format, mode = this.mode } = {}): { query: string; body: string; type: string } {
    const write = format === 'json' ? json : xml
    const clear = write(message)
    const type = format === 'json' ? 'application/json' : 'text/xml'
    if (mode === 'plain') return { query: this.#query(message.FromUserName).toString(), body: clear, type }
    const beside = mode === 'compatible' ? message : { ToUserName: message.ToUserName }
    return { ...this.envelope(sealText(clear, this.aesKey, this.appId), beside, write), type }
  }

  /** Something sealed, signed as it should be. */
  envelope(Encrypt: string, beside: Record<string, unknown> = { ToUserName: this.originalId }, write = xml): { query: string; body: string; type: string } {
    const query = this.#query(beside.FromUserName)
    query.set('encrypt_type', 'aes')
    query.set('msg_signature', sign(this.token, query.get('timestamp') ?? '', query.get('nonce') ?? '', Encrypt))
    return { query: query.toString(), body: write({ ...beside, Encrypt }), type: 'text/xml' }
  }

  #query(openid: unknown): URLSearchParams {
    const timestamp = String(Math.floor(this.server.now() / 1_000))
    const nonce = String(randomInt(100_000_000, 999_999_999))
    return new URLSearchParams({ signature: sign(this.token, timestamp, nonce), timestamp, nonce, openid: String(openid ?? '') })
  }

  /** The check of the address when an admin saves it in the console. */
  async verifyCallback(): Promise<boolean> {
    const timestamp = String(Math.floor(this.server.now() / 1_000))
    const nonce = String(randomInt(1_000_000))
    const echostr = String(randomInt(2 ** 47))
    const query = new URLSearchParams({ signature: sign(this.token, timestamp, nonce), timestamp, nonce, echostr })
    const response = await fetch(`${this.callback}?${query}`)
    return response.status === 200 && (await response.text()) === echostr
  }

  // ── sending ──

  /** Judges a message as the interface does. */
  take(raw: string): Record<string, unknown> {
    // Plain UTF-8 only: an escape is refused, wherever it stands.
    if (/\\u[0-9a-f]{4}/i.test(raw)) return { errcode: 40033, errmsg: 'invalid charset. please check your request, if include \\uxxxx will create fail!' }
    let body: { touser?: string; msgtype?: string; [kind: string]: any }
    try {
      body = JSON.parse(raw)
    } catch {
      return { errcode: 47001, errmsg: 'data format error' }
    }
    const person = this.people.get(body.touser ?? '')
    const { msgtype = '' } = body
    const content = body[msgtype]
    const allowed = this.kind === 'mini' ? ['text', 'image', 'link', 'miniprogrampage'] : ['text', 'image', 'voice', 'video', 'news', 'miniprogrampage']
    if (!person) return { errcode: 40003, errmsg: 'invalid openid' }
    if (!allowed.includes(msgtype)) return { errcode: 48008, errmsg: 'this msg type is not allowed' }
    if (typeof content !== 'object' || content === null) return { errcode: 40035, errmsg: 'invalid parameter' }
    if (msgtype === 'text') {
      if (!content.content) return { errcode: 44004, errmsg: 'empty content' }
      if (new TextEncoder().encode(content.content).length > 2_048) return { errcode: 45002, errmsg: 'content size out of limit' }
    }
    for (const id of [content.media_id, content.thumb_media_id].filter((one) => one !== undefined)) {
      const media = this.media.get(id)
      if (!media || this.server.now() - media.at > 3 * day) return { errcode: 40007, errmsg: 'invalid media_id' }
      if (id === content.media_id && media.type !== msgtype) return { errcode: 40004, errmsg: 'invalid media type' }
    }
    if (['image', 'voice', 'video'].includes(msgtype) && !content.media_id) return { errcode: 40007, errmsg: 'invalid media_id' }
    if (['video', 'miniprogrampage'].includes(msgtype) && !content.thumb_media_id) return { errcode: 40007, errmsg: 'invalid media_id' }
    if (msgtype === 'news' && (!Array.isArray(content.articles) || content.articles.length !== 1))
      return { errcode: 45008, errmsg: 'article size out of limit' }
    if (this.kind === 'official' && !person.follows) return { errcode: 45015, errmsg: 'response out of time limit or subscription is canceled' }
    const now = this.server.now()
    const open = [...person.windows.values()].filter(({ until }) => until > now).sort((a, b) => a.until - b.until)
    if (open.length === 0) return { errcode: 45015, errmsg: 'response out of time limit or subscription is canceled' }
    const window = open.find(({ left }) => left > 0)
    if (!window) return { errcode: 45047, errmsg: 'out of response count limit' }
    window.left -= 1
    this.sent.push({ touser: person.openid, msgtype, content, raw })
    return { errcode: 0, errmsg: 'ok' }
  }
}

const isTaken = ({ status, body }: PushAttempt): boolean => status === 200 && (body === 'success' || body === '')

/** How an interface shall misbehave. */
export type WechatFault = { errcode: number } | { status: number; body?: string } | 'cut before' | 'cut after' | 'hang'

export class WechatServer {
  readonly accounts: WechatAccount[] = []
  /** What was asked, in order: path and account. */
  readonly calls: { path: string; appId?: string }[] = []
  /** How long WeChat waits for an answer to a push. */
  patienceMs = 5_000
  /** A push that was not answered well is pushed again so long after it began. */
  retryMs = 5_000
  #offset = 0
  #faults: { path: string; fault: WechatFault; times: number }[] = []
  #tokens = 0
  #held: Promise<void> | undefined
  #http: Server | undefined
  url = ''

  async start(port = 0): Promise<this> {
    this.#http = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => this.#http?.listen(port, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
    return this
  }

  async stop(): Promise<void> {
    this.#http?.closeAllConnections()
    await new Promise((resolve) => this.#http?.close(resolve))
  }

  /** Nobody answers at its address until the returned function is called. */
  async goDown(): Promise<() => Promise<void>> {
    await this.stop()
    return async () => void (await this.start(Number(new URL(this.url).port)))
  }

  account(options: WechatAccountOptions = {}): WechatAccount {
    const account = new WechatAccount(this, options)
    this.accounts.push(account)
    return account
  }

  now(): number {
    return Date.now() + this.#offset
  }
  /** Good again. */
  mend(): void {
    this.#faults.length = 0
  }
  /** What is asked from now on is done, but answered only when the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return () => {
      this.#held = undefined
      resolve()
    }
  }
  /** Time goes by for WeChat. */
  advance(ms: number): void {
    this.#offset += ms
  }
  nextToken(): number {
    this.#tokens += 1
    return this.#tokens
  }
  /** The next `times` calls of a path go wrong. */
  fail(path: string, fault: WechatFault, times = 1): void {
    this.#faults.push({ path, fault, times })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const path = url.pathname
    const fault = this.#faults.find((one) => one.path === path && one.times > 0)
    if (fault) fault.times -= 1
    const wrong = fault?.fault
    if (wrong === 'cut before') return void response.destroy()
    if (wrong === 'hang') return
    const result =
      wrong && typeof wrong === 'object' && 'errcode' in wrong
        ? { errcode: wrong.errcode, errmsg: `made up for a test rid: ${randomBytes(4).toString('hex')}` }
        : wrong && typeof wrong === 'object'
          ? undefined
          : this.#route(path, url.searchParams, body, String(request.headers['content-type'] ?? ''))
    if (path === '/cgi-bin/message/custom/send') await this.#held
    if (wrong === 'cut after') return void response.destroy()
    if (wrong && typeof wrong === 'object' && 'status' in wrong) return void response.writeHead(wrong.status).end(wrong.body ?? '<html>Bad gateway</html>')
    if (result && 'bytes' in result) {
      const { bytes, mime } = result as { bytes: Buffer; mime: string }
      return void response.writeHead(200, { 'content-type': mime, 'content-disposition': 'attachment; filename="media.bin"' }).end(bytes)
    }
    // Errors too: HTTP 200, and often not even labelled as JSON.
    response
      .writeHead(200, { 'content-type': path.startsWith('/cgi-bin/media/get') ? 'text/plain' : 'application/json; encoding=utf-8' })
      .end(JSON.stringify(result))
  }

  #route(path: string, query: URLSearchParams, body: Buffer, type: string): Record<string, unknown> {
    if (path === '/cgi-bin/stable_token') {
      const asked = JSON.parse(body.toString('utf8') || '{}')
      const account = this.accounts.find(({ appId }) => appId === asked.appid)
      this.calls.push({ path, appId: asked.appid })
      if (!account) return { errcode: 40013, errmsg: 'invalid appid' }
      return account.stableToken(asked.secret, asked.force_refresh === true)
    }
    if (path === '/cgi-bin/token') {
      const account = this.accounts.find(({ appId }) => appId === query.get('appid'))
      return account ? account.classicToken(query.get('secret') ?? '') : { errcode: 40013, errmsg: 'invalid appid' }
    }
    const played = /^\/video\/(.+)$/.exec(path)
    if (played) {
      const media = this.accounts.map(({ media }) => media.get(played[1] as string)).find(Boolean)
      return media ? { bytes: media.bytes, mime: media.mime } : { errcode: 40007, errmsg: 'gone' }
    }
    const token = query.get('access_token') ?? ''
    const account = this.accounts.find((one) => one.tokenFault(token)?.errcode !== 40001)
    this.calls.push({ path, ...(account ? { appId: account.appId } : {}) })
    if (!token) return { errcode: 41001, errmsg: 'access_token missing' }
    const wrong = account ? account.tokenFault(token) : { errcode: 40001, errmsg: 'invalid credential, access_token is invalid or not latest' }
    if (!account || wrong) return wrong ?? {}
    switch (path) {
      case '/cgi-bin/message/custom/send':
        return account.take(body.toString('utf8'))
      case '/cgi-bin/message/custom/typing':
      case '/cgi-bin/message/custom/business/typing': {
        const { touser, command } = JSON.parse(body.toString('utf8'))
        if (!['Typing', 'CancelTyping'].includes(command)) return { errcode: 45072, errmsg: 'invalid command' }
        account.typing.push({ touser, command, path })
        return { errcode: 0, errmsg: 'ok' }
      }
      case '/cgi-bin/media/upload':
        return upload(account, query.get('type') ?? '', body, type)
      case '/cgi-bin/media/get': {
        const id = query.get('media_id') ?? ''
        const media = account.media.get(id)
        if (!media || this.now() - media.at > 3 * day) return { errcode: 40007, errmsg: 'invalid media_id' }
        return media.type === 'video' ? { video_url: `${this.url}/video/${id}` } : { bytes: media.bytes, mime: media.mime }
      }
      case '/cgi-bin/user/info': {
        const person = account.people.get(query.get('openid') ?? '')
        if (!person) return { errcode: 40003, errmsg: 'invalid openid' }
        if (!person.follows) return { subscribe: 0, openid: person.openid }
        return {
          subscribe: 1,
          openid: person.openid,
          unionid: person.unionid,
          language: 'zh_CN',
          nickname: '',
          headimgurl: '',
          sex: 0,
          city: '',
          subscribe_time: 1_780_000_000,
          remark: '',
          groupid: 0,
          tagid_list: [],
          subscribe_scene: 'ADD_SCENE_QR_CODE',
          qr_scene: 0,
          qr_scene_str: 'store-12',
        }
      }
      case '/cgi-bin/getcallbackip':
        return { ip_list: ['127.0.0.1'] }
      default:
        return { errcode: 40066, errmsg: 'invalid url' }
    }
  }
}

/** One form field `media`, read by hand. */
function upload(account: WechatAccount, type: string, body: Buffer, contentType: string): Record<string, unknown> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1]
  const limits: Record<string, { bytes: number; names: RegExp }> = {
    image: { bytes: 10 * 1024 * 1024, names: /\.(png|jpe?g|gif)$/i },
    voice: { bytes: 2 * 1024 * 1024, names: /\.(amr|mp3)$/i },
    video: { bytes: 10 * 1024 * 1024, names: /\.mp4$/i },
    thumb: { bytes: 64 * 1024, names: /\.jpg$/i },
  }
  const limit = limits[type]
  if (!limit) return { errcode: 40004, errmsg: 'invalid media type' }
  const headEnd = body.indexOf('\r\n\r\n')
  const head = body.subarray(0, Math.max(0, headEnd)).toString('utf8')
  const end = boundary ? body.lastIndexOf(`\r\n--${boundary}--`) : -1
  const name = /name="media"; filename="([^"]+)"/.exec(head)?.[1]
  if (headEnd < 0 || end < 0 || !name) return { errcode: 41005, errmsg: 'media data missing' }
  const bytes = Buffer.from(body.subarray(headEnd + 4, end))
  if (!limit.names.test(name)) return { errcode: 40005, errmsg: 'invalid file type' }
  if (bytes.length > limit.bytes) return { errcode: 40006, errmsg: 'invalid media size' }
  const id = account.file(type as 'image', bytes, /content-type: ([^\r\n]+)/i.exec(head)?.[1] ?? '')
  return { type, media_id: id, created_at: Math.floor(account.server.now() / 1_000) }
}

function sign(...parts: string[]): string {
  return createHash('sha1')
    .update(parts.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).join(''))
    .digest('hex')
}

/** Every length of padding from 1 to 32 comes about by itself: a full block when the text is aligned. */
export function sealText(text: string | Uint8Array, encodingAesKey: string, receiveId: string): string {
  const key = Uint8Array.from(atob(`${encodingAesKey}=`), (letter) => letter.charCodeAt(0))
  const message = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const owner = new TextEncoder().encode(receiveId)
  const bare = 20 + message.length + owner.length
  const padding = 32 - (bare % 32)
  const plain = new Uint8Array(bare + padding).fill(padding)
  plain.set(randomBytes(16), 0)
  new DataView(plain.buffer).setUint32(16, message.length, false)
  plain.set(message, 20)
  plain.set(owner, 20 + message.length)
  const cipher = createCipheriv('aes-256-cbc', key, key.slice(0, 16)).setAutoPadding(false)
  return cipher.update(plain, undefined, 'base64') + cipher.final('base64')
}

function xml(fields: Record<string, unknown>): string {
  const element = (name: string, value: unknown): string =>
    Array.isArray(value)
      ? value.map((one) => element(name, one)).join('\n')
      : `<${name}>${
          typeof value === 'object' && value !== null
            ? Object.entries(value)
                .map(([inner, one]) => element(inner, one))
                .join('')
            : typeof value === 'string'
              ? `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`
              : String(value)
        }</${name}>`
  return element('xml', fields).replace('<xml>', '<xml>\n').replace('</xml>', '\n</xml>')
}

/** MsgId and CreateTime as bare numbers, whatever their size. */
function json(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, one]) => `${JSON.stringify(name)}:${json(one)}`)
      .join(',')}}`
  return JSON.stringify(value)
}
