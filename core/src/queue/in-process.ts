/** Hints within one process: a key runs once at a time, and once more if it was hurried meanwhile. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../../sdk/plugin.ts'
import { doneByNobody } from '../access/doing.ts'
import type { Queue, Topic, Worker } from './queue.ts'

const concurrency = 8

/** Runs keys of one topic, each one at a time, at most `concurrency` together. */
export class KeyedRunner {
  readonly #worker: Worker
  readonly #log: Logger
  readonly #waiting: string[] = []
  readonly #state = new Map<string, 'waiting' | 'running' | 'again'>()
  #running = 0
  #ended = false
  #idle: (() => void)[] = []

  constructor(worker: Worker, log: Logger) {
    this.#worker = worker
    this.#log = log
  }

  run(key: string): void {
    if (this.#ended) return
    const state = this.#state.get(key)
    if (state === 'running') this.#state.set(key, 'again')
    if (state !== undefined) return
    this.#state.set(key, 'waiting')
    this.#waiting.push(key)
    this.#next()
  }

  #next(): void {
    while (this.#running < concurrency) {
      const key = this.#waiting.shift()
      if (key === undefined) return
      this.#running++
      this.#state.set(key, 'running')
      // In a turn of its own: who has hurried it answers first.
      nextTurn()
        .then(() => doneByNobody(() => this.#worker(key)))
        .catch((error) => this.#log.error({ key, err: error }, 'work failed'))
        .finally(() => {
          this.#running--
          const again = this.#state.get(key) === 'again'
          this.#state.delete(key)
          if (again) this.run(key)
          else this.#next()
          if (this.#running === 0) for (const done of this.#idle.splice(0)) done()
        })
    }
  }

  /** It would begin at once, or is at it. */
  hasRoom(key: string): boolean {
    return this.#running < concurrency || this.#state.has(key)
  }

  /** Begins nothing any more: what waits is found again as a due row. Resolves when what runs has ended. */
  async finish(): Promise<void> {
    this.#ended = true
    this.#waiting.length = 0
    if (this.#running === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }
}

export function inProcessQueue(log: Logger): Queue {
  const runners = new Map<Topic, KeyedRunner>()
  return {
    hurry: (topic, key) => runners.get(topic)?.run(key),
    work: (topic, worker) => void runners.set(topic, new KeyedRunner(worker, log)),
    healthy: () => true,
    async close() {
      await Promise.all([...runners.values()].map((runner) => runner.finish()))
    },
  }
}
