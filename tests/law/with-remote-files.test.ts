/** `remote` parts and `fetchFile`, `ctx.storeFile`, `ctx.file`: bytes follow their message, and what a channel takes in or sends on is its own. */
import assert from 'node:assert/strict'
import { text as textFrom } from 'node:stream/consumers'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { type FetchedFile, SendError } from '../../core/sdk/channel.ts'
import { HubError } from '../../core/sdk/errors.ts'
import type { MessagePart } from '../../core/sdk/message-parts.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, RemoteFetch } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

/** 40 × 30 pixels of red. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAMAAABpA6zvAAAAA1BMVEXMMzN0dFbYAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAEklEQVQ4jWNgGAWjYBSMguEAAATOAAE9WQaqAAAAAElFTkSuQmCC',
  'base64',
)
/** What the platform says to each reference; asked how often. */
const files = new Map<string, () => FetchedFile>()
const asked: string[] = []
const { manifest } = mockChannel(
  'camera',
  {},
  {
    async fetchFile(ref) {
      asked.push(ref)
      const file = files.get(ref)
      if (!file) throw new SendError('expired', { retry: false })
      return file()
    },
  },
)
const { manifest: stranger } = mockChannel('stranger')
const { manifest: blind } = mockChannel('blind')

await onEveryProfile('remote files', [found(manifest), found(stranger), found(blind)], (world) => {
  const send = async (inbox: Inbox, parts: MessagePart[], who = newId()) => {
    const [accepted] = await world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId: who }, parts }])
    return accepted as { messageId: string; conversationId: string }
  }
  const partsOf = async (id: string) => (await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).parts
  const settled = (id: string) =>
    eventually(async () => {
      await world().hasten()
      return (await world().hub.em().count(RemoteFetch, { messageId: id })) === 0
    }, 'the end of the fetching')

  test('a card’s picture follows too: it stands on the card, its reference never leaves; one that cannot be had is done without', async () => {
    files.set('card-ref', () => ({ bytes: picture, name: 'cover.png' }))
    files.set('no-picture', () => ({ bytes: Buffer.from('text, not a picture') }))
    const inbox = await world().inbox('camera')
    const agent = await world().person('小卡', 'admin')
    const card = (coverRef: string): MessagePart => ({ type: 'card', kind: 'miniprogram', title: '秋季新款', coverRef })
    const shown = async (coverRef: string) => {
      const { messageId, conversationId } = await send(inbox, [card(coverRef)])
      await settled(messageId)
      const { items } = (await agent.call('GET', `/api/conversations/${conversationId}/messages`)).body
      return items.find(({ id }: { id: string }) => id === messageId).parts[0]
    }
    const withPicture = await shown('card-ref')
    assert.deepEqual([withPicture.title, withPicture.coverRef], ['秋季新款', undefined])
    const thumbnail = await fetch(`${world().url}/api/files/${withPicture.cover}/thumbnail`, { headers: { cookie: agent.cookie } })
    assert.equal(thumbnail.status, 200)
    const stranger = await world().person('外人')
    assert.equal((await stranger.call('GET', `/api/files/${withPicture.cover}`)).status, 404)
    for (const ref of ['no-picture', 'nowhere']) assert.deepEqual(await shown(ref), { type: 'card', kind: 'miniprogram', title: '秋季新款' })
  })

  test('the message is there at once, the picture follows in its place, screens are told, and the reference never leaves', async () => {
    const hold = Promise.withResolvers<FetchedFile>()
    files.set('secret-ref', () => hold.promise as unknown as FetchedFile)
    const inbox = await world().inbox('camera')
    const agent = await world().person('小安', 'admin')
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: agent.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    const pushes: { messages: { parts: MessagePart[] }[] }[] = []
    socket.on('conversation', (push) => pushes.push(push))
    const { messageId, conversationId } = await send(inbox, [
      { type: 'text', text: '看图' },
      { type: 'remote', as: 'image', ref: 'secret-ref' },
    ])
    const thread = async () => (await agent.call('GET', `/api/conversations/${conversationId}/messages`)).body
    const before = await thread()
    assert.deepEqual(before.items[0].parts[1], { type: 'remote', as: 'image', ref: '' })
    hold.resolve({ bytes: picture, name: '照片.png' })
    await settled(messageId)
    const [, image] = await partsOf(messageId)
    assert.ok(image?.type === 'image')
    assert.deepEqual([image.mime, image.width, image.height, image.name], ['image/png', 40, 30, '照片.png'])
    const after = await thread()
    assert.ok(after.rev > before.rev)
    await eventually(() => pushes.some(({ messages }) => messages.some(({ parts }) => parts[1]?.type === 'image')), 'the push')
    assert.doesNotMatch(JSON.stringify([before, after, pushes]), /secret-ref/)
    assert.equal(
      (await fetch(`${world().url}/api/files/${image.fileId}/thumbnail`, { headers: { cookie: agent.cookie } })).headers.get('content-type'),
      'image/webp',
    )
    assert.equal((await (await world().person('外人')).call('GET', `/api/files/${image.fileId}`)).status, 404)
    socket.disconnect()
  })

  test('a failing fetch is tried again and succeeds; its message is changed once', async () => {
    asked.length = 0
    let failures = 2
    files.set('flaky', () => {
      if (failures-- > 0) throw new SendError('busy', { retry: true })
      return { bytes: Buffer.from('%PDF-1.4 报价') }
    })
    const { messageId } = await send(await world().inbox('camera'), [{ type: 'remote', as: 'file', ref: 'flaky', name: '报价单.pdf' }])
    await settled(messageId)
    const [part] = await partsOf(messageId)
    assert.deepEqual([part?.type, part?.type === 'file' && part.name], ['file', '报价单.pdf'])
    assert.equal(asked.filter((ref) => ref === 'flaky').length, 3)
  })

  test('what fails for the account’s sake is tried for as long as the platform keeps the file, and counts as no try', async () => {
    let ill = 12
    files.set('ill', () => {
      if (ill-- > 0) throw new SendError('not allowed', { retry: true, retryAfterMs: 200_000, retryForMs: 86_400_000 })
      return { bytes: Buffer.from('hello'), name: 'a.txt' }
    })
    const { messageId } = await send(await world().inbox('camera'), [{ type: 'remote', as: 'file', ref: 'ill' }])
    await settled(messageId)
    assert.deepEqual([(await partsOf(messageId))[0]?.type, ill], ['file', -1])

    ill = Number.POSITIVE_INFINITY
    asked.length = 0
    const late = (await send(await world().inbox('camera'), [{ type: 'remote', as: 'file', ref: 'ill' }])).messageId
    await eventually(
      async () =>
        (await world()
          .hub.em()
          .count(RemoteFetch, { messageId: late, attempts: 0, dueAt: { $gt: new Date(Date.now() + 100_000) } })) === 1,
      'the first try',
    )
    assert.equal(asked.length, 1)
    await world()
      .hub.em()
      .nativeUpdate(RemoteFetch, { messageId: late }, { createdAt: new Date(Date.now() - 86_400_000) })
    await settled(late)
    assert.deepEqual(await partsOf(late), [{ type: 'remote', as: 'file', ref: 'ill', failed: true }])
  })

  test('our own storage is away: the file is not given up for it, and no try is used up', async ({ mock }) => {
    const { files: storage } = world().hub
    const away = mock.method(storage, 'put', () => Promise.reject(new HubError('HUB_STORAGE_UNAVAILABLE', 'away')))
    files.set('kept', () => ({ bytes: Buffer.from('合同'), name: '合同.txt' }))
    const { messageId } = await send(await world().inbox('camera'), [{ type: 'remote', as: 'file', ref: 'kept' }])
    // More often than the tries that a file has.
    await eventually(async () => {
      await world().hasten()
      return away.mock.callCount() > 10
    }, 'ten tries')
    assert.deepEqual(await partsOf(messageId), [{ type: 'remote', as: 'file', ref: 'kept' }])
    away.mock.restore()
    await settled(messageId)
    assert.equal((await partsOf(messageId))[0]?.type, 'file')
  })

  test('what cannot be had is marked failed; an agent who may reply asks again, others are told nothing', async () => {
    const inbox = await world().inbox('camera')
    const agent = await world().person('小白', 'admin')
    files.delete('late')
    const { messageId } = await send(inbox, [{ type: 'remote', as: 'file', ref: 'late' }])
    await settled(messageId)
    assert.deepEqual(await partsOf(messageId), [{ type: 'remote', as: 'file', ref: 'late', failed: true }])
    files.set('late', () => ({ bytes: Buffer.from('hello'), name: 'a.txt' }))
    assert.equal((await (await world().person('外人')).call('POST', `/api/messages/${messageId}/fetch`)).status, 404)
    assert.equal((await agent.call('POST', `/api/messages/${messageId}/fetch`)).status, 200)
    await settled(messageId)
    assert.equal((await partsOf(messageId))[0]?.type, 'file')
    assert.equal((await agent.call('POST', `/api/messages/${messageId}/fetch`)).status, 409)
  })

  test('two parts, one lost: the other is here', async () => {
    files.set('one', () => ({ bytes: picture }))
    const { messageId } = await send(await world().inbox('camera'), [
      { type: 'remote', as: 'image', ref: 'one' },
      { type: 'remote', as: 'image', ref: 'gone' },
    ])
    await settled(messageId)
    assert.deepEqual(
      (await partsOf(messageId)).map((part) => [part.type, part.type === 'remote' && part.failed]),
      [
        ['image', false],
        ['remote', true],
      ],
    )
  })

  test('bytes that are no picture, or too many, fail without being asked for again', async () => {
    asked.length = 0
    files.set('huge', () => ({ bytes: Buffer.alloc(20 * 1024 * 1024 + 1) }))
    const { messageId } = await send(await world().inbox('camera'), [{ type: 'remote', as: 'file', ref: 'huge' }])
    await settled(messageId)
    assert.equal(asked.filter((ref) => ref === 'huge').length, 1)
    const [part] = await partsOf(messageId)
    assert.ok(part?.type === 'remote' && part.failed)
  })

  test('off: it waits without using up tries; a channel without `fetchFile` fails at once', async () => {
    files.set('patient', () => ({ bytes: Buffer.from('x'), name: 'x.txt' }))
    const inbox = await world().inbox('camera')
    const nothing = await send(await world().inbox('blind'), [{ type: 'remote', as: 'file', ref: 'patient' }])
    await settled(nothing.messageId)
    const [lost] = await partsOf(nothing.messageId)
    assert.ok(lost?.type === 'remote' && lost.failed)
    const em = world().hub.em()
    const { messageId } = await send(inbox, [{ type: 'remote', as: 'file', ref: 'patient' }])
    await settled(messageId)
    await world().whileOff('camera', async () => {
      await em.insert(RemoteFetch, { messageId, conversationId: newId(), inboxId: inbox.id, attempts: 0, dueAt: new Date(), createdAt: new Date() })
      await world().running.sweep()
      // While a worker has it in its hand it counts as a try; it is given back as none.
      await eventually(async () => {
        const row = await em.findOneOrFail(RemoteFetch, { messageId }, { disableIdentityMap: true })
        return row.dueAt > new Date() && row.attempts === 0
      }, 'the pause')
    })
    await em.nativeDelete(RemoteFetch, { messageId })
  })

  test('a channel takes bytes in for its inbox, and reads the files of its own conversations only', async () => {
    const inbox = await world().inbox('camera')
    const ctx = world().hub.kernel.get('camera')?.ctx
    const other = world().hub.kernel.get('stranger')?.ctx
    assert.ok(ctx && other)
    const part = await ctx.storeFile(inbox.id, { name: '说明.txt', bytes: Buffer.from('使用说明') })
    assert.ok(part.type === 'file')
    await assert.rejects(other.storeFile(inbox.id, { name: 'x', bytes: Buffer.from('x') }), { code: 'HUB_NOT_FOUND' })
    await assert.rejects(ctx.storeFile(inbox.id, { name: 'x', bytes: Buffer.alloc(0) }), { code: 'HUB_REQUEST_INVALID' })
    // More than a person may upload: a letter as it came holds its files in a longer writing.
    const most = 32 * 1024 * 1024
    assert.equal((await ctx.storeFile(inbox.id, { name: '大.eml', bytes: Buffer.alloc(most), as: 'file' })).type, 'file')
    await assert.rejects(ctx.storeFile(inbox.id, { name: 'x', bytes: Buffer.alloc(most + 1) }), { code: 'HUB_REQUEST_TOO_LARGE' })
    await send(inbox, [part])
    assert.equal(await textFrom((await (await ctx.file(part.fileId))?.open()) as never), '使用说明')
    assert.equal(await other.file(part.fileId), undefined)
    // Another inbox's file cannot be put into this one's message.
    await assert.rejects(send(await world().inbox('camera'), [part]), { code: 'HUB_NOT_FOUND' })
  })
})
