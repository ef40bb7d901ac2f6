/**
 * Visitors with the widget's own code: tabs that are opened while there is no hub, loaded anew in the middle of a word,
 * and two at a time. The hub may be away when the first of them comes. What was written in one of them was promised.
 */
import type { CustomerMessage, CustomerThread } from '../../core/sdk/wire/customer.ts'
import { Browser, hurry, line, type Tab } from '../support/widget-tab.ts'
import type { Saying } from './clients.ts'
import { between, type Dice, pick, sleep } from './tools.ts'

/** Storage tells the other tabs of a word a moment later, as a browser's does; nobody is in the next tab as fast. */
const handToTabMs = 150
const mostTabs = 2

/** A tab as `verify.ts` looks at it. */
class TabScreen {
  readonly name: string
  readonly tab: Tab
  constructor(name: string, tab: Tab) {
    this.name = name
    this.tab = tab
  }
  get messages(): Map<string, CustomerMessage> {
    return new Map(this.tab.thread.messages.map((message) => [message.id, message as unknown as CustomerMessage]))
  }
  get conversation(): CustomerThread['conversation'] {
    return this.tab.thread.conversation as CustomerThread['conversation']
  }
}

export class BrowserVisitor {
  readonly name: string
  readonly said: Saying[] = []
  readonly #browser = new Browser()
  readonly #inboxId: string
  readonly #dice: Dice

  constructor(name: string, inboxId: string, bases: readonly string[], dice: Dice) {
    this.name = name
    this.#inboxId = inboxId
    this.#dice = dice
    line.hub = () => pick(dice, bases) ?? ''
  }

  /** The name the hub keeps of this browser. */
  get externalId(): string {
    try {
      return JSON.parse(Buffer.from((this.#browser.kept.get('') ?? '').split('.')[1] ?? '', 'base64url').toString('utf8')).externalId
    } catch {
      return ''
    }
  }
  get screens(): TabScreen[] {
    return this.#browser.tabs.map((tab, i) => new TabScreen(`${this.name}/tab ${i + 1}`, tab))
  }

  async talk(stop: AbortSignal): Promise<void> {
    const dice = this.#dice
    while (!stop.aborted) {
      const { tabs } = this.#browser
      const tab = pick(dice, tabs)
      const luck = dice()
      if (!tab || (tabs.length < mostTabs && luck < 0.3)) this.#browser.open(this.#inboxId)
      else if (luck < 0.2) {
        tab.close()
        if (tabs.length === 1) this.#browser.open(this.#inboxId)
      } else if (luck < 0.7) {
        const saying: Saying = { text: `${this.name} says ${this.said.length + 1}`, fate: 'acknowledged' }
        this.said.push(saying)
        tab.say(saying.text)
      } else hurry()
      await sleep(handToTabMs)
      await sleep(between(dice, 300, 2_500), stop)
    }
    if (this.#browser.tabs.length === 0) this.#browser.open(this.#inboxId)
  }

  /** A tab shows the newest; here all of it is looked at. */
  async scrollBack(): Promise<void> {
    for (const { thread } of this.#browser.tabs) for (let pages = 0; thread.more && pages < 20; pages++) await thread.older().catch(() => undefined)
  }

  /** What its tabs still wait for. */
  behind(): string[] {
    return this.screens.flatMap(({ name, tab }) => [
      ...tab.thread.waiting.map(({ clientId, failure }) => `${name} still waits with ${clientId} ${failure ?? ''}`),
      ...(tab.refused ? [`${name} may not talk: ${tab.refused}`] : []),
    ])
  }

  close(): void {
    this.#browser.close()
  }
}
