/** With all bundled plugins: what the database keeps of a person in the clear, and what is left of a conversation that was purged. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { execute, sql } from '../../core/src/db/statements.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { purgeDue } from '../../core/src/domain/record/purge.ts'
import { beginSealing, sealSome } from '../../core/src/sealing/seal-rows.ts'
import { Fact, Mark } from '../../plugins/extraction/server/fact.entity.ts'
import { keyFacts } from '../../plugins/extraction/server/key-facts.ts'
import type { Ctx } from '../../plugins/extraction/server/settings.ts'
import { bundled } from '../support/bundled.ts'
import { everyColumn, placesOf } from '../support/every-table.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld } from '../support/world.ts'

const secrets = { phone: '13987650123', wechat: 'stillwater_77', email: 'at.rest@example.com', qq: '987123456' }
/** Where words stand that were said: the search reads them, so they are not sealed. Events carry them until every listener has heard. */
const said = ['conversation.preview', 'message.parts', 'message.text', 'event_delivery.data']
/** What tells that there was such a conversation, and that it is gone: ids, no word. */
const trail = ['audit_entry.subject_id', 'audit_record_link.conversation_id', 'event_delivery.data']
const unkeyed = (identityId: string, kind: string, normal: string) =>
  createHash('sha256').update(`${identityId}\n${kind}\n${normal}`).digest('hex').slice(0, 32)

for (const profile of await profiles())
  describe(`at rest [${profile}]`, () => {
    test('nothing that was found stands in the clear; of a purged conversation nothing is left', async () => {
      const place = await makePlace(profile)
      const world = await startWorld(place, [found(mockChannel('resting').manifest), ...bundled])
      try {
        const admin = await world.person('李', 'admin')
        const inbox = await world.inbox('resting')
        const em = world.hub.em()
        const close = async (id: string) => {
          await em.nativeUpdate(Conversation, { id }, { assigneeId: admin.id, status: 'open' })
          assert.equal((await admin.call('POST', `/api/conversations/${id}/close`)).status, 200)
        }
        const columns = () => everyColumn(em, profile === 'served')
        const text = `电话${secrets.phone}，微信${secrets.wechat}，邮箱${secrets.email}，QQ ${secrets.qq}`
        const [one] = await world.say(inbox, 'rest-1', text)
        const { messageId, conversationId } = one as { messageId: string; conversationId: string }
        const { contactId } = await em.findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
        await eventually(async () => (await em.count(Fact, { contactId, settled: true })) === 4, 'the facts')
        const held = await columns()
        assert.deepEqual(
          placesOf(held, Object.values(secrets)).filter((place) => !said.includes(place)),
          [],
        )
        const [phone] = await em.find(Fact, { contactId, kind: 'phone' }, { disableIdentityMap: true })
        assert.ok(phone)
        assert.deepEqual([phone.normal, phone.value], [`+86${secrets.phone}`, secrets.phone])
        // Nor can its id be made by trying all numbers.
        assert.ok(!held.get('extraction_fact.id')?.includes(unkeyed(phone.identityId, 'phone', phone.normal)))

        // Nor, once it has ended, whom an export was narrowed to, be there nobody.
        const look = { tz: 'UTC', language: 'zh', personal: false, nameRule: '导出', format: 'csv' }
        const filter = { status: ['archived'], contact: secrets.phone, keyword: secrets.wechat, fields: [{ name: 'phone', value: secrets.phone }] }
        const orders = {
          exports: { ...look, rows: 'record', fields: ['id'], attachments: false, filter },
          'table-exports': { ...look, table: 'hub.contacts', columns: ['number'], filter: { records: filter } },
        }
        for (const [path, order] of Object.entries(orders)) {
          const { status, body } = await admin.call('POST', `/api/x/export/${path}`, order)
          assert.equal(status, 201, JSON.stringify(body))
          await eventually(async () => (await admin.call('GET', `/api/x/export/exports/${body.id}`)).body.state === 'done', 'the export')
        }
        assert.deepEqual(
          placesOf(await columns(), Object.values(secrets)).filter((place) => !said.includes(place)),
          [],
        )

        // Nor whom somebody looks for again and again, by a view or by a schedule.
        const view = { name: '常看', filter: { contact: secrets.phone, keyword: secrets.email, fields: [{ name: 'wechat', value: secrets.wechat }] } }
        const empty = await admin.call('POST', '/api/record-views', { ...view, filter: {} })
        assert.equal((await admin.call('PATCH', `/api/record-views/${empty.body.id}`, { filter: view.filter })).status, 200)
        const { tz, language, ...choices } = look
        const every = {
          name: '每天',
          rule: { every: 'day', time: '03:00', tz, weekday: 1, monthDay: 1 },
          span: 'filter',
          language,
          records: { ...choices, rows: 'record', fields: ['id'], attachments: false, filter: view.filter },
          shareWith: [],
          destinationId: '',
        }
        const schedule = await admin.call('POST', '/api/x/export/schedules', every)
        assert.equal(schedule.status, 201, JSON.stringify(schedule.body))
        const asKept = async () => {
          assert.deepEqual((await admin.call('GET', '/api/record-views')).body.items[0].filter, view.filter)
          assert.deepEqual((await admin.call('GET', '/api/x/export/schedules')).body.items[0].input.records.filter, view.filter)
        }
        const inTheClear = async () => placesOf(await columns(), Object.values(secrets)).filter((place) => !said.includes(place))
        await asKept()
        assert.deepEqual(await inTheClear(), [])
        // Written by a hub of before.
        await execute(em, sql`update record_view set filter = ${JSON.stringify(view.filter)}`)
        await execute(
          em,
          sql`update export_schedule set ${{ text: '`order`', params: [] }} = ${JSON.stringify({ ...choices, tz, language, rows: 'record', fields: ['id'], attachments: false, filter: view.filter })}`,
        )
        await asKept()
        await beginSealing(em)
        while (!(await sealSome(em)));
        assert.deepEqual(await inTheClear(), [])
        await asKept()

        // A row of before: in the clear, its id without a key; a person has refused it.
        const old = unkeyed(phone.identityId, 'qq', '555666777')
        await em.insert(Fact, { ...phone, id: old, keyed: false, kind: 'qq', state: 'refused', decidedById: admin.id, decidedAt: new Date() })
        await em.insert(Mark, { messageId, factId: old, part: 0, startAt: 0, endAt: 2, conversationId, seq: 1 })
        await execute(em, sql`update extraction_fact set normal = '555666777', value = '555666777' where id = ${old}`)
        const ctx = world.hub.kernel.get('extraction')?.ctx as unknown as Ctx
        assert.equal(await keyFacts(ctx), 1)
        assert.equal(await keyFacts(ctx), 0)
        assert.equal(await em.count(Fact, { id: old }), 0)
        const kept = await em.findOneOrFail(Fact, { contactId, state: 'refused' }, { disableIdentityMap: true })
        assert.deepEqual([kept.normal, kept.keyed, await em.count(Mark, { factId: kept.id })], ['555666777', true, 1])
        await beginSealing(em)
        while (!(await sealSome(em)));
        assert.deepEqual(placesOf(await columns(), ['555666777']), [])
        // Said again, it is the same fact, and refused.
        const [again] = await world.say(inbox, 'rest-1', 'QQ 555666777')
        await eventually(async () => (await em.count(Mark, { messageId: again?.messageId as string })) === 1, 'its mark')
        assert.equal(await em.count(Fact, { contactId, kind: 'qq' }), 2)

        // The number is said in a second conversation too; the first is deleted for good.
        const end = async (id: string) => {
          assert.equal((await admin.call('POST', `/api/records/${id}/delete`)).status, 200)
          while ((await purgeDue(world.hub)) > 0);
          await eventually(async () => (await em.count(Mark, { conversationId: id })) === 0, 'the marks are gone')
        }
        await close(conversationId)
        const [second] = await world.say(inbox, 'rest-1', `还是${secrets.phone}`)
        assert.notEqual(second?.conversationId, conversationId)
        await eventually(async () => (await em.count(Mark, { messageId: second?.messageId as string })) === 1, 'the second mark')
        await end(conversationId)
        const left = await em.find(Fact, { contactId }, { disableIdentityMap: true })
        assert.deepEqual(
          left.map(({ normal }) => normal),
          [`+86${secrets.phone}`],
        )
        await close(second?.conversationId as string)
        await end(second?.conversationId as string)
        assert.equal(await em.count(Fact, { contactId }), 0)
        const after = await columns()
        await eventually(async () => placesOf(await columns(), [...Object.values(secrets), '555666777']).length === 0, 'no word is left')
        assert.deepEqual(
          placesOf(after, [messageId, conversationId]).filter((place) => !trail.includes(place)),
          [],
        )
      } finally {
        await world.running.stop()
        await place.remove()
      }
    })
  })
