/** The end: whatever was asked before SIGTERM is answered, and the answer says that its connection is the last; what is owed does not hold it up. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { tellLast } from '../../core/src/pipeline/deliver-events.ts'
import { HubProcess } from '../support/hub-process.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld } from '../support/world.ts'

const many = 60

/** Connections that are open and were used before, as browsers and balancers keep them. */
function keptConnections(url: string): { ask(path: string): Promise<{ status: number; last: boolean }>; used(): number; end(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: many, scheduling: 'fifo' })
  return {
    ask: (path) =>
      new Promise((done, fail) => {
        const asked = request(url + path, { agent }, (answer) => {
          answer.resume().once('end', () => done({ status: answer.statusCode ?? 0, last: answer.headers.connection === 'close' }))
        })
        asked.once('error', fail).end()
      }),
    used: () => Object.values(agent.freeSockets).flat().length,
    end: () => agent.destroy(),
  }
}

for (const profile of await profiles())
  test(`requests on their way when the signal comes are answered, and a second start goes on [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const hub = await HubProcess.make(place, [])
    t.after(() => hub.end())
    await hub.start()
    const kept = keptConnections(hub.url)
    t.after(() => kept.end())
    const all = (path: string) => Promise.all(Array.from({ length: many }, () => kept.ask(path)))
    assert.ok((await all('/healthz')).every(({ status, last }) => status === 200 && !last))
    assert.equal(kept.used(), many)

    const onTheirWay = all('/api/setup')
    const ended = hub.stop()
    assert.deepEqual([...new Set((await onTheirWay).map(({ status }) => status))], [200])
    await ended
    await assert.rejects(fetch(`${hub.url}/healthz`))

    await hub.start()
    assert.equal((await kept.ask('/readyz')).status, 200)
  })

for (const profile of await profiles())
  test(`what a slow listener is still owed is left to the next start, told once [${profile}]`, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const heard: string[] = []
    let release = () => {}
    let gate = new Promise<void>((open) => {
      release = open
    })
    const slow = definePlugin({
      id: 'slow',
      version: '1.0.0',
      label: { zh: '慢', en: 'Slow' },
      on: {
        async 'message.received'({ id }) {
          heard.push(id)
          await gate
        },
      },
    })
    const plugins = [found(slow), found(mockChannel().manifest)]
    const first = await startWorld(place, plugins)
    const inbox = await first.inbox('mock')
    await Promise.all(['甲', '乙', '丙', '丁', '戊'].map((who) => first.say(inbox, who, '你好')))
    await eventually(() => heard.length === 1, 'the first')
    const ended = first.running.stop()
    release()
    await ended
    assert.equal(heard.length, 1)

    gate = Promise.resolve()
    const second = await startWorld(place, plugins)
    t.after(() => second.running.stop())
    await eventually(() => heard.length === 5, 'the others')
    assert.equal(new Set(heard).size, 5)
    // Switched off while the hub ends: at the next start nobody would tell it.
    second.hub.closing = true
    await second.say(inbox, '甲', '还在吗')
    await tellLast(second.hub, 'slow')
    assert.equal(heard.length, 6)
  })
