import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { tellNotices, writeNotice } from '../notice/raise-notice.ts'
import { RetentionRule } from './retention.entity.ts'
import { stopRun } from './run-retention.ts'

/**
 * The tree of departments is about to change, and with it what each rule takes: a record that one kept for ever may be
 * another's tomorrow. Where a rule speaks of departments all of them are off until somebody has looked at a trial again.
 * Returns what is to be done after the commit.
 */
export async function suspendRules(hub: Hub, tx: Em): Promise<() => Promise<void>> {
  const on = { onAt: { $ne: null } }
  if ((await tx.count(RetentionRule, { departmentId: { $ne: null } })) === 0) return async () => undefined
  const now = new Date()
  if ((await tx.nativeUpdate(RetentionRule, on, { onAt: null, suspendedAt: now, updatedAt: now })) === 0) return async () => undefined
  const audiences = await writeNotice(tx, {
    to: { permission: 'retention.manage' },
    kind: 'retention.suspended',
    level: 'problem',
    title: { zh: '部门结构有变动，保留规则已全部停用', en: 'The departments changed: all retention rules are off' },
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
