/** Files of people, on both storages: what is sniffed, what is shown, who may read, and what a storage that is away does. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, mock, test } from 'node:test'
import sharp from 'sharp'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { claimFiles, inboxKey } from '../../core/src/domain/file/claim-files.ts'
import { dropFile, dropFiles } from '../../core/src/domain/file/drop-file.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { tidy, uncarriedMs } from '../../core/src/queue/tidy.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { refuse, startStorage, type TestStorage } from '../support/s3.ts'
import { call, eventually, found, type Person, startWorld, type World } from '../support/world.ts'

let shade = 0
/** Another picture each time. */
const picture = () => {
  shade++
  return sharp({ create: { width: 900, height: 600, channels: 3, background: { r: shade % 256, g: 120, b: Math.trunc(Math.random() * 256) } } })
    .png()
    .toBuffer()
}

/** A hundred megapixels of one colour: a telephone's camera makes as many. */
const panorama = sharp({ create: { width: 10_000, height: 10_000, channels: 3, background: '#888' } })
  .jpeg()
  .toBuffer()

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

      test('a picture that cannot be read, or is too large to be unfolded here, is a file', async () => {
        const agent = await world.person('小孔')
        const broken = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(64)])
        for (const [name, bytes] of [
          ['坏.png', broken],
          ['全景.jpg', await panorama],
        ] as const) {
          const { status, body } = await send(agent, name, bytes)
          assert.deepEqual([status, body.type, body.name, body.size], [201, 'file', name, bytes.length])
          assert.deepEqual(Buffer.from(await (await open(agent, body.fileId)).arrayBuffer()), bytes)
        }
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

      test('who brought a file has it, small too, until a message carries it; then only as long as they may read the conversation', async () => {
        const agent = await world.person('小华')
        const admin = await world.person('小金', 'admin')
        const inbox = await world.inbox('mock')
        const [accepted] = await world.say(inbox, newId(), '有照片吗')
        const id = accepted?.conversationId ?? ''
        const hold = (assigneeId: string | null) => world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId, status: 'open', deletedAt: null })
        await hold(agent.id)
        const { body: part } = await send(agent, 'a.png', await picture())
        const seen = () => Promise.all(['', '/thumbnail'].map(async (variant) => (await open(agent, part.fileId, variant)).status))
        assert.deepEqual(await seen(), [200, 200])
        const post = (to: string, more: object) =>
          agent.call('POST', `/api/conversations/${to}/messages`, { clientId: newId(), parts: [{ ...part, ...more }], note: true })
        assert.equal((await post(id, {})).status, 201)
        assert.deepEqual(await seen(), [200, 200])

        await hold(admin.id)
        assert.deepEqual(await seen(), [404, 404])
        // Neither by sending it once more, where they may write, nor by a draft that holds it.
        const [second] = await world.say(inbox, newId(), '在吗')
        const other = second?.conversationId ?? ''
        await world.hub.em().nativeUpdate(Conversation, { id: other }, { assigneeId: agent.id, status: 'open' })
        const refused = await post(other, {})
        assert.deepEqual([refused.status, refused.body.code], [404, 'HUB_NOT_FOUND'])
        assert.equal((await agent.call('PUT', `/api/conversations/${other}/draft`, { text: '', files: [part] })).status, 200)
        assert.deepEqual((await agent.call('GET', `/api/conversations/${other}/draft`)).body.gone, [part.fileId])

        await hold(agent.id)
        assert.deepEqual(await seen(), [200, 200])
        assert.deepEqual((await agent.call('GET', `/api/conversations/${other}/draft`)).body.gone, [])
        await world.hub.em().nativeUpdate(Conversation, { id }, { deletedAt: new Date() })
        assert.deepEqual(await seen(), [404, 404])
      })

      test('what was taken back is opened by nobody any more, unless another message carries it, however far back', async () => {
        const [agent, admin] = [await world.person('小严'), await world.person('小魏', 'admin')]
        const inbox = await world.inbox('mock')
        const [accepted] = await world.say(inbox, newId(), '有照片吗')
        const id = accepted?.conversationId ?? ''
        const em = world.hub.em()
        await em.nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
        const { body: part } = await send(agent, 'a.png', await picture())
        const post = async () =>
          (await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [part], note: true })).body as { id: string; seq: number }
        const [first, second] = [await post(), await post()]
        const recall = async (message: { id: string }) => assert.equal((await agent.call('POST', `/api/messages/${message.id}/recall`)).status, 200)
        const seen = async () => [
          (await open(admin, part.fileId)).status,
          (await open(admin, part.fileId, '/thumbnail')).status,
          (await open(agent, part.fileId)).status,
        ]
        await recall(second)
        const like = await em.findOneOrFail(Message, { id: second.id }, { disableIdentityMap: true })
        const later = Array.from({ length: 450 }, (_, n) => {
          const messageId = newId()
          return { ...like, id: messageId, seq: second.seq + 1 + n, dedupeKey: `out:${messageId}`, parts: [], recalledAt: null } as Message
        })
        await em.insertMany(Message, later)
        assert.deepEqual(await seen(), [200, 200, 200])
        await recall(first)
        assert.deepEqual(await seen(), [404, 404, 404])
      })

      test('a browser asks before it shows again what it has: it is answered without the bytes, and not at all who may not see it', async () => {
        const [agent, other] = [await world.person('小曹'), await world.person('小严')]
        const { body: part } = await send(agent, 'a.png', await picture())
        for (const variant of ['', '/thumbnail']) {
          const url = new URL(`/api/files/${part.fileId}${variant}`, world.url)
          const first = await open(agent, part.fileId, variant)
          const etag = first.headers.get('etag') as string
          assert.equal(first.headers.get('cache-control'), 'private, no-cache')
          await first.arrayBuffer()
          const ask = (who: Person, mark: string) => fetch(url, { headers: { cookie: who.cookie, 'if-none-match': mark }, cache: 'no-store' })
          const again = await ask(agent, `"other", W/${etag}`)
          assert.deepEqual(
            [again.status, again.headers.get('etag'), again.headers.get('cache-control'), (await again.arrayBuffer()).byteLength],
            [304, etag, 'private, no-cache', 0],
          )
          assert.equal((await ask(agent, '"other"')).status, 200)
          assert.equal((await ask(other, etag)).status, 404)
        }
      })

      test('a file that is sent once more stays where it was, and is a file of its own where it goes', async () => {
        const admin = await world.person('小何', 'admin')
        const { body: part } = await send(admin, 'a.png', await picture())
        const inbox = await world.inbox('mock')
        const carry = async () => {
          const [accepted] = await world.say(inbox, newId(), '有照片吗')
          const sent = await admin.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, { clientId: newId(), parts: [part] })
          assert.equal(sent.status, 201)
          return { conversationId: accepted?.conversationId ?? '', fileId: sent.body.parts[0].fileId as string }
        }
        const first = await carry()
        const [second, third] = await Promise.all([carry(), carry()])
        assert.equal(first.fileId, part.fileId)
        assert.equal(new Set([first, second, third].map(({ fileId }) => fileId)).size, 3)
        for (const { fileId, conversationId } of [first, second, third]) {
          assert.equal((await world.hub.em().findOneOrFail(StoredFile, { id: fileId }, { disableIdentityMap: true })).conversationId, conversationId)
          assert.equal((await open(admin, fileId)).status, 200)
        }
        await dropFiles(world.hub, second.conversationId)
        assert.deepEqual([(await open(admin, first.fileId)).status, (await open(admin, second.fileId)).status], [200, 404])
      })

      test('what no message ever carried goes after a month, and not before', async () => {
        const agent = await world.person('小尤')
        const { body: part } = await send(agent, 'a.png', await picture())
        const carried = await send(agent, 'b.png', await picture())
        await world.hub.em().nativeUpdate(StoredFile, { id: carried.body.fileId }, { conversationId: newId() })
        const { hash } = await world.hub.em().findOneOrFail(StoredFile, { id: part.fileId }, { disableIdentityMap: true })
        const em = world.hub.em()
        const ids = [part.fileId, carried.body.fileId]
        const left = async () => (await em.find(StoredFile, { id: { $in: ids } }, { disableIdentityMap: true })).length
        // All sessions are over by then, too.
        await tidy(world.hub, () => false, new Date(Date.now() + uncarriedMs - 60_000))
        assert.deepEqual([await left(), (await world.hub.files.bytes(hash)) !== undefined], [2, true])
        await tidy(world.hub, () => false, new Date(Date.now() + uncarriedMs + 60_000))
        assert.deepEqual([await left(), await world.hub.files.bytes(hash)], [1, undefined])
      })

      test('what a parked event names stays, whoever brought it; what else waits in its inbox goes', async () => {
        const { hub } = world
        const em = hub.em()
        const inbox = await world.inbox('mock')
        const put = (uploadedBy: string) => storeFile(hub, { name: 'a.txt', bytes: Buffer.from(newId()), uploadedBy })
        const [theirs, ours, raw, other] = [
          await put(`c:${newId()}`),
          await put(inboxKey(inbox.id)),
          await put(inboxKey(inbox.id)),
          await put(inboxKey(inbox.id)),
        ]
        const parts = [theirs, ours].map((file) => partOf(file, { as: 'file' }))
        const event = { kind: 'message' as const, externalId: newId(), from: { externalId: 'parked' }, parts, meta: { rawFileId: raw.id } }
        const now = new Date()
        const parked = {
          id: newId(),
          inboxId: inbox.id,
          externalId: event.externalId,
          senderId: 'parked',
          event,
          attempts: 12,
          error: 'x',
          dueAt: null,
          createdAt: now,
        }
        await em.insert(ParkedEvent, parked)
        await tidy(hub, () => false, new Date(Date.now() + uncarriedMs + 60_000))
        const left = await em.find(StoredFile, { id: { $in: [theirs, ours, raw, other].map(({ id }) => id) } }, { disableIdentityMap: true })
        assert.deepEqual(new Set(left.map(({ id }) => id)), new Set([theirs.id, ours.id, raw.id]))
        await em.nativeDelete(ParkedEvent, { id: parked.id })
      })

      test('the last of some bytes is removed while the same come again: whoever was told that it is there has it', async () => {
        const agent = await world.person('小许')
        for (let round = 0; round < 10; round++) {
          const bytes = await picture()
          const first = await send(agent, 'a.png', bytes)
          const row = await world.hub.em().findOneOrFail(StoredFile, { id: first.body.fileId }, { disableIdentityMap: true })
          const [, again] = await Promise.all([dropFile(world.hub, row), send(agent, 'b.png', bytes)])
          assert.equal(again.status, 201)
          assert.equal((await open(agent, again.body.fileId)).status, 200)
        }
      })

      /** While the bytes are being removed, just before they go. */
      async function asBytesGo<T>(work: () => Promise<T>): Promise<() => Promise<T>> {
        const done = Promise.withResolvers<T>()
        const { remove } = world.hub.files
        const removing = mock.method(world.hub.files, 'remove', async (name: string) => {
          removing.mock.restore()
          await work().then(done.resolve, done.reject)
          await remove.call(world.hub.files, name)
        })
        return () => done.promise
      }

      test('a file that is going cannot be sent once more: no message is accepted whose file is gone', async () => {
        const admin = await world.person('小吕', 'admin')
        const inbox = await world.inbox('mock')
        const { body: part } = await send(admin, 'a.png', await picture())
        const [[first], [second]] = [await world.say(inbox, newId(), '有照片吗'), await world.say(inbox, newId(), '有照片吗')]
        const carry = (conversationId: string | undefined) =>
          admin.call('POST', `/api/conversations/${conversationId}/messages`, { clientId: newId(), parts: [part] })
        assert.equal((await carry(first?.conversationId)).status, 201)
        const meanwhile = await asBytesGo(() => carry(second?.conversationId))
        await dropFiles(world.hub, first?.conversationId ?? '')
        assert.deepEqual([(await meanwhile()).status, (await open(admin, part.fileId)).status], [404, 404])
      })

      test('what a message is giving another conversation just now keeps its bytes', async () => {
        const admin = await world.person('小施', 'admin')
        const { body: part } = await send(admin, 'a.png', await picture())
        const em = world.hub.em()
        const [from, to] = [newId(), newId()]
        await em.nativeUpdate(StoredFile, { id: part.fileId }, { conversationId: from })
        const row = await em.findOneOrFail(StoredFile, { id: part.fileId }, { disableIdentityMap: true })
        let dropping: Promise<void> | undefined
        await em.transactional(async (tx) => {
          await claimFiles(tx as Em, [part], { id: newId(), conversationId: to, direction: 'out' }, admin.id)
          dropping = dropFile(world.hub, row)
        })
        await dropping
        const left = await em.find(StoredFile, { hash: row.hash }, { disableIdentityMap: true })
        assert.deepEqual(
          left.map(({ conversationId }) => conversationId),
          [to],
        )
        assert.ok(await world.hub.files.bytes(row.hash))
      })

      test('what a message has taken since it was found unused stays', async () => {
        const agent = await world.person('小张')
        const { body: part } = await send(agent, 'a.png', await picture())
        const em = world.hub.em()
        const unused = await em.findOneOrFail(StoredFile, { id: part.fileId }, { disableIdentityMap: true })
        await em.nativeUpdate(StoredFile, { id: part.fileId }, { conversationId: newId() })
        await dropFile(world.hub, unused)
        assert.equal(await em.count(StoredFile, { id: part.fileId, uploadedBy: agent.id }), 1)
        assert.ok(await world.hub.files.bytes(unused.hash))
      })

      const largest = 20 * 1024 * 1024
      const uploads = () => readdirSync(join(world.place.dataDir, 'uploads'))

      test('too large is refused with its code, by a byte or by many, and nothing of it is stored', async () => {
        const agent = await world.person('小施')
        const rows = await world.hub.em().count(StoredFile, {})
        for (const over of [1, 2, 70_000, largest]) {
          const bytes = Buffer.alloc(largest + over, over)
          const { status, body } = await send(agent, 'a.bin', bytes)
          assert.deepEqual([status, body.code, body.details], [413, 'HUB_REQUEST_TOO_LARGE', { max: largest }], String(over))
          const cut = createHash('sha256').update(bytes.subarray(0, largest)).digest('hex')
          assert.equal(await world.hub.files.read(cut), undefined)
        }
        assert.equal(await world.hub.em().count(StoredFile, {}), rows)
        const { status, body } = await send(agent, 'a.bin', Buffer.alloc(largest, 7))
        assert.deepEqual([status, body.size], [201, largest])
        assert.equal((await send(agent, 'a.bin', Buffer.alloc(0))).body.code, 'HUB_REQUEST_INVALID')
        assert.deepEqual(uploads(), [])
      })

      test('twenty at once arrive whole, and none of them lies around afterwards', async () => {
        const agent = await world.person('小金')
        const all = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1_000_000 + i, i))
        const sent = await Promise.all(all.map((bytes, i) => send(agent, `${i}.bin`, bytes)))
        assert.deepEqual(
          sent.map(({ status, body }) => [status, body.size]),
          all.map(({ length }) => [201, length]),
        )
        const read = await Promise.all(sent.map(async ({ body }) => Buffer.from(await (await open(agent, body.fileId)).arrayBuffer())))
        assert.ok(read.every((bytes, i) => bytes.equals(all[i] as Buffer)))
        assert.deepEqual(uploads(), [])
      })

      test('an upload whose sender goes away in the middle leaves nothing', async () => {
        const agent = await world.person('小魏')
        const rows = await world.hub.em().count(StoredFile, {})
        const asked = request(new URL('/api/files', world.url), {
          method: 'POST',
          headers: { cookie: agent.cookie, 'content-type': 'multipart/form-data; boundary=x', 'content-length': 2_000_000 },
        })
        asked.on('error', () => undefined)
        asked.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n')
        asked.write(Buffer.alloc(500_000))
        await eventually(() => uploads().length > 0, 'the upload')
        asked.destroy()
        await eventually(() => uploads().length === 0, 'tidying up')
        assert.equal(await world.hub.em().count(StoredFile, {}), rows)
      })

      test('a player gets the range it asks for, one beyond the end is refused, and another file’s half is not mended', async () => {
        const agent = await world.person('小陶')
        const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) % 256))
        const { body } = await send(agent, 'film.mp4', bytes)
        const ask = async (headers: Record<string, string>, variant = '') => {
          const answer = await fetch(new URL(`/api/files/${body.fileId}${variant}`, world.url), { headers: { cookie: agent.cookie, ...headers } })
          return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
        }
        const whole = await ask({})
        const etag = whole.headers.get('etag') as string
        assert.deepEqual([whole.status, whole.headers.get('accept-ranges')], [200, 'bytes'])
        for (const [range, from, to] of [
          ['bytes=0-99', 0, 99],
          ['bytes=99990-', 99_990, 99_999],
          ['bytes=-5', 99_995, 99_999],
          ['bytes=500-999999', 500, 99_999],
        ] as const)
          for (const more of [{}, { 'if-range': etag }] as Record<string, string>[]) {
            const part = await ask({ range, ...more })
            assert.deepEqual(
              [part.status, part.headers.get('content-range'), Number(part.headers.get('content-length'))],
              [206, `bytes ${from}-${to}/100000`, to - from + 1],
              range,
            )
            assert.ok(part.bytes.equals(bytes.subarray(from, to + 1)), range)
            assert.match(part.headers.get('content-security-policy') ?? '', /sandbox/)
          }
        // Several ranges, nonsense, and a range of what is another file by now: all of it.
        for (const headers of [{ range: 'bytes=0-1,5-6' }, { range: 'bytes=5-1' }, { range: 'bytes=0-9', 'if-range': '"another"' }] as Record<
          string,
          string
        >[]) {
          const all = await ask(headers)
          assert.deepEqual([all.status, all.bytes.length], [200, bytes.length], JSON.stringify(headers))
        }
        const beyond = await ask({ range: 'bytes=100000-' })
        assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */100000'])
        assert.deepEqual(JSON.parse(beyond.bytes.toString()).code, 'HUB_RANGE_INVALID')
        const { body: shown } = await send(agent, 'a.png', await picture())
        const small = await fetch(new URL(`/api/files/${shown.fileId}/thumbnail`, world.url), { headers: { cookie: agent.cookie, range: 'bytes=0-9' } })
        assert.deepEqual([small.status, small.headers.get('accept-ranges')], [200, 'none'])
        await small.arrayBuffer()
        // Who may not read it gets no part of it either.
        const other = await world.person('小姜')
        const refused = await fetch(new URL(`/api/files/${body.fileId}`, world.url), { headers: { cookie: other.cookie, range: 'bytes=0-9' } })
        assert.deepEqual([refused.status, ((await refused.json()) as any).code], [404, 'HUB_NOT_FOUND'])
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
