/** Prepared statements write and read exactly what the ORM writes and reads, in the same transaction. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { Em } from '../../core/src/db/orm.ts'
import { changedProperties, forUpdate, insertRows, list, readRows, sql, updateRows } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { onEveryProfile } from '../support/world.ts'

const at = new Date('2026-11-22T03:04:05.678Z')
const message = (conversationId: string, seq: number, fields: Partial<Message> = {}) =>
  ({
    id: newId(),
    conversationId,
    inboxId: conversationId,
    seq,
    rev: seq,
    direction: 'in',
    authorId: null,
    writerId: seq % 5 === 0 ? conversationId : null,
    parts: [{ type: 'text', text: `第${seq}句 "引号" \\ 反斜杠 😀 ? :x $1` }],
    text: `第${seq}句 😀`,
    besides: seq % 3 === 0 ? '主题' : null,
    status: 'received',
    dedupeKey: `in:${seq}`,
    externalId: null,
    replyToId: null,
    failure: null,
    failureText: null,
    meta: seq % 3 === 0 ? { subject: '主题' } : null,
    done: 0,
    round: 1,
    recalledAt: seq % 2 === 0 ? at : null,
    sentAt: at,
    createdAt: new Date(at.getTime() + seq),
    ...fields,
  }) as Message
const plain = (rows: object[]) => rows.map((row) => ({ ...row }))
const byOrm = (em: Em, conversationId: string) => em.find(Message, { conversationId }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })

await onEveryProfile('prepared statements', [], (world) => {
  it('writes what the ORM reads and reads what the ORM writes, however many rows', async () => {
    const em = world().hub.em()
    for (const count of [1, 3, 4, 5, 64, 85]) {
      const [mine, theirs] = [newId(), newId()]
      const rows = Array.from({ length: count }, (_, i) => message(mine, i + 1))
      await insertRows(em, Message, rows)
      assert.deepEqual(plain(await byOrm(em, mine)), rows)
      const others = rows.map((row) => ({ ...row, id: newId(), conversationId: theirs, inboxId: theirs }) as Message)
      await em.insertMany(Message, others)
      assert.deepEqual(await readRows(em, Message, sql`where conversation_id = ${theirs} order by seq`), plain(others))
    }
  })

  it('reads and writes yes and no', async () => {
    const em = world().hub.em()
    const identity = {
      id: newId(),
      inboxId: newId(),
      externalId: '甲',
      sealedId: '',
      contactId: newId(),
      attributes: { a: [1, null] },
      profile: null,
      facts: null,
      address: '',
      grants: null,
      blockedAt: null,
      blockedById: null,
      createdAt: at,
    }
    const rows = [
      { ...identity, verified: true },
      { ...identity, id: newId(), externalId: '乙', verified: false, blockedAt: at },
    ] as Identity[]
    await insertRows(em, Identity, rows)
    assert.deepEqual(plain(await em.find(Identity, { inboxId: identity.inboxId }, { orderBy: { id: 'asc' }, disableIdentityMap: true })), rows)
    assert.deepEqual(await readRows(em, Identity, sql`where inbox_id = ${identity.inboxId} and external_id in ${list(['甲', '乙', '丙'])} order by id`), rows)
  })

  it('changes only what it is told, in as many rows as it is given', async () => {
    const em = world().hub.em()
    for (const count of [1, 2, 4, 70]) {
      const conversation = newId()
      const rows = Array.from({ length: count }, (_, i) => message(conversation, i + 1))
      await insertRows(em, Message, rows)
      const changed = rows.map(
        (row) =>
          ({
            ...row,
            rev: row.rev + 100,
            text: `改 ${row.seq}`,
            parts: [{ type: 'text', text: 'x'.repeat(row.seq) }],
            recalledAt: row.recalledAt ? null : at,
          }) as Message,
      )
      assert.deepEqual(changedProperties(em, Message, rows[0] as Message, changed[0] as Message), ['rev', 'parts', 'text', 'recalledAt'])
      await updateRows(em, Message, changed, ['rev', 'parts', 'recalledAt'])
      assert.deepEqual(
        plain(await byOrm(em, conversation)),
        changed.map((row) => ({ ...row, text: `第${row.seq}句 😀` })),
      )
    }
  })

  it('is part of the transaction it is in, and fails as the ORM does', async () => {
    const em = world().hub.em()
    const conversation = newId()
    await assert.rejects(
      em.transactional(async (tx) => {
        await insertRows(tx as Em, Message, [message(conversation, 1)])
        assert.equal((await byOrm(tx as Em, conversation)).length, 1)
        assert.equal((await readRows(tx as Em, Message, sql`where conversation_id = ${conversation} ${forUpdate(tx as Em)}`)).length, 1)
        await insertRows(tx as Em, Message, [message(conversation, 1, { dedupeKey: 'another' })])
      }),
      UniqueConstraintViolationException,
    )
    assert.deepEqual(await byOrm(em, conversation), [])
    assert.deepEqual(await readRows(em, Contact, sql`where id in ${list([newId()])}`), [])
  })
})
