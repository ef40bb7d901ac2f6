/** Who served a conversation, whoever has it last: found by, from the first day on and in a database that is older than the table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { RecordFilter } from '../../core/sdk/wire/record.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { Assignment, Conversation, ConversationAgent } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { purge } from '../../core/src/domain/record/purge.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, onEveryProfile, type Person, silent } from '../support/world.ts'

const { manifest } = mockChannel()

await onEveryProfile('served by', [found(manifest)], (world) => {
  const idsOf = async (person: Person, filter: RecordFilter): Promise<string[]> => {
    const { body } = await person.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}`)
    return body.items.map(({ id }: { id: string }) => id)
  }

  test('whoever had it and whoever helped served it; who has it last is asked for by itself', async () => {
    const admin = await world().person('管理', 'admin')
    const [first, second, helper, never] = [
      await world().person('甲'),
      await world().person('乙'),
      await world().person('丙', 'admin'),
      await world().person('丁'),
    ]
    const inbox = await world().inbox('mock')
    const [said] = await world().say(inbox, newId(), '您好')
    const id = said?.conversationId as string
    assert.equal((await admin.call('POST', `/api/conversations/${id}/transfer`, { agentId: first.id })).status, 200)
    await world().reply(first, id, '请稍等')
    assert.equal((await world().reply(helper, id, '我补充一句')).status, 201)
    assert.equal((await admin.call('POST', `/api/conversations/${id}/transfer`, { agentId: second.id })).status, 200)
    await world().reply(second, id, '已为您处理')
    for (const { id: agentId } of [first, second, helper]) assert.deepEqual(await idsOf(admin, { servedByIds: [agentId] }), [id])
    assert.deepEqual(await idsOf(admin, { servedByIds: [never.id] }), [])
    assert.deepEqual(await idsOf(admin, { servedByIds: [never.id, first.id, second.id] }), [id])
    assert.deepEqual(await idsOf(admin, { agentIds: [second.id] }), [id])
    for (const { id: agentId } of [first, helper]) assert.deepEqual(await idsOf(admin, { agentIds: [agentId] }), [])
    // To have served it is no right to see it.
    assert.deepEqual(await idsOf(first, { servedByIds: [first.id] }), [])
    const kept = async () => (await world().hub.em().find(ConversationAgent, { conversationId: id })).map(({ agentId }) => agentId)
    assert.equal((await kept()).includes(second.id), false, 'whoever has it stands in the conversation')

    await world().hub.em().nativeUpdate(Conversation, { id }, { purgeAt: new Date() })
    await purge(world().hub, id)
    assert.deepEqual(await kept(), [])
  })
})

for (const profile of await profiles())
  test(`what was served before the table was there [${profile}]`, async () => {
    const place = await makePlace(profile, { empty: true })
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const orm = await openOrm(place)
    try {
      // All else is there: the rows are written as they are today.
      const others = coreHistory.migrations.filter(({ name }) => name !== '0075-conversation-agent')
      assert.equal(others.length, coreHistory.migrations.length - 1)
      await migrate(orm, dialect, [{ owner: 'core', migrations: others }], silent)
      const em = orm.em.fork() as Em
      const [now, before, helper, customer] = [newId(), newId(), newId(), newId()]
      const rows = [now, null].map((assigneeId) => ({ id: newId(), assigneeId }))
      const createdAt = new Date()
      for (const { id, assigneeId } of rows) {
        await em.insert(Conversation, {
          ...{ id, assigneeId, inboxId: newId(), channel: 'mock', contactId: customer, identityId: newId(), status: 'closed' },
          ...{ lastMessageAt: createdAt, createdAt, changedAt: createdAt },
        })
        for (const [fromAgentId, toAgentId] of [
          [null, before],
          [before, now],
        ] as const)
          await em.insert(Assignment, { id: newId(), conversationId: id, fromAgentId, toAgentId, byAgentId: null, reason: 'transferred', createdAt })
        for (const [seq, direction, authorId] of [
          [1, 'out', helper],
          [2, 'out', helper],
          [3, 'in', null],
          [4, 'note', customer],
        ] as const)
          await em.insert(Message, {
            ...{ id: newId(), conversationId: id, inboxId: newId(), seq, rev: seq, direction, authorId, parts: [], text: '', status: 'sent' },
            ...{ dedupeKey: newId(), sentAt: createdAt, createdAt },
          })
      }
      await migrate(orm, dialect, [coreHistory], silent)
      const servedOf = async (id: string | undefined) =>
        (await em.find(ConversationAgent, { conversationId: id as string })).map(({ agentId }) => agentId).sort()
      assert.deepEqual(await servedOf(rows[0]?.id), [before, helper].sort())
      assert.deepEqual(await servedOf(rows[1]?.id), [now, before, helper].sort())
    } finally {
      await orm.close()
      await place.remove()
    }
  })
