import type { LocalText } from '../../../sdk/channel.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { tellNotices, writeNotice } from '../notice/raise-notice.ts'
import { RetentionRule } from './retention.entity.ts'
import { exposedBy, readRules, readTrees } from './rules.ts'
import { stopRun } from './run-retention.ts'

/**
 * The tree of departments is about to change, and with it what each rule takes: a record that one kept for ever may be
 * another's tomorrow. Where a rule speaks of departments all of them are off until somebody has looked at a trial again.
 * Returns what is to be done after the commit.
 */
export async function suspendRules(hub: Hub, tx: Em): Promise<() => Promise<void>> {
  if ((await tx.count(RetentionRule, { departmentId: { $ne: null } })) === 0) return async () => undefined
  return suspend(hub, tx, undefined, { zh: '部门结构有变动，保留规则已全部停用', en: 'The departments changed: all retention rules are off' })
}

/**
 * A rule that is on is about to go, or to be another: what it kept would fall to the next one, which nobody has looked at.
 * Those that would take it earlier are off until somebody has. Returns which, and what is to be done after the commit.
 */
export async function suspendExposed(hub: Hub, tx: Em, id: string): Promise<{ ids: string[]; after: () => Promise<void> }> {
  const on = (await readRules(tx)).filter(({ onAt }) => onAt)
  const ids = on.some((rule) => rule.id === id) ? exposedBy(id, on, await readTrees(tx)) : []
  const title = { zh: '一条保留规则有变动，受它限制的规则已停用', en: 'A retention rule changed: those it protected from are off' }
  return { ids, after: ids.length > 0 ? await suspend(hub, tx, ids, title) : async () => undefined }
}

async function suspend(hub: Hub, tx: Em, ids: string[] | undefined, title: LocalText): Promise<() => Promise<void>> {
  const now = new Date()
  const on = { onAt: { $ne: null }, ...(ids ? { id: { $in: ids } } : {}) }
  if ((await tx.nativeUpdate(RetentionRule, on, { onAt: null, suspendedAt: now, updatedAt: now })) === 0) return async () => undefined
  const audiences = await writeNotice(tx, {
    to: { permission: 'retention.manage' },
    kind: 'retention.suspended',
    level: 'problem',
    title,
    body: {
      zh: '各条规则适用的会话可能已经不同。请重新试算，确认后再启用。',
      en: 'Each rule may apply to other conversations now. Look at a trial again, then switch them on.',
    },
    link: '/admin/retention',
  })
  return async () => {
    await stopRun(hub)
    tellNotices(hub, audiences)
  }
}
