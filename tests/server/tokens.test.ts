/** API tokens: what they may, of what their maker may today, and never the maker's own account. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { ApiToken } from '../../core/src/domain/session/session.entity.ts'
import { hashToken } from '../../core/src/domain/session/tokens.ts'
import { call, eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest } = mockChannel()

/** The ways to what a person keeps for themselves. */
const whatIsKept = (conversationId: string, viewId = newId()): [method: string, url: string, body?: unknown][] => [
  ['GET', '/api/drafts'],
  ['GET', `/api/conversations/${conversationId}/draft`],
  ['PUT', `/api/conversations/${conversationId}/draft`, { text: '' }],
  ['GET', '/api/stars'],
  ['PUT', `/api/conversations/${conversationId}/star`],
  ['DELETE', `/api/conversations/${conversationId}/star`],
  ['GET', '/api/record-views'],
  ['POST', '/api/record-views', { name: 'x', filter: {} }],
  ['PATCH', `/api/record-views/${viewId}`, { name: 'x' }],
  ['DELETE', `/api/record-views/${viewId}`],
  ['GET', '/api/preferences/record.columns'],
  ['PUT', '/api/preferences/record.columns', { value: [] }],
]

await onEveryProfile('API tokens', [found(manifest)], (world) => {
  const make = async (maker: Person, permissions: string[], expiresInDays?: number) => {
    const { status, body } = await maker.call('POST', '/api/tokens', { name: '报表', permissions, ...(expiresInDays ? { expiresInDays } : {}) })
    assert.equal(status, 201, JSON.stringify(body))
    return { id: body.apiToken.id as string, token: body.token as string, ask: asked(body.token) }
  }
  const asked =
    (token: string, headers: Record<string, string> = {}) =>
    (method: string, url: string, body?: unknown) =>
      call(world().url, method, url, body, { authorization: `Bearer ${token}`, ...headers })
  const connect = (token: string) =>
    io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { authorization: `Bearer ${token}` }, reconnection: false, forceNew: true })

  test('where its maker is, and whom they hand their conversations to, is not for a token', async () => {
    const admin = await world().person('管理员', 'admin', { presence: 'away' })
    const { ask } = await make(admin, ['system.read'])
    const answer = await ask('PUT', '/api/me/presence', { presence: 'online', handOverTo: newId() })
    assert.deepEqual([answer.status, answer.body.code, answer.body.details], [403, 'HUB_FORBIDDEN', { reason: 'token' }])
    assert.equal((await admin.call('GET', '/api/me')).body.agent.presence, 'away')
  })

  test('a token does what it was made for and nothing else, without an origin, and is stored as a hash', async () => {
    const admin = await world().person('管理员', 'admin')
    const { id, token, ask } = await make(admin, ['tag.manage', 'contact.tag'])
    assert.match(token, /^hk_[\w-]{43}$/)
    const row = await world().hub.em().findOneOrFail(ApiToken, { id })
    assert.equal(row.tokenHash, hashToken(token))
    assert.equal(JSON.stringify(row).includes(token), false)

    assert.equal(
      (await asked(token, { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' })('POST', '/api/tags', { name: newId(), system: true }))
        .status,
      201,
    )
    for (const url of ['/api/agents', '/api/inboxes', '/api/system', '/api/plugins'])
      assert.deepEqual([(await ask('GET', url)).status, (await admin.call('GET', url)).status], [403, 200], url)
    assert.deepEqual((await ask('GET', '/api/conversations?group=open')).body.items, [])

    const [seen] = (await admin.call('GET', '/api/tokens')).body.items.filter((item: { id: string }) => item.id === id)
    assert.deepEqual([seen.agentName, seen.permissions, seen.expiresAt], ['管理员', ['tag.manage', 'contact.tag'], null])
    assert.ok(seen.usedAt && seen.usedIp.includes('127.0.0.1'))
    assert.equal(JSON.stringify(seen).includes(row.tokenHash), false)
  })

  test('a token reaches no account, session, second factor, preview or token', async () => {
    const owner = await world().person('老板', 'owner')
    const { ask, id } = await make(owner, ['token.manage', 'role.preview', 'role.manage', 'agent.manage'])
    const tries: [method: string, url: string, body?: unknown][] = [
      ['PATCH', '/api/me', { name: '别人' }],
      ['PATCH', '/api/me', { password: { current: 'x', next: 'mountain-tea-2026' } }],
      ['GET', '/api/me/security'],
      ['POST', '/api/me/totp'],
      ['PUT', '/api/me/totp', { secret: 'ABCDEFGHABCDEFGH', code: '123456', password: 'x' }],
      ['DELETE', '/api/me/totp', { password: 'x' }],
      ['POST', '/api/me/recovery-codes', { password: 'x' }],
      ['GET', '/api/me/sessions'],
      ['DELETE', '/api/me/sessions'],
      ['DELETE', `/api/me/sessions/${newId()}`],
      ['POST', '/api/logout'],
      ['DELETE', `/api/agents/${newId()}/totp`],
      ['GET', '/api/tokens'],
      ['POST', '/api/tokens', { name: 'x', permissions: ['tag.manage'] }],
      ['DELETE', `/api/tokens/${id}`],
      ['POST', '/api/preview', { roleId: newId() }],
      ['DELETE', '/api/preview'],
    ]
    for (const [method, url, body] of tries) {
      const answer = await ask(method, url, body)
      assert.deepEqual([answer.status, answer.body.code, answer.body.details?.reason], [403, 'HUB_FORBIDDEN', 'token'], `${method} ${url}`)
    }
    // Nor does it get there by making somebody.
    const roles = (await ask('GET', '/api/roles')).body.items as { id: string; builtin: string }[]
    for (const builtin of ['owner', 'admin']) {
      const roleId = roles.find((role) => role.builtin === builtin)?.id
      assert.equal((await ask('POST', '/api/agents', { email: `${newId()}@test.cn`, name: '越权', roleIds: [roleId] })).status, 403, builtin)
    }
  })

  test('what its maker began to write, marked or arranged is not for a token, whatever it may read', async () => {
    const maker = await world().person('老板', 'owner', { presence: 'away' })
    const [accepted] = await world().say(await world().inbox('mock'), newId(), '在吗')
    const id = accepted?.conversationId ?? ''
    assert.equal((await maker.call('PUT', `/api/conversations/${id}/draft`, { text: '客户电话 13812345678' })).status, 200)
    assert.equal((await maker.call('PUT', `/api/conversations/${id}/star`)).status, 200)
    const view = await maker.call('POST', '/api/record-views', { name: '回访', filter: { contact: '13812345678' } })
    assert.equal((await maker.call('PUT', '/api/preferences/record.columns', { value: ['contact'] })).status, 200)
    const { ask } = await make(maker, ['conversation.read', 'conversation.reply'])
    assert.equal((await ask('GET', `/api/conversations/${id}`)).status, 200)
    for (const [method, url, body] of whatIsKept(id, view.body.id)) {
      const answer = await ask(method, url, body)
      assert.deepEqual([answer.status, answer.body.details?.reason], [403, 'token'], `${method} ${url}`)
    }
    const kept = async (url: string) => (await maker.call('GET', url)).body
    assert.equal((await kept(`/api/conversations/${id}/draft`)).text, '客户电话 13812345678')
    assert.deepEqual([(await kept('/api/stars')).ids, (await kept('/api/record-views')).items], [[id], [view.body]])
    assert.deepEqual((await kept('/api/preferences/record.columns')).value, ['contact'])
  })

  test('who makes a token may have tokens, and gives it nothing they do not have', async () => {
    const agent = await world().person('客服')
    const supervisor = await world().person('主管', 'supervisor')
    for (const person of [agent, supervisor]) {
      assert.equal((await person.call('POST', '/api/tokens', { name: 'x', permissions: ['contact.tag'] })).body.code, 'HUB_FORBIDDEN')
      assert.equal((await person.call('GET', '/api/tokens')).status, 403)
      assert.equal((await person.call('DELETE', `/api/tokens/${newId()}`)).status, 403)
    }
    const em = world().hub.em()
    const role = { id: newId(), builtin: null, name: '集成', grants: [{ permission: 'token.manage' }, { permission: 'contact.tag' }], createdAt: new Date() }
    await em.insert(Role, role)
    await em.nativeUpdate(AgentRole, { agentId: agent.id }, { roleId: role.id })
    world().hub.access.clear()
    const asks = (permissions: string[]) => agent.call('POST', '/api/tokens', { name: 'x', permissions, expiresInDays: 1 })
    assert.deepEqual([(await asks(['contact.tag'])).status, (await asks(['tag.manage'])).status], [201, 403])
    for (const [body, path] of [
      [{ name: 'x', permissions: ['no.such'] }, 'body/permissions/0'],
      [{ name: 'x', permissions: [] }, 'body/permissions'],
      [{ name: '   ', permissions: ['contact.tag'] }, 'body/name'],
      [{ name: 'x', permissions: ['contact.tag'], expiresInDays: 0 }, 'body/expiresInDays'],
    ] as const) {
      const answer = await agent.call('POST', '/api/tokens', body)
      assert.deepEqual([answer.status, answer.body.code, answer.body.details.faults[0].path], [400, 'HUB_REQUEST_INVALID', path])
    }
  })

  test('what the maker loses, the token loses; a maker without the right, or switched off, leaves it dead', async () => {
    const owner = await world().person('老板', 'owner')
    const maker = await world().person('管理员', 'admin')
    const { ask } = await make(maker, ['tag.manage', 'contact.tag'])
    const addTag = () => ask('POST', '/api/tags', { name: newId(), system: true })
    assert.equal((await addTag()).status, 201)
    const em = world().hub.em()
    const role = { id: newId(), builtin: null, name: '少一点', grants: [{ permission: 'token.manage' }, { permission: 'contact.tag' }], createdAt: new Date() }
    await em.insert(Role, role)
    const give = async (roleId: string) => assert.equal((await owner.call('PATCH', `/api/agents/${maker.id}`, { roleIds: [roleId] })).status, 200)
    await give(role.id)
    assert.equal((await addTag()).status, 403)
    assert.equal((await ask('POST', '/api/tags', { name: newId() })).status, 201)
    const { id: agentRole } = await em.findOneOrFail(Role, { builtin: 'agent' })
    await give(agentRole)
    assert.equal((await addTag()).status, 401)
    await give(role.id)
    assert.equal((await ask('GET', '/api/me')).status, 200)
    assert.equal((await owner.call('PATCH', `/api/agents/${maker.id}`, { active: false })).status, 200)
    assert.deepEqual([(await ask('GET', '/api/me')).status, (await ask('GET', '/api/me')).body.code], [401, 'HUB_AUTH_REQUIRED'])
  })

  test('the list says which tokens open nothing because of their maker, and an account how many of its tokens work', async () => {
    const owner = await world().person('老板', 'owner')
    const maker = await world().person('对接管理员', 'admin')
    const made = [await make(maker, ['contact.tag']), await make(maker, ['contact.tag'], 1)]
    const [, old] = made
    const url = `/api/agents/${maker.id}`
    const said = async () => {
      const { items } = (await owner.call('GET', '/api/tokens')).body as { items: { id: string; stopped: string | null }[] }
      const stopped = made.map(({ id }) => items.find((item) => item.id === id)?.stopped)
      return [stopped, (await owner.call('GET', url)).body.workingTokens, await Promise.all(made.map(async ({ ask }) => (await ask('GET', '/api/me')).status))]
    }
    assert.deepEqual(await said(), [[null, null], 2, [200, 200]])
    await world()
      .hub.em()
      .nativeUpdate(ApiToken, { id: old?.id }, { expiresAt: new Date(Date.now() - 1) })
    assert.deepEqual(await said(), [[null, null], 1, [200, 401]])
    const { id: agentRole } = await world().hub.em().findOneOrFail(Role, { builtin: 'agent' })
    const { roleIds } = (await owner.call('GET', url)).body
    assert.equal((await owner.call('PATCH', url, { roleIds: [agentRole] })).status, 200)
    assert.deepEqual(await said(), [['makerMayNot', 'makerMayNot'], 0, [401, 401]])
    assert.equal((await owner.call('PATCH', url, { roleIds, active: false })).status, 200)
    assert.deepEqual(await said(), [['makerOff', 'makerOff'], 0, [401, 401]])
    assert.equal((await owner.call('PATCH', url, { active: true })).status, 200)
    assert.deepEqual(await said(), [[null, null], 1, [200, 401]])
  })

  test('an expired and a revoked token are refused, and anybody who manages tokens can revoke', async () => {
    const maker = await world().person('管理员', 'admin')
    const other = await world().person('另一位', 'admin')
    const one = await make(maker, ['contact.tag'], 1)
    const two = await make(maker, ['contact.tag'])
    assert.equal((await one.ask('GET', '/api/me')).status, 200)
    await world()
      .hub.em()
      .nativeUpdate(ApiToken, { id: one.id }, { expiresAt: new Date(Date.now() - 1) })
    assert.equal((await one.ask('GET', '/api/me')).status, 401)
    assert.equal((await two.ask('GET', '/api/me')).status, 200)
    assert.equal((await other.call('DELETE', `/api/tokens/${two.id}`)).status, 200)
    assert.equal((await two.ask('GET', '/api/me')).status, 401)
    assert.equal((await other.call('DELETE', `/api/tokens/${two.id}`)).body.code, 'HUB_NOT_FOUND')
  })

  test('a socket of a token hears what the token may, whatever else its maker has open, and ends with it', async () => {
    const maker = await world().person('管理员', 'admin')
    const { token, id } = await make(maker, ['contact.tag'])
    const reader = await make(maker, ['conversation.read'])
    const own = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: maker.cookie }, reconnection: false, forceNew: true })
    const narrow = connect(token)
    const wide = connect(reader.token)
    const heard: Record<string, string[]> = { own: [], narrow: [], wide: [] }
    const sockets = Object.entries({ own, narrow, wide })
    for (const [name, socket] of sockets) socket.on('conversation', (push: { conversation: { id: string } }) => heard[name]?.push(push.conversation.id))
    await Promise.all(sockets.map(([, socket]) => new Promise((resolve) => socket.once('ready', resolve))))
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '谁听得到？')
    await eventually(() => heard.own?.includes(accepted?.conversationId ?? '') && heard.wide?.includes(accepted?.conversationId ?? ''), 'the push')
    assert.deepEqual(heard.narrow, [])
    const gone = new Promise((resolve) => narrow.once('disconnect', resolve))
    assert.equal((await maker.call('DELETE', `/api/tokens/${id}`)).status, 200)
    await gone
    assert.equal(own.connected, true)
    own.disconnect()
    wide.disconnect()
  })

  test('who tries tokens is slowed down; a good one still opens', async () => {
    const maker = await world().person('管理员', 'admin')
    const { ask } = await make(maker, ['contact.tag'])
    const bad = asked(`hk_${'a'.repeat(43)}`)
    for (let i = 0; i < 60; i++) if ((await bad('GET', '/api/me')).status === 429) break
    const refused = await bad('GET', '/api/me')
    assert.deepEqual([refused.status, refused.body.code], [429, 'HUB_AUTH_THROTTLED'])
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    // A bearer that is no token of ours does not fall back to the cookie beside it.
    assert.equal((await call(world().url, 'GET', '/api/me', undefined, { authorization: 'Bearer nonsense', cookie: maker.cookie })).status, 429)
    assert.equal((await ask('GET', '/api/me')).status, 200)
  })
})
