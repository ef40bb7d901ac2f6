/**
 * Writes an export, from top to bottom: the ids are found and kept, then part after part is written, then the parts
 * become one file, then it is told. Whatever is finished is a row and a blob; killed anywhere, the next turn begins behind the last part.
 * What the exporter may see is asked by `ctx.records` at each page; whether it goes on, at each part.
 */
import { text } from 'node:stream/consumers'
import { personalFields } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { RecordFacts, RecordMessage, RecordReader } from '@huike/core/sdk/records.ts'
import { isColumn } from '../fields.ts'
import { assemble } from './assemble.ts'
import { type Cell, cellOf, mostLinks, type Sent } from './cells.ts'
import type { Ctx } from './context.ts'
import { csvRow } from './csv.ts'
import { ExportFile, ExportPart, newId } from './export.entity.ts'
import { fileName, type Named, noteNames } from './file-name.ts'
import { stillMay } from './needed.ts'
import { dropNoted, forgetNote, putNoted } from './noted-blobs.ts'
import { endedOrder, type Order } from './order.ts'
import { pdfPart, pdfTablePart } from './pdf/write-pdf.ts'
import { tableCells, tableKeys, tableRows } from './table-order.ts'
import { dropParts, tellEnd } from './tell-end.ts'
import type { Turn } from './turn.ts'
import { xlsxRow } from './xlsx.ts'

export const permission = 'export.record'
const leaseMs = 30_000
const usualPart = 200
/** Turns that broke by themselves before it is given up. */
const mostAttempts = 5
const quiet = { disableIdentityMap: true }

/** Cancelled, or another process took it over: nothing more of it is written. */
class Stopped extends Error {}

/** What this reader sees unmasked is in the file from here on. */
async function noteShown({ ctx, row, reader }: Turn): Promise<void> {
  const { maySee } = await ctx.masksFor(reader)
  const before = row.shows?.split(' ')
  // One that was begun before this was kept says nothing of its first parts.
  if (before) row.shows = personalFields.filter((field) => before.includes(field) || maySee(field)).join(' ')
}

export const readerOf = async (ctx: Ctx, agentId: string, { personal }: Order): Promise<RecordReader> => ({
  agentId,
  permission,
  personal: personal && (await ctx.may(agentId, 'export.personal')),
})

/** @param partRecords how many conversations are written before they are safe */
export async function writeExport(ctx: Ctx, id: string, partRecords = usualPart): Promise<void> {
  const em = ctx.em()
  const holder = newId()
  const lease = () => new Date(Date.now() + leaseMs)
  const claimed = await em.nativeUpdate(ExportFile, { id, state: 'running', leaseUntil: { $lte: new Date() } }, { holder, leaseUntil: lease() })
  if (claimed === 0) {
    const ended = { id, state: { $in: ['done' as const, 'failed' as const] }, leaseUntil: { $lte: new Date() } }
    if ((await em.nativeUpdate(ExportFile, ended, { holder, leaseUntil: lease() })) > 0) await tellEnd(ctx, id, holder)
    return
  }
  const row = await em.findOneOrFail(ExportFile, { id }, quiet)
  const mine = { id, holder, state: 'running' as const }
  let over = false
  const beat = setInterval(() => {
    void ctx
      .em()
      .nativeUpdate(ExportFile, mine, { leaseUntil: lease() })
      .then(
        (held) => void (over ||= held === 0),
        () => undefined,
      )
  }, leaseMs / 10)
  const order = withLinks(JSON.parse(row.order) as Order)
  const turn: Turn = {
    ctx,
    row,
    order,
    reader: { agentId: row.agentId, permission, personal: false },
    check() {
      if (over) throw new Stopped()
    },
  }
  try {
    await writeParts(turn, mine, partRecords)
    await finish(turn, mine)
  } catch (error) {
    if (error instanceof Stopped) return
    const attempts = row.attempts + 1
    const refused = error instanceof HubError && !error.kind.retry
    if (refused || attempts >= mostAttempts) await fail(turn, mine, error instanceof HubError ? error.code : 'HUB_INTERNAL')
    else await ctx.em().nativeUpdate(ExportFile, mine, { attempts, leaseUntil: new Date(Date.now() + 1_000 * 2 ** attempts) })
    ctx.log.warn({ err: error, export: id, attempts }, 'an export was interrupted')
  } finally {
    clearInterval(beat)
  }
  await tellEnd(ctx, id, holder)
}

/** Who takes the files along is told which is whose. */
function withLinks(order: Order): Order {
  if (!order.attachments || order.table || order.fields.includes('fileLink')) return order
  return { ...order, fields: [...order.fields, 'fileLink'] }
}

type Mine = { id: string; holder: string; state: 'running' }

async function writeParts(turn: Turn, mine: Mine, partRecords: number): Promise<void> {
  const { ctx, row } = turn
  const em = ctx.em()
  turn.reader = await readerOf(ctx, row.agentId, turn.order)
  const ids = await idsOf(turn, mine)
  const parts = await em.find(ExportPart, { exportId: row.id }, { orderBy: { n: 'asc' }, ...quiet })
  const named = JSON.parse(row.named) as Named
  let done = parts.reduce((sum, part) => sum + part.records, 0)
  let rows = parts.reduce((sum, part) => sum + part.rows, 0)
  for (let n = parts.length; done < ids.length; n++) {
    turn.check()
    // What its owner may is asked anew for each part.
    turn.reader = await readerOf(ctx, row.agentId, turn.order)
    await noteShown(turn)
    const chosen = ids.slice(done, done + partRecords)
    const records = turn.order.table ? [] : await ctx.records.read(turn.reader, chosen)
    noteNames(named, turn.order.nameRule, records)
    const written = new Set(records.map(({ id }) => id))
    const unwritten = turn.order.table ? [] : chosen.filter((id) => !written.has(id))
    let count = 0
    async function* body(): AsyncGenerator<Buffer> {
      if (turn.order.format === 'pdf') {
        const pages = turn.order.table ? pdfTablePart(turn, chosen) : pdfPart(turn, records)
        for await (const { bytes, pages: full } of pages) {
          count += full
          yield bytes
        }
        return
      }
      for await (const cells of rowsOf(turn, chosen, records)) {
        count++
        yield Buffer.from(turn.order.format === 'csv' ? csvRow(cells, turn.order.tz) : xlsxRow(cells, turn.order.tz))
      }
    }
    const { name } = await putNoted(ctx, row.id, mine.holder, body())
    const kept = await em.transactional(async (tx) => {
      // The row of the export is held: a part is of the turn that holds it, or is not.
      const held = await tx.nativeUpdate(ExportFile, mine, {
        done: done + chosen.length,
        rows: rows + count,
        named: JSON.stringify(named),
        shows: row.shows,
        attempts: 0,
        leaseUntil: new Date(Date.now() + leaseMs),
      })
      if (held === 0) return false
      await tx.insert(ExportPart, {
        exportId: row.id,
        n,
        blob: name,
        records: chosen.length,
        rows: count,
        unwritten: unwritten.length > 0 ? JSON.stringify(unwritten) : null,
      })
      await forgetNote(tx, name)
      return true
    })
    if (!kept) {
      await dropNoted(ctx, name)
      throw new Stopped()
    }
    done += chosen.length
    rows += count
  }
  row.rows = rows
  row.named = JSON.stringify(named)
}

/** What was found, once: a conversation that gets a message while it is exported is neither lost nor there twice. */
async function idsOf(turn: Turn, mine: Mine): Promise<string[]> {
  const { ctx, row, order, reader } = turn
  if (row.idsBlob) {
    const stored = await ctx.blobs.read(row.idsBlob)
    if (!stored) throw new Error('the list of what to export is gone')
    return JSON.parse(await text(stored)) as string[]
  }
  const { cap } = ctx.settings
  const found = new Set(order.ids && (await readableOf(turn, order.ids)))
  if (!order.ids)
    for await (const page of order.table ? tableKeys(ctx, reader, order) : ctx.records.matching(reader, order.filter ?? {}, { tz: order.tz })) {
      turn.check()
      for (const id of page) found.add(id)
      if (found.size > cap) break
    }
  if (found.size > cap) throw new HubError('EXPORT_TOO_MANY', `More than ${cap} records`, { cap }, { status: 422, reader: 'user', retry: false })
  // Ids sort by time: the oldest conversation first, as one reads. A list has its own order.
  const ids = order.table ? [...found] : [...found].sort()
  const { name } = await putNoted(ctx, row.id, mine.holder, only(JSON.stringify(ids)))
  if ((await ctx.em().nativeUpdate(ExportFile, mine, { idsBlob: name, total: ids.length })) === 0) {
    await dropNoted(ctx, name)
    throw new Stopped()
  }
  await forgetNote(ctx.em(), name)
  row.idsBlob = name
  row.total = ids.length
  return ids
}

/** Of the ids that somebody names those they may read: the others are nowhere, be it in a count or a log. */
async function readableOf({ ctx, reader, check }: Turn, ids: readonly string[]): Promise<string[]> {
  const readable: string[] = []
  for (let at = 0; at < ids.length; at += usualPart) {
    check()
    readable.push(...(await ctx.records.read(reader, ids.slice(at, at + usualPart))).map(({ id }) => id))
  }
  return readable
}

async function* only(content: string): AsyncGenerator<Buffer> {
  yield Buffer.from(content)
}

/** The rows of a part. Messages are never all in memory. */
async function* rowsOf(turn: Turn, ids: readonly string[], records: readonly RecordFacts[]): AsyncGenerator<Cell[]> {
  const { ctx, order, reader, check } = turn
  if (order.table) {
    for (const row of await tableRows(ctx, reader, order, ids)) yield tableCells(order, row)
    return
  }
  const fields = order.fields.filter((field) => isColumn(order, field))
  const cells = (record: RecordFacts, message?: RecordMessage, sent?: Sent) => fields.map((field) => cellOf(order, ctx.publicUrl, field, record, message, sent))
  if (order.rows === 'record') {
    const sent = fields.includes('fileLink') ? await sentIn(turn, records) : undefined
    for (const record of records) yield cells(record, undefined, sent?.get(record.id))
    return
  }
  const byId = new Map(records.map((record) => [record.id, record]))
  for await (const page of ctx.records.messages(reader, [...byId.keys()])) {
    check()
    for (const message of page) {
      const record = byId.get(message.conversationId)
      if (!record || !isSaid(order, message)) continue
      yield cells(record, message)
    }
  }
}

/** Lines of the hub itself ("assigned to …") say nothing that the columns do not. */
const isSaid = ({ notes }: Order, { direction }: RecordMessage): boolean => direction !== 'system' && (direction !== 'note' || notes !== false)

/** The files of each conversation, the first ones by name: no more is held of them. */
async function sentIn({ ctx, order, reader, check }: Turn, records: readonly RecordFacts[]): Promise<Map<string, Sent>> {
  const all = new Map<string, Sent>()
  for await (const page of ctx.records.messages(
    reader,
    records.map(({ id }) => id),
  )) {
    check()
    for (const message of page) {
      if (message.files.length === 0 || !isSaid(order, message)) continue
      const sent = all.get(message.conversationId) ?? { ids: [], count: 0 }
      all.set(message.conversationId, sent)
      sent.ids.push(...message.files.slice(0, mostLinks - sent.ids.length).map(({ id }) => id))
      sent.count += message.files.length
    }
  }
  return all
}

async function finish(turn: Turn, mine: Mine): Promise<void> {
  const { ctx, row, order } = turn
  const parts = await ctx.em().find(ExportPart, { exportId: row.id }, { orderBy: { n: 'asc' }, ...quiet })
  const unwritten = new Set(parts.flatMap((part) => (part.unwritten ? (JSON.parse(part.unwritten) as string[]) : [])))
  const ids = (await idsOf(turn, mine)).filter((id) => !unwritten.has(id))
  row.total = ids.length
  const name = await fileName(ctx, order, JSON.parse(row.named) as Named, row.total, row.createdAt)
  turn.reader = await readerOf(ctx, row.agentId, order)
  await noteShown(turn)
  if (!(await stillMay(ctx, row.agentId, order))) throw new HubError('HUB_FORBIDDEN', 'Who ordered it may not have it any more')
  const file = assemble(turn, { name, parts, ids })
  const { name: blob, size } = await putNoted(ctx, row.id, mine.holder, file.bytes)
  await tellTaken(turn, ids)
  const now = new Date()
  const done = await ctx.em().nativeUpdate(ExportFile, mine, {
    state: 'done',
    order: endedOrder(row.order),
    blob,
    bytes: size,
    total: row.total,
    shows: row.shows,
    name: file.name,
    password: row.password && '*',
    attempts: 0,
    leaseUntil: new Date(now.getTime() + leaseMs),
    finishedAt: now,
    expiresAt: new Date(now.getTime() + ctx.settings.keepDays * 86_400_000),
  })
  if (done === 0) {
    await dropNoted(ctx, blob)
    throw new Stopped()
  }
  await forgetNote(ctx.em(), blob)
}

/** So many names fit into an event. */
const namedAtOnce = 500

/** For the records' own logs, before anybody can fetch the file: told twice is a line too many, never is one too few. */
async function tellTaken({ ctx, row, order }: Turn, ids: readonly string[]): Promise<void> {
  if (order.table) return
  const said = {
    exportId: row.id,
    // One deed, however many it takes to name them all.
    partOf: row.id,
    records: ids.length,
    byAgentId: row.agentId,
    format: order.format,
    personal: order.personal,
  }
  for (let at = 0; at < ids.length; at += namedAtOnce) await ctx.tell('taken', { ...said, conversationIds: ids.slice(at, at + namedAtOnce) })
}

async function fail({ ctx, row }: Turn, mine: Mine, fault: string): Promise<void> {
  const now = new Date()
  const ended = { order: endedOrder(row.order), attempts: 0, leaseUntil: new Date(now.getTime() + leaseMs), finishedAt: now }
  await ctx.em().nativeUpdate(ExportFile, mine, { state: 'failed', fault, ...ended })
}

/** What a crash left goes on; what has had its time goes. */
export async function sweepExports(ctx: Ctx): Promise<void> {
  const em = ctx.em()
  const now = new Date()
  const due = await em.find(ExportFile, { state: { $in: ['running', 'done', 'failed'] }, leaseUntil: { $lte: now } }, { fields: ['id'], limit: 100, ...quiet })
  for (const { id } of due) await ctx.enqueue('write', { id }, { key: id })
  const old = await em.find(ExportFile, { expiresAt: { $lte: now } }, { limit: 100, ...quiet })
  for (const row of old) {
    if (row.blob) await ctx.blobs.remove(row.blob)
    await dropParts(ctx, row.id, row.idsBlob)
    await em.nativeUpdate(
      ExportFile,
      { id: row.id },
      { expiresAt: null, order: endedOrder(row.order), blob: '', idsBlob: '', ...(row.state === 'done' ? { state: 'expired' as const } : {}) },
    )
    if (row.state === 'done') await ctx.endNotice('ready', row.id)
  }
}
