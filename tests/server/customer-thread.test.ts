/** What a customer is shown of their own thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textOf } from '../../core/sdk/message-parts.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { CustomerThread } from '../../core/sdk/wire/customer.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { closeConversation } from '../../core/src/domain/conversation/close-conversation.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

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
  test('what is taken back or rated after the end is told, however the talk went on since', async () => {
    const agent = await world().person('小夏', 'owner')
    const inbox = await world().inbox('mock')
    const who = newId()
    const desk = createDesk(world().hub)
    const customer = { inboxId: inbox.id, externalId: who }
    const words = ({ messages }: CustomerThread) =>
      messages.flatMap(({ from, recalled, parts }) => (from === 'system' ? [] : [recalled ? '(taken back)' : textOf(parts as never)]))
    const since = async (cursor: string) => {
      const read: string[] = []
      for (;;) {
        const page = await desk.thread(customer, { cursor })
        read.push(...words(page))
        cursor = page.cursor
        if (!page.more) return { read, cursor }
      }
    }
    const [first] = await world().say(inbox, who, '多少钱')
    const id = first?.conversationId ?? ''
    const answer = (await world().reply(agent, id, '发错人的报价')).body.id as string
    const isSent = async () => (await world().hub.em().findOneOrFail(Message, { id: answer }, { disableIdentityMap: true })).status === 'sent'
    await eventually(isSent, 'it has left')
    const { cursor } = await desk.thread(customer, {})
    await closeConversation(world().hub, id, 'agent', null)
    await world().say(inbox, who, '新问题')
    const next = await since(cursor)
    assert.deepEqual(next.read, ['新问题'])
    // Who comes only now knows of the one before as well.
    const late = await desk.thread(customer, {})

    assert.equal((await agent.call('POST', `/api/messages/${answer}/recall`)).status, 200)
    const told = await since(next.cursor)
    assert.deepEqual([told.read, (await since(late.cursor)).read, (await since(told.cursor)).read], [['(taken back)'], ['(taken back)'], []])
    // Both at once: the ended one changes, and another one begins.
    await desk.rate(customer, id, 1, '')
    await world().say(inbox, who, '还有')
    const rated = await desk.thread(customer, { cursor: told.cursor })
    assert.deepEqual(
      rated.messages.map(({ conversationId, parts }) => [conversationId === id, parts[0]?.type]),
      [
        [false, 'text'],
        [true, 'event'],
      ],
    )
  })

  test('the thread says whether who has it is there: busy is, away, gone without a word and switched off are not', async () => {
    const agent = await world().person('小夏', 'owner')
    const inbox = await world().inbox('mock')
    const who = newId()
    const [said] = await world().say(inbox, who, '在吗')
    const conversation = async () => (await createDesk(world().hub).thread({ inboxId: inbox.id, externalId: who }, {})).conversation
    const em = world().hub.em()
    await em.nativeUpdate(Conversation, { id: said?.conversationId as string }, { status: 'open', assigneeId: agent.id })
    const ago = (ms: number) => new Date(Date.now() - ms)
    for (const [about, row, there] of [
      ['online', { presence: 'online', seenAt: ago(1_000) }, true],
      ['busy', { presence: 'busy' }, true],
      ['away', { presence: 'away' }, false],
      ['offline', { presence: 'offline' }, false],
      ['no sign of life', { presence: 'online', seenAt: ago(60_000) }, false],
      ['signed out', { seenAt: null }, false],
      ['switched off', { seenAt: ago(1_000), active: false }, false],
    ] as const) {
      await em.nativeUpdate(Agent, { id: agent.id }, row)
      const { agentName, agentPresent } = (await conversation()) ?? {}
      assert.deepEqual([about, agentName, agentPresent], [about, '小夏', there])
    }
    await em.nativeUpdate(Conversation, { id: said?.conversationId as string }, { status: 'queued', assigneeId: null })
    const waiting = await conversation()
    assert.deepEqual([waiting?.agentName, waiting?.agentPresent], ['', false])
  })

  test('the thread says whether a number or an address of theirs is known, by whose word it be', async () => {
    const inbox = await world().inbox('mock')
    for (const [from, reachable] of [
      [{ name: '陈晓' }, false],
      [{ phone: '13800138000' }, true],
      [{ email: 'chen@xiao.cn', verified: true }, true],
      [{ verified: true, says: { name: '陈晓' } }, false],
      [{ verified: true, says: { phone: '13800138000' } }, true],
    ] as const) {
      const externalId = newId()
      const parts = [{ type: 'text' as const, text: '请回电' }]
      await world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId, ...from }, parts }])
      const { conversation } = await createDesk(world().hub).thread({ inboxId: inbox.id, externalId }, {})
      assert.equal(conversation?.reachable, reachable, JSON.stringify(from))
    }
  })

  test('the last answer is read after the end, by whom it was for and nobody else', async () => {
    const agent = await world().person('小夏', 'owner')
    const inbox = await world().inbox('mock')
    const [who, other] = [newId(), newId()]
    const [asked] = await world().say(inbox, who, '发货了吗')
    await world().say(inbox, other, '别人的话')
    const id = asked?.conversationId ?? ''
    const { seq } = (await world().reply(agent, id, '发了')).body
    await closeConversation(world().hub, id, 'agent', null)
    const tell = (externalId: string, status: 'delivered' | 'read') =>
      world().hub.intake.accept(inbox.id, [{ kind: 'receipt', externalId: newId(), from: { externalId }, status, upToSeq: seq, conversationId: id }])
    const marks = async () => {
      const { status, customerDeliveredSeq, customerReadSeq } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
      return [status, customerDeliveredSeq, customerReadSeq]
    }
    await tell(other, 'read')
    assert.deepEqual(await marks(), ['closed', 0, 0])
    await tell(who, 'delivered')
    assert.deepEqual(await marks(), ['closed', seq, 0])
    await tell(who, 'read')
    assert.deepEqual(await marks(), ['closed', seq, seq])
  })
})
