/** A message of ours may be several of the platform's: which of them the customer has. */
import type { LocalText } from '../../../sdk/channel.ts'
import type { Em } from '../../db/orm.ts'
import { MessageName } from './message.entity.ts'

/** `all` it ever had, `there` without those that failed or were taken back. */
export async function namesOf(em: Em, messageId: string): Promise<{ all: number; there: string[] }> {
  const names = await em.find(MessageName, { messageId }, { limit: 100, disableIdentityMap: true })
  return { all: names.length, there: names.filter(({ failedAt }) => !failedAt).map(({ externalId }) => externalId) }
}

/** The customer has it no longer, or never had. */
export const noteGone = (em: Em, inboxId: string, externalId: string, at: Date): Promise<number> =>
  em.nativeUpdate(MessageName, { inboxId, externalId }, { failedAt: at })

/** Stands at a message of which something is left. */
export const partlyRecalled = (done: number, all: number): LocalText => ({
  zh: `分 ${all} 条发出，只撤回了 ${done} 条，其余的客户仍能看到`,
  en: `sent as ${all} messages, ${done} of them taken back: the customer still sees the rest`,
})
