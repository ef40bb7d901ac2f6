/** How inboxes are: what their adapters say, when they last lived, what waits. Turning tells admins, once over all processes. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { InboxHealth as Health, LocalText } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { NoticeInput } from '../../../sdk/plugin.ts'
import type { InboxHealth as WireHealth } from '../../../sdk/wire/inbox.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Hub } from '../../hub.ts'
import { writeEvents } from '../conversation/change.ts'
import { Outbound } from '../message/message.entity.ts'
import { endNotice, tellNotices, writeNotice } from '../notice/raise-notice.ts'
import { Inbox, InboxHealth } from './inbox.entity.ts'
import { readCredentials } from './read-credentials.ts'

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
  byHub: false,
  sendFaults: 0,
  lastError: null,
  lastErrorAt: null,
  lastEventAt: null,
  lastSendAt: null,
  refusedPushes: 0,
  refusedSince: null,
  refusedAt: null,
})

export async function ensureRow(em: Em, inboxId: string): Promise<null> {
  try {
    await em.insert(InboxHealth, untold(inboxId))
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error
  }
  return null
}

/** Whichever process finds that an inbox is broken: the next message that any of them gets through counts at once. */
function remember(hub: Hub): Map<string, number> {
  const mine = new Map<string, number>()
  noted.set(hub, mine)
  hub.bus.subscribe('inbox.health', (data) => {
    const { inboxId, bad: broken } = data as { inboxId: string; bad: boolean }
    if (broken) mine.delete(noteKey(inboxId, 'lastSendAt'))
  })
  return mine
}

type Life = 'lastEventAt' | 'lastSendAt'
const noteKey = (inboxId: string, what: Life | 'heard'): string => `${inboxId}/${what}`

/**
 * An event came in, a message went out, or (`heard`) the platform proved itself without saying anything: written every few
 * seconds at most, never waited for. It also says that the inbox is connected, where nobody has said anything else.
 */
export function noteLife(hub: Hub, inboxId: string, what: Life | 'heard'): void {
  const mine = noted.get(hub) ?? remember(hub)
  const key = noteKey(inboxId, what)
  const now = Date.now()
  if (now - (mine.get(key) ?? 0) < noteEveryMs) return
  mine.set(key, now)
  void (async () => {
    const em = hub.em()
    const row = (await findRow(em, inboxId)) ?? (await ensureRow(em, inboxId))
    if (what !== 'heard') await em.nativeUpdate(InboxHealth, { inboxId }, { [what]: new Date(now) })
    // A push proves nothing of the way out: what sends have broken a send mends.
    const mended = what === 'lastSendAt' && (row?.byHub || (row?.sendFaults ?? 0) > 0)
    if (mended) await em.nativeUpdate(InboxHealth, { inboxId }, { sendFaults: 0 })
    if (row?.state == null || (mended && row.byHub)) await turnByHub(hub, inboxId, { state: 'connected' })
  })().catch((error) => hub.log.warn({ err: error, inbox: inboxId }, 'a sign of life was not written'))
}

export const findRow = (em: Em, inboxId: string): Promise<InboxHealth | null> => em.findOne(InboxHealth, { inboxId }, { disableIdentityMap: true })

/** So many sends in a row that the platform did not take are no accident. */
const faultsToBreak = 3

export interface SendFault {
  /** What happened, for admins. */
  fault: LocalText | undefined
  code: string
  /** It was a message's last try. */
  last: boolean
}

/**
 * A message could not be handed over for a reason that is not its own. The next that goes through ends the count. Never
 * throws: the message's own fate is more important.
 */
export async function noteSendFault(hub: Hub, { id: inboxId }: { id: string }, { fault, code, last }: SendFault): Promise<void> {
  noted.get(hub)?.delete(noteKey(inboxId, 'lastSendAt'))
  try {
    const em = hub.em()
    if (!(await findRow(em, inboxId))) await ensureRow(em, inboxId)
    await em.execute('update inbox_health set send_faults = send_faults + 1 where inbox_id = ?', [inboxId])
    const error = fault ?? { zh: '平台没有接收消息', en: 'The platform does not take messages' }
    await em.nativeUpdate(InboxHealth, { inboxId }, { lastError: error, lastErrorAt: new Date() })
    if (!last && ((await findRow(em, inboxId))?.sendFaults ?? 0) < faultsToBreak) return
    await turnByHub(hub, inboxId, { state: 'broken', code, error, remedy: networkRemedy })
  } catch (error) {
    hub.log.warn({ err: error, inbox: inboxId }, 'a failed send was not noted')
  }
}

const networkRemedy: LocalText = {
  zh: '请检查本系统到平台的网络和渠道账号设置，再做一次连接测试；测试通过或下一条消息发出后即恢复。',
  en: 'Check the network between this hub and the platform, and the inbox’s settings, then try the connection. It recovers with a test that goes well or the next message that goes out.',
}

async function turnByHub(hub: Hub, inboxId: string, health: Health): Promise<void> {
  const inbox = await hub.em().findOne(Inbox, { id: inboxId }, { fields: ['name', 'enabled'], disableIdentityMap: true })
  if (inbox?.enabled) await turn(hub, { id: inboxId, name: inbox.name }, health, true)
}

const bad = (state: Health['state']): boolean => state === 'broken' || state === 'unauthorised'

/** An adapter says how its inbox is. Throws HUB_NOT_FOUND when it is not this channel's. */
export async function tellHealth(hub: Hub, channel: string, inboxId: string, health: Health): Promise<void> {
  const em = hub.em()
  const inbox = await em.findOne(Inbox, { id: inboxId, channel }, { fields: ['name'], disableIdentityMap: true })
  if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
  if (!(await findRow(em, inboxId))) await ensureRow(em, inboxId)
  await turn(hub, { id: inboxId, name: inbox.name }, health, false)
}

/**
 * A connection test of what is saved went well from end to end: whoever said that it is wrong, it no longer is. What waited
 * for it leaves now. The next send that fails breaks it again at once: no three of them are needed to doubt a test.
 */
export async function mendByTest(hub: Hub, inboxId: string): Promise<void> {
  const em = hub.em()
  if (!bad((await findRow(em, inboxId))?.state ?? 'connecting')) return
  await em.nativeUpdate(InboxHealth, { inboxId }, { byHub: true, sendFaults: faultsToBreak - 1 })
  await turnByHub(hub, inboxId, { state: 'connected' })
  await hastenSends(hub, inboxId)
}

export async function isBad(em: Em, inboxId: string): Promise<boolean> {
  return bad((await findRow(em, inboxId))?.state ?? 'connecting')
}

/** Conversations whose turn comes at once; the others have their own time. */
const mostHastened = 500

/** What has failed before and waits for its next try is tried now: what was wrong with the inbox is mended. */
export async function hastenSends(hub: Hub, inboxId: string): Promise<void> {
  const em = hub.em()
  const waiting = (await em.execute(
    `select o.message_id as message_id, o.conversation_id as conversation_id from outbound o join message m on m.id = o.message_id
     where m.inbox_id = ? and o.state = 'queued' and m.failure is not null order by o.created_at limit ${mostHastened}`,
    [inboxId],
  )) as { message_id: string; conversation_id: string }[]
  if (waiting.length === 0) return
  await em.nativeUpdate(Outbound, { messageId: { $in: waiting.map((row) => row.message_id) }, state: 'queued' }, { dueAt: new Date() })
  for (const { conversation_id } of waiting) hub.queue.hurry('outbound', conversation_id)
}

/**
 * Whose word stands: the hub's own changes nothing that an adapter said is bad; what only sending found (`bySends`) is not well
 * because a token is.
 */
function mayTurn(health: Health, byHub: boolean): object {
  const well = [{ state: null }, { state: { $in: ['connected', 'connecting'] } }]
  if (byHub && bad(health.state)) return { $or: well }
  if (health.onlySending && bad(health.state)) return { $or: [...well, { byHub: true, state: { $ne: health.state } }] }
  if (byHub) return { $or: [{ state: null }, { byHub: true }] }
  const turns = { $or: [{ state: null }, { state: { $ne: health.state } }] }
  return bad(health.state) ? turns : { byHub: false, ...turns }
}

async function turn(hub: Hub, inbox: { id: string; name: string }, health: Health, byHub: boolean): Promise<void> {
  const { id: inboxId, name } = inbox
  const bySends = byHub || health.onlySending === true
  const told = {
    error: health.error ?? null,
    remedy: health.remedy ?? null,
    code: health.code?.slice(0, 60) ?? null,
    // What the hub finds out says nothing about credentials.
    ...(byHub ? {} : { validUntil: health.validUntil ?? null }),
  }
  let listeners = new Set<string>()
  let noticed: string[] = []
  const turned = await retryOnConflict(() =>
    hub.em().transactional(async (tx) => {
      const now = new Date()
      if (bad(health.state)) await tx.nativeUpdate(InboxHealth, { inboxId }, { lastErrorAt: now, ...(health.error ? { lastError: health.error } : {}) })
      // Of two processes that say the same, one changes the row.
      const changed = await tx.nativeUpdate(
        InboxHealth,
        { inboxId, ...mayTurn(health, byHub) },
        { ...told, state: health.state, byHub: bySends && bad(health.state), changedAt: now },
      )
      if (changed === 0) {
        if (!bySends) await tx.nativeUpdate(InboxHealth, { inboxId, state: health.state }, { ...told, byHub: false })
        return false
      }
      listeners = await writeEvents(hub, tx as Em, [{ name: 'inbox.healthChanged', data: { inboxId, state: health.state, code: told.code } }])
      if (bad(health.state)) noticed = await writeNotice(tx as Em, breakOf(inboxId, name, health))
      else if (health.state === 'connected') noticed = await endNotice(tx as Em, brokenKind, inboxId)
      return true
    }),
  )
  if (!turned) return
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
  hub.bus.publish('inbox.health', { inboxId, state: health.state, bad: bad(health.state) })
  tellNotices(hub, noticed)
}

const brokenKind = 'inbox.broken'

function breakOf(inboxId: string, name: string, { state, error, remedy }: Health): NoticeInput {
  const refused = state === 'unauthorised'
  const words = (language: 'zh' | 'en') => [error?.[language], remedy?.[language]].filter(Boolean).join(language === 'zh' ? '' : ' ')
  return {
    to: { permission: 'inbox.manage' },
    kind: brokenKind,
    key: inboxId,
    level: 'problem',
    title: refused ? { zh: `“${name}”的授权已失效`, en: `“${name}” is no longer authorised` } : { zh: `“${name}”连接异常`, en: `“${name}” is not connected` },
    ...(error || remedy ? { body: { zh: words('zh'), en: words('en') } } : {}),
    link: `/admin/inboxes/${inboxId}`,
  }
}

/** An inbox that is switched off says nothing about itself; on again, its next word counts as news. */
export async function forgetHealth(hub: Hub, inboxId: string): Promise<void> {
  const em = hub.em()
  await em.nativeUpdate(InboxHealth, { inboxId }, { state: null, error: null, remedy: null, code: null, byHub: false, sendFaults: 0 })
  tellNotices(hub, await endNotice(em, brokenKind, inboxId))
}

/** Of every inbox, with what waits to leave. */
export async function listHealth(hub: Hub): Promise<WireHealth[]> {
  const em = hub.em()
  const inboxes = await em.find(Inbox, {}, { orderBy: { createdAt: 'asc' }, limit: 500, disableIdentityMap: true })
  const credentials = await readCredentials(hub, inboxes)
  const rows = await em.find(InboxHealth, { inboxId: { $in: inboxes.map(({ id }) => id) } }, { disableIdentityMap: true })
  const byId = new Map(rows.map((row) => [row.inboxId, row]))
  // Normally nearly empty: what waits is joined, not counted per inbox.
  const waiting = (await em.execute(
    'select m.inbox_id as inbox_id, count(*) as behind, min(o.created_at) as oldest from outbound o join message m on m.id = o.message_id group by m.inbox_id',
  )) as { inbox_id: string; behind: number | string; oldest: string | number | Date }[]
  const behind = new Map(waiting.map((row) => [row.inbox_id, { count: Number(row.behind), oldest: instantOf(row.oldest) }]))
  return inboxes.map(({ id }) => {
    const row = byId.get(id)
    const credential = credentials.get(id)
    return {
      inboxId: id,
      state: row?.state ?? null,
      error: row?.error ?? null,
      remedy: row?.remedy ?? null,
      code: row?.code ?? null,
      validUntil: row?.validUntil?.toISOString() ?? null,
      credential: credential ? { kind: credential.kind, validUntil: credential.kind === 'token' ? credential.validUntil.toISOString() : null } : null,
      changedAt: row?.changedAt?.toISOString() ?? null,
      lastError: row?.lastError ?? null,
      lastErrorAt: row?.lastErrorAt?.toISOString() ?? null,
      lastEventAt: row?.lastEventAt?.toISOString() ?? null,
      lastSendAt: row?.lastSendAt?.toISOString() ?? null,
      refusedPushes: row?.refusedPushes ?? 0,
      refusedAt: row?.refusedAt?.toISOString() ?? null,
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
