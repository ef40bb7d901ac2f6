/** The quick jump: conversations by who the contact is. */
import { type ContactField, hiddenFrom, maySee } from '../../access/mask.ts'
import { maskText } from '../../access/mask-text.ts'
import { whereAllowed } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import { list, readRaw, type Sql, sql } from '../../db/statements.ts'
import type { Actor } from '../../http/auth.ts'
import { blindsOf } from '../../sealing/sealed-columns.ts'
import { Contact } from '../contact/contact.entity.ts'
import { Conversation } from './conversation.entity.ts'

const most = 20
/** Contacts looked at, for each field: words that so many begin with want another letter. */
const mostContacts = 50
/** No text goes beyond it: the end of all that begins with a prefix. */
const last = '\u{10ffff}'

/**
 * The latest conversations, of those the actor may see, with contacts whose number is the words, whose nickname or
 * remark begins with them, or whose name, telephone number, address, WeChat or QQ account is them (those are sealed); the first 50 of each field.
 */
export async function findByContact(em: Em, actor: Pick<Actor, 'ability'>, words: string): Promise<Conversation[]> {
  const allowed = whereAllowed(actor.ability, 'read', 'conversation')
  const wanted = words.trim()
  if (!allowed || wanted === '') return []
  // Searching in a field one sees masked would unmask it, letter by letter.
  const fields: JumpField[] = ['nickname', 'remark', ...keyed.filter((field) => maySee(actor.ability, field))]
  const number = /^#?(\d{1,9})$/.exec(wanted)?.[1]
  const found = await Promise.all([
    ...fields.map((field) => readRaw<{ id: string }>(em, contactsBy(em, field, wanted))),
    number ? readRaw<{ id: string }>(em, sql`select id from contact where number = ${Number(number)}`) : [],
  ])
  const ids = new Set(found.flat().map(({ id }) => id))
  if (ids.size === 0) return []
  const rows = await em.find(
    Conversation,
    { $and: [allowed, { contactId: { $in: [...ids] } }] },
    { orderBy: [{ lastMessageAt: 'desc' }, { id: 'desc' }], limit: most, disableIdentityMap: true },
  )
  if (!hiddenFrom(actor.ability) || rows.length === 0) return rows
  // Names and remarks may hold a number, which is masked: found are only words that this reader sees.
  const contacts = await em.find(Contact, { id: { $in: rows.map(({ contactId }) => contactId) } }, { disableIdentityMap: true })
  const seen = new Set(
    contacts
      .filter(
        (contact) =>
          String(contact.number) === number || fields.some((field) => maskText(actor.ability, contact[field]).toLowerCase().includes(wanted.toLowerCase())),
      )
      .map(({ id }) => id),
  )
  return rows.filter(({ contactId }) => seen.has(contactId))
}

/** Sealed, with a key to look them up by. */
const keyed = ['name', 'phone', 'email', 'wechat', 'qq'] as const satisfies readonly ContactField[]
type JumpField = 'nickname' | 'remark' | (typeof keyed)[number]

/** By the columns of migrations 0017, 0044 and 0064. A range and not `like`: a wildcard is a letter, and both databases use the index. */
export function contactsBy(em: Em, field: JumpField, prefix: string): Sql {
  const key: Sql = { text: `\`${field}_key\``, params: [] }
  if (field !== 'nickname' && field !== 'remark') return sql`select id from contact where ${key} in ${list(blindsOf(em, field, prefix))} limit ${mostContacts}`
  return sql`select id from contact where ${key} >= lower(${prefix}) and ${key} < lower(${prefix + last}) order by ${key} limit ${mostContacts}`
}
