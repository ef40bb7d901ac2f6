/**
 * `npm run chaos`: visitors and agents talk both ways while what they talk through is killed. At the end every
 * acknowledged message must be stored exactly once, in order, and every screen must show what the database holds.
 *
 * Customers of WeChat, Douyin, an app and mail take part; see `platforms.ts`.
 *
 *   node tests/chaos/run.ts [--profile embedded|served|both] [--seconds 120] [--visitors 50] [--customers 8] [--agents 10] [--seed N]
 *   node tests/chaos/run.ts --fuzz 100000 [--seed N]      instead: hostile bodies for every channel; see `fuzz.ts`
 *
 * Exit code 1 when anything was lost, doubled, misordered, left behind on a screen, not marked as uncertain, or ended by itself.
 */
import { parseArgs } from 'node:util'
import { BrowserVisitor } from './browsers.ts'
import { AgentClient, Line, newTally, type Tally, Visitor } from './clients.ts'
import { type Cluster, owner, type Profile, startCluster } from './cluster.ts'
import { fuzz } from './fuzz.ts'
import { type ChannelCounts, channels, PlatformCrowd } from './platforms.ts'
import { between, createDice, type Dice, pick, sleep } from './tools.ts'
import { checkAgent, checkMessages, checkVisitor, type Findings, readTruth } from './verify.ts'

/** A message that was being sent when its process was killed is given up for lost after a minute. */
const convergeWithinMs = 150_000
/** All of them are one address to the hub, which takes 60 new sessions and 600 looks a minute from it. */
const mostBrowsers = 4
const password = 'another long pass-phrase 8'

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'both' },
    seconds: { type: 'string', default: '120' },
    visitors: { type: 'string', default: '50' },
    customers: { type: 'string', default: '8' },
    agents: { type: 'string', default: '10' },
    fuzz: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const number = (name: 'seconds' | 'visitors' | 'customers' | 'agents' | 'fuzz' | 'seed', low: number, high: number): number => {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= low && value <= high) return value
  console.error(`--${name} must be a whole number from ${low} to ${high}`)
  process.exit(2)
}
if (values.fuzz !== undefined) process.exit(await fuzz(number('fuzz', 1, 100_000_000), number('seed', 0, 2 ** 32 - 1)))
const options = {
  customers: number('customers', 0, 250),
  seconds: number('seconds', 1, 3_600),
  visitors: number('visitors', 1, 500),
  agents: number('agents', 1, 100),
  seed: number('seed', 0, 2 ** 32 - 1),
}
const profiles = { embedded: ['embedded'], served: ['served'], both: ['embedded', 'served'] }[values.profile] as Profile[] | undefined
if (!profiles) {
  console.error('--profile must be embedded, served or both')
  process.exit(2)
}

interface Result {
  profile: Profile
  cluster: Cluster
  tally: Tally
  findings: Findings
  crowd: PlatformCrowd
  behind: string[]
  messages: { in: number; out: number; refused: number; stored: number; conversations: number }
  convergedMs: number
  /** Processes that did not end when asked to. */
  rough: string[]
}

/** Who takes part: accounts made and opened through the API, as an operator would. */
async function gather(
  cluster: Cluster,
  tally: Tally,
  dice: Dice,
  giveUp: AbortSignal,
): Promise<{ visitors: Visitor[]; browsers: BrowserVisitor[]; agents: AgentClient[] }> {
  const line = (index: number) => new Line(cluster.bases, `127.0.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`, tally, dice, giveUp)
  const boss = new AgentClient('owner', true, line(0))
  await boss.signIn(owner.email, owner.password)
  const expect = async (status: number, answer: Promise<{ status: number; body: any }>) => {
    const got = await answer
    if (got.status !== status) throw new Error(`setting up: ${got.status} ${JSON.stringify(got.body)}`)
    return got.body
  }
  const inbox = (await expect(200, boss.call('GET', '/api/inboxes'))).items.find(({ channel }: { channel: string }) => channel === 'website')
  const roles = (await expect(200, boss.call('GET', '/api/roles'))).items as { id: string; builtin: string | null }[]
  const roleId = (builtin: string) => roles.find((role) => role.builtin === builtin)?.id
  const agents: AgentClient[] = []
  for (let i = 1; i <= options.agents; i++) {
    // One in five sees everything, the others what is theirs.
    const seesAll = i % 5 === 0
    const agent = new AgentClient(`agent-${i}`, seesAll, line(i))
    const email = `agent-${i}@chaos.test`
    const { invitation } = await expect(
      201,
      boss.call('POST', '/api/agents', { email, name: `Agent ${i}`, capacity: 100, roleIds: [roleId(seesAll ? 'admin' : 'agent')] }),
    )
    await expect(200, agent.call('POST', `/api/invitations/${invitation.split('/').at(-1)}`, { password }))
    await agent.signIn(email, password)
    agent.sitDown(i % 2 === 0)
    agents.push(agent)
  }
  await expect(200, boss.call('PUT', '/api/me/presence', { presence: 'offline' }))
  const visitors = Array.from({ length: options.visitors }, (_, i) => new Visitor(`visitor-${i + 1}`, line(200 + i)))
  // Every fifth has the site open in two windows.
  await Promise.all(visitors.map((visitor, i) => visitor.arrive(inbox.id, i % 5 === 0 ? 2 : 1)))
  // They come when they come: the hub may be away.
  const browsers = Array.from(
    { length: Math.min(mostBrowsers, Math.ceil(options.visitors / 4)) },
    (_, i) => new BrowserVisitor(`browser-${i + 1}`, inbox.id, cluster.bases, dice),
  )
  return { visitors, browsers, agents }
}

/** One fault after the other; each kind has its turn before any comes again. */
async function harm(cluster: Cluster, crowd: PlatformCrowd, dice: Dice, stop: AbortSignal): Promise<void> {
  let left: string[] = []
  for (;;) {
    // One process has to come back before it can be killed again; of several, others go on.
    await sleep(cluster.profile === 'embedded' ? between(dice, 2_500, 6_000) : between(dice, 1_000, 4_000), stop)
    if (stop.aborted) return
    if (left.length === 0) left = [...cluster.kinds, ...(options.customers > 0 ? crowd.kinds : [])]
    const kind = pick(dice, left) ?? ''
    left = left.filter((other) => other !== kind)
    if (cluster.kinds.includes(kind)) await cluster.harm(kind)
    else await crowd.harm(kind)
  }
}

async function cutSockets(sockets: readonly { cut(): boolean }[], tally: Tally, dice: Dice, stop: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(between(dice, 300, 1_500), stop)
    if (stop.aborted) return
    if (pick(dice, sockets)?.cut()) tally.cuts++
  }
}

async function run(profile: Profile): Promise<Result> {
  const dice = createDice(options.seed)
  const tally = newTally()
  const giveUp = new AbortController()
  const say = (text: string) => console.log(`[${profile}] ${text}`)
  say('starting')
  const cluster = await startCluster(profile, dice)
  say(`logs and data in ${cluster.folder}`)
  let crowd: PlatformCrowd | undefined
  try {
    // Away for a minute, if the run is long enough to see them come back.
    const downMs = Math.min(60_000, options.seconds * 250)
    crowd = await PlatformCrowd.open(cluster, dice, options.customers, downMs, giveUp.signal)
    const people = crowd
    say(`mail by ${crowd.platforms.email.servers.kind}`)
    const { visitors, browsers, agents } = await gather(cluster, tally, dice, giveUp.signal)
    const windows = visitors.flatMap(({ screens }) => screens)
    const sockets = [...windows, ...agents].flatMap(({ socket }) => socket ?? [])

    say(`${visitors.length} visitors, ${options.customers} customers of each platform and ${agents.length} agents talk for ${options.seconds} s`)
    const stop = AbortSignal.timeout(options.seconds * 1_000)
    const talk = [...[...visitors, ...browsers].map((visitor) => visitor.talk(stop)), ...agents.map((agent) => agent.work(stop, agents)), crowd.talk(stop)]
    // When the run itself fails, that is what is to be told.
    for (const one of talk) one.catch(() => undefined)
    await Promise.all([harm(cluster, crowd, dice, stop), cutSockets(sockets, tally, dice, stop)])

    say('no more faults; waiting until every screen shows what is stored')
    const healing = Date.now()
    await cluster.heal()
    const deadline = setTimeout(() => giveUp.abort(), convergeWithinMs)
    await crowd.heal()
    await Promise.all(talk)
    // What is to be tried again need not wait for hours. In the short run neither for the minute after which a send counts as
    // lost: nobody sends any more once all are killed, so what is being sent is lost now.
    if (options.seconds < 60) await cluster.strikeAll()
    const states = options.seconds < 60 ? "('queued', 'sending')" : "('queued')"
    const hasten = `update outbound set due_at = created_at where state in ${states}`
    await cluster.execute({ sqlite: hasten, mysql: hasten })
    const look = async () => {
      for (const browser of browsers) await browser.scrollBack()
      const truth = await readTruth(cluster)
      const behind = [
        ...(truth.parked > 0 ? [`${truth.parked} accepted events are not messages yet`] : []),
        ...people.behind(truth),
        ...agents.flatMap((agent) => checkAgent(truth, agent) ?? []),
        ...[...visitors, ...browsers].flatMap((visitor) => visitor.screens.flatMap((screen) => checkVisitor(truth, visitor.externalId, screen) ?? [])),
        ...browsers.flatMap((browser) => browser.behind()),
      ]
      return { truth, behind }
    }
    let seen = await look()
    while (seen.behind.length > 0 && !giveUp.signal.aborted) {
      await sleep(250, giveUp.signal)
      seen = await look()
    }
    clearTimeout(deadline)
    const convergedMs = Date.now() - healing

    giveUp.abort()
    for (const one of [...sockets, ...browsers]) one.close()
    await crowd.judge(seen.truth)
    const rough = await cluster.stop()
    await crowd.stop()
    const said = { in: [...visitors, ...browsers].flatMap((visitor) => visitor.said), out: agents.flatMap((agent) => agent.said) }
    const acknowledged = (sayings: typeof said.in) => sayings.filter(({ fate }) => fate === 'acknowledged').length
    return {
      profile,
      cluster,
      tally,
      findings: checkMessages(seen.truth, [...visitors, ...browsers], agents),
      crowd,
      behind: seen.behind,
      messages: {
        in: acknowledged(said.in),
        out: acknowledged(said.out),
        refused: said.out.filter(({ fate }) => fate === 'refused').length,
        stored: seen.truth.messages.length,
        conversations: seen.truth.conversations.length,
      },
      convergedMs,
      rough,
    }
  } catch (error) {
    giveUp.abort()
    await crowd?.stop()
    await cluster.stop()
    throw error
  }
}

const problems = ({ findings, crowd, behind, tally, cluster, rough }: Result): string[] => [
  ...[...crowd.counts].flatMap(([channel, { losses, doubles, unmarked }]) => [
    ...losses.map((text) => `${channel}, lost: ${text}`),
    ...doubles.map((text) => `${channel}, double: ${text}`),
    ...unmarked.map((text) => `${channel}, fate: ${text}`),
  ]),
  ...findings.losses.map((text) => `lost: ${text}`),
  ...findings.doubles.map((text) => `double: ${text}`),
  ...findings.misordered.map((text) => `order: ${text}`),
  ...findings.miscounted.map((text) => `count: ${text}`),
  ...behind.map((text) => `behind: ${text}`),
  ...tally.wrongs.map((text) => `wrong: ${text}`),
  ...cluster.crashes.map((text) => `crash: ${text}`),
  ...rough,
]

function table(results: readonly Result[]): string {
  const kinds = [...new Set(results.flatMap(({ cluster }) => [...cluster.faults.keys()]))].sort()
  const rows: [string, (result: Result) => string | number][] = [
    ['', ({ profile }) => profile],
    ['seconds', () => options.seconds],
    ['visitors / agents', () => `${options.visitors} / ${options.agents}`],
    ...kinds.map((kind): [string, (result: Result) => number | string] => [
      `fault: ${kind}`,
      ({ cluster }) => (cluster.kinds.includes(kind) ? (cluster.faults.get(kind) ?? 0) : '-'),
    ]),
    ['fault: socket cut', ({ tally }) => tally.cuts],
    ['fault: request repeated', ({ tally }) => tally.repeats],
    ['requests tried again', ({ tally }) => tally.retries],
    ['messages in, acknowledged', ({ messages }) => messages.in],
    ['messages out, acknowledged', ({ messages }) => messages.out],
    ['messages out, refused to their sender', ({ messages }) => messages.refused],
    ['messages stored (with lines of the system)', ({ messages }) => messages.stored],
    ['conversations', ({ messages }) => messages.conversations],
    ['all screens converged after, ms', ({ convergedMs, behind }) => (behind.length > 0 ? 'never' : convergedMs)],
    ['starts that failed and were tried again', ({ cluster }) => cluster.failedStarts],
    ['LOSSES', ({ findings }) => findings.losses.length],
    ['DOUBLES', ({ findings }) => findings.doubles.length],
    ['OUT OF ORDER', ({ findings }) => findings.misordered.length],
    ['SCREENS BEHIND', ({ behind }) => behind.length],
    ['COUNTS WRONG', ({ findings }) => findings.miscounted.length],
    ['ANSWERS WRONG', ({ tally }) => tally.wrongs.length],
    ['PROCESSES THAT ENDED BY THEMSELVES', ({ cluster }) => cluster.crashes.length],
    ['PROCESSES THAT DID NOT END WHEN ASKED', ({ rough }) => rough.length],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}${results.map((result) => String(value(result)).padStart(11)).join('')}`).join('\n')
}

/** What went through each platform, and what became of it. */
function channelTable({ profile, crowd }: Result): string {
  const rows: [string, (counts: ChannelCounts) => string | number][] = [
    [profile, () => ''],
    ['customers', ({ customers }) => customers],
    ['said by customers', ({ words }) => words],
    ['  told again', ({ repeated }) => repeated],
    ['  the newer first', ({ reordered }) => reordered],
    ['  cut off mid-body', ({ cutMidBody }) => cutMidBody],
    ['  broken off without an answer', ({ broken }) => broken],
    ['  committed, and never answered', ({ committedUnanswered }) => committedUnanswered],
    ['platform away', ({ downs }) => downs],
    ['answers to a send lost', ({ answersLost }) => answersLost],
    ['killed between send and receipt', ({ killedSending }) => killedSending],
    ['said by agents: sent', ({ out }) => out.sent ?? 0],
    ['said by agents: uncertain', ({ out }) => out.uncertain ?? 0],
    ['said by agents: failed', ({ out }) => out.failed ?? 0],
    ['reached customers', ({ arrived }) => arrived],
    ['LOSSES', ({ losses }) => losses.length],
    ['DOUBLES', ({ doubles }) => doubles.length],
    ['UNCERTAIN AND NOT MARKED SO', ({ unmarked }) => unmarked.length],
  ]
  const present = channels.filter((channel) => (crowd.counts.get(channel)?.customers ?? 0) > 0)
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    ''.padEnd(width) + present.map((name) => name.padStart(11)).join(''),
    ...rows.map(
      ([name, value]) => name.padEnd(width) + present.map((channel) => String(value(crowd.counts.get(channel) as ChannelCounts)).padStart(11)).join(''),
    ),
    ...present.flatMap((channel) =>
      Object.entries(crowd.counts.get(channel)?.failures ?? {}).map(([why, times]) => `${channel} failed, ${times} times: ${why}`),
    ),
  ].join('\n')
}

console.log(`chaos with --seed ${options.seed}`)
const results: Result[] = []
let failed = false
for (const profile of profiles) {
  const result = await run(profile).catch((error: Error) => {
    console.error(`\n! THE ${profile.toUpperCase()} PROFILE COULD NOT BE RUN: ${error.stack}\n`)
    failed = true
  })
  if (!result) continue
  results.push(result)
  const found = problems(result)
  for (const text of found.slice(0, 30)) console.error(`[${profile}] ${text}`)
  if (found.length > 30) console.error(`[${profile}] … and ${found.length - 30} more`)
  if (found.length > 0) {
    failed = true
    console.error(`[${profile}] kept for you: ${result.cluster.folder}`)
  } else result.cluster.remove()
}
if (results.length > 0) console.log(`\n${table(results)}\n\n${results.map(channelTable).join('\n\n')}\n`)
console.log(failed ? 'FAILED' : 'passed: nothing lost, nothing twice, every screen as the database')
process.exit(failed ? 1 : 0)
