/** Conversations: lists, the gap after an absence, messages, and what an agent does with them. */

import { Type } from 'typebox'
import { draftWords, isNoDraft } from '../../../sdk/drafts.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { ListedConversations } from '../../../sdk/events.ts'
import { ComposablePart } from '../../../sdk/message-parts.ts'
import { Id, IdParams, Instant, NullableId, Ok, Page, PageQuery } from '../../../sdk/wire/common.ts'
import {
  ComposedLetter,
  ConversationGroup,
  ConversationSection,
  ConversationSort,
  DraftContent,
  GroupCounts,
  Letterhead,
  SectionBy,
  Conversation as WireConversation,
  Draft as WireDraft,
  Message as WireMessage,
} from '../../../sdk/wire/conversation.ts'
import { may, mayView } from '../../access/ability.ts'
import { starredWho } from '../../access/mask-text.ts'
import { whereAllowed } from '../../access/scope.ts'
import { decodeCursor, encodeCursor } from '../../db/keyset.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { resendMessage, stopMessage } from '../../pipeline/decide-send.ts'
import { fetchAgain } from '../../pipeline/fetch-remote.ts'
import { sendMessage } from '../../pipeline/outbound.ts'
import { notifyCustomer } from '../../realtime/notify-customer.ts'
import { Agent } from '../agent/agent.entity.ts'
import { effectivePresence } from '../agent/agent.present.ts'
import { whoMayServe } from '../assignment/may-serve.ts'
import { Contact } from '../contact/contact.entity.ts'
import { stillTheirs } from '../file/still-theirs.ts'
import { adapterOf, openInbox, withoutSecrets } from '../inbox/channels.ts'
import { Message } from '../message/message.entity.ts'
import { assignTo } from './assign-conversation.ts'
import { changeConversation, changesPage } from './change.ts'
import { closeConversation } from './close-conversation.ts'
import { Conversation, Draft, Star } from './conversation.entity.ts'
import { presentConversation, presentMessage } from './conversation.present.ts'
import { conversationFacts } from './facts.ts'
import { findByContact } from './find-by-contact.ts'
import { countGroup, countUnread, listConversations, listSections, tagsOf } from './list-conversations.ts'
import { recallMessage } from './recall-message.ts'
import { type Deed, tellOnce } from './tell-once.ts'

/** A change seen this long ago may have committed after a later one: ask again from before it. */
const overlapMs = 10_000
const marksPage = 500

const ListQuery = Type.Object({
  ...PageQuery.properties,
  group: Type.Optional(ConversationGroup),
  sort: Type.Optional(ConversationSort),
  /** One section of it: `key` as the sections say it, empty for those that have none. */
  by: Type.Optional(SectionBy),
  key: Type.Optional(Type.String({ maxLength: 40, pattern: '^[\\w-]*$' })),
})
const MessagesQuery = Type.Object({
  /** Older than this number, newest of them; or newer than it, oldest of them. */
  before: Type.Optional(Type.Integer({ minimum: 1 })),
  after: Type.Optional(Type.Integer({ minimum: 0 })),
  afterRev: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
})
const JumpQuery = Type.Object({ q: Type.String({ minLength: 1, maxLength: 60 }) })

/** The conversation, if it may be seen. What one may not see is not there: 404, so that ids cannot be probed. */
export async function findReadable(em: Em, actor: Actor, id: string): Promise<Conversation> {
  const conversation = await em.findOne(Conversation, { id }, { disableIdentityMap: true })
  if (!conversation || !may(actor.ability, 'read', conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
  return conversation
}

/** As {@link findReadable}, and for who may restore it also what lies in the recycle bin: to be looked at, no more. */
export async function findViewable(em: Em, actor: Actor, id: string): Promise<Conversation> {
  const conversation = await em.findOne(Conversation, { id }, { disableIdentityMap: true })
  if (!conversation || !mayView(actor.ability, conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
  return conversation
}

/** Those of these conversations that may be seen. */
async function readableAmong(em: Em, { ability }: Actor, ids: readonly string[]): Promise<string[]> {
  const where = whereAllowed(ability, 'read', 'conversation')
  if (!where || ids.length === 0) return []
  const rows = await em.find(Conversation, { $and: [{ id: { $in: [...ids] } }, where] }, { fields: ['id'], disableIdentityMap: true })
  return rows.map((row) => row.id)
}

export const viewOf = ({ agent }: Actor, conversationId: string): Deed => ({
  same: ['view', agent.id, conversationId],
  event: { name: 'record.viewed', data: { conversationId } },
})

/** Whoever holds a conversation works in it until it ends. */
export const worksIn = ({ agent }: Actor, { assigneeId, status }: Pick<Conversation, 'assigneeId' | 'status'>): boolean =>
  assigneeId === agent.id && status !== 'closed'

/** Everybody else who reads in it has viewed the record. */
export async function tellView(hub: Hub, actor: Actor, conversation: Conversation): Promise<void> {
  if (!worksIn(actor, conversation)) await tellOnce(hub, [viewOf(actor, conversation.id)])
}

/** Each row of a list has the last words. What waits for anybody is shown to all who may take it. */
async function tellListed(hub: Hub, actor: Actor, rows: readonly Conversation[], cursor: string | undefined, which: ListedConversations) {
  const shown = rows.filter((row) => row.status !== 'queued' && !worksIn(actor, row)).length
  if (shown === 0) return
  const data = { ...which, shown, ...(cursor === undefined ? {} : { further: true as const }) }
  await tellOnce(hub, [{ same: ['listed', actor.agent.id, JSON.stringify(which), cursor ?? ''], event: { name: 'conversation.listed', data } }])
}

export function conversationRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }
  /** What an agent marked and began to write is theirs, not a program's. */
  const personal = { access: 'person' as const }

  app.get('/api/conversations', { config, schema: { querystring: ListQuery, response: { 200: Page(WireConversation) } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const { group = 'mine', sort = 'message', by, key = '', cursor, limit = 50 } = request.query
    const section = by && { by, key: key === '' ? null : key }
    const page = await listConversations(em, actor, { group, sort, section, cursor, limit })
    const which = { group, ...(sort === 'message' ? {} : { sort }), ...(by ? { by, key } : {}) }
    await tellListed(hub, actor, page.rows, cursor, which)
    hub.delivered.fetched(actor, page.rows)
    return { items: await present(em, actor, page.rows), cursor: page.cursor }
  })

  const SectionsQuery = Type.Object({ group: Type.Optional(ConversationGroup), by: SectionBy })
  const Sections = Type.Object({ items: Type.Array(ConversationSection) })
  app.get('/api/conversations/sections', { config, schema: { querystring: SectionsQuery, response: { 200: Sections } } }, async (request) => {
    const { group = 'mine', by } = request.query
    return { items: await listSections(hub.em(), actorOf(request), group, by) }
  })

  // For a list in sections by tag: which tags these carry, or their contacts.
  const Tagged = Type.Object({ items: Type.Array(Type.Object({ id: Id, tagIds: Type.Array(Id) })) })
  const TagsBody = Type.Object({ ids: Type.Array(Id, { maxItems: 500 }) })
  app.post(
    '/api/conversations/tags',
    { config: { ...config, inPreview: true }, schema: { summary: 'List the tags of these conversations', body: TagsBody, response: { 200: Tagged } } },
    async (request) => ({
      items: await tagsOf(hub.em(), actorOf(request), request.body.ids),
    }),
  )

  app.get('/api/conversations/counts', { config, schema: { response: { 200: GroupCounts } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const count = (group: ConversationGroup) => countGroup(em, actor, group)
    return {
      mine: await count('mine'),
      queue: await count('queue'),
      open: await count('open'),
      starred: await count('starred'),
      unread: await countUnread(em, actor),
    }
  })

  // What an absent client missed: everything it may see that changed since, oldest change first.
  const ChangesQuery = Type.Object({ since: Instant, cursor: Type.Optional(Type.String({ maxLength: 200 })) })
  const Changes = Type.Object({ items: Type.Array(WireConversation), cursor: Type.Union([Type.String(), Type.Null()]), serverTime: Instant })
  app.get('/api/conversations/changes', { config, schema: { querystring: ChangesQuery, response: { 200: Changes } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const serverTime = new Date().toISOString()
    const where = whereAllowed(actor.ability, 'read', 'conversation')
    if (!where) return { items: [], cursor: null, serverTime }
    const since = new Date(new Date(request.query.since).getTime() - overlapMs)
    const [at = 0, id = ''] = request.query.cursor ? decodeCursor(request.query.cursor, 'time', 'word') : [since.getTime(), '']
    const rows = await em.find(
      Conversation,
      { $and: [where, { $or: [{ changedAt: { $gt: new Date(at) } }, { changedAt: new Date(at), id: { $gt: id } }] }] },
      { orderBy: [{ changedAt: 'asc' }, { id: 'asc' }], limit: 101, disableIdentityMap: true },
    )
    const page = rows.slice(0, 100)
    const last = page.at(-1)
    await tellListed(hub, actor, page, request.query.cursor, { group: 'changes', since: request.query.since })
    hub.delivered.fetched(actor, page)
    return { items: await present(em, actor, page), cursor: rows.length > 100 && last ? encodeCursor([last.changedAt.getTime(), last.id]) : null, serverTime }
  })

  // Which of these may still be seen: what was transferred away during an absence is in no list of changes.
  const Ids = Type.Object({ ids: Type.Array(Id, { maxItems: 500 }) })
  app.post(
    '/api/conversations/visible',
    { config: { ...config, inPreview: true }, schema: { summary: 'Tell which of these conversations may be seen', body: Ids, response: { 200: Ids } } },
    async (request) => ({ ids: await readableAmong(hub.em(), actorOf(request), request.body.ids) }),
  )

  // A jump by who it is: the contacts' names and numbers, never a field that the reader sees masked.
  app.get(
    '/api/conversations/jump',
    {
      config,
      schema: { summary: 'Find conversations to go to', querystring: JumpQuery, response: { 200: Type.Object({ items: Type.Array(WireConversation) }) } },
    },
    async (request) => {
      const actor = actorOf(request)
      const { q } = request.query
      const items = await present(hub.em(), actor, await findByContact(hub.em(), actor, q))
      const data = { words: starredWho(q.trim()), shown: items.length }
      await tellOnce(hub, [{ same: ['jump', actor.agent.id, q.trim()], event: { name: 'contact.searched', data } }])
      return { items }
    },
  )

  app.get('/api/conversations/:id', { config, schema: { params: IdParams, response: { 200: WireConversation } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const conversation = await findViewable(em, actor, request.params.id)
    await tellView(hub, actor, conversation)
    hub.delivered.fetched(actor, [conversation])
    return (await present(em, actor, [conversation]))[0] as WireConversation
  })

  const Messages = Type.Object({ items: Type.Array(WireMessage), rev: Type.Integer(), more: Type.Boolean() })
  app.get(
    '/api/conversations/:id/messages',
    { config, schema: { params: IdParams, querystring: MessagesQuery, response: { 200: Messages } } },
    async (request) => {
      const em = hub.em()
      const actor = actorOf(request)
      const shown = (message: Message) => presentMessage(actor, message)
      const conversation = await findViewable(em, actor, request.params.id)
      const { before, after, afterRev, limit = 50 } = request.query
      // Also of what is only caught up with: a client that says it has seen nothing yet is given everything.
      await tellView(hub, actor, conversation)
      const conversationId = conversation.id
      // `rev` is read before the messages: what changes in between is fetched again, never missed.
      if (afterRev !== undefined) {
        const size = Math.max(limit, changesPage)
        const rows = await em.find(
          Message,
          { conversationId, rev: { $gt: afterRev } },
          { orderBy: [{ rev: 'asc' }, { seq: 'asc' }], limit: size + 1, disableIdentityMap: true },
        )
        const page = rows.slice(0, size)
        // A revision can carry several messages: the next page starts again at the last one seen.
        const more = rows.length > size
        return { items: page.map(shown), rev: more ? Math.max(afterRev, (page.at(-1)?.rev ?? 1) - 1) : conversation.rev, more }
      }
      if (after !== undefined) {
        const rows = await em.find(Message, { conversationId, seq: { $gt: after } }, { orderBy: { seq: 'asc' }, limit: limit + 1, disableIdentityMap: true })
        return { items: rows.slice(0, limit).map(shown), rev: conversation.rev, more: rows.length > limit }
      }
      const rows = await em.find(
        Message,
        { conversationId, ...(before ? { seq: { $lt: before } } : {}) },
        { orderBy: { seq: 'desc' }, limit: limit + 1, disableIdentityMap: true },
      )
      return { items: rows.slice(0, limit).reverse().map(shown), rev: conversation.rev, more: rows.length > limit }
    },
  )

  const Send = Type.Object({
    clientId: Type.String({ minLength: 8, maxLength: 64, pattern: '^[\\w-]+$' }),
    parts: Type.Array(ComposablePart, { minItems: 1, maxItems: 10 }),
    meta: Type.Optional(ComposedLetter),
    note: Type.Optional(Type.Boolean()),
    replyToId: Type.Optional(NullableId),
  })
  app.post('/api/conversations/:id/messages', { config, schema: { params: IdParams, body: Send, response: { 201: WireMessage } } }, async (request, reply) => {
    const actor = actorOf(request)
    await findReadable(hub.em(), actor, request.params.id)
    const parts = request.body.parts.filter((part) => part.type !== 'text' || part.text.trim() !== '')
    if (parts.length === 0) throw new HubError('HUB_REQUEST_INVALID', 'The message is empty')
    const { message } = await sendMessage(hub, {
      conversationId: request.params.id,
      ...pick(request.body, ['clientId', 'meta', 'note', 'replyToId']),
      parts,
      agentId: actor.agent.id,
      allowed: (conversation) => may(actor.ability, 'reply', conversation),
      mayRead: (conversation) => may(actor.ability, 'read', conversation),
    })
    return reply.status(201).send(presentMessage(actor, message))
  })

  // What the channel will put around a letter that this agent writes here.
  app.get('/api/conversations/:id/letterhead', { config, schema: { params: IdParams, response: { 200: Letterhead } } }, async (request) => {
    const { ability, agent } = actorOf(request)
    const conversation = await findReadable(hub.em(), actorOf(request), request.params.id)
    if (!may(ability, 'reply', conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const inbox = await openInbox(hub, conversation.inboxId).catch(withoutSecrets)
    const letterhead = inbox && adapterOf(hub, inbox.channel)?.letterhead?.(inbox.forAdapter, agent.displayName || agent.name)
    if (!letterhead) throw new HubError('HUB_NOT_FOUND', 'This channel writes no letters')
    return { ...letterhead, own: [...letterhead.own] }
  })

  // One that is answered to but lies outside what a client holds.
  app.get('/api/messages/:id', { config, schema: { params: IdParams, response: { 200: WireMessage } } }, async (request) => {
    const em = hub.em()
    const message = await em.findOne(Message, { id: request.params.id }, { disableIdentityMap: true })
    if (!message) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
    const actor = actorOf(request)
    const conversation = await findViewable(em, actor, message.conversationId)
    await tellView(hub, actor, conversation)
    return presentMessage(actor, message)
  })

  app.post('/api/messages/:id/resend', { config, schema: { params: IdParams, response: { 200: WireMessage } } }, async (request) => {
    const actor = actorOf(request)
    return presentMessage(actor, await resendMessage(hub, request.params.id, (conversation) => may(actor.ability, 'reply', conversation)))
  })

  // It waits for its next try, perhaps for hours: an agent need not.
  app.post('/api/messages/:id/stop', { config, schema: { params: IdParams, response: { 200: WireMessage } } }, async (request) => {
    const actor = actorOf(request)
    return presentMessage(actor, await stopMessage(hub, request.params.id, (conversation) => may(actor.ability, 'reply', conversation)))
  })

  // Files that the platform kept and that could not be had: asked for once more.
  app.post('/api/messages/:id/fetch', { config, schema: { params: IdParams, response: { 200: WireMessage } } }, async (request) => {
    const actor = actorOf(request)
    return presentMessage(actor, await fetchAgain(hub, request.params.id, (conversation) => may(actor.ability, 'reply', conversation)))
  })

  app.post('/api/messages/:id/recall', { config, schema: { params: IdParams, response: { 200: WireMessage } } }, async (request) => {
    const actor = actorOf(request)
    return presentMessage(actor, await recallMessage(hub, request.params.id, actor.agent.id, (conversation) => may(actor.ability, 'reply', conversation)))
  })

  app.post(
    '/api/conversations/:id/read',
    {
      config,
      schema: { summary: 'Mark a conversation as read', params: IdParams, body: Type.Object({ seq: Type.Integer({ minimum: 0 }) }), response: { 200: Ok } },
    },
    async (request) => {
      const actor = actorOf(request)
      const found = await findReadable(hub.em(), actor, request.params.id)
      // Only the one who answers can have read it; a supervisor looking in leaves it unread.
      if (found.assigneeId === actor.agent.id && found.agentReadSeq < request.body.seq) {
        await changeConversation(hub, found.id, async (change, em) => {
          const seq = Math.min(request.body.seq, change.conversation.lastSeq)
          if (seq <= change.conversation.agentReadSeq) return false
          change.readUpTo(seq)
          if (seq < change.conversation.lastSeq) change.conversation.unread = Math.min(change.conversation.unread, change.conversation.lastSeq - seq)
          if (hub.kernel.listeners('message.read').length > 0) {
            const newest = await em.findOne(
              Message,
              { conversationId: found.id, seq: { $lte: seq }, direction: 'in' },
              { orderBy: { seq: 'desc' }, fields: ['dedupeKey'], disableIdentityMap: true },
            )
            const messageExternalId = newest?.dedupeKey.replace(/^in:/, '') ?? null
            change.event('message.read', () => ({
              conversation: conversationFacts(change.conversation),
              upToSeq: seq,
              messageExternalId,
              byAgentId: actor.agent.id,
            }))
          }
          return true
        })
        notifyCustomer(hub, found, { kind: 'read', seq: request.body.seq })
      }
      return { ok: true as const }
    },
  )

  app.post('/api/conversations/:id/take', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    await findReadable(hub.em(), actor, request.params.id)
    await changeConversation(hub, request.params.id, async (change, em) => {
      if (change.conversation.assigneeId === actor.agent.id) return false
      if (change.conversation.status !== 'queued') throw new HubError('HUB_CONFLICT', 'A colleague has taken it already')
      if (!may(actor.ability, 'take', change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not take this conversation')
      await assignTo(em, change, actor.agent.id, 'taken', actor.agent.id)
      return true
    })
    return { ok: true as const }
  })

  app.post(
    '/api/conversations/:id/transfer',
    { config, schema: { params: IdParams, body: Type.Object({ agentId: Id }), response: { 200: Ok } } },
    async (request) => {
      const actor = actorOf(request)
      const { agentId } = request.body
      const em = hub.em()
      await findReadable(em, actor, request.params.id)
      const to = await em.findOne(Agent, { id: agentId, active: true }, { disableIdentityMap: true })
      if (!to || (to.id !== actor.agent.id && !['online', 'busy'].includes(effectivePresence(to))))
        throw new HubError('HUB_AGENT_UNAVAILABLE', 'This colleague is not there now')
      await changeConversation(hub, request.params.id, async (change, tx) => {
        if (!may(actor.ability, 'transfer', change.conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not transfer this conversation')
        if (change.conversation.status === 'closed') throw new HubError('HUB_CONVERSATION_CLOSED', 'This conversation has ended')
        if (change.conversation.assigneeId === agentId) return false
        if ((await whoMayServe(hub, tx, [to], change.conversation)).length === 0)
          throw new HubError('HUB_AGENT_CANNOT_SERVE', 'This colleague may not answer in this conversation')
        change.assisted('transfer', actor.agent.id)
        await assignTo(tx, change, agentId, 'transferred', actor.agent.id)
        return true
      })
      return { ok: true as const }
    },
  )

  app.post('/api/conversations/:id/close', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    await findReadable(hub.em(), actor, request.params.id)
    await closeConversation(hub, request.params.id, 'agent', actor.agent.id, (conversation) => may(actor.ability, 'close', conversation))
    return { ok: true as const }
  })

  // What an agent has marked, page by page: an app asks until there is no further one.
  const MarksQuery = Type.Object({ cursor: Type.Optional(Id) })
  const Further = Type.Union([Id, Type.Null()])
  async function pageOfMarks<T extends Star | Draft>(entity: new () => T, agentId: string, after: string | undefined) {
    const rows = await hub.em().find(
      entity as unknown as typeof Star,
      { agentId, ...(after ? { conversationId: { $lt: after } } : {}) },
      {
        orderBy: { conversationId: 'desc' },
        limit: marksPage + 1,
        disableIdentityMap: true,
      },
    )
    const page = rows.slice(0, marksPage) as unknown as T[]
    return { page, cursor: rows.length > marksPage ? (page.at(-1)?.conversationId ?? null) : null }
  }

  const Stars = Type.Object({ ids: Type.Array(Id), cursor: Further })
  app.get('/api/stars', { config: personal, schema: { querystring: MarksQuery, response: { 200: Stars } } }, async (request) => {
    const { page, cursor } = await pageOfMarks(Star, actorOf(request).agent.id, request.query.cursor)
    return { ids: page.map((row) => row.conversationId), cursor }
  })

  app.put('/api/conversations/:id/star', { config: personal, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const { id } = await findReadable(em, actor, request.params.id)
    await em.upsert(Star, { agentId: actor.agent.id, conversationId: id, createdAt: new Date() }, { onConflictAction: 'ignore' })
    return { ok: true as const }
  })

  app.delete('/api/conversations/:id/star', { config: personal, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    await hub.em().nativeDelete(Star, { agentId: actorOf(request).agent.id, conversationId: request.params.id })
    return { ok: true as const }
  })

  app.get('/api/conversations/:id/draft', { config: personal, schema: { params: IdParams, response: { 200: WireDraft } } }, async (request) => {
    const actor = actorOf(request)
    const { ability, agent } = actor
    const agentId = agent.id
    const em = hub.em()
    const { id: conversationId } = await findReadable(em, actor, request.params.id)
    const draft = await em.findOne(Draft, { agentId, conversationId }, { disableIdentityMap: true })
    if (!draft?.content.files?.length) return draft?.content ?? { text: '' }
    const ids = draft.content.files.map(({ fileId }) => fileId)
    const there = await stillTheirs(em, agentId, (conversation) => may(ability, 'read', conversation), ids)
    return { ...draft.content, gone: ids.filter((id) => !there.has(id)) }
  })

  // What the list marks as begun.
  const Drafts = Type.Object({ items: Type.Array(Type.Object({ conversationId: Id, text: Type.String() })), cursor: Further })
  app.get('/api/drafts', { config: personal, schema: { querystring: MarksQuery, response: { 200: Drafts } } }, async (request) => {
    const actor = actorOf(request)
    const { page, cursor } = await pageOfMarks(Draft, actor.agent.id, request.query.cursor)
    const ids = page.map(({ conversationId }) => conversationId)
    const readable = new Set(await readableAmong(hub.em(), actor, ids))
    const shown = page.filter(({ conversationId }) => readable.has(conversationId))
    return { items: shown.map(({ conversationId, content }) => ({ conversationId, text: [...draftWords(content)].slice(0, 100).join('') })), cursor }
  })

  app.put('/api/conversations/:id/draft', { config: personal, schema: { params: IdParams, body: DraftContent, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const { id } = await findReadable(em, actor, request.params.id)
    if (isNoDraft(request.body)) await em.nativeDelete(Draft, { agentId: actor.agent.id, conversationId: id })
    else await em.upsert(Draft, { agentId: actor.agent.id, conversationId: id, content: request.body, updatedAt: new Date() })
    return { ok: true as const }
  })
}

/** Conversations with their contacts, two queries for any number. */
export async function present(em: Em, actor: Pick<Actor, 'ability'>, conversations: readonly Conversation[]): Promise<WireConversation[]> {
  const contacts = await em.find(
    Contact,
    { id: { $in: [...new Set(conversations.map((c) => c.contactId))] } },
    { fields: ['id', 'number', 'nickname', 'name', 'attributes'], disableIdentityMap: true },
  )
  const byId = new Map(contacts.map((contact) => [contact.id, contact as unknown as Contact]))
  return conversations.flatMap((conversation) => {
    const contact = byId.get(conversation.contactId)
    return contact ? [presentConversation(actor.ability, conversation, contact)] : []
  })
}
