/** The customer's side of the hub: their thread, their files, their visit. Implements `sdk/desk.ts`. */
import { createHash } from 'node:crypto'
import type { CustomerRef, Desk, VisitBeat } from '../../../sdk/desk.ts'
import { HubError } from '../../../sdk/errors.ts'
import { textOf } from '../../../sdk/message-parts.ts'
import type { CustomerMessage, CustomerQuote, CustomerThread } from '../../../sdk/wire/customer.ts'
import { decodeCursor, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { isThere } from '../agent/agent.present.ts'
import { BlockList } from '../contact/blocked.ts'
import type { Identity } from '../contact/contact.entity.ts'
import { findIdentity } from '../contact/external-id.ts'
import { isFormer, knownAs } from '../contact/known-as.ts'
import { saidOf } from '../contact/refresh-profile.ts'
import { changeConversation, changesPage } from '../conversation/change.ts'
import { closeConversation } from '../conversation/close-conversation.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { firstWords, shownPart } from '../conversation/conversation.present.ts'
import { visibilityOf } from '../conversation/visibility.ts'
import { StoredFile } from '../file/file.entity.ts'
import { openStored } from '../file/send-file.ts'
import { stillCarried } from '../file/still-carried.ts'
import { partOf, storeFile } from '../file/store-file.ts'
import { Message } from '../message/message.entity.ts'
import { Visit } from '../visit/visit.entity.ts'
import { attendanceOf } from './attendance.ts'

/** Who brought a file, before there is an identity row: one word for an inbox and an external id. */
export const customerKey = ({ inboxId, externalId }: CustomerRef): string =>
  `c:${createHash('sha256').update(`${inboxId}\n${externalId}`).digest('hex').slice(0, 36)}`

/** Most pages kept of one visit. */
const maxPages = 100

export function createDesk(hub: Hub): Desk {
  const attendance = attendanceOf(hub)
  const blockList = new BlockList(hub)
  const identityOf = (em: Em, customer: CustomerRef) => findIdentity(hub, em, customer)

  return {
    async thread(customer, { cursor, before, limit = 30 }) {
      const em = hub.em()
      const identity = await identityOf(em, customer)
      if (!identity && (await isFormer(hub, em, customer))) throw new HubError('HUB_AUTH_REQUIRED', 'This customer is known by another name now')
      const current = identity && (await currentConversation(em, identity.id))
      if (!identity || !current) return { messages: [], cursor: '', more: false, conversation: null }
      if (cursor) return changedSince(em, identity, current, cursor, Math.max(limit, changesPage))
      const [beforeId] = before ? decodeCursor(before, 'word') : []
      // Before the messages: what changes meanwhile is read again.
      const ended = await endedBefore(em, current)
      const rows = await newestMessages(em, identity.id, beforeId, limit + 1)
      return {
        messages: await present(em, rows.slice(0, limit).reverse()),
        cursor: cursorOf(current.id, current.rev, ended),
        more: rows.length > limit,
        conversation: await presentCurrent(em, identity, current),
      }
    },

    async typing(customer, text) {
      const em = hub.em()
      const identity = await identityOf(em, customer)
      const open = identity && (await em.findOne(Conversation, { openIdentityId: identity.id }, { disableIdentityMap: true }))
      if (!open) return
      hub.bus.publish('ephemeral', {
        conversationId: open.id,
        visibility: visibilityOf(open),
        kind: 'typing',
        agentId: null,
        active: text !== null,
        text: (text ?? '').slice(0, 2_000),
      })
    },

    beat: (inboxId, beat) => beatVisit(hub, inboxId, beat),

    spoke: ({ inboxId, externalId }, visitId) => markSpoken(hub, inboxId, externalId, visitId),

    attended: (inboxId) => attendance.of(inboxId),

    refused: (inboxId, externalId, ip) => blockList.refuses(inboxId, externalId, ip),

    async storeFile(customer, upload) {
      const file = await storeFile(hub, { ...upload, uploadedBy: customerKey(customer) })
      return partOf(file, { durationMs: upload.durationMs })
    },

    async openFile(customer, fileId, thumbnail, asked = {}) {
      const em = hub.em()
      const file = await em.findOne(StoredFile, { id: fileId }, { disableIdentityMap: true })
      if (!file) return undefined
      const own = file.uploadedBy === customerKey(customer)
      if (!own || file.conversationId) {
        // What was said by a name that is used up is opened by it no more, not even by who brought it.
        const identity = await identityOf(em, customer)
        if (!identity) return undefined
        if (!own && !(await reads(em, identity, file))) return undefined
      }
      return openStored(hub, file, thumbnail, asked)
    },

    async rate(customer, conversationId, rating, comment) {
      const em = hub.em()
      const identity = await identityOf(em, customer)
      const found = identity && (await em.findOne(Conversation, { id: conversationId, identityId: identity.id }, { fields: ['id'], disableIdentityMap: true }))
      if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
      const ratingComment = comment.slice(0, 500)
      await changeConversation(hub, conversationId, async (change) => {
        const { conversation } = change
        if (conversation.status !== 'closed') throw new HubError('HUB_CONFLICT', 'This conversation has not ended')
        if (conversation.rating === rating && conversation.ratingComment === ratingComment) return false
        Object.assign(conversation, { rating, ratingComment })
        change.line('conversation.rated', { rating, comment: ratingComment })
        return true
      })
    },

    async close(customer) {
      const em = hub.em()
      const identity = await identityOf(em, customer)
      const open = identity && (await em.findOne(Conversation, { openIdentityId: identity.id }, { fields: ['id'], disableIdentityMap: true }))
      if (open) await closeConversation(hub, open.id, 'customer', null)
    },

    knownAs: (customer, as, account = '') => knownAs(hub, customer, as, account.slice(0, 190)),
  }
}

/** Is the file in a message of theirs, or to them? A picture in a colleagues' note is not the customer's. */
async function reads(em: Em, { id: identityId }: Identity, file: StoredFile): Promise<boolean> {
  const id = file.conversationId
  const theirs = id && (await em.count(Conversation, { id, identityId })) > 0
  return theirs ? stillCarried(em, id, file, ['in', 'out']) : false
}

/** The open one: what a stranger said who signed in meanwhile may have begun after it. */
const currentConversation = async (em: Em, identityId: string) =>
  (await em.findOne(Conversation, { openIdentityId: identityId }, { disableIdentityMap: true })) ??
  (await em.findOne(Conversation, { identityId }, { orderBy: { createdAt: 'desc' }, disableIdentityMap: true }))

/** Conversations asked for their messages in one go. */
const conversationsAtOnce = 50

/**
 * Over all conversations of a person, newest first: their ids sort by time. Conversations are asked in the order they
 * changed, until those that are left can hold nothing newer than what there is.
 */
async function newestMessages(em: Em, identityId: string, beforeId: string | undefined, count: number): Promise<Message[]> {
  let newest: Message[] = []
  for (let offset = 0; ; offset += conversationsAtOnce) {
    const conversations = await em.find(
      Conversation,
      { identityId },
      { orderBy: { changedAt: 'desc', id: 'desc' }, limit: conversationsAtOnce, offset, fields: ['id', 'changedAt'], disableIdentityMap: true },
    )
    const [next] = conversations
    const last = newest[count - 1]
    if (!next || (last && next.changedAt < last.createdAt)) return newest
    const found = await em.find(
      Message,
      { conversationId: { $in: conversations.map(({ id }) => id) }, direction: { $ne: 'note' }, ...(beforeId ? { id: { $lt: beforeId } } : {}) },
      { orderBy: { id: 'desc' }, limit: count, disableIdentityMap: true },
    )
    newest = [...newest, ...found].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, count)
    if (conversations.length < conversationsAtOnce) return newest
  }
}

/** Somebody long away may have missed more than one. */
const followingConversation = (em: Em, { identityId, createdAt }: Conversation) =>
  em.findOne(Conversation, { identityId, createdAt: { $gt: createdAt } }, { orderBy: { createdAt: 'asc' }, fields: ['id'], disableIdentityMap: true })

/** An answer can be taken back after the end: so many conversations before the newest one are looked at for changes too. */
const endedFollowed = 3

/** How far a conversation is known. */
interface Known {
  id: string
  rev: number
}
const endedBefore = (em: Em, { id, identityId }: Conversation): Promise<Known[]> =>
  em.find(
    Conversation,
    { identityId, id: { $ne: id } },
    { orderBy: { createdAt: 'desc' }, limit: endedFollowed, fields: ['id', 'rev'], disableIdentityMap: true },
  )

const cursorOf = (id: string, rev: number, ended: readonly Known[]): string =>
  encodeCursor([
    id,
    rev,
    ended
      .slice(0, endedFollowed)
      .map((one) => `${one.id}:${one.rev}`)
      .join(' '),
  ])

function readCursor(cursor: string): Known & { ended: Known[] } {
  const [id, rev, words] = decodeCursor(cursor, 'word', 'number', 'word')
  const ended = words.split(' ').filter(Boolean)
  return { id, rev, ended: ended.slice(0, endedFollowed).map((word) => ({ id: word.split(':')[0] ?? '', rev: Number(word.split(':')[1]) || 0 })) }
}

/** Messages after a revision of a conversation that is at `now`, and from where the next page goes on. */
async function changesAfter(em: Em, { id, rev }: Known, now: number, limit: number): Promise<{ messages: Message[]; next: number; more: boolean }> {
  const found = await em.find(
    Message,
    { conversationId: id, rev: { $gt: rev } },
    { orderBy: [{ rev: 'asc' }, { seq: 'asc' }], limit: limit + 1, disableIdentityMap: true },
  )
  const messages = found.slice(0, limit)
  const more = found.length > limit
  // A revision can carry several messages: go on before the last one seen.
  return { messages, more, next: more ? Math.max(rev, (messages.at(-1)?.rev ?? 1) - 1) : now }
}

/** What changed in the cursor's conversation and in those that ended before it, then all of those after it. */
async function changedSince(em: Em, identity: Identity, current: Conversation, cursor: string, limit: number): Promise<CustomerThread> {
  const from = readCursor(cursor)
  const known = await em.findOne(Conversation, { id: from.id, identityId: identity.id }, { disableIdentityMap: true })
  if (!known) throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
  const page = await changesAfter(em, from, known.rev, limit)
  const { messages } = page
  let { more } = page
  const ended = new Map(from.ended.map((one) => [one.id, one.rev]))
  const now =
    ended.size > 0
      ? await em.find(Conversation, { id: { $in: [...ended.keys()] }, identityId: identity.id }, { fields: ['id', 'rev'], disableIdentityMap: true })
      : []
  for (const { id, rev } of now) {
    const before = ended.get(id) ?? 0
    if (rev <= before) continue
    const changed = await changesAfter(em, { id, rev: before }, rev, limit)
    messages.push(...changed.messages)
    more ||= changed.more
    ended.set(id, changed.next)
  }
  const kept = [...ended].map(([id, rev]) => ({ id, rev }))
  const following = page.more || known.id === current.id ? null : await followingConversation(em, known)
  return {
    messages: await present(
      em,
      messages.filter((message) => message.direction !== 'note'),
    ),
    cursor: following ? cursorOf(following.id, 0, [{ id: known.id, rev: known.rev }, ...kept]) : cursorOf(known.id, page.next, kept),
    more: more || known.id !== current.id,
    conversation: await presentCurrent(em, identity, current),
  }
}

async function namesOf(em: Em, ids: readonly (string | null | undefined)[]): Promise<Map<string, string>> {
  const wanted = [...new Set(ids.filter((id): id is string => typeof id === 'string'))]
  if (wanted.length === 0) return new Map()
  const agents = await em.find(Agent, { id: { $in: wanted } }, { fields: ['id', 'name', 'displayName'], disableIdentityMap: true })
  return new Map(agents.map((agent) => [agent.id, agent.displayName || agent.name]))
}

const asSeen = ['name', 'displayName', 'active', 'presence', 'seenAt'] as const

async function presentCurrent(em: Em, { profile }: Identity, conversation: Conversation): Promise<CustomerThread['conversation']> {
  const { assigneeId } = conversation
  const agent = assigneeId ? await em.findOne(Agent, { id: assigneeId }, { fields: [...asSeen], disableIdentityMap: true }) : null
  const said = saidOf([profile])
  return {
    id: conversation.id,
    status: conversation.status,
    agentName: agent ? agent.displayName || agent.name : '',
    agentPresent: agent?.active === true && isThere(agent),
    reachable: Boolean(said.phone || said.email),
    agentReadSeq: conversation.agentReadSeq,
    agentDeliveredSeq: conversation.agentDeliveredSeq,
    rating: conversation.rating ?? null,
  }
}

/** Lines of the system that concern the customer; who was given what is the house's business. */
const shownLines = new Set(['conversation.closed', 'conversation.rated'])

async function present(em: Em, messages: readonly Message[]): Promise<CustomerMessage[]> {
  const shown = messages.filter(
    (message) =>
      message.direction === 'in' ||
      message.direction === 'out' ||
      message.parts.some((part) => part.type === 'event' && shownLines.has(part.name) && part.params?.reason !== 'joined'),
  )
  const names = await namesOf(
    em,
    shown.map((message) => (message.direction === 'out' ? message.authorId : null)),
  )
  const quotes = await quotesOf(em, shown)
  return shown.map((message) => ({
    id: message.id,
    conversationId: message.conversationId,
    seq: message.seq,
    rev: message.rev,
    from: message.direction === 'in' ? ('me' as const) : message.direction === 'out' ? ('agent' as const) : ('system' as const),
    name: names.get(message.authorId ?? '') ?? '',
    parts: message.recalledAt ? [] : message.parts.map((part) => (part.type === 'event' ? { type: 'event' as const, name: part.name } : shownPart(part))),
    recalled: message.recalledAt !== null && message.recalledAt !== undefined,
    quote: quotes.get(message.id) ?? null,
    clientId: message.direction === 'in' ? message.dedupeKey.slice(3) : null,
    at: message.createdAt.toISOString(),
  }))
}

/** By the message that quotes. Only within the conversation: nobody is shown another's words, nor what stays among colleagues. */
async function quotesOf(em: Em, messages: readonly Message[]): Promise<Map<string, CustomerQuote>> {
  const answers = messages.filter(({ replyToId, recalledAt }) => replyToId && !recalledAt)
  if (answers.length === 0) return new Map()
  const ids = answers.map(({ replyToId }) => replyToId ?? '')
  const quotable = { id: { $in: ids }, direction: { $in: ['in' as const, 'out' as const] }, recalledAt: null }
  const fields = ['id', 'conversationId', 'direction', 'parts'] as const
  const quoted = new Map((await em.find(Message, quotable, { fields, disableIdentityMap: true })).map((row) => [row.id, row]))
  return new Map(
    answers.flatMap(({ id, replyToId, conversationId }) => {
      const row = quoted.get(replyToId ?? '')
      if (row?.conversationId !== conversationId) return []
      const [first] = row.parts
      const kind = first?.type === 'remote' ? first.as : (first?.type ?? 'unsupported')
      return [[id, { id: row.id, from: row.direction === 'in' ? ('me' as const) : ('agent' as const), text: firstWords(textOf(row.parts)), kind }]]
    }),
  )
}

async function beatVisit(hub: Hub, inboxId: string, beat: VisitBeat): Promise<void> {
  const em = hub.em()
  const now = new Date()
  const identity = beat.externalId ? await findIdentity(hub, em, { inboxId, externalId: beat.externalId }) : null
  const visit = await em.findOne(Visit, { id: beat.visitId }, { disableIdentityMap: true })
  const page = { url: beat.url.slice(0, 1_000), title: beat.title.slice(0, 200), at: now.toISOString() }
  const known = identity ? { identityId: identity.id, contactId: identity.contactId } : {}
  if (!visit) {
    await em.upsert(
      Visit,
      {
        id: beat.visitId,
        inboxId,
        identityId: identity?.id ?? null,
        contactId: identity?.contactId ?? null,
        ip: beat.ip,
        userAgent: beat.userAgent.slice(0, 255),
        referrer: beat.referrer.slice(0, 500),
        pages: [page],
        pageCount: 1,
        startedAt: now,
        seenAt: now,
        spokeAt: null,
      },
      { onConflictAction: 'ignore' },
    )
    tellVisit(hub, identity?.contactId)
    return
  }
  if (visit.inboxId !== inboxId) return
  const moved = visit.pages.at(-1)?.url !== page.url
  await em.nativeUpdate(
    Visit,
    { id: visit.id },
    { seenAt: now, ...known, ...(moved ? { pages: [...visit.pages, page].slice(-maxPages), pageCount: visit.pageCount + 1 } : {}) },
  )
  if (moved) tellVisit(hub, identity?.contactId ?? visit.contactId)
}

/** Those who show the visitors fetch them again, and those who show this one's contact that. */
function tellVisit(hub: Hub, contactId: string | null | undefined): void {
  hub.bus.publish('visitors.changed', {})
  if (contactId) hub.bus.publish('contact.changed', { contactId })
}

/** The visitor spoke: their visit leaves the silent list. */
async function markSpoken(hub: Hub, inboxId: string, externalId: string, visitId: string): Promise<void> {
  const em = hub.em()
  const identity = await findIdentity(hub, em, { inboxId, externalId })
  if (!identity) return
  const now = new Date()
  await em.nativeUpdate(Visit, { id: visitId, inboxId }, { identityId: identity.id, contactId: identity.contactId, spokeAt: now, seenAt: now })
  tellVisit(hub, identity.contactId)
}
