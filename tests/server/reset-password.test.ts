/** Who has forgotten the password: the operator's command, as it is started beside a hub that runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { hashPassword } from '../../core/src/domain/session/password.ts'
import { startCommand } from '../support/command.ts'
import { onEveryProfile } from '../support/world.ts'

await onEveryProfile('a forgotten password', [], (world) => {
  const command = (...words: string[]) => startCommand('reset-password.ts', world().place, words, { HUB_PUBLIC_URL: 'https://kf.example.cn' }).ended
  const post = async (path: string, body: object) => {
    const response = await fetch(`${world().url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    return { status: response.status, cookie: response.headers.get('set-cookie') ?? '' }
  }

  test('an owner gets a link; the old password and all sessions have ended, the new one opens, once', async () => {
    const owner = await world().person('老板', 'owner', { email: 'boss@shanye.cn', passwordHash: await hashPassword('old tea mountain 88') })
    assert.equal((await owner.call('GET', '/api/me')).status, 200)
    const { code, said } = await command(' Boss@Shanye.cn ')
    assert.equal(code, 0, said)
    const token = /https:\/\/kf\.example\.cn\/admin\/join\/([\w-]{43})/.exec(said)?.[1]
    assert.ok(token, said)
    assert.equal((await owner.call('GET', '/api/me')).status, 401)
    assert.equal((await post('/api/login', { email: 'boss@shanye.cn', password: 'old tea mountain 88' })).status, 401)
    const joined = await post(`/api/invitations/${token}`, { password: 'new tea mountain 99' })
    assert.deepEqual([joined.status, joined.cookie !== ''], [200, true])
    assert.equal((await post(`/api/invitations/${token}`, { password: 'third tea mountain 77' })).status, 404)
    assert.equal((await post('/api/login', { email: 'boss@shanye.cn', password: 'new tea mountain 99' })).status, 200)
  })

  test('the second factor stands, unless it is to go too; nobody of that name is said', async () => {
    const totpSecret = world().hub.vault.seal('JBSWY3DPEHPK3PXP')
    const agent = await world().person('小安', 'agent', { email: 'an@shanye.cn', passwordHash: await hashPassword('old tea mountain 88'), totpSecret })
    const linkOf = (said: string) => /join\/([\w-]{43})/.exec(said)?.[1]
    const first = linkOf((await command('an@shanye.cn')).said)
    const joined = await post(`/api/invitations/${first}`, { password: 'new tea mountain 99' })
    assert.deepEqual([joined.status, joined.cookie], [200, ''])
    const kept = () => world().hub.em().findOneOrFail(Agent, { id: agent.id }, { disableIdentityMap: true })
    assert.ok((await kept()).totpSecret)
    const second = linkOf((await command('an@shanye.cn', '--second-factor')).said)
    assert.equal((await kept()).totpSecret, null)
    const again = await post(`/api/invitations/${second}`, { password: 'newer tea mountain 66' })
    assert.deepEqual([again.status, again.cookie !== ''], [200, true])
    assert.equal((await command('nobody@shanye.cn')).code, 1)
    assert.equal((await command()).code, 1)
  })
})
