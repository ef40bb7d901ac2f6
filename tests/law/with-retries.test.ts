/** A send that fails for now: how long it is tried again, what is said when it is not, and an agent who does not want to wait. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { Message, Outbound } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile, type World } from '../support/world.ts'

const short = mockChannel('post')
const long = mockChannel('pigeon', { retryHours: 24 })
const hour = 3_600_000
const away =
  (fault = true) =>
  () =>
    new SendError('ECONNREFUSED', {
      retry: true,
      sentence: { zh: '连不上邮局，稍后会自动重试。', en: 'The post cannot be reached; this is tried again.' },
      ...(fault ? { fault: { zh: '连不上邮局', en: 'The post cannot be reached' } } : {}),
    })

await onEveryProfile('retries', [found(short.manifest), found(long.manifest)], (world) => {
  const em = () => world().hub.em()
  const read = (id: string) => em().findOneOrFail(Message, { id }, { disableIdentityMap: true })
  const row = (messageId: string) => em().findOne(Outbound, { messageId }, { disableIdentityMap: true })
  /** Waits until the message has had so many tries and waits for the next one, or has none left. */
  const tried = (id: string, tries: number) =>
    eventually(async () => {
      const waiting = await row(id)
      return waiting ? waiting.state === 'queued' && waiting.attempts >= tries && { ...waiting } : { attempts: tries, dueAt: null, createdAt: null }
    }, `try ${tries}`)
  async function conversation(w: World, channel: string) {
    const inbox = await w.inbox(channel)
    const agent = await w.person('小安', 'admin')
    const [said] = await w.say(inbox, 'a', '你好')
    return {
      inbox,
      agent,
      id: said?.conversationId as string,
      write: async (text: string) => (await w.reply(agent, said?.conversationId, text)).body as { id: string },
    }
  }
  const due = (messageId: string, fields: Partial<Outbound> = {}) =>
    em().nativeUpdate(Outbound, { messageId, state: 'queued' }, { dueAt: new Date(0), ...fields })
  async function exhaust(id: string): Promise<number> {
    for (let tries = 1; ; tries++) {
      if ((await tried(id, tries)).dueAt === null) return tries
      await due(id)
      await world().running.sweep()
    }
  }

  test('eight tries by itself, and when the last has failed nothing promises another one', async () => {
    for (const fault of [true, false]) {
      short.platform.fail = away(fault)
      const { write } = await conversation(world(), 'post')
      const { id } = await write('在吗')
      await tried(id, 1)
      assert.equal((await read(id)).failureText?.zh, '连不上邮局，稍后会自动重试。')
      assert.equal(await exhaust(id), 8)
      const { status, failure, failureText } = await read(id)
      assert.deepEqual([status, failure], ['failed', 'ECONNREFUSED'])
      assert.equal(failureText?.zh, `多次重试后仍未送达${fault ? '：连不上邮局' : ''}。系统不再自动重试，请稍后手动重新发送。`)
      assert.equal(
        failureText?.en,
        `Not delivered after several tries${fault ? ': The post cannot be reached' : ''}. It is not tried again by itself; send it again later.`,
      )
    }
    short.platform.fail = undefined
  })

  test('`maxTries`: a fault may ask for fewer; then the agent reads why and sends it again', async () => {
    short.platform.fail = () => new SendError('busy', { retry: true, maxTries: 3, fault: { zh: '邮局繁忙', en: 'The post is busy' } })
    const { agent, write } = await conversation(world(), 'post')
    const { id } = await write('在吗')
    assert.equal(await exhaust(id), 3)
    short.platform.fail = undefined
    assert.match((await read(id)).failureText?.zh ?? '', /邮局繁忙/)
    assert.equal((await agent.call('POST', `/api/messages/${id}/resend`)).status, 200)
    await eventually(async () => (await read(id)).status === 'sent', 'the agent’s own try')
  })

  test('an adapter that breaks, too, is given up in words', async () => {
    short.platform.fail = () => new TypeError('x is not a function') as SendError
    const { write } = await conversation(world(), 'post')
    const { id } = await write('在吗')
    await exhaust(id)
    short.platform.fail = undefined
    assert.match((await read(id)).failureText?.zh ?? '', /渠道插件出错/)
  })

  test('`retryHours`: tried for as long as the channel says, an hour apart at most, those behind it after it', async () => {
    long.platform.fail = away()
    const { write } = await conversation(world(), 'pigeon')
    const [one, two] = [await write('一'), await write('二')]
    let last = 0
    for (let tries = 1; tries <= 12; tries++) {
      const { dueAt } = await tried(one.id, tries)
      assert.ok(dueAt, `there is a try after the ${tries}th`)
      last = dueAt.getTime() - Date.now()
      assert.ok(last <= hour, `${last} ms`)
      await due(one.id)
      await world().running.sweep()
    }
    assert.ok(last > hour - 60_000, `${last} ms`)
    assert.deepEqual([(await row(two.id))?.attempts, (await read(two.id)).failure], [0, null])
    // A little before the end one more is worth it, after it none.
    await tried(one.id, 13)
    await due(one.id, { createdAt: new Date(Date.now() - 22.5 * hour) })
    await world().running.sweep()
    assert.ok((await tried(one.id, 14)).dueAt)
    await due(one.id, { createdAt: new Date(Date.now() - 23.5 * hour) })
    await world().running.sweep()
    await eventually(async () => (await read(one.id)).status === 'failed', 'the end')
    long.platform.fail = undefined
    long.platform.sent.length = 0
    await eventually(async () => {
      await due(two.id)
      await world().running.sweep()
      return (await read(two.id)).status === 'sent'
    }, 'the second')
  })

  test('an agent need not wait: now, or no more; those behind it leave', async () => {
    long.platform.fail = away()
    const { agent, write } = await conversation(world(), 'pigeon')
    const [one, two, three] = [await write('甲'), await write('乙'), await write('丙')]
    await tried(one.id, 1)
    await due(one.id, { dueAt: new Date(Date.now() + hour) })
    long.platform.fail = undefined
    // What is not being waited for cannot be stopped; what has not failed yet may be.
    assert.equal((await agent.call('POST', `/api/messages/${two.id}/resend`)).status, 409)
    assert.equal((await agent.call('POST', `/api/messages/${two.id}/stop`)).status, 200)
    assert.deepEqual([(await read(two.id)).status, (await read(two.id)).failure], ['failed', 'stopped'])
    assert.equal((await agent.call('POST', `/api/messages/${one.id}/resend`)).status, 200)
    for (const { id } of [one, three]) await eventually(async () => (await read(id)).status === 'sent', 'its sending')
    assert.equal((await agent.call('POST', `/api/messages/${one.id}/stop`)).status, 409)
    assert.equal((await (await world().person('小白')).call('POST', `/api/messages/${one.id}/stop`)).status, 403)

    long.platform.fail = away()
    const [four, five] = [await write('丁'), await write('戊')]
    await tried(four.id, 1)
    await due(four.id, { dueAt: new Date(Date.now() + hour) })
    long.platform.fail = undefined
    const stopped = await agent.call('POST', `/api/messages/${four.id}/stop`)
    assert.deepEqual([stopped.status, stopped.body.status, stopped.body.failureText.zh], [200, 'failed', '已停止重试，这条消息没有送达。'])
    await eventually(async () => (await read(five.id)).status === 'sent', 'the one behind it')
    // Stopped is not gone.
    assert.equal((await agent.call('POST', `/api/messages/${four.id}/resend`)).status, 200)
    await eventually(async () => (await read(four.id)).status === 'sent', 'the one that was stopped')
  })

  test('`round`: what a person sends again is a sending of its own, whatever became of its first tries; while the channel is off none is counted', async () => {
    const told: [number, number][] = []
    const note = (retry: boolean) => (message: { round: number; attempt: number }) => {
      told.push([message.round, message.attempt])
      return new SendError('no', { retry })
    }
    short.platform.fail = note(false)
    const { agent, write } = await conversation(world(), 'post')
    const { id } = await write('在吗')
    await eventually(async () => (await read(id)).status === 'failed', 'the refusal')
    short.platform.fail = note(true)
    await world().whileOff('post', async () => {
      assert.equal((await agent.call('POST', `/api/messages/${id}/resend`)).status, 200)
      await eventually(async () => (await read(id)).failure === 'channel-off', 'a look')
      await due(id)
      await world().running.sweep()
      await eventually(async () => ((await row(id))?.dueAt.getTime() ?? 0) > 0 && (await row(id))?.state === 'queued', 'another look')
      assert.equal((await row(id))?.attempts, 0)
    })
    await due(id)
    await world().running.sweep()
    await tried(id, 1)
    // As a process leaves it that ended before it asked the adapter.
    await due(id, { attempts: 2 })
    await world().running.sweep()
    await tried(id, 3)
    assert.deepEqual(told, [
      [1, 1],
      [2, 1],
      [2, 3],
    ])
    short.platform.fail = undefined
    await world().whileOff('post', async () => {
      await due(id, { createdAt: new Date(Date.now() - hour) })
      await world().running.sweep()
      await eventually(async () => (await read(id)).status === 'failed', 'the end')
    })
    assert.match((await read(id)).failureText?.zh ?? '', /已停用/)
  })
})
