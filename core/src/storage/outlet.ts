/** `ctx.outlet`: files that leave the hub, into a folder that the operator allows or a bucket that an admin names. */
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { access, constants, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { Readable } from 'node:stream'
import { HubError } from '../../sdk/errors.ts'
import type { Outlet, OutletTarget } from '../../sdk/outlets.ts'
import { guardedFetch } from '../../sdk/remote.ts'
import type { Env } from '../config/env.ts'
import { newId } from '../db/types.ts'
import { spool } from '../domain/file/spool.ts'
import { orFault } from './disk-store.ts'
import { S3Client } from './s3-client.ts'
import { StorageFault } from './storage-fault.ts'

type Where = Pick<Env, 'dataDir' | 'outputDir'>

export function outletTo(env: Where, target: OutletTarget): Outlet {
  return target.kind === 'folder' ? folder(env, target.path) : bucket(env, target)
}

const refusal = (message: string) => new HubError('HUB_REQUEST_INVALID', message, { reason: 'path' })

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const unsafe = /[\\:*?"<>|\u0000-\u001f\u007f]/
/** Names on the way down; none of them leads up, hides, or means something to a shell or another system. */
function segmentsOf(path: string): string[] {
  const segments = path.split('/').filter((segment) => segment !== '')
  if (path.startsWith('/') || segments.some((segment) => segment.startsWith('.') || unsafe.test(segment) || Buffer.byteLength(segment) > 250))
    throw refusal('The path leads elsewhere')
  return segments
}
function plainName(name: string): string {
  const segments = segmentsOf(name)
  if (segments.length !== 1 || segments[0] !== name) throw refusal('The name of a file is one plain name')
  return name
}

function folder({ outputDir }: Where, path: string): Outlet {
  /** Made where it is missing; a link on the way that leads out is refused before anything is made behind it. */
  async function place(): Promise<string> {
    if (!outputDir) throw new StorageFault('nowhere', 'HUB_OUTPUT_DIR is empty')
    const root = await orFault(() => realpath(outputDir))
    let at = root
    for (const segment of segmentsOf(path)) {
      const next = join(at, segment)
      await orFault(() => mkdir(next, { mode: 0o750 }).catch((error) => (error.code === 'EEXIST' ? undefined : Promise.reject(error))))
      at = await orFault(() => realpath(next))
      if (at !== root && !at.startsWith(root.endsWith(sep) ? root : root + sep)) throw refusal('The path leads elsewhere')
    }
    return at
  }
  return {
    async put(name, chunks) {
      const to = plainName(name)
      const at = await place()
      // Written aside and renamed: who looks into the folder never takes half a file.
      const temporary = join(at, `.${newId()}.part`)
      try {
        const file = await orFault(() => open(temporary, 'wx', 0o640))
        try {
          for await (const chunk of chunks) await orFault(() => file.writeFile(chunk))
          await orFault(() => file.sync())
        } finally {
          await file.close()
        }
        await orFault(() => rename(temporary, join(at, to)))
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    },
    async check() {
      const at = await place()
      await orFault(() => access(at, constants.W_OK | constants.X_OK))
    },
  }
}

function bucket(env: Where, { allowPrivate = false, prefix, ...settings }: Extract<OutletTarget, { kind: 'bucket' }>): Outlet {
  const open = () => {
    const folders = segmentsOf(prefix).map((one) => `${encodeURIComponent(one)}/`)
    return new S3Client(
      { ...settings, prefix: folders.join('') },
      () => undefined,
      (url, init) => guardedFetch(url, init, allowPrivate),
    )
  }
  return {
    async put(name, chunks) {
      const client = open()
      const path = encodeURIComponent(plainName(name))
      // The signature covers the hash of all bytes: they are known before the first is sent.
      await spool(env, Readable.from(chunks, { objectMode: false }), Number.POSITIVE_INFINITY, async ({ path: file, size, hash }) => {
        const answer = await client.send('PUT', path, { body: await openAsBlob(file), sha256: hash, size })
        await answer?.body?.cancel()
      })
    },
    /** Some storages answer 404 to who may only write; what counts is that keys and bucket are taken. */
    async check() {
      const name = 'huike-check.txt'
      const bytes = Buffer.from('ok\n')
      const answer = await open().send('PUT', name, { body: bytes, sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, attempts: 1 })
      await answer?.body?.cancel()
    },
  }
}
