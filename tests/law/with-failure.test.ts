/** `failure`, receipts and recalls by the platform's name of a message: on that message, on no other, told live. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type InboundEvent, type OutboundMessage, SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { processInbound } from '../../core/src/pipeline/inbound.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

let send: (message: OutboundMessage) => Promise<{ externalId?: string } | undefined> = async () => undefined
let refuse: SendError | undefined
let refuseOnly = ''
const { manifest, platform } = mockChannel(
  'letters',
  { receipts: ['delivered', 'read'] },
  {
    send: (message) => send(message),
    async recall({ externalId }) {
      if (refuse) throw refuse
      if (externalId === refuseOnly) throw new SendError('too-late', { retry: false })
      platform.recalled.push(externalId)
    },
  },
)

/** A letter has several recipients. */
const post = mockChannel('post', { letter: ['to'] }, { send: (message) => send(message) })

/** Whose sends are slow. */
let slowly: (message: OutboundMessage) => Promise<{ externalId?: string }>
const slow = mockChannel('slow', { sendTimeoutMs: 50 }, { send: (message) => slowly(message) })
/** Long enough for all that is not held on purpose. */
const pieces = mockChannel('pieces', { sendTimeoutMs: 1_500 }, { send: (message) => slowly(message) })

await onEveryProfile('failure', [found(manifest), found(post.manifest), found(slow.manifest), found(pieces.manifest)], (world) => {
  const read = (id: string) => world().hub.em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
  const status = (id: string, wanted: string) => eventually(async () => (await read(id)).status === wanted, wanted)
  const bounce = (inbox: Inbox, who: string, messageExternalId: string, externalId = newId()) =>
    world().hub.intake.accept(inbox.id, [
      { kind: 'failure', externalId, from: { externalId: who }, messageExternalId, reason: '5.1.1', detail: 'User unknown' },
    ])
  async function conversation(who: string, channel = 'letters') {
    send = async (message) => ({ externalId: `l-${message.id}` })
    const inbox = await world().inbox(channel)
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, who, '请回信')
    const reply = async (text: string) => {
      const { body } = await world().reply(agent, said?.conversationId, text)
      await status(body.id, 'sent')
      return body as { id: string; seq: number }
    }
    return { inbox, agent, id: said?.conversationId as string, reply }
  }

  test('a bounce is shown on the message it is of; the same again is no news, and what is sent again is not touched by it', async () => {
    const { inbox, agent, reply } = await conversation('a')
    const one = await reply('第一封')
    const two = await reply('第二封')
    await bounce(inbox, 'a', `l-${one.id}`)
    const failed = await read(one.id)
    assert.deepEqual([failed.status, failed.failure, failed.failureText?.en], ['failed', '5.1.1', 'User unknown'])
    assert.equal((await read(two.id)).status, 'sent')
    send = async () => ({ externalId: 'second-try' })
    assert.equal((await agent.call('POST', `/api/messages/${one.id}/resend`)).status, 200)
    await status(one.id, 'sent')
    const { rev } = await read(one.id)
    await bounce(inbox, 'a', `l-${one.id}`)
    assert.deepEqual([(await read(one.id)).status, (await read(one.id)).rev], ['sent', rev])
    await bounce(inbox, 'a', 'second-try')
    assert.equal((await read(one.id)).status, 'failed')
  })

  test('of a message to several each recipient who did not get it is told once, beside the others, with the report as it came', async () => {
    const { inbox, agent, id, reply } = await conversation('several')
    const { id: messageId } = await reply('给三位')
    const raw = await world()
      .hub.kernel.get('letters')
      ?.ctx.storeFile(inbox.id, { name: '退信.eml', bytes: Buffer.from('Action: failed'), as: 'file' })
    assert.ok(raw?.type === 'file')
    const fails = (recipient: string, more: { rawFileId?: string } = {}) =>
      world().hub.intake.accept(inbox.id, [
        {
          kind: 'failure',
          externalId: newId(),
          from: { externalId: recipient },
          messageExternalId: `l-${messageId}`,
          reason: 'gone',
          detail: `没有 ${recipient}`,
          recipient,
          ...more,
        },
      ])
    await fails('b@x.test', { rawFileId: raw.fileId })
    await fails('c@x.test', { rawFileId: raw.fileId })
    const told = await read(messageId)
    assert.deepEqual([told.status, told.failure, told.failureText?.zh], ['failed', 'gone', '没有 b@x.test\n没有 c@x.test'])
    await fails('b@x.test')
    await bounce(inbox, 'several', `l-${messageId}`)
    assert.equal((await read(messageId)).rev, told.rev)
    const shown = (await agent.call('GET', `/api/conversations/${id}/messages`)).body.items.find((message: { id: string }) => message.id === messageId)
    assert.deepEqual(
      shown.meta.returned.map(({ address, rawFileId, name }: Record<string, string>) => [address, rawFileId, name]),
      [
        ['b@x.test', raw.fileId, undefined],
        ['c@x.test', raw.fileId, undefined],
      ],
    )
    assert.equal((await agent.call('GET', `/api/files/${raw.fileId}`)).status, 200)
    assert.equal((await (await world().person('外人')).call('GET', `/api/files/${raw.fileId}`)).status, 404)
    // Sent again it is on its way; what is said of one of them waits for the fate of that.
    const hold = Promise.withResolvers<{ externalId: string }>()
    let asked = false
    send = () => {
      asked = true
      return hold.promise
    }
    await agent.call('POST', `/api/messages/${messageId}/resend`)
    await eventually(() => asked, 'the second send')
    await fails('d@x.test')
    hold.resolve({ externalId: 'second' })
    await eventually(async () => {
      await world().hasten()
      return (await read(messageId)).failureText?.zh === '没有 d@x.test'
    }, 'the third of them')
  })

  test('by the id that was handed over too; of another inbox, or of nothing we sent: nothing happens', async () => {
    const { inbox, reply } = await conversation('b')
    const one = await reply('在路上')
    const other = await world().inbox('letters')
    await bounce(other, 'b', `l-${one.id}`)
    await bounce(inbox, 'b', 'never-sent')
    assert.equal((await read(one.id)).status, 'sent')
    await bounce(inbox, 'b', one.id)
    assert.equal((await read(one.id)).status, 'failed')
  })

  test('a refusal that overtakes the answer waits for it', async () => {
    const { inbox, agent, id } = await conversation('c')
    const hold = Promise.withResolvers<{ externalId: string }>()
    let asked = false
    send = () => {
      asked = true
      return hold.promise
    }
    const { body } = await world().reply(agent, id, '稍等')
    await eventually(() => asked, 'the send')
    await bounce(inbox, 'c', 'quick')
    hold.resolve({ externalId: 'quick' })
    await eventually(async () => {
      await world().hasten()
      return (await read(body.id)).status === 'failed'
    }, 'the failure')
  })

  /** Writes a message whose first try is over and whose next is far. */
  const waiting = async (agent: Person, id: string, words: string) => {
    send = async () => {
      throw new SendError('no-answer', { retry: true, retryAfterMs: 3_600_000 })
    }
    const { body } = await world().reply(agent, id, words)
    await tried(body.id)
    return body.id as string
  }
  const tried = (messageId: string) =>
    eventually(async () => {
      const { status, failure } = await read(messageId)
      return status === 'queued' && failure === 'no-answer'
    }, 'the first try')
  const parked = (inbox: Inbox) => world().hub.em().count(ParkedEvent, { inboxId: inbox.id })
  const owed = (messageId: string) => world().hub.em().count(Outbound, { messageId })

  test('told while the message waits for its next try: it is not tried again, and what is behind it leaves', async () => {
    const { inbox, agent, id } = await conversation('waits')
    const first = await waiting(agent, id, '第一句')
    const left: string[] = []
    send = async (message) => {
      left.push(message.id)
      return undefined
    }
    const second = (await world().reply(agent, id, '第二句')).body.id
    await bounce(inbox, 'waits', first)
    const failed = await read(first)
    assert.deepEqual([failed.status, failed.failure, failed.failureText?.zh, await owed(first)], ['failed', '5.1.1', 'User unknown', 0])
    await status(second, 'sent')
    assert.deepEqual(left, [second])
  })

  test('of a sending before the last it is no news; nor, where none is named, of one that nobody was given yet', async () => {
    const { inbox, agent, id } = await conversation('rounds')
    const messageId = await waiting(agent, id, '第一句')
    await bounce(inbox, 'rounds', messageId)
    assert.equal((await agent.call('POST', `/api/messages/${messageId}/resend`)).status, 200)
    await tried(messageId)
    const fails = (round?: number) =>
      world().hub.intake.accept(inbox.id, [
        { kind: 'failure', externalId: newId(), from: { externalId: 'rounds' }, messageExternalId: messageId, reason: 'gone', ...(round ? { round } : {}) },
      ])
    await fails(1)
    await world().hub.em().nativeUpdate(Outbound, { messageId }, { attempts: 0 })
    await fails()
    assert.deepEqual([(await read(messageId)).status, await owed(messageId)], ['queued', 1])
    await fails(2)
    assert.deepEqual([(await read(messageId)).status, await owed(messageId)], ['failed', 0])
    send = async () => ({ externalId: 'round-3' })
    assert.equal((await agent.call('POST', `/api/messages/${messageId}/resend`)).status, 200)
    await status(messageId, 'sent')
    await fails(2)
    assert.equal((await read(messageId)).status, 'sent')
  })

  test('told by its id while it is being handed over, or by a name that only the next try tells: it waits for that', async () => {
    const { inbox, agent, id } = await conversation('early')
    const messageId = await waiting(agent, id, '第一句')
    const hold = Promise.withResolvers<{ externalId: string }>()
    send = () => hold.promise
    assert.equal((await agent.call('POST', `/api/messages/${messageId}/resend`)).status, 200)
    await eventually(async () => (await world().hub.em().count(Outbound, { messageId, state: 'sending' })) > 0, 'the second try')
    await bounce(inbox, 'early', messageId)
    assert.deepEqual([await parked(inbox), (await read(messageId)).status === 'failed'], [1, false])
    hold.resolve({ externalId: 'early-1' })
    await eventually(async () => {
      await world().hasten()
      return (await read(messageId)).status === 'failed'
    }, 'the failure')
    const other = await waiting(agent, id, '第二句')
    await bounce(inbox, 'early', 'early-2')
    assert.deepEqual([await parked(inbox), (await read(other)).status], [1, 'queued'])
    send = async () => ({ externalId: 'early-2' })
    assert.equal((await agent.call('POST', `/api/messages/${other}/resend`)).status, 200)
    await eventually(async () => {
      await world().hasten()
      return (await read(other)).status === 'failed'
    }, 'the failure of the second')
  })

  test('a letter that some still wait for goes on to them; the report that names nobody is told once its fate is known', async () => {
    const { inbox, agent, id } = await conversation('letter', 'post')
    const letter = await waiting(agent, id, '给两位')
    await bounce(inbox, 'letter', letter)
    assert.deepEqual([await parked(inbox), (await read(letter)).status, await owed(letter)], [1, 'queued', 1])
    send = async () => ({ externalId: 'letter-1' })
    assert.equal((await agent.call('POST', `/api/messages/${letter}/resend`)).status, 200)
    await eventually(async () => {
      await world().hasten()
      return (await read(letter)).status === 'failed'
    }, 'the failure')
  })

  test('receipts by the platform’s name move the marks forward, never back', async () => {
    const { inbox, agent, id, reply } = await conversation('d')
    const one = await reply('一')
    const two = await reply('二')
    const receipt = (messageExternalId: string, kind: 'delivered' | 'read') =>
      world().hub.intake.accept(inbox.id, [{ kind: 'receipt', externalId: newId(), from: { externalId: 'd' }, status: kind, messageExternalId }])
    await receipt(`l-${two.id}`, 'delivered')
    await receipt(`l-${one.id}`, 'read')
    await receipt('of-nothing', 'read')
    const { body } = await agent.call('GET', `/api/conversations/${id}`)
    assert.deepEqual([body.customerDeliveredSeq, body.customerReadSeq], [two.seq, one.seq])
  })

  test('a receipt by the platform’s name moves only the mark of whom it is from', async () => {
    const { inbox, agent, id, reply } = await conversation('whose-1')
    await world().say(inbox, 'whose-2', '别人的话')
    const one = await reply('一')
    const receipt = (externalId: string, status: 'delivered' | 'read') =>
      world().hub.intake.accept(inbox.id, [{ kind: 'receipt', externalId: newId(), from: { externalId }, status, messageExternalId: `l-${one.id}` }])
    const marks = async () => {
      const { body } = await agent.call('GET', `/api/conversations/${id}`)
      return [body.customerDeliveredSeq, body.customerReadSeq]
    }
    for (const stranger of ['whose-2', 'nobody-yet']) {
      await receipt(stranger, 'delivered')
      await receipt(stranger, 'read')
      assert.deepEqual([stranger, ...(await marks())], [stranger, 0, 0])
    }
    await receipt('whose-1', 'read')
    assert.deepEqual(await marks(), [one.seq, one.seq])
  })

  test('recalled in the platform’s own app, or by us through the adapter; what it refuses is not marked', async () => {
    const { inbox, agent, reply } = await conversation('e')
    const one = await reply('发错了')
    await world().hub.intake.accept(inbox.id, [
      { kind: 'recall', externalId: newId(), from: { externalId: 'e' }, messageExternalId: `l-${one.id}`, by: 'agent' },
    ])
    assert.ok((await read(one.id)).recalledAt)
    const two = await reply('又错了')
    refuse = new SendError('too-late', { retry: false, sentence: { zh: '超过两分钟，平台不再允许撤回', en: 'Too late for the platform' } })
    const refused = await agent.call('POST', `/api/messages/${two.id}/recall`)
    assert.deepEqual([refused.status, refused.body.code, refused.body.details.reason], [409, 'HUB_MESSAGE_NOT_RECALLABLE', 'platform'])
    assert.equal((await read(two.id)).recalledAt ?? null, null)
    refuse = undefined
    assert.equal((await (await world().person('小白', 'admin')).call('POST', `/api/messages/${two.id}/recall`)).status, 403)
    assert.equal((await agent.call('POST', `/api/messages/${two.id}/recall`)).status, 200)
    assert.deepEqual(platform.recalled.splice(0), [`l-${two.id}`])
  })

  test('a receipt, a failure or a recall of somebody unknown makes nobody known; their first word does, in the same batch too', async () => {
    const inbox = await world().inbox('letters')
    const em = world().hub.em()
    const contacts = await em.count(Contact, {})
    const from = (externalId: string) => ({ externalId })
    const events: InboundEvent[] = [
      { kind: 'receipt', externalId: newId(), from: from('u1'), status: 'read', upToSeq: 1, conversationId: newId() },
      { kind: 'receipt', externalId: newId(), from: from('u2'), status: 'read', messageExternalId: newId() },
      { kind: 'failure', externalId: newId(), from: from('u3'), messageExternalId: newId(), reason: '5.1.1' },
      { kind: 'recall', externalId: newId(), from: from('u4'), messageExternalId: newId(), by: 'customer' },
    ]
    await Promise.all(events.map((event) => world().hub.intake.accept(inbox.id, [event])))
    assert.deepEqual([await em.count(Identity, { inboxId: inbox.id }), await em.count(Contact, {})], [0, contacts])
    const [receipt] = events as [InboundEvent]
    const item = (event: InboundEvent) => ({ inbox, event, parked: false })
    const word: InboundEvent = { kind: 'message', externalId: newId(), from: { ...from('u1'), name: '阿优' }, parts: [{ type: 'text', text: '在吗' }] }
    await processInbound(world().hub, [item({ ...receipt, externalId: newId() }), item(word), item({ ...receipt, externalId: newId() })])
    const identity = await world().identity(inbox.id, 'u1')
    assert.equal((await em.findOneOrFail(Contact, { id: identity.contactId })).name, '阿优')
    assert.equal(await em.count(Identity, { inboxId: inbox.id }), 1)
  })

  test('one customer’s recall takes back nothing of another’s', async () => {
    const { inbox, reply } = await conversation('f')
    const one = await reply('给甲的')
    await world().say(inbox, 'g', '我是乙')
    await world().hub.intake.accept(inbox.id, [
      { kind: 'recall', externalId: newId(), from: { externalId: 'g' }, messageExternalId: `l-${one.id}`, by: 'agent' },
    ])
    assert.equal((await read(one.id)).recalledAt ?? null, null)
  })

  test('a message of several platform messages goes on where it stopped, and answers to each of its names', async () => {
    const { inbox, agent, id } = await conversation('h')
    const sent: string[] = []
    let breakAt = 2
    send = async (message) => {
      const words = ['甲', '乙', '丙']
      for (let i = message.done; i < words.length; i++) {
        if (i === breakAt) {
          breakAt = -1
          throw new SendError('busy', { retry: true, retryAfterMs: 1 })
        }
        sent.push(words[i] as string)
        await message.progress(i + 1, `h-${i}`)
      }
      return { externalId: 'h-0' }
    }
    const { body } = await world().reply(agent, id, '甲乙丙')
    await eventually(async () => {
      await world().hasten()
      return (await read(body.id)).status === 'sent'
    }, 'the sending')
    assert.deepEqual(sent, ['甲', '乙', '丙'])
    assert.deepEqual([(await read(body.id)).externalId, (await read(body.id)).done], ['h-0', 3])
    // Its echoes are all its own.
    for (const i of [0, 1, 2])
      await world().hub.intake.accept(inbox.id, [{ kind: 'echo', externalId: `h-${i}`, from: { externalId: 'h' }, parts: [{ type: 'text', text: '…' }] }])
    assert.equal(await world().hub.em().count(Message, { conversationId: id, direction: 'out' }), 1)
    // Interrupted with unknown fate, a person sends it again: only the rest goes.
    sent.length = 0
    let lost = true
    send = async (message) => {
      for (let i = message.done; i < 2; i++) {
        sent.push(String(i))
        if (i === 1 && lost) {
          lost = false
          throw new SendError('timeout', { retry: 'unknown' })
        }
        await message.progress(i + 1)
      }
      return undefined
    }
    const again = await world().reply(agent, id, '再来')
    await status(again.body.id, 'uncertain')
    await agent.call('POST', `/api/messages/${again.body.id}/resend`)
    await status(again.body.id, 'sent')
    assert.deepEqual(sent, ['0', '1', '1'])
  })

  test('a message of several platform messages is taken back as far as the platform lets us; the rest is asked for again, and only that', async () => {
    const { inbox, agent, id } = await conversation('i')
    send = async (message) => {
      for (let i = message.done; i < 3; i++) await message.progress(i + 1, `${message.id}-${i}`)
      return { externalId: `${message.id}-2` }
    }
    const reply = async () => {
      const { body } = await world().reply(agent, id, '甲乙丙')
      await status(body.id, 'sent')
      return body.id as string
    }
    const one = await reply()
    refuseOnly = `${one}-1`
    const partly = await agent.call('POST', `/api/messages/${one}/recall`)
    assert.deepEqual(
      [partly.status, partly.body.code, partly.body.details.reason, partly.body.details.done, partly.body.details.all],
      [409, 'HUB_MESSAGE_NOT_RECALLABLE', 'partly', 2, 3],
    )
    assert.deepEqual(platform.recalled.splice(0), [`${one}-0`, `${one}-2`])
    const kept = await read(one)
    assert.deepEqual([kept.recalledAt ?? null, kept.status, /只撤回了 2 条/.test(kept.failureText?.zh ?? '')], [null, 'sent', true])
    refuseOnly = ''
    assert.equal((await agent.call('POST', `/api/messages/${one}/recall`)).status, 200)
    assert.deepEqual(platform.recalled.splice(0), [`${one}-1`])
    assert.ok((await read(one)).recalledAt)

    // In the platform's own app they go one by one, and in whatever order: the last takes the message with it.
    const two = await reply()
    const gone = (name: string) =>
      world().hub.intake.accept(inbox.id, [{ kind: 'recall', externalId: newId(), from: { externalId: 'i' }, messageExternalId: name, by: 'agent' }])
    await gone(`${two}-2`)
    assert.match((await read(two)).failureText?.en ?? '', /1 of them/)
    await gone(`${two}-0`)
    assert.equal((await read(two)).recalledAt ?? null, null)
    await gone(`${two}-1`)
    assert.ok((await read(two)).recalledAt)
  })

  test('what a platform says after its time still counts: sent, or refused; not where a person has decided meanwhile', async () => {
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(await world().inbox('slow'), 'late', '请回信')
    const id = said?.conversationId as string
    const gates: (() => void)[] = []
    let outcome: () => { externalId?: string } = () => ({ externalId: newId() })
    slowly = async () => {
      await new Promise<void>((open) => gates.push(open))
      return outcome()
    }
    const unsure = async (text: string) => {
      const { body } = await world().reply(agent, id, text)
      await status(body.id, 'uncertain')
      assert.equal((await read(body.id)).failure, 'timeout')
      return body.id as string
    }
    const sent = await unsure('慢')
    gates.shift()?.()
    await status(sent, 'sent')
    assert.ok((await read(sent)).externalId)
    const refused = await unsure('更慢')
    outcome = () => {
      throw new SendError('5.7.1', { retry: false, sentence: { zh: '被拒收', en: 'refused' } })
    }
    gates.shift()?.()
    await status(refused, 'failed')
    assert.equal((await read(refused)).failureText?.en, 'refused')
    // Sent again by a person: what the first try says is not about this one.
    const again = await unsure('最慢')
    const first = gates.shift()
    slowly = async () => ({ externalId: 'by-hand' })
    assert.equal((await agent.call('POST', `/api/messages/${again}/resend`)).status, 200)
    await status(again, 'sent')
    first?.()
    await status(sent, 'sent')
    assert.deepEqual([(await read(again)).status, (await read(again)).externalId], ['sent', 'by-hand'])
  })

  test('a piece that takes too long ends the hand-over: no further one leaves behind the next message’s back, and sending again goes on after it', async () => {
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(await world().inbox('pieces'), 'pieces', '请回信')
    const id = said?.conversationId as string
    const left: string[] = []
    const hold = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<unknown>()
    slowly = async (message) => {
      const [part] = message.parts
      const words = part?.type === 'text' ? [...part.text] : []
      try {
        for (let i = message.done; i < words.length; i++) {
          left.push(words[i] as string)
          if (words[i] === '乙' && left.length === 2) await hold.promise
          await message.progress(i + 1)
        }
      } catch (error) {
        ended.resolve([error, message.signal.aborted])
        throw error
      }
      return {}
    }
    const several = await world().reply(agent, id, '甲乙丙')
    await status(several.body.id, 'uncertain')
    const next = await world().reply(agent, id, '后')
    await status(next.body.id, 'sent')
    hold.resolve()
    const [error, aborted] = (await ended.promise) as [SendError, boolean]
    assert.deepEqual([error.reason, aborted], ['timeout', true])
    assert.deepEqual([left, (await read(several.body.id)).status, (await read(several.body.id)).done], [['甲', '乙', '后'], 'uncertain', 2])
    assert.equal((await agent.call('POST', `/api/messages/${several.body.id}/resend`)).status, 200)
    await status(several.body.id, 'sent')
    assert.deepEqual(left, ['甲', '乙', '后', '丙'])
  })

  test('a recall that overtakes its message waits for it, alone: the customer’s, and ours before its echo', async () => {
    const { inbox } = await conversation('i')
    const text = (words: string) => [{ type: 'text', text: words }]
    const take = (event: object) => world().hub.intake.accept(inbox.id, [{ externalId: newId(), from: { externalId: 'i' }, ...event } as InboundEvent])
    const waiting = () => world().hub.em().count(ParkedEvent, { inboxId: inbox.id })
    const recalled = async (dedupeKey: string) =>
      (await world().hub.em().findOneOrFail(Message, { inboxId: inbox.id, dedupeKey }, { disableIdentityMap: true })).recalledAt
    for (const [by, kind, key] of [
      ['customer', 'message', 'in:'],
      ['agent', 'echo', 'echo:'],
    ] as const) {
      const [early, late] = [newId(), newId()]
      // In order: at once.
      await take({ kind, externalId: early, parts: text('发错了') })
      await take({ kind: 'recall', messageExternalId: early, by })
      assert.ok(await recalled(key + early))
      assert.equal(await waiting(), 0)
      // The other way round.
      await take({ kind: 'recall', messageExternalId: late, by })
      assert.equal(await waiting(), 1)
      const [next] = await take({ kind: 'message', parts: text('还在吗') })
      assert.ok(next?.messageId, 'the customer’s next words do not wait')
      await world().hasten()
      assert.equal(await waiting(), 1, 'it waits on')
      await take({ kind, externalId: late, parts: text('又发错了') })
      await eventually(async () => {
        await world().hasten()
        return (await waiting()) === 0
      }, 'the recall')
      assert.ok(await recalled(key + late))
    }
    // Of what never comes it does not wait for ever, nor keep others waiting.
    await take({ kind: 'recall', messageExternalId: 'of-nothing' })
    await world()
      .hub.em()
      .nativeUpdate(ParkedEvent, { inboxId: inbox.id }, { createdAt: new Date(Date.now() - 3_700_000) })
    await eventually(async () => {
      await world().hasten()
      return (await waiting()) === 0
    }, 'the end of waiting')
  })
})
