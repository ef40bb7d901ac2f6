/**
 * A client of the signed channel in one file, with nothing but Node. Run it, and a terminal is the customer's app:
 *
 *   HUB_EVENTS_URL=https://hub.example.com/api/channels/app/<inbox> HUB_SECRET=whsec_… CUSTOMER=user-1 node client.ts
 *
 * Each line you type is a message to the hub; what agents answer is printed. Put the address it prints into the inbox's
 * settings. Take the class for your own backend.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

export interface HubEvent {
  type: string
  timestamp: string
  data: Record<string, any>
}

export class HubClient {
  readonly #eventsUrl: string
  /** The newest first; two while one is being changed. */
  readonly #secrets: string[]
  /** Ids of events that were handled, with what was answered. Keep yours in a database. */
  readonly #handled = new Map<string, object>()

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
  async listen(port: number, handle: (event: HubEvent) => object | undefined | Promise<object | undefined>, host = '127.0.0.1'): Promise<Server> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const answer = (status: number, json: object) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
      if (!this.isFromHub(request.headers, body)) return answer(401, { error: 'signature' })
      const id = String(request.headers['webhook-id'])
      try {
        const known = this.#handled.get(id)
        const result = known ?? (await handle(JSON.parse(body.toString('utf8')) as HubEvent)) ?? {}
        this.#handled.set(id, result)
        answer(200, result)
      } catch (error) {
        // The hub tries again later.
        console.error(error)
        answer(500, { error: 'handler' })
      }
    })
    await new Promise<void>((resolve) => server.listen(port, host, resolve))
    return server
  }
}

/** The terminal. */
async function main(): Promise<void> {
  const { HUB_EVENTS_URL = '', HUB_SECRET = '', CUSTOMER = 'user-1', PORT = '8787' } = process.env
  if (!HUB_EVENTS_URL || !HUB_SECRET) {
    console.error('HUB_EVENTS_URL and HUB_SECRET are needed: the inbox’s settings show them.')
    process.exit(1)
  }
  const client = new HubClient(HUB_EVENTS_URL, HUB_SECRET.split(' '))
  const sender = { externalId: CUSTOMER, role: 'customer', name: CUSTOMER }
  const server = await client.listen(Number(PORT), async ({ type, data }) => {
    if (type !== 'message.created') {
      console.log(`· ${type}`)
      return undefined
    }
    const content = data.content as { type: string; text?: string; url?: string }[]
    console.log(`${data.sender?.name ?? '客服'}：${content.map(({ type, text, url }) => text ?? `[${type}] ${url ?? ''}`).join('\n')}`)
    const externalMessageId = randomUUID()
    // The customer sees it at once here; an app tells when it has been shown.
    setTimeout(() => void client.tell('message.read', { sender, externalMessageId }).catch((error) => console.error(String(error))), 100)
    return { externalMessageId }
  })
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
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
  server.close()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
