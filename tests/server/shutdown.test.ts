/** SIGTERM: whatever was asked before the end is answered, and the answer says that its connection is the last. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { HubProcess } from '../support/hub-process.ts'
import { makePlace, profiles } from '../support/profiles.ts'

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
