/** A stranger who signs in on the site: what was said goes on, as theirs; what they were called before opens nothing any more. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { SignJWT } from 'jose'
import { io } from 'socket.io-client'
import { newId } from '../../../core/src/db/types.ts'
import { Agent } from '../../../core/src/domain/agent/agent.entity.ts'
import { Activity, Contact, ContactMove, FormerName, Identity, MergeSuggestion } from '../../../core/src/domain/contact/contact.entity.ts'
import { closeConversation } from '../../../core/src/domain/conversation/close-conversation.ts'
import { Conversation } from '../../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../../core/src/domain/inbox/inbox.entity.ts'
import { Message, ParkedEvent } from '../../../core/src/domain/message/message.entity.ts'
import { makePlace, profiles } from '../../../tests/support/profiles.ts'
import { call, eventually, found, onEveryProfile, startWorld, type World } from '../../../tests/support/world.ts'
import website from '../plugin.ts'

const api = '/api/x/website'
const key = 'the-shop-signs-with-this-long-key-0123456789'
const jwt = (sub: string, more: object = {}) =>
  new SignJWT({ sub, ...more }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('5m').sign(new TextEncoder().encode(key))
const plugin = found(website, join(import.meta.dirname, '..'))
const nameOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).externalId
const quiet = { disableIdentityMap: true }

/** A site as its visitors reach it by one process. */
const siteOf = (world: () => World) => {
  const ask = (method: string, path: string, body?: unknown, token?: string) =>
    call(world().url, method, `${api}${path}`, body, { 'user-agent': 'Mozilla/5.0 Chrome/140', ...(token ? { authorization: `Bearer ${token}` } : {}) })
  const session = (inbox: Inbox, body: object) => ask('POST', `/inboxes/${inbox.id}/session`, body)
  const enter = async (inbox: Inbox, body: object = {}): Promise<string> => {
    const answer = await session(inbox, body)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body.token
  }
  const read = async (token: string) => {
    const { status, body } = await ask('GET', '/thread', undefined, token)
    assert.equal(status, 200, JSON.stringify(body))
    return {
      conversation: body.conversation as { id: string; status: string } | null,
      said: (body.messages as { from: string; parts: { text?: string; name?: string }[] }[]).map(
        ({ from, parts }) => `${from}: ${parts[0]?.text ?? parts[0]?.name}`,
      ),
    }
  }
  const conversationsIn = ({ id }: Inbox) =>
    world()
      .hub.em()
      .find(Conversation, { inboxId: id }, { orderBy: { id: 'asc' }, ...quiet })
  const linesOf = async (conversationId: string) =>
    (
      await world()
        .hub.em()
        .find(Message, { conversationId, direction: 'system' }, { orderBy: { seq: 'asc' }, ...quiet })
    ).flatMap(({ parts: [part] }) =>
      part?.type === 'event' && ['identity.known', 'conversation.closed'].includes(part.name) ? [{ name: part.name, ...part.params }] : [],
    )
  const seqsOf = async (conversationId: string) =>
    (
      await world()
        .hub.em()
        .find(Message, { conversationId }, { orderBy: { seq: 'asc' }, ...quiet })
    ).map(({ seq }) => seq)
  return { ask, session, enter, read, conversationsIn, linesOf, seqsOf }
}
/** Identities that no user of the site is. */
const strangersIn = async (world: World, { id }: Inbox) =>
  (await world.hub.em().find(Identity, { inboxId: id, verified: false }, quiet)).flatMap((one) => (one.externalId.startsWith('u_') ? [] : [one.id]))
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

await onEveryProfile('signing in on the site', [plugin], (world) => {
  const { ask, session, enter, read, conversationsIn, linesOf, seqsOf } = siteOf(world)
  const site = () => world().inbox('website', { identitySecret: key })
  const stranger = async (inbox: Inbox, ...words: string[]) => {
    const token = await enter(inbox)
    let conversationId = ''
    for (const text of words) conversationId = (await world().say(inbox, nameOf(token), text))[0]?.conversationId ?? ''
    return { token, conversationId, identity: await world().identity(inbox.id, nameOf(token)) }
  }
  const identityOf = (id: string) => world().hub.em().findOneOrFail(Identity, { id }, quiet)
  const contactOf = (id: string) => world().hub.em().findOneOrFail(Contact, { id }, quiet)

  test('new here: the stranger’s chat goes on as the user’s, agents read one line, the contact follows what is signed; the same again changes nothing', async () => {
    const inbox = await site()
    const agent = await world().person('小林', 'admin')
    const { token, conversationId, identity } = await stranger(inbox, '这双鞋有42码吗')
    await agent.call('PATCH', `/api/contacts/${identity.contactId}`, { remark: '回头客' })
    await world().reply(agent, conversationId, '有的，请先登录下单')
    const told: string[] = []
    const stops = [
      world().hub.bus.subscribe('contact.changed', (data) => void told.push((data as { contactId: string }).contactId)),
      world().hub.bus.subscribe('conversation.changed', (data) => void told.push((data as { conversation: { id: string } }).conversation.id)),
    ]
    const identityWord = await jwt('10086', { name: '王芳', phone: '13900001111' })
    const user = await enter(inbox, { token, identity: identityWord })
    for (const stop of stops) stop()
    assert.ok(told.includes(identity.contactId) && told.includes(conversationId), 'the workbench hears of it')

    const line = io(`${world().url}/x/website`, { path: '/socket', transports: ['websocket'], forceNew: true, reconnection: false, auth: { token: user } })
    try {
      await new Promise((resolve, reject) => line.once('connect', () => resolve(undefined)).once('connect_error', reject))
      const heard = new Promise((resolve) => line.once('note', resolve))
      assert.equal((await world().reply(agent, conversationId, '今天下单送袜子')).status, 201)
      await heard
    } finally {
      line.disconnect()
    }
    await world().say(inbox, nameOf(user), '我登录了')
    assert.deepEqual((await read(user)).said, ['me: 这双鞋有42码吗', 'agent: 有的，请先登录下单', 'agent: 今天下单送袜子', 'me: 我登录了'])
    assert.deepEqual(
      (await conversationsIn(inbox)).map(({ id, status, identityId, contactId }) => [id, status, identityId, contactId]),
      [[conversationId, 'open', identity.id, identity.contactId]],
    )
    const now = await identityOf(identity.id)
    assert.deepEqual([now.externalId, now.verified, now.attributes], ['u_10086', true, { userId: '10086' }])
    const { name, phone, remark } = await contactOf(identity.contactId)
    assert.deepEqual([name, phone, remark], ['王芳', '13900001111', '回头客'])
    const lines = [{ name: 'identity.known', account: '10086' }]
    assert.deepEqual(await linesOf(conversationId), lines)

    // Again, from a second tab, at once.
    const again = await Promise.all(Array.from({ length: 4 }, () => enter(inbox, { token, identity: identityWord })))
    assert.deepEqual(again.map(nameOf), Array(4).fill('u_10086'))
    assert.deepEqual([await linesOf(conversationId), (await conversationsIn(inbox)).length], [lines, 1])
    assert.equal(await world().hub.em().count(Activity, { inboxId: inbox.id, name: 'signedIn' }), 1)
  })

  test('the token from before signing in reads and writes nothing of the user’s; who goes on without the site’s word is somebody new', async () => {
    const inbox = await site()
    const { token, conversationId } = await stranger(inbox, '没登录时问的')
    const user = await enter(inbox, { token, identity: await jwt('alice') })
    await world().say(inbox, nameOf(user), '只给我自己看的')
    for (const path of ['/thread', '/thread?before=zzzz']) assert.deepEqual((await ask('GET', path, undefined, token)).body.code, 'HUB_AUTH_REQUIRED')
    await assert.rejects(world().say(inbox, nameOf(token), '我是她'), { code: 'HUB_AUTH_REQUIRED' })
    await ask('POST', '/close', undefined, token)
    assert.equal((await conversationsIn(inbox))[0]?.status === 'closed', false)
    const form = { kind: 'message' as const, externalId: newId(), from: { externalId: nameOf(token), name: '冒名', phone: '13711112222' }, parts: [] }
    await assert.rejects(world().hub.intake.accept(inbox.id, [form]), { code: 'HUB_AUTH_REQUIRED' })
    const { name, phone } = await contactOf((await world().identity(inbox.id, 'u_alice')).contactId)
    assert.deepEqual([name, phone], ['', ''])
    // A user's token proves nothing on a page without the site's word, and brings nobody along to another user.
    const after = await enter(inbox, { token: user })
    assert.deepEqual((await read(after)).said, [])
    const other = await enter(inbox, { token: user, identity: await jwt('bob') })
    assert.deepEqual([(await read(other)).said, (await read(user)).said], [[], ['me: 没登录时问的', 'me: 只给我自己看的']])
    assert.deepEqual(await seqsOf(conversationId), upTo(4))
  })

  test('a picture from before is opened by the user, and by the old token no more', async () => {
    const inbox = await site()
    const { token } = await stranger(inbox, '看图')
    const form = new FormData()
    form.append('file', new Blob(['尺码表']), 'size.txt')
    const headers = { authorization: `Bearer ${token}`, 'user-agent': 'Mozilla/5.0 Chrome/140' }
    const part = (await (await fetch(`${world().url}${api}/files`, { method: 'POST', headers, body: form })).json()) as { fileId: string }
    await world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId: nameOf(token) }, parts: [part as never] }])
    const opens = async (by: string) => (await ask('GET', `/files/${part.fileId}?token=${by}`)).status
    assert.equal(await opens(token), 200)
    const user = await enter(inbox, { token, identity: await jwt('jia') })
    assert.deepEqual([await opens(user), await opens(token)], [200, 404])
  })

  test('a stranger who wrote before the hub had given a token is brought along by the browser’s own', async () => {
    const inbox = await site()
    const own = `n_${'0123456789'.repeat(4)}`
    const token = await enter(inbox, { token: own })
    await world().say(inbox, nameOf(token), '断网时写的')
    assert.deepEqual((await read(await enter(inbox, { token: own, identity: await jwt('carol') }))).said, ['me: 断网时写的'])
  })

  test('what is signed joins the contact that has it, as for anybody new', async () => {
    const inbox = await site()
    const elsewhere = await site()
    await world().say(elsewhere, nameOf(await enter(elsewhere, { identity: await jwt('dora', { name: '多拉' }) })), '在吗')
    // The word is in the token, as the route hands it on.
    await ask(
      'POST',
      '/messages',
      { clientId: newId(), parts: [{ type: 'text', text: '在吗' }] },
      await enter(elsewhere, { identity: await jwt('dora', { name: '多拉' }) }),
    )
    const { contactId } = await world().identity(elsewhere.id, 'u_dora')
    const { token, identity } = await stranger(inbox, '你好')
    assert.notEqual(identity.contactId, contactId)
    await enter(inbox, { token, identity: await jwt('dora') })
    await eventually(async () => (await identityOf(identity.id)).contactId === contactId, 'the merge')
  })

  test('a stranger of whom an agent has said that they are another user is nobody’s merge: what was said goes over, the two stay two, an agent is asked', async () => {
    const inbox = await site()
    const agent = await world().person('小段', 'admin')
    /** A user of the site, as the contact that holds the signed name. */
    const userOf = async (sub: string) => {
      const user = await enter(inbox, { identity: await jwt(sub) })
      await ask('POST', '/messages', { clientId: newId(), parts: [{ type: 'text', text: '早' }] }, user)
      return world().identity(inbox.id, `u_${sub}`)
    }
    const [kai, lan] = [await userOf('kai'), await userOf('lan')]
    const { token, identity } = await stranger(inbox, '我的包裹呢')
    const merged = await agent.call('POST', `/api/contacts/${kai.contactId}/merge`, { otherId: identity.contactId })
    assert.equal(merged.status, 200, JSON.stringify(merged.body))
    const after = await enter(inbox, { token, identity: await jwt('lan') })
    assert.ok((await read(after)).said.includes('me: 我的包裹呢'))
    const contacts = [(await identityOf(kai.id)).contactId, (await identityOf(lan.id)).contactId]
    assert.deepEqual(contacts, [kai.contactId, lan.contactId])
    const { items } = (await agent.call('GET', `/api/contacts/${lan.contactId}/suggestions`)).body
    assert.deepEqual(
      items.map(({ contradictions }: { contradictions: unknown[] }) => contradictions.length),
      [1],
    )
  })

  test('known here: the conversation goes over, open as it is; the contacts are merged with evidence, and undone what has ended goes back', async () => {
    const inbox = await site()
    const agent = await world().person('小白', 'admin')
    const login = async () => jwt('erin', { name: '艾琳' })
    const first = await enter(inbox, { identity: await login() })
    const [before] = await world().say(inbox, nameOf(first), '上周的事')
    await closeConversation(world().hub, before?.conversationId ?? '', 'agent', null)
    const user = await world().identity(inbox.id, 'u_erin')
    const { token, conversationId, identity } = await stranger(inbox, '一', '二')
    await world().reply(agent, conversationId, '请登录')
    const after = await enter(inbox, { token, identity: await login() })
    await world().reply(agent, conversationId, '好的')
    const { said, conversation } = await read(after)
    assert.deepEqual(
      [said, conversation?.id],
      [['me: 上周的事', 'system: conversation.closed', 'me: 一', 'me: 二', 'agent: 请登录', 'agent: 好的'], conversationId],
    )
    assert.deepEqual(
      (await conversationsIn(inbox)).map((c) => [c.id, c.status, c.identityId, c.openIdentityId, c.contactId]),
      [
        [before?.conversationId, 'closed', user.id, null, user.contactId],
        [conversationId, 'open', user.id, user.id, user.contactId],
      ],
    )
    assert.deepEqual(
      [await linesOf(conversationId), await seqsOf(conversationId)],
      [[{ name: 'identity.known', account: 'erin' }], upTo((await seqsOf(conversationId)).length)],
    )
    const em = world().hub.em()
    const move = await em.findOneOrFail(ContactMove, { fromId: identity.contactId, intoId: user.contactId, kind: 'merge' }, quiet)
    const pair = [identity.contactId, user.contactId].sort()
    const suggestion = await em.findOneOrFail(MergeSuggestion, { contactId: pair[0] as string, otherId: pair[1] as string }, quiet)
    assert.deepEqual([suggestion.state, suggestion.evidence.map(({ kind, verified }) => [kind, verified])], ['accepted', [['userId', true]]])
    assert.equal((await contactOf(user.contactId)).name, '艾琳')
    await assert.rejects(world().say(inbox, nameOf(token), '旧的'), { code: 'HUB_AUTH_REQUIRED' })

    await closeConversation(world().hub, conversationId, 'agent', null)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    const back = (await conversationsIn(inbox)).find(({ id }) => id === conversationId)
    assert.deepEqual([back?.identityId, back?.contactId], [identity.id, identity.contactId])
    assert.deepEqual((await read(after)).said, ['me: 上周的事', 'system: conversation.closed'])
  })

  test('both are talking: the stranger’s ends and says where it goes on, what waited there waits in the user’s, and it stays to be read', async () => {
    const inbox = await site()
    const user = await enter(inbox, { identity: await jwt('fay') })
    const [mine] = await world().say(inbox, nameOf(user), '昨天的订单')
    const agent = await world().person('小青', 'admin')
    await world().reply(agent, mine?.conversationId, '在查')
    const { token, conversationId } = await stranger(inbox, '还有一个问题', '有人吗')
    const after = await enter(inbox, { token, identity: await jwt('fay') })
    const [goesOn, ended] = await conversationsIn(inbox)
    assert.deepEqual(
      [goesOn?.id, goesOn?.openIdentityId === null, ended?.id, ended?.status, ended?.closeReason],
      [mine?.conversationId, false, conversationId, 'closed', 'joined'],
    )
    assert.equal(ended?.identityId, goesOn?.identityId)
    assert.deepEqual(await linesOf(conversationId), [{ name: 'conversation.closed', reason: 'joined', byAgentId: null }])
    assert.deepEqual(await linesOf(goesOn?.id ?? ''), [{ name: 'identity.known', account: 'fay', conversationId }])
    assert.ok((goesOn?.unread ?? 0) >= 2 && goesOn?.waitingSince, 'somebody waits for an answer')
    await world().say(inbox, nameOf(after), '我登录了')
    const { said, conversation } = await read(after)
    assert.deepEqual(said, ['me: 昨天的订单', 'agent: 在查', 'me: 还有一个问题', 'me: 有人吗', 'me: 我登录了'])
    assert.deepEqual([conversation?.id, conversation?.status === 'closed'], [mine?.conversationId, false])
    for (const id of [conversationId, goesOn?.id ?? '']) assert.deepEqual(await seqsOf(id), upTo((await seqsOf(id)).length))
  })

  test('nobody had come to the user’s conversation yet: whoever talks with the stranger goes on in it', async () => {
    const inbox = await site()
    const user = await enter(inbox, { identity: await jwt('lei') })
    const everybody = await world().hub.em().find(Agent, {}, quiet)
    await world().hub.em().nativeUpdate(Agent, {}, { presence: 'offline' })
    const [waits] = await world().say(inbox, nameOf(user), '有人吗')
    const { token, conversationId } = await stranger(inbox, '换个浏览器问')
    const agent = await world().person('小梅', 'admin', { presence: 'away' })
    assert.equal((await agent.call('POST', `/api/conversations/${conversationId}/take`)).status, 200)
    await enter(inbox, { token, identity: await jwt('lei') })
    const goesOn = (await conversationsIn(inbox)).find(({ id }) => id === waits?.conversationId)
    assert.deepEqual([goesOn?.status, goesOn?.assigneeId], ['open', agent.id])
    for (const { id, presence } of everybody) await world().hub.em().nativeUpdate(Agent, { id }, { presence })
  })

  test('a block is not lifted by signing in, and shuts out no user: it is in the trail of who is blocked; a blocked user takes nothing over', async () => {
    const inbox = await site()
    const agent = await world().person('小何', 'admin')
    const { token, identity } = await stranger(inbox, '骗子')
    const blocked = await agent.call('POST', `/api/contacts/${identity.contactId}/block`, { identityId: identity.id })
    assert.equal(blocked.status, 200, JSON.stringify(blocked.body))
    const user = await enter(inbox, { token, identity: await jwt('gao') })
    await enter(inbox, { token, identity: await jwt('gao') })
    assert.deepEqual([nameOf(user), (await read(user)).said], ['u_gao', []])
    const now = await identityOf(identity.id)
    assert.deepEqual([now.externalId, now.blockedAt !== null], [nameOf(token), true])
    await assert.rejects(world().say(inbox, nameOf(token), '又来'), { code: 'HUB_IDENTITY_BLOCKED' })
    const { items } = (await agent.call('GET', `/api/contacts/${identity.contactId}/activities`)).body
    assert.deepEqual(
      items.map(({ name, details }: { name: string; details: { value: string }[] }) => [name, details[0]?.value]),
      [['signedIn', 'gao']],
    )

    // Blocked before anybody asks there: who is blocked is kept for a second.
    const elsewhere = await site()
    await world().say(elsewhere, 'u_gao', '你好')
    const gao = await world().identity(elsewhere.id, 'u_gao')
    await world().hub.em().nativeUpdate(Identity, { id: gao.id }, { blockedAt: new Date() })
    const second = await stranger(elsewhere, '我是另一个')
    const refused = await session(elsewhere, { token: second.token, identity: await jwt('gao') })
    assert.equal(refused.body.code, 'HUB_IDENTITY_BLOCKED')
    assert.equal((await identityOf(second.identity.id)).externalId, nameOf(second.token))
  })

  test('what was accepted before and had to wait is the user’s; what was being opened under the old name follows', async () => {
    const inbox = await site()
    await world().say(inbox, 'u_hua', '早')
    const user = await world().identity(inbox.id, 'u_hua')
    const { token, identity } = await stranger(inbox, '一')
    const em = world().hub.em()
    const event = { kind: 'message' as const, externalId: newId(), from: { externalId: nameOf(token) }, parts: [{ type: 'text' as const, text: '等着的' }] }
    const parked = {
      id: newId(),
      inboxId: inbox.id,
      externalId: event.externalId,
      senderId: nameOf(token),
      event,
      attempts: 1,
      error: '',
      createdAt: new Date(),
    }
    await em.insert(ParkedEvent, { ...parked, dueAt: new Date(Date.now() + 60_000) })
    const after = await enter(inbox, { token, identity: await jwt('hua') })
    await world().hasten()
    await eventually(async () => (await read(after)).said.includes('me: 等着的'), 'the parked words')

    // Another process had read the old identity before, and opened a conversation with it just now.
    const [like] = await conversationsIn(inbox)
    const late = {
      ...like,
      id: newId(),
      identityId: identity.id,
      openIdentityId: identity.id,
      contactId: identity.contactId,
      status: 'queued',
      assigneeId: null,
      lastSeq: 0,
    }
    await em.insert(Conversation, late as Conversation)
    await em.nativeUpdate(FormerName, { fromId: identity.id }, { recheckAt: new Date() })
    await world().running.sweep()
    await eventually(async () => {
      const row = await em.findOneOrFail(Conversation, { id: late.id }, quiet)
      return row.identityId === user.id && row.contactId === user.contactId && row.status === 'closed'
    }, 'the late conversation')
  })

  test('at once: the words of a stranger, two strangers, and their user’s first word end as one person with all that was said', async () => {
    const inbox = await site()
    const [one, two] = [await stranger(inbox, '一'), await stranger(inbox, '二')]
    const identity = await jwt('ivy')
    const said = ['一', '二']
    const written = async (who: string, text: string) => {
      const [accepted] = await world()
        .say(inbox, who, text)
        .catch((error) => {
          assert.equal(error.code, 'HUB_AUTH_REQUIRED')
          return [undefined]
        })
      if (accepted) said.push(text)
    }
    await Promise.all([
      ...[one, two, one, two].map(({ token }) => enter(inbox, { token, identity })),
      ...[1, 2, 3].flatMap((n) => [written(nameOf(one.token), `甲${n}`), written(nameOf(two.token), `乙${n}`), written('u_ivy', `她${n}`)]),
    ])
    const em = world().hub.em()
    await em.nativeUpdate(FormerName, { inboxId: inbox.id, recheckAt: { $ne: null } }, { recheckAt: new Date() })
    await world().running.sweep()
    await eventually(async () => (await em.count(FormerName, { inboxId: inbox.id, recheckAt: { $ne: null } })) === 0, 'the second look')
    const user = await world().identity(inbox.id, 'u_ivy')
    const all = await conversationsIn(inbox)
    assert.deepEqual(new Set(all.map(({ identityId }) => identityId)), new Set([user.id]))
    assert.equal(all.filter(({ openIdentityId }) => openIdentityId !== null).length, 1)
    for (const { id } of all) assert.deepEqual(await seqsOf(id), upTo((await seqsOf(id)).length))
    const thread = (await read(await enter(inbox, { identity }))).said.flatMap((text) => (text.startsWith('me: ') ? [text.slice(4)] : []))
    assert.deepEqual(thread.sort(), said.sort())
  })
})

const served = (await profiles()).includes('served')
describe('signing in at two processes', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  test('at both at once: one person, one open conversation, one line', async () => {
    const place = await makePlace('served')
    const webs = await Promise.all([startWorld(place, [plugin], { HUB_ROLE: 'web' }), startWorld(place, [plugin], { HUB_ROLE: 'web' })])
    try {
      const [a, b] = webs as [World, World]
      const inbox = await a.inbox('website', { identitySecret: key })
      const [atA, atB] = [siteOf(() => a), siteOf(() => b)]
      for (let round = 0; round < 4; round++) {
        const token = await atA.enter(inbox)
        const [said] = await a.say(inbox, nameOf(token), '在吗')
        const name = `user-${round}`
        const identity = await jwt(name)
        // Of every second one there is an open conversation already.
        const [mine] = round % 2 ? await b.say(inbox, `u_${name}`, '早') : []
        const went = await Promise.all([
          ...[atA, atB, atA, atB].map(({ enter }) => enter(inbox, { token, identity })),
          ...[a, b].map((world, i) => world.say(inbox, `u_${name}`, `同时说的 ${i}`).then(() => '')),
        ])
        const user = await b.identity(inbox.id, `u_${name}`)
        const all = (await atA.conversationsIn(inbox)).filter(({ identityId }) => identityId === user.id)
        const open = all.filter(({ openIdentityId }) => openIdentityId === user.id)
        assert.equal(open.length, 1)
        for (const { id } of all) assert.deepEqual(await atB.seqsOf(id), upTo((await atB.seqsOf(id)).length))
        const words = (await atB.read(went[0] as string)).said.filter((text) => text.startsWith('me: ')).sort()
        assert.deepEqual(words, [...(mine ? ['me: 早'] : []), 'me: 在吗', 'me: 同时说的 0', 'me: 同时说的 1'].sort())
        const lines = (await Promise.all(all.map(({ id }) => atA.linesOf(id)))).flat().filter((line) => line.name === 'identity.known')
        assert.deepEqual(
          lines.map((line) => 'account' in line && line.account),
          [name],
        )
        assert.ok(all.some(({ id }) => id === said?.conversationId))
      }
      assert.equal(await a.hub.em().count(Conversation, { inboxId: inbox.id, identityId: { $in: await strangersIn(a, inbox) } }), 0)
    } finally {
      for (const world of webs) await world.running.stop()
      await place.remove()
    }
  })
})
