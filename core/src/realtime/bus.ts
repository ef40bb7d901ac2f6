/**
 * Tells every process of the hub that something happened. It hurries, it does not promise: what is lost here is
 * found again by sequence numbers (clients), by due rows (workers) and by short caches (settings).
 */
import { Redis } from 'ioredis'
import type { Logger } from '../../sdk/plugin.ts'
import { newId } from '../db/types.ts'

export type BusHandler = (data: unknown) => void

export interface Bus {
  publish(topic: string, data: unknown): void
  /** Returns its own undo. */
  subscribe(topic: string, handler: BusHandler): () => void
  healthy(): boolean
  close(): Promise<void>
}

class Local {
  readonly #handlers = new Map<string, Set<BusHandler>>()
  readonly #log: Logger
  constructor(log: Logger) {
    this.#log = log
  }
  deliver(topic: string, data: unknown): void {
    for (const handler of this.#handlers.get(topic) ?? []) {
      try {
        handler(data)
      } catch (error) {
        this.#log.error({ topic, err: error }, 'a bus handler failed')
      }
    }
  }
  subscribe(topic: string, handler: BusHandler): () => void {
    const handlers = this.#handlers.get(topic) ?? new Set()
    this.#handlers.set(topic, handlers.add(handler))
    return () => void handlers.delete(handler)
  }
}

/** One process. */
export function localBus(log: Logger): Bus {
  const local = new Local(log)
  return {
    publish: (topic, data) => local.deliver(topic, data),
    subscribe: (topic, handler) => local.subscribe(topic, handler),
    healthy: () => true,
    close: async () => undefined,
  }
}

/** Several processes: the own one at once, the others through Redis. `prefix` keeps hubs that share a Redis apart. */
export function redisBus(url: string, prefix: string, log: Logger): Bus {
  const channel = `${prefix}:bus`
  const local = new Local(log)
  const origin = newId()
  const options = { enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: (tries: number) => Math.min(tries * 100, 2_000) }
  const out = new Redis(url, options)
  const into = new Redis(url, { ...options, enableOfflineQueue: true, maxRetriesPerRequest: null })
  for (const connection of [out, into]) connection.on('error', (error) => log.warn({ err: error.message }, 'redis is not answering'))
  into.subscribe(channel).catch((error: Error) => log.warn({ err: error.message }, 'could not subscribe'))
  into.on('message', (_channel, raw) => {
    const { from, news } = JSON.parse(raw) as { from: string; news: [topic: string, data: unknown][] }
    if (from !== origin) for (const [topic, data] of news) local.deliver(topic, data)
  })
  /** What is told in one go travels as one message. */
  let news: [topic: string, data: unknown][] = []
  const send = (): void => {
    const text = JSON.stringify({ from: origin, news })
    news = []
    out.publish(channel, text).catch(() => undefined)
  }
  return {
    publish(topic, data) {
      local.deliver(topic, data)
      if (news.push([topic, data]) === 1) queueMicrotask(send)
    },
    subscribe: (topic, handler) => local.subscribe(topic, handler),
    healthy: () => out.status === 'ready',
    async close() {
      out.disconnect()
      into.disconnect()
    },
  }
}
