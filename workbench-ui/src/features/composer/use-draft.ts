/** What is being written, kept on the hub: it survives a reload, a crash and a change of device. */
import { onBeforeUnmount, onMounted, onUnmounted, type Ref, watch } from 'vue'
import { api, get } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'
import { useConversations } from '../../stores/conversations.store.ts'

/** A word or two are lost at worst, and a minute of writing is not sixty requests. */
const everyMs = 1_000

export function useDraft(conversationId: string, text: Ref<string>): void {
  const path = `/conversations/${conversationId}/draft`
  const conversations = useConversations()
  const realtime = useRealtime()
  /** What the hub has; unknown until it has answered. */
  let saved: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Takes the hub's words where nothing else has been written here. */
  async function load(): Promise<void> {
    const untouched = text.value
    if (saved !== undefined && untouched !== saved) return
    const draft = await get<{ text: string }>(path).catch(() => undefined)
    if (!draft) return
    const waited = text.value !== untouched
    const own = saved === undefined ? untouched !== '' : untouched !== saved
    saved = draft.text
    if (!waited && !own) text.value = draft.text
    else save()
  }

  function save(leaving = false): void {
    clearTimeout(timer)
    timer = undefined
    const words = text.value
    // Not known what the hub has, and nothing written: nothing to say.
    if (words === (saved ?? '')) return
    const before = saved
    saved = words
    if (words === '') conversations.drafts.delete(conversationId)
    else conversations.drafts.set(conversationId, words)
    void api('PUT', path, { text: words }, { keepalive: leaving }).catch(() => {
      // Told again with the next letter, or when the line is back.
      if (saved === words) saved = before ?? ''
    })
  }

  watch(text, () => {
    timer ??= setTimeout(save, everyMs)
  })
  const onVisible = () => (document.hidden ? save(true) : void load())
  const onLeave = () => save(true)
  onMounted(() => {
    void load()
    document.addEventListener('visibilitychange', onVisible)
    addEventListener('pagehide', onLeave)
  })
  const undo = realtime.onResync(async () => {
    if (saved === undefined) await load()
    else save()
  })
  onBeforeUnmount(() => save())
  onUnmounted(() => {
    undo()
    document.removeEventListener('visibilitychange', onVisible)
    removeEventListener('pagehide', onLeave)
  })
}
