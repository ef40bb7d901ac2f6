/** The files of records: what counts as one, what a wall shows of them, what leaves in a zip or an export. */
import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import type { MessagePart } from '../../core/sdk/message-parts.ts'
import type { RecordMessage } from '../../core/sdk/records.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { inboxKey } from '../../core/src/domain/file/claim-files.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { recordsFor } from '../../core/src/domain/record/read-records.ts'
import { zipFound } from '../../core/src/domain/record/zip-files.ts'
import { found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel()

await onEveryProfile('files of records', [found(manifest)], (world) => {
  test('pictures inside a letter and of a card count, are shown and leave like others; a file goes by how it was sent; what was taken back stays', async () => {
    const { hub } = world()
    const admin = await world().person('管理', 'admin')
    const inbox = await world().inbox('mock')
    const store = async (name: string) => storeFile(hub, { name, bytes: Buffer.from(name), uploadedBy: inboxKey(inbox.id) })
    const [inside, cover, scan, back] = [await store('信内.png'), await store('封面.png'), await store('扫描.png'), await store('撤回.png')]
    const who = newId()
    const say = async (parts: MessagePart[]) => {
      const [accepted] = await hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId: who }, parts, sentAt: new Date() }])
      return accepted as { conversationId: string; messageId: string }
    }
    const { conversationId: id } = await say([{ type: 'html', html: '<img src="cid:1">', text: '见图', inline: [{ cid: '1', fileId: inside.id }] }])
    const kinds = async () => (await admin.call('GET', `/api/records/${id}`)).body.attachments
    assert.deepEqual(await kinds(), ['image'])
    await say([{ type: 'card', kind: 'product', title: '商品', cover: cover.id }])
    assert.deepEqual(await kinds(), ['image'])
    // A picture that was sent as a file.
    await say([{ type: 'file', fileId: scan.id, name: scan.name, mime: 'image/png', size: scan.size }])
    const { messageId } = await say([partOf(back)])
    await hub.em().nativeUpdate(Message, { id: messageId }, { recalledAt: new Date() })

    const { items } = (await admin.call('GET', `/api/records/${id}/attachments`)).body
    assert.deepEqual(
      items.map(({ kind, name, size }: { kind: string; name: string; size: number }) => [kind, name, size]),
      [
        ['file', scan.name, scan.size],
        ['image', cover.name, cover.size],
        ['image', inside.name, inside.size],
      ],
    )
    const entries = async (path: string) => {
      const answer = await fetch(new URL(path, world().url), { headers: { cookie: admin.cookie } })
      assert.equal(answer.status, 200)
      const all = await new ZipReader(new Uint8ArrayReader(new Uint8Array(await answer.arrayBuffer()))).getEntries()
      return all.map((entry) => entry.filename.split('/').at(-1))
    }
    assert.deepEqual(await entries(`/api/records/${id}/attachments.zip`), ['信内.png', '封面.png', '扫描.png'])
    const found = (attachments: string[]) =>
      entries(`/api/records/attachments.zip?filter=${encodeURIComponent(JSON.stringify({ inboxIds: [inbox.id], attachments }))}`)
    assert.deepEqual([await found(['image']), await found(['file'])], [['信内.png', '封面.png'], ['扫描.png']])

    const exported: RecordMessage[] = []
    for await (const page of recordsFor(hub).messages({ agentId: admin.id, personal: true }, [id]))
      exported.push(...page.filter(({ direction }) => direction === 'in'))
    assert.deepEqual(
      exported.map(({ files }) => files.map(({ name, mime }) => [name, mime])),
      [[['信内.png', inside.mime]], [['封面.png', cover.mime]], [['扫描.png', 'image/png']], []],
    )
    for (const [file] of exported.map(({ files }) => files)) assert.ok(!file || (await file.open()))
  })

  test('a long name is cut for file systems that count bytes, keeps its ending, and is the only one of its name', async () => {
    const { hub } = world()
    const agent = await world().person('小覃')
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '要一份合同')
    const id = accepted?.conversationId ?? ''
    await hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
    const long = '采购合同第三次修订稿'.repeat(11)
    for (const name of [`${long}甲.pdf`, `${long}乙.pdf`, `${'😀'.repeat(100)}.pdf`]) {
      const file = await storeFile(hub, { name, bytes: Buffer.from(name), uploadedBy: agent.id })
      assert.equal(file.name, name, 'it is kept as it is')
      assert.equal((await world().reply(agent, id, '给您', { parts: [partOf(file)] })).status, 201)
    }
    const filter = encodeURIComponent(JSON.stringify({ inboxIds: [inbox.id], attachments: ['file'] }))
    for (const path of [`/api/records/${id}/attachments.zip`, `/api/records/attachments.zip?filter=${filter}`]) {
      const answer = await fetch(new URL(path, world().url), { headers: { cookie: agent.cookie } })
      assert.equal(answer.status, 200)
      const entries = await new ZipReader(new Uint8ArrayReader(new Uint8Array(await answer.arrayBuffer()))).getEntries()
      const names = entries.map((entry) => entry.filename)
      assert.equal(new Set(names).size, 3)
      for (const name of names) {
        assert.match(name, /\.pdf$/)
        for (const step of name.split('/')) assert.ok(Buffer.byteLength(step) <= 255, `${step}: ${Buffer.byteLength(step)} bytes`)
      }
    }
  })

  test('a folder carries the day on which its conversation began where the reader is', async () => {
    const { hub } = world()
    const agent = await world().person('小晨')
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '早')
    const id = accepted?.conversationId ?? ''
    await hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open', createdAt: new Date('2026-11-30T23:30:00Z') })
    const file = await storeFile(hub, { name: '晨.txt', bytes: Buffer.from('晨'), uploadedBy: agent.id })
    assert.equal((await world().reply(agent, id, '给您', { parts: [partOf(file)] })).status, 201)
    const filter = encodeURIComponent(JSON.stringify({ inboxIds: [inbox.id] }))
    const folder = async (tz: string) => {
      const answer = await fetch(new URL(`/api/records/attachments.zip?tz=${tz}&filter=${filter}`, world().url), { headers: { cookie: agent.cookie } })
      const [entry] = await new ZipReader(new Uint8ArrayReader(new Uint8Array(await answer.arrayBuffer()))).getEntries()
      return entry?.filename.slice(0, 10)
    }
    assert.deepEqual([await folder('Asia/Shanghai'), await folder('UTC')], ['2026-12-01', '2026-11-30'])
  })

  test('a zip that ends before what was found says so', async () => {
    const { hub } = world()
    const agent = await world().person('小蒋')
    const word = newId().slice(-8)
    for (let i = 0; i < 3; i++) {
      const [accepted] = await world().say(await world().inbox('mock'), newId(), `单号 ${word}`)
      const id = accepted?.conversationId ?? ''
      await hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
      const file = await storeFile(hub, { name: `${i}.txt`, bytes: Buffer.from(`${i}`), uploadedBy: agent.id })
      assert.equal((await world().reply(agent, id, '给您', { parts: [partOf(file)] })).status, 201)
    }
    const access = await hub.access.of(agent.id)
    assert.ok(access)
    const actor = access as unknown as Parameters<typeof zipFound>[1]
    const names = async (most: number) => {
      const bytes = await buffer(zipFound(hub, actor, { keyword: word, attachments: ['file'] }, { tz: 'UTC', ids: undefined, most }))
      return (await new ZipReader(new Uint8ArrayReader(new Uint8Array(bytes))).getEntries()).map((entry) => entry.filename.split('/').at(-1))
    }
    assert.equal((await names(3)).length, 3)
    assert.deepEqual((await names(2)).at(-1), actor.agent.locale === 'zh' ? '不完整.txt' : 'not complete.txt')
    assert.equal((await names(2)).length, 3)
  })
})
