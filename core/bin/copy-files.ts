/**
 * npm run copy-files: copies the files of HUB_DATA into the bucket that the S3 variables name. The hub may run
 * meanwhile: files never change, and what is there already is not sent again, so run it once before the hub is
 * switched to the bucket and once after. Nothing is removed from the disk.
 */
import { createHash } from 'node:crypto'
import { existsSync, openAsBlob } from 'node:fs'
import { glob } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EnvError, readEnv } from '../src/config/env.ts'
import type { FileStore } from '../src/storage/file-store.ts'
import { filesDir, openFileStore } from '../src/storage/open-file-store.ts'
import { StorageFault } from '../src/storage/storage-fault.ts'

const atOnce = 4

async function copyAll(from: string, to: FileStore): Promise<{ copied: number; damaged: string[] }> {
  let copied = 0
  const damaged: string[] = []
  const copyOne = async (path: string): Promise<void> => {
    const key = basename(path)
    // What a crash left half written has another name.
    if (!/^[0-9a-f]{64}(\.\w+)?$/.test(key)) return
    const bytes = await openAsBlob(join(from, path))
    // A sealed file is copied as it is; its own seals tell whether it is whole when it is read.
    if (key.length === 64 && (await sha256(bytes)) !== key) damaged.push(path)
    else {
      await to.put(key, bytes)
      copied++
      if (copied % 1_000 === 0) console.log(`${copied} files`)
    }
  }
  const paths = glob('*/*', { cwd: from })
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = await paths.next(); !next.done; next = await paths.next()) await copyOne(next.value)
    }),
  )
  return { copied, damaged }
}

async function sha256(bytes: Blob): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of bytes.stream()) hash.update(chunk)
  return hash.digest('hex')
}

try {
  const env = readEnv(process.env)
  if (!env.s3) throw new EnvError(['S3_BUCKET is empty: name the bucket to copy to'])
  const from = filesDir(env)
  const { copied, damaged } = existsSync(from) ? await copyAll(from, openFileStore(env)) : { copied: 0, damaged: [] }
  console.log(`${copied} files of ${from} are in the bucket ${env.s3.bucket}.`)
  for (const path of damaged) console.error(`Damaged on the disk, not copied: ${path}`)
  process.exitCode = damaged.length > 0 ? 1 : 0
} catch (error) {
  if (!(error instanceof EnvError || error instanceof StorageFault)) throw error
  console.error(error instanceof StorageFault ? `${error.message} (${error.detail}). ${error.remedy}` : error.message)
  process.exitCode = 1
}
