/** Who brought a file has it until a message carries it: from then on, like everybody else, as long as they may read the conversation. */
import type { Em } from '../../db/orm.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { StoredFile } from './file.entity.ts'

export type MayRead = (conversation: Conversation) => boolean

/** Those of these files that this agent brought and still has. */
export async function stillTheirs(em: Em, agentId: string, mayRead: MayRead, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const files = await em.find(StoredFile, { id: { $in: [...ids] }, uploadedBy: agentId }, { fields: ['id', 'conversationId'], disableIdentityMap: true })
  const carriers = files.flatMap(({ conversationId }) => conversationId ?? [])
  const conversations = carriers.length > 0 ? await em.find(Conversation, { id: { $in: carriers } }, { disableIdentityMap: true }) : []
  const open = new Set(conversations.filter(mayRead).map(({ id }) => id))
  return new Set(files.filter(({ conversationId }) => !conversationId || open.has(conversationId)).map(({ id }) => id))
}
