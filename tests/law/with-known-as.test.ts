/** `ctx.desk.knownAs`: a channel with a client of its own finds out who a stranger is; what was said becomes theirs, and the name they had is used up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChannelSender } from '../../core/sdk/channel.ts'
import type { Desk } from '../../core/sdk/desk.ts'
import type { HubEvents } from '../../core/sdk/events.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

let desk: Desk
const heard: HubEvents['contact.identified'][] = []
const { manifest } = mockChannel('door', { delivery: 'pull' })
const door = definePlugin({
  ...manifest,
  start: (ctx) => {
    desk = ctx.desk
    return () => undefined
  },
  on: { 'contact.identified': ({ data }) => void heard.push(data) },
})

await onEveryProfile('known as', [found(door)], (world) => {
  const somebody = (externalId: string, more: Partial<ChannelSender> = {}): ChannelSender => ({ externalId, verified: true, ...more })
  const read = async ({ id: inboxId }: Inbox, externalId: string) =>
    (await desk.thread({ inboxId, externalId }, {})).messages.map(({ parts: [part] }) => (part && 'text' in part ? part.text : ''))
  const conversationsIn = ({ id }: Inbox) =>
    world()
      .hub.em()
      .find(Conversation, { inboxId: id }, { orderBy: { id: 'asc' }, disableIdentityMap: true })

  test('nobody is called so yet: the same identity under its new name, its conversation as it was; others hear of it', async () => {
    const inbox = await world().inbox('door')
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, 'somebody-1', '你好')
    const { id, contactId } = await world().identity(inbox.id, 'somebody-1')
    await desk.knownAs({ inboxId: inbox.id, externalId: 'somebody-1' }, somebody('li', { name: '李雷' }), 'li@shop')
    const now = await world().identity(inbox.id, 'li')
    assert.deepEqual([now.id, now.verified, now.contactId, await read(inbox, 'li')], [id, true, contactId, ['你好']])
    const { items } = (await agent.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body
    assert.deepEqual(items.at(-1).parts, [{ type: 'event', name: 'identity.known', params: { account: 'li@shop' } }])
    await eventually(() => heard.some((data) => data.identityId === id), 'the event')
    assert.deepEqual(
      heard.find((data) => data.identityId === id),
      { contactId, identityId: id, fromIdentityId: null, inboxId: inbox.id },
    )
  })

  test('they are here under that name: the conversation goes over and goes on, the contacts are one', async () => {
    const inbox = await world().inbox('door')
    await world().say(inbox, 'han', '上次')
    const han = await world().identity(inbox.id, 'han')
    const [first] = await conversationsIn(inbox)
    await desk.close({ inboxId: inbox.id, externalId: 'han' })
    await world().say(inbox, 'somebody-2', '这次')
    const stranger = await world().identity(inbox.id, 'somebody-2')
    await desk.knownAs({ inboxId: inbox.id, externalId: 'somebody-2' }, somebody('han'))
    const all = await conversationsIn(inbox)
    assert.deepEqual(
      all.map(({ identityId, contactId, status }) => [identityId, contactId, status === 'closed']),
      [
        [han.id, han.contactId, true],
        [han.id, han.contactId, false],
      ],
    )
    assert.equal(all[0]?.id, first?.id)
    await eventually(() => heard.some((data) => data.fromIdentityId === stranger.id), 'the event')
    // The next word goes into it.
    const [next] = await world().say(inbox, 'han', '接着说')
    assert.equal(next?.conversationId, all[1]?.id)
  })

  test('by the old name nothing is read and nothing taken; of who never spoke, is verified, or is known already nothing changes', async () => {
    const inbox = await world().inbox('door')
    const { id: inboxId } = inbox
    await world().say(inbox, 'somebody-3', '我先说')
    await desk.knownAs({ inboxId, externalId: 'somebody-3' }, somebody('mei'))
    await world().say(inbox, 'mei', '只有我看得到')
    await assert.rejects(desk.thread({ inboxId, externalId: 'somebody-3' }, {}), { code: 'HUB_AUTH_REQUIRED' })
    await assert.rejects(world().say(inbox, 'somebody-3', '我是谁'), { code: 'HUB_AUTH_REQUIRED' })
    const before = await conversationsIn(inbox)
    await desk.knownAs({ inboxId, externalId: 'somebody-3' }, somebody('mei'))
    await desk.knownAs({ inboxId, externalId: 'somebody-3' }, somebody('lin'))
    await desk.knownAs({ inboxId, externalId: 'never' }, somebody('mei'))
    await desk.knownAs({ inboxId, externalId: 'mei' }, somebody('lin'))
    assert.deepEqual([await conversationsIn(inbox), await read(inbox, 'mei'), await read(inbox, 'lin')], [before, ['我先说', '只有我看得到'], []])
  })
})
