/** `addsTo`: what only adds to an earlier event goes where that is, also into a conversation that has ended, and wakes nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel('calls')

await onEveryProfile('additions', [found(manifest)], (world) => {
  const tell = async (inbox: Inbox, kind: 'message' | 'echo', who: string, externalId: string, more: { addsTo?: string; at?: Date } = {}) => {
    const { at: sentAt = new Date(), ...rest } = more
    const [accepted] = await world().hub.intake.accept(inbox.id, [
      { kind, externalId, from: { externalId: who }, parts: [{ type: 'text', text: externalId.slice(0, 20) }], sentAt, ...rest },
    ])
    return accepted as { conversationId: string; messageId: string; duplicate: boolean }
  }
  const row = (id: string) => world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
  const waiting = async (id: string) => {
    const { status, unread, waitingSince, lastSeq } = await row(id)
    return [status, unread, waitingSince?.getTime(), lastSeq]
  }

  test('of one that waits for an answer it is no further word, and none of our side’s is the answer; once it has ended it stays so', async () => {
    const inbox = await world().inbox('calls')
    const agent = await world().person('小安', 'admin')
    const call = `call-${'9'.repeat(300)}`
    const { conversationId } = await tell(inbox, 'message', 'a', call)
    const [status, unread, since, seq] = await waiting(conversationId)
    assert.deepEqual([unread, typeof since], [1, 'number'])
    for (const [i, kind] of (['message', 'echo'] as const).entries()) {
      assert.equal((await tell(inbox, kind, 'a', newId(), { addsTo: call })).conversationId, conversationId)
      assert.deepEqual(await waiting(conversationId), [status, unread, since, Number(seq) + i + 1])
    }
    await agent.call('POST', `/api/conversations/${conversationId}/close`)
    const ended = await waiting(conversationId)
    // With a next one open it goes to its own all the same.
    const next = await tell(inbox, 'message', 'a', newId())
    assert.notEqual(next.conversationId, conversationId)
    const before = await waiting(next.conversationId)
    for (const kind of ['message', 'echo'] as const) {
      const added = newId()
      assert.equal((await tell(inbox, kind, 'a', added, { addsTo: call })).conversationId, conversationId)
      assert.equal((await tell(inbox, kind, 'a', added, { addsTo: call })).duplicate, true)
    }
    assert.deepEqual(await waiting(conversationId), ['closed', ended[1], ended[2], Number(ended[3]) + 2])
    assert.deepEqual(await waiting(next.conversationId), before)
    assert.equal(await world().hub.em().count(Message, { inboxId: inbox.id }), await count(inbox))
  })
  const count = async (inbox: Inbox) =>
    (
      await world()
        .hub.em()
        .find(Conversation, { inboxId: inbox.id }, { fields: ['lastSeq'], disableIdentityMap: true })
    ).reduce((sum, { lastSeq }) => sum + lastSeq, 0)

  test('what it adds to is ours too; of what is not here, or is somebody else’s, it is as if it named nothing', async () => {
    const inbox = await world().inbox('calls')
    const { conversationId } = await tell(inbox, 'message', 'b', newId())
    await tell(inbox, 'echo', 'b', 'call-out')
    assert.equal((await waiting(conversationId))[2], undefined)
    await tell(inbox, 'message', 'b', newId(), { addsTo: 'call-out' })
    assert.deepEqual((await waiting(conversationId)).slice(1, 3), [1, undefined])
    await tell(inbox, 'message', 'b', newId(), { addsTo: 'never' })
    assert.equal((await waiting(conversationId))[1], 2)
    const other = await tell(inbox, 'message', 'c', newId(), { addsTo: 'call-out' })
    assert.notEqual(other.conversationId, conversationId)
    assert.equal((await waiting(other.conversationId))[1], 1)
    // Another inbox has names of its own.
    const elsewhere = await world().inbox('calls')
    assert.notEqual((await tell(elsewhere, 'message', 'b', newId(), { addsTo: 'call-out' })).conversationId, conversationId)
  })

  test('told at once, the pieces and what they add to lie in one conversation', async () => {
    const inbox = await world().inbox('calls')
    const told = await Promise.all(
      ['d', 'e', 'f'].map(async (who) => [
        await tell(inbox, 'message', who, `call-${who}`),
        await tell(inbox, 'echo', who, `note-${who}`, { addsTo: `call-${who}` }),
      ]),
    )
    for (const [one, two] of told) {
      assert.equal(one?.conversationId, two?.conversationId)
      assert.equal((await waiting(one?.conversationId ?? ''))[1], 1)
    }
  })
})
