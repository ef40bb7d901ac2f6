/**
 * Lets concurrent work share a transaction: while one batch commits, the next one gathers. Under load the cost of
 * a commit is shared by all who wait for it; alone, nobody waits.
 */
interface Waiting<T, R> {
  item: T
  /** Since when, as `performance.now()` tells. */
  at: number
  resolve(result: R): void
  reject(error: unknown): void
}

export interface Batcher<T, R> {
  add(item: T): Promise<R>
  /** Something waits or runs. */
  busy(): boolean
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

interface BatchRules<T> {
  /** Most items of one batch. */
  max: number
  /** A batch of more items than this has a multiple of it; the others are the first of the next. 1 where any number will do. */
  step: number
  /** Most batches at a time; one where the database has one writer. */
  lanes: number
  /** So many must wait for a batch to begin beside another: smaller ones cost more than they gain. */
  worth: number
  /** Or one that waited so long, in milliseconds: the batch before it is held up by something. */
  patienceMs: number
  /** Items of one key keep their order: they are in one batch, or the later ones wait for the earlier batch to end. */
  keyOf(item: T): string
}

/** @param run does the work of a whole batch, all or nothing; its results stand in the order of the items */
export function createBatcher<T, R>(run: (items: T[]) => Promise<R[]>, { max, step, lanes, worth, patienceMs, keyOf }: BatchRules<T>): Batcher<T, R> {
  let waiting: Waiting<T, R>[] = []
  /** Keys of the batches that run. */
  const busy = new Set<string>()
  let running = 0
  let gathering = false
  let looking: NodeJS.Timeout | undefined
  const idle: (() => void)[] = []

  function lookAgain(ms: number): void {
    if (looking) return
    looking = setTimeout(() => {
      looking = undefined
      start()
    }, Math.ceil(ms)).unref()
  }

  /** The next batch: those that wait longest and are behind nobody. */
  function take(): Waiting<T, R>[] {
    const able = waiting.filter(({ item }) => !busy.has(keyOf(item))).slice(0, max)
    const batch = able.length > step ? able.slice(0, able.length - (able.length % step)) : able
    const [first] = batch
    if (running > 0 && first && batch.length < worth) {
      const leftMs = first.at + patienceMs - performance.now()
      if (leftMs > 0) {
        lookAgain(leftMs)
        return []
      }
    }
    const taken = new Set(batch)
    waiting = waiting.filter((one) => !taken.has(one))
    return batch
  }

  function start(): void {
    gathering = false
    while (running < lanes && waiting.length > 0) {
      const batch = take()
      if (batch.length === 0) return
      const keys = new Set(batch.map(({ item }) => keyOf(item)))
      for (const key of keys) busy.add(key)
      running++
      void settle(batch).then(() => {
        for (const key of keys) busy.delete(key)
        running--
        start()
        if (running === 0) for (const done of idle.splice(0)) done()
      })
    }
  }

  async function settle(batch: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, i) => {
        resolve(results[i] as R)
      })
    } catch (error) {
      // One bad item must not take the others with it: each gets a try of its own.
      if (batch.length === 1) batch[0]?.reject(error)
      else for (const { item, resolve, reject } of batch) await run([item]).then(([result]) => resolve(result as R), reject)
    }
  }

  return {
    add(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, at: performance.now(), resolve, reject })
        if (gathering || running === lanes) return
        gathering = true
        // The turn of the event loop gathers requests that arrived together.
        setImmediate(start)
      })
    },
    busy: () => running > 0 || waiting.length > 0,
    async idle() {
      while (running > 0 || waiting.length > 0) await new Promise<void>((resolve) => idle.push(resolve))
    },
  }
}
