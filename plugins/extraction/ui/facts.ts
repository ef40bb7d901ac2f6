/** What is known of the rows and messages on the screen: asked for in one request, kept until there is news. */

import { api } from '@huike/core/ui-kit/api.ts'
import { reactive, ref } from 'vue'

export type Kind = 'phone' | 'landline' | 'wechat' | 'qq' | 'email' | 'age' | 'gender'
export interface Fact {
  id: string
  kind: Kind
  field: string
  value: string
  shown: string
  masked: boolean
  whose: string
  rule: string
  confidence: number
  state: 'filled' | 'suggested' | 'noted' | 'accepted' | 'refused'
}
export interface PlacedMark {
  part: number
  start: number
  end: number
  fact: Fact
}

/** As many as one request takes. */
const most = 200
const soonMs = 30
/** Beyond this what is known is forgotten: it is asked for again when it is seen. */
const mostKept = 5_000

const rows = reactive(new Map<string, readonly Kind[]>())
const marks = reactive(new Map<string, readonly PlacedMark[]>())
/** Goes up when something about a conversation is news. */
export const news = reactive(new Map<string, number>())
const running = ref(false)
const asked = { rows: new Set<string>(), messages: new Set<string>() }
/** What could not be asked: again with the next news, when the line is back, or when it is drawn again. */
const failed = { rows: new Set<string>(), messages: new Set<string>() }
const waiting = { rows: new Set<string>(), messages: new Set<string>() }
/** Which conversation a message is of. */
const home = new Map<string, string>()
let timer: ReturnType<typeof setTimeout> | undefined

export function rowKinds(conversationId: string): readonly Kind[] {
  if (running.value && !asked.rows.has(conversationId)) want('rows', conversationId)
  return running.value ? (rows.get(conversationId) ?? []) : []
}

export function marksOf(messageId: string, conversationId: string): readonly PlacedMark[] {
  home.set(messageId, conversationId)
  if (running.value && !asked.messages.has(messageId)) want('messages', messageId)
  return running.value ? (marks.get(messageId) ?? []) : []
}

function want(what: 'rows' | 'messages', id: string): void {
  asked[what].add(id)
  failed[what].delete(id)
  waiting[what].add(id)
  timer ??= setTimeout(fetchWaiting, soonMs)
}

async function fetchWaiting(): Promise<void> {
  timer = undefined
  const conversations = [...waiting.rows].slice(0, most)
  const messages = [...waiting.messages].slice(0, most)
  for (const id of conversations) waiting.rows.delete(id)
  for (const id of messages) waiting.messages.delete(id)
  if (waiting.rows.size + waiting.messages.size > 0) timer = setTimeout(fetchWaiting, soonMs)
  try {
    const known = await api<{ rows: Record<string, Kind[]>; marks: Record<string, PlacedMark[]> }>('POST', '/x/extraction/marks', { conversations, messages })
    for (const id of conversations) set(rows, id, known.rows[id])
    for (const id of messages) set(marks, id, known.marks[id])
  } catch {
    if (!running.value) return
    for (const id of conversations) fail('rows', id)
    for (const id of messages) fail('messages', id)
  }
}

function fail(what: 'rows' | 'messages', id: string): void {
  asked[what].delete(id)
  failed[what].add(id)
}

function askAgain(): void {
  for (const id of failed.rows) want('rows', id)
  for (const id of failed.messages) want('messages', id)
}

function set<T>(into: Map<string, readonly T[]>, id: string, list: readonly T[] | undefined): void {
  if (list) into.set(id, list)
  else into.delete(id)
}

/** There is news of a conversation: what is on the screen of it is asked for again, and whatever failed. */
export function refresh(conversationId: string): void {
  askAgain()
  if (asked.rows.has(conversationId)) want('rows', conversationId)
  for (const [messageId, of] of home) if (of === conversationId && asked.messages.has(messageId)) want('messages', messageId)
  news.set(conversationId, (news.get(conversationId) ?? 0) + 1)
}

function forget(): void {
  rows.clear()
  marks.clear()
  asked.rows.clear()
  asked.messages.clear()
  failed.rows.clear()
  failed.messages.clear()
  waiting.rows.clear()
  waiting.messages.clear()
  home.clear()
}

export function start(host: { onNews(handler: (conversationId: string) => void): void; onResync(handler: () => void): void }): () => void {
  running.value = true
  host.onNews((conversationId) => {
    if (home.size > mostKept) forget()
    refresh(conversationId)
  })
  host.onResync(() => {
    askAgain()
    for (const id of asked.rows) want('rows', id)
    for (const id of asked.messages) want('messages', id)
  })
  return () => {
    running.value = false
    clearTimeout(timer)
    timer = undefined
    forget()
  }
}
