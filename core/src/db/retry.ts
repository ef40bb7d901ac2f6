/** Runs a transaction again when the database asks for it: a deadlock, a lock waited for too long, a row made meanwhile by another. */
import { DeadlockException, LockWaitTimeoutException, UniqueConstraintViolationException } from '@mikro-orm/core'

export async function retryOnConflict<T>(work: (attempt: number) => Promise<T>, attempts = 5): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const conflict = error instanceof DeadlockException || error instanceof LockWaitTimeoutException || error instanceof UniqueConstraintViolationException
      if (!conflict || attempt >= attempts) throw error
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempt + Math.random() * 10))
    }
  }
}
