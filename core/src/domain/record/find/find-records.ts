/** Finding records: a page of the list, how many there are, or all of them for what works through a whole result. */
import { type Keyword, keywordOf } from '../../../../sdk/keyword.ts'
import type { RecordCount, RecordFilter, RecordHit, RecordPage, RecordRow } from '../../../../sdk/wire/record.ts'
import type { Access } from '../../../access/access-cache.ts'
import { decodeCursor, encodeCursor } from '../../../db/keyset.ts'
import type { Em } from '../../../db/orm.ts'
import type { Hub } from '../../../hub.ts'
import { shownFields } from '../../contact/shown-fields.ts'
import { Conversation } from '../../conversation/conversation.entity.ts'
import { presentRecords } from '../record.present.ts'
import { snippetOf } from './keyword.ts'
import { countRecords, listRecords, query, type Sizes, usualSizes } from './list-records.ts'
import { type Hit, hitsOf, moreHits, type Search, shownBefore } from './search-records.ts'
import { raw } from './sql-where.ts'
import { wantedBy } from './wanted.ts'

/** A person waits: after so long a page is given as far as it has come. */
const waitMs = 120
const mostCounted = 10_000
const hitsShown = 3

interface Options {
  /** The reader's time zone, an IANA name. */
  tz: string
  cursor?: string | null | undefined
  limit?: number | undefined
  /** With what is known of the customers. */
  person?: boolean | undefined
  /** A permission with a reach: only what lies within it, too. */
  permission?: string
  /** When to stop looking. */
  waitMs?: number
  sizes?: Sizes
}

/** What finding needs of the hub: the rows, and which fields running plugins bring. */
type Finder = Pick<Hub, 'em' | 'kernel'>

interface FoundPage {
  ids: string[]
  hits?: Map<string, Hit[]>
  cursor: string | null
  partial: boolean
}

/** One page, newest first. Throws HUB_REQUEST_INVALID for a cursor that is none. */
export async function findRecords(hub: Finder, actor: Access, filter: RecordFilter, options: Options): Promise<RecordPage> {
  const em = hub.em()
  const { ids, hits, cursor, partial } = await findPage(hub, em, actor, filter, options)
  const rows = await em.find(Conversation, { id: { $in: ids } }, { disableIdentityMap: true })
  const brought = options.person ? await shownFields(hub, em, actor.ability, [...new Set(rows.map((row) => row.contactId))]) : undefined
  const byId = new Map((await presentRecords(em, actor, rows, brought)).map((row) => [row.id, row]))
  const keyword = keywordOf(filter.keyword, filter.match)
  const items = ids.flatMap((id): RecordRow[] => {
    const row = byId.get(id)
    return row ? [{ ...row, hits: keyword ? (hits?.get(id) ?? []).map((hit) => presentHit(keyword, hit)) : [] }] : []
  })
  return { items, cursor, partial }
}

/** Exact up to ten thousand; `more` = at least that many. */
export async function countMatching(
  hub: Finder,
  actor: Access,
  filter: RecordFilter,
  { tz, waitMs: ms = waitMs, sizes = usualSizes }: Options,
): Promise<Pick<RecordCount, 'count' | 'more'>> {
  const em = hub.em()
  const until = performance.now() + ms
  const wanted = await wantedBy(hub, em, actor, filter, tz)
  if (!wanted) return { count: 0, more: false }
  const keyword = keywordOf(filter.keyword, filter.match)
  if (!keyword) return countRecords(em, wanted, mostCounted, until, sizes)
  const conversations = new Set<string>()
  for await (const { hits, downTo } of hitsOf(await searchFrom({ em, actor, wanted, keyword, sizes }, undefined))) {
    for (const hit of hits) conversations.add(hit.conversationId)
    if (conversations.size > mostCounted) return { count: mostCounted, more: true }
    if (downTo !== '' && performance.now() > until) return { count: conversations.size, more: true }
  }
  return { count: conversations.size, more: false }
}

const atOnce = 200
/** A change may commit so much later than the time that it gives itself. */
const lateMs = 2 * 60_000
/** So many are asked for by one statement when those that moved are looked for. */
const movedAtOnce = 2_000

/**
 * The ids of all records that match, newest first, a few hundred at a time, each once. What changes while it runs may be in
 * it or not; a new message alone, which moves a conversation to where the walk has been, neither loses it nor doubles it:
 * those that moved come last.
 */
export async function* recordsMatching(
  hub: Finder,
  actor: Access,
  filter: RecordFilter,
  { tz, permission }: Pick<Options, 'tz' | 'permission'>,
): AsyncGenerator<string[]> {
  const start = new Date()
  const options = { tz, ...(permission ? { permission } : {}) }
  if (!moves(filter, start)) {
    yield* pagesOf(hub, actor, filter, { ...options, limit: atOnce })
    return
  }
  const given = new Set<string>()
  for await (const ids of pagesOf(hub, actor, filter, { ...options, limit: atOnce })) {
    for (const id of ids) given.add(id)
    yield ids
  }
  const since = Math.max(start.getTime() - lateMs, ...(filter.from ? [Date.parse(filter.from)] : []))
  for await (const ids of pagesOf(hub, actor, { ...filter, from: new Date(since).toISOString() }, { ...options, limit: movedAtOnce })) {
    const moved = ids.filter((id) => !given.has(id) && given.add(id))
    for (let at = 0; at < moved.length; at += atOnce) yield moved.slice(at, at + atOnce)
  }
}

/** Whether a new message moves a conversation within what is found, rather than out of it: only then what was given is kept in mind. */
const moves = ({ keyword, match, by = 'lastMessageAt', to }: RecordFilter, start: Date): boolean =>
  !keywordOf(keyword, match) && by === 'lastMessageAt' && !(to && new Date(to) <= start)

async function* pagesOf(hub: Finder, actor: Access, filter: RecordFilter, options: Options): AsyncGenerator<string[]> {
  let cursor: string | null | undefined
  do {
    const page: FoundPage = await findPage(hub, hub.em(), actor, filter, { ...options, cursor, waitMs: Number.POSITIVE_INFINITY })
    if (page.ids.length > 0) yield page.ids
    cursor = page.cursor
  } while (cursor)
}

async function findPage(hub: Finder, em: Em, actor: Access, filter: RecordFilter, options: Options): Promise<FoundPage> {
  const { tz, permission, cursor, limit = 50, waitMs: ms = waitMs, sizes = usualSizes } = options
  const until = performance.now() + ms
  const keyword = keywordOf(filter.keyword, filter.match)
  // A cursor of the other kind of search is none.
  const found = keyword && cursor ? decodeCursor(cursor, 'word', 'word') : undefined
  const listed = !keyword && cursor ? decodeCursor(cursor, 'time', 'word') : undefined
  const wanted = await wantedBy(hub, em, actor, filter, tz, permission)
  if (!wanted) return { ids: [], cursor: null, partial: false }
  if (keyword) return searchPage(await searchFrom({ em, actor, wanted, keyword, sizes }, found), limit, until)
  const { ids, next, partial } = await listRecords(em, wanted, listed ?? null, limit, until, sizes)
  return { ids, cursor: next && encodeCursor(next), partial }
}

/** Sorts after every id. */
const end = '~'

async function searchFrom(search: Omit<Search, 'beforeId' | 'upToId'>, after: readonly [string, string] | undefined): Promise<Search> {
  if (after) return { ...search, beforeId: after[0], upToId: after[1] }
  const [newest] = await query<{ id: string }>(search.em, raw('select id from message order by id desc limit 1'))
  return { ...search, beforeId: end, upToId: newest?.id ?? '' }
}

async function searchPage(search: Search, limit: number, until: number): Promise<FoundPage> {
  /** By conversation, in the order of the newest hit of each. */
  const found = new Map<string, Hit>()
  const known = new Set<string>()
  const page = async (hits: readonly Hit[], at: string | null, partial: boolean): Promise<FoundPage> => ({
    ids: hits.map((hit) => hit.conversationId),
    hits: await moreHits(search, hits, hitsShown),
    cursor: at && encodeCursor([at, search.upToId]),
    partial,
  })
  for await (const { hits, downTo } of hitsOf(search)) {
    const fresh = hits.filter((hit) => !known.has(hit.conversationId) && known.add(hit.conversationId))
    const shown = await shownBefore(
      search,
      fresh.map((hit) => hit.conversationId),
    )
    for (const hit of fresh) if (!shown.has(hit.conversationId)) found.set(hit.conversationId, hit)
    if (found.size > limit) {
      const full = [...found.values()].slice(0, limit)
      return page(full, full.at(-1)?.id ?? null, false)
    }
    if (downTo !== '' && performance.now() > until) return page([...found.values()], downTo, true)
  }
  return page([...found.values()], null, false)
}

function presentHit(keyword: Keyword, hit: Hit): RecordHit {
  return { messageId: hit.id, seq: hit.seq, direction: hit.direction, at: new Date(hit.at).toISOString(), ...snippetOf(keyword, hit.text) }
}
