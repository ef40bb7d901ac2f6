/** `on`: after the commit. Each listener by itself, with its own retry; it watches and can hurt nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HubEvent } from '../../core/sdk/events.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Delivery, Message } from '../../core/src/domain/message/message.entity.ts'
import { deliverEvents } from '../../core/src/pipeline/deliver-events.ts'
import { tidy } from '../../core/src/queue/tidy.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const heard: { by: string; event: HubEvent }[] = []
let failing: string | undefined
let gate: Promise<void> | undefined

const listener = (id: string, on: Parameters<typeof definePlugin>[0]['on']) => definePlugin({ id, version: '1.0.0', label: { zh: id, en: id }, on })
let hearings = 0
const steady = listener('steady', {
  'message.received': (event) => void heard.push({ by: 'steady', event }),
  'conversation.closed': () => void hearings++,
})
const shaky = listener('shaky', {
  'message.received'(event) {
    heard.push({ by: 'shaky', event })
    if (event.data.message.text === failing) throw new Error('no luck')
  },
})
const everything = listener('everything', { '*': (event) => void heard.push({ by: 'everything', event }) })
const picky = listener('picky', { '*': (event) => void heard.push({ by: 'picky', event }), 'message.received': false })
const slow = listener('slow', {
  async 'message.received'(event) {
    heard.push({ by: 'slow', event })
    await gate
  },
})
const { manifest: mock } = mockChannel()

await onEveryProfile(
  'listeners',
  [steady, shaky, everything, picky, slow, mock].map((manifest) => found(manifest)),
  (world) => {
    const inboxOf = (event: HubEvent) => ('conversation' in event.data ? event.data.conversation.inboxId : undefined)
    const told = (by: string, inboxId: string, name?: string) =>
      heard
        .filter((entry) => entry.by === by && inboxOf(entry.event) === inboxId && (name === undefined || entry.event.name === name))
        .map(({ event }) => event)
    const texts = (by: string, inboxId: string) => told(by, inboxId).map((event) => (event.name === 'message.received' ? event.data.message.text : event.name))
    const owed = (name: string) => world().hub.em().find(Delivery, { listener: name })

    test('a listener hears of what is stored', async () => {
      const inbox = await world().inbox('mock')
      const [accepted] = await world().say(inbox, 'zhang', '你好')
      await eventually(() => told('steady', inbox.id).length === 1, 'the telling')
      const [event] = told('steady', inbox.id)
      assert.ok(event?.name === 'message.received')
      assert.equal(event.data.message.id, accepted?.messageId)
      assert.equal(await world().hub.em().count(Message, { id: event.data.message.id }), 1)
    })

    test('two turns in the very same millisecond: each event is told by one of them', async (t) => {
      const em = world().hub.em()
      const created = new Date(Date.now() + 60_000)
      const inboxId = newId()
      await em.insertMany(
        Delivery,
        Array.from({ length: 20 }, () => ({
          id: newId(),
          eventId: newId(),
          listener: 'steady',
          name: 'conversation.closed' as const,
          data: { conversation: { inboxId } },
          attempts: 0,
          error: '',
          dueAt: created,
          createdAt: created,
        })),
      )
      // Nothing but these two looks so far ahead.
      t.mock.timers.enable({ apis: ['Date'], now: created.getTime() })
      const before = hearings
      await Promise.all([deliverEvents(world().hub, 'steady'), deliverEvents(world().hub, 'steady')])
      t.mock.timers.reset()
      assert.equal(await em.count(Delivery, { listener: 'steady', createdAt: created }), 0)
      assert.equal(hearings - before, 20)
    })

    test('one that fails is told again, with the same event id; the message and the others never notice', async () => {
      const inbox = await world().inbox('mock')
      failing = '请坏掉'
      const [accepted] = await world().say(inbox, 'li', '请坏掉')
      await world().say(inbox, 'li', '后面的')
      assert.ok(accepted?.messageId)
      await eventually(() => texts('steady', inbox.id).length === 2 && texts('shaky', inbox.id).includes('后面的'), 'the others')
      const waiting = await eventually(async () => (await owed('shaky')).find((row) => row.attempts === 1), 'the failure to be written down')
      assert.equal(waiting.error, 'no luck')

      failing = undefined
      await world().hub.em().nativeUpdate(Delivery, { id: waiting.id }, { dueAt: new Date() })
      await eventually(async () => {
        await world().running.sweep()
        return (await owed('shaky')).length === 0
      }, 'the second try')
      const tries = told('shaky', inbox.id).filter((event) => event.name === 'message.received' && event.data.message.text === '请坏掉')
      assert.deepEqual(
        tries.map((event) => event.id),
        [waiting.eventId, waiting.eventId],
      )
      assert.deepEqual(texts('steady', inbox.id), ['请坏掉', '后面的'])
    })

    test('`*` hears all there is, in order', async () => {
      const inbox = await world().inbox('mock')
      const agent = await world().person('小谢', 'admin')
      const [accepted] = await world().say(inbox, 'wang', '在吗')
      await eventually(() => told('everything', inbox.id, 'message.received').length === 1, 'the message')
      await agent.call('POST', `/api/conversations/${accepted?.conversationId}/close`)
      await eventually(() => told('everything', inbox.id, 'conversation.closed').length === 1, 'the end')
      const names = told('everything', inbox.id).map((event) => event.name)
      assert.equal(names[0], 'conversation.opened')
      assert.ok(names.indexOf('message.received') < names.indexOf('conversation.closed'))
    })

    test('`false`: `*` hears everything else, and no row is written for it', async () => {
      const inbox = await world().inbox('mock')
      await world().say(inbox, 'qian', '不必记')
      await eventually(() => told('everything', inbox.id, 'message.received').length === 1, 'the other')
      assert.equal(await world().hub.em().count(Delivery, { listener: 'picky', name: 'message.received' }), 0)
      await eventually(() => told('picky', inbox.id, 'conversation.opened').length === 1, 'the rest')
      assert.deepEqual(told('picky', inbox.id, 'message.received'), [])
    })

    test('what an agent says they are doing is told once, and when they sign out', async () => {
      const agent = await world().person('小许', 'agent', { presence: 'online' })
      const said = () => heard.flatMap(({ by, event }) => (by === 'everything' && event.name === 'agent.presenceChanged' ? [event] : []))
      const mine = () => said().filter(({ data }) => data.agentId === agent.id)
      for (const presence of ['busy', 'busy', 'away']) await agent.call('PUT', '/api/me/presence', { presence })
      assert.ok((await agent.call('POST', '/api/logout')).status < 300)
      await eventually(() => mine().length === 3, 'the telling')
      assert.deepEqual(
        mine().map(({ data, by }) => [data.presence, by?.agentId]),
        [
          ['busy', agent.id],
          ['away', agent.id],
          ['offline', agent.id],
        ],
      )
    })

    test('the last that a plugin hears is that it is switched off', async () => {
      const admin = await world().person('小周', 'owner')
      const before = heard.length
      const switches = () => heard.slice(before).flatMap(({ by, event }) => (by === 'picky' && event.name === 'plugin.switched' ? [event.data.enabled] : []))
      assert.equal((await admin.call('POST', '/api/plugins/picky/switch', { enabled: false })).status, 200)
      assert.deepEqual(switches(), [false])
      await admin.call('POST', '/api/plugins/picky/switch', { enabled: true })
      await eventually(() => switches().length === 2, 'that it is on again')
    })

    test('one that takes long is not told again meanwhile', async () => {
      const inbox = await world().inbox('mock')
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      try {
        await world().say(inbox, 'zhao', '慢慢来')
        await eventually(() => told('slow', inbox.id).length === 1, 'the telling')
        await world().running.sweep()
        // Something told after the sweep shows that the sweep’s work has begun.
        await world().say(inbox, 'zhao', '再来一句')
        await eventually(() => texts('steady', inbox.id).length === 2, 'the next one')
        await world().running.sweep()
      } finally {
        gate = undefined
        resolve()
      }
      await eventually(async () => (await owed('slow')).length === 0, 'the slow one')
      assert.deepEqual(texts('slow', inbox.id), ['慢慢来', '再来一句'])
    })

    test('one that never ends is switched off all the same, without its last words', async () => {
      const inbox = await world().inbox('mock')
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      try {
        await world().say(inbox, 'feng', '没有下文')
        await eventually(() => told('slow', inbox.id).length === 1, 'the telling')
        const admin = await world().person('小卫', 'owner')
        assert.equal((await admin.call('POST', '/api/plugins/slow/switch', { enabled: false })).status, 200)
        assert.equal(world().hub.kernel.isRunning('slow'), false)
      } finally {
        gate = undefined
        resolve()
      }
      await world().hub.kernel.switch('slow', true)
    })

    test('one that is broken, or known to other processes only, hears later what it is owed', async () => {
      const { kernel } = world().hub
      const em = world().hub.em()
      const row = (listener: string) => {
        const id = newId()
        return { id, eventId: id, listener, name: 'agent.presence', data: {}, attempts: 0, holder: null, error: '', dueAt: new Date(0), createdAt: new Date() }
      }
      kernel.breakPlugin('everything', new Error('its own server is away'))
      const [mine, ghost] = [row('everything'), row('elsewhere')]
      await em.insertMany(Delivery, [mine, ghost] as never)
      for (const listener of ['everything', 'elsewhere']) await deliverEvents(world().hub, listener)
      await world().running.sweep()
      assert.deepEqual([(await owed('everything')).length, (await owed('elsewhere')).length], [1, 1])
      await kernel.switch('everything', true)
      await eventually(async () => {
        await world().running.sweep()
        return (await owed('everything')).length === 0
      }, 'the telling')
      assert.ok(heard.some(({ by, event }) => by === 'everything' && event.id === mine.eventId))
      // Nobody comes back for it in the end.
      await tidy(world().hub)
      assert.equal((await owed('elsewhere')).length, 1)
      await em.nativeUpdate(Delivery, { id: ghost.id }, { createdAt: new Date(Date.now() - 8 * 86_400_000) })
      await tidy(world().hub)
      assert.equal((await owed('elsewhere')).length, 0)
    })

    test('what was said in a conversation that is purged is owed to nobody any more, given up or not; what was done with it is', async () => {
      const em = world().hub.em()
      const inbox = await world().inbox('mock')
      const conversationId = (await world().say(inbox, newId(), '还在'))[0]?.conversationId ?? ''
      const gone = newId()
      const row = (name: string, data: object, dueAt: Date | null) => {
        const id = newId()
        return { id, eventId: id, listener: 'steady', name, data, attempts: 0, holder: null, error: '', dueAt, createdAt: new Date() }
      }
      // Nobody tells them while this looks.
      const later = new Date(Date.now() + 3_600_000)
      const said = (id: string) => ({ message: { conversationId: id, text: '说过的话' } })
      const rows = [
        row('message.received', said(gone), null),
        row('message.sent', said(gone), later),
        row('message.received', said(conversationId), null),
        row('record.deleted', { conversationId: gone, final: true }, later),
      ]
      await em.insertMany(Delivery, rows as never)
      await tidy(world().hub)
      const left = await em.find(Delivery, { id: { $in: rows.map(({ id }) => id) } }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
      assert.deepEqual(
        left.map(({ id }) => id),
        rows.slice(2).map(({ id }) => id),
      )
      await em.nativeDelete(Delivery, { id: { $in: rows.map(({ id }) => id) } })
    })

    test('off: silent, and nothing is kept for it; on: it hears what happens from then', async () => {
      const inbox = await world().inbox('mock')
      await world().whileOff('steady', async () => {
        await world().say(inbox, 'sun', '没人听')
        await eventually(() => texts('everything', inbox.id).includes('没人听'), 'the others')
        assert.deepEqual(await owed('steady'), [])
      })
      await world().say(inbox, 'sun', '又有人听')
      await eventually(() => texts('steady', inbox.id).length > 0, 'the telling')
      assert.deepEqual(texts('steady', inbox.id), ['又有人听'])
    })
  },
)
