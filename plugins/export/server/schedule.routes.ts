/** Schedules: one's own; who oversees exports sees everybody's, may pause and delete them, and take them over. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id, Instant, NullableInstant, Ok } from '@huike/core/sdk/wire/common.ts'
import { RecordFilter } from '@huike/core/sdk/wire/record.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Ctx } from './context.ts'
import { mayDeliver } from './destination.routes.ts'
import { ExportFile, newId } from './export.entity.ts'
import { checkMay, checkOutsideBin, checkShared, mayRead, mayTakeFiles, withinFiles } from './needed.ts'
import { nextRun, type Rule } from './next-run.ts'
import { Choices, checkZone, labelled, type Order, Password } from './order.ts'
import { refusal } from './refusals.ts'
import { followed } from './run-schedules.ts'
import { ExportDestination, ExportRun, ExportSchedule } from './schedule.entity.ts'
import { missingTable, orderTable, spanPlace, TableWhat } from './table-order.ts'

const mostSchedules = 20
const pageSize = 30
const quiet = { disableIdentityMap: true }
const one = <T extends string>(...words: T[]) => Type.Unsafe<T>(Type.Union(words.map((word) => Type.Literal(word))))
const Params = Type.Object({ id: Id })
const RuleInput = Type.Object(
  {
    every: one('day', 'week', 'month'),
    time: Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' }),
    tz: Type.String({ minLength: 1, maxLength: 60 }),
    weekday: Type.Integer({ minimum: 1, maximum: 7 }),
    monthDay: Type.Integer({ minimum: 1, maximum: 31 }),
  },
  { additionalProperties: false },
)
const Input = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 60, pattern: '\\S' }),
    rule: RuleInput,
    span: one('filter', 'previous'),
    language: one('zh', 'en'),
    /** Either conversations or a list. */
    records: Type.Optional(Type.Object({ ...Choices.properties, filter: RecordFilter }, { additionalProperties: false })),
    table: Type.Optional(TableWhat),
    /** A named filter of one's own that it follows: what is changed there holds from the next turn on. */
    viewId: Type.Optional(Id),
    shareWith: Type.Array(Id, { maxItems: 50, uniqueItems: true }),
    destinationId: Type.Union([Id, Type.Literal('')]),
    /** What the files are locked with; without it that stays as it is, empty: they are not. */
    password: Type.Optional(Type.Union([Password, Type.Literal('')])),
  },
  { additionalProperties: false },
)
type Input = Static<typeof Input>
const ScheduleInfo = Type.Object({
  id: Id,
  agentId: Id,
  mine: Type.Boolean(),
  name: Type.String(),
  state: Type.String(),
  fault: Type.String(),
  rule: RuleInput,
  span: Type.String(),
  format: Type.String(),
  personal: Type.Boolean(),
  /** Its files have a password. */
  locked: Type.Boolean(),
  /** What the list is called; empty: conversations. */
  list: Type.String(),
  /** The named filter that it follows, as it is called now; null: none. Only to the owner. */
  view: Type.Union([Type.String(), Type.Null()]),
  /** As it was sent, to be changed; only to the owner. */
  input: Type.Optional(Input),
  shareWith: Type.Array(Id),
  destinationId: Type.String(),
  destination: Type.String(),
  nextAt: NullableInstant,
  runs: Type.Array(Type.Object({ dueAt: Instant, exportId: Id, state: Type.String() })),
})
export type ScheduleInfo = Static<typeof ScheduleInfo>
const List = Type.Object({ items: Type.Array(ScheduleInfo), cursor: Type.Union([Type.String(), Type.Null()]) })
const ListQuery = Type.Object({ of: Type.Optional(one('mine', 'all')), cursor: Type.Optional(Id) })

const missing = () => new HubError('HUB_NOT_FOUND', 'There is no such schedule')
const invalid = (message: string, path: string) => new HubError('HUB_REQUEST_INVALID', message, { path })

export function scheduleRoutes(app: FastifyInstance, ctx: Ctx): void {
  const config = { access: { permission: 'export.schedule', person: true as const } }
  const asking = (request: FastifyRequest) => {
    const asker = ctx.asker(request)
    if (!asker.can('export.record')) throw new HubError('HUB_FORBIDDEN', 'You may not export', { permission: 'export.record' })
    return asker
  }
  /** One's own; for who oversees, anybody's. */
  const find = async (request: FastifyRequest, { own = false } = {}) => {
    const asker = asking(request)
    const row = await ctx.em().findOne(ExportSchedule, { id: (request.params as { id: string }).id }, quiet)
    if (!row || (row.agentId !== asker.agentId && !asker.can('export.oversee'))) throw missing()
    if (own && row.agentId !== asker.agentId) throw new HubError('HUB_FORBIDDEN', 'Only its owner may change it')
    return row
  }

  const room = async (agentId: string) => {
    if ((await ctx.em().count(ExportSchedule, { agentId })) >= mostSchedules) throw refusal('HUB_CONFLICT', `You have ${mostSchedules} schedules`, 'schedules')
  }

  /** What a schedule keeps of its form. */
  const read = async (request: FastifyRequest) => {
    const asker = asking(request)
    const { name, rule, span, language, records, table, shareWith, destinationId, viewId, password } = request.body as Input
    checkZone(rule.tz, '/rule/tz')
    if ((records === undefined) === (table === undefined)) throw invalid('Either conversations or a list', '/records')
    checkMay(asker, { personal: (records ?? table)?.personal ?? false, attachments: records?.attachments })
    if (destinationId) await mayDeliver(ctx, asker, destinationId)
    if (table && span === 'previous') {
      const info = (await ctx.tables.list(asker.agentId)).find((one) => one.name === table.table)
      if (info && !spanPlace(info)) throw refusal('HUB_REQUEST_INVALID', 'This list knows no time', 'timeless', '/span')
    }
    const said = { tz: rule.tz, language }
    const plain = records ? await labelled(ctx, { ...records, ...said }, true) : await orderTable(ctx, asker.agentId, table as TableWhat, said)
    if (viewId && (!(await ctx.records.view(asker.agentId, viewId)) || (plain.table && plain.table.name !== contacts)))
      throw invalid('There is no such view, or the list has no records to look for', '/viewId')
    const order: Order = { ...plain, ...(viewId ? { viewId } : {}) }
    checkOutsideBin(order, records ? '/records/filter/status' : '/table/filter')
    await checkShared(ctx, shareWith, order, '/shareWith')
    const text = JSON.stringify(order)
    if (Buffer.byteLength(text) > 60_000) throw new HubError('HUB_REQUEST_TOO_LARGE', 'Too much is asked for in one order')
    const now = new Date()
    return {
      name: name.trim(),
      rule: JSON.stringify(rule),
      span,
      order: text,
      shareWith: JSON.stringify(shareWith),
      destinationId,
      ...(password === undefined ? {} : { password }),
      state: 'active' as const,
      fault: '',
      nextAt: nextRun(rule, now),
      updatedAt: now,
    }
  }

  app.get('/schedules', { config, schema: { querystring: ListQuery, response: { 200: List } } }, async (request) => {
    const asker = asking(request)
    const { of = 'mine', cursor } = request.query as Static<typeof ListQuery>
    if (of === 'all' && !asker.can('export.oversee')) throw new HubError('HUB_FORBIDDEN', 'You may not do this', { permission: 'export.oversee' })
    const where = { ...(of === 'mine' ? { agentId: asker.agentId } : {}), ...(cursor ? { id: { $lt: cursor } } : {}) }
    const rows = await ctx.em().find(ExportSchedule, where, { orderBy: { id: 'desc' }, limit: pageSize + 1, ...quiet })
    const page = rows.slice(0, pageSize)
    return { items: await present(ctx, asker.agentId, page), cursor: rows.length > pageSize ? (page.at(-1)?.id ?? null) : null }
  })

  app.post('/schedules', { config, schema: { body: Input, response: { 201: ScheduleInfo } } }, async (request, reply) => {
    const { agentId } = asking(request)
    const values = await read(request)
    const em = ctx.em()
    await room(agentId)
    const row = { id: newId(), agentId, createdAt: new Date(), password: '', ...values } as ExportSchedule
    await em.insert(ExportSchedule, row)
    await ctx.tell('scheduled', { scheduleId: row.id, name: row.name, change: 'created', locked: row.password !== '' })
    return reply.status(201).send((await present(ctx, agentId, [row]))[0])
  })

  app.put('/schedules/:id', { config, schema: { params: Params, body: Input, response: { 200: Ok } } }, async (request) => {
    const row = await find(request, { own: true })
    const values = await read(request)
    await ctx.em().nativeUpdate(ExportSchedule, { id: row.id }, row.state === 'paused' ? { ...values, state: 'paused', nextAt: null } : values)
    await ctx.endNotice('scheduleStopped', row.id)
    await ctx.tell('scheduled', { scheduleId: row.id, name: values.name, change: 'changed', locked: (values.password ?? row.password) !== '' })
    return { ok: true as const }
  })

  const State = Type.Object({ paused: Type.Boolean() })
  app.post(
    '/schedules/:id/state',
    { config, schema: { summary: 'Pause a schedule or let it go on', params: Params, body: State, response: { 200: Ok } } },
    async (request) => {
      const row = await find(request)
      const { paused } = request.body as Static<typeof State>
      // What it was not asked for while it rested is not made up.
      const change = paused
        ? { state: 'paused' as const, nextAt: null }
        : { state: 'active' as const, nextAt: nextRun(JSON.parse(row.rule) as Rule, new Date()), fault: '' }
      if (paused !== (row.state === 'paused') || row.state === 'stopped') {
        await ctx.em().nativeUpdate(ExportSchedule, { id: row.id }, { ...change, updatedAt: new Date() })
        if (!paused) await ctx.endNotice('scheduleStopped', row.id)
        await ctx.tell('scheduled', { scheduleId: row.id, name: row.name, change: paused ? 'paused' : 'resumed' })
      }
      return { ok: true as const }
    },
  )

  // As it is, from now on with the rights of who takes it.
  app.post(
    '/schedules/:id/take',
    { config, schema: { summary: 'Take a schedule over from its owner', params: Params, response: { 200: Ok } } },
    async (request) => {
      const asker = asking(request)
      const row = await find(request)
      if (row.agentId === asker.agentId) return { ok: true as const }
      const kept = JSON.parse(row.order) as Order
      checkMay(asker, withinFiles(kept, mayTakeFiles(asker)))
      if (row.destinationId) await mayDeliver(ctx, asker, row.destinationId)
      if (!(await mayRead(ctx, asker.agentId, kept))) throw missingTable()
      const em = ctx.em()
      await room(asker.agentId)
      // A named filter stays its owner's: what it says now is taken along.
      const order = await followed(ctx, row.agentId, kept)
      const now = new Date()
      const change = { agentId: asker.agentId, order: JSON.stringify(order), state: 'active' as const, fault: '', updatedAt: now }
      const next = nextRun(JSON.parse(row.rule) as Rule, now)
      await em.nativeUpdate(ExportSchedule, { id: row.id, agentId: row.agentId }, { ...change, nextAt: next })
      await ctx.endNotice('scheduleStopped', row.id)
      await ctx.tell('scheduled', { scheduleId: row.id, name: row.name, change: 'taken', fromAgentId: row.agentId })
      return { ok: true as const }
    },
  )

  app.delete('/schedules/:id', { config, schema: { params: Params, response: { 200: Ok } } }, async (request) => {
    const row = await find(request)
    await ctx.em().transactional(async (tx) => {
      await tx.nativeDelete(ExportRun, { scheduleId: row.id })
      await tx.nativeDelete(ExportSchedule, { id: row.id })
    })
    await ctx.endNotice('scheduleStopped', row.id)
    await ctx.tell('scheduled', { scheduleId: row.id, name: row.name, change: 'deleted' })
    return { ok: true as const }
  })
}

const runsShown = 5
/** The list that a filter of records narrows. */
const contacts = 'hub.contacts'

async function present(ctx: Ctx, agentId: string, rows: readonly ExportSchedule[]): Promise<ScheduleInfo[]> {
  const em = ctx.em()
  const destinationIds = [...new Set(rows.map(({ destinationId }) => destinationId).filter(Boolean))]
  const names = new Map((await em.find(ExportDestination, { id: { $in: destinationIds } }, quiet)).map(({ id, name }) => [id, name]))
  const runs = await em.find(ExportRun, { scheduleId: { $in: rows.map(({ id }) => id) } }, { orderBy: { dueAt: 'desc' }, limit: 300, ...quiet })
  const runsOf = Map.groupBy(runs, ({ scheduleId }) => scheduleId)
  const shown = rows.flatMap(({ id }) => (runsOf.get(id) ?? []).slice(0, runsShown))
  const states = new Map(
    (await em.find(ExportFile, { id: { $in: shown.map(({ exportId }) => exportId) } }, { fields: ['id', 'state'], ...quiet })).map((file) => [
      file.id,
      file.state,
    ]),
  )
  const orders = new Map(rows.map((row) => [row.id, JSON.parse(row.order) as Order]))
  // One's own only, of which there are twenty at most.
  const followed = [...new Set(rows.flatMap((row) => (row.agentId === agentId ? (orders.get(row.id)?.viewId ?? []) : [])))]
  const views = new Map(await Promise.all(followed.map(async (id) => [id, (await ctx.records.view(agentId, id))?.name ?? ''] as const)))
  return rows.map((row) => {
    const order = orders.get(row.id) as Order
    const rule = JSON.parse(row.rule) as Rule
    const shareWith = JSON.parse(row.shareWith) as string[]
    const mine = row.agentId === agentId
    return {
      id: row.id,
      agentId: row.agentId,
      mine,
      name: row.name,
      state: row.state,
      fault: row.fault,
      rule,
      span: row.span,
      format: order.format,
      personal: order.personal,
      locked: row.password !== '',
      list: order.table?.label ?? '',
      view: (order.viewId && views.get(order.viewId)) ?? null,
      ...(mine ? { input: inputOf(row, rule, order, shareWith) } : {}),
      shareWith,
      destinationId: row.destinationId,
      destination: names.get(row.destinationId) ?? '',
      nextAt: row.nextAt?.toISOString() ?? null,
      runs: (runsOf.get(row.id) ?? [])
        .slice(0, runsShown)
        .map(({ dueAt, exportId }) => ({ dueAt: dueAt.toISOString(), exportId, state: states.get(exportId) ?? 'expired' })),
    }
  })
}

function inputOf(row: ExportSchedule, rule: Rule, order: Order, shareWith: string[]): Input {
  const { tz: _tz, language, table, ids: _ids, labels: _labels, viewId, filter = {}, ...choices } = order
  const { format, personal, nameRule } = choices
  return {
    name: row.name,
    rule,
    span: row.span,
    language,
    shareWith,
    destinationId: row.destinationId,
    ...(viewId ? { viewId } : {}),
    ...(table
      ? {
          table: {
            table: table.name,
            filter: table.filter,
            columns: table.columns.map(({ key }) => key),
            format,
            personal,
            nameRule,
          },
        }
      : { records: { ...choices, filter } }),
  }
}
