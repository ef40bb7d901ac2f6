/** How somebody reads what was said with a customer: from which end, and gathered by what. Kept on the hub, the same on every computer. */
import { reactive, ref } from 'vue'
import { keepPreference, keptPreference } from '../../../../core/ui-kit/preferences.ts'
import { useSession } from '../../../../core/ui-kit/session.store.ts'
import type { ThreadEnd } from './use-thread.ts'

/** `day`: as it was said, whatever it was said in. */
export const groupings = ['day', 'conversation', 'channel'] as const
type Grouping = (typeof groupings)[number]
interface Arrangement {
  end: ThreadEnd
  by: Grouping
}

const preference = 'contact.thread'
const arrangement = reactive<Arrangement>({ end: 'oldest', by: 'day' })
/** The thread waits for it: it would be read twice else, and jump. */
const known = ref(false)
let askedBy: string | undefined

async function load(): Promise<void> {
  const value = await keptPreference<Partial<Arrangement>>(preference)
  arrangement.end = value?.end === 'newest' ? 'newest' : 'oldest'
  arrangement.by = groupings.find((one) => one === value?.by) ?? 'day'
}

export function useArrangement() {
  const me = useSession().me?.agent.id
  // Whoever signs in next has their own.
  if (me !== askedBy) {
    askedBy = me
    known.value = false
    void load()
      .catch(() => {
        askedBy = undefined
      })
      .finally(() => {
        known.value = true
      })
  }
  return {
    arrangement,
    known,
    change(to: Partial<Arrangement>): Promise<unknown> {
      Object.assign(arrangement, to)
      return keepPreference(preference, { ...arrangement })
    },
  }
}
