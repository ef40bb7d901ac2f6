/** The quick jump: conversations by who the contact is. */
import { raw } from '@mikro-orm/core'

import { maySee, type PersonalField } from '../../access/mask.ts'
import { personalFields } from '../../access/permissions.ts'
import { whereAllowed } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import type { Actor } from '../../http/auth.ts'
import { Contact } from '../contact/contact.entity.ts'
import { Conversation } from './conversation.entity.ts'

const most = 20

/** The latest conversations, of those the actor may see, with contacts whose number, names or remark hold the words. */
export async function findByContact(em: Em, actor: Pick<Actor, 'ability'>, words: string): Promise<Conversation[]> {
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  if (!allowed) return []
  const wanted = words.trim().toLowerCase()
  // `instr` and not `like`: a sign that is a wildcard to one database is a letter to the other.
  // Searching in a field one sees masked would unmask it, letter by letter.
  const fields = ['nickname', 'remark', ...personalFields.filter((field: PersonalField) => maySee(actor.ability, field))]
  const number = /^#?(\d{1,9})$/.exec(wanted)?.[1]
  const contacts = em
    .createQueryBuilder(Contact, 'k')
    .select('k.id')
    .where({ $or: [...fields.map((field) => ({ [raw(`instr(lower(${field}), ?)`, [wanted])]: { $gt: 0 } })), ...(number ? [{ number: Number(number) }] : [])] })
  return em.find(
    Conversation,
    { $and: [allowed, { contactId: { $in: contacts.toRaw() as unknown as string[] } }] },
    { orderBy: [{ lastMessageAt: 'desc' }, { id: 'desc' }], limit: most, disableIdentityMap: true },
  )
}
