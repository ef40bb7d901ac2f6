import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Keyring } from '../sealing/keyring.ts'
import { diskStore } from './disk-store.ts'
import { pathOfKey } from './file-store.ts'
import { sealedName, sealedStore } from './sealed-store.ts'

const root = mkdtempSync(join(tmpdir(), 'huike-sealed-'))
after(() => rmSync(root, { recursive: true, force: true }))
const [one, two] = [
  { id: 'one', key: randomBytes(32) },
  { id: 'two', key: randomBytes(32) },
]
const index = randomBytes(32)
const ring = (...keys: (typeof one)[]) => {
  const keyring = new Keyring(keys)
  keyring.useIndex(index)
  return keyring
}
const scratch = join(root, 'uploads')
const disk = diskStore(join(root, 'files'))
const store = sealedStore(disk, ring(one), scratch)
const pathOf = (key: string) => join(root, 'files', pathOfKey(sealedName(ring(one), key)))
const all = async (stream: AsyncIterable<Buffer> | undefined) => stream && Buffer.concat(await Array.fromAsync(stream))
const piece = 65_536
/** A key such as the hub's: nothing but its form matters here. */
const keyOf = (n: number) => n.toString(16).padStart(64, '0')

test('files of every size around a piece come back whole and by every kind of range, from memory and from a blob', async () => {
  let n = 1
  for (const size of [0, 1, piece - 1, piece, piece + 1, 2 * piece, 3 * piece + 7]) {
    const bytes = randomBytes(size)
    for (const from of [bytes, new Blob([bytes])]) {
      const key = keyOf(n++)
      await store.put(key, from)
      assert.ok((await store.bytes(key))?.equals(bytes))
      const edges = [0, 1, piece - 1, piece, piece + 1, size - 2, size - 1].filter((at) => at >= 0 && at < size)
      for (const from of edges)
        for (const to of edges.filter((at) => at >= from))
          assert.ok((await all(await store.read(key, { from, to })))?.equals(bytes.subarray(from, to + 1)), `${size}: ${from}-${to}`)
    }
  }
  assert.deepEqual(readdirSync(scratch), [])
})

test('a stream is sealed as it comes and lies nowhere in the clear; what its source throws comes out, and leaves nothing', async () => {
  const words = Buffer.from('身份证 110101199003078515 '.repeat(9_000))
  const everything = () => readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  let looked = 0
  async function* slowly() {
    for (let at = 0; at < words.length; at += piece) {
      yield words.subarray(at, at + piece)
      await new Promise(setImmediate)
      for (const { parentPath, name } of everything()) {
        looked++
        assert.ok(!readFileSync(join(parentPath, name)).includes('110101199003078515'))
      }
    }
  }
  assert.equal(await store.putStream(keyOf(8000), slowly()), words.length)
  assert.ok(looked > 2 && (await store.bytes(keyOf(8000)))?.equals(words))
  async function* broken() {
    yield words
    throw new RangeError('the source ends here')
  }
  await assert.rejects(store.putStream(keyOf(8001), broken()), RangeError)
  assert.equal(await store.bytes(keyOf(8001)), undefined)
  assert.deepEqual(readdirSync(scratch), [])
})

test('neither the bytes nor the name of a file are in the storage', async () => {
  const key = keyOf(999)
  await store.put(key, Buffer.from('身份证 110101199003078515'))
  const held = readFileSync(pathOf(key))
  assert.ok(!held.includes('110101199003078515') && !pathOf(key).includes(key))
})

test('a file that is cut, exchanged, turned around or of another key is refused, never half believed', async () => {
  const key = keyOf(500)
  const bytes = randomBytes(3 * piece)
  await store.put(key, bytes)
  const good = readFileSync(pathOf(key))
  const sealed = piece + 16
  const parts = [0, 1, 2].map((n) => good.subarray(32 + n * sealed, 32 + (n + 1) * sealed)) as [Buffer, Buffer, Buffer]
  const head = good.subarray(0, 32)
  for (const bad of [
    good.subarray(0, -1),
    Buffer.concat([head, parts[0], parts[1]]),
    Buffer.concat([head, parts[1], parts[0], parts[2]]),
    Buffer.concat([head, parts[0], parts[2]]),
    Buffer.concat([good, parts[2]]),
    good.subarray(0, 20),
    Buffer.concat([head.map((byte, i) => (i === 20 ? byte ^ 1 : byte)), good.subarray(32)]),
  ]) {
    writeFileSync(pathOf(key), bad)
    await assert.rejects(async () => store.bytes(key), { code: 'HUB_STORAGE_UNAVAILABLE' })
  }
  writeFileSync(pathOf(key), Buffer.concat([readFileSync(pathOf(key)).subarray(0, 32)]))
  await assert.rejects(async () => store.bytes(key))
  const other = keyOf(501)
  await store.put(other, bytes)
  await assert.rejects(async () => sealedStore(disk, ring(two), scratch).bytes(other), { code: 'HUB_DATA_SEALED' })
})

test('what an older hub stored in the clear is read, by the range too; resealing brings it and files of another key to the first', async () => {
  const [plain, old] = [keyOf(7000), keyOf(7001)]
  const bytes = randomBytes(piece + 100)
  await disk.put(plain, bytes)
  await store.put(old, bytes)
  assert.ok((await store.bytes(plain))?.equals(bytes))
  assert.ok((await all(await store.read(plain, { from: 10, to: piece + 5 })))?.equals(bytes.subarray(10, piece + 6)))
  const both = sealedStore(disk, ring(two, one), scratch)
  for (const key of [plain, old]) {
    assert.deepEqual([await both.reseal(key), await both.reseal(key)], [true, false])
    assert.ok((await sealedStore(disk, ring(two), scratch).bytes(key))?.equals(bytes))
  }
  assert.equal(await disk.bytes(plain), undefined)
  await both.remove(plain)
  assert.equal(await both.bytes(plain), undefined)
  assert.equal(await both.reseal(plain), false)
})
