/** The log for who may read it: by pages, of one record, as a table to take along. Nothing writes here but the log itself. */
import { Readable } from 'node:stream'
import type { Asker } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { csvCell } from '@huike/core/sdk/tables.ts'
import { Id, Instant, PageQuery } from '@huike/core/sdk/wire/common.ts'
import type { FilterQuery, FindOptions } from '@mikro-orm/core'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { Entry, RecordLink } from './audit.entity.ts'
import { findMark } from './chain.ts'
import { agentNames } from './names.ts'
import type { Ctx } from './settings.ts'

const config = { access: { permission: 'audit.read' } }

export const Filter = Type.Object({
  agentId: Type.Optional(Id),
  /** A deed (`record.viewed`), or all of a noun (`record`). */
  event: Type.Optional(Type.String({ maxLength: 60, pattern: '^[a-z][A-Za-z0-9.]*$' })),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  subjectKind: Type.Optional(Type.String({ maxLength: 20, pattern: '^[a-z]+$' })),
  subjectId: Type.Optional(Type.String({ maxLength: 80 })),
  ip: Type.Optional(Type.String({ maxLength: 60 })),
})
type Filter = Static<typeof Filter>
const ListQuery = Type.Object({ ...Filter.properties, ...PageQuery.properties })
const CsvQuery = Type.Object({ ...Filter.properties, locale: Type.Optional(Type.Union([Type.Literal('zh'), Type.Literal('en')])) })

export function routes(app: FastifyInstance, ctx: Ctx): void {
  app.get('/entries', { config, schema: { querystring: ListQuery } }, async (request) => {
    const { cursor, limit = 50, ...filter } = request.query as Static<typeof ListQuery>
    const em = ctx.em()
    const rows = await em.find(Entry, { $and: [whereOf(filter), beforeCursor(cursor)] }, { ...newest, limit: limit + 1 })
    return present(ctx, ctx.asker(request), rows, limit)
  })

  app.get('/records/:id/entries', { config, schema: { params: Type.Object({ id: Id }), querystring: PageQuery } }, async (request) => {
    const { id } = request.params as { id: string }
    const { cursor, limit = 50 } = request.query as Static<typeof PageQuery>
    const em = ctx.em()
    const below = cursor === undefined ? {} : { seq: { $lt: readCursor(cursor)[1] } }
    const links = await em.find(RecordLink, { conversationId: id, ...below }, { orderBy: { seq: 'desc' }, limit: limit + 1, disableIdentityMap: true })
    const rows = await em.find(Entry, { seq: { $in: links.map(({ seq }) => seq) } }, { orderBy: { seq: 'desc' }, limit: limit + 1, disableIdentityMap: true })
    return present(ctx, ctx.asker(request), rows, limit)
  })

  /** The chain's end, for keeping elsewhere. */
  app.get('/head', { config }, async () => {
    const head = await findMark(ctx.em(), 'head')
    return { seq: head?.seq ?? 0, hash: head?.hash ?? '' }
  })

  app.get('/entries.csv', { config, schema: { querystring: CsvQuery } }, async (request, reply) => {
    const { locale = 'zh', ...filter } = request.query as Static<typeof CsvQuery>
    const until = (await findMark(ctx.em(), 'head'))?.seq ?? 0
    const asker = ctx.asker(request)
    const rows = await ctx.em().count(Entry, { $and: [whereOf(filter), { seq: { $lte: until } }] })
    await ctx.tell('exported', { filter, rows, left: rows })
    return reply
      .headers({
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': `attachment; filename="audit-${new Date().toISOString().slice(0, 10)}.csv"`,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      })
      .send(Readable.from(csv(ctx, asker, filter, until, locale)))
  })
}

export const newest: FindOptions<Entry> = { orderBy: [{ at: 'desc' }, { seq: 'desc' }], disableIdentityMap: true }

export function whereOf({ agentId, event, from, to, subjectKind, subjectId, ip }: Filter): FilterQuery<Entry> {
  return {
    ...(agentId ? { agentId } : {}),
    // The names of one noun stand together in the index.
    ...(event ? { event: event.includes('.') ? event : { $gte: `${event}.`, $lt: `${event}/` } } : {}),
    ...(subjectKind ? { subjectKind } : {}),
    ...(subjectId ? { subjectId } : {}),
    ...(ip ? { ip } : {}),
    ...(from || to ? { at: { ...(from ? { $gte: new Date(from) } : {}), ...(to ? { $lt: new Date(to) } : {}) } } : {}),
  }
}

export const writeCursor = ({ at, seq }: Pick<Entry, 'at' | 'seq'>): string => Buffer.from(JSON.stringify([at.getTime(), seq])).toString('base64url')
function readCursor(cursor: string): [at: number, seq: number] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(value) && value.length === 2 && value.every(Number.isSafeInteger) && Math.abs(value[0]) <= 8.64e15) return value as [number, number]
  } catch {}
  throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
}
export function beforeCursor(cursor: string | undefined): FilterQuery<Entry> {
  if (cursor === undefined) return {}
  const [time, seq] = readCursor(cursor)
  const at = new Date(time)
  return { $or: [{ at: { $lt: at } }, { at, seq: { $lt: seq } }] }
}

async function present(ctx: Ctx, asker: Asker, rows: Entry[], limit: number) {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const named = await namesOf(ctx, page)
  return {
    items: page.map(({ previous: _, eventId: _id, details, reason, at, ...entry }) => ({
      ...entry,
      at: at.toISOString(),
      reason: asker.maskText(reason),
      details: shownTo(asker, JSON.parse(details)) as Record<string, unknown>,
      agentName: named.get(entry.agentId ?? '') ?? null,
      subjectName: entry.subjectKind === 'agent' ? (named.get(entry.subjectId) ?? null) : null,
    })),
    cursor: rows.length > limit && last ? writeCursor(last) : null,
  }
}

type Masks = Pick<Asker, 'mask' | 'maskText'>
const isId = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/
const mostDeep = 20

/**
 * Details as this reader may see them: the chain keeps what was told. Names of what the hub itself consists of are nobody's
 * personal data; who somebody looked for is.
 */
export function shownTo(asker: Masks, value: unknown, key = '', depth = 0): unknown {
  if (depth > mostDeep) return null
  if (typeof value === 'string') return isId.test(value) ? value : key === 'contact' && value ? who(asker, value) : asker.maskText(value)
  if (Array.isArray(value)) return value.map((one) => shownTo(asker, one, key, depth + 1))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shownTo(asker, one, name, depth + 1)]))
}
function who(asker: Masks, words: string): string {
  const masked = asker.maskText(words)
  return masked === words ? asker.mask('name', words) : masked
}

const namesOf = (ctx: Ctx, rows: readonly Entry[]) =>
  agentNames(
    ctx.em(),
    rows.flatMap(({ agentId, subjectKind, subjectId }) => [...(agentId ? [agentId] : []), ...(subjectKind === 'agent' ? [subjectId] : [])]),
  )

const columns = {
  zh: ['序号', '时间（UTC）', '谁', '成员编号', '令牌', 'IP', '操作', '对象', '对象编号', '数量', '理由', '细节', '校验值'],
  en: ['No.', 'Time (UTC)', 'Who', 'Agent id', 'Token', 'IP', 'Deed', 'Subject', 'Subject id', 'Count', 'Reason', 'Details', 'Hash'],
} as const
const csvPage = 500

/** Up to the entry that was the newest when it was asked for: the export's own entry is not in it. */
async function* csv(ctx: Ctx, asker: Asker, filter: Filter, until: number, locale: 'zh' | 'en'): AsyncIterable<string> {
  // Excel takes a file without it for another encoding.
  yield `\u{feff}${columns[locale].map(csvCell).join()}\r\n`
  let cursor: string | undefined
  do {
    const rows = await ctx.em().find(Entry, { $and: [whereOf(filter), { seq: { $lte: until } }, beforeCursor(cursor)] }, { ...newest, limit: csvPage })
    const named = await namesOf(ctx, rows)
    yield rows
      .map(({ seq, at, agentId, tokenId, ip, event, subjectKind, subjectId, count, reason, details, hash }) =>
        [
          seq,
          at.toISOString(),
          named.get(agentId ?? '') ?? agentId,
          agentId,
          tokenId,
          ip,
          event,
          subjectKind,
          named.get(subjectId) ?? subjectId,
          count,
          asker.maskText(reason),
          JSON.stringify(shownTo(asker, JSON.parse(details))),
          hash,
        ]
          .map(csvCell)
          .join(),
      )
      .map((line) => `${line}\r\n`)
      .join('')
    const last = rows.at(-1)
    cursor = rows.length === csvPage && last ? writeCursor(last) : undefined
  } while (cursor)
}
