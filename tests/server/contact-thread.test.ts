/** All that was said with one person is one thread: every page, from either end, what a naive merge gives; and only what the reader may see. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InboundEvent } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { ContactThread } from '../../core/sdk/wire/contact.ts'
import type { RecordFilter } from '../../core/sdk/wire/record.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest } = mockChannel('mock')
const minute = 60_000

await onEveryProfile('the thread of a contact', [found(manifest)], (world) => {
  async function somebody() {
    const claims = [{ kind: 'unionid' as const, value: newId(), verified: true }]
    const inboxes = [await world().inbox('mock'), await world().inbox('mock'), await world().inbox('mock')] as [Inbox, Inbox, Inbox]
    const say = async (inbox: Inbox, text: string) => {
      const from = { externalId: `who-${claims[0]?.value}`, claims }
      const event = { kind: 'message', externalId: newId(), from, parts: [{ type: 'text', text }] } as InboundEvent
      return (await world().hub.intake.accept(inbox.id, [event]))[0]?.conversationId ?? ''
    }
    return { inboxes, say }
  }
  const contactOf = async (id: string) => (await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })).contactId
  const address = (contactId: string, query: Record<string, string | number | undefined>, filter?: RecordFilter) => {
    const given = Object.entries({ ...query, filter: filter && JSON.stringify(filter) }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    )
    return `/api/contacts/${contactId}/messages?${new URLSearchParams(given)}`
  }
  async function page(who: Person, contactId: string, query: Record<string, string | number | undefined>, filter?: RecordFilter): Promise<ContactThread> {
    const { status, body } = await who.call('GET', address(contactId, query, filter))
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  /** Every page of it, oldest first whichever end was read from. */
  async function read(who: Person, contactId: string, end: 'oldest' | 'newest', limit: number, filter?: RecordFilter, between?: () => Promise<unknown>) {
    const pages: ContactThread[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const next = await page(who, contactId, { end, limit, cursor }, filter)
      assert.ok(next.items.length <= limit)
      pages.push(next)
      cursor = next.cursor
      await between?.()
    }
    const all = (end === 'oldest' ? pages : pages.reverse()).flatMap(({ items }) => items)
    for (const { items, conversations } of pages)
      assert.deepEqual(new Set(conversations.map(({ id }) => id)), new Set(items.map(({ conversationId }) => conversationId)))
    return all
  }
  /** The contact's messages, and the system's lines taken out, in the order of their times. */
  async function naive(conversationIds: string[]): Promise<string[]> {
    const rows = await world()
      .hub.em()
      .find(Message, { conversationId: { $in: conversationIds }, direction: { $ne: 'system' } }, { disableIdentityMap: true })
    return rows.sort((a, b) => Number(a.createdAt) - Number(b.createdAt) || (a.conversationId < b.conversationId ? -1 : 1)).map(({ id }) => id)
  }

  /** Thirty conversations in three inboxes that overlap, of one to nine messages; `begin` = the first minute. */
  async function history() {
    const { inboxes, say } = await somebody()
    const em = world().hub.em()
    const start = Date.now() - 1_000 * minute
    const ids: string[] = []
    for (let i = 0; i < 30; i++) {
      const inbox = inboxes[i % 3] as Inbox
      const size = 1 + ((i * 7) % 9)
      let id = ''
      for (let n = 0; n < size; n++) id = await say(inbox, `第 ${i} 次，第 ${n} 句`)
      ids.push(id)
      // Those of one inbox follow one another, those of several lie across each other.
      const from = start + (Math.floor(i / 3) * 60 + (i % 3) * 7) * minute
      const messages = await em.find(Message, { conversationId: id }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
      for (const [n, { id: messageId }] of messages.entries())
        await em.nativeUpdate(Message, { id: messageId }, { createdAt: new Date(from + n * (3 + (i % 3)) * minute) })
      const last = new Date(from + (messages.length - 1) * (3 + (i % 3)) * minute)
      const closed = i < 27 ? { status: 'closed' as const, openIdentityId: null, closedAt: last } : {}
      await em.nativeUpdate(Conversation, { id }, { createdAt: new Date(from), lastMessageAt: last, ...closed })
    }
    return { inboxes, say, ids, start, contactId: await contactOf(ids[0] as string) }
  }

  test('page after page from either end it is what a naive merge gives, each message once', async () => {
    const owner = await world().person('店主', 'owner')
    const { ids, inboxes, contactId, start } = await history()
    assert.equal(new Set(ids).size, 30)
    const expected = await naive(ids)
    for (const end of ['oldest', 'newest'] as const)
      for (const limit of [3, 50, 100])
        assert.deepEqual(
          (await read(owner, contactId, end, limit)).map(({ id }) => id),
          expected,
          `${end}, ${limit} a page`,
        )
    // Conditions are those of a record; a span of time is of what was said.
    const em = world().hub.em()
    const ofOne = await em.find(Conversation, { contactId, inboxId: inboxes[1].id }, { disableIdentityMap: true })
    const [from, to] = [new Date(start + 100 * minute), new Date(start + 330 * minute)]
    const rows = await em.find(Message, { conversationId: { $in: ofOne.map(({ id }) => id) } }, { disableIdentityMap: true })
    const within = new Set(rows.filter(({ createdAt }) => createdAt >= from && createdAt < to).map(({ id }) => id))
    for (const end of ['oldest', 'newest'] as const) {
      const some = await read(owner, contactId, end, 5, { inboxIds: [inboxes[1].id], from: from.toISOString(), to: to.toISOString() })
      assert.deepEqual(
        some.map(({ id }) => id),
        expected.filter((id) => within.has(id)),
        end,
      )
      const words = await read(owner, contactId, end, 3, { keyword: '第 2 句', match: 'exact' })
      assert.equal(words.length, 23, end)
      assert.ok(words.every(({ parts }) => parts[0]?.type === 'text' && parts[0].text.includes('第 2 句')))
    }
    assert.deepEqual(await read(owner, contactId, 'oldest', 50, { status: ['archived'] }), [])
    await em.nativeUpdate(Conversation, { id: ids[4] as string }, { archivedAt: new Date() })
    assert.deepEqual(
      (await read(owner, contactId, 'oldest', 50)).map(({ id }) => id),
      expected,
      'what was put away is part of the history',
    )
    assert.equal(new Set((await read(owner, contactId, 'oldest', 50, { status: ['archived'] })).map(({ conversationId }) => conversationId)).size, 1)
  })

  test('what is said while somebody pages loses nothing and shows nothing twice', async () => {
    const owner = await world().person('店主', 'owner')
    for (const end of ['oldest', 'newest'] as const) {
      const { ids, inboxes, say, contactId } = await history()
      const before = await naive(ids)
      let n = 0
      // The three that are still open are spoken in again: they move to the end that was read already, or is still to be read.
      const seen = await read(owner, contactId, end, 20, undefined, () => say(inboxes[n++ % 3] as Inbox, `又说了 ${n}`))
      const got = seen.map(({ id }) => id)
      assert.equal(new Set(got).size, got.length, end)
      assert.deepEqual(
        got.filter((id) => before.includes(id)),
        before,
        end,
      )
    }
  })

  test('only what the reader may see is in it, as they may see it; what is deleted only for who may restore it', async () => {
    const { inboxes, say } = await somebody()
    const first = await say(inboxes[0], '茶几还有货吗')
    const second = await say(inboxes[1], '我的电话是 13800138000')
    const contactId = await contactOf(first)
    const [agent, owner, outsider] = [await world().person('小方'), await world().person('店主', 'owner'), await world().person('外人')]
    const em = world().hub.em()
    await em.nativeUpdate(Conversation, { id: first }, { assigneeId: agent.id, status: 'open' })
    await em.nativeUpdate(Conversation, { id: second }, { assigneeId: owner.id, status: 'open' })
    const said = async (who: Person, filter?: RecordFilter) =>
      (await read(who, contactId, 'oldest', 50, filter)).map(({ parts }) => (parts[0]?.type === 'text' ? parts[0].text : ''))
    assert.deepEqual(await said(agent), ['茶几还有货吗'])
    assert.deepEqual(await said(agent, { keyword: '电话' }), [])
    assert.equal((await outsider.call('GET', address(contactId, {}))).status, 404)
    // A cursor that somebody wrote themselves leads nowhere they may not go.
    const forged = Buffer.from(JSON.stringify([true, 0, 0, [Date.now() + minute, '~'], [[second, 0]]])).toString('base64url')
    assert.ok((await page(agent, contactId, { cursor: forged })).items.every(({ conversationId }) => conversationId === first))
    for (const cursor of ['x', Buffer.from('[true,1,2]').toString('base64url'), Buffer.from('{}').toString('base64url')])
      assert.equal((await owner.call('GET', address(contactId, { cursor }))).body.code, 'HUB_REQUEST_INVALID')

    const blind = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }])
    assert.deepEqual(await said(blind), ['茶几还有货吗', '我的电话是 138****8000'])
    assert.deepEqual(await said(blind, { keyword: '13800138000' }), [], 'looking for it does not unmask it')

    await em.nativeUpdate(Conversation, { id: second }, { deletedAt: new Date() })
    assert.deepEqual(await said(owner), ['茶几还有货吗'])
    assert.deepEqual(await said(owner, { status: ['deleted'] }), ['我的电话是 13800138000'])
    assert.deepEqual(await said(agent, { status: ['deleted'] }), [])
  })

  test('a customer is found by the whole of their WeChat or QQ account, by who may see it only', async () => {
    const { inboxes, say } = await somebody()
    const id = await say(inboxes[0], '你好')
    const agent = await world().person('小方')
    await world().hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
    const wechat = `Tea_${newId().slice(-8).toLowerCase()}`
    const qq = String(Date.now()).slice(-10)
    await world()
      .hub.em()
      .nativeUpdate(Contact, { id: await contactOf(id) }, { wechat, qq })
    const find = async (who: Person, contact: string) =>
      (await who.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify({ contact }))}`)).body.items.map((row: { id: string }) => row.id)
    const jump = async (who: Person, q: string) =>
      (await who.call('GET', `/api/conversations/jump?q=${encodeURIComponent(q)}`)).body.items.map((row: { id: string }) => row.id)
    for (const words of [wechat, wechat.toUpperCase(), qq]) {
      assert.deepEqual(await find(agent, words), [id], words)
      assert.deepEqual(await jump(agent, words), [id], words)
    }
    for (const words of [wechat.slice(0, -1), qq.slice(0, -1)]) assert.deepEqual(await find(agent, words), [], words)
    const half = await world().person('小何', [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'contact.personal', fields: ['phone', 'email', 'qq'] },
    ])
    for (const look of [find, jump]) {
      assert.deepEqual(await look(half, qq), [id])
      assert.deepEqual(await look(half, wechat), [], 'what one sees masked cannot be looked for')
    }
  })
})
