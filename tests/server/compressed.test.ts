/**
 * What the build compresses goes out compressed to whoever takes it; everybody else, and everything else, is answered as
 * ever. Needs the bundled plugins: a tree without them has not been built.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { compress } from '../../core/bin/prepare.mjs'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { found, onEveryProfile } from '../support/world.ts'

const root = resolve(import.meta.dirname, '../..')
const long = (word: string) => `export const words = '${`${word} `.repeat(400)}'\n`
const unpack = { br: brotliDecompressSync, gzip: gunzipSync, none: (bytes: Buffer) => bytes }

const dir = mkdtempSync(join(tmpdir(), 'huike-packed-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const lay = (name: string, text: string) => {
  mkdirSync(join(dir, name, '..'), { recursive: true })
  writeFileSync(join(dir, name), text)
}
for (const name of ['ui/dist/admin.js', 'ui/dist/words.js', 'ui/dist/looks.css', 'ui/dist/public.js', 'ui/dist/old.js']) lay(name, long(name))
lay('ui/dist/small.js', 'export {}\n')
lay('ui/dist/picture.png', long('a picture'))
compress(join(dir, 'ui/dist'))
// Built once more by hand, a minute later.
lay('ui/dist/old.js', long('newer'))
utimesSync(join(dir, 'ui/dist/old.js'), new Date(), new Date(Date.now() + 60_000))
lay('prebuilt/plain.js', long('somebody else built it'))

const asset = (path: string, file: string) => ({ path, file, type: 'text/javascript; charset=utf-8', embeddable: true })
const packed = definePlugin({
  id: 'packed',
  version: '1.0.0',
  label: { zh: '打包', en: 'Packed' },
  ui: { admin: 'ui/dist/admin.js' },
  assets: [asset('/packed.js', 'ui/dist/public.js'), asset('/packed-old.js', 'ui/dist/old.js'), asset('/packed-plain.js', 'prebuilt/plain.js')],
})

await onEveryProfile('compressed files', [found(packed, dir)], (world) => {
  /** Without a client that unpacks by itself. */
  const ask = (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: Record<string, unknown>; bytes: Buffer }>((done, failed) => {
      get(new URL(path, world().url), { headers, agent: false }, async (response) => {
        const bytes = Buffer.concat(await response.toArray())
        done({ status: response.statusCode ?? 0, headers: response.headers, bytes })
      }).on('error', failed)
    })

  /** The same file by every coding, each under a tag of its own. */
  async function inEachCoding(path: string, text: string, type: RegExp, headers: Record<string, string> = {}) {
    const tags = new Set<unknown>()
    for (const [accepted, coding] of [
      ['gzip, deflate, br', 'br'],
      ['gzip', 'gzip'],
      ['br;q=0, gzip;q=0.5', 'gzip'],
      ['br;q=0, gzip;q=0', 'none'],
      ['', 'none'],
    ] as const) {
      const answer = await ask(path, { ...headers, ...(accepted && { 'accept-encoding': accepted }) })
      const said = `${path} with "${accepted}"`
      assert.equal(answer.status, 200, said)
      assert.equal(answer.headers['content-encoding'] ?? 'none', coding, said)
      assert.match(String(answer.headers['content-type']), type, said)
      assert.match(String(answer.headers.vary), /accept-encoding/i, said)
      assert.equal(unpack[coding](answer.bytes).toString(), text, said)
      assert.ok(coding === 'none' || answer.bytes.length < text.length / 2, said)
      tags.add(answer.headers.etag)
      const again = await ask(path, { ...headers, 'accept-encoding': accepted, 'if-none-match': String(answer.headers.etag) })
      assert.deepEqual([again.status, again.bytes.length, again.headers.etag], [304, 0, answer.headers.etag], said)
    }
    assert.equal(tags.size, 3, `${path} has a tag for each of its three forms`)
  }

  test('a plugin’s asset, cached and embedded as it says', async () => {
    await inEachCoding('/packed.js', long('ui/dist/public.js'), /^text\/javascript; charset=utf-8$/)
    const { headers } = await ask('/packed.js', { 'accept-encoding': 'br' })
    assert.equal(headers['cache-control'], 'public, max-age=300')
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin')
  })

  test('a plugin’s UI module and what stands beside it, for who is signed in', async () => {
    const { cookie } = await world().person('打包')
    await inEachCoding('/api/plugins/packed/ui/admin.js', long('ui/dist/admin.js'), /^text\/javascript/, { cookie })
    await inEachCoding('/api/plugins/packed/ui/words.js', long('ui/dist/words.js'), /^text\/javascript/, { cookie })
    await inEachCoding('/api/plugins/packed/ui/looks.css', long('ui/dist/looks.css'), /^text\/css/, { cookie })
    assert.equal((await ask('/api/plugins/packed/ui/admin.js', { 'accept-encoding': 'br' })).status, 401)
    for (const name of ['admin.js.br', 'gone.js', '']) assert.notEqual((await ask(`/api/plugins/packed/ui/${name}`, { cookie })).status, 200, name)
  })

  test('a compressed file of an earlier build is not sent; a plugin that brings none is served as it is', async () => {
    for (const [path, text] of [
      ['/packed-old.js', long('newer')],
      ['/packed-plain.js', long('somebody else built it')],
    ] as const) {
      const { headers, bytes } = await ask(path, { 'accept-encoding': 'gzip, br' })
      assert.deepEqual([headers['content-encoding'], bytes.toString()], [undefined, text])
      assert.equal(headers['content-length'], String(text.length))
    }
  })

  test('the two apps and what they share', async () => {
    for (const name of ['workbench', 'admin']) {
      const dist = join(root, `${name}-ui/dist/assets`)
      for (const file of readdirSync(dist).filter((file) => /^index-.*\.(js|css)$/.test(file))) {
        const type = file.endsWith('.css') ? /^text\/css; charset/ : /^application\/javascript; charset/
        await inEachCoding(`/${name}/assets/${file}`, readFileSync(join(dist, file), 'utf8'), type)
        assert.match(String((await ask(`/${name}/assets/${file}`, { 'accept-encoding': 'br' })).headers['cache-control']), /max-age=31536000, immutable/)
      }
    }
    await inEachCoding('/ui/shared/vue.js', readFileSync(join(root, 'workbench-ui/dist/shared/vue.js'), 'utf8'), /^application\/javascript/)
  })

  test('answers of the API are not compressed: their length would tell of what they hold', async () => {
    const { cookie } = await world().person('接口', 'owner')
    for (const path of ['/api/roles', '/api/plugins', '/api/openapi.json'])
      assert.equal((await ask(path, { cookie, 'accept-encoding': 'gzip, br' })).headers['content-encoding'], undefined, path)
  })
})

test('the build compresses what is worth it, once, anew when it changed, and takes away what belongs to nothing', () => {
  const dist = join(dir, 'built/dist')
  for (const name of ['a.js', 'deep/b.css', 'gone.js']) lay(`built/dist/${name}`, long(name))
  lay('built/dist/small.js', 'export {}\n')
  lay('built/dist/picture.png', long('a picture'))
  compress(dist)
  const list = () => readdirSync(dist, { recursive: true }).map(String).sort()
  const whole = ['a.js', 'a.js.br', 'a.js.gz', 'deep', 'deep/b.css', 'deep/b.css.br', 'deep/b.css.gz']
  assert.deepEqual(list(), [...whole, 'gone.js', 'gone.js.br', 'gone.js.gz', 'picture.png', 'small.js'])

  const packedA = join(dist, 'a.js.br')
  writeFileSync(packedA, 'untouched')
  rmSync(join(dist, 'gone.js'))
  compress(dist)
  assert.equal(readFileSync(packedA, 'utf8'), 'untouched', 'it was made already')
  assert.deepEqual(list(), [...whole, 'picture.png', 'small.js'])

  utimesSync(packedA, 0, 0)
  writeFileSync(join(dist, 'deep/b.css'), 'b {}')
  utimesSync(join(dist, 'deep/b.css'), new Date(), new Date(Date.now() + 60_000))
  compress(dist)
  assert.equal(brotliDecompressSync(readFileSync(packedA)).toString(), long('a.js'))
  assert.ok(!existsSync(join(dist, 'deep/b.css.gz')), 'what became small is sent as it is')
})
