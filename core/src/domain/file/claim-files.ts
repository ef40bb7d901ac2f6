/** A file becomes part of a conversation when a message carries it: from then on who may read the one may read the other. */
import { LockMode } from '@mikro-orm/core'
import { HubError } from '../../../sdk/errors.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Message } from '../message/message.entity.ts'
import { StoredFile } from './file.entity.ts'

/** A file that a part carries, and as what it is shown. */
export interface CarriedFile {
  fileId: string
  as: 'image' | 'file' | 'audio' | 'video'
}

/** All of them: also the pictures inside a letter, and a card's. */
export function filesIn(part: MessagePart): CarriedFile[] {
  if ('fileId' in part) return [{ fileId: part.fileId, as: part.type }]
  if (part.type === 'card') return part.cover ? [{ fileId: part.cover, as: 'image' }] : []
  return part.type === 'html' ? (part.inline ?? []).map(({ fileId }) => ({ fileId, as: 'image' })) : []
}

export const fileIdsOf = (parts: readonly MessagePart[]): string[] => parts.flatMap(filesIn).map(({ fileId }) => fileId)

/** Of these parts of a conversation's messages, the rows of those files that a part does not itself describe: pictures inside letters and of cards. */
export async function insideFiles(em: Em, conversationIds: readonly string[], parts: readonly MessagePart[]): Promise<Map<string, StoredFile>> {
  const ids = fileIdsOf(parts.filter((part) => !('fileId' in part)))
  if (ids.length === 0) return new Map()
  const rows = await em.find(StoredFile, { id: { $in: [...new Set(ids)] }, conversationId: { $in: [...conversationIds] } }, { disableIdentityMap: true })
  return new Map(rows.map((row) => [row.id, row]))
}

/** Who brought a file that a channel took in for one of its inboxes. */
export const inboxKey = (inboxId: string): string => `i:${inboxId}`

/**
 * Makes the files of a message its conversation's own, notes down which message carries them, and returns the parts with the files that it has now: what belongs
 * to another conversation already stays there, and this one gets a file of its own with the same bytes. `more`: files
 * beside the parts. Throws HUB_NOT_FOUND when one is not there or was brought by somebody else.
 */
export async function claimFiles<P extends MessagePart>(
  em: Em,
  parts: readonly P[],
  { id, conversationId, direction }: Pick<Message, 'id' | 'conversationId' | 'direction'>,
  uploadedBy: string | readonly string[],
  more: readonly (string | undefined)[] = [],
): Promise<P[]> {
  const ids = [...new Set([...fileIdsOf(parts), ...more.filter((id) => id !== undefined)])]
  if (ids.length === 0) return [...parts]
  const theirs = { uploadedBy: typeof uploadedBy === 'string' ? uploadedBy : { $in: [...uploadedBy] } }
  const files = await em.find(StoredFile, { id: { $in: ids }, ...theirs }, { lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true })
  if (files.length < ids.length) throw new HubError('HUB_NOT_FOUND', 'A file of this message is not there')
  // A colleagues' note lets nobody read what it carries.
  const carrier = direction === 'note' ? {} : { messageId: id }
  const copies = new Map<string, StoredFile>()
  for (const file of files)
    if (file.conversationId && file.conversationId !== conversationId)
      copies.set(file.id, { ...file, id: newId(), conversationId, messageId: null, ...carrier, createdAt: new Date() } as StoredFile)
  const own = files.filter((file) => !copies.has(file.id)).map((file) => file.id)
  if (own.length > 0) await em.nativeUpdate(StoredFile, { id: { $in: own } }, { conversationId, ...carrier })
  if (copies.size === 0) return [...parts]
  await em.insertMany(StoredFile, [...copies.values()])
  const copyOf = (fileId: string): string => copies.get(fileId)?.id ?? fileId
  return parts.map((part) => withFiles(part, copyOf))
}

function withFiles<P extends MessagePart>(part: P, own: (id: string) => string): P {
  if ('fileId' in part) return { ...part, fileId: own(part.fileId) }
  if (part.type === 'card') return part.cover ? { ...part, cover: own(part.cover) } : part
  return part.type === 'html' && part.inline ? { ...part, inline: part.inline.map((one) => ({ ...one, fileId: own(one.fileId) })) } : part
}
