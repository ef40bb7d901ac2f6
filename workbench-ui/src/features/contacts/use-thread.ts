/** All that was said with a contact, a stretch of it, kept as it is now. Read from either end; the oldest always stands first. */
import { computed, onUnmounted, type Ref, ref, shallowRef, watch } from 'vue'
import type { ContactThread } from '../../../../core/sdk/wire/contact.ts'
import type { Conversation, ConversationPush, Message } from '../../../../core/sdk/wire/conversation.ts'
import type { RecordFilter } from '../../../../core/sdk/wire/record.ts'
import { ApiError, get, query } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'
import { tidy, timeZone } from '../../../../core/ui-kit/records/filter.ts'

export type ThreadEnd = 'oldest' | 'newest'
/** Several changes at once are one look. */
const lookAfterMs = 300
/** More than that is not held: the end that was read first is let go of. */
const mostHeld = 1_000

export function useThread(contactId: string, filter: Ref<RecordFilter>, end: Ref<ThreadEnd>, ready: Readonly<Ref<boolean>>) {
  const realtime = useRealtime()
  const messages = shallowRef<Message[]>([])
  const conversations = shallowRef(new Map<string, Conversation>())
  const cursor = ref<string | null>(null)
  const state = ref<'loading' | 'loaded' | 'missing' | 'invalid' | 'forbidden' | 'failed'>('loading')
  const fetching = ref(false)
  /** The end that was read first is no longer held. */
  const cut = ref(false)
  /** Something was said beyond what is held. */
  const beyond = ref(false)
  /** What is said now belongs below what is held. */
  const live = computed(() => (end.value === 'newest' ? !cut.value : cursor.value === null))

  let turn = 0
  const ask = (from: ThreadEnd, after?: string) =>
    get<ContactThread>(`/contacts/${contactId}/messages${query({ end: from, cursor: after, filter: JSON.stringify(tidy(filter.value)), tz: timeZone() })}`)
  const know = (fresh: readonly Conversation[]) => {
    conversations.value = new Map([...conversations.value, ...fresh.map((one) => [one.id, one] as const)])
  }
  /** Words are looked for until some are found: a page may come back empty with more behind it. */
  async function read(after?: string): Promise<ContactThread> {
    let page = await ask(end.value, after)
    while (page.items.length === 0 && page.cursor !== null) page = await ask(end.value, page.cursor)
    return page
  }

  async function load(): Promise<void> {
    const mine = ++turn
    fetching.value = true
    state.value = 'loading'
    try {
      const page = await read()
      if (mine !== turn) return
      messages.value = page.items
      conversations.value = new Map(page.conversations.map((one) => [one.id, one]))
      cursor.value = page.cursor
      cut.value = beyond.value = false
      state.value = 'loaded'
    } catch (error) {
      if (mine !== turn) return
      const code = (error instanceof ApiError ? error.code : '') as 'HUB_NOT_FOUND'
      state.value = ({ HUB_NOT_FOUND: 'missing', HUB_REQUEST_INVALID: 'invalid', HUB_FORBIDDEN: 'forbidden' } as const)[code] ?? 'failed'
    } finally {
      if (mine === turn) fetching.value = false
    }
  }
  /** The next page away from the end that was read first. Throws ApiError. */
  async function more(): Promise<void> {
    if (cursor.value === null || fetching.value) return
    const mine = turn
    fetching.value = true
    try {
      const page = await read(cursor.value)
      if (mine !== turn) return
      const known = new Set(messages.value.map(({ id }) => id))
      const fresh = page.items.filter(({ id }) => !known.has(id))
      const all = end.value === 'oldest' ? [...messages.value, ...fresh] : [...fresh, ...messages.value]
      if (all.length > mostHeld) cut.value = true
      messages.value = end.value === 'oldest' ? all.slice(-mostHeld) : all.slice(0, mostHeld)
      know(page.conversations)
      cursor.value = page.cursor
      if (page.cursor === null) beyond.value = false
    } finally {
      if (mine === turn) fetching.value = false
    }
  }
  /** The newest page once more, where the newest is held. Throws nothing: what is shown stays shown. */
  async function refresh(): Promise<void> {
    if (state.value === 'failed') return load()
    if (state.value !== 'loaded' || !live.value) return
    const mine = turn
    const page = await ask('newest').catch(() => undefined)
    if (!page || mine !== turn || !live.value) return
    const fresh = new Set(page.items.map(({ id }) => id))
    const before = messages.value.filter(({ id }) => !fresh.has(id))
    // So much was said meanwhile that there is a gap.
    if (page.cursor !== null && before.length > 0 && before.length === messages.value.length) return load()
    know(page.conversations)
    messages.value = [...before, ...page.items]
  }

  let timer: ReturnType<typeof setTimeout> | undefined
  const soon = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void refresh(), lookAfterMs)
  }
  const undo = [
    realtime.on<ConversationPush>('conversation', (push) => {
      const { id, contact } = push.conversation
      if (contact.id !== contactId) {
        // It is somebody else's now.
        if (conversations.value.has(id)) void load()
        return
      }
      if (conversations.value.has(id)) know([push.conversation])
      const changed = new Map(push.messages.map((message) => [message.id, message]))
      const held = messages.value.filter((message) => changed.has(message.id))
      if (held.length > 0) messages.value = messages.value.map((message) => changed.get(message.id) ?? message)
      if (held.length === push.messages.length) return
      if (live.value) soon()
      else beyond.value = true
    }),
    realtime.on<{ id: string }>('conversation.gone', ({ id }) => {
      messages.value = messages.value.filter(({ conversationId }) => conversationId !== id)
    }),
    realtime.on<{ contactId: string }>('contact.changed', (changed) => {
      if (changed.contactId === contactId) soon()
    }),
    realtime.onResync(refresh),
    () => clearTimeout(timer),
  ]
  onUnmounted(() => {
    turn++
    for (const take of undo) take()
  })
  watch([() => JSON.stringify(tidy(filter.value)), end, ready], () => void (ready.value && load()), { immediate: true })
  return { messages, conversations, cursor, state, fetching, cut, beyond, live, load, more }
}
