/** Files as one zip, written as it is read: memory stays flat whatever is in it. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { TextReader, ZipWriter } from '@zip.js/zip.js'
import { nameParts } from '../../../sdk/file-names.ts'
import { wallText } from '../../../sdk/local-time.ts'
import { mostZipped, type RecordFilter } from '../../../sdk/wire/record.ts'
import { may, splitPermission } from '../../access/ability.ts'
import { hiddenFrom } from '../../access/mask.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { Contact } from '../contact/contact.entity.ts'
import { tellEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { contactTitle } from '../conversation/conversation.present.ts'
import { fileIdsOf, filesIn } from '../file/claim-files.ts'
import { StoredFile } from '../file/file.entity.ts'
import { rawLettersOf } from '../file/raw-letters.ts'
import { Message } from '../message/message.entity.ts'
import { kindOfFile } from './attachments.ts'
import { recordsMatching } from './find/find-records.ts'

const messagesAtOnce = 200
const recordsAtOnce = 20
const quiet = { disableIdentityMap: true }

/**
 * The files of a conversation, oldest first, with its letters as they came for who may have those; names that repeat get a
 * number. The record's log is told before they leave. Undefined where there are none.
 */
export async function zipRecord(hub: Hub, { ability }: Pick<Actor, 'ability'>, conversationId: string): Promise<Readable | undefined> {
  const raw = !hiddenFrom(ability)
  const pages = filesOf(hub.em(), conversationId, ({ parts, meta }) => [...fileIdsOf(parts), ...(raw ? rawLettersOf(meta) : [])])
  const first = await pages.next()
  if (first.done) return undefined
  await tellTaken(hub, conversationId, first.value)
  const names = new Set<string>()
  return zipped(hub, async ({ add }) => {
    const put = async (files: readonly StoredFile[]) => {
      for (const file of files) await add(file, nameOnce(names, maskText(ability, file.name)))
    }
    await put(first.value)
    for await (const files of pages) {
      await tellTaken(hub, conversationId, files)
      await put(files)
    }
  })
}

/**
 * The files of all records that a filter finds, or of some of them, a folder each by the day it began on the reader's clock: of the kinds asked for, by how they were sent. What the reader may see, and whether
 * they may still take files along, is asked anew every few records; each record's own log is told before its files leave.
 * Where there are more records than one zip holds, the last thing in it says so.
 */
export function zipFound(
  hub: Hub,
  actor: Actor,
  filter: RecordFilter,
  { tz, ids, most = mostZipped }: { tz: string; ids: readonly string[] | undefined; most?: number },
): Readable {
  const folders = new Set<string>()
  const kinds = new Set(filter.attachments)
  const { ability } = actor
  const carried = ({ direction, parts }: Pick<Message, 'direction' | 'parts'>): string[] =>
    direction === 'in' || direction === 'out' ? parts.flatMap(filesIn).flatMap(({ fileId, as }) => (kinds.has(kindOfFile[as]) ? [fileId] : [])) : []
  async function addRecords(ids: readonly string[], add: Zip['add']): Promise<void> {
    const em = hub.em()
    const now = await hub.access.of(actor.agent.id)
    if (!now?.ability.can(...splitPermission('file.download'))) throw new Error('the right to take files along is gone')
    const rows = await em.find(Conversation, { id: { $in: ids } }, quiet)
    const readable = rows.filter((row) => may(ability, 'read', row) && may(now.ability, 'read', row))
    const contacts = new Map((await em.find(Contact, { id: { $in: readable.map((row) => row.contactId) } }, quiet)).map((contact) => [contact.id, contact]))
    for (const row of readable) {
      const contact = contacts.get(row.contactId)
      const folder = nameOnce(folders, `${wallText(row.createdAt, tz).slice(0, 10)} ${contact ? contactTitle(ability, contact, actor.agent.locale) : row.id}`)
      const names = new Set<string>()
      for await (const files of filesOf(em, row.id, carried)) {
        await tellTaken(hub, row.id, files)
        for (const file of files) await add(file, `${folder}/${nameOnce(names, maskText(ability, file.name))}`)
      }
    }
  }
  return zipped(hub, async ({ add, note }) => {
    let left = most
    for await (const page of ids ? [ids] : recordsMatching(hub, actor, filter, { tz })) {
      const chosen = page.slice(0, left)
      for (let at = 0; at < chosen.length; at += recordsAtOnce) await addRecords(chosen.slice(at, at + recordsAtOnce), add)
      left -= chosen.length
      if (chosen.length === page.length) continue
      await note(...cutWords(actor.agent.locale, most))
      return
    }
  })
}

const cutWords = (locale: string, most: number): [name: string, text: string] =>
  locale === 'zh'
    ? ['不完整.txt', `这里只有最近的 ${most} 段会话的附件，符合条件的会话还有更多。请缩小范围后分次下载。`]
    : ['not complete.txt', `Here are the files of the newest ${most} conversations only; more were found. Narrow the filter and take them in several parts.`]

const tellTaken = (hub: Hub, conversationId: string, files: readonly StoredFile[]): Promise<void> =>
  tellEvents(hub, [{ name: 'file.downloaded', data: { conversationId, fileIds: files.map(({ id }) => id) } }])

/** The files of a conversation's messages that `carried` names, each once, oldest message first, some at a time. Nothing of what was taken back. */
async function* filesOf(
  em: Em,
  conversationId: string,
  carried: (message: Pick<Message, 'direction' | 'parts' | 'meta'>) => string[],
): AsyncGenerator<StoredFile[], undefined> {
  const known = new Set<string>()
  for (let seq = 0; ; ) {
    const rows = await em.find(
      Message,
      { conversationId, seq: { $gt: seq }, recalledAt: null },
      { orderBy: { seq: 'asc' }, limit: messagesAtOnce, fields: ['id', 'seq', 'direction', 'parts', 'meta'], ...quiet },
    )
    const ids = [...new Set((rows as unknown as Message[]).flatMap(carried))].filter((id) => !known.has(id))
    for (const id of ids) known.add(id)
    const files = new Map(ids.length === 0 ? [] : (await em.find(StoredFile, { id: { $in: ids }, conversationId }, quiet)).map((file) => [file.id, file]))
    if (files.size > 0) yield ids.flatMap((id) => files.get(id) ?? [])
    if (rows.length < messagesAtOnce) return
    seq = rows.at(-1)?.seq ?? seq
  }
}

interface Zip {
  add(file: StoredFile, name: string): Promise<void>
  note(name: string, text: string): Promise<void>
}

/** An interrupted download ends the reading; what goes wrong cuts the zip off, so that no reader takes it for whole. */
function zipped(hub: Hub, fill: (zip: Zip) => Promise<void>): Readable {
  const out = new PassThrough()
  const zip = new ZipWriter(Writable.toWeb(out), { level: 0, bufferedWrite: false })
  const add: Zip['add'] = async (file, name) => {
    if (out.destroyed) throw new Error('nobody takes it any more')
    const stream = await hub.files.read(file.hash)
    if (stream) await zip.add(name, Readable.toWeb(stream) as ReadableStream, { lastModDate: file.createdAt })
  }
  const work = async () => {
    await fill({ add, note: async (name, text) => void (await zip.add(name, new TextReader(text))) })
    await zip.close()
  }
  work().catch((error) => out.destroy(error as Error))
  return out
}

/** A plain name: no folders, nothing that a file system minds, nor longer than one takes; `(2)` before the ending of the second of a name. */
export function nameOnce(taken: Set<string>, wanted: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = wanted.replace(/[\\/:*?"<>|\u0000-\u001f]/g, '_').replace(/^\.+/, '_') || '_'
  const [stem, ending] = nameParts(plain)
  let name = stem + ending
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${stem} (${n})${ending}`
  taken.add(name.toLowerCase())
  return name
}
