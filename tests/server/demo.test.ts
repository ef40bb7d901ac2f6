/** `npm start -- --demo`: what is written on the demo page is the one's at the screen, whatever the others of the story are doing. */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { fillDemo } from '../../core/src/demo/fill.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import website from '../../plugins/website/plugin.ts'
import { found, onEveryProfile, type Person } from '../support/world.ts'

await onEveryProfile('the demonstration', [found(website)], (world) => {
  let owner: Person
  let inbox: Inbox
  let asked = 0
  before(async () => {
    const login = (await fillDemo(world().hub)) ?? ''
    const em = world().hub.em()
    owner = await world().signIn(await em.findOneOrFail(Agent, { email: login.split(' / ')[0] }))
    inbox = await em.findOneOrFail(Inbox, { channel: 'website' })
  })

  /** Somebody new writes; whose it is. */
  async function ask(where = inbox): Promise<{ id: string; status: string; assigneeId: string | null }> {
    const [accepted] = await world().say(where, `visitor-${++asked}`, '老班章头采还有货吗？')
    return conversation(accepted?.conversationId ?? '')
  }
  const conversation = async (id: string) => {
    const { status, assigneeId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    return { id, status, assigneeId: assigneeId ?? null }
  }
  const here = async () => assert.equal((await owner.call('PUT', '/api/me/presence', { presence: 'online' })).status, 200)

  test('colleagues are at their desks, as the story has it, and serve whom it gave them', async () => {
    const { items } = (await owner.call('GET', '/api/agents')).body as { items: { id: string; presence: string; openCount: number; capacity: number }[] }
    const others = items.filter(({ id }) => id !== owner.id)
    assert.deepEqual(others.map(({ presence }) => presence).sort(), ['away', 'busy', 'online', 'online'])
    for (const { presence, openCount, capacity } of others) assert.ok(capacity > 0 && (presence !== 'online' || openCount === capacity), presence)
  })

  test('what is written before anybody signs in waits, and goes to who signs in', async () => {
    const { id, assigneeId } = await ask()
    assert.equal(assigneeId, null)
    await here()
    assert.equal((await conversation(id)).assigneeId, owner.id)
  })

  test('what is written while they are there is theirs, in an inbox they make too', async () => {
    await here()
    assert.equal((await ask()).assigneeId, owner.id)
    assert.equal((await ask(await world().inbox('website'))).assigneeId, owner.id)
  })
})
