/** Two processes want a new token at the same moment: one of them asks WeChat, and what it gets the other uses. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { WechatServer } from '../../core/sdk/testing.ts'
import { openInbox } from '../../core/src/domain/inbox/channels.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import { asWechat } from '../../plugins/wechat/server/inbox-settings.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, startWorld, type World } from '../support/world.ts'

const served = (await profiles()).includes('served')

describe('two processes and one token', { skip: served ? false : 'needs MariaDB and Redis' }, () => {
  const server = new WechatServer()
  let world: World
  const racers: ChildProcess[] = []

  before(async () => {
    await server.start()
    world = await startWorld(await makePlace('served'), [found(wechat)])
  })
  after(async () => {
    for (const racer of racers) racer.kill('SIGKILL')
    await world.running.stop()
    await world.place.remove()
    await server.stop()
  })

  /** Processes of their own on the world's database, told what to do by messages. */
  async function startRacers(count: number): Promise<void> {
    for (let i = 0; i < count; i++)
      racers.push(
        spawn(process.execPath, [new URL('./wechat-racer.ts', import.meta.url).pathname], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          env: { ...process.env, RACER_PLACE: JSON.stringify(world.place) },
        }),
      )
    await Promise.all(racers.map((racer) => once(racer, 'message')))
  }

  /** All of them at once, several times each; every token they ended up with. */
  async function race(order: object): Promise<string[]> {
    const answers = racers.map((racer) => once(racer, 'message'))
    for (const racer of racers) racer.send(order)
    const told = (await Promise.all(answers)).map(([answer]) => answer as { tokens?: string[]; error?: string })
    assert.deepEqual(
      told.flatMap(({ error }) => error ?? []),
      [],
    )
    return told.flatMap(({ tokens }) => tokens ?? [])
  }

  test('the first token, a dead one, and a refused one that WeChat still calls good', async () => {
    const account = server.account()
    const inbox = await world.inbox('wechat', account.settings)
    const { settings } = asWechat((await openInbox(world.hub, inbox.id))?.forAdapter as never)
    await startRacers(2)

    const first = await race({ settings, times: 5 })
    assert.deepEqual([first.length, new Set(first).size, account.stableCalls.length], [10, 1, 1])

    account.killTokens()
    const second = await race({ settings, times: 5, refused: first[0] })
    assert.deepEqual([new Set(second).size, account.stableCalls.map(({ forced }) => forced)], [1, [false, false]])
    assert.notEqual(second[0], first[0])

    // WeChat hands the refused one out again: somebody must force, and only one may, since that kills the other's.
    const third = await race({ settings, times: 5, refused: second[0] })
    assert.deepEqual([new Set(third).size, account.stableCalls.filter(({ forced }) => forced).length], [1, 1])
    assert.equal(account.tokenFault(third[0] as string), undefined)
  })
})
