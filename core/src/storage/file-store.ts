/** Files by the hash of their bytes: equal files are stored once, and a name says nothing about the owner. */
import { createReadStream, existsSync, mkdirSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { newId } from '../db/types.ts'

export interface FileStore {
  /** Durable when it resolves. Storing what is there already changes nothing. */
  put(key: string, bytes: Buffer): Promise<void>
  /** Undefined when there is no such file. */
  read(key: string): Promise<Readable | undefined>
  bytes(key: string): Promise<Buffer | undefined>
  remove(key: string): Promise<void>
}

/** On the local disk, below the data folder, fanned out by the first two letters of the key. */
export function diskStore(root: string): FileStore {
  const pathOf = (key: string) => join(root, key.slice(0, 2), key)
  return {
    async put(key, bytes) {
      const path = pathOf(key)
      if (existsSync(path)) return
      mkdirSync(dirname(path), { recursive: true })
      // Written aside and renamed: a crash leaves no half file under a good name.
      const temporary = `${path}.${newId()}`
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    },
    read: async (key) => (existsSync(pathOf(key)) ? createReadStream(pathOf(key)) : undefined),
    bytes: async (key) => (existsSync(pathOf(key)) ? readFile(pathOf(key)) : undefined),
    remove: (key) => rm(pathOf(key), { force: true }),
  }
}
