/** Runs a transaction again when the database asks for it (a deadlock, a lock waited for too long, a row made meanwhile by another), or who found what it read outdated. */
import { DeadlockException, LockWaitTimeoutException, UniqueConstraintViolationException } from '@mikro-orm/core'

/** What this transaction read first has been changed by another since: it is to begin anew. */
export class StaleRead extends Error {
  constructor() {
    super('what was read has been changed meanwhile')
  }
}

const conflicts = [DeadlockException, LockWaitTimeoutException, UniqueConstraintViolationException, StaleRead]

export async function retryOnConflict<T>(work: (attempt: number) => Promise<T>, attempts = 5): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const conflict = conflicts.some((kind) => error instanceof kind)
      if (!conflict || attempt >= attempts) throw error
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt + Math.random() * 10))
    }
  }
}
