/** The four lists of visitors (row 6): online, in conversation, talked today, left without a word. */
import { type Static, Type } from 'typebox'
import { Page, PageQuery } from '../../../sdk/wire/common.ts'
import { Visit as WireVisit } from '../../../sdk/wire/contact.ts'
import { whereAllowed } from '../../access/scope.ts'
import { encodeCursor } from '../../db/keyset.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { findReadableContacts } from '../contact/contact.routes.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { checkTimeZone } from '../record/find/period.ts'
import { listVisitors } from './list-visitors.ts'
import { presentVisit } from './visit.present.ts'

const VisitorQuery = Type.Object({
  ...PageQuery.properties,
  list: Type.Union([Type.Literal('online'), Type.Literal('talking'), Type.Literal('talked'), Type.Literal('left')]),
  /** IANA name of the reader's time zone: when today began. */
  tz: Type.Optional(Type.String({ maxLength: 60 })),
})

/** Who is somebody, and with whom the reader does not talk, has been looked at. */
async function tellListed(hub: Hub, { agent }: Actor, contactIds: readonly string[], { list, cursor }: Static<typeof VisitorQuery>) {
  if (contactIds.length === 0) return
  const own = await hub
    .em()
    .find(Conversation, { contactId: { $in: [...contactIds] }, assigneeId: agent.id, status: 'open' }, { fields: ['contactId'], disableIdentityMap: true })
  const shown = contactIds.length - new Set(own.map(({ contactId }) => contactId)).size
  if (shown === 0) return
  const data = { list, shown, ...(cursor === undefined ? {} : { further: true as const }) }
  await tellOnce(hub, [{ same: ['visitors', agent.id, list, cursor ?? ''], event: { name: 'visitor.listed', data } }])
}

export function visitRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/visitors',
    { config: { access: { permission: 'visitor.read' } }, schema: { querystring: VisitorQuery, response: { 200: Page(WireVisit) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const { list, tz = 'UTC', cursor, limit = 50 } = request.query
      const allowed = whereAllowed(actor.ability, 'read', 'visitor')
      const rows = allowed ? await listVisitors(em, allowed, { list, tz: checkTimeZone(tz), cursor, limit: limit + 1 }) : []
      const page = rows.slice(0, limit)
      const contactIds = page.flatMap(({ contactId }) => contactId ?? [])
      const contacts = await findReadableContacts(em, actor, contactIds)
      const last = page.at(-1)
      await tellListed(hub, actor, [...contacts.keys()], request.query)
      return {
        items: page.map((visit) => presentVisit(actor.ability, visit, contacts.get(visit.contactId ?? ''))),
        cursor: rows.length > limit && last ? encodeCursor([last.seenAt.getTime(), last.id]) : null,
      }
    },
  )
}
