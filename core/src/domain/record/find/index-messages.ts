/**
 * Keeps the index of words: takes messages that have lain quiet a while, in the order of their ids, and writes down for
 * a block of them which hold which pairs of characters (`keyword.ts`). It follows the messages by itself; whoever writes
 * one knows nothing of it. What is not in a block yet is found by reading it (`search-records.ts`).
 *
 * Killed anywhere it begins again: a block counts from the one statement that makes it live; what was half made goes.
 */
import type { Em } from '../../../db/orm.ts'
import { execute, type Sql, sql } from '../../../db/statements.ts'
import type { Hub } from '../../../hub.ts'
import { quietly } from '../../../pipeline/give-way.ts'
import { SearchBlock } from './index.entity.ts'
import { eachGram } from './keyword.ts'
import { msOf, query } from './list-records.ts'
import { packHits, packIds } from './postings.ts'
import { raw } from './sql-where.ts'

export interface IndexSizes {
  /** Messages of a block as it is first made; as many of these as there are in a large one become one. */
  small: number
  large: number
  /** A message may commit after one with a later id: so long the last ones are left alone. */
  quietMs: number
}
const indexSizes: IndexSizes = { small: 4_096, large: 65_536, quietMs: 60_000 }
/** A block ends here even with fewer messages: letters are long. */
const mostText = 8_000_000
/** Names of messages that lie in one row. */
export const idsPerRow = 128
/** A block's names stand beside its grams, under numbers that are none. */
export const idsKey = (row: number): number => -1 - row

const pageSize = 100
const measuredAtOnce = 1_000

/** Called after each small piece of work. Throws {@link Stopped} when the hub ends. */
type Breath = () => Promise<void>

const minute = 60_000
/** After messages were purged: the blocks they stood in are made anew once for all that go meanwhile. */
const purgedAfterMs = 5 * minute
const buildWithinMs = 15 * minute
/** Who reads the blocks may hold the list of them so long. */
const retireAfterMs = 2 * minute
/** When a block of this age is looked at again: texts come late, messages are purged. */
const checkAfterMs = [5 * minute, 60 * minute, 24 * 60 * minute, 30 * 24 * 60 * minute]

/** Does what there is to do, at most until `until`; tells how many messages were indexed. Only one process at a time may. */
export async function indexMessages(
  hub: Pick<Hub, 'em'> & Parameters<typeof quietly>[0],
  { until, stopped = () => false }: { until: number; stopped?: () => boolean },
  sizes = indexSizes,
): Promise<number> {
  let indexed = 0
  const rest = quietly(hub)
  const breath = async (): Promise<void> => {
    if (stopped()) throw new Stopped()
    await rest()
  }
  try {
    for (;;) {
      const em = hub.em()
      const done = (await clear(em, breath)) || (await grow(em, sizes, breath)) || (await join(em, sizes, breath)) || (await check(em, breath))
      if (!done) return indexed
      indexed += done === true ? 0 : done
      if (performance.now() > until || stopped()) return indexed
    }
  } catch (error) {
    // A block that is half made is thrown away and begun again.
    if (error instanceof Stopped) return indexed
    throw error
  }
}
class Stopped extends Error {}

export const liveBlocks = (em: Em): Promise<SearchBlock[]> =>
  em.find(SearchBlock, { state: 'live' }, { orderBy: { lastId: 'desc' }, disableIdentityMap: true }) as Promise<SearchBlock[]>

/** These messages are about to be purged: the blocks that say which pairs of characters they held are looked at soon. */
export async function forgetMessages(em: Em, ids: readonly string[]): Promise<void> {
  const sorted = [...ids].sort()
  const [first, last] = [sorted[0], sorted.at(-1)]
  if (first === undefined || last === undefined) return
  const soon = new Date(Date.now() + purgedAfterMs)
  const where = { state: 'live' as const, dueAt: { $gt: soon }, afterId: { $lt: last }, lastId: { $gte: first } }
  const blocks = await em.find(SearchBlock, where, { fields: ['id', 'afterId', 'lastId'], disableIdentityMap: true })
  const holding = blocks.filter(({ afterId, lastId }) => sorted.some((id) => id > afterId && id <= lastId)).map(({ id }) => id)
  if (holding.length > 0) await em.nativeUpdate(SearchBlock, { id: { $in: holding }, dueAt: { $gt: soon } }, { dueAt: soon })
}

/** What is retired or was given up half made goes. */
async function clear(em: Em, breath: Breath): Promise<boolean> {
  const block = await em.findOne(
    SearchBlock,
    { state: { $in: ['building', 'retired'] }, dueAt: { $lte: new Date() } },
    { orderBy: { dueAt: 'asc' }, disableIdentityMap: true },
  )
  if (!block) return false
  for (;;) {
    const [last] = await query<{ gram: number | string }>(em, sql`select gram from search_posting where block = ${block.id} order by gram limit 1 offset 2000`)
    await em.execute(`delete from search_posting where block = ? and gram <= ?`, [block.id, last ? Number(last.gram) : Number.MAX_SAFE_INTEGER])
    if (!last) break
    await breath()
  }
  await em.nativeDelete(SearchBlock, { id: block.id })
  return true
}

/** A block of the oldest messages that are in none: a large one where so many wait, after an upgrade. */
async function grow(em: Em, sizes: IndexSizes, breath: Breath): Promise<number | false> {
  const [newest] = await em.find(SearchBlock, { state: 'live' }, { orderBy: { lastId: 'desc' }, limit: 1, disableIdentityMap: true })
  const afterId = newest?.lastId ?? ''
  for (const size of [sizes.large, sizes.small]) {
    const [last] = await query<{ id: string; at: number | string }>(
      em,
      sql`select id, created_at as at from message where id > ${afterId} order by id limit 1 offset ${raw(String(size - 1))}`,
    )
    if (last && msOf(last.at) <= Date.now() - sizes.quietMs) return build(em, { afterId, lastId: last.id }, [], breath)
  }
  return false
}

/** Small blocks that follow each other become a large one. */
async function join(em: Em, sizes: IndexSizes, breath: Breath): Promise<boolean> {
  const blocks = await em.find(SearchBlock, { state: 'live' }, { orderBy: { lastId: 'asc' }, disableIdentityMap: true })
  let run: SearchBlock[] = []
  for (const block of blocks) {
    const [size, length] = [block.messages, block.textLength]
    const together = run.reduce((sum, one) => sum + one.messages, size)
    const fits = together <= sizes.large && run.reduce((sum, one) => sum + one.textLength, length) <= mostText
    if (size >= sizes.large / 2) run = []
    else if (fits) run.push(block)
    else run = [block]
    const full = run.reduce((sum, one) => sum + one.messages, 0) > sizes.large - sizes.small
    if (run.length > 1 && full) {
      await build(em, { afterId: run[0]?.afterId ?? '', lastId: block.lastId }, run, breath)
      return true
    }
  }
  return false
}

/** Whether a block that is due still says the truth of its messages; if not, it is made anew. */
async function check(em: Em, breath: Breath): Promise<boolean> {
  const block = await em.findOne(SearchBlock, { state: 'live', dueAt: { $lte: new Date() } }, { orderBy: { dueAt: 'asc' }, disableIdentityMap: true })
  if (!block) return false
  const now = await measureText(em, block, breath)
  if (now.messages !== block.messages || now.textLength !== block.textLength) {
    await build(em, block, [block], breath)
    return true
  }
  const age = Date.now() - block.createdAt.getTime()
  const next = checkAfterMs.find((ms) => ms > age) ?? age + (checkAfterMs.at(-1) as number)
  // Unless messages of it were purged meanwhile.
  await em.nativeUpdate(SearchBlock, { id: block.id, dueAt: block.dueAt }, { dueAt: new Date(block.createdAt.getTime() + next) })
  return true
}

type Range = Pick<SearchBlock, 'afterId' | 'lastId'>
const inRange = ({ afterId, lastId }: Range): Sql => sql`id > ${afterId} and id <= ${lastId}`

/** How much a message says: what has changed since is seen by it. */
const said = raw('length(text) + coalesce(length(besides), 0)')

async function measureText(em: Em, range: Range, breath: Breath): Promise<{ messages: number; textLength: number }> {
  const measured = { messages: 0, textLength: 0 }
  for (let at = range.afterId; ; ) {
    const [row] = await query<{ n: number | string; length: number | string | null; last: string | null }>(
      em,
      sql`select count(*) as n, sum(${said}) as length, max(id) as last
        from (select id, text, besides from message where ${inRange({ ...range, afterId: at })} order by id limit ${raw(String(measuredAtOnce))}) m`,
    )
    measured.messages += Number(row?.n)
    measured.textLength += Number(row?.length ?? 0)
    if (!row?.last || Number(row.n) < measuredAtOnce) return measured
    at = row.last
    await breath()
  }
}

/** Makes the block of these messages and lets it take the place of others; returns how many messages it looked at. */
async function build(em: Em, asked: Range, replaces: readonly SearchBlock[], breath: Breath): Promise<number> {
  const [row] = await query<{ id: number | null }>(em, raw('select max(id) as id from search_block'))
  const now = new Date()
  const id = (row?.id ?? 0) + 1
  // A second process that believes itself the only one fails here.
  await em.insert(SearchBlock, {
    id,
    state: 'building',
    afterId: asked.afterId,
    lastId: asked.lastId,
    size: 0,
    messages: 0,
    textLength: 0,
    dueAt: new Date(now.getTime() + buildWithinMs),
    createdAt: now,
  } as SearchBlock)
  // What takes the place of others must hold all that they held.
  const { names, hits, ...measured } = await readGrams(em, asked, replaces.length > 0 ? Number.POSITIVE_INFINITY : mostText, breath)
  await writePostings(em, id, names, hits, breath)
  const replaced = replaces.map((block) => block.id)
  await em.transactional(async (tx) => {
    // A process that was too slow for its lease comes second: its block is dropped, not searched beside the other.
    const others = await tx.count(SearchBlock, { state: 'live', id: { $nin: replaced }, afterId: { $lt: measured.lastId }, lastId: { $gt: asked.afterId } })
    const state = others > 0 ? 'retired' : 'live'
    const dueAt = new Date(now.getTime() + (checkAfterMs[0] as number))
    const made = await tx.nativeUpdate(SearchBlock, { id, state: 'building' }, { state, size: names.length, ...measured, dueAt })
    // Somebody who took us for dead has thrown it away: what it was to replace stays.
    if (made > 0 && replaced.length > 0 && state === 'live')
      await tx.nativeUpdate(SearchBlock, { id: { $in: replaced }, state: 'live' }, { state: 'retired', dueAt: new Date(Date.now() + retireAfterMs) })
  })
  return measured.messages
}

interface Grams {
  /** The messages that can be found, by their number in the block. */
  names: string[]
  hits: Map<number, number[]>
  lastId: string
  messages: number
  textLength: number
}

async function readGrams(em: Em, range: Range, mostText: number, breath: Breath): Promise<Grams> {
  const grams: Grams = { names: [], hits: new Map(), lastId: range.lastId, messages: 0, textLength: 0 }
  const { names, hits } = grams
  for (let at = range.afterId; ; ) {
    const rows = await query<{ id: string; text: string; besides: string | null; length: number; direction: string; recalled_at: unknown }>(
      em,
      sql`select id, text, besides, ${said} as length, direction, recalled_at from message where ${inRange({ ...range, afterId: at })} order by id limit ${raw(String(pageSize))}`,
    )
    for (const { id, text, besides, length, direction, recalled_at } of rows) {
      grams.messages++
      grams.textLength += Number(length)
      const words = besides === null ? text : `${text}\n${besides}`
      if (words !== '' && direction !== 'system' && recalled_at === null) {
        const number = names.push(id) - 1
        eachGram(words, (gram) => {
          const of = hits.get(gram)
          if (!of) hits.set(gram, [number])
          else if (of.at(-1) !== number) of.push(number)
        })
      }
      if (grams.textLength > mostText) return { ...grams, lastId: id }
    }
    const last = rows.at(-1)
    if (!last || rows.length < pageSize) return grams
    at = last.id
    await breath()
  }
}

/** Few lengths, so that few statements are kept. */
const rowsPerInsert = [250, 50, 10, 1] as const
const bytesPerInsert = 1_000_000

/** In the order of the key, so that the table grows at its end. */
async function writePostings(em: Em, block: number, names: readonly string[], hits: ReadonlyMap<number, readonly number[]>, breath: Breath): Promise<void> {
  let waiting: [gram: number, packed: Buffer][] = []
  let bytes = 0
  const write = async () => {
    for (const size of rowsPerInsert)
      while (waiting.length >= size) {
        const rows = waiting.slice(0, size)
        waiting = waiting.slice(size)
        await execute(em, {
          text: `insert into search_posting (block, gram, hits) values ${rows.map(() => '(?, ?, ?)').join(', ')}`,
          params: rows.flatMap(([gram, packed]) => [block, gram, packed]),
        })
      }
    bytes = 0
    await breath()
  }
  const add = async (gram: number, packed: Buffer) => {
    waiting.push([gram, packed])
    bytes += packed.length
    if (waiting.length === rowsPerInsert[0] || bytes > bytesPerInsert) await write()
  }
  for (let row = Math.ceil(names.length / idsPerRow) - 1; row >= 0; row--) await add(idsKey(row), packIds(names.slice(row * idsPerRow, (row + 1) * idsPerRow)))
  for (const gram of [...hits.keys()].sort((a, b) => a - b)) await add(gram, packHits(hits.get(gram) as number[], names.length))
  await write()
}
