/** What processes of a hub tell each other by Redis, and what they keep to themselves because nobody would listen. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { Redis } from 'ioredis'
import type { Bus } from '../../core/src/realtime/bus.ts'
import { redisBus } from '../../core/src/realtime/redis-bus.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually } from '../support/world.ts'

/** A test waits for what a visitor would not. */
const patient = 30_000

const served = (await profiles()).includes('served')
const silent = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, trace() {}, child: () => silent } as never

describe('the bus of several processes', { skip: served ? false : 'needs Redis' }, async () => {
  const place = await makePlace('served')
  const open: { close(): Promise<void> }[] = []
  after(async () => {
    await Promise.all(open.map((one) => one.close()))
    await place.remove()
  })
  const busOf = async (prefix: string): Promise<Bus> => {
    const bus = redisBus(place.redisUrl, prefix, silent)
    open.push(bus)
    await eventually(() => bus.healthy(), 'the bus')
    return bus
  }
  const heardBy = (bus: Bus, topic: string): unknown[] => {
    const heard: unknown[] = []
    bus.subscribe(topic, (data) => heard.push(data))
    return heard
  }
  /** What is written to channels of a hub, as Redis sees it; greetings have no news. */
  const writtenTo = async (prefix: string): Promise<string[]> => {
    const redis = new Redis(place.redisUrl)
    const monitor = await redis.monitor()
    open.push({ close: async () => [redis, monitor].forEach((one) => void one.disconnect()) })
    const written: string[] = []
    monitor.on('monitor', (_at: string, [command, channel, text]: string[]) => {
      if (command?.toLowerCase() === 'publish' && channel?.startsWith(prefix) && !text?.includes('"news":[]')) written.push(`${text}`)
    })
    return written
  }

  test('what is for screens goes to processes with sockets, the rest to all', async () => {
    const prefix = `test:${randomUUID()}`
    const [web, worker] = [await busOf(prefix), await busOf(prefix)]
    await web.follow(patient)
    const [onWeb, onWorker] = [heardBy(web, 'conversation.changed'), heardBy(worker, 'conversation.changed')]
    const settings = [heardBy(web, 'inbox.changed'), heardBy(worker, 'inbox.changed')]
    await eventually(() => {
      worker.publish('conversation.changed', 'sent')
      return onWeb.length > 0
    }, 'the push at the web')
    web.publish('conversation.changed', 'written')
    web.publish('inbox.changed', 'all')
    await eventually(() => settings.every((heard) => heard.length > 0), 'the news of an inbox')
    assert.equal(onWorker.includes('written'), false)
    assert.equal(onWeb.includes('written'), true)
  })

  test('who is alone writes nothing, and is heard the moment that somebody comes', async () => {
    const prefix = `test:${randomUUID()}`
    const written = await writtenTo(prefix)
    const first = await busOf(prefix)
    await first.follow(patient)
    // Until it knows that it is alone it tells; then it is silent until it looks again.
    let count = 0
    await eventually(() => {
      first.publish('conversation.changed', `nobody ${++count}`)
      return count > 20 + written.length
    }, 'silence')
    for (let round = 0; round < 5; round++) {
      const next = await busOf(prefix)
      const heard = heardBy(next, 'conversation.changed')
      const back = heardBy(first, 'ephemeral')
      await next.follow(patient)
      // Its greeting is on its way: whoever has heard it tells everything from then on.
      await eventually(() => {
        next.publish('ephemeral', round)
        return back.includes(round)
      }, 'an answer')
      first.publish('conversation.changed', `for ${round}`)
      await eventually(() => heard.includes(`for ${round}`), 'what is told to who has just come')
      await next.close()
      open.splice(open.indexOf(next), 1)
    }
  })

  test('one whose connections were cut is heard, and hears, when it is back', async () => {
    const prefix = `test:${randomUUID()}`
    const [one, other] = [await busOf(prefix), await busOf(prefix)]
    await Promise.all([one.follow(patient), other.follow(patient)])
    const redis = new Redis(place.redisUrl)
    open.push({ close: async () => redis.disconnect() })
    const connections = async () =>
      [...String(await redis.client('LIST')).matchAll(/^id=(\d+) .* name=(\S+) /gm)].filter(([, , name]) => name === `${prefix}:bus`)
    for (let round = 0; round < 3; round++) {
      const cut = await connections()
      assert.equal(cut.length, 4)
      for (const [, id] of cut) await redis.client('KILL', 'ID', `${id}`)
      const [hears, back] = [heardBy(other, 'conversation.changed'), heardBy(one, 'conversation.changed')]
      await eventually(() => {
        one.publish('conversation.changed', `one ${round}`)
        other.publish('conversation.changed', `other ${round}`)
        return hears.includes(`one ${round}`) && back.includes(`other ${round}`)
      }, 'both')
      await eventually(async () => (await connections()).length === 4, 'all connections')
    }
  })

  test('one that hears nothing for a moment does not take the other listener for itself', async () => {
    const prefix = `test:${randomUUID()}`
    const [one, other] = [await busOf(prefix), await busOf(prefix)]
    await other.follow(patient)
    const redis = new Redis(place.redisUrl)
    open.push({ close: async () => redis.disconnect() })
    const listening = async () =>
      [...String(await redis.client('LIST')).matchAll(/^id=(\d+) .* name=(\S+) .* sub=2 /gm)].filter(([, , name]) => name === `${prefix}:bus`)
    const [, theirs] = await eventually(async () => (await listening())[0], 'the other')
    await one.follow(patient)
    await eventually(async () => (await listening()).length === 2, 'both')
    const heard = heardBy(other, 'conversation.changed')
    const told: string[] = []
    for (let round = 0; round < 3; round++) {
      const [, ours] = (await listening()).find(([, id]) => id !== theirs) ?? []
      await redis.client('KILL', 'ID', `${ours}`)
      await eventually(async () => {
        const text = `${round}: ${told.length}`
        one.publish('conversation.changed', text)
        told.push(text)
        await eventually(() => heard.includes(text), text)
        return (await listening()).length === 2
      }, 'the connection that was cut')
    }
    assert.deepEqual(heard, told)
  })
})
