/** The list as each agent arranges it: orders that page exactly, sections that hold what they say, of what the reader may see. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Conversation as Wire } from '../../core/sdk/wire/conversation.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation, ConversationTag, Draft, Star } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { ContactTag } from '../../core/src/domain/tag/tag.entity.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const other = { ...mockChannel().manifest, id: 'second' }

interface Case {
  world: World
  agent: Person
  supervisor: Person
  stranger: Person
  departments: string[]
  tags: string[]
  inboxes: string[]
  ids: string[]
}
const minute = 60_000
const base = Date.now() - 60 * minute

/** Twelve open conversations of one agent: two channels, two departments and none, tags of their own and of contacts. */
async function arrange(world: World): Promise<Case> {
  const em = world.hub.em()
  const departments = [newId(), newId()]
  for (const id of departments) await em.insert(Department, { id, parentId: null, name: newId(), createdAt: new Date() })
  const agent = await world.person('甲', 'agent', { departmentId: departments[0] as string, presence: 'away' })
  const supervisor = await world.person('主管', 'supervisor', { departmentId: departments[0] as string, presence: 'away' })
  const stranger = await world.person('路人', 'agent', { presence: 'away' })
  const owner = await world.person('老板', 'owner', { presence: 'away' })
  const tags: string[] = []
  for (let i = 0; i < 2; i++) tags.push((await owner.call('POST', '/api/tags', { name: newId() })).body.id)
  const inboxes = [await world.inbox('mock'), await world.inbox('second')]
  const ids: string[] = []
  for (let i = 0; i < 12; i++) {
    const id = (await world.say(inboxes[i % 2] as never, newId(), `第 ${i} 个`))[0]?.conversationId ?? ''
    const at = (n: number) => new Date(base + n * minute)
    await em.nativeUpdate(
      Conversation,
      { id },
      {
        status: 'open',
        assigneeId: agent.id,
        departmentId: departments[i % 3] ?? null,
        // Two at the same instant, so that a page may end between them.
        lastMessageAt: at(i - (i % 2)),
        lastCustomerAt: i === 11 ? null : at(20 - i),
        waitingSince: i % 4 === 0 ? null : at(30 + ((i * 7) % 5)),
      },
    )
    const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const by = { byAgentId: null, createdAt: new Date() }
    if (i % 2 === 0) await em.insert(ConversationTag, { conversationId: id, tagId: tags[0] as string, ...by })
    if (i % 3 === 0) await em.insert(ContactTag, { contactId, tagId: tags[1] as string, ...by })
    // Both of one kind are one.
    if (i === 0) await em.insert(ContactTag, { contactId, tagId: tags[0] as string, ...by })
    ids.push(id)
  }
  return { world, agent, supervisor, stranger, departments, tags, inboxes: inboxes.map(({ id }) => id), ids }
}

async function pages(person: Person, query: string, limit = 5): Promise<Wire[]> {
  const all: Wire[] = []
  let cursor: string | null = null
  do {
    const { status, body } = await person.call('GET', `/api/conversations?${query}&limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`)
    assert.equal(status, 200, JSON.stringify(body))
    assert.ok(body.items.length <= limit)
    all.push(...body.items)
    cursor = body.cursor
  } while (cursor)
  return all
}

await onEveryProfile('the list', [found(manifest), found(other)], (world) => {
  let made: Case | undefined
  const given = async () => {
    made ??= await arrange(world())
    return made
  }

  test('every order pages without a gap or a repeat, as it says', async () => {
    const { agent, ids } = await given()
    const later = (a: string | null, b: string | null) => (a ?? '') >= (b ?? '')
    for (const limit of [1, 2, 5, 12, 50])
      for (const sort of ['message', 'customer', 'waiting']) {
        const rows = await pages(agent, `group=mine&sort=${sort}`, limit)
        assert.deepEqual(rows.map(({ id }) => id).sort(), [...ids].sort(), `${sort} by ${limit}`)
        const times = rows.map((row) => (sort === 'message' ? row.lastMessageAt : sort === 'customer' ? row.lastCustomerAt : row.waitingSince))
        const known = times.filter((time) => time !== null)
        // Those without the time come last.
        assert.deepEqual(times.slice(0, known.length), known)
        for (let i = 1; i < known.length; i++) {
          const [a, b] = [known[i - 1] as string, known[i] as string]
          assert.ok(sort === 'waiting' ? later(b, a) : later(a, b), `${sort}: ${a} before ${b}`)
        }
      }
    for (const bad of [
      'sort=shoe',
      'by=shoe',
      'by=tag&key=%27',
      'cursor=x',
      'group=closed&by=channel',
      `cursor=${Buffer.from('["a",1,"b"]').toString('base64url')}`,
    ])
      assert.deepEqual(await agent.call('GET', `/api/conversations?${bad}`).then(({ status, body }) => [status, body.code]), [400, 'HUB_REQUEST_INVALID'], bad)
    for (const bad of ['', 'by=shoe', 'by=tag&group=closed'])
      assert.equal((await agent.call('GET', `/api/conversations/sections?${bad}`)).body.code, 'HUB_REQUEST_INVALID', bad)
  })

  test('the sections hold together what the group holds, each as many as it says', async () => {
    const { agent, departments, tags, inboxes, ids } = await given()
    const sections = async (by: string) => {
      const { status, body } = await agent.call('GET', `/api/conversations/sections?group=mine&by=${by}`)
      assert.equal(status, 200, JSON.stringify(body))
      const counts: Record<string, number> = Object.fromEntries(body.items.map(({ key, count }: { key: string | null; count: number }) => [key ?? '', count]))
      for (const [key, count] of Object.entries(counts))
        assert.equal((await pages(agent, `group=mine&sort=waiting&by=${by}&key=${key}`, 3)).length, count, `${by} ${key}`)
      return counts
    }
    assert.deepEqual(await sections('channel'), { mock: 6, second: 6 })
    assert.deepEqual(await sections('inbox'), { [inboxes[0] as string]: 6, [inboxes[1] as string]: 6 })
    assert.deepEqual(await sections('department'), { [departments[0] as string]: 4, [departments[1] as string]: 4, '': 4 })
    assert.deepEqual(await sections('agent'), { [agent.id]: 12 })
    assert.deepEqual(await sections('tag'), { [tags[0] as string]: 6, [tags[1] as string]: 4, '': 4 })
    assert.deepEqual(await sections('waiting'), { waiting: 9, answered: 3 })
    const { items } = (await agent.call('POST', '/api/conversations/tags', { ids })).body as { items: { id: string; tagIds: string[] }[] }
    assert.deepEqual(
      ids.map((id) => items.find((item) => item.id === id)?.tagIds.sort()),
      ids.map((_, i) => [...(i % 2 === 0 ? [tags[0]] : []), ...(i % 3 === 0 ? [tags[1]] : [])].sort()),
    )
  })

  test('nobody sees, counts or learns the tags of what they may not read', async () => {
    const { supervisor, stranger, ids, departments } = await given()
    for (const by of ['channel', 'department', 'agent', 'tag', 'waiting'])
      assert.deepEqual((await stranger.call('GET', `/api/conversations/sections?group=open&by=${by}`)).body.items, [], by)
    assert.deepEqual((await stranger.call('GET', '/api/conversations?group=open&by=channel&key=mock')).body.items, [])
    assert.deepEqual((await stranger.call('POST', '/api/conversations/tags', { ids })).body.items, [])
    const seen = (await supervisor.call('GET', '/api/conversations/sections?group=open&by=department')).body.items
    assert.deepEqual(seen, [{ key: departments[0], count: 4 }])
    assert.equal((await supervisor.call('POST', '/api/conversations/tags', { ids })).body.items.length, 4)
  })

  test('the oldest of very many stars is listed and counted, and all of them and of the drafts are read page by page', async () => {
    const em = world().hub.em()
    const agent = await world().person('收藏家', 'owner', { presence: 'away' })
    const [accepted] = await world().say(await world().inbox('mock'), newId(), '先收藏的')
    const id = accepted?.conversationId ?? ''
    assert.equal((await agent.call('PUT', `/api/conversations/${id}/star`)).status, 200)
    const later = Array.from({ length: 600 }, () => ({ agentId: agent.id, conversationId: newId() }))
    await em.insertMany(
      Star,
      later.map((one) => ({ ...one, createdAt: new Date(Date.now() + minute) })),
    )
    // A draft is shown of what there is to be read.
    const like = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const begun = later.map((one) => ({ ...one, conversationId: newId() }))
    const talks = begun.map(({ conversationId }) => ({ ...like, id: conversationId, openIdentityId: null, status: 'closed' as const }))
    for (let at = 0; at < talks.length; at += 100) await em.insertMany(Conversation, talks.slice(at, at + 100))
    await em.insertMany(
      Draft,
      begun.map((one) => ({ ...one, content: { text: '未完' }, updatedAt: new Date() })),
    )
    const list = (await agent.call('GET', '/api/conversations?group=starred')).body.items
    assert.deepEqual(
      list.map((one: Wire) => one.id),
      [id],
    )
    assert.equal((await agent.call('GET', '/api/conversations/counts')).body.starred, 1)
    const idOf = ({ conversationId }: { conversationId: string }) => conversationId
    for (const [path, idsOf, expected] of [
      ['/api/stars', (page: { ids: string[] }) => page.ids, [...later.map(idOf), id]],
      ['/api/drafts', (page: { items: { conversationId: string }[] }) => page.items.map(idOf), begun.map(idOf)],
    ] as const) {
      const first = (await agent.call('GET', path)).body
      const second = (await agent.call('GET', `${path}?cursor=${first.cursor}`)).body
      assert.deepEqual([idsOf(first).length, second.cursor], [500, null], path)
      assert.deepEqual([...idsOf(first), ...idsOf(second)].sort(), [...expected].sort(), path)
    }
  })

  test('the customer waits from their first unanswered words until somebody answers', async () => {
    const agent = await world().person('乙', 'agent', { presence: 'away' })
    const inbox = await world().inbox('mock')
    const who = newId()
    const id = (await world().say(inbox, who, '在吗'))[0]?.conversationId ?? ''
    await world().hub.em().nativeUpdate(Conversation, { id }, { status: 'open', assigneeId: agent.id })
    const since = async () => (await agent.call('GET', `/api/conversations/${id}`)).body.waitingSince
    const first = await since()
    assert.ok(first)
    await world().say(inbox, who, '有人吗')
    assert.equal(await since(), first)
    await world().reply(agent, id, '内部备注', { note: true })
    assert.equal(await since(), first)
    await world().reply(agent, id, '您好')
    assert.equal(await since(), null)
    await world().say(inbox, who, '想退货')
    assert.ok((await since()) > first)
  })
})
