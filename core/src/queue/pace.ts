/**
 * Keys that come up fast are done less often and more at a time: the first few go at once, then one every `everyMs`.
 * Whoever does the work finds all that is due by then.
 */
export class Pace {
  readonly #everyMs: number
  readonly #atOnce: number
  /** When a key would be done if all its turns so far had kept the distance. */
  readonly #until = new Map<string, number>()

  constructor(everyMs: number, atOnce: number) {
    this.#everyMs = everyMs
    this.#atOnce = atOnce
  }

  /** Counts a turn of the key at `now` (ms), and returns how long it is to wait. */
  turn(key: string, now: number): number {
    const until = Math.max(this.#until.get(key) ?? 0, now)
    this.#until.set(key, until + this.#everyMs)
    return Math.max(0, until - (this.#atOnce - 1) * this.#everyMs - now)
  }
}
