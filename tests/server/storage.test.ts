/** The two storages keep one promise; and what goes wrong between the hub and a bucket is mended or named. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type EnvError, readEnv } from '../../core/src/config/env.ts'
import { diskStore } from '../../core/src/storage/disk-store.ts'
import { type FileStore, pathOfKey } from '../../core/src/storage/file-store.ts'
import { openFileStore } from '../../core/src/storage/open-file-store.ts'
import { addressOf } from '../../core/src/storage/s3-client.ts'
import { bucket, hangUp, refuse, startStorage, type TestStorage } from '../support/s3.ts'

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
/** New bytes each time: no test meets another's file. */
const some = (size = 1_000) => {
  const bytes = randomBytes(size)
  return { bytes, key: hashOf(bytes) }
}
const root = mkdtempSync(join(tmpdir(), 'huike-storage-'))
let storage: TestStorage
const bucketWith = (more: Record<string, string> = {}): FileStore => openFileStore(readEnv({ HUB_DATA: root, ...storage.env, ...more }))

before(async () => {
  storage = await startStorage()
})
after(async () => {
  await storage.stop()
  rmSync(root, { recursive: true, force: true })
})

for (const [name, open] of [
  ['disk', () => diskStore(join(root, 'contract'))],
  ['s3', () => bucketWith()],
] as const)
  describe(`a storage [${name}]`, () => {
    test('gives back what it was given, as a stream and whole', async () => {
      const store = open()
      const { bytes, key } = some(300_000)
      await store.put(key, bytes)
      assert.deepEqual(await store.bytes(key), bytes)
      assert.deepEqual(Buffer.concat(await Array.fromAsync((await store.read(key)) ?? [])), bytes)
    })

    test('gives a range of it', async () => {
      const store = open()
      const { bytes, key } = some(300_000)
      await store.put(key, bytes)
      for (const [from, to] of [
        [0, 0],
        [100_000, 250_000],
        [299_999, 299_999],
      ] as const)
        assert.ok(Buffer.concat(await Array.fromAsync((await store.read(key, { from, to })) ?? [])).equals(bytes.subarray(from, to + 1)), `${from}-${to}`)
      assert.equal(await store.read(some().key, { from: 0, to: 0 }), undefined)
    })

    test('takes a Blob, read while it is sent', async () => {
      const { bytes, key } = some(2_000_000)
      await open().put(key, new Blob([bytes]))
      assert.equal(hashOf((await open().bytes(key)) ?? Buffer.alloc(0)), key)
    })

    test('what is not there is undefined, and what is removed is not there', async () => {
      const store = open()
      const { bytes, key } = some()
      assert.deepEqual([await store.read(key), await store.bytes(key)], [undefined, undefined])
      await store.put(key, bytes)
      await store.remove(key)
      await store.remove(key)
      assert.equal(await store.bytes(key), undefined)
    })

    test('a stream that is left early harms nobody', async () => {
      const store = open()
      const { bytes, key } = some(3_000_000)
      await store.put(key, bytes)
      const stream = await store.read(key)
      stream?.once('data', () => stream.destroy())
      await new Promise((done) => stream?.once('close', done))
      assert.equal((await store.bytes(key))?.length, bytes.length)
    })

    test('answers when it is asked how it is', () => open().check())
  })

describe('a bucket', () => {
  test('is not sent again what it has', async () => {
    const { bytes, key } = some()
    await bucketWith().put(key, bytes)
    const from = storage.heard.length
    await bucketWith().put(key, bytes)
    assert.deepEqual(storage.heard.slice(from), [`HEAD /${bucket}/${pathOfKey(key)}`])
  })

  test('keeps everything below its prefix', async () => {
    const { bytes, key } = some()
    await bucketWith({ S3_PREFIX: 'huike/prod' }).put(key, bytes)
    assert.equal(storage.heard.at(-1), `PUT /${bucket}/huike/prod/${pathOfKey(key)}`)
    assert.equal(await bucketWith().bytes(key), undefined)
    assert.deepEqual(await bucketWith({ S3_PREFIX: 'huike/prod/' }).bytes(key), bytes)
  })

  test('stands in the path or in the host name', () => {
    const at = (S3_PATH_STYLE: string, more = {}) => {
      const { s3 } = readEnv({ S3_BUCKET: 'b-1', S3_ACCESS_KEY: 'k', S3_SECRET_KEY: 's', S3_PATH_STYLE, ...more })
      return s3 && addressOf(s3)
    }
    assert.equal(at('true', { S3_ENDPOINT: 'http://minio:9000' }), 'http://minio:9000/b-1/')
    assert.equal(at('false', { S3_ENDPOINT: 'https://oss-cn-hangzhou.aliyuncs.com/', S3_PREFIX: 'a' }), 'https://b-1.oss-cn-hangzhou.aliyuncs.com/a/')
    assert.equal(at('false', { S3_REGION: 'ap-east-1' }), 'https://b-1.s3.ap-east-1.amazonaws.com/')
  })

  test('half an environment is refused, every fault by name', () => {
    const faults = (source: Record<string, string>) => {
      try {
        readEnv(source)
        return []
      } catch (error) {
        return (error as EnvError).faults
      }
    }
    assert.deepEqual(faults({ S3_BUCKET: 'files' }), ['S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY go together'])
    assert.deepEqual(faults({ S3_ACCESS_KEY: 'k', S3_SECRET_KEY: 's' }), ['S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY go together'])
    assert.deepEqual(faults({ S3_ENDPOINT: 'https://minio' }), ['S3_ENDPOINT needs S3_BUCKET'])
    assert.equal(faults({ ...storage.env, S3_BUCKET: 'No', S3_ENDPOINT: 'https://minio/path', S3_PATH_STYLE: 'yes', S3_PREFIX: '../up' }).length, 4)
  })
})

describe('between the hub and a bucket', () => {
  test('503, 429 and a cut line are tried again until it succeeds', async () => {
    const { bytes, key } = some(500_000)
    storage.next('PUT', refuse(503, 'SlowDown'), refuse(429, 'TooManyRequests', { 'retry-after': '0' }), hangUp)
    await bucketWith().put(key, bytes)
    assert.deepEqual(await bucketWith().bytes(key), bytes)
    storage.next('GET', refuse(500, 'InternalError'), refuse(503, 'ServiceUnavailable'))
    assert.deepEqual(await bucketWith().bytes(key), bytes)
  })

  test('a download that breaks off goes on where it was', async () => {
    const { bytes, key } = some(1_500_000)
    await bucketWith().put(key, bytes)
    storage.cutNextDownload(400_000)
    const from = storage.heard.length
    const read = Buffer.concat(await Array.fromAsync((await bucketWith().read(key)) ?? []))
    assert.equal(hashOf(read), key)
    assert.equal(storage.heard.length - from, 2)
  })

  test('a range that breaks off goes on where it was, and ends where it should', async () => {
    const { bytes, key } = some(1_500_000)
    await bucketWith().put(key, bytes)
    storage.cutNextDownload(400_000)
    const from = storage.heard.length
    const read = Buffer.concat(await Array.fromAsync((await bucketWith().read(key, { from: 100_000, to: 1_300_000 })) ?? []))
    assert.ok(read.equals(bytes.subarray(100_000, 1_300_001)))
    assert.equal(storage.heard.length - from, 2)
  })

  test('busy for good: it is named, and nothing is half stored', async () => {
    const { bytes, key } = some()
    storage.next('PUT', ...Array.from({ length: 4 }, () => refuse(503, 'SlowDown')))
    await assert.rejects(bucketWith().put(key, bytes), { code: 'HUB_STORAGE_UNAVAILABLE', fault: 'busy' })
    assert.equal(await bucketWith().bytes(key), undefined)
  })

  test('nobody there: named, and well again when it is back', async () => {
    const { bytes, key } = some()
    const store = bucketWith()
    await storage.away()
    try {
      await assert.rejects(store.put(key, bytes), { code: 'HUB_STORAGE_UNAVAILABLE', fault: 'unreachable', detail: /ECONNREFUSED/ })
      await assert.rejects(store.check(), { fault: 'unreachable' })
    } finally {
      await storage.back()
    }
    await store.put(key, bytes)
    assert.deepEqual(await store.bytes(key), bytes)
  })

  test('keys that are wrong are told at once, not tried again', async () => {
    const { bytes, key } = some()
    const from = storage.heard.length
    await assert.rejects(bucketWith({ S3_SECRET_KEY: 'wrong' }).put(key, bytes), { fault: 'credentials', remedy: /S3_SECRET_KEY/ })
    assert.equal(storage.heard.length - from, 2, 'one HEAD, one PUT')
    await assert.rejects(bucketWith({ S3_ACCESS_KEY: 'nobody' }).check(), { fault: 'credentials' })
  })

  test('a bucket that is not there is not taken for a file that is not there', async () => {
    await assert.rejects(bucketWith({ S3_BUCKET: 'no-such' }).read(some().key), { fault: 'bucket' })
    await assert.rejects(bucketWith({ S3_BUCKET: 'no-such' }).check(), { fault: 'bucket' })
  })

  test('clocks that differ are named, with the difference', async () => {
    storage.next('GET', refuse(403, 'RequestTimeTooSkewed', { date: new Date(Date.now() - 3_600_000).toUTCString() }))
    await assert.rejects(bucketWith().check(), { fault: 'clock', remedy: /NTP/, detail: /this machine is 3[56]\d\d s ahead/ })
  })

  for (const [status, code, fault] of [
    [403, 'AccessDenied', 'forbidden'],
    [301, 'PermanentRedirect', 'region'],
    [507, 'XMinioStorageFull', 'full'],
    [418, 'Teapot', 'other'],
  ] as const)
    test(`${status} ${code} is ${fault}`, async () => {
      storage.next('GET', refuse(status, code))
      await assert.rejects(bucketWith().check(), { fault })
    })
})

describe('the disk', () => {
  test('a file where the folder should be is named', async () => {
    writeFileSync(join(root, 'file'), '')
    const { bytes, key } = some()
    await assert.rejects(diskStore(join(root, 'file')).put(key, bytes), { code: 'HUB_STORAGE_UNAVAILABLE', fault: 'disk' })
    await assert.rejects(diskStore(join(root, 'file')).check(), { fault: 'disk' })
  })
})

describe('what an operator runs', () => {
  const run = (script: string, more: Record<string, string>) =>
    new Promise<{ code: number; output: string }>((done) => {
      const env = { PATH: process.env.PATH ?? '', HUB_DATA: join(root, 'data'), PORT: '0', ...more }
      execFile(process.execPath, [resolve(import.meta.dirname, '../../core/bin', script)], { env }, (error, stdout, stderr) =>
        done({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
      )
    })

  test('copy-files brings the disk’s files into the bucket, once, and leaves out what is damaged', async () => {
    const files = [some(), some(200_000), some()]
    const disk = diskStore(join(root, 'data/files'))
    for (const { key, bytes } of files) await disk.put(key, bytes)
    await disk.put(`${files[0]?.key}.thumb`, Buffer.from('small'))
    const prefix = { S3_PREFIX: 'moved' }
    assert.deepEqual(await run('copy-files.ts', { ...storage.env, ...prefix }), {
      code: 0,
      output: `4 files of ${join(root, 'data/files')} are in the bucket ${bucket}.\n`,
    })
    for (const { key, bytes } of files) assert.deepEqual(await bucketWith(prefix).bytes(key), bytes)
    assert.equal((await bucketWith(prefix).bytes(`${files[0]?.key}.thumb`))?.toString(), 'small')

    const rotten = some()
    await disk.put(rotten.key, Buffer.from('something else'))
    const from = storage.heard.length
    const again = await run('copy-files.ts', { ...storage.env, ...prefix })
    assert.equal(again.code, 1)
    assert.match(again.output, new RegExp(`not copied: .*${rotten.key}`))
    assert.ok(
      storage.heard.slice(from).every((line) => line.startsWith('HEAD')),
      'what is there is not sent again',
    )
    assert.match((await run('copy-files.ts', {})).output, /S3_BUCKET is empty/)
  })

  test('the doctor stores, reads and removes a file, or names fault and remedy', async () => {
    assert.match((await run('doctor.ts', storage.env)).output, / {2}ok {2}Files .* stored, read and removed one/)
    const ill = await run('doctor.ts', { ...storage.env, S3_SECRET_KEY: 'wrong' })
    assert.equal(ill.code, 1)
    assert.match(ill.output, /BAD {2}Files .*SignatureDoesNotMatch.*\n +→ Correct S3_ACCESS_KEY and S3_SECRET_KEY/)
  })
})
