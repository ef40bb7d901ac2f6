/**
 * npm run bench -- records: how long a person waits for a list of records, in a hub with a long history. Seeds a
 * database of its own, lets the indexer make the index of words, and asks for first pages, deep pages and counts.
 *   --messages N         1 000 000 by default; a tenth as many conversations
 *   --profile embedded|served
 *   --keep               leaves the database, and says where
 *   --use PLACE          one that was kept (a folder, or mysql://…): is not seeded again
 *   --times N            copies the history into the years before (10 at most): --times 10 makes ten million of one
 *   --rounds N           how often each query is asked, 20 by default; 0 leaves them out
 *   --designs            also other ways to find words, for comparison (needs room for their indexes)
 *   --only TEXT          only queries whose name holds it
 * Measured inside one process without HTTP. "CPU ms" is this process's own time: on SQLite that is all there is, and does
 * not grow when other programs take the processor away; of MariaDB it is the hub's part only.
 */
import { existsSync, statSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { RecordFilter } from '../../../core/sdk/wire/record.ts'
import { buildAbility } from '../../../core/src/access/ability.ts'
import { builtinGrants, corePermissions } from '../../../core/src/access/permissions.ts'
import { coreHistory } from '../../../core/src/db/history.ts'
import { migrate } from '../../../core/src/db/migrate.ts'
import { openOrm } from '../../../core/src/db/open-orm.ts'
import { dialectOf, type Em } from '../../../core/src/db/orm.ts'
import { keepStatements } from '../../../core/src/db/statements.ts'
import { Contact } from '../../../core/src/domain/contact/contact.entity.ts'
import { writeCustomFields } from '../../../core/src/domain/contact/custom-fields.ts'
import { readThread } from '../../../core/src/domain/contact/read-thread.ts'
import { readTimeline } from '../../../core/src/domain/contact/read-timeline.ts'
import { countMatching, findRecords } from '../../../core/src/domain/record/find/find-records.ts'
import { indexMessages } from '../../../core/src/domain/record/find/index-messages.ts'
import type { Actor } from '../../../core/src/http/auth.ts'
import type { Hub } from '../../../core/src/hub.ts'
import { loadIndexKey } from '../../../core/src/sealing/index-key.ts'
import { makePlace, type Place, type ProfileName } from '../../support/profiles.ts'
import { measureDesigns } from './designs.ts'
import { multiply } from './multiply.ts'
import { addressOf, facets, levels, phoneOf, planted, seed } from './seed.ts'

const flag = (name: string): string | undefined => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined)
const has = (name: string): boolean => process.argv.includes(name)
const say = (line: string): void => console.error(`  ${line}`)
const day = 86_400_000

interface Asked {
  what: string
  filter: RecordFilter
  /** How many pages before the one that is measured. */
  deep?: number
  actor?: Actor
}

export async function benchRecords(profiles: readonly ProfileName[]): Promise<string> {
  const messages = Number(flag('--messages') ?? 1_000_000)
  const parts: string[] = []
  for (const profile of profiles) {
    if (flag('--profile') && flag('--profile') !== profile) continue
    const place = flag('--use') ? kept(flag('--use') as string) : await makePlace(profile)
    try {
      parts.push(await measurePlace(profile, place, messages))
    } finally {
      if (has('--keep') || flag('--use')) say(`kept: --use ${place.databaseUrl || place.dataDir}`)
      else await place.remove()
    }
  }
  return parts.join('\n\n')
}

const kept = (use: string): Place => ({
  profile: use.startsWith('mysql:') ? 'served' : 'embedded',
  dataDir: use.startsWith('mysql:') ? '/nonexistent' : use,
  databaseUrl: use.startsWith('mysql:') ? use : '',
  redisUrl: '',
  remove: async () => undefined,
})

async function measurePlace(profile: ProfileName, place: Place, messages: number): Promise<string> {
  const dialect = dialectOf(place)
  const orm = await openOrm({ ...place, secret: 'a-secret-of-the-bench-that-is-long-enough' })
  await keepStatements(orm, dialect)
  await migrate(orm, dialect, [coreHistory], pino({ level: 'silent' }))
  const em = () => orm.em.fork() as Em
  await loadIndexKey(em())
  const lines: string[] = []
  try {
    const there = async (condition: string) =>
      Number(((await em().execute(`select count(*) as n from (select 1 from ${condition} limit 1) t`)) as { n: number }[])[0]?.n) > 0
    if (!(await there('search_block'))) {
      const began = performance.now()
      if (!(await there('message'))) await seed(em, messages, Date.now() - day, (done) => done % 131_072 === 0 && say(`${profile}: ${done} messages seeded`))
      const seeded = performance.now()
      say(`${profile}: seeded in ${((seeded - began) / 1_000).toFixed(0)} s`)
      const before = await bytesOf(em(), place)
      const indexed = await indexMessages(
        { em, env: { roles: { web: true, worker: true } }, intake: { busy: () => false } },
        { until: Number.POSITIVE_INFINITY },
      )
      const seconds = (performance.now() - seeded) / 1_000
      const bytes = (await bytesOf(em(), place)) - before
      lines.push(
        `Index of words: ${indexed} of ${messages} messages in ${seconds.toFixed(1)} s (${Math.round(indexed / seconds)} messages/s), ${(bytes / Math.max(indexed, 1)).toFixed(1)} bytes/message; all else ${(before / messages).toFixed(0)} bytes/message.`,
      )
      say(lines.at(-1) as string)
    }
    const times = Number(flag('--times') ?? 1)
    // Copies lie before everything that was seeded.
    if (times > 1 && !(await there("message where id < '01'"))) await multiply(em, dialect, times, (line) => say(`${profile}: ${line}`))
    if (dialect === 'mysql')
      await em().execute('analyze table conversation, message, contact, conversation_tag, conversation_agent, contact_tag, contact_field, conversation_summary')
    else await em().execute('analyze')
    const [row] = (await em().execute('select count(*) as n from message')) as { n: number }[]
    const held = Number(row?.n)
    const rounds = Number(flag('--rounds') ?? 20)
    const hub = { em, kernel: { running: () => [] } } as unknown as Hub
    await writeCustomFields(em(), { fields: [{ id: 'level', label: '客户等级', options: levels }] })
    if (rounds > 0) lines.push(await measureQueries(hub, rounds), await measureContact(hub, rounds))
    if (has('--designs')) lines.push(await measureDesigns(em(), dialect, say))
    return `### ${profile}, ${held} messages\n\nLoad average ${loadavg()[0]?.toFixed(1)}.\n\n${lines.join('\n\n')}`
  } finally {
    await orm.close()
  }
}

async function bytesOf(em: Em, place: Place): Promise<number> {
  if (place.databaseUrl === '') {
    await em.execute('pragma wal_checkpoint(truncate)')
    const file = join(place.dataDir, 'hub.sqlite')
    return existsSync(file) ? statSync(file).size : 0
  }
  const [row] = (await em.execute("select sum(file_size) as n from information_schema.innodb_sys_tablespaces where name like concat(database(), '/%')")) as {
    n: number
  }[]
  return Number(row?.n)
}

function queries(): Asked[] {
  const { inboxes, agents, departments, groups, categories, tags } = facets
  const from = (days: number) => new Date(Date.now() - days * day).toISOString()
  const own = actorOf('agent', agents[20] as string)
  const words = (what: string, keyword: string, more: RecordFilter = {}, extra: Partial<Asked> = {}): Asked => ({
    what: `words: ${what}`,
    filter: { keyword, ...more },
    ...extra,
  })
  const list = (what: string, filter: RecordFilter, extra: Partial<Asked> = {}): Asked => ({ what: `list: ${what}`, filter, ...extra })
  return [
    list('all', {}),
    list('all, page 100', {}, { deep: 99 }),
    list('7 days', { period: '7d' }),
    list('a month, a year ago', { from: from(400), to: from(370) }),
    list('opened in a month, a year ago', { by: 'createdAt', from: from(400), to: from(370) }),
    list('a busy inbox', { inboxIds: [inboxes[0] as string] }),
    list('a quiet inbox', { inboxIds: [inboxes[11] as string] }),
    list('an agent', { agentIds: [agents[10] as string] }),
    list('an agent, page 20', { agentIds: [agents[10] as string] }, { deep: 19 }),
    list('served by an agent', { servedByIds: [agents[10] as string] }),
    list('served by an agent, page 20', { servedByIds: [agents[10] as string] }, { deep: 19 }),
    list('served by an agent, with pictures, rated bad', { servedByIds: [agents[10] as string], attachments: ['image'], ratings: ['bad'] }),
    list('a customer’s level', { fields: [{ name: 'hub.level', value: levels[0] as string }] }),
    list('a rare level', { fields: [{ name: 'hub.level', value: levels[2] as string }] }),
    list('a remark that begins', { fields: [{ name: 'remark', value: '老客户' }] }),
    list('an address', { fields: [{ name: 'address', value: addressOf(4_242) }] }),
    list('a department', { departmentIds: [departments[5] as string] }),
    list('a category', { categoryIds: [categories[20] as string] }),
    list('rated bad', { ratings: ['bad'] }),
    list('with pictures', { attachments: ['image'] }),
    list('a tag', { tagIds: [tags[5] as string] }),
    list('a rare tag', { tagIds: [tags[39] as string] }),
    list('with a summary', { summary: 'written' }),
    list('starred', { starred: true }, { actor: actorOf('admin', agents[0] as string) }),
    list('a phone number', { contact: phoneOf(4_242) }),
    list('a name', { contact: '王' }),
    list('archived', { status: ['archived'] }),
    list('deleted', { status: ['deleted'] }),
    list('open', { status: ['open'] }),
    list("an agent's own", {}, { actor: own }),
    list('inbox + category + bad', { inboxIds: [inboxes[2] as string], categoryIds: [categories[5] as string], ratings: ['bad'] }),
    list('agent + tag + pictures', { agentIds: [agents[5] as string], tagIds: [tags[1] as string], attachments: ['image', 'file'] }),
    list('department + skill group + voice, sparse', {
      departmentIds: [departments[11] as string],
      skillGroupIds: [groups[1] as string],
      attachments: ['voice'],
      ratings: ['medium', 'bad'],
    }),
    list('pictures + summary + no category, 30 days', { attachments: ['image'], summary: 'written', categoryIds: ['none'], period: '30d' }),
    words('very common, 1', '的'),
    words('very common, 2', '订单'),
    words('very common, 2, page 20', '订单', {}, { deep: 19 }),
    words('common, 2', '退款'),
    words('2', '发票'),
    words('3', '说明书'),
    words('4', '质量太差'),
    words('6', '七天无理由退'),
    words('6, page 20', '七天无理由退', {}, { deep: 19 }),
    words('two words', '屏幕 划痕'),
    words('two words that never meet', '说明书 投诉'),
    words('Latin', 'macbook air'),
    words('Latin, common', 'iphone'),
    words('an order number, absent', '2099123456789'),
    words('a phone number', '1388'),
    words('rare', planted.rare),
    words('rare, exact', planted.rare, { match: 'exact' }),
    words('one single message', planted.single),
    words('absent, 2', '鬯鬲'),
    words('absent, 4', '量子纠缠'),
    words('absent of common signs', '在的不是人'),
    words('common + 7 days', '退款', { period: '7d' }),
    words('common + bad', '退款', { ratings: ['bad'] }),
    words('common + category', '订单', { categoryIds: [categories[20] as string] }),
    words('common + rare tag', '订单', { tagIds: [tags[39] as string] }),
    words('common + phone number', '订单', { contact: phoneOf(4_242) }),
    words('common + agent + pictures', '退款', { agentIds: [agents[5] as string], attachments: ['image'] }),
    words('common + inbox + category + bad', '退款', { inboxIds: [inboxes[2] as string], categoryIds: [categories[5] as string], ratings: ['bad'] }),
    words("common, an agent's own", '退款', {}, { actor: own }),
    words('rare + inbox', planted.rare, { inboxIds: [inboxes[0] as string] }),
  ]
}

function actorOf(role: 'admin' | 'agent', id: string): Actor {
  const ability = buildAbility({ id, departmentId: null, treeIds: [], owner: false }, builtinGrants(role, corePermissions))
  return { agent: { id }, ability, grants: [], owner: false, treeIds: [], sessionId: null, tokenId: null, preview: null } as unknown as Actor
}

async function measureQueries(hub: Hub, rounds: number): Promise<string> {
  const admin = actorOf('admin', facets.agents[1] as string)
  const rows: string[][] = []
  const all: { pages: number[]; counts: number[] } = { pages: [], counts: [] }
  for (const { what, filter, deep = 0, actor = admin } of queries().filter((one) => one.what.includes(flag('--only') ?? ''))) {
    let cursor: string | null = null
    for (let i = 0; i < deep; i++) cursor = (await findRecords(hub, actor, filter, { tz: 'Asia/Shanghai', cursor })).cursor
    const pages: number[] = []
    const cpu: number[] = []
    const counts: number[] = []
    let found = 0
    let partial = 0
    let counted = ''
    for (let i = 0; i < rounds; i++) {
      const [began, used] = [performance.now(), process.cpuUsage()]
      const page = await findRecords(hub, actor, filter, { tz: 'Asia/Shanghai', cursor })
      pages.push(performance.now() - began)
      const { user, system } = process.cpuUsage(used)
      cpu.push((user + system) / 1_000)
      found = page.items.length
      partial += page.partial ? 1 : 0
      if (deep > 0 || i >= rounds / 2) continue
      const counting = performance.now()
      const count = await countMatching(hub, actor, filter, { tz: 'Asia/Shanghai' })
      counts.push(performance.now() - counting)
      counted = `${count.count}${count.more ? '+' : ''}`
    }
    all.pages.push(at(pages, 0.95))
    if (counts.length > 0) all.counts.push(at(counts, 0.95))
    const show = (times: number[], share: number) => (times.length > 0 ? at(times, share).toFixed(1) : '')
    rows.push([
      what,
      String(found),
      partial > 0 ? `${partial}/${rounds}` : '',
      show(pages, 0),
      show(pages, 0.5),
      show(pages, 0.95),
      show(cpu, 0.5),
      counted,
      show(counts, 0.5),
      show(counts, 0.95),
    ])
  }
  const over = rows.filter((row) => Number(row[5]) > 200).map((row) => row[0])
  const head = ['Query', 'rows', 'partial', 'best ms', 'p50', 'p95', 'CPU ms', 'count', 'p50', 'p95']
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
  return `${table}\n\nFirst pages over 200 ms at p95: ${over.join('; ') || 'none'}. Worst page p95 ${Math.max(...all.pages).toFixed(0)} ms, worst count p95 ${Math.max(...all.counts).toFixed(0)} ms.`
}

/** The page of one customer: all that was said with them as one thread, and their timeline, first and deep. */
async function measureContact(hub: Hub, rounds: number): Promise<string> {
  const admin = actorOf('admin', facets.agents[1] as string)
  const em = () => hub.em()
  const contact = await em().findOneOrFail(Contact, { id: await busiest(em()) }, { disableIdentityMap: true })
  const said = await countMatching(hub, admin, { contactId: contact.id, status: ['open', 'closed', 'archived'] }, { tz: 'UTC' })
  const thread = (filter: RecordFilter, end: 'oldest' | 'newest') => (cursor: string | undefined) =>
    readThread(hub, em(), admin, contact, filter, { tz: 'UTC', end, cursor })
  const timeline = (cursor: string | undefined) => readTimeline(em(), admin, contact, cursor)
  const asked: [what: string, read: (cursor: string | undefined) => Promise<{ items: unknown[]; cursor: string | null }>, deep: number][] = [
    ['thread: from the oldest', thread({}, 'oldest'), 0],
    ['thread: from the oldest, page 20', thread({}, 'oldest'), 19],
    ['thread: from the newest', thread({}, 'newest'), 0],
    ['thread: from the newest, page 20', thread({}, 'newest'), 19],
    ['thread: a common word', thread({ keyword: '退款' }, 'newest'), 0],
    ['thread: an absent word', thread({ keyword: '量子纠缠' }, 'newest'), 0],
    ['thread: one channel', thread({ channels: ['wechat'] }, 'newest'), 0],
    ['timeline', timeline, 0],
    ['timeline, page 20', timeline, 19],
  ]
  const rows: string[][] = []
  for (const [what, read, deep] of asked.filter(([name]) => name.includes(flag('--only') ?? ''))) {
    let cursor: string | undefined
    for (let i = 0; i < deep; i++) cursor = (await read(cursor)).cursor ?? undefined
    const times: number[] = []
    let found = 0
    for (let i = 0; i < rounds; i++) {
      const began = performance.now()
      found = (await read(cursor)).items.length
      times.push(performance.now() - began)
    }
    rows.push([what, String(found), ...[0, 0.5, 0.95].map((share) => at(times, share).toFixed(1))])
  }
  const head = ['One customer', 'rows', 'best ms', 'p50', 'p95']
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
  return `A customer of ${said.count}${said.more ? '+' : ''} conversations:\n\n${table}`
}

/** The one with most conversations: the seed gives one customer every hundredth. */
async function busiest(em: Em): Promise<string> {
  const [row] = (await em.execute('select contact_id as id from conversation group by contact_id order by count(*) desc limit 1')) as { id: string }[]
  return row?.id ?? ''
}

const at = (times: readonly number[], share: number): number =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))] as number
