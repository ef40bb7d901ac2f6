/** `ctx.tell`: a plugin's own events, under its id, heard by the others with who did it; a bad name or a burden is refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HubEvent } from '../../core/sdk/events.ts'
import { definePlugin, type PluginContext } from '../../core/sdk/plugin.ts'
import { newId } from '../../core/src/db/types.ts'
import { Delivery } from '../../core/src/domain/message/message.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

declare module '../../core/sdk/events.ts' {
  interface HubEvents {
    'mint.coin.struck': { coin: string; byAgentId?: string }
  }
}

const heard: { by: string; event: HubEvent }[] = []
let failing: string | undefined

const mint = definePlugin({
  id: 'mint',
  version: '1.0.0',
  label: { zh: '铸币', en: 'Mint' },
  routes(app, ctx) {
    app.post<{ Params: { coin: string } }>('/:coin', { config: { access: 'agent' } }, async (request) => {
      await ctx.tell('coin.struck', { coin: request.params.coin })
      return {}
    })
  },
  jobs: { strike: { run: (data, ctx) => ctx.tell('coin.struck', data as { coin: string }) } },
})
const collector = definePlugin({
  id: 'collector',
  version: '1.0.0',
  label: { zh: '收藏', en: 'Collector' },
  on: {
    'mint.coin.struck'(event) {
      heard.push({ by: 'collector', event })
      if (event.data.coin === failing) throw new Error('dropped it')
    },
  },
})
const everything = definePlugin({
  id: 'everything',
  version: '1.0.0',
  label: { zh: '都听', en: 'Everything' },
  on: { '*': (event) => void heard.push({ by: 'everything', event }) },
})

await onEveryProfile(
  'own events',
  [mint, collector, everything].map((manifest) => found(manifest)),
  (world) => {
    const ctx = (): PluginContext => {
      const plugin = world().hub.kernel.get('mint')
      assert.ok(plugin)
      return plugin.ctx
    }
    const of = (coin: string, by: string) =>
      heard.filter((entry) => entry.by === by && entry.event.name === 'mint.coin.struck' && entry.event.data.coin === coin).map(({ event }) => event)

    test('one that listens to the name and one that listens to all hear it, with who did it and from where', async () => {
      const coin = newId()
      const agent = await world().person('铸工')
      assert.equal((await agent.call('POST', `/api/x/mint/${coin}`)).status, 200)
      await eventually(() => of(coin, 'collector').length === 1 && of(coin, 'everything').length === 1, 'the telling')
      const [event] = of(coin, 'collector')
      assert.deepEqual([event?.by?.agentId, event?.by?.tokenId, event?.by?.ip], [agent.id, null, '127.0.0.1'])
      assert.equal(of(coin, 'everything')[0]?.id, event?.id)
    })

    test('a job is nobody’s request: its data says for whom', async () => {
      const coin = newId()
      const agent = await world().person('夜班')
      await ctx().enqueue('strike', { coin, byAgentId: agent.id })
      const [event] = await eventually(() => of(coin, 'collector').length === 1 && of(coin, 'collector'), 'the telling')
      assert.ok(event?.name === 'mint.coin.struck')
      assert.deepEqual([event.by, event.data.byAgentId], [null, agent.id])
    })

    test('a listener that fails hears it again, with the same id, and holds up nobody', async () => {
      const coin = newId()
      failing = coin
      await ctx().tell('coin.struck', { coin })
      const waiting = await eventually(async () => (await world().hub.em().find(Delivery, { listener: 'collector', attempts: 1 }))[0], 'the failure')
      assert.equal(of(coin, 'everything').length <= 1, true)
      failing = undefined
      await world().hub.em().nativeUpdate(Delivery, { id: waiting.id }, { dueAt: new Date() })
      await eventually(async () => {
        await world().running.sweep()
        return of(coin, 'collector').length === 2
      }, 'the second try')
      assert.deepEqual(new Set(of(coin, 'collector').map(({ id }) => id)), new Set([waiting.eventId]))
      await eventually(() => of(coin, 'everything').length === 1, 'the other one')
    })

    test('a name that is none, one that is too long, too much data: refused, nothing is owed', async () => {
      const owed = () =>
        world()
          .hub.em()
          .count(Delivery, { name: { $like: 'mint.%' } })
      await eventually(async () => (await owed()) === 0, 'all of before is told')
      const wrong: [string, Record<string, unknown>][] = [
        ['', {}],
        ['Coin', {}],
        ['coin struck', {}],
        ['../contact.merged', {}],
        ['coin.', {}],
        ['c'.repeat(60), {}],
        ['coin.struck', { coin: 'x'.repeat(20_000) }],
      ]
      for (const [name, data] of wrong) await assert.rejects(ctx().tell(name, data), { code: 'HUB_REQUEST_INVALID' }, name)
      assert.equal(await owed(), 0)
    })
  },
)
