/** The reports' sums are what a scan of all conversations would give, whatever happened to them; who reads them sees their reach. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Report } from '../../core/sdk/wire/report.ts'
import { readRaw, readRows, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { assignTo } from '../../core/src/domain/conversation/assign-conversation.ts'
import { changeConversation } from '../../core/src/domain/conversation/change.ts'
import { closeConversation } from '../../core/src/domain/conversation/close-conversation.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { changeRecord } from '../../core/src/domain/record/change-record.ts'
import { midnightsOf } from '../../core/src/domain/record/find/period.ts'
import { purgeDue } from '../../core/src/domain/record/purge.ts'
import { countMeasures, type Grain, grains, measures, slotOf, slotsOf, waitBounds } from '../../core/src/domain/report/contribution.ts'
import { checkReports, keepReports, rebuildReports, replaceFacts } from '../../core/src/domain/report/keep-reports.ts'
import { piecesOf, quantile, sumsBy, sumsByDay } from '../../core/src/domain/report/overview.ts'
import { reportTalk } from '../../migrations/0087-report-talk.ts'
import { found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const always = { until: Number.POSITIVE_INFINITY }

type Sums = Record<string, number>

/** Read as a person would, from the rows themselves. */
async function scan(world: World): Promise<Sums> {
  const em = world.hub.em()
  const sums: Sums = {}
  const messages = Map.groupBy(await readRows(em, Message, sql`where 1 = 1`), ({ conversationId }) => conversationId)
  for (const c of await readRows(em, Conversation, sql`where deleted_at is null`)) {
    const add = (at: Date, measure: string, n = 1) => {
      const key = [slotOf(at), c.inboxId, c.channel, c.departmentId ?? '', c.assigneeId ?? '', c.categoryId ?? '', measure].join('|')
      sums[key] = (sums[key] ?? 0) + n
    }
    const wait = (name: string, until: Date) => {
      const seconds = Math.max(0, Math.round((until.getTime() - c.createdAt.getTime()) / 1000))
      add(c.createdAt, name === 'reply' ? 'replied' : 'resolved')
      if (seconds > 0) add(c.createdAt, `${name}_seconds`, seconds)
      add(c.createdAt, `${name}_${[...waitBounds, Infinity].findIndex((bound) => seconds <= bound)}`)
    }
    // A machine's letter opens nothing, so nothing of it is resolved either.
    if (c.closeReason !== 'quiet') {
      add(c.createdAt, 'opened')
      if (c.firstReplyAt) wait('reply', c.firstReplyAt)
      if (c.closedAt) wait('resolve', c.closedAt)
      if (c.closedAt) add(c.closedAt, 'ended')
      if (c.rating) add(c.createdAt, ['good', 'medium', 'bad'][c.rating - 1] as string)
    }
    for (const { direction, createdAt } of messages.get(c.id) ?? [])
      if (direction === 'in' || direction === 'out') add(createdAt, direction === 'in' ? 'received' : 'sent')
  }
  return sums
}

async function kept(world: World, grain: Grain = 'slot'): Promise<Sums> {
  const rows = await readRaw<Record<string, number | string> & { name: string; at: number }>(
    world.hub.em(),
    grain === 'slot'
      ? sql`select h.*, c.name from report_slot h join report_slice c on c.id = h.slice`
      : sql`select h.*, c.name from report_sum h join report_slice c on c.id = h.slice where h.grain = ${grains[grain]}`,
  )
  return Object.fromEntries(
    rows.flatMap((row) =>
      measures.filter((measure) => Number(row[measure]) !== 0).map((measure) => [[row.at, row.name, measure].join('|'), Number(row[measure])]),
    ),
  )
}

/** The half hours' sums as they are at a coarser grain. */
function coarser(sums: Sums, grain: Grain): Sums {
  const result: Sums = {}
  for (const [key, n] of Object.entries(sums)) {
    const [slot, inbox, channel, ...rest] = key.split('|')
    const of = grain === 'inboxSlot' ? ['', '', ''] : rest.slice(0, 3)
    const coarse = [Math.floor(Number(slot) / slotsOf[grain]), inbox, channel, ...of, rest.at(-1)].join('|')
    result[coarse] = (result[coarse] ?? 0) + n
  }
  return result
}
async function agree(world: World): Promise<void> {
  const sums = await scan(world)
  for (const grain of Object.keys(grains) as Grain[]) assert.deepEqual(await kept(world, grain), coarser(sums, grain), grain)
  // In which half hours there were messages of which: what is behind the bars of messages.
  const em = world.hub.em()
  const alive = new Set((await readRows(em, Conversation, sql`where deleted_at is null`)).map(({ id }) => id))
  const messages = await readRows(em, Message, sql`where direction in ('in', 'out')`)
  const talked = messages
    .filter(({ conversationId }) => alive.has(conversationId))
    .map(({ conversationId, createdAt }) => `${conversationId}|${slotOf(createdAt)}`)
  const rows = await readRaw<{ at: number; id: string }>(em, sql`select at, conversation_id as id from report_talk`)
  assert.deepEqual(rows.map(({ at, id }) => `${id}|${at}`).sort(), [...new Set(talked)].sort())
}

const steps = ['say', 'machine', 'reply', 'assign', 'close', 'rate', 'categorise', 'delete', 'restore', 'purge', 'backdate', 'count', 'die'] as const
const walks = fc.array(fc.record({ step: fc.constantFrom(...steps), who: fc.integer({ min: 0, max: 4 }), value: fc.integer({ min: 0, max: 5 }) }), {
  minLength: 5,
  maxLength: 40,
})

async function walk(
  world: World,
  people: Person[],
  admin: Person,
  inboxes: Inbox[],
  categories: string[],
  moves: typeof walks extends fc.Arbitrary<infer T> ? T : never,
) {
  const { hub } = world
  const doer = await hub.access.of(admin.id)
  assert.ok(doer)
  const ids = new Map<number, string>()
  const name = newId()
  for (const { step, who, value } of moves) {
    const id = ids.get(who)
    const pick = <T>(list: readonly T[]): T => list[value % list.length] as T
    if (step === 'count') await keepReports(hub, always)
    else if (step === 'machine') {
      const inbox = inboxes[who % 2] as Inbox
      const letter = {
        externalId: newId(),
        from: { externalId: `${name}-${who}` },
        parts: [{ type: 'text' as const, text: '自动回复' }],
        meta: { automatic: true },
      }
      const [taken] = await hub.intake.accept(inbox.id, [{ kind: 'message', ...letter }])
      ids.set(who, taken?.conversationId ?? '')
    } else if (step === 'say') ids.set(who, (await world.say(inboxes[who % 2] as Inbox, `${name}-${who}`, '你好'))[0]?.conversationId ?? '')
    else if (!id || !(await hub.em().count(Conversation, { id }))) continue
    else if (step === 'reply')
      await changeConversation(
        hub,
        id,
        async (change) => !!change.append({ direction: 'out', parts: [{ type: 'text', text: '您好' }], authorId: pick(people).id }),
      )
    else if (step === 'assign')
      await changeConversation(hub, id, async (change, em) => {
        if (change.conversation.status === 'closed') return false
        await assignTo(em, change, pick(people).id, 'transferred', null)
        return true
      })
    else if (step === 'close') await closeConversation(hub, id, 'agent', admin.id)
    else if (step === 'rate')
      await changeConversation(hub, id, async (change) => {
        change.conversation.rating = (value % 3) + 1
        return true
      })
    else if (step === 'backdate')
      await changeConversation(hub, id, async (change) => {
        const at = change.conversation.createdAt
        change.conversation.createdAt = new Date(at.getTime() - value * 3_700_000)
        return true
      })
    else if (step === 'purge') {
      await changeConversation(hub, id, async (change) => {
        Object.assign(change.conversation, { deletedAt: change.at, purgeAt: new Date(0) })
        return true
      })
      while ((await purgeDue(hub)) > 0);
    } else if (step === 'die')
      // Killed before the commit: as if it had never been.
      await hub
        .em()
        .transactional(async (tx) => {
          await replaceFacts(tx as never, [id])
          throw new Error('killed')
        })
        .catch((error: Error) => assert.equal(error.message, 'killed'))
    else await changeRecord(hub, doer, id, { action: step, categoryId: pick(categories) }).catch((error) => assert.ok(error.code, String(error)))
  }
}

await onEveryProfile('reports', [found(manifest)], (world, profile) => {
  test('after any sequence of events the sums are what a scan gives', async () => {
    const admin = await world().person('管理', 'admin')
    const em = world().hub.em()
    const department = { id: newId(), name: newId(), parentId: null, createdAt: new Date() } as Department
    await em.insert(Department, department)
    const people = [await world().person('甲', 'agent', { departmentId: department.id }), await world().person('乙')]
    const inboxes = [await world().inbox('mock'), await world().inbox('mock')]
    const categories = [newId(), newId()]
    await fc.assert(
      fc.asyncProperty(walks, async (moves) => {
        await walk(world(), people, admin, inboxes, categories, moves)
        // Two processes at once, as when a lease has run out.
        await Promise.all([keepReports(world().hub, always), keepReports(world().hub, always)])
        await agree(world())
      }),
      { numRuns: 12, endOnFailure: true },
    )
    const { looked, wrong } = await checkReports(em)
    assert.ok(looked > 0)
    assert.deepEqual(wrong, [])

    // What the mark has passed by is found on the round.
    await em.execute('update report_fact set rev = rev - 1')
    await keepReports(world().hub, always)
    await agree(world())
    // The check sees what a hand has spoilt, and the rebuild mends it.
    await em.execute(`update report_fact set cells = '{}'`)
    assert.ok((await checkReports(em)).wrong.length > 0)
    await rebuildReports(em)
    assert.deepEqual(await kept(world()), {})
    await keepReports(world().hub, always)
    await agree(world())
  })

  test('the numbers count what the reader’s reach holds, by day and by what they have in common', async () => {
    const em = world().hub.em()
    const [above, below] = [newId(), newId()]
    for (const [id, parentId] of [
      [above, null],
      [below, above],
    ] as const)
      await em.insert(Department, { id, name: newId(), parentId, createdAt: new Date() } as Department)
    const [admin, supervisor, mine, other] = [
      await world().person('管理', 'admin'),
      await world().person('主管', 'supervisor', { departmentId: above }),
      await world().person('组员', 'agent', { departmentId: below }),
      await world().person('别组'),
    ]
    const inbox = await world().inbox('mock')
    const top = (await admin.call('POST', '/api/categories', { name: newId() })).body.id
    const under = (await admin.call('POST', '/api/categories', { name: newId(), parentId: top })).body.id
    for (const [agent, departmentId, at, categoryId, rating] of [
      [mine, below, '2024-03-09T15:59:00Z', top, 1],
      [mine, below, '2024-03-09T16:00:00Z', under, 3],
      [other, null, '2024-03-10T15:30:00Z', null, null],
    ] as const) {
      const [accepted] = await world().say(inbox, newId(), '在吗')
      await changeConversation(world().hub, accepted?.conversationId ?? '', async (change) => {
        const createdAt = new Date(at)
        Object.assign(change.conversation, {
          assigneeId: agent.id,
          departmentId,
          createdAt,
          categoryId,
          rating,
          firstReplyAt: new Date(createdAt.getTime() + 45_000),
        })
        return true
      })
    }
    await keepReports(world().hub, always)
    const ask = async (person: Person, more = '') => {
      const { status, body } = await person.call(
        'GET',
        `/api/reports/overview?from=2024-03-08T16:00:00Z&to=2024-03-11T16:00:00Z&tz=Asia/Shanghai&inboxId=${inbox.id}${more}`,
      )
      assert.equal(status, 200, JSON.stringify(body))
      return body as Report
    }
    const opened = ({ rows }: Report) => rows.map(({ key, opened: n }) => [key, n])
    assert.deepEqual(opened(await ask(admin)), [[null, 3]])
    assert.deepEqual(opened(await ask(supervisor)), [[null, 2]])
    assert.deepEqual(opened(await ask(admin, '&by=day')), [
      ['2024-03-09', 1],
      ['2024-03-10', 2],
      ['2024-03-11', 0],
    ])
    assert.deepEqual(opened(await ask(admin, '&by=category')), [
      [top, 2],
      [null, 1],
    ])
    assert.deepEqual(opened(await ask(supervisor, '&by=agent')), [[mine.id, 2]])
    assert.deepEqual(opened(await ask(admin, `&by=channel&departmentId=${above}`)), [['mock', 2]])
    const [total] = (await ask(supervisor)).rows
    assert.deepEqual([total?.replied, total?.replySeconds, total?.good, total?.bad], [2, 45, 1, 1])
    assert.equal((await ask(supervisor)).waits?.reply.median, 45)
    assert.deepEqual(
      (await ask(admin, '&by=agent')).rows.map(({ key, replyMedian }) => [key, replyMedian]).sort(),
      [
        [mine.id, 45],
        [other.id, 45],
      ].sort(),
    )
    // The same numbers, whether read from many fine sums or from few coarse ones, of all inboxes or of one person's.
    const year = '/api/reports/overview?from=2023-08-01T00:00:00Z&to=2024-07-20T03:30:00Z'
    for (const [person, count] of [
      [admin, 3],
      [supervisor, 2],
    ] as const)
      for (const by of ['total', 'day', 'channel', 'inbox', 'agent', 'category', 'department']) {
        const { rows } = (await person.call('GET', `${year}&by=${by}&inboxId=${inbox.id}`)).body as Report
        assert.equal(
          rows.reduce((sum, row) => sum + row.opened, 0),
          count,
          by,
        )
      }

    // The records behind a bar are as many as it says.
    for (const row of (await ask(admin, '&by=day')).rows) {
      const filter = { by: 'createdAt', from: row.from, to: row.to, inboxIds: [inbox.id], status: ['open', 'closed', 'archived'] }
      const { body } = await admin.call('GET', `/api/records/count?filter=${encodeURIComponent(JSON.stringify(filter))}`)
      assert.equal(body.count, row.opened, row.key ?? '')
    }

    assert.equal((await mine.call('GET', '/api/reports/overview?from=2024-03-09T00:00:00Z&to=2024-03-10T00:00:00Z')).status, 403)
    // Each day has its own median; one is an hour shorter, since the clock is changed in it.
    const york = await admin.call(
      'GET',
      `/api/reports/overview?from=2024-03-08T05:00:00Z&to=2024-03-13T04:00:00Z&tz=America/New_York&inboxId=${inbox.id}&by=day`,
    )
    assert.deepEqual(
      (york.body as Report).rows.map(({ key, opened: n, replyMedian }) => [key, n, replyMedian]),
      [
        ['2024-03-08', 0, null],
        ['2024-03-09', 2, 45],
        ['2024-03-10', 1, 45],
        ['2024-03-11', 0, null],
        ['2024-03-12', 0, null],
      ],
    )
    for (const bad of [
      'from=2024-03-10T00:00:00Z&to=2024-03-09T00:00:00Z',
      'from=2022-01-01T00:00:00Z&to=2024-01-01T00:00:00Z',
      'from=x&to=y',
      'from=2024-03-09T00:00:00Z&to=2024-03-10T00:00:00Z&tz=Nowhere/City',
      'from=2024-03-09T00:00:00Z&to=2024-03-10T00:00:00Z&by=shoe',
    ]) {
      const { status, body } = await admin.call('GET', `/api/reports/overview?${bad}`)
      assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'], bad)
    }
  })

  test('machines’ letters open and resolve nothing, and their records are not behind the bar; what was counted before is counted anew', async () => {
    const em = world().hub.em()
    const admin = await world().person('管理', 'admin')
    const inbox = await world().inbox('mock')
    const send = (meta: object, text: string) =>
      world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from: { externalId: newId() }, parts: [{ type: 'text', text }], meta }])
    for (let i = 0; i < 3; i++) await send({ automatic: true }, '自动回复：我在度假')
    const [real] = await send({}, '什么时候发货')
    await closeConversation(world().hub, real?.conversationId ?? '', 'agent', admin.id)
    const figures = async () => {
      await keepReports(world().hub, always)
      const [from, to] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000).toISOString())
      const { body } = await admin.call('GET', `/api/reports/overview?from=${from}&to=${to}&inboxId=${inbox.id}`)
      const { opened, ended, resolved, received } = (body as Report).rows[0] ?? {}
      return { opened, ended, resolved, received }
    }
    assert.deepEqual(await figures(), { opened: 1, ended: 1, resolved: 1, received: 4 })
    const behind = async (more: object) => {
      const filter = { by: 'createdAt', inboxIds: [inbox.id], status: ['open', 'closed', 'archived'], ...more }
      const { status, body } = await admin.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(filter))}`)
      assert.equal(status, 200, JSON.stringify(body))
      return body.items.map(({ id }: { id: string }) => id) as string[]
    }
    assert.deepEqual(await behind({ opened: true }), [real?.conversationId])
    assert.equal((await behind({ opened: false })).length, 3)
    assert.equal((await behind({})).length, 4)

    // As they were counted before: the migration has them counted anew.
    const { mysql, sqlite } = reportTalk
    const [again = ''] = (profile === 'served' ? mysql : sqlite).filter((statement) => statement.includes('report_fact'))
    await em.nativeUpdate(Conversation, { inboxId: inbox.id, closeReason: 'quiet' }, { closeReason: 'before' })
    await em.execute(again.replace("'quiet'", "'before'"))
    assert.equal((await figures()).opened, 4)
    await em.nativeUpdate(Conversation, { inboxId: inbox.id, closeReason: 'before' }, { closeReason: 'quiet' })
    assert.equal((await figures()).opened, 4)
    await em.execute(again)
    assert.deepEqual(await figures(), { opened: 1, ended: 1, resolved: 1, received: 4 })
    await agree(world())
  })

  test('behind a bar of messages are those of which there were some, also such as went on later; the migration knows it of those there are', async () => {
    const em = world().hub.em()
    const admin = await world().person('管理', 'admin')
    const inbox = await world().inbox('mock')
    const at = (days: number) => new Date(Date.now() - days * 86_400_000)
    const talk = async (days: readonly number[]) => {
      const who = newId()
      let id = ''
      for (const each of days) {
        const [taken] = await world().say(inbox, who, '在吗')
        id = taken?.conversationId ?? ''
        await em.nativeUpdate(Message, { id: taken?.messageId ?? '' }, { createdAt: at(each), sentAt: at(each) })
      }
      await em.nativeUpdate(Conversation, { id }, { createdAt: at(days[0] as number), lastMessageAt: at(days.at(-1) as number) })
      return id
    }
    // The second skips the day before yesterday.
    const [both, around, later] = [await talk([2, 0]), await talk([3, 1]), await talk([0])]
    await keepReports(world().hub, always)
    const [from, to] = [at(5), new Date(Date.now() + 3_600_000)].map((day) => day.toISOString())
    const { body } = await admin.call('GET', `/api/reports/overview?from=${from}&to=${to}&inboxId=${inbox.id}&by=day&tz=UTC`)
    const behind = async (by: string, row: { from: string; to: string }) => {
      const filter = { by, from: row.from, to: row.to, inboxIds: [inbox.id] }
      const ask = `filter=${encodeURIComponent(JSON.stringify(filter))}`
      const { items } = (await admin.call('GET', `/api/records?${ask}`)).body
      assert.equal((await admin.call('GET', `/api/records/count?${ask}`)).body.count, items.length)
      return items.map(({ id }: { id: string }) => id).sort() as string[]
    }
    const days = (body as Report).rows.filter(({ received }) => received > 0)
    const bars = async () => Promise.all(days.map(async (row) => [row.received, await behind('messageAt', row)]))
    const expected = [
      [1, [around]],
      [1, [both]],
      [1, [around]],
      [2, [both, later].sort()],
    ]
    assert.deepEqual(await bars(), expected)
    // Who may see nothing of it finds nothing by it.
    const other = await world().person('别人')
    const theirs = { by: 'messageAt', from, to, inboxIds: [inbox.id] }
    assert.deepEqual((await other.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify(theirs))}`)).body.items, [])

    await em.execute('delete from report_talk')
    const { mysql, sqlite } = reportTalk
    for (const statement of profile === 'served' ? mysql : sqlite) if (statement.includes('into `report_talk`')) await em.execute(statement)
    assert.deepEqual(await bars(), expected)
    await agree(world())
  })

  test('a span is read along an index, of the time or of the slices', async () => {
    const mine = sql`c.assignee_id = ${newId()}`
    const days = [{ key: '', from: 900_000, to: 900_048 }]
    for (const { text, params } of [
      sumsByDay(countMeasures, days, undefined, true),
      sumsByDay(countMeasures, days, mine, false),
      sumsBy('assignee_id', countMeasures, 900_001, 905_001, undefined),
      sumsBy('assignee_id', countMeasures, 900_001, 905_001, mine),
    ]) {
      const plan = JSON.stringify(
        await world()
          .hub.em()
          .execute(`explain ${profile === 'served' ? '' : 'query plan '}${text}`, [...params]),
      )
      if (profile === 'served') assert.match(plan, /"table":"h","type":"(range|ref|eq_ref)"/, plan)
      else assert.match(plan, /SEARCH h USING/, plan)
    }
  })
})

test('days begin where the clock on the wall says so', () => {
  const at = (from: string, to: string, tz: string) =>
    midnightsOf(new Date(from), new Date(to), tz).map(({ day, at }) => `${day} ${at.toISOString().slice(5, 16)}`)
  assert.deepEqual(at('2026-11-21T16:00:00Z', '2026-11-23T16:00:00Z', 'Asia/Shanghai'), ['2026-11-22 11-21T16:00', '2026-11-23 11-22T16:00'])
  assert.deepEqual(at('2026-11-21T18:30:00Z', '2026-11-22T18:30:00Z', 'Asia/Kolkata'), ['2026-11-22 11-21T18:30'])
  // A day of 23 hours.
  assert.deepEqual(at('2026-03-28T23:00:00Z', '2026-03-30T22:00:00Z', 'Europe/Berlin'), ['2026-03-29 03-28T23:00', '2026-03-30 03-29T22:00'])
  // And one that begins at one o'clock.
  assert.deepEqual(at('2026-09-05T12:00:00Z', '2026-09-07T03:00:00Z', 'America/Santiago'), ['2026-09-05 09-05T04:00', '2026-09-06 09-06T04:00'])
  assert.deepEqual(at('2026-11-21T18:15:00Z', '2026-11-22T18:15:00Z', 'Asia/Kathmandu'), ['2026-11-22 11-21T18:15'])
})

test('a span is cut into months, days and half hours that hold it exactly, each as coarse as can be', () => {
  fc.assert(
    fc.property(fc.integer({ min: 900_000, max: 960_000 }), fc.integer({ min: 1, max: 20_000 }), (from, length) => {
      const pieces = piecesOf(from, from + length)
      let at = from
      for (const piece of pieces) {
        assert.equal(piece.from * slotsOf[piece.grain], at)
        assert.ok(piece.to > piece.from)
        at = piece.to * slotsOf[piece.grain]
      }
      assert.equal(at, from + length)
      const of = (grain: Grain) => pieces.filter((piece) => piece.grain === grain).reduce((n, piece) => n + piece.to - piece.from, 0)
      assert.ok(of('slot') <= 94 && of('day') <= 62)
    }),
  )
})

test('a median is read from counts by length', () => {
  const counts = (at: Record<number, number>) => Array.from({ length: waitBounds.length + 1 }, (_, i) => at[i] ?? 0)
  assert.equal(quantile(counts({}), 0.5), null)
  assert.equal(quantile(counts({ 0: 10 }), 0.5), 5)
  assert.equal(quantile(counts({ 3: 1, 4: 2, 5: 1 }), 0.5), 90)
  assert.equal(quantile(counts({ 12: 3 }), 0.9), 259_200)
})
