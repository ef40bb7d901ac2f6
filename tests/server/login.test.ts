/** The door: guessing is slowed down per account and per address, and what is easy to guess is no password. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { io, type Socket } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent, Invitation } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { hashPassword } from '../../core/src/domain/session/password.ts'
import { LoginThrottle, Session } from '../../core/src/domain/session/session.entity.ts'
import { hashToken, newToken } from '../../core/src/domain/session/tokens.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { call, eventually, found, startWorld, type World } from '../support/world.ts'

const password = 'mountain-tea-2026'

for (const profile of await profiles())
  describe(`the door [${profile}]`, () => {
    let world: World
    before(async () => {
      // Behind a proxy, so that a test has more than one address.
      world = await startWorld(await makePlace(profile), [found(mockChannel().manifest)], { HUB_TRUST_PROXY: 'true' })
    })
    after(async () => {
      await world.running.stop()
      await world.place.remove()
    })
    const known = async () => (await world.person('小陈', 'agent', { passwordHash: await hashPassword(password), email: `${newId()}@test.cn` })).agent.email
    const login = (email: string, address: string, secret = password) =>
      call(world.url, 'POST', '/api/login', { email, password: secret }, { 'x-forwarded-for': address })
    const throttled = async (answer: ReturnType<typeof login>) => {
      const { status, body } = await answer
      return [status, body.code, body.details?.retryAfterSeconds > 0 && body.details.retryAfterSeconds <= 900]
    }
    const count = (key: string, fields: Partial<LoginThrottle>) => world.hub.em().nativeUpdate(LoginThrottle, { key }, fields)

    test('ten wrong guesses of an address close an account to it, the right password included, until their time is over; other addresses are let in', async () => {
      const email = await known()
      for (let i = 0; i < 10; i++) assert.equal((await login(email, '10.0.0.1', `wrong-guess-${i}`)).body.code, 'HUB_AUTH_FAILED')
      assert.deepEqual(await throttled(login(email, '10.0.0.1')), [429, 'HUB_AUTH_THROTTLED', true])
      assert.equal((await login(email, '10.0.0.99')).status, 200)
      assert.equal((await login(await known(), '10.0.0.1')).status, 200, 'another account from that address')
      await count(`pair:10.0.0.1 ${email}`, { windowStartedAt: new Date(Date.now() - 15 * 60_000) })
      assert.equal((await login(email, '10.0.0.1')).status, 200)
    })

    test('fifty from everywhere close it to strangers’ addresses, not to one where it is signed in', async () => {
      const email = await known()
      assert.equal((await login(email, '10.0.7.1')).status, 200)
      assert.equal((await login(email, '10.0.7.2', 'wrong-guess')).status, 401)
      await count(`account:${email}`, { failures: 49 })
      assert.equal((await login(email, '10.0.7.3', 'wrong-guess')).status, 401)
      assert.deepEqual(await throttled(login(email, '10.0.7.4')), [429, 'HUB_AUTH_THROTTLED', true])
      assert.equal((await login(email, '10.0.7.1')).status, 200)
    })

    test('an account that lets its owner in counts anew', async () => {
      const email = await known()
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 9; i++) assert.equal((await login(email, '10.0.1.1', 'wrong-guess')).status, 401)
        assert.equal((await login(email, '10.0.1.1')).status, 200)
      }
    })

    test('an address that tries many accounts is closed to all of them; others are not, and a success does not wash it clean', async () => {
      const address = '10.0.2.1'
      for (let i = 0; i < 3; i++) assert.equal((await login(`nobody-${newId()}@test.cn`, address)).body.code, 'HUB_AUTH_FAILED')
      assert.equal((await login(await known(), address)).status, 200)
      const row = await world.hub.em().findOneOrFail(LoginThrottle, { key: `address:${address}` }, { disableIdentityMap: true })
      assert.equal(row.failures, 3)
      // A minute takes thirty tries of one address: the rest of the fifty is written down.
      await count(`address:${address}`, { failures: 49 })
      assert.equal((await login(`nobody-${newId()}@test.cn`, address)).body.code, 'HUB_AUTH_FAILED')
      const email = await known()
      assert.deepEqual(await throttled(login(email, address)), [429, 'HUB_AUTH_THROTTLED', true])
      assert.equal((await login(email, '10.0.2.2')).status, 200)
    })

    test('thirty tries a minute are enough for any address', async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, () => login(`nobody-${newId()}@test.cn`, '10.0.3.1')))
      const refused = answers.filter(({ status }) => status === 429)
      assert.equal(refused.length, 10)
      assert.ok(refused.every(({ body }) => body.code === 'HUB_RATE_LIMITED'))
    })

    test('an unknown account is refused in the same words as a wrong password', async () => {
      const [unknown, wrong] = [await login('nobody@test.cn', '10.0.4.1'), await login(await known(), '10.0.4.1', 'wrong-guess')]
      const said = ({ status, body }: typeof unknown) => [status, body.code, body.message]
      assert.deepEqual(said(unknown), said(wrong))
    })

    test('an account is joined once, whatever other link to it is about', async () => {
      const owner = await world.person('老板', 'owner')
      const role = (await owner.call('GET', '/api/roles')).body.items.find(({ builtin }: { builtin: string | null }) => builtin === 'agent')
      const { body } = await owner.call('POST', '/api/agents', { email: 'he.wei@shanye.cn', name: '何伟', roleIds: [role.id] })
      const tokenOf = (link: unknown) => /[\w-]{43}/.exec(String(link))?.[0] ?? ''
      const first = tokenOf(body.invitation)
      // As two requests for a new link at the same moment leave it.
      const second = newToken()
      const em = world.hub.em()
      const row = await em.findOneOrFail(Invitation, { tokenHash: hashToken(first) }, { disableIdentityMap: true })
      await em.insert(Invitation, { ...row, id: newId(), tokenHash: hashToken(second) })
      const join = (token: string, password: string) => call(world.url, 'POST', `/api/invitations/${token}`, { password }, { 'x-forwarded-for': '10.0.6.1' })
      const answers = await Promise.all([join(first, '安静的河流在山间流过'), join(second, '另外一个人的密码短语')])
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 404])
      for (const token of [first, second]) assert.equal((await join(token, '第三个人也想要进来看看')).status, 404)
    })

    test('an invitation takes no password that is easy to guess, says at which field, and is not used up by it', async () => {
      const owner = await world.person('老板', 'owner')
      const role = (await owner.call('GET', '/api/roles')).body.items.find(({ builtin }: { builtin: string | null }) => builtin === 'agent')
      const { body } = await owner.call('POST', '/api/agents', { email: 'lin.xiaofang@shanye.cn', name: '林小芳', roleIds: [role.id] })
      const token = /[\w-]{43}/.exec(String(body.invitation))?.[0]
      const join = (next: string) => call(world.url, 'POST', `/api/invitations/${token}`, { password: next })
      const reasons = {
        aaaaaaaaaabbbb: 'repetitive',
        'my-Lin.Xiaofang-1': 'address',
        'Password-for-me': 'common',
        woaini1314520: 'common',
        'qwertyuiop[]': 'common',
      }
      for (const [next, reason] of Object.entries(reasons)) {
        const answer = await join(next)
        assert.deepEqual([answer.status, answer.body.code, answer.body.details], [422, 'HUB_PASSWORD_WEAK', { reason, path: '/password' }], next)
      }
      assert.equal((await join('short-one')).body.details.faults[0].path, 'body/password')
      assert.equal((await join('a'.repeat(1_000))).status, 400)
      assert.equal((await join('安静的河流在山间流过')).status, 200, 'ten characters of any script')
      assert.equal((await login('lin.xiaofang@shanye.cn', '10.0.5.1', '安静的河流在山间流过')).status, 200)
    })

    test('signing in takes no customers: an open workbench does, and the admin beside it changes nothing of what one chose there', async () => {
      const inbox = await world.inbox('mock')
      const email = await known()
      const agent = await world.hub.em().findOneOrFail(Agent, { email }, { disableIdentityMap: true })
      await world.hub.em().nativeDelete(Session, { agentId: agent.id })
      // Nobody else is there.
      await world.hub.em().nativeUpdate(Agent, {}, { seenAt: null, presence: 'offline' })
      const ask = async (who: string) => (await world.say(inbox, who, '在吗'))[0]?.conversationId ?? ''
      const holder = async (id: string) => (await world.hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })).assigneeId ?? null
      const presence = async () => (await world.hub.em().findOneOrFail(Agent, { email }, { disableIdentityMap: true })).presence
      const signIn = async () => ((await login(email, '10.0.9.1')).headers.get('set-cookie') ?? '').split(';')[0] ?? ''
      const open = async (cookie: string, aside: boolean) => {
        const socket = io(world.url, {
          path: '/socket',
          transports: ['websocket'],
          forceNew: true,
          reconnection: false,
          extraHeaders: { cookie },
          auth: { aside },
        })
        await new Promise((resolve, reject) => socket.once('ready', resolve).once('connect_error', reject))
        return socket
      }
      const sockets: Socket[] = []
      try {
        const waiting = await ask('night')
        const cookie = await signIn()
        sockets.push(await open(cookie, true))
        await world.running.sweep()
        assert.deepEqual([await holder(waiting), await holder(await ask('still night'))], [null, null])
        sockets.push(await open(cookie, false))
        await eventually(async () => (await holder(waiting)) === agent.id, 'the workbench takes what waits')

        assert.equal((await call(world.url, 'PUT', '/api/me/presence', { presence: 'busy' }, { cookie })).status, 200)
        const second = await signIn()
        assert.equal(await presence(), 'busy')
        // Signed out everywhere and in again at once: a new day.
        for (const each of [cookie, second]) assert.equal((await call(world.url, 'POST', '/api/logout', undefined, { cookie: each })).status, 200)
        assert.equal(await presence(), 'offline')
        await signIn()
        assert.deepEqual([await presence(), await holder(await ask('after hours'))], ['online', null])
      } finally {
        for (const socket of sockets) socket.disconnect()
      }
    })
  })
