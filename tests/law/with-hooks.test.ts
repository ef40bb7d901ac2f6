/** `hooks`: before the write. May change, may refuse; one that breaks holds the message up and loses nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HubError } from '../../core/sdk/errors.ts'
import { textOf } from '../../core/sdk/message-parts.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const broken = new Set<string>()
const busy = new Set<string>()
const seen: string[] = []
const text = (value: string) => [{ type: 'text' as const, text: value }]
const filter = definePlugin({
  id: 'filter',
  version: '1.0.0',
  label: { zh: '过滤', en: 'Filter' },
  hooks: {
    'inbound.accept'(input) {
      const said = textOf(input.parts)
      seen.push(said)
      if (busy.has(said)) throw new HubError('HUB_STORAGE_UNAVAILABLE', 'The storage is away')
      if (broken.has(said)) throw new Error('the filter’s own server is down')
      if (said.includes('广告')) throw new HubError('HUB_MESSAGE_REFUSED', 'No advertising')
      if (said.includes('刷单')) throw new HubError('FILTER_SCAM', 'No scams', {}, { status: 409, reader: 'user', retry: false })
      if (said.includes('太快')) throw new HubError('FILTER_PACE', 'Too fast', {}, { status: 429, reader: 'user', retry: true })
      if (said.includes('卡号')) return { ...input, parts: text(said.replace(/\d{6,}/g, '******')) }
    },
    'outbound.send'(input) {
      const said = textOf(input.parts)
      if (said.includes('保证')) throw new HubError('HUB_MESSAGE_REFUSED', 'Promise nothing')
      return { ...input, parts: text(`${said}（客服）`) }
    },
  },
})
const second = definePlugin({
  id: 'second',
  version: '1.0.0',
  label: { zh: '其次', en: 'Second' },
  requires: { plugins: { filter: '^1.0.0' } },
  hooks: { 'inbound.accept': (input) => (textOf(input.parts).includes('******') ? { ...input, parts: text(`${textOf(input.parts)}（已遮挡）`) } : undefined) },
})
const { manifest: mock } = mockChannel()

await onEveryProfile(
  'hooks',
  [second, filter, mock].map((manifest) => found(manifest)),
  (world) => {
    const stored = async (inboxId: string) =>
      (
        await world()
          .hub.em()
          .find(Message, { inboxId, direction: { $ne: 'system' } }, { orderBy: { seq: 'asc' } })
      ).map((m) => m.text)

    test('it may change the parts; the next plugin, in load order, gets what it made of them', async () => {
      const inbox = await world().inbox('mock')
      await world().say(inbox, 'zhang', '我的卡号是 62220212345')
      assert.deepEqual(await stored(inbox.id), ['我的卡号是 ******（已遮挡）'])
    })

    test('it may refuse with a HubError: the caller hears its code and nothing is stored', async () => {
      const inbox = await world().inbox('mock')
      await assert.rejects(world().say(inbox, 'li', '广告：低价手机'), { code: 'HUB_MESSAGE_REFUSED' })
      assert.deepEqual(await stored(inbox.id), [])
      assert.equal(await world().hub.em().count(ParkedEvent, { inboxId: inbox.id }), 0)
    })

    test('refused at a webhook: the platform hears that it is done, or it would send it for ever', async () => {
      const inbox = await world().inbox('mock')
      const told = async (said: string) => {
        const answer = await fetch(`${world().url}/api/channels/mock/${inbox.id}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-mock-secret': 'mock-secret' },
          body: JSON.stringify({ id: newId(), from: 'li', text: said }),
        })
        return [answer.status, await answer.text()]
      }
      assert.deepEqual(await told('广告：低价手机'), [200, 'success'])
      // Also with a code of the plugin's own, unless it says that the same may be sent again.
      assert.deepEqual(await told('刷单返现'), [200, 'success'])
      await assert.rejects(world().say(inbox, 'li', '刷单返现'), { code: 'FILTER_SCAM' })
      assert.equal((await told('太快了'))[0], 429)
      assert.deepEqual(await stored(inbox.id), [])
    })

    test('one that throws parks the event; it is processed later, and those behind it keep their order', async () => {
      const inbox = await world().inbox('mock')
      const said = `一 ${newId()}`
      broken.add(said)
      const [first] = await world().say(inbox, 'wang', said, 'e1')
      assert.deepEqual(first, { externalId: 'e1', duplicate: false })
      const [behind] = await world().say(inbox, 'wang', '二', 'e2')
      assert.equal(behind?.messageId, undefined)
      await world().say(inbox, 'zhao', '不相干的人不等')
      assert.deepEqual(await stored(inbox.id), ['不相干的人不等'])
      assert.equal(await world().hub.em().count(ParkedEvent, { inboxId: inbox.id }), 2)
      // A platform that repeats itself meanwhile changes nothing.
      await world().say(inbox, 'wang', said, 'e1')

      broken.delete(said)
      await eventually(async () => {
        await world().running.sweep()
        return (await world().hub.em().count(ParkedEvent, { inboxId: inbox.id })) === 0
      }, 'the parked events')
      const wang = await world()
        .hub.em()
        .find(Message, { inboxId: inbox.id, dedupeKey: { $in: ['in:e1', 'in:e2'] } }, { orderBy: { seq: 'asc' } })
      assert.deepEqual(
        wang.map((m) => m.text),
        [said, '二'],
      )
    })

    test('who waits behind one whose time has not come does not hurry it', async () => {
      const inbox = await world().inbox('mock')
      const em = world().hub.em()
      const said = `一 ${newId()}`
      broken.add(said)
      await world().say(inbox, 'qian', said, 'w1')
      await world().say(inbox, 'qian', '二', 'w2')
      const rows = () => em.find(ParkedEvent, { inboxId: inbox.id }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
      const [first, behind] = await rows()
      assert.ok(first && behind)
      const later = new Date(Date.now() + 3_600_000)
      await em.nativeUpdate(ParkedEvent, { id: first.id }, { dueAt: later })
      for (let i = 0; i < 20; i++) await world().hub.intake.retry(behind.id)
      assert.equal(seen.filter((words) => words === said).length, 1)
      assert.deepEqual(
        (await rows()).map(({ attempts, dueAt }) => [attempts, dueAt]),
        [
          [1, later],
          [1, later],
        ],
      )
      // Due, and asked for by ten at once: it is tried once.
      await em.nativeUpdate(ParkedEvent, { inboxId: inbox.id }, { dueAt: new Date() })
      await Promise.all(Array.from({ length: 10 }, () => world().hub.intake.retry(behind.id)))
      assert.equal(seen.filter((words) => words === said).length, 2)
      broken.delete(said)
      await eventually(async () => {
        await world().hasten()
        return (await stored(inbox.id)).length === 2
      }, 'both')
      assert.deepEqual(await stored(inbox.id), [said, '二'])
    })

    test('one that stumbles over a message for good silences nobody: it waits aside, the agent reads that it is there, the rest passes', async () => {
      const inbox = await world().inbox('mock')
      const em = world().hub.em()
      const agent = await world().person('小冯', 'admin')
      const said = `毒 ${newId()}`
      broken.add(said)
      await world().say(inbox, 'feng', said, 'p1')
      await world().say(inbox, 'feng', '我要报警，急！', 'p2')
      await world().say(inbox, 'feng', '有人吗', 'p3')
      await eventually(async () => {
        await world().hasten()
        return (await stored(inbox.id)).length === 2
      }, 'what came after')
      const lines = async () =>
        (await em.find(Message, { inboxId: inbox.id }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })).map(({ text, parts: [part] }) =>
          part?.type === 'event' ? part.name : text,
        )
      // In its place, and only once: so the customer is seen also where they say nothing else.
      const visible = ['message.held', '我要报警，急！', '有人吗']
      assert.deepEqual(
        (await lines()).filter((line) => visible.includes(line)),
        visible,
      )
      const [{ id } = { id: '' }] = await em.find(ParkedEvent, { inboxId: inbox.id }, { disableIdentityMap: true })
      for (let i = 0; i < 3; i++) {
        await em.nativeUpdate(ParkedEvent, { id }, { dueAt: new Date() })
        await world().hub.intake.retry(id)
      }
      assert.equal((await lines()).filter((line) => line === 'message.held').length, 1)
      const { conversationId } = await em.findOneOrFail(Message, { inboxId: inbox.id, dedupeKey: 'in:p2' }, { disableIdentityMap: true })
      const shown = await agent.call('GET', `/api/conversations/${conversationId}`)
      assert.equal(shown.body.unread, 3)
      // The operator reads that it waits, and has it tried again.
      const listed = (await agent.call('GET', '/api/system/given-up')).body.items.filter((item: { id: string }) => item.id === id)
      assert.deepEqual(
        listed.map(({ kind, of }: { kind: string; of: string }) => [kind, of]),
        [['parked', inbox.name]],
      )
      assert.ok(listed[0].attempts >= 3 && Date.parse(listed[0].next) > Date.now())
      // The next ones pass at once.
      assert.ok((await world().say(inbox, 'feng', '还在吗'))[0]?.messageId)
      broken.delete(said)
      assert.deepEqual((await agent.call('POST', '/api/system/given-up', { kind: 'parked', id })).body, { count: 1 })
      await eventually(async () => (await stored(inbox.id)).includes(said), 'the message')
      assert.equal(await em.count(ParkedEvent, { inboxId: inbox.id }), 0)
    })

    test('what is put aside keeps its order', async () => {
      const inbox = await world().inbox('mock')
      const all = ['一', '二', '三'].map((word) => `${word} ${newId()}`)
      for (const said of all) broken.add(said)
      for (const said of all) await world().say(inbox, 'chen', said)
      await eventually(async () => {
        await world().hasten()
        return (
          (await world()
            .hub.em()
            .count(Message, { inboxId: inbox.id, dedupeKey: { $like: 'held:%' } })) === 3
        )
      }, 'three lines')
      for (const said of all) broken.delete(said)
      await eventually(async () => {
        await world().hasten()
        return (await stored(inbox.id)).length === 3
      }, 'all three')
      assert.deepEqual(await stored(inbox.id), all)
    })

    test('that something is away is no refusal: what was promised to a platform is not thrown away for it', async () => {
      const inbox = await world().inbox('mock')
      const said = `你好 ${newId()}`
      busy.add(said)
      assert.deepEqual(await world().say(inbox, 'sun', said, 'b1'), [{ externalId: 'b1', duplicate: false }])
      const [parked] = await world().hub.em().find(ParkedEvent, { inboxId: inbox.id }, { disableIdentityMap: true })
      await world()
        .hub.em()
        .nativeUpdate(ParkedEvent, { id: parked?.id ?? '' }, { dueAt: new Date() })
      await world().hub.intake.retry(parked?.id ?? '')
      assert.equal(await world().hub.em().count(ParkedEvent, { inboxId: inbox.id }), 1)
      busy.delete(said)
      await eventually(async () => {
        await world().hasten()
        return (await stored(inbox.id)).includes(said)
      }, 'the message')
    })

    test('a platform that repeats itself is not shown to the hook again, whether the first is stored or waits', async () => {
      const inbox = await world().inbox('mock')
      const said = `你好 ${newId()}`
      const [first] = await world().say(inbox, 'zhou', said, 'r1')
      const [again] = await world().say(inbox, 'zhou', said, 'r1')
      assert.deepEqual(again, { ...first, duplicate: true })
      assert.equal(seen.filter((words) => words === said).length, 1)
      const stuck = `卡住 ${newId()}`
      broken.add(stuck)
      await world().say(inbox, 'zhou', stuck, 'r2')
      assert.deepEqual(await world().say(inbox, 'zhou', stuck, 'r2'), [{ externalId: 'r2', duplicate: true }])
      assert.equal(seen.filter((words) => words === stuck).length, 1)
      broken.delete(stuck)
      await eventually(async () => {
        await world().running.sweep()
        return (await stored(inbox.id)).includes(stuck)
      }, 'the parked one')
      assert.equal(seen.filter((words) => words === stuck).length, 2)
    })

    test('an agent’s message: changed before it is stored, or refused with nothing stored', async () => {
      const inbox = await world().inbox('mock')
      const agent = await world().person('小姜', 'admin')
      const [accepted] = await world().say(inbox, 'sun', '能退吗')
      const send = (words: string) => agent.call('POST', `/api/conversations/${accepted?.conversationId}/messages`, { clientId: newId(), parts: text(words) })
      assert.equal((await send('可以')).status, 201)
      const refused = await send('我保证明天到')
      assert.deepEqual([refused.status, refused.body.code], [422, 'HUB_MESSAGE_REFUSED'])
      assert.deepEqual(await stored(inbox.id), ['能退吗', '可以（客服）'])
    })

    test('off: it holds nothing up', async () => {
      const inbox = await world().inbox('mock')
      await world().whileOff('filter', () => world().say(inbox, 'qian', '广告也行'))
      assert.deepEqual(await stored(inbox.id), ['广告也行'])
      await assert.rejects(world().say(inbox, 'qian', '广告'), { code: 'HUB_MESSAGE_REFUSED' })
    })
  },
)
