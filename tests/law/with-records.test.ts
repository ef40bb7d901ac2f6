/** `ctx.records`, `ctx.may`, `ctx.blobs`, permissions with a reach: many records read as one agent may see them, asked anew at each page. */
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import type { RecordMessage, RecordReader } from '../../core/sdk/records.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { RecordFilter } from '../../core/sdk/wire/record.ts'
import { insertRows } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const review = definePlugin({
  id: 'review',
  version: '1.0.0',
  label: { zh: '质检', en: 'Review' },
  permissions: [{ name: 'talk.judge', label: { zh: '抽检会话', en: 'Judge talks' }, reach: { admin: 'all', supervisor: 'tree', agent: 'own' } }],
  routes(app, ctx) {
    app.get('/me', { config: { access: { permission: 'review.talk.judge' } } }, async (request) => ({ agentId: ctx.asker(request).agentId }))
  },
})
const other = definePlugin({ id: 'other', version: '1.0.0', label: { zh: '别的', en: 'Other' } })
const { manifest } = mockChannel()
const permission = 'review.talk.judge'

/** A conversation of this agent's. */
async function talk(world: World, agent: Person, words: string[], who = newId(), at?: Inbox): Promise<string> {
  const inbox = at ?? (await world.inbox('mock'))
  let id = ''
  for (const word of words) id = (await world.say(inbox, who, word))[0]?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  return id
}

await onEveryProfile('records for plugins', [found(manifest), found(review), found(other)], (world) => {
  const ctxOf = (id: string) => {
    const plugin = world().hub.kernel.get(id)
    assert.ok(plugin)
    return plugin.ctx
  }
  const records = () => ctxOf('review').records
  const idsOf = async (reader: RecordReader, filter = {}) => (await Array.fromAsync(records().matching(reader, filter, { tz: 'Asia/Shanghai' }))).flat()
  const messagesOf = async (reader: RecordReader, ids: string[]) => (await Array.fromAsync(records().messages(reader, ids))).flat()

  test('a permission with a reach stands in the matrix with it, and the built-in roles have theirs', async () => {
    const owner = await world().person('主', 'owner')
    const { items } = (await owner.call('GET', '/api/permissions')).body
    assert.deepEqual(items.find((one: { name: string }) => one.name === permission).scopes, ['own', 'department', 'tree', 'all'])
    const roles = (await owner.call('GET', '/api/roles')).body.items as { builtin: string; grants: { permission: string; scope?: string }[] }[]
    const scopeOf = (builtin: string) => roles.find((role) => role.builtin === builtin)?.grants.find((one) => one.permission === permission)?.scope
    assert.deepEqual([scopeOf('admin'), scopeOf('supervisor'), scopeOf('agent')], ['all', 'tree', 'own'])
  })

  test('what contacts can hold besides the core’s fields is told by name; of named filters an agent’s own, as they are now', async () => {
    const [owner, mine, theirs] = [await world().person('主', 'owner'), await world().person('甲'), await world().person('乙')]
    await owner.call('PUT', '/api/contact-fields', { fields: [{ id: 'level', label: '客户等级' }] })
    assert.deepEqual(await records().contactFields(), [{ name: 'hub.level', label: { zh: '客户等级', en: '客户等级' } }])
    const { id } = (await mine.call('POST', '/api/record-views', { name: '差评', filter: { ratings: ['bad'] } })).body
    assert.deepEqual(await records().view(mine.id, id), { id, name: '差评', filter: { ratings: ['bad'] } })
    assert.equal(await records().view(theirs.id, id), undefined)
    await mine.call('PATCH', `/api/record-views/${id}`, { filter: { ratings: ['bad', 'medium'] } })
    assert.deepEqual((await records().view(mine.id, id))?.filter, { ratings: ['bad', 'medium'] })
    await mine.call('DELETE', `/api/record-views/${id}`)
    assert.equal(await records().view(mine.id, id), undefined)
  })

  test('the reach of reading and of the permission both hold; an agent finds their own, an admin all', async () => {
    const [mine, theirs, admin] = [await world().person('甲'), await world().person('乙'), await world().person('管理', 'admin')]
    const [a, b] = [await talk(world(), mine, ['一']), await talk(world(), theirs, ['二'])]
    assert.deepEqual(await idsOf({ agentId: mine.id, permission }), [a])
    const all = await idsOf({ agentId: admin.id, permission })
    assert.ok(all.includes(a) && all.includes(b))
    assert.deepEqual(
      (await records().read({ agentId: mine.id, permission }, [a, b])).map(({ id }) => id),
      [a],
    )
    assert.deepEqual(
      (await messagesOf({ agentId: mine.id, permission }, [a, b])).filter(({ direction }) => direction === 'in').map((message) => message.text),
      ['一'],
    )
    // Reads everything, may judge only what is theirs.
    await world().grant(mine, [
      { permission: 'conversation.read', scope: 'all' },
      { permission, scope: 'own' },
    ])
    assert.deepEqual(await idsOf({ agentId: mine.id, permission }), [a])
    assert.ok((await idsOf({ agentId: mine.id })).includes(b))
    assert.deepEqual(
      (await records().read({ agentId: mine.id, permission }, [a, b])).map(({ id }) => id),
      [a],
    )
  })

  test('who speaks while all that match are walked through is found once, whether the walk had been there or not', async () => {
    const agent = await world().person('壬')
    const em = world().hub.em()
    const inbox = await world().inbox('mock')
    const [early, late] = [newId(), newId()]
    const ids = { early: await talk(world(), agent, ['早'], early, inbox), late: await talk(world(), agent, ['晚'], late, inbox) }
    const like = await em.findOneOrFail(Conversation, { id: ids.early }, { disableIdentityMap: true })
    const hour = (n: number) => new Date(Date.now() - n * 3_600_000)
    const more = Array.from({ length: 258 }, (_, n) => ({ ...like, id: newId(), openIdentityId: null, status: 'closed' as const, lastMessageAt: hour(2 + n) }))
    await insertRows(em, Conversation, more as Conversation[])
    await em.nativeUpdate(Conversation, { id: ids.early }, { lastMessageAt: hour(1) })
    await em.nativeUpdate(Conversation, { id: ids.late }, { lastMessageAt: hour(300) })
    const all = [ids.early, ids.late, ...more.map(({ id }) => id)].sort()
    const walked = async (filter: RecordFilter) => {
      const seen: string[] = []
      for await (const page of records().matching({ agentId: agent.id }, filter, { tz: 'Asia/Shanghai' })) {
        assert.ok(page.length <= 200)
        if (seen.length === 0) for (const who of [early, late]) await world().say(inbox, who, '还有一句')
        seen.push(...page)
      }
      return seen.sort()
    }
    assert.deepEqual(await walked({}), all)
    // Within a span too; what a message takes out of it is not in it.
    await em.nativeUpdate(Conversation, { id: ids.late }, { lastMessageAt: hour(300) })
    assert.deepEqual(await walked({ from: hour(400).toISOString(), to: hour(-1).toISOString() }), all)
    await em.nativeUpdate(Conversation, { id: ids.late }, { lastMessageAt: hour(300) })
    await em.nativeUpdate(Conversation, { id: ids.early }, { lastMessageAt: hour(1) })
    const given = await walked({ to: hour(0).toISOString() })
    assert.deepEqual(
      given,
      all.filter((id) => id !== ids.late),
    )
  })

  test('what lies in the recycle bin, and what is nobody’s, is not read; who lacks the permission or is gone is refused', async () => {
    const agent = await world().person('丙')
    const [id, bin] = [await talk(world(), agent, ['在']), await talk(world(), agent, ['不在'])]
    await world().hub.em().nativeUpdate(Conversation, { id: bin }, { deletedAt: new Date() })
    const admin = await world().person('管理', 'admin')
    assert.deepEqual(
      (await records().read({ agentId: admin.id }, [id, bin, newId()])).map((one) => one.id),
      [id],
    )
    assert.deepEqual(await messagesOf({ agentId: admin.id }, [bin]), [])
    const without = await world().person('丁')
    await world().grant(without, [{ permission: 'conversation.read', scope: 'all' }])
    await assert.rejects(idsOf({ agentId: without.id, permission }), { code: 'HUB_FORBIDDEN' })
    await assert.rejects(records().read({ agentId: newId() }, [id]), { code: 'HUB_FORBIDDEN' })
    assert.deepEqual([await ctxOf('review').may(agent.id, permission), await ctxOf('review').may(without.id, permission)], [true, false])
    assert.equal(await ctxOf('review').may(newId(), permission), false)
  })

  test('personal data is masked unless it is asked for and may be seen', async () => {
    const agent = await world().person('戊')
    const id = await talk(world(), agent, ['你好'])
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id })
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { name: '王小明', phone: '13812345678', email: 'wang@example.cn' })
    const contactOf = async (reader: RecordReader) => {
      const { name, phone, email, title } = (await records().read(reader, [id]))[0]?.contact ?? {}
      return [name, phone, email, title]
    }
    const masked = ['王**', '138****5678', 'w***@example.cn', '王**']
    assert.deepEqual(await contactOf({ agentId: agent.id }), masked)
    assert.deepEqual(await contactOf({ agentId: agent.id, personal: true }), ['王小明', '13812345678', 'wang@example.cn', '王小明'])
    const owner = await world().person('主', 'owner')
    assert.deepEqual(await contactOf({ agentId: owner.id }), masked, 'who may everything, too')
    await world().grant(agent, [{ permission: 'conversation.read', scope: 'own' }])
    assert.deepEqual(await contactOf({ agentId: agent.id, personal: true }), masked)
  })

  test('messages come in pages, in the order of the conversations and of writing, without a gap or a repeat', async () => {
    const agent = await world().person('己')
    const words = (name: string, n: number) => Array.from({ length: n }, (_, i) => `${name}${i}`)
    const ids = [await talk(world(), agent, words('a', 3)), await talk(world(), agent, words('b', 230)), await talk(world(), agent, words('c', 2))]
    const pages = await Array.fromAsync(records().messages({ agentId: agent.id }, [...ids].reverse()))
    assert.ok(pages.length > 1 && pages.every((page) => page.length <= 200))
    const seen = pages.flat().filter(({ direction }) => direction === 'in')
    assert.deepEqual(
      seen.map((message) => message.text),
      [...words('a', 3), ...words('b', 230), ...words('c', 2)],
    )
    assert.equal(new Set(pages.flat().map(({ conversationId, seq }) => `${conversationId}/${seq}`)).size, pages.flat().length)
  })

  test('a right that is taken away ends it at the next page', async () => {
    const agent = await world().person('庚')
    const id = await talk(
      world(),
      agent,
      Array.from({ length: 201 }, (_, i) => `第 ${i} 句`),
    )
    const seen: RecordMessage[] = []
    await assert.rejects(
      async () => {
        for await (const page of records().messages({ agentId: agent.id }, [id])) {
          seen.push(...page)
          await world().hub.em().nativeUpdate(Agent, { id: agent.id }, { active: false })
          world().hub.access.clear()
        }
      },
      { code: 'HUB_FORBIDDEN' },
    )
    assert.equal(seen.length, 200)
  })

  test('who asks on a route is known; a stranger is refused before it', async () => {
    const agent = await world().person('辛')
    assert.deepEqual((await agent.call('GET', '/api/x/review/me')).body, { agentId: agent.id })
    assert.equal((await fetch(new URL('/api/x/review/me', world().url))).status, 401)
  })

  test('bytes that a plugin keeps are its own, and gone when it says so', async () => {
    const { blobs } = ctxOf('review')
    const kept = await blobs.put(
      (async function* () {
        yield Buffer.from('一半')
        yield Buffer.from('另一半')
      })(),
    )
    assert.equal(kept.size, Buffer.byteLength('一半另一半'))
    const stream = await blobs.read(kept.name)
    assert.equal(stream && (await text(stream)), '一半另一半')
    assert.equal(await ctxOf('other').blobs.read(kept.name), undefined)
    await blobs.remove(kept.name)
    assert.equal(await blobs.read(kept.name), undefined)
    await assert.rejects(
      blobs.put(
        // biome-ignore lint/correctness/useYield: it breaks before it gives anything
        (async function* () {
          throw new Error('the source broke')
        })(),
      ),
      /the source broke/,
    )
  })
})
