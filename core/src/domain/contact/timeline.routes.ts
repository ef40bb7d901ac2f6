/** One person, one timeline: every channel's conversations, activities, visits and calls, as far as the reader may see them. */
import { Type } from 'typebox'
import { IdParams, Page } from '../../../sdk/wire/common.ts'
import { TimelineEntry } from '../../../sdk/wire/contact.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { findReadableContact, tellContactView } from './contact.routes.ts'
import { readTimeline } from './read-timeline.ts'

const TimelineQuery = Type.Object({ cursor: Type.Optional(Type.String({ maxLength: 200 })) })

export function timelineRoutes(app: App, hub: Hub): void {
  app.get(
    '/api/contacts/:id/timeline',
    { config: { access: 'agent' as const }, schema: { params: IdParams, querystring: TimelineQuery, response: { 200: Page(TimelineEntry) } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const contact = await findReadableContact(em, actor, request.params.id)
      await tellContactView(hub, em, actor, contact.id)
      return readTimeline(em, actor, contact, request.query.cursor)
    },
  )
}
