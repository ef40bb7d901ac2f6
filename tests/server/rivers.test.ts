/** The two rivers: what arrives is stored once and in order; what leaves leaves once and in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

const { manifest, platform } = mockChannel()

await onEveryProfile('rivers', [found(manifest)], (world) => {
  const texts = async (conversationId: string) =>
    (
      await world()
        .hub.em()
        .find(Message, { conversationId, direction: { $in: ['in', 'out'] } }, { orderBy: { seq: 'asc' } })
    ).map((m) => m.text)

  test('a first message makes a contact with a number, an identity, an open conversation', async () => {
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, 'zhang', '你好，这件还有货吗？')
    assert.equal(accepted?.duplicate, false)
    const conversation = await world()
      .hub.em()
      .findOneOrFail(Conversation, { id: accepted?.conversationId ?? '' })
    assert.equal(conversation.openIdentityId, conversation.identityId)
    assert.equal(conversation.preview, '你好，这件还有货吗？')
    const contact = await world().hub.em().findOneOrFail(Contact, { id: conversation.contactId })
    assert.ok(contact.number >= 100_001)
  })

  test('a letter of many words, and of several long parts, is kept whole', async () => {
    const inbox = await world().inbox('mock')
    const words = `开头${'很长的一封信。'.repeat(14_000)}结尾`
    const parts = [
      { type: 'html' as const, html: '<p>…</p>', text: words },
      ...['甲', '乙'].map((sign) => ({ type: 'text' as const, text: sign.repeat(20_000) })),
    ]
    assert.ok(words.length <= 100_000 && Buffer.byteLength(words) > 280_000)
    const [accepted] = await world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId: 'wordy' }, parts }])
    const whole = [words, '甲'.repeat(20_000), '乙'.repeat(20_000)].join('\n')
    assert.ok((await texts(accepted?.conversationId ?? ''))[0] === whole, 'the stored text is not the one that was sent')
    const agent = await world().person('老板', 'owner')
    const { body } = await agent.call('GET', `/api/conversations/${accepted?.conversationId}/messages`)
    assert.equal(body.items.at(-1).parts[0].text.length, words.length)
  })

  test('a repeated event changes nothing and answers with what is stored', async () => {
    const inbox = await world().inbox('mock')
    const [first] = await world().say(inbox, 'li', '在吗', 'same-id')
    const [again] = await world().say(inbox, 'li', '在吗', 'same-id')
    assert.deepEqual({ ...again, duplicate: false }, first)
    assert.equal(again?.duplicate, true)
    assert.deepEqual(await texts(first?.conversationId ?? ''), ['在吗'])
  })

  test('two hundred concurrent messages of twenty people: each stored once, numbered without a gap', async () => {
    const inbox = await world().inbox('mock')
    const sends = Array.from({ length: 200 }, (_, i) => ({ who: `p${i % 20}`, id: `m${i}` }))
    // Every one is sent twice at the same time.
    const results = await Promise.all([...sends, ...sends].map(({ who, id }) => world().say(inbox, who, id, id)))
    assert.equal(results.flat().filter((r) => !r.duplicate).length, 200)
    const em = world().hub.em()
    const conversations = await em.find(Conversation, { inboxId: inbox.id })
    assert.equal(conversations.length, 20)
    assert.equal(await em.count(Identity, { inboxId: inbox.id }), 20)
    for (const conversation of conversations) {
      const messages = await em.find(Message, { conversationId: conversation.id }, { orderBy: { seq: 'asc' } })
      assert.deepEqual(
        messages.map((m) => m.seq),
        Array.from({ length: conversation.lastSeq }, (_, i) => i + 1),
      )
      assert.equal(messages.filter((m) => m.direction === 'in').length, 10)
      assert.equal(conversation.messages, messages.filter((m) => m.direction !== 'system').length)
    }
  })

  test('messages of one sender keep their order', async () => {
    const inbox = await world().inbox('mock')
    const events = Array.from({ length: 30 }, (_, i) => ({
      kind: 'message' as const,
      externalId: `o${i}`,
      from: { externalId: 'wang' },
      parts: [{ type: 'text' as const, text: String(i) }],
    }))
    const accepted = await world().hub.intake.accept(inbox.id, events)
    assert.deepEqual(
      await texts(accepted[0]?.conversationId ?? ''),
      events.map((_, i) => String(i)),
    )
  })

  test('a webhook: a wrong secret is 401 and stores nothing, a right one answers after it is safe', async () => {
    const inbox = await world().inbox('mock', { secret: 's3cret-of-this-inbox' })
    const url = `/api/channels/mock/${inbox.id}`
    const body = { id: 'w1', from: 'zhao', text: '请问怎么退货' }
    const refused = await call(world().url, 'POST', url, body, { 'x-mock-secret': 'wrong' })
    assert.deepEqual([refused.status, refused.body.code], [401, 'HUB_CHANNEL_UNVERIFIED'])
    const taken = await call(world().url, 'POST', url, body, { 'x-mock-secret': 's3cret-of-this-inbox' })
    assert.deepEqual([taken.status, taken.body], [200, 'success'])
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id, direction: 'in' }), 1)
    const garbage = await fetch(new URL(url, world().url), { method: 'POST', headers: { 'x-mock-secret': 's3cret-of-this-inbox' }, body: 'not json' })
    assert.ok(garbage.status >= 400)
    assert.doesNotMatch(await garbage.text(), /at .*\.ts/)
  })

  test('an agent answers: queued, handed over once, sent with the platform’s id; the same client id is the same message', async () => {
    platform.sent.length = 0
    const inbox = await world().inbox('mock')
    const agent = await world().person('小周', 'admin')
    const [accepted] = await world().say(inbox, 'qian', '几点下班？')
    const id = accepted?.conversationId ?? ''
    const clientId = newId()
    const send = () => agent.call('POST', `/api/conversations/${id}/messages`, { clientId, parts: [{ type: 'text', text: '晚上九点' }] })
    const [one, two] = await Promise.all([send(), send()])
    assert.deepEqual([one.status, two.status], [201, 201])
    assert.equal(one.body.id, two.body.id)
    const sent = await eventually(async () => {
      const message = await world().hub.em().findOneOrFail(Message, { id: one.body.id })
      return message.status === 'sent' && message
    }, 'the sending')
    assert.equal(sent.externalId, `p-${sent.id}`)
    assert.equal(platform.sent.filter((m) => m.id === sent.id).length, 1)
    assert.equal(await world().hub.em().count(Outbound, { conversationId: id }), 0)
  })

  test('a client id that another message has is refused: by another agent, in another conversation, at the same moment', async () => {
    const inbox = await world().inbox('mock')
    const one = await world().person('小郑', 'admin')
    const other = await world().person('小冯', 'admin')
    const [here] = await world().say(inbox, 'client-id-here', '你好')
    const [there] = await world().say(inbox, 'client-id-there', '你好')
    const clientId = newId()
    const send = (as: typeof one, at: typeof here, text: string) =>
      as.call('POST', `/api/conversations/${at?.conversationId}/messages`, { clientId, parts: [{ type: 'text', text }] })
    const both = await Promise.all([send(one, here, '给这位的'), send(other, there, '给那位的')])
    assert.deepEqual(both.map(({ status }) => status).toSorted(), [201, 409])
    const [first, second] = both[0]?.status === 201 ? ([one, other] as const) : ([other, one] as const)
    const [mine, theirs] = first === one ? [here, there] : [there, here]
    for (const [as, at] of [
      [second, mine],
      [second, theirs],
      [first, theirs],
    ] as const) {
      const refused = await send(as, at, '又一句')
      assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_CONFLICT'])
      assert.doesNotMatch(JSON.stringify(refused.body), /给这位的|给那位的/)
    }
    assert.equal((await send(first, mine, '给这位的')).status, 201)
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id, direction: 'out' }), 1)
  })

  test('what is stored is counted, by direction and channel, and a repeat is not', async () => {
    const inbox = await world().inbox('mock')
    const agent = await world().person('小谷', 'admin')
    const counts = async () => {
      const { body } = await call(world().url, 'GET', '/metrics')
      const of = (direction: string) =>
        Number(new RegExp(`^huike_messages_total\\{direction="${direction}",channel="mock"\\} (\\d+)`, 'm').exec(body)?.[1] ?? 0)
      return [of('in'), of('out'), of('note')]
    }
    const before = await counts()
    const [accepted] = await world().say(inbox, 'counted', '一', 'counted-1')
    await world().say(inbox, 'counted', '一', 'counted-1')
    const said = await world().reply(agent, accepted?.conversationId, '二')
    await world().reply(agent, accepted?.conversationId, '三', { note: true })
    const { status } = await world().reply(agent, accepted?.conversationId, '四', { parts: [{ type: 'text', text: ' ' }] })
    assert.deepEqual([said.status, status], [201, 400])
    assert.deepEqual(
      (await counts()).map((count, i) => count - (before[i] ?? 0)),
      [1, 1, 1],
    )
    assert.doesNotMatch((await call(world().url, 'GET', '/metrics')).body, /channel="all"/)
  })

  test('messages leave in order even when the first one has to be tried again', async () => {
    platform.sent.length = 0
    let failures = 2
    platform.fail = (m) =>
      m.parts[0]?.type === 'text' && m.parts[0].text === '一' && failures-- > 0 ? new SendError('busy', { retry: true, retryAfterMs: 1 }) : undefined
    const inbox = await world().inbox('mock')
    const agent = await world().person('小吴', 'admin')
    const [accepted] = await world().say(inbox, 'sun', '你好')
    for (const text of ['一', '二', '三'])
      await agent.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, { clientId: newId(), parts: [{ type: 'text', text }] })
    await eventually(async () => {
      await world().running.sweep()
      return platform.sent.length === 3
    }, 'three sends')
    platform.fail = undefined
    assert.deepEqual(
      platform.sent.map((m) => (m.parts[0]?.type === 'text' ? m.parts[0].text : '')),
      ['一', '二', '三'],
    )
  })

  test('a send of unknown fate is uncertain, not repeated, and a person may send it again', async () => {
    platform.sent.length = 0
    platform.fail = () => new SendError('timeout', { retry: 'unknown' })
    const inbox = await world().inbox('mock')
    const agent = await world().person('小郑', 'admin')
    const [accepted] = await world().say(inbox, 'zhou', '你好')
    const { body } = await agent.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, {
      clientId: newId(),
      parts: [{ type: 'text', text: '在的' }],
    })
    const status = async (wanted: string) => (await world().hub.em().findOneOrFail(Message, { id: body.id })).status === wanted
    await eventually(() => status('uncertain'), 'uncertainty')
    platform.fail = undefined
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
    await eventually(() => status('sent'), 'the second send')
    assert.equal(platform.sent.length, 1)
    assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 409)
  })

  test('after the end a new message opens a new conversation, and the old one takes none', async () => {
    const inbox = await world().inbox('mock')
    const agent = await world().person('小王', 'admin')
    const [first] = await world().say(inbox, 'wu', '第一次')
    platform.fail = () => new SendError('blocked', { retry: false })
    const { id } = (await world().reply(agent, first?.conversationId, '在的')).body
    const read = () => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
    await eventually(async () => (await read()).status === 'failed', 'the refusal')
    platform.fail = undefined
    assert.equal((await agent.call('POST', `/api/conversations/${first?.conversationId}/close`)).status, 200)
    // Nor does what failed before the end go once more.
    const resent = await agent.call('POST', `/api/messages/${id}/resend`)
    assert.deepEqual([resent.status, resent.body.code, (await read()).status], [409, 'HUB_CONVERSATION_CLOSED', 'failed'])
    const refused = await agent.call('POST', `/api/conversations/${first?.conversationId}/messages`, {
      clientId: newId(),
      parts: [{ type: 'text', text: '还在吗' }],
    })
    assert.deepEqual([refused.status, refused.body.code], [409, 'HUB_CONVERSATION_CLOSED'])
    const [second] = await world().say(inbox, 'wu', '第二次')
    assert.notEqual(second?.conversationId, first?.conversationId)
  })
})
