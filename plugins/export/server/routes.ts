/** Ordering, watching, sharing and fetching exports. What is not one's own, nor shared, is not there. */
import type { Asker } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id, Instant, LocalText, NullableInstant, Ok } from '@huike/core/sdk/wire/common.ts'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Ctx } from './context.ts'
import { destinationRoutes, mayDeliver } from './destination.routes.ts'
import { ExportDownload, ExportFile, ExportShare, ExportTemplate, newId } from './export.entity.ts'
import { checkFilter, checkMay, checkOutsideBin, checkSees, checkShared, mayRead, mayTakeFiles, withinFiles } from './needed.ts'
import { Choices, checkZone, endedOrder, labelled, Order, Password } from './order.ts'
import { hurry, placeExport, tellStarted } from './place-export.ts'
import { refusal } from './refusals.ts'
import { ExportDelivery, ExportDestination } from './schedule.entity.ts'
import { scheduleRoutes } from './schedule.routes.ts'
import { missingTable, orderTable, spanPlace, TableChoices, TableWhat } from './table-order.ts'
import { permission } from './write-export.ts'

/** With a token one could not see who took the data out. */
const config = { access: { permission, person: true as const } }
const quiet = { disableIdentityMap: true }
const mostAtOnce = 3
const mostTemplates = 50
const pageSize = 30

const Params = Type.Object({ id: Id })
export const ExportInfo = Type.Object({
  id: Id,
  agentId: Id,
  mine: Type.Boolean(),
  state: Type.String(),
  name: Type.String(),
  format: Type.String(),
  personal: Type.Boolean(),
  attachments: Type.Boolean(),
  /** What the list is called; empty: conversations. */
  table: Type.String(),
  delivery: Type.Union([Type.Object({ destinationId: Id, to: Type.String(), state: Type.String(), fault: Type.String(), at: NullableInstant }), Type.Null()]),
  locked: Type.Boolean(),
  total: Type.Integer(),
  done: Type.Integer(),
  rows: Type.Integer(),
  bytes: Type.Integer(),
  fault: Type.String(),
  sharedWith: Type.Array(Id),
  /** Who has fetched it, how often, and when last; the last one first. Each time stands in the log of deeds. */
  downloads: Type.Array(Type.Object({ agentId: Id, times: Type.Integer(), at: Instant })),
  createdAt: Instant,
  finishedAt: NullableInstant,
  expiresAt: NullableInstant,
})
export type ExportInfo = Static<typeof ExportInfo>
const List = Type.Object({ items: Type.Array(ExportInfo), cursor: Type.Union([Type.String(), Type.Null()]) })
const ListQuery = Type.Object({
  of: Type.Optional(Type.Union([Type.Literal('mine'), Type.Literal('shared'), Type.Literal('all')])),
  cursor: Type.Optional(Id),
})
/** The file's own: who opens it, where it goes. */
const file = { password: Type.Optional(Password), destinationId: Type.Optional(Id) }
const OrderInput = Type.Object({ ...Order.properties, ...file }, { additionalProperties: false })
const TableInput = Type.Object(
  { ...TableWhat.properties, tz: Order.properties.tz, language: Order.properties.language, ...file },
  { additionalProperties: false },
)
const TableShown = Type.Object({
  name: Type.String(),
  label: LocalText,
  columns: Type.Array(Type.Object({ key: Type.String(), label: LocalText })),
  /** Can be narrowed to a time span. */
  span: Type.Boolean(),
})
export type TableShown = Static<typeof TableShown>
const Kept = Type.Union([Choices, TableChoices])
const Template = Type.Object({ id: Id, name: Type.String(), choices: Kept })
const TemplateInput = Type.Object({ name: Type.String({ minLength: 1, maxLength: 60, pattern: '\\S' }), choices: Kept })

const missing = () => new HubError('HUB_NOT_FOUND', 'There is no such export')
const invalid = (message: string, details?: unknown) => new HubError('HUB_REQUEST_INVALID', message, details)

export function routes(app: FastifyInstance, ctx: Ctx): void {
  /** One's own, or one shared with them; for a manager, to look at and to stop, anybody's. */
  const visible = async (id: string, agentId: string, manager = false): Promise<ExportFile> => {
    const row = await ctx.em().findOne(ExportFile, { id }, quiet)
    if (!row) throw missing()
    if (row.agentId === agentId || manager) return row
    if (await ctx.em().count(ExportShare, { exportId: id, agentId })) return row
    throw missing()
  }

  app.post('/exports', { config, schema: { body: OrderInput, response: { 201: ExportInfo } } }, async (request, reply) => {
    const asker = ctx.asker(request)
    const { password, destinationId, ...asked } = request.body as Static<typeof OrderInput>
    const order = withinFiles(asked, mayTakeFiles(asker))
    checkZone(order.tz)
    if (order.ids && order.filter) throw invalid('Either records or a filter', { path: '/ids' })
    checkMay(asker, order)
    return reply.status(201).send(await begin(asker, await labelled(ctx, order), { password, destinationId }))
  })

  // Contacts' fields that can be columns, besides the usual ones.
  const Fields = Type.Object({ items: Type.Array(Type.Object({ name: Type.String(), label: LocalText })) })
  app.get('/fields', { config, schema: { response: { 200: Fields } } }, async () => ({ items: await ctx.records.contactFields() }))

  /** Puts the order down; what is checked of every order is checked here. */
  const begin = async (asker: Asker, order: Order, { password, destinationId }: { password?: string | undefined; destinationId?: string | undefined }) => {
    if (destinationId) await mayDeliver(ctx, asker, destinationId)
    checkOutsideBin(order, '/filter')
    await checkFilter(ctx, asker.agentId, order)
    if (Buffer.byteLength(JSON.stringify(order)) > 60_000) throw new HubError('HUB_REQUEST_TOO_LARGE', 'Too much is asked for in one order')
    const em = ctx.em()
    if ((await em.count(ExportFile, { agentId: asker.agentId, state: 'running' })) >= mostAtOnce)
      throw refusal('HUB_CONFLICT', `${mostAtOnce} exports are being written already`, 'busy')
    const id = newId()
    await tellStarted(ctx, id, order)
    await em.transactional((tx) => placeExport(ctx, tx, { id, agentId: asker.agentId, order, password, destinationId }))
    await hurry(ctx, id)
    return (await present(ctx, asker.agentId, [await em.findOneOrFail(ExportFile, { id }, quiet)]))[0]
  }

  app.get('/tables', { config, schema: { response: { 200: Type.Object({ items: Type.Array(TableShown) }) } } }, async (request) => {
    const tables = await ctx.tables.list(ctx.asker(request).agentId)
    return { items: tables.map((table) => ({ ...table, columns: [...table.columns], span: spanPlace(table) !== undefined })) }
  })

  app.post('/table-exports', { config, schema: { body: TableInput, response: { 201: ExportInfo } } }, async (request, reply) => {
    const asker = ctx.asker(request)
    const { password, destinationId, tz, language, ...what } = request.body as Static<typeof TableInput>
    checkZone(tz)
    checkMay(asker, what)
    const order = await orderTable(ctx, asker.agentId, what, { tz, language })
    return reply.status(201).send(await begin(asker, order, { password, destinationId }))
  })

  const Deliver = Type.Object({ destinationId: Id })
  app.post('/exports/:id/deliver', { config, schema: { params: Params, body: Deliver, response: { 200: Ok } } }, async (request) => {
    const asker = ctx.asker(request)
    const row = await visible((request.params as { id: string }).id, asker.agentId)
    if (row.agentId !== asker.agentId) throw new HubError('HUB_FORBIDDEN', 'Only who ordered it may send it on')
    const { destinationId } = request.body as Static<typeof Deliver>
    await mayDeliver(ctx, asker, destinationId)
    const order = JSON.parse(row.order) as Order
    checkMay(asker, order)
    checkSees(asker, row, order)
    if (!(await mayRead(ctx, asker.agentId, order))) throw missingTable()
    if (row.state !== 'running' && row.state !== 'done') throw missing()
    const fresh = { destinationId, state: 'due' as const, attempts: 0, dueAt: new Date(), holder: null, fault: '', name: '', sentAt: null }
    await ctx.em().upsert(ExportDelivery, { exportId: row.id, ...fresh })
    await ctx.enqueue('deliver', { id: row.id }, { key: row.id })
    return { ok: true as const }
  })

  app.get('/exports', { config, schema: { querystring: ListQuery, response: { 200: List } } }, async (request) => {
    const asker = ctx.asker(request)
    const { of = 'mine', cursor } = request.query as Static<typeof ListQuery>
    if (of === 'all' && !asker.can('export.oversee')) throw new HubError('HUB_FORBIDDEN', 'You may not do this', { permission: 'export.oversee' })
    const em = ctx.em()
    const before = cursor ? { $lt: cursor } : undefined
    const options = { limit: pageSize + 1, ...quiet }
    let ids: string[] | undefined
    if (of === 'shared') {
      const where = { agentId: asker.agentId, ...(before ? { exportId: before } : {}) }
      ids = (await em.find(ExportShare, where, { orderBy: { exportId: 'desc' }, ...options })).map((share) => share.exportId)
    }
    const where = ids ? { id: { $in: ids } } : { ...(of === 'mine' ? { agentId: asker.agentId } : {}), ...(before ? { id: before } : {}) }
    const rows = await em.find(ExportFile, where, { orderBy: { id: 'desc' }, ...options })
    const page = rows.slice(0, pageSize)
    return { items: await present(ctx, asker.agentId, page), cursor: rows.length > pageSize ? (page.at(-1)?.id ?? null) : null }
  })

  app.get('/exports/:id', { config, schema: { params: Params, response: { 200: ExportInfo } } }, async (request) => {
    const asker = ctx.asker(request)
    const row = await visible((request.params as { id: string }).id, asker.agentId, asker.can('export.oversee'))
    return (await present(ctx, asker.agentId, [row]))[0]
  })

  app.post('/exports/:id/cancel', { config, schema: { params: Params, response: { 200: Ok } } }, async (request) => {
    const asker = ctx.asker(request)
    const row = await visible((request.params as { id: string }).id, asker.agentId, asker.can('export.oversee'))
    if (row.agentId !== asker.agentId && !asker.can('export.oversee')) throw new HubError('HUB_FORBIDDEN', 'Only who ordered it may stop it')
    const now = new Date()
    // Its pieces go with the next sweep: the turn that writes it may just be putting one down.
    const expiresAt = new Date(now.getTime() + 60_000)
    const ended = { order: endedOrder(row.order), holder: null, leaseUntil: null, password: '', finishedAt: now, expiresAt }
    const stopped = await ctx.em().nativeUpdate(ExportFile, { id: row.id, state: 'running' }, { state: 'cancelled', ...ended })
    if (stopped) await ctx.tell('cancelled', { exportId: row.id, records: row.done })
    return { ok: true as const }
  })

  const Share = Type.Object({ agentIds: Type.Array(Id, { maxItems: 50, uniqueItems: true }) })
  app.put('/exports/:id/share', { config, schema: { params: Params, body: Share, response: { 200: Ok } } }, async (request) => {
    const { agentId } = ctx.asker(request)
    const row = await visible((request.params as { id: string }).id, agentId)
    if (row.agentId !== agentId) throw new HubError('HUB_FORBIDDEN', 'Only who ordered it may share it')
    const { agentIds } = request.body as Static<typeof Share>
    await checkShared(ctx, agentIds, JSON.parse(row.order) as Order, '/agentIds', row)
    await ctx.em().transactional(async (tx) => {
      await tx.nativeDelete(ExportShare, { exportId: row.id })
      if (agentIds.length > 0)
        await tx.insertMany(
          ExportShare,
          agentIds.map((id) => ({ agentId: id, exportId: row.id })),
        )
    })
    await ctx.tell('shared', { exportId: row.id, agentIds })
    return { ok: true as const }
  })

  app.get('/exports/:id/file', { config, schema: { params: Params } }, async (request, reply) => {
    const asker = ctx.asker(request)
    const row = await visible((request.params as { id: string }).id, asker.agentId)
    const order = JSON.parse(row.order) as Order
    if (row.state !== 'done' || !row.expiresAt || row.expiresAt <= new Date()) throw missing()
    checkMay(asker, order)
    checkSees(asker, row, order)
    if (!(await mayRead(ctx, asker.agentId, order))) throw missingTable()
    const stored = await ctx.blobs.read(row.blob)
    if (!stored) throw missing()
    // Known before the first byte leaves.
    await ctx.em().insert(ExportDownload, { id: newId(), exportId: row.id, agentId: asker.agentId, ip: request.ip.slice(0, 45), at: new Date() })
    await ctx.tell('downloaded', { exportId: row.id, records: row.total, rows: row.rows, personal: order.personal })
    const name = encodeURIComponent(row.name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
    return reply
      .headers({
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename*=UTF-8''${name}`,
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-store',
      })
      .send(stored)
  })

  app.get('/templates', { config, schema: { response: { 200: Type.Object({ items: Type.Array(Template) }) } } }, async (request) => {
    const { agentId } = ctx.asker(request)
    const rows = await ctx.em().find(ExportTemplate, { agentId }, { orderBy: { name: 'asc' }, limit: mostTemplates, ...quiet })
    return { items: rows.map(({ id, name, choices }) => ({ id, name, choices: JSON.parse(choices) })) }
  })

  app.put('/templates', { config, schema: { body: TemplateInput, response: { 200: Ok } } }, async (request) => {
    const { agentId } = ctx.asker(request)
    const { name, choices } = request.body as Static<typeof TemplateInput>
    const em = ctx.em()
    const changed = await em.nativeUpdate(ExportTemplate, { agentId, name: name.trim() }, { choices: JSON.stringify(choices) })
    if (changed === 0 && (await em.count(ExportTemplate, { agentId })) >= mostTemplates)
      throw refusal('HUB_CONFLICT', 'There are too many templates', 'templates')
    if (changed === 0)
      await em.upsert(
        ExportTemplate,
        { id: newId(), agentId, name: name.trim(), choices: JSON.stringify(choices), createdAt: new Date() },
        { onConflictFields: ['agentId', 'name'], onConflictMergeFields: ['choices'] },
      )
    return { ok: true as const }
  })

  app.delete('/templates/:id', { config, schema: { params: Params, response: { 200: Ok } } }, async (request) => {
    const { agentId } = ctx.asker(request)
    await ctx.em().nativeDelete(ExportTemplate, { id: (request.params as { id: string }).id, agentId })
    return { ok: true as const }
  })

  destinationRoutes(app, ctx)
  scheduleRoutes(app, ctx)
}

/** By person, of whom there are few, however often they came. */
async function downloadsOf(em: ReturnType<Ctx['em']>, exportIds: readonly string[]): Promise<Map<string, ExportInfo['downloads']>> {
  if (exportIds.length === 0) return new Map()
  const statement = `select max(id) as last, count(*) as times from export_download where export_id in (${exportIds.map(() => '?').join()}) group by export_id, agent_id`
  const groups = (await em.getConnection().execute(statement, [...exportIds])) as { last: string; times: number }[]
  const times = new Map(groups.map(({ last, times }) => [last, Number(times)]))
  const rows = await em.find(ExportDownload, { id: { $in: [...times.keys()] } }, { orderBy: { id: 'desc' }, ...quiet })
  const shown = (row: ExportDownload) => ({ agentId: row.agentId, times: times.get(row.id) ?? 1, at: row.at.toISOString() })
  return new Map([...Map.groupBy(rows, ({ exportId }) => exportId)].map(([exportId, of]) => [exportId, of.map(shown)]))
}

async function present(ctx: Ctx, agentId: string, rows: readonly ExportFile[]): Promise<ExportInfo[]> {
  const ids = rows.map(({ id }) => id)
  const em = ctx.em()
  const shares = Map.groupBy(await em.find(ExportShare, { exportId: { $in: ids } }, quiet), (share) => share.exportId)
  const downloads = await downloadsOf(em, ids)
  const deliveries = new Map((await em.find(ExportDelivery, { exportId: { $in: ids } }, quiet)).map((row) => [row.exportId, row]))
  const destinations = new Map(
    (await em.find(ExportDestination, { id: { $in: [...deliveries.values()].map(({ destinationId }) => destinationId) } }, quiet)).map(({ id, name }) => [
      id,
      name,
    ]),
  )
  return rows.map((row) => {
    const order = JSON.parse(row.order) as Order
    const mine = row.agentId === agentId
    const delivery = deliveries.get(row.id)
    return {
      id: row.id,
      agentId: row.agentId,
      mine,
      state: row.state,
      name: row.name,
      format: order.format,
      personal: order.personal,
      attachments: order.attachments,
      table: order.table?.label ?? '',
      delivery: delivery
        ? {
            destinationId: delivery.destinationId,
            to: destinations.get(delivery.destinationId) ?? '',
            state: delivery.state,
            fault: delivery.fault,
            at: delivery.sentAt?.toISOString() ?? null,
          }
        : null,
      locked: row.password !== '',
      total: row.total,
      done: row.done,
      rows: row.rows,
      bytes: Number(row.bytes),
      fault: row.fault,
      sharedWith: (shares.get(row.id) ?? []).map((share) => share.agentId),
      downloads: downloads.get(row.id) ?? [],
      createdAt: row.createdAt.toISOString(),
      finishedAt: row.finishedAt?.toISOString() ?? null,
      expiresAt: row.state === 'done' ? (row.expiresAt?.toISOString() ?? null) : null,
    }
  })
}
