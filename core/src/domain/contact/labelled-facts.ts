/** What channels tell of their customers in agents' words: bounded, the newer one of a name counts. */
import type { LabelledFact, LocalText } from '../../../sdk/channel.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskNamed } from '../../access/mask-text.ts'

const most = 20
const longestName = 60
const longestLabel = 60
const longestValue = 500

const cut = (text: string, length: number): string => text.slice(0, length)
const cutText = ({ zh, en }: LocalText, length: number): LocalText => ({ zh: cut(zh, length), en: cut(en, length) })
const isEmpty = ({ value }: LabelledFact): boolean => (typeof value === 'string' ? value.trim() : value.zh) === ''

const bounded = ({ name, label, value }: LabelledFact): LabelledFact => ({
  name: cut(name, longestName),
  label: cutText(label, longestLabel),
  value: typeof value === 'string' ? cut(value, longestValue) : cutText(value, longestValue),
})

/** As a reader may see them: what a fact is called is the channel's word, nobody's name, and says what its value is. */
export const shownFacts = (ability: HubAbility, facts: readonly LabelledFact[] | null | undefined): LabelledFact[] =>
  (facts ?? []).map((fact) => {
    const { name, label, value } = fact
    const shown = (text: string) => maskNamed(ability, [name, label.zh, label.en], text)
    return { ...fact, value: typeof value === 'string' ? shown(value) : { zh: shown(value.zh), en: shown(value.en) } }
  })

/** Null where there are none. */
export const keptFacts = (given: readonly LabelledFact[] | undefined): LabelledFact[] | null => mergedFacts(null, given)

export function mergedFacts(before: readonly LabelledFact[] | null | undefined, given: readonly LabelledFact[] | undefined): LabelledFact[] | null {
  const facts = new Map((before ?? []).map((fact) => [fact.name, fact]))
  for (const fact of (given ?? []).map(bounded)) {
    if (isEmpty(fact)) facts.delete(fact.name)
    else facts.set(fact.name, fact)
  }
  return facts.size > 0 ? [...facts.values()].slice(0, most) : null
}
