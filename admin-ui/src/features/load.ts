/** A list of an admin page: loading, failed, not for this reader, loaded. */
import { type Ref, ref, shallowRef } from 'vue'
import { ApiError, get } from '../../../core/ui-kit/api.ts'

export type ListState = 'loading' | 'failed' | 'forbidden' | 'loaded'

export function useList<T>(path: string): { items: Ref<T[]>; state: Ref<ListState>; load(): Promise<void> } {
  const items = shallowRef<T[]>([])
  const state = ref<ListState>('loading')
  let asked = 0
  async function load(): Promise<void> {
    const mine = ++asked
    try {
      const answer = await get<{ items: T[] }>(path)
      // Asked again meanwhile: what comes then is newer.
      if (mine !== asked) return
      items.value = answer.items
      state.value = 'loaded'
    } catch (error) {
      if (mine === asked) state.value = error instanceof ApiError && error.status === 403 ? 'forbidden' : 'failed'
    }
  }
  void load()
  return { items, state, load }
}
