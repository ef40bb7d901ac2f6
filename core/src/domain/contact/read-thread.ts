/**
 * All that was said with one person, as one thread over every channel. It is nowhere stored as one: conversations are
 * walked in the order in which they began (or, from the other end, in which they were last spoken in), and those that
 * overlap are merged by time. A page reads what it shows and little more, however long the history before it.
 */

import { type Keyword, keywordOf, matches } from '../../../sdk/keyword.ts'
import type { ContactThread } from '../../../sdk/wire/contact.ts'
import type { RecordFilter } from '../../../sdk/wire/record.ts'
import type { Access } from '../../access/access-cache.ts'
import type { Em } from '../../db/orm.ts'
import { isMysql, type Sql, sql, stored } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { presentConversation, presentMessage } from '../conversation/conversation.present.ts'
import { maskFound } from '../conversation/mask-message.ts'
import { Message } from '../message/message.entity.ts'
import { msOf, query } from '../record/find/list-records.ts'
import { startOfPeriod } from '../record/find/period.ts'
import { all, among, raw } from '../record/find/sql-where.ts'
import { wantedBy } from '../record/find/wanted.ts'
import type { Contact } from './contact.entity.ts'
import { decodePlace, encodePlace, type Place } from './thread-place.ts'

/** Which end is read first; within a page the oldest message always stands first. */
export type ThreadEnd = 'oldest' | 'newest'
export interface ThreadOptions {
  /** The reader's time zone, an IANA name. */
  tz: string
  end: ThreadEnd
  cursor?: string | undefined
  limit?: number | undefined
  /** When to stop looking for words. */
  waitMs?: number
}

/** Conversations looked up at once. */
const conversationsAtOnce = 20
/** Messages with words to look for that are read at once from one conversation. */
const scannedAtOnce = 200

/** So far apart the clocks of two processes may be. */
const clocksApartMs = 10_000

/** One conversation on its way into the merge. */
interface Stream {
  id: string
  /** Where the walk meets it: when it began, or was last spoken in. */
  at: number
  /** The last number read. */
  seq: number
  /** Numbers that may still come. */
  left: number
  /** It had new messages after the reading began: of those that are on the page's side of this time. */
  beyond: number | null
  queue: Message[]
}

interface Reading {
  em: Em
  rising: boolean
  /** Conditions on a conversation `c`. */
  conversations: Sql
  /** Conditions on a message `m`. */
  messages: Sql
  chunk: number
}

/** Of a contact that the reader may see, by the conditions of a record. Throws HUB_REQUEST_INVALID for a cursor that is none. */
export async function readThread(
  hub: Pick<Hub, 'kernel'>,
  em: Em,
  actor: Access,
  contact: Contact,
  filter: RecordFilter,
  options: ThreadOptions,
): Promise<ContactThread> {
  const { tz, end, cursor, limit = 50, waitMs = 120 } = options
  const until = performance.now() + waitMs
  const keyword = keywordOf(filter.keyword, filter.match)
  const rising = end === 'oldest'
  const place: Place = cursor ? decodePlace(cursor, rising) : { rising, begun: Date.now() - clocksApartMs, at: null, after: null, open: [] }
  const reading = await readingOf(hub, em, actor, contact, filter, tz, rising, keyword ? scannedAtOnce : limit)
  if (!reading) return { items: [], conversations: [], cursor: null, partial: false }

  let active = await resumed(reading, place)
  const upcoming: Stream[] = []
  let lastAt = place.after
  let ended = false
  const found: Message[] = []
  let partial = false
  for (;;) {
    if (upcoming.length === 0 && !ended) {
      const more = await nextConversations(reading, lastAt)
      ended = more.length < conversationsAtOnce
      upcoming.push(...more)
      const last = more.at(-1)
      if (last) lastAt = [last.at, last.id]
    }
    await fill(reading, active, upcoming, limit)
    active = active.filter(({ queue }) => queue.length > 0)
    const head = active.reduce<Stream | undefined>((first, one) => (first && !earlier(rising, one, first) ? first : one), undefined)
    const [next] = upcoming
    if (next && (!head || reaches(rising, next, timeOf(head)))) {
      upcoming.shift()
      place.after = [next.at, next.id]
      active.push(next)
      continue
    }
    if (!head) return page(em, actor, contact, found, rising, null, false)
    partial = performance.now() > until && keyword !== undefined
    if (found.length === limit || partial) break
    const message = head.queue.shift() as Message
    head.seq = message.seq
    place.at = message.createdAt.getTime()
    if (!keyword || said(actor, keyword, message)) found.push(message)
  }
  place.open = active.map(({ id, seq }) => [id, seq])
  return page(em, actor, contact, found, rising, encodePlace(place), partial)
}

const timeOf = ({ queue }: Stream): number => queue[0]?.createdAt.getTime() ?? 0
/** Two of one moment: by the conversation, so that every page says the same. */
function earlier(rising: boolean, one: Stream, other: Stream): boolean {
  const [a, b] = [timeOf(one), timeOf(other)]
  if (a === b) return rising === one.id < other.id
  return rising === a < b
}
/** A note may stand behind the last word that the walk knows of: what is read already says it better. */
function reaches(rising: boolean, next: Stream, head: number): boolean {
  if (rising) return next.at <= head
  return Math.max(next.at, next.queue.length > 0 ? timeOf(next) : 0) >= head
}

const said = ({ ability }: Access, keyword: Keyword, message: Message): boolean => matches(keyword, maskFound(ability, message))

async function readingOf(
  hub: Pick<Hub, 'kernel'>,
  em: Em,
  actor: Access,
  { id }: Contact,
  filter: RecordFilter,
  tz: string,
  rising: boolean,
  chunk: number,
): Promise<Reading | undefined> {
  // A span of time is meant of what was said, not of when a conversation ended.
  const { period, from, to, by: _by, keyword, ...conditions } = filter
  // With a person everything counts, what was put away too; the recycle bin is asked for by name.
  const status = conditions.status?.length ? conditions.status : (['open', 'closed', 'archived'] as const)
  const wanted = await wantedBy(hub, em, actor, { ...conditions, status: [...status], contactId: id }, tz)
  if (!wanted) return undefined
  const time = (at: Date) => stored(em, Message, 'createdAt', at)
  const starts = [period && startOfPeriod(period, tz), from && new Date(from)].filter((at) => at instanceof Date)
  const end = to ? [new Date(to)] : []
  return {
    em,
    rising,
    chunk,
    conversations: all([sql`c.contact_id = ${id}`, wanted.where, ...end.map((at) => sql`c.created_at < ${time(at)}`)]),
    messages: all([
      raw("m.direction <> 'system'"),
      ...(keyword?.trim() ? [raw('m.recalled_at is null')] : []),
      ...starts.map((at) => sql`m.created_at >= ${time(at)}`),
      ...end.map((at) => sql`m.created_at < ${time(at)}`),
    ]),
  }
}

interface Row {
  id: string
  at: number | string
  last: number
}
const columnOf = (rising: boolean): Sql => raw(rising ? 'c.created_at' : 'c.last_message_at')
/** The walk's index by name: the databases would choose another and sort all that it gives. */
function walked(em: Em, rising: boolean): Sql {
  const name = rising ? 'conversation_contact_begun' : 'conversation_contact'
  return raw(isMysql(em) ? `conversation c force index (${name})` : `conversation c indexed by ${name}`)
}
const stamp = (em: Em, ms: number) => stored(em, Conversation, 'createdAt', new Date(ms))

async function nextConversations({ em, rising, conversations }: Reading, after: Place['after']): Promise<Stream[]> {
  const column = columnOf(rising)
  const [than, way] = rising ? [raw('>'), raw('asc')] : [raw('<'), raw('desc')]
  const time = after ? stamp(em, after[0]) : 0
  const beyond = after ? sql`${column} ${than}= ${time} and (${column} ${than} ${time} or c.id ${than} ${after[1]})` : raw('1 = 1')
  const rows = await query<Row>(
    em,
    sql`select c.id, ${column} as at, c.last_seq as last from ${walked(em, rising)}
        where ${conversations} and ${beyond} order by ${column} ${way}, c.id ${way} limit ${raw(String(conversationsAtOnce))}`,
  )
  return rows.map((row) => streamOf(rising, row))
}

const streamOf = (rising: boolean, { id, at, last }: Row, seq?: number): Stream => {
  const read = seq ?? (rising ? 0 : Number(last) + 1)
  return { id, at: msOf(at), seq: read, left: rising ? Number(last) - read : read - 1, beyond: null, queue: [] }
}

/** Those that an earlier page stopped within, and those that it had passed and that were spoken in since the reading began. */
async function resumed({ em, rising, conversations }: Reading, { open, after, at, begun }: Place): Promise<Stream[]> {
  if (at === null) return []
  const columns = sql`select c.id, ${columnOf(rising)} as at, c.last_seq as last`
  const seqs = new Map(open)
  const known = open.length > 0 ? await query<Row>(em, sql`${columns} from conversation c where ${among('c.id', [...seqs.keys()])} and ${conversations}`) : []
  const passed = rising && after ? sql`c.created_at <= ${stamp(em, after[0])}` : sql`c.created_at < ${stamp(em, at)}`
  const moved = await query<Row>(
    em,
    sql`${columns} from ${walked(em, false)} where ${conversations} and c.last_message_at > ${stamp(em, begun)} and ${passed}
        order by c.last_message_at desc, c.id desc limit ${raw(String(conversationsAtOnce))}`,
  )
  /** The walk has yet to come to it. */
  const ahead = (row: Row) => {
    const [time, id] = [msOf(row.at), row.id]
    if (!after) return true
    if (time === after[0]) return rising ? id > after[1] : id < after[1]
    return rising === time > after[0]
  }
  return [
    ...known.map((row) => streamOf(rising, row, seqs.get(row.id))),
    ...moved.filter((row) => !seqs.has(row.id) && !ahead(row)).map((row) => ({ ...streamOf(rising, row), beyond: at })),
  ]
}

/** Gives the active ones something to read, and of the next ones as many as a page may need: all with one look. */
async function fill({ em, rising, messages, chunk }: Reading, active: readonly Stream[], upcoming: readonly Stream[], limit: number): Promise<void> {
  const hungry = (stream: Stream) => stream.queue.length === 0 && stream.left > 0
  const now = active.filter(hungry)
  if (now.length === 0 && (active.length > 0 || !upcoming[0] || !hungry(upcoming[0]))) return
  let ahead = now.reduce((sum, { left }) => sum + Math.min(left, chunk), 0)
  for (const stream of upcoming) {
    if (ahead >= limit) break
    ahead += Math.min(stream.left, chunk)
    if (hungry(stream)) now.push(stream)
  }
  const [than, way, side] = rising ? [raw('>'), raw('asc'), raw('>')] : [raw('<'), raw('desc'), raw('<')]
  const pieces = now.map(({ id, seq, beyond }) => {
    const edge = beyond === null ? raw('1 = 1') : sql`m.created_at ${side} ${stamp(em, beyond)}`
    return sql`select * from (select m.id from message m where m.conversation_id = ${id} and m.seq ${than} ${seq} and ${messages} and ${edge}
      order by m.seq ${way} limit ${raw(String(chunk))}) s`
  })
  const ids = await query<{ id: string }>(em, {
    text: pieces.map(({ text }) => text).join(' union all '),
    params: pieces.flatMap(({ params }) => params),
  })
  const rows = await em.find(Message, { id: { $in: ids.map(({ id }) => id) } }, { disableIdentityMap: true })
  const byConversation = Map.groupBy(rows, (row) => row.conversationId)
  for (const stream of now) {
    stream.queue = (byConversation.get(stream.id) ?? []).sort((a, b) => (rising ? a.seq - b.seq : b.seq - a.seq))
    const last = stream.queue.at(-1)
    // What comes while we read is another look's.
    stream.left = stream.queue.length < chunk || !last ? 0 : rising ? stream.left + stream.seq - last.seq : last.seq - 1
    stream.beyond = null
  }
}

async function page(
  em: Em,
  actor: Access,
  contact: Contact,
  found: Message[],
  rising: boolean,
  cursor: string | null,
  partial: boolean,
): Promise<ContactThread> {
  const items = rising ? found : found.reverse()
  const ids = [...new Set(items.map(({ conversationId }) => conversationId))]
  const conversations = await em.find(Conversation, { id: { $in: ids } }, { disableIdentityMap: true })
  return {
    items: items.map((message) => presentMessage(actor, message)),
    conversations: conversations.map((row) => presentConversation(actor.ability, row, contact)),
    cursor,
    partial,
  }
}
