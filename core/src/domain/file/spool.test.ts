import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { spool, sweepSpool } from './spool.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'huike-spool-'))
after(() => rmSync(dataDir, { recursive: true, force: true }))
const left = () => readdirSync(join(dataDir, 'uploads'))
const chunks = (count: number) => Array.from({ length: count }, () => Buffer.alloc(1_000))

test('bytes are lent as a file that is gone afterwards, whatever happens', async () => {
  const lent = await spool({ dataDir }, Readable.from(chunks(3)), 3_000, async ({ path, size, hash }) => {
    assert.ok(existsSync(path))
    return { size, hash }
  })
  assert.deepEqual(lent, { size: 3_000, hash: createHash('sha256').update(Buffer.alloc(3_000)).digest('hex') })
  await assert.rejects(
    spool({ dataDir }, Readable.from(chunks(1)), 3_000, () => Promise.reject(new Error('no'))),
    /no/,
  )
  assert.deepEqual(left(), [])
})

test('more than is allowed, or a stream that was cut, is lent to nobody', async () => {
  const never = () => assert.fail('it was lent')
  assert.equal(await spool({ dataDir }, Readable.from(chunks(4)), 3_999, never), undefined)
  assert.equal(await spool({ dataDir }, Object.assign(Readable.from(chunks(4)), { truncated: true }), 4_000, never), undefined)
  async function* broken() {
    yield Buffer.alloc(1_000)
    throw new Error('the line is dead')
  }
  await assert.rejects(spool({ dataDir }, Readable.from(broken()), 4_000, never), /the line is dead/)
  // While the file is still being opened, too: so many at once wait for their turn at the disk.
  const dead = () =>
    new Readable({
      read() {
        this.destroy(new Error('the line is dead'))
      },
    })
  await Promise.all(Array.from({ length: 60 }, () => assert.rejects(spool({ dataDir }, dead(), 4_000, never), /the line is dead/)))
  assert.deepEqual(left(), [])
})

test('a disk that takes nothing is named', async () => {
  const noFolder = join(dataDir, 'a-file')
  writeFileSync(noFolder, '')
  await assert.rejects(
    spool({ dataDir: noFolder }, Readable.from(chunks(1)), 4_000, async () => undefined),
    { code: 'HUB_STORAGE_UNAVAILABLE', fault: 'disk' },
  )
})

test('what a dead process left goes, what is on its way stays', async () => {
  mkdirSync(join(dataDir, 'uploads'), { recursive: true })
  for (const name of ['old', 'new']) writeFileSync(join(dataDir, 'uploads', name), 'x')
  const yesterday = Date.now() / 1_000 - 86_400
  utimesSync(join(dataDir, 'uploads', 'old'), yesterday, yesterday)
  await sweepSpool({ dataDir })
  assert.deepEqual(left(), ['new'])
  await sweepSpool({ dataDir: join(dataDir, 'nowhere') })
})
