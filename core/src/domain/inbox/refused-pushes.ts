/**
 * Pushes that do not verify: a secret that differs on the two sides makes an inbox deaf, and nothing else would tell.
 * Anybody can push nonsense, so it changes no state: admins are told when for minutes none came that was right.
 */
import { raw } from '@mikro-orm/core'
import type { NoticeInput } from '../../../sdk/plugin.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Hub } from '../../hub.ts'
import { endNotice, tellNotices, writeNotice } from '../notice/raise-notice.ts'
import { Inbox, InboxHealth } from './inbox.entity.ts'
import { ensureRow, findRow } from './inbox-health.ts'

/** Written this often at most, however many come. */
const noteEveryMs = 5_000
const deafAfterMs = 300_000
const deafKind = 'inbox.deaf'

interface Seen {
  /** Not written yet. */
  refused: number
  refusedNotedAt: number
  verifiedNotedAt: number
  told: boolean
}
const seen = new WeakMap<Hub, Map<string, Seen>>()

function seenOf(hub: Hub, inboxId: string): Seen {
  const all = seen.get(hub) ?? new Map<string, Seen>()
  seen.set(hub, all)
  const one = all.get(inboxId) ?? { refused: 0, refusedNotedAt: 0, verifiedNotedAt: 0, told: false }
  all.set(inboxId, one)
  return one
}

const quietly = (hub: Hub, inboxId: string, work: () => Promise<void>): void =>
  void work().catch((error) => hub.log.warn({ err: error, inbox: inboxId }, 'what became of a push was not noted'))

/** Never waited for. */
export function noteRefusedPush(hub: Hub, inboxId: string): void {
  const mine = seenOf(hub, inboxId)
  mine.refused++
  const now = new Date()
  if (now.getTime() - mine.refusedNotedAt < noteEveryMs) return
  const count = mine.refused
  Object.assign(mine, { refused: 0, refusedNotedAt: now.getTime(), verifiedNotedAt: 0 })
  quietly(hub, inboxId, async () => {
    const em = hub.em()
    if (!(await findRow(em, inboxId))) await ensureRow(em, inboxId)
    await em.nativeUpdate(InboxHealth, { inboxId, refusedSince: null }, { refusedSince: now })
    await em.nativeUpdate(InboxHealth, { inboxId }, { refusedPushes: raw('refused_pushes + ?', [count]), refusedAt: now })
    const row = await findRow(em, inboxId)
    if (mine.told || !row?.refusedSince || now.getTime() - row.refusedSince.getTime() < deafAfterMs) return
    const inbox = await em.findOne(Inbox, { id: inboxId }, { fields: ['name'], disableIdentityMap: true })
    if (!inbox) return
    mine.told = true
    const notice = deafOf(inboxId, inbox.name, row.refusedPushes)
    tellNotices(hub, await retryOnConflict(() => hub.em().transactional((tx) => writeNotice(tx as Em, notice))))
  })
}

/** One that is right: whatever was refused before, the way in is open. Never waited for. */
export function noteVerifiedPush(hub: Hub, inboxId: string): void {
  const mine = seenOf(hub, inboxId)
  const now = Date.now()
  mine.refused = 0
  if (now - mine.verifiedNotedAt < noteEveryMs) return
  mine.verifiedNotedAt = now
  quietly(hub, inboxId, () => forgetRefusedPushes(hub, inboxId))
}

export async function forgetRefusedPushes(hub: Hub, inboxId: string): Promise<void> {
  seenOf(hub, inboxId).told = false
  const em = hub.em()
  const were = await em.nativeUpdate(InboxHealth, { inboxId, refusedSince: { $ne: null } }, { refusedPushes: 0, refusedSince: null })
  if (were > 0) tellNotices(hub, await endNotice(em, deafKind, inboxId))
}

const deafOf = (inboxId: string, name: string, count: number): NoticeInput => ({
  to: { permission: 'inbox.manage' },
  kind: deafKind,
  key: inboxId,
  level: 'problem',
  title: { zh: `“${name}”收到的推送都没有通过验证`, en: `No push to “${name}” verifies` },
  body: {
    zh: `几分钟以来 ${count} 次推送的签名都不对，客户的消息可能收不到。请核对平台后台和渠道账号设置里的密钥（Token）是否一致，以及服务器的时间；如果平台没有在推送，则是别人在尝试这个地址，可以不理会。`,
    en: `For some minutes every push (${count}) was signed wrongly: customers’ messages may not come in. Compare the secret (token) in the platform’s console with the inbox’s settings, and check the server’s clock. If the platform pushes nothing, somebody else is trying the address, which does no harm.`,
  },
  link: `/admin/inboxes/${inboxId}`,
})
