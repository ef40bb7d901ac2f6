/** `ctx.records`: records as an agent may see them, for plugins that read many. */
import { setImmediate as breath } from 'node:timers/promises'
import { createMongoAbility, subject } from '@casl/ability'
import { HubError } from '../../../sdk/errors.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { RecordFacts, RecordFile, RecordMessage, RecordReader, Records } from '../../../sdk/records.ts'
import type { RecordFilter, SummaryField } from '../../../sdk/wire/record.ts'
import { type HubAbility, may, splitPermission } from '../../access/ability.ts'
import type { Access } from '../../access/access-cache.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { Category } from '../category/category.entity.ts'
import { readSummaryForm } from '../category/summary-form.ts'
import { Contact } from '../contact/contact.entity.ts'
import { knownFields, shownFields } from '../contact/shown-fields.ts'
import { Conversation, ConversationTag } from '../conversation/conversation.entity.ts'
import { contactTitle } from '../conversation/conversation.present.ts'
import { maskWords, shownBesides } from '../conversation/mask-message.ts'
import { Department, SkillGroup } from '../department/department.entity.ts'
import { filesIn, insideFiles } from '../file/claim-files.ts'
import { StoredFile } from '../file/file.entity.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { Message } from '../message/message.entity.ts'
import { Tag } from '../tag/tag.entity.ts'
import { recordsMatching } from './find/find-records.ts'
import { wantedBy } from './find/wanted.ts'
import { ConversationSummary, RecordView } from './record.entity.ts'
import { recordStatus } from './record.present.ts'
import { shownAnswers } from './shown-answers.ts'

const quiet = { disableIdentityMap: true }
const mostIds = 200
/** Messages at once: parsing them holds the process, and others wait. */
const messagesPage = 200
/** Conversations that a page may reach: those behind it would be asked for in vain. */
const conversationsPage = 20

export function recordsFor(hub: Hub): Records {
  return {
    contactFields: async () => (await knownFields(hub, hub.em())).map(({ name, label }) => ({ name, label })),
    async view(agentId, id) {
      const row = await hub.em().findOne(RecordView, { id, agentId }, quiet)
      return row ? { id, name: row.name, filter: row.filter } : undefined
    },
    async *matching(reader, filter: RecordFilter, { tz }) {
      const { permission } = reader
      // What lies in the recycle bin is read by nobody here: it is not found either.
      const { status: asked, ...rest } = filter
      const status = asked?.filter((one) => one !== 'deleted')
      if (asked?.length && !status?.length) return
      yield* recordsMatching(hub, await accessOf(hub, reader), status ? { ...rest, status } : rest, { tz, ...(permission ? { permission } : {}) })
    },
    async check(reader, filter, { tz }) {
      await wantedBy(hub, hub.em(), await accessOf(hub, reader), filter, tz, reader.permission)
    },
    async read(reader, ids) {
      const em = hub.em()
      const access = await accessOf(hub, reader)
      const rows = await readable(em, access, reader, ids)
      return rows.length === 0 ? [] : presentFacts(hub, em, seeing(access, reader), access.agent.locale, rows)
    },
    messages: (reader, ids) => messagesOf(hub, reader, ids),
  }
}

export async function accessOf(hub: Hub, { agentId, permission }: RecordReader): Promise<Access> {
  const access = await hub.access.of(agentId)
  if (!access || (permission && !access.ability.can(...splitPermission(permission)))) throw new HubError('HUB_FORBIDDEN', 'You may not do this', { permission })
  return access
}

/** The same ability, blind to personal data unless it was asked for. */
export const seeing = ({ ability }: Access, { personal }: RecordReader): HubAbility =>
  personal ? ability : createMongoAbility([...ability.rules, { inverted: true, action: 'personal', subject: 'contact' }])

async function readable(em: Em, { ability }: Access, { permission }: RecordReader, ids: readonly string[]): Promise<Conversation[]> {
  if (ids.length > mostIds) throw new Error(`at most ${mostIds} records at once`)
  const rows = await em.find(Conversation, { id: { $in: [...ids] } }, { orderBy: { id: 'asc' }, ...quiet })
  const [action, noun] = permission ? splitPermission(permission) : []
  const within = (row: Conversation) => !action || !noun || ability.can(action, subject(noun, { ...row }) as unknown as string)
  return rows.filter((row) => may(ability, 'read', row) && within(row))
}

const namesOf = async <T extends { id: string; name: string }>(rows: Promise<T[]>): Promise<Map<string, string>> =>
  new Map((await rows).map(({ id, name }) => [id, name]))
const idsIn = (values: readonly (string | null | undefined)[]): string[] => [...new Set(values.filter((id) => typeof id === 'string'))]

async function presentFacts(hub: Hub, em: Em, ability: HubAbility, locale: string, rows: readonly Conversation[]): Promise<RecordFacts[]> {
  const ids = rows.map(({ id }) => id)
  const inboxes = await namesOf(em.find(Inbox, { id: { $in: idsIn(rows.map((c) => c.inboxId)) } }, { fields: ['id', 'name'], ...quiet }) as Promise<Inbox[]>)
  const agents = await agentNames(em, idsIn(rows.map((c) => c.assigneeId)))
  const departments = await namesOf(
    em.find(Department, { id: { $in: idsIn(rows.map((c) => c.departmentId)) } }, { fields: ['id', 'name'], ...quiet }) as Promise<Department[]>,
  )
  const groups = await namesOf(
    em.find(SkillGroup, { id: { $in: idsIn(rows.map((c) => c.skillGroupId)) } }, { fields: ['id', 'name'], ...quiet }) as Promise<SkillGroup[]>,
  )
  const categories = rows.some((c) => c.categoryId) ? await em.find(Category, {}, quiet) : []
  const contacts = new Map((await em.find(Contact, { id: { $in: idsIn(rows.map((c) => c.contactId)) } }, quiet)).map((contact) => [contact.id, contact]))
  const more = await shownFields(hub, em, ability, [...contacts.keys()])
  const links = await em.find(ConversationTag, { conversationId: { $in: ids } }, { orderBy: { createdAt: 'asc' }, ...quiet })
  const tags = await namesOf(em.find(Tag, { id: { $in: idsIn(links.map((link) => link.tagId)) } }, { fields: ['id', 'name'], ...quiet }) as Promise<Tag[]>)
  const tagsOf = Map.groupBy(links, (link) => link.conversationId)
  const summaries = new Map((await em.find(ConversationSummary, { conversationId: { $in: ids } }, quiet)).map((row) => [row.conversationId, row.answers]))
  const { fields } = summaries.size > 0 ? await readSummaryForm(em, locale) : { fields: [] }
  const channels = new Map(hub.kernel.status().flatMap(({ id, manifest }) => (manifest?.channel ? [[id, manifest.label]] : [])))
  return rows.flatMap((c): RecordFacts[] => {
    const contact = contacts.get(c.contactId)
    if (!contact) return []
    return [
      {
        id: c.id,
        status: recordStatus(c),
        channel: channels.get(c.channel)?.[locale === 'en' ? 'en' : 'zh'] ?? c.channel,
        inbox: inboxes.get(c.inboxId) ?? '',
        contact: {
          id: contact.id,
          number: contact.number,
          title: contactTitle(ability, contact, locale),
          name: maskField(ability, 'name', contact.name),
          phone: maskField(ability, 'phone', contact.phone),
          email: maskField(ability, 'email', contact.email),
          wechat: maskField(ability, 'wechat', contact.wechat),
          qq: maskField(ability, 'qq', contact.qq),
          address: maskField(ability, 'address', contact.address),
          remark: maskText(ability, contact.remark),
          fields: more.get(contact.id) ?? [],
        },
        agent: agents.get(c.assigneeId ?? '') ?? '',
        skillGroup: groups.get(c.skillGroupId ?? '') ?? '',
        department: departments.get(c.departmentId ?? '') ?? '',
        category: pathOf(categories, c.categoryId ?? null),
        tags: (tagsOf.get(c.id) ?? []).flatMap((link) => tags.get(link.tagId) ?? []),
        rating: c.rating ?? null,
        ratingComment: maskText(ability, c.ratingComment ?? ''),
        summary: answersOf(ability, fields, summaries.get(c.id) ?? {}),
        messages: c.messages,
        createdAt: c.createdAt.toISOString(),
        firstReplyAt: c.firstReplyAt?.toISOString() ?? null,
        lastMessageAt: c.lastMessageAt.toISOString(),
        closedAt: c.closedAt?.toISOString() ?? null,
      },
    ]
  })
}

const agentNames = (em: Em, ids: string[]): Promise<Map<string, string>> =>
  namesOf(em.find(Agent, { id: { $in: ids } }, { fields: ['id', 'name'], ...quiet }) as Promise<Agent[]>)

function pathOf(categories: readonly Category[], id: string | null): string {
  const names: string[] = []
  for (let at = id; at && names.length < 10; ) {
    const category = categories.find((one) => one.id === at)
    if (category) names.unshift(category.name)
    at = category?.parentId ?? null
  }
  return names.join(' / ')
}

function answersOf(ability: HubAbility, fields: readonly SummaryField[], answers: Record<string, unknown>): Record<string, string> {
  const labels = new Map(fields.map(({ id, label }) => [id, label]))
  const said: Record<string, string> = {}
  for (const [id, value] of Object.entries(shownAnswers(ability, fields, answers))) {
    const text = Array.isArray(value) ? value.join(', ') : typeof value === 'boolean' ? (value ? '✓' : '✗') : String(value ?? '')
    const label = labels.get(id) ?? id
    // Forms of before may have two fields of one label: neither answer is lost.
    said[label] = said[label] === undefined ? text : `${said[label]}, ${text}`
  }
  return said
}

async function* messagesOf(hub: Hub, reader: RecordReader, asked: readonly string[]): AsyncGenerator<RecordMessage[]> {
  const authors = new Map<string, string>()
  let waiting = [...asked].sort()
  /** How far the first of them has been read. */
  let seq = 0
  while (waiting.length > 0) {
    const em = hub.em()
    const access = await accessOf(hub, reader)
    const ability = seeing(access, reader)
    const near = waiting.slice(0, conversationsPage)
    const ids = (await readable(em, access, reader, near)).map((row) => row.id)
    const begun = seq > 0 && ids[0] === near[0]
    const rows =
      ids.length === 0
        ? []
        : ((await em.find(
            Message,
            begun ? { $or: [{ conversationId: ids[0], seq: { $gt: seq } }, { conversationId: { $in: ids.slice(1) } }] } : { conversationId: { $in: ids } },
            {
              orderBy: [{ conversationId: 'asc' }, { seq: 'asc' }],
              limit: messagesPage,
              fields: ['id', 'conversationId', 'seq', 'direction', 'authorId', 'parts', 'text', 'meta', 'status', 'recalledAt', 'sentAt'],
              ...quiet,
            },
          )) as unknown as Message[])
    const unknown = idsIn(rows.map((row) => row.authorId)).filter((author) => !authors.has(author))
    if (unknown.length > 0) for (const [author, name] of await agentNames(em, unknown)) authors.set(author, name)
    const inside = await insideFiles(
      em,
      ids,
      rows.flatMap((row) => row.parts),
    )
    if (rows.length > 0) yield rows.map((row) => presentMessage(hub, ability, row, authors, inside))
    const last = rows.at(-1)
    if (last && rows.length === messagesPage) {
      waiting = waiting.slice(waiting.indexOf(last.conversationId))
      seq = last.seq
    } else {
      waiting = waiting.slice(near.length)
      seq = 0
    }
    await breath()
  }
}

function presentMessage(
  hub: Hub,
  ability: HubAbility,
  m: Message,
  authors: ReadonlyMap<string, string>,
  inside: ReadonlyMap<string, StoredFile>,
): RecordMessage {
  const parts = m.recalledAt ? [] : m.parts
  return {
    conversationId: m.conversationId,
    seq: m.seq,
    direction: m.direction,
    author: (m.authorId && authors.get(m.authorId)) || '',
    text: m.recalledAt ? '' : maskWords(ability, m),
    subject: m.recalledAt ? '' : maskText(ability, m.meta?.subject ?? ''),
    besides: shownBesides(ability, parts),
    kinds: parts.map((part) => part.type),
    files: parts.flatMap((part) => filesOf(hub, ability, m.conversationId, part, inside)),
    recalled: Boolean(m.recalledAt),
    status: m.status,
    at: m.sentAt.toISOString(),
  }
}

function filesOf(hub: Hub, ability: HubAbility, conversationId: string, part: MessagePart, inside: ReadonlyMap<string, StoredFile>): RecordFile[] {
  return filesIn(part).flatMap(({ fileId: id }) => {
    const file = 'fileId' in part ? part : inside.get(id)
    if (!file) return []
    return [
      {
        id,
        name: maskText(ability, file.name),
        mime: file.mime,
        async open() {
          const row = await hub.em().findOne(StoredFile, { id, conversationId }, quiet)
          return row ? hub.files.read(row.hash) : undefined
        },
      },
    ]
  })
}
