/** A file becomes part of a conversation when a message carries it: from then on who may read the one may read the other. */
import { HubError } from '../../../sdk/errors.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { Em } from '../../db/orm.ts'
import { StoredFile } from './file.entity.ts'

export const fileIdsOf = (parts: readonly MessagePart[]): string[] =>
  parts.flatMap((part) => {
    if ('fileId' in part) return [part.fileId]
    if (part.type === 'card') return part.cover ? [part.cover] : []
    return part.type === 'html' ? (part.inline ?? []).map(({ fileId }) => fileId) : []
  })

/** Who brought a file that a channel took in for one of its inboxes. */
export const inboxKey = (inboxId: string): string => `i:${inboxId}`

/** Throws HUB_NOT_FOUND when a file is not there or was brought by somebody else. */
export async function claimFiles(
  em: Em,
  parts: readonly MessagePart[],
  conversationId: string,
  uploadedBy: string | readonly string[],
  more: readonly (string | undefined)[] = [],
): Promise<void> {
  const ids = [...fileIdsOf(parts), ...more.filter((id) => id !== undefined)]
  if (ids.length === 0) return
  const claimed = await em.nativeUpdate(
    StoredFile,
    { id: { $in: ids }, uploadedBy: typeof uploadedBy === 'string' ? uploadedBy : { $in: [...uploadedBy] } },
    { conversationId },
  )
  if (claimed < new Set(ids).size) throw new HubError('HUB_NOT_FOUND', 'A file of this message is not there')
}
