/** The measurements of one profile: the floor first, the hub right after it, row by row. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Socket } from 'socket.io-client'
import { freePort } from '../support/free-port.ts'
import { makePlace, type ProfileName } from '../support/profiles.ts'
import { connect, floorToken, forgetRedis, makeSite, makeVisitors, openRows, saying, signIn, speak, startAsDeployed } from './hub.ts'
import { Client, closedLoop, type Latencies, paced, quantile, type Send } from './load.ts'
import { Served, watch } from './process.ts'

export interface Plan {
  visitors: number
  warmUpMs: number
  rowMs: number
  /** Of the floor and of the hub in turn, so many times: what happens to the machine happens to both. */
  delayRounds: number
  /** In each round. */
  idleSends: number
  pacedMs: number
  perSecond: number
  restarts: number
  settleMs: number
  /** More arguments of the hub's node. */
  nodeArgs: string[]
}

export interface Side {
  latencies: Latencies
  perSecond: number
  /** CPU seconds of the server's process for a thousand messages. */
  cpuPer1000: number
  /** Part of the machine that neither the server nor the load used. */
  others: number
}

export interface RateRow {
  kind: 'messages' | 'conversations'
  concurrency: number
  hub: Side
  floor: Side
}

export interface DelayRow {
  name: string
  hub: Delay
  floor: Delay
}

/** What a round of one side brought: milliseconds from the send to the push. */
interface Round {
  took: number[]
  sent: number
  missed: number
  seconds: number
}

interface Delay {
  p50: number
  p99: number
  sent: number
  missed: number
  perSecond: number
}

export interface Measured {
  profile: ProfileName
  rates: RateRow[]
  delays: DelayRow[]
  echo: { p50: number; p99: number }
  start: { firstMs: number; againMs: number; floorMs: number; idleMb: number; usedMb: number; floorMb: number }
  /** 201s of the hub, and the customers' messages in its database. */
  accepted: number
  stored: number
  complaints: string[]
}

async function side(server: Served, run: () => Promise<Latencies>): Promise<Side> {
  const end = watch(server)
  const latencies = await run()
  const { cpu, others } = end()
  return { latencies, perSecond: latencies.count / latencies.seconds, cpuPer1000: (cpu / latencies.count) * 1_000, others }
}

/** Sends at a row's pace, for all of the row's time or for a part of it. */
type Load = (one: Send, part: number) => Promise<Latencies>

/** From before the visitor's request to the agent's push that carries its text. */
async function delayOf(socket: Socket, send: (say: ReturnType<typeof saying>) => Promise<void>, load: Load): Promise<Round> {
  const waiting = new Map<string, number>()
  let took: number[] = []
  const hear = ({ messages }: { messages: { parts: { text?: string }[] }[] }): void => {
    for (const { parts } of messages)
      for (const { text = '' } of parts) {
        const began = waiting.get(text)
        if (began === undefined) continue
        took.push(performance.now() - began)
        waiting.delete(text)
      }
  }
  socket.on('conversation', hear)
  const one: Send = async () => {
    const say = saying()
    waiting.set(say.text, performance.now())
    await send(say)
  }
  const arrived = async (): Promise<void> => {
    for (let i = 0; i < 300 && waiting.size > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  // Either side has rested: what it takes to get going again is not what is asked.
  await load(one, 1 / 4)
  await arrived()
  waiting.clear()
  took = []
  const { count, seconds } = await load(one, 1)
  await arrived()
  socket.off('conversation', hear)
  return { took, sent: count, missed: waiting.size, seconds }
}

function together(rounds: readonly Round[]): Delay {
  const took = rounds.flatMap((round) => round.took)
  const sum = (what: 'sent' | 'missed' | 'seconds') => rounds.reduce((so, round) => so + round[what], 0)
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99), sent: sum('sent'), missed: sum('missed'), perSecond: sum('sent') / sum('seconds') }
}

async function echoes(socket: Socket, count: number): Promise<{ p50: number; p99: number }> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const at = performance.now()
    await socket.emitWithAck('echo', i)
    took.push(performance.now() - at)
  }
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
}

export async function measure(profile: ProfileName, plan: Plan, say: (line: string) => void): Promise<Measured> {
  const place = await makePlace(profile)
  const undo: (() => unknown)[] = [() => place.remove()]
  try {
    mkdirSync(place.dataDir, { recursive: true })
    undo.push(() => forgetRedis(place))
    const hubPort = await freePort()

    // Starts: the first makes the tables and the owner, later ones find them.
    let hub = await startAsDeployed(place, hubPort, plan.restarts === 0 ? plan.nodeArgs : [])
    undo.push(() => hub.stop())
    const firstMs = hub.startMs
    const again: number[] = []
    for (let i = 0; i < plan.restarts; i++) {
      await hub.stop()
      hub = await startAsDeployed(place, hubPort, i === plan.restarts - 1 ? plan.nodeArgs : [])
      again.push(hub.startMs)
    }
    const rows = await openRows(place)
    undo.push(() => rows.close())
    if (profile === 'served')
      await rows.run(
        'create table floor (id bigint auto_increment primary key, client_id varchar(64) not null, body text not null, created_at datetime(3) not null)',
      )
    const floorPort = await freePort()
    const floor = await Served.start(floorPort, ['tests/bench/floor.ts', String(floorPort), place.databaseUrl || join(place.dataDir, 'floor.sqlite')], {})
    undo.push(() => floor.stop())
    await new Promise((resolve) => setTimeout(resolve, plan.settleMs))
    const [idleMb, floorMb] = [hub.rssMb(), floor.rssMb()]

    const [hubClient, floorClient] = [new Client(hub.url), new Client(floor.url)]
    undo.push(
      () => hubClient.close(),
      () => floorClient.close(),
    )
    let cookie = await signIn(hubClient)
    const site = await makeSite(hubClient, cookie)
    // One agent takes them all, or most rows would be about a queue that only grows.
    await rows.run('update agent set capacity = 1000000')
    const tokens = await makeVisitors(hubClient, site, plan.visitors)
    let accepted = 0
    const sayAs = async (token: string, words = saying()): Promise<void> => {
      await speak(hubClient, token, words)
      accepted++
    }
    // The floor looks at no token; it is as long as the hub's.
    const anyToken = floorToken().padEnd(tokens[0]?.length ?? 120, 'x')
    const toFloor = (words = saying()) => speak(floorClient, anyToken, words)
    /** Whose turn it is, of those who have a conversation. */
    let spoken: string[] = []
    let turn = 0
    const toHub = (words = saying()) => sayAs(spoken[turn++ % spoken.length] ?? '', words)

    say(`${profile}: warming up`)
    // V8 compiles what is used much again and better: for one of its first messages a hub takes half as much time again as after
    // seventy thousand. Both sides are measured as they are once they have worked for a while.
    const warmers = Math.floor(plan.visitors / 2)
    spoken = tokens.slice(0, warmers)
    await closedLoop(16, 10_000, warmers, toHub)
    await closedLoop(64, plan.warmUpMs, warmers * 90, toHub)
    await closedLoop(64, plan.warmUpMs / 4, 200_000, toFloor)

    const rates: RateRow[] = []
    const row = async (kind: RateRow['kind'], concurrency: number, hubSend: Send, max: number, ms = plan.rowMs): Promise<void> => {
      say(`${profile}: ${kind} at ${concurrency}`)
      // What the row before has left to be done is not the floor's to bear.
      await hub.quiet()
      const floorSide = await side(floor, () => closedLoop(concurrency, plan.rowMs * 0.6, 60_000, toFloor))
      const hubSide = await side(hub, () => closedLoop(concurrency, ms, max, hubSend))
      rates.push({ kind, concurrency, hub: hubSide, floor: floorSide })
    }
    // Signed in anew: an agent without a socket counts as there for 45 seconds.
    cookie = await signIn(hubClient)
    const fresh = tokens.slice(warmers)
    let next = 0
    await row('conversations', 16, () => sayAs(fresh[next++] ?? ''), fresh.length, 15_000)
    spoken = tokens.slice(0, warmers + next)
    // A visitor may send 120 a minute; the rows together stay below it.
    const most = spoken.length * 28
    for (const concurrency of [1, 16, 64]) await row('messages', concurrency, toHub, most)

    const socket = await connect(hub.url, cookie)
    undo.push(() => socket.close())
    const floorSocket = await connect(floor.url)
    undo.push(() => floorSocket.close())
    const delays: DelayRow[] = []
    const delay = async (name: string, load: Load): Promise<void> => {
      say(`${profile}: delay, ${name}`)
      const [ofFloor, ofHub]: [Round[], Round[]] = [[], []]
      for (let round = 0; round < plan.delayRounds; round++) {
        // What has been left to be done before is not the floor's to bear.
        await hub.quiet()
        ofFloor.push(await delayOf(floorSocket, toFloor, load))
        ofHub.push(await delayOf(socket, toHub, load))
      }
      delays.push({ name, floor: together(ofFloor), hub: together(ofHub) })
    }
    const pause = () => new Promise((resolve) => setTimeout(resolve, 20))
    await delay('idle', (one, part) => closedLoop(1, 10_000, Math.ceil(plan.idleSends * part), () => one().finally(pause)))
    await delay(`${plan.perSecond}/s`, (one, part) => paced(plan.perSecond, plan.pacedMs * part, one))
    const echo = await echoes(floorSocket, 300)

    const [count] = (await rows.run("select count(*) as n from message where direction = 'in'")) as { n: number }[]
    return {
      profile,
      rates,
      delays,
      echo,
      start: { firstMs, againMs: quantile(again, 0.5), floorMs: floor.startMs, idleMb, usedMb: hub.rssMb(), floorMb },
      accepted,
      stored: Number(count?.n),
      complaints: hub.complaints(),
    }
  } finally {
    for (const take of undo.reverse()) await Promise.resolve(take()).catch?.((error: Error) => console.error(`clean-up: ${error.message}`))
  }
}
