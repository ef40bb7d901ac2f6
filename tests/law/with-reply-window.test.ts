/** `grant` and `capabilities.replyWindow`: what may be sent is what events granted, counted when it is stored, told live. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ReplyGrant, SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest, platform } = mockChannel('window', { replyWindow: true })
let breakAt: number | undefined
let doubt: boolean | 'unknown' = false
/** While a message's first piece is on its way. */
let meanwhile: (() => Promise<unknown>) | undefined
/** A letter a piece. */
const letters = mockChannel(
  'letters',
  { replyWindow: true },
  {
    pieces: (parts) => parts.reduce((sum, part) => sum + (part.type === 'text' ? part.text.length : 1), 0),
    async send(message) {
      const [part] = message.parts
      const words = part?.type === 'text' ? [...part.text] : []
      for (let i = message.done; i < words.length; i++) {
        if (i === breakAt) throw new SendError('no', { retry: doubt })
        letters.platform.sent.push(message)
        if (i === 0) await meanwhile?.()
        await message.progress(i + 1)
      }
      return undefined
    },
  },
)
const hour = 3_600_000

await onEveryProfile('reply window', [found(manifest), found(letters.manifest)], (world) => {
  const ask = (inbox: Inbox, who: string, grant?: ReplyGrant, sentAt = new Date()) =>
    world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId: who }, parts: [{ type: 'text', text: '你好' }], sentAt, ...(grant ? { grant } : {}) },
    ])
  const left = async (agent: Person, id: string | undefined) => {
    const { body } = await agent.call('GET', `/api/conversations/${id}`)
    return [body.replyLeft, body.replyUntil && Date.parse(body.replyUntil)]
  }
  const told = (answer: { status: number; body: { code?: string; details?: { reason?: string } } }) => [
    answer.status,
    answer.body.code,
    answer.body.details?.reason,
  ]

  test('nothing granted: refused with a code, but a note among colleagues is free', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小安', 'admin')
    const [said] = await ask(inbox, 'a')
    assert.deepEqual(told(await world().reply(agent, said?.conversationId, '在')), [409, 'HUB_REPLY_WINDOW', 'time'])
    assert.equal((await world().reply(agent, said?.conversationId, '他没有开窗口', { note: true })).status, 201)
    assert.deepEqual(await left(agent, said?.conversationId), [null, null])
  })

  test('a count is used up, a new grant of the same name fills it again, and the wire says how many and until when', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小白', 'admin')
    const at = new Date(Date.now() - 60_000)
    const grant = { name: 'message', count: 2, ms: hour }
    const [said] = await ask(inbox, 'b', grant, at)
    const id = said?.conversationId
    assert.deepEqual(await left(agent, id), [2, at.getTime() + hour])
    for (const text of ['一', '二']) assert.equal((await world().reply(agent, id, text)).status, 201)
    assert.deepEqual(await left(agent, id), [0, at.getTime() + hour])
    assert.deepEqual(told(await world().reply(agent, id, '三')), [409, 'HUB_REPLY_WINDOW', 'count'])
    await ask(inbox, 'b', grant)
    assert.equal((await left(agent, id))[0], 2)
    // An older event that comes late takes nothing away from the newer grant.
    assert.equal((await world().reply(agent, id, '四')).status, 201)
    await ask(inbox, 'b', grant, new Date(at.getTime() - 1_000))
    assert.equal((await left(agent, id))[0], 1)
  })

  test('reported as failed while it waits for its next try, a message gives its reply back', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小鲁', 'admin')
    const [said] = await ask(inbox, 'reported', { name: 'message', count: 2, ms: hour })
    platform.fail = () => new SendError('no-answer', { retry: true, retryAfterMs: hour })
    const { body } = await world().reply(agent, said?.conversationId, '一')
    await eventually(async () => (await world().hub.em().count(Outbound, { messageId: body.id, state: 'queued', attempts: 1 })) > 0, 'the first try')
    assert.equal((await left(agent, said?.conversationId))[0], 1)
    await world().hub.intake.accept(inbox.id, [
      { kind: 'failure', externalId: newId(), from: { externalId: 'reported' }, messageExternalId: body.id, reason: 'gone' },
    ])
    platform.fail = undefined
    assert.equal((await left(agent, said?.conversationId))[0], 2)
  })

  test('grants lie beside each other, the one that ends first is used first; one without a count has none', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小陈', 'admin')
    const [said] = await ask(inbox, 'c', { name: 'message', count: 1, ms: 2 * hour })
    await world().hub.intake.accept(inbox.id, [
      {
        kind: 'activity',
        externalId: newId(),
        from: { externalId: 'c' },
        name: 'menu',
        label: { zh: '点了菜单', en: 'Tapped a menu' },
        grant: { name: 'menu', count: 1, ms: hour },
      },
    ])
    assert.equal((await left(agent, said?.conversationId))[0], 2)
    await world().reply(agent, said?.conversationId, '一')
    const { replyGrants } = (await agent.call('GET', `/api/conversations/${said?.conversationId}`)).body
    assert.deepEqual(
      replyGrants.map((grant: { left: number }) => grant.left),
      [0, 1],
    )
    await ask(inbox, 'c', { name: 'paid', ms: hour })
    assert.equal((await left(agent, said?.conversationId))[0], null)
  })

  test('a grant that has ended lets nothing through, and it carries over to the customer’s next conversation while it lasts', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小邓', 'admin')
    const [old] = await ask(inbox, 'd', { name: 'message', count: 5, ms: hour }, new Date(Date.now() - 2 * hour))
    assert.deepEqual(told(await world().reply(agent, old?.conversationId, '在')), [409, 'HUB_REPLY_WINDOW', 'time'])
    await ask(inbox, 'd', { name: 'message', count: 5, ms: hour })
    await agent.call('POST', `/api/conversations/${old?.conversationId}/close`)
    const [next] = await ask(inbox, 'd')
    assert.equal((await left(agent, next?.conversationId))[0], 5)
  })

  test('ten at once with three left: three are taken', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小方', 'admin')
    const [said] = await ask(inbox, 'e', { name: 'message', count: 3, ms: hour })
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => world().reply(agent, said?.conversationId, `第${i}句`)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 201, 201, 409, 409, 409, 409, 409, 409, 409])
  })

  test('what the platform never took is given back; what it may have taken is not', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小高', 'admin')
    for (const [who, retry, after] of [
      ['f', false, 2],
      ['g', 'unknown', 1],
    ] as const) {
      platform.fail = () => new SendError('no', { retry })
      const [said] = await ask(inbox, who, { name: 'message', count: 2, ms: hour })
      const { body } = await world().reply(agent, said?.conversationId, '在')
      await eventually(
        async () => ['failed', 'uncertain'].includes((await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })).status),
        'its fate',
      )
      assert.equal((await left(agent, said?.conversationId))[0], after)
      platform.fail = undefined
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
      assert.equal((await left(agent, said?.conversationId))[0], after - 1)
    }
  })

  test('a message that waited belongs to the grant it was taken from: stopped, a newer one gets nothing back; sent late, it uses a newer one', async () => {
    const agent = await world().person('小孙', 'admin')
    const grant = { name: 'message', count: 5, ms: hour }
    for (const [who, act, after] of [
      ['w', 'stop', 5],
      ['x', 'resend', 4],
    ] as const) {
      const inbox = await world().inbox('window')
      platform.fail = () => new SendError('away', { retry: true, retryAfterMs: hour })
      const [said] = await ask(inbox, who, grant, new Date(Date.now() - 60_000))
      const { body } = await world().reply(agent, said?.conversationId, '在')
      const read = () => world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })
      await eventually(async () => (await read()).failure === 'away', 'the wait')
      assert.equal((await left(agent, said?.conversationId))[0], 4)
      await ask(inbox, who, grant)
      assert.equal((await left(agent, said?.conversationId))[0], 5)
      platform.fail = undefined
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/${act}`)).status, 200)
      await eventually(async () => ['sent', 'failed'].includes((await read()).status), 'its fate')
      assert.equal((await left(agent, said?.conversationId))[0], after)
    }
  })

  test('replies that an older hub set aside go back by the name of their grant, and no grant gets more than it gave', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小钱', 'admin')
    platform.fail = () => new SendError('away', { retry: true, retryAfterMs: hour })
    const [said] = await ask(inbox, 'y', { name: 'message', count: 3, ms: hour })
    const ids: string[] = []
    for (const text of ['一', '二']) ids.push((await world().reply(agent, said?.conversationId, text)).body.id)
    const em = world().hub.em()
    const waits = async () => (await em.findOneOrFail(Message, { id: ids[0] as string }, { disableIdentityMap: true })).failure === 'away'
    await eventually(waits, 'the wait')
    await em.nativeUpdate(Outbound, { messageId: { $in: ids } }, { grants: ['message', 'message'] })
    // The one that waits behind first: it leaves when the other is out of its way.
    for (const id of ids.toReversed()) assert.equal((await agent.call('POST', `/api/messages/${id}/stop`)).status, 200)
    platform.fail = undefined
    assert.equal((await left(agent, said?.conversationId))[0], 3)
  })

  test('the platform says it is shut: whatever was counted ends', async () => {
    platform.fail = () => new SendError('45015', { retry: false, windowShut: true, sentence: { zh: '客户已取消关注', en: 'They no longer follow' } })
    const inbox = await world().inbox('window')
    const agent = await world().person('小韩', 'admin')
    const [said] = await ask(inbox, 'h', { name: 'message', count: 5, ms: hour })
    const { body } = await world().reply(agent, said?.conversationId, '在')
    const failed = await eventually(async () => {
      const { items } = (await agent.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body
      const message = items.find((m: { id: string }) => m.id === body.id)
      return message.status === 'failed' && message
    }, 'the failure')
    platform.fail = undefined
    assert.deepEqual([failed.failure, failed.failureText.zh], ['45015', '客户已取消关注'])
    assert.deepEqual(await left(agent, said?.conversationId), [0, null])
    assert.deepEqual(told(await agent.call('POST', `/api/messages/${body.id}/resend`)), [409, 'HUB_REPLY_WINDOW', 'time'])
  })

  test('a message of several pieces takes a reply for each of them when it is stored, or is refused and nothing leaves', async () => {
    const inbox = await world().inbox('letters')
    const agent = await world().person('小何', 'admin')
    const [said] = await ask(inbox, 'i', { name: 'message', count: 3, ms: 2 * hour })
    const id = said?.conversationId
    letters.platform.sent.length = 0
    const refused = await world().reply(agent, id, '天地玄黄')
    assert.deepEqual([...told(refused), refused.body.details.needed, refused.body.details.left], [409, 'HUB_REPLY_WINDOW', 'pieces', 4, 3])
    assert.equal((await left(agent, id))[0], 3)
    assert.equal(letters.platform.sent.length, 0)
    // Two grants beside each other may carry one message.
    await ask(inbox, 'i', { name: 'enter', count: 1, ms: hour })
    const { status, body } = await world().reply(agent, id, '天地玄黄')
    assert.equal(status, 201)
    assert.equal((await left(agent, id))[0], 0)
    await eventually(
      async () => (await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })).status === 'sent',
      'its sending',
    )
    assert.equal((await left(agent, id))[0], 0)
    assert.equal(letters.platform.sent.length, 4)
    assert.deepEqual(told(await world().reply(agent, id, '宇')), [409, 'HUB_REPLY_WINDOW', 'count'])
  })

  test('a customer who writes while the first piece is on its way grants anew: the pieces after it are counted there, as the platform does', async () => {
    const inbox = await world().inbox('letters')
    const agent = await world().person('小吕', 'admin')
    const grant = { name: 'message', count: 5, ms: hour }
    const [said] = await ask(inbox, 'l', grant, new Date(Date.now() - 60_000))
    meanwhile = () => ask(inbox, 'l', grant)
    const { body } = await world().reply(agent, said?.conversationId, '天地玄')
    await eventually(
      async () => (await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })).status === 'sent',
      'its sending',
    )
    meanwhile = undefined
    assert.equal((await left(agent, said?.conversationId))[0], 3)
  })

  test('of a message that stops in the middle the pieces that never left are given back, and sending the rest takes the rest', async () => {
    const agent = await world().person('小胡', 'admin')
    for (const [who, retry, after] of [
      ['j', false, 4],
      ['k', 'unknown', 3],
    ] as const) {
      const inbox = await world().inbox('letters')
      const [said] = await ask(inbox, who, { name: 'message', count: 5, ms: hour })
      ;[breakAt, doubt] = [1, retry]
      const { body } = await world().reply(agent, said?.conversationId, '日月盈')
      await eventually(
        async () => ['failed', 'uncertain'].includes((await world().hub.em().findOneOrFail(Message, { id: body.id }, { disableIdentityMap: true })).status),
        'its fate',
      )
      breakAt = undefined
      assert.equal((await left(agent, said?.conversationId))[0], after)
      assert.equal((await agent.call('POST', `/api/messages/${body.id}/resend`)).status, 200)
      assert.equal((await left(agent, said?.conversationId))[0], after - 2)
    }
  })

  test('`windowShut` on an event ends every grant from before it and none from after it, whichever comes first', async () => {
    const inbox = await world().inbox('window')
    const agent = await world().person('小路', 'admin')
    const at = (seconds: number) => new Date(Date.now() - 60_000 + seconds * 1_000)
    const did = (name: string, seconds: number, more: object) =>
      world().hub.intake.accept(inbox.id, [
        { kind: 'activity', externalId: newId(), from: { externalId: 'l' }, name, label: { zh: name, en: name }, at: at(seconds), ...more },
      ])
    const [said] = await ask(inbox, 'l', { name: 'message', count: 5, ms: hour }, at(0))
    await did('follow', 1, { grant: { name: 'follow', count: 3, ms: hour } })
    assert.equal((await left(agent, said?.conversationId))[0], 8)
    await did('unfollow', 2, { windowShut: true })
    assert.deepEqual(await left(agent, said?.conversationId), [0, null])
    assert.deepEqual(told(await world().reply(agent, said?.conversationId, '在')), [409, 'HUB_REPLY_WINDOW', 'time'])
    await did('follow', 4, { grant: { name: 'follow', count: 3, ms: hour } })
    // The unfollowing comes once more, behind what came after it.
    await did('unfollow', 3, { windowShut: true })
    assert.equal((await left(agent, said?.conversationId))[0], 3)
  })

  test('a test message of an admin is a reply, and agents see one less', async () => {
    const inbox = await world().inbox('letters')
    const admin = await world().person('小顾', 'admin')
    const [said] = await ask(inbox, 'tested', { name: 'message', count: 5, ms: 48 * hour })
    const test = (to: string, text: string) => admin.call('POST', `/api/inboxes/${inbox.id}/test`, { to, text })
    assert.equal((await test('tested', '两字')).body.ok, true)
    assert.equal((await left(admin, said?.conversationId))[0], 3)
    // Whom nobody knows has no window here; what was refused has used up nothing.
    assert.equal((await test('stranger', '字')).body.ok, true)
    breakAt = 0
    assert.equal((await test('tested', '字')).body.ok, false)
    breakAt = undefined
    await admin.call('POST', `/api/conversations/${said?.conversationId}/close`)
    assert.equal((await test('tested', '字')).body.ok, true)
    const [again] = await ask(inbox, 'tested')
    assert.equal((await left(admin, again?.conversationId))[0], 2)
  })
})
