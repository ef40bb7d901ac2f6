/**
 * What one conversation adds to the reports: numbers, each in the half hour in which it happened. Opened, first reply,
 * end and rating count where the conversation was opened, so that a bar's numbers are of the very records behind it;
 * messages and `ended` count when they were. What nobody opened (`quietReason`) was neither opened nor resolved: only its messages count.
 *
 * Half hours, since the days of most time zones begin on one. Where they begin at a quarter (Nepal, the Chatham Islands)
 * a day is cut at the nearest half hour, and the answer says where.
 */
import type { Em } from '../../db/orm.ts'
import { isMysql, list, readRaw, readRows, sql } from '../../db/statements.ts'
import { Conversation, quietReason } from '../conversation/conversation.entity.ts'

import { raw } from '../record/find/sql-where.ts'

const slotMs = 30 * 60_000
/** The half hour of an instant, counted from 1970. */
export const slotOf = (at: Date): number => Math.floor(at.getTime() / slotMs)
/** The one that begins nearest to an instant. */
export const nearestSlot = (at: Date): number => Math.round(at.getTime() / slotMs)
export const startOfSlot = (slot: number): Date => new Date(slot * slotMs)

/**
 * Sums are kept at several grains: by half hour (`report_slot`, the rows of a slice side by side), and in `report_sum` by 48
 * and by 1 536 of them (a day and 32 days, counted from 1970 and UTC), so that a long span is read from few rows, and by
 * half hour for each inbox as a whole, for what is shown day by day. ADR 0030.
 */
export const grains = { slot: 0, day: 1, month: 2, inboxSlot: 3 } as const
export type Grain = keyof typeof grains
export const slotsOf: Record<Grain, number> = { slot: 1, day: 48, month: 1_536, inboxSlot: 1 }

/** Waits are also counted by length, in seconds up to: enough for a median. What is longer falls into one more. */
export const waitBounds = [10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400, 259_200] as const
const lengths = (name: 'reply' | 'resolve'): string[] => [...waitBounds, Infinity].map((_, i) => `${name}_${i}`)

export const countMeasures = [
  'opened',
  'ended',
  'received',
  'sent',
  'replied',
  'reply_seconds',
  'resolved',
  'resolve_seconds',
  'good',
  'medium',
  'bad',
] as const
export const replyLengths = lengths('reply')
export const resolveLengths = lengths('resolve')
export const measures: readonly string[] = [...countMeasures, ...replyLengths, ...resolveLengths]

/** Numbers by measure; what is missing is nought. */
export type Cell = Record<string, number>
/** By half hour. */
export type Cells = Record<string, Cell>

/** By what numbers can be asked for. */
export type SliceKey = Pick<Conversation, 'inboxId' | 'channel' | 'departmentId' | 'assigneeId' | 'categoryId'>

export interface Contribution {
  /** The conversation's revision of which it is true. */
  rev: number
  slice: SliceKey
  cells: Cells
}

/** Contributions of those of the conversations that still exist; one in the recycle bin contributes nothing. */
export async function contributionsOf(em: Em, ids: readonly string[]): Promise<Map<string, Contribution>> {
  const result = new Map<string, Contribution>()
  if (ids.length === 0) return result
  // First the conversations: what changes before the messages are read has a later revision, and is counted again.
  const conversations = await readRows(em, Conversation, sql`where id in ${list(ids)}`)
  const slot = isMysql(em) ? `(timestampdiff(second, '1970-01-01', created_at) div ${slotMs / 1_000})` : `(created_at / ${slotMs})`
  const messages = await readRaw<{ id: string; direction: string; slot: number; n: number }>(
    em,
    sql`select conversation_id as id, direction, ${raw(slot)} as slot, count(*) as n from message
      where conversation_id in ${list(ids)} and direction in ('in', 'out') group by conversation_id, direction, ${raw(slot)}`,
  )
  const byConversation = Map.groupBy(messages, ({ id }) => id)
  for (const conversation of conversations) {
    const { id, rev, inboxId, channel, departmentId, assigneeId, categoryId } = conversation
    const cells: Cells = {}
    const add = (at: number, measure: string, n = 1) => {
      cells[at] ??= {}
      cells[at][measure] = (cells[at][measure] ?? 0) + n
    }
    if (!conversation.deletedAt) {
      if (conversation.closeReason !== quietReason) addConversation(conversation, add)
      for (const row of byConversation.get(id) ?? []) add(Number(row.slot), row.direction === 'in' ? 'received' : 'sent', Number(row.n))
    }
    result.set(id, { rev, slice: { inboxId, channel, departmentId, assigneeId, categoryId }, cells })
  }
  return result
}

function addConversation({ createdAt, firstReplyAt, closedAt, rating }: Conversation, add: (at: number, measure: string, n?: number) => void): void {
  const opened = slotOf(createdAt)
  const wait = (count: string, name: 'reply' | 'resolve', until: Date) => {
    const seconds = Math.max(0, Math.round((until.getTime() - createdAt.getTime()) / 1_000))
    const length = waitBounds.findIndex((bound) => seconds <= bound)
    add(opened, count)
    add(opened, `${name}_seconds`, seconds)
    add(opened, `${name}_${length < 0 ? waitBounds.length : length}`)
  }
  add(opened, 'opened')
  if (firstReplyAt) wait('replied', 'reply', firstReplyAt)
  if (closedAt) {
    wait('resolved', 'resolve', closedAt)
    add(slotOf(closedAt), 'ended')
  }
  const word = [undefined, 'good', 'medium', 'bad'][rating ?? 0]
  if (word) add(opened, word)
}
