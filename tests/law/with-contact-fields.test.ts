/** `contactFields`, `ctx.contacts`, `ctx.asker`, `ctx.recent`: a plugin fills what is empty, a person's hand wins, and who asks sees what they may. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { definePlugin, type PluginContext } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { found, onEveryProfile, type World } from '../support/world.ts'

let ctx: PluginContext
const notes = definePlugin({
  id: 'notes',
  version: '1.0.0',
  label: { zh: '便笺', en: 'Notes' },
  contactFields: [
    { name: 'shoe', label: { zh: '鞋码', en: 'Shoe size' } },
    { name: 'chat', label: { zh: '聊天号', en: 'Chat id' }, personal: 'phone' },
  ],
  start: (given) => {
    ctx = given
  },
  routes(app, own) {
    const Ids = Type.Object({ ids: Type.Array(Type.String()) })
    app.post('/visible', { config: { access: 'agent' }, schema: { body: Ids } }, async (request) => {
      const asker = own.asker(request)
      return { ids: await asker.conversations((request.body as { ids: string[] }).ids), phone: asker.mask('phone', '13800138000'), sees: asker.maySee('phone') }
    })
    app.get('/contact/:id', { config: { access: 'agent' } }, async (request) => ({
      id: await own.asker(request).contact((request.params as { id: string }).id),
    }))
  },
})
const { manifest: mock } = mockChannel('slips')

await onEveryProfile('contact fields', [found(notes), found(mock)], (world) => {
  async function begin(who: string) {
    const inbox = await world().inbox('slips')
    const [said] = await world().say(inbox, who, '你好')
    const { contactId } = await world()
      .hub.em()
      .findOneOrFail(Conversation, { id: said?.conversationId as string })
    return { inbox, contactId, conversationId: said?.conversationId as string }
  }
  const shown = async (agent: Awaited<ReturnType<World['person']>>, id: string) => (await agent.call('GET', `/api/contacts/${id}`)).body

  test('an empty field is filled, once and again the same; what stands there is kept', async () => {
    const { contactId } = await begin('a')
    const agent = await world().person('小安', 'admin')
    assert.equal(await ctx.contacts.fill(contactId, 'phone', '13800138000'), 'filled')
    assert.equal(await ctx.contacts.fill(contactId, 'phone', '13800138000'), 'filled')
    assert.equal(await ctx.contacts.fill(contactId, 'phone', '13900139000'), 'kept')
    assert.equal(await ctx.contacts.fill(contactId, 'shoe', '42'), 'filled')
    const contact = await shown(agent, contactId)
    assert.equal(contact.phone, '13800138000')
    assert.deepEqual(contact.fields, [
      { name: 'notes.shoe', label: { zh: '鞋码', en: 'Shoe size' }, value: '42', masked: false, options: [] },
      { name: 'notes.chat', label: { zh: '聊天号', en: 'Chat id' }, value: '', masked: false, options: [] },
    ])
    assert.deepEqual(Object.keys(contact.filledBy).sort(), ['notes.shoe', 'phone'])
    await assert.rejects(ctx.contacts.fill(contactId, 'nowhere', 'x'), { code: 'HUB_REQUEST_INVALID' })
    assert.deepEqual(await ctx.contacts.read(contactId, ['phone', 'shoe', 'chat']), { phone: '13800138000', shoe: '42', chat: '' })
    await assert.rejects(ctx.contacts.read(contactId, ['nowhere']), { code: 'HUB_REQUEST_INVALID' })
    await assert.rejects(ctx.contacts.read(newId(), ['phone']), { code: 'HUB_NOT_FOUND' })
  })

  test('what a person wrote, or emptied, stays', async () => {
    const { contactId } = await begin('b')
    const agent = await world().person('小白', 'admin')
    await ctx.contacts.fill(contactId, 'phone', '13800138000')
    await ctx.contacts.fill(contactId, 'shoe', '42')
    await agent.call('PATCH', `/api/contacts/${contactId}`, { phone: '', fields: { 'notes.shoe': '43' } })
    assert.equal(await ctx.contacts.fill(contactId, 'phone', '13800138000'), 'kept')
    assert.equal(await ctx.contacts.fill(contactId, 'shoe', '42'), 'kept')
    const contact = await shown(agent, contactId)
    assert.deepEqual([contact.phone, contact.fields[0].value, contact.filledBy], ['', '43', {}])
    assert.equal((await agent.call('PATCH', `/api/contacts/${contactId}`, { fields: { 'notes.other': 'x' } })).status, 400)
  })

  test('many fill at once: one value', async () => {
    const { contactId } = await begin('c')
    const results = await Promise.all(['1', '2', '3', '4'].map((digit) => ctx.contacts.fill(contactId, 'phone', `1380013800${digit}`)))
    assert.equal(results.filter((result) => result === 'filled').length, 1)
  })

  test('a person’s choice made through the plugin replaces, and only what it was made upon', async () => {
    const { contactId } = await begin('d')
    await ctx.contacts.fill(contactId, 'shoe', '42')
    const by = { byAgentId: newId() }
    assert.deepEqual(await ctx.contacts.write(contactId, 'shoe', '44', { ...by, instead: '41' }), { written: false, before: '42' })
    assert.deepEqual(await ctx.contacts.write(contactId, 'shoe', '44', by), { written: true, before: '42' })
    assert.equal(await ctx.contacts.fill(contactId, 'shoe', '42'), 'kept')
  })

  test('a tag is put on once, and is a system tag where there was none', async () => {
    const { contactId } = await begin('e')
    const agent = await world().person('小方', 'admin')
    const told = await Promise.all([1, 2, 3].map(() => ctx.contacts.tag(contactId, '转电')))
    assert.equal(told.filter(Boolean).length, 1)
    assert.deepEqual(
      (await shown(agent, contactId)).tags.map(({ name, system }: { name: string; system: boolean }) => [name, system]),
      [['转电', true]],
    )
  })

  test('who asks: their conversations, their contacts, their masks', async () => {
    const { contactId, conversationId } = await begin('f')
    const admin = await world().person('小高', 'admin')
    const stranger = await world().person('外人')
    const em = world().hub.em()
    const roleId = newId()
    await em.insert(Role, {
      id: roleId,
      name: `看不到号码 ${roleId}`,
      builtin: null,
      grants: [{ permission: 'conversation.read', scope: 'all' }],
      createdAt: new Date(),
    } as unknown as Role)
    const blind = await world().person('小盲')
    await em.nativeDelete(AgentRole, { agentId: blind.id })
    await em.insert(AgentRole, { agentId: blind.id, roleId })
    world().hub.access.clear()
    const ask = async (who: typeof admin) => (await who.call('POST', '/api/x/notes/visible', { ids: [conversationId, newId()] })).body
    assert.deepEqual(await ask(admin), { ids: [conversationId], phone: '13800138000', sees: true })
    assert.deepEqual((await ask(stranger)).ids, [])
    assert.deepEqual(await ask(blind), { ids: [conversationId], phone: '138****8000', sees: false })
    assert.equal((await admin.call('GET', `/api/x/notes/contact/${contactId}`)).body.id, contactId)
    assert.equal((await stranger.call('GET', `/api/x/notes/contact/${contactId}`)).status, 404)
    await ctx.contacts.fill(contactId, 'chat', 'abc12345')
    const field = (await shown(blind, contactId)).fields.find(({ name }: { name: string }) => name === 'notes.chat')
    assert.deepEqual([field.value, field.masked], ['ab****', true])
  })

  test('what was said lately, oldest first, bounded', async () => {
    const { inbox, conversationId } = await begin('g')
    for (const text of ['一', '二', '三']) await world().say(inbox, 'g', text)
    const texts = async (limit: number) =>
      (await ctx.recent(conversationId, { upToSeq: 99, limit })).filter(({ direction }) => direction === 'in').map(({ text }) => text)
    assert.deepEqual((await texts(20)).slice(-3), ['一', '二', '三'])
    assert.deepEqual(await texts(1), ['三'])
    // Where one of them is by now, by its own name; in this plugin's inboxes only.
    const [said] = await world().say(inbox, 'g', '四', 'the-fourth')
    const channel = world().hub.kernel.get(inbox.channel)?.ctx
    assert.deepEqual(await channel?.whereIs(inbox.id, 'the-fourth'), { conversationId, messageId: said?.messageId, seq: said?.seq })
    assert.equal(await channel?.whereIs(inbox.id, 'nobody'), undefined)
    assert.equal(await ctx.whereIs(inbox.id, 'the-fourth'), undefined)
    assert.deepEqual(await ctx.recent(conversationId, { upToSeq: 99, limit: 9, since: new Date(Date.now() + 60_000) }), [])
  })

  test('records are found by what it filled and shown with it, by who may see it', async () => {
    const { contactId, conversationId } = await begin('found')
    await ctx.contacts.fill(contactId, 'shoe', '47')
    await ctx.contacts.fill(contactId, 'chat', 'talk-4711')
    await ctx.contacts.fill(contactId, 'phone', '13800138047')
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { address: '杭州市文三路 47 号', remark: '回电 13900139047' })
    const all: { permission: string; scope?: 'all' }[] = [{ permission: 'conversation.read', scope: 'all' }]
    const agent = await world().person('小安', 'admin')
    const blind = await world().person('小何', all)
    const ask = async (who: typeof agent, name: string, value: string, end = '') => {
      const filter = encodeURIComponent(JSON.stringify({ fields: [{ name, value }] }))
      const { status, body } = await who.call('GET', `/api/records${end}?filter=${filter}${end ? '' : '&person=true'}`)
      return status === 200 ? (end ? body.count : body.items.map(({ id }: { id: string }) => id)) : body.code
    }
    const given: [name: string, value: string][] = [
      ['notes.chat', 'talk-4711'],
      ['phone', '138 0013 8047'],
      ['address', '杭州市文三路 47 号'],
      ['remark', '回电 13900139047'],
    ]
    for (const [name, value] of [['notes.shoe', '47'] as const, ...given]) assert.deepEqual(await ask(agent, name, value), [conversationId], name)
    assert.deepEqual(await ask(agent, 'remark', '回电 139'), [conversationId], 'a remark is found by how it begins')
    assert.deepEqual(await ask(agent, 'notes.chat', 'talk'), [])
    assert.deepEqual(await ask(blind, 'notes.shoe', '47'), [conversationId])
    // Neither a row nor a count says whether it is there, nor does what is not there.
    for (const [name, value] of given)
      for (const [asked, end] of [
        [value, ''],
        [value, '/count'],
        [value.replace('47', '48'), ''],
      ] as const)
        assert.equal(await ask(blind, name, asked, end), 'HUB_FORBIDDEN', `${name} ${asked}`)
    assert.deepEqual(await ask(blind, 'remark', '回电 139'), [], 'nor is it found piece by piece')
    assert.equal(await ask(agent, 'notes.other', '1'), 'HUB_REQUEST_INVALID')

    const fields = async (who: typeof agent) => {
      const { items } = (await who.call('GET', '/api/records/fields')).body as { items: { name: string; match: string; findable: boolean }[] }
      return Object.fromEntries(items.map(({ name, match, findable }) => [name, findable && match]))
    }
    const open = await fields(agent)
    assert.deepEqual([open['notes.chat'], open.phone, open.remark, open['notes.shoe']], ['exact', 'exact', 'beginning', 'exact'])
    const shut = await fields(blind)
    assert.deepEqual([shut['notes.chat'], shut.phone, shut.remark, shut['notes.shoe']], [false, false, 'exact', 'exact'])
    const person = async (who: typeof agent) => {
      const { body } = await who.call('GET', '/api/records?person=true&limit=100')
      return body.items.find(({ id }: { id: string }) => id === conversationId).person.fields
    }
    assert.deepEqual(await person(agent), { 'notes.shoe': '47', 'notes.chat': 'talk-4711' })
    assert.deepEqual(await person(blind), { 'notes.shoe': '47', 'notes.chat': 'ta****' })
    await world().whileOff('notes', async () => {
      assert.equal(await ask(agent, 'notes.shoe', '47'), 'HUB_REQUEST_INVALID')
      assert.deepEqual(await person(agent), {})
      assert.equal('notes.shoe' in (await fields(agent)), false)
    })
  })

  test('off: its fields are gone from sight, not from the table; on: back', async () => {
    const { contactId } = await begin('h')
    const agent = await world().person('小何', 'admin')
    await ctx.contacts.fill(contactId, 'shoe', '40')
    await world().whileOff('notes', async () => {
      const contact = await shown(agent, contactId)
      assert.deepEqual([contact.fields, contact.filledBy], [[], {}])
      assert.equal((await agent.call('PATCH', `/api/contacts/${contactId}`, { fields: { 'notes.shoe': '1' } })).status, 400)
    })
    assert.equal((await shown(agent, contactId)).fields[0].value, '40')
  })

  test('a merge takes them along where the kept contact has none, and gives them back', async () => {
    const [one, two] = [await begin('i'), await begin('j')]
    const agent = await world().person('小季', 'admin')
    await ctx.contacts.fill(two.contactId, 'shoe', '39')
    const merged = await agent.call('POST', `/api/contacts/${one.contactId}/merge`, { otherId: two.contactId })
    assert.equal(merged.status, 200, JSON.stringify(merged.body))
    const into = merged.body.intoId
    assert.equal((await shown(agent, into)).fields[0].value, '39')
    assert.equal((await agent.call('POST', `/api/contact-moves/${merged.body.id}/undo`)).status, 200)
    const rows = await world()
      .hub.em()
      .find(Contact, { id: { $in: [one.contactId, two.contactId] }, mergedIntoId: null })
    assert.equal(rows.length, 2)
    assert.equal((await shown(agent, two.contactId)).fields[0].value, '39')
    assert.equal((await shown(agent, one.contactId)).fields[0].value, '')
  })
})
