/**
 * The visitor's thread: what the hub has, what waits to be sent, and how both are joined. Sending repeats under one
 * client id until the hub says yes; reading goes on from a cursor, so nothing is missed and nothing shown twice.
 */
import { io, type Socket } from 'socket.io-client'
import type { ComposablePart } from '../../../../core/sdk/message-parts.ts'
import type { CustomerMessage, CustomerThread } from '../../../../core/sdk/wire/customer.ts'

export interface Waiting {
  clientId: string
  parts: ComposablePart[]
  at: string
  failed: boolean
  contact?: { name: string; address: string }
}

export interface ThreadEvents {
  changed(): void
  arrived(message: CustomerMessage): void
  typing(active: boolean): void
  refused(code: string): void
  /** Keep this token, the visitor has spoken. */
  spoke(token: string): void
}

const api = '/api/x/website'
const retryMs = [500, 1_000, 2_000, 5_000, 10_000]

export class Thread {
  messages: CustomerMessage[] = []
  waiting: Waiting[] = []
  conversation: CustomerThread['conversation'] = null
  more = false
  attended = true
  token = ''
  readonly #inbox: string
  readonly #events: ThreadEvents
  #visitId = ''
  #cursor = ''
  #socket: Socket | undefined
  #fetching: Promise<void> | undefined
  #again = false
  #sending = false
  #read = 0
  #delivered = 0
  #spoken = false

  constructor(inbox: string, events: ThreadEvents) {
    this.#inbox = inbox
    this.#events = events
    addEventListener('online', () => this.#wake())
    setInterval(() => this.#poll(), 20_000)
  }

  async start(token: string, identity: string, visitId: string): Promise<void> {
    this.#visitId = visitId
    this.#spoken = token !== '' || identity !== ''
    const session = await this.#ask<{ token: string; attended: boolean }>('POST', `/inboxes/${this.#inbox}/session`, {
      ...(token ? { token } : {}),
      ...(identity ? { identity } : {}),
    })
    this.token = session.token
    this.attended = session.attended
    // A known visitor has a history; a stranger has none and needs no line before the first word.
    if (this.#spoken) {
      await this.fetch()
      this.#connect()
      if (identity) this.#events.spoke(this.token)
    }
    this.#events.changed()
  }

  #connect(): void {
    if (this.#socket) return
    const socket = io('/x/website', { path: '/socket', auth: { token: this.token }, transports: ['websocket', 'polling'] })
    this.#socket = socket
    socket.on('connect', () => this.#wake())
    socket.on('note', (note: { kind: string; active?: boolean }) => {
      if (note.kind === 'typing') this.#events.typing(note.active === true)
      else void this.fetch()
    })
    socket.on('connect_error', (error) => {
      if (error.message.startsWith('HUB_')) {
        socket.disconnect()
        this.#events.refused(error.message)
      }
    })
  }

  #wake(): void {
    void this.fetch()
    void this.#drain()
  }
  #poll(): void {
    if (this.#spoken && !this.#socket?.connected) this.#wake()
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const form = body instanceof FormData
    const headers: Record<string, string> = {}
    if (this.token) headers.authorization = `Bearer ${this.token}`
    if (body !== undefined && !form) headers['content-type'] = 'application/json'
    const response = await fetch(api + path, { method, headers, body: body === undefined ? undefined : form ? (body as FormData) : JSON.stringify(body) })
    const answer = await response.json().catch(() => ({}))
    if (!response.ok) throw Object.assign(new Error((answer as { code?: string }).code ?? 'HUB_INTERNAL'), { status: response.status })
    return answer as T
  }

  /** One at a time; a call meanwhile makes it run once more. */
  fetch(): Promise<void> {
    if (this.#fetching) {
      this.#again = true
      return this.#fetching
    }
    this.#fetching = (async () => {
      try {
        do {
          this.#again = false
          const page = await this.#ask<CustomerThread>('GET', `/thread${this.#cursor ? `?cursor=${encodeURIComponent(this.#cursor)}` : ''}`)
          const first = this.#cursor === ''
          this.#merge(page.messages, !first)
          this.conversation = page.conversation
          this.#cursor = page.cursor
          if (first) this.more = page.more
          else if (page.more) this.#again = true
          this.#events.changed()
        } while (this.#again)
        this.#acknowledge('delivered')
      } catch {
        // The line's next sign of life fetches again.
      } finally {
        this.#fetching = undefined
      }
    })()
    return this.#fetching
  }

  async older(): Promise<void> {
    const first = this.messages[0]
    if (!first) return
    const page = await this.#ask<CustomerThread>('GET', `/thread?before=${first.id}`)
    this.#merge(page.messages, false)
    this.more = page.more
    this.#events.changed()
  }

  #merge(messages: readonly CustomerMessage[], live: boolean): void {
    for (const message of messages) {
      const own = message.clientId ? message.clientId.split('.')[0] : ''
      if (own) this.waiting = this.waiting.filter((w) => w.clientId !== own)
      const known = this.messages.findIndex((m) => m.id === message.id)
      if (known >= 0) this.messages[known] = message
      else {
        this.messages.push(message)
        if (live && message.from === 'agent') this.#events.arrived(message)
      }
    }
    this.messages.sort((a, b) => (a.id < b.id ? -1 : 1))
    if (messages.some((m) => m.from === 'agent')) this.#events.typing(false)
  }

  send(parts: ComposablePart[], contact?: Waiting['contact']): void {
    const clientId = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`.slice(0, 40)
    this.waiting.push({ clientId, parts, at: new Date().toISOString(), failed: false, ...(contact ? { contact } : {}) })
    this.#events.changed()
    void this.#drain()
  }

  retry(): void {
    for (const message of this.waiting) message.failed = false
    this.#events.changed()
    void this.#drain()
  }

  /** Sends what waits, in order, until the hub has taken it. */
  async #drain(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    let tries = 0
    try {
      for (let next = this.waiting.find((w) => !w.failed); next; next = this.waiting.find((w) => !w.failed)) {
        try {
          await this.#ask('POST', '/messages', {
            clientId: next.clientId,
            parts: next.parts,
            visitId: this.#visitId,
            ...(next.contact ? { contact: next.contact } : {}),
          })
          tries = 0
          if (!this.#spoken) {
            this.#spoken = true
            this.#events.spoke(this.token)
          }
          this.#connect()
          await this.fetch()
          // The fetch may have failed; the message is safe all the same.
          const sent = next.clientId
          if (this.waiting.some((w) => w.clientId === sent)) this.#again = true
          this.waiting = this.waiting.filter((w) => w.clientId !== sent)
          this.#events.changed()
        } catch (error) {
          const { status, message } = error as { status?: number; message: string }
          if (status && status < 500 && status !== 429) {
            next.failed = true
            this.#events.changed()
            if (message === 'HUB_IDENTITY_BLOCKED') return this.#events.refused(message)
          } else {
            await new Promise((resolve) => setTimeout(resolve, retryMs[Math.min(tries++, retryMs.length - 1)]))
          }
        }
      }
    } finally {
      this.#sending = false
    }
  }

  async upload(file: Blob, name: string, voice: boolean): Promise<ComposablePart> {
    const form = new FormData()
    form.append(voice ? 'voice' : 'file', file, name)
    return this.#ask<ComposablePart>('POST', '/files', form)
  }

  fileUrl(id: string, thumbnail = false): string {
    return `${api}/files/${id}?token=${encodeURIComponent(this.token)}${thumbnail ? '&thumbnail=true' : ''}`
  }

  typing(text: string | null): void {
    if (this.#socket?.connected) this.#socket.emit('typing', { text })
  }

  /** Everything so far has been seen. */
  seen(): void {
    this.#acknowledge('read')
  }

  #acknowledge(status: 'delivered' | 'read'): void {
    if (!this.conversation) return
    const { id } = this.conversation
    const seq = this.messages.reduce((last, m) => (m.conversationId === id && m.from === 'agent' ? Math.max(last, m.seq) : last), 0)
    if (seq <= (status === 'read' ? this.#read : this.#delivered)) return
    if (status === 'read') this.#read = seq
    this.#delivered = Math.max(this.#delivered, seq)
    void this.#ask('POST', '/receipts', { conversationId: id, seq, status }).catch(() => undefined)
  }

  rate(rating: 1 | 2 | 3, comment: string): Promise<unknown> {
    return this.#ask('POST', '/rating', { conversationId: this.conversation?.id, rating, comment })
  }
  close(): Promise<unknown> {
    return this.#ask('POST', '/close').then(() => this.fetch())
  }
}
