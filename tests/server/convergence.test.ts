/** What a push lost, a client finds again; what a page cannot hold comes with the next one. One test a fault that was met. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { closeConversation } from '../../core/src/domain/conversation/close-conversation.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel('mock', { delivery: 'pull' })

async function listen(world: World, person: Person) {
  const revs = new Map<string, number>()
  const gone: string[] = []
  const socket = io(world.url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie } })
  await new Promise((resolve) => socket.once('ready', resolve))
  socket.on('conversation', ({ conversation }: { conversation: { id: string; rev: number } }) => revs.set(conversation.id, conversation.rev))
  socket.on('conversation.gone', ({ id }: { id: string }) => gone.push(id))
  return { revs, gone, stop: () => socket.disconnect() }
}

/** The bus loses every change while `work` runs, as it does when Redis is emptied. */
async function deaf<T>(world: World, work: () => Promise<T>): Promise<T> {
  const { bus } = world.hub
  const publish = bus.publish
  bus.publish = (topic, data) => {
    if (topic !== 'conversation.changed') publish.call(bus, topic, data)
  }
  try {
    return await work()
  } finally {
    bus.publish = publish
  }
}

await onEveryProfile('convergence', [found(manifest)], (world) => {
  test('a change whose push was lost is told all the same', async () => {
    const person = await world().person('小褚', 'admin')
    const inbox = await world().inbox('mock')
    const ears = await listen(world(), person)
    const [accepted] = await deaf(world(), () => world().say(inbox, 'lost', '没人听见的话'))
    const id = accepted?.conversationId ?? ''
    await eventually(() => ears.revs.has(id), 'the telling')
    ears.stop()
  })

  test('who may no longer see a conversation is told so, although the push of it was lost', async () => {
    const agent = await world().person('小卫', 'agent', { capacity: 50, openCount: -5 })
    const other = await world().person('小蒋', 'admin', { presence: 'away' })
    const inbox = await world().inbox('mock')
    const ears = await listen(world(), agent)
    const [accepted] = await world().say(inbox, 'moved', '转走我')
    const id = accepted?.conversationId ?? ''
    await eventually(() => ears.revs.has(id), 'the assignment')
    await deaf(world(), () => other.call('POST', `/api/conversations/${id}/transfer`, { agentId: other.id }))
    await eventually(() => ears.gone.includes(id), 'the farewell')
    ears.stop()
  })

  test('a contact whose renaming was lost has its new name soon after', async (t) => {
    const person = await world().person('小沈', 'admin')
    const inbox = await world().inbox('mock')
    const heard: string[] = []
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: person.cookie } })
    t.after(() => socket.disconnect())
    await new Promise((resolve) => socket.once('ready', resolve))
    let contactId = ''
    socket.on('conversation', ({ conversation: { inboxId, contact } }: { conversation: { inboxId: string; contact: { id: string; title: string } } }) => {
      if (inboxId !== inbox.id) return
      contactId = contact.id
      heard.push(contact.title)
    })
    const say = async () => {
      const before = heard.length
      await world().hub.intake.accept(inbox.id, [
        { kind: 'message', externalId: newId(), from: { externalId: 'renamed', name: '旧名' }, parts: [{ type: 'text', text: '在' }] },
      ])
      await eventually(() => heard.length > before, 'the push')
      return heard.at(-1)
    }
    assert.equal(await say(), '旧名')
    // Straight into the database: nobody is told.
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { nickname: '新名' })
    const now = Date.now
    t.mock.method(Date, 'now', () => now() + 31_000)
    assert.equal(await say(), '新名')
  })

  test('a hundred and twenty messages at once arrive at the customer’s client in a few turns, each once', async () => {
    const inbox = await world().inbox('mock')
    const desk = createDesk(world().hub)
    const customer = { inboxId: inbox.id, externalId: 'flood' }
    await world().say(inbox, 'flood', '第一条')
    let { cursor } = await desk.thread(customer, {})
    await Promise.all(Array.from({ length: 120 }, (_, i) => world().say(inbox, 'flood', `第 ${i} 条`, `flood-${i}`)))
    const got: string[] = []
    for (let turn = 0; ; turn++) {
      assert.ok(turn < 10, 'it goes round in circles')
      const page = await desk.thread(customer, { cursor })
      got.push(...page.messages.map((message) => message.id))
      cursor = page.cursor
      if (!page.more) break
    }
    assert.equal(new Set(got).size, 120)
  })

  test('a customer who was away for several conversations misses none', async () => {
    const inbox = await world().inbox('mock')
    const desk = createDesk(world().hub)
    const customer = { inboxId: inbox.id, externalId: 'away' }
    const [first] = await world().say(inbox, 'away', '一')
    let { cursor } = await desk.thread(customer, {})
    let id = first?.conversationId ?? ''
    for (const text of ['二', '三', '四']) {
      await closeConversation(world().hub, id, 'agent', null)
      id = (await world().say(inbox, 'away', text))[0]?.conversationId ?? ''
    }
    const texts: string[] = []
    for (let more = true; more; ) {
      const page = await desk.thread(customer, { cursor })
      texts.push(...page.messages.flatMap(({ from, parts }) => (from === 'me' && parts[0]?.type === 'text' ? [parts[0].text] : [])))
      ;({ cursor, more } = page)
    }
    assert.deepEqual(texts, ['二', '三', '四'])
  })
})
