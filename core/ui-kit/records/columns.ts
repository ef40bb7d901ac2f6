/** The columns of the list, as each person arranges them for themselves. */
import { computed, ref } from 'vue'
import { personFields } from '../../sdk/wire/record.ts'
import { keepPreference, keptPreference } from '../preferences.ts'
import { useSession } from '../session.store.ts'
import { useNames } from './names.store.ts'

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
type OwnColumn = (typeof allColumns)[number]
/** With a dot: a field of customers that a plugin brings or an admin made, by its name. */
export type Column = OwnColumn | `${string}.${string}`
const isOwn = (column: string): column is OwnColumn => (allColumns as readonly string[]).includes(column)
const isColumn = (value: unknown): value is Column => typeof value === 'string' && (isOwn(value) || value.includes('.'))

const usual: Column[] = ['contact', 'channel', 'agent', 'status', 'category', 'tags', 'rating', 'lastMessageAt', 'preview']
const preference = 'record.columns'
const chosen = ref<Column[]>(usual)
/** The list waits for it: columns would jump. */
const known = ref(false)
let askedBy: string | undefined

/** Kept on the hub: the same on every computer and in both apps. */
export function useColumns() {
  const me = useSession().me?.agent.id
  // Whoever signs in next has their own.
  if (me !== askedBy) {
    askedBy = me
    chosen.value = usual
    known.value = false
    void keptPreference<unknown>(preference)
      .then((value) => {
        const before = Array.isArray(value) ? value.filter(isColumn) : []
        if (before.length > 0) chosen.value = before
      })
      .catch(() => {
        askedBy = undefined
      })
      .finally(() => {
        known.value = true
      })
  }
  const keep = (columns: Column[]): Promise<unknown> => {
    chosen.value = columns
    return keepPreference(preference, columns)
  }
  const names = useNames()
  const brought = computed(() => names.fields.map(({ name }) => name).filter((name): name is Column => !isOwn(name) && isColumn(name)))
  // A plugin that is off takes its columns along, and brings them back.
  const columns = computed(() => chosen.value.filter((column) => isOwn(column) || brought.value.includes(column)))
  const all = computed<Column[]>(() => allColumns.flatMap((column) => (column === 'remark' ? [column, ...brought.value] : [column])))
  return {
    known,
    columns,
    /** All of them, the chosen ones first and in their order. */
    arranged: computed(() => [...columns.value, ...all.value.filter((column) => !columns.value.includes(column))]),
    toggle: (column: Column) => keep(chosen.value.includes(column) ? chosen.value.filter((one) => one !== column) : [...chosen.value, column]),
    move(column: Column, by: -1 | 1) {
      const other = columns.value[columns.value.indexOf(column) + by]
      if (!other) return Promise.resolve()
      return keep(chosen.value.map((one) => (one === column ? other : one === other ? column : one)))
    },
    reset: () => keep(usual),
  }
}
