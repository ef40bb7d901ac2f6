/** Parts become one file: a table, or a zip with the table and what was sent, locked if a password was given. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { nameParts } from '@huike/core/sdk/file-names.ts'
import { ZipWriter } from '@zip.js/zip.js'
import { type Field, isColumn } from '../fields.ts'
import { csvHead, csvRow } from './csv.ts'
import type { ExportPart } from './export.entity.ts'
import { pdfFile } from './pdf/write-pdf.ts'
import type { Turn } from './turn.ts'
import { headingOf } from './words.ts'
import { mostRows, placeRows, sheetEnd, sheetHead, workbookFiles, xlsxHeading } from './xlsx.ts'

interface Made {
  name: string
  parts: readonly ExportPart[]
  ids: readonly string[]
}
type Bytes = AsyncIterable<Uint8Array>

export function assemble(turn: Turn, made: Made): { name: string; bytes: Bytes } {
  const { order, row, ctx } = turn
  const table =
    order.format === 'pdf' ? pdfFile(turn, made.name, made.parts, (one) => part(turn, one)) : order.format === 'csv' ? csv(turn, made) : xlsx(turn, made)
  const plain = nameParts(`${made.name}.${order.format}`, 250).join('')
  if (!row.password && !order.attachments) return { name: plain, bytes: table }
  const password = row.password ? ctx.unseal(row.password) : undefined
  if (row.password && !password) throw new Error('the password cannot be opened: the hub has another secret now')
  const lock = password ? { password, encryptionStrength: 3 as const } : {}
  const bytes = zipped(lock, async (add) => {
    await add(plain, table)
    if (order.attachments) await addFiles(turn, made.ids, add)
  })
  return { name: `${made.name}.zip`, bytes }
}

async function* part(turn: Turn, { blob }: ExportPart): Bytes {
  const stored = await turn.ctx.blobs.read(blob)
  if (!stored) throw new Error('a part is gone')
  for await (const chunk of stored) {
    turn.check()
    yield chunk
  }
}

const titlesOf = ({ order }: Turn): string[] =>
  order.table ? order.table.columns.map(({ title }) => title) : shownFields(order).map((field) => headingOf(order, field))
const shownFields = (order: Turn['order']): Field[] => order.fields.filter((field) => isColumn(order, field))

async function* csv(turn: Turn, { parts }: Made): Bytes {
  yield Buffer.from(csvHead + csvRow(titlesOf(turn), turn.order.tz))
  for (const one of parts) yield* part(turn, one)
}

function xlsx(turn: Turn, { parts }: Made): Bytes {
  const sheets: ExportPart[][] = [[]]
  let rows = 0
  for (const one of parts) {
    if (rows + one.rows > mostRows) {
      sheets.push([])
      rows = 0
    }
    sheets.at(-1)?.push(one)
    rows += one.rows
  }
  const { order } = turn
  const titles = titlesOf(turn)
  const widths = order.table ? titles.map(() => 18) : shownFields(order).map((field) => (field === 'text' ? 60 : 18))
  const title = order.table?.label ?? (order.language === 'zh' ? '聊天记录' : 'Conversations')
  // Sizes of 64 bits in front of a sheet are more than stricter readers of workbooks take.
  return zipped({ zip64: false }, async (add) => {
    for (const [path, content] of workbookFiles(sheets.map((_, i) => (i ? `${title} ${i + 1}` : title)))) await add(path, only(content))
    for (const [i, its] of sheets.entries())
      await add(
        `xl/worksheets/sheet${i + 1}.xml`,
        (async function* () {
          const place = placeRows()
          yield Buffer.from(sheetHead(widths))
          yield place(Buffer.from(xlsxHeading(titles)))
          for (const one of its) for await (const chunk of part(turn, one)) yield place(chunk)
          yield Buffer.from(sheetEnd)
        })(),
      )
  })
}

async function* only(content: string): Bytes {
  yield Buffer.from(content)
}

type Add = (path: string, bytes: Bytes) => Promise<void>

/** Written as it is read: whoever reads slowly slows the writing. */
function zipped(options: { password?: string; encryptionStrength?: 3; zip64?: boolean }, fill: (add: Add) => Promise<void>): Bytes {
  return (async function* () {
    const out = new PassThrough()
    const zip = new ZipWriter(Writable.toWeb(out), { bufferedWrite: false, useWebWorkers: false, ...options })
    const work = async () => {
      await fill(async (path, bytes) => void (await zip.add(path, Readable.toWeb(Readable.from(bytes, { objectMode: false })) as ReadableStream)))
      await zip.close()
    }
    work().catch((error) => out.destroy(error as Error))
    yield* out
  })()
}

async function addFiles(turn: Turn, ids: readonly string[], add: Add): Promise<void> {
  for (let at = 0; at < ids.length; at += 200)
    for await (const page of turn.ctx.records.messages(turn.reader, ids.slice(at, at + 200)))
      for (const message of page) {
        if (message.direction === 'note' && turn.order.notes === false) continue
        for (const [i, file] of message.files.entries()) {
          turn.check()
          const bytes = await file.open()
          // The number makes it the only one of its name, and leads to its row.
          if (bytes) await add(`files/${message.conversationId}/${message.seq}${i ? `-${i + 1}` : ''}-${plainName(file.name)}`, bytes)
        }
      }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const unsafe = /[\\/:*?"<>|\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
/** No folders, nothing that a file system minds, nor longer than one takes, nothing that turns the writing round to hide an ending. */
const plainName = (name: string): string => nameParts(name.replace(unsafe, '_')).join('') || '_'
