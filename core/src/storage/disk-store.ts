/** Files on the local disk. */
import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync, mkdirSync } from 'node:fs'
import { access, constants, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { newId } from '../db/types.ts'
import { type FileStore, pathOfKey } from './file-store.ts'
import { StorageFault } from './storage-fault.ts'

export function diskStore(root: string): FileStore {
  const pathOf = (key: string) => join(root, pathOfKey(key))
  return {
    put: (key, bytes, again = false) =>
      orFault(async () => {
        const path = pathOf(key)
        if (!again && existsSync(path)) return
        mkdirSync(dirname(path), { recursive: true })
        // Written aside and renamed: a crash leaves no half file under a good name.
        const temporary = `${path}.${newId()}`
        try {
          const file = await open(temporary, 'wx', 0o600)
          try {
            await file.writeFile(bytes instanceof Blob ? bytes.stream() : bytes)
            await file.sync()
          } finally {
            await file.close()
          }
          await rename(temporary, path)
        } catch (error) {
          await rm(temporary, { force: true })
          throw error
        }
      }),
    read: async (key, range) => (existsSync(pathOf(key)) ? createReadStream(pathOf(key), range && { start: range.from, end: range.to }) : undefined),
    bytes: (key) => orFault(async () => (existsSync(pathOf(key)) ? readFile(pathOf(key)) : undefined)),
    remove: (key) => orFault(() => rm(pathOf(key), { force: true })),
    check: () =>
      orFault(async () => {
        mkdirSync(root, { recursive: true })
        await access(root, constants.R_OK | constants.W_OK)
      }),
  }
}

/** Makes a file of bytes as they come. Of what goes wrong only the disk's part is a fault of the disk; what their source throws goes through. */
export async function writeNew(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  try {
    await pipeline(chunks, file)
  } catch (error) {
    // A source may fail while the file is being opened: whoever removes it then must find it there.
    if (!file.closed) await once(file, 'close')
    const { syscall = '' } = error as NodeJS.ErrnoException
    // Of the two ends, only the disk is opened and written to.
    await (['open', 'write', 'writev'].includes(syscall) ? orFault(() => Promise.reject(error)) : Promise.reject(error))
  }
}

/** A fault of the disk, in the operator's words. */
export async function orFault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new StorageFault(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'disk', message, { cause: error })
  }
}
