/** The bus of several processes. The only file of the bus that knows Redis. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Logger } from '../../sdk/plugin.ts'
import { newId } from '../db/types.ts'
import { type Bus, Local, screenTopics } from './bus.ts'

/** A process that was alone looks so often whether it still is; others say when they come. */
const aloneMs = 1_000
/** A first socket waits so long for its process to hear what screens hear. Where Redis is away it learns what it missed from the database. */
const followMs = 500

type News = [topic: string, data: unknown]

/** A channel of Redis, and whether it is worth writing to. */
interface Line {
  channel: string
  /** What is told in one turn of the event loop travels as one message. */
  news: News[]
  /** We listen ourselves: one of those that Redis counts. */
  ours: boolean
  /** Until then nobody else listens, as far as we know, as `performance.now()` counts. */
  aloneUntil: number
}

/**
 * The own one at once, the others through Redis. `prefix` keeps hubs that share a Redis apart. A hub of one process, or
 * whose other processes have no screens, writes nothing to it: see ADR 66.
 */
export function redisBus(url: string, prefix: string, log: Logger): Bus {
  const local = new Local(log)
  const origin = newId()
  /** How our own messages begin: they come back to us too, and are not read again. */
  const own = `{"from":"${origin}"`
  const line = (name: string): Line => ({ channel: `${prefix}:${name}`, news: [], ours: false, aloneUntil: 0 })
  const [everybody, screens] = [line('bus'), line('screens')]
  const lines = [everybody, screens]
  const options = {
    connectionName: `${prefix}:bus`,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries: number) => Math.min(tries * 100, 2_000),
  }
  const out = new Redis(url, options)
  const into = new Redis(url, { ...options, enableOfflineQueue: true, maxRetriesPerRequest: null, autoResubscribe: false })
  for (const connection of [out, into]) connection.on('error', (error) => log.warn({ err: error }, 'redis is not answering'))

  /** Greetings heard so far: an answer that was asked for before the last one says nothing. */
  let greetings = 0
  const noLongerAlone = (): void => {
    greetings++
    for (const each of lines) each.aloneUntil = 0
  }
  /** Others hear that we listen. */
  const greet = (): void => void out.publish(everybody.channel, JSON.stringify({ from: origin, news: [] })).catch(() => undefined)
  const wanted = new Set([everybody])
  /** Whom Redis counts from now on is somebody else. */
  const deaf = (): void => {
    for (const each of lines) each.ours = false
  }
  const listen = async (): Promise<void> => {
    deaf()
    await into.subscribe(...[...wanted].map(({ channel }) => channel))
    for (const each of wanted) each.ours = true
    greet()
  }
  const listening = (): Promise<void> => listen().catch((error: Error) => log.warn({ err: error }, 'could not subscribe'))
  // A Redis that has begun anew knows nobody: what it counts is true when all have come back, and each says so.
  into.on('ready', () => void listening())
  into.on('close', () => {
    deaf()
    noLongerAlone()
  })
  out.on('ready', () => {
    noLongerAlone()
    greet()
  })
  into.on('message', (_channel, raw) => {
    if (raw.startsWith(own)) return
    const { news } = JSON.parse(raw) as { news: News[] }
    if (news.length === 0) noLongerAlone()
    for (const [topic, data] of news) local.deliver(topic, data)
  })

  const send = (each: Line): void => {
    const { news, channel, ours } = each
    each.news = []
    if (news.length === 0 || performance.now() < each.aloneUntil) return
    const heard = greetings
    // As bytes: what a text is joined to on its way out stays in memory until the next full collection.
    const bytes = Buffer.from(JSON.stringify({ from: origin, news }))
    out.publish(channel, bytes).then(
      (listeners) => {
        // Who does not hear greetings cannot know that nobody has come since.
        const alone = everybody.ours && heard === greetings && listeners === (ours ? 1 : 0)
        each.aloneUntil = alone ? performance.now() + aloneMs : 0
      },
      () => undefined,
    )
  }
  let followed: Promise<void> | undefined
  return {
    publish(topic, data) {
      local.deliver(topic, data)
      const each = screenTopics.has(topic) ? screens : everybody
      if (each.news.push([topic, data]) === 1) setImmediate(send, each)
    },
    subscribe: (topic, handler) => local.subscribe(topic, handler),
    follow(withinMs = followMs) {
      wanted.add(screens)
      followed ??= Promise.race([listening(), sleep(withinMs, undefined, { ref: false })])
      return followed
    },
    healthy: () => out.status === 'ready',
    version: () =>
      out.info('server').then(
        (info) => /redis_version:(\S+)/.exec(info)?.[1] ?? null,
        () => null,
      ),
    async close() {
      for (const each of lines) send(each)
      out.disconnect()
      into.disconnect()
    },
  }
}
