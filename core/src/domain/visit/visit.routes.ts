/** The four lists of visitors (row 6): online, in conversation, talked today, left without a word. */
import { Type } from 'typebox'
import { Page, PageQuery } from '../../../sdk/wire/common.ts'
import { Visit as WireVisit } from '../../../sdk/wire/contact.ts'
import { beforeRow, encodeCursor } from '../../db/keyset.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Contact } from '../contact/contact.entity.ts'
import { Visit } from './visit.entity.ts'
import { presentVisit, visitTtlMs } from './visit.present.ts'

const VisitorQuery = Type.Object({
  ...PageQuery.properties,
  list: Type.Union([Type.Literal('online'), Type.Literal('talking'), Type.Literal('talked'), Type.Literal('left')]),
})

export function visitRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/visitors',
    { config: { access: { permission: 'visitor.read' } }, schema: { querystring: VisitorQuery, response: { 200: Page(WireVisit) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const { list, cursor, limit = 50 } = request.query
      const alive = new Date(Date.now() - visitTtlMs)
      const midnight = new Date()
      midnight.setHours(0, 0, 0, 0)
      const where = {
        online: { seenAt: { $gte: alive }, spokeAt: null },
        talking: { seenAt: { $gte: alive }, spokeAt: { $ne: null } },
        talked: { spokeAt: { $gte: midnight }, seenAt: { $gte: midnight, $lt: alive } },
        left: { seenAt: { $gte: midnight, $lt: alive }, spokeAt: null },
      }[list]
      const rows = await em.find(
        Visit,
        { $and: [where, beforeRow('seenAt', cursor)] },
        { orderBy: [{ seenAt: 'desc' }, { id: 'desc' }], limit: limit + 1, disableIdentityMap: true },
      )
      const page = rows.slice(0, limit)
      const contacts = new Map(
        (await em.find(Contact, { id: { $in: page.flatMap((visit) => visit.contactId ?? []) } }, { disableIdentityMap: true })).map((c) => [c.id, c]),
      )
      const last = page.at(-1)
      return {
        items: page.map((visit) => presentVisit(actor.ability, visit, contacts.get(visit.contactId ?? ''))),
        cursor: rows.length > limit && last ? encodeCursor([last.seenAt.getTime(), last.id]) : null,
      }
    },
  )
}
