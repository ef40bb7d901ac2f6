/** What is ordered: which records, in which form. Shared by the routes, the job and the dialog. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { wallClock } from '@huike/core/sdk/local-time.ts'
import { Id } from '@huike/core/sdk/wire/common.ts'
import { RecordFilter } from '@huike/core/sdk/wire/record.ts'
import { type Static, Type } from 'typebox'
import { type ContactKey, fieldKeys, isContactKey } from '../fields.ts'
import type { Ctx } from './context.ts'
import { refusal } from './refusals.ts'

const one = <T extends string>(...words: T[]) => Type.Unsafe<T>(Type.Union(words.map((word) => Type.Literal(word))))

const OwnField = Type.Unsafe<ContactKey>(Type.String({ maxLength: 80, pattern: '^[a-z][\\w-]*\\.[\\w-]+$' }))

/** How it shall look: what a template keeps. */
export const Choices = Type.Object(
  {
    format: one('xlsx', 'csv', 'pdf'),
    /** A row for each conversation, or for each message. */
    rows: one('record', 'message'),
    fields: Type.Array(Type.Union([one(...fieldKeys), OwnField]), { minItems: 1, maxItems: 60, uniqueItems: true }),
    /** With the files that were sent, in a zip. */
    attachments: Type.Boolean(),
    /** Pictures where they were sent, in a PDF; not said: yes. */
    images: Type.Optional(Type.Boolean()),
    /** Notes among colleagues; not said: yes. */
    notes: Type.Optional(Type.Boolean()),
    /** Names, telephone numbers, addresses unmasked, as far as the exporter may see them. */
    personal: Type.Boolean(),
    /** Words and `{variables}`. */
    nameRule: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }),
  },
  { additionalProperties: false },
)
export type Choices = Static<typeof Choices>

export const Order = Type.Object(
  {
    ...Choices.properties,
    /** Either these records, or all that the filter finds. */
    ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 1_000, uniqueItems: true })),
    filter: Type.Optional(RecordFilter),
    tz: Type.String({ minLength: 1, maxLength: 60 }),
    /** Of the headings. */
    language: one('zh', 'en'),
  },
  { additionalProperties: false },
)
/** The list as the order keeps it: its headings are those of the day it was ordered. */
export interface OrderedTable {
  name: string
  label: string
  filter: Record<string, unknown>
  columns: { key: string; title: string; kind: 'text' | 'number' | 'time' }[]
}

/**
 * `table`: of another list than conversations; `fields` is empty then. `labels`: the headings of contacts' fields, as they
 * were called that day. `viewId`: of a schedule, whose filter is read anew at each turn.
 */
export type Order = Static<typeof Order> & { table?: OrderedTable; labels?: Record<string, string>; viewId?: string }

/** Twelve and more: a locked zip can be tried offline as often as one likes. */
export const Password = Type.String({ minLength: 12, maxLength: 100 })

/** With the headings of contacts' fields. Throws HUB_REQUEST_INVALID for one that there is not, unless it may be gone. */
export async function labelled(ctx: Ctx, order: Order, mayBeGone = false): Promise<Order> {
  const asked = order.fields.filter(isContactKey)
  if (asked.length === 0) return order
  const known = new Map((await ctx.records.contactFields()).map(({ name, label }) => [name, label[order.language]]))
  const stranger = asked.find((name) => !known.has(name))
  if (stranger && !mayBeGone) throw new HubError('HUB_REQUEST_INVALID', `Contacts have no field ${stranger}`, { path: '/fields' })
  return { ...order, labels: Object.fromEntries(asked.map((name) => [name, known.get(name) ?? name])) }
}

/** An order as it is kept once it has ended: without who was looked for, and by which words. */
export function endedOrder(kept: string): string {
  const { filter, table, ...order } = JSON.parse(kept) as Order
  return JSON.stringify({
    ...order,
    ...(filter ? { filter: unnamed(filter) } : {}),
    ...(table ? { table: { ...table, filter: unnamedOf(table.filter) } } : {}),
  })
}
const unnamed = ({ keyword: _words, contact: _who, fields: _fields, ...rest }: RecordFilter): RecordFilter => rest
/** By what else a list was narrowed only its plugin knows: that may name somebody, too. */
const unnamedOf = ({ records, recordIds }: OrderedTable['filter']): OrderedTable['filter'] => ({
  ...(records ? { records: unnamed(records as RecordFilter) } : {}),
  ...(recordIds ? { recordIds } : {}),
})

/** Throws HUB_REQUEST_INVALID for a name of no time zone. */
export function checkZone(tz: string, path = '/tz'): void {
  try {
    wallClock(new Date(), tz)
  } catch {
    throw refusal('HUB_REQUEST_INVALID', 'There is no such time zone', 'zone', path)
  }
}
