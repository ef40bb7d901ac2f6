/** A list of an admin page: loading, failed, loaded. */
import { type Ref, ref, shallowRef } from 'vue'
import { get } from '../../../core/ui-kit/api.ts'

export function useList<T>(path: string): { items: Ref<T[]>; state: Ref<'loading' | 'failed' | 'loaded'>; load(): Promise<void> } {
  const items = shallowRef<T[]>([])
  const state = ref<'loading' | 'failed' | 'loaded'>('loading')
  async function load(): Promise<void> {
    try {
      items.value = (await get<{ items: T[] }>(path)).items
      state.value = 'loaded'
    } catch {
      state.value = 'failed'
    }
  }
  void load()
  return { items, state, load }
}
