/** What is shown of conversations: of each a stretch without a gap. Pushes extend it when they are the next revision; anything else is a gap, and the gap is fetched. */
import { shallowReactive } from 'vue'
import type { ConversationPush, Message } from '../../../core/sdk/wire/conversation.ts'
import { get, query } from '../../../core/ui-kit/api.ts'

/**
 * A stretch of a conversation without a gap: however long the talk, a few hundred messages at most. Replaced, never
 * changed, so that only what is new is drawn.
 */
export interface Thread {
  readonly messages: readonly Message[]
  readonly rev: number
  /** There are older ones, newer ones, than are held. */
  readonly older: boolean
  readonly newer: boolean
  readonly loading: 'all' | 'older' | 'newer' | ''
}
const pageSize = 50
/** Held at once; what leaves the far end is fetched again when somebody goes there. */
const mostHeld = 200
/** Arrived while somebody reads further up: beyond this they are not held but fetched. */
const mostWaiting = 600
const threadsKept = 20

interface MessagePage {
  items: Message[]
  rev: number
  more: boolean
}

interface Surroundings {
  /** The newest revision of a conversation that is known of; 0 for none. */
  revOf(id: string): number
  /** Is there a line to the hub? */
  isLive(): boolean
  /** The hub has the message that was written here under this name. */
  confirm(id: string, clientId: string): void
}

export function createThreads({ revOf, isLive, confirm }: Surroundings) {
  const threads = shallowReactive(new Map<string, Thread>())

  const put = (id: string, change: Partial<Thread>): void => {
    const thread = threads.get(id)
    if (thread) threads.set(id, { ...thread, ...change })
  }

  async function open(id: string): Promise<void> {
    const known = threads.get(id)
    // Opened last, forgotten last.
    if (known) {
      threads.delete(id)
      threads.set(id, known)
      return known.newer ? showLatest(id) : catchUp(id)
    }
    for (const other of [...threads.keys()].slice(0, Math.max(0, threads.size - threadsKept + 1))) threads.delete(other)
    await showLatest(id)
  }

  /** The end of the conversation, whatever was shown before. */
  async function showLatest(id: string): Promise<void> {
    await show(id, async () => {
      const page = await get<MessagePage>(`/conversations/${id}/messages${query({ limit: pageSize })}`)
      return { ...page, older: page.more, newer: false }
    })
  }

  /** The stretch around a message, 1 being the first of all. */
  async function showAround(id: string, seq: number): Promise<void> {
    const after = Math.max(0, seq - 1 - pageSize / 2)
    await show(id, async () => {
      const page = await get<MessagePage>(`/conversations/${id}/messages${query({ after, limit: pageSize })}`)
      return { ...page, older: (page.items[0]?.seq ?? 1) > 1, newer: page.more }
    })
  }

  async function show(id: string, load: () => Promise<MessagePage & { older: boolean; newer: boolean }>): Promise<void> {
    const before = threads.get(id)
    threads.set(id, before ? { ...before, loading: 'all' } : { messages: [], rev: 0, older: false, newer: false, loading: 'all' })
    try {
      const { items, rev, older, newer } = await load()
      threads.set(id, { messages: items, rev, older, newer, loading: '' })
      // A push that came while it was loading was not applied to it.
      if (revOf(id) > rev) await catchUp(id)
    } catch (error) {
      if (before) threads.set(id, { ...before, loading: '' })
      else threads.delete(id)
      throw error
    }
  }

  /** One page more at an end; as much leaves at the other. */
  async function loadMore(id: string, end: 'older' | 'newer'): Promise<void> {
    const thread = threads.get(id)
    const edge = end === 'older' ? thread?.messages[0] : thread?.messages.at(-1)
    if (!thread?.[end] || thread.loading || !edge) return
    put(id, { loading: end })
    try {
      const page = await get<MessagePage>(`/conversations/${id}/messages${query({ [end === 'older' ? 'before' : 'after']: edge.seq, limit: pageSize })}`)
      const now = threads.get(id)
      if (!now || now.loading !== end) return
      const known = new Set(now.messages.map((message) => message.seq))
      const fresh = page.items.filter((message) => !known.has(message.seq))
      const all = end === 'older' ? [...fresh, ...now.messages] : [...now.messages, ...fresh]
      const messages = end === 'older' ? all.slice(0, mostHeld) : all.slice(-mostHeld)
      const cut = messages.length < all.length
      put(id, {
        messages,
        loading: '',
        ...(end === 'older' ? { older: page.more, newer: now.newer || cut } : { newer: page.more, older: now.older || cut }),
        // The page may be from before a push that was applied meanwhile: ask again from there.
        rev: Math.min(now.rev, page.rev),
      })
      if (page.rev < now.rev) await catchUp(id)
    } finally {
      if (threads.get(id)?.loading === end) put(id, { loading: '' })
    }
  }

  /** Somebody at the end of a long talk needs its beginning no more. */
  function trim(id: string): void {
    const thread = threads.get(id)
    if (thread && !thread.newer && thread.messages.length > mostHeld) put(id, { messages: thread.messages.slice(-mostHeld), older: true })
  }

  const catching = new Map<string, Promise<void>>()
  const askedAgain = new Set<string>()
  /** Fetches what changed in a thread since its revision; asked for while it runs, it looks once more. */
  function catchUp(id: string): Promise<void> {
    const running = catching.get(id)
    if (running) {
      askedAgain.add(id)
      return running
    }
    const work = (async () => {
      for (;;) {
        const thread = threads.get(id)
        if (!thread) return
        const page = await get<MessagePage>(`/conversations/${id}/messages${query({ afterRev: thread.rev, limit: 200 })}`)
        merge(id, page.items, page.rev)
        if (!page.more && !askedAgain.delete(id)) return
      }
    })().finally(() => catching.delete(id))
    catching.set(id, work)
    return work
  }

  /** A fetch that failed on a live line is made again; without one the next connect does it. */
  function keepUp(id: string, tries = 0): void {
    const again = () => {
      const behind = revOf(id) > (threads.get(id)?.rev ?? Number.POSITIVE_INFINITY)
      if (behind && isLive()) keepUp(id, tries + 1)
    }
    catchUp(id).catch(() => setTimeout(again, Math.min(2_000 * 2 ** tries, 30_000)))
  }

  function merge(id: string, changed: readonly Message[], rev?: number): void {
    for (const { clientId } of changed) if (clientId) confirm(id, clientId)
    const thread = threads.get(id)
    if (!thread) return
    const messages = [...thread.messages]
    let { newer } = thread
    for (const message of changed) {
      const at = messages.findLastIndex((known) => known.seq <= message.seq)
      const known = messages[at]
      if (known?.seq === message.seq) {
        if (known.rev <= message.rev) messages[at] = message
      } else if (at === messages.length - 1 && !newer) {
        if (messages.length < mostWaiting) messages.push(message)
        else newer = true
      } else if (at >= 0 && at < messages.length - 1) messages.splice(at + 1, 0, message)
    }
    threads.set(id, { ...thread, messages, newer, rev: Math.max(thread.rev, rev ?? 0) })
  }

  function hear({ conversation: { id, rev }, messages }: ConversationPush): void {
    const thread = threads.get(id)
    if (!thread || thread.loading === 'all') return
    if (rev === thread.rev + 1) merge(id, messages, rev)
    else if (rev > thread.rev) keepUp(id)
  }

  return { threads, open, showLatest, showAround, loadMore, trim, catchUp, merge, hear }
}
