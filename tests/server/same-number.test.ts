/** The same number in a field of two contacts, found in the chat, entered by an agent or said by a channel: offered with where each has it from, merged by nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChannelSender } from '../../core/sdk/channel.ts'
import { definePlugin, type PluginContext } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { blindsOf } from '../../core/src/sealing/sealed-columns.ts'
import { found, onEveryProfile, type Person } from '../support/world.ts'

let ctx: PluginContext
const finder = definePlugin({
  id: 'finder',
  version: '1.0.0',
  label: { zh: '信息识别', en: 'Finder' },
  start: (given) => {
    ctx = given
  },
})
const { manifest: mock } = mockChannel('mock')

await onEveryProfile('the same number', [found(finder), found(mock)], (world, profile) => {
  const say = async (inbox: Inbox, who: string, more: Partial<ChannelSender> = {}) => {
    const [accepted] = await world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId: who, ...more }, parts: [{ type: 'text', text: '你好' }] },
    ])
    const conversationId = accepted?.conversationId ?? ''
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    return { contactId, conversationId, messageId: accepted?.messageId ?? '', seq: accepted?.seq ?? 0 }
  }
  const two = async () => {
    const [a, b] = await Promise.all([world().inbox('mock'), world().inbox('mock')])
    return { a, b, one: await say(a, 'one'), other: await say(b, 'other') }
  }
  const offers = async (agent: Person, contactId: string) => (await agent.call('GET', `/api/contacts/${contactId}/suggestions`)).body.items
  const digits = () => newId().replace(/\D/g, '').padEnd(8, '7').slice(-8)
  const nowhere = { inboxId: null, agentId: null, plugin: null, message: null }

  test('found in a message and entered by an agent: offered to both with the message and the name; accepted it merges', async () => {
    const { one, other } = await two()
    const agent = await world().person('小安', 'admin')
    const phone = `139${digits()}`
    assert.equal(await ctx.contacts.fill(one.contactId, 'phone', phone, { messageId: one.messageId }), 'filled')
    assert.deepEqual(await offers(agent, one.contactId), [])
    assert.equal((await agent.call('PATCH', `/api/contacts/${other.contactId}`, { phone: `+86 ${phone}` })).status, 200)
    const [offer, ...more] = await offers(agent, one.contactId)
    assert.deepEqual([offer.contact.id, more], [other.contactId, []])
    const [{ origins, ...proof }] = offer.evidence
    assert.deepEqual(proof, { kind: 'phone', value: phone, verified: false })
    const inMessage = { ...nowhere, by: 'plugin', plugin: { zh: '信息识别', en: 'Finder' }, message: { conversationId: one.conversationId, seq: one.seq } }
    const byHand = { ...nowhere, by: 'agent', agentId: agent.id }
    assert.deepEqual(origins, [
      { ...byHand, side: 'other' },
      { ...inMessage, side: 'this' },
    ])
    assert.deepEqual((await offers(agent, other.contactId))[0].evidence[0].origins, [
      { ...byHand, side: 'this' },
      { ...inMessage, side: 'other' },
    ])
    await world().running.sweep()
    assert.equal((await agent.call('GET', `/api/contacts/${other.contactId}`)).body.id, other.contactId, 'nothing merges by itself')
    assert.equal((await agent.call('POST', `/api/suggestions/${offer.id}/accept`)).status, 200)
    assert.equal((await agent.call('GET', `/api/contacts/${other.contactId}`)).body.id, one.contactId)
  })

  for (const [field, value, written] of [
    ['email', 'li.lei@example.com', ' Li.Lei@Example.com'],
    ['wechat', 'lilei_88', 'LiLei_88'],
    ['qq', '31415926', '31415926'],
  ] as const)
    test(`the same ${field}, however it is written`, async () => {
      const { one, other } = await two()
      const agent = await world().person('小白', 'admin')
      await agent.call('PATCH', `/api/contacts/${one.contactId}`, { [field]: value })
      await agent.call('PATCH', `/api/contacts/${other.contactId}`, { [field]: written })
      assert.deepEqual(
        (await offers(agent, one.contactId))[0].evidence.map(({ kind, value: shown }: { kind: string; value: string }) => [kind, shown]),
        [[field, value]],
      )
    })

  test('what names nobody is compared with nothing', async () => {
    const { one, other } = await two()
    const agent = await world().person('小洪', 'admin')
    for (const { contactId } of [one, other])
      await agent.call('PATCH', `/api/contacts/${contactId}`, { phone: '138****8000', wechat: '没有', qq: '无', email: '同手机' })
    assert.deepEqual(await offers(agent, one.contactId), [])
  })

  test('what a channel says of one and an agent typed of the other, whichever comes first', async () => {
    const { a, b, one } = await two()
    const agent = await world().person('小齐', 'admin')
    const [first, second] = [`136${digits()}`, `135${digits()}`]
    const said = await say(b, newId(), { phone: first })
    await agent.call('PATCH', `/api/contacts/${one.contactId}`, { phone: first })
    assert.deepEqual((await offers(agent, said.contactId))[0].evidence[0].origins, [
      { ...nowhere, side: 'other', by: 'agent', agentId: agent.id },
      { ...nowhere, side: 'this', by: 'channel', inboxId: b.id },
    ])
    await agent.call('PATCH', `/api/contacts/${one.contactId}`, { phone: second })
    const later = await say(a, newId(), { phone: second, verified: true })
    assert.notEqual(later.contactId, one.contactId, 'what an agent typed is vouched for by nobody')
    assert.deepEqual(
      (await offers(agent, later.contactId)).map((offer: { contact: { id: string } }) => offer.contact.id),
      [one.contactId],
    )
  })

  test('refused it stays refused, from wherever the same number comes again; corrected, the offer goes', async () => {
    const { one, other } = await two()
    const agent = await world().person('小陈', 'admin')
    const phone = `134${digits()}`
    const write = (contactId: string, value: string) => agent.call('PATCH', `/api/contacts/${contactId}`, { phone: value })
    await write(one.contactId, phone)
    await write(other.contactId, phone)
    await write(other.contactId, `133${digits()}`)
    assert.deepEqual(await offers(agent, one.contactId), [])
    await write(other.contactId, phone)
    const [{ id }] = await offers(agent, one.contactId)
    assert.equal((await agent.call('POST', `/api/suggestions/${id}/refuse`)).status, 200)
    await write(other.contactId, '')
    await ctx.contacts.write(other.contactId, 'phone', phone, { byAgentId: agent.id, messageId: other.messageId })
    await write(one.contactId, `+86${phone}`)
    assert.deepEqual([await offers(agent, one.contactId), await offers(agent, other.contactId)], [[], []])
  })

  test('masked for who may not see the field; of a contact or a message that may not be read nothing is shown', async () => {
    const { a, b, one, other } = await two()
    const agent = await world().person('小龚', 'admin')
    const [phone, wechat] = [`132${digits()}`, 'han_meimei']
    for (const { contactId, messageId } of [one, other]) {
      await ctx.contacts.fill(contactId, 'phone', phone, { messageId })
      await ctx.contacts.fill(contactId, 'wechat', wechat, { messageId })
    }
    const values = (items: { evidence: { value: string }[] }[]) => items[0]?.evidence.map(({ value }) => value)
    assert.deepEqual(values(await offers(agent, one.contactId)), [phone, wechat])
    const blind = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }, { permission: 'contact.merge' }])
    const masked = JSON.stringify(await offers(blind, one.contactId))
    assert.ok(!masked.includes(phone) && !masked.includes(wechat), masked)
    const narrow = await world().person('小窄', [{ permission: 'conversation.read', scope: 'all', inboxIds: [a.id] }, { permission: 'contact.merge' }])
    assert.deepEqual(await offers(narrow, one.contactId), [])
    assert.equal((await narrow.call('GET', `/api/contacts/${other.contactId}/suggestions`)).status, 404)
    // Who also wrote to an inbox that they read is theirs to see; the message elsewhere is not.
    const person = { claims: [{ kind: 'unionid' as const, value: newId(), verified: true }] }
    const [known, there] = [await say(a, newId(), person), await say(b, newId(), person)]
    assert.equal(known.contactId, there.contactId)
    await ctx.contacts.fill(there.contactId, 'phone', phone, { messageId: there.messageId })
    const [offer] = await offers(narrow, one.contactId)
    assert.equal(offer.contact.id, known.contactId)
    const places = (items: { side: string; message: unknown }[]) => Object.fromEntries(items.map(({ side, message }) => [side, message]))
    assert.deepEqual(places(offer.evidence[0].origins), { this: { conversationId: one.conversationId, seq: one.seq }, other: null })
    const plain = await world().person('外人', [{ permission: 'conversation.read', scope: 'all' }])
    assert.equal((await plain.call('GET', `/api/contacts/${one.contactId}/suggestions`)).status, 403)
  })

  test('a number of so many is a switchboard and joins nobody', async () => {
    const inbox = await world().inbox('mock')
    const agent = await world().person('小莫', 'admin')
    const phone = `0755${digits()}`
    const many = await Promise.all(Array.from({ length: 21 }, (_, i) => say(inbox, `many-${i}`)))
    for (const { contactId } of many) await ctx.contacts.fill(contactId, 'phone', phone)
    assert.deepEqual(await offers(agent, many.at(-1)?.contactId ?? ''), [])
  })

  test('they are found by the key of the field, not by looking through all', async () => {
    const em = world().hub.em()
    const keys = blindsOf(em, 'phone', '13800138000').map((key) => `'${key}'`)
    const statement = `select p.id from contact p cross join contact_field f on f.contact_id = p.id and f.field = 'phone' where p.phone_key in (${keys.join(', ')}) limit 20`
    const plan = JSON.stringify(await em.getConnection().execute(`explain ${profile === 'served' ? '' : 'query plan '}${statement}`))
    assert.match(plan, /contact_phone_key/)
  })
})
