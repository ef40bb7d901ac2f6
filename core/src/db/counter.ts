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
  #next = 0
  #end = 0
  #fetching: Promise<void> | undefined

  /** @param first the number before all others */
  constructor(em: () => Em, name: string, first: number) {
    this.#em = em
    this.#name = name
    this.#first = first
  }

  /** `count` numbers of those at hand, inside any transaction. Throws {@link NumbersShort}. */
  takeNow(count: number): number[] {
    if (this.#end - this.#next < count) throw new NumbersShort(count)
    return Array.from({ length: count }, () => this.#next++)
  }

  /** `count` numbers; must not be called inside a transaction on SQLite (there is one connection). */
  async take(count: number): Promise<number[]> {
    const numbers: number[] = []
    while (numbers.length < count) {
      if (this.#next < this.#end) numbers.push(this.#next++)
      else {
        this.#fetching ??= this.#fetch().finally(() => {
          this.#fetching = undefined
        })
        await this.#fetching
      }
    }
    return numbers
  }

  async #fetch(): Promise<void> {
    await retryOnConflict(async () => {
      await this.#em().transactional(async (em) => {
        const changed = await em.nativeUpdate(Counter, { name: this.#name }, { next: raw('next + ?', [block]) })
        if (changed === 0) {
          await em.insert(Counter, { name: this.#name, next: this.#first + block })
          this.#next = this.#first
          this.#end = this.#first + block
          return
        }
        const row = await em.findOneOrFail(Counter, { name: this.#name })
        this.#end = row.next
        this.#next = row.next - block
      })
    })
  }
}
