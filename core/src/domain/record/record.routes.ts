/** One record: its head, and what people write on it: category, summary, tags. Its messages are the conversation's. */
import { isDeepStrictEqual } from 'node:util'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, Ok } from '../../../sdk/wire/common.ts'
import { RecordDetail, RecordSummary } from '../../../sdk/wire/record.ts'
import { may } from '../../access/ability.ts'
import { keepHidden } from '../../access/keep-hidden.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Category } from '../category/category.entity.ts'
import { checkAnswers, readSummaryForm } from '../category/summary-form.ts'
import { changeConversation } from '../conversation/change.ts'
import { Assignment, type Conversation } from '../conversation/conversation.entity.ts'
import { findReadable, findViewable, viewOf } from '../conversation/conversation.routes.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { Tag } from '../tag/tag.entity.ts'
import { changeRecord } from './change-record.ts'
import { ConversationSummary } from './record.entity.ts'
import { presentRecords } from './record.present.ts'
import { replyInNew } from './reply-in-new.ts'
import { shownAnswers } from './shown-answers.ts'

const quiet = { disableIdentityMap: true }

export function recordRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }

  app.get('/api/records/:id', { config, schema: { params: IdParams, response: { 200: RecordDetail } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const conversation = await findViewable(em, actor, request.params.id)
    await tellOnce(hub, [viewOf(actor, conversation.id)])
    return presentDetail(em, actor, conversation)
  })

  app.put(
    '/api/records/:id/category',
    { config, schema: { params: IdParams, body: Type.Object({ categoryId: Type.Union([Id, Type.Null()]) }), response: { 200: Ok } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const { categoryId } = request.body
      await findReadable(em, actor, request.params.id)
      const category = categoryId && (await em.findOne(Category, { id: categoryId }, quiet))
      if (categoryId && (!category || category.retiredAt)) throw new HubError('HUB_NOT_FOUND', 'There is no such category', { path: '/categoryId' })
      await changeRecord(hub, actor, request.params.id, { action: 'categorise', categoryId })
      return { ok: true as const }
    },
  )

  const Answers = Type.Object({ answers: Type.Record(Type.String({ maxLength: 40 }), Type.Unknown()) })
  app.put('/api/records/:id/summary', { config, schema: { params: IdParams, body: Answers, response: { 200: RecordSummary } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const conversation = await findReadable(em, actor, request.params.id)
    requireReply(actor, conversation)
    const form = await readSummaryForm(em, actor.agent.locale)
    const given = checkAnswers(form, request.body.answers)
    const asked = new Set(form.fields.map(({ id }) => id))
    const row = { conversationId: conversation.id, answers: given, updatedById: actor.agent.id, updatedAt: new Date() }
    await changeConversation(hub, conversation.id, async (change, tx) => {
      const { answers: stored = {} } = (await tx.findOne(ConversationSummary, { conversationId: conversation.id }, quiet)) ?? {}
      // The form is sent as a whole, with what was shown masked.
      const shown = shownAnswers(actor.ability, form.fields, stored)
      const answers = Object.fromEntries([
        // What an earlier form asked for was answered all the same.
        ...Object.entries(stored).filter(([id]) => !asked.has(id)),
        ...Object.entries(given).map(([id, answer]) => [id, keepHidden(stored[id], shown[id], answer, { path: `/answers/${id}` })] as const),
      ])
      row.answers = answers
      await tx.upsert(ConversationSummary, row)
      const changed = [...asked].filter((id) => !isDeepStrictEqual(stored[id], answers[id]))
      change.event('record.summarised', () => ({ conversationId: conversation.id, answers, changed }))
      return true
    })
    return { answers: shownAnswers(actor.ability, form.fields, row.answers), updatedById: row.updatedById, updatedAt: row.updatedAt.toISOString() }
  })

  // On what has ended nobody writes on: the words go into the customer's open conversation, or begin one.
  const Begun = Type.Object({ conversationId: Id })
  app.post(
    '/api/records/:id/reply-in-new',
    { config, schema: { summary: 'Write on in a new conversation', params: IdParams, response: { 200: Begun } } },
    async (request) => {
      const actor = actorOf(request)
      const record = await findReadable(hub.em(), actor, request.params.id)
      return { conversationId: await replyInNew(hub, actor, record) }
    },
  )

  const TagParams = Type.Object({ id: Id, tagId: Id })
  for (const [method, added] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const) {
    app.route({
      method,
      url: '/api/records/:id/tags/:tagId',
      config,
      schema: { params: TagParams, response: { 200: Ok } },
      handler: async (request) => {
        const actor = actorOf(request)
        const em = hub.em()
        const { id, tagId } = request.params
        await findReadable(em, actor, id)
        if (added && !(await em.findOne(Tag, { id: tagId }, quiet))) throw new HubError('HUB_NOT_FOUND', 'There is no such tag')
        await changeRecord(hub, actor, id, { action: added ? 'tag' : 'untag', tagId })
        return { ok: true as const }
      },
    })
  }
}

/** Who may answer in a conversation may say what it was about, also when it has ended. */
function requireReply(actor: Actor, conversation: Conversation): void {
  if (!may(actor.ability, 'reply', conversation)) throw new HubError('HUB_FORBIDDEN', 'You may look at this record, not write on it')
}

async function presentDetail(em: Em, actor: Actor, conversation: Conversation): Promise<RecordDetail> {
  const [row] = await presentRecords(em, actor, [conversation])
  if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such record')
  const summary = await em.findOne(ConversationSummary, { conversationId: conversation.id }, quiet)
  const { fields } = summary ? await readSummaryForm(em, actor.agent.locale) : { fields: [] }
  const trail = await em.find(Assignment, { conversationId: conversation.id }, { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }], limit: 500, ...quiet })
  return {
    ...row,
    summary: summary && {
      answers: shownAnswers(actor.ability, fields, summary.answers),
      updatedById: summary.updatedById ?? null,
      updatedAt: summary.updatedAt.toISOString(),
    },
    ratingComment: conversation.ratingComment ? maskText(actor.ability, conversation.ratingComment) : null,
    closeReason: conversation.closeReason ?? null,
    closedById: conversation.closedById ?? null,
    trail: trail.map(({ fromAgentId = null, toAgentId = null, byAgentId = null, reason, createdAt }) => ({
      fromAgentId,
      toAgentId,
      byAgentId,
      reason,
      at: createdAt.toISOString(),
    })),
  }
}
