/** Lists taken out of the hub: contacts and the audit log, for whom, and what is left of a crash. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlobReader, TextWriter, ZipReader } from '@zip.js/zip.js'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import auditPlugin from '../../plugins/audit/plugin.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import type { Ctx } from '../../plugins/export/server/context.ts'
import { ExportFile, ExportPart } from '../../plugins/export/server/export.entity.ts'
import { putNoted, sweepBlobs } from '../../plugins/export/server/noted-blobs.ts'
import { ExportBlob } from '../../plugins/export/server/schedule.entity.ts'
import { writeExport } from '../../plugins/export/server/write-export.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const base = '/api/x/export'

async function talk(world: World, agent: Person, fields: Partial<Contact> = {}): Promise<{ id: string; contactId: string }> {
  const id = (await world.say(await world.inbox('mock'), newId(), '你好'))[0]?.conversationId ?? ''
  const em = world.hub.em()
  await em.nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
  await em.nativeUpdate(Contact, { id: contactId }, fields)
  return { id, contactId }
}
const contacts = (more: object = {}) => ({
  table: 'hub.contacts',
  filter: {},
  columns: ['number', 'nickname', 'name', 'phone', 'conversations', 'createdAt'],
  format: 'csv',
  personal: false,
  nameRule: '客户_{date}_{count}',
  tz: 'Asia/Shanghai',
  language: 'zh',
  ...more,
})
const log = (more: object = {}) => contacts({ table: 'audit.entries', columns: ['seq', 'at', 'who', 'event', 'details'], nameRule: '日志', ...more })

await onEveryProfile('exports of lists', [found(manifest), found(auditPlugin), found(exportPlugin)], (world) => {
  const ctx = () => {
    const plugin = world().hub.kernel.get('export')
    assert.ok(plugin)
    return plugin.ctx as unknown as Ctx
  }
  const ready = (person: Person, id: string, state = 'done') =>
    eventually(async () => {
      const { body } = await person.call('GET', `${base}/exports/${id}`)
      return body.state === state && body
    }, `the export ${state}`)
  const fetchFile = (person: Person, id: string) => fetch(new URL(`${base}/exports/${id}/file`, world().url), { headers: { cookie: person.cookie } })
  const place = async (person: Person, order: object) => (await person.call('POST', `${base}/table-exports`, order)).body
  const csvOf = async (person: Person, order: object) => {
    const { id } = await place(person, order)
    await ready(person, id)
    const text = await (await fetchFile(person, id)).text()
    return text
      .replace('\ufeff', '')
      .trim()
      .split('\r\n')
      .map((line) => line.split(','))
  }

  test('which lists there are depends on who asks, and on what runs', async () => {
    const [agent, admin] = [await world().person('甲'), await world().person('管理', 'admin')]
    const namesFor = async (person: Person) => (await person.call('GET', `${base}/tables`)).body.items.map((one: { name: string }) => one.name)
    assert.deepEqual(await namesFor(agent), ['hub.contacts'])
    assert.deepEqual(await namesFor(admin), ['hub.contacts', 'audit.entries'])
    await world().whileOff('audit', async () => {
      assert.deepEqual(await namesFor(admin), ['hub.contacts'])
      assert.equal((await admin.call('POST', `${base}/table-exports`, log())).status, 404)
    })
  })

  test('contacts: of one’s own records only, personal fields masked unless one may, in the columns and order chosen', async () => {
    const [mine, other, admin] = [await world().person('乙'), await world().person('丙'), await world().person('管理', 'admin')]
    const a = await talk(world(), mine, { name: '王小明', phone: '13812345678', nickname: '=1+1' })
    await talk(world(), other, { name: '李四', phone: '13900001111' })
    const rows = await csvOf(mine, contacts())
    assert.deepEqual(rows[0], ['客户号', '昵称', '姓名', '手机', '会话数', '首次联系'])
    assert.deepEqual(
      rows.slice(1).map((row) => row.slice(1, 5)),
      [["'=1+1", '王**', '138****5678', '1']],
    )
    assert.match(rows[1]?.[5] ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
    assert.deepEqual(await csvOf(mine, contacts({ columns: ['phone', 'nickname'] })), [
      ['手机', '昵称'],
      ['138****5678', "'=1+1"],
    ])
    assert.equal((await mine.call('POST', `${base}/table-exports`, contacts({ personal: true }))).status, 403)
    const open = await csvOf(admin, contacts({ personal: true, filter: { recordIds: [a.id] } }))
    assert.deepEqual(open[1]?.slice(2, 4), ['王小明', '13812345678'])
    assert.deepEqual((await csvOf(admin, contacts({ filter: { records: { agentIds: [other.id] } } }))).length, 2)
    // Another's export is not there for them.
    const { id } = await place(mine, contacts())
    await ready(mine, id)
    assert.equal((await other.call('GET', `${base}/exports/${id}`)).status, 404)
    assert.equal((await fetchFile(other, id)).status, 404)
  })

  test('when somebody was last there is said right, wherever the hub itself stands', async () => {
    const admin = await world().person('管理', 'admin')
    const { id } = await talk(world(), admin, { nickname: '老钟' })
    await world()
      .hub.em()
      .nativeUpdate(Conversation, { id }, { lastMessageAt: new Date('2026-03-01T21:06:13Z') })
    const { TZ } = process.env
    process.env.TZ = 'Asia/Shanghai'
    try {
      const rows = await csvOf(admin, contacts({ columns: ['nickname', 'lastMessageAt'], tz: 'UTC', filter: { recordIds: [id] } }))
      assert.deepEqual(rows[1], ['老钟', '2026-03-01 21:06:13'])
    } finally {
      if (TZ === undefined) delete process.env.TZ
      else process.env.TZ = TZ
    }
  })

  test('Excel: real numbers and times, a sheet that is called like the list', async () => {
    const agent = await world().person('丁')
    await talk(world(), agent, { nickname: '老王' })
    const { id } = await place(agent, contacts({ format: 'xlsx' }))
    const info = await ready(agent, id)
    assert.equal(info.table, '客户')
    assert.match(info.name, /^客户_\d{8}_1\.xlsx$/)
    const zip = new ZipReader(new BlobReader(await (await fetchFile(agent, id)).blob()))
    const files = new Map<string, string>()
    for (const entry of await zip.getEntries()) if (!entry.directory) files.set(entry.filename, await entry.getData(new TextWriter()))
    const sheet = files.get('xl/worksheets/sheet1.xml') ?? ''
    assert.match(files.get('xl/workbook.xml') ?? '', /name="客户"/)
    assert.match(sheet, /<c r="A2"><v>\d+<\/v><\/c>/)
    assert.match(sheet, /<c r="F2" s="1"><v>4\d{4}\.\d+<\/v><\/c>/)
    assert.ok(sheet.includes('老王'))
  })

  test('the audit log: for who may read it, narrowed, and the taking is an entry itself', async () => {
    const [agent, admin] = [await world().person('戊'), await world().person('管理', 'admin')]
    assert.equal((await agent.call('POST', `${base}/table-exports`, log())).status, 404, 'it is not there for who may not read it')
    await admin.call('POST', '/api/tags', { name: newId().slice(0, 20) })
    const entries = async () => (await admin.call('GET', '/api/x/audit/entries?event=audit.exported')).body.items as { agentId: string; details: object }[]
    const before = (await entries()).length
    const { id } = await place(admin, log())
    await ready(admin, id)
    const rows = (await (await fetchFile(admin, id)).text()).trim().split('\r\n')
    assert.match(rows[0] ?? '', /序号,时间,谁,操作,细节/)
    assert.ok(rows.length > 1)
    const taken = await eventually(async () => (await entries()).length > before && (await entries()), 'the entry')
    assert.equal(taken[0]?.agentId, admin.id)
    await eventually(async () => (await admin.call('GET', '/api/x/audit/entries?event=export.downloaded')).body.items.length > 0, 'the download’s entry')
    const none = await csvOf(admin, log({ filter: { from: '2020-01-01T00:00:00.000Z', to: '2020-01-02T00:00:00.000Z' } }))
    assert.equal(none.length, 1)
    // Shared with who may export but may not read the log: it is not theirs to open.
    await admin.call('PUT', `${base}/exports/${id}/share`, { agentIds: [agent.id] })
    assert.equal((await fetchFile(agent, id)).status, 404)
  })

  test('bad orders are refused with a code; a token orders nothing', async () => {
    const [admin, owner] = [await world().person('管理', 'admin'), await world().person('主', 'owner')]
    const wrong: [object, number][] = [
      [contacts({ table: 'hub.secrets' }), 404],
      [contacts({ table: '../x' }), 400],
      [contacts({ columns: [] }), 400],
      [contacts({ columns: ['password'] }), 400],
      [contacts({ columns: ['name', 'name'] }), 400],
      [contacts({ filter: { records: { surprise: 1 } } }), 400],
      [contacts({ filter: { recordIds: ['x'] } }), 400],
      [log({ filter: { from: 'yesterday' } }), 400],
      [contacts({ format: 'json' }), 400],
      [contacts({ tz: 'Nowhere/None' }), 400],
      [contacts({ destinationId: newId() }), 404],
    ]
    for (const [order, status] of wrong) {
      const answer = await admin.call('POST', `${base}/table-exports`, order)
      assert.equal(answer.status, status, JSON.stringify(order))
      assert.match(answer.body.code, /^(HUB|EXPORT)_/)
    }
    const token = (await owner.call('POST', '/api/tokens', { name: '脚本', permissions: ['export.record'] })).body
    for (const path of ['/tables', '/schedules', '/destinations']) {
      const response = await fetch(new URL(base + path, world().url), { headers: { authorization: `Bearer ${token.token}` } })
      assert.equal(response.status, 403, path)
    }
  })

  test('a right that is gone ends the writing and the download', async () => {
    const [person, owner] = [await world().person('己', 'admin'), await world().person('主', 'owner')]
    const { id } = await place(person, log())
    await ready(person, id)
    const { body: role } = await owner.call('POST', '/api/roles', {
      name: newId(),
      grants: [
        { permission: 'conversation.read', scope: 'own' },
        { permission: 'export.record', scope: 'own' },
      ],
    })
    await owner.call('PATCH', `/api/agents/${person.id}`, { roleIds: [role.id] })
    assert.equal((await fetchFile(person, id)).status, 404)
    await world().hub.em().nativeUpdate(ExportFile, { id }, { state: 'running', leaseUntil: new Date(), idsBlob: '' })
    await writeExport(ctx(), id)
    assert.equal((await world().hub.em().findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })).fault, 'HUB_FORBIDDEN')
  })

  test('templates keep the columns of a list, too', async () => {
    const agent = await world().person('庚')
    const { filter: _f, tz: _t, language: _l, ...choices } = contacts({ columns: ['phone', 'name'] }) as Record<string, unknown>
    assert.equal((await agent.call('PUT', `${base}/templates`, { name: '客户清单', choices })).status, 200)
    assert.deepEqual((await agent.call('GET', `${base}/templates`)).body.items[0].choices, choices)
  })

  test('bytes that a crash left between blob and row go with the sweep; what a row speaks of, and what is being written, stays', async () => {
    const agent = await world().person('辛')
    await talk(world(), agent)
    const { id } = await place(agent, contacts())
    await ready(agent, id)
    const em = world().hub.em()
    assert.equal(await em.count(ExportBlob, { exportId: id }), 0, 'a finished export leaves no note')
    const file = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
    async function* word() {
      yield Buffer.from('x')
    }
    const [holder, gone] = [newId(), newId()]
    const running = { ...file, id: newId(), state: 'running' as const, holder, leaseUntil: new Date(Date.now() + 3 * 3_600_000), blob: '', expiresAt: null }
    await em.insert(ExportFile, running)
    const orphan = await putNoted(ctx(), id, gone, word())
    const stranger = await putNoted(ctx(), newId(), gone, word())
    const writing = await putNoted(ctx(), running.id, holder, word())
    const formerTurn = await putNoted(ctx(), running.id, gone, word())
    const part = await putNoted(ctx(), running.id, gone, word())
    await em.insert(ExportPart, { exportId: running.id, n: 0, blob: part.name, records: 1, rows: 1 })
    await em.insert(ExportBlob, { name: file.blob, exportId: id, holder: gone, createdAt: new Date() })
    await em.insert(ExportBlob, { name: 'f'.repeat(32), exportId: id, holder: gone, createdAt: new Date() })
    // Read to the end: what is opened only is opened later, when it may be gone.
    const isThere = async (name: string) => (await (await ctx().blobs.read(name))?.toArray()) !== undefined
    const there = async () => Promise.all([orphan, stranger, writing, formerTurn, part].map(({ name }) => isThere(name)))
    await sweepBlobs(ctx())
    assert.deepEqual(await there(), [true, true, true, true, true], 'what is young may be spoken of yet')
    await sweepBlobs(ctx(), new Date(Date.now() + 2 * 3_600_000))
    assert.deepEqual(await there(), [false, false, true, false, true])
    assert.equal((await fetchFile(agent, id)).status, 200, 'the finished file is there')
    assert.deepEqual(
      (await em.find(ExportBlob, { exportId: { $in: [id, running.id] } }, { disableIdentityMap: true })).map(({ name }) => name),
      [writing.name],
    )
    await em.nativeDelete(ExportFile, { id: running.id })
  })

  test('a crash between blob and row while an export is written is such a case', async () => {
    const agent = await world().person('壬')
    await talk(world(), agent)
    const { id } = await place(agent, contacts())
    await ready(agent, id)
    const em = world().hub.em()
    const first = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
    const second = newId()
    const fresh = { state: 'running' as const, done: 0, rows: 0, total: 0, bytes: 0, blob: '', idsBlob: '', name: '', finishedAt: null, expiresAt: null }
    await em.insert(ExportFile, { ...first, ...fresh, id: second, leaseUntil: new Date(0) })
    const left: string[] = []
    const dying = Object.create(ctx(), {
      blobs: {
        value: {
          ...ctx().blobs,
          // The bytes are there, and the process is gone before it can say so.
          put: async (chunks: AsyncIterable<Uint8Array>, name?: string) => {
            left.push((await ctx().blobs.put(chunks, name)).name)
            throw new Error('killed')
          },
        },
      },
    }) as Ctx
    await writeExport(dying, second)
    await em.nativeUpdate(ExportFile, { id: second }, { leaseUntil: new Date(0) })
    await writeExport(ctx(), second)
    await ready(agent, second)
    assert.equal(left.length, 1)
    assert.ok(await (await ctx().blobs.read(left[0] ?? ''))?.toArray())
    await sweepBlobs(ctx(), new Date(Date.now() + 2 * 3_600_000))
    assert.equal(await ctx().blobs.read(left[0] ?? ''), undefined)
    assert.equal((await fetchFile(agent, second)).status, 200)
  })
})
