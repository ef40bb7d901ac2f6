/** The columns of the list, as each person arranges them for themselves. */
import { computed, ref } from 'vue'
import { personFields } from '../../sdk/wire/record.ts'
import { api, get } from '../api.ts'

export const allColumns = [
  'contact',
  ...personFields,
  'channel',
  'inbox',
  'agent',
  'department',
  'skillGroup',
  'status',
  'category',
  'tags',
  'rating',
  'attachments',
  'summary',
  'messages',
  'createdAt',
  'firstReplyAt',
  'lastMessageAt',
  'closedAt',
  'deletedAt',
  'deletedBy',
  'purgeAt',
  'preview',
] as const
export type Column = (typeof allColumns)[number]

const usual: Column[] = ['contact', 'channel', 'agent', 'status', 'category', 'tags', 'rating', 'lastMessageAt', 'preview']
const path = '/preferences/record.columns'
const chosen = ref<Column[]>(usual)
let asked = false

/** Kept on the hub: the same on every computer and in both apps. */
export function useColumns() {
  if (!asked) {
    asked = true
    void get<{ value: unknown }>(path)
      .then(({ value }) => {
        const known = Array.isArray(value) ? allColumns.filter((column) => value.includes(column)) : []
        if (known.length > 0) chosen.value = (value as Column[]).filter((column) => known.includes(column))
      })
      .catch(() => {
        asked = false
      })
  }
  const keep = (columns: Column[]): Promise<unknown> => {
    chosen.value = columns
    return api('PUT', path, { value: columns })
  }
  return {
    columns: computed(() => chosen.value),
    /** All of them, the chosen ones first and in their order. */
    arranged: computed(() => [...chosen.value, ...allColumns.filter((column) => !chosen.value.includes(column))]),
    toggle: (column: Column) => keep(chosen.value.includes(column) ? chosen.value.filter((one) => one !== column) : [...chosen.value, column]),
    move(column: Column, by: -1 | 1) {
      const next = [...chosen.value]
      const from = next.indexOf(column)
      const to = from + by
      if (from < 0 || to < 0 || to >= next.length) return Promise.resolve()
      next.splice(to, 0, ...next.splice(from, 1))
      return keep(next)
    },
    reset: () => keep(usual),
  }
}
