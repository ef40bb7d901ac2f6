/** Conversations move from one department or skill group to another because the department, the group or the inbox did. */
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { readRaw, sql } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { changeAmong } from './change.ts'
import { Conversation } from './conversation.entity.ts'

/**
 * Those that have not ended leave a department or a skill group that is being deleted: nobody would ever be given what
 * waits there. In the caller's transaction; returns what to do after the commit.
 */
export async function leavePlace(hub: Hub, em: Em, place: 'departmentId' | 'skillGroupId', id: string, to: string | null): Promise<() => void> {
  const live = await em.find(
    Conversation,
    { [place]: id, status: { $in: ['queued', 'open'] } },
    { orderBy: { id: 'asc' }, fields: ['id'], disableIdentityMap: true },
  )
  const { after } = await changeAmong(
    hub,
    em,
    live.map((row) => row.id),
    (row) => row[place] === id && row.status !== 'closed',
    ({ conversation }) => {
      conversation[place] = to
    },
  )
  return after
}

/** Where a conversation waits: where its inbox puts it, whoever had it meanwhile. ADR 62. */
export async function waitWithInbox(em: Em, conversation: Conversation): Promise<void> {
  const inbox = await em.findOne(Inbox, { id: conversation.inboxId }, { fields: ['departmentId', 'skillGroupId'], disableIdentityMap: true })
  if (inbox) Object.assign(conversation, placeOf(inbox))
}

const placeOf = ({ departmentId = null, skillGroupId = null }: Pick<Inbox, 'departmentId' | 'skillGroupId'>) => ({ departmentId, skillGroupId })

/**
 * What waits elsewhere than its inbox says goes there: of one inbox that is moved, or of all. In the caller's
 * transaction; returns how many there were, and what to do after the commit.
 */
export async function followInbox(hub: Hub, em: Em, inboxId?: string): Promise<{ count: number; after: () => void }> {
  // Of all who wait, however few are of this inbox: who waits is found by the status, an inbox has a history.
  const astray = await readRaw<{ id: string; inboxId: string; departmentId: string | null; skillGroupId: string | null }>(
    em,
    sql`select c.id, i.id as inboxId, i.department_id as departmentId, i.skill_group_id as skillGroupId
        from conversation c join inbox i on i.id = c.inbox_id
        where c.status = 'queued' and (coalesce(c.department_id, '') <> coalesce(i.department_id, '') or coalesce(c.skill_group_id, '') <> coalesce(i.skill_group_id, ''))`,
  )
  const places = new Map(astray.filter((row) => inboxId === undefined || row.inboxId === inboxId).map((row) => [row.id, placeOf(row)]))
  return changeAmong(
    hub,
    em,
    [...places.keys()].sort(),
    ({ status }) => status === 'queued',
    ({ conversation }) => {
      Object.assign(conversation, places.get(conversation.id))
    },
  )
}

/** Those that came by an inbox as it was a moment before it was moved, and those of before there was this rule. */
export async function gatherAstray(hub: Hub): Promise<void> {
  const { after } = await retryOnConflict(() => hub.em().transactional((tx) => followInbox(hub, tx as Em)))
  after()
}
