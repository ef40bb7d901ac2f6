/**
 * Who is doing what is being done: set once for each request of an agent, so that every event that follows from it can
 * say by whom and from where without every function handing it on.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { DoneBy } from '../../sdk/events.ts'

const store = new AsyncLocalStorage<DoneBy | undefined>()

/** Runs `work`, and all that it awaits, as done by `by`. */
export const doneBy = <T>(by: DoneBy, work: () => T): T => store.run(by, work)

/** Runs what goes on after a request that only hurried it: whoever that was has not done it. A row says who has. */
export const doneByNobody = <T>(work: () => T): T => store.run(undefined, work)

/** Null for what customers, platforms and the hub itself do. */
export const whoDoes = (): DoneBy | null => store.getStore() ?? null
