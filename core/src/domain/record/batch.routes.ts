/** What is done to records: to one at once, to many in the background. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams, Ok } from '../../../sdk/wire/common.ts'
import { type BatchAction, BatchAtWork, BatchInput, BatchState } from '../../../sdk/wire/record.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Category } from '../category/category.entity.ts'
import { Tag } from '../tag/tag.entity.ts'
import { batchesAtWork, cancelBatch, findBatch, presentBatch, startBatch } from './batch.ts'
import { changeRecord } from './change-record.ts'
import { checkTimeZone } from './find/period.ts'

const single: readonly BatchAction[] = ['archive', 'unarchive', 'delete', 'restore', 'purge']

export function batchRoutes(app: App, hub: Hub): void {
  for (const action of single)
    app.post(`/api/records/:id/${action}`, { config: { access: 'agent' }, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
      await changeRecord(hub, actorOf(request), request.params.id, { action })
      return { ok: true as const }
    })

  // Not with an API token: the work goes on after the request, by what the person may.
  const config = { access: { permission: 'record.batch', person: true as const } }

  app.post(
    '/api/records/batch',
    { config, schema: { summary: 'Do one thing to many records', body: BatchInput, response: { 201: BatchState } } },
    async (request, reply) => {
      const { action, ids, filter, tagId, categoryId } = request.body
      if ((ids === undefined) === (filter === undefined)) throw new HubError('HUB_REQUEST_INVALID', 'Name the records, or give a filter')
      checkTimeZone(request.body.tz ?? 'UTC')
      const em = hub.em()
      if ((action === 'tag' || action === 'untag') && !(tagId && (await em.findOne(Tag, { id: tagId }))))
        throw new HubError('HUB_NOT_FOUND', 'There is no such tag', { path: '/tagId' })
      if (action === 'categorise' && categoryId && !(await em.findOne(Category, { id: categoryId, retiredAt: null })))
        throw new HubError('HUB_NOT_FOUND', 'There is no such category', { path: '/categoryId' })
      return reply.status(201).send(await startBatch(hub, actorOf(request).agent.id, request.body))
    },
  )

  app.get(
    '/api/records/batch',
    {
      config,
      schema: {
        summary: 'What is being done to many records: one’s own, for an owner everybody’s',
        response: { 200: Type.Object({ items: Type.Array(BatchAtWork) }) },
      },
    },
    async (request) => ({ items: await batchesAtWork(hub, actorOf(request)) }),
  )

  app.get('/api/records/batch/:id', { config, schema: { params: IdParams, response: { 200: BatchState } } }, async (request) =>
    presentBatch(await findBatch(hub, actorOf(request), request.params.id)),
  )

  app.delete('/api/records/batch/:id', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    await cancelBatch(hub, await findBatch(hub, actorOf(request), request.params.id))
    return { ok: true as const }
  })
}
