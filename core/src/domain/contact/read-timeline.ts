/**
 * A page of a contact's timeline. It is nowhere stored as one: each of its sources has an index that walks it from the
 * contact, newest first, and a page is the newest of a page of each. So a deep page costs what the first one does, and
 * merging or splitting contacts has nothing to move but what it moves already.
 */
import type { TimelineEntry } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import { whereAllowed, whereInLines, whereVisits } from '../../access/scope.ts'
import { beforeRow, decodeCursor, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { readRaw, type Sql, sql, stored } from '../../db/statements.ts'
import type { Actor } from '../../http/auth.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { presentConversation } from '../conversation/conversation.present.ts'
import { maskPart } from '../conversation/mask-message.ts'
import { CallMessage, Message } from '../message/message.entity.ts'
import { raw, sqlWhere } from '../record/find/sql-where.ts'
import { Visit } from '../visit/visit.entity.ts'
import { presentVisit } from '../visit/visit.present.ts'
import { Activity, type Contact } from './contact.entity.ts'
import { presentActivity } from './contact.present.ts'

const pageSize = 20

/** Of a contact that the reader may see. Throws HUB_REQUEST_INVALID for a cursor that is none. */
export async function readTimeline(
  em: Em,
  actor: Pick<Actor, 'ability'>,
  contact: Contact,
  cursor: string | undefined,
): Promise<{ items: TimelineEntry[]; cursor: string | null }> {
  const { ability } = actor
  const contactId = contact.id
  const allowed = whereAllowed(ability, 'read', 'conversation')
  const visible = whereVisits(ability)
  const newest = { limit: pageSize + 1, disableIdentityMap: true } as const
  const [conversations, activities, visits, calls] = await Promise.all([
    allowed
      ? em.find(
          Conversation,
          { $and: [{ contactId }, allowed, beforeRow('lastMessageAt', cursor)] },
          { orderBy: [{ lastMessageAt: 'desc' }, { id: 'desc' }], ...newest },
        )
      : [],
    em.find(Activity, { $and: [{ contactId }, whereInLines(ability), beforeRow('at', cursor)] }, { orderBy: [{ at: 'desc' }, { id: 'desc' }], ...newest }),
    visible
      ? em.find(Visit, { $and: [{ contactId }, visible, beforeRow('startedAt', cursor)] }, { orderBy: [{ startedAt: 'desc' }, { id: 'desc' }], ...newest })
      : [],
    allowed ? readCalls(em, ability, contactId, allowed, cursor) : [],
  ])
  const entries = [
    ...conversations.map((row): TimelineEntry => {
      const { id, lastMessageAt } = row
      return { kind: 'conversation', id, at: lastMessageAt.toISOString(), conversation: presentConversation(ability, row, contact) }
    }),
    ...activities.map((row): TimelineEntry => ({ kind: 'activity', id: row.id, at: row.at.toISOString(), activity: presentActivity(ability, row) })),
    ...visits.map((row): TimelineEntry => ({ kind: 'visit', id: row.id, at: row.startedAt.toISOString(), visit: presentVisit(ability, row, contact) })),
    ...calls,
  ].sort((a, b) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1))
  const items = entries.slice(0, pageSize)
  const last = entries.length > pageSize ? items.at(-1) : undefined
  return { items, cursor: last ? encodeCursor([Date.parse(last.at), last.id]) : null }
}

function beforeCall(em: Em, cursor: string): Sql {
  const [at, id] = decodeCursor(cursor, 'time', 'word')
  const time = stored(em, CallMessage, 'at', new Date(at))
  return sql`(k.at < ${time} or (k.at = ${time} and k.message_id < ${id}))`
}

/** Calls of the conversations that the reader may see. */
async function readCalls(
  em: Em,
  ability: HubAbility,
  contactId: string,
  allowed: Record<string, unknown>,
  cursor: string | undefined,
): Promise<TimelineEntry[]> {
  const before = cursor ? beforeCall(em, cursor) : raw('1 = 1')
  const rows = await readRaw<{ message_id: string }>(
    em,
    sql`select k.message_id from conversation c join message_call k on k.conversation_id = c.id join message m on m.id = k.message_id
        where c.contact_id = ${contactId} and m.recalled_at is null and ${sqlWhere(em, allowed)} and ${before}
        order by k.at desc, k.message_id desc limit ${pageSize + 1}`,
  )
  if (rows.length === 0) return []
  const messages = await em.find(
    Message,
    { id: { $in: rows.map(({ message_id }) => message_id) } },
    { fields: ['id', 'conversationId', 'inboxId', 'seq', 'parts', 'sentAt'], disableIdentityMap: true },
  )
  return messages.flatMap(({ id, conversationId, inboxId, seq, parts, sentAt }): TimelineEntry[] => {
    const call = parts.map((part) => maskPart(ability, part)).find((part) => part.type === 'call')
    return call ? [{ kind: 'call', id, at: sentAt.toISOString(), conversationId, inboxId, seq, call }] : []
  })
}
