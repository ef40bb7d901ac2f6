/** Webhooks of platforms: whose fault it is when one is refused, and how many are taken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadlockException, DriverException } from '@mikro-orm/core'
import { HubError } from '../../core/sdk/errors.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { call, found, onEveryProfile } from '../support/world.ts'

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

await onEveryProfile('webhooks', [found(manifest)], (world) => {
  const push = (inboxId: string, secret = 'mock-secret', id = newId()) =>
    call(world().url, 'POST', `/api/channels/mock/${inboxId}`, { id, from: 'zhang', text: '你好' }, { 'x-mock-secret': secret })
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
