/**
 * Conversations and their messages as this agent may see them. Pushes are applied when they are the next revision;
 * anything else is a gap, and the gap is fetched. What was written here shows at once and is joined by its client id.
 */
import { defineStore } from 'pinia'
import { computed, reactive, ref, shallowReactive } from 'vue'
import type { ComposablePart } from '../../../core/sdk/message-parts.ts'
import type { Conversation, ConversationGroup, ConversationPush, GroupCounts, Message } from '../../../core/sdk/wire/conversation.ts'
import { ApiError, api, get, query } from '../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'
import { useSession } from '../../../core/ui-kit/session.store.ts'

interface Thread {
  messages: Message[]
  rev: number
  /** There are older ones. */
  more: boolean
  loading: boolean
}

/** Written here, not yet confirmed by the hub. */
export interface Pending {
  clientId: string
  conversationId: string
  parts: ComposablePart[]
  note: boolean
  replyToId: string | null
  state: 'sending' | 'failed'
  error: unknown
  at: string
}

interface ListState {
  cursor: string | null
  loaded: boolean
  failed: boolean
}

export type Sort = 'message' | 'customer'

export const useConversations = defineStore('conversations', () => {
  const session = useSession()
  const realtime = useRealtime()
  const byId = shallowReactive(new Map<string, Conversation>())
  const threads = reactive(new Map<string, Thread>())
  const pending = reactive(new Map<string, Pending[]>())
  const stars = reactive(new Set<string>())
  const lists = reactive(new Map<string, ListState>())
  const counts = ref<GroupCounts>({ mine: 0, queue: 0, open: 0, starred: 0 })
  const typing = reactive(new Map<string, { text: string; agentId: string | null; until: number }>())
  const arrived = new Set<(push: ConversationPush, before: Conversation | undefined) => void>()
  let lastSync = ''

  const myId = computed(() => session.me?.agent.id ?? '')

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

  const sorted = (group: ConversationGroup, sort: Sort): Conversation[] =>
    [...byId.values()]
      .filter((c) => belongs(group, c))
      .sort((a, b) => {
        const key = (c: Conversation) => (sort === 'customer' ? (c.lastCustomerAt ?? c.lastMessageAt) : c.lastMessageAt)
        return key(b).localeCompare(key(a)) || b.id.localeCompare(a.id)
      })

  async function loadList(group: ConversationGroup, sort: Sort, more = false): Promise<void> {
    const key = `${group}/${sort}`
    const list = lists.get(key)
    if (more && !list?.cursor) return
    try {
      const page = await get<{ items: Conversation[]; cursor: string | null }>(
        `/conversations${query({ group, sort, limit: 100, cursor: more ? (list?.cursor ?? undefined) : undefined })}`,
      )
      for (const conversation of page.items) keep(conversation)
      lists.set(key, { cursor: page.cursor, loaded: true, failed: false })
    } catch (error) {
      lists.set(key, { cursor: list?.cursor ?? null, loaded: list?.loaded ?? false, failed: true })
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
    if (threads.has(id)) return catchUp(id)
    threads.set(id, { messages: [], rev: 0, more: false, loading: true })
    const page = await get<{ items: Message[]; rev: number; more: boolean }>(`/conversations/${id}/messages${query({ limit: 50 })}`).catch((error) => {
      threads.delete(id)
      throw error
    })
    threads.set(id, { messages: page.items, rev: page.rev, more: page.more, loading: false })
    // A push that came while it was loading was not applied to it.
    if ((byId.get(id)?.rev ?? 0) > page.rev) await catchUp(id)
  }

  async function loadOlder(id: string): Promise<void> {
    const thread = threads.get(id)
    const first = thread?.messages[0]
    if (!thread?.more || thread.loading || !first) return
    thread.loading = true
    try {
      const page = await get<{ items: Message[]; more: boolean }>(`/conversations/${id}/messages${query({ before: first.seq, limit: 50 })}`)
      thread.messages.unshift(...page.items)
      thread.more = page.more
    } finally {
      thread.loading = false
    }
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
        const page = await get<{ items: Message[]; rev: number; more: boolean }>(`/conversations/${id}/messages${query({ afterRev: thread.rev, limit: 200 })}`)
        merge(thread, page.items)
        thread.rev = Math.max(thread.rev, page.rev)
        if (!page.more && !askedAgain.delete(id)) return
      }
    })().finally(() => catching.delete(id))
    catching.set(id, work)
    return work
  }

  function merge(thread: Thread, messages: readonly Message[]): void {
    for (const message of messages) {
      const at = thread.messages.findLastIndex((known) => known.seq <= message.seq)
      const known = thread.messages[at]
      if (known?.seq === message.seq) {
        if (known.rev <= message.rev) thread.messages[at] = message
      } else if (at >= 0 || thread.messages.length === 0 || !thread.more) thread.messages.splice(at + 1, 0, message)
      if (message.clientId) settle(message.conversationId, message.clientId)
    }
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
    refreshCounts()
    const thread = threads.get(conversation.id)
    if (thread && !thread.loading) {
      if (conversation.rev === thread.rev + 1) {
        merge(thread, messages)
        thread.rev = conversation.rev
      } else if (conversation.rev > thread.rev) void catchUp(conversation.id).catch(() => undefined)
    }
    if (messages.some((m) => m.direction === 'in')) typing.delete(conversation.id)
    for (const handler of arrived) handler(push, before)
  }

  function forget(id: string): void {
    byId.delete(id)
    threads.delete(id)
    refreshCounts()
  }

  /** After every connect: what changed while we were away. */
  async function resync(): Promise<void> {
    if (lastSync === '') {
      lastSync = (await get<{ serverTime: string }>(`/conversations/changes${query({ since: new Date(Date.now() + session.clockSkew).toISOString() })}`))
        .serverTime
    } else {
      let cursor: string | null = null
      let serverTime = ''
      do {
        const page: { items: Conversation[]; cursor: string | null; serverTime: string } = await get(
          `/conversations/changes${query({ since: lastSync, cursor: cursor ?? undefined })}`,
        )
        for (const conversation of page.items) keep(conversation)
        cursor = page.cursor
        serverTime ||= page.serverTime
      } while (cursor)
      lastSync = serverTime
      await forgetLost()
      await Promise.all([...threads.keys()].map((id) => catchUp(id)))
    }
    stars.clear()
    for (const id of (await get<{ ids: string[] }>('/stars')).ids) stars.add(id)
    refreshCounts()
    // What was written while the line was down goes out now, under the same client id.
    for (const waiting of pending.values()) for (const message of waiting) if (message.state === 'failed' && isOffline(message.error)) void transmit(message)
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

  const isOffline = (error: unknown): boolean => error instanceof ApiError && (error.code === 'HUB_OFFLINE' || error.status === 503)

  function send(conversationId: string, parts: ComposablePart[], options: { note?: boolean; replyToId?: string | null } = {}): void {
    const message: Pending = {
      clientId: crypto.randomUUID(),
      conversationId,
      parts,
      note: options.note ?? false,
      replyToId: options.replyToId ?? null,
      state: 'sending',
      error: undefined,
      at: new Date().toISOString(),
    }
    const waiting = pending.get(conversationId) ?? []
    waiting.push(message)
    pending.set(conversationId, waiting)
    void transmit(pending.get(conversationId)?.at(-1) as Pending)
  }

  async function transmit(message: Pending): Promise<void> {
    message.state = 'sending'
    message.error = undefined
    try {
      const stored = await api<Message>('POST', `/conversations/${message.conversationId}/messages`, {
        clientId: message.clientId,
        parts: message.parts,
        note: message.note,
        replyToId: message.replyToId,
      })
      const thread = threads.get(message.conversationId)
      // The push may have come first; either way it is shown once.
      if (thread) merge(thread, [stored])
      settle(message.conversationId, message.clientId)
    } catch (error) {
      message.state = 'failed'
      message.error = error
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
    byId.set(id, { ...conversation, unread: 0, agentReadSeq: seq })
    await api('POST', `/conversations/${id}/read`, { seq }).catch(() => undefined)
  }

  async function toggleStar(id: string): Promise<void> {
    const on = !stars.has(id)
    if (on) stars.add(id)
    else stars.delete(id)
    try {
      await api(on ? 'PUT' : 'DELETE', `/conversations/${id}/star`)
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
        if (event.kind !== 'typing') return
        if (event.active) typing.set(event.conversationId, { text: event.text ?? '', agentId: event.agentId, until: Date.now() + 8_000 })
        else typing.delete(event.conversationId)
      }),
      realtime.onResync(resync),
    )
    const timer = setInterval(() => {
      for (const [id, state] of typing) if (state.until < Date.now()) typing.delete(id)
    }, 2_000)
    undo.push(() => clearInterval(timer))
  }
  function stop(): void {
    for (const take of undo.splice(0)) take()
  }

  /** Called for every push; returns its own undo. */
  function onArrival(handler: (push: ConversationPush, before: Conversation | undefined) => void): () => void {
    arrived.add(handler)
    return () => void arrived.delete(handler)
  }

  const unread = computed(() => [...byId.values()].reduce((sum, c) => sum + (c.assigneeId === myId.value && c.status === 'open' ? c.unread : 0), 0))

  return {
    byId,
    threads,
    pending,
    stars,
    lists,
    counts,
    typing,
    myId,
    unread,
    sorted,
    loadList,
    open,
    loadOlder,
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
