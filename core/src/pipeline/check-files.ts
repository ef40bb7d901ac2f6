/** The files of a message, held against what the inbox carries: by their bytes as the hub has them, not by the client's word. */
import type { ChannelCapabilities, FileKind } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import type { ComposablePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { fileIdsOf } from '../domain/file/claim-files.ts'
import { StoredFile } from '../domain/file/file.entity.ts'

type FilePart = Extract<ComposablePart, { type: FileKind }>
const isFile = (part: ComposablePart): part is FilePart => part.type === 'image' || part.type === 'audio' || part.type === 'video' || part.type === 'file'

/** Types as people call them. */
const names: Record<string, string> = { 'audio/mpeg': 'MP3', 'image/jpeg': 'JPG' }
const nameOf = (mime: string): string => names[mime] ?? mime.slice(mime.indexOf('/') + 1).toUpperCase()
const sizeOf = (bytes: number): string => (bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`)

/**
 * The parts with the types and sizes that their files really have. A file that is not this agent's is not looked at: claiming
 * it refuses the message. Throws HUB_MESSAGE_REFUSED (`fileType`, `fileSize`).
 */
export async function checkedFiles(em: Em, parts: ComposablePart[], capabilities: ChannelCapabilities, agentId: string): Promise<ComposablePart[]> {
  const ids = fileIdsOf(parts)
  if (ids.length === 0) return parts
  const rows = await em.find(StoredFile, { id: { $in: ids }, uploadedBy: agentId }, { fields: ['mime', 'size'], disableIdentityMap: true })
  const byId = new Map(rows.map(({ id, mime, size }) => [id, { mime, size }]))
  for (const part of parts)
    if (part.type === 'html') for (const { fileId } of part.inline ?? []) checkSize(byId.get(fileId)?.size ?? 0, capabilities.maxFileSize, 'image')
  return parts.map((part) => {
    const file = isFile(part) ? byId.get(part.fileId) : undefined
    if (!isFile(part) || !file) return part
    const { types, maxSize = capabilities.maxFileSize } = capabilities.files?.[part.type] ?? {}
    if (types ? !types.includes(file.mime) : part.type !== 'file' && !file.mime.startsWith(`${part.type}/`))
      throw new HubError('HUB_MESSAGE_REFUSED', `This channel does not take ${file.mime} as ${part.type}`, {
        reason: types ? 'fileType' : 'fileKind',
        kind: part.type,
        mime: file.mime,
        ...(types ? { types, names: types.map(nameOf).join(', ') } : {}),
      })
    checkSize(file.size, maxSize, part.type)
    return { ...part, ...file }
  })
}

function checkSize(size: number, max: number | undefined, kind: FileKind): void {
  if (max !== undefined && size > max)
    throw new HubError('HUB_MESSAGE_REFUSED', `The file is larger than ${max} bytes`, { reason: 'fileSize', kind, max, limit: sizeOf(max) })
}
