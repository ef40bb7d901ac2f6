/**
 * A client of the signed channel in one file, with nothing but Node. Run it, and a terminal is the customer's app:
 *
 *   HUB_EVENTS_URL=https://hub.example.com/api/channels/app/<inbox> HUB_SECRET=whsec_… CUSTOMER=user-1 node client.ts
 *
 * Each line you type is a message to the hub; what agents answer is printed. Put the address it prints into the inbox's
 * settings; or, where nobody can call you, fetch: HUB_OUTBOX_URL=…/api/x/app/inboxes/<inbox>/outbox HUB_KEY=hkf_… beside them.
 * Take the class for your own backend.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

export interface HubEvent {
  type: string
  timestamp: string
  data: Record<string, any>
  /**
   * By `data.sequence`, which counts what is told of `data.conversation.id` from 1. `next`: nothing is missing before it.
   * `gap`: something before it was refused here, or given up. `late`: such a thing comes after all, behind what followed it.
   */
  order?: 'next' | 'gap' | 'late'
}

/** Thrown by a handler: this event will never be taken. The hub does not send it again; `reason` is what the agent reads. */
export class Refusal extends Error {
  readonly code: string
  constructor(reason: string, code = 'refused') {
    super(reason)
    this.code = code
  }
}

/** What `handle` returns is the answer to a delivery; of what was fetched nobody is told it. */
export type Handle = (event: HubEvent) => object | undefined | Promise<object | undefined>

export class HubClient {
  readonly #eventsUrl: string
  /** The newest first; two while one is being changed. */
  readonly #secrets: string[]
  /** Ids of events that are or were handled, with what is answered. Keep yours in a database, for two weeks. */
  readonly #handled = new Map<string, Promise<object>>()
  /** The highest number taken of each conversation. Keep it beside them. */
  readonly #taken = new Map<string, number>()

  constructor(eventsUrl: string, secrets: string | string[]) {
    this.#eventsUrl = eventsUrl
    this.#secrets = [secrets].flat()
  }

  /**
   * Tells the hub. The same `id` again is the same event, and must have the same body: after a timeout, send it again with its
   * id and its time.
   */
  async tell(type: string, data: object, id: string = randomUUID(), at = new Date()): Promise<{ eventId: string; messageId?: string; duplicate: boolean }> {
    const body = JSON.stringify({ type, timestamp: at.toISOString(), data })
    return this.#post(this.#eventsUrl, body, id, { 'content-type': 'application/json' }) as never
  }

  /** Takes a file to the hub; the `uploadId` goes into the content of a message. */
  async upload(uploadsUrl: string, name: string, bytes: Uint8Array<ArrayBuffer>, id: string = randomUUID()): Promise<{ uploadId: string; sha256: string }> {
    return this.#post(uploadsUrl, bytes, id, { 'content-type': 'application/octet-stream', 'x-file-name': encodeURIComponent(name) }) as never
  }

  async #post(url: string, body: string | Uint8Array<ArrayBuffer>, id: string, headers: Record<string, string>): Promise<unknown> {
    const timestamp = String(Math.floor(Date.now() / 1_000))
    const signature = this.#secrets.map((secret) => `v1,${this.#sign(secret, id, timestamp, body)}`).join(' ')
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { ...headers, 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature },
      signal: AbortSignal.timeout(15_000),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`)
    return answer
  }

  #sign(secret: string, id: string, timestamp: string, body: string | Uint8Array): string {
    return createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
      .update(`${id}.${timestamp}.`)
      .update(body)
      .digest('base64')
  }

  /** Did the hub send this, just now? */
  isFromHub(headers: Record<string, string | string[] | undefined>, body: Buffer): boolean {
    const [id, timestamp, listed] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => String(headers[name] ?? '')) as [
      string,
      string,
      string,
    ]
    if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) return false
    return this.#secrets.some((secret) => {
      const expected = Buffer.from(`v1,${this.#sign(secret, id, timestamp, body)}`)
      return listed.split(' ').some((one) => one.length === expected.length && timingSafeEqual(Buffer.from(one), expected))
    })
  }

  /** Listens for the hub. What `handle` returns (for a message: your own id of it) is the answer, also to a repeat. */
  async listen(port: number, handle: Handle, host = '127.0.0.1'): Promise<Server> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const answer = (status: number, json: object) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
      if (!this.isFromHub(request.headers, body)) return answer(401, { error: 'signature' })
      try {
        answer(200, await this.#once(String(request.headers['webhook-id']), JSON.parse(body.toString('utf8')), handle))
      } catch (error) {
        if (error instanceof Refusal) return answer(422, { retryable: false, code: error.code, reason: error.message })
        // The hub tries again later.
        console.error(error)
        answer(500, { error: 'handler' })
      }
    })
    await new Promise<void>((resolve) => server.listen(port, host, resolve))
    return server
  }

  /**
   * For a backend that nobody can call: takes what lies there, waits for more, and says with each question up to where it has
   * got. Goes on until `signal` says otherwise; what was handled and not said comes once more, and is known by its id.
   */
  async fetchOutbox(outboxUrl: string, key: string, handle: Handle, { signal, wait = 25 }: { signal?: AbortSignal; wait?: number } = {}): Promise<void> {
    // Keep yours in a database, written with what was handled.
    let cursor = ''
    while (!signal?.aborted)
      try {
        const response = await fetch(`${outboxUrl}?cursor=${encodeURIComponent(cursor)}&wait=${wait}`, {
          headers: { authorization: `Bearer ${key}` },
          signal: AbortSignal.any([AbortSignal.timeout((wait + 15) * 1_000), ...(signal ? [signal] : [])]),
        })
        const answer = (await response.json()) as { code?: string; cursor: string; items: (HubEvent & { cursor: string; webhookId: string })[] }
        if (answer.code === 'APP_CURSOR_UNKNOWN') {
          // The hub was restored from a copy: once from the beginning of what it has.
          cursor = ''
          continue
        }
        if (!response.ok) throw new Error(`${response.status} ${answer.code}`)
        for (const { cursor: upTo, webhookId, ...event } of answer.items) {
          await this.#takeOrRefuse(webhookId, event, handle)
          cursor = upTo
        }
        cursor = answer.cursor
      } catch (error) {
        if (signal?.aborted) return
        console.error(String(error))
        await sleep(5_000, undefined, signal ? { signal } : {}).catch(() => undefined)
      }
  }

  /** A refusal is told, since nobody waits for an answer here: the agent reads it at the message. */
  async #takeOrRefuse(id: string, event: HubEvent, handle: Handle): Promise<void> {
    try {
      await this.#once(id, event, handle)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (event.type !== 'message.created') return
      const { recipient, messageId } = event.data
      const data = { sender: recipient, externalMessageId: messageId, code: error.code, reason: error.message, retryable: false }
      await this.tell('message.failed', data, `refused-${id}`, new Date(event.timestamp))
    }
  }

  /** The same id is the same event, also while it is still being handled. */
  #once(id: string, event: HubEvent, handle: Handle): Promise<object> {
    const known = this.#handled.get(id)
    if (known) return known
    const handling = (async () => {
      const order = this.#orderOf(event)
      const result = (await handle(order ? { ...event, order } : event)) ?? {}
      const { conversation, sequence } = event.data
      if (order && order !== 'late') this.#taken.set(conversation.id, sequence)
      return result
    })()
    this.#handled.set(id, handling)
    // What was not handled is no repeat when it comes again.
    handling.catch(() => this.#handled.delete(id))
    return handling
  }

  #orderOf({ data: { conversation, sequence } }: HubEvent): HubEvent['order'] {
    if (sequence === undefined) return undefined
    const last = this.#taken.get(conversation.id) ?? 0
    return sequence === last + 1 ? 'next' : sequence > last ? 'gap' : 'late'
  }
}

/** The terminal. */
async function main(): Promise<void> {
  const { HUB_EVENTS_URL = '', HUB_SECRET = '', HUB_OUTBOX_URL = '', HUB_KEY = '', CUSTOMER = 'user-1', PORT = '8787' } = process.env
  if (!HUB_EVENTS_URL || !HUB_SECRET) {
    console.error('HUB_EVENTS_URL and HUB_SECRET are needed: the inbox’s settings show them.')
    process.exit(1)
  }
  const client = new HubClient(HUB_EVENTS_URL, HUB_SECRET.split(' '))
  const sender = { externalId: CUSTOMER, role: 'customer', name: CUSTOMER }
  const handle: Handle = async ({ type, data, order = 'next' }) => {
    if (type !== 'message.created') {
      console.log(`· ${type}${order === 'next' ? '' : ` (${order})`}`)
      return undefined
    }
    const content = data.content as { type: string; text?: string; url?: string }[]
    console.log(`${data.sender?.name ?? '客服'}：${content.map(({ type, text, url }) => text ?? `[${type}] ${url ?? ''}`).join('\n')}`)
    // Who fetches uses the hub's own name of it.
    const externalMessageId = HUB_OUTBOX_URL ? data.messageId : randomUUID()
    // The customer sees it at once here; an app tells when it has been shown.
    setTimeout(() => void client.tell('message.read', { sender, externalMessageId }).catch((error) => console.error(String(error))), 100)
    return { externalMessageId }
  }
  const ended = new AbortController()
  if (HUB_OUTBOX_URL) {
    void client.fetchOutbox(HUB_OUTBOX_URL, HUB_KEY, handle, { signal: ended.signal })
    console.log(`fetching from ${HUB_OUTBOX_URL}`)
  } else {
    const server = await client.listen(Number(PORT), handle)
    ended.signal.addEventListener('abort', () => server.close())
    console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue
    const data = {
      externalMessageId: randomUUID(),
      conversation: { externalId: `chat-${CUSTOMER}` },
      sender,
      content: [{ type: 'text', text: line }],
      sentAt: new Date().toISOString(),
    }
    const { messageId } = await client.tell('message.created', data)
    console.log(`✓ ${messageId ?? ''}`)
  }
  ended.abort()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
