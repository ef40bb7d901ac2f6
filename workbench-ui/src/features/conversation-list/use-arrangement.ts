/** How each person has their list: in which order, in which sections. Kept on the hub, the same on every computer. */
import { reactive } from 'vue'
import type { ConversationSort, SectionBy } from '../../../../core/sdk/wire/conversation.ts'
import { keepPreference, keptPreference } from '../../../../core/ui-kit/preferences.ts'
import { useSession } from '../../../../core/ui-kit/session.store.ts'

export const sorts = ['message', 'customer', 'waiting'] as const satisfies readonly ConversationSort[]
export const sectionings = ['', 'waiting', 'channel', 'inbox', 'department', 'agent', 'tag'] as const satisfies readonly (SectionBy | '')[]
interface Arrangement {
  sort: ConversationSort
  /** Empty: one list. */
  by: SectionBy | ''
}
const preference = 'conversation.list'
const arrangement = reactive<Arrangement>({ sort: 'message', by: '' })
let asked: Promise<void> | undefined
let askedBy: string | undefined

async function load(): Promise<void> {
  const value = await keptPreference<Partial<Arrangement>>(preference)
  arrangement.sort = sorts.find((sort) => sort === value?.sort) ?? 'message'
  arrangement.by = sectionings.find((by) => by === value?.by) ?? ''
}

export function useArrangement() {
  const me = useSession().me?.agent.id
  // Whoever signs in next has their own.
  if (me !== askedBy) asked = undefined
  askedBy = me
  // The list waits for it: it would be loaded twice else, and jump.
  asked ??= load().catch(() => {
    asked = undefined
  })
  return {
    arrangement,
    ready: asked,
    change(to: Partial<Arrangement>): Promise<unknown> {
      Object.assign(arrangement, to)
      return keepPreference(preference, { ...arrangement })
    },
  }
}
