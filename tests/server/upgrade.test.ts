/**
 * A hub of the first day is upgraded to today: rows in every table of the first migration, all later ones over them, and
 * nothing that was there is gone. Then the hub is started on it, and the conversation of that day is read and goes on.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { fillTables, oldId as id, lostOf, type Rows, rowsOf } from '../support/old-rows.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, silent, startWorld } from '../support/world.ts'

/** Written by an agent on that day, and on its way when the hub was stopped. */
const text = '三月的茶还有两斤'

/** What a column of the first day cannot hold by its type alone. */
const special: Record<string, unknown> = {
  'role.builtin': 'owner',
  'role.grants': '[{"permission":"conversation.read","scope":"all","fields":["name","phone","email"]}]',
  'api_token.permissions': '["conversation.read"]',
  'api_token.expires_at': null,
  'agent.presence': 'away',
  'agent.locale': 'zh',
  'agent.active': 1,
  'agent.totp_secret': null,
  'conversation.channel': 'mock',
  'conversation.status': 'open',
  'conversation.last_seq': 1,
  'conversation.closed_at': null,
  'conversation.closed_by_id': null,
  'conversation.close_reason': null,
  'conversation.rating': null,
  'conversation.preview': text,
  'identity.external_id': 'somebody',
  'identity.blocked_at': null,
  'identity.blocked_by_id': null,
  'inbox.channel': 'mock',
  'inbox.enabled': 1,
  'contact.name': '林一',
  'contact.phone': '13800138000',
  'contact.email': 'lin.yi@shanye.cn',
  'message.seq': 1,
  'message.direction': 'out',
  'message.status': 'queued',
  'message.text': text,
  'message.parts': JSON.stringify([{ type: 'text', text }]),
  'message.reply_to_id': null,
  'message.recalled_at': null,
  'message.failure': null,
  'file.conversation_id': null,
  'outbound.state': 'queued',
  'outbound.attempts': 0,
  'inbound_event.due_at': null,
  'event_delivery.due_at': null,
  'job.due_at': null,
  'plugin_state.enabled': 1,
  'department.parent_id': null,
  'visit.pages': '[]',
}

/** Changed or taken away on purpose, by the migration that says so; reports are counted anew from the conversations. */
const meant = new Set([
  'report_fact',
  'report_mark',
  'report_slot',
  'role.grants',
  'message.grant_name',
  'contact.name_key',
  'contact.phone_key',
  'contact.email_key',
])

for (const profile of await profiles())
  test(`a hub of the first day, upgraded [${profile}]`, async (t) => {
    const place = await makePlace(profile, { empty: true })
    t.after(() => place.remove())
    const mysql = place.databaseUrl !== ''
    const dialect = mysql ? 'mysql' : 'sqlite'
    const orm = await openOrm(place)
    const first = coreHistory.migrations[0]
    assert.ok(first)
    try {
      const em = orm.em.fork() as Em
      assert.deepEqual(await migrate(orm, dialect, [{ owner: 'core', migrations: [first] }], silent), ['core/0001-spine'])
      const before = await fillTables(em, mysql, special)
      assert.equal(before.size, 31)
      assert.deepEqual(
        await migrate(orm, dialect, [coreHistory], silent),
        coreHistory.migrations.slice(1).map(({ name }) => `core/${name}`),
      )
      assert.deepEqual(await schemaDrift(orm), [])
      assert.deepEqual(lostOf(before, await rowsOf(em, mysql), meant), [])
    } finally {
      await orm.close()
    }

    const { manifest, platform } = mockChannel()
    const world = await startWorld(place, [found(manifest)])
    t.after(() => world.running.stop())
    const agent = await world.signIn(await world.hub.em().findOneOrFail(Agent, { id }))
    const { items } = (await agent.call('GET', `/api/conversations/${id}/messages`)).body
    assert.deepEqual(items[0].parts, [{ type: 'text', text }])
    const { body: contact } = await agent.call('GET', `/api/contacts/${id}`)
    assert.deepEqual([contact.name, contact.phone, contact.email], ['林一', '13800138000', 'lin.yi@shanye.cn'])
    assert.equal((await world.reply(agent, id, '有的，明前龙井')).status, 201)
    await eventually(() => platform.sent.length === 2, 'the message of that day, and the answer')
    assert.deepEqual(
      platform.sent.map(({ parts }) => parts),
      [[{ type: 'text', text }], [{ type: 'text', text: '有的，明前龙井' }]],
    )
    // The customer is known by the name the channel knew them by, and their open conversation is the same.
    const [inbox] = (await agent.call('GET', '/api/inboxes')).body.items
    const [accepted] = await world.say(inbox, 'somebody', '两斤')
    assert.equal(accepted?.conversationId, id)
    assert.equal((await agent.call('GET', `/api/conversations/${id}/messages`)).body.items.length, 3)
    assert.equal((await agent.call('GET', `/api/records/${id}`)).body.messages, 3)
  })

for (const profile of await profiles())
  test(`every step from the first day to today leaves every row of every table [${profile}]`, async (t) => {
    const place = await makePlace(profile, { empty: true })
    t.after(() => place.remove())
    const mysql = place.databaseUrl !== ''
    const orm = await openOrm(place)
    t.after(() => orm.close())
    const em = orm.em.fork() as Em
    let before: Rows = new Map()
    for (const [i, { name }] of coreHistory.migrations.entries()) {
      await migrate(orm, mysql ? 'mysql' : 'sqlite', [{ owner: 'core', migrations: coreHistory.migrations.slice(0, i + 1) }], silent)
      assert.deepEqual(lostOf(before, await rowsOf(em, mysql), meant), [], name)
      before = await fillTables(em, mysql, special)
    }
    assert.ok(before.size > 40)
  })
