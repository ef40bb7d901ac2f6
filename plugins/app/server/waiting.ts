/** Requests that wait for something to fetch. What this process offers wakes them at once, what others offer a look at the database. */
import { HubError } from '@huike/core/sdk/errors.ts'

/** Told to the client in the README. Tests have no time for them. */
export const waitLimits = {
  /** Of one inbox, in one process. */
  most: 8,
  lookEveryMs: 1_000,
}

/** Looks again, or for the last time. */
type Ring = (last: boolean) => void
const waiting = new WeakMap<object, Map<string, Set<Ring>>>()

function waitersOf(ctx: object): Map<string, Set<Ring>> {
  const known = waiting.get(ctx) ?? new Map<string, Set<Ring>>()
  waiting.set(ctx, known)
  return known
}

export function wake(ctx: object, inboxId: string, last = false): void {
  for (const ring of waitersOf(ctx).get(inboxId) ?? []) ring(last)
}

/** The plugin ends, and nobody waits any more. */
export function endWaiting(ctx: object): void {
  for (const inboxId of waitersOf(ctx).keys()) wake(ctx, inboxId, true)
}

interface Wait {
  ms: number
  /** The client is gone. */
  gone: AbortSignal
  /** The hub ends. */
  over(): boolean
}

/** Looks until there is something, and says whether there is. Throws APP_OUTBOX_BUSY. */
export async function waitFor(ctx: object, inboxId: string, { ms, gone, over }: Wait, look: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + ms
  let [again, last] = [false, gone.aborted]
  let bell = Promise.withResolvers<void>()
  const ring: Ring = (isLast) => {
    again = true
    last ||= isLast
    bell.resolve()
  }
  const leave = enter(ctx, inboxId, ring)
  const hangUp = () => ring(true)
  gone.addEventListener('abort', hangUp)
  try {
    for (;;) {
      again = false
      bell = Promise.withResolvers()
      const there = await look()
      const left = end - Date.now()
      if (there || left <= 0 || last || over()) return there
      const timer = setTimeout(bell.resolve, Math.min(waitLimits.lookEveryMs, left))
      // What was offered while it was being looked for has rung already.
      if (!again) await bell.promise
      clearTimeout(timer)
    }
  } finally {
    gone.removeEventListener('abort', hangUp)
    leave()
  }
}

function enter(ctx: object, inboxId: string, ring: Ring): () => void {
  const all = waitersOf(ctx)
  const mine = all.get(inboxId) ?? new Set<Ring>()
  if (mine.size >= waitLimits.most)
    throw new HubError('APP_OUTBOX_BUSY', 'Too many requests wait for this inbox', { most: waitLimits.most }, { status: 429, reader: 'author', retry: true })
  all.set(inboxId, mine.add(ring))
  return () => {
    mine.delete(ring)
    if (mine.size === 0) all.delete(inboxId)
  }
}
