/** What was sent and the hub has not taken yet, over a reload of the page: the tab keeps it, under the name of who wrote it. */
import { watch } from 'vue'
import type { Pending } from './conversations.store.ts'

const keyOf = (agentId: string) => `huike.unsent.${agentId}`

export function unsentOf(agentId: string): Pending[] {
  const kept = JSON.parse(sessionStorage.getItem(keyOf(agentId)) ?? '[]') as Omit<Pending, 'state' | 'error'>[]
  return kept.map((message) => ({ ...message, state: 'sending', error: undefined }))
}

/** Returns its own undo. */
export function keepUnsent(agentId: string, pending: ReadonlyMap<string, Pending[]>): () => void {
  return watch(
    () => JSON.stringify([...pending.values()].flat().map(({ state, error, ...message }) => message)),
    (unsent) => sessionStorage.setItem(keyOf(agentId), unsent),
    { flush: 'sync' },
  )
}
