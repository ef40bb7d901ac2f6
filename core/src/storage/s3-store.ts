/**
 * Files in a bucket of any S3-compatible storage. A key is the hash of the bytes, so a request that is sent again
 * changes nothing; the signature covers the hash of the body, so the storage refuses what was damaged on the way.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type ByteRange, type FileStore, pathOfKey } from './file-store.ts'
import { S3Client, type S3Settings } from './s3-client.ts'
import { StorageFault } from './storage-fault.ts'

/** How often the rest of a file is asked for when the connection is cut in the middle of it. */
const maxResumes = 3

export function s3Store(settings: S3Settings, onRetry: () => void = () => undefined): FileStore {
  const client = new S3Client(settings, onRetry)

  /** Says no when in doubt: then the file is sent, and if that cannot be, its refusal tells why (one of a HEAD has no words). */
  async function isThere(path: string, size: number): Promise<boolean> {
    const found = await client.send('HEAD', path, { attempts: 1 }).catch(() => undefined)
    return found !== undefined && Number(found.headers.get('content-length')) === size
  }

  return {
    async put(key, bytes, again = false) {
      const path = pathOfKey(key)
      const size = bytes instanceof Blob ? bytes.size : bytes.length
      if (!again && (await isThere(path, size))) return
      const answer = await client.send('PUT', path, { body: bytes, sha256: await sha256(bytes), size })
      await answer?.body?.cancel()
    },
    async read(key, range) {
      const path = pathOfKey(key)
      const answer = await client.send('GET', path, range ? { range: `bytes=${range.from}-${range.to}` } : {})
      if (range && answer && answer.status !== 206) {
        await answer.body?.cancel()
        throw new StorageFault('other', 'asked for a range, it answers with the whole file')
      }
      return answer && Readable.from(chunks(client, path, answer, range), { objectMode: false })
    },
    async bytes(key) {
      const path = pathOfKey(key)
      const answer = await client.send('GET', path)
      return answer && Buffer.concat(await Array.fromAsync(chunks(client, path, answer)))
    },
    async remove(key) {
      const answer = await client.send('DELETE', pathOfKey(key))
      await answer?.body?.cancel()
    },
    /** Nothing is called that: the storage answers 404 when it would have given a file. */
    async check() {
      const answer = await client.send('GET', 'huike-check', { attempts: 1, timeoutMs: 3_000 })
      await answer?.body?.cancel()
    },
  }
}

/** The body; where the connection is cut, the rest of it. */
async function* chunks(client: S3Client, path: string, first: Response, range?: ByteRange): AsyncGenerator<Uint8Array> {
  let answer = first
  let offset = range?.from ?? 0
  for (let resumes = 0; ; resumes++) {
    try {
      for await (const chunk of client.bodyOf(answer)) {
        // A storage that sends more than it was asked for does not shift what the reader gets.
        const piece = range ? chunk.subarray(0, range.to + 1 - offset) : chunk
        offset += piece.length
        yield piece
        if (offset > (range?.to ?? Number.POSITIVE_INFINITY)) return
      }
      return
    } catch (error) {
      if (resumes === maxResumes) throw error
      const rest = await client.send('GET', path, { range: `bytes=${offset}-${range?.to ?? ''}` })
      if (rest?.status !== 206) throw error
      answer = rest
    }
  }
}

async function sha256(bytes: Buffer | Blob): Promise<string> {
  const hash = createHash('sha256')
  if (bytes instanceof Blob) for await (const chunk of bytes.stream()) hash.update(chunk)
  else hash.update(bytes)
  return hash.digest('hex')
}
