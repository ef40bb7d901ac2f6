/** One person in many channels: what is vouched for links by itself, the rest is offered with its evidence; merging moves, splitting and undoing move back. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ChannelSender } from '../../core/sdk/channel.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { type Claim, normaliseClaim } from '../../core/src/domain/contact/claims.ts'
import { Contact, ContactClaim, ContactMove, Identity, MergeSuggestion } from '../../core/src/domain/contact/contact.entity.ts'
import { settlePeople } from '../../core/src/domain/contact/merge-contacts.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { purge } from '../../core/src/domain/record/purge.ts'
import { claimKey } from '../../core/src/sealing/sealed-columns.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, onEveryProfile, type Person, startWorld, type World } from '../support/world.ts'

const { manifest } = mockChannel('mock')
const heard: { name: string; data: Record<string, unknown> }[] = []
const ear = definePlugin({
  id: 'ear',
  version: '1.0.0',
  label: { zh: '耳朵', en: 'Ear' },
  on: { 'contact.merged': (event) => void heard.push(event), 'contact.split': (event) => void heard.push(event) },
})
const unionid = (value: string, verified = true) => ({ claims: [{ kind: 'unionid' as const, value, verified }] })

test('equal people have equal claims; a masked number names nobody', () => {
  for (const phone of ['13800138000', '+86 138-0013-8000', '0086 13800138000', '138 0013 8000']) assert.equal(normaliseClaim('phone', phone), '13800138000')
  for (const abroad of ['+1 (385) 555-1234', '001 385 555 1234', '＋1 385 555 1234']) assert.equal(normaliseClaim('phone', abroad), '+13855551234')
  assert.equal(normaliseClaim('phone', '13855551234'), '13855551234')
  for (const landline of ['+86 571 8888 6666', '0571-88886666', '+86 (0571) 88886666']) assert.equal(normaliseClaim('phone', landline), '057188886666')
  assert.equal(normaliseClaim('phone', '+86 400 820 8820'), normaliseClaim('phone', '400-820-8820'))
  for (const nobody of ['138****8000', '12', 'call me']) assert.equal(normaliseClaim('phone', nobody), undefined)
  assert.equal(normaliseClaim('email', ' LiLei@Example.COM '), 'lilei@example.com')
  assert.equal(normaliseClaim('email', 'l***@example.com'), undefined)
})

await onEveryProfile('one person', [found(manifest), found(ear)], (world) => {
  const say = async (inbox: Inbox, who: string, more: Partial<ChannelSender> = {}) => {
    const [accepted] = await world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId: who, ...more }, parts: [{ type: 'text', text: '你好' }] },
    ])
    const conversation = await world()
      .hub.em()
      .findOneOrFail(Conversation, { id: accepted?.conversationId ?? '' }, { disableIdentityMap: true })
    return { conversationId: conversation.id, contactId: conversation.contactId, identityId: conversation.identityId }
  }
  const contactOf = async (identityId: string) => (await world().hub.em().findOneOrFail(Identity, { id: identityId }, { disableIdentityMap: true })).contactId
  const inboxes = () => Promise.all([world().inbox('mock'), world().inbox('mock'), world().inbox('mock')])
  const suggestions = async (agent: Person, contactId: string) => (await agent.call('GET', `/api/contacts/${contactId}/suggestions`)).body.items

  test('a verified name joins a new identity to the contact that has it, in whatever inbox; another value joins nothing', async () => {
    const [a, b, c] = await inboxes()
    const union = newId()
    const first = await say(a, 'open-1', unionid(union))
    assert.equal((await say(b, 'open-2', unionid(union))).contactId, first.contactId)
    assert.notEqual((await say(c, 'open-3', unionid(newId()))).contactId, first.contactId)
    const phone = `139${Date.now().toString().slice(-8)}`
    const site = await say(a, 'user-1', { phone, verified: true })
    assert.equal((await say(b, 'user-2', { phone: `+86${phone}`, verified: true })).contactId, site.contactId)
    assert.notEqual((await say(c, 'user-3', { phone: `+${phone}`, verified: true })).contactId, site.contactId, 'a number of another country')
    // Behind another city's code it is somebody else's.
    const local = `6${Date.now().toString().slice(-7)}`
    const here = await say(a, 'user-4', { phone: local, verified: true })
    assert.notEqual((await say(b, 'user-5', { phone: local, verified: true })).contactId, here.contactId)
  })

  test('a name with a space at its end is another one', async () => {
    const inbox = await world().inbox('mock')
    const plain = await say(inbox, 'alice', { claims: [{ kind: 'userId', value: 'shop:alice', verified: true }] })
    const spaced = await say(inbox, 'alice ', { claims: [{ kind: 'userId', value: 'shop:alice ', verified: true }] })
    const more = await say(inbox, 'alice  ')
    assert.equal(new Set([plain, spaced, more].map(({ contactId }) => contactId)).size, 3)
    assert.equal((await world().identity(inbox.id, 'alice')).id, plain.identityId)
    assert.equal((await world().identity(inbox.id, 'alice ')).id, spaced.identityId)
    assert.equal((await say(inbox, 'alice ')).identityId, spaced.identityId)
  })

  test('twenty identities of one person at once, in one batch and in many: one contact', async () => {
    const [a, b] = await inboxes()
    const union = newId()
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => say(i % 2 ? a : b, `who-${i}`, unionid(union))))
    assert.equal(new Set(all.map(({ contactId }) => contactId)).size, 1)
  })

  const digits = () => newId().replace(/\D/g, '').padEnd(8, '7').slice(-8)
  const userId = (value: string) => ({ kind: 'userId' as const, value: `shop:${value}`, verified: true })
  const holder = async (claim: Pick<Claim, 'kind' | 'value'>) => {
    const em = world().hub.em()
    const name = { kind: claim.kind, value: claimKey(em, claim.kind, claim.value) }
    return (await em.findOne(ContactClaim, name, { disableIdentityMap: true }))?.contactId
  }
  const pair = (one: string, two: string) =>
    world()
      .hub.em()
      .findOneOrFail(MergeSuggestion, { contactId: one < two ? one : two, otherId: one < two ? two : one }, { disableIdentityMap: true })

  test('a shared number joins nobody whose names say that they are two, new or known; where the names are of two shops it does', async () => {
    const [a, b, c] = await inboxes()
    const phone = `138${digits()}`
    const [ann, ben, cid] = [newId(), newId(), newId()]
    const one = await say(a, 'f-1', { phone, verified: true, claims: [userId(ann)] })
    const two = await say(b, 'f-2', { phone, verified: true, claims: [userId(ben)] })
    assert.notEqual(two.contactId, one.contactId)
    const three = await say(c, 'f-3', { claims: [userId(cid)] })
    await say(c, 'f-3', { phone, verified: true })
    for (const { contactId } of [two, three]) {
      const { state, dueAt, evidence } = await pair(one.contactId, contactId)
      assert.deepEqual([state, dueAt, evidence.map(({ kind, verified }) => [kind, verified])], ['open', null, [['phone', true]]])
    }
    assert.deepEqual(
      [await holder(userId(ann)), await holder(userId(ben)), await holder(userId(cid))],
      [one, two, three].map(({ contactId }) => contactId),
    )
    // Due before they had the names: asked again then.
    const { id } = await pair(one.contactId, three.contactId)
    await world()
      .hub.em()
      .nativeUpdate(MergeSuggestion, { id }, { dueAt: new Date(0) })
    await settlePeople(world().hub, id)
    assert.deepEqual([await contactOf(three.identityId), (await pair(one.contactId, three.contactId)).dueAt], [three.contactId, null])
    const other = await say(b, 'f-4', { phone, verified: true, claims: [{ ...userId(ann), value: `other:${ann}` }] })
    assert.equal(other.contactId, one.contactId)
  })

  test('a contested name is nobody’s until an agent decides; refused and undone it is whose it was', async () => {
    const [a, b, c] = await inboxes()
    const agent = await world().person('小袁', 'admin')
    const [ann, ben] = [newId(), newId()]
    const one = await say(a, 'c-1', { claims: [userId(ann)] })
    await say(a, 'c-1', { claims: [userId(ben)] })
    assert.equal(await holder(userId(ben)), '')
    const two = await say(b, 'c-2', { claims: [userId(ben)] })
    assert.notEqual(two.contactId, one.contactId)
    assert.equal(await holder(userId(ben)), two.contactId)
    const [offer] = await suggestions(agent, one.contactId)
    assert.equal(offer.evidence[0].origins.length, 2)
    const { body: move } = await agent.call('POST', `/api/suggestions/${offer.id}/accept`)
    assert.equal(await holder(userId(ben)), one.contactId)
    assert.equal((await say(c, 'c-3', { claims: [userId(ben)] })).contactId, one.contactId)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    assert.deepEqual([await holder(userId(ann)), await holder(userId(ben))], [one.contactId, two.contactId])
    assert.equal((await say(c, 'c-4', { claims: [userId(ben)] })).contactId, two.contactId)
    await say(a, 'c-1', { claims: [userId(ben)] })
    assert.deepEqual(await suggestions(agent, one.contactId), [], 'nobody is asked twice')
  })

  test('a number that is replaced is given up: not while another identity of theirs has it, not for one that nobody vouches for, nor by what comes late', async () => {
    const [a, b, c] = await inboxes()
    const numbers = ['131', '132', '133', '134'].map((prefix) => `${prefix}${digits()}`) as [string, string, string, string]
    const [first, second, third, late] = numbers
    const phone = (value: string) => ({ kind: 'phone' as const, value })
    const told = async (inbox: Inbox, who: string, from: Partial<ChannelSender>, sentAt = new Date()) => {
      await world().hub.intake.accept(inbox.id, [
        { kind: 'message', externalId: newId(), from: { externalId: who, ...from }, parts: [{ type: 'text', text: '你好' }], sentAt },
      ])
    }
    const one = await say(a, 'p-1', { phone: first, verified: true })
    const alike = await say(b, 'p-2', { phone: first, verified: true })
    assert.equal(alike.contactId, one.contactId)
    await told(a, 'p-1', { phone: second, verified: true })
    assert.deepEqual([await holder(phone(first)), await holder(phone(second))], [one.contactId, one.contactId])
    await told(b, 'p-2', { phone: third })
    assert.equal(await holder(phone(first)), one.contactId, 'nobody vouches for the third')
    await told(b, 'p-2', { phone: third, verified: true })
    assert.equal(await holder(phone(first)), undefined)
    const stranger = await say(c, 'p-3', { phone: first, verified: true })
    assert.notEqual(stranger.contactId, one.contactId)
    await told(a, 'p-1', { phone: late, verified: true }, new Date(Date.now() - 60_000))
    assert.deepEqual([await holder(phone(late)), await holder(phone(second))], [undefined, one.contactId])
    // One more beside it, told as a claim, takes no place.
    await told(a, 'p-1', { claims: [{ ...phone(late), verified: true }] })
    assert.deepEqual([await holder(phone(late)), await holder(phone(second))], [one.contactId, one.contactId])
  })

  test('a weak name is offered with its evidence, masked for who may not see it; accepted it merges, refused it is not asked again', async () => {
    const [a, b, c] = await inboxes()
    const agent = await world().person('小安', 'admin')
    const phone = `137${Date.now().toString().slice(-8)}`
    const one = await say(a, 'w-1', { phone, verified: true })
    const two = await say(b, 'w-2', { phone })
    const three = await say(c, 'w-3', { phone })
    assert.equal(new Set([one, two, three].map(({ contactId }) => contactId)).size, 3)
    const offered = await suggestions(agent, one.contactId)
    assert.deepEqual(offered.map((s: { contact: { id: string } }) => s.contact.id).sort(), [two.contactId, three.contactId].sort())
    const [{ origins, ...proof }] = offered[0].evidence
    assert.deepEqual(proof, { kind: 'phone', value: phone, verified: false })
    assert.ok(origins.every(({ by }: { by: string }) => by === 'channel'))
    const blind = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }, { permission: 'contact.merge' }])
    assert.match((await suggestions(blind, one.contactId))[0].evidence[0].value, /^137\*+\d{4}$/)
    const own = await world().person('外人')
    assert.equal((await own.call('GET', `/api/contacts/${one.contactId}/suggestions`)).status, 404)
    assert.equal((await own.call('POST', `/api/suggestions/${offered[0].id}/accept`)).status, 404)
    const to = (id: string) => offered.find((s: { contact: { id: string } }) => s.contact.id === id).id
    assert.equal((await agent.call('POST', `/api/suggestions/${to(three.contactId)}/refuse`)).status, 200)
    assert.equal((await agent.call('POST', `/api/suggestions/${to(three.contactId)}/refuse`)).status, 409)
    assert.equal((await agent.call('POST', `/api/suggestions/${to(two.contactId)}/accept`)).status, 200)
    assert.deepEqual([await contactOf(two.identityId), await contactOf(three.identityId)], [one.contactId, three.contactId])
    await say(c, 'w-3', { phone })
    // Between the other two nobody decided yet: it is offered of the one they are now.
    assert.deepEqual(
      (await suggestions(agent, one.contactId)).map((s: { contact: { id: string } }) => s.contact.id),
      [three.contactId],
    )
  })

  test('somebody we know is vouched for later as somebody else we know: they are merged by themselves, and that can be undone for good', async () => {
    const [a, b] = await inboxes()
    const agent = await world().person('小白', 'admin')
    const union = newId()
    const one = await say(a, 'k-1', unionid(union))
    const two = await say(b, 'k-2')
    assert.notEqual(one.contactId, two.contactId)
    await say(b, 'k-2', unionid(union))
    await eventually(async () => {
      await world().running.sweep()
      return (await contactOf(two.identityId)) === one.contactId
    }, 'the merge')
    const moves = (await agent.call('GET', `/api/contacts/${one.contactId}/moves`)).body.items
    assert.deepEqual([moves.length, moves[0].kind, moves[0].byAgentId], [1, 'merge', null])
    assert.equal((await agent.call('POST', `/api/contact-moves/${moves[0].id}/undo`)).status, 200)
    assert.equal(await contactOf(two.identityId), two.contactId)
    await say(b, 'k-2', unionid(union))
    await world().running.sweep()
    assert.equal(
      await world()
        .hub.em()
        .count(MergeSuggestion, { dueAt: { $ne: null }, state: 'open' }),
      0,
    )
    assert.equal(await contactOf(two.identityId), two.contactId)
  })

  test('merging: a preview, then identities, conversations and trail move, empty fields are filled, no message is copied; undone all is as before', async () => {
    const [a, b] = await inboxes()
    const agent = await world().person('小陈', 'admin')
    const one = await say(a, 'm-1', { name: '李雷' })
    const two = await say(b, 'm-2', { email: 'lilei@example.com' })
    await world().hub.intake.accept(b.id, [
      { kind: 'activity', externalId: newId(), from: { externalId: 'm-2' }, name: 'scan', label: { zh: '扫码', en: 'Scan' } },
    ])
    const messages = await world().hub.em().count(Message, { direction: 'in' })
    const preview = (await agent.call('GET', `/api/contacts/${one.contactId}/merge?otherId=${two.contactId}`)).body
    assert.deepEqual(preview, { identities: 1, conversations: 1, activities: 1, fields: { email: 'lilei@example.com' }, addedFields: [], tagIds: [] })
    heard.length = 0
    const { status, body: move } = await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })
    assert.equal(status, 200)
    const merged = (await agent.call('GET', `/api/contacts/${two.contactId}`)).body
    assert.deepEqual([merged.id, merged.name, merged.email, merged.identities.length], [one.contactId, '李雷', 'lilei@example.com', 2])
    assert.equal((await agent.call('GET', `/api/contacts/${one.contactId}/conversations`)).body.items.length, 2)
    assert.equal((await agent.call('GET', `/api/contacts/${one.contactId}/activities`)).body.items.length, 1)
    assert.equal((await agent.call('GET', `/api/conversations/${two.conversationId}`)).body.contact.id, one.contactId)
    assert.equal(await world().hub.em().count(Message, { direction: 'in' }), messages)
    // What is said now goes to the contact they are.
    assert.equal((await say(b, 'm-2')).contactId, one.contactId)
    assert.equal((await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })).status, 409)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 409)
    const back = (await agent.call('GET', `/api/contacts/${one.contactId}`)).body
    assert.deepEqual([back.email, back.identities.length], ['', 1])
    assert.equal((await agent.call('GET', `/api/contacts/${two.contactId}`)).body.id, two.contactId)
    assert.equal((await agent.call('GET', `/api/conversations/${two.conversationId}`)).body.contact.id, two.contactId)
    await eventually(() => heard.length === 2, 'the events')
    assert.deepEqual(
      heard.map(({ name, data }) => [name, data.fromId, data.intoId, data.byAgentId]),
      [
        ['contact.merged', two.contactId, one.contactId, agent.id],
        ['contact.split', one.contactId, two.contactId, agent.id],
      ],
    )
  })

  test('the preview lists what comes over of the fields that an admin or a plugin has added, masked as the reader sees them, and only what will', async () => {
    const [a, b] = await inboxes()
    const agent = await world().person('小冯', 'admin')
    const custom = [
      { id: 'level', label: '客户等级', options: ['金', '银'] },
      { id: 'order', label: '订单号' },
      { id: 'intent', label: '意向' },
    ]
    assert.equal((await agent.call('PUT', '/api/contact-fields', { fields: custom })).status, 200)
    const one = await say(a, 'f-1', { name: '韩梅' })
    const two = await say(b, 'f-2')
    const set = async (contactId: string, fields: object) => assert.equal((await agent.call('PATCH', `/api/contacts/${contactId}`, { fields })).status, 200)
    await set(two.contactId, { 'hub.level': '金', 'hub.order': '电话 13800138000', 'hub.intent': '复购' })
    await set(one.contactId, { 'hub.level': '银', 'hub.intent': '' })
    const preview = async (who = agent) => (await who.call('GET', `/api/contacts/${one.contactId}/merge?otherId=${two.contactId}`)).body
    // What the kept one has stays; so does what somebody has emptied there by hand.
    const order = { name: 'hub.order', label: { zh: '订单号', en: '订单号' }, value: '电话 13800138000' }
    assert.deepEqual((await preview()).addedFields, [order])
    const masked = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }, { permission: 'contact.merge' }])
    const [seen] = (await preview(masked)).addedFields
    assert.equal(seen.name, 'hub.order')
    assert.ok(!seen.value.includes('13800138000'), seen.value)
    assert.equal((await (await world().person('外人')).call('GET', `/api/contacts/${one.contactId}/merge?otherId=${two.contactId}`)).status, 404)
    await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })
    const merged = (await agent.call('GET', `/api/contacts/${one.contactId}`)).body.fields.map(({ name, value }: { name: string; value: string }) => [
      name,
      value,
    ])
    assert.deepEqual(merged, [
      ['hub.level', '银'],
      ['hub.order', '电话 13800138000'],
      ['hub.intent', ''],
    ])
  })

  test('splitting: identities leave with what is theirs, one must stay, a stranger’s cannot; undone they are back', async () => {
    const [a, b] = await inboxes()
    const agent = await world().person('小邓', 'admin')
    const union = newId()
    const one = await say(a, 's-1', unionid(union))
    const two = await say(b, 's-2', { ...unionid(union), name: '方敏', phone: '13700001111' })
    const url = `/api/contacts/${one.contactId}/split`
    const stranger = await say(a, 's-3')
    assert.equal((await agent.call('POST', url, { identityIds: [stranger.identityId] })).status, 404)
    assert.equal((await agent.call('POST', url, { identityIds: [one.identityId, two.identityId] })).status, 409)
    assert.deepEqual((await agent.call('POST', `${url}/preview`, { identityIds: [two.identityId] })).body.conversations, 1)
    const { body: move } = await agent.call('POST', url, { identityIds: [two.identityId] })
    assert.equal(await contactOf(two.identityId), move.intoId)
    assert.equal((await agent.call('GET', `/api/conversations/${two.conversationId}`)).body.contact.id, move.intoId)
    const fresh = await world().hub.em().findOneOrFail(Contact, { id: move.intoId }, { disableIdentityMap: true })
    assert.ok(fresh.number > 100_000)
    assert.deepEqual([fresh.name, fresh.phone, fresh.email], ['方敏', '13700001111', ''], 'what the channel says of them')
    // The same evidence again does not join them behind the agent's back.
    await say(b, 's-2', unionid(union))
    await world().running.sweep()
    assert.equal(await contactOf(two.identityId), move.intoId)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    assert.equal(await contactOf(two.identityId), one.contactId)
  })

  test('a move is undone by who may see both sides of it only', async () => {
    const [a, b] = await inboxes()
    const admin = await world().person('小卫', 'admin')
    const within = (...lines: Inbox[]) =>
      world().person('小蒋', [{ permission: 'conversation.read', scope: 'all', inboxIds: lines.map(({ id }) => id) }, { permission: 'contact.merge' }])
    const [left, right, both] = [await within(a), await within(b), await within(a, b)]
    const one = await say(a, 'w-1')
    const two = await say(b, 'w-2')
    const undo = async (who: Person, move: { id: string }) => (await who.call('POST', `/api/contact-moves/${move.id}/undo`)).status
    const merge = async () => (await admin.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })).body
    const merged = await merge()
    assert.deepEqual([await undo(left, merged), await undo(right, merged)], [404, 404])
    assert.equal(await contactOf(two.identityId), one.contactId)
    assert.equal(await undo(both, merged), 200)
    await merge()
    const { body: split } = await admin.call('POST', `/api/contacts/${one.contactId}/split`, { identityIds: [two.identityId] })
    assert.deepEqual([await undo(left, split), await undo(right, split)], [404, 404])
    assert.equal(await contactOf(two.identityId), split.intoId)
    assert.equal(await undo(both, split), 200)
    assert.equal(await contactOf(two.identityId), one.contactId)
  })

  test('what is a colleague’s alone is neither counted nor moved: of a contact, that conversation is not there', async () => {
    const [a, b, c] = await inboxes()
    const [agent, colleague] = [await world().person('小唐'), await world().person('小薛')]
    const union = newId()
    const mine = await say(a, 'k-1', unionid(union))
    const theirs = await say(b, 'k-2', unionid(union))
    const binned = await say(c, 'k-3', unionid(union))
    const em = world().hub.em()
    const hold = ({ conversationId }: { conversationId: string }, { id }: Person, more = {}) =>
      em.nativeUpdate(Conversation, { id: conversationId }, { assigneeId: id, status: 'open', ...more })
    await hold(mine, agent)
    await hold(theirs, colleague)
    await hold(binned, agent, { status: 'closed', openIdentityId: null, deletedAt: new Date() })
    const url = `/api/contacts/${mine.contactId}`
    const counted = async (...of: { identityId: string }[]) => {
      const { body } = await agent.call('POST', `${url}/split/preview`, { identityIds: of.map(({ identityId }) => identityId) })
      return [body.identities, body.conversations]
    }
    assert.deepEqual(await counted(theirs), [0, 0])
    assert.deepEqual(await counted(mine, theirs, binned), [1, 1])
    const split = async (of: { identityId: string }) => (await agent.call('POST', `${url}/split`, { identityIds: [of.identityId] })).status
    assert.deepEqual([await split(theirs), await split(binned)], [404, 404])
    assert.equal(await contactOf(theirs.identityId), mine.contactId)

    const other = await say(a, 'k-4')
    await hold(other, agent)
    const preview = (await agent.call('GET', `/api/contacts/${other.contactId}/merge?otherId=${mine.contactId}`)).body
    assert.deepEqual([preview.identities, preview.conversations], [3, 1])

    assert.equal(await split(mine), 200)
    // Nobody has said anything by it: it is whoever’s the contact is.
    await em.nativeUpdate(Conversation, { id: theirs.conversationId }, { assigneeId: agent.id })
    await purge(world().hub, binned.conversationId)
    assert.equal(await split(binned), 200)
  })

  test('while the conversation of one side lies in the recycle bin, who looks into it undoes the move, and nobody else', async () => {
    const [a, b] = await inboxes()
    const admin = await world().person('小卫', 'admin')
    const owner = await world().person('主', 'owner')
    const can = (...permissions: string[]) =>
      world().person('小沈', [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'contact.merge' },
        ...permissions.map((permission) => ({ permission })),
      ])
    const deleter = await world().person('小韩', [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'conversation.delete', scope: 'all' },
    ])
    const one = await say(a, 'bin-1')
    const two = await say(b, 'bin-2')
    const { body: move } = await admin.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })
    await admin.call('POST', `/api/conversations/${two.conversationId}/close`)
    assert.equal((await deleter.call('POST', `/api/records/${two.conversationId}/delete`)).status, 200)
    const undo = async (who: Person) => (await who.call('POST', `/api/contact-moves/${move.id}/undo`)).status
    assert.equal(await undo(await can()), 404)
    assert.equal(await undo(await can('record.restore')), 200)
    assert.equal(await contactOf(two.identityId), two.contactId)
    // Restored, it is with whose it is.
    assert.equal((await owner.call('POST', `/api/records/${two.conversationId}/restore`)).status, 200)
    const restored = await world().hub.em().findOneOrFail(Conversation, { id: two.conversationId }, { disableIdentityMap: true })
    assert.equal(restored.contactId, two.contactId)
  })

  test('a split undone takes back who came since and what was written since; not into a contact that is gone', async () => {
    const [a, b, c] = await inboxes()
    const agent = await world().person('小吴', 'admin')
    const union = newId()
    const one = await say(a, 's-1', unionid(newId()))
    const two = await say(b, 's-2', unionid(union))
    assert.equal((await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })).status, 200)
    const split = async () => (await agent.call('POST', `/api/contacts/${one.contactId}/split`, { identityIds: [two.identityId] })).body
    const move = await split()
    const three = await say(c, 's-3', unionid(union))
    assert.equal(three.contactId, await contactOf(two.identityId))
    await world().hub.em().nativeUpdate(Contact, { id: three.contactId }, { remark: '要发票' })
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    assert.equal(await contactOf(three.identityId), one.contactId)
    assert.equal((await say(c, 's-3')).contactId, one.contactId)
    assert.equal((await agent.call('GET', `/api/contacts/${one.contactId}/conversations`)).body.items.length, 3)
    assert.equal((await agent.call('GET', `/api/contacts/${one.contactId}`)).body.remark, '要发票')

    const again = await split()
    const other = await say(a, 's-4')
    assert.equal((await agent.call('POST', `/api/contacts/${other.contactId}/merge`, { otherId: one.contactId })).status, 200)
    assert.equal((await agent.call('POST', `/api/contact-moves/${again.id}/undo`)).status, 409)
  })

  test('who was being recognised as somebody while they were merged follows them, and goes back with them', async () => {
    const [a, b, c] = await inboxes()
    const agent = await world().person('小冯', 'admin')
    const union = newId()
    const one = await say(a, 'l-1')
    const two = await say(b, 'l-2')
    const late = await say(c, 'l-3')
    const move = (await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })).body
    // As a transaction leaves it that had read the contact before the merge and was committed after it.
    const em = world().hub.em()
    await em.nativeUpdate(Identity, { id: late.identityId }, { contactId: two.contactId })
    await em.nativeUpdate(Conversation, { id: late.conversationId }, { contactId: two.contactId })
    await em.insert(ContactClaim, { kind: 'unionid', value: union, contactId: two.contactId, createdAt: new Date() })
    await em.nativeUpdate(ContactMove, { id: move.id }, { recheckAt: new Date(0) })
    await settlePeople(world().hub, move.id)
    assert.equal(await contactOf(late.identityId), one.contactId)
    const { items } = (await agent.call('GET', `/api/contacts/${one.contactId}/conversations`)).body
    assert.ok(items.some(({ id }: { id: string }) => id === late.conversationId))
    assert.equal((await say(a, 'l-4', unionid(union))).contactId, one.contactId)
    assert.equal((await agent.call('POST', `/api/contact-moves/${move.id}/undo`)).status, 200)
    assert.equal(await contactOf(late.identityId), two.contactId)
  })

  test('who was said to be two stays two when one of them becomes somebody else', async () => {
    const [a, b, c] = await inboxes()
    const agent = await world().person('小郑', 'admin')
    const phone = `136${Date.now().toString().slice(-8)}`
    const one = await say(a, 'r-1', { phone, verified: true })
    const two = await say(b, 'r-2', { phone })
    const three = await say(c, 'r-3')
    const [offer] = await suggestions(agent, two.contactId)
    assert.equal((await agent.call('POST', `/api/suggestions/${offer.id}/refuse`)).status, 200)
    const em = () => world().hub.em()
    // Due between the first and the third, before the third becomes the second.
    const due = { id: newId(), contactId: one.contactId, otherId: three.contactId, evidence: [], state: 'open' as const, decidedById: null, decidedAt: null }
    await em().insert(MergeSuggestion, { ...due, dueAt: new Date(Date.now() + 3_600_000), createdAt: new Date() })
    assert.equal((await agent.call('POST', `/api/contacts/${three.contactId}/merge`, { otherId: two.contactId })).status, 200)
    const pair = await em().findOneOrFail(MergeSuggestion, { contactId: one.contactId, otherId: three.contactId }, { disableIdentityMap: true })
    assert.deepEqual([pair.state, pair.decidedById, pair.dueAt], ['refused', agent.id, null])
    // Evidence for the two that were refused once, due by its old name: both are followed to who they are today.
    await em().nativeUpdate(MergeSuggestion, { id: offer.id }, { state: 'open', dueAt: new Date(0) })
    await settlePeople(world().hub, offer.id)
    assert.equal(await contactOf(two.identityId), three.contactId)
    assert.equal(await contactOf(one.identityId), one.contactId)
  })

  test('who may not merge is refused everywhere; nonsense is a coded error', async () => {
    const [a] = await inboxes()
    const agent = await world().person('小方', 'admin')
    const one = await say(a, 'n-1')
    assert.equal((await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: one.contactId })).status, 409)
    assert.equal((await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: newId() })).status, 404)
    assert.equal((await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: 'x' })).status, 400)
    assert.equal((await agent.call('POST', `/api/contact-moves/${newId()}/undo`)).status, 404)
    const forbidden = await world().person('小何', [{ permission: 'conversation.read', scope: 'all' }])
    for (const [method, path] of [
      ['GET', 'suggestions'],
      ['GET', 'moves'],
      ['POST', 'merge'],
      ['POST', 'split'],
    ] as const)
      assert.equal((await forbidden.call(method, `/api/contacts/${one.contactId}/${path}`, method === 'POST' ? {} : undefined)).status, 403, path)
    const outsider = await world().person('外人')
    const two = await say(a, 'n-2')
    assert.equal((await outsider.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })).status, 404)
  })
})

const served = (await profiles()).includes('served')
describe('one person at two processes', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  let worlds: World[] = []
  before(async () => {
    const place = await makePlace('served')
    worlds = await Promise.all([1, 2].map(() => startWorld(place, [found(manifest)])))
  })
  after(async () => {
    await Promise.all(worlds.map((world) => world.running.stop()))
    await worlds[0]?.place.remove()
  })

  test('met at both at once, in two inboxes: one contact', async () => {
    const [one, two] = worlds as [World, World]
    const inboxes = [await one.inbox('mock'), await one.inbox('mock')]
    for (let round = 0; round < 10; round++) {
      const union = newId()
      await Promise.all(
        [one, two].map((world, i) =>
          world.hub.intake.accept(inboxes[i]?.id ?? '', [
            { kind: 'message', externalId: newId(), from: { externalId: `r-${round}`, ...unionid(union) }, parts: [{ type: 'text', text: '你好' }] },
          ]),
        ),
      )
      const identities = await one.hub.em().find(Identity, { externalId: `r-${round}` }, { disableIdentityMap: true })
      assert.deepEqual([identities.length, new Set(identities.map(({ contactId }) => contactId)).size], [2, 1])
    }
  })

  const inboxes = async () =>
    [await (worlds[0] as World).inbox('mock'), await (worlds[0] as World).inbox('mock'), await (worlds[0] as World).inbox('mock')] as const
  const tell = async (nth: number, inbox: Inbox, externalId: string, from: Partial<ChannelSender>, sentAt = new Date()) => {
    const world = worlds[nth] as World
    const event = { kind: 'message' as const, externalId: newId(), from: { externalId, ...from }, parts: [{ type: 'text' as const, text: '你好' }], sentAt }
    const [accepted] = await world.hub.intake.accept(inbox.id, [event])
    assert.ok(accepted?.messageId)
    return (await world.identity(inbox.id, externalId)).contactId
  }
  const holder = async ({ kind, value }: Pick<Claim, 'kind' | 'value'>) => {
    const em = (worlds[0] as World).hub.em()
    return (await em.findOne(ContactClaim, { kind, value: claimKey(em, kind, value) }, { disableIdentityMap: true }))?.contactId
  }
  const userId = (value: string) => ({ kind: 'userId' as const, value: `shop:${value}`, verified: true })

  test('told of one person’s phone at one and met at the other at once: two, and one offer', async () => {
    const [site, phone] = await inboxes()
    for (let round = 0; round < 10; round++) {
      const [ann, ben] = [newId(), newId()]
      const one = await tell(0, phone, `f-${round}`, { claims: [userId(ann)] })
      const [, two] = await Promise.all([tell(0, phone, `f-${round}`, { claims: [userId(ben)] }), tell(1, site, `b-${round}`, { claims: [userId(ben)] })])
      assert.notEqual(two, one)
      assert.deepEqual([await holder(userId(ann)), await holder(userId(ben))], [one, two])
      const offers = await (worlds[0] as World).hub.em().find(MergeSuggestion, { $or: [{ contactId: one }, { otherId: one }] }, { disableIdentityMap: true })
      assert.deepEqual(
        offers.map(({ contactId, otherId, dueAt }) => [[contactId, otherId].sort(), dueAt]),
        [[[one, two].sort(), null]],
      )
    }
  })

  test('two identities of one contact told two names at once: it holds one of them', async () => {
    const [a, b] = await inboxes()
    for (let round = 0; round < 10; round++) {
      const union = newId()
      const one = await tell(0, a, `t-${round}`, unionid(union))
      assert.equal(await tell(1, b, `t-${round}`, unionid(union)), one)
      const names = [userId(newId()), userId(newId())]
      await Promise.all(names.map((name, i) => tell(i, i === 0 ? a : b, `t-${round}`, { claims: [name] })))
      assert.deepEqual((await Promise.all(names.map(holder))).sort(), ['', one])
    }
  })

  test('a number given up at one and verified by somebody at the other at once: it is whose they are', async () => {
    const [a, b] = await inboxes()
    for (let round = 0; round < 10; round++) {
      const [given, kept] = [newId(), newId()].map((name) => `${name}@example.com`) as [string, string]
      await tell(0, a, `g-${round}`, { email: given, verified: true })
      const [, taker] = await Promise.all([
        tell(round % 2, a, `g-${round}`, { email: kept, verified: true }),
        tell((round + 1) % 2, b, `g-${round}`, { email: given, verified: true }),
      ])
      assert.equal(await holder({ kind: 'email', value: given }), taker, `round ${round}`)
    }
  })

  test('a number told anew at both at once: the later word counts, whichever comes first', async () => {
    const [a, b] = await inboxes()
    for (let round = 0; round < 10; round++) {
      const numbers = ['131', '132', '133'].map((prefix) => ({ kind: 'phone' as const, value: `${prefix}${String(Date.now() + round).slice(-8)}` }))
      const [before, earlier, later] = numbers.map(({ value }) => ({ phone: value, verified: true }))
      const now = Date.now()
      const one = await tell(0, a, `n-${round}`, { ...before }, new Date(now - 60_000))
      await Promise.all([
        tell(round % 2, a, `n-${round}`, { ...earlier }, new Date(now - 30_000)),
        tell((round + 1) % 2, a, `n-${round}`, { ...later }, new Date(now)),
      ])
      assert.deepEqual(await Promise.all(numbers.map(holder)), [undefined, undefined, one], `round ${round}`)
      assert.notEqual(await tell(0, b, `n-${round}`, { ...before }), one)
    }
  })
})
