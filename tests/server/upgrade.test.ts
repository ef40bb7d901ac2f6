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
import { type Em, openOrm } from '../../core/src/db/orm.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, silent, startWorld } from '../support/world.ts'

/** Everything of that day has this one name, so that every row finds the ones it belongs to. */
const id = '01jd0000000000000000000001'
const at = new Date('2026-05-28T02:03:04.005Z')
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

interface Column {
  table: string
  name: string
  type: string
  length: number | null
}

async function columnsOf(em: Em, mysql: boolean): Promise<Column[]> {
  if (mysql)
    return readRaw<Column>(
      em,
      sql`select table_name as \`table\`, column_name as name, data_type as type, character_maximum_length as length
          from information_schema.columns where table_schema = database() and extra not like '%GENERATED%' order by table_name, ordinal_position`,
    )
  return readRaw<Column>(
    em,
    sql`select m.name as "table", c.name as name, lower(c.type) as type, null as length from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' order by m.name, c.cid`,
  )
}

function sampleOf({ table, name, type, length }: Column): unknown {
  const given = special[`${table}.${name}`]
  if (given !== undefined) return given
  if (name === 'id' || name.endsWith('_id')) return id
  if (type.startsWith('datetime')) return at
  if (type.includes('int') || type === 'real' || type === 'double') return 1
  if (['settings', 'data', 'attributes', 'content', 'event', 'value', 'meta'].includes(name)) return '{}'
  return `${table}.${name}`.slice(0, length ?? 8)
}

type Rows = Map<string, Record<string, unknown>>
async function rowsOf(em: Em, tables: readonly string[]): Promise<Rows> {
  const rows: Rows = new Map()
  for (const table of tables) {
    const [row] = await readRaw<Record<string, unknown>>(em, { text: `select * from \`${table}\``, params: [] })
    if (row) rows.set(table, row)
  }
  return rows
}

/** Changed or taken away on purpose, by the migration that says so. */
const meant = new Set(['role.grants', 'message.grant_name', 'contact.name_key', 'contact.phone_key', 'contact.email_key'])

for (const profile of await profiles())
  test(`a hub of the first day, upgraded [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const mysql = place.databaseUrl !== ''
    const dialect = mysql ? 'mysql' : 'sqlite'
    const orm = await openOrm(place)
    const first = coreHistory.migrations[0]
    assert.ok(first)
    let tables: string[]
    let before: Rows
    try {
      const em = orm.em.fork() as Em
      assert.deepEqual(await migrate(orm, dialect, [{ owner: 'core', migrations: [first] }], silent), ['core/0001-spine'])
      const columns = (await columnsOf(em, mysql)).filter(({ table }) => table !== 'hub_migration' && !table.startsWith('sqlite_'))
      tables = [...new Set(columns.map(({ table }) => table))]
      assert.equal(tables.length, 31)
      for (const table of tables) {
        const own = columns.filter((column) => column.table === table)
        await em.execute(
          `insert into \`${table}\` (${own.map(({ name }) => `\`${name}\``).join(', ')}) values (${own.map(() => '?').join(', ')})`,
          own.map(sampleOf),
        )
      }
      before = await rowsOf(em, tables)
      assert.equal(before.size, tables.length)

      const ran = await migrate(orm, dialect, [coreHistory], silent)
      assert.deepEqual(
        ran,
        coreHistory.migrations.slice(1).map(({ name }) => `core/${name}`),
      )
      assert.deepEqual(await schemaDrift(orm), [])
      const after = await rowsOf(em, tables)
      const lost = [...before].flatMap(([table, row]) =>
        Object.entries(row)
          .filter(([name, value]) => !meant.has(`${table}.${name}`) && String(after.get(table)?.[name]) !== String(value))
          .map(([name, value]) => `${table}.${name}: ${value} -> ${after.get(table)?.[name]}`),
      )
      assert.deepEqual(lost, [])
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
  })
