/** Colleagues, inboxes and tags: the small lists that names are looked up in. */
import { defineStore } from 'pinia'
import { reactive, ref } from 'vue'
import type { Colleague } from '../../../core/sdk/wire/agent.ts'
import type { Tag } from '../../../core/sdk/wire/contact.ts'
import { get } from '../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'

export interface InboxBrief {
  id: string
  name: string
  channel: string
  enabled: boolean
}

export const usePeople = defineStore('people', () => {
  const colleagues = reactive(new Map<string, Colleague>())
  const inboxes = reactive(new Map<string, InboxBrief>())
  const tags = ref<Tag[]>([])
  const realtime = useRealtime()
  const undo: (() => void)[] = []

  async function loadColleagues(): Promise<void> {
    const { items } = await get<{ items: Colleague[] }>('/colleagues')
    colleagues.clear()
    for (const colleague of items) colleagues.set(colleague.id, colleague)
  }
  async function loadInboxes(): Promise<void> {
    for (const inbox of (await get<{ items: InboxBrief[] }>('/inboxes/brief')).items) inboxes.set(inbox.id, inbox)
  }
  async function loadTags(): Promise<void> {
    tags.value = (await get<{ items: Tag[] }>('/tags')).items
  }

  let asked = false
  const soon = (): void => {
    if (asked) return
    asked = true
    setTimeout(() => {
      asked = false
      void loadColleagues().catch(() => undefined)
    }, 500)
  }

  function start(): void {
    undo.push(
      realtime.on('agent.presence', soon),
      realtime.onResync(async () => {
        await Promise.all([loadColleagues(), loadInboxes(), loadTags()])
      }),
    )
    // Who lost their connection goes offline without an event.
    const every = setInterval(soon, 30_000)
    undo.push(() => clearInterval(every))
  }
  const stop = (): void => {
    for (const take of undo.splice(0)) take()
  }
  const nameOf = (id: string | null): string => (id ? (colleagues.get(id)?.name ?? '') : '')
  return { colleagues, inboxes, tags, start, stop, loadColleagues, loadTags, nameOf }
})
