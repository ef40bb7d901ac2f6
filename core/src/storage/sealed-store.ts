/**
 * Files at rest: sealed in pieces as they are written, opened as they are read, under names that do not tell which
 * known file they hold. What an older hub stored in the clear is still read.
 *
 * A sealed file is a head (`HKE1`, the data key's id, a salt) and pieces of 64 KB, each AES-256-GCM under the file's own
 * key, with its number and whether it is the last in its nonce: cut, exchanged or foreign pieces do not open, and a range
 * is read by the pieces it touches (the STREAM construction, https://eprint.iacr.org/2015/189).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { newId } from '../db/types.ts'
import type { Keyring } from '../sealing/keyring.ts'
import { orFault, writeNew } from './disk-store.ts'
import type { ByteRange, FileStore } from './file-store.ts'
import { StorageFault } from './storage-fault.ts'

const magic = 'HKE1'
/** No key is called so: an id has no brackets. */
export const inTheClear = '(clear)'
const headBytes = 32
const pieceBytes = 65_536
const tagBytes = 16
/** After so much has passed through, what it left behind is collected. */
const tidyEvery = 4_194_304

/** The name in the storage. Its ending tells sealed files from those in the clear. */
export const sealedName = (keyring: Keyring, key: string): string => `${keyring.fileName(key)}.e1`

export interface SealedStore extends FileStore {
  /** As `put`, of bytes that come one after the other: they are sealed as they come, and lie nowhere in the clear. Resolves with how many there were. */
  putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<number>
  /** Brings a file to the first data key. False when it is there already, or there is no such file. */
  reseal(key: string): Promise<boolean>
  /** The data key of a file, {@link inTheClear} for one that is not sealed; undefined where there is none. */
  sealedBy(key: string): Promise<string | undefined>
}

/** `scratch`: a folder for uploads on their way; what a crash leaves there is swept with the others. */
export function sealedStore(store: FileStore, keyring: Keyring, scratch: string): SealedStore {
  const putStream = async (key: string, from: AsyncIterable<Uint8Array>, again: boolean): Promise<number> => {
    await orFault(() => mkdir(scratch, { recursive: true, mode: 0o700 }))
    const path = join(scratch, newId())
    let size = 0
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of from) {
        size += chunk.byteLength
        yield chunk
      }
    }
    try {
      await writeNew(path, sealPieces(keyring, counted()))
      await store.put(sealedName(keyring, key), await openAsBlob(path), again)
      return size
    } finally {
      await rm(path, { force: true })
    }
  }
  const put = async (key: string, bytes: Buffer | Blob, again: boolean): Promise<void> => {
    if (Buffer.isBuffer(bytes)) await store.put(sealedName(keyring, key), Buffer.concat(await Array.fromAsync(sealPieces(keyring, [bytes]))), again)
    else await putStream(key, bytes.stream() as unknown as AsyncIterable<Uint8Array>, again)
  }

  const read = async (key: string, range?: ByteRange): Promise<Readable | undefined> => {
    const name = sealedName(keyring, key)
    const head = range && (await headOf(store, name))
    if (range && !head) return store.read(key, range)
    if (range && head) {
      const first = Math.floor(range.from / pieceBytes)
      const size = pieceBytes + tagBytes
      const stream = await store.read(name, { from: headBytes + first * size, to: headBytes + (Math.floor(range.to / pieceBytes) + 1) * size - 1 })
      return (
        stream &&
        Readable.from(slice(openPieces(keyring, head, stream, first, true), range.from - first * pieceBytes, range.to - range.from + 1), { objectMode: false })
      )
    }
    const stream = await store.read(name)
    return stream ? Readable.from(openWhole(keyring, stream), { objectMode: false }) : store.read(key)
  }
  /** Between a look at one name and the other a file may have been sealed. */
  const readEither = async (key: string, range?: ByteRange) => (await read(key, range)) ?? (await read(key, range))

  const bytes = async (key: string): Promise<Buffer | undefined> => {
    const stream = await readEither(key)
    return stream && Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>))
  }

  return {
    put: (key, file) => put(key, file, false),
    putStream: (key, chunks) => putStream(key, chunks, false),
    read: readEither,
    bytes,
    async remove(key) {
      await store.remove(sealedName(keyring, key))
      await store.remove(key)
    },
    check: () => store.check(),
    async sealedBy(key) {
      const head = await headOf(store, sealedName(keyring, key))
      if (head) return keyIdOf(head)
      const stream = await store.read(key)
      stream?.destroy()
      return stream && inTheClear
    },
    async reseal(key) {
      const head = await headOf(store, sealedName(keyring, key))
      if (head && keyIdOf(head) === keyring.first) {
        await store.remove(key)
        return false
      }
      const plain = await bytes(key)
      if (!plain) return false
      await put(key, plain, true)
      await store.remove(key)
      return true
    },
  }
}

async function headOf(store: FileStore, name: string): Promise<Buffer | undefined> {
  const stream = await store.read(name, { from: 0, to: headBytes - 1 })
  if (!stream) return undefined
  const head = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>))
  if (head.length < headBytes || head.toString('latin1', 0, 4) !== magic) throw damaged()
  return head
}
const keyIdOf = (head: Buffer): string => head.toString('latin1', 4, 16).replace(/\0+$/, '')
const damaged = (): StorageFault => new StorageFault('other', 'a sealed file is cut or damaged')

const nonceOf = (piece: number, last: boolean): Buffer => {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(piece, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}

async function* sealPieces(keyring: Keyring, from: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const head = Buffer.alloc(headBytes)
  head.write(magic, 'latin1')
  head.write(keyring.first, 4, 'latin1')
  randomBytes(16).copy(head, 16)
  const key = keyring.fileKey(keyring.first, head.subarray(16))
  yield head
  let number = 0
  for await (const { piece, last } of cut(from, pieceBytes)) {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number++, last)).setAAD(head)
    yield cipher.update(piece)
    // GCM keeps nothing back.
    cipher.final()
    yield cipher.getAuthTag()
  }
}

async function* openWhole(keyring: Keyring, stream: Readable): AsyncGenerator<Buffer> {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  while (head.length < headBytes) {
    const next = await chunks.next()
    if (next.done) throw damaged()
    head = Buffer.concat([head, next.value])
  }
  async function* rest(): AsyncGenerator<Buffer> {
    yield head.subarray(headBytes)
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
  }
  try {
    if (head.toString('latin1', 0, 4) !== magic) throw damaged()
    yield* openPieces(keyring, head.subarray(0, headBytes), rest(), 0, false)
  } finally {
    stream.destroy()
  }
}

/** `partial`: the file may go on behind what is read. */
async function* openPieces(keyring: Keyring, head: Buffer, from: AsyncIterable<Uint8Array>, first: number, partial: boolean): AsyncGenerator<Buffer> {
  const key = keyring.fileKey(keyIdOf(head), head.subarray(16))
  const open = (piece: Buffer, number: number, last: boolean): Buffer => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number, last)).setAAD(head).setAuthTag(piece.subarray(-tagBytes))
    const plain = decipher.update(piece.subarray(0, -tagBytes))
    decipher.final()
    return plain
  }
  let number = first
  for await (const { piece, last } of cut(from, pieceBytes + tagBytes)) {
    if (piece.length < tagBytes) throw damaged()
    let plain: Buffer
    try {
      plain = open(piece, number, last)
    } catch {
      if (!(last && partial)) throw damaged()
      try {
        plain = open(piece, number, false)
      } catch {
        throw damaged()
      }
    }
    yield plain
    number++
  }
}

let passed = 0
/** V8 looks for dead young objects when objects have filled their room. Buffers hardly do: of a large file 70 MB of them would lie there (ADR 49). */
function tidyAfter(bytes: number): void {
  passed += bytes
  if (passed < tidyEvery) return
  passed = 0
  globalThis.gc?.({ type: 'minor' })
}

/** Pieces of one size; the last may be shorter, and there is always one. */
async function* cut(from: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, size: number): AsyncGenerator<{ piece: Buffer; last: boolean }> {
  let held: Buffer[] = []
  let length = 0
  for await (const chunk of from) {
    held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    length += chunk.byteLength
    // The last piece is known by nothing coming behind it.
    if (length <= size) continue
    const all = Buffer.concat(held)
    let at = 0
    for (; length - at > size; at += size) {
      tidyAfter(size)
      yield { piece: all.subarray(at, at + size), last: false }
    }
    held = [all.subarray(at)]
    length -= at
  }
  yield { piece: Buffer.concat(held), last: true }
}

async function* slice(from: AsyncIterable<Buffer>, skip: number, length: number): AsyncGenerator<Buffer> {
  for await (const chunk of from) {
    const piece = chunk.subarray(skip, skip + length)
    skip = Math.max(0, skip - chunk.length)
    length -= piece.length
    if (piece.length > 0) yield piece
    if (length <= 0) return
  }
}
