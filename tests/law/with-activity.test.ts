/** `activity` and `facts`: what a customer did that is no message is in the trail, and a line where a conversation is open; it opens none. Where they come from stands with their identity. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Activity, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Visit } from '../../core/src/domain/visit/visit.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel('trail')

await onEveryProfile('activity', [found(manifest)], (world) => {
  const act = (inbox: Inbox, who: string, name: string, externalId = newId(), at = new Date()) =>
    world().hub.intake.accept(inbox.id, [
      {
        kind: 'activity',
        externalId,
        from: { externalId: who, name: '小玲' },
        name,
        label: { zh: `客户${name}`, en: name },
        params: { scene: 'poster-7' },
        at,
      },
    ])
  const contactOf = async (inbox: Inbox, who: string) => (await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id, externalId: who })).contactId

  test('without a conversation it makes a contact and a trail, and opens none; a repeat changes nothing, here or in two batches at once', async () => {
    const inbox = await world().inbox('trail')
    await act(inbox, 'a', '关注', 'f-1')
    const told = await Promise.all(Array.from({ length: 6 }, () => act(inbox, 'a', '关注', 'f-1')))
    assert.ok(told.flat().every(({ duplicate }) => duplicate))
    assert.equal(await world().hub.em().count(Activity, { inboxId: inbox.id }), 1)
    assert.equal(await world().hub.em().count(Conversation, { inboxId: inbox.id }), 0)
    const fresh = await Promise.all(Array.from({ length: 6 }, () => act(inbox, 'a', '扫码', 'f-2')))
    assert.equal(fresh.flat().filter(({ duplicate }) => !duplicate).length, 1)
  })

  test('in an open conversation it is a line, worded by the channel in both languages, that raises nothing', async () => {
    const inbox = await world().inbox('trail')
    const agent = await world().person('小安', 'admin')
    const [said] = await world().say(inbox, 'b', '你好')
    const before = (await agent.call('GET', `/api/conversations/${said?.conversationId}`)).body
    await act(inbox, 'b', '点菜单')
    const after = (await agent.call('GET', `/api/conversations/${said?.conversationId}`)).body
    assert.deepEqual([after.unread, after.preview, after.lastMessageAt], [before.unread, before.preview, before.lastMessageAt])
    const { items } = (await agent.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body
    assert.deepEqual(items.at(-1).parts, [
      { type: 'event', name: 'activity', params: { name: '点菜单', label: { zh: '客户点菜单', en: '点菜单' }, params: { scene: 'poster-7' } } },
    ])
  })

  test('the trail is paged, newest first, for those who may see a conversation of the contact', async () => {
    const inbox = await world().inbox('trail')
    const agent = await world().person('小白', 'admin')
    await world().say(inbox, 'c', '你好')
    // Twenty at the same moment: the page's edge falls between equals.
    const at = new Date(Date.now() - 60_000)
    for (let i = 0; i < 60; i++) await act(inbox, 'c', `第${i}次`, `c-${i}`, i < 20 ? new Date(at.getTime() - i) : at)
    const url = `/api/contacts/${await contactOf(inbox, 'c')}/activities`
    const first = (await agent.call('GET', url)).body
    const second = (await agent.call('GET', `${url}?cursor=${encodeURIComponent(first.cursor)}`)).body
    assert.deepEqual([first.items.length, second.items.length, second.cursor], [50, 10, null])
    assert.equal(new Set([...first.items, ...second.items].map(({ id }) => id)).size, 60)
    assert.deepEqual(first.items[0].label.en, first.items[0].name)
    assert.equal((await (await world().person('外人')).call('GET', url)).status, 404)
    assert.equal((await agent.call('GET', `${url}?cursor=xx`)).status, 400)
  })

  test('where somebody comes from stands with the identity, the newer one of a name counts, an empty one ends it; masked, and nobody’s business who may not read', async () => {
    const inbox = await world().inbox('trail')
    const agent = await world().person('小青', 'admin')
    await world().say(inbox, 'f', '你好')
    const contactId = await contactOf(inbox, 'f')
    const fact = (name: string, value: string | { zh: string; en: string }) => ({ name, label: { zh: `${name}的说法`, en: name }, value })
    let minute = 0
    const tell = async (...facts: ReturnType<typeof fact>[]) => {
      minute++
      const at = new Date(Date.now() + minute * 60_000)
      await world().hub.intake.accept(inbox.id, [
        { kind: 'activity', externalId: newId(), from: { externalId: 'f', facts }, name: 'came', label: { zh: '来了', en: 'Came' }, details: facts, at },
      ])
    }
    const follows = fact('follows', { zh: '已关注', en: 'follows' })
    await tell(follows, fact('ad', '双十一 13800138000'), fact('page', '/tea'))
    await tell({ ...follows, value: { zh: '已取消关注', en: 'has left' } }, fact('page', ''))
    const identity = async (person = agent) => (await person.call('GET', `/api/contacts/${contactId}`)).body.identities[0]
    const kept = [fact('follows', { zh: '已取消关注', en: 'has left' }), fact('ad', '双十一 13800138000')]
    assert.deepEqual((await identity()).facts, kept)
    const trail = async (person = agent) => (await person.call('GET', `/api/contacts/${contactId}/timeline`)).body.items
    assert.deepEqual(
      (await trail())
        .filter(({ kind }: { kind: string }) => kind === 'activity')
        .map(({ activity }: { activity: { details: { name: string }[] } }) => activity.details.map(({ name }) => name)),
      [['follows'], ['follows', 'ad', 'page']],
    )
    const blind = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }])
    assert.ok(!JSON.stringify([await identity(blind), await trail(blind)]).includes('13800138000'))
    assert.equal((await (await world().person('外人')).call('GET', `/api/contacts/${contactId}`)).status, 404)
  })

  test('of a site, the page that led here the first time and the one they landed on', async () => {
    const inbox = await world().inbox('trail')
    const agent = await world().person('小蓝', 'admin')
    await world().say(inbox, 'g', '你好')
    const contactId = await contactOf(inbox, 'g')
    const { id: identityId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id, externalId: 'g' })
    const page = (url: string, at: Date) => ({ url, title: '', at: at.toISOString() })
    for (const [days, referrer, url] of [
      [1, '', 'https://shop.example/later'],
      [3, 'https://search.example/?q=tea', 'https://shop.example/tea'],
    ] as const) {
      const startedAt = new Date(Date.now() - days * 86_400_000)
      const pages = [page(url, startedAt), page('https://shop.example/next', startedAt)]
      const more = { ip: '', userAgent: '', pageCount: 2, seenAt: startedAt, spokeAt: null }
      await world()
        .hub.em()
        .insert(Visit, { id: newId(), inboxId: inbox.id, identityId, contactId, referrer, pages, startedAt, ...more })
    }
    const { firstVisit } = (await agent.call('GET', `/api/contacts/${contactId}`)).body.identities[0]
    assert.deepEqual([firstVisit.referrer, firstVisit.landing.url], ['https://search.example/?q=tea', 'https://shop.example/tea'])
  })

  test('a blocked customer’s deeds are refused', async () => {
    const inbox = await world().inbox('trail')
    await world().say(inbox, 'd', '你好')
    await world().hub.em().nativeUpdate(Identity, { inboxId: inbox.id, externalId: 'd' }, { blockedAt: new Date() })
    await assert.rejects(act(inbox, 'd', '关注'), { code: 'HUB_IDENTITY_BLOCKED' })
  })
})
