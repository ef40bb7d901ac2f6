/** Scheduled exports and where files go: once each time, for whom, with whose rights, and what a destination that is away does to it. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BlobReader, TextWriter, ZipReader } from '@zip.js/zip.js'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import type { Ctx } from '../../plugins/export/server/context.ts'
import { deliver, nameThere, sweepDeliveries } from '../../plugins/export/server/deliver.ts'
import { ExportFile } from '../../plugins/export/server/export.entity.ts'
import { runSchedules } from '../../plugins/export/server/run-schedules.ts'
import { ExportDelivery, ExportDestination, ExportRun, ExportSchedule } from '../../plugins/export/server/schedule.entity.ts'
import { writeExport } from '../../plugins/export/server/write-export.ts'
import { everyColumn, placesOf } from '../support/every-table.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { bucket, refuse, startStorage, type TestStorage } from '../support/s3.ts'
import { eventually, found, type Person, startWorld, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const plugins = [found(manifest), found(exportPlugin)]
const base = '/api/x/export'
const quiet = { disableIdentityMap: true }

const records = (more: object = {}) => ({
  format: 'csv',
  rows: 'message',
  fields: ['id', 'text'],
  attachments: false,
  personal: false,
  nameRule: '日报_{date}',
  filter: {},
  ...more,
})
/** Half a day from now, whenever this runs: no turn of their own comes between those that the tests make due. */
const time = new Date(Date.now() + 12 * 3_600_000).toLocaleTimeString('en-GB', { timeZone: 'Asia/Shanghai', hour: '2-digit', minute: '2-digit' })
const schedule = (more: object = {}) => ({
  name: '每日记录',
  rule: { every: 'day', time, tz: 'Asia/Shanghai', weekday: 1, monthDay: 1 },
  span: 'filter',
  language: 'zh',
  records: records(),
  shareWith: [],
  destinationId: '',
  ...more,
})

for (const profile of await profiles())
  describe(`scheduled exports [${profile}]`, () => {
    let world: World
    let storage: TestStorage
    const out = mkdtempSync(join(tmpdir(), 'huike-export-'))
    before(async () => {
      storage = await startStorage()
      world = await startWorld(await makePlace(profile), plugins, { HUB_OUTPUT_DIR: out })
      const owner = await world.person('主', 'owner')
      assert.equal((await owner.call('PUT', '/api/plugins/export/settings', { cap: 20_000, keepDays: 7, allowPrivateAddresses: true })).status, 200)
    })
    after(async () => {
      await world.running.stop()
      await world.place.remove()
      await storage.stop()
      rmSync(out, { recursive: true, force: true })
    })
    const ctxOf = (one: World) => {
      const plugin = one.hub.kernel.get('export')
      assert.ok(plugin)
      return plugin.ctx as unknown as Ctx
    }
    const ctx = () => ctxOf(world)
    const em = () => world.hub.em()
    const talk = async (agent: Person, text = '你好') => {
      const id = (await world.say(await world.inbox('mock'), newId(), text))[0]?.conversationId ?? ''
      await em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
      return id
    }
    const make = async (person: Person, more: object = {}) => {
      const { status, body } = await person.call('POST', `${base}/schedules`, schedule(more))
      assert.equal(status, 201, JSON.stringify(body))
      return body as { id: string; nextAt: string }
    }
    const rowOf = (id: string) => em().findOneOrFail(ExportSchedule, { id }, quiet)
    const runsOf = (scheduleId: string) => em().find(ExportRun, { scheduleId }, { orderBy: { dueAt: 'asc' }, ...quiet })
    /** It was due so long ago. */
    const due = async (id: string, ago = 1_000) => {
      const at = new Date(Math.floor((Date.now() - ago) / 1_000) * 1_000)
      await em().nativeUpdate(ExportSchedule, { id }, { nextAt: at })
      return at
    }
    const done = (exportId: string, state = 'done') =>
      eventually(async () => {
        const row = await em().findOne(ExportFile, { id: exportId }, quiet)
        return row?.state === state && row
      }, `the export ${state}`)
    const fetchFile = (person: Person, id: string) => fetch(new URL(`${base}/exports/${id}/file`, world.url), { headers: { cookie: person.cookie } })
    const noticesOf = async (person: Person) =>
      (await person.call('GET', '/api/notices')).body.items as { kind: string; title: { zh: string }; body: { zh: string } }[]
    const deliveryOf = (exportId: string) => em().findOneOrFail(ExportDelivery, { exportId }, quiet)

    test('a schedule keeps its password sealed: every file is locked with it, nobody is shown it, and it can be changed and taken off', async () => {
      const agent = await world.person('锁')
      await talk(agent, '锁在里面的话')
      const [first, second] = ['定时导出的密码一二三四五', '换过的密码一二三四五六七']
      assert.equal((await agent.call('POST', `${base}/schedules`, schedule({ password: 'short' }))).body.code, 'HUB_REQUEST_INVALID')
      const { id } = await make(agent, { password: first })
      let minutes = 60
      const file = async () => {
        await due(id, minutes-- * 60_000)
        await runSchedules(ctx())
        const exportId = (await runsOf(id)).at(-1)?.exportId ?? ''
        const { name } = await done(exportId)
        return { name, bytes: await (await fetchFile(agent, exportId)).blob() }
      }
      const opened = async (password: string) => {
        const entries = await new ZipReader(new BlobReader((await file()).bytes)).getEntries()
        const [entry] = entries
        assert.ok(entry && !entry.directory && entry.encrypted)
        return entry.getData(new TextWriter(), { password })
      }
      const shown = async (person: Person, of = 'mine') => (await person.call('GET', `${base}/schedules?of=${of}`)).body
      assert.ok((await opened(first)).includes('锁在里面的话'))
      assert.equal((await shown(agent)).items[0].locked, true)

      // Sent again as it was shown, it keeps what it has.
      const { input } = (await shown(agent)).items[0]
      assert.equal((await agent.call('PUT', `${base}/schedules/${id}`, input)).status, 200)
      assert.ok((await opened(first)).includes('锁在里面的话'))
      assert.equal((await agent.call('PUT', `${base}/schedules/${id}`, { ...input, password: second })).status, 200)
      await assert.rejects(opened(first))
      assert.ok((await opened(second)).includes('锁在里面的话'))

      const admin = await world.person('管', 'admin')
      for (const said of [await shown(agent), await shown(admin, 'all')]) assert.ok(!JSON.stringify(said).includes(second), 'nobody is shown it')
      assert.equal((await admin.call('PUT', `${base}/schedules/${id}`, { ...input, password: '' })).status, 403)
      const held = await everyColumn(em(), profile === 'served')
      assert.deepEqual(placesOf(held, [first, second]), [])
      assert.equal((await agent.call('PUT', `${base}/schedules/${id}`, { ...input, password: '' })).status, 200)
      assert.equal((await shown(agent)).items[0].locked, false)
      assert.ok((await file()).name.endsWith('.csv'))
    })

    test('a schedule that follows a named filter finds what that says at its turn; deleted, it stops and says so', async () => {
      const [agent, other] = [await world.person('甲'), await world.person('乙')]
      const [tea, cup] = [await talk(agent, '茶叶'), await talk(agent, '茶杯')]
      const view = async (person: Person, filter: object) => (await person.call('POST', '/api/record-views', { name: newId(), filter })).body
      const mine = await view(agent, { keyword: '茶叶' })
      const theirs = await view(other, {})
      // Nobody follows a filter of somebody else's.
      for (const viewId of [theirs.id, newId()])
        assert.equal((await agent.call('POST', `${base}/schedules`, schedule({ viewId }))).body.code, 'HUB_REQUEST_INVALID')
      const made = await make(agent, { viewId: mine.id, records: records({ filter: { keyword: '茶叶' } }) })
      const copy = await make(agent, { records: records({ filter: { keyword: '茶叶' } }) })
      const list = await make(agent, {
        viewId: mine.id,
        records: undefined,
        table: { table: 'hub.contacts', columns: ['number'], format: 'csv', personal: false, nameRule: '客户', filter: { records: {} } },
      })
      // Two turns of one schedule are of two times.
      let minutes = 60
      const latest = async (id: string) => {
        await due(id, minutes-- * 60_000)
        await runSchedules(ctx())
        const run = (await runsOf(id)).at(-1)
        assert.ok(run)
        await done(run.exportId)
        return (await fetchFile(agent, run.exportId)).text()
      }
      const first = await latest(made.id)
      assert.ok(first.includes(tea) && !first.includes(cup))
      const shown = async () => (await agent.call('GET', `${base}/schedules`)).body.items.find(({ id }: { id: string }) => id === made.id)
      assert.equal((await shown()).view, mine.name)
      assert.equal((await shown()).input.viewId, mine.id)

      assert.equal((await agent.call('PATCH', `/api/record-views/${mine.id}`, { filter: { keyword: '茶杯' } })).status, 200)
      const second = await latest(made.id)
      assert.ok(second.includes(cup) && !second.includes(tea), 'it followed')
      const kept = await latest(copy.id)
      assert.ok(kept.includes(tea) && !kept.includes(cup), 'a copy stays what it was')
      assert.equal((await latest(list.id)).trim().split('\r\n').length, 2, 'one contact')
      // As it was sent, it can be sent again.
      assert.equal((await agent.call('PUT', `${base}/schedules/${made.id}`, (await shown()).input)).status, 200)

      await agent.call('DELETE', `/api/record-views/${mine.id}`)
      await due(made.id)
      await runSchedules(ctx())
      assert.deepEqual([(await rowOf(made.id)).state, (await rowOf(made.id)).fault], ['stopped', 'EXPORT_VIEW_GONE'])
      assert.equal((await shown()).view, '')
      assert.ok((await noticesOf(agent)).some(({ kind }) => kind === 'export.scheduleStopped'))
    })

    test('when it is due it becomes an export of the owner’s reach, shared with whom it names, and they are told', async () => {
      const [agent, colleague, other] = [await world.person('甲'), await world.person('乙'), await world.person('丙')]
      const [id, theirs] = [await talk(agent, '我的'), await talk(other, '别人的')]
      const made = await make(agent, { shareWith: [colleague.id] })
      assert.ok(Date.parse(made.nextAt) > Date.now())
      await runSchedules(ctx())
      assert.equal((await runsOf(made.id)).length, 0, 'it is not due yet')
      const at = await due(made.id)
      await runSchedules(ctx())
      const [run] = await runsOf(made.id)
      assert.ok(run)
      assert.equal(run.dueAt.getTime(), at.getTime())
      await done(run.exportId)
      const text = await (await fetchFile(agent, run.exportId)).text()
      assert.ok(text.includes(id) && !text.includes(theirs))
      assert.equal((await fetchFile(colleague, run.exportId)).status, 200)
      assert.equal((await fetchFile(other, run.exportId)).status, 404)
      await eventually(async () => (await noticesOf(colleague)).some(({ kind }) => kind === 'export.shared'), 'the notice')
      const shown = (await agent.call('GET', `${base}/schedules`)).body.items[0]
      assert.deepEqual([shown.id, shown.runs[0].exportId, shown.runs[0].state, shown.state], [made.id, run.exportId, 'done', 'active'])
      assert.ok(Date.parse(shown.nextAt) > Date.now())
    })

    test('two processes look at once: one export', async () => {
      const agent = await world.person('丁')
      const second = profile === 'served' ? await startWorld(world.place, plugins, { HUB_OUTPUT_DIR: out }) : undefined
      try {
        const made = await make(agent)
        await due(made.id)
        const contexts = [ctx(), second ? ctxOf(second) : ctx(), ctx(), second ? ctxOf(second) : ctx()]
        const now = new Date()
        await Promise.all(contexts.map((one) => runSchedules(one, now)))
        assert.equal((await runsOf(made.id)).length, 1)
        assert.equal(await em().count(ExportFile, { agentId: agent.id }), 1)
      } finally {
        await second?.running.stop()
      }
    })

    test('what was missed is made up once, as of the last time; then it goes on', async () => {
      const agent = await world.person('戊')
      const made = await make(agent)
      const at = await due(made.id, 10 * 86_400_000)
      await runSchedules(ctx())
      await runSchedules(ctx())
      const runs = await runsOf(made.id)
      assert.equal(runs.length, 1)
      const [run] = runs
      assert.ok(run && run.dueAt > at && Date.now() - run.dueAt.getTime() < 86_400_000)
      assert.ok(((await rowOf(made.id)).nextAt?.getTime() ?? 0) > Date.now())
    })

    test('of the days before, none that was missed is left out, and the owner is told', async () => {
      const agent = await world.person('缺')
      const days: string[] = []
      // Today's turn may be still to come, and then the day before is not over for it.
      for (const ago of [2, 4, 9, 12]) {
        days.push(await talk(agent, `第${ago}天前`))
        await em().nativeUpdate(Conversation, { id: days.at(-1) as string }, { lastMessageAt: new Date(Date.now() - ago * 86_400_000) })
      }
      const made = await make(agent, { span: 'previous' })
      const at = await due(made.id, 10 * 86_400_000)
      await Promise.all([runSchedules(ctx()), runSchedules(ctx())])
      const [run, ...more] = await runsOf(made.id)
      assert.equal(more.length, 0)
      const { order, total } = await done(run?.exportId ?? '')
      const { filter } = JSON.parse(order)
      assert.ok(Date.parse(filter.from) <= at.getTime() - 86_400_000 + 60_000 && Date.parse(filter.to) > Date.now() - 2 * 86_400_000)
      const text = await (await fetchFile(agent, run?.exportId ?? '')).text()
      assert.deepEqual([total, ...days.map((id) => text.includes(id))], [3, true, true, true, false])
      const missed = (await noticesOf(agent)).filter(({ kind }) => kind === 'export.scheduleMissed')
      assert.equal(missed.length, 1)
      assert.match(missed[0]?.body.zh ?? '', /合并为一个文件/)
      // In time there is nothing to say.
      await due(made.id)
      await runSchedules(ctx())
      assert.equal((await noticesOf(agent)).filter(({ kind }) => kind === 'export.scheduleMissed').length, 1)
    })

    test('who oversees exports hears of an owner who leaves, of what stops then, and may take it over', async () => {
      const [agent, admin] = [await world.person('走'), await world.person('留', 'admin')]
      const theirs = await talk(agent, '走的人的')
      const view = (await agent.call('POST', '/api/record-views', { name: newId(), filter: { status: ['open'] } })).body
      const made = await make(agent, { viewId: view.id, records: records({ filter: view.filter }) })
      const running = await due((await make(agent, { name: '失败的' })).id).then(() => admin)
      assert.equal((await running.call('PATCH', `/api/agents/${agent.id}`, { active: false })).status, 200)
      const told = async (kind: string) => (await noticesOf(admin)).filter((one) => one.kind === `export.${kind}`)
      await eventually(async () => (await told('ownerLeft')).some(({ body }) => body.zh.includes('失败的') && body.zh.includes('每日记录')), 'that they left')
      await due(made.id)
      await runSchedules(ctx())
      assert.equal((await rowOf(made.id)).state, 'stopped')
      assert.ok((await told('scheduleStopped')).some(({ title }) => title.zh.includes('每日记录')))
      // An export of theirs that fails now is no secret either.
      const exportId = newId()
      await em().insert(ExportFile, {
        id: exportId,
        agentId: agent.id,
        state: 'running',
        order: JSON.stringify({ ...records(), tz: 'UTC', language: 'zh' }),
        password: '',
        named: JSON.stringify({ channel: [], inbox: [], agent: [], category: [], fields: {} }),
        leaseUntil: new Date(0),
        createdAt: new Date(),
      } as unknown as ExportFile)
      await writeExport(ctx(), exportId)
      await done(exportId, 'failed')
      await eventually(async () => (await told('failed')).length === 1, 'the notice')

      const other = await world.person('旁')
      assert.equal((await other.call('POST', `${base}/schedules/${made.id}/take`)).status, 404)
      assert.equal((await admin.call('POST', `${base}/schedules/${made.id}/take`)).status, 200)
      const row = await rowOf(made.id)
      const kept = JSON.parse(row.order)
      assert.deepEqual([row.agentId, row.state, row.fault, kept.viewId, kept.filter], [admin.id, 'active', '', undefined, { status: ['open'] }])
      assert.ok((await admin.call('GET', `${base}/schedules`)).body.items.find((one: { id: string }) => one.id === made.id).input)
      await due(made.id)
      await runSchedules(ctx())
      const [run] = await runsOf(made.id)
      await done(run?.exportId ?? '')
      assert.ok((await (await fetchFile(admin, run?.exportId ?? '')).text()).includes(theirs))
    })

    test('a colleague who could not open it is refused when it is shared, not told of it and turned away', async () => {
      const [admin, supervisor] = [await world.person('总', 'admin'), await world.person('组', 'supervisor')]
      const refused = async (more: object) => {
        const { status, body } = await admin.call('POST', `${base}/schedules`, schedule({ shareWith: [supervisor.id], ...more }))
        return [status, body.details?.path]
      }
      assert.deepEqual(await refused({ records: records({ personal: true }) }), [400, '/shareWith'])
      assert.deepEqual(await refused({ records: records({ filter: { status: ['deleted'] } }) }), [400, '/records/filter/status'])
      await make(admin, { shareWith: [supervisor.id] })
    })

    test('paused it rests, and what it rested over is not made up; resumed it has a next time', async () => {
      const agent = await world.person('己')
      const made = await make(agent)
      assert.equal((await agent.call('POST', `${base}/schedules/${made.id}/state`, { paused: true })).status, 200)
      await runSchedules(ctx(), new Date(Date.now() + 40 * 86_400_000))
      assert.equal((await runsOf(made.id)).length, 0)
      // Changed while it rests, it rests.
      assert.equal((await agent.call('PUT', `${base}/schedules/${made.id}`, schedule({ name: '改名' }))).status, 200)
      assert.deepEqual([(await rowOf(made.id)).state, (await rowOf(made.id)).nextAt], ['paused', null])
      assert.equal((await agent.call('POST', `${base}/schedules/${made.id}/state`, { paused: false })).status, 200)
      assert.ok(((await rowOf(made.id)).nextAt?.getTime() ?? 0) > Date.now())
      assert.equal((await agent.call('DELETE', `${base}/schedules/${made.id}`)).status, 200)
      assert.equal((await agent.call('DELETE', `${base}/schedules/${made.id}`)).status, 404)
    })

    test('the whole day before: what was written today is not in it', async () => {
      const agent = await world.person('庚')
      await talk(agent, '今天的')
      const yesterday = await talk(agent, '昨天的')
      await em().nativeUpdate(Conversation, { id: yesterday }, { lastMessageAt: new Date(Date.now() - 86_400_000) })
      const made = await make(agent, { span: 'previous', records: records({ filter: { period: '7d' } }) })
      await due(made.id)
      await runSchedules(ctx())
      const [run] = await runsOf(made.id)
      const { order } = await done(run?.exportId ?? '')
      const { filter } = JSON.parse(order)
      assert.equal(Date.parse(filter.to) - Date.parse(filter.from), 86_400_000)
      assert.equal(filter.period, undefined)
      const text = await (await fetchFile(agent, run?.exportId ?? '')).text()
      assert.ok(text.includes(yesterday) && !text.includes('今天的'))
    })

    test('rights are asked at every turn: gone, it stops and says so; back, it is started again', async () => {
      const agent = await world.person('辛')
      const made = await make(agent)
      await world.grant(agent, [{ permission: 'conversation.read', scope: 'own' }, { permission: 'export.schedule' }])
      // Due only now: the hub looks by itself, too.
      await due(made.id)
      await Promise.all([runSchedules(ctx()), runSchedules(ctx())])
      const row = await rowOf(made.id)
      assert.deepEqual([row.state, row.fault, row.nextAt], ['stopped', 'export.record', null])
      assert.equal((await runsOf(made.id)).length, 0)
      await eventually(async () => (await noticesOf(agent)).filter(({ kind }) => kind === 'export.scheduleStopped').length === 1, 'the one notice')
      await world.grant(agent, [
        { permission: 'conversation.read', scope: 'own' },
        { permission: 'export.schedule' },
        { permission: 'export.record', scope: 'own' },
      ])
      await agent.call('POST', `${base}/schedules/${made.id}/state`, { paused: false })
      await due(made.id)
      await runSchedules(ctx())
      assert.equal((await runsOf(made.id)).length, 1)
      // A colleague who may no longer export is left out, without holding it up.
      const [owner, colleague] = [await world.person('壬'), await world.person('癸')]
      const shared = await make(owner, { shareWith: [colleague.id] })
      await world.grant(colleague, [{ permission: 'conversation.read', scope: 'own' }])
      await due(shared.id)
      await runSchedules(ctx())
      const [run] = await runsOf(shared.id)
      assert.deepEqual((await owner.call('GET', `${base}/exports/${run?.exportId}`)).body.sharedWith, [])
    })

    test('another’s schedule is not there; who oversees sees, pauses and deletes it, and changes nothing in it', async () => {
      const [agent, other, admin] = [await world.person('子'), await world.person('丑'), await world.person('管理', 'admin')]
      const { id } = await make(agent)
      for (const [method, path, body] of [
        ['PUT', '', schedule()],
        ['POST', '/state', { paused: true }],
        ['DELETE', '', undefined],
      ] as const)
        for (const target of [id, newId()]) assert.equal((await other.call(method, `${base}/schedules/${target}${path}`, body)).status, 404, method + path)
      assert.equal((await other.call('GET', `${base}/schedules?of=all`)).status, 403)
      const seen = (await admin.call('GET', `${base}/schedules?of=all`)).body.items.find((one: { id: string }) => one.id === id)
      assert.equal(seen.input, undefined)
      assert.equal((await admin.call('PUT', `${base}/schedules/${id}`, schedule())).status, 403)
      assert.equal((await admin.call('POST', `${base}/schedules/${id}/state`, { paused: true })).status, 200)
      assert.equal((await admin.call('DELETE', `${base}/schedules/${id}`)).status, 200)
      await world.grant(other, [
        { permission: 'conversation.read', scope: 'own' },
        { permission: 'export.record', scope: 'own' },
      ])
      assert.equal((await other.call('POST', `${base}/schedules`, schedule())).status, 403)
      assert.equal((await other.call('GET', `${base}/schedules`)).status, 403)
    })

    test('bad schedules are refused with a code', async () => {
      const [agent, admin] = [await world.person('寅'), await world.person('管理', 'admin')]
      const rule = schedule().rule
      const wrong: [object, number][] = [
        [{ rule: { ...rule, time: '24:00' } }, 400],
        [{ rule: { ...rule, tz: 'Nowhere/None' } }, 400],
        [{ rule: { ...rule, every: 'minute' } }, 400],
        [{ rule: { ...rule, weekday: 0 } }, 400],
        [{ rule: { ...rule, monthDay: 32 } }, 400],
        [{ name: ' ' }, 400],
        [{ records: undefined }, 400],
        [{ records: records({ filter: { surprise: 1 } }) }, 400],
        [{ records: records({ personal: true }) }, 403],
        [{ shareWith: [newId()] }, 400],
        [{ destinationId: newId() }, 403],
        [{ records: undefined, table: { table: 'audit.entries', filter: {}, columns: ['seq'], format: 'csv', personal: false, nameRule: 'x' } }, 404],
      ]
      for (const [more, status] of wrong) {
        const answer = await agent.call('POST', `${base}/schedules`, schedule(more))
        assert.equal(answer.status, status, JSON.stringify(more))
        assert.match(answer.body.code, /^(HUB|EXPORT)_/)
      }
      assert.equal((await admin.call('POST', `${base}/schedules`, schedule({ destinationId: newId() }))).status, 404)
      const list = { table: 'hub.contacts', filter: {}, columns: ['number'], format: 'csv', personal: false, nameRule: '客户' }
      const made = await make(agent, { records: undefined, table: list, span: 'previous' })
      await due(made.id)
      await runSchedules(ctx())
      const [run] = await runsOf(made.id)
      const { order } = await done(run?.exportId ?? '')
      assert.ok(JSON.parse(order).table.filter.records.from, 'a list of contacts is narrowed by its records')
      assert.deepEqual((await agent.call('GET', `${base}/schedules`)).body.items[0].input.table, list)
    })

    test('destinations: managed by who may, no key is read back, and a key stays with the address it was given for', async () => {
      const [agent, supervisor, admin] = [await world.person('卯'), await world.person('辰', 'supervisor'), await world.person('管理', 'admin')]
      const place = {
        kind: 'bucket',
        endpoint: storage.env.S3_ENDPOINT,
        region: 'us-east-1',
        bucket,
        accessKey: 'S3RVER',
        pathStyle: true,
        prefix: 'daily',
      }
      const input = { name: `归档 ${newId()}`, place, secretKey: 'S3RVER' }
      for (const person of [agent, supervisor]) {
        assert.equal((await person.call('GET', `${base}/destinations`)).status, 403)
        assert.equal((await person.call('POST', `${base}/destinations`, input)).status, 403)
      }
      const { body, status } = await admin.call('POST', `${base}/destinations`, input)
      assert.equal(status, 201)
      for (const [method, path] of [
        ['PUT', ''],
        ['DELETE', ''],
        ['POST', '/check'],
      ] as const)
        assert.equal((await agent.call(method, `${base}/destinations/${body.id}${path}`, method === 'PUT' ? input : undefined)).status, 403, method)
      assert.equal((await admin.call('POST', `${base}/destinations`, input)).status, 409, 'the name is taken')
      const text = JSON.stringify((await admin.call('GET', `${base}/destinations`)).body)
      assert.ok(!text.includes('secretKey'), text)
      assert.ok(!(await em().findOneOrFail(ExportDestination, { id: body.id }, quiet)).secretKey.includes('S3RVER'))
      assert.deepEqual((await admin.call('POST', `${base}/destinations/${body.id}/check`)).body, { fault: '' })
      const { secretKey: _secret, ...kept } = input
      assert.equal((await admin.call('PUT', `${base}/destinations/${body.id}`, { ...kept, place: { ...place, prefix: 'weekly' } })).status, 200)
      assert.deepEqual((await admin.call('POST', `${base}/destinations/${body.id}/check`)).body, { fault: '' })
      assert.equal(
        (await admin.call('PUT', `${base}/destinations/${body.id}`, { ...kept, place: { ...place, endpoint: 'https://evil.example.com' } })).status,
        400,
      )
      for (const wrong of [
        { kind: 'folder', path: '../x' },
        { kind: 'folder', path: '/etc' },
        { kind: 'folder', path: 'a/../b' },
        { kind: 'folder', path: 'a/.ssh' },
        { ...place, endpoint: 'ftp://x' },
        { ...place, endpoint: 'http://u:p@x' },
        { ...place, bucket: 'A' },
        { ...place, prefix: '../x' },
        { kind: 'pigeon' },
      ]) {
        const answer = await admin.call('POST', `${base}/destinations`, { name: newId(), place: wrong, secretKey: 'x' })
        assert.deepEqual([answer.status, answer.body.code], [400, 'HUB_REQUEST_INVALID'], JSON.stringify(wrong))
      }
      const made = await make(admin, { destinationId: body.id })
      assert.equal((await admin.call('DELETE', `${base}/destinations/${body.id}`)).status, 409)
      await admin.call('DELETE', `${base}/schedules/${made.id}`)
      assert.equal((await admin.call('DELETE', `${base}/destinations/${body.id}`)).status, 200)
      assert.equal((await admin.call('DELETE', `${base}/destinations/${body.id}`)).status, 404)
    })

    const folder = async (admin: Person, path = newId()) => {
      const { body } = await admin.call('POST', `${base}/destinations`, { name: `目录 ${path}`, place: { kind: 'folder', path } })
      return body as { id: string }
    }

    test('where it was brought is told, though it is sent elsewhere while it is on its way', async () => {
      const [admin, agent] = [await world.person('管理', 'admin'), await world.person('午')]
      await talk(agent, '送出去')
      const [first, second] = [await folder(admin, newId()), await folder(admin, newId())]
      const { body } = await admin.call('POST', `${base}/exports`, { ...records({ filter: { agentIds: [agent.id] } }), tz: 'UTC', language: 'zh' })
      await done(body.id)
      assert.equal((await admin.call('POST', `${base}/exports/${body.id}/deliver`, { destinationId: first.id })).status, 200)
      await eventually(async () => (await deliveryOf(body.id)).state === 'sent', 'the first delivery')
      const told: string[] = []
      const elsewhere = Object.create(ctx(), {
        blobs: {
          value: Object.assign(Object.create(ctx().blobs), {
            async read(name: string) {
              await em().nativeUpdate(ExportDelivery, { exportId: body.id }, { destinationId: second.id, holder: null, dueAt: new Date() })
              return ctx().blobs.read(name)
            },
          }),
        },
        tell: { value: async (name: string, data: { name: string }) => void told.push(`${name} ${data.name}`) },
      }) as Ctx
      await em().nativeUpdate(ExportDelivery, { exportId: body.id }, { state: 'due', dueAt: new Date(0) })
      await deliver(elsewhere, body.id)
      assert.equal(told.length, 1)
      assert.match(told[0] ?? '', /^delivered 目录/)
      assert.equal((await deliveryOf(body.id)).state, 'due')
      await eventually(async () => {
        await sweepDeliveries(ctx())
        return (await deliveryOf(body.id)).state === 'sent'
      }, 'the second place')
    })

    test('a folder gets the file under its name by the rule, opened; brought twice it is there once', async () => {
      const [admin, agent] = [await world.person('管理', 'admin'), await world.person('巳')]
      const id = await talk(agent, '送出去')
      const path = newId()
      const place = await folder(admin, path)
      const made = await make(admin, { destinationId: place.id, records: records({ filter: { agentIds: [agent.id] } }) })
      await due(made.id)
      await runSchedules(ctx())
      const [run] = await runsOf(made.id)
      const exportId = run?.exportId ?? ''
      const { name } = await done(exportId)
      await eventually(async () => {
        await sweepDeliveries(ctx())
        return (await deliveryOf(exportId)).state === 'sent'
      }, 'the delivery')
      assert.deepEqual(readdirSync(join(out, path)), [nameThere(name, exportId)])
      assert.ok(readFileSync(join(out, path, nameThere(name, exportId)), 'utf8').includes(id))
      const info = (await admin.call('GET', `${base}/exports/${exportId}`)).body
      assert.deepEqual([info.delivery.state, info.delivery.to], ['sent', `目录 ${path}`])
      await em().nativeUpdate(ExportDelivery, { exportId }, { state: 'due', dueAt: new Date(Date.now() - 1_000) })
      await Promise.all([deliver(ctx(), exportId), deliver(ctx(), exportId)])
      await eventually(async () => (await deliveryOf(exportId)).state === 'sent', 'the second delivery')
      assert.equal(readdirSync(join(out, path)).length, 1)
    })

    test('an export at hand is sent on by its owner, if they may', async () => {
      const [admin, agent] = [await world.person('管理', 'admin'), await world.person('午')]
      const place = await folder(admin)
      const { filter: _filter, ...choices } = records()
      const order = { ...choices, ids: [await talk(agent)], tz: 'Asia/Shanghai', language: 'zh' }
      assert.equal((await agent.call('POST', `${base}/exports`, { ...order, destinationId: place.id })).status, 403)
      const { id } = (await agent.call('POST', `${base}/exports`, order)).body
      assert.equal((await agent.call('POST', `${base}/exports/${id}/deliver`, { destinationId: place.id })).status, 403)
      assert.equal((await admin.call('POST', `${base}/exports/${id}/deliver`, { destinationId: place.id })).status, 404)
      const own = (await admin.call('POST', `${base}/exports`, { ...order, destinationId: place.id })).body
      await done(own.id)
      await eventually(async () => (await deliveryOf(own.id)).state === 'sent', 'the delivery')
      assert.equal((await admin.call('POST', `${base}/exports/${own.id}/deliver`, { destinationId: newId() })).status, 404)
      // What one may no longer download is not sent anywhere either, be it asked for now or under way.
      const { id: secret } = (await admin.call('POST', `${base}/exports`, { ...order, personal: true })).body
      await done(secret)
      const grants = ['export.record', 'export.deliver', 'conversation.read'].map((permission) => ({ permission, scope: 'all' as const }))
      const role = { id: newId(), builtin: null, name: '不看号码', grants, createdAt: new Date() } as Role
      await em().insert(Role, role)
      await em().nativeUpdate(AgentRole, { agentId: admin.id }, { roleId: role.id })
      world.hub.access.clear()
      assert.equal((await admin.call('POST', `${base}/exports/${secret}/deliver`, { destinationId: place.id })).status, 403)
      await em().insert(ExportDelivery, { exportId: secret, destinationId: place.id, state: 'due', dueAt: new Date(0) } as ExportDelivery)
      await deliver(ctx(), secret)
      // The hub's own look at what is due may have been first.
      const { state, fault } = await eventually(async () => {
        const row = await deliveryOf(secret)
        return row.state !== 'due' && row
      }, 'the refusal')
      assert.deepEqual([state, fault], ['failed', 'HUB_FORBIDDEN'])
    })

    test('a bucket that is away is tried again, and taken when it is back; for ever away, it says why', async () => {
      const admin = await world.person('管理', 'admin')
      const place = { kind: 'bucket', endpoint: storage.env.S3_ENDPOINT, region: 'us-east-1', bucket, accessKey: 'S3RVER', pathStyle: true, prefix: '' }
      const make = async (secretKey: string) => (await admin.call('POST', `${base}/destinations`, { name: newId(), place, secretKey })).body as { id: string }
      const good = await make('S3RVER')
      const { filter: _filter, ...choices } = records()
      const order = { ...choices, filter: {}, tz: 'Asia/Shanghai', language: 'zh' }
      const send = async (destinationId: string) => {
        const { id } = (await admin.call('POST', `${base}/exports`, order)).body
        await done(id)
        await admin.call('POST', `${base}/exports/${id}/deliver`, { destinationId })
        return id as string
      }
      /** The next try, by whoever is first: this test or the hub's own look at what is due. */
      const again = async (id: string) => {
        const { attempts } = await deliveryOf(id)
        await em().nativeUpdate(ExportDelivery, { exportId: id, state: 'due' }, { dueAt: new Date(Date.now() - 1_000) })
        await deliver(ctx(), id)
        return eventually(async () => {
          const row = await deliveryOf(id)
          return (row.attempts > attempts || row.state !== 'due') && row
        }, 'the next try')
      }
      // A refusal that is not tried again within one turn.
      storage.next('PUT', refuse(400, 'Strange'))
      const id = await send(good.id)
      const waiting = await eventually(async () => {
        const row = await deliveryOf(id)
        return row.attempts === 1 && row
      }, 'the first try')
      assert.deepEqual([waiting.state, waiting.fault], ['due', 'other'])
      assert.ok((waiting.dueAt?.getTime() ?? 0) > Date.now() + 20_000, 'it waits before it tries again')
      assert.equal((await again(id)).state, 'sent')

      const bad = await make('wrong')
      const lost = await send(bad.id)
      await eventually(async () => (await deliveryOf(lost)).attempts === 1, 'the first try')
      for (let n = 2; n < 6; n++) assert.deepEqual([(await again(lost)).attempts], [n])
      const last = await again(lost)
      assert.deepEqual([last.state, last.fault, last.dueAt], ['failed', 'credentials', null])
      const notice = await eventually(async () => (await noticesOf(admin)).find(({ kind }) => kind === 'export.undelivered'), 'the notice')
      assert.match(notice.body.zh, /密钥不被接受/)
      assert.equal((await admin.call('GET', `${base}/exports/${lost}`)).body.delivery.fault, 'credentials')
      assert.equal((await fetchFile(admin, lost)).status, 200, 'it can be downloaded all the same')
    })

    test('inner addresses only where an admin has allowed them; a destination or a right that is gone is no riddle', async () => {
      const [admin, owner] = [await world.person('管理', 'admin'), await world.person('主', 'owner')]
      const place = { kind: 'bucket', endpoint: storage.env.S3_ENDPOINT, region: 'us-east-1', bucket, accessKey: 'S3RVER', pathStyle: true, prefix: '' }
      const { body } = await admin.call('POST', `${base}/destinations`, { name: newId(), place, secretKey: 'S3RVER' })
      await owner.call('PUT', '/api/plugins/export/settings', { cap: 20_000, keepDays: 7, allowPrivateAddresses: false })
      try {
        assert.deepEqual((await admin.call('POST', `${base}/destinations/${body.id}/check`)).body, { fault: 'private' })
      } finally {
        await owner.call('PUT', '/api/plugins/export/settings', { cap: 20_000, keepDays: 7, allowPrivateAddresses: true })
      }
      const person = await world.person('未', 'admin')
      const made = await make(person, { destinationId: body.id })
      await em().nativeDelete(ExportDestination, { id: body.id })
      await due(made.id)
      await runSchedules(ctx())
      assert.deepEqual([(await rowOf(made.id)).state, (await rowOf(made.id)).fault], ['stopped', 'EXPORT_DESTINATION_GONE'])
      const target = await folder(admin)
      const { filter: _filter, ...choices } = records()
      const { id } = (await person.call('POST', `${base}/exports`, { ...choices, filter: {}, tz: 'Asia/Shanghai', language: 'zh' })).body
      await done(id)
      await world.grant(person, [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'export.record', scope: 'all' },
      ])
      await em().insert(ExportDelivery, { exportId: id, destinationId: target.id, state: 'due', dueAt: new Date(0) } as unknown as ExportDelivery)
      await deliver(ctx(), id)
      await eventually(async () => (await deliveryOf(id)).state === 'failed', 'the refusal')
      assert.equal((await deliveryOf(id)).fault, 'HUB_FORBIDDEN')
    })
  })
