/** The list of contacts that one agent may see: those of the records that a filter finds, or of these records. */
import { type Static, Type } from 'typebox'
import type { TableColumn, TableReader, TableRow } from '../../../sdk/tables.ts'
import { Id } from '../../../sdk/wire/common.ts'
import { RecordFilter } from '../../../sdk/wire/record.ts'
import { splitPermission } from '../../access/ability.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskText } from '../../access/mask-text.ts'
import { contactFields } from '../../access/permissions.ts'
import { whereAllowed, whereInLines } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import { list, type Sql, sql } from '../../db/statements.ts'
import type { Hub } from '../../hub.ts'
import { contactTitle } from '../conversation/conversation.present.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { recordsMatching } from '../record/find/find-records.ts'
import { msOf, query } from '../record/find/list-records.ts'
import { sqlWhere } from '../record/find/sql-where.ts'
import { accessOf, seeing } from '../record/read-records.ts'
import { ContactTag, Tag } from '../tag/tag.entity.ts'
import { Contact, Identity } from './contact.entity.ts'
import { customPrefix, readCustomFields } from './custom-fields.ts'
import { declaredFields } from './fields.ts'
import { ownLabels, shownFields } from './shown-fields.ts'

const quiet = { disableIdentityMap: true }
const page = 200
const Filter = Type.Object(
  { records: Type.Optional(RecordFilter), recordIds: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 1_000 })) },
  { additionalProperties: false },
)

const column = (key: string, zh: string, en: string, kind: TableColumn['kind'] = 'text'): TableColumn => ({ key, label: { zh, en }, kind })

export function contactTable(hub: Hub) {
  return {
    name: 'hub.contacts',
    label: { zh: '客户', en: 'Contacts' },
    permission: 'conversation.read',
    filter: Filter,
    columns: () => columnsOf(hub),
    keys: (reader: TableReader, filter: Record<string, unknown>) => keysOf(hub, reader, filter as Static<typeof Filter>),
    read: (reader: TableReader, keys: readonly string[]) => rowsOf(hub, reader, keys),
  }
}

async function columnsOf(hub: Hub): Promise<TableColumn[]> {
  const { fields } = await readCustomFields(hub.em())
  return [
    column('number', '客户号', 'Contact no.', 'number'),
    column('title', '客户', 'Contact'),
    ...contactFields.map((key) => ({ key, label: ownLabels[key] })),
    { key: 'nickname', label: ownLabels.nickname },
    { key: 'remark', label: ownLabels.remark },
    column('tags', '标签', 'Tags'),
    column('inboxes', '来源', 'Inboxes'),
    column('conversations', '会话数', 'Conversations', 'number'),
    column('createdAt', '首次联系', 'First contact', 'time'),
    column('lastMessageAt', '最近联系', 'Last contact', 'time'),
    ...declaredFields(hub).map(({ fullName, label }) => ({ key: fullName, label })),
    ...fields.map(({ id, label }) => ({ key: customPrefix + id, label: { zh: label, en: label } })),
  ]
}

/** Of conversations that this reader may read, within the reader's own permission too; undefined where there can be none. */
async function readableWhere(hub: Hub, em: Em, reader: TableReader): Promise<Sql | undefined> {
  const { ability } = await accessOf(hub, reader)
  const allowed = whereAllowed(ability, 'read', 'conversation')
  const reach = reader.permission ? whereAllowed(ability, ...splitPermission(reader.permission)) : {}
  return allowed && reach ? sql`${sqlWhere(em, allowed)} and ${sqlWhere(em, reach)}` : undefined
}

async function* keysOf(hub: Hub, reader: TableReader, { records = {}, recordIds }: Static<typeof Filter>): AsyncGenerator<string[]> {
  const { permission, tz } = reader
  const pages = recordIds
    ? [...Array(Math.ceil(recordIds.length / page)).keys()].map((n) => recordIds.slice(n * page, (n + 1) * page))
    : recordsMatching(hub, await accessOf(hub, reader), records, { tz, ...(permission ? { permission } : {}) })
  const known = new Set<string>()
  for await (const ids of pages) {
    const em = hub.em()
    const where = await readableWhere(hub, em, reader)
    if (!where) return
    const rows = await query<{ id: string }>(em, sql`select c.contact_id as id from conversation c where c.id in ${list(ids)} and ${where}`)
    const fresh = [...new Set(rows.map(({ id }) => id))].filter((id) => !known.has(id))
    for (const id of fresh) known.add(id)
    if (fresh.length > 0) yield fresh
  }
}

async function rowsOf(hub: Hub, reader: TableReader, keys: readonly string[]): Promise<TableRow[]> {
  const em = hub.em()
  const where = await readableWhere(hub, em, reader)
  if (!where || keys.length === 0) return []
  const access = await accessOf(hub, reader)
  const ability = seeing(access, reader)
  const seen = await query<{ id: string; n: number | string; at: number | string }>(
    em,
    sql`select c.contact_id as id, count(*) as n, max(c.last_message_at) as at from conversation c where c.contact_id in ${list(keys)} and ${where} group by c.contact_id`,
  )
  const talks = new Map(seen.map((row) => [row.id, row]))
  const ids = [...talks.keys()]
  const contacts = new Map((await em.find(Contact, { id: { $in: ids } }, quiet)).map((contact) => [contact.id, contact]))
  const values = await shownFields(hub, em, ability, ids)
  const links = Map.groupBy(await em.find(ContactTag, { contactId: { $in: ids } }, { orderBy: { createdAt: 'asc' }, ...quiet }), (row) => row.contactId)
  const tagIds = [...new Set([...links.values()].flat().map(({ tagId }) => tagId))]
  const tags = new Map((await em.find(Tag, { id: { $in: tagIds } }, quiet)).map(({ id, name }) => [id, name]))
  const identities = Map.groupBy(
    await em.find(Identity, { contactId: { $in: ids }, ...whereInLines(ability) }, { fields: ['contactId', 'inboxId'], ...quiet }),
    (row) => row.contactId as string,
  )
  const inboxIds = [...new Set([...identities.values()].flat().map(({ inboxId }) => inboxId))]
  const inboxes = new Map((await em.find(Inbox, { id: { $in: inboxIds } }, { fields: ['id', 'name'], ...quiet })).map(({ id, name }) => [id, name]))
  return keys.flatMap((id): TableRow[] => {
    const [contact, talk] = [contacts.get(id), talks.get(id)]
    if (!contact || !talk) return []
    return [
      {
        number: contact.number,
        title: contactTitle(ability, contact, access.agent.locale),
        ...Object.fromEntries(contactFields.map((field) => [field, maskField(ability, field, contact[field])])),
        nickname: maskText(ability, contact.nickname),
        remark: maskText(ability, contact.remark),
        tags: (links.get(id) ?? []).flatMap(({ tagId }) => tags.get(tagId) ?? []).join(', '),
        inboxes: [...new Set((identities.get(id) ?? []).flatMap(({ inboxId }) => inboxes.get(inboxId) ?? []))].join(', '),
        conversations: Number(talk.n),
        createdAt: contact.createdAt.toISOString(),
        lastMessageAt: new Date(msOf(talk.at)).toISOString(),
        ...Object.fromEntries((values.get(id) ?? []).map(({ name, value }) => [name, value])),
      },
    ]
  })
}
