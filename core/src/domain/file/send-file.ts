import type { FastifyReply } from 'fastify'
import { HubError } from '../../../sdk/errors.ts'
import type { Hub } from '../../hub.ts'
import type { StoredFile } from './file.entity.ts'
import { inlineTypes } from './store-file.ts'

/** Headers with which no browser runs a file: sniffed type, no sniffing again, a sandbox, and a download unless it is plainly harmless. */
export function fileHeaders(file: StoredFile, thumbnail: boolean): Record<string, string> {
  const inline = thumbnail || inlineTypes.has(file.mime)
  const name = encodeURIComponent(file.name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  return {
    'content-type': thumbnail ? 'image/webp' : inline ? file.mime : 'application/octet-stream',
    ...(thumbnail ? {} : { 'content-length': String(file.size) }),
    'content-disposition': `${inline ? 'inline' : 'attachment'}; filename*=UTF-8''${name}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, max-age=31536000, immutable',
  }
}

export async function sendFile(hub: Hub, reply: FastifyReply, file: StoredFile, thumbnail: boolean): Promise<FastifyReply> {
  const small = thumbnail && file.hasThumbnail
  const stream = await hub.files.read(small ? `${file.hash}.thumb` : file.hash)
  if (!stream) throw new HubError('HUB_NOT_FOUND', 'There is no such file')
  return reply.headers(fileHeaders(file, small)).send(stream)
}
