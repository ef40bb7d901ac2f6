/** Uploads on their way to the storage lie in files of their own: memory stays flat however many come at once. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Env } from '../../config/env.ts'
import { newId } from '../../db/types.ts'
import { orFault, writeNew } from '../../storage/disk-store.ts'

export interface Spooled {
  path: string
  size: number
  /** SHA-256 of the bytes, hex. */
  hash: string
}

/** No upload takes as long: what is older was left by a process that died. */
const abandonedMs = 6 * 3_600_000
/** Where uploads lie on their way. */
export const spoolDir = (env: Pick<Env, 'dataDir'>): string => join(env.dataDir, 'uploads')

/**
 * Lends `work` the bytes of a stream as a file, which is gone afterwards whatever happens. Undefined when there are
 * more than `max` bytes, or when whoever made the stream cut it (`truncated`, as a form's parser does); else what
 * `work` returns. Throws HUB_STORAGE_UNAVAILABLE when the disk is full.
 */
export async function spool<T>(
  env: Pick<Env, 'dataDir'>,
  stream: Readable & { truncated?: boolean },
  max: number,
  work: (spooled: Spooled) => Promise<T>,
): Promise<T | undefined> {
  await orFault(() => mkdir(spoolDir(env), { recursive: true, mode: 0o700 }))
  const path = join(spoolDir(env), newId())
  const hash = createHash('sha256')
  let size = 0
  const tooLarge = new Error('too large')
  async function* counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      size += chunk.length
      if (size > max) throw tooLarge
      hash.update(chunk)
      yield chunk
    }
  }
  try {
    try {
      await writeNew(path, counted(stream))
    } catch (error) {
      if (error === tooLarge) return undefined
      throw error
    }
    // What a parser cut off in the last chunk it notices only then.
    if (stream.truncated) return undefined
    return await work({ path, size, hash: hash.digest('hex') })
  } finally {
    await rm(path, { force: true })
  }
}

/** Removes what processes that died have left. */
export async function sweepSpool(env: Pick<Env, 'dataDir'>, now = Date.now()): Promise<void> {
  const names = await readdir(spoolDir(env)).catch(() => [])
  for (const name of names) {
    const path = join(spoolDir(env), name)
    const left = await stat(path).catch(() => undefined)
    if (left && now - left.mtimeMs > abandonedMs) await rm(path, { force: true })
  }
}
