/** `personalIds`: what the channel calls a person is nowhere in the clear, and is found, answered, blocked and shown as any other. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { LetterMeta } from '../../core/sdk/channel.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { execute, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { sendTest } from '../../core/src/domain/inbox/probe-inbox.ts'
import { ParkedEvent } from '../../core/src/domain/message/message.entity.ts'
import { beginSealing, sealSome } from '../../core/src/sealing/seal-rows.ts'
import { everyColumn, placesOf } from '../support/every-table.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld } from '../support/world.ts'

const personal = mockChannel('post')
const open = mockChannel('street')
const plugins = [found({ ...personal.manifest, personalIds: true }), found(open.manifest)]
const who = 'zhang.san@post.example'
const others = { to: 'shop@post.example', cc: 'li.si@post.example', reply: 'wang.wu@post.example' }
const meta: LetterMeta = { from: { address: who }, to: [{ address: others.to }], cc: [{ address: others.cc }], replyTo: [{ address: others.reply }] }
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`

for (const profile of await profiles())
  describe(`personal ids [${profile}]`, () => {
    test('sealed at rest, found by a hash, through a rotation of keys', async () => {
      const place = await makePlace(profile)
      const [first, second] = [key('first'), key('second')]
      let world = await startWorld(place, plugins, { HUB_DATA_KEY: first })
      try {
        const em = () => world.hub.em()
        const held = () => everyColumn(em(), profile === 'served')
        const hear = (inboxId: string, from: string, more: object = {}) =>
          world.hub.intake.accept(inboxId, [
            { kind: 'message', externalId: newId(), from: { externalId: from }, parts: [{ type: 'text', text: '在吗' }], ...more },
          ])
        const inbox = await world.inbox('post')
        const [said] = await hear(inbox.id, who, { meta })
        const [again] = await hear(inbox.id, who)
        assert.equal(again?.conversationId, said?.conversationId)
        assert.deepEqual(placesOf(await held(), [who, ...Object.values(others)]), [])
        // A channel that says nothing pays nothing: the name stands there as it is.
        const street = await world.inbox('street')
        await hear(street.id, 'plain-visitor')
        const stranger = await em().findOneOrFail(Identity, { inboxId: street.id })
        assert.equal(stranger.externalId, 'plain-visitor')

        // It is answered by its name, and its letter's head is read.
        const agent = await world.person('李', 'admin')
        await em().nativeUpdate(Conversation, { id: said?.conversationId as string }, { assigneeId: agent.id, status: 'open' })
        await world.reply(agent, said?.conversationId as string, '您好')
        await eventually(() => personal.platform.sent.some(({ to }) => to === who), 'the answer')
        const [shown] = (await agent.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body.items
        assert.deepEqual([shown.meta.from.address, shown.meta.cc[0].address], [who, others.cc])
        const { contactId, id: identityId } = await world.identity(inbox.id, who)
        const nameFor = async () => (await agent.call('GET', `/api/contacts/${contactId}`)).body.identities[0].externalId
        assert.equal(await nameFor(), who)
        // Of the one a reader is shown the name, the other's is nothing to read.
        const legible = async (id: string) => (await agent.call('GET', `/api/contacts/${id}`)).body.identities[0].legible
        assert.deepEqual([await legible(contactId), await legible(stranger.contactId)], [true, false])
        await world.grant(agent, [{ permission: 'conversation.read', scope: 'all' }])
        assert.equal(await nameFor(), 'z********@post.example')

        // Who is blocked is refused at every door.
        await em().nativeUpdate(Identity, { id: identityId }, { blockedAt: new Date() })
        await assert.rejects(hear(inbox.id, who), /HUB_IDENTITY_BLOCKED|blocked/)
        assert.ok(await world.hub.kernel.get('post')?.ctx.desk.refused(inbox.id, who, '10.0.0.1'))
        await em().nativeUpdate(Identity, { id: identityId }, { blockedAt: null })
        assert.ok((await sendTest(world.hub, inbox.id, who, '试发')).ok)
        assert.deepEqual([personal.platform.sent.at(-1)?.to, personal.platform.sent.at(-1)?.identityId], [who, identityId])

        // What an older hub wrote: found in the clear, and sealed with its waiting events.
        const old = { id: newId(), name: 'zhao.liu@post.example' }
        const { address: _address, ...row } = await em().findOneOrFail(Identity, { id: identityId }, { disableIdentityMap: true })
        await em().insert(Identity, { ...row, id: old.id, externalId: old.name, sealedId: '' })
        const parked = { externalId: newId(), parts: [], from: { externalId: old.name }, kind: 'message' as const }
        const waits = { id: newId(), inboxId: inbox.id, externalId: newId(), senderId: old.name, event: parked, error: '', attempts: 1, createdAt: new Date() }
        await em().insert(ParkedEvent, { ...waits, dueAt: null })
        await execute(em(), sql`update message set meta = ${JSON.stringify(meta)} where id = ${said?.messageId as string}`)
        await beginSealing(em())
        assert.equal((await world.identity(inbox.id, old.name)).id, old.id)
        while (!(await sealSome(em(), ['post'])));
        assert.equal((await world.identity(inbox.id, old.name)).id, old.id)
        assert.deepEqual(placesOf(await held(), [old.name, who, ...Object.values(others)]), [])
        const { senderId } = await em().findOneOrFail(ParkedEvent, { id: waits.id })
        assert.equal(senderId, (await em().findOneOrFail(Identity, { id: old.id }, { disableIdentityMap: true })).externalId)

        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: `${second},${first}` })
        await beginSealing(em())
        while (!(await sealSome(em(), ['post'])));
        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: second })
        const [last] = await hear(inbox.id, who)
        assert.equal(last?.conversationId, said?.conversationId)
        assert.equal((await world.identity(inbox.id, who)).id, identityId)
      } finally {
        await world.running.stop()
        await place.remove()
      }
    })
  })
