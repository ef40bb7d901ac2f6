/** A contact's timeline, kept as it is now: pushes carry the conversations, what else is new is fetched with the first page. */
import { computed, onUnmounted, ref, shallowRef } from 'vue'
import type { TimelineEntry } from '../../../../core/sdk/wire/contact.ts'
import type { ConversationPush } from '../../../../core/sdk/wire/conversation.ts'
import { get, query } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'

interface TimelinePage {
  items: TimelineEntry[]
  cursor: string | null
}
/** Several changes at once (a message with a call, a visitor on the move) are one look. */
const lookAfterMs = 400

const keyOf = ({ kind, id }: Pick<TimelineEntry, 'kind' | 'id'>): string => `${kind}:${id}`
const newestFirst = (a: TimelineEntry, b: TimelineEntry): number => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1)

export function useTimeline(contactId: string) {
  const realtime = useRealtime()
  const known = shallowRef(new Map<string, TimelineEntry>())
  const cursor = ref<string | null>(null)
  const state = ref<'loading' | 'loaded' | 'failed'>('loading')
  const fetchingMore = ref(false)
  const entries = computed(() => [...known.value.values()].sort(newestFirst))

  const page = (after?: string) => get<TimelinePage>(`/contacts/${contactId}/timeline${query({ cursor: after })}`)
  const keep = (items: readonly TimelineEntry[]): void => {
    known.value = new Map([...known.value, ...items.map((entry) => [keyOf(entry), entry] as const)])
  }

  /** The first page anew; what was read beyond it stays. Throws nothing: what is shown stays shown. */
  async function refresh(): Promise<void> {
    try {
      const fresh = await page()
      const end = fresh.items.at(-1)
      const beyond = end && fresh.cursor !== null ? entries.value.filter((entry) => newestFirst(entry, end) > 0) : []
      if (beyond.length === 0) cursor.value = fresh.cursor
      known.value = new Map([...beyond, ...fresh.items].map((entry) => [keyOf(entry), entry]))
      state.value = 'loaded'
    } catch {
      if (state.value === 'loading') state.value = 'failed'
    }
  }
  /** The next page. Throws ApiError. */
  async function more(): Promise<void> {
    if (cursor.value === null || fetchingMore.value) return
    fetchingMore.value = true
    try {
      const next = await page(cursor.value)
      keep(next.items)
      cursor.value = next.cursor
    } finally {
      fetchingMore.value = false
    }
  }

  let timer: ReturnType<typeof setTimeout> | undefined
  const soon = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void refresh(), lookAfterMs)
  }
  const undo = [
    realtime.on<ConversationPush>('conversation', ({ conversation, messages }) => {
      const shown = known.value.get(keyOf({ kind: 'conversation', id: conversation.id }))
      if (conversation.contact.id !== contactId) {
        // It belongs to somebody else now.
        if (shown) soon()
        return
      }
      if (shown?.kind === 'conversation' && shown.conversation.rev > conversation.rev) return
      keep([{ kind: 'conversation', id: conversation.id, at: conversation.lastMessageAt, conversation }])
      if (messages.some(({ parts }) => parts.some(({ type }) => type === 'call'))) soon()
    }),
    // Out of the reader's sight, with its calls.
    realtime.on<{ id: string }>('conversation.gone', ({ id }) => {
      known.value = new Map([...known.value].filter(([, entry]) => (entry.kind === 'call' ? entry.conversationId : entry.id) !== id))
    }),
    realtime.on<{ contactId: string }>('contact.changed', (changed) => {
      if (changed.contactId === contactId) soon()
    }),
    realtime.onResync(refresh),
    () => clearTimeout(timer),
  ]
  onUnmounted(() => {
    for (const take of undo) take()
  })
  void refresh()
  return { entries, cursor, state, fetchingMore, refresh, more }
}
