/** A summary's answers for one reader: each is what its field is called, by its id or its label. */
import type { SummaryField } from '../../../sdk/wire/record.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskDeep, maskNamed } from '../../access/mask-text.ts'

export function shownAnswers(ability: HubAbility, fields: readonly SummaryField[], answers: Record<string, unknown>): Record<string, unknown> {
  const labels = new Map(fields.map(({ id, label }) => [id, label]))
  const shown = (id: string, answer: unknown): unknown => {
    const names = [id, labels.get(id) ?? '']
    if (typeof answer === 'string') return maskNamed(ability, names, answer)
    return Array.isArray(answer) ? answer.map((one) => shown(id, one)) : maskDeep(ability, answer)
  }
  return Object.fromEntries(Object.entries(answers).map(([id, answer]) => [id, shown(id, answer)]))
}
