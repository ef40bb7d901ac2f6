/** What somebody whom the channel vouches for says of themself beside that: agents read it as what it is, whatever stands in the fields. */
import type { LabelledFact, LocalText } from '../../../sdk/channel.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField } from '../../access/mask-field.ts'
import type { Profile } from './contact.entity.ts'

const labels = {
  name: { zh: '自填姓名（未核实）', en: 'Name they gave (unverified)' },
  phone: { zh: '自填电话（未核实）', en: 'Phone they gave (unverified)' },
  email: { zh: '自填邮箱（未核实）', en: 'Email they gave (unverified)' },
} as const satisfies Record<keyof NonNullable<Profile['says']>, LocalText>
const fields = Object.keys(labels) as (keyof typeof labels)[]

/** As a reader may see it. */
export const ownWords = (ability: HubAbility, profile: Profile | null | undefined): LabelledFact[] =>
  fields.flatMap((field) => {
    const value = profile?.says?.[field] ?? ''
    return value === '' ? [] : [{ name: `own.${field}`, label: labels[field], value: maskField(ability, field, value) }]
  })
