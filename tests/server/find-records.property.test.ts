/** Generated records, filters and readers against a naive matcher: the same rows in the same order, page after page, while others write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { attachmentBits, type RecordFilter, type RecordStatus } from '../../core/sdk/wire/record.ts'
import { accessOf } from '../../core/src/access/access-cache.ts'
import { maskText } from '../../core/src/access/mask-text.ts'
import { insertRows } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import type { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { newAgent } from '../../core/src/domain/agent/create-owner.ts'
import { Category } from '../../core/src/domain/category/category.entity.ts'
import { Contact, ContactField } from '../../core/src/domain/contact/contact.entity.ts'
import { writeCustomFields } from '../../core/src/domain/contact/custom-fields.ts'
import { Conversation, ConversationAgent, ConversationTag, Star } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { countMatching, findRecords, recordsMatching } from '../../core/src/domain/record/find/find-records.ts'
import { indexMessages } from '../../core/src/domain/record/find/index-messages.ts'
import { usualSizes } from '../../core/src/domain/record/find/list-records.ts'
import { ConversationSummary } from '../../core/src/domain/record/record.entity.ts'
import { recordStatus } from '../../core/src/domain/record/record.present.ts'
import { slotOf } from '../../core/src/domain/report/contribution.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Lease } from '../../core/src/domain/setting/setting.entity.ts'
import { ContactTag } from '../../core/src/domain/tag/tag.entity.ts'
import type { Actor } from '../../core/src/http/auth.ts'
import { found, onEveryProfile, type World } from '../support/world.ts'

/** The same numbers at every run. */
let state = 20_261_122
const random = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
  return Math.floor((state / 2_147_483_648) * below)
}
const one = <T>(values: readonly T[]): T => values[random(values.length)] as T
const maybe = <T>(values: readonly T[]): T | null => (random(3) === 0 ? null : one(values))
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const words = [
  '退款',
  '退货',
  '我要退',
  '款',
  '发票',
  '物流',
  'iPhone 15',
  'ＩＰＨＯＮＥ',
  'iphone',
  '好的',
  '的',
  '😀',
  'Ａ12',
  'a12',
  '13800138000',
  '  ',
  '100%',
  'x_y',
  '*',
  "o'k",
  '㈱',
]
const phrase = () => times(1 + random(4), () => one(words)).join(one(['', ' ', '，', '\n']))

/** Not longer ago than the bin keeps what is deleted. */
const start = Math.floor(Date.now() / 86_400_000 - 20) * 86_400_000
const day = 86_400_000
const ids = (count: number) => times(count, newId)
const [inboxes, agents, departments, groups, categories, tags] = [ids(3), ids(4), ids(4), ids(2), ids(4), ids(4)]
const channels = ['website', 'wechat']

interface Data {
  conversations: Conversation[]
  messages: Message[]
  contacts: Contact[]
  conversationTags: ConversationTag[]
  contactTags: ContactTag[]
  stars: Star[]
  /** Who served besides the assignee. */
  served: ConversationAgent[]
  summaries: Set<string>
  /** Of fields that a plugin or an admin brings. */
  brought: Pick<ContactField, 'contactId' | 'field' | 'value'>[]
}

/** Brings a field that everybody sees, and one that is as good as a telephone number. */
const notes = definePlugin({
  id: 'notes',
  version: '1.0.0',
  label: { zh: '便笺', en: 'Notes' },
  contactFields: [
    { name: 'shoe', label: { zh: '鞋码', en: 'Shoe size' } },
    { name: 'line', label: { zh: '热线', en: 'Hotline' }, personal: 'phone' },
  ],
})
const custom = [
  { id: 'level', label: '等级', options: ['普通', '金牌'] },
  { id: 'memo', label: '备忘' },
]
/** What may stand in each; one is personal data among words. */
const values = { 'hub.level': ['普通', '金牌'], 'hub.memo': ['老客', '电话 13800138000'], 'notes.shoe': ['42', '43'], 'notes.line': ['8001', '8002'] }

const message = (conversation: Conversation, seq: number, at: number): Message =>
  ({
    id: newId(),
    conversationId: conversation.id,
    inboxId: conversation.inboxId,
    seq,
    rev: seq,
    direction: one(['in', 'in', 'out', 'note', 'system']),
    parts: [],
    text: random(8) === 0 ? '' : phrase(),
    status: 'sent',
    dedupeKey: newId(),
    done: 0,
    round: 1,
    recalledAt: random(10) === 0 ? new Date(at) : null,
    sentAt: new Date(at),
    createdAt: new Date(at),
  }) as unknown as Message

function conversation(contacts: readonly Contact[], at: number): Conversation {
  const status = one(['queued', 'open', 'closed', 'closed', 'closed'] as const)
  return {
    id: newId(),
    inboxId: one(inboxes),
    channel: one(channels),
    contactId: one(contacts).id,
    identityId: newId(),
    openIdentityId: null,
    status,
    assigneeId: maybe(agents),
    departmentId: maybe(departments),
    skillGroupId: maybe(groups),
    lastSeq: 0,
    messages: 0,
    rev: 1,
    agentReadSeq: 0,
    agentDeliveredSeq: 0,
    customerDeliveredSeq: 0,
    customerReadSeq: 0,
    unread: 0,
    preview: '',
    previewDirection: '',
    // Few different times, so that many are equal.
    lastMessageAt: new Date(at + random(4) * day),
    rating: maybe([1, 2, 3]),
    categoryId: maybe(categories),
    attachments: random(3) === 0 ? random(32) : 0,
    closeReason: status === 'closed' ? one(['agent', 'quiet']) : null,
    archivedAt: status === 'closed' && random(5) === 0 ? new Date(at) : null,
    deletedAt: random(8) === 0 ? new Date(at) : null,
    deletedById: maybe(agents),
    purgeAt: maybe([new Date(at), new Date('2999-01-01')]),
    createdAt: new Date(at),
    changedAt: new Date(at),
  } as unknown as Conversation
}

function makeData(): Data {
  const contacts = times(
    25,
    (i) =>
      ({
        id: newId(),
        number: 1_000 + i,
        wechat: one(['', 'Tea_House']),
        qq: one(['', '700000001']),
        address: one(['', '浙江省杭州市文三路 1 号']),
        nickname: one(['', '', 'VIP客户', '张三家']),
        remark: one(['', '老客，爱喝茶', '老客户的朋友', '加急']),
        name: one(['张三', '李四', 'Anna Li', '']),
        phone: one(['', '13800138000', '+86 139-1234-5678']),
        email: one(['', 'anna@example.cn']),
        attributes: {},
        createdAt: new Date(start),
        updatedAt: new Date(start),
      }) as unknown as Contact,
  )
  const conversations = times(140, () => conversation(contacts, start + random(30) * day + random(3) * 3_600_000))
  const messages: Message[] = []
  for (const _ of times(700, Number)) {
    const of = one(conversations)
    of.lastSeq += 1
    messages.push(message(of, of.lastSeq, of.createdAt.getTime() + of.lastSeq * 1_000))
  }
  const distinct = <T>(rows: T[], key: (row: T) => string): T[] => [...new Map(rows.map((row) => [key(row), row])).values()]
  const tagged = { byAgentId: null, createdAt: new Date(start) }
  return {
    conversations,
    messages,
    contacts,
    conversationTags: distinct(
      times(60, () => ({ conversationId: one(conversations).id, tagId: one(tags), ...tagged }) as ConversationTag),
      (row) => row.conversationId + row.tagId,
    ),
    contactTags: distinct(
      times(12, () => ({ contactId: one(contacts).id, tagId: one(tags), ...tagged }) as ContactTag),
      (row) => row.contactId + row.tagId,
    ),
    stars: distinct(
      times(40, () => ({ agentId: one(agents), conversationId: one(conversations).id, createdAt: new Date(start) }) as Star),
      (row) => row.agentId + row.conversationId,
    ),
    served: distinct(
      times(60, () => ({ conversationId: one(conversations).id, agentId: one(agents) }) as ConversationAgent),
      (row) => row.conversationId + row.agentId,
    ),
    summaries: new Set(times(30, () => one(conversations).id)),
    brought: contacts.flatMap(({ id }) =>
      Object.entries(values).flatMap(([field, some]) => (random(2) === 0 ? [] : [{ contactId: id, field, value: one(some) }])),
    ),
  }
}

/** A tree of four: 0 above 1 above 2, and 3 beside. */
const parents = [null, 0, 1, null]
const below = (list: readonly string[], asked: readonly string[]): string[] =>
  list.filter((_, i) => {
    for (let at: number | null | undefined = i; at !== null && at !== undefined; at = parents[at]) if (asked.includes(list[at] as string)) return true
    return false
  })

interface Reader {
  actor: Actor
  reads(c: Conversation): boolean
  restores: boolean
  personal: boolean
}

const normal = (text: string): string => text.normalize('NFKC').toLowerCase()

const personalOf: Record<string, string> = { 'notes.line': 'phone', 'hub.memo': '' }
const own = ['name', 'phone', 'email', 'wechat', 'qq', 'address'] as const
/** Asks for a customer's field that this reader may not see, or for a value, a number or an address that they would see masked. */
const forbids = (reader: Reader, filter: RecordFilter): boolean =>
  !reader.personal &&
  ((filter.fields ?? []).some(({ name, value }) => own.includes(name as 'name') || personalOf[name] || maskText(reader.actor.ability, value) !== value) ||
    ['13800138000', 'anna@example.cn'].includes(filter.contact ?? ''))

function hasField(data: Data, reader: Reader, contact: Contact, name: string, value: string): boolean {
  const digits = (text: string) => text.replace(/\D/g, '').replace(/^86/, '')
  if (name === 'phone') return digits(contact.phone) === digits(value)
  if (own.includes(name as 'name')) return contact[name as 'name'].toLowerCase() === value.toLowerCase()
  if (name !== 'nickname' && name !== 'remark') return data.brought.some((row) => row.contactId === contact.id && row.field === name && row.value === value)
  return reader.personal ? contact[name].toLowerCase().startsWith(value.toLowerCase()) : contact[name] === value
}

/** Rows in the order of the list. */
function naive(data: Data, reader: Reader, filter: RecordFilter): Conversation[] {
  const some = <T>(list: readonly T[] | undefined): list is readonly T[] => list !== undefined && list.length > 0
  const status: readonly RecordStatus[] = some(filter.status) ? filter.status : ['open', 'closed']
  const by = filter.by ?? 'lastMessageAt'
  const at = (c: Conversation): Date => c[by === 'messageAt' ? 'createdAt' : by] as Date
  const spoken = data.messages.filter(
    ({ direction, createdAt }) =>
      (direction === 'in' || direction === 'out') && (!filter.from || createdAt >= new Date(filter.from)) && (!filter.to || createdAt < new Date(filter.to)),
  )
  const spokenIn = new Set(spoken.map(({ conversationId }) => conversationId))
  const words =
    filter.match === 'exact'
      ? []
      : normal(filter.keyword?.trim() ?? '')
          .split(/\s+/)
          .filter(Boolean)
  const typed = filter.keyword?.trim() ?? ''
  const newest = new Map<string, string>()
  for (const m of data.messages) {
    if (m.direction === 'system' || m.recalledAt) continue
    // As this reader sees it.
    const text = maskText(reader.actor.ability, m.text)
    const hit = filter.match === 'exact' ? text.includes(typed) : words.every((word) => normal(text).includes(word))
    if (hit && (newest.get(m.conversationId) ?? '') < m.id) newest.set(m.conversationId, m.id)
  }
  const rating = (value: number | null | undefined) => (['none', 'good', 'medium', 'bad'] as const)[value ?? 0] as 'none'
  const who = filter.contact?.trim()
  const rows = data.conversations.filter((c) => {
    const contact = data.contacts.find((one) => one.id === c.contactId) as Contact
    const begins = (text: string) => text !== '' && text.toLowerCase().startsWith(who?.toLowerCase() ?? '')
    return (
      reader.reads(c) &&
      status.includes(recordStatus(c)) &&
      (!c.deletedAt || (reader.restores && !(c.purgeAt && c.purgeAt <= new Date()))) &&
      (by !== 'deletedAt' || c.deletedAt instanceof Date) &&
      (!some(filter.deletedByIds) || filter.deletedByIds.includes(c.deletedById ?? '')) &&
      (by === 'messageAt'
        ? (!filter.from && !filter.to) || spokenIn.has(c.id)
        : (!filter.from || at(c) >= new Date(filter.from)) && (!filter.to || at(c) < new Date(filter.to))) &&
      (!some(filter.channels) || filter.channels.includes(c.channel)) &&
      (!some(filter.inboxIds) || filter.inboxIds.includes(c.inboxId)) &&
      (!some(filter.agentIds) || filter.agentIds.includes(c.assigneeId ?? '')) &&
      (!some(filter.servedByIds) ||
        filter.servedByIds.includes(c.assigneeId ?? '') ||
        data.served.some((row) => row.conversationId === c.id && filter.servedByIds?.includes(row.agentId))) &&
      (!some(filter.departmentIds) || below(departments, filter.departmentIds).includes(c.departmentId ?? '')) &&
      (!some(filter.skillGroupIds) || filter.skillGroupIds.includes(c.skillGroupId ?? '')) &&
      (!some(filter.categoryIds) || (c.categoryId ? below(categories, filter.categoryIds).includes(c.categoryId) : filter.categoryIds.includes('none'))) &&
      (!some(filter.ratings) || filter.ratings.includes(rating(c.rating))) &&
      (!some(filter.attachments) || filter.attachments.some((kind) => (c.attachments & attachmentBits[kind]) !== 0)) &&
      (filter.starred === undefined || data.stars.some((s) => s.conversationId === c.id && s.agentId === reader.actor.agent.id) === filter.starred) &&
      (filter.opened === undefined || (c.closeReason !== 'quiet') === filter.opened) &&
      (filter.summary === undefined || data.summaries.has(c.id) === (filter.summary === 'written')) &&
      (!some(filter.tagIds) ||
        data.conversationTags.some((t) => t.conversationId === c.id && filter.tagIds?.includes(t.tagId)) ||
        data.contactTags.some((t) => t.contactId === c.contactId && filter.tagIds?.includes(t.tagId))) &&
      (filter.fields ?? []).every(({ name, value }) => hasField(data, reader, contact, name, value)) &&
      (!filter.contactId || c.contactId === filter.contactId) &&
      (!who ||
        String(contact.number) === who.replace('#', '') ||
        begins(contact.nickname) ||
        (reader.personal &&
          ((contact.name !== '' && contact.name.toLowerCase() === who.toLowerCase()) ||
            (contact.phone !== '' && contact.phone === who) ||
            (contact.email !== '' && contact.email === who.toLowerCase())))) &&
      (typed === '' || newest.has(c.id))
    )
  })
  const key = (c: Conversation) => (typed === '' ? String(at(c).getTime()).padStart(15, '0') + c.id : (newest.get(c.id) as string))
  return rows.sort((a, b) => (key(a) < key(b) ? 1 : -1))
}

/** As the reports' keeper would. */
async function keepTalks(world: World, messages: readonly Message[]): Promise<void> {
  const insert = world.hub.dialect === 'sqlite' ? 'insert or ignore' : 'insert ignore'
  for (const { conversationId, createdAt, direction } of messages)
    if (direction === 'in' || direction === 'out')
      await world.hub.em().execute(`${insert} into report_talk (at, conversation_id) values (?, ?)`, [slotOf(createdAt), conversationId])
}

async function store(world: World, data: Data): Promise<void> {
  // The hub's own purge runs behind, late on a busy machine: somebody else has its turn as long as this lasts.
  await world.hub.em().upsert(Lease, { name: 'purge', holder: newId(), until: new Date('2999-01-01') })
  const em = world.hub.em()
  await insertRows(em, Contact, data.contacts)
  await insertRows(em, Conversation, data.conversations)
  await insertRows(em, Message, data.messages)
  await keepTalks(world, data.messages)
  await em.insertMany(ConversationTag, data.conversationTags)
  await em.insertMany(ContactTag, data.contactTags)
  await em.insertMany(Star, data.stars)
  await em.insertMany(ConversationAgent, data.served)
  await em.insertMany(
    ContactField,
    data.brought.map((row) => ({ ...row, source: '', byAgentId: null, updatedAt: new Date(start) })),
  )
  await writeCustomFields(em, { fields: custom })
  await em.insertMany(
    ConversationSummary,
    [...data.summaries].map((conversationId) => ({ conversationId, answers: {}, updatedById: null, updatedAt: new Date(start) })),
  )
  for (const [name, list] of [
    ['department', departments],
    ['category', categories],
  ] as const)
    for (const [i, id] of list.entries()) {
      const parentId = parents[i] === null || parents[i] === undefined ? null : (list[parents[i]] as string)
      if (name === 'department') await em.insert(Department, { id, parentId, name: `部门${i}`, createdAt: new Date(start) })
      else await em.insert(Category, { id, parentId: parentId ?? '', name: `类${i}`, position: 0, retiredAt: null, createdAt: new Date(start) })
    }
}

async function readers(world: World): Promise<Reader[]> {
  const em = world.hub.em()
  const roles = await em.find(Role, {}, { disableIdentityMap: true })
  const rows = await em.find(Department, {}, { disableIdentityMap: true })
  const made = (i: number, role: string, reads: Reader['reads'], more: Partial<Reader> = {}): Reader => {
    const agent = newAgent({ email: `${newId()}@test.cn`, name: role, id: agents[i] as string, departmentId: departments[1] as string }) as Agent
    const own = roles.filter((one) => one.builtin === role)
    const shown =
      more.personal === false ? own.map((one) => ({ ...one, grants: one.grants.filter((grant) => grant.permission !== 'contact.personal') }) as Role) : own
    return { actor: { ...accessOf(agent, shown, rows), sessionId: null, tokenId: null, preview: null }, reads, restores: false, personal: true, ...more }
  }
  const tree = below(departments, [departments[1] as string])
  const queue = (c: Conversation) => c.status === 'queued' && (!c.departmentId || tree.includes(c.departmentId))
  return [
    made(0, 'owner', () => true, { restores: true }),
    made(1, 'admin', () => true, { restores: true }),
    made(2, 'supervisor', (c) => c.assigneeId === agents[2] || tree.includes(c.departmentId ?? '') || queue(c), { personal: false }),
    made(3, 'agent', (c) => c.assigneeId === agents[3] || queue(c)),
  ]
}

const subset = <T>(values: readonly T[], most = 2) => fc.option(fc.subarray([...values], { minLength: 0, maxLength: most }), { nil: undefined, freq: 1 })
const perhaps = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 1 })
const instant = fc.integer({ min: 0, max: 34 }).map((days) => new Date(start + days * day).toISOString())
const rarely = <T>(arbitrary: fc.Arbitrary<T | undefined>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const keywords = [
  '退款',
  '退',
  '款 的',
  'iphone',
  'IPHONE 15',
  '好的',
  '😀',
  'a12',
  '138001',
  '13800138000',
  '没有这个词',
  '100%',
  'x_',
  '*',
  '退货 iphone 的',
  "o'",
  '株',
  '(',
  '\\',
]

/** Conditions on customers' fields. */
const conditions = [
  ...Object.entries(values).flatMap(([name, some]) => some.map((value) => ({ name, value }))),
  { name: 'name', value: '张三' },
  { name: 'phone', value: '13912345678' },
  { name: 'email', value: 'Anna@example.cn' },
  { name: 'wechat', value: 'tea_house' },
  { name: 'qq', value: '700000001' },
  { name: 'address', value: '浙江省杭州市文三路 1 号' },
  { name: 'nickname', value: 'vip' },
  { name: 'remark', value: '老客' },
  { name: 'remark', value: '加急' },
]

const filters = (data: Data): fc.Arbitrary<RecordFilter> =>
  fc
    .record({
      from: rarely(perhaps(instant)),
      to: rarely(perhaps(instant)),
      by: rarely(perhaps(fc.constantFrom('lastMessageAt' as const, 'createdAt' as const, 'messageAt' as const, 'deletedAt' as const))),
      channels: rarely(subset(channels)),
      inboxIds: rarely(subset(inboxes)),
      agentIds: rarely(subset(agents)),
      servedByIds: rarely(subset(agents)),
      departmentIds: rarely(subset(departments)),
      skillGroupIds: rarely(subset(groups)),
      status: rarely(subset(['open', 'closed', 'archived', 'deleted'] as const, 4)),
      tagIds: rarely(subset(tags)),
      categoryIds: rarely(subset([...categories, 'none'])),
      ratings: rarely(subset(['good', 'medium', 'bad', 'none'] as const)),
      attachments: rarely(subset(['image', 'file', 'voice', 'video', 'link'] as const)),
      deletedByIds: rarely(subset(agents)),
      starred: rarely(perhaps(fc.boolean())),
      opened: rarely(perhaps(fc.boolean())),
      summary: rarely(perhaps(fc.constantFrom('written' as const, 'missing' as const))),
      fields: rarely(subset(conditions)),
      contactId: rarely(perhaps(fc.constantFrom(...data.contacts.slice(0, 5).map((contact) => contact.id)))),
      contact: rarely(perhaps(fc.constantFrom('张', '张三', 'anna', 'VIP', '#1003', '13800138000', 'anna@example.cn', 'nobody'))),
      keyword: fc.oneof(fc.constant(undefined), fc.constantFrom(...keywords)),
      match: fc.constantFrom(undefined, 'fuzzy' as const, 'exact' as const),
    })
    .map((filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as RecordFilter)

await onEveryProfile('finding records, generated', [found(notes)], (world) => {
  test('the list, its order, its pages and its count are the naive ones, while others write', async () => {
    const data = makeData()
    await store(world(), data)
    const who = await readers(world())
    const { hub } = world()
    const em = hub.em()
    const sizes = { small: 16, large: 128, quietMs: 0 }
    const waitMs = Number.POSITIVE_INFINITY
    /** As if there were thousands: the walks take several pieces, few things are few. */
    const tiny = { fewRows: 12, crossRows: 12, fewTalks: 6, firstPiece: 8, longestPiece: 32, trustMs: 0 }

    /** Somebody writes: a new conversation, or a new message in one that the list has passed. */
    const write = async (passed: readonly string[], anywhere: boolean) => {
      const at = start + 60 * day
      const isNew = random(2) === 0
      const pool = anywhere ? data.conversations : data.conversations.filter((c) => passed.includes(c.id))
      const into = isNew || pool.length === 0 ? conversation(data.contacts, at) : one(pool)
      if (!data.conversations.includes(into)) {
        data.conversations.push(into)
        await insertRows(em, Conversation, [into])
      }
      into.lastSeq += 1
      const added = message(into, into.lastSeq, at)
      data.messages.push(added)
      await insertRows(em, Message, [added])
      await keepTalks(world(), [added])
      if (!anywhere) into.lastMessageAt = new Date(at + 4 * day)
      await em.nativeUpdate(Conversation, { id: into.id }, { lastSeq: into.lastSeq, lastMessageAt: into.lastMessageAt })
    }

    let turn = 0
    await fc.assert(
      fc.asyncProperty(
        filters(data),
        fc.constantFrom(...who),
        fc.integer({ min: 3, max: 40 }),
        fc.boolean(),
        fc.constantFrom(usualSizes, tiny),
        async (filter, reader, limit, busy, listSizes) => {
          // By then all there is lies in the index, however slow the machine; before, some of it.
          if (++turn === 20) await indexMessages(hub, { until: performance.now() + 20_000 }, sizes)
          if (forbids(reader, filter)) {
            for (const ask of [findRecords, countMatching]) await assert.rejects(ask(hub, reader.actor, filter, { tz: 'UTC' }), { code: 'HUB_FORBIDDEN' })
            return
          }
          // As it is when the first page is asked for; what is written later is not in it.
          const expected = naive(data, reader, filter).map((c) => c.id)
          const count = await countMatching(hub, reader.actor, filter, { tz: 'UTC', waitMs, sizes: listSizes })
          assert.deepEqual(count, { count: expected.length, more: false })
          const given: string[] = []
          let cursor: string | null = null
          do {
            const page = await findRecords(hub, reader.actor, filter, { tz: 'UTC', cursor, limit, waitMs, sizes: listSizes })
            given.push(...page.items.map((row) => row.id))
            assert.equal(page.partial, false)
            if (filter.keyword)
              for (const row of page.items) assert.ok(row.hits.length > 0 && row.hits.every((hit) => hit.marks.length > 0), JSON.stringify(row.hits))
            cursor = page.cursor
            if (busy && cursor) await write(given, filter.keyword !== undefined)
            if (busy && random(4) === 0) await indexMessages(hub, { until: performance.now() + 30 }, sizes)
          } while (cursor)
          assert.deepEqual(given, expected)
          if (!busy) {
            const all: string[] = []
            for await (const page of recordsMatching(hub, reader.actor, filter, { tz: 'UTC' })) all.push(...page)
            assert.deepEqual(all, expected)
          }
        },
      ),
      { seed: 4, numRuns: 50 },
    )
    const [held] = (await em.execute("select coalesce(sum(messages), 0) as n from search_block where state = 'live'")) as { n: number }[]
    assert.ok(Number(held?.n) >= sizes.large, `${held?.n} messages lie in the index`)
  })
  test('no statement goes through a whole table', async () => {
    const { hub } = world()
    const [reader] = await readers(world())
    const statements: [text: string, params: readonly unknown[]][] = []
    const watched = {
      kernel: hub.kernel,
      em: () => {
        const em = hub.em()
        const execute = em.execute.bind(em) as (text: string, params?: unknown[]) => Promise<unknown>
        em.execute = ((text: string, params: unknown[] = []) => {
          statements.push([text, params])
          return execute(text, params)
        }) as typeof em.execute
        return em
      },
    } as unknown as typeof hub
    const data: Pick<Data, 'contacts'> = { contacts: [{ id: newId() }, { id: newId() }, { id: newId() }, { id: newId() }, { id: newId() }] as Contact[] }
    // Lists that nothing leads, and lists that something does.
    for (const sizes of [usualSizes, { fewRows: 0, crossRows: 12, fewTalks: 0, firstPiece: 8, longestPiece: 32, trustMs: 0 }])
      for (const filter of fc.sample(filters(data as Data), { seed: 11, numRuns: 15 })) {
        const { cursor } = await findRecords(watched, (reader as Reader).actor, filter, { tz: 'UTC', limit: 3, sizes })
        if (cursor) await findRecords(watched, (reader as Reader).actor, filter, { tz: 'UTC', limit: 3, cursor, sizes })
        await countMatching(watched, (reader as Reader).actor, filter, { tz: 'UTC', sizes })
      }
    assert.ok(statements.length > 200)
    const em = hub.em()
    for (const [text, params] of new Map(statements.map((one) => [one[0], one])).values()) {
      if (world().hub.dialect === 'sqlite') {
        const plan = (await em.execute(`explain query plan ${text}`, [...params])) as { detail: string }[]
        const whole = plan.filter(
          ({ detail }) => /^SCAN (c|m|k|t|s|b|g|h|conversation|message|contact|contact_field|conversation_agent)\b/.test(detail) && !detail.includes('INDEX'),
        )
        assert.deepEqual(whole, [], text)
      } else {
        const plan = (await em.execute(`explain ${text}`, [...params])) as { table: string | null; type: string | null }[]
        // A table of a hundred rows is no proof; that the walks take the index they are told to is.
        if (text.includes('force index'))
          assert.deepEqual(
            plan.filter(({ table, type }) => table === 'c' && type === 'ALL'),
            [],
            text,
          )
      }
    }
  })
})
