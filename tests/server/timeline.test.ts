/** One person, one timeline over all channels: newest first, page after page, and of it only what the reader may see. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InboundEvent } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { TimelineEntry } from '../../core/sdk/wire/contact.ts'
import { newId } from '../../core/src/db/types.ts'
import { Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { CallMessage } from '../../core/src/domain/message/message.entity.ts'
import { purge } from '../../core/src/domain/record/purge.ts'
import { Visit } from '../../core/src/domain/visit/visit.entity.ts'
import { found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest } = mockChannel('mock')

await onEveryProfile('the timeline', [found(manifest)], (world) => {
  /** One person with two inboxes' worth of ways to write. */
  async function somebody() {
    const claims = [{ kind: 'unionid' as const, value: newId(), verified: true }]
    const [one, two] = [await world().inbox('mock'), await world().inbox('mock')]
    const tell = async (inbox: Inbox, event: Partial<InboundEvent> & Pick<InboundEvent, 'kind'>) => {
      const from = { externalId: `who-${claims[0]?.value}`, claims }
      const [accepted] = await world().hub.intake.accept(inbox.id, [{ externalId: newId(), from, ...event } as InboundEvent])
      return accepted?.conversationId ?? ''
    }
    const say = (inbox: Inbox, text: string) => tell(inbox, { kind: 'message', parts: [{ type: 'text', text }] })
    const first = await say(one, '茶几还有货吗')
    const second = await say(two, '我的电话是 13800138000')
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id: first }, { disableIdentityMap: true })
    return { one, two, first, second, contactId, tell, say }
  }
  const read = async (who: Person, contactId: string): Promise<TimelineEntry[]> => {
    const all: TimelineEntry[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { status, body } = await who.call('GET', `/api/contacts/${contactId}/timeline${cursor ? `?cursor=${cursor}` : ''}`)
      assert.equal(status, 200, JSON.stringify(body))
      assert.ok(body.items.length <= 20)
      all.push(...body.items)
      cursor = body.cursor
    }
    return all
  }
  const visit = (inbox: Inbox, contactId: string, at: Date) =>
    world()
      .hub.em()
      .insert(Visit, {
        id: newId(),
        inboxId: inbox.id,
        identityId: null,
        contactId,
        ip: '192.0.2.7',
        userAgent: '',
        referrer: '',
        pages: [{ url: 'https://shop.cn/', title: '首页', at: at.toISOString() }],
        pageCount: 1,
        startedAt: at,
        seenAt: at,
        spokeAt: null,
      })

  test('conversations, activities, visits and calls of every channel are one list, newest first, each once on whatever page', async () => {
    const { one, two, first, second, contactId, tell } = await somebody()
    const owner = await world().person('店主', 'owner')
    const at = (minutes: number) => new Date(Date.now() - minutes * 60_000)
    for (let i = 0; i < 23; i++) {
      const inbox = i % 2 ? one : two
      await tell(inbox, { kind: 'activity', name: 'scan', label: { zh: '扫码', en: 'Scan' }, at: at(30 + i * 3) })
      await visit(inbox, contactId, at(31 + i * 3))
      if (i < 5) await tell(inbox, { kind: 'message', parts: [{ type: 'call', way: 'in', outcome: 'missed' }], sentAt: at(32 + i * 3) })
    }
    // Two of one moment: the id decides, on both sides of a page's end.
    const same = at(5)
    await visit(one, contactId, same)
    await visit(two, contactId, same)
    const all = await read(owner, contactId)
    assert.deepEqual(
      ['conversation', 'activity', 'visit', 'call'].map((kind) => all.filter((entry) => entry.kind === kind).length),
      [2, 23, 25, 5],
    )
    assert.equal(new Set(all.map(({ kind, id }) => kind + id)).size, all.length)
    assert.deepEqual(
      all.map(({ at }) => at),
      all.map(({ at }) => at).sort((a, b) => (a < b ? 1 : -1)),
    )
    assert.deepEqual(new Set(all.slice(0, 2).map(({ id }) => id)), new Set([first, second]), 'what is spoken in now stands first')
    // Its inbox says which channel's icon it has.
    for (const entry of all) assert.ok([one.id, two.id].includes(entry.kind === 'call' ? entry.inboxId : (entry as any)[entry.kind].inboxId))
  })

  test('a conversation that the reader may not see is not in it, nor are its calls; previews are masked', async () => {
    const { two, first, second, contactId, tell, say } = await somebody()
    await tell(two, { kind: 'message', parts: [{ type: 'call', way: 'in', outcome: 'missed' }] })
    await say(two, '我的电话是 13800138000')
    const [agent, owner] = [await world().person('小方'), await world().person('店主', 'owner')]
    const give = (id: string, assigneeId: string) => world().hub.em().nativeUpdate(Conversation, { id }, { assigneeId, status: 'open' })
    await give(first, agent.id)
    await give(second, owner.id)
    const kinds = async (who: Person) => (await read(who, contactId)).map(({ kind, id }) => (kind === 'conversation' ? id : kind)).sort()
    assert.deepEqual(await kinds(agent), [first])
    assert.deepEqual(await kinds(owner), [first, second, 'call'].sort())
    const outsider = await world().person('外人')
    assert.equal((await outsider.call('GET', `/api/contacts/${contactId}/timeline`)).status, 404)

    const blind = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }])
    const previews = (await read(blind, contactId)).flatMap((entry) => (entry.kind === 'conversation' ? [entry.conversation.preview] : []))
    assert.match(previews.join(), /138\*{4}8000/)
    assert.doesNotMatch(previews.join(), /13800138000/)
  })

  test('who reads one line of business sees of the contact what belongs to it, and does nothing to the other', async () => {
    const { one, two, first, second, contactId, tell } = await somebody()
    const em = world().hub.em()
    for (const inbox of [one, two]) {
      await tell(inbox, { kind: 'activity', name: 'scan', label: { zh: '扫码', en: 'Scan' } })
      const stay = await visit(inbox, contactId, new Date(Date.now() - 60_000))
      const identity = await world().hub.em().findOneOrFail(Identity, { contactId, inboxId: inbox.id }, { disableIdentityMap: true })
      await em.nativeUpdate(Visit, { id: stay }, { identityId: identity.id })
    }
    const line = { inboxIds: [one.id] }
    const deeds = ['contact.block', 'contact.merge'].map((permission) => ({ permission }))
    const narrow = await world().person('小吕', [{ permission: 'conversation.read', scope: 'all', ...line }, { permission: 'visitor.read' }, ...deeds])
    const noVisitor = await world().person('小施', [{ permission: 'conversation.read', scope: 'all', ...line }, ...deeds])
    const elsewhere = await world().person('小张', [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'visitor.read', ...line },
    ])
    const own = await world().person('小孔')
    await em.nativeUpdate(Conversation, { id: first }, { assigneeId: own.id, status: 'open' })
    await em.nativeUpdate(Conversation, { id: second }, { assigneeId: null, status: 'open' })
    const places = async (who: Person) => {
      const get = async (path: string) => (await who.call('GET', `/api/contacts/${contactId}${path}`)).body
      const { identities } = await get('')
      const of = (rows: { inboxId: string }[]) => new Set(rows.map(({ inboxId }) => (inboxId === one.id ? 1 : 2)))
      const timeline = await read(who, contactId)
      return {
        identities: of(identities),
        came: of(identities.filter((identity: { firstVisit: unknown }) => identity.firstVisit)),
        activities: of((await get('/activities')).items),
        visits: of((await get('/visits')).items),
        timeline: ['activity', 'visit'].map((kind) => of(timeline.flatMap((entry) => (entry.kind === kind ? [(entry as any)[kind]] : [])))),
      }
    }
    const [none, mine, all] = [new Set(), new Set([1]), new Set([1, 2])]
    assert.deepEqual(await places(narrow), { identities: mine, came: mine, activities: mine, visits: mine, timeline: [mine, mine] })
    assert.deepEqual(await places(noVisitor), { identities: mine, came: none, activities: mine, visits: none, timeline: [mine, none] })
    assert.deepEqual(await places(elsewhere), { identities: all, came: mine, activities: all, visits: mine, timeline: [all, mine] })
    // Whose conversation it is parts nobody's identities: who has no line has them all.
    assert.deepEqual(await places(own), { identities: all, came: all, activities: all, visits: all, timeline: [all, all] })

    const [ours, theirs] = await Promise.all(
      [one, two].map(({ id: inboxId }) => em.findOneOrFail(Identity, { contactId, inboxId }, { disableIdentityMap: true })),
    )
    const url = `/api/contacts/${contactId}`
    const status = async (method: string, path: string, body?: unknown) => (await narrow.call(method, url + path, body)).status
    assert.equal(await status('POST', '/block', { identityId: theirs?.id }), 404)
    await em.nativeUpdate(Identity, { id: theirs?.id ?? '' }, { blockedAt: new Date() })
    assert.equal(await status('DELETE', `/block/${theirs?.id}`), 404)
    assert.equal(await status('POST', '/split', { identityIds: [theirs?.id] }), 404)
    assert.equal((await narrow.call('POST', `${url}/split/preview`, { identityIds: [ours?.id, theirs?.id] })).body.identities, 1)
    assert.equal(await status('POST', '/block', { identityId: ours?.id }), 200)
    assert.equal(await status('DELETE', `/block/${ours?.id}`), 200)
    assert.equal(await status('POST', '/split', { identityIds: [ours?.id] }), 200)
  })

  test('keys that were pressed in a call may be a number: who may not see those sees them starred here too', async () => {
    const { one, contactId, tell } = await somebody()
    const path = '主菜单 / 13800138000'
    await tell(one, { kind: 'message', parts: [{ type: 'call', way: 'in', outcome: 'missed', path }] })
    const pressed = async (who: Person) => (await read(who, contactId)).flatMap((entry) => (entry.kind === 'call' ? [entry.call.path] : []))
    assert.deepEqual(await pressed(await world().person('店主', 'owner')), [path])
    assert.deepEqual(await pressed(await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }])), ['主菜单 / 138****8000'])
  })

  test('what is in the recycle bin is not in it, and what is purged leaves no call behind', async () => {
    const { two, second, contactId, tell } = await somebody()
    await tell(two, { kind: 'message', parts: [{ type: 'call', way: 'in', outcome: 'answered', durationMs: 65_000 }] })
    const owner = await world().person('店主', 'owner')
    const calls = async () => (await read(owner, contactId)).flatMap((entry) => (entry.kind === 'call' ? [entry.call] : []))
    assert.deepEqual(await calls(), [{ type: 'call', way: 'in', outcome: 'answered', durationMs: 65_000 }])
    await world().hub.em().nativeUpdate(Conversation, { id: second }, { deletedAt: new Date() })
    assert.deepEqual(await calls(), [])
    await purge(world().hub, second)
    assert.equal(await world().hub.em().count(CallMessage, { conversationId: second }), 0)
  })

  test('a cursor that is none is a coded error', async () => {
    const { contactId } = await somebody()
    const owner = await world().person('店主', 'owner')
    assert.equal((await owner.call('GET', `/api/contacts/${contactId}/timeline?cursor=x`)).body.code, 'HUB_REQUEST_INVALID')
  })
})
