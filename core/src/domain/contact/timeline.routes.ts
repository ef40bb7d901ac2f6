/** One person: the timeline of all there was with them, and all that was said as one thread, as far as the reader may see it. */
import { Type } from 'typebox'
import { IdParams, Page } from '../../../sdk/wire/common.ts'
import { ContactThread, TimelineEntry } from '../../../sdk/wire/contact.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { viewOf, worksIn } from '../conversation/conversation.routes.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { FilterQuery, readFilter, searchOf, toldFilter } from '../record/find/find.routes.ts'
import { checkTimeZone } from '../record/find/period.ts'
import { findReadableContact, tellContactView } from './contact.routes.ts'
import { readThread } from './read-thread.ts'
import { readTimeline } from './read-timeline.ts'
import { longestCursor } from './thread-place.ts'

const TimelineQuery = Type.Object({ cursor: Type.Optional(Type.String({ maxLength: 200 })) })
const ThreadQuery = Type.Object({
  ...FilterQuery.properties,
  /** Which end is read first. */
  end: Type.Optional(Type.Union([Type.Literal('oldest'), Type.Literal('newest')])),
  cursor: Type.Optional(Type.String({ maxLength: longestCursor })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
})

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

  app.get(
    '/api/contacts/:id/messages',
    { config: { access: 'agent' as const }, schema: { params: IdParams, querystring: ThreadQuery, response: { 200: ContactThread } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const { filter, tz, end = 'oldest', cursor, limit } = request.query
      const contact = await findReadableContact(em, actor, request.params.id)
      await tellContactView(hub, em, actor, contact.id)
      const asked = readFilter(filter)
      const thread = await readThread(hub, em, actor, contact, asked, { tz: checkTimeZone(tz ?? 'UTC'), end, cursor, limit })
      const viewed = thread.conversations.filter((conversation) => !worksIn(actor, conversation))
      // Words are looked for by hand, in one's own conversation too; other conditions come with how the thread is shown.
      const wanted = { ...asked, contactId: contact.id }
      const search = searchOf(actor, { filter: JSON.stringify({ ...wanted, end }), cursor }, { filter: toldFilter(wanted), shown: thread.items.length })
      await tellOnce(hub, [...(asked.keyword?.trim() ? [search] : []), ...viewed.map(({ id }) => viewOf(actor, id))])
      return thread
    },
  )
}
