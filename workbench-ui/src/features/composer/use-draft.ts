/** What is being written, kept on the hub: it survives a reload, a crash and a change of device. */
import { onBeforeUnmount, onMounted, onUnmounted, type Ref, watch } from 'vue'
import type { DraftContent } from '../../../../core/sdk/wire/conversation.ts'
import { ApiError, api, get } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'
import { useConversations } from '../../stores/conversations.store.ts'

/** A word or two are lost at worst, and a minute of writing is not sixty requests. */
const everyMs = 1_000

/** What the hub could not be told for want of a line: kept until it can be, whichever conversation is on the screen by then. */
const untold = new Map<string, DraftContent>()
const open = new Set<string>()
const pathOf = (conversationId: string) => `/conversations/${conversationId}/draft`
/** It will not take it later either. What is out of sight may come back. */
const refused = (error: unknown) => error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 404

/** For when the line is back. */
export async function tellDrafts(): Promise<void> {
  for (const [id, draft] of untold) {
    // The open ones speak for themselves.
    if (open.has(id)) continue
    untold.delete(id)
    const { drafts } = useConversations()
    await api('PUT', pathOf(id), draft).then(
      () => (draft.text === '' ? drafts.delete(id) : drafts.set(id, draft.text)),
      (error) => !refused(error) && untold.set(id, draft),
    )
  }
}

/** Whoever signs in next is somebody else. */
export const forgetDrafts = (): void => untold.clear()

/** `html` is the same words with their form, where they have one; `note` says for whom they are, `replyToId` what they answer. */
export function useDraft(conversationId: string, text: Ref<string>, html: Ref<string>, note: Ref<boolean>, replyToId: Ref<string>): void {
  const path = pathOf(conversationId)
  const conversations = useConversations()
  const realtime = useRealtime()
  const stamp = (draft: DraftContent) => JSON.stringify([draft.text, draft.html ?? '', draft.note ?? false, draft.replyToId ?? ''])
  const written = (): DraftContent => ({
    text: text.value,
    ...(html.value ? { html: html.value } : {}),
    ...(note.value && text.value ? { note: true } : {}),
    ...(replyToId.value && text.value ? { replyToId: replyToId.value } : {}),
  })
  const nothing = stamp({ text: '' })
  /** What the hub has; unknown until it has answered. */
  let saved: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function show(draft: DraftContent): void {
    // Where nothing is written, the mode and what is answered are the agent's own choice.
    if (draft.text) note.value = draft.note ?? false
    if (text.value || draft.replyToId) replyToId.value = draft.replyToId ?? ''
    html.value = draft.html ?? ''
    text.value = draft.text
  }

  /** Takes the hub's words where nothing else has been written here. */
  async function load(): Promise<void> {
    const kept = untold.get(conversationId)
    if (kept && saved === undefined && stamp(written()) === nothing) show(kept)
    const untouched = stamp(written())
    if (saved !== undefined && untouched !== saved) return
    const draft = await get<DraftContent>(path).catch(() => undefined)
    if (!draft) return
    const waited = stamp(written()) !== untouched
    const own = untold.has(conversationId) || (saved === undefined ? untouched !== nothing : untouched !== saved)
    saved = stamp(draft)
    if (!waited && !own) show(draft)
    else save()
  }

  function save(leaving = false): void {
    clearTimeout(timer)
    timer = undefined
    const draft = written()
    const now = stamp(draft)
    // Not known what the hub has, and nothing written: nothing to say.
    if (now === (saved ?? nothing)) return
    const before = saved
    saved = now
    untold.delete(conversationId)
    if (draft.text === '') conversations.drafts.delete(conversationId)
    else conversations.drafts.set(conversationId, draft.text)
    void api('PUT', path, draft, { keepalive: leaving }).catch((error: unknown) => {
      // Something newer has been told since, or was on its way.
      if (saved !== now) return
      if (!refused(error)) untold.set(conversationId, draft)
      // Told again with the next letter, or when the line is back.
      saved = before ?? nothing
    })
  }

  watch([text, html, note, replyToId], () => {
    timer ??= setTimeout(save, everyMs)
  })
  const onVisible = () => (document.hidden ? save(true) : void load())
  const onLeave = () => save(true)
  onMounted(() => {
    open.add(conversationId)
    void load()
    document.addEventListener('visibilitychange', onVisible)
    addEventListener('pagehide', onLeave)
  })
  const undo = realtime.onResync(async () => {
    if (saved === undefined) await load()
    else save()
  })
  onBeforeUnmount(() => {
    save()
    open.delete(conversationId)
  })
  onUnmounted(() => {
    undo()
    document.removeEventListener('visibilitychange', onVisible)
    removeEventListener('pagehide', onLeave)
  })
}
