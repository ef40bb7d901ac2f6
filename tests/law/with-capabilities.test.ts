/** `capabilitiesOf`: inboxes of one channel that carry different things; the composer hears it, the server holds it, live after a change. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import sharp from 'sharp'
import { io } from 'socket.io-client'
import { Type } from 'typebox'
import type { ChannelCapabilities } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const files = { image: { types: ['image/png'], maxSize: 1_000 } }
const wide: ChannelCapabilities = { send: ['text', 'link'], delivery: 'push', maxTextLength: 100, recallMs: 60_000, files }
const dot = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
const gifDot = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
/** A picture that cannot be made small. */
const noise = () =>
  sharp(randomBytes(40 * 40 * 3), { raw: { width: 40, height: 40, channels: 3 } })
    .png()
    .toBuffer()
const asked: unknown[] = []
const { manifest, platform } = mockChannel('courier', wide, {
  inboxSettings: Type.Object({
    size: Type.Union([Type.Literal('small'), Type.Literal('large'), Type.Literal('files'), Type.Literal('odd')], { default: 'large' }),
    secret: Type.String({ format: 'secret', default: '' }),
  }),
  capabilitiesOf({ settings }) {
    asked.push(settings.secret)
    if (settings.size === 'files') return { ...wide, send: ['text', 'image', 'audio', 'file'], maxFileSize: 2_000 }
    if (settings.size === 'odd') throw new Error('nobody thought of this one')
    return settings.size === 'small' ? { ...wide, send: ['text'], maxTextLength: 5, recallMs: 0 } : wide
  },
})
const { manifest: plain } = mockChannel('plain')

await onEveryProfile('capabilities', [found(manifest), found(plain)], (world) => {
  const link = [{ type: 'link', url: 'https://example.com/' }]
  const open = async (size: string) => {
    const inbox = await world().inbox('courier', { size, secret: 'do-not-tell' })
    const [said] = await world().say(inbox, newId(), '你好')
    return { inbox, id: said?.conversationId }
  }
  const send = (agent: Awaited<ReturnType<ReturnType<typeof world>['person']>>, id: string | undefined, parts: unknown[]) =>
    agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts })

  test('the server asks the inbox: part, length, recall', async () => {
    const agent = await world().person('小安', 'admin')
    const [small, large] = [await open('small'), await open('large')]
    assert.deepEqual([(await send(agent, small.id, link)).body.code, (await send(agent, large.id, link)).status], ['HUB_MESSAGE_REFUSED', 201])
    const long = [{ type: 'text', text: '一二三四五六' }]
    assert.deepEqual((await send(agent, small.id, long)).body.details, { reason: 'length', max: 5 })
    for (const [room, status] of [
      [small, 409],
      [large, 200],
    ] as const) {
      const { body } = await send(agent, room.id, [{ type: 'text', text: '好' }])
      await eventually(async () => (await world().hub.em().count(Outbound, { messageId: body.id })) === 0, 'its sending')
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/recall`)).status, status)
    }
    assert.ok(platform.sent.length > 0)
  })

  test('the server holds which files are carried, by their bytes: nothing is stored of what is refused, and the file stays the agent’s', async () => {
    const agent = await world().person('小冯', 'admin')
    const { id } = await open('files')
    const messages = () =>
      world()
        .hub.em()
        .count(Message, { conversationId: id as string, direction: 'out' })
    const upload = async (name: string, bytes: Buffer, field = 'file') => {
      const form = new FormData()
      form.append(field, new Blob([new Uint8Array(bytes)]), name)
      const answer = await fetch(`${world().url}/api/files`, { method: 'POST', body: form, headers: { cookie: agent.cookie } })
      assert.equal(answer.status, 201)
      return (await answer.json()) as { type: string; fileId: string; mime: string; size: number }
    }
    const refused = async (parts: unknown[]) => {
      const { status, body } = await send(agent, id, parts)
      assert.deepEqual([status, body.code], [422, 'HUB_MESSAGE_REFUSED'], JSON.stringify(body))
      return body.details
    }
    const [png, gif, large] = [await upload('图.png', dot), await upload('图.gif', gifDot), await upload('大图.png', await noise())]
    assert.deepEqual(await refused([gif]), { reason: 'fileType', kind: 'image', mime: 'image/gif', types: ['image/png'], names: 'PNG' })
    assert.deepEqual(await refused([large]), { reason: 'fileSize', kind: 'image', max: 1_000, limit: '1 KB' })
    // The client's word is not asked: nor of the type, nor of the size, nor as what it goes.
    assert.equal((await refused([{ ...gif, mime: 'image/png' }])).reason, 'fileType')
    assert.equal((await refused([{ ...large, size: 10 }])).reason, 'fileSize')
    const long = await upload('长.txt', Buffer.from('长'.repeat(1_000)))
    assert.deepEqual(await refused([long]), { reason: 'fileSize', kind: 'file', max: 2_000, limit: '2 KB' })
    const note = await upload('短.txt', Buffer.from('短'))
    assert.equal((await refused([{ ...note, type: 'audio' }])).reason, 'fileKind')
    // One that is not carried holds back those beside it: half a message is none.
    await refused([{ type: 'text', text: '请看' }, png, gif])
    assert.equal(await messages(), 0)
    const { status, body } = await send(agent, id, [{ ...png, mime: 'image/gif', size: 1 }, note])
    assert.equal(status, 201)
    assert.deepEqual(
      body.parts.map((part: { mime: string; size: number }) => [part.mime, part.size]),
      [
        ['image/png', dot.length],
        ['application/octet-stream', 3],
      ],
    )
    // What was refused is still there, for a note among colleagues that carries everything.
    assert.equal((await send(agent, id, [gif])).status, 422)
    const kept = await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [gif], note: true })
    assert.equal(kept.status, 201)
    // Of somebody else's file nothing is told, not even that it is too large.
    const stranger = await world().person('小褚', 'admin')
    assert.equal((await send(stranger, id, [large])).body.code, 'HUB_NOT_FOUND')
  })

  test('every agent hears what differs, and only that; no secret reaches the question', async () => {
    const agent = await world().person('小白')
    const [small, large] = [await open('small'), await open('large')]
    const other = await world().inbox('plain')
    const { items } = (await agent.call('GET', '/api/inboxes/brief')).body
    const of = (id: string) => items.find((item: { id: string }) => item.id === id).capabilities
    assert.deepEqual([of(small.inbox.id).send, of(large.inbox.id).send, of(other.id)], [['text'], ['text', 'link'], null])
    assert.deepEqual(of(large.inbox.id).files, files, 'which files it takes, for the composer to say before it uploads one')
    assert.ok(asked.length > 0 && !asked.includes('do-not-tell'))
  })

  test('changed settings count at once, and the composers hear of it', async () => {
    const admin = await world().person('小陈', 'admin')
    const { inbox, id } = await open('large')
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: admin.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    const heard: string[] = []
    socket.on('inbox.changed', (data: { id: string }) => heard.push(data.id))
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { settings: { size: 'small', secret: true } })).status, 200)
    assert.equal((await send(admin, id, link)).body.code, 'HUB_MESSAGE_REFUSED')
    await eventually(() => heard.includes(inbox.id), 'the news')
    socket.disconnect()
  })

  test('an adapter that fails at it: the channel’s own count, and everything goes on', async () => {
    const agent = await world().person('小邓', 'admin')
    const { id } = await open('odd')
    assert.equal((await send(agent, id, link)).status, 201)
    assert.equal((await agent.call('GET', '/api/inboxes/brief')).status, 200)
  })
})
