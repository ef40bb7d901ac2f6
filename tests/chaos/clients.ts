/**
 * Visitors and agents as real clients are: they say a thing until it is acknowledged, believe what is pushed only
 * when its number is the next one, and fetch the gap otherwise. They never ask again on a timer: a screen that
 * stays behind is a fault of the hub.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { io, type Socket } from 'socket.io-client'
import type { Conversation, ConversationPush, Message } from '../../core/sdk/wire/conversation.ts'
import type { CustomerMessage, CustomerThread } from '../../core/sdk/wire/customer.ts'
import { DeskTab } from './desk.ts'
import { between, type Dice, pick, sleep } from './tools.ts'

const answerWithinMs = 5_000

export interface Answer {
  status: number
  body: any
  cookies: string[]
}

/** What somebody said. Its text is unique in the run: it finds the message in the database again. */
export interface Saying {
  text: string
  /** Of agents only: visitors have one thread. */
  conversationId?: string
  /** Acknowledged to its sender: it must be there once. `refused`: told that it was not taken. */
  fate: 'pending' | 'acknowledged' | 'refused'
}

/** Counts over all clients. */
export interface Tally {
  retries: number
  repeats: number
  cuts: number
  /** Repeats answered with another message, refusals nobody expected. */
  wrongs: string[]
}

export const newTally = (): Tally => ({ retries: 0, repeats: 0, cuts: 0, wrongs: [] })

/** One client's way to the hub: an address of its own (all of 127/8 is this machine), the processes in turn. */
export class Line {
  readonly bases: readonly string[]
  readonly agent: HttpAgent
  readonly tally: Tally
  readonly dice: Dice
  readonly giveUp: AbortSignal
  #turn: number

  constructor(bases: readonly string[], address: string, tally: Tally, dice: Dice, giveUp: AbortSignal) {
    this.bases = bases
    this.agent = new HttpAgent({ keepAlive: true, localAddress: address, maxSockets: 20 } as object)
    this.tally = tally
    this.dice = dice
    this.giveUp = giveUp
    this.#turn = Math.floor(dice() * bases.length)
  }

  /** The next process. */
  base(): string {
    return this.bases[this.#turn++ % this.bases.length] ?? ''
  }

  /** One try; rejects when there is no answer in time. */
  once(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        new URL(path, this.base()),
        {
          method,
          agent: this.agent,
          timeout: answerWithinMs,
          headers: { ...headers, ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            if (!response.complete) return reject(new Error('the answer broke off'))
            const text = Buffer.concat(chunks).toString('utf8')
            const json = response.headers['content-type']?.includes('json')
            resolve({ status: response.statusCode ?? 0, body: json && text ? JSON.parse(text) : text, cookies: response.headers['set-cookie'] ?? [] })
          })
        },
      )
      request.on('timeout', () => request.destroy(new Error('no answer in time')))
      request.on('error', reject)
      request.end(payload)
    })
  }

  /** The same request, unchanged, until the hub has an opinion about it. Throws when the run is over. */
  async insist(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    for (;;) {
      const answer = await this.once(method, path, body, headers).catch(() => undefined)
      if (answer && answer.status < 500 && answer.status !== 429) return answer
      if (this.giveUp.aborted) throw new Error(`${method} ${path}: the hub never answered (last: ${answer?.status ?? 'nothing'})`)
      this.tally.retries++
      await sleep(between(this.dice, 100, 800), this.giveUp)
    }
  }
}

/**
 * Says one thing as an impatient client does: sometimes twice at once, sometimes again after the answer, always with the
 * same client id. Returns the first answer; `late` gets what is still on its way.
 */
async function sayOnce(line: Line, what: string, ask: () => Promise<Answer>, late: Promise<void>[], idOf: (answer: Answer) => unknown): Promise<Answer> {
  const { dice, tally } = line
  const luck = dice()
  const asked = luck < 0.1 ? [ask(), ask()] : [ask()]
  const answer = await Promise.race(asked)
  if (luck < 0.2) {
    tally.repeats++
    if (luck >= 0.1) asked.push(ask())
    const check = async () => {
      // A conversation can move out of an agent's sight between the two; what was taken stays taken.
      for (const other of await Promise.all(asked))
        if (other.status === 201 && answer.status === 201 && idOf(other) && idOf(answer) && idOf(other) !== idOf(answer))
          tally.wrongs.push(`${what}: repeated, it was answered with ${JSON.stringify(other.body)} after ${JSON.stringify(answer.body)}`)
    }
    late.push(check().catch((error: Error) => void tally.wrongs.push(`${what}: ${error.message}`)))
  }
  return answer
}

/** A socket that comes back by itself, to the next process each time. */
class LiveSocket {
  readonly #line: Line
  readonly #namespace: string
  readonly #options: object
  readonly #listen: (socket: Socket) => void
  #socket: Socket | undefined
  #closed = false

  constructor(line: Line, namespace: string, options: object, listen: (socket: Socket) => void) {
    this.#line = line
    this.#namespace = namespace
    this.#options = options
    this.#listen = listen
  }

  open(): void {
    if (this.#closed) return
    const socket = io(`${this.#line.base()}${this.#namespace}`, {
      path: '/socket',
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      timeout: answerWithinMs,
      agent: this.#line.agent as never,
      ...this.#options,
    })
    this.#socket = socket
    const again = () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      socket.offAny()
      socket.close()
      void sleep(between(this.#line.dice, 50, 500)).then(() => this.open())
    }
    socket.on('connect_error', again)
    socket.on('disconnect', again)
    this.#listen(socket)
  }

  /** As when a train enters a tunnel: no word of farewell. */
  cut(): boolean {
    const transport = this.#socket?.connected ? (this.#socket.io.engine.transport as unknown as { ws?: { terminate(): void } }) : undefined
    transport?.ws?.terminate()
    return transport?.ws !== undefined
  }

  close(): void {
    this.#closed = true
    this.#socket?.close()
  }
}

/** Work that is asked for again while it runs is done once more after. */
function coalesced(work: () => Promise<void>): () => void {
  let running = false
  let again = false
  return () => {
    if (running) {
      again = true
      return
    }
    running = true
    void (async () => {
      do {
        again = false
        await work().catch(() => undefined)
      } while (again)
      running = false
    })()
  }
}

/** A visitor's window, or a second one of the same visitor. */
export class VisitorScreen {
  readonly name: string
  readonly messages = new Map<string, CustomerMessage>()
  conversation: CustomerThread['conversation'] = null
  readonly socket: LiveSocket
  readonly #line: Line
  readonly #headers: Record<string, string>
  #cursor = ''
  readonly sync = coalesced(() => this.#fetch())

  constructor(name: string, line: Line, token: string) {
    this.name = name
    this.#line = line
    this.#headers = { authorization: `Bearer ${token}` }
    this.socket = new LiveSocket(line, '/x/website', { auth: { token } }, (socket) => {
      socket.on('connect', this.sync)
      socket.on('note', (note: { kind: string }) => {
        if (note.kind === 'changed') this.sync()
      })
    })
  }

  async #fetch(): Promise<void> {
    const ask = async (query: string): Promise<CustomerThread> => {
      const { status, body } = await this.#line.insist('GET', `/api/x/website/thread${query}`, undefined, this.#headers)
      if (status !== 200) {
        this.#line.tally.wrongs.push(`${this.name}: the thread answered ${status} ${JSON.stringify(body)}`)
        throw new Error('refused')
      }
      this.#show(body as CustomerThread)
      return body as CustomerThread
    }
    if (this.#cursor === '') {
      const first = await ask('')
      this.conversation = first.conversation
      for (let page = first; page.more && page.messages[0]; ) page = await ask(`?before=${page.messages[0].id}`)
      this.#cursor = first.cursor
      return
    }
    for (;;) {
      const page = await ask(`?cursor=${encodeURIComponent(this.#cursor)}`)
      this.#cursor = page.cursor
      this.conversation = page.conversation
      const answer = page.messages.findLast((message) => message.from === 'agent')
      if (answer && this.#line.dice() < 0.2) this.#read(answer)
      if (!page.more) return
    }
  }

  #show({ messages }: CustomerThread): void {
    for (const message of messages) {
      const known = this.messages.get(message.id)
      if (!known || known.rev <= message.rev) this.messages.set(message.id, message)
    }
  }

  /** Tells that an agent's message was read; may be lost. */
  #read({ conversationId, seq }: CustomerMessage): void {
    this.#line.once('POST', '/api/x/website/receipts', { conversationId, seq, status: 'read' }, this.#headers).catch(() => undefined)
  }
}

/** Somebody on a site. */
export class Visitor {
  readonly name: string
  readonly said: Saying[] = []
  readonly screens: VisitorScreen[] = []
  /** The name the hub keeps of this visitor. */
  externalId = ''
  readonly #line: Line
  readonly #late: Promise<void>[] = []
  #token = ''

  constructor(name: string, line: Line) {
    this.name = name
    this.#line = line
  }

  async arrive(inboxId: string, windows: number): Promise<void> {
    const { status, body } = await this.#line.insist('POST', `/api/x/website/inboxes/${inboxId}/session`, {})
    if (status !== 200) throw new Error(`${this.name} got no session: ${status} ${JSON.stringify(body)}`)
    this.#token = body.token
    this.externalId = JSON.parse(Buffer.from(this.#token.split('.')[1] ?? '', 'base64url').toString('utf8')).externalId
    for (let i = 1; i <= windows; i++) {
      const screen = new VisitorScreen(`${this.name}/window ${i}`, this.#line, this.#token)
      this.screens.push(screen)
      screen.socket.open()
    }
  }

  /** Talks until told to stop; what was begun is brought to its end. */
  async talk(stop: AbortSignal): Promise<void> {
    const { dice } = this.#line
    for (;;) {
      await sleep(between(dice, 500, 4_000), stop)
      if (stop.aborted) break
      await this.#say()
    }
    await Promise.all(this.#late)
  }

  async #say(): Promise<void> {
    const number = this.said.length + 1
    const saying: Saying = { text: `${this.name} says ${number}`, fate: 'pending' }
    this.said.push(saying)
    const body = { clientId: `${this.name}-${number}-chaos`, parts: [{ type: 'text', text: saying.text }] }
    const ask = () => this.#line.insist('POST', '/api/x/website/messages', body, { authorization: `Bearer ${this.#token}` })
    const answer = await sayOnce(this.#line, saying.text, ask, this.#late, ({ body }) => body.messageId)
    saying.fate = answer.status === 201 ? 'acknowledged' : 'refused'
    if (answer.status !== 201) this.#line.tally.wrongs.push(`${saying.text}: refused with ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}

/** A conversation as an agent's workbench holds it. */
export interface Held {
  id: string
  conversation: Conversation | undefined
  /** All messages up to this revision are held; the head may be of another one. */
  rev: number
  messages: Map<string, Message>
}

/** Somebody at the workbench. */
export class AgentClient {
  readonly name: string
  /** Sees everything, or what is theirs and the queue. */
  readonly seesAll: boolean
  readonly said: Saying[] = []
  readonly held = new Map<string, Held>()
  id = ''
  socket: LiveSocket | undefined
  readonly #line: Line
  readonly #late: Promise<void>[] = []
  readonly #turns = new Map<string, Promise<void>>()
  #desk: DeskTab | undefined
  /** Ids of its answers. */
  readonly #answered: string[] = []
  #cookie = ''
  /** The hub's time of the last full catching-up. */
  #syncedAt = ''
  readonly #resync = coalesced(() => this.#catchUp())

  constructor(name: string, seesAll: boolean, line: Line) {
    this.name = name
    this.seesAll = seesAll
    this.#line = line
  }

  async signIn(email: string, password: string): Promise<void> {
    const login = await this.#line.insist('POST', '/api/login', { email, password })
    if (login.status !== 200) throw new Error(`${this.name} could not sign in: ${login.status} ${JSON.stringify(login.body)}`)
    this.#cookie = (login.cookies[0] ?? '').split(';')[0] ?? ''
    const me = await this.call('GET', '/api/me')
    this.id = me.body.agent.id
    this.#syncedAt = me.body.serverTime
  }

  /** @param own speaks by the workbench's own outbox, instead of as somebody impatient */
  sitDown(own: boolean): void {
    if (own) this.#desk = new DeskTab(this.id, this.#cookie, this.#line.tally)
    this.socket = new LiveSocket(this.#line, '/', { extraHeaders: { cookie: this.#cookie } }, (socket) => {
      socket.on('connect', this.#resync)
      socket.on('conversation', (push: ConversationPush) => this.#inTurn(push.conversation.id, () => this.#pushed(push)))
      socket.on('conversation.gone', ({ id }: { id: string }) => this.#inTurn(id, async () => void this.held.delete(id)))
    })
    this.socket.open()
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#line.insist(method, path, body, { cookie: this.#cookie })
  }

  /** What concerns one conversation is done one after the other. */
  #inTurn(id: string, work: () => Promise<void>): void {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work).catch(() => undefined)
    this.#turns.set(id, turn)
  }

  async #pushed({ conversation, messages }: { conversation: Conversation; messages?: Message[] }): Promise<void> {
    const held = this.held.get(conversation.id) ?? { id: conversation.id, conversation, rev: 0, messages: new Map() }
    this.held.set(held.id, held)
    if (!held.conversation || conversation.rev > held.conversation.rev) held.conversation = conversation
    if (messages && conversation.rev === held.rev + 1) {
      for (const message of messages) held.messages.set(message.id, message)
      held.rev = conversation.rev
    } else if (conversation.rev > held.rev) await this.#fetchGap(held)
  }

  async #fetchGap(held: Held): Promise<void> {
    do {
      for (;;) {
        const { status, body } = await this.call('GET', `/api/conversations/${held.id}/messages?afterRev=${held.rev}&limit=50`)
        if (status !== 200) return void this.held.delete(held.id)
        for (const message of body.items as Message[]) {
          const known = held.messages.get(message.id)
          if (!known || known.rev <= message.rev) held.messages.set(message.id, message)
        }
        held.rev = body.rev
        if (!body.more) break
      }
      if (held.rev > (held.conversation?.rev ?? 0)) {
        const { status, body } = await this.call('GET', `/api/conversations/${held.id}`)
        if (status !== 200) return void this.held.delete(held.id)
        held.conversation = body as Conversation
      }
    } while ((held.conversation?.rev ?? 0) > held.rev)
  }

  /** After an absence: what changed, and what is no longer for these eyes. */
  async #catchUp(): Promise<void> {
    let syncedAt = ''
    let cursor: string | null = null
    do {
      const { status, body } = await this.call(
        'GET',
        `/api/conversations/changes?since=${this.#syncedAt}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      )
      if (status !== 200) return void this.#line.tally.wrongs.push(`${this.name}: changes answered ${status} ${JSON.stringify(body)}`)
      syncedAt ||= body.serverTime
      for (const conversation of body.items as Conversation[]) this.#inTurn(conversation.id, () => this.#pushed({ conversation }))
      cursor = body.cursor
    } while (cursor)
    this.#syncedAt = syncedAt
    if (this.seesAll) return
    const doubtful = new Set(this.held.keys())
    for (const group of ['queue', 'open', 'closed'])
      for (let page: string | null = ''; page !== null; ) {
        const { status, body } = await this.call('GET', `/api/conversations?group=${group}&limit=50${page ? `&cursor=${encodeURIComponent(page)}` : ''}`)
        if (status !== 200) return void this.#line.tally.wrongs.push(`${this.name}: the list answered ${status} ${JSON.stringify(body)}`)
        for (const { id } of body.items as Conversation[]) doubtful.delete(id)
        page = body.cursor
      }
    for (const id of doubtful)
      this.#inTurn(id, async () => {
        if ((await this.call('GET', `/api/conversations/${id}`)).status === 404) this.held.delete(id)
      })
  }

  /** Answers, takes notes, reads, takes, transfers and ends until told to stop; what was begun is brought to its end. */
  async work(stop: AbortSignal, colleagues: readonly AgentClient[]): Promise<void> {
    const { dice } = this.#line
    for (;;) {
      await sleep(between(dice, 200, 900), stop)
      if (stop.aborted) break
      const heads = [...this.held.values()].flatMap(({ conversation }) => conversation ?? [])
      const mine = heads.filter(({ assigneeId, status }) => assigneeId === this.id && status === 'open')
      const waiting = heads.filter(({ status }) => status === 'queued')
      const target =
        pick(
          dice,
          mine.filter(({ unread }) => unread > 0),
        ) ?? pick(dice, mine)
      const luck = dice()
      const queued = pick(dice, waiting)
      if (queued && luck < 0.3) await this.call('POST', `/api/conversations/${queued.id}/take`, {})
      else if (!target) continue
      else if (luck < 0.03) await this.call('POST', `/api/conversations/${target.id}/close`, {})
      else if (luck < 0.06) await this.call('POST', `/api/conversations/${target.id}/transfer`, { agentId: pick(dice, colleagues)?.id ?? this.id })
      else if (luck < 0.09) await this.#takeBack()
      else if (luck < 0.11) this.#desk?.reload()
      else if (luck < 0.14) await this.call('POST', `/api/conversations/${target.id}/read`, { seq: target.lastSeq })
      else await this.#say(target.id, luck < 0.22)
    }
    await Promise.all(this.#late)
    while (this.#desk?.look() === false && !this.#line.giveUp.aborted) await sleep(300)
  }

  /** One of the last answers, whether or not its conversation has ended since. */
  async #takeBack(): Promise<void> {
    const messageId = pick(this.#line.dice, this.#answered.slice(-5))
    if (!messageId) return
    const { status, body } = await this.call('POST', `/api/messages/${messageId}/recall`)
    // Not sent yet or too late, taken back already, or moved out of sight.
    if (![200, 403, 404, 409, 422].includes(status)) this.#line.tally.wrongs.push(`${this.name}: taking back answered ${status} ${JSON.stringify(body)}`)
  }

  async #say(conversationId: string, note: boolean): Promise<void> {
    const number = this.said.length + 1
    const saying: Saying = { text: `${this.name} ${note ? 'notes' : 'answers'} ${number}`, conversationId, fate: 'pending' }
    this.said.push(saying)
    this.#desk?.look()
    if (this.#desk) return this.#desk.say(saying, conversationId, note)
    const body = { clientId: `${this.name}-${number}-chaos`, parts: [{ type: 'text', text: saying.text }], note }
    const ask = () => this.call('POST', `/api/conversations/${conversationId}/messages`, body)
    const answer = await sayOnce(this.#line, saying.text, ask, this.#late, ({ body }) => body.id)
    // Moved to a colleague or ended meanwhile: refused, and the agent knows it.
    saying.fate = answer.status === 201 ? 'acknowledged' : 'refused'
    if (answer.status === 201 && !note) this.#answered.push(answer.body.id)
    if (![201, 403, 404, 409].includes(answer.status)) this.#line.tally.wrongs.push(`${saying.text}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}
