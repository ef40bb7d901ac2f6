/** Conversations as pages: a part of them, and the parts as one file. */
import { wallText } from '@huike/core/sdk/local-time.ts'
import type { RecordFacts, RecordMessage } from '@huike/core/sdk/records.ts'
import { type FieldKey, isPdfField } from '../../fields.ts'
import { type Cell, cellOf, textOf, unarrivedFate } from '../cells.ts'
import type { ExportPart } from '../export.entity.ts'
import { tableCells, tableRows } from '../table-order.ts'
import type { Turn } from '../turn.ts'
import { headingOf as nameOf, words } from '../words.ts'
import { pdfDocument } from './document.ts'
import { type Frame, frameBytes, framesOf } from './frames.ts'
import { type Heading, Pages, type Said } from './pages.ts'
import { readPicture } from './pictures.ts'
import type { Font } from './truetype.ts'
import { loadFonts } from './typeface.ts'

/** Ten megabytes: loaded once a turn and let go with it. */
const loaded = new WeakMap<Turn, Promise<Font[]>>()
function fontsOf(turn: Turn): Promise<Font[]> {
  let fonts = loaded.get(turn)
  if (!fonts) loaded.set(turn, (fonts = loadFonts()))
  return fonts
}

/** How many pages the bytes hold with which they come. */
export interface PartBytes {
  bytes: Buffer
  pages: number
}

/** The pages of these records, which begin on a page of their own. */
export async function* pdfPart(turn: Turn, records: readonly RecordFacts[]): AsyncGenerator<PartBytes> {
  const { ctx, order, reader, check } = turn
  const pages = new Pages(await fontsOf(turn))
  const given = (frame: Frame): PartBytes => ({ bytes: frameBytes(frame), pages: frame.kind === 'page' ? 1 : 0 })
  const waiting = [...records]
  const byId = new Map(records.map((record) => [record.id, record]))
  /** Headings up to this record's: some have no message. */
  const begin = function* (id?: string): Generator<Frame> {
    while (waiting[0] && (id === undefined || waiting[0].id <= id)) {
      pages.heading(headingOf(turn, waiting.shift() as RecordFacts))
      yield* pages.full()
    }
  }
  if (order.rows === 'message')
    for await (const page of ctx.records.messages(reader, [...byId.keys()])) {
      check()
      for (const message of page) {
        const record = byId.get(message.conversationId)
        if (!record || message.direction === 'system' || (message.direction === 'note' && order.notes === false)) continue
        for (const frame of begin(record.id)) yield given(frame)
        pages.said(await saidOf(turn, record, message))
        for (const frame of pages.full()) yield given(frame)
      }
    }
  for (const frame of begin()) yield given(frame)
  for (const frame of pages.end()) yield given(frame)
}

function headingOf({ ctx, order }: Turn, record: RecordFacts): Heading {
  const word = words[order.language]
  const fields = order.fields.filter((field) => isPdfField(field) && field !== 'link' && field !== 'fileLink')
  return {
    title: record.contact.title || word.none,
    url: order.fields.includes('link') ? `${ctx.publicUrl}/workbench/records/${record.id}` : '',
    facts: fields.map((field) => ({ label: nameOf(order, field), value: plain(cellOf(order, ctx.publicUrl, field, record), order.tz) })),
  }
}
const plain = (value: Cell, tz: string): string =>
  value instanceof Date ? wallText(value, tz) : value === null || typeof value === 'object' ? '' : String(value)

/** Rows of a list: each by its first column, with the others below it. */
export async function* pdfTablePart(turn: Turn, keys: readonly string[]): AsyncGenerator<PartBytes> {
  const { ctx, order, reader, check } = turn
  const pages = new Pages(await fontsOf(turn))
  const given = (frame: Frame): PartBytes => ({ bytes: frameBytes(frame), pages: frame.kind === 'page' ? 1 : 0 })
  const [, ...others] = order.table?.columns ?? []
  for (const row of await tableRows(ctx, reader, order, keys)) {
    check()
    const [title = null, ...rest] = tableCells(order, row)
    pages.heading({
      title: plain(title, order.tz) || words[order.language].none,
      url: '',
      facts: others.map((column, i) => ({ label: column.title, value: plain(rest[i] ?? null, order.tz) })),
    })
    for (const frame of pages.full()) yield given(frame)
  }
  for (const frame of pages.end()) yield given(frame)
}

async function saidOf({ ctx, order, check }: Turn, record: RecordFacts, message: RecordMessage): Promise<Said> {
  const word = words[order.language]
  const kind = message.direction === 'in' || message.direction === 'note' ? message.direction : 'out'
  const text = (field: FieldKey): string => String(cellOf(order, ctx.publicUrl, field, record, message) ?? '')
  const pictures: Said['pictures'][number][] = []
  const files: Said['files'][number][] = []
  for (const file of message.files) {
    check()
    const picture = order.images === false ? undefined : await readPicture(file)
    if (picture) pictures.push(picture)
    else files.push({ text: `${word.attached}${file.name}`, url: order.fields.includes('fileLink') ? `${ctx.publicUrl}/api/files/${file.id}` : '' })
  }
  const at = wallText(new Date(message.at), order.tz)
  return {
    kind,
    author: text('author') || word.sender[message.direction],
    detail: [at, kind === 'note' ? word.sender.note : unarrivedFate(order, message)].filter(Boolean).join('  '),
    text: textOf(order, message),
    pictures,
    files,
  }
}

/** The parts as one file. `read` opens a part. */
export async function* pdfFile(
  turn: Turn,
  title: string,
  parts: readonly ExportPart[],
  read: (part: ExportPart) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  const { ctx, order, row } = turn
  const word = words[order.language]
  const [agent] = (await ctx.em().getConnection().execute('select name from agent where id = ?', [row.agentId])) as { name: string }[]
  const author = agent?.name ?? ''
  const about = {
    title,
    author,
    watermark: `${author}  ${wallText(row.createdAt, order.tz).slice(0, 16)}`,
    language: order.language,
    at: row.createdAt,
    id: row.id,
    pages: parts.reduce((sum, part) => sum + part.rows, 0),
    nothing: order.table ? word.emptyList : word.nothing,
  }
  async function* frames(): AsyncGenerator<Frame> {
    for (const part of parts) yield* framesOf(read(part))
  }
  yield* pdfDocument(await fontsOf(turn), about, frames())
}
