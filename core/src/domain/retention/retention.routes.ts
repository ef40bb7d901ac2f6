/** Retention rules: made, looked at by a trial, and only then switched on; runs and what they took. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import type { HubEvents } from '../../../sdk/events.ts'
import { Id, IdParams, Ok, Page, PageQuery } from '../../../sdk/wire/common.ts'
import {
  Retention,
  RetentionHour,
  RetentionRuleInput,
  RetentionTrial,
  type RetentionRule as WireRule,
  RetentionRun as WireRun,
} from '../../../sdk/wire/retention.ts'
import { may } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import { pick } from '../../db/pick.ts'
import { newId } from '../../db/types.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Category } from '../category/category.entity.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { Department } from '../department/department.entity.ts'
import { Inbox } from '../inbox/inbox.entity.ts'
import { presentRecords } from '../record/record.present.ts'
import { RetentionRule, RetentionRun } from './retention.entity.ts'
import { exposedBy, inOrder, keptRule, mostRules, type Rule, readRules, readTrees } from './rules.ts'
import { finishRun, runningNow, stopRun } from './run-retention.ts'
import { nextRunAt, readHour, startRun, writeHour } from './start-run.ts'
import { suspendExposed } from './suspend-rules.ts'

/** So long a trial says what a rule would do. */
const trialHoldsMs = 24 * 3_600_000
const quiet = { disableIdentityMap: true }

const ruleColumns = ['inboxId', 'departmentId', 'categoryId', 'days', 'fileDays'] as const

export function retentionRoutes(app: App, hub: Hub): void {
  const config = { access: { permission: 'retention.manage' } }
  // What it sets going goes on after the request, and cannot be taken back: by a person, not by a token.
  const person = { access: { permission: 'retention.manage', person: true as const } }

  /**
   * Changes the rules and tells of it. A run that is on its way holds to what was before, so it is stopped. `lets`: a rule that keeps
   * no longer what it kept.
   */
  async function change(
    byAgentId: string,
    data: Omit<HubEvents['settings.changed'], 'scope' | 'byAgentId'>,
    work: (em: Em) => Promise<void>,
    lets?: string,
  ): Promise<void> {
    const after: (() => Promise<void>)[] = []
    try {
      await commitWithEvents(hub, async (em) => {
        const exposed = lets === undefined ? undefined : await suspendExposed(hub, em, lets)
        if (exposed) after.push(exposed.after)
        await work(em)
        const told = [data, ...(exposed?.ids ?? []).map((id) => ({ change: 'changed' as const, id, fields: ['suspended'] }))]
        return told.map((one) => ({ name: 'settings.changed' as const, data: { scope: 'retention', byAgentId, ...one } }))
      })
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException)
        throw new HubError('HUB_CONFLICT', 'There is a rule for this already', { reason: 'retention-target' })
      throw error
    }
    await stopRun(hub)
    for (const work of after) await work()
  }

  app.get('/api/retention', { config, schema: { response: { 200: Retention } } }, async () => {
    const em = hub.em()
    const running = await runningNow(em)
    const trees = await readTrees(em)
    const rules = inOrder(await readRules(em), trees)
    const on = rules.filter(({ onAt }) => onAt)
    return {
      rules: rules.map((rule) => ({ ...presentRule(rule), exposes: rule.onAt ? exposedBy(rule.id, on, trees) : [] })),
      at: await readHour(em),
      nextAt: (await nextRunAt(em))?.toISOString() ?? null,
      running: running && presentRun(running),
    }
  })

  app.put('/api/retention/hour', { config: person, schema: { body: RetentionHour, response: { 200: Ok } } }, async (request) => {
    const { body } = request
    if (!isZone(body.tz)) throw new HubError('HUB_REQUEST_INVALID', 'There is no such time zone', { path: '/tz' })
    await commitWithEvents(hub, async (em) => {
      await writeHour(em, body)
      return [{ name: 'settings.changed', data: { scope: 'retention', byAgentId: actorOf(request).agent.id, fields: ['hour'] } }]
    })
    return { ok: true as const }
  })

  const Made = Type.Object({ id: Id })
  app.post('/api/retention/rules', { config: person, schema: { body: RetentionRuleInput, response: { 201: Made } } }, async (request, reply) => {
    const { body } = request
    const now = new Date()
    const row = {
      id: newId(),
      ...pick(body, ruleColumns),
      target: targetOf(body),
      onAt: null,
      suspendedAt: null,
      updatedAt: now,
      createdAt: now,
    } as RetentionRule
    await change(actorOf(request).agent.id, { change: 'created', id: row.id }, async (em) => {
      await checked(em, body)
      if ((await em.count(RetentionRule, {})) >= mostRules) throw new HubError('HUB_LIST_FULL', 'There are as many rules as there can be', { most: mostRules })
      await em.insert(RetentionRule, row)
    })
    return reply.status(201).send({ id: row.id })
  })

  // It is off again: what it would take now nobody has looked at. Nor at what others would take that it has kept from them.
  app.put('/api/retention/rules/:id', { config: person, schema: { params: IdParams, body: RetentionRuleInput, response: { 200: Ok } } }, async (request) => {
    const { id } = request.params
    const { body } = request
    await change(
      actorOf(request).agent.id,
      { change: 'changed', id, fields: Object.keys(body) },
      async (em) => {
        await checked(em, body)
        if (
          (await em.nativeUpdate(
            RetentionRule,
            { id },
            { ...pick(body, ruleColumns), target: targetOf(body), onAt: null, suspendedAt: null, updatedAt: new Date() },
          )) === 0
        )
          throw noRule()
      },
      id,
    )
    return { ok: true as const }
  })

  app.delete('/api/retention/rules/:id', { config: person, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const { id } = request.params
    await change(
      actorOf(request).agent.id,
      { change: 'deleted', id },
      async (em) => {
        if ((await em.nativeDelete(RetentionRule, { id })) === 0) throw noRule()
      },
      id,
    )
    return { ok: true as const }
  })

  app.post(
    '/api/retention/rules/:id/on',
    { config: person, schema: { summary: 'Switch a retention rule on', params: IdParams, response: { 200: Ok } } },
    async (request) => {
      const { id } = request.params
      await change(actorOf(request).agent.id, { change: 'changed', id, fields: ['on'] }, async (em) => {
        const rule = await em.findOne(RetentionRule, { id }, quiet)
        if (!rule) throw noRule()
        // The rules around it decide too what it takes: all must be as the trial had them.
        const rules = JSON.stringify((await readRules(em)).filter((one) => one.onAt || one.id === id).map(keptRule))
        const since = new Date(Date.now() - trialHoldsMs)
        const trials = await em.find(
          RetentionRun,
          { kind: 'trial', ruleId: id, state: 'done', startedAt: { $gte: since } },
          { ...quiet, orderBy: { id: 'desc' }, limit: 1, fields: ['rules'] },
        )
        const trial = trials.find((one) => JSON.stringify(one.rules) === rules)
        if (!trial) throw new HubError('HUB_CONFLICT', 'A trial must have shown what the rules as they are would take', { reason: 'retention-trial' })
        if (!rule.onAt) await em.nativeUpdate(RetentionRule, { id }, { onAt: new Date(), suspendedAt: null })
      })
      return { ok: true as const }
    },
  )

  app.post(
    '/api/retention/rules/:id/off',
    { config: person, schema: { summary: 'Switch a retention rule off', params: IdParams, response: { 200: Ok } } },
    async (request) => {
      const { id } = request.params
      await change(
        actorOf(request).agent.id,
        { change: 'changed', id, fields: ['off'] },
        async (em) => {
          if ((await em.nativeUpdate(RetentionRule, { id }, { onAt: null, suspendedAt: null, updatedAt: new Date() })) === 0) throw noRule()
        },
        id,
      )
      return { ok: true as const }
    },
  )

  app.post(
    '/api/retention/rules/:id/trial',
    { config: person, schema: { summary: 'Try a retention rule without deleting', params: IdParams, response: { 201: WireRun } } },
    async (request, reply) => {
      const { id } = request.params
      const rules = (await readRules(hub.em())).filter((rule) => rule.onAt || rule.id === id)
      if (!rules.some((rule) => rule.id === id)) throw noRule()
      return reply.status(201).send(presentRun(await startRun(hub, { kind: 'trial', rules, ruleId: id, startedById: actorOf(request).agent.id })))
    },
  )

  app.get('/api/retention/trials/:id', { config, schema: { params: IdParams, response: { 200: RetentionTrial } } }, async (request) => {
    const em = hub.em()
    const actor = actorOf(request)
    const run = await em.findOne(RetentionRun, { id: request.params.id, kind: 'trial' }, quiet)
    if (!run) throw new HubError('HUB_NOT_FOUND', 'There is no such trial')
    const conversations = await em.find(Conversation, { id: { $in: run.sample } }, { ...quiet, orderBy: { closedAt: 'asc' } })
    const readable = conversations.filter((conversation) => may(actor.ability, 'read', conversation))
    // A look at records, by another door than their list.
    const data = { filter: {}, shown: readable.length, trialId: run.id }
    if (readable.length > 0) await tellOnce(hub, [{ same: ['trial', actor.agent.id, run.id], event: { name: 'record.searched', data } }])
    return { ...presentRun(run), sample: await presentRecords(em, actor, readable) }
  })

  app.post('/api/retention/runs', { config: person, schema: { response: { 201: WireRun } } }, async (request, reply) => {
    const rules = (await readRules(hub.em())).filter(({ onAt }) => onAt)
    if (rules.length === 0) throw new HubError('HUB_CONFLICT', 'No rule is on', { reason: 'retention-off' })
    return reply.status(201).send(presentRun(await startRun(hub, { kind: 'clean', rules, startedById: actorOf(request).agent.id })))
  })

  app.get('/api/retention/runs', { config, schema: { querystring: PageQuery, response: { 200: Page(WireRun) } } }, async (request) => {
    const { cursor, limit = 20 } = request.query
    if (cursor && !/^[0-9a-z]{26}$/.test(cursor)) throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
    const rows = await hub
      .em()
      .find(RetentionRun, { kind: 'clean', ...(cursor ? { id: { $lt: cursor } } : {}) }, { ...quiet, orderBy: { id: 'desc' }, limit: limit + 1 })
    return { items: rows.slice(0, limit).map(presentRun), cursor: rows.length > limit ? (rows[limit - 1]?.id ?? null) : null }
  })

  app.delete('/api/retention/runs/:id', { config: person, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    if (!(await hub.em().findOne(RetentionRun, { id: request.params.id }, { ...quiet, fields: ['id'] })))
      throw new HubError('HUB_NOT_FOUND', 'There is no such run')
    await finishRun(hub, request.params.id, 'stopped')
    return { ok: true as const }
  })
}

const noRule = () => new HubError('HUB_NOT_FOUND', 'There is no such rule')
const targetOf = ({ inboxId, departmentId, categoryId }: RetentionRuleInput): string => [inboxId, departmentId, categoryId].map((id) => id ?? '').join('/')

function isZone(tz: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: tz }) !== undefined
  } catch {
    return false
  }
}

async function checked(em: Em, { inboxId, departmentId, categoryId, days, fileDays }: RetentionRuleInput): Promise<void> {
  for (const [entity, id, path] of [
    [Inbox, inboxId, '/inboxId'],
    [Department, departmentId, '/departmentId'],
    [Category, categoryId, '/categoryId'],
  ] as const)
    if (id && (await em.count(entity as typeof Inbox, { id })) === 0) throw new HubError('HUB_NOT_FOUND', 'What the rule is for does not exist', { path })
  if (fileDays !== null && days !== null && fileDays >= days)
    throw new HubError('HUB_REQUEST_INVALID', 'The files go before the words, or with them', {
      faults: [{ path: 'body/fileDays', rule: 'maximum', limit: days - 1 }],
    })
}

const presentRule = ({ onAt, suspendedAt, updatedAt, ...rule }: Rule): Omit<WireRule, 'exposes'> => ({
  ...rule,
  onAt: onAt?.toISOString() ?? null,
  suspendedAt: suspendedAt?.toISOString() ?? null,
  updatedAt: updatedAt.toISOString(),
})

function presentRun({ id, kind, ruleId = null, state, rules, tallies, looked, startedById = null, startedAt, endedAt }: RetentionRun): WireRun {
  return { id, kind, ruleId, state, rules, tallies, looked, startedById, startedAt: startedAt.toISOString(), endedAt: endedAt?.toISOString() ?? null }
}
