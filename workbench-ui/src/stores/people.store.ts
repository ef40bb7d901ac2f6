/** Colleagues, inboxes and tags: the small lists that names are looked up in. */
import { defineStore } from 'pinia'
import { reactive, ref } from 'vue'
import type { ChannelCapabilities } from '../../../core/sdk/channel.ts'
import type { Colleague } from '../../../core/sdk/wire/agent.ts'
import type { Tag } from '../../../core/sdk/wire/contact.ts'
import { get } from '../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../core/ui-kit/realtime.ts'
import { useSession } from '../../../core/ui-kit/session.store.ts'

export interface InboxBrief {
  id: string
  name: string
  channel: string
  enabled: boolean
  /** Where it differs from its channel's. */
  capabilities: ChannelCapabilities | null
}

export const usePeople = defineStore('people', () => {
  const colleagues = reactive(new Map<string, Colleague>())
  const inboxes = reactive(new Map<string, InboxBrief>())
  const tags = ref<Tag[]>([])
  const realtime = useRealtime()
  const session = useSession()
  const undo: (() => void)[] = []

  let colleaguesAsked = 0
  async function loadColleagues(): Promise<void> {
    const mine = ++colleaguesAsked
    const { items } = await get<{ items: Colleague[] }>('/colleagues')
    // Asked again meanwhile: what comes then is newer.
    if (mine !== colleaguesAsked) return
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
      ...['inbox.changed', 'plugin.switched'].map((event) => realtime.on(event, () => void loadInboxes().catch(() => undefined))),
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
    colleagues.clear()
    inboxes.clear()
    tags.value = []
  }
  const nameOf = (id: string | null): string => (id ? (colleagues.get(id)?.name ?? '') : '')
  /** What goes to this conversation's customer; undefined while its channel is off. */
  const capabilitiesOf = ({ inboxId, channel }: { inboxId: string; channel: string }): ChannelCapabilities | undefined => {
    const known = session.me?.channels.find((c) => c.id === channel)
    return known && (inboxes.get(inboxId)?.capabilities ?? (known.capabilities as ChannelCapabilities))
  }
  const iconOf = (inboxId: string): string | null | undefined => session.me?.channels.find(({ id }) => id === inboxes.get(inboxId)?.channel)?.icon
  return { iconOf, colleagues, inboxes, tags, start, stop, loadColleagues, loadTags, nameOf, capabilitiesOf }
})
