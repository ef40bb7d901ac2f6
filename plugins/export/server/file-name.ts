/** What a file is called: by its rule, of what its records share. */
import { wallText } from '@huike/core/sdk/local-time.ts'
import type { RecordFacts, RecordFieldInfo } from '@huike/core/sdk/records.ts'
import { nameByRule, nameVariables } from '../fields.ts'
import type { Ctx } from './context.ts'
import type { Order } from './order.ts'
import { words } from './words.ts'

/** At most two of each: one is a name for the file, two are "several". */
export interface Named {
  channel?: string[]
  inbox: string[]
  agent: string[]
  category: string[]
  /** Of the contact, under what the rule calls them. */
  fields?: Record<string, string[]>
}

/** What may be somebody's number or address is no part of a file's name, which is seen by more than who has the file. */
const nameable = (value: string): string => (/\d{5}|@/.test(value) ? '*' : value)

const note = (names: string[], name: string) => {
  if (names.length < 2 && !names.includes(name)) names.push(name)
}

export function noteNames(named: Named, rule: string, records: readonly RecordFacts[]): void {
  const asked = fieldsIn(rule)
  for (const record of records) {
    note((named.channel ??= []), record.channel)
    for (const key of asked) {
      const field = record.contact.fields.find((one) => isCalled(one, key))
      note(((named.fields ??= {})[key] ??= []), nameable(field?.value ?? ''))
    }
    note(named.inbox, record.inbox)
    note(named.agent, record.agent)
    note(named.category, record.category)
  }
}

const isCalled = ({ name, label }: RecordFieldInfo, key: string): boolean => name === key || label.zh === key || label.en === key
/** Variables of a rule that may be fields of the contact. */
const fieldsIn = (rule: string): string[] =>
  [...new Set(Array.from(rule.matchAll(/\{([^{}]{1,80})\}/g), ([, key = '']) => key))].filter((key) => !(nameVariables as readonly string[]).includes(key))

/** What stands in braces and is no field that contacts have stays as it is. */
export async function fileName(ctx: Ctx, order: Pick<Order, 'nameRule' | 'tz' | 'language'>, named: Named, count: number, at: Date): Promise<string> {
  const asked = fieldsIn(order.nameRule)
  const known = asked.length > 0 ? await ctx.records.contactFields() : []
  const word = words[order.language]
  const [date = '', time = ''] = wallText(at, order.tz).split(' ')
  const of = (names: string[]) => (names.length > 1 ? word.several : names[0] || word.none)
  const fields = asked.filter((key) => known.some((field) => isCalled(field, key)))
  return nameByRule(order.nameRule, {
    ...Object.fromEntries(fields.map((key) => [key, of(named.fields?.[key] ?? [])])),
    channel: of(named.channel ?? []),
    date: date.replaceAll('-', ''),
    time: time.replaceAll(':', '').slice(0, 4),
    inbox: of(named.inbox),
    agent: of(named.agent),
    category: of(named.category),
    count: String(count),
  })
}
