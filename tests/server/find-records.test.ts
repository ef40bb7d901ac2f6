/** The list of records over HTTP: who finds what, what a hit looks like, and what is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keywordOf } from '../../core/sdk/keyword.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { RecordFilter, RecordPage } from '../../core/sdk/wire/record.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { changeConversation } from '../../core/src/domain/conversation/change.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { SearchBlock } from '../../core/src/domain/record/find/index.entity.ts'
import { indexMessages } from '../../core/src/domain/record/find/index-messages.ts'
import { usualSizes } from '../../core/src/domain/record/find/list-records.ts'
import { checkTimeZone, startOfPeriod } from '../../core/src/domain/record/find/period.ts'
import { hitsOf } from '../../core/src/domain/record/find/search-records.ts'
import { wantedBy } from '../../core/src/domain/record/find/wanted.ts'
import { purge } from '../../core/src/domain/record/purge.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()

/** A conversation of this agent's with these words of the customer. */
async function talk(world: World, agent: Person, ...texts: string[]): Promise<string> {
  const inbox = await world.inbox('mock')
  const who = newId()
  let id = ''
  for (const text of texts) id = (await world.say(inbox, who, text))[0]?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  return id
}

const address = (filter: RecordFilter, more = '') => `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}${more}`
async function find(person: Person, filter: RecordFilter, more = ''): Promise<RecordPage> {
  const { status, body } = await person.call('GET', address(filter, more))
  assert.equal(status, 200, JSON.stringify(body))
  return body
}
const idsOf = async (person: Person, filter: RecordFilter) => (await find(person, filter)).items.map((row) => row.id)
async function count(person: Person, filter: RecordFilter) {
  const { at, ...counted } = (await person.call('GET', address(filter).replace('/records?', '/records/count?'))).body
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, 'when it was counted')
  return counted
}

test('today begins at midnight where the reader is, also across a change of clocks', () => {
  const at = (iso: string, tz: string, period: 'today' | '7d' = 'today') => startOfPeriod(period, tz, new Date(iso)).toISOString()
  assert.equal(at('2026-11-22T20:00:00Z', 'Asia/Shanghai'), '2026-11-22T16:00:00.000Z')
  assert.equal(at('2026-11-22T15:59:59.999Z', 'Asia/Shanghai'), '2026-11-21T16:00:00.000Z')
  assert.equal(at('2026-11-22T20:00:00Z', 'Asia/Shanghai', '7d'), '2026-11-16T16:00:00.000Z')
  // Berlin left summer time at 01:00 UTC on 25 October 2026.
  assert.equal(at('2026-10-25T12:00:00Z', 'Europe/Berlin'), '2026-10-24T22:00:00.000Z')
  assert.equal(at('2026-10-26T12:00:00Z', 'Europe/Berlin', '7d'), '2026-10-19T22:00:00.000Z')
  // There the clocks change at midnight: the day begins at one.
  assert.equal(at('2026-09-06T15:00:00Z', 'America/Santiago'), '2026-09-06T04:00:00.000Z')
  assert.equal(at('2026-03-08T15:00:00Z', 'America/Havana'), '2026-03-08T05:00:00.000Z')
  assert.equal(at('2026-03-29T15:00:00Z', 'Atlantic/Azores'), '2026-03-29T01:00:00.000Z')
  assert.throws(() => checkTimeZone('Mars/Olympus'), { code: 'HUB_REQUEST_INVALID' })
})

await onEveryProfile('finding records', [found(manifest)], (world) => {
  test('a hit shows the words around it and where they lie, whatever their case and width', async () => {
    const agent = await world().person('小林')
    const id = await talk(world(), agent, '前面的话', 'ＩＰＨＯＮＥ 15 怎么退款？我要退款', '😀退款')
    const [row] = (await find(agent, { keyword: 'iphone 退款' })).items
    assert.equal(row?.id, id)
    assert.equal(row?.hits.length, 1)
    const [hit] = row?.hits ?? []
    const said = await world()
      .hub.em()
      .find(Message, { conversationId: id, direction: 'in' }, { orderBy: { seq: 'asc' } })
    assert.equal(hit?.seq, said[1]?.seq)
    assert.deepEqual(
      hit?.marks.map(([from, to]) => hit.snippet.slice(from, to)),
      ['ＩＰＨＯＮＥ', '退款', '退款'],
    )
    const [other] = (await find(agent, { keyword: '退款' })).items
    assert.deepEqual(
      other?.hits.map((one) => one.seq),
      [said[2]?.seq, said[1]?.seq],
      'newest first',
    )
    assert.deepEqual(await idsOf(agent, { keyword: 'iPhone', match: 'exact' }), [])
    assert.deepEqual(await idsOf(agent, { keyword: 'ＩＰＨＯＮＥ 15', match: 'exact' }), [id])
    assert.deepEqual(await count(agent, { keyword: '退款' }), { count: 1, more: false })
    const long = await talk(world(), agent, `${'长'.repeat(3_000)}信里说发票${'尾'.repeat(3_000)}`)
    const [letter] = (await find(agent, { keyword: '发票' })).items
    assert.equal(letter?.id, long)
    assert.ok((letter?.hits[0]?.snippet.length ?? 0) < 200)
    assert.deepEqual(
      letter?.hits[0]?.marks.map(([from, to]) => letter.hits[0]?.snippet.slice(from, to)),
      ['发票'],
    )
  })

  test('a letter is found by its subject, a titled link by its address, a place by where it lies, before it is in a block and in one', async () => {
    const [agent, { hub }] = [await world().person('小顾'), world()]
    const inbox = await world().inbox('mock')
    const [name, who] = [newId().slice(-8), newId()]
    const said = (externalId: string, parts: unknown[], meta?: object) =>
      ({ kind: 'message', externalId, from: { externalId: who }, parts, ...(meta ? { meta } : {}) }) as never
    const url = `https://shop.cn/item/${name}?from=a`
    const [lat, lng] = [30.25, 120 + Number.parseInt(name, 36) / 36 ** 8]
    const accepted = await hub.intake.accept(inbox.id, [
      said(newId(), [{ type: 'text', text: '你好，见主题' }], { subject: `Rechnung-${name}\n4711 ist falsch` }),
      said(newId(), [{ type: 'link', url, title: '明前龙井礼盒' }]),
      said(newId(), [{ type: 'card', kind: 'miniprogram', title: '门店', url: `weixin://shop/${name}` }]),
      said(newId(), [{ type: 'location', lat, lng }]),
    ])
    const id = accepted[0]?.conversationId ?? ''
    await hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
    const contactId = (await hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })).contactId
    const looked = [
      [`rechnung-${name} 你好`, `Rechnung-${name} 4711`, 1],
      [`ITEM/${name}`, url, 2],
      [`weixin://shop/${name}`, `weixin://shop/${name}`, 3],
      [`30.25 ${lng}`, `${lat}, ${lng}`, 4],
    ] as const
    const check = async (when: string) => {
      for (const [fuzzy, exact, n] of looked)
        for (const filter of [{ keyword: fuzzy }, { keyword: exact, match: 'exact' }] as const) {
          const [row] = (await find(agent, { ...filter, inboxIds: [inbox.id] })).items
          const messages = await hub.em().find(Message, { conversationId: id, direction: 'in' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
          assert.deepEqual([row?.id, row?.hits.map(({ seq }) => seq)], [id, [messages[n - 1]?.seq]], `${when}: ${filter.keyword}`)
          const [hit] = row?.hits ?? []
          assert.ok(hit && hit.marks.length > 0, `${when}: ${filter.keyword} in ${hit?.snippet}`)
          const thread = await agent.call('GET', address(filter, '&end=oldest').replace('/records', `/contacts/${contactId}/messages`))
          assert.deepEqual([thread.status, thread.body.items?.length], [200, 1], `${when}: ${filter.keyword} in the thread`)
        }
    }
    await check('before')
    await indexMessages(hub, { until: performance.now() + 10_000 }, { small: 1, large: 16, quietMs: 0 })
    await check('in a block')
    // The list shows the customer's own words, as ever.
    const { preview } = await hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    assert.equal(preview, '[location]')
    const texts = (await hub.em().find(Message, { conversationId: id, direction: 'in' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })).map(
      (m) => m.text,
    )
    assert.deepEqual(texts, ['你好，见主题', '明前龙井礼盒', '门店', ''])
  })

  test('what stands beside the words is masked as in the thread, and finds nothing for who may not see it', async () => {
    const inbox = await world().inbox('mock')
    const owner = await world().person('老板', 'owner')
    const blind = await world().person('小盲', [{ permission: 'conversation.read', scope: 'all' }])
    const who = newId()
    const phone = '13912340987'
    const place = { lat: 30.274151, lng: 120.155071 }
    const event = (parts: unknown[], meta?: object) =>
      ({ kind: 'message', externalId: newId(), from: { externalId: who }, parts, ...(meta ? { meta } : {}) }) as never
    const accepted = await world().hub.intake.accept(inbox.id, [
      event([{ type: 'text', text: '在吗' }], { subject: `回电 ${phone}` }),
      event([{ type: 'link', url: `https://shop.cn/o?tel=${phone}`, title: '订单' }]),
      event([{ type: 'location', ...place }]),
    ])
    const id = accepted[0]?.conversationId ?? ''
    const inbox1 = { inboxIds: [inbox.id] }
    for (const match of ['fuzzy', 'exact'] as const)
      for (const keyword of [phone, '274151', '155071']) {
        assert.deepEqual(await idsOf(owner, { ...inbox1, keyword, match }), [id], keyword)
        assert.deepEqual(await idsOf(blind, { ...inbox1, keyword, match }), [], keyword)
      }
    assert.deepEqual(await idsOf(blind, { ...inbox1, keyword: '30.27, 120.16', match: 'exact' }), [id], 'about where')
    const hits = [...(await find(blind, { ...inbox1, keyword: '回电' })).items, ...(await find(blind, { ...inbox1, keyword: 'shop.cn' })).items].flatMap(
      (row) => row.hits,
    )
    assert.equal(hits.length, 2)
    for (const { snippet } of hits) assert.ok(snippet.includes('****') && !snippet.includes(phone), snippet)
  })

  test('nobody finds what they may not read, by words, by lists or by counting', async () => {
    const [mine, other] = [await world().person('小王'), await world().person('小赵')]
    const admin = await world().person('管理', 'admin')
    const secret = `暗号${newId()}`
    const id = await talk(world(), mine, secret)
    assert.deepEqual(await idsOf(mine, { keyword: secret }), [id])
    assert.deepEqual(await idsOf(admin, { keyword: secret }), [id])
    for (const filter of [
      { keyword: secret },
      { agentIds: [mine.id] },
      { keyword: secret, status: ['open', 'closed', 'archived', 'deleted'] },
    ] as RecordFilter[]) {
      assert.deepEqual(await idsOf(other, filter), [])
      assert.deepEqual(await count(other, filter), { count: 0, more: false })
    }
    const response = await fetch(new URL(address({}), world().url))
    assert.equal(response.status, 401)
  })

  test('what is in the recycle bin is in no list; who may restore finds it there and looks at it, nobody else', async () => {
    const agent = await world().person('小孙')
    const admin = await world().person('管理', 'admin')
    const owner = await world().person('主人', 'owner')
    const word = `回收${newId()}`
    const id = await talk(world(), agent, word)
    await changeConversation(world().hub, id, async (change) => {
      change.conversation.deletedAt = change.at
      change.conversation.deletedById = agent.id
      return true
    })
    for (const person of [agent, admin, owner]) {
      for (const url of [`/api/conversations/${id}`, `/api/conversations/${id}/messages`, `/api/records/${id}`])
        assert.equal((await person.call('GET', url)).status, person === agent ? 404 : 200, url)
      for (const group of ['mine', 'open']) {
        const { body } = await person.call('GET', `/api/conversations?group=${group}`)
        assert.ok(!body.items.some((one: { id: string }) => one.id === id))
      }
      const { body } = await person.call('GET', `/api/conversations/changes?since=${new Date(Date.now() - 60_000).toISOString()}`)
      assert.ok(!body.items.some((one: { id: string }) => one.id === id))
      assert.deepEqual((await person.call('POST', '/api/conversations/visible', { ids: [id] })).body.ids, [])
      assert.deepEqual(await idsOf(person, { keyword: word }), [])
      assert.deepEqual(await idsOf(person, { keyword: word, status: ['open', 'closed', 'archived'] }), [])
    }
    assert.deepEqual(await idsOf(agent, { keyword: word, status: ['deleted'] }), [])
    assert.deepEqual(await count(agent, { status: ['deleted'] }), { count: 0, more: false })
    for (const person of [admin, owner]) assert.deepEqual(await idsOf(person, { keyword: word, status: ['deleted'] }), [id])
    assert.equal((await find(admin, { keyword: word, status: ['deleted'] })).items[0]?.status, 'deleted')
  })

  test('archived is found by its status only', async () => {
    const agent = await world().person('小周')
    const id = await talk(world(), agent, '归档')
    await world().hub.em().nativeUpdate(Conversation, { id }, { status: 'closed', archivedAt: new Date(), closedAt: new Date() })
    assert.deepEqual(await idsOf(agent, {}), [])
    assert.deepEqual(await idsOf(agent, { status: ['archived'] }), [id])
    assert.deepEqual((await agent.call('GET', '/api/conversations?group=closed')).body.items, [])
  })

  test('who sees a field masked does not find by it', async () => {
    const agent = await world().person('小吴')
    const blind = await world().person('新人', 'admin')
    const em = world().hub.em()
    const role = {
      id: newId(),
      builtin: null,
      name: newId(),
      createdAt: new Date(),
      grants: [{ permission: 'conversation.read', scope: 'all' as const }],
    } as unknown as Role
    await em.insert(Role, role)
    await em.nativeUpdate(AgentRole, { agentId: blind.id }, { roleId: role.id })
    world().hub.access.clear()
    const id = await talk(world(), agent, '你好')
    const { contactId } = await em.findOneOrFail(Conversation, { id })
    const phone = `139${Date.now().toString().slice(-8)}`
    await em.nativeUpdate(Contact, { id: contactId }, { name: `欧阳${phone}`, phone, email: `${phone}@example.cn`, nickname: `阿${phone}` })
    for (const contact of [phone, `${phone.slice(0, 3)} ${phone.slice(3)}`, `${phone}@example.cn`, `欧阳${phone}`, `阿${phone}`]) {
      assert.deepEqual(await idsOf(agent, { contact }), [id], contact)
      // Told that they may not, not that nobody has it: they would believe it.
      for (const path of ['', '/count']) {
        const { status, body } = await blind.call('GET', `/api/records${path}?filter=${encodeURIComponent(JSON.stringify({ contact }))}`)
        assert.deepEqual([status, body.code, body.details?.field], [403, 'HUB_FORBIDDEN', 'contact'], contact)
      }
    }
    // A nickname that holds no number is nobody's secret.
    const nickname = `阿${id.replace(/\d/g, 'x')}`
    await em.nativeUpdate(Contact, { id: contactId }, { nickname })
    assert.deepEqual(await idsOf(blind, { contact: nickname.slice(0, 24) }), [id])
    assert.deepEqual(await idsOf(agent, { contact: phone.slice(0, 7) }), [], 'a part of a number is none')
    // Nor by what stands encoded in an address that somebody sent.
    const word = `encoded.${phone}%40example.cn`
    const sent = await talk(world(), agent, `我的订单 https://shop.cn/order?email=${word}&tel=%2B86%20${phone.slice(0, 3)}%20${phone.slice(3)}`)
    for (const keyword of [word, `${phone.slice(0, 3)}%20${phone.slice(3)}`]) {
      assert.deepEqual(await idsOf(agent, { keyword }), [sent], keyword)
      assert.deepEqual(await idsOf(blind, { keyword }), [], keyword)
      assert.deepEqual(await count(blind, { keyword }), { count: 0, more: false }, keyword)
    }
  })

  test('the index forgets what is gone, learns what came late, and begins again after a crash', async () => {
    const agent = await world().person('小郑')
    const { hub } = world()
    const em = hub.em()
    const sizes = { small: 4, large: 16, quietMs: 0 }
    const index = () => indexMessages(hub, { until: performance.now() + 10_000 }, sizes)
    const word = `索引${newId()}`
    const id = await talk(world(), agent, `${word}一`, '二', '三', '四', '五', '六', '七', '八')
    // A hub that ends waits for no block.
    const live = await em.count(SearchBlock, { state: 'live' })
    assert.equal(await indexMessages(hub, { until: Number.POSITIVE_INFINITY, stopped: () => true }, sizes), 0)
    assert.equal(await em.count(SearchBlock, { state: 'live' }), live)
    // A process was killed in the middle of a block.
    await em.insert(SearchBlock, {
      id: 900,
      state: 'building',
      afterId: '',
      lastId: 'z',
      size: 0,
      messages: 0,
      textLength: 0,
      dueAt: new Date(0),
      createdAt: new Date(0),
    } as SearchBlock)
    await em.execute('insert into search_posting (block, gram, hits) values (900, 1, ?)', [Buffer.from([0, 0])])
    await index()
    assert.equal(await em.count(SearchBlock, { id: 900 }), 0)
    assert.deepEqual(await em.execute('select gram from search_posting where block = 900'), [])
    const indexed = await em.count(SearchBlock, { state: 'live' })
    assert.ok(indexed > 0)
    const last = (await em.find(SearchBlock, { state: 'live' }, { orderBy: { lastId: 'desc' }, disableIdentityMap: true }))[0] as SearchBlock
    const [first, second] = (await em.find(Message, { conversationId: id, direction: 'in' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })) as [
      Message,
      Message,
    ]
    assert.ok(last.lastId >= first.id, 'the message is in a block')
    assert.deepEqual(await idsOf(agent, { keyword: word }), [id])

    await em.nativeUpdate(Message, { id: first.id }, { recalledAt: new Date() })
    assert.deepEqual(await idsOf(agent, { keyword: word }), [], 'taken back')
    const late = `迟到${newId()}`
    await em.nativeUpdate(Message, { id: second.id }, { text: `${late}.pdf` })
    await em.nativeDelete(Message, { id: first.id })
    await em.nativeUpdate(SearchBlock, { state: 'live' }, { dueAt: new Date(0) })
    await index()
    assert.deepEqual(await idsOf(agent, { keyword: late }), [id], 'a file whose name came later')
    await em.nativeUpdate(SearchBlock, { state: 'retired' }, { dueAt: new Date(0) })
    await index()
    assert.equal(await em.count(SearchBlock, { state: 'retired' }), 0)
    const orphans = await em.execute('select block from search_posting where block not in (select id from search_block) limit 1')
    assert.deepEqual(orphans, [], 'nothing of what was replaced is kept')
  })

  test('what is purged leaves the index within minutes, not at the next look of a month; other blocks wait for theirs', async () => {
    const { hub } = world()
    const [agent, em] = [await world().person('小纪'), hub.em()]
    const word = `清除${newId()}`
    const [kept, id] = [await talk(world(), agent, ...Array(6).fill(word)), await talk(world(), agent, ...Array(12).fill(word))]
    await indexMessages(hub, { until: performance.now() + 10_000 }, { small: 4, large: 4, quietMs: 0 })
    const month = new Date(Date.now() + 30 * 86_400_000)
    await em.nativeUpdate(SearchBlock, { state: 'live' }, { dueAt: month })
    const ids = (await em.find(Message, { conversationId: id }, { fields: ['id'], disableIdentityMap: true })).map((message) => message.id)
    const blocks = await em.find(SearchBlock, { state: 'live' }, { disableIdentityMap: true })
    const holds = ({ afterId, lastId }: SearchBlock) => ids.some((one) => one > afterId && one <= lastId)
    assert.ok(blocks.some(holds) && !blocks.every(holds))
    await purge(hub, id)
    const after = await em.find(SearchBlock, { state: 'live' }, { disableIdentityMap: true })
    assert.deepEqual(
      after.map((block) => [block.id, (block.dueAt?.getTime() ?? 0) < month.getTime() - 86_400_000]),
      after.map((block) => [block.id, holds(block)]),
    )
    assert.deepEqual(await idsOf(agent, { keyword: word }), [kept])
  })

  test('who takes long over what was found loses nothing of the blocks that are joined and gone meanwhile', async () => {
    const agent = await world().person('小魏')
    const { hub } = world()
    const em = hub.em()
    const access = await hub.access.of(agent.id)
    const wanted = access && (await wantedBy(hub, em, access, {}, 'UTC'))
    const keyword = keywordOf(`慢慢${newId()}`, undefined)
    assert.ok(access && wanted && keyword)
    await talk(world(), agent, ...Array.from({ length: 24 }, (_, i) => `${keyword.words[0]} ${i}`))
    const index = (sizes: { small: number; large: number }) => indexMessages(hub, { until: performance.now() + 10_000 }, { ...sizes, quietMs: 0 })
    await index({ small: 4, large: 4 })
    const search = { em, actor: access, wanted, keyword, beforeId: '~', upToId: '~', sizes: { ...usualSizes, fewRows: 0, fewTalks: 0, trustMs: 0 } }
    const found: string[] = []
    for await (const { hits } of hitsOf(search)) {
      const joined = found.length === 0 && hits.length > 0
      found.push(...hits.map(({ id }) => id))
      if (!joined) continue
      await index({ small: 4, large: 16 })
      await em.nativeUpdate(SearchBlock, { state: 'retired' }, { dueAt: new Date(0) })
      await index({ small: 4, large: 16 })
    }
    assert.equal(new Set(found).size, 24)
    assert.equal(found.length, 24)
  })

  test('what is known of the customer is told where it is asked for, as far as the reader may see it', async () => {
    const agent = await world().person('小蒋')
    // Without digits: some of them together would be somebody's number, which the blind may not search for.
    const word = `客户资料${newId().replaceAll(/\d/g, 'x')}`
    const id = await talk(world(), agent, word)
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { name: '欧阳锋', phone: '13800138000', remark: '回电 13912345678' })
    const personOf = async (reader: Person, more = '&person=true') => (await find(reader, { keyword: word }, more)).items[0]?.person
    assert.equal(await personOf(agent, ''), undefined)
    const shown = await personOf(agent)
    assert.deepEqual([shown?.name, shown?.phone, shown?.qq, shown?.remark], ['欧阳锋', '13800138000', '', '回电 13912345678'])
    const blind = await personOf(await world().person('小韩', [{ permission: 'conversation.read', scope: 'all' }]))
    assert.deepEqual([blind?.phone, blind?.remark], ['138****8000', '回电 139****5678'])
    assert.doesNotMatch(blind?.name ?? '', /阳锋/)
  })

  test('bad input has a code', async () => {
    const agent = await world().person('小冯')
    const cursor = (await find(agent, {})).cursor
    assert.equal(cursor, null)
    for (const query of [
      'filter=%7B',
      'filter=1',
      `filter=${encodeURIComponent('{"status":["gone"]}')}`,
      `filter=${encodeURIComponent('{"from":"yesterday"}')}`,
      `filter=${encodeURIComponent('{"inboxIds":["x"]}')}`,
      `filter=${encodeURIComponent('{"channels":["a\\u0000"]}')}`,
      `filter=${encodeURIComponent('{"owner":true}')}`,
      'tz=Mars/Olympus',
      'cursor=nonsense',
      `cursor=${Buffer.from('["a","b"]').toString('base64url')}`,
      `cursor=${Buffer.from('[1e99,"b"]').toString('base64url')}`,
      'limit=1000',
    ]) {
      const { status, body } = await agent.call('GET', `/api/records?${query}`)
      assert.equal(status, 400, `${query}: ${JSON.stringify(body)}`)
      assert.equal(body.code, 'HUB_REQUEST_INVALID')
    }
    // A wildcard of one database or another is a letter here.
    for (const keyword of ['%', '_', '\\', "'", '"', '￥', '\u0000', '\ud83d', '*', '*'.repeat(100)])
      assert.deepEqual(await idsOf(agent, { keyword }), [], keyword)
    for (const contact of ['%', "'", '\u0000', '\ud83d', '#']) assert.deepEqual(await idsOf(agent, { contact }), [], contact)
  })
})
