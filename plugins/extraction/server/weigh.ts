/** What becomes of something found: the flow does it, the admin's trial says it. */
import { isMasked } from './extract/masked.ts'
import { isContact, isHint, type Kind } from './extract/tables.ts'
import type { Settings } from './settings.ts'

interface Weighed {
  kind: Kind
  rule: string
  normal: string
  /** Nothing: the customer's own. */
  whose: string
  /** Percent. */
  confidence: number
}

/** However low the threshold: this is no value of a field, and nobody to call. */
export const isShownOnly = ({ normal, rule }: Pick<Weighed, 'normal' | 'rule'>): boolean => isMasked(normal) || isHint(rule)

/** `sure` puts the tag on too; `filled` where the field is empty, else it is suggested. */
export function weigh(one: Weighed, settings: Settings): { act: 'ignored' | 'noted' | 'suggested' | 'filled'; sure: boolean } {
  if (one.confidence < Math.round(settings.suggestFrom * 100)) return { act: 'ignored', sure: false }
  const sure = one.confidence >= Math.round(settings.fillFrom * 100) && one.whose === '' && !isShownOnly(one)
  // Another's number may be the one to call: a person says so.
  const fills = settings[`${one.kind}Fill`] && (one.whose === '' || isContact(one.kind)) && !isShownOnly(one)
  return { act: !fills ? 'noted' : sure ? 'filled' : 'suggested', sure }
}
