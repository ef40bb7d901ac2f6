/**
 * The list cut into sections. How many stand in each is asked of the hub, since a list holds only what it has come to; which
 * of the held conversations stand where is seen here, so that what arrives takes its place at once.
 */
import { computed, onUnmounted, type Ref, reactive, ref, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import type { Conversation, ConversationGroup, ConversationSection, SectionBy } from '../../../../core/sdk/wire/conversation.ts'
import { api, get, query } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'
import { useNames } from '../../../../core/ui-kit/records/names.store.ts'
import { useSession } from '../../../../core/ui-kit/session.store.ts'
import { useConversations } from '../../stores/conversations.store.ts'
import { usePeople } from '../../stores/people.store.ts'

export type Row =
  | { kind: 'section'; id: string; key: string | null; label: string; count: number; folded: boolean }
  | { kind: 'conversation'; id: string; key: string | null; conversation: Conversation }

const mostAsked = 500

export function useSections(group: Ref<ConversationGroup>, by: Ref<SectionBy | ''>, sort: Ref<string>, held: Ref<readonly Conversation[]>) {
  const { t, locale } = useI18n()
  const conversations = useConversations()
  const people = usePeople()
  const names = useNames()
  const session = useSession()
  const realtime = useRealtime()
  const counted = ref<ConversationSection[]>([])
  const folded = reactive(new Set<string>())
  /** Which tags the held ones carry, or their contacts; asked for only while the list is cut by tags. */
  const tags = reactive(new Map<string, string[]>())

  async function count(): Promise<void> {
    const [asked, cut] = [group.value, by.value]
    if (cut === '' || asked === 'closed') return
    const { items } = await get<{ items: ConversationSection[] }>(`/conversations/sections${query({ group: asked, by: cut })}`).catch(() => ({
      items: counted.value,
    }))
    if (asked === group.value && cut === by.value) counted.value = items
  }
  watch(
    [group, by],
    () => {
      counted.value = []
      void count()
    },
    { immediate: true },
  )
  // They are asked for a moment after anything has changed.
  watch(
    () => conversations.counts,
    () => void count(),
  )
  watch(
    by,
    (cut) => {
      if (cut === 'department') void names.load().catch(() => undefined)
    },
    { immediate: true },
  )

  let asking = false
  const stale = new Set<string>()
  async function askTags(): Promise<void> {
    if (by.value !== 'tag' || asking) return
    const ids = held.value
      .filter(({ id }) => !tags.has(id) || stale.has(id))
      .slice(0, mostAsked)
      .map(({ id }) => id)
    if (ids.length === 0) return
    asking = true
    for (const id of ids) stale.delete(id)
    const { items } = await api<{ items: { id: string; tagIds: string[] }[] }>('POST', '/conversations/tags', { ids }).catch(() => ({ items: [] }))
    for (const id of ids) tags.set(id, [])
    for (const { id, tagIds } of items) tags.set(id, tagIds)
    asking = false
    await askTags()
  }
  watch([by, held], () => void askTags(), { immediate: true })
  function forget(which: (conversation: Conversation) => boolean): void {
    if (by.value !== 'tag') return
    for (const conversation of held.value) if (which(conversation)) stale.add(conversation.id)
    void askTags().then(count)
  }
  onUnmounted(conversations.onArrival(({ conversation }) => forget(({ id }) => id === conversation.id)))
  onUnmounted(realtime.on<{ contactId: string }>('contact.changed', ({ contactId }) => forget(({ contact }) => contact.id === contactId)))

  function keysOf(conversation: Conversation): (string | null)[] {
    switch (by.value) {
      case 'channel':
        return [conversation.channel]
      case 'inbox':
        return [conversation.inboxId]
      case 'department':
        return [conversation.departmentId]
      case 'agent':
        return [conversation.assigneeId]
      case 'waiting':
        return [conversation.waitingSince ? 'waiting' : 'answered']
      case 'tag': {
        const own = tags.get(conversation.id) ?? []
        return own.length > 0 ? own : [null]
      }
      case '':
        return []
    }
  }
  function labelOf(key: string | null): string {
    if (key === null) return t(`list.without.${by.value}`)
    const word = locale.value === 'en' ? 'en' : 'zh'
    switch (by.value) {
      case 'channel':
        return session.me?.channels.find(({ id }) => id === key)?.label[word] ?? key
      case 'inbox':
        return people.inboxes.get(key)?.name ?? t('list.unknown')
      case 'department':
        return names.departmentOf.get(key)?.name ?? t('list.unknown')
      case 'agent':
        return people.nameOf(key) || t('list.unknown')
      case 'tag':
        return people.tags.find(({ id }) => id === key)?.name ?? t('list.unknown')
      default:
        return t(`list.${key}`)
    }
  }
  /** As people know them: channels and tags as they are listed everywhere, oneself first, those without last. */
  const order = computed<Map<string, number>>(() => {
    const known: Record<SectionBy, readonly string[]> = {
      waiting: ['waiting', 'answered'],
      channel: session.me?.channels.map(({ id }) => id) ?? [],
      inbox: [...people.inboxes.keys()],
      department: names.departments.map(({ id }) => id),
      agent: [conversations.myId],
      tag: people.tags.map(({ id }) => id),
    }
    return new Map((by.value === '' ? [] : known[by.value]).map((key, i) => [key, i]))
  })
  const idOf = (key: string | null): string => `${by.value}/${key ?? ''}`
  const stateOf = (key: string | null) =>
    conversations.lists.get(conversations.listKey(group.value, sort.value, by.value === '' ? undefined : { by: by.value, key }))

  /** @param found a search shows all that it has found, folded or not */
  function cut(rows: readonly Conversation[], found: boolean): Row[] {
    const inside = new Map<string | null, Conversation[]>()
    for (const conversation of rows)
      for (const key of keysOf(conversation)) {
        const section = inside.get(key)
        if (section) section.push(conversation)
        else inside.set(key, [conversation])
      }
    const counts = new Map(found ? [] : counted.value.map((section) => [section.key, section.count]))
    const place = (key: string | null) => (key === null ? 2e6 : (order.value.get(key) ?? 1e6))
    const sections = [...new Set([...counts.keys(), ...inside.keys()])].map((key) => ({ key, label: labelOf(key), of: inside.get(key) ?? [] }))
    sections.sort((a, b) => place(a.key) - place(b.key) || a.label.localeCompare(b.label, locale.value))
    return sections.flatMap(({ key, label, of }): Row[] => {
      const state = stateOf(key)
      const whole = wholeHeld() || (state?.loaded && state.cursor === null)
      const number = found || whole ? of.length : Math.max(of.length, counts.get(key) ?? 0)
      if (number === 0) return []
      const shut = !found && folded.has(idOf(key))
      const head: Row = { kind: 'section', id: idOf(key), key, label, count: number, folded: shut }
      return shut ? [head] : [head, ...of.map((conversation): Row => ({ kind: 'conversation', id: `${idOf(key)}/${conversation.id}`, key, conversation }))]
    })
  }
  /** The whole group is held: no section has more than what is here. */
  function wholeHeld(): boolean {
    const whole = conversations.lists.get(conversations.listKey(group.value, sort.value))
    return Boolean(whole?.loaded && whole.cursor === null)
  }
  /** Loads what is missing of the sections that stand among rows `from` to `to`. */
  function fill(rows: readonly Row[], from: number, to: number): void {
    if (by.value === '' || wholeHeld()) return
    let start = 0
    while (start < rows.length) {
      const head = rows[start]
      let end = start + 1
      while (end < rows.length && rows[end]?.kind === 'conversation') end++
      if (head?.kind === 'section' && !head.folded && end - start - 1 < head.count && start <= to && end >= from && end <= to + 1) {
        const state = stateOf(head.key)
        if (!state?.failed) void conversations.loadList(group.value, sort.value as never, Boolean(state?.loaded), { by: by.value, key: head.key })
      }
      start = end
    }
  }
  function fold(row: Extract<Row, { kind: 'section' }>): void {
    if (!folded.delete(row.id)) folded.add(row.id)
  }
  return { cut, fill, fold }
}
