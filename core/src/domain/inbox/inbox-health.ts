/** How inboxes are: what their adapters say, when they last lived, what waits. Turning tells admins, once over all processes. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { InboxHealth as Health } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { InboxHealth as WireHealth } from '../../../sdk/wire/inbox.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { writeEvents } from '../conversation/change.ts'
import { Inbox, InboxHealth } from './inbox.entity.ts'

const noteEveryMs = 5_000
const noted = new WeakMap<Hub, Map<string, number>>()

const untold = (inboxId: string) => ({
  inboxId,
  state: null,
  error: null,
  remedy: null,
  code: null,
  validUntil: null,
  changedAt: null,
  lastEventAt: null,
  lastSendAt: null,
})

async function ensureRow(em: Em, inboxId: string): Promise<void> {
  try {
    await em.insert(InboxHealth, untold(inboxId))
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error
  }
}

/** An event came in, a message went out: written every few seconds at most, never waited for. */
export function noteLife(hub: Hub, inboxId: string, what: 'lastEventAt' | 'lastSendAt'): void {
  const mine = noted.get(hub) ?? new Map<string, number>()
  noted.set(hub, mine)
  const key = `${inboxId}/${what}`
  const now = Date.now()
  if (now - (mine.get(key) ?? 0) < noteEveryMs) return
  mine.set(key, now)
  void (async () => {
    const em = hub.em()
    const update = () => em.nativeUpdate(InboxHealth, { inboxId }, { [what]: new Date(now) })
    if ((await update()) > 0) return
    await ensureRow(em, inboxId)
    await update()
  })().catch((error) => hub.log.warn({ err: error, inbox: inboxId }, 'a sign of life was not written'))
}

const bad = (state: Health['state']): boolean => state === 'broken' || state === 'unauthorised'

/** An adapter says how its inbox is. Throws HUB_NOT_FOUND when it is not this channel's. */
export async function tellHealth(hub: Hub, channel: string, inboxId: string, health: Health): Promise<void> {
  const em = hub.em()
  if ((await em.count(Inbox, { id: inboxId, channel })) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
  const told = {
    error: health.error ?? null,
    remedy: health.remedy ?? null,
    code: health.code?.slice(0, 60) ?? null,
    validUntil: health.validUntil ?? null,
  }
  if ((await em.count(InboxHealth, { inboxId })) === 0) await ensureRow(em, inboxId)
  let listeners = new Set<string>()
  const turned = await em.transactional(async (tx) => {
    // Of two processes that say the same, one changes the row.
    const changed = await tx.nativeUpdate(
      InboxHealth,
      { inboxId, $or: [{ state: null }, { state: { $ne: health.state } }] },
      { ...told, state: health.state, changedAt: new Date() },
    )
    if (changed === 0) {
      await tx.nativeUpdate(InboxHealth, { inboxId, state: health.state }, told)
      return false
    }
    listeners = await writeEvents(hub, tx as Em, [{ name: 'inbox.healthChanged', data: { inboxId, state: health.state, code: told.code } }])
    return true
  })
  if (!turned) return
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  hub.bus.publish('inbox.health', { inboxId, state: health.state, bad: bad(health.state) })
}

/** Of every inbox, with what waits to leave. */
export async function listHealth(em: Em): Promise<WireHealth[]> {
  const inboxes = await em.find(Inbox, {}, { orderBy: { createdAt: 'asc' }, limit: 500, fields: ['id'], disableIdentityMap: true })
  const rows = await em.find(InboxHealth, { inboxId: { $in: inboxes.map(({ id }) => id) } }, { disableIdentityMap: true })
  const byId = new Map(rows.map((row) => [row.inboxId, row]))
  // Normally nearly empty: what waits is joined, not counted per inbox.
  const waiting = (await em.execute(
    'select m.inbox_id as inbox_id, count(*) as behind, min(o.created_at) as oldest from outbound o join message m on m.id = o.message_id group by m.inbox_id',
  )) as { inbox_id: string; behind: number | string; oldest: string | number | Date }[]
  const behind = new Map(waiting.map((row) => [row.inbox_id, { count: Number(row.behind), oldest: instantOf(row.oldest) }]))
  return inboxes.map(({ id }) => {
    const row = byId.get(id)
    return {
      inboxId: id,
      state: row?.state ?? null,
      error: row?.error ?? null,
      remedy: row?.remedy ?? null,
      code: row?.code ?? null,
      validUntil: row?.validUntil?.toISOString() ?? null,
      changedAt: row?.changedAt?.toISOString() ?? null,
      lastEventAt: row?.lastEventAt?.toISOString() ?? null,
      lastSendAt: row?.lastSendAt?.toISOString() ?? null,
      behind: behind.get(id)?.count ?? 0,
      oldestBehindAt: behind.get(id)?.oldest ?? null,
    }
  })
}

/** Raw rows carry instants as the driver has them: a number on SQLite, UTC text or a date elsewhere. */
function instantOf(value: string | number | Date): string {
  if (value instanceof Date) return value.toISOString()
  return new Date(typeof value === 'number' ? value : `${value.replace(' ', 'T')}Z`).toISOString()
}
