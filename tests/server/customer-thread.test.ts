/** What a customer is shown of their own thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

await onEveryProfile('the customer’s thread', [found(mockChannel().manifest)], (world) => {
  test('an answer carries what it answers to, and nothing that is not the customer’s', async () => {
    const agent = await world().person('小夏', 'owner')
    const inbox = await world().inbox('mock')
    const [who, other] = [newId(), newId()]
    const [asked] = await world().say(inbox, who, `第一行\n第二行 ${'长'.repeat(200)}`)
    const [foreign] = await world().say(inbox, other, '别人的话')
    const id = asked?.conversationId
    const desk = createDesk(world().hub)
    const read = async () => (await desk.thread({ inboxId: inbox.id, externalId: who }, {})).messages
    const send = async (text: string, replyToId: string | undefined, note = false) =>
      (await world().reply(agent, id, text, { note, ...(replyToId ? { replyToId } : {}) })).body.id as string
    const quoteOf = async (messageId: string) => (await read()).find((message) => message.id === messageId)?.quote

    const note = await send('只给同事看', undefined, true)
    const plain = await send('不引用', undefined)
    const answer = await send('引用客户', asked?.messageId)
    const again = await send('引用自己', answer)
    const ofNote = await send('引用备注', note)
    const line = await world()
      .hub.em()
      .findOneOrFail(Message, { conversationId: id as string, direction: 'system' }, { disableIdentityMap: true })
    // Of another conversation, of none, and no message at all: refused, and nothing is written.
    for (const replyToId of [foreign?.messageId, newId(), line.id]) {
      const refused = await world().reply(agent, id, '引用不到的', { replyToId })
      assert.deepEqual([refused.status, refused.body.code, refused.body.details.reason], [422, 'HUB_MESSAGE_REFUSED', 'replyTo'])
      const asNote = await world().reply(agent, id, '引用不到的', { replyToId, note: true })
      assert.equal(asNote.body.code, 'HUB_MESSAGE_REFUSED')
    }
    assert.deepEqual(await quoteOf(answer), { id: asked?.messageId, from: 'me', text: `第一行 第二行 ${'长'.repeat(92)}`, kind: 'text' })
    assert.deepEqual(await quoteOf(again), { id: answer, from: 'agent', text: '引用客户', kind: 'text' })
    for (const one of [plain, ofNote]) assert.equal(await quoteOf(one), null)
    assert.doesNotMatch(JSON.stringify(await read()), /只给同事看|别人的话|引用不到的/)

    // Taken back: it quotes nothing, and is not quoted.
    assert.equal((await agent.call('POST', `/api/messages/${answer}/recall`)).status, 200)
    assert.deepEqual([await quoteOf(answer), await quoteOf(again)], [null, null])
    assert.doesNotMatch(JSON.stringify(await read()), /引用客户/)
  })
})
