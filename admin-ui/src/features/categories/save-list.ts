/** Lists of fields that are saved as a whole, and of which the hub may refuse one. */
import { ref } from 'vue'
import { ApiError } from '../../../../core/ui-kit/api.ts'
import { useFeedback } from '../../../../core/ui-kit/feedback.ts'

/** `faulty` is the place in the list of what the hub refused, or -1. */
export function useSaveList(t: (key: 'common.saved') => string) {
  const { say, fail } = useFeedback()
  const faulty = ref(-1)
  const saving = ref(false)
  async function save(work: () => Promise<void>): Promise<void> {
    saving.value = true
    faulty.value = -1
    try {
      await work()
      say(t('common.saved'))
    } catch (error) {
      const path = error instanceof ApiError ? (error.details as { faults?: { path: string }[] } | undefined)?.faults?.[0]?.path : undefined
      faulty.value = Number(path?.match(/^body\/fields\/(\d+)/)?.[1] ?? -1)
      if (faulty.value < 0) fail(error)
    }
    saving.value = false
  }
  return { faulty, saving, save }
}
