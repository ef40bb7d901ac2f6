/** Archive, delete, restore, tag, categorise: what is done to a record, to one or to many, by the same rules. */
import { HubError } from '../../../sdk/errors.ts'
import type { BatchAction } from '../../../sdk/wire/record.ts'
import { may, maySeeDeleted } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { type ConversationChange, changeConversation } from '../conversation/change.ts'
import { type Conversation, ConversationTag } from '../conversation/conversation.entity.ts'

/** So long an admin can bring back what an agent deleted. */
export const binDays = 30
const mostTags = 30

export interface RecordOrder {
  action: BatchAction
  tagId?: string | undefined
  categoryId?: string | null | undefined
  /** What was said, ended or thrown away since then is another record than the one that was meant. */
  until?: Date | undefined
}
type Doer = Pick<Actor, 'ability' | 'agent'>

/** Whether an admin of the recycle bin does it: their deletes are final. */
export const deletesForGood = ({ ability }: Doer): boolean => ability.can('restore', 'record')

/**
 * True when it changed something. Throws HUB_NOT_FOUND, HUB_FORBIDDEN, HUB_RECORD_OPEN (only what has ended is archived
 * or deleted).
 */
export async function changeRecord(hub: Hub, doer: Doer, id: string, order: RecordOrder): Promise<boolean> {
  const { result } = await changeConversation(hub, id, async (change, em) => {
    if (order.until && changedSince(change.conversation, order.until)) return false
    return steps[order.action](change, em, doer, order)
  })
  return result === true
}

const changedSince = ({ lastMessageAt, closedAt, deletedAt }: Conversation, until: Date): boolean =>
  [lastMessageAt, closedAt, deletedAt].some((at) => (at ?? until) > until)

type Step = (change: ConversationChange, em: Em, doer: Doer, order: RecordOrder) => Promise<boolean>

const steps: Record<BatchAction, Step> = {
  async archive(change, _em, doer) {
    const { conversation } = change
    allow(doer, 'archive', conversation)
    if (conversation.archivedAt) return false
    ended(conversation)
    conversation.archivedAt = change.at
    change.event('record.archived', () => ({ conversationId: conversation.id, archived: true }))
    return true
  },
  async unarchive(change, _em, doer) {
    const { conversation } = change
    allow(doer, 'archive', conversation)
    if (!conversation.archivedAt) return false
    conversation.archivedAt = null
    change.event('record.archived', () => ({ conversationId: conversation.id, archived: false }))
    return true
  },
  async delete(change, _em, doer) {
    const { conversation } = change
    allow(doer, 'delete', conversation)
    ended(conversation)
    const final = deletesForGood(doer)
    conversation.deletedAt = change.at
    conversation.deletedById = doer.agent.id
    conversation.purgeAt = final ? change.at : new Date(change.at.getTime() + binDays * 86_400_000)
    change.event('record.deleted', () => ({ conversationId: conversation.id, final }))
    return true
  },
  async restore(change, _em, doer) {
    const { conversation } = change
    inBin(doer, conversation)
    conversation.deletedAt = null
    conversation.deletedById = null
    conversation.purgeAt = null
    change.event('record.restored', () => ({ conversationId: conversation.id }))
    return true
  },
  async purge(change, _em, doer) {
    const { conversation } = change
    inBin(doer, conversation)
    conversation.purgeAt = change.at
    change.event('record.deleted', () => ({ conversationId: conversation.id, final: true }))
    return true
  },
  async tag(change, em, doer, { tagId = '' }) {
    const { conversation } = change
    allow(doer, 'reply', conversation)
    const key = { conversationId: conversation.id, tagId }
    if (await em.findOne(ConversationTag, key, { disableIdentityMap: true })) return false
    if ((await em.count(ConversationTag, { conversationId: conversation.id })) >= mostTags)
      throw new HubError('HUB_REQUEST_INVALID', 'A conversation has thirty tags at most')
    await em.insert(ConversationTag, { ...key, byAgentId: doer.agent.id, createdAt: change.at })
    change.event('record.tagged', () => ({ ...key, added: true }))
    return true
  },
  async untag(change, em, doer, { tagId = '' }) {
    const key = { conversationId: change.conversation.id, tagId }
    allow(doer, 'reply', change.conversation)
    if ((await em.nativeDelete(ConversationTag, key)) === 0) return false
    change.event('record.tagged', () => ({ ...key, added: false }))
    return true
  },
  async categorise(change, _em, doer, { categoryId = null }) {
    const { conversation } = change
    allow(doer, 'reply', conversation)
    const before = conversation.categoryId ?? null
    if (before === categoryId) return false
    conversation.categoryId = categoryId
    change.event('record.categorised', () => ({ conversationId: conversation.id, categoryId, before }))
    return true
  },
}

/** What one may not see is not there. */
function allow({ ability }: Doer, action: string, conversation: Conversation): void {
  if (!may(ability, 'read', conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such record')
  if (!may(ability, action, conversation)) throw new HubError('HUB_FORBIDDEN', 'You may look at this record, not do this with it')
}

function ended({ status }: Conversation): void {
  if (status !== 'closed') throw new HubError('HUB_RECORD_OPEN', 'The conversation has not ended')
}

function inBin({ ability }: Doer, conversation: Conversation): void {
  if (!maySeeDeleted(ability, conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such record in the recycle bin')
}
