/** More than a hub has inboxes. */
const most = 10_000

/**
 * Answers to what is asked at every request, each kept for a while: who asks meanwhile waits for the same one, and a
 * failure is not kept. The oldest go first, so that nobody fills the memory with keys that they made up.
 */
export class Kept<T> {
  readonly #ttlMs: number
  readonly #ask: (key: string) => Promise<T>
  readonly #most: number
  readonly #answers = new Map<string, { at: number; answer: Promise<T> }>()

  constructor(ttlMs: number, ask: (key: string) => Promise<T>, mostKept = most) {
    this.#ttlMs = ttlMs
    this.#ask = ask
    this.#most = mostKept
  }

  of(key: string): Promise<T> {
    const known = this.#answers.get(key)
    if (known && Date.now() - known.at < this.#ttlMs) return known.answer
    const answer = this.#ask(key)
    this.#answers.delete(key)
    if (this.#answers.size >= this.#most) this.#answers.delete(this.#answers.keys().next().value as string)
    this.#answers.set(key, { at: Date.now(), answer })
    answer.catch(() => this.#answers.delete(key))
    return answer
  }

  clear(): void {
    this.#answers.clear()
  }
}
