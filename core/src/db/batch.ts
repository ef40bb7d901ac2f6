/**
 * Lets concurrent work share a transaction: while one batch commits, the next one gathers. Under load the cost of
 * a commit is shared by all who wait for it; alone, nobody waits.
 */
interface Waiting<T, R> {
  item: T
  resolve(result: R): void
  reject(error: unknown): void
}

export interface Batcher<T, R> {
  add(item: T): Promise<R>
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/**
 * @param run does the work of a whole batch, all or nothing; its results stand in the order of the items
 * @param max most items of one batch
 */
export function createBatcher<T, R>(run: (items: T[]) => Promise<R[]>, max: number): Batcher<T, R> {
  let waiting: Waiting<T, R>[] = []
  let running: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, max)
      waiting = waiting.slice(max)
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
    running = undefined
  }

  return {
    add(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject })
        // The turn of the event loop gathers requests that arrived together.
        running ??= new Promise<void>((done) => setImmediate(done)).then(drain)
      })
    },
    async idle() {
      while (running) await running
    },
  }
}
