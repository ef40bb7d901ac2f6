/**
 * Tells every process of the hub that something happened. It hurries, it does not promise: what is lost here is
 * found again by sequence numbers (clients), by due rows (workers) and by short caches (settings).
 */
import type { Logger } from '../../sdk/plugin.ts'

export type BusHandler = (data: unknown) => void

/**
 * What is there for screens only, and most of what is told: processes hear of it from their first socket on. Other
 * topics may overtake these on their way.
 */
export const screenTopics: ReadonlySet<string> = new Set(['conversation.changed', 'customer.notified', 'plugin.push', 'ephemeral', 'viewing.asked'])

export interface Bus {
  publish(topic: string, data: unknown): void
  /** Returns its own undo. */
  subscribe(topic: string, handler: BusHandler): () => void
  /** This process has a socket: from now on it hears {@link screenTopics} of the others too; waited for at most so many milliseconds. Never rejects. */
  follow(withinMs?: number): Promise<void>
  healthy(): boolean
  /** Of what carries it between processes; null within one. */
  version(): Promise<string | null>
  close(): Promise<void>
}

/** The handlers of this process. */
export class Local {
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
    follow: async () => undefined,
    healthy: () => true,
    version: async () => null,
    close: async () => undefined,
  }
}
