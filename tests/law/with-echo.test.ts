/** `echo`: what was written in the platform's own app is stored once as an agent's message; our own message coming back only confirms. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type OutboundMessage, SendError } from '../../core/sdk/channel.ts'
import type { MessagePart } from '../../core/sdk/message-parts.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

/** A platform that gives its messages the names the test wants, when the test wants. */
let answer: (message: OutboundMessage) => Promise<{ externalId?: string } | undefined> = async () => undefined
const { manifest } = mockChannel('parrot', {}, { send: (message) => answer(message) })

await onEveryProfile('echo', [found(manifest)], (world) => {
  const echo = (inbox: Inbox, who: string, text: string, externalId = newId()) =>
    world().hub.intake.accept(inbox.id, [{ kind: 'echo', externalId, from: { externalId: who }, parts: [{ type: 'text', text }] }])
  const out = (conversationId: string | undefined) =>
    world()
      .hub.em()
      .find(Message, { conversationId: conversationId ?? '', direction: 'out' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
  const status = (id: string, wanted: string) =>
    eventually(async () => (await world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })).status === wanted, wanted)

  test('written elsewhere: one message without an author in the open conversation, however often it is told', async () => {
    const inbox = await world().inbox('parrot')
    const [said] = await world().say(inbox, 'a', '在吗')
    const told = await Promise.all(Array.from({ length: 5 }, () => echo(inbox, 'a', '在的', 'e-1')))
    assert.equal(told.flat().filter(({ duplicate }) => !duplicate).length, 1)
    const messages = await out(said?.conversationId)
    assert.deepEqual(
      messages.map(({ text, authorId, status, externalId }) => [text, authorId, status, externalId]),
      [['在的', null, 'sent', 'e-1']],
    )
  })

  test('ours, after the answer: it confirms and adds nothing', async () => {
    answer = async () => ({ externalId: 'ours-1' })
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, 'b', '有货吗')
    const { body } = await world().reply(agent, said?.conversationId, '有的')
    await status(body.id, 'sent')
    const [again] = await echo(inbox, 'b', '有的', 'ours-1')
    assert.deepEqual([again?.duplicate, again?.messageId], [true, body.id])
    assert.equal((await out(said?.conversationId)).length, 1)
  })

  test('ours, before the answer: it waits for the answer, and keeps the customer’s next words waiting for nothing', async () => {
    const hold = Promise.withResolvers<{ externalId: string }>()
    let asked = false
    answer = () => {
      asked = true
      return hold.promise
    }
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小白', 'admin')
    const [said] = await world().say(inbox, 'c', '多少钱')
    const { body } = await world().reply(agent, said?.conversationId, '八十八')
    await eventually(() => asked, 'the send')
    const [early] = await echo(inbox, 'c', '八十八', 'ours-2')
    assert.equal(early?.messageId, undefined)
    assert.ok((await world().say(inbox, 'c', '好的'))[0]?.messageId)
    await world().hasten()
    assert.equal((await out(said?.conversationId)).length, 1)
    hold.resolve({ externalId: 'ours-2' })
    await status(body.id, 'sent')
    await eventually(async () => {
      await world().hasten()
      return (await world().hub.em().count(ParkedEvent, { inboxId: inbox.id })) === 0
    }, 'the echo')
    assert.deepEqual(
      (await out(said?.conversationId)).map(({ id, externalId }) => [id, externalId]),
      [[body.id, 'ours-2']],
    )
  })

  test('of a send of unknown fate: it was sent, under this name', async () => {
    answer = async () => {
      throw new SendError('timeout', { retry: 'unknown' })
    }
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小陈', 'admin')
    const [said] = await world().say(inbox, 'd', '几点关门')
    const { body } = await world().reply(agent, said?.conversationId, '九点')
    await status(body.id, 'uncertain')
    const [other] = await echo(inbox, 'd', '不是这一句')
    assert.notEqual(other?.messageId, body.id)
    assert.equal((await echo(inbox, 'd', '九点', 'ours-3'))[0]?.messageId, body.id)
    const sent = (await out(said?.conversationId)).find(({ id }) => id === body.id)
    assert.deepEqual([sent?.status, sent?.externalId, sent?.failure], ['sent', 'ours-3', null])
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 409)
    assert.equal((await echo(inbox, 'd', '九点', 'ours-3'))[0]?.messageId, body.id)
  })

  test('of a send of unknown fate: what was written by hand is another message, whatever it says; so is what was sent at another time', async () => {
    answer = async () => {
      throw new SendError('timeout', { retry: 'unknown' })
    }
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小龚', 'admin')
    const [said] = await world().say(inbox, 'k', '在吗')
    const { body } = await world().reply(agent, said?.conversationId, '您好')
    await status(body.id, 'uncertain')
    const { createdAt } = await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
    const told = async (minutes: number, origin?: 'api' | 'app') => {
      const sentAt = new Date(createdAt.getTime() + minutes * 60_000)
      const parts: MessagePart[] = [{ type: 'text', text: '您好' }]
      const from = { externalId: 'k' }
      const [accepted] = await world().hub.intake.accept(inbox.id, [{ kind: 'echo', externalId: newId(), from, parts, sentAt, ...(origin ? { origin } : {}) }])
      return accepted?.messageId
    }
    const others = [await told(1, 'app'), await told(10), await told(-10)]
    assert.equal(others.includes(body.id), false)
    assert.equal((await out(said?.conversationId)).length, 4)
    await status(body.id, 'uncertain')
    assert.equal(await told(10, 'api'), body.id)
    await status(body.id, 'sent')
    // Where nobody says how it was sent, the minutes after ours are those of its hand-over.
    const next = (await world().reply(agent, said?.conversationId, '您好')).body
    await status(next.id, 'uncertain')
    assert.equal((await echo(inbox, 'k', '您好'))[0]?.messageId, next.id)
  })

  test('of one piece of several: what is in doubt is that piece, and what never left is said and goes on from there', async () => {
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小段', 'admin')
    const [said] = await world().say(inbox, 'j', '地址和电话？')
    const left: string[] = []
    answer = async ({ parts, done, progress }) => {
      for (let i = done; i < parts.length; i++) {
        const part = parts[i]
        left.push(part?.type === 'text' ? part.text : '')
        // The line breaks at the second piece each time, until there is no third to come.
        if (i === 1 && left.length < 3) throw new SendError('timeout', { retry: 'unknown' })
        await progress(i + 1, `j-${i}-${left.length}`)
      }
      return {}
    }
    const parts = ['黄山路一号', '五楼', '0551-62345678'].map((text) => ({ type: 'text', text }))
    const { body } = await agent.call('POST', `/api/conversations/${said?.conversationId}/messages`, { clientId: newId(), parts })
    await status(body.id, 'uncertain')
    assert.notEqual((await echo(inbox, 'j', '0551-62345678'))[0]?.messageId, body.id, 'the third has not left')
    assert.equal((await echo(inbox, 'j', '五楼', 'j-second'))[0]?.messageId, body.id)
    const cut = (await out(said?.conversationId)).find(({ id }) => id === body.id)
    assert.deepEqual([cut?.status, cut?.failure, cut?.done], ['failed', 'interrupted', 2])
    assert.match(cut?.failureText?.zh ?? '', /前 2 条已送达/)
    assert.equal((await echo(inbox, 'j', '五楼', 'j-second'))[0]?.messageId, body.id, 'told again it is known')
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    await status(body.id, 'sent')
    assert.deepEqual(left, ['黄山路一号', '五楼', '0551-62345678'])
  })

  test('of a picture of unknown fate: a card that stands for a picture says that it was sent, another card does not', async () => {
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小丁', 'admin')
    const [said] = await world().say(inbox, 'i', '有图吗')
    answer = async () => {
      throw new SendError('timeout', { retry: 'unknown' })
    }
    const { body } = await world().reply(agent, said?.conversationId, '图')
    await status(body.id, 'uncertain')
    const image: MessagePart = { type: 'image', fileId: newId(), name: '茶几.png', mime: 'image/png', size: 1 }
    await world()
      .hub.em()
      .nativeUpdate(Message, { id: body.id }, { parts: [image], text: '' })
    const card: MessagePart = { type: 'card', kind: 'told', title: '', label: { zh: '图片', en: 'Picture' } }
    const echoOf = (externalId: string, part: MessagePart) =>
      world().hub.intake.accept(inbox.id, [{ kind: 'echo', externalId, from: { externalId: 'i' }, parts: [part] }])
    assert.notEqual((await echoOf('card-1', card))[0]?.messageId, body.id)
    assert.notEqual((await echoOf('card-2', { ...card, standsFor: 'video' }))[0]?.messageId, body.id)
    assert.equal((await echoOf('card-3', { ...card, standsFor: 'image' }))[0]?.messageId, body.id)
    const sent = (await out(said?.conversationId)).find(({ id }) => id === body.id)
    assert.deepEqual([sent?.status, sent?.externalId, sent?.parts[0]?.type], ['sent', 'card-3', 'image'])
  })

  test('stored before an answer that names it: one message is left, ours', async () => {
    let tries = 0
    answer = async () => {
      if (++tries === 1) throw new SendError('busy', { retry: true, retryAfterMs: 3_600_000 })
      return { externalId: 'ours-4' }
    }
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小邓', 'admin')
    const [said] = await world().say(inbox, 'e', '能便宜吗')
    const { body } = await world().reply(agent, said?.conversationId, '可以打九折')
    await eventually(() => tries === 1, 'the first try')
    await eventually(async () => (await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })).failure === 'busy', 'its fate')
    await echo(inbox, 'e', '可以打九折', 'ours-4')
    await eventually(async () => {
      await world().hasten()
      return tries === 2
    }, 'the second try')
    await status(body.id, 'sent')
    assert.deepEqual(
      (await out(said?.conversationId)).map(({ id, externalId }) => [id, externalId]),
      [[body.id, 'ours-4']],
    )
    const shown = (await agent.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body.items as { seq: number }[]
    assert.deepEqual(
      shown.map(({ seq }) => seq),
      shown.map((_, i) => i + 1),
    )
  })

  test('of a message whose conversation has ended while the next is open: still one message', async () => {
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小路', 'admin')
    const all = () =>
      world()
        .hub.em()
        .find(Message, { inboxId: inbox.id, direction: 'out' }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
    const [said] = await world().say(inbox, 'h', '到货了吗')
    answer = async () => {
      throw new SendError('the line broke', { retry: 'unknown' })
    }
    const unsure = (await world().reply(agent, said?.conversationId, '到了')).body
    await status(unsure.id, 'uncertain')
    const hold = Promise.withResolvers<{ externalId: string }>()
    let asked = false
    answer = () => {
      asked = true
      return hold.promise
    }
    const slow = (await world().reply(agent, said?.conversationId, '给您留一件')).body
    await eventually(() => asked, 'the send')
    await agent.call('POST', `/api/conversations/${said?.conversationId}/close`)
    const [next] = await world().say(inbox, 'h', '好的')
    assert.notEqual(next?.conversationId, said?.conversationId)

    assert.equal((await echo(inbox, 'h', '给您留一件', 'ours-6'))[0]?.messageId, undefined, 'it waits for the answer')
    hold.resolve({ externalId: 'ours-6' })
    await status(slow.id, 'sent')
    await eventually(async () => {
      await world().hasten()
      return (await world().hub.em().count(ParkedEvent, { inboxId: inbox.id })) === 0
    }, 'the echo')
    assert.equal((await echo(inbox, 'h', '到了', 'ours-5'))[0]?.messageId, unsure.id)
    assert.deepEqual(
      (await all()).map(({ id, externalId, status }) => [id, externalId, status]),
      [
        [unsure.id, 'ours-5', 'sent'],
        [slow.id, 'ours-6', 'sent'],
      ],
    )
  })

  test('with no open conversation it is kept and opens none: in the newest closed one, else in one that never opened', async () => {
    const inbox = await world().inbox('parrot')
    const agent = await world().person('小方', 'admin')
    const conversations = () => world().hub.em().find(Conversation, { inboxId: inbox.id }, { disableIdentityMap: true })
    const [first] = await echo(inbox, 'f', '您预约的时间快到了')
    assert.ok(first?.messageId)
    await echo(inbox, 'f', '请准时到店')
    assert.deepEqual(
      (await conversations()).map(({ id, status, assigneeId, lastSeq }) => [id, status, assigneeId, lastSeq]),
      [[first?.conversationId, 'closed', null, 2]],
    )
    const [said] = await world().say(inbox, 'f', '好的')
    assert.notEqual(said?.conversationId, first?.conversationId)
    await agent.call('POST', `/api/conversations/${said?.conversationId}/close`)
    assert.equal((await echo(inbox, 'f', '谢谢惠顾'))[0]?.conversationId, said?.conversationId)
    assert.deepEqual(
      (await conversations()).map(({ status }) => status),
      ['closed', 'closed'],
    )
  })

  test('switched off it is refused like any other event', async () => {
    const inbox = await world().inbox('parrot')
    await world().whileOff('parrot', () => assert.rejects(echo(inbox, 'g', '有人吗'), { code: 'HUB_CHANNEL_DISABLED' }))
  })
})
