/** Destinations: an admin names them; who may send exports there chooses one. A secret key is never read back. */
import type { Asker } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Id, Ok } from '@huike/core/sdk/wire/common.ts'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Ctx } from './context.ts'
import { faultOf, outletOf, Place } from './destination.ts'
import { newId } from './export.entity.ts'
import { refusal } from './refusals.ts'
import { ExportDestination, ExportSchedule } from './schedule.entity.ts'

const mostDestinations = 50
const quiet = { disableIdentityMap: true }
const Params = Type.Object({ id: Id })
/** `place` only for who manages them. */
const DestinationInfo = Type.Object({ id: Id, name: Type.String(), kind: Type.String(), place: Type.Optional(Place) })
export type DestinationInfo = Static<typeof DestinationInfo>
const Input = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 60, pattern: '\\S' }),
    place: Place,
    /** Of a bucket; missing keeps the one there is. */
    secretKey: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
)

const missing = () => new HubError('HUB_NOT_FOUND', 'There is no such destination')

/** Throws HUB_FORBIDDEN, HUB_NOT_FOUND. */
export async function mayDeliver(ctx: Ctx, asker: Asker, destinationId: string): Promise<void> {
  if (!asker.can('export.deliver')) throw new HubError('HUB_FORBIDDEN', 'You may not send exports anywhere', { permission: 'export.deliver' })
  if ((await ctx.em().count(ExportDestination, { id: destinationId })) === 0) throw missing()
}

export function destinationRoutes(app: FastifyInstance, ctx: Ctx): void {
  const manage = { access: { permission: 'export.destination', person: true as const } }
  const choose = { access: { permission: ['export.destination', 'export.deliver'], person: true as const } }
  const find = async (request: { params: unknown }) => {
    const row = await ctx.em().findOne(ExportDestination, { id: (request.params as { id: string }).id }, quiet)
    if (!row) throw missing()
    return row
  }
  const taken = (error: unknown) =>
    error instanceof UniqueConstraintViolationException
      ? new HubError('HUB_CONFLICT', 'There is a destination of this name', { reason: 'name', path: '/name' })
      : (error as Error)
  const present = (row: ExportDestination, all: boolean): DestinationInfo => ({
    id: row.id,
    name: row.name,
    kind: row.kind,
    ...(all ? { place: JSON.parse(row.place) as Place } : {}),
  })

  app.get('/destinations', { config: choose, schema: { response: { 200: Type.Object({ items: Type.Array(DestinationInfo) }) } } }, async (request) => {
    const all = ctx.asker(request).can('export.destination')
    const rows = await ctx.em().find(ExportDestination, {}, { orderBy: { name: 'asc' }, limit: mostDestinations, ...quiet })
    return { items: rows.map((row) => present(row, all)) }
  })

  app.post('/destinations', { config: manage, schema: { body: Input, response: { 201: DestinationInfo } } }, async (request, reply) => {
    const { name, place, secretKey } = request.body as Static<typeof Input>
    if (place.kind === 'bucket' && !secretKey) throw refusal('HUB_REQUEST_INVALID', 'A bucket needs its secret key', 'secretKey', '/secretKey')
    const em = ctx.em()
    if ((await em.count(ExportDestination, {})) >= mostDestinations) throw refusal('HUB_CONFLICT', 'There are too many destinations', 'destinations')
    const row = {
      id: newId(),
      name: name.trim(),
      kind: place.kind,
      place: JSON.stringify(place),
      secretKey: secretKey && place.kind === 'bucket' ? ctx.seal(secretKey) : '',
      createdAt: new Date(),
    }
    await em.insert(ExportDestination, row).catch((error) => Promise.reject(taken(error)))
    await ctx.tell('destinationChanged', { destinationId: row.id, name: row.name, change: 'created' })
    return reply.status(201).send(present(row as ExportDestination, true))
  })

  app.put('/destinations/:id', { config: manage, schema: { params: Params, body: Input, response: { 200: Ok } } }, async (request) => {
    const row = await find(request)
    const { name, place, secretKey } = request.body as Static<typeof Input>
    // A key that was given for one address is not sent to another.
    const before = JSON.parse(row.place) as Place
    const elsewhere = place.kind === 'bucket' && !(before.kind === 'bucket' && before.endpoint === place.endpoint && before.accessKey === place.accessKey)
    if (elsewhere && !secretKey) throw refusal('HUB_REQUEST_INVALID', 'Another address needs its secret key', 'secretKey', '/secretKey')
    const sealed = place.kind === 'folder' ? '' : secretKey ? ctx.seal(secretKey) : row.secretKey
    await ctx
      .em()
      .nativeUpdate(ExportDestination, { id: row.id }, { name: name.trim(), kind: place.kind, place: JSON.stringify(place), secretKey: sealed })
      .catch((error) => Promise.reject(taken(error)))
    await ctx.tell('destinationChanged', { destinationId: row.id, name: name.trim(), change: 'changed' })
    return { ok: true as const }
  })

  app.delete('/destinations/:id', { config: manage, schema: { params: Params, response: { 200: Ok } } }, async (request) => {
    const row = await find(request)
    const em = ctx.em()
    if ((await em.count(ExportSchedule, { destinationId: row.id })) > 0) throw new HubError('HUB_CONFLICT', 'Schedules send to it', { reason: 'schedules' })
    await em.nativeDelete(ExportDestination, { id: row.id })
    await ctx.tell('destinationChanged', { destinationId: row.id, name: row.name, change: 'deleted' })
    return { ok: true as const }
  })

  const Checked = Type.Object({ fault: Type.String() })
  app.post('/destinations/:id/check', { config: manage, schema: { params: Params, response: { 200: Checked } } }, async (request) => {
    const row = await find(request)
    try {
      await outletOf(ctx, row).check()
      return { fault: '' }
    } catch (error) {
      return { fault: faultOf(error) }
    }
  })
}
