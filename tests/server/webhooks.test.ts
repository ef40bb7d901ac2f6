/** Webhooks of platforms: whose fault it is when one is refused, and how many are taken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadlockException, DriverException } from '@mikro-orm/core'
import { HubError } from '../../core/sdk/errors.ts'
import { textOf } from '../../core/sdk/message-parts.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { storedName } from '../../core/src/domain/contact/external-id.ts'
import { lockConversations } from '../../core/src/domain/conversation/change.ts'
import { InboxHealth } from '../../core/src/domain/inbox/inbox.entity.ts'
import { ensureRow } from '../../core/src/domain/inbox/inbox-health.ts'
import { Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

/** What the adapter meets before it reads. */
let meets: () => void = () => {}
const { manifest } = mockChannel(
  'mock',
  {},
  {
    receive(request, inbox) {
      if (request.headers['x-mock-secret'] !== inbox.settings.secret) throw new HubError('HUB_CHANNEL_UNVERIFIED', 'The signature is wrong')
      meets()
      const { id: externalId, from, text } = JSON.parse(request.body.toString('utf8')) as { id: string; from: string; text: string }
      return { events: [{ kind: 'message', externalId, from: { externalId: from }, parts: [{ type: 'text', text }] }], reply: { body: 'success' } }
    },
  },
)

const heard: string[] = []
const hook = definePlugin({
  id: 'hook',
  version: '1.0.0',
  label: { zh: '听着', en: 'Hook' },
  hooks: { 'inbound.accept': ({ parts }) => void heard.push(textOf(parts)) },
})

await onEveryProfile('webhooks', [found(manifest), found(hook)], (world, profile) => {
  const push = (inboxId: string, secret = 'mock-secret', id = newId()) =>
    call(world().url, 'POST', `/api/channels/mock/${inboxId}`, { id, from: 'zhang', text: '你好' }, { 'x-mock-secret': secret })
  const noteAsBefore = async (inboxId: string) => {
    const em = world().hub.em()
    await ensureRow(em, inboxId)
    await em.nativeUpdate(InboxHealth, { inboxId }, { refusedPushes: 7, refusedSince: new Date(Date.now() - 600_000) })
  }
  const stored = (inboxId: string) => world().hub.em().count(Message, { inboxId, direction: 'in' })

  test('what the database does to an adapter is not the sender’s fault: a deadlock is tried again, anything else is 503, bytes are 400', async () => {
    const inbox = await world().inbox('mock')
    let met = 0
    meets = () => {
      if (met++ === 0) throw new DeadlockException(new Error('Deadlock found when trying to get lock'))
    }
    assert.deepEqual([(await push(inbox.id)).status, met], [200, 2])
    for (const [fault, status, code] of [
      [() => new DeadlockException(new Error('Deadlock found when trying to get lock')), 503, 'HUB_UNAVAILABLE'],
      [() => new DriverException(new Error('Too many connections')), 503, 'HUB_UNAVAILABLE'],
      [() => new SyntaxError('Unexpected token'), 400, 'HUB_REQUEST_INVALID'],
    ] as const) {
      meets = () => {
        throw fault()
      }
      const { status: answered, body } = await push(inbox.id)
      assert.deepEqual([answered, body.code], [status, code])
    }
    meets = () => {}
    assert.equal(await stored(inbox.id), 1)
  })

  // SQLite has one writer: what holds a row there holds the parked ones too.
  test('a row that is locked keeps no platform waiting: parked in time, and committed late it is the same message', {
    skip: profile === 'embedded',
  }, async () => {
    const inbox = await world().inbox('mock')
    const said = async (text: string, id: string) => {
      const began = performance.now()
      const { status, body } = await call(world().url, 'POST', `/api/channels/mock/${inbox.id}`, { id, from: 'li', text }, { 'x-mock-secret': 'mock-secret' })
      return { answered: [status, body], ms: performance.now() - began }
    }
    await said('在吗', 'l1')
    const { conversationId } = await world().hub.em().findOneOrFail(Message, { inboxId: inbox.id, direction: 'in' }, { disableIdentityMap: true })
    const released = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const lock = world()
      .hub.em()
      .transactional(async (em) => {
        await lockConversations(em as Em, [conversationId])
        locked.resolve()
        await released.promise
      })
    await locked.promise
    const parked = () => world().hub.em().count(ParkedEvent, { inboxId: inbox.id })
    try {
      const answers = await Promise.all([said('有货吗', 'l2'), said('多少钱', 'l3')])
      for (const { answered, ms } of answers) {
        assert.deepEqual(answered, [200, 'success'])
        assert.ok(ms < 5_000, `${ms} ms`)
      }
      assert.equal(await parked(), 2)
      // The parked ones are tried while the first still waits for the row.
      await world().hasten()
    } finally {
      released.resolve()
      await lock
    }
    await eventually(async () => {
      await world().hasten()
      return (await parked()) === 0
    }, 'both fates')
    await world().hub.intake.idle()
    const texts = (await world().hub.em().find(Message, { inboxId: inbox.id, direction: 'in' }, { disableIdentityMap: true })).map(({ text }) => text)
    assert.deepEqual(texts.sort(), ['在吗', '多少钱', '有货吗'])
  })

  test('what was parked because it was late, and is through all the same, is no second message and is shown to no hook', async () => {
    const inbox = await world().inbox('mock')
    const text = `迟到 ${newId()}`
    await world().say(inbox, 'wang', text, 'late')
    const em = world().hub.em()
    const event = { kind: 'message' as const, externalId: 'late', from: { externalId: 'wang' }, parts: [{ type: 'text' as const, text }] }
    const { externalId: senderId } = storedName(world().hub, inbox, 'wang')
    const now = new Date()
    const row = { id: newId(), inboxId: inbox.id, externalId: 'late', senderId, event, attempts: 1, error: '', dueAt: now, createdAt: now }
    await em.insert(ParkedEvent, row)
    await eventually(async () => {
      await world().hasten()
      return (await em.count(ParkedEvent, { inboxId: inbox.id })) === 0
    }, 'the repeat')
    assert.deepEqual([await stored(inbox.id), heard.filter((words) => words === text).length], [1, 1])
  })

  test('pushes that do not verify are counted in the inbox’s health; admins are told when for minutes none came that did', async () => {
    const inbox = await world().inbox('mock')
    const admin = await world().person('小管', 'admin')
    const health = async ({ id } = inbox) => (await admin.call('GET', '/api/inboxes/health')).body.items.find((one: { inboxId: string }) => one.inboxId === id)
    const notices = async ({ id } = inbox) =>
      (await admin.call('GET', '/api/notices?limit=100')).body.items.filter(({ link }: { link: string }) => link === `/admin/inboxes/${id}`)
    await push(inbox.id, 'guessed')
    const refused = await eventually(async () => (await health()).refusedPushes === 1 && (await health()), 'the count')
    assert.deepEqual([refused.state, Date.parse(refused.refusedAt) > Date.now() - 60_000, await notices()], [null, true, []])
    await push(inbox.id)
    await eventually(async () => (await health()).refusedPushes === 0, 'the end')
    // As after some minutes of them, and in another process.
    const deaf = await world().inbox('mock')
    await noteAsBefore(deaf.id)
    await push(deaf.id, 'guessed')
    const [notice] = await eventually(async () => (await notices(deaf)).length === 1 && (await notices(deaf)), 'the notice')
    assert.deepEqual([notice.level, notice.endedAt, notice.body.en.includes('(8)'), (await health(deaf)).state], ['problem', null, true, null])
    await push(deaf.id)
    await eventually(async () => (await notices(deaf))[0].endedAt !== null, 'its end')
    assert.deepEqual([(await health(deaf)).refusedPushes, (await health(deaf)).refusedAt !== null], [0, true])
  })

  test('a flood of what is not signed is told to slow down, and locks nobody out who signs, from the same address too', async () => {
    const [flooded, other] = [await world().inbox('mock'), await world().inbox('mock')]
    const answers = new Map<number, number>()
    for (let i = 0; i < 8; i++)
      for (const { status } of await Promise.all(Array.from({ length: 100 }, () => push(flooded.id, 'guessed'))))
        answers.set(status, (answers.get(status) ?? 0) + 1)
    assert.equal((answers.get(401) ?? 0) + (answers.get(429) ?? 0), 800)
    assert.ok((answers.get(429) ?? 0) >= 100, JSON.stringify([...answers]))
    const refused = await push(flooded.id, 'guessed')
    assert.deepEqual([refused.status, refused.body.code, Number(refused.headers.get('retry-after')) > 0], [429, 'HUB_RATE_LIMITED', true])
    assert.deepEqual([(await push(flooded.id)).status, (await push(other.id)).status], [200, 200])
    assert.deepEqual([await stored(flooded.id), await stored(other.id)], [1, 1])
  })
})
