/**
 * SQLite answers at once: a loop of queries, each awaited, never comes back to the event loop, and nobody's request is
 * read until it ends. So a query that comes long after the last turn of the loop waits for the next one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** So long work may go on without letting others in. */
const mostMs = 10

interface Connection {
  executeQuery(query: never): Promise<unknown>
}

/** For the ORM's `onCreateConnection`. */
export async function letBreathe(connection: unknown): Promise<void> {
  const one = connection as Connection
  const run = one.executeQuery.bind(one)
  let turned = performance.now()
  let turn: Promise<void> | undefined
  one.executeQuery = async (query) => {
    if (performance.now() - turned > mostMs) {
      turn ??= nextTurn().then(() => {
        turned = performance.now()
        turn = undefined
      })
      await turn
    }
    return run(query)
  }
}
