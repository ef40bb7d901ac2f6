/**
 * Records by words, the one with the newest hit first. Messages are looked through from the newest to the oldest: those
 * that are in no block of the index yet by reading them, then block after block those that hold every pair of characters
 * of the words. Whatever the index says is only a hint: each message's text is read and looked at, as this reader sees it.
 */

import { type Keyword, matches } from '../../../../sdk/keyword.ts'
import type { MessagePart } from '../../../../sdk/message-parts.ts'
import type { Access } from '../../../access/access-cache.ts'
import { hiddenFrom } from '../../../access/mask.ts'
import type { Em } from '../../../db/orm.ts'
import { type Sql, sql } from '../../../db/statements.ts'
import { labelledParts, maskFound } from '../../conversation/mask-message.ts'
import type { SearchBlock } from './index.entity.ts'
import { idsKey, idsPerRow, liveBlocks } from './index-messages.ts'
import { gramsOf } from './keyword.ts'
import { inThisOrder, lookedUp, msOf, query, type Sizes, shortLead } from './list-records.ts'
import { inAll, unpackIds } from './postings.ts'
import { all, among, raw } from './sql-where.ts'
import type { Wanted } from './wanted.ts'

/** Messages read at once. */
const batch = 500

export interface Hit {
  id: string
  conversationId: string
  seq: number
  direction: string
  /** Its words and what stands beside them, as the reader sees it. */
  text: string
  at: number
}

export interface Search {
  em: Em
  actor: Pick<Access, 'ability'>
  wanted: Wanted
  keyword: Keyword
  /** Messages older than this one, and none that came after the first page was asked for. */
  beforeId: string
  upToId: string
  sizes: Sizes
}

interface Row {
  id: string
  conversation_id: string
  seq: number
  direction: string
  text: string
  besides: string | null
  created_at: number | string
  /** Where the words by themselves do not say what is to be masked in them, and somebody is to see them masked. */
  parts?: string | MessagePart[] | null
}

const columns = raw('m.id, m.conversation_id, m.seq, m.direction, m.text, m.besides, m.created_at')
const labelled = labelledParts.map((type) => `m.parts like '%"${type}"%'`).join(' or ')
const columnsAndParts = raw(`${columns.text}, case when ${labelled} then m.parts end as parts`)
const columnsFor = ({ actor }: Search): Sql => (hiddenFrom(actor.ability) ? columnsAndParts : columns)
/** What a person wrote and has not taken back. */
const spoken = raw("m.direction <> 'system' and m.recalled_at is null and (m.text <> '' or m.besides is not null)")

/** Sorts after this id and before the next one. */
const above = (id: string): string => id && `${id}~`

/** Hits by falling id, some at a time (none is a sign of life); what is below `downTo` is still to be looked through, '' at the end. */
export async function* hitsOf(search: Search): AsyncGenerator<{ hits: Hit[]; downTo: string }> {
  const few = await fewWanted(search)
  if (few && few.size <= search.sizes.fewTalks) {
    yield { hits: await hitsAmong(search, [...few]), downTo: '' }
    return
  }
  const trustedUntil = Date.now() + search.sizes.trustMs
  const blocks = await liveBlocks(search.em)
  const lastId = blocks[0]?.lastId ?? ''
  yield* readTail(search, few, lastId)
  // Whoever took the tail's hits may have taken their time, too: then these blocks may be gone.
  const below = above(lastId) < search.beforeId ? { ...search, beforeId: above(lastId) } : search
  yield* readBlocks(below, few, Date.now() < trustedUntil ? blocks : await liveBlocks(search.em))
}

/** The conversations that meet all conditions, where a condition leads to few: then none need be asked for its own. */
async function fewWanted({ em, wanted, sizes }: Search): Promise<ReadonlySet<string> | undefined> {
  const lead = await shortLead(em, wanted, sizes)
  if (!lead) return undefined
  const rows = await query<{ id: string }>(em, sql`select c.id from ${lookedUp(em, lead.ids)} where ${wanted.where}`)
  return new Set(rows.map(({ id }) => id))
}
type Few = ReadonlySet<string> | undefined

/** Of each conversation, has it a hit that is newer than this page? Then an earlier page has shown it. */
export async function shownBefore(search: Search, conversationIds: readonly string[]): Promise<Set<string>> {
  if (conversationIds.length === 0 || search.beforeId > search.upToId) return new Set()
  const rows = await query<Row>(
    search.em,
    sql`select ${columnsFor(search)} from message m where ${among('m.conversation_id', conversationIds)} and m.id >= ${search.beforeId} and m.id <= ${search.upToId} and ${spoken}`,
  )
  return new Set(rows.flatMap((row) => (hitIn(search, row) ? [row.conversation_id] : [])))
}

const hitsNear = 40

/** Hits shortly before those known, for the rows of a page: newest first, at most `most` each. */
export async function moreHits(search: Search, known: readonly Hit[], most: number): Promise<Map<string, Hit[]>> {
  const found = new Map(known.map((hit) => [hit.conversationId, [hit]]))
  const earlier = known.filter((hit) => hit.seq > 1)
  if (earlier.length === 0) return found
  const pieces = earlier.map(
    (hit) =>
      sql`select ${columnsFor(search)} from message m where m.conversation_id = ${hit.conversationId} and m.seq < ${hit.seq} and m.seq >= ${hit.seq - hitsNear} and ${spoken}`,
  )
  const rows = await query<Row>(search.em, {
    text: `${pieces.map(({ text }) => text).join(' union all ')} order by conversation_id, seq desc`,
    params: pieces.flatMap(({ params }) => params),
  })
  for (const row of rows) {
    const of = found.get(row.conversation_id)
    const hit = of && of.length < most && hitIn(search, row)
    if (hit) of.push(hit)
  }
  return found
}

function hitIn({ actor, keyword }: Search, row: Row): Hit | undefined {
  const parts = typeof row.parts === 'string' ? (JSON.parse(row.parts) as MessagePart[]) : (row.parts ?? [])
  const text = maskFound(actor.ability, { parts, text: row.text, besides: row.besides })
  if (!matches(keyword, text)) return undefined
  return { id: row.id, conversationId: row.conversation_id, seq: row.seq, direction: row.direction, text, at: msOf(row.created_at) }
}

const bounds = ({ beforeId, upToId }: Search): Sql => sql`m.id < ${beforeId} and m.id <= ${upToId}`

async function hitsAmong(search: Search, wanted: readonly string[]): Promise<Hit[]> {
  const { em } = search
  const hits: Hit[] = []
  for (let i = 0; i < wanted.length; i += 50) {
    const ids = wanted.slice(i, i + 50)
    const messages = await query<Row>(
      em,
      sql`select ${columnsFor(search)} from message m where ${among('m.conversation_id', ids)} and ${bounds(search)} and ${spoken}`,
    )
    hits.push(...messages.flatMap((row) => hitIn(search, row) ?? []))
  }
  return hits.sort((a, b) => (a.id < b.id ? 1 : -1))
}

async function* readTail(search: Search, few: Few, afterId: string): AsyncGenerator<{ hits: Hit[]; downTo: string }> {
  for (let before = search.beforeId; ; ) {
    if (before <= afterId) return
    const rows = await query<Row>(
      search.em,
      sql`select ${columnsFor(search)} from message m where ${bounds({ ...search, beforeId: before })} and m.id > ${afterId} and ${spoken} order by m.id desc limit ${raw(String(batch))}`,
    )
    const last = rows.at(-1)
    const hits = rows.flatMap((row) => hitIn(search, row) ?? [])
    yield { hits: await wantedOnly(search, few, hits), downTo: rows.length < batch || !last ? above(afterId) : last.id }
    if (!last || rows.length < batch) return
    before = last.id
  }
}

async function wantedOnly({ em, wanted }: Search, few: Few, hits: readonly Hit[]): Promise<Hit[]> {
  if (few) return hits.filter((hit) => few.has(hit.conversationId))
  if (hits.length === 0) return []
  const ids = [...new Set(hits.map((hit) => hit.conversationId))]
  const rows = await query<{ id: string }>(em, sql`select c.id from conversation c where ${all([among('c.id', ids), wanted.where])}`)
  const kept = new Set(rows.map(({ id }) => id))
  return hits.filter((hit) => kept.has(hit.conversationId))
}

/** Blocks asked at once: the newest alone, where a common word fills the page; then more and more. */
const blocksAtOnce = (round: number): number => Math.min(4 ** round, 64)

async function* readBlocks(search: Search, few: Few, blocks: readonly SearchBlock[]): AsyncGenerator<{ hits: Hit[]; downTo: string }> {
  const grams = gramsOf(search.keyword)
  let before = search.beforeId
  let open = openBelow(blocks, before)
  let trustedUntil = Date.now() + search.sizes.trustMs
  /** Messages read at once: more and more. */
  const reading = { size: 64 }
  for (let round = 0; open.length > 0; round++) {
    const group = open.splice(0, blocksAtOnce(round))
    const candidates = await candidatesIn(search.em, group, grams)
    for await (const found of readGroup({ ...search, beforeId: before }, few, group, candidates, reading)) {
      before = found.downTo
      yield found
      // Whoever takes the hits may take their time.
      if (Date.now() >= trustedUntil) break
    }
    if (Date.now() < trustedUntil) continue
    // Blocks that others have taken the place of are gone soon: what is below is asked of those there are now.
    open = openBelow(await liveBlocks(search.em), before)
    trustedUntil = Date.now() + search.sizes.trustMs
  }
}

const openBelow = (blocks: readonly SearchBlock[], before: string): SearchBlock[] => blocks.filter((block) => block.afterId < before)

async function* readGroup(
  search: Search,
  few: Few,
  group: readonly SearchBlock[],
  candidates: ReadonlyMap<number, number[]>,
  reading: { size: number },
): AsyncGenerator<{ hits: Hit[]; downTo: string }> {
  for (const block of group) {
    let numbers = candidates.get(block.id) ?? []
    // A page further down begins in the middle of a block.
    if (numbers.length > 0 && search.beforeId <= block.lastId) {
      const below = await numberOf(search.em, block, search.beforeId)
      numbers = numbers.filter((number) => number < below)
    }
    while (numbers.length > 0) {
      const names = await namesOf(search.em, block, numbers.splice(-reading.size).reverse())
      reading.size = Math.min(reading.size * 2, few ? batch * 4 : batch)
      const hits = await verified(search, few, names)
      yield { hits, downTo: numbers.length > 0 ? (names.at(-1) as string) : above(block.afterId) }
    }
  }
  yield { hits: [], downTo: above(group.at(-1)?.afterId ?? '') }
}

/** For each block the messages that hold all grams, by rising number; every one where there is nothing to go by. */
async function candidatesIn(em: Em, blocks: readonly SearchBlock[], grams: readonly number[]): Promise<Map<number, number[]>> {
  if (grams.length === 0) return new Map(blocks.map(({ id, size }) => [id, Array.from({ length: size }, (_, i) => i)]))
  const ids = blocks.map(({ id }) => id)
  const rows = await query<{ block: number; hits: Uint8Array }>(
    em,
    sql`select block, hits from search_posting where ${among('block', ids)} and ${among('gram', grams)}`,
  )
  const candidates = new Map<number, number[]>()
  for (const [block, of] of Map.groupBy(rows, (row) => row.block)) if (of.length === grams.length) candidates.set(block, inAll(of.map(({ hits }) => hits)))
  return candidates
}

async function namesOf(em: Em, block: SearchBlock, numbers: readonly number[]): Promise<string[]> {
  const keys = [...new Set(numbers.map((number) => idsKey(Math.floor(number / idsPerRow))))]
  const rows = await query<{ gram: number | string; hits: Uint8Array }>(
    em,
    sql`select gram, hits from search_posting where block = ${block.id} and ${among('gram', keys)}`,
  )
  const names = new Map(rows.map(({ gram, hits }) => [Number(gram), unpackIds(hits)]))
  return numbers.flatMap((number) => names.get(idsKey(Math.floor(number / idsPerRow)))?.[number % idsPerRow] ?? [])
}

/** How many messages of a block come before an id, or a few more. */
async function numberOf(em: Em, block: SearchBlock, id: string): Promise<number> {
  let [low, high] = [0, Math.ceil(block.size / idsPerRow)]
  while (low < high) {
    const middle = (low + high) >> 1
    const [first] = await namesOf(em, block, [middle * idsPerRow])
    if (first !== undefined && first < id) low = middle + 1
    else high = middle
  }
  return low * idsPerRow
}

async function verified(search: Search, few: Few, ids: readonly string[]): Promise<Hit[]> {
  const { em, wanted } = search
  const conditions = [bounds(search), spoken]
  if (few) {
    const places = await query<Pick<Row, 'id' | 'conversation_id'>>(em, sql`select m.id, m.conversation_id from message m where ${among('m.id', ids)}`)
    const kept = places.filter((row) => few.has(row.conversation_id)).map(({ id }) => id)
    if (kept.length === 0) return []
    const rows = await query<Row>(em, sql`select ${columnsFor(search)} from message m where ${all([among('m.id', kept), ...conditions])} order by m.id desc`)
    return rows.flatMap((row) => hitIn(search, row) ?? [])
  }
  const rows = await query<Row>(
    em,
    sql`select ${columnsFor(search)} from message m ${inThisOrder(em)} conversation c on c.id = m.conversation_id
      where ${all([among('m.id', ids), ...conditions, wanted.where])} order by m.id desc`,
  )
  return rows.flatMap((row) => hitIn(search, row) ?? [])
}
