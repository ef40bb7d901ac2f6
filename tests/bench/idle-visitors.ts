/**
 * What a visitor costs who is there and says nothing: one who has spoken before, so the widget holds a live line, and
 * gives its sign of life every 25 seconds. In a hub of its own, before and after its garbage is gone.
 */
import { mkdirSync } from 'node:fs'
import { io, type Socket } from 'socket.io-client'
import { freePort } from '../support/free-port.ts'
import { makePlace, type ProfileName } from '../support/profiles.ts'
import { addressOf, forgetRedis, makeSite, makeVisitors, signIn, startHub } from './hub.ts'
import { Client, paced } from './load.ts'
import { watch } from './process.ts'

export interface IdleVisitors {
  profile: ProfileName
  count: number
  beforeMb: number
  afterMb: number
  kbEach: number
  /** Of the hub's process, for one sign of life. */
  beatCpuMs: number
  failed: number
}

const beatEveryMs = 25_000
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

export async function measureIdleVisitors(profile: ProfileName, count: number, beatMs: number): Promise<IdleVisitors> {
  const place = await makePlace(profile)
  const undo: (() => unknown)[] = [() => place.remove()]
  try {
    mkdirSync(place.dataDir, { recursive: true })
    undo.push(() => forgetRedis(place))
    const hub = await startHub(place, await freePort(), ['--expose-gc', '--import', './tests/bench/collect-on-signal.ts'])
    undo.push(() => hub.stop())
    const client = new Client(hub.url)
    undo.push(() => client.close())
    const site = await makeSite(client, await signIn(client))
    const tokens = await makeVisitors(client, site, count)

    let made = 0
    const visits = tokens.map(() => `01${(++made).toString(36).padStart(24, '0')}`)
    const beat = async (i: number): Promise<void> => {
      const token = tokens[i] ?? ''
      const body = JSON.stringify({ visitId: visits[i], url: 'https://shop.example.cn/goods/1', title: '老班章古树春茶', referrer: '', token })
      const send = () => client.post(`/api/x/website/inboxes/${site}/beat`, body, { 'user-agent': 'Mozilla/5.0 Chrome/126' }, addressOf(token))
      // A kept connection may have been closed just when it was to be used again: browsers ask once more, too.
      const { status, text } = await send().catch(send)
      if (status !== 200) throw new Error(`beat: ${status} ${text}`)
    }
    // Everything that is made once is made before it is weighed.
    for (let i = 0; i < 50; i++) await beat(i)
    const sockets: Socket[] = []
    undo.push(() => sockets.forEach((socket) => void socket.close()))
    const join = async (i: number): Promise<void> => {
      const socket = io(`${hub.url}/x/website`, { path: '/socket', transports: ['websocket'], reconnection: false, forceNew: true, auth: { token: tokens[i] } })
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.once('connect_error', reject)
      })
      sockets.push(socket)
    }
    const collected = async (): Promise<number> => {
      await pause(2_000)
      hub.signal('SIGUSR2')
      await pause(2_000)
      return hub.rssMb()
    }
    const warm = Math.min(50, count)
    for (let i = 0; i < warm; i++) await join(i)
    const beforeMb = await collected()
    for (let i = warm; i < count; i += 50) await Promise.all(Array.from({ length: Math.min(50, count - i) }, (_, j) => join(i + j)))
    for (let i = 50; i < count; i += 25) await Promise.all(Array.from({ length: Math.min(25, count - i) }, (_, j) => beat(i + j)))
    const end = watch(hub)
    let turn = 0
    const beats = await paced(count / (beatEveryMs / 1_000), beatMs, () => beat(turn++ % count))
    const { cpu } = end()
    const afterMb = await collected()
    return {
      profile,
      count,
      beforeMb,
      afterMb,
      kbEach: ((afterMb - beforeMb) * 1_024) / (count - warm),
      beatCpuMs: (cpu * 1_000) / beats.count,
      failed: beats.failed,
    }
  } finally {
    for (const take of undo.reverse()) await Promise.resolve(take()).catch?.((error: Error) => console.error(`clean-up: ${error.message}`))
  }
}
