/**
 * Conversations and their messages as this agent may see them. Pushes are applied when they are the next revision;
 * anything else is a gap, and the gap is fetched. What was written here shows at once and is joined by its client id.
 */
import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowReactive } from 'vue'
import type { ComposablePart } from '../../../core/sdk/message-parts.ts'
import type {
  ComposedLetter,
  Conversation,
  ConversationGroup,
  ConversationPush,
  ConversationSort,
  GroupCounts,
  Message,
  SectionBy,
} from '../../../core/sdk/wire/conversation.ts'
import { ApiError, api, get, newClientId, query } from '../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'
import { useSession } from '../../../core/ui-kit/session.store.ts'
import { keepUnsent, unsentOf } from './unsent.ts'

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

/** Written here, not yet confirmed by the hub. */
export interface Pending {
  clientId: string
  conversationId: string
  parts: ComposablePart[]
  note: boolean
  replyToId: string | null
  letter: ComposedLetter | undefined
  /** `waiting`: the hub was not reached; it goes out by itself. `failed`: the hub refused it. */
  state: 'sending' | 'waiting' | 'failed'
  error: unknown
  at: string
}

/** Null: those that have none. */
interface ListSection {
  by: SectionBy
  key: string | null
}

interface ListState {
  cursor: string | null
  loaded: boolean
  failed: boolean
  loading: boolean
}

interface MessagePage {
  items: Message[]
  rev: number
  more: boolean
}

export const useConversations = defineStore('conversations', () => {
  const session = useSession()
  const realtime = useRealtime()
  const byId = shallowReactive(new Map<string, Conversation>())
  const threads = shallowReactive(new Map<string, Thread>())
  const pending = reactive(new Map<string, Pending[]>())
  const stars = reactive(new Set<string>())
  /** How often a star was set or taken: a list that was asked for before that is an old one. */
  let starTurns = 0
  const drafts = reactive(new Map<string, string>())
  const lists = reactive(new Map<string, ListState>())
  const counts = ref<GroupCounts>({ mine: 0, queue: 0, open: 0, starred: 0, unread: 0 })
  /** What customers are typing. */
  const typing = reactive(new Map<string, { text: string; until: number }>())
  const arrived = new Set<(push: ConversationPush, before: Conversation | undefined) => void>()
  let lastSync = ''

  const myId = computed(() => session.me?.agent.id ?? '')

  /** May see more than their own and what waits: for those the group "open" is worth showing. */
  const seesMore = computed(
    () =>
      session.me?.rules.some((rule) => {
        const { action, subject, conditions } = rule as { action: string; subject: string; conditions?: Record<string, unknown> }
        return ['read', 'manage'].includes(action) && ['conversation', 'all'].includes(subject) && !conditions?.assigneeId && conditions?.status !== 'queued'
      }) ?? false,
  )

  const belongs = (group: ConversationGroup, c: Conversation): boolean => {
    switch (group) {
      case 'mine':
        return c.assigneeId === myId.value && c.status === 'open'
      case 'queue':
        return c.status === 'queued'
      case 'open':
        return c.status === 'open'
      case 'closed':
        return c.status === 'closed'
      case 'starred':
        return stars.has(c.id)
    }
  }

  // ISO times and ids compare as they stand; localeCompare would take a frame for five thousand.
  const sorted = (group: ConversationGroup, sort: ConversationSort): Conversation[] => {
    // Who waits stands before who does not, the longest first; all else is newest first.
    const key = (c: Conversation) => (sort === 'waiting' ? c.waitingSince : sort === 'customer' ? c.lastCustomerAt : c.lastMessageAt)
    return [...byId.values()]
      .filter((c) => belongs(group, c))
      .sort((a, b) => {
        const [own, others] = [key(a), key(b)]
        if ((own === null) !== (others === null)) return own === null ? 1 : -1
        const [ka, kb] = [own ?? a.lastMessageAt, others ?? b.lastMessageAt]
        const newer = ka < kb ? 1 : ka > kb ? -1 : a.id < b.id ? 1 : -1
        return sort === 'waiting' && own !== null ? -newer : newer
      })
  }

  const listKey = (group: ConversationGroup, sort: string, section?: ListSection): string =>
    section ? `${group}/${sort}/${section.by}/${section.key ?? ''}` : `${group}/${sort}`

  /** The first page of a group or of one section of it, or with `more` the next one. */
  async function loadList(group: ConversationGroup, sort: ConversationSort, more = false, section?: ListSection): Promise<void> {
    const key = listKey(group, sort, section)
    const list = lists.get(key)
    if (list?.loading || (more && !list?.cursor)) return
    const before = { cursor: list?.cursor ?? null, loaded: list?.loaded ?? false }
    lists.set(key, { ...before, failed: false, loading: true })
    try {
      const page = await get<{ items: Conversation[]; cursor: string | null }>(
        `/conversations${query({ group, sort, by: section?.by, key: section?.key ?? undefined, limit: 100, cursor: more ? (list?.cursor ?? undefined) : undefined })}`,
      )
      for (const conversation of page.items) keep(conversation)
      lists.set(key, { cursor: page.cursor, loaded: true, failed: false, loading: false })
    } catch (error) {
      lists.set(key, { ...before, failed: true, loading: false })
      if (!(error instanceof ApiError)) throw error
    }
  }

  /** The newer one wins. */
  function keep(conversation: Conversation): void {
    const known = byId.get(conversation.id)
    if (!known || known.rev <= conversation.rev) byId.set(conversation.id, conversation)
  }

  let countsAsked = false
  function refreshCounts(): void {
    if (countsAsked) return
    countsAsked = true
    setTimeout(async () => {
      countsAsked = false
      counts.value = await get<GroupCounts>('/conversations/counts').catch(() => counts.value)
    }, 300)
  }

  const put = (id: string, change: Partial<Thread>): void => {
    const thread = threads.get(id)
    if (thread) threads.set(id, { ...thread, ...change })
  }

  async function open(id: string): Promise<void> {
    if (!byId.has(id)) keep(await get<Conversation>(`/conversations/${id}`))
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

  const newest = (id: string) => get<MessagePage>(`/conversations/${id}/messages${query({ limit: pageSize })}`)

  /** The end of the conversation, whatever was shown before. */
  async function showLatest(id: string): Promise<void> {
    await show(id, async () => {
      const page = await newest(id)
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
      if ((byId.get(id)?.rev ?? 0) > rev) await catchUp(id)
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
      const behind = (byId.get(id)?.rev ?? 0) > (threads.get(id)?.rev ?? Number.POSITIVE_INFINITY)
      if (behind && realtime.state.value === 'live') keepUp(id, tries + 1)
    }
    catchUp(id).catch(() => setTimeout(again, Math.min(2_000 * 2 ** tries, 30_000)))
  }

  function merge(id: string, changed: readonly Message[], rev?: number): void {
    for (const { clientId } of changed) if (clientId) settle(id, clientId)
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

  function settle(conversationId: string, clientId: string): void {
    const waiting = pending.get(conversationId)
    const at = waiting?.findIndex((p) => p.clientId === clientId) ?? -1
    if (at >= 0) waiting?.splice(at, 1)
  }

  function applyPush(push: ConversationPush): void {
    const { conversation, messages } = push
    const before = byId.get(conversation.id)
    keep(conversation)
    if (before && isMine(before) && isMine(conversation)) counts.value.unread += Math.max(before.unread, conversation.unread) - before.unread
    refreshCounts()
    const thread = threads.get(conversation.id)
    if (thread && thread.loading !== 'all') {
      if (conversation.rev === thread.rev + 1) merge(conversation.id, messages, conversation.rev)
      else if (conversation.rev > thread.rev) keepUp(conversation.id)
    }
    if (messages.some((m) => m.direction === 'in')) typing.delete(conversation.id)
    for (const handler of arrived) handler(push, before)
  }
  const isMine = (c: Conversation): boolean => belongs('mine', c)

  function forget(id: string): void {
    byId.delete(id)
    threads.delete(id)
    refreshCounts()
  }

  /** A star that is set while the list of them is on its way stays: the list is asked for again. */
  async function loadStars(): Promise<void> {
    for (let turn = -1; turn !== starTurns; ) {
      turn = starTurns
      const pages = await allPages<{ ids: string[] }>('/stars')
      if (turn !== starTurns) continue
      stars.clear()
      for (const id of pages.flatMap(({ ids }) => ids)) stars.add(id)
    }
  }
  /** After every connect: what changed while we were away. */
  async function resync(): Promise<void> {
    // The first time too: between the first list and the line something may have come.
    const since = lastSync || (session.me?.serverTime ?? new Date().toISOString())
    let cursor: string | null = null
    let serverTime = ''
    do {
      const page: { items: Conversation[]; cursor: string | null; serverTime: string } = await get(
        `/conversations/changes${query({ since, cursor: cursor ?? undefined })}`,
      )
      for (const conversation of page.items) keep(conversation)
      cursor = page.cursor
      serverTime ||= page.serverTime
    } while (cursor)
    lastSync = serverTime
    await forgetLost()
    await Promise.all([...threads.keys()].map((id) => catchUp(id)))
    const [, begun] = await Promise.all([loadStars(), allPages<{ items: { conversationId: string; text: string }[] }>('/drafts')])
    drafts.clear()
    for (const { conversationId, text } of begun.flatMap(({ items }) => items)) drafts.set(conversationId, text)
    refreshCounts()
    // What was written while the line was down goes out now, under the same client id.
    for (const id of pending.keys()) void drain(id)
  }

  /** Of what an agent has marked by hand: as much as they did. */
  async function allPages<T>(path: string): Promise<T[]> {
    const pages: (T & { cursor: string | null })[] = []
    do pages.push(await get(`${path}${query({ cursor: pages.at(-1)?.cursor ?? undefined })}`))
    while (pages.at(-1)?.cursor)
    return pages
  }

  /** What went to somebody else's eyes meanwhile is named by nobody: ask which of ours we may still see. */
  async function forgetLost(): Promise<void> {
    const mine = [...byId.keys()]
    for (let i = 0; i < mine.length; i += 500) {
      const asked = mine.slice(i, i + 500)
      const visible = new Set((await api<{ ids: string[] }>('POST', '/conversations/visible', { ids: asked })).ids)
      for (const id of asked) if (!visible.has(id)) forget(id)
    }
  }

  /** The hub was not reached: no line, or a proxy whose hub restarts. A plugin that holds messages up is another matter: the agent must know. */
  const isOffline = (error: unknown): boolean =>
    error instanceof ApiError && (error.code === 'HUB_OFFLINE' || ([502, 503, 504].includes(error.status) && error.code !== 'HUB_PLUGIN_BROKEN'))

  function send(
    conversationId: string,
    parts: ComposablePart[],
    options: { note?: boolean; replyToId?: string | null; letter?: ComposedLetter | undefined } = {},
  ): void {
    enqueue({
      clientId: newClientId(),
      conversationId,
      parts,
      note: options.note ?? false,
      replyToId: options.replyToId ?? null,
      letter: options.letter,
      state: 'sending',
      error: undefined,
      at: new Date().toISOString(),
    })
  }
  function enqueue(message: Pending): void {
    const waiting = pending.get(message.conversationId) ?? []
    waiting.push(message)
    pending.set(message.conversationId, waiting)
    void drain(message.conversationId)
  }

  /** Conversations whose messages are on their way; true: asked for once more meanwhile. */
  const draining = new Map<string, boolean>()
  /** One after the other, as they were written. What the hub refuses holds nothing up; without a line all that is left waits for it. */
  async function drain(conversationId: string): Promise<void> {
    if (draining.has(conversationId)) return void draining.set(conversationId, true)
    do {
      draining.set(conversationId, false)
      for (let next = first(); next && (await post(next)); ) next = first()
    } while (draining.get(conversationId))
    draining.delete(conversationId)

    function first(): Pending | undefined {
      return pending.get(conversationId)?.find(({ state }) => state !== 'failed')
    }
  }
  /** A network that was away for a blink, or a proxy whose hub restarts, need not break the live line: then no reconnect says that it is over. */
  function retryWaiting(): void {
    for (const [id, unsent] of pending) if (unsent.some(({ state }) => state === 'waiting')) void drain(id)
  }
  async function transmit(message: Pending): Promise<void> {
    Object.assign(message, { state: 'sending', error: undefined })
    await drain(message.conversationId)
  }

  /** False: there is no line, and what waits behind it need not be tried. */
  async function post(message: Pending): Promise<boolean> {
    try {
      const stored = await api<Message>('POST', `/conversations/${message.conversationId}/messages`, {
        clientId: message.clientId,
        parts: message.parts,
        note: message.note,
        replyToId: message.replyToId,
        ...(message.letter ? { meta: message.letter } : {}),
      })
      // The push may have come first; either way it is shown once.
      discard(message)
      merge(message.conversationId, [stored])
      return true
    } catch (error) {
      if (!isOffline(error)) return !!Object.assign(message, { state: 'failed', error })
      for (const one of pending.get(message.conversationId) ?? []) if (one.state === 'sending') one.state = 'waiting'
      return false
    }
  }

  function discard(message: Pending): void {
    settle(message.conversationId, message.clientId)
  }

  async function act(id: string, verb: 'take' | 'close' | 'transfer', body?: unknown): Promise<void> {
    await api('POST', `/conversations/${id}/${verb}`, body ?? {})
  }

  async function markRead(id: string, seq: number): Promise<void> {
    const conversation = byId.get(id)
    if (!conversation || conversation.assigneeId !== myId.value || conversation.agentReadSeq >= seq) return
    counts.value.unread = Math.max(0, counts.value.unread - conversation.unread)
    const read = { ...conversation, unread: 0, agentReadSeq: seq }
    byId.set(id, read)
    await api('POST', `/conversations/${id}/read`, { seq }).catch(() => {
      // Said again with the next look, or when the line is back.
      if (byId.get(id) === read) byId.set(id, conversation)
      refreshCounts()
    })
  }

  async function toggleStar(id: string): Promise<void> {
    const on = !stars.has(id)
    starTurns++
    if (on) stars.add(id)
    else stars.delete(id)
    try {
      await api(on ? 'PUT' : 'DELETE', `/conversations/${id}/star`)
      starTurns++
      if (on) stars.add(id)
      else stars.delete(id)
      refreshCounts()
    } catch (error) {
      if (on) stars.delete(id)
      else stars.add(id)
      throw error
    }
  }

  const undo: (() => void)[] = []
  function start(): void {
    undo.push(
      realtime.on<ConversationPush>('conversation', applyPush),
      realtime.on<{ id: string }>('conversation.gone', ({ id }) => forget(id)),
      realtime.on<{ conversationId: string; kind: string; agentId: string | null; active: boolean; text?: string }>('ephemeral', (event) => {
        if (event.kind !== 'typing' || event.agentId !== null) return
        if (event.active) typing.set(event.conversationId, { text: event.text ?? '', until: Date.now() + 8_000 })
        else typing.delete(event.conversationId)
      }),
      realtime.onResync(resync),
    )
    const timer = setInterval(() => {
      for (const [id, state] of typing) if (state.until < Date.now()) typing.delete(id)
      if (realtime.state.value === 'live' && navigator.onLine) retryWaiting()
    }, 2_000)
    const me = myId.value
    for (const message of unsentOf(me)) enqueue(message)
    undo.push(() => clearInterval(timer), keepUnsent(me, pending))
  }
  /** Whoever signs in next sees nothing of this one's, and sends nothing in this one's name. */
  function stop(): void {
    for (const take of undo.splice(0)) take()
    for (const held of [byId, threads, pending, stars, drafts, lists, typing]) held.clear()
    counts.value = { mine: 0, queue: 0, open: 0, starred: 0, unread: 0 }
    lastSync = ''
  }

  /** Called for every push; returns its own undo. */
  function onArrival(handler: (push: ConversationPush, before: Conversation | undefined) => void): () => void {
    arrived.add(handler)
    return () => void arrived.delete(handler)
  }

  /** Of all of one's own, whether the list has come to them or not. */
  const unread = computed(() => counts.value.unread)

  return {
    byId,
    threads,
    pending,
    stars,
    drafts,
    lists,
    counts,
    typing,
    myId,
    seesMore,
    unread,
    sorted,
    listKey,
    loadList,
    keep,
    open,
    loadMore,
    showLatest,
    showAround,
    trim,
    send,
    transmit,
    discard,
    act,
    markRead,
    toggleStar,
    start,
    stop,
    forget,
    onArrival,
  }
})
