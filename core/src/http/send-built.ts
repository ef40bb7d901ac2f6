/** A file built for browsers: as the build has compressed it, where it has and the browser takes that. */
import { createReadStream, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../sdk/errors.ts'
import { knownAlready } from './known-already.ts'

/** The smallest first. */
const codings = [
  { name: 'br', extension: '.br' },
  { name: 'gzip', extension: '.gz' },
] as const

export async function sendBuilt(request: FastifyRequest, reply: FastifyReply, file: string, { type, cache }: { type: string; cache: string }) {
  const plain = await fileAt(file)
  if (!plain) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
  const found = await compressed(file, plain, String(request.headers['accept-encoding'] ?? ''))
  const { path, size } = found ?? { path: file, size: plain.size }
  const etag = `"${[plain.size, Math.floor(plain.mtimeMs)].map((part) => part.toString(36)).join('-')}${found ? `-${found.name}` : ''}"`
  reply.headers({ 'cache-control': cache, vary: 'Accept-Encoding', etag })
  if (knownAlready(request, etag)) return reply.status(304).send()
  if (found) reply.header('content-encoding', found.name)
  return reply.type(type).header('content-length', size).send(createReadStream(path))
}

/** One that is older than the file itself is of an earlier build. */
async function compressed(file: string, plain: Stats, accepted: string) {
  for (const { name, extension } of codings) {
    if (!takes(accepted, name)) continue
    const path = file + extension
    const found = await fileAt(path)
    if (found && found.mtimeMs >= plain.mtimeMs) return { name, path, size: found.size }
  }
}

const fileAt = async (path: string) => {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found : undefined
}

const takes = (accepted: string, coding: string): boolean =>
  accepted.split(',').some((one) => {
    const [name, ...parameters] = one.split(';').map((part) => part.trim().toLowerCase())
    return name === coding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
