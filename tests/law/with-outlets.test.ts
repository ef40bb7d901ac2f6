/** `ctx.outlet`, `ctx.blobs.put` under a name of one's own: files that leave the hub, only to where the operator and an admin let them. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { OutletTarget } from '../../core/sdk/outlets.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { bucket, refuse, startStorage, type TestStorage } from '../support/s3.ts'
import { found, startWorld, type World } from '../support/world.ts'

const courier = definePlugin({ id: 'courier', version: '1.0.0', label: { zh: '快递', en: 'Courier' } })

async function* bytes(...words: string[]): AsyncGenerator<Uint8Array> {
  for (const word of words) yield Buffer.from(word)
}

for (const profile of await profiles())
  describe(`outlets [${profile}]`, () => {
    let world: World
    let storage: TestStorage
    const out = mkdtempSync(join(tmpdir(), 'huike-out-'))
    const elsewhere = mkdtempSync(join(tmpdir(), 'huike-elsewhere-'))
    before(async () => {
      storage = await startStorage()
      world = await startWorld(await makePlace(profile), [found(courier)], { HUB_OUTPUT_DIR: out })
    })
    after(async () => {
      await world.running.stop()
      await world.place.remove()
      await storage.stop()
      for (const dir of [out, elsewhere]) rmSync(dir, { recursive: true, force: true })
    })
    const ctx = () => {
      const plugin = world.hub.kernel.get('courier')
      assert.ok(plugin)
      return plugin.ctx
    }
    const at = (more: object = {}): OutletTarget => ({
      kind: 'bucket',
      endpoint: storage.env.S3_ENDPOINT ?? '',
      region: 'us-east-1',
      bucket,
      accessKey: 'S3RVER',
      secretKey: 'S3RVER',
      pathStyle: true,
      prefix: 'reports/daily',
      allowPrivate: true,
      ...more,
    })

    test('a folder below the one that the operator allows, made when it is missing; whole under its name, the last one wins', async () => {
      const outlet = ctx().outlet({ kind: 'folder', path: '财务/日报' })
      await outlet.check()
      await outlet.put('报表 (1).csv', bytes('一', '二'))
      assert.equal(readFileSync(join(out, '财务/日报/报表 (1).csv'), 'utf8'), '一二')
      await outlet.put('报表 (1).csv', bytes('三'))
      assert.equal(readFileSync(join(out, '财务/日报/报表 (1).csv'), 'utf8'), '三')
      await assert.rejects(
        outlet.put(
          'broken.csv',
          (async function* () {
            yield Buffer.from('half')
            throw new Error('the source broke')
          })(),
        ),
        /the source broke/,
      )
      assert.deepEqual(readdirSync(join(out, '财务/日报')), ['报表 (1).csv'])
    })

    test('nothing leads out of it: not a path, not a name, not a link', async () => {
      for (const path of ['..', '../x', 'a/../../x', '/etc', 'a/./b', '.ssh', 'a\\..\\b', 'a\0b']) {
        await assert.rejects(ctx().outlet({ kind: 'folder', path }).put('x', bytes('x')), { code: 'HUB_REQUEST_INVALID' }, path)
        await assert.rejects(
          ctx()
            .outlet(at({ prefix: path }))
            .put('x', bytes('x')),
          { code: 'HUB_REQUEST_INVALID' },
          path,
        )
      }
      for (const name of ['', '..', '../x', 'a/b', '/x', '.hidden', 'x'.repeat(300)])
        await assert.rejects(ctx().outlet({ kind: 'folder', path: '' }).put(name, bytes('x')), { code: 'HUB_REQUEST_INVALID' }, name)
      symlinkSync(elsewhere, join(out, 'link'))
      await assert.rejects(ctx().outlet({ kind: 'folder', path: 'link/inside' }).put('x', bytes('x')), { code: 'HUB_REQUEST_INVALID' })
      assert.deepEqual(readdirSync(elsewhere), [])
      mkdirSync(join(out, 'real'))
      symlinkSync(join(elsewhere, 'target'), join(out, 'real/file.csv'))
      await ctx().outlet({ kind: 'folder', path: 'real' }).put('file.csv', bytes('mine'))
      assert.equal(existsSync(join(elsewhere, 'target')), false, 'a link of the file’s name is replaced, not followed')
    })

    test('a bucket, under any name; what is wrong is said in a word', async () => {
      const outlet = ctx().outlet(at())
      await outlet.check()
      const name = "报表 +1 (周一)'s!.csv"
      await outlet.put(name, bytes('一', '二'))
      assert.ok(
        storage.heard.some((line) => decodeURIComponent(line) === `PUT /${bucket}/reports/daily/${name}`),
        storage.heard.join('\n'),
      )
      storage.next('PUT', refuse(503, 'SlowDown'))
      await outlet.put(name, bytes('again'))
      const faults: [object, string][] = [
        [{ secretKey: 'wrong' }, 'credentials'],
        [{ bucket: 'not-there' }, 'bucket'],
        [{ allowPrivate: false }, 'private'],
        [{ allowPrivate: false, endpoint: 'https://169.254.169.254' }, 'private'],
        [{ allowPrivate: false, endpoint: 'https://localhost:1' }, 'private'],
      ]
      for (const [more, fault] of faults)
        for (const work of [() => ctx().outlet(at(more)).check(), () => ctx().outlet(at(more)).put('x.csv', bytes('x'))])
          await assert.rejects(work(), { code: 'HUB_STORAGE_UNAVAILABLE', details: { fault } }, JSON.stringify(more))
      storage.next('PUT', refuse(507, 'XMinioStorageFull'))
      await assert.rejects(outlet.put('x.csv', bytes('x')), { details: { fault: 'full' } })
    })

    test('where the operator allows no folder there is none', async () => {
      const other = await startWorld(await makePlace('embedded'), [found(courier)])
      try {
        const plugin = other.hub.kernel.get('courier')
        await assert.rejects(async () => plugin?.ctx.outlet({ kind: 'folder', path: '' }).check(), {
          code: 'HUB_STORAGE_UNAVAILABLE',
          details: { fault: 'nowhere' },
        })
      } finally {
        await other.running.stop()
        await other.place.remove()
      }
    })

    test('a blob under a name that was written down before; another’s name is another blob', async () => {
      const name = 'ab'.repeat(16)
      assert.deepEqual(await ctx().blobs.put(bytes('一'), name), { name, size: 3 })
      const kept = await ctx().blobs.read(name)
      assert.equal(Buffer.concat(await Array.fromAsync(kept ?? [])).toString(), '一')
      for (const bad of ['../x', 'AB'.repeat(16), 'x', '']) await assert.rejects(ctx().blobs.put(bytes('x'), bad), /named/)
      await ctx().blobs.remove(name)
      assert.equal(await ctx().blobs.read(name), undefined)
    })
  })
