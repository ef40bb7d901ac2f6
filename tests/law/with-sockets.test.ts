/** `sockets`: a namespace /x/<id> for the plugin's own clients; who they are is the plugin's to say. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { io, type Socket } from 'socket.io-client'
import { HubError } from '../../core/sdk/errors.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const left: string[] = []
const gates = new Map<string, Promise<void>>()
const knocked: string[] = []
const lamp = (id: string) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '灯', en: 'Lamp' },
    sockets: {
      async authenticate({ auth }) {
        const name = String(auth.name ?? '')
        if (name === '') throw new HubError('HUB_AUTH_REQUIRED', 'Who are you?')
        if (name === 'crash') throw new Error('secret detail')
        knocked.push(name)
        await gates.get(name)
        return { rooms: [`room:${name}`], data: { name }, ...(name === 'passing' ? { until: new Date(Date.now() + 200) } : {}) }
      },
      on: {
        shine: (data, { data: { name } }) => ({ name, data }),
        refuse: () => {
          throw new HubError('HUB_FORBIDDEN', 'No')
        },
      },
      disconnected: ({ data }) => void left.push(String(data.name)),
    },
  })

await onEveryProfile(
  'sockets',
  ['lamp', 'dimmed'].map((id) => found(lamp(id))),
  (world) => {
    const clients: Socket[] = []
    afterEach(() => {
      for (const client of clients.splice(0)) client.disconnect()
    })
    /** Resolves when it is in; rejects with the reason when it is not. */
    function enter(name: string, id = 'lamp'): Promise<Socket> {
      const client = io(`${world().url}/x/${id}`, { path: '/socket', transports: ['websocket'], forceNew: true, reconnection: false, auth: { name } })
      clients.push(client)
      return new Promise((resolve, reject) => {
        client.once('connect', () => resolve(client))
        client.once('connect_error', reject)
      })
    }
    const push = (id: string, room: string, data: unknown) =>
      world()
        .hub.kernel.all()
        .find(({ manifest }) => manifest.id === id)
        ?.ctx.push(room, 'light', data)
    const next = (client: Socket) => new Promise<unknown>((resolve) => client.once('light', resolve))

    test('who it refuses stays out, told the code and nothing of the inside', async () => {
      await assert.rejects(enter(''), { message: 'HUB_AUTH_REQUIRED' })
      await assert.rejects(enter('crash'), { message: 'HUB_INTERNAL' })
    })

    test('a push reaches the room it is meant for, and no other', async () => {
      const [zhang, li] = [await enter('zhang'), await enter('li')]
      const [first, second] = [next(zhang), next(li)]
      push('lamp', 'room:zhang', '给张三')
      push('lamp', 'room:li', '给李四')
      // Had 李四 been sent 张三's, it would have come first.
      assert.deepEqual(await Promise.all([first, second]), ['给张三', '给李四'])
    })

    test('an event is acknowledged with what the handler returns, or with the code it throws', async () => {
      const client = await enter('wang')
      assert.deepEqual(await client.emitWithAck('shine', '亮'), { name: 'wang', data: '亮' })
      assert.deepEqual(await client.emitWithAck('refuse', null), { error: 'HUB_FORBIDDEN' })
    })

    test('who is known until a time is let in, hung up on then, and told to the plugin', async () => {
      const [client, other] = [await enter('passing'), await enter('staying')]
      await new Promise((resolve) => client.once('disconnect', resolve))
      await eventually(() => left.includes('passing'), 'the plugin hearing of it')
      assert.ok(other.connected)
    })

    test('off: thrown out, told so to the plugin, and refused; on: let in, and heard once', async () => {
      const client = await enter('zhao', 'dimmed')
      const gone = new Promise((resolve) => client.once('disconnect', resolve))
      await world().whileOff('dimmed', async () => {
        await gone
        await eventually(() => left.includes('zhao'), 'the plugin hearing of it')
        await assert.rejects(enter('zhao', 'dimmed'), { message: 'HUB_NOT_FOUND' })
        assert.ok((await enter('zhao')).connected)
      })
      const again = await enter('zhao', 'dimmed')
      assert.deepEqual(await again.emitWithAck('shine', 1), { name: 'zhao', data: 1 })
      const light = next(again)
      push('dimmed', 'room:zhao', '又亮了')
      assert.equal(await light, '又亮了')
    })

    test('who was being let in while it was switched off stays out', async () => {
      const name = `late-${world().hub.nodeId}`
      const { promise, resolve } = Promise.withResolvers<void>()
      gates.set(name, promise)
      const entering = enter(name, 'dimmed')
      await eventually(() => knocked.includes(name), 'the knock')
      await world().whileOff('dimmed', async () => {
        resolve()
        await assert.rejects(entering, { message: 'HUB_NOT_FOUND' })
      })
    })
  },
)
