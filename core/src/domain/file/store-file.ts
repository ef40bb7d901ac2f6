/**
 * Takes a file in: its type is sniffed from its bytes, pictures get a thumbnail and lose their metadata's rotation. One that
 * cannot be read, or is too large to be unfolded here, is a file like any other.
 * What does so is loaded with the first file: a hub without any is lighter by it.
 */
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import type { Readable } from 'node:stream'
import { HubError } from '../../../sdk/errors.ts'
import { splitEnding } from '../../../sdk/file-names.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { holdBytes } from './drop-file.ts'
import { StoredFile } from './file.entity.ts'
import { spool } from './spool.ts'

export const maxFileBytes = 20 * 1024 * 1024
/** What a channel itself brings may be larger: a letter as it came holds its files in a longer writing. */
export const maxChannelFileBytes = 32 * 1024 * 1024
const pictures = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const thumbnailPx = 480
/** Pixels; beyond it a small file could unfold into all of the memory. */
const maxPixels = 50_000_000

export interface Upload {
  name: string
  /** A stream is never in memory as a whole; one that was cut (`truncated`) is refused. */
  bytes: Buffer | Readable
  /** An agent's id, or a customer's key (`customerKey`). */
  uploadedBy: string
  /** The client says it is a voice note: WebM is video to a sniffer either way. */
  voice?: boolean
  /** Instead of `maxFileBytes`. */
  maxBytes?: number
}

/** Nothing is stored of what is refused. Throws HUB_REQUEST_INVALID (empty), HUB_REQUEST_TOO_LARGE, HUB_STORAGE_UNAVAILABLE. */
export async function storeFile(hub: Hub, upload: Upload): Promise<StoredFile> {
  const { bytes, maxBytes = maxFileBytes } = upload
  const file = Buffer.isBuffer(bytes)
    ? bytes.length <= maxBytes && (await keep(hub, upload, { at: bytes, size: bytes.length, hash: createHash('sha256').update(bytes).digest('hex') }))
    : await spool(hub.env, bytes, maxBytes, ({ path, size, hash }) => keep(hub, upload, { at: path, size, hash }))
  if (!file) throw new HubError('HUB_REQUEST_TOO_LARGE', `Files may have ${maxBytes} bytes at most`, { max: maxBytes })
  return file
}

/** `at`: the bytes, or the path of the file that has them. */
async function keep(hub: Hub, upload: Upload, { at, size, hash }: { at: Buffer | string; size: number; hash: string }): Promise<StoredFile> {
  if (size === 0) throw new HubError('HUB_REQUEST_INVALID', 'The file is empty')
  const { fileTypeFromBuffer, fileTypeFromFile } = await import('file-type')
  const sniffed = await (typeof at === 'string' ? fileTypeFromFile(at) : fileTypeFromBuffer(at))
  let mime: string = sniffed?.mime ?? 'application/octet-stream'
  if (upload.voice && mime === 'video/webm') mime = 'audio/webm'
  if (upload.voice && mime === 'video/mp4') mime = 'audio/mp4'
  const picture = pictures.has(mime) ? await readPicture(at) : undefined
  const file = {
    id: newId(),
    hash,
    name: safeName(upload.name),
    mime,
    size,
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    hasThumbnail: picture !== undefined,
    uploadedBy: upload.uploadedBy,
    conversationId: null,
    messageId: null,
    createdAt: new Date(),
  } as StoredFile
  await holdBytes(hub, hash, async () => {
    await hub.files.put(hash, typeof at === 'string' ? await openAsBlob(at) : at)
    if (picture) await hub.files.put(`${hash}.thumb`, picture.thumbnail)
    await hub.em().insert(StoredFile, file)
  })
  return file
}

async function readPicture(at: Buffer | string): Promise<{ width: number; height: number; thumbnail: Buffer } | undefined> {
  const { default: sharp } = await import('sharp')
  // Each picture is looked at once: nothing is kept of it, nor its file open.
  sharp.cache(false)
  try {
    const { data, info } = await sharp(at, { limitInputPixels: maxPixels })
      .rotate()
      .resize(thumbnailPx, thumbnailPx, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer({ resolveWithObject: true })
    const meta = await sharp(at, { limitInputPixels: maxPixels }).metadata()
    const turned = (meta.orientation ?? 1) >= 5
    return {
      width: (turned ? meta.height : meta.width) ?? info.width,
      height: (turned ? meta.width : meta.height) ?? info.height,
      thumbnail: data,
    }
  } catch {
    return undefined
  }
}

const mostNameSigns = 120

/** A name without folders, control characters or tricks of writing direction. */
export function safeName(name: string): string {
  const cleaned = (name.split(/[/\\]/).at(-1) ?? '')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .trim()
  // Cut in the middle: by its end one sees, and a computer knows, what it is.
  const [stem, ending] = splitEnding(cleaned)
  return [...stem].slice(0, mostNameSigns - [...ending].length).join('') + ending || 'file'
}

/** The part that carries a file. What was sent `as` a file is shown as one, whatever its bytes are. */
export function partOf(file: StoredFile, { durationMs, as }: { durationMs?: number | undefined; as?: string | undefined } = {}): MessagePart {
  const fields = { fileId: file.id, name: file.name, mime: file.mime, size: file.size }
  if (as === 'file') return { type: 'file', ...fields }
  if (file.hasThumbnail) return { type: 'image', ...fields, width: file.width ?? undefined, height: file.height ?? undefined }
  if (file.mime.startsWith('audio/')) return { type: 'audio', ...fields, ...(durationMs ? { durationMs } : {}) }
  if (file.mime.startsWith('video/')) return { type: 'video', ...fields }
  return { type: 'file', ...fields }
}
