/** The records that a filter finds, page by page, and how many there are. */
import { computed, type Ref, ref, shallowRef, watch } from 'vue'
import { personFields, type RecordCount, type RecordFilter, type RecordPage, type RecordRow } from '../../sdk/wire/record.ts'
import { ApiError, get, query } from '../api.ts'
import { useFeedback } from '../feedback.ts'
import type { Column } from './columns.ts'
import { tidy, timeZone } from './filter.ts'

/** Looks anew whenever the filter changes, or a column needs more than was asked for; ticks fall away then. */
export function useRecords(filter: Readonly<Ref<RecordFilter>>, columns: Readonly<Ref<readonly Column[]>> = ref([])) {
  const { fail } = useFeedback()
  const rows = shallowRef<RecordRow[]>([])
  const cursor = ref<string | null>(null)
  const state = ref<'loading' | 'loaded' | 'failed' | 'invalid' | 'forbidden'>('loading')
  const looking = ref(false)
  const count = ref<RecordCount>()
  const ticked = ref(new Set<string>())
  const asked = (more: Record<string, string | undefined> = {}) => query({ filter: JSON.stringify(tidy(filter.value)), tz: timeZone(), ...more })

  const person = computed(() =>
    columns.value.some((column) => column.includes('.') || (personFields as readonly string[]).includes(column)) ? 'true' : undefined,
  )

  let turn = 0
  async function load(): Promise<void> {
    const mine = ++turn
    looking.value = true
    count.value = undefined
    ticked.value = new Set()
    try {
      const page = await get<RecordPage>(`/records${asked({ person: person.value })}`)
      if (mine !== turn) return
      rows.value = page.items
      cursor.value = page.cursor
      state.value = 'loaded'
      // The time was up before the page was full: look on, a few turns, as long as nobody asks for something else.
      for (let i = 0; i < 10 && page.partial && cursor.value && rows.value.length < 20 && mine === turn; i++) await more()
    } catch (error) {
      if (mine !== turn) return
      rows.value = []
      const status = error instanceof ApiError ? error.status : 0
      state.value = status === 400 ? 'invalid' : status === 403 ? 'forbidden' : 'failed'
    } finally {
      if (mine === turn) looking.value = false
    }
    if (mine === turn && state.value === 'loaded')
      await get<RecordCount>(`/records/count${asked()}`).then(
        (found) => {
          if (mine === turn) count.value = found
        },
        () => undefined,
      )
  }
  async function more(): Promise<void> {
    if (!cursor.value) return
    const mine = turn
    looking.value = true
    try {
      const page = await get<RecordPage>(`/records${asked({ cursor: cursor.value, person: person.value })}`)
      if (mine !== turn) return
      const known = new Set(rows.value.map((row) => row.id))
      rows.value = [...rows.value, ...page.items.filter((row) => !known.has(row.id))]
      cursor.value = page.cursor
    } catch (error) {
      fail(error)
    } finally {
      if (mine === turn) looking.value = false
    }
  }
  watch(filter, () => void load(), { immediate: true })
  watch(person, (wanted) => wanted && void load())
  return { rows, cursor, state, looking, count, ticked, chosenIds: computed(() => [...ticked.value]), load, more }
}
