/** What has had its time: sessions, counts of failed sign-ins, visits of who said nothing, what was owed of conversations that are purged, and files that no message ever carried. */
import type { HubEvents } from '../../sdk/events.ts'
import { firstIdAt } from '../db/types.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { dropFile } from '../domain/file/drop-file.ts'
import { StoredFile } from '../domain/file/file.entity.ts'
import { Delivery, ParkedEvent } from '../domain/message/message.entity.ts'
import { forgetOldFailures } from '../domain/session/login-throttle.ts'
import { Session } from '../domain/session/session.entity.ts'
import { Visit } from '../domain/visit/visit.entity.ts'
import type { Hub } from '../hub.ts'

/** A draft may hold a picture, an event that waits a letter: nobody comes back to either after so long. */
export const uncarriedMs = 30 * 86_400_000
/** A plugin that comes back by then hears what it missed. */
const goneMs = 7 * 86_400_000
const filesAtOnce = 100
/** What a page saw of somebody who never became a contact: their address, browser and trail. */
export const silentVisitMs = 90 * 86_400_000
const visitsAtOnce = 500

export async function tidy(hub: Hub, stopped: () => boolean = () => false, now = new Date()): Promise<void> {
  await hub.em().nativeDelete(Session, { expiresAt: { $lt: now } })
  await forgetOldFailures(hub.em(), now)
  // What plugins that are not here any more were owed.
  const here = new Set(hub.kernel.status().map(({ id }) => id))
  const owed = (await hub.em().execute('select distinct listener from event_delivery')) as { listener: string }[]
  for (const { listener } of owed)
    if (!here.has(listener)) await hub.em().nativeDelete(Delivery, { listener, createdAt: { $lt: new Date(now.getTime() - goneMs) } })
  await dropSilentVisits(hub, stopped, new Date(now.getTime() - silentVisitMs))
  await forgetPurged(hub, stopped)
  // Ids begin with their time, and the index of a conversation's files ends with them.
  const before = firstIdAt(new Date(now.getTime() - uncarriedMs))
  const waiting = await namedByParked(hub)
  for (let after = ''; !stopped(); ) {
    const where = { conversationId: null, id: { $gt: after, $lt: before } }
    const files = await hub.em().find(StoredFile, where, {
      fields: ['id', 'hash', 'hasThumbnail', 'conversationId'],
      orderBy: { id: 'asc' },
      limit: filesAtOnce,
      disableIdentityMap: true,
    })
    for (const file of files)
      if (!waiting.has(file.id)) await dropFile(hub, file).catch((error) => hub.log.error({ err: error, file: file.id }, 'a file could not be deleted'))
    if (files.length < filesAtOnce) return
    after = files.at(-1)?.id ?? ''
  }
}

/** What waits to be taken in, or for an operator to try it again, keeps its files: every id that it names. */
async function namedByParked(hub: Hub): Promise<Set<string>> {
  const ids = new Set<string>()
  for (let after = ''; ; ) {
    const rows = await hub
      .em()
      .find(ParkedEvent, { id: { $gt: after } }, { fields: ['event'], orderBy: { id: 'asc' }, limit: filesAtOnce, disableIdentityMap: true })
    for (const { event } of rows) for (const [id] of JSON.stringify(event).matchAll(/\b[0-9a-z]{26}\b/g)) ids.add(id)
    if (rows.length < filesAtOnce) return ids
    after = rows.at(-1)?.id ?? ''
  }
}

/** Found by the index that begins with whose they are: those of contacts are not walked over. */
async function dropSilentVisits(hub: Hub, stopped: () => boolean, before: Date): Promise<void> {
  const silent = { contactId: null, identityId: null, startedAt: { $lt: before }, seenAt: { $lt: before } }
  while (!stopped()) {
    const em = hub.em()
    const visits = await em.find(Visit, silent, { orderBy: { startedAt: 'asc' }, limit: visitsAtOnce, fields: ['id'], disableIdentityMap: true })
    // Whoever comes back just now and is known again keeps theirs.
    if (visits.length > 0) await em.nativeDelete(Visit, { ...silent, id: { $in: visits.map(({ id }) => id) } })
    if (visits.length < visitsAtOnce) return
  }
}

/** Events that hold what was said. */
const saying = ['message.received', 'message.sent', 'message.failed']
const owedAtOnce = 500

/** Listeners are still owed what was said in conversations that are purged, or were given up on: nobody is told any more. */
async function forgetPurged(hub: Hub, stopped: () => boolean): Promise<void> {
  const conversationOf = ({ data }: Pick<Delivery, 'data'>): string => (data as Partial<HubEvents['message.received']>).message?.conversationId ?? ''
  for (let after = ''; !stopped(); ) {
    const em = hub.em()
    const rows = await em.find(
      Delivery,
      { id: { $gt: after }, name: { $in: saying } },
      { fields: ['id', 'data'], orderBy: { id: 'asc' }, limit: owedAtOnce, disableIdentityMap: true },
    )
    const there = await em.find(Conversation, { id: { $in: [...new Set(rows.map(conversationOf))] } }, { fields: ['id'], disableIdentityMap: true })
    const known = new Set(there.map(({ id }) => id))
    const gone = rows.filter((row) => conversationOf(row) !== '' && !known.has(conversationOf(row))).map(({ id }) => id)
    if (gone.length > 0) await em.nativeDelete(Delivery, { id: { $in: gone } })
    if (rows.length < owedAtOnce) return
    after = rows.at(-1)?.id ?? after
  }
}
