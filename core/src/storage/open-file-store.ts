/** Which storage there is: the bucket that the environment names, or the data folder. */
import { join } from 'node:path'
import type { Env } from '../config/env.ts'
import type { Metrics } from '../http/metrics.ts'
import { diskStore } from './disk-store.ts'
import type { FileStore } from './file-store.ts'
import { s3Store } from './s3-store.ts'
import { StorageFault } from './storage-fault.ts'

/** Measured when there is something to measure with. */
export function openFileStore(env: Pick<Env, 'dataDir' | 's3'>, metrics?: Metrics): FileStore {
  const store = env.s3 ? s3Store(env.s3, () => metrics?.storageRetries.inc()) : diskStore(filesDir(env))
  return metrics ? measured(store, metrics) : store
}

/** Below the data folder. */
export const filesDir = (env: Pick<Env, 'dataDir'>): string => join(env.dataDir, 'files')

function measured(store: FileStore, { storage }: Metrics): FileStore {
  const timed = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const stop = storage.startTimer({ operation })
    try {
      const result = await work()
      stop({ outcome: 'ok' })
      return result
    } catch (error) {
      stop({ outcome: error instanceof StorageFault ? error.fault : 'other' })
      throw error
    }
  }
  return {
    put: (key, bytes, again) => timed('put', () => store.put(key, bytes, again)),
    read: (key, range) => timed('read', () => store.read(key, range)),
    bytes: (key) => timed('read', () => store.bytes(key)),
    remove: (key) => timed('remove', () => store.remove(key)),
    check: () => timed('check', () => store.check()),
  }
}
