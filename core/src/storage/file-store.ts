/** Files by the hash of their bytes: equal files are stored once, and a name says nothing about the owner. */
import type { Readable } from 'node:stream'

/** Bytes of a file, both ends included. */
export interface ByteRange {
  from: number
  to: number
}

/** Every verb throws StorageFault (HUB_STORAGE_UNAVAILABLE) when the storage is away or refuses. */
export interface FileStore {
  /** Durable when it resolves. Storing what is there already changes nothing, unless `again`. A Blob is read as it is sent. */
  put(key: string, bytes: Buffer | Blob, again?: boolean): Promise<void>
  /** Undefined when there is no such file. A range must lie within it. */
  read(key: string, range?: ByteRange): Promise<Readable | undefined>
  bytes(key: string): Promise<Buffer | undefined>
  remove(key: string): Promise<void>
  /** Asks at once, without trying again, whether the storage would take and give files. */
  check(): Promise<void>
}

/** Where a key lies, on the disk and in a bucket alike: fanned out by its first two letters, so that any copying tool moves files. */
export const pathOfKey = (key: string): string => `${key.slice(0, 2)}/${key}`
