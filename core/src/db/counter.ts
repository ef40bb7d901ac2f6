/** Numbers that never repeat, handed out in blocks so that processes do not wait for each other. */
import { raw } from '@mikro-orm/core'
import { Counter } from '../domain/setting/setting.entity.ts'
import type { Em } from './orm.ts'
import { retryOnConflict } from './retry.ts'

const block = 50

/** There are fewer numbers at hand than asked for: {@link NumberSource.take} gets more. */
export class NumbersShort extends Error {
  readonly count: number
  constructor(count: number) {
    super(`${count} numbers are not at hand`)
    this.count = count
  }
}

export class NumberSource {
  readonly #em: () => Em
  readonly #name: string
  readonly #first: number
  /** Those at hand, first to last. */
  readonly #blocks: { next: number; end: number }[] = []
  #left = 0
  #fetching: Promise<void> | undefined

  /** @param first the number before all others */
  constructor(em: () => Em, name: string, first: number) {
    this.#em = em
    this.#name = name
    this.#first = first
  }

  /** `count` numbers of those at hand, inside any transaction. Throws {@link NumbersShort}. */
  takeNow(count: number): number[] {
    if (this.#left < count) throw new NumbersShort(count)
    const numbers = Array.from({ length: count }, () => this.#one())
    // Ahead of need and beside the caller's transaction, which does not wait for it: the next one seldom falls short.
    if (this.#left < block) this.#more().catch(() => undefined)
    return numbers
  }

  /** `count` numbers; must not be called inside a transaction on SQLite (there is one connection). */
  async take(count: number): Promise<number[]> {
    const numbers: number[] = []
    while (numbers.length < count) {
      if (this.#left > 0) numbers.push(this.#one())
      else await this.#more()
    }
    return numbers
  }

  #one(): number {
    const [first] = this.#blocks
    if (!first) throw new NumbersShort(1)
    const number = first.next++
    if (first.next === first.end) this.#blocks.shift()
    this.#left--
    return number
  }

  #more(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetch(): Promise<void> {
    const end = await retryOnConflict(() =>
      this.#em().transactional(async (em) => {
        const changed = await em.nativeUpdate(Counter, { name: this.#name }, { next: raw('next + ?', [block]) })
        if (changed === 0) {
          await em.insert(Counter, { name: this.#name, next: this.#first + block })
          return this.#first + block
        }
        return (await em.findOneOrFail(Counter, { name: this.#name })).next
      }),
    )
    this.#blocks.push({ next: end - block, end })
    this.#left += block
  }
}
