/** Small things the chaos run is made of: dice that can be thrown again, waiting. */
import { createConnection } from 'node:net'

/** 0 ≤ n < 1, the same row of numbers for the same seed (mulberry32). */
export type Dice = () => number

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const between = (dice: Dice, low: number, high: number): number => low + dice() * (high - low)
export const pick = <T>(dice: Dice, from: readonly T[]): T | undefined => from[Math.floor(dice() * from.length)]

/** Ends early, without an error, when `signal` says so. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end)
  })
}

/** Asks until the answer is yes. Throws after `ms`. */
export async function until(what: string, ms: number, probe: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + ms
  while (!(await probe().catch(() => false))) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms / 1_000} s`)
    await sleep(50)
  }
}

/** Does anything listen there? */
export const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const end = (yes: boolean) => {
      socket.destroy()
      resolve(yes)
    }
    socket.setTimeout(1_000, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
