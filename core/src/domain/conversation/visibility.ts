/** What decides who may see a conversation: told along with every change, so that sockets can be asked without a query. */
import type { Conversation } from './conversation.entity.ts'

export type Visibility = Pick<Conversation, 'inboxId' | 'assigneeId' | 'departmentId' | 'status' | 'deletedAt'>

export const visibilityOf = ({ inboxId, assigneeId, departmentId, status, deletedAt = null }: Visibility): Visibility => ({
  inboxId,
  assigneeId,
  departmentId,
  status,
  deletedAt,
})
