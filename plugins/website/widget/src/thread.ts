/**
 * The visitor's thread: what the hub has, what waits to be sent, and how both are joined. Sending repeats under one
 * client id until the hub says yes; reading goes on from a cursor, so nothing is missed and nothing shown twice.
 */
import { io, type Socket } from 'socket.io-client'
import type { ComposablePart } from '../../../../core/sdk/message-parts.ts'
import type { CustomerMessage, CustomerThread } from '../../../../core/sdk/wire/customer.ts'
import type { Init, Written } from './bridge.ts'

export interface Waiting extends Written {
  /** Still to be handed in; kept in memory only. */
  file?: { blob: Blob; name: string; voice: boolean; durationMs?: number } | undefined
  /** The hub has it; it stays until the thread shows it. */
  taken?: boolean
  /** Written in this window. */
  here?: boolean
  /** Another tab has it, and says it. */
  elsewhere?: boolean
}

export interface ThreadEvents {
  changed(): void
  arrived(message: CustomerMessage): void
  typing(active: boolean): void
  /** Nobody here is to be talked to: blocked, or the site is closed. Empty: they are. */
  refused(code: string): void
  /** Keep this token, the visitor has spoken. */
  spoke(token: string): void
  /** Keep these until the hub has them. */
  wrote(written: Written[]): void
  seen(id: string): void
  /** The page's word about its user is not believed any more: a fresh one, or nothing. */
  expired(): Promise<string>
}

const api = '/api/x/website'
const retryMs = [500, 1_000, 2_000, 5_000, 10_000]
const retryAfter = (tries: number) => retryMs[Math.min(tries, retryMs.length - 1)] ?? 0
/** A line that went silent is let go of: a phone that changed its network would wait for minutes. */
const patienceMs = { words: 30_000, file: 600_000 }
/** How soon a site that takes no messages now is asked again. */
const shutMs = 30_000
const codeOf = (error: unknown) => (error as { code?: string }).code ?? ''
/** Nothing was decided: the line is down, the hub is not there, or it asks to wait. */
const isPassing = (error: unknown): boolean => {
  const { status = 0 } = error as { status?: number }
  return status === 0 || status >= 500 || status === 429
}
/** What a token or a JWT says; nothing here rests on its being true. */
function said(token: string, what: 'externalId' | 'sub'): string {
  try {
    const words = JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'))) as Record<string, unknown>
    return String(words[what] ?? '')
  } catch {
    return ''
  }
}
const isMissing = (error: unknown) => (error as { status?: number }).status === 404
/** The site takes no messages, for now. */
const isShut = (error: unknown) => codeOf(error) === 'HUB_CHANNEL_DISABLED'
/** The visitor whose token it is: two tabs of one user hold different tokens and are the same visitor. */
const ownerOf = (token: string) => said(token, 'externalId')
/** Who speaks before the hub has given a token gives one: whichever tab comes with it, the hub makes the same stranger of it (server/visitor.ts). */
const ownToken = () => `n_${Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => byte.toString(36).padStart(2, '0')).join('')}`
/** A stranger's ids begin like this; a token of any other owner opens nothing without the page's word (server/visitor.ts). */
const isStranger = (token: string) => token.indexOf('n_') === 0 || ownerOf(token).indexOf('v_') === 0
const byWord = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
/** Within a conversation by its own count: ids are of the clocks of whichever processes made them. */
const inOrder = (a: CustomerMessage, b: CustomerMessage) => (a.conversationId === b.conversationId ? a.seq - b.seq : byWord(a.id, b.id))
/** All in order. Conversations may overlap: what was said as a stranger may have begun after one that goes on. */
function sorted(messages: CustomerMessage[]): CustomerMessage[] {
  const placed = messages.slice().sort((a, b) => byWord(a.conversationId, b.conversationId) || a.seq - b.seq)
  const last: Record<string, string> = {}
  const rows = placed.map((m) => {
    const before = last[m.conversationId] ?? ''
    last[m.conversationId] = m.id > before ? m.id : before
    return { m, at: last[m.conversationId] ?? '' }
  })
  return rows.sort((a, b) => byWord(a.at, b.at) || inOrder(a.m, b.m)).map(({ m }) => m)
}
const pause = (ms: number) =>
  new Promise<void>((done) => {
    const timer = setTimeout(end, ms)
    function end(): void {
      clearTimeout(timer)
      removeEventListener('online', end)
      done()
    }
    // Nobody waits for a line that is there.
    addEventListener('online', end)
  })

export class Thread {
  messages: CustomerMessage[] = []
  waiting: Waiting[] = []
  /** Written by others in this browser: kept until they are here again, and neither shown nor sent. */
  #aside: Waiting[] = []
  conversation: CustomerThread['conversation'] = null
  more = false
  attended = true
  token = ''
  /** The hub asks to go slower. */
  slow = false
  /** The id of the last answer this browser has seen. */
  seen = ''
  readonly #inbox: string
  readonly #events: ThreadEvents
  readonly #online = () => this.#wake()
  readonly #polling: number
  #visitId = ''
  #identity = ''
  /** Of whom the page's word is. */
  #user = ''
  #owner = ''
  /** Who they are or were here before somebody vouched for them: what they said comes along then. */
  #stranger = ''
  /** What is shown was read as that stranger. */
  #stale = false
  #cursor = ''
  #socket: Socket | undefined
  #fetching: Promise<void> | undefined
  #again = false
  /** Fetches that failed since one did not, and the next try. */
  #failures = 0
  #retry = 0
  #sending = false
  /** How far the hub has been told, of which conversation. */
  #told = { id: '', read: 0, delivered: 0 }
  #spoken = false
  /** When it was last asked whether somebody is there. */
  #lookedAt = 0
  /** How often somebody was begun to be: only the last one counts. */
  #entries = 0

  constructor(inbox: string, events: ThreadEvents) {
    this.#inbox = inbox
    this.#events = events
    addEventListener('online', this.#online)
    this.#polling = setInterval(() => this.#poll(), 20_000)
  }

  /** The window is gone: nothing is asked or sent any more. */
  stop(): void {
    removeEventListener('online', this.#online)
    clearInterval(this.#polling)
    clearTimeout(this.#retry)
    this.#entries++
    this.#socket?.disconnect()
    this.#socket = undefined
    this.token = ''
    this.waiting = []
  }

  /** Becomes somebody, however long that takes. */
  async start({ token: kept, identity, visitId, written, seen }: Init): Promise<void> {
    // A user was here, and this page does not say that it is still them: a stranger, who has said nothing yet and so leaves the kept one in its place.
    const token = identity || isStranger(kept) ? kept : ''
    this.#visitId = visitId
    this.seen = seen
    this.waiting = written
    this.#believe(identity)
    this.#spoken = token !== '' || identity !== '' || this.waiting.length > 0
    this.#events.changed()
    await this.#enter(token)
  }

  async #enter(token: string): Promise<void> {
    const entry = ++this.#entries
    if (isStranger(token)) this.#stranger = token
    let asked = false
    for (let tries = 0; ; tries++) {
      try {
        const body = { ...(token ? { token } : {}), ...(this.#identity ? { identity: this.#identity } : {}) }
        const session = await this.#ask<{ token: string; attended: boolean }>('POST', `/inboxes/${this.#inbox}/session`, body)
        if (entry !== this.#entries) return
        if (this.#user && isStranger(token)) this.#bring()
        this.#belongTo(ownerOf(session.token))
        this.token = session.token
        this.#stranger = isStranger(session.token) ? session.token : ''
        this.attended = session.attended
        this.#lookedAt = Date.now()
        break
      } catch (error) {
        if (entry !== this.#entries) return
        if (codeOf(error) === 'HUB_CHANNEL_UNVERIFIED') {
          // The page may have a fresh word, once. Who cannot prove to be somebody is a stranger, and may talk all the same.
          const fresh = asked ? '' : await this.#events.expired()
          if (entry !== this.#entries) return
          asked = true
          this.#believe(fresh)
        }
        // Not found: the site's plugin is switched off, for now.
        else if (isPassing(error) || isMissing(error)) await pause(retryAfter(tries))
        else {
          this.#events.refused(codeOf(error))
          if (!isShut(error)) return
          await pause(shutMs)
        }
      }
    }
    this.#events.refused('')
    // A known visitor has a history; a stranger has none and needs no line before the first word.
    if (this.#spoken) {
      if (this.token !== token) this.#events.spoke(this.token)
      await this.fetch()
      this.#connect()
    }
    this.#events.changed()
    void this.#drain()
  }

  /** A stranger who signs in is the same visitor: what they wrote and the hub has not taken is the user's to say. */
  #bring(): void {
    const all = [...this.#aside, ...this.waiting]
    const theirs = all.filter(({ user, elsewhere }) => !user && !elsewhere)
    for (const one of theirs) one.user = this.#user
    this.#sort(all)
    if (theirs.length > 0) this.#wrote()
  }

  /** What is shown is one visitor's: another one begins with nothing. A stranger who signs in goes on looking at it until theirs is here. */
  #belongTo(owner: string): void {
    if (owner === this.#owner) return
    this.#stale = this.#owner.indexOf('v_') === 0 && this.#user !== ''
    this.#owner = owner
    if (!this.#stale) {
      this.messages = []
      this.conversation = null
    }
    this.#cursor = ''
    // The hub has them, in the other one's thread.
    this.waiting = this.waiting.filter((w) => !w.taken)
  }

  /** What the page says of its user decides whose words go out from here. */
  #believe(identity: string): void {
    this.#identity = identity
    this.#user = said(identity, 'sub')
    this.#sort([...this.#aside, ...this.waiting])
  }

  /**
   * What the browser kept goes out as who wrote it. Who writes in this window and then logs in, or cannot prove to be
   * somebody, says it all the same; but what one user wrote never becomes another's.
   */
  #sort(all: readonly Waiting[]): void {
    const mine = ({ user = '', here }: Waiting) => user === this.#user || (here === true && (!user || !this.#user))
    this.waiting = all.filter(mine)
    this.#aside = all.filter((w) => !mine(w))
  }

  /** Another tab of this browser was first to speak: this one is the same visitor, unless its page has said who that is. */
  become(token: string): void {
    if (this.#identity || !isStranger(token) || token === this.token || (this.#owner && ownerOf(token) === this.#owner)) return
    this.#spoken = true
    this.#enterAnew(token)
  }

  /**
   * The hub does not know its own word any more, or it has ended: whoever the page proves to be now, else a stranger.
   * What waits is sent from there.
   */
  #renew(refused: string): void {
    if (refused === this.token && refused !== '') this.#enterAnew('')
  }

  /** The page says who this is, after all. */
  prove(identity: string): void {
    this.#believe(identity)
    this.#spoken = true
    this.#enterAnew(this.#stranger)
  }

  #enterAnew(token: string): void {
    this.#socket?.disconnect()
    this.#socket = undefined
    this.token = ''
    void this.#enter(token)
  }

  /** What another tab has written goes out from here too, if it comes to that: under its id it is one message. */
  adopt(written: readonly Written[]): void {
    // Of others' words the tab that sends them knows better whether they still wait.
    const all: Waiting[] = [...this.#aside.filter((w) => w.here), ...this.waiting]
    for (const one of written) {
      const known = all.find((w) => w.clientId === one.clientId)
      if (!known && !this.#has(one.clientId)) all.push({ ...one, elsewhere: true })
      // It signed in and says it as that user.
      if (known && one.user && !known.user) {
        known.user = one.user
        known.here = false
      }
    }
    this.#sort(all)
    this.#events.changed()
    void this.#drain()
  }

  #connect(): void {
    if (!this.token || this.#socket) return
    const { token } = this
    // Polls where a proxy on the way refuses the WebSocket.
    const socket = io('/x/website', { path: '/socket', auth: { token }, transports: ['websocket', 'polling'], tryAllTransports: true })
    this.#socket = socket
    // socket.io does not come back by itself where the hub has hung up: it restarts, or its plugin was switched off.
    const reopen = () => {
      if (this.#socket === socket && !socket.active) setTimeout(() => this.#socket === socket && socket.connect(), 1_000 + Math.random() * 2_000)
    }
    socket.on('connect', () => this.#wake())
    socket.on('note', (note: { kind: string; conversationId: string; active?: boolean; seq?: number; reason?: string }) => {
      // Before the hub refuses the first request: the list of the blocked is a second old there.
      if (note.reason === 'blocked') this.#events.refused('HUB_IDENTITY_BLOCKED')
      if (note.kind === 'typing') this.#events.typing(note.active === true)
      else if (note.kind === 'delivered') this.#delivered(note.conversationId, note.seq ?? 0)
      else void this.fetch()
    })
    socket.on('connect_error', ({ message }) => {
      if (message === 'HUB_IDENTITY_BLOCKED') {
        this.#socket = undefined
        socket.disconnect()
        this.#events.refused(message)
      } else if (message === 'HUB_AUTH_REQUIRED') this.#renew(token)
      else reopen()
    })
    socket.on('disconnect', reopen)
  }

  #wake(): void {
    if (!this.token || !this.#spoken) return
    void this.fetch()
    void this.#drain()
  }
  #poll(): void {
    if (!this.#socket?.connected) this.#wake()
    if (this.#isAlone()) this.#lookAround()
  }
  /** What is said here waits: nobody has it, or who has it is not there. */
  #isAlone(): boolean {
    return this.conversation !== null && this.conversation.status !== 'closed' && !this.conversation.agentPresent
  }
  /** Who is there may have gone home since, and somebody may have come. */
  look(): void {
    if (!this.token) return
    if (this.conversation?.status === 'open') void this.fetch()
    if (this.conversation?.status !== 'open' || this.#isAlone()) this.askAttended().catch(() => undefined)
  }
  #lookAround(): void {
    if (Date.now() - this.#lookedAt > 5_000) this.askAttended().catch(() => undefined)
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const form = body instanceof FormData
    const headers: Record<string, string> = {}
    if (this.token) headers.authorization = `Bearer ${this.token}`
    if (body !== undefined && !form) headers['content-type'] = 'application/json'
    const silence = typeof AbortController === 'function' ? new AbortController() : undefined
    const timer = setTimeout(() => silence?.abort(), form ? patienceMs.file : patienceMs.words)
    try {
      const sent = form ? (body as FormData) : body && JSON.stringify(body)
      const response = await fetch(api + path, { method, headers, body: sent, ...(silence && { signal: silence.signal }) })
      // An answer that broke off in the middle is none.
      if (response.ok) return (await response.json()) as T
      const { code = 'HUB_INTERNAL', details = {} } = (await response.json().catch(() => ({}))) as { code?: string; details?: { waitMs?: number } }
      if (code === 'HUB_IDENTITY_BLOCKED') this.#events.refused(code)
      throw Object.assign(new Error('refused'), { code, waitMs: details.waitMs, status: response.status })
    } finally {
      clearTimeout(timer)
    }
  }

  /** One at a time; a call meanwhile makes it run once more, and one that failed is made again. */
  fetch(): Promise<void> {
    if (this.#fetching) {
      this.#again = true
      return this.#fetching
    }
    clearTimeout(this.#retry)
    this.#fetching = this.#fetchAll().then(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchAll(): Promise<void> {
    do {
      this.#again = false
      const { token } = this
      try {
        const page = await this.#ask<CustomerThread>('GET', `/thread${this.#cursor ? `?cursor=${encodeURIComponent(this.#cursor)}` : ''}`)
        // Meanwhile somebody else: this is not their thread.
        if (token === this.token) this.#take(page)
        this.#failures = 0
      } catch (error) {
        // What was read last is not there any more.
        if (token === this.token && this.#cursor && codeOf(error) === 'HUB_REQUEST_INVALID') {
          this.#cursor = ''
          this.messages = []
          this.#again = true
        }
        if (token === this.token && !this.#again) {
          if (codeOf(error) === 'HUB_AUTH_REQUIRED') this.#renew(token)
          else if (isPassing(error)) this.#retry = setTimeout(() => this.#wake(), retryAfter(this.#failures++))
          return
        }
      }
      if (!this.token) return
      if (token !== this.token) this.#again = true
    } while (this.#again)
    this.#acknowledge('delivered')
  }

  /** All there is to know of it: nothing needs to be fetched, unless it overtook what it is about. */
  #delivered(conversationId: string, seq: number): void {
    if (this.conversation?.id !== conversationId) return void this.fetch()
    if (seq <= this.conversation.agentDeliveredSeq) return
    this.conversation = { ...this.conversation, agentDeliveredSeq: seq }
    this.#events.changed()
  }

  /** A page that was read before the last word of what was delivered does not take it back. */
  #newest(conversation: CustomerThread['conversation']): CustomerThread['conversation'] {
    if (!conversation || conversation.id !== this.conversation?.id) return conversation
    return { ...conversation, agentDeliveredSeq: Math.max(conversation.agentDeliveredSeq, this.conversation.agentDeliveredSeq) }
  }

  #take(page: CustomerThread): void {
    const first = this.#cursor === ''
    const { status, agentPresent } = this.conversation ?? {}
    this.conversation = this.#newest(page.conversation)
    // It waits for somebody now, or has ended: is anybody there?
    const now = this.conversation
    if ((now?.status !== 'open' || !now.agentPresent) && (now?.status !== status || now?.agentPresent !== agentPresent)) this.#lookAround()
    if (first && this.#stale) this.messages = []
    this.#stale = false
    this.#merge(page.messages, !first)
    this.#cursor = page.cursor
    if (first) this.more = page.more
    else if (page.more) this.#again = true
    // Where nothing was kept, what is there already is not news; whatever comes after it is, on the next page too.
    if (first && this.seen === '') this.#saw((this.messages[this.messages.length - 1] ?? { id: '0' }).id)
    this.#events.changed()
  }

  async older(): Promise<void> {
    if (!this.messages[0]) return
    const { token } = this
    const first = this.messages.map(({ id }) => id).sort()[0]
    const page = await this.#ask<CustomerThread>('GET', `/thread?before=${first}`)
    if (token !== this.token) return
    this.#merge(page.messages, false)
    this.more = page.more
    this.#events.changed()
  }

  async askAttended(): Promise<void> {
    this.#lookedAt = Date.now()
    const { attended } = await this.#ask<{ attended: boolean }>('GET', `/inboxes/${this.#inbox}/attended`)
    if (attended === this.attended) return
    this.attended = attended
    this.#events.changed()
    // It may be whose conversation it is who came.
    if (this.#isAlone()) void this.fetch()
  }

  /** Not found may be a file of the message; where the site's plugin is switched off nothing is found. */
  #isOff(): Promise<boolean> {
    return this.askAttended().then(
      () => false,
      (error) => isPassing(error) || isMissing(error),
    )
  }

  #has(clientId: string): boolean {
    return this.messages.some((m) => m.clientId !== null && m.clientId.split('.')[0] === clientId)
  }

  #merge(messages: readonly CustomerMessage[], live: boolean): void {
    const waited = this.waiting.length
    const [oldest] = this.messages
    for (const message of messages) {
      const own = message.clientId ? message.clientId.split('.')[0] : ''
      if (own) this.waiting = this.waiting.filter((w) => w.clientId !== own)
      const known = this.messages.findIndex((m) => m.id === message.id)
      if (known >= 0) this.messages[known] = message
      // What changed lies further back than what is shown: it comes with the rest of that.
      else if (!(live && this.more && oldest && inOrder(message, oldest) < 0)) {
        this.messages.push(message)
        if (live && message.from === 'agent') this.#events.arrived(message)
      }
    }
    this.messages = sorted(this.messages)
    if (messages.some((m) => m.from === 'agent')) this.#events.typing(false)
    if (this.waiting.length < waited) this.#wrote()
  }

  send(parts: ComposablePart[], more: Pick<Waiting, 'file' | 'contact'> = {}): void {
    const clientId = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`.slice(0, 40)
    this.waiting.push({ clientId, parts, at: new Date().toISOString(), here: true, ...(this.#user ? { user: this.#user } : {}), ...more })
    // Before it is kept or sent: other tabs, and the next page when the answer gets lost, ask as the same visitor.
    if (!this.#spoken) {
      const token = this.token || ownToken()
      this.#spoken = true
      this.#events.spoke(token)
      if (!this.token) this.#enterAnew(token)
    }
    this.#wrote()
    this.#events.changed()
    void this.#drain()
  }

  /** A file that has not been handed in cannot outlive the page. */
  #wrote(): void {
    const kept = [...this.#aside, ...this.waiting].filter((w) => !w.file && !w.taken)
    this.#events.wrote(kept.map(({ here, elsewhere, ...w }) => w))
  }

  retry(clientId: string): void {
    for (const message of this.waiting)
      if (message.clientId === clientId) {
        message.failure = undefined
        if (message.contact) message.contact.subject = ''
      }
    this.#wrote()
    this.#events.changed()
    void this.#drain()
  }

  drop(clientId: string): void {
    this.waiting = this.waiting.filter((w) => w.clientId !== clientId)
    this.#wrote()
    this.#events.changed()
  }

  /** Sends what waits, in order, until the hub has taken it. */
  async #drain(): Promise<void> {
    if (this.#sending || !this.token) return
    this.#sending = true
    let tries = 0
    let shut = false
    const next = () => this.waiting.find((w) => !w.failure && !w.taken)
    try {
      for (let one = next(); one; one = next()) {
        const { token } = this
        const owner = this.#owner
        try {
          if (one.file) {
            one.parts = [await this.#handIn(one.file)]
            one.file = undefined
            this.#wrote()
            // Meanwhile somebody else.
            if (this.#aside.includes(one)) continue
          }
          await this.#ask('POST', '/messages', {
            clientId: one.clientId,
            parts: one.parts,
            ...(this.#visitId ? { visitId: this.#visitId } : {}),
            ...(one.contact ? { contact: one.contact } : {}),
          })
          tries = 0
          this.slow = false
          if (shut) this.#events.refused('')
          shut = false
          this.#connect()
          one.taken = true
          this.#aside = this.#aside.filter((w) => w !== one)
          if (owner !== this.#owner) this.waiting = this.waiting.filter((w) => w !== one)
          this.#wrote()
          this.#events.changed()
          await this.fetch()
        } catch (error) {
          if (codeOf(error) === 'HUB_AUTH_REQUIRED') {
            // Meanwhile somebody else: it goes out from there.
            if (this.token && token !== this.token) continue
            return this.#renew(token)
          }
          if (isShut(error)) {
            shut = true
            this.#events.refused(codeOf(error))
            await pause(shutMs)
          } else if (isPassing(error) || (isMissing(error) && (await this.#isOff()))) {
            // Once is the pace of a fast hand; again is a limit, and the visitor should know.
            const slow = codeOf(error) === 'HUB_RATE_LIMITED' && tries > 2
            if (slow !== this.slow) {
              this.slow = slow
              this.#events.changed()
            }
            // It says itself when it will, or it is asked less and less often.
            const { waitMs = retryAfter(tries) } = error as { waitMs?: number }
            tries++
            await pause(waitMs)
          } else {
            one.failure = codeOf(error)
            this.#wrote()
            this.#events.changed()
            if (one.failure === 'HUB_IDENTITY_BLOCKED') return
          }
        }
      }
    } finally {
      this.#sending = false
    }
  }

  async #handIn({ blob, name, voice, durationMs }: NonNullable<Waiting['file']>): Promise<ComposablePart> {
    const form = new FormData()
    form.append(voice ? 'voice' : 'file', blob, name)
    const part = await this.#ask<ComposablePart>('POST', '/files', form)
    return part.type === 'audio' && durationMs !== undefined ? { ...part, durationMs } : part
  }

  fileUrl(id: string, thumbnail = false): string {
    return `${api}/files/${id}?token=${encodeURIComponent(this.token)}${thumbnail ? '&thumbnail=true' : ''}`
  }

  typing(text: string | null): void {
    if (this.#socket?.connected) this.#socket.emit('typing', { text })
  }

  /** Has the visitor said something here that nobody has answered? */
  asked(): boolean {
    const said = this.messages.filter((m) => m.conversationId === this.conversation?.id && m.from !== 'system').pop()
    return said?.from === 'me'
  }

  #lastAnswer(): CustomerMessage | undefined {
    return this.messages.filter((m) => m.from === 'agent').pop()
  }

  /** Answers nobody has seen in this browser. */
  unread(): number {
    const last = this.messages.findIndex(({ id }) => id === this.seen)
    return this.messages.filter((m, i) => m.from === 'agent' && (last < 0 ? m.id > this.seen : i > last)).length
  }

  /** Everything so far has been seen. */
  see(): void {
    const id = this.#lastAnswer()?.id ?? ''
    if (this.unread() > 0) this.#saw(id)
    this.#acknowledge('read')
  }

  #saw(id: string): void {
    this.seen = id
    this.#events.seen(id)
  }

  #acknowledge(status: 'delivered' | 'read'): void {
    if (!this.conversation) return
    const { id } = this.conversation
    const seq = this.messages.reduce((last, m) => (m.conversationId === id && m.from === 'agent' ? Math.max(last, m.seq) : last), 0)
    if (this.#told.id !== id) this.#told = { id, read: 0, delivered: 0 }
    if (seq <= this.#told[status]) return
    this.#told[status] = seq
    this.#told.delivered = Math.max(this.#told.delivered, seq)
    this.#ask('POST', '/receipts', { conversationId: id, seq, status }).catch(() => {
      // Not heard: it is said again with the next look.
      if (this.#told.id === id && this.#told[status] === seq) this.#told[status] = 0
    })
  }

  rate(rating: 1 | 2 | 3, comment: string): Promise<unknown> {
    return this.#ask('POST', '/rating', { conversationId: this.conversation?.id, rating, comment })
  }
  close(): Promise<unknown> {
    return this.#ask('POST', '/close').then(() => this.fetch())
  }
}
