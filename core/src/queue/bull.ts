/** Hints within a process while it has room, and between processes over Bull. The only file that knows Bull. */
import Bull from 'bull'
import { Redis } from 'ioredis'
import type { Logger } from '../../sdk/plugin.ts'
import { KeyedRunner } from './in-process.ts'
import { Pace } from './pace.ts'
import { type Queue, type Topic, topics, type Worker } from './queue.ts'

/** All that happens is a hint to the same few listeners: while much does, one tells of all within this time. */
const hintMs = 50
const hintsAtOnce = 5

export function bullQueue(url: string, prefix: string, log: Logger): Queue {
  const queues = new Map<Topic, Bull.Queue<{ key: string }>>()
  /** Of the topics this process works on. */
  const runners = new Map<Topic, KeyedRunner>()
  const pace = new Pace(hintMs, hintsAtOnce)
  /** Listeners whose next hint is on its way. */
  const soon = new Map<string, NodeJS.Timeout>()
  let failing = false
  const connect = () => new Redis(url, { maxRetriesPerRequest: null, enableReadyCheck: false, retryStrategy: (tries) => Math.min(tries * 100, 2_000) })
  // The queues share what no command blocks.
  const shared = { client: connect(), subscriber: connect() }
  /** One for each topic that is worked on: it waits in Redis for the next hint. */
  const waiting: Redis[] = []
  for (const line of Object.values(shared)) line.setMaxListeners(0)
  for (const topic of topics) {
    const queue = new Bull<{ key: string }>(topic, {
      prefix: `${prefix}:queue`,
      createClient(type) {
        if (type !== 'bclient') return shared[type]
        const line = connect()
        waiting.push(line)
        return line
      },
      // Nothing of Bull's own book-keeping is relied on: a hint lost is found again as a due row.
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 },
    })
    queue.on('error', (error) => {
      if (!failing) log.warn({ topic, err: error }, 'queue is not reachable; due rows are found by sweeping')
      failing = true
    })
    queues.set(topic, queue)
  }
  function hint(topic: Topic, key: string): void {
    // While Redis is away a hint would wait in memory for ever: drop it, the sweep finds the row.
    if (shared.client.status !== 'ready') return
    failing = false
    queues
      .get(topic)
      ?.add({ key })
      .catch(() => undefined)
  }
  return {
    hurry(topic, key) {
      // Who has room does it at once: a job of Bull's is a dozen commands of Redis.
      const own = runners.get(topic)
      if (own?.hasRoom(key)) return own.run(key)
      if (topic !== 'delivery') return hint(topic, key)
      if (soon.has(key)) return
      const ms = pace.turn(key, performance.now())
      if (ms === 0) return hint(topic, key)
      const later = () => {
        soon.delete(key)
        hint(topic, key)
      }
      soon.set(key, setTimeout(later, ms).unref())
    },
    work(topic, worker: Worker) {
      const runner = new KeyedRunner(worker, log)
      runners.set(topic, runner)
      queues
        .get(topic)
        ?.process(16, async (job) => runner.run(job.data.key))
        .catch((error: Error) => log.warn({ topic, err: error }, 'queue stopped'))
    },
    healthy: () => shared.client.status === 'ready',
    async close() {
      for (const timer of soon.values()) clearTimeout(timer)
      // `close` waits for Redis; a hub must be able to stop without it.
      const closing = Promise.all([...queues.values()].map((queue) => queue.close(true).catch(() => undefined)))
      // Bull would ask them to go and wait half a second: they hear nothing while they wait.
      for (const line of waiting) line.disconnect()
      await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
      for (const line of [...waiting, ...Object.values(shared)]) line.disconnect()
      await Promise.all([...runners.values()].map((runner) => runner.finish()))
    },
  }
}
