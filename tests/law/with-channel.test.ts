/** `channel`: an adapter. Off, it neither takes nor hands over, and what waits to leave leaves when it is back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { Type } from 'typebox'
import type { ChannelAdapter } from '../../core/sdk/channel.ts'
import { definePlugin, type PluginContext } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { adapterOf } from '../../core/src/domain/inbox/channels.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { recordsFor } from '../../core/src/domain/record/read-records.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

const { manifest: pigeon, platform } = mockChannel('pigeon')
/** One address for several inboxes. */
const { manifest: post } = mockChannel('post', {}, { sharedAddress: true })

/** The other way to write the clause: made with the plugin's context in its hand. */
const owlAdapter = (ctx: PluginContext): ChannelAdapter & { ctx: PluginContext } => ({
  ctx,
  label: { zh: '猫头鹰', en: 'Owl' },
  inboxSettings: Type.Object({}),
  capabilities: { send: ['text'], delivery: 'pull' },
})
const owl = definePlugin({ id: 'owl', version: '1.0.0', label: { zh: '猫头鹰', en: 'Owl' }, channel: owlAdapter })

await onEveryProfile('channel', [found(pigeon), found(owl), found(post)], (world) => {
  const webhook = (inboxId: string, id = newId(), channel = 'pigeon') =>
    call(world().url, 'POST', `/api/channels/${channel}/${inboxId}`, { id, from: 'zhang', text: '你好' }, { 'x-mock-secret': 'mock-secret' })

  test('a webhook goes to the adapter of its inbox, and of no other channel', async () => {
    const inbox = await world().inbox('pigeon')
    assert.deepEqual([(await webhook(inbox.id)).status, (await webhook(inbox.id, newId(), 'owl')).status, (await webhook(newId())).status], [200, 404, 404])
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id, direction: 'in' }), 1)
  })

  test('off: the webhook is 404 and accept refuses, nothing is stored; on: both work', async () => {
    const inbox = await world().inbox('pigeon')
    await world().whileOff('pigeon', async () => {
      assert.equal((await webhook(inbox.id, 'w1')).status, 404)
      await assert.rejects(world().say(inbox, 'li', '有人吗'), { code: 'HUB_CHANNEL_DISABLED' })
      await assert.rejects(world().inbox('pigeon'), { code: 'HUB_NOT_FOUND' })
    })
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id }), 0)
    assert.equal((await webhook(inbox.id, 'w1')).status, 200)
    assert.equal((await world().say(inbox, 'li', '有人吗'))[0]?.duplicate, false)
  })

  test('an inbox that is switched off refuses its webhook; where its address is shared it answers, and keeps nothing for itself', async () => {
    const admin = await world().person('小路', 'admin')
    for (const [channel, answer] of [
      ['pigeon', 404],
      ['post', 200],
    ] as const) {
      const inbox = await world().inbox(channel)
      await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })
      await eventually(async () => (await webhook(inbox.id, newId(), channel)).status === answer, `${channel} switched off`)
      assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id }), 0)
      const health = (await admin.call('GET', '/api/inboxes/health')).body.items.find(({ inboxId }: { inboxId: string }) => inboxId === inbox.id)
      assert.deepEqual([health.state, health.lastEventAt], [null, null])
      await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: true })
      await eventually(async () => {
        await webhook(inbox.id, 'again', channel)
        return (await world().hub.em().count(Message, { inboxId: inbox.id, direction: 'in' })) === 1
      }, `${channel} switched on`)
    }
  })

  test('`label`: who is no person is called by the channel’s words in both languages, until somebody gives it a name', async () => {
    const inbox = await world().inbox('pigeon')
    const agent = await world().person('小林', 'admin')
    const label = { zh: '信鸽群', en: 'Flock of pigeons' }
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: agent.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    const pushed: { id: string; contact: object }[] = []
    socket.on('conversation', ({ conversation }) => pushed.push(conversation))
    const [accepted] = await world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId: 'flock', label }, parts: [{ type: 'text', text: '咕咕' }] },
    ])
    const id = accepted?.conversationId as string
    const contact = async () => (await agent.call('GET', `/api/conversations/${id}`)).body.contact
    const { id: contactId, number } = await contact()
    assert.deepEqual(await contact(), { id: contactId, title: '信鸽群', label, number })
    await eventually(() => pushed.some((one) => one.id === id), 'the push')
    assert.deepEqual(pushed.find((one) => one.id === id)?.contact, { id: contactId, title: '信鸽群', label, number })
    const { items } = (await agent.call('GET', '/api/records')).body
    assert.deepEqual(items.find((row: { id: string }) => row.id === id).contact.label, label)
    // A file is in the language of who takes it.
    const inFile = async () => (await recordsFor(world().hub).read({ agentId: agent.id, personal: true }, [id])).map((record) => record.contact.title)
    assert.deepEqual(await inFile(), ['信鸽群'])
    assert.equal((await agent.call('PATCH', '/api/me', { locale: 'en' })).status, 200)
    assert.deepEqual(await inFile(), ['Flock of pigeons'])
    assert.equal((await agent.call('PATCH', `/api/contacts/${contactId}`, { nickname: '东边的鸽子' })).status, 200)
    assert.deepEqual(await contact(), { id: contactId, title: '东边的鸽子', number })
    // A person has no label.
    const [said] = await world().say(inbox, 'feng', '你好')
    assert.equal('label' in (await agent.call('GET', `/api/conversations/${said?.conversationId}`)).body.contact, false)
    socket.disconnect()
  })

  test('off: an agent is told at once that nothing can be sent', async () => {
    const inbox = await world().inbox('pigeon')
    const agent = await world().person('小柏', 'admin')
    const [accepted] = await world().say(inbox, 'wang', '在吗')
    const send = () =>
      agent.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '在' }] })
    const refused = await world().whileOff('pigeon', send)
    assert.deepEqual([refused.status, refused.body.code], [403, 'HUB_CHANNEL_DISABLED'])
    const { body } = await send()
    await eventually(() => platform.sent.some((message) => message.id === body.id), 'the sending')
    assert.equal(await eventually(async () => (await world().hub.em().count(Outbound, { messageId: body.id })) === 0, 'its fate'), true)
  })

  test('the list of channels an admin may open follows the switch', async () => {
    const owner = await world().person('小水', 'owner')
    const channels = async () => (await owner.call('GET', '/api/channels')).body.items?.map((c: { id?: string; channel?: string }) => c.id ?? c.channel).sort()
    assert.deepEqual(await channels(), ['owl', 'pigeon', 'post'])
    await world().whileOff('owl', async () => assert.deepEqual(await channels(), ['pigeon', 'post']))
    assert.deepEqual(await channels(), ['owl', 'pigeon', 'post'])
  })

  test('an adapter made with a context holds the one of this hub', () => {
    const { hub } = world()
    const adapter = adapterOf(hub, 'owl') as ReturnType<typeof owlAdapter> | undefined
    assert.equal(adapter?.ctx, hub.kernel.get('owl')?.ctx)
    assert.equal(adapterOf(hub, 'owl'), adapter)
  })
})
