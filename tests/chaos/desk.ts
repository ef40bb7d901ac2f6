/** An agent's tab with the workbench's own outbox, loaded anew now and then; what it was refused must not go out by itself. */
import { asker } from '../support/widget-tab.ts'
import type { Saying, Tally } from './clients.ts'

/** What is used of `workbench-ui/src/stores/outbox.ts`, whose types are of a browser's world. */
interface Pending {
  parts: { text: string }[]
  state: 'sending' | 'waiting' | 'failed'
  error: { status?: number; code?: string } | undefined
}
interface Outbox {
  pending: Map<string, Pending[]>
  send(conversationId: string, parts: object[], options: { note: boolean }): void
  retryWaiting(): void
  keep(agentId: string): () => void
}
const kept = new Map<string, string>()
Object.defineProperty(globalThis, 'sessionStorage', {
  value: { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) },
})
const where = '../../workbench-ui/src/stores/outbox.ts'
const { createOutbox } = (await import(where)) as { createOutbox(stored: (message: { parts: { text: string }[] }) => unknown): Outbox }

export class DeskTab {
  readonly #agentId: string
  readonly #cookie: string
  readonly #tally: Tally
  readonly #said = new Map<string, Saying>()
  #outbox: Outbox
  #unkeep: () => void = () => undefined

  constructor(agentId: string, cookie: string, tally: Tally) {
    this.#agentId = agentId
    this.#cookie = cookie
    this.#tally = tally
    this.#outbox = this.#open()
  }

  #open(): Outbox {
    // What the tab before it still hears, nobody does.
    const outbox: Outbox = createOutbox(({ parts }) => this.#outbox === outbox && this.#stored(parts[0]?.text ?? ''))
    this.#as(() => {
      this.#unkeep = outbox.keep(this.#agentId)
    })
    return outbox
  }
  #as(work: () => void): void {
    asker.run({ cookie: this.#cookie }, work)
  }

  #stored(text: string): void {
    const saying = this.#said.get(text)
    if (!saying) return
    if (saying.fate === 'refused') this.#tally.wrongs.push(`${text}: went out by itself after it was refused`)
    saying.fate = 'acknowledged'
  }

  say(saying: Saying, conversationId: string, note: boolean): void {
    this.#said.set(saying.text, saying)
    this.#as(() => this.#outbox.send(conversationId, [{ type: 'text', text: saying.text }], { note }))
  }

  /** The tab is loaded anew: what was on its way may arrive all the same. */
  reload(): void {
    this.look()
    this.#unkeep()
    this.#outbox = this.#open()
  }

  /** What became of what was said; true when nothing waits any more. */
  look(): boolean {
    const unsent = [...this.#outbox.pending.values()].flat()
    for (const { parts, state, error } of unsent) {
      const saying = this.#said.get(parts[0]?.text ?? '')
      if (state !== 'failed' || saying?.fate !== 'pending') continue
      saying.fate = 'refused'
      // Moved to a colleague or ended meanwhile.
      if (![403, 404, 409].includes(error?.status ?? 0)) this.#tally.wrongs.push(`${saying.text}: ${error?.status} ${error?.code}`)
    }
    this.#as(() => this.#outbox.retryWaiting())
    return unsent.every(({ state }) => state === 'failed')
  }
}
