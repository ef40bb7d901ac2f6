import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../../sdk/errors.ts'
import { inlineTypes } from '../../../sdk/inline-types.ts'
import { knownAlready } from '../../http/known-already.ts'
import type { Hub } from '../../hub.ts'
import { rangeOf } from './byte-range.ts'
import type { StoredFile } from './file.entity.ts'

/** Shown in the page; everything else is a download. */
export const isInline = (file: StoredFile): boolean => inlineTypes.has(file.mime)

/** Headers with which no browser runs a file: sniffed type, no sniffing again, a sandbox, and a download unless it is plainly harmless. */
function fileHeaders(file: StoredFile, thumbnail: boolean): Record<string, string> {
  const inline = thumbnail || isInline(file)
  const name = encodeURIComponent(file.name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  return {
    'content-type': thumbnail ? 'image/webp' : inline ? file.mime : 'application/octet-stream',
    'content-disposition': `${inline ? 'inline' : 'attachment'}; filename*=UTF-8''${name}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, max-age=31536000, immutable',
    etag: etagOf(file, thumbnail),
    // Nobody seeks in a small picture, and its size is not known.
    'accept-ranges': thumbnail ? 'none' : 'bytes',
  }
}

const etagOf = (file: StoredFile, thumbnail: boolean): string => `"${file.hash}${thumbnail ? '.thumb' : ''}"`

/**
 * The file, or the range of it that the headers ask for (206), so that sound and film can be sought. Undefined when
 * its bytes are gone; throws HUB_RANGE_INVALID, HUB_STORAGE_UNAVAILABLE.
 */
export async function openStored(
  hub: Hub,
  file: StoredFile,
  thumbnail: boolean,
  asked: { range?: string | undefined; ifRange?: string | undefined },
): Promise<{ status: 200 | 206; headers: Record<string, string>; stream: Readable } | undefined> {
  const small = thumbnail && file.hasThumbnail
  const headers = fileHeaders(file, small)
  if (small) {
    const stream = await hub.files.read(`${file.hash}.thumb`)
    return stream && { status: 200, headers, stream }
  }
  // Who has half of another file under this address gets this one whole.
  const range = asked.ifRange === undefined || asked.ifRange === headers.etag ? rangeOf(asked.range, file.size) : undefined
  if (range === 'beyond') throw new HubError('HUB_RANGE_INVALID', `The file has ${file.size} bytes`, { size: file.size })
  const stream = await hub.files.read(file.hash, range)
  if (!stream) return undefined
  if (!range) return { status: 200, headers: { ...headers, 'content-length': String(file.size) }, stream }
  const { from, to } = range
  return {
    status: 206,
    headers: { ...headers, 'content-length': String(to - from + 1), 'content-range': `bytes ${from}-${to}/${file.size}` },
    stream,
  }
}

/**
 * To an agent's browser, which asks before it shows again what it has: another may sit at it by then, and what one may see
 * changes. Who gets here may see it; what the browser has already is not sent once more.
 */
export async function sendFile(hub: Hub, request: FastifyRequest, reply: FastifyReply, file: StoredFile, thumbnail: boolean): Promise<FastifyReply> {
  const asking = { 'cache-control': 'private, no-cache' }
  const headers = fileHeaders(file, thumbnail && file.hasThumbnail)
  if (knownAlready(request, headers.etag as string))
    return reply
      .status(304)
      .headers({ ...headers, ...asking })
      .send()
  const { range, 'if-range': ifRange } = request.headers
  const opened = await openStored(hub, file, thumbnail, { range, ifRange: ifRange as string | undefined })
  if (!opened) throw new HubError('HUB_NOT_FOUND', 'There is no such file')
  return reply
    .status(opened.status)
    .headers({ ...opened.headers, ...asking })
    .send(opened.stream)
}
