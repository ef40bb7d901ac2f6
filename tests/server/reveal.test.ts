/** Personal data is masked on the server in whatever was written, and shown one by one for a reason. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { HiddenKind } from '../../core/sdk/wire/conversation.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { recordsFor } from '../../core/src/domain/record/read-records.ts'
import { tablesFor } from '../../core/src/domain/record/read-tables.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const told: unknown[] = []
const watcher = { id: 'watcher', version: '1.0.0', label: { zh: '旁观', en: 'Watcher' }, on: { 'contact.revealed': (event: unknown) => void told.push(event) } }

/** Somebody whose role holds just these. */
async function holding(world: World, grants: Grant[]): Promise<Person> {
  const em = world.hub.em()
  const person = await world.person('测试员', 'agent', { presence: 'away' })
  const role = { id: newId(), builtin: null, name: '角色', grants, createdAt: new Date() }
  await em.insert(Role, role)
  await em.nativeUpdate(AgentRole, { agentId: person.id }, { roleId: role.id })
  world.hub.access.clear()
  return person
}

await onEveryProfile('reveal', [found(manifest), found(watcher as never)], (world) => {
  test('a number in a field that is another’s is masked wherever the field is shown, found by nobody who may not see it, and not revealed with the field', async () => {
    const inbox = await world().inbox('mock')
    const [said] = await world().say(inbox, newId(), '在吗')
    const conversationId = said?.conversationId ?? ''
    const em = world().hub.em()
    const { contactId } = await em.findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    const number = '13912345006'
    const label = { zh: `来电 ${number}`, en: `Call ${number}` }
    const of = { name: `王小明${number}`, wechat: number, email: `${number}@139.com`, qq: number, address: `文三路 ${number}` }
    await em.nativeUpdate(Contact, { id: contactId }, { ...of, attributes: { label } })
    const read: Grant = { permission: 'conversation.read', scope: 'all' }
    const others: Grant = { permission: 'contact.personal', fields: personalFields.filter((field) => field !== 'phone') }
    const blind = await holding(world(), [read, others, { permission: 'contact.reveal', fields: ['document'] }])
    const sees = await holding(world(), [read, { permission: 'contact.personal', fields: [...personalFields] }])
    const reveal = await blind.call('POST', `/api/contacts/${contactId}/reveal`, { field: 'wechat', reason: '核对' })
    assert.equal(reveal.body.value, '139****5006')

    const whereShown = async (who: Person) => {
      const reader = { agentId: who.id, personal: true, tz: 'UTC' }
      const get = async (path: string) => JSON.stringify((await who.call('GET', path)).body)
      return {
        contact: await get(`/api/contacts/${contactId}`),
        conversation: await get(`/api/conversations/${conversationId}`),
        records: await get(`/api/records?person=true&filter=${encodeURIComponent(JSON.stringify({ contactId }))}`),
        facts: JSON.stringify(await recordsFor(world().hub).read(reader, [conversationId])),
        table: JSON.stringify(await tablesFor(world().hub).read('hub.contacts', reader, [contactId])),
      }
    }
    const count = (shown: Record<string, string>) => Object.fromEntries(Object.entries(shown).map(([where, text]) => [where, text.split(number).length - 1]))
    const shown = await whereShown(blind)
    assert.deepEqual(count(shown), { contact: 0, conversation: 0, records: 0, facts: 0, table: 0 })
    for (const text of Object.values(shown)) assert.match(text, /王小明139\*{4}5006/)
    for (const seen of Object.values(count(await whereShown(sees)))) assert.ok(seen > 0)
    await em.nativeUpdate(Contact, { id: contactId }, { name: '' })
    assert.match(JSON.stringify((await blind.call('GET', `/api/conversations/${conversationId}`)).body.contact), /来电 139\*{4}5006/)
    assert.doesNotMatch(JSON.stringify((await blind.call('GET', `/api/conversations/${conversationId}`)).body.contact), new RegExp(number))

    const found = async (who: Person, filter: object) => (await who.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}`)).body
    assert.equal((await found(sees, { contact: number })).items.length, 1)
    assert.equal((await found(blind, { contact: number })).code, 'HUB_FORBIDDEN')
    assert.equal((await found(sees, { fields: [{ name: 'wechat', value: number }] })).items.length, 1)
    assert.equal((await found(blind, { fields: [{ name: 'wechat', value: number }] })).code, 'HUB_FORBIDDEN')
  })

  test('one field, or one kind in a message, for a reason, told with who and why and never the value', async () => {
    const inbox = await world().inbox('mock')
    const [said] = await world().say(inbox, 'v1', '打 13812345678 或写 alice@example.com 或加微信 alice_w88')
    const conversationId = said?.conversationId ?? ''
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id: conversationId })
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { phone: '13912345678', wechat: 'alice_w88' })
    const read: Grant = { permission: 'conversation.read', scope: 'all' }
    const masked = await holding(world(), [read])
    const may = await holding(world(), [read, { permission: 'contact.reveal', fields: ['phone'] }])

    const contact = (await masked.call('GET', `/api/contacts/${contactId}`)).body
    assert.deepEqual([contact.phone, contact.wechat, contact.masked], ['139****5678', 'al****', ['phone', 'wechat']])
    const [message] = (await masked.call('GET', `/api/conversations/${conversationId}/messages`)).body.items
    const text = '打 138****5678 或写 a****@example.com 或加微信 al*******'
    assert.equal(message.parts[0].text, text)
    assert.deepEqual(
      message.masked.map(({ field, places }: HiddenKind) => [field, ...places.map(({ part, start, end }) => `${part} ${text.slice(start, end)}`)]),
      [
        ['phone', '0 ****'],
        ['email', '0 ****'],
        ['wechat', '0 *******'],
      ],
    )
    assert.equal((await masked.call('GET', `/api/conversations/${conversationId}`)).body.preview, text)

    const body = { field: 'phone', reason: '回电核实订单' }
    assert.equal((await masked.call('POST', `/api/contacts/${contactId}/reveal`, body)).status, 403)
    assert.equal((await masked.call('POST', `/api/messages/${message.id}/reveal`, { field: 'phone', reason: '核实' })).status, 403)
    assert.equal((await may.call('POST', `/api/messages/${message.id}/reveal`, { field: 'email', reason: '核实' })).status, 403)
    for (const bad of [{ reason: '核实' }, { field: 'nickname', reason: '核实' }, { field: 'phone' }])
      assert.equal((await may.call('POST', `/api/messages/${message.id}/reveal`, bad)).body.code, 'HUB_REQUEST_INVALID')
    assert.equal((await may.call('POST', `/api/contacts/${contactId}/reveal`, { field: 'wechat', reason: '加好友' })).status, 403)
    for (const reason of ['', ' x ', '啊'.repeat(201)])
      assert.equal((await may.call('POST', `/api/contacts/${contactId}/reveal`, { ...body, reason })).body.code, 'HUB_REQUEST_INVALID', reason)
    assert.equal((await may.call('POST', `/api/contacts/${newId()}/reveal`, body)).status, 404)
    assert.deepEqual((await may.call('POST', `/api/contacts/${contactId}/reveal`, body)).body, { value: '13912345678' })
    const shown = await may.call('POST', `/api/messages/${message.id}/reveal`, { field: 'phone', reason: '核实号码' })
    assert.deepEqual([shown.status, shown.body.parts[0].text], [200, text.replace('138****5678', '13812345678')])
    assert.deepEqual(
      shown.body.masked.map(({ field }: HiddenKind) => field),
      ['email', 'wechat'],
    )
    // Who may have both shown is asked for each by itself.
    const both = await holding(world(), [read, { permission: 'contact.reveal', fields: ['email', 'phone'] }])
    const one = await both.call('POST', `/api/messages/${message.id}/reveal`, { field: 'email', reason: '核实邮箱' })
    assert.equal(one.body.parts[0].text, text.replace('a****@', 'alice@'))
    const events = await eventually(() => {
      const ours = told.filter((event) => (event as { data: { contactId: string } }).data.contactId === contactId)
      return ours.length === 3 && ours
    }, 'the events')
    assert.ok(!/13\d{9}/.test(JSON.stringify(events)))
    assert.deepEqual(
      (events as { data: object; by: { agentId: string } }[])
        .map(({ data, by }) => ({ ...data, by: by.agentId }))
        .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
      [
        { contactId, field: 'phone', conversationId: null, messageId: null, reason: '回电核实订单', by: may.id },
        { contactId, field: 'phone', conversationId, messageId: message.id, reason: '核实号码', by: may.id },
        { contactId, field: 'email', conversationId, messageId: message.id, reason: '核实邮箱', by: both.id },
      ].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
    )
  })

  test('what one wrote oneself stays readable, to others it is masked', async () => {
    const inbox = await world().inbox('mock')
    const [said] = await world().say(inbox, 'v2', '你好')
    const conversationId = said?.conversationId ?? ''
    const grants: Grant[] = [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'conversation.reply', scope: 'all' },
    ]
    const [writer, other] = [await holding(world(), grants), await holding(world(), grants)]
    const sent = await world().reply(writer, conversationId, '请拨 13812345678')
    assert.equal(sent.body.parts[0].text, '请拨 13812345678')
    const of = async (person: Person) => (await person.call('GET', `/api/messages/${sent.body.id}`)).body.parts[0].text
    assert.deepEqual([await of(writer), await of(other)], ['请拨 13812345678', '请拨 138****5678'])
  })

  test('no more than thirty in a minute', async () => {
    const may = await holding(world(), [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'contact.reveal', fields: ['phone'] },
    ])
    const answers: number[] = []
    for (let i = 0; i < 31; i++) answers.push((await may.call('POST', `/api/contacts/${newId()}/reveal`, { field: 'phone', reason: '测试' })).status)
    assert.deepEqual([answers[29], answers[30]], [404, 429])
  })

  test('a business line ends where its inboxes end, and nobody gives a longer one', async () => {
    const [one, two] = [await world().inbox('mock'), await world().inbox('mock')]
    const [inside] = await world().say(one, 'line1', '在线内')
    const [outside] = await world().say(two, 'line2', '在线外')
    const line: Grant = { permission: 'conversation.read', scope: 'all', inboxIds: [one.id] }
    const person = await holding(world(), [line, { permission: 'role.manage' }])
    assert.equal((await person.call('GET', `/api/conversations/${inside?.conversationId}`)).status, 200)
    assert.equal((await person.call('GET', `/api/conversations/${outside?.conversationId}`)).status, 404)
    const give = async (grant: Grant) => (await person.call('POST', '/api/roles', { name: 'x', grants: [grant] })).status
    assert.deepEqual(
      [
        await give(line),
        await give({ ...line, scope: 'own' }),
        await give({ ...line, inboxIds: [one.id, two.id] }),
        await give({ permission: 'conversation.read', scope: 'own' }),
      ],
      [201, 201, 403, 403],
    )
    assert.equal(await give({ permission: 'tag.manage', inboxIds: [one.id] }), 400)
  })
})
