/** Who has a number in a field that a plugin filled in or an agent typed. */
import type { Em } from '../../db/orm.ts'
import { list, readRaw, sql } from '../../db/statements.ts'
import { blindsOf } from '../../sealing/sealed-columns.ts'
import type { ContactField, Evidence, Origin } from './contact.entity.ts'
import { survivorOf } from './survivor.ts'

/** A value so many have is no evidence: a switchboard, `noreply@`. */
export const tooCommon = 20

/** Fields by which people are told apart. */
export const matched = ['phone', 'email', 'wechat', 'qq'] as const satisfies readonly Evidence['kind'][]
export type Matched = (typeof matched)[number]
export const isMatched = (kind: Evidence['kind']): kind is Matched => (matched as readonly string[]).includes(kind)

/** Contacts in whose field a plugin or an agent put this, at most so many that it is too common. */
export async function contactsWith(em: Em, kind: Matched, value: string): Promise<{ contactId: string; origin: Origin }[]> {
  const key = { text: `p.${kind}_key`, params: [] }
  const most = { text: `limit ${tooCommon}`, params: [] }
  // A cross join: SQLite would begin with all fields of the kind.
  const rows = await readRaw<{ id: string; source: string; agent: string | null; message: string | null }>(
    em,
    sql`select p.id, f.source, f.by_agent_id as agent, f.message_id as message
        from contact p cross join contact_field f on f.contact_id = p.id and f.field = ${kind} where ${key} in ${list(blindsOf(em, kind, value))} ${most}`,
  )
  const found = rows.map(async ({ id, source, agent, message }) => {
    const contactId = await survivorOf(em, id)
    return { contactId, origin: handOf({ contactId, source, byAgentId: agent, messageId: message }) }
  })
  return Promise.all(found)
}

/** Whose doing the value of a field is. */
export function handOf({ contactId, source, byAgentId, messageId }: Pick<ContactField, 'contactId' | 'source' | 'byAgentId' | 'messageId'>): Origin {
  const message = messageId ? { messageId } : {}
  return source === ''
    ? { contactId, by: 'agent', ...(byAgentId ? { agentId: byAgentId } : {}), ...message }
    : { contactId, by: 'plugin', plugin: source, ...message }
}
