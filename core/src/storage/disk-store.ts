/** Files on the local disk. */
import { createReadStream, existsSync, mkdirSync } from 'node:fs'
import { access, constants, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newId } from '../db/types.ts'
import { type FileStore, pathOfKey } from './file-store.ts'
import { StorageFault } from './storage-fault.ts'

export function diskStore(root: string): FileStore {
  const pathOf = (key: string) => join(root, pathOfKey(key))
  return {
    put: (key, bytes) =>
      orFault(async () => {
        const path = pathOf(key)
        if (existsSync(path)) return
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
    read: async (key) => (existsSync(pathOf(key)) ? createReadStream(pathOf(key)) : undefined),
    bytes: (key) => orFault(async () => (existsSync(pathOf(key)) ? readFile(pathOf(key)) : undefined)),
    remove: (key) => orFault(() => rm(pathOf(key), { force: true })),
    check: () =>
      orFault(async () => {
        mkdirSync(root, { recursive: true })
        await access(root, constants.R_OK | constants.W_OK)
      }),
  }
}

async function orFault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new StorageFault(code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : 'disk', message, { cause: error })
  }
}
