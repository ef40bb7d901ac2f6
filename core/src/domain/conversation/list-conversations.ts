/**
 * The list of conversations as an agent arranges it: a group, in an order, whole or one section of it. Pages go by the last
 * row's place in the order; what is still going on is as many as a team can talk to, what has ended has one order only.
 */
import { HubError } from '../../../sdk/errors.ts'
import type { ConversationGroup, ConversationSection, ConversationSort, SectionBy } from '../../../sdk/wire/conversation.ts'
import { whereAllowed } from '../../access/scope.ts'
import { decodeCursor, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { columnsOf, list, rowOf, type Sql, sql, stored } from '../../db/statements.ts'
import type { Actor } from '../../http/auth.ts'
import { query } from '../record/find/list-records.ts'
import { all, raw, sqlWhere } from '../record/find/sql-where.ts'
import { ContactTag } from '../tag/tag.entity.ts'
import { Conversation, ConversationTag } from './conversation.entity.ts'

/** More channels, people or tags than that are no sections any more. */
const mostSections = 500

export interface Section {
  by: SectionBy
  /** Null: those that have none. */
  key: string | null
}

/** A group as a condition on conversations under the alias `c`, within what the actor may see; null when that is nothing. */
function groupWhere(em: Em, actor: Actor, group: ConversationGroup): Sql | null {
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  if (!allowed) return null
  const condition = (): Sql => {
    switch (group) {
      case 'mine':
        return sqlWhere(em, { assigneeId: actor.agent.id, status: 'open' })
      case 'queue':
        return sqlWhere(em, { status: 'queued' })
      case 'open':
        return sqlWhere(em, { status: 'open' })
      case 'closed':
        return sqlWhere(em, { status: 'closed', archivedAt: null })
      case 'starred':
        return sql`c.id in (select s.conversation_id from conversation_star s where s.agent_id = ${actor.agent.id})`
    }
  }
  return all([sqlWhere(em, allowed), condition()])
}

/** How many there are in it. */
export async function countGroup(em: Em, actor: Actor, group: ConversationGroup): Promise<number> {
  const where = groupWhere(em, actor, group)
  if (!where) return 0
  const [row] = await query<{ n: number | string }>(em, sql`select count(*) as n from conversation c where ${where}`)
  return Number(row?.n ?? 0)
}

/** What customers have said that nobody has read, in the open ones of one's own that may be seen. */
export async function countUnread(em: Em, actor: Actor): Promise<number> {
  const where = groupWhere(em, actor, 'mine')
  if (!where) return 0
  const [row] = await query<{ n: number | string | null }>(em, sql`select sum(c.unread) as n from conversation c where ${where}`)
  return Number(row?.n ?? 0)
}

interface Asked {
  group: ConversationGroup
  sort: ConversationSort
  section?: Section | undefined
  cursor?: string | undefined
  limit: number
}

/** Throws HUB_REQUEST_INVALID for a section of what has ended, or a cursor that is none. */
export async function listConversations(em: Em, actor: Actor, { group, sort, section, cursor, limit }: Asked) {
  const closed = group === 'closed'
  if (closed && section) throw new HubError('HUB_REQUEST_INVALID', 'What has ended is one list', { path: '/by' })
  const found = groupWhere(em, actor, group)
  if (!found) return { rows: [], cursor: null }
  const where = all([found, ...(section ? [inSection(section)] : [])])
  const rows: Conversation[] = []
  let next: string | null = null
  let place = cursor === undefined ? undefined : readPlace(cursor)
  const parts = partsOf(closed ? 'message' : sort)
  for (const [i, part] of parts.entries()) {
    if (place && place.part > i) continue
    const after = place ? afterPlace(em, part, place) : raw('1 = 1')
    const read = await query<object>(
      em,
      sql`select ${columnsOf(em, Conversation, 'c')} from conversation c where ${where} and ${part.of} and ${after}
        order by ${raw(`${part.time} ${part.way}, c.id ${part.way}`)} limit ${raw(String(limit + 1 - rows.length))}`,
    )
    rows.push(...read.map((row) => rowOf(em, Conversation, row)))
    place = undefined
    const last = rows[limit - 1]
    // The last one shown may be of the part before: there the next page goes on.
    if (rows.length > limit && last) {
      const at = parts.findIndex((each) => each.has(last))
      next = encodeCursor([at, (parts[at] as Part).at(last).getTime(), last.id])
      break
    }
  }
  return { rows: rows.slice(0, limit), cursor: next }
}

/** An order is one walk along a time, or two one after the other. */
interface Part {
  of: Sql
  has(row: Conversation): boolean
  time: string
  at(row: Conversation): Date
  way: 'asc' | 'desc'
}

function partsOf(sort: ConversationSort): Part[] {
  const newest = { time: 'c.last_message_at', at: (row: Conversation) => row.lastMessageAt, way: 'desc' as const }
  switch (sort) {
    case 'message':
      return [{ ...newest, of: raw('1 = 1'), has: () => true }]
    case 'customer':
      return [
        {
          of: raw('c.last_customer_at is not null'),
          has: (row) => Boolean(row.lastCustomerAt),
          time: 'c.last_customer_at',
          at: (row) => row.lastCustomerAt as Date,
          way: 'desc',
        },
        { ...newest, of: raw('c.last_customer_at is null'), has: (row) => !row.lastCustomerAt },
      ]
    case 'waiting':
      return [
        {
          of: raw('c.waiting_since is not null'),
          has: (row) => Boolean(row.waitingSince),
          time: 'c.waiting_since',
          at: (row) => row.waitingSince as Date,
          way: 'asc',
        },
        { ...newest, of: raw('c.waiting_since is null'), has: (row) => !row.waitingSince },
      ]
  }
}

interface Place {
  part: number
  at: Date
  id: string
}
function readPlace(cursor: string): Place {
  const [part, at, id] = decodeCursor(cursor, 'number', 'time', 'word')
  return { part, at: new Date(at), id }
}
function afterPlace(em: Em, { time, way }: Part, { at, id }: Place): Sql {
  const [column, sign] = [raw(time), raw(way === 'asc' ? '>' : '<')]
  const value = stored(em, Conversation, 'lastMessageAt', at)
  return sql`(${column} ${sign} ${value} or (${column} = ${value} and c.id ${sign} ${id}))`
}

const columnOf: Record<Exclude<SectionBy, 'tag' | 'waiting'>, string> = {
  channel: 'c.channel',
  inbox: 'c.inbox_id',
  department: 'c.department_id',
  agent: 'c.assignee_id',
}
/** Tags of the conversation, and of the contact. */
const tagged = [raw('conversation_tag t on t.conversation_id = c.id'), raw('contact_tag t on t.contact_id = c.contact_id')] as const

function inSection({ by, key }: Section): Sql {
  if (by === 'waiting') return raw(`c.waiting_since is ${key === 'waiting' ? 'not null' : 'null'}`)
  if (by !== 'tag') return key === null ? raw(`${columnOf[by]} is null`) : sql`${raw(columnOf[by])} = ${key}`
  const own = sql`select 1 from conversation_tag t where t.conversation_id = c.id`
  const contacts = sql`select 1 from contact_tag t where t.contact_id = c.contact_id`
  if (key === null) return sql`not exists (${own}) and not exists (${contacts})`
  return sql`(exists (${own} and t.tag_id = ${key}) or exists (${contacts} and t.tag_id = ${key}))`
}

/** The sections that a group has and how many stand in each; with several tags a conversation stands in several. */
export async function listSections(em: Em, actor: Actor, group: ConversationGroup, by: SectionBy): Promise<ConversationSection[]> {
  if (group === 'closed') throw new HubError('HUB_REQUEST_INVALID', 'What has ended is one list', { path: '/group' })
  const where = groupWhere(em, actor, group)
  if (!where) return []
  const most = raw(String(mostSections))
  const count = async (statement: Sql) =>
    (await query<{ key: string | null; n: number | string }>(em, statement)).map(({ key, n }) => ({ key: key ?? null, count: Number(n) }))
  if (by === 'tag') {
    const [own, contacts] = tagged.map((join) => sql`select t.tag_id as tag, c.id as id from conversation c join ${join} where ${where}`)
    const tags = await count(
      sql`select x.tag as \`key\`, count(*) as n from (${own as Sql} union ${contacts as Sql}) x group by x.tag order by n desc limit ${most}`,
    )
    const none = await count(sql`select null as \`key\`, count(*) as n from conversation c where ${where} and ${inSection({ by, key: null })}`)
    return [...tags, ...none.filter((section) => section.count > 0)]
  }
  const column = raw(by === 'waiting' ? `case when c.waiting_since is null then 'answered' else 'waiting' end` : columnOf[by])
  return count(sql`select ${column} as \`key\`, count(*) as n from conversation c where ${where} group by ${column} order by n desc limit ${most}`)
}

/** The tags of those of the conversations that the actor may see, three queries for any number. */
export async function tagsOf(em: Em, actor: Actor, ids: readonly string[]): Promise<{ id: string; tagIds: string[] }[]> {
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  if (!allowed || ids.length === 0) return []
  const rows = await query<{ id: string; contactId: string }>(
    em,
    sql`select c.id as id, c.contact_id as contactId from conversation c where c.id in ${list(ids)} and ${sqlWhere(em, allowed)}`,
  )
  const own = await em.find(ConversationTag, { conversationId: { $in: rows.map(({ id }) => id) } }, { disableIdentityMap: true })
  const contacts = await em.find(ContactTag, { contactId: { $in: [...new Set(rows.map(({ contactId }) => contactId))] } }, { disableIdentityMap: true })
  const [ofOwn, ofContacts] = [Map.groupBy(own, (tag) => tag.conversationId), Map.groupBy(contacts, (tag) => tag.contactId)]
  return rows.map(({ id, contactId }) => ({
    id,
    tagIds: [...new Set([...(ofOwn.get(id) ?? []), ...(ofContacts.get(contactId) ?? [])].map(({ tagId }) => tagId))],
  }))
}
