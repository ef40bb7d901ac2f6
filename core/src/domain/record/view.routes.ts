/** What a person keeps for themselves: filters under a name, and choices such as the columns of a list. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Name, Ok } from '../../../sdk/wire/common.ts'
import { RecordFilter, RecordView as WireView } from '../../../sdk/wire/record.ts'
import { newId } from '../../db/types.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { AgentPreference, RecordView } from './record.entity.ts'

const mostViews = 50
const mostPreferences = 50
const mostPreferenceBytes = 10_000

const ViewInput = Type.Object({ name: Name(60), filter: RecordFilter })
const PreferenceParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 60, pattern: '^[a-z][A-Za-z0-9.-]*$' }) })
const Preference = Type.Object({ value: Type.Unknown() })

export function viewRoutes(app: App, hub: Hub): void {
  const config = { access: 'person' as const }
  const present = ({ id, name, filter }: RecordView) => ({ id, name, filter })
  const conflict = (error: unknown) =>
    error instanceof UniqueConstraintViolationException
      ? new HubError('HUB_CONFLICT', 'You have a view of this name', { reason: 'name', path: '/name' })
      : (error as Error)

  app.get('/api/record-views', { config, schema: { response: { 200: Type.Object({ items: Type.Array(WireView) }) } } }, async (request) => {
    const rows = await hub
      .em()
      .find(RecordView, { agentId: actorOf(request).agent.id }, { orderBy: { createdAt: 'asc' }, limit: mostViews, disableIdentityMap: true })
    return { items: rows.map(present) }
  })

  app.post('/api/record-views', { config, schema: { body: ViewInput, response: { 201: WireView } } }, async (request, reply) => {
    const agentId = actorOf(request).agent.id
    const em = hub.em()
    if ((await em.count(RecordView, { agentId })) >= mostViews)
      throw new HubError('HUB_LIST_FULL', 'You have as many views as there can be', { most: mostViews })
    const row = { id: newId(), agentId, name: request.body.name.trim(), filter: request.body.filter, createdAt: new Date() } as RecordView
    await em.insert(RecordView, row).catch((error) => Promise.reject(conflict(error)))
    return reply.status(201).send(present(row))
  })

  app.patch('/api/record-views/:id', { config, schema: { params: IdParams, body: Type.Partial(ViewInput), response: { 200: Ok } } }, async (request) => {
    const { name, filter } = request.body
    const patch = { ...(name === undefined ? {} : { name: name.trim() }), ...(filter === undefined ? {} : { filter }) }
    const where = { id: request.params.id, agentId: actorOf(request).agent.id }
    const em = hub.em()
    if ((await em.count(RecordView, where)) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such view')
    await em.nativeUpdate(RecordView, where, patch).catch((error) => Promise.reject(conflict(error)))
    return { ok: true as const }
  })

  app.delete('/api/record-views/:id', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    await hub.em().nativeDelete(RecordView, { id: request.params.id, agentId: actorOf(request).agent.id })
    return { ok: true as const }
  })

  app.get('/api/preferences/:name', { config, schema: { params: PreferenceParams, response: { 200: Preference } } }, async (request) => {
    const row = await hub.em().findOne(AgentPreference, { agentId: actorOf(request).agent.id, name: request.params.name }, { disableIdentityMap: true })
    return { value: row?.value ?? null }
  })

  // Nothing is the same as none: it makes room for another.
  app.put('/api/preferences/:name', { config, schema: { params: PreferenceParams, body: Preference, response: { 200: Ok } } }, async (request) => {
    const agentId = actorOf(request).agent.id
    const em = hub.em()
    const { name } = request.params
    const value = request.body.value ?? null
    if (value === null) {
      await em.nativeDelete(AgentPreference, { agentId, name })
      return { ok: true as const }
    }
    if (JSON.stringify(value).length > mostPreferenceBytes)
      throw new HubError('HUB_REQUEST_TOO_LARGE', 'A preference is ten kilobytes at most', { max: mostPreferenceBytes })
    if ((await em.count(AgentPreference, { agentId, name: { $ne: name } })) >= mostPreferences)
      throw new HubError('HUB_LIST_FULL', 'You have as many preferences as there can be', { most: mostPreferences })
    await em.upsert(AgentPreference, { agentId, name, value, updatedAt: new Date() })
    return { ok: true as const }
  })
}
