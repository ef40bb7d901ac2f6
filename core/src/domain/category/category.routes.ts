/** Categories of matters, a tree, and the form of the service summary: designed by admins, used by everybody. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, Name, NullableId, Ok } from '../../../sdk/wire/common.ts'
import { CategoryNode, SummaryForm } from '../../../sdk/wire/record.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Category } from './category.entity.ts'
import { readSummaryForm, writeSummaryForm } from './summary-form.ts'

const most = 500
const deepest = 4

const CategoryInput = Type.Object({ name: Name(60), parentId: Type.Optional(NullableId) })
const CategoryPatch = Type.Partial(Type.Object({ name: Name(60), retired: Type.Boolean() }))
const Order = Type.Object({ ids: Type.Array(Id, { minItems: 1, maxItems: most }) })

export function categoryRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }
  const manage = { access: { permission: 'category.manage' } }

  /** Changes the tree and tells of it, in one transaction; a name that is there already is said at its field. */
  async function change(byAgentId: string, work: (em: Em) => Promise<void>, scope = 'categories'): Promise<void> {
    try {
      await commitWithEvents(hub, async (em) => {
        await work(em)
        return [{ name: 'settings.changed', data: { scope, byAgentId } }]
      })
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException)
        throw new HubError('HUB_CONFLICT', 'There is a category of this name here', { reason: 'name', path: '/name' })
      throw error
    }
  }

  app.get('/api/categories', { config, schema: { response: { 200: Type.Object({ items: Type.Array(CategoryNode) }) } } }, async () => {
    const rows = await hub.em().find(Category, {}, { orderBy: [{ position: 'asc' }, { id: 'asc' }], limit: most, disableIdentityMap: true })
    return { items: rows.map(present) }
  })

  app.post('/api/categories', { config: manage, schema: { body: CategoryInput, response: { 201: CategoryNode } } }, async (request, reply) => {
    const { name, parentId } = request.body
    const row = { id: newId(), parentId: parentId ?? '', name: name.trim(), position: 0, retiredAt: null, createdAt: new Date() } as Category
    await change(actorOf(request).agent.id, async (em) => {
      if ((await em.count(Category, {})) >= most) throw new HubError('HUB_LIST_FULL', 'There are as many categories as there can be', { most })
      if (parentId && (await depthOf(em, parentId)) >= deepest)
        throw new HubError('HUB_REQUEST_INVALID', 'Categories go four levels deep', {
          faults: [{ path: 'body/parentId', rule: 'tooDeep', limit: deepest, message: 'too deep' }],
        })
      row.position = await em.count(Category, { parentId: row.parentId })
      await em.insert(Category, row)
    })
    return reply.status(201).send(present(row))
  })

  app.patch('/api/categories/:id', { config: manage, schema: { params: IdParams, body: CategoryPatch, response: { 200: Ok } } }, async (request) => {
    const { name, retired } = request.body
    await change(actorOf(request).agent.id, async (em) => {
      const patch = {
        ...(name === undefined ? {} : { name: name.trim() }),
        ...(retired === undefined ? {} : { retiredAt: retired ? new Date() : null }),
      }
      if (!(await em.findOne(Category, { id: request.params.id }, { disableIdentityMap: true })))
        throw new HubError('HUB_NOT_FOUND', 'There is no such category')
      await em.nativeUpdate(Category, { id: request.params.id }, patch)
    })
    return { ok: true as const }
  })

  // Sisters in the order in which they are to stand.
  app.put('/api/categories/order', { config: manage, schema: { body: Order, response: { 200: Ok } } }, async (request) => {
    await change(actorOf(request).agent.id, async (em) => {
      for (const [position, id] of request.body.ids.entries()) await em.nativeUpdate(Category, { id }, { position })
    })
    return { ok: true as const }
  })

  // The app's language is the browser's, which need not be the agent's own.
  const FormQuery = Type.Object({ locale: Type.Optional(Type.Union([Type.Literal('zh'), Type.Literal('en')])) })
  app.get('/api/summary-form', { config, schema: { querystring: FormQuery, response: { 200: SummaryForm } } }, async (request) =>
    readSummaryForm(hub.em(), request.query.locale ?? actorOf(request).agent.locale),
  )

  app.put('/api/summary-form', { config: manage, schema: { body: SummaryForm, response: { 200: SummaryForm } } }, async (request) => {
    await change(actorOf(request).agent.id, (em) => writeSummaryForm(em, request.body), 'summary-form')
    return request.body
  })
}

const present = (row: Category) => ({
  id: row.id,
  parentId: row.parentId || null,
  name: row.name,
  position: row.position,
  retiredAt: row.retiredAt?.toISOString() ?? null,
})

/** 1 at the top. Throws HUB_NOT_FOUND. */
async function depthOf(em: Em, id: string): Promise<number> {
  let depth = 0
  for (let at = id; at !== ''; depth++) {
    const row = await em.findOne(Category, { id: at }, { disableIdentityMap: true })
    if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such category', { path: '/parentId' })
    at = row.parentId
  }
  return depth
}
