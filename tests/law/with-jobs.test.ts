/** `jobs`: work that is due, as rows. Asked for or periodic; tried again, given up in sight; paused while off. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { newId } from '../../core/src/db/types.ts'
import { Job } from '../../core/src/domain/message/message.entity.ts'
import { runJob } from '../../core/src/queue/jobs.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const ran: unknown[] = []
/** Data whose turns end only when the test says so. */
const gates = new Map<unknown, PromiseWithResolvers<void>[]>()
const failures = new Map<unknown, number>()
const works = (id: string) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '作业', en: 'Works' },
    jobs: {
      report: {
        attempts: 2,
        async run(data) {
          ran.push(data)
          await gates.get(data)?.shift()?.promise
          const left = failures.get(data) ?? 0
          failures.set(data, left - 1)
          if (left > 0) throw new Error('the printer is out of paper')
        },
      },
    },
  })
let ticks = 0
const clock = definePlugin({
  id: 'clock',
  version: '1.0.0',
  label: { zh: '钟', en: 'Clock' },
  jobs: { tick: { every: 20, run: async () => void ticks++ } },
})

await onEveryProfile('jobs', [found(works('works')), found(works('pausing')), found(clock)], (world) => {
  const ctx = (id = 'works') =>
    world()
      .hub.kernel.all()
      .find(({ manifest }) => manifest.id === id)?.ctx ?? assert.fail(id)
  const rowOf = async (key: string) =>
    (
      await world()
        .hub.em()
        .find(Job, { data: { $ne: null } })
    ).find((row) => row.data === key)
  const timesOf = (key: string) => ran.filter((data) => data === key).length
  /** Its time comes now: waiting for it would be a sleep. */
  const due = async (key: string) => {
    const row = (await rowOf(key)) ?? assert.fail('no such job')
    await world().hub.em().nativeUpdate(Job, { id: row.id }, { dueAt: new Date() })
    await world().running.sweep()
  }

  test('a job runs with its data, once, and leaves nothing behind', async () => {
    const key = newId()
    await ctx().enqueue('report', key)
    await eventually(async () => timesOf(key) > 0 && !(await rowOf(key)), 'the job')
    assert.equal(timesOf(key), 1)
  })

  test('the same key joins the one that waits; without a key every one counts', async () => {
    const key = newId()
    const data = newId()
    await Promise.all([1, 2, 3].map(() => ctx().enqueue('report', data, { key, delayMs: 60_000 })))
    assert.equal(
      (
        await world()
          .hub.em()
          .find(Job, { dedupeKey: `report:${key}` })
      ).length,
      1,
    )
    await due(data)
    await eventually(async () => !(await rowOf(data)), 'the job')
    assert.equal(timesOf(data), 1)
    await ctx().enqueue('report', data, { key })
    await eventually(() => timesOf(data) === 2, 'a new one, after the first is done')

    const plain = newId()
    await Promise.all([1, 2].map(() => ctx().enqueue('report', plain)))
    await eventually(() => timesOf(plain) === 2, 'both')
  })

  test('one that fails is tried again', async () => {
    const key = newId()
    failures.set(key, 1)
    await ctx().enqueue('report', key)
    const row = await eventually(async () => (await rowOf(key))?.error && rowOf(key), 'the failure')
    assert.deepEqual([row.attempts, row.error], [1, 'the printer is out of paper'])
    assert.ok(row.dueAt)
    await due(key)
    await eventually(async () => !(await rowOf(key)), 'the second try')
    assert.equal(timesOf(key), 2)
  })

  test('after its last attempt it is given up, in sight; its key is free again', async () => {
    const key = newId()
    failures.set(key, 2)
    await ctx().enqueue('report', key, { key })
    await eventually(async () => (await rowOf(key))?.error, 'the first failure')
    await due(key)
    const row = await eventually(async () => ((await rowOf(key))?.dueAt === null ? rowOf(key) : undefined), 'giving up')
    assert.deepEqual([row.attempts, row.error], [2, 'the printer is out of paper'])
    await ctx().enqueue('report', key, { key })
    await eventually(() => timesOf(key) === 3, 'a new one under the same key')
  })

  test('one that runs long keeps its turn; a turn that was taken over ends without a word', async () => {
    const key = newId()
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    gates.set(key, [first, second])
    await ctx().enqueue('report', key, { delayMs: 60_000 })
    const { id } = (await rowOf(key)) ?? assert.fail('no such job')
    const dueNow = () =>
      world()
        .hub.em()
        .nativeUpdate(Job, { id }, { dueAt: new Date(0) })
    await dueNow()
    mock.timers.enable({ apis: ['setInterval'] })
    const one = runJob(world().hub, id)
    try {
      await eventually(() => timesOf(key) === 1, 'its first turn')
      const lease = Number((await rowOf(key))?.dueAt)
      mock.timers.tick(5 * 60_000)
      await eventually(async () => Number((await rowOf(key))?.dueAt) > lease, 'a longer lease')
    } finally {
      mock.timers.reset()
    }
    await dueNow()
    const two = runJob(world().hub, id)
    await eventually(() => timesOf(key) === 2, 'the turn that took over')
    first.resolve()
    await one
    assert.equal((await rowOf(key))?.attempts, 2)
    second.resolve()
    await two
    assert.equal(await rowOf(key), undefined)
  })

  test('a periodic one runs by itself, again and again, from one row', async () => {
    const before = ticks
    await eventually(async () => {
      await world().running.sweep()
      return ticks >= before + 3
    }, 'three ticks')
    assert.equal(await world().hub.em().count(Job, { plugin: 'clock' }), 1)
  })

  test('off: it waits where it is, no attempt counted; on: it runs at once', async () => {
    const [key, later] = [newId(), newId()]
    await world().whileOff('pausing', async () => {
      await ctx('pausing').enqueue('report', key)
      await world().running.sweep()
      // Another plugin's job, asked for after the sweep, shows that the hub has looked.
      await ctx().enqueue('report', later)
      await eventually(() => timesOf(later) === 1, 'the other plugin’s job')
      assert.equal(timesOf(key), 0)
      assert.equal((await rowOf(key))?.attempts, 0)
    })
    await eventually(async () => {
      await world().running.sweep()
      return timesOf(key) === 1
    }, 'the job, as soon as the plugin is back')
  })
})
