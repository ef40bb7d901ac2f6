/** What the overview shows: the span and its conditions, the numbers, and where the records behind them are. */
import { computed, type Ref, ref, shallowRef, watch } from 'vue'
import type { RecordFilter } from '../../../../core/sdk/wire/record.ts'
import type { Report, ReportBy, ReportRow } from '../../../../core/sdk/wire/report.ts'
import { adminPagesFor } from '../../../../core/ui-kit/admin-pages.ts'
import { ApiError, get, query } from '../../../../core/ui-kit/api.ts'
import { timeZone, writeFilter } from '../../../../core/ui-kit/records/filter.ts'
import { useSession } from '../../../../core/ui-kit/session.store.ts'
import type { ListState } from '../load.ts'

export const periods = ['today', '7d', '30d', '90d', '365d', 'custom'] as const
export type Period = (typeof periods)[number]
const daysOf: Record<Exclude<Period, 'custom'>, number> = { today: 1, '7d': 7, '30d': 30, '90d': 90, '365d': 365 }
/** The longest span that the hub adds up. */
export const mostDays = 366

export interface Asked {
  period: Period
  /** First and last day of a custom period, `2026-11-22`; both are in it. */
  from: string
  to: string
  channel: string
  inboxId: string
  departmentId: string
  agentId: string
}

interface Numbers {
  total: Report
  before: Report
  day: Report
  channel: Report
  category: Report
  agent: Report
}

/** A day as the page's address and a date field write it, in the reader's time zone. */
export const dayOf = (date: Date): string =>
  [date.getFullYear(), String(date.getMonth() + 1).padStart(2, '0'), String(date.getDate()).padStart(2, '0')].join('-')

/** Midnight of a day, so many days later. Undefined for what is no day. */
function midnight(day: string, later = 0): Date | undefined {
  const [year, month, date] = /^\d{4}-\d{2}-\d{2}$/.test(day) ? day.split('-').map(Number) : []
  if (year === undefined || month === undefined || date === undefined) return undefined
  const at = new Date(year, month - 1, date + later)
  return Number.isNaN(at.getTime()) ? undefined : at
}

/** The days of a period and as many before them, in the reader's time zone; undefined where it is none, or too long. */
export function spanOf({ period, from, to }: Pick<Asked, 'period' | 'from' | 'to'>): { before: Date; from: Date; to: Date } | undefined {
  const today = dayOf(new Date())
  const first = period === 'custom' ? from : dayOf(midnight(today, 1 - daysOf[period]) as Date)
  const [start, end] = [midnight(first), midnight(period === 'custom' ? to : today, 1)]
  if (!start || !end) return undefined
  // Whole days, also over a night in which the clock is changed.
  const days = Math.round((end.getTime() - start.getTime()) / 86_400_000)
  if (days < 1 || days > mostDays) return undefined
  return { before: midnight(first, -days) as Date, from: start, to: end }
}

export function useOverview(asked: Ref<Asked>) {
  const session = useSession()
  const numbers = shallowRef<Numbers>()
  const state = ref<ListState>('loading')
  let turn = 0

  async function load(): Promise<void> {
    const mine = ++turn
    const { period, from: first, to: last, ...conditions } = asked.value
    const span = spanOf({ period, from: first, to: last })
    if (!span) return
    const { before, from, to } = span
    const ask = (by: ReportBy, start: Date, end: Date) =>
      get<Report>(`/reports/overview${query({ ...conditions, from: start.toISOString(), to: end.toISOString(), tz: timeZone(), by })}`)
    try {
      const [total, earlier, day, channel, category, agent] = await Promise.all([
        ask('total', from, to),
        ask('total', before, from),
        ask('day', from, to),
        ask('channel', from, to),
        ask('category', from, to),
        ask('agent', from, to),
      ])
      if (mine !== turn) return
      numbers.value = { total, before: earlier, day, channel, category, agent }
      state.value = 'loaded'
    } catch (error) {
      if (mine === turn) state.value = error instanceof ApiError && error.status === 403 ? 'forbidden' : 'failed'
    }
  }
  watch(asked, load, { immediate: true, deep: true })

  /** The admin's list of records is not for everybody; the workbench's is. */
  const list = computed(() => (adminPagesFor(session.can).some(({ name }) => name === 'records') ? '/admin/records' : '/workbench/records'))

  /** The records that a row counts: as opened, or, by the time of their messages, as talked in. */
  function recordsOf(row: Pick<ReportRow, 'from' | 'to'>, more: RecordFilter = {}): string {
    const { channel, inboxId, departmentId, agentId } = asked.value
    const { f = '' } = writeFilter({
      by: 'createdAt',
      from: row.from,
      to: row.to,
      // What is put away was a conversation too.
      status: ['open', 'closed', 'archived'],
      // A machine's letter is a message, and opens nothing.
      ...(more.by === 'messageAt' ? {} : { opened: true }),
      ...(channel ? { channels: [channel] } : {}),
      ...(inboxId ? { inboxIds: [inboxId] } : {}),
      ...(departmentId ? { departmentIds: [departmentId] } : {}),
      ...(agentId ? { agentIds: [agentId] } : {}),
      ...more,
    })
    return `${list.value}${query({ f })}`
  }
  return { numbers, state, load, recordsOf }
}
