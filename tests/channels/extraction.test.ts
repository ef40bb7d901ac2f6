/** The contact finder in a hub: written, filled, tagged, masked, decided by people, gone while it is off. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { writeHubLanguage } from '../../core/src/domain/setting/hub-language.ts'
import { ContactTag } from '../../core/src/domain/tag/tag.entity.ts'
import { en } from '../../plugins/audit/locales/en.ts'
import { zh } from '../../plugins/audit/locales/zh.ts'
import audit from '../../plugins/audit/plugin.ts'
import plugin from '../../plugins/extraction/plugin.ts'
import { Fact, Mark } from '../../plugins/extraction/server/fact.entity.ts'
import { readMessage } from '../../plugins/extraction/server/read-message.ts'
import type { Ctx } from '../../plugins/extraction/server/settings.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest: mock } = mockChannel('letters')

await onEveryProfile('the contact finder', [found(plugin), found(mock), found(audit)], (world) => {
  const em = () => world().hub.em()
  async function begin(who: string, ...texts: string[]) {
    const inbox = await world().inbox('letters')
    const said = []
    for (const text of texts) said.push((await world().say(inbox, who, text))[0])
    const conversationId = said[0]?.conversationId as string
    const { contactId } = await em().findOneOrFail(Conversation, { id: conversationId })
    return { inbox, conversationId, contactId, messageIds: said.map((one) => one?.messageId as string) }
  }
  const facts = (contactId: string) => em().find(Fact, { contactId }, { orderBy: { createdAt: 'asc', id: 'asc' }, disableIdentityMap: true })
  const settled = (contactId: string, count: number) =>
    eventually(async () => {
      const rows = await facts(contactId)
      return rows.length >= count && rows.every((row) => row.settled) && rows
    }, `${count} facts`)
  const contact = async (agent: Person, id: string) => (await agent.call('GET', `/api/contacts/${id}`)).body
  const marksOf = async (agent: Person, conversations: string[], messages: string[]) =>
    (await agent.call('POST', '/api/x/extraction/marks', { conversations, messages })).body

  test('a hub that was set up in English has its tags in English; a name that an admin chose stays', async () => {
    const agent = await world().person('Ann', 'admin')
    const tagsOf = async (id: string) => (await contact(agent, id)).tags.map(({ name }: { name: string }) => name)
    await writeHubLanguage(em(), 'en')
    try {
      const { contactId } = await begin('english', 'my number is 13800138777')
      await settled(contactId, 1)
      assert.deepEqual(await tagsOf(contactId), ['To call'])
      const { settings } = (await agent.call('GET', '/api/x/extraction/settings')).body
      await agent.call('PUT', '/api/plugins/extraction/settings', { ...settings, phoneTag: 'Ring back' })
      const second = await begin('english-2', 'my number is 13800138778')
      await settled(second.contactId, 1)
      assert.deepEqual(await tagsOf(second.contactId), ['Ring back'])
      await agent.call('PUT', '/api/plugins/extraction/settings', settings)
    } finally {
      await writeHubLanguage(em(), 'zh')
    }
  })

  test('a number in disguise fills, tags, colours and is marked where it stands', async () => {
    const text = '我的电话是 一三八 零零壹叁 八零零零 加我薇信同号'
    const { contactId, conversationId, messageIds } = await begin('a', text)
    const agent = await world().person('小安', 'admin')
    const rows = await settled(contactId, 2)
    assert.deepEqual(rows.map(({ kind, normal, state }) => `${kind} ${normal} ${state}`).sort(), ['phone +8613800138000 filled', 'wechat 13800138000 filled'])
    const shown = await contact(agent, contactId)
    assert.equal(shown.phone, '13800138000')
    assert.equal(shown.wechat, '13800138000')
    assert.deepEqual(shown.tags.map(({ name, system }: { name: string; system: boolean }) => `${name} ${system}`).sort(), ['转微 true', '转电 true'])
    const { rows: colours, marks } = await marksOf(agent, [conversationId], messageIds)
    assert.deepEqual(colours[conversationId], ['phone', 'wechat'])
    const phrases = marks[messageIds[0] as string].map(({ start, end }: { start: number; end: number }) => text.slice(start, end))
    assert.deepEqual([...new Set(phrases)], ['一三八 零零壹叁 八零零零'])
    const [fact] = (await agent.call('GET', `/api/x/extraction/contacts/${contactId}/facts`)).body.items
    assert.deepEqual(
      [fact.source.messageId, text.slice(fact.source.start, fact.source.end), typeof fact.rule, fact.confidence > 80],
      [messageIds[0], '一三八 零零壹叁 八零零零', 'string', true],
    )
  })

  test('a masked number, a zodiac sign and a retirement are shown and noted: no field, no tag, no colour of a number, nothing to accept', async () => {
    const { contactId, conversationId, messageIds } = await begin('masked', '我的号 138****5678', '我属龙', '我退休了')
    const agent = await world().person('小安', 'admin')
    const rows = await settled(contactId, 3)
    assert.deepEqual(rows.map(({ kind, normal, state }) => `${kind} ${normal} ${state}`).sort(), [
      'age retired noted',
      'age zodiac:龙 noted',
      'phone 138****5678 noted',
    ])
    const shown = await contact(agent, contactId)
    assert.deepEqual([shown.phone, shown.tags], ['', []])
    const { rows: colours, marks } = await marksOf(agent, [conversationId], messageIds)
    assert.deepEqual(colours[conversationId], ['age'])
    assert.equal(marks[messageIds[0] as string]?.[0]?.fact.shown, '138****5678')
    for (const { id } of rows) {
      assert.equal((await agent.call('POST', `/api/x/extraction/facts/${id}/accept`)).body.code, 'HUB_CONFLICT')
      assert.equal((await agent.call('POST', `/api/x/extraction/facts/${id}/refuse`)).status, 200)
      assert.equal((await agent.call('POST', `/api/x/extraction/facts/${id}/undo`)).status, 200)
    }
    assert.deepEqual(new Set((await facts(contactId)).map(({ state }) => state)), new Set(['noted']))
    assert.equal((await contact(agent, contactId)).phone, '')
    // Nobody is found by it.
    const filter = encodeURIComponent(JSON.stringify({ contact: '138****5678' }))
    assert.deepEqual((await agent.call('GET', `/api/records?filter=${filter}`)).body.items, [])
  })

  test('what a customer filled into a form or a lead card is found like what they write; a masked number stays one', async () => {
    const inbox = await world().inbox('letters')
    const agent = await world().person('小安', 'admin')
    const fill = async (who: string, ...fields: { label: string; value: string }[]) => {
      const part = { type: 'card' as const, kind: 'lead-form', title: '', label: { zh: '留资卡片', en: 'Lead card' }, fields }
      const event = { kind: 'message' as const, externalId: newId(), from: { externalId: who }, parts: [part] }
      const [accepted] = await world().hub.intake.accept(inbox.id, [event])
      const { contactId } = await em().findOneOrFail(Conversation, { id: accepted?.conversationId as string })
      return { contactId, conversationId: accepted?.conversationId as string, messageId: accepted?.messageId as string }
    }
    const name = { label: '姓名', value: '李雷' }
    const whole = await fill('lead', name, { label: '手机号', value: '13800138077' }, { label: '微信', value: 'lilei_2026' }, { label: '备注', value: '' })
    const rows = await settled(whole.contactId, 2)
    assert.deepEqual(rows.map(({ kind, normal, state }) => `${kind} ${normal} ${state}`).sort(), ['phone +8613800138077 filled', 'wechat lilei_2026 filled'])
    const shown = await contact(agent, whole.contactId)
    assert.deepEqual([shown.phone, shown.wechat], ['13800138077', 'lilei_2026'])
    const { items } = (await agent.call('GET', `/api/x/extraction/contacts/${whole.contactId}/facts`)).body
    assert.deepEqual(new Set(items.map(({ source }: { source: { messageId: string } }) => source.messageId)), new Set([whole.messageId]))
    const said = '姓名: 李雷\n手机号: 13800138077\n微信: lilei_2026'
    const { marks } = await marksOf(agent, [whole.conversationId], [whole.messageId])
    const phrases = marks[whole.messageId].map(({ start, end }: { start: number; end: number }) => said.slice(start, end))
    assert.deepEqual(phrases.sort(), ['13800138077', 'lilei_2026'])

    const masked = await fill('lead-masked', name, { label: '手机号', value: '138****8077' })
    assert.deepEqual(
      (await settled(masked.contactId, 1)).map(({ normal, state }) => `${normal} ${state}`),
      ['138****8077 noted'],
    )
    assert.equal((await contact(agent, masked.contactId)).phone, '')
  })

  test('what stands on a card that a customer passes on is not theirs: a mini-program, a shop, an order', async () => {
    const inbox = await world().inbox('letters')
    const agent = await world().person('小卡', 'admin')
    const pass = async (who: string, kind: string, ...fields: { label: string; value: string }[]) => {
      const card = { type: 'card' as const, kind, title: '山野茶', fields }
      const event = { kind: 'message' as const, externalId: newId(), from: { externalId: who }, parts: [card] }
      const [accepted] = await world().hub.intake.accept(inbox.id, [event])
      return accepted?.conversationId as string
    }
    const passed = [
      await pass('card-a', 'miniprogram', { label: 'AppID', value: 'wxd678efh567hg6787' }, { label: '路径', value: 'pages/share?phone=13812345679' }),
      await pass('card-b', 'miniprogram', { label: 'AppID', value: 'wxd678efh567hg6787' }),
      await pass('card-c', 'store', { label: '门店电话', value: '13712345678' }, { label: '店长微信', value: 'dianzhang88' }),
      (await world().say(inbox, 'card-d', '小程序的 AppID 是 wx3a9f0c11d2e4b576，原来叫 wxd678efh567hg6787'))[0]?.conversationId as string,
    ]
    // What follows is read alone.
    await world().say(inbox, 'card-c', '我的手机 13900139088')
    const { contactId } = await em().findOneOrFail(Conversation, { id: passed[2] as string })
    assert.deepEqual(
      (await settled(contactId, 1)).map(({ normal }) => normal),
      ['+8613900139088'],
    )
    for (const [i, id] of passed.entries()) {
      const { body } = await agent.call('GET', `/api/conversations/${id}`)
      const { wechat, phone, tags } = await contact(agent, body.contact.id)
      assert.deepEqual([wechat, phone, tags.length], i === 2 ? ['', '13900139088', 1] : ['', '', 0])
    }
  })

  test('what somebody in copy says of themself is not the customer’s: offered as somebody else’s, and put together with nobody’s words', async () => {
    const { inbox, conversationId, contactId } = await begin('anna', '请报价，我的电话138')
    const agent = await world().person('小邮', 'admin')
    const say = (who: string, text: string, to = conversationId) =>
      world().hub.intake.accept(inbox.id, [
        { kind: 'message', externalId: newId(), from: { externalId: who }, parts: [{ type: 'text', text }], conversationId: to },
      ])
    await say('bob', '00138099')
    await say('bob', '我是 Bob，我今年35岁，有事打我手机 13812345678，微信 bob_wx2020')
    const named = (rows: Fact[]) => rows.map(({ kind, normal, whose, state }) => `${kind} ${normal} ${whose} ${state}`).sort()
    const offered = ['phone +8613812345678 other suggested', 'wechat bob_wx2020 other suggested']
    assert.deepEqual(named(await settled(contactId, 2)), offered)
    const annas = await contact(agent, contactId)
    assert.deepEqual([annas.phone, annas.wechat, annas.tags], ['', '', []])
    // Who is in copy says a number in two pieces; so does the customer, around them.
    await say('bob', '或者 139')
    await say('anna', '00138099')
    await say('bob', '0013 8088')
    assert.deepEqual(named(await settled(contactId, 4)), [
      'phone +8613800138099  filled',
      'phone +8613812345678 other suggested',
      'phone +8613900138088 other suggested',
      'wechat bob_wx2020 other suggested',
    ])
  })

  test('what was said in a call or noted of it is nobody’s own: neither the customer’s, nor ours when they write it', async () => {
    const { inbox, conversationId, contactId } = await begin('caller', '在吗')
    const agent = await world().person('小话', 'admin')
    const tell = (kind: 'message' | 'echo', text: string) =>
      world().hub.intake.accept(inbox.id, [{ kind, externalId: newId(), from: { externalId: 'caller' }, parts: [{ type: 'text', text, reported: true }] }])
    await tell('message', '0:00 客户：想退货\n0:03 客服：您加我的微信 shopkefu01，或者打我手机 13812345678')
    await tell('echo', '0:00 客服：方便留个手机吗\n0:03 客户：我的手机是 13812345699')
    await tell('echo', '客户要找王经理，王经理手机 13912345678')
    await world().say(inbox, 'caller', '我的手机是 13812345699')
    const rows = await settled(contactId, 1)
    assert.deepEqual(
      rows.map(({ normal, state }) => `${normal} ${state}`),
      ['+8613812345699 filled'],
    )
    assert.equal(await em().count(Mark, { conversationId }), 1)
    const { phone, wechat } = await contact(agent, contactId)
    assert.deepEqual([phone, wechat], ['13812345699', ''])
  })

  test('a number in three messages is one fact with a mark in each', async () => {
    const { contactId, messageIds } = await begin('b', '我电话138', '0013', '8001')
    await settled(contactId, 1)
    const rows = await facts(contactId)
    assert.deepEqual(
      rows.map(({ normal }) => normal),
      ['+8613800138001'],
    )
    const marks = await em().find(Mark, { factId: rows[0]?.id as string }, { orderBy: { seq: 'asc' } })
    assert.deepEqual(
      marks.map(({ messageId }) => messageId),
      messageIds,
    )
  })

  test('the same event again, and by several at once, changes nothing', async () => {
    const { contactId, conversationId, messageIds } = await begin('c', '电话13800138002，微信abc_12345')
    await settled(contactId, 2)
    const ctx = world().hub.kernel.get('extraction')?.ctx as unknown as Ctx
    const message = await em().findOneOrFail(Message, { id: messageIds[0] as string }, { disableIdentityMap: true })
    const conversation = await em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    const event = {
      id: newId(),
      name: 'message.received' as const,
      at: new Date().toISOString(),
      by: null,
      data: { message: { ...message, contactId, at: message.createdAt.toISOString() }, conversation },
    } as unknown as Parameters<typeof readMessage>[1]
    // As after a crash between writing and filling.
    await em().nativeUpdate(Fact, { contactId }, { settled: false, state: 'noted' })
    await Promise.all(Array.from({ length: 4 }, () => readMessage(ctx, event)))
    const rows = await facts(contactId)
    assert.deepEqual(rows.map(({ kind, state, settled }) => `${kind} ${state} ${settled}`).sort(), ['phone filled true', 'wechat filled true'])
    assert.equal(await em().count(Mark, { messageId: messageIds[0] as string }), 2)
    assert.equal(await em().count(ContactTag, { contactId }), 2)
  })

  test('a person’s correction stays, and the tag they took off stays off', async () => {
    const { inbox, contactId } = await begin('d', '电话13800138003')
    const agent = await world().person('小白', 'admin')
    await settled(contactId, 1)
    await agent.call('PATCH', `/api/contacts/${contactId}`, { phone: '13900139003' })
    const { tags } = await contact(agent, contactId)
    await agent.call('DELETE', `/api/contacts/${contactId}/tags/${tags[0].id}`)
    await world().say(inbox, 'd', '说错了，电话13800138004')
    const rows = await settled(contactId, 2)
    assert.equal(rows.find(({ normal }) => normal.endsWith('8004'))?.state, 'suggested')
    const after = await contact(agent, contactId)
    assert.deepEqual([after.phone, after.tags], ['13900139003', []])
  })

  test('another’s number fills and tags nothing by itself; a person may take it', async () => {
    const { contactId } = await begin('others', '我爸的手机13800138055，你打给他')
    const agent = await world().person('小何', 'admin')
    const [fact] = await settled(contactId, 1)
    assert.deepEqual([fact?.whose, fact?.state, fact?.tagged], ['parent', 'suggested', ''])
    const before = await contact(agent, contactId)
    assert.deepEqual([before.phone, before.tags], ['', []])
    assert.equal((await agent.call('POST', `/api/x/extraction/facts/${fact?.id}/accept`)).status, 200)
    assert.equal((await contact(agent, contactId)).phone, '13800138055')
  })

  test('what one of us wrote first is nobody’s, however long ago; asked for a yes, or said by the customer before, it is theirs', async () => {
    const agent = await world().person('小售', 'admin')
    const inbox = await world().inbox('letters')
    const talk = async (who: string, ...lines: [by: 'customer' | 'agent', text: string][]) => {
      let conversationId = ''
      for (const [by, text] of lines)
        if (by === 'customer') conversationId = (await world().say(inbox, who, text))[0]?.conversationId as string
        else {
          await em().nativeUpdate(Conversation, { id: conversationId }, { assigneeId: agent.id, status: 'open' })
          assert.equal((await world().reply(agent, conversationId, text)).status, 201)
        }
      const { contactId } = await em().findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
      // Said last, found last.
      await eventually(async () => (await facts(contactId)).some(({ kind, settled }) => kind === 'gender' && settled), 'the last word to be read')
      const { phone, wechat, email } = await contact(agent, contactId)
      return [phone, wechat, email]
    }
    const last = ['customer', '我是女生'] as [by: 'customer', text: string]
    const idle = Array.from({ length: 60 }, (_, i) => ['customer', `再问一句，第${i}个`] as [by: 'customer', text: string])
    const told = ['agent', '您好，请拨打售后 13800138066，或加客服微信 kefu_8866，邮箱 fuwu@brand.cn'] as [by: 'agent', text: string]
    assert.deepEqual(
      await talk('echo', ['customer', '怎么联系售后'], told, ...idle, ['customer', '13800138066 对吧，微信 kefu_8866，还有 fuwu@brand.cn'], last),
      ['', '', ''],
    )
    assert.deepEqual(await talk('yes', ['customer', '在吗'], ['agent', '您预留的手机是13800138067吗'], ['customer', '对，13800138067'], last), [
      '13800138067',
      '',
      '',
    ])
    assert.deepEqual(await talk('first', ['customer', '电话13800138068'], ['agent', '好的，13800138068，记下了'], ['customer', '嗯 13800138068'], last), [
      '13800138068',
      '',
      '',
    ])
  })

  test('weak ones are suggested; accepting, refusing and taking back are one click each', async () => {
    const { contactId, conversationId } = await begin('e', 'v: abc12345', '我老公也喜欢')
    const agent = await world().person('小方', 'admin')
    const [wechat, gender] = (await settled(contactId, 2)).sort((a, b) => b.confidence - a.confidence)
    assert.deepEqual([wechat?.state, gender?.state], ['suggested', 'suggested'])
    const decide = async (fact: Fact | undefined, verdict: string) => (await agent.call('POST', `/api/x/extraction/facts/${fact?.id}/${verdict}`)).status
    const field = async () => (await contact(agent, contactId)).wechat
    assert.equal(await field(), '')
    assert.equal(await decide(wechat, 'accept'), 200)
    assert.equal(await field(), 'abc12345')
    assert.equal(await decide(wechat, 'accept'), 409)
    assert.equal(await decide(wechat, 'undo'), 200)
    assert.equal(await field(), '')
    assert.equal(await decide(gender, 'refuse'), 200)
    assert.deepEqual((await marksOf(agent, [conversationId], [])).rows[conversationId], ['wechat'])
    assert.equal((await agent.call('POST', `/api/x/extraction/facts/${'0'.repeat(32)}/accept`)).status, 404)
    assert.equal((await agent.call('POST', '/api/x/extraction/facts/x/accept')).status, 400)
  })

  test('refusing what was filled takes it back; it is not filled again', async () => {
    const { inbox, contactId } = await begin('f', '电话13800138005')
    const agent = await world().person('小高', 'admin')
    const [fact] = await settled(contactId, 1)
    await agent.call('POST', `/api/x/extraction/facts/${fact?.id}/refuse`)
    assert.equal((await contact(agent, contactId)).phone, '')
    const [again] = await world().say(inbox, 'f', '电话13800138005')
    await eventually(async () => (await em().count(Mark, { messageId: again?.messageId as string })) === 1, 'the second mark')
    assert.equal((await facts(contactId))[0]?.state, 'refused')
    assert.equal((await contact(agent, contactId)).phone, '')
  })

  test('who may not see numbers sees neither value nor phrase; strangers see nothing; who may not edit decides nothing', async () => {
    const { contactId, conversationId, messageIds } = await begin('g', '电话13800138006，我是女生')
    const rows = await settled(contactId, 2)
    const roleId = newId()
    const read = { permission: 'conversation.read', scope: 'all' as const }
    await em().insert(Role, {
      id: roleId,
      name: `看不到号码 ${roleId}`,
      builtin: null,
      grants: [read],
      createdAt: new Date(),
    } as unknown as Role)
    const blind = await world().person('小盲')
    await em().nativeDelete(AgentRole, { agentId: blind.id })
    await em().insert(AgentRole, { agentId: blind.id, roleId })
    world().hub.access.clear()
    const seen = await marksOf(blind, [conversationId], messageIds)
    assert.deepEqual(seen.rows[conversationId], ['phone', 'gender'])
    assert.deepEqual(
      seen.marks[messageIds[0] as string].map(({ fact }: { fact: { kind: string } }) => fact.kind),
      ['gender'],
    )
    const { items } = (await blind.call('GET', `/api/x/extraction/contacts/${contactId}/facts`)).body
    const phone = items.find(({ kind }: { kind: string }) => kind === 'phone')
    assert.deepEqual([phone.value, phone.normal, phone.shown, phone.masked, phone.source.start], ['', '', '138****8006', true, null])
    assert.equal((await blind.call('POST', `/api/x/extraction/facts/${rows[0]?.id}/refuse`)).status, 403)
    // A telephone number that is said to be an account is one all the same.
    await em().nativeUpdate(Fact, { id: phone.id }, { kind: 'wechat', normal: '13800138006', value: '138 0013 8006' })
    await em().nativeUpdate(Role, { id: roleId }, { grants: [read, { permission: 'contact.personal', fields: ['wechat'] }] })
    world().hub.access.clear()
    const [account] = (await blind.call('GET', `/api/x/extraction/contacts/${contactId}/facts`)).body.items.filter(({ id }: { id: string }) => id === phone.id)
    assert.deepEqual([account.value, account.normal, account.shown, account.masked], ['138 **** 8006', '138****8006', '138****8006', false])
    const stranger = await world().person('外人')
    assert.deepEqual(await marksOf(stranger, [conversationId], messageIds), { rows: {}, marks: {} })
    assert.equal((await stranger.call('GET', `/api/x/extraction/contacts/${contactId}/facts`)).status, 404)
    assert.equal((await stranger.call('POST', `/api/x/extraction/facts/${rows[0]?.id}/refuse`)).status, 404)
    assert.equal((await stranger.call('GET', '/api/x/extraction/rules')).status, 403)
  })

  test('of what was found in another line of business only what stands in the contact is seen, and nothing there is decided', async () => {
    const own = await begin('line-a', '订单什么时候到，我电话13800138081')
    const other = await begin('line-b', '我爸电话13800138082，我QQ 12345682，我朋友微信 friend_9982')
    const admin = await world().person('小管', 'admin')
    await settled(own.contactId, 1)
    await settled(other.contactId, 3)
    const { body } = await admin.call('POST', `/api/contacts/${own.contactId}/merge`, { otherId: other.contactId })
    const rows = await eventually(async () => {
      const all = await facts(body.intoId)
      return all.length === 4 && all
    }, 'the facts to follow')
    const read = { permission: 'conversation.read', scope: 'all' as const, inboxIds: [own.inbox.id] }
    const clerk = await world().person('小甲', [read, { permission: 'contact.update' }, { permission: 'contact.personal', fields: ['phone', 'wechat', 'qq'] }])
    const seenBy = async (who: Person) =>
      (await who.call('GET', `/api/x/extraction/contacts/${body.intoId}/facts`)).body.items
        .map(({ normal, source }: { normal: string; source: object | null }) => `${normal} ${source !== null}`)
        .sort()
    assert.deepEqual(await seenBy(admin), ['+8613800138081 true', '+8613800138082 true', '12345682 true', 'friend_9982 true'])
    // 12345682 has been filled in: it is the contact's.
    assert.deepEqual(await seenBy(clerk), ['+8613800138081 true', '12345682 false'])
    const hidden = rows.find(({ normal }) => normal === '+8613800138082') as Fact
    for (const verdict of ['accept', 'refuse', 'undo'])
      assert.equal((await clerk.call('POST', `/api/x/extraction/facts/${hidden.id}/${verdict}`)).status, 404, verdict)
    assert.equal((await admin.call('POST', `/api/x/extraction/facts/${hidden.id}/refuse`)).status, 200)
  })

  test('what was taken back comes not back when a later one is taken back', async () => {
    const { contactId } = await begin('backwards', 'v: first_11', 'v: later_22')
    const agent = await world().person('小退', 'admin')
    const rows = await settled(contactId, 2)
    const decide = async (normal: string, verdict: string) =>
      assert.equal((await agent.call('POST', `/api/x/extraction/facts/${rows.find((one) => one.normal === normal)?.id}/${verdict}`)).status, 200)
    const field = async () => (await contact(agent, contactId)).wechat
    await agent.call('PATCH', `/api/contacts/${contactId}`, { wechat: 'typed_00' })
    await decide('first_11', 'accept')
    await decide('later_22', 'accept')
    await decide('first_11', 'undo')
    await decide('first_11', 'refuse')
    assert.equal(await field(), 'later_22')
    await decide('later_22', 'undo')
    assert.equal(await field(), 'typed_00')
  })

  test('trying out says what the hub does', async () => {
    const admin = await world().person('小试', 'admin')
    const text = '我的号 138****5678，我属龙，我爸电话13800138083，v: abc12383，我QQ 12345683，孩子3岁'
    const tried = (await admin.call('POST', '/api/x/extraction/try', { text })).body.items
    const { contactId } = await begin('tried', text)
    const rows = await settled(contactId, 6)
    assert.deepEqual(
      tried.map(({ normal, act }: Record<string, string>) => `${normal} ${act}`).sort(),
      rows.map(({ normal, state }) => `${normal} ${state}`).sort(),
    )
  })

  test('rules: built-in ones are switched, own ones are added, tried out and dropped', async () => {
    const admin = await world().person('小何', 'admin')
    const attempt = async (text: string) =>
      (await admin.call('POST', '/api/x/extraction/try', { text })).body.items.map(({ kind, rule, act }: Record<string, string>) => `${kind} ${rule} ${act}`)
    assert.deepEqual(await attempt('13800138000'), ['phone phone.bare filled'])
    await admin.call('PUT', '/api/x/extraction/rules/phone.bare', { enabled: false })
    assert.deepEqual(await attempt('13800138000'), [])
    await admin.call('PUT', '/api/x/extraction/rules/phone.bare', { enabled: true })
    const made = await admin.call('POST', '/api/x/extraction/rules', { kind: 'wechat', words: ['飞信', ' '], shape: 'account', min: 6, max: 20 })
    assert.equal(made.status, 201)
    assert.deepEqual(await attempt('飞信 feixin_88'), [`wechat ${made.body.id} suggested`])
    assert.equal((await admin.call('GET', '/api/x/extraction/rules')).body.own.length, 1)
    assert.equal((await admin.call('DELETE', `/api/x/extraction/rules/${made.body.id}`)).status, 200)
    assert.deepEqual(await attempt('飞信 feixin_88'), [])
    assert.equal((await admin.call('DELETE', '/api/x/extraction/rules/phone.bare')).status, 404)
    assert.equal((await admin.call('POST', '/api/x/extraction/rules', { kind: 'wechat', words: [], shape: 'account' })).status, 400)
    assert.equal((await admin.call('POST', '/api/x/extraction/try', { text: 'x'.repeat(5_001) })).status, 400)
  })

  test('who switched, added or deleted a rule is in the audit log, in words; what changed nothing is not', async () => {
    const admin = await world().person('小规', 'admin')
    const put = (id: string, enabled: boolean) => admin.call('PUT', `/api/x/extraction/rules/${id}`, { enabled })
    for (const enabled of [true, false, false, true]) assert.equal((await put('qq.mail', enabled)).status, 200)
    const { id } = (await admin.call('POST', '/api/x/extraction/rules', { kind: 'wechat', words: ['飞信', '飞聊'], shape: 'account' })).body
    await put(id, false)
    await admin.call('DELETE', `/api/x/extraction/rules/${id}`)
    assert.equal((await put('qq.none', false)).status, 404)
    const told = await eventually(async () => {
      const { items } = (await admin.call('GET', `/api/x/audit/entries?event=extraction&agentId=${admin.id}`)).body
      return (
        items.length >= 5 && (items as { event: string; ip: string; details: { ruleId: string; name: unknown; change: keyof typeof zh.changes } }[]).reverse()
      )
    }, 'the entries')
    const label = { zh: 'QQ 邮箱里的 QQ 号', en: 'QQ number of a QQ mailbox' }
    assert.deepEqual(
      told.map(({ event, details }) => [event, details.ruleId, details.name, details.change]),
      [
        ['extraction.ruleChanged', 'qq.mail', label, 'rule-off'],
        ['extraction.ruleChanged', 'qq.mail', label, 'rule-on'],
        ['extraction.ruleChanged', id, '飞信、飞聊', 'rule-added'],
        ['extraction.ruleChanged', id, '飞信、飞聊', 'rule-off'],
        ['extraction.ruleChanged', id, '飞信、飞聊', 'rule-deleted'],
      ],
    )
    for (const words of [zh, en]) {
      assert.match(words.deeds.extraction.ruleChanged, /\{name\}.*\{change\}/)
      for (const { ip, details } of told) assert.ok(ip && words.changes[details.change], details.change)
    }
  })

  test('the settings are read with the rules’ permission and saved with that of plugins, which is said beforehand', async () => {
    const read = async (who: Person) => (await who.call('GET', '/api/x/extraction/settings')).body
    const admin = await world().person('小季', 'admin')
    assert.deepEqual([(await read(admin)).mayChange, (await read(admin)).settings.fillFrom], [true, 0.85])
    const roleId = newId()
    await em().insert(Role, {
      id: roleId,
      name: `只管规则 ${roleId}`,
      builtin: null,
      grants: [{ permission: 'extraction.rule.manage' }],
      createdAt: new Date(),
    } as unknown as Role)
    const keeper = await world().person('小规')
    await em().nativeDelete(AgentRole, { agentId: keeper.id })
    await em().insert(AgentRole, { agentId: keeper.id, roleId })
    world().hub.access.clear()
    const { settings, mayChange } = await read(keeper)
    assert.equal(mayChange, false)
    assert.equal((await keeper.call('PUT', '/api/plugins/extraction/settings', settings)).status, 403)
    assert.equal((await keeper.call('PUT', '/api/x/extraction/rules/qq.mail', { enabled: true })).status, 200)
  })

  test('a kind that is switched off, a tag that is another, the house’s own number', async () => {
    const admin = await world().person('小季', 'admin')
    const set = (settings: Record<string, unknown>) => admin.call('PUT', '/api/plugins/extraction/settings', settings)
    assert.equal((await set({ qqOn: false, phoneTag: '已留电话', ours: ['13800138008'], others: ['楼管'] })).status, 200)
    try {
      const { contactId } = await begin('h', '电话13800138007，QQ12345678，你们是13800138008吧，楼管那里是13800138018')
      assert.deepEqual((await settled(contactId, 2)).map(({ normal, whose }) => `${normal} ${whose}`).sort(), ['+8613800138007 ', '+8613800138018 other'])
      assert.deepEqual(
        (await contact(admin, contactId)).tags.map(({ name }: { name: string }) => name),
        ['已留电话'],
      )
    } finally {
      await set({})
    }
  })

  test('a merged contact has the facts of both; split again, each its own', async () => {
    const [one, two] = [await begin('i', '电话13800138009'), await begin('j', '微信zhouzhou_1')]
    const admin = await world().person('小吴', 'admin')
    await settled(one.contactId, 1)
    await settled(two.contactId, 1)
    const { body } = await admin.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })
    await eventually(async () => (await facts(body.intoId)).length === 2, 'the facts to follow')
    await admin.call('POST', `/api/contact-moves/${body.id}/undo`)
    await eventually(async () => (await facts(two.contactId)).length === 1 && (await facts(one.contactId)).length === 1, 'the facts to go back')
  })

  test('off: no routes, no fields, nothing read; on: all back', async () => {
    const { inbox, contactId, conversationId, messageIds } = await begin('k', '微信zhouzhou_2')
    const admin = await world().person('小冯', 'admin')
    await settled(contactId, 1)
    await world().whileOff('extraction', async () => {
      assert.equal((await admin.call('POST', '/api/x/extraction/marks', { conversations: [conversationId], messages: messageIds })).status, 404)
      assert.deepEqual((await contact(admin, contactId)).fields, [])
      await sayAndWait(inbox, 'k', '电话13800138010')
      assert.equal((await contact(admin, contactId)).phone, '')
    })
    assert.equal((await facts(contactId)).length, 1)
    assert.deepEqual((await marksOf(admin, [conversationId], [])).rows[conversationId], ['wechat'])
  })
  const sayAndWait = async (inbox: Inbox, who: string, text: string) => {
    await world().say(inbox, who, text)
    await world().running.sweep()
  }
})
