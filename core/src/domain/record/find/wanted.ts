/** A filter as this reader means it: conditions on conversations, and which of them an index can lead. */
import { attachmentBits, type RecordFilter, type RecordStatus } from '../../../../sdk/wire/record.ts'
import { splitPermission } from '../../../access/ability.ts'
import type { Access } from '../../../access/access-cache.ts'
import { whereAllowed, whereDeleted } from '../../../access/scope.ts'
import type { Em } from '../../../db/orm.ts'
import { type Sql, sql, stored } from '../../../db/statements.ts'
import type { Hub } from '../../../hub.ts'
import { Category } from '../../category/category.entity.ts'
import { survivorOf } from '../../contact/survivor.ts'
import { Conversation, quietReason } from '../../conversation/conversation.entity.ts'
import { Department } from '../../department/department.entity.ts'
import { subtree } from '../../department/subtree.ts'
import { nearestSlot } from '../../report/contribution.ts'
import { contactsMeant } from './contact-fields.ts'
import { checkContactWords, contactWords } from './contact-words.ts'
import { startOfPeriod } from './period.ts'
import { all, among, any, raw, sqlWhere } from './sql-where.ts'

export interface Wanted {
  /** Which time orders the list. */
  by: 'last_message_at' | 'created_at' | 'deleted_at'
  /** All that a conversation `c` must meet. */
  where: Sql
  /** The part of it that says from when and until when, for the walk along the time's index. */
  range: Sql
  /**
   * Selects of ids that lead to a superset, each along an index of its own: where one of them is short, what it gives
   * is looked at instead of all there is. Each is a union of its parts.
   */
  leads: Sql[][]
}

const asked = <T>(values: readonly T[] | undefined): values is readonly T[] => values !== undefined && values.length > 0
/** Of which there were messages between two times has begun before the later one: most of it shortly before. */
const times = { lastMessageAt: 'last_message_at', createdAt: 'created_at', messageAt: 'created_at', deletedAt: 'deleted_at' } as const
const ratings = { good: 1, medium: 2, bad: 3, none: null } as const
const idsWhere = (condition: Sql): Sql => sql`select c.id from conversation c where ${condition}`

/** Null when there can be no such record, or none that this reader may see. Throws HUB_FORBIDDEN for a customer's field, or for a number or an address, that they may not see. */
export async function wantedBy(hub: Pick<Hub, 'kernel'>, em: Em, actor: Access, filter: RecordFilter, tz: string, permission?: string): Promise<Wanted | null> {
  const readable = await readableAs(em, actor, filter.status)
  if (!readable) return null
  const reach = permission ? whereAllowed(actor.ability, ...splitPermission(permission)) : {}
  if (!reach) return null
  const where: Sql[] = [readable.where, sqlWhere(em, reach)]
  const leads: Sql[][] = [...readable.leads]
  /** A condition whose columns have an index of their own. */
  const lead = (condition: Sql) => {
    where.push(condition)
    leads.push([idsWhere(condition)])
  }

  const by = times[filter.by ?? 'lastMessageAt']
  const time = (at: Date) => stored(em, Conversation, 'createdAt', at)
  const from = [filter.period && startOfPeriod(filter.period, tz), filter.from && new Date(filter.from)].filter((at) => at instanceof Date)
  const spoken = filter.by === 'messageAt' && (from.length > 0 || filter.to !== undefined)
  const range = all([
    ...(by === 'deleted_at' ? [raw('c.deleted_at is not null')] : []),
    ...(spoken ? [] : from.map((at) => sql`c.${raw(by)} >= ${time(at)}`)),
    ...(filter.to ? [sql`c.${raw(by)} < ${time(new Date(filter.to))}`] : []),
  ])
  if (spoken) {
    const slots = all([...from.map((at) => sql`h.at >= ${nearestSlot(at)}`), ...(filter.to ? [sql`h.at < ${nearestSlot(new Date(filter.to))}`] : [])])
    where.push(range, sql`exists (select 1 from report_talk h where h.conversation_id = c.id and ${slots})`)
    leads.push([sql`select distinct h.conversation_id as id from report_talk h where ${slots}`])
  } else if (from.length > 0 || filter.to) lead(range)
  else if (by === 'deleted_at') where.push(range)

  if (asked(filter.deletedByIds)) where.push(among('c.deleted_by_id', filter.deletedByIds))
  if (asked(filter.channels)) where.push(among('c.channel', filter.channels))
  if (asked(filter.inboxIds)) lead(among('c.inbox_id', filter.inboxIds))
  if (asked(filter.agentIds)) lead(among('c.assignee_id', filter.agentIds))
  if (asked(filter.servedByIds)) {
    const holds = among('c.assignee_id', filter.servedByIds)
    const besides = among('g.agent_id', filter.servedByIds)
    where.push(sql`(${holds} or exists (select 1 from conversation_agent g where g.conversation_id = c.id and ${besides}))`)
    leads.push([idsWhere(holds), sql`select distinct g.conversation_id as id from conversation_agent g where ${besides}`])
  }
  if (asked(filter.departmentIds)) {
    const departments = await em.find(Department, {}, { fields: ['id', 'parentId'], disableIdentityMap: true })
    lead(among('c.department_id', [...new Set(filter.departmentIds.flatMap((id) => subtree(id, departments)))]))
  }
  if (asked(filter.skillGroupIds)) lead(among('c.skill_group_id', filter.skillGroupIds))
  if (asked(filter.categoryIds)) {
    const categories = await em.find(Category, {}, { fields: ['id', 'parentId'], disableIdentityMap: true })
    const ids = filter.categoryIds.filter((id) => id !== 'none').flatMap((id) => subtree(id, categories))
    const none = filter.categoryIds.includes('none') ? [sql`c.category_id is null`] : []
    lead(any([...none, ...(ids.length > 0 ? [among('c.category_id', [...new Set(ids)])] : [])]))
  }
  if (asked(filter.ratings)) {
    const given = filter.ratings.map((rating) => ratings[rating]).filter((rating) => rating !== null)
    lead(any([...(filter.ratings.includes('none') ? [sql`c.rating is null`] : []), ...(given.length > 0 ? [among('c.rating', given)] : [])]))
  }
  if (asked(filter.attachments)) {
    const mask = filter.attachments.reduce((bits, kind) => bits | attachmentBits[kind], 0)
    where.push(sql`(c.attachments & ${mask}) <> 0`)
  }
  if (asked(filter.tagIds)) {
    const { tagIds } = filter
    where.push(
      sql`(exists (select 1 from conversation_tag t where t.conversation_id = c.id and ${among('t.tag_id', tagIds)})
        or exists (select 1 from contact_tag k where k.contact_id = c.contact_id and ${among('k.tag_id', tagIds)}))`,
    )
    leads.push([
      sql`select distinct t.conversation_id as id from conversation_tag t where ${among('t.tag_id', tagIds)}`,
      sql`select distinct c.id from contact_tag k join conversation c on c.contact_id = k.contact_id where ${among('k.tag_id', tagIds)}`,
    ])
  }
  if (filter.starred !== undefined) {
    const stars = sql`select s.conversation_id as id from conversation_star s where s.agent_id = ${actor.agent.id}`
    where.push(sql`${raw(filter.starred ? '' : 'not ')}exists (${stars} and s.conversation_id = c.id)`)
    if (filter.starred) leads.push([stars])
  }
  // No column of the walks' indexes, and none is needed: nearly all are meant, or what one inbox has is.
  if (filter.opened !== undefined)
    where.push(filter.opened ? sql`(c.close_reason is null or c.close_reason <> ${quietReason})` : sql`c.close_reason = ${quietReason}`)
  if (filter.summary) {
    where.push(sql`${raw(filter.summary === 'written' ? '' : 'not ')}exists (select 1 from conversation_summary y where y.conversation_id = c.id)`)
    if (filter.summary === 'written') leads.push([raw('select y.conversation_id as id from conversation_summary y')])
  }
  for (const { table, contactId, where: meant } of await contactsMeant(hub, em, actor.ability, filter.fields ?? [])) {
    where.push(sql`exists (select 1 from ${table} where ${meant} and ${contactId} = c.contact_id)`)
    leads.push([sql`select c.id from ${table} join conversation c on c.contact_id = ${contactId} where ${meant}`])
  }
  if (filter.contactId) lead(sql`c.contact_id = ${await survivorOf(em, filter.contactId)}`)
  if (filter.contact?.trim()) {
    checkContactWords(actor.ability, filter.contact)
    const contacts = sql`select k.id from contact k where ${contactWords(em, actor, filter.contact)}`
    where.push(sql`c.contact_id in (${contacts})`)
    leads.push([sql`select c.id from (${contacts}) k join conversation c on c.contact_id = k.id`])
  }
  return { by, where: all(where), range, leads }
}

/** What is deleted for good lies there until the next purge, and is nobody's any more. */
const restorable = (em: Em): Sql => sql`(c.purge_at is null or c.purge_at > ${stored(em, Conversation, 'purgeAt', new Date())})`

/** What this reader may see of the states asked for; without a word, what is open or has ended. */
async function readableAs(em: Em, actor: Access, asking: readonly RecordStatus[] | undefined): Promise<Pick<Wanted, 'where' | 'leads'> | null> {
  const status = new Set<RecordStatus>(asked(asking) ? asking : ['open', 'closed'])
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  const bin = status.has('deleted') ? whereDeleted(actor.ability) : null
  const states: Sql[] = []
  if (status.has('open')) states.push(raw("(c.status in ('open', 'queued') and c.archived_at is null)"))
  if (status.has('closed')) states.push(raw("(c.status = 'closed' and c.archived_at is null)"))
  if (status.has('archived')) states.push(raw('c.archived_at is not null'))
  const parts = [
    ...(allowed && states.length > 0 ? [sql`(${sqlWhere(em, allowed)} and ${any(states)})`] : []),
    ...(bin ? [sql`(${sqlWhere(em, bin)} and ${restorable(em)})`] : []),
  ]
  if (parts.length === 0) return null
  const leads: Sql[][] = []
  // What is rare by its nature leads; what has ended is most of all there is.
  if (!status.has('closed'))
    leads.push([
      ...(status.has('open') ? [idsWhere(raw("c.status in ('open', 'queued')"))] : []),
      ...(status.has('archived') ? [idsWhere(raw('c.archived_at is not null'))] : []),
      ...(bin ? [idsWhere(raw('c.deleted_at is not null'))] : []),
    ])
  const branches = branchesOf(bin && !allowed ? bin : allowed)
  if (branches) leads.push(branches.map((branch) => idsWhere(sqlWhere(em, branch))))
  return { where: any(parts), leads }
}

/** The ability's alternatives: "mine", "my department's"; undefined where there is no bound. */
function branchesOf(where: Record<string, unknown> | null): Record<string, unknown>[] | undefined {
  const [rules] = (where?.$and ?? []) as Record<string, unknown>[]
  const branches = rules?.$or as Record<string, unknown>[] | undefined
  return branches?.every((branch) => Object.keys(branch).length > 0) ? branches : undefined
}
