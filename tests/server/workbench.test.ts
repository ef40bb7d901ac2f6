/** What the workbench lives on besides the two rivers: who else is here, pages both ways, the jump, drafts, counts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { io, type Socket } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { contactsBy } from '../../core/src/domain/conversation/find-by-contact.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Session } from '../../core/src/domain/session/session.entity.ts'
import { hashToken } from '../../core/src/domain/session/tokens.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, onEveryProfile, type Person, startWorld, type World } from '../support/world.ts'

const { manifest } = mockChannel()

interface Heard {
  conversationId: string
  kind: 'typing' | 'viewing'
  agentId: string | null
  active: boolean
}
async function ears(world: World, person: Person) {
  const heard: Heard[] = []
  const socket: Socket = io(world.url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie }, reconnection: false })
  await new Promise((resolve) => socket.once('ready', resolve))
  socket.on('ephemeral', (event: Heard) => heard.push(event))
  /** The last word about a colleague in a conversation. */
  const last = (agentId: string, kind: Heard['kind'] = 'viewing') => heard.findLast((event) => event.agentId === agentId && event.kind === kind)?.active
  return { socket, heard, last, stop: () => socket.disconnect() }
}
/** Everything said before on this socket has been heard when this has. */
const settled = (person: Person) => person.call('GET', '/api/me')

async function talk(world: World, assignee: Person, who = newId()): Promise<string> {
  const [accepted] = await world.say(await world.inbox('mock'), who, '你好')
  const id = accepted?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: assignee.id, status: 'open' })
  return id
}

function viewingTests(two: () => [World, World]): void {
  test('who looks and who answers is told to those who may see it, until they leave or their line breaks', async () => {
    const [a, b] = two()
    const owner = await a.person('周敏', 'owner', { presence: 'away' })
    const boss = await b.person('王芳', 'admin', { presence: 'away' })
    const stranger = await b.person('路人', 'agent', { presence: 'away' })
    const id = await talk(a, owner)
    const [first, second, outside] = [await ears(a, owner), await ears(b, boss), await ears(b, stranger)]
    first.socket.emit('viewing', { conversationId: id, active: true })
    await eventually(() => second.last(owner.id) === true, 'the first one seen by the second')
    // Who comes later learns of who was there, and the other way round.
    second.socket.emit('viewing', { conversationId: id, active: true })
    await eventually(() => first.last(boss.id) === true, 'the second one seen by the first')
    const late = await ears(b, await b.person('陈晨', 'admin', { presence: 'away' }))
    late.socket.emit('viewing', { conversationId: id, active: true })
    await eventually(() => late.last(owner.id) === true && late.last(boss.id) === true, 'both seen by the third')
    second.socket.emit('typing', { conversationId: id, active: true })
    await eventually(() => first.last(boss.id, 'typing') === true, 'the answering')
    // Who may not see the conversation looks at nothing, and hears nothing.
    outside.socket.emit('viewing', { conversationId: id, active: true })
    outside.socket.emit('typing', { conversationId: id, active: true })
    second.socket.emit('viewing', { conversationId: id, active: false })
    await eventually(() => first.last(boss.id) === false, 'the leaving')
    late.stop()
    await eventually(() => first.heard.some((event) => event.kind === 'viewing' && !event.active && event.agentId !== boss.id), 'the broken line')
    assert.deepEqual(outside.heard, [])
    assert.equal(first.last(stranger.id), undefined)
    assert.equal(first.last(stranger.id, 'typing'), undefined)
    first.stop()
    second.stop()
    outside.stop()
  })

  test('whoever loses sight of a conversation no longer looks at it', async () => {
    const [a, b] = two()
    const agent = await a.person('小卫', 'agent', { presence: 'busy' })
    const boss = await b.person('老板', 'owner', { presence: 'busy' })
    const id = await talk(a, agent)
    const [watcher, looking] = [await ears(b, boss), await ears(a, agent)]
    looking.socket.emit('viewing', { conversationId: id, active: true })
    await eventually(() => watcher.last(agent.id) === true, 'the looking')
    assert.equal((await boss.call('POST', `/api/conversations/${id}/transfer`, { agentId: boss.id })).status, 200)
    await eventually(() => watcher.last(agent.id) === false, 'the end of it')
    watcher.stop()
    looking.stop()
  })
}

await onEveryProfile('the workbench', [found(manifest)], (world, profile) => {
  viewingTests(() => [world(), world()])

  test('who may look but not answer is not shown as answering', async () => {
    const em = world().hub.em()
    const looker = await world().person('看客', 'agent', { presence: 'away' })
    const role = { id: newId(), builtin: null, name: '只看', grants: [{ permission: 'conversation.read', scope: 'all' as const }], createdAt: new Date() }
    await em.insert(Role, role)
    await em.nativeDelete(AgentRole, { agentId: looker.id })
    await em.insert(AgentRole, { agentId: looker.id, roleId: role.id })
    world().hub.access.clear()
    const owner = await world().person('周敏', 'owner', { presence: 'away' })
    const id = await talk(world(), owner)
    const [mine, theirs] = [await ears(world(), owner), await ears(world(), looker)]
    theirs.socket.emit('typing', { conversationId: id, active: true })
    theirs.socket.emit('viewing', { conversationId: id, active: true })
    await eventually(() => mine.last(looker.id) === true, 'the looking')
    await settled(owner)
    assert.equal(mine.last(looker.id, 'typing'), undefined)
    for (const bad of [null, 7, {}, { conversationId: 'x', active: true }, { conversationId: newId(), active: true }]) theirs.socket.emit('viewing', bad)
    await settled(looker)
    mine.stop()
    theirs.stop()
  })

  test('a visitor’s typing is told to who may see only their inbox', async () => {
    const agent = await world().person('小蔡', 'agent', { presence: 'away' })
    const inbox = await world().inbox('mock')
    const em = world().hub.em()
    const line = {
      id: newId(),
      builtin: null,
      name: newId(),
      createdAt: new Date(),
      grants: [{ permission: 'conversation.read', scope: 'all' as const, inboxIds: [inbox.id] }],
    }
    await em.insert(Role, line)
    await em.nativeUpdate(AgentRole, { agentId: agent.id }, { roleId: line.id })
    world().hub.access.clear()
    const who = newId()
    const [accepted] = await world().say(inbox, who, '在吗')
    const { socket, heard, stop } = await ears(world(), agent)
    await createDesk(world().hub).typing({ inboxId: inbox.id, externalId: who }, '我想问')
    await eventually(
      () => heard.some(({ conversationId, kind, agentId }) => conversationId === accepted?.conversationId && kind === 'typing' && !agentId),
      'it',
    )
    assert.ok(socket.connected)
    stop()
  })

  test('a session that is gone hears nothing more, though nobody said so', async () => {
    const agent = await world().person('小贝', 'agent', { presence: 'away' })
    const other = await world().signIn(agent.agent)
    const [lasting, ended] = [await ears(world(), agent), await ears(world(), other)]
    const token = other.cookie.split('=')[1] ?? ''
    const gone = new Promise((resolve) => ended.socket.once('disconnect', resolve))
    // As when the news of its end is lost, or its time is up.
    await world()
      .hub.em()
      .nativeUpdate(Session, { tokenHash: hashToken(token) }, { expiresAt: new Date() })
    await gone
    assert.ok(lasting.socket.connected)
    lasting.stop()
  })

  test('a thread is read from any place, both ways, and one message by itself', async () => {
    const owner = await world().person('周敏', 'owner', { presence: 'away' })
    const stranger = await world().person('路人', 'agent', { presence: 'away' })
    const id = await talk(world(), owner)
    for (let i = 0; i < 6; i++)
      await owner.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [{ type: 'text', text: `第 ${i} 句` }], note: true })
    const seqs = async (query: string) => {
      const { body } = await owner.call('GET', `/api/conversations/${id}/messages?${query}`)
      return [body.items.map((message: { seq: number }) => message.seq), body.more]
    }
    const all = (await seqs('limit=200'))[0] as number[]
    assert.deepEqual(await seqs('after=0&limit=3'), [all.slice(0, 3), true])
    assert.deepEqual(await seqs(`after=${all[2]}&limit=200`), [all.slice(3), false])
    assert.deepEqual(await seqs(`before=${all[3]}&limit=2`), [all.slice(1, 3), true])
    const [message] = (await owner.call('GET', `/api/conversations/${id}/messages?limit=1`)).body.items
    assert.equal((await owner.call('GET', `/api/messages/${message.id}`)).body.id, message.id)
    assert.equal((await stranger.call('GET', `/api/messages/${message.id}`)).status, 404)
    assert.equal((await owner.call('GET', `/api/messages/${newId()}`)).status, 404)
  })

  test('the jump finds by number and by how nickname and remark begin, by the whole of what one may see of the person, within what one may see', async () => {
    const em = world().hub.em()
    const owner = await world().person('周敏', 'owner', { presence: 'away' })
    const agent = await world().person('小何', 'agent', { presence: 'away' })
    const [mine, other] = [await talk(world(), agent), await talk(world(), owner)]
    const contactOf = async (id: string) => (await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })).contactId
    await em.nativeUpdate(Contact, { id: await contactOf(mine) }, { nickname: '杭州茶馆_甲', phone: '13800138000' })
    await em.nativeUpdate(Contact, { id: await contactOf(other) }, { remark: '杭州茶馆的老板' })
    const jump = async (person: Person, q: string) =>
      (await person.call('GET', `/api/conversations/jump?q=${encodeURIComponent(q)}`)).body.items.map((item: { id: string }) => item.id)
    assert.deepEqual((await jump(owner, '杭州茶馆')).sort(), [mine, other].sort())
    assert.deepEqual(await jump(agent, '杭州茶馆'), [mine])
    await em.nativeUpdate(Contact, { id: await contactOf(mine) }, { email: 'Lin.Yue@Shanye.cn' })
    assert.deepEqual(await jump(agent, 'lin.YUE@shanye.CN'), [mine])
    // What is sealed is found as a whole only.
    assert.deepEqual(await jump(agent, 'lin.YUE@'), [])
    assert.deepEqual(await jump(agent, '138001380'), [])
    // A beginning, not a middle; and no sign is a wildcard.
    for (const none of ['馆_甲', '%', '_', '杭州茶馆%', '杭州_', '8001', '\\']) assert.deepEqual(await jump(agent, none), [], none)
    assert.deepEqual(await jump(agent, '+86 138 0013 8000'), [mine])
    const { number } = await em.findOneOrFail(Contact, { id: await contactOf(other) }, { disableIdentityMap: true })
    assert.deepEqual(await jump(owner, `#${number}`), [other])
    // Each field has its index, on both databases, and no more is read than is asked for.
    for (const field of ['nickname', 'remark', 'name', 'phone', 'email'] as const) {
      const { text, params } = contactsBy(world().hub.em(), field, 'a')
      const plan = JSON.stringify(await em.execute(`explain ${profile === 'served' ? '' : 'query plan '}${text}`, [...params]))
      assert.match(plan, new RegExp(`contact_${field}_key`), plan)
      assert.doesNotMatch(plan, /"type":"(ALL|index)"|SCAN|filesort|TEMP B-TREE/, plan)
      assert.match(text, / limit \?$/)
    }
    const role = {
      id: newId(),
      builtin: null,
      name: '不看电话',
      grants: [
        { permission: 'conversation.read', scope: 'all' as const },
        { permission: 'contact.personal', fields: ['name'] },
      ],
      createdAt: new Date(),
    }
    await em.insert(Role, role)
    await em.nativeDelete(AgentRole, { agentId: agent.id })
    await em.insert(AgentRole, { agentId: agent.id, roleId: role.id })
    world().hub.access.clear()
    assert.deepEqual(await jump(agent, '13800138000'), [])
    assert.equal((await agent.call('GET', '/api/conversations/jump?q=')).body.code, 'HUB_REQUEST_INVALID')
  })

  test('a draft is on the hub: another browser of the same agent has it, nobody else does', async () => {
    const agent = await world().person('小何', 'agent', { presence: 'away' })
    const owner = await world().person('周敏', 'owner', { presence: 'away' })
    const id = await talk(world(), agent)
    assert.equal((await agent.call('PUT', `/api/conversations/${id}/draft`, { text: '您好，发票' })).status, 200)
    const elsewhere = await world().signIn(agent.agent)
    assert.equal((await elsewhere.call('GET', `/api/conversations/${id}/draft`)).body.text, '您好，发票')
    assert.equal((await owner.call('GET', `/api/conversations/${id}/draft`)).body.text, '')
    assert.deepEqual((await elsewhere.call('GET', '/api/drafts')).body.items, [{ conversationId: id, text: '您好，发票' }])
    assert.deepEqual((await owner.call('GET', '/api/drafts')).body.items, [])
    await agent.call('PUT', `/api/conversations/${id}/draft`, { text: '老客户', note: true })
    assert.deepEqual((await elsewhere.call('GET', `/api/conversations/${id}/draft`)).body, { text: '老客户', note: true })
    const replyToId = newId()
    await agent.call('PUT', `/api/conversations/${id}/draft`, { text: '老客户', replyToId })
    assert.deepEqual((await elsewhere.call('GET', `/api/conversations/${id}/draft`)).body, { text: '老客户', replyToId })
    assert.equal((await agent.call('PUT', `/api/conversations/${id}/draft`, { text: '老客户', replyToId: 'x' })).body.code, 'HUB_REQUEST_INVALID')
    await elsewhere.call('PUT', `/api/conversations/${id}/draft`, { text: '' })
    assert.equal((await agent.call('GET', `/api/conversations/${id}/draft`)).body.text, '')
    assert.equal((await agent.call('PUT', `/api/conversations/${newId()}/draft`, { text: 'x' })).status, 404)
  })

  test('a draft keeps its files and whom it goes to, and says which file is gone', async () => {
    const agent = await world().person('小施', 'agent', { presence: 'away' })
    const id = await talk(world(), agent)
    const path = `/api/conversations/${id}/draft`
    const file = { hash: '0'.repeat(64), mime: 'application/pdf', size: 10, uploadedBy: agent.id, createdAt: new Date() }
    const files = ['报价单.pdf', '合同.pdf'].map((name) => ({ type: 'file', fileId: newId(), name, mime: file.mime, size: file.size }))
    for (const { fileId, name } of files)
      await world()
        .hub.em()
        .insert(StoredFile, { ...file, id: fileId, name })
    const draft = { text: '', files, letter: { subject: '报价', to: 'li@x.cn, wang@', cc: '' } }
    assert.equal((await agent.call('PUT', path, draft)).status, 200)
    assert.deepEqual((await agent.call('GET', path)).body, { ...draft, gone: [] })
    assert.deepEqual((await agent.call('GET', '/api/drafts')).body.items, [{ conversationId: id, text: '报价单.pdf, 合同.pdf' }])
    await world().hub.em().nativeDelete(StoredFile, { id: files[1]?.fileId })
    assert.deepEqual((await agent.call('GET', path)).body.gone, [files[1]?.fileId])
    // Somebody else's is none of theirs.
    await world().hub.em().nativeUpdate(StoredFile, { id: files[0]?.fileId }, { uploadedBy: newId() })
    assert.equal((await agent.call('GET', path)).body.gone.length, 2)
    await agent.call('PUT', path, { text: '' })
    assert.deepEqual((await agent.call('GET', '/api/drafts')).body.items, [])
    assert.equal((await agent.call('PUT', path, { text: '', files: Array(51).fill(files[0]) })).body.code, 'HUB_REQUEST_INVALID')
  })

  test('unread counts every open conversation of one’s own, seen or not', async () => {
    const agent = await world().person('小何', 'agent', { presence: 'away' })
    const before = (await agent.call('GET', '/api/conversations/counts')).body.unread
    await talk(world(), agent)
    await talk(world(), agent)
    assert.equal((await agent.call('GET', '/api/conversations/counts')).body.unread, before + 2)
  })

  test('unread counts only what the list shows: no other line of business, nothing in the recycle bin', async () => {
    const agent = await world().person('小吕', 'agent', { presence: 'away' })
    const [kept, other, binned] = [await talk(world(), agent), await talk(world(), agent), await talk(world(), agent)]
    const em = world().hub.em()
    const { inboxId } = await em.findOneOrFail(Conversation, { id: kept }, { disableIdentityMap: true })
    await em.nativeUpdate(Conversation, { id: other }, { inboxId: newId() })
    await em.nativeUpdate(Conversation, { id: binned }, { deletedAt: new Date() })
    const { unread: all } = await em.findOneOrFail(Conversation, { id: kept }, { disableIdentityMap: true })
    await world().grant(agent, [{ permission: 'conversation.read', scope: 'own', inboxIds: [inboxId] }])
    const { body } = await agent.call('GET', '/api/conversations/counts')
    assert.deepEqual([body.mine, body.unread], [1, all])
    assert.ok(all > 0)
  })
})

const served = (await profiles()).includes('served')
describe('the workbench on two processes', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  let worlds: [World, World]
  before(async () => {
    const place = await makePlace('served')
    const [a, b] = await Promise.all([0, 1].map(() => startWorld(place, [found(mockChannel().manifest)])))
    worlds = [a as World, b as World]
  })
  after(async () => {
    await Promise.all(worlds.map((world) => world.running.stop()))
    await worlds[0].place.remove()
  })
  viewingTests(() => worlds)
})
