/** A start, a stop or a listener that takes too long or fails for a while: what ends late is taken back, what failed is tried again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { HubError } from '../../core/sdk/errors.ts'
import type { HubEvent } from '../../core/sdk/events.ts'
import { definePlugin, type PluginManifest } from '../../core/sdk/plugin.ts'
import type { Kernel, StoredState } from '../../core/src/kernel/kernel.ts'
import { kernelOf } from '../support/kernel.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const plugin = (id: string, more: Partial<PluginManifest>): PluginManifest =>
  ({ ...definePlugin({ id, version: '1.0.0', label: { zh: id, en: id } }), ...more }) as PluginManifest
const state = (kernel: Kernel, id: string) => kernel.status().find((status) => status.id === id)
/** A promise and its key. */
const gate = () => Promise.withResolvers<void>()

test('a start that ends after its time is taken back when it ends, and a new one waits for that', async () => {
  const diary: string[] = []
  const first = gate()
  let starts = 0
  const slow = plugin('slow', {
    async start() {
      const mine = ++starts
      if (mine === 1) await first.promise
      diary.push(`${mine} added`)
      return () => void diary.push(`${mine} taken back`)
    },
  })
  const kernel = kernelOf([slow], { startTimeoutMs: 20, retryMs: 1 })
  await kernel.start()
  assert.equal(state(kernel, 'slow')?.state, 'broken')
  assert.match(state(kernel, 'slow')?.error?.message ?? '', /took longer than 20 ms/)
  await kernel.switch('slow', true)
  assert.deepEqual([starts, state(kernel, 'slow')?.state], [1, 'broken'], 'the first one is still at it')
  first.resolve()
  await eventually(() => state(kernel, 'slow')?.state === 'running', 'the second start')
  assert.deepEqual(diary, ['1 added', '1 taken back', '2 added'])
  await kernel.stop()
  assert.deepEqual(diary.slice(3), ['2 taken back'])
})

test('so is a clause, and those before it are taken back at once', async () => {
  const diary: string[] = []
  const late = gate()
  const kernel = kernelOf([plugin('slow', { jobs: {}, hooks: {} })], { startTimeoutMs: 20, retryMs: 60_000 })
  kernel.clause('hooks', () => () => void diary.push('hooks back'))
  kernel.clause('jobs', async () => {
    await late.promise
    return () => void diary.push('jobs back')
  })
  await kernel.start()
  assert.deepEqual(diary, ['hooks back'])
  late.resolve()
  await eventually(() => diary.length === 2, 'the late undo')
  assert.deepEqual(diary, ['hooks back', 'jobs back'])
  await kernel.stop()
})

test('a start that fails is tried again by itself, and who needs it comes with it', async () => {
  let fails = 2
  const engine = plugin('engine', {
    start: async () => {
      if (fails-- > 0) throw new Error('the database hiccuped')
    },
  })
  const belt = plugin('belt', { requires: { plugins: { engine: '*' } } })
  const kernel = kernelOf([engine, belt], { retryMs: 1 })
  await kernel.start()
  assert.deepEqual([state(kernel, 'engine')?.state, state(kernel, 'belt')?.error?.code], ['broken', 'HUB_PLUGIN_MISSING'])
  await eventually(() => state(kernel, 'belt')?.state === 'running', 'the third start')
  assert.deepEqual([state(kernel, 'engine')?.state, state(kernel, 'engine')?.retryAt], ['running', undefined])
  await kernel.stop()
})

test('an undo that hangs is shown and holds up nobody; what it belongs to starts again once it has ended', async () => {
  const diary: string[] = []
  const stuck = gate()
  let starts = 0
  const hanging = plugin('hanging', {
    start() {
      const mine = ++starts
      return async () => {
        if (mine === 1) await stuck.promise
        diary.push(`${mine} taken back`)
      }
    },
  })
  const other = plugin('other', { start: () => () => void diary.push('other taken back') })
  const kernel = kernelOf([hanging, other], { startTimeoutMs: 20, undoTimeoutMs: 20, retryMs: 1 })
  await kernel.start()
  await kernel.switch('hanging', false)
  assert.equal(state(kernel, 'hanging')?.state, 'off')
  assert.match(state(kernel, 'hanging')?.fault?.message ?? '', /took longer than 20 ms/)
  await kernel.switch('other', false)
  assert.deepEqual(diary, ['other taken back'])
  await kernel.switch('hanging', true)
  assert.deepEqual([starts, state(kernel, 'hanging')?.state], [1, 'broken'], 'the first one is still there')
  stuck.resolve()
  await eventually(() => state(kernel, 'hanging')?.state === 'running', 'the second start')
  assert.deepEqual([diary, state(kernel, 'hanging')?.fault], [['other taken back', '1 taken back'], undefined])
  await kernel.stop()
})

test('a listener that never settles has failed after its time, is shown, and hears the next one', async () => {
  const heard: string[] = []
  const deaf = plugin('deaf', {
    on: {
      'message.received': (event) => {
        heard.push(event.id)
        return event.id === '1' ? gate().promise : undefined
      },
    },
  })
  const kernel = kernelOf([deaf], { listenerTimeoutMs: 20 })
  await kernel.start()
  const tell = (id: string) => kernel.tell('deaf', { id, name: 'message.received', at: '', data: {}, by: null } as unknown as HubEvent)
  await assert.rejects(tell('1'), /deaf message.received took longer than 20 ms/)
  assert.equal(state(kernel, 'deaf')?.fault?.what, 'message.received')
  assert.equal(await tell('2'), true)
  assert.deepEqual([heard, state(kernel, 'deaf')?.fault], [['1', '2'], undefined])
  await kernel.stop()
})

test('a refusal is not tried again, nor what was switched off, nor anything after the end', async () => {
  let tries = 0
  const boom = async () => {
    tries++
    throw new Error('the network is away')
  }
  const refused = plugin('refused', {
    start: async () => {
      throw new HubError('HUB_SETTINGS_INVALID', 'No key')
    },
  })
  const kernel = kernelOf([refused, plugin('ill', { start: boom })], { retryMs: 60_000 })
  await kernel.start()
  assert.equal(state(kernel, 'refused')?.retryAt, undefined)
  assert.ok(state(kernel, 'ill')?.retryAt instanceof Date)
  await kernel.switch('ill', false)
  assert.deepEqual([state(kernel, 'ill')?.state, state(kernel, 'ill')?.retryAt], ['off', undefined])
  await kernel.switch('ill', true)
  assert.ok(state(kernel, 'ill')?.retryAt)
  await kernel.stop()
  assert.deepEqual([tries, state(kernel, 'ill')?.retryAt], [2, undefined])
})

test('the wait doubles, up to five minutes', async () => {
  const kernel = kernelOf(
    [
      plugin('ill', {
        start: () => {
          throw new Error('down')
        },
      }),
    ],
    { retryMs: 100_000 },
  )
  const wait = () => Math.round(((state(kernel, 'ill')?.retryAt?.getTime() ?? 0) - Date.now()) / 100_000)
  await kernel.start()
  const waits = [wait()]
  for (let i = 0; i < 3; i++) {
    await kernel.switch('ill', true)
    waits.push(wait())
  }
  assert.deepEqual(waits, [1, 2, 3, 3])
  await kernel.stop()
})

await onEveryProfile(
  'late start',
  [
    found(
      plugin('ill', {
        start: () => {
          throw new Error('down')
        },
      }),
    ),
  ],
  (world) => {
    test('the admin sees when it is tried again', async () => {
      const [shown] = (await (await world().person('小柏', 'owner')).call('GET', '/api/plugins')).body.items
      assert.deepEqual([shown.state, shown.error.message], ['broken', 'down'])
      assert.ok(Date.parse(shown.retryAt) > Date.now() - 60_000)
    })
  },
)

test('what a setting has mended in one process is mended in the others', async () => {
  const states = new Map<string, StoredState>()
  const needs = plugin('needs', {
    settings: Type.Object({ key: Type.String({ default: '' }) }),
    start(ctx) {
      if (ctx.settings.key === '') throw new HubError('HUB_SETTINGS_INVALID', 'it needs a key')
    },
  })
  const [here, there] = [kernelOf([needs], {}, states), kernelOf([needs], {}, states)]
  await here.start()
  await there.start()
  assert.deepEqual([state(here, 'needs')?.state, state(there, 'needs')?.state], ['broken', 'broken'])
  await here.configure('needs', { key: 'k' })
  assert.equal(state(here, 'needs')?.state, 'running')
  await there.refresh()
  assert.equal(state(there, 'needs')?.state, 'running')
  await here.stop()
  await there.stop()
})
