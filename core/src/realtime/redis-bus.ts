/** The bus of several processes. The only file of the bus that knows Redis. */
import { Redis } from 'ioredis'
import type { Logger } from '../../sdk/plugin.ts'
import { newId } from '../db/types.ts'
import { type Bus, Local } from './bus.ts'

/** The own one at once, the others through Redis. `prefix` keeps hubs that share a Redis apart. */
export function redisBus(url: string, prefix: string, log: Logger): Bus {
  const channel = `${prefix}:bus`
  const local = new Local(log)
  const origin = newId()
  /** How our own messages begin: they come back to us too, and are not read again. */
  const ours = `{"from":"${origin}"`
  const options = { enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: (tries: number) => Math.min(tries * 100, 2_000) }
  const out = new Redis(url, options)
  const into = new Redis(url, { ...options, enableOfflineQueue: true, maxRetriesPerRequest: null })
  for (const connection of [out, into]) connection.on('error', (error) => log.warn({ err: error }, 'redis is not answering'))
  into.subscribe(channel).catch((error: Error) => log.warn({ err: error }, 'could not subscribe'))
  into.on('message', (_channel, raw) => {
    if (raw.startsWith(ours)) return
    const { news } = JSON.parse(raw) as { news: [topic: string, data: unknown][] }
    for (const [topic, data] of news) local.deliver(topic, data)
  })
  /** What is told in one turn of the event loop travels as one message. */
  let news: [topic: string, data: unknown][] = []
  const send = (): void => {
    if (news.length === 0) return
    // As bytes: what a text is joined to on its way out stays in memory until the next full collection.
    const bytes = Buffer.from(JSON.stringify({ from: origin, news }))
    news = []
    out.publish(channel, bytes).catch(() => undefined)
  }
  return {
    publish(topic, data) {
      local.deliver(topic, data)
      if (news.push([topic, data]) === 1) setImmediate(send)
    },
    subscribe: (topic, handler) => local.subscribe(topic, handler),
    healthy: () => out.status === 'ready',
    version: () =>
      out.info('server').then(
        (info) => /redis_version:(\S+)/.exec(info)?.[1] ?? null,
        () => null,
      ),
    async close() {
      send()
      out.disconnect()
      into.disconnect()
    },
  }
}
