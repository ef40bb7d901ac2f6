/** Conversations as this agent may see them, and what becomes of them while one looks; their messages are in `threads.ts`, what is being sent in `outbox.ts`. */
import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowReactive } from 'vue'
import type { Conversation, ConversationGroup, ConversationPush, ConversationSort, GroupCounts, SectionBy } from '../../../core/sdk/wire/conversation.ts'
import { ApiError, api, get, query } from '../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'
import { useSession } from '../../../core/ui-kit/session.store.ts'
import { createOutbox } from './outbox.ts'
import { createThreads } from './threads.ts'

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

export const useConversations = defineStore('conversations', () => {
  const session = useSession()
  const realtime = useRealtime()
  const byId = shallowReactive(new Map<string, Conversation>())
  const outbox = createOutbox((message) => talk.merge(message.conversationId, [message]))
  const talk = createThreads({
    revOf: (id) => byId.get(id)?.rev ?? 0,
    isLive: () => realtime.state.value === 'live',
    confirm: outbox.confirm,
  })
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

  async function open(id: string): Promise<void> {
    if (!byId.has(id)) keep(await get<Conversation>(`/conversations/${id}`))
    await talk.open(id)
  }

  function applyPush(push: ConversationPush): void {
    const { conversation, messages } = push
    const before = byId.get(conversation.id)
    keep(conversation)
    if (before && isMine(before) && isMine(conversation)) counts.value.unread += Math.max(before.unread, conversation.unread) - before.unread
    refreshCounts()
    talk.hear(push)
    if (messages.some((m) => m.direction === 'in')) typing.delete(conversation.id)
    for (const handler of arrived) handler(push, before)
  }
  const isMine = (c: Conversation): boolean => belongs('mine', c)

  function forget(id: string): void {
    byId.delete(id)
    talk.threads.delete(id)
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
    const dropped = lastSync !== ''
    let cursor: string | null = null
    let serverTime = ''
    do {
      const page: { items: Conversation[]; cursor: string | null; serverTime: string } = await get(
        `/conversations/changes${query({ since, cursor: cursor ?? undefined })}`,
      )
      for (const conversation of page.items) {
        const before = byId.get(conversation.id)
        keep(conversation)
        // What came while the line was down is noticed like what comes while it is up.
        if (dropped) for (const handler of arrived) handler({ conversation, messages: [] }, before)
      }
      cursor = page.cursor
      serverTime ||= page.serverTime
    } while (cursor)
    lastSync = serverTime
    await forgetLost()
    await Promise.all([...talk.threads.keys()].map(talk.catchUp))
    const [, begun] = await Promise.all([loadStars(), allPages<{ items: { conversationId: string; text: string }[] }>('/drafts')])
    drafts.clear()
    for (const { conversationId, text } of begun.flatMap(({ items }) => items)) drafts.set(conversationId, text)
    refreshCounts()
    outbox.drainAll()
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
      if (realtime.state.value === 'live' && navigator.onLine) outbox.retryWaiting()
    }, 2_000)
    undo.push(() => clearInterval(timer), outbox.keep(myId.value))
  }
  /** Whoever signs in next sees nothing of this one's, and sends nothing in this one's name. */
  function stop(): void {
    for (const take of undo.splice(0)) take()
    for (const held of [byId, talk.threads, outbox.pending, stars, drafts, lists, typing]) held.clear()
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
    threads: talk.threads,
    pending: outbox.pending,
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
    loadMore: talk.loadMore,
    showLatest: talk.showLatest,
    showAround: talk.showAround,
    trim: talk.trim,
    send: outbox.send,
    transmit: outbox.transmit,
    discard: outbox.discard,
    act,
    markRead,
    toggleStar,
    start,
    stop,
    forget,
    onArrival,
  }
})
