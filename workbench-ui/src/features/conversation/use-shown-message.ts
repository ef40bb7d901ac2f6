/** A message with what its reader has had shown of it, kind by kind, for as long as it stands on the screen. */
import { computed, shallowRef } from 'vue'
import type { Message, PersonalKind } from '../../../../core/sdk/wire/conversation.ts'
import { useSession } from '../../../../core/ui-kit/session.store.ts'
import { useReveal } from '../contact-panel/use-reveal.ts'
import { together } from './together.ts'

/** Stars in a text that can be asked about. */
export interface StarredPlace {
  start: number
  end: number
  field: PersonalKind
}

export function useShownMessage(message: () => Message | undefined) {
  const session = useSession()
  const reveal = useReveal()
  const answers = shallowRef(new Map<PersonalKind, Message>())
  const shown = computed(() => {
    const original = message()
    return original && [...answers.value.values()].map(contentOf).reduce(together, contentOf(original))
  })
  /** What is still starred and may be shown to them. */
  const hidden = computed(() => (message()?.masked ?? []).filter(({ field }) => !answers.value.has(field) && session.can('contact.reveal', field)))

  return {
    shown,
    hiddenFields: computed(() => hidden.value.map(({ field }) => field)),
    placesIn: (part: number): StarredPlace[] =>
      hidden.value.flatMap(({ field, places }) => places.filter((place) => place.part === part).map(({ start, end }) => ({ start, end, field }))),
    async show(field: PersonalKind): Promise<void> {
      const id = message()?.id
      const answer = id && (await reveal.message(id, field))
      if (answer) answers.value = new Map([...answers.value, [field, answer]])
    },
  }
}

const contentOf = ({ parts, meta }: Message) => ({ parts, meta })
