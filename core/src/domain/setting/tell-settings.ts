import type { FastifyRequest } from 'fastify'
import type { HubEvents } from '../../../sdk/events.ts'
import type { Em } from '../../db/orm.ts'
import { actorOf } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents, type EventToTell } from '../conversation/change.ts'

type Changed = Omit<HubEvents['settings.changed'], 'byAgentId'>

/** That who asks has changed how the hub is set up. Names of fields, never what stands in them: there are secrets among them. */
export const settingsChanged = (request: FastifyRequest, changed: Changed): EventToTell => ({
  name: 'settings.changed',
  data: { ...changed, byAgentId: actorOf(request).agent.id },
})

/** Changes how the hub is set up and tells of it, in one transaction. */
export const changeSettings = (hub: Hub, request: FastifyRequest, work: (em: Em) => Promise<Changed>): Promise<void> =>
  commitWithEvents(hub, async (em) => [settingsChanged(request, await work(em))])
