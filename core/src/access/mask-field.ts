import type { HubAbility } from './ability.ts'
import { masks, maySee, type PersonalField } from './mask.ts'
import { maskText } from './mask-text.ts'

/**
 * The value of a field as this reader may see it; an empty one stays empty. People write into one field what belongs into
 * another, a telephone number as a WeChat account or behind the name: of a field that is shown all is masked that is hidden.
 */
export function maskField(ability: HubAbility, field: PersonalField, value: string): string {
  return value === '' ? value : maskText(ability, maySee(ability, field) ? value : masks[field](value))
}
