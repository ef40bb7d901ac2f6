import type { Em } from '../../db/orm.ts'
import { Message } from '../message/message.entity.ts'
import type { ConversationChange } from './change.ts'

const said = ['in', 'out'] as const
type Line = Pick<Message, 'direction' | 'seq'>

/** Lists show the last words of either side. Those that were taken back go from there too, whatever the hub has noted after them. */
export async function hidePreview(em: Em, { conversation, added }: ConversationChange, recalled: Line): Promise<void> {
  const counts = ({ direction }: Line) => said.some((one) => one === direction)
  if (!counts(recalled)) return
  if (added.some((line) => line.seq > recalled.seq && counts(line))) return
  if (await em.count(Message, { conversationId: conversation.id, seq: { $gt: recalled.seq }, direction: { $in: [...said] } })) return
  conversation.preview = '[recalled]'
}
