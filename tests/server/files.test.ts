/** Files of people, on both storages: what is sniffed, what is shown, who may read, and what a storage that is away does. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { refuse, startStorage, type TestStorage } from '../support/s3.ts'
import { call, found, type Person, startWorld, type World } from '../support/world.ts'

let shade = 0
/** Another picture each time. */
const picture = () => {
  shade++
  return sharp({ create: { width: 900, height: 600, channels: 3, background: { r: shade % 256, g: 120, b: Math.trunc(Math.random() * 256) } } })
    .png()
    .toBuffer()
}

for (const profile of await profiles())
  for (const kind of ['disk', 's3'] as const)
    describe(`files [${profile}, ${kind}]`, () => {
      let storage: TestStorage | undefined
      let world: World
      before(async () => {
        storage = kind === 's3' ? await startStorage() : undefined
        world = await startWorld(await makePlace(profile), [found(mockChannel().manifest)], storage?.env)
      })
      after(async () => {
        await world.running.stop()
        await world.place.remove()
        await storage?.stop()
      })

      const send = async (person: Person, name: string, bytes: Buffer) => {
        const form = new FormData()
        form.set('file', new Blob([new Uint8Array(bytes)]), name)
        const response = await fetch(new URL('/api/files', world.url), { method: 'POST', body: form, headers: { cookie: person.cookie } })
        return { status: response.status, body: (await response.json()) as any }
      }
      const open = (person: Person, id: string, variant = '') => fetch(new URL(`/api/files/${id}${variant}`, world.url), { headers: { cookie: person.cookie } })

      test('a picture comes back byte for byte, with its size, and small as WebP', async () => {
        const agent = await world.person('小韩')
        const bytes = await picture()
        const { status, body } = await send(agent, '../店 铺.png', bytes)
        assert.deepEqual(
          [status, body.type, body.name, body.mime, body.size, body.width, body.height],
          [201, 'image', '店 铺.png', 'image/png', bytes.length, 900, 600],
        )
        const whole = await open(agent, body.fileId)
        assert.deepEqual([whole.status, whole.headers.get('content-type'), Number(whole.headers.get('content-length'))], [200, 'image/png', bytes.length])
        assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes)
        const small = await open(agent, body.fileId, '/thumbnail')
        assert.equal(small.headers.get('content-type'), 'image/webp')
        assert.equal((await sharp(Buffer.from(await small.arrayBuffer())).metadata()).width, 480)
      })

      test('SVG and HTML are downloads whatever they are called', async () => {
        const agent = await world.person('小秦')
        for (const [name, text] of [
          ['logo.svg', '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
          ['page.png', '<!doctype html><script>alert(1)</script>'],
        ] as const) {
          const { body } = await send(agent, name, Buffer.from(text))
          const { headers } = await open(agent, body.fileId)
          assert.equal(headers.get('content-type'), 'application/octet-stream')
          assert.match(headers.get('content-disposition') ?? '', /^attachment/)
          assert.match(headers.get('content-security-policy') ?? '', /sandbox/)
          assert.equal(headers.get('x-content-type-options'), 'nosniff')
        }
      })

      test('equal bytes are stored once, each with its own name and owner', async () => {
        const [one, other] = [await world.person('小尤'), await world.person('小许')]
        const bytes = await picture()
        const first = await send(one, 'a.png', bytes)
        const from = storage?.heard.length ?? 0
        const second = await send(other, 'b.png', bytes)
        assert.notEqual(first.body.fileId, second.body.fileId)
        assert.deepEqual(
          (storage?.heard.slice(from) ?? []).filter((line) => line.startsWith('PUT')),
          [],
        )
        const rows = await world.hub.em().find(StoredFile, { id: { $in: [first.body.fileId, second.body.fileId] } })
        assert.equal(new Set(rows.map((row) => row.hash)).size, 1)
      })

      test('another’s file is not found until a conversation one may read carries it', async () => {
        const [one, other] = [await world.person('小何', 'admin'), await world.person('小吕', 'admin')]
        const { body } = await send(one, 'a.png', await picture())
        assert.equal((await open(other, body.fileId)).status, 404)
        assert.equal((await call(world.url, 'GET', `/api/files/${body.fileId}`)).status, 401)
        const inbox = await world.inbox('mock')
        const [accepted] = await world.say(inbox, newId(), '有照片吗')
        const sent = await one.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, { clientId: newId(), parts: [body] })
        assert.equal(sent.status, 201)
        assert.equal((await open(other, body.fileId)).status, 200)
      })

      test('too large is refused with its code', async () => {
        const { status, body } = await send(await world.person('小施'), 'a.bin', Buffer.alloc(20 * 1024 * 1024 + 1))
        assert.deepEqual([status, body.code], [413, 'HUB_REQUEST_TOO_LARGE'])
      })

      test('it is ready, says how its storage is, and counts', async () => {
        const { status, body } = await call(world.url, 'GET', '/readyz')
        assert.deepEqual(
          [status, body.checks.storage],
          [200, kind === 's3' ? { ok: true, detail: 'S3', code: 's3' } : { ok: true, detail: 'disk', code: 'local' }],
        )
        assert.match((await call(world.url, 'GET', '/metrics')).body, /huike_storage_seconds_count\{operation="put",outcome="ok"\} \d/)
      })

      if (kind === 's3') {
        test('the bucket is away: files are refused with a code, talking goes on, and sent again they are there', async () => {
          const agent = await world.person('小张', 'admin')
          const bytes = await picture()
          const before = await send(agent, 'before.png', await picture())
          const rows = await world.hub.em().count(StoredFile, {})
          await storage?.away()
          try {
            const refused = await send(agent, 'a.png', bytes)
            assert.deepEqual([refused.status, refused.body.code, refused.body.details], [503, 'HUB_STORAGE_UNAVAILABLE', { fault: 'unreachable' }])
            assert.doesNotMatch(JSON.stringify(refused.body), /127\.0\.0\.1/)
            const unread = await open(agent, before.body.fileId)
            assert.deepEqual([unread.status, ((await unread.json()) as any).code], [503, 'HUB_STORAGE_UNAVAILABLE'])
            assert.equal(await world.hub.em().count(StoredFile, {}), rows, 'no row without its file')
            const [accepted] = await world.say(await world.inbox('mock'), newId(), '在吗')
            assert.ok(accepted?.messageId)
          } finally {
            await storage?.back()
          }
          const again = await send(agent, 'a.png', bytes)
          assert.equal(again.status, 201)
          assert.deepEqual(Buffer.from(await (await open(agent, again.body.fileId)).arrayBuffer()), bytes)
        })

        test('/readyz stays ready and names fault and remedy', async () => {
          const place = await makePlace(profile)
          const ill = await startWorld(place, [], { ...storage?.env, S3_SECRET_KEY: 'wrong' })
          const { status, body } = await call(ill.url, 'GET', '/readyz')
          assert.deepEqual([status, body.checks.storage.ok], [200, false])
          assert.match(body.checks.storage.detail, /does not accept the keys.*S3_SECRET_KEY/)
          await ill.running.stop()
          await place.remove()
        })

        test('a hiccup while a file is stored is nothing anybody notices but the metrics', async () => {
          storage?.next('PUT', refuse(503, 'SlowDown'))
          assert.equal((await send(await world.person('小孔'), 'a.png', await picture())).status, 201)
          assert.match((await call(world.url, 'GET', '/metrics')).body, /huike_storage_retries_total [1-9]/)
        })
      }
    })
