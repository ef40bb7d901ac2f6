/** What is being written, kept on the hub: it survives a reload, a crash and a change of device. */
import { onBeforeUnmount, onMounted, onUnmounted, type Ref, watch } from 'vue'
import { draftWords, isNoDraft } from '../../../../core/sdk/drafts.ts'
import type { Draft, DraftContent, DraftLetter } from '../../../../core/sdk/wire/conversation.ts'
import { ApiError, api, get } from '../../../../core/ui-kit/api.ts'
import { useRealtime } from '../../../../core/ui-kit/realtime.ts'
import { useConversations } from '../../stores/conversations.store.ts'

/** A word or two are lost at worst, and a minute of writing is not sixty requests. */
const everyMs = 1_000

export type DraftFile = NonNullable<DraftContent['files']>[number]

/** What the hub could not be told for want of a line: kept until it can be, whichever conversation is on the screen by then. */
const untold = new Map<string, DraftContent>()
/** The composers that are on the screen: what they do with one more file. */
const open = new Map<string, (file: DraftFile) => void>()
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
      () => (isNoDraft(draft) ? drafts.delete(id) : drafts.set(id, draftWords(draft))),
      (error) => !refused(error) && untold.set(id, draft),
    )
  }
}

let turn: Promise<unknown> = Promise.resolve()
/**
 * A file that has arrived, to what is being written: on the screen, or, while another conversation is there, in the draft. One after
 * the other, each to what the one before it has left. Rejects when the hub cannot be told.
 */
export function attach(conversationId: string, file: DraftFile): Promise<void> {
  const attached = turn.then(() => attachNext(conversationId, file))
  turn = attached.catch(() => undefined)
  return attached
}

async function attachNext(conversationId: string, file: DraftFile): Promise<void> {
  const here = open.get(conversationId)
  if (here) return here(file)
  const { gone: _, ...stored } = await get<Draft>(pathOf(conversationId))
  // One may have come back meanwhile.
  const back = open.get(conversationId)
  if (back) return back(file)
  const draft = untold.get(conversationId) ?? stored
  const more = { ...draft, files: [...(draft.files ?? []), file] }
  await api('PUT', pathOf(conversationId), more)
  untold.delete(conversationId)
  useConversations().drafts.set(conversationId, draftWords(more))
}

/** Whoever signs in next is somebody else. */
export const forgetDrafts = (): void => untold.clear()

/** What is composed. */
export interface Composed {
  text: Ref<string>
  /** The same words with their form, where they have one. */
  html: Ref<string>
  /** For whom they are. */
  note: Ref<boolean>
  /** What they answer. */
  replyToId: Ref<string>
  files: Ref<DraftFile[]>
  /** As it is being written, where it is not what the composer proposes. */
  letter: Ref<DraftLetter | undefined>
}

/** @param gone told which files of a draft are not there any more */
export function useDraft(conversationId: string, { text, html, note, replyToId, files, letter }: Composed, gone: (files: DraftFile[]) => void): void {
  const path = pathOf(conversationId)
  const conversations = useConversations()
  const realtime = useRealtime()
  const stamp = (draft: DraftContent) =>
    JSON.stringify([
      draft.text,
      draft.html ?? '',
      draft.note ?? false,
      draft.replyToId ?? '',
      (draft.files ?? []).map(({ fileId }) => fileId),
      draft.letter && [draft.letter.subject, draft.letter.to, draft.letter.cc],
    ])
  const written = (): DraftContent => ({
    text: text.value,
    ...(html.value ? { html: html.value } : {}),
    ...(note.value && text.value ? { note: true } : {}),
    ...(replyToId.value && text.value ? { replyToId: replyToId.value } : {}),
    ...(files.value.length > 0 ? { files: files.value } : {}),
    ...(letter.value ? { letter: letter.value } : {}),
  })
  const nothing = stamp({ text: '' })
  /** What the hub has; unknown until it has answered. */
  let saved: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function show(draft: Draft): void {
    // Where nothing is written, the mode and what is answered are the agent's own choice.
    if (draft.text) note.value = draft.note ?? false
    if (text.value || draft.replyToId) replyToId.value = draft.replyToId ?? ''
    html.value = draft.html ?? ''
    const [there, missing] = [[], []] as [DraftFile[], DraftFile[]]
    for (const file of draft.files ?? []) (draft.gone?.includes(file.fileId) ? missing : there).push(file)
    files.value = there
    letter.value = draft.letter
    if (missing.length > 0) gone(missing)
    text.value = draft.text
  }

  let loading: Promise<void> | undefined
  /** One at a time: what the one before has shown would look to the next like words of the agent, and be told as newer. */
  function load(): Promise<void> {
    loading ??= take().finally(() => {
      loading = undefined
    })
    return loading
  }

  /** Takes the hub's words where nothing else has been written here. */
  async function take(): Promise<void> {
    const kept = untold.get(conversationId)
    if (kept && saved === undefined && stamp(written()) === nothing) show(kept)
    const untouched = stamp(written())
    if (saved !== undefined && untouched !== saved) return
    const draft = await get<Draft>(path).catch(() => undefined)
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
    if (isNoDraft(draft)) conversations.drafts.delete(conversationId)
    else conversations.drafts.set(conversationId, draftWords(draft))
    void api('PUT', path, draft, { keepalive: leaving }).catch((error: unknown) => {
      // Something newer has been told since, or was on its way.
      if (saved !== now) return
      if (!refused(error)) untold.set(conversationId, draft)
      // Told again with the next letter, or when the line is back.
      saved = before ?? nothing
    })
  }

  watch([text, html, note, replyToId, files, letter], () => {
    timer ??= setTimeout(save, everyMs)
  })
  const onVisible = () => (document.hidden ? save(true) : void load())
  const onLeave = () => save(true)
  onMounted(() => {
    open.set(conversationId, (file) => {
      files.value = [...files.value, file]
    })
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
