/** The second factor, recovery codes, passwords and sessions of one's own account. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HubEvents } from '../../core/sdk/events.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { hashPassword } from '../../core/src/domain/session/password.ts'
import { RecoveryCode } from '../../core/src/domain/session/session.entity.ts'
import { totpCode } from '../support/totp.ts'
import { call, eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const told: HubEvents['account.secured'][] = []
const witness = definePlugin({
  id: 'witness',
  label: { zh: '见证', en: 'Witness' },
  version: '1.0.0',
  on: { 'account.secured': async ({ data }) => void told.push(data) },
})
const password = 'mountain-tea-2026'

const withPassword = async (world: World) => world.person('小陈', 'agent', { passwordHash: await hashPassword(password), email: `${newId()}@test.cn` })
/** The code of the next half minute counts too: one that was not used at enrolment. */
const nextCode = (secret: string) => totpCode(secret, 30)

await onEveryProfile('second factor', [found(manifest), found(witness)], (world) => {
  const login = (email: string, code?: string) => call(world().url, 'POST', '/api/login', { email, password, ...(code === undefined ? {} : { code }) })

  const enrolled = async () => {
    const person = await withPassword(world())
    const { secret, uri } = (await person.call('POST', '/api/me/totp')).body as { secret: string; uri: string }
    assert.ok(uri.startsWith('otpauth://totp/') && uri.includes(secret))
    const answer = await person.call('PUT', '/api/me/totp', { secret, code: totpCode(secret), password })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return { person, secret, email: person.agent.email, codes: answer.body.recoveryCodes as string[] }
  }

  test('it is on only after a right code, asks at the door, and takes each code once', async () => {
    const person = await withPassword(world())
    const { secret } = (await person.call('POST', '/api/me/totp')).body
    const wrong = await person.call('PUT', '/api/me/totp', { secret, code: '000000', password })
    assert.deepEqual([wrong.status, wrong.body.code, wrong.body.details.path], [401, 'HUB_AUTH_FAILED', '/code'])
    assert.equal((await login(person.agent.email)).status, 200)
    const code = totpCode(secret)
    assert.equal((await person.call('PUT', '/api/me/totp', { secret, code, password })).status, 200)
    assert.equal((await person.call('PUT', '/api/me/totp', { secret, code, password })).body.code, 'HUB_CONFLICT')
    assert.equal((await login(person.agent.email)).body.code, 'HUB_AUTH_TOTP_REQUIRED')
    assert.equal((await login(person.agent.email, code)).body.code, 'HUB_AUTH_FAILED', 'the code of the enrolment was used')
    const fresh = nextCode(secret)
    const both = await Promise.all([login(person.agent.email, fresh), login(person.agent.email, fresh)])
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 401])
    const stored = await world().hub.em().findOneOrFail(Agent, { id: person.id }, { disableIdentityMap: true })
    assert.equal(stored.totpSecret?.includes(secret), false)
  })

  test('switching on takes the password, and guessing it there is slowed down too', async () => {
    const person = await withPassword(world())
    const { secret } = (await person.call('POST', '/api/me/totp')).body
    const on = (more: object) => person.call('PUT', '/api/me/totp', { secret, code: totpCode(secret), ...more })
    assert.deepEqual((await on({})).body.code, 'HUB_REQUEST_INVALID')
    const wrong = await on({ password: 'not-this-one' })
    assert.deepEqual([wrong.status, wrong.body.code, wrong.body.details.path], [401, 'HUB_AUTH_FAILED', '/password'])
    assert.equal((await person.call('GET', '/api/me/security')).body.totp, false)
    for (let i = 1; i < 10; i++) await on({ password: 'not-this-one' })
    assert.equal((await on({ password })).body.code, 'HUB_AUTH_THROTTLED')
  })

  test('a recovery code opens the door once, however it is typed; fresh ones replace the old', async () => {
    const { person, email, codes } = await enrolled()
    assert.equal(codes.length, 10)
    const rows = await world().hub.em().find(RecoveryCode, { agentId: person.id })
    assert.equal(rows.length, 10)
    for (const code of codes) assert.equal(JSON.stringify(rows).includes(code.replaceAll('-', '')), false)
    assert.equal((await login(email, codes[0]?.toLowerCase().replaceAll('-', ' '))).status, 200)
    assert.deepEqual((await person.call('GET', '/api/me/security')).body, { totp: true, recoveryCodesLeft: 9 })
    const again = await login(email, codes[0])
    assert.deepEqual([again.status, again.body.code], [401, 'HUB_AUTH_FAILED'])
    assert.equal((await person.call('POST', '/api/me/recovery-codes', { password: 'not-this-one' })).body.details.path, '/password')
    const fresh = (await person.call('POST', '/api/me/recovery-codes', { password })).body.recoveryCodes as string[]
    assert.equal((await login(email, codes[1])).status, 401)
    assert.equal((await login(email, fresh[0])).status, 200)
    const stranger = await enrolled()
    assert.equal((await login(stranger.email, fresh[1])).status, 401, 'a code of somebody else')
  })

  test('switching off takes the password and forgets the codes', async () => {
    const { person, email } = await enrolled()
    assert.deepEqual((await person.call('DELETE', '/api/me/totp', { password: 'not-this-one' })).body.code, 'HUB_AUTH_FAILED')
    assert.equal((await person.call('DELETE', '/api/me/totp', { password })).status, 200)
    assert.equal((await login(email)).status, 200)
    assert.deepEqual((await person.call('GET', '/api/me/security')).body, { totp: false, recoveryCodesLeft: 0 })
    assert.equal((await person.call('POST', '/api/me/recovery-codes', { password })).body.code, 'HUB_CONFLICT')
  })

  test('who manages agents resets a lost factor: the sessions end, the password is enough, everybody watching is told', async () => {
    const { person, email, codes } = await enrolled()
    const admin = await world().person('管理员', 'admin')
    const phone = await world().signIn(person.agent)
    assert.equal((await admin.call('DELETE', `/api/agents/${person.id}/totp`)).status, 200)
    assert.deepEqual([(await person.call('GET', '/api/me')).status, (await phone.call('GET', '/api/me')).status], [401, 401])
    assert.equal((await login(email)).status, 200)
    assert.equal(await world().hub.em().count(RecoveryCode, { agentId: person.id }), 0, 'the old recovery codes are gone')
    assert.equal((await login(email, codes[0])).status, 200, 'a code is not looked at any more')
    await eventually(() => told.some(({ agentId, change, byAgentId }) => agentId === person.id && change === 'totp-reset' && byAgentId === admin.id))
    const again = await admin.call('DELETE', `/api/agents/${person.id}/totp`)
    assert.deepEqual([again.status, again.body.code], [409, 'HUB_CONFLICT'])
    assert.equal((await admin.call('DELETE', `/api/agents/${newId()}/totp`)).body.code, 'HUB_NOT_FOUND')
  })

  test('nobody resets their own factor, an owner’s, or that of who may more; who does not manage agents resets none', async () => {
    const { person } = await enrolled()
    const reset = (by: Person, whom: Person) => by.call('DELETE', `/api/agents/${whom.id}/totp`)
    const [admin, owner, second] = [await world().person('管理员', 'admin'), await world().person('老板', 'owner'), await world().person('合伙人', 'owner')]
    for (const by of [await world().person('客服'), await world().person('主管', 'supervisor')])
      assert.deepEqual([(await reset(by, person)).status, (await reset(by, person)).body.details.permission], [403, 'agent.manage'])
    for (const who of [admin, owner]) {
      await world().hub.em().nativeUpdate(Agent, { id: who.id }, { totpSecret: 'sealed' })
      assert.equal((await reset(who, who)).body.details.reason, 'self')
    }
    assert.equal((await reset(admin, owner)).body.details.reason, 'higher')
    // One who may do nothing but manage agents, and a colleague who may do more.
    const few = await world().person('人事')
    const roleId = newId()
    await world()
      .hub.em()
      .insert(Role, { id: roleId, builtin: null, name: roleId, grants: [{ permission: 'agent.manage' }], createdAt: new Date() })
    await world().hub.em().nativeUpdate(AgentRole, { agentId: few.id }, { roleId })
    world().hub.access.clear()
    assert.equal((await reset(few, admin)).body.details.reason, 'higher')
    const still = await world()
      .hub.em()
      .find(Agent, { id: { $in: [admin.id, owner.id, person.id] } }, { disableIdentityMap: true })
    assert.deepEqual(
      still.map(({ totpSecret }) => totpSecret !== null),
      [true, true, true],
    )
    assert.equal((await person.call('GET', '/api/me')).status, 200)
    assert.equal((await reset(second, owner)).status, 200)
    assert.equal((await reset(owner, admin)).body.code, 'HUB_AUTH_REQUIRED', 'the reset ended the session')
  })

  test('guessing the password of an open session, or the codes of the door, is slowed down', async () => {
    const { person, email } = await enrolled()
    for (let i = 0; i < 10; i++) assert.equal((await login(email, '000000')).status, 401)
    assert.equal((await login(email, '000000')).body.code, 'HUB_AUTH_THROTTLED')
    assert.equal((await person.call('DELETE', '/api/me/totp', { password })).body.code, 'HUB_AUTH_THROTTLED')
  })

  test('a new password must be a good one and ends the other sessions; sessions are seen and ended by their owner only', async () => {
    const person = await withPassword(world())
    const elsewhere = await world().signIn(person.agent)
    const change = (current: string, next: string) => person.call('PATCH', '/api/me', { password: { current, next } })
    assert.equal((await change('not-this-one', 'quiet-river-1987')).body.details.path, '/password/current')
    const weak = await change(password, 'aaaaaaaaaaaa')
    assert.deepEqual([weak.body.code, weak.body.details], ['HUB_PASSWORD_WEAK', { reason: 'repetitive', path: '/password/next' }])
    assert.equal((await change(password, 'short')).body.details.faults[0].path, 'body/password/next')
    assert.equal((await change(password, 'quiet-river-1987')).status, 200)
    assert.deepEqual([(await elsewhere.call('GET', '/api/me')).status, (await person.call('GET', '/api/me')).status], [401, 200])

    const second = await world().signIn(person.agent)
    const third = await world().signIn(person.agent)
    const list = async () => (await person.call('GET', '/api/me/sessions')).body.items as { id: string; current: boolean }[]
    assert.equal((await list()).length, 3)
    const { id } = (await second.call('GET', '/api/me/sessions')).body.items.find((item: { current: boolean }) => item.current)
    const stranger = await world().person('小赵')
    assert.equal((await stranger.call('DELETE', `/api/me/sessions/${id}`)).body.code, 'HUB_NOT_FOUND')
    assert.equal((await person.call('DELETE', `/api/me/sessions/${id}`)).status, 200)
    assert.equal((await second.call('GET', '/api/me')).status, 401)
    assert.deepEqual((await person.call('DELETE', '/api/me/sessions')).body, { ended: 1 })
    assert.deepEqual([(await third.call('GET', '/api/me')).status, (await list()).map(({ current }) => current)], [401, [true]])
    assert.equal((await stranger.call('GET', '/api/me')).status, 200)
  })
})
