/**
 * The widget's own thread in Node: a browser with its storage and its tabs, as the loader keeps and tells it
 * (`plugins/website/widget/src/loader.ts`), without a page. One line to the hub for all of them: {@link line}.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'
import { setImmediate as soon } from 'node:timers/promises'

/** What is used of `Thread` and of what it keeps; typed here, because the widget's code is of a browser's world. */
export interface TabThread {
  token: string
  messages: {
    id: string
    seq: number
    rev: number
    from: string
    recalled: boolean
    conversationId: string
    clientId: string | null
    parts: { type: string; text?: string; name?: string }[]
  }[]
  waiting: { clientId: string; failure?: string; parts: { text?: string }[] }[]
  conversation: { id: string; status: string; agentPresent: boolean } | null
  attended: boolean
  look(): void
  start(init: object): Promise<void>
  send(parts: object[]): void
  prove(identity: string): void
  become(token: string): void
  adopt(written: object[]): void
  more: boolean
  fetch(): Promise<void>
  older(): Promise<void>
  see(): void
  stop(): void
}

/** The way to the hub: its address, whether it is there, and how often it was asked. */
export const line = { hub: () => 'http://127.0.0.1', up: true, asked: 0 }
const page = new EventTarget()
setMaxListeners(0, page)
const toHub = globalThis.fetch
/** What goes along with every request of who runs within: a cookie. */
export const asker = new AsyncLocalStorage<Record<string, string>>()

/** The line is back, and browsers say so. */
export function reconnect(): void {
  line.up = true
  hurry()
}
/** Nobody waits for a line that is there: what pauses goes on. */
export const hurry = (): void => void page.dispatchEvent(new Event('online'))

Object.assign(globalThis, {
  addEventListener: page.addEventListener.bind(page),
  removeEventListener: page.removeEventListener.bind(page),
  fetch: (path: string | URL | Request, options?: RequestInit) => {
    if (typeof path !== 'string' || !path.startsWith('/')) return toHub(path, options)
    line.asked++
    return line.up
      ? toHub(new URL(path, line.hub()), { ...options, headers: { ...options?.headers, 'user-agent': 'Mozilla/5.0 Chrome/140', ...asker.getStore() } })
      : Promise.reject(new TypeError('no line'))
  },
})
Object.defineProperty(globalThis, 'location', { get: () => new URL(line.hub()) })
const where = '../../plugins/website/widget/src/thread.ts'
const { Thread } = (await import(where)) as { Thread: new (inbox: string, events: object) => TabThread }

export class Browser {
  /** What the site's page keeps, by the end of its name. */
  readonly kept = new Map<string, string>()
  readonly #tabs = new Set<Tab>()
  get tabs(): Tab[] {
    return [...this.#tabs]
  }

  /** @param identity the page's word about its user */
  open(inboxId: string, identity = ''): Tab {
    const tab = new Tab(this, inboxId, identity)
    this.#tabs.add(tab)
    return tab
  }

  keep(by: Tab, what: string, value: string): void {
    if (value) this.kept.set(what, value)
    else this.kept.delete(what)
    for (const tab of this.#tabs) if (tab !== by) void soon().then(() => this.#tabs.has(tab) && tab.told(what, value))
  }

  forget(tab: Tab): void {
    this.#tabs.delete(tab)
  }
  close(): void {
    for (const tab of this.#tabs) tab.close()
  }
}

export class Tab {
  readonly thread: TabThread
  /** Why nobody may talk here now. */
  refused = ''
  readonly #browser: Browser

  constructor(browser: Browser, inboxId: string, identity: string) {
    this.#browser = browser
    const ignore = () => undefined
    this.thread = new Thread(inboxId, {
      changed: ignore,
      arrived: ignore,
      typing: ignore,
      refused: (code: string) => {
        this.refused = code
      },
      spoke: (token: string) => browser.keep(this, '', token),
      wrote: (written: object[]) => browser.keep(this, '.out', written.length > 0 ? JSON.stringify(written) : ''),
      seen: (id: string) => browser.keep(this, '.seen', id),
      expired: async () => '',
    })
    const kept = (what: string) => browser.kept.get(what) ?? ''
    void this.thread.start({ token: kept(''), identity, visitId: '', written: JSON.parse(kept('.out') || '[]'), seen: kept('.seen'), keeps: true, open: true })
  }

  /** Another tab has kept this. */
  told(what: string, value: string): void {
    if (what === '' && value) this.thread.become(value)
    if (what === '.out') this.thread.adopt(JSON.parse(value || '[]'))
  }

  say(text: string): void {
    this.thread.send([{ type: 'text', text }])
  }
  /** What is written there, in the order it is shown. */
  shown(): string[] {
    return [...this.thread.messages, ...this.thread.waiting].flatMap(({ parts }) => parts.map((part) => part.text ?? ''))
  }

  close(): void {
    this.#browser.forget(this)
    this.thread.stop()
  }
}
