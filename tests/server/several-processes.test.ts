/** Two webs and a worker on one database and one Redis are one hub. Runs where MariaDB and Redis are. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { HubProcess } from '../../core/src/domain/process/process.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld, type World } from '../support/world.ts'

const served = (await profiles()).includes('served')

describe('two webs and a worker', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  // Each process has its own copy of the plugin; only the worker's platform should be sent to.
  const mocks = [mockChannel(), mockChannel(), mockChannel()] as const
  let webA: World
  let webB: World
  let worker: World

  before(async () => {
    const place = await makePlace('served')
    // Together: the migrations and the roles are made once all the same.
    const [a, b, w] = await Promise.all(
      (['web', 'web', 'worker'] as const).map((role, i) => startWorld(place, [found((mocks[i] as (typeof mocks)[0]).manifest)], { HUB_ROLE: role })),
    )
    ;[webA, webB, worker] = [a as World, b as World, w as World]
  })
  after(async () => {
    await Promise.all([webA, webB, worker].map((world) => world.running.stop()))
    await webA.place.remove()
  })

  test('what comes in at one web is heard at the other, and leaves by the worker, once', async () => {
    const agent = await webB.person('小卫', 'owner')
    const inbox = await webA.inbox('mock')
    const heard: string[] = []
    const socket = io(webB.url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: agent.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    socket.on('conversation', (push: { conversation: { id: string } }) => heard.push(push.conversation.id))
    const [accepted] = await webA.say(inbox, 'one', '在另一台机器上')
    const id = accepted?.conversationId ?? ''
    await eventually(() => heard.includes(id), 'the push at the other web')
    const sent = await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: '收到' }] })
    assert.equal(sent.body.status, 'queued')
    await eventually(async () => (await webA.hub.em().findOneOrFail(Message, { id: sent.body.id })).status === 'sent', 'the sending')
    assert.deepEqual(
      mocks.map(({ platform }) => platform.sent.length),
      [0, 0, 1],
    )
    socket.disconnect()
  })

  test('two webs that take the same conversation at once: one gets it', async () => {
    const inbox = await webA.inbox('mock')
    const people = [await webA.person('甲', 'admin', { presence: 'away' }), await webB.person('乙', 'admin', { presence: 'away' })] as const
    for (const agent of (await people[0].call('GET', '/api/colleagues')).body.items)
      if (!people.some((person) => person.id === agent.id)) await webA.hub.em().execute('update agent set presence = ? where id = ?', ['away', agent.id])
    const [accepted] = await webA.say(inbox, 'two', '谁来接')
    const answers = await Promise.all(people.map((person) => person.call('POST', `/api/conversations/${accepted?.conversationId}/take`)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
  })

  test('the same first message at both webs at once is one conversation and one message', async () => {
    const inbox = await webA.inbox('mock')
    const results = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? webA : webB).say(inbox, 'three', '重复', 'the-same')))
    assert.equal(new Set(results.flat().map(({ conversationId }) => conversationId)).size, 1)
    assert.equal(results.flat().filter(({ duplicate }) => !duplicate).length, 1)
  })

  test('rights given and taken at one web count at the other at once, requests and open sockets alike', async () => {
    const owner = await webA.person('老板', 'owner', { presence: 'away' })
    const agent = await webB.person('小许', 'agent', { presence: 'away' })
    const role = (await owner.call('GET', '/api/roles')).body.items.find(({ builtin }: { builtin: string | null }) => builtin === 'admin').id
    const plain = (await owner.call('GET', '/api/roles')).body.items.find(({ builtin }: { builtin: string | null }) => builtin === 'agent').id
    const socket = io(webB.url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: agent.cookie }, reconnection: false })
    await new Promise((resolve) => socket.once('ready', resolve))
    const here = async () => (await agent.call('GET', '/api/roles')).status
    assert.equal(await here(), 403)
    for (const [roleId, status] of [
      [role, 200],
      [plain, 403],
    ]) {
      const changed = new Promise((resolve) => socket.once('access.changed', resolve))
      const began = performance.now()
      assert.equal((await owner.call('PATCH', `/api/agents/${agent.id}`, { roleIds: [roleId] })).status, 200)
      await changed
      assert.equal(await here(), status)
      const ms = performance.now() - began
      // Told at once, and not found by the look that comes every five seconds.
      assert.ok(ms < 3_000, `it took ${ms} ms`)
    }
    const gone = new Promise((resolve) => socket.once('disconnect', resolve))
    assert.equal((await owner.call('PATCH', `/api/agents/${agent.id}`, { active: false })).status, 200)
    await gone
    assert.equal(await here(), 401)
  })

  test('the system page shows every process and all sockets; one that ends goes, one that is silent is missed', async () => {
    const owner = await webA.person('老板', 'owner', { presence: 'away' })
    const sockets = await Promise.all(
      [webA, webB].map(async ({ url }) => {
        const socket = io(url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: owner.cookie } })
        await new Promise((resolve) => socket.once('ready', resolve))
        return socket
      }),
    )
    const em = webA.hub.em()
    // What a sign of life would say by and by.
    await em.nativeUpdate(HubProcess, { id: webB.hub.nodeId }, { agents: 1 })
    const look = async () => (await owner.call('GET', '/api/system')).body
    const { processes, sockets: counted, checks } = await look()
    assert.deepEqual(processes.map(({ role }: { role: string }) => role).sort(), ['web', 'web', 'worker'])
    assert.deepEqual([counted.agents, checks.worker.ok], [2, true])
    for (const socket of sockets) socket.disconnect()

    const before = await em.findOneOrFail(HubProcess, { id: worker.hub.nodeId }, { disableIdentityMap: true })
    // Another that was heard of a minute ago; and nobody who works behind.
    const quiet = { ...before, id: newId(), pid: process.pid, seenAt: new Date(Date.now() - 60_000) }
    await em.insert(HubProcess, quiet)
    await em.nativeUpdate(HubProcess, { id: before.id }, { role: 'web' })
    const after = await look()
    assert.deepEqual([after.processes.find(({ id }: { id: string }) => id === quiet.id).silent, after.checks.worker.ok], [true, false])
    await em.nativeUpdate(HubProcess, { id: before.id }, { role: 'worker' })
    await em.nativeDelete(HubProcess, { id: quiet.id })

    const place = { ...webA.place }
    const fourth = await startWorld(place, [], { HUB_ROLE: 'web' })
    assert.equal((await look()).processes.length, 4)
    await fourth.running.stop()
    assert.equal((await look()).processes.length, 3)
    // Killed: the next start on this machine knows that it is gone.
    await em.insert(HubProcess, { ...before, id: newId(), pid: 4_194_300 })
    await (await startWorld(place, [], { HUB_ROLE: 'web' })).running.stop()
    assert.equal((await look()).processes.length, 3)
  })

  test('a plugin switched off at one web is off at the other, and comes back', async () => {
    const owner = await webA.person('老板', 'owner', { presence: 'away' })
    const state = (world: World) => world.hub.kernel.isRunning('mock')
    assert.equal((await owner.call('POST', '/api/plugins/mock/switch', { enabled: false })).status, 200)
    await eventually(() => !state(webB) && !state(worker), 'the switch elsewhere')
    assert.equal((await owner.call('POST', '/api/plugins/mock/switch', { enabled: true })).status, 200)
    await eventually(() => state(webB) && state(worker), 'the return')
  })

  test('a page hears of a switch from every process once it is so there: whichever web it asks then, the last answer is right', async () => {
    const owner = await webA.person('老板', 'owner', { presence: 'away' })
    const runs = () => webB.hub.kernel.isRunning('mock')
    // The other web is late.
    let follow = () => {}
    const late = new Promise<void>((resolve) => {
      follow = resolve
    })
    const { refresh } = webB.hub.kernel
    webB.hub.kernel.refresh = async () => {
      await late
      await refresh.call(webB.hub.kernel)
    }
    const socket = io(webA.url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: owner.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    const seen: boolean[] = []
    socket.on('plugin.switched', () => seen.push(runs()))
    try {
      assert.equal((await owner.call('POST', '/api/plugins/mock/switch', { enabled: false })).status, 200)
      await eventually(() => seen.length > 0, 'the first news')
      assert.equal(seen[0], true)
      follow()
      await eventually(() => seen.at(-1) === false, 'the news of the other web')
    } finally {
      webB.hub.kernel.refresh = refresh
      follow()
      socket.disconnect()
      await owner.call('POST', '/api/plugins/mock/switch', { enabled: true })
    }
    await eventually(runs, 'the return')
  })
})
