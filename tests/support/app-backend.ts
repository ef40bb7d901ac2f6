/** A shop's own app behind the signed channel: the example client with a memory, and a door that can be shut. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HubClient, type HubEvent } from '../../plugins/app/example/client.ts'

/** What reached a customer of the app. The hub's id of the message is its own: a repeat is no second one. */
export interface AppMessage {
  messageId: string
  to: string
  content: { type: string; text?: string; url?: string; name?: string }[]
  at: number
  recalled?: boolean
}

export class AppBackend {
  readonly secret = `whsec_${randomBytes(32).toString('base64')}`
  readonly got = new Map<string, AppMessage>()
  /** Messages taken whose answer is kept; see {@link hold}. */
  held = 0
  /** What it took, each once, in the order it came. */
  readonly told: { type: string; order: HubEvent['order']; data: HubEvent['data'] }[] = []
  /** So many of the next messages are taken and answered with an error. */
  losing = 0
  port = 0
  #client: HubClient | undefined
  #server: Server | undefined
  #holding: PromiseWithResolvers<void> | undefined

  get url(): string {
    return `http://127.0.0.1:${this.port}/hub`
  }

  /** Where the hub takes events; before {@link start}. */
  connect(eventsUrl: string): HubClient {
    this.#client = new HubClient(eventsUrl, this.secret)
    return this.#client
  }

  async start(port = 0): Promise<this> {
    const client = this.#client ?? this.connect('http://127.0.0.1:9/')
    this.#server = await client.listen(port, (event) => this.#hear(event))
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  async #hear({ type, data, order }: HubEvent): Promise<object | undefined> {
    this.told.push({ type, order, data })
    if (type === 'message.recalled') {
      for (const message of this.got.values()) if (message.messageId === data.externalMessageId) message.recalled = true
      return undefined
    }
    if (type !== 'message.created') return undefined
    const { messageId, recipient, content } = data
    if (!this.got.has(messageId)) this.got.set(messageId, { messageId, to: recipient.externalId, content, at: Date.now() })
    if (this.#holding) {
      this.held++
      await this.#holding.promise
    }
    if (this.losing > 0) {
      this.losing--
      // The example client logs what is thrown: a line is enough.
      throw Object.assign(new Error(), { stack: 'made up: taken, and not answered' })
    }
    return { externalMessageId: messageId }
  }

  /** Messages are taken, and answered only when the returned function is called. */
  hold(): () => void {
    const holding = Promise.withResolvers<void>()
    this.#holding = holding
    this.held = 0
    return () => {
      this.#holding = undefined
      holding.resolve()
    }
  }

  /** Nobody answers at its address until the returned function is called. */
  async goDown(): Promise<() => Promise<void>> {
    const { port } = this
    await this.stop()
    return async () => void (await this.start(port))
  }

  async stop(): Promise<void> {
    this.#holding?.resolve()
    this.#server?.closeAllConnections()
    await new Promise((resolve) => this.#server?.close(resolve))
  }

  /** A customer's words, as the app sends them on. */
  message(customer: string, content: object[], id: string = randomUUID(), name?: string): object {
    return {
      externalMessageId: id,
      conversation: { externalId: `chat-${customer}` },
      sender: { externalId: customer, role: 'customer', ...(name ? { name } : {}) },
      content,
    }
  }
}
