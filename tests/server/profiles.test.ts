/** What a platform says of a person is kept up to date, never over what an agent wrote, and costs nothing while it stays the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import type { ChannelSender } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Identity, IdentityClaim } from '../../core/src/domain/contact/contact.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel('mock')
const minute = 60_000

await onEveryProfile('profiles', [found(manifest)], (world) => {
  const began = Date.now() - 3_600_000
  const say = (inbox: Inbox, from: ChannelSender, minutes: number) =>
    world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from, parts: [{ type: 'text', text: '你好' }], sentAt: new Date(began + minutes * minute) },
    ])
  const identityOf = (inbox: Inbox, externalId: string) =>
    world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id, externalId }, { disableIdentityMap: true })
  const shown = async (inbox: Inbox, who: string) => {
    const admin = await world().person('看客', 'admin')
    const { contactId } = await identityOf(inbox, who)
    return { admin, contactId, contact: (await admin.call('GET', `/api/contacts/${contactId}`)).body }
  }

  test('a newer word of the platform counts: attributes and the name; what it says no more stays', async () => {
    const inbox = await world().inbox('mock')
    await say(inbox, { externalId: 'a', name: '小满', attributes: { avatar: 'one.png', locale: 'zh_CN' } }, 0)
    const { admin, contactId } = await shown(inbox, 'a')
    const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders: { cookie: admin.cookie } })
    await new Promise((resolve) => socket.once('ready', resolve))
    const heard: string[] = []
    socket.on('contact.changed', (data: { contactId: string }) => heard.push(data.contactId))
    await say(inbox, { externalId: 'a', name: '林小满', phone: '13800138000', attributes: { avatar: 'two.png' } }, 1)
    const { contact } = await shown(inbox, 'a')
    assert.deepEqual([contact.name, contact.phone, contact.identities[0].attributes], ['林小满', '13800138000', { avatar: 'two.png', locale: 'zh_CN' }])
    await eventually(() => heard.includes(contactId), 'the news')
    socket.disconnect()
  })

  test('what an agent wrote stays, whatever the platform says after; the identity has the platform’s word', async () => {
    const inbox = await world().inbox('mock')
    await say(inbox, { externalId: 'b', name: '用户8812', email: 'old@example.com' }, 0)
    const { admin, contactId } = await shown(inbox, 'b')
    await admin.call('PATCH', `/api/contacts/${contactId}`, { name: '王老板' })
    await say(inbox, { externalId: 'b', name: '海风', email: 'new@example.com' }, 1)
    await say(inbox, { externalId: 'b', name: '海风二号' }, 2)
    const { contact } = await shown(inbox, 'b')
    assert.deepEqual([contact.name, contact.email], ['王老板', 'new@example.com'])
    assert.equal((await identityOf(inbox, 'b')).profile?.name, '海风二号')
  })

  test('an old event that comes late changes nothing; a blocked one neither', async () => {
    const inbox = await world().inbox('mock')
    await say(inbox, { externalId: 'c', name: '新名字', attributes: { avatar: 'new.png' } }, 10)
    await say(inbox, { externalId: 'c', name: '旧名字', attributes: { avatar: 'old.png' } }, 5)
    const { admin, contactId, contact } = await shown(inbox, 'c')
    assert.deepEqual([contact.name, contact.identities[0].attributes.avatar], ['新名字', 'new.png'])
    await admin.call('POST', `/api/contacts/${contactId}/block`, { identityId: contact.identities[0].id })
    await assert.rejects(say(inbox, { externalId: 'c', name: '骂人的名字' }, 20))
    assert.equal((await shown(inbox, 'c')).contact.name, '新名字')
  })

  test('somebody known from before has no word of the channel yet: only an empty field is filled', async () => {
    const inbox = await world().inbox('mock')
    await say(inbox, { externalId: 'd', name: '早先的名字' }, 0)
    await world().hub.em().nativeUpdate(Identity, { inboxId: inbox.id, externalId: 'd' }, { profile: null })
    await say(inbox, { externalId: 'd', name: '后来的名字', phone: '13900139000' }, 1)
    const { contact } = await shown(inbox, 'd')
    assert.deepEqual([contact.name, contact.phone], ['早先的名字', '13900139000'])
  })

  test('what somebody says of themself fills what is empty, is shown as unproven, and gives way to the platform’s word and to an agent’s', async () => {
    const inbox = await world().inbox('mock')
    const signed = { externalId: 'f', name: '林小满', verified: true }
    await say(inbox, signed, 0)
    await say(inbox, { ...signed, says: { name: '小满姐', phone: '13800138000', email: 'own@example.com' } }, 1)
    const panel = async (who: string) => {
      const { contact } = await shown(inbox, who)
      const own = contact.identities[0].facts.map(({ name, value }: { name: string; value: string }) => [name, value])
      return [contact.name, contact.phone, contact.email, Object.fromEntries(own)]
    }
    const [name, phone, email] = ['own.name', 'own.phone', 'own.email']
    assert.deepEqual(await panel('f'), ['林小满', '13800138000', 'own@example.com', { [name]: '小满姐', [phone]: '13800138000', [email]: 'own@example.com' }])
    assert.equal((await identityOf(inbox, 'f')).profile?.phone, undefined)
    // It proves nobody, and is evidence all the same.
    const { id } = await identityOf(inbox, 'f')
    const claims = await world()
      .hub.em()
      .find(IdentityClaim, { identityId: id }, { orderBy: { kind: 'asc' }, disableIdentityMap: true })
    assert.deepEqual(
      claims.map(({ kind, verified }) => [kind, verified]),
      [
        ['email', false],
        ['phone', false],
      ],
    )
    // Another number takes the place of the one before; the platform's own takes that of both; an agent's stays.
    await say(inbox, { ...signed, says: { phone: '13900139000' } }, 2)
    assert.deepEqual((await panel('f'))[1], '13900139000')
    await say(inbox, { ...signed, phone: '13700137000' }, 3)
    await say(inbox, { ...signed, phone: '13700137000', says: { phone: '13600136000' } }, 4)
    const { admin, contactId } = await shown(inbox, 'f')
    await admin.call('PATCH', `/api/contacts/${contactId}`, { email: 'desk@example.com' })
    await say(inbox, { ...signed, says: { email: 'again@example.com' } }, 5)
    assert.deepEqual(await panel('f'), [
      '林小满',
      '13700137000',
      'desk@example.com',
      { [name]: '小满姐', [phone]: '13600136000', [email]: 'again@example.com' },
    ])
    // With the first word that was ever said, too.
    await say(inbox, { externalId: 'g', verified: true, email: 'site@example.com', says: { phone: '13500135000', email: 'mine@example.com' } }, 6)
    assert.deepEqual(await panel('g'), ['', '13500135000', 'site@example.com', { [phone]: '13500135000', [email]: 'mine@example.com' }])
    const agent = await world().person('不看号码', [{ permission: 'conversation.read', scope: 'all' }])
    const { body } = await agent.call('GET', `/api/contacts/${contactId}`)
    assert.doesNotMatch(JSON.stringify(body), /小满姐|13600136000|again@example/)
  })

  test('the same word again is no statement', async () => {
    const inbox = await world().inbox('mock')
    const from = { externalId: 'e', name: '陈静', attributes: { avatar: 'a.png', tags: ['vip', 'old'] } }
    await say(inbox, from, 0)
    const before = (await identityOf(inbox, 'e')).profile
    await say(inbox, { ...from, attributes: { ...from.attributes } }, 7)
    // Its time would have moved with a write.
    assert.deepEqual((await identityOf(inbox, 'e')).profile, before)
  })
})
