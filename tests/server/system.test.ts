/** How the hub says it is: the admin's system page, readiness without Redis, the headers of every answer, the list of its routes. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { tellHealth } from '../../core/src/domain/inbox/inbox-health.ts'
import { Delivery, Job, Message, ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { call, eventually, found, onEveryProfile, startWorld } from '../support/world.ts'

const { manifest } = mockChannel('mock')
const broken = { ...mockChannel('ill').manifest, start: () => Promise.reject(new Error('no luck')) }

await onEveryProfile('system', [found(manifest), found(broken)], (world, profile) => {
  test('each part has its version and state, and what is due later is not due', async () => {
    const owner = await world().person('老板', 'owner')
    const em = world().hub.em()
    const inbox = await world().inbox('mock')
    await world().inbox('mock')
    await tellHealth(world().hub, 'mock', inbox.id, { state: 'broken' })
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: owner.cookie }, reconnection: false })
    await new Promise((done) => socket.once('ready', done))
    const { body } = await owner.call('GET', '/api/system')
    socket.disconnect()
    assert.match(body.database.version, profile === 'served' ? /^\d+\.\d+/ : /^3\.\d+\.\d+$/)
    assert.deepEqual(Object.keys(body.checks).sort(), ['database', 'queue', 'redis', 'storage', 'worker'])
    assert.ok(Object.values(body.checks as Record<string, { ok: boolean }>).every(({ ok }) => ok))
    if (profile === 'served') assert.match(body.redis.version, /^\d+\.\d+/)
    else assert.equal(body.redis.version, null)
    assert.equal(body.queue, profile === 'served' ? 'bull' : 'in-process')
    assert.equal(body.sockets.agents, 1)
    const [own, ...others] = body.processes
    assert.deepEqual([own.role, own.pid, own.agents, own.silent, others], ['all', process.pid, 1, false, []])
    assert.deepEqual(body.channels, { broken: 1, all: 2 })
    assert.deepEqual(body.plugins, [
      { id: 'mock', label: manifest.label, version: manifest.version, state: 'running' },
      { id: 'ill', label: broken.label, version: broken.version, state: 'broken' },
    ])

    const at = (minutes: number) => new Date(Date.now() + minutes * 60_000)
    const job = { plugin: 'mock', name: 'none', data: null, attempts: 0, error: '', createdAt: at(0) }
    await em.insert(Job, { ...job, id: newId(), dedupeKey: newId(), dueAt: at(60) })
    await em.insert(Delivery, {
      id: newId(),
      eventId: newId(),
      listener: 'ill',
      name: 'message.received',
      data: null,
      doneBy: null,
      attempts: 0,
      error: '',
      holder: null,
      dueAt: null,
      createdAt: at(0),
    })
    const { due } = (await owner.call('GET', '/api/system')).body
    assert.deepEqual([due.jobs, due.givenUp], [0, 1])
  })

  test('what was given up is listed with why, and tried again by who may', async () => {
    const em = world().hub.em()
    await em.nativeDelete(Delivery, { dueAt: null })
    const admin = await world().person('小邓', 'admin')
    const reader = await world().person('小曹', [{ permission: 'system.read' }])
    const inbox = await world().inbox('mock')
    const row = { attempts: 10, error: 'the plugin said no', dueAt: null, createdAt: new Date() }
    const from = { externalId: 'g-1' }
    const event = { kind: 'message' as const, externalId: newId(), from, parts: [{ type: 'text' as const, text: '还在吗' }] }
    await em.insert(ParkedEvent, { ...row, id: newId(), inboxId: inbox.id, externalId: event.externalId, senderId: from.externalId, event })
    const [told, other] = [newId(), newId()]
    const delivery = { ...row, eventId: newId(), listener: 'ill', name: 'message.received', data: {}, doneBy: null, holder: null }
    await em.insertMany(Delivery, [
      { ...delivery, id: told },
      { ...delivery, id: other },
    ])
    const list = async () => (await reader.call('GET', '/api/system/given-up')).body.items
    assert.deepEqual(
      (await list()).map(({ kind, of, name, error, attempts }: Record<string, unknown>) => [kind, of, name, error, attempts]),
      [
        ['parked', inbox.name, '', 'the plugin said no', 10],
        ['deliveries', 'ill', 'message.received', 'the plugin said no', 10],
        ['deliveries', 'ill', 'message.received', 'the plugin said no', 10],
      ],
    )
    assert.equal((await reader.call('POST', '/api/system/given-up', { kind: 'parked' })).status, 403)
    assert.equal((await (await world().person('小杜')).call('GET', '/api/system/given-up')).status, 403)
    assert.equal((await admin.call('POST', '/api/system/given-up', { kind: 'jobs', id: told })).status, 404)
    assert.equal((await admin.call('POST', '/api/system/given-up', { kind: 'everything' })).status, 400)
    assert.deepEqual((await admin.call('POST', '/api/system/given-up', { kind: 'deliveries', id: told })).body, { count: 1 })
    assert.equal((await admin.call('POST', '/api/system/given-up', { kind: 'deliveries', id: told })).status, 404)
    assert.deepEqual((await list()).map(({ id }: { id: string }) => id).slice(1), [other])
    assert.deepEqual((await admin.call('POST', '/api/system/given-up', { kind: 'parked' })).body, { count: 1 })
    await eventually(async () => (await em.count(Message, { inboxId: inbox.id, dedupeKey: `in:${event.externalId}` })) === 1, 'the message')
    await em.nativeDelete(Delivery, { listener: 'ill' })
  })

  test('every answer has the headers that keep browsers careful', async () => {
    for (const path of ['/healthz', '/api/me', '/api/nothing', '/admin/']) {
      const { headers } = await call(world().url, 'GET', path)
      const csp = headers.get('content-security-policy') ?? ''
      for (const directive of ["default-src 'self'", "script-src 'self'", "object-src 'none'", "base-uri 'self'", "form-action 'self'", 'frame-ancestors'])
        assert.ok(csp.includes(directive), `${path}: ${directive} in ${csp}`)
      assert.ok(!csp.includes('unsafe-inline') && !csp.includes('unsafe-eval'), path)
      assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
      assert.equal(headers.get('x-frame-options'), 'SAMEORIGIN', path)
      assert.equal(headers.get('referrer-policy'), 'strict-origin-when-cross-origin', path)
      assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', path)
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path)
      // Without TLS nobody promises it.
      assert.equal(headers.get('strict-transport-security'), null, path)
      assert.equal(headers.get('x-powered-by'), null, path)
    }
  })

  test('the routes are documented, and the page that shows them answers', async () => {
    const page = await fetch(`${world().url}/api/docs/`)
    assert.equal(page.status, 200)
    assert.match(await page.text(), /swagger-ui/i)
    const { paths } = (await call(world().url, 'GET', '/api/docs/json')).body as { paths: Record<string, object> }
    for (const path of ['/api/login', '/api/conversations', '/api/conversations/{id}/messages', '/api/system']) assert.ok(paths[path], path)
  })
})

if ((await profiles()).includes('served'))
  test('without Redis the hub is ready, and says that Redis and the queue are down', async () => {
    const door = createServer()
    await new Promise<void>((done) => door.listen(0, '127.0.0.1', done))
    const { port } = door.address() as { port: number }
    await new Promise((done) => door.close(done))
    const place = await makePlace('served')
    const world = await startWorld({ ...place, redisUrl: `redis://127.0.0.1:${port}` }, [])
    try {
      const { status, body } = await call(world.url, 'GET', '/readyz')
      assert.deepEqual([status, body.ready, body.checks.database.ok, body.checks.redis.ok, body.checks.queue.ok], [200, true, true, false, false])
      const owner = await world.person('老板', 'owner')
      assert.equal((await owner.call('GET', '/api/system')).body.redis.version, null)
    } finally {
      await world.running.stop()
      await place.remove()
    }
  })
