/** Files as one zip, written as it is read: memory stays flat whatever is in it. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { ZipWriter } from '@zip.js/zip.js'
import { type AttachmentKind, mostZipped, type RecordFilter } from '../../../sdk/wire/record.ts'
import { type HubAbility, may, splitPermission } from '../../access/ability.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { Contact } from '../contact/contact.entity.ts'
import { tellEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { contactTitle } from '../conversation/conversation.present.ts'
import { StoredFile } from '../file/file.entity.ts'
import { rawLettersHidden } from '../file/raw-letters.ts'
import { recordsMatching } from './find/find-records.ts'

const filesAtOnce = 100
const recordsAtOnce = 20
const quiet = { disableIdentityMap: true }

/** The files of a conversation, oldest first; names that repeat get a number. */
export function zipRecord(hub: Hub, { ability }: Pick<Actor, 'ability'>, conversationId: string): Readable {
  const names = new Set<string>()
  return zipped(hub, async (add) => {
    for await (const files of filesOf(hub.em(), ability, conversationId))
      for (const file of files) await add(file, nameOnce(names, maskText(ability, file.name)))
  })
}

/**
 * The files of all records that a filter finds, or of some of them, a folder each. What the reader may see, and whether
 * they may still take files along, is asked anew every few records; each record's own log is told before its files leave.
 */
export function zipFound(hub: Hub, actor: Actor, filter: RecordFilter, { tz, ids }: { tz: string; ids: readonly string[] | undefined }): Readable {
  const folders = new Set<string>()
  const kinds = new Set(filter.attachments)
  const { ability } = actor
  async function addRecords(ids: readonly string[], add: Add): Promise<void> {
    const em = hub.em()
    const now = await hub.access.of(actor.agent.id)
    if (!now?.ability.can(...splitPermission('file.download'))) throw new Error('the right to take files along is gone')
    const rows = await em.find(Conversation, { id: { $in: ids } }, quiet)
    const readable = rows.filter((row) => may(ability, 'read', row) && may(now.ability, 'read', row))
    const contacts = new Map((await em.find(Contact, { id: { $in: readable.map((row) => row.contactId) } }, quiet)).map((contact) => [contact.id, contact]))
    for (const row of readable) {
      const contact = contacts.get(row.contactId)
      const folder = nameOnce(folders, `${row.createdAt.toISOString().slice(0, 10)} ${contact ? contactTitle(ability, contact, actor.agent.locale) : row.id}`)
      const names = new Set<string>()
      for await (const files of filesOf(em, ability, row.id)) {
        const chosen = files.filter(({ mime }) => kinds.has(kindOf(mime)))
        if (chosen.length === 0) continue
        await tellEvents(hub, [{ name: 'file.downloaded', data: { conversationId: row.id, fileIds: chosen.map((file) => file.id) } }])
        for (const file of chosen) await add(file, `${folder}/${nameOnce(names, maskText(ability, file.name))}`)
      }
    }
  }
  return zipped(hub, async (add) => {
    let left = mostZipped
    for await (const page of ids ? [ids] : recordsMatching(hub, actor, filter, { tz })) {
      const chosen = page.slice(0, left)
      for (let at = 0; at < chosen.length; at += recordsAtOnce) await addRecords(chosen.slice(at, at + recordsAtOnce), add)
      left -= chosen.length
      if (left === 0) return
    }
  })
}

const kindsByType: Record<string, AttachmentKind> = { image: 'image', audio: 'voice', video: 'video' }
const kindOf = (mime: string): AttachmentKind => kindsByType[mime.split('/')[0] ?? ''] ?? 'file'

/** Some at a time, oldest first, without those that this reader may not have. */
async function* filesOf(em: Em, ability: HubAbility, conversationId: string): AsyncGenerator<StoredFile[]> {
  for (let after = ''; ; ) {
    const files = await em.find(StoredFile, { conversationId, id: { $gt: after } }, { orderBy: { id: 'asc' }, limit: filesAtOnce, ...quiet })
    const hidden = await rawLettersHidden(em, ability, conversationId, files)
    yield files.filter((file) => !hidden.has(file.id))
    if (files.length < filesAtOnce) return
    after = files.at(-1)?.id ?? ''
  }
}

type Add = (file: StoredFile, name: string) => Promise<void>

/** An interrupted download ends the reading; what goes wrong cuts the zip off, so that no reader takes it for whole. */
function zipped(hub: Hub, fill: (add: Add) => Promise<void>): Readable {
  const out = new PassThrough()
  const zip = new ZipWriter(Writable.toWeb(out), { level: 0, bufferedWrite: false })
  const add: Add = async (file, name) => {
    if (out.destroyed) throw new Error('nobody takes it any more')
    const stream = await hub.files.read(file.hash)
    if (stream) await zip.add(name, Readable.toWeb(stream) as ReadableStream, { lastModDate: file.createdAt })
  }
  const work = async () => {
    await fill(add)
    await zip.close()
  }
  work().catch((error) => out.destroy(error as Error))
  return out
}

/** A plain name: no folders, nothing that a file system minds; `(2)` before the ending of the second of a name. */
export function nameOnce(taken: Set<string>, wanted: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = wanted.replace(/[\\/:*?"<>|\u0000-\u001f]/g, '_').replace(/^\.+/, '_') || '_'
  const dot = plain.lastIndexOf('.')
  const [stem, ending] = dot > 0 ? [plain.slice(0, dot), plain.slice(dot)] : [plain, '']
  let name = plain
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${stem} (${n})${ending}`
  taken.add(name.toLowerCase())
  return name
}
