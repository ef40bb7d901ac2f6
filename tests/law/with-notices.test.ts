/** `ctx.notify`, `ctx.endNotice`: told to whom the ability says, once while it lasts, now and at a later sign-in; a broken inbox is such a notice. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { definePlugin, type NoticeInput } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Notice, NoticeRead } from '../../core/src/domain/notice/notice.entity.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const gauge = definePlugin({
  id: 'gauge',
  version: '1.0.0',
  label: { zh: '读数', en: 'Gauge' },
  permissions: [{ name: 'reading.read', label: { zh: '查看读数', en: 'See readings' }, grantTo: ['supervisor'] }],
})
const { manifest: radio } = mockChannel('radio')

await onEveryProfile('notices', [found(gauge), found(radio)], (world) => {
  const ctx = (id = 'gauge') => {
    const plugin = world().hub.kernel.get(id)
    assert.ok(plugin)
    return plugin.ctx
  }
  const bell = async (person: Person, query = '') => (await person.call('GET', `/api/notices${query}`)).body
  /** Others' tests raise notices too: only those of this title count. */
  const mine = async (person: Person, title: string) =>
    (await bell(person, '?limit=100')).items.filter((item: { title: { zh: string } }) => item.title.zh === title)
  const live = async ({ cookie }: Person) => {
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    return socket
  }
  const say = (title: string, more: Partial<NoticeInput> = {}): NoticeInput => ({
    to: { permission: 'gauge.reading.read' },
    kind: 'unusual',
    title: { zh: title, en: `${title} (en)` },
    ...more,
  })

  test('who holds the permission gets it, live and later; who does not, never; read is kept for each', async () => {
    const [first, second, agent] = [await world().person('甲', 'supervisor'), await world().person('乙', 'supervisor'), await world().person('丙')]
    const heard: string[] = []
    const sockets = await Promise.all([first, agent].map(live))
    sockets.forEach((socket, i) => void socket.on('notices.changed', () => heard.push(i ? 'agent' : 'first')))
    const title = newId()
    await ctx().notify(say(title, { body: { zh: '会话量比平时高', en: 'More talks than usual' }, link: '/workbench/x/gauge/today' }))
    await eventually(() => heard.length > 0, 'the push')
    const [notice] = await mine(first, title)
    assert.deepEqual(
      [notice.kind, notice.level, notice.body.zh, notice.link, notice.read, notice.endedAt],
      ['gauge.unusual', 'info', '会话量比平时高', '/workbench/x/gauge/today', false, null],
    )
    assert.equal((await mine(agent, title)).length, 0)
    const before = (await bell(first)).unread
    assert.equal((await first.call('POST', '/api/notices/read', { ids: [notice.id] })).status, 200)
    assert.deepEqual([(await mine(first, title))[0].read, (await mine(second, title))[0].read], [true, false])
    assert.equal((await bell(first)).unread, before - 1)
    // Somebody signs in for the first time, tomorrow.
    assert.equal((await mine(await world().person('丁', 'supervisor'), title)).length, 1)
    // Another's notice cannot be marked: nothing is written.
    await agent.call('POST', '/api/notices/read', { ids: [notice.id] })
    assert.equal(await world().hub.em().count(NoticeRead, { agentId: agent.id }), 0)
    assert.ok(!heard.includes('agent'))
    for (const socket of sockets) socket.disconnect()
  })

  test('single agents get theirs and nobody else, an owner neither; reading everything stops at what was there', async () => {
    const [one, other, owner] = [await world().person('戊'), await world().person('己'), await world().person('主', 'owner')]
    const [title, later] = [newId(), newId()]
    await ctx().notify(say(title, { to: { agentIds: [one.id, newId()] }, kind: 'export.ready' }))
    assert.deepEqual([(await mine(one, title)).length, (await mine(other, title)).length, (await mine(owner, title)).length], [1, 0, 0])
    const upTo = (await mine(one, title))[0].id
    await ctx().notify(say(later, { to: { agentIds: [one.id] } }))
    await one.call('POST', '/api/notices/read', { upTo })
    assert.deepEqual([(await mine(one, title))[0].read, (await mine(one, later))[0].read, (await bell(one)).unread], [true, false, 1])
  })

  test('what a plugin told goes with it when it is switched off, unread too and nothing of it is marked; it comes back with it', async () => {
    const person = await world().person('子', 'supervisor')
    const [single, shared, other] = [newId(), newId(), newId()]
    await ctx().notify(say(single, { to: { agentIds: [person.id] }, kind: 'export.ready' }))
    await ctx().notify(say(shared))
    await ctx('radio').notify(say(other, { to: { agentIds: [person.id] } }))
    const counts = async () => Promise.all([single, shared, other].map(async (title) => (await mine(person, title)).length))
    const [notice] = await mine(person, single)
    const [{ id: newest }] = await mine(person, other)
    assert.deepEqual(await counts(), [1, 1, 1])
    await world().whileOff('gauge', async () => {
      assert.deepEqual([await counts(), (await bell(person)).unread], [[0, 0, 1], 1])
      for (const which of [{ ids: [notice.id] }, { upTo: newest }]) assert.equal((await person.call('POST', '/api/notices/read', which)).status, 200)
      assert.deepEqual([(await bell(person)).unread, await world().hub.em().count(NoticeRead, { agentId: person.id })], [0, 1])
    })
    assert.deepEqual(await counts(), [1, 1, 1])
    assert.deepEqual([(await mine(person, single))[0].read, (await mine(person, other))[0].read], [false, true])
  })

  test('with a key it is one until it ends; then it is over for all, and the next time is a new one', async () => {
    const person = await world().person('庚', 'supervisor')
    const key = newId()
    await Promise.all(Array.from({ length: 5 }, () => ctx().notify(say(key, { key, level: 'problem' }))))
    const [raised] = await mine(person, key)
    await person.call('POST', '/api/notices/read', { ids: [raised.id] })
    await ctx().notify(say(key, { key, level: 'problem', body: { zh: '更糟了', en: 'Worse' } }))
    const again = await mine(person, key)
    assert.deepEqual([again.length, again[0].body.zh, again[0].read], [1, '更糟了', true])
    // Another key that begins alike is another notice.
    await ctx().notify(say(key, { key: `${key}-2` }))
    await ctx().endNotice('unusual', key)
    await ctx().endNotice('unusual', key)
    assert.deepEqual(
      (await mine(person, key)).map((item: { endedAt: string | null }) => item.endedAt !== null),
      [false, true],
    )
    await ctx().notify(say(key, { key }))
    assert.equal((await mine(person, key)).length, 3)
  })

  test('a long list is paged, newest first, without a gap or a repeat', async () => {
    const person = await world().person('辛')
    for (let i = 0; i < 7; i++) await ctx().notify(say(`第 ${i} 条`, { to: { agentIds: [person.id] } }))
    const seen: string[] = []
    let cursor: string | null = ''
    do {
      const page: { items: { title: { zh: string } }[]; cursor: string | null } = await bell(person, `?limit=3${cursor ? `&cursor=${cursor}` : ''}`)
      seen.push(...page.items.map(({ title }) => title.zh))
      cursor = page.cursor
    } while (cursor)
    assert.deepEqual(
      seen,
      [6, 5, 4, 3, 2, 1, 0].map((i) => `第 ${i} 条`),
    )
    assert.equal((await person.call('GET', '/api/notices?cursor=nonsense')).status, 400)
    assert.equal((await person.call('POST', '/api/notices/read', { ids: [] })).status, 400)
  })

  test('a link out of the site, a kind or key that is none, a title in one language: refused, and nothing is kept', async () => {
    const before = await world().hub.em().count(Notice)
    for (const wrong of [
      { link: 'https://evil.example/' },
      { link: '//evil.example/' },
      { link: '/\\evil.example' },
      { link: 'javascript:alert(1)' },
      { kind: 'no spaces' },
      { key: 'a/b' },
      { title: { zh: '只有中文', en: '' } },
      { to: { agentIds: Array.from({ length: 501 }, newId) } },
    ] satisfies Partial<NoticeInput>[])
      await assert.rejects(ctx().notify(say('坏的', wrong)), { code: 'HUB_REQUEST_INVALID' }, JSON.stringify(wrong))
    assert.equal(await world().hub.em().count(Notice), before)
  })

  test('an inbox that breaks is one notice for those who manage inboxes, with the remedy and the way there; it ends when it mends or is switched off', async () => {
    const inbox = await world().inbox('radio')
    const [admin, agent] = [await world().person('壬', 'admin'), await world().person('癸')]
    const its = async (person: Person) =>
      (await bell(person, '?limit=100')).items.filter((item: { link: string }) => item.link === `/admin/inboxes/${inbox.id}`)
    const broken = { state: 'broken' as const, error: { zh: '连接不上。', en: 'No connection.' }, remedy: { zh: '请检查网络。', en: 'Check the network.' } }
    await Promise.all(Array.from({ length: 4 }, () => ctx('radio').health(inbox.id, broken)))
    const [notice] = await its(admin)
    assert.deepEqual(
      [(await its(admin)).length, notice.level, notice.body],
      [1, 'problem', { zh: '连接不上。请检查网络。', en: 'No connection. Check the network.' }],
    )
    assert.ok(notice.title.zh.includes(inbox.name))
    assert.equal((await its(agent)).length, 0)
    await admin.call('POST', '/api/notices/read', { ids: [notice.id] })
    // Worse, but the same break.
    await ctx('radio').health(inbox.id, { ...broken, state: 'unauthorised' })
    assert.deepEqual([(await its(admin)).length, (await its(admin))[0].read, (await its(admin))[0].endedAt], [1, true, null])
    await ctx('radio').health(inbox.id, { state: 'connected' })
    assert.ok((await its(admin))[0].endedAt)
    await ctx('radio').health(inbox.id, broken)
    assert.equal((await its(admin)).length, 2)
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })
    assert.ok((await its(admin)).every((item: { endedAt: string | null }) => item.endedAt))
    await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: true })
    await ctx('radio').health(inbox.id, broken)
    assert.equal((await its(admin)).length, 3)
  })

  test('no token has a bell; what is old and over goes when something new comes', async () => {
    const admin = await world().person('老', 'admin')
    const made = (await admin.call('POST', '/api/tokens', { name: '脚本', permissions: ['inbox.manage'] })).body
    const answer = await fetch(new URL('/api/notices', world().url), { headers: { authorization: `Bearer ${made.token}` } })
    assert.equal(answer.status, 403)
    const title = newId()
    await ctx().notify(say(title, { to: { agentIds: [admin.id] } }))
    const [old] = await mine(admin, title)
    await admin.call('POST', '/api/notices/read', { ids: [old.id] })
    await world()
      .hub.em()
      .nativeUpdate(Notice, { id: old.id }, { createdAt: new Date(Date.now() - 91 * 86_400_000) })
    await ctx().notify(say('新的', { to: { agentIds: [admin.id] } }))
    assert.deepEqual([(await mine(admin, title)).length, await world().hub.em().count(NoticeRead, { noticeId: old.id })], [0, 0])
  })
})
