/** Blocking somebody: who they are, where they come from, what is being said; all of it or nothing. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { BlockedAddress, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

await onEveryProfile('blocking', [found(mockChannel().manifest)], (world) => {
  const say = (inbox: Inbox, externalId: string, ip?: string) =>
    world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId, ...(ip ? { ip } : {}) }, parts: [{ type: 'text', text: '…' }] },
    ])
  const identityOf = (inbox: Inbox, externalId: string) => world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id, externalId })
  const shut = async (inbox: Inbox) => (await world().hub.em().find(BlockedAddress, { inboxId: inbox.id })).map(({ address }) => address).sort()

  test('the address of the last conversation is shut with who is blocked, and opened with them', async () => {
    const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
    const [who, other] = [newId(), newId()]
    const [first] = await say(inbox, who, '203.0.113.7')
    await say(inbox, other, '203.0.113.8')
    const { id, contactId, address } = await identityOf(inbox, who)
    assert.equal(address, '203.0.113.7')
    const [row] = await readRaw<{ address: string }>(world().hub.em(), sql`select address from identity where id = ${id}`)
    assert.doesNotMatch(row?.address ?? '', /203\.0\.113/, 'at rest it is sealed')
    await owner.call('POST', `/api/conversations/${first?.conversationId}/close`)
    await say(inbox, who, '203.0.113.9')
    assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 200)
    assert.deepEqual(await shut(inbox), ['203.0.113.9'])
    assert.equal(await world().hub.em().count(Conversation, { openIdentityId: id }), 0)
    assert.doesNotMatch(JSON.stringify((await owner.call('GET', `/api/contacts/${contactId}`)).body), /203\.0\.113/)
    await owner.call('DELETE', `/api/contacts/${contactId}/block/${id}`)
    assert.deepEqual(await shut(inbox), [])
  })

  test('an address stays shut until the last of those who came from it is let in again', async () => {
    const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
    const people = [newId(), newId()]
    for (const who of people) await say(inbox, who, '203.0.113.20')
    const [one, two] = [await identityOf(inbox, people[0] as string), await identityOf(inbox, people[1] as string)]
    for (const { id, contactId } of [one, two]) assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 200)
    assert.equal((await owner.call('DELETE', `/api/contacts/${one.contactId}/block/${one.id}`)).status, 200)
    assert.deepEqual(await shut(inbox), ['203.0.113.20'])
    assert.equal((await owner.call('DELETE', `/api/contacts/${two.contactId}/block/${two.id}`)).status, 200)
    assert.deepEqual(await shut(inbox), [])
  })

  test('who has no address is blocked all the same', async () => {
    const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
    const who = newId()
    await say(inbox, who)
    const { id, contactId } = await identityOf(inbox, who)
    assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 200)
    assert.deepEqual(await shut(inbox), [])
    assert.ok((await identityOf(inbox, who)).blockedAt)
  })

  test('an agent blocks the customer they talk with, not one who is talking with a colleague', async () => {
    const [agent, colleague, inbox] = [await world().person('小彭'), await world().person('小鲁'), await world().inbox('mock')]
    const [here, there] = [newId(), newId()]
    await say(inbox, here)
    await say(inbox, there)
    const em = world().hub.em()
    const [mine, theirs] = [await identityOf(inbox, here), await identityOf(inbox, there)]
    const hold = (identityId: string, assigneeId: string) => em.nativeUpdate(Conversation, { openIdentityId: identityId }, { assigneeId, status: 'open' })
    await hold(mine.id, agent.id)
    await hold(theirs.id, colleague.id)
    // One person in two places.
    const { contactId } = mine
    await em.nativeUpdate(Identity, { id: theirs.id }, { contactId })
    await em.nativeUpdate(Conversation, { identityId: theirs.id }, { contactId })
    const block = async (identityId: string) => (await agent.call('POST', `/api/contacts/${contactId}/block`, { identityId })).status
    assert.equal(await block(theirs.id), 404)
    assert.equal(await em.count(Conversation, { openIdentityId: theirs.id }), 1)
    assert.equal((await em.findOneOrFail(Identity, { id: theirs.id }, { disableIdentityMap: true })).blockedAt, null)
    assert.equal(await block(mine.id), 200)
    assert.equal(await em.count(Conversation, { openIdentityId: mine.id }), 0)
  })

  test('a block that fails half way has blocked nothing', async () => {
    const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
    const who = newId()
    await say(inbox, who, '203.0.113.7')
    const { id, contactId } = await identityOf(inbox, who)
    const { kernel } = world().hub
    const listeners = kernel.listeners.bind(kernel)
    const broken = mock.method(kernel, 'listeners', (name: Parameters<typeof listeners>[0]) => {
      if (name === 'conversation.closed') throw new Error('the database went away')
      return listeners(name)
    })
    try {
      assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 500)
    } finally {
      broken.mock.restore()
    }
    assert.deepEqual(await shut(inbox), [])
    assert.equal((await identityOf(inbox, who)).blockedAt, null)
    assert.equal(await world().hub.em().count(Conversation, { openIdentityId: id }), 1)
  })
})
