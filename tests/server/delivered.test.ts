/** What a customer wrote counts as delivered once it has reached the workbench of somebody who may read it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io, type Socket } from 'socket.io-client'
import type { Notification } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const notes: Notification[] = []
const { manifest } = mockChannel('mock', { delivery: 'pull' })
const channel = { ...manifest.channel, notify: (note: Notification) => void notes.push(note) } as NonNullable<typeof manifest.channel>

/** A workbench: what reaches it is answered for, unless it is `deaf`. */
async function sit(world: World, person: Person, { deaf = false, auth = {} } = {}): Promise<{ got: Set<string>; leave(): void }> {
  const got = new Set<string>()
  const socket: Socket = io(world.url, { path: '/socket', transports: ['websocket'], auth, extraHeaders: { cookie: person.cookie }, reconnection: false })
  await new Promise((resolve) => socket.once('ready', resolve))
  socket.on('conversation', ({ conversation }: { conversation: { id: string } }) => got.add(conversation.id))
  socket.on('received', (answer: () => void) => deaf || answer())
  return { got, leave: () => socket.disconnect() }
}

await onEveryProfile('delivered', [found({ ...manifest, channel })], (world) => {
  const read = (id: string) => world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
  const mark = async (id: string) => (await read(id)).agentDeliveredSeq
  const notesOf = (id: string) => notes.filter(({ conversationId, note }) => conversationId === id && note.kind === 'delivered').map(({ note }) => note)

  test('sent while nobody is there, delivered when a workbench has got it, and the customer is told no more than that', async (t) => {
    const inbox = await world().inbox('mock')
    const who = newId()
    const [said] = await world().say(inbox, who, '有人在吗')
    const id = said?.conversationId ?? ''
    const thread = () => createDesk(world().hub).thread({ inboxId: inbox.id, externalId: who }, {})
    const agent = await world().person('小温', 'admin')
    assert.equal((await thread()).conversation?.agentDeliveredSeq, 0)

    const desk = await sit(world(), agent)
    t.after(desk.leave)
    // Many in one go are one mark, or two.
    const burst = Array.from({ length: 20 }, (_, n) => ({
      kind: 'message' as const,
      externalId: newId(),
      from: { externalId: who },
      parts: [{ type: 'text' as const, text: `第 ${n} 句` }],
    }))
    await world().hub.intake.accept(inbox.id, burst)
    await eventually(async () => (await mark(id)) >= 21, 'the mark')
    const last = await mark(id)
    await eventually(() => notesOf(id).some((note) => note.kind === 'delivered' && note.seq === last), 'the word to the customer')
    assert.ok(notesOf(id).length < burst.length / 2, `${notesOf(id).length} words for ${burst.length} messages`)
    assert.deepEqual(Object.keys(notesOf(id)[0] ?? {}), ['kind', 'seq'])
    const { conversation } = await thread()
    assert.equal(conversation?.agentDeliveredSeq, await mark(id))
    assert.equal(conversation?.agentReadSeq, 0)
    // What is late moves nothing back.
    world().hub.delivered.note({ id, channel: 'mock' }, 2)
    await world().hub.delivered.idle()
    assert.equal(await mark(id), conversation?.agentDeliveredSeq)
    // Nor is it a change that agents hear of.
    await eventually(async () => (await read(id)).status === 'open', 'the assignment')
    const { rev, lastSeq } = await read(id)
    world().hub.delivered.note({ id, channel: 'mock' }, lastSeq + 1)
    await world().hub.delivered.idle()
    assert.deepEqual([await mark(id), (await read(id)).rev], [lastSeq + 1, rev])
  })

  test('who may not read it does not deliver it, nor a line that does not answer or only listens', async (t) => {
    const inbox = await world().inbox('mock')
    const other = await world().inbox('mock')
    const stranger = await world().person('小欧', [{ permission: 'conversation.read', scope: 'own' }], { presence: 'away' })
    const admin = await world().person('小夏', 'admin', { presence: 'away' })
    const [own] = await world().say(other, newId(), '这是小欧的客户')
    const ownId = own?.conversationId ?? ''
    const customer = newId()
    const [said] = await world().say(inbox, customer, '别人的客户')
    const id = said?.conversationId ?? ''
    await world().hub.em().nativeUpdate(Conversation, { id: ownId }, { assigneeId: stranger.id, status: 'open' })
    await world().hub.em().nativeUpdate(Conversation, { id }, { assigneeId: admin.id, status: 'open' })

    const theirs = await sit(world(), stranger)
    const deaf = await sit(world(), admin, { deaf: true })
    const aside = await sit(world(), admin, { auth: { aside: true } })
    t.after(() => [theirs, deaf, aside].map((one) => one.leave()))
    const again = async (inboxId: string, conversationId: string) => {
      const { identityId } = await world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
      const [row] = (await world().hub.em().getConnection().execute(`select external_id from identity where id = '${identityId}'`)) as { external_id: string }[]
      await world().hub.intake.accept(inboxId, [
        { kind: 'message', externalId: newId(), from: { externalId: row?.external_id ?? '' }, parts: [{ type: 'text', text: '再说一句' }] },
      ])
    }
    await again(inbox.id, id)
    await eventually(() => deaf.got.has(id) && aside.got.has(id), 'the push to who may read it')
    await again(other.id, ownId)
    await eventually(async () => (await mark(ownId)) > 0, 'their own')
    assert.equal((await stranger.call('GET', `/api/conversations/${id}`)).status, 404)
    await stranger.call('GET', '/api/conversations?group=open')
    await world().hub.delivered.idle()
    assert.equal(theirs.got.has(id), false)
    assert.equal(await mark(id), 0)

    // Who comes later gets it with the list.
    await admin.call('GET', '/api/conversations?group=mine')
    await world().hub.delivered.idle()
    assert.ok((await mark(id)) >= 2)
  })
})
